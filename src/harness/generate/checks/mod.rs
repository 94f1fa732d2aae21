//! Checks: what can be solved becomes limits of a column's values, what can be decided here becomes a condition on a
//! finished row, and the rest is left to a judge.
//!
//! Invariant: every check ends in at least one of the three. A limit only ever narrows.

mod evaluate;
mod node;
mod partitions;
mod solve;
mod words;

use super::dataset::Row;
pub(super) use evaluate::{Family, is_plain_moment};
use node::Node;

pub(super) use solve::{columns_of, domain_limits, find, predicate, tighten};
pub(super) use words::{spelling, words_of};

/// What is known about a condition on a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It holds, or is NULL.
    True,
    /// It does not hold, or it was to be decided here and could not be for these values.
    False,
    /// Only a database can tell.
    Unknown,
}

/// A condition over the columns of one table.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    pub(super) name: String,
    node: Node,
    families: Vec<Family>,
    columns: Vec<usize>,
    decidable: bool,
}

impl Condition {
    fn new(name: &str, node: Node, families: &[Family]) -> Condition {
        let mut columns = Vec::new();
        solve::columns(&node, &mut columns);
        let decidable = evaluate::decidable(&node, families);
        Condition { name: name.to_owned(), node, families: families.to_vec(), columns, decidable }
    }

    /// The columns that it is about.
    pub(super) fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// Whether it is about one of the columns.
    pub(super) fn touches(&self, columns: &[usize]) -> bool {
        self.columns.iter().any(|column| columns.contains(column))
    }

    /// Whether it can be decided here for ordinary values.
    pub(super) fn is_decidable(&self) -> bool {
        self.decidable
    }

    /// What it says about a row. Values that cannot be compared here (a date before Christ) are drawn again rather
    /// than asked about.
    pub(super) fn verdict(&self, row: &Row) -> Verdict {
        match evaluate::truth(&self.node, row, &self.families) {
            Ok(Some(false)) => Verdict::False,
            Ok(Some(true) | None) => Verdict::True,
            Err(()) if self.decidable => Verdict::False,
            Err(()) => Verdict::Unknown,
        }
    }

    /// As [`Condition::verdict`], where NULL is not enough: of the condition of a partial index.
    pub(super) fn is_met(&self, row: &Row) -> bool {
        !matches!(evaluate::truth(&self.node, row, &self.families), Ok(Some(false) | None))
    }
}
