//! Conditions over a row, decided here as far as they can be told without a database.

use super::dataset::Row;

/// What is known about a condition on a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It holds, or is NULL.
    True,
    /// It does not hold.
    False,
    /// Only a database can tell.
    Unknown,
}

/// A condition over the columns of one table.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    pub(super) name: String,
    columns: Vec<usize>,
}

impl Condition {
    pub(super) fn touches(&self, columns: &[usize]) -> bool {
        self.columns.iter().any(|column| columns.contains(column))
    }

    pub(super) fn verdict(&self, _row: &Row) -> Verdict {
        Verdict::Unknown
    }
}

/// The places of the columns that an expression names.
pub(super) fn columns_of(expression: &str, names: &[String]) -> Vec<usize> {
    let mut found = Vec::new();
    for word in expression.split(|c: char| !c.is_alphanumeric() && c != '_') {
        if let Some(place) = names.iter().position(|name| name == word)
            && !found.contains(&place)
        {
            found.push(place);
        }
    }
    found
}
