//! A tree of files as a source of rows.
//!
//! A file is handed on when all of it is what its layout says: the rows in it, and what of it they do not tell. So rows of several
//! tables alternate. A large file is handed on piece by piece; where it could be set aside, it is looked through before. A row that
//! several files make is put together in a temporary database.
//!
//! Invariants: the tree is only read; nothing is read through a link; a file that changes meanwhile is read again, or an error.

pub use super::reading::{Tally, chooses, weaver};

use super::asked::{Answers, Asked, Question, not_asked};
use super::layout::{self, Layout, Place as Told};
use super::parts::Parts;
use super::reading::{self, READ, Reading, Wanted};
use super::tree::entry::{Entry, EntryKind, Stat};
use super::tree::journal;
use super::tree::walk::{Content, Growth, Seen, Tree};
use super::twice::{Finding, Twice};
use super::weave::{FileFacts, Piece, Weaver};
use crate::cancel::Cancel;
use crate::catalog::Catalog;
use crate::endpoint::sqlite::file::{quoted, resolve, shown};
use crate::endpoint::{Digests, ReadTable, Rejected, RowSink, Source};
use crate::error::{Context, Error, Kind, Result};
use crate::metadata::tree::{self, PIECES_TABLE, TREE_TABLE};
use crate::plan::choices::Choices;
use crate::value::{RowHasher, TableDigest};
use std::collections::HashSet;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// How many threads take digests at most.
const THREADS_MAX: usize = 4;

/// How many lots of entries are found before the threads that read them.
const LOTS_BETWEEN: usize = 4;

/// Entries that one thread reads: to hand over each of them alone would wake a thread for each.
#[derive(Default)]
struct Lot {
    /// Each with its number in the order of the walk.
    entries: Vec<(u64, Entry)>,
    bytes: u64,
}

const LOT_ENTRIES_MAX: usize = 32;
const LOT_BYTES_MAX: u64 = 1 << 20;

impl Lot {
    fn is_full(&self) -> bool {
        self.entries.len() >= LOT_ENTRIES_MAX || self.bytes >= LOT_BYTES_MAX
    }
}

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
    /// Who reads a large file; one at a time, for the sake of memory.
    large: Mutex<()>,
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

/// Told of a file that cannot be read: its path, and why.
type Unreadable<'u> = dyn FnMut(&str, Error) -> Result<()> + 'u;

/// What is wrong with a tree.
struct Twices {
    found: Vec<Twice>,
    rejected: Vec<Rejected>,
}

impl TreeSource {
    /// Reads every file, takes its records out of it and puts them into it again.
    ///
    /// # Errors
    /// When the root cannot be read. A file that is of no kind, cannot be read, or is not what its kind says is no error here.
    pub fn check(&mut self) -> Result<TreeCheck> {
        let (tree, mut unreadable) = (self.label.clone(), Vec::new());
        let found = self.find_twice(&[TREE_TABLE, PIECES_TABLE], &mut |path, error| {
            if error.kind() == Kind::Interrupted {
                return Err(error);
            }
            let reason =
                error.way_out().map_or_else(|| error.cause().to_owned(), |hint| format!("{}; {hint}", error.cause()));
            unreadable.push(Rejected { tree: tree.clone(), path: path.to_owned(), line: 1, column: 1, reason });
            Ok(())
        })?;
        let mut rejected = found.rejected;
        rejected.append(&mut unreadable);
        rejected.extend(found.found.into_iter().map(|twice| {
            let reason = twice.reason();
            let [_, path] = twice.paths;
            Rejected { tree: tree.clone(), path, line: 1, column: 1, reason }
        }));
        let mut kinds = std::mem::take(&mut self.tally);
        let kept = kinds.pop().unwrap_or_default();
        Ok(TreeCheck { kinds, kept, rejected })
    }

    /// Reads all rows, and finds records that are in two files.
    fn find_twice(&mut self, beside: &[&str], unreadable: &mut Unreadable<'_>) -> Result<Twices> {
        let (catalog, layout) = (Arc::clone(&self.catalog), Arc::clone(&self.layout));
        let is_wanted = |name: &str| !tree::is_of_tree(name) || beside.contains(&name);
        let tables: Vec<_> = catalog.tables.iter().filter(|table| is_wanted(&table.name.name)).collect();
        let requests: Vec<ReadTable<'_>> = tables.iter().map(|table| ReadTable::whole(table)).collect();
        let mut finding = Finding::new(&layout, tables.iter().map(|table| table.name.name.as_str()));
        self.read_or(&requests, &mut finding, unreadable)?;
        let Finding { found, rejected, .. } = finding;
        Ok(Twices { found, rejected })
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
                .hint("run that migration, sync or rollback again: it goes on from there first"));
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
            large: Mutex::new(()),
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
                let facts = FileFacts { path, captures: &captures, ..FileFacts::default() };
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
        match reading::opened(&self.tree, &self.layout, path, growth, &self.cancel)? {
            Content::Whole(bytes, stat) => Ok((bytes, stat)),
            Content::Large(mut file) => {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes).could_not(READ, quoted(&self.tree.path().join(path)))?;
                file.finish()?;
                Ok((bytes, *file.stat()))
            }
        }
    }

    /// The tree.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Whether the file at a path is read, by what was asked for.
    pub fn is_chosen(&self, path: &str) -> bool {
        let kind = match self.layout.place(path) {
            Told::Kind(kind, _) => Some(self.layout.kinds[kind].name.as_str()),
            Told::Kept | Told::Ignored | Told::Unknown => None,
        };
        !self.set_aside.contains(path)
            && (self.only.is_empty() || self.only.iter().any(|pattern| chooses(pattern, path, kind)))
    }

    /// Reads these entries of the tree and no others. A row in parts is handed over as each file has it.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub fn read_entries(&mut self, entries: &[Entry], tables: &[ReadTable<'_>], sink: &mut dyn RowSink) -> Result<()> {
        let layout = Arc::clone(&self.layout);
        let weavers = weavers(&layout)?;
        let mut reading = self.reading(&layout, &weavers, tables, sink)?;
        reading.parts = None;
        entries.iter().try_for_each(|entry| reading.entry(entry))
    }
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

    fn explain(&mut self, error: Error) -> Error {
        // What a database says of a row that is there already names no file.
        let is_twice = ["UNIQUE constraint failed", "rows have the key", "have the same key"];
        if !is_twice.iter().any(|part| error.cause().contains(part)) {
            return error;
        }
        let root = self.tree.path().to_path_buf();
        match self.find_twice(&[TREE_TABLE], &mut |_, error| Err(error)).map(|found| found.found.into_iter().next()) {
            Ok(Some(twice)) => twice.error(&|path| quoted(&root.join(path))),
            Ok(None) | Err(_) => error,
        }
    }

    fn read(&mut self, tables: &[ReadTable<'_>], sink: &mut dyn RowSink) -> Result<()> {
        self.read_or(tables, sink, &mut |_, error| Err(error))
    }

    /// By as many threads as there are processors, since a digest has no order.
    fn digests(&mut self, tables: &[ReadTable<'_>]) -> Result<Vec<TableDigest>> {
        let layout = Arc::clone(&self.layout);
        let weavers = weavers(&layout)?;
        // What several files say of a row, or somebody has told in their place, is put together by one.
        let together = layout.tables.iter().any(|table| table.in_parts) || !self.answers.is_empty();
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let threads = if together { 1 } else { processors.min(THREADS_MAX) };
        let this = &*self;
        let failed = AtomicBool::new(false);
        let read = |lots: &Mutex<Receiver<Lot>>| -> Result<Vec<TableDigest>, (u64, Error)> {
            let mut found = Digests::of(tables.len());
            let mut reading = this.reading(&layout, &weavers, tables, &mut found).map_err(|error| (0, error))?;
            let next = || lots.lock().unwrap_or_else(PoisonError::into_inner).recv();
            while let Ok(lot) = next() {
                lot.entries
                    .iter()
                    .try_for_each(|(number, entry)| reading.entry(entry).map_err(|error| (*number, error)))?;
            }
            let handed_over = reading.hand_over_parts().and_then(|()| reading.hand_over_answers());
            handed_over.map_err(|error| (u64::MAX, error))?;
            Ok(found.digests)
        };
        let (read, failed) = (&read, &failed);
        thread::scope(|scope| {
            let (to_readers, lots) = sync_channel::<Lot>(LOTS_BETWEEN);
            let lots = Arc::new(Mutex::new(lots));
            let readers = (0..threads).map(|_| {
                let lots = Arc::clone(&lots);
                scope.spawn(move || read(&lots).inspect_err(|_| failed.store(true, Ordering::Relaxed)))
            });
            let readers: Vec<_> = readers.collect();
            drop(lots);
            let (mut number, mut lot) = (0, Lot::default());
            let walked = this.tree.walk(&|path| layout.is_ignored(path), &mut |seen| match seen {
                Seen::Entry(_) if failed.load(Ordering::Relaxed) => Err(this.gone()),
                Seen::Entry(entry) => {
                    number += 1;
                    lot.bytes += entry.stat.size_bytes;
                    lot.entries.push((number, entry.clone()));
                    match lot.is_full() {
                        true => to_readers.send(std::mem::take(&mut lot)).map_err(|_| this.gone()),
                        false => Ok(()),
                    }
                }
                Seen::Ignored(_) => Ok(()),
            });
            let sent = to_readers.send(lot).map_err(|_| this.gone());
            drop(to_readers);
            let (mut digests, mut first) = (Digests::of(tables.len()).digests, None::<(u64, Error)>);
            for reader in readers {
                match reader.join().unwrap_or_else(|_| Err((u64::MAX, this.gone()))) {
                    Ok(found) => digests.iter_mut().zip(found).for_each(|(digest, found)| digest.merge(found)),
                    Err(error) if first.as_ref().is_none_or(|first| error.0 < first.0) => first = Some(error),
                    Err(_) => {}
                }
            }
            match first {
                // As if one had read all of them in their order.
                Some((_, error)) => Err(error),
                None => walked.and(sent).map(|()| digests),
            }
        })
    }
}

impl TreeSource {
    /// As [`Source::read`]; `unreadable` says what becomes of a file that cannot be read.
    fn read_or(
        &mut self,
        tables: &[ReadTable<'_>],
        sink: &mut dyn RowSink,
        unreadable: &mut Unreadable<'_>,
    ) -> Result<()> {
        let layout = Arc::clone(&self.layout);
        (0..tables.len()).try_for_each(|place| sink.begin(place))?;
        let weavers = weavers(&layout)?;
        let mut reading = self.reading(&layout, &weavers, tables, sink)?;
        self.tree.walk_all(&|path| layout.is_ignored(path), &mut |path, found| {
            let read = found.and_then(|seen| match seen {
                Seen::Entry(entry) => reading.entry(entry),
                Seen::Ignored(_) => Ok(()),
            });
            read.or_else(|error| unreadable(path, error))
        })?;
        reading.hand_over_parts()?;
        reading.hand_over_answers()?;
        let tally = reading.tally;
        self.tally = tally;
        (0..tables.len()).try_for_each(|place| sink.end(place))
    }

    fn reading<'r, 'l>(
        &'r self,
        layout: &'l Layout,
        weavers: &'r [Weaver<'l>],
        tables: &[ReadTable<'_>],
        sink: &'r mut dyn RowSink,
    ) -> Result<Reading<'r, 'l>> {
        let names = layout.kinds.iter().map(|kind| kind.name.clone()).chain([String::new()]);
        Ok(Reading {
            tree: &self.tree,
            label: &self.label,
            only: &self.only,
            answers: &self.answers,
            set_aside: &self.set_aside,
            asked: Asked::new(layout),
            cancel: &self.cancel,
            layout,
            weavers,
            wanted: Wanted::of(&self.catalog, layout, tables)?,
            parts: layout.tables.iter().any(|table| table.in_parts).then(Parts::new).transpose()?,
            sink,
            tally: names.map(|kind| Tally { kind, ..Tally::default() }).collect(),
            hasher: RowHasher::default(),
            large: &self.large,
        })
    }

    /// A reader has failed, which is told instead.
    fn gone(&self) -> Error {
        Error::could_not(READ, &self.label, "it was not read to its end")
    }
}

fn weavers(layout: &Layout) -> Result<Vec<Weaver<'_>>> {
    layout.kinds.iter().map(|kind| weaver(layout, kind)).collect()
}
