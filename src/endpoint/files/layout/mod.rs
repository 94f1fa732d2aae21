//! What `layout.toml` says.

mod model;
pub mod path;

pub use model::*;
