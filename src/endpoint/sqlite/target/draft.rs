//! The file in the making: tables first, rows as they come, then keys, indexes, views and metadata; closed, it can be read.

use super::encode::Encoder;
use super::file_to_be::{Exchange, FinishedFile, JournalMode, SqliteTarget};
use super::finish::{self, SetAside};
use super::refused::refused_row;
use crate::cancel::{Cancel, Registration};
use crate::endpoint::sqlite::Batch;
use crate::endpoint::sqlite::loader::Loader;
use crate::endpoint::sqlite::pragma;
use crate::endpoint::sqlite::staging::Staging;
use crate::endpoint::{Draft, Origin};
use crate::error::{Context, Error, Result};
use crate::event::Listener;
use crate::plan::{Caveat, Plan};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A SQLite file that is being made. Dropped, its temporary file is removed.
pub struct SqliteDraft<'t, P> {
    /// `None` once the file is finished and closed. Dropped before the temporary file.
    loading: Option<Loading>,
    staging: Staging,
    plan: Arc<Plan>,
    metadata: bool,
    journal_mode: JournalMode,
    row_bytes_max: usize,
    checks: Option<PathBuf>,
    derived: Option<PathBuf>,
    /// Where its rows came from; known when it is finished.
    source: String,
    exchange: Option<Exchange<'t, P>>,
}

/// What there is of a file while it is open.
struct Loading {
    loader: Loader,
    aside: SetAside,
    /// The table that the loader is ready for.
    table: Option<usize>,
    _interrupt: Registration,
}

impl<'t, P> SqliteDraft<'t, P> {
    pub(super) fn begin(
        target: SqliteTarget<'t, P>,
        plan: &Arc<Plan>,
        metadata: bool,
        cancel: &Cancel,
    ) -> Result<Self> {
        let staging = target.staging.map_or_else(|| Staging::create(&target.path), Ok)?;
        let loader = Loader::create(staging.path(), target.page_size_bytes)?;
        // The definitions of a given schema are its owner's.
        if !plan.given_schema {
            pragma::names_only(loader.connection()).could_not("prepare the target", loader.label())?;
        }
        loader.begin()?;
        let aside = if plan.given_schema { finish::set_aside(&loader)? } else { SetAside::default() };
        finish::create_tables(&loader, plan, metadata)?;
        let interrupt = loader.connection().get_interrupt_handle();
        let interrupt = cancel.on_cancel(move || interrupt.interrupt());
        Ok(SqliteDraft {
            row_bytes_max: loader.row_bytes_max()?,
            loading: Some(Loading { loader, aside, table: None, _interrupt: interrupt }),
            staging,
            plan: Arc::clone(plan),
            metadata,
            journal_mode: target.journal_mode,
            checks: target.checks,
            derived: target.derived,
            source: String::new(),
            exchange: target.exchange,
        })
    }

    /// The temporary file.
    pub fn path(&self) -> &Path {
        self.staging.path()
    }

    /// The plan that it is made by.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Whether it keeps a ledger.
    pub fn has_metadata(&self) -> bool {
        self.metadata
    }

    /// The folder of checks to run on it.
    pub fn checks(&self) -> Option<&Path> {
        self.checks.as_deref()
    }

    /// Lets SQLite take rows of so many bytes at most.
    #[cfg(test)]
    pub(crate) fn limit_row_bytes(&mut self, max: usize) {
        let connection = self.loading.as_ref().expect("rows are taken").loader.connection();
        let limit = rusqlite::limits::Limit::SQLITE_LIMIT_LENGTH;
        connection.set_limit(limit, i32::try_from(max).expect("a limit")).expect("a limit");
        self.row_bytes_max = max;
    }
}

fn finished() -> Error {
    Error::could_not("write", "the target", "it is finished")
}

impl<P> Draft for SqliteDraft<'_, P> {
    type Batch = Batch;
    type Encoder = Encoder;
    type Published = P;

    fn encoder(&self, table: usize) -> Encoder {
        let loading = self.loading.as_ref();
        // Where that cannot be told, all values are in memory.
        let large = loading.and_then(|loading| loading.loader.large_columns(&self.plan.tables[table].target).ok());
        Encoder::new(&self.plan, table, self.metadata, self.row_bytes_max, &large.unwrap_or_default())
    }

    fn write(&mut self, table: usize, batch: &mut Batch) -> Result<()> {
        let Loading { loader, table: ready, .. } = self.loading.as_mut().ok_or_else(finished)?;
        let planned = &self.plan.tables[table];
        if *ready != Some(table) {
            let columns = planned.columns.iter().filter(|column| !column.computed);
            loader.expect_rows(&planned.target, &columns.map(|column| column.target.as_str()).collect::<Vec<_>>())?;
            *ready = Some(table);
        }
        loader.take(batch).map_err(|refused| refused_row(&self.plan, planned, batch, &refused, loader))?;
        if self.metadata && !batch.ledger.is_empty() {
            loader.file_ledger(&planned.target, batch)?;
        }
        batch.clear();
        Ok(())
    }

    fn finish(&mut self, origin: &Origin<'_>, listener: &Listener<'_>) -> Result<Vec<Caveat>> {
        let Loading { loader, aside, _interrupt, .. } = self.loading.take().ok_or_else(finished)?;
        self.source = origin.source.to_owned();
        let caveats = finish::finish(&loader, &self.plan, &aside, self.derived.as_deref(), listener)?;
        loader.commit()?;
        if self.metadata {
            finish::write_metadata(&loader, &self.plan, origin, self.journal_mode)?;
        }
        loader.close()?;
        Ok(caveats)
    }

    fn publish(self, digest: Option<&str>) -> Result<P> {
        let SqliteDraft { loading, staging, source, exchange, .. } = self;
        let (None, Some(exchange)) = (loading, exchange) else {
            return Err(Error::could_not("publish", "the target", "it is not finished"));
        };
        exchange(FinishedFile { staging, source: &source, digest })
    }
}
