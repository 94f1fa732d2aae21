//! A migration into a PostgreSQL database: every option in one struct, and how it goes to the target and to the run.

use crate::cancel::Cancel;
use crate::catalog::Catalog;
use crate::endpoint::PostgresUrl;
use crate::endpoint::Source;
use crate::endpoint::findings::Difference;
use crate::endpoint::postgres::{Patience, PostgresTarget, Published};
use crate::endpoint::sqlite::SqliteSource;
use crate::error::Result;
use crate::event::Listener;
use crate::plan::home::Wishes;
use crate::plan::{Caveat, Loss, Plan, Reason};
use crate::transfer::run::{self, RunOptions};
use crate::value::TableDigest;
use std::sync::Arc;

/// What a run into a database did.
pub type Outcome = run::Outcome<Published>;

/// What became of a run into a database.
pub type Attempt = run::Attempt<Published>;

/// What to migrate, and how.
#[derive(Debug, Clone)]
pub struct Job {
    /// The database that is to be filled.
    pub target: PostgresUrl,
    /// How it is to be filled.
    pub wishes: Wishes,
    /// What is carried, and how much is proven.
    pub run: RunOptions,
    /// How a server is waited for.
    pub patience: Patience,
}

impl Job {
    fn target(&self, source: &SqliteSource, cancel: &Cancel) -> Result<PostgresTarget> {
        let target =
            PostgresTarget::new(self.target.clone(), self.wishes.clone(), self.patience.clone(), cancel.clone());
        Ok(target.made(source.made()?))
    }
}

/// How a table stands to what it was when its file was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// Every row is as it was.
    AsMade,
    /// Rows were added, changed or taken away.
    Changed,
    /// It came into the file since.
    New,
}

/// How each of a plan's tables stands to what it was, by the digests of its rows.
///
/// # Errors
/// When the file cannot be read.
pub fn since(source: &SqliteSource, plan: &Plan, digests: &[TableDigest]) -> Result<Vec<Since>> {
    let made = source.made()?;
    let tables = plan.tables.iter().zip(digests);
    Ok(tables
        .map(|(table, digest)| match made.get(&table.source.to_string()) {
            None => Since::New,
            Some(kept) if kept.digest.as_ref() == Some(digest) => Since::AsMade,
            Some(_) => Since::Changed,
        })
        .collect())
}

/// The plan for a job: the server is asked about the definitions, in a transaction that is rolled back.
///
/// # Errors
/// As [`run::plan`].
pub fn plan(source: &mut SqliteSource, job: &Job, cancel: &Cancel) -> Result<(Arc<Catalog>, Plan)> {
    let mut target = job.target(source, cancel)?;
    let (catalog, mut plan) = run::plan(source, &mut target, &job.run)?;
    tell_what_stays(source, &mut plan)?;
    Ok((catalog, plan))
}

/// Migrates into the database; a plan that has refusals is given back.
///
/// # Errors
/// As [`run::attempt`].
pub fn attempt(source: &mut SqliteSource, job: &Job, cancel: &Cancel, listener: &Listener<'_>) -> Result<Attempt> {
    let target = job.target(source, cancel)?;
    let mut attempt = run::attempt(source, target, &job.run, cancel, listener)?;
    match &mut attempt {
        Attempt::Done(done) => tell_what_stays(source, &mut done.plan)?,
        Attempt::Refused(planned) => tell_what_stays(source, &mut planned.plan)?,
    }
    Ok(attempt)
}

/// What the source of the file had and the file has not, and what came into the file since and has no place in the catalog that it
/// remembers.
fn tell_what_stays(source: &SqliteSource, plan: &mut Plan) -> Result<()> {
    let gone = source.left_out().iter();
    plan.losses.extend(gone.map(|(kind, name)| Loss {
        kind: *kind,
        object: name.to_string(),
        reason: Reason::NotInFile,
    }));
    let since = source.defined_since()?.into_iter();
    plan.caveats.extend(since.map(|Difference { text, .. }| Caveat {
        object: source.label().to_owned(),
        text: format!("since it was made: {text}; that stays in the file"),
    }));
    Ok(())
}
