pub mod catalog;
pub mod error;
pub mod types;
pub mod value;
pub use error::{Error, Result};
