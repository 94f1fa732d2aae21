//! The bytes of a SQLite file that somebody may be writing.
//!
//! Where there is neither a log nor a journal beside it, the file is all there is, and is read as any file is. Where there is one, the
//! bytes of the file are not its content. While a program has the file open (it has its `-shm` then), SQLite itself gives one committed
//! state; a log that nobody has open is read in a copy of both files, because SQLite would leave an `-shm` beside them. The bytes are
//! those that the file itself has once its log was moved into it.

use super::super::tree::entry::Stat;
use super::super::tree::walk::{Content, Growth, Tree};
use crate::cancel::Cancel;
use crate::endpoint::sqlite::file::quoted;
use crate::endpoint::sqlite::read;
use crate::error::{Context, Error, Result};
use rusqlite::Connection;
use std::fs;
use std::io::Read;

const READ: &str = "read";

/// One committed state of a file beside which there is a log or a journal; `None` where there is none.
///
/// # Errors
/// When it cannot be read, or what a killed program has left has to be put right first.
pub fn state(tree: &Tree, path: &str, cancel: &Cancel) -> Result<Option<(Vec<u8>, Stat)>> {
    let beside =
        |end: &str| -> Result<bool> { Ok(tree.stat(&format!("{path}{end}"))?.is_some_and(|stat| stat.size_bytes > 0)) };
    let shown = quoted(&tree.path().join(path));
    if beside("-journal")? {
        return Err(Error::could_not(READ, shown, "a transaction was not finished: a journal is beside it")
            .hint("let its application finish, or open the file with it once: that takes the transaction back"));
    }
    if !beside("-wal")? {
        return Ok(None);
    }
    let Some(stat) = tree.stat(path)? else { return Ok(None) };
    if tree.stat(&format!("{path}-shm"))?.is_some() {
        let connection = read::open(&tree.path().join(path), &cancel.flag())?;
        return Ok(Some((serialized(&connection).map_err(|error| read::describe(READ, &shown, error))?, stat)));
    }
    let folder = tempfile::tempdir().could_not("copy", &shown)?;
    let copy = folder.path().join("copy.db");
    for (end, to) in [("", copy.clone()), ("-wal", folder.path().join("copy.db-wal"))] {
        let bytes = match tree.read(&format!("{path}{end}"), Growth::Refused)? {
            Content::Whole(bytes, _) => bytes,
            Content::Large(mut file) => {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes).could_not(READ, &shown)?;
                file.finish()?;
                bytes
            }
        };
        fs::write(to, bytes).could_not("copy", &shown)?;
    }
    if tree.stat(path)?.is_none_or(|now| now != stat) {
        return Err(Error::could_not(READ, shown, "it was changed while it was read")
            .hint("run again when nobody writes to it"));
    }
    let connection = Connection::open(copy).map_err(|error| read::describe(READ, &shown, error))?;
    Ok(Some((serialized(&connection).map_err(|error| read::describe(READ, &shown, error))?, stat)))
}

/// The pages of one state.
fn serialized(connection: &Connection) -> rusqlite::Result<Vec<u8>> {
    connection.execute_batch("BEGIN")?;
    // This reads, and so takes the lock.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let bytes = connection.serialize("main")?.to_vec();
    connection.execute_batch("COMMIT")?;
    Ok(bytes)
}
