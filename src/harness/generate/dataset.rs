//! Rows in memory, and where rows go one at a time.
//!
//! Invariant: tables come in an order in which they can be inserted, parents before children, but for the columns
//! named in `later`.

use crate::catalog::{Catalog, Dialect, QualifiedName, Table};
use crate::error::Result;
use crate::printable::is_hidden;
use crate::quote::{postgres_literal, quote, quote_all};
use std::fmt::Write;

/// PostgreSQL's input text of a value; `None` is NULL. For a SQLite catalog the same text, blobs as `\x…`.
pub type Cell = Option<String>;

/// The cells of one row, one for each of the table's columns that are inserted.
pub type Row = Vec<Cell>;

/// Rows of tables, in an order in which they can be inserted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dataset {
    /// The tables, also those without rows.
    pub tables: Vec<TableRows>,
}

/// The rows of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRows {
    /// The table.
    pub table: QualifiedName,
    /// The columns that the rows have cells for; generated columns are not among them.
    pub columns: Vec<String>,
    /// The rows, in the order of insertion.
    pub rows: Vec<Row>,
    /// Places in `columns` of a foreign key that closes a cycle: inserted as NULL, then set by UPDATE.
    pub later: Vec<usize>,
}

impl Dataset {
    /// How many rows there are in all tables together.
    pub fn row_count(&self) -> usize {
        self.tables.iter().map(|table| table.rows.len()).sum()
    }

    /// The rows as INSERT statements in one transaction, for `psql` or for `sqlite3`, whatever engine the catalog is
    /// of.
    pub fn to_sql(&self, catalog: &Catalog) -> String {
        let sqlite = is_sqlite(catalog);
        let mut sql = String::from(match sqlite {
            true => "BEGIN;\nPRAGMA defer_foreign_keys = ON;\n",
            false => "BEGIN;\nSET CONSTRAINTS ALL DEFERRED;\n",
        });
        let mut updates = String::new();
        for rows in self.tables.iter().filter(|rows| !rows.rows.is_empty()) {
            let table = catalog.table(&rows.table);
            let into = table_name(&rows.table, sqlite);
            let overriding = match table.is_some_and(has_always_identity) {
                true => " OVERRIDING SYSTEM VALUE",
                false => "",
            };
            let columns = quote_all(rows.columns.iter().map(String::as_str));
            let identified = identifying(table, &rows.columns);
            for row in &rows.rows {
                let values = row.iter().enumerate().map(|(place, cell)| match rows.later.contains(&place) {
                    true => "NULL".to_owned(),
                    false => literal(table, &rows.columns[place], cell, sqlite),
                });
                let values: Vec<String> = values.collect();
                let _ = match values.is_empty() {
                    true => writeln!(sql, "INSERT INTO {into} DEFAULT VALUES;"),
                    false => {
                        writeln!(sql, "INSERT INTO {into} ({columns}){overriding} VALUES ({});", values.join(", "))
                    }
                };
                let set: Vec<String> = (rows.later.iter().filter(|place| row[**place].is_some()))
                    .map(|place| assignment(table, &rows.columns[*place], &row[*place], sqlite))
                    .collect();
                if !set.is_empty() {
                    let key: Vec<String> = identified
                        .iter()
                        .map(|place| assignment(table, &rows.columns[*place], &row[*place], sqlite))
                        .collect();
                    let _ = writeln!(updates, "UPDATE {into} SET {} WHERE {};", set.join(", "), key.join(" AND "));
                }
            }
        }
        sql + &updates + "COMMIT;\n"
    }
}

/// Whether a catalog was read from a SQLite file.
pub(super) fn is_sqlite(catalog: &Catalog) -> bool {
    catalog.dialect == Dialect::Sqlite
}

/// A table's name in SQL.
pub(super) fn table_name(name: &QualifiedName, sqlite: bool) -> String {
    match sqlite {
        true => quote(&name.name),
        false => format!("{}.{}", quote(&name.schema), quote(&name.name)),
    }
}

/// Whether a given value for one of the columns has to be insisted on.
pub(super) fn has_always_identity(table: &Table) -> bool {
    table.columns.iter().any(|column| column.identity == Some(crate::catalog::Identity::Always))
}

/// The places of the columns by which a row can be found again: of the primary key, or else of another unique key.
/// A table in a cycle has one: others refer to it.
pub(super) fn identifying(table: Option<&Table>, columns: &[String]) -> Vec<usize> {
    let Some(table) = table else { return Vec::new() };
    let is_sound = |key: &&[String]| {
        key.iter().all(|name| table.column(name).is_some_and(|column| column.not_null && column.generated.is_none()))
    };
    let unique = table.unique_keys.iter().map(|key| key.columns.clone());
    let indexes = table.indexes.iter().filter(|index| index.unique && index.predicate.is_none()).filter_map(|index| {
        (index.parts.iter())
            .map(|part| match &part.key {
                crate::catalog::IndexKey::Column(name) => Some(name.clone()),
                crate::catalog::IndexKey::Expression(_) => None,
            })
            .collect::<Option<Vec<_>>>()
    });
    let keys: Vec<Vec<String>> =
        table.primary_key.iter().map(|key| key.columns.clone()).chain(unique).chain(indexes).collect();
    let key = keys.iter().map(Vec::as_slice).find(is_sound);
    let places = key.into_iter().flatten().filter_map(|name| columns.iter().position(|column| column == name));
    places.collect()
}

fn assignment(table: Option<&Table>, column: &str, cell: &Cell, sqlite: bool) -> String {
    format!("{} = {}", quote(column), literal(table, column, cell, sqlite))
}

fn literal(table: Option<&Table>, column: &str, cell: &Cell, sqlite: bool) -> String {
    let Some(text) = cell else { return "NULL".to_owned() };
    if !sqlite {
        return postgres_literal(text);
    }
    use crate::catalog::Shape;
    match table.and_then(|table| table.column(column)).map(|column| &column.data_type.shape) {
        Some(Shape::BigInt) => text.clone(),
        Some(Shape::Double) => match text.as_str() {
            "Infinity" => "9e999".to_owned(),
            "-Infinity" => "-9e999".to_owned(),
            number => number.to_owned(),
        },
        Some(Shape::Bytea) => format!("x'{}'", text.strip_prefix("\\x").unwrap_or_default()),
        // A string literal ends at a zero byte, and has no way to write what shows nothing of its own.
        _ if text.contains(is_hidden) => {
            let hexadecimal: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
            format!("CAST(x'{hexadecimal}' AS TEXT)")
        }
        _ => format!("'{}'", text.replace('\'', "''")),
    }
}

/// Where generated rows go, one at a time.
pub trait Sink {
    /// The rows of `table` follow; `columns` are those that they have cells for, `later` the places of columns that
    /// are to be inserted as NULL and set by UPDATE when all tables are there.
    ///
    /// # Errors
    /// Whatever the sink cannot do.
    fn table(&mut self, table: &Table, columns: &[String], later: &[usize]) -> Result<()>;

    /// One row of the table named last.
    ///
    /// # Errors
    /// Whatever the sink cannot do.
    fn row(&mut self, row: &[Cell]) -> Result<()>;

    /// There are no more rows of the table named last.
    ///
    /// # Errors
    /// Whatever the sink cannot do.
    fn end(&mut self) -> Result<()>;
}

impl Sink for Dataset {
    fn table(&mut self, table: &Table, columns: &[String], later: &[usize]) -> Result<()> {
        self.tables.push(TableRows {
            table: table.name.clone(),
            columns: columns.to_vec(),
            rows: Vec::new(),
            later: later.to_vec(),
        });
        Ok(())
    }

    fn row(&mut self, row: &[Cell]) -> Result<()> {
        if let Some(table) = self.tables.last_mut() {
            table.rows.push(row.to_vec());
        }
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        Ok(())
    }
}
