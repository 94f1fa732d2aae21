//! One connection to PostgreSQL, in one read-only snapshot, with every setting pinned that an output depends on.
//!
//! Invariants: the snapshot was taken after every readable table was locked against being emptied or rewritten
//! (`TRUNCATE` and `ALTER TABLE` do not respect older snapshots); nothing is ever written; after a failure or an
//! interruption the session answers with an error only, because the stream may stand in the middle of a message.

use super::connect::connect;
use super::failure::{explain, explain_connecting};
use crate::cancel::Cancel;
use crate::endpoint::PostgresUrl;
use crate::error::{Error, Result};
use futures_util::StreamExt;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{ConnectOptions, Connection, Row, ValueRef};
use std::fmt;
use std::future::Future;
use std::str::FromStr;
use std::task::Poll;
use std::time::Duration;
use tokio::runtime::{Handle, Runtime};

const CONNECT_TIMEOUT_SECONDS_DEFAULT: u64 = 15;
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// How often the tables are listed again when one of them is dropped between being listed and being locked.
const LOCK_ATTEMPTS_MAX: usize = 5;
/// How long to wait for a table that another session keeps even from readers, where the URL sets no `lock_timeout`.
const LOCK_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
const OLDEST_VERSION: u32 = 130_000;

/// One connection, one snapshot.
///
/// All methods block. They run on the session's own runtime, so they must not be called from within an async
/// context; there they return an error.
pub struct Session {
    // The connection is dropped before the runtime that drives it.
    connection: Option<PgConnection>,
    runtime: Runtime,
    cancel: Cancel,
    label: String,
    version: u32,
    lock_timeout: Duration,
}

impl Session {
    /// Connects, locks every readable table of a user schema in the mode of a reader, and takes the snapshot.
    ///
    /// `sslmode`, PGPASSWORD, PGHOST and `~/.pgpass` count as they do for `psql`; `connect_timeout` in the URL is
    /// in seconds, 15 without it, and 0 waits for ever. A table that is locked even for readers is waited for 30 seconds,
    /// or as long as the URL says (`options=-c lock_timeout=5s`; 0 waits for ever).
    ///
    /// # Errors
    /// Server unreachable, TLS, authentication, missing database, a server older than PostgreSQL 13, or a stop that
    /// was asked for.
    pub fn connect(url: &PostgresUrl, cancel: &Cancel) -> Result<Self> {
        let mut session = Self::reach(url, cancel)?;
        session.begin()?;
        Ok(session)
    }

    /// Connects and takes no snapshot yet.
    ///
    /// # Errors
    /// As [`Session::connect`].
    pub(super) fn reach(url: &PostgresUrl, cancel: &Cancel) -> Result<Self> {
        refuse_async_context("connect")?;
        let label = format!("`{url}`");
        let options = PgConnectOptions::from_str(url.secret()).map_err(|error| explain_connecting(url, &error))?;
        let options = options.application_name("whimbrel").extra_float_digits(1).disable_statement_logging();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::could_not("start the runtime of", &label, error))?;

        let seconds = match url.parameter("connect_timeout") {
            None => CONNECT_TIMEOUT_SECONDS_DEFAULT,
            // Its value is not repeated, as that of any other parameter that is not what it should be.
            Some(text) => text
                .trim()
                .parse()
                .map_err(|_| Error::usage("connect to", &label, "`connect_timeout` is no number of seconds"))?,
        };
        let connecting = async {
            if seconds == 0 {
                return Ok(connect(&options).await);
            }
            tokio::time::timeout(Duration::from_secs(seconds), connect(&options)).await
        };
        let connection = match runtime.block_on(unless_cancelled(cancel, connecting)) {
            None => return Err(Error::interrupted("connect")),
            Some(Err(_)) => {
                let cause = format!("no answer within {seconds} s");
                return Err(Error::could_not("connect to", &label, cause)
                    .hint("check host and port in the URL, the network and the firewall"));
            }
            Some(Ok(Err(error))) => return Err(explain_connecting(url, &error)),
            Some(Ok(Ok(connection))) => connection,
        };
        Ok(Session {
            connection: Some(connection),
            runtime,
            cancel: cancel.clone(),
            label,
            version: 0,
            lock_timeout: LOCK_TIMEOUT_DEFAULT,
        })
    }

    /// The server's version as a number, for example 150018 for 15.18.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The endpoint in backticks, without a password, for messages.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Runs one statement, or several joined by `;`, by the simple protocol, and returns the rows as the server's text.
    ///
    /// `object` is what a failure names, `operation` what was being done to it.
    ///
    /// # Errors
    /// Whatever the server says, a cut connection, text that is not UTF-8, a stop that was asked for.
    pub fn query_rows(
        &mut self,
        operation: &str,
        object: impl fmt::Display,
        sql: &str,
    ) -> Result<Vec<Vec<Option<String>>>> {
        let rows = self.run(operation, &object, sql)?;
        rows.iter().map(|row| texts(row).map_err(|error| explain(operation, &object, &error))).collect()
    }

    /// Runs one statement whose every row is one JSON text, and decodes the rows.
    ///
    /// # Errors
    /// As [`Session::query_rows`]; also a row that does not have the form of `T`.
    pub(super) fn query_json<T: serde::de::DeserializeOwned>(&mut self, operation: &str, sql: &str) -> Result<Vec<T>> {
        let rows = self.run(operation, &self.label.clone(), sql)?;
        let decode = |row: &PgRow| {
            let value = row.try_get_raw(0).map_err(|error| explain(operation, &self.label, &error))?;
            let text = value.as_str().map_err(|error| Error::could_not(operation, &self.label, error))?;
            serde_json::from_str(text).map_err(|error| Error::could_not(operation, &self.label, error))
        };
        rows.iter().map(decode).collect()
    }

    /// Runs `COPY (…) TO STDOUT` and hands the payload of each CopyData message to `receive`.
    ///
    /// In binary format the server sends one message per row; the first carries the 19-byte header before its row,
    /// the last is the trailer (two bytes of 0xFF) alone. A table without rows is header and trailer.
    /// `object` is what a failure names.
    ///
    /// # Errors
    /// Whatever the server says, a cut connection (never a silent end), what `receive` returns, a stop that was
    /// asked for. The session is then of no further use.
    pub fn copy_out(
        &mut self,
        object: impl fmt::Display,
        sql: &str,
        receive: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        const OPERATION: &str = "read";
        refuse_async_context(OPERATION)?;
        let mut connection = self.take_connection(OPERATION, &object)?;
        let cancel = &self.cancel;
        let outcome = self.runtime.block_on(async {
            let starting = connection.copy_out_raw(sql);
            let mut stream = match unless_cancelled(cancel, starting).await {
                None => return Err(Error::interrupted(OPERATION)),
                Some(started) => started.map_err(|error| explain(OPERATION, &object, &error))?,
            };
            let mut cancelled = std::pin::pin!(cancel.cancelled());
            // One poll serves as many messages as the socket has; a stop is looked for by one load for each of
            // them, and by its waker only where there is nothing to read.
            std::future::poll_fn(|context| {
                loop {
                    match stream.poll_next_unpin(context) {
                        Poll::Ready(Some(Ok(message))) => {
                            if let Err(error) = receive(&message) {
                                return Poll::Ready(Err(error));
                            }
                            if cancel.is_cancelled() {
                                return Poll::Ready(Err(Error::interrupted(OPERATION)));
                            }
                        }
                        Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(explain(OPERATION, &object, &error))),
                        Poll::Ready(None) => return Poll::Ready(Ok(())),
                        Poll::Pending => {
                            return cancelled.as_mut().poll(context).map(|()| Err(Error::interrupted(OPERATION)));
                        }
                    }
                }
            })
            .await
        });
        if outcome.is_ok() {
            self.connection = Some(connection);
        }
        outcome
    }

    /// Ends the transaction and the connection in good order; dropping the session does the same.
    pub fn close(self) {}

    /// Lists the tables, locks them, and takes the snapshot by the first query after that.
    pub(super) fn begin(&mut self) -> Result<()> {
        const OPERATION: &str = "begin a snapshot of";
        for attempt in 1.. {
            let rows = self.query_rows(OPERATION, self.label.clone(), include_str!("sql/lockable_tables.sql"))?;
            let mut names = Vec::new();
            for row in rows {
                match row.as_slice() {
                    [Some(version), Some(lock_timeout_ms), name] => {
                        self.version = version.parse().unwrap_or(0);
                        // A role's or a database's limit is meant for an application. Zero waits for ever, which
                        // nobody should who has not said so.
                        let chosen = lock_timeout_ms.parse().ok().map(Duration::from_millis);
                        self.lock_timeout = chosen.unwrap_or(LOCK_TIMEOUT_DEFAULT);
                        names.extend(name.clone());
                    }
                    _ => return Err(Error::could_not(OPERATION, &self.label, "the server does not tell its version")),
                }
            }
            if self.version < OLDEST_VERSION {
                let cause = format!("PostgreSQL {} is too old", version_text(self.version));
                return Err(Error::could_not("read", &self.label, cause)
                    .hint("PostgreSQL 13 to 18 can be read; dump it and restore it there"));
            }
            // The locks come before the snapshot, and a list of tables before the locks: whoever drops a table
            // between the two makes us begin anew.
            let label = self.label.clone();
            let began = self.run_statements(&begin_statements(self.version, &names, self.lock_timeout));
            match began {
                None => return Err(Error::interrupted(OPERATION)),
                Some(Ok(())) => break,
                Some(Err(error)) if attempt < LOCK_ATTEMPTS_MAX && is_undefined_table(&error) => {
                    self.query_rows(OPERATION, &label, "ROLLBACK")?;
                }
                Some(Err(error)) if is_lock_timeout(&error) => return Err(self.explain_lock(OPERATION, &label)),
                Some(Err(error)) => {
                    self.connection = None;
                    return Err(explain(OPERATION, label, &error));
                }
            }
        }
        Ok(())
    }

    /// Names whoever holds the lock that was waited for in vain, as far as the role may know.
    fn explain_lock(&mut self, operation: &str, label: &str) -> Error {
        let holders = self
            .query_rows(operation, label, "ROLLBACK")
            .and_then(|_| self.query_rows(operation, label, include_str!("sql/lock_holders.sql")));
        let holders = holders.ok().and_then(|rows| rows.into_iter().flatten().flatten().next());
        self.connection = None;
        let seconds = self.lock_timeout.as_secs_f64();
        let told = holders.map_or_else(String::new, |holders| format!(": {holders}"));
        Error::could_not(operation, label, format!("a table stayed locked by another session for {seconds} s{told}"))
            .hint("wait until its transaction ends, or end it with `SELECT pg_terminate_backend(PROCESS)`; then run again")
    }

    fn run_statements(&mut self, sql: &str) -> Option<Result<(), sqlx::Error>> {
        let connection = self.connection.as_mut()?;
        let statement = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()));
        let outcome = self.runtime.block_on(unless_cancelled(&self.cancel, statement.execute(connection)));
        if outcome.is_none() {
            self.connection = None;
        }
        outcome.map(|done| done.map(|_| ()))
    }

    fn run(&mut self, operation: &str, object: &dyn fmt::Display, sql: &str) -> Result<Vec<PgRow>> {
        refuse_async_context(operation)?;
        let mut connection = self.take_connection(operation, object)?;
        let statement = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()));
        let fetching = unless_cancelled(&self.cancel, statement.fetch_all(&mut connection));
        match self.runtime.block_on(fetching) {
            None => Err(Error::interrupted(operation)),
            Some(Err(error)) => Err(explain(operation, object, &error)),
            Some(Ok(rows)) => {
                self.connection = Some(connection);
                Ok(rows)
            }
        }
    }

    /// The connection for one exchange; whoever ends it well puts it back.
    fn take_connection(&mut self, operation: &str, object: &dyn fmt::Display) -> Result<PgConnection> {
        self.connection.take().ok_or_else(|| {
            Error::could_not(operation, object, "the connection has failed before and cannot be used any more")
        })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        // Blocking inside another runtime would panic; there the socket is just closed.
        if Handle::try_current().is_err() {
            // Whether the server heard the goodbye changes nothing: the transaction could not write.
            let _ = self.runtime.block_on(async { tokio::time::timeout(CLOSE_TIMEOUT, connection.close()).await });
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("label", &self.label).field("version", &self.version).finish_non_exhaustive()
    }
}

/// The statements that begin the snapshot, for a server of that version. None of them takes a snapshot by itself.
fn begin_statements(version: u32, tables: &[String], lock_timeout: Duration) -> String {
    let mut sql = String::from(include_str!("sql/begin_snapshot.sql"));
    if version >= 140_000 {
        sql.push_str("SET LOCAL idle_session_timeout = 0;\n");
    }
    if version >= 170_000 {
        sql.push_str("SET LOCAL transaction_timeout = 0;\n");
    }
    if !tables.is_empty() {
        // Only an ALTER, a TRUNCATE or the like keeps a reader out; nobody should wait for one without a word.
        sql.push_str(&format!("SET LOCAL lock_timeout = {};\n", lock_timeout.as_millis()));
        sql.push_str(&format!("LOCK TABLE {} IN ACCESS SHARE MODE;\n", tables.join(", ")));
        sql.push_str("SET LOCAL lock_timeout = 0;\n");
    }
    sql
}

fn version_text(version: u32) -> String {
    if version >= 100_000 {
        format!("{}.{}", version / 10_000, version % 10_000)
    } else {
        format!("{}.{}.{}", version / 10_000, version / 100 % 100, version % 100)
    }
}

fn is_undefined_table(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    // A schema that is gone reads the same to us as a table that is gone.
    matches!(code.as_deref(), Some("42P01" | "3F000"))
}

fn is_lock_timeout(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).as_deref() == Some("55P03")
}

fn texts(row: &PgRow) -> Result<Vec<Option<String>>, sqlx::Error> {
    let text = |index| {
        let value = row.try_get_raw(index)?;
        if value.is_null() {
            return Ok(None);
        }
        value.as_str().map(|text| Some(text.to_owned())).map_err(sqlx::Error::Decode)
    };
    (0..row.len()).map(text).collect()
}

/// The future's output, or `None` if a stop is asked for first.
async fn unless_cancelled<F: Future>(cancel: &Cancel, future: F) -> Option<F::Output> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => None,
        output = future => Some(output),
    }
}

fn refuse_async_context(operation: &str) -> Result<()> {
    match Handle::try_current() {
        Err(_) => Ok(()),
        Ok(_) => Err(Error::could_not(operation, "", "a session blocks, and this is an async context")
            .hint("call it from a thread of your own, made with `std::thread::spawn`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_gets_the_settings_that_it_knows_and_no_other() {
        let settings = |version| {
            let sql = begin_statements(version, &[], LOCK_TIMEOUT_DEFAULT);
            (sql.contains("idle_session_timeout"), sql.contains("transaction_timeout"))
        };
        assert_eq!(settings(130_000), (false, false));
        assert_eq!(settings(140_000), (true, false));
        assert_eq!(settings(160_009), (true, false));
        assert_eq!(settings(170_000), (true, true));
        assert_eq!(settings(180_001), (true, true));
        assert!(!begin_statements(150_000, &[], LOCK_TIMEOUT_DEFAULT).contains("LOCK TABLE"));
    }

    #[test]
    fn the_locks_come_last_and_are_not_waited_for_for_ever() {
        let sql = begin_statements(
            150_000,
            &["ONLY public.film".to_owned(), "\"a b\".\"c\"\"d\"".to_owned()],
            LOCK_TIMEOUT_DEFAULT,
        );
        assert_eq!(
            sql.lines().find(|line| !line.starts_with("--")),
            Some("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;")
        );
        let last: Vec<_> = sql.lines().rev().take(3).collect();
        let lock = "LOCK TABLE ONLY public.film, \"a b\".\"c\"\"d\" IN ACCESS SHARE MODE;";
        assert_eq!(last, ["SET LOCAL lock_timeout = 0;", lock, "SET LOCAL lock_timeout = 30000;"]);
    }

    #[test]
    fn versions_read_as_the_project_writes_them() {
        assert_eq!(version_text(120_022), "12.22");
        assert_eq!(version_text(90_624), "9.6.24");
    }

    #[test]
    fn an_async_context_is_refused_with_an_error() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let url = PostgresUrl::parse("postgres://127.0.0.1:1/none").unwrap();
        let error = runtime.block_on(async { Session::connect(&url, &Cancel::new()).unwrap_err() });
        assert!(error.cause().contains("async context"), "{error}");
    }
}
