//! Trees for proptest: choices, of which it takes some away and makes the others smaller.

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::strategy::Strategy;

/// The choices of a tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TreeChoices {
    /// For what a tree has besides files with records.
    pub besides: Vec<u32>,
    /// For each file.
    pub files: Vec<Vec<u32>>,
}

/// Choices of trees with at most so many files.
pub fn tree_choices(files_max: usize) -> impl Strategy<Value = TreeChoices> {
    let file = vec(any::<u32>(), 0..160);
    (vec(any::<u32>(), 0..40), vec(file, 0..=files_max)).prop_map(|(besides, files)| TreeChoices { besides, files })
}
