//! What is said of backups: lists, one that was asked for, what a clean-up and what a rollback did.

use crate::backup::manifest::Manifest;
use serde::{Deserialize, Serialize};

/// The backups of a target, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backups {
    /// The target's path.
    pub target: String,
    /// Each backup of this target, and each whose target cannot be told.
    pub backups: Vec<Backup>,
    /// The backups of other targets in the same folder.
    pub others: Vec<OtherBackups>,
}

/// Backups of another target in the same folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtherBackups {
    /// The path of that target, links followed, as its manifests say.
    pub target: String,
    /// How many there are.
    pub backups: usize,
}

/// One backup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    /// Its id.
    pub id: String,
    /// `intact`, `not-read` (without `--check`), `damaged`, `file-missing`, `manifest-missing` or `manifest-unreadable`.
    pub state: String,
    /// What is wrong with it.
    pub why: Option<String>,
    /// Where its file is, or would be.
    pub file: String,
    /// What it says about itself; `null` where its manifest cannot be read.
    pub manifest: Option<Manifest>,
    /// Whether it is known to be of this target; false where its manifest does not tell whose it is.
    pub target_known: bool,
}

/// A backup that was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taken {
    /// The target's path.
    pub target: String,
    /// What the backup says about itself.
    pub backup: Manifest,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// What a clean-up of backups did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pruned {
    /// Ids of the removed backups, newest first.
    pub removed: Vec<String>,
    /// Bytes given back by removing.
    pub removed_bytes: u64,
    /// Ids of the kept ones, newest first.
    pub kept: Vec<String>,
    /// Ids of those of the kept ones that this run has compressed; not there where it has compressed none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub compressed: Vec<String>,
    /// Bytes given back by compressing; not there where that is none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub compressed_saved_bytes: u64,
    /// Those that could not be compressed; not there where there is none, else an `error` comes after it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_compressed: Vec<NotCompressed>,
    /// Ids of broken ones, which are left for people to look at.
    pub broken: Vec<String>,
    /// How many backups of other targets are in the folder; nothing was done to them.
    pub of_other_targets: usize,
}

/// A backup that could not be compressed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotCompressed {
    /// Its id.
    pub id: String,
    /// Why not.
    pub why: String,
}

/// What a rollback did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restored {
    /// The target's path, links followed.
    pub target: String,
    /// The backup that the target now is.
    pub restored: Manifest,
    /// The digest of the target, read back; `null` where there is no file now.
    pub digest: Option<String>,
    /// The backup of what was replaced.
    pub replaced: Manifest,
    /// The rename is known to survive a power failure.
    pub durable: bool,
    /// What people should know.
    pub notes: Vec<String>,
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}
