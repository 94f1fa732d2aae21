//! One connection to PostgreSQL, in one read-only snapshot, with every setting pinned that an output depends on.
//!
//! Invariants: nothing is ever written; every name is found by the pinned search path (`connect`); every relation that is
//! read is held since before the snapshot (`snapshot`); after a failure or an interruption the session answers with an
//! error only, because the stream may stand in the middle of a message.

use super::client::{Blocking, Connector, texts};
use super::connect::Access;
use super::failure::explain;
use super::fence::fenced;
use super::lookout::{Lookout, Patience};
use super::wait::{Ended, Silence, Watch};
use crate::cancel::Cancel;
use crate::catalog::QualifiedName;
use crate::endpoint::PostgresUrl;
use crate::error::Result;
use futures_util::StreamExt;
use sqlx::postgres::PgRow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::task::Poll;
use std::time::Duration;

/// How long to wait for a table that another session keeps even from readers, where the URL sets no `lock_timeout`.
const LOCK_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// One connection, one snapshot.
///
/// All methods block. They run on the session's own runtime, so they must not be called from within an async
/// context; there they return an error.
pub struct Session {
    blocking: Blocking,
    cancel: Cancel,
    label: String,
    pub(super) version: u32,
    pub(super) lock_timeout: Duration,
    pub(super) patience: Patience,
    pub(super) lookout: Lookout,
    /// The relations that the snapshot holds, with their numbers in the server's catalog.
    pub(super) held: HashMap<QualifiedName, i64>,
    /// The relations that others changed each time that the snapshot was taken; it does not hold them.
    pub(super) changed: HashSet<QualifiedName>,
    /// A text that the server could not convert ended the last COPY.
    pub(super) met_no_text: bool,
}

impl Session {
    /// Connects, locks every readable table of a user schema in the mode of a reader, and takes the snapshot.
    ///
    /// `sslmode`, PGPASSWORD, PGHOST and `~/.pgpass` count as they do for `psql`; `connect_timeout` in the URL, or
    /// PGCONNECT_TIMEOUT, is in seconds, 15 without it, and 0 waits for ever. Tables that are locked even for readers are
    /// waited for 30 seconds together, or as long as the URL says (`options=-c lock_timeout=5s`; 0 waits for ever).
    ///
    /// # Errors
    /// Server unreachable, TLS, authentication, missing database, a server older than PostgreSQL 13, or a stop that
    /// was asked for.
    pub fn connect(url: &PostgresUrl, cancel: &Cancel) -> Result<Self> {
        Self::connect_within(url, Patience::default(), cancel)
    }

    /// As [`Session::connect`], with patience of another length.
    ///
    /// # Errors
    /// As [`Session::connect`].
    pub fn connect_within(url: &PostgresUrl, patience: Patience, cancel: &Cancel) -> Result<Self> {
        let mut session = Self::reach(url, patience, cancel)?;
        session.begin()?;
        Ok(session)
    }

    /// Connects and takes no snapshot yet.
    ///
    /// # Errors
    /// As [`Session::connect`].
    pub(super) fn reach(url: &PostgresUrl, patience: Patience, cancel: &Cancel) -> Result<Self> {
        let connector = Connector::new(url, "whimbrel")?;
        Ok(Session {
            blocking: Blocking::connect(&connector, Access::Reads, cancel)?,
            cancel: cancel.clone(),
            label: connector.label(),
            version: 0,
            lock_timeout: patience.lock_wait.unwrap_or(LOCK_TIMEOUT_DEFAULT),
            lookout: connector.lookout(patience.listener.clone()),
            patience,
            held: HashMap::new(),
            changed: HashSet::new(),
            met_no_text: false,
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
        let rows = self.run(operation, &object, sql, Silence::Limited(self.patience.stall_timeout))?;
        rows.iter().map(|row| texts(row).map_err(|error| explain(operation, &object, &error).because(error))).collect()
    }

    /// As [`Session::query_rows`], for what the server computes over all rows of a table before it says a word: as long
    /// as it is at work, its silence has no limit.
    ///
    /// # Errors
    /// As [`Session::query_rows`].
    pub(super) fn query_rows_at_length(
        &mut self,
        operation: &str,
        object: impl fmt::Display,
        sql: &str,
    ) -> Result<Vec<Vec<Option<String>>>> {
        let rows = self.run(operation, &object, sql, Silence::UnlessAtWork(self.patience.stall_timeout))?;
        rows.iter().map(|row| texts(row).map_err(|error| explain(operation, &object, &error).because(error))).collect()
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
        let mut client = self.blocking.take(OPERATION, &object)?;
        let (cancel, watch) = (&self.cancel, self.watch(Silence::Limited(self.patience.stall_timeout), None));
        let mut messages: u64 = 0;
        let outcome = self.blocking.wait(async {
            let mut stream = watch.wait(client.sqlx().copy_out_raw(sql)).await?;
            // One poll serves as many messages as the socket has; a stop is looked for by one load for each of
            // them, and by its waker only where there is nothing to read.
            let receiving = watch.poll(|context| {
                loop {
                    match fenced(|| stream.poll_next_unpin(context)) {
                        Ok(Poll::Ready(Some(Ok(message)))) => {
                            if let Err(error) = receive(&message) {
                                return Poll::Ready(Err(Ended::Refused(error)));
                            }
                            if cancel.is_cancelled() {
                                return Poll::Ready(Err(Ended::Cancelled));
                            }
                            messages += 1;
                        }
                        Ok(Poll::Ready(Some(Err(error)))) | Err(error) => {
                            return Poll::Ready(Err(Ended::Failed(error)));
                        }
                        Ok(Poll::Ready(None)) => return Poll::Ready(Ok(())),
                        Ok(Poll::Pending) => return Poll::Pending,
                    }
                }
            });
            receiving.await
        });
        match outcome {
            Ok(()) => {
                self.blocking.put_back(client);
                Ok(())
            }
            // The server sends a message for each row.
            Err(ended) => {
                self.met_no_text = ended.is_not_text();
                Err(ended.explain(OPERATION, object, &format!("; {messages} rows had come")))
            }
        }
    }

    /// Ends the transaction and the connection in good order; dropping the session does the same.
    pub fn close(self) {}

    /// Runs statements that wait for locks, at most for `locks`, without it for ever, and tells after two seconds whose.
    /// After a refusal by the server, which is told as it came, the session is whole; after anything else it is not.
    ///
    /// # Errors
    /// The outer one for a stop, silence and a connection that failed, the inner one for what the server refuses.
    pub(super) fn attempt(
        &mut self,
        operation: &str,
        sql: &str,
        locks: Option<Duration>,
    ) -> Result<Result<(), sqlx::Error>> {
        let mut client = self.blocking.take(operation, &self.label)?;
        let stall = self.patience.stall_timeout;
        let silence = match locks {
            Some(locks) => Silence::Limited(stall.and_then(|stall| stall.checked_add(locks))),
            None => Silence::UnlessAtWork(stall),
        };
        match self.blocking.wait(self.watch(silence, locks).wait(client.execute(sql))) {
            Err(Ended::Failed(error)) if error.as_database_error().is_some() => {
                self.blocking.put_back(client);
                Ok(Err(error))
            }
            Err(ended) => Err(ended.explain(operation, &self.label, "")),
            Ok(()) => {
                self.blocking.put_back(client);
                Ok(Ok(()))
            }
        }
    }

    /// Makes the session answer with an error only.
    pub(super) fn give_up(&mut self) {
        self.blocking.give_up();
    }

    fn run(&mut self, operation: &str, object: &dyn fmt::Display, sql: &str, silence: Silence) -> Result<Vec<PgRow>> {
        let mut client = self.blocking.take(operation, object)?;
        let outcome = self.blocking.wait(self.watch(silence, None).wait(client.rows(sql)));
        let rows = outcome.map_err(|ended| ended.explain(operation, object, ""))?;
        self.blocking.put_back(client);
        Ok(rows)
    }

    fn watch(&self, silence: Silence, lock_wait: Option<Duration>) -> Watch<'_> {
        Watch { cancel: &self.cancel, silence, lookout: Some(&self.lookout), lock_wait }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("label", &self.label).field("version", &self.version).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_async_context_is_refused_with_an_error() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let url = PostgresUrl::parse("postgres://127.0.0.1:1/none").unwrap();
        let error = runtime.block_on(async { Session::connect(&url, &Cancel::new()).unwrap_err() });
        assert!(error.cause().contains("async context"), "{error}");
    }
}
