//! The history of another tool.

use serde::Serialize;

/// A table of another tool's that has the history's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OtherHistory {
    /// Its name.
    pub table: String,
    /// The name under which it stays.
    pub kept_as: String,
    /// How many rows it has.
    pub rows: i64,
    /// The greatest of its versions.
    pub newest: Option<String>,
}

/// A row of another tool's history, as it will stand in ours.
#[derive(Debug)]
pub(crate) struct ForeignEntry {
    pub version: i64,
    pub applied_at: String,
    pub success: bool,
    pub checksum: Vec<u8>,
    pub duration_ms: i64,
}
