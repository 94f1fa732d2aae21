//! Agents, their tasks and messages, what is measured of them, how they are set up, and what happens.

use rusqlite::params;
use serde_json::Value;

use super::model::{
    Agent, AgentStatus, Category, Event, Message, MessageType, MetricType, Priority, Severity, Task, TaskStatus, json,
};
use super::{AgentStore, expect_changed, free_id, text};
use crate::apps::field::refused;
use crate::endpoint::sqlite::staging::random;
use crate::error::Context as _;
use crate::{Error, Result};

/// A task that is to be.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTask {
    /// Whose it is.
    pub agent_id: String,
    /// What is to be done.
    pub title: String,
    /// The same at length.
    pub description: Option<String>,
    /// How urgent it is.
    pub priority: Priority,
    /// How long it is to take, in minutes.
    pub estimated_duration: Option<i64>,
    /// The task that it is a part of.
    pub parent_task_id: Option<String>,
    /// Anything else.
    pub metadata: Option<Value>,
}

/// A message that is to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct NewMessage {
    /// Who sends it.
    pub from_agent: String,
    /// To whom.
    pub to_agent: String,
    /// What it is.
    pub message_type: MessageType,
    /// What it says.
    pub content: String,
    /// The greater, the sooner; 5 is usual.
    pub priority: i64,
}

impl AgentStore {
    /// Adds an agent, or says anew what it is.
    ///
    /// # Errors
    /// [`Usage`](crate::error::Kind::Usage) where its id could be no part of a file's name; when the file cannot be written.
    pub fn register(&self, agent: &Agent) -> Result<()> {
        const REGISTERING: &str = "register agent";
        let is_part = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.');
        if agent.agent_id.is_empty() || !agent.agent_id.chars().all(is_part) {
            return Err(refused(REGISTERING, "agent_id", &agent.agent_id, "letters, digits, `-`, `_` and `.`"));
        }
        if agent.agent_type.is_empty() {
            return Err(Error::usage(REGISTERING, "field `agent_type`", "it is empty"));
        }
        let sql = "INSERT INTO agents (agent_id, agent_type, status, worktree_path, branch_name, configuration, created_at, last_activity) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7) ON CONFLICT (agent_id) DO UPDATE SET agent_type = excluded.agent_type, \
                   status = excluded.status, worktree_path = excluded.worktree_path, branch_name = excluded.branch_name, \
                   configuration = excluded.configuration, last_activity = excluded.last_activity";
        let values = params![
            agent.agent_id,
            agent.agent_type,
            agent.status,
            agent.worktree_path,
            agent.branch_name,
            text(agent.configuration.as_ref()),
            self.now()
        ];
        self.execute(REGISTERING, sql, values).map(drop)
    }

    /// Says what an agent does now.
    ///
    /// # Errors
    /// When there is no such agent, or the file cannot be written.
    pub fn set_agent_status(&self, id: &str, status: AgentStatus) -> Result<()> {
        const SETTING: &str = "set status of agent";
        let sql = "UPDATE agents SET status = ?2, last_activity = ?3 WHERE agent_id = ?1";
        expect_changed(self.execute(SETTING, sql, params![id, status, self.now()])?, SETTING, id)
    }

    /// The agents, those that do that alone where it is given.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn agents(&self, status: Option<AgentStatus>) -> Result<Vec<Agent>> {
        match status {
            Some(status) => self.select("read agents", "agents WHERE status = ?1 ORDER BY agent_id", [status]),
            None => self.select("read agents", "agents ORDER BY agent_id", []),
        }
    }

    /// Adds a task and gives its id.
    ///
    /// # Errors
    /// [`Usage`](crate::error::Kind::Usage) where the title is empty; when there is no such agent or task above it, or the file
    /// cannot be written.
    pub fn add_task(&self, task: &NewTask) -> Result<String> {
        const ADDING: &str = "add task of agent";
        if task.title.is_empty() {
            return Err(Error::usage(ADDING, "field `title`", "it is empty"));
        }
        let (now, now_ms) = (self.now(), self.now_ms());
        self.pool().write(ADDING, |transaction| {
            let add = || {
                let id = free_id(transaction, ("tasks", "task_id"), ("task", &task.agent_id), now_ms, true)?;
                let sql = "INSERT INTO tasks (task_id, agent_id, title, description, status, priority, created_at, estimated_duration, \
                               parent_task_id, metadata) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
                transaction.prepare_cached(sql)?.execute(params![
                    id,
                    task.agent_id,
                    task.title,
                    task.description,
                    TaskStatus::Pending,
                    task.priority,
                    now,
                    task.estimated_duration,
                    task.parent_task_id,
                    text(task.metadata.as_ref())
                ])?;
                Ok(id)
            };
            let added: rusqlite::Result<String> = add();
            added.could_not(ADDING, format!("`{}`", task.agent_id))
        })
    }

    /// Says where a task stands; its times follow. `confidence` is from 0 to 1.
    ///
    /// # Errors
    /// [`Usage`](crate::error::Kind::Usage) where the confidence is out of its range; when there is no such task, or the file cannot
    /// be written.
    pub fn set_task_status(&self, id: &str, status: TaskStatus, confidence: Option<f64>) -> Result<()> {
        const SETTING: &str = "set status of task";
        if let Some(confidence) = confidence.filter(|confidence| !(0.0..=1.0).contains(confidence)) {
            return Err(refused(SETTING, "confidence_score", confidence, "between 0 and 1"));
        }
        let sql = "UPDATE tasks SET status = ?2, confidence_score = coalesce(?4, confidence_score), \
                       started_at = CASE WHEN ?2 = 'in_progress' THEN coalesce(started_at, ?3) ELSE started_at END, \
                       completed_at = CASE WHEN ?2 IN ('completed', 'failed') THEN ?3 END, \
                       actual_duration = CASE WHEN ?2 IN ('completed', 'failed') AND started_at IS NOT NULL \
                           THEN CAST(round((julianday(?3) - julianday(started_at)) * 1440) AS INTEGER) END \
                   WHERE task_id = ?1";
        expect_changed(self.execute(SETTING, sql, params![id, status, self.now(), confidence])?, SETTING, id)
    }

    /// The tasks of an agent in that status, the most urgent first, then the oldest.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn tasks(&self, agent: &str, status: TaskStatus) -> Result<Vec<Task>> {
        let from = "tasks WHERE agent_id = ?1 AND status = ?2 \
                    ORDER BY CASE priority WHEN 'high' THEN 0 WHEN 'medium' THEN 1 ELSE 2 END, created_at, task_id";
        self.select("read tasks", from, params![agent, status])
    }

    /// Sends a message and gives its id.
    ///
    /// # Errors
    /// When one of the agents is not there, or the file cannot be written.
    pub fn send(&self, message: &NewMessage) -> Result<String> {
        let id = format!("msg_{:016x}{:016x}", random(), random());
        let sql = "INSERT INTO agent_messages (message_id, from_agent, to_agent, message_type, content, priority, sent_at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let NewMessage { from_agent, to_agent, message_type, content, priority } = message;
        let values = params![id, from_agent, to_agent, message_type, content, priority, self.now()];
        self.execute("send message", sql, values)?;
        Ok(id)
    }

    /// Takes the messages that an agent has not got yet, the most urgent first. Each is given once, whoever asks at the same time.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn receive(&self, agent: &str) -> Result<Vec<Message>> {
        const RECEIVING: &str = "receive messages of agent";
        let now = self.now();
        self.pool().write(RECEIVING, |transaction| {
            let receive = || {
                use super::model::OfRow;
                let sql = format!(
                    "SELECT {} FROM agent_messages WHERE to_agent = ?1 AND delivered_at IS NULL \
                     ORDER BY priority DESC, sent_at, rowid",
                    Message::COLUMNS
                );
                let mut statement = transaction.prepare_cached(&sql)?;
                let found = statement.query_map([agent], Message::of_row)?.collect::<rusqlite::Result<Vec<_>>>()?;
                let sql = "UPDATE agent_messages SET delivered_at = ?2 WHERE to_agent = ?1 AND delivered_at IS NULL";
                transaction.prepare_cached(sql)?.execute(params![agent, now])?;
                let given = found.into_iter().map(|one| Message { delivered_at: Some(now.clone()), ..one });
                Ok(given.collect())
            };
            let received: rusqlite::Result<Vec<Message>> = receive();
            received.could_not(RECEIVING, format!("`{agent}`"))
        })
    }

    /// Says that a message was understood.
    ///
    /// # Errors
    /// When there is no such message, or it was not given to anybody; when the file cannot be written.
    pub fn acknowledge(&self, message: &str) -> Result<()> {
        const SAYING: &str = "acknowledge message";
        let sql = "UPDATE agent_messages SET acknowledged_at = ?2 WHERE message_id = ?1 AND delivered_at IS NOT NULL";
        expect_changed(self.execute(SAYING, sql, params![message, self.now()])?, SAYING, message)
    }

    /// Keeps what was measured of an agent, or of a task of it.
    ///
    /// # Errors
    /// [`Usage`](crate::error::Kind::Usage) where the value is no number; when the agent or the task is not there, or the file cannot
    /// be written.
    pub fn measure(
        &self,
        (agent, task): (&str, Option<&str>),
        metric: MetricType,
        (value, unit): (f64, Option<&str>),
        context: Option<&Value>,
    ) -> Result<()> {
        const MEASURING: &str = "record metric of agent";
        if !value.is_finite() {
            return Err(refused(MEASURING, "value", value, "a number"));
        }
        let (now, now_ms) = (self.now(), self.now_ms());
        self.pool().write(MEASURING, |transaction| {
            let insert = || {
                let id = free_id(transaction, ("performance_metrics", "metric_id"), ("metric", agent), now_ms, true)?;
                let sql = "INSERT INTO performance_metrics (metric_id, agent_id, task_id, metric_type, value, unit, context, recorded_at) \
                           VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
                let values = params![id, agent, task, metric, value, unit, text(context), now];
                transaction.prepare_cached(sql)?.execute(values).map(drop)
            };
            insert().could_not(MEASURING, format!("`{agent}`"))
        })
    }

    /// How often something was measured of an agent, and the mean; none where it never was.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn mean(&self, agent: &str, metric: MetricType) -> Result<(u64, Option<f64>)> {
        let sql = "SELECT count(*), avg(value) FROM performance_metrics WHERE agent_id = ?1 AND metric_type = ?2";
        self.pool().read("read metrics", |connection| {
            connection
                .prepare_cached(sql)?
                .query_row(params![agent, metric], |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?)))
        })
    }

    /// Sets a setting: of an agent, or the one value that all of them share.
    ///
    /// # Errors
    /// [`Usage`](crate::error::Kind::Usage) where the key is empty; when there is no such agent, or the file cannot be written.
    pub fn set_setting(
        &self,
        agent: Option<&str>,
        (category, key): (Category, &str),
        value: &Value,
        by: Option<&str>,
    ) -> Result<()> {
        const SETTING: &str = "set setting";
        if key.is_empty() {
            return Err(Error::usage(SETTING, "field `key`", "it is empty"));
        }
        // Which unique index says that it is there depends on whether it has an agent; the row itself is asked for.
        self.pool().write(SETTING, |transaction| {
            let set = || {
                let sql = "UPDATE configurations SET value = ?4, updated_at = ?5, updated_by = ?6 \
                           WHERE agent_id IS ?1 AND category = ?2 AND key = ?3";
                let now = self.now();
                let changed = transaction
                    .prepare_cached(sql)?
                    .execute(params![agent, category, key, value.to_string(), now, by])?;
                if changed == 0 {
                    let id = format!("{}.{category}.{key}", agent.unwrap_or("*"));
                    let sql = "INSERT INTO configurations (config_id, agent_id, category, key, value, updated_at, updated_by) \
                               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
                    let values = params![id, agent, category, key, value.to_string(), now, by];
                    transaction.prepare_cached(sql)?.execute(values)?;
                }
                Ok(())
            };
            let done: rusqlite::Result<()> = set();
            done.could_not(SETTING, format!("`{key}`"))
        })
    }

    /// A setting as it is for an agent: its own value, else the one that all share; none where there is neither.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn setting(&self, agent: Option<&str>, category: Category, key: &str) -> Result<Option<Value>> {
        let sql = "SELECT value FROM configurations WHERE category = ?2 AND key = ?3 AND (agent_id IS ?1 OR agent_id IS NULL) \
                   ORDER BY agent_id IS NULL LIMIT 1";
        self.pool().read("read setting", |connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query(params![agent, category, key])?;
            rows.next()?.map_or(Ok(None), |row| json(row, 0))
        })
    }

    /// Keeps an event and gives its id.
    ///
    /// # Errors
    /// When the agent is not there, or the file cannot be written.
    pub fn log(
        &self,
        agent: Option<&str>,
        (event_type, severity): (&str, Severity),
        message: &str,
        (details, correlation): (Option<&Value>, Option<&str>),
    ) -> Result<String> {
        let id = format!("evt_{:016x}{:016x}", random(), random());
        let sql = "INSERT INTO events (event_id, agent_id, event_type, severity, message, details, timestamp, correlation_id) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let values = params![id, agent, event_type, severity, message, text(details), self.now(), correlation];
        self.execute("log event", sql, values)?;
        Ok(id)
    }

    /// The newest events of that severity, at most so many.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn events(&self, severity: Severity, limit: u32) -> Result<Vec<Event>> {
        let from = "events WHERE severity = ?1 ORDER BY timestamp DESC, rowid DESC LIMIT ?2";
        self.select("read events", from, params![severity, limit])
    }
}
