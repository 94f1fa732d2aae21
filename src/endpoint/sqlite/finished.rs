//! What a SQLite file shows of itself: rows through their rules, structure, its own record, the user's checks; and its rows as
//! a source again.

use super::digest::{self, Also};
use super::file::quoted;
use super::proof::{self as structural, Verdict};
use super::read::{describe, open};
use super::record::{self, Definitions, Scope};
use super::source::SqliteSource;
use super::target::SqliteDraft;
use super::{checks, objects, structure};
use crate::cancel::Cancel;
use crate::endpoint::{Findings, Finished, Level, Proof, ReadBack, SHOWN_MAX, Source, TableProof};
use crate::error::{Error, Kind, Result};
use crate::event::Listener;
use crate::plan::{Plan, TablePlan};
use crate::quote::quote;
use rusqlite::Connection;
use std::path::Path;

/// A closed file, and the plan that it was made by.
#[derive(Clone, Copy)]
pub(crate) struct SqliteFile<'f> {
    pub(crate) path: &'f Path,
    pub(crate) plan: &'f Plan,
    /// The user's folder of checks.
    pub(crate) checks: Option<&'f Path>,
    /// Whether it keeps a ledger.
    pub(crate) metadata: bool,
    /// Whether it has been published; before that it has another journal mode.
    pub(crate) published: bool,
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
        let (tables, handed_over) = read_tables(file, &plan.tables, level, structural.as_ref(), cancel, listener)?;
        let mut findings = Findings {
            record: recorded.differences,
            manifest_digest: recorded.digest,
            not_checked: recorded.not_checked,
            ..Findings::default()
        };
        if level >= Level::Full {
            let verdict = match structural {
                Some(proof) if handed_over => proof.verdict(&connection)?,
                _ => Verdict::Unproven,
            };
            let twice = level >= Level::Paranoid;
            let (keys, integrity) = structure::judge(&connection, &quoted(path), &verdict, twice, SHOWN_MAX)?;
            findings.not_checked.extend_from_slice(&integrity.unasked);
            (findings.foreign_keys, findings.integrity) = (Some(keys), Some(integrity));
            if let Some(folder) = self.checks {
                match checks::run_folder_on(&connection, folder, SHOWN_MAX) {
                    Err(error) if error.kind() == Kind::Differs => objects.push(error.to_string()),
                    outcome => findings.checks = outcome?,
                }
            }
        }
        findings.objects = objects;
        Ok(Proof { tables, findings })
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
        Ok(Box::new(SqliteSource::planned(self.path, self.plan.tables.clone(), cancel)?))
    }

    /// What a file shows of which SQLite cannot even read the schema.
    fn unreadable(&self, level: Level, error: &Error) -> Proof {
        let told = error.to_string();
        let structure = (level >= Level::Full).then(|| structure::unreadable(error));
        let (foreign_keys, integrity) = structure.unzip();
        let tables = self.plan.tables.iter().map(|_| TableProof::failed(told.clone())).collect();
        let findings = Findings { objects: vec![told], foreign_keys, integrity, ..Findings::default() };
        Proof { tables, findings }
    }
}

/// The finished file while it is read.
#[derive(Clone, Copy)]
pub(crate) struct File<'f> {
    pub(crate) connection: &'f Connection,
    /// For threads that open it once more.
    pub(crate) path: &'f Path,
}

/// Rows and digests of each table of the file, and whether every row was handed over to the proof of its structure, whose
/// work is done meanwhile. A table that cannot be read is a finding, not the end.
pub(crate) fn read_tables(
    file: File<'_>,
    tables: &[TablePlan],
    level: Level,
    proof: Option<&structural::Proof>,
    cancel: &Cancel,
    listener: &Listener<'_>,
) -> Result<(Vec<TableProof>, bool)> {
    let also = Also { texts: level >= Level::Paranoid, proof };
    let read =
        |tables: &[TablePlan], also| digest::of_tables_on(file.connection, file.path, tables, also, cancel, listener);
    // All tables at once is the fast way; if one cannot be read, each is tried alone.
    let together = if level == Level::Counts { None } else { read(tables, also).ok() };
    cancel.check("verify")?;
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
    Ok((found, together.is_some()))
}

/// The number of rows as SQLite itself counts them, apart from our own reading.
fn count_of(connection: &Connection, table: &TablePlan) -> Result<u64> {
    let count: i64 = connection
        .query_row(&format!("SELECT count(*) FROM {}", quote(&table.target)), [], |row| row.get(0))
        .map_err(|error| describe("count rows of", format!("`{}`", table.target), error))?;
    Ok(count.unsigned_abs())
}
