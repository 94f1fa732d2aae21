//! Proving that a target holds what its source holds: before it is published ([`compare()`]), at any time later against its
//! source ([`verify_file`]), and later on its own ([`file::check`]).
//!
//! The order is counts, digests, foreign keys, structural integrity, the user's checks, the source's own digests, differing
//! rows. Every figure is read back from the closed and reopened target. What a level leaves out, the report says.
//!
//! Two sources are compared here, and a source with a finished target ([`Finished`]); what a target shows of itself, its
//! structure and its own record, is its engine's (`endpoint::sqlite::finished`).

mod compare;
pub mod diff;
pub mod file;
mod finished;
pub(crate) mod orphans;
mod own_digest;
mod since;
mod sources;
mod verification;

pub use crate::endpoint::sqlite::json::JsonColumn;
pub use crate::endpoint::{Findings, Finished, Level, Proof, SHOWN_MAX, TableProof};
pub use compare::{Question, compare};
pub use finished::{
    FileOptions, Request, VerifiedFile, remembers_choices, remembers_tree, require_database, verify, verify_file,
};
pub use own_digest::schema_read_twice;
pub use since::TableSince;
pub use sources::{ComparedSources, compare_sources};
pub use verification::{TableCheck, Verification};
