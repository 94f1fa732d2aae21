//! Writing the history on PostgreSQL, in the transaction of a script or right after it.
//!
//! A script may do to a session whatever its role may do. So before a row is written, deferred triggers have run and
//! the session's own role and settings are back; and the row counts only where the table is still the one that was
//! there before the script, nothing hangs on it, no other row was written, and the row reads back as it was written.

use sqlx::AssertSqlSafe;

use super::super::history::postgres::{self as history, Identity};
use super::super::history::{Change, KEEPER};
use super::super::plan::Step;
use super::{Explained, Session};
use crate::{Error, Result};

/// What the history was before a script ran.
pub(super) struct Ground {
    identity: Option<Identity>,
    /// The seal of every row but the script's own; nothing where there is no history yet.
    others: Option<(i64, String)>,
}

/// What a script may have set for its own statements, and the runner's must not run under; until the transaction ends.
const OWN_SETTINGS: &str = "SET LOCAL SESSION AUTHORIZATION DEFAULT; SET LOCAL ROLE NONE; \
                            SET LOCAL statement_timeout = 0; SET LOCAL client_encoding = 'UTF8'";

impl Session {
    /// Keeps every other writer off the history until the transaction ends.
    pub(super) async fn lock_history(&mut self) -> sqlx::Result<()> {
        if !self.has_history {
            return Ok(());
        }
        // Opened already: the transaction is its own.
        let (Some(connection), Some(place)) = (self.connection.as_mut(), self.place.clone()) else { return Ok(()) };
        let sql = format!("LOCK TABLE ONLY {} IN SHARE ROW EXCLUSIVE MODE", place.quoted());
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(|_| ())
    }

    /// What has to be the same after a script that writes the row of `version`.
    pub(super) async fn ground(&mut self, version: i64) -> Result<Ground> {
        let has_history = self.has_history;
        let (connection, place) = self.open().await?;
        if !has_history {
            return Ok(Ground { identity: None, others: None });
        }
        let identity = history::look(connection, &place).await?;
        let others = Some(history::seal_of_others(connection, &place, version).await?);
        Ok(Ground { identity, others })
    }

    /// The same in a transaction of its own, for a session whose settings are a script's.
    pub(super) async fn ground_by_itself(&mut self, version: i64) -> Result<Ground> {
        self.simple("BEGIN").await?;
        let ground = match self.as_runner().await {
            Ok(()) => self.ground(version).await,
            Err(error) => Err(error),
        };
        self.end(ground).await
    }

    /// Has the rest of the transaction run as the runner itself.
    pub(super) async fn as_runner(&mut self) -> Result<()> {
        let (connection, place) = self.open().await?;
        sqlx::raw_sql(OWN_SETTINGS).execute(connection).await.could_not("prepare for history", place.told()).map(|_| ())
    }

    /// Runs what a script has put off to the end of the transaction: it must not come after the row was read back.
    pub(super) async fn run_deferred(&mut self, step: &Step) -> Result<()> {
        let (connection, _) = self.open().await?;
        let ran = sqlx::raw_sql("SET CONSTRAINTS ALL IMMEDIATE").execute(connection).await;
        ran.could_not("run deferred triggers of", step.label()).map(|_| ())
    }

    /// Changes the row of `version`, making the table first where there is none. `ground` is what was there before a
    /// script ran.
    pub(super) async fn record(&mut self, version: i64, change: &Change<'_>, ground: Option<&Ground>) -> Result<()> {
        let has_history = self.has_history;
        self.as_runner().await?;
        let (connection, place) = self.open().await?;
        let touched = |what: &str| Err(Error::differs("keep the history", place.told(), what).hint(KEEPER));
        if !has_history {
            history::create(connection, &place).await?;
        } else if let Some(ground) = ground
            && history::look(connection, &place).await? != ground.identity
        {
            return touched(
                "the table is not the one that was there before the script: dropped, rewritten or given away",
            );
        }
        let before = history::read_one(connection, &place, version).await?;
        if !self.known.has(version, before.as_ref()) {
            return touched(&format!("the row of version {version} was changed by the script"));
        }
        let (connection, _) = self.open().await?;
        let after = history::change(connection, &place, version, change, before).await?;
        // Once more, and last: what was written now has run nothing of anybody's.
        let identity = history::look(connection, &place).await?;
        let others = history::seal_of_others(connection, &place, version).await?;
        if let Some(ground) = ground {
            let same_table = ground.identity.is_none() || ground.identity == identity;
            let same_rows = ground.others.as_ref().map_or(others.0 == 0, |before| *before == others);
            if !same_table || !same_rows {
                return touched("rows of other migrations were changed by the script");
            }
        }
        self.has_history = true;
        self.known.know(version, after.as_ref());
        Ok(())
    }
}
