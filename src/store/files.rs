//! Records in a tree of files.
//!
//! A record is read from its file each time, unless the file's state shows that it is the one that was read last. A change of one file is one
//! rename; a change of several is a journal of the tree. Both are on the disk when they return.

use super::contract::Version;
use super::keeper::{Change, Exchanged, Keeper};
use super::unit::{Known, Unit};
use crate::endpoint::files::editing::Editor;
use crate::endpoint::files::layout::{Layout, Place, RecordSet};
use crate::endpoint::files::rows::Home;
use crate::endpoint::files::tree::draft::DIRECTORY_MODE;
use crate::endpoint::files::tree::entry::{EntryKind, Stat};
use crate::endpoint::files::tree::journal::{self, Changes};
use crate::endpoint::files::tree::replace;
use crate::endpoint::files::tree::walk::{Content, Growth, Seen, Tree};
use crate::endpoint::files::weave::{Rows, spelled};
use crate::endpoint::sqlite::file::quoted;
use crate::error::{Error, Result};
use crate::value::{Cell, RowHasher};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use xxhash_rust::xxh3::xxh3_128;

const READ: &str = "read";

/// A file that other writers exchange all the time is read so often.
const ATTEMPTS_MAX: usize = 20;
/// File systems take the time from a clock that may be so far behind: what was changed a moment before it was read is read again.
const GRAIN_NS: i64 = 50_000_000;
/// So many bytes of files are kept as records.
const KEPT_BYTES_MAX: u64 = 16 << 20;

/// A file, taken apart.
pub struct Parsed {
    /// What it was when it was read.
    pub stat: Stat,
    /// The hash of its bytes.
    pub hash: u128,
    /// Its permissions.
    pub mode: u32,
    /// The records in it, of a row in parts that part.
    pub units: Arc<Vec<Unit>>,
    /// Its rows, as they stand.
    pub rows: Arc<Rows<'static>>,
    /// Its bytes.
    pub bytes: Vec<u8>,
    is_settled: bool,
}

/// A record, and the files that it stands in.
pub struct Located {
    /// The record, its parts joined.
    pub unit: Unit,
    /// The kind and the path of each file.
    pub places: Vec<(usize, String)>,
}

#[derive(Default)]
struct Cache {
    files: HashMap<String, Arc<Parsed>>,
    bytes: u64,
    /// Where records were seen last, by table and key.
    seen: HashMap<(usize, u128), String>,
}

/// The store of files.
pub struct FilesStore {
    known: &'static Known,
    root: PathBuf,
    cache: Mutex<Cache>,
}

/// Files of a kind by what is told of their paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Like {
    /// The kind.
    pub kind: usize,
    /// The captures of their paths; `None` for one that may be anything.
    captures: Vec<Option<String>>,
}

impl Like {
    /// Any file of a kind.
    pub fn any(layout: &Layout, kind: usize) -> Like {
        Like { kind, captures: vec![None; layout.kinds[kind].path.captures().len()] }
    }

    /// The path, where all of it is told; the inner one is none where no file can have it.
    pub fn path(&self, layout: &Layout) -> Option<Option<String>> {
        let captures: Vec<&str> = self.captures.iter().map(Option::as_deref).collect::<Option<_>>()?;
        Some(layout.path_of(self.kind, &captures).ok())
    }

    /// Whether a path with these captures is one of them.
    pub fn takes(&self, captures: &[String]) -> bool {
        let told = self.captures.iter().zip(captures);
        told.into_iter().all(|(told, found)| told.as_ref().is_none_or(|told| told == found))
    }

    /// The directory that all of them are in, with the `/` behind it.
    fn directory(&self, layout: &Layout) -> String {
        let pattern = &layout.kinds[self.kind].path;
        let mut text = pattern.text().to_owned();
        for (name, told) in pattern.captures().iter().zip(&self.captures) {
            if let Some(told) = told {
                text = text.replace(&format!("{{{name}}}"), told);
            }
        }
        let literal = text.split(['{', '}']).next().unwrap_or_default();
        literal.rfind('/').map_or_else(String::new, |end| literal[..=end].to_owned())
    }
}

/// What is to be done to one file.
struct FileEdit {
    path: String,
    kind: usize,
    /// What it is to hold, and the rows that are in it then.
    new: Option<(Vec<u8>, Arc<Rows<'static>>)>,
    /// What was read.
    old: Option<Arc<Parsed>>,
}

/// What is to be done to files.
pub struct Plan {
    changes: Vec<FileEdit>,
}

impl Plan {
    /// The paths that are changed.
    pub fn paths(&self) -> Vec<String> {
        self.changes.iter().map(|edit| edit.path.clone()).collect()
    }
}

/// An exchange of which nothing is done yet.
pub struct Planned {
    /// What is there.
    found: Option<Version>,
    plan: Plan,
}

impl FilesStore {
    /// The store of a tree. What killed runs have left in it is done to its end, or removed.
    ///
    /// # Errors
    /// When there is no tree.
    pub fn open(known: &'static Known, root: &Path) -> Result<FilesStore> {
        journal::recover(root)?;
        Ok(FilesStore { known, root: root.to_path_buf(), cache: Mutex::new(Cache::default()) })
    }

    /// The tree's root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The tree, open.
    ///
    /// # Errors
    /// When there is none.
    pub fn tree(&self) -> Result<Tree> {
        Tree::open(&self.root)
    }

    fn editor(&self) -> Editor<'static, 'static> {
        Editor { layout: self.known.layout, weavers: self.known.forms.weavers, homes: &self.known.forms.homes }
    }

    /// A file, taken apart; `None` where there is none.
    ///
    /// # Errors
    /// When it cannot be read, or is not what its kind says.
    pub fn read(&self, tree: &Tree, path: &str) -> Result<Option<Arc<Parsed>>> {
        let Place::Kind(kind, _) = self.known.layout.place(path) else {
            return Ok(None);
        };
        let mut attempt = 0;
        loop {
            attempt += 1;
            let Some(entry) = tree.entry(path)?.filter(|entry| entry.kind == EntryKind::File) else {
                self.forget(path);
                return Ok(None);
            };
            if let Some(parsed) = self.kept(path).filter(|parsed| parsed.is_settled && parsed.stat == entry.stat) {
                return Ok(Some(parsed));
            }
            let since_ns = now_ns();
            let (bytes, stat) = match tree.read(path, Growth::Refused) {
                Ok(Content::Whole(bytes, stat)) => (bytes, stat),
                Ok(Content::Large(_)) => {
                    return Err(Error::could_not(
                        READ,
                        quoted(&self.root.join(path)),
                        "a store has no files above 64 MB",
                    ));
                }
                // Somebody has exchanged it meanwhile.
                Err(error) => match tree.stat(path)? != Some(entry.stat) && attempt < ATTEMPTS_MAX {
                    true => continue,
                    false => return Err(error),
                },
            };
            let hash = xxh3_128(&bytes);
            // The bytes that were taken apart before, or were made here, say what they said.
            let (units, rows) = match self.kept(path).filter(|parsed| parsed.hash == hash) {
                Some(parsed) => (Arc::clone(&parsed.units), Arc::clone(&parsed.rows)),
                None => {
                    let rows = self.editor().rows(kind, path, &bytes)?.into_owned();
                    (Arc::new(Unit::of_rows(self.known, kind, &rows)), Arc::new(rows))
                }
            };
            let is_settled = stat.modified_ns.max(stat.changed_ns).saturating_add(GRAIN_NS) < since_ns;
            let parsed = Arc::new(Parsed { stat, hash, mode: entry.mode, units, rows, bytes, is_settled });
            self.keep(path, &parsed);
            return Ok(Some(parsed));
        }
    }

    fn kept(&self, path: &str) -> Option<Arc<Parsed>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).files.get(path).cloned()
    }

    fn keep(&self, path: &str, parsed: &Arc<Parsed>) {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        for unit in parsed.units.iter() {
            cache.seen.insert((unit.table, unit.key(self.known)), path.to_owned());
        }
        cache.bytes += parsed.stat.size_bytes;
        if let Some(old) = cache.files.insert(path.to_owned(), Arc::clone(parsed)) {
            cache.bytes -= old.stat.size_bytes.min(cache.bytes);
        }
        if cache.bytes > KEPT_BYTES_MAX {
            *cache = Cache::default();
        }
    }

    fn forget(&self, path: &str) {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = cache.files.remove(path) {
            cache.bytes -= old.stat.size_bytes.min(cache.bytes);
        }
    }

    /// The files that are like any of these.
    ///
    /// # Errors
    /// When the tree cannot be walked.
    pub fn paths(&self, tree: &Tree, likes: &[Like]) -> Result<Vec<(usize, String)>> {
        let mut found = Vec::new();
        self.each_path(tree, likes, &mut |kind, path| {
            if !found.iter().any(|(_, other)| other == path) {
                found.push((kind, path.to_owned()));
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Gives the files that are like any of these.
    ///
    /// # Errors
    /// When the tree cannot be walked, or `give` fails.
    fn each_path(&self, tree: &Tree, likes: &[Like], give: &mut dyn FnMut(usize, &str) -> Result<()>) -> Result<()> {
        let layout = self.known.layout;
        let mut many = Vec::new();
        for like in likes {
            match like.path(layout) {
                None => many.push(like),
                Some(None) => {}
                Some(Some(path)) => {
                    if tree.entry(&path)?.is_some_and(|one| one.kind == EntryKind::File) {
                        give(like.kind, &path)?;
                    }
                }
            }
        }
        if many.is_empty() {
            return Ok(());
        }
        let prefixes: Vec<String> = many.iter().map(|like| like.directory(layout)).collect();
        let is_on_the_way = |path: &str| {
            prefixes.iter().any(|prefix| prefix.starts_with(&format!("{path}/")) || path.starts_with(prefix))
        };
        tree.walk(&|path| layout.is_ignored(path) || !is_on_the_way(path), &mut |seen| {
            if let Seen::Entry(entry) = seen
                && entry.kind == EntryKind::File
                && let Place::Kind(kind, captures) = layout.place(&entry.path)
                && many.iter().any(|like| like.kind == kind && like.takes(&captures))
            {
                give(kind, &entry.path)?;
            }
            Ok(())
        })
    }

    /// Gives every record that a store keeps, file by file, with its file; of a row in parts, what that file has of it.
    ///
    /// # Errors
    /// When a file cannot be read, or `give` fails.
    pub fn each(&self, give: &mut dyn FnMut(&str, &Unit) -> Result<()>) -> Result<()> {
        let known = self.known;
        let roots: BTreeSet<usize> = known.roots().collect();
        let kinds: BTreeSet<usize> =
            roots.iter().flat_map(|table| &known.forms.homes[*table]).map(|home| home.set().0).collect();
        let likes: Vec<Like> = kinds.into_iter().map(|kind| Like::any(known.layout, kind)).collect();
        let tree = self.tree()?;
        self.each_path(&tree, &likes, &mut |_, path| match self.read(&tree, path)? {
            None => Ok(()),
            Some(parsed) => {
                parsed.units.iter().filter(|unit| roots.contains(&unit.table)).try_for_each(|unit| give(path, unit))
            }
        })
    }

    /// The files that may have records of a table with these cells; a cell that is NULL says nothing.
    pub fn likes(&self, table: usize, cells: &[Cell<'_>]) -> Vec<Like> {
        let mut likes = Vec::new();
        for home in &self.known.forms.homes[table] {
            if let Home::Root { kind, records, .. } = home {
                let like = Like { kind: *kind, captures: captures(self.known, *kind, records, cells) };
                if !likes.contains(&like) {
                    likes.push(like);
                }
            }
        }
        likes
    }

    /// The files that may have records of a table whose columns have these values.
    pub fn likes_of(&self, table: usize, matching: &[(usize, Cell<'static>)]) -> Vec<Like> {
        let mut cells = vec![Cell::Null; self.known.layout.tables[table].columns.len()];
        for (place, cell) in matching {
            cells[*place].clone_from(cell);
        }
        self.likes(table, &cells)
    }

    /// A record with the files that it stands in.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn locate(&self, tree: &Tree, table: usize, key: &[Cell<'static>]) -> Result<Option<Located>> {
        let of = &self.known.layout.tables[table];
        let hash = crate::endpoint::files::marks::key(of, key, &mut RowHasher::default());
        let mut found: Option<Located> = None;
        let mut others = Vec::new();
        for like in self.likes(table, key) {
            match like.path(self.known.layout) {
                None => others.push(like),
                // A key that no path can have is in no file.
                Some(None) => {}
                Some(Some(path)) => self.look(tree, (like.kind, path), (table, hash), &mut found)?,
            }
        }
        if found.is_some() && !of.in_parts || others.is_empty() {
            return Ok(found);
        }
        let seen = self.cache.lock().unwrap_or_else(PoisonError::into_inner).seen.get(&(table, hash)).cloned();
        if let Some(path) = seen.filter(|_| !of.in_parts)
            && let Place::Kind(kind, _) = self.known.layout.place(&path)
        {
            self.look(tree, (kind, path), (table, hash), &mut found)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        for place in self.paths(tree, &others)? {
            self.look(tree, place, (table, hash), &mut found)?;
            if found.is_some() && !of.in_parts {
                break;
            }
        }
        Ok(found)
    }

    fn look(
        &self,
        tree: &Tree,
        (kind, path): (usize, String),
        (table, key): (usize, u128),
        found: &mut Option<Located>,
    ) -> Result<()> {
        let Some(parsed) = self.read(tree, &path)? else {
            return Ok(());
        };
        let is_it = |unit: &&Unit| unit.table == table && unit.key(self.known) == key;
        if let Some(unit) = parsed.units.iter().find(is_it) {
            match found {
                None => *found = Some(Located { unit: unit.clone(), places: vec![(kind, path)] }),
                Some(located) if !located.places.iter().any(|(_, known)| *known == path) => {
                    located.unit.join(unit.clone());
                    located.places.push((kind, path));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// All records of a table whose columns have these values, with their files. Files whose path says that they have none are not read.
    ///
    /// # Errors
    /// When a file cannot be read, or two have the same record.
    pub fn located(&self, table: usize, matching: &[(usize, Cell<'static>)]) -> Result<Vec<Located>> {
        let likes = self.likes_of(table, matching);
        let mut attempt = 0;
        loop {
            attempt += 1;
            let tree = self.tree()?;
            match self.located_once(&tree, table, &likes)? {
                Ok(mut found) => {
                    let is_wanted = |unit: &Unit| matching.iter().all(|(place, cell)| unit.cells[*place] == *cell);
                    found.retain(|located| is_wanted(&located.unit));
                    return Ok(found);
                }
                // One that is on its way from one file to another is seen in both for a moment.
                Err(_) if attempt < 3 => {}
                Err(told) => return Err(told),
            }
        }
    }

    fn located_once(
        &self,
        tree: &Tree,
        table: usize,
        likes: &[Like],
    ) -> Result<std::result::Result<Vec<Located>, Error>> {
        let of = &self.known.layout.tables[table];
        let mut places: HashMap<u128, usize> = HashMap::new();
        let mut all: Vec<Located> = Vec::new();
        for (kind, path) in self.paths(tree, likes)? {
            let Some(parsed) = self.read(tree, &path)? else {
                continue;
            };
            for unit in parsed.units.iter().filter(|unit| unit.table == table) {
                let key = unit.key(self.known);
                match places.get(&key) {
                    None => {
                        places.insert(key, all.len());
                        all.push(Located { unit: unit.clone(), places: vec![(kind, path.clone())] });
                    }
                    Some(place) if of.in_parts => {
                        all[*place].unit.join(unit.clone());
                        all[*place].places.push((kind, path.clone()));
                    }
                    Some(place) => {
                        let other = all[*place].places.first().map_or("", |(_, path)| path.as_str());
                        let of = |path: &str| quoted(&self.root.join(path));
                        let cause = format!(
                            "it has the record {} of `{}`, and so has {}",
                            unit.shown_key(self.known),
                            self.known.layout.tables[table].name,
                            of(&path)
                        );
                        return Ok(Err(Error::differs(READ, of(other), cause)
                            .hint("a record is in one file: remove it from one of the two, or give it another key")));
                    }
                }
            }
        }
        Ok(Ok(all))
    }

    /// What a change makes of files: nothing is done yet.
    ///
    /// # Errors
    /// When no file can have the new record.
    fn plan(&self, tree: &Tree, old: Option<&Located>, change: &Change, new: Option<&Unit>) -> Result<Plan> {
        let there = old.map_or(&[][..], |old| old.places.as_slice());
        if let Some((table, column)) = new.and_then(|new| new.untold(self.known)) {
            let of = &self.known.layout.tables[table];
            let object = format!("table `{}`, column `{}`", of.name, of.columns[column].name);
            return Err(Error::could_not("write to files", object, "no file says it: it is read as the layout says")
                .hint("leave it away, or keep the records in SQLite alone"));
        }
        let wanted = new.map(|new| new.files(self.known, there)).transpose()?.unwrap_or_default();
        let mut todo: BTreeMap<String, (usize, Option<Rows<'static>>)> =
            there.iter().map(|(kind, path)| (path.clone(), (*kind, None))).collect();
        todo.extend(wanted.into_iter().map(|(kind, path, rows)| (path, (kind, Some(rows)))));
        let of = &self.known.layout.tables[change.table];
        let key = crate::endpoint::files::marks::key(of, &change.key, &mut RowHasher::default());
        let mut changes = Vec::new();
        for (path, (kind, rows)) in todo {
            let parsed = self.read(tree, &path)?;
            let old = parsed.as_ref().map(|parsed| (parsed.bytes.as_slice(), &*parsed.rows));
            let goes = |table: usize, other: u128| table == change.table && other == key;
            let edited = self.editor().edited((kind, &path), old, &goes, rows.unwrap_or_default())?;
            if edited.as_ref().map(|(bytes, _)| bytes.as_slice()) != old.map(|(bytes, _)| bytes) {
                let new = edited.map(|(bytes, rows)| (bytes, Arc::new(rows)));
                changes.push(FileEdit { path, kind, new, old: parsed });
            }
        }
        Ok(Plan { changes })
    }

    fn carry_out(&self, tree: &Tree, plan: &Plan) -> Result<()> {
        let mode_of =
            |edit: &FileEdit| edit.old.as_ref().map_or(self.known.layout.kinds[edit.kind].style.mode, |old| old.mode);
        match plan.changes.as_slice() {
            [] => {}
            [edit] => match (&edit.new, &edit.old) {
                (Some((bytes, _)), old) => {
                    replace::put(tree, &edit.path, bytes, mode_of(edit), old.as_ref().map(|old| &old.stat))?;
                }
                (None, Some(old)) => replace::remove(tree, &edit.path, &old.stat)?,
                (None, None) => {}
            },
            all => {
                let mut changes = Changes::begin(&self.root)?;
                let mut above = BTreeSet::new();
                for edit in all.iter().filter(|edit| edit.new.is_some()) {
                    let ends = edit.path.char_indices().filter(|(_, letter)| *letter == '/');
                    above.extend(ends.map(|(end, _)| &edit.path[..end]));
                }
                for directory in above {
                    if tree.stat(directory)?.is_none() {
                        changes.directory(directory, DIRECTORY_MODE)?;
                    }
                }
                for edit in all {
                    let expected = edit.old.as_ref().map(|old| old.stat);
                    match (&edit.new, expected) {
                        (Some((bytes, _)), expected) => {
                            changes.file(&edit.path, mode_of(edit), None, expected)?.fill(bytes)?;
                        }
                        (None, Some(expected)) => changes.remove(&edit.path, expected)?,
                        (None, None) => {}
                    }
                }
                changes.commit().map_err(|stopped| stopped.error)?;
            }
        }
        plan.changes.iter().for_each(|edit| self.expect(edit));
        Ok(())
    }

    /// What was made of a file is known; it is taken for that only where its bytes, read, are those.
    fn expect(&self, edit: &FileEdit) {
        self.forget(&edit.path);
        let (Some((bytes, rows)), Some(stat)) = (&edit.new, edit.old.as_ref().map(|old| old.stat)) else { return };
        let units = Arc::new(Unit::of_rows(self.known, edit.kind, rows));
        let (hash, rows) = (xxh3_128(bytes), Arc::clone(rows));
        let stat = Stat { size_bytes: bytes.len() as u64, ..stat };
        let made = Parsed { stat, hash, mode: 0, units, rows, bytes: Vec::new(), is_settled: false };
        self.keep(&edit.path, &Arc::new(made));
    }

    /// Exchanges a record; the paths of the files that were changed.
    ///
    /// # Errors
    /// As [`Keeper::exchange`].
    pub fn exchange_in(&self, change: &Change) -> Result<(Exchanged, Vec<String>)> {
        let tree = self.tree()?;
        let old = self.locate(&tree, change.table, &change.key)?;
        let found = old.as_ref().map(|old| old.unit.version(self.known));
        if !change.expected.is_met(found) {
            return Ok((Exchanged::Other(found), Vec::new()));
        }
        let new = change.spelled(old.as_ref().map(|old| &old.unit), self.known);
        let plan = self.plan(&tree, old.as_ref(), change, new.as_ref())?;
        self.carry_out(&tree, &plan)?;
        Ok((Exchanged::Done(new.map(|new| new.version(self.known))), plan.paths()))
    }

    /// What an exchange is to do, whatever is expected; the new record is taken as it is spelled.
    ///
    /// # Errors
    /// When no file can have the new record.
    pub fn planned(&self, change: &Change) -> Result<Planned> {
        let tree = self.tree()?;
        let old = self.locate(&tree, change.table, &change.key)?;
        let found = old.as_ref().map(|old| old.unit.version(self.known));
        Ok(Planned { found, plan: self.plan(&tree, old.as_ref(), change, change.new.as_ref())? })
    }

    /// Exchanges a record as it was planned, and as [`FilesStore::exchange_in`] where its files are not any more what they were.
    ///
    /// # Errors
    /// As [`Keeper::exchange`].
    pub fn exchange_planned(&self, change: &Change, planned: &Planned) -> Result<(Exchanged, Vec<String>)> {
        let tree = self.tree()?;
        for edit in &planned.plan.changes {
            if tree.stat(&edit.path)? != edit.old.as_ref().map(|old| old.stat) {
                return self.exchange_in(change);
            }
        }
        if !change.expected.is_met(planned.found) {
            return Ok((Exchanged::Other(planned.found), Vec::new()));
        }
        self.carry_out(&tree, &planned.plan)?;
        let version = change.new.as_ref().map(|new| new.version(self.known));
        Ok((Exchanged::Done(version), planned.plan.paths()))
    }
}

impl Keeper for FilesStore {
    fn known(&self) -> &'static Known {
        self.known
    }

    fn find(&self, table: usize, key: &[Cell<'static>]) -> Result<Option<Unit>> {
        Ok(self.locate(&self.tree()?, table, key)?.map(|located| located.unit))
    }

    fn all(&self, table: usize, matching: &[(usize, Cell<'static>)]) -> Result<Vec<Unit>> {
        Ok(self.located(table, matching)?.into_iter().map(|located| located.unit).collect())
    }

    fn exchange(&self, change: &Change) -> Result<Exchanged> {
        Ok(self.exchange_in(change)?.0)
    }

    fn rehearse(&self, change: &Change) -> Result<()> {
        self.planned(change).map(drop)
    }
}

/// What a row says of the captures of a path.
fn captures(known: &Known, kind: usize, records: &RecordSet, cells: &[Cell<'_>]) -> Vec<Option<String>> {
    let text = |column: usize| {
        let form = records.columns.iter().find(|filled| filled.column == column).map(|filled| &filled.form);
        let form = form.filter(|_| cells[column] != Cell::Null)?;
        spelled(&cells[column], form).ok().map(|text| text.into_owned())
    };
    records.captures(known.layout, kind, &text)
}

fn now_ns() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)
}
