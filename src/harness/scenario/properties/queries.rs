//! Every query of the project runs on the migrated file.
//!
//! Steps: run each file of the project's `queries/` once on the published file, with the project's connection options
//! and parameters drawn from the rows, and read every row that it returns.
//! Constraints: a project without queries is not asked; a query whose parameters no row has a value for is only
//! prepared. How fast they are is not held against anything here, with so few rows: `whimbrel latency` does that, at a
//! stated number of rows.

use super::super::case::Case;
use super::{Property, Verdict};
use crate::error::{Context, Result};
use crate::harness::latency::run_each_once;

pub(super) const PROPERTY: Property = Property { name: "queries", says: "every query of the project runs", ask };

fn ask(case: &mut Case<'_>) -> Result<Verdict> {
    let queries = &case.ground.settings.queries;
    if queries.is_empty() {
        return Ok(Verdict::NotAsked("the project has no queries"));
    }
    let connection = case.open_target()?;
    for once in run_each_once(&connection, queries, case.seed.of("queries"))? {
        if once.rows.is_none()
            && let Some(query) = queries.iter().find(|query| query.name == once.name)
        {
            connection.prepare(&query.sql).could_not("prepare query", format!("`{}`", once.name))?;
        }
    }
    Ok(Verdict::Holds)
}
