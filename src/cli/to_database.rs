//! `whimbrel migrate` and `whimbrel plan` into a PostgreSQL database: the way home of a file.

use super::config::Route;
use super::exit::Exit;
use super::options::{Choosing, ServerWaiting};
use super::output::Output;
use crate::cancel::Cancel;
use crate::endpoint::sqlite::SqliteSource;
use crate::endpoint::{Endpoint, PostgresUrl, Source};
use crate::error::{Error, Result};
use crate::plan::home::Wishes;
use crate::report::message::{self, Message};
use crate::report::{home, plan, verification};
use crate::to_postgres::{self, Attempt, Job};
use crate::transfer::run::RunOptions;
use crate::verify::{self, Level};
use std::sync::Arc;

/// What the command line says of a run into a database.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// What is carried.
    pub choosing: &'a Choosing,
    /// How it is to be filled.
    pub wishes: Wishes,
    /// How the server is waited for.
    pub server: ServerWaiting,
    /// Options that have no meaning for a database.
    pub unused: Vec<&'static str>,
    /// Everything but publish.
    pub dry_run: bool,
    /// Whether the database remembers the run.
    pub metadata: bool,
    /// Whether rows whose exact values nobody can tell any more go as their columns are.
    pub allow_inexact: bool,
    /// How much is verified.
    pub level: Option<Level>,
}

/// Migrates into the database.
///
/// # Errors
/// When the migration cannot be carried out, or the database differs from its source; it is then what it was before.
pub fn run(wanted: &Wanted<'_>, route: &Route, url: &PostgresUrl, output: &Output, cancel: &Cancel) -> Result<Exit> {
    let progress = Arc::new(output.progress());
    let (mut source, job) = prepared(wanted, route, url, progress.listener(), cancel)?;
    let attempted = to_postgres::attempt(&mut source, &job, cancel, &|event| progress.hear(event));
    progress.finish();
    let done = match attempted? {
        Attempt::Done(done) => done,
        Attempt::Refused(planned) => {
            let mut planned = *planned;
            route.in_typed_words(&mut planned.plan, wanted.choosing);
            let text = plan::refusals(&planned.plan.refusals).alone();
            let message = || Message::HomePlan(message::HomePlan::new(&planned, &job.target.to_string()));
            output.finding(&text, &text, message);
            return Err(plan::undecided(planned.plan.refused(), &planned.plan.refusals));
        }
    };
    let digests: Vec<_> = done.copied.iter().map(|one| one.digest).collect();
    let since = to_postgres::since(&source, &done.plan, &digests)?;
    let text = home::outcome(&done, &since);
    output.message(|| Message::Verification(message::Verification::from(&done.verification)));
    let told = || Message::HomeOutcome(Box::new(message::HomeOutcome::new(&done, &since)));
    match done.verification.is_sound() {
        true => output.result(&text, told),
        false => output.finding(&text, &verification::differences(&done.verification), told),
    }
    done.ensure_published()?;
    Ok(Exit::Success)
}

/// Plans for the database.
///
/// # Errors
/// When the source cannot be read, or the plan has refusals.
pub fn show(wanted: &Wanted<'_>, route: &Route, url: &PostgresUrl, output: &Output, cancel: &Cancel) -> Result<Exit> {
    let listener = Arc::new(output.notices()).listener();
    let (mut source, job) = prepared(wanted, route, url, listener, cancel)?;
    let (catalog, planned) = to_postgres::plan(&mut source, &job, cancel)?;
    let mut planned = crate::migration::Planned { source: source.label().to_owned(), catalog, plan: planned };
    route.in_typed_words(&mut planned.plan, wanted.choosing);
    let text = home::plan(&planned, &job.target.to_string());
    let message = || Message::HomePlan(message::HomePlan::new(&planned, &job.target.to_string()));
    let refusals = &planned.plan.refusals;
    match refusals.is_empty() {
        true => output.result(&text, message),
        false => output.finding(&text, &plan::refusals(refusals), message),
    }
    planned.plan.ensure_runnable().map_err(|error| plan::undecided(error, refusals))?;
    Ok(Exit::Success)
}

/// The source, open, and what is to be made of it.
fn prepared(
    wanted: &Wanted<'_>,
    route: &Route,
    url: &PostgresUrl,
    listener: crate::endpoint::postgres::WaitListener,
    cancel: &Cancel,
) -> Result<(SqliteSource, Job)> {
    let Endpoint::Sqlite(path) = &route.source else {
        let cause = "only a SQLite file goes into a PostgreSQL database";
        return Err(Error::usage("use target", format!("`{url}`"), cause)
            .hint("a dump or another server's database goes there by `psql` and `pg_restore`; a tree of files by way of a SQLite file"));
    };
    let is_of_tables = |name: &&str| matches!(*name, "`--table`" | "`--exclude-table`");
    let mut unused: Vec<_> = wanted.choosing.typed().into_iter().filter(|name| !is_of_tables(name)).collect();
    unused.extend(wanted.unused.iter().copied());
    if !unused.is_empty() {
        let cause = format!("{} has no meaning for a PostgreSQL database", unused.join(", "));
        return Err(Error::usage("migrate to", format!("`{url}`"), cause));
    }
    verify::require_database(path)?;
    let source = SqliteSource::open(path, cancel)?;
    let options = route.project.as_ref().map(|project| &project.options.run);
    let choices = route.choices(wanted.choosing)?;
    let run = RunOptions {
        choices,
        level: wanted.level.or(options.map(|run| run.level)).unwrap_or_default(),
        metadata: wanted.metadata,
        dry_run: wanted.dry_run,
        allow_inexact: wanted.allow_inexact,
        ..RunOptions::default()
    };
    let patience = wanted.server.patience(listener);
    Ok((source, Job { target: url.clone(), wishes: wanted.wishes.clone(), run, patience }))
}
