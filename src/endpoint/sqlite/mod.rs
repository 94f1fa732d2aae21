//! SQLite files: what is at a path, who holds it, how it is held alone, the temporary file beside it, its schema and its rows.

pub mod access;
mod batch;
pub mod catalog;
pub mod facts;
pub mod file;
pub mod header;
pub mod holders;
pub mod loader;
pub mod lock_file;
pub mod object_list;
pub mod optimize;
pub mod parallel;
mod path;
pub mod pragma;
pub mod proof;
pub mod read;
pub mod remembered;
pub mod scan;
pub mod schema;
pub mod settle;
pub mod snapshot;
pub mod source;
pub mod staging;
mod statement;
pub mod target;
pub mod target_lock;

pub use batch::{Batch, LedgerEntry};
pub use source::{SqliteSource, TypesFrom};
