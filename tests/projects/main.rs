//! The projects that this repository carries, and the stores of their applications.

#[path = "../support/mod.rs"]
mod support;

mod older_sqlite;
mod pictures;
mod usage;
mod versions;
mod vibing2;
