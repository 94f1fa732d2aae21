//! The projects that this repository carries, and the stores of their applications.

#[path = "../support/mod.rs"]
mod support;

mod agents;
mod crowd;
mod deespec;
mod moved;
mod older_sqlite;
mod phases;
mod pictures;
mod sessions;
mod usage;
mod versions;
mod vibing2;
