pub mod cancel;
pub mod catalog;
pub mod endpoint;
pub mod error;
pub mod types;
pub mod value;
pub use error::{Error, Result};
