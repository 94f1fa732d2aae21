//! What a runner needs from a database; one implementation for SQLite, one for PostgreSQL.

use std::time::Duration;

use super::drift::Object;
use super::event::{Observer, StepReport};
use super::files::Migrations;
use super::history::{Entry, ForeignEntry, OtherHistory};
use super::plan::Step;
use super::tokens::Dialect;
use crate::Result;
use crate::endpoint::postgres::{STALL_TIMEOUT_DEFAULT, WaitListener};
use crate::plan::HISTORY_TABLE;

/// How a step ended that did not fail.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is committed.
    Done(StepReport),
    /// Another program changed the history since the plan was made; nothing was run.
    Stale,
}

/// How long another runner is waited for, where nobody says.
pub const RUNNER_TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);

/// How long a statement may wait for a lock, where nobody says.
pub const LOCK_TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);

/// How a runner behaves. The defaults suit an application's start.
#[derive(Clone)]
pub struct RunnerOptions {
    /// Execute, then roll back.
    pub dry_run: bool,
    /// How long to wait for another runner on the same database.
    pub runner_timeout: Duration,
    /// How long a statement may wait for a lock that the application holds (PostgreSQL: `lock_timeout`, SQLite: the
    /// busy timeout).
    pub lock_timeout: Duration,
    /// How often a migration is tried again after it ran into that timeout.
    pub lock_retries: u32,
    /// Apply a migration although a newer one has been applied.
    pub allow_out_of_order: bool,
    /// SQLite: the file is checked before the first script, and what a script touched before its COMMIT. That reads all of
    /// the file, then all of those tables.
    pub check_integrity: bool,
    /// `validate` takes a pending migration as work to do and not as a problem.
    pub allow_pending: bool,
    /// PostgreSQL: how long the server may send nothing while it owes an answer and is not at work on it; `None` is for
    /// ever.
    pub stall_timeout: Option<Duration>,
    /// PostgreSQL: who hears, after two seconds, which lock of the server is waited for.
    pub wait_listener: Option<WaitListener>,
    /// The name of the history table.
    pub history_table: String,
    /// PostgreSQL: the URL of an empty database in which `validate` builds the schema that the migrations produce.
    /// Without it, one is created beside the database and dropped again, which needs the right to.
    pub scratch_url: Option<String>,
}

impl std::fmt::Debug for RunnerOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let RunnerOptions {
            dry_run,
            runner_timeout,
            lock_timeout,
            lock_retries,
            allow_out_of_order,
            check_integrity,
            allow_pending,
            stall_timeout,
            wait_listener: _,
            history_table,
            scratch_url,
        } = self;
        f.debug_struct("RunnerOptions")
            .field("dry_run", dry_run)
            .field("runner_timeout", runner_timeout)
            .field("lock_timeout", lock_timeout)
            .field("lock_retries", lock_retries)
            .field("allow_out_of_order", allow_out_of_order)
            .field("check_integrity", check_integrity)
            .field("allow_pending", allow_pending)
            .field("stall_timeout", stall_timeout)
            .field("history_table", history_table)
            .field("scratch_url", &scratch_url.as_deref().map(crate::redact::url))
            .finish_non_exhaustive()
    }
}

impl Default for RunnerOptions {
    fn default() -> Self {
        RunnerOptions {
            dry_run: false,
            runner_timeout: RUNNER_TIMEOUT_DEFAULT,
            lock_timeout: LOCK_TIMEOUT_DEFAULT,
            lock_retries: 5,
            allow_out_of_order: false,
            check_integrity: true,
            allow_pending: false,
            stall_timeout: Some(STALL_TIMEOUT_DEFAULT),
            wait_listener: None,
            history_table: HISTORY_TABLE.to_owned(),
            scratch_url: None,
        }
    }
}

/// A database that can be migrated.
pub(crate) trait Database: Send {
    /// The database for people, without a password.
    fn endpoint(&self) -> &str;

    /// Whose SQL it speaks.
    fn dialect(&self) -> Dialect;

    /// The history, ascending; empty where there is none. Creates nothing.
    fn history(&mut self) -> Result<Vec<Entry>>;

    /// Keeps every other runner out until [`Database::unlock`], and prepares the connection for migrations.
    fn lock(&mut self, observe: &mut Observer<'_>) -> Result<()>;

    /// Lets other runners in and restores the connection.
    fn unlock(&mut self) -> Result<()>;

    /// Removes what a killed runner has left beside the database, as [`Database::lock`] would. What cannot be removed
    /// is left to the next one.
    fn tidy(&mut self) {}

    /// Runs one step and commits it with its history row.
    fn run(&mut self, step: &Step, observe: &mut Observer<'_>) -> Result<Outcome>;

    /// Fails where the history is not what the steps have left, as it is committed now.
    fn confirm(&mut self) -> Result<()>;

    /// Runs the steps in one transaction and rolls it back. None of them is without a transaction.
    fn rehearse(&mut self, steps: &[Step], observe: &mut Observer<'_>) -> Result<Vec<StepReport>>;

    /// Replaces what the history says about migrations that were applied: name, checksums, down script. Adds a line
    /// to the remarks.
    fn record_repair(&mut self, step: &Step, remark: &str) -> Result<()>;

    /// sqlx's history, where there is one.
    fn sqlx_history(&mut self) -> Result<Option<Vec<ForeignEntry>>>;

    /// The table of another tool's that has the history's name, where there is one: it has versions, and not our columns.
    fn other_history(&mut self) -> Result<Option<OtherHistory>>;

    /// Writes rows for migrations that another tool applied: each with its time, duration in milliseconds and remark. The
    /// table that has the history's name is called otherwise first.
    fn record_adopted(
        &mut self,
        rows: &[(Step, ForeignEntry)],
        remark: &str,
        in_the_way: Option<&OtherHistory>,
    ) -> Result<()>;

    /// Every object of the schema but the history.
    fn objects(&mut self) -> Result<Vec<Object>>;

    /// The objects that the first `migrations` produce from nothing. The inner error is that of a migration that fails
    /// there, the outer one that there was no place to make them in.
    fn objects_from_nothing(&mut self, migrations: &Migrations) -> Result<Result<Vec<Object>>>;

    /// What the database itself finds wrong, one sentence each.
    fn integrity(&mut self) -> Result<Vec<String>>;

    /// The connection to a SQLite database, where one was opened.
    fn take_connection(&mut self) -> Option<rusqlite::Connection> {
        None
    }
}
