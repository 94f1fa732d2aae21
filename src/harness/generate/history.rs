//! The tables in which tools for schema migrations keep what has run: random rows there would be migrations that never
//! ran.

use crate::catalog::Table;
use crate::schema::HISTORY_COLUMNS;

/// The names that histories have by default: this program's, which is also that of Rails, Ecto and golang-migrate, and
/// sqlx's.
const NAMES: [&str; 2] = ["schema_migrations", "_sqlx_migrations"];

/// The columns of sqlx's.
const SQLX_COLUMNS: [&str; 6] = ["version", "description", "installed_on", "success", "checksum", "execution_time"];

/// Whether a table is the history of a tool for migrations: by its name, or under any name by its columns.
pub(super) fn is_history(table: &Table) -> bool {
    let has = |columns: &[&str]| table.columns.iter().map(|column| column.name.as_str()).eq(columns.iter().copied());
    NAMES.iter().any(|name| table.name.name.eq_ignore_ascii_case(name)) || has(&HISTORY_COLUMNS) || has(&SQLX_COLUMNS)
}
