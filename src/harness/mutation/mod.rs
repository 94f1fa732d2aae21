//! The checker is itself tested: a fixed catalogue of changes to a finished file, each of which verification has to
//! notice, and the share that it does.
//!
//! A change is made at a random place of a copy, with every constraint out of the way: bits do not ask either. It is
//! counted only where it changed what the file says; a change to bytes that nothing reads is none.
//!
//! Invariant: the file that was finished is only read.

mod bench;
mod definitions;
mod kill;
mod ledger;
mod pages;
mod record;
mod rows;
mod text;
mod values;

pub use kill::{Kill, KillRate, Subject, Tally, kill};

use crate::error::{Context, Result};
use crate::harness::Random;
use crate::plan::Plan;
use bench::Bench;
use rusqlite::ErrorCode;
use std::fmt;
use std::path::Path;

/// One way to change a file.
pub struct Mutation {
    /// Its name, as the table of kill rates shows it.
    pub name: &'static str,
    /// What it applies to: where a file has nothing of the kind, it does not.
    pub applies_to: &'static str,
    change: Change,
}

/// How a change is made.
enum Change {
    /// One value becomes another one.
    Value(values::Rewrite),
    /// Anything else.
    File(fn(&mut Bench<'_>) -> rusqlite::Result<Option<Applied>>),
}

/// A change that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// What was changed: a table, a row, a column, an object, a page.
    pub place: String,
    /// From what to what, where that can be said.
    pub change: String,
}

impl fmt::Display for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.change.as_str() {
            "" => f.write_str(&self.place),
            change => write!(f, "{}: {change}", self.place),
        }
    }
}

/// Every mutation, in the order in which they are told.
pub const CATALOGUE: [&[Mutation]; 6] = [
    &values::MUTATIONS,
    &rows::MUTATIONS,
    &ledger::MUTATIONS,
    &definitions::MUTATIONS,
    &pages::MUTATIONS,
    &record::MUTATIONS,
];

/// The mutations of the catalogue one after the other.
pub fn catalogue() -> impl Iterator<Item = &'static Mutation> {
    CATALOGUE.into_iter().flatten()
}

/// The mutation of that name.
pub fn named(name: &str) -> Option<&'static Mutation> {
    catalogue().find(|mutation| mutation.name == name)
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

/// Whether SQLite refused a change because of what the file demands, so that another place may do.
fn is_refused(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Else every change would be noticed, whatever it is.
    #[test]
    fn a_file_that_was_only_opened_is_what_it_was() {
        let plan = Plan {
            tables: Vec::new(),
            views: Vec::new(),
            given_schema: false,
            given_needs: Default::default(),
            losses: Vec::new(),
            caveats: Vec::new(),
            refusals: Vec::new(),
        };
        let directory = tempfile::tempdir().unwrap();
        for mode in ["wal", "delete"] {
            let path = directory.path().join(mode);
            let connection = rusqlite::Connection::open(&path).unwrap();
            connection.execute_batch(&format!("PRAGMA journal_mode = {mode}; CREATE TABLE t (a)")).unwrap();
            drop(connection);
            let before = std::fs::read(&path).unwrap();
            let mut random = crate::harness::Seed(1).random();
            Bench::open(&path, &plan, &mut random).unwrap().close().unwrap();
            let mut after = std::fs::read(&path).unwrap();
            for counter in [24..28, 92..96] {
                after[counter.clone()].copy_from_slice(&before[counter]);
            }
            assert!(before == after, "{mode}");
        }
    }

    #[test]
    fn every_mutation_has_a_name_of_its_own() {
        let names: BTreeSet<_> = catalogue().map(|mutation| mutation.name).collect();
        assert_eq!(names.len(), catalogue().count());
        assert!(names.len() >= 75, "{}", names.len());
        assert!(catalogue().all(|mutation| !mutation.applies_to.is_empty()));
        assert_eq!(
            named("one unit in the last place").map(|mutation| mutation.name),
            Some("one unit in the last place")
        );
        assert!(named("no such change").is_none());
    }
}
