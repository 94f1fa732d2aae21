//! The schema read back: every planned table, index and view is there, as it was planned, and nothing else.

use super::read::describe;
use super::redefined::difference;
use crate::error::Result;
use crate::metadata;
use crate::plan::Plan;
use rusqlite::Connection;
use std::collections::{BTreeMap, HashMap};

/// What differs between the plan's definitions and those of the file, one sentence each. A given schema is none of the
/// plan's: it is held against the file's own record ([`super::record`]), and so is the metadata.
///
/// # Errors
/// When the file cannot be read, or somebody asks to stop.
pub fn compare(connection: &Connection, plan: &Plan) -> Result<Vec<String>> {
    if plan.given_schema {
        return Ok(Vec::new());
    }
    let failed = |error: rusqlite::Error| describe("read the schema of", "the target", error);
    let mut found = definitions(connection).map_err(failed)?;
    let mut differences = Vec::new();
    found.retain(|(_, name), _| !metadata::is_own(name) || plan.tables.iter().any(|table| table.target == *name));
    check_numbers(connection, plan, &mut differences).map_err(failed)?;
    let tables =
        plan.tables.iter().filter_map(|table| table.ddl.as_ref().map(|ddl| ("table", ddl.name.clone(), ddl.sql())));
    let indexes = plan.tables.iter().flat_map(|table| &table.indexes).map(|i| ("index", i.name.clone(), i.sql.clone()));
    let views = plan.views.iter().map(|view| ("view", view.target.clone(), view.sql.clone()));
    for (kind, name, sql) in tables.chain(indexes).chain(views) {
        match found.remove(&(kind.to_owned(), name.clone())) {
            None => differences.push(format!("{kind} `{name}` is missing")),
            Some(there) if there != sql => {
                let difference = difference(&sql, &there);
                differences.push(format!("{kind} `{name}` is not defined as planned: {difference}"));
            }
            Some(_) => {}
        }
    }
    differences.extend(found.keys().map(|(kind, name)| format!("{kind} `{name}` is not part of the plan")));
    Ok(differences)
}

/// The statement of every table, index, view and trigger of a file, by kind and name; SQLite's own left out.
fn definitions(connection: &Connection) -> rusqlite::Result<BTreeMap<(String, String), String>> {
    let mut statement = connection.prepare(include_str!("sql/definitions.sql"))?;
    let rows = statement.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))?;
    rows.collect()
}

/// A key that counts up must not hand out a number again that the source has handed out before.
fn check_numbers(connection: &Connection, plan: &Plan, differences: &mut Vec<String>) -> rusqlite::Result<()> {
    if plan.tables.iter().all(|table| table.last_number.is_none()) {
        return Ok(());
    }
    // The table of numbers is there as soon as one table counts; without it there is none either.
    let counts: bool =
        connection
            .query_row("SELECT EXISTS (SELECT 1 FROM pragma_table_xinfo('sqlite_sequence'))", [], |row| row.get(0))?;
    let mut numbers: HashMap<String, Option<i64>> = HashMap::new();
    if counts {
        let mut rows = connection
            .prepare("SELECT name, max(seq) FROM sqlite_sequence WHERE typeof(name) = 'text' GROUP BY name")?;
        numbers = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
    }
    for table in &plan.tables {
        let Some(last) = table.last_number else { continue };
        let there = numbers.get(&table.target).copied().flatten();
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
