//! The base of a sync: what a file remembers of the tree that it was equal to last, read and renewed path by path.

use super::tree::{PIECES_TABLE, TREE_TABLE};
use super::{DIGEST, MANIFEST_TABLE, Record, TABLES_TABLE, digest, tables};
use crate::value::{Cell, RowHasher, TableDigest};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use std::borrow::Cow;

/// An entry of a tree as its row says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRow {
    /// The path from the root.
    pub path: String,
    /// `file`, `directory` or `link`.
    pub entry: String,
    /// The kind of file in the layout.
    pub kind: Option<String>,
    /// The permissions.
    pub mode: i64,
    /// Where a link leads.
    pub link: Option<String>,
    /// The time of the last change, where times belong to the tree.
    pub modified_ns: Option<i64>,
    /// The size of a file in bytes.
    pub size_bytes: Option<i64>,
    /// The hash of a file's bytes; `None` for what is no file, and for a file of which a record is in conflict.
    pub hash: Option<[u8; 16]>,
}

impl EntryRow {
    /// Whether it is a file.
    pub fn is_file(&self) -> bool {
        self.entry == "file"
    }

    /// Whether it is a link.
    pub fn is_link(&self) -> bool {
        self.entry == "link"
    }

    /// The row that these cells are; `None` where they are none.
    pub fn of(cells: &[Cell<'_>]) -> Option<EntryRow> {
        let text = |cell: &Cell<'_>| match cell {
            Cell::Text(text) => Some(text.as_ref().to_owned()),
            _ => None,
        };
        let number = |cell: &Cell<'_>| match cell {
            Cell::Int(number) => Some(*number),
            _ => None,
        };
        let [path, entry, kind, mode, link, modified_ns, size_bytes, hash] = cells else { return None };
        let hash = match hash {
            Cell::Bytes(bytes) => Some(bytes.as_ref().try_into().ok()?),
            _ => None,
        };
        Some(EntryRow {
            path: text(path)?,
            entry: text(entry)?,
            kind: text(kind),
            mode: number(mode)?,
            link: text(link),
            modified_ns: number(modified_ns),
            size_bytes: number(size_bytes),
            hash,
        })
    }

    fn hash_of_row(&self, hasher: &mut RowHasher) -> u128 {
        let text = |text: Option<&str>| text.map_or(Cell::Null, |text| Cell::Text(Cow::Owned(text.to_owned())));
        let number = |number: Option<i64>| number.map_or(Cell::Null, Cell::Int);
        let cells = [
            text(Some(&self.path)),
            text(Some(&self.entry)),
            text(self.kind.as_deref()),
            Cell::Int(self.mode),
            text(self.link.as_deref()),
            number(self.modified_ns),
            number(self.size_bytes),
            self.hash.map_or(Cell::Null, |hash| Cell::Bytes(Cow::Owned(hash.to_vec()))),
        ];
        cells.iter().for_each(|cell| hasher.cell(cell));
        hasher.finish()
    }
}

/// A piece of a file as its row says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PieceRow {
    /// Its number in the file.
    pub piece: i64,
    /// Its records.
    pub records: Option<Vec<u8>>,
    /// What they do not tell of its bytes.
    pub bytes: Option<Vec<u8>>,
}

fn hash_of_piece(path: &str, row: &PieceRow, hasher: &mut RowHasher) -> u128 {
    let bytes =
        |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(Cell::Null, |bytes| Cell::Bytes(Cow::Owned(bytes.clone())));
    let cells = [Cell::Text(Cow::Owned(path.to_owned())), Cell::Int(row.piece), bytes(&row.records), bytes(&row.bytes)];
    cells.iter().for_each(|cell| hasher.cell(cell));
    hasher.finish()
}

/// Every entry of the tree.
///
/// # Errors
/// When the file cannot be read, or remembers no tree.
pub fn entries(connection: &Connection) -> rusqlite::Result<Vec<EntryRow>> {
    let sql = format!("SELECT path, entry, kind, mode, link, modified_ns, size_bytes, hash FROM {TREE_TABLE}");
    let mut all = connection.prepare(&sql)?;
    all.query_map([], entry)?.collect()
}

fn entry(row: &rusqlite::Row<'_>) -> rusqlite::Result<EntryRow> {
    Ok(EntryRow {
        path: row.get(0)?,
        entry: row.get(1)?,
        kind: row.get(2)?,
        mode: row.get(3)?,
        link: row.get(4)?,
        modified_ns: row.get(5)?,
        size_bytes: row.get(6)?,
        hash: row.get(7)?,
    })
}

/// Hands over the path and the records of each piece that has any.
///
/// # Errors
/// When the file cannot be read, or `give` fails.
pub fn records<E: From<rusqlite::Error>>(
    connection: &Connection,
    mut give: impl FnMut(&str, &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let sql = format!("SELECT path, records FROM {PIECES_TABLE} WHERE records IS NOT NULL ORDER BY path, piece");
    let mut all = connection.prepare(&sql)?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        let path = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        give(path, row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?)?;
    }
    Ok(())
}

/// What is remembered of a path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OfPath {
    /// Its entry.
    pub entry: Option<EntryRow>,
    /// The pieces of its file; `None` for those that there are.
    pub pieces: Option<Vec<PieceRow>>,
}

/// What is remembered of a path.
fn of_path(connection: &Connection, path: &str, with_pieces: bool) -> rusqlite::Result<OfPath> {
    let sql = format!(
        "SELECT path, entry, kind, mode, link, modified_ns, size_bytes, hash FROM {TREE_TABLE} WHERE path = ?1"
    );
    let mut one = connection.prepare_cached(&sql)?;
    let entry = one.query_map([path], entry)?.next().transpose()?;
    let pieces = if with_pieces { Some(pieces(connection, path)?) } else { None };
    Ok(OfPath { entry, pieces })
}

/// What is remembered of the pieces of a file, in their order.
///
/// # Errors
/// When the file cannot be read.
pub fn pieces(connection: &Connection, path: &str) -> rusqlite::Result<Vec<PieceRow>> {
    let sql = format!("SELECT piece, records, bytes FROM {PIECES_TABLE} WHERE path = ?1 ORDER BY piece");
    let mut all = connection.prepare_cached(&sql)?;
    let row = |row: &rusqlite::Row<'_>| Ok(PieceRow { piece: row.get(0)?, records: row.get(1)?, bytes: row.get(2)? });
    all.query_map([path], row)?.collect()
}

/// The digests of the two tables while they are renewed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Digests {
    /// Of the entries.
    pub entries: TableDigest,
    /// Of the pieces.
    pub pieces: TableDigest,
}

/// Renews what is remembered of a path, and the digests with it; whether anything was another one.
///
/// # Errors
/// When the file cannot be written.
pub fn renew_path(connection: &Connection, path: &str, now: &OfPath, digests: &mut Digests) -> rusqlite::Result<bool> {
    let then = of_path(connection, path, now.pieces.is_some())?;
    if then == *now {
        return Ok(false);
    }
    let mut hasher = RowHasher::default();
    if let Some(entry) = &then.entry {
        digests.entries.remove(entry.hash_of_row(&mut hasher));
    }
    connection.prepare_cached(&format!("DELETE FROM {TREE_TABLE} WHERE path = ?1"))?.execute([path])?;
    if let Some(entry) = &now.entry {
        let sql = format!(
            "INSERT INTO {TREE_TABLE} (path, entry, kind, mode, link, modified_ns, size_bytes, hash)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
        );
        let EntryRow { path, entry: word, kind, mode, link, modified_ns, size_bytes, hash } = entry;
        let mut put = connection.prepare_cached(&sql)?;
        put.execute(params![path, word, kind, mode, link, modified_ns, size_bytes, hash])?;
        digests.entries.add(entry.hash_of_row(&mut hasher));
    }
    let (Some(then), Some(now)) = (&then.pieces, &now.pieces) else { return Ok(true) };
    then.iter().for_each(|piece| digests.pieces.remove(hash_of_piece(path, piece, &mut hasher)));
    connection.prepare_cached(&format!("DELETE FROM {PIECES_TABLE} WHERE path = ?1"))?.execute([path])?;
    let sql = format!("INSERT INTO {PIECES_TABLE} (path, piece, records, bytes) VALUES (?1, ?2, ?3, ?4)");
    let mut put = connection.prepare_cached(&sql)?;
    for piece in now {
        put.execute(params![path, piece.piece, piece.records, piece.bytes])?;
        digests.pieces.add(hash_of_piece(path, piece, &mut hasher));
    }
    Ok(true)
}

/// Renews what is remembered of these paths, and everything that follows from it.
///
/// # Errors
/// When the file cannot be written, or remembers no tree.
pub fn renew<'t>(
    connection: &Connection,
    paths: &[(String, OfPath)],
    copied: impl IntoIterator<Item = &'t str>,
) -> rusqlite::Result<()> {
    let kept = tables::read(connection)?.unwrap_or_default();
    let of = |name: &str| {
        kept.values().find(|table| table.target == name).and_then(|table| table.digest).unwrap_or_default()
    };
    let mut digests = Digests { entries: of(TREE_TABLE), pieces: of(PIECES_TABLE) };
    let mut is_other = false;
    for (path, now) in paths {
        is_other |= renew_path(connection, path, now, &mut digests)?;
    }
    match is_other {
        true => renew_digests(connection, &[(TREE_TABLE, digests.entries), (PIECES_TABLE, digests.pieces)], copied),
        false => Ok(()),
    }
}

/// The hash of the bytes of a file when both sides were equal last; `None` where nothing is remembered of it.
///
/// # Errors
/// When the file cannot be read.
pub fn hash_of(connection: &Connection, path: &str) -> rusqlite::Result<Option<[u8; 16]>> {
    let sql = format!("SELECT hash FROM {TREE_TABLE} WHERE path = ?1");
    let hash = connection.prepare_cached(&sql)?.query_row([path], |row| row.get(0)).optional()?;
    Ok(hash.flatten())
}

/// Keeps other choices in the manifest; its digest is renewed with [`renew_digests`].
///
/// # Errors
/// When the file cannot be written.
pub fn renew_choices(connection: &Connection, choices: &impl Serialize) -> rusqlite::Result<()> {
    let json = serde_json::to_string(choices).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let sql = format!("UPDATE {MANIFEST_TABLE} SET value = ?1 WHERE name = 'choices'");
    connection.execute(&sql, [json]).map(drop)
}

/// Keeps new digests of tables, named as the target names them, and what follows from them in the manifest: the numbers of keys and
/// the tables that were not copied are from now on what they are now.
///
/// # Errors
/// When the file cannot be written.
pub fn renew_digests<'t>(
    connection: &Connection,
    digests: &[(&str, TableDigest)],
    copied: impl IntoIterator<Item = &'t str>,
) -> rusqlite::Result<()> {
    let sql = format!("UPDATE {TABLES_TABLE} SET rows = ?2, digest = ?3 WHERE target = ?1");
    for (table, digest) in digests {
        connection.execute(&sql, params![table, digest.rows as i64, digest.to_string()])?;
    }
    let sql = format!("UPDATE {MANIFEST_TABLE} SET value = ?2 WHERE name = ?1");
    for (name, value) in Record::in_use(connection, copied)? {
        connection.execute(&sql, params![name, value])?;
    }
    connection.execute(&sql, params![DIGEST, digest(connection)?]).map(drop)
}
