//! The run as a whole.

use super::apply::{Applying, RowChange, grouped};
use super::base::{Base, NO_BASE, Paths, id_of, kind_of};
use super::compared::Compared;
use super::files::{Files, grows};
use super::links::Linking;
use super::made::Made;
use super::merge::{Decision, Decisions, Preferences, decide};
use super::pending::{self, Pending};
use super::record::{Id, Outcome, Side, Synced, Which};
use super::rows::{Forms, Rows};
use super::seen::{self, DatabaseState, Seen};
use super::store::Store;
use super::values::key_of_packed;
use super::writing::{FileChange, Writing};
use crate::cancel::Cancel;
use crate::endpoint::files::layout::Layout;
use crate::endpoint::files::marks::{self, Mark};
use crate::endpoint::files::pack::unpack;
use crate::endpoint::files::rows::homes;
use crate::endpoint::files::source::{TreeSource, weaver};
use crate::endpoint::files::tree::draft::DIRECTORY_MODE;
use crate::endpoint::files::tree::entry::{Entry, Stat};
use crate::endpoint::files::tree::journal::{self, Changes};
use crate::endpoint::files::weave::Weaver;
use crate::endpoint::sqlite::checks::run_folder_on;
use crate::endpoint::sqlite::file::{Content, TargetFile, quoted};
use crate::endpoint::sqlite::holders::Holders;
use crate::endpoint::sqlite::pragma;
use crate::endpoint::sqlite::read::{describe, open, stop_when};
use crate::endpoint::sqlite::remembered::read_manifest;
use crate::endpoint::sqlite::target_lock::TargetLock;
use crate::error::{Context, Error, Result};
use crate::metadata::Record;
use crate::metadata::base::{Digests, EntryRow, OfPath, PieceRow, renew_choices, renew_digests, renew_path};
use crate::metadata::tree::{PIECES_TABLE, TREE_TABLE};
use crate::value::{Cell, TableDigest};
use rusqlite::{Connection, OpenFlags};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

const SYNC: &str = "sync";

/// How long other writers are waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Memory for pages in KiB: what is read is read once.
const CACHE_KIB: i64 = 16 * 1024;

/// A side that conflicts are decided for, as it was named: in one table, or in all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preference {
    /// The side.
    pub which: Which,
    /// The table; `None` for all that are not named.
    pub table: Option<String>,
}

/// What a sync is asked for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The tree.
    pub tree: PathBuf,
    /// The SQLite file that was made of it.
    pub file: PathBuf,
    /// The project's layout; it has to be the one that the file was made by.
    pub layout: Option<PathBuf>,
    /// A folder of checks that have to hold afterwards.
    pub checks: Option<PathBuf>,
    /// For which side conflicts are decided.
    pub prefer: Vec<Preference>,
    /// Everything but the changes.
    pub dry_run: bool,
    /// Files are read whatever their state says, and so are the rows.
    pub rehash: bool,
}

/// Merges, or says what would be merged.
///
/// # Errors
/// When a side cannot be read, or the other one does not take what was changed; then nothing was changed.
pub fn sync(options: &Options, cancel: &Cancel) -> Result<Synced> {
    let target = TargetFile::inspect(&options.file)?;
    if target.content == Content::Missing {
        return Err(Error::usage(SYNC, quoted(&options.file), "there is no such file")
            .hint("make it first: `whimbrel migrate PROJECT TREE FILE`"));
    }
    let held = match options.dry_run {
        true => None,
        false => {
            let patience = u32::try_from(PATIENCE.as_millis()).unwrap_or(u32::MAX);
            let lock = TargetLock::take_to(SYNC, &options.file, patience, &cancel.flag())?;
            journal::recover(&options.tree)?;
            Some(lock)
        }
    };
    let connection = match held {
        None => open(&options.file, &cancel.flag())?,
        Some(_) => writable(&target.path, cancel)?,
    };
    let made = Made::of(&connection, &options.file, options.layout.as_deref())?;
    let layout = &*made.layout.layout;
    let weavers = layout.kinds.iter().map(|kind| weaver(layout, kind)).collect::<Result<Vec<Weaver<'_>>>>()?;
    let forms = Forms { layout, weavers: &weavers, homes: homes(layout, &weavers) };
    let preferences = preferences(layout, &options.prefer)?;
    let mut source =
        TreeSource::open(&options.tree, &made.layout, &made.choices.only, cancel)?.chosen(&made.with_aside(Vec::new()));
    let pending = Pending::read(&target.path, made.digest())?;
    let side = Sides {
        options,
        connection: &connection,
        forms: &forms,
        made: &made,
        preferences: &preferences,
        pending: &pending,
        cancel,
    };
    begin(&connection, "BEGIN", options)?;
    let mut since = seen::now_ns();
    let mut compared = side.compare(&mut source, &target.path)?;
    let version = data_version(&connection)?;
    end(&connection)?;
    side.ensure_not_emptied(&compared)?;
    if options.dry_run {
        return compared.told(layout, options.dry_run);
    }
    if compared.is_done() {
        let synced = compared.told(layout, options.dry_run)?;
        // What it says of files has not come true, or is the base by now.
        pending::forget(&target.path);
        side.keep_seen(&target.path, (&compared, &synced), version, since)?;
        return Ok(synced);
    }
    begin(&connection, "BEGIN IMMEDIATE", options)?;
    let done = (|| {
        if data_version(&connection)? != version {
            since = seen::now_ns();
            compared = side.compare(&mut source, &target.path)?;
            side.ensure_not_emptied(&compared)?;
        }
        Ok((side.make(&mut source, &mut compared, &target.path)?, data_version(&connection)?))
    })();
    match done {
        Ok((synced, version)) => {
            connection.execute_batch("COMMIT").map_err(|error| {
                describe("commit to", quoted(&options.file), error)
                    .hint("what rows have changed is in the files already, and nothing is lost; run again")
            })?;
            pending::forget(&target.path);
            side.keep_seen(&target.path, (&compared, &synced), version, since)?;
            Ok(synced)
        }
        Err(error) => {
            let _ = end(&connection);
            Err(error)
        }
    }
}

fn begin(connection: &Connection, sql: &str, options: &Options) -> Result<()> {
    let begin = || {
        connection.execute_batch(sql)?;
        // The state is taken by the first statement that reads.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
    };
    begin().map_err(|error| {
        let code = error.sqlite_error_code();
        let told = describe("lock", quoted(&options.file), error);
        match code {
            Some(rusqlite::ErrorCode::DatabaseBusy) => {
                told.hint("another program has been writing to it for 30 s; run again when it has ended")
            }
            _ => told,
        }
    })
}

fn end(connection: &Connection) -> Result<()> {
    connection.execute_batch("ROLLBACK").map_err(|error| describe(SYNC, "the file", error))
}

fn data_version(connection: &Connection) -> Result<i64> {
    let version = connection.query_row("PRAGMA data_version", [], |row| row.get(0));
    version.map_err(|error| describe("read", "the file", error))
}

fn writable(path: &Path, cancel: &Cancel) -> Result<Connection> {
    let open = || -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        pragma::set(&connection, "cache_size", -CACHE_KIB)?;
        // No cascade is to remove what files have left; the keys are looked at when all is written.
        pragma::set(&connection, "foreign_keys", 0)?;
        pragma::names_only_in_queries(&connection)?;
        Ok(connection)
    };
    let connection = open().map_err(|error| describe("open", quoted(path), error))?;
    stop_when(&connection, &cancel.flag())?;
    Ok(connection)
}

fn preferences(layout: &Layout, named: &[Preference]) -> Result<Preferences> {
    let mut found = Preferences::default();
    for Preference { which, table } in named {
        let twice = |what: String| {
            Error::usage("read the arguments", "`--prefer`", format!("{what} is decided for both sides"))
        };
        match table {
            None if found.all.is_some_and(|known| known != *which) => return Err(twice("everything".to_owned())),
            None => found.all = Some(*which),
            Some(name) => {
                let place = layout.tables.iter().position(|table| table.name == *name).ok_or_else(|| {
                    let known: Vec<String> = layout.tables.iter().map(|table| format!("`{}`", table.name)).collect();
                    Error::usage(
                        "read the arguments",
                        format!("`--prefer`, table `{name}`"),
                        "the layout has no such table",
                    )
                    .hint(format!("its tables are {}", known.join(", ")))
                })?;
                if found.tables.insert(place, *which).is_some_and(|known| known != *which) {
                    return Err(twice(format!("table `{name}`")));
                }
            }
        }
    }
    Ok(found)
}

/// Both sides.
struct Sides<'s, 'l> {
    options: &'s Options,
    connection: &'s Connection,
    forms: &'s Forms<'l>,
    made: &'s Made,
    preferences: &'s Preferences,
    /// What ended runs have left.
    pending: &'s Pending,
    cancel: &'s Cancel,
}

impl Sides<'_, '_> {
    /// Compares, in the state of the SQLite file that the transaction has.
    fn compare(&self, source: &mut TreeSource, file: &Path) -> Result<Compared> {
        let layout = self.forms.layout;
        let seen = match self.options.rehash {
            true => None,
            false => Seen::read(file, self.made.digest.as_deref(), seen::root_of(&self.options.tree)?),
        };
        let now = DatabaseState::of_open(self.connection, file);
        let rows_stand = self.pending.is_empty() && seen.as_ref().is_some_and(|seen| seen.has_database(now.as_ref()));
        let (mut paths, store) = (Paths::default(), Store::new()?);
        let mut base = Base::read(self.connection, layout, &mut paths, self.made.record_count())?;
        let trusted = |path: &str, stat: &Stat| seen.as_ref().is_some_and(|seen| seen.has_file(path, stat));
        let aside = &self.made.choices.set_aside;
        let mut files = Files::read(source, layout, &base, (&trusted, aside), (&mut paths, &store), self.cancel)?;
        refuse_links(&files, &base, &paths)?;
        self.pending.settle(&mut base, &files, &paths);
        let of_files = files.candidates(&base, &paths);
        let plans = &self.made.plans;
        let wanted = (&base, &of_files);
        let rows = match rows_stand {
            true => Rows::unread(self.connection, self.forms, plans, wanted, &store)?,
            false => {
                let all = |_: usize| true;
                Rows::read(self.connection, self.forms, plans, wanted, (&paths, &store), &all, self.cancel)?
            }
        };
        let of_rows = rows.candidates(&base);
        let writing = Writing { forms: self.forms, base: &base, store: &store };
        let affected = writing.affected(&of_rows, &files, &paths)?;
        let entries: Vec<Entry> = affected
            .iter()
            .filter(|place| !files.apart.contains(place))
            .filter_map(|place| files.found.get(paths.path(*place)).cloned())
            .collect();
        files.take_apart(source, layout, &entries, (&mut paths, &store))?;
        let mut decisions = {
            let candidates: BTreeSet<Id> = of_files.union(&of_rows).copied().collect();
            let side = |which: Which, id: Id| match which {
                Which::Files => files.side(id, &base, &paths),
                Which::Rows => rows.side(id, &base),
            };
            let linking = Linking { connection: self.connection, forms: self.forms, plans, store: &store };
            decide(&candidates, &side, (&base, &linking), self.preferences)?
        };
        let writing = Writing { forms: self.forms, base: &base, store: &store };
        let changes = writing.changes(source, &mut files, &mut paths, &mut decisions)?;
        let chosen = |path: &str| source.is_chosen(path);
        let removed = files.removed(&base, &chosen).into_iter().map(|entry| entry.path.clone()).collect();
        let has_fewer_aside = files.set_aside.len() < aside.iter().collect::<HashSet<_>>().len();
        let has_other_numbers = Record::has_other_numbers(self.connection)
            .map_err(|error| describe("read", quoted(&self.options.file), error))?;
        let mut compared = Compared {
            paths,
            store,
            base,
            files,
            rows,
            decisions,
            changes,
            row_changes: Vec::new(),
            removed,
            has_fewer_aside,
            has_other_numbers,
        };
        compared.row_changes = self.row_changes(&compared)?;
        Ok(compared)
    }

    /// What becomes of rows.
    fn row_changes(&self, compared: &Compared) -> Result<Vec<RowChange>> {
        let Compared { store, rows, decisions, base, .. } = compared;
        let mut changes = Vec::new();
        let cells = |which: Which, id: Id| -> Result<Option<Vec<Cell<'static>>>> {
            let stored = store.get(which, id)?;
            let cells = stored.as_ref().and_then(|stored| unpack(&stored.packed));
            Ok(cells.map(|cells| cells.into_iter().map(Cell::into_owned).collect()))
        };
        let respelled = rows.respelled.iter().filter(|id| !decisions.contains_key(id));
        for id in decisions.keys().chain(respelled) {
            let outcome = decisions.get(id).map(|decision| (decision.outcome, decision.files));
            let change = match outcome {
                Some((Outcome::Files, Side::Gone)) => cells(Which::Rows, *id)?.map(|cells| (cells, false)),
                Some((Outcome::Files, Side::Same | Side::Is(_))) => {
                    cells(Which::Files, *id)?.map(|cells| (cells, true))
                }
                Some((Outcome::Conflict | Outcome::Unwritable, _)) => None,
                Some((Outcome::Rows | Outcome::Alike, _)) | None if rows.respelled.contains(id) => {
                    cells(Which::Rows, *id)?.map(|cells| (cells, true))
                }
                Some((Outcome::Rows | Outcome::Alike, _)) | None => None,
            };
            changes.extend(change.map(|(cells, stays)| (*id, cells, stays)));
        }
        let has_part = |id: Id| match decisions.get(&id) {
            Some(decision) => decision.stays(),
            None => base.hash(id).is_some(),
        };
        Ok(grouped(changes, &has_part, self.forms))
    }

    /// Makes the changes, in the transaction that has begun.
    fn make(&self, source: &mut TreeSource, compared: &mut Compared, file: &Path) -> Result<Synced> {
        let mut synced = compared.told(self.forms.layout, false)?;
        let kept = |name: &str| self.made.kept.get(name).copied().unwrap_or_default();
        let digests = match compared.rows.are_read {
            true => compared.rows.digests.clone(),
            false => self.made.plans.iter().map(|plan| kept(&plan.target)).collect(),
        };
        let mut applying = Applying::new(self.connection, self.forms, &self.made.plans, digests)?;
        let before = |id: Id| match compared.rows.side(id, &compared.base) {
            Side::Same => compared.base.hash(id),
            Side::Gone => None,
            Side::Is(hash) => Some(hash),
        };
        applying.apply(&compared.row_changes, &before)?;
        synced.rows_written = applying.written;
        if applying.written > 0 {
            self.check()?;
        }
        self.cancel.check(SYNC)?;
        if !compared.changes.is_empty() {
            let written = compared.decisions.iter().filter(|(_, one)| one.outcome == Outcome::Rows);
            let written = written.map(|(id, one)| (*id, if one.stays() { before(*id) } else { None }));
            self.pending.clone().with(written).keep(file, self.made.digest())?;
        }
        self.write_files(source, compared)?;
        let row_digests = applying.digests;
        self.renew_base(compared, &row_digests)?;
        self.prove(compared, &row_digests)?;
        Ok(synced)
    }

    /// Refuses a side that has nothing left of what both had: more likely than that all of it was deleted is a disk that is not mounted.
    fn ensure_not_emptied(&self, compared: &Compared) -> Result<()> {
        let Compared { base, decisions, .. } = compared;
        let has_lost_all = |which: Which| {
            let gone = decisions.iter().filter(|(id, decision)| {
                let side = if which == Which::Files { decision.files } else { decision.rows };
                base.hash(**id).is_some() && side == Side::Gone
            });
            base.records.len() > 1 && gone.count() == base.records.len()
        };
        let (files, rows) = (has_lost_all(Which::Files), has_lost_all(Which::Rows));
        let (which, object, word) = match (files, rows) {
            (true, false) => (Which::Files, quoted(&self.options.tree), "files"),
            (false, true) => (Which::Rows, quoted(&self.options.file), "rows"),
            (true, true) | (false, false) => return Ok(()),
        };
        match self.preferences.all == Some(which) {
            true => Ok(()),
            false => Err(Error::could_not(SYNC, object, "it has nothing left of all that both sides had").hint(format!(
                "nothing was changed; look whether it is the right one, and its disk is mounted; if all was deleted on purpose, \
                 say so with `--prefer {word}`"
            ))),
        }
    }

    /// Keeps what was seen, unless another connection has committed since, or something is to be looked at again.
    fn keep_seen(
        &self,
        file: &Path,
        (compared, synced): (&Compared, &Synced),
        version: i64,
        since_ns: i64,
    ) -> Result<()> {
        if synced.left() + synced.unsaid_count > 0 {
            seen::forget(file);
            return Ok(());
        }
        // What is in the log goes to the file now, and not when the connection is closed.
        // Nobody is made to wait for it.
        let failed = |error: rusqlite::Error| describe(SYNC, quoted(&self.options.file), error);
        self.connection.busy_timeout(Duration::ZERO).map_err(failed)?;
        let _ = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        self.connection.busy_timeout(PATIENCE).map_err(failed)?;
        let state = DatabaseState::of_open(self.connection, file).filter(DatabaseState::settle);
        begin(self.connection, "BEGIN", self.options)?;
        let is_alone = data_version(self.connection)? == version;
        let digest = read_manifest(self.connection)?.and_then(|manifest| manifest.digest);
        end(self.connection)?;
        if let (true, Some(state), Some(digest)) = (is_alone, state, digest)
            && DatabaseState::of_open(self.connection, file).as_ref() == Some(&state)
        {
            let root = seen::root_of(&self.options.tree)?;
            Seen::new(digest, state, root, &compared.files.found, since_ns).keep(file);
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        let Some(folder) = &self.options.checks else { return Ok(()) };
        let outcomes = run_folder_on(self.connection, folder, 1)?;
        match outcomes.iter().find(|outcome| outcome.violations > 0) {
            None => Ok(()),
            Some(outcome) => {
                let first = outcome.rows.first().map(|row| row.join(", ")).unwrap_or_default();
                let cause = format!("check `{}` finds {} rows; the first: {first}", outcome.file, outcome.violations);
                Err(Error::differs(SYNC, quoted(&self.options.file), cause)
                    .hint("nothing was changed; correct the files or the rows that it names"))
            }
        }
    }

    /// Files take their places, and are read back.
    fn write_files(&self, source: &mut TreeSource, compared: &mut Compared) -> Result<()> {
        if compared.changes.is_empty() {
            return Ok(());
        }
        let Compared { paths, store, files, changes, .. } = compared;
        let mut to_do = Changes::begin(&self.options.tree)?;
        let mut new_directories = BTreeSet::new();
        for change in changes.iter() {
            let FileChange::Write { path, .. } = change else { continue };
            let ends = path.char_indices().filter(|(_, letter)| *letter == '/').map(|(end, _)| &path[..end]);
            new_directories.extend(ends.filter(|above| !files.entries.contains_key(*above)).map(str::to_owned));
        }
        for directory in &new_directories {
            to_do.directory(directory, DIRECTORY_MODE)?;
        }
        for change in changes.iter() {
            match change {
                FileChange::Write { path, bytes, expected: Some(expected), end: Some(end), .. } => {
                    to_do.append(path, bytes.get(*end..).unwrap_or_default(), *expected)?;
                }
                FileChange::Write { path, bytes, mode, expected, .. } => {
                    to_do.file(path, *mode, None, *expected)?.fill(bytes)?;
                }
                FileChange::Remove { path, expected } => to_do.remove(path, *expected)?,
            }
        }
        let mut logs = Vec::new();
        for change in changes.iter() {
            let (FileChange::Write { path, expected: Some(stat), end: None, .. }
            | FileChange::Remove { path, expected: stat }) = change
            else {
                continue;
            };
            if kind_of(self.forms.layout, path).is_some_and(|kind| grows(self.forms.layout, kind)) {
                logs.push((path, stat.size_bytes, source.tree().open_file(path)?.0));
            }
        }
        to_do.commit().map_err(|stopped| stopped.error)?;
        for (path, size_bytes, old) in logs {
            ensure_nobody_goes_on(path, size_bytes, &old)?;
        }
        let mut written = Vec::new();
        for change in changes.iter() {
            let (FileChange::Write { path, .. } | FileChange::Remove { path, .. }) = change;
            store.forget(path, paths.place(path))?;
            files.entries.remove(path);
            files.found.remove(path);
        }
        let made = changes.iter().filter_map(|change| match change {
            FileChange::Write { path, .. } => Some(path.as_str()),
            FileChange::Remove { .. } => None,
        });
        for path in new_directories.iter().map(String::as_str).chain(made) {
            let entry = source.tree().entry(path)?.ok_or_else(|| meanwhile(path))?;
            written.push(entry);
        }
        files.take_apart(source, self.forms.layout, &written, (paths, store))?;
        for change in changes.iter() {
            let FileChange::Write { path, bytes, .. } = change else { continue };
            let hash = xxhash_rust::xxh3::xxh3_128(bytes).to_be_bytes();
            if files.entries.get(path).and_then(|entry| entry.hash) != Some(hash) {
                return Err(meanwhile(path));
            }
        }
        for entry in written {
            files.found.insert(entry.path.clone(), entry);
        }
        Ok(())
    }

    /// What is remembered of the tree is what it is now; a record in conflict keeps its base.
    fn renew_base(&self, compared: &Compared, row_digests: &[TableDigest]) -> Result<()> {
        let Compared { paths, store, base, files, decisions, .. } = compared;
        let failed = |error: rusqlite::Error| describe("write the base to", quoted(&self.options.file), error);
        let kept = |name: &str| self.made.kept.get(name).copied().unwrap_or_default();
        let mut digests = Digests { entries: kept(TREE_TABLE), pieces: kept(PIECES_TABLE) };
        let mut todo: BTreeSet<String> = compared.removed.iter().cloned().collect();
        todo.extend(files.apart.iter().map(|place| paths.path(*place).to_owned()));
        let differs = |path: &&String| base.entries.get(*path) != files.entries.get(*path);
        todo.extend(files.entries.keys().chain(base.entries.keys()).filter(differs).cloned());
        // Records that files have no more, and that are in conflict, are remembered where they were.
        let mut ghosts: BTreeMap<&str, Vec<Mark>> = BTreeMap::new();
        for (id, decision) in decisions.iter().filter(|(_, decision)| keeps_base(decision)) {
            if let (Side::Gone, Some(known)) = (decision.files, base.records.get(id))
                && known.hash != NO_BASE
            {
                let mark = Mark { table: id.table, key: id.key, row: known.hash };
                ghosts.entry(paths.path(known.path)).or_default().push(mark);
            }
        }
        todo.extend(ghosts.keys().map(|path| (*path).to_owned()));
        // Where nothing is in conflict any more, they are forgotten.
        todo.extend(base.ghosts.iter().cloned());
        // Why a file stays whose rows are gone, is to be found again.
        let stays = decisions.iter().filter(|(_, one)| one.outcome == Outcome::Unwritable && one.rows == Side::Gone);
        let stays: HashSet<u32> = stays.filter_map(|(id, _)| files.path_of(*id, base)).collect();
        for path in todo {
            let is_apart = paths.find(&path).is_some_and(|place| files.apart.contains(&place));
            let mut entry = files.entries.get(&path).cloned();
            let ghosts = ghosts.get(path.as_str()).map_or(&[][..], Vec::as_slice);
            let keeps = is_apart || entry.as_ref().is_none_or(|entry| !entry.is_file()) || !ghosts.is_empty();
            let pieces = match keeps {
                false => None,
                true => {
                    let mut pieces = if entry.is_some() { store.pieces(&path)? } else { Vec::new() };
                    let is_other = with_old_bases(&mut pieces, &path, ghosts, (base, decisions, self.forms.layout));
                    let stays = paths.find(&path).is_some_and(|place| stays.contains(&place));
                    if let Some(entry) = entry.as_mut().filter(|_| is_other || stays) {
                        entry.hash = None;
                    }
                    Some(pieces)
                }
            };
            renew_path(self.connection, &path, &OfPath { entry, pieces }, &mut digests).map_err(failed)?;
        }
        let plans = self.made.plans.iter().map(|plan| plan.target.as_str());
        let mut renewed: Vec<(&str, TableDigest)> = plans.zip(row_digests.iter().copied()).collect();
        renewed.extend([(TREE_TABLE, digests.entries), (PIECES_TABLE, digests.pieces)]);
        renewed.retain(|(name, digest)| kept(name) != *digest);
        if compared.has_fewer_aside {
            let left = files.set_aside.iter().map(|rejected| rejected.path.clone()).collect();
            renew_choices(self.connection, &self.made.with_aside(left)).map_err(failed)?;
        }
        if renewed.is_empty() && !compared.has_fewer_aside && !compared.has_other_numbers {
            return Ok(());
        }
        let copied = self.made.copied.iter().map(String::as_str);
        renew_digests(self.connection, &renewed, copied).map_err(failed)
    }

    /// Proves that both sides are equal, but for what is left, by the digests of what is remembered of the files, which were read
    /// back, and of the rows. Where those cannot be the same, because something is left, is in parts, or is said by no file, the
    /// rows are read again, and each of them is held against its file.
    fn prove(&self, compared: &Compared, row_digests: &[TableDigest]) -> Result<()> {
        let layout = self.forms.layout;
        if Base::digests(self.connection, layout)? == row_digests {
            return Ok(());
        }
        let mut paths = Paths::default();
        let base = Base::read(self.connection, layout, &mut paths, self.made.record_count())?;
        let mut of_files = vec![TableDigest::default(); layout.tables.len()];
        for (id, known) in base.records.iter() {
            of_files[usize::from(id.table)].add(known.hash);
        }
        let differs = |table: usize| of_files[table] != row_digests[table];
        let (store, nothing) = (Store::new()?, BTreeSet::new());
        let of = (&base, &nothing);
        let rows =
            Rows::read(self.connection, self.forms, &self.made.plans, of, (&paths, &store), &differs, self.cancel)?;
        let is_left = |id: &Id| {
            let decision = compared.decisions.get(id);
            decision.is_some_and(|one| matches!(one.outcome, Outcome::Conflict | Outcome::Unwritable))
        };
        let found = rows.candidates(&base);
        let Some(id) = found.iter().find(|id| differs(usize::from(id.table)) && !is_left(id)) else { return Ok(()) };
        let key = match store.get(Which::Rows, *id)? {
            Some(row) => key_of_packed(layout, *id, &row.packed),
            None => format!("{:032x}", id.key),
        };
        let object = format!("table `{}`, record {key}", layout.tables[usize::from(id.table)].name);
        Err(Error::differs(SYNC, object, "files and rows are not the same after what was done").hint(
            "the rows are as they were, and nothing is lost; run `whimbrel verify TREE FILE`, which names what differs",
        ))
    }
}

/// Refuses links that have taken the place of what has records: those are not deleted, only out of sight.
fn refuse_links(files: &Files, base: &Base, paths: &Paths) -> Result<()> {
    let is_link = |entries: &BTreeMap<String, EntryRow>, path: &str| entries.get(path).is_some_and(EntryRow::is_link);
    let new = files.entries.keys().filter(|path| is_link(&files.entries, path) && !is_link(&base.entries, path));
    for link in new {
        let is_behind =
            |path: &str| path.strip_prefix(link.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let gone = base
            .records
            .iter()
            .filter(|(id, known)| is_behind(paths.path(known.path)) && files.side(*id, base, paths) == Side::Gone);
        let count = gone.count();
        if count > 0 {
            let records = if count == 1 { "record is" } else { "records are" };
            let cause =
                format!("a link has taken its place, and {count} {records} behind it, or gone: no link is followed");
            return Err(Error::could_not(SYNC, format!("`{link}`"), cause)
                .hint("nothing was changed; put what was there back in the place of the link; if all of it was deleted on purpose, remove the link first"));
        }
    }
    Ok(())
}

/// A log may have been opened between the last look at it and its replacement.
fn ensure_nobody_goes_on(path: &str, size_bytes: u64, old: &File) -> Result<()> {
    let object = || format!("`{path}`");
    let metadata = old.metadata().could_not("inspect", object())?;
    let holders = Holders::writing((metadata.dev(), metadata.ino()));
    if metadata.len() == size_bytes && !holders.any() {
        return Ok(());
    }
    let who = if holders.any() { holders.sentence() } else { "another program".to_owned() };
    Err(Error::could_not(SYNC, object(), format!("{who} has opened it while it was replaced, and writes to the old file"))
        .hint("the rows are as they were; what that program has written since is in no file: end it, write that again, and run again"))
}

fn meanwhile(path: &str) -> Error {
    let cause = "another program has changed it while it was written";
    Error::could_not(SYNC, format!("`{path}`"), cause).hint("the rows are as they were, and nothing is lost; run again")
}

/// Whether a record is to be compared with its old base the next time.
fn keeps_base(decision: &Decision) -> bool {
    match decision.outcome {
        Outcome::Conflict => true,
        Outcome::Unwritable => decision.preferred.is_some(),
        Outcome::Files | Outcome::Rows | Outcome::Alike => false,
    }
}

/// Puts the old bases of records in conflict into the pieces of a file; whether any is another one than the file says.
fn with_old_bases(
    pieces: &mut Vec<PieceRow>,
    path: &str,
    ghosts: &[Mark],
    (base, decisions, layout): (&Base, &Decisions, &Layout),
) -> bool {
    let kind = kind_of(layout, path);
    let mut is_other = !ghosts.is_empty();
    for piece in pieces.iter_mut() {
        let Some(mut marks) = piece.records.as_deref().and_then(marks::of_bytes) else { continue };
        for mark in &mut marks {
            let id = id_of(layout, mark.table, mark.key, kind);
            if decisions.get(&id).is_some_and(keeps_base) {
                let old = base.hash(id).unwrap_or(NO_BASE);
                is_other |= old != mark.row;
                mark.row = old;
            }
        }
        piece.records = Some(marks::to_bytes(&marks));
    }
    if !ghosts.is_empty() {
        match pieces.iter_mut().rev().find(|piece| piece.records.is_some()) {
            Some(last) => {
                if let Some(records) = &mut last.records {
                    records.extend(marks::to_bytes(ghosts));
                }
            }
            None => pieces.push(PieceRow { piece: 0, records: Some(marks::to_bytes(ghosts)), bytes: None }),
        }
    }
    is_other
}
