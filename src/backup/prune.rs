//! Removing and compressing old backups, on request only.
//!
//! Invariants: only intact backups of the target that was asked for are removed, each is read to tell, and what a run that
//! is under way has not published yet is not counted. Reading may take long, so it is done before the folder is held; what
//! then is to stay has to be there still at the moment of the removal. How old a backup is says its own record, so that it
//! grows no younger by being copied; one whose time is in the future, because the clock was set back, is not old.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use serde::Serialize;

use crate::backup::compress::{compress, tidy};
use crate::backup::folder::{Folder, is_there};
use crate::backup::list::{Check, Entry, State, is_of_another, list};
use crate::backup::manifest::Manifest;
use crate::endpoint::sqlite::file::{Content, TargetFile, quoted};
use crate::endpoint::sqlite::staging::{remove_left_overs, sync_directory};
use crate::error::{Error, Kind, Result};

/// How often the backups are counted anew because others removed some meanwhile.
const ATTEMPTS_MAX: usize = 10;

const DAY_MS: i64 = 86_400_000;

/// From which age on something is done to a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// At any age.
    Always,
    /// From so many days of 24 hours on.
    Days(u32),
    /// At no age.
    Never,
}

impl After {
    fn is_reached_by(self, manifest: Option<&Manifest>) -> bool {
        match self {
            After::Always => true,
            After::Never => false,
            After::Days(days) => {
                manifest.and_then(Manifest::age_ms).is_some_and(|age_ms| age_ms >= i64::from(days) * DAY_MS)
            }
        }
    }
}

/// What stays of a target's backups, and in which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// So many intact copies stay at least, the newest.
    pub keep: usize,
    /// From which age on the others are removed.
    pub remove: After,
    /// From which age on what stays is compressed.
    pub compress: After,
}

impl Rotation {
    /// Only the newest stay, as they are.
    pub fn newest(keep: usize) -> Rotation {
        Rotation { keep, remove: After::Always, compress: After::Never }
    }
}

/// What was removed and what stayed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Ids of the removed backups, newest first.
    pub removed: Vec<String>,
    /// Bytes given back by removing.
    pub removed_bytes: u64,
    /// Ids of the kept ones, newest first.
    pub kept: Vec<String>,
    /// Ids of those of the kept ones that this run has compressed.
    pub compressed: Vec<String>,
    /// Bytes given back by compressing.
    pub compressed_saved_bytes: u64,
    /// Those that could not be compressed; they are what they were.
    pub not_compressed: Vec<NotCompressed>,
    /// Ids of broken ones, which are left for people to look at.
    pub broken: Vec<String>,
    /// How many backups of other targets are in the folder; nothing was done to them.
    pub of_other_targets: usize,
}

/// A backup that could not be compressed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotCompressed {
    /// Its id.
    pub id: String,
    /// Why not.
    pub why: String,
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
    rotate(target, directory, Rotation::newest(keep), &AtomicBool::new(false))
}

/// As [`prune`], by the age of the backups as well; and compresses what stays and is old enough. A compressed copy is on the
/// disk, and was read again and compared, before the original goes.
///
/// # Errors
///
/// As [`prune`], and when somebody asks to stop. What could not be compressed is told in what is returned.
pub fn rotate(target: &Path, directory: Option<&Path>, rotation: Rotation, cancel: &AtomicBool) -> Result<Pruned> {
    let folder = Folder::of(target, directory)?;
    if folder.path.is_dir() {
        folder.remove_left_overs()?;
        remove_left_overs(&folder.path.join(folder.target.file_name().unwrap_or_default()))?;
    }
    for _ in 0..ATTEMPTS_MAX {
        let entries = list(target, directory, Check::Digest)?;
        tidy(&folder, &entries)?;
        if let Some(mut pruned) = remove(&folder, &entries, rotation)? {
            compress_old(&folder, entries, rotation, &mut pruned, cancel)?;
            return Ok(pruned);
        }
    }
    Err(Error::could_not("prune backups of", quoted(&folder.target), "others remove backups at the same time")
        .hint("run again"))
}

/// Nothing where one of those that are to stay has gone meanwhile.
fn remove(folder: &Folder, entries: &[Entry], rotation: Rotation) -> Result<Option<Pruned>> {
    let of_other_targets = folder.ids()?.iter().filter(|id| is_of_another(folder, id)).count();
    let mut pruned = Pruned { of_other_targets, ..Pruned::default() };
    let is_copy = |entry: &Entry| entry.manifest.as_ref().is_some_and(|manifest| manifest.kind.has_file());
    let any_copy = entries.iter().any(|entry| entry.state == State::Intact && is_copy(entry));
    let (mut copies, mut superfluous) = (0, Vec::new());
    for entry in entries {
        // Whose it is and what it is are read one after the other, and the first may fail where the second does not.
        if entry.state != State::Intact || !entry.target_known {
            pruned.broken.push(entry.id.clone());
        } else if copies < rotation.keep || !rotation.remove.is_reached_by(entry.manifest.as_ref()) {
            // That there was no file is remembered beside the copies, and takes the place of none.
            copies += usize::from(is_copy(entry));
            pruned.kept.push(entry.id.clone());
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
    if copies == 0 && any_copy && is_gone {
        return Err(Error::could_not(
            "prune backups of",
            quoted(&folder.target),
            "the file is not there, and this would remove every copy of it",
        )
        .hint("put the file back first (`whimbrel rollback`), or keep more backups"));
    }
    for entry in superfluous {
        folder.remove(&entry.id)?;
        pruned.removed_bytes += entry.manifest.as_ref().map_or(0, Manifest::stored_bytes);
        pruned.removed.push(entry.id.clone());
    }
    sync_directory(&folder.path)
        .map_err(|error| error.hint("the backups are removed; a power failure now could bring them back"))?;
    drop(held);
    Ok(Some(pruned))
}

fn compress_old(
    folder: &Folder,
    entries: Vec<Entry>,
    rotation: Rotation,
    pruned: &mut Pruned,
    cancel: &AtomicBool,
) -> Result<()> {
    for entry in entries.into_iter().filter(|entry| pruned.kept.contains(&entry.id)) {
        let is_as_taken = |manifest: &Manifest| manifest.kind.has_file() && manifest.compressed_bytes.is_none();
        let Some(manifest) = entry.manifest.filter(is_as_taken) else { continue };
        if !rotation.compress.is_reached_by(Some(&manifest)) {
            continue;
        }
        match compress(folder, &manifest, cancel) {
            Ok(Some(changed)) => {
                pruned.compressed_saved_bytes += manifest.size_bytes.saturating_sub(changed.stored_bytes());
                pruned.compressed.push(entry.id);
            }
            Ok(None) => {}
            Err(error) if error.kind() == Kind::Interrupted => return Err(error),
            Err(error) => pruned.not_compressed.push(NotCompressed { id: entry.id, why: error.cause().to_owned() }),
        }
    }
    Ok(())
}
