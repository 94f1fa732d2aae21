//! What a runner tells while it works, and what it reports at the end. Plain facts; rendering is the report's job.

use serde::Serialize;

use super::plan::Direction;

/// One fact about a run under way. Statements count from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
#[non_exhaustive]
pub enum Event {
    /// Another runner works on the same database.
    Waiting {
        /// How long this one has waited, in milliseconds.
        waited_ms: u64,
    },
    /// A lock could not be had within its timeout; the migration was rolled back and is tried again.
    Retrying {
        /// The migration.
        version: i64,
        /// The attempt that failed, from 1.
        attempt: u32,
        /// What the database said.
        cause: String,
    },
    /// A migration begins.
    Started {
        /// The migration.
        version: i64,
        /// Its name.
        name: String,
        /// The way it goes.
        direction: Direction,
        /// How many statements it has.
        statements: usize,
    },
    /// A statement is about to run.
    StatementStarting {
        /// The migration.
        version: i64,
        /// The statement.
        statement: usize,
    },
    /// A statement of a dump is not run: it speaks of what this server does not have, and changes neither a row nor an
    /// object.
    LeftOut {
        /// The migration.
        version: i64,
        /// The line of the script on which the statement begins.
        line: u32,
        /// How it begins.
        sql: String,
        /// Why.
        why: String,
    },
    /// A statement has run. Inside a transaction nothing of it is committed yet.
    StatementFinished {
        /// The migration.
        version: i64,
        /// The statement.
        statement: usize,
    },
    /// Everything ran and was checked, the history row is written; COMMIT is next.
    Committing {
        /// The migration.
        version: i64,
    },
    /// A migration is committed.
    Finished(StepReport),
}

/// What one migration did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepReport {
    /// The migration.
    pub version: i64,
    /// Its name.
    pub name: String,
    /// The way it went.
    pub direction: Direction,
    /// How many statements ran.
    pub statements: usize,
    /// How long they took, in milliseconds.
    pub duration_ms: i64,
    /// What its way back is: `lossless`, `lossy`, `irreversible`.
    pub reversal: String,
}

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The database, without a password.
    pub endpoint: String,
    /// Whether everything was rolled back at the end because that was asked for.
    pub dry_run: bool,
    /// What ran, in order.
    pub steps: Vec<StepReport>,
    /// What a dry run could not execute: the first migration without a transaction and all behind it.
    pub not_executed: Vec<String>,
}

/// Who is told what happens.
pub(crate) type Observer<'o> = dyn FnMut(&Event) + Send + 'o;
