//! What a session is: the types, with the JSON of the application, and the columns that have their values.
//!
//! Invariants: what is serialised is what the application writes, key by key in its order, `null` for what is absent; keys
//! that are not known are kept. Each word is one of its column's CHECK (held by a test).

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::apps::columns::Names;
use crate::apps::field::{refused, words};
use crate::{Error, Result};

words!(
    /// How the instances of a session work together.
    SessionType, "type" {
        /// Each for itself; one of them wins.
        Competition = "competition",
        /// All for one result.
        Ensemble = "ensemble",
        /// They answer each other.
        Debate = "debate",
        /// Their results are brought together.
        Integration = "integration",
    }
);

words!(
    /// Where a session stands.
    SessionStatus, "status" {
        /// Its instances are at work.
        Running = "running",
        /// It is done.
        Completed = "completed",
        /// It came to no end.
        Failed = "failed",
        /// It can go on.
        Paused = "paused",
    }
);

words!(
    /// Where an instance stands.
    InstanceStatus, "status" {
        /// It has nothing to do.
        Idle = "idle",
        /// It is at work.
        Running = "running",
        /// It is done.
        Completed = "completed",
        /// It came to no end.
        Failed = "failed",
        /// It can go on.
        Paused = "paused",
        /// Its worktree is put away.
        Archived = "archived",
    }
);

words!(
    /// Who has said something.
    Role, "role" {
        /// A person.
        User = "user",
        /// An agent.
        Assistant = "assistant",
        /// The application.
        System = "system",
    }
);

words!(
    /// The program that an instance runs.
    Runtime, "runtime" {
        /// Claude.
        Claude = "claude",
        /// Gemini.
        Gemini = "gemini",
        /// Codex.
        Codex = "codex",
    }
);

/// A session with its instances and its chat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Its id, unique among all workspaces.
    pub id: String,
    /// How its instances work together.
    #[serde(rename = "type")]
    pub session_type: SessionType,
    /// What is to be done.
    pub task: String,
    /// Where it stands.
    pub status: SessionStatus,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339; lists are in this order, newest first.
    pub updated_at: String,
    /// RFC 3339.
    #[serde(default)]
    pub completed_at: Option<String>,
    /// In the order of their numbers.
    #[serde(default)]
    pub instances: Vec<Instance>,
    /// In the order of their times.
    #[serde(default)]
    pub chat_history: Vec<Message>,
    /// The model of all instances.
    #[serde(default)]
    pub model: Option<String>,
    /// Seconds; 0 means no limit.
    #[serde(default)]
    pub timeout_seconds: Option<u32>,
    /// Whether worktrees stay when it is done.
    #[serde(default)]
    pub preserve_worktrees: Option<bool>,
    /// The number of the instance that has won.
    #[serde(default)]
    pub winner_id: Option<u32>,
    /// The programs of the instances, in their order.
    #[serde(default)]
    pub runtime_mix: Option<Vec<String>>,
    /// In the unit of the application: its documents call it seconds in one place and milliseconds in another.
    #[serde(default)]
    pub total_duration: Option<u64>,
    /// Files changed by all instances.
    #[serde(default)]
    pub total_files_changed: Option<i64>,
    /// Lines added by all instances.
    #[serde(default)]
    pub total_lines_added: Option<i64>,
    /// Lines deleted by all instances.
    #[serde(default)]
    pub total_lines_deleted: Option<i64>,
    /// Keys of newer versions of the application.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// An agent in its worktree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    /// Its number within the session.
    pub instance_id: u32,
    /// Where it works.
    pub worktree_path: String,
    /// On which branch.
    pub branch: String,
    /// The agent's name.
    pub agent_name: String,
    /// Where it stands.
    pub status: InstanceStatus,
    /// Its terminal.
    pub tmux_session_id: String,
    /// What it has printed.
    #[serde(default)]
    pub output: Option<String>,
    /// RFC 3339.
    #[serde(default)]
    pub start_time: Option<String>,
    /// RFC 3339.
    #[serde(default)]
    pub end_time: Option<String>,
    /// How many files it has changed.
    #[serde(default)]
    pub files_changed: Option<i64>,
    /// How many lines it has added.
    #[serde(default)]
    pub lines_added: Option<i64>,
    /// How many lines it has deleted.
    #[serde(default)]
    pub lines_deleted: Option<i64>,
    /// The program that it runs.
    #[serde(default)]
    pub runtime: Option<Runtime>,
    /// Its model.
    #[serde(default)]
    pub model: Option<String>,
    /// How it is called.
    #[serde(default)]
    pub runtime_label: Option<String>,
    /// Keys of newer versions of the application.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Something that was said in a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Its id, unique among all sessions.
    pub id: String,
    /// Who has said it.
    pub role: Role,
    /// What was said; of any length.
    pub content: String,
    /// RFC 3339.
    pub timestamp: String,
    /// The number of the instance that it is about.
    #[serde(default)]
    pub instance_id: Option<u32>,
    /// Keys of newer versions of the application.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A session as lists and searches show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionSummary {
    /// Its id.
    pub id: String,
    /// The hash of its workspace.
    pub workspace_hash: String,
    /// How its instances work together.
    #[serde(rename = "type")]
    pub session_type: SessionType,
    /// What is to be done.
    pub task: String,
    /// Where it stands.
    pub status: SessionStatus,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
    /// How many instances it has.
    pub instance_count: u32,
    /// How many messages it has.
    pub message_count: u32,
}

const INSTANCE: Names = Names {
    keys: &[
        ("instanceId", "instance_id"),
        ("worktreePath", "worktree_path"),
        ("branch", "branch"),
        ("agentName", "agent_name"),
        ("status", "status"),
        ("tmuxSessionId", "tmux_session_id"),
        ("output", "output"),
        ("startTime", "start_time"),
        ("endTime", "end_time"),
        ("filesChanged", "files_changed"),
        ("linesAdded", "lines_added"),
        ("linesDeleted", "lines_deleted"),
        ("runtime", "runtime"),
        ("model", "model"),
        ("runtimeLabel", "runtime_label"),
    ],
    extra: Some("extra"),
    children: &[],
};

const MESSAGE: Names = Names {
    keys: &[
        ("id", "id"),
        ("role", "role"),
        ("content", "content"),
        ("timestamp", "timestamp"),
        ("instanceId", "instance_id"),
    ],
    extra: Some("extra"),
    children: &[],
};

/// The columns of a session; `workspace_hash` is besides.
pub(super) const SESSION: Names = Names {
    keys: &[
        ("id", "id"),
        ("type", "session_type"),
        ("task", "task"),
        ("status", "status"),
        ("createdAt", "created_at"),
        ("updatedAt", "updated_at"),
        ("completedAt", "completed_at"),
        ("model", "model"),
        ("timeoutSeconds", "timeout_seconds"),
        ("preserveWorktrees", "preserve_worktrees"),
        ("winnerId", "winner_id"),
        ("runtimeMix", "runtime_mix"),
        ("totalDuration", "total_duration"),
        ("totalFilesChanged", "total_files_changed"),
        ("totalLinesAdded", "total_lines_added"),
        ("totalLinesDeleted", "total_lines_deleted"),
    ],
    extra: Some("extra"),
    children: &[("instances", "instances", &INSTANCE), ("chatHistory", "chat_messages", &MESSAGE)],
};

impl Session {
    /// Looks at everything that the types do not hold, so that each mode of the store refuses the same.
    ///
    /// # Errors
    /// [`Usage`](crate::error::Kind::Usage), naming the field: an empty id, a number or an id twice, a message or a winner
    /// that names no instance of the session, a duration beyond 63 bits.
    pub fn validate(&self, operation: &str) -> Result<()> {
        let wrong = |field: &str, cause: String| Err(Error::usage(operation, format!("field `{field}`"), cause));
        for (field, text) in [("id", &self.id), ("createdAt", &self.created_at), ("updatedAt", &self.updated_at)] {
            if text.is_empty() {
                return wrong(field, "it is empty".to_owned());
            }
        }
        if self.total_duration.is_some_and(|duration| i64::try_from(duration).is_err()) {
            return wrong("totalDuration", "it is beyond 63 bits".to_owned());
        }
        let mut numbers = HashSet::new();
        if let Some(twice) = self.instances.iter().find(|instance| !numbers.insert(instance.instance_id)) {
            return wrong("instances", format!("there are two with the number {}", twice.instance_id));
        }
        if let Some(winner) = self.winner_id.filter(|winner| !numbers.contains(winner)) {
            return Err(refused(operation, "winnerId", winner, "the number of an instance of the session"));
        }
        let mut ids = HashSet::new();
        for message in &self.chat_history {
            if message.id.is_empty() || !ids.insert(message.id.as_str()) {
                return wrong("chatHistory", format!("`{}` is no id, or that of two messages", message.id));
            }
            if let Some(number) = message.instance_id.filter(|number| !numbers.contains(number)) {
                let takes = "the number of an instance of the session";
                return Err(refused(operation, "chatHistory.instanceId", number, takes));
            }
        }
        Ok(())
    }

    /// Instances by their number and messages by their time, those of one time as they stand: the order of every mode.
    pub(super) fn in_order(mut self) -> Session {
        self.instances.sort_by_key(|instance| instance.instance_id);
        self.chat_history.sort_by(|one, other| one.timestamp.cmp(&other.timestamp));
        self
    }

    pub(super) fn summary(&self, workspace_hash: &str) -> SessionSummary {
        SessionSummary {
            id: self.id.clone(),
            workspace_hash: workspace_hash.to_owned(),
            session_type: self.session_type,
            task: self.task.clone(),
            status: self.status,
            created_at: self.created_at.clone(),
            updated_at: self.updated_at.clone(),
            instance_count: u32::try_from(self.instances.len()).unwrap_or(u32::MAX),
            message_count: u32::try_from(self.chat_history.len()).unwrap_or(u32::MAX),
        }
    }
}
