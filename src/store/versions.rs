//! The versions of all records on both sides, and those that the SQLite file remembers, in a temporary database: memory does not grow
//! with their number.
//!
//! They come as each side has them, and are given record by record, in the order of tables and of the hashes of keys.

use super::contract::Version;
use super::files::FilesStore;
use super::rows::RowsStore;
use super::unit::{Known, Unit, of_parts, versions_of_marks};
use crate::endpoint::files::pack::{pack, unpack};
use crate::endpoint::sqlite::file::quoted;
use crate::error::{Error, Result};
use crate::value::Cell;
use rusqlite::{Connection, OptionalExtension, params};
use std::ops::ControlFlow;

const COMPARE: &str = "compare records in";
const OBJECT: &str = "a temporary database";

/// A record that is on its way from one file to another is seen in both for a moment: so often they are looked through.
const ATTEMPTS_MAX: usize = 3;

const FILES: i64 = 0;
const ROWS: i64 = 1;
const BASE: i64 = 2;

/// Of a table that is not in parts, there is one part.
const WHOLE: i64 = 0;

/// The versions.
pub struct Versions {
    known: &'static Known,
    connection: Connection,
}

/// What one side has of a record.
pub struct Seen {
    /// Its version.
    pub version: Version,
    path: Option<String>,
    /// A row with the cells of its key, packed; of a part, all of it.
    packed: Vec<u8>,
}

/// A record as it is on both sides.
pub struct Compared {
    known: &'static Known,
    /// The place of its table.
    pub table: usize,
    key: u128,
    files: Vec<Seen>,
    /// What rows have.
    pub rows: Option<Seen>,
    /// What is remembered, part by part.
    base: Vec<(usize, Version)>,
}

fn failed(error: rusqlite::Error) -> Error {
    Error::could_not(COMPARE, OBJECT, error)
}

fn damaged() -> Error {
    Error::could_not(COMPARE, OBJECT, "a record is damaged")
}

impl Versions {
    /// Reads both sides.
    ///
    /// # Errors
    /// When a side cannot be read, two files have the same record, or there is no room for a temporary database.
    pub fn read(known: &'static Known, files: &FilesStore, rows: &RowsStore) -> Result<Versions> {
        let connection = Connection::open("").map_err(failed)?;
        connection
            .execute_batch(
                "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -16000;
                 CREATE TABLE versions (tbl INTEGER, key BLOB, side INTEGER, part INTEGER, version BLOB, path TEXT, packed BLOB,
                   PRIMARY KEY (tbl, key, side, part)) WITHOUT ROWID",
            )
            .map_err(failed)?;
        let versions = Versions { known, connection };
        versions.of_base(rows)?;
        let mut attempt = 0;
        loop {
            attempt += 1;
            match versions.of_files(files)? {
                ControlFlow::Continue(()) => break,
                ControlFlow::Break(_) if attempt < ATTEMPTS_MAX => {}
                ControlFlow::Break(twice) => return Err(twice),
            }
        }
        versions.of_rows(rows)?;
        Ok(versions)
    }

    fn put(&self, (table, key): (usize, u128), side: i64, part: i64, seen: &Seen) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO versions (tbl, key, side, part, version, path, packed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let mut put = self.connection.prepare_cached(sql).map_err(failed)?;
        let (key, version) = (key.to_be_bytes(), seen.version.0.to_be_bytes());
        put.execute(params![number(table), key, side, part, version, seen.path, seen.packed]).map(drop).map_err(failed)
    }

    fn of_base(&self, rows: &RowsStore) -> Result<()> {
        rows.each_mark(&mut |path, marks| {
            for (id, version) in versions_of_marks(self.known, marks) {
                let part =
                    if self.known.layout.tables[id.0].in_parts { number(self.known.group_of(path).0) } else { WHOLE };
                let seen = Seen { version: Version(version), path: None, packed: Vec::new() };
                self.put(id, BASE, part, &seen)?;
            }
            Ok(())
        })
    }

    fn of_rows(&self, rows: &RowsStore) -> Result<()> {
        for table in self.known.roots() {
            rows.each(table, &mut |unit| {
                let path = unit.files(self.known, &[]).ok().and_then(|files| files.into_iter().next());
                let path = path.map(|(_, path, _)| path);
                let seen = Seen { version: unit.version(self.known), path, packed: packed(&unit.key_row(self.known))? };
                self.put((table, unit.key(self.known)), ROWS, WHOLE, &seen)
            })?;
        }
        Ok(())
    }

    /// All of files; a break where two of them have the same record.
    fn of_files(&self, files: &FilesStore) -> Result<ControlFlow<Error>> {
        let known = self.known;
        self.connection.execute("DELETE FROM versions WHERE side = ?1", [FILES]).map_err(failed)?;
        let mut twice = None;
        let mut part = 0;
        files.each(&mut |path, unit| {
            let key = unit.key(known);
            let in_parts = known.layout.tables[unit.table].in_parts;
            if !in_parts && let Some(other) = self.path_of(unit.table, key)? {
                let of = |path: &str| quoted(&files.root().join(path));
                let cause = format!(
                    "it has the record {} of `{}`, and so has {}",
                    unit.shown_key(known),
                    known.layout.tables[unit.table].name,
                    of(path)
                );
                let error = Error::differs("read", of(&other), cause)
                    .hint("a record is in one file: remove it from one of the two, or give it another key");
                twice.get_or_insert(error);
                return Ok(());
            }
            let kept = if in_parts { unit.to_bytes(known)? } else { packed(&unit.key_row(known))? };
            // Parts are joined in the order in which they were found.
            part = if in_parts { part + 1 } else { WHOLE };
            let seen = Seen { version: unit.version_alone(), path: Some(path.to_owned()), packed: kept };
            self.put((unit.table, key), FILES, part, &seen)
        })?;
        Ok(twice.map_or(ControlFlow::Continue(()), ControlFlow::Break))
    }

    fn path_of(&self, table: usize, key: u128) -> Result<Option<String>> {
        let sql = "SELECT path FROM versions WHERE tbl = ?1 AND key = ?2 AND side = ?3";
        let mut found = self.connection.prepare_cached(sql).map_err(failed)?;
        found.query_row(params![number(table), key.to_be_bytes(), FILES], |row| row.get(0)).optional().map_err(failed)
    }

    /// How many records are remembered.
    ///
    /// # Errors
    /// When the temporary database cannot be read.
    pub fn bases(&self) -> Result<u64> {
        let sql = "SELECT count(*) FROM (SELECT DISTINCT tbl, key FROM versions WHERE side = ?1)";
        let found = self.connection.query_row(sql, [BASE], |row| row.get::<_, i64>(0)).map_err(failed)?;
        Ok(found.unsigned_abs())
    }

    /// Gives each record.
    ///
    /// # Errors
    /// When the temporary database cannot be read, or `give` fails.
    pub fn each(&self, give: &mut dyn FnMut(Compared) -> Result<()>) -> Result<()> {
        let sql = "SELECT tbl, key, side, part, version, path, packed FROM versions ORDER BY tbl, key, side, part";
        let mut all = self.connection.prepare(sql).map_err(failed)?;
        let mut rows = all.query([]).map_err(failed)?;
        let mut open: Option<Compared> = None;
        while let Some(row) = rows.next().map_err(failed)? {
            let (table, key) = (row.get::<_, i64>(0).map_err(failed)?, row.get::<_, [u8; 16]>(1).map_err(failed)?);
            let id = (usize::try_from(table).map_err(|_| damaged())?, u128::from_be_bytes(key));
            if open.as_ref().is_some_and(|open| (open.table, open.key) != id)
                && let Some(whole) = open.take()
            {
                give(whole)?;
            }
            let record = open.get_or_insert_with(|| Compared {
                known: self.known,
                table: id.0,
                key: id.1,
                files: Vec::new(),
                rows: None,
                base: Vec::new(),
            });
            let seen = Seen {
                version: Version(u128::from_be_bytes(row.get(4).map_err(failed)?)),
                path: row.get(5).map_err(failed)?,
                packed: row.get(6).map_err(failed)?,
            };
            match row.get::<_, i64>(2).map_err(failed)? {
                FILES => record.files.push(seen),
                ROWS => record.rows = Some(seen),
                _ => {
                    let part = row.get::<_, i64>(3).map_err(failed)?;
                    record.base.push((usize::try_from(part).map_err(|_| damaged())?, seen.version));
                }
            }
        }
        open.map_or(Ok(()), give)
    }
}

impl Compared {
    /// Its file, where one has it or would have it.
    pub fn path(&self) -> Option<String> {
        let of_files = self.files.first().and_then(|side| side.path.clone());
        of_files.or_else(|| self.rows.as_ref()?.path.clone())
    }

    /// The version that files have; of a row in parts, that of all of them together.
    ///
    /// # Errors
    /// When it is not what was kept.
    pub fn files_version(&self) -> Result<Option<Version>> {
        match self.known.layout.tables[self.table].in_parts {
            false => Ok(self.files.first().map(|side| side.version)),
            true => Ok(self.joined()?.map(|unit| unit.version(self.known))),
        }
    }

    fn joined(&self) -> Result<Option<Unit>> {
        let mut whole: Option<Unit> = None;
        for side in &self.files {
            let part = Unit::of_bytes(self.known, &side.packed).ok_or_else(damaged)?;
            match &mut whole {
                None => whole = Some(part),
                Some(whole) => whole.join(part),
            }
        }
        Ok(whole)
    }

    /// The version that is remembered.
    pub fn base_version(&self) -> Option<Version> {
        if !self.known.layout.tables[self.table].in_parts {
            return self.base.first().map(|(_, version)| *version);
        }
        let nothing = Unit { table: self.table, cells: self.key_row().ok()?, inside: Vec::new() }.nothing(self.known);
        let parts = self.base.iter().copied().filter(|(_, version)| version.0 != nothing);
        (!self.base.is_empty()).then(|| of_parts(parts.collect()))
    }

    /// A row with the cells of its key.
    ///
    /// # Errors
    /// When it is not what was kept.
    pub fn key_row(&self) -> Result<Vec<Cell<'static>>> {
        if let Some(rows) = &self.rows {
            return unpacked(&rows.packed);
        }
        match (self.known.layout.tables[self.table].in_parts, self.files.first()) {
            (false, Some(side)) => unpacked(&side.packed),
            (true, Some(_)) => Ok(self.joined()?.ok_or_else(damaged)?.key_row(self.known)),
            (_, None) => Err(damaged()),
        }
    }
}

fn packed(cells: &[Cell<'_>]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    pack(cells, &mut bytes).map_err(|_| damaged())?;
    Ok(bytes)
}

fn unpacked(bytes: &[u8]) -> Result<Vec<Cell<'static>>> {
    Ok(unpack(bytes).ok_or_else(damaged)?.into_iter().map(Cell::into_owned).collect())
}

fn number(place: usize) -> i64 {
    i64::try_from(place).unwrap_or(i64::MAX)
}
