//! Who decides checks that were not solved: a PostgreSQL server, a SQLite file, or nobody.

use super::dataset::Row;
use crate::catalog::Table;
use crate::error::{Error, Result};

mod conditions;
mod postgres;
mod sqlite;

pub use conditions::{RowCondition, computed_keys, row_conditions};
pub(super) use conditions::{domain_checks, with_value};
pub use postgres::PostgresJudge;
pub use sqlite::SqliteJudge;

/// What a judge says of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// Every condition holds, or is NULL. For each of [`computed_keys`] a text that no other row may have; `None` where
    /// the key does not count.
    Holds(Vec<Option<String>>),
    /// The first of [`row_conditions`] that does not hold, by place; those before it do.
    Misses(usize),
    /// Something else stands against it: a partition, a value that a generated column cannot have, an error.
    Unfit,
}

/// Decides checks that were not solved, over candidate rows.
pub trait Judge {
    /// Whether each row meets the [`row_conditions`] of its table.
    ///
    /// # Errors
    /// When the judge cannot be asked, or does not know the table.
    fn rule(&mut self, table: &Table, columns: &[String], rows: &[Row]) -> Result<Vec<Ruling>>;

    /// What the rows that the table has hold in each of [`computed_keys`]; empty for a judge that computes none.
    ///
    /// # Errors
    /// As [`Judge::rule`].
    fn computed(&mut self, table: &Table) -> Result<Vec<Vec<String>>> {
        let _ = table;
        Ok(Vec::new())
    }
}

/// The judge of somebody who has no database at hand: a check that was not solved is an error that names its table.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Judge for Nobody {
    fn rule(&mut self, table: &Table, _columns: &[String], _rows: &[Row]) -> Result<Vec<Ruling>> {
        let checks = table.checks.iter().map(|check| check.name.clone());
        let checks: Vec<String> = checks.chain(computed_keys(table)).map(|name| format!("`{name}`")).collect();
        Err(Error::could_not(
            "generate rows of",
            format!("`{}`", table.name),
            format!("a check or a key was not solved, and there is no database to ask: {}", checks.join(", ")),
        )
        .hint("generate into a database, or say under `[generate.columns]` what values the columns have"))
    }
}
