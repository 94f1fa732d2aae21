//! Holding an existing database alone, from before its backup until another file has taken its place.
//!
//! Invariants:
//! - `take` and a drop change neither the main file nor its `-wal`. One exception that SQLite leaves no choice about:
//!   a hot journal (half a transaction of a program that was killed) is rolled back by whoever reads the database
//!   first, and that is `take`; the committed content stays the same.
//! - Only `settle` writes: it moves the committed content of the `-wal` into the main file, syncs it, and removes
//!   `-wal`, `-shm` and `-journal`. It is called right before the rename and not earlier.
//! - Between `take` and drop nothing in this process opens the main file by other means; see `header`.
//!
//! An exclusive lock does not see everybody: a connection that is open but idle holds no lock on a database in
//! rollback mode, and after the rename it would read a file that has no name any more. So where the system can tell
//! (Linux), a process that has the file open is enough to stop.

use std::ffi::c_int;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::endpoint::sqlite::file::{REPLACE, SideFiles, TargetFile, journal_is_hot, quoted, side_files, side_path};
use crate::endpoint::sqlite::header::OpenFile;
use crate::endpoint::sqlite::holders::Holders;
use crate::endpoint::sqlite::pragma;
use crate::error::{Context, Error, Result};

/// How long a process may have the file open without being taken for a user of it.
pub(crate) const MOMENT: Duration = Duration::from_millis(500);

/// An existing database, held exclusively.
pub struct Access {
    operation: &'static str,
    connection: Connection,
    path: PathBuf,
    identity: (u64, u64),
    side_files_found: SideFiles,
    journal_was_hot: bool,
    replaced: bool,
}

impl Access {
    /// Takes the database alone, waiting at most `wait_ms` milliseconds for others to let go.
    ///
    /// # Errors
    ///
    /// When another process holds the lock or has the file open (named where the system can tell), when the file is
    /// write-protected, or when it is no database.
    pub fn take(target: &TargetFile, wait_ms: u32) -> Result<Access> {
        Access::take_to(REPLACE, target, wait_ms)
    }

    /// As [`Access::take`], for errors that speak of that operation.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn take_to(operation: &'static str, target: &TargetFile, wait_ms: u32) -> Result<Access> {
        let path = target.path.clone();
        let Some(attributes) = target.attributes else {
            return Err(Error::could_not("hold", quoted(&path), "there is no such file"));
        };
        let identity = attributes.identity;
        let deadline = Instant::now() + Duration::from_millis(u64::from(wait_ms));
        let (side_files_found, journal_was_hot) = (side_files(&path)?, journal_is_hot(&path)?);
        let connection = open(&path).map_err(|error| explained(operation, &path, identity, &error).because(error))?;
        if connection.is_readonly("main").could_not("open target", quoted(&path))? {
            return Err(Error::could_not(operation, quoted(&path), "the file is write-protected for this user")
                .hint("give this user permission to write it, or choose another name"));
        }
        loop {
            match lock(&connection) {
                Ok(()) => break,
                Err(error) if is_busy(&error) && Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(error) => {
                    let explained = explained(operation, &path, identity, &error);
                    drop(connection);
                    remove_log_of_unusable(&path, &side_files_found, &error);
                    return Err(explained.because(error));
                }
            }
        }
        let access =
            Access { operation, connection, path, identity, side_files_found, journal_was_hot, replaced: false };
        loop {
            match access.refuse_holders() {
                Err(_) if Instant::now() < deadline => {}
                outcome => break outcome.map(|()| access),
            }
        }
    }

    /// The connection that holds the lock.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The path of the database, links followed.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Fails when another process has the file open, and keeps it open for longer than a moment: a program that has
    /// just been started by this one holds a copy of its descriptors until it runs.
    ///
    /// # Errors
    ///
    /// Names the processes.
    pub fn refuse_holders(&self) -> Result<()> {
        let deadline = Instant::now() + MOMENT;
        loop {
            let holders = Holders::of(self.identity);
            if !holders.any() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(in_use(self.operation, &self.path, &holders));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Makes the main file complete and alone: the write-ahead log is moved into it and synced, `-wal`, `-shm` and
    /// `-journal` are removed. This is the first thing that changes the target; the committed content stays the same.
    ///
    /// # Errors
    ///
    /// When the log cannot be moved completely, when a file cannot be removed, or when somebody has replaced the file
    /// or opened it meanwhile.
    pub fn settle(&mut self) -> Result<()> {
        let object = quoted(&self.path);
        self.refuse_holders()?;
        let here = fs::metadata(&self.path).could_not(self.operation, &object)?;
        if (here.dev(), here.ino()) != self.identity {
            return Err(Error::could_not(self.operation, &object, "another program has replaced the file meanwhile")
                .hint("run again"));
        }
        let (frames, moved) = OpenFile::of(&self.connection)?.log_frames()?;
        if frames > 0 {
            let (busy, left): (i64, i64) = self
                .connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| Ok((row.get(0)?, row.get(1)?)))
                .could_not("checkpoint", &object)?;
            if busy != 0 || left > 0 {
                let cause = format!("the write-ahead log kept {frames} frames, {moved} of them in the file");
                return Err(Error::could_not("checkpoint", &object, cause));
            }
        }
        for suffix in ["shm", "wal", "journal"] {
            remove_if_there(&side_path(&self.path, suffix))?;
        }
        Ok(())
    }

    /// Says that another file has taken the path, so that nothing beside it belongs to this database any more.
    ///
    /// A program that opened the old file a moment ago and waits for its lock must not start a write-ahead log under
    /// the path, where the new database would find it. The old file has no name left, so its header is set to
    /// rollback mode, in which SQLite refuses to write to a file that was moved away.
    pub fn retire(mut self, links: u64) {
        self.replaced = true;
        if links == 1
            && let Ok(file) = OpenFile::of(&self.connection)
        {
            // Best effort: the old file is gone either way.
            let _ = file.write_unjournaled(&[1, 1], 18);
        }
    }
}

impl Drop for Access {
    fn drop(&mut self) {
        if self.replaced {
            return;
        }
        // Still locked: what SQLite created beside the database for us is ours to remove. Where it cannot be, it is empty
        // or no longer valid, and SQLite takes it for nothing.
        remove_new_log(&self.path, &self.side_files_found);
        let ours = self.side_files_found.journal_bytes.is_none() || self.journal_was_hot;
        if ours && journal_is_hot(&self.path).is_ok_and(|hot| !hot) {
            let _ = fs::remove_file(side_path(&self.path, "journal"));
        }
    }
}

/// SQLite creates a log before it finds that a file is damaged, and leaves it. Nobody else can be using such a file.
pub(crate) fn remove_log_of_unusable(path: &Path, found: &SideFiles, error: &rusqlite::Error) {
    if matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)) {
        remove_new_log(path, found);
    }
}

/// Removes a log that was not there before and holds nothing, with its index.
fn remove_new_log(path: &Path, found: &SideFiles) {
    if found.wal_bytes.is_none() && side_files(path).is_ok_and(|now| now.wal_bytes == Some(0)) {
        let _ = fs::remove_file(side_path(path, "wal"));
        if found.shm_bytes.is_none() {
            let _ = fs::remove_file(side_path(path, "shm"));
        }
    }
}

/// Opens without creating, without URI names (`file:…` is a file name here) and without a checkpoint on close.
fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::ZERO)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(connection)
}

/// The lock survives the transaction, because the locking mode is exclusive. It is rolled back and not committed,
/// because committing would write the first page of a file of zero bytes.
fn lock(connection: &Connection) -> rusqlite::Result<()> {
    pragma::set(connection, "locking_mode", "exclusive")?;
    connection.execute_batch("BEGIN EXCLUSIVE; ROLLBACK")
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

fn in_use(operation: &str, path: &Path, holders: &Holders) -> Error {
    Error::could_not(operation, quoted(path), format!("it is in use by {}", holders.sentence()))
        .hint("stop that program first, so that no write of it is lost; the file was not touched")
}

fn explained(operation: &str, path: &Path, identity: (u64, u64), error: &rusqlite::Error) -> Error {
    if is_busy(error) {
        return in_use(operation, path, &Holders::of(identity));
    }
    let told = Error::could_not("open target", quoted(path), error);
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => told.hint("it is damaged or encrypted; move it away or choose another name"),
        Some(ErrorCode::DatabaseCorrupt) => {
            told.hint("it is damaged; move it away, or repair it with `sqlite3 .recover`")
        }
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            told.hint("this user needs permission to write the file and its directory")
        }
        Some(ErrorCode::DiskFull) => told.hint("free space on that disk"),
        _ => told,
    }
}

/// The largest number of pages that one step of the backup API copies, so that a stop is noticed soon.
pub const PAGES_PER_STEP: c_int = 1024;

fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).could_not("remove", quoted(path)),
        _ => Ok(()),
    }
}
