//! A look at a session of the server from beside: whether it is at work, and which lock it waits for.
//!
//! A session that waits cannot be asked, so each look is a connection of its own, which is closed again. It fails where
//! the server takes no more connections; then nothing is known, and nothing is told.

use super::connect::{Access, close, connect};
use super::fence::{fenced_read, fenced_wait};
use crate::event::{Event, Waiting};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Row as _};
use std::fmt;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a look may take.
const LOOK_LIMIT: Duration = Duration::from_secs(5);

/// Whoever hears that something is waited for.
pub type WaitListener = Arc<dyn Fn(Event) + Send + Sync>;

/// How a source is waited for.
#[derive(Clone)]
pub struct Patience {
    /// How long the server may send nothing while it owes an answer; `None` is for ever.
    pub stall_timeout: Option<Duration>,
    /// How long tables are waited for that are locked even against readers, all together; zero is for ever. `None`: as
    /// the URL says (`lock_timeout`), else 30 seconds.
    pub lock_wait: Option<Duration>,
    /// Who hears, after two seconds, what is waited for.
    pub listener: Option<WaitListener>,
}

/// How long the server may send nothing while it owes an answer, unless somebody says otherwise.
pub const STALL_TIMEOUT_DEFAULT: Duration = Duration::from_secs(600);

impl Default for Patience {
    fn default() -> Self {
        Patience { stall_timeout: Some(STALL_TIMEOUT_DEFAULT), lock_wait: None, listener: None }
    }
}

impl fmt::Debug for Patience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Patience { stall_timeout, lock_wait, listener: _ } = self;
        f.debug_struct("Patience")
            .field("stall_timeout", stall_timeout)
            .field("lock_wait", lock_wait)
            .finish_non_exhaustive()
    }
}

/// Looks at one session.
pub(crate) struct Lookout {
    options: PgConnectOptions,
    listener: Option<WaitListener>,
    /// The number of the server's process, 0 before it is known.
    process: AtomicI32,
    /// What was told last.
    told: Mutex<Option<Waiting>>,
}

/// What a look found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// The server works on what it was asked for.
    AtWork,
    /// It waits for a lock.
    Blocked(Waiting),
    /// It waits for this program: everything was answered.
    Idle,
    /// The server does not have that session any more.
    Gone,
    /// The server cannot be reached.
    Unreachable,
    /// The server refuses to tell.
    Unknown,
}

impl Lookout {
    pub(crate) fn new(options: PgConnectOptions, listener: Option<WaitListener>) -> Lookout {
        let options = options.application_name("whimbrel lookout");
        Lookout { options, listener, process: AtomicI32::new(0), told: Mutex::new(None) }
    }

    /// The server's process that is looked at from now on.
    pub(crate) fn look_at(&self, process: i32) {
        self.process.store(process, Ordering::Relaxed);
    }

    /// Asks a session for its process, and looks at it.
    ///
    /// # Errors
    /// As sqlx has them.
    pub(crate) async fn look_at_connection(&self, connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
        let process = sqlx::query_scalar("SELECT pg_catalog.pg_backend_pid()");
        let process = fenced_wait(process.fetch_one(connection)).await?;
        self.look_at(process);
        Ok(process)
    }

    /// What was told last, if anything was since this was asked.
    pub(super) fn take_told(&self) -> Option<Waiting> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Tells what is waited for, where it is not what was told last; `limit` is how long it is waited for in all.
    pub(super) fn tell(&self, waiting: &Waiting, waited: Duration, limit: Option<Duration>) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = told.as_ref().is_none_or(|told| !told.is_the_same_as(waiting));
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let (waited_ms, left_ms) = (ms(waited), limit.map(|limit| ms(limit.saturating_sub(waited))));
        let waiting = told.insert(Waiting { waited_ms, left_ms, ..waiting.clone() });
        if let Some(listener) = &self.listener
            && is_news
        {
            listener(Event::Waiting(waiting.clone()));
        }
    }

    pub(super) async fn look(&self) -> Sight {
        let process = self.process.load(Ordering::Relaxed);
        if process == 0 {
            return Sight::Unreachable;
        }
        match tokio::time::timeout(LOOK_LIMIT, self.ask(process)).await {
            Ok(Ok(rows)) => seen(&rows).unwrap_or(Sight::Unknown),
            Ok(Err(error)) if error.as_database_error().is_some() => Sight::Unknown,
            Ok(Err(_)) | Err(_) => Sight::Unreachable,
        }
    }

    async fn ask(&self, process: i32) -> Result<Vec<PgRow>, sqlx::Error> {
        let mut connection = connect(&self.options, Access::Reads).await?;
        let sql = include_str!("sql/session_seen.sql").replace("{process}", &process.to_string());
        let rows = fenced_wait(sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut connection)).await;
        close(connection).await;
        rows
    }
}

/// The columns of `session_seen.sql`; the first tells whether the session is at work.
fn seen(rows: &[PgRow]) -> Result<Sight, sqlx::Error> {
    let Some(first) = rows.first() else { return Ok(Sight::Gone) };
    let is_at_work = fenced_read(|| first.try_get_unchecked::<bool, _>(0))?;
    let texts = |row: &PgRow| {
        (1..row.len()).map(|place| fenced_read(|| row.try_get_unchecked::<Option<String>, _>(place))).collect()
    };
    let waiting = Waiting::from_rows(&rows.iter().map(texts).collect::<Result<Vec<_>, _>>()?);
    Ok(match waiting {
        Some(waiting) => Sight::Blocked(waiting),
        None if is_at_work => Sight::AtWork,
        None => Sight::Idle,
    })
}
