//! The concrete syntax of files: where in its text each value stands.
//!
//! A [`Document`] is a flat list of nodes in the order of the text, each with the bytes that it takes up. Reading makes no
//! values: numbers keep their spelling, texts their escapes, and what lies between nodes (blanks, commas, comments) is told by
//! their spans. So an edit is a splice of the text, and everything else stays as it is.

pub mod escape;
mod flaw;
pub mod json;
pub mod lines;
mod node;
pub mod yaml;

pub use flaw::{Flaw, line_and_column, text_of};
pub use node::{DEPTH_MAX, Document, Elements, Entries, Mark, Node, NodeId, NodeKind, Syntax};
