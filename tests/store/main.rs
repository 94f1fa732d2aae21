//! Stores of records in files, in SQLite and in both: against a model, with kills, by several processes, and by the program.

mod crowd;
mod faults;
mod made;
mod model;
mod recovery;
mod scenario;
#[path = "../support/mod.rs"]
mod support;
mod verbs;
