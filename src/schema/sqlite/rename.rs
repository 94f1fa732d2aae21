//! The end of a rebuild: `ALTER TABLE new RENAME TO old`, while views and triggers name an `old` that is not there.
//!
//! SQLite reads every view and trigger when it renames a table, so that it can carry references over, and fails with
//! "error in view v: no such table: main.old" where one cannot be read: also where the rename is about to mend it. Only
//! then, and only where the script itself took the old table away, is it tried again, first so that what cannot be read
//! stays as it is (`writable_schema`, for which SQLite documents this) and every other reference follows as ever; and
//! where that leaves a schema that cannot be read (a trigger on the new table that names the old one), as SQLite did
//! before 3.25 (`legacy_alter_table`), where only the table's own indexes and triggers follow. Every other rename is
//! SQLite's own. What is of no use afterwards is found by `sound`.

use rusqlite::Connection;

use super::super::script::{gone, table_rename};
use super::super::tokens::Statement;

/// The settings under which the end of a rebuild is tried again, in order.
pub(super) const TRIES: [&str; 2] = ["writable_schema", "legacy_alter_table"];

/// Whether the statement at this place renames a table to the name of one that the script took away before.
pub(super) fn ends_a_rebuild(statements: &[Statement], place: usize) -> bool {
    let Some((_, new)) = statements.get(place).and_then(table_rename) else { return false };
    let new = new.to_ascii_lowercase();
    statements[..place].iter().filter_map(gone).any(|name| name == new)
}

/// Runs `job` under a setting; what it did is undone where it fails or leaves a schema that cannot be read.
pub(super) fn under<T>(
    connection: &Connection,
    setting: &str,
    job: impl FnOnce() -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    connection.execute_batch(&format!("SAVEPOINT whimbrel_rename; PRAGMA {setting} = ON"))?;
    let ran = job();
    connection.execute_batch(&format!("PRAGMA {setting} = OFF"))?;
    let ran = ran.and_then(|value| read_again(connection).map(|()| value));
    if ran.is_err() {
        connection.execute_batch("ROLLBACK TO whimbrel_rename")?;
        read_again(connection)?;
    }
    connection.execute_batch("RELEASE whimbrel_rename")?;
    ran
}

/// Has SQLite forget what it knows of the schema and read it as another connection would.
fn read_again(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("PRAGMA writable_schema = RESET")?;
    connection.prepare("SELECT 1 FROM main.sqlite_schema").map(drop)
}
