//! Documents as people and programs write them: every spelling that means the same.

mod database;
mod json;
mod yaml;

pub use database::{Column, Table, database};
pub use json::json;
pub use yaml::yaml;
