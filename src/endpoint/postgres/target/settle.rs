//! The server tries the definitions, over no row: in which order it takes them, and which of them it does not.

use crate::catalog::ObjectKind;
use crate::endpoint::postgres::failure::refusal;
use crate::endpoint::postgres::writer::Connection;
use crate::error::Result;
use crate::plan::home::{Definition, Definitions};
use crate::plan::{Loss, Plan, Reason, Refusal};
use crate::quote::postgres_literal;
use std::collections::BTreeSet;

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
    let taken = home.all().filter(|definition| takes_name(definition.kind) && there.contains(&definition.object));
    plan.refusals
        .extend(taken.map(|definition| Refusal::IsThere { kind: definition.kind, object: definition.object.clone() }));
    Ok(())
}

/// A file is anybody's: what its checks and materialized views would run while they are loaded must not be able to do anything.
fn leave_out_what_runs(connection: &mut Connection, home: &mut Definitions, plan: &mut Plan) -> Result<()> {
    let called: BTreeSet<&String> = home.all().flat_map(|definition| &definition.calls).collect();
    if called.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = called.into_iter().map(|name| postgres_literal(name)).collect();
    let sql = format!(
        "SELECT DISTINCT proname::text FROM pg_proc WHERE provolatile = 'v' AND proname = ANY (ARRAY[{}]::name[])",
        names.join(", ")
    );
    let label = connection.label().to_owned();
    let volatile: BTreeSet<String> = connection.query(sql, label)?.into_iter().flatten().flatten().collect();
    let mut losses = Vec::new();
    let mut keep = |definition: &Definition| match definition.calls.intersection(&volatile).next() {
        None => true,
        Some(function) => {
            let (kind, object) = (definition.kind, definition.object.clone());
            losses.push(Loss { kind, object, reason: Reason::Runs(function.clone()) });
            false
        }
    };
    home.before.retain(&mut keep);
    home.after.retain(&mut keep);
    plan.losses.extend(losses);
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
    let statements = format!("SAVEPOINT whimbrel_try; {sql}; RELEASE SAVEPOINT whimbrel_try");
    let Err(error) = connection.query(statements, &object) else { return Ok(None) };
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
