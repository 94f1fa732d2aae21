//! Versioned schema migrations for SQLite and PostgreSQL that can be trusted to go up, down and up again.
//!
//! ```no_run
//! use whimbrel::schema::{Migrations, Runner, To};
//!
//! fn open() -> whimbrel::Result<()> {
//!     let migrations = Migrations::from_dir("migrations/app/target")?;
//!     let report = Runner::open("app.db", migrations)?.up(To::Newest)?;
//!     println!("{} migrations applied", report.steps.len());
//!     Ok(())
//! }
//! ```
//!
//! # Types and flow
//!
//! ```text
//! folder or embedded list ─► files: Migrations ─┐
//! schema_migrations ───────► history: Entry ────┼─► plan: Step, Step, … ─► Database::run ─► Report
//! what was asked ──────────► To ────────────────┘         │                  sqlite | postgres
//!                                                         └─ or one refusal, before anything was touched
//! tokens ─► script: the statements of one direction, checked     status, drift: history and schema against the files
//!                                                                adopt: the same for a database without a history
//! ```
//!
//! The plan is made twice: once without a lock, so that an up-to-date database costs one read, and again under the
//! lock of the runner. The database then makes sure, inside the transaction of each step, that the history is still
//! the one that was planned for.
//!
//! # What a run guarantees
//!
//! - A path is refused as a whole or not at all: a changed, missing or late file, an irreversible, missing or
//!   unlabelled down, transaction control or a connection's pragma in any script of it is found before the first
//!   statement runs.
//! - A migration and its history row commit together. Without a transaction, the row is there before the first
//!   statement and says after each one how far the script came; [`Runner::resume`] and [`Runner::undo`] go on from it.
//! - The history is the runner's alone. On SQLite a script that would write it, put something on it or change the
//!   connection is refused before the statement runs; on PostgreSQL the table and every other row of it are compared
//!   before and after the script. Each row that is written is read back before COMMIT, and a history that is not
//!   exactly the table that the runner makes (a view, one with a trigger, a rule, another shape) is refused.
//! - On SQLite foreign keys are off while a script runs, so that rebuilding a table does not delete its children.
//!   Before COMMIT, after the history row was written, each table that the script could write to has as many rows as before, unless the script declares
//!   the loss, and no foreign key is broken. A rebuilt table has its indexes, triggers and ids again, and no view,
//!   trigger or foreign key is left of no use, unless the script declares it.
//! - On SQLite the file is sound before the first statement of a run, and what a script touched is before COMMIT; the
//!   error says which of the two was not ([`RunnerOptions::check_integrity`]).
//! - On PostgreSQL a statement of a script gets all rows or is refused: row-level security hides none from it unless the
//!   script itself switches it on.
//! - One runner works on a database at a time. Its lock ends with its process, however that ends. On SQLite a process
//!   that was killed leaves the empty file `app.db-schema-lock`, which is harmless; the next run takes and removes it.
//! - The history keeps the down scripts, so that an older program can take back what a newer one has applied.
//!
//! Not guaranteed: that a down script restores what its up has changed (`validate` compares schemas, not rows), and on
//! PostgreSQL that no row is lost (nothing is counted there; a rebuild does not cascade as it does on SQLite).

mod adopt;
mod advice;
mod checksum;
pub(crate) mod clock;
mod database;
mod drift;
mod embed;
mod event;
mod files;
mod history;
mod kept;
mod plan;
mod postgres;
mod rights;
mod runner;
mod scaffold;
mod script;
mod shell;
#[cfg(feature = "scenarios")]
mod source;
mod sqlite;
mod status;
mod step;
pub(crate) mod tokens;

pub use adopt::Adoption;
#[cfg(feature = "cli")]
pub(crate) use adopt::MISMATCH as ADOPTION_MISMATCH;
pub use checksum::{canonical, checksum};
pub use database::{LOCK_TIMEOUT_DEFAULT, RUNNER_TIMEOUT_DEFAULT, RunnerOptions};
pub use drift::{Difference, Object, compare};
pub use event::{Event, Report, StepReport};
pub use files::{Migration, Migrations};
#[cfg(feature = "scenarios")]
pub(crate) use history::COLUMNS as HISTORY_COLUMNS;
pub(crate) use history::TAKE_OVER;
pub use history::{Entry, EntryState, OtherHistory};
pub use plan::{Direction, To};
#[cfg(feature = "scenarios")]
pub(crate) use postgres::create_source;
pub use runner::{Findings, Runner};
pub use scaffold::{Scaffold, new_migration};
pub use script::Reversal;
#[doc(hidden)] // for tests/fuzz
pub use script::Script;
#[cfg(feature = "scenarios")]
pub(crate) use source::{SourceScript, source_scripts};
pub use status::{Line, State, Status};
pub use tokens::Dialect;
#[doc(hidden)] // for tests/fuzz
pub use tokens::scan;
