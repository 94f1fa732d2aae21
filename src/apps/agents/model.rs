//! What agents keep: the types, with the JSON of the application, and their rows.
//!
//! Invariant: each word is one of its column's CHECK (held by a test). Times are UTC, `YYYY-MM-DD HH:MM:SS`, as the schema's own
//! defaults write them.

use rusqlite::Row;
use rusqlite::types::Type;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::apps::field::words;

words!(
    /// What an agent does.
    AgentStatus, "status" {
        /// It is at work.
        Active = "active",
        /// It has nothing to do.
        Idle = "idle",
        /// It came to an end that nobody wanted.
        Crashed = "crashed",
        /// It rests.
        Sleeping = "sleeping",
    }
);

words!(
    /// Where a task stands.
    TaskStatus, "status" {
        /// Nobody works on it.
        Pending = "pending",
        /// Somebody does.
        InProgress = "in_progress",
        /// It is done.
        Completed = "completed",
        /// It came to no end.
        Failed = "failed",
    }
);

words!(
    /// How urgent a task is.
    Priority, "priority" {
        /// First.
        High = "high",
        /// In its turn.
        Medium = "medium",
        /// Last.
        Low = "low",
    }
);

words!(
    /// What a message is.
    MessageType, "message_type" {
        /// Do something.
        Command = "command",
        /// How it stands.
        Status = "status",
        /// Before all else.
        Urgent = "urgent",
        /// Who does what.
        Coordination = "coordination",
    }
);

words!(
    /// What a snapshot is of.
    MemoryType, "memory_type" {
        /// What is being worked with.
        Working = "working",
        /// What was made of it when it became too much.
        Consolidated = "consolidated",
        /// What is not needed any more.
        Archived = "archived",
        /// What must not be forgotten.
        Critical = "critical",
    }
);

words!(
    /// What happened to a context.
    ContextEventType, "event_type" {
        /// It was made shorter.
        Consolidation = "consolidation",
        /// It was packed.
        Compression = "compression",
        /// It is nearly full.
        OverflowWarning = "overflow_warning",
        /// It rests.
        Sleep = "sleep",
        /// It goes on.
        Wake = "wake",
    }
);

words!(
    /// What was measured.
    MetricType, "metric_type" {
        /// How long something took.
        Duration = "duration",
        /// How sure somebody was.
        Confidence = "confidence",
        /// How good it is.
        Quality = "quality",
        /// What it cost.
        Efficiency = "efficiency",
    }
);

words!(
    /// What a setting is of.
    Category, "category" {
        /// The system.
        System = "system",
        /// An agent.
        Agent = "agent",
        /// A project.
        Project = "project",
        /// What has to hold.
        QualityGates = "quality_gates",
    }
);

words!(
    /// How bad an event is.
    Severity, "severity" {
        /// For those who look for something.
        Debug = "debug",
        /// It happened.
        Info = "info",
        /// Somebody should look.
        Warning = "warning",
        /// Something went wrong.
        Error = "error",
        /// Everything did.
        Critical = "critical",
    }
);

/// An agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    /// Its id.
    pub agent_id: String,
    /// What it is for; any word.
    pub agent_type: String,
    /// What it does.
    pub status: AgentStatus,
    /// Where it works.
    pub worktree_path: Option<String>,
    /// On which branch.
    pub branch_name: Option<String>,
    /// How it is set up.
    pub configuration: Option<Value>,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// `task_<agent>_<time>`, or any other id.
    pub task_id: String,
    /// Whose it is.
    pub agent_id: Option<String>,
    /// What is to be done.
    pub title: String,
    /// The same at length.
    pub description: Option<String>,
    /// Where it stands.
    pub status: TaskStatus,
    /// How urgent it is.
    pub priority: Priority,
    /// When it was begun.
    pub started_at: Option<String>,
    /// When it came to its end.
    pub completed_at: Option<String>,
    /// How long it is to take, in minutes.
    pub estimated_duration: Option<i64>,
    /// How long it took, in minutes.
    pub actual_duration: Option<i64>,
    /// How sure the agent is, 0 to 1.
    pub confidence_score: Option<f64>,
    /// The task that it is a part of.
    pub parent_task_id: Option<String>,
    /// Anything else.
    pub metadata: Option<Value>,
}

/// What an agent has in mind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Context {
    /// `ctx_<agent>_<time>`.
    pub session_id: String,
    /// Whose it is.
    pub agent_id: String,
    /// What it is.
    pub context_data: Option<Value>,
    /// How much of it is used, 0 to 100.
    pub usage_percent: f64,
    /// How many tokens it has.
    pub token_count: i64,
    /// How many it may have.
    pub max_tokens: i64,
    /// Whether it goes on.
    pub is_active: bool,
}

/// What was kept of a context, without its content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// `snap_<session>_<time>`.
    pub snapshot_id: String,
    /// The context.
    pub session_id: String,
    /// What it is of.
    pub memory_type: MemoryType,
    /// The file of its content, from the storage folder.
    pub content_path: Option<String>,
    /// SHA-256 of that file in lower-case hexadecimal.
    pub content_hash: Option<String>,
    /// How much shorter it is than what it was made of.
    pub compression_ratio: Option<f64>,
    /// How important it is, 0 to 1.
    pub importance_score: f64,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Its id.
    pub message_id: String,
    /// Who has sent it.
    pub from_agent: Option<String>,
    /// To whom.
    pub to_agent: Option<String>,
    /// What it is.
    pub message_type: Option<MessageType>,
    /// What it says.
    pub content: Option<String>,
    /// The greater, the sooner; 5 is usual.
    pub priority: i64,
    /// When it was given to whom it is for.
    pub delivered_at: Option<String>,
    /// When that one has said that it was understood.
    pub acknowledged_at: Option<String>,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its id.
    pub event_id: String,
    /// Of which agent.
    pub agent_id: Option<String>,
    /// What it is.
    pub event_type: String,
    /// How bad it is.
    pub severity: Severity,
    /// What happened.
    pub message: String,
    /// The same at length.
    pub details: Option<Value>,
    /// When.
    pub timestamp: Option<String>,
    /// What belongs together has the same.
    pub correlation_id: Option<String>,
}

/// A row as a value: its columns in the order of the list.
pub(super) trait OfRow: Sized {
    /// The columns that are read.
    const COLUMNS: &'static str;

    /// The value.
    fn of_row(row: &Row<'_>) -> rusqlite::Result<Self>;
}

impl OfRow for Agent {
    const COLUMNS: &'static str = "agent_id, agent_type, status, worktree_path, branch_name, configuration";

    fn of_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Agent {
            agent_id: row.get(0)?,
            agent_type: row.get(1)?,
            status: row.get(2)?,
            worktree_path: row.get(3)?,
            branch_name: row.get(4)?,
            configuration: json(row, 5)?,
        })
    }
}

impl OfRow for Task {
    const COLUMNS: &'static str = "task_id, agent_id, title, description, status, priority, started_at, completed_at, \
                                   estimated_duration, actual_duration, confidence_score, parent_task_id, metadata";

    fn of_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Task {
            task_id: row.get(0)?,
            agent_id: row.get(1)?,
            title: row.get(2)?,
            description: row.get(3)?,
            status: row.get(4)?,
            priority: row.get(5)?,
            started_at: row.get(6)?,
            completed_at: row.get(7)?,
            estimated_duration: row.get(8)?,
            actual_duration: row.get(9)?,
            confidence_score: row.get(10)?,
            parent_task_id: row.get(11)?,
            metadata: json(row, 12)?,
        })
    }
}

impl OfRow for Context {
    const COLUMNS: &'static str = "session_id, agent_id, context_data, coalesce(usage_percent, 0), coalesce(token_count, 0), \
         coalesce(max_tokens, 200000), coalesce(is_active, 1)";

    fn of_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Context {
            session_id: row.get(0)?,
            agent_id: row.get(1)?,
            context_data: json(row, 2)?,
            usage_percent: row.get(3)?,
            token_count: row.get(4)?,
            max_tokens: row.get(5)?,
            is_active: row.get(6)?,
        })
    }
}

impl OfRow for Snapshot {
    const COLUMNS: &'static str = "snapshot_id, session_id, memory_type, content_path, content_hash, compression_ratio, \
                                   coalesce(importance_score, 0.5)";

    fn of_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Snapshot {
            snapshot_id: row.get(0)?,
            session_id: row.get(1)?,
            memory_type: row.get(2)?,
            content_path: row.get(3)?,
            content_hash: row.get(4)?,
            compression_ratio: row.get(5)?,
            importance_score: row.get(6)?,
        })
    }
}

impl OfRow for Message {
    const COLUMNS: &'static str = "message_id, from_agent, to_agent, message_type, content, coalesce(priority, 5), \
                                   delivered_at, acknowledged_at";

    fn of_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Message {
            message_id: row.get(0)?,
            from_agent: row.get(1)?,
            to_agent: row.get(2)?,
            message_type: row.get(3)?,
            content: row.get(4)?,
            priority: row.get(5)?,
            delivered_at: row.get(6)?,
            acknowledged_at: row.get(7)?,
        })
    }
}

impl OfRow for Event {
    const COLUMNS: &'static str =
        "event_id, agent_id, event_type, severity, message, details, timestamp, correlation_id";

    fn of_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Event {
            event_id: row.get(0)?,
            agent_id: row.get(1)?,
            event_type: row.get(2)?,
            severity: row.get(3)?,
            message: row.get(4)?,
            details: json(row, 5)?,
            timestamp: row.get(6)?,
            correlation_id: row.get(7)?,
        })
    }
}

/// A column of JSON.
pub(super) fn json(row: &Row<'_>, place: usize) -> rusqlite::Result<Option<Value>> {
    let text = row.get_ref(place)?.as_str_or_null().map_err(rusqlite::Error::from)?;
    let read = |text| serde_json::from_str(text);
    text.map(read)
        .transpose()
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(place, Type::Text, Box::new(error)))
}
