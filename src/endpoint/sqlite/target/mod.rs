//! A SQLite file as a target: a draft grows in a temporary file beside it, and takes its place when it is proven.
//!
//! `encode` turns rows into batches where they are read, `draft` writes them, `finish` and `keys` build what is built
//! after the rows. The moment of publishing takes a backup, which is
//! another room's matter: whoever makes the target says how its file is exchanged.

mod draft;
mod encode;
mod file_to_be;
mod finish;
mod keys;
mod refused;

pub use draft::SqliteDraft;
pub use file_to_be::{ApplySchema, Exchange, FinishedFile, JournalMode, PAGE_SIZE_BYTES_DEFAULT, SqliteTarget};

use super::file::TargetFile;
use super::schema::read_schema;
use super::settle::settle;
use super::staging::Staging;
use crate::cancel::Cancel;
use crate::catalog::Dialect;
use crate::endpoint::Target;
use crate::error::{Context, Result};
use crate::plan::Plan;
use crate::plan::given::{SchemaOfSource, TargetSchema};
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;

impl<'t, P> Target for SqliteTarget<'t, P> {
    type Draft = SqliteDraft<'t, P>;

    fn label(&self) -> String {
        super::file::quoted(&self.path)
    }

    fn dialect(&self) -> Option<Dialect> {
        Some(Dialect::Sqlite)
    }

    fn path(&self) -> Option<&Path> {
        Some(&self.path)
    }

    fn inspect(&mut self) -> Result<()> {
        TargetFile::inspect(&self.path)?.refuse_unusable()
    }

    /// The schema is applied to the file that is to be; where there will be none, to one elsewhere.
    fn given(&mut self) -> Result<Option<TargetSchema>> {
        let apply = |empty: &Path| match (self.schema, self.definitions) {
            (Some(apply), _) => apply(empty).map(|()| None),
            (None, Some(own)) => own.apply(empty, self.page_size_bytes).map(|()| Some(own.of_source.clone())),
            (None, None) => Ok(None),
        };
        if self.schema.is_none() && self.definitions.is_none() {
            return Ok(None);
        }
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
fn applied(apply: impl Fn(&Path) -> Result<Option<SchemaOfSource>>, empty: &Path) -> Result<TargetSchema> {
    let of_source = apply(empty)?;
    let schema = read_schema(&Connection::open(empty).could_not("read the target schema", "")?)?;
    Ok(TargetSchema { of_source, ..schema })
}
