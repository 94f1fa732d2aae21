//! The second opinion: the server itself, asked to compare the values that SQLite holds with its own, agrees.
//!
//! What stands in the file goes to the server as it stands there (numbers as digits, bytes as hexadecimal), is turned
//! back into its type by an SQL expression there, and is compared there with the source's column, by the exact text
//! that the type's output function gives. Rows are matched by their key; a table without one is compared as a
//! multiset of whole rows. Where the ledger has a value's exact text, that text is what counts.
//!
//! Invariant: nothing here uses the program's own codecs, cells or digests. What they read wrongly on both sides alike
//! is seen here.

mod connection;
mod opinion;
mod statement;
mod stored;

pub use connection::Asker;
pub use opinion::{Disagreement, DisagreementKind, Opinion, SHOWN_MAX};

use crate::endpoint::PostgresUrl;
use crate::error::Result;
use crate::plan::Plan;
use std::path::Path;

/// Asks the server at `url` whether the values in `target` are its own; shares no code with `types::codec`.
///
/// # Errors
/// When the server or the file cannot be read. What differs is not an error.
pub fn second_opinion(url: &PostgresUrl, target: &Path, plan: &Plan) -> Result<Opinion> {
    Asker::connect(url)?.ask(target, plan)
}
