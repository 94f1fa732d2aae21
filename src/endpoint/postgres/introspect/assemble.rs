//! From the rows to the catalog: those of a server's queries, or what a dump's statements say in the same words.

use super::relations::Relations;
use super::rows::{Position, Rows, SequenceRow};
use super::types::Types;
use super::{collations, tables, views};
use crate::catalog::{Catalog, Dialect, ObjectKind, OtherObject, QualifiedName, Sequence};
use std::collections::HashMap;

/// The catalog that the rows describe.
pub(in crate::endpoint) fn assemble(rows: Rows) -> Catalog {
    let Rows { database, relations, mut others, .. } = rows;
    if database.large_objects > 0 {
        let name = format!("{} in this database", database.large_objects);
        others.push(OtherObject::new(ObjectKind::LargeObjects, name, None));
    }
    let relations = Relations::new(relations);
    let mut types = Types::new(rows.types);
    let mut columns_of = tables::columns(rows.columns, &mut types);
    let view_columns: HashMap<_, Vec<String>> = (relations.views())
        .map(|view| {
            let columns = columns_of.remove(&view.oid).unwrap_or_default();
            (view.oid, columns.into_iter().map(|column| column.name).collect())
        })
        .collect();
    let tables = tables::assemble(&relations, columns_of, rows.constraints, rows.indexes, &mut others);
    let views = views::assemble(&relations, view_columns);
    let sequences = sequences(rows.sequences, &rows.positions);
    others.extend(types.unused());

    let version = database.server_version.split_whitespace().next().unwrap_or_default();
    Catalog {
        dialect: Dialect::Postgres,
        engine: format!("PostgreSQL {version}").trim_end().to_owned(),
        database: database.name,
        collations: collations::assemble(rows.collations, &database.encoding),
        encoding: database.encoding,
        tables,
        views,
        sequences,
        others,
        layout: None,
    }
}

fn sequences(rows: Vec<SequenceRow>, positions: &HashMap<usize, Position>) -> Vec<Sequence> {
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
