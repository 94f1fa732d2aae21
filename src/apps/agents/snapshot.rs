//! Snapshots: the content in a file of the storage folder, its path and its SHA-256 in the row.
//!
//! The order, and what a kill leaves: the content is written and synced under a temporary name; in a transaction it gets its name
//! and the row is inserted; the transaction commits. So a row never means a file that is not whole. A kill before the end leaves
//! a file that no row means: an orphan, which `collect_orphans` removes, while nobody can be between the two because it holds the
//! turn to write.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rusqlite::{Transaction, params};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::model::{MemoryType, Snapshot};
use super::{AgentStore, free_id, only};
use crate::apps::field::refused;
use crate::endpoint::sqlite::staging::sync_directory;
use crate::error::Context as _;
use crate::{Error, Result};

const SAVING: &str = "save snapshot";
const FOLDER: &str = "memory_snapshots";
const TEMPORARY: &str = ".whimbrel-";

/// A temporary file that is older than this was left by a run that was killed.
const ABANDONED: Duration = Duration::from_secs(3_600);

/// What was removed because no row means it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    /// The names of the files.
    pub files: Vec<String>,
    /// Their bytes.
    pub bytes: u64,
}

/// A content on the disk, under a temporary name.
pub(super) struct Written {
    file: NamedTempFile,
    sha256: String,
    length: u64,
}

impl AgentStore {
    /// Keeps something of a context. `importance` is from 0 to 1.
    ///
    /// # Errors
    /// [`Usage`](crate::error::Kind::Usage) where the importance is out of its range; when there is no such context, or the file or
    /// the row cannot be written. Nothing is left of it then.
    pub fn save_snapshot(
        &self,
        context: &str,
        memory_type: MemoryType,
        content: &Value,
        importance: f64,
    ) -> Result<Snapshot> {
        if !(0.0..=1.0).contains(&importance) {
            return Err(refused(SAVING, "importance_score", importance, "between 0 and 1"));
        }
        let written = self.write_content(content)?;
        let now_ms = self.now_ms();
        self.pool().write(SAVING, |transaction| {
            let id = self.insert_snapshot(transaction, context, memory_type, (&written, importance), now_ms)?;
            let found = only(transaction, "memory_snapshots WHERE snapshot_id = ?1", [&id]);
            found
                .could_not(SAVING, format!("`{id}`"))?
                .ok_or_else(|| Error::could_not(SAVING, format!("`{id}`"), "its row is not there"))
        })
    }

    /// The content of a snapshot, held against its SHA-256.
    ///
    /// # Errors
    /// When there is no such snapshot; [`Differs`](crate::error::Kind::Differs) where its file is missing, or is another one.
    pub fn snapshot_content(&self, id: &str) -> Result<Value> {
        const READING: &str = "read snapshot";
        let object = format!("`{id}`");
        let sql = "SELECT content, content_path, content_hash FROM memory_snapshots WHERE snapshot_id = ?1";
        let found = self.pool().read(READING, |connection| {
            use rusqlite::OptionalExtension;
            let values = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
            connection.prepare_cached(sql)?.query_row([id], values).optional()
        })?;
        let (content, path, hash): (Option<String>, Option<String>, Option<String>) =
            found.ok_or_else(|| Error::could_not(READING, &object, "there is none with this id"))?;
        let bytes = match (content, path) {
            (Some(content), _) => return serde_json::from_str(&content).could_not(READING, &object),
            (None, Some(path)) => fs::read(self.storage().join(within(&path, &object)?)),
            (None, None) => return Err(Error::differs(READING, object, "its row has no content")),
        };
        let differs = |cause: String| Error::differs(READING, &object, cause).hint("bring its file back from a backup");
        let bytes = bytes.map_err(|error| differs(format!("its file cannot be read: {error}")).because(error))?;
        let found = hexadecimal(&bytes);
        if hash.as_ref().is_some_and(|hash| *hash != found) {
            return Err(differs("its file is not the one that was written".to_owned()));
        }
        serde_json::from_slice(&bytes).map_err(|error| differs(format!("its file is no JSON: {error}")).because(error))
    }

    /// The snapshots of a context, the most important first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn snapshots(&self, context: &str) -> Result<Vec<Snapshot>> {
        let from = "memory_snapshots WHERE session_id = ?1 ORDER BY importance_score DESC, snapshot_id";
        self.select("read snapshots", from, [context])
    }

    /// Removes a snapshot, its file after its row.
    ///
    /// # Errors
    /// When there is no such snapshot, or the file cannot be written. Where its file cannot be removed, it is an orphan from here on.
    pub fn delete_snapshot(&self, id: &str) -> Result<()> {
        const DELETING: &str = "delete snapshot";
        let path: Option<String> = self.pool().write(DELETING, |transaction| {
            let delete = || {
                use rusqlite::OptionalExtension;
                let sql = "DELETE FROM memory_snapshots WHERE snapshot_id = ?1 RETURNING content_path";
                transaction.prepare_cached(sql)?.query_row([id], |row| row.get(0)).optional()
            };
            let deleted: Option<Option<String>> = delete().could_not(DELETING, format!("`{id}`"))?;
            deleted.ok_or_else(|| Error::could_not(DELETING, format!("`{id}`"), "there is none with this id"))
        })?;
        if let Some(path) = path {
            let _ = fs::remove_file(self.storage().join(within(&path, id)?));
        }
        Ok(())
    }

    /// Removes the files of snapshots that no row means.
    ///
    /// # Errors
    /// When the folder or the file cannot be read, or a file cannot be removed.
    pub fn collect_orphans(&self) -> Result<Collected> {
        const COLLECTING: &str = "collect orphans in";
        let folder = self.storage().join(FOLDER);
        if !folder.is_dir() {
            return Ok(Collected::default());
        }
        self.pool().write(COLLECTING, |transaction| {
            let object = format!("`{}`", folder.display());
            let mut collected = Collected::default();
            let sql = "SELECT EXISTS (SELECT 1 FROM memory_snapshots WHERE content_path = ?1)";
            let mut is_meant = transaction.prepare_cached(sql).could_not(COLLECTING, &object)?;
            for entry in fs::read_dir(&folder).could_not(COLLECTING, &object)? {
                let entry = entry.could_not(COLLECTING, &object)?;
                let Ok(name) = entry.file_name().into_string() else { continue };
                let facts = entry.metadata().could_not(COLLECTING, &object)?;
                let is_orphan = match (name.starts_with(TEMPORARY), name.ends_with(".json")) {
                    (true, _) => is_older(&facts, ABANDONED),
                    (false, true) => {
                        let path = format!("{FOLDER}/{name}");
                        let meant: rusqlite::Result<bool> = is_meant.query_row([path], |row| row.get(0));
                        !meant.could_not(COLLECTING, &object)?
                    }
                    // What is no snapshot is nobody's orphan.
                    (false, false) => false,
                };
                if is_orphan && facts.is_file() {
                    fs::remove_file(entry.path()).could_not("remove", format!("`{}`", entry.path().display()))?;
                    collected.bytes += facts.len();
                    collected.files.push(name);
                }
            }
            collected.files.sort();
            Ok(collected)
        })
    }

    /// Writes a content, its keys sorted, under a temporary name.
    pub(super) fn write_content(&self, content: &Value) -> Result<Written> {
        let folder = self.storage().join(FOLDER);
        let write = || -> std::io::Result<Written> {
            fs::create_dir_all(&folder)?;
            let bytes = serde_json::to_vec_pretty(&sorted(content))?;
            let mut file = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(&folder)?;
            file.write_all(&bytes)?;
            file.as_file().sync_all()?;
            Ok(Written { file, sha256: hexadecimal(&bytes), length: bytes.len() as u64 })
        };
        write().could_not(SAVING, format!("`{}`", folder.display()))
    }

    /// Gives a content its name and inserts its row.
    pub(super) fn insert_snapshot(
        &self,
        transaction: &Transaction<'_>,
        context: &str,
        memory_type: MemoryType,
        (written, importance): (&Written, f64),
        now_ms: i64,
    ) -> Result<String> {
        let object = format!("`{context}`");
        let id = free_id(transaction, ("memory_snapshots", "snapshot_id"), ("snap", context), now_ms, true)
            .could_not(SAVING, &object)?;
        let path = format!("{FOLDER}/{id}.json");
        let place = self.storage().join(within(&path, &object)?);
        // A link to the same file: the temporary name goes with its owner, whatever becomes of the transaction.
        let _ = fs::remove_file(&place);
        fs::hard_link(written.file.path(), &place).could_not(SAVING, format!("`{}`", place.display()))?;
        sync_directory(&self.storage().join(FOLDER))?;
        let sql = "INSERT INTO memory_snapshots (snapshot_id, session_id, memory_type, content_path, content_hash, \
                       compression_ratio, importance_score, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let ratio = (memory_type == MemoryType::Consolidated).then(|| {
            let before = transaction
                .query_row(
                    "SELECT length(context_data) FROM context_sessions WHERE session_id = ?1",
                    [context],
                    |row| row.get::<_, Option<f64>>(0),
                )
                .ok()
                .flatten();
            before.map(|before| before / written.length.max(1) as f64)
        });
        let values =
            params![id, context, memory_type, path, written.sha256, ratio.flatten(), importance, super::spaced(now_ms)];
        let insert = || transaction.prepare_cached(sql)?.execute(values);
        if let Err(error) = insert() {
            let _ = fs::remove_file(&place);
            return Err(error).could_not(SAVING, &object);
        }
        Ok(id)
    }
}

/// The same with the keys of every object in their order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(keys) => {
            let mut pairs: Vec<_> = keys.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
            pairs.sort_by(|one, other| one.0.cmp(&other.0));
            Value::Object(pairs.into_iter().collect())
        }
        Value::Array(elements) => elements.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// A path of a row, where it stays within the storage folder.
fn within(path: &str, object: &str) -> Result<PathBuf> {
    use std::path::Component;
    let path = Path::new(path);
    match path.components().all(|part| matches!(part, Component::Normal(_))) {
        true => Ok(path.to_owned()),
        false => Err(Error::differs("use snapshot", object, "the path of its file leads out of the storage folder")),
    }
}

fn is_older(facts: &fs::Metadata, age: Duration) -> bool {
    let changed = facts.modified().ok();
    changed.and_then(|changed| SystemTime::now().duration_since(changed).ok()).is_some_and(|passed| passed >= age)
}

fn hexadecimal(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
