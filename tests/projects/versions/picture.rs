//! What a database is, so that two states of it can be compared: every object of the schema, every row.

use std::collections::BTreeMap;

use rusqlite::Connection;
use rusqlite::types::Value;

use super::rows::{strings, tables};

/// Every object, with what SQLite's pragmas say about it.
pub type Schema = BTreeMap<String, Vec<String>>;

/// Every table with every row, each row as text by the name of its column.
pub type Rows = BTreeMap<String, Vec<BTreeMap<String, String>>>;

/// The schema as `sqlite_schema` and the pragmas have it, without the history. Texts are compared elsewhere, by
/// token: here are the facts that SQLite made of them.
pub fn schema(connection: &Connection) -> Schema {
    let mut schema = Schema::new();
    let sql = "SELECT type || ' ' || name || ' on ' || tbl_name FROM sqlite_schema \
               WHERE tbl_name NOT IN ('schema_migrations', 'sqlite_sequence') ORDER BY 1";
    for object in strings(connection, sql, &[]) {
        schema.insert(object, Vec::new());
    }
    let sql = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') \
               AND name NOT IN ('schema_migrations', 'sqlite_sequence') ORDER BY name";
    for table in strings(connection, sql, &[]) {
        let quoted = format!("\"{table}\"");
        schema.insert(format!("columns of {table}"), pragma(connection, "table_xinfo", &quoted));
        schema.insert(format!("foreign keys of {table}"), pragma(connection, "foreign_key_list", &quoted));
        schema.insert(format!("indexes of {table}"), sorted(pragma(connection, "index_list", &quoted)));
        for index in strings(connection, "SELECT name FROM pragma_index_list(?1)", &[&table]) {
            let facts = pragma(connection, "index_xinfo", &format!("\"{index}\""));
            schema.insert(format!("index {index} of {table}"), facts);
        }
    }
    schema
}

/// The rows of `index_list` come newest first, numbered: the order in which indexes were made says nothing.
fn sorted(rows: Vec<String>) -> Vec<String> {
    let mut rows: Vec<String> =
        rows.into_iter().map(|row| row.split_once(", ").map_or(row.clone(), |(_, rest)| rest.to_owned())).collect();
    rows.sort();
    rows
}

fn pragma(connection: &Connection, name: &str, argument: &str) -> Vec<String> {
    let mut statement = connection.prepare(&format!("PRAGMA {name}({argument})")).unwrap();
    let count = statement.column_count();
    let rows = statement.query_map([], |row| {
        let values: Vec<Value> = (0..count).map(|at| row.get(at)).collect::<Result<_, _>>()?;
        Ok(values.iter().map(|value| format!("{value:?}")).collect::<Vec<_>>().join(", "))
    });
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

/// Every row of every ordinary table, in the order of the row ids, which are part of it.
pub fn rows(connection: &Connection) -> Rows {
    tables(connection).into_iter().map(|table| (table.clone(), rows_of(connection, &table))).collect()
}

fn rows_of(connection: &Connection, table: &str) -> Vec<BTreeMap<String, String>> {
    let mut statement =
        connection.prepare(&format!("SELECT rowid AS \"row id\", * FROM \"{table}\" ORDER BY rowid")).unwrap();
    let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let rows = statement.query_map([], |row| {
        let value = |(at, name): (usize, &String)| Ok((name.clone(), format!("{:?}", row.get::<_, Value>(at)?)));
        names.iter().enumerate().map(value).collect()
    });
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

/// The part of `rows` that a state with the tables and columns of `other` can hold.
pub fn as_far_as(rows: &Rows, other: &Rows) -> Rows {
    let mut kept = rows.clone();
    kept.retain(|table, _| other.contains_key(table));
    for (table, rows) in &mut kept {
        if let Some(known) = other[table].first() {
            rows.iter_mut().for_each(|row| row.retain(|column, _| known.contains_key(column)));
        }
    }
    kept
}
