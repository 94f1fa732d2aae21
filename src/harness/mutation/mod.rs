//! The checker is itself tested: a fixed catalogue of changes to a finished file, each of which verification has to
//! notice, and the share that it does.
//!
//! A change is made at a random place of a copy, with every constraint out of the way: bits do not ask either. It is
//! counted only where it changed what the file says; a change to bytes that nothing reads is none.
//!
//! Invariant: the file that was finished is only read.

mod bench;
mod change;
mod definitions;
mod kill;
mod ledger;
mod pages;
mod record;
mod rows;
mod text;
mod values;

pub use bench::Applied;
pub use change::Mutation;
pub use kill::{Kill, KillRate, Subject, Tally, kill};

use change::{Change, Rewrite};

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

#[cfg(test)]
mod tests {
    use super::bench::Bench;
    use super::*;
    use crate::plan::Plan;
    use std::collections::BTreeSet;

    /// Else every change would be noticed, whatever it is.
    #[test]
    fn a_file_that_was_only_opened_is_what_it_was() {
        let plan = Plan {
            tables: Vec::new(),
            views: Vec::new(),
            given_schema: false,
            given_needs: Default::default(),
            as_it_stands: false,
            home: None,
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
