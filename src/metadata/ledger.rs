//! The ledger: the exact source text of each value that its column cannot hold.

use super::{LEDGER_KEY, LEDGER_TABLE, is_there, text};
use rusqlite::{Connection, Statement, params};

/// The definition of the index that finds an entry; made when all of them are there.
pub fn key_definition() -> String {
    format!("CREATE UNIQUE INDEX {LEDGER_KEY} ON {LEDGER_TABLE} (table_name, row_key, column_name)")
}

/// Takes entries.
pub struct Writer<'c>(Statement<'c>);

impl<'c> Writer<'c> {
    /// Prepares to write.
    ///
    /// # Errors
    /// When there is no ledger.
    pub fn new(connection: &'c Connection) -> rusqlite::Result<Self> {
        let sql =
            format!("INSERT INTO {LEDGER_TABLE} (table_name, row_key, column_name, exact) VALUES (?1, ?2, ?3, ?4)");
        connection.prepare(&sql).map(Writer)
    }

    /// Keeps the exact text of one value; the names are the target's.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add(&mut self, table: &str, row_key: &str, column: &str, exact: &str) -> rusqlite::Result<()> {
        self.0.execute(params![table, row_key, column, exact]).map(drop)
    }
}

/// Forgets the entries for one row.
///
/// # Errors
/// When the file cannot be written.
pub fn forget(connection: &Connection, table: &str, row_key: &str) -> rusqlite::Result<()> {
    let sql = format!("DELETE FROM {LEDGER_TABLE} WHERE table_name = ?1 AND row_key = ?2");
    connection.prepare_cached(&sql)?.execute([table, row_key]).map(drop)
}

/// Finds the entries of rows.
pub struct Reader<'c>(Statement<'c>);

impl<'c> Reader<'c> {
    /// Prepares to read.
    ///
    /// # Errors
    /// When there is no ledger.
    pub fn new(connection: &'c Connection) -> rusqlite::Result<Self> {
        let sql = format!("SELECT column_name, exact FROM {LEDGER_TABLE} WHERE table_name = ?1 AND row_key = ?2");
        connection.prepare(&sql).map(Reader)
    }

    /// Column and exact text of each entry for one row.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn entries(&mut self, table: &str, row_key: &str) -> rusqlite::Result<Vec<(String, String)>> {
        self.0.query_map([table, row_key], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    }
}

/// Whether the ledger is there and has an entry for the table.
///
/// # Errors
/// When the file cannot be read.
pub fn has_entries(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    let there: bool =
        connection
            .query_row("SELECT EXISTS (SELECT 1 FROM pragma_table_xinfo(?1))", [LEDGER_TABLE], |row| row.get(0))?;
    let sql = format!("SELECT EXISTS (SELECT 1 FROM {LEDGER_TABLE} WHERE table_name = ?1)");
    Ok(there && connection.query_row(&sql, [table], |row| row.get(0))?)
}

/// How many entries it has for the table.
///
/// # Errors
/// When the file cannot be read.
pub fn count(connection: &Connection, table: &str) -> rusqlite::Result<u64> {
    let sql = format!("SELECT count(*) FROM {LEDGER_TABLE} WHERE table_name = ?1");
    connection.query_row(&sql, [table], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
}

/// Row, column and exact text of every entry for the table.
///
/// # Errors
/// When the file cannot be read.
pub fn of_table(connection: &Connection, table: &str) -> rusqlite::Result<Vec<[String; 3]>> {
    let sql = format!("SELECT row_key, column_name, exact FROM {LEDGER_TABLE} WHERE table_name = ?1");
    let mut statement = connection.prepare(&sql)?;
    statement.query_map([table], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]))?.collect()
}

/// The tables that it speaks of; none where there is no ledger.
///
/// # Errors
/// When the file cannot be read.
pub fn tables(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    if !is_there(connection, "table", LEDGER_TABLE)? {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare(&format!("SELECT DISTINCT table_name FROM {LEDGER_TABLE}"))?;
    let names = statement.query_map([], |row| text(row, 0))?;
    names.collect()
}
