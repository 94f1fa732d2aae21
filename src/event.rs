//! What engines tell while they work: plain facts, rendered by whoever listens.

use crate::catalog::QualifiedName;
use serde::Serialize;

/// One fact.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum Event {
    /// A part of the run begins.
    PhaseStarted {
        /// Which part.
        phase: Phase,
    },
    /// The plan is made and will run.
    PlanReady {
        /// How many tables it has.
        tables: u64,
        /// The source's own estimate of all their rows; tables without one count as empty.
        row_estimate: u64,
    },
    /// The rows of a table begin to be copied.
    TableStarted {
        /// The table in the source.
        table: QualifiedName,
        /// The source's own estimate of its rows; negative where it has none.
        row_estimate: i64,
    },
    /// So many rows of the table, and bytes of text and blobs, have been handed to the target since the last event.
    RowsCopied {
        /// Rows.
        rows: u64,
        /// Bytes.
        bytes: u64,
    },
    /// All rows of a table are in the target.
    TableFinished {
        /// The table in the source.
        table: QualifiedName,
        /// How many rows it has.
        rows: u64,
    },
    /// An index begins to be built.
    IndexStarted {
        /// Its name in the target.
        index: String,
    },
    /// So many rows of the target have been read back since the last event.
    RowsVerified {
        /// Rows.
        rows: u64,
    },
}

/// A part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The source's schema is read.
    Introspect,
    /// Rows are copied.
    Copy,
    /// Rows are made up and inserted.
    Generate,
    /// Indexes and views are built.
    Finish,
    /// The finished file is read back and compared.
    Verify,
    /// Differing rows are looked for.
    Compare,
    /// The file takes the target's place.
    Publish,
}

/// Whoever listens; called from the threads that work.
pub type Listener<'l> = dyn Fn(Event) + Sync + 'l;

/// A listener that hears nothing.
pub fn nobody(_: Event) {}
