//! The objects of a SQLite schema, as `sqlite_schema` has them.

use rusqlite::Connection;

use super::{OTHER_HISTORIES, Object};
use crate::Result;
use crate::error::Context;
use crate::metadata::is_not_own;

/// Every object but SQLite's own, the bookkeeping of this program and that of other tools, ordered.
pub(crate) fn objects(connection: &Connection, history_table: &str) -> Result<Vec<Object>> {
    let sql = include_str!("sqlite/objects.sql").replace("{not_own}", &is_not_own("tbl_name"));
    let mut statement = connection.prepare(&sql).could_not("read schema", "")?;
    let rows = statement
        .query_map([history_table], |row| {
            let object = Object { kind: row.get(0)?, name: row.get(1)?, definition: row.get(2)? };
            Ok((object, row.get::<_, String>(3)?))
        })
        .could_not("read schema", "")?;
    let is_bookkeeping = |table: &str| OTHER_HISTORIES.iter().any(|other| other.eq_ignore_ascii_case(table));
    let mut objects = Vec::new();
    for row in rows {
        let (object, table) = row.could_not("read schema", "")?;
        if !is_bookkeeping(&table) {
            objects.push(object);
        }
    }
    Ok(objects)
}
