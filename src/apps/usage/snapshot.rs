//! Snapshots: what usage was at a time, per session.
//!
//! Invariants: lists are newest first, rows of one millisecond by the order in which they were inserted; a limit in
//! time includes its boundary; the snapshots of a session go with its last event, by a trigger.

use rusqlite::types::Type;
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::word::SnapshotType;
use super::{EARLIEST_MS, UsageStore};
use crate::apps::field::refused;
use crate::error::Context;
use crate::{Error, Result};

const INSERTING: &str = "insert usage snapshot";
const LISTING: &str = "list usage snapshots of";
const HOUR_MS: i64 = 3_600_000;
pub(super) const DAY_MS: i64 = 24 * HOUR_MS;
/// How many snapshots are deleted in one transaction: some milliseconds.
pub(super) const DELETED_AT_ONCE: u32 = 1_000;
const COLUMNS: &str = "id, session_id, snapshot_data, snapshot_type, timestamp";

/// What usage was at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UsageSnapshot {
    /// The row; later rows have greater ones.
    pub id: i64,
    /// The session that was measured.
    pub session_id: String,
    /// What was measured.
    #[serde(rename = "snapshot_data")]
    pub data: Value,
    /// What kind of data it is.
    pub snapshot_type: SnapshotType,
    /// When, in milliseconds since 1970.
    #[serde(rename = "timestamp")]
    pub timestamp_ms: i64,
}

/// A snapshot that is to be inserted.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSnapshot {
    /// The session that was measured; not empty.
    pub session_id: String,
    /// What was measured.
    pub data: Value,
    /// What kind of data it is.
    pub snapshot_type: SnapshotType,
    /// When, in milliseconds since 1970; now where it is not given.
    pub timestamp_ms: Option<i64>,
}

impl NewSnapshot {
    /// Statistics of a session, now.
    pub fn stats(session_id: impl Into<String>, data: Value) -> NewSnapshot {
        NewSnapshot { session_id: session_id.into(), data, snapshot_type: SnapshotType::Stats, timestamp_ms: None }
    }

    /// Looks at every value.
    ///
    /// # Errors
    /// [`Usage`](crate::error::Kind::Usage), naming the field.
    pub fn validate(&self) -> Result<()> {
        if self.session_id.is_empty() {
            return Err(Error::usage(INSERTING, "field `session_id`", "it is empty"));
        }
        if self.session_id.contains('\0') {
            return Err(Error::usage(INSERTING, "field `session_id`", "it contains U+0000"));
        }
        match self.timestamp_ms {
            Some(time) if time < EARLIEST_MS => {
                Err(refused(INSERTING, "timestamp_ms", time, "a time in milliseconds since 1970")
                    .hint("a time in seconds is to be multiplied by 1000"))
            }
            _ => Ok(()),
        }
    }

    /// Its data as it is stored, after a look at every value.
    fn text(&self) -> Result<String> {
        self.validate()?;
        let text = self.data.to_string();
        match serde_json::from_str::<Value>(&text) {
            Ok(_) => Ok(text),
            // One row that cannot be read would fail every list it is in.
            Err(error) => {
                let cause = format!("it could not be read back: {error}");
                Err(Error::usage(INSERTING, "field `snapshot_data`", cause).hint("nest it less than 128 levels deep"))
            }
        }
    }

    fn inserted(self, id: i64, timestamp_ms: i64) -> UsageSnapshot {
        let NewSnapshot { session_id, data, snapshot_type, .. } = self;
        UsageSnapshot { id, session_id, data, snapshot_type, timestamp_ms }
    }
}

/// Which snapshots are listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotFilter {
    /// Of this session only.
    pub session_id: Option<String>,
    /// At most so many, the newest.
    pub limit: u32,
    /// Not older than so many hours.
    pub hours_back: u32,
}

impl Default for SnapshotFilter {
    /// A hundred of the last day, of every session.
    fn default() -> Self {
        SnapshotFilter { session_id: None, limit: 100, hours_back: 24 }
    }
}

impl UsageStore {
    /// Inserts a snapshot and gives it with its row and time.
    ///
    /// # Errors
    /// One that names the field that is wrong, or when the file cannot be written.
    pub fn insert_snapshot(&self, new: NewSnapshot) -> Result<UsageSnapshot> {
        let text = new.text()?;
        let timestamp_ms = new.timestamp_ms.unwrap_or_else(|| self.now_ms());
        let id = self.pool().write(INSERTING, |transaction| {
            insert(transaction, &new, &text, timestamp_ms).could_not(INSERTING, self.pool().object())
        })?;
        Ok(new.inserted(id, timestamp_ms))
    }

    /// Inserts many snapshots in one transaction, all or none, and gives them with their rows and times. Those without a time
    /// have the same one: now.
    ///
    /// # Errors
    /// One that names the field that is wrong, with the number of its snapshot from 1; or when the file cannot be written.
    pub fn insert_snapshots(&self, new: Vec<NewSnapshot>) -> Result<Vec<UsageSnapshot>> {
        let now_ms = self.now_ms();
        // Nothing that takes time is done while others wait for the turn to write.
        let texts = new.iter().enumerate().map(|(place, new)| {
            new.text().map_err(|error| {
                let told =
                    Error::usage(INSERTING, format!("{}, snapshot {}", error.object(), place + 1), error.cause());
                match error.way_out() {
                    Some(hint) => told.hint(hint),
                    None => told,
                }
            })
        });
        let texts = texts.collect::<Result<Vec<_>>>()?;
        let ids = self.pool().write(INSERTING, |transaction| {
            let pairs = new.iter().zip(&texts);
            let ids = pairs.map(|(new, text)| insert(transaction, new, text, new.timestamp_ms.unwrap_or(now_ms)));
            ids.collect::<rusqlite::Result<Vec<i64>>>().could_not(INSERTING, self.pool().object())
        })?;
        let inserted = new.into_iter().zip(ids);
        let finished = inserted.map(|(new, id)| {
            let timestamp_ms = new.timestamp_ms.unwrap_or(now_ms);
            new.inserted(id, timestamp_ms)
        });
        Ok(finished.collect())
    }

    /// The snapshots that the filter asks for, newest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn snapshots(&self, filter: &SnapshotFilter) -> Result<Vec<UsageSnapshot>> {
        let since_ms = self.ago(i64::from(filter.hours_back), HOUR_MS);
        // Two statements: each has its own index, which one with `?1 IS NULL OR` has not.
        let whose = if filter.session_id.is_some() { "session_id = ?3 AND" } else { "" };
        let sql = format!(
            "SELECT {COLUMNS} FROM usage_snapshots WHERE {whose} timestamp >= ?1 ORDER BY timestamp DESC, id DESC \
             LIMIT ?2"
        );
        self.pool().read(LISTING, |connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            match &filter.session_id {
                Some(id) => statement.query_map(params![since_ms, filter.limit, id], snapshot)?.collect(),
                None => statement.query_map(params![since_ms, filter.limit], snapshot)?.collect(),
            }
        })
    }

    /// Every snapshot of a session, newest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn snapshots_by_session(&self, session_id: &str) -> Result<Vec<UsageSnapshot>> {
        let sql =
            format!("SELECT {COLUMNS} FROM usage_snapshots WHERE session_id = ?1 ORDER BY timestamp DESC, id DESC");
        self.pool()
            .read(LISTING, |connection| connection.prepare_cached(&sql)?.query_map([session_id], snapshot)?.collect())
    }

    /// Deletes the snapshots that are more than `days_old` days old and tells how many there were. In several transactions where
    /// there are many, so that nobody waits long for a turn to write.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn delete_old_snapshots(&self, days_old: u32) -> Result<usize> {
        let before_ms = self.ago(i64::from(days_old), DAY_MS);
        let mut deleted = 0;
        loop {
            let now = self.delete_some_before(before_ms)?;
            deleted += now;
            if now < DELETED_AT_ONCE as usize {
                return Ok(deleted);
            }
        }
    }

    /// Deletes the oldest snapshots before that time, at most [`DELETED_AT_ONCE`] of them.
    pub(super) fn delete_some_before(&self, before_ms: i64) -> Result<usize> {
        const DELETING: &str = "delete usage snapshots of";
        self.pool().write(DELETING, |transaction| {
            let sql = "DELETE FROM usage_snapshots WHERE id IN \
                       (SELECT id FROM usage_snapshots WHERE timestamp < ?1 ORDER BY timestamp LIMIT ?2)";
            let mut statement = transaction.prepare_cached(sql).could_not(DELETING, self.pool().object())?;
            statement.execute(params![before_ms, DELETED_AT_ONCE]).could_not(DELETING, self.pool().object())
        })
    }

    /// The time `count` units ago, in milliseconds since 1970.
    pub(super) fn ago(&self, count: i64, unit_ms: i64) -> i64 {
        self.now_ms().saturating_sub(count.saturating_mul(unit_ms))
    }
}

fn insert(connection: &Connection, new: &NewSnapshot, text: &str, timestamp_ms: i64) -> rusqlite::Result<i64> {
    let sql =
        "INSERT INTO usage_snapshots (session_id, snapshot_data, snapshot_type, timestamp) VALUES (?1, ?2, ?3, ?4)";
    connection.prepare_cached(sql)?.insert(params![new.session_id, text, new.snapshot_type, timestamp_ms])
}

fn snapshot(row: &Row<'_>) -> rusqlite::Result<UsageSnapshot> {
    let text = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
    let data = serde_json::from_str(text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(2, Type::Text, Box::new(error)))?;
    Ok(UsageSnapshot {
        id: row.get(0)?,
        session_id: row.get(1)?,
        data,
        snapshot_type: row.get(3)?,
        timestamp_ms: row.get(4)?,
    })
}
