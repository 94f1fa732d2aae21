//! A file that has all of its rows, on its way to the disk.

use super::filling::unwoven;
use super::layout::Layout;
use super::tree::draft::Draft as TreeDraft;
use super::tree::journal::NewFile;
use super::weave::{FileFacts, Part, Piece, Rows, Unwoven, Weaver};
use crate::endpoint::sqlite::file::quoted;
use crate::error::{Error, Result};
use crate::value::Cell;
use std::cell::RefCell;
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
    pub(super) rows: Rows<'static>,
    /// Where it is written.
    pub(super) file: NewFile,
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
        let bytes = woven(&weavers[kind], &facts, text.as_deref(), Part::WHOLE, &rows)?;
        file.fill(&bytes)
    }

    /// Weaves and writes it, or lets the other thread do that where it is small: of large ones there is one at a time.
    ///
    /// # Errors
    /// As [`Ready::write`], and when the other thread has failed.
    pub(super) fn hand_over(self, weavers: &[Weaver<'_>], to_writer: &SyncSender<Ready>) -> Result<()> {
        match self.bytes() > PART_BYTES {
            true => self.write(weavers),
            false => to_writer.send(self).map_err(|_| gone()),
        }
    }

    fn bytes(&self) -> usize {
        let cells = self.rows.iter().flat_map(|row| row.cells);
        let lengths = cells.map(|cell| match cell {
            Cell::Text(text) | Cell::Json(text) => text.len(),
            Cell::Bytes(bytes) => bytes.len(),
            _ => 8,
        });
        self.text.as_ref().map_or(0, Vec::len) + lengths.sum::<usize>()
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
