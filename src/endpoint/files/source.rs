//! A tree of files as a source of rows.
//!
//! Each file is read once, whole, and handed on only when all of it is what its layout says: the rows in it, and what of it they
//! do not tell. So rows of several tables alternate. A row that several files make is put together in a temporary database.
//!
//! Invariants: the tree is only read; nothing is read through a link; a file that changes meanwhile is read again, or an error.

use super::asked::{Answers, Asked, Question, not_asked};
use super::database::live;
use super::layout::{self, Format, Kind, Layout, Place as Told};
use super::marks::{self, Mark};
use super::pack::{pack, unpack};
use super::tree::entry::{Entry, EntryKind, Stat};
use super::tree::journal;
use super::tree::walk::{Content, Growth, Seen, Tree};
use super::weave::{FileFacts, Piece, Rows, Weaver};
use crate::cancel::Cancel;
use crate::catalog::Catalog;
use crate::endpoint::sqlite::file::{quoted, resolve, shown};
use crate::endpoint::{ReadTable, Rejected, RowSink, Source};
use crate::error::{Context, Error, Result};
use crate::metadata::tree::{self, PIECES_TABLE, TREE_TABLE};
use crate::plan::choices::Choices;
use crate::value::calendar::MICROS_1970_TO_2000;
use crate::value::{Cell, RowHasher};
use rusqlite::{Connection, OptionalExtension, params};
use std::borrow::Cow;
use std::collections::HashSet;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_128;

const READ: &str = "read";

/// How many bytes of a file that is carried as bytes stand in one row.
const PIECE_BYTES: usize = 1 << 20;

/// What the files of a tree are, and how somebody has written that.
#[derive(Debug, Clone)]
pub struct LayoutFile {
    /// What the text says.
    pub layout: Arc<Layout>,
    /// The text of `layout.toml`.
    pub text: String,
}

impl LayoutFile {
    /// The layout in a file, for the tree at `tree`.
    ///
    /// # Errors
    /// When there is none, or it is refused.
    pub fn load(file: Option<&Path>, tree: &Path) -> Result<LayoutFile> {
        let (layout, text) = layout::load(file.ok_or_else(|| LayoutFile::missing(tree))?)?;
        Ok(LayoutFile { layout: Arc::new(layout), text })
    }

    /// The layout that a file remembers; `None` where it was never a tree.
    ///
    /// # Errors
    /// When it is refused.
    pub fn remembered(catalog: &Catalog, file: &str) -> Result<Option<LayoutFile>> {
        let Some(text) = &catalog.layout else { return Ok(None) };
        let layout = layout::read(&format!("the layout that {file} remembers"), text)?;
        Ok(Some(LayoutFile { layout: Arc::new(layout), text: text.clone() }))
    }

    /// That nobody says what the files of a tree are.
    pub fn missing(tree: &Path) -> Error {
        Error::usage("use the tree", quoted(tree), "nothing says what its files are")
            .hint("name a project with a `layout.toml` before it, or a file that was made of such a tree beside it")
    }
}

/// A tree of files, read by its layout.
pub struct TreeSource {
    tree: Tree,
    label: String,
    layout: Arc<Layout>,
    catalog: Arc<Catalog>,
    only: Vec<String>,
    /// What somebody has told where no file does.
    answers: Answers,
    /// The paths of files that are passed over.
    set_aside: HashSet<String>,
    /// What was found of each kind at the last reading, and behind them of what is carried as bytes.
    tally: Vec<Tally>,
    cancel: Cancel,
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

/// What a tree is by its layout.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TreeCheck {
    /// Each kind of file.
    pub kinds: Vec<Tally>,
    /// Files that are carried as bytes.
    pub kept: Tally,
    /// Files that are not what the layout says.
    pub rejected: Vec<Rejected>,
}

/// Takes nothing but what is rejected.
struct Rejections(Vec<Rejected>);

impl RowSink for Rejections {
    fn row(&mut self, _table: usize, _cells: &[Cell<'_>]) -> Result<()> {
        Ok(())
    }

    fn reject(&mut self, rejected: Rejected) -> Result<()> {
        self.0.push(rejected);
        Ok(())
    }
}

impl TreeSource {
    /// Reads every file, takes its records out of it and puts them into it again.
    ///
    /// # Errors
    /// When a file cannot be read, or is of no kind. One that is not what its kind says is no error here.
    pub fn check(&mut self) -> Result<TreeCheck> {
        let tables = tree::tables();
        let requests: Vec<ReadTable<'_>> = tables.iter().map(ReadTable::whole).collect();
        let mut found = Rejections(Vec::new());
        self.read(&requests, &mut found)?;
        let mut kinds = std::mem::take(&mut self.tally);
        let kept = kinds.pop().unwrap_or_default();
        Ok(TreeCheck { kinds, kept, rejected: found.0 })
    }

    /// Opens the tree at `path`, which `layout` tells. With `only`, files whose path or kind is none of these patterns are
    /// passed over.
    ///
    /// # Errors
    /// When there is no tree, a killed run has left it half done, or the layout could not be taken back.
    pub fn open(path: &Path, layout: &LayoutFile, only: &[String], cancel: &Cancel) -> Result<Self> {
        let tree = Tree::open(path)?;
        if journal::is_pending(&tree)? {
            let cause = "a run that was killed has left it between its old content and its new one";
            return Err(Error::could_not(READ, quoted(path), cause)
                .hint("run that migration or rollback into the tree again: it goes on from there first"));
        }
        for kind in &layout.layout.kinds {
            weaver(&layout.layout, kind)?;
        }
        let label = shown(path);
        let catalog = Arc::new(catalog(layout, &label));
        Ok(TreeSource {
            tree,
            label,
            layout: Arc::clone(&layout.layout),
            catalog,
            only: only.to_vec(),
            answers: Answers::new(),
            set_aside: HashSet::new(),
            tally: Vec::new(),
            cancel: cancel.clone(),
        })
    }

    /// The same tree with what somebody has told where no file does, and without what a run has set aside.
    #[must_use]
    pub fn chosen(mut self, choices: &Choices) -> Self {
        self.answers.clone_from(&choices.answers);
        self.set_aside = choices.set_aside.iter().cloned().collect();
        self
    }

    /// What no file tells and the chosen ones need, whether somebody has told it or not. Only what has to be is read.
    ///
    /// # Errors
    /// When the tree cannot be walked, or a file not read.
    pub fn questions(&self) -> Result<Vec<Question>> {
        let layout = &*self.layout;
        if layout.asks.is_empty() {
            return Ok(Vec::new());
        }
        let (mut asked, mut is_readable) = (Asked::new(layout), true);
        self.tree.walk(&|path| layout.is_ignored(path), &mut |seen| {
            self.cancel.check(READ)?;
            let Seen::Entry(Entry { path, kind: EntryKind::File, .. }) = seen else { return Ok(()) };
            let Told::Kind(kind, captures) = layout.place(path) else { return Ok(()) };
            if self.only.is_empty() || self.only.iter().any(|one| chooses(one, path, Some(&layout.kinds[kind].name))) {
                asked.file(kind, &captures, path);
            }
            let weaver = weaver(layout, &layout.kinds[kind])?;
            if weaver.sets().iter().any(|set| layout.asks.iter().any(|ask| ask.table == set.records.table)) {
                let bytes = self.whole(path, Growth::Refused)?.0;
                let names = layout.kinds[kind].path.captures().iter().map(String::as_str);
                let captures: Vec<(&str, &str)> = names.zip(captures.iter().map(String::as_str)).collect();
                let facts = FileFacts { path, captures: &captures, modified: None };
                match weaver.unweave(&facts, &Piece::whole(&bytes)) {
                    Ok(rows) => {
                        rows.iter().for_each(|row| asked.row(weaver.sets()[row.set].records.table, row.cells));
                    }
                    // Whoever reads the tree is told so, and does not want to be asked for everything before.
                    Err(_) => is_readable = false,
                }
            }
            Ok(())
        })?;
        Ok(if is_readable { asked.missing().map(|(_, question)| question).collect() } else { Vec::new() })
    }

    /// Looks whether everything is told that no file tells, and nothing that nobody asks for.
    ///
    /// # Errors
    /// When it is not, or the tree cannot be read.
    pub fn ensure_answered(&self) -> Result<()> {
        let questions = self.questions()?;
        if let Some(question) = questions.iter().find(|question| !self.answers.contains_key(&question.key)) {
            return Err(question.unanswered());
        }
        let is_asked = |key: &String| questions.iter().any(|question| question.key == *key);
        match self.answers.keys().find(|key| !is_asked(key)) {
            Some(key) => Err(not_asked(key, &questions)),
            None => Ok(()),
        }
    }

    /// Looks whether each pattern chooses a file: a typing error must not make an empty target.
    ///
    /// # Errors
    /// When one does not, or the tree cannot be walked.
    pub fn ensure_all_choose(&self) -> Result<()> {
        let mut unused: Vec<&String> = self.only.iter().collect();
        if unused.is_empty() {
            return Ok(());
        }
        let layout = &self.layout;
        self.tree.walk(&|path| layout.is_ignored(path), &mut |seen| {
            if let Seen::Entry(Entry { path, kind: EntryKind::File, .. }) = seen {
                match layout.place(path) {
                    Told::Kind(kind, _) => unused.retain(|one| !chooses(one, path, Some(&layout.kinds[kind].name))),
                    Told::Kept => unused.retain(|one| !chooses(one, path, None)),
                    Told::Ignored | Told::Unknown => {}
                }
            }
            Ok(())
        })?;
        let Some(pattern) = unused.first() else { return Ok(()) };
        let kinds: Vec<_> = layout.kinds.iter().map(|kind| format!("`{}`", kind.name)).collect();
        Err(Error::usage("choose files", format!("`--only {pattern}`"), "no file of the tree has such a path or kind")
            .hint(format!("paths are told from the root of the tree; the kinds are {}", kinds.join(", "))))
    }

    fn whole(&self, path: &str, growth: Growth) -> Result<(Vec<u8>, Stat)> {
        let is_database = |kind: &Kind| kind.format == Format::Sqlite && kind.path.matches(path);
        if self.layout.kinds.iter().any(is_database)
            && let Some(state) = live::state(&self.tree, path, &self.cancel)?
        {
            return Ok(state);
        }
        match self.tree.read(path, growth)? {
            Content::Whole(bytes, stat) => Ok((bytes, stat)),
            Content::Large(mut file) => {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes).could_not(READ, quoted(&self.tree.path().join(path)))?;
                Ok((bytes, file.finish()?))
            }
        }
    }

    /// The tree.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }
}

/// Whether a pattern of `--only` chooses a file of that path and kind.
fn chooses(pattern: &str, path: &str, kind: Option<&str>) -> bool {
    glob(pattern, path) || kind.is_some_and(|kind| glob(pattern, kind))
}

/// What weaves the files of a kind.
///
/// # Errors
/// When the kind could not be taken back.
pub(super) fn weaver<'l>(layout: &'l Layout, kind: &'l Kind) -> Result<Weaver<'l>> {
    Weaver::new(layout, kind).map_err(|reason| Error::usage("use the layout", format!("files `{}`", kind.name), reason))
}

/// The schema of a tree: the layout's tables, and what is remembered of the tree itself.
pub fn catalog(layout: &LayoutFile, database: &str) -> Catalog {
    let mut catalog = super::layout::catalog(&layout.layout);
    catalog.tables.extend(tree::tables());
    Catalog { database: database.to_owned(), layout: Some(layout.text.clone()), ..catalog }
}

impl Source for TreeSource {
    fn label(&self) -> &str {
        &self.label
    }

    fn ensure_apart(&self, target: &Path) -> Result<()> {
        let (root, target_path) = (resolve(self.tree.path())?, resolve(target)?);
        let cause = if target_path == root {
            "it is the source itself".to_owned()
        } else if root.starts_with(&target_path) {
            format!("the source {} is in it", quoted(&root))
        } else if let Ok(inside) = target_path.strip_prefix(&root)
            && !inside.to_str().is_some_and(|inside| self.layout.is_ignored(inside))
        {
            format!("it is in the source {}, whose layout does not ignore it", quoted(&root))
        } else {
            return Ok(());
        };
        Err(Error::usage("use target", quoted(target), cause)
            .hint("nothing was touched; name another target, or let `ignore` in the `layout.toml` tell a file that belongs in there"))
    }

    fn catalog(&mut self) -> Result<Arc<Catalog>> {
        Ok(Arc::clone(&self.catalog))
    }

    fn read(&mut self, tables: &[ReadTable<'_>], sink: &mut dyn RowSink) -> Result<()> {
        let layout = Arc::clone(&self.layout);
        let wanted = Wanted::of(&self.catalog, &layout, tables)?;
        (0..tables.len()).try_for_each(|place| sink.begin(place))?;
        let weavers = layout.kinds.iter().map(|kind| weaver(&layout, kind)).collect::<Result<Vec<_>>>()?;
        let parts = layout.tables.iter().any(|table| table.in_parts).then(Parts::new).transpose()?;
        let this = &*self;
        let names = layout.kinds.iter().map(|kind| kind.name.clone()).chain([String::new()]);
        let tally = names.map(|kind| Tally { kind, ..Tally::default() }).collect();
        let hasher = RowHasher::default();
        let asked = Asked::new(&layout);
        let mut reading = Reading { source: this, layout: &layout, weavers, wanted, parts, sink, tally, hasher, asked };
        this.tree.walk(&|path| layout.is_ignored(path), &mut |seen| match seen {
            Seen::Entry(entry) => reading.entry(entry),
            Seen::Ignored(_) => Ok(()),
        })?;
        reading.hand_over_parts()?;
        reading.hand_over_answers()?;
        let tally = reading.tally;
        self.tally = tally;
        (0..tables.len()).try_for_each(|place| sink.end(place))
    }
}

/// Where the rows of a table go: the place in the request, and the places of the requested columns.
type Place = (usize, Vec<usize>);

/// What is requested.
struct Wanted {
    /// Of each of the layout's tables.
    tables: Vec<Option<Place>>,
    entries: Option<Place>,
    pieces: Option<Place>,
}

impl Wanted {
    fn of(catalog: &Catalog, layout: &Layout, requests: &[ReadTable<'_>]) -> Result<Wanted> {
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
struct Reading<'r, 'l> {
    source: &'r TreeSource,
    layout: &'l Layout,
    weavers: Vec<Weaver<'l>>,
    wanted: Wanted,
    parts: Option<Parts>,
    sink: &'r mut dyn RowSink,
    tally: Vec<Tally>,
    hasher: RowHasher,
    asked: Asked<'l>,
}

/// What is remembered of an entry besides what the tree says of it.
#[derive(Default)]
struct Remembered<'r> {
    kind: Option<&'r str>,
    size_bytes: u64,
    hash: Option<[u8; 16]>,
}

impl Reading<'_, '_> {
    fn entry(&mut self, entry: &Entry) -> Result<()> {
        self.source.cancel.check(READ)?;
        match &entry.kind {
            EntryKind::Directory | EntryKind::Link { .. } => self.remember(entry, Remembered::default()),
            EntryKind::File => self.file(entry),
        }
    }

    fn file(&mut self, entry: &Entry) -> Result<()> {
        let path = entry.path.as_str();
        let layout = self.layout;
        if self.source.set_aside.contains(path) {
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
        let only = &self.source.only;
        only.is_empty() || only.iter().any(|pattern| chooses(pattern, path, kind))
    }

    fn shown(&self, path: &str) -> String {
        quoted(&self.source.tree.path().join(path))
    }

    /// A file whose records are rows.
    fn records(&mut self, entry: &Entry, kind: usize, taken: &[String]) -> Result<()> {
        let layout = self.layout;
        let of = &layout.kinds[kind];
        let growth = match of.format {
            Format::JsonLines | Format::Lines(_) => Growth::Allowed,
            Format::Json | Format::Yaml | Format::Markdown { .. } | Format::Bytes | Format::Sqlite => Growth::Refused,
        };
        let (bytes, stat) = self.source.whole(&entry.path, growth)?;
        let names = of.path.captures();
        let captures: Vec<(&str, &str)> =
            names.iter().map(String::as_str).zip(taken.iter().map(String::as_str)).collect();
        let facts = FileFacts {
            path: &entry.path,
            captures: &captures,
            modified: Some(stat.modified_ns.div_euclid(1000) - MICROS_1970_TO_2000),
        };
        let piece = Piece::whole(&bytes);
        let rows = match self.weavers[kind].unweave(&facts, &piece) {
            Ok(rows) => rows,
            Err(flaw) => {
                return self.sink.reject(Rejected {
                    tree: self.source.label.clone(),
                    path: entry.path.clone(),
                    line: flaw.line,
                    column: flaw.column,
                    reason: flaw.reason,
                });
            }
        };
        self.asked.file(kind, taken, &entry.path);
        let marks = self.rows(kind, &entry.path, &rows)?;
        let tally = &mut self.tally[kind];
        tally.files += 1;
        tally.bytes += bytes.len() as u64;
        tally.records += rows.len() as u64;
        if self.wanted.pieces.is_some() {
            let residue = self.weavers[kind].residue(&facts, &piece, &rows);
            tally.of_records += u64::from(residue.is_none());
            tally.residue_bytes += residue.as_ref().map_or(0, |residue| residue.len() as u64);
            self.piece(&entry.path, 0, Some(&marks::to_bytes(&marks)), residue.as_deref())?;
        }
        let hash = Some(xxh3_128(&bytes).to_be_bytes());
        self.remember(entry, Remembered { kind: Some(&of.name), size_bytes: bytes.len() as u64, hash })
    }

    /// Hands over the rows of a file.
    fn rows(&mut self, kind: usize, path: &str, rows: &Rows<'_>) -> Result<Vec<Mark>> {
        let mut marks = Vec::with_capacity(rows.len());
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
            let mark = Mark::of(number, table, row.cells, &mut self.hasher);
            marks.push(mark);
            match &mut self.parts {
                Some(parts) if table.in_parts => parts.add(&mark, row.cells).map_err(|cause| {
                    let cause = cause.in_words(&table.name, &|column| table.columns[column].name.clone());
                    Error::could_not(READ, quoted(&self.source.tree.path().join(path)), cause)
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
        match self.source.tree.read(&entry.path, Growth::Refused)? {
            Content::Whole(bytes, _) => bytes.chunks(PIECE_BYTES).try_for_each(|piece| give(self, piece))?,
            Content::Large(mut file) => {
                let mut buffer = vec![0; PIECE_BYTES];
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

    fn piece(&mut self, path: &str, number: i64, records: Option<&[u8]>, bytes: Option<&[u8]>) -> Result<()> {
        let binary =
            |bytes: Option<&'_ [u8]>| bytes.map_or(Cell::Null, |bytes| Cell::Bytes(Cow::Owned(bytes.to_vec())));
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
    fn hand_over_answers(&mut self) -> Result<()> {
        for (table, question) in self.asked.missing() {
            // Who looks at files alone does not need the row.
            let Some(wanted) = self.wanted.tables[table].as_ref() else { continue };
            let key = &question.key;
            // Whoever writes has asked before; who compares finds that the row is missing.
            let Some(answer) = self.source.answers.get(key) else { continue };
            hand_over(&mut *self.sink, Some(wanted), &self.asked.answered(table, key, answer))?;
        }
        Ok(())
    }

    fn hand_over_parts(&mut self) -> Result<()> {
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

/// Rows that several files make, until the last of them was read.
struct Parts(Connection);

/// Why a part does not go into its row.
enum PartFault {
    /// Two files say a column differently.
    Differs(usize),
    Storage(String),
}

impl PartFault {
    fn in_words(self, table: &str, column: &dyn Fn(usize) -> String) -> String {
        match self {
            PartFault::Differs(place) => {
                format!("another file says `{}` of the same row of `{table}` differently", column(place))
            }
            PartFault::Storage(cause) => cause,
        }
    }
}

impl From<rusqlite::Error> for PartFault {
    fn from(error: rusqlite::Error) -> Self {
        PartFault::Storage(error.to_string())
    }
}

impl Parts {
    fn new() -> Result<Parts> {
        let open = || {
            let connection = Connection::open("")?;
            connection.execute_batch(
                "CREATE TABLE parts (tbl INTEGER, key BLOB, cells BLOB, PRIMARY KEY (tbl, key)) WITHOUT ROWID; BEGIN",
            )?;
            Ok(connection)
        };
        open().map(Parts).map_err(|error: rusqlite::Error| Error::could_not("open", "a temporary database", error))
    }

    fn add(&self, mark: &Mark, cells: &[Cell<'_>]) -> Result<(), PartFault> {
        let key = mark.key.to_be_bytes();
        let mut known = self.0.prepare_cached("SELECT cells FROM parts WHERE tbl = ?1 AND key = ?2")?;
        let known: Option<Vec<u8>> = known.query_row(params![mark.table, key], |row| row.get(0)).optional()?;
        let known = known.as_deref().and_then(unpack).unwrap_or_default();
        let mut merged = Vec::with_capacity(cells.len());
        for (place, cell) in cells.iter().enumerate() {
            merged.push(match known.get(place) {
                None | Some(Cell::Null) => cell.clone(),
                Some(known) if *cell == Cell::Null || known == cell => known.clone(),
                Some(_) => return Err(PartFault::Differs(place)),
            });
        }
        let mut bytes = Vec::new();
        pack(&merged, &mut bytes)
            .map_err(|place| PartFault::Storage(format!("column {place} has no form of a file")))?;
        let mut put = self.0.prepare_cached("REPLACE INTO parts (tbl, key, cells) VALUES (?1, ?2, ?3)")?;
        put.execute(params![mark.table, key, bytes])?;
        Ok(())
    }

    fn each(self, give: &mut dyn FnMut(usize, &[Cell<'_>]) -> Result<()>) -> Result<()> {
        const OPERATION: &str = "put rows together in";
        let failed = |error: rusqlite::Error| Error::could_not(OPERATION, "a temporary database", error);
        let mut all = self.0.prepare("SELECT tbl, cells FROM parts").map_err(failed)?;
        let mut rows = all.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let table = row.get::<_, u32>(0).map_err(failed)? as usize;
            let bytes = row.get_ref(1).and_then(|value| Ok(value.as_blob()?)).map_err(failed)?;
            let cells = unpack(bytes);
            give(
                table,
                &cells.ok_or_else(|| Error::could_not(OPERATION, "a temporary database", "a row is damaged"))?,
            )?;
        }
        Ok(())
    }
}
