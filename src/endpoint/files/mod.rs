//! Trees of files that are rows, and rows that are the same trees.
//!
//! A [`layout`] says which files a tree has and which rows they hold. The bytes of one file become rows, and rows the bytes
//! of one file, without any input or output of their own.

pub mod layout;
