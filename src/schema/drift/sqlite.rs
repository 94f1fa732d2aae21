//! The objects of a SQLite schema, as `sqlite_schema` has them.

use rusqlite::Connection;

use super::Object;
use crate::Result;
use crate::error::Context;

/// Every object but SQLite's own, the bookkeeping of this program and sqlx's, ordered.
pub(crate) fn objects(connection: &Connection, history_table: &str) -> Result<Vec<Object>> {
    let sql = "SELECT type, name, sql FROM main.sqlite_schema \
               WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
                 AND name NOT LIKE '\\_whimbrel\\_%' ESCAPE '\\' AND name <> '_sqlx_migrations' AND tbl_name <> ?1 \
               ORDER BY type, name";
    let mut statement = connection.prepare(sql).could_not("read schema", "")?;
    let rows = statement
        .query_map([history_table], |row| Ok(Object { kind: row.get(0)?, name: row.get(1)?, definition: row.get(2)? }))
        .could_not("read schema", "")?;
    rows.collect::<rusqlite::Result<_>>().could_not("read schema", "")
}
