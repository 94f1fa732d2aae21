//! What both sides had when they were equal last, as the SQLite file remembers it.

use super::record::{Id, WHOLE};
use super::records::Records;
use crate::endpoint::files::layout::{Layout, Place};
use crate::endpoint::files::marks::{self, Mark};
use crate::error::{Error, Result};
use crate::metadata::base::{self, EntryRow};
use crate::value::TableDigest;
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// For no more records room is made at once: a number in a file is no reason to take all memory.
const RECORDS_FORESEEN_MAX: usize = 1 << 22;

/// The hash of a record that has no base, because it was in conflict when it came.
pub const NO_BASE: u128 = 0;

/// Paths, each known by its place.
#[derive(Debug, Default)]
pub struct Paths {
    list: Vec<String>,
    places: HashMap<String, u32>,
}

impl Paths {
    /// The place of a path.
    pub fn place(&mut self, path: &str) -> u32 {
        if let Some(place) = self.places.get(path) {
            return *place;
        }
        let place = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.list.push(path.to_owned());
        self.places.insert(path.to_owned(), place);
        place
    }

    /// The place of a path that is known.
    pub fn find(&self, path: &str) -> Option<u32> {
        self.places.get(path).copied()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// The path at a place.
    pub fn path(&self, place: u32) -> &str {
        self.list.get(place as usize).map_or("", String::as_str)
    }
}

/// The base.
#[derive(Debug, Default)]
pub struct Base {
    /// The entries of the tree.
    pub entries: BTreeMap<String, EntryRow>,
    /// The records.
    pub records: Records,
    /// The paths at which records are remembered and no file was: what is in conflict, and files had no more.
    pub ghosts: BTreeSet<String>,
}

/// Which record a mark is of.
pub fn id_of(layout: &Layout, table: u16, key: u128, kind: Option<usize>) -> Id {
    let in_parts = layout.tables.get(usize::from(table)).is_some_and(|table| table.in_parts);
    let kind = kind.filter(|_| in_parts).and_then(|kind| u16::try_from(kind).ok());
    Id { table, kind: kind.unwrap_or(WHOLE), key }
}

/// The kind of the file at a path.
pub fn kind_of(layout: &Layout, path: &str) -> Option<usize> {
    match layout.place(path) {
        Place::Kind(kind, _) => Some(kind),
        Place::Kept | Place::Ignored | Place::Unknown => None,
    }
}

impl Base {
    /// The base in an open file, which has about so many records.
    ///
    /// # Errors
    /// When it cannot be read, or is not what was written.
    pub fn read(connection: &Connection, layout: &Layout, paths: &mut Paths, records: usize) -> Result<Base> {
        let entries = base::entries(connection).map_err(failed)?;
        let mut found = Base {
            entries: entries.into_iter().map(|entry| (entry.path.clone(), entry)).collect(),
            records: Records::with_capacity(records.min(RECORDS_FORESEEN_MAX)),
            ..Base::default()
        };
        let mut last: Option<(String, u32, Option<usize>)> = None;
        each_piece(connection, layout, |path, marks| {
            if last.as_ref().is_none_or(|(known, ..)| known != path) {
                last = Some((path.to_owned(), paths.place(path), kind_of(layout, path)));
                if !found.entries.get(path).is_some_and(EntryRow::is_file) {
                    found.ghosts.insert(path.to_owned());
                }
            }
            let Some((_, place, kind)) = &last else { return Ok(()) };
            for mark in marks {
                let id = id_of(layout, mark.table, mark.key, *kind);
                found.records.insert(id, mark.row, *place);
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// The digest of what each table has of records, taken without keeping one. A record that is remembered at two paths counts twice.
    ///
    /// # Errors
    /// As [`Base::read`].
    pub fn digests(connection: &Connection, layout: &Layout) -> Result<Vec<TableDigest>> {
        let mut digests = vec![TableDigest::default(); layout.tables.len()];
        each_piece(connection, layout, |_, marks| {
            marks.iter().for_each(|mark| digests[usize::from(mark.table)].add(mark.row));
            Ok(())
        })?;
        Ok(digests)
    }

    /// The hash of a record where it has a base.
    pub fn hash(&self, id: Id) -> Option<u128> {
        self.records.get(&id).map(|known| known.hash).filter(|hash| *hash != NO_BASE)
    }
}

fn failed(error: rusqlite::Error) -> Error {
    Error::could_not("read", "what the file remembers of the tree", error)
}

/// Hands over the path and the records of each piece.
fn each_piece(
    connection: &Connection,
    layout: &Layout,
    mut give: impl FnMut(&str, &[Mark]) -> Result<()>,
) -> Result<()> {
    base::records(connection, |path, records| {
        let is_known = |mark: &Mark| usize::from(mark.table) < layout.tables.len();
        match marks::of_bytes(records).filter(|marks| marks.iter().all(is_known)) {
            Some(marks) => Ok(give(path, &marks)?),
            None => {
                let object = format!("the records of `{path}`");
                Err(Failure::Told(Error::differs("read", object, "they are not what was written")))
            }
        }
    })
    .map_err(|failure| match failure {
        Failure::Told(error) => error,
        Failure::Sqlite(error) => failed(error),
    })
}

enum Failure {
    Told(Error),
    Sqlite(rusqlite::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Told(error)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Failure::Sqlite(error)
    }
}
