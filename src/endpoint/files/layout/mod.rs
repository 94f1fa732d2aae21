//! What `layout.toml` says.

mod ask;
mod catalog;
mod check;
#[cfg(test)]
pub mod examples;
mod find;
mod form;
mod model;
mod origin;
pub mod path;
mod read;
#[cfg(test)]
mod tests;

pub use catalog::{SCHEMA, catalog, data_type};
pub use find::Place;
pub use model::*;
pub use origin::MORE;
pub use read::{FILE_NAME, FORM, load, read};
