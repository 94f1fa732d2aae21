//! Where a database stands: one line per migration that the files or the history know.

use serde::Serialize;

use super::files::Migrations;
use super::history::{Entry, EntryState};
use super::plan::change;
use super::script::Reversal;
use super::step::counted;
use crate::Result;

/// What is to be said about a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum State {
    /// It ran, and its files are what they were.
    Applied,
    /// It has not run.
    Pending,
    /// It ran, and a file of it has been changed since.
    Changed,
    /// It ran, and its file is not there.
    Missing,
    /// It has not run, and a newer one has.
    OutOfOrder,
    /// It runs without a transaction and did not end.
    Interrupted,
}

impl State {
    /// The word that people and JSON see.
    pub fn word(self) -> &'static str {
        match self {
            State::Applied => "applied",
            State::Pending => "pending",
            State::Changed => "changed",
            State::Missing => "missing",
            State::OutOfOrder => "out-of-order",
            State::Interrupted => "interrupted",
        }
    }

    /// Whether `validate` fails on it; on a pending one not where pending ones are allowed.
    pub fn is_problem(self) -> bool {
        self != State::Applied
    }
}

/// One migration and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The version.
    pub version: i64,
    /// The name, from the file where there is one.
    pub name: String,
    /// Where it stands.
    pub state: State,
    /// What its way back is: `lossless`, `lossy`, `irreversible`, `unlabelled`.
    pub reversal: String,
    /// Why it is changed, missing, out of order or interrupted; empty otherwise.
    pub detail: String,
    /// When it was applied, RFC 3339 in UTC.
    pub applied_at: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<i64>,
    /// The program that applied it.
    pub tool_version: Option<String>,
    /// The checksum of its up script, the recorded one where it was applied.
    pub up_checksum: String,
    /// The recorded remarks: repaired, adopted.
    pub remarks: String,
}

/// Where a database stands as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The database, without a password.
    pub endpoint: String,
    /// The newest version that was applied; 0 where none was.
    pub version: i64,
    /// One line per migration, ascending.
    pub migrations: Vec<Line>,
}

impl Status {
    /// How many migrations are in this state.
    pub fn count(&self, state: State) -> usize {
        self.migrations.iter().filter(|line| line.state == state).count()
    }

    /// Whether everything was applied and nothing is wrong.
    pub fn is_current(&self) -> bool {
        self.migrations.iter().all(|line| line.state == State::Applied)
    }

    /// The lines that `validate` fails on.
    pub fn problems(&self) -> impl Iterator<Item = &Line> {
        self.migrations.iter().filter(|line| line.state.is_problem())
    }
}

/// Puts history and files side by side.
pub(crate) fn status(endpoint: &str, history: &[Entry], migrations: &Migrations) -> Result<Status> {
    let newest = history.last().map_or(0, |entry| entry.version);
    let mut lines: Vec<Line> = history.iter().map(|entry| applied(entry, migrations)).collect();
    for migration in migrations {
        if history.binary_search_by_key(&migration.version, |entry| entry.version).is_ok() {
            continue;
        }
        let late = migration.version < newest;
        let reversal = migration.reversal()?;
        lines.push(Line {
            version: migration.version,
            name: migration.name.clone(),
            state: if late { State::OutOfOrder } else { State::Pending },
            reversal: reversal.word().to_owned(),
            detail: match (late, reversal) {
                (true, _) => format!("version {newest} was applied before it"),
                (false, Reversal::Unlabelled) => "its down script has no label".to_owned(),
                (false, Reversal::Irreversible) if migration.down.is_none() => "it has no down script".to_owned(),
                _ => String::new(),
            },
            applied_at: None,
            duration_ms: None,
            tool_version: None,
            up_checksum: migration.up_checksum.clone(),
            remarks: String::new(),
        });
    }
    lines.sort_by_key(|line| line.version);
    Ok(Status { endpoint: endpoint.to_owned(), version: newest, migrations: lines })
}

fn applied(entry: &Entry, migrations: &Migrations) -> Line {
    let migration = migrations.get(entry.version);
    let (state, detail) = match (entry.state, migration) {
        (EntryState::Applying | EntryState::Reverting, _) => {
            let finished = counted(entry.statements_finished, "statement", "statements");
            (State::Interrupted, format!("{}, {finished} finished", entry.state.word()))
        }
        (EntryState::Applied, None) => (State::Missing, "it was applied, and its file is missing".to_owned()),
        (EntryState::Applied, Some(migration)) => match change(entry, migration) {
            Some(change) => (State::Changed, change),
            None if entry.down_script.is_none() => (State::Applied, "it has no down script".to_owned()),
            None => (State::Applied, String::new()),
        },
    };
    Line {
        version: entry.version,
        name: migration.map_or_else(|| entry.name.clone(), |migration| migration.name.clone()),
        state,
        reversal: entry.reversal.clone(),
        detail,
        applied_at: Some(entry.applied_at.clone()),
        duration_ms: Some(entry.duration_ms),
        tool_version: Some(entry.tool_version.clone()),
        up_checksum: entry.up_checksum.clone(),
        remarks: entry.remarks.clone(),
    }
}
