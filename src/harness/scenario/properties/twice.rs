//! Migrating twice gives the same file content.
//!
//! Steps: migrate the same source into a second target; read both files as SQLite gives them: every definition, every
//! row of every table with its rowid, in order; compare.
//! Constraints: the moment of the run is not compared: `finished_at` in `_whimbrel_manifest`, and `applied_at` and
//! `duration_ms` in the history of a given target schema.

use super::super::case::Case;
use super::super::content::{Content, content};
use super::{Property, Verdict};
use crate::error::Result;

pub(super) const PROPERTY: Property =
    Property { name: "twice", says: "migrating twice gives the same file content", ask };

fn ask(case: &mut Case<'_>) -> Result<Verdict> {
    let second = case.migrate_again()?;
    let first: Content = content(&case.open_target()?)?;
    let second = content(&super::super::case::open(&second)?)?;
    Ok(Verdict::of(first.differences(&second)))
}
