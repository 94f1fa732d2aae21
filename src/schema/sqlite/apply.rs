//! Running one step on SQLite, as a whole or statement by statement.

use std::time::Instant;

use rusqlite::{Connection, ErrorCode};

use super::super::advice;
use super::super::database::Outcome;
use super::super::event::Observer;
use super::super::event::{Event, StepReport};
use super::super::history::{Change, EntryState, StatementSum, sqlite as history, taken_name};
use super::super::plan::{Direction, Step};
use super::super::script::needs_no_transaction;
use super::super::step::{milliseconds, progress, report, row, started, statement_failed, stopped};
use super::super::tokens::{Dialect, Statement};
use super::Sqlite;
use super::guard::{self, Guard, Violations};
use super::kept::Kept;
use super::sound::{self, Broken};
use super::watch::{Phase, Refusal};
use super::{integrity, planted, rename};
use crate::error::Context;
use crate::{Error, Result};

impl Sqlite {
    /// Begins a transaction that may write, trying again where another connection holds the file.
    pub(super) fn begin(&self, observe: &mut Observer<'_>) -> Result<()> {
        self.retrying("begin transaction on", "BEGIN IMMEDIATE", observe)
    }

    fn commit(&self, observe: &mut Observer<'_>) -> Result<()> {
        self.retrying("commit to", "COMMIT", observe).map_err(|error| match error.way_out() {
            // Where the last sync fails, what was written may be there all the same once the file is opened again.
            None => error.hint("whether it was committed is not certain: `schema status` tells"),
            Some(_) => error,
        })
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
                Err(error) => {
                    let told = Err(error).could_not(operation, self.object());
                    return told.map_err(|error| advice::on_sqlite(error, None));
                }
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
        let (had_history, known) = (self.has_history, self.known.row(step.version));
        let ran = self.inside(step, observe).and_then(|report| {
            observe(&Event::Committing { version: step.version });
            self.commit(observe).map(|()| report)
        });
        match ran {
            Ok(report) => {
                self.keys_before = Violations::default();
                observe(&Event::Finished(report.clone()));
                Ok(Outcome::Done(report))
            }
            Err(error) => {
                self.roll_back()?;
                self.has_history = had_history;
                self.known.put_back(step.version, known);
                Err(self.explain(error))
            }
        }
    }

    /// Says of broken foreign keys whether the migration broke them.
    fn explain(&self, error: Error) -> Error {
        let behind = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<guard::BrokenKeys>());
        let Some(&guard::BrokenKeys { table_is_missing }) = behind else { return error };
        let error = advice::on_sqlite(error, None);
        if error.way_out().is_some() {
            return error;
        }
        let before = self.opened().and_then(guard::foreign_key_violations).unwrap_or_default();
        if table_is_missing {
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
                before.describe()
            ))
        }
    }

    /// The inside of a transaction: everything but BEGIN and COMMIT. What is counted is counted after the history row
    /// was written, which is the last thing that happens.
    pub(super) fn inside(&mut self, step: &Step, observe: &mut Observer<'_>) -> Result<StepReport> {
        let start = Instant::now();
        started(step, observe);
        let mut guard =
            (Guard::is_needed(&step.script.statements) || !self.keys_before.is_empty()).then(Guard::default);
        let schema = Schema::before(self.opened()?, step)?;
        for (number, statement) in (1..).zip(&step.script.statements) {
            observe(&Event::StatementStarting { version: step.version, statement: number });
            self.execute(step, number, statement, guard.as_mut(), Phase::Script)?;
            schema.put_ids_back(self.opened()?, step, statement)?;
            observe(&Event::StatementFinished { version: step.version, statement: number });
        }
        if self.opened()?.is_autocommit() {
            return Err(Error::could_not("apply migration", step.label(), "a statement of it ended the transaction"));
        }
        let duration_ms = milliseconds(start);
        let change = match step.direction {
            Direction::Up => Change::Insert(row(step, EntryState::Applied, duration_ms)),
            Direction::Down => Change::Delete,
        };
        if !self.has_history && history::is_taken(self.opened()?, self.table())? {
            return Err(taken_name(&format!("`{}`", self.table()), &step.label()));
        }
        self.record(step.version, &change)?;
        let connection = self.opened()?;
        if let Some(guard) = &guard {
            guard.after(connection, step, &self.keys_before)?;
            if self.options.check_integrity {
                integrity::expect_sound_tables(connection, &guard.touched(), &step.label())?;
            }
        }
        schema.after(connection, step)?;
        Ok(report(step, duration_ms))
    }

    /// Changes the history, making the table first where there is none.
    pub(super) fn record(&mut self, version: i64, change: &Change<'_>) -> Result<()> {
        if !self.has_history {
            history::create(self.opened()?, self.table())?;
            self.has_history = true;
        }
        self.watch.enter(Phase::Record);
        let changed = history::change(self.opened()?, self.table(), version, change);
        if let Some(refusal) = self.watch.leave() {
            let cause = refusal.cause(self.table());
            return Err(Error::could_not("write history", format!("`{}`", self.table()), cause).hint(refusal.hint()));
        }
        self.known.know(version, changed?.as_ref());
        Ok(())
    }

    /// Prepares a statement, lets the guard count what it can touch, and runs it to its end.
    fn execute(
        &self,
        step: &Step,
        number: usize,
        statement: &Statement,
        guard: Option<&mut Guard>,
        phase: Phase,
    ) -> Result<()> {
        if let Some(trigger) = planted::writer_of(self.table(), statement) {
            return Err(self.refused(step, number, statement, &Refusal::Planted(trigger)));
        }
        let ran = self.execute_watched(step, number, statement, guard, phase);
        match self.watch.leave() {
            Some(refusal) => Err(self.refused(step, number, statement, &refusal)),
            None => ran,
        }
    }

    fn execute_watched(
        &self,
        step: &Step,
        number: usize,
        statement: &Statement,
        guard: Option<&mut Guard>,
        phase: Phase,
    ) -> Result<()> {
        let connection = self.opened()?;
        let failed = |error: rusqlite::Error| {
            advice::on_sqlite(statement_failed(step, number, statement, &error), Some(statement)).because(error)
        };
        self.watch.enter(phase);
        let mut prepared = connection.prepare(statement.text()).map_err(failed)?;
        if let Some(guard) = guard {
            let touched = self.watch.pause();
            guard.before(connection, statement, touched)?;
            // SQLite prepares more while it runs the statement: for virtual tables, or where the schema changed.
            self.watch.enter(phase);
        }
        match run_to_its_end(&mut prepared) {
            Ok(()) => Ok(()),
            Err(error) if rename::ends_a_rebuild(&step.script.statements, number - 1) => {
                self.watch.pause();
                self.end_rebuild(statement, phase).map_err(|_| failed(error))
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Renames a table to the name of one that was dropped, although views and triggers name what is not there yet.
    fn end_rebuild(&self, statement: &Statement, phase: Phase) -> Result<()> {
        let connection = self.opened()?;
        let mut ran = Ok(());
        for setting in rename::TRIES {
            ran = rename::under(connection, setting, || {
                self.watch.enter(phase);
                let ran = connection.prepare(statement.text()).and_then(|mut prepared| run_to_its_end(&mut prepared));
                self.watch.pause();
                ran
            });
            if ran.is_ok() {
                break;
            }
        }
        ran.could_not("rename table", "")
    }

    fn refused(&self, step: &Step, number: usize, statement: &Statement, refusal: &Refusal) -> Error {
        statement_failed(step, number, statement, refusal.cause(self.table())).hint(refusal.hint())
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
        let intent = self.write_intent(step, running).and_then(|()| Schema::before(self.opened()?, step));
        let schema = self.finish(intent)?;
        started(step, observe);
        let mut sum = StatementSum::of(&step.script.statements[..first]);
        for (index, statement) in step.script.statements.iter().enumerate().skip(first) {
            observe(&Event::StatementStarting { version: step.version, statement: index + 1 });
            self.run_recorded(step, running, index, statement, &mut sum, &schema)
                .map_err(|error| stopped(step, index, "", error))?;
            observe(&Event::StatementFinished { version: step.version, statement: index + 1 });
        }
        self.begin(observe)?;
        let whole = self.is_whole(step, &schema);
        self.finish(whole).map_err(|error| stopped(step, step.script.statements.len(), "", error))?;
        let duration_ms = milliseconds(start);
        observe(&Event::Committing { version: step.version });
        self.begin(observe)?;
        let settled = self.settle(step, duration_ms, &sum);
        self.finish(settled)?;
        let report = report(step, duration_ms);
        observe(&Event::Finished(report.clone()));
        Ok(Outcome::Done(report))
    }

    /// What is looked at when every statement of a script without a transaction has been committed.
    fn is_whole(&self, step: &Step, schema: &Schema) -> Result<()> {
        let connection = self.opened()?;
        guard::foreign_key_violations(connection)?.expect_none(step, &self.keys_before)?;
        schema.after(connection, step)?;
        match self.options.check_integrity {
            true => integrity::expect_sound_tables(connection, &integrity::all_tables(connection)?, &step.label()),
            false => Ok(()),
        }
    }

    fn write_intent(&mut self, step: &Step, running: EntryState) -> Result<()> {
        let change = match (step.direction, step.resume_after) {
            (Direction::Up, None) => Change::Insert(row(step, running, 0)),
            (_, finished) => {
                let finished = finished.unwrap_or(0);
                progress(running, finished, finished, &StatementSum::of(&step.script.statements[..finished]))
            }
        };
        self.record(step.version, &change)
    }

    /// One statement and the note that it ended: in one transaction where SQLite lets the statement be in one.
    fn run_recorded(
        &mut self,
        step: &Step,
        running: EntryState,
        index: usize,
        statement: &Statement,
        sum: &mut StatementSum,
        schema: &Schema,
    ) -> Result<()> {
        let alone = needs_no_transaction(statement, Dialect::Sqlite) || statement.starts_with(&["PRAGMA"]);
        if alone {
            self.record(step.version, &progress(running, index + 1, index, sum))?;
            self.execute(step, index + 1, statement, None, Phase::Alone)?;
            sum.add(statement);
            return self.record(step.version, &progress(running, index + 1, index + 1, sum));
        }
        self.begin(&mut |_| {})?;
        let known = self.known.row(step.version);
        let ran = self.execute_counted(step, running, index, statement, sum, schema);
        let ran = self.finish(ran);
        if ran.is_err() {
            self.known.put_back(step.version, known);
        }
        ran
    }

    /// A statement that is a transaction of its own, so that what it loses can still be rolled back.
    fn execute_counted(
        &mut self,
        step: &Step,
        running: EntryState,
        index: usize,
        statement: &Statement,
        sum: &mut StatementSum,
        schema: &Schema,
    ) -> Result<()> {
        let mut guard = Guard::is_needed(std::slice::from_ref(statement)).then(Guard::default);
        self.execute(step, index + 1, statement, guard.as_mut(), Phase::Script)?;
        schema.put_ids_back(self.opened()?, step, statement)?;
        sum.add(statement);
        self.record(step.version, &progress(running, index + 1, index + 1, sum))?;
        guard.map_or(Ok(()), |guard| guard.rows_kept(self.opened()?, step))
    }

    fn settle(&mut self, step: &Step, duration_ms: i64, sum: &StatementSum) -> Result<()> {
        if step.direction == Direction::Down {
            return self.record(step.version, &Change::Delete);
        }
        self.record(step.version, &Change::Settle(row(step, EntryState::Applied, duration_ms)))?;
        let all = step.script.statements.len();
        self.record(step.version, &progress(EntryState::Applied, all, all, sum))
    }
}

fn run_to_its_end(prepared: &mut rusqlite::Statement<'_>) -> rusqlite::Result<()> {
    let mut rows = prepared.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}

/// What a script must not take from the schema without a word.
struct Schema {
    kept: Option<Kept>,
    broken: Option<Broken>,
}

impl Schema {
    /// Looks at what is there. A transaction is open.
    fn before(connection: &Connection, step: &Step) -> Result<Schema> {
        let kept = Kept::before(connection, step)?;
        let is_needed = kept.is_some() || sound::is_needed(&step.script.statements);
        Ok(Schema { kept, broken: is_needed.then(|| Broken::find(connection)).transpose()? })
    }

    fn put_ids_back(&self, connection: &Connection, step: &Step, statement: &Statement) -> Result<()> {
        self.kept.as_ref().map_or(Ok(()), |kept| kept.put_ids_back(connection, step, statement))
    }

    /// Fails where something is gone or of no use that was not before.
    fn after(&self, connection: &Connection, step: &Step) -> Result<()> {
        let Some(before) = &self.broken else { return Ok(()) };
        let now = Broken::find(connection)?;
        if let Some(kept) = &self.kept {
            kept.after(connection, step, &now)?;
        }
        now.expect_no_more_than(before, step)
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}
