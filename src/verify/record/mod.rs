//! A finished file held against what it records of itself ([`crate::metadata::Record`]), without its source.

mod added_columns;
mod compare;

pub use compare::{Comparison, Definitions, Scope, compare, compare_state};

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// What kind of thing is not what it was when the file was finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DifferenceKind {
    /// The metadata tables disagree with the manifest's digest, or are not complete.
    Metadata,
    /// A setting in the header, or bytes around SQLite's pages.
    Header,
    /// An object is gone or defined otherwise.
    Definition,
    /// An object has been added.
    Addition,
    /// A number that a key counts on from (`sqlite_sequence`).
    Number,
    /// Rows of a table that was not copied.
    Rows,
}

/// One thing that is not what it was when the file was finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its kind.
    pub kind: DifferenceKind,
    /// What differs, a sentence that names it.
    pub text: String,
    /// No use of the file explains it; else a program that uses the file may have done it.
    pub damage: bool,
}

fn parsed<T: DeserializeOwned>(values: &BTreeMap<String, String>, name: &str) -> Option<T> {
    serde_json::from_str(values.get(name)?).ok()
}
