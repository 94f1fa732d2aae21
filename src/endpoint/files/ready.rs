//! A file that has all of its rows, on its way to the disk.

use super::filling::unwoven;
use super::layout::Layout;
use super::pack::{Batch, unpack_into};
use super::tree::draft::Draft as TreeDraft;
use super::tree::journal::NewFile;
use super::weave::{FileFacts, Part, Piece, Rows, Unwoven, Weaver};
use crate::endpoint::sqlite::file::quoted;
use crate::error::{Error, Result};
use crate::value::Cell;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

pub(super) const WRITE: &str = "write";

/// How many bytes the rows of a part of a new file have.
pub(super) const PART_BYTES: usize = 4 << 20;

/// A file that has all of its rows.
pub(super) struct Ready {
    pub(super) path: String,
    pub(super) kind: usize,
    pub(super) captures: Vec<(String, String)>,
    /// The text that is remembered.
    pub(super) text: Option<Vec<u8>>,
    pub(super) rows: ReadyRows,
    /// Where it is written.
    pub(super) file: NewFile,
}

/// The rows of a file on its way.
pub(super) enum ReadyRows {
    /// Their cells.
    Cells(Rows<'static>),
    /// As they came.
    Came(CameRows),
}

/// Rows in the batches in which they came: their cells are looked at where they are woven, and nowhere before.
pub(super) struct CameRows {
    /// Each with its set.
    pub(super) rows: Vec<(usize, CameRow)>,
    pub(super) batches: Vec<Arc<Batch>>,
    /// How many bytes they have.
    pub(super) bytes: u64,
}

/// A row by its batch and its place in that.
#[derive(Clone, Copy)]
pub(super) struct CameRow {
    pub(super) batch: usize,
    pub(super) row: usize,
}

impl CameRow {
    /// Its cells, packed.
    pub(super) fn packed<'b>(&self, batches: &'b [Arc<Batch>]) -> &'b [u8] {
        batches[self.batch].row(self.row)
    }
}

impl CameRows {
    fn unpacked(&self) -> Result<Rows<'_>> {
        let mut rows = Rows::new();
        for (set, row) in &self.rows {
            let packed = row.packed(&self.batches);
            let unpacked = rows.push_by(*set, |cells| unpack_into(packed, cells));
            unpacked.ok_or_else(|| Error::could_not(WRITE, "the tree", "a row is damaged on its way"))?;
        }
        Ok(rows)
    }
}

impl Ready {
    /// Weaves and writes it.
    ///
    /// # Errors
    /// When a row has no place in it, or the disk does not take it.
    pub(super) fn write(self, weavers: &[Weaver<'_>]) -> Result<()> {
        let Ready { path, kind, captures, text, rows, file } = self;
        let captures: Vec<_> = captures.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let facts = FileFacts { path: &path, captures: &captures, ..FileFacts::default() };
        let woven = |rows: &Rows<'_>| woven(&weavers[kind], &facts, text.as_deref(), Part::WHOLE, rows);
        let bytes = match &rows {
            ReadyRows::Cells(rows) => woven(rows)?,
            ReadyRows::Came(came) => woven(&came.unpacked()?)?,
        };
        file.fill(&bytes)
    }

    fn bytes(&self) -> usize {
        let rows = match &self.rows {
            ReadyRows::Came(came) => usize::try_from(came.bytes).unwrap_or(usize::MAX),
            ReadyRows::Cells(rows) => {
                let lengths = rows.iter().flat_map(|row| row.cells).map(|cell| match cell {
                    Cell::Text(text) | Cell::Json(text) => text.len(),
                    Cell::Bytes(bytes) => bytes.len(),
                    _ => 8,
                });
                lengths.sum()
            }
        };
        self.text.as_ref().map_or(0, Vec::len).saturating_add(rows)
    }
}

/// How many files, and how many bytes of them, are handed over at a time at most: one message for each would wake a thread for each.
/// Each file is open already.
const LOT_FILES_MAX: usize = 16;
const LOT_BYTES_MAX: usize = 1 << 20;

/// Hands files over to the thread that weaves and writes them.
pub(super) struct ToWriter {
    to_writer: SyncSender<Vec<Ready>>,
    /// What waits for more, and how many bytes it has.
    lot: RefCell<(Vec<Ready>, usize)>,
}

impl ToWriter {
    pub(super) fn new(to_writer: SyncSender<Vec<Ready>>) -> Self {
        ToWriter { to_writer, lot: RefCell::default() }
    }

    /// Lets the other thread weave and write a file, or does that where it is large: of such there is one at a time.
    ///
    /// # Errors
    /// As [`Ready::write`], and when the other thread has failed.
    pub(super) fn hand_over(&self, ready: Ready, weavers: &[Weaver<'_>]) -> Result<()> {
        let bytes = ready.bytes();
        if bytes > PART_BYTES {
            return ready.write(weavers);
        }
        let is_full = {
            let (lot, lot_bytes) = &mut *self.lot.borrow_mut();
            lot.push(ready);
            *lot_bytes += bytes;
            lot.len() >= LOT_FILES_MAX || *lot_bytes >= LOT_BYTES_MAX
        };
        if is_full { self.flush() } else { Ok(()) }
    }

    /// Hands over what waits for more.
    ///
    /// # Errors
    /// When the other thread has failed.
    pub(super) fn flush(&self) -> Result<()> {
        self.to_writer.send(self.lot.take().0).map_err(|_| gone())
    }
}

/// The bytes of rows, in the text that is remembered, or as the application would write them.
pub(super) fn woven(
    weaver: &Weaver<'_>,
    facts: &FileFacts<'_>,
    text: Option<&[u8]>,
    part: Part,
    rows: &Rows<'_>,
) -> Result<Vec<u8>> {
    let bytes = match text {
        None => weaver.fresh(facts, part, rows).map_err(Unwoven::from),
        Some(text) => weaver.weave(facts, &Piece { text, large: None, part, line: 1 }, rows),
    };
    bytes.map_err(|why| unwoven(weaver, facts.path, rows, why))
}

/// A file whose log stays beside it would be read with that log, which belongs to what was there before.
pub(super) fn refuse_log(layout: &Layout, draft: &RefCell<&mut TreeDraft>, path: &str) -> Result<()> {
    let log = format!("{path}-wal");
    if !layout.is_ignored(&log) {
        return Ok(());
    }
    let log = draft.borrow().target().join(log);
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

/// Whoever takes files has failed, which is told instead.
pub(super) fn gone() -> Error {
    Error::could_not(WRITE, "the tree", "nobody takes its files any more")
}
