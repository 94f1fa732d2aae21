//! Where rows come from and where they go: the contract that every endpoint keeps.
//!
//! A [`Source`] hands rows to a [`RowSink`]. Neither knows what the other is: what crosses are neutral [`Cell`]s of the
//! catalog's types. How a source decodes its own wire is its own matter, how a target keeps a cell is the target's.
//!
//! **Order.** The source chooses it: of the tables, and of the rows in each. Rows of several tables may interleave; who
//! needs them apart keeps them apart. Each table is begun once, before its first row, and ended once, behind its last;
//! one without rows as well. What a source calls stands still until the sink returns, so whoever takes slowly is waited for.
//!
//! **Whole.** A source hands on a row only when all of it was read. Where `read` returns an error, what it has handed over is
//! part of something, and nobody may use it.
//!
//! **Threads.** A source is used by one thread at a time, and may be sent to another one between two calls.
//!
//! **Memory.** A cell borrows what the source has just read, and is gone when the sink returns. Neither side keeps rows by
//! their number: a sink that holds open batches of several tables gives all of them one budget.

mod address;
pub mod postgres;
pub mod sqlite;

pub use address::{Endpoint, PostgresUrl, file_name};

use crate::catalog::{Catalog, QualifiedName, Shape, TableKind};
use crate::error::Result;
use crate::plan::TablePlan;
use crate::value::{Cell, RowHasher, TableDigest, TextDigest};
use std::sync::Arc;

/// One column that is read.
#[derive(Debug, Clone, Copy)]
pub struct ReadColumn<'p> {
    /// Its name in the source.
    pub name: &'p str,
    /// Its type, which says what its cells are.
    pub shape: &'p Shape,
}

/// One table that is read.
#[derive(Debug, Clone)]
pub struct ReadTable<'p> {
    /// The table in the source.
    pub table: &'p QualifiedName,
    /// Whether rows of tables that inherit from it are left to them.
    pub only: bool,
    /// The columns, in the order in which the cells come.
    pub columns: Vec<ReadColumn<'p>>,
    /// The places of those that name a row in a message; empty where rows are told by their number.
    pub key: &'p [usize],
}

impl<'p> ReadTable<'p> {
    /// What a plan reads of one table.
    pub fn of(table: &'p TablePlan) -> Self {
        let columns = table.columns.iter().map(|column| ReadColumn { name: &column.source, shape: &column.shape });
        ReadTable {
            table: &table.source,
            only: matches!(table.kind, TableKind::Ordinary),
            columns: columns.collect(),
            key: &table.key,
        }
    }
}

/// Takes rows. Tables are told by their places in the request.
pub trait RowSink {
    /// The source turns to a table.
    ///
    /// # Errors
    /// When no more rows are wanted.
    fn begin(&mut self, table: usize) -> Result<()> {
        let _ = table;
        Ok(())
    }

    /// Takes one row: its cells in the order of the request, valid until this returns.
    ///
    /// # Errors
    /// When the row cannot be taken; reading ends with this error.
    fn row(&mut self, table: usize, cells: &[Cell<'_>]) -> Result<()>;

    /// Every row of the table has been handed over.
    ///
    /// # Errors
    /// When no more rows are wanted.
    fn end(&mut self, table: usize) -> Result<()> {
        let _ = table;
        Ok(())
    }
}

/// A sink that only wants rows.
impl<F: FnMut(usize, &[Cell<'_>]) -> Result<()>> RowSink for F {
    fn row(&mut self, table: usize, cells: &[Cell<'_>]) -> Result<()> {
        self(table, cells)
    }
}

/// Takes the halves of a row's hash.
pub type TakeHash<'t> = dyn FnMut((i64, i64)) -> Result<()> + 't;

/// A place that rows come from. It is only read, in one consistent snapshot from the first call to the last.
pub trait Source: Send {
    /// The source as reports name it, without a password.
    fn label(&self) -> &str;

    /// Its schema.
    ///
    /// # Errors
    /// When the schema cannot be read.
    fn catalog(&mut self) -> Result<Arc<Catalog>>;

    /// Its schema, read once more from the source itself.
    ///
    /// # Errors
    /// When the schema cannot be read.
    fn catalog_again(&mut self) -> Result<Arc<Catalog>> {
        self.catalog()
    }

    /// Looks whether the rows of these tables may be read, before any is.
    ///
    /// # Errors
    /// When they may not: the table is named.
    fn ensure_readable(&mut self, tables: &[&QualifiedName]) -> Result<()> {
        let _ = tables;
        Ok(())
    }

    /// Hands over every row of the tables.
    ///
    /// # Errors
    /// When the rows cannot be read to the last one, a value does not have its type's form, or the sink fails.
    fn read(&mut self, tables: &[ReadTable<'_>], sink: &mut dyn RowSink) -> Result<()>;

    /// The digest of each table's rows. A source that knows a way without handing rows over may take it.
    ///
    /// # Errors
    /// As [`Source::read`].
    fn digests(&mut self, tables: &[ReadTable<'_>]) -> Result<Vec<TableDigest>> {
        let (mut digests, mut hasher) = (vec![TableDigest::default(); tables.len()], RowHasher::default());
        self.read(tables, &mut |table: usize, cells: &[Cell<'_>]| {
            cells.iter().for_each(|cell| hasher.cell(cell));
            digests[table].add(hasher.finish());
            Ok(())
        })?;
        Ok(digests)
    }

    /// The digest of the requested columns' texts, computed where the rows are: no value comes here. `None` for a
    /// source that cannot compute one.
    ///
    /// # Errors
    /// When the source refuses to.
    fn own_digest(&mut self, table: &ReadTable<'_>) -> Result<Option<TextDigest>> {
        let _ = table;
        Ok(None)
    }

    /// Hands over the halves of each row's hash as [`Source::own_digest`] sums them, in any order. `false` for a source
    /// that cannot compute them.
    ///
    /// # Errors
    /// When the source refuses to, or `hash` fails.
    fn own_hashes(&mut self, table: &ReadTable<'_>, hash: &mut TakeHash<'_>) -> Result<bool> {
        let _ = (table, hash);
        Ok(false)
    }
}
