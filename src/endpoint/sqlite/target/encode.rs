//! Rows into batches: each cell as its column stores it, and what the column cannot hold for the ledger.

use super::refused::{key_of_large, no_room_for, too_large};
use crate::endpoint::inexact::{self, key_of};
use crate::endpoint::sqlite::{Batch, LedgerEntry};
use crate::endpoint::{Encode, Held, Inexact};
use crate::error::{Error, Result};
use crate::plan::{ColumnPlan, Plan};
use crate::types::Codec;
use crate::value::{Cell, Large, Stored};
use std::borrow::Cow;
use std::sync::Arc;

/// What an entry of the ledger has besides the key and the value: two names and the record's own.
const LEDGER_BYTES_MAX: usize = 1024;

/// Encodes the rows of one table.
pub struct Encoder {
    plan: Arc<Plan>,
    table: usize,
    codecs: Vec<Codec>,
    metadata: bool,
    /// More than this SQLite does not take for one row.
    row_bytes_max: usize,
    /// The columns whose values need not be in memory.
    large: Vec<bool>,
    /// How many rows it has encoded.
    rows: u64,
    inexact: Inexact,
}

impl Encoder {
    /// `large` are the names of the columns whose values need not be in memory.
    pub(super) fn new(plan: &Arc<Plan>, table: usize, metadata: bool, row_bytes_max: usize, large: &[String]) -> Self {
        let columns = &plan.tables[table].columns;
        let codecs: Vec<Codec> = columns.iter().map(ColumnPlan::codec).collect();
        let is_large = |(column, codec): (&ColumnPlan, &Codec)| codec.is_blob() && large.contains(&column.target);
        let large = columns.iter().zip(&codecs).map(is_large).collect();
        let (plan, inexact) = (Arc::clone(plan), Inexact::default());
        Encoder { plan, table, codecs, metadata, row_bytes_max, large, rows: 0, inexact }
    }

    /// A large value where it need not be in memory.
    #[cold]
    fn keep(&self, column: usize, cells: &[Cell<'_>], value: &Large<'_>, batch: &mut Batch) -> Result<()> {
        let kept = value.keep().map_err(|error| {
            let table = &self.plan.tables[self.table];
            let key = key_of_large(table, &self.codecs, cells, self.rows);
            let object = format!("table `{}`, row {key}, column `{}`", table.source, table.columns[column].source);
            Error::could_not("copy", object, error)
        })?;
        batch.push_large(kept);
        Ok(())
    }

    /// Files what the columns do not hold of a row.
    #[cold]
    fn file(&mut self, cells: &[Cell<'_>], batch: &mut Batch) -> Result<Held> {
        let table = &self.plan.tables[self.table];
        let key = key_of(table, &self.codecs, cells, self.rows);
        for ((cell, codec), column) in cells.iter().zip(&self.codecs).zip(&table.columns) {
            if codec.place(cell).exact {
                continue;
            }
            self.inexact.values += 1;
            if !self.metadata {
                let text = codec.text(cell).unwrap_or_default();
                inexact::note(&mut self.inexact.columns, table, column, &key, text);
            }
            if let Some(exact) = codec.text(cell).filter(|_| self.metadata) {
                let exact = exact.into_owned();
                if exact.len() + key.len() > self.row_bytes_max.saturating_sub(LEDGER_BYTES_MAX) {
                    let key = key_of_large(table, &self.codecs, cells, self.rows);
                    return Err(too_large(table, column, &key, exact.len(), self.row_bytes_max));
                }
                batch.push_ledger(LedgerEntry { row_key: key.clone(), column: column.target.clone(), exact });
            }
        }
        // Without a ledger the target can only be held to what its columns keep.
        Ok(if self.metadata { Held::Whole } else { Held::Partly })
    }
}

impl Encode<Batch> for Encoder {
    #[inline]
    fn row(&mut self, cells: &[Cell<'_>], batch: &mut Batch) -> Result<Held> {
        let table = &self.plan.tables[self.table];
        let mut is_exact = true;
        let mut bytes_left = self.row_bytes_max;
        for (place, ((cell, codec), column)) in cells.iter().zip(&self.codecs).zip(&table.columns).enumerate() {
            if let Cell::Large(value) = cell
                && self.large[place]
                && value.length() <= bytes_left as u64
            {
                bytes_left -= value.length() as usize;
                self.keep(place, cells, value, batch)?;
                continue;
            }
            let placed = codec.place(cell);
            is_exact &= placed.exact;
            if column.computed {
                continue;
            }
            if !placed.exact && column.not_null && placed.stored == Stored::Null {
                let key = key_of(table, &self.codecs, cells, self.rows);
                return Err(no_room_for(table, column, &codec.text(cell).unwrap_or_default(), &key));
            }
            // Told before the value is kept a second time.
            let Some(left) = bytes_left.checked_sub(placed.stored.byte_count()) else {
                let key = key_of_large(table, &self.codecs, cells, self.rows);
                return Err(too_large(table, column, &key, placed.stored.byte_count(), self.row_bytes_max));
            };
            bytes_left = left;
            batch.push(&placed.stored);
        }
        let held = if is_exact { Held::Whole } else { self.file(cells, batch)? };
        batch.end_row();
        self.rows += 1;
        Ok(held)
    }

    fn takes_large(&self) -> bool {
        self.large.contains(&true)
    }

    fn held<'c>(&self, column: usize, cell: &'c Cell<'c>) -> Cow<'c, Cell<'c>> {
        self.codecs[column].without_ledger(cell)
    }

    fn inexact(self) -> Inexact {
        self.inexact
    }
}
