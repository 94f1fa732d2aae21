//! The schema read back: every planned table, index and view is there, as it was planned, and nothing else.

use crate::cancel::Cancel;
use crate::endpoint::sqlite::read::{open, told};
use crate::error::Result;
use crate::plan::Plan;
use crate::plan::names::METADATA_PREFIX;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::Path;

/// What differs between the plan's definitions and those of the file, one sentence each. A given schema is compared
/// by the tables and columns that the plan uses when they are read back.
///
/// # Errors
/// When the file cannot be opened, or somebody asks to stop.
pub fn compare(path: &Path, plan: &Plan, metadata: bool, cancel: &Cancel) -> Result<Vec<String>> {
    if plan.given_schema {
        return Ok(Vec::new());
    }
    let connection = open(path, &cancel.flag())?;
    let failed = |error: rusqlite::Error| told("read the schema of", "the target", &error);
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut statement = connection
        .prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")
        .map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        found.insert(row.get(0).map_err(failed)?, row.get(1).map_err(failed)?);
    }
    let ours = found.keys().filter(|name| name.starts_with(METADATA_PREFIX)).count();
    found.retain(|name, _| !name.starts_with(METADATA_PREFIX));

    let mut differences = Vec::new();
    if metadata && ours == 0 {
        differences.push("the metadata tables are missing".to_owned());
    }
    check_numbers(&connection, plan, &mut differences).map_err(failed)?;
    let tables =
        plan.tables.iter().filter_map(|table| table.ddl.as_ref().map(|ddl| ("table", ddl.name.clone(), ddl.sql())));
    let indexes = plan.tables.iter().flat_map(|table| &table.indexes).map(|i| ("index", i.name.clone(), i.sql.clone()));
    let views = plan.views.iter().map(|view| ("view", view.target.clone(), view.sql.clone()));
    for (kind, name, sql) in tables.chain(indexes).chain(views) {
        match found.remove(&name) {
            None => differences.push(format!("{kind} `{name}` is missing")),
            Some(there) if there != sql => {
                differences.push(format!("{kind} `{name}` is not defined as planned: {there}"))
            }
            Some(_) => {}
        }
    }
    differences.extend(found.keys().map(|name| format!("`{name}` is not part of the plan")));
    Ok(differences)
}

/// A key that counts up must not hand out a number again that the source has handed out before.
fn check_numbers(connection: &Connection, plan: &Plan, differences: &mut Vec<String>) -> rusqlite::Result<()> {
    for table in &plan.tables {
        let Some(last) = table.last_number else { continue };
        // The table of numbers is there as soon as one table counts; without it there is none either.
        let counts: bool = connection.query_row(
            "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence')",
            [],
            |row| row.get(0),
        )?;
        let sql = "SELECT max(seq) FROM sqlite_sequence WHERE name = ?1";
        let there: Option<i64> =
            if counts { connection.query_row(sql, [&table.target], |row| row.get(0))? } else { None };
        if there.is_none_or(|there| there < last) {
            let there = there.map_or("nothing".to_owned(), |there| there.to_string());
            differences.push(format!(
                "the key of table `{}` counts on from {there}, the source's sequence from {last}",
                table.target
            ));
        }
    }
    Ok(())
}
