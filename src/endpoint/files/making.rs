//! The files of a tree while they are made of rows, and of what is remembered of them: first those whose rows come together, then,
//! when all rows are there, the others.

use super::base::{Base, BaseEntry, Is};
use super::filling::{Filling, Placed, place, places};
use super::gathering::{Coming, Gathering, Made};
use super::layout::Layout;
use super::reading::weaver;
use super::ready::{PART_BYTES, Ready, ReadyRows, ToWriter, WRITE, gone, refuse_log, woven};
use super::rows::{Before, RowStore, StoredRow};
use super::tree::draft::Draft as TreeDraft;
use super::tree::journal::NewFile;
use super::tree::walk::{Content, Growth};
use super::weave::{FileFacts, Part, Piece, Rows, Weaver};
use crate::cancel::Cancel;
use crate::error::{Context, Error, Result};
use crate::types::text::hex;
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::collections::HashSet;
use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

/// How many lots of files have their rows and are not woven yet.
const LOTS_BETWEEN: usize = 2;

/// Makes all files of a tree as their rows come: one thread finds the file of each row, another one weaves and writes the files
/// that are small.
///
/// # Errors
/// When a row has no place in its file, the disk does not take it, or not all rows come.
pub(super) fn make(
    layout: &Layout,
    base: &Base,
    draft: &mut TreeDraft,
    rows: &Receiver<Coming>,
    cancel: &Cancel,
) -> Result<()> {
    let weavers = layout.kinds.iter().map(|kind| weaver(layout, kind)).collect::<Result<Vec<_>>>()?;
    let mut store = RowStore::new(layout, &weavers)?;
    let draft = RefCell::new(draft);
    let mut made = writing(&weavers, |to_writer| {
        Gathering::new(layout, &weavers, base, &draft, to_writer, cancel).all(rows, &mut store)
    })?;
    made.take_back(layout, &weavers, base, &draft, &mut store)?;
    store.finish()?;
    let filling = Filling { layout, weavers: &weavers, store: &store };
    writing(&weavers, |to_writer| Making { filling, base, draft: &draft, cancel, to_writer, made: &made }.all())
}

/// Does something while a second thread weaves and writes what it is sent.
fn writing<T>(weavers: &[Weaver<'_>], work: impl FnOnce(&ToWriter) -> Result<T>) -> Result<T> {
    let (to_writer, lots) = sync_channel(LOTS_BETWEEN);
    thread::scope(|scope| {
        let writer = scope.spawn(move || {
            let lots: Receiver<Vec<Ready>> = lots;
            lots.into_iter().flatten().try_for_each(|ready| ready.write(weavers))
        });
        let to_writer = ToWriter::new(to_writer);
        let done = work(&to_writer).and_then(|done| to_writer.flush().map(|()| done));
        drop(to_writer);
        // The writer's failure is the cause; the other thread then only saw that nobody takes its files.
        writer.join().unwrap_or_else(|_| Err(gone()))?;
        done
    })
}

/// The files while they are made.
struct Making<'m, 'd, 'l> {
    filling: Filling<'m, 'l>,
    base: &'m Base,
    draft: &'m RefCell<&'d mut TreeDraft>,
    cancel: &'m Cancel,
    to_writer: &'m ToWriter,
    /// The files that are there already.
    made: &'m Made,
}

/// What a file is woven by.
struct Weaving<'w> {
    path: &'w str,
    kind: usize,
    facts: FileFacts<'w>,
}

impl Making<'_, '_, '_> {
    fn all(self) -> Result<()> {
        let base = self.base;
        for entry in base.entries() {
            self.cancel.check(WRITE)?;
            if !self.made.has(&entry.path) {
                self.entry(entry)?;
            }
        }
        for (path, kind) in self.filling.store.paths()? {
            self.cancel.check(WRITE)?;
            if !base.has_file(&path) {
                self.file(&path, kind, self.filling.layout.kinds[kind].style.mode, None)?;
            }
        }
        Ok(())
    }

    fn entry(&self, entry: &BaseEntry) -> Result<()> {
        if let Is::File(_) = entry.is {
            refuse_log(self.filling.layout, self.draft, &entry.path)?;
        }
        match &entry.is {
            Is::Directory => self.draft.borrow_mut().directory(&entry.path, entry.mode, entry.modified_ns),
            Is::Link(leads_to) => self.draft.borrow_mut().link(&entry.path, leads_to),
            Is::File(None) => {
                let mut file = self.draft.borrow_mut().file(&entry.path, entry.mode, entry.modified_ns)?;
                for number in 0..self.base.pieces_of(&entry.path)? {
                    put(&mut file, &entry.path, &self.base.piece_at(&entry.path, number)?.bytes.unwrap_or_default())?;
                }
                file.finish()
            }
            Is::File(Some(kind)) => {
                let found = self.filling.layout.kinds.iter().position(|one| one.name == *kind);
                let kind = found.ok_or_else(|| {
                    let cause = format!("the layout has no files `{kind}` any more");
                    Error::could_not(WRITE, format!("`{}`", entry.path), cause)
                })?;
                self.file(&entry.path, kind, entry.mode, entry.modified_ns)
            }
        }
    }

    /// A file with rows. Nothing is made of one that was nothing but the record that is gone.
    fn file(&self, path: &str, kind: usize, mode: u32, modified_ns: Option<i64>) -> Result<()> {
        let captures = self.filling.captures(kind, path)?;
        let said: Vec<_> = captures.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let weaving = Weaving { path, kind, facts: FileFacts { path, captures: &said, ..FileFacts::default() } };
        let hand_over = |text, rows| {
            let file = self.draft.borrow_mut().file(path, mode, modified_ns)?;
            let rows = ReadyRows::Cells(rows);
            let ready = Ready { path: path.to_owned(), kind, captures: captures.clone(), text, rows, file };
            self.to_writer.hand_over(ready, self.filling.weavers)
        };
        match self.base.pieces_of(path)? {
            _ if self.filling.weavers[kind].stays() => self.staying(&weaving, mode, modified_ns),
            0 if self.filling.weavers[kind].has_pieces()
                && self.filling.layout.kinds[kind].records.iter().all(|set| set.order.is_none()) =>
            {
                let mut file = self.draft.borrow_mut().file(path, mode, modified_ns)?;
                self.parts(&weaving, &mut file)?;
                file.finish()
            }
            0 => {
                let rows = self.filling.rows_of(path, kind, &[])?;
                hand_over(None, rows)
            }
            1 => {
                let piece = self.base.piece_at(path, 0)?;
                let rows = self.filling.rows_of(path, kind, &piece.marks)?;
                if !piece.marks.is_empty() && rows.is_empty() && self.filling.is_its_records(kind) {
                    return Ok(());
                }
                hand_over(piece.bytes, rows)
            }
            count => {
                let mut file = self.draft.borrow_mut().file(path, mode, modified_ns)?;
                self.pieces(&weaving, count, &mut file)?;
                file.finish()
            }
        }
    }

    /// A new file, part by part.
    fn parts(&self, weaving: &Weaving<'_>, file: &mut NewFile) -> Result<()> {
        let (mut rows, mut bytes, mut position) = (Rows::new(), 0, 0);
        let weave = |file: &mut NewFile, rows: &mut Rows<'static>, position: &mut u64, last: bool| {
            let part = Part { first: *position == 0, last, position: *position };
            let woven = woven(&self.filling.weavers[weaving.kind], &weaving.facts, None, part, rows)?;
            *position += self.filling.weavers[weaving.kind].in_root(rows);
            rows.clear();
            put(file, weaving.path, &woven)
        };
        let unplaced = |_: &StoredRow| None;
        self.filling.store.each_root(weaving.path, weaving.kind, &mut |set, row| {
            if bytes >= PART_BYTES {
                self.cancel.check(WRITE)?;
                weave(file, &mut rows, &mut position, false)?;
                bytes = 0;
            }
            bytes += self.filling.add(weaving.kind, set, &row, &unplaced, &mut rows)?;
            Ok(())
        })?;
        weave(file, &mut rows, &mut position, true)
    }

    /// A file that was read in several pieces: each with the records that were in it, the last one with all new ones.
    fn pieces(&self, weaving: &Weaving<'_>, count: i64, file: &mut NewFile) -> Result<()> {
        let Weaving { path, kind, .. } = *weaving;
        let (mut position, mut known) = (0, 0);
        for number in 0..count {
            self.cancel.check(WRITE)?;
            let piece = self.base.piece_at(path, number)?;
            let places = places(&piece.marks);
            let place = |row: &StoredRow| place(&places, row);
            let mut roots = Vec::new();
            for (place, mark) in piece.marks.iter().enumerate() {
                if let Some((set, row)) = self.filling.store.root(path, kind, mark)? {
                    known += 1;
                    roots.push(Placed { set, place: Some(place), row });
                }
            }
            let last = number + 1 == count;
            if last && known < self.filling.store.count(path, kind)? {
                self.new_rows(weaving, count, &mut roots)?;
            }
            let rows = self.filling.filled(kind, roots, &place)?;
            let part = Part { first: number == 0, last, position };
            let woven = woven(&self.filling.weavers[kind], &weaving.facts, piece.bytes.as_deref(), part, &rows)?;
            position += self.filling.weavers[kind].in_root(&rows);
            put(file, path, &woven)?;
        }
        Ok(())
    }

    /// Adds the rows of a file that none of its pieces had.
    fn new_rows(&self, weaving: &Weaving<'_>, count: i64, roots: &mut Vec<Placed>) -> Result<()> {
        let mut known: HashSet<(u16, u128)> = HashSet::new();
        for number in 0..count {
            known.extend(self.base.piece_at(weaving.path, number)?.marks.iter().map(|mark| (mark.table, mark.key)));
        }
        self.filling.store.each_root(weaving.path, weaving.kind, &mut |set, row| {
            if !known.contains(&row.identity()) {
                roots.push(Placed { set, row, place: None });
            }
            Ok(())
        })
    }

    /// A file whose bytes are in the tree that is replaced, and nowhere else.
    fn staying(&self, weaving: &Weaving<'_>, mode: u32, modified_ns: Option<i64>) -> Result<()> {
        let rows = self.filling.rows_of(weaving.path, weaving.kind, &[])?;
        let Some(row) = rows.iter().next() else { return Ok(()) };
        let object = format!("`{}`", weaving.path);
        let mut draft = self.draft.borrow_mut();
        let old = draft.old().filter(|old| old.stat(weaving.path).is_ok_and(|stat| stat.is_some()));
        let Some(old) = old else {
            let cause =
                "its bytes are not in its row: it stays in the tree that it was read from, and is not in this one";
            return Err(Error::could_not(WRITE, object, cause)
                .hint("copy the file to its place in the target first, or migrate into the tree that has it"));
        };
        let mut content = old.read(weaving.path, Growth::Refused)?;
        let mut file = draft.file(weaving.path, mode, modified_ns)?;
        drop(draft);
        let mut sha256 = Sha256::new();
        match &mut content {
            Content::Whole(bytes, _) => {
                sha256.update(&*bytes);
                put(&mut file, weaving.path, bytes)?;
            }
            Content::Large(from) => {
                let mut buffer = vec![0; PART_BYTES];
                loop {
                    self.cancel.check(WRITE)?;
                    let read = from.read(&mut buffer).could_not("read", &object)?;
                    if read == 0 {
                        break;
                    }
                    sha256.update(&buffer[..read]);
                    put(&mut file, weaving.path, &buffer[..read])?;
                }
                from.finish()?;
            }
        }
        let sha256 = hex(&sha256.finalize());
        let facts = FileFacts { sha256: Some(&sha256), ..weaving.facts };
        let found = self.filling.weavers[weaving.kind].unweave(&facts, &Piece::whole(&[]));
        let found = found.map_err(|flaw| Error::could_not(WRITE, &object, flaw))?;
        if found.row(0).cells != row.cells {
            let cause = format!("the file in the tree is not what its row says: its SHA-256 is {sha256}");
            return Err(Error::could_not(WRITE, object, cause)
                .hint("put the file back that the row is about, or correct the row"));
        }
        file.finish()
    }
}

fn put(file: &mut impl Write, path: &str, bytes: &[u8]) -> Result<()> {
    file.write_all(bytes).could_not(WRITE, format!("`{path}`"))
}
