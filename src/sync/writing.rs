//! The files as they are to be: what rows have changed is woven into the files as they are now, so that one changed row changes
//! one place of one file.
//!
//! What a file cannot say is no reason to leave everything: such a record is told, and stays as it is on both sides. So files are
//! woven until nothing is left that does not fit; whatever is woven is read again, and has to say what it was to say.

use super::base::{Base, Paths, id_of};
use super::files::{Files, grows};
use super::merge::Decisions;
use super::record::{Id, Outcome, Side, Which};
use super::rows::Forms;
use super::store::{Store, Stored};
use crate::endpoint::files::filling::Filling;
use crate::endpoint::files::layout::{Format, Layout};
use crate::endpoint::files::marks::{self, Mark};
use crate::endpoint::files::pack::unpack;
use crate::endpoint::files::rows::{Before, Home, RowStore, path_of};
use crate::endpoint::files::source::TreeSource;
use crate::endpoint::files::tree::entry::Stat;
use crate::endpoint::files::tree::walk::{Content, Growth};
use crate::endpoint::files::weave::{FileFacts, Part, Piece, Rows as WovenRows, Unwoven};
use crate::endpoint::sqlite::file::quoted;
use crate::endpoint::sqlite::holders::Holders;
use crate::error::{Context, Error, Result};
use crate::metadata::base::EntryRow;
use crate::value::RowHasher;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::Read;

/// After so many rounds, a file into which something still does not fit is left as it is.
const ROUNDS_MAX: usize = 8;

/// A change of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileChange {
    /// It gets these bytes.
    Write {
        /// Its path.
        path: String,
        /// What it is to hold.
        bytes: Vec<u8>,
        /// Its permissions.
        mode: u32,
        /// What is there now.
        expected: Option<Stat>,
        /// Where the file stays the same one, and something only comes to its end: where that is, in bytes.
        end: Option<usize>,
    },
    /// It goes.
    Remove {
        /// Its path.
        path: String,
        /// What is there now.
        expected: Stat,
    },
}

/// What files are woven from.
pub struct Writing<'w, 'l> {
    /// How rows and files say one another.
    pub forms: &'w Forms<'l>,
    /// The base.
    pub base: &'w Base,
    /// The records.
    pub store: &'w Store,
}

struct AsItIs<'a> {
    layout: &'a Layout,
    files: &'a Files,
    base: &'a Base,
    paths: &'a Paths,
}

impl Before for AsItIs<'_> {
    fn has_file(&self, path: &str) -> bool {
        self.files.found.contains_key(path)
    }

    fn had(&self, path: &str, table: usize, key: u128) -> Result<bool> {
        let id = id_of(self.layout, u16::try_from(table).unwrap_or(u16::MAX), key, None);
        Ok(self.files.path_of(id, self.base).is_some_and(|place| self.paths.path(place) == path))
    }
}

/// One round: files, or what does not fit.
struct Round {
    changes: Vec<FileChange>,
    unfit: BTreeMap<Id, String>,
    /// Files that have to be taken apart first.
    missing: BTreeSet<String>,
}

impl<'l> Writing<'_, 'l> {
    /// The files that have a record that rows have changed, or are to have one, as far as they are there.
    ///
    /// # Errors
    /// When the temporary database cannot be read.
    pub fn affected(&self, changed: &BTreeSet<Id>, files: &Files, paths: &Paths) -> Result<BTreeSet<u32>> {
        let mut affected = BTreeSet::new();
        for id in changed {
            affected.extend(files.path_of(*id, self.base));
            if let Some(stored) = self.store.get(Which::Rows, *id)? {
                affected.extend(self.home_of(&stored, files, paths, 0)?);
            }
        }
        affected.retain(|place| files.found.contains_key(paths.path(*place)));
        Ok(affected)
    }

    /// The file of a row, where that is known.
    fn home_of(&self, stored: &Stored, files: &Files, paths: &Paths, depth: usize) -> Result<Option<u32>> {
        let cells = unpack(&stored.packed).unwrap_or_default();
        let table = usize::from(stored.id.table);
        let (layout, kind) = (self.forms.layout, Some(usize::from(stored.id.kind)));
        match self.forms.home(table, &cells, kind) {
            Some(Home::Root { kind, records, .. }) => {
                Ok(path_of(layout, *kind, records, &cells).ok().and_then(|path| paths.find(&path)))
            }
            Some(Home::Inside { kind, around, key, .. }) => {
                let mut hasher = RowHasher::default();
                key.iter().for_each(|column| hasher.cell(&cells[*column]));
                let around = u16::try_from(*around).unwrap_or(u16::MAX);
                let parent = id_of(layout, around, hasher.finish(), Some(*kind));
                match (files.path_of(parent, self.base), self.store.get(Which::Rows, parent)?) {
                    (Some(place), _) => Ok(Some(place)),
                    (None, Some(parent)) if depth < layout.tables.len() => {
                        self.home_of(&parent, files, paths, depth + 1)
                    }
                    (None, _) => Ok(None),
                }
            }
            None => Ok(None),
        }
    }

    /// Weaves the files. What does not fit is told in the decisions.
    ///
    /// # Errors
    /// When a file cannot be read, or is not what it was when it was taken apart.
    pub fn changes(
        &self,
        source: &mut TreeSource,
        files: &mut Files,
        paths: &mut Paths,
        decisions: &mut Decisions,
    ) -> Result<Vec<FileChange>> {
        let mut rounds = 0;
        loop {
            if !decisions.values().any(|decision| decision.outcome == Outcome::Rows) {
                return Ok(Vec::new());
            }
            rounds += 1;
            let Round { changes, unfit, missing } = self.round(source, files, paths, decisions, rounds > ROUNDS_MAX)?;
            if !missing.is_empty() {
                let entries: Vec<_> = missing.iter().filter_map(|path| files.found.get(path).cloned()).collect();
                files.take_apart(source, self.forms.layout, &entries, (paths, self.store))?;
                continue;
            }
            if unfit.is_empty() {
                return Ok(changes);
            }
            for (id, reason) in unfit {
                if let Some(decision) = decisions.get_mut(&id) {
                    decision.outcome = Outcome::Unwritable;
                    decision.reason = Some(reason);
                }
            }
        }
    }

    fn round(
        &self,
        source: &TreeSource,
        files: &Files,
        paths: &Paths,
        decisions: &Decisions,
        is_last: bool,
    ) -> Result<Round> {
        let mut round = Round { changes: Vec::new(), unfit: BTreeMap::new(), missing: BTreeSet::new() };
        let wins = |id: &Id| decisions.get(id).is_some_and(|decision| decision.outcome == Outcome::Rows);
        let of_rows: BTreeSet<Id> = decisions.keys().copied().filter(|id| wins(id)).collect();
        let affected = self.affected(&of_rows, files, paths)?;
        let apart = |place: &u32| files.apart.contains(place);
        if let Some(place) = affected.iter().find(|place| !apart(place)) {
            round.missing.insert(paths.path(*place).to_owned());
            return Ok(round);
        }
        let store = self.row_store(files, paths, decisions, &affected, &of_rows, &mut round)?;
        let filling = Filling { layout: self.forms.layout, weavers: self.forms.weavers, store: &store };
        let mut todo: BTreeMap<String, usize> = store.paths()?.into_iter().collect();
        for place in &affected {
            if let Some(kind) = super::base::kind_of(self.forms.layout, paths.path(*place)) {
                todo.insert(paths.path(*place).to_owned(), kind);
            }
        }
        let mut placed = HashSet::new();
        for (path, kind) in todo {
            if files.found.contains_key(&path) && !paths.find(&path).is_some_and(|place| apart(&place)) {
                round.missing.insert(path);
                continue;
            }
            let mut weaving =
                Weaving { writing: self, filling, source, files, paths, decisions, of_rows: &of_rows, is_last };
            weaving.file(&path, kind, &mut round, &mut placed)?;
        }
        if round.missing.is_empty() && round.unfit.is_empty() {
            for id in of_rows {
                if decisions.get(&id).is_some_and(|one| one.rows != Side::Gone) && !placed.contains(&id) {
                    round.unfit.insert(id, "the record that it is inside of is not in the files".to_owned());
                }
            }
        }
        Ok(round)
    }

    /// The records of the affected files as they are to be, each with its file.
    fn row_store(
        &self,
        files: &Files,
        paths: &Paths,
        decisions: &Decisions,
        affected: &BTreeSet<u32>,
        of_rows: &BTreeSet<Id>,
        round: &mut Round,
    ) -> Result<RowStore<'l>> {
        let forms = self.forms;
        let before = AsItIs { layout: forms.layout, files, base: self.base, paths };
        let mut store = RowStore::new(forms.layout, forms.weavers)?;
        let mut add = |stored: &Stored| {
            let in_parts = forms.layout.tables[usize::from(stored.id.table)].in_parts;
            let only = in_parts.then_some(usize::from(stored.id.kind));
            store.add(usize::from(stored.id.table), only, &stored.packed, &before)
        };
        let mut added = HashSet::new();
        let of_rows_now = |id: Id| match decisions.get(&id) {
            Some(decision) if decision.rows == Side::Gone => Ok(None),
            _ => self.store.get(Which::Rows, id),
        };
        for place in affected {
            for stored in self.store.of_path(*place)? {
                added.insert(stored.id);
                if !of_rows.contains(&stored.id) {
                    add(&stored)?;
                } else if let Some(row) = of_rows_now(stored.id)?
                    && let Err(error) = add(&row)
                {
                    round.unfit.insert(stored.id, error.cause().to_owned());
                }
            }
        }
        // In the order in which the rows stand.
        let tables: BTreeSet<u16> = of_rows.iter().map(|id| id.table).collect();
        for table in tables {
            self.store.of_table(Which::Rows, table, &mut |row| {
                let is_new = of_rows.contains(&row.id) && !added.contains(&row.id);
                let stays = decisions.get(&row.id).is_some_and(|decision| decision.rows != Side::Gone);
                if is_new
                    && stays
                    && let Err(error) = add(&row)
                {
                    round.unfit.insert(row.id, error.cause().to_owned());
                }
                Ok(())
            })?;
        }
        store.finish()?;
        Ok(store)
    }
}

/// A file while it is woven.
struct Weaving<'w, 'l> {
    writing: &'w Writing<'w, 'l>,
    filling: Filling<'w, 'l>,
    source: &'w TreeSource,
    files: &'w Files,
    paths: &'w Paths,
    decisions: &'w Decisions,
    of_rows: &'w BTreeSet<Id>,
    is_last: bool,
}

impl Weaving<'_, '_> {
    fn file(&mut self, path: &str, kind: usize, round: &mut Round, placed: &mut HashSet<Id>) -> Result<()> {
        let (filling, forms) = (self.filling, self.writing.forms);
        let is_database = forms.layout.kinds[kind].format == Format::Sqlite;
        let old = match self.files.found.get(path) {
            Some(_) if !is_database => Some(self.current(path)?),
            Some(_) | None => None,
        };
        let pieces = self.writing.store.pieces(path)?;
        let marks: Vec<Mark> =
            pieces.iter().filter_map(|piece| marks::of_bytes(piece.records.as_deref()?)).flatten().collect();
        let had_rows = !marks.is_empty();
        let rows = filling.rows(path, kind, &[marks])?.pop().unwrap_or_default();
        if is_database {
            // Its application may have it open, and would go on with the old one.
            let reason = "a sync does not write to a SQLite file in the tree".to_owned();
            let told = || Error::could_not("write", format!("`{path}`"), "it is a SQLite file");
            return self.leave(path, None, &rows, kind, reason, round).ok_or_else(told);
        }
        let stat = old.as_ref().map(|(_, stat)| *stat);
        match (&old, stat) {
            (None, _) if rows.is_empty() => return Ok(()),
            (Some(_), Some(expected)) if rows.is_empty() && had_rows && filling.is_its_records(kind) => {
                if let Some(reason) = self.keeps(path, kind)? {
                    let told = || Error::could_not("remove", format!("`{path}`"), reason);
                    return self.leave(path, None, &rows, kind, reason.to_owned(), round).ok_or_else(told);
                }
                if let Some(reason) = self.held(path)? {
                    let told = || Error::could_not("remove", format!("`{path}`"), &reason);
                    return self.leave(path, None, &rows, kind, reason.clone(), round).ok_or_else(told);
                }
                round.changes.push(FileChange::Remove { path: path.to_owned(), expected });
                return Ok(());
            }
            _ => {}
        }
        let captures = filling.captures(kind, path)?;
        let captures: Vec<(&str, &str)> =
            captures.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let facts = FileFacts { path, captures: &captures, ..FileFacts::default() };
        let weaver = &forms.weavers[kind];
        let woven = match &old {
            None => weaver.fresh(&facts, Part::WHOLE, &rows).map_err(Unwoven::from),
            Some((text, _)) => weaver.weave(&facts, &Piece::whole(text), &rows),
        };
        let bytes = match woven {
            Ok(bytes) => bytes,
            Err(Unwoven::Misfit(misfit)) => {
                let row = (misfit.row < rows.len()).then(|| self.id(&rows, misfit.row, kind));
                let named = misfit
                    .column
                    .zip(row)
                    .map(|(column, id)| forms.layout.tables[usize::from(id.table)].columns[column].name.clone());
                let reason =
                    named.map_or(misfit.reason.clone(), |column| format!("column `{column}`: {}", misfit.reason));
                let told = |filling: &Filling<'_, '_>| filling.unwoven(kind, path, &rows, misfit.clone().into());
                return self.leave(path, row, &rows, kind, reason, round).ok_or_else(|| told(&filling));
            }
            Err(why @ Unwoven::Flaw(_)) => return Err(filling.unwoven(kind, path, &rows, why)),
        };
        let read = weaver.unweave(&facts, &Piece::whole(&bytes));
        let wanted = self.hashes(&rows, kind);
        let found = match &read {
            Ok(read) => self.hashes(read, kind),
            Err(_) => HashMap::new(),
        };
        if found != wanted {
            let wrong = wanted.iter().find(|(id, hash)| self.of_rows.contains(id) && found.get(id) != Some(hash));
            let reason = match read {
                Err(flaw) => format!("its file would not be what its kind says: {flaw}"),
                Ok(_) => "its file would say it otherwise".to_owned(),
            };
            let told = || Error::could_not("write", format!("`{path}`"), "it would not say what its records say");
            return self.leave(path, wrong.map(|(id, _)| *id), &rows, kind, reason, round).ok_or_else(told);
        }
        // A log that lines only come to stays where it is, whoever has it open.
        let grows =
            grows(forms.layout, kind) && self.files.found.get(path).is_some_and(|entry| entry.mode & 0o222 != 0);
        let end = old.as_ref().filter(|(text, _)| grows && bytes.starts_with(text)).map(|(text, _)| text.len());
        if end.is_none()
            && old.as_ref().is_some_and(|(text, _)| *text != bytes)
            && let Some(reason) = self.held(path)?
        {
            let told = || Error::could_not("write", format!("`{path}`"), &reason);
            return self.leave(path, None, &rows, kind, reason.clone(), round).ok_or_else(told);
        }
        placed.extend(found.into_keys());
        if old.as_ref().is_none_or(|(text, _)| *text != bytes) {
            let mode = self.files.found.get(path).map_or(forms.layout.kinds[kind].style.mode, |entry| entry.mode);
            round.changes.push(FileChange::Write { path: path.to_owned(), bytes, mode, expected: stat, end });
        }
        Ok(())
    }

    /// Why a file is not replaced: who has it open, as a log is for as long as its program runs, would go on in the old one, and what it
    /// writes would be nowhere.
    fn held(&self, path: &str) -> Result<Option<String>> {
        let (_open, stat) = self.source.tree().open_file(path)?;
        let holders = Holders::writing((stat.device, stat.inode));
        Ok(holders.any().then(|| {
            format!(
                "{} has its file open for writing, and would go on in the old one: end it, and run again",
                holders.sentence()
            )
        }))
    }

    /// Why a file is not removed with its last row: something of it would be nowhere.
    fn keeps(&self, path: &str, kind: usize) -> Result<Option<&'static str>> {
        let hash = |entries: &BTreeMap<String, EntryRow>| entries.get(path).map(|entry| entry.hash);
        if self.writing.forms.weavers[kind].stays() {
            return Ok(Some("its row is gone, and what is in the file is in no row: remove the file by hand"));
        }
        // Somebody has decided against all that was changed in it.
        let records = self.paths.find(path).map_or(Ok(Vec::new()), |place| self.writing.store.of_path(place))?;
        let is_decided = |id: &Id| self.decisions.get(id).is_some_and(|one| one.preferred == Some(Which::Rows));
        if records.iter().any(|stored| is_decided(&stored.id)) {
            return Ok(None);
        }
        Ok((hash(&self.files.entries) != hash(&self.writing.base.entries)).then_some(
            "its row is gone, and the file was changed otherwise since: remove the file by hand, or put the row back",
        ))
    }

    /// Leaves a record as it is, or all that rows have changed in a file; `None` where they have changed nothing in it.
    fn leave(
        &self,
        path: &str,
        row: Option<Id>,
        rows: &WovenRows<'_>,
        kind: usize,
        reason: String,
        round: &mut Round,
    ) -> Option<()> {
        if let Some(id) = row.filter(|id| self.of_rows.contains(id) && !self.is_last) {
            round.unfit.insert(id, reason);
            return Some(());
        }
        let there = self.paths.find(path).and_then(|place| self.writing.store.of_path(place).ok()).unwrap_or_default();
        let there = there.iter().map(|stored| stored.id);
        let all: BTreeSet<Id> = (0..rows.len()).map(|row| self.id(rows, row, kind)).chain(there).collect();
        let changed: Vec<Id> = all.into_iter().filter(|id| self.of_rows.contains(id)).collect();
        if changed.is_empty() {
            return None;
        }
        round.unfit.extend(changed.into_iter().map(|id| (id, reason.clone())));
        Some(())
    }

    fn id(&self, rows: &WovenRows<'_>, row: usize, kind: usize) -> Id {
        let forms = self.writing.forms;
        let row = rows.row(row);
        let table = forms.weavers[kind].sets()[row.set].records.table;
        let key = marks::key(&forms.layout.tables[table], row.cells, &mut RowHasher::default());
        id_of(forms.layout, u16::try_from(table).unwrap_or(u16::MAX), key, Some(kind))
    }

    fn hashes(&self, rows: &WovenRows<'_>, kind: usize) -> HashMap<Id, u128> {
        let mut hasher = RowHasher::default();
        (0..rows.len())
            .map(|row| {
                rows.row(row).cells.iter().for_each(|cell| hasher.cell(cell));
                (self.id(rows, row, kind), hasher.finish())
            })
            .collect()
    }

    /// The bytes of a file as it was taken apart.
    fn current(&self, path: &str) -> Result<(Vec<u8>, Stat)> {
        let object = || quoted(&self.source.tree().path().join(path));
        let (bytes, stat) = match self.source.tree().read(path, Growth::Refused)? {
            Content::Whole(bytes, stat) => (bytes, stat),
            Content::Large(mut file) => {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes).could_not("read", object())?;
                let stat = *file.stat();
                file.finish()?;
                (bytes, stat)
            }
        };
        let known = self.files.entries.get(path).and_then(|entry| entry.hash);
        if known.is_some_and(|known| known != xxhash_rust::xxh3::xxh3_128(&bytes).to_be_bytes()) {
            return Err(Error::could_not("read", object(), "it was changed while it was read")
                .hint("nothing was changed; run again"));
        }
        Ok((bytes, stat))
    }
}
