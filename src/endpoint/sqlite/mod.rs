//! SQLite files: what is at a path, who holds it, how it is held alone, the temporary file beside it, its schema and its rows.

pub mod access;
mod batch;
pub mod catalog;
pub mod checks;
pub mod digest;
pub mod facts;
pub mod file;
pub(crate) mod finished;
pub mod header;
pub mod holders;
pub mod json;
pub mod loader;
pub mod lock_file;
pub mod object_list;
pub mod objects;
pub mod optimize;
pub mod parallel;
mod path;
pub mod pragma;
pub mod proof;
pub mod read;
pub mod record;
pub mod remembered;
pub mod scan;
pub mod schema;
pub mod settle;
pub mod snapshot;
pub mod source;
pub mod staging;
mod statement;
pub mod structure;
pub mod target;
pub mod target_lock;

pub use batch::{Batch, LedgerEntry};
pub use source::SqliteSource;
