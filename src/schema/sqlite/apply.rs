//! Running one step on SQLite, as a whole or statement by statement.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use rusqlite::ErrorCode;
use rusqlite::hooks::{AuthContext, Authorization};

use super::super::database::{Observer, Outcome};
use super::super::event::{Event, StepReport};
use super::super::history::{EntryState, checksum_of, sqlite as history};
use super::super::plan::{Direction, Step};
use super::super::script::needs_no_transaction;
use super::super::step::{count, milliseconds, report, row, started, statement_failed, stopped};
use super::super::tokens::{Dialect, Statement};
use super::Sqlite;
use super::guard::{self, Guard};
use crate::error::Context;
use crate::{Error, Result};

impl Sqlite {
    /// Begins a transaction that may write, trying again where another connection holds the file.
    pub(super) fn begin(&self, observe: &mut Observer<'_>) -> Result<()> {
        self.retrying("begin transaction on", "BEGIN IMMEDIATE", observe)
    }

    fn commit(&self, observe: &mut Observer<'_>) -> Result<()> {
        self.retrying("commit to", "COMMIT", observe)
    }

    fn retrying(&self, operation: &str, sql: &str, observe: &mut Observer<'_>) -> Result<()> {
        let mut attempt = 1;
        loop {
            match self.opened()?.prepare_cached(sql).and_then(|mut statement| statement.execute([])) {
                Ok(_) => return Ok(()),
                Err(error) if is_busy(&error) && attempt <= self.options.lock_retries => {
                    observe(&Event::Retrying { version: 0, attempt, cause: error.to_string() });
                    attempt += 1;
                }
                Err(error) if is_busy(&error) => {
                    return Err(error).could_not(operation, self.object()).map_err(|error| {
                        error.hint(
                            "another program holds the database; close it, or give more time with `--lock-timeout`",
                        )
                    });
                }
                Err(error) => return Err(error).could_not(operation, self.object()),
            }
        }
    }

    pub(super) fn roll_back(&self) -> Result<()> {
        let connection = self.opened()?;
        if connection.is_autocommit() {
            // Some errors (a full disk, a constraint with ON CONFLICT ROLLBACK) have rolled back already.
            return Ok(());
        }
        connection.execute_batch("ROLLBACK").could_not("roll back", self.object())
    }

    /// Commits what went well and rolls back what did not.
    pub(super) fn finish<T>(&self, result: Result<T>) -> Result<T> {
        let committed = result.and_then(|value| self.commit(&mut |_| {}).map(|()| value));
        if committed.is_err() {
            self.roll_back()?;
        }
        committed
    }

    /// One transaction: the script, the checks, the history row.
    pub(super) fn run_whole(&mut self, step: &Step, observe: &mut Observer<'_>) -> Result<Outcome> {
        self.begin(observe)?;
        let stale = match self.is_stale() {
            Ok(stale) => stale,
            Err(error) => {
                self.roll_back()?;
                return Err(error);
            }
        };
        if stale {
            self.roll_back()?;
            return Ok(Outcome::Stale);
        }
        let had_history = self.has_history;
        let ran = self.inside(step, observe).and_then(|report| {
            observe(&Event::Committing { version: step.version });
            self.commit(observe).map(|()| report)
        });
        match ran {
            Ok(report) => {
                self.know(step.version, (step.direction == Direction::Up).then_some(EntryState::Applied));
                observe(&Event::Finished(report.clone()));
                Ok(Outcome::Done(report))
            }
            Err(error) => {
                self.roll_back()?;
                self.has_history = had_history;
                Err(self.explain(error))
            }
        }
    }

    /// Says of broken foreign keys whether the migration broke them.
    fn explain(&self, error: Error) -> Error {
        if !error.operation().contains("foreign keys") {
            return error;
        }
        let before = self.opened().and_then(guard::foreign_key_violations).unwrap_or_default();
        if error.cause().contains(guard::NO_TABLE) {
            error.hint(
                "references follow a table that is renamed: create the new one under another name, copy, drop the old \
                 one, and only then rename",
            )
        } else if before.is_empty() {
            error.hint(
                "foreign keys are off while a migration runs, so nothing cascades: delete or move the children too",
            )
        } else {
            error.hint(format!(
                "some were broken before the migration ({}): repair them in a migration of their own",
                before.join("; ")
            ))
        }
    }

    fn know(&mut self, version: i64, state: Option<EntryState>) {
        self.known.retain(|(known, _)| *known != version);
        if let Some(state) = state {
            let at = self.known.partition_point(|(known, _)| *known < version);
            self.known.insert(at, (version, state));
        }
    }

    /// The inside of a transaction: everything but BEGIN and COMMIT.
    pub(super) fn inside(&mut self, step: &Step, observe: &mut Observer<'_>) -> Result<StepReport> {
        let start = Instant::now();
        started(step, observe);
        let mut guard = if Guard::is_needed(&step.script.statements) { Some(self.watched()?) } else { None };
        let ran = (1..).zip(&step.script.statements).try_for_each(|(number, statement)| {
            observe(&Event::StatementStarting { version: step.version, statement: number });
            self.execute(step, number, statement, guard.as_mut())?;
            observe(&Event::StatementFinished { version: step.version, statement: number });
            Ok(())
        });
        if guard.is_some() {
            self.unwatched()?;
        }
        ran?;
        let connection = self.opened()?;
        if connection.is_autocommit() {
            return Err(Error::could_not("apply migration", step.label(), "a statement of it ended the transaction"));
        }
        if let Some(guard) = &guard {
            guard.after(connection, step)?;
        }
        let duration_ms = milliseconds(start);
        match step.direction {
            Direction::Up => {
                if !self.has_history {
                    history::create(connection, self.table())?;
                    self.has_history = true;
                }
                history::insert(self.opened()?, self.table(), &row(step, EntryState::Applied, duration_ms))?;
            }
            Direction::Down => history::delete(connection, self.table(), step.version)?,
        }
        Ok(report(step, duration_ms))
    }

    /// Lets SQLite tell, from here on, which tables each statement can write to.
    fn watched(&self) -> Result<Guard> {
        let guard = Guard::new(self.opened()?)?;
        let watch = Arc::clone(&self.watch);
        let observe = move |context: AuthContext<'_>| {
            watch.lock().unwrap_or_else(PoisonError::into_inner).note(&context);
            Authorization::Allow
        };
        self.opened()?.authorizer(Some(observe)).could_not("watch statements on", self.object())?;
        self.watch.lock().unwrap_or_else(PoisonError::into_inner).turn(true);
        Ok(guard)
    }

    fn unwatched(&self) -> Result<()> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner).turn(false);
        let none: Option<fn(AuthContext<'_>) -> Authorization> = None;
        self.opened()?.authorizer(none).could_not("stop watching statements on", self.object())
    }

    /// Prepares a statement, lets the guard count what it can touch, and runs it to its end.
    fn execute(&self, step: &Step, number: usize, statement: &Statement, guard: Option<&mut Guard>) -> Result<()> {
        let connection = self.opened()?;
        let failed = |error: rusqlite::Error| statement_failed(step, number, statement, &error);
        let mut prepared = connection.prepare(&statement.text).map_err(failed)?;
        if let Some(guard) = guard {
            let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
            let mut noted = std::mem::take(&mut *watch);
            // Released while the guard counts: counting prepares statements, which asks the watch again.
            drop(watch);
            let counted = guard.before(connection, statement, &mut noted);
            noted.turn(true);
            *self.watch.lock().unwrap_or_else(PoisonError::into_inner) = noted;
            counted?;
        }
        let mut rows = prepared.query([]).map_err(failed)?;
        while rows.next().map_err(failed)?.is_some() {}
        Ok(())
    }

    /// Each statement committed with its place in the history; the row was there before the first of them.
    pub(super) fn run_by_statement(&mut self, step: &Step, observe: &mut Observer<'_>) -> Result<Outcome> {
        let start = Instant::now();
        let running = match step.direction {
            Direction::Up => EntryState::Applying,
            Direction::Down => EntryState::Reverting,
        };
        let first = step.resume_after.unwrap_or(0);
        self.begin(observe)?;
        match self.is_stale() {
            Ok(false) => {}
            stale => {
                self.roll_back()?;
                return stale.map(|_| Outcome::Stale);
            }
        }
        let intent = self.write_intent(step, running);
        self.finish(intent)?;
        self.has_history = true;
        self.know(step.version, Some(running));
        started(step, observe);
        for (index, statement) in step.script.statements.iter().enumerate().skip(first) {
            observe(&Event::StatementStarting { version: step.version, statement: index + 1 });
            self.run_recorded(step, running, index, statement).map_err(|error| stopped(step, index, "", error))?;
            observe(&Event::StatementFinished { version: step.version, statement: index + 1 });
        }
        let broken = guard::foreign_key_violations(self.opened()?)?;
        if !broken.is_empty() {
            let error = Error::differs("keep the foreign keys of", step.label(), broken.join("; "));
            return Err(stopped(step, step.script.statements.len(), "", error));
        }
        let duration_ms = milliseconds(start);
        observe(&Event::Committing { version: step.version });
        self.begin(observe)?;
        let settled = self.settle(step, duration_ms);
        self.finish(settled)?;
        self.know(step.version, (step.direction == Direction::Up).then_some(EntryState::Applied));
        let report = report(step, duration_ms);
        observe(&Event::Finished(report.clone()));
        Ok(Outcome::Done(report))
    }

    fn write_intent(&self, step: &Step, running: EntryState) -> Result<()> {
        let connection = self.opened()?;
        match (step.direction, step.resume_after) {
            (Direction::Up, None) => {
                history::create(connection, self.table())?;
                history::insert(connection, self.table(), &row(step, running, 0))
            }
            (Direction::Down, None) => history::mark(connection, self.table(), step.version, running, 0, 0, None),
            (_, Some(finished)) => self.mark(step, running, finished, finished),
        }
    }

    fn mark(&self, step: &Step, state: EntryState, started: usize, finished: usize) -> Result<()> {
        let sum = (finished > 0).then(|| checksum_of(&step.script.statements[..finished]));
        let (started, finished) = (count(started), count(finished));
        history::mark(self.opened()?, self.table(), step.version, state, started, finished, sum.as_deref())
    }

    /// One statement and the note that it ended: in one transaction where SQLite lets the statement be in one.
    fn run_recorded(&self, step: &Step, running: EntryState, index: usize, statement: &Statement) -> Result<()> {
        let alone = needs_no_transaction(statement, Dialect::Sqlite) || statement.starts_with(&["PRAGMA"]);
        if alone {
            self.mark(step, running, index + 1, index)?;
            self.execute(step, index + 1, statement, None)?;
            return self.mark(step, running, index + 1, index + 1);
        }
        self.begin(&mut |_| {})?;
        let ran = self
            .execute_guarded(step, index + 1, statement)
            .and_then(|()| self.mark(step, running, index + 1, index + 1));
        self.finish(ran)
    }

    /// A statement that is a transaction of its own, so that what it loses can still be rolled back.
    fn execute_guarded(&self, step: &Step, number: usize, statement: &Statement) -> Result<()> {
        if !Guard::is_needed(std::slice::from_ref(statement)) {
            return self.execute(step, number, statement, None);
        }
        let mut guard = self.watched()?;
        let ran = self.execute(step, number, statement, Some(&mut guard));
        self.unwatched()?;
        ran.and_then(|()| guard.rows_kept(self.opened()?, step))
    }

    fn settle(&self, step: &Step, duration_ms: i64) -> Result<()> {
        let connection = self.opened()?;
        if step.direction == Direction::Down {
            return history::delete(connection, self.table(), step.version);
        }
        history::settle(connection, self.table(), &row(step, EntryState::Applied, duration_ms))?;
        let all = step.script.statements.len();
        self.mark(step, EntryState::Applied, all, all)
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}
