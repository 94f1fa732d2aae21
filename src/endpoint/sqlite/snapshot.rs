//! One committed state of an open file, held while it is read in parts, the bytes around SQLite's own pages included.
//!
//! A transaction that has read once keeps others from changing under it what it reads: without a write-ahead log by the
//! shared lock on the main file. With one, others may append to the log; but nothing behind this state is moved to the
//! main file, and the log begins anew only when all of this state is there (<https://sqlite.org/walformat.html>, 2.3).

use super::file::side_path;
use super::header::{HEADER_BYTES, OpenFile};
use super::read::describe;
use crate::error::{Error, Result};
use rusqlite::Connection;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// How often the state is looked for between two commits of others, which takes some microseconds each time.
const ATTEMPTS_MAX: usize = 1000;

/// The header's byte that says how the file is read, and its value for a write-ahead log.
const READ_VERSION: usize = 19;
const READ_BY_LOG: u8 = 2;

/// A state of an open file. Others can read it, and without a write-ahead log nobody can commit, until it is dropped.
#[derive(Debug)]
pub struct Snapshot<'c> {
    held: Held<'c>,
    header: [u8; HEADER_BYTES],
    log_frames: u64,
}

/// An open transaction.
#[derive(Debug)]
struct Held<'c>(&'c Connection);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // It has only read, so there is nothing to lose; where this fails, the connection's end ends it.
        let _ = self.0.execute_batch("COMMIT");
    }
}

impl<'c> Snapshot<'c> {
    /// Holds the newest state of a connection that is in no transaction.
    ///
    /// # Errors
    /// When the file cannot be read, somebody holds it for writing, or commits without a pause; or somebody asks to stop.
    pub fn begin(connection: &'c Connection) -> Result<Snapshot<'c>> {
        for _ in 0..ATTEMPTS_MAX {
            if let Some(snapshot) = Snapshot::attempt(connection)? {
                return Ok(snapshot);
            }
        }
        Err(Error::could_not("read", "the target", "other programs change it without a pause")
            .hint("run again when they rest"))
    }

    /// SQLite tells the frames of the log only outside of transactions. They are those of the state if nobody has
    /// committed between the question and the beginning; `None` where somebody has.
    fn attempt(connection: &'c Connection) -> Result<Option<Snapshot<'c>>> {
        let failed = |error: rusqlite::Error| describe("read", "the target", error);
        let file = OpenFile::of(connection)?;
        let path = Path::new(connection.path().unwrap_or_default());
        let version = data_version(connection).map_err(failed)?;
        let log_start = start_of_log(path);
        let (log_frames, moved) = file.log_frames()?;
        connection.execute_batch("BEGIN").map_err(failed)?;
        let held = Held(connection);
        // This reads, and so takes the lock.
        let same = data_version(connection).map_err(failed)? == version;
        let main = file.header_behind(path, 0)?;
        if log_frames == 0 && main[READ_VERSION] != READ_BY_LOG {
            return Ok(Some(Snapshot { held, header: main, log_frames }));
        }
        if !same {
            return Ok(None);
        }
        if moved == log_frames {
            return Ok(Some(Snapshot { held, header: main, log_frames }));
        }
        let header = file.header_behind(path, log_frames);
        // All of it was moved meanwhile, and the log has begun anew.
        if start_of_log(path) != log_start {
            return Ok(None);
        }
        Ok(Some(Snapshot { held, header: header?, log_frames }))
    }

    /// The connection that reads this state.
    pub fn connection(&self) -> &'c Connection {
        self.held.0
    }

    /// The first 100 bytes of this state.
    pub fn header(&self) -> &[u8; HEADER_BYTES] {
        &self.header
    }

    /// Whether the log has content, so that the main file can have another size than this state.
    pub fn has_log(&self) -> bool {
        self.log_frames > 0
    }
}

/// A number that changes when another connection has committed.
fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA main.data_version", [], |row| row.get(0))
}

/// The log's own header, which is another one each time that the log begins anew; `None` where there is none.
fn start_of_log(path: &Path) -> Option<[u8; 32]> {
    let mut start = [0; 32];
    File::open(side_path(path, "wal")).ok()?.read_exact(&mut start).ok()?;
    Some(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::sqlite::facts::facts;
    use crate::endpoint::sqlite::read::open;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    /// Of every state that a writer leaves: its header is whole and belongs to its rows, and nothing stands behind its
    /// last page.
    fn read_beside_a_writer(prepare: &str, statements: &'static str) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("live.db");
        let writer = Connection::open(&path).unwrap();
        writer.busy_timeout(std::time::Duration::from_secs(20)).unwrap();
        writer.execute_batch(&format!("{prepare}; CREATE TABLE t (n INTEGER, filler BLOB)")).unwrap();
        let (stop, cancel) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut turn = 0;
            while !stopped.load(Ordering::Relaxed) {
                turn += 1;
                writer
                    .execute_batch(&format!(
                        "BEGIN; PRAGMA user_version = {turn}; DELETE FROM t WHERE n < {turn} - 2;
                     INSERT INTO t SELECT {turn}, randomblob(3000) FROM generate_series_of_30; COMMIT; {statements}"
                    ))
                    .unwrap();
            }
            turn
        });
        let mut states = std::collections::BTreeSet::new();
        for _ in 0..300 {
            let connection = open(&path, &cancel).unwrap();
            let snapshot = Snapshot::begin(&connection).unwrap();
            let facts = facts(&snapshot).unwrap();
            assert!(facts.damage.is_empty() && facts.spare_bytes == 0, "{prepare}: {:?}", facts.damage);
            let newest: Option<i64> = connection.query_row("SELECT max(n) FROM t", [], |row| row.get(0)).unwrap();
            assert_eq!(facts.settings["user_version"], newest.unwrap_or(0), "{prepare}: one state");
            states.insert(newest);
        }
        stop.store(true, Ordering::Relaxed);
        let turns = thread.join().unwrap();
        assert!(states.len() > 3, "{prepare}: the writer wrote meanwhile: {turns} turns, {} states", states.len());
    }

    #[test]
    fn a_snapshot_is_one_state_beside_a_writer() {
        const SERIES: &str = "CREATE VIEW generate_series_of_30 AS WITH RECURSIVE s (n) AS
            (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 30) SELECT n FROM s";
        read_beside_a_writer(&format!("PRAGMA synchronous = OFF; {SERIES}"), "VACUUM");
        let logged = format!("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; {SERIES}");
        read_beside_a_writer(&logged, "");
        read_beside_a_writer(&format!("{logged}; PRAGMA wal_autocheckpoint = 1"), "VACUUM");
        read_beside_a_writer(&logged, "PRAGMA wal_checkpoint(TRUNCATE)");
    }
}
