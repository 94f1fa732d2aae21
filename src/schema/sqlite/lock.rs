//! One runner at a time on one SQLite file, also across the statements of a migration without a transaction.
//!
//! SQLite's own locks end with a transaction. This one is a lock file beside the database, `app.db-schema-lock` (see
//! `endpoint::sqlite::lock_file`); who waits for it tells so.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::event::Event;
use super::super::event::Observer;
use crate::endpoint::sqlite::file::{quoted, resolve};
use crate::endpoint::sqlite::lock_file::LockFile;
use crate::{Error, Result};

/// How often a waiting runner tells that it waits.
const TELL: Duration = Duration::from_millis(500);

/// The lock; dropping it lets go and removes the file.
pub(super) struct RunLock {
    _file: LockFile,
}

impl RunLock {
    /// Removes the lock file of a runner that was killed.
    pub(super) fn remove_left_over(database: &Path) {
        // What is no lock is told by whoever has to take it.
        let _ = LockFile::remove_left_over(&lock_path(database));
    }

    /// Takes the lock of a database file, waiting at most `timeout` for another runner.
    pub(super) fn take(database: &Path, timeout: Duration, observe: &mut Observer<'_>) -> Result<RunLock> {
        let path = lock_path(database);
        let (mut told, mut last) = (Duration::ZERO, Duration::ZERO);
        let mut waiting = |waited: Duration| {
            last = waited;
            if waited >= told {
                observe(&Event::Waiting { waited_ms: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX) });
                told = waited + TELL;
            }
            true
        };
        match LockFile::take(&path, timeout, &mut waiting)? {
            Some(file) => Ok(RunLock { _file: file }),
            None => {
                let cause = format!("another runner has held it for {} ms", last.max(timeout).as_millis());
                Err(Error::could_not("lock database with", quoted(&path), cause)
                    .hint("wait for it, or give more time with `--runner-timeout`"))
            }
        }
    }
}

/// Beside the database, whatever link led to it.
fn lock_path(database: &Path) -> PathBuf {
    let mut path = resolve(database).unwrap_or_else(|_| database.to_owned()).into_os_string();
    path.push("-schema-lock");
    PathBuf::from(path)
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

    #[test]
    fn a_link_that_somebody_planted_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (database, elsewhere) = (folder.path().join("a.db"), folder.path().join("elsewhere"));
        std::os::unix::fs::symlink(&elsewhere, folder.path().join("a.db-schema-lock")).unwrap();
        let error = RunLock::take(&database, Duration::ZERO, &mut |_| {}).err().unwrap();
        assert!(error.cause().contains("symbolic link"), "{error}");
        assert!(!elsewhere.exists());
        // Of a link that is the database itself, the lock is beside the file that it leads to.
        std::os::unix::fs::symlink("real.db", folder.path().join("link.db")).unwrap();
        let _held = RunLock::take(&folder.path().join("link.db"), Duration::ZERO, &mut |_| {}).unwrap();
        assert!(folder.path().join("real.db-schema-lock").exists());
    }
}
