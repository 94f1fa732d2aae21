//! What a SQLite file shows of itself: rows through their rules, structure, its own record, the user's checks; and its rows as
//! a source again.

use super::digest::{self, Also, ReadBack};
use super::proof::{Finished, Proof, TableProof};
use super::record::{self, Definitions, Scope};
use super::{Level, Question, SHOWN_MAX, Verification, checks, compare, objects, structure};
use crate::cancel::Cancel;
use crate::catalog::Catalog;
use crate::endpoint::inexact::InexactColumn;
use crate::endpoint::sqlite::file::quoted;
use crate::endpoint::sqlite::proof::{self as structural, Verdict};
use crate::endpoint::sqlite::read::{open, told};
use crate::endpoint::sqlite::remembered::read_manifest;
use crate::endpoint::sqlite::scan::Scan;
use crate::endpoint::sqlite::target::SqliteDraft;
use crate::endpoint::{ReadTable, RowSink, Source};
use crate::error::{Error, Kind, Result};
use crate::event::Listener;
use crate::plan::{Plan, TablePlan};
use crate::quote::quote;
use crate::value::{Cell, TableDigest};
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;

/// What to check.
pub struct Request<'r> {
    /// The closed file.
    pub path: &'r Path,
    /// The plan that it was made by.
    pub plan: &'r Plan,
    /// How much.
    pub level: Level,
    /// The digests of the source's rows in the order of the plan's tables, where they are known already.
    pub source_digests: Option<Vec<TableDigest>>,
    /// What the file's columns do not hold of that, where it has no ledger.
    pub inexact: Vec<InexactColumn>,
    /// Whether it is no fault that they do not.
    pub allow_inexact: bool,
    /// The project's folder of checks.
    pub checks: Option<&'r Path>,
    /// Whether the file keeps a ledger.
    pub metadata: bool,
    /// Whether the file has been published; before that it has another journal mode.
    pub published: bool,
}

/// Verifies a file against its source.
///
/// # Errors
/// When the source or the file cannot be read at all, or somebody asks to stop. What is found is not an error.
pub fn verify(
    request: Request<'_>,
    source: &mut dyn Source,
    cancel: &Cancel,
    listener: &Listener<'_>,
) -> Result<Verification> {
    let Request { path, plan, level, checks, metadata, published, .. } = request;
    let mut file = SqliteFile { path, plan, checks, metadata, published };
    let question = Question {
        plan,
        level,
        metadata,
        source_digests: request.source_digests,
        inexact: request.inexact,
        allow_inexact: request.allow_inexact,
    };
    compare(question, source, &mut file, cancel, listener)
}

/// A closed file, and the plan that it was made by.
#[derive(Clone, Copy)]
struct SqliteFile<'f> {
    path: &'f Path,
    plan: &'f Plan,
    checks: Option<&'f Path>,
    metadata: bool,
    /// Before that it has another journal mode.
    published: bool,
}

impl<P> Finished for SqliteDraft<'_, P> {
    fn prove(&mut self, level: Level, cancel: &Cancel, listener: &Listener<'_>) -> Result<Proof> {
        SqliteFile::of(self).prove(level, cancel, listener)
    }

    fn reread(&mut self, cancel: &Cancel) -> Result<Box<dyn Source + '_>> {
        SqliteFile::of(self).source(cancel)
    }
}

impl Finished for SqliteFile<'_> {
    fn prove(&mut self, level: Level, cancel: &Cancel, listener: &Listener<'_>) -> Result<Proof> {
        let SqliteFile { path, plan, metadata, published, .. } = *self;
        // One connection for everything, because each reads the whole schema anew.
        let connection = match open(path, &cancel.flag()) {
            Err(error) if error.kind() == Kind::Differs => return Ok(self.unreadable(level, &error)),
            opened => opened?,
        };
        let mut objects = match objects::compare(&connection, plan) {
            Err(error) if error.kind() == Kind::Differs => vec![error.to_string()],
            outcome => outcome?,
        };
        let scope = Scope {
            planned: &plan.tables,
            definitions: if plan.given_schema { Definitions::All } else { Definitions::OfMetadata },
            metadata,
            published,
        };
        let recorded = record::compare(&connection, scope)?;
        let file = File { connection: &connection, path };
        let structural = if level >= Level::Full { structural::Proof::of(&connection) } else { None };
        let (tables, verdict) = read_tables(file, &plan.tables, level, structural.as_ref(), cancel, listener)?;
        let mut proof = Proof {
            tables,
            record: recorded.differences,
            manifest_digest: recorded.digest,
            not_checked: recorded.not_checked,
            ..Proof::default()
        };
        if level >= Level::Full {
            let twice = level >= Level::Paranoid;
            let (keys, integrity) = structure::judge(&connection, &quoted(path), &verdict, twice, SHOWN_MAX)?;
            (proof.foreign_keys, proof.integrity) = (Some(keys), Some(integrity));
            if let Some(folder) = self.checks {
                match checks::run_folder_on(&connection, folder, SHOWN_MAX) {
                    Err(error) if error.kind() == Kind::Differs => objects.push(error.to_string()),
                    outcome => proof.checks = outcome?,
                }
            }
        }
        Ok(Proof { objects, ..proof })
    }

    fn reread(&mut self, cancel: &Cancel) -> Result<Box<dyn Source + '_>> {
        self.source(cancel)
    }
}

impl<'f> SqliteFile<'f> {
    fn of<P>(draft: &'f SqliteDraft<'_, P>) -> Self {
        let (path, plan, checks) = (draft.path(), draft.plan(), draft.checks());
        SqliteFile { path, plan, checks, metadata: draft.has_metadata(), published: false }
    }

    fn source(self, cancel: &Cancel) -> Result<Box<dyn Source + 'f>> {
        let connection = open(self.path, &cancel.flag())?;
        Ok(Box::new(Reread { connection, tables: &self.plan.tables, label: quoted(self.path) }))
    }

    /// What a file shows of which SQLite cannot even read the schema.
    fn unreadable(&self, level: Level, error: &Error) -> Proof {
        let told = error.to_string();
        let structure = (level >= Level::Full).then(|| structure::unreadable(error));
        let (foreign_keys, integrity) = structure.unzip();
        Proof {
            tables: self.plan.tables.iter().map(|_| TableProof::failed(told.clone())).collect(),
            objects: vec![told],
            foreign_keys,
            integrity,
            ..Proof::default()
        }
    }
}

/// The finished file while it is read.
#[derive(Clone, Copy)]
pub(super) struct File<'f> {
    pub(super) connection: &'f Connection,
    /// For threads that open it once more.
    pub(super) path: &'f Path,
}

/// Rows and digests of each table of the file, and what is proven of its structure meanwhile. A table that cannot be read is
/// a finding, not the end.
pub(super) fn read_tables(
    file: File<'_>,
    tables: &[TablePlan],
    level: Level,
    proof: Option<&structural::Proof>,
    cancel: &Cancel,
    listener: &Listener<'_>,
) -> Result<(Vec<TableProof>, Verdict)> {
    let also = Also { texts: level >= Level::Paranoid, proof };
    let read =
        |tables: &[TablePlan], also| digest::of_tables_on(file.connection, file.path, tables, also, cancel, listener);
    // All tables at once is the fast way; if one cannot be read, each is tried alone.
    let together = if level == Level::Counts { None } else { read(tables, also).ok() };
    cancel.check("verify")?;
    let proven = match (proof, &together) {
        (Some(proof), Some(_)) => proof.verdict(file.connection)?,
        _ => Verdict::Unproven,
    };
    let alone = Also { proof: None, ..also };
    let mut found = Vec::with_capacity(tables.len());
    for (place, table) in tables.iter().enumerate() {
        let one: Result<Option<ReadBack>> = match (&together, level) {
            (Some(read), _) => Ok(Some(read[place])),
            (None, Level::Counts) => Ok(None),
            (None, _) => read(std::slice::from_ref(table), alone).map(|read| read.first().copied()),
        };
        match one.and_then(|read| Ok((read, count_of(file.connection, table)?))) {
            Ok((read, rows)) => found.push(TableProof { rows: Some(rows), read, failure: None }),
            Err(error) => {
                cancel.check("verify")?;
                found.push(TableProof::failed(error.to_string()));
            }
        }
    }
    Ok((found, proven))
}

/// The number of rows as SQLite itself counts them, apart from our own reading.
fn count_of(connection: &Connection, table: &TablePlan) -> Result<u64> {
    let count: i64 = connection
        .query_row(&format!("SELECT count(*) FROM {}", quote(&table.target)), [], |row| row.get(0))
        .map_err(|error| told("count rows of", format!("`{}`", table.target), &error))?;
    Ok(count.unsigned_abs())
}

/// The rows of a file under the names of the source that it was made from.
struct Reread<'f> {
    connection: Connection,
    tables: &'f [TablePlan],
    label: String,
}

impl Source for Reread<'_> {
    fn label(&self) -> &str {
        &self.label
    }

    fn catalog(&mut self) -> Result<Arc<Catalog>> {
        match read_manifest(&self.connection)? {
            Some(manifest) => Ok(Arc::new(manifest.catalog.remembered())),
            None => Err(Error::could_not("read the schema of", &self.label, "it does not remember that of its source")),
        }
    }

    fn read(&mut self, tables: &[ReadTable<'_>], sink: &mut dyn RowSink) -> Result<()> {
        for (place, request) in tables.iter().enumerate() {
            let unknown = |what: &str| Error::could_not("read back", &self.label, format!("its plan has no {what}"));
            let table = self.tables.iter().find(|table| table.source == *request.table);
            let table = table.ok_or_else(|| unknown(&format!("table `{}`", request.table)))?;
            let column = |name: &str| table.columns.iter().position(|column| column.source == name);
            let columns = request.columns.iter().map(|wanted| column(wanted.name).ok_or_else(|| unknown(wanted.name)));
            let columns: Vec<usize> = columns.collect::<Result<_>>()?;
            let is_all = columns.iter().copied().eq(0..table.columns.len());
            sink.begin(place)?;
            Scan::new(&self.connection, table)?.rows(&self.connection, None, &mut |row| match is_all {
                true => sink.row(place, row.cells),
                false => sink.row(place, &columns.iter().map(|at| row.cells[*at].clone()).collect::<Vec<Cell<'_>>>()),
            })?;
            sink.end(place)?;
        }
        Ok(())
    }
}
