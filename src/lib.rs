pub mod error;
pub mod report;
pub mod schema;
pub use error::{Error, Result};
