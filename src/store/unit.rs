//! A record as both sides know it: a row with everything inside it, its cells as files say them.
//!
//! Invariant: the version of a record follows from its cells alone, and not from the order of what is inside it, so that a record has one
//! version in files and in rows. What the base of a SQLite file remembers of its rows gives that version as well.

use super::contract::Version;
use crate::endpoint::files::layout::{self, Absent, Filled, Format, Kind, Layout, Origin, RecordSet};
use crate::endpoint::files::marks::{self, Mark};
use crate::endpoint::files::pack::{pack, unpack};
use crate::endpoint::files::rows::{Home, agrees, disagreement, homes, path_of, place_of_new, says_anything};
use crate::endpoint::files::source::{LayoutFile, weaver};
use crate::endpoint::files::weave::{Rows, Weaver, read_text};
use crate::error::{Error, Result};
use crate::sync::{Forms, key_of};
use crate::value::{Cell, RowHasher};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use xxhash_rust::xxh3::xxh3_128;

/// A layout, made ready once and for as long as the program runs: there are as many as it has texts of layouts.
pub struct Known {
    /// The layout.
    pub layout: &'static Layout,
    /// Its text, and the same layout for those who share it.
    pub file: LayoutFile,
    /// How rows and files say one another.
    pub forms: Forms<'static>,
}

static ALL: Mutex<BTreeMap<String, &'static Known>> = Mutex::new(BTreeMap::new());

impl Known {
    /// The layout of a `layout.toml`.
    ///
    /// # Errors
    /// When it cannot be read, or is refused.
    pub fn load(path: &Path) -> Result<&'static Known> {
        let (layout, text) = layout::load(path)?;
        Known::of(layout, text)
    }

    fn of(layout: Layout, text: String) -> Result<&'static Known> {
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.get(&text) {
            return Ok(known);
        }
        let shared = Arc::new(layout.clone());
        let layout: &'static Layout = Box::leak(Box::new(layout));
        let weavers = layout.kinds.iter().map(|kind| weaver(layout, kind)).collect::<Result<Vec<Weaver<'_>>>>()?;
        let weavers: &'static [Weaver<'static>] = Box::leak(weavers.into_boxed_slice());
        let forms = Forms { layout, weavers, homes: homes(layout, weavers) };
        let file = LayoutFile { layout: shared, text: text.clone() };
        let known: &'static Known = Box::leak(Box::new(Known { layout, file, forms }));
        all.insert(text, known);
        Ok(known)
    }

    /// The place of a table whose records a store keeps: those in the root of files.
    ///
    /// # Errors
    /// When there is no such table, or its records are none that a store can write.
    pub fn table(&self, name: &str) -> Result<usize> {
        const USE: &str = "use the store";
        let object = || format!("table `{name}`");
        let place = self.layout.tables.iter().position(|table| table.name == name).ok_or_else(|| {
            let known: Vec<String> =
                self.roots().map(|table| format!("`{}`", self.layout.tables[table].name)).collect();
            Error::usage(USE, object(), "the layout has no such table")
                .hint(format!("its records are those of {}", known.join(", ")))
        })?;
        for home in &self.forms.homes[place] {
            match home {
                Home::Inside { around, .. } => {
                    let around = &self.layout.tables[*around].name;
                    return Err(Error::usage(USE, object(), format!("its records are inside those of `{around}`"))
                        .hint(format!("read and write the record of `{around}` as a whole")));
                }
                Home::Root { kind, records, .. } => {
                    let kind = &self.layout.kinds[*kind];
                    if let Some(cause) = self.unkept(kind, records) {
                        return Err(Error::usage(USE, object(), format!("files `{}`: {cause}", kind.name)));
                    }
                }
            }
        }
        Ok(place)
    }

    /// Why a store cannot write records of a kind.
    fn unkept(&self, kind: &Kind, records: &RecordSet) -> Option<&'static str> {
        let place = self.layout.kinds.iter().position(|other| std::ptr::eq(other, kind))?;
        match kind.format {
            Format::Sqlite => Some("a store does not write to a SQLite file in the tree"),
            _ if self.forms.weavers[place].stays() => Some("a store does not write files that stay in the tree"),
            _ if tells_time(records) => Some("a store does not set the times of files"),
            _ => None,
        }
    }

    /// The tables whose records stand in the root of files, and that a store keeps.
    pub fn roots(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.layout.tables.len()).filter(|table| {
            let homes = &self.forms.homes[*table];
            !homes.is_empty()
                && homes.iter().all(|home| match home {
                    Home::Root { kind, records, .. } => self.unkept(&self.layout.kinds[*kind], records).is_none(),
                    Home::Inside { .. } => false,
                })
        })
    }

    /// The tables inside of a table, each once, with the columns that have the key around.
    pub fn inside(&self, table: usize) -> Vec<(usize, &[usize])> {
        let mut found: Vec<(usize, &[usize])> = Vec::new();
        for (child, homes) in self.forms.homes.iter().enumerate() {
            let key = homes.iter().find_map(|home| match home {
                Home::Inside { around, key, .. } if *around == table => Some(key.as_slice()),
                Home::Inside { .. } | Home::Root { .. } => None,
            });
            found.extend(key.map(|key| (child, key)));
        }
        found
    }

    /// The kind of a file's path, and what decides over its mode: the first capture of the path, or the path.
    pub fn group_of(&self, path: &str) -> (usize, String) {
        match self.layout.place(path) {
            layout::Place::Kind(kind, captures) => {
                (kind, captures.into_iter().next().unwrap_or_else(|| path.to_owned()))
            }
            _ => (usize::MAX, path.to_owned()),
        }
    }
}

/// Whether a record says when its file was changed.
fn tells_time(records: &RecordSet) -> bool {
    records.columns.iter().any(|filled| filled.from.contains(&Origin::Modified))
        || records.children.iter().any(tells_time)
}

/// A row with everything inside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// The place of its table.
    pub table: usize,
    /// Its cells, as files say them.
    pub cells: Vec<Cell<'static>>,
    /// What is inside it, set by set.
    pub inside: Vec<Unit>,
}

impl Unit {
    /// The hash of its key.
    pub fn key(&self, known: &Known) -> u128 {
        marks::key(&known.layout.tables[self.table], &self.cells, &mut RowHasher::default())
    }

    /// A row with the cells of its key, and nothing else.
    pub fn key_row(&self, known: &Known) -> Vec<Cell<'static>> {
        let key = &known.layout.tables[self.table].key;
        let cells = self.cells.iter().enumerate();
        cells.map(|(place, cell)| if key.contains(&place) { cell.clone() } else { Cell::Null }).collect()
    }

    /// Its key for people.
    pub fn shown_key(&self, known: &Known) -> String {
        key_of(known.layout, self.table, &self.cells)
    }

    /// What it says, in one number.
    pub fn version(&self, known: &Known) -> Version {
        if !known.layout.tables[self.table].in_parts {
            return self.version_alone();
        }
        let parts = self.parts(known).into_iter().filter_map(|(kind, part)| Some((kind, part?.version_alone())));
        of_parts(parts.collect())
    }

    /// What it says as a row that is not put together of parts.
    pub fn version_alone(&self) -> Version {
        let mut hasher = RowHasher::default();
        flat(own(&self.cells, &mut hasher), self.below(&mut hasher))
    }

    /// The version of a row that has its key and nothing else.
    pub fn nothing(&self, known: &Known) -> u128 {
        own(&self.key_row(known), &mut RowHasher::default())
    }

    /// The hashes of everything inside it.
    fn below(&self, hasher: &mut RowHasher) -> Vec<(u16, u128)> {
        let mut all = Vec::new();
        for unit in &self.inside {
            all.push((small(unit.table), own(&unit.cells, hasher)));
            all.extend(unit.below(hasher));
        }
        all
    }

    /// Of a row in parts, what each kind of file has of it; `None` where that says nothing. Of any other row, the row.
    pub fn parts(&self, known: &Known) -> Vec<(usize, Option<Unit>)> {
        let (forms, of) = (&known.forms, &known.layout.tables[self.table]);
        forms
            .kinds_of_parts(self.table)
            .into_iter()
            .map(|kind| {
                let cells: Vec<Cell<'static>> =
                    (0..self.cells.len())
                        .map(|column| {
                            if forms.fills(self.table, kind, column) { self.cells[column].clone() } else { Cell::Null }
                        })
                        .collect();
                let is_of_kind = |unit: &&Unit| forms.homes[unit.table].iter().any(|home| home.set().0 == kind);
                let inside: Vec<Unit> = self.inside.iter().filter(is_of_kind).cloned().collect();
                let home = forms.home(self.table, &cells, Some(kind)).filter(|home| home.set().0 == kind);
                let says = home.is_some_and(|home| says_anything(home.set().2, &cells, &of.key)) || !inside.is_empty();
                (kind, says.then_some(Unit { table: self.table, cells, inside }))
            })
            .collect()
    }

    /// The files that are to have it, each with its path and what it is to have. `there` are those that have it now.
    ///
    /// # Errors
    /// When no file can have it.
    pub fn files(&self, known: &Known, there: &[(usize, String)]) -> Result<Vec<(usize, String, Rows<'static>)>> {
        let of = &known.layout.tables[self.table];
        let refused = |why: Option<String>| {
            let cause = why.unwrap_or_else(|| "no kind of file in the layout takes it".to_owned());
            Error::could_not("find the file of", format!("table `{}`, row {}", of.name, self.shown_key(known)), cause)
        };
        let place = |unit: &Unit, only: Option<usize>| -> Result<Vec<(usize, String, Rows<'static>)>> {
            let (mut found, mut why) = (Vec::new(), None);
            let homes = &known.forms.homes[self.table];
            for home in homes {
                let Home::Root { kind, set, records } = home else { continue };
                if only.is_some_and(|only| only != *kind) {
                    continue;
                }
                if let Some(disagreement) = disagreement(known.layout, home, &unit.cells) {
                    why.get_or_insert(disagreement);
                    continue;
                }
                match path_of(known.layout, *kind, records, &unit.cells) {
                    Ok(path) => found.push((*kind, path, *set, *records)),
                    Err(fault) => why = Some(fault),
                }
            }
            let stays = found.iter().position(|(kind, path, ..)| there.iter().any(|one| one == &(*kind, path.clone())));
            let of: Vec<_> = found.iter().map(|(kind, _, _, records)| (*kind, *records)).collect();
            let place =
                stays.map_or_else(|| place_of_new(known.layout, homes, &of), Ok).map_err(|why| refused(Some(why)))?;
            match found.into_iter().nth(place) {
                None => Err(refused(why)),
                Some((kind, path, set, _)) => {
                    let mut rows = Rows::new();
                    unit.add_to(known, kind, set, &mut rows)?;
                    Ok(vec![(kind, path, rows)])
                }
            }
        };
        if !of.in_parts {
            return place(self, None);
        }
        let mut all = Vec::new();
        for (kind, part) in self.parts(known) {
            let is_there = there.iter().any(|(other, _)| *other == kind);
            match part {
                Some(part) => all.extend(place(&part, Some(kind))?),
                // A file that is there keeps the record, which says nothing any more.
                None if is_there => {
                    all.extend(place(
                        &Unit { table: self.table, cells: self.key_row(known), inside: Vec::new() },
                        Some(kind),
                    )?);
                }
                None => {}
            }
        }
        if all.is_empty() { Err(refused(None)) } else { Ok(all) }
    }

    fn add_to(&self, known: &Known, kind: usize, set: usize, rows: &mut Rows<'static>) -> Result<()> {
        rows.push(set, self.cells.iter().cloned());
        let sets = known.forms.weavers[kind].sets();
        for (inner, of) in sets.iter().enumerate().filter(|(_, of)| of.parent == Some(set)) {
            for unit in
                self.inside.iter().filter(|unit| unit.table == of.records.table && agrees(of.records, &unit.cells))
            {
                unit.add_to(known, kind, inner, rows)?;
            }
        }
        Ok(())
    }

    /// The records in the rows of a file, each with everything inside it.
    pub fn of_rows(known: &Known, kind: usize, rows: &Rows<'_>) -> Vec<Unit> {
        let sets = known.forms.weavers[kind].sets();
        let (mut done, mut open): (Vec<Unit>, Vec<(usize, Unit)>) = (Vec::new(), Vec::new());
        let close = |open: &mut Vec<(usize, Unit)>, done: &mut Vec<Unit>| {
            let Some((_, unit)) = open.pop() else { return };
            match open.last_mut() {
                Some((_, around)) => around.inside.push(unit),
                None => done.push(unit),
            }
        };
        for row in rows.iter() {
            while !open.is_empty() && open.last().map(|(set, _)| *set) != sets[row.set].parent {
                close(&mut open, &mut done);
            }
            let cells = row.cells.iter().map(|cell| cell.clone().into_owned()).collect();
            open.push((row.set, Unit { table: sets[row.set].records.table, cells, inside: Vec::new() }));
        }
        while !open.is_empty() {
            close(&mut open, &mut done);
        }
        done
    }

    /// Adds what another file has of the same row.
    pub fn join(&mut self, other: Unit) {
        for (cell, new) in self.cells.iter_mut().zip(other.cells) {
            if *cell == Cell::Null {
                *cell = new;
            }
        }
        self.inside.extend(other.inside);
    }

    /// A column whose value no file says.
    pub fn untold(&self, known: &Known) -> Option<(usize, usize)> {
        let table = self.table;
        let own = match known.layout.tables[table].in_parts {
            false => known.forms.said(table, &self.cells, None).and_then(|said| said.unsaid.first().copied()),
            true => self.parts(known).into_iter().find_map(|(kind, part)| {
                let said = known.forms.said(table, &part?.cells, Some(kind))?;
                said.unsaid.into_iter().find(|column| known.forms.fills(table, kind, *column))
            }),
        };
        own.map(|column| (table, column)).or_else(|| self.inside.iter().find_map(|unit| unit.untold(known)))
    }

    /// Itself and everything inside it.
    pub fn flattened(&self) -> Vec<&Unit> {
        let mut all = vec![self];
        self.inside.iter().for_each(|unit| all.extend(unit.flattened()));
        all
    }

    /// As bytes, for whoever does the write after a kill.
    ///
    /// # Errors
    /// When a value is of no type that a file has.
    pub fn to_bytes(&self, known: &Known) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.append(known, &mut bytes)?;
        Ok(bytes)
    }

    fn append(&self, known: &Known, bytes: &mut Vec<u8>) -> Result<()> {
        let mut packed = Vec::new();
        pack(&self.cells, &mut packed).map_err(|column| {
            let of = &known.layout.tables[self.table];
            let object =
                format!("table `{}`, row {}, column `{}`", of.name, self.shown_key(known), of.columns[column].name);
            Error::could_not("write", object, "its value is of no type that a file has")
        })?;
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
        for part in [number(self.table), number(packed.len())] {
            bytes.extend_from_slice(&part);
        }
        bytes.extend_from_slice(&packed);
        bytes.extend_from_slice(&number(self.inside.len()));
        self.inside.iter().try_for_each(|unit| unit.append(known, bytes))
    }

    /// What [`Unit::to_bytes`] has made; `None` for anything else.
    pub fn of_bytes(known: &Known, bytes: &[u8]) -> Option<Unit> {
        let (unit, rest) = Unit::take(known, bytes)?;
        rest.is_empty().then_some(unit)
    }

    fn take<'b>(known: &Known, bytes: &'b [u8]) -> Option<(Unit, &'b [u8])> {
        let number = |bytes: &'b [u8]| {
            let (number, rest) = bytes.split_first_chunk::<4>()?;
            Some((u32::from_be_bytes(*number) as usize, rest))
        };
        let (table, bytes) = number(bytes)?;
        let (length, bytes) = number(bytes)?;
        let (packed, bytes) = bytes.split_at_checked(length)?;
        let cells: Vec<Cell<'static>> = unpack(packed)?.into_iter().map(Cell::into_owned).collect();
        if cells.len() != known.layout.tables.get(table)?.columns.len() {
            return None;
        }
        let (count, mut bytes) = number(bytes)?;
        let mut inside = Vec::new();
        for _ in 0..count {
            let (unit, rest) = Unit::take(known, bytes)?;
            inside.push(unit);
            bytes = rest;
        }
        Some((Unit { table, cells, inside }, bytes))
    }
}

/// The versions of the records that marks tell, by table and key: what a base remembers of one file. Those of rows in parts are the part's.
pub fn versions_of_marks(known: &Known, marks: &[Mark]) -> Vec<((usize, u128), u128)> {
    let is_root =
        |table: u16| known.forms.homes[usize::from(table)].iter().any(|home| matches!(home, Home::Root { .. }));
    let mut found = Vec::new();
    let mut open: Option<(Mark, Vec<(u16, u128)>)> = None;
    let close = |open: Option<(Mark, Vec<(u16, u128)>)>, found: &mut Vec<_>| {
        if let Some((mark, below)) = open {
            found.push(((usize::from(mark.table), mark.key), flat(mark.row, below).0));
        }
    };
    for mark in marks {
        match &mut open {
            Some((_, below)) if !is_root(mark.table) => below.push((mark.table, mark.row)),
            _ => close(open.replace((*mark, Vec::new())), &mut found),
        }
    }
    close(open, &mut found);
    found
}

/// The version of a row in parts, from those of the parts, each with its kind of file.
pub fn of_parts(mut parts: Vec<(usize, Version)>) -> Version {
    parts.sort_unstable();
    let mut bytes = Vec::with_capacity(parts.len() * 18);
    for (kind, version) in parts {
        bytes.extend_from_slice(&small(kind).to_be_bytes());
        bytes.extend_from_slice(&version.0.to_be_bytes());
    }
    Version(xxh3_128(&bytes))
}

fn own(cells: &[Cell<'_>], hasher: &mut RowHasher) -> u128 {
    cells.iter().for_each(|cell| hasher.cell(cell));
    hasher.finish()
}

fn flat(own: u128, mut below: Vec<(u16, u128)>) -> Version {
    if below.is_empty() {
        return Version(own);
    }
    below.sort_unstable();
    let mut bytes = own.to_be_bytes().to_vec();
    for (table, hash) in below {
        bytes.extend_from_slice(&table.to_be_bytes());
        bytes.extend_from_slice(&hash.to_be_bytes());
    }
    Version(xxh3_128(&bytes))
}

/// A place in a layout, which has far fewer.
pub fn small(place: usize) -> u16 {
    u16::try_from(place).unwrap_or(u16::MAX)
}

/// What a column is that nobody has named: its constant, what its absence means, or NULL.
pub fn unnamed(filled: Option<&Filled>, position: usize) -> Cell<'static> {
    let Some(filled) = filled else { return Cell::Null };
    for origin in &filled.from {
        match origin {
            Origin::Constant(text) => {
                return read_text(text, &filled.form).map(Cell::into_owned).unwrap_or(Cell::Null);
            }
            Origin::Position => return Cell::Int(i64::try_from(position).unwrap_or(i64::MAX)),
            _ => {}
        }
    }
    match &filled.absent {
        Absent::Default(text) => read_text(text, &filled.form).map(Cell::into_owned).unwrap_or(Cell::Null),
        Absent::Null | Absent::WrittenNull | Absent::Refused => Cell::Null,
    }
}
