//! What is asked of a finished target, whatever it is and whenever it was made, so that verification can compare it.

use super::Source;
use super::findings::{CheckOutcome, Difference, ForeignKeys, Integrity};
use crate::cancel::Cancel;
use crate::error::Result;
use crate::event::Listener;
use crate::types::Codec;
use crate::value::{Cell, TableDigest, TextDigest, TextHasher};
use serde::{Deserialize, Serialize};

/// How much is checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Level {
    /// The number of rows of each table.
    Counts,
    /// Also every value, by digest.
    Digest,
    /// Also foreign keys, structural integrity, and the project's checks.
    #[default]
    Full,
    /// Also the source's own digest of each table, and its schema a second time: what neither the wire nor our own
    /// reading has touched.
    Paranoid,
}

/// How many findings of each kind are shown; the totals are always told.
pub const SHOWN_MAX: usize = 20;

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
    /// What was found besides.
    pub findings: Findings,
}

/// What was found in a finished target besides its rows.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Findings {
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
    /// The same of the source; `None` where the level leaves it out, or the source sees to it itself.
    pub source_integrity: Option<Integrity>,
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

/// What reading one table back gave.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadBack {
    /// The digest of its rows.
    pub digest: TableDigest,
    /// The digest of its values' texts, where it was asked for.
    pub texts: Option<TextDigest>,
    /// Entries of the ledger for it that said nothing about any value.
    pub ledger_surplus: u64,
}

/// Adds the texts of a row's cells, as the source would print them.
pub(crate) fn hash_texts<'c>(
    hasher: &mut TextHasher,
    cells: impl IntoIterator<Item = &'c Cell<'c>>,
    codecs: impl IntoIterator<Item = &'c Codec>,
) {
    for (cell, codec) in cells.into_iter().zip(codecs) {
        match cell {
            Cell::Bytes(bytes) => hasher.bytes(bytes),
            Cell::Large(bytes) => hasher.bytes(&bytes.in_memory()),
            // The blanks that pad a `char(n)` are counted in bytes where a database has no encoding.
            Cell::Text(text) => hasher.text(Some(text)),
            Cell::Foreign(_) => hasher.foreign(),
            _ => hasher.text(codec.text(cell).as_deref()),
        }
    }
}
