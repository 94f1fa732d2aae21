//! The test harness: a PostgreSQL server, random valid rows, a migration there and back, and everything that has to
//! hold afterwards. It is the cargo feature `scenarios`, and with snapshots and testcontainers the feature `harness`.
//!
//! ```text
//! provision ─► source schema ─► generate ─► migrate ─► verify ─► properties ─► latencies ─► back ─► rollback ─► compare
//!                                  │                                │
//!                                  └──────── shrunk by proptest ◄───┘ a failure: seed, rows as SQL, the command again
//! ```
//!
//! Invariant: everything that is random comes from one [`Seed`], so the same seed gives the same rows on every machine.

pub mod dump;
pub mod generate;
pub mod inventory;
pub mod latency;
pub mod mutation;
pub mod random_schema;
mod reduce;
pub mod scenario;
mod scratch;
pub mod second_opinion;
mod seed;
pub mod shrink;
#[cfg(feature = "harness")]
pub mod snapshot;
pub mod trees;

pub use random_schema::{RandomSchema, SchemaSize, random_schemas};
pub use scenario::Scenario;
pub use seed::{Random, Seed};

#[cfg(feature = "harness")]
#[doc(hidden)]
pub use insta; // the macro `assert_pictures` names it
