//! The session history of an editor that runs coding agents side by side, on the layout and the schema of
//! `migrations/sessions`, in whichever mode its store is: JSON files, files and SQLite, SQLite alone.
//!
//! ```no_run
//! use whimbrel::apps::sessions::{InstanceStatus, SessionStore};
//! use whimbrel::store::Place;
//!
//! fn main() -> whimbrel::Result<()> {
//!     let place = Place { layout: "migrations/sessions/layout.toml".into(), tree: ".ait42".into(), file: "sessions.db".into() };
//!     let store = SessionStore::open(place)?;
//!     for session in store.list("/srv/app")? {
//!         println!("{} {}", session.status, session.task);
//!     }
//!     store.set_instance_status("/srv/app", "comp-1", 0, InstanceStatus::Completed)?;
//!     Ok(())
//! }
//! ```
//!
//! Every operation names the workspace by its path, as the application's commands do; which files and rows that is, `Workspace`
//! tells. A session is written as a whole, by compare-and-swap: who was slower begins anew, so that no change is lost. A store
//! may be used from several threads, and several processes may have the same place open. Every call blocks.

mod archive;
mod model;
mod rows;
mod validation;
mod workspace;

use std::fmt;
use std::sync::Arc;

use rusqlite::Connection;
use serde::Serialize;
use serde_json::{Map, Value};

pub use archive::{ArchivedJson, KEPT_DAYS};
pub use model::{
    Instance, InstanceStatus, Message, Role, Runtime, Session, SessionStatus, SessionSummary, SessionType,
};
pub use validation::Validation;
pub use workspace::{HashedPath, Workspace};

use crate::apps::columns::{record, typed};
use crate::apps::field::{now_ms, rfc_3339};
use crate::error::Context;
use crate::schema::Migrations;
use crate::store::{Expected, Mode, Modes, OpenStore, Outcome, Place, Record, Side, Store};
use crate::{Error, Result};

const TABLE: &str = "sessions";
const READING: &str = "read sessions of";
const UPDATING: &str = "update session";

/// How many pages `optimize` gives back at most, where the file keeps them for that.
const PAGES_GIVEN_BACK: u32 = 100;

/// The store. A clone is the same store.
#[derive(Clone)]
pub struct SessionStore {
    store: Arc<OpenStore>,
    place: Place,
    clock: Arc<dyn Fn() -> i64 + Send + Sync>,
}

impl fmt::Debug for SessionStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionStore").field("place", &self.place).finish_non_exhaustive()
    }
}

/// How much there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Statistics {
    /// Sessions of all workspaces.
    pub session_count: u64,
    /// Their instances.
    pub instance_count: u64,
    /// Their messages.
    pub message_count: u64,
    /// The size of the SQLite file in bytes; none where rows are not kept yet.
    pub database_size_bytes: Option<u64>,
    /// Where it is.
    pub database_path: String,
}

/// Behind which session a page begins: the last one of the page before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageKey {
    /// When that was created.
    pub created_at: String,
    /// Its id.
    pub id: String,
}

impl From<&SessionSummary> for PageKey {
    fn from(last: &SessionSummary) -> Self {
        PageKey { created_at: last.created_at.clone(), id: last.id.clone() }
    }
}

impl SessionStore {
    /// Opens the place, in the mode that it has.
    ///
    /// # Errors
    /// When the layout, the tree or the file cannot be opened.
    pub fn open(place: Place) -> Result<SessionStore> {
        SessionStore::open_with(place, Arc::new(now_ms))
    }

    /// The same with another clock: what time it is, in milliseconds since 1970.
    ///
    /// # Errors
    /// As [`SessionStore::open`].
    pub fn open_with(place: Place, clock: Arc<dyn Fn() -> i64 + Send + Sync>) -> Result<SessionStore> {
        Ok(SessionStore { store: Arc::new(OpenStore::open(&place)?), place, clock })
    }

    /// The migrations of its SQLite file, as they were when the program was built.
    ///
    /// # Errors
    /// None that a test of this crate would not have found.
    pub fn migrations() -> Result<Migrations> {
        crate::embed_migrations!("migrations/sessions/target"; "0001_initial", "0002_counters", "0003_full_text_search")
    }

    /// The store below, for its mode, health and repair.
    pub fn store(&self) -> &OpenStore {
        &self.store
    }

    /// Adds a session, and the workspace where it is the first one. A debate goes where the application keeps debates.
    ///
    /// # Errors
    /// [`Usage`](crate::error::Kind::Usage) where a field is wrong or the workspace is blank; when there is a session with
    /// that id, or it cannot be written.
    pub fn create(&self, workspace: &str, session: Session) -> Result<Session> {
        const CREATING: &str = "create session";
        session.validate(CREATING)?;
        let workspace = Workspace::at(workspace)?;
        let home = workspace.of_type(session.session_type);
        self.remember(home)?;
        let session = session.in_order();
        match self.store.put(TABLE, &value(&session, &home.hash)?, Expected::Absent)? {
            Outcome::Written(_) => Ok(session),
            Outcome::Changed { .. } => {
                Err(Error::could_not(CREATING, format!("`{}`", session.id), "there is one with this id already"))
            }
        }
    }

    /// Puts a session in the place of the one with its id, with all its instances and messages.
    ///
    /// # Errors
    /// As [`SessionStore::create`]; and when there is none with its id in the workspace.
    pub fn update(&self, workspace: &str, session: Session) -> Result<Session> {
        session.validate(UPDATING)?;
        let session = session.in_order();
        let id = session.id.clone();
        self.change(workspace, &id, move |old| {
            *old = session.clone();
            Ok(())
        })
    }

    /// Changes a session by what `change` makes of it. It is called again where somebody was faster, so that it begins with
    /// what that one has left.
    ///
    /// # Errors
    /// Those of `change`, with nothing written; else as [`SessionStore::update`].
    pub fn change(&self, workspace: &str, id: &str, change: impl Fn(&mut Session) -> Result<()>) -> Result<Session> {
        let workspace = Workspace::at(workspace)?;
        loop {
            let Some(found) = self.find(&workspace, id)? else { return Err(not_found(UPDATING, id)) };
            let hash = found.value.get("workspace_hash").and_then(Value::as_str).unwrap_or_default().to_owned();
            let mut session = session_of(found.value)?;
            change(&mut session)?;
            let session = session.in_order();
            match self.store.put(TABLE, &value(&session, &hash)?, Expected::Version(found.version))? {
                Outcome::Written(_) => return Ok(session),
                Outcome::Changed { .. } => {}
            }
        }
    }

    /// A session with all its instances and messages; none where the workspace has none with that id.
    ///
    /// # Errors
    /// When it cannot be read, or has a value that the application does not know.
    pub fn get(&self, workspace: &str, id: &str) -> Result<Option<Session>> {
        self.find(&Workspace::at(workspace)?, id)?.map(|found| session_of(found.value)).transpose()
    }

    /// The sessions of a workspace with all their instances and messages, the last changed first. A blank workspace has none.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn list(&self, workspace: &str) -> Result<Vec<Session>> {
        let Ok(workspace) = Workspace::at(workspace) else { return Ok(Vec::new()) };
        let hashes = workspace.hashes();
        let of_rows = |connection: &Connection| rows::of_workspace(connection, &hashes);
        if let Some(found) = self.of_rows(&|modes| self.has_rows(modes, &hashes), of_rows)? {
            return Ok(found);
        }
        let mut sessions = Vec::new();
        for hash in hashes {
            for record in self.store.list(TABLE, &[("workspace_hash", hash.into())])? {
                sessions.push(session_of(record.value)?);
            }
        }
        sessions.sort_by(|one, other| other.updated_at.cmp(&one.updated_at).then_with(|| one.id.cmp(&other.id)));
        Ok(sessions)
    }

    /// Removes a session with everything inside it, and tells whether there was one.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn delete(&self, workspace: &str, id: &str) -> Result<bool> {
        let workspace = Workspace::at(workspace)?;
        loop {
            let Some(found) = self.find(&workspace, id)? else { return Ok(false) };
            match self.store.delete(TABLE, &[id.into()], Expected::Version(found.version))? {
                Outcome::Written(_) => return Ok(true),
                Outcome::Changed { .. } => {}
            }
        }
    }

    /// Adds a message to a session; the session is changed now.
    ///
    /// # Errors
    /// [`Usage`](crate::error::Kind::Usage) where its id is empty or that of another message of the session, or it names an
    /// instance that is not there; else as [`SessionStore::change`].
    pub fn add_message(&self, workspace: &str, id: &str, message: Message) -> Result<Session> {
        const ADDING: &str = "add message to session";
        let wrong = |field: &str, cause: String| Err(Error::usage(ADDING, format!("field `{field}`"), cause));
        self.change(workspace, id, |session| {
            if message.id.is_empty() || session.chat_history.iter().any(|one| one.id == message.id) {
                return wrong("id", format!("`{}` is empty, or the id of another message", message.id));
            }
            if let Some(number) = message.instance_id
                && !session.instances.iter().any(|instance| instance.instance_id == number)
            {
                return wrong("instanceId", format!("instance {number} not found in session `{id}`"));
            }
            session.chat_history.push(message.clone());
            session.updated_at = rfc_3339((self.clock)());
            Ok(())
        })
    }

    /// Sets where an instance of a session stands; the session is changed now.
    ///
    /// # Errors
    /// When the session has no instance with that number; else as [`SessionStore::change`].
    pub fn set_instance_status(
        &self,
        workspace: &str,
        id: &str,
        instance_id: u32,
        status: InstanceStatus,
    ) -> Result<Session> {
        self.change(workspace, id, |session| {
            let instance = session.instances.iter_mut().find(|instance| instance.instance_id == instance_id);
            let Some(instance) = instance else {
                let cause = format!("instance {instance_id} not found in session `{id}`");
                return Err(Error::could_not("set the status of an instance of session", format!("`{id}`"), cause));
            };
            instance.status = status;
            session.updated_at = rfc_3339((self.clock)());
            Ok(())
        })
    }

    /// One page of a workspace's sessions, the newest first, from the beginning or behind `after`. A page that is shorter than
    /// `limit` is the last one.
    ///
    /// # Errors
    /// When they cannot be read, or the workspace is blank.
    pub fn page(&self, workspace: &str, after: Option<&PageKey>, limit: u32) -> Result<Vec<SessionSummary>> {
        let workspace = Workspace::at(workspace)?;
        let key = after.map(|key| (key.created_at.as_str(), key.id.as_str()));
        let mut found = Vec::new();
        for hash in workspace.hashes() {
            let of_rows = |connection: &Connection| rows::page(connection, hash, key, limit);
            found.extend(match self.of_rows(&|modes| self.has_rows(modes, &[hash]), of_rows)? {
                Some(rows) => rows,
                None => {
                    let mut all = self.summaries(&[("workspace_hash", hash.into())])?;
                    all.retain(|one| key.is_none_or(|key| (one.created_at.as_str(), one.id.as_str()) < key));
                    all
                }
            });
        }
        Ok(newest(found, limit))
    }

    /// The newest sessions of a type, of every workspace.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn by_type(&self, session_type: SessionType, limit: u32) -> Result<Vec<SessionSummary>> {
        let of_rows = |connection: &Connection| rows::by_type(connection, session_type, limit);
        if let Some(found) = self.of_rows(&has_all_rows, of_rows)? {
            return Ok(found);
        }
        Ok(newest(self.summaries(&[("session_type", session_type.word().into())])?, limit))
    }

    /// The sessions whose task has all these words, of every workspace, the best first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn search(&self, words: &str, limit: u32) -> Result<Vec<SessionSummary>> {
        if let Some(found) = self.of_rows(&has_all_rows, |connection| rows::search(connection, words, limit))? {
            return Ok(found);
        }
        let all = self.summaries(&[])?;
        let search = || rows::search(&rows::searchable(&all)?, words, limit);
        search().could_not("search sessions of", self.object())
    }

    /// How much there is.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn statistics(&self) -> Result<Statistics> {
        let size_bytes = self.read(rows::size_bytes)?;
        let [session_count, instance_count, message_count] = match self.of_rows(&has_all_rows, rows::counts)? {
            Some(counts) => counts,
            None => self.summaries(&[])?.iter().fold([0; 3], |[sessions, instances, messages], one| {
                [sessions + 1, instances + u64::from(one.instance_count), messages + u64::from(one.message_count)]
            }),
        };
        Ok(Statistics {
            session_count,
            instance_count,
            message_count,
            database_size_bytes: size_bytes,
            database_path: self.place.file.display().to_string(),
        })
    }

    /// Renews what SQLite knows of its tables where that is old, and gives free pages back where the file keeps them for that
    /// (`auto_vacuum`). Nothing where rows are not kept yet.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn optimize(&self) -> Result<()> {
        if self.store.modes()?.only() == Some(Mode::Files) {
            return Ok(());
        }
        let optimize = || -> rusqlite::Result<()> {
            let connection = Connection::open(&self.place.file)?;
            connection.busy_timeout(std::time::Duration::from_secs(30))?;
            connection.execute_batch(&format!("PRAGMA optimize; PRAGMA incremental_vacuum({PAGES_GIVEN_BACK})"))
        };
        optimize().could_not("optimize", self.object())
    }

    /// What is found of the SQLite file; none where rows are not kept yet.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn validate(&self) -> Result<Option<Validation>> {
        self.read(Validation::of)
    }

    /// Whether the structure of the SQLite file is sound and every row has its parent. True where rows are not kept yet.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn is_sound(&self) -> Result<bool> {
        Ok(self.read(rows::findings)?.is_none_or(|found| found.is_empty()))
    }

    /// Adds the workspace where it is not known.
    fn remember(&self, home: &HashedPath) -> Result<()> {
        if self.store.get("workspaces", &[home.hash.as_str().into()])?.is_some() {
            return Ok(());
        }
        let mut workspace = Map::new();
        workspace.insert("hash".to_owned(), home.hash.as_str().into());
        workspace.insert("path".to_owned(), home.path.as_str().into());
        // Where somebody was faster it is there.
        self.store.put("workspaces", &workspace, Expected::Absent).map(drop)
    }

    fn find(&self, workspace: &Workspace, id: &str) -> Result<Option<Record>> {
        for hash in workspace.hashes() {
            let found = self.store.list(TABLE, &[("workspace_hash", hash.into()), ("id", id.into())])?;
            if let Some(found) = found.into_iter().next() {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn summaries(&self, matching: &[(&str, Value)]) -> Result<Vec<SessionSummary>> {
        let records = self.store.list(TABLE, matching)?.into_iter();
        records
            .map(|record| {
                let hash = record.value.get("workspace_hash").and_then(Value::as_str).unwrap_or_default().to_owned();
                Ok(session_of(record.value)?.summary(&hash))
            })
            .collect()
    }

    /// Whether rows are the truth for the sessions under all these hashes.
    fn has_rows(&self, modes: &Modes, hashes: &[&str]) -> bool {
        let of = |hash: &&str| modes.of(self.store.layout(), &format!("sessions/{hash}.json"));
        match modes.only() {
            Some(mode) => mode.truth() == Side::Rows,
            None => hashes.iter().all(|hash| of(hash).truth() == Side::Rows),
        }
    }

    /// Reads rows where they are the truth, and again where the modes were changed meanwhile; none where files are.
    fn of_rows<T>(
        &self,
        are_truth: &dyn Fn(&Modes) -> bool,
        job: impl Fn(&Connection) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        let mut modes = self.store.modes()?;
        while are_truth(&modes) {
            let found = self.read(&job)?;
            let now = self.store.modes()?;
            if now == modes {
                return Ok(found);
            }
            modes = now;
        }
        Ok(None)
    }

    fn read<T>(&self, job: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<Option<T>> {
        self.store.sql(job).map_err(|error| error.while_doing(READING))
    }

    fn object(&self) -> String {
        format!("`{}`", self.place.file.display())
    }
}

/// Whether rows are the truth for all sessions.
fn has_all_rows(modes: &Modes) -> bool {
    modes.all().iter().all(|mode| mode.truth() == Side::Rows)
}

fn value(session: &Session, hash: &str) -> Result<Map<String, Value>> {
    let mut columns = record(session, &model::SESSION)?;
    columns.insert("workspace_hash".to_owned(), hash.into());
    Ok(columns)
}

fn session_of(mut columns: Map<String, Value>) -> Result<Session> {
    columns.remove("workspace_hash");
    let id = columns.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    typed::<Session>(columns, &model::SESSION, "read session", format!("`{id}`")).map(Session::in_order)
}

fn newest(mut found: Vec<SessionSummary>, limit: u32) -> Vec<SessionSummary> {
    found.sort_by(|one, other| (&other.created_at, &other.id).cmp(&(&one.created_at, &one.id)));
    found.truncate(limit as usize);
    found
}

fn not_found(operation: &str, id: &str) -> Error {
    Error::could_not(operation, format!("`{id}`"), format!("session `{id}` not found in this workspace"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_migrations_are_those_of_the_project() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sessions/target");
        SessionStore::migrations().unwrap().expect_same_as_dir(folder).unwrap();
    }

    /// The names of the application's keys are those of the layout.
    #[test]
    fn what_is_written_is_the_applications_json_in_its_order() {
        let session = Session {
            id: "comp-1".to_owned(),
            session_type: SessionType::Competition,
            task: "Build it".to_owned(),
            status: SessionStatus::Running,
            created_at: "2025-01-13T12:00:00Z".to_owned(),
            updated_at: "2025-01-13T12:00:00Z".to_owned(),
            completed_at: None,
            instances: vec![Instance {
                instance_id: 0,
                worktree_path: "/w".to_owned(),
                branch: "b".to_owned(),
                agent_name: "a".to_owned(),
                status: InstanceStatus::Idle,
                tmux_session_id: "t".to_owned(),
                output: None,
                start_time: None,
                end_time: None,
                files_changed: None,
                lines_added: None,
                lines_deleted: None,
                runtime: Some(Runtime::Claude),
                model: None,
                runtime_label: None,
                extra: Map::new(),
            }],
            chat_history: Vec::new(),
            model: None,
            timeout_seconds: Some(0),
            preserve_worktrees: None,
            winner_id: None,
            runtime_mix: None,
            total_duration: None,
            total_files_changed: None,
            total_lines_added: None,
            total_lines_deleted: None,
            extra: Map::from_iter([("evaluation".to_owned(), Value::from(3))]),
        };
        let columns = value(&session, "0123456789abcdef").unwrap();
        assert_eq!(columns["extra"]["evaluation"], 3);
        assert_eq!(columns["instances"][0]["agent_name"], "a");
        assert_eq!(session_of(columns).unwrap(), session);
        let text = serde_json::to_string(&session).unwrap();
        assert_eq!(
            text,
            "{\"id\":\"comp-1\",\"type\":\"competition\",\"task\":\"Build it\",\"status\":\"running\",\
             \"createdAt\":\"2025-01-13T12:00:00Z\",\"updatedAt\":\"2025-01-13T12:00:00Z\",\"completedAt\":null,\
             \"instances\":[{\"instanceId\":0,\"worktreePath\":\"/w\",\"branch\":\"b\",\"agentName\":\"a\",\
             \"status\":\"idle\",\"tmuxSessionId\":\"t\",\"output\":null,\"startTime\":null,\"endTime\":null,\
             \"filesChanged\":null,\"linesAdded\":null,\"linesDeleted\":null,\"runtime\":\"claude\",\"model\":null,\
             \"runtimeLabel\":null}],\"chatHistory\":[],\"model\":null,\"timeoutSeconds\":0,\"preserveWorktrees\":null,\
             \"winnerId\":null,\"runtimeMix\":null,\"totalDuration\":null,\"totalFilesChanged\":null,\
             \"totalLinesAdded\":null,\"totalLinesDeleted\":null,\"evaluation\":3}"
        );
        assert_eq!(serde_json::from_str::<Session>(&text).unwrap(), session);
        let error = session_of(Map::from_iter([("id".to_owned(), "x".into())])).unwrap_err();
        assert!(error.object().contains("`x`"), "{error}");
    }
}
