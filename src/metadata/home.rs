//! What a PostgreSQL database remembers of the runs that loaded it: the schema `_whimbrel`, one row for each run and one for each
//! of its tables. `rollback` goes by it.
//!
//! | table | holds |
//! |---|---|
//! | `runs` | of each run its number, when it was finished, by what, from what, and what it created, in that order (JSON: kind, name) |
//! | `tables` | of each table of a run its name, its rows, and their digest |

use crate::quote::postgres_literal;
use crate::value::TableDigest;

/// The schema, which no catalog tells.
pub const SCHEMA: &str = "_whimbrel";
/// The form that this program writes and reads.
pub const FORM: i32 = 1;

/// What makes the tables, where they are not there.
pub const CREATE: &str = "\
CREATE SCHEMA IF NOT EXISTS _whimbrel;
CREATE TABLE IF NOT EXISTS _whimbrel.runs (
  run bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, form integer NOT NULL, finished_at timestamptz NOT NULL,
  tool text NOT NULL, source text NOT NULL, created jsonb NOT NULL);
CREATE TABLE IF NOT EXISTS _whimbrel.tables (
  run bigint NOT NULL REFERENCES _whimbrel.runs, schema_name text NOT NULL, table_name text NOT NULL, rows bigint NOT NULL,
  digest text NOT NULL, PRIMARY KEY (run, schema_name, table_name))";

/// The statement that writes a run down; it returns its number. `created` is JSON.
pub fn insert_run(source: &str, created: &str) -> String {
    let tool = format!("whimbrel {}", env!("CARGO_PKG_VERSION"));
    format!(
        "INSERT INTO _whimbrel.runs (form, finished_at, tool, source, created) VALUES ({FORM}, now(), {}, {}, {}) RETURNING run",
        postgres_literal(&tool),
        postgres_literal(source),
        postgres_literal(created)
    )
}

/// The statement that writes a table of a run down.
pub fn insert_table(run: i64, schema: &str, table: &str, digest: &TableDigest) -> String {
    format!(
        "INSERT INTO _whimbrel.tables VALUES ({run}, {}, {}, {}, '{digest}')",
        postgres_literal(schema),
        postgres_literal(table),
        digest.rows
    )
}

/// What takes the tables away again.
pub const DROP: &str = "DROP SCHEMA _whimbrel CASCADE";

/// The query for a run, the newest without a number: its number, its form, and what it created.
pub fn select_run(run: Option<i64>) -> String {
    let which = run.map_or_else(String::new, |run| format!(" WHERE run = {run}"));
    format!("SELECT run::text, form::text, created::text FROM _whimbrel.runs{which} ORDER BY run DESC LIMIT 1")
}

/// The query for the tables of a run: schema, name, rows, digest.
pub fn select_tables(run: i64) -> String {
    format!(
        "SELECT schema_name, table_name, rows::text, digest FROM _whimbrel.tables WHERE run = {run} ORDER BY schema_name, table_name"
    )
}

/// The statements that forget a run.
pub fn delete_run(run: i64) -> String {
    format!("DELETE FROM _whimbrel.tables WHERE run = {run}; DELETE FROM _whimbrel.runs WHERE run = {run}")
}
