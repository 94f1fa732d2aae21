//! A tree of files as a target: rows become the files that have them, and the tree takes its place in one step.
//!
//! What the rows do not say comes from what is remembered of the tree that they were read from ([`Base`]): the other entries, and
//! of each file what its records do not tell. A file that nobody remembers is written as its application would write it.

use super::filling::Filling;
use super::layout::{self, Layout};
use super::marks::{self, Mark};
use super::pack::pack;
use super::rows::{Before, RowStore, small};
use super::source::{LayoutFile, weaver};
use super::tree::draft::Draft as TreeDraft;
use super::tree::entry::{Entry, EntryKind};
use super::tree::walk::{Seen, Tree};
use super::weave::{FileFacts, Part, Piece, Rows, Unwoven};
use crate::cancel::Cancel;
use crate::catalog::Dialect;
use crate::endpoint::sqlite::file::quoted;
use crate::endpoint::{Draft, Encode, Held, Origin, ReadTable, RowBatch, Source, Target};
use crate::error::{Context, Error, Result};
use crate::event::Listener;
use crate::metadata::tree::{self, entry, piece};
use crate::plan::as_is::WantedTable;
use crate::plan::{Caveat, Plan};
use crate::value::Cell;
use rusqlite::{Connection, params};
use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An entry of the tree that rows were read from.
#[derive(Debug, Clone)]
struct BaseEntry {
    path: String,
    is: Is,
    mode: u32,
    modified_ns: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Is {
    Directory,
    Link(String),
    /// A file, with its kind where it has one.
    File(Option<String>),
}

/// What is remembered of the tree that rows were read from.
pub struct Base {
    entries: Vec<BaseEntry>,
    paths: HashSet<String>,
    /// The pieces of its files.
    pieces: Connection,
}

/// A piece of a file.
struct BasePiece {
    records: Option<Vec<u8>>,
    bytes: Option<Vec<u8>>,
}

fn failed(error: rusqlite::Error) -> Error {
    Error::could_not("keep what is remembered in", "a temporary database", error)
}

impl Base {
    /// What a source remembers; nothing where it has never been a tree.
    ///
    /// # Errors
    /// When the source cannot be read, or what it remembers is not what was written.
    pub fn of(source: &mut dyn Source) -> Result<Base> {
        let pieces = Connection::open("").map_err(failed)?;
        pieces
            .execute_batch(
                "CREATE TABLE pieces (path TEXT, piece INTEGER, records BLOB, bytes BLOB, PRIMARY KEY (path, piece));
                 CREATE TABLE marks (tbl INTEGER, key BLOB, path TEXT, PRIMARY KEY (tbl, key, path)) WITHOUT ROWID; BEGIN",
            )
            .map_err(failed)?;
        let mut base = Base { entries: Vec::new(), paths: HashSet::new(), pieces };
        let catalog = source.catalog()?;
        if catalog.layout.is_none() {
            return Ok(base);
        }
        let tables = tree::tables();
        let requests: Vec<ReadTable<'_>> =
            tables.iter().filter(|table| catalog.table(&table.name).is_some()).map(ReadTable::whole).collect();
        let is_entries: Vec<bool> = requests.iter().map(|request| request.table.name == tree::TREE_TABLE).collect();
        source.read(&requests, &mut |table: usize, cells: &[Cell<'_>]| match is_entries[table] {
            true => base.entry(cells),
            false => base.piece(cells),
        })?;
        base.pieces.execute_batch("COMMIT").map_err(failed)?;
        base.entries.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(base)
    }

    fn entry(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        let text = |place: usize| match &cells[place] {
            Cell::Text(text) => Some(text.as_ref().to_owned()),
            _ => None,
        };
        let number = |place: usize| match cells[place] {
            Cell::Int(number) => Some(number),
            _ => None,
        };
        let read = || {
            let is = match (text(entry::ENTRY)?.as_str(), text(entry::LINK)) {
                ("directory", None) => Is::Directory,
                ("link", Some(leads_to)) => Is::Link(leads_to),
                ("file", None) => Is::File(text(entry::KIND)),
                _ => return None,
            };
            let mode = u32::try_from(number(entry::MODE)?).ok()? & 0o7777;
            Some(BaseEntry { path: text(entry::PATH)?, is, mode, modified_ns: number(entry::MODIFIED_NS) })
        };
        let damaged =
            || Error::differs("read", format!("table `{}`", tree::TREE_TABLE), "a row is not what was written");
        let entry = read().ok_or_else(damaged)?;
        self.paths.insert(entry.path.clone());
        self.entries.push(entry);
        Ok(())
    }

    fn piece(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        let bytes = |place: usize| match &cells[place] {
            Cell::Bytes(bytes) => Some(bytes.as_ref()),
            _ => None,
        };
        let (Cell::Text(path), Cell::Int(number)) = (&cells[piece::PATH], &cells[piece::PIECE]) else {
            let object = format!("table `{}`", tree::PIECES_TABLE);
            return Err(Error::differs("read", object, "a row is not what was written"));
        };
        let sql = "INSERT INTO pieces (path, piece, records, bytes) VALUES (?1, ?2, ?3, ?4)";
        let mut put = self.pieces.prepare_cached(sql).map_err(failed)?;
        put.execute(params![path, number, bytes(piece::RECORDS), bytes(piece::BYTES)]).map_err(failed)?;
        let sql = "INSERT OR IGNORE INTO marks (tbl, key, path) VALUES (?1, ?2, ?3)";
        let mut put = self.pieces.prepare_cached(sql).map_err(failed)?;
        for mark in marks::of_bytes(bytes(piece::RECORDS).unwrap_or_default()).unwrap_or_default() {
            put.execute(params![mark.table, mark.key.to_be_bytes(), path]).map_err(failed)?;
        }
        Ok(())
    }

    fn pieces_of(&self, path: &str) -> Result<Vec<BasePiece>> {
        let sql = "SELECT records, bytes FROM pieces WHERE path = ?1 ORDER BY piece";
        let mut all = self.pieces.prepare_cached(sql).map_err(failed)?;
        let rows = all.query_map([path], |row| Ok(BasePiece { records: row.get(0)?, bytes: row.get(1)? }));
        rows.map_err(failed)?.collect::<rusqlite::Result<_>>().map_err(failed)
    }
}

impl Before for Base {
    fn has_file(&self, path: &str) -> bool {
        self.paths.contains(path)
    }

    fn had(&self, path: &str, table: usize, key: u128) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM marks WHERE tbl = ?1 AND key = ?2 AND path = ?3)";
        let mut found = self.pieces.prepare_cached(sql).map_err(failed)?;
        found.query_row(params![small(table), key.to_be_bytes(), path], |row| row.get(0)).map_err(failed)
    }
}

/// A tree that is to be.
pub struct TreeTarget<P> {
    path: PathBuf,
    layout: LayoutFile,
    base: Base,
    exchange: Option<Exchange<P>>,
}

/// Refuses a directory that has anything in it of which the layout does not tell what it is: it is no earlier tree of this kind, and
/// somebody has named it by mistake.
fn ensure_of_layout(path: &Path, layout: &Layout) -> Result<()> {
    if !path.is_dir() {
        return Ok(());
    }
    let refused = |cause: String| {
        Err(Error::usage("replace the tree", quoted(path), cause).hint(
            "nothing was touched; name a new or empty directory, one with a tree of this layout, or let its `layout.toml` tell what \
             the file is (`keep`, `ignore`)",
        ))
    };
    if path.join("project.toml").is_file() {
        return refused("it is a project, and no tree; a project is named before source and target".to_owned());
    }
    let mut stranger = None;
    Tree::open(path)?.walk(&|path| layout.is_ignored(path), &mut |seen| {
        if let Seen::Entry(Entry { path, kind: EntryKind::File, .. }) = seen
            && stranger.is_none()
            && layout.place(path) == layout::Place::Unknown
        {
            stranger = Some(path.clone());
        }
        Ok(())
    })?;
    match stranger {
        Some(path) => refused(format!("`{path}` in it is no file of the layout")),
        None => Ok(()),
    }
}

/// Puts a finished tree in its target's place.
pub type Exchange<P> = Box<dyn FnOnce(TreeDraft, &str) -> Result<P> + Send>;

impl<P> TreeTarget<P> {
    /// A tree at `path` by that layout; without an exchange it is only planned.
    pub fn new(path: PathBuf, layout: LayoutFile, base: Base, exchange: Option<Exchange<P>>) -> Self {
        TreeTarget { path, layout, base, exchange }
    }
}

impl<P> Target for TreeTarget<P> {
    type Draft = FilesDraft<P>;

    fn label(&self) -> String {
        quoted(&self.path)
    }

    fn path(&self) -> Option<&Path> {
        Some(&self.path)
    }

    fn dialect(&self) -> Option<Dialect> {
        None
    }

    fn inspect(&mut self) -> Result<()> {
        ensure_of_layout(&self.path, &self.layout.layout)
    }

    fn wants(&self) -> Vec<WantedTable> {
        let tables = layout::catalog(&self.layout.layout).tables.into_iter();
        tables
            .map(|table| WantedTable {
                key: table.primary_key.map(|key| key.columns).unwrap_or_default(),
                name: table.name.name,
                columns: table.columns.into_iter().map(|column| (column.name, column.data_type)).collect(),
            })
            .collect()
    }

    fn begin(self, plan: &Arc<Plan>, _metadata: bool, cancel: &Cancel) -> Result<Self::Draft> {
        let (layout, ignored) = (Arc::clone(&self.layout.layout), Arc::clone(&self.layout.layout));
        let draft = TreeDraft::begin(&self.path, Arc::new(move |path| ignored.is_ignored(path)))?;
        Ok(FilesDraft {
            draft,
            rows: Connection::open("").map_err(failed).and_then(|connection| {
                let sql = "CREATE TABLE rows (number INTEGER PRIMARY KEY, tbl INTEGER, cells BLOB); BEGIN";
                connection.execute_batch(sql).map_err(failed)?;
                Ok(connection)
            })?,
            places: plan.tables.iter().map(|table| place_of(&layout, &table.target)).collect::<Result<_>>()?,
            layout: self.layout,
            plan: Arc::clone(plan),
            base: self.base,
            exchange: self.exchange,
            cancel: cancel.clone(),
            source: String::new(),
        })
    }
}

fn place_of(layout: &Layout, table: &str) -> Result<usize> {
    let found = layout.tables.iter().position(|one| one.name == table);
    found.ok_or_else(|| Error::could_not("write", format!("table `{table}`"), "the layout has no such table"))
}

/// A tree in the making.
pub struct FilesDraft<P> {
    draft: TreeDraft,
    /// The rows as they come.
    rows: Connection,
    /// The place in the layout of each of the plan's tables.
    places: Vec<usize>,
    layout: LayoutFile,
    plan: Arc<Plan>,
    base: Base,
    exchange: Option<Exchange<P>>,
    cancel: Cancel,
    source: String,
}

impl<P> FilesDraft<P> {
    /// Where the tree is made.
    pub fn path(&self) -> &Path {
        self.draft.made().path()
    }

    /// The plan that it is made by.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The layout that it is made by.
    pub fn layout(&self) -> &LayoutFile {
        &self.layout
    }
}

/// Rows under way to a tree: their cells as bytes.
#[derive(Default)]
pub struct Packed {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

const BATCH_ROWS_MAX: usize = 1000;
const BATCH_BYTES_MAX: usize = 1 << 20;

impl RowBatch for Packed {
    fn rows(&self) -> u64 {
        self.ends.len() as u64
    }

    fn bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn is_full(&self) -> bool {
        self.ends.len() >= BATCH_ROWS_MAX || self.bytes.len() >= BATCH_BYTES_MAX
    }

    fn is_oversized(&self) -> bool {
        self.bytes.len() >= 32 * BATCH_BYTES_MAX
    }
}

/// Packs the rows of a table.
pub struct Packer {
    plan: Arc<Plan>,
    table: usize,
}

impl Encode<Packed> for Packer {
    fn row(&mut self, cells: &[Cell<'_>], batch: &mut Packed) -> Result<Held> {
        pack(cells, &mut batch.bytes).map_err(|place| {
            let table = &self.plan.tables[self.table];
            let object = format!("table `{}`, column `{}`", table.source, table.columns[place].source);
            Error::could_not("write", object, format!("a value is of no type that a file has: {:?}", cells[place]))
        })?;
        batch.ends.push(batch.bytes.len());
        Ok(Held::Whole)
    }
}

impl<P> Draft for FilesDraft<P> {
    type Batch = Packed;
    type Encoder = Packer;
    type Published = P;

    fn encoder(&self, table: usize) -> Packer {
        Packer { plan: Arc::clone(&self.plan), table }
    }

    fn write(&mut self, table: usize, batch: &mut Packed) -> Result<()> {
        let mut put = self.rows.prepare_cached("INSERT INTO rows (tbl, cells) VALUES (?1, ?2)").map_err(failed)?;
        let mut start = 0;
        for end in batch.ends.drain(..) {
            put.execute(params![small(self.places[table]), &batch.bytes[start..end]]).map_err(failed)?;
            start = end;
        }
        batch.bytes.clear();
        Ok(())
    }

    fn finish(&mut self, origin: &Origin<'_>, _listener: &Listener<'_>) -> Result<Vec<Caveat>> {
        self.source = origin.source.to_owned();
        let layout = Arc::clone(&self.layout.layout);
        let weavers = layout.kinds.iter().map(|kind| weaver(&layout, kind)).collect::<Result<Vec<_>>>()?;
        let mut store = RowStore::new(&layout, &weavers)?;
        {
            let mut all = self.rows.prepare("SELECT tbl, cells FROM rows ORDER BY number").map_err(failed)?;
            let mut rows = all.query([]).map_err(failed)?;
            while let Some(row) = rows.next().map_err(failed)? {
                let table = row.get::<_, u32>(0).map_err(failed)? as usize;
                let cells = row.get_ref(1).and_then(|value| Ok(value.as_blob()?)).map_err(failed)?;
                store.add(table, None, cells, &self.base)?;
            }
        }
        store.finish()?;
        let filling = Filling { layout: &layout, weavers: &weavers, store: &store };
        let mut making = Making { filling, base: &self.base, draft: &mut self.draft };
        for entry in &self.base.entries {
            self.cancel.check("write")?;
            making.entry(entry)?;
        }
        for (path, kind) in store.paths()? {
            self.cancel.check("write")?;
            if !self.base.paths.contains(&path) {
                making.new_file(&path, kind)?;
            }
        }
        self.draft.finish()?;
        Ok(Vec::new())
    }

    fn publish(self, _digest: Option<&str>) -> Result<P> {
        match self.exchange {
            Some(exchange) => exchange(self.draft, &self.source),
            None => Err(Error::could_not("publish", quoted(self.draft.target()), "it was only planned")),
        }
    }
}

/// The files while they are made.
struct Making<'m, 'l> {
    filling: Filling<'m, 'l>,
    base: &'m Base,
    draft: &'m mut TreeDraft,
}

impl Making<'_, '_> {
    /// A file whose log stays beside it would be read with that log, which belongs to what was there before.
    fn refuse_log(&self, path: &str) -> Result<()> {
        let log = format!("{path}-wal");
        if !self.filling.layout.is_ignored(&log) {
            return Ok(());
        }
        let log = self.draft.target().join(log);
        match std::fs::symlink_metadata(&log).is_ok_and(|log| log.len() > 0) {
            false => Ok(()),
            true => Err(Error::could_not(
                "write",
                format!("`{path}`"),
                format!("{} stays beside it and belongs to the old file", quoted(&log)),
            )
            .hint("close the application that has the file open: what is in the log is then moved into the file")),
        }
    }

    fn entry(&mut self, entry: &BaseEntry) -> Result<()> {
        if let Is::File(_) = entry.is {
            self.refuse_log(&entry.path)?;
        }
        match &entry.is {
            Is::Directory => self.draft.directory(&entry.path, entry.mode, entry.modified_ns),
            Is::Link(leads_to) => self.draft.link(&entry.path, leads_to),
            Is::File(None) => {
                let mut file = self.draft.file(&entry.path, entry.mode, entry.modified_ns)?;
                for BasePiece { bytes, .. } in self.base.pieces_of(&entry.path)? {
                    put(&mut file, &entry.path, &bytes.unwrap_or_default())?;
                }
                file.finish()
            }
            Is::File(Some(kind)) => {
                let found = self.filling.layout.kinds.iter().position(|one| one.name == *kind);
                let kind = found.ok_or_else(|| {
                    Error::could_not(
                        "write",
                        format!("`{}`", entry.path),
                        format!("the layout has no files `{kind}` any more"),
                    )
                })?;
                self.known_file(entry, kind)
            }
        }
    }

    /// A file that was there when the rows were read.
    fn known_file(&mut self, entry: &BaseEntry, kind: usize) -> Result<()> {
        let pieces = self.base.pieces_of(&entry.path)?;
        let damaged = || {
            let object = format!("table `{}`, file `{}`", tree::PIECES_TABLE, entry.path);
            Error::differs("read", object, "a row is not what was written")
        };
        let marks = pieces.iter().map(|piece| marks::of_bytes(piece.records.as_deref().unwrap_or_default()));
        let marks = marks.collect::<Option<Vec<Vec<Mark>>>>().ok_or_else(damaged)?;
        let rows = self.filling.rows(&entry.path, kind, &marks)?;
        let had_rows = marks.iter().any(|marks| !marks.is_empty());
        if had_rows && rows.iter().all(Rows::is_empty) && self.filling.is_its_records(kind) {
            return Ok(());
        }
        let captures = self.filling.captures(kind, &entry.path)?;
        let captures: Vec<(&str, &str)> =
            captures.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let facts = FileFacts { path: &entry.path, captures: &captures, modified: None };
        let mut file = self.draft.file(&entry.path, entry.mode, entry.modified_ns)?;
        let count = pieces.len();
        let mut position = 0;
        for (place, (piece, rows)) in pieces.iter().zip(&rows).enumerate() {
            let part = Part { first: place == 0, last: place + 1 == count, position };
            let bytes = match &piece.bytes {
                None => self.filling.weavers[kind].fresh(&facts, part, rows).map_err(Unwoven::from),
                Some(text) => self.filling.weavers[kind].weave(&facts, &Piece { text, part, line: 1 }, rows),
            };
            let bytes = bytes.map_err(|why| self.filling.unwoven(kind, &entry.path, rows, why))?;
            position += rows.len() as u64;
            put(&mut file, &entry.path, &bytes)?;
        }
        file.finish()
    }

    fn new_file(&mut self, path: &str, kind: usize) -> Result<()> {
        let captures = self.filling.captures(kind, path)?;
        let captures: Vec<(&str, &str)> =
            captures.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let facts = FileFacts { path, captures: &captures, modified: None };
        let rows = self.filling.rows(path, kind, &[Vec::new()])?;
        for rows in &rows {
            let bytes = self.filling.weavers[kind].fresh(&facts, Part::WHOLE, rows);
            let bytes = bytes.map_err(|misfit| self.filling.unwoven(kind, path, rows, misfit.into()))?;
            let file = self.draft.file(path, self.filling.layout.kinds[kind].style.mode, None)?;
            file.fill(&bytes)?;
        }
        Ok(())
    }
}

fn put(file: &mut impl Write, path: &str, bytes: &[u8]) -> Result<()> {
    file.write_all(bytes).could_not("write", format!("`{path}`"))
}
