//! Records in two places that are kept in step: one side decides, the other one is its copy.
//!
//! There is no commit over a file system and a database. So a write goes like this, and whoever holds the lock of the store does it alone:
//!
//! 1. *Rehearsal*: both sides say whether they could take it; what one of them refuses is refused, and nothing was changed.
//! 2. *Intent*: the write is written down beside the SQLite file, and on the disk. Where that cannot be, it fails.
//! 3. *Truth*: the side that decides gets it, and it is on the disk. From here on the write is done.
//! 4. *Copy*: the other side gets it. Where that fails, the intent stays, with the reason: it is counted, told, and done by the next writer.
//! 5. *Base*: the SQLite file remembers what both sides are from now on.
//! 6. *Done*: the intent is crossed out.
//!
//! Who is killed leaves the intent; the next one that opens the store, or writes, goes on from there, and each step can be done again. What another
//! program has made of a record meanwhile is not touched: the write is set aside, and told.

use super::contract::{Expected, Mode, Side, Version};
use super::control::{Control, Intent};
use super::files::{FilesStore, Like, Parsed, Planned};
use super::keeper::{Change, Exchanged, Keeper};
use super::rows::RowsStore;
use super::unit::{Known, Unit, versions_of_marks};
use super::value;
use crate::endpoint::files::pack::{pack, unpack};
use crate::endpoint::files::remembered::{of_file, remembered};
use crate::endpoint::files::tree::entry::EntryKind;
use crate::endpoint::files::tree::walk::Tree;
use crate::error::{Error, Result};
use crate::metadata::base::OfPath;
use crate::value::Cell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// A step of a write that is about to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// It is to be written down.
    Intent,
    /// The side that decides is to get it.
    Truth,
    /// The copy is to get it.
    Copy,
    /// What both sides are is to be remembered.
    Base,
    /// It is to be crossed out.
    Done,
}

/// Asked before each step of a write; an error ends it there, as a kill would. For tests.
pub type Watch = Arc<dyn Fn(Step) -> Result<()> + Send + Sync>;

/// What is known of files, by their paths: the hash of the bytes that were looked at last.
#[derive(Default)]
pub struct Noticed(Mutex<HashMap<String, u128>>);

impl Noticed {
    /// Whether a file with these bytes was looked at.
    pub fn has(&self, path: &str, hash: u128) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(path) == Some(&hash)
    }

    /// A file with these bytes was looked at; `None` for one that is gone.
    pub fn put(&self, path: &str, hash: Option<u128>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match hash {
            Some(hash) => drop(all.insert(path.to_owned(), hash)),
            None => drop(all.remove(path)),
        }
    }
}

/// The store of both. Whoever writes holds the store's lock.
pub struct BothStore<'s> {
    /// Which of the two decides.
    pub mode: Mode,
    /// The files.
    pub files: &'s FilesStore,
    /// The rows.
    pub rows: &'s RowsStore,
    /// What has begun.
    pub control: &'s Control,
    /// What is known of files.
    pub noticed: &'s Noticed,
    /// Asked before each step.
    pub watch: Option<&'s Watch>,
}

impl BothStore<'_> {
    fn side(&self, side: Side) -> &dyn Keeper {
        match side {
            Side::Files => self.files,
            Side::Rows => self.rows,
        }
    }

    fn sides(&self) -> (Side, Side) {
        match self.mode.truth() {
            Side::Files => (Side::Files, Side::Rows),
            Side::Rows => (Side::Rows, Side::Files),
        }
    }

    fn step(&self, step: Step) -> Result<()> {
        self.watch.map_or(Ok(()), |watch| watch(step))
    }

    /// Does on one side what is to be done, and says how long it took and which files it has changed.
    fn on(&self, side: Side, change: &Change, planned: Option<&Planned>) -> Result<(Exchanged, u64, Vec<String>)> {
        let start = Instant::now();
        let (done, paths) = match (side, planned) {
            (Side::Files, Some(planned)) => self.files.exchange_planned(change, planned)?,
            (Side::Files, None) => self.files.exchange_in(change)?,
            (Side::Rows, _) => (self.rows.exchange_beside_files(change)?, Vec::new()),
        };
        Ok((done, u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX), paths))
    }

    /// The write is with the side that decides: the copy gets it, and it is crossed out.
    fn complete(
        &self,
        (id, before): (i64, Option<u128>),
        change: &Change,
        planned: Option<&Planned>,
        took: (u64, Vec<String>),
    ) -> Result<Exchanged> {
        let version = change.new.as_ref().map(|new| new.version(self.files.known()));
        let (truth, copy) = self.sides();
        self.step(Step::Copy)?;
        let copied = self.copy(change, before).and_then(|()| {
            let any = Change { expected: Expected::Anything, ..change.clone() };
            self.on(copy, &any, planned)
        });
        let (mut paths, took_us) = (took.1, took.0);
        let late = |error: &Error| {
            let reason = error.to_string();
            // Where even that cannot be written, the intent itself is there.
            let _ = self.control.keep_reason(id, &reason);
            Ok(Exchanged::Pending(version, reason))
        };
        let copy_us = match copied {
            Ok((_, copy_us, copied)) => {
                paths.extend(copied);
                copy_us
            }
            Err(error) => return late(&error),
        };
        self.step(Step::Base)?;
        if let Err(error) = self.remember(&paths) {
            return late(&error);
        }
        self.step(Step::Done)?;
        // Done twice is done once.
        let _ = self.control.end(id, &[(truth, took_us), (copy, copy_us)]);
        Ok(Exchanged::Done(version))
    }

    /// What the copy has and neither side is to have is kept before it goes.
    fn copy(&self, change: &Change, before: Option<u128>) -> Result<()> {
        let known = self.files.known();
        let (_, copy) = self.sides();
        let there = self.side(copy).find(change.table, &change.key)?;
        let found = there.as_ref().map(|unit| unit.version(known).0);
        let new = change.new.as_ref().map(|unit| unit.version(known).0);
        match there {
            Some(unit) if found != before && found != new => self.set_aside(
                &unit,
                copy,
                "another program has written it into the copy, and the store has written since",
            ),
            _ => Ok(()),
        }
    }

    fn set_aside(&self, unit: &Unit, side: Side, reason: &str) -> Result<()> {
        let known = self.files.known();
        let record = serde_json::Value::Object(value::record(known, unit).value).to_string();
        let table = &known.layout.tables[unit.table].name;
        self.control.set_aside((table, &unit.shown_key(known)), side.word(), &record, reason)
    }

    /// Does what others have begun. What cannot be done stays, with the reason.
    ///
    /// # Errors
    /// When what has begun cannot be read.
    pub fn replay(&self, intent: &Intent) -> Result<()> {
        let known = self.files.known();
        let damaged = || {
            Error::differs(
                "go on with a write in",
                format!("`{}`", self.control.path().display()),
                "it is not what was written",
            )
        };
        let table = known.table(&intent.table)?;
        let key: Vec<Cell<'static>> =
            unpack(&intent.key).ok_or_else(damaged)?.into_iter().map(Cell::into_owned).collect();
        let new = intent.record.as_deref().map(|bytes| Unit::of_bytes(known, bytes).ok_or_else(damaged)).transpose()?;
        let version = new.as_ref().map(|new| new.version(known).0);
        let (truth, _) = self.sides();
        let attempt = || -> Result<()> {
            let there = self.side(truth).find(table, &key)?.map(|unit| unit.version(known).0);
            let expected = there.map_or(Expected::Absent, |there| Expected::Version(Version(there)));
            let change = Change { table, key: key.clone(), new: new.clone(), expected, as_spelled: true };
            let mut took = (0, Vec::new());
            if there != version {
                if there != intent.before {
                    let record = new.as_ref().map(|new| serde_json::Value::Object(value::record(known, new).value));
                    let record = record.unwrap_or_default().to_string();
                    let shown = crate::sync::key_of(known.layout, table, &key);
                    let reason = "it was begun and not done, and another program has changed the record meanwhile";
                    self.control.set_aside((&intent.table, &shown), "write", &record, reason)?;
                    return self.control.withdraw(intent.id);
                }
                let (done, took_us, paths) = self.on(truth, &change, None)?;
                if let Exchanged::Other(_) = done {
                    return Err(Error::could_not("go on with a write", "", "another program has changed the record"));
                }
                took = (took_us, paths);
            } else if let Some(located) = self.files.locate(&self.files.tree()?, table, &key)? {
                took.1 = located.places.into_iter().map(|(_, path)| path).collect();
            }
            self.complete((intent.id, intent.before), &change, None, took)?;
            // Where it was before is not written down.
            self.refresh()
        };
        attempt().or_else(|error| self.control.keep_reason(intent.id, &error.to_string()))
    }

    /// The SQLite file remembers files as they are now: but not those of which somebody else has changed something that is not taken in.
    ///
    /// # Errors
    /// When a file cannot be read, or the SQLite file not written.
    pub fn remember(&self, paths: &[String]) -> Result<()> {
        let tree = self.files.tree()?;
        let mut all = Vec::new();
        for path in paths {
            match self.files.read(&tree, path)? {
                Some(parsed) if !self.is_in_step(path, &parsed)? => {}
                Some(parsed) => {
                    all.extend(self.remembered_now(&tree, path, &parsed)?);
                    self.noticed.put(path, Some(parsed.hash));
                }
                None if !self.gone_are_gone(path, &self.bases(path)?, &HashSet::new())? => {}
                None => {
                    all.push((path.clone(), OfPath { entry: None, pieces: Some(Vec::new()) }));
                    self.noticed.put(path, None);
                }
            }
        }
        if all.is_empty() { Ok(()) } else { self.rows.remember(&all) }
    }

    /// Whether the rows say of each record of a file what the file says, or have not been taken from it: those that differ keep their base.
    fn is_in_step(&self, path: &str, parsed: &Parsed) -> Result<bool> {
        let known = self.files.known();
        let bases = self.bases(path)?;
        for unit in parsed.units.iter() {
            if bases.get(&(unit.table, unit.key(known))) == Some(&unit.version_alone().0) {
                continue;
            }
            let row = self.rows.find(unit.table, &unit.key_row(known))?;
            if !says(known, row.as_ref(), unit, path) {
                return Ok(false);
            }
        }
        let here: HashSet<(usize, u128)> = parsed.units.iter().map(|unit| (unit.table, unit.key(known))).collect();
        Ok(bases.keys().all(|id| here.contains(id)) || self.gone_are_gone(path, &bases, &here)?)
    }

    /// Whether the rows have nothing of what is no more in a file, or it is in another file now.
    fn gone_are_gone(
        &self,
        path: &str,
        bases: &HashMap<(usize, u128), u128>,
        here: &HashSet<(usize, u128)>,
    ) -> Result<bool> {
        let known = self.files.known();
        for table in bases.keys().filter(|id| !here.contains(id)).map(|(table, _)| *table).collect::<HashSet<_>>() {
            for row in self.rows.all(table, &[])? {
                let id = (table, row.key(known));
                if !bases.contains_key(&id) || here.contains(&id) {
                    continue;
                }
                let is_here = match known.layout.tables[table].in_parts {
                    true => part_of(known, Some(&row), path).is_some(),
                    false => self.files.find(table, &row.key_row(known))?.is_none(),
                };
                if is_here {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// All files whose bytes are not those that are remembered, and that say what the rows say, are remembered as they are.
    ///
    /// # Errors
    /// When a file cannot be read, or the SQLite file not written.
    pub fn refresh(&self) -> Result<()> {
        let tree = self.files.tree()?;
        let known = self.files.known();
        let homes = known.roots().flat_map(|table| &known.forms.homes[table]);
        let kinds: BTreeSet<usize> = homes.map(|home| home.set().0).collect();
        let likes: Vec<Like> = kinds.iter().map(|kind| Like::any(known.layout, *kind)).collect();
        let mut paths: BTreeSet<String> = self.files.paths(&tree, &likes)?.into_iter().map(|(_, path)| path).collect();
        paths.extend(self.rows.remembered_paths()?.into_iter().filter(|path| kinds.contains(&known.group_of(path).0)));
        let mut others = Vec::new();
        for path in paths {
            let hash = self.files.read(&tree, &path)?.map(|parsed| parsed.hash);
            if self.rows.remembered_hash(&path)? != hash {
                others.push(path);
            }
        }
        self.remember(&others)
    }

    /// The versions that the SQLite file remembers of the records of one file.
    fn bases(&self, path: &str) -> Result<HashMap<(usize, u128), u128>> {
        let marks = self.rows.marks_of(path)?;
        Ok(versions_of_marks(self.files.known(), &marks).into_iter().collect())
    }

    /// Takes in what a program without the store has made of a file. Whether all of it could be: what rows have changed as well is left.
    ///
    /// # Errors
    /// When the file cannot be read, or SQLite refuses what it says.
    pub fn take_in(&self, path: &str) -> Result<bool> {
        let known = self.files.known();
        let parsed = self.files.read(&self.files.tree()?, path)?;
        let hash = parsed.as_ref().map(|parsed| parsed.hash);
        if self.rows.remembered_hash(path)? == hash {
            self.noticed.put(path, hash);
            return Ok(true);
        }
        let bases = self.bases(path)?;
        let units = parsed.as_ref().map_or(&[][..], |parsed| parsed.units.as_slice());
        let mut is_clean = true;
        for unit in units {
            let row = self.rows.find(unit.table, &unit.key_row(known))?;
            if says(known, row.as_ref(), unit, path) {
                continue;
            }
            let base = bases.get(&(unit.table, unit.key(known))).copied();
            match said(known, unit, base) == part_of(known, row.as_ref(), path) {
                true => self.put_row(unit, row, path)?,
                false => is_clean = false,
            }
        }
        let here: HashSet<(usize, u128)> = units.iter().map(|unit| (unit.table, unit.key(known))).collect();
        let gone: Vec<_> = bases.iter().filter(|(id, _)| !here.contains(id)).collect();
        for table in gone.iter().map(|((table, _), _)| *table).collect::<HashSet<_>>() {
            for row in self.rows.all(table, &[])? {
                let key = row.key(known);
                let Some((_, base)) = gone.iter().find(|((other, gone), _)| *other == table && *gone == key) else {
                    continue;
                };
                // It may be in another file now.
                if self.files.find(table, &row.key_row(known))?.is_some() && !known.layout.tables[table].in_parts {
                    continue;
                }
                match part_of(known, Some(&row), path) == said(known, &row, Some(**base)) {
                    true => self.remove_row(&row, path)?,
                    false => is_clean = false,
                }
            }
        }
        if is_clean {
            self.remember(&[path.to_owned()])?;
        }
        self.noticed.put(path, hash);
        Ok(is_clean)
    }

    fn put_row(&self, unit: &Unit, row: Option<Unit>, path: &str) -> Result<()> {
        let known = self.files.known();
        let new = match (known.layout.tables[unit.table].in_parts, row) {
            (true, Some(row)) => joined(known, &row, Some(unit), path),
            _ => unit.clone(),
        };
        let key = unit.key_row(known);
        let change = Change { table: unit.table, key, new: Some(new), expected: Expected::Anything, as_spelled: true };
        self.rows.exchange_beside_files(&change).map(drop)
    }

    fn remove_row(&self, row: &Unit, path: &str) -> Result<()> {
        let known = self.files.known();
        let rest = known.layout.tables[row.table].in_parts.then(|| joined(known, row, None, path));
        let rest = rest.filter(|rest| rest.parts(known).iter().any(|(_, part)| part.is_some()));
        let (table, key) = (row.table, row.key_row(known));
        self.rows
            .exchange_beside_files(&Change { table, key, new: rest, expected: Expected::Anything, as_spelled: true })
            .map(drop)
    }

    /// What is to be remembered of a file, and of the directories that it is in. The file is read again where it is not what it was.
    fn remembered_now(&self, tree: &Tree, path: &str, parsed: &Parsed) -> Result<Vec<(String, OfPath)>> {
        let known = self.files.known();
        let forms = (known.layout, known.forms.weavers);
        let ends = path.char_indices().filter(|(_, letter)| *letter == '/').map(|(end, _)| &path[..end]);
        let mut entries = Vec::new();
        for above in ends {
            entries.extend(tree.entry(above)?);
        }
        let mut all = remembered(tree, forms, &entries)?;
        let Some(entry) = tree.entry(path)? else { return Ok(all) };
        let at_hand = match entry.kind == EntryKind::File && entry.stat == parsed.stat && entry.mode == parsed.mode {
            true => of_file(forms, (&entry, known.group_of(path).0), &parsed.bytes, &parsed.rows)?,
            false => None,
        };
        match at_hand {
            Some(of_path) => all.push((path.to_owned(), of_path)),
            None => all.extend(remembered(tree, forms, &[entry])?),
        }
        Ok(all)
    }
}

/// What is remembered of a record in a file; `None` where that is nothing but its key, as of a row in parts it may be.
pub fn said(known: &Known, unit: &Unit, base: Option<u128>) -> Option<u128> {
    base.filter(|base| !known.layout.tables[unit.table].in_parts || *base != unit.nothing(known))
}

/// The version of what a file has, or would have, of a row; `None` where that is nothing.
pub fn part_of(known: &Known, row: Option<&Unit>, path: &str) -> Option<u128> {
    let row = row?;
    if !known.layout.tables[row.table].in_parts {
        return Some(row.version(known).0);
    }
    let kind = known.group_of(path).0;
    row.parts(known).into_iter().find(|(other, _)| *other == kind)?.1.map(|part| part.version_alone().0)
}

/// Whether a row says of a file's record what the file says.
pub fn says(known: &Known, row: Option<&Unit>, unit: &Unit, path: &str) -> bool {
    part_of(known, row, path) == part_of(known, Some(unit), path)
}

/// A row in parts with another part of one kind of file.
fn joined(known: &Known, row: &Unit, part: Option<&Unit>, path: &str) -> Unit {
    let kind = known.group_of(path).0;
    let mut new = Unit { cells: row.key_row(known), inside: Vec::new(), table: row.table };
    for (other, old) in row.parts(known) {
        let part = if other == kind { part.cloned() } else { old };
        part.into_iter().for_each(|part| new.join(part));
    }
    new
}

impl Keeper for BothStore<'_> {
    fn known(&self) -> &'static Known {
        self.files.known()
    }

    fn find(&self, table: usize, key: &[Cell<'static>]) -> Result<Option<Unit>> {
        self.side(self.mode.truth()).find(table, key)
    }

    fn all(&self, table: usize, matching: &[(usize, Cell<'static>)]) -> Result<Vec<Unit>> {
        self.side(self.mode.truth()).all(table, matching)
    }

    fn exchange(&self, change: &Change) -> Result<Exchanged> {
        let known = self.known();
        let truth = self.mode.truth();
        let old = self.side(truth).find(change.table, &change.key)?;
        let found = old.as_ref().map(|old| old.version(known));
        if !change.expected.is_met(found) {
            return Ok(Exchanged::Other(found));
        }
        let new = change.spelled(old.as_ref(), known);
        let version = new.as_ref().map(|new| new.version(known));
        if version == found {
            return Ok(Exchanged::Done(found));
        }
        let expected = found.map_or(Expected::Absent, Expected::Version);
        let change = Change { new, expected, as_spelled: true, ..change.clone() };
        let planned = match truth {
            Side::Files => {
                let planned = self.files.planned(&change)?;
                self.rows.rehearse(&change)?;
                planned
            }
            Side::Rows => {
                self.rows.rehearse(&change)?;
                self.files.planned(&change)?
            }
        };
        self.step(Step::Intent)?;
        let mut key = Vec::new();
        let _ = pack(&change.key, &mut key);
        let record = change.new.as_ref().map(|new| new.to_bytes(known)).transpose()?;
        let table = &known.layout.tables[change.table].name;
        let before = found.map(|found| found.0);
        let id = self.control.begin(self.mode, (table, &key), record.as_deref(), before)?;
        self.step(Step::Truth)?;
        match self.on(truth, &change, Some(&planned)) {
            Ok((Exchanged::Other(found), ..)) => {
                self.control.withdraw(id)?;
                Ok(Exchanged::Other(found))
            }
            Ok((_, took_us, paths)) => self.complete((id, before), &change, Some(&planned), (took_us, paths)),
            Err(error) => {
                let there =
                    self.side(truth).find(change.table, &change.key).map(|unit| unit.map(|unit| unit.version(known)));
                match there {
                    Ok(there) if there == version => self.complete((id, before), &change, None, (0, Vec::new())),
                    Ok(there) if there == found && self.control.withdraw(id).is_ok() => Err(error),
                    _ => {
                        let hint = "the write is written down, and the next one that opens the store does it";
                        Err(error.hint(hint))
                    }
                }
            }
        }
    }

    fn rehearse(&self, change: &Change) -> Result<()> {
        self.files.rehearse(change)?;
        self.rows.rehearse(change)
    }
}
