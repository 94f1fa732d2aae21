//! What a SQLite file remembers of a few entries of a tree, for whoever has made their layout ready before.

use super::asked::{Answers, Asked};
use super::filling::captures;
use super::layout::Layout;
use super::marks::{Mark, to_bytes};
use super::pieces::are_many_of;
use super::reading::{Reading, Tally, Wanted};
use super::tree::entry::Entry;
use super::tree::walk::Tree;
use super::weave::{FileFacts, Piece, Rows, Weaver};
use crate::cancel::Cancel;
use crate::endpoint::RowSink;
use crate::endpoint::sqlite::file::shown;
use crate::error::Result;
use crate::metadata::base::{EntryRow, OfPath, PieceRow};
use crate::metadata::tree::piece;
use crate::value::calendar::MICROS_1970_TO_2000;
use crate::value::{Cell, RowHasher};
use std::collections::HashSet;
use std::sync::Mutex;
use xxhash_rust::xxh3::xxh3_128;

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

/// What is remembered of a file whose bytes and rows are at hand; `None` where it has to be read for that.
///
/// # Errors
/// When files of the kind have no such path.
pub fn of_file(
    (layout, weavers): (&Layout, &[Weaver<'_>]),
    (entry, kind): (&Entry, usize),
    bytes: &[u8],
    rows: &Rows<'_>,
) -> Result<Option<OfPath>> {
    let (weaver, size_bytes) = (&weavers[kind], bytes.len() as u64);
    if weaver.stays() || weaver.is_blob() || are_many_of(weaver, size_bytes) {
        return Ok(None);
    }
    let captures = captures(layout, kind, &entry.path)?;
    let captures: Vec<(&str, &str)> = captures.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let modified = Some(entry.stat.modified_ns.div_euclid(1000) - MICROS_1970_TO_2000);
    let facts = FileFacts { path: &entry.path, captures: &captures, modified, sha256: None };
    let (mut marks, mut hasher) = (Vec::with_capacity(rows.len()), RowHasher::default());
    for row in rows.iter() {
        let number = weaver.sets()[row.set].records.table;
        let table = &layout.tables[number];
        if table.key.iter().any(|place| row.cells[*place] == Cell::Null) {
            return Ok(None);
        }
        marks.push(Mark::of(number, table, row.cells, &mut hasher));
    }
    let residue = weaver.residue(&facts, &Piece::whole(bytes), rows);
    let piece = PieceRow { piece: 0, records: Some(to_bytes(&marks)), bytes: residue };
    let entry = EntryRow {
        path: entry.path.clone(),
        entry: "file".to_owned(),
        kind: Some(layout.kinds[kind].name.clone()),
        mode: i64::from(entry.mode),
        link: None,
        modified_ns: layout.times.then_some(entry.stat.modified_ns),
        size_bytes: i64::try_from(size_bytes).ok(),
        hash: Some(xxh3_128(bytes).to_be_bytes()),
    };
    Ok(Some(OfPath { entry: Some(entry), pieces: Some(vec![piece]) }))
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

#[cfg(test)]
mod tests {
    use super::super::layout;
    use super::super::reading::weaver;
    use super::super::tree::walk::Tree;
    use super::*;

    const LAYOUT: &str = r#"
        times = true
        [[file]]
        path = "boards/{board}.json"
        format = "json"
        blank = true
        [[file.records]]
        at = "[]"
        table = "cards"
        key = ["id"]
        columns.board = "@path.board"
        columns.id = "id"
        [[file.records.children]]
        at = "tags[]"
        table = "tags"
        key = ["card", "name"]
        columns.card = "@parent.id"
        columns.name = "name"
        [[file]]
        path = "about/{id}.md"
        format = "markdown"
        front_matter = true
        [[file.records]]
        table = "about"
        key = ["id"]
        columns.id = "@path.id"
        columns.title = "title"
        columns.text = "@body"
    "#;

    #[test]
    fn a_file_that_is_at_hand_is_remembered_as_one_that_is_read() {
        let layout = layout::read("`layout.toml`", LAYOUT).unwrap();
        let weavers: Vec<Weaver<'_>> = layout.kinds.iter().map(|kind| weaver(&layout, kind).unwrap()).collect();
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("boards/a.json", "[]"),
            ("boards/b.json", ""),
            ("boards/c.json", "[\n  {\n    \"id\": \"x\",\n    \"tags\": []\n  }\n]\n"),
            ("boards/d.json", "[ {\"tags\":[{\"name\":\"t\", \"more\": 1.50}],\"id\":\"y\"} ,{\"id\":\"z\"}]"),
            ("about/e.md", "---\ntitle: x # why\n---\nbody\n"),
        ] {
            let place = folder.path().join(path);
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            std::fs::write(place, text).unwrap();
            let tree = Tree::open(folder.path()).unwrap();
            let entry = tree.entry(path).unwrap().unwrap();
            let layout::Place::Kind(kind, _) = layout.place(path) else { panic!("{path} is of no kind") };
            let captures = captures(&layout, kind, path).unwrap();
            let captures: Vec<(&str, &str)> =
                captures.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let facts = FileFacts { path, captures: &captures, ..FileFacts::default() };
            let rows = weavers[kind].unweave(&facts, &Piece::whole(text.as_bytes())).unwrap();
            let at_hand = of_file((&layout, &weavers), (&entry, kind), text.as_bytes(), &rows).unwrap().unwrap();
            let read = remembered(&tree, (&layout, &weavers), std::slice::from_ref(&entry)).unwrap();
            assert_eq!(read, [(path.to_owned(), at_hand)]);
        }
    }
}
