//! One runner at a time on one SQLite file, also across the statements of a migration without a transaction.
//!
//! SQLite's own locks end with a transaction. This one is an advisory lock of the operating system on an empty file
//! beside the database, `app.db-schema-lock`: a process that dies, by whatever signal, lets go of it. The file is
//! removed by its holder; who opened the old one meanwhile sees that the name leads elsewhere and tries again. A holder
//! that was killed leaves the file: it is empty, harmless, and taken and removed by the next run. Nobody but the holder
//! may remove it, because two runners could then each hold a lock under the same name.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::super::database::Observer;
use super::super::event::Event;
use crate::error::Context;
use crate::{Error, Result};

/// How often a waiting runner looks again.
const POLL: Duration = Duration::from_millis(2);

/// How often a waiting runner tells that it waits.
const TELL: Duration = Duration::from_millis(500);

/// The lock; dropping it lets go and removes the file.
pub(super) struct RunLock {
    path: PathBuf,
    _file: File,
}

impl RunLock {
    /// Takes the lock of a database file, waiting at most `timeout` for another runner.
    pub(super) fn take(database: &Path, timeout: Duration, observe: &mut Observer<'_>) -> Result<RunLock> {
        let path = lock_path(database);
        let object = format!("`{}`", path.display());
        let start = Instant::now();
        let mut told = Duration::ZERO;
        loop {
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
            let file = file.could_not("lock database with", &object).map_err(|error| {
                error.hint("the folder of the database has to be there and writable: the lock is a file beside it")
            })?;
            match file.try_lock() {
                Ok(()) if still_there(&file, &path) => return Ok(RunLock { path, _file: file }),
                Ok(()) => continue,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error).could_not("lock database with", &object),
            }
            let waited = start.elapsed();
            if waited >= timeout {
                let cause = format!("another runner has held it for {} ms", waited.as_millis());
                return Err(Error::could_not("lock database with", object, cause)
                    .hint("wait for it, or give more time with `--runner-timeout`"));
            }
            if waited >= told {
                observe(&Event::Waiting { waited_ms: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX) });
                told = waited + TELL;
            }
            sleep(POLL);
        }
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // While the lock is still held: a name that is gone tells those who wait to open a new file.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Beside the database, whatever link led to it.
fn lock_path(database: &Path) -> PathBuf {
    let real = database.canonicalize().or_else(|error| match (database.parent(), database.file_name()) {
        (Some(parent), Some(name)) => {
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            Ok(parent.canonicalize()?.join(name))
        }
        _ => Err(error),
    });
    let mut path = real.unwrap_or_else(|_| database.to_owned()).into_os_string();
    path.push("-schema-lock");
    PathBuf::from(path)
}

#[cfg(unix)]
fn still_there(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(own), Ok(named)) => own.ino() == named.ino() && own.dev() == named.dev(),
        _ => false,
    }
}

#[cfg(not(unix))]
fn still_there(_file: &File, path: &Path) -> bool {
    // Elsewhere an open file cannot be removed from under its holder.
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_runner_waits_tells_and_gives_up() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("a.db");
        let first = RunLock::take(&database, Duration::ZERO, &mut |_| {}).unwrap();
        let mut told = 0;
        let second = RunLock::take(&database, Duration::from_millis(20), &mut |_| told += 1);
        assert!(second.is_err() && told == 1);
        drop(first);
        let third = RunLock::take(&database, Duration::ZERO, &mut |_| {}).unwrap();
        drop(third);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the lock file is left behind");
    }
}
