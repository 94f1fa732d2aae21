//! Opening a finished database to read it, so that reading leaves nothing behind.
//!
//! Invariants: no statement of such a connection can write (`query_only`), and a name that nothing has is an error, never
//! the text of that name. A read-only connection to a database in WAL mode leaves the `-wal` and `-shm` that it creates, because
//! it may not remove them, and SQLite drops every CHECK from a schema that it reads over one, so that its own checks of a file
//! would pass over them. So a database is opened for writing and never written: without a log it is closed with nothing left
//! over, and one that has a log keeps it as it is (`NO_CKPT_ON_CLOSE`). With a journal that wants to be played back it is opened
//! read-only, which fails. Where the directory cannot be written (read-only media, another user's files), a database without a log
//! is opened as immutable: a writer that starts at that very moment would not be seen.

use std::borrow::Borrow;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::endpoint::sqlite::access::remove_log_of_unusable;
use crate::endpoint::sqlite::file::{Content, TargetFile, journal_is_hot, quoted};
use crate::endpoint::sqlite::holders::Holders;
use crate::endpoint::sqlite::pragma;
use crate::error::{Context, Error, Result};

/// Virtual machine instructions between two looks at the stop flag: some microseconds.
const INSTRUCTIONS_PER_LOOK: i32 = 10_000;

/// Opens the database at `path` for reading. Setting `cancel` stops its statements.
///
/// # Errors
///
/// When there is no database, or it cannot be opened.
pub fn open(path: &Path, cancel: &Arc<AtomicBool>) -> Result<Connection> {
    let target = TargetFile::inspect(path)?;
    match target.content {
        Content::Missing => return Err(Error::could_not("open", quoted(path), "there is no such file")),
        Content::Foreign => {
            return Err(Error::could_not("open", quoted(path), "it is not a SQLite database, or it is encrypted"));
        }
        Content::Empty | Content::Database { .. } => {}
    }
    let alone = target.side_files.wal_bytes.is_none() && target.side_files.journal_bytes.is_none();
    let access = match target.side_files.journal_bytes.is_some() && journal_is_hot(&target.path)? {
        true => OpenFlags::SQLITE_OPEN_READ_ONLY,
        false => OpenFlags::SQLITE_OPEN_READ_WRITE,
    };
    let has_log = target.side_files.wal_bytes.is_some();
    let connection = match prepared(&target.path, access, has_log) {
        Err(error) if is_unwritable(&error) && alone => {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
            prepared(Path::new(&immutable_uri(&target.path)), flags, has_log)
        }
        Err(error) if is_unwritable(&error) => prepared(&target.path, OpenFlags::SQLITE_OPEN_READ_ONLY, has_log),
        outcome => outcome,
    }
    .map_err(|error| {
        remove_log_of_unusable(&target.path, &target.side_files, &error);
        match is_locked(&error) {
            true => locked("open", path).because(error),
            false => describe("open", quoted(path), error),
        }
    })?;
    stop_when(&connection, cancel)?;
    Ok(connection)
}

/// Setting the cache size reads the schema, so a database that cannot be read fails here. Its log stays as it is then, too.
fn prepared(path: &Path, flags: OpenFlags, has_log: bool) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    if has_log {
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    }
    connection.busy_timeout(Duration::from_secs(5))?;
    pragma::set(&connection, "cache_size", -16384)?;
    pragma::set(&connection, "query_only", 1)?;
    pragma::names_only_in_queries(&connection)?;
    Ok(connection)
}

fn is_unwritable(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied))
}

/// Whether another connection holds the file.
pub fn is_locked(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// That others hold the file, and who they are.
pub fn locked(operation: &str, path: &Path) -> Error {
    let holders = std::fs::metadata(path).map(|facts| Holders::of((facts.dev(), facts.ino())));
    let who = holders.ok().filter(Holders::any).map_or_else(|| "another program".to_owned(), |found| found.sentence());
    Error::could_not(operation, quoted(path), format!("it is locked by {who}"))
        .hint("run again when that has let go of it")
}

/// The path as a URI in which every byte stands for itself (<https://sqlite.org/uri.html>).
fn immutable_uri(path: &Path) -> String {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => uri.push(char::from(*byte)),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri + "?immutable=1"
}

/// Makes the statements of `connection` stop soon after `cancel` is set.
///
/// # Errors
///
/// When the connection is not owned by this program.
pub fn stop_when(connection: &Connection, cancel: &Arc<AtomicBool>) -> Result<()> {
    let cancel = Arc::clone(cancel);
    connection
        .progress_handler(INSTRUCTIONS_PER_LOOK, Some(move || cancel.load(Ordering::Relaxed)))
        .could_not("open", "database")
}

/// A failure of SQLite. One that is handed over is kept behind the error that tells it; one that is lent is only told.
pub trait Failure: Borrow<rusqlite::Error> {
    /// Keeps it behind the error that tells it, where it can be kept.
    fn keep(self, told: Error) -> Error;
}

impl Failure for rusqlite::Error {
    fn keep(self, told: Error) -> Error {
        told.because(self)
    }
}

impl Failure for &rusqlite::Error {
    fn keep(self, told: Error) -> Error {
        told
    }
}

/// Gives a failure of SQLite its operation and object; one that was asked for becomes "interrupted".
pub fn describe(operation: &str, object: impl std::fmt::Display, failure: impl Failure) -> Error {
    let error: &rusqlite::Error = failure.borrow();
    let told = match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => Error::interrupted_at(operation, object),
        Some(ErrorCode::DiskFull) => {
            Error::could_not(operation, object, error).hint("free space on that disk, or choose another directory")
        }
        // The job ran as far as the file let it: damage is a finding, not a failure to look.
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            Error::differs(operation, object, format!("the file is damaged: {error}")).hint(
                "bring a backup back: `whimbrel backups FILE` lists them, `whimbrel rollback FILE` takes the newest",
            )
        }
        _ => Error::could_not(operation, object, error),
    };
    failure.keep(told)
}
