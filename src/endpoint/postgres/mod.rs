//! PostgreSQL 13 to 18: the connection, the catalog, and what errors of the server mean for people.
//!
//! Everything is read in one transaction that cannot write, under settings that do not depend on the server's or
//! the role's configuration.

mod connect;
mod copy;
mod failure;
mod introspect;
mod own_digest;
mod session;
mod source;

pub(crate) use connect::connect;
pub(crate) use failure::{explain, explain_connecting};
pub use introspect::introspect;
pub use session::Session;
pub use source::{PostgresSource, Reached};
