//! A statement of a dump that defines something, and where it stands.

use std::fmt;
use std::sync::Arc;

/// Where in a dump something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// A line of a script, from 1.
    Line(u64),
    /// An entry of an archive, by its number.
    Entry(i32),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Line(line) => write!(f, "line {line}"),
            Place::Entry(number) => write!(f, "entry {number}"),
        }
    }
}

/// Under which settings a statement was to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `standard_conforming_strings` is off: a backslash is an escape in every string constant.
    pub backslash_escapes: bool,
    /// `search_path`, in its order, unquoted; empty for `''`. A name without a schema is made in the first.
    pub search_path: Arc<[String]>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { backslash_escapes: false, search_path: Arc::from(["public".to_owned()]) }
    }
}

/// A statement that is not rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its SQL in UTF-8, from its first word on, without the closing semicolon. Comments inside it stay.
    pub text: String,
    /// Where its first word stands.
    pub place: Place,
    /// The settings that held there.
    pub settings: Settings,
}

/// What a dump says of the database besides its statements.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// The engine and its version, as far as the dump says it: `PostgreSQL 15.18`.
    pub engine: String,
    /// The database's name.
    pub database: String,
    /// Its encoding in the server's spelling, for example `UTF8`.
    pub encoding: String,
    /// How many large objects it has.
    pub large_objects: u64,
}
