//! The FROM lists that an expression stands in.

use super::render;
use super::scope::ColumnForm;
use super::term::Term;
use std::ops::Range;

/// One FROM list: what is in it, by alias.
#[derive(Debug, Clone, Default)]
pub(super) struct Frame {
    pub(super) relations: Vec<Relation>,
    /// Columns that USING merged; those of a join come after those of the joins in it.
    pub(super) merged: Vec<Merged>,
}

/// One relation of a FROM list.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    pub(super) alias: String,
    /// What it is called in SQLite.
    pub(super) target: String,
    pub(super) columns: Vec<(String, ColumnForm)>,
    /// Whether an outer join may leave it without a row.
    pub(super) optional: bool,
}

impl Relation {
    pub(super) fn term(&self, form: &ColumnForm) -> Term {
        let mut term = Term::column(format!("{}.{}", render::name(&self.target), render::name(&form.name)), form);
        term.not_null &= !self.optional;
        term
    }
}

/// A column that USING merged: the first of its parts that is not NULL.
#[derive(Debug, Clone)]
pub(super) struct Merged {
    pub(super) name: String,
    /// The relations of its join.
    pub(super) joined: Range<usize>,
    /// The places of relations, and their columns.
    pub(super) parts: Vec<(usize, ColumnForm)>,
}

impl Frame {
    /// The column of that name in some relations that are joined already, by its parts.
    pub(super) fn column_of(&self, name: &str, within: &Range<usize>) -> Option<Vec<(usize, ColumnForm)>> {
        let is_within = |merged: &&Merged| merged.joined.start >= within.start && merged.joined.end <= within.end;
        if let Some(merged) = self.merged.iter().rev().filter(is_within).find(|merged| merged.name == name) {
            return Some(merged.parts.clone());
        }
        within.clone().find_map(|place| {
            let columns = &self.relations.get(place)?.columns;
            let (_, form) = columns.iter().find(|(source, _)| source == name)?;
            Some(vec![(place, form.clone())])
        })
    }
}
