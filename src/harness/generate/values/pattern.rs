//! The texts that a pattern matches.

use super::Pattern;
use super::kind::nothing_left;
use crate::catalog::DataType;
use crate::error::Result;
use crate::harness::Random;

#[derive(Debug)]
pub(super) struct Language;

impl Language {
    pub(super) fn new(data_type: &DataType, _pattern: &Pattern, _least: u32, _most: u32) -> Result<Self> {
        Err(nothing_left(data_type, "patterns cannot be solved yet"))
    }
    pub(super) fn draw(&self, _random: &mut Random, _awkward: bool, _text: &mut String) {}
    pub(super) fn capacity(&self) -> u64 {
        0
    }
    pub(super) fn nth(&self, _index: u64, _text: &mut String) {}
    pub(super) fn contains(&self, _text: &str) -> bool {
        false
    }
    pub(super) fn shortest(&self) -> Option<String> {
        None
    }
}
