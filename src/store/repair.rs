//! Both sides are brought in step again: what only one side has changed goes to the other, by the mode of its record.
//!
//! What both have changed is left and named, until somebody decides for a side; then the value that loses is set aside, and not dropped. In a mode
//! that keeps one side, the other one follows it, and never the other way round.

use super::compare::{Compared, Difference, Found, Open, SHOWN_MAX, compare};
use super::contract::{Expected, Mode, Side};
use super::keeper::{Change, Exchanged};
use super::open::OpenStore;
use super::value;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

const REPAIR: &str = "repair the store of";

/// What was, or would be, done to a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repaired {
    /// How it differs.
    pub difference: Difference,
    /// The side that gets what the other one has; `None` where it is left as it is.
    pub gets: Option<Side>,
    /// Why it was left, where that is not a conflict.
    pub reason: Option<String>,
}

/// A repair.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repair {
    /// Whether nothing was changed because nothing was to be.
    pub dry_run: bool,
    /// How many writes that had begun were gone on with.
    pub pending_before: u64,
    /// How many of them are not done still.
    pub pending_after: u64,
    /// How many records there are.
    pub records: u64,
    /// How many were equal.
    pub equal: u64,
    /// How many were, or would be, brought in step.
    pub repaired: u64,
    /// How many were left as they are.
    pub left: u64,
    /// The records that differed, the first 1,000 of them.
    pub shown: Vec<Repaired>,
}

impl Repair {
    /// An error where something was left.
    ///
    /// # Errors
    /// What was left.
    pub fn ensure_whole(&self, file: &std::path::Path) -> Result<()> {
        let (left, pending) = (self.left, if self.dry_run { 0 } else { self.pending_after });
        if left + pending == 0 {
            return Ok(());
        }
        let object = crate::endpoint::sqlite::file::quoted(file);
        let cause = format!("{left} records are left as they are, and {pending} writes are not done");
        Err(Error::differs(REPAIR, object, cause)
            .hint("write the record anew through the store, or decide with `--take files` or `--take rows`: what loses is kept aside"))
    }
}

/// Repairs; `take` decides what is in conflict.
///
/// # Errors
/// When a side cannot be read, or one has lost everything.
pub fn repair(store: &OpenStore, take: Option<Side>, dry_run: bool) -> Result<Repair> {
    let _held = store.hold()?;
    let pending_before = store.control().intents()?.len() as u64;
    if !dry_run {
        store.replay()?;
    }
    let (files, rows, known) = (store.files()?, store.rows()?, store.layout());
    let modes = store.modes()?;
    let compared = compare(known, (&files, &rows), &modes, &|_| true)?;
    refuse_emptied(store, &compared, take)?;
    let mut repair = Repair {
        dry_run,
        pending_before,
        pending_after: store.control().intents()?.len() as u64,
        records: compared.records,
        equal: compared.equal,
        ..Repair::default()
    };
    // What others are inside of, or lead to, comes first, and goes last.
    let (gone, there): (Vec<Open>, Vec<Open>) =
        compared.open.into_iter().partition(|open| winner(open, take).is_some_and(|side| !is_in(open, side)));
    for open in there.into_iter().chain(gone.into_iter().rev()) {
        let (mut gets, mut reason) = (winner(&open, take).map(other), None);
        if let (Some(side), false) = (gets, dry_run)
            && let Err(error) = bring(store, &open, side)
        {
            (gets, reason) = (None, Some(error.to_string()));
        }
        match gets {
            Some(_) => repair.repaired += 1,
            None => repair.left += 1,
        }
        if repair.shown.len() < SHOWN_MAX {
            repair.shown.push(Repaired { difference: open.told, gets, reason });
        }
    }
    if !dry_run {
        store.both(Mode::Dual, &files, &rows).refresh()?;
    }
    Ok(repair)
}

fn other(side: Side) -> Side {
    match side {
        Side::Files => Side::Rows,
        Side::Rows => Side::Files,
    }
}

fn is_in(open: &Open, side: Side) -> bool {
    match side {
        Side::Files => open.told.in_files,
        Side::Rows => open.told.in_rows,
    }
}

/// The side whose value the other one gets.
fn winner(open: &Open, take: Option<Side>) -> Option<Side> {
    let newer = match open.told.found {
        Found::Files => Some(Side::Files),
        Found::Rows => Some(Side::Rows),
        Found::Conflict => None,
    };
    match newer {
        Some(side) if open.told.mode.has_copy() || side == open.told.mode.truth() => Some(side),
        _ => take,
    }
}

fn bring(store: &OpenStore, open: &Open, gets: Side) -> Result<()> {
    let (files, rows, known) = (store.files()?, store.rows()?, store.layout());
    let (of_files, of_rows) = open.units(&files, &rows)?;
    let versions = [&of_files, &of_rows].map(|unit| unit.as_ref().map(|unit| unit.version(known)));
    if versions != [open.files, open.rows] {
        return Err(Error::could_not(REPAIR, &open.told.key, "another program has changed it meanwhile"));
    }
    let (new, old) = match gets {
        Side::Files => (of_rows, of_files),
        Side::Rows => (of_files, of_rows),
    };
    let Some(any) = new.as_ref().or(old.as_ref()) else {
        return Ok(());
    };
    let table = any.table;
    let is_newer = match (open.told.found, gets) {
        (Found::Files, Side::Rows) | (Found::Rows, Side::Files) => true,
        (Found::Files | Found::Rows | Found::Conflict, _) => false,
    };
    if let (Some(old), false) = (&old, is_newer) {
        let record = serde_json::Value::Object(value::record(known, old).value).to_string();
        let reason = "both sides had another value, and somebody has decided for the other one";
        store.control().set_aside((&open.told.table, &open.told.key), gets.word(), &record, reason)?;
    }
    let expected = old.as_ref().map_or(Expected::Absent, |old| Expected::Version(old.version(known)));
    let key = any.key_row(known);
    let change = Change { table, key, new, expected, as_spelled: true };
    let (done, mut paths) = match gets {
        Side::Files => files.exchange_in(&change)?,
        Side::Rows => (rows.exchange_beside_files(&change)?, Vec::new()),
    };
    if let Exchanged::Other(_) = done {
        return Err(Error::could_not(REPAIR, &open.told.key, "another program has changed it meanwhile"));
    }
    if let Some(located) = files.locate(&files.tree()?, table, &change.key)? {
        paths.extend(located.places.into_iter().map(|(_, path)| path));
    } else {
        paths.extend(open.told.path.clone());
    }
    store.both(open.told.mode, &files, &rows).remember(&paths)
}

/// A side that has nothing left of what both had, or of one table of it: more likely than that all of it was deleted is a disk that
/// is not mounted, or a folder that was moved.
fn refuse_emptied(store: &OpenStore, compared: &Compared, take: Option<Side>) -> Result<()> {
    let files: u64 = compared.tables.iter().map(|table| table.files.rows).sum();
    let rows: u64 = compared.tables.iter().map(|table| table.rows.rows).sum();
    if let Some(side) = emptied(files, rows, compared.base).filter(|side| take != Some(*side)) {
        return Err(refused(store, side, "it has nothing left of all that the other side has".to_owned()));
    }
    for table in &compared.tables {
        let side_now = if table.files.rows == 0 { Found::Files } else { Found::Rows };
        let gone = compared.open.iter().filter(|open| open.told.table == table.table && open.told.found == side_now);
        let side = emptied(table.files.rows, table.rows.rows, gone.count() as u64);
        if let Some(side) = side.filter(|side| take != Some(*side)) {
            let has = table.files.rows.max(table.rows.rows);
            let cause =
                format!("it has nothing left of the {has} records of `{}` that the other side has", table.table);
            return Err(refused(store, side, cause));
        }
    }
    Ok(())
}

/// The side that has none of what both had.
fn emptied(files: u64, rows: u64, had: u64) -> Option<Side> {
    match (files, rows) {
        _ if had < 2 => None,
        (0, rows) if rows > 1 => Some(Side::Files),
        (files, 0) if files > 1 => Some(Side::Rows),
        _ => None,
    }
}

fn refused(store: &OpenStore, side: Side, cause: String) -> Error {
    let emptied = match side {
        Side::Files => &store.place().tree,
        Side::Rows => &store.place().file,
    };
    Error::could_not(REPAIR, crate::endpoint::sqlite::file::quoted(emptied), cause).hint(format!(
        "nothing was changed; look whether it is the right one, and its disk is mounted; if all was deleted on purpose, say so with \
         `--take {}`",
        side.word()
    ))
}
