//! Where rows come from and where they go: the contract that every endpoint keeps.
//!
//! A [`Source`] hands rows to a [`RowSink`]; a [`Target`] is made as a [`Draft`], which is filled, finished, read back and
//! published. Neither side knows what the other is: what crosses are neutral [`Cell`]s of the catalog's types. How a source
//! decodes its own wire is its own matter, how a target keeps a cell is the target's. How a draft is read back and proven is
//! [`Finished`], because a target that was published long ago is proven in the same way.
//!
//! **Order.** The source chooses it: of the tables, and of the rows in each. Rows of several tables may interleave; who
//! needs them apart keeps them apart. Each table is begun once, before its first row, and ended once, behind its last;
//! one without rows as well. What a source calls stands still until the sink returns, so whoever takes slowly is waited for.
//!
//! **Whole.** A source hands on a row only when all of it was read. Where `read` returns an error, what it has handed over is
//! part of something, and nobody may use it.
//!
//! **Threads.** A source is used by one thread at a time, and may be sent to another one between two calls. A draft is written
//! by one thread, while the one that reads encodes: batches go between them by a bounded channel, and come back empty.
//!
//! **Memory.** A cell borrows what the source has just read, and is gone when the sink returns. Neither side keeps rows by
//! their number: a sink that holds open batches of several tables gives all of them one budget.
//!
//! **All or nothing.** A draft is the draft's own: whoever holds it holds all of it, and dropping it takes it away. What it is to
//! replace is touched by [`Draft::publish`] alone, in one step.
//!
//! **Cost.** The source is called dynamically once per row, the target statically per cell: one decode, one digest, one encode.

mod address;
pub mod dump;
pub mod files;
pub mod findings;
mod finished;
pub mod inexact;
pub mod postgres;
pub mod sqlite;

pub use address::{Endpoint, PostgresUrl, file_name};
pub(crate) use finished::hash_texts;
pub use finished::{Findings, Finished, Level, Proof, ReadBack, SHOWN_MAX, TableProof};

use crate::cancel::Cancel;
use crate::catalog::{Catalog, Dialect, QualifiedName, Shape, Table, TableKind};
use crate::error::{Error, Result};
use crate::event::Listener;
use crate::plan::as_is::WantedTable;
use crate::plan::choices::Choices;
use crate::plan::given::TargetSchema;
use crate::plan::home::Wishes;
use crate::plan::{Caveat, Plan, TablePlan};
use crate::value::{Cell, RowHasher, TableDigest, TextDigest};
use findings::Integrity;
use inexact::InexactColumn;
use serde::Serialize;
use std::borrow::Cow;
use std::path::Path;
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
    /// Every column of a table as the catalog has it; its rows are told by their number.
    pub fn whole(table: &'p Table) -> Self {
        let columns = table.columns.iter();
        let columns = columns.map(|column| ReadColumn { name: &column.name, shape: &column.data_type.shape });
        ReadTable { table: &table.name, only: true, columns: columns.collect(), key: &[] }
    }

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

/// Rows that are wanted next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Of which table, by its place in the request.
    pub table: usize,
    /// How many.
    pub rows: u64,
}

/// A part of a source that is not what its form says, and so no rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejected {
    /// The source as reports name it.
    pub tree: String,
    /// The file's path from the root of the source.
    pub path: String,
    /// The line in it, from 1.
    pub line: u64,
    /// The character in the line, from 1.
    pub column: u64,
    /// What is wrong there.
    pub reason: String,
}

impl Rejected {
    /// The error for a reader that does not set it aside.
    pub fn error(&self) -> Error {
        let Rejected { tree, path, line, column, reason } = self;
        Error::could_not("read", format!("`{tree}/{path}`, line {line}, column {column}"), reason)
            .hint("correct the file, or what the layout says of it; `migrate --quarantine DIR` sets it aside and carries the rest")
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

    /// Whether it takes large values of a table as [`Cell::Large`]. All others get them in memory.
    fn takes_large(&self, table: usize) -> bool {
        let _ = table;
        false
    }

    /// Whether it sets aside what is rejected: then none of its rows may have been handed over.
    fn sets_aside(&self) -> bool {
        false
    }

    /// A part of the source is not what its form says.
    ///
    /// # Errors
    /// That it is not, unless the sink sets it aside.
    fn reject(&mut self, rejected: Rejected) -> Result<()> {
        Err(rejected.error())
    }

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

    /// Looks whether a target at that path would be in this source's way: the source itself, in it, or around it.
    ///
    /// # Errors
    /// When it would.
    fn ensure_apart(&self, target: &Path) -> Result<()> {
        let _ = target;
        Ok(())
    }

    /// Looks whether the rows of these tables may be read, before any is.
    ///
    /// # Errors
    /// When they may not: the table is named.
    fn ensure_readable(&mut self, tables: &[&QualifiedName]) -> Result<()> {
        let _ = tables;
        Ok(())
    }

    /// Looks whether what the rows are read from is sound in a way that reading them does not show. `None` for a source that
    /// sees to that itself, or has no structure of its own.
    ///
    /// # Errors
    /// When it cannot be read, or somebody asks to stop. What is found is not an error.
    fn integrity(&mut self, level: Level) -> Result<Option<Integrity>> {
        let _ = level;
        Ok(None)
    }

    /// Hands over every row of the tables.
    ///
    /// # Errors
    /// When the rows cannot be read to the last one, a value does not have its type's form, or the sink fails.
    fn read(&mut self, tables: &[ReadTable<'_>], sink: &mut dyn RowSink) -> Result<()>;

    /// As [`Source::read`]; a source that can read several tables at once lets them take turns, and hands over what no turn
    /// asks for behind them. No more than a wish: whoever has it takes any other order as well.
    ///
    /// # Errors
    /// As [`Source::read`].
    fn read_in_turns(&mut self, tables: &[ReadTable<'_>], turns: &[Turn], sink: &mut dyn RowSink) -> Result<()> {
        let _ = turns;
        self.read(tables, sink)
    }

    /// What a source knows of why its rows were not taken; it may be read once more for that.
    fn explain(&mut self, error: Error) -> Error {
        error
    }

    /// The digest of each table's rows. A source that knows a way without handing rows over may take it.
    ///
    /// # Errors
    /// As [`Source::read`].
    fn digests(&mut self, tables: &[ReadTable<'_>]) -> Result<Vec<TableDigest>> {
        let mut digests = Digests::of(tables.len());
        self.read(tables, &mut digests)?;
        Ok(digests.digests)
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

/// Adds rows up.
pub struct Digests {
    /// The digest of each table.
    pub digests: Vec<TableDigest>,
    hasher: RowHasher,
}

impl Digests {
    /// Those of so many tables without rows.
    pub fn of(tables: usize) -> Digests {
        Digests { digests: vec![TableDigest::default(); tables], hasher: RowHasher::default() }
    }
}

impl RowSink for Digests {
    #[inline]
    fn row(&mut self, table: usize, cells: &[Cell<'_>]) -> Result<()> {
        cells.iter().for_each(|cell| self.hasher.cell(cell));
        self.digests[table].add(self.hasher.finish());
        Ok(())
    }

    fn takes_large(&self, _table: usize) -> bool {
        true
    }
}

/// What the columns of a table did not hold whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inexact {
    /// How many values; the ledger keeps them, where there is one.
    pub values: u64,
    /// The columns with such values, where there is no ledger.
    pub columns: Vec<InexactColumn>,
}

/// How much of a row the target gives back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// Every cell as it came, from the columns or from the ledger.
    Whole,
    /// What [`Encode::held`] says of each cell.
    Partly,
}

/// Rows under way to a target, in the target's own representation.
pub trait RowBatch: Default + Send {
    /// How many rows it holds.
    fn rows(&self) -> u64;

    /// How many bytes of text and blobs it holds.
    fn bytes(&self) -> u64;

    /// Whether it should be handed over.
    fn is_full(&self) -> bool;

    /// Whether it is far larger than a batch should be, for the sake of one row.
    fn is_oversized(&self) -> bool {
        false
    }
}

/// Turns the rows of one table into the target's representation, on the thread that reads.
pub trait Encode<B>: Send {
    /// Adds a row to the batch.
    ///
    /// # Errors
    /// When the target has no room for a value; the row is named with its key.
    fn row(&mut self, cells: &[Cell<'_>], batch: &mut B) -> Result<Held>;

    /// Whether it takes large values as [`Cell::Large`].
    fn takes_large(&self) -> bool {
        false
    }

    /// The cell that the target will give back where it holds a row in part.
    fn held<'c>(&self, column: usize, cell: &'c Cell<'c>) -> Cow<'c, Cell<'c>> {
        let _ = column;
        Cow::Borrowed(cell)
    }

    /// What was not held whole, when all rows have been added.
    fn inexact(self) -> Inexact
    where
        Self: Sized,
    {
        Inexact::default()
    }
}

/// Where rows come from, for what a target remembers.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'o> {
    /// The source without a password.
    pub source: &'o str,
    /// The source's schema.
    pub catalog: &'o Catalog,
    /// The choices under which it was planned.
    pub choices: &'o Choices,
    /// The digest of each table's rows, in the order of the plan's tables.
    pub digests: &'o [TableDigest],
}

/// A place that rows go to. Nothing of it is changed before a draft is published.
pub trait Target: Sized {
    /// What is made of it.
    type Draft: Draft;

    /// The target as reports name it.
    fn label(&self) -> String;

    /// Where it is in the file system; `None` where it is not in it.
    fn path(&self) -> Option<&Path> {
        None
    }

    /// The SQL that its definitions are written in; `None` for a target without any.
    fn dialect(&self) -> Option<Dialect>;

    /// How a PostgreSQL database is to be filled; of no meaning for others.
    fn wishes(&self) -> Wishes {
        Wishes::default()
    }

    /// The tables and columns of a target without definitions; nothing for others.
    fn wants(&self) -> Vec<WantedTable> {
        Vec::new()
    }

    /// Looks whether it can be used at all, before anybody waits for a server.
    ///
    /// # Errors
    /// When it cannot.
    fn inspect(&mut self) -> Result<()> {
        Ok(())
    }

    /// The schema that somebody has given it; `None` where it is to be derived.
    ///
    /// # Errors
    /// When it cannot be read.
    fn given(&mut self) -> Result<Option<TargetSchema>> {
        Ok(None)
    }

    /// The engine itself tries the definitions: takes out of the plan what it refuses.
    ///
    /// # Errors
    /// When they cannot be tried at all.
    fn settle(&self, plan: &mut Plan) -> Result<()> {
        let _ = plan;
        Ok(())
    }

    /// Begins a draft with the plan's tables, ready for rows. With `metadata` it is to remember where it came from, and to
    /// keep in a ledger what its columns cannot hold.
    ///
    /// # Errors
    /// When it cannot be made.
    fn begin(self, plan: &Arc<Plan>, metadata: bool, cancel: &Cancel) -> Result<Self::Draft>;
}

/// A target that is being made. Nobody else sees it; dropped, it never was.
///
/// One thread writes, while another one reads and encodes; an encoder is owned by the latter.
pub trait Draft: Send {
    /// Rows on their way.
    type Batch: RowBatch;
    /// Makes them.
    type Encoder: Encode<Self::Batch>;
    /// What there is to say about a draft that was published.
    type Published;

    /// The encoder of one of the plan's tables.
    fn encoder(&self, table: usize) -> Self::Encoder;

    /// In which order rows suit it best; none where any other is as good.
    fn turns(&self) -> Vec<Turn> {
        Vec::new()
    }

    /// Writes the rows of a table and leaves the batch empty, with its memory.
    ///
    /// # Errors
    /// When a row is refused, which is named with its key, or cannot be written.
    fn write(&mut self, table: usize, batch: &mut Self::Batch) -> Result<()>;

    /// All rows are there: keys, indexes, views, and what the target remembers. Returns what only the rows could tell.
    /// From here on the draft can be read back.
    ///
    /// # Errors
    /// When rows are refused, or the target cannot be written.
    fn finish(&mut self, origin: &Origin<'_>, listener: &Listener<'_>) -> Result<Vec<Caveat>>;

    /// Makes it the target. `digest` is that of everything that it remembers, where it does.
    ///
    /// # Errors
    /// When it cannot; the target is then what it was.
    fn publish(self, digest: Option<&str>) -> Result<Self::Published>;
}
