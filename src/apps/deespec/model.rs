//! Tasks, runs, the journal and the state, with the JSON of the application and the columns that have their values.
//!
//! Invariants: keys that are not known are kept; what no file of the application's tree says (the status and the times of a run,
//! the status of a task) may be absent, and is then what the layout says of it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

use crate::apps::columns::Names;
use crate::apps::field::{parse_rfc_3339, rfc_3339, words};

words!(
    /// Where a task stands.
    Status, "status" {
        /// Nobody works on it.
        Ready = "READY",
        /// It is being implemented.
        Wip = "WIP",
        /// It is being reviewed.
        Review = "REVIEW",
        /// The reviewer implements it, after the last attempt.
        ReviewAndWip = "REVIEW&WIP",
        /// It is done.
        Done = "DONE",
    }
);

words!(
    /// What is done in a turn.
    Step, "step" {
        /// Planning.
        Plan = "plan",
        /// Implementing.
        Implement = "implement",
        /// Testing.
        Test = "test",
        /// Reviewing.
        Review = "review",
        /// Ending.
        Done = "done",
    }
);

words!(
    /// What a step has come to.
    Decision, "decision" {
        /// It is as it should be.
        Succeeded = "SUCCEEDED",
        /// The same, in the journal.
        Ok = "OK",
        /// It is not.
        NeedsChanges = "NEEDS_CHANGES",
        /// Nothing yet.
        Pending = "PENDING",
        /// It came to no end.
        Failed = "FAILED",
    }
);

/// A specification that is worked on in turns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// `SBI-` and what makes it unique.
    pub id: String,
    /// By what others call it, where that is not its id; only the document's form says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    /// The whole of `spec.md`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<String>,
    /// What it is called.
    #[serde(default)]
    pub title: Option<String>,
    /// The greater, the sooner.
    #[serde(default)]
    pub priority: i64,
    /// Where it stands.
    #[serde(default = "ready")]
    pub status: Status,
    /// RFC 3339.
    #[serde(default = "epoch")]
    pub created_at: String,
    /// RFC 3339.
    #[serde(default = "epoch")]
    pub updated_at: String,
    /// RFC 3339; only the document's form says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<String>,
    /// Every other key of its file.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

fn ready() -> Status {
    Status::Ready
}

/// The time of a task that has a specification and nothing else.
fn epoch() -> String {
    rfc_3339(0)
}

/// What a step of a turn has written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its task.
    pub sbi_id: String,
    /// The turn; counts for the whole workspace.
    pub turn: u32,
    /// The step.
    pub step: Step,
    /// The attempt, from 1.
    pub attempt: u32,
    /// The report.
    #[serde(default)]
    pub content: Option<String>,
    /// What has become of it; `COMPLETED` where files are kept, which do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// RFC 3339; 1970 where files are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
}

/// Something that has happened: a line of the application's journal, or a file of the document's, where what is said has the names
/// `entity_type`, `entity_id`, `action`, `old_value`, `new_value`, `user`, and `transaction`: its day, its transaction and its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// RFC 3339.
    pub ts: String,
    /// The turn, the step, the decision, the duration, the error and the artifacts, and whatever else the line says.
    #[serde(flatten)]
    pub said: Map<String, Value>,
}

/// The one state of the workspace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// One more each time that it is saved.
    pub version: u64,
    /// The step of older versions of the application.
    #[serde(default)]
    pub current: String,
    /// Where the task that is worked on stands; empty where there is none.
    #[serde(default)]
    pub status: String,
    /// The turn.
    #[serde(default)]
    pub turn: u32,
    /// The task that is worked on; empty where there is none.
    #[serde(default)]
    pub wip: String,
    /// Until when whoever works on it has it for himself, RFC 3339; empty where nobody has.
    #[serde(default)]
    pub lease_expires_at: String,
    /// Names and values that steps are given.
    #[serde(default)]
    pub inputs: BTreeMap<String, Value>,
    /// The last report of each step.
    #[serde(default)]
    pub last_artifacts: BTreeMap<String, Value>,
    /// What the last step has come to; empty where that is nothing.
    #[serde(default)]
    pub decision: String,
    /// How often it was tried.
    #[serde(default)]
    pub attempt: u32,
    /// Every other key.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl State {
    /// Whether somebody has the task that is worked on for himself at that time, in milliseconds since 1970. A lease that tells no
    /// time is one that has ended.
    pub fn is_leased(&self, now_ms: i64) -> bool {
        !self.wip.is_empty() && parse_rfc_3339(&self.lease_expires_at).is_some_and(|until_ms| until_ms > now_ms)
    }

    /// Gives the task to whoever works on it, until that time in milliseconds since 1970.
    pub fn lease(&mut self, task: &str, until_ms: i64) {
        task.clone_into(&mut self.wip);
        self.lease_expires_at = rfc_3339(until_ms);
    }

    /// Goes to the next status, by the application's own workflow. A review that has succeeded ends the task; one that has not
    /// sends it back, until the attempts are used up and the reviewer implements it.
    pub fn advance(&mut self, decision: Decision, attempts_max: u32) {
        let status = self.status.parse().unwrap_or(Status::Ready);
        let next = match status {
            Status::Ready => Status::Wip,
            Status::Wip => Status::Review,
            Status::Review if matches!(decision, Decision::Succeeded | Decision::Ok) => Status::Done,
            Status::Review if self.attempt >= attempts_max => Status::ReviewAndWip,
            Status::Review => Status::Wip,
            Status::ReviewAndWip | Status::Done => Status::Done,
        };
        if status == Status::Ready || (status, next) == (Status::Review, Status::Wip) {
            self.attempt += 1;
        }
        next.word().clone_into(&mut self.status);
        decision.word().clone_into(&mut self.decision);
        if next == Status::Done {
            self.wip.clear();
            self.lease_expires_at.clear();
            (self.attempt, self.turn) = (0, 0);
        }
    }
}

/// The columns of a task.
pub(super) const TASK: Names = Names {
    keys: &[
        ("id", "id"),
        ("task_id", "task_id"),
        ("spec", "spec"),
        ("title", "label"),
        ("priority", "priority"),
        ("status", "status"),
        ("created_at", "created_at"),
        ("updated_at", "updated_at"),
        ("completed_at", "completed_at"),
    ],
    extra: Some("metadata"),
    children: &[],
};

pub(super) const RUN: Names = Names {
    keys: &[
        ("sbi_id", "sbi_id"),
        ("turn", "turn"),
        ("step", "step"),
        ("attempt", "attempt"),
        ("content", "content"),
        ("status", "status"),
        ("started_at", "started_at"),
    ],
    extra: None,
    children: &[],
};

/// A line of the journal. The step is what was done.
pub(super) const LINE: Names =
    Names { keys: &[("ts", "timestamp"), ("step", "action")], extra: Some("new_value"), children: &[] };

/// A file of the document's journal.
pub(super) const FILE: Names = Names {
    keys: &[
        ("ts", "timestamp"),
        ("transaction", "session_id"),
        ("entity_type", "entity_type"),
        ("entity_id", "entity_id"),
        ("action", "action"),
        ("old_value", "old_value"),
        ("new_value", "new_value"),
        ("user", "user"),
    ],
    extra: None,
    children: &[],
};

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        let text = r#"{"version": 3, "current": "plan", "turn": 2, "inputs": {"todo": "x"}, "artifacts_dir": "a"}"#;
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_task_goes_the_way_of_the_application() {
        let mut state = state();
        state.lease("SBI-1", 2_000);
        let mut seen = Vec::new();
        let decisions = [Decision::Pending, Decision::Pending, Decision::NeedsChanges].into_iter().chain([
            Decision::Pending,
            Decision::NeedsChanges,
            Decision::Pending,
            Decision::NeedsChanges,
            Decision::Pending,
        ]);
        for decision in decisions {
            state.advance(decision, 3);
            seen.push((state.status.clone(), state.attempt));
        }
        let expected = [
            ("WIP", 1),
            ("REVIEW", 1),
            ("WIP", 2),
            ("REVIEW", 2),
            ("WIP", 3),
            ("REVIEW", 3),
            ("REVIEW&WIP", 3),
            ("DONE", 0),
        ];
        assert_eq!(seen, expected.map(|(status, attempt)| (status.to_owned(), attempt)));
        assert!(state.wip.is_empty() && state.lease_expires_at.is_empty() && state.turn == 0);
        assert_eq!(state.extra["artifacts_dir"], "a");
    }

    #[test]
    fn a_lease_ends_with_its_time() {
        let mut state = state();
        assert!(!state.is_leased(0));
        state.lease("SBI-1", 2_000);
        assert_eq!((state.is_leased(1_999), state.is_leased(2_000)), (true, false));
        // As the application writes it.
        state.lease_expires_at = "1970-01-01T09:00:02.123456789+09:00".to_owned();
        assert_eq!((state.is_leased(2_122), state.is_leased(2_123)), (true, false));
        state.lease_expires_at = "soon".to_owned();
        assert!(!state.is_leased(0));
    }
}
