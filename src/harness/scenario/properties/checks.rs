//! The project's checks find nothing.
//!
//! Steps: run each file of the project's `checks/` on the published file, by SQLite alone; count the rows.
//! Constraints: a project without checks is not asked. What the checks demand and the source's schema does not (the
//! words for a role, the form of a text) is told to the generator by the project's hints.

use super::super::case::Case;
use super::{Property, Verdict};
use crate::error::{Context, Result};
use rusqlite::Connection;
use std::path::{Path, PathBuf};

pub(super) const PROPERTY: Property = Property { name: "checks", says: "the project's checks find nothing", ask };

fn ask(case: &mut Case<'_>) -> Result<Verdict> {
    of(case.fixture.settings.options.checks.as_deref(), &case.open_target()?)
}

/// What a folder of checks finds in an open file.
pub(in super::super) fn of(folder: Option<&Path>, connection: &Connection) -> Result<Verdict> {
    let Some(folder) = folder else { return Ok(Verdict::NotAsked("the project has no checks")) };
    let mut findings = Vec::new();
    for file in sql_files(folder)? {
        let object = format!("`{}`", file.display());
        let sql = std::fs::read_to_string(&file).could_not("read check", &object)?;
        let found = first_row(connection, &sql).could_not("run check", &object)?;
        if let Some((first, count)) = found {
            findings.push(format!("{object} found {count} rows, the first: {first}"));
        }
    }
    Ok(Verdict::of(findings))
}

/// The files of a folder that end in `.sql`, in the order of their names.
fn sql_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let object = format!("`{}`", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).could_not("list", &object)? {
        let path = entry.could_not("list", &object)?.path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The first row of a query, and how many there are; `None` where there is none.
fn first_row(connection: &Connection, sql: &str) -> rusqlite::Result<Option<(String, u64)>> {
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    let (mut first, mut count) = (String::new(), 0);
    while let Some(row) = rows.next()? {
        if count == 0 {
            let values = (0..columns).map(|at| row.get::<_, rusqlite::types::Value>(at));
            let values: Vec<_> = values.collect::<rusqlite::Result<_>>()?;
            first = values.iter().map(|value| format!("{value:?}")).collect::<Vec<_>>().join(", ");
        }
        count += 1;
    }
    Ok((count > 0).then_some((first, count)))
}
