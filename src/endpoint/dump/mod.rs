//! A dump of a PostgreSQL database as a source: scripts of SQL, and the archives of pg_dump.
//!
//! ```text
//! bytes ─► packing ─► text (UTF-8) ─► script: statements ─► ddl: the catalog
//!             └─► archive: contents, blocks ─┘   └─► rows ─► copy_text or insert ─► types::input ─► cells
//! ```
//!
//! A dump means what the server would store that reads it. What is not understood is named with its place; a dump that is cut
//! off, changed on the way, or has what no dump of PostgreSQL has, stops the reader before anything is published. Memory grows
//! with the definitions and with the longest row, and with nothing else.

mod archive;
mod copy_text;
mod ddl;
mod encoding;
mod head;
mod input;
mod insert;
mod overview;
mod packing;
mod place;
mod rows;
mod script;
mod source;
mod statement;
mod tally;
mod text;
mod tokens;
mod unfollowed;

pub use input::is_dump;
pub use place::DumpPlace;
pub use source::DumpSource;
