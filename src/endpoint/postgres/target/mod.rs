//! A PostgreSQL database as a target: one connection, one transaction, and COMMIT is the publishing.
//!
//! `settle` lets the server try the plan's definitions in a transaction of its own, which is rolled back: what it does not take is
//! named before any row is read. `draft` makes the tables, takes the rows by COPY, builds what is built over rows,
//! reads everything back in the same transaction and commits. `encode` turns rows into COPY's bytes where they are read.
//!
//! Invariants: until COMMIT nobody else sees anything; dropped, the connection is cut and the server forgets all of it.

mod draft;
mod encode;
mod proof;
mod rows;
mod settle;
mod undo;

pub use draft::{PostgresDraft, Published};
pub use rows::Rows;
pub use undo::{Kept, UndoOptions, Undone, undo};

use super::Patience;
use super::writer::{Connection, Purpose};
use crate::cancel::Cancel;
use crate::catalog::Dialect;
use crate::endpoint::{PostgresUrl, Target};
use crate::error::Result;
use crate::metadata::tables::KeptTable;
use crate::plan::Plan;
use crate::plan::home::Wishes;
use std::collections::BTreeMap;
use std::sync::Arc;

const LOADING: Purpose = Purpose { application: "whimbrel migrate", copying: "copy" };

/// What the transaction that writes begins with: what texts and expressions depend on is pinned as it is for reading.
fn begin() -> String {
    let reading = include_str!("../sql/begin_snapshot.sql");
    let writing = reading
        .replace("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE");
    // Bodies may name what comes later.
    format!("{writing}\nSET LOCAL check_function_bodies = off")
}

/// A PostgreSQL database that is to be filled.
pub struct PostgresTarget {
    url: PostgresUrl,
    wishes: Wishes,
    patience: Patience,
    cancel: Cancel,
    /// What the file says of the rows of each table when it was made, by the source's name: sequences of tables that have
    /// changed since go on behind the greatest key.
    made: BTreeMap<String, KeptTable>,
}

impl PostgresTarget {
    /// The database of that URL. Connects to nothing.
    pub fn new(url: PostgresUrl, wishes: Wishes, patience: Patience, cancel: Cancel) -> Self {
        PostgresTarget { url, wishes, patience, cancel, made: BTreeMap::new() }
    }

    /// With what the file says of its tables when it was made.
    #[must_use]
    pub fn made(mut self, made: BTreeMap<String, KeptTable>) -> Self {
        self.made = made;
        self
    }

    fn connect(&self) -> Result<Connection> {
        let mut connection = connect(&self.url, LOADING, &self.patience, &self.cancel)?;
        let label = connection.label().to_owned();
        connection.query(begin(), label)?;
        Ok(connection)
    }
}

fn connect(url: &PostgresUrl, purpose: Purpose, patience: &Patience, cancel: &Cancel) -> Result<Connection> {
    let mut connection = Connection::open_until(url, purpose, patience, cancel)?;
    let label = connection.label().to_owned();
    // Without this a server that waits for a lock does not notice that nobody waits for it. Older ones lack it.
    connection.query(
        "SELECT set_config(name, '1000', false) FROM pg_settings WHERE name = 'client_connection_check_interval'",
        label,
    )?;
    Ok(connection)
}

impl Target for PostgresTarget {
    type Draft = PostgresDraft;

    fn label(&self) -> String {
        format!("`{}`", self.url)
    }

    fn dialect(&self) -> Option<Dialect> {
        Some(Dialect::Postgres)
    }

    fn wishes(&self) -> Wishes {
        self.wishes.clone()
    }

    fn settle(&self, plan: &mut Plan) -> Result<()> {
        settle::settle(&mut self.connect()?, plan)
    }

    fn begin(self, plan: &Arc<Plan>, metadata: bool, _cancel: &Cancel) -> Result<Self::Draft> {
        let connection = self.connect()?;
        PostgresDraft::begin(connection, self.url.to_string(), plan, metadata, self.made)
    }
}
