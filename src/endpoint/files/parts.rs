//! Rows that several files make, put together in a temporary database.

use super::marks::Mark;
use super::pack::{pack, unpack};
use crate::error::{Error, Result};
use crate::value::Cell;
use rusqlite::{Connection, OptionalExtension, params};

/// Rows that several files make, until the last of them was read.
pub(super) struct Parts(Connection);

/// Why a part does not go into its row.
pub(super) enum PartFault {
    /// Two files say a column differently.
    Differs(usize),
    Storage(String),
}

impl PartFault {
    pub(super) fn in_words(self, table: &str, column: &dyn Fn(usize) -> String) -> String {
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
    pub(super) fn new() -> Result<Parts> {
        let open = || {
            let connection = Connection::open("")?;
            connection.execute_batch(
                "CREATE TABLE parts (tbl INTEGER, key BLOB, cells BLOB, PRIMARY KEY (tbl, key)) WITHOUT ROWID; BEGIN",
            )?;
            Ok(connection)
        };
        open().map(Parts).map_err(|error: rusqlite::Error| Error::could_not("open", "a temporary database", error))
    }

    pub(super) fn add(&self, mark: &Mark, cells: &[Cell<'_>]) -> Result<(), PartFault> {
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

    pub(super) fn each(self, give: &mut dyn FnMut(usize, &[Cell<'_>]) -> Result<()>) -> Result<()> {
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
