//! The server, asked to compare the values that SQLite holds with its own, agrees.
//!
//! Steps: hand every stored value to the server, which reads it by its own input functions and compares it with the
//! source's column; see `harness::second_opinion`, which shares no code with the decoders that it judges. This is also
//! the case's way back: every value goes home, though not into a table.
//! Constraints: a table with more columns than the server takes in one question is not asked about; where there is one,
//! the property counts as not asked, if the server agrees with all the others.

use super::super::case::Case;
use super::{Property, Verdict};
use crate::error::Result;

pub(super) const PROPERTY: Property =
    Property { name: "second opinion", says: "the server finds its own values in the file", ask };

fn ask(case: &mut Case<'_>) -> Result<Verdict> {
    let opinion = case.second_opinion()?;
    Ok(match opinion.ensure_agreement() {
        Ok(()) => Verdict::Holds,
        Err(_) if opinion.agrees() => Verdict::NotAsked("a table has more columns than the server can be asked about"),
        Err(error) => Verdict::Violated(error.to_string()),
    })
}
