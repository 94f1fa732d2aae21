//! What is known of a file and of the rows that do not go into one.

use super::super::document::Flaw;
use crate::value::Large;
use std::fmt;

/// What is known of a file besides its bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileFacts<'f> {
    /// Its path from the root of the tree.
    pub path: &'f str,
    /// What the captures of its kind's path are.
    pub captures: &'f [(&'f str, &'f str)],
    /// When it was changed last: microseconds since 2000-01-01 00:00:00 UTC, as a cell has it.
    pub modified: Option<i64>,
    /// The SHA-256 of one whose bytes are not at hand.
    pub sha256: Option<&'f str>,
}

/// Which part of a file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Whether the file begins with it.
    pub first: bool,
    /// Whether the file ends with it.
    pub last: bool,
    /// How many records stand before it; where rows are written, how many were written before.
    pub position: u64,
}

impl Part {
    /// All of it.
    pub const WHOLE: Part = Part { first: true, last: true, position: 0 };
}

/// A part of a file that holds whole records.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Piece<'t> {
    /// Its bytes.
    pub text: &'t [u8],
    /// Those of a file that is one value, where they are too many for `text`, which is empty then.
    pub large: Option<Large<'t>>,
    /// Which part it is.
    pub part: Part,
    /// The number of its first line in the file, from 1.
    pub line: u64,
}

impl<'t> Piece<'t> {
    /// A file in one piece.
    pub fn whole(text: &'t [u8]) -> Self {
        Piece { text, large: None, part: Part::WHOLE, line: 1 }
    }
}

/// What of a row a file cannot hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// The place of the row among those that were given.
    pub row: usize,
    /// The place of the column in its table; none where it is the row as such.
    pub column: Option<usize>,
    /// Why, a sentence in lower case without a full stop.
    pub reason: String,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// Why rows do not go into a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unwoven {
    /// The text is not what its layout says.
    Flaw(Flaw),
    /// A row is none of this file.
    Misfit(Misfit),
}

impl From<Flaw> for Unwoven {
    fn from(flaw: Flaw) -> Self {
        Unwoven::Flaw(flaw)
    }
}

impl From<Misfit> for Unwoven {
    fn from(misfit: Misfit) -> Self {
        Unwoven::Misfit(misfit)
    }
}
