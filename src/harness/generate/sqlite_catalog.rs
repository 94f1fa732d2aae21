//! A SQLite file's schema as rows are generated for it.

use crate::catalog::Catalog;
use crate::endpoint::sqlite::catalog::{declared, read_as};
use crate::error::{Context, Result};
use crate::types::Affinity;
use rusqlite::Connection;

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
    for table in &mut catalog.tables {
        let key = table.primary_key.as_ref().map(|key| key.columns.clone()).unwrap_or_default();
        for column in &mut table.columns {
            column.not_null |= key.contains(&column.name);
            let name = match read_as(&column.data_type.name) {
                Affinity::Integer | Affinity::Numeric => "bigint",
                Affinity::Real => "double precision",
                Affinity::Text => "text",
                Affinity::Blob => "bytea",
            };
            column.data_type.name = name.to_owned();
        }
    }
    Ok(catalog)
}
