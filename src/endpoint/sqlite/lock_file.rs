//! A file beside a database that one process at a time holds: an advisory lock with a name.
//!
//! SQLite's own locks end with a transaction and, in rollback mode, leave no trace of an idle connection; to wait for
//! them takes a connection that others would see. This lock is one of the operating system on an empty file, so a
//! process that dies, by whatever signal, lets go of it. The file is removed by its holder while it holds it; who opened
//! it meanwhile sees that the name leads elsewhere and tries again. A holder that was killed leaves the file: it is empty
//! and harmless, and the next one takes and removes it. Nobody but a holder may remove it, because two processes could
//! then each hold a lock under the same name.
//!
//! The name is in a folder where others may have planted something: a symbolic link is never followed, nothing is ever
//! written, and what is no empty file is refused and stays.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::endpoint::sqlite::file::quoted;
use crate::error::{Context, Error, Result};

/// How often who waits looks again.
const POLL: Duration = Duration::from_millis(2);

/// The lock; dropping it removes the file and lets go.
#[derive(Debug)]
pub struct LockFile {
    path: PathBuf,
    _file: File,
}

impl LockFile {
    /// Takes the lock at `path`, waiting at most `patience` for another process, or until `waiting`, which is told how
    /// long it has been, says that it is enough. Returns nothing where the other one still holds it then.
    ///
    /// # Errors
    ///
    /// When the file cannot be created, something else has its name, or the file system has no locks.
    pub fn take(
        path: &Path,
        patience: Duration,
        waiting: &mut dyn FnMut(Duration) -> bool,
    ) -> Result<Option<LockFile>> {
        let start = Instant::now();
        loop {
            if let Some(lock) = Self::attempt(path, true)? {
                return Ok(Some(lock));
            }
            let waited = start.elapsed();
            if waited >= patience || !waiting(waited) {
                return Ok(None);
            }
            sleep(POLL);
        }
    }

    /// Removes the file at `path` where no process holds it any more. What is there and is no such file stays.
    ///
    /// # Errors
    /// When the file cannot be opened, locked or removed.
    pub fn remove_left_over(path: &Path) -> Result<()> {
        Self::attempt(path, false).map(drop)
    }

    fn attempt(path: &Path, create: bool) -> Result<Option<LockFile>> {
        let failed = |error: io::Error| refused(path, &error);
        loop {
            let file = match open(path, create) {
                Ok(Some(file)) => file,
                Ok(None) => return Ok(None),
                Err(error) => return Err(failed(error)),
            };
            let metadata = file.metadata().map_err(failed)?;
            if !metadata.is_file() || metadata.len() > 0 {
                return Err(Error::could_not("lock database with", quoted(path), "it is no lock, but something else")
                    .hint("move it away; it was not touched"));
            }
            match file.try_lock() {
                Ok(()) if still_there(&metadata, path) => {
                    return Ok(Some(LockFile { path: path.to_path_buf(), _file: file }));
                }
                Ok(()) => continue,
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error).could_not("lock database with", quoted(path)),
            }
        }
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // While the lock is still held: a name that is gone tells those who wait to open a new file. One that cannot be
        // removed stays as that of a killed holder does.
        let _ = fs::remove_file(&self.path);
    }
}

/// Opens what is there and no link; creates it otherwise, if that is asked for. In two steps, because in a sticky
/// directory the kernel may refuse to open another user's file with the flag that creates one.
fn open(path: &Path, create: bool) -> io::Result<Option<File>> {
    loop {
        let existing = |write: bool| {
            let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
            OpenOptions::new().read(true).write(write).custom_flags(flags).open(path)
        };
        // Some network file systems lock only what may be written; another user's lock may only be read.
        let opened = existing(true).or_else(|error| match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => existing(false),
            _ => Err(error),
        });
        match opened {
            Err(error) if error.kind() == ErrorKind::NotFound && !create => return Ok(None),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            outcome => return outcome.map(Some),
        }
        match OpenOptions::new().read(true).write(true).create_new(true).mode(0o644).open(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            outcome => return outcome.map(Some),
        }
    }
}

fn refused(path: &Path, error: &io::Error) -> Error {
    let failed = |cause: &dyn std::fmt::Display| Error::could_not("lock database with", quoted(path), cause);
    let is_link = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
    match error.kind() {
        _ if is_link => failed(&"it is a symbolic link, which is not followed").hint("remove the link"),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => failed(error).hint("free space on that disk"),
        _ => {
            failed(error).hint("the folder of the database has to be there and writable: the lock is a file beside it")
        }
    }
}

fn still_there(own: &fs::Metadata, path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|named| (named.dev(), named.ino()) == (own.dev(), own.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(path: &Path) -> Result<Option<LockFile>> {
        LockFile::take(path, Duration::ZERO, &mut |_| true)
    }

    #[test]
    fn one_holds_it_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = take(&path).unwrap().unwrap();
        assert!(take(&path).unwrap().is_none());
        LockFile::remove_left_over(&path).unwrap();
        assert!(take(&path).unwrap().is_none(), "a lock that is held was removed");
        drop(first);
        drop(take(&path).unwrap().unwrap());
        fs::write(&path, "").unwrap();
        LockFile::remove_left_over(&path).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_was_planted_is_neither_followed_nor_removed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, elsewhere) = (folder.path().join("lock"), folder.path().join("elsewhere"));
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        let error = take(&path).unwrap_err();
        assert!(error.cause().contains("symbolic link") && !elsewhere.exists(), "{error}");
        fs::write(&elsewhere, "").unwrap();
        assert!(take(&path).is_err() && path.is_symlink(), "a link to an empty file");
        fs::remove_file(&path).unwrap();
        fs::write(&path, "data").unwrap();
        let error = take(&path).unwrap_err();
        assert!(error.way_out().unwrap().contains("not touched") && fs::read(&path).unwrap() == b"data", "{error}");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(take(&path).is_err() && LockFile::remove_left_over(&path).is_err() && path.is_dir());
    }
}
