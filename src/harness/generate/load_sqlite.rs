//! Rows into a SQLite file, with its triggers and checks active.
//!
//! Invariant: a failure leaves the file as it was, unless the caller has a transaction open already; then it is the
//! caller's to roll back.

use super::dataset::{Cell, Dataset, Sink, identifying, table_name};
use crate::catalog::{Catalog, Shape, Table};
use crate::endpoint::sqlite::read::{is_locked, locked};
use crate::error::{Error, Result, chain};
use crate::quote::{quote, quote_all};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use std::path::Path;

/// Inserts the rows of a dataset in one transaction (or in the caller's), with foreign keys checked at its end.
///
/// # Errors
/// Whatever SQLite refuses: the table and the row are named.
pub fn load_sqlite(connection: &Connection, catalog: &Catalog, dataset: &Dataset) -> Result<()> {
    let mut sink = SqliteSink::open(connection)?;
    for rows in &dataset.tables {
        let Some(table) = catalog.table(&rows.table) else {
            return Err(Error::could_not("fill", format!("`{}`", rows.table), "the catalog has no such table"));
        };
        sink.table(table, &rows.columns, &rows.later)?;
        for row in &rows.rows {
            sink.row(row)?;
        }
        sink.end()?;
    }
    sink.commit()
}

/// Takes rows into a SQLite file in one transaction; without [`SqliteSink::commit`] nothing has happened.
#[derive(Debug)]
pub struct SqliteSink<'c> {
    connection: &'c Connection,
    own_transaction: bool,
    current: Option<Current>,
    updates: Vec<(String, String, Vec<Value>)>,
}

#[derive(Debug)]
struct Current {
    object: String,
    insert: String,
    update: String,
    names: Vec<String>,
    shapes: Vec<Shape>,
    later: Vec<usize>,
    key: Vec<usize>,
    rows: u64,
}

impl<'c> SqliteSink<'c> {
    /// Begins a transaction, unless one is open.
    ///
    /// # Errors
    /// When another program is writing.
    pub fn open(connection: &'c Connection) -> Result<SqliteSink<'c>> {
        let own_transaction = connection.is_autocommit();
        let begin = if own_transaction {
            "BEGIN IMMEDIATE; PRAGMA defer_foreign_keys = ON"
        } else {
            "PRAGMA defer_foreign_keys = ON"
        };
        connection.execute_batch(begin).map_err(|error| match connection.path().filter(|_| is_locked(&error)) {
            Some(path) => locked("fill", Path::new(path)).because(error),
            None => explained("the file", &error).because(error),
        })?;
        Ok(SqliteSink { connection, own_transaction, current: None, updates: Vec::new() })
    }

    /// Sets what was left for later, and commits where the transaction is its own.
    ///
    /// # Errors
    /// When a foreign key does not hold, or the disk is full; nothing has happened then.
    pub fn commit(mut self) -> Result<()> {
        for (object, sql, values) in std::mem::take(&mut self.updates) {
            let mut statement =
                self.connection.prepare_cached(&sql).map_err(|error| explained(&object, &error).because(error))?;
            statement.execute(params_from_iter(values)).map_err(|error| explained(&object, &error).because(error))?;
        }
        if self.own_transaction {
            self.connection.execute_batch("COMMIT").map_err(|error| explained("the file", &error).because(error))?;
            self.own_transaction = false;
        }
        Ok(())
    }
}

impl Drop for SqliteSink<'_> {
    fn drop(&mut self) {
        if self.own_transaction {
            // Nothing more can be done about a failure here; closing the connection rolls back as well.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }
}

impl Sink for SqliteSink<'_> {
    fn table(&mut self, table: &Table, columns: &[String], later: &[usize]) -> Result<()> {
        let name = table_name(&table.name, true);
        let marks = vec!["?"; columns.len()].join(", ");
        let insert = match columns.is_empty() {
            true => format!("INSERT INTO {name} DEFAULT VALUES"),
            false => {
                format!("INSERT INTO {name} ({}) VALUES ({marks})", quote_all(columns.iter().map(String::as_str)))
            }
        };
        let key = identifying(Some(table), columns);
        let pairs = |places: &[usize], joint: &str| {
            let pairs: Vec<String> = places.iter().map(|place| format!("{} = ?", quote(&columns[*place]))).collect();
            pairs.join(joint)
        };
        let shapes = columns.iter().map(|name| match table.column(name) {
            Some(column) => column.data_type.base().shape.clone(),
            None => Shape::Other,
        });
        self.current = Some(Current {
            object: format!("`{}`", table.name.name),
            insert,
            update: format!("UPDATE {name} SET {} WHERE {}", pairs(later, ", "), pairs(&key, " AND ")),
            names: columns.to_vec(),
            shapes: shapes.collect(),
            later: later.to_vec(),
            key,
            rows: 0,
        });
        Ok(())
    }

    fn row(&mut self, row: &[Cell]) -> Result<()> {
        let Some(current) = &mut self.current else { return Ok(()) };
        current.rows += 1;
        let object = format!("{}, generated row {}", current.object, current.rows);
        let mut values = Vec::with_capacity(row.len());
        for (place, (cell, shape)) in row.iter().zip(&current.shapes).enumerate() {
            let now = if current.later.contains(&place) { &None } else { cell };
            values.push(value(now, shape).map_err(|cause| refused(&object, &current.names[place], cause))?);
        }
        let mut statement = self
            .connection
            .prepare_cached(&current.insert)
            .map_err(|error| explained(&object, &error).because(error))?;
        statement.execute(params_from_iter(values)).map_err(|error| explained(&object, &error).because(error))?;
        if current.later.iter().any(|place| row[*place].is_some()) {
            let places = current.later.iter().chain(&current.key);
            let values: Vec<Value> = places
                .map(|place| {
                    let refused = |cause| refused(&object, &current.names[*place], cause);
                    value(&row[*place], &current.shapes[*place]).map_err(refused)
                })
                .collect::<Result<_>>()?;
            self.updates.push((object, current.update.clone(), values));
        }
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        self.current = None;
        Ok(())
    }
}

fn refused(object: &str, column: &str, cause: String) -> Error {
    Error::could_not("fill", format!("{object}, column `{column}`"), cause)
}

fn explained(object: &str, error: &rusqlite::Error) -> Error {
    let failed = Error::could_not("fill", object, chain(error));
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull | rusqlite::ErrorCode::SystemIoFailure) => {
            failed.hint("free space on that disk, or put the file on another")
        }
        Some(
            rusqlite::ErrorCode::ReadOnly | rusqlite::ErrorCode::CannotOpen | rusqlite::ErrorCode::PermissionDenied,
        ) => failed.hint("the file and its folder have to be writable"),
        _ => failed,
    }
}

/// A cell as the column's storage class.
pub(super) fn value(cell: &Cell, shape: &Shape) -> std::result::Result<Value, String> {
    let Some(text) = cell else { return Ok(Value::Null) };
    let refused = || format!("`{text}` is no value for the column");
    Ok(match shape {
        Shape::SmallInt | Shape::Integer | Shape::BigInt => Value::Integer(text.parse().map_err(|_| refused())?),
        Shape::Real | Shape::Double => Value::Real(match text.as_str() {
            "Infinity" => f64::INFINITY,
            "-Infinity" => f64::NEG_INFINITY,
            number => number.parse().map_err(|_| refused())?,
        }),
        Shape::Bytea => {
            let digits = text.strip_prefix("\\x").filter(|digits| digits.len() % 2 == 0 && digits.is_ascii());
            let digits = digits.ok_or_else(refused)?;
            let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| refused());
            Value::Blob((0..digits.len()).step_by(2).map(byte).collect::<std::result::Result<_, _>>()?)
        }
        _ => Value::Text(text.clone()),
    })
}
