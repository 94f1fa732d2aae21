//! Documents as people and programs write them: every spelling that means the same.

mod json;
mod yaml;

pub use json::json;
pub use yaml::yaml;
