//! Why an expression is not carried.

use std::fmt;

/// Why an expression is not carried, for people: a clause such as "it uses `~` (regular expression), which SQLite
/// does not have".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The reason.
    pub reason: String,
}

impl Refusal {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Refusal { reason: reason.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Refusal {}

/// The refusal of what the parser does not read.
pub(super) fn unreadable(error: sqlparser::parser::ParserError) -> Refusal {
    let text = error.to_string();
    let text = text.trim_start_matches("sql parser error: ");
    Refusal::new(format!("its SQL is not understood: {text}"))
}
