//! Rolling a target back to a backup.
//!
//! Invariants: the digest is checked before anything is touched, and once more on the copy that will take the place.
//! What is replaced is backed up first, so a rollback can be rolled back. The restored file is the backup byte for
//! byte, and it is published as carefully as a migration (see `swap`).

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use crate::backup::content::{self, Stoppable, copy_all};
use crate::backup::folder::{Folder, Owner};
use crate::backup::list::{Check, Entry, State, is_of_another, look_at, owner_of};
use crate::backup::manifest::{Kind, Manifest, Reason, digest, digest_of_file};
use crate::backup::swap::{Replacement, swap};
use crate::backup::take::TakeOptions;
use crate::backup::tree;
use crate::endpoint::sqlite::file::{Content, TargetFile, quoted, serialize_shown};
use crate::endpoint::sqlite::staging::{Staging, cannot_write};
use crate::endpoint::sqlite::target_lock::TargetLock;
use crate::error::{Context, Error, Result};
use crate::quote::shell;

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
    #[serde(serialize_with = "serialize_shown")]
    pub target: PathBuf,
    /// The backup that the target now is.
    pub restored: Manifest,
    /// The digest of the target, read back after it was published (a note says where that could not be done, and it was
    /// read back only before); none where there is no file now.
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
    let folder = Folder::of(target, options.directory)?;
    // Chosen when it is this run's turn: until then, the newest may become another one.
    let lock = TargetLock::take(target, options.wait_ms, options.cancel)?;
    let is_tree = lock.target().is_dir();
    let facts = match is_tree {
        true => None,
        false => {
            let facts = TargetFile::inspect(lock.target())?;
            facts.refuse_unusable()?;
            Some(facts)
        }
    };
    folder.remove_left_overs()?;
    let entry = choose(&folder, which)?;
    let manifest = usable(&folder, entry)?;
    let is_missing = facts.as_ref().is_some_and(|facts| facts.content == Content::Missing);
    let facts = match (manifest.kind, facts) {
        (Kind::Tree, None) | (Kind::Absent, None) => return restore_tree(&folder, lock.target(), manifest, options),
        (Kind::Tree, Some(_)) if is_missing => return restore_tree(&folder, lock.target(), manifest, options),
        (Kind::Database | Kind::Empty | Kind::Absent, Some(facts)) => facts,
        (kind, _) => {
            let (there, was) = if kind == Kind::Tree { ("a file", "a tree") } else { ("a tree", "a file") };
            let cause = format!("backup `{}` is {was}, and {there} is there now", manifest.id);
            return Err(Error::could_not("roll back", quoted(lock.target()), cause)
                .hint(format!("move {there} away first; it was not touched")));
        }
    };
    if manifest.kind == Kind::Absent && facts.content == Content::Missing {
        let cause = "there was no file before, and there is none now";
        return Err(Error::could_not("roll back", quoted(&facts.path), cause));
    }
    let replacement = match manifest.kind {
        Kind::Absent => Replacement::Nothing,
        Kind::Empty => Replacement::File(Staging::create(&facts.path)?, manifest.mode),
        Kind::Database | Kind::Tree => {
            let staging = Staging::create(&facts.path)?;
            copy(&folder.file(&manifest), &manifest, &staging, options.cancel)?;
            Replacement::File(staging, manifest.mode)
        }
    };
    let source = format!("backup {}", manifest.id);
    let take = TakeOptions {
        directory: options.directory,
        reason: Reason::BeforeRollback,
        source: &source,
        replacement_digest: None,
        cancel: options.cancel,
    };
    let mut swapped = swap(&lock, replacement, take)?;
    let digest = match (manifest.kind, &manifest.digest) {
        (Kind::Database, proven) => match digest_of_file(&swapped.target) {
            Ok((digest, _)) => Some(digest),
            // It is in place, so this is no failure: its bytes were proven before that.
            Err(error) => {
                swapped.notes.push(format!("the file is in place, and could not be read back: {}", error.cause()));
                proven.clone()
            }
        },
        (Kind::Empty | Kind::Absent | Kind::Tree, _) => None,
    };
    if digest != manifest.digest {
        return Err(Error::differs("roll back", quoted(&swapped.target), "the restored file is not the backup")
            .hint(format!("what was there before is backup `{}`", swapped.backup.id)));
    }
    let (durable, notes) = (swapped.durable, swapped.notes);
    Ok(Restored { target: swapped.target, restored: manifest, digest, replaced: swapped.backup, durable, notes })
}

fn restore_tree(folder: &Folder, target: &Path, manifest: Manifest, options: RestoreOptions<'_>) -> Result<Restored> {
    let source = format!("backup {}", manifest.id);
    let take = TakeOptions {
        directory: options.directory,
        reason: Reason::BeforeRollback,
        source: &source,
        replacement_digest: None,
        cancel: options.cancel,
    };
    let file = folder.file(&manifest);
    let (swapped, is_backup) = tree::restore(target, &file, &manifest, take)?;
    if !is_backup {
        return Err(Error::differs("roll back", quoted(&swapped.target), "the restored tree is not the backup")
            .hint(format!("what was there before is backup `{}`", swapped.backup.id)));
    }
    Ok(Restored {
        target: swapped.target,
        digest: manifest.digest.clone(),
        restored: manifest,
        replaced: swapped.backup,
        durable: swapped.durable,
        notes: swapped.notes,
    })
}

/// The backup that is meant. Those of other targets are not among the choice, and one whose target cannot be told is
/// chosen only to be refused: it may be the newest of this one.
fn choose(folder: &Folder, which: &Which) -> Result<Entry> {
    let all = folder.ids()?;
    let (others, mut ids): (Vec<String>, Vec<String>) = all.into_iter().partition(|id| is_of_another(folder, id));
    let id = match which {
        Which::Newest => ids.pop().ok_or_else(|| none_of_it(folder, &others))?,
        Which::Id(wanted) => the_one(folder, wanted, &ids, &others)?,
    };
    Ok(look_at(folder, id, Check::Digest))
}

fn none_of_it(folder: &Folder, others: &[String]) -> Error {
    let path = quoted(&folder.path);
    match others.last().map(|id| owner_of(folder, id)) {
        Some(Owner::Other(other)) => {
            let cause =
                format!("there is no backup of it in {path}, only of other targets, such as {}", quoted(&other));
            Error::could_not("roll back", quoted(&folder.target), cause).hint(format!(
                "to see those: whimbrel backups {} --backups {}",
                shell(&other),
                shell(&folder.path)
            ))
        }
        _ => {
            let cause = match folder.path.is_dir() {
                true => format!("there is no backup in {path}"),
                false => format!("there is no backup: the folder {path} does not exist"),
            };
            Error::could_not("roll back", quoted(&folder.target), cause)
                .hint("where `migrate` was given `--backups DIR`, or its project names a folder, give the same here")
        }
    }
}

/// The only id that starts with what was typed, if there is one.
fn the_one(folder: &Folder, wanted: &str, ids: &[String], others: &[String]) -> Result<String> {
    let refused = |cause: String| Error::usage("roll back", quoted(&folder.target), cause);
    let starting =
        |ids: &[String]| -> Vec<String> { ids.iter().rev().filter(|id| id.starts_with(wanted)).cloned().collect() };
    let listed = |ids: &[String]| ids.iter().take(TOLD_MAX).map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ");
    match starting(ids).as_slice() {
        [id] => return Ok(id.clone()),
        [] => {}
        several => {
            return Err(refused(format!("several backups start with `{wanted}`"))
                .hint(format!("give more of the id: {}", listed(several))));
        }
    }
    if let Some(id) = starting(others).first()
        && let Owner::Other(other) = owner_of(folder, id)
    {
        let command = format!("whimbrel rollback {} --to {id} --backups {}", shell(&other), shell(&folder.path));
        return Err(refused(format!("backup `{id}` is of another target, {}", quoted(&other)))
            .hint(format!("to put it there: {command}; a file that is wanted elsewhere can be moved from there")));
    }
    let newest_first: Vec<String> = ids.iter().rev().cloned().collect();
    let error = refused(format!("there is no backup `{wanted}` in {}", quoted(&folder.path)));
    Err(match newest_first.is_empty() {
        true => error,
        false => error.hint(format!("the newest are {}", listed(&newest_first))),
    })
}

/// A backup that is not whole is refused, with the id of the newest one that is.
fn usable(folder: &Folder, entry: Entry) -> Result<Manifest> {
    let mut cause = match (entry.state, entry.manifest) {
        (State::Intact, Some(manifest)) => return Ok(manifest),
        (State::Damaged { why }, _) => format!("it is damaged: {why}"),
        (State::FileMissing, _) => "its file is missing".into(),
        (State::ManifestUnreadable { why }, _) => format!("its manifest cannot be read: {why}"),
        (State::ManifestMissing | State::Intact | State::NotRead, _) => {
            "its manifest is missing, so it cannot be checked".into()
        }
    };
    if !entry.target_known {
        cause.push_str("; whose backup it is cannot be told");
    }
    let error = Error::differs("restore backup", format!("`{}`", entry.id), cause);
    let intact = folder
        .ids()?
        .into_iter()
        .rev()
        .filter(|id| *id != entry.id && owner_of(folder, id) == Owner::Asked)
        .find(|id| look_at(folder, id.clone(), Check::Digest).state == State::Intact);
    let aside = match entry.target_known {
        true => String::new(),
        false => format!("; if this one is of no use, move it out of {}", quoted(&folder.path)),
    };
    Err(match intact {
        Some(id) => error.hint(format!(
            "the target was not touched; the newest intact backup is `{id}`, which `--to {id}` restores{aside}"
        )),
        None => error.hint(format!("the target was not touched; there is no other backup that is intact{aside}")),
    })
}

/// Copies the backup's file and proves the bytes that were written.
fn copy(from: &Path, manifest: &Manifest, staging: &Staging, cancel: &AtomicBool) -> Result<()> {
    let source = content::open(from, manifest)?;
    let options = |file: &mut OpenOptions| file.write(true).custom_flags(libc::O_NOFOLLOW).open(staging.path());
    let mut target = options(&mut OpenOptions::new()).could_not("write", quoted(staging.path()))?;
    copy_all(Stoppable { inner: source, cancel }, &mut target).map_err(|error| {
        match cancel.load(Ordering::Relaxed) {
            true => Error::interrupted("roll back"),
            false => cannot_write(staging.path().parent().unwrap_or(staging.path()), &error).because(error),
        }
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
