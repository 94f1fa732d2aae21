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
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::{Batch, Connection};
use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

impl<'t, P> Target for SqliteTarget<'t, P> {
    type Draft = SqliteDraft<'t, P>;

    fn label(&self) -> String {
        super::file::quoted(&self.path)
    }

    fn dialect(&self) -> Option<Dialect> {
        Some(Dialect::Sqlite)
    }

    fn path(&self) -> Option<&Path> {
        // A plan alone may be for no file.
        Some(self.path.as_path()).filter(|path| !path.as_os_str().is_empty())
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
        let script = self.derived.as_deref();
        if self.exchange.is_none() {
            let directory = tempfile::tempdir().could_not("try the target schema", "")?;
            return applied(apply, script, &directory.path().join("schema.db")).map(Some);
        }
        let staging = Staging::create(&self.path)?;
        let given = applied(apply, script, staging.path())?;
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

/// What the given schema is once it has been applied to the empty file at that path, and what a script will compute in it.
fn applied(
    apply: impl Fn(&Path) -> Result<Option<SchemaOfSource>>,
    script: Option<&Path>,
    empty: &Path,
) -> Result<TargetSchema> {
    let of_source = apply(empty)?;
    let connection = Connection::open(empty).could_not("read the target schema", "")?;
    let mut schema = TargetSchema { of_source, ..read_schema(&connection)? };
    if let Some(script) = script {
        let sql = std::fs::read_to_string(script).could_not("read", super::file::quoted(script))?;
        let updated = updated_by(&connection, &sql);
        for table in &mut schema.tables {
            for column in &mut table.columns {
                column.computed_later = updated.contains(&(table.name.clone(), column.name.clone()));
            }
        }
    }
    Ok(schema)
}

/// The columns, by table, that the statements of a script update. Nothing runs; a script that SQLite does not take is told when
/// it does.
fn updated_by(connection: &Connection, sql: &str) -> HashSet<(String, String)> {
    let found = Arc::new(Mutex::new(HashSet::new()));
    let watched = Arc::clone(&found);
    let watch = move |context: AuthContext<'_>| {
        if let AuthAction::Update { table_name, column_name } = context.action {
            let mut found = watched.lock().unwrap_or_else(PoisonError::into_inner);
            found.insert((table_name.to_owned(), column_name.to_owned()));
        }
        Authorization::Allow
    };
    if connection.authorizer(Some(watch)).is_ok() {
        let mut statements = Batch::new(connection, sql);
        while let Ok(Some(_)) = statements.next() {}
    }
    std::mem::take(&mut *found.lock().unwrap_or_else(PoisonError::into_inner))
}
