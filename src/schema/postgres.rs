//! The PostgreSQL side of the runner: one connection that works, one that holds the lock.
//!
//! Invariants: the lock connection is never in a transaction and never waits inside the server, so a waiting runner
//! holds no snapshot that `CREATE INDEX CONCURRENTLY` would wait for; closing that connection, or dying, releases the
//! lock; a transaction that begins here is committed with its history row or rolled back before the function returns;
//! what the runner asks for itself is found by the pinned search path, and only a script's statements, and what a COMMIT
//! still runs for them, see the path that the role, the database or the script has chosen.

mod apply;
mod bridge;
mod kept;
mod leave_out;
mod lock;
mod record;
mod role;
mod scratch;
#[cfg(feature = "scenarios")]
mod source;

use std::sync::Arc;

use super::database::{Database, Outcome, RunnerOptions};
use super::drift::{self, Object};
use super::event::{Observer, StepReport};
use super::files::Migrations;
use super::history::postgres::HistoryTable;
use super::history::{self, Change, Entry, EntryState, ForeignEntry, Known, NewEntry, OtherHistory};
use super::plan::{Facts, Request, Step, To, plan};
use super::step::row;
use super::tokens::Dialect;
use crate::cancel::Cancel;
use crate::endpoint::PostgresUrl;
use crate::endpoint::postgres::{Access, ChosenPath, Client, Connector, Explained, PIN};
use crate::error::{Error, Kind, Result};
use crate::redact::ESCAPES;

use bridge::{Bridge, Guard};
use role::ChosenRole;
#[cfg(feature = "scenarios")]
pub(crate) use source::create_source;

/// How the server lists the connections of a runner.
const APPLICATION: &str = "whimbrel schema";

/// Has the server end a statement soon after its client is gone, instead of holding its locks to the end; from
/// PostgreSQL 14 on.
const NOTICE_A_DEAD_CLIENT: &str = include_str!("postgres/notice_a_dead_client.sql");

/// A PostgreSQL database that is being migrated.
pub(crate) struct Postgres {
    bridge: Bridge,
    session: Session,
}

/// Everything but the runtime that drives it.
struct Session {
    connector: Connector,
    endpoint: String,
    options: RunnerOptions,
    connection: Option<Client>,
    /// The server's process behind that connection.
    process: i32,
    guard: Arc<Guard>,
    /// Held by its session alone; closing it lets go.
    lock: Option<Client>,
    place: Option<HistoryTable>,
    /// The search path with which each script begins.
    chosen: ChosenPath,
    /// The role with which each script begins, and the runner's own.
    role: ChosenRole,
    /// The search path that the script which runs has reached.
    path: ChosenPath,
    has_history: bool,
    known: Known,
}

impl Postgres {
    /// Reads the URL; connects to nothing.
    pub(crate) fn new(url: &str, options: RunnerOptions) -> Result<Postgres> {
        let (connector, url) = read_url("PostgreSQL URL", url)?;
        let guard = Guard::new(connector.lookout(options.wait_listener.clone()), options.stall_timeout);
        let bridge = Bridge::new(Arc::clone(&guard))?;
        Ok(Postgres { bridge, session: Session::new(connector, url.to_string(), options, guard) })
    }
}

/// How to connect to the database of a URL, and its URL.
fn read_url(what: &str, url: &str) -> Result<(Connector, PostgresUrl)> {
    let url = PostgresUrl::parse(url)?;
    let connector = Connector::new(&url, APPLICATION).map_err(|error| match error.kind() {
        // What is wrong with the environment.
        Kind::Usage => error,
        _ => Error::usage("read", what, "it is not of the form `postgres://user@host:port/database`").hint(ESCAPES),
    })?;
    Ok((connector, url))
}

impl Session {
    fn new(connector: Connector, endpoint: String, options: RunnerOptions, guard: Arc<Guard>) -> Session {
        Session {
            connector,
            process: 0,
            guard,
            endpoint,
            options,
            connection: None,
            lock: None,
            place: None,
            chosen: ChosenPath(String::new()),
            role: ChosenRole("none".to_owned()),
            path: ChosenPath(String::new()),
            has_history: false,
            known: Known::default(),
        }
    }

    fn object(&self) -> String {
        format!("`{}`", self.endpoint)
    }

    /// The connection that works, and where the history is.
    async fn open(&mut self) -> Result<(&mut Client, HistoryTable)> {
        if self.guard.take_broken() {
            self.connection = None;
        }
        if self.connection.is_none() {
            self.guard.lookout.look_at(0);
            let (mut connection, path) = self.connector.connect_beside(&Cancel::new()).await?;
            connection.execute(NOTICE_A_DEAD_CLIENT).await.could_not("connect to", self.object())?;
            let looking = self.guard.lookout.look_at_connection(connection.sqlx()).await;
            self.process = looking.could_not("connect to", self.object())?;
            self.role = ChosenRole::of(&mut connection).await.could_not("connect to", self.object())?;
            (self.chosen, self.path) = (path.clone(), path);
            self.connection = Some(connection);
            self.place = None;
        }
        // A second session, for a database of its own, may have been looked at meanwhile.
        self.guard.lookout.look_at(self.process);
        let object = self.object();
        let Some(connection) = self.connection.as_mut() else {
            return Err(Error::could_not("connect to", object, "the connection is gone"));
        };
        let place = match &self.place {
            Some(place) => place.clone(),
            None => {
                // Where the history is depends on the chosen path; the query finds what it needs in spite of it.
                connection.execute(self.chosen.enter()).await.could_not("ask", &object)?;
                let schema: Option<String> = sqlx::query_scalar(include_str!("postgres/place.sql"))
                    .bind(&self.options.history_table)
                    .fetch_one(connection.sqlx())
                    .await
                    .could_not("ask", &object)?;
                connection.leave().await.could_not("ask", &object)?;
                let schema = schema.unwrap_or_else(|| "public".to_owned());
                self.place.insert(HistoryTable { schema, table: self.options.history_table.clone() }).clone()
            }
        };
        Ok((connection, place))
    }

    /// Makes the script's search path the session's.
    async fn enter(&mut self) -> Result<()> {
        let (sql, object) = (self.path.enter(), self.object());
        let (connection, _) = self.open().await?;
        connection.execute(sql).await.could_not("prepare", object)?;
        Ok(())
    }

    /// Pins the path again, and notes where the script has left it.
    async fn leave(&mut self) -> Result<()> {
        let object = self.object();
        let (connection, _) = self.open().await?;
        self.path = connection.leave().await.could_not("prepare", object)?;
        Ok(())
    }

    /// Commits. Triggers that were put off until then run by the script's search path.
    async fn commit(&mut self) -> Result<()> {
        let (sql, object) = (format!("{}; COMMIT; {PIN}", self.path.enter()), self.object());
        let (connection, _) = self.open().await?;
        connection.execute(sql).await.could_not("run `COMMIT` on", object)?;
        Ok(())
    }

    /// A connection for the lock, on which the server notices soon that its client is gone.
    async fn connect_quietly(&self) -> Result<Client> {
        let mut connection = self.connector.connect(Access::Writes, &Cancel::new()).await?;
        connection.execute(NOTICE_A_DEAD_CLIENT).await.could_not("connect to", self.object())?;
        Ok(connection)
    }

    async fn history(&mut self) -> Result<Vec<Entry>> {
        let (connection, place) = self.open().await?;
        let entries = history::postgres::read(connection, &place).await?;
        self.has_history = entries.is_some();
        let entries = entries.unwrap_or_default();
        self.known = Known::of(&entries);
        Ok(entries)
    }

    async fn other_history(&mut self) -> Result<Option<OtherHistory>> {
        let (connection, place) = self.open().await?;
        history::postgres::other(connection, &place).await
    }

    async fn record_adopted(
        &mut self,
        rows: &[(Step, ForeignEntry)],
        remark: &str,
        in_the_way: Option<&OtherHistory>,
    ) -> Result<()> {
        self.simple("BEGIN").await?;
        let mut written = Ok(());
        if let Some(other) = in_the_way {
            let (connection, place) = self.open().await?;
            written = history::postgres::put_aside(connection, &place, other).await;
        }
        for (step, foreign) in rows {
            if written.is_err() {
                break;
            }
            let entry = NewEntry {
                applied_at: Some(&foreign.applied_at),
                remarks: remark,
                ..row(step, EntryState::Applied, foreign.duration_ms)
            };
            written = self.record(step.version, &Change::Insert(entry), None).await;
        }
        self.end(written).await
    }

    async fn record_repair(&mut self, step: &Step, remark: &str) -> Result<()> {
        let entry = NewEntry { duration_ms: 0, remarks: remark, ..row(step, EntryState::Applied, 0) };
        self.simple("BEGIN").await?;
        let settled = self.record(step.version, &Change::Settle(entry), None).await;
        self.end(settled).await
    }

    async fn confirm(&mut self) -> Result<()> {
        let (connection, place) = self.open().await?;
        let entries = history::postgres::read(connection, &place).await?.unwrap_or_default();
        self.known.expect(&place.label(), &entries)
    }

    async fn sqlx_history(&mut self) -> Result<Option<Vec<ForeignEntry>>> {
        let enter = self.chosen.enter();
        let (connection, _) = self.open().await?;
        let rows = history::postgres::read_sqlx(connection, &enter).await?;
        Ok(rows.map(|rows| {
            rows.into_iter()
                .map(|(version, applied_at, success, checksum, nanoseconds)| ForeignEntry {
                    version,
                    applied_at,
                    success,
                    checksum,
                    duration_ms: nanoseconds / 1_000_000,
                })
                .collect()
        }))
    }

    async fn close(mut self) {
        for connection in [self.connection.take(), self.lock.take()].into_iter().flatten() {
            connection.close().await;
        }
    }
}

impl Database for Postgres {
    fn endpoint(&self) -> &str {
        &self.session.endpoint
    }

    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn history(&mut self) -> Result<Vec<Entry>> {
        self.bridge.talk(self.session.history())
    }

    fn lock(&mut self, observe: &mut Observer<'_>) -> Result<()> {
        self.bridge.talk(self.session.take_lock(observe))
    }

    fn unlock(&mut self) -> Result<()> {
        self.bridge.talk(self.session.release_lock())
    }

    fn run(&mut self, step: &Step, observe: &mut Observer<'_>) -> Result<Outcome> {
        self.bridge.talk(self.session.run(step, observe))
    }

    fn rehearse(&mut self, steps: &[Step], observe: &mut Observer<'_>) -> Result<Vec<StepReport>> {
        self.bridge.talk(self.session.rehearse(steps, observe))
    }

    fn record_repair(&mut self, step: &Step, remark: &str) -> Result<()> {
        self.bridge.talk(self.session.record_repair(step, remark))
    }

    fn confirm(&mut self) -> Result<()> {
        self.bridge.talk(self.session.confirm())
    }

    fn sqlx_history(&mut self) -> Result<Option<Vec<ForeignEntry>>> {
        self.bridge.talk(self.session.sqlx_history())
    }

    fn other_history(&mut self) -> Result<Option<OtherHistory>> {
        self.bridge.talk(self.session.other_history())
    }

    fn record_adopted(
        &mut self,
        rows: &[(Step, ForeignEntry)],
        remark: &str,
        in_the_way: Option<&OtherHistory>,
    ) -> Result<()> {
        self.bridge.talk(self.session.record_adopted(rows, remark, in_the_way))
    }

    fn objects(&mut self) -> Result<Vec<Object>> {
        self.bridge.talk(async {
            let (connection, place) = self.session.open().await?;
            drift::postgres::objects(connection, &place).await
        })
    }

    fn objects_from_nothing(&mut self, migrations: &Migrations) -> Result<Result<Vec<Object>>> {
        let facts = Facts { history: &[], migrations, dialect: Dialect::Postgres, allow_out_of_order: true };
        let steps = match plan(Request::Up(To::Newest), &facts) {
            Ok(steps) => steps,
            Err(error) => return Ok(Err(error)),
        };
        self.bridge.talk(self.session.objects_from_nothing(&steps))
    }

    fn integrity(&mut self) -> Result<Vec<String>> {
        self.bridge.talk(async {
            let object = self.session.object();
            let (connection, _) = self.session.open().await?;
            sqlx::query_scalar(include_str!("postgres/integrity.sql"))
                .fetch_all(connection.sqlx())
                .await
                .could_not("check", object)
        })
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The sockets belong to the runtime: they are dropped before it, and inside it.
        let (connection, lock) = (self.session.connection.take(), self.session.lock.take());
        self.bridge.wait(async move {
            drop(connection);
            drop(lock);
        });
    }
}
