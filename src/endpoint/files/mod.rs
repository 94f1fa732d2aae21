//! Trees of files that are rows, and rows that are the same trees.
//!
//! A [`layout`] says which files a tree has and which rows they hold. A [`document`] is the concrete syntax of a file, and
//! [`weave`] takes rows out of it and puts rows into it, without any input or output of its own. A [`tree`] is read safely, made in
//! secret and put in place in one step.

pub mod document;
pub mod layout;
pub mod tree;
pub mod weave;
