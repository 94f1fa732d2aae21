//! Who decides checks that were not solved: a PostgreSQL server, a SQLite file, or nobody.

use super::dataset::Row;
use crate::catalog::Table;
use crate::error::{Error, Result};
use crate::quote::quote;

mod postgres;
mod sqlite;

pub use postgres::PostgresJudge;
pub(super) use postgres::{domain_checks, with_value};
pub use sqlite::SqliteJudge;

/// A condition that the rows of a table have to meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowCondition {
    /// The check's name; of a domain's check its condition and the type.
    pub name: String,
    /// The condition over the table's columns, in the SQL of the source.
    pub expression: String,
    /// The column whose domain asks for it; `None` for a check of the table.
    pub column: Option<String>,
}

/// What a judge is asked about the rows of a table: its checks, then those of its columns' domains.
pub fn row_conditions(table: &Table) -> Vec<RowCondition> {
    let own = table.checks.iter().map(|check| RowCondition {
        name: check.name.clone(),
        expression: check.expression.clone(),
        column: None,
    });
    let of_domains = table.columns.iter().filter(|column| column.generated.is_none()).flat_map(|column| {
        domain_checks(&column.data_type).into_iter().map(|check| RowCondition {
            name: format!("{check} of `{}`", column.data_type),
            expression: with_value(&check, &quote(&column.name)),
            column: Some(column.name.clone()),
        })
    });
    own.chain(of_domains).collect()
}

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

/// The names of the unique keys whose values only the server can tell apart: over generated columns, expressions, and
/// types that spell one value in several ways.
pub fn computed_keys(table: &Table) -> Vec<String> {
    postgres::computed_keys(table).into_iter().map(|(name, _)| name).collect()
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
        let checks: Vec<String> = table.checks.iter().map(|check| format!("`{}`", check.name)).collect();
        Err(Error::could_not(
            "generate rows of",
            format!("`{}`", table.name),
            format!("a check was not solved, and there is no database to ask: {}", checks.join(", ")),
        )
        .hint("generate into a database, or say under `[generate.columns]` what values the columns have"))
    }
}
