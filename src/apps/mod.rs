//! Typed stores of the applications whose migrations this repository carries.
//!
//! A store embeds its project's migrations and brings its file to the newest version when it is opened. Invariant: a
//! store never writes what the schema's constraints would refuse without saying which field is wrong.

pub mod agents;
mod columns;
pub mod deespec;
pub(crate) mod field;
pub mod sessions;
pub mod usage;
