//! Writing the history on PostgreSQL, in the transaction of a script or right after it.
//!
//! A script may do to a session whatever its role may do. So before a row is written, deferred triggers have run and
//! the role and the settings with which the session began are back; and the row counts only where the table is still the one that was
//! there before the script, nothing hangs on it, no other row was written, and the row reads back as it was written.

use super::super::history::postgres::{self as history, Found, HistoryTable, Identity};
use super::super::history::{Change, KEEPER, taken_name};
use super::super::plan::Step;
use super::Session;
use crate::endpoint::postgres::Explained;
use crate::{Error, Result};

/// Begins a transaction that writes, whatever a session's default is.
pub(super) const BEGIN_TO_WRITE: &str = "BEGIN READ WRITE";

/// What the history was before a script ran.
pub(super) struct HistoryBefore {
    /// Whose script it is, for people.
    label: String,
    identity: Option<Identity>,
    /// The seal of every row but the script's own; nothing where there is no history yet.
    others: Option<(i64, String)>,
}

/// What a script may have set for its own statements, and the runner's must not run under; until the transaction ends.
/// The limits of time come first.
const OWN_SETTINGS: &str = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; \
     SET LOCAL client_encoding = 'UTF8'; SET LOCAL row_security = off; SET LOCAL default_tablespace TO DEFAULT; \
     SET LOCAL default_table_access_method TO DEFAULT; SET LOCAL synchronous_commit TO DEFAULT";

/// From this version on there is another limit of time.
const TRANSACTION_TIMEOUT: (u32, &str) = (170_000, "SET LOCAL transaction_timeout = 0; ");

impl Session {
    /// Keeps every other writer off the history until the transaction ends.
    pub(super) async fn lock_history(&mut self) -> sqlx::Result<()> {
        if !self.has_history {
            return Ok(());
        }
        // Opened already: the transaction is its own.
        let (Some(connection), Some(place)) = (self.connection.as_mut(), self.place.clone()) else { return Ok(()) };
        let sql = format!("LOCK TABLE ONLY {} IN SHARE ROW EXCLUSIVE MODE", place.quoted());
        connection.execute(sql).await
    }

    /// What has to be the same after the script of a step.
    pub(super) async fn history_before(&mut self, step: &Step) -> Result<HistoryBefore> {
        let (has_history, label) = (self.has_history, step.label());
        let (connection, place) = self.open().await?;
        if !has_history {
            return Ok(HistoryBefore { label, identity: None, others: None });
        }
        let identity = history::look(connection, &place).await?;
        let others = Some(history::seal_of_others(connection, &place, step.version).await?);
        Ok(HistoryBefore { label, identity, others })
    }

    /// The same in a transaction of its own, for a session whose settings are a script's.
    pub(super) async fn history_before_by_itself(&mut self, step: &Step) -> Result<HistoryBefore> {
        self.simple(BEGIN_TO_WRITE).await?;
        let before = match self.as_runner().await {
            Ok(()) => self.history_before(step).await,
            Err(error) => Err(error),
        };
        self.end(before).await
    }

    /// Has the rest of the transaction run as the runner itself.
    pub(super) async fn as_runner(&mut self) -> Result<()> {
        let (lock_timeout_ms, role) = (self.lock_timeout_ms(), self.role.enter());
        let (connection, place) = self.open().await?;
        let has_limit = connection.sqlx().server_version_num().is_some_and(|version| version >= TRANSACTION_TIMEOUT.0);
        let limit = if has_limit { TRANSACTION_TIMEOUT.1 } else { "" };
        let sql = format!("{limit}{OWN_SETTINGS}; SET LOCAL lock_timeout = {lock_timeout_ms}; {role}");
        connection.execute(sql).await.could_not("prepare for history", place.label()).map(|_| ())
    }

    /// Runs what a script has put off to the end of the transaction: it must not come after the row was read back.
    pub(super) async fn run_deferred(&mut self, step: &Step) -> Result<()> {
        let (connection, _) = self.open().await?;
        let ran = connection.execute("SET CONSTRAINTS ALL IMMEDIATE").await;
        ran.could_not("run deferred triggers of", step.label()).map(|_| ())
    }

    /// Changes the row of `version`, making the table first where there is none. `history_before` is what was there before a
    /// script ran.
    pub(super) async fn record(
        &mut self,
        version: i64,
        change: &Change<'_>,
        history_before: Option<&HistoryBefore>,
    ) -> Result<()> {
        let has_history = self.has_history;
        self.as_runner().await?;
        let (connection, place) = self.open().await?;
        match (history_before, has_history) {
            (None, false) => history::create(connection, &place).await?,
            (None, true) => {}
            (Some(history_before), has_history) => match history::inspect(connection, &place).await? {
                Found::Nothing if !has_history => history::create(connection, &place).await?,
                _ if !has_history => return Err(taken_name(&place.label(), &history_before.label)),
                Found::Own(identity) if history_before.identity.as_ref() == Some(&identity) => {}
                Found::Nothing | Found::Own(_) => {
                    return Err(touched(&place, history_before, "dropped, rewrote or gave away the table"));
                }
                Found::Unfit(why) => return Err(touched(&place, history_before, &format!("changed the table: {why}"))),
                Found::Foreign(column) => {
                    return Err(touched(
                        &place,
                        history_before,
                        &format!("left a table without the column `{column}`"),
                    ));
                }
            },
        }
        let before = history::read_one(connection, &place, version).await?;
        if !self.known.has(version, before.as_ref()) {
            return Err(match history_before {
                Some(history_before) => touched(&place, history_before, "changed its own row"),
                None => {
                    let cause = format!("the row of version {version} is not what this run has left there");
                    Error::differs("keep the history", place.label(), cause).hint(KEEPER)
                }
            });
        }
        let (connection, _) = self.open().await?;
        let after = history::change(connection, &place, version, change, before).await?;
        // Once more, and last: what was written now has run nothing of anybody's.
        let identity = history::look(connection, &place).await?;
        let others = history::seal_of_others(connection, &place, version).await?;
        if let Some(history_before) = history_before {
            let same_table = history_before.identity.is_none() || history_before.identity == identity;
            let same_rows = history_before.others.as_ref().map_or(others.0 == 0, |before| *before == others);
            if !same_table || !same_rows {
                return Err(touched(&place, history_before, "changed rows of other migrations"));
            }
        }
        self.has_history = true;
        self.known.know(version, after.as_ref());
        Ok(())
    }
}

/// The error of a script that did this to the history, inside a transaction that does not stay.
fn touched(place: &HistoryTable, before: &HistoryBefore, did: &str) -> Error {
    let cause = format!("migration {} {did}; that was rolled back", before.label);
    Error::differs("keep the history", place.label(), cause).hint(KEEPER)
}
