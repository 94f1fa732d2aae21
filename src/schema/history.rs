//! The history: one row per migration that a database has seen, in the table `schema_migrations`.
//!
//! Invariants: the row of a transactional migration is written by the transaction that ran it; the row of one
//! without a transaction is there before its first statement, and `state` is `applied` only after its last. The text
//! of the down script is in the row, so that a program which never saw the migration can take it back. Every change is
//! a [`Change`] of one row: what the row says afterwards follows from what it said before, and is read back.

mod change;
mod known;
mod other;
pub(crate) mod postgres;
pub(crate) mod sqlite;

use serde::Serialize;
use xxhash_rust::xxh3::Xxh3;

use super::checksum::{canonical, named};
use super::script::Reversal;
use super::tokens::Statement;
use crate::{Error, Result};

pub(crate) use change::{Change, Progress, expect_row};
pub(crate) use known::Known;
pub(crate) use other::ForeignEntry;
pub use other::OtherHistory;

/// What `schema_migrations` says about a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum EntryState {
    /// It ran to its end.
    Applied,
    /// It runs without a transaction and has not ended, or never will.
    Applying,
    /// Its down runs without a transaction and has not ended, or never will.
    Reverting,
}

impl EntryState {
    /// The word in the table.
    pub fn word(self) -> &'static str {
        match self {
            EntryState::Applied => "applied",
            EntryState::Applying => "applying",
            EntryState::Reverting => "reverting",
        }
    }

    fn read(word: &str) -> Result<EntryState> {
        [EntryState::Applied, EntryState::Applying, EntryState::Reverting]
            .into_iter()
            .find(|state| state.word() == word)
            .ok_or_else(|| Error::could_not("read history", "", format!("unknown state `{word}`")))
    }
}

/// One row of the history.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Entry {
    /// The migration's version.
    pub version: i64,
    /// Its name when it was applied.
    pub name: String,
    /// When it was applied, RFC 3339 in UTC.
    pub applied_at: String,
    /// The checksum of the up script that ran.
    pub up_checksum: String,
    /// The checksum of the down script, where there is one.
    pub down_checksum: Option<String>,
    /// The down script itself, as its file had it.
    pub down_script: Option<String>,
    /// What the down script says about itself.
    pub reversal: String,
    /// How long the up script took, in milliseconds.
    pub duration_ms: i64,
    /// The version of this program that applied it.
    pub tool_version: String,
    /// Whether it ended.
    pub state: EntryState,
    /// Without a transaction: the number of statements that began.
    pub statements_started: i64,
    /// The number of statements that ended.
    pub statements_finished: i64,
    /// The checksum of the statements that ended, so that the rest may be corrected before it is resumed.
    pub finished_checksum: Option<String>,
    /// What else happened to the row (repaired, adopted), one line each.
    pub remarks: String,
}

/// The columns of the table, in the order in which every query here names them.
pub(crate) const COLUMNS: [&str; 14] = [
    "version",
    "name",
    "applied_at",
    "up_checksum",
    "down_checksum",
    "down_script",
    "reversal",
    "duration_ms",
    "tool_version",
    "state",
    "statements_started",
    "statements_finished",
    "finished_checksum",
    "remarks",
];

/// The version of this program, as rows record it.
pub(crate) const TOOL_VERSION: &str = concat!("whimbrel ", env!("CARGO_PKG_VERSION"));

/// The checksum of the first statements of a script, for [`Entry::finished_checksum`]; grows with each statement.
#[derive(Clone, Default)]
pub(crate) struct StatementSum {
    hasher: Xxh3,
    is_begun: bool,
}

impl StatementSum {
    /// The sum of these statements.
    pub(crate) fn of(statements: &[Statement]) -> StatementSum {
        let mut sum = StatementSum::default();
        statements.iter().for_each(|statement| sum.add(statement));
        sum
    }

    /// One statement more.
    pub(crate) fn add(&mut self, statement: &Statement) {
        if std::mem::replace(&mut self.is_begun, true) {
            self.hasher.update(b"\n;\n");
        }
        // As the checksum of a file: a resumed run may have been checked out with other line endings.
        self.hasher.update(canonical(statement.text()).as_bytes());
        if let Some(rows) = statement.rows() {
            self.hasher.update(b"\n;\n");
            self.hasher.update(canonical(rows).as_bytes());
        }
    }

    /// The checksum, as [`checksum`] writes it.
    pub(crate) fn checksum(&self) -> String {
        named(self.hasher.digest128())
    }
}

/// What a new row says; the database adds the time.
#[derive(Debug, Clone)]
pub(crate) struct NewEntry<'s> {
    pub version: i64,
    pub name: &'s str,
    pub up_checksum: &'s str,
    pub down_checksum: Option<&'s str>,
    pub down_script: Option<&'s str>,
    pub reversal: Reversal,
    pub duration_ms: i64,
    pub state: EntryState,
    pub statements_finished: i64,
    /// RFC 3339; nothing for now.
    pub applied_at: Option<&'s str>,
    pub remarks: &'s str,
}

/// Who may write the history, as a hint.
pub(crate) const KEEPER: &str = "only the runner writes it: take out what changes it, a statement, a trigger or a rule";

/// The error for a table that has the history's name and is not one that this program makes.
pub(crate) fn unfit_table(table: &str, why: &str) -> Error {
    Error::could_not("read history", table, why)
        .hint("put the table back as the runner made it, or name another one with `--history-table`")
}

/// The error for a first migration that has made something under the history's name. `table` and `migration` for people.
pub(crate) fn taken_name(table: &str, migration: &str) -> Error {
    let cause = format!("migration {migration} made something of that name itself; that was rolled back");
    Error::could_not("create history", table, cause)
        .hint("give it another name, or name another history table with `--history-table`")
}

/// The error for a table that has the history's name and another tool's columns.
pub(crate) fn foreign_table(table: &str, missing: &str) -> Error {
    Error::could_not(
        "read history",
        format!("`{table}`"),
        format!("the table has no column `{missing}`: it belongs to another tool"),
    )
    .hint(format!("{TAKE_OVER}; or name another history table with `--history-table`"))
}

/// How a database is taken over that somebody else has made.
pub(crate) const TAKE_OVER: &str = "`schema adopt --version N` takes a database over whose objects are what the migrations up to N \
                                    make, and runs none of them";
