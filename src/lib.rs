pub mod apps;
pub mod backup;
pub mod cancel;
pub mod catalog;
pub mod endpoint;
pub mod error;
pub mod event;
pub mod plan;
pub mod provision;
pub mod quote;
pub mod report;
pub mod schema;
pub mod transfer;
pub mod types;
pub mod value;
pub mod verify;

pub use error::{Error, Result};
