//! Files whose rows come near each other: each is complete as soon as it has them, and needs no place to wait but this one.
//!
//! What is remembered of a file says which rows it had. A row that is one of them and still says that it belongs there is taken to its place
//! among them. Any other one is not taken: a new row, one that has moved, one of a file in several pieces, or of a kind whose rows can
//! stand in several files. A file that does not get all of its rows goes away with those that it has.

use super::base::{Base, Is, OnePiece};
use super::layout::{Layout, Origin};
use super::marks;
use super::pack::unpack;
use super::rows::{Home, agrees, homes, path_of};
use super::weave::{Rows, Weaver};
use crate::error::{Error, Result};
use crate::value::{Cell, RowHasher};
use std::collections::{BTreeMap, HashMap};

/// How many records may be waited for at a time.
const RECORDS_MAX: usize = 100_000;
/// How many bytes of rows may wait.
const HELD_BYTES_MAX: u64 = 24 << 20;
/// How many bytes of rows come at most before a file that has begun is given up: rows come nearly in the order of their files.
const WAITED_BYTES_MAX: u64 = 16 << 20;

/// Files that are waited for.
pub(super) struct Window<'w, 'l> {
    layout: &'l Layout,
    base: &'w Base,
    /// Of each of the layout's tables, where its rows stand, where that is one place.
    homes: Vec<Option<Home<'l>>>,
    /// The kinds whose files can be waited for.
    kinds: Vec<bool>,
    /// By their numbers.
    files: BTreeMap<i64, Gathered>,
    /// Which record is waited for, by its table and the hash of its key.
    wanted: HashMap<(u16, u128), Place>,
    /// The number of the file that was looked up last.
    looked_up: i64,
    /// The greatest number of a file that has a row, or had one.
    reached: i64,
    held_bytes: u64,
    came_bytes: u64,
    hasher: RowHasher,
}

/// Where a record stands.
#[derive(Clone, Copy)]
struct Place {
    file: i64,
    place: usize,
    /// The hash of the key of the record around it.
    around: Option<u128>,
}

/// A file with the rows that came so far.
pub(super) struct Gathered {
    pub(super) path: String,
    pub(super) kind: usize,
    marks: Vec<(u16, u128)>,
    rows: Vec<Option<Vec<Cell<'static>>>>,
    missing: usize,
    bytes: u64,
    /// How many bytes had come when it, or one behind it, got its first row.
    since_bytes: Option<u64>,
}

/// What has become of a row.
pub(super) enum Taken {
    /// It waits for the others of its file.
    Held,
    /// It was the last one of its file.
    Last(Gathered),
    /// It is none of those that are waited for.
    No,
}

impl Gathered {
    /// The rows of a complete file, in the order in which they stood.
    pub(super) fn rows(self, set_of: &dyn Fn(u16) -> usize) -> Rows<'static> {
        let mut rows = Rows::new();
        for ((table, _), cells) in self.marks.into_iter().zip(self.rows) {
            rows.push(set_of(table), cells.into_iter().flatten());
        }
        rows
    }

    /// The rows that came, each with its table.
    pub(super) fn came(self) -> impl Iterator<Item = (usize, Vec<Cell<'static>>)> {
        let rows = self.marks.into_iter().zip(self.rows);
        rows.filter_map(|((table, _), cells)| Some((usize::from(table), cells?)))
    }
}

impl<'w, 'l> Window<'w, 'l> {
    /// None is waited for yet.
    pub(super) fn new(layout: &'l Layout, weavers: &[Weaver<'l>], base: &'w Base) -> Self {
        let one = |(table, mut homes): (usize, Vec<Home<'l>>)| match homes.len() {
            1 if !layout.tables[table].in_parts => homes.pop(),
            _ => None,
        };
        let homes: Vec<_> = homes(layout, weavers).into_iter().enumerate().map(one).collect();
        let is_known = |weaver: &Weaver<'_>| {
            !weaver.stays()
                && weaver.sets().iter().all(|set| {
                    let mut origins = set.records.columns.iter().flat_map(|filled| &filled.from);
                    homes[set.records.table].is_some() && !origins.any(|origin| matches!(origin, Origin::Modified))
                })
        };
        let kinds = weavers.iter().map(is_known).collect();
        Window {
            layout,
            base,
            homes,
            kinds,
            files: BTreeMap::new(),
            wanted: HashMap::new(),
            looked_up: i64::MIN,
            reached: i64::MIN,
            held_bytes: 0,
            came_bytes: 0,
            hasher: RowHasher::default(),
        }
    }

    /// The set of a table with one home.
    pub(super) fn set_of(&self, table: u16) -> usize {
        self.homes[usize::from(table)].as_ref().map_or(0, |home| home.set().1)
    }

    /// Takes a row, if it is one of those that are waited for.
    ///
    /// # Errors
    /// When what is remembered cannot be read.
    pub(super) fn take(&mut self, table: usize, packed: &[u8]) -> Result<Taken> {
        self.came_bytes += packed.len() as u64;
        if self.homes[table].is_none() {
            return Ok(Taken::No);
        }
        let damaged = || Error::could_not("write", "the tree", "a row is damaged on its way");
        let cells = unpack(packed).ok_or_else(damaged)?;
        let key = marks::key(&self.layout.tables[table], &cells, &mut self.hasher);
        let Ok(number) = u16::try_from(table) else { return Ok(Taken::No) };
        let Some(place) = self.find((number, key))? else { return Ok(Taken::No) };
        if !self.belongs(table, &cells, place) {
            return Ok(Taken::No);
        }
        self.wanted.remove(&(number, key));
        self.reach(place.file);
        let Some(file) = self.files.get_mut(&place.file) else { return Ok(Taken::No) };
        file.rows[place.place] = Some(cells.into_iter().map(Cell::into_owned).collect());
        file.missing -= 1;
        file.bytes += packed.len() as u64;
        self.held_bytes += packed.len() as u64;
        match file.missing {
            0 => Ok(self.give_up(place.file).map_or(Taken::No, Taken::Last)),
            _ => Ok(Taken::Held),
        }
    }

    /// A file that is not waited for any longer.
    pub(super) fn late(&mut self) -> Option<Gathered> {
        let (number, oldest) = self.files.first_key_value()?;
        let waited = self.came_bytes - oldest.since_bytes?;
        let number = *number;
        (waited > WAITED_BYTES_MAX || self.held_bytes > HELD_BYTES_MAX).then(|| self.give_up(number)).flatten()
    }

    /// Any file that is waited for.
    pub(super) fn left(&mut self) -> Option<Gathered> {
        let number = *self.files.first_key_value()?.0;
        self.give_up(number)
    }

    fn give_up(&mut self, number: i64) -> Option<Gathered> {
        let file = self.files.remove(&number)?;
        if file.missing > 0 {
            for mark in &file.marks {
                self.wanted.remove(mark);
            }
        }
        self.held_bytes -= file.bytes;
        Some(file)
    }

    fn find(&mut self, mark: (u16, u128)) -> Result<Option<Place>> {
        loop {
            if let Some(place) = self.wanted.get(&mark) {
                return Ok(Some(*place));
            }
            if self.wanted.len() >= RECORDS_MAX || !self.look_up()? {
                return Ok(None);
            }
        }
    }

    /// Waits for one file more; whether there was one.
    fn look_up(&mut self) -> Result<bool> {
        if self.looked_up == i64::MAX {
            return Ok(false);
        }
        let Some(piece) = self.base.one_piece_behind(self.looked_up)? else {
            self.looked_up = i64::MAX;
            return Ok(false);
        };
        self.looked_up = piece.number;
        self.wait_for(piece);
        Ok(true)
    }

    fn wait_for(&mut self, piece: OnePiece) {
        let OnePiece { number, path, marks } = piece;
        let kind = match self.base.entry_at(&path).map(|entry| &entry.is) {
            Some(Is::File(Some(kind))) => self.layout.kinds.iter().position(|one| one.name == *kind),
            Some(_) | None => None,
        };
        let Some(kind) = kind.filter(|kind| self.kinds[*kind] && !marks.is_empty()) else { return };
        let mut last: HashMap<u16, u128> = HashMap::new();
        let mut places = Vec::with_capacity(marks.len());
        for (place, mark) in marks.iter().enumerate() {
            let around = match self.homes.get(usize::from(mark.table)) {
                Some(Some(home)) if home.set().0 == kind => match home {
                    Home::Root { .. } => None,
                    Home::Inside { around, .. } => {
                        let around = u16::try_from(*around).ok().and_then(|around| last.get(&around));
                        let Some(around) = around else { return };
                        Some(*around)
                    }
                },
                Some(_) | None => return,
            };
            last.insert(mark.table, mark.key);
            places.push(((mark.table, mark.key), Place { file: number, place, around }));
        }
        let is_twice = |mark: &(u16, u128)| self.wanted.contains_key(mark);
        if places.iter().any(|(mark, _)| is_twice(mark)) {
            return;
        }
        let marks: Vec<_> = places.iter().map(|(mark, _)| *mark).collect();
        let (rows, missing) = (vec![None; marks.len()], marks.len());
        self.wanted.extend(places);
        self.files.insert(number, Gathered { path, kind, marks, rows, missing, bytes: 0, since_bytes: None });
    }

    /// Files up to this one have begun.
    fn reach(&mut self, file: i64) {
        if file > self.reached {
            let begun =
                self.files.range_mut((std::ops::Bound::Excluded(self.reached), std::ops::Bound::Included(file)));
            begun.for_each(|(_, file)| file.since_bytes = Some(self.came_bytes));
            self.reached = file;
        }
    }

    /// Whether a row says that it is where it was.
    fn belongs(&mut self, table: usize, cells: &[Cell<'_>], place: Place) -> bool {
        match &self.homes[table] {
            Some(Home::Root { kind, records, .. }) => {
                let is_there = |path: String| self.files.get(&place.file).is_some_and(|file| file.path == path);
                agrees(records, cells) && path_of(self.layout, *kind, records, cells).is_ok_and(is_there)
            }
            Some(Home::Inside { key, .. }) => {
                key.iter().for_each(|column| self.hasher.cell(&cells[*column]));
                place.around == Some(self.hasher.finish())
            }
            None => false,
        }
    }
}
