//! Checks: what can be solved (ranges, lists, lengths, patterns) becomes limits of a column's values, and the rest is
//! left to a judge, which is the engine itself.
//!
//! Invariant: every check ends in at least one of the two. A limit only ever narrows.

mod family;
mod partitions;
mod read;
mod solve;
mod words;

pub(super) use family::{Family, is_plain_moment, tighten};
pub(super) use solve::{Findings, columns_of, domain_limits, find};
pub(super) use words::{spelling, words_of};
