//! Running one step on PostgreSQL, as a whole or statement by statement.

use std::time::{Duration, Instant};

use super::super::advice;
use super::super::database::Outcome;
use super::super::event::Observer;
use super::super::event::{Event, StepReport};
use super::super::history::{Change, EntryState, StatementSum, postgres as history};
use super::super::plan::{Direction, Step};
use super::super::script::needs_no_transaction;
use super::super::step::{milliseconds, progress, report as step_report, row, started, statement_failed, stopped};
use super::super::tokens::{Dialect, Statement};
use super::Session;
use super::kept::Kept;
use super::leave_out::{self, Tolerance};
use super::record::{BEGIN_TO_WRITE, HistoryBefore};
use crate::endpoint::postgres::{Client, Explained, explain_statement, server_message};
use crate::{Error, Result};

/// The lock could not be had within `lock_timeout`.
const LOCK_NOT_AVAILABLE: &str = "55P03";
/// Two transactions wait for each other, and this one was chosen to go.
const DEADLOCK_DETECTED: &str = "40P01";
/// The statement must not be in a transaction.
const ACTIVE_SQL_TRANSACTION: &str = "25001";
/// A procedure that commits was called in a transaction.
const INVALID_TRANSACTION_TERMINATION: &str = "2D000";

/// An index that a concurrent build has left: as people and as statements name it.
struct InvalidIndex {
    shown: String,
    quoted: String,
}

/// A failure, and the code that the server gave it.
struct Failure {
    error: Error,
    code: Option<String>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure { error, code: None }
    }
}

impl Failure {
    fn is(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }

    fn is_lock(&self) -> bool {
        self.is(&[LOCK_NOT_AVAILABLE, DEADLOCK_DETECTED])
    }
}

impl Session {
    pub(super) async fn run(&mut self, step: &Step, observe: &mut Observer<'_>) -> Result<Outcome> {
        let outcome = if step.script.header.no_transaction {
            self.run_by_statement(step, observe).await
        } else {
            self.run_whole(step, observe).await
        };
        // Also after a failure: the next step must not find what this one has set. The failure is told first.
        let prepared = self.prepare_connection().await;
        let outcome = outcome?;
        prepared?;
        Ok(outcome)
    }

    /// One transaction: history locked and read again, the script, the history row. Tried again after a lock timeout.
    async fn run_whole(&mut self, step: &Step, observe: &mut Observer<'_>) -> Result<Outcome> {
        let mut attempt = 1;
        let (had_history, known) = (self.has_history, self.known.row(step.version));
        loop {
            self.simple("BEGIN").await?;
            let ran = match self.is_stale(step.version).await {
                Ok(true) => {
                    self.simple("ROLLBACK").await?;
                    return Ok(Outcome::Stale);
                }
                Ok(false) => self.inside(step, observe).await,
                Err(failure) => Err(failure),
            };
            let failure = match ran {
                Ok(report) => {
                    observe(&Event::Committing { version: step.version });
                    match self.commit().await {
                        Ok(()) => {
                            observe(&Event::Finished(report.clone()));
                            return Ok(Outcome::Done(report));
                        }
                        Err(error) => Failure::from(error),
                    }
                }
                Err(failure) => failure,
            };
            self.abandon().await;
            self.has_history = had_history;
            self.known.put_back(step.version, known);
            if !failure.is_lock() || attempt > self.options.lock_retries {
                return Err(give_up(failure));
            }
            self.wait_before_retry(step, attempt, &failure.error, observe).await;
            attempt += 1;
        }
    }

    async fn wait_before_retry(&self, step: &Step, attempt: u32, error: &Error, observe: &mut Observer<'_>) {
        observe(&Event::Retrying { version: step.version, attempt, cause: error.to_string() });
        // Longer each time, so that the application's queue behind the lock drains between two tries.
        tokio::time::sleep(Duration::from_millis(50) * attempt.min(20)).await;
    }

    pub(super) async fn simple(&mut self, sql: &'static str) -> Result<()> {
        let object = self.object();
        let (connection, _) = self.open().await?;
        connection.execute(sql).await.could_not(&format!("run `{sql}` on"), object)?;
        Ok(())
    }

    /// Locks the history and looks whether the row of this version is what the plan was made from.
    async fn is_stale(&mut self, version: i64) -> Result<bool, Failure> {
        self.lock_history().await.map_err(|error| failure(&error, explain_statement("lock history", "", &error)))?;
        let has_history = self.has_history;
        let (connection, place) = self.open().await?;
        if !has_history {
            // Two runners that create it at once cannot be: the advisory lock. Another program's row would be news.
            return Ok(history::look(connection, &place).await?.is_some());
        }
        let row = history::read_one(connection, &place, version).await?;
        Ok(!self.known.has(version, row.as_ref()))
    }

    /// The inside of a transaction: everything but BEGIN and COMMIT.
    async fn inside(&mut self, step: &Step, observe: &mut Observer<'_>) -> Result<StepReport, Failure> {
        let start = Instant::now();
        started(step, observe);
        let before = self.history_before(step).await?;
        let (connection, _) = self.open().await?;
        let begun = transaction_id(connection).await?;
        let kept = Kept::before(connection, step).await?;
        self.path = self.chosen.clone();
        self.enter().await?;
        for (number, statement) in (1..).zip(&step.script.statements) {
            observe(&Event::StatementStarting { version: step.version, statement: number });
            self.run_statement(step, number, statement, observe).await?;
            observe(&Event::StatementFinished { version: step.version, statement: number });
        }
        self.run_deferred(step).await?;
        self.as_runner().await?;
        self.leave().await?;
        let (connection, _) = self.open().await?;
        // The scanner refuses transaction control where it sees it; what it might not see is noticed here.
        if transaction_id(connection).await? != begun {
            let cause = "a statement of it ended the transaction, so that some of it is committed without a history";
            return Err(Failure::from(
                Error::could_not("run migration", format!("`{}_{}`", step.version, step.name), cause).hint(
                    "take COMMIT and ROLLBACK out of the script, see what it left in the database, and run it again",
                ),
            ));
        }
        if let Some(kept) = kept {
            kept.after(connection, step).await?;
        }
        let duration_ms = milliseconds(start);
        let change = match step.direction {
            Direction::Up => Change::Insert(row(step, EntryState::Applied, duration_ms)),
            Direction::Down => Change::Delete,
        };
        self.record(step.version, &change, Some(&before)).await?;
        Ok(step_report(step, duration_ms))
    }

    pub(super) async fn rehearse(&mut self, steps: &[Step], observe: &mut Observer<'_>) -> Result<Vec<StepReport>> {
        let (had_history, known) = (self.has_history, self.known.clone());
        self.simple("BEGIN").await?;
        let mut reports = Vec::new();
        let mut failed = None;
        for step in steps {
            match self.inside(step, observe).await {
                Ok(report) => reports.push(report),
                Err(failure) => {
                    failed = Some(failure);
                    break;
                }
            }
        }
        self.abandon().await;
        (self.has_history, self.known) = (had_history, known);
        let prepared = self.prepare_connection().await;
        match failed {
            Some(failure) => Err(give_up(failure)),
            None => prepared.map(|()| reports),
        }
    }

    /// Each statement committed with its place in the history; the row was there before the first of them.
    async fn run_by_statement(&mut self, step: &Step, observe: &mut Observer<'_>) -> Result<Outcome> {
        let start = Instant::now();
        let running = match step.direction {
            Direction::Up => EntryState::Applying,
            Direction::Down => EntryState::Reverting,
        };
        self.simple(BEGIN_TO_WRITE).await?;
        let intent = match self.is_stale(step.version).await {
            Ok(true) => {
                self.simple("ROLLBACK").await?;
                return Ok(Outcome::Stale);
            }
            Ok(false) => self.write_intent(step, running).await,
            Err(failure) => Err(failure.error),
        };
        let kept = self.end(intent).await?;
        started(step, observe);
        let first = step.resume_after.unwrap_or(0);
        let mut sum = StatementSum::of(&step.script.statements[..first]);
        for (index, statement) in step.script.statements.iter().enumerate().skip(first) {
            observe(&Event::StatementStarting { version: step.version, statement: index + 1 });
            if let Err(failure) = self.run_recorded(step, running, index, &mut sum, observe).await {
                let remains =
                    self.invalid_index(statement).await.ok().flatten().map(|index| index.shown).unwrap_or_default();
                return Err(stopped(step, index, &remains, give_up(failure)));
            }
            observe(&Event::StatementFinished { version: step.version, statement: index + 1 });
        }
        let duration_ms = milliseconds(start);
        observe(&Event::Committing { version: step.version });
        self.simple(BEGIN_TO_WRITE).await?;
        let settled = self.settle(step, duration_ms, &sum, kept).await;
        self.end(settled).await.map_err(|error| stopped(step, step.script.statements.len(), "", error))?;
        let report = step_report(step, duration_ms);
        observe(&Event::Finished(report.clone()));
        Ok(Outcome::Done(report))
    }

    /// Commits what went well and rolls back what did not.
    pub(super) async fn end<T>(&mut self, result: Result<T>) -> Result<T> {
        match result {
            Ok(value) => self.commit().await.map(|()| value),
            Err(error) => {
                self.abandon().await;
                Err(error)
            }
        }
    }

    /// Rolls back after a failure that is to be told; a connection that cannot even do that is given up, and the
    /// server rolls back.
    async fn abandon(&mut self) {
        if self.simple("ROLLBACK").await.is_err() {
            self.connection = None;
        }
    }

    async fn write_intent(&mut self, step: &Step, running: EntryState) -> Result<Option<Kept>> {
        let change = match (step.direction, step.resume_after) {
            (Direction::Up, None) => Change::Insert(row(step, running, 0)),
            (_, finished) => {
                let finished = finished.unwrap_or(0);
                progress(running, finished, finished, &StatementSum::of(&step.script.statements[..finished]))
            }
        };
        let before = self.history_before(step).await?;
        self.record(step.version, &change, Some(&before)).await?;
        let (connection, _) = self.open().await?;
        Kept::before(connection, step).await
    }

    async fn settle(&mut self, step: &Step, duration_ms: i64, sum: &StatementSum, kept: Option<Kept>) -> Result<()> {
        self.as_runner().await?;
        if let Some(kept) = kept {
            let (connection, _) = self.open().await?;
            kept.after(connection, step).await?;
        }
        let before = self.history_before(step).await?;
        if step.direction == Direction::Down {
            return self.record(step.version, &Change::Delete, Some(&before)).await;
        }
        let settled = Change::Settle(row(step, EntryState::Applied, duration_ms));
        self.record(step.version, &settled, Some(&before)).await?;
        let all = step.script.statements.len();
        self.record(step.version, &progress(EntryState::Applied, all, all, sum), Some(&before)).await
    }

    /// One statement and the note that it ended: in one transaction where the server lets the statement be in one.
    async fn run_recorded(
        &mut self,
        step: &Step,
        running: EntryState,
        index: usize,
        sum: &mut StatementSum,
        observe: &mut Observer<'_>,
    ) -> Result<(), Failure> {
        let statement = &step.script.statements[index];
        let mut alone = needs_no_transaction(statement, Dialect::Postgres);
        let mut ended = sum.clone();
        ended.add(statement);
        let finished = progress(running, index + 1, index + 1, &ended);
        let known = self.known.row(step.version);
        let mut attempt = 1;
        loop {
            let ran = if alone {
                let begun = progress(running, index + 1, index, sum);
                self.run_alone(step, index, &begun, &finished).await
            } else {
                let ran = self.run_together(step, index, &finished, observe).await;
                if ran.is_err() {
                    self.known.put_back(step.version, known);
                }
                ran
            };
            match ran {
                Err(failure) if !alone && failure.is(&[ACTIVE_SQL_TRANSACTION, INVALID_TRANSACTION_TERMINATION]) => {
                    alone = true;
                }
                Err(failure) if !alone && failure.is_lock() && attempt <= self.options.lock_retries => {
                    self.wait_before_retry(step, attempt, &failure.error, observe).await;
                    attempt += 1;
                }
                Err(failure) => return Err(failure),
                Ok(()) => {
                    *sum = ended;
                    return Ok(());
                }
            }
        }
    }

    async fn run_together(
        &mut self,
        step: &Step,
        index: usize,
        finished: &Change<'_>,
        observe: &mut Observer<'_>,
    ) -> Result<(), Failure> {
        let before = self.history_before_by_itself(step).await?;
        self.simple(BEGIN_TO_WRITE).await?;
        match self.together(step, index, finished, &before, observe).await {
            Ok(()) => Ok(self.commit().await?),
            Err(failure) => {
                self.abandon().await;
                Err(failure)
            }
        }
    }

    async fn together(
        &mut self,
        step: &Step,
        index: usize,
        finished: &Change<'_>,
        before: &HistoryBefore,
        observe: &mut Observer<'_>,
    ) -> Result<(), Failure> {
        self.enter().await?;
        self.run_statement(step, index + 1, &step.script.statements[index], observe).await?;
        self.run_deferred(step).await?;
        self.as_runner().await?;
        self.leave().await?;
        Ok(self.record(step.version, finished, Some(before)).await?)
    }

    /// A statement that waits by its nature, such as a concurrent index, is given the time: it blocks nobody, and
    /// stopping it half-way leaves an invalid index.
    async fn run_alone(
        &mut self,
        step: &Step,
        index: usize,
        begun: &Change<'_>,
        finished: &Change<'_>,
    ) -> Result<(), Failure> {
        let statement = &step.script.statements[index];
        self.drop_invalid_index(step, statement).await?;
        self.record_by_itself(step, begun).await?;
        let (connection, _) = self.open().await?;
        connection.execute("SET lock_timeout = 0").await.could_not("prepare", step.label())?;
        self.enter().await?;
        let ran = self.run_statement(step, index + 1, statement, &mut |_| {}).await;
        let left = self.leave().await;
        ran?;
        left?;
        Ok(self.record_by_itself(step, finished).await?)
    }

    /// Outside a transaction of the script's the whole history is compared: VACUUM FULL may have moved its rows.
    async fn record_by_itself(&mut self, step: &Step, change: &Change<'_>) -> Result<()> {
        self.simple(BEGIN_TO_WRITE).await?;
        let as_left = match self.as_runner().await {
            Ok(()) => self.confirm().await,
            Err(error) => Err(error),
        };
        let written = match as_left {
            Ok(()) => self.record(step.version, change, None).await,
            Err(error) => Err(error),
        };
        self.end(written).await
    }

    /// Runs a statement, unless it is one of a dump that is left out.
    async fn run_statement(
        &mut self,
        step: &Step,
        number: usize,
        statement: &Statement,
        observe: &mut Observer<'_>,
    ) -> Result<(), Failure> {
        let settings = resets_all(statement).then(|| self.settings_of_scripts());
        let (connection, _) = self.open().await?;
        if is_left_out(connection, step, statement, observe).await? {
            return Ok(());
        }
        if let Err(error) = run_sql(connection, statement).await {
            let told = statement_failed(step, number, statement, server_message(&error));
            return Err(failure(&error, advice::on_postgres(told, &error, statement)));
        }
        if let Some(settings) = settings {
            connection.execute(settings).await.could_not("prepare", step.label())?;
        }
        Ok(())
    }

    /// The invalid index that a failed concurrent build of this very statement has left.
    async fn invalid_index(&mut self, statement: &Statement) -> Result<Option<InvalidIndex>> {
        let Some(name) = concurrent_index_name(statement) else { return Ok(None) };
        self.enter().await?;
        let (connection, _) = self.open().await?;
        let found: Option<(String, String)> = sqlx::query_as(include_str!("invalid_index.sql"))
            .bind(&name)
            .fetch_optional(connection.sqlx())
            .await
            .could_not("look for", "invalid indexes")?;
        self.leave().await?;
        Ok(found.map(|(shown, quoted)| InvalidIndex { shown, quoted }))
    }

    /// Before a concurrent build is tried again: what the build that failed has left would be in its way.
    async fn drop_invalid_index(&mut self, step: &Step, statement: &Statement) -> Result<()> {
        if step.resume_after.is_none() {
            return Ok(());
        }
        let Some(index) = self.invalid_index(statement).await? else { return Ok(()) };
        let (connection, _) = self.open().await?;
        connection
            .execute(format!("DROP INDEX CONCURRENTLY {}", index.quoted))
            .await
            .could_not("drop invalid index", format!("`{}`", index.shown))
    }
}

/// The name in `CREATE [UNIQUE] INDEX CONCURRENTLY [IF NOT EXISTS] name ON …`, as the catalog has it.
fn concurrent_index_name(statement: &Statement) -> Option<String> {
    if !statement.starts_with(&["CREATE"]) {
        return None;
    }
    let at = statement.tokens().take(4).position(|token| token.is("CONCURRENTLY"))?;
    let rest: Vec<_> = statement.tokens().skip(at + 1).take(4).collect();
    let rest = rest.as_slice();
    let rest = if rest.first().is_some_and(|token| token.is("IF")) { rest.get(3..)? } else { rest };
    let name = rest.first().filter(|token| !token.is("ON"))?;
    Some(if name.class == super::super::tokens::Class::Name { name.unquoted() } else { name.text.to_lowercase() })
}

/// Whether a statement of a dump is left out; it is told.
async fn is_left_out(
    connection: &mut Client,
    step: &Step,
    statement: &Statement,
    observe: &mut Observer<'_>,
) -> Result<bool> {
    const SHOWN_CHARS_MAX: usize = 80;
    let tolerance = if step.script.is_dump { Tolerance::Dump } else { Tolerance::Nothing };
    let why = leave_out::reason(connection, statement, tolerance).await.could_not("look into", step.label())?;
    let Some(why) = why else { return Ok(false) };
    let sql = statement.text().chars().take(SHOWN_CHARS_MAX).collect();
    observe(&Event::LeftOut { version: step.version, line: statement.line(), sql, why });
    Ok(true)
}

/// Runs one statement, with the rows below it where it has them.
pub(super) async fn run_sql(connection: &mut Client, statement: &Statement) -> sqlx::Result<()> {
    const CHUNK_BYTES: usize = 1 << 20;
    let Some(rows) = statement.rows() else { return connection.execute(statement.text()).await };
    let mut copy = connection.copy_in(statement.text()).await?;
    for chunk in rows.as_bytes().chunks(CHUNK_BYTES) {
        copy.send(chunk).await?;
    }
    copy.finish().await.map(|_| ())
}

/// Whether a statement takes back every setting, the runner's included.
fn resets_all(statement: &Statement) -> bool {
    statement.starts_with(&["RESET", "ALL"]) || statement.starts_with(&["DISCARD", "ALL"])
}

fn failure(from: &sqlx::Error, error: Error) -> Failure {
    let code = from.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned());
    Failure { error, code }
}

fn give_up(failure: Failure) -> Error {
    if failure.is_lock() {
        return failure.error.hint(
            "the application holds a lock on the table; try at a quieter time, or give more with `--lock-timeout`",
        );
    }
    failure.error
}

/// The number of the transaction that the connection is in.
async fn transaction_id(connection: &mut Client) -> Result<String> {
    let rows = connection.texts("SELECT pg_catalog.pg_current_xact_id()::text").await;
    let rows = rows.could_not("number the transaction", "")?;
    Ok(rows.into_iter().flatten().flatten().next().unwrap_or_default())
}
