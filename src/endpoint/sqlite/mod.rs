//! SQLite files: what is at a path, who holds it, how it is held alone, and the temporary file beside it.

pub mod access;
pub mod file;
pub mod header;
pub mod holders;
pub mod read;
pub mod staging;
