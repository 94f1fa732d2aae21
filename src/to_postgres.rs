//! A migration into a PostgreSQL database: every option in one struct, and how it goes to the target and to the run.

use crate::cancel::Cancel;
use crate::catalog::Catalog;
use crate::endpoint::PostgresUrl;
use crate::endpoint::Source;
use crate::endpoint::findings::Difference;
use crate::endpoint::postgres::{Patience, PostgresTarget, Published};
use crate::endpoint::sqlite::{Adrift, SqliteSource};
use crate::error::{Error, Result};
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
        Ok(target.made(source.made_of_own_columns()?))
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
    let made = source.made_of_own_columns()?;
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
    let adrift = told_adrift(source, &job.run)?;
    let mut target = job.target(source, cancel)?;
    let (catalog, mut plan) = run::plan(source, &mut target, &job.run)?;
    plan.caveats.extend(adrift);
    tell_what_stays(source, &mut plan)?;
    Ok((catalog, plan))
}

/// Migrates into the database; a plan that has refusals is given back.
///
/// # Errors
/// As [`run::attempt`].
pub fn attempt(source: &mut SqliteSource, job: &Job, cancel: &Cancel, listener: &Listener<'_>) -> Result<Attempt> {
    let adrift = told_adrift(source, &job.run)?;
    let target = job.target(source, cancel)?;
    let mut attempt = run::attempt(source, target, &job.run, cancel, listener)?;
    let plan = match &mut attempt {
        Attempt::Done(done) => &mut done.plan,
        Attempt::Refused(planned) => &mut planned.plan,
    };
    plan.caveats.extend(adrift);
    tell_what_stays(source, plan)?;
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

/// Values that nobody can tell, where somebody has said that the columns' own will do: else they stop the run.
fn told_adrift(source: &SqliteSource, options: &RunOptions) -> Result<Vec<Caveat>> {
    let adrift = source.adrift(&|table| options.choices.carries(table))?;
    let told = |one: &Adrift| {
        format!(
            "the ledger keeps `{}` for the row {}, which is not what it was, and the row {} holds what was written beside that: it may be \
             the same row under another key or number",
            one.exact, one.row_key, one.candidate
        )
    };
    let named = |one: &Adrift| format!("{}.{}", one.table, one.column);
    if let (Some(first), false) = (adrift.first(), options.allow_inexact) {
        let more = match adrift.len() {
            1 => String::new(),
            count => format!(" ({count} values of that kind)"),
        };
        let object = format!("column `{}` of {}", named(first), source.label());
        return Err(Error::differs("read", object, format!("{}{more}", told(first))).hint(
            "put the key back, or go back to a copy of the file; `--allow-inexact` carries such rows as their columns are",
        ));
    }
    Ok(adrift.iter().map(|one| Caveat { object: named(one), text: told(one) }).collect())
}
