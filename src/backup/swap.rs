//! The moment of publishing: a finished file takes the target's place, and what it replaces is backed up first.
//!
//! The order, and what a crash (power failure, SIGKILL) leaves after each step:
//!
//! 1. the new file is complete and synced under a temporary name: the target is untouched, the next run removes the
//!    temporary file;
//! 2. the target is held exclusively: nothing was written;
//! 3. the backup and its manifest are complete and synced: the target is untouched, there is one backup more;
//! 4. the target's write-ahead log is moved into its main file and synced, then `-wal` and `-shm` are removed: the
//!    target has the same committed content, now in one file;
//! 5. the new file is renamed over the target: one name, either the old file or the new one, and no log of the old
//!    one that SQLite could apply to the new one;
//! 6. the directory is synced: until then a power failure may bring back the old file as step 4 left it.
//!
//! A failure (an error, not a crash) before step 4 leaves the target with its log byte for byte as it was, and no
//! backup. A failure in step 4 or 5 leaves the same committed content; the bytes can differ only in where that content
//! lies (log or main file), and only for a target that had a log. After step 5 there is one thing left to fail, the
//! sync of the directory; that is reported as `durable: false`, not as an error, because the target is the new file.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use serde::Serialize;

use crate::backup::manifest::Manifest;
use crate::backup::take::{TakeOptions, take};
use crate::endpoint::sqlite::access::Access;
use crate::endpoint::sqlite::file::{Content, TargetFile, quoted, side_path};
use crate::endpoint::sqlite::staging::{Staging, sync_directory};
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
    pub target: PathBuf,
    /// The backup of what was there before.
    pub backup: Manifest,
    /// The rename is known to survive a power failure.
    pub durable: bool,
    /// What people should know: an owner that could not be kept, another name of the old file.
    pub notes: Vec<String>,
}

/// Backs up `target` and puts `replacement` in its place, waiting at most `wait_ms` milliseconds for others to let
/// go of it.
///
/// # Errors
///
/// When the target must not be replaced, is in use, or cannot be backed up, or when somebody asks to stop. The target
/// is then what it was (the module's header says how exactly), and the temporary file and the backup are removed.
pub fn swap(target: &Path, replacement: Replacement, wait_ms: u32, options: TakeOptions<'_>) -> Result<Swapped> {
    let target = TargetFile::inspect(target)?;
    target.refuse_unusable()?;
    let attributes = target.attributes;
    let mut notes = match &replacement {
        Replacement::File(staging, mode) => staging.finish(attributes.as_ref(), *mode)?,
        Replacement::Nothing => Vec::new(),
    };
    let mut access = match target.content {
        Content::Missing => None,
        _ => Some(Access::take(&target, wait_ms)?),
    };
    let backup = take(&target, access.as_ref(), options)?;
    if options.cancel.load(Ordering::Relaxed) {
        return Err(Error::interrupted("publish"));
    }
    match &mut access {
        Some(access) => access.settle()?,
        None => remove_harmless_side_files(&target)?,
    }
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
