//! From the system catalogs to a [`Catalog`], in a fixed number of round trips however many tables there are.
//!
//! Every query reads the catalogs only, needs no privilege beyond a connection, and is a file in `sql/`. What is
//! found there is either a part of the catalog or named among its `others`.

mod assemble;
mod collations;
mod partitions;
mod relations;
pub(in crate::endpoint) mod rows;
mod tables;
mod types;
mod views;

pub(in crate::endpoint) use assemble::assemble;

use super::client::TextRows;
use super::session::Session;
use super::writer::Connection;
use crate::catalog::{Catalog, ObjectKind, OtherObject, QualifiedName};
use crate::error::{Context, Error, Result};
use crate::quote::quote;
use rows::{DatabaseRow, Position, Rows, SequenceRow};
use serde::Deserialize;
use std::collections::HashMap;

const OPERATION: &str = "read the catalog of";

/// Who asks the server about its catalogs.
trait Asks {
    fn name(&self) -> String;
    fn ask(&mut self, sql: &str) -> Result<TextRows>;
}

impl Asks for Session {
    fn name(&self) -> String {
        self.label().to_owned()
    }

    fn ask(&mut self, sql: &str) -> Result<TextRows> {
        let label = self.name();
        self.query_rows(OPERATION, label, sql)
    }
}

impl Asks for Connection {
    fn name(&self) -> String {
        self.label().to_owned()
    }

    fn ask(&mut self, sql: &str) -> Result<TextRows> {
        let label = self.name();
        self.query(sql, label)
    }
}

/// Runs a query whose every row is one JSON text, and decodes the rows.
fn ask_json<T: serde::de::DeserializeOwned>(asker: &mut impl Asks, sql: &str) -> Result<Vec<T>> {
    let rows = asker.ask(sql)?;
    let label = asker.name();
    let text = |row: Vec<Option<String>>| row.into_iter().next().flatten().unwrap_or_default();
    rows.into_iter().map(|row| serde_json::from_str(&text(row)).could_not(OPERATION, &label)).collect()
}

/// Reads the whole catalog by a connection that writes: what its transaction has made is in it.
///
/// # Errors
/// As [`introspect`].
pub(super) fn introspect_own(connection: &mut Connection) -> Result<Catalog> {
    read(connection)
}

/// Reads the whole catalog of the session's database.
///
/// A table that the role may not read is in the catalog nevertheless; reading its rows fails.
///
/// # Errors
/// Whatever the server says, a cut connection, a stop that was asked for.
pub fn introspect(session: &mut Session) -> Result<Catalog> {
    // What is dropped meanwhile the server knows by its number only.
    let sql = include_str!("../sql/views_by_number.sql");
    let views = session.query_rows(OPERATION, session.label().to_owned(), sql)?;
    read(session).map_err(|error| {
        let is_named = |oid: &str| error.cause().split(|sign: char| !sign.is_ascii_digit()).any(|number| number == oid);
        let is_it = |row: &&Vec<Option<String>>| row.first().and_then(Option::as_deref).is_some_and(is_named);
        match views.iter().find(is_it).map(Vec::as_slice) {
            Some([_, Some(schema), Some(name)]) => {
                let object = format!("view `{}`", QualifiedName::new(schema, name));
                Error::could_not("read the definition of", object, "another session dropped or replaced it meanwhile")
                    .hint("run again when that session is done (`pg_stat_activity` shows it)")
            }
            _ => error,
        }
    })
}

fn read(session: &mut impl Asks) -> Result<Catalog> {
    let database: Vec<DatabaseRow> = ask_json(session, include_str!("../sql/database.sql"))?;
    let Some(database) = database.into_iter().next() else {
        return Err(Error::could_not(OPERATION, session.name(), "the server does not tell its database"));
    };
    let collations = ask_json(session, include_str!("../sql/collations.sql"))?;
    let types = ask_json(session, include_str!("../sql/types.sql"))?;
    let relations = ask_json(session, include_str!("../sql/relations.sql"))?;
    let columns = ask_json(session, include_str!("../sql/columns.sql"))?;
    let constraints = ask_json(session, include_str!("../sql/constraints.sql"))?;
    let indexes = ask_json(session, include_str!("../sql/indexes.sql"))?;
    let sequences: Vec<SequenceRow> = ask_json(session, include_str!("../sql/sequences.sql"))?;
    let others: Vec<OtherRow> = ask_json(session, include_str!("../sql/others.sql"))?;
    let others = others.into_iter().map(OtherObject::from).collect();
    let positions = positions(session, &sequences)?;
    Ok(assemble(Rows {
        database,
        collations,
        types,
        relations,
        columns,
        constraints,
        indexes,
        sequences,
        positions,
        others,
    }))
}

#[derive(Debug, Deserialize)]
struct OtherRow {
    kind: ObjectKind,
    name: String,
    definition: Option<String>,
}

impl From<OtherRow> for OtherObject {
    fn from(row: OtherRow) -> Self {
        OtherObject { kind: row.kind, name: row.name, definition: row.definition }
    }
}

/// The positions of the sequences that have handed out nothing, by their place: only a sequence itself says what RESTART or
/// `setval` has made of its start.
fn positions(session: &mut impl Asks, sequences: &[SequenceRow]) -> Result<HashMap<usize, Position>> {
    const SEQUENCES_AT_ONCE: usize = 500;
    let unused = sequences.iter().enumerate().filter(|(_, row)| row.last_value.is_none() && row.selectable);
    let unused: Vec<_> = unused.collect();
    let mut positions = HashMap::with_capacity(unused.len());
    for part in unused.chunks(SEQUENCES_AT_ONCE) {
        let parts: Vec<_> = part
            .iter()
            .map(|(place, row)| {
                format!(
                    "SELECT {place} AS place, last_value, is_called FROM {}.{}",
                    quote(&row.schema),
                    quote(&row.name)
                )
            })
            .collect();
        let sql = format!("SELECT pg_catalog.row_to_json(x)::text FROM ({}) AS x", parts.join(" UNION ALL "));
        let found: Vec<Position> = ask_json(session, &sql)?;
        positions.extend(found.into_iter().map(|position| (position.place, position)));
    }
    Ok(positions)
}
