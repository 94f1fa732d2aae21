pub mod backup;
pub mod catalog;
pub mod endpoint;
pub mod error;
pub mod transfer;
pub mod verify;
pub use error::{Error, Result};
