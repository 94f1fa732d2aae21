//! Usage of coding agents: one configuration and a history of snapshots, on the schema of `migrations/usage`.
//!
//! ```no_run
//! use whimbrel::apps::usage::{NewSnapshot, Plan, SnapshotFilter, UsageConfigUpdate, UsageStore};
//!
//! fn main() -> whimbrel::Result<()> {
//!     let store = UsageStore::open("events.db")?;
//!     store.update_config(&UsageConfigUpdate { plan: Some(Plan::Pro), ..Default::default() })?;
//!     store.insert_snapshot(NewSnapshot::stats("session-123", serde_json::json!({"total_tokens": 42})))?;
//!     for snapshot in store.snapshots(&SnapshotFilter::default())? {
//!         println!("{} {}", snapshot.timestamp_ms, snapshot.data);
//!     }
//!     Ok(())
//! }
//! ```
//!
//! A store may be used from several threads, and several processes may have the same file open. Times are
//! milliseconds since 1970-01-01 00:00:00 UTC. Every call blocks; [`UsageStore::run`] is for async code.

mod config;
mod retention;
mod snapshot;
mod word;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use config::{UsageConfig, UsageConfigUpdate};
pub use retention::{Retained, Retention};
pub use snapshot::{NewSnapshot, SnapshotFilter, UsageSnapshot};
pub use word::{Plan, SnapshotType, Theme, TimeFormat, View};

use crate::apps::field::now_ms;
use crate::endpoint::sqlite::pool::{Pool, Settings};
use crate::schema::{self, Findings, Migrations, Runner, Status, To};
use crate::{Error, Result};

/// The first time in milliseconds that the schema takes: a smaller number is a time in seconds.
pub const EARLIEST_MS: i64 = 100_000_000_000;

/// How a store is opened. The defaults suit an application.
#[derive(Clone)]
pub struct StoreOptions {
    /// How long a call waits for another process that writes.
    pub busy_timeout: Duration,
    /// What time it is, in milliseconds since 1970. For tests that need a certain time.
    pub clock: Arc<dyn Fn() -> i64 + Send + Sync>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        StoreOptions { busy_timeout: Duration::from_secs(10), clock: Arc::new(now_ms) }
    }
}

impl std::fmt::Debug for StoreOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreOptions").field("busy_timeout", &self.busy_timeout).finish_non_exhaustive()
    }
}

/// The store. A clone is the same store.
#[derive(Debug, Clone)]
pub struct UsageStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    options: StoreOptions,
    pool: Pool,
}

impl UsageStore {
    /// Opens the file, creates it where there is none, and applies the migrations that are pending.
    ///
    /// # Errors
    /// When the file cannot be opened, is no database, has a history that contradicts the migrations, or tables and no
    /// history at all: another program has made it, and [`Runner::adopt`] or `whimbrel schema adopt` takes it over.
    pub fn open(path: impl AsRef<Path>) -> Result<UsageStore> {
        UsageStore::open_with(path, StoreOptions::default())
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`UsageStore::open`].
    pub fn open_with(path: impl AsRef<Path>, options: StoreOptions) -> Result<UsageStore> {
        let path = path.as_ref().to_owned();
        if path.exists() {
            expect_known(&path)?;
        }
        let settings =
            Settings { busy_timeout: options.busy_timeout, foreign_keys: true, is_durable: false, may_write: true };
        let pool = Pool::open(&path, settings)?;
        let store = UsageStore { inner: Arc::new(Inner { path, options, pool }) };
        store.runner()?.up(To::Newest)?;
        Ok(store)
    }

    /// The migrations of this store, as they were when the program was built.
    ///
    /// # Errors
    /// None that a test of this crate would not have found.
    pub fn migrations() -> Result<Migrations> {
        crate::embed_migrations!("migrations/usage/target"; "0001_events_and_themes", "0002_usage_tracking")
    }

    /// A runner over the store's file and migrations: for going down, repairing, a dry run.
    ///
    /// # Errors
    /// When the path is not one that a runner takes.
    pub fn runner(&self) -> Result<Runner> {
        Runner::open_file(&self.inner.path, UsageStore::migrations()?, schema::RunnerOptions::default())
    }

    /// Where each migration stands.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn migration_status(&self) -> Result<Status> {
        self.runner()?.status()
    }

    /// What is wrong with the file: its history, integrity, foreign keys, and objects that no migration makes.
    ///
    /// # Errors
    /// When the file cannot be read; what is wrong with it is no error.
    pub fn validate(&self) -> Result<Findings> {
        self.runner()?.validate()
    }

    /// Runs `job` where it may block, for async code inside a tokio runtime:
    /// `store.run(|store| store.config()).await`.
    ///
    /// # Errors
    /// Those of the job. A panic in it goes on in the caller.
    pub async fn run<T, F>(&self, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&UsageStore) -> Result<T> + Send + 'static,
    {
        let store = self.clone();
        match tokio::task::spawn_blocking(move || job(&store)).await {
            Ok(result) => result,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(Error::interrupted("use the usage store")),
        }
    }

    fn pool(&self) -> &Pool {
        &self.inner.pool
    }

    fn now_ms(&self) -> i64 {
        (self.inner.options.clock)()
    }
}

/// Fails on a file that another program has made, before anything of it is changed.
fn expect_known(path: &Path) -> Result<()> {
    let mut runner = Runner::open_file(path, UsageStore::migrations()?, schema::RunnerOptions::default())?;
    if !runner.needs_adoption()? {
        return Ok(());
    }
    let cause = "it has tables and no history of the store's migrations: another program has made it";
    Err(Error::could_not("open usage store", format!("`{}`", path.display()), cause).hint(format!(
        "{}: for example `whimbrel schema adopt {} migrations/usage/target --version 1`, or `Runner::adopt`",
        schema::TAKE_OVER,
        path.display()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_migrations_are_those_of_the_project() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/usage/target");
        UsageStore::migrations().unwrap().expect_same_as_dir(folder).unwrap();
    }
}
