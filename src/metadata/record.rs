//! What a finished file records of itself, so that any change of it can be told later and without its source.
//!
//! The manifest (form 2) has four values for this: `header`, `numbers`, `definitions`, `other_tables`; and `digest`,
//! over all of its other rows, which through them covers everything that the target remembers. The digest has no key:
//! it tells damage and edits, and an attacker who can write the file can compute it anew; against one stands only a
//! copy of the digest that is kept elsewhere.

use super::{MANIFEST_TABLE, digest_of_rows, text};
use crate::value::TableDigest;
use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};

/// The manifest's value with the settings of the file's header.
pub const HEADER: &str = "header";
/// The manifest's value with the numbers that keys count on from.
pub const NUMBERS: &str = "numbers";
/// The manifest's value with the statement of every object.
pub const DEFINITIONS: &str = "definitions";
/// The manifest's value with the digest of each table that was not copied.
pub const OTHER_TABLES: &str = "other_tables";

/// Everything about a file that its copied rows and the metadata do not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Each setting of the header.
    pub header: BTreeMap<String, i64>,
    /// What `sqlite_sequence` has for each table, as SQL writes it.
    pub numbers: BTreeMap<String, String>,
    /// The statement of each object; the key is its kind, a blank, its name.
    pub definitions: BTreeMap<String, String>,
    /// The digest of each table that was not copied, the manifest left out.
    pub other_tables: BTreeMap<String, TableDigest>,
}

impl Record {
    /// The record of an open file as it is now; its header has been read already, and `copied` are the names of the
    /// tables that were copied.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn of<'t>(
        connection: &Connection,
        header: BTreeMap<String, i64>,
        copied: impl IntoIterator<Item = &'t str>,
    ) -> rusqlite::Result<Record> {
        Ok(Record {
            header,
            numbers: numbers(connection)?,
            definitions: definitions(connection)?,
            other_tables: other_tables(connection, copied)?,
        })
    }

    /// The values of the manifest with what changes while a file is used: its numbers of keys, and the tables that were not copied.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn in_use<'t>(
        connection: &Connection,
        copied: impl IntoIterator<Item = &'t str>,
    ) -> rusqlite::Result<[(&'static str, String); 2]> {
        Ok([(NUMBERS, json(&numbers(connection)?)), (OTHER_TABLES, json(&other_tables(connection, copied)?))])
    }

    /// Whether keys count on from other numbers than the manifest says.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn has_other_numbers(connection: &Connection) -> rusqlite::Result<bool> {
        let sql = format!("SELECT value FROM {MANIFEST_TABLE} WHERE name = ?1");
        let then: Option<String> = connection.query_row(&sql, [NUMBERS], |row| row.get(0)).optional()?;
        let now = json(&numbers(connection)?);
        Ok(then.is_some_and(|then| then != now))
    }

    /// The numbers that keys count on from now, by table, where they are others than the manifest says.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn numbers_since(connection: &Connection) -> rusqlite::Result<BTreeMap<String, i64>> {
        let now = numbers(connection)?;
        if now.is_empty() {
            return Ok(BTreeMap::new());
        }
        let sql = format!("SELECT value FROM {MANIFEST_TABLE} WHERE name = ?1");
        let then: Option<String> = connection.query_row(&sql, [NUMBERS], |row| row.get(0)).optional()?;
        let then: BTreeMap<String, String> = then.and_then(|then| serde_json::from_str(&then).ok()).unwrap_or_default();
        let mut statement = connection.prepare(
            "SELECT quote(name), name, max(seq) FROM sqlite_sequence WHERE typeof(seq) = 'integer' GROUP BY name",
        )?;
        let mut rows = statement.query([])?;
        let mut since = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let quoted: String = row.get(0)?;
            if now.get(&quoted) != then.get(&quoted) {
                since.insert(text(row, 1)?, row.get(2)?);
            }
        }
        Ok(since)
    }

    /// The record as values of the manifest.
    pub fn values(&self) -> [(&'static str, String); 4] {
        [
            (HEADER, json(&self.header)),
            (NUMBERS, json(&self.numbers)),
            (DEFINITIONS, json(&self.definitions)),
            (OTHER_TABLES, json(&self.other_tables)),
        ]
    }
}

fn json(value: &impl Serialize) -> String {
    // Every map here has text keys and every number is finite, which is all that can fail.
    serde_json::to_string(value).unwrap_or_default()
}

fn numbers(connection: &Connection) -> rusqlite::Result<BTreeMap<String, String>> {
    let there = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence')";
    if !connection.query_row(there, [], |row| row.get::<_, bool>(0))? {
        return Ok(BTreeMap::new());
    }
    let mut statement = connection.prepare(include_str!("numbers.sql"))?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// The statement of every object of a file, SQLite's own left out. A trigger may have the name of a table.
fn definitions(connection: &Connection) -> rusqlite::Result<BTreeMap<String, String>> {
    let mut statement = connection.prepare(include_str!("definitions.sql"))?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// The tables whose rows nobody copied, the metadata among them. What stands behind a virtual table is left out: it
/// follows from other tables, and its module writes it at any time.
fn other_tables<'t>(
    connection: &Connection,
    copied: impl IntoIterator<Item = &'t str>,
) -> rusqlite::Result<BTreeMap<String, TableDigest>> {
    let mut statement = connection.prepare(include_str!("tables_with_rows.sql"))?;
    let names: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let copied: HashSet<String> = copied.into_iter().map(str::to_ascii_lowercase).collect();
    names
        .into_iter()
        .filter(|name| name != MANIFEST_TABLE)
        .filter(|name| !copied.contains(&name.to_ascii_lowercase()))
        .map(|name| digest_of_rows(connection, &name, "").map(|digest| (name, digest)))
        .collect()
}
