pub mod catalog;
pub mod error;
pub mod plan;
pub use error::{Error, Result};
