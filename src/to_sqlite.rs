//! A migration into a SQLite file: every option in one struct, with its default, and how it goes to the target and to the run.

use crate::backup::publish::{PublishOptions, Published, publish};
use crate::cancel::Cancel;
use crate::catalog::Catalog;
use crate::endpoint::Source;
pub use crate::endpoint::sqlite::target::ApplySchema;
use crate::endpoint::sqlite::target::{Exchange, JournalMode, PAGE_SIZE_BYTES_DEFAULT, SqliteTarget};
use crate::error::Result;
use crate::event::Listener;
use crate::plan::Plan;
use crate::plan::choices::Choices;
use crate::transfer::run;
use crate::verify::Level;
use std::path::PathBuf;
use std::sync::Arc;

/// What a run into a SQLite file did.
pub type Outcome = run::Outcome<Published>;

/// What to migrate, and how.
pub struct Job<'j> {
    /// The file that is to be.
    pub target: PathBuf,
    /// The user's choices.
    pub choices: Choices,
    /// A target schema that somebody wrote; without one it is derived.
    pub schema: Option<&'j ApplySchema<'j>>,
    /// A folder of checks to run on the finished file.
    pub checks: Option<PathBuf>,
    /// How much is verified before the file is published.
    pub level: Level,
    /// Whether the target keeps the source's catalog, the manifest and the ledger.
    pub metadata: bool,
    /// Whether a file without metadata is published although columns hold less than the source's values.
    pub allow_inexact: bool,
    /// The journal mode of the published file.
    pub journal_mode: JournalMode,
    /// The page size of the file in bytes, a power of two from 512 to 65536.
    pub page_size_bytes: u32,
    /// Where the backup of an existing target goes, if not beside it.
    pub backup_directory: Option<PathBuf>,
    /// How many milliseconds to wait for other programs to let go of the target.
    pub wait_ms: u32,
}

impl Job<'_> {
    /// A job with the defaults: everything carried, verified in full, published in WAL mode.
    pub fn new(target: impl Into<PathBuf>) -> Self {
        let run::Job { choices, level, metadata, allow_inexact } = run::Job::default();
        Job {
            target: target.into(),
            choices,
            schema: None,
            checks: None,
            level,
            metadata,
            allow_inexact,
            journal_mode: JournalMode::default(),
            page_size_bytes: PAGE_SIZE_BYTES_DEFAULT,
            backup_directory: None,
            wait_ms: 2_000,
        }
    }

    /// What of it is the run's.
    fn run(&self) -> run::Job {
        let Job { level, metadata, allow_inexact, .. } = *self;
        run::Job { choices: self.choices.clone(), level, metadata, allow_inexact }
    }

    /// What of it is the target's; without an exchange it is only planned for.
    fn target<'t>(&'t self, exchange: Option<Exchange<'t, Published>>) -> SqliteTarget<'t, Published> {
        let mut target = SqliteTarget::new(self.target.clone(), self.schema, exchange);
        (target.page_size_bytes, target.journal_mode) = (self.page_size_bytes, self.journal_mode);
        target.checks.clone_from(&self.checks);
        target
    }
}

/// The plan for a job; nothing is written beside the target.
///
/// # Errors
/// As [`run::plan`].
pub fn plan(source: &mut dyn Source, job: &Job<'_>) -> Result<(Arc<Catalog>, Plan)> {
    run::plan(source, &mut job.target(None), &job.run())
}

/// Migrates into the file.
///
/// # Errors
/// As [`run::migrate`].
pub fn migrate(source: &mut dyn Source, job: &Job<'_>, cancel: &Cancel, listener: &Listener<'_>) -> Result<Outcome> {
    let flag = cancel.flag();
    let exchange: Exchange<'_, Published> = Box::new(move |finished| {
        let options = PublishOptions {
            journal_mode: job.journal_mode,
            backup_directory: job.backup_directory.as_deref(),
            source: finished.source,
            manifest_digest: finished.digest,
            wait_ms: job.wait_ms,
            cancel: &flag,
        };
        publish(finished.staging, &job.target, options)
    });
    run::migrate(source, job.target(Some(exchange)), &job.run(), cancel, listener)
}

#[cfg(test)]
mod tests;
