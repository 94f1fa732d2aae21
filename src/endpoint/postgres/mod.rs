//! PostgreSQL 13 to 18: the connection, the catalog, and what errors of the server mean for people.
//!
//! Everything is read in one transaction that cannot write, under settings that do not depend on the server's or
//! the role's configuration.

mod address;
mod client;
mod connect;
mod copy;
mod failure;
mod fence;
mod field;
mod introspect;
mod lookout;
mod not_text;
mod own_digest;
mod password_file;
mod session;
mod snapshot;
mod source;
mod target;
mod wait;
mod wire;
mod writer;

pub(crate) use client::{Blocking, Client, Connector, TextRows};
pub(crate) use connect::{Access, ChosenPath, PIN};
#[doc(hidden)] // for tests/fuzz
pub use copy::Frames;
pub(crate) use failure::{Explained, explain_statement, line_of_mistake, server_message};
pub(crate) use fence::fenced;
#[cfg(feature = "scenarios")]
pub(crate) use fence::fenced_wait;
pub use fence::silence_caught_panics;
#[doc(hidden)] // for tests/fuzz
pub use field::FieldDecoder;
pub use introspect::introspect;
pub(in crate::endpoint) use introspect::{assemble, rows};
pub(crate) use lookout::Lookout;
pub use lookout::{Patience, STALL_TIMEOUT_DEFAULT, WaitListener};
pub use session::Session;
pub use source::{PostgresSource, Reached};
pub use target::{Kept, PostgresDraft, PostgresTarget, Published, Rows, UndoOptions, Undone, undo};
pub(crate) use wait::{Ended, Silence, Watch};
pub(crate) use writer::{Connection, Purpose, copy_text};
