//! A migration into a SQLite file: every option in one struct, with its default, and how it goes to the target and to the run.

use crate::backup::publish::{PublishOptions, Published, publish};
use crate::cancel::Cancel;
use crate::catalog::Catalog;
use crate::endpoint::Source;
use crate::endpoint::sqlite::Definitions;
pub use crate::endpoint::sqlite::target::ApplySchema;
use crate::endpoint::sqlite::target::{Exchange, JournalMode, PAGE_SIZE_BYTES_DEFAULT, SqliteTarget};
use crate::error::Result;
use crate::event::Listener;
use crate::plan::Plan;
use crate::transfer::run::{self, RunOptions};
use crate::verify::Level;
use std::path::PathBuf;
use std::sync::Arc;

/// What a run into a SQLite file did.
pub type Outcome = run::Outcome<Published>;

/// What became of a run into a SQLite file.
pub type Attempt = run::Attempt<Published>;

/// How to migrate into a SQLite file: every option, with its default. Projects, the library's builder and the command line
/// hold this struct and no options of their own.
#[derive(Debug, Clone, PartialEq)]
pub struct MigrationOptions {
    /// What is carried, and how much is proven.
    pub run: RunOptions,
    /// A folder of checks to run on the finished file.
    pub checks: Option<PathBuf>,
    /// A script that computes columns of a given schema that no source fills, from the rows that are there.
    pub derived: Option<PathBuf>,
    /// The journal mode of the published file.
    pub journal_mode: JournalMode,
    /// The page size of the file in bytes, a power of two from 512 to 65536.
    pub page_size_bytes: u32,
    /// Where the backup of an existing target goes, if not beside it.
    pub backups: Option<PathBuf>,
    /// How many milliseconds to wait for other programs to let go of the target.
    pub wait_ms: u32,
}

impl Default for MigrationOptions {
    /// Everything carried, verified in full, published in WAL mode.
    fn default() -> Self {
        MigrationOptions {
            run: RunOptions::default(),
            checks: None,
            derived: None,
            journal_mode: JournalMode::default(),
            page_size_bytes: PAGE_SIZE_BYTES_DEFAULT,
            backups: None,
            wait_ms: WAIT_MS_DEFAULT,
        }
    }
}

/// How many milliseconds other programs are waited for, where nobody says.
pub const WAIT_MS_DEFAULT: u32 = 2_000;

/// What to migrate, and how.
pub struct Job<'j> {
    /// The file that is to be.
    pub target: PathBuf,
    /// A target schema that somebody wrote; without one it is derived.
    pub schema: Option<&'j ApplySchema<'j>>,
    /// The definitions of a SQLite source, which go as they stand where nobody wrote a schema.
    pub definitions: Option<&'j Definitions>,
    /// How.
    pub options: MigrationOptions,
}

impl Job<'_> {
    /// A job with the defaults.
    pub fn new(target: impl Into<PathBuf>) -> Self {
        Job { target: target.into(), schema: None, definitions: None, options: MigrationOptions::default() }
    }

    /// The same job, verified at that level.
    #[must_use]
    pub fn verified(mut self, level: Level) -> Self {
        self.options.run.level = level;
        self
    }

    /// What of it is the target's; without an exchange it is only planned for.
    fn target<'t>(&'t self, exchange: Option<Exchange<'t, Published>>) -> SqliteTarget<'t, Published> {
        let mut target = SqliteTarget::new(self.target.clone(), self.schema, exchange);
        target.definitions = self.definitions;
        (target.page_size_bytes, target.journal_mode) = (self.options.page_size_bytes, self.options.journal_mode);
        target.checks.clone_from(&self.options.checks);
        target.derived.clone_from(&self.options.derived);
        target
    }
}

/// The plan for a job; nothing is written beside the target.
///
/// # Errors
/// As [`run::plan`].
pub fn plan(source: &mut dyn Source, job: &Job<'_>) -> Result<(Arc<Catalog>, Plan)> {
    run::plan(source, &mut job.target(None), &job.options.run)
}

/// Migrates into the file, where nothing has to be decided first.
///
/// # Errors
/// As [`run::migrate`].
pub fn migrate(source: &mut dyn Source, job: &Job<'_>, cancel: &Cancel, listener: &Listener<'_>) -> Result<Outcome> {
    attempt(source, job, cancel, listener)?.outcome()
}

/// Migrates into the file; a plan that has refusals is given back.
///
/// # Errors
/// As [`run::attempt`].
pub fn attempt(source: &mut dyn Source, job: &Job<'_>, cancel: &Cancel, listener: &Listener<'_>) -> Result<Attempt> {
    let flag = cancel.flag();
    let exchange: Exchange<'_, Published> = Box::new(move |finished| {
        let options = PublishOptions {
            journal_mode: job.options.journal_mode,
            backup_directory: job.options.backups.as_deref(),
            source: finished.source,
            manifest_digest: finished.digest,
            wait_ms: job.options.wait_ms,
            cancel: &flag,
        };
        publish(finished.staging, &job.target, options)
    });
    run::attempt(source, job.target(Some(exchange)), &job.options.run, cancel, listener)
}

#[cfg(test)]
mod tests;
