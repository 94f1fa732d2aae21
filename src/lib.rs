pub mod error;
pub mod schema;
pub use error::{Error, Result};
