//! What every source can do: tell its schema, and hand over the rows of one table, decoded.

use crate::catalog::{Catalog, QualifiedName};
use crate::error::Result;
use crate::types::Codec;
use crate::value::{Cell, TextDigest};

/// One column that is read.
pub struct ReadColumn<'p> {
    /// Its name in the source.
    pub name: &'p str,
    /// Its codec.
    pub codec: Codec,
}

/// One table that is read.
pub struct ReadRequest<'p> {
    /// The table in the source.
    pub table: &'p QualifiedName,
    /// Whether rows of tables that inherit from it are left to them.
    pub only: bool,
    /// The columns, in the order in which the cells come.
    pub columns: Vec<ReadColumn<'p>>,
    /// The places of those that name a row in a message; empty where rows are told by their number.
    pub key: &'p [usize],
}

/// Takes one row: its cells in the order of the request, valid until it returns.
pub type TakeRow<'t> = dyn FnMut(&[Cell<'_>]) -> Result<()> + 't;

/// Takes the halves of a row's hash.
pub type TakeHash<'t> = dyn FnMut((i64, i64)) -> Result<()> + 't;

/// A place that rows come from. It is only read, in one consistent snapshot from the first call to the last.
pub trait Source {
    /// The source as reports name it, without a password.
    fn describe(&self) -> String;

    /// Its schema.
    ///
    /// # Errors
    /// When the schema cannot be read.
    fn catalog(&mut self) -> Result<Catalog>;

    /// Its schema, read once more from the source itself.
    ///
    /// # Errors
    /// When the schema cannot be read.
    fn catalog_again(&mut self) -> Result<Catalog> {
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

    /// Hands over every row of a table, each as its cells in the order of the request.
    ///
    /// # Errors
    /// When the rows cannot be read to the last one, a value does not have its type's form, or `row` fails.
    fn read(&mut self, request: &ReadRequest<'_>, row: &mut TakeRow<'_>) -> Result<()>;

    /// The digest of the requested columns' texts, computed where the rows are: no value comes here. `None` for a
    /// source that cannot compute one.
    ///
    /// # Errors
    /// When the source refuses to.
    fn own_digest(&mut self, request: &ReadRequest<'_>) -> Result<Option<TextDigest>> {
        let _ = request;
        Ok(None)
    }

    /// Hands over the halves of each row's hash as [`Source::own_digest`] sums them, in any order. `false` for a source
    /// that cannot compute them.
    ///
    /// # Errors
    /// When the source refuses to, or `hash` fails.
    fn own_hashes(&mut self, request: &ReadRequest<'_>, hash: &mut TakeHash<'_>) -> Result<bool> {
        let _ = (request, hash);
        Ok(false)
    }
}
