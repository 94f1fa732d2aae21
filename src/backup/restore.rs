//! Rolling a target back to a backup.
//!
//! Invariants: the digest is checked before anything is touched, and once more on the copy that will take the place.
//! What is replaced is backed up first, so a rollback can be rolled back. The restored file is the backup byte for
//! byte, and it is published as carefully as a migration (see `swap`).

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use crate::backup::list::{Check, Entry, State, ids, look_at};
use crate::backup::manifest::{Kind, Manifest, Reason, digest, digest_of_file, directory_of};
use crate::backup::swap::{Replacement, swap};
use crate::backup::take::TakeOptions;
use crate::endpoint::sqlite::file::{Content, TargetFile, quoted};
use crate::endpoint::sqlite::staging::{Staging, cannot_write};
use crate::error::{Context, Error, Result};

/// How many ids a hint names.
const TOLD_MAX: usize = 5;

/// Which backup to restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// The one taken last.
    Newest,
    /// The one with this id, or with the only id that starts like this.
    Id(String),
}

/// How to restore.
#[derive(Debug, Clone, Copy)]
pub struct RestoreOptions<'a> {
    /// Where the backups are, if not beside the target.
    pub directory: Option<&'a Path>,
    /// How many milliseconds to wait for other programs to let go of the target.
    pub wait_ms: u32,
    /// Set to stop.
    pub cancel: &'a AtomicBool,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// The path of the target, links followed.
    pub target: PathBuf,
    /// The backup that the target now is.
    pub restored: Manifest,
    /// The digest of the target, read back after it was published; none where there is no file now.
    pub digest: Option<String>,
    /// The backup of what was replaced.
    pub replaced: Manifest,
    /// The rename is known to survive a power failure.
    pub durable: bool,
    /// What people should know.
    pub notes: Vec<String>,
}

/// Puts a backup in the target's place.
///
/// # Errors
///
/// When there is no such backup, when it is damaged or incomplete, and whenever the target cannot be replaced; the
/// target is then what it was.
pub fn restore(target: &Path, which: &Which, options: RestoreOptions<'_>) -> Result<Restored> {
    let facts = TargetFile::inspect(target)?;
    facts.refuse_unusable()?;
    let directory = directory_of(&facts, options.directory);
    let entry = choose(&facts, &directory, which)?;
    let manifest = usable(&directory, entry)?;
    if manifest.kind == Kind::Absent && facts.content == Content::Missing {
        let cause = "there was no file before, and there is none now";
        return Err(Error::could_not("roll back", quoted(&facts.path), cause));
    }
    let replacement = match manifest.kind {
        Kind::Absent => Replacement::Nothing,
        Kind::Empty => Replacement::File(Staging::create(&facts.path)?, manifest.mode),
        Kind::Database => {
            let staging = Staging::create(&facts.path)?;
            copy(&directory.join(format!("{}.db", manifest.id)), &manifest, &staging, options.cancel)?;
            Replacement::File(staging, manifest.mode)
        }
    };
    let source = format!("backup {}", manifest.id);
    let take = TakeOptions {
        directory: options.directory,
        reason: Reason::BeforeRollback,
        source: &source,
        cancel: options.cancel,
    };
    let swapped = swap(&facts.path, replacement, options.wait_ms, take)?;
    let digest = match manifest.kind {
        Kind::Database => Some(digest_of_file(&swapped.target)?.0),
        Kind::Empty | Kind::Absent => None,
    };
    if digest != manifest.digest {
        return Err(Error::differs("roll back", quoted(&swapped.target), "the restored file is not the backup")
            .hint(format!("what was there before is backup `{}`", swapped.backup.id)));
    }
    let (durable, notes) = (swapped.durable, swapped.notes);
    Ok(Restored { target: swapped.target, restored: manifest, digest, replaced: swapped.backup, durable, notes })
}

fn choose(target: &TargetFile, directory: &Path, which: &Which) -> Result<Entry> {
    let mut ids = ids(directory)?;
    let none = |cause: String| Error::could_not("roll back", quoted(&target.path), cause);
    let unknown = |cause: String| Error::usage("roll back", quoted(&target.path), cause);
    let id = match which {
        Which::Newest => ids.pop().ok_or_else(|| none(format!("there is no backup in {}", quoted(directory))))?,
        Which::Id(wanted) => {
            let mut found: Vec<&String> = ids.iter().filter(|id| id.starts_with(wanted.as_str())).collect();
            match (found.pop(), found.pop()) {
                (Some(id), None) => id.clone(),
                (None, _) => {
                    let known: Vec<String> = ids.iter().rev().take(TOLD_MAX).map(|id| format!("`{id}`")).collect();
                    let error = unknown(format!("there is no backup `{wanted}` in {}", quoted(directory)));
                    return Err(match known.is_empty() {
                        true => error,
                        false => error.hint(format!("the newest are {}", known.join(", "))),
                    });
                }
                _ => {
                    let matching = ids.iter().rev().filter(|id| id.starts_with(wanted.as_str()));
                    let matching: Vec<String> = matching.take(TOLD_MAX).map(|id| format!("`{id}`")).collect();
                    return Err(unknown(format!("several backups start with `{wanted}`"))
                        .hint(format!("give more of the id: {}", matching.join(", "))));
                }
            }
        }
    };
    Ok(look_at(directory, id, Check::Digest))
}

/// A backup that is not whole is refused, with the id of the newest one that is.
fn usable(directory: &Path, entry: Entry) -> Result<Manifest> {
    let cause = match (entry.state, entry.manifest) {
        (State::Intact, Some(manifest)) => return Ok(manifest),
        (State::Damaged { why }, _) => format!("it is damaged: {why}"),
        (State::FileMissing, _) => "its file is missing".into(),
        (State::ManifestUnreadable { why }, _) => format!("its manifest cannot be read: {why}"),
        (State::ManifestMissing | State::Intact | State::NotRead, _) => {
            "its manifest is missing, so it cannot be checked".into()
        }
    };
    let error = Error::differs("restore backup", format!("`{}`", entry.id), cause);
    let intact = ids(directory)?
        .into_iter()
        .rev()
        .filter(|id| *id != entry.id)
        .find(|id| look_at(directory, id.clone(), Check::Digest).state == State::Intact);
    Err(match intact {
        Some(id) => error.hint(format!("the target was not touched; the newest intact backup is `{id}`")),
        None => error.hint("the target was not touched; there is no other backup that is intact"),
    })
}

/// Copies the backup's file and proves the bytes that were written.
fn copy(from: &Path, manifest: &Manifest, staging: &Staging, cancel: &AtomicBool) -> Result<()> {
    let source = File::open(from).could_not("read backup", quoted(from))?;
    let mut target = OpenOptions::new().write(true).open(staging.path()).could_not("write", quoted(staging.path()))?;
    let mut source = Stoppable { source, cancel };
    io::copy(&mut source, &mut target).map_err(|error| match cancel.load(Ordering::Relaxed) {
        true => Error::interrupted("roll back"),
        false => cannot_write(staging.path().parent().unwrap_or(staging.path()), &error),
    })?;
    target.sync_all().could_not("sync", quoted(staging.path()))?;
    let written = File::open(staging.path()).and_then(digest).could_not("read", quoted(staging.path()))?;
    if Some(&written.0) != manifest.digest.as_ref() {
        return Err(Error::differs(
            "restore backup",
            format!("`{}`", manifest.id),
            "its copy does not have its digest",
        )
        .hint("the target was not touched; check the disk"));
    }
    Ok(())
}

struct Stoppable<'a> {
    source: File,
    cancel: &'a AtomicBool,
}

impl Read for Stoppable<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(io::Error::other("stopped"));
        }
        self.source.read(buffer)
    }
}
