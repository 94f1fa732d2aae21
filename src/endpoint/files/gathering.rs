//! Rows while they come: those of a file that is waited for make it at once, all others wait until every row is there.
//!
//! A file that is made early has all rows that it had. One that comes later and belongs into it as well takes it back: its rows are read
//! from it again, and it is made with all others.

use super::base::Base;
use super::filling::{captures, unwoven};
use super::layout::Layout;
use super::marks;
use super::pack::{Batch, pack, unpack};
use super::ready::{Ready, ReadyRows, ToWriter, WRITE, gone, refuse_log};
use super::rows::{Before, RowStore, homes, no_file, place_of};
use super::tree::draft::Draft as TreeDraft;
use super::tree::journal::cannot_write;
use super::tree::walk::{Content, Growth};
use super::weave::{FileFacts, Piece, Rows, Weaver};
use super::window::{Gathered, Taken, Window};
use crate::cancel::Cancel;
use crate::error::{Context, Error, Result};
use crate::types::text::hex;
use crate::value::large::KeptBytes;
use crate::value::{Cell, RowHasher};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

/// What comes.
pub(super) enum Coming {
    /// Rows of a table, by its place in the layout.
    Rows(usize, Batch),
    /// These were all.
    All,
}

/// Rows while they come.
pub(super) struct Gathering<'m, 'd, 'l> {
    layout: &'l Layout,
    weavers: &'m [Weaver<'l>],
    base: &'m Base,
    draft: &'m RefCell<&'d mut TreeDraft>,
    to_writer: &'m ToWriter,
    cancel: &'m Cancel,
    made: Made,
}

/// The files that are made, each with its kind.
#[derive(Default)]
pub(super) struct Made(HashMap<String, usize>);

impl<'m, 'd, 'l> Gathering<'m, 'd, 'l> {
    /// No row has come yet.
    pub(super) fn new(
        layout: &'l Layout,
        weavers: &'m [Weaver<'l>],
        base: &'m Base,
        draft: &'m RefCell<&'d mut TreeDraft>,
        to_writer: &'m ToWriter,
        cancel: &'m Cancel,
    ) -> Self {
        Gathering { layout, weavers, base, draft, to_writer, cancel, made: Made::default() }
    }

    /// Takes all rows; those that make no file at once go to the store.
    ///
    /// # Errors
    /// When not all of them come, one belongs to no file, or the disk does not take them.
    pub(super) fn all(mut self, rows: &Receiver<Coming>, store: &mut RowStore<'l>) -> Result<Made> {
        let mut window = Window::new(self.layout, self.weavers, self.base);
        for coming in rows {
            self.cancel.check(WRITE)?;
            match coming {
                Coming::Rows(table, batch) => {
                    let batch = Arc::new(batch);
                    for row in 0..batch.len() {
                        match batch.large(row) {
                            Some((column, bytes)) => self.blob(table, batch.row(row), column, bytes)?,
                            None => self.row(table, &batch, row, &mut window, store)?,
                        }
                    }
                }
                Coming::All => {
                    while let Some(file) = window.left() {
                        self.store(file, store)?;
                    }
                    return Ok(self.made);
                }
            }
        }
        Err(Error::could_not(WRITE, "the tree", "not all of its rows came"))
    }

    fn row(
        &mut self,
        table: usize,
        batch: &Arc<Batch>,
        row: usize,
        window: &mut Window<'m, 'l>,
        store: &mut RowStore<'l>,
    ) -> Result<()> {
        match window.take(table, batch, row)? {
            Taken::Held => {}
            Taken::Last(file) => self.make(file, window)?,
            Taken::No => store.add(table, None, batch.row(row), self.base)?,
        }
        while let Some(file) = window.late() {
            self.store(file, store)?;
        }
        Ok(())
    }

    /// A row that is a whole file as it is, whose bytes are not in memory.
    fn blob(&mut self, table: usize, packed: &[u8], column: usize, bytes: &KeptBytes) -> Result<()> {
        let cells = unpack(packed).ok_or_else(gone)?;
        let of = &self.layout.tables[table];
        let places = homes(self.layout, self.weavers).swap_remove(table);
        let key = marks::key(of, &cells, &mut RowHasher::default());
        let found = place_of(self.layout, &places, &cells, &|path| self.base.had(path, table, key));
        let (path, place) = found.map_err(|cause| no_file(of, &cells, cause))??;
        let (kind, set, _) = places[place].set();
        if self.made.has(&path) {
            return Err(no_file(of, &cells, format!("`{path}` is the file of another row")));
        }
        let (mode, modified_ns) = match self.base.entry_at(&path) {
            Some(entry) => (entry.mode, entry.modified_ns),
            None => (self.layout.kinds[kind].style.mode, None),
        };
        let mut file = self.draft.borrow_mut().file(&path, mode, modified_ns)?;
        self.made.0.insert(path.clone(), kind);
        let mut sha256 = Sha256::new();
        let written = bytes.read(&mut |piece| {
            sha256.update(piece);
            file.write_all(piece)
        });
        written.map_err(|error| cannot_write(&format!("`{path}`"), error))?;
        let (captures, sha256) = (captures(self.layout, kind, &path)?, hex(&sha256.finalize()));
        let captures: Vec<_> = captures.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let facts = FileFacts { path: &path, captures: &captures, sha256: Some(&sha256), ..FileFacts::default() };
        let mut rows = Rows::new();
        let content = |(place, cell): (usize, Cell<'static>)| if place == column { Cell::Null } else { cell };
        rows.push(set, cells.into_iter().map(Cell::into_owned).enumerate().map(content));
        let weaver = &self.weavers[kind];
        weaver.fits_content(&facts, &rows).map_err(|misfit| unwoven(weaver, &path, &rows, misfit.into()))?;
        file.finish()
    }

    fn store(&self, file: Gathered, store: &mut RowStore<'l>) -> Result<()> {
        file.came().try_for_each(|(table, packed)| store.add(table, None, packed, self.base))
    }

    fn make(&mut self, gathered: Gathered, window: &Window<'m, 'l>) -> Result<()> {
        let (path, kind, captures) = (gathered.path.clone(), gathered.kind, gathered.captures.clone());
        refuse_log(self.layout, self.draft, &path)?;
        let entry = self.base.entry_at(&path).ok_or_else(gone)?;
        let text = self.base.text_of(&path)?;
        let rows = ReadyRows::Came(gathered.rows(&|table| window.set_of(table)));
        let file = self.draft.borrow_mut().file(&path, entry.mode, entry.modified_ns)?;
        self.made.0.insert(path.clone(), kind);
        self.to_writer.hand_over(Ready { path, kind, captures, text, rows, file }, self.weavers)
    }
}

impl Made {
    /// Whether there is such a file.
    pub(super) fn has(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// Takes those back into which a row of the store belongs.
    ///
    /// # Errors
    /// When a file cannot be read or removed, or the store not be written.
    pub(super) fn take_back<'l>(
        &mut self,
        layout: &'l Layout,
        weavers: &[Weaver<'l>],
        base: &Base,
        draft: &RefCell<&mut TreeDraft>,
        store: &mut RowStore<'l>,
    ) -> Result<()> {
        if self.0.is_empty() || store.is_empty() {
            return Ok(());
        }
        let mut wanted: Vec<String> = store.paths()?.into_iter().map(|(path, _)| path).collect();
        wanted.retain(|path| self.has(path));
        let is_around = store.rows_around()?;
        for path in self.0.keys() {
            // Nothing is remembered of the file of a new row.
            if base.pieces_of(path)? == 0 {
                continue;
            }
            let marks = base.piece_at(path, 0)?.marks;
            for mark in marks {
                if is_around(mark.key)? {
                    wanted.push(path.clone());
                    break;
                }
            }
        }
        drop(is_around);
        for path in wanted {
            let Some(kind) = self.0.remove(&path) else { continue };
            let bytes = match draft.borrow().made().read(&path, Growth::Refused)? {
                Content::Whole(bytes, _) => bytes,
                Content::Large(mut file) => {
                    let mut bytes = Vec::new();
                    file.read_to_end(&mut bytes).could_not("read", format!("`{path}`"))?;
                    bytes
                }
            };
            let captures = captures(layout, kind, &path)?;
            let captures: Vec<_> = captures.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let facts = FileFacts { path: &path, captures: &captures, ..FileFacts::default() };
            let rows = weavers[kind].unweave(&facts, &Piece::whole(&bytes));
            let rows = rows.map_err(|flaw| Error::could_not("read", format!("`{path}`"), flaw))?;
            for row in rows.iter() {
                let table = weavers[kind].sets()[row.set].records.table;
                store.add(table, None, &packed(row.cells)?, base)?;
            }
            draft.borrow_mut().remove(&path)?;
        }
        Ok(())
    }
}

fn packed(cells: &[Cell<'_>]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let packed = pack(cells, &mut bytes);
    packed.map_err(|_| Error::could_not(WRITE, "the tree", "a value is of no type that a file has"))?;
    Ok(bytes)
}
