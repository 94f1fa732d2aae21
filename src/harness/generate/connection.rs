//! A connection to PostgreSQL that writes, driven by a thread of its own: callable from blocking and from asynchronous
//! code alike, and rows are sent while the next ones are made.
//!
//! Invariants: after a failure every further call but the drop returns an error; what was not committed is gone; the
//! search path is the pinned one but between [`Connection::enter`] and [`Connection::leave`].

use crate::cancel::Cancel;
use crate::endpoint::PostgresUrl;
use crate::endpoint::postgres::{
    ChosenPath, PIN, close, connect_beside, connect_options, explain, explain_connecting, fenced_wait,
};
use crate::error::{Error, Result};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, Row, ValueRef};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How many requests may wait: a few chunks of rows, so that memory stays flat.
const QUEUE: usize = 4;
const CONNECT_LIMIT: Duration = Duration::from_secs(15);

/// Rows of a query, as the server's text.
pub(super) type Answer = Vec<Vec<Option<String>>>;

#[derive(Debug)]
enum Request {
    /// Statements, what a failure names, and whether a stop that is asked for meanwhile comes too late for them.
    Query {
        sql: String,
        object: String,
        to_its_end: bool,
    },
    /// `COPY … FROM STDIN`; chunks follow.
    Copy {
        sql: String,
        object: String,
    },
    Chunk(Vec<u8>),
    CopyEnd,
}

/// The connection.
#[derive(Debug)]
pub(super) struct Connection {
    requests: Option<SyncSender<Request>>,
    answers: Receiver<Result<Answer>>,
    failed: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    label: String,
    path: ChosenPath,
}

impl Connection {
    /// Connects.
    pub(super) fn open(url: &PostgresUrl) -> Result<Connection> {
        Self::open_until(url, &Cancel::new())
    }

    /// Connects; when a stop is asked for, whatever the server is doing is given up.
    pub(super) fn open_until(url: &PostgresUrl, cancel: &Cancel) -> Result<Connection> {
        let label = format!("`{url}`");
        let options = connect_options(url.secret())
            .map_err(|error| explain_connecting(url, &error))?
            .application_name("whimbrel generate")
            .extra_float_digits(1)
            .disable_statement_logging();
        let (requests, incoming) = sync_channel(QUEUE);
        let (outgoing, answers) = sync_channel(QUEUE);
        let failed = Arc::new(AtomicBool::new(false));
        let worker = Worker {
            incoming,
            outgoing,
            failed: Arc::clone(&failed),
            url: url.clone(),
            label: label.clone(),
            cancel: cancel.clone(),
        };
        let thread = std::thread::spawn(move || worker.run(&options));
        let path = ChosenPath(String::new());
        let mut connection =
            Connection { requests: Some(requests), answers, failed, thread: Some(thread), label, path };
        // The first answer says whether there is a connection at all, and which path was chosen.
        let path = connection.answer()?.into_iter().flatten().flatten().next();
        connection.path = ChosenPath(path.unwrap_or_default());
        Ok(connection)
    }

    /// The endpoint in backticks, without a password.
    pub(super) fn label(&self) -> &str {
        &self.label
    }

    /// Lets what the database's owner has written (triggers, functions in checks) find things by the path that was
    /// chosen for it.
    pub(super) fn enter(&mut self) -> Result<()> {
        self.query(self.path.enter(), self.label.clone()).map(|_| ())
    }

    /// As [`Connection::enter`], for expressions as the server prints them, which name by themselves only what the
    /// server's own schema does not have: that one comes first.
    pub(super) fn enter_behind_the_servers_own(&mut self) -> Result<()> {
        let path = ChosenPath(format!("pg_catalog, {}", self.path.0).trim_end_matches([',', ' ']).to_owned());
        self.query(path.enter(), self.label.clone()).map(|_| ())
    }

    /// Pins the path again.
    pub(super) fn leave(&mut self) -> Result<()> {
        self.query(PIN, self.label.clone()).map(|_| ())
    }

    /// Runs statements and returns the rows of the last that has any; `object` is what a failure names.
    pub(super) fn query(&mut self, sql: impl Into<String>, object: impl Into<String>) -> Result<Answer> {
        self.send(Request::Query { sql: sql.into(), object: object.into(), to_its_end: false })?;
        self.answer()
    }

    /// As [`Connection::query`], and no request to stop cuts it short: its outcome would be unknown.
    pub(super) fn query_to_its_end(&mut self, sql: impl Into<String>, object: impl Into<String>) -> Result<Answer> {
        self.send(Request::Query { sql: sql.into(), object: object.into(), to_its_end: true })?;
        self.answer()
    }

    /// Starts `COPY … FROM STDIN`. A failure is told by [`Connection::copy_end`].
    pub(super) fn copy(&mut self, sql: impl Into<String>, object: impl Into<String>) -> Result<()> {
        self.send(Request::Copy { sql: sql.into(), object: object.into() })
    }

    /// Sends rows of the COPY that was started. False: it has failed, and [`Connection::copy_end`] tells why.
    pub(super) fn chunk(&mut self, rows: Vec<u8>) -> Result<bool> {
        if self.failed.load(Ordering::Relaxed) {
            return Ok(false);
        }
        self.send(Request::Chunk(rows)).map(|()| true)
    }

    /// Ends the COPY.
    pub(super) fn copy_end(&mut self) -> Result<()> {
        self.send(Request::CopyEnd)?;
        self.answer().map(|_| ())
    }

    fn send(&self, request: Request) -> Result<()> {
        let sent = self.requests.as_ref().map(|requests| requests.send(request));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => Err(self.gone()),
        }
    }

    fn answer(&self) -> Result<Answer> {
        self.answers.recv().unwrap_or_else(|_| Err(self.gone()))
    }

    fn gone(&self) -> Error {
        Error::could_not("write to", &self.label, "the connection is closed")
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            // It has told its failures; a panic of it was printed.
            let _ = thread.join();
        }
    }
}

struct Worker {
    incoming: Receiver<Request>,
    outgoing: SyncSender<Result<Answer>>,
    failed: Arc<AtomicBool>,
    url: PostgresUrl,
    label: String,
    cancel: Cancel,
}

impl Worker {
    fn run(self, options: &PgConnectOptions) {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                let _ = self.outgoing.send(Err(Error::could_not("start the runtime of", &self.label, error)));
                return;
            }
        };
        runtime.block_on(async {
            let connecting = tokio::time::timeout(CONNECT_LIMIT, connect_beside(options));
            let connected = match self.unless_cancelled(connecting).await {
                Ok(connected) => connected,
                Err(interrupted) => {
                    let _ = self.outgoing.send(Err(interrupted));
                    return;
                }
            };
            let (mut connection, path) = match connected {
                Ok(Ok(connected)) => connected,
                Ok(Err(error)) => {
                    let _ = self.outgoing.send(Err(explain_connecting(&self.url, &error)));
                    return;
                }
                Err(_) => {
                    let cause = format!("no answer within {} s", CONNECT_LIMIT.as_secs());
                    let _ = self.outgoing.send(Err(Error::could_not("connect to", &self.label, cause)));
                    return;
                }
            };
            if self.outgoing.send(Ok(vec![vec![Some(path.0)]])).is_ok() {
                self.serve(&mut connection).await;
            }
            // Nobody waits for this connection any more; one that was left in the middle of something is just cut.
            if !self.cancel.is_cancelled() {
                close(connection).await;
            }
        });
    }

    async fn serve(&self, connection: &mut PgConnection) {
        // Waiting here blocks the runtime, which has nothing else to do.
        while let Ok(request) = self.incoming.recv() {
            let answer = match request {
                Request::Query { sql, object, to_its_end: true } => query(connection, &sql, &object).await,
                Request::Query { sql, object, to_its_end: false } => {
                    match self.unless_cancelled(query(connection, &sql, &object)).await {
                        Ok(answer) => answer,
                        Err(interrupted) => Err(interrupted),
                    }
                }
                Request::Copy { sql, object } => {
                    let done = self.copy(connection, &sql, &object).await;
                    done.map(|()| Vec::new())
                }
                Request::Chunk(_) | Request::CopyEnd => {
                    Err(Error::could_not("write to", &self.label, "no COPY was started"))
                }
            };
            if self.outgoing.send(answer).is_err() {
                return;
            }
        }
    }

    async fn unless_cancelled<F: Future>(&self, future: F) -> Result<F::Output> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Error::interrupted("fill")),
            output = future => Ok(output),
        }
    }

    async fn copy(&self, connection: &mut PgConnection, sql: &str, object: &str) -> Result<()> {
        const OPERATION: &str = "fill";
        self.failed.store(false, Ordering::Relaxed);
        let told = |error: &sqlx::Error| explain(OPERATION, object, error);
        let started = self.unless_cancelled(fenced_wait(connection.copy_in_raw(sql))).await;
        let mut outcome = started.and_then(|copy| copy.map_err(|error| told(&error)));
        loop {
            match self.incoming.recv() {
                Ok(Request::Chunk(rows)) => {
                    if let Ok(copy) = &mut outcome {
                        let sent = self.unless_cancelled(fenced_wait(copy.send(rows))).await;
                        if let Err(error) = sent.and_then(|sent| sent.map_err(|error| told(&error))) {
                            outcome = Err(error);
                        }
                    }
                    if outcome.is_err() {
                        self.failed.store(true, Ordering::Relaxed);
                    }
                }
                Ok(Request::CopyEnd) => {
                    return match outcome {
                        Ok(copy) => {
                            let finished = self.unless_cancelled(fenced_wait(copy.finish())).await;
                            finished.and_then(|finished| finished.map(|_| ()).map_err(|error| told(&error)))
                        }
                        Err(error) => Err(error),
                    };
                }
                Ok(Request::Query { .. } | Request::Copy { .. }) | Err(_) => {
                    if let Ok(copy) = outcome
                        && !self.cancel.is_cancelled()
                    {
                        let _ = fenced_wait(copy.abort("the rows end here")).await;
                    }
                    return Err(Error::could_not(OPERATION, object, "the rows ended too early"));
                }
            }
        }
    }
}

async fn query(connection: &mut PgConnection, sql: &str, object: &str) -> Result<Answer> {
    const OPERATION: &str = "write to";
    // Audited: names in these statements are quoted, values are literals made by this program.
    let rows = fenced_wait(connection.fetch_all(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())))).await;
    let rows = rows.map_err(|error| explain(OPERATION, object, &error))?;
    let text = |row: &sqlx::postgres::PgRow, place: usize| -> Result<Option<String>> {
        let value = row.try_get_raw(place).map_err(|error| explain(OPERATION, object, &error))?;
        if value.is_null() {
            return Ok(None);
        }
        value.as_str().map(|text| Some(text.to_owned())).map_err(|error| Error::could_not(OPERATION, object, error))
    };
    rows.iter().map(|row| (0..row.len()).map(|place| text(row, place)).collect()).collect()
}

/// Appends a row in COPY's text format.
pub(super) fn copy_text<'c>(cells: impl Iterator<Item = Option<&'c str>>, into: &mut Vec<u8>) {
    for (place, cell) in cells.enumerate() {
        if place > 0 {
            into.push(b'\t');
        }
        let Some(text) = cell else {
            into.extend_from_slice(b"\\N");
            continue;
        };
        let bytes = text.as_bytes();
        let mut start = 0;
        for (at, byte) in bytes.iter().enumerate() {
            let escaped: &[u8] = match byte {
                b'\\' => b"\\\\",
                b'\n' => b"\\n",
                b'\r' => b"\\r",
                b'\t' => b"\\t",
                _ => continue,
            };
            into.extend_from_slice(&bytes[start..at]);
            into.extend_from_slice(escaped);
            start = at + 1;
        }
        into.extend_from_slice(&bytes[start..]);
    }
    into.push(b'\n');
}
