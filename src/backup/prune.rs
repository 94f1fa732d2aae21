//! Removing old backups, on request only.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::Serialize;

use crate::backup::list::{Check, Entry, State, list};
use crate::backup::manifest::{Kind, directory_of};
use crate::endpoint::sqlite::file::{Content, TargetFile, quoted};
use crate::endpoint::sqlite::staging::sync_directory;
use crate::error::{Context, Error, Result};

/// What was removed and what stayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Ids of the removed backups, newest first.
    pub removed: Vec<String>,
    /// Bytes given back.
    pub removed_bytes: u64,
    /// Ids of the kept ones, newest first.
    pub kept: Vec<String>,
    /// Ids of broken ones, which are left for people to look at.
    pub broken: Vec<String>,
}

/// Keeps the newest `keep` intact copies of `target` and removes what is older and intact. That there was no file counts
/// as no copy; a broken one is neither counted nor removed; each is read to tell.
///
/// # Errors
///
/// When the directory cannot be listed, a file cannot be removed, or the target is not there and no database would be
/// left of it.
pub fn prune(target: &Path, directory: Option<&Path>, keep: usize) -> Result<Pruned> {
    let facts = TargetFile::inspect(target)?;
    let place = directory_of(&facts, directory);
    let mut pruned = Pruned { removed: Vec::new(), removed_bytes: 0, kept: Vec::new(), broken: Vec::new() };
    let entries = list(target, directory, Check::Digest)?;
    let intact = || entries.iter().filter(|entry| entry.state == State::Intact);
    let is_database = |entry: &Entry| entry.manifest.as_ref().is_some_and(|manifest| manifest.kind == Kind::Database);
    let missing = matches!(facts.content, Content::Missing | Content::Empty);
    if missing && keep == 0 && intact().any(is_database) {
        return Err(Error::could_not(
            "prune backups of",
            quoted(&facts.path),
            "the file is not there, and this would remove every copy of it",
        )
        .hint("put the file back first (`whimbrel rollback`), or keep more backups"));
    }
    let mut copies = 0;
    for entry in entries {
        if entry.state != State::Intact {
            pruned.broken.push(entry.id);
        } else if copies < keep {
            // That there was no file is remembered beside the copies, and takes the place of none.
            copies += usize::from(is_database(&entry));
            pruned.kept.push(entry.id);
        } else {
            // The manifest goes last: if this is interrupted, the list still says what is missing.
            for path in [entry.file, place.join(format!("{}.json", entry.id))] {
                match fs::remove_file(&path) {
                    Err(error) if error.kind() != ErrorKind::NotFound => {
                        return Err(error).could_not("remove backup", quoted(&path));
                    }
                    _ => {}
                }
            }
            pruned.removed_bytes += entry.manifest.map_or(0, |manifest| manifest.size_bytes);
            pruned.removed.push(entry.id);
        }
    }
    if !pruned.removed.is_empty() {
        sync_directory(&place)?;
    }
    Ok(pruned)
}
