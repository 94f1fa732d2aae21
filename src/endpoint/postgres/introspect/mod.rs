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

use super::session::Session;
use crate::catalog::{Catalog, ObjectKind, OtherObject, QualifiedName};
use crate::error::{Error, Result};
use crate::quote::quote;
use rows::{DatabaseRow, Position, Rows, SequenceRow};
use serde::Deserialize;
use std::collections::HashMap;

const OPERATION: &str = "read the catalog of";

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

fn read(session: &mut Session) -> Result<Catalog> {
    let database: Vec<DatabaseRow> = session.query_json(OPERATION, include_str!("../sql/database.sql"))?;
    let Some(database) = database.into_iter().next() else {
        return Err(Error::could_not(OPERATION, session.label(), "the server does not tell its database"));
    };
    let collations = session.query_json(OPERATION, include_str!("../sql/collations.sql"))?;
    let types = session.query_json(OPERATION, include_str!("../sql/types.sql"))?;
    let relations = session.query_json(OPERATION, include_str!("../sql/relations.sql"))?;
    let columns = session.query_json(OPERATION, include_str!("../sql/columns.sql"))?;
    let constraints = session.query_json(OPERATION, include_str!("../sql/constraints.sql"))?;
    let indexes = session.query_json(OPERATION, include_str!("../sql/indexes.sql"))?;
    let sequences: Vec<SequenceRow> = session.query_json(OPERATION, include_str!("../sql/sequences.sql"))?;
    let others: Vec<OtherRow> = session.query_json(OPERATION, include_str!("../sql/others.sql"))?;
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
fn positions(session: &mut Session, sequences: &[SequenceRow]) -> Result<HashMap<usize, Position>> {
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
        let found: Vec<Position> = session.query_json(OPERATION, &sql)?;
        positions.extend(found.into_iter().map(|position| (position.place, position)));
    }
    Ok(positions)
}
