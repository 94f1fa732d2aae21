//! The rows of a finished file now, held against the digests that it has kept of them.

use super::sqlite_file::{File, read_tables};
use super::{Level, TableCheck};
use crate::cancel::Cancel;
use crate::catalog::QualifiedName;
use crate::endpoint::sqlite::read::told;
use crate::error::Result;
use crate::event::nobody;
use crate::metadata::TABLES_TABLE;
use crate::metadata::tables::{self as kept_tables, KeptTable};
use crate::plan::Plan;
use rusqlite::Connection;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::Path;

/// A table that was copied, then and now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableSince {
    /// The table in the source.
    pub source: QualifiedName,
    /// Its name in the target.
    pub target: String,
    /// Its rows when the file was finished.
    pub rows_then: u64,
    /// Its rows now; `None` where it cannot be read.
    pub rows_now: Option<u64>,
    /// Whether every value is what it was; `None` where it cannot be read.
    pub same_values: Option<bool>,
    /// Entries of the ledger for values that have been changed since.
    pub ledger_surplus: u64,
    /// Why it cannot be read.
    pub failure: Option<String>,
    /// Its definition has been changed since, as its users may do it, so that it need not be there as it was.
    pub migrated: bool,
}

impl TableSince {
    /// It cannot be read, and nothing explains that.
    pub fn is_damaged(&self) -> bool {
        self.failure.is_some() && !self.migrated
    }

    /// It has other rows or values, as its users may give it.
    pub fn is_changed(&self) -> bool {
        match &self.failure {
            Some(_) => self.migrated,
            None => self.same_values != Some(true) || self.ledger_surplus > 0,
        }
    }
}

/// Each table of the plan, then and now (`redefined`: those whose definition has been changed, by name), and what contradicts itself in what the file keeps of them.
///
/// # Errors
/// When the file cannot be read, or somebody asks to stop. A table that cannot be read is none.
pub fn tables(
    connection: &Connection,
    path: &Path,
    plan: &Plan,
    redefined: &BTreeSet<String>,
    cancel: &Cancel,
) -> Result<(Vec<TableSince>, Vec<String>)> {
    let mut kept = match kept_tables::read(connection).map_err(|error| told("read back", "the metadata", &error))? {
        Some(kept) => kept,
        // That it is missing is told among the objects.
        None => return Ok((Vec::new(), Vec::new())),
    };
    let (mut planned, mut digests, mut damage) = (Vec::new(), Vec::new(), Vec::new());
    for table in &plan.tables {
        let source = table.source.to_string();
        match kept.remove(&source) {
            None => damage.push(format!("`{TABLES_TABLE}` does not know table `{source}`, which was copied")),
            Some(KeptTable { target, .. }) if target != table.target => damage.push(format!(
                "`{TABLES_TABLE}` says that `{source}` became `{target}`, the manifest that it became `{}`",
                table.target
            )),
            Some(KeptTable { digest: None, .. }) => {
                damage.push(format!("`{TABLES_TABLE}` has no rows and digest of `{source}`"));
            }
            Some(KeptTable { digest: Some(digest), .. }) => {
                planned.push(table.clone());
                digests.push(digest);
            }
        }
    }
    damage.extend(kept.keys().map(|source| format!("`{TABLES_TABLE}` knows a table `{source}` that was not copied")));
    let file = File { connection, path };
    let (proofs, _) = read_tables(file, &planned, Level::Digest, None, cancel, &nobody)?;
    let checks = planned.iter().zip(&digests).zip(proofs);
    let checks = checks.map(|((table, digest), proof)| TableCheck::of(table, digest, proof));
    let tables = checks.map(|check| TableSince {
        migrated: redefined.contains(&check.target),
        source: check.source,
        target: check.target,
        rows_then: check.source_rows,
        rows_now: check.target_rows,
        same_values: check.same_values,
        ledger_surplus: check.ledger_surplus,
        failure: check.failure,
    });
    Ok((tables.collect(), damage))
}
