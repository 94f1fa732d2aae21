//! The history in a SQLite file.

use std::time::SystemTime;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::super::clock::rfc_3339;
use super::super::tokens::{Dialect, same_definition};
use super::other::OtherHistory;
use super::{COLUMNS, Change, Entry, EntryState, KEEPER, Progress, expect_row, foreign_table, unfit_table};
use crate::error::Context;
use crate::metadata::OTHER_HISTORY_TABLE;
use crate::quote::quote;
use crate::{Error, Result};

/// Reads the whole history, ascending; nothing where there is no table. An error where the table is not one that
/// [`create`] makes, or where something hangs on it.
pub(crate) fn read(connection: &Connection, table: &str) -> Result<Option<Vec<Entry>>> {
    if !is_there(connection, table)? {
        return Ok(None);
    }
    let sql = format!("SELECT {} FROM main.{} ORDER BY version", COLUMNS.join(", "), quote(table));
    let mut statement = connection.prepare(&sql).could_not("read history", quoted(table))?;
    let rows = statement.query_map([], entry).could_not("read history", quoted(table))?;
    let rows: Vec<(Entry, String)> = rows.collect::<rusqlite::Result<_>>().could_not("read history", quoted(table))?;
    rows.into_iter()
        .map(|(entry, state)| Ok(Entry { state: EntryState::read(&state)?, ..entry }))
        .collect::<Result<Vec<_>>>()
        .map(Some)
}

/// Reads one row.
pub(crate) fn read_one(connection: &Connection, table: &str, version: i64) -> Result<Option<Entry>> {
    let sql = format!("SELECT {} FROM main.{} WHERE version = ?1", COLUMNS.join(", "), quote(table));
    let mut statement = connection.prepare_cached(&sql).could_not("read history", quoted(table))?;
    let row = statement.query_row([version], entry).optional().could_not("read history", quoted(table))?;
    row.map(|(entry, state)| Ok(Entry { state: EntryState::read(&state)?, ..entry })).transpose()
}

/// Whether the table is there; an error where it is another tool's, or not exactly what [`create`] makes: a trigger, a
/// conflict clause or a generated column would let a row of the history change other rows.
fn is_there(connection: &Connection, table: &str) -> Result<bool> {
    let sql = include_str!("sqlite/objects_of_table.sql");
    let objects: Vec<(String, String, String)> = connection
        .prepare(sql)
        .and_then(|mut statement| {
            statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
        })
        .could_not("read history", quoted(table))?;
    let Some((kind, _, definition)) = objects.iter().find(|(_, name, _)| name.eq_ignore_ascii_case(table)) else {
        return Ok(false);
    };
    if kind != "table" {
        return Err(unfit_table(&quoted(table), &format!("it is a {kind}")));
    }
    let columns: Vec<String> = connection
        .prepare("SELECT name FROM pragma_table_info(?1, 'main')")
        .and_then(|mut statement| statement.query_map([table], |row| row.get(0))?.collect())
        .could_not("read history", quoted(table))?;
    if let Some(missing) = COLUMNS.iter().find(|column| !columns.iter().any(|there| there.eq_ignore_ascii_case(column)))
    {
        return Err(foreign_table(table, missing));
    }
    if !same_definition(definition, &definition_of(&quote(table)), Dialect::Sqlite) {
        return Err(unfit_table(&quoted(table), "its definition is not the one that this program makes"));
    }
    match objects.iter().find(|(_, name, _)| !name.eq_ignore_ascii_case(table)) {
        Some((kind, name, _)) => Err(unfit_table(&quoted(table), &format!("it has the {kind} `{name}`"))),
        None => Ok(true),
    }
}

/// Another tool's table of the history's name: it has a column `version`, and not all of ours.
pub(crate) fn other(connection: &Connection, table: &str) -> Result<Option<OtherHistory>> {
    let sql = include_str!("sqlite/columns_of_table.sql");
    let found: Option<(String, String)> = connection
        .query_row(sql, [table], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
        .could_not("look for", quoted(table))?;
    let Some((name, columns)) = found else { return Ok(None) };
    let has = |column: &str| columns.split(',').any(|there| there == column);
    if !has("version") || COLUMNS.iter().all(|column| has(column)) {
        return Ok(None);
    }
    let sql = format!("SELECT count(*), CAST(max(version) AS TEXT) FROM main.{}", quote(&name));
    let (rows, newest) =
        connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?))).could_not("read", quoted(table))?;
    Ok(Some(OtherHistory { table: name, kept_as: OTHER_HISTORY_TABLE.to_owned(), rows, newest }))
}

/// Calls another tool's table otherwise.
pub(crate) fn put_aside(connection: &Connection, other: &OtherHistory) -> Result<()> {
    let sql = format!("ALTER TABLE main.{} RENAME TO {}", quote(&other.table), quote(&other.kept_as));
    connection.execute_batch(&sql).could_not("put aside", quoted(&other.table))
}

/// Whether anything has that name.
pub(crate) fn is_taken(connection: &Connection, table: &str) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE name = ?1 COLLATE NOCASE)";
    connection.query_row(sql, [table], |row| row.get(0)).could_not("look for", quoted(table))
}

fn entry(row: &Row<'_>) -> rusqlite::Result<(Entry, String)> {
    let entry = Entry {
        version: row.get(0)?,
        name: row.get(1)?,
        applied_at: row.get(2)?,
        up_checksum: row.get(3)?,
        down_checksum: row.get(4)?,
        down_script: row.get(5)?,
        reversal: row.get(6)?,
        duration_ms: row.get(7)?,
        tool_version: row.get(8)?,
        state: EntryState::Applied,
        statements_started: row.get(10)?,
        statements_finished: row.get(11)?,
        finished_checksum: row.get(12)?,
        remarks: row.get(13)?,
    };
    Ok((entry, row.get(9)?))
}

/// Creates the table; an error where there is something of that name.
pub(crate) fn create(connection: &Connection, table: &str) -> Result<()> {
    connection
        .execute_batch(&definition_of(&format!("main.{}", quote(table))))
        .could_not("create history", quoted(table))
}

/// The definition, with the name as it is given.
fn definition_of(name: &str) -> String {
    format!(
        "CREATE TABLE {name} (\n  version INTEGER PRIMARY KEY NOT NULL,\n  name TEXT NOT NULL,\n  \
         applied_at TEXT NOT NULL,\n  up_checksum TEXT NOT NULL,\n  down_checksum TEXT,\n  down_script TEXT,\n  \
         reversal TEXT NOT NULL,\n  \
         duration_ms INTEGER NOT NULL,\n  tool_version TEXT NOT NULL,\n  \
         state TEXT NOT NULL,\n  \
         statements_started INTEGER NOT NULL,\n  statements_finished INTEGER NOT NULL,\n  \
         finished_checksum TEXT,\n  remarks TEXT NOT NULL\n) STRICT"
    )
}

/// Changes the row of one version and gives what it says now: exactly that one row changed, and it reads back as it
/// was written.
pub(crate) fn change(connection: &Connection, table: &str, version: i64, change: &Change<'_>) -> Result<Option<Entry>> {
    let before = read_one(connection, table, version)?;
    let written = change.of(before, &quoted(table), version)?.map(|entry| match entry.applied_at.is_empty() {
        true => Entry { applied_at: rfc_3339(SystemTime::now()), ..entry },
        false => entry,
    });
    let changed = connection.total_changes();
    write(connection, table, version, change, written.as_ref()).could_not("write history", quoted(table))?;
    let changed = connection.total_changes() - changed;
    if changed != 1 {
        let cause = format!("{changed} rows changed where one was expected");
        return Err(Error::differs("keep the history", quoted(table), cause).hint(KEEPER));
    }
    let found = read_one(connection, table, version)?;
    expect_row(&quoted(table), version, written.as_ref(), found.as_ref())?;
    Ok(found)
}

fn write(
    connection: &Connection,
    table: &str,
    version: i64,
    change: &Change<'_>,
    written: Option<&Entry>,
) -> rusqlite::Result<usize> {
    let name = quote(table);
    let Some(entry) = written else {
        return connection.execute(&format!("DELETE FROM main.{name} WHERE version = ?1"), [version]);
    };
    if let Change::Mark(progress) = change {
        let sql = format!(
            "UPDATE main.{name} SET state = ?2, statements_started = ?3, statements_finished = ?4, \
             finished_checksum = ?5 WHERE version = ?1"
        );
        let Progress { state, started, finished, finished_checksum } = progress;
        return connection.prepare_cached(&sql)?.execute(params![
            version,
            state.word(),
            started,
            finished,
            finished_checksum
        ]);
    }
    // Without OR REPLACE: a row that is there is never lost. Everything is bound: a schema that just changed has this
    // statement compiled anew each time.
    let sql = match change {
        Change::Insert(_) => format!(
            "INSERT INTO main.{name} ({}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            COLUMNS.join(", ")
        ),
        _ => {
            let set: Vec<String> = (2..).zip(&COLUMNS[1..]).map(|(at, column)| format!("{column} = ?{at}")).collect();
            format!("UPDATE main.{name} SET {} WHERE version = ?1", set.join(", "))
        }
    };
    connection.prepare_cached(&sql)?.execute(params![
        entry.version,
        entry.name,
        entry.applied_at,
        entry.up_checksum,
        entry.down_checksum,
        entry.down_script,
        entry.reversal,
        entry.duration_ms,
        entry.tool_version,
        entry.state.word(),
        entry.statements_started,
        entry.statements_finished,
        entry.finished_checksum,
        entry.remarks,
    ])
}

/// One row of sqlx's history.
pub(crate) struct SqlxRow {
    pub version: i64,
    pub installed_on: String,
    pub success: bool,
    pub checksum: Vec<u8>,
    pub execution_time_ns: i64,
}

/// Reads `_sqlx_migrations`; nothing where it does not exist.
pub(crate) fn read_sqlx(connection: &Connection) -> Result<Option<Vec<SqlxRow>>> {
    const SQLX: &str = "`_sqlx_migrations`";
    let there: Option<i64> = connection
        .query_row("SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = '_sqlx_migrations'", [], |row| {
            row.get(0)
        })
        .optional()
        .could_not("read", SQLX)?;
    if there.is_none() {
        return Ok(None);
    }
    let sql = "SELECT version, strftime('%Y-%m-%dT%H:%M:%fZ', installed_on), success, checksum, execution_time \
               FROM main._sqlx_migrations ORDER BY version";
    let mut statement = connection.prepare(sql).could_not("read", SQLX)?;
    let rows = statement
        .query_map([], |row| {
            Ok(SqlxRow {
                version: row.get(0)?,
                installed_on: row.get::<_, Option<String>>(1)?.unwrap_or_default(),
                success: row.get(2)?,
                checksum: row.get(3)?,
                execution_time_ns: row.get(4)?,
            })
        })
        .could_not("read", SQLX)?;
    rows.collect::<rusqlite::Result<_>>().could_not("read", SQLX).map(Some)
}

fn quoted(table: &str) -> String {
    format!("`{table}`")
}
