//! The rows of a finished file now, held against the digests that it has kept of them.

use super::verification::TableCheck;
use crate::cancel::Cancel;
use crate::catalog::QualifiedName;
use crate::endpoint::Level;
use crate::endpoint::sqlite::finished::{File, read_tables};
use crate::endpoint::sqlite::proof::Proof;
use crate::endpoint::sqlite::read::describe;
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

/// What there is to say of the tables that were copied.
pub(super) struct Since {
    /// Each table of the plan, then and now.
    pub(super) tables: Vec<TableSince>,
    /// What contradicts itself in what the file keeps of them.
    pub(super) damage: Vec<String>,
    /// Every row was handed over to the proof of the file's structure, whose work is done.
    pub(super) handed_over: bool,
}

/// Reads each table of the plan (`redefined`: those whose definition has been changed, by name); the rows go to the `proof`
/// of the file's structure as well.
///
/// # Errors
/// When the file cannot be read, or somebody asks to stop. A table that cannot be read is none.
pub fn tables(
    connection: &Connection,
    path: &Path,
    plan: &Plan,
    redefined: &BTreeSet<String>,
    proof: Option<&Proof>,
    cancel: &Cancel,
) -> Result<Since> {
    let mut kept = match kept_tables::read(connection).map_err(|error| describe("read back", "the metadata", error))? {
        Some(kept) => kept,
        // That it is missing is told among the objects.
        None => return Ok(Since { tables: Vec::new(), damage: Vec::new(), handed_over: false }),
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
    let (proofs, handed_over) = read_tables(file, &planned, Level::Digest, proof, cancel, &nobody)?;
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
    Ok(Since { tables: tables.collect(), damage, handed_over })
}
