//! What checks, domains and hints say about a column's values, solved as far as it can be told without a server.

use super::expression::translate;

/// What values have to satisfy besides their type. The default says nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Limits {
    /// The lowest value, in the type's own order.
    pub minimum: Option<Bound>,
    /// The highest value, in the type's own order.
    pub maximum: Option<Bound>,
    /// The only values there are, as the type's input text.
    pub allowed: Option<Vec<String>>,
    /// Values that are none, as the type's input text; compared under the type's equality.
    pub excluded: Vec<String>,
    /// The least length: characters of text, octets of `bytea`.
    pub length_min: Option<u32>,
    /// The greatest length: characters of text, octets of `bytea`.
    pub length_max: Option<u32>,
    /// Patterns that text matches, or does not, all of them.
    pub patterns: Vec<Pattern>,
    /// Whether the patterns see the blanks that fill a `char(n)`: they do unless it is cast to `text`.
    pub padded: bool,
    /// Only ordinary values; of text only short ones of a to z and 0 to 9.
    pub plain: bool,
    /// No value's text has more octets: an index entry of a B-tree, for example, holds at most 2704.
    pub octets_max: Option<u32>,
}

impl Limits {
    /// Whether anything but a list is said.
    pub(super) fn restricts(&self) -> bool {
        self.minimum.is_some()
            || self.maximum.is_some()
            || self.length_min.is_some()
            || self.length_max.is_some()
            || !self.patterns.is_empty()
    }
}

/// One end of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The value as the type's input text.
    pub value: String,
    /// Whether it belongs to the range itself.
    pub inclusive: bool,
}

impl Bound {
    /// An end that belongs to its range.
    pub fn inclusive(value: impl Into<String>) -> Self {
        Bound { value: value.into(), inclusive: true }
    }

    /// An end that does not belong to its range.
    pub fn exclusive(value: impl Into<String>) -> Self {
        Bound { value: value.into(), inclusive: false }
    }
}

/// A pattern of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// PostgreSQL's `~`, `~*`, `!~`, `!~*`. SIMILAR TO arrives in this form, too, once it is rewritten.
    Regex {
        /// The expression.
        text: String,
        /// `~*`
        ignore_case: bool,
        /// `!~`
        negated: bool,
    },
    /// LIKE and ILIKE.
    Like {
        /// The pattern.
        text: String,
        /// The escape character; `None` for no escape at all (SQLite's default; PostgreSQL's is a backslash).
        escape: Option<char>,
        /// ILIKE, or SQLite's LIKE.
        ignore_case: bool,
        /// NOT LIKE
        negated: bool,
    },
    /// SQLite's GLOB.
    Glob {
        /// The pattern.
        text: String,
        /// NOT GLOB
        negated: bool,
    },
}

impl Pattern {
    /// The pattern as it was written, and whether it is not to match.
    pub(in crate::harness::generate) fn text(&self) -> (&str, bool) {
        match self {
            Pattern::Regex { text, negated, .. }
            | Pattern::Like { text, negated, .. }
            | Pattern::Glob { text, negated } => (text, *negated),
        }
    }

    /// Whether letters of either case are the same to it.
    pub(super) fn ignores_case(&self) -> bool {
        match self {
            Pattern::Regex { ignore_case, .. } | Pattern::Like { ignore_case, .. } => *ignore_case,
            Pattern::Glob { .. } => false,
        }
    }

    /// The same, whatever the case of letters.
    pub(in crate::harness::generate) fn ignoring_case(mut self) -> Pattern {
        match &mut self {
            Pattern::Regex { ignore_case, .. } | Pattern::Like { ignore_case, .. } => *ignore_case = true,
            Pattern::Glob { .. } => {}
        }
        self
    }

    /// Whether texts can be drawn of which some match it.
    pub(in crate::harness::generate) fn is_translated(&self) -> bool {
        translate(self).is_ok()
    }

    /// Whether texts can be drawn that match it and nothing else has to be asked.
    pub(in crate::harness::generate) fn is_solved(&self) -> bool {
        translate(self).is_ok_and(|expression| expression.exact)
    }
}
