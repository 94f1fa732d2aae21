//! A store as an application has it open: in whatever mode its records are now.
//!
//! Several threads and processes may have one open. Whoever writes holds a lock beside the SQLite file, which the kernel drops with its process; reading
//! takes no lock. The mode is looked up for each operation, so that a change of it is followed at once, and an operation that it has
//! overtaken is done again.

use super::both::{BothStore, Noticed, Watch};
use super::contract::{Expected, Mode, Outcome, Record, Side, Store};
use super::control::{Control, Histogram, Selection, bucket};
use super::files::{FilesStore, Like, Located};
use super::keeper::{Change, Exchanged, Keeper};
use super::rows::RowsStore;
use super::unit::{Known, Unit};
use crate::endpoint::files::layout::Place as FilePlace;
use crate::endpoint::files::source::chooses;
use crate::endpoint::sqlite::file::quoted;
use crate::endpoint::sqlite::lock_file::LockFile;
use crate::error::{Error, Result};
use crate::value::Cell;
use rusqlite::Connection;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use xxhash_rust::xxh3::xxh3_64;

/// How long another writer is waited for.
const PATIENCE: Duration = Duration::from_secs(120);
/// So many writes that need not be written down are counted together.
const COUNTED_TOGETHER: usize = 64;
/// So many reads are counted together, or those of so long a time.
const READS_TOGETHER: u64 = 1_024;
const READS_EVERY: Duration = Duration::from_secs(10);
/// A change that others overtake all the time is tried so often.
const ATTEMPTS_MAX: usize = 1_000;

/// Where the records of an application are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The project's `layout.toml`.
    pub layout: PathBuf,
    /// The tree of files.
    pub tree: PathBuf,
    /// The SQLite file.
    pub file: PathBuf,
}

/// The modes of all records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Modes {
    rules: Vec<(Selection, Mode)>,
    otherwise: Mode,
}

impl Modes {
    /// The mode of the records of a file.
    pub fn of(&self, known: &Known, path: &str) -> Mode {
        let (kind, group) = known.group_of(path);
        let kind = known.layout.kinds.get(kind).map(|kind| kind.name.as_str());
        let chosen = self.rules.iter().find(|(selection, _)| is_chosen(selection, path, kind, &group));
        chosen.map_or(self.otherwise, |(_, mode)| *mode)
    }

    /// The mode, where all records have one.
    pub fn only(&self) -> Option<Mode> {
        match self.rules.as_slice() {
            [] => Some(self.otherwise),
            [(Selection::All, mode), ..] => Some(*mode),
            _ => None,
        }
    }

    /// All modes that there are.
    pub fn all(&self) -> BTreeSet<Mode> {
        let rest = self.rules.iter().all(|(selection, _)| *selection != Selection::All).then_some(self.otherwise);
        self.rules.iter().map(|(_, mode)| *mode).chain(rest).collect()
    }

    /// What was set, the last one first.
    pub fn rules(&self) -> &[(Selection, Mode)] {
        &self.rules
    }
}

/// Whether a file is among those of a selection.
pub fn is_chosen(selection: &Selection, path: &str, kind: Option<&str>, group: &str) -> bool {
    match selection {
        Selection::All => true,
        Selection::Only(pattern) => chooses(pattern, group, None) || chooses(pattern, path, kind),
        Selection::Percent(percent) => xxh3_64(group.as_bytes()) % 100 < u64::from(*percent),
    }
}

/// The store.
pub struct OpenStore {
    known: &'static Known,
    place: Place,
    control: Control,
    files: Mutex<Option<Arc<FilesStore>>>,
    rows: Mutex<Option<Arc<RowsStore>>>,
    turn: Mutex<()>,
    noticed: Noticed,
    watch: Option<Watch>,
    /// Writes of one side that are not counted yet.
    uncounted: Mutex<Vec<(Side, u64)>>,
    unread: Mutex<Reads>,
}

/// Reads that are not counted yet: of each side, how many took less than the time of each bucket.
struct Reads {
    of_sides: BTreeMap<(Side, u32), u64>,
    all: u64,
    since: Instant,
}

impl Default for Reads {
    fn default() -> Self {
        Reads { of_sides: BTreeMap::new(), all: 0, since: Instant::now() }
    }
}

/// The right to write.
pub struct Held<'s> {
    _turn: MutexGuard<'s, ()>,
    _lock: LockFile,
}

impl OpenStore {
    /// Opens the store, and does what killed writers have begun.
    ///
    /// # Errors
    /// When the layout is refused, or what the modes need is not there.
    pub fn open(place: &Place) -> Result<OpenStore> {
        OpenStore::watched(place, None)
    }

    /// The same; `watch` is asked before each step of a write.
    ///
    /// # Errors
    /// As [`OpenStore::open`].
    pub fn watched(place: &Place, watch: Option<Watch>) -> Result<OpenStore> {
        let mut store = OpenStore::to_look(place)?;
        store.watch = watch;
        for mode in store.modes()?.all() {
            if mode.truth() == Side::Files || mode.has_copy() {
                store.files()?;
            }
            if mode.truth() == Side::Rows || mode.has_copy() {
                store.rows()?;
            }
        }
        if store.control.is_pending()? {
            let _held = store.hold()?;
            store.replay()?;
        }
        Ok(store)
    }

    /// The store as it is: no side is opened yet, and nothing is gone on with.
    ///
    /// # Errors
    /// When the layout is refused, or the folder of the SQLite file cannot be written.
    pub fn to_look(place: &Place) -> Result<OpenStore> {
        let known = Known::load(&place.layout)?;
        // A slip in a name leaves nothing behind.
        if !place.tree.exists() && !place.file.exists() {
            let cause = format!("there is neither this tree nor the file {}", quoted(&place.file));
            return Err(Error::could_not("open the store of", quoted(&place.tree), cause)
                .hint("name the tree and the SQLite file in this order; `whimbrel migrate PROJECT TREE FILE` makes the file of a tree"));
        }
        Ok(OpenStore {
            known,
            place: place.clone(),
            control: Control::open(&place.file)?,
            files: Mutex::new(None),
            rows: Mutex::new(None),
            turn: Mutex::new(()),
            noticed: Noticed::default(),
            watch: None,
            uncounted: Mutex::new(Vec::new()),
            unread: Mutex::new(Reads::default()),
        })
    }

    /// The layout.
    pub fn layout(&self) -> &'static Known {
        self.known
    }

    /// Where it is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What it knows besides its records.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// The store of files.
    ///
    /// # Errors
    /// When there is no tree.
    pub fn files(&self) -> Result<Arc<FilesStore>> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(files) = &*files {
            return Ok(Arc::clone(files));
        }
        let opened = Arc::new(FilesStore::open(self.known, &self.place.tree)?);
        *files = Some(Arc::clone(&opened));
        Ok(opened)
    }

    /// The store of rows.
    ///
    /// # Errors
    /// When there is no SQLite file that was made of such a tree.
    pub fn rows(&self) -> Result<Arc<RowsStore>> {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rows) = &*rows {
            return Ok(Arc::clone(rows));
        }
        let opened = Arc::new(RowsStore::open(self.known, &self.place.file)?);
        *rows = Some(Arc::clone(&opened));
        Ok(opened)
    }

    /// The modes now.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn modes(&self) -> Result<Modes> {
        let rules = self.control.modes()?;
        let otherwise = match rules.is_empty() && !self.place.tree.is_dir() && self.place.file.exists() {
            true => Mode::Sqlite,
            false => Mode::Files,
        };
        Ok(Modes { rules, otherwise })
    }

    /// Runs a query where rows are kept: `None` where all records are in files alone. A statement that writes is an error.
    ///
    /// # Errors
    /// When the file cannot be read, or the job fails.
    pub fn sql<T>(&self, job: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<Option<T>> {
        let start = Instant::now();
        if self.modes()?.all().iter().all(|mode| *mode == Mode::Files) {
            return Ok(None);
        }
        let found = self.rows()?.readers().read("read", job)?;
        self.has_read(Side::Rows, start);
        Ok(Some(found))
    }

    /// Reads a record, changes it and writes it, again where somebody else was faster. `None` where there is no such record.
    ///
    /// # Errors
    /// Those of `change`, and those of [`Store::put`].
    pub fn update(
        &self,
        table: &str,
        key: &[Value],
        change: impl Fn(&mut Map<String, Value>) -> Result<()>,
    ) -> Result<Option<Record>> {
        for _ in 0..ATTEMPTS_MAX {
            let Some(mut record) = self.get(table, key)? else {
                return Ok(None);
            };
            change(&mut record.value)?;
            if let Outcome::Written(written) = self.put(table, &record.value, Expected::Version(record.version))? {
                let version = written.version.unwrap_or(record.version);
                return Ok(Some(Record { version, ..record }));
            }
        }
        let cause = format!("others have changed it {ATTEMPTS_MAX} times meanwhile");
        Err(Error::could_not("change", format!("a record of `{table}`"), cause))
    }

    /// Waits for the right to write.
    ///
    /// # Errors
    /// When another process has it for too long.
    pub fn hold(&self) -> Result<Held<'_>> {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let lock = LockFile::take(&Control::lock_path(&self.place.file), PATIENCE, &mut |_| true)?;
        let lock = lock.ok_or_else(|| {
            let cause = format!("another process has been writing for {} s", PATIENCE.as_secs());
            Error::could_not("write to the store of", quoted(&self.place.file), cause)
        })?;
        Ok(Held { _turn: turn, _lock: lock })
    }

    /// Does what others have begun. The right to write is held.
    ///
    /// # Errors
    /// When what has begun cannot be read.
    pub fn replay(&self) -> Result<()> {
        if !self.control.is_pending()? {
            return Ok(());
        }
        let (Ok(files), Ok(rows)) = (self.files(), self.rows()) else {
            return Ok(());
        };
        for intent in self.control.intents()? {
            self.both(intent.mode, &files, &rows).replay(&intent)?;
        }
        Ok(())
    }

    /// Both sides, in a mode.
    pub fn both<'s>(&'s self, mode: Mode, files: &'s FilesStore, rows: &'s RowsStore) -> BothStore<'s> {
        BothStore { mode, files, rows, control: &self.control, noticed: &self.noticed, watch: self.watch.as_ref() }
    }

    /// What programs without the store have made of files is taken in. The right to write is not held.
    fn notice(&self, files: &FilesStore, paths: &[String]) -> Result<()> {
        if paths.is_empty() {
            return Ok(());
        }
        let rows = self.rows()?;
        let tree = files.tree()?;
        for path in paths {
            let hash = files.read(&tree, path)?.map(|parsed| parsed.hash);
            if hash.is_some_and(|hash| self.noticed.has(path, hash)) {
                continue;
            }
            if rows.remembered_hash(path)? == hash {
                self.noticed.put(path, hash);
                continue;
            }
            let _held = self.hold()?;
            self.replay()?;
            if self.modes()?.of(self.known, path) == Mode::Dual {
                self.both(Mode::Dual, files, &rows).take_in(path)?;
            }
        }
        Ok(())
    }

    /// The mode of a record: by the file that it is in, or would be in.
    fn mode_of(&self, modes: &Modes, unit: &Unit) -> Result<Mode> {
        match modes.only() {
            Some(mode) => Ok(mode),
            None => {
                let files = unit.files(self.known, &[])?;
                Ok(files.first().map_or(modes.otherwise, |(_, path, _)| modes.of(self.known, path)))
            }
        }
    }

    fn find_by(&self, modes: &Modes, table: usize, key: &[Cell<'static>]) -> Result<Option<(Unit, Mode)>> {
        if modes.all().iter().any(|mode| mode.truth() == Side::Rows)
            && let Some(unit) = self.rows()?.find(table, key)?
        {
            let mode = self.mode_of(modes, &unit)?;
            if mode.truth() == Side::Rows {
                return Ok(Some((unit, mode)));
            }
        }
        if modes.all().iter().any(|mode| mode.truth() == Side::Files) {
            let files = self.files()?;
            let Some(Located { unit, places }) = files.locate(&files.tree()?, table, key)? else {
                return Ok(None);
            };
            let mode = places.first().map_or(modes.otherwise, |(_, path)| modes.of(self.known, path));
            if mode == Mode::Dual {
                let paths: Vec<String> = places.into_iter().map(|(_, path)| path).collect();
                self.notice(&files, &paths)?;
            }
            return Ok((mode.truth() == Side::Files).then_some((unit, mode)));
        }
        Ok(None)
    }

    fn all_by(&self, modes: &Modes, table: usize, matching: &[(usize, Cell<'static>)]) -> Result<Vec<Unit>> {
        let mut all = Vec::new();
        if modes.all().iter().any(|mode| mode.truth() == Side::Rows) {
            for unit in self.rows()?.all(table, matching)? {
                if self.mode_of(modes, &unit)?.truth() == Side::Rows {
                    all.push(unit);
                }
            }
        }
        if modes.all().iter().any(|mode| mode.truth() == Side::Files) {
            let files = self.files()?;
            let mut dual = BTreeSet::new();
            for Located { unit, places } in files.located(table, matching)? {
                let mode = places.first().map_or(modes.otherwise, |(_, path)| modes.of(self.known, path));
                if mode.truth() == Side::Files {
                    all.push(unit);
                }
            }
            if modes.all().contains(&Mode::Dual) {
                // A file may have what it had not before, so all of those that may have such records are looked at.
                let likes = files.likes_of(table, matching);
                let there = files.paths(&files.tree()?, &likes)?.into_iter().map(|(_, path)| path).collect();
                dual.extend(self.gone(modes, &likes, &there)?);
                dual.extend(there.into_iter().filter(|path| modes.of(self.known, path) == Mode::Dual));
            }
            self.notice(&files, &dual.into_iter().collect::<Vec<_>>())?;
        }
        Ok(all)
    }

    /// Files that are remembered, are like these, and are not there any more. Where nothing is there any more, somebody has to look.
    fn gone(&self, modes: &Modes, likes: &[Like], there: &BTreeSet<String>) -> Result<Vec<String>> {
        let layout = self.known.layout;
        let rows = self.rows()?;
        let mut gone = Vec::new();
        let mut add = |path: String| {
            if !there.contains(&path) && modes.of(self.known, &path) == Mode::Dual {
                gone.push(path);
            }
        };
        let told: Option<Vec<Option<String>>> = likes.iter().map(|like| like.path(layout)).collect();
        match told {
            // One file is asked for by its path.
            Some(told) => {
                for path in told.into_iter().flatten() {
                    if !there.contains(&path) && rows.remembered_hash(&path)?.is_some() {
                        add(path);
                    }
                }
            }
            None => {
                for path in rows.remembered_paths()? {
                    if let FilePlace::Kind(kind, captures) = layout.place(&path)
                        && likes.iter().any(|like| like.kind == kind && like.takes(&captures))
                    {
                        add(path);
                    }
                }
            }
        }
        // A disk that is not mounted has no files either.
        Ok(if there.is_empty() && gone.len() > 1 { Vec::new() } else { gone })
    }

    /// Reads, again where the modes have changed meanwhile.
    fn reading<T>(&self, read: impl Fn(&Modes) -> Result<T>) -> Result<T> {
        let mut modes = self.modes()?;
        loop {
            let found = read(&modes);
            let now = self.modes()?;
            if now == modes {
                return found;
            }
            modes = now;
        }
    }

    /// A read is done.
    fn has_read(&self, side: Side, start: Instant) {
        let us = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        let mut reads = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
        *reads.of_sides.entry((side, bucket(us))).or_default() += 1;
        reads.all += 1;
        if reads.all >= READS_TOGETHER || reads.since.elapsed() >= READS_EVERY {
            let together = std::mem::take(&mut *reads);
            drop(reads);
            self.count_reads(&together);
        }
    }

    fn count_reads(&self, reads: &Reads) {
        for side in [Side::Files, Side::Rows] {
            let of_side = reads.of_sides.iter().filter(|((other, _), _)| *other == side);
            let histogram: Histogram = of_side.map(|((_, bucket), reads)| (*bucket, *reads)).collect();
            if !histogram.is_empty() {
                // A read is not undone because nobody counts it.
                let _ = self.control.count_reads(side, &histogram);
            }
        }
    }

    fn counted(&self, side: Side, start: Instant) -> Result<()> {
        let us = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        let mut uncounted = self.uncounted.lock().unwrap_or_else(PoisonError::into_inner);
        uncounted.push((side, us));
        if uncounted.len() < COUNTED_TOGETHER {
            return Ok(());
        }
        let all = std::mem::take(&mut *uncounted);
        drop(uncounted);
        self.count(&all)
    }

    fn count(&self, all: &[(Side, u64)]) -> Result<()> {
        for side in [Side::Files, Side::Rows] {
            let of: Vec<u64> = all.iter().filter(|(other, _)| *other == side).map(|(_, us)| *us).collect();
            if !of.is_empty() {
                self.control.count_writes(side, &of, 0)?;
            }
        }
        Ok(())
    }

    fn exchange_by(&self, mode: Mode, change: &Change) -> Result<Exchanged> {
        let start = Instant::now();
        let done = match mode {
            Mode::Files => self.files()?.exchange(change)?,
            Mode::Sqlite => self.rows()?.exchange(change)?,
            Mode::Dual | Mode::SqlitePrimary => {
                let (files, rows) = (self.files()?, self.rows()?);
                let both = self.both(mode, &files, &rows);
                if mode == Mode::Dual
                    && let Some(located) = files.locate(&files.tree()?, change.table, &change.key)?
                {
                    let tree = files.tree()?;
                    for (_, path) in located.places {
                        let hash = files.read(&tree, &path)?.map(|parsed| parsed.hash);
                        if !hash.is_some_and(|hash| self.noticed.has(&path, hash)) {
                            both.take_in(&path)?;
                        }
                    }
                }
                return both.exchange(change);
            }
        };
        // A write that is done is not undone because nobody counts it.
        let _ = self.counted(mode.truth(), start);
        Ok(done)
    }
}

impl Keeper for OpenStore {
    fn known(&self) -> &'static Known {
        self.known
    }

    fn find(&self, table: usize, key: &[Cell<'static>]) -> Result<Option<Unit>> {
        let start = Instant::now();
        let (side, found) = self.reading(|modes| {
            let found = self.find_by(modes, table, key)?;
            Ok((found.as_ref().map_or(modes.otherwise, |(_, mode)| *mode).truth(), found))
        })?;
        self.has_read(side, start);
        Ok(found.map(|(unit, _)| unit))
    }

    fn all(&self, table: usize, matching: &[(usize, Cell<'static>)]) -> Result<Vec<Unit>> {
        let start = Instant::now();
        let (side, found) = self.reading(|modes| {
            let is_of_rows = modes.all().iter().all(|mode| mode.truth() == Side::Rows);
            Ok((if is_of_rows { Side::Rows } else { Side::Files }, self.all_by(modes, table, matching)?))
        })?;
        self.has_read(side, start);
        Ok(found)
    }

    fn exchange(&self, change: &Change) -> Result<Exchanged> {
        let _held = self.hold()?;
        self.replay()?;
        let modes = self.modes()?;
        if let Some(mode) = modes.only() {
            return self.exchange_by(mode, change).inspect_err(|_| self.failed());
        }
        let there = self.find_held(&modes, change.table, &change.key)?;
        let mode = match (&change.new, &there) {
            (Some(new), _) => self.mode_of(&modes, new)?,
            (None, Some((_, mode))) => *mode,
            (None, None) => modes.otherwise,
        };
        if let Some((_, old)) = there.filter(|(_, old)| *old != mode) {
            let of = &self.known.layout.tables[change.table].name;
            let cause = format!("it is kept in mode `{old}`, and would be in mode `{mode}` from now on");
            return Err(Error::could_not("write", format!("a record of `{of}`"), cause)
                .hint("set one mode for both first: `whimbrel store mode`"));
        }
        self.exchange_by(mode, change).inspect_err(|_| self.failed())
    }

    fn rehearse(&self, change: &Change) -> Result<()> {
        let mode = match &change.new {
            Some(new) => self.mode_of(&self.modes()?, new)?,
            None => return Ok(()),
        };
        match mode.truth() {
            Side::Files => self.files()?.rehearse(change),
            Side::Rows => self.rows()?.rehearse(change),
        }
    }
}

impl OpenStore {
    /// A record and its mode, while the right to write is held: nothing is taken in.
    fn find_held(&self, modes: &Modes, table: usize, key: &[Cell<'static>]) -> Result<Option<(Unit, Mode)>> {
        for mode in modes.all() {
            let found = match mode.truth() {
                Side::Files => self.files()?.find(table, key)?,
                Side::Rows => self.rows()?.find(table, key)?,
            };
            if let Some(unit) = found {
                let own = self.mode_of(modes, &unit)?;
                if own.truth() == mode.truth() {
                    return Ok(Some((unit, own)));
                }
            }
        }
        Ok(None)
    }

    fn failed(&self) {
        // It failed, and the one who wrote is told so; the figure is for others.
        let _ = self.control.count_writes(Side::Files, &[], 1);
    }
}

impl Drop for OpenStore {
    fn drop(&mut self) {
        let all = std::mem::take(&mut *self.uncounted.lock().unwrap_or_else(PoisonError::into_inner));
        // Figures that are lost are a few writes of many.
        let _ = self.count(&all);
        let reads = std::mem::take(&mut *self.unread.lock().unwrap_or_else(PoisonError::into_inner));
        self.count_reads(&reads);
    }
}
