//! A SQLite file that is to be, and how.

use crate::endpoint::sqlite::Definitions;
use crate::endpoint::sqlite::staging::Staging;
use crate::error::Result;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The journal mode that a published file asks of its readers; the only two that last in the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum JournalMode {
    /// A write-ahead log: readers and one writer at the same time.
    #[default]
    Wal,
    /// A rollback journal: one file, also on network file systems and read-only media.
    Delete,
}

/// Applies a given target schema to a new, empty file.
pub type ApplySchema<'s> = dyn Fn(&Path) -> Result<()> + Sync + 's;

/// A finished and closed file that is to take its target's place.
#[derive(Debug)]
pub struct FinishedFile<'f> {
    /// The file.
    pub staging: Staging,
    /// Where its rows came from, without a password.
    pub source: &'f str,
    /// The digest of everything that it remembers, where it does.
    pub digest: Option<&'f str>,
}

/// Puts a finished file in the target's place.
pub type Exchange<'e, P> = Box<dyn FnOnce(FinishedFile<'_>) -> Result<P> + Send + 'e>;

/// A SQLite file that is to be.
pub struct SqliteTarget<'t, P> {
    /// Its path.
    pub path: PathBuf,
    /// A schema that somebody wrote; without one it is derived.
    pub schema: Option<&'t ApplySchema<'t>>,
    /// The definitions of a SQLite source, which go as they stand where nobody has written a schema.
    pub definitions: Option<&'t Definitions>,
    /// The page size of the file in bytes, a power of two from 512 to 65536.
    pub page_size_bytes: u32,
    /// The journal mode that it will be published in.
    pub journal_mode: JournalMode,
    /// A folder of checks to run on the finished file.
    pub checks: Option<PathBuf>,
    /// A script that computes, from rows that are there, columns that no source fills: counters, for example. It runs when
    /// the indexes stand, and before the triggers that keep such columns.
    pub derived: Option<PathBuf>,
    /// How it is published; `None` where it is only planned, and nothing is written beside it.
    pub exchange: Option<Exchange<'t, P>>,
    /// The temporary file, where a given schema has been applied to it.
    pub(super) staging: Option<Staging>,
}

impl<'t, P> SqliteTarget<'t, P> {
    /// A file of the usual form at that path.
    pub fn new(path: PathBuf, schema: Option<&'t ApplySchema<'t>>, exchange: Option<Exchange<'t, P>>) -> Self {
        let (page_size_bytes, journal_mode) = (PAGE_SIZE_BYTES_DEFAULT, JournalMode::default());
        SqliteTarget {
            path,
            schema,
            definitions: None,
            page_size_bytes,
            journal_mode,
            checks: None,
            derived: None,
            exchange,
            staging: None,
        }
    }
}

/// The page size of a file for which nobody says another one.
pub const PAGE_SIZE_BYTES_DEFAULT: u32 = 4096;
