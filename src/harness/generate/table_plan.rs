//! What is known about a table before its first row: where each column's values come from, which foreign keys belong
//! together, how each unique key is kept, and how many rows there are to be.

use super::checks::Condition;
use super::column::ColumnPlan;
use crate::catalog::Table;
use crate::error::Error;

/// How to go on without a table for which no rows are found.
pub(super) const LEAVE_OUT: &str = "leave the table out: `rows = 0` under `[generate.tables]` of a project (which `generate --project` names), or \
     `generate --tables` with the others";

/// A table and how its rows are made.
#[derive(Debug)]
pub(super) struct TablePlan<'c> {
    pub(super) table: &'c Table,
    /// The columns that are inserted, in the table's order; places below are places in this list.
    pub(super) names: Vec<String>,
    pub(super) columns: Vec<ColumnPlan>,
    /// Foreign keys to tables before this one; those of one group share columns.
    pub(super) groups: Vec<Vec<Foreign>>,
    /// Foreign keys to this table itself.
    pub(super) selves: Vec<Foreign>,
    /// Foreign keys to tables behind this one.
    pub(super) broken: Vec<Foreign>,
    /// Columns that get their value with a broken foreign key, and not before.
    pub(super) deferred: Vec<usize>,
    /// Of these, the columns that are inserted as NULL and set by UPDATE.
    pub(super) later: Vec<usize>,
    pub(super) keys: Vec<UniqueKey>,
    /// Conditions that are decided here, on the finished row.
    pub(super) conditions: Vec<Condition>,
    /// Pairs of columns of which the first has to come before the second; values are exchanged where they do not.
    pub(super) orderings: Vec<(usize, usize)>,
    /// Why a judge has to be asked, by the names of checks, keys and generated columns; with none, no judge is.
    pub(super) judged: Vec<String>,
    /// What a judge is asked, in its order.
    pub(super) judged_conditions: Vec<JudgedCondition>,
    /// Why limits of a column were left to who decides them, by column.
    pub(super) unsolved: Vec<String>,
    /// The stores of keys that its rows go to, with the places of the columns.
    pub(super) feeds: Vec<(usize, Vec<usize>)>,
    /// How many rows it is to have.
    pub(super) wanted: u64,
}

/// A condition that a judge decides.
#[derive(Debug)]
pub(super) struct JudgedCondition {
    pub(super) name: String,
    pub(super) columns: Vec<usize>,
    /// The texts and numbers that it names.
    pub(super) words: Vec<String>,
}

/// A foreign key.
#[derive(Debug, Clone)]
pub(super) struct Foreign {
    pub(super) columns: Vec<usize>,
    /// Which store has the keys of the table referred to; their columns are in the order of `columns`.
    pub(super) store: usize,
    /// For a foreign key to the table itself: the places of the columns referred to.
    pub(super) own_key: Vec<usize>,
    pub(super) match_full: bool,
    /// How often it is NULL.
    pub(super) null_share: f64,
}

/// Columns of which no two rows may have the same values.
#[derive(Debug)]
pub(super) struct UniqueKey {
    pub(super) name: String,
    pub(super) columns: Vec<usize>,
    pub(super) nulls_equal: bool,
    /// Rows for which this is false do not count.
    pub(super) predicate: Option<Condition>,
    pub(super) way: Way,
}

impl UniqueKey {
    /// The columns that decide whether a row counts.
    pub(super) fn predicate_columns(&self) -> impl Iterator<Item = usize> + '_ {
        self.predicate.iter().flat_map(|predicate| predicate.columns().iter().copied())
    }
}

/// How a unique key is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// One of its columns has distinct values.
    Distinct,
    /// The combinations of what its columns can have are gone through, each once.
    Enumerated,
    /// What was there is remembered.
    Remembered,
}

/// What a place of an enumerated key can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// A row of the table that a group's one foreign key refers to.
    Group(usize),
    /// A column of its own.
    Column(usize),
}

impl TablePlan<'_> {
    /// The slots of a key that can be enumerated; `None` where it cannot.
    pub(super) fn slots(&self, columns: &[usize]) -> Option<Vec<Slot>> {
        let mut slots = Vec::new();
        for column in columns {
            if self.deferred.contains(column) || self.selves.iter().any(|key| key.columns.contains(column)) {
                return None;
            }
            let group = self.groups.iter().position(|group| group.iter().any(|key| key.columns.contains(column)));
            let slot = match group {
                Some(group) if self.groups[group].len() > 1 => return None,
                // A part of a composite foreign key does not tell its rows apart.
                Some(group) if self.groups[group][0].columns.iter().any(|other| !columns.contains(other)) => {
                    return None;
                }
                Some(group) => Slot::Group(group),
                None => Slot::Column(*column),
            };
            if !slots.contains(&slot) {
                slots.push(slot);
            }
        }
        Some(slots)
    }

    /// The error of a table of which no row satisfies a condition.
    pub(super) fn unsatisfied(&self, which: &str, tries: u64) -> Error {
        let mut cause = format!("no row satisfied {which} in {tries} tries");
        for unsolved in &self.unsolved {
            cause.push_str("; ");
            cause.push_str(unsolved);
        }
        Error::could_not("generate rows of", format!("`{}`", self.table.name), cause)
            .hint("say under `[generate.columns]` what values its columns have")
    }

    /// The columns that may be NULL and are not meant to be in every row.
    pub(super) fn may_have_values(&self) -> Vec<usize> {
        let is_own = |column: &usize| !self.is_foreign(*column) && !self.deferred.contains(column);
        let nullable = |column: &usize| self.columns[*column].nullable && self.columns[*column].null_share() < 1.0;
        (0..self.columns.len()).filter(is_own).filter(nullable).collect()
    }

    /// Whether a column gets its value from a foreign key.
    pub(super) fn is_foreign(&self, column: usize) -> bool {
        let all = self.groups.iter().flatten().chain(&self.selves).chain(&self.broken);
        all.into_iter().any(|key| key.columns.contains(&column))
    }
}
