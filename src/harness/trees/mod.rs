//! Random trees of files for any layout, as people and programs leave them.
//!
//! ```text
//! layout + choices ─► records, with values of every form ─► documents ─► bytes in one of their spellings ─► a tree with all
//!        rows of a database (valid ones) ─┘                                                    that a tree can have besides
//! ```
//!
//! None of it takes part in reading or writing a tree: values, documents and spellings are made here, by the words of the layout alone,
//! so that a tree says something about the code that reads it.
//!
//! Invariant: the same choices give the same tree. Each file has choices of its own, so that what shrinks can leave one out.

mod choices;
mod document;
mod given;
mod layouts;
mod node;
mod records;
mod spell;
mod strategy;
mod tree;
mod values;

pub use choices::Choices;
pub use given::{fitting, tree_of_rows};
pub use layouts::random_layout;
pub use strategy::{TreeChoices, tree_choices};
pub use tree::{Entry, Made, RandomTree, random_tree};
