//! Reading an index as it stands in its b-tree: every entry, in the tree's own order, and nothing else.
//!
//! No query can be relied on for that, because SQLite chooses what it reads. So the tree is given a table of its own in
//! the connection's memory, a read-only *imposter* (`SQLITE_TESTCTRL_IMPOSTER`, as SQLite's own RBU extension uses it):
//! its columns are the entry's values as stored, its rows the entries. Nothing of it is written to the file, which is open
//! for reading only; where SQLite does not do it, there is no such table, and the proof gives up.

use super::order::{Previous, Step, put};
use super::shape::Index;
use crate::value::{RowHasher, TableDigest};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ffi};
use std::ffi::c_int;

/// What the entries of an index are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Entries {
    /// Their digest.
    pub(super) digest: TableDigest,
    /// Entries that are not behind the one before.
    pub(super) out_of_order: u64,
    /// Entries with a key that an entry before has, where none may.
    pub(super) repeated: u64,
}

/// Reads all entries of an index. The connection keeps a table for it until it is closed.
///
/// # Errors
/// When the tree cannot be read.
pub(super) fn read(connection: &Connection, index: &Index) -> rusqlite::Result<Entries> {
    let columns: Vec<_> = (0..index.values.len()).map(|place| format!("c{place}")).collect();
    let columns = columns.join(", ");
    let table = format!("\"whimbrel tree {}\"", index.root);
    let definition = format!("CREATE TABLE {table} ({columns}, PRIMARY KEY ({columns})) WITHOUT ROWID");
    with_imposter(connection, index.root, || connection.execute_batch(&definition))?;
    let mut statement = connection.prepare(&format!("SELECT {columns} FROM main.{table}"))?;
    let mut rows = statement.query([])?;
    let (mut entries, mut hasher, mut previous) = (Entries::default(), RowHasher::default(), Previous::default());
    while let Some(row) = rows.next()? {
        let values = (0..index.values.len()).map(|place| row.get_ref(place));
        let values = values.collect::<rusqlite::Result<Vec<ValueRef<'_>>>>()?;
        values.iter().for_each(|value| put(*value, None, &mut hasher));
        entries.digest.add(hasher.finish());
        match previous.step(&index.order, index.unique, &values) {
            Step::Up => {}
            Step::OutOfOrder => entries.out_of_order += 1,
            Step::Repeated => entries.repeated += 1,
        }
    }
    Ok(entries)
}

/// Lets the next CREATE TABLE give a table to the tree at a root page.
fn with_imposter<T>(
    connection: &Connection,
    root: u32,
    create: impl FnOnce() -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    /// A table that only reads. It gets its schema from this control, so that its name stands alone.
    const READ_ONLY: c_int = 2;
    // The schema has to be known before, because it is read as if it were definitions of the same kind.
    connection.query_row("SELECT count(*) FROM main.sqlite_schema WHERE 0", [], |_| Ok(()))?;
    let set = |mode: c_int, root: c_int| {
        // SAFETY: the handle is valid while the connection is borrowed; the arguments are those that SQLite documents for
        // this control, and the name is a C string that lives through the call.
        unsafe {
            ffi::sqlite3_test_control(
                ffi::SQLITE_TESTCTRL_IMPOSTER as c_int,
                connection.handle(),
                c"main".as_ptr(),
                mode,
                root,
            );
        }
    };
    let number = c_int::try_from(root).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    set(READ_ONLY, number);
    let outcome = create();
    set(0, 0);
    outcome
}
