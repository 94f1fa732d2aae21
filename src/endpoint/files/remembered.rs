//! What a SQLite file remembers of a few entries of a tree, for whoever has made their layout ready before.

use super::asked::{Answers, Asked};
use super::layout::Layout;
use super::reading::{Reading, Tally, Wanted};
use super::tree::entry::Entry;
use super::tree::walk::Tree;
use super::weave::Weaver;
use crate::cancel::Cancel;
use crate::endpoint::RowSink;
use crate::endpoint::sqlite::file::shown;
use crate::error::Result;
use crate::metadata::base::{EntryRow, OfPath, PieceRow};
use crate::metadata::tree::piece;
use crate::value::{Cell, RowHasher};
use std::collections::HashSet;
use std::sync::Mutex;

/// The place of what is remembered of entries among what is wanted; behind it are the pieces of files.
const ENTRIES: usize = 0;
const PIECES: usize = 1;

/// What is remembered of these entries as they are now, each with its path.
///
/// # Errors
/// When a file cannot be read, or is not what its kind says.
pub fn remembered(
    tree: &Tree,
    (layout, weavers): (&Layout, &[Weaver<'_>]),
    entries: &[Entry],
) -> Result<Vec<(String, OfPath)>> {
    let (answers, set_aside, cancel, large) = (Answers::new(), HashSet::new(), Cancel::new(), Mutex::new(()));
    let label = shown(tree.path());
    let mut all = Vec::with_capacity(entries.len());
    for entry in entries {
        let mut gathering = Gathering::default();
        let mut reading = Reading {
            tree,
            label: &label,
            only: &[],
            answers: &answers,
            set_aside: &set_aside,
            asked: Asked::new(layout),
            cancel: &cancel,
            layout,
            weavers,
            wanted: Wanted::of_tree(layout, ENTRIES, PIECES),
            parts: None,
            sink: &mut gathering,
            tally: vec![Tally::default(); layout.kinds.len() + 1],
            hasher: RowHasher::default(),
            large: &large,
        };
        reading.entry(entry)?;
        if let Some(entry) = gathering.entry {
            let pieces = entry.is_file().then_some(gathering.pieces);
            all.push((entry.path.clone(), OfPath { entry: Some(entry), pieces }));
        }
    }
    Ok(all)
}

/// Takes what is remembered of one entry.
#[derive(Default)]
struct Gathering {
    entry: Option<EntryRow>,
    pieces: Vec<PieceRow>,
}

impl RowSink for Gathering {
    fn row(&mut self, table: usize, cells: &[Cell<'_>]) -> Result<()> {
        if table == ENTRIES {
            self.entry = EntryRow::of(cells);
            return Ok(());
        }
        let bytes = |place: usize| match &cells[place] {
            Cell::Bytes(bytes) => Some(bytes.to_vec()),
            _ => None,
        };
        if let Cell::Int(number) = &cells[piece::PIECE] {
            let row = PieceRow { piece: *number, records: bytes(piece::RECORDS), bytes: bytes(piece::BYTES) };
            self.pieces.push(row);
        }
        Ok(())
    }
}
