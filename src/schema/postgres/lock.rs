//! One runner at a time on one PostgreSQL database.
//!
//! An advisory lock of a session, tried and tried again from outside: `pg_advisory_lock` would wait inside the server
//! with a snapshot open, and `CREATE INDEX CONCURRENTLY` of the runner that holds the lock would wait for that
//! snapshot. Each try is a transaction of its own. The session is closed to let go, so no failed run keeps the lock.

use std::time::{Duration, Instant};

use xxhash_rust::xxh3::xxh3_64;

use super::super::event::Event;
use super::super::event::Observer;
use super::{NOTICE_A_DEAD_CLIENT, Session};
use crate::endpoint::postgres::{Explained, PIN};
use crate::{Error, Result};

/// How often a waiting runner tries again.
const POLL: Duration = Duration::from_millis(10);

/// How often a waiting runner tells that it waits.
const TELL: Duration = Duration::from_millis(500);

impl Session {
    pub(super) async fn take_lock(&mut self, observe: &mut Observer<'_>) -> Result<()> {
        let (_, place) = self.open().await?;
        // Advisory locks are per database, so the key only has to tell histories apart.
        let key = xxh3_64(format!("whimbrel schema {}", place.quoted()).as_bytes()).cast_signed();
        let mut connection = self.connect_quietly().await?;
        let start = Instant::now();
        let mut told = Duration::ZERO;
        loop {
            let taken: bool = sqlx::query_scalar("SELECT pg_catalog.pg_try_advisory_lock($1)")
                .bind(key)
                .fetch_one(connection.sqlx())
                .await
                .could_not("lock", self.object())?;
            if taken {
                self.lock = Some(connection);
                return self.prepare_connection().await;
            }
            let waited = start.elapsed();
            if waited >= self.options.runner_timeout {
                connection.close().await;
                let cause = format!("another runner has held it for {} ms", waited.as_millis());
                return Err(Error::could_not("lock", self.object(), cause)
                    .hint("wait for it, or give more time with `--runner-timeout`"));
            }
            if waited >= told {
                observe(&Event::Waiting { waited_ms: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX) });
                told = waited + TELL;
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The settings under which scripts run; also puts back what a script has set.
    pub(super) async fn prepare_connection(&mut self) -> Result<()> {
        let object = self.object();
        self.path = self.chosen.clone();
        let settings = self.settings_of_scripts();
        let (connection, _) = self.open().await?;
        let sql = format!("RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; {PIN}; {settings}");
        connection.execute(sql).await.could_not("prepare", object)?;
        Ok(())
    }

    /// The settings with which each script begins, and which it does not mean when it resets all: a lock is waited for in
    /// short tries, a client that is gone holds none, and where row-level security would show a statement only some of
    /// a table's rows, the server refuses the statement.
    pub(super) fn settings_of_scripts(&self) -> String {
        format!(
            "SET lock_timeout = {}; SET idle_in_transaction_session_timeout = 0; SET row_security = off; \
             {NOTICE_A_DEAD_CLIENT}",
            self.lock_timeout_ms()
        )
    }

    /// As the server counts it, where 0 would be for ever.
    pub(super) fn lock_timeout_ms(&self) -> u128 {
        self.options.lock_timeout.as_millis().clamp(1, 2_147_483_647)
    }

    pub(super) async fn release_lock(&mut self) -> Result<()> {
        if let Some(lock) = self.lock.take() {
            // Dropping the connection lets go as well, only not at a known moment.
            lock.close().await;
        }
        Ok(())
    }
}
