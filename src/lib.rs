//! Moves a PostgreSQL database into a SQLite file, whole, exact and proven.
//!
//! A run ends with the target complete and verified, or exactly as it was before. Nothing disappears silently: every
//! object of the source is carried, or listed as not carried, with the reason. Every value is stored exactly, or the
//! plan says before the first row how it is represented, and a ledger in the target keeps the rest. Every figure in a
//! report was read back from the finished file. The source is only read, in one consistent snapshot. Memory does not
//! grow with the number of rows.
//!
//! ```no_run
//! use whimbrel::{Migration, Verify};
//!
//! # async fn example() -> whimbrel::Result<()> {
//! let outcome = Migration::from("postgres://localhost/app").to("app.db").verify(Verify::Full).run().await?;
//! println!("{}", outcome.report()); // what was carried, how it was checked, what was not
//! outcome.rollback().await?; // the file is what it was
//! # Ok(())
//! # }
//! ```
//!
//! What it does not do: it does not keep two databases in step, it does not carry triggers and functions, and it does
//! not write to PostgreSQL.
//!
//! # Modules
//!
//! Data flows downwards; a module imports only from those below it.
//!
//! | module | what it does |
//! |---|---|
//! | [`cli`] | the command line: one file per verb, the only code that prints |
//! | [`pictures`] | what a migration shows, as texts for snapshots |
//! | [`migration`] | the library's face: one migration, told in one sentence and run |
//! | [`report`] | renders plans, outcomes and findings as text and as JSON |
//! | [`harness`] | feature `harness`: provision, generate, scenario, properties, latency, snapshots |
//! | [`project`] | a folder that describes one migration |
//! | [`apps`] | typed stores of the applications whose migrations the repository carries |
//! | [`store`] | the records of an application in files, in SQLite or in both, while it moves |
//! | [`schema`] | versioned schema migrations: resolve, lock, apply, revert, repair |
//! | [`to_sqlite`], [`to_files`], [`to_postgres`] | a migration into a SQLite file, a tree of files or a PostgreSQL database: every option, with its default |
//! | [`sync`] | a tree of files and a SQLite file, both changed since: merged, or the conflict named |
//! | [`transfer`] | the run as a whole, whatever source and target are |
//! | [`verify`] | two sides compared: counts, digests, differing rows, integrity, checks; a finished file on its own |
//! | [`backup`] | take, list, restore, prune |
//! | [`provision`] | finds or starts a PostgreSQL server for tests and the demo |
//! | [`endpoint`] | the contract of sources and targets; PostgreSQL and SQLite; how an endpoint is recognised |
//! | [`plan`] | decisions and losses; opens nothing |
//! | [`types`] | the table of representations and the codecs |
//! | [`metadata`] | what a target remembers: the tables `_whimbrel_*` |
//! | [`catalog`] | the neutral schema model |
//! | [`value`] | the neutral cell, its canonical encoding, digests |
//! | [`event`] | plain facts that engines emit |
//! | [`toml_text`] | files in TOML that people write: where a mistake is, and what was meant |
//! | [`cancel`] | the one way to ask a running job to stop |
//! | [`fault`] | eleven deliberate bugs for the tests of the tests; nothing in a release build |
//! | [`error`] | one error: operation, object, cause, hint |
//! | [`redact`] | text without secrets: what of a URL is known to be harmless |
//! | [`printable`] | text of others, made fit to be printed |

pub mod apps;
pub mod backup;
pub mod cancel;
pub mod catalog;
#[cfg(feature = "cli")]
pub mod cli;
pub mod endpoint;
pub mod error;
pub mod event;
pub mod fault;
#[cfg(feature = "scenarios")]
pub mod harness;
pub mod metadata;
pub mod migration;
#[cfg(feature = "harness")]
pub mod pictures;
pub mod plan;
pub mod printable;
pub mod project;
#[cfg(feature = "scenarios")]
pub mod provision;
pub mod quote;
pub mod redact;
pub mod report;
pub mod schema;
pub mod store;
pub mod sync;
pub mod to_files;
pub mod to_postgres;
pub mod to_sqlite;
pub mod toml_text;
pub mod transfer;
pub mod types;
pub mod value;
pub mod verify;

pub use error::{Error, Result};
pub use migration::{Migrated, Migration};
pub use verify::Level as Verify;
