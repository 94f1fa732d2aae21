//! Rows into PostgreSQL: COPY, in one transaction, the sequences after it.
//!
//! Invariants: a failure leaves the database as it was; the next INSERT that leaves out a serial or identity column
//! succeeds; triggers fire as for any other COPY.

use super::FILLING;
use super::dataset::{Cell, Dataset, Sink, identifying, table_name};
use crate::cancel::Cancel;
use crate::catalog::{Catalog, QualifiedName, Table};
use crate::endpoint::PostgresUrl;
use crate::endpoint::postgres::{Connection, Patience, copy_text};
use crate::error::{Error, Result};
use crate::quote::{quote, quote_all};

/// How many bytes of rows are sent at once.
const CHUNK_BYTES: usize = 256 * 1024;

/// Inserts the rows of a dataset with COPY, in one transaction with deferred constraints.
///
/// # Errors
/// Whatever the server refuses; it then holds what it held before.
pub fn load_postgres(url: &PostgresUrl, catalog: &Catalog, dataset: &Dataset) -> Result<()> {
    let mut sink = PostgresSink::open(url, catalog)?;
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
    sink.commit().map(|_| ())
}

/// Takes rows into a PostgreSQL database in one transaction; without [`PostgresSink::commit`] nothing has happened.
#[derive(Debug)]
pub struct PostgresSink {
    connection: Connection,
    /// Each sequence with the table and the column that it feeds.
    sequences: Vec<(QualifiedName, String, QualifiedName, bool)>,
    filled: Vec<QualifiedName>,
    current: Option<Current>,
    chunk: Vec<u8>,
    /// Rows of columns that are set later: table and key columns by place, and the rows themselves.
    updates: Vec<Update>,
}

#[derive(Debug)]
struct Current {
    later: Vec<usize>,
    key: Vec<usize>,
    update: Update,
}

#[derive(Debug, Clone)]
struct Update {
    object: String,
    /// `CREATE TEMP TABLE …`, `COPY …`, `UPDATE …`.
    statements: [String; 3],
    rows: Vec<u8>,
}

impl PostgresSink {
    /// Connects and begins the transaction.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub fn open(url: &PostgresUrl, catalog: &Catalog) -> Result<PostgresSink> {
        Self::open_until(url, catalog, &Patience::default(), &Cancel::new())
    }

    /// As [`PostgresSink::open`], with that patience; when a stop is asked for, whatever the server is doing is given up.
    ///
    /// # Errors
    /// As [`PostgresSink::open`].
    pub fn open_until(
        url: &PostgresUrl,
        catalog: &Catalog,
        patience: &Patience,
        cancel: &Cancel,
    ) -> Result<PostgresSink> {
        let mut connection = Connection::open_until(url, FILLING, patience, cancel)?;
        let label = connection.label().to_owned();
        // Without this a server that waits for a lock does not notice that nobody waits for it. Older ones lack it.
        connection.query(
            "SELECT set_config(name, '1000', false) FROM pg_settings WHERE name = 'client_connection_check_interval'",
            &label,
        )?;
        connection.query(
            "SET client_encoding = 'UTF8'; SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres'; \
             SET TimeZone = 'UTC'; SET standard_conforming_strings = on; SET xmloption = content; \
             SET array_nulls = on; BEGIN; \
             SET CONSTRAINTS ALL DEFERRED",
            label,
        )?;
        let mut sequences = Vec::new();
        for table in &catalog.tables {
            for column in &table.columns {
                if let Some(sequence) = &column.sequence {
                    let found = catalog.sequences.iter().find(|other| other.name == *sequence);
                    let counts_up = found.is_none_or(|sequence| sequence.increment > 0);
                    sequences.push((table.name.clone(), column.name.clone(), sequence.clone(), counts_up));
                }
            }
        }
        Ok(PostgresSink {
            connection,
            sequences,
            filled: Vec::new(),
            current: None,
            chunk: Vec::with_capacity(CHUNK_BYTES + 4096),
            updates: Vec::new(),
        })
    }

    /// Sets what was left for later, sets the sequences, commits, and has the server gather statistics. What is
    /// returned is why it could not gather them: the rows are there all the same.
    ///
    /// # Errors
    /// When a constraint that was deferred does not hold, a stop was asked for, or the connection is cut; nothing has
    /// happened then.
    pub fn commit(mut self) -> Result<Option<Error>> {
        for update in std::mem::take(&mut self.updates) {
            let [create, copy, set] = update.statements;
            self.connection.query(create, &update.object)?;
            self.connection.copy(copy, &update.object)?;
            self.connection.chunk(update.rows)?;
            self.connection.copy_end()?;
            self.connection.enter()?;
            self.connection.query(set, &update.object)?;
            self.connection.leave()?;
        }
        // Setting a sequence is the one thing that no rollback undoes, so whatever can fail has to fail before it.
        let label = self.connection.label().to_owned();
        self.connection.enter()?;
        self.connection.query("SET CONSTRAINTS ALL IMMEDIATE", &label)?;
        self.connection.leave()?;
        for (table, column, sequence, counts_up) in &self.sequences {
            if !self.filled.contains(table) {
                continue;
            }
            let (extreme, outer) = if *counts_up { ("max", "greatest") } else { ("min", "least") };
            let (name, column) = (table_name(sequence, false), quote(column));
            let sql = format!(
                "SELECT setval('{}'::regclass, {outer}(found.value, s.last_value), true) \
                 FROM (SELECT {extreme}({column})::bigint AS value FROM {}) AS found, {name} AS s \
                 WHERE found.value IS NOT NULL",
                name.replace('\'', "''"),
                table_name(table, false),
            );
            self.connection.query(sql, format!("the sequence `{sequence}`"))?;
        }
        self.connection.enter()?;
        self.connection.query_to_its_end("COMMIT", &label)?;
        let tables: Vec<String> = self.filled.iter().map(|table| table_name(table, false)).collect();
        if tables.is_empty() {
            return Ok(None);
        }
        Ok(self.connection.query(format!("ANALYZE {}", tables.join(", ")), label).err())
    }

    fn send(&mut self) -> Result<()> {
        let rows = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK_BYTES + 4096));
        match self.connection.chunk(rows)? {
            true => Ok(()),
            // The end of the COPY tells why.
            false => self.connection.copy_end(),
        }
    }
}

impl Sink for PostgresSink {
    fn table(&mut self, table: &Table, columns: &[String], later: &[usize]) -> Result<()> {
        let name = table_name(&table.name, false);
        let object = format!("`{}`", table.name);
        let listed = quote_all(columns.iter().map(String::as_str));
        // COPY without a column takes nothing but the number of lines.
        let sql = match columns.is_empty() {
            true => format!("COPY {name} FROM STDIN"),
            false => format!("COPY {name} ({listed}) FROM STDIN"),
        };
        self.connection.enter()?;
        self.connection.copy(sql, &object)?;
        let key = identifying(Some(table), columns);
        let update = update(table, columns, &key, later, self.updates.len());
        self.current = Some(Current { later: later.to_vec(), key, update });
        self.filled.push(table.name.clone());
        Ok(())
    }

    fn row(&mut self, row: &[Cell]) -> Result<()> {
        match &mut self.current {
            Some(current) if !current.later.is_empty() => {
                let later = &current.later;
                let cells = row.iter().enumerate();
                let now = cells.map(|(place, cell)| if later.contains(&place) { None } else { cell.as_deref() });
                copy_text(now, &mut self.chunk);
                if later.iter().any(|place| row[*place].is_some()) {
                    let cells = current.key.iter().chain(later).map(|place| row[*place].as_deref());
                    copy_text(cells, &mut current.update.rows);
                }
            }
            _ => copy_text(row.iter().map(Option::as_deref), &mut self.chunk),
        }
        if self.chunk.len() >= CHUNK_BYTES { self.send() } else { Ok(()) }
    }

    fn end(&mut self) -> Result<()> {
        if !self.chunk.is_empty() {
            self.send()?;
        }
        self.connection.copy_end()?;
        self.connection.leave()?;
        if let Some(current) = self.current.take()
            && !current.update.rows.is_empty()
        {
            self.updates.push(current.update);
        }
        Ok(())
    }
}

/// The statements that set the columns that were left for later, by way of a temporary table.
fn update(table: &Table, columns: &[String], key: &[usize], later: &[usize], number: usize) -> Update {
    let name = table_name(&table.name, false);
    let temporary = quote(&format!("whimbrel_later_{number}"));
    let places: Vec<String> = key.iter().chain(later).map(|place| quote(&columns[*place])).collect();
    let set: Vec<String> =
        (later.iter().map(|place| quote(&columns[*place]))).map(|column| format!("{column} = l.{column}")).collect();
    let found: Vec<String> = key.iter().map(|place| equality(table, &columns[*place])).collect();
    Update {
        object: format!("`{}`", table.name),
        statements: [
            format!(
                "CREATE TEMP TABLE {temporary} ON COMMIT DROP AS SELECT {} FROM {name} WITH NO DATA",
                places.join(", ")
            ),
            format!("COPY {temporary} FROM STDIN"),
            format!("UPDATE {name} AS t SET {} FROM {temporary} AS l WHERE {}", set.join(", "), found.join(" AND ")),
        ],
        rows: Vec::new(),
    }
}

/// That two rows have the same key, whatever the search path is. Only the type of an extension or of a user has an
/// equality that is not the server's own.
fn equality(table: &Table, column: &str) -> String {
    let type_name = table.column(column).map(|column| column.data_type.base().name.as_str()).unwrap_or_default();
    // As the catalog spells types, what is not the server's own has its schema before a point.
    let is_own = !type_name.split('(').next().unwrap_or_default().contains('.');
    let equals = if is_own { "OPERATOR(pg_catalog.=)" } else { "=" };
    let column = quote(column);
    format!("t.{column} {equals} l.{column}")
}
