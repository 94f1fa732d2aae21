//! The projects that this repository carries, and the stores of their applications.

#[path = "../support/mod.rs"]
mod support;

mod pictures;
mod usage;
mod versions;
mod vibing2;
