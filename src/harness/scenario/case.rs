//! One case: a database of its own, rows in it, and a migration, of which properties are asked.
//!
//! Invariants: what a case does depends on its fixture, its rows and its seed alone; it writes to its own database
//! (before the migration) and its own folder, and to nothing else.

use super::client::{Client, Connections};
use super::dumped::{self, Making};
use super::existing_target::ExistingTarget;
use super::fixture::Fixture;
use crate::cancel::Cancel;
use crate::endpoint::PostgresUrl;
use crate::endpoint::postgres::PostgresSource;
use crate::endpoint::sqlite::pragma;
use crate::endpoint::sqlite::read::stop_when;
use crate::error::{Context, Error, Result};
use crate::event::nobody;
use crate::harness::Seed;
use crate::harness::latency::Times;
use crate::harness::scratch::scratch_folder;
use crate::harness::second_opinion::{Asker, Opinion};
use crate::metadata::tables::{self, KeptTable};
use crate::quote::quote;
use crate::to_sqlite::{Outcome, migrate};
use crate::verify::{Level, Verification};
use rusqlite::{Connection, OpenFlags};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread::{Scope, ScopedJoinHandle};
use tempfile::TempDir;

/// In one case of so many the second migration is verified with the server's own digests.
const CASES_PER_PARANOID: u64 = 4;

/// A case while it runs.
pub(super) struct Case<'g> {
    pub fixture: &'g Fixture,
    pub seed: Seed,
    /// Somebody may ask to stop.
    pub cancel: Cancel,
    /// The harness' own connection to the database with the rows.
    pub client: Client,
    /// The second opinion's.
    asker: Asker,
    /// The engine's connection: one snapshot for every migration of the case. `None` while the second one has it.
    source: Option<PostgresSource>,
    /// The second migration while it runs; it gives the connection back.
    second: Option<ScopedJoinHandle<'g, (PostgresSource, Result<()>)>>,
    second_began: bool,
    /// Why it failed, until somebody has been told.
    second_error: Option<Error>,
    /// Where the database is.
    url: PostgresUrl,
    /// The dump of it, and the migration of that, while they run.
    dump: Option<ScopedJoinHandle<'g, Result<Making>>>,
    /// Everything that the case writes.
    pub folder: TempDir,
    /// The target, in a folder of its own: its backups are beside it.
    pub target: PathBuf,
    /// What was there before.
    pub old: ExistingTarget,
    /// The source before anything was read.
    pub before: Fingerprint,
    pub outcome: Option<Outcome>,
    /// Mutations of the finished file: name, and whether the checker noticed.
    pub mutations: Vec<(String, bool)>,
    /// The times of the project's queries on the published file.
    pub latencies: Vec<Times>,
}

/// What a database looks like from outside, by object.
pub(super) type Fingerprint = BTreeMap<String, String>;

impl<'g> Case<'g> {
    pub fn open(fixture: &'g Fixture, seed: Seed, connections: Connections, cancel: &Cancel) -> Result<Self> {
        let Connections { mut client, asker, engine, url } = connections;
        // Both only read, and each waits for a process of the server of its own.
        let (before, source) = std::thread::scope(|scope| {
            let before = scope.spawn(|| fingerprint(&mut client));
            let source = engine.snapshot();
            (before.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), source)
        });
        let (before, source) = (before?, source?);
        let folder = scratch_folder()?;
        let place = folder.path().join("target");
        std::fs::create_dir(&place).could_not("create", format!("`{}`", place.display()))?;
        let target = place.join("app.db");
        let old = ExistingTarget::choose(seed, fixture.earlier.as_ref())?;
        old.put(&target)?;
        Ok(Case {
            fixture,
            seed,
            cancel: cancel.clone(),
            client,
            asker,
            source: Some(source),
            second: None,
            second_began: false,
            second_error: None,
            url,
            dump: None,
            folder,
            target,
            old,
            before,
            outcome: None,
            mutations: Vec::new(),
            latencies: Vec::new(),
        })
    }

    /// Migrates into the target. What verification found is returned where that is anything.
    ///
    /// # Errors
    /// As [`migrate`].
    pub fn migrate_first(&mut self) -> Result<Option<Verification>> {
        let target = self.target.clone();
        let fixture = self.fixture;
        let cancel = self.cancel.clone();
        let apply = |path: &Path| fixture.settings.apply_schema(path);
        let outcome = migrate(self.source()?, &fixture.settings.job(&target, Level::Full, &apply), &cancel, &nobody)?;
        if !outcome.verification.is_sound() {
            return Ok(Some(outcome.verification));
        }
        self.outcome = Some(outcome);
        Ok(None)
    }

    /// The engine's connection, when the second migration has given it back.
    ///
    /// # Errors
    /// When that failed.
    fn source(&mut self) -> Result<&mut PostgresSource> {
        self.wait_for_second();
        if let Some(error) = self.second_error.take() {
            return Err(error);
        }
        self.source.as_mut().ok_or_else(|| Error::could_not("ask", "the source", "its connection is gone"))
    }

    /// Begins to migrate the same source into a second target, once the first migration is done: beside the properties
    /// that do without the engine's connection. So does a dump of the source, into a third one.
    pub fn migrate_again_in(&mut self, scope: &'g Scope<'g, '_>) {
        if self.outcome.is_none() || std::mem::replace(&mut self.second_began, true) {
            return;
        }
        let Some(mut source) = self.source.take() else { return };
        let (fixture, target, cancel) = (self.fixture, self.second_target(), self.cancel.clone());
        // One case in so many lets the server digest its tables, too, which takes it another reading of its catalog.
        let level = if self.seed.0.is_multiple_of(CASES_PER_PARANOID) { Level::Paranoid } else { Level::Full };
        self.second = Some(scope.spawn(move || {
            let put_schema = |path: &Path| fixture.put_schema(path);
            let job = fixture.settings.job(&target, level, &put_schema);
            let outcome = migrate(&mut source, &job, &cancel, &nobody);
            (source, outcome.and_then(|outcome| outcome.ensure_published()))
        }));
        let (url, seed, folder, cancel) =
            (self.url.clone(), self.seed, self.folder.path().to_owned(), self.cancel.clone());
        self.dump = Some(scope.spawn(move || dumped::make(fixture, &url, seed, &folder, &cancel)));
    }

    /// Waits until the second migration has ended; whoever needs what it gives back is told how.
    pub fn wait_for_second(&mut self) {
        if let Some(second) = self.second.take() {
            let (source, ended) = second.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            self.source = Some(source);
            self.second_error = ended.err();
        }
    }

    /// What became of the dump; it is told once.
    ///
    /// # Errors
    /// When it could not be made.
    pub fn dumped(&mut self) -> Result<Making> {
        match self.dump.take() {
            Some(dump) => dump.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            None => Err(Error::could_not("ask", "the migration", "it has not run")),
        }
    }

    /// Where the second migration goes.
    fn second_target(&self) -> PathBuf {
        self.folder.path().join("second.db")
    }

    /// The second target, when it is there.
    ///
    /// # Errors
    /// As [`Case::migrate_first`].
    pub fn migrated_again(&mut self) -> Result<PathBuf> {
        self.source()?;
        Ok(self.second_target())
    }

    /// What the first migration did.
    ///
    /// # Errors
    /// When it has not run.
    pub fn outcome(&self) -> Result<&Outcome> {
        self.outcome.as_ref().ok_or_else(|| Error::could_not("ask", "the migration", "it has not run"))
    }

    /// What the first migration did, and the source that it read.
    ///
    /// # Errors
    /// When it has not run.
    pub fn parts(&mut self) -> Result<(&Outcome, &mut PostgresSource)> {
        self.source()?;
        match (&self.outcome, &mut self.source) {
            (Some(outcome), Some(source)) => Ok((outcome, source)),
            _ => Err(Error::could_not("ask", "the migration", "it has not run")),
        }
    }

    /// The harness' own connection, and what the first migration did.
    ///
    /// # Errors
    /// When it has not run.
    pub fn client_and_outcome(&mut self) -> Result<(&mut Client, &Outcome)> {
        match &self.outcome {
            Some(outcome) => Ok((&mut self.client, outcome)),
            None => Err(Error::could_not("ask", "the migration", "it has not run")),
        }
    }

    /// What the server says about the values in the target.
    ///
    /// # Errors
    /// When the migration has not run, or as [`Asker::ask`].
    pub fn second_opinion(&mut self) -> Result<Opinion> {
        match &self.outcome {
            Some(outcome) => self.asker.ask(&self.target, &outcome.plan),
            None => Err(Error::could_not("ask", "the migration", "it has not run")),
        }
    }

    /// Whether the target is exactly what was there before.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn target_is_old(&self) -> Result<bool> {
        self.old.is_at(&self.target)
    }

    /// Opens the target to read it, until somebody asks to stop.
    ///
    /// # Errors
    /// When it is no database.
    pub fn open_target(&self) -> Result<Connection> {
        let connection = open(&self.target)?;
        stop_when(&connection, &self.cancel.flag())?;
        Ok(connection)
    }

    /// The digest of each table as the target itself remembers it; `None` where it has no memory.
    pub fn remembered_digests(&self) -> rusqlite::Result<Option<BTreeMap<String, String>>> {
        match self.fixture.settings.options.run.metadata {
            true => remembered_digests(&self.target).map(Some),
            false => Ok(None),
        }
    }

    /// What the source looks like now.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub fn fingerprint(&mut self) -> Result<Fingerprint> {
        fingerprint(&mut self.client)
    }
}

impl Drop for Case<'_> {
    /// The second migration and the dump are in the folder that goes away with the case.
    fn drop(&mut self) {
        // A panic of one is not worth a second one.
        if let Some(second) = self.second.take() {
            let _ = second.join();
        }
        if let Some(dump) = self.dump.take() {
            let _ = dump.join();
        }
    }
}

/// The digest of each table as a file remembers it.
pub(super) fn remembered_digests(path: &Path) -> rusqlite::Result<BTreeMap<String, String>> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let kept = tables::read(&connection)?.unwrap_or_default();
    let digest = |table: KeptTable| table.digest.map_or_else(String::new, |digest| digest.to_string());
    Ok(kept.into_iter().map(|(source, table)| (source, digest(table))).collect())
}

/// Opens a file so that nothing of it can change. (A read-only connection would leave the log files of WAL mode.)
///
/// # Errors
/// When it is no database.
pub(super) fn open(path: &Path) -> Result<Connection> {
    let object = format!("`{}`", path.display());
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).could_not("open", &object)?;
    connection.execute_batch("PRAGMA query_only = ON").could_not("open", &object)?;
    pragma::names_only_in_queries(&connection).could_not("open", &object)?;
    Ok(connection)
}

/// Relations with rows; where sequences stand; and how many objects of each kind there are, those apart that another
/// connection of the harness may still have for itself.
const OBJECTS: &str = "\
    SELECT 'table', n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE (c.relkind = 'r' OR c.relkind = 'm' AND c.relispopulated) AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
      AND NOT pg_is_other_temp_schema(n.oid)
    UNION ALL
    SELECT 'sequence', schemaname, coalesce(last_value::text, 'unused') || ' in ' || sequencename FROM pg_sequences
    UNION ALL SELECT 'number of relations', count(*)::text, '' FROM pg_class WHERE NOT pg_is_other_temp_schema(relnamespace)
    UNION ALL SELECT 'number of functions', count(*)::text, '' FROM pg_proc WHERE NOT pg_is_other_temp_schema(pronamespace)
    UNION ALL SELECT 'number of types', count(*)::text, '' FROM pg_type WHERE NOT pg_is_other_temp_schema(typnamespace)";

fn fingerprint(client: &mut Client) -> Result<Fingerprint> {
    const OPERATION: &str = "look at";
    let mut found = Fingerprint::new();
    let mut tables = Vec::new();
    for row in client.rows(OBJECTS, OPERATION, "the source")? {
        match row.as_slice() {
            [Some(kind), Some(schema), Some(name)] if kind == "table" => {
                let label = format!("{schema}.{name}").replace('\'', "''");
                tables.push(format!(
                    "SELECT 'table {label}', count(*)::text || ' rows, ' || coalesce(sum(hashtextextended(
                       concat_ws(' ', t.ctid, t.xmin, t.xmax, t::text), 0)), 0)::text FROM ONLY {}.{} t",
                    quote(schema),
                    quote(name)
                ));
            }
            [Some(kind), Some(schema), Some(name)] => {
                found.insert(format!("{kind} {name}").trim_end().to_owned(), schema.clone());
            }
            _ => {}
        }
    }
    if tables.is_empty() {
        return Ok(found);
    }
    for row in client.rows(tables.join(" UNION ALL "), OPERATION, "the source")? {
        if let [Some(object), Some(facts)] = row.as_slice() {
            found.insert(object.clone(), facts.clone());
        }
    }
    Ok(found)
}
