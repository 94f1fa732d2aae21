//! Changes of the history, one row at a time, and what that row has to say afterwards.

use super::{Entry, EntryState, KEEPER, NewEntry, TOOL_VERSION};
use crate::{Error, Result};

/// How far a migration without a transaction came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Progress {
    pub state: EntryState,
    pub started: i64,
    pub finished: i64,
    pub finished_checksum: Option<String>,
}

/// A change of the row of one version.
#[derive(Debug, Clone)]
pub(crate) enum Change<'s> {
    /// A row where there was none.
    Insert(NewEntry<'s>),
    /// How far the script came.
    Mark(Progress),
    /// What was run in the end: the checksums and the down script of the files, and the time it took.
    Settle(NewEntry<'s>),
    /// No row any more.
    Delete,
}

impl Change<'_> {
    /// What the row says after the change, given what it said before. The time is left empty where the database
    /// gives it. An error where the row is not there, or is there already.
    pub(crate) fn of(&self, before: Option<Entry>, table: &str, version: i64) -> Result<Option<Entry>> {
        let wrong = |what: &str| Error::could_not("write history", table, format!("version {version} {what}"));
        let there = |entry: Option<Entry>| entry.ok_or_else(|| wrong("is not in it"));
        match self {
            Change::Insert(_) if before.is_some() => Err(wrong("is in it already")),
            Change::Insert(new) => Ok(Some(new.entry())),
            Change::Mark(progress) => there(before).map(|entry| {
                Some(Entry {
                    state: progress.state,
                    statements_started: progress.started,
                    statements_finished: progress.finished,
                    finished_checksum: progress.finished_checksum.clone(),
                    ..entry
                })
            }),
            Change::Settle(new) => there(before).map(|entry| {
                Some(Entry {
                    name: new.name.to_owned(),
                    up_checksum: new.up_checksum.to_owned(),
                    down_checksum: new.down_checksum.map(str::to_owned),
                    down_script: new.down_script.map(str::to_owned),
                    reversal: new.reversal.word().to_owned(),
                    duration_ms: entry.duration_ms + new.duration_ms,
                    remarks: entry.remarks.clone() + new.remarks,
                    ..entry
                })
            }),
            Change::Delete => there(before).map(|_| None),
        }
    }
}

impl NewEntry<'_> {
    fn entry(&self) -> Entry {
        Entry {
            version: self.version,
            name: self.name.to_owned(),
            applied_at: self.applied_at.unwrap_or_default().to_owned(),
            up_checksum: self.up_checksum.to_owned(),
            down_checksum: self.down_checksum.map(str::to_owned),
            down_script: self.down_script.map(str::to_owned),
            reversal: self.reversal.word().to_owned(),
            duration_ms: self.duration_ms,
            tool_version: TOOL_VERSION.to_owned(),
            state: self.state,
            statements_started: self.statements_finished,
            statements_finished: self.statements_finished,
            finished_checksum: None,
            remarks: self.remarks.to_owned(),
        }
    }
}

/// Fails unless a row reads back as it was written. The time counts only where `written` has one.
pub(crate) fn expect_row(table: &str, version: i64, written: Option<&Entry>, found: Option<&Entry>) -> Result<()> {
    let same = match (written, found) {
        (Some(written), Some(found)) if written.applied_at.is_empty() => {
            *written == Entry { applied_at: String::new(), ..found.clone() }
        }
        (written, found) => written == found,
    };
    if same {
        return Ok(());
    }
    let cause = match found {
        _ if written.is_none() => format!("the row of version {version} was deleted and is there"),
        None => format!("the row of version {version} was written and is not there"),
        Some(_) => format!("the row of version {version} does not read back as it was written"),
    };
    Err(Error::differs("keep the history", table, cause).hint(KEEPER))
}
