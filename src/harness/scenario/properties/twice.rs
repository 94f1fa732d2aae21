//! Migrating twice gives the same file content.
//!
//! Steps: migrate the same source into a second target; read both files as SQLite gives them: every definition, every
//! row of every table with its rowid, in order; compare.
//! Constraints: the moment of the run is not compared: `finished_at` in `_whimbrel_manifest` with the digests over it, and `applied_at` and
//! `duration_ms` in the history of a given target schema, and the rows of tables that have no source, which such a schema
//! brings along (and may date).

use super::super::case::{Case, open};
use super::super::content::content;
use super::{Property, Verdict};
use crate::endpoint::sqlite::schema::read_schema;
use crate::error::Result;
use crate::plan::Plan;
use rusqlite::Connection;

pub(super) const PROPERTY: Property =
    Property { name: "twice", says: "migrating twice gives the same file content", ask };

fn ask(case: &mut Case<'_>) -> Result<Verdict> {
    let second = case.migrated_again()?;
    of(&case.open_target()?, &open(&second)?, &case.outcome()?.plan, &[])
}

/// Compares what one plan has made twice, the rows of the tables `dated` left out.
pub(in super::super) fn of(first: &Connection, second: &Connection, plan: &Plan, dated: &[&str]) -> Result<Verdict> {
    let schema = read_schema(first)?;
    let (mut first, second) = (content(first)?, content(second)?);
    for table in schema.tables {
        let has_source = plan.tables.iter().any(|planned| planned.target.eq_ignore_ascii_case(&table.name));
        if plan.given_schema && !has_source && table.name != "schema_migrations" {
            first.forget_rows(&table.name);
        }
    }
    dated.iter().for_each(|table| first.forget_rows(table));
    if !dated.is_empty() {
        // How many values an index has is told of such columns, too.
        first.forget_rows("sqlite_stat1");
    }
    Ok(Verdict::of(first.differences(&second)))
}
