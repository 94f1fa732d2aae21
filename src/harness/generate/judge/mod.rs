//! Who decides checks that were not solved: a PostgreSQL server, a SQLite file, or nobody.

use super::dataset::Row;
use crate::catalog::Table;
use crate::error::{Error, Result};

mod postgres;
mod sqlite;

pub use postgres::PostgresJudge;
pub(super) use postgres::{domain_checks, with_value};
pub use sqlite::SqliteJudge;

/// Decides checks that were not solved, over candidate rows.
pub trait Judge {
    /// For each row, whether every check of the table and of its columns' domains holds, or is NULL.
    ///
    /// # Errors
    /// When the judge cannot be asked, or does not know the table.
    fn accepts(&mut self, table: &Table, columns: &[String], rows: &[Row]) -> Result<Vec<bool>>;
}

/// The judge of somebody who has no database at hand: a check that was not solved is an error that names its table.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Judge for Nobody {
    fn accepts(&mut self, table: &Table, _columns: &[String], _rows: &[Row]) -> Result<Vec<bool>> {
        let checks: Vec<String> = table.checks.iter().map(|check| format!("`{}`", check.name)).collect();
        Err(Error::could_not(
            "generate rows of",
            format!("`{}`", table.name),
            format!("a check was not solved, and there is no database to ask: {}", checks.join(", ")),
        )
        .hint("generate into a database, or say under `[generate.columns]` what values the columns have"))
    }
}
