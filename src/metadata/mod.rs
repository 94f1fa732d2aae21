//! What a target remembers of where it came from: the tables `_whimbrel_*`.
//!
//! | table | holds |
//! |---|---|
//! | `_whimbrel_manifest` | one value per name: the source, its catalog, the choices, the record of the file, the digest |
//! | `_whimbrel_tables` | rows and digest of each table that was copied |
//! | `_whimbrel_ledger` | the exact source text of each value that its column cannot hold |
//! | `_whimbrel_tree`, `_whimbrel_pieces` | of a tree of files, what its rows do not say ([`tree`]) |
//!
//! Only this room knows their names, their definitions and the SQL that reads and writes them. It works on a connection
//! that others have opened, and gives SQLite's own errors: who has opened the file knows what to call it. DESIGN.md
//! publishes the form.

pub mod base;
pub mod home;
pub mod ledger;
mod manifest;
mod record;
pub mod tables;
pub mod tree;

pub use manifest::{
    DIGEST, FORM, FORM_WITHOUT_DIGEST, Finished, Manifest, VALUES, digest, text_values as manifest_values, write,
};
pub use record::{DEFINITIONS, HEADER, NUMBERS, OTHER_TABLES, Record};

use crate::quote::quote;
use crate::value::{Cell, RowHasher, Stored, TableDigest};
use rusqlite::Connection;

/// The prefix of whimbrel's own tables in a target.
pub const PREFIX: &str = "_whimbrel_";
/// The table with one value per name.
pub const MANIFEST_TABLE: &str = "_whimbrel_manifest";
/// The table with the digest of each table that was copied.
pub const TABLES_TABLE: &str = "_whimbrel_tables";
/// The table that keeps what a column cannot hold.
pub const LEDGER_TABLE: &str = "_whimbrel_ledger";
/// The index that finds the ledger's entries.
pub const LEDGER_KEY: &str = "_whimbrel_ledger_key";
/// Every object that a file with metadata has besides its own: kind and name.
pub const OBJECTS: [(&str, &str); 4] =
    [("table", LEDGER_TABLE), ("table", MANIFEST_TABLE), ("table", TABLES_TABLE), ("index", LEDGER_KEY)];

/// The column of a table that has none in the source, or only computed ones: SQLite wants at least one.
pub const PLACEHOLDER_COLUMN: &str = "_whimbrel_no_columns";
/// Under which name another tool's table stays that had the name of the history of schema migrations.
pub const OTHER_HISTORY_TABLE: &str = "_whimbrel_other_history";
/// A table that is there for a moment while a file is made.
pub const PASSING_TABLE: &str = "_whimbrel_passing";

/// The name of a key's index until its table knows that it is the key.
pub fn passing_key(number: usize) -> String {
    format!("{PREFIX}key_{number}")
}

/// Whether a name is one of whimbrel's own, as SQLite compares names.
pub fn is_own(name: &str) -> bool {
    name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// The SQL condition that `column`, a name of an object, is none of whimbrel's own.
pub fn is_not_own(column: &str) -> String {
    format!("{column} NOT LIKE '{}%' ESCAPE '\\'", PREFIX.replace('_', "\\_"))
}

/// The definitions of the tables.
pub fn definitions() -> String {
    // The spaces are part of each file, and stay what they were in the files that there are.
    format!(
        "CREATE TABLE {MANIFEST_TABLE} (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT;
                 CREATE TABLE {TABLES_TABLE} (source TEXT NOT NULL PRIMARY KEY, target TEXT NOT NULL,
                   rows INTEGER NOT NULL, digest TEXT NOT NULL) STRICT;
                 CREATE TABLE {LEDGER_TABLE} (table_name TEXT NOT NULL, row_key TEXT NOT NULL,
                   column_name TEXT NOT NULL, exact TEXT NOT NULL) STRICT"
    )
}

/// Whether any of its objects is there.
///
/// # Errors
/// When the file cannot be read.
pub fn is_any_there(connection: &Connection) -> rusqlite::Result<bool> {
    OBJECTS.iter().try_fold(false, |found, (kind, name)| Ok(found || is_there(connection, kind, name)?))
}

/// Whether an object of that kind and name is there.
fn is_there(connection: &Connection, kind: &str, name: &str) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = ?1 AND name = ?2)";
    connection.query_row(sql, [kind, name], |row| row.get(0))
}

/// The digest of a table's rows as they stand there, each value encoded as one that no rule has written.
fn digest_of_rows(connection: &Connection, table: &str, filter: &str) -> rusqlite::Result<TableDigest> {
    let mut statement = connection.prepare(&format!("SELECT * FROM {} NOT INDEXED {filter}", quote(table)))?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    let (mut digest, mut hasher) = (TableDigest::default(), RowHasher::default());
    while let Some(row) = rows.next()? {
        for column in 0..columns {
            hasher.cell(&Cell::Foreign(Stored::from(row.get_ref(column)?)));
        }
        digest.add(hasher.finish());
    }
    Ok(digest)
}

/// A value that should be text; what is no UTF-8 is told as far as it is.
fn text(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<String> {
    let bytes = row.get_ref(column)?.as_bytes_or_null()?;
    Ok(bytes.map_or_else(String::new, |bytes| String::from_utf8_lossy(bytes).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_names_are_told_from_others_as_sqlite_tells_names_apart() {
        for name in [MANIFEST_TABLE, TABLES_TABLE, LEDGER_TABLE, LEDGER_KEY, "_WHIMBREL_x", "_whimbrel_"] {
            assert!(is_own(name), "{name}");
        }
        for name in ["_whimbrel", "whimbrel_x", "a_whimbrel_x", "", "_whimbré_x"] {
            assert!(!is_own(name), "{name}");
        }
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(&definitions()).unwrap();
        connection.execute_batch("CREATE TABLE xwhimbrelxa (b)").unwrap();
        let sql =
            format!("SELECT group_concat(name) FROM sqlite_schema WHERE type = 'table' AND {}", is_not_own("name"));
        let others: String = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
        assert_eq!(others, "xwhimbrelxa", "`_` stands for itself");
    }
}
