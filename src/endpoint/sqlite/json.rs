//! Columns that have to hold JSON, and whether they do.

use super::read::describe;
use crate::endpoint::SHOWN_MAX;
use crate::error::Result;
use crate::plan::Plan;
use crate::plan::given::TargetSchema;
use crate::quote::quote;
use rusqlite::Connection;
use serde::Serialize;
use std::collections::BTreeSet;

/// Longer values are cut when they are shown, in characters.
const VALUE_CHARS_MAX: usize = 80;

/// A column that has to hold JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JsonColumn {
    /// Its table.
    pub table: String,
    /// Its name.
    pub column: String,
    /// How many values are not JSON.
    pub invalid: u64,
    /// The first of them.
    pub examples: Vec<String>,
}

/// Each column that has to hold JSON, and what it holds instead.
///
/// # Errors
/// When the file cannot be read, or somebody asks to stop.
pub fn columns(connection: &Connection, schema: &TargetSchema, plan: Option<&Plan>) -> Result<Vec<JsonColumn>> {
    let columns = columns_of(connection, schema, plan)?;
    columns.into_iter().map(|(table, column)| look_at(connection, table, column)).collect()
}

/// The columns that have to hold JSON: those whose table says so in a CHECK, and those that the plan knows.
fn columns_of(
    connection: &Connection,
    schema: &TargetSchema,
    plan: Option<&Plan>,
) -> Result<BTreeSet<(String, String)>> {
    let mut found = BTreeSet::new();
    for table in &schema.tables {
        let sql: String = connection
            .query_row("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1", [&table.name], |row| {
                row.get(0)
            })
            .map_err(|error| describe("read the schema of", "the target", error))?;
        let squeezed: String = sql.to_lowercase().split_whitespace().collect();
        for column in &table.columns {
            let name: String = column.name.to_lowercase().split_whitespace().collect();
            let forms = [quote(&name), name.clone(), format!("[{name}]"), format!("`{name}`")];
            if forms.iter().any(|form| squeezed.contains(&format!("json_valid({form})"))) {
                found.insert((table.name.clone(), column.name.clone()));
            }
        }
    }
    for table in plan.iter().flat_map(|plan| &plan.tables) {
        let there = schema.tables.iter().find(|there| there.name.eq_ignore_ascii_case(&table.target));
        let Some(there) = there else { continue };
        for column in &table.columns {
            let json = column.representation.is_json();
            let known = there.columns.iter().find(|known| known.name.eq_ignore_ascii_case(&column.target));
            if let Some(known) = known.filter(|_| json) {
                found.insert((there.name.clone(), known.name.clone()));
            }
        }
    }
    Ok(found)
}

fn look_at(connection: &Connection, table: String, column: String) -> Result<JsonColumn> {
    let failed = |error: rusqlite::Error| describe("check the JSON of", format!("`{table}.{column}`"), error);
    let (name, from) = (quote(&column), quote(&table));
    let mut statement = connection
        .prepare(&format!(
            "SELECT substr(quote({name}), 1, {VALUE_CHARS_MAX}) FROM {from} WHERE NOT json_valid({name})"
        ))
        .map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let (mut invalid, mut examples) = (0, Vec::new());
    while let Some(row) = rows.next().map_err(failed)? {
        invalid += 1;
        if examples.len() < SHOWN_MAX {
            examples.push(row.get(0).map_err(failed)?);
        }
    }
    drop(rows);
    drop(statement);
    Ok(JsonColumn { table, column, invalid, examples })
}
