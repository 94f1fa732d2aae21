//! What a sync says of records: which they are, and what has become of each since both sides were equal.

use crate::endpoint::Rejected;
use serde::Serialize;

/// Stands for the kind of file of a record that is in one file as a whole.
pub const WHOLE: u16 = u16::MAX;

/// A record: the same one on both sides, and in the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id {
    /// The place of its table in the layout.
    pub table: u16,
    /// Of a part of a row, the kind of the file that it is in; else [`WHOLE`].
    pub kind: u16,
    /// The hash of its key.
    pub key: u128,
}

/// What one side has of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// What the base has.
    Same,
    /// Nothing.
    Gone,
    /// Something else, of this hash.
    Is(u128),
}

/// One of the two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Which {
    /// The tree of files.
    Files,
    /// The rows of the SQLite file.
    Rows,
}

/// What has become of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Changed in files; the rows get it.
    Files,
    /// Changed in rows; the files get it.
    Rows,
    /// Changed on both sides, in the same way.
    Alike,
    /// Changed on both sides, and each otherwise: left as it is.
    Conflict,
    /// Changed in rows, in a way that no file can say: left as it is.
    Unwritable,
}

/// How a side differs from the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It does not.
    Same,
    /// It has the record, and the base has not.
    Created,
    /// It has another value.
    Changed,
    /// The base has the record, and it has not.
    Deleted,
    /// Neither it nor the base has the record.
    Absent,
}

impl Change {
    /// How a side differs from a base that has the record or has not.
    pub fn of(side: Side, has_base: bool) -> Change {
        match (side, has_base) {
            (Side::Same, true) => Change::Same,
            (Side::Same | Side::Gone, false) => Change::Absent,
            (Side::Gone, true) => Change::Deleted,
            (Side::Is(_), true) => Change::Changed,
            (Side::Is(_), false) => Change::Created,
        }
    }
}

/// What a value is on both sides, as text; `None` where there is no record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Values {
    /// The column.
    pub column: String,
    /// In files.
    pub files: Option<String>,
    /// In rows.
    pub rows: Option<String>,
}

/// One record that is not the same everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SyncedRecord {
    /// Its table.
    pub table: String,
    /// Its key.
    pub key: String,
    /// The file that has it, or had it; `None` where that is not known yet.
    pub path: Option<String>,
    /// What has become of it.
    pub outcome: Outcome,
    /// How the files differ from the base.
    pub files: Change,
    /// How the rows differ from the base.
    pub rows: Change,
    /// Of a conflict that `--prefer` has decided, for which side.
    pub preferred: Option<Which>,
    /// Why it was left as it is, where that is more than two values.
    pub reason: Option<String>,
    /// Of a conflict, the values that differ.
    pub values: Vec<Values>,
}

/// A value that no file says, because the layout calls its column `unsaid`, or because its kind of record has no place for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unsaid {
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

/// How many records of a table have which outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TableCounts {
    /// The table.
    pub table: String,
    /// Changed in files.
    pub files: u64,
    /// Changed in rows.
    pub rows: u64,
    /// Changed alike.
    pub alike: u64,
    /// In conflict.
    pub conflicts: u64,
    /// Changed in rows in a way that no file can say.
    pub unwritable: u64,
}

impl TableCounts {
    /// Counts one record.
    pub fn count(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Files => &mut self.files,
            Outcome::Rows => &mut self.rows,
            Outcome::Alike => &mut self.alike,
            Outcome::Conflict => &mut self.conflicts,
            Outcome::Unwritable => &mut self.unwritable,
        } += 1;
    }
}

/// An entry of the tree that is not a record: a directory, a link, permissions, a file that is carried as bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SyncedEntry {
    /// Its path.
    pub path: String,
    /// How the tree differs from what the file remembers.
    pub change: Change,
}

/// What a sync has found, and done unless it was a dry run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Synced {
    /// Nothing was changed.
    pub dry_run: bool,
    /// Each table with a record that is not the same everywhere.
    pub tables: Vec<TableCounts>,
    /// Such records, up to [`SHOWN_MAX`] of each outcome.
    pub records: Vec<SyncedRecord>,
    /// Values that no file says, up to [`SHOWN_MAX`].
    pub unsaid: Vec<Unsaid>,
    /// How many of them there are.
    pub unsaid_count: u64,
    /// What else has changed in the tree.
    pub entries: Vec<SyncedEntry>,
    /// Files that a run has set aside, and that are not what their kind says still.
    pub set_aside: Vec<Rejected>,
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

/// How many records of one outcome are told one by one.
pub const SHOWN_MAX: usize = 1000;

impl Synced {
    /// How many records are left as they were on both sides.
    pub fn left(&self) -> u64 {
        self.tables.iter().map(|table| table.conflicts + table.unwritable).sum()
    }
}
