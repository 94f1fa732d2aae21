//! A file to measure on, where the user gives none: rows as a run of the project would leave them.
//!
//! A project with a source schema gets its rows in PostgreSQL and is migrated as it says. One with a target schema only
//! gets them straight into a file with that schema. Both end with the statistics that a migration leaves, because
//! SQLite plans by them.

use crate::cancel::Cancel;
use crate::endpoint::postgres::PostgresSource;
use crate::endpoint::sqlite::target::JournalMode;
use crate::endpoint::{PostgresUrl, Source};
use crate::error::{Context, Error, Result};
use crate::event::nobody;
use crate::harness::Seed;
use crate::harness::generate::{
    GenerateOptions, Generator, PostgresJudge, PostgresSink, SqliteJudge, SqliteSink, sqlite_catalog,
};
use crate::project::{Project, apply_schema};
use crate::provision;
use crate::schema::{create_source, source_scripts};
use crate::to_sqlite::{self, ApplySchema, Job, MigrationOptions};
use crate::verify::Level;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const OPERATION: &str = "prepare a file for";

/// A file with generated rows. It is removed when this value is dropped.
#[derive(Debug)]
pub struct Prepared {
    _directory: TempDir,
    path: PathBuf,
    rows: u64,
}

impl Prepared {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many rows were generated: those that were asked for, unless constraints allow fewer.
    pub fn rows(&self) -> u64 {
        self.rows
    }
}

/// Generates `rows` rows, in all tables together, into a temporary file with the project's target schema.
///
/// # Errors
/// When the project has neither `source.schema` nor `target.schema`, no rows can be generated for it, there is no
/// PostgreSQL where one is needed, the migration fails or finds a difference, or somebody asks to stop.
pub fn prepare(project: &Project, rows: u64, seed: Seed, cancel: &Cancel) -> Result<Prepared> {
    let shown = || format!("`{}`", project.name);
    let directory = tempfile::Builder::new().prefix("whimbrel-latency-").tempdir().could_not(OPERATION, shown())?;
    let path = directory.path().join("latency.db");
    let options =
        GenerateOptions { rows, per_table: BTreeMap::new(), seed, awkward: 0.0, hints: project.generate.clone() };
    let rows = match (&project.source_schema, &project.target_schema) {
        (Some(source), _) => through_postgres(project, source, &path, options, cancel)?,
        (None, Some(target)) => straight(project, target, &path, options, cancel)?,
        (None, None) => {
            let cause = "it has neither `source.schema` nor `target.schema`";
            return Err(Error::usage(OPERATION, shown(), cause)
                .hint("name a folder of versioned SQL in its `project.toml`, or measure a file: `--target FILE`"));
        }
    };
    Ok(Prepared { _directory: directory, path, rows })
}

/// Rows into PostgreSQL, and from there as the project says.
fn through_postgres(
    project: &Project,
    schema: &Path,
    path: &Path,
    options: GenerateOptions,
    cancel: &Cancel,
) -> Result<u64> {
    let database = provision::shared()?.create_database("latency")?;
    let url = PostgresUrl::parse(&database.url())?;
    create_source(&database.url(), &source_scripts(schema)?)?;
    cancel.check(OPERATION)?;
    let catalog = PostgresSource::connect(&url, cancel)?.catalog()?;
    let mut sink = PostgresSink::open(&url, &catalog)?;
    let generated = Generator::new(&catalog, options)?.stream(&mut PostgresJudge::new(&url), &mut sink)?;
    sink.commit()?;
    let target = project.target_schema.as_deref();
    let apply =
        |file: &Path| target.map_or(Ok(()), |folder| apply_schema(folder, file, project.options.page_size_bytes));
    let outcome = to_sqlite::migrate(
        &mut PostgresSource::connect(&url, cancel)?,
        &Job {
            target: path.to_owned(),
            schema: target.is_some().then_some(&apply as &ApplySchema<'_>),
            definitions: None,
            options: MigrationOptions { checks: None, backups: None, ..project.options.clone() },
        }
        .verified(Level::Counts),
        cancel,
        &nobody,
    )?;
    outcome.ensure_published()?;
    Ok(generated.row_count())
}

/// Rows into a file that has the target schema already, triggers and checks active.
fn straight(project: &Project, schema: &Path, path: &Path, options: GenerateOptions, cancel: &Cancel) -> Result<u64> {
    let shown = format!("`{}`", path.display());
    apply_schema(schema, path, project.options.page_size_bytes)?;
    cancel.check(OPERATION)?;
    let connection = Connection::open(path).could_not(OPERATION, &shown)?;
    // Nobody needs the file after a power failure.
    connection.execute_batch("PRAGMA foreign_keys = ON; PRAGMA synchronous = OFF").could_not(OPERATION, &shown)?;
    let catalog = sqlite_catalog(&connection)?;
    let mut judge = SqliteJudge::new(&connection)?;
    let mut sink = SqliteSink::open(&connection)?;
    let generated = Generator::new(&catalog, options)?.stream(&mut judge, &mut sink)?;
    sink.commit()?;
    drop(judge);
    let mode = match project.options.journal_mode {
        JournalMode::Wal => "WAL",
        JournalMode::Delete => "DELETE",
    };
    connection.execute_batch(&format!("ANALYZE; PRAGMA journal_mode = {mode}")).could_not(OPERATION, &shown)?;
    connection.close().map_err(|(_, error)| error).could_not(OPERATION, &shown)?;
    Ok(generated.row_count())
}
