//! Trees of files that are rows, and rows that are the same trees.
//!
//! A [`layout`] says which files a tree has and which rows they hold. The bytes of one file become rows, and rows the bytes
//! of one file ([`weave`], by the concrete syntax of [`document`]), without any input or output of their own. A [`tree`] is read
//! safely, made in secret and put in place in one step.
//!
//! On these stand both ends of a migration. A tree is a [`source`] of the rows in its files and, beside them, of what they do not
//! tell: its entries, and per file which records it held and its *residue* ([`crate::metadata::tree`]). A [`target`] makes of rows
//! and of what is remembered the same tree again; what nobody remembers is written as the application writes it.

pub mod asked;
mod base;
pub mod database;
pub mod document;
pub mod editing;
pub mod filling;
mod finished;
mod gathering;
pub mod layout;
mod making;
pub mod marks;
pub mod pack;
mod parts;
mod pieces;
mod reading;
mod ready;
pub mod remembered;
pub mod rows;
pub mod source;
pub mod target;
pub mod tree;
pub mod twice;
pub mod weave;
mod window;
