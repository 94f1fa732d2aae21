//! The harness' own connection to PostgreSQL: apart from everything that is tested, and kept open for a whole case.

use crate::cancel::Cancel;
use crate::endpoint::PostgresUrl;
use crate::endpoint::postgres::{
    Patience, PostgresSource, Reached, close, connect_beside, connect_options, explain, explain_connecting, fenced_wait,
};
use crate::error::{Context, Result};
use crate::harness::second_opinion::Asker;
use sqlx::postgres::{PgConnection, PgDatabaseError, PgErrorPosition, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, Row, ValueRef};
use std::fmt::Display;
use tokio::runtime::Runtime;

/// One connection. It blocks, so it must not be used inside an asynchronous runtime.
pub(super) struct Client {
    connection: Option<PgConnection>,
    runtime: Runtime,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub fn connect(url: &PostgresUrl) -> Result<Self> {
        let options = connect_options(url.secret()).map_err(|error| explain_connecting(url, &error))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().could_not("connect to", "")?;
        let connecting = options.disable_statement_logging();
        // What this runs is somebody else's schema and rows, in a database of the harness' own.
        let connection = runtime.block_on(async {
            let (mut connection, path) = connect_beside(&connecting).await?;
            fenced_wait(connection.execute(sqlx::raw_sql(AssertSqlSafe(path.enter())))).await?;
            Ok::<_, sqlx::Error>(connection)
        });
        let connection = connection.map_err(|error| explain_connecting(url, &error))?;
        Ok(Client { connection: Some(connection), runtime })
    }

    /// Runs statements by the simple protocol. `object` is what a failure names, `operation` what was done to it.
    ///
    /// # Errors
    /// Whatever the server says.
    pub fn execute(&mut self, sql: impl Into<String>, operation: &str, object: impl Display) -> Result<()> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        let sql = sql.into();
        let statement = sqlx::raw_sql(AssertSqlSafe(sql.as_str()));
        let done = self.runtime.block_on(fenced_wait(connection.execute(statement)));
        done.map(|_| ()).map_err(|error| match place(&error, &sql) {
            Some(place) => explain(operation, format!("{object}, {place}"), &error),
            None => explain(operation, object, &error),
        })
    }

    /// The rows of a query, each value as the server writes it, `None` for NULL.
    ///
    /// # Errors
    /// Whatever the server says.
    pub fn rows(&mut self, sql: impl Into<String>, operation: &str, object: impl Display) -> Result<Vec<TextRow>> {
        let Some(connection) = &mut self.connection else { return Ok(Vec::new()) };
        // Until the end of the message, which is one transaction.
        let sql = format!("SET LOCAL search_path = pg_catalog, pg_temp; {}", sql.into());
        let statement = sqlx::raw_sql(AssertSqlSafe(sql));
        let rows = self.runtime.block_on(fenced_wait(connection.fetch_all(statement))).could_not(operation, &object)?;
        rows.iter().map(texts).collect::<Result<_, _>>().could_not(operation, object)
    }
}

/// What a case asks its database through, opened ahead. The engine that is tested takes its snapshot when the rows are
/// there.
pub(super) struct Connections {
    pub client: Client,
    pub asker: Asker,
    pub engine: Reached,
}

impl Connections {
    /// Connects.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub fn open(url: &PostgresUrl) -> Result<Self> {
        let engine = PostgresSource::reach(url, Patience::default(), &Cancel::new())?.acquaint()?;
        Ok(Connections { client: Client::connect(url)?, asker: Asker::connect(url)?, engine })
    }
}

/// Where in the statements a mistake is, where the server says so.
fn place(error: &sqlx::Error, sql: &str) -> Option<String> {
    const SHOWN_CHARS_MAX: usize = 80;
    let error = error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?;
    let PgErrorPosition::Original(character) = error.position()? else { return None };
    let before = sql.char_indices().nth(character.saturating_sub(1)).map_or(sql.len(), |(at, _)| at);
    let line = sql[..before].matches('\n').count();
    let text: String = sql.lines().nth(line)?.trim().chars().take(SHOWN_CHARS_MAX).collect();
    Some(format!("line {} (`{text}`)", line + 1))
}

/// One row as the server's text.
pub(super) type TextRow = Vec<Option<String>>;

fn texts(row: &PgRow) -> Result<TextRow, sqlx::Error> {
    let text = |place| {
        let value = row.try_get_raw(place)?;
        if value.is_null() {
            return Ok(None);
        }
        value.as_str().map(|text| Some(text.to_owned())).map_err(sqlx::Error::Decode)
    };
    (0..row.len()).map(text).collect()
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            // The database is dropped next, whether the server has heard the goodbye or not.
            self.runtime.block_on(close(connection));
        }
    }
}
