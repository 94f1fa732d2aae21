//! Whether the file is sound, before a run and after a migration: whose damage it is has to be known.

use rusqlite::Connection;

use super::super::step::counted;
use crate::endpoint::findings::Depth;
use crate::endpoint::sqlite::structure::{self, is_of_the_connection};
use crate::error::Context;
use crate::quote::quote;
use crate::{Error, Result};

/// How many findings a message names.
const TOLD: usize = 5;

/// Fails where SQLite's integrity check finds something in the file before the first migration of a run.
pub(super) fn expect_sound_file(connection: &Connection, object: &str, first: &str) -> Result<()> {
    let found = structure::integrity_of(connection, object, Depth::Full, TOLD)?;
    let more = found.total.saturating_sub(found.messages.len() as u64);
    let more = (more > 0).then(|| counted(more, "more finding", "more findings"));
    let found: Vec<String> = found.messages.into_iter().chain(more).collect();
    if found.is_empty() {
        return Ok(());
    }
    let cause = format!("it was damaged before migration {first} began, and nothing was run: {}", found.join("; "));
    Err(Error::differs("check the integrity of", object, cause).hint(
        "restore a backup, or repair the file (REINDEX where only an index differs, else the `.recover` of SQLite's shell); \
         `--no-integrity` runs a migration that repairs it",
    ))
}

/// Fails where SQLite's integrity check finds something in one of these tables or their indexes, as a migration left them.
pub(super) fn expect_sound_tables(connection: &Connection, tables: &[String], label: &str) -> Result<()> {
    let found = of_tables(connection, tables)?;
    if found.is_empty() {
        return Ok(());
    }
    let cause = format!("the file was sound before this migration, which left: {}", found.join("; "));
    Err(Error::differs("keep the integrity of", label, cause)
        .hint("does an index or a CHECK call a function that does not always give the same?"))
}

pub(super) fn all_tables(connection: &Connection) -> Result<Vec<String>> {
    let sql = "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND rootpage > 0 ORDER BY name";
    let mut statement = connection.prepare(sql).could_not("read schema", "")?;
    let rows = statement.query_map([], |row| row.get(0)).could_not("read schema", "")?;
    rows.collect::<rusqlite::Result<_>>().could_not("read schema", "")
}

/// The first findings in these tables, as far as they are there and this connection can read their definitions.
fn of_tables(connection: &Connection, tables: &[String]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for table in tables {
        let checked = findings(connection, table, &mut found);
        match checked {
            Err(error) if is_of_the_connection(&error.to_string()) => {}
            Err(error) if is_damage(&error) => found.push(format!("`{table}`: {error}")),
            checked => checked.could_not("check the integrity of", format!("`{table}`"))?,
        }
        if found.len() >= TOLD {
            break;
        }
    }
    Ok(found)
}

fn findings(connection: &Connection, table: &str, found: &mut Vec<String>) -> rusqlite::Result<()> {
    // A table that is not there would have the whole file checked.
    if !connection.table_exists(Some("main"), table)? {
        return Ok(());
    }
    let mut statement = connection.prepare(&format!("PRAGMA main.integrity_check({})", quote(table)))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let text: String = row.get(0)?;
        found.extend(text.lines().filter(|line| *line != "ok").map(str::to_owned));
        if found.len() >= TOLD {
            found.truncate(TOLD);
            break;
        }
    }
    Ok(())
}

fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}
