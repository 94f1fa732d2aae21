//! The file is sound, and every reference leads to a row.
//!
//! Steps: open the published file, and ask SQLite itself: `PRAGMA integrity_check`, `PRAGMA foreign_key_check`.
//! Constraints: a foreign key that the source has not validated may be violated in it, and then is in the target, too;
//! no schema of the harness has one.

use super::super::case::Case;
use super::{Property, Verdict};
use crate::error::{Context, Result};
use rusqlite::Connection;

pub(super) const PROPERTY: Property =
    Property { name: "integrity", says: "the file is sound, and every reference leads to a row", ask };

fn ask(case: &mut Case<'_>) -> Result<Verdict> {
    of(&case.open_target()?)
}

/// What SQLite says of an open file.
pub(in super::super) fn of(connection: &Connection) -> Result<Verdict> {
    const OPERATION: &str = "check the integrity of";
    let mut findings = Vec::new();
    let mut look = |sql: &str| -> rusqlite::Result<()> {
        let mut statement = connection.prepare(sql)?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let values = (0..columns).map(|at| row.get::<_, rusqlite::types::Value>(at));
            let values: Vec<_> = values.collect::<rusqlite::Result<_>>()?;
            let answer = values.iter().map(|value| format!("{value:?}")).collect::<Vec<_>>().join(", ");
            if answer != "Text(\"ok\")" {
                findings.push(format!("{sql}: {answer}"));
            }
        }
        Ok(())
    };
    look("PRAGMA integrity_check").could_not(OPERATION, "the target")?;
    look("PRAGMA foreign_key_check").could_not(OPERATION, "the target")?;
    Ok(Verdict::of(findings))
}
