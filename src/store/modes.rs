//! A mode is changed: both sides are proven equal first, by the digests of all records, while nobody writes.
//!
//! The longest part of it, reading both sides for the first time, is done before anybody has to wait. A step that only lets go of the copy needs no
//! proof: nothing rests on the copy, and who steps back because the copy is broken must be able to.

use super::compare::{Compared, Difference, TableSides, compare};
use super::contract::{Mode, Side};
use super::control::Selection;
use super::open::{OpenStore, is_chosen};
use crate::endpoint::sqlite::file::quoted;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::time::Instant;

const CHANGE: &str = "change the mode of";

/// A change of mode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModeChange {
    /// The modes before; that of most records last.
    pub from: Vec<Mode>,
    /// The new one.
    pub to: Mode,
    /// Whether it was changed.
    pub is_changed: bool,
    /// How many records were compared, and how many of them are equal.
    pub records: u64,
    /// How many of them are equal.
    pub equal: u64,
    /// Each table, with the digests of both sides.
    pub tables: Vec<TableSides>,
    /// What differs, the first 1,000.
    pub differences: Vec<Difference>,
    /// Writes that are not done.
    pub pending: u64,
    /// For how long nobody could write, in milliseconds.
    pub pause_ms: f64,
}

/// Sets the mode of some records.
///
/// # Errors
/// When a side that the mode needs is not there or cannot be read. Sides that differ are no error here: [`ModeChange::ensure_changed`].
pub fn set(store: &OpenStore, selection: &Selection, mode: Mode, dry_run: bool) -> Result<ModeChange> {
    if let Selection::Percent(percent) = selection
        && !(1..=100).contains(percent)
    {
        return Err(Error::usage(CHANGE, "some records", format!("{percent} percent are none: 1 to 100 are")));
    }
    let known = store.layout();
    let chosen = |path: &str| {
        let (kind, group) = known.group_of(path);
        is_chosen(selection, path, known.layout.kinds.get(kind).map(|kind| kind.name.as_str()), &group)
    };
    let compared = |store: &OpenStore| -> Result<Compared> {
        compare(known, (&*store.files()?, &*store.rows()?), &store.modes()?, &chosen)
    };
    let lets_go = |from: &[Mode]| !mode.has_copy() && from.iter().all(|from| from.truth() == mode.truth());
    let before: Vec<Mode> = store.modes()?.all().into_iter().collect();
    if !lets_go(&before) {
        // What was read now need not be read again while others wait.
        compared(store)?;
    }
    let start = Instant::now();
    let _held = store.hold()?;
    if !dry_run {
        store.replay()?;
    }
    let from: Vec<Mode> = store.modes()?.all().into_iter().collect();
    let found = match (lets_go(&from), compared(store)) {
        (true, Err(_)) => Compared::default(),
        (_, found) => found?,
    };
    let pending = store.control().intents()?.len() as u64;
    let may = lets_go(&from) || (found.open.is_empty() && pending == 0);
    let is_changed = may && !dry_run;
    if is_changed {
        store.control().set_mode(selection, mode)?;
    }
    Ok(ModeChange {
        from,
        to: mode,
        is_changed,
        records: found.records,
        equal: found.equal,
        differences: found.differences(),
        tables: found.tables,
        pending,
        pause_ms: start.elapsed().as_secs_f64() * 1000.0,
    })
}

impl ModeChange {
    /// Whether the change only lets go of a copy.
    pub fn lets_go(&self) -> bool {
        let truth: Side = self.to.truth();
        !self.to.has_copy() && self.from.iter().all(|from| from.truth() == truth)
    }

    /// An error where both sides differ, so that it was not changed, or would not be.
    ///
    /// # Errors
    /// How many records differ.
    pub fn ensure_changed(&self, file: &std::path::Path) -> Result<()> {
        if self.is_changed || self.lets_go() || (self.records == self.equal && self.pending == 0) {
            return Ok(());
        }
        let cause = format!(
            "{} of {} records differ, and {} writes are not done",
            self.records - self.equal,
            self.records,
            self.pending
        );
        Err(Error::differs(CHANGE, quoted(file), cause).hint(
            "the mode is what it was; `whimbrel store repair PROJECT --dry-run` shows what brings both sides in step",
        ))
    }
}
