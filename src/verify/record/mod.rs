//! What a finished file records of itself, so that any change of it can be told later and without its source.
//!
//! The manifest (form 2) has four values for this: `header`, `numbers`, `definitions`, `other_tables`; and `digest`,
//! over all of its other rows, which through them covers everything that the target remembers. DESIGN.md publishes
//! the form. The digest has no key: it tells damage and edits, and an attacker who can write the file can compute it
//! anew; against one stands only a copy of the digest that is kept elsewhere.

mod added_columns;
mod compare;

pub use compare::{Comparison, Definitions, Scope, compare, compare_state};

use crate::endpoint::sqlite::loader::{LEDGER_KEY, LEDGER_TABLE};
use crate::endpoint::sqlite::read::told;
use crate::error::Result;
use crate::plan::TablePlan;
use crate::quote::quote;
use crate::value::{Cell, RowHasher, TableDigest};
use crate::verify::scan::stored;
use rusqlite::Connection;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, HashSet};

/// The metadata table with one value per name.
pub const MANIFEST_TABLE: &str = "_whimbrel_manifest";
/// The metadata table with the digest of each table that was copied.
pub const TABLES_TABLE: &str = "_whimbrel_tables";
/// Every object that a file with metadata has besides its own: kind and name.
pub const METADATA_OBJECTS: [(&str, &str); 4] =
    [("table", LEDGER_TABLE), ("table", MANIFEST_TABLE), ("table", TABLES_TABLE), ("index", LEDGER_KEY)];

/// The version of the manifest's form that this program writes.
pub const FORM: &str = "2";
/// The form before it, which had no digest and no record; it is read all the same.
pub const FORM_WITHOUT_DIGEST: &str = "1";

/// The manifest's name for the digest of its other values.
pub const DIGEST: &str = "digest";
const HEADER: &str = "header";
const NUMBERS: &str = "numbers";
const DEFINITIONS: &str = "definitions";
const OTHER_TABLES: &str = "other_tables";

/// What kind of thing is not what it was when the file was finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DifferenceKind {
    /// The metadata tables disagree with the manifest's digest, or are not complete.
    Metadata,
    /// A setting in the header, or bytes around SQLite's pages.
    Header,
    /// An object is gone or defined otherwise.
    Definition,
    /// An object has been added.
    Addition,
    /// A number that a key counts on from (`sqlite_sequence`).
    Number,
    /// Rows of a table that was not copied.
    Rows,
}

/// One thing that is not what it was when the file was finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its kind.
    pub kind: DifferenceKind,
    /// What differs, a sentence that names it.
    pub text: String,
    /// No use of the file explains it; else a program that uses the file may have done it.
    pub damage: bool,
}

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
    /// The record of an open file as it is now; its header has been read already.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn of(connection: &Connection, header: BTreeMap<String, i64>, planned: &[TablePlan]) -> Result<Record> {
        let failed = |error: rusqlite::Error| told("read back", "the target", &error);
        Ok(Record {
            header,
            numbers: numbers(connection).map_err(failed)?,
            definitions: definitions(connection).map_err(failed)?,
            other_tables: other_tables(connection, planned).map_err(failed)?,
        })
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

fn parsed<T: DeserializeOwned>(values: &BTreeMap<String, String>, name: &str) -> Option<T> {
    serde_json::from_str(values.get(name)?).ok()
}

/// The digest of every row of the manifest but its own.
///
/// # Errors
/// When the file cannot be read.
pub fn manifest_digest(connection: &Connection) -> Result<String> {
    digest_of_rows(connection, MANIFEST_TABLE, &format!("WHERE name IS NOT '{DIGEST}'"))
        .map(|digest| digest.to_string())
        .map_err(|error| told("read back", "the manifest", &error))
}

/// The digest of a table's rows as they stand there, each value encoded as one that no rule has written.
fn digest_of_rows(connection: &Connection, table: &str, filter: &str) -> rusqlite::Result<TableDigest> {
    let mut statement = connection.prepare(&format!("SELECT * FROM {} NOT INDEXED {filter}", quote(table)))?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    let (mut digest, mut hasher) = (TableDigest::default(), RowHasher::default());
    while let Some(row) = rows.next()? {
        for column in 0..columns {
            hasher.cell(&Cell::Foreign(stored(row.get_ref(column)?)));
        }
        digest.add(hasher.finish());
    }
    Ok(digest)
}

fn numbers(connection: &Connection) -> rusqlite::Result<BTreeMap<String, String>> {
    let there = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence')";
    if !connection.query_row(there, [], |row| row.get::<_, bool>(0))? {
        return Ok(BTreeMap::new());
    }
    // Nothing keeps a program from writing several rows for one table, or other things than numbers.
    let mut statement = connection.prepare(
        "SELECT quote(name), group_concat(quote(seq), ', ') FROM (SELECT name, seq FROM sqlite_sequence ORDER BY rowid)
         GROUP BY 1",
    )?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// The statement of every object of a file, SQLite's own left out. A trigger may have the name of a table.
fn definitions(connection: &Connection) -> rusqlite::Result<BTreeMap<String, String>> {
    let mut statement = connection.prepare(
        "SELECT type || ' ' || name, sql FROM sqlite_schema
         WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// The tables whose rows nobody copied, the metadata among them. What stands behind a virtual table is left out: it
/// follows from other tables, and its module writes it at any time.
fn other_tables(connection: &Connection, planned: &[TablePlan]) -> rusqlite::Result<BTreeMap<String, TableDigest>> {
    let mut statement = connection.prepare(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'
         AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    )?;
    let names: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let copied: HashSet<String> = planned.iter().map(|table| table.target.to_ascii_lowercase()).collect();
    names
        .into_iter()
        .filter(|name| name != MANIFEST_TABLE)
        .filter(|name| !copied.contains(&name.to_ascii_lowercase()))
        .map(|name| digest_of_rows(connection, &name, "").map(|digest| (name, digest)))
        .collect()
}
