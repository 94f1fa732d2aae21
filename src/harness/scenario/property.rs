//! A property: something that has to hold for a case, and what a case answers.

use super::case::Case;
use crate::error::Result;
use crate::printable::one_line;
use std::fmt;

/// Something that has to hold.
pub struct Property {
    /// Its name, as a failure tells it.
    pub name: &'static str,
    /// What it says, in half a sentence.
    pub says: &'static str,
    pub(super) ask: fn(&mut Case<'_>) -> Result<Verdict>,
}

impl fmt::Debug for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Property({})", self.name)
    }
}

/// What a case answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It holds.
    Holds,
    /// It does not, and this was found.
    Violated(String),
    /// It says nothing about this case, for this reason.
    NotAsked(&'static str),
}

impl Verdict {
    /// Holds where nothing was found; else tells the first few findings.
    pub(super) fn of(findings: Vec<String>) -> Verdict {
        const TOLD_MAX: usize = 10;
        if findings.is_empty() {
            return Verdict::Holds;
        }
        let more = findings.len().saturating_sub(TOLD_MAX);
        let mut text = findings.iter().take(TOLD_MAX).map(|found| one_line(found)).collect::<Vec<_>>().join("\n");
        if more > 0 {
            text.push_str(&format!("\nand {more} more"));
        }
        Verdict::Violated(text)
    }
}
