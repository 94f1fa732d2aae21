//! The history in a SQLite file.

use std::time::SystemTime;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::super::clock::rfc_3339;
use super::{COLUMNS, Entry, EntryState, NewEntry, TOOL_VERSION, foreign_table};
use crate::error::Context;
use crate::quote::quote;
use crate::{Error, Result};

/// Reads the whole history, ascending; nothing where there is no table.
pub(crate) fn read(connection: &Connection, table: &str) -> Result<Option<Vec<Entry>>> {
    let sql = format!("SELECT {} FROM main.{} ORDER BY version", COLUMNS.join(", "), quote(table));
    let mut statement = match connection.prepare(&sql) {
        Ok(statement) => statement,
        Err(_) if !is_there(connection, table)? => return Ok(None),
        // Another process may have created the table between the two looks.
        Err(_) => connection.prepare(&sql).could_not("read history", quoted(table))?,
    };
    let rows = statement.query_map([], entry).could_not("read history", quoted(table))?;
    let rows: Vec<(Entry, String)> = rows.collect::<rusqlite::Result<_>>().could_not("read history", quoted(table))?;
    rows.into_iter()
        .map(|(entry, state)| Ok(Entry { state: EntryState::read(&state)?, ..entry }))
        .collect::<Result<Vec<_>>>()
        .map(Some)
}

/// Whether there is a table that can be the history; an error where it is another tool's.
fn is_there(connection: &Connection, table: &str) -> Result<bool> {
    let sql = "SELECT name FROM pragma_table_info(?1)";
    let columns: Vec<String> = connection
        .prepare(sql)
        .and_then(|mut statement| statement.query_map([table], |row| row.get(0))?.collect())
        .could_not("read history", quoted(table))?;
    match COLUMNS.iter().find(|column| !columns.iter().any(|there| there.eq_ignore_ascii_case(column))) {
        Some(missing) if !columns.is_empty() => Err(foreign_table(table, missing)),
        _ => Ok(!columns.is_empty()),
    }
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

/// Creates the table.
pub(crate) fn create(connection: &Connection, table: &str) -> Result<()> {
    let sql = format!(
        "CREATE TABLE IF NOT EXISTS main.{} (\n  version INTEGER PRIMARY KEY NOT NULL,\n  name TEXT NOT NULL,\n  \
         applied_at TEXT NOT NULL,\n  up_checksum TEXT NOT NULL,\n  down_checksum TEXT,\n  down_script TEXT,\n  \
         reversal TEXT NOT NULL,\n  \
         duration_ms INTEGER NOT NULL,\n  tool_version TEXT NOT NULL,\n  \
         state TEXT NOT NULL,\n  \
         statements_started INTEGER NOT NULL,\n  statements_finished INTEGER NOT NULL,\n  \
         finished_checksum TEXT,\n  remarks TEXT NOT NULL\n) STRICT",
        quote(table)
    );
    connection.execute_batch(&sql).could_not("create history", quoted(table))
}

/// Adds a row.
pub(crate) fn insert(connection: &Connection, table: &str, new: &NewEntry<'_>) -> Result<()> {
    let sql = format!(
        "INSERT INTO main.{} ({}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11, NULL, ?12)",
        quote(table),
        COLUMNS.join(", ")
    );
    // Everything is bound: a schema that just changed has this statement compiled anew each time.
    let now = new.applied_at.map_or_else(|| rfc_3339(SystemTime::now()), str::to_owned);
    let mut statement = connection.prepare_cached(&sql).could_not("write history", quoted(table))?;
    statement
        .execute(params![
            new.version,
            new.name,
            now,
            new.up_checksum,
            new.down_checksum,
            new.down_script,
            new.reversal.word(),
            new.duration_ms,
            TOOL_VERSION,
            new.state.word(),
            new.statements_finished,
            new.remarks,
        ])
        .could_not("write history", quoted(table))?;
    Ok(())
}

/// Takes a row out.
pub(crate) fn delete(connection: &Connection, table: &str, version: i64) -> Result<()> {
    change(connection, table, &format!("DELETE FROM main.{} WHERE version = ?1", quote(table)), params![version])
}

/// Marks a row with a state and how far the script of that state came.
pub(crate) fn mark(
    connection: &Connection,
    table: &str,
    version: i64,
    state: EntryState,
    started: i64,
    finished: i64,
    finished_checksum: Option<&str>,
) -> Result<()> {
    let sql = format!(
        "UPDATE main.{} SET state = ?2, statements_started = ?3, statements_finished = ?4, finished_checksum = ?5 \
         WHERE version = ?1",
        quote(table)
    );
    change(connection, table, &sql, params![version, state.word(), started, finished, finished_checksum])
}

/// Records what was run in the end: the checksums and the down script of the files, and the time it took.
pub(crate) fn settle(connection: &Connection, table: &str, new: &NewEntry<'_>) -> Result<()> {
    let sql = format!(
        "UPDATE main.{} SET name = ?2, up_checksum = ?3, down_checksum = ?4, down_script = ?5, reversal = ?6, \
         duration_ms = duration_ms + ?7, remarks = remarks || ?8 WHERE version = ?1",
        quote(table)
    );
    let values = params![
        new.version,
        new.name,
        new.up_checksum,
        new.down_checksum,
        new.down_script,
        new.reversal.word(),
        new.duration_ms,
        new.remarks
    ];
    change(connection, table, &sql, values)
}

fn change(connection: &Connection, table: &str, sql: &str, values: &[&dyn rusqlite::ToSql]) -> Result<()> {
    let changed = connection.execute(sql, values).could_not("write history", quoted(table))?;
    if changed == 1 {
        return Ok(());
    }
    Err(Error::could_not("write history", quoted(table), format!("{changed} rows changed where one was expected")))
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
        .query_row("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'", [], |row| {
            row.get(0)
        })
        .optional()
        .could_not("read", SQLX)?;
    if there.is_none() {
        return Ok(None);
    }
    let sql = "SELECT version, strftime('%Y-%m-%dT%H:%M:%fZ', installed_on), success, checksum, execution_time \
               FROM _sqlx_migrations ORDER BY version";
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
