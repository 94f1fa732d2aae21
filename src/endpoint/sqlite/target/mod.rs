//! A SQLite file as a target: a draft grows in a temporary file beside it, and takes its place when it is proven.
//!
//! `encode` turns rows into batches where they are read, `draft` writes them, `finish` and `keys` build what is built
//! after the rows. The moment of publishing takes a backup, which is
//! another room's matter: whoever makes the target says how its file is exchanged.

mod draft;
mod encode;
mod finish;
mod keys;
mod refused;

pub use draft::SqliteDraft;

use super::file::TargetFile;
use super::schema::read_schema;
use super::settle::settle;
use super::staging::Staging;
use crate::cancel::Cancel;
use crate::catalog::Dialect;
use crate::endpoint::Target;
use crate::error::{Context, Result};
use crate::plan::Plan;
use crate::plan::given::TargetSchema;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The journal mode that a published file asks of its readers; the only two that last in the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
    /// The page size of the file in bytes, a power of two from 512 to 65536.
    pub page_size_bytes: u32,
    /// The journal mode that it will be published in.
    pub journal_mode: JournalMode,
    /// A folder of checks to run on the finished file.
    pub checks: Option<PathBuf>,
    /// How it is published; `None` where it is only planned, and nothing is written beside it.
    pub exchange: Option<Exchange<'t, P>>,
    /// The temporary file, where a given schema has been applied to it.
    staging: Option<Staging>,
}

impl<'t, P> SqliteTarget<'t, P> {
    /// A file of the usual form at that path.
    pub fn new(path: PathBuf, schema: Option<&'t ApplySchema<'t>>, exchange: Option<Exchange<'t, P>>) -> Self {
        let (page_size_bytes, journal_mode) = (PAGE_SIZE_BYTES_DEFAULT, JournalMode::default());
        SqliteTarget { path, schema, page_size_bytes, journal_mode, checks: None, exchange, staging: None }
    }
}

/// The page size of a file for which nobody says another one.
pub const PAGE_SIZE_BYTES_DEFAULT: u32 = 4096;

impl<'t, P> Target for SqliteTarget<'t, P> {
    type Draft = SqliteDraft<'t, P>;

    fn label(&self) -> String {
        super::file::quoted(&self.path)
    }

    fn dialect(&self) -> Option<Dialect> {
        Some(Dialect::Sqlite)
    }

    fn inspect(&mut self) -> Result<()> {
        TargetFile::inspect(&self.path)?.refuse_unusable()
    }

    /// The schema is applied to the file that is to be; where there will be none, to one elsewhere.
    fn given(&mut self) -> Result<Option<TargetSchema>> {
        let Some(apply) = self.schema else { return Ok(None) };
        if self.exchange.is_none() {
            let directory = tempfile::tempdir().could_not("try the target schema", "")?;
            return applied(apply, &directory.path().join("schema.db")).map(Some);
        }
        let staging = Staging::create(&self.path)?;
        let given = applied(apply, staging.path())?;
        self.staging = Some(staging);
        Ok(Some(given))
    }

    fn settle(&self, plan: &mut Plan) -> Result<()> {
        settle(plan)
    }

    fn begin(self, plan: &Arc<Plan>, metadata: bool, cancel: &Cancel) -> Result<Self::Draft> {
        SqliteDraft::begin(self, plan, metadata, cancel)
    }
}

/// What the given schema is once it has been applied to the empty file at that path.
fn applied(apply: &ApplySchema<'_>, empty: &Path) -> Result<TargetSchema> {
    apply(empty)?;
    read_schema(&Connection::open(empty).could_not("read the target schema", "")?)
}
