//! What verification asks of a finished target, whatever it is and whenever it was made.

use super::checks::CheckOutcome;
use super::digest::ReadBack;
use super::record::Difference;
use super::structure::{ForeignKeys, Integrity};
use super::{Level, TableCheck};
use crate::cancel::Cancel;
use crate::endpoint::Source;
use crate::error::Result;
use crate::event::Listener;
use crate::plan::TablePlan;
use crate::value::TableDigest;

/// A target that is complete: a draft before it is published, or what was published long ago. It was made by a plan.
pub trait Finished {
    /// Reads everything back, in one pass where that is possible, and says what is there.
    ///
    /// # Errors
    /// When it cannot be read for another reason than damage, or somebody asks to stop. What is found is not an error.
    fn prove(&mut self, level: Level, cancel: &Cancel, listener: &Listener<'_>) -> Result<Proof>;

    /// Its rows as a source again: under the names that the plan's source has for them, each cell what the target's
    /// representation stands for.
    ///
    /// # Errors
    /// When it cannot be read.
    fn reread(&mut self, cancel: &Cancel) -> Result<Box<dyn Source + '_>>;
}

/// What a finished target shows of itself.
#[derive(Debug, Clone, Default)]
pub struct Proof {
    /// What each of the plan's tables holds, in their order.
    pub tables: Vec<TableProof>,
    /// Objects of the plan that the target lacks, has otherwise, or has besides.
    pub objects: Vec<String>,
    /// How it differs from what it records of itself.
    pub record: Vec<Difference>,
    /// The digest of everything that it remembers; `None` where it has none.
    pub manifest_digest: Option<String>,
    /// Foreign keys; `None` where the level leaves them out, or the target has none of its own.
    pub foreign_keys: Option<ForeignKeys>,
    /// Structural integrity; `None` where the level leaves it out, or the target has no structure of its own.
    pub integrity: Option<Integrity>,
    /// The user's checks.
    pub checks: Vec<CheckOutcome>,
    /// What could not be looked at, and why.
    pub not_checked: Vec<String>,
}

/// What a table of a finished target holds.
#[derive(Debug, Clone, Default)]
pub struct TableProof {
    /// Its rows, as the engine itself counts them; `None` where it cannot be read.
    pub rows: Option<u64>,
    /// What reading it back gave; `None` where the level leaves values out.
    pub read: Option<ReadBack>,
    /// Why it could not be read.
    pub failure: Option<String>,
}

impl TableProof {
    /// Of a table that could not be read.
    pub fn failed(cause: String) -> Self {
        TableProof { failure: Some(cause), ..TableProof::default() }
    }
}

impl TableCheck {
    /// A table's rows in the source, and what the target shows of them.
    pub(super) fn of(table: &TablePlan, source: &TableDigest, proof: TableProof) -> Self {
        let digest = proof.read.map(|read| read.digest);
        TableCheck {
            source: table.source.clone(),
            target: table.target.clone(),
            source_rows: source.rows,
            target_rows: proof.rows,
            same_values: digest.map(|target| target == *source),
            digests: digest.map(|target| (*source, target)),
            own_digests: None,
            ledger_surplus: proof.read.map_or(0, |read| read.ledger_surplus),
            differences: None,
            failure: proof.failure,
        }
    }
}
