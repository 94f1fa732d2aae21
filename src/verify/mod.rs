//! Checks of a finished SQLite file.

pub mod checks;
pub mod structure;
