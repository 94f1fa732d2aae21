//! Rows and digest of each table that was copied.

use super::{TABLES_TABLE, is_there};
use crate::value::TableDigest;
use rusqlite::{Connection, params};
use std::collections::BTreeMap;

/// What is kept of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptTable {
    /// Its name in the target.
    pub target: String,
    /// Its rows and their digest; `None` where they are not what was written.
    pub digest: Option<TableDigest>,
}

/// Keeps one table: its name in the source and in the target, and the digest of its rows.
///
/// # Errors
/// When the file cannot be written.
pub fn add(connection: &Connection, source: &str, target: &str, digest: &TableDigest) -> rusqlite::Result<()> {
    let sql = format!("INSERT INTO {TABLES_TABLE} (source, target, rows, digest) VALUES (?1, ?2, ?3, ?4)");
    connection.execute(&sql, params![source, target, digest.rows as i64, digest.to_string()]).map(drop)
}

/// What the file keeps of each table, by the source's name; `None` where it keeps nothing.
///
/// # Errors
/// When the file cannot be read.
pub fn read(connection: &Connection) -> rusqlite::Result<Option<BTreeMap<String, KeptTable>>> {
    if !is_there(connection, "table", TABLES_TABLE)? {
        return Ok(None);
    }
    let sql = format!("SELECT quote(source), source, target, rows, digest FROM {TABLES_TABLE}");
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let mut kept = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let source = row.get(1).or_else(|_| row.get(0))?;
        let digest = match (row.get::<_, i64>(3).ok(), row.get::<_, String>(4).ok()) {
            (Some(rows), Some(sum)) => u64::try_from(rows).ok().zip(u128::from_str_radix(&sum, 16).ok()),
            _ => None,
        };
        let digest = digest.map(|(rows, sum)| TableDigest { rows, sum });
        kept.insert(source, KeptTable { target: row.get(2).unwrap_or_default(), digest });
    }
    Ok(Some(kept))
}
