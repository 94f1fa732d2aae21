pub mod error;
pub mod provision;
pub use error::{Error, Result};
