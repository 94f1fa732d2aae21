//! What is said of trees of files.

use super::NotCarried;
use serde::{Deserialize, Serialize};

/// What a migrate into a tree of files did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreeOutcome {
    /// The source without a password.
    pub source: String,
    /// Its engine and version.
    pub engine: String,
    /// The tree's path.
    pub target: String,
    /// How many rows went into it.
    pub rows: u64,
    /// What is not carried.
    pub not_carried: Vec<NotCarried>,
    /// The id of the backup of what was there before; `null` where nothing was published.
    pub backup: Option<String>,
    /// Nothing was to be published.
    pub dry_run: bool,
}

/// What a tree of files looks like by its layout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreeCheck {
    /// The tree's path.
    pub tree: String,
    /// Each kind of file.
    pub kinds: Vec<FilesOfKind>,
    /// How many files are carried as bytes.
    pub kept_files: u64,
    /// How many bytes those have.
    pub kept_bytes: u64,
    /// The files that are not what the layout says.
    pub rejected: Vec<RejectedFile>,
}

/// The files of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilesOfKind {
    /// The kind's name in the layout.
    pub kind: String,
    /// How many files there are.
    pub files: u64,
    /// How many bytes they have.
    pub file_bytes: u64,
    /// How many records are in them.
    pub records: u64,
    /// How many of the files have the very bytes that their records alone would give.
    pub of_records: u64,
    /// How many bytes are kept of the others besides their records.
    pub residue_bytes: u64,
}

/// A file that is not what its layout says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RejectedFile {
    /// Its path from the root of the tree.
    pub path: String,
    /// The line, from 1.
    pub line: u64,
    /// The character in the line, from 1.
    pub column: u64,
    /// What is wrong there.
    pub reason: String,
}
