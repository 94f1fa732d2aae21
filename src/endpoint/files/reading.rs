//! A tree while it is read: each entry becomes rows of its own and, of a file, the rows in it.

use super::asked::{Answers, Asked};
use super::database::live;
use super::layout::{Format, Kind, Layout, Place as Told};
use super::marks::{self, Mark};
use super::parts::Parts;
use super::pieces::{self, Then};
use super::tree::entry::{Entry, EntryKind};
use super::tree::walk::{Content, Growth, LargeFile, Tree};
use super::weave::{FileFacts, Piece, Rows, Weaver};
use crate::cancel::Cancel;
use crate::catalog::{Catalog, Table};
use crate::endpoint::sqlite::file::quoted;
use crate::endpoint::{ReadTable, Rejected, RowSink};
use crate::error::{Context, Error, Result};
use crate::metadata::tree::{PIECES_TABLE, TREE_TABLE, tables};
use crate::types::text::hex;
use crate::value::calendar::MICROS_1970_TO_2000;
use crate::value::large::{FileBytes, LARGE_FROM_BYTES};
use crate::value::{Cell, Large, RowHasher};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::HashSet;
use std::io::Read;
use std::sync::Mutex;
use xxhash_rust::xxh3::Xxh3;

pub(super) const READ: &str = "read";

/// How many bytes of a file that is carried as bytes stand in one row.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// Up to how many bytes a file has that is read while another one is.
const LARGE_BYTES: u64 = 4 << 20;

/// How many bytes a value of SQLite has at most.
const VALUE_BYTES_MAX: u64 = 1_000_000_000;

/// What weaves the files of a kind.
///
/// # Errors
/// When the kind could not be taken back.
pub fn weaver<'l>(layout: &'l Layout, kind: &'l Kind) -> Result<Weaver<'l>> {
    Weaver::new(layout, kind).map_err(|reason| Error::usage("use the layout", format!("files `{}`", kind.name), reason))
}

/// A file, open; of a SQLite file that another program writes to, one committed state.
///
/// # Errors
/// When it cannot be read.
pub(super) fn opened(tree: &Tree, layout: &Layout, path: &str, growth: Growth, cancel: &Cancel) -> Result<Content> {
    let is_database = |kind: &Kind| kind.format == Format::Sqlite && kind.path.matches(path);
    if layout.kinds.iter().any(is_database)
        && let Some((bytes, stat)) = live::state(tree, path, cancel)?
    {
        return Ok(Content::Whole(bytes, stat));
    }
    tree.read(path, growth)
}

/// Whether a pattern of `--only` chooses a file of that path and kind.
pub fn chooses(pattern: &str, path: &str, kind: Option<&str>) -> bool {
    glob(pattern, path) || kind.is_some_and(|kind| glob(pattern, kind))
}

/// The files of a kind, as they were found.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Tally {
    /// The kind's name in the layout.
    pub kind: String,
    /// How many files there are.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// How many records are in them.
    pub records: u64,
    /// How many of the files have the very bytes that their records alone would give.
    pub of_records: u64,
    /// How many bytes are kept of the others besides their records.
    pub residue_bytes: u64,
}

/// Where the rows of a table go: the place in the request, and the places of the requested columns.
type Place = (usize, Vec<usize>);

/// What is requested.
pub(super) struct Wanted {
    /// Of each of the layout's tables.
    tables: Vec<Option<Place>>,
    entries: Option<Place>,
    pieces: Option<Place>,
}

impl Wanted {
    /// What is remembered of the tree, and no rows.
    pub(super) fn of_tree(layout: &Layout, entries: usize, pieces: usize) -> Wanted {
        let whole = |place: usize, table: &Table| Some((place, (0..table.columns.len()).collect()));
        let [of_entries, of_pieces] = tables();
        let tables = vec![None; layout.tables.len()];
        Wanted { tables, entries: whole(entries, &of_entries), pieces: whole(pieces, &of_pieces) }
    }

    pub(super) fn of(catalog: &Catalog, layout: &Layout, requests: &[ReadTable<'_>]) -> Result<Wanted> {
        let mut wanted = Wanted { tables: vec![None; layout.tables.len()], entries: None, pieces: None };
        for (place, request) in requests.iter().enumerate() {
            let missing = |cause: String| Error::could_not(READ, format!("table `{}`", request.table), cause);
            let number = catalog.tables.iter().position(|table| table.name == *request.table);
            let number = number.ok_or_else(|| missing("the layout has no such table".into()))?;
            let columns = &catalog.tables[number].columns;
            let column = |name: &str| {
                let found = columns.iter().position(|column| column.name == name);
                found.ok_or_else(|| missing(format!("there is no column `{name}`")))
            };
            let columns = request.columns.iter().map(|one| column(one.name)).collect::<Result<_>>()?;
            let target = match request.table.name.as_str() {
                TREE_TABLE => &mut wanted.entries,
                PIECES_TABLE => &mut wanted.pieces,
                _ => &mut wanted.tables[number],
            };
            *target = Some((place, columns));
        }
        Ok(wanted)
    }
}

/// A tree while it is read.
pub(super) struct Reading<'r, 'l> {
    pub(super) tree: &'r Tree,
    pub(super) label: &'r str,
    pub(super) only: &'r [String],
    pub(super) answers: &'r Answers,
    pub(super) set_aside: &'r HashSet<String>,
    pub(super) asked: Asked<'l>,
    pub(super) cancel: &'r Cancel,
    pub(super) layout: &'l Layout,
    pub(super) weavers: &'r [Weaver<'l>],
    pub(super) wanted: Wanted,
    pub(super) parts: Option<Parts>,
    pub(super) sink: &'r mut dyn RowSink,
    /// What was found of each kind, and behind them of what is carried as bytes.
    pub(super) tally: Vec<Tally>,
    pub(super) hasher: RowHasher,
    /// Who reads a large file.
    pub(super) large: &'r Mutex<()>,
}

/// What is found in a file while it is read.
#[derive(Default)]
struct Found {
    hash: Xxh3,
    bytes: u64,
    records: u64,
    pieces: i64,
    residue_bytes: u64,
    has_residue: bool,
}

/// What is remembered of an entry besides what the tree says of it.
#[derive(Default)]
struct Remembered<'r> {
    kind: Option<&'r str>,
    size_bytes: u64,
    hash: Option<[u8; 16]>,
}

impl<'r, 'l> Reading<'r, 'l> {
    /// Takes an entry of the tree.
    ///
    /// # Errors
    /// When it cannot be read, is of no kind, or the sink fails.
    pub(super) fn entry(&mut self, entry: &Entry) -> Result<()> {
        self.cancel.check(READ)?;
        match &entry.kind {
            EntryKind::Directory | EntryKind::Link { .. } => self.remember(entry, Remembered::default()),
            EntryKind::File => self.file(entry),
        }
    }

    fn file(&mut self, entry: &Entry) -> Result<()> {
        let path = entry.path.as_str();
        let layout = self.layout;
        if self.set_aside.contains(path) {
            return Ok(());
        }
        match layout.place(path) {
            Told::Kind(kind, captures) => match self.is_chosen(path, Some(&layout.kinds[kind].name)) {
                true => self.records(entry, kind, &captures),
                false => Ok(()),
            },
            Told::Kept => match self.is_chosen(path, None) {
                true => self.kept(entry),
                false => Ok(()),
            },
            Told::Ignored => Ok(()),
            Told::Unknown => {
                let cause = "the layout has no kind of file with this path";
                Err(Error::could_not(READ, self.shown(path), cause)
                    .hint("tell what it is in `layout.toml`, or name it there under `keep` or `ignore`"))
            }
        }
    }

    fn is_chosen(&self, path: &str, kind: Option<&str>) -> bool {
        self.only.is_empty() || self.only.iter().any(|pattern| chooses(pattern, path, kind))
    }

    fn shown(&self, path: &str) -> String {
        quoted(&self.tree.path().join(path))
    }

    /// A file whose records are rows.
    fn records(&mut self, entry: &Entry, kind: usize, taken: &[String]) -> Result<()> {
        let (of, weaver, tree) = (&self.layout.kinds[kind], &self.weavers[kind], self.tree);
        let growth = match of.format {
            Format::JsonLines | Format::Lines(_) => Growth::Allowed,
            Format::Json | Format::Yaml | Format::Markdown { .. } | Format::Bytes | Format::Sqlite => Growth::Refused,
        };
        let lock = self.large;
        let large = (entry.stat.size_bytes > LARGE_BYTES).then(|| lock.lock());
        let table = weaver.sets().first().and_then(|set| self.wanted.tables[set.records.table].as_ref());
        let in_parts = weaver.sets().iter().any(|set| set.table.in_parts);
        let takes_large = weaver.is_blob() && !in_parts && table.is_none_or(|(place, _)| self.sink.takes_large(*place));
        let mut content = match takes_large {
            true => tree.read_whole_to(&entry.path, growth, LARGE_FROM_BYTES)?,
            false => opened(tree, self.layout, &entry.path, growth, self.cancel)?,
        };
        let bytes = match &content {
            Content::Large(file) if takes_large => {
                self.ensure_value(&entry.path, file.stat().size_bytes)?;
                Some(file.bytes().could_not(READ, self.shown(&entry.path))?)
            }
            Content::Large(_) | Content::Whole(..) => None,
        };
        let large_value = bytes.as_ref().map(|bytes| Large::new(bytes));
        let stays = match weaver.stays() || large_value.is_some() {
            true => Some(self.digest(&entry.path, &mut content)?),
            false => None,
        };
        if let (Format::Bytes | Format::Sqlite, None, Content::Large(file)) = (&of.format, &stays, &mut content) {
            content = self.attachment(&entry.path, file)?;
        }
        let names = of.path.captures().iter().map(String::as_str);
        let captures: Vec<(&str, &str)> = names.zip(taken.iter().map(String::as_str)).collect();
        let modified = Some(content.stat().modified_ns.div_euclid(1000) - MICROS_1970_TO_2000);
        let sha256 = stays.as_ref().map(|(sha256, _)| sha256.as_str());
        let facts = FileFacts { path: &entry.path, captures: &captures, modified, sha256 };
        let mut found = Found::default();
        let is_taken = match &stays {
            Some((_, hash)) => {
                found = Found { hash: hash.clone(), bytes: content.stat().size_bytes, ..found };
                let mut empty = Content::Whole(Vec::new(), *content.stat());
                self.rows_of(entry, kind, &facts, (&mut empty, large_value), &mut found)?
            }
            None => self.rows_of(entry, kind, &facts, (&mut content, None), &mut found)?,
        };
        if let Some(error) = bytes.as_ref().and_then(FileBytes::failure) {
            return Err(error).could_not(READ, self.shown(&entry.path));
        }
        if !is_taken {
            return Ok(());
        }
        if let Content::Large(file) = content {
            file.finish()?;
        }
        self.asked.file(kind, taken, &entry.path);
        let tally = &mut self.tally[kind];
        tally.files += 1;
        tally.bytes += found.bytes;
        tally.records += found.records;
        tally.of_records += u64::from(!found.has_residue && self.wanted.pieces.is_some());
        tally.residue_bytes += found.residue_bytes;
        let hash = Some(found.hash.digest128().to_be_bytes());
        drop(large);
        self.remember(entry, Remembered { kind: Some(&of.name), size_bytes: found.bytes, hash })
    }

    /// Hands over the rows of a file, piece by piece; whether it is what its kind says.
    fn rows_of(
        &mut self,
        entry: &Entry,
        kind: usize,
        facts: &FileFacts<'_>,
        (content, large): (&mut Content, Option<Large<'_>>),
        found: &mut Found,
    ) -> Result<bool> {
        let (weaver, tree) = (&self.weavers[kind], self.tree);
        let object = || quoted(&tree.path().join(&entry.path));
        let mut flaw = None;
        if self.sink.sets_aside() && pieces::are_many(weaver, content) {
            // None of its rows may go where it is to be set aside.
            pieces::each(weaver, content, &object, &mut |piece| {
                self.cancel.check(READ)?;
                Ok(match weaver.unweave(facts, piece) {
                    Ok(rows) => Then::Next(weaver.in_root(&rows)),
                    Err(found) => {
                        flaw = Some(found);
                        Then::Stop
                    }
                })
            })?;
            content.rewind().could_not(READ, object())?;
        }
        if flaw.is_none() {
            pieces::each(weaver, content, &object, &mut |piece| {
                self.cancel.check(READ)?;
                let piece = &Piece { large, ..*piece };
                match weaver.unweave(facts, piece) {
                    Ok(rows) => self.piece_of(entry, kind, (facts, piece), &rows, found),
                    Err(found) => {
                        flaw = Some(found);
                        Ok(Then::Stop)
                    }
                }
            })?;
        }
        let Some(flaw) = flaw else { return Ok(true) };
        self.sink.reject(Rejected {
            tree: self.label.to_owned(),
            path: entry.path.clone(),
            line: flaw.line,
            column: flaw.column,
            reason: flaw.reason,
        })?;
        Ok(false)
    }

    fn piece_of(
        &mut self,
        entry: &Entry,
        kind: usize,
        (facts, piece): (&FileFacts<'_>, &Piece<'_>),
        rows: &Rows<'_>,
        found: &mut Found,
    ) -> Result<Then> {
        let weaver = &self.weavers[kind];
        let marks = self.rows(kind, &entry.path, rows)?;
        found.hash.update(piece.text);
        found.bytes += piece.text.len() as u64;
        found.records += rows.len() as u64;
        if self.wanted.pieces.is_some() {
            let residue = weaver.residue(facts, piece, rows);
            found.has_residue |= residue.is_some();
            found.residue_bytes += residue.as_ref().map_or(0, |residue| residue.len() as u64);
            self.piece(&entry.path, found.pieces, Some(&marks::to_bytes(&marks)), residue.as_deref())?;
        }
        found.pieces += 1;
        Ok(Then::Next(weaver.in_root(rows)))
    }

    /// Looks whether a file is not too large for a value.
    fn ensure_value(&self, path: &str, size_bytes: u64) -> Result<()> {
        if size_bytes <= VALUE_BYTES_MAX {
            return Ok(());
        }
        let cause = format!("it has {size_bytes} bytes, and a value of SQLite has at most {VALUE_BYTES_MAX}");
        Err(Error::could_not(READ, self.shown(path), cause).hint(
            "leave `@content` away and say `@sha256` in `layout.toml`: such a file stays in the tree, and its row has its \
             SHA-256; or name it under `keep`, which carries it in pieces",
        ))
    }

    /// All of a large file that is one value.
    fn attachment(&self, path: &str, file: &mut LargeFile) -> Result<Content> {
        let size_bytes = file.stat().size_bytes;
        self.ensure_value(path, size_bytes)?;
        let mut bytes = Vec::with_capacity(usize::try_from(size_bytes).unwrap_or(0));
        file.read_to_end(&mut bytes).could_not(READ, self.shown(path))?;
        file.finish()?;
        Ok(Content::Whole(bytes, *file.stat()))
    }

    /// The SHA-256 of a file that stays in the tree, and its other hash.
    fn digest(&self, path: &str, content: &mut Content) -> Result<(String, Xxh3)> {
        let (mut sha256, mut hash) = (Sha256::new(), Xxh3::new());
        let mut take = |bytes: &[u8]| {
            sha256.update(bytes);
            hash.update(bytes);
        };
        match content {
            Content::Whole(bytes, _) => take(bytes),
            Content::Large(file) => {
                let mut buffer = vec![0; KEPT_BYTES_MAX];
                loop {
                    self.cancel.check(READ)?;
                    match file.read(&mut buffer).could_not(READ, self.shown(path))? {
                        0 => break,
                        read => take(&buffer[..read]),
                    }
                }
            }
        }
        Ok((hex(&sha256.finalize()), hash))
    }

    /// Hands over the rows of a file; their marks, where anybody wants them.
    fn rows(&mut self, kind: usize, path: &str, rows: &Rows<'_>) -> Result<Vec<Mark>> {
        let mut marks = Vec::new();
        for row in rows.iter() {
            let number = self.weavers[kind].sets()[row.set].records.table;
            let table = &self.layout.tables[number];
            if let Some(place) = table.key.iter().find(|place| row.cells[**place] == Cell::Null) {
                let cause = format!(
                    "a record of `{}` has no `{}`, which is of its key",
                    table.name, table.columns[*place].name
                );
                return Err(Error::could_not(READ, self.shown(path), cause));
            }
            self.asked.row(number, row.cells);
            let is_marked = self.wanted.pieces.is_some() || table.in_parts;
            let mark = is_marked.then(|| Mark::of(number, table, row.cells, &mut self.hasher));
            marks.extend(mark);
            match (&mut self.parts, &mark) {
                (Some(parts), Some(mark)) if table.in_parts => parts.add(mark, row.cells).map_err(|cause| {
                    let cause = cause.in_words(&table.name, &|column| table.columns[column].name.clone());
                    Error::could_not(READ, quoted(&self.tree.path().join(path)), cause)
                })?,
                _ => hand_over(&mut *self.sink, self.wanted.tables[number].as_ref(), row.cells)?,
            }
        }
        Ok(marks)
    }

    /// A file that is carried as bytes.
    fn kept(&mut self, entry: &Entry) -> Result<()> {
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        let (mut number, mut size_bytes) = (0, 0);
        let mut give = |reading: &mut Self, bytes: &[u8]| {
            hash.update(bytes);
            size_bytes += bytes.len() as u64;
            number += 1;
            reading.piece(&entry.path, number - 1, None, Some(bytes))
        };
        match self.tree.read(&entry.path, Growth::Refused)? {
            Content::Whole(bytes, _) => bytes.chunks(KEPT_BYTES_MAX).try_for_each(|piece| give(self, piece))?,
            Content::Large(mut file) => {
                let mut buffer = vec![0; KEPT_BYTES_MAX];
                loop {
                    let mut filled = 0;
                    while filled < buffer.len() {
                        match file.read(&mut buffer[filled..]).could_not(READ, self.shown(&entry.path))? {
                            0 => break,
                            read => filled += read,
                        }
                    }
                    if filled == 0 {
                        break;
                    }
                    give(self, &buffer[..filled])?;
                }
                file.finish()?;
            }
        }
        let hash = Some(hash.digest128().to_be_bytes());
        if let Some(kept) = self.tally.last_mut() {
            kept.files += 1;
            kept.bytes += size_bytes;
        }
        self.remember(entry, Remembered { kind: None, size_bytes, hash })
    }

    fn piece<'b>(&mut self, path: &str, number: i64, records: Option<&'b [u8]>, bytes: Option<&'b [u8]>) -> Result<()> {
        let binary = |bytes: Option<&'b [u8]>| bytes.map_or(Cell::Null, |bytes| Cell::Bytes(Cow::Borrowed(bytes)));
        let cells = [Cell::Text(path.into()), Cell::Int(number), binary(records), binary(bytes)];
        hand_over(&mut *self.sink, self.wanted.pieces.as_ref(), &cells)
    }

    fn remember(&mut self, entry: &Entry, remembered: Remembered<'_>) -> Result<()> {
        let (word, link) = match &entry.kind {
            EntryKind::Directory => ("directory", None),
            EntryKind::File => ("file", None),
            EntryKind::Link { leads_to } => ("link", Some(leads_to.as_str())),
        };
        let text = |text: Option<&str>| text.map_or(Cell::Null, |text| Cell::Text(Cow::Owned(text.to_owned())));
        // The permissions of a link mean nothing, and differ from system to system.
        let mode = if link.is_some() { 0 } else { i64::from(entry.mode) };
        let is_timed = self.layout.times && link.is_none();
        let cells = [
            Cell::Text(entry.path.as_str().into()),
            Cell::Text(word.into()),
            text(remembered.kind),
            Cell::Int(mode),
            text(link),
            if is_timed { Cell::Int(entry.stat.modified_ns) } else { Cell::Null },
            Cell::Int(i64::try_from(remembered.size_bytes).unwrap_or(i64::MAX)),
            remembered.hash.map_or(Cell::Null, |hash| Cell::Bytes(Cow::Owned(hash.to_vec()))),
        ];
        hand_over(&mut *self.sink, self.wanted.entries.as_ref(), &cells)
    }

    /// Rows that somebody has told, where no file does.
    ///
    /// # Errors
    /// When the sink fails.
    pub(super) fn hand_over_answers(&mut self) -> Result<()> {
        for (table, question) in self.asked.missing() {
            // Who looks at files alone does not need the row.
            let Some(wanted) = self.wanted.tables[table].as_ref() else { continue };
            let key = &question.key;
            // Whoever writes has asked before; who compares finds that the row is missing.
            let Some(answer) = self.answers.get(key) else { continue };
            hand_over(&mut *self.sink, Some(wanted), &self.asked.answered(table, key, answer))?;
        }
        Ok(())
    }

    /// Hands over the rows that several files make: all of those were read.
    ///
    /// # Errors
    /// When the sink fails.
    pub(super) fn hand_over_parts(&mut self) -> Result<()> {
        let Some(parts) = self.parts.take() else { return Ok(()) };
        let (sink, wanted) = (&mut *self.sink, &self.wanted);
        parts.each(&mut |table, cells| hand_over(sink, wanted.tables.get(table).and_then(Option::as_ref), cells))
    }
}

fn hand_over(sink: &mut dyn RowSink, wanted: Option<&Place>, cells: &[Cell<'_>]) -> Result<()> {
    let Some((place, columns)) = wanted else { return Ok(()) };
    if columns.iter().copied().eq(0..cells.len()) {
        return sink.row(*place, cells);
    }
    let cells: Vec<Cell<'_>> = columns.iter().map(|column| cells[*column].clone()).collect();
    sink.row(*place, &cells)
}

/// Whether a pattern names a text; `*` stands for any characters.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, rest)) => {
            let Some(tail) = text.strip_prefix(head) else { return false };
            (0..=tail.len()).filter(|at| tail.is_char_boundary(*at)).any(|at| glob(rest, &tail[at..]))
        }
    }
}
