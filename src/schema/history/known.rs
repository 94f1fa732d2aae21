//! What a runner knows of the history, so that it notices who else writes it.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::Entry;
use crate::{Error, Result};

/// What a runner knows of the history: a hash of each row, by version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Known(BTreeMap<i64, u64>);

impl Known {
    /// What a history says.
    pub(crate) fn of(entries: &[Entry]) -> Known {
        Known(entries.iter().map(|entry| (entry.version, hash(entry))).collect())
    }

    /// Takes down what one row says now.
    pub(crate) fn know(&mut self, version: i64, entry: Option<&Entry>) {
        match entry {
            Some(entry) => self.0.insert(version, hash(entry)),
            None => self.0.remove(&version),
        };
    }

    /// What is known of one row, to be put back after a rollback.
    pub(crate) fn row(&self, version: i64) -> Option<u64> {
        self.0.get(&version).copied()
    }

    /// Forgets what was learned of one row since [`Known::row`].
    pub(crate) fn put_back(&mut self, version: i64, row: Option<u64>) {
        match row {
            Some(hash) => self.0.insert(version, hash),
            None => self.0.remove(&version),
        };
    }

    /// Whether the row of this version is the one that is known.
    pub(crate) fn has(&self, version: i64, entry: Option<&Entry>) -> bool {
        self.row(version) == entry.map(hash)
    }

    /// Fails where a history that was read after a run is not what the run has left.
    pub(crate) fn expect(&self, table: &str, found: &[Entry]) -> Result<()> {
        let found = Known::of(found);
        let mut versions = self.0.keys().chain(found.0.keys());
        match versions.find(|version| self.0.get(version) != found.0.get(version)) {
            None => Ok(()),
            Some(version) => {
                let cause = format!("the row of version {version} is not what this run has left there");
                Err(Error::differs("keep the history", table, cause).hint(
                    "something changed it as a transaction was committed, or another program did: see `schema status`",
                ))
            }
        }
    }
}

fn hash(entry: &Entry) -> u64 {
    let mut hasher = DefaultHasher::new();
    entry.hash(&mut hasher);
    hasher.finish()
}
