//! What is remembered of the tree that rows were read from.

use super::layout::Layout;
use super::marks::{self, Mark};
use super::rows::{Before, small};
use super::source::LayoutFile;
use crate::endpoint::{ReadTable, Source};
use crate::error::{Error, Result};
use crate::metadata::tree::{self, entry, piece};
use crate::value::Cell;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashSet;

/// An entry of the tree that rows were read from.
#[derive(Debug, Clone)]
pub(super) struct BaseEntry {
    pub(super) path: String,
    pub(super) is: Is,
    pub(super) mode: u32,
    pub(super) modified_ns: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Is {
    Directory,
    Link(String),
    /// A file, with its kind where it has one.
    File(Option<String>),
}

/// What is remembered of the tree that rows were read from.
pub struct Base {
    entries: Vec<BaseEntry>,
    paths: HashSet<String>,
    /// The pieces of its files.
    pieces: Connection,
    /// The places in the layout of tables that stand in the root of several kinds of files.
    in_several: HashSet<u16>,
    /// How many records of which table there are, piece by piece; tables are told by their places in the layout.
    turns: Vec<(u16, u32)>,
}

/// A file of one piece, in the order in which pieces were read.
pub(super) struct OnePiece {
    /// Its number in that order.
    pub(super) number: i64,
    pub(super) path: String,
    pub(super) marks: Vec<Mark>,
}

/// A piece of a file.
pub(super) struct BasePiece {
    /// The records in it, in their order.
    pub(super) marks: Vec<Mark>,
    /// What of it they do not tell; of a file that is carried as bytes, they.
    pub(super) bytes: Option<Vec<u8>>,
}

fn failed(error: rusqlite::Error) -> Error {
    Error::could_not("keep what is remembered in", "a temporary database", error)
}

impl Base {
    /// What a source remembers; nothing where it has never been a tree.
    ///
    /// # Errors
    /// When the source cannot be read, or what it remembers is not what was written.
    pub fn of(source: &mut dyn Source) -> Result<Base> {
        let pieces = Connection::open("").map_err(failed)?;
        pieces
            .execute_batch(
                "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
                 CREATE TABLE pieces (path TEXT, piece INTEGER, records BLOB, bytes BLOB, PRIMARY KEY (path, piece));
                 CREATE TABLE marks (tbl INTEGER, key BLOB, path TEXT, PRIMARY KEY (tbl, key, path)) WITHOUT ROWID; BEGIN",
            )
            .map_err(failed)?;
        let mut base =
            Base { entries: Vec::new(), paths: HashSet::new(), pieces, in_several: HashSet::new(), turns: Vec::new() };
        let catalog = source.catalog()?;
        let Some(layout) = LayoutFile::remembered(&catalog, source.label())? else { return Ok(base) };
        base.in_several = in_several(&layout.layout);
        let tables = tree::tables();
        let requests: Vec<ReadTable<'_>> =
            tables.iter().filter(|table| catalog.table(&table.name).is_some()).map(ReadTable::whole).collect();
        let is_entries: Vec<bool> = requests.iter().map(|request| request.table.name == tree::TREE_TABLE).collect();
        source.read(&requests, &mut |table: usize, cells: &[Cell<'_>]| match is_entries[table] {
            true => base.entry(cells),
            false => base.piece(cells),
        })?;
        base.pieces.execute_batch("COMMIT").map_err(failed)?;
        base.entries.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(base)
    }

    fn entry(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        let text = |place: usize| match &cells[place] {
            Cell::Text(text) => Some(text.as_ref().to_owned()),
            _ => None,
        };
        let number = |place: usize| match cells[place] {
            Cell::Int(number) => Some(number),
            _ => None,
        };
        let read = || {
            let is = match (text(entry::ENTRY)?.as_str(), text(entry::LINK)) {
                ("directory", None) => Is::Directory,
                ("link", Some(leads_to)) => Is::Link(leads_to),
                ("file", None) => Is::File(text(entry::KIND)),
                _ => return None,
            };
            let mode = u32::try_from(number(entry::MODE)?).ok()? & 0o7777;
            Some(BaseEntry { path: text(entry::PATH)?, is, mode, modified_ns: number(entry::MODIFIED_NS) })
        };
        let damaged =
            || Error::differs("read", format!("table `{}`", tree::TREE_TABLE), "a row is not what was written");
        let entry = read().ok_or_else(damaged)?;
        self.paths.insert(entry.path.clone());
        self.entries.push(entry);
        Ok(())
    }

    fn piece(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        let bytes = |place: usize| match &cells[place] {
            Cell::Bytes(bytes) => Some(bytes.as_ref()),
            _ => None,
        };
        let (Cell::Text(path), Cell::Int(number)) = (&cells[piece::PATH], &cells[piece::PIECE]) else {
            let object = format!("table `{}`", tree::PIECES_TABLE);
            return Err(Error::differs("read", object, "a row is not what was written"));
        };
        let sql = "INSERT INTO pieces (path, piece, records, bytes) VALUES (?1, ?2, ?3, ?4)";
        let mut put = self.pieces.prepare_cached(sql).map_err(failed)?;
        put.execute(params![path, number, bytes(piece::RECORDS), bytes(piece::BYTES)]).map_err(failed)?;
        let sql = "INSERT OR IGNORE INTO marks (tbl, key, path) VALUES (?1, ?2, ?3)";
        let mut put = self.pieces.prepare_cached(sql).map_err(failed)?;
        let marks = marks::of_bytes(bytes(piece::RECORDS).unwrap_or_default()).unwrap_or_default();
        let before = self.turns.len();
        for mark in &marks {
            match self.turns[before..].iter_mut().find(|(table, _)| *table == mark.table) {
                Some((_, rows)) => *rows += 1,
                None => self.turns.push((mark.table, 1)),
            }
        }
        for mark in marks.iter().filter(|mark| self.in_several.contains(&mark.table)) {
            put.execute(params![mark.table, mark.key.to_be_bytes(), path]).map_err(failed)?;
        }
        Ok(())
    }

    /// How many records of which table there are, piece by piece, in the order in which those were read; tables are told by
    /// their places in the layout.
    pub(super) fn turns(&self) -> &[(u16, u32)] {
        &self.turns
    }

    /// The first file of one piece behind a number in the order in which they were read.
    pub(super) fn one_piece_behind(&self, number: i64) -> Result<Option<OnePiece>> {
        let sql = "SELECT rowid, path, records FROM pieces AS one WHERE rowid > ?1 AND piece = 0
                   AND NOT EXISTS (SELECT 1 FROM pieces AS other WHERE other.path = one.path AND other.piece = 1)
                   ORDER BY rowid LIMIT 1";
        let mut found = self.pieces.prepare_cached(sql).map_err(failed)?;
        let found = found.query_row([number], |row| {
            let records: Option<Vec<u8>> = row.get(2)?;
            let marks = marks::of_bytes(records.as_deref().unwrap_or_default()).unwrap_or_default();
            Ok(OnePiece { number: row.get(0)?, path: row.get(1)?, marks })
        });
        found.optional().map_err(failed)
    }

    /// The entry at a path.
    pub(super) fn entry_at(&self, path: &str) -> Option<&BaseEntry> {
        let place = self.entries.binary_search_by(|entry| entry.path.as_str().cmp(path)).ok()?;
        self.entries.get(place)
    }

    /// How many pieces a file has.
    pub(super) fn pieces_of(&self, path: &str) -> Result<i64> {
        let sql = "SELECT count(*) FROM pieces WHERE path = ?1";
        let mut count = self.pieces.prepare_cached(sql).map_err(failed)?;
        count.query_row([path], |row| row.get(0)).map_err(failed)
    }

    /// One of them, from 0.
    pub(super) fn piece_at(&self, path: &str, number: i64) -> Result<BasePiece> {
        let sql = "SELECT records, bytes FROM pieces WHERE path = ?1 AND piece = ?2";
        let mut found = self.pieces.prepare_cached(sql).map_err(failed)?;
        let found = found.query_row(params![path, number], |row| {
            let records: Option<Vec<u8>> = row.get(0)?;
            Ok((marks::of_bytes(records.as_deref().unwrap_or_default()), row.get(1)?))
        });
        let damaged = || {
            let object = format!("table `{}`, file `{path}`", tree::PIECES_TABLE);
            Error::differs("read", object, "a row is not what was written")
        };
        let (marks, bytes) = found.optional().map_err(failed)?.ok_or_else(damaged)?;
        Ok(BasePiece { marks: marks.ok_or_else(damaged)?, bytes })
    }

    /// What of a file of one piece its records do not tell.
    pub(super) fn text_of(&self, path: &str) -> Result<Option<Vec<u8>>> {
        let sql = "SELECT bytes FROM pieces WHERE path = ?1 AND piece = 0";
        let mut found = self.pieces.prepare_cached(sql).map_err(failed)?;
        found.query_row([path], |row| row.get(0)).map_err(failed)
    }

    pub(super) fn entries(&self) -> &[BaseEntry] {
        &self.entries
    }
}

/// Tables that stand in the root of several kinds of files, or of one in several places.
fn in_several(layout: &Layout) -> HashSet<u16> {
    let roots = || layout.kinds.iter().flat_map(|kind| &kind.records).map(|records| records.table);
    let several = |table: &usize| roots().filter(|other| other == table).count() > 1;
    roots().filter(several).filter_map(|table| u16::try_from(table).ok()).collect()
}

impl Before for Base {
    fn has_file(&self, path: &str) -> bool {
        self.paths.contains(path)
    }

    fn had(&self, path: &str, table: usize, key: u128) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM marks WHERE tbl = ?1 AND key = ?2 AND path = ?3)";
        let mut found = self.pieces.prepare_cached(sql).map_err(failed)?;
        found.query_row(params![small(table), key.to_be_bytes(), path], |row| row.get(0)).map_err(failed)
    }
}
