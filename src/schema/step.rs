//! What both databases say of a step in the same way: its row, its report, its failures.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Instant;

use super::event::{Event, Observer, StepReport};
use super::files::Migration;
use super::history::{Change, EntryState, NewEntry, Progress, StatementSum};
use super::plan::{Direction, Step};
use super::script::{Reversal, Script};
use super::tokens::{Dialect, Statement};
use crate::{Error, Result};

/// The row that stands for a step that goes up.
pub(crate) fn row(step: &Step, state: EntryState, duration_ms: i64) -> NewEntry<'_> {
    let finished = if state == EntryState::Applied { step.script.statements.len() } else { 0 };
    NewEntry {
        version: step.version,
        name: &step.name,
        up_checksum: &step.up_checksum,
        down_checksum: step.down_checksum.as_deref(),
        down_script: step.down_script.as_deref(),
        reversal: step.reversal,
        duration_ms,
        state,
        statements_finished: count(finished),
        applied_at: None,
        remarks: "",
    }
}

/// A migration as a row of the history that nothing has to be run for.
pub(super) fn recorded(migration: &Migration, dialect: Dialect) -> Result<Step> {
    let reversal = migration.reversal()?;
    let script = match Script::parse(&migration.file, Arc::clone(&migration.up), dialect) {
        Ok(script) => script,
        // It ran already, under another runner's rules; only new runs have to keep ours.
        Err(_) => {
            Script { file: migration.file.clone(), header: Default::default(), statements: Vec::new(), is_dump: false }
        }
    };
    Ok(Step {
        direction: Direction::Up,
        version: migration.version,
        name: migration.name.clone(),
        script,
        reversal: if migration.down.is_none() { Reversal::Irreversible } else { reversal },
        up_checksum: migration.up_checksum.clone(),
        down_checksum: migration.down_checksum.clone(),
        down_script: migration.down.clone(),
        resume_after: None,
    })
}

/// How far a script came, as a change of its row; `sum` is that of the statements that ended.
pub(crate) fn progress(state: EntryState, started: usize, finished: usize, sum: &StatementSum) -> Change<'static> {
    let finished_checksum = (finished > 0).then(|| sum.checksum());
    Change::Mark(Progress { state, started: count(started), finished: count(finished), finished_checksum })
}

/// A number and what it counts: `1 row`, `2 rows`.
pub(crate) fn counted(number: impl Display + PartialEq + From<u8>, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1.into() { one } else { many })
}

/// A number of statements, as the history has it.
fn count(statements: usize) -> i64 {
    i64::try_from(statements).unwrap_or(i64::MAX)
}

/// The milliseconds since `start`.
pub(crate) fn milliseconds(start: Instant) -> i64 {
    i64::try_from(start.elapsed().as_millis()).unwrap_or(i64::MAX)
}

/// Tells that a step begins.
pub(crate) fn started(step: &Step, observe: &mut Observer<'_>) {
    observe(&Event::Started {
        version: step.version,
        name: step.name.clone(),
        direction: step.direction,
        statements: step.script.statements.len(),
    });
}

/// What a step did that took `duration_ms`.
pub(crate) fn report(step: &Step, duration_ms: i64) -> StepReport {
    StepReport {
        version: step.version,
        name: step.name.clone(),
        direction: step.direction,
        statements: step.script.statements.len(),
        duration_ms,
        reversal: step.reversal.word().to_owned(),
    }
}

/// The error of one statement.
pub(crate) fn statement_failed(step: &Step, number: usize, statement: &Statement, cause: impl Display) -> Error {
    let object = format!("`{}` line {}", step.script.file, statement.line());
    let all = step.script.statements.len();
    Error::could_not("run migration", object, format!("statement {number} of {all} failed: {cause}"))
}

/// The error of a migration without a transaction that stopped after `finished` statements. `remains` names what
/// the failed statement has left behind, where that is known.
pub(crate) fn stopped(step: &Step, finished: usize, remains: &str, error: Error) -> Error {
    let all = step.script.statements.len();
    let left = if remains.is_empty() { String::new() } else { format!("; it left the invalid index `{remains}`") };
    let cause = format!("{}; {finished} of {all} statements are done and stay{left}", error.cause());
    let object = error.object().to_owned();
    let first = error.way_out().unwrap_or("correct what failed");
    let hint = format!("{first}; then `schema up --resume` runs the rest, or `schema down --undo` its down script");
    Error::could_not(error.operation().to_owned(), object, cause).hint(hint).because(error)
}
