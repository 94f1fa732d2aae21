//! Rows that shrink: from the dataset with which something fails to the smallest one with which it still does.
//!
//! Tables go first, then rows, both by halves: a half is tried alone with the rows that it refers to, then everything
//! but that half and the rows that refer to it. Then values become NULL, which frees more rows, and simpler.
//!
//! Invariants:
//! - What is tried keeps every constraint that the catalog knows: foreign keys hold (by following them), NULL is only
//!   where it is allowed, and a column that is in a key, in a check, in a unique index or in an exclusion constraint
//!   keeps its values.
//! - At most `limit` datasets are tried, and none twice.

mod cells;
mod links;
mod simpler;
mod strategy;

pub use strategy::{DatasetStrategy, DatasetTree, dataset_strategy};

use super::generate::{Dataset, TableRows};
use super::reduce::{Reduce, Reducer};
use crate::catalog::Catalog;
use crate::error::Result;
use cells::{Change, Editable};
use links::Links;
use std::ops::Range;
use std::sync::Arc;

/// The smallest dataset that was found with which `still_fails` says so, beginning with one that does. `limit` is how
/// often it is asked at most. Somebody who loads the rows into a database answers `false` where that refuses them.
///
/// # Errors
/// What `still_fails` returns.
pub fn shrink(
    dataset: Dataset,
    catalog: &Arc<Catalog>,
    still_fails: &mut dyn FnMut(&Dataset) -> Result<bool>,
    limit: usize,
) -> Result<Dataset> {
    let mut reducer = Reducer::new(Case::new(dataset, catalog), limit);
    let mut more = reducer.simplify();
    while more {
        more = if still_fails(&reducer.current().dataset)? { reducer.simplify() } else { reducer.complicate() };
    }
    Ok(reducer.into_best().dataset)
}

/// A dataset with what is known about its tables.
#[derive(Debug, Clone)]
struct Case {
    dataset: Dataset,
    catalog: Arc<Catalog>,
    editable: Arc<Editable>,
}

/// The passes: tables, rows, then one for each change of a value.
const TABLES: usize = 0;
const ROWS: usize = 1;

impl Case {
    fn new(dataset: Dataset, catalog: &Arc<Catalog>) -> Self {
        let editable = Arc::new(Editable::new(&dataset, catalog));
        Case { dataset, catalog: Arc::clone(catalog), editable }
    }

    /// The tables with rows, as places.
    fn filled(&self) -> Vec<usize> {
        (0..self.dataset.tables.len()).filter(|place| !self.dataset.tables[*place].rows.is_empty()).collect()
    }

    /// For every row, counted through all tables, whether it is in the range of a pass.
    fn chosen(&self, pass: usize, range: &Range<usize>) -> Vec<bool> {
        if pass == ROWS {
            return (0..self.dataset.row_count()).map(|row| range.contains(&row)).collect();
        }
        let filled = self.filled();
        let chosen = filled.get(range.clone()).unwrap_or_default();
        let tables = self.dataset.tables.iter().enumerate();
        tables.flat_map(|(place, table)| std::iter::repeat_n(chosen.contains(&place), table.rows.len())).collect()
    }

    /// The dataset with these rows only; `None` where that is all of them.
    fn keeping(&self, kept: &[bool]) -> Option<Self> {
        if kept.iter().all(|kept| *kept) {
            return None;
        }
        let mut kept = kept.iter();
        let tables = self.dataset.tables.iter().map(|table| TableRows {
            table: table.table.clone(),
            columns: table.columns.clone(),
            rows: table.rows.iter().filter(|_| kept.next() == Some(&true)).cloned().collect(),
            later: table.later.clone(),
        });
        let tables = tables.collect();
        Some(Case { dataset: Dataset { tables }, ..self.clone_without_rows() })
    }

    fn clone_without_rows(&self) -> Self {
        Case { dataset: Dataset::default(), catalog: Arc::clone(&self.catalog), editable: Arc::clone(&self.editable) }
    }
}

impl Reduce for Case {
    fn passes(&self) -> usize {
        2 + Change::COUNT
    }

    fn atoms(&self, pass: usize) -> usize {
        match pass {
            TABLES => self.filled().len(),
            ROWS => self.dataset.row_count(),
            pass => self.editable.cells(&self.dataset, Change::nth(pass - 2)).len(),
        }
    }

    fn without(&self, pass: usize, range: Range<usize>) -> Option<Self> {
        if pass > ROWS {
            let change = Change::nth(pass - 2);
            let cells = self.editable.cells(&self.dataset, change);
            let mut dataset = self.dataset.clone();
            self.editable.apply(&mut dataset, cells.get(range)?, change);
            return (dataset != self.dataset).then(|| Case { dataset, ..self.clone_without_rows() });
        }
        let mut kept: Vec<bool> = self.chosen(pass, &range).into_iter().map(|chosen| !chosen).collect();
        Links::new(&self.dataset, &self.catalog).drop_orphans(&mut kept);
        self.keeping(&kept)
    }

    fn only(&self, pass: usize, range: Range<usize>) -> Option<Self> {
        if pass > ROWS {
            return None;
        }
        let mut kept = self.chosen(pass, &range);
        Links::new(&self.dataset, &self.catalog).add_parents(&mut kept);
        self.keeping(&kept)
    }

    fn fingerprint(&self) -> u128 {
        let mut bytes = Vec::new();
        for table in &self.dataset.tables {
            bytes.extend((table.rows.len() as u64).to_be_bytes());
            for cell in table.rows.iter().flatten() {
                // NULL is no text of any length.
                let length = cell.as_ref().map_or(u64::MAX, |text| text.len() as u64);
                bytes.extend(length.to_be_bytes());
                bytes.extend(cell.as_deref().unwrap_or_default().as_bytes());
            }
        }
        xxhash_rust::xxh3::xxh3_128(&bytes)
    }
}

#[cfg(test)]
mod tests;
