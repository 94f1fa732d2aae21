//! A SQLite schema as the file itself tells it.

use crate::endpoint::sqlite::optimize::has_lasting_rowid;
use crate::endpoint::sqlite::read::describe;
use crate::error::Result;
use crate::metadata::is_not_own;
use crate::plan::given::{TargetColumn, TargetForeignKey, TargetIndex, TargetSchema, TargetTable};
use crate::plan::version;
use crate::quote::quote;
use rusqlite::Connection;
use std::collections::HashMap;

/// Reads the schema of an open file.
///
/// # Errors
/// When the file cannot be read.
pub fn read_schema(connection: &Connection) -> Result<TargetSchema> {
    read(connection).map_err(|error| describe("read the schema of", "the target", error))
}

fn read(connection: &Connection) -> rusqlite::Result<TargetSchema> {
    // Tables and indexes share one room of names.
    let mut statements = connection.prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")?;
    let definitions: HashMap<String, String> =
        statements.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
    let mut list =
        connection.prepare(&include_str!("sql/given_relations.sql").replace("{not_own}", &is_not_own("name")))?;
    let mut schema = TargetSchema::default();
    let mut rows = list.query([])?;
    while let Some(row) = rows.next()? {
        let (name, kind): (String, String) = (row.get(0)?, row.get(1)?);
        match kind.as_str() {
            "table" => {
                let (without_rowid, strict) = (row.get(2)?, row.get(3)?);
                let sql = definitions.get(&name).cloned().unwrap_or_default();
                let named = TargetTable { name, without_rowid, strict, sql, ..Default::default() };
                schema.tables.push(table(connection, named, &definitions)?);
            }
            "view" => schema.views.push(name),
            _ => {}
        }
    }
    let mut statements = connection
        .prepare(&format!("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND {}", is_not_own("tbl_name")))?;
    let statements: Vec<String> = statements.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    schema.needs_sqlite = version::needed(statements.iter().map(String::as_str));
    Ok(schema)
}

fn table(
    connection: &Connection,
    mut table: TargetTable,
    definitions: &HashMap<String, String>,
) -> rusqlite::Result<TargetTable> {
    let mut key: Vec<(i64, String)> = Vec::new();
    let mut columns = connection.prepare(include_str!("sql/columns.sql"))?;
    let mut rows = columns.query([&table.name])?;
    while let Some(row) = rows.next()? {
        let column: String = row.get(0)?;
        let (place, hidden): (i64, i64) = (row.get(4)?, row.get(5)?);
        let not_null: bool = row.get(2)?;
        let default: Option<String> = row.get(3)?;
        if place > 0 {
            key.push((place, column.clone()));
        }
        table.columns.push(TargetColumn {
            name: column,
            declared_type: row.get(1)?,
            not_null,
            optional: !not_null || default.is_some(),
            has_default: default.is_some(),
            generated: hidden > 1,
            is_rowid: false,
            computed_later: false,
        });
    }
    key.sort();
    table.key = key.into_iter().map(|(_, column)| column).collect();
    if !table.without_rowid && has_lasting_rowid(connection, &table.name)? {
        for column in table.columns.iter_mut().filter(|column| column.name == table.key[0]) {
            column.not_null = true;
            column.optional = true;
            column.has_default = true;
            column.is_rowid = true;
        }
    }
    if !table.key.is_empty() {
        table.unique.push(table.key.clone());
    }
    read_indexes(connection, &mut table, definitions)?;
    read_foreign_keys(connection, &mut table)?;
    let count = format!("SELECT count(*) FROM {}", quote(&table.name));
    table.rows = connection.query_row(&count, [], |row| row.get::<_, i64>(0))?.unsigned_abs();
    Ok(table)
}

fn read_indexes(
    connection: &Connection,
    table: &mut TargetTable,
    definitions: &HashMap<String, String>,
) -> rusqlite::Result<()> {
    let mut list = connection.prepare("SELECT name, \"unique\", partial FROM pragma_index_list(?1) ORDER BY name")?;
    let mut parts = connection.prepare("SELECT name FROM pragma_index_xinfo(?1) WHERE key ORDER BY seqno")?;
    let mut rows = list.query([&table.name])?;
    while let Some(row) = rows.next()? {
        let (name, unique, partial): (String, bool, bool) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let columns: Vec<Option<String>> = parts.query_map([&name], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let plain = columns.iter().cloned().collect::<Option<Vec<_>>>().filter(|_| unique && !partial);
        table.unique.extend(plain);
        let sql = definitions.get(&name).cloned().unwrap_or_default();
        table.indexes.push(TargetIndex { name, columns, unique, partial, sql });
    }
    Ok(())
}

fn read_foreign_keys(connection: &Connection, table: &mut TargetTable) -> rusqlite::Result<()> {
    let mut list = connection.prepare(include_str!("sql/given_references.sql"))?;
    let mut rows = list.query([&table.name])?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        let (id, column): (i64, String) = (row.get(0)?, row.get(2)?);
        if last == Some(id) {
            if let Some(key) = table.foreign_keys.last_mut() {
                key.columns.push(column);
            }
        } else {
            table.foreign_keys.push(TargetForeignKey {
                columns: vec![column],
                references: row.get(1)?,
                on_delete: row.get(3)?,
                on_update: row.get(4)?,
            });
            last = Some(id);
        }
    }
    Ok(())
}
