//! The tree's side: what is in it now, and which records of its files are not those of the base.
//!
//! A file is read only where its state does not show that it is the one of the base; it is taken apart only where its bytes are
//! others. One with a record in conflict has no hash in the base, so it is always taken apart.

use super::base::{Base, NO_BASE, Paths, id_of, kind_of};
use super::record::{Id, Side, Which};
use super::store::{Store, Stored};
use super::values::key_of_packed;
use crate::cancel::Cancel;
use crate::endpoint::files::layout::{Format, Layout, Origin, RecordSet};
use crate::endpoint::files::marks::Mark;
use crate::endpoint::files::pack::pack;
use crate::endpoint::files::source::TreeSource;
use crate::endpoint::files::tree::entry::{Entry, EntryKind, Stat};
use crate::endpoint::files::tree::walk::{Content, Growth, Seen};
use crate::endpoint::sqlite::file::quoted;
use crate::endpoint::{ReadTable, Rejected, RowSink, Source};
use crate::error::{Context, Error, Result};
use crate::metadata::base::{EntryRow, PieceRow};
use crate::metadata::tree::{PIECES_TABLE, TREE_TABLE, piece};
use crate::value::{Cell, RowHasher};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::Read;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

const READ: &str = "read";

/// The files of a tree.
pub struct Files {
    /// Every entry of the tree, as the base is to have it from now on.
    pub entries: BTreeMap<String, EntryRow>,
    /// Each file as it was found.
    pub found: BTreeMap<String, Entry>,
    /// The records of the files that were taken apart: the hash of each, and the place of its path.
    records: HashMap<Id, (u128, u32)>,
    /// The places of the paths of those files.
    pub apart: HashSet<u32>,
    /// How many files were read to find changes.
    pub files_read: u64,
    /// The paths of files that a run has set aside.
    aside: HashSet<String>,
    /// Those of them that are not what their kind says still.
    pub set_aside: Vec<Rejected>,
}

/// Whether what is at a path is known to be what the base says of it, by its state alone.
pub type Trusted<'t> = dyn Fn(&str, &Stat) -> bool + 't;

impl Files {
    /// Walks through the tree, and takes apart what is not as the base has it.
    ///
    /// # Errors
    /// When something cannot be read, or is not what the layout says.
    pub fn read(
        source: &mut TreeSource,
        layout: &Layout,
        base: &Base,
        (trusted, aside): (&Trusted<'_>, &[String]),
        (paths, store): (&mut Paths, &Store),
        cancel: &Cancel,
    ) -> Result<Files> {
        let mut files = Files {
            entries: BTreeMap::new(),
            found: BTreeMap::new(),
            records: HashMap::new(),
            apart: HashSet::new(),
            files_read: 0,
            aside: aside.iter().cloned().collect(),
            set_aside: Vec::new(),
        };
        let mut all = Vec::new();
        source.tree().walk(&|path| layout.is_ignored(path), &mut |seen| {
            if let Seen::Entry(entry) = seen {
                all.push(entry.clone());
            }
            Ok(())
        })?;
        let mut changed = Vec::new();
        for entry in all {
            cancel.check(READ)?;
            let is_file = entry.kind == EntryKind::File;
            if is_file && !source.is_chosen(&entry.path) {
                continue;
            }
            match base.entries.get(&entry.path).filter(|known| is_file && known.is_file()) {
                Some(known) if files.is_as_known(source, layout, known, &entry, trusted)? => {
                    let row = EntryRow { mode: i64::from(entry.mode), ..known.clone() };
                    let modified_ns = layout.times.then_some(entry.stat.modified_ns);
                    files.entries.insert(entry.path.clone(), EntryRow { modified_ns, ..row });
                }
                _ => changed.push(entry.clone()),
            }
            if is_file {
                files.found.insert(entry.path.clone(), entry);
            }
        }
        files.take_apart(source, layout, &changed, (paths, store))?;
        for rejected in &files.set_aside {
            files.found.remove(&rejected.path);
        }
        files.refuse_twice(source, layout, base, (paths, store))?;
        Ok(files)
    }

    fn is_as_known(
        &mut self,
        source: &TreeSource,
        layout: &Layout,
        known: &EntryRow,
        entry: &Entry,
        trusted: &Trusted<'_>,
    ) -> Result<bool> {
        let Some(hash) = known.hash else { return Ok(false) };
        let kind = kind_of(layout, &entry.path);
        if known.kind.as_deref() != kind.map(|kind| layout.kinds[kind].name.as_str()) {
            return Ok(false);
        }
        // What its application has committed may be in a log beside it.
        let has_log = |end: &str| Ok::<_, Error>(source.tree().stat(&format!("{}{end}", entry.path))?.is_some());
        if kind.is_some_and(|kind| layout.kinds[kind].format == Format::Sqlite)
            && (has_log("-wal")? || has_log("-journal")?)
        {
            return Ok(false);
        }
        if trusted(&entry.path, &entry.stat) {
            return Ok(true);
        }
        if kind.is_some_and(|kind| layout.kinds[kind].records.iter().any(tells_time)) {
            return Ok(false);
        }
        if known.size_bytes != i64::try_from(entry.stat.size_bytes).ok() {
            return Ok(false);
        }
        self.files_read += 1;
        let growth = if kind.is_some_and(|kind| grows(layout, kind)) { Growth::Allowed } else { Growth::Refused };
        let now = match source.tree().read(&entry.path, growth)? {
            Content::Whole(bytes, _) => xxh3_128(&bytes),
            Content::Large(mut file) => {
                let (mut hash, mut buffer) = (Xxh3::new(), vec![0; 1 << 20]);
                loop {
                    let object = || quoted(&source.tree().path().join(&entry.path));
                    match file.read(&mut buffer).could_not(READ, object())? {
                        0 => break,
                        read => hash.update(&buffer[..read]),
                    }
                }
                file.finish()?;
                hash.digest128()
            }
        };
        Ok(now.to_be_bytes() == hash)
    }

    /// Takes files apart, and takes in everything else of these entries.
    ///
    /// # Errors
    /// When one is not what the layout says, or two have the same record.
    pub fn take_apart(
        &mut self,
        source: &mut TreeSource,
        layout: &Layout,
        entries: &[Entry],
        (paths, store): (&mut Paths, &Store),
    ) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let tree = source.tree().path().to_path_buf();
        let catalog = source.catalog()?;
        let requests: Vec<ReadTable<'_>> = catalog.tables.iter().map(ReadTable::whole).collect();
        let places = catalog.tables.iter().map(|table| match table.name.name.as_str() {
            TREE_TABLE => Of::Entries,
            PIECES_TABLE => Of::Pieces,
            name => Of::Table(layout.tables.iter().position(|table| table.name == name).unwrap_or(usize::MAX)),
        });
        let mut gathering = Gathering {
            layout,
            paths,
            store,
            places: places.collect(),
            pending: Vec::new(),
            hasher: RowHasher::default(),
            done: Vec::new(),
            twice: None,
            aside: &self.aside,
            rejected: Vec::new(),
        };
        let read = source.read_entries(entries, &requests, &mut gathering);
        let Gathering { done, twice, rejected, .. } = gathering;
        self.set_aside.extend(rejected);
        if let Some((id, key, places)) = twice {
            let of = |place: u32| quoted(&tree.join(paths.path(place)));
            return Err(told_twice(layout, id, &key, &of(places[0]), &of(places[1])));
        }
        read?;
        self.files_read += done.iter().filter(|(entry, _)| entry.is_file()).count() as u64;
        for (entry, records) in done {
            if entry.is_file() {
                let path = paths.place(&entry.path);
                self.apart.insert(path);
                self.records.extend(records.into_iter().map(|(id, hash)| (id, (hash, path))));
            }
            self.entries.insert(entry.path.clone(), entry);
        }
        Ok(())
    }

    /// Two files with one record: one was taken apart, the other is as the base has it.
    fn refuse_twice(
        &self,
        source: &TreeSource,
        layout: &Layout,
        base: &Base,
        (paths, store): (&Paths, &Store),
    ) -> Result<()> {
        let other = |(id, (_, path)): (&Id, &(u128, u32))| {
            let known = base.records.get(id).filter(|known| known.path != *path)?;
            (!self.is_gone(known.path, paths)).then_some((*id, known, *path))
        };
        let first = self.records.iter().filter_map(other).min_by_key(|(id, ..)| *id);
        if let Some((id, known, path)) = first {
            let key = store.get(Which::Files, id)?.map(|stored| key_of_packed(layout, id, &stored.packed));
            let of = |place: u32| quoted(&source.tree().path().join(paths.path(place)));
            return Err(told_twice(layout, id, &key.unwrap_or_default(), &of(known.path), &of(path)));
        }
        Ok(())
    }

    /// The place of the path of the file that has a record, or had it.
    pub fn path_of(&self, id: Id, base: &Base) -> Option<u32> {
        self.records.get(&id).map(|(_, path)| *path).or_else(|| base.records.get(&id).map(|known| known.path))
    }

    /// What the tree has of a record.
    pub fn side(&self, id: Id, base: &Base, paths: &Paths) -> Side {
        let known = base.records.get(&id);
        match (self.records.get(&id), known) {
            (Some((hash, _)), Some(known)) if *hash == known.hash => Side::Same,
            (Some((hash, _)), _) => Side::Is(*hash),
            (None, Some(known)) if !self.is_gone(known.path, paths) && known.hash != NO_BASE => Side::Same,
            (None, _) => Side::Gone,
        }
    }

    /// Whether the records that the base has in a file are no longer known to be there.
    fn is_gone(&self, path: u32, paths: &Paths) -> bool {
        self.apart.contains(&path) || !self.found.contains_key(paths.path(path))
    }

    /// The records that are not known to be those of the base: of the files that were taken apart, or are gone.
    pub fn candidates(&self, base: &Base, paths: &Paths) -> BTreeSet<Id> {
        // There may be many records in each of the paths.
        let are_gone: Vec<bool> = (0_u32..).take(paths.len()).map(|path| self.is_gone(path, paths)).collect();
        let mut candidates: BTreeSet<Id> = self.records.keys().copied().collect();
        if are_gone.contains(&true) {
            let is_gone = |path: u32| are_gone.get(path as usize).is_none_or(|is_gone| *is_gone);
            candidates.extend(base.records.iter().filter(|(_, known)| is_gone(known.path)).map(|(id, _)| id));
        }
        candidates
    }

    /// Paths that the base has and the tree has no more.
    pub fn removed<'b>(&self, base: &'b Base, chosen: &dyn Fn(&str) -> bool) -> Vec<&'b EntryRow> {
        base.entries
            .values()
            .filter(|entry| !self.entries.contains_key(&entry.path) && (!entry.is_file() || chosen(&entry.path)))
            .collect()
    }
}

/// Whether files of a kind are written to at their ends, by programs that have them open.
pub fn grows(layout: &Layout, kind: usize) -> bool {
    matches!(layout.kinds[kind].format, Format::JsonLines | Format::Lines(_))
}

/// Whether a record says when its file was changed.
fn tells_time(records: &RecordSet) -> bool {
    records.columns.iter().any(|filled| filled.from.contains(&Origin::Modified))
        || records.children.iter().any(tells_time)
}

/// That two files have the same record.
pub fn told_twice(layout: &Layout, id: Id, key: &str, first: &str, second: &str) -> Error {
    let table = layout.tables.get(usize::from(id.table)).map_or("", |table| table.name.as_str());
    Error::could_not(READ, first, format!("it has the record {key} of `{table}`, and so has {second}"))
        .hint("a record is in one file: remove it from one of the two, or give it another key")
}

enum Of {
    Table(usize),
    Entries,
    Pieces,
}

/// Takes what is read, file by file: the rows of one, its pieces, and then its entry.
struct Gathering<'g> {
    layout: &'g Layout,
    paths: &'g mut Paths,
    store: &'g Store,
    places: Vec<Of>,
    /// The rows of the file that is read.
    pending: Vec<(Mark, Vec<u8>)>,
    hasher: RowHasher,
    done: Vec<(EntryRow, Vec<(Id, u128)>)>,
    twice: Option<(Id, String, [u32; 2])>,
    /// What a run has set aside may be so still.
    aside: &'g HashSet<String>,
    rejected: Vec<Rejected>,
}

impl RowSink for Gathering<'_> {
    fn sets_aside(&self) -> bool {
        !self.aside.is_empty()
    }

    fn reject(&mut self, rejected: Rejected) -> Result<()> {
        match self.aside.contains(&rejected.path) {
            true => {
                self.rejected.push(rejected);
                Ok(())
            }
            false => Err(rejected.error()),
        }
    }

    fn row(&mut self, table: usize, cells: &[Cell<'_>]) -> Result<()> {
        match self.places[table] {
            Of::Table(number) => {
                let mark = Mark::of(number, &self.layout.tables[number], cells, &mut self.hasher);
                let mut packed = Vec::new();
                let _ = pack(cells, &mut packed);
                self.pending.push((mark, packed));
                Ok(())
            }
            Of::Pieces => {
                let (Cell::Text(path), Cell::Int(number)) = (&cells[piece::PATH], &cells[piece::PIECE]) else {
                    return Ok(());
                };
                let bytes = |place: usize| match &cells[place] {
                    Cell::Bytes(bytes) => Some(bytes.to_vec()),
                    _ => None,
                };
                let row = PieceRow { piece: *number, records: bytes(piece::RECORDS), bytes: bytes(piece::BYTES) };
                self.store.put_piece(path, &row)
            }
            Of::Entries => {
                let Some(entry) = EntryRow::of(cells) else { return Ok(()) };
                let path = self.paths.place(&entry.path);
                let kind = kind_of(self.layout, &entry.path);
                let mut records = Vec::with_capacity(self.pending.len());
                for (mark, packed) in self.pending.drain(..) {
                    let id = id_of(self.layout, mark.table, mark.key, kind);
                    let stored = Stored { id, path, hash: mark.row, packed };
                    if let Some(other) = self.store.put(Which::Files, &stored)? {
                        let key = key_of_packed(self.layout, id, &stored.packed);
                        self.twice = Some((id, key, [other, path]));
                        return Err(Error::could_not(READ, &entry.path, "a record of it is in another file as well"));
                    }
                    records.push((id, mark.row));
                }
                self.done.push((entry, records));
                Ok(())
            }
        }
    }
}
