//! What checks, domains and hints say about a column's values, solved as far as it can be told without a server.

use super::expression::Pattern;

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
