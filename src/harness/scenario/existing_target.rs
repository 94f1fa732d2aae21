//! What is in the target's place before a migration.

use super::content::{Content, content};
use crate::error::{Context, Result};
use crate::harness::Seed;
use crate::harness::scratch::scratch_folder;
use rusqlite::Connection;
use std::path::Path;
use std::sync::OnceLock;

/// What was there before.
#[derive(Debug, Clone)]
pub(super) enum ExistingTarget {
    /// No file.
    Nothing,
    /// A file without a byte.
    Empty,
    /// A database of somebody else, in rollback or in WAL mode.
    Database(&'static [u8], &'static str),
    /// A database in WAL mode whose last commit is only in its `-wal`, as a program leaves it that was killed.
    Logged(&'static [u8], &'static [u8]),
    /// An earlier target of the same scenario.
    Target(std::sync::Arc<Vec<u8>>),
}

impl ExistingTarget {
    /// One of them, chosen by the seed. An earlier target is among them where there is one.
    ///
    /// # Errors
    /// When the other databases cannot be made.
    pub fn choose(seed: Seed, earlier: Option<&std::sync::Arc<Vec<u8>>>) -> Result<ExistingTarget> {
        let [delete, wal, main, log] = others()?;
        Ok(match (seed.of("old target").random().below(6), earlier) {
            (0, _) => ExistingTarget::Nothing,
            (1, _) => ExistingTarget::Empty,
            (2, _) => ExistingTarget::Database(delete, "a database in rollback mode"),
            (3, _) => ExistingTarget::Logged(main, log),
            (4, _) | (_, None) => ExistingTarget::Database(wal, "a database in WAL mode"),
            (_, Some(earlier)) => ExistingTarget::Target(std::sync::Arc::clone(earlier)),
        })
    }

    /// Puts it at `path`, where nothing is yet.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn put(&self, path: &Path) -> Result<()> {
        match self.bytes() {
            None => Ok(()),
            Some(bytes) => std::fs::write(path, bytes).could_not("write", format!("`{}`", path.display())),
        }?;
        match self {
            ExistingTarget::Logged(_, log) => {
                std::fs::write(log_of(path), log).could_not("write", format!("`{}`", log_of(path).display()))
            }
            _ => Ok(()),
        }
    }

    /// Whether all of it is in its main file, so that a backup has the same bytes.
    pub fn is_one_file(&self) -> bool {
        !matches!(self, ExistingTarget::Logged(..))
    }

    /// Whether exactly this is at `path`. A database with a log is also the one file in which that log has been moved
    /// to its place: other bytes, but every row.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn is_at(&self, path: &Path) -> Result<bool> {
        let there = match std::fs::read(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            read => Some(read.could_not("read", format!("`{}`", path.display()))?),
        };
        let ExistingTarget::Logged(main, log) = self else { return Ok(there.as_deref() == self.bytes()) };
        let Some(there) = there else { return Ok(false) };
        let log_there = std::fs::read(log_of(path)).unwrap_or_default();
        if there == *main && log_there == *log {
            return Ok(true);
        }
        // Whoever opens a file moves its log, so copies are looked at.
        Ok(content_of(&there, &log_there)? == content_of(main, log)?)
    }

    /// What it is, in words.
    pub fn words(&self) -> &'static str {
        match self {
            ExistingTarget::Nothing => "no file",
            ExistingTarget::Empty => "an empty file",
            ExistingTarget::Database(_, words) => words,
            ExistingTarget::Logged(..) => "a database with commits in its log",
            ExistingTarget::Target(_) => "an earlier target",
        }
    }

    fn bytes(&self) -> Option<&[u8]> {
        match self {
            ExistingTarget::Nothing => None,
            ExistingTarget::Empty => Some(&[]),
            ExistingTarget::Database(bytes, _) | ExistingTarget::Logged(bytes, _) => Some(bytes),
            ExistingTarget::Target(bytes) => Some(bytes),
        }
    }
}

/// The write-ahead log of a database.
fn log_of(path: &Path) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// What a database with these bytes holds; `None` where that is no database.
fn content_of(main: &[u8], log: &[u8]) -> Result<Option<Content>> {
    const OPERATION: &str = "look at an older database";
    let folder = scratch_folder()?;
    let path = folder.path().join("old.db");
    std::fs::write(&path, main).could_not(OPERATION, "")?;
    if !log.is_empty() {
        std::fs::write(log_of(&path), log).could_not(OPERATION, "")?;
    }
    let connection = Connection::open(&path).could_not(OPERATION, "")?;
    Ok(content(&connection).ok())
}

/// The bytes of two databases, in rollback and in WAL mode, and of one with its log, made once in a process.
fn others() -> Result<&'static [Vec<u8>; 4]> {
    static OTHERS: OnceLock<[Vec<u8>; 4]> = OnceLock::new();
    if let Some(others) = OTHERS.get() {
        return Ok(others);
    }
    let [main, log] = made("wal", true)?;
    let [delete, _] = made("delete", false)?;
    let [wal, _] = made("wal", false)?;
    Ok(OTHERS.get_or_init(|| [delete, wal, main, log]))
}

/// A database and its log, which is empty unless the last commit is to stay in it.
fn made(mode: &str, logged: bool) -> Result<[Vec<u8>; 2]> {
    const OPERATION: &str = "make an older database";
    let folder = tempfile::tempdir().could_not(OPERATION, "")?;
    let path = folder.path().join("old.db");
    let connection = Connection::open(&path).could_not(OPERATION, "")?;
    connection
        .execute_batch(&format!(
            "PRAGMA journal_mode = {mode}; CREATE TABLE kept (a TEXT); CREATE TABLE gone (b BLOB);
             INSERT INTO kept VALUES ('what was there before'); INSERT INTO gone VALUES (zeroblob(20000));
             DELETE FROM gone; DROP TABLE gone;"
        ))
        .could_not(OPERATION, "")?;
    if logged {
        connection
            .execute_batch("PRAGMA wal_checkpoint(TRUNCATE); INSERT INTO kept VALUES ('in the log')")
            .could_not(OPERATION, "")?;
        // Read while it is open: closing would move the log.
        let main = std::fs::read(&path).could_not(OPERATION, "")?;
        return Ok([main, std::fs::read(log_of(&path)).could_not(OPERATION, "")?]);
    }
    connection.close().map_err(|(_, error)| error).could_not(OPERATION, "")?;
    Ok([std::fs::read(&path).could_not(OPERATION, "")?, Vec::new()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_chosen_put_and_recognised() {
        let earlier = std::sync::Arc::new(b"an earlier target".to_vec());
        let mut seen = std::collections::BTreeSet::new();
        let folder = tempfile::tempdir().unwrap();
        for seed in 0..60 {
            let old = ExistingTarget::choose(Seed(seed), Some(&earlier)).unwrap();
            let path = folder.path().join(format!("{seed}.db"));
            old.put(&path).unwrap();
            assert!(old.is_at(&path).unwrap(), "{old:?}");
            std::fs::write(&path, "something else").unwrap();
            assert!(!old.is_at(&path).unwrap(), "{old:?}");
            seen.insert(old.words());
        }
        assert_eq!(seen.len(), 6, "{seen:?}");
    }

    #[test]
    fn a_log_that_was_lost_is_noticed_and_one_that_was_moved_is_not() {
        let [_, _, main, log] = others().unwrap();
        assert!(!main.windows(10).any(|bytes| bytes == b"in the log"));
        let old = ExistingTarget::Logged(main, log);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.db");
        old.put(&path).unwrap();
        Connection::open(&path).unwrap().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        assert_ne!(std::fs::read(&path).unwrap(), *main);
        assert!(old.is_at(&path).unwrap());
        std::fs::write(&path, main).unwrap();
        let _ = std::fs::remove_file(log_of(&path));
        assert!(!old.is_at(&path).unwrap());
    }
}
