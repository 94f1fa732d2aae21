//! The server tries the definitions, over no row: in which order it takes them, and which of them it does not.

use crate::catalog::ObjectKind;
use crate::endpoint::postgres::failure::refusal;
use crate::endpoint::postgres::writer::Connection;
use crate::error::Result;
use crate::plan::home::{Definition, Definitions, Position};
use crate::plan::{Loss, Plan, Reason, Refusal};
use crate::quote::postgres_literal;
use std::collections::{BTreeMap, BTreeSet};

/// Takes out of the plan what the server does not take, and puts the rest into an order in which it does.
///
/// # Errors
/// When the definitions cannot be tried at all.
pub(super) fn settle(connection: &mut Connection, plan: &mut Plan) -> Result<()> {
    let Some(mut home) = plan.home.take() else { return Ok(()) };
    if plan.refusals.is_empty() {
        refuse_what_is_there(connection, &home, plan)?;
    }
    if plan.refusals.is_empty() {
        leave_out_what_runs(connection, &mut home, plan)?;
        let mut refused = Vec::new();
        home.before = tried(connection, std::mem::take(&mut home.before), &mut refused)?;
        home.after = tried(connection, std::mem::take(&mut home.after), &mut refused)?;
        for (definition, error) in refused {
            tell(definition, error, plan);
        }
        let label = connection.label().to_owned();
        connection.query("ROLLBACK", label)?;
        // The position of a sequence that is not made would be that of another one.
        let stands = |position: &Position| {
            home.has(ObjectKind::Sequence, &position.sequence.to_string())
                || position
                    .feeds
                    .as_ref()
                    .is_some_and(|(_, table, column)| home.has(ObjectKind::Identity, &format!("{table}.{column}")))
        };
        let positions = home.positions.iter().filter(|position| stands(position)).cloned().collect();
        home.positions = positions;
    }
    plan.home = Some(home);
    Ok(())
}

/// A name is taken by another object: of a table and a type by either, of a schema by nothing.
fn refuse_what_is_there(connection: &mut Connection, home: &Definitions, plan: &mut Plan) -> Result<()> {
    let label = connection.label().to_owned();
    let found = connection.query(include_str!("../sql/names_there.sql"), label)?;
    let there: BTreeSet<String> = found.into_iter().flatten().flatten().collect();
    let takes_name = |kind: ObjectKind| {
        matches!(
            kind,
            ObjectKind::Table
                | ObjectKind::View
                | ObjectKind::MaterializedView
                | ObjectKind::Sequence
                | ObjectKind::EnumType
                | ObjectKind::Domain
                | ObjectKind::CompositeType
        )
    };
    let beside = names_beside(home);
    let name_of = |definition: &Definition| match takes_name(definition.kind) {
        true => Some(definition.object.clone()),
        false => beside.get(&(definition.kind, definition.object.clone())).cloned(),
    };
    let taken = home.all().filter(|definition| name_of(definition).is_some_and(|name| there.contains(&name)));
    plan.refusals
        .extend(taken.map(|definition| Refusal::IsThere { kind: definition.kind, object: definition.object.clone() }));
    Ok(())
}

/// The names that keys, indexes and identities take beside those of tables.
fn names_beside(home: &Definitions) -> BTreeMap<(ObjectKind, String), String> {
    let mut names = BTreeMap::new();
    for table in &home.catalog.tables {
        let mut takes = |kind: ObjectKind, name: &str| {
            names.insert((kind, format!("{name} on {}", table.name)), format!("{}.{name}", table.name.schema));
        };
        table.primary_key.iter().for_each(|key| takes(ObjectKind::PrimaryKey, &key.name));
        table.unique_keys.iter().for_each(|key| takes(ObjectKind::UniqueKey, &key.name));
        table.indexes.iter().for_each(|index| takes(ObjectKind::Index, &index.name));
        let exclusions = home.catalog.others.iter().filter(|other| other.kind == ObjectKind::ExclusionConstraint);
        let on = format!(" on {}", table.name);
        exclusions
            .filter_map(|other| other.name.strip_suffix(&on))
            .for_each(|name| takes(ObjectKind::ExclusionConstraint, name));
        for column in table.columns.iter().filter(|column| column.identity.is_some()) {
            if let Some(sequence) = &column.sequence {
                names.insert((ObjectKind::Identity, format!("{}.{}", table.name, column.name)), sequence.to_string());
            }
        }
    }
    names
}

/// What PostgreSQL calls volatile, and does nothing but tell a value.
const HARMLESS: [&str; 11] = [
    "random",
    "random_normal",
    "gen_random_uuid",
    "uuidv4",
    "uuidv7",
    "clock_timestamp",
    "timeofday",
    "uuid_generate_v1",
    "uuid_generate_v1mc",
    "uuid_generate_v4",
    "gen_random_bytes",
];

/// A file is anybody's: what its expressions and queries run, while they are loaded and ever after, must not be able to do anything. They
/// may call what comes with PostgreSQL or an extension and tells a value.
fn leave_out_what_runs(connection: &mut Connection, home: &mut Definitions, plan: &mut Plan) -> Result<()> {
    let called: BTreeSet<&String> = home.all().flat_map(|definition| &definition.calls).collect();
    if called.is_empty() {
        return Ok(());
    }
    let list = |names: &mut dyn Iterator<Item = &str>| names.map(postgres_literal).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "SELECT DISTINCT proname::text FROM pg_proc AS p WHERE proname = ANY (ARRAY[{}]::name[]) AND (
           provolatile = 'v' AND proname <> ALL (ARRAY[{}]::name[])
           OR pronamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname IN ('pg_catalog', 'information_schema'))
             AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = p.oid AND deptype = 'e'))",
        list(&mut called.into_iter().map(String::as_str)),
        list(&mut HARMLESS.into_iter())
    );
    let label = connection.label().to_owned();
    let refused: BTreeSet<String> = connection.query(sql, label)?.into_iter().flatten().flatten().collect();
    let mut left_out = Vec::new();
    let mut keep = |definition: &Definition| match definition.calls.intersection(&refused).next() {
        None => true,
        Some(function) => {
            left_out.push((definition.kind, definition.object.clone(), Reason::Runs(function.clone())));
            false
        }
    };
    home.before.retain(&mut keep);
    home.after.retain(&mut keep);
    for (kind, object, reason) in left_out {
        match kind {
            ObjectKind::Table => {
                plan.refusals.push(Refusal::NotTakenByServer { kind, object, error: reason.to_string() });
            }
            kind => plan.losses.push(Loss { kind, object, reason }),
        }
    }
    Ok(())
}

/// Tries the definitions in turn, and those that are refused again behind the others, as long as that makes any of them good.
fn tried(
    connection: &mut Connection,
    mut left: Vec<Definition>,
    refused: &mut Vec<(Definition, String)>,
) -> Result<Vec<Definition>> {
    let mut good = Vec::with_capacity(left.len());
    loop {
        let mut again = Vec::new();
        let count = left.len();
        for definition in left {
            match attempt(connection, &definition)? {
                None => good.push(definition),
                Some(error) => again.push((definition, error)),
            }
        }
        if again.is_empty() || again.len() == count {
            refused.extend(again);
            return Ok(good);
        }
        left = again.into_iter().map(|(definition, _)| definition).collect();
    }
}

/// Why the server refuses a definition; `None` where it has taken it.
fn attempt(connection: &mut Connection, definition: &Definition) -> Result<Option<String>> {
    let Definition { kind, object, sql, .. } = definition;
    let object = format!("{kind} `{object}`");
    // Alone: of statements that are sent together and cannot be read, none is run.
    connection.query("SAVEPOINT whimbrel_try", &object)?;
    let Err(error) = connection.query(sql.as_str(), &object) else {
        connection.query("RELEASE SAVEPOINT whimbrel_try", object)?;
        return Ok(None);
    };
    let Some(told) = refusal(&error) else { return Err(error) };
    connection.query("ROLLBACK TO SAVEPOINT whimbrel_try; RELEASE SAVEPOINT whimbrel_try", object)?;
    Ok(Some(told))
}

/// A table that cannot be made stops the run, and so does what it is made of; anything else is not carried.
fn tell(definition: Definition, error: String, plan: &mut Plan) {
    let Definition { kind, object, .. } = definition;
    match kind {
        ObjectKind::Table | ObjectKind::Schema => plan.refusals.push(Refusal::NotTakenByServer { kind, object, error }),
        kind => plan.losses.push(Loss { kind, object, reason: Reason::NotTakenByServer(error) }),
    }
}
