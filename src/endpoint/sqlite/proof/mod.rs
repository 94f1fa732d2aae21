//! Proving the structure of a file at the speed of reading it.
//!
//! SQLite's `integrity_check` looks every row up in every index, and `foreign_key_check` every reference in its parent: a
//! seek for each. The same is proven here by reading every tree once, from its beginning to its end:
//!
//! - `quick_check` accounts for every page, for NOT NULL, CHECK, the types of STRICT tables, and the number of entries;
//! - the entries of each index, read from its tree as they are stored (`tree`), are in its order, no two have a key that
//!   only one may have, and their digest is that of the entries which the rows of the table give: so they are the same;
//! - every key that refers is among those referred to: both are collected while the rows are read, sorted and merged
//!   (`keys`).
//!
//! The rows are read by whoever reads them anyway, through a [`Watch`], or here. Soundness alone is proven: where anything
//! is wrong, or not understood (a collation of some application, UTF-16), SQLite's own checks say what it is.
//!
//! Memory does not grow with the rows: 2 MiB for each reader, 16 MiB for keys, and one entry of each index.

mod definition;
mod keys;
mod order;
mod references;
mod rows;
mod shape;
mod tree;

pub use rows::Watch;

use super::parallel::{self, locked, ranges};
use super::read::describe;
use crate::cancel::Cancel;
use crate::error::{Kind, Result};
use crate::quote::quote;
use crate::value::TableDigest;
use keys::Sets;
use references::References;
use rusqlite::Connection;
use shape::{Shape, Table};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;

/// A proof while it is made.
pub struct Proof {
    shape: Shape,
    references: References,
    sets: Sets,
    state: Mutex<State>,
    /// What SQLite says to tell whether others have written meanwhile.
    version: i64,
}

#[derive(Default)]
struct State {
    /// By the place of its table and its own, what the rows give for an index, and what it has.
    entries: BTreeMap<(usize, usize), (TableDigest, Option<TableDigest>)>,
    wrong: BTreeSet<Wrong>,
    /// Something could not be read, or SQLite has found something: it is to say what.
    unproven: bool,
}

/// What is wrong with an index: its name and that of its table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Wrong {
    /// It has other entries than the rows give.
    Entries(String, String),
    /// Its entries are not in its order.
    Order(String, String),
    /// It has entries with the same key.
    Repeated(String, String),
}

/// A part of the work, to be done in any order and by any thread.
#[derive(Debug, Clone)]
pub struct Job(Work);

#[derive(Debug, Clone)]
enum Work {
    QuickCheck,
    /// A virtual table's own check, by its name.
    Virtual(String),
    /// An index, by the place of its table and its own.
    Tree(usize, usize),
    /// Rows of a table that nobody else reads.
    Rows(usize, Option<(i64, i64)>),
}

/// What was proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every page, row and index is sound.
    Sound {
        /// Tables some of whose references have not been proven.
        unproven_references: BTreeSet<String>,
    },
    /// Nothing: SQLite has to say.
    Unproven,
    /// An index does not fit its table, one sentence each, even if SQLite does not notice.
    Wrong(Vec<String>),
}

impl Proof {
    /// Reads what has to be proven of the file of a connection that is in no transaction; `None` where something in it is
    /// not understood or its schema cannot be read.
    pub fn of(connection: &Connection) -> Option<Proof> {
        let read = || -> rusqlite::Result<Option<Proof>> {
            let version = data_version(connection)?;
            let Some(mut shape) = shape::read(connection)? else { return Ok(None) };
            let references = references::read(connection, &mut shape)?;
            let sets = Sets::new(references.keys.len());
            Ok(Some(Proof { shape, references, sets, state: Mutex::default(), version }))
        };
        read().ok().flatten()
    }

    /// What of each row of a table has to be handed over, as SQL; `None` where nothing has.
    pub fn selected(&self, table: &str) -> Option<&[String]> {
        let table = &self.shape.tables[self.shape.place(table)?];
        (!table.selected.is_empty()).then_some(&table.selected)
    }

    /// The work that remains where the rows of `read_elsewhere` are handed over by somebody else; the longest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn jobs(&self, connection: &Connection, read_elsewhere: &[&str]) -> Result<Vec<Job>> {
        let elsewhere: BTreeSet<_> = read_elsewhere.iter().map(|name| self.shape.place(name)).collect();
        let mut jobs = vec![Work::QuickCheck];
        jobs.extend(self.shape.virtual_tables.iter().cloned().map(Work::Virtual));
        for (place, table) in self.shape.tables.iter().enumerate() {
            jobs.extend((0..table.indexes.len()).map(|index| Work::Tree(place, index)));
        }
        for (place, table) in self.shape.tables.iter().enumerate() {
            if !elsewhere.contains(&Some(place)) && !table.selected.is_empty() {
                jobs.extend(pieces(connection, table)?.into_iter().map(|piece| Work::Rows(place, piece)));
            }
        }
        Ok(jobs.into_iter().map(Job).collect())
    }

    /// Does a part of the work. A file that cannot be read is no error here: nothing is proven of it.
    ///
    /// # Errors
    /// When somebody asks to stop.
    pub fn work(&self, connection: &Connection, job: &Job) -> Result<()> {
        let done = match &job.0 {
            Work::QuickCheck => self.accept(connection, "PRAGMA main.quick_check(1)"),
            Work::Virtual(name) => self.accept(connection, &format!("PRAGMA main.integrity_check({})", quote(name))),
            Work::Tree(table, index) => self.tree(connection, *table, *index),
            Work::Rows(table, range) => self.rows(connection, *table, *range),
        };
        match done.map_err(|error| describe("check the structure of", "the file", error)) {
            Err(error) if error.kind() == Kind::Interrupted => Err(error),
            Err(_) => {
                locked(&self.state).unproven = true;
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    fn accept(&self, connection: &Connection, check: &str) -> rusqlite::Result<()> {
        let answer: String = connection.query_row(check, [], |row| row.get(0))?;
        if answer != "ok" {
            locked(&self.state).unproven = true;
        }
        Ok(())
    }

    fn tree(&self, connection: &Connection, table: usize, index: usize) -> rusqlite::Result<()> {
        let shape = &self.shape.tables[table];
        let own = &shape.indexes[index];
        let found = tree::read(connection, own)?;
        let names = || (own.name.clone(), shape.name.clone());
        if found.out_of_order > 0 {
            let (index, table) = names();
            self.note(Wrong::Order(index, table));
        }
        if found.repeated > 0 {
            let (index, table) = names();
            self.note(Wrong::Repeated(index, table));
        }
        locked(&self.state).entries.entry((table, index)).or_default().1 = Some(found.digest);
        Ok(())
    }

    fn note(&self, wrong: Wrong) {
        locked(&self.state).wrong.insert(wrong);
    }

    fn add_keys(&self, set: usize, keys: &mut Vec<u128>) {
        if self.sets.add(set, keys).is_err() {
            locked(&self.state).unproven = true;
        }
    }

    fn add_entries(&self, table: usize, entries: &[TableDigest]) {
        let mut state = locked(&self.state);
        for (index, digest) in entries.iter().enumerate() {
            state.entries.entry((table, index)).or_default().0.merge(*digest);
        }
    }

    /// What was proven, once all the work is done and all rows were handed over; on the connection of [`Proof::of`].
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn verdict(&self, connection: &Connection) -> Result<Verdict> {
        let version =
            data_version(connection).map_err(|error| describe("check the structure of", "the file", error))?;
        let state = locked(&self.state);
        // Whatever was read while others wrote fits nothing.
        if version != self.version {
            return Ok(Verdict::Unproven);
        }
        let (mut wrong, mut unproven) = (state.wrong.clone(), state.unproven);
        for (place, table) in self.shape.tables.iter().enumerate() {
            for (number, index) in table.indexes.iter().enumerate() {
                match state.entries.get(&(place, number)) {
                    Some((wanted, Some(found))) if wanted == found => {}
                    Some((_, Some(_))) if index.plain && !state.unproven => {
                        wrong.insert(Wrong::Entries(index.name.clone(), table.name.clone()));
                    }
                    _ => unproven = true,
                }
            }
        }
        Ok(match (wrong.is_empty(), unproven) {
            (false, _) => Verdict::Wrong(wrong.iter().map(Wrong::sentence).collect()),
            (true, true) => Verdict::Unproven,
            (true, false) => Verdict::Sound { unproven_references: self.unproven_references() },
        })
    }

    fn unproven_references(&self) -> BTreeSet<String> {
        let mut left = self.references.left.clone();
        for (part, whole) in &self.references.parts {
            if !self.sets.is_part(*part, *whole).unwrap_or(false) {
                left.insert(self.shape.tables[self.references.keys[*part].table].name.clone());
            }
        }
        left
    }
}

impl Wrong {
    fn sentence(&self) -> String {
        match self {
            Wrong::Entries(index, table) => {
                format!("index `{index}` has other entries than the rows of table `{table}` give")
            }
            Wrong::Order(index, table) => format!("the entries of index `{index}` of table `{table}` are out of order"),
            Wrong::Repeated(index, table) => {
                format!("index `{index}` of table `{table}` has entries with the same key, which has to be unique")
            }
        }
    }
}

/// Proves what can be proven of the file at `path`, whose rows nobody reads otherwise. `connection` is open to it and in no
/// transaction.
///
/// # Errors
/// When the file cannot be opened, or somebody asks to stop.
pub fn prove(connection: &Connection, path: &Path, cancel: &Cancel) -> Result<Verdict> {
    let Some(proof) = Proof::of(connection) else { return Ok(Verdict::Unproven) };
    let jobs = proof.jobs(connection, &[])?;
    parallel::run(None, path, cancel, jobs.len(), &|connection, job| proof.work(connection, &jobs[job]))?;
    proof.verdict(connection)
}

/// Ranges of rowids that together hold every row of a table; `None` for all of them.
fn pieces(connection: &Connection, table: &Table) -> Result<Vec<Option<(i64, i64)>>> {
    let Some(rowid) = &table.rowid else { return Ok(vec![None]) };
    let name = quote(&table.name);
    let sql = format!("SELECT (SELECT min({rowid}) FROM main.{name}), (SELECT max({rowid}) FROM main.{name})");
    let extent = connection.query_row(&sql, [], |row| Ok(row.get::<_, Option<i64>>(0)?.zip(row.get(1)?)));
    let extent = extent.map_err(|error| describe("read back", format!("`{}`", table.name), error))?;
    Ok(extent.map_or_else(Vec::new, |(low, high)| ranges(low, high).into_iter().map(Some).collect()))
}

pub(super) fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA main.data_version", [], |row| row.get(0))
}

#[cfg(test)]
mod tests;
