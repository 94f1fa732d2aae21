//! The one client: how this program reaches a PostgreSQL server, what holds in each of its sessions, how it sends
//! statements, and what is told when that fails.
//!
//! A [`Connector`] knows the way to a database; a [`Client`] is one connection; [`Blocking`] drives one for code that waits.
//! What each of them is used for (a snapshot, a migration, rows to be filled in, a second opinion) is its user's.
//!
//! Invariants: the search path is pinned before any statement (`connect`); nothing that is told has a password; a panic of
//! the client library is an error (`fence`). What the library waits with is large, and stands in a box, so that those who call
//! from deep down need no more of their stack.

use super::address::connect_options;
use super::connect::{self, Access, ChosenPath};
use super::failure::explain_connecting;
use super::fence::{fenced_read, fenced_wait};
use super::lookout::{Lookout, WaitListener};
use super::wait::{Ended, Silence, Watch};
use crate::cancel::Cancel;
use crate::endpoint::PostgresUrl;
use crate::error::{Error, Result};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgCopyIn, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Row, ValueRef};
use std::fmt;
use std::future::Future;
use std::time::Duration;
use tokio::runtime::{Handle, Runtime};

const CONNECT_TIMEOUT_SECONDS_DEFAULT: u64 = 15;
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Rows as the server's text; `None` is NULL.
pub(crate) type TextRows = Vec<Vec<Option<String>>>;

/// The way to a database.
#[derive(Clone)]
pub(crate) struct Connector {
    url: PostgresUrl,
    options: PgConnectOptions,
    /// How long an attempt may take; `None` is for ever.
    timeout: Option<Duration>,
}

impl Connector {
    /// Reads where the URL and the environment lead; connects to nothing. `application` is how the server lists the
    /// sessions.
    ///
    /// # Errors
    /// Where either is not what it should be.
    pub(crate) fn new(url: &PostgresUrl, application: &str) -> Result<Connector> {
        let options = connect_options(url.secret()).map_err(|error| explain_connecting(url, &error))?;
        // Nothing is counted on that was prepared once: somebody else's script may deallocate it.
        let options = options.application_name(application).extra_float_digits(1).statement_cache_capacity(0);
        let in_environment = || std::env::var("PGCONNECT_TIMEOUT").ok().filter(|text| !text.is_empty());
        let seconds: u64 = match url.parameter("connect_timeout").or_else(in_environment) {
            None => CONNECT_TIMEOUT_SECONDS_DEFAULT,
            // Its value is not repeated, as that of any other parameter that is not what it should be.
            Some(text) => text.trim().parse().map_err(|_| {
                let cause = "`connect_timeout`, or PGCONNECT_TIMEOUT, is no number of seconds";
                Error::usage("connect to", format!("`{url}`"), cause)
            })?,
        };
        let timeout = (seconds > 0).then(|| Duration::from_secs(seconds));
        Ok(Connector { url: url.clone(), options: options.disable_statement_logging(), timeout })
    }

    /// The way to another database of the same server.
    pub(crate) fn database(&self, name: &str) -> Connector {
        Connector { options: self.options.clone().database(name), ..self.clone() }
    }

    /// The endpoint in backticks, without a password, for messages.
    pub(crate) fn label(&self) -> String {
        format!("`{}`", self.url)
    }

    /// Where the server is.
    pub(crate) fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// Whoever looks at a session from beside.
    pub(crate) fn lookout(&self, listener: Option<WaitListener>) -> Lookout {
        Lookout::new(self.options.clone(), listener)
    }

    /// Connects, with the search path pinned.
    ///
    /// # Errors
    /// When the server cannot be reached in time or refuses, or a stop was asked for.
    pub(crate) async fn connect(&self, access: Access, cancel: &Cancel) -> Result<Client> {
        self.in_time(Box::pin(connect::connect(&self.options, access)), cancel).await.map(Client)
    }

    /// As [`Connector::connect`], to write, and tells which path had been chosen.
    ///
    /// # Errors
    /// As [`Connector::connect`].
    pub(crate) async fn connect_beside(&self, cancel: &Cancel) -> Result<(Client, ChosenPath)> {
        let (connection, path) = self.in_time(Box::pin(connect::connect_beside(&self.options)), cancel).await?;
        Ok((Client(connection), path))
    }

    async fn in_time<T>(&self, connecting: impl Future<Output = Result<T, sqlx::Error>>, cancel: &Cancel) -> Result<T> {
        let in_time = async {
            match self.timeout {
                None => connecting.await.map(Some),
                Some(timeout) => tokio::time::timeout(timeout, connecting).await.ok().transpose(),
            }
        };
        let watch = Watch { cancel, silence: Silence::Limited(None), lookout: None, lock_wait: None };
        match watch.wait(in_time).await {
            Ok(Some(connected)) => Ok(connected),
            Ok(None) => {
                let cause = format!("no answer within {} s", self.timeout.unwrap_or_default().as_secs());
                Err(Error::could_not("connect to", self.label(), cause)
                    .hint("check host and port in the URL, the network and the firewall"))
            }
            Err(Ended::Failed(error)) => Err(explain_connecting(&self.url, &error)),
            Err(ended) => Err(ended.explain("connect", "", "")),
        }
    }
}

/// One connection. Who drops it instead of closing it just cuts it.
pub(crate) struct Client(PgConnection);

impl Client {
    /// Runs one statement, or several joined by `;`, by the simple protocol.
    ///
    /// # Errors
    /// As sqlx has them.
    pub(crate) async fn execute(&mut self, sql: impl Into<String>) -> Result<(), sqlx::Error> {
        // Audited: names in statements are quoted, values are literals made by this program, scripts are their owner's.
        let statement = sqlx::raw_sql(AssertSqlSafe(sql.into()));
        fenced_wait(Box::pin(statement.execute(&mut self.0))).await.map(drop)
    }

    /// As [`Client::execute`], and returns the rows.
    ///
    /// # Errors
    /// As sqlx has them.
    pub(crate) async fn rows(&mut self, sql: impl Into<String>) -> Result<Vec<PgRow>, sqlx::Error> {
        let statement = sqlx::raw_sql(AssertSqlSafe(sql.into()));
        fenced_wait(Box::pin(statement.fetch_all(&mut self.0))).await
    }

    /// As [`Client::rows`], each value as the server's text.
    ///
    /// # Errors
    /// As sqlx has them; also for text that is not UTF-8.
    pub(crate) async fn texts(&mut self, sql: impl Into<String>) -> Result<TextRows, sqlx::Error> {
        self.rows(sql).await?.iter().map(texts).collect()
    }

    /// Begins a `COPY … FROM STDIN`.
    ///
    /// # Errors
    /// As sqlx has them.
    pub(crate) async fn copy_in(&mut self, sql: &str) -> Result<PgCopyIn<&mut PgConnection>, sqlx::Error> {
        fenced_wait(Box::pin(self.0.copy_in_raw(sql))).await
    }

    /// Pins the search path again, and tells which one it was.
    ///
    /// # Errors
    /// As sqlx has them.
    pub(crate) async fn leave(&mut self) -> Result<ChosenPath, sqlx::Error> {
        connect::leave(&mut self.0).await
    }

    /// The library's own connection, for statements with parameters.
    pub(crate) fn sqlx(&mut self) -> &mut PgConnection {
        &mut self.0
    }

    /// Ends the connection in good order.
    pub(crate) async fn close(self) {
        connect::close(self.0).await;
    }
}

/// A row as the server's text.
///
/// # Errors
/// As sqlx has them; also for text that is not UTF-8.
pub(crate) fn texts(row: &PgRow) -> Result<Vec<Option<String>>, sqlx::Error> {
    let text = |place| {
        let value = fenced_read(|| row.try_get_raw(place))?;
        if value.is_null() {
            return Ok(None);
        }
        value.as_str().map(|text| Some(text.to_owned())).map_err(sqlx::Error::Decode)
    };
    (0..row.len()).map(text).collect()
}

/// A client on the thread of whoever waits for it. It must not be used within an async context.
///
/// Invariant: who takes the client puts it back when the exchange has ended well; without one every further exchange is
/// an error, because the stream may stand in the middle of a message.
pub(crate) struct Blocking {
    // The connection is dropped before the runtime that drives it.
    client: Option<Client>,
    runtime: Runtime,
}

impl Blocking {
    /// Connects.
    ///
    /// # Errors
    /// As [`Connector::connect`]; also in an async context.
    pub(crate) fn connect(connector: &Connector, access: Access, cancel: &Cancel) -> Result<Blocking> {
        Self::with(connector, async { Ok((connector.connect(access, cancel).await?, ())) })
            .map(|(blocking, ())| blocking)
    }

    /// As [`Blocking::connect`], to write, and tells which search path had been chosen.
    ///
    /// # Errors
    /// As [`Blocking::connect`].
    pub(crate) fn connect_beside(connector: &Connector, cancel: &Cancel) -> Result<(Blocking, ChosenPath)> {
        Self::with(connector, connector.connect_beside(cancel))
    }

    fn with<T>(connector: &Connector, connecting: impl Future<Output = Result<(Client, T)>>) -> Result<(Blocking, T)> {
        refuse_async_context("connect")?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Error::could_not("start the runtime of", connector.label(), error))?;
        let (client, more) = runtime.block_on(connecting)?;
        Ok((Blocking { client: Some(client), runtime }, more))
    }

    /// The client for one exchange.
    ///
    /// # Errors
    /// In an async context, and where the connection has failed.
    pub(crate) fn take(&mut self, operation: &str, object: &dyn fmt::Display) -> Result<Client> {
        refuse_async_context(operation)?;
        self.client.take().ok_or_else(|| {
            Error::could_not(operation, object, "the connection has failed before and cannot be used any more")
        })
    }

    /// The exchange has ended well.
    pub(crate) fn put_back(&mut self, client: Client) {
        self.client = Some(client);
    }

    /// Makes every further exchange an error.
    pub(crate) fn give_up(&mut self) {
        self.client = None;
    }

    /// Waits for an exchange.
    pub(crate) fn wait<F: Future>(&self, exchange: F) -> F::Output {
        self.runtime.block_on(exchange)
    }
}

impl Drop for Blocking {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else { return };
        // Blocking inside another runtime would panic; there the socket is just closed.
        if Handle::try_current().is_err() {
            // Whether the server heard the goodbye changes nothing: what was not committed is gone.
            let _ = self.runtime.block_on(async { tokio::time::timeout(CLOSE_TIMEOUT, client.close()).await });
        }
    }
}

/// An error where a runtime is: waiting here would block it.
pub(crate) fn refuse_async_context(operation: &str) -> Result<()> {
    match Handle::try_current() {
        Err(_) => Ok(()),
        Ok(_) => Err(Error::could_not(operation, "", "a session blocks, and this is an async context")
            .hint("call it from a thread of your own, made with `std::thread::spawn`")),
    }
}
