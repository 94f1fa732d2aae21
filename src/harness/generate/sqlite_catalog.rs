//! A SQLite file's schema as rows are generated for it.

use crate::catalog::{Catalog, DataType, Shape};
use crate::endpoint::sqlite::catalog::declared;
use crate::error::{Context, Result};
use rusqlite::Connection;
use std::collections::BTreeMap;

/// Reads the schema of an open file, each type by PostgreSQL's name for what the column can hold, each key without NULL:
/// SQLite takes one in the key of an ordinary table, and nobody wants it there.
///
/// # Errors
/// When the file cannot be read.
pub fn sqlite_catalog(connection: &Connection) -> Result<Catalog> {
    // A database in memory has no name.
    let path = connection.path().filter(|path| !path.is_empty()).map(|path| format!("`{path}`"));
    let object = path.unwrap_or_else(|| "the SQLite database".to_owned());
    let mut catalog = declared(connection).could_not("read the schema of", object)?;
    catalog.views.clear();
    for (place, column, data_type) in untyped_references(&catalog) {
        catalog.tables[place].columns[column].data_type = data_type;
    }
    for table in &mut catalog.tables {
        let key = table.primary_key.as_ref().map(|key| key.columns.clone()).unwrap_or_default();
        for column in &mut table.columns {
            column.not_null |= key.contains(&column.name);
            column.data_type.name = type_name(&column.data_type.shape).to_owned();
        }
    }
    Ok(catalog)
}

/// PostgreSQL's name for the values of a column that is read by its affinity.
fn type_name(shape: &Shape) -> &'static str {
    match shape {
        Shape::BigInt => "bigint",
        Shape::Double => "double precision",
        Shape::Bytea => "bytea",
        _ => "text",
    }
}

/// The columns without a type that refer to a column with one, by the places of table and column: they hold its values. A parent
/// that itself refers to another one is followed as far as there are tables.
fn untyped_references(catalog: &Catalog) -> Vec<(usize, usize, DataType)> {
    let mut types: BTreeMap<(usize, usize), DataType> = BTreeMap::new();
    for _ in &catalog.tables {
        let known = types.clone();
        for (place, table) in catalog.tables.iter().enumerate() {
            for key in &table.foreign_keys {
                for (name, referred) in key.columns.iter().zip(&key.referenced_columns) {
                    let column = table.columns.iter().position(|column| column.name == *name);
                    let Some(column) = column.filter(|column| table.columns[*column].data_type.name.is_empty()) else {
                        continue;
                    };
                    let parent = catalog.tables.iter().position(|parent| parent.name == key.references);
                    let referred = parent.and_then(|parent| {
                        let columns = &catalog.tables[parent].columns;
                        let at = columns.iter().position(|column| column.name.eq_ignore_ascii_case(referred))?;
                        let own = known.get(&(parent, at)).unwrap_or(&columns[at].data_type);
                        (!own.name.is_empty()).then(|| own.clone())
                    });
                    if let Some(data_type) = referred {
                        types.insert((place, column), data_type);
                    }
                }
            }
        }
        if types.len() == known.len() {
            break;
        }
    }
    types.into_iter().map(|((place, column), data_type)| (place, column, data_type)).collect()
}
