//! Rowids that a new file does not keep. A table without an INTEGER PRIMARY KEY has them all the same, and a view, a trigger or
//! another program may read them.

use super::object_list::Object;
use super::optimize::has_lasting_rowid;
use super::scan::{ROWID_NAMES, columns_of, rowid_name};
use crate::plan::TablePlan;
use crate::plan::given::Renumbered;
use crate::quote::quote;
use rusqlite::Connection;

/// Which of the tables a new file gives other rowids, since it counts its rows from 1; `objects` are the views and triggers that
/// it gets.
pub(super) fn renumbered<'t>(
    connection: &Connection,
    tables: impl Iterator<Item = &'t TablePlan>,
    objects: &[Object],
) -> rusqlite::Result<Vec<Renumbered>> {
    let mut found = Vec::new();
    for table in tables {
        let Some(rowid) = rowid_name(connection, &table.target, &columns_of(connection, &table.target)?)? else {
            continue;
        };
        if has_lasting_rowid(connection, &table.target)? || counts_from_one(connection, &table.target, rowid)? {
            continue;
        }
        let readers = objects.iter().filter(|object| reads(object, &table.target));
        let readers = readers.map(|object| format!("{} `{}`", object.kind, object.name)).collect();
        found.push(Renumbered { table: table.target.clone(), readers });
    }
    Ok(found)
}

fn counts_from_one(connection: &Connection, table: &str, rowid: &str) -> rusqlite::Result<bool> {
    let name = quote(table);
    let sql = format!("SELECT (SELECT min({rowid}) FROM {name}), (SELECT max({rowid}) FROM {name})");
    let ends: (Option<i64>, Option<i64>) = connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    match ends {
        (Some(1), Some(last)) => {
            connection.query_row(&format!("SELECT count(*) = ?1 FROM {name}"), [last], |row| row.get(0))
        }
        (Some(_), _) => Ok(false),
        (None, _) => Ok(true),
    }
}

/// Whether a definition has a name of the rowid in it, and that of the table.
fn reads(object: &Object, table: &str) -> bool {
    let sql = object.sql.as_deref().unwrap_or_default();
    let has = |word: &str| {
        let mut words = sql.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.any(|found| found.eq_ignore_ascii_case(word))
    };
    let is_named = object.table.eq_ignore_ascii_case(table) || sql.to_lowercase().contains(&table.to_lowercase());
    matches!(object.kind.as_str(), "view" | "trigger") && is_named && ROWID_NAMES.iter().any(|name| has(name))
}
