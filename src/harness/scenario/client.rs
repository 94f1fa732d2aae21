//! The harness' own connection to PostgreSQL: apart from everything that is tested, and kept open for a whole case.

use crate::cancel::Cancel;
use crate::endpoint::PostgresUrl;
use crate::endpoint::postgres::{
    Blocking, Connector, Patience, PostgresSource, Reached, TextRows, explain_statement, line_of_mistake,
};
use crate::error::Result;
use crate::harness::second_opinion::Asker;
use std::fmt::Display;

/// One connection. It blocks, so it must not be used inside an asynchronous runtime.
pub(super) struct Client(Blocking);

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub fn connect(url: &PostgresUrl) -> Result<Self> {
        let connector = Connector::new(url, "whimbrel test")?;
        let (blocking, path) = Blocking::connect_beside(&connector, &Cancel::new())?;
        let mut client = Client(blocking);
        // What this runs is somebody else's schema and rows, in a database of the harness' own.
        client.execute(path.enter(), "prepare", connector.label())?;
        Ok(client)
    }

    /// Runs statements by the simple protocol. `object` is what a failure names, `operation` what was done to it.
    ///
    /// # Errors
    /// Whatever the server says.
    pub fn execute(&mut self, sql: impl Into<String>, operation: &str, object: impl Display) -> Result<()> {
        let sql = sql.into();
        let mut client = self.0.take(operation, &object)?;
        let done = self.0.wait(client.execute(sql.as_str()));
        self.0.put_back(client);
        done.map_err(|error| match place(&error, &sql) {
            Some(place) => explain_statement(operation, format!("{object}, {place}"), &error),
            None => explain_statement(operation, object, &error),
        })
    }

    /// The rows of a query, each value as the server writes it, `None` for NULL.
    ///
    /// # Errors
    /// Whatever the server says.
    pub fn rows(&mut self, sql: impl Into<String>, operation: &str, object: impl Display) -> Result<TextRows> {
        // Until the end of the message, which is one transaction.
        let sql = format!("SET LOCAL search_path = pg_catalog, pg_temp; {}", sql.into());
        let mut client = self.0.take(operation, &object)?;
        let rows = self.0.wait(client.texts(sql));
        self.0.put_back(client);
        rows.map_err(|error| explain_statement(operation, object, &error))
    }
}

/// What a case asks its database through, opened ahead. The engine that is tested takes its snapshot when the rows are
/// there.
pub(super) struct Connections {
    pub client: Client,
    pub asker: Asker,
    pub engine: Reached,
    /// Where they lead.
    pub url: PostgresUrl,
}

impl Connections {
    /// Connects.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub fn open(url: &PostgresUrl) -> Result<Self> {
        let engine = PostgresSource::reach(url, Patience::default(), &Cancel::new())?.warm_up()?;
        Ok(Connections { client: Client::connect(url)?, asker: Asker::connect(url)?, engine, url: url.clone() })
    }
}

/// Where in the statements a mistake is, where the server says so.
fn place(error: &sqlx::Error, sql: &str) -> Option<String> {
    const SHOWN_CHARS_MAX: usize = 80;
    let line = line_of_mistake(error, sql)?;
    let text: String = sql.lines().nth(line)?.trim().chars().take(SHOWN_CHARS_MAX).collect();
    Some(format!("line {} (`{text}`)", line + 1))
}
