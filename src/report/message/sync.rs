//! What is said of a sync.

use super::RejectedFile;
use crate::sync;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a sync has found, and done unless it was a dry run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Synced {
    /// The tree's path.
    pub tree: String,
    /// The SQLite file's path.
    pub file: String,
    /// Nothing was changed.
    pub dry_run: bool,
    /// Each table with a record that is not the same everywhere.
    pub tables: Vec<SyncedTable>,
    /// Such records, the first thousand of each outcome.
    pub records: Vec<SyncedRecord>,
    /// Values that no file says, the first thousand.
    pub unsaid: Vec<UnsaidValue>,
    /// How many of them there are.
    pub unsaid_count: u64,
    /// What else has changed in the tree: directories, links, permissions, files that are carried as bytes.
    pub entries: Vec<SyncedEntry>,
    /// Files that a run has set aside, and that are not what their kind says still.
    pub set_aside: Vec<RejectedFile>,
    /// Files that were written, or would be.
    pub files_written: u64,
    /// Files that were removed, or would be.
    pub files_removed: u64,
    /// Rows that were written or removed, or would be.
    pub rows_written: u64,
    /// How many files were read to find changes.
    pub files_read: u64,
    /// Whether all rows were read to find changes.
    pub rows_read: bool,
}

/// How many records of a table have which outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyncedTable {
    /// The table.
    pub table: String,
    /// Changed in files.
    pub files: u64,
    /// Changed in rows.
    pub rows: u64,
    /// Changed on both sides, alike.
    pub alike: u64,
    /// Changed on both sides, each otherwise.
    pub conflicts: u64,
    /// Changed in rows, in a way that no file can say.
    pub unwritable: u64,
}

/// One record that is not the same everywhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyncedRecord {
    /// Its table.
    pub table: String,
    /// Its key.
    pub key: String,
    /// The file that has it, or had it; `null` where it has none yet.
    pub path: Option<String>,
    /// `files`, `rows`, `alike`, `conflict` or `unwritable`.
    pub outcome: Value,
    /// How the files differ from the base: `same`, `created`, `changed`, `deleted` or `absent`.
    pub files: Value,
    /// How the rows differ from it, in the same words.
    pub rows: Value,
    /// Of a conflict that `--prefer` has decided, for which side: `files` or `rows`; else `null`.
    pub preferred: Option<Value>,
    /// Why it was left as it is, where that is more than two values.
    pub reason: Option<String>,
    /// Of a record that was left, the values that differ.
    pub values: Vec<BothValues>,
}

/// What a value is on both sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BothValues {
    /// The column.
    pub column: String,
    /// In files; `null` where they have no such record.
    pub files: Option<String>,
    /// In rows; `null` where there is no such row.
    pub rows: Option<String>,
}

/// A value that no file says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnsaidValue {
    /// The table.
    pub table: String,
    /// The key of its row.
    pub key: String,
    /// The column.
    pub column: String,
    /// What the row has.
    pub value: String,
    /// Whether files have its record no more, so that it goes with its row.
    pub goes: bool,
}

/// An entry of the tree that is no record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyncedEntry {
    /// Its path.
    pub path: String,
    /// `created`, `changed` or `deleted`.
    pub change: Value,
}

fn word(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

impl Synced {
    /// What is said of it.
    pub fn new(tree: String, file: String, synced: &sync::Synced) -> Synced {
        let tables = synced.tables.iter().map(|table| SyncedTable {
            table: table.table.clone(),
            files: table.files,
            rows: table.rows,
            alike: table.alike,
            conflicts: table.conflicts,
            unwritable: table.unwritable,
        });
        let unsaid = synced.unsaid.iter().map(|unsaid| UnsaidValue {
            table: unsaid.table.clone(),
            key: unsaid.key.clone(),
            column: unsaid.column.clone(),
            value: unsaid.value.clone(),
            goes: unsaid.goes,
        });
        let entries =
            synced.entries.iter().map(|entry| SyncedEntry { path: entry.path.clone(), change: word(&entry.change) });
        Synced {
            tree,
            file,
            dry_run: synced.dry_run,
            tables: tables.collect(),
            records: synced.records.iter().map(SyncedRecord::from).collect(),
            unsaid: unsaid.collect(),
            unsaid_count: synced.unsaid_count,
            entries: entries.collect(),
            set_aside: synced.set_aside.iter().map(RejectedFile::from).collect(),
            files_written: synced.files_written,
            files_removed: synced.files_removed,
            rows_written: synced.rows_written,
            files_read: synced.files_read,
            rows_read: synced.rows_read,
        }
    }
}

impl From<&sync::SyncedRecord> for SyncedRecord {
    fn from(record: &sync::SyncedRecord) -> Self {
        let values = record.values.iter().map(|values| BothValues {
            column: values.column.clone(),
            files: values.files.clone(),
            rows: values.rows.clone(),
        });
        SyncedRecord {
            table: record.table.clone(),
            key: record.key.clone(),
            path: record.path.clone(),
            outcome: word(&record.outcome),
            files: word(&record.files),
            rows: word(&record.rows),
            preferred: record.preferred.as_ref().map(word),
            reason: record.reason.clone(),
            values: values.collect(),
        }
    }
}
