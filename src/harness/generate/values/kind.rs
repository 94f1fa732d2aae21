//! What a family of types has to tell.
//!
//! Invariant: whatever a family appends has passed its own [`Values::accepts`], which holds all limits that the
//! family took when it was built. A family that cannot solve a limit refuses it when it is built.

use super::Limits;
use crate::catalog::DataType;
use crate::error::{Error, Result};
use crate::harness::Random;
use std::borrow::Cow;
use std::fmt;

/// One column's values within its limits.
pub(super) trait Values: fmt::Debug + Send + Sync {
    /// Appends a value as real data has it.
    fn ordinary(&self, random: &mut Random, text: &mut String);

    /// Appends a value that programs trip over.
    fn awkward(&self, random: &mut Random, text: &mut String) {
        self.ordinary(random, text);
    }

    /// Appends a value made of the texts and numbers that a condition names, some of which may satisfy it. It need not
    /// pass [`Values::accepts`].
    fn near(&self, words: &[&str], random: &mut Random, text: &mut String) {
        let _ = words;
        self.ordinary(random, text);
    }

    /// How many distinct values [`Values::nth`] has; 0 for a type that cannot be in a unique key.
    fn capacity(&self) -> u64;

    /// Appends the index-th of the distinct values; only called below the capacity.
    fn nth(&self, index: u64, text: &mut String);

    /// Whether the limits hold for a value of this type.
    fn accepts(&self, value: &str) -> bool;

    /// The same text for values that are equal to the server.
    fn key<'v>(&self, value: &'v str) -> Cow<'v, str> {
        Cow::Borrowed(value)
    }

    /// The values that a shrunk case should end with, the best first.
    fn simplest(&self) -> Vec<String>;

    /// Values made out of this one by leaving something out.
    fn reductions(&self, value: &str) -> Vec<String>;
}

/// A limit that not every type can be held to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    Range,
    Length,
    Pattern,
}

/// Refuses limits that the type's family does not solve.
pub(super) fn only(data_type: &DataType, limits: &Limits, solved: &[Limit]) -> Result<()> {
    let given = [
        (Limit::Range, limits.minimum.is_some() || limits.maximum.is_some(), "a minimum or maximum"),
        (Limit::Length, limits.length_min.is_some() || limits.length_max.is_some(), "a length"),
        (Limit::Pattern, !limits.patterns.is_empty(), "a pattern"),
    ];
    match given.iter().find(|(limit, given, _)| *given && !solved.contains(limit)) {
        None => Ok(()),
        Some((_, _, limit)) => Err(Error::could_not(
            "generate values of",
            format!("`{data_type}`"),
            format!("{limit} cannot be solved for this type"),
        )
        .hint("give the column's values by hints: `values = [\"…\"]`")),
    }
}

/// The error of limits that leave no value.
pub(super) fn nothing_left(data_type: &DataType, cause: impl fmt::Display) -> Error {
    Error::could_not("generate values of", format!("`{data_type}`"), cause)
        .hint("correct the column's checks or hints, or give its values by hints: `values = [\"…\"]`")
}
