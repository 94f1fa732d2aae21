//! From the system catalogs to a [`Catalog`], in a fixed number of round trips however many tables there are.
//!
//! Every query reads the catalogs only, needs no privilege beyond a connection, and is a file in `sql/`. What is
//! found there is either a part of the catalog or named among its `others`.

mod collations;
mod partitions;
mod relations;
mod rows;
mod tables;
mod types;
mod views;

use super::session::Session;
use crate::catalog::{Catalog, Dialect, ObjectKind, OtherObject, QualifiedName, Sequence};
use crate::error::{Error, Result};
use crate::quote::quote;
use relations::Relations;
use rows::{CollationRow, ColumnRow, ConstraintRow, DatabaseRow, IndexRow, RelationRow, SequenceRow, TypeRow};
use serde::Deserialize;
use std::collections::HashMap;
use types::Types;

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
    let collations: Vec<CollationRow> = session.query_json(OPERATION, include_str!("../sql/collations.sql"))?;
    let types: Vec<TypeRow> = session.query_json(OPERATION, include_str!("../sql/types.sql"))?;
    let relations: Vec<RelationRow> = session.query_json(OPERATION, include_str!("../sql/relations.sql"))?;
    let columns: Vec<ColumnRow> = session.query_json(OPERATION, include_str!("../sql/columns.sql"))?;
    let constraints: Vec<ConstraintRow> = session.query_json(OPERATION, include_str!("../sql/constraints.sql"))?;
    let indexes: Vec<IndexRow> = session.query_json(OPERATION, include_str!("../sql/indexes.sql"))?;
    let sequences: Vec<SequenceRow> = session.query_json(OPERATION, include_str!("../sql/sequences.sql"))?;
    let others: Vec<OtherRow> = session.query_json(OPERATION, include_str!("../sql/others.sql"))?;

    let mut others: Vec<OtherObject> = others.into_iter().map(OtherObject::from).collect();
    if database.large_objects > 0 {
        let name = format!("{} in this database", database.large_objects);
        others.push(OtherObject::new(ObjectKind::LargeObjects, name, None));
    }
    let relations = Relations::new(relations);
    let mut types = Types::new(types);
    let mut columns_of = tables::columns(columns, &mut types);
    let view_columns: HashMap<_, Vec<String>> = (relations.views())
        .map(|view| {
            let columns = columns_of.remove(&view.oid).unwrap_or_default();
            (view.oid, columns.into_iter().map(|column| column.name).collect())
        })
        .collect();
    let tables = tables::assemble(&relations, columns_of, constraints, indexes, &mut others);
    let views = views::assemble(&relations, view_columns);
    let positions = positions(session, &sequences)?;
    let sequences = assemble_sequences(sequences, &positions);
    others.extend(types.unused());

    let version = database.server_version.split_whitespace().next().unwrap_or_default();
    Ok(Catalog {
        dialect: Dialect::Postgres,
        engine: format!("PostgreSQL {version}"),
        database: database.name,
        collations: collations::assemble(collations, &database.encoding),
        encoding: database.encoding,
        tables,
        views,
        sequences,
        others,
        layout: None,
    })
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

/// Where a sequence stands that has handed out nothing so far.
#[derive(Debug, Deserialize)]
struct Position {
    place: usize,
    last_value: i64,
    is_called: bool,
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

fn assemble_sequences(rows: Vec<SequenceRow>, positions: &HashMap<usize, Position>) -> Vec<Sequence> {
    let mut sequences = Vec::with_capacity(rows.len());
    for (place, row) in rows.into_iter().enumerate() {
        let name = QualifiedName::new(row.schema, row.name);
        // Used in the meantime, its value is the last one.
        let position = positions.get(&place);
        let first_value = position.filter(|position| !position.is_called).map(|position| position.last_value);
        let used_since = position.filter(|position| position.is_called).map(|position| position.last_value);
        let owned_by = match (row.owner_schema, row.owner_name, row.owner_column) {
            (Some(schema), Some(table), Some(column)) => Some((QualifiedName::new(schema, table), column)),
            _ => None,
        };
        sequences.push(Sequence {
            name,
            data_type: row.data_type,
            last_value: row.last_value.or(used_since),
            first_value,
            start: row.start,
            increment: row.increment,
            min_value: row.min_value,
            max_value: row.max_value,
            cache: row.cache,
            cycle: row.cycle,
            owned_by,
        });
    }
    sequences
}
