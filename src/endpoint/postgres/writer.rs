//! A connection to PostgreSQL that writes, driven by a thread of its own: callable from blocking and from asynchronous
//! code alike, and rows are sent while the next ones are made.
//!
//! Invariants: after a failure every further call but the drop returns an error; what was not committed is gone; the
//! search path is the pinned one but between [`Connection::enter`] and [`Connection::leave`].

use super::client::{Client, Connector, TextRows};
use super::connect::{ChosenPath, PIN};
use super::failure::Explained;
use super::fence::fenced;
use super::lookout::{Lookout, Patience};
use super::wait::{Ended, Silence, Watch};
use crate::cancel::Cancel;
use crate::endpoint::PostgresUrl;
use crate::error::{Error, Result};
use futures_util::StreamExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::Duration;

/// How many requests may wait: a few chunks of rows, so that memory stays flat.
const QUEUE: usize = 4;
const CLOSE_LIMIT: Duration = Duration::from_secs(2);
/// Rows that the server sends are handed on in pieces of this size.
const PIECE_BYTES: usize = 128 * 1024;

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
    /// `COPY … TO STDOUT`, whose bytes go to whoever waits for them.
    CopyOut {
        sql: String,
        object: String,
        pieces: SyncSender<Vec<u8>>,
    },
}

/// The connection.
#[derive(Debug)]
pub(crate) struct Connection {
    requests: Option<SyncSender<Request>>,
    answers: Receiver<Result<TextRows>>,
    failed: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    label: String,
    path: ChosenPath,
}

/// What a connection is for, in the words of the server's list of sessions and of failures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Purpose {
    /// How the server lists the session.
    pub(crate) application: &'static str,
    /// What is done where rows are sent.
    pub(crate) copying: &'static str,
}

impl Connection {
    /// Connects; when a stop is asked for, whatever the server is doing is given up, and so it is where the server is
    /// silent for too long and not at work.
    pub(crate) fn open_until(
        url: &PostgresUrl,
        purpose: Purpose,
        patience: &Patience,
        cancel: &Cancel,
    ) -> Result<Connection> {
        let connector = Connector::new(url, purpose.application)?;
        let label = connector.label();
        let (requests, incoming) = sync_channel(QUEUE);
        let (outgoing, answers) = sync_channel(QUEUE);
        let failed = Arc::new(AtomicBool::new(false));
        let worker = Worker {
            incoming,
            outgoing,
            failed: Arc::clone(&failed),
            label: label.clone(),
            copying: purpose.copying,
            cancel: cancel.clone(),
            lookout: connector.lookout(patience.listener.clone()),
            stall_timeout: patience.stall_timeout,
            lock_wait: patience.lock_wait.filter(|wait| !wait.is_zero()),
        };
        let thread = std::thread::spawn(move || worker.run(&connector));
        let path = ChosenPath(String::new());
        let mut connection =
            Connection { requests: Some(requests), answers, failed, thread: Some(thread), label, path };
        // The first answer says whether there is a connection at all, and which path was chosen.
        let path = connection.answer()?.into_iter().flatten().flatten().next();
        connection.path = ChosenPath(path.unwrap_or_default());
        if let Some(wait) = patience.lock_wait {
            let milliseconds = wait.as_millis().min(i32::MAX as u128);
            let label = connection.label.clone();
            connection.query(format!("SET lock_timeout = {milliseconds}"), label)?;
        }
        Ok(connection)
    }

    /// The endpoint in backticks, without a password.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// Lets what the database's owner has written (triggers, functions in checks) find things by the path that was
    /// chosen for it.
    pub(crate) fn enter(&mut self) -> Result<()> {
        self.query(self.path.enter(), self.label.clone()).map(|_| ())
    }

    /// As [`Connection::enter`], for expressions as the server prints them, which name by themselves only what the
    /// server's own schema does not have: that one comes first.
    pub(crate) fn enter_behind_the_servers_own(&mut self) -> Result<()> {
        let path = ChosenPath(format!("pg_catalog, {}", self.path.0).trim_end_matches([',', ' ']).to_owned());
        self.query(path.enter(), self.label.clone()).map(|_| ())
    }

    /// Pins the path again.
    pub(crate) fn leave(&mut self) -> Result<()> {
        self.query(PIN, self.label.clone()).map(|_| ())
    }

    /// Runs statements and returns the rows of the last that has any; `object` is what a failure names.
    pub(crate) fn query(&mut self, sql: impl Into<String>, object: impl Into<String>) -> Result<TextRows> {
        self.send(Request::Query { sql: sql.into(), object: object.into(), to_its_end: false })?;
        self.answer()
    }

    /// As [`Connection::query`], and no request to stop cuts it short: its outcome would be unknown.
    pub(crate) fn query_to_its_end(&mut self, sql: impl Into<String>, object: impl Into<String>) -> Result<TextRows> {
        self.send(Request::Query { sql: sql.into(), object: object.into(), to_its_end: true })?;
        self.answer()
    }

    /// Starts `COPY … FROM STDIN`. A failure is told by [`Connection::copy_end`].
    pub(crate) fn copy(&mut self, sql: impl Into<String>, object: impl Into<String>) -> Result<()> {
        self.send(Request::Copy { sql: sql.into(), object: object.into() })
    }

    /// Sends rows of the COPY that was started. False: it has failed, and [`Connection::copy_end`] tells why.
    pub(crate) fn chunk(&mut self, rows: Vec<u8>) -> Result<bool> {
        if self.failed.load(Ordering::Relaxed) {
            return Ok(false);
        }
        self.send(Request::Chunk(rows)).map(|()| true)
    }

    /// Ends the COPY.
    pub(crate) fn copy_end(&mut self) -> Result<()> {
        self.send(Request::CopyEnd)?;
        self.answer().map(|_| ())
    }

    /// Runs `COPY … TO STDOUT` and hands its bytes over, divided anyhow.
    ///
    /// # Errors
    /// As [`Connection::query`], and what `take` returns; the connection is then of no further use.
    pub(crate) fn copy_out(
        &mut self,
        sql: impl Into<String>,
        object: impl Into<String>,
        take: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let (sender, pieces) = sync_channel(QUEUE);
        self.send(Request::CopyOut { sql: sql.into(), object: object.into(), pieces: sender })?;
        for piece in &pieces {
            take(&piece)?;
        }
        self.answer().map(|_| ())
    }

    fn send(&self, request: Request) -> Result<()> {
        let sent = self.requests.as_ref().map(|requests| requests.send(request));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => Err(self.gone()),
        }
    }

    fn answer(&self) -> Result<TextRows> {
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
    outgoing: SyncSender<Result<TextRows>>,
    failed: Arc<AtomicBool>,
    label: String,
    copying: &'static str,
    cancel: Cancel,
    lookout: Lookout,
    stall_timeout: Option<Duration>,
    lock_wait: Option<Duration>,
}

impl Worker {
    fn run(self, connector: &Connector) {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                let _ = self
                    .outgoing
                    .send(Err(Error::could_not("start the runtime of", &self.label, &error).because(error)));
                return;
            }
        };
        runtime.block_on(async {
            let connecting = async {
                let (mut client, path) = connector.connect_beside(&self.cancel).await?;
                self.lookout.look_at_connection(client.sqlx()).await.could_not("connect to", &self.label)?;
                Ok((client, path))
            };
            let (mut client, path) = match connecting.await {
                Ok(connected) => connected,
                Err(error) => {
                    let _ = self.outgoing.send(Err(error));
                    return;
                }
            };
            if self.outgoing.send(Ok(vec![vec![Some(path.0)]])).is_ok() {
                self.serve(&mut client).await;
            }
            // Nobody waits for this connection any more; one that was left in the middle of something is just cut.
            if !self.cancel.is_cancelled() {
                let _ = tokio::time::timeout(CLOSE_LIMIT, client.close()).await;
            }
        });
    }

    /// A watch over what the server may take as long for as it is at work: keys and triggers are somebody else's.
    fn watch<'w>(&'w self, cancel: &'w Cancel) -> Watch<'w> {
        let silence = Silence::UnlessAtWork(self.stall_timeout);
        Watch { cancel, silence, lookout: Some(&self.lookout), lock_wait: self.lock_wait }
    }

    async fn serve(&self, client: &mut Client) {
        let (never, whenever) = (Cancel::new(), self.cancel.clone());
        // Waiting here blocks the runtime, which has nothing else to do.
        while let Ok(request) = self.incoming.recv() {
            let answer = match request {
                Request::Query { sql, object, to_its_end } => {
                    let cancel = if to_its_end { &never } else { &whenever };
                    query(client, &sql, &object, self.copying, self.watch(cancel)).await
                }
                Request::Copy { sql, object } => {
                    let done = self.copy(client, &sql, &object).await;
                    done.map(|()| Vec::new())
                }
                Request::CopyOut { sql, object, pieces } => self.copy_out(client, &sql, &object, &pieces).await,
                Request::Chunk(_) | Request::CopyEnd => {
                    Err(Error::could_not("write to", &self.label, "no COPY was started"))
                }
            };
            if self.outgoing.send(answer).is_err() {
                return;
            }
        }
    }

    async fn copy_out(
        &self,
        client: &mut Client,
        sql: &str,
        object: &str,
        pieces: &SyncSender<Vec<u8>>,
    ) -> Result<TextRows> {
        let (watch, told) = (self.watch(&self.cancel), |ended: Ended| ended.explain("read", object, ""));
        let mut stream = watch.wait(client.sqlx().copy_out_raw(sql)).await.map_err(told)?;
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        let mut is_wanted = true;
        let receiving = watch.poll(|context| {
            loop {
                match fenced(|| stream.poll_next_unpin(context)) {
                    Ok(Poll::Ready(Some(Ok(message)))) => {
                        piece.extend_from_slice(&message);
                        if piece.len() >= PIECE_BYTES {
                            let whole = std::mem::replace(&mut piece, Vec::with_capacity(PIECE_BYTES));
                            is_wanted = is_wanted && pieces.send(whole).is_ok();
                        }
                    }
                    Ok(Poll::Ready(Some(Err(error)))) | Err(error) => return Poll::Ready(Err(Ended::Failed(error))),
                    Ok(Poll::Ready(None)) => return Poll::Ready(Ok(())),
                    Ok(Poll::Pending) => return Poll::Pending,
                }
            }
        });
        receiving.await.map_err(told)?;
        // Whoever wants no more of them knows why.
        let _ = pieces.send(piece);
        Ok(TextRows::new())
    }

    async fn copy(&self, client: &mut Client, sql: &str, object: &str) -> Result<()> {
        let operation = self.copying;
        self.failed.store(false, Ordering::Relaxed);
        let (watch, told) =
            (self.watch(&self.cancel), |ended: Ended| explain_ended(ended, operation, object, operation));
        let mut outcome = watch.wait(client.copy_in(sql)).await.map_err(told);
        loop {
            match self.incoming.recv() {
                Ok(Request::Chunk(rows)) => {
                    if let Ok(copy) = &mut outcome
                        && let Err(ended) = watch.wait(copy.send(rows)).await
                    {
                        outcome = Err(told(ended));
                    }
                    if outcome.is_err() {
                        self.failed.store(true, Ordering::Relaxed);
                    }
                }
                Ok(Request::CopyEnd) => {
                    return match outcome {
                        Ok(copy) => watch.wait(copy.finish()).await.map(|_| ()).map_err(told),
                        Err(error) => Err(error),
                    };
                }
                Ok(Request::Query { .. } | Request::Copy { .. } | Request::CopyOut { .. }) | Err(_) => {
                    if let Ok(copy) = outcome
                        && !self.cancel.is_cancelled()
                    {
                        let _ = watch.wait(copy.abort("the rows end here")).await;
                    }
                    return Err(Error::could_not(operation, object, "the rows ended too early"));
                }
            }
        }
    }
}

/// As [`Ended::explain`]; an interruption names no table, since none is half filled.
fn explain_ended(ended: Ended, operation: &str, object: &str, run: &str) -> Error {
    match ended {
        Ended::Cancelled => Error::interrupted(run),
        ended => ended.explain(operation, object, ""),
    }
}

async fn query(client: &mut Client, sql: &str, object: &str, run: &str, watch: Watch<'_>) -> Result<TextRows> {
    const OPERATION: &str = "write to";
    watch.wait(client.texts(sql)).await.map_err(|ended| explain_ended(ended, OPERATION, object, run))
}

/// Appends a row in COPY's text format.
pub(crate) fn copy_text<'c>(cells: impl Iterator<Item = Option<&'c str>>, into: &mut Vec<u8>) {
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
