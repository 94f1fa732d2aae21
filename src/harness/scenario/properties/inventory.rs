//! Nothing has disappeared silently: every table, view, column, key, foreign key, index, check, default, NOT NULL and
//! generated column of the server is in the file, or listed by the plan as not carried.
//!
//! Steps: `harness::inventory` asks `pg_catalog` on one side and SQLite's pragmas on the other.
//! Constraints: names are taken from the plan, and so is the list of what is not carried.

use super::super::case::Case;
use super::{Property, Verdict};
use crate::error::Result;
use crate::harness::inventory;

pub(super) const PROPERTY: Property =
    Property { name: "inventory", says: "every object of the source is carried, or listed as not carried", ask };

fn ask(case: &mut Case<'_>) -> Result<Verdict> {
    let target = case.target.clone();
    let (client, outcome) = case.client_and_outcome()?;
    let mut ask = |sql: &str| client.rows(sql, inventory::OPERATION, "the server");
    Ok(Verdict::of(inventory::missing_by(&mut ask, &target, &outcome.plan)?))
}
