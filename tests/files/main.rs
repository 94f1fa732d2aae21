//! Files as endpoints: SQLite files as sources, and trees of files.

mod applications;
mod attachments;
mod bad_input;
mod database;
mod guide;
mod killed;
mod large;
mod laws;
mod merging;
mod page;
mod placing;
mod reports;
mod scenarios;
mod sqlite_source;
mod sqlite_values;
#[path = "../support/mod.rs"]
mod support;
mod sync;
mod targets;
mod trees;
mod unattended;
mod workspaces;
mod woven;
