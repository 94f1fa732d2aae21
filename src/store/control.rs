//! What a store knows besides its records, in a small database beside the SQLite file: the modes, the writes that have begun, what was set
//! aside, and figures. It is there in every mode, whether the SQLite file and the tree are or not.
//!
//! Invariant: a write of two sides is written down here, and on the disk, before anything of it is done, and crossed out when all of it is.

use super::contract::{Mode, Side};
use crate::endpoint::sqlite::pool::{Pool, Settings};
use crate::endpoint::sqlite::staging::beside;
use crate::error::{Context, Error, Result};
use rusqlite::{Connection, OptionalExtension, params};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

const OPERATION: &str = "write down what the store does in";

/// For which records a mode is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Selection {
    /// All of them.
    All,
    /// Those whose group, path or kind of file a pattern names; `*` stands for any characters.
    Only(String),
    /// So many of a hundred groups, the same ones each time; those of 10 are among those of 30.
    Percent(u8),
}

impl Selection {
    fn to_text(&self) -> String {
        match self {
            Selection::All => String::new(),
            Selection::Only(pattern) => format!("only {pattern}"),
            Selection::Percent(percent) => format!("percent {percent}"),
        }
    }

    fn of_text(text: &str) -> Option<Selection> {
        match text.split_once(' ') {
            None => text.is_empty().then_some(Selection::All),
            Some(("only", pattern)) => Some(Selection::Only(pattern.to_owned())),
            Some(("percent", percent)) => percent.parse().ok().map(Selection::Percent),
            Some(_) => None,
        }
    }
}

/// A write that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Its number.
    pub id: i64,
    /// The mode in which it began.
    pub mode: Mode,
    /// The layout's name of its table.
    pub table: String,
    /// A row with the cells of its key, packed.
    pub key: Vec<u8>,
    /// What the record is to be; `None` for nothing.
    pub record: Option<Vec<u8>>,
    /// The version that was there.
    pub before: Option<u128>,
    /// When it began, in milliseconds since 1970.
    pub at_ms: i64,
    /// Why it was not done at the last attempt.
    pub reason: Option<String>,
}

/// A value that lost against another one, and was kept.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aside {
    /// Its number.
    pub id: i64,
    /// The table.
    pub table: String,
    /// The key of its record.
    pub key: String,
    /// The side that had it; the word `write` for one that was never done.
    pub side: String,
    /// The record as JSON; `null` for none.
    pub record: String,
    /// Why.
    pub reason: String,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

/// The database.
pub struct Control {
    path: PathBuf,
    pool: Pool,
}

/// How long a side took for writes: how many of them took less than each of the times of [`bound_us`].
pub type Histogram = Vec<(u32, u64)>;

/// How writes have gone since the mode was set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Writes that were done.
    pub done: u64,
    /// Writes that failed.
    pub failed: u64,
    /// Writes whose copy had to wait.
    pub late: u64,
    /// How long files took.
    pub files: Histogram,
    /// How long rows took.
    pub rows: Histogram,
    /// How long reading took where files decide.
    pub files_reads: Histogram,
    /// How long reading took where rows do.
    pub rows_reads: Histogram,
}

/// The number of the bucket of a time: four for each power of two.
pub fn bucket(us: u64) -> u32 {
    let us = us.max(1);
    let power = us.ilog2();
    let quarter = if power >= 2 { (us >> (power - 2)) & 3 } else { 0 };
    power * 4 + u32::try_from(quarter).unwrap_or(0)
}

/// The end of a bucket in microseconds.
pub fn bound_us(bucket: u32) -> u64 {
    let (power, quarter) = (bucket / 4, u64::from(bucket % 4));
    if power < 2 { 1 << (power + 1) } else { (1 << power) + (quarter + 1) * (1 << (power - 2)) }
}

impl Control {
    /// The database beside a SQLite file, which need not be there.
    ///
    /// # Errors
    /// When it cannot be opened or made.
    pub fn open(file: &Path) -> Result<Control> {
        let path = beside(file, "store");
        let settings = Settings {
            busy_timeout: super::rows::BUSY_TIMEOUT,
            foreign_keys: false,
            is_durable: true,
            may_write: true,
        };
        let pool = Pool::open(&path, settings).map_err(|error| {
            error
                .hint("the folder of the SQLite file has to be there and writable: the store keeps its modes beside it")
        })?;
        let control = Control { path, pool };
        control.write(|connection| {
            connection.execute_batch(
                "CREATE TABLE IF NOT EXISTS modes (selection TEXT NOT NULL PRIMARY KEY, number INTEGER NOT NULL, mode TEXT NOT NULL) STRICT;
                 CREATE TABLE IF NOT EXISTS intents (id INTEGER PRIMARY KEY AUTOINCREMENT, mode TEXT NOT NULL, tbl TEXT NOT NULL,
                   key BLOB NOT NULL, record BLOB, before BLOB, at_ms INTEGER NOT NULL, reason TEXT) STRICT;
                 CREATE TABLE IF NOT EXISTS aside (id INTEGER PRIMARY KEY, tbl TEXT NOT NULL, key TEXT NOT NULL, side TEXT NOT NULL,
                   record TEXT NOT NULL, reason TEXT NOT NULL, at_ms INTEGER NOT NULL) STRICT;
                 CREATE TABLE IF NOT EXISTS figures (side TEXT NOT NULL, bucket INTEGER NOT NULL, writes INTEGER NOT NULL,
                   PRIMARY KEY (side, bucket)) STRICT",
            )
        })?;
        Ok(control)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of the lock of those who write.
    pub fn lock_path(file: &Path) -> PathBuf {
        beside(file, "store-lock")
    }

    fn write<T>(&self, job: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        self.pool.write(OPERATION, |transaction| job(transaction).could_not(OPERATION, self.pool.object()))
    }

    /// As [`Control::write`], for what can be done again, or is a figure of many.
    fn write_soon<T>(&self, job: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        self.pool.write_soon(OPERATION, |transaction| job(transaction).could_not(OPERATION, self.pool.object()))
    }

    fn read<T>(&self, job: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        self.pool.read("read what the store keeps in", job)
    }

    /// The modes, the first one first that is to be asked.
    ///
    /// # Errors
    /// When they cannot be read, or are none.
    pub fn modes(&self) -> Result<Vec<(Selection, Mode)>> {
        let rows: Vec<(String, String)> = self.read(|connection| {
            let mut all = connection.prepare_cached("SELECT selection, mode FROM modes ORDER BY number DESC")?;
            all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })?;
        let mut modes = Vec::new();
        for (selection, mode) in rows {
            let parsed = Selection::of_text(&selection).zip(mode.parse().ok());
            modes.push(parsed.ok_or_else(|| {
                Error::differs("read the modes in", self.pool.object(), format!("`{selection}` `{mode}` is no mode"))
            })?);
        }
        Ok(modes)
    }

    /// Sets a mode. One for all takes those of parts away; figures begin anew.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn set_mode(&self, selection: &Selection, mode: Mode) -> Result<()> {
        self.write(|connection| {
            if *selection == Selection::All {
                connection.execute("DELETE FROM modes", [])?;
            }
            let sql = "INSERT OR REPLACE INTO modes (selection, number, mode)
                       VALUES (?1, (SELECT coalesce(max(number), 0) + 1 FROM modes), ?2)";
            connection.execute(sql, params![selection.to_text(), mode.word()])?;
            connection.execute("DELETE FROM figures", []).map(drop)
        })
    }

    /// Writes a write down. An older one of the same record that is not done any more goes with it.
    ///
    /// # Errors
    /// When it cannot be written: then nothing of the write may be done.
    pub fn begin(
        &self,
        mode: Mode,
        (table, key): (&str, &[u8]),
        record: Option<&[u8]>,
        before: Option<u128>,
    ) -> Result<i64> {
        self.write(|connection| {
            connection
                .prepare_cached("DELETE FROM intents WHERE tbl = ?1 AND key = ?2")?
                .execute(params![table, key])?;
            let sql = "INSERT INTO intents (mode, tbl, key, record, before, at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let before = before.map(u128::to_be_bytes);
            connection.prepare_cached(sql)?.execute(params![mode.word(), table, key, record, before, now_ms()])?;
            Ok(connection.last_insert_rowid())
        })
    }

    /// Crosses a write out, with how long both sides have taken.
    ///
    /// # Errors
    /// When it cannot be written; then, and where the power fails, it is done once more, which changes nothing.
    pub fn end(&self, id: i64, took: &[(Side, u64)]) -> Result<()> {
        self.write_soon(|connection| {
            connection.prepare_cached("DELETE FROM intents WHERE id = ?1")?.execute([id])?;
            for (side, us) in took {
                count(connection, side.word(), i64::from(bucket(*us)), 1)?;
            }
            count(connection, "done", 0, 1)
        })
    }

    /// Withdraws a write of which nothing was done.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn withdraw(&self, id: i64) -> Result<()> {
        self.write(|connection| {
            connection.execute("DELETE FROM intents WHERE id = ?1", [id])?;
            count(connection, "failed", 0, 1)
        })
    }

    /// Keeps why a write was not done.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_reason(&self, id: i64, reason: &str) -> Result<()> {
        self.write(|connection| {
            connection.execute("UPDATE intents SET reason = ?2 WHERE id = ?1", params![id, reason])?;
            count(connection, "late", 0, 1)
        })
    }

    /// The writes that have begun and are not done, the oldest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn intents(&self) -> Result<Vec<Intent>> {
        self.read(|connection| {
            let sql = "SELECT id, mode, tbl, key, record, before, at_ms, reason FROM intents ORDER BY id";
            let mut all = connection.prepare_cached(sql)?;
            let rows = all.query_map([], |row| {
                let mode: String = row.get(1)?;
                let before: Option<[u8; 16]> = row.get(5)?;
                Ok(Intent {
                    id: row.get(0)?,
                    mode: mode.parse().unwrap_or(Mode::Dual),
                    table: row.get(2)?,
                    key: row.get(3)?,
                    record: row.get(4)?,
                    before: before.map(u128::from_be_bytes),
                    at_ms: row.get(6)?,
                    reason: row.get(7)?,
                })
            })?;
            rows.collect()
        })
    }

    /// Whether a write has begun and is not done.
    ///
    /// # Errors
    /// When that cannot be read.
    pub fn is_pending(&self) -> Result<bool> {
        self.read(|connection| {
            connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM intents)")?.query_row([], |row| row.get(0))
        })
    }

    /// Keeps a value that lost. The same one is kept once.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn set_aside(&self, (table, key): (&str, &str), side: &str, record: &str, reason: &str) -> Result<()> {
        self.write(|connection| {
            let sql = "INSERT INTO aside (tbl, key, side, record, reason, at_ms) SELECT ?1, ?2, ?3, ?4, ?5, ?6
                       WHERE NOT EXISTS (SELECT 1 FROM aside WHERE tbl = ?1 AND key = ?2 AND side = ?3 AND record = ?4)";
            connection.execute(sql, params![table, key, side, record, reason, now_ms()]).map(drop)
        })
    }

    /// What was set aside.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn asides(&self) -> Result<Vec<Aside>> {
        self.read(|connection| {
            let sql = "SELECT id, tbl, key, side, record, reason, at_ms FROM aside ORDER BY id";
            let mut all = connection.prepare(sql)?;
            let rows = all.query_map([], |row| {
                Ok(Aside {
                    id: row.get(0)?,
                    table: row.get(1)?,
                    key: row.get(2)?,
                    side: row.get(3)?,
                    record: row.get(4)?,
                    reason: row.get(5)?,
                    at_ms: row.get(6)?,
                })
            })?;
            rows.collect()
        })
    }

    /// Counts writes of one side, which need not be written down before.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn count_writes(&self, side: Side, took_us: &[u64], failed: u64) -> Result<()> {
        self.write_soon(|connection| {
            for us in took_us {
                count(connection, side.word(), i64::from(bucket(*us)), 1)?;
            }
            count(connection, "done", 0, i64::try_from(took_us.len()).unwrap_or(i64::MAX))?;
            count(connection, "failed", 0, i64::try_from(failed).unwrap_or(i64::MAX))
        })
    }

    /// Counts reads of one side: how many took less than the time of each bucket.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn count_reads(&self, side: Side, reads: &Histogram) -> Result<()> {
        self.write_soon(|connection| {
            reads.iter().try_for_each(|(bucket, reads)| {
                count(connection, of_reads(side), i64::from(*bucket), i64::try_from(*reads).unwrap_or(i64::MAX))
            })
        })
    }

    /// How writes have gone.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn figures(&self) -> Result<Figures> {
        self.read(|connection| {
            let number = |name: &str| -> rusqlite::Result<u64> {
                let sql = "SELECT writes FROM figures WHERE side = ?1";
                let found: Option<i64> = connection.query_row(sql, [name], |row| row.get(0)).optional()?;
                Ok(found.unwrap_or(0).unsigned_abs())
            };
            let histogram = |side: &str| -> rusqlite::Result<Histogram> {
                let sql = "SELECT bucket, writes FROM figures WHERE side = ?1 ORDER BY bucket";
                let mut all = connection.prepare(sql)?;
                let rows = all.query_map([side], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
                rows.collect()
            };
            Ok(Figures {
                done: number("done")?,
                failed: number("failed")?,
                late: number("late")?,
                files: histogram(Side::Files.word())?,
                rows: histogram(Side::Rows.word())?,
                files_reads: histogram(of_reads(Side::Files))?,
                rows_reads: histogram(of_reads(Side::Rows))?,
            })
        })
    }
}

/// The word for the reads of a side.
fn of_reads(side: Side) -> &'static str {
    match side {
        Side::Files => "files-reads",
        Side::Rows => "rows-reads",
    }
}

fn count(connection: &Connection, side: &str, bucket: i64, writes: i64) -> rusqlite::Result<()> {
    if writes == 0 {
        return Ok(());
    }
    let sql = "INSERT INTO figures (side, bucket, writes) VALUES (?1, ?2, ?3)
               ON CONFLICT (side, bucket) DO UPDATE SET writes = writes + excluded.writes";
    connection.prepare_cached(sql)?.execute(params![side, bucket, writes]).map(drop)
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_the_bucket_that_ends_behind_it() {
        for us in (1..5000).chain([u64::from(u32::MAX), 1 << 40]) {
            let end = bound_us(bucket(us));
            assert!(us < end && end <= us.max(2) * 2, "{us} is below {end}");
            assert!(us < 8 || end <= us + us / 4 + 1, "{us} is near {end}");
        }
    }
}
