//! What is told while a run lasts.

use serde::{Deserialize, Serialize};

/// A part of the run: `introspect`, `copy`, `generate`, `finish`, `verify`, `compare` or `publish`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhaseStarted {
    /// Its name.
    pub phase: String,
}

/// A table whose rows begin to be copied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableStarted {
    /// `schema.table` in the source.
    pub table: String,
    /// The source's estimate of its rows; `null` where it has none.
    pub rows_expected: Option<u64>,
}

/// A table whose rows are all in the target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableFinished {
    /// `schema.table` in the source.
    pub table: String,
    /// How many rows it has.
    pub rows: u64,
}

/// An index that begins to be built.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexStarted {
    /// Its name in the target.
    pub index: String,
}

/// How far a part of the run is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// The part of the run.
    pub phase: String,
    /// Rows done in it.
    pub rows: u64,
    /// Bytes of text and blobs done in it; 0 where it does not count them.
    pub bytes: u64,
    /// How many rows there are in all, by the source's estimate; `null` where it has none.
    pub rows_expected: Option<u64>,
    /// Bytes of the source's file that were read, packed as they are; `null` where it is none.
    pub source_bytes: Option<u64>,
    /// How many bytes the source's file has; `null` where it is none, or comes as a stream.
    pub source_bytes_expected: Option<u64>,
}

/// A lock that is waited for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiting {
    /// `schema.table`; `null` where the lock is no table's.
    pub table: Option<String>,
    /// Who holds it, or stands before this program in the queue.
    pub holders: Vec<Holder>,
    /// How long it has been waited for already.
    pub waited_ms: u64,
    /// How much longer it is waited for at most; `null` for as long as it takes.
    pub left_ms: Option<u64>,
}

/// A session that is waited for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holder {
    /// The number of the server's process; `null` for a prepared transaction.
    pub process: Option<i32>,
    /// The role that it has connected as; `null` where it is not known.
    pub user: Option<String>,
    /// What its program calls itself; `null` where it does not.
    pub application: Option<String>,
    /// When its transaction began, UTC, as in `2026-11-28 10:00:00`; `null` where this role may not know.
    pub since: Option<String>,
    /// The processes that it waits for itself.
    pub waits_for: Vec<i32>,
}
