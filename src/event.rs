//! What engines tell while they work: plain facts, rendered by whoever listens.

use crate::catalog::QualifiedName;
use serde::Serialize;
use std::fmt;

/// One fact.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A part of the run begins.
    PhaseStarted {
        /// Which part.
        phase: Phase,
    },
    /// The plan is made and will run.
    PlanReady {
        /// How many tables it has.
        tables: u64,
        /// The source's own estimate of all their rows; tables without one count as empty.
        row_estimate: u64,
    },
    /// The rows of a table begin to be copied.
    TableStarted {
        /// The table in the source.
        table: QualifiedName,
        /// The source's own estimate of its rows; negative where it has none.
        row_estimate: i64,
    },
    /// So many rows of the table, and bytes of text and blobs, have been handed to the target since the last event.
    RowsCopied {
        /// Rows.
        rows: u64,
        /// Bytes.
        bytes: u64,
    },
    /// All rows of a table are in the target.
    TableFinished {
        /// The table in the source.
        table: QualifiedName,
        /// How many rows it has.
        rows: u64,
    },
    /// An index begins to be built.
    IndexStarted {
        /// Its name in the target.
        index: String,
    },
    /// So many rows of the target have been read back since the last event.
    RowsVerified {
        /// Rows.
        rows: u64,
    },
    /// So much of a source that is a file was read, in bytes of the file as it is there, packed or not. One that is read more than
    /// once begins at 0 each time.
    SourceRead {
        /// Bytes.
        bytes: u64,
        /// How many there are; `None` for a stream.
        of: Option<u64>,
    },
    /// The server says nothing because another session holds a lock.
    Waiting(Waiting),
}

/// A wait for a lock of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// `schema.name` of the table; `None` where the lock is no table's.
    pub relation: Option<String>,
    /// Who holds it, or stands before this program in the queue.
    pub holders: Vec<Holder>,
    /// How long it has been waited for already, in milliseconds.
    pub waited_ms: u64,
    /// How much longer it is waited for at most, in milliseconds; `None` for as long as it takes.
    pub left_ms: Option<u64>,
}

/// A session that others wait for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holder {
    /// The number of the server's process; 0 is a prepared transaction, which has none.
    pub process: i32,
    /// The role that it has connected as.
    pub user: Option<String>,
    /// What its program calls itself.
    pub application: Option<String>,
    /// When its transaction began, in UTC; `None` where this role may not know.
    pub since: Option<String>,
    /// The processes that it waits for itself.
    pub waits_for: Vec<i32>,
}

impl Waiting {
    /// From rows of relation, process, user, application, since, and processes that it waits for; `None` without a process.
    pub(crate) fn from_rows(rows: &[Vec<Option<String>>]) -> Option<Waiting> {
        let mut waiting = Waiting { relation: None, holders: Vec::new(), waited_ms: 0, left_ms: None };
        for row in rows {
            let [relation, Some(process), user, application, since, waits_for] = row.as_slice() else { continue };
            if waiting.relation.is_none() {
                waiting.relation.clone_from(relation);
            }
            let waits_for = waits_for.as_deref().unwrap_or_default();
            waiting.holders.push(Holder {
                process: process.parse().unwrap_or(0),
                user: user.clone(),
                application: application.clone(),
                since: since.clone(),
                waits_for: waits_for.split(' ').filter_map(|process| process.parse().ok()).collect(),
            });
        }
        (!waiting.holders.is_empty()).then_some(waiting)
    }

    /// Whether the same sessions hold the same lock.
    pub(crate) fn is_the_same_as(&self, other: &Waiting) -> bool {
        self.relation == other.relation && self.holders == other.holders
    }
}

/// `public.t: process 12 (user ann, application psql, in a transaction since 2026-11-28 10:00:00 UTC) holds it`.
impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.relation {
            Some(relation) => write!(f, "table `{relation}`: ")?,
            None => f.write_str("a lock: ")?,
        }
        for (place, holder) in self.holders.iter().enumerate() {
            write!(f, "{}{holder}", if place > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.process == 0 {
            return f.write_str("a prepared transaction (`pg_prepared_xacts`) holds it");
        }
        write!(f, "process {} (user {}", self.process, self.user.as_deref().unwrap_or("unknown"))?;
        write!(f, ", application {}", self.application.as_deref().unwrap_or("unnamed"))?;
        if let Some(since) = &self.since {
            write!(f, ", in a transaction since {since} UTC")?;
        }
        match self.waits_for.as_slice() {
            [] => f.write_str(") holds it"),
            processes => {
                let processes: Vec<String> = processes.iter().map(i32::to_string).collect();
                write!(f, ") stands before, and waits for process {} itself", processes.join(", "))
            }
        }
    }
}

/// A part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Phase {
    /// The source's schema is read.
    Introspect,
    /// Rows are copied.
    Copy,
    /// Rows are made up and inserted.
    Generate,
    /// Indexes and views are built.
    Finish,
    /// The finished file is read back and compared.
    Verify,
    /// Differing rows are looked for.
    Compare,
    /// The file takes the target's place.
    Publish,
}

/// Whoever listens; called from the threads that work.
pub type Listener<'l> = dyn Fn(Event) + Sync + 'l;

/// A listener that hears nothing.
pub fn nobody(_: Event) {}
