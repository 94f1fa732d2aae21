//! Publishing a finished file: journal mode, sync, then the careful exchange that `backup::swap` describes.
//!
//! Invariant: the target is the old file or the complete new one at every moment, a crash included; the order and the
//! reasoning are in the header of `backup::swap`. Setting the journal mode comes before any of that, on the temporary
//! file, and changes nothing but its header.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use rusqlite::{Connection, OpenFlags};
use serde::Serialize;

use crate::backup::manifest::{Manifest, Reason};
use crate::backup::swap::{Replacement, swap};
use crate::backup::take::TakeOptions;
use crate::endpoint::sqlite::file::{Content, content, quoted, serialize_shown, side_files};
use crate::endpoint::sqlite::read::describe;
use crate::endpoint::sqlite::staging::Staging;
use crate::endpoint::sqlite::target::JournalMode;
use crate::endpoint::sqlite::target_lock::TargetLock;
use crate::error::{Context, Error, Result};

/// How to publish.
#[derive(Debug, Clone, Copy)]
pub struct PublishOptions<'a> {
    /// The journal mode of the published file.
    pub journal_mode: JournalMode,
    /// Where the backup of the old target goes, if not beside it.
    pub backup_directory: Option<&'a Path>,
    /// Where the rows came from, without a password; for the backup's manifest.
    pub source: &'a str,
    /// The digest of everything that the file remembers, where it does; for the backup's manifest as well.
    pub manifest_digest: Option<&'a str>,
    /// How many milliseconds to wait for other programs to let go of the target.
    pub wait_ms: u32,
    /// Set to stop; heeded until the moment of the exchange.
    pub cancel: &'a AtomicBool,
}

/// What was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Published {
    /// The path of the target, links followed.
    #[serde(serialize_with = "serialize_shown")]
    pub target: PathBuf,
    /// The size of the published file in bytes.
    pub size_bytes: u64,
    /// Its journal mode, read back from its header before it was published.
    pub journal_mode: JournalMode,
    /// The backup of what was there before.
    pub backup: Manifest,
    /// The rename is known to survive a power failure.
    pub durable: bool,
    /// What people should know.
    pub notes: Vec<String>,
}

/// Puts the finished, verified and closed file in the target's place.
///
/// # Errors
///
/// When the staged file is not a closed database, and whenever the target cannot be replaced. The target is then what
/// it was, and the temporary file and the backup are removed.
pub fn publish(staged: Staging, target: &Path, options: PublishOptions<'_>) -> Result<Published> {
    set_journal_mode(staged.path(), options.journal_mode)?;
    let take = TakeOptions {
        directory: options.backup_directory,
        reason: Reason::BeforeMigrate,
        source: options.source,
        replacement_digest: options.manifest_digest,
        cancel: options.cancel,
    };
    // Before the exchange: once the new file is in place, nothing may fail any more.
    let size_bytes = std::fs::metadata(staged.path()).could_not("measure", quoted(staged.path()))?.len();
    let lock = TargetLock::take(target, options.wait_ms, options.cancel)?;
    let swapped = swap(&lock, Replacement::File(staged, None), take)?;
    Ok(Published {
        target: swapped.target,
        size_bytes,
        journal_mode: options.journal_mode,
        backup: swapped.backup,
        durable: swapped.durable,
        notes: swapped.notes,
    })
}

/// Sets the journal mode that lasts in the file, and makes sure that the file is alone and complete afterwards.
///
/// # Errors
///
/// When the file is no database, is still open elsewhere, or SQLite refuses the mode.
pub fn set_journal_mode(path: &Path, mode: JournalMode) -> Result<()> {
    let object = quoted(path);
    let wanted = match mode {
        JournalMode::Wal => "wal",
        JournalMode::Delete => "delete",
    };
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .map_err(|error| describe("set journal mode of", &object, error))?;
    let got: String = connection
        .pragma_update_and_check(None, "journal_mode", wanted, |row| row.get(0))
        .map_err(|error| describe("set journal mode of", &object, error))?;
    connection.close().map_err(|(_, error)| describe("set journal mode of", &object, error))?;
    if got != wanted {
        return Err(Error::could_not("set journal mode of", &object, format!("SQLite kept `{got}`")));
    }
    // The answer is not the file: an error while the mode is written into the header is one that SQLite keeps to itself.
    if content(path)? != (Content::Database { wal: mode == JournalMode::Wal }) {
        return Err(Error::could_not("set journal mode of", &object, "SQLite did not write it into the file"));
    }
    let beside = side_files(path)?;
    if beside.wal_bytes.is_some() || beside.shm_bytes.is_some() || beside.journal_bytes.is_some() {
        return Err(Error::could_not("publish", &object, "another connection to it is still open"));
    }
    Ok(())
}
