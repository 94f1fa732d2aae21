//! Removing old backups, on request only.
//!
//! Invariants: only intact backups of the target that was asked for are removed, each is read to tell, and what a run that
//! is under way has not published yet is not counted. Reading may take long, so it is done before the folder is held; what
//! then is to stay has to be there still at the moment of the removal.

use std::path::Path;

use serde::Serialize;

use crate::backup::folder::{Folder, is_there};
use crate::backup::list::{Check, Entry, State, is_of_another, list};
use crate::endpoint::sqlite::file::{Content, TargetFile, quoted};
use crate::endpoint::sqlite::staging::sync_directory;
use crate::error::{Error, Result};

/// How often the backups are counted anew because others removed some meanwhile.
const ATTEMPTS_MAX: usize = 10;

/// What was removed and what stayed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Ids of the removed backups, newest first.
    pub removed: Vec<String>,
    /// Bytes given back.
    pub removed_bytes: u64,
    /// Ids of the kept ones, newest first.
    pub kept: Vec<String>,
    /// Ids of broken ones, which are left for people to look at.
    pub broken: Vec<String>,
    /// How many backups of other targets are in the folder; nothing was done to them.
    pub of_other_targets: usize,
}

/// Keeps the newest `keep` intact copies of `target` and removes what is older and intact. That there was no file counts
/// as no copy; a broken one is neither counted nor removed; each is read to tell. Backups of other targets in the folder
/// are not looked at.
///
/// # Errors
///
/// When the directory cannot be listed, a file cannot be removed, or the target is not there and no database would be
/// left of it.
pub fn prune(target: &Path, directory: Option<&Path>, keep: usize) -> Result<Pruned> {
    let folder = Folder::of(target, directory)?;
    if folder.path.is_dir() {
        folder.remove_left_overs()?;
    }
    for _ in 0..ATTEMPTS_MAX {
        let entries = list(target, directory, Check::Digest)?;
        if let Some(pruned) = attempt(&folder, entries, keep)? {
            return Ok(pruned);
        }
    }
    Err(Error::could_not("prune backups of", quoted(&folder.target), "others remove backups at the same time")
        .hint("run again"))
}

/// Nothing where one of those that are to stay has gone meanwhile.
fn attempt(folder: &Folder, entries: Vec<Entry>, keep: usize) -> Result<Option<Pruned>> {
    let of_other_targets = folder.ids()?.iter().filter(|id| is_of_another(folder, id)).count();
    let mut pruned = Pruned { of_other_targets, ..Pruned::default() };
    let is_copy = |entry: &Entry| entry.manifest.as_ref().is_some_and(|manifest| manifest.kind.has_file());
    let any_copy = entries.iter().any(|entry| entry.state == State::Intact && is_copy(entry));
    let (mut copies, mut superfluous) = (0, Vec::new());
    for entry in entries {
        // Whose it is and what it is are read one after the other, and the first may fail where the second does not.
        if entry.state != State::Intact || !entry.target_known {
            pruned.broken.push(entry.id);
        } else if copies < keep {
            // That there was no file is remembered beside the copies, and takes the place of none.
            copies += usize::from(is_copy(&entry));
            pruned.kept.push(entry.id);
        } else {
            superfluous.push(entry);
        }
    }
    if superfluous.is_empty() {
        return Ok(Some(pruned));
    }
    let held = folder.hold()?;
    if !pruned.kept.iter().all(|id| is_there(&folder.manifest(id))) {
        return Ok(None);
    }
    let is_gone = !folder.target.is_dir()
        && matches!(TargetFile::inspect(&folder.target)?.content, Content::Missing | Content::Empty);
    if keep == 0 && any_copy && is_gone {
        return Err(Error::could_not(
            "prune backups of",
            quoted(&folder.target),
            "the file is not there, and this would remove every copy of it",
        )
        .hint("put the file back first (`whimbrel rollback`), or keep more backups"));
    }
    for entry in superfluous {
        folder.remove(&entry.id)?;
        pruned.removed_bytes += entry.manifest.map_or(0, |manifest| manifest.size_bytes);
        pruned.removed.push(entry.id);
    }
    sync_directory(&folder.path)
        .map_err(|error| error.hint("the backups are removed; a power failure now could bring them back"))?;
    drop(held);
    Ok(Some(pruned))
}
