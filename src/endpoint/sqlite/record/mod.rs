//! A finished file held against what it records of itself ([`crate::metadata::Record`]), without its source.

mod added_columns;
mod compare;

pub use compare::{Comparison, Definitions, Scope, compare, compare_state};

use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

fn parsed<T: DeserializeOwned>(values: &BTreeMap<String, String>, name: &str) -> Option<T> {
    serde_json::from_str(values.get(name)?).ok()
}
