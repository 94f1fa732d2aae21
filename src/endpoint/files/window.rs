//! Files whose rows come near each other: each is complete as soon as it has them, and needs no place to wait but this one.
//!
//! What is remembered of a file says which rows it had. A row that is one of them and still says that it belongs there is taken to its place
//! among them. Any other one is not taken: a new row, one that has moved, one of a file in several pieces, or of a kind whose rows can
//! stand in several files. A file that does not get all of its rows goes away with those that it has.

use super::base::{Base, Is, OnePiece};
use super::filling::captures;
use super::layout::{Layout, Origin};
use super::marks;
use super::pack::{Batch, unpack_some};
use super::ready::{CameRow, CameRows};
use super::rows::{Home, agrees, captures_of, homes};
use super::weave::Weaver;
use crate::error::{Error, Result};
use crate::value::{Cell, RowHasher, recycle};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

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
    /// Of each of the layout's tables, which columns say where a row stands, up to the last of them.
    looked_at: Vec<Vec<bool>>,
    /// The kinds whose files can be waited for.
    kinds: Vec<bool>,
    /// By their numbers.
    files: BTreeMap<i64, Gathered>,
    /// Which record is waited for, by its table and the hash of its key.
    wanted: HashMap<(u16, u128), Place, ByKey>,
    /// The number of the file that was looked up last.
    looked_up: i64,
    /// The greatest number of a file that has a row, or had one.
    reached: i64,
    held_bytes: u64,
    came_bytes: u64,
    hasher: RowHasher,
    spare: Vec<Cell<'static>>,
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
    /// What its path says.
    pub(super) captures: Vec<(String, String)>,
    marks: Vec<(u16, u128)>,
    /// The batches that rows of it are in.
    batches: Vec<Arc<Batch>>,
    /// By the places of their marks.
    rows: Vec<Option<CameRow>>,
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
    fn add(&mut self, batch: &Arc<Batch>, row: usize, place: usize) {
        // Rows of a table come one behind the other, so it is nearly always one of the last.
        let known = self.batches.iter().rposition(|known| Arc::ptr_eq(known, batch));
        let known = known.unwrap_or_else(|| {
            self.batches.push(Arc::clone(batch));
            self.batches.len() - 1
        });
        self.rows[place] = Some(CameRow { batch: known, row });
        self.missing -= 1;
        self.bytes += batch.row(row).len() as u64;
    }

    /// The rows of a complete file, in the order in which they stood.
    pub(super) fn rows(self, set_of: &dyn Fn(u16) -> usize) -> CameRows {
        let rows = self.marks.iter().zip(self.rows).filter_map(|((table, _), row)| Some((set_of(*table), row?)));
        CameRows { rows: rows.collect(), batches: self.batches, bytes: self.bytes }
    }

    /// The rows that came, packed, each with its table.
    pub(super) fn came(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let rows = self.marks.iter().zip(&self.rows);
        rows.filter_map(|((table, _), row)| Some((usize::from(*table), row.as_ref()?.packed(&self.batches))))
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
        let looked_at = homes.iter().enumerate().map(|(table, home)| looked_at(layout, table, home.as_ref())).collect();
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
            looked_at,
            kinds,
            files: BTreeMap::new(),
            wanted: HashMap::default(),
            looked_up: i64::MIN,
            reached: i64::MIN,
            held_bytes: 0,
            came_bytes: 0,
            hasher: RowHasher::default(),
            spare: Vec::new(),
        }
    }

    /// The set of a table with one home.
    pub(super) fn set_of(&self, table: u16) -> usize {
        self.homes[usize::from(table)].as_ref().map_or(0, |home| home.set().1)
    }

    /// Takes a row of a batch, if it is one of those that are waited for.
    ///
    /// # Errors
    /// When what is remembered cannot be read.
    pub(super) fn take(&mut self, table: usize, batch: &Arc<Batch>, row: usize) -> Result<Taken> {
        let packed = batch.row(row);
        self.came_bytes += packed.len() as u64;
        if self.homes[table].is_none() {
            return Ok(Taken::No);
        }
        let damaged = || Error::could_not("write", "the tree", "a row is damaged on its way");
        let mut cells: Vec<Cell<'_>> = recycle(std::mem::take(&mut self.spare));
        unpack_some(packed, &self.looked_at[table], &mut cells).ok_or_else(damaged)?;
        let place = self.place_of(table, &cells);
        self.spare = recycle(cells);
        let Some(place) = place? else { return Ok(Taken::No) };
        self.reach(place.file);
        let Some(file) = self.files.get_mut(&place.file) else { return Ok(Taken::No) };
        file.add(batch, row, place.place);
        self.held_bytes += packed.len() as u64;
        match file.missing {
            0 => Ok(self.give_up(place.file).map_or(Taken::No, Taken::Last)),
            _ => Ok(Taken::Held),
        }
    }

    /// Where a row is waited for that is still there, which ends the waiting.
    fn place_of(&mut self, table: usize, cells: &[Cell<'_>]) -> Result<Option<Place>> {
        let Ok(number) = u16::try_from(table) else { return Ok(None) };
        let key = marks::key(&self.layout.tables[table], cells, &mut self.hasher);
        let Some(place) = self.find((number, key))? else { return Ok(None) };
        let belongs = self.belongs(table, cells, place);
        if belongs {
            self.wanted.remove(&(number, key));
        }
        Ok(belongs.then_some(place))
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
        let Ok(captures) = captures(self.layout, kind, &path) else { return };
        let said: Vec<&str> = captures.iter().map(|(_, value)| value.as_str()).collect();
        if self.layout.path_of(kind, &said).ok().as_ref() != Some(&path) {
            return;
        }
        let mut last: Vec<Option<u128>> = vec![None; self.homes.len()];
        let mut places = Vec::with_capacity(marks.len());
        for (place, mark) in marks.iter().enumerate() {
            let around = match self.homes.get(usize::from(mark.table)) {
                Some(Some(home)) if home.set().0 == kind => match home {
                    Home::Root { .. } => None,
                    Home::Inside { around, .. } => {
                        let Some(around) = last[*around] else { return };
                        Some(around)
                    }
                },
                Some(_) | None => return,
            };
            last[usize::from(mark.table)] = Some(mark.key);
            places.push(((mark.table, mark.key), Place { file: number, place, around }));
        }
        let is_twice = |mark: &(u16, u128)| self.wanted.contains_key(mark);
        if places.iter().any(|(mark, _)| is_twice(mark)) {
            return;
        }
        let marks: Vec<_> = places.iter().map(|(mark, _)| *mark).collect();
        let (rows, missing) = (vec![None; marks.len()], marks.len());
        self.wanted.extend(places);
        let (batches, since_bytes) = (Vec::new(), None);
        let file = Gathered { path, kind, captures, marks, batches, rows, missing, bytes: 0, since_bytes };
        self.files.insert(number, file);
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
                let Some(file) = self.files.get(&place.file) else { return false };
                let captures = file.captures.iter().map(|(_, value)| Some(value));
                agrees(records, cells)
                    && captures_of(self.layout, *kind, records, cells).iter().map(Option::as_ref).eq(captures)
            }
            Some(Home::Inside { key, .. }) => {
                key.iter().for_each(|column| self.hasher.cell(&cells[*column]));
                place.around == Some(self.hasher.finish())
            }
            None => false,
        }
    }
}

/// The columns that say where a row of a table stands, up to the last of them: its key, and what is said of its file's path or of the
/// row around it.
fn looked_at(layout: &Layout, table: usize, home: Option<&Home<'_>>) -> Vec<bool> {
    let of = &layout.tables[table];
    let mut looked_at = vec![false; of.columns.len()];
    of.key.iter().for_each(|column| looked_at[*column] = true);
    match home {
        None => {}
        Some(Home::Inside { key, .. }) => key.iter().for_each(|column| looked_at[*column] = true),
        Some(Home::Root { records, .. }) => {
            let of_path =
                |origin: &Origin| matches!(origin, Origin::Capture(_) | Origin::Template(_) | Origin::Constant(_));
            let columns = records.columns.iter().filter(|filled| filled.from.iter().any(of_path));
            columns.for_each(|filled| looked_at[filled.column] = true);
        }
    }
    looked_at.truncate(looked_at.iter().rposition(|is_looked_at| *is_looked_at).map_or(0, |last| last + 1));
    looked_at
}

/// Finds records by the hashes of their keys. Those need no second hash, but a number that nobody knows before: else somebody could
/// choose keys that all meet.
#[derive(Clone)]
struct ByKey(u64);

impl Default for ByKey {
    fn default() -> Self {
        ByKey(RandomState::new().hash_one(0_u8))
    }
}

impl BuildHasher for ByKey {
    type Hasher = KeyHasher;

    fn build_hasher(&self) -> KeyHasher {
        KeyHasher(self.0)
    }
}

/// What [`ByKey`] makes of a table and a hash.
struct KeyHasher(u64);

impl KeyHasher {
    fn add(&mut self, number: u64) {
        let product = u128::from(self.0 ^ number) * 0x9e37_79b9_7f4a_7c15;
        self.0 = product as u64 ^ (product >> 64) as u64;
    }
}

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.add(u64::from(*byte)));
    }

    fn write_u16(&mut self, number: u16) {
        self.add(u64::from(number));
    }

    fn write_u128(&mut self, number: u128) {
        self.add(number as u64);
        self.add((number >> 64) as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
