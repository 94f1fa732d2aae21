//! The memory of a group of agents: one SQLite file of the schema of `migrations/agents`, and a storage folder beside it with the
//! contents of snapshots.
//!
//! ```no_run
//! use whimbrel::apps::agents::{Agent, AgentStatus, AgentStore};
//!
//! fn main() -> whimbrel::Result<()> {
//!     let store = AgentStore::open("agent_hive.db", ".claude")?;
//!     store.register(&Agent {
//!         agent_id: "frontend-1".to_owned(),
//!         agent_type: "frontend".to_owned(),
//!         status: AgentStatus::Active,
//!         worktree_path: None,
//!         branch_name: None,
//!         configuration: None,
//!     })?;
//!     let context = store.open_context("frontend-1", &serde_json::json!({"goal": "the menu"}))?;
//!     store.use_context(&context.session_id, &serde_json::json!({"goal": "the menu", "seen": ["app.ts"]}), 170_000)?;
//!     Ok(())
//! }
//! ```
//!
//! Most of the fourteen tables have no file in any tree, so this store is SQLite in every mode of the application's move; what its
//! tree has comes in by `whimbrel migrate migrations/agents`. A store may be used from several threads, and several processes
//! may have the same file open. Every call blocks.

mod context;
mod model;
mod snapshot;
mod work;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, Params, Transaction};

pub use context::Consolidation;
pub use model::{
    Agent, AgentStatus, Category, Context, ContextEventType, Event, MemoryType, Message, MessageType, MetricType,
    Priority, Severity, Snapshot, Task, TaskStatus,
};
pub use snapshot::Collected;
pub use work::{NewMessage, NewTask};

use crate::apps::field::{now_ms, rfc_3339};
use crate::endpoint::sqlite::pool::{Pool, Settings};
use crate::error::Context as _;
use crate::schema::{Migrations, Runner, RunnerOptions, To};
use crate::{Error, Result};
use model::OfRow;

/// How a store is opened. The defaults suit an application.
#[derive(Clone)]
pub struct StoreOptions {
    /// How long a call waits for another process that writes.
    pub busy_timeout: Duration,
    /// From which usage on, in percent, a context is consolidated.
    pub consolidated_at_percent: f64,
    /// What time it is, in milliseconds since 1970. For tests that need a certain time.
    pub clock: Arc<dyn Fn() -> i64 + Send + Sync>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        StoreOptions { busy_timeout: Duration::from_secs(30), consolidated_at_percent: 80.0, clock: Arc::new(now_ms) }
    }
}

/// The store. A clone is the same store.
#[derive(Clone)]
pub struct AgentStore {
    inner: Arc<Inner>,
}

struct Inner {
    storage: PathBuf,
    options: StoreOptions,
    pool: Pool,
}

impl fmt::Debug for AgentStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentStore").field("file", &self.pool().object()).finish_non_exhaustive()
    }
}

impl AgentStore {
    /// Opens the file, creates it where there is none, and applies the migrations that are pending. `storage` is the folder that
    /// has `memory_snapshots/`.
    ///
    /// # Errors
    /// When the file cannot be opened, is no database, or has a history that contradicts the migrations.
    pub fn open(file: impl AsRef<Path>, storage: impl AsRef<Path>) -> Result<AgentStore> {
        AgentStore::open_with(file, storage, StoreOptions::default())
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`AgentStore::open`].
    pub fn open_with(file: impl AsRef<Path>, storage: impl AsRef<Path>, options: StoreOptions) -> Result<AgentStore> {
        let file = file.as_ref();
        let settings =
            Settings { busy_timeout: options.busy_timeout, foreign_keys: true, is_durable: true, may_write: true };
        let pool = Pool::open(file, settings)?;
        Runner::open_file(file, AgentStore::migrations()?, RunnerOptions::default())?.up(To::Newest)?;
        Ok(AgentStore { inner: Arc::new(Inner { storage: storage.as_ref().to_owned(), options, pool }) })
    }

    /// The migrations of this store, as they were when the program was built.
    ///
    /// # Errors
    /// None that a test of this crate would not have found.
    pub fn migrations() -> Result<Migrations> {
        crate::embed_migrations!("migrations/agents/target"; "0001_initial", "0002_foreign_key_indexes", "0003_query_indexes")
    }

    fn pool(&self) -> &Pool {
        &self.inner.pool
    }

    fn storage(&self) -> &Path {
        &self.inner.storage
    }

    fn now_ms(&self) -> i64 {
        (self.inner.options.clock)()
    }

    /// The time as the schema's own defaults write it.
    fn now(&self) -> String {
        spaced(self.now_ms())
    }

    /// The rows that a condition chooses, in its order.
    fn select<T: OfRow>(&self, operation: &str, from: &str, values: impl Params) -> Result<Vec<T>> {
        let sql = format!("SELECT {} FROM {from}", T::COLUMNS);
        self.pool().read(operation, |connection| {
            connection.prepare_cached(&sql)?.query_map(values, |row| T::of_row(row))?.collect()
        })
    }

    /// Runs one statement; the number of rows that it has changed.
    fn execute(&self, operation: &str, sql: &str, values: impl Params) -> Result<usize> {
        self.pool().write(operation, |transaction| {
            let run = || transaction.prepare_cached(sql)?.execute(values);
            run().could_not(operation, self.pool().object())
        })
    }
}

/// `YYYY-MM-DD HH:MM:SS`, UTC.
fn spaced(ms: i64) -> String {
    let text = rfc_3339(ms);
    text[..19].replacen('T', " ", 1)
}

/// An id of the application's form, `PREFIX_OWNER_YYYYmmdd_HHMMSS`, that no row has; a second later where that one is taken.
/// `micros` says whether the microseconds are a part of it.
fn free_id(
    transaction: &Transaction<'_>,
    (table, key): (&str, &str),
    (prefix, owner): (&str, &str),
    now_ms: i64,
    with_micros: bool,
) -> rusqlite::Result<String> {
    let sql = format!("SELECT EXISTS (SELECT 1 FROM {table} WHERE {key} = ?1)");
    let mut statement = transaction.prepare_cached(&sql)?;
    let mut ms = now_ms;
    loop {
        let text = rfc_3339(ms);
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let (day, rest) = digits.split_at(8);
        let (time, millis) = rest.split_at(6);
        let id = match with_micros {
            true => format!("{prefix}_{owner}_{day}_{time}_{millis}000"),
            false => format!("{prefix}_{owner}_{day}_{time}"),
        };
        if !statement.query_row([&id], |row| row.get::<_, bool>(0))? {
            return Ok(id);
        }
        ms += if with_micros { 1 } else { 1_000 };
    }
}

/// Whether a row is there.
fn expect_changed(changed: usize, operation: &str, id: &str) -> Result<()> {
    match changed {
        0 => Err(Error::could_not(operation, format!("`{id}`"), "there is none with this id")),
        _ => Ok(()),
    }
}

fn text(value: Option<&serde_json::Value>) -> Option<String> {
    value.map(serde_json::Value::to_string)
}

/// One row, where there is one.
fn only<T: OfRow>(connection: &Connection, from: &str, values: impl Params) -> rusqlite::Result<Option<T>> {
    use rusqlite::OptionalExtension;
    let sql = format!("SELECT {} FROM {from}", T::COLUMNS);
    connection.prepare_cached(&sql)?.query_row(values, |row| T::of_row(row)).optional()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_migrations_are_those_of_the_project() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/agents/target");
        AgentStore::migrations().unwrap().expect_same_as_dir(folder).unwrap();
    }

    #[test]
    fn times_are_those_of_the_schema() {
        assert_eq!(spaced(951_782_400_007), "2000-02-29 00:00:00");
    }
}
