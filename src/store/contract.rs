//! What every store can do, whatever it keeps its records in.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;
use std::str::FromStr;

/// The content of a record in one number, alike in every mode: two records with one version say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version(pub u128);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for Version {
    type Err = Error;

    fn from_str(text: &str) -> Result<Version> {
        let number = u128::from_str_radix(text, 16).ok().filter(|_| text.len() == 32);
        number
            .map(Version)
            .ok_or_else(|| Error::usage("read a version", format!("`{text}`"), "a version has 32 hexadecimal digits"))
    }
}

impl Serialize for Version {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_string().serialize(serializer)
    }
}

/// A record with everything inside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its table.
    pub table: String,
    /// Its columns by their names in the layout; records inside it are lists under the names of their tables.
    pub value: Map<String, Value>,
    /// What it says, in one number.
    pub version: Version,
}

/// What has to be there for a write to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Whatever is there.
    Anything,
    /// Nothing.
    Absent,
    /// The record in this version.
    Version(Version),
}

impl Expected {
    /// Whether what is there is what was expected.
    pub fn is_met(self, found: Option<Version>) -> bool {
        match self {
            Expected::Anything => true,
            Expected::Absent => found.is_none(),
            Expected::Version(version) => found == Some(version),
        }
    }
}

/// What a write has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is done, and lasts.
    Written(Written),
    /// Somebody else was there before: nothing was changed.
    Changed {
        /// What is there; `None` where nothing is.
        found: Option<Version>,
    },
}

/// A write that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// What is there now; `None` behind a delete.
    pub version: Option<Version>,
    /// Why the copy has not got it yet, where a mode keeps two: it is written down, counted, and done by the next writer.
    pub pending: Option<String>,
}

impl Outcome {
    /// What was written.
    ///
    /// # Errors
    /// When somebody else was there before.
    pub fn written(self) -> Result<Written> {
        match self {
            Outcome::Written(written) => Ok(written),
            Outcome::Changed { found } => {
                let cause = match found {
                    Some(_) => "it was changed since it was read",
                    None => "it is not there, or not any more",
                };
                Err(Error::could_not("write", "the record", cause).hint("read it again, and make the change anew"))
            }
        }
    }
}

/// A store of records: in files, in SQLite, or in both.
pub trait Store: Send + Sync {
    /// A record; `key` has the values of the layout's key, in its order.
    ///
    /// # Errors
    /// When there is no such table, or what keeps the record cannot be read.
    fn get(&self, table: &str, key: &[Value]) -> Result<Option<Record>>;

    /// All records whose columns have these values, in the order of their keys.
    ///
    /// # Errors
    /// When there is no such table or column, or what keeps the records cannot be read.
    fn list(&self, table: &str, matching: &[(&str, Value)]) -> Result<Vec<Record>>;

    /// Writes a record as a whole, with everything inside it: a column that is not named has its default, or NULL, and of a list that
    /// is not named nothing is there.
    ///
    /// # Errors
    /// When the value is none that the store can keep, or the disk does not take it. Nothing was changed then, unless the error says that the write is
    /// pending.
    fn put(&self, table: &str, value: &Map<String, Value>, expected: Expected) -> Result<Outcome>;

    /// Removes a record with everything inside it. One that is not there is removed already.
    ///
    /// # Errors
    /// As [`Store::put`].
    fn delete(&self, table: &str, key: &[Value], expected: Expected) -> Result<Outcome>;
}

/// How the records of an application are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// In files.
    Files,
    /// In files, with a copy in SQLite.
    Dual,
    /// In SQLite, with a copy in files.
    SqlitePrimary,
    /// In SQLite.
    Sqlite,
}

/// One of the two that can keep a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The tree of files.
    Files,
    /// The rows of the SQLite file.
    Rows,
}

impl Side {
    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Side::Files => "files",
            Side::Rows => "rows",
        }
    }
}

impl Mode {
    /// All of them, in the order in which an application goes.
    pub const ALL: [Mode; 4] = [Mode::Files, Mode::Dual, Mode::SqlitePrimary, Mode::Sqlite];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Mode::Files => "files",
            Mode::Dual => "dual",
            Mode::SqlitePrimary => "sqlite-primary",
            Mode::Sqlite => "sqlite",
        }
    }

    /// The side that decides.
    pub fn truth(self) -> Side {
        match self {
            Mode::Files | Mode::Dual => Side::Files,
            Mode::SqlitePrimary | Mode::Sqlite => Side::Rows,
        }
    }

    /// Whether there are two sides that are kept in step.
    pub fn has_copy(self) -> bool {
        match self {
            Mode::Dual | Mode::SqlitePrimary => true,
            Mode::Files | Mode::Sqlite => false,
        }
    }
}

impl FromStr for Mode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Mode> {
        Mode::ALL.into_iter().find(|mode| mode.word() == text).ok_or_else(|| {
            Error::usage("read a mode", format!("`{text}`"), "there is no such mode")
                .hint("the modes are `files`, `dual`, `sqlite-primary` and `sqlite`")
        })
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
