//! What the document's tool reports after a migration: counts, orphans, statuses, times, size, integrity.

use rusqlite::Connection;
use serde::Serialize;

use super::rows;

const ORPHANED_INSTANCES: &str = include_str!("../../../migrations/sessions/checks/orphaned_instances.sql");
const ORPHANED_MESSAGES: &str = include_str!("../../../migrations/sessions/checks/orphaned_messages.sql");
const INVALID_STATUSES: &str = include_str!("../../../migrations/sessions/checks/invalid_statuses.sql");
const INVALID_TIMESTAMPS: &str = include_str!("../../../migrations/sessions/checks/invalid_timestamps.sql");

/// What was found of the SQLite file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Validation {
    /// How many sessions there are.
    pub session_count: u64,
    /// How many instances.
    pub instance_count: u64,
    /// How many messages.
    pub message_count: u64,
    /// Instances of a session that is not there.
    pub orphaned_instances: u64,
    /// Messages of a session, or about an instance, that is not there.
    pub orphaned_messages: u64,
    /// Statuses that the application does not know.
    pub invalid_statuses: u64,
    /// Times that are no RFC 3339.
    pub invalid_timestamps: u64,
    /// The size of the file in bytes.
    pub database_size_bytes: u64,
    /// What SQLite says of the structure, and rows without their parent; nothing where all is in order.
    pub findings: Vec<String>,
}

impl Validation {
    /// Nothing was found.
    pub fn is_valid(&self) -> bool {
        let found = [self.orphaned_instances, self.orphaned_messages, self.invalid_statuses, self.invalid_timestamps];
        found.iter().sum::<u64>() == 0 && self.findings.is_empty()
    }

    pub(super) fn of(connection: &Connection) -> rusqlite::Result<Validation> {
        let [session_count, instance_count, message_count] = rows::counts(connection)?;
        Ok(Validation {
            session_count,
            instance_count,
            message_count,
            orphaned_instances: rows::violations(connection, ORPHANED_INSTANCES)?,
            orphaned_messages: rows::violations(connection, ORPHANED_MESSAGES)?,
            invalid_statuses: rows::violations(connection, INVALID_STATUSES)?,
            invalid_timestamps: rows::violations(connection, INVALID_TIMESTAMPS)?,
            database_size_bytes: rows::size_bytes(connection)?,
            findings: rows::findings(connection)?,
        })
    }
}
