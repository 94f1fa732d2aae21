//! What is known about a table before its first row: where each column's values come from, which foreign keys belong
//! together, how each unique key is kept, and how many rows there are to be.

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
    pub(super) groups: Vec<Vec<ParentReference>>,
    /// Foreign keys to this table itself.
    pub(super) self_references: Vec<ParentReference>,
    /// Foreign keys to tables behind this one.
    pub(super) broken: Vec<ParentReference>,
    /// Columns that get their value with a broken foreign key, and not before.
    pub(super) deferred: Vec<usize>,
    /// Of these, the columns that are inserted as NULL and set by UPDATE.
    pub(super) later: Vec<usize>,
    pub(super) keys: Vec<UniqueKey>,
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

/// The stores of keys: table and columns of each.
#[derive(Default)]
pub(super) struct Stores<'c> {
    pub(super) list: Vec<(usize, Vec<&'c str>)>,
}

impl<'c> Stores<'c> {
    /// The number of the store of these columns of a table.
    pub(super) fn of(&mut self, table: usize, columns: &'c [String]) -> usize {
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let known = self.list.iter().position(|(other, names)| *other == table && *names == columns);
        known.unwrap_or_else(|| {
            self.list.push((table, columns));
            self.list.len() - 1
        })
    }
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
pub(super) struct ParentReference {
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
    /// Whether the engine computes it: it has an expression, or counts only rows that a condition holds for.
    pub(super) is_computed: bool,
    pub(super) uniqueness: Uniqueness,
}

/// How a unique key is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Uniqueness {
    /// One of its columns has distinct values.
    Distinct,
    /// The combinations of what its columns can have are gone through, each once.
    Enumerated,
    /// What was there is remembered.
    Remembered,
    /// The judge computes it, and says which rows it counts.
    Judged,
}

/// What a place of an enumerated key can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// A row of the table that a group's one foreign key refers to.
    Group(usize),
    /// A column of its own.
    Column(usize),
}

impl<'c> TablePlan<'c> {
    /// Of a table of which nothing is known but its columns and how many rows it is to have.
    pub(super) fn new(table: &'c Table, names: Vec<String>, wanted: u64) -> TablePlan<'c> {
        TablePlan {
            table,
            names,
            columns: Vec::new(),
            groups: Vec::new(),
            self_references: Vec::new(),
            broken: Vec::new(),
            deferred: Vec::new(),
            later: Vec::new(),
            keys: Vec::new(),
            orderings: Vec::new(),
            judged: Vec::new(),
            judged_conditions: Vec::new(),
            unsolved: Vec::new(),
            feeds: Vec::new(),
            wanted,
        }
    }

    /// The slots of a key that can be enumerated; `None` where it cannot.
    pub(super) fn slots(&self, columns: &[usize]) -> Option<Vec<Slot>> {
        let mut slots = Vec::new();
        for column in columns {
            if self.deferred.contains(column) || self.self_references.iter().any(|key| key.columns.contains(column)) {
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

    /// Whether a judge's condition is about columns that get their values after all others.
    pub(super) fn judges_deferred(&self) -> bool {
        let is_about = |condition: &JudgedCondition| condition.columns.iter().any(|own| self.deferred.contains(own));
        self.judged_conditions.iter().any(|own| self.judged.contains(&own.name) && is_about(own))
    }

    /// The columns that may be NULL and are not meant to be in every row.
    pub(super) fn may_have_values(&self) -> Vec<usize> {
        let is_own = |column: &usize| !self.is_foreign(*column) && !self.deferred.contains(column);
        let nullable = |column: &usize| self.columns[*column].nullable && self.columns[*column].null_share() < 1.0;
        (0..self.columns.len()).filter(is_own).filter(nullable).collect()
    }

    /// Whether a column gets its value from a foreign key.
    pub(super) fn is_foreign(&self, column: usize) -> bool {
        let all = self.groups.iter().flatten().chain(&self.self_references).chain(&self.broken);
        all.into_iter().any(|key| key.columns.contains(&column))
    }
}
