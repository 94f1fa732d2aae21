//! A condition over the columns of one table, decided for a row where that can be done here.

use super::evaluate::{self, Family};
use super::node::{self, Node};
use crate::harness::generate::dataset::Row;

/// What is known about a condition on a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::harness::generate) enum Verdict {
    /// It holds, or is NULL.
    True,
    /// It does not hold, or it was to be decided here and could not be for these values.
    False,
    /// Only a database can tell.
    Unknown,
}

/// A condition over the columns of one table.
#[derive(Debug, Clone)]
pub(in crate::harness::generate) struct Condition {
    pub(in crate::harness::generate) name: String,
    node: Node,
    families: Vec<Family>,
    columns: Vec<usize>,
    decidable: bool,
}

impl Condition {
    pub(super) fn new(name: &str, node: Node, families: &[Family]) -> Condition {
        let mut columns = Vec::new();
        node::columns(&node, &mut columns);
        let decidable = evaluate::decidable(&node, families);
        Condition { name: name.to_owned(), node, families: families.to_vec(), columns, decidable }
    }

    /// The columns that it is about.
    pub(in crate::harness::generate) fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// Whether it is about one of the columns.
    pub(in crate::harness::generate) fn touches(&self, columns: &[usize]) -> bool {
        self.columns.iter().any(|column| columns.contains(column))
    }

    /// Whether it can be decided here for ordinary values.
    pub(in crate::harness::generate) fn is_decidable(&self) -> bool {
        self.decidable
    }

    /// What it says about a row. Values that cannot be compared here (a date before Christ) are drawn again rather
    /// than asked about.
    pub(in crate::harness::generate) fn verdict(&self, row: &Row) -> Verdict {
        match evaluate::truth(&self.node, row, &self.families) {
            Ok(Some(false)) => Verdict::False,
            Ok(Some(true) | None) => Verdict::True,
            Err(()) if self.decidable => Verdict::False,
            Err(()) => Verdict::Unknown,
        }
    }

    /// As [`Condition::verdict`], where NULL is not enough: of the condition of a partial index.
    pub(in crate::harness::generate) fn is_met(&self, row: &Row) -> bool {
        !matches!(evaluate::truth(&self.node, row, &self.families), Ok(Some(false) | None))
    }
}
