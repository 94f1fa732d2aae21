//! Records that are in two files: which record, and both files. Where rows are unique, a database tells only that a row is there
//! already; so a tree is read once more for this, and only then are the keys of all of its records in memory.

use super::layout::Layout;
use super::marks;
use crate::endpoint::{Rejected, RowSink};
use crate::error::{Error, Result};
use crate::metadata::base::EntryRow;
use crate::metadata::tree::TREE_TABLE;
use crate::value::{Cell, RowHasher, Stored, row_key};
use std::borrow::Cow;
use std::collections::HashMap;

/// A record in two files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twice {
    /// Its table.
    pub table: String,
    /// Its key.
    pub key: String,
    /// The files.
    pub paths: [String; 2],
}

impl Twice {
    /// What is wrong with the second file.
    pub fn reason(&self) -> String {
        format!("it has the record {} of `{}`, and so has `{}`", self.key, self.table, self.paths[0])
    }

    /// The error for whoever cannot have it twice; `object` names a file.
    pub fn error(&self, object: &dyn Fn(&str) -> String) -> Error {
        let cause =
            format!("it has the record {} of `{}`, and so has {}", self.key, self.table, object(&self.paths[0]));
        Error::could_not("read", object(&self.paths[1]), cause)
            .hint("a record is in one file: remove it from one of the two, or give it another key")
    }
}

/// What a table of the request is.
#[derive(Debug, Clone, Copy)]
enum Of {
    /// A table of the layout, by its place.
    Table(usize),
    /// The entries of the tree.
    Entries,
    Nothing,
}

/// Takes the rows of a tree, file by file, and finds those that are in two.
pub struct Finding<'l> {
    layout: &'l Layout,
    /// What each table of the request is.
    places: Vec<Of>,
    hasher: RowHasher,
    known: HashMap<(usize, u128), usize>,
    paths: Vec<String>,
    pending: Vec<(usize, u128, String)>,
    /// What was found, in the order of the files.
    pub found: Vec<Twice>,
    /// Files that are not what the layout says.
    pub rejected: Vec<Rejected>,
}

impl<'l> Finding<'l> {
    /// Nothing is known yet; `names` are those of the tables that are read, the one of the entries among them.
    pub fn new<'n>(layout: &'l Layout, names: impl Iterator<Item = &'n str>) -> Self {
        let place = |name: &str| match name {
            TREE_TABLE => Of::Entries,
            name => layout.tables.iter().position(|table| table.name == name).map_or(Of::Nothing, Of::Table),
        };
        Finding {
            layout,
            places: names.map(place).collect(),
            hasher: RowHasher::default(),
            known: HashMap::new(),
            paths: Vec::new(),
            pending: Vec::new(),
            found: Vec::new(),
            rejected: Vec::new(),
        }
    }
}

impl Finding<'_> {
    /// The rows that came before are those of this entry.
    fn entry(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        let Some(entry) = EntryRow::of(cells) else { return Ok(()) };
        self.paths.push(entry.path);
        let path = self.paths.len() - 1;
        for (table, key, shown) in self.pending.drain(..) {
            if let Some(other) = self.known.insert((table, key), path) {
                let paths = [self.paths[other].clone(), self.paths[path].clone()];
                self.found.push(Twice { table: self.layout.tables[table].name.clone(), key: shown, paths });
            }
        }
        Ok(())
    }
}

impl RowSink for Finding<'_> {
    fn row(&mut self, table: usize, cells: &[Cell<'_>]) -> Result<()> {
        let table = match self.places[table] {
            Of::Table(table) => table,
            Of::Nothing => return Ok(()),
            Of::Entries => return self.entry(cells),
        };
        let layout = &self.layout.tables[table];
        if !layout.in_parts {
            let key = marks::key(layout, cells, &mut self.hasher);
            let shown = row_key(layout.key.iter().map(|place| match &cells[*place] {
                Cell::Int(number) => Stored::Integer(*number),
                Cell::Text(text) => Stored::Text(Cow::Borrowed(text.as_bytes())),
                other => Stored::Text(Cow::Owned(format!("{other:?}").into_bytes())),
            }));
            self.pending.push((table, key, shown));
        }
        Ok(())
    }

    fn reject(&mut self, rejected: Rejected) -> Result<()> {
        self.pending.clear();
        self.rejected.push(rejected);
        Ok(())
    }
}
