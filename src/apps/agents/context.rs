//! Contexts: what an agent has in mind, how much of it is used, and what is done when that becomes too much.

use rusqlite::{Transaction, params};
use serde_json::{Map, Value, json};

use super::model::{Context, ContextEventType, MemoryType};
use super::{AgentStore, free_id, only};
use crate::apps::field::refused;
use crate::error::Context as _;
use crate::{Error, Result};

const USING: &str = "use context";

/// What was done because a context had become too full.
#[derive(Debug, Clone, PartialEq)]
pub struct Consolidation {
    /// The event.
    pub event_id: String,
    /// The snapshot that has what was in it.
    pub snapshot_id: String,
    /// How much of it was used, in percent.
    pub usage_percent: f64,
}

impl AgentStore {
    /// Begins a context of an agent.
    ///
    /// # Errors
    /// When there is no such agent, or the file cannot be written.
    pub fn open_context(&self, agent: &str, data: &Value) -> Result<Context> {
        const OPENING: &str = "open context of agent";
        let (now, now_ms) = (self.now(), self.now_ms());
        self.pool().write(OPENING, |transaction| {
            let open = || {
                let id = free_id(transaction, ("context_sessions", "session_id"), ("ctx", agent), now_ms, false)?;
                let sql = "INSERT INTO context_sessions (session_id, agent_id, context_data, created_at, last_accessed) \
                           VALUES (?1, ?2, ?3, ?4, ?4)";
                transaction.prepare_cached(sql)?.execute(params![id, agent, data.to_string(), now])?;
                only(transaction, "context_sessions WHERE session_id = ?1", [id])
            };
            let opened = open().could_not(OPENING, format!("`{agent}`"))?;
            opened.ok_or_else(|| Error::could_not(OPENING, format!("`{agent}`"), "its row is not there"))
        })
    }

    /// Says what a context is by now, and how many tokens it has. From the configured usage on it is consolidated: its content goes
    /// into a snapshot, an event says so, and the context begins anew with a reference to it; all of it, or nothing.
    ///
    /// # Errors
    /// [`Usage`](crate::error::Kind::Usage) where the number is negative; when there is no such active context, or the file or the
    /// snapshot's cannot be written.
    pub fn use_context(&self, id: &str, data: &Value, tokens: i64) -> Result<Option<Consolidation>> {
        if tokens < 0 {
            return Err(refused(USING, "token_count", tokens, "a number from 0"));
        }
        let limit = self.max_tokens(id)?;
        let usage_percent = (tokens as f64 / limit as f64 * 100.0).min(100.0);
        if usage_percent < self.inner.options.consolidated_at_percent {
            let sql = "UPDATE context_sessions SET context_data = ?2, token_count = ?3, usage_percent = ?4, last_accessed = ?5 \
                       WHERE session_id = ?1 AND is_active = 1";
            let values = params![id, data.to_string(), tokens, usage_percent, self.now()];
            super::expect_changed(self.execute(USING, sql, values)?, USING, id)?;
            return Ok(None);
        }
        // The content is on the disk before anybody waits for the turn to write.
        let written = self.write_content(data)?;
        let now_ms = self.now_ms();
        self.pool().write(USING, |transaction| {
            let sql = "SELECT EXISTS (SELECT 1 FROM context_sessions WHERE session_id = ?1 AND is_active = 1)";
            let is_active: rusqlite::Result<bool> = transaction.query_row(sql, [id], |row| row.get(0));
            super::expect_changed(usize::from(is_active.could_not(USING, format!("`{id}`"))?), USING, id)?;
            let snapshot = self.insert_snapshot(transaction, id, MemoryType::Consolidated, (&written, 0.8), now_ms)?;
            let consolidate = || self.consolidate(transaction, id, (&snapshot, usage_percent), now_ms);
            let event_id = consolidate().could_not(USING, format!("`{id}`"))?;
            Ok(Some(Consolidation { event_id, snapshot_id: snapshot, usage_percent }))
        })
    }

    fn consolidate(
        &self,
        transaction: &Transaction<'_>,
        id: &str,
        (snapshot, usage_percent): (&str, f64),
        now_ms: i64,
    ) -> rusqlite::Result<String> {
        let now = super::spaced(now_ms);
        let event_id = free_id(transaction, ("context_events", "event_id"), ("evt", id), now_ms, true)?;
        let details = json!({ "snapshot_id": snapshot, "usage_percent": usage_percent });
        let sql = "INSERT INTO context_events (event_id, session_id, event_type, details, timestamp) VALUES (?1, ?2, ?3, ?4, ?5)";
        let values = params![event_id, id, ContextEventType::Consolidation, details.to_string(), now];
        transaction.prepare_cached(sql)?.execute(values)?;
        let sql = "UPDATE context_sessions SET context_data = ?2, token_count = 0, usage_percent = 0, last_accessed = ?3 \
                   WHERE session_id = ?1";
        let begun = Value::Object(Map::from_iter([("consolidated_into".to_owned(), snapshot.into())]));
        transaction.prepare_cached(sql)?.execute(params![id, begun.to_string(), now])?;
        Ok(event_id)
    }

    /// A context; none where there is none with that id.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn context(&self, id: &str) -> Result<Option<Context>> {
        self.pool().read("read context", |connection| only(connection, "context_sessions WHERE session_id = ?1", [id]))
    }

    /// The active contexts of an agent, the last used first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn contexts(&self, agent: &str) -> Result<Vec<Context>> {
        let from = "context_sessions WHERE agent_id = ?1 AND is_active = 1 ORDER BY last_accessed DESC, session_id";
        self.select("read contexts", from, [agent])
    }

    /// Ends a context. It stays, with its snapshots.
    ///
    /// # Errors
    /// When there is no such context, or the file cannot be written.
    pub fn close_context(&self, id: &str) -> Result<()> {
        const CLOSING: &str = "close context";
        let sql = "UPDATE context_sessions SET is_active = 0, last_accessed = ?2 WHERE session_id = ?1";
        super::expect_changed(self.execute(CLOSING, sql, params![id, self.now()])?, CLOSING, id)
    }

    /// How often something has happened to a context.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn context_events(&self, id: &str, event: ContextEventType) -> Result<u64> {
        let sql = "SELECT count(*) FROM context_events WHERE session_id = ?1 AND event_type = ?2";
        self.pool().read("read events of context", |connection| {
            connection
                .prepare_cached(sql)?
                .query_row(params![id, event], |row| row.get::<_, i64>(0))
                .map(i64::unsigned_abs)
        })
    }

    fn max_tokens(&self, id: &str) -> Result<i64> {
        let found = self.context(id)?.filter(|context| context.is_active);
        let found =
            found.ok_or_else(|| Error::could_not(USING, format!("`{id}`"), "there is no active one with this id"))?;
        match found.max_tokens {
            limit @ 1.. => Ok(limit),
            limit => Err(Error::could_not(USING, format!("`{id}`"), format!("it may have {limit} tokens"))),
        }
    }
}
