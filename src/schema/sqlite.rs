//! The SQLite side of the runner: one connection, one lock file, one transaction per migration.
//!
//! Invariants: foreign keys and `legacy_alter_table` are off between `lock` and `unlock` and what they were before and after; a transaction
//! that begins here is committed with its history row or rolled back before the function returns; nothing is created
//! until something is to be applied.

mod apply;
mod guard;
mod integrity;
mod kept;
mod lock;
mod planted;
mod rename;
mod sound;
mod watch;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::database::{Database, Outcome, RunnerOptions};
use super::drift::{self, Object};
use super::event::{Observer, StepReport};
use super::files::Migrations;
use super::history::{self, Change, Entry, EntryState, ForeignEntry, Known, NewEntry, OtherHistory};
use super::plan::{Facts, Request, Step, To, plan};
use super::step::{counted, row};
use super::tokens::Dialect;
use crate::endpoint::findings::Depth;
use crate::endpoint::sqlite::file::{path_of, shown};
use crate::endpoint::sqlite::pragma;
use crate::endpoint::sqlite::structure;
use crate::error::Context;
use crate::{Error, Result};

use guard::Violations;
use lock::RunLock;
use watch::Watch;

/// The file name that means a database in memory.
const MEMORY: &str = ":memory:";

/// How many findings of each of SQLite's own checks `validate` names; the rest it counts.
const PROBLEMS_TOLD: usize = 100;

/// A SQLite file that is being migrated.
pub(crate) struct Sqlite {
    path: PathBuf,
    endpoint: String,
    options: RunnerOptions,
    connection: Option<Connection>,
    lock: Option<RunLock>,
    watch: Watch,
    /// What the history said when the plan was made, and what steps made of it since.
    known: Known,
    has_history: bool,
    /// SQLite's own counter of other connections' commits, read before `known`.
    data_version: i64,
    /// The application's settings while ours are in their place.
    settings_before: Vec<(&'static str, bool)>,
    /// Whether the file was found sound, or is not to be looked at, since the lock was taken.
    is_checked: bool,
    /// The foreign keys that were broken then, and are to be repaired by the first script.
    keys_before: Violations,
}

/// What is off while scripts run: a table that is rebuilt must not delete its children, and a renamed one keeps what
/// refers to it.
const OFF: [&str; 2] = ["foreign_keys", "legacy_alter_table"];

impl Sqlite {
    /// Remembers where the file is; opens nothing.
    pub(crate) fn new(path: &Path, options: RunnerOptions) -> Sqlite {
        Sqlite {
            path: path.to_owned(),
            endpoint: shown(path),
            options,
            connection: None,
            lock: None,
            watch: Watch::default(),
            known: Known::default(),
            has_history: false,
            data_version: 0,
            settings_before: Vec::new(),
            is_checked: false,
            keys_before: Violations::default(),
        }
    }

    /// Works on a connection that somebody else has opened.
    pub(crate) fn on(connection: Connection, options: RunnerOptions) -> Sqlite {
        let path = path_of(&connection).unwrap_or_else(|| PathBuf::from(MEMORY));
        let mut database = Sqlite::new(&path, options);
        database.connection = Some(connection);
        database
    }

    fn is_memory(&self) -> bool {
        self.path.as_os_str() == MEMORY
    }

    fn object(&self) -> String {
        format!("`{}`", self.endpoint)
    }

    /// The connection; nothing where the file does not exist.
    fn existing(&mut self) -> Result<Option<&Connection>> {
        if self.connection.is_none() {
            if !self.is_memory() && !self.path.exists() {
                return Ok(None);
            }
            self.connection = Some(self.open(OpenFlags::SQLITE_OPEN_READ_WRITE)?);
        }
        Ok(self.connection.as_ref())
    }

    /// The connection, to a new file where there is none. A dry run of a file that does not exist stays in memory.
    fn created(&mut self) -> Result<&Connection> {
        if self.existing()?.is_none() {
            let connection = if self.options.dry_run {
                Connection::open_in_memory().could_not("open database", MEMORY)?
            } else {
                self.open(OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?
            };
            self.connection = Some(connection);
        }
        self.opened()
    }

    fn opened(&self) -> Result<&Connection> {
        self.connection.as_ref().ok_or_else(|| Error::could_not("open database", self.object(), "it does not exist"))
    }

    fn open(&self, flags: OpenFlags) -> Result<Connection> {
        let connection = Connection::open_with_flags(&self.path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .could_not("open database", self.object())?;
        // SQLite counts milliseconds in 32 bits; rusqlite panics on more.
        let timeout = self.options.lock_timeout.min(Duration::from_millis(2_147_483_647));
        connection.busy_timeout(timeout).could_not("open database", self.object())?;
        Ok(connection)
    }

    fn table(&self) -> &str {
        &self.options.history_table
    }

    /// Whether another program has changed the history since it was read. Cheap where nothing was committed at all.
    fn is_stale(&mut self) -> Result<bool> {
        let now = data_version(self.opened()?)?;
        if now == self.data_version {
            return Ok(false);
        }
        let entries = history::sqlite::read(self.opened()?, self.table())?;
        let stale = entries.is_some() != self.has_history || Known::of(&entries.unwrap_or_default()) != self.known;
        if !stale {
            self.data_version = now;
        }
        Ok(stale)
    }

    /// Looks at the file once before the first script of a run, so that nobody takes old damage for its doing.
    fn check_before(&mut self, step: &Step) -> Result<()> {
        if self.is_checked || !self.options.check_integrity {
            return Ok(());
        }
        let connection = self.opened()?;
        integrity::expect_sound_file(connection, &self.object(), &step.label())?;
        self.keys_before = guard::foreign_key_violations(connection)?;
        self.is_checked = true;
        Ok(())
    }
}

/// The counter that changes when another connection has committed.
fn data_version(connection: &Connection) -> Result<i64> {
    let mut statement = connection.prepare_cached("PRAGMA data_version").could_not("read", "data version")?;
    statement.query_row([], |row| row.get(0)).could_not("read", "data version")
}

impl Database for Sqlite {
    fn endpoint(&self) -> &str {
        &self.endpoint
    }

    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn history(&mut self) -> Result<Vec<Entry>> {
        let table = self.options.history_table.clone();
        let object = self.object();
        let Some(connection) = self.existing()? else { return Ok(Vec::new()) };
        // First the counter: a commit between the two reads is then seen as one that the plan does not know.
        let version =
            data_version(connection).map_err(|error| Error::could_not("read database", &object, error.cause()))?;
        let entries = history::sqlite::read(connection, &table)?;
        self.data_version = version;
        self.has_history = entries.is_some();
        let entries = entries.unwrap_or_default();
        self.known = Known::of(&entries);
        Ok(entries)
    }

    fn lock(&mut self, observe: &mut Observer<'_>) -> Result<()> {
        let stays_in_memory = self.is_memory() || (self.options.dry_run && !self.path.exists());
        if !stays_in_memory {
            self.lock = Some(RunLock::take(&self.path, self.options.runner_timeout, observe)?);
        }
        if !self.created()?.is_autocommit() {
            return Err(Error::could_not("run migrations on", self.object(), "the connection is inside a transaction")
                .hint("commit it or roll it back first: each migration is a transaction of its own"));
        }
        self.watch.install(self.opened()?, self.table()).could_not("watch statements on", self.object())?;
        (self.is_checked, self.keys_before) = (false, Violations::default());
        for name in OFF {
            let on = self.opened()?.pragma_query_value(None, name, |row| row.get(0));
            let on = on.could_not("read settings of", self.object())?;
            self.settings_before.push((name, on));
            pragma::set(self.opened()?, name, 0).could_not("change settings of", self.object())?;
        }
        Ok(())
    }

    fn unlock(&mut self) -> Result<()> {
        let restored = std::mem::take(&mut self.settings_before).into_iter().try_for_each(|(name, on)| {
            pragma::set(self.opened()?, name, u8::from(on)).could_not("change settings of", self.object())
        });
        let left = self.connection.as_ref().map_or(Ok(()), Watch::remove);
        self.lock = None;
        restored.and(left.could_not("stop watching statements on", self.object()))
    }

    fn tidy(&mut self) {
        if !self.is_memory() {
            RunLock::remove_left_over(&self.path);
        }
    }

    fn run(&mut self, step: &Step, observe: &mut Observer<'_>) -> Result<Outcome> {
        self.check_before(step)?;
        if step.script.header.no_transaction {
            self.run_by_statement(step, observe)
        } else {
            self.run_whole(step, observe)
        }
    }

    fn confirm(&mut self) -> Result<()> {
        let entries = history::sqlite::read(self.opened()?, self.table())?.unwrap_or_default();
        self.known.expect(&format!("`{}`", self.table()), &entries)
    }

    fn rehearse(&mut self, steps: &[Step], observe: &mut Observer<'_>) -> Result<Vec<StepReport>> {
        let (had_history, known) = (self.has_history, self.known.clone());
        if let Some(first) = steps.first() {
            self.check_before(first)?;
        }
        self.begin(observe)?;
        let run = steps.iter().map(|step| self.inside(step, observe)).collect();
        self.roll_back()?;
        (self.has_history, self.known) = (had_history, known);
        run
    }

    fn record_repair(&mut self, step: &Step, remark: &str) -> Result<()> {
        let row = NewEntry { duration_ms: 0, remarks: remark, ..row(step, EntryState::Applied, 0) };
        self.begin(&mut |_| {})?;
        let settled = self.record(step.version, &Change::Settle(row));
        self.finish(settled)
    }

    fn sqlx_history(&mut self) -> Result<Option<Vec<ForeignEntry>>> {
        let Some(connection) = self.existing()? else { return Ok(None) };
        let rows = history::sqlite::read_sqlx(connection)?;
        Ok(rows.map(|rows| {
            rows.into_iter()
                .map(|row| ForeignEntry {
                    version: row.version,
                    applied_at: row.installed_on,
                    success: row.success,
                    checksum: row.checksum,
                    duration_ms: row.execution_time_ns / 1_000_000,
                })
                .collect()
        }))
    }

    fn other_history(&mut self) -> Result<Option<OtherHistory>> {
        let (table, object) = (self.options.history_table.clone(), self.object());
        let Some(connection) = self.existing()? else { return Ok(None) };
        let other = history::sqlite::other(connection, &table);
        other.map_err(|error| Error::could_not("read database", object, error.cause()))
    }

    fn record_adopted(
        &mut self,
        rows: &[(Step, ForeignEntry)],
        remark: &str,
        in_the_way: Option<&OtherHistory>,
    ) -> Result<()> {
        self.begin(&mut |_| {})?;
        let free = in_the_way.map_or(Ok(()), |other| history::sqlite::put_aside(self.opened()?, other));
        let written = free.and_then(|()| {
            rows.iter().try_for_each(|(step, foreign)| {
                let row = NewEntry {
                    applied_at: Some(&foreign.applied_at),
                    remarks: remark,
                    ..row(step, EntryState::Applied, foreign.duration_ms)
                };
                self.record(step.version, &Change::Insert(row))
            })
        });
        self.finish(written)
    }

    fn objects(&mut self) -> Result<Vec<Object>> {
        let table = self.options.history_table.clone();
        match self.existing()? {
            Some(connection) => drift::sqlite::objects(connection, &table),
            None => Ok(Vec::new()),
        }
    }

    fn objects_from_nothing(&mut self, migrations: &Migrations) -> Result<Result<Vec<Object>>> {
        let mut scratch = Sqlite::new(
            Path::new(MEMORY),
            RunnerOptions { dry_run: false, check_integrity: false, ..self.options.clone() },
        );
        scratch.connection = Some(Connection::open_in_memory().could_not("open database", MEMORY)?);
        let facts = Facts { history: &[], migrations, dialect: Dialect::Sqlite, allow_out_of_order: true };
        let steps = match plan(Request::Up(To::Newest), &facts) {
            Ok(steps) => steps,
            Err(error) => return Ok(Err(error)),
        };
        scratch.lock(&mut |_| {})?;
        for step in &steps {
            if let Err(error) = scratch.run(step, &mut |_| {}) {
                return Ok(Err(error));
            }
        }
        scratch.unlock()?;
        scratch.objects().map(Ok)
    }

    fn integrity(&mut self) -> Result<Vec<String>> {
        let object = self.object();
        let Some(connection) = self.existing()? else { return Ok(Vec::new()) };
        let pages = structure::integrity_of(connection, &object, Depth::Full, PROBLEMS_TOLD)?;
        let keys = structure::foreign_keys_of(connection, &object, PROBLEMS_TOLD)?;
        let mut problems = pages.messages;
        let more = pages.total.saturating_sub(problems.len() as u64);
        if more > 0 {
            problems.push(format!("{} of the integrity check", counted(more, "more finding", "more findings")));
        }
        for orphan in &keys.orphans {
            let told = guard::orphan(connection, &orphan.table, orphan.rowid, &orphan.parent);
            problems.push(told.could_not("check foreign keys of", &object)?);
        }
        let more = keys.total.saturating_sub(keys.orphans.len() as u64);
        if more > 0 {
            problems.push(counted(more, "more such row", "more such rows"));
        }
        problems.extend(keys.unusable.iter().map(|reason| format!("foreign keys cannot be checked: {reason}")));
        Ok(problems)
    }

    fn take_connection(&mut self) -> Option<Connection> {
        self.connection.take()
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        // The connection goes first: whoever takes the lock next finds the file without a reader.
        self.connection = None;
        self.lock = None;
    }
}
