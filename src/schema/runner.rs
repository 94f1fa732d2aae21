//! The runner: what the library offers, over either database.
//!
//! Every call blocks and may be made from blocking code and from inside an async runtime alike; [`Runner::spawn`]
//! is for async code that must not be held up.

use std::collections::HashSet;
use std::path::Path;
use std::time::SystemTime;

use serde::Serialize;
use tokio::sync::oneshot;

use super::checksum::canonical;
use super::clock::rfc_3339;
use super::database::{Database, Outcome, RunnerOptions};
use super::drift::{Difference, Object, compare};
use super::event::{Event, Report};
use super::files::Migrations;
use super::history::{Entry, EntryState, TAKE_OVER};
use super::plan::{Facts, Request, Step, To, change, plan};
use super::postgres::Postgres;
use super::sqlite::Sqlite;
use super::status::{State, Status, status};
use super::step::recorded;
use crate::error::Kind;
use crate::redact::resembles_url;
use crate::{Error, Result};

/// Brings one database to a version of its schema.
pub struct Runner {
    pub(super) database: Box<dyn Database>,
    pub(super) migrations: Migrations,
    options: RunnerOptions,
    observer: Box<dyn FnMut(&Event) + Send>,
    report: Report,
}

/// What `validate` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// Where each migration stands.
    pub status: Status,
    /// Pending migrations are told in the status and are no problem ([`RunnerOptions::allow_pending`]).
    pub pending_allowed: bool,
    /// What the database itself finds wrong: integrity, foreign keys, invalid indexes. One sentence each.
    pub integrity: Vec<String>,
    /// The objects that are not what the migrations produce from nothing.
    pub drift: Vec<Difference>,
    /// Why drift could not be looked for; a finding too.
    pub drift_unknown: Option<String>,
}

impl Findings {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.problems().is_empty()
    }

    /// Everything that is wrong, one sentence each.
    pub fn problems(&self) -> Vec<String> {
        let told = self.status.problems().filter(|line| !(self.pending_allowed && line.state == State::Pending));
        let history = told.map(|line| {
            let why = if line.detail.is_empty() { String::new() } else { format!(": {}", line.detail) };
            format!("migration `{}_{}` is {}{why}", line.version, line.name, line.state.word())
        });
        let drift = self.drift.iter().map(ToString::to_string);
        history.chain(self.integrity.iter().cloned()).chain(drift).chain(self.drift_unknown.clone()).collect()
    }

    /// An error that tells everything that is wrong, where something is.
    ///
    /// # Errors
    /// When there is a problem.
    pub fn into_result(self) -> Result<Findings> {
        let problems = self.problems();
        if problems.is_empty() {
            return Ok(self);
        }
        Err(Error::differs("validate", format!("`{}`", self.status.endpoint), problems.join("; ")))
    }
}

impl Runner {
    /// A runner for `endpoint`: a `postgres://` URL, or the path of a SQLite file (also as `sqlite:` URL), which need
    /// not exist. Nothing is opened yet.
    ///
    /// # Errors
    /// When the endpoint is none, or the history table cannot have its name.
    pub fn open(endpoint: &str, migrations: Migrations) -> Result<Runner> {
        Runner::open_with(endpoint, migrations, RunnerOptions::default())
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`Runner::open`].
    pub fn open_with(endpoint: &str, migrations: Migrations, options: RunnerOptions) -> Result<Runner> {
        let is_postgres = ["postgres://", "postgresql://"].iter().any(|scheme| endpoint.starts_with(scheme));
        if !is_postgres {
            return Runner::open_file(Path::new(sqlite_path(endpoint)?), migrations, options);
        }
        Runner::on(Box::new(Postgres::new(endpoint, options.clone())?), migrations, options)
    }

    /// A runner for the SQLite file at `path`, which need not exist, whatever bytes its name has.
    ///
    /// # Errors
    /// When the history table cannot have the name that the options give.
    pub fn open_file(path: &Path, migrations: Migrations, options: RunnerOptions) -> Result<Runner> {
        Runner::on(Box::new(Sqlite::new(path, options.clone())), migrations, options)
    }

    fn on(database: Box<dyn Database>, migrations: Migrations, options: RunnerOptions) -> Result<Runner> {
        if options.history_table.is_empty() || options.history_table.to_lowercase().starts_with("sqlite_") {
            return Err(Error::usage(
                "name history table",
                format!("`{}`", options.history_table),
                "the name cannot be used",
            ));
        }
        Ok(Runner { database, migrations, options, observer: Box::new(|_| {}), report: Report::default() })
    }

    /// A runner on a SQLite connection that the application has opened and set up; [`Runner::into_connection`] gives
    /// it back with its foreign keys as they were. An authorizer of the application's own is removed.
    pub fn on_connection(connection: rusqlite::Connection, migrations: Migrations, options: RunnerOptions) -> Runner {
        let database = Box::new(Sqlite::on(connection, options.clone()));
        Runner { database, migrations, options, observer: Box::new(|_| {}), report: Report::default() }
    }

    /// The connection to a SQLite database, where one was opened, for the application to go on with.
    pub fn into_connection(mut self) -> Option<rusqlite::Connection> {
        self.database.take_connection()
    }

    /// Tells `observer` each fact as it happens. It is called while a transaction is open, so it must not touch the
    /// same database.
    #[must_use]
    pub fn on_event(mut self, observer: impl FnMut(&Event) + Send + 'static) -> Runner {
        self.observer = Box::new(observer);
        self
    }

    /// The migrations that this runner knows.
    pub fn migrations(&self) -> &Migrations {
        &self.migrations
    }

    /// The database for people, without a password.
    pub fn endpoint(&self) -> &str {
        self.database.endpoint()
    }

    /// What the last run has done so far; after a failure, what it had committed before.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Applies pending migrations. Refuses, before anything is touched, where the history contradicts the files.
    ///
    /// # Errors
    /// When it refuses, the database cannot be reached or is in use for too long, or a statement fails: [`Runner::report`] has
    /// what was committed before.
    pub fn up(&mut self, to: To) -> Result<Report> {
        self.execute(Request::Up(to))
    }

    /// Takes migrations back, newest first, with the down scripts that the history recorded. Refuses, before
    /// anything is touched, where one of them is irreversible, missing or without a label.
    ///
    /// # Errors
    /// As [`Runner::up`].
    pub fn down(&mut self, to: To) -> Result<Report> {
        self.execute(Request::Down(to))
    }

    /// Takes the newest migration back and applies it again, from its file as it is now.
    ///
    /// # Errors
    /// As [`Runner::up`].
    pub fn redo(&mut self) -> Result<Report> {
        self.execute(Request::Redo)
    }

    /// Runs the rest of a migration without a transaction that was interrupted. The statements that ended must be
    /// unchanged; the others may have been corrected.
    ///
    /// # Errors
    /// As [`Runner::up`], and when nothing was interrupted.
    pub fn resume(&mut self) -> Result<Report> {
        self.execute(Request::Resume)
    }

    /// Runs the down script of a migration without a transaction whose up was interrupted, and forgets it.
    ///
    /// # Errors
    /// As [`Runner::resume`].
    pub fn undo(&mut self) -> Result<Report> {
        self.execute(Request::Undo)
    }

    /// The history as it is recorded, ascending.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn history(&mut self) -> Result<Vec<Entry>> {
        self.database.history()
    }

    /// Where each migration stands. Creates nothing.
    ///
    /// # Errors
    /// When the history or a file cannot be read.
    pub fn status(&mut self) -> Result<Status> {
        let history = self.database.history()?;
        status(self.database.endpoint(), &history, &self.migrations)
    }

    /// The objects of the schema that is there, without the history.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn objects(&mut self) -> Result<Vec<Object>> {
        self.database.objects()
    }

    /// Looks for everything that is wrong: the history against the files, the database's own integrity and foreign
    /// keys, and the schema against the one that the applied migrations produce from nothing.
    ///
    /// # Errors
    /// When it cannot be looked for. What is found is in the findings.
    pub fn validate(&mut self) -> Result<Findings> {
        let history = match self.database.history() {
            Ok(history) => history,
            Err(error) => return Err(self.damage().unwrap_or(error)),
        };
        let status = status(self.database.endpoint(), &history, &self.migrations)?;
        let integrity = self.database.integrity()?;
        let mut found = Findings {
            status,
            pending_allowed: self.options.allow_pending,
            integrity,
            drift: Vec::new(),
            drift_unknown: None,
        };
        let unknown = |error: &Error| Some(format!("drift could not be looked for: {error}"));
        match self.drift(&history, &found.status) {
            Ok(Ok(drift)) => found.drift = drift,
            Ok(Err(error)) => found.drift_unknown = unknown(&error),
            // Nothing is known to be wrong.
            Err(error) if found.is_clean() => return Err(error),
            Err(error) => found.drift_unknown = unknown(&error),
        }
        Ok(found)
    }

    /// A history that cannot be read may be the doing of a damaged file, and damage is a finding.
    fn damage(&mut self) -> Option<Error> {
        let found = self.database.integrity().ok().filter(|found| !found.is_empty())?;
        Some(Error::differs("validate", format!("`{}`", self.database.endpoint()), found.join("; ")))
    }

    /// The inner error says that the migrations make no schema, which is a finding.
    fn drift(&mut self, history: &[Entry], status: &Status) -> Result<Result<Vec<Difference>>> {
        if let Some(line) =
            status.migrations.iter().find(|line| matches!(line.state, State::Missing | State::Interrupted))
        {
            let cause = format!("migration `{}_{}` is {}", line.version, line.name, line.state.word());
            return Ok(Err(Error::could_not("build schema from nothing", "", cause)));
        }
        let versions: HashSet<i64> = history.iter().map(|entry| entry.version).collect();
        let applied = self.migrations.only(|version| versions.contains(&version));
        let expected = match self.database.objects_from_nothing(&applied)? {
            Ok(expected) => expected,
            Err(error) => return Ok(Err(error)),
        };
        let found = self.database.objects()?;
        Ok(Ok(compare(&expected, &found, self.database.dialect())))
    }

    /// Accepts the files of an applied migration as they are now: records their checksums and the down script, and
    /// that this was done. Runs none of their SQL.
    ///
    /// # Errors
    /// When the version is not applied or has no file, or the history cannot be written.
    pub fn repair(&mut self, version: i64) -> Result<()> {
        self.locked(|runner| {
            let history = runner.database.history()?;
            let repairing = format!("version `{version}`");
            let entry = history.iter().find(|entry| entry.version == version);
            let (Some(entry), Some(migration)) = (entry, runner.migrations.get(version)) else {
                let cause = "it is not both in the history and in the files";
                return Err(Error::usage("repair migration", repairing, cause));
            };
            if entry.state != EntryState::Applied {
                return Err(Error::could_not("repair migration", repairing, "it was interrupted")
                    .hint("`schema up --resume` runs the rest, `schema down --undo` its down script"));
            }
            let (kept, now) = (entry.down_script.as_deref(), migration.down.as_deref());
            if change(entry, migration).is_none() && kept.map(canonical) == now.map(canonical) {
                return Err(Error::usage("repair migration", repairing, "nothing of it has changed"));
            }
            let none = "none".to_owned();
            let remark = format!(
                "{} repaired by {}: up {} -> {}, down {} -> {}\n",
                rfc_3339(SystemTime::now()),
                super::history::TOOL_VERSION,
                entry.up_checksum,
                migration.up_checksum,
                entry.down_checksum.as_ref().unwrap_or(&none),
                migration.down_checksum.as_ref().unwrap_or(&none),
            );
            let step = recorded(migration, runner.database.dialect())?;
            runner.database.record_repair(&step, &remark)?;
            runner.confirm()
        })
    }

    /// Runs `job` on a thread of its own and waits for it without blocking; for async code of any runtime. The
    /// runner comes back with the result.
    ///
    /// # Errors
    /// Those of the job.
    pub async fn spawn<T, F>(mut self, job: F) -> (Runner, Result<T>)
    where
        T: Send + 'static,
        F: FnOnce(&mut Runner) -> Result<T> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let result = job(&mut self);
            // Nobody listens any more where the future was dropped; the job has ended all the same.
            let _ = sender.send((self, result));
        });
        match receiver.await {
            Ok(done) => done,
            // The sender is gone only when the job panicked: let the panic go on here.
            Err(_) => match thread.join() {
                Err(panic) => std::panic::resume_unwind(panic),
                Ok(()) => unreachable!("the job ended without sending its result"),
            },
        }
    }

    /// Applies every pending migration, for async code.
    ///
    /// # Errors
    /// As [`Runner::open`] and [`Runner::up`].
    pub async fn up_async(endpoint: &str, migrations: Migrations) -> Result<Report> {
        Runner::open(endpoint, migrations)?.spawn(|runner| runner.up(To::Newest)).await.1
    }

    fn facts<'f>(&'f self, history: &'f [Entry]) -> Facts<'f> {
        Facts {
            history,
            migrations: &self.migrations,
            dialect: self.database.dialect(),
            allow_out_of_order: self.options.allow_out_of_order,
        }
    }

    fn planned(&mut self, request: Request) -> Result<Vec<Step>> {
        let history = self.database.history()?;
        plan(request, &self.facts(&history))
    }

    fn execute(&mut self, request: Request) -> Result<Report> {
        self.report = Report {
            endpoint: self.database.endpoint().to_owned(),
            dry_run: self.options.dry_run,
            ..Report::default()
        };
        // Without the lock first: most starts of an application find nothing to do, and most refusals need none. What
        // looks interrupted may be another runner at work; the lock tells the two apart.
        // The plan itself is dropped: under the lock another one is made, and large scripts are not to be held twice.
        match self.planned(request).map(|steps| steps.is_empty()) {
            Ok(true) => self.database.tidy(),
            Err(error) if !self.looks_interrupted()? => return Err(error),
            _ => self.locked(|runner| runner.run_locked(request)).map_err(|error| self.point_to_adoption(error))?,
        }
        Ok(self.report.clone())
    }

    /// A first migration that fails beside objects that are there already may be for a database that has to be taken over.
    fn point_to_adoption(&mut self, error: Error) -> Error {
        match error.kind() == Kind::CouldNotRun && error.way_out().is_none() && self.needs_adoption().unwrap_or(false) {
            true => error.hint(format!("the database has objects and no history of these migrations: {TAKE_OVER}")),
            false => error,
        }
    }

    fn looks_interrupted(&mut self) -> Result<bool> {
        Ok(self.database.history()?.iter().any(|entry| entry.state != EntryState::Applied))
    }

    fn run_locked(&mut self, request: Request) -> Result<()> {
        // Without our lock another program can only be one that does not know it; it is given way a few times.
        for _ in 0..10 {
            let steps = self.planned(request)?;
            if self.options.dry_run {
                return self.rehearse(steps);
            }
            if self.run_steps(&steps)? {
                return Ok(());
            }
            if !self.report.steps.is_empty() {
                break;
            }
        }
        Err(Error::could_not(
            "run migrations on",
            format!("`{}`", self.database.endpoint()),
            "another program changes the history",
        )
        .hint("look at `schema status` and run it again"))
    }

    /// Whether every step ran; not, where the history turned out to be another one.
    fn run_steps(&mut self, steps: &[Step]) -> Result<bool> {
        for step in steps {
            match self.database.run(step, &mut *self.observer)? {
                Outcome::Done(done) => self.report.steps.push(done),
                Outcome::Stale => return Ok(false),
            }
        }
        self.confirm()?;
        Ok(true)
    }

    /// Reads the history once more. What is committed is not undone where that fails, so it is no job that could not run.
    pub(super) fn confirm(&mut self) -> Result<()> {
        self.database.confirm().map_err(|error| match error.kind() {
            Kind::CouldNotRun => {
                Error::differs("read back the history of", format!("`{}`", self.database.endpoint()), error)
                    .hint("it was committed; `schema validate` tells whether it is whole")
            }
            Kind::Differs | Kind::Usage | Kind::Interrupted => error,
        })
    }

    fn rehearse(&mut self, mut steps: Vec<Step>) -> Result<()> {
        let whole = steps.iter().position(|step| step.script.header.no_transaction).unwrap_or(steps.len());
        self.report.not_executed =
            steps.split_off(whole).iter().map(|step| format!("{}_{}", step.version, step.name)).collect();
        self.report.steps = self.database.rehearse(&steps, &mut *self.observer)?;
        Ok(())
    }

    pub(super) fn locked<T>(&mut self, job: impl FnOnce(&mut Runner) -> Result<T>) -> Result<T> {
        let taken = self.database.lock(&mut *self.observer);
        let result = taken.and_then(|()| job(self));
        let released = self.database.unlock();
        let value = result?;
        released?;
        Ok(value)
    }
}

/// The path in `sqlite://app.db?mode=rwc`, or the endpoint itself.
fn sqlite_path(endpoint: &str) -> Result<&str> {
    let path = match endpoint.strip_prefix("sqlite:") {
        Some(rest) => rest.strip_prefix("//").unwrap_or(rest).split('?').next().unwrap_or(rest),
        None => endpoint,
    };
    if path.is_empty() || path.contains("://") || resembles_url(path) {
        // Not repeated: a URL may hold a password.
        return Err(Error::usage(
            "open",
            "database",
            "it is neither a `postgres://` URL nor the path of a SQLite file",
        ));
    }
    Ok(path)
}
