pub mod cancel;
pub mod catalog;
pub mod endpoint;
pub mod error;
pub use error::{Error, Result};
