//! Checks: what can be solved becomes limits of a column's values, what can be decided here becomes a condition on a
//! finished row, and the rest is left to a judge.
//!
//! Invariant: every check ends in at least one of the three. A limit only ever narrows.

mod condition;
mod evaluate;
mod node;
mod partitions;
mod solve;
mod words;

pub(super) use condition::{Condition, Verdict};
pub(super) use evaluate::{Family, is_plain_moment};

pub(super) use solve::{columns_of, domain_limits, find, predicate, tighten};
pub(super) use words::{spelling, words_of};
