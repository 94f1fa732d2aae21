//! What is in the target's place before a migration.

use crate::error::{Context, Result};
use crate::harness::Seed;
use rusqlite::Connection;
use std::path::Path;
use std::sync::OnceLock;

/// What was there before.
#[derive(Debug, Clone)]
pub(super) enum Old {
    /// No file.
    Nothing,
    /// A file without a byte.
    Empty,
    /// A database of somebody else, in rollback or in WAL mode.
    Database(&'static [u8], &'static str),
    /// An earlier target of the same scenario.
    Target(std::sync::Arc<Vec<u8>>),
}

impl Old {
    /// One of them, chosen by the seed. An earlier target is among them where there is one.
    ///
    /// # Errors
    /// When the other databases cannot be made.
    pub fn choose(seed: Seed, earlier: Option<&std::sync::Arc<Vec<u8>>>) -> Result<Old> {
        let [delete, wal] = others()?;
        Ok(match (seed.of("old target").random().below(5), earlier) {
            (0, _) => Old::Nothing,
            (1, _) => Old::Empty,
            (2, _) => Old::Database(delete, "a database in rollback mode"),
            (3, _) | (_, None) => Old::Database(wal, "a database in WAL mode"),
            (_, Some(earlier)) => Old::Target(std::sync::Arc::clone(earlier)),
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
        }
    }

    /// Whether exactly this is at `path`.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn is_at(&self, path: &Path) -> Result<bool> {
        let there = match std::fs::read(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            read => Some(read.could_not("read", format!("`{}`", path.display()))?),
        };
        Ok(there.as_deref() == self.bytes())
    }

    /// What it is, in words.
    pub fn words(&self) -> &'static str {
        match self {
            Old::Nothing => "no file",
            Old::Empty => "an empty file",
            Old::Database(_, words) => words,
            Old::Target(_) => "an earlier target",
        }
    }

    fn bytes(&self) -> Option<&[u8]> {
        match self {
            Old::Nothing => None,
            Old::Empty => Some(&[]),
            Old::Database(bytes, _) => Some(bytes),
            Old::Target(bytes) => Some(bytes),
        }
    }
}

/// The bytes of two databases, in rollback and in WAL mode, made once in a process.
fn others() -> Result<&'static [Vec<u8>; 2]> {
    static OTHERS: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    if let Some(others) = OTHERS.get() {
        return Ok(others);
    }
    let made = [made("delete")?, made("wal")?];
    Ok(OTHERS.get_or_init(|| made))
}

fn made(mode: &str) -> Result<Vec<u8>> {
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
    connection.close().map_err(|(_, error)| error).could_not(OPERATION, "")?;
    std::fs::read(&path).could_not(OPERATION, "")
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
            let old = Old::choose(Seed(seed), Some(&earlier)).unwrap();
            let path = folder.path().join(format!("{seed}.db"));
            old.put(&path).unwrap();
            assert!(old.is_at(&path).unwrap(), "{old:?}");
            std::fs::write(&path, "something else").unwrap();
            assert!(!old.is_at(&path).unwrap(), "{old:?}");
            seen.insert(old.words());
        }
        assert_eq!(seen.len(), 5, "{seen:?}");
    }
}
