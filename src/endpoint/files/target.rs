//! A tree of files as a target: rows become the files that have them, and the tree takes its place in one step.
//!
//! What the rows do not say comes from what is remembered of the tree that they were read from ([`Base`]): the other entries, and
//! of each file what its records do not tell. A file that nobody remembers is written as its application would write it.

pub use super::base::Base;

use super::filling::Filling;
use super::layout::{self, Layout};
use super::making::make;
use super::pack::pack;
use super::reading::weaver;
use super::rows::{RowStore, Waiting};
use super::source::LayoutFile;
use super::tree::draft::Draft as TreeDraft;
use super::tree::entry::{Entry, EntryKind};
use super::tree::walk::{Seen, Tree};
use crate::cancel::Cancel;
use crate::catalog::Dialect;
use crate::endpoint::sqlite::file::quoted;
use crate::endpoint::{Draft, Encode, Held, Origin, RowBatch, Target};
use crate::error::{Error, Result};
use crate::event::Listener;
use crate::plan::as_is::WantedTable;
use crate::plan::{Caveat, Plan};
use crate::value::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
            waiting: Some(Waiting::new()?),
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
    waiting: Option<Waiting>,
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
        let Some(waiting) = &mut self.waiting else { return Err(finished()) };
        let mut start = 0;
        for end in batch.ends.drain(..) {
            waiting.add(self.places[table], &batch.bytes[start..end])?;
            start = end;
        }
        batch.bytes.clear();
        Ok(())
    }

    fn finish(&mut self, origin: &Origin<'_>, _listener: &Listener<'_>) -> Result<Vec<Caveat>> {
        self.source = origin.source.to_owned();
        let layout = Arc::clone(&self.layout.layout);
        let weavers = layout.kinds.iter().map(|kind| weaver(&layout, kind)).collect::<Result<Vec<_>>>()?;
        let mut store = RowStore::of(self.waiting.take().ok_or_else(finished)?, &layout, &weavers);
        store.place_all(&self.base, &self.cancel)?;
        store.finish()?;
        let filling = Filling { layout: &layout, weavers: &weavers, store: &store };
        make(filling, &self.base, &mut self.draft, &self.cancel)?;
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

fn finished() -> Error {
    Error::could_not("write", "the tree", "all of its rows were there already")
}
