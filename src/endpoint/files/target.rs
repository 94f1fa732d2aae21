//! A tree of files as a target: rows become the files that have them, and the tree takes its place in one step.
//!
//! What the rows do not say comes from what is remembered of the tree that they were read from ([`Base`]): the other entries, and
//! of each file what its records do not tell. A file that nobody remembers is written as its application would write it.

pub use super::base::Base;

use super::gathering::Coming;
use super::layout::{self, Layout};
use super::making::make;
use super::pack::{BATCH_BYTES_MAX, Batch, Packed, Spare, pack};
use super::source::LayoutFile;
use super::tree::draft::Draft as TreeDraft;
use super::tree::entry::{Entry, EntryKind};
use super::tree::walk::{Seen, Tree};
use crate::cancel::Cancel;
use crate::catalog::Dialect;
use crate::endpoint::sqlite::file::quoted;
use crate::endpoint::{Draft, Encode, Held, Origin, Target, Turn};
use crate::error::{Error, Result};
use crate::event::Listener;
use crate::plan::as_is::WantedTable;
use crate::plan::{Caveat, Plan};
use crate::value::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

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
            places: plan.tables.iter().map(|table| place_of(&layout, &table.target)).collect::<Result<_>>()?,
            turns: self.base.turns().to_vec(),
            state: State::Filled(Maker::start(layout, self.base, draft, cancel)),
            layout: self.layout,
            plan: Arc::clone(plan),
            exchange: self.exchange,
            source: String::new(),
            spare: Spare::default(),
        })
    }
}

fn place_of(layout: &Layout, table: &str) -> Result<usize> {
    let found = layout.tables.iter().position(|one| one.name == table);
    found.ok_or_else(|| Error::could_not("write", format!("table `{table}`"), "the layout has no such table"))
}

/// Batches that wait for whoever makes the files.
const BATCHES_BETWEEN: usize = 2;

/// A tree in the making.
pub struct FilesDraft<P> {
    state: State,
    /// The place in the layout of each of the plan's tables.
    places: Vec<usize>,
    /// What the base wants of which table, by its place in the layout.
    turns: Vec<(u16, u32)>,
    layout: LayoutFile,
    plan: Arc<Plan>,
    exchange: Option<Exchange<P>>,
    source: String,
    spare: Spare,
}

enum State {
    /// Rows come.
    Filled(Maker),
    /// All files are there.
    Made(Box<TreeDraft>),
    /// It could not be made.
    Failed,
}

/// Who makes the files while rows come.
struct Maker {
    rows: Option<SyncSender<Coming>>,
    thread: Option<JoinHandle<Result<TreeDraft>>>,
}

impl Maker {
    fn start(layout: Arc<Layout>, base: Base, mut draft: TreeDraft, cancel: &Cancel) -> Maker {
        let (to_maker, rows) = sync_channel(BATCHES_BETWEEN);
        let cancel = cancel.clone();
        let make = move || make(&layout, &base, &mut draft, &rows, &cancel).map(|()| draft);
        Maker { rows: Some(to_maker), thread: Some(thread::spawn(make)) }
    }

    fn send(&mut self, coming: Coming) -> Result<()> {
        match self.rows.as_ref().is_some_and(|rows| rows.send(coming).is_ok()) {
            true => Ok(()),
            // Why it has failed is told.
            false => self.end().and(Err(finished())),
        }
    }

    fn end(&mut self) -> Result<TreeDraft> {
        self.rows = None;
        let panicked = || Error::could_not("write", "the tree", "who makes its files panicked");
        match self.thread.take() {
            Some(thread) => thread.join().unwrap_or_else(|_| Err(panicked())),
            None => Err(finished()),
        }
    }
}

/// What was begun is away when nobody wants it any more.
impl Drop for Maker {
    fn drop(&mut self) {
        drop(self.end());
    }
}

impl<P> FilesDraft<P> {
    /// What was made.
    ///
    /// # Errors
    /// When it is not made yet.
    pub fn made(&self) -> Result<&TreeDraft> {
        match &self.state {
            State::Made(draft) => Ok(draft),
            State::Filled(_) | State::Failed => Err(Error::could_not("read", "the tree", "it is not made yet")),
        }
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

/// Packs the rows of a table.
pub struct Packer {
    plan: Arc<Plan>,
    table: usize,
    /// How many bytes the batch had last: the next one has about as many.
    batch_bytes: usize,
    /// The column whose values need not be in memory.
    content: Option<usize>,
}

impl Packer {
    /// A row with values that are not in memory.
    #[cold]
    fn large(&mut self, cells: &[Cell<'_>], batch: &mut Packed) -> Result<Held> {
        let mut packed = cells.to_vec();
        for (place, cell) in cells.iter().enumerate() {
            let Cell::Large(value) = cell else { continue };
            if self.content == Some(place) {
                let kept = value.keep().map_err(|error| {
                    let table = &self.plan.tables[self.table];
                    let object = format!("table `{}`, column `{}`", table.source, table.columns[place].source);
                    Error::could_not("write", object, error)
                })?;
                batch.large.push((batch.ends.len(), place, kept));
                packed[place] = Cell::Null;
            } else {
                packed[place] = cell.clone().into_owned();
            }
        }
        self.row(&packed, batch)
    }
}

impl Encode<Packed> for Packer {
    fn takes_large(&self) -> bool {
        self.content.is_some()
    }

    fn row(&mut self, cells: &[Cell<'_>], batch: &mut Packed) -> Result<Held> {
        if self.content.is_some() && cells.iter().any(|cell| matches!(cell, Cell::Large(_))) {
            return self.large(cells, batch);
        }
        if batch.ends.is_empty() {
            batch.bytes.reserve(self.batch_bytes);
        }
        pack(cells, &mut batch.bytes).map_err(|place| {
            let table = &self.plan.tables[self.table];
            let object = format!("table `{}`, column `{}`", table.source, table.columns[place].source);
            Error::could_not("write", object, format!("a value is of no type that a file has: {:?}", cells[place]))
        })?;
        self.batch_bytes = batch.bytes.len().min(BATCH_BYTES_MAX);
        batch.ends.push(batch.bytes.len());
        Ok(Held::Whole)
    }
}

impl<P> Draft for FilesDraft<P> {
    type Batch = Packed;
    type Encoder = Packer;
    type Published = P;

    fn encoder(&self, table: usize) -> Packer {
        let content = self.layout.layout.content_column(self.places[table]);
        Packer { plan: Arc::clone(&self.plan), table, batch_bytes: 0, content }
    }

    fn turns(&self) -> Vec<Turn> {
        let turn = |(table, rows): &(u16, u32)| {
            let table = self.places.iter().position(|place| *place == usize::from(*table))?;
            Some(Turn { table, rows: u64::from(*rows) })
        };
        self.turns.iter().filter_map(turn).collect()
    }

    fn write(&mut self, table: usize, batch: &mut Packed) -> Result<()> {
        let State::Filled(maker) = &mut self.state else { return Err(finished()) };
        let full = std::mem::replace(batch, self.spare.take());
        maker.send(Coming::Rows(self.places[table], Batch::new(full, self.spare.clone())))
    }

    fn finish(&mut self, origin: &Origin<'_>, _listener: &Listener<'_>) -> Result<Vec<Caveat>> {
        self.source = origin.source.to_owned();
        let State::Filled(mut maker) = std::mem::replace(&mut self.state, State::Failed) else {
            return Err(finished());
        };
        maker.send(Coming::All)?;
        let mut draft = maker.end()?;
        draft.seal()?;
        self.state = State::Made(Box::new(draft));
        Ok(Vec::new())
    }

    fn publish(self, _digest: Option<&str>) -> Result<P> {
        let State::Made(draft) = self.state else { return Err(finished()) };
        match self.exchange {
            Some(exchange) => exchange(*draft, &self.source),
            None => Err(Error::could_not("publish", quoted(draft.target()), "it was only planned")),
        }
    }
}

fn finished() -> Error {
    Error::could_not("write", "the tree", "all of its rows were there already")
}
