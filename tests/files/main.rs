//! Files as endpoints: SQLite files as sources, and trees of files.

mod applications;
mod sqlite_source;
#[path = "../support/mod.rs"]
mod support;
mod trees;
