//! Removing old backups, on request only.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::Serialize;

use crate::backup::list::{Check, State, list};
use crate::backup::manifest::directory_of;
use crate::endpoint::sqlite::file::{TargetFile, quoted};
use crate::endpoint::sqlite::staging::sync_directory;
use crate::error::{Context, Result};

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

/// Keeps the newest `keep` intact backups of `target` and removes the older intact ones. A broken one is neither
/// counted nor removed.
///
/// # Errors
///
/// When the directory cannot be listed or a file cannot be removed.
pub fn prune(target: &Path, directory: Option<&Path>, keep: usize) -> Result<Pruned> {
    let place = directory_of(&TargetFile::inspect(target)?, directory);
    let mut pruned = Pruned { removed: Vec::new(), removed_bytes: 0, kept: Vec::new(), broken: Vec::new() };
    for entry in list(target, directory, Check::Size)? {
        if entry.state != State::Intact {
            pruned.broken.push(entry.id);
        } else if pruned.kept.len() < keep {
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
