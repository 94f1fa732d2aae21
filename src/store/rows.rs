//! Records in the rows of a SQLite file that was made of a tree.
//!
//! Reading a list takes a statement for each of its tables, whatever there is inside. A change is one transaction, begun with BEGIN IMMEDIATE, in which
//! the old record is read, and the new one written and read back.

use super::keeper::{Change, Exchanged, Keeper};
use super::unit::{Known, Unit, small};
use crate::endpoint::files::marks;
use crate::endpoint::sqlite::file::{Content, TargetFile, quoted};
use crate::endpoint::sqlite::pool::{Pool, Settings};
use crate::endpoint::sqlite::read::describe;
use crate::error::{Context, Error, Result};
use crate::metadata::base::{self, OfPath};
use crate::metadata::ledger;
use crate::plan::{ColumnPlan, TablePlan};
use crate::quote::quote;
use crate::sync::{Applying, Bound, Made, RowChange};
use crate::types::Codec;
use crate::value::{Cell, RowHasher, Stored, TableDigest, row_key};
use rusqlite::{Connection, params_from_iter};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

const READ: &str = "read records of";
const WRITE: &str = "write a record to";

/// How long SQLite waits for another process before this one waits by itself.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// So many records are read at a time where all of them are; few in a debug build, so that tests have several ranges.
const READ_TOGETHER: usize = if cfg!(debug_assertions) { 7 } else { 256 };

/// Stands for all parts of a row.
const WHOLE: u16 = u16::MAX;

/// How the layout's tables stand in the file, as long as its schema stays what it is.
struct Plans {
    schema_version: i64,
    tables: Vec<TablePlan>,
    codecs: Vec<Vec<Codec>>,
    /// Whether a table has row numbers, by which what is inside a record stands in its order.
    has_rowid: Vec<bool>,
    copied: Vec<String>,
}

/// The store of rows.
pub struct RowsStore {
    known: &'static Known,
    path: PathBuf,
    readers: Pool,
    writer: Pool,
    plans: RwLock<Option<Arc<Plans>>>,
}

impl RowsStore {
    /// The store of a file.
    ///
    /// # Errors
    /// When there is no such file, or it was not made of a tree by this layout.
    pub fn open(known: &'static Known, path: &Path) -> Result<RowsStore> {
        if TargetFile::inspect(path)?.content == Content::Missing {
            return Err(Error::could_not("open the store", quoted(path), "there is no such file")
                .hint("make it of the tree: `whimbrel migrate PROJECT TREE FILE`"));
        }
        let settings = Settings { busy_timeout: BUSY_TIMEOUT, foreign_keys: false, is_durable: true, may_write: true };
        let writer = Pool::open(path, settings)?;
        let readers = Pool::of_readers(path, BUSY_TIMEOUT);
        let store = RowsStore { known, path: path.to_path_buf(), readers, writer, plans: RwLock::new(None) };
        store.reading(|connection, plans| store.units(connection, plans, usize::MAX, "", &[]).map(drop))?;
        Ok(store)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The connections that read.
    pub fn readers(&self) -> &Pool {
        &self.readers
    }

    fn plans(&self, connection: &Connection) -> Result<Arc<Plans>> {
        let failed = |error: rusqlite::Error| describe(READ, quoted(&self.path), &error);
        let schema_version: i64 =
            connection.query_row("PRAGMA schema_version", [], |row| row.get(0)).map_err(failed)?;
        let known = self.plans.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(plans) = known.filter(|plans| plans.schema_version == schema_version) {
            return Ok(plans);
        }
        let made = Made::of(connection, &self.path, None)?;
        if *made.layout.layout != *self.known.layout {
            let cause = "it was made by another layout than the project has";
            return Err(Error::usage("open the store", quoted(&self.path), cause)
                .hint("migrate anew by the new one: `whimbrel migrate PROJECT TREE FILE`"));
        }
        let codecs = made.plans.iter().map(|plan| plan.columns.iter().map(ColumnPlan::codec).collect()).collect();
        let has_rowid = made.plans.iter().map(|plan| {
            let sql = format!("SELECT rowid FROM {} LIMIT 0", quote(&plan.target));
            connection.prepare(&sql).is_ok()
        });
        let has_rowid = has_rowid.collect();
        let plans = Plans { schema_version, tables: made.plans, codecs, has_rowid, copied: made.copied };
        let plans = Arc::new(plans);
        *self.plans.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&plans));
        Ok(plans)
    }

    /// Reads in one state of the file.
    fn reading<T>(&self, job: impl FnOnce(&Connection, &Plans) -> Result<T>) -> Result<T> {
        let read = self.readers.read(READ, |connection| {
            let transaction = connection.unchecked_transaction()?;
            Ok(self.plans(&transaction).and_then(|plans| job(&transaction, &plans)))
        });
        read?
    }

    /// The records that a condition chooses, with everything inside them.
    fn units(
        &self,
        connection: &Connection,
        plans: &Plans,
        table: usize,
        condition: &str,
        values: &[Stored<'static>],
    ) -> Result<Vec<Unit>> {
        let Some(plan) = plans.tables.get(table) else {
            return Ok(Vec::new());
        };
        let failed = |error: rusqlite::Error| describe(READ, format!("table `{}`", plan.target), &error);
        let columns: Vec<String> = plan.columns.iter().map(|column| quote(&column.target)).collect();
        let order = if plans.has_rowid[table] { " ORDER BY rowid" } else { "" };
        let filter = if condition.is_empty() { String::new() } else { format!(" WHERE {condition}") };
        let sql = format!("SELECT {} FROM {}{filter}{order}", columns.join(", "), quote(&plan.target));
        let has_ledger = ledger::has_entries(connection, &plan.target).map_err(failed)?;
        let mut all = connection.prepare_cached(&sql).map_err(failed)?;
        let mut rows = all.query(params_from_iter(values.iter().map(Bound))).map_err(failed)?;
        let mut units = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            let stored = (0..columns.len()).map(|place| Ok(Stored::from(row.get_ref(place)?)));
            let stored = stored.collect::<rusqlite::Result<Vec<Stored<'_>>>>().map_err(failed)?;
            let entries = match has_ledger {
                false => Vec::new(),
                true => {
                    let key = self.known.layout.tables[table].key.iter().map(|place| stored[*place].clone());
                    let mut reader = ledger::Reader::new(connection).map_err(failed)?;
                    reader.entries(&plan.target, &row_key(key)).map_err(failed)?
                }
            };
            let exact = |column: &str| entries.iter().find(|(name, _)| name == column).map(|(_, exact)| exact.as_str());
            let cells = plans.codecs[table].iter().zip(&plan.columns).zip(stored);
            let cells = cells
                .map(|((codec, column), stored)| codec.load_with_ledger(stored, exact(&column.target)).into_owned());
            units.push(Unit { table, cells: cells.collect(), inside: Vec::new() });
        }
        drop(rows);
        self.fill(connection, plans, (condition, values), &mut units)?;
        Ok(units.into_iter().map(|unit| self.known.normal(unit)).collect())
    }

    /// Puts into records what is inside them: a statement for each table.
    fn fill(
        &self,
        connection: &Connection,
        plans: &Plans,
        (condition, values): (&str, &[Stored<'static>]),
        units: &mut [Unit],
    ) -> Result<()> {
        let Some(table) = units.first().map(|unit| unit.table) else {
            return Ok(());
        };
        let mut places: HashMap<u128, usize> = HashMap::new();
        for (place, unit) in units.iter().enumerate() {
            places.insert(unit.key(self.known), place);
        }
        let plan = &plans.tables[table];
        let names = |plan: &TablePlan, places: &[usize]| {
            places.iter().map(|place| quote(&plan.columns[*place].target)).collect::<Vec<_>>().join(", ")
        };
        let own = names(plan, &self.known.layout.tables[table].key);
        let filter = if condition.is_empty() { String::new() } else { format!(" WHERE {condition}") };
        let mut hasher = RowHasher::default();
        for (child, key) in self.known.inside(table) {
            let around = names(&plans.tables[child], key);
            let condition = format!("({around}) IN (SELECT {own} FROM {}{filter})", quote(&plan.target));
            for unit in self.units(connection, plans, child, &condition, values)? {
                key.iter().for_each(|column| hasher.cell(&unit.cells[*column]));
                if let Some(place) = places.get(&hasher.finish()) {
                    units[*place].inside.push(unit);
                }
            }
        }
        Ok(())
    }

    fn chosen(
        &self,
        connection: &Connection,
        plans: &Plans,
        table: usize,
        matching: &[(usize, Cell<'static>)],
    ) -> Result<Vec<Unit>> {
        let (plan, codecs) = (&plans.tables[table], &plans.codecs[table]);
        let conditions: Vec<String> = matching
            .iter()
            .enumerate()
            .map(|(number, (place, _))| format!("{} IS ?{}", quote(&plan.columns[*place].target), number + 1))
            .collect();
        let values: Vec<Stored<'static>> =
            matching.iter().map(|(place, cell)| codecs[*place].place(cell).stored.into_owned()).collect();
        self.units(connection, plans, table, &conditions.join(" AND "), &values)
    }

    fn found(
        &self,
        connection: &Connection,
        plans: &Plans,
        table: usize,
        key: &[Cell<'static>],
    ) -> Result<Option<Unit>> {
        let places = &self.known.layout.tables[table].key;
        let matching: Vec<_> = places.iter().map(|place| (*place, key[*place].clone())).collect();
        Ok(self.chosen(connection, plans, table, &matching)?.into_iter().next())
    }

    /// The rows that are not those of the old record any more.
    fn changes(&self, old: Option<&Unit>, new: Option<&Unit>) -> Vec<RowChange> {
        let known = self.known;
        let of = |unit: Option<&Unit>| -> Vec<Unit> {
            let rows = unit.map(Unit::flattened).unwrap_or_default().into_iter();
            rows.map(|unit| Unit { inside: Vec::new(), ..unit.clone() }).collect()
        };
        let (old, new) = (of(old), of(new));
        let keys: Vec<(usize, u128)> = new.iter().map(|unit| (unit.table, unit.key(known))).collect();
        let parts = |unit: &Unit, stays: bool| match known.layout.tables[unit.table].in_parts {
            false => vec![(WHOLE, stays.then(|| unit.cells.clone()))],
            true => {
                let parts = unit.parts(known).into_iter();
                parts.map(|(kind, part)| (small(kind), part.filter(|_| stays).map(|part| part.cells))).collect()
            }
        };
        let change = |unit: &Unit, stays: bool| RowChange {
            table: unit.table,
            key: unit.cells.clone(),
            parts: parts(unit, stays),
            has_other_parts: false,
        };
        let gone = old.iter().filter(|unit| !keys.contains(&(unit.table, unit.key(known))));
        gone.map(|unit| change(unit, false)).chain(new.iter().map(|unit| change(unit, true))).collect()
    }

    fn apply(
        &self,
        connection: &Connection,
        plans: &Plans,
        (old, new): (Option<&Unit>, Option<&Unit>),
        is_alone: bool,
    ) -> Result<()> {
        let digests = vec![TableDigest::default(); plans.tables.len()];
        let mut applying = Applying::new(connection, &self.known.forms, &plans.tables, digests)?;
        applying.writes_untold = is_alone;
        applying.apply_few(&self.changes(old, new))
    }

    /// The same with files beside the rows: a value that no file tells stays what it is.
    ///
    /// # Errors
    /// As [`Keeper::exchange`].
    pub fn exchange_beside_files(&self, change: &Change) -> Result<Exchanged> {
        self.exchange_with(change, false)
    }

    fn exchange_with(&self, change: &Change, is_alone: bool) -> Result<Exchanged> {
        self.writer.write(WRITE, |transaction| {
            let plans = self.plans(transaction)?;
            let old = self.found(transaction, &plans, change.table, &change.key)?;
            let found = old.as_ref().map(|old| old.version(self.known));
            if !change.expected.is_met(found) {
                return Ok(Exchanged::Other(found));
            }
            let new = change.spelled(old.as_ref(), self.known);
            let version = new.as_ref().map(|new| new.version(self.known));
            if version != found {
                self.apply(transaction, &plans, (old.as_ref(), new.as_ref()), is_alone)?;
            }
            Ok(Exchanged::Done(version))
        })
    }

    /// What the file remembers of a file of the tree from now on: of each of these paths, and of the tree that it was made of. Where
    /// the power fails it may be what it was before: then both sides are compared once more, and are equal.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn remember(&self, paths: &[(String, OfPath)]) -> Result<()> {
        self.writer.write_soon(WRITE, |transaction| {
            let plans = self.plans(transaction)?;
            let copied = plans.copied.iter().map(String::as_str);
            base::renew(transaction, paths, copied).could_not(WRITE, quoted(&self.path))
        })
    }

    /// Gives all records of a table, some of them at a time, in one state of the file.
    ///
    /// # Errors
    /// When the file cannot be read, or `give` fails.
    pub fn each(&self, table: usize, give: &mut dyn FnMut(Unit) -> Result<()>) -> Result<()> {
        self.reading(|connection, plans| {
            let plan = &plans.tables[table];
            let key: Vec<String> =
                self.known.layout.tables[table].key.iter().map(|place| quote(&plan.columns[*place].target)).collect();
            let (columns, parts) = (key.join(", "), key.len());
            let bounds = self.bounds(connection, plan, &columns, parts)?;
            let row =
                |from: usize| (from..from + parts).map(|number| format!("?{number}")).collect::<Vec<_>>().join(", ");
            let (above, upto) =
                (format!("({columns}) > ({})", row(1)), |from| format!("({columns}) <= ({})", row(from)));
            let ranges = (0..=bounds.len()).map(|place| {
                match (place.checked_sub(1).map(|before| &bounds[before]), bounds.get(place)) {
                    (None, None) => (String::new(), Vec::new()),
                    (None, Some(last)) => (upto(1), last.clone()),
                    (Some(first), None) => (above.clone(), first.clone()),
                    (Some(first), Some(last)) => {
                        (format!("{above} AND {}", upto(parts + 1)), first.iter().chain(last).cloned().collect())
                    }
                }
            });
            for (condition, values) in ranges {
                for unit in self.units(connection, plans, table, &condition, &values)? {
                    give(unit)?;
                }
            }
            // A comparison with NULL leaves a row out, and the first range, where it is the only one, leaves out none.
            if !bounds.is_empty() {
                let null = key.iter().map(|column| format!("{column} IS NULL")).collect::<Vec<_>>().join(" OR ");
                for unit in self.units(connection, plans, table, &null, &[])? {
                    give(unit)?;
                }
            }
            Ok(())
        })
    }

    /// The keys that divide a table into ranges of [`READ_TOGETHER`] records.
    fn bounds(
        &self,
        connection: &Connection,
        plan: &TablePlan,
        columns: &str,
        parts: usize,
    ) -> Result<Vec<Vec<Stored<'static>>>> {
        let failed = |error: rusqlite::Error| describe(READ, format!("table `{}`", plan.target), &error);
        let sql = format!("SELECT {columns} FROM {} ORDER BY {columns}", quote(&plan.target));
        let mut all = connection.prepare(&sql).map_err(failed)?;
        let mut rows = all.query([]).map_err(failed)?;
        let (mut bounds, mut number) = (Vec::new(), 0_usize);
        while let Some(row) = rows.next().map_err(failed)? {
            number += 1;
            if number.is_multiple_of(READ_TOGETHER) {
                let bound = (0..parts).map(|place| Ok(Stored::from(row.get_ref(place)?).into_owned()));
                let bound: Vec<Stored<'static>> = bound.collect::<rusqlite::Result<_>>().map_err(failed)?;
                if bound.iter().all(|part| !matches!(part, Stored::Null)) {
                    bounds.push(bound);
                }
            }
        }
        Ok(bounds)
    }

    /// Gives the marks that are remembered of the records of each piece of a file of the tree.
    ///
    /// # Errors
    /// When the file cannot be read, is not what was written, or `give` fails.
    pub fn each_mark(&self, give: &mut dyn FnMut(&str, &[marks::Mark]) -> Result<()>) -> Result<()> {
        self.reading(|connection, _| {
            let mut given = Ok(());
            base::records(connection, |path, records| {
                given = match marks::of_bytes(records) {
                    Some(marks)
                        if marks.iter().all(|mark| usize::from(mark.table) < self.known.layout.tables.len()) =>
                    {
                        give(path, &marks)
                    }
                    _ => Err(Error::differs(READ, format!("the records of `{path}`"), "they are not what was written")),
                };
                // Whatever it is that ends it here, the error is the one that was kept.
                if given.is_ok() { Ok(()) } else { Err(rusqlite::Error::QueryReturnedNoRows) }
            })
            .or_else(|error| match &given {
                Ok(()) => Err(describe(READ, quoted(&self.path), &error)),
                Err(_) => Ok(()),
            })?;
            given
        })
    }

    /// The newest migration of the file, and what SQLite's check finds: `ok` where that is nothing.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn look(&self) -> Result<(Option<i64>, String)> {
        self.readers.read(READ, |connection| {
            let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations')";
            let version = match connection.query_row(sql, [], |row| row.get::<_, bool>(0))? {
                true => connection.query_row("SELECT max(version) FROM schema_migrations", [], |row| row.get(0))?,
                false => None,
            };
            let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
            let orphans: bool = connection.prepare("PRAGMA foreign_key_check")?.exists([])?;
            Ok((version, if orphans && found == "ok" { "a foreign key leads nowhere".to_owned() } else { found }))
        })
    }

    /// The paths of the files of the tree that are remembered.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn remembered_paths(&self) -> Result<Vec<String>> {
        let entries = self.readers.read(READ, base::entries)?.into_iter();
        Ok(entries.filter(base::EntryRow::is_file).map(|entry| entry.path).collect())
    }

    /// The marks that are remembered of one file of the tree.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn marks_of(&self, path: &str) -> Result<Vec<marks::Mark>> {
        let pieces = self.readers.read(READ, |connection| base::pieces(connection, path))?;
        Ok(pieces.iter().filter_map(|piece| marks::of_bytes(piece.records.as_deref()?)).flatten().collect())
    }

    /// The hash of the bytes that a file of the tree had when both sides were equal last; `None` where nothing is remembered of it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn remembered_hash(&self, path: &str) -> Result<Option<u128>> {
        let read = self.readers.read(READ, |connection| base::hash_of(connection, path));
        Ok(read?.map(u128::from_be_bytes))
    }
}

impl Keeper for RowsStore {
    fn known(&self) -> &'static Known {
        self.known
    }

    fn find(&self, table: usize, key: &[Cell<'static>]) -> Result<Option<Unit>> {
        self.reading(|connection, plans| self.found(connection, plans, table, key))
    }

    fn all(&self, table: usize, matching: &[(usize, Cell<'static>)]) -> Result<Vec<Unit>> {
        self.reading(|connection, plans| self.chosen(connection, plans, table, matching))
    }

    fn exchange(&self, change: &Change) -> Result<Exchanged> {
        self.exchange_with(change, true)
    }

    fn rehearse(&self, change: &Change) -> Result<()> {
        self.writer.rehearse(WRITE, |transaction| {
            let plans = self.plans(transaction)?;
            let old = self.found(transaction, &plans, change.table, &change.key)?;
            self.apply(transaction, &plans, (old.as_ref(), change.new.as_ref()), false)
        })
    }
}
