//! Around the copy: tables before it, indexes, views, numbers and metadata after it.
//!
//! The metadata tables are the target's memory of where it came from ([`crate::metadata`]).

use super::file_to_be::JournalMode;
use super::keys;
use crate::endpoint::Origin;
use crate::endpoint::sqlite::facts::{facts, published};
use crate::endpoint::sqlite::file::quoted;
use crate::endpoint::sqlite::loader::Loader;
use crate::endpoint::sqlite::object_list::{self, Object, ObjectList};
use crate::endpoint::sqlite::optimize::external_content;
use crate::endpoint::sqlite::snapshot::Snapshot;
use crate::error::{Context, Error, Result};
use crate::event::{Event, Listener};
use crate::fault::{self, Fault};
use crate::metadata::{self, Finished, Record, ledger, tables};
use crate::plan::{Caveat, Plan};
use crate::quote::quote;
use rusqlite::Connection;
use std::path::Path;

/// How many entries of an index ANALYZE looks at; enough for the query planner, and independent of the rows.
const ANALYSIS_LIMIT: u32 = 400;

/// What a given schema wants after the rows: its indexes and triggers, which were taken out for the copy.
#[derive(Debug, Default)]
pub struct SetAside {
    statements: Vec<(String, String)>,
    full_text: Vec<String>,
}

/// Creates the plan's tables, without their keys.
///
/// # Errors
/// When SQLite refuses a definition or the file cannot be written.
pub fn create_tables(loader: &Loader, plan: &Plan, metadata: bool) -> Result<()> {
    let mut list = loader.hold_objects()?;
    for table in &plan.tables {
        if let Some(ddl) = &table.ddl {
            loader.create_object(&mut list, &ddl.loading_sql(), &format!("table `{}`", table.target))?;
        }
    }
    loader.release_objects(list)?;
    if metadata {
        loader.execute(&metadata::definitions(), "the metadata tables")?;
    }
    Ok(())
}

/// Takes the indexes and triggers of a given schema out of the file until the rows are there.
///
/// # Errors
/// When the file cannot be read or written.
pub fn set_aside(loader: &Loader) -> Result<SetAside> {
    const OPERATION: &str = "read the given schema";
    let connection = loader.connection();
    // Where SQLite moves pages as others are freed, it has to find the list as it is.
    let auto_vacuum = connection.pragma_query_value(None, "auto_vacuum", |row| row.get::<_, i64>(0));
    let moves_pages = auto_vacuum.could_not(OPERATION, "")? != 0;
    let mut list = (!moves_pages).then(|| loader.hold_objects()).transpose()?;
    let mut objects = match &mut list {
        Some(list) => list.objects().could_not(OPERATION, "")?.clone(),
        None => object_list::read(connection).could_not(OPERATION, "")?,
    };
    // One without content anywhere has nothing to be rebuilt from, and SQLite refuses to try.
    let is_external = |sql: &str| is_virtual_table(sql) && external_content(sql).is_some();
    let full_text = objects.iter().filter(|object| object.sql.as_deref().is_some_and(is_external));
    let full_text = full_text.map(|object| object.name.clone()).collect();
    objects.retain(is_set_aside);
    // Indexes come before triggers, and go after them; SQLite finds the newest first.
    objects.sort_by(|one, other| one.kind.cmp(&other.kind));
    for Object { kind, name, .. } in objects.iter().rev() {
        loader.execute(&format!("DROP {kind} {}", quote(name)), &format!("{kind} `{name}`"))?;
    }
    if let Some(mut list) = list {
        list.objects().could_not(OPERATION, "")?.retain(|object| !is_set_aside(object));
        loader.release_objects(list)?;
    }
    let statements = objects.into_iter().filter_map(|object| Some((object.name, object.sql?)));
    let mut aside = SetAside { statements: statements.collect(), full_text };
    if fault::active(Fault::IndexMissing)
        && let Some(place) = aside.statements.iter().rposition(|(_, sql)| is_index(sql))
    {
        aside.statements.remove(place);
    }
    Ok(aside)
}

fn is_set_aside(object: &Object) -> bool {
    (object.kind == "index" || object.kind == "trigger") && object.sql.is_some()
}

fn is_virtual_table(sql: &str) -> bool {
    let head = sql.split_ascii_whitespace().take(3);
    head.zip(["create", "virtual", "table"]).filter(|(word, keyword)| word.eq_ignore_ascii_case(keyword)).count() == 3
}

fn is_index(sql: &str) -> bool {
    let mut words = sql.split_ascii_whitespace().skip(1);
    words.find(|word| !word.eq_ignore_ascii_case("unique")).is_some_and(|word| word.eq_ignore_ascii_case("index"))
}

/// Builds keys, indexes and views, runs the script of what is derived, and gathers statistics. Returns what only the rows could
/// tell.
///
/// # Errors
/// When SQLite refuses a statement, a unique index finds duplicates, or the file cannot be written.
pub fn finish(
    loader: &Loader,
    plan: &Plan,
    aside: &SetAside,
    derived: Option<&Path>,
    listener: &Listener<'_>,
) -> Result<Vec<Caveat>> {
    let caveats = keys::build(loader, plan, listener)?;
    // The full text comes before the triggers that keep it: they must not see it being built.
    for table in &aside.full_text {
        let name = quote(table);
        loader.execute(&format!("INSERT INTO {name} ({name}) VALUES ('rebuild')"), &format!("full text `{table}`"))?;
    }
    let mut list = loader.hold_objects()?;
    for (table, index) in plan.tables.iter().flat_map(|table| table.indexes.iter().map(move |index| (table, index))) {
        listener(Event::IndexStarted { index: index.name.clone() });
        let object = format!("index `{}` of table `{}`", index.name, table.source);
        loader.create_object(&mut list, &index.sql, &object).map_err(|error| {
            let known = plan.known_difference(&index.origin);
            refused_rows(loader, error, known.as_deref().unwrap_or(keys::DUPLICATES_HINT))
        })?;
    }
    let create = |list: &mut ObjectList<'_>, (name, sql): &(String, String)| {
        listener(Event::IndexStarted { index: name.clone() });
        loader
            .create_object(list, sql, &format!("`{name}`"))
            .map_err(|error| refused_rows(loader, error, hint_of_given(plan)))
    };
    let (indexes, others): (Vec<_>, Vec<_>) = aside.statements.iter().partition(|(_, sql)| is_index(sql));
    indexes.into_iter().try_for_each(|index| create(&mut list, index))?;
    if let Some(script) = derived {
        loader.release_objects(list)?;
        let object = quoted(script);
        let sql = std::fs::read_to_string(script).could_not("read", &object)?;
        loader.execute(&sql, &object)?;
        list = loader.hold_objects()?;
    }
    others.into_iter().try_for_each(|other| create(&mut list, other))?;
    for view in &plan.views {
        loader.create_object(&mut list, &view.sql, &format!("view `{}`", view.target))?;
    }
    loader.release_objects(list)?;
    loader.execute(&format!("PRAGMA analysis_limit = {ANALYSIS_LIMIT}; ANALYZE"), "statistics")?;
    Ok(caveats)
}

/// What there is to do where a constraint of a given schema refuses rows: nobody else may change it.
pub(super) fn hint_of_given(plan: &Plan) -> &'static str {
    match plan.as_it_stands {
        true => "the source's own definition says so, and rows of it do not keep to it: correct them in the source",
        false => {
            "the target schema says so: change it there, correct the rows in the source, or choose a rule for the columns under \
             which they hold"
        }
    }
}

/// Names the rows that a unique index refuses, and what there is to do.
fn refused_rows(loader: &Loader, error: Error, hint: &str) -> Error {
    let Some(columns) = error.cause().strip_prefix("UNIQUE constraint failed: ").map(str::to_owned) else {
        return error;
    };
    let mut table = None;
    let columns: Option<Vec<&str>> = columns
        .split(", ")
        .map(|part| part.split_once('.').filter(|(of, _)| table.replace(of.to_string()).is_none_or(|t| t == *of)))
        .map(|part| part.map(|(_, column)| column))
        .collect();
    // Of an index over expressions SQLite tells the name only.
    let cause = match (table, columns) {
        (Some(table), Some(columns)) => keys::duplicates(loader.connection(), &table, &columns),
        _ => error.cause().to_owned(),
    };
    Error::could_not(error.operation(), error.object(), cause).hint(hint)
}

/// Writes the metadata of a finished copy, whose rows are committed: last the record of the file, and the digest of all of it.
///
/// # Errors
/// When the file cannot be written.
pub fn write_metadata(loader: &Loader, plan: &Plan, origin: &Origin<'_>, journal_mode: JournalMode) -> Result<()> {
    const OPERATION: &str = "write the metadata";
    let connection = loader.connection();
    // What the header says is in the file since the rows were committed.
    let header = published(facts(&Snapshot::begin(connection)?)?.settings, journal_mode == JournalMode::Wal);
    loader.begin()?;
    loader.execute(&ledger::key_definition(), "the ledger's index")?;
    let finished = Finished {
        source: origin.source,
        finished_at: &now_utc(connection)?,
        given_schema: plan.given_schema,
        catalog: origin.catalog,
        choices: serde_json::to_string(origin.choices).could_not(OPERATION, "")?,
        needs_sqlite: plan.needs_sqlite().to_string(),
    };
    let write = || {
        let mut copied = plan.tables.iter().zip(origin.digests);
        copied.try_for_each(|(table, digest)| {
            tables::add(connection, &table.source.to_string(), &table.target, digest)
        })?;
        let names = plan.tables.iter().map(|table| table.target.as_str());
        metadata::write(connection, &finished, &Record::of(connection, header, names)?)
    };
    write().could_not(OPERATION, "")?;
    loader.commit()
}

/// The time by SQLite's clock: UTC, ISO 8601, milliseconds.
fn now_utc(connection: &Connection) -> Result<String> {
    connection
        .query_row("SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')", [], |row| row.get(0))
        .could_not("tell the time", "")
}
