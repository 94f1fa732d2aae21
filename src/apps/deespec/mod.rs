//! Specifications that are worked on in turns, on the layouts and the schema of `migrations/deespec`, in whichever mode their store
//! is: tasks, runs, configuration, journal, and the one state of the workspace with its version and its lease.
//!
//! The layout of the place says which form the tree has: the application's own, or the one of its migration document, which has no
//! state of the workspace (`state` is then none).
//!
//! [`cut_over`] and [`step_back`] are the document's two scripts.

mod model;
mod moving;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use serde_json::{Map, Value};

pub use model::{Decision, Entry, Run, State, Status, Step, Task};
pub use moving::{Moved, cut_over, step_back};

use crate::apps::columns::{record, typed};
use crate::apps::field::{now_ms, refused, rfc_3339};
use crate::cancel::Cancel;
use crate::endpoint::files::layout::TableLayout;
use crate::endpoint::sqlite::SqliteSource;
use crate::endpoint::sqlite::staging::random;
use crate::error::Context;
use crate::event::nobody;
use crate::schema::Migrations;
use crate::store::health::health;
use crate::store::{Expected, Gates, Health, OpenStore, Outcome, Place, Record, Side, Store};
use crate::to_files;
use crate::verify::Level;
use crate::{Error, Result};

/// The key of the state among the configuration.
const STATE: &str = "var/state.json";

/// How long a lease is, in milliseconds, as the application has it.
pub const LEASE_MS: i64 = 8 * 60 * 1000;

/// The forms that the tree has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The application's own: one state of the workspace, one journal of lines.
    Application,
    /// The one of its migration document: a state for each task, a journal of files.
    Document,
}

/// The store. A clone is the same store.
#[derive(Clone)]
pub struct DeespecStore {
    store: Arc<OpenStore>,
    form: Form,
    place: Place,
    clock: Arc<dyn Fn() -> i64 + Send + Sync>,
}

impl fmt::Debug for DeespecStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeespecStore").field("place", &self.place).finish_non_exhaustive()
    }
}

impl DeespecStore {
    /// Opens the place, in the mode that it has.
    ///
    /// # Errors
    /// When the layout, the tree or the file cannot be opened.
    pub fn open(place: Place) -> Result<DeespecStore> {
        DeespecStore::open_with(place, Arc::new(now_ms))
    }

    /// The same with another clock: what time it is, in milliseconds since 1970.
    ///
    /// # Errors
    /// As [`DeespecStore::open`].
    pub fn open_with(place: Place, clock: Arc<dyn Fn() -> i64 + Send + Sync>) -> Result<DeespecStore> {
        let store = OpenStore::open(&place)?;
        let layout = store.layout().layout;
        let journal = layout.tables.iter().find(|table| table.name == "audit_log");
        let counts = |table: &TableLayout| table.key.iter().any(|place| table.columns[*place].name == "id");
        let form = if journal.is_some_and(counts) { Form::Application } else { Form::Document };
        Ok(DeespecStore { store: Arc::new(store), form, place, clock })
    }

    /// The form that its tree has.
    pub fn form(&self) -> Form {
        self.form
    }

    /// The migrations of its SQLite file, as they were when the program was built.
    ///
    /// # Errors
    /// None that a test of this crate would not have found.
    pub fn migrations() -> Result<Migrations> {
        crate::embed_migrations!("migrations/deespec/target"; "0001_initial", "0002_faster_lists", "0003_recent_runs")
    }

    /// The store below, for its mode, health and repair.
    pub fn store(&self) -> &OpenStore {
        &self.store
    }

    /// Adds a task.
    ///
    /// # Errors
    /// [`Usage`](crate::error::Kind::Usage) where its id is none; when there is one with it, or it cannot be written. While files
    /// are kept, which do not say it, the status can only be READY.
    pub fn create_task(&self, task: Task) -> Result<Task> {
        const CREATING: &str = "create task";
        is_id(CREATING, &task.id)?;
        match self.store.put("sbi", &task_value(&task)?, Expected::Absent)? {
            Outcome::Written(_) => Ok(task),
            Outcome::Changed { .. } => {
                Err(Error::could_not(CREATING, format!("`{}`", task.id), "there is one with this id already"))
            }
        }
    }

    /// A task; none where there is none with that id.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn task(&self, id: &str) -> Result<Option<Task>> {
        self.store.get("sbi", &[id.into()])?.map(task_of).transpose()
    }

    /// The tasks, those in that status alone where one is given: first the greatest priority, then by their ids, as they are
    /// picked.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn tasks(&self, status: Option<Status>) -> Result<Vec<Task>> {
        let matching: Vec<_> = status.iter().map(|status| ("status", Value::from(status.word()))).collect();
        let mut tasks = self.store.list("sbi", &matching)?.into_iter().map(task_of).collect::<Result<Vec<_>>>()?;
        tasks.sort_by(|one, other| other.priority.cmp(&one.priority).then_with(|| one.id.cmp(&other.id)));
        Ok(tasks)
    }

    /// Changes a task by what `change` makes of it; it is called again where somebody was faster. The task is changed now.
    ///
    /// # Errors
    /// Those of `change`, with nothing written; when there is no such task, or it cannot be written.
    pub fn change_task(&self, id: &str, change: impl Fn(&mut Task) -> Result<()>) -> Result<Task> {
        const CHANGING: &str = "change task";
        loop {
            let Some(found) = self.store.get("sbi", &[id.into()])? else {
                return Err(Error::could_not(CHANGING, format!("`{id}`"), "there is no such task"));
            };
            let version = found.version;
            let mut task = task_of(found)?;
            change(&mut task)?;
            task.updated_at = rfc_3339((self.clock)());
            match self.store.put("sbi", &task_value(&task)?, Expected::Version(version))? {
                Outcome::Written(_) => return Ok(task),
                Outcome::Changed { .. } => {}
            }
        }
    }

    /// Adds what a step of a turn has written, or puts it in the place of what the same attempt had written before.
    ///
    /// # Errors
    /// When its task is not there while rows are kept, or it cannot be written.
    pub fn record_run(&self, run: &Run) -> Result<()> {
        const RECORDING: &str = "record run";
        if run.attempt == 0 {
            return Err(refused(RECORDING, "attempt", 0, "a number from 1"));
        }
        self.store.put("execution", &record(run, &model::RUN)?, Expected::Anything)?.written().map(drop)
    }

    /// The runs of a task, by turn, step and attempt.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn runs(&self, task: &str) -> Result<Vec<Run>> {
        let found = self.store.list("execution", &[("sbi_id", task.into())])?.into_iter();
        let runs = found.map(|record| typed::<Run>(record.value, &model::RUN, "read runs of", format!("`{task}`")));
        let mut runs = runs.collect::<Result<Vec<_>>>()?;
        runs.sort_by_key(|run| (run.turn, run.step as u8, run.attempt));
        Ok(runs)
    }

    /// A setting; none where there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn setting(&self, key: &str) -> Result<Option<Value>> {
        Ok(self.store.get("config", &[key.into()])?.and_then(|mut found| found.value.remove("value")))
    }

    /// Sets a setting; in the file, all other keys stay as they are.
    ///
    /// # Errors
    /// [`Usage`](crate::error::Kind::Usage) where the key is empty or that of the state; when it cannot be written.
    pub fn set_setting(&self, key: &str, value: Value) -> Result<()> {
        const SETTING: &str = "set setting";
        if key.is_empty() || key == STATE {
            return Err(refused(SETTING, "key", key, "the name of a setting"));
        }
        self.store.put("config", &config(key, value), Expected::Anything)?.written().map(drop)
    }

    /// Adds something to the journal, and gives its name: `line-` and its number from 0; in the document's form its day, its transaction
    /// and the name of its file, which are new ones where it names none.
    ///
    /// # Errors
    /// When it says what such a journal has no place for, or cannot be written.
    pub fn append(&self, entry: &Entry) -> Result<String> {
        match self.form {
            Form::Application => self.append_line(entry),
            Form::Document => {
                let mut file = record(entry, &model::FILE)?;
                let new = || {
                    let day = entry.ts.get(..10).unwrap_or_default();
                    Value::from(format!("{day}/txn_{:016x}/entry", random()))
                };
                let transaction = file.entry("session_id").or_insert_with(new).as_str().unwrap_or_default().to_owned();
                self.store.put("audit_log", &file, Expected::Absent)?.written()?;
                Ok(transaction)
            }
        }
    }

    fn append_line(&self, entry: &Entry) -> Result<String> {
        loop {
            let id = self.lines()?;
            let name = format!("line-{id}");
            let mut line = record(entry, &model::LINE)?;
            line.insert("id".to_owned(), id.into());
            for (column, value) in [("entity_type", "journal"), ("entity_id", &name)] {
                line.insert(column.to_owned(), value.into());
            }
            match self.store.put("audit_log", &line, Expected::Absent)? {
                Outcome::Written(_) => return Ok(name),
                Outcome::Changed { .. } => {}
            }
        }
    }

    /// The journal, line by line; in the document's form by day, transaction and name.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn journal(&self) -> Result<Vec<Entry>> {
        let found = self.store.list("audit_log", &[])?.into_iter();
        let names = match self.form {
            Form::Application => &model::LINE,
            Form::Document => &model::FILE,
        };
        found
            .map(|mut record| {
                if self.form == Form::Application {
                    // What every line of the journal says alike.
                    ["id", "entity_type", "entity_id"].iter().for_each(|column| drop(record.value.remove(*column)));
                }
                record.value.retain(|_, value| !value.is_null());
                typed::<Entry>(record.value, names, "read the journal of", self.object())
            })
            .collect()
    }

    /// The state of the workspace; none where there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn state(&self) -> Result<Option<State>> {
        self.store.get("config", &[STATE.into()])?.map(|found| self.state_of(found)).transpose()
    }

    /// Saves the state that was read in this version, or the first one. Gives it with its new version.
    ///
    /// # Errors
    /// When somebody has saved another one meanwhile: nothing is changed then; or it cannot be written.
    pub fn save_state(&self, mut state: State) -> Result<State> {
        const SAVING: &str = "save the state of";
        let read = state.version;
        state.version += 1;
        let updated_at = rfc_3339((self.clock)());
        match state.extra.entry("meta").or_insert_with(|| Value::Object(Map::new())) {
            Value::Object(meta) => drop(meta.insert("updated_at".to_owned(), updated_at.into())),
            _ => return Err(refused(SAVING, "meta", "it", "an object")),
        }
        let value = serde_json::to_value(&state).could_not(SAVING, self.object())?;
        loop {
            let found = self.store.get("config", &[STATE.into()])?;
            let expected = found.as_ref().map_or(Expected::Absent, |found| Expected::Version(found.version));
            if let Some(found) = found {
                let now = self.state_of(found)?.version;
                if now != read {
                    let cause = format!("it has version {now} by now, and this change began with {read}");
                    return Err(Error::could_not(SAVING, self.object(), cause).hint("read it again, and change that"));
                }
            }
            match self.store.put("config", &config(STATE, value.clone()), expected)? {
                Outcome::Written(_) => return Ok(state),
                // Its bytes may have changed and its version not; what counts is the version.
                Outcome::Changed { .. } => {}
            }
        }
    }

    /// Takes the task for [`LEASE_MS`], where nobody has another one; the same one is taken anew.
    ///
    /// # Errors
    /// When somebody has another task for himself; when there is no state, somebody saves another one meanwhile, or it cannot
    /// be written.
    pub fn lease(&self, task: &str) -> Result<State> {
        const LEASING: &str = "lease task";
        let Some(mut state) = self.state()? else {
            return Err(Error::could_not(LEASING, format!("`{task}`"), "the workspace has no state"));
        };
        let now_ms = (self.clock)();
        if state.wip != task && state.is_leased(now_ms) {
            let cause = format!("`{}` is worked on until {}", state.wip, state.lease_expires_at);
            return Err(Error::could_not(LEASING, format!("`{task}`"), cause).hint("wait until that is over"));
        }
        state.lease(task, now_ms + LEASE_MS);
        self.save_state(state)
    }

    /// How it is: the store, and whether the file has the schema that this program was built for.
    ///
    /// # Errors
    /// When what the store keeps beside its records cannot be read.
    pub fn check(&self) -> Result<Checked> {
        use rusqlite::OptionalExtension;
        let health = health(&self.store, &Gates::default())?;
        let sql = "SELECT value FROM schema_info WHERE key = 'version'";
        let version = |connection: &Connection| connection.query_row(sql, [], |row| row.get::<_, String>(0)).optional();
        let schema =
            if health.rows_error.is_none() { self.store.sql(version)?.map(Option::unwrap_or_default) } else { None };
        let expected = DeespecStore::migrations()?.iter().map(|one| one.version).max().unwrap_or(0).to_string();
        Ok(Checked { health, schema, expected })
    }

    /// Makes a tree of the rows, in the form that the layout says; what is there is archived beside it first.
    ///
    /// # Errors
    /// When the rows cannot be read, or the tree cannot be made: then nothing was changed.
    pub fn export(&self, tree: &Path) -> Result<()> {
        let cancel = Cancel::new();
        let mut source = SqliteSource::open(&self.place.file, &cancel)?;
        let job = to_files::Job {
            target: tree.to_owned(),
            layout: self.store.layout().file.clone(),
            level: Level::default(),
            dry_run: false,
            backup_directory: None,
        };
        to_files::migrate(&mut source, &job, &cancel, &nobody)?.ensure_published()
    }

    fn state_of(&self, mut found: Record) -> Result<State> {
        let value = found.value.remove("value").unwrap_or_default();
        serde_json::from_value(value).could_not("read the state of", self.object())
    }

    /// How many lines the journal has.
    fn lines(&self) -> Result<u64> {
        let count = |connection: &Connection| {
            let sql = "SELECT coalesce(max(id) + 1, 0) FROM audit_log";
            connection.prepare_cached(sql)?.query_row([], |row| row.get::<_, i64>(0))
        };
        if self.store.modes()?.all().iter().all(|mode| mode.truth() == Side::Rows)
            && let Some(lines) = self.store.sql(count)?
        {
            return Ok(lines.unsigned_abs());
        }
        Ok(self.store.list("audit_log", &[])?.len() as u64)
    }

    fn object(&self) -> String {
        format!("`{}`", self.place.tree.display())
    }
}

/// How a store is.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// The store.
    pub health: Health,
    /// The version that the file says of its schema; none where rows are not kept, or cannot be read.
    pub schema: Option<String>,
    /// The one that this program was built for.
    pub expected: String,
}

impl Checked {
    /// An error where something is wrong.
    ///
    /// # Errors
    /// As [`Health::ensure_well`]; when the schema is another one.
    pub fn ensure_well(&self, file: &Path) -> Result<()> {
        self.health.ensure_well(file)?;
        match &self.schema {
            Some(schema) if *schema != self.expected => {
                let cause =
                    format!("its schema has version `{schema}`, and this program was built for {}", self.expected);
                Err(Error::differs("check", format!("`{}`", file.display()), cause)
                    .hint("bring it there with `whimbrel schema up`"))
            }
            _ => Ok(()),
        }
    }
}

fn config(key: &str, value: Value) -> Map<String, Value> {
    Map::from_iter([("key".to_owned(), key.into()), ("value".to_owned(), value)])
}

fn is_id(operation: &str, id: &str) -> Result<()> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.');
    match id.strip_prefix("SBI-").is_some_and(|rest| !rest.is_empty() && rest.chars().all(is_part)) {
        true => Ok(()),
        false => Err(refused(operation, "id", id, "`SBI-` with letters, digits, `-`, `_` or `.` behind it")),
    }
}

fn task_value(task: &Task) -> Result<Map<String, Value>> {
    let mut columns = record(task, &model::TASK)?;
    columns.entry("task_id").or_insert_with(|| task.id.as_str().into());
    Ok(columns)
}

fn task_of(mut found: Record) -> Result<Task> {
    // A task may have a specification and nothing else.
    found.value.retain(|_, value| !value.is_null());
    let id = found.value.get("id").cloned().unwrap_or_default();
    if found.value.get("task_id") == Some(&id) {
        found.value.remove("task_id");
    }
    typed(found.value, &model::TASK, "read task", format!("`{}`", id.as_str().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_migrations_are_those_of_the_project() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/deespec/target");
        DeespecStore::migrations().unwrap().expect_same_as_dir(folder).unwrap();
    }

    #[test]
    fn an_id_is_one_that_a_path_can_have() {
        for id in ["SBI-01HZZZZZZZZZZZZZZZZZZZZZZZ", "SBI-TX-001"] {
            is_id("create task", id).unwrap();
        }
        for id in ["", "SBI-", "SBI-a/b", "SBI-..\u{0}", "TASK-1"] {
            assert!(is_id("create task", id).is_err(), "{id}");
        }
    }
}
