//! The schema read back: every planned table, index and view is there, as it was planned, and nothing else.

use crate::endpoint::sqlite::loader::LEDGER_TABLE;
use crate::endpoint::sqlite::read::told;
use crate::error::Result;
use crate::plan::Plan;
use crate::plan::names::METADATA_PREFIX;
use rusqlite::Connection;
use std::collections::BTreeMap;

const MANIFEST_TABLE: &str = "_whimbrel_manifest";
/// What a file with metadata has besides the plan's tables.
const METADATA_TABLES: [&str; 3] = [LEDGER_TABLE, MANIFEST_TABLE, "_whimbrel_tables"];

/// What differs between the plan's definitions and those of the file, one sentence each. Those of a given schema are
/// in the file's manifest; what the application has added to them since is its own business.
///
/// # Errors
/// When the file cannot be read, or somebody asks to stop.
pub fn compare(connection: &Connection, plan: &Plan, metadata: bool) -> Result<Vec<String>> {
    let failed = |error: rusqlite::Error| told("read the schema of", "the target", &error);
    let mut found = definitions(connection).map_err(failed)?;
    let mut differences = Vec::new();
    if metadata {
        let missing = METADATA_TABLES.iter().filter(|name| !found.contains_key(**name));
        differences.extend(missing.map(|name| format!("metadata table `{name}` is missing")));
    }
    if plan.given_schema {
        // The manifest has the definitions; without it there is nothing to compare with, and that is told already.
        if metadata && found.contains_key(MANIFEST_TABLE) {
            differences.extend(compare_given(connection).map_err(failed)?);
        }
        return Ok(differences);
    }
    found.retain(|name, _| !name.starts_with(METADATA_PREFIX));
    check_numbers(connection, plan, &mut differences).map_err(failed)?;
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

/// The name and the statement of every table, index, view and trigger of a file, SQLite's own left out.
///
/// # Errors
/// When the file cannot be read.
pub fn definitions(connection: &Connection) -> rusqlite::Result<BTreeMap<String, String>> {
    let mut statement = connection.prepare(
        "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

fn compare_given(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT name.value, name.key FROM _whimbrel_manifest AS m, json_each(m.value) AS name
               WHERE m.name = 'definitions' ORDER BY name.key";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let found = definitions(connection)?;
    let mut differences = Vec::new();
    while let Some(row) = rows.next()? {
        let (sql, name): (String, String) = (row.get(0)?, row.get(1)?);
        match found.get(&name) {
            None => differences.push(format!("`{name}` of the target schema is missing")),
            Some(there) if *there != sql => {
                differences.push(format!("`{name}` is not defined as in the target schema: {there}"));
            }
            Some(_) => {}
        }
    }
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
