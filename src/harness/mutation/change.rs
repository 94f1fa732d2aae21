//! A mutation: what it applies to, and how it changes a file.
//!
//! Invariant: what a rewrite gives is not what was there; the file is asked afterwards whether that is so.

use super::bench::{Applied, Bench, changed, describe};
use crate::error::{Context, Result};
use crate::harness::Random;
use crate::plan::{ColumnPlan, Plan};
use crate::quote::quote;
use rusqlite::types::Value;
use std::path::Path;

/// One way to change a file.
pub struct Mutation {
    /// Its name, as the table of kill rates shows it.
    pub name: &'static str,
    /// What it applies to: where a file has nothing of the kind, it does not.
    pub applies_to: &'static str,
    pub(super) change: Change,
}

/// How a change is made.
pub(super) enum Change {
    /// One value becomes another one.
    Value(Rewrite),
    /// Anything else.
    File(fn(&mut Bench<'_>) -> rusqlite::Result<Option<Applied>>),
}

/// So many rows of a column are tried.
const ROWS_TRIED_MAX: usize = 4;

/// How one value becomes another.
pub struct Rewrite {
    /// The columns that it is for.
    pub(super) columns: fn(&ColumnPlan) -> bool,
    /// The rows that it is for, a condition over `v`.
    pub(super) filter: &'static str,
    /// The new value; `None` where the old one has no such.
    pub(super) value: fn(&Value, &ColumnPlan, &mut Random) -> Option<Value>,
}

impl Rewrite {
    pub fn apply(&self, bench: &mut Bench<'_>) -> rusqlite::Result<Option<Applied>> {
        for (table, column) in bench.columns(self.columns) {
            let name = quote(&column.target);
            // A name that the filters use for the value, which no column needs to have.
            let filter = self.filter.replace("{}", &name);
            for _ in 0..ROWS_TRIED_MAX {
                let Some((place, values)) = bench.row(&table.target, &filter, &name)? else { break };
                let Some(old) = values.first() else { break };
                let Some(new) = (self.value)(old, column, bench.random) else { continue };
                if bench.set(&table.target, &column.target, &place, &new)? {
                    let at = format!("table `{}`, row {}, column `{}`", table.target, place.describe(), column.target);
                    return Ok(changed(at, format!("{} → {}", describe(old), describe(&new))));
                }
            }
        }
        Ok(None)
    }
}

impl Mutation {
    /// Changes the file at `target`, which `plan` has made, at a random place. `None` where the file has nothing that
    /// could be changed like that; it may then have other bytes, but it says what it said.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn apply(&self, target: &Path, plan: &Plan, random: &mut Random) -> Result<Option<Applied>> {
        let object = || format!("`{}`: {}", target.display(), self.name);
        let mut bench = Bench::open(target, plan, random).could_not("change a copy of", object())?;
        let outcome = match &self.change {
            Change::Value(rewrite) => rewrite.apply(&mut bench),
            Change::File(change) => change(&mut bench),
        };
        let applied = outcome.could_not("change a copy of", object())?;
        bench.close().could_not("close a copy of", object())?;
        Ok(applied)
    }
}
