//! The records that are looked at, each with its cells, and the pieces of the files that were read: in a temporary database, so that
//! a sync in which everything has changed needs no more memory than one in which nothing has.

use super::record::{Id, Which};
use crate::error::{Error, Result};
use crate::metadata::base::PieceRow;
use rusqlite::{Connection, OptionalExtension, Row, params};

/// A record as one side has it.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Which.
    pub id: Id,
    /// The place of its file's path; of rows it says nothing.
    pub path: u32,
    /// The hash of its cells.
    pub hash: u128,
    /// Its cells.
    pub packed: Vec<u8>,
}

/// Records and pieces.
pub struct Store(Connection);

fn failed(error: rusqlite::Error) -> Error {
    Error::could_not("keep records in", "a temporary database", error)
}

fn side(which: Which) -> i64 {
    match which {
        Which::Files => 0,
        Which::Rows => 1,
    }
}

fn number(bytes: Vec<u8>) -> u128 {
    bytes.iter().fold(0, |number, byte| number << 8 | u128::from(*byte))
}

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let id = Id { table: row.get(0)?, kind: row.get(1)?, key: number(row.get(2)?) };
    Ok(Stored { id, path: row.get(3)?, hash: number(row.get(4)?), packed: row.get(5)? })
}

const COLUMNS: &str = "tbl, kind, key, path, hash, cells";

impl Store {
    /// An empty one.
    ///
    /// # Errors
    /// When there is no room for a temporary database.
    pub fn new() -> Result<Store> {
        let open = || {
            let connection = Connection::open("")?;
            connection.execute_batch(
                "CREATE TABLE records (number INTEGER PRIMARY KEY, side INTEGER, tbl INTEGER, kind INTEGER, key BLOB, path INTEGER,
                   hash BLOB, cells BLOB, UNIQUE (side, tbl, kind, key));
                 CREATE INDEX records_of_path ON records (path) WHERE side = 0;
                 CREATE TABLE pieces (path TEXT, piece INTEGER, records BLOB, bytes BLOB, PRIMARY KEY (path, piece));
                 BEGIN",
            )?;
            Ok(connection)
        };
        open().map(Store).map_err(failed)
    }

    /// Keeps a record; where that side has it already, it is left, and the place of its path returned.
    ///
    /// # Errors
    /// When the temporary database cannot be written.
    pub fn put(&self, which: Which, record: &Stored) -> Result<Option<u32>> {
        let sql = "INSERT OR IGNORE INTO records (side, tbl, kind, key, path, hash, cells) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let Stored { id, path, hash, packed } = record;
        let mut put = self.0.prepare_cached(sql).map_err(failed)?;
        let key = id.key.to_be_bytes();
        let put = put.execute(params![side(which), id.table, id.kind, key, path, hash.to_be_bytes(), packed]);
        match put.map_err(failed)? {
            0 => Ok(self.get(which, *id)?.map(|known| known.path)),
            _ => Ok(None),
        }
    }

    /// What a side has of a record.
    ///
    /// # Errors
    /// When the temporary database cannot be read.
    pub fn get(&self, which: Which, id: Id) -> Result<Option<Stored>> {
        let sql = format!("SELECT {COLUMNS} FROM records WHERE side = ?1 AND tbl = ?2 AND kind = ?3 AND key = ?4");
        let mut one = self.0.prepare_cached(&sql).map_err(failed)?;
        one.query_row(params![side(which), id.table, id.kind, id.key.to_be_bytes()], stored).optional().map_err(failed)
    }

    /// The records of a file, in their order.
    ///
    /// # Errors
    /// When the temporary database cannot be read.
    pub fn of_path(&self, path: u32) -> Result<Vec<Stored>> {
        let sql = format!("SELECT {COLUMNS} FROM records WHERE side = 0 AND path = ?1 ORDER BY number");
        let mut all = self.0.prepare_cached(&sql).map_err(failed)?;
        let rows = all.query_map([path], stored).map_err(failed)?;
        rows.collect::<rusqlite::Result<_>>().map_err(failed)
    }

    /// Every record of a table that a side has here.
    ///
    /// # Errors
    /// When the temporary database cannot be read, or `give` fails.
    pub fn of_table(&self, which: Which, table: u16, give: &mut dyn FnMut(Stored) -> Result<()>) -> Result<()> {
        let sql = format!("SELECT {COLUMNS} FROM records WHERE side = ?1 AND tbl = ?2 ORDER BY number");
        let mut all = self.0.prepare(&sql).map_err(failed)?;
        let mut rows = all.query(params![side(which), table]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            give(stored(row).map_err(failed)?)?;
        }
        Ok(())
    }

    /// Forgets the pieces and the records of a file that is read again.
    ///
    /// # Errors
    /// When the temporary database cannot be written.
    pub fn forget(&self, path: &str, place: u32) -> Result<()> {
        let forget = || {
            self.0.execute("DELETE FROM pieces WHERE path = ?1", [path])?;
            self.0.execute("DELETE FROM records WHERE side = 0 AND path = ?1", [place])
        };
        forget().map(drop).map_err(failed)
    }

    /// Keeps a piece of a file.
    ///
    /// # Errors
    /// When the temporary database cannot be written.
    pub fn put_piece(&self, path: &str, piece: &PieceRow) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO pieces (path, piece, records, bytes) VALUES (?1, ?2, ?3, ?4)";
        let mut put = self.0.prepare_cached(sql).map_err(failed)?;
        put.execute(params![path, piece.piece, piece.records, piece.bytes]).map(drop).map_err(failed)
    }

    /// The pieces of a file.
    ///
    /// # Errors
    /// When the temporary database cannot be read.
    pub fn pieces(&self, path: &str) -> Result<Vec<PieceRow>> {
        let sql = "SELECT piece, records, bytes FROM pieces WHERE path = ?1 ORDER BY piece";
        let mut all = self.0.prepare_cached(sql).map_err(failed)?;
        let rows =
            all.query_map([path], |row| Ok(PieceRow { piece: row.get(0)?, records: row.get(1)?, bytes: row.get(2)? }));
        rows.map_err(failed)?.collect::<rusqlite::Result<_>>().map_err(failed)
    }
}
