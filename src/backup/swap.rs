//! The moment of publishing: a finished file takes the target's place, and what it replaces is backed up first.
//!
//! The order, and what a crash (power failure, SIGKILL) leaves after each step:
//!
//! 1. the new file is complete and synced under a temporary name: the target is untouched, the next run removes the
//!    temporary file;
//! 2. it is this run's turn (`target_lock`), and the target is held exclusively: nothing was written but an empty lock
//!    file, which the next run removes;
//! 3. the copy of the target and its manifest are complete and synced; the manifest is called *pending*: the target is
//!    untouched, and the backup counts for nobody. Nothing else tells of the old content, which is still in its place; the
//!    next run removes both files;
//! 4. the target's write-ahead log is moved into its main file and synced, then `-wal` and `-shm` are removed: the
//!    target has the same committed content, now in one file;
//! 5. the manifest gets its name by one rename, and its directory is synced: the backup counts. A crash leaves the target
//!    and a backup of the same content. It has to count before step 6: a crash between the two in the other order would
//!    leave the old content only in a backup that the next run removes;
//! 6. the new file is renamed over the target: one name, either the old file or the new one, and no log of the old
//!    one that SQLite could apply to the new one;
//! 7. the directory is synced: until then a power failure may bring back the old file as step 4 left it.
//!
//! A failure (an error, not a crash) before step 4 leaves the target with its log byte for byte as it was, and no
//! backup. A failure in step 4, 5 or 6 leaves the same committed content and no backup; the bytes can differ only in where
//! that content lies (log or main file), and only for a target that had a log. From step 5 until step 6 has succeeded or
//! was taken back, nobody else counts backups or removes them: `prune` waits, so that it does not count one that a failure
//! takes away, and rollbacks queue for the target. After step 6 there is one thing left to fail, the
//! sync of the directory; that is reported as `durable: false`, not as an error, because the target is the new file.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use serde::Serialize;

use crate::backup::manifest::Manifest;
use crate::backup::take::{TakeOptions, take};
use crate::endpoint::sqlite::access::Access;
use crate::endpoint::sqlite::file::{Content, TargetFile, quoted, serialize_shown, side_path};
use crate::endpoint::sqlite::staging::{Staging, sync_directory};
use crate::endpoint::sqlite::target_lock::TargetLock;
use crate::error::{Context, Error, Result};

/// What takes the target's place.
#[derive(Debug)]
pub enum Replacement {
    /// A finished file in the target's directory, with no connection open to it, and the permission bits it is to
    /// have where there is no old file to take them from.
    File(Staging, Option<u32>),
    /// Nothing: the target is removed.
    Nothing,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Swapped {
    /// The path of the target, links followed.
    #[serde(serialize_with = "serialize_shown")]
    pub target: PathBuf,
    /// The backup of what was there before.
    pub backup: Manifest,
    /// The rename is known to survive a power failure.
    pub durable: bool,
    /// What people should know: an owner that could not be kept, another name of the old file.
    pub notes: Vec<String>,
}

/// Backs up the target and puts `replacement` in its place, waiting for other programs to let go of it for as long as the
/// lock's patience lasts.
///
/// # Errors
///
/// When the target must not be replaced, is in use, or cannot be backed up, or when somebody asks to stop. The target
/// is then what it was (the module's header says how exactly), and the temporary file and the backup are removed.
pub fn swap(lock: &TargetLock, replacement: Replacement, options: TakeOptions<'_>) -> Result<Swapped> {
    let target = TargetFile::inspect(lock.target())?;
    target.refuse_unusable()?;
    let attributes = target.attributes;
    let mut notes = match &replacement {
        Replacement::File(staging, mode) => staging.finish(attributes.as_ref(), *mode)?,
        Replacement::Nothing => Vec::new(),
    };
    let mut access = match target.content {
        Content::Missing => None,
        Content::Empty | Content::Database { .. } | Content::Foreign => {
            Some(Access::take(&target, lock.remaining_ms())?)
        }
    };
    let backup = take(&target, access.as_ref(), options)?;
    if options.cancel.load(Ordering::Relaxed) {
        return Err(Error::interrupted("publish"));
    }
    match &mut access {
        Some(access) => access.settle()?,
        None => remove_harmless_side_files(&target)?,
    }
    let backup = backup.publish()?;
    match (replacement, attributes) {
        (Replacement::File(staging, _), Some(_)) => staging.rename_over(&target.path)?,
        (Replacement::File(staging, _), None) => staging.rename_to_new(&target.path)?,
        (Replacement::Nothing, Some(_)) => fs::remove_file(&target.path).could_not("remove", quoted(&target.path))?,
        (Replacement::Nothing, None) => {}
    }
    let backup = backup.keep();
    let links = attributes.map_or(1, |attributes| attributes.links);
    if let Some(access) = access {
        access.retire(links);
    }
    if links > 1 {
        notes.push(format!("the old file had {links} names; the others still lead to its old content"));
    }
    let durable = match sync_directory(target.directory()) {
        Ok(()) => true,
        Err(error) => {
            notes.push(format!(
                "the new file is in place, but a power failure now could bring back the old one: {error}"
            ));
            false
        }
    };
    Ok(Swapped { target: target.path, backup, durable, notes })
}

/// `refuse_unusable` has made sure that these hold no content; SQLite must not find them beside a new file.
fn remove_harmless_side_files(target: &TargetFile) -> Result<()> {
    for suffix in ["shm", "wal", "journal"] {
        let path = side_path(&target.path, suffix);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).could_not("remove", quoted(&path));
            }
            _ => {}
        }
    }
    Ok(())
}
