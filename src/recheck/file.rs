//! Checking a finished file on its own: structure, foreign keys, JSON, the project's checks.

use super::manifest::TargetManifest;
use super::{require_database, without_rows};
use crate::cancel::Cancel;
use crate::endpoint::sqlite::file::quoted;
use crate::endpoint::sqlite::read::{open, told};
use crate::endpoint::sqlite::schema::{TargetSchema, read_schema};
use crate::error::{Error, Result};
use crate::plan;
use crate::quote::quote;
use crate::transfer::preflight;
use crate::types::Rule;
use crate::verify::SHOWN_MAX;
use crate::verify::checks::{CheckOutcome, run_folder};
use crate::verify::structure::{self, Depth, ForeignKeys, Integrity};
use rusqlite::Connection;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::Path;

/// Longer values are cut when they are shown, in characters.
const VALUE_CHARS_MAX: usize = 80;

/// What a finished file looks like on its own.
#[derive(Debug, Clone, Serialize)]
pub struct FileCheck {
    /// Pages, rows and indexes.
    pub integrity: Integrity,
    /// Foreign keys.
    pub foreign_keys: ForeignKeys,
    /// Each column that has to hold JSON.
    pub json: Vec<JsonColumn>,
    /// The project's checks.
    pub checks: Vec<CheckOutcome>,
}

/// A column that has to hold JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JsonColumn {
    /// Its table.
    pub table: String,
    /// Its name.
    pub column: String,
    /// How many values are not JSON.
    pub invalid: u64,
    /// The first of them.
    pub examples: Vec<String>,
}

impl FileCheck {
    /// Nothing was found.
    pub fn is_sound(&self) -> bool {
        self.integrity.is_sound()
            && self.foreign_keys.is_sound()
            && self.json.iter().all(|column| column.invalid == 0)
            && self.checks.iter().all(|check| check.violations == 0)
    }

    /// An error that tells what was found, in one sentence.
    ///
    /// # Errors
    /// When anything was found.
    pub fn ensure_sound(&self, target: &Path) -> Result<()> {
        if self.is_sound() {
            return Ok(());
        }
        let keys = self.foreign_keys.total + self.foreign_keys.unusable.len() as u64;
        let counts = [
            ("integrity", self.integrity.total),
            ("foreign keys", keys),
            ("JSON", self.json.iter().map(|column| column.invalid).sum()),
            ("checks", self.checks.iter().map(|check| check.violations).sum()),
        ];
        let found: Vec<_> = counts
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(what, count)| format!("{what}: {count} found"))
            .collect();
        Err(Error::differs("check", quoted(target), found.join(", ")))
    }
}

/// Checks the file at `path`, and runs the checks in `folder` where one is given.
///
/// # Errors
/// When the file or a check cannot be read, or somebody asks to stop. What is found is not an error.
pub fn check(path: &Path, folder: Option<&Path>, cancel: &Cancel) -> Result<FileCheck> {
    require_database(path)?;
    let flag = cancel.flag();
    let integrity = structure::integrity(path, Depth::Full, SHOWN_MAX, &flag)?;
    let foreign_keys = structure::foreign_keys(path, SHOWN_MAX, &flag)?;
    let json = {
        let connection = open(path, &flag)?;
        let schema = read_schema(&connection)?;
        let columns = json_columns(&connection, &schema)?;
        columns.into_iter().map(|(table, column)| look_at(&connection, table, column)).collect::<Result<Vec<_>>>()?
    };
    let checks = match folder {
        Some(folder) => run_folder(path, folder, SHOWN_MAX, &flag)?,
        None => Vec::new(),
    };
    Ok(FileCheck { integrity, foreign_keys, json, checks })
}

/// The columns that have to hold JSON: those whose table says so in a CHECK, and those that the manifest knows.
fn json_columns(connection: &Connection, schema: &TargetSchema) -> Result<BTreeSet<(String, String)>> {
    let mut found = BTreeSet::new();
    for table in &schema.tables {
        let sql: String = connection
            .query_row("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1", [&table.name], |row| {
                row.get(0)
            })
            .map_err(|error| told("read the schema of", "the target", &error))?;
        let squeezed: String = sql.to_lowercase().split_whitespace().collect();
        for column in &table.columns {
            let name: String = column.name.to_lowercase().split_whitespace().collect();
            let forms = [quote(&name), name.clone(), format!("[{name}]"), format!("`{name}`")];
            if forms.iter().any(|form| squeezed.contains(&format!("json_valid({form})"))) {
                found.insert((table.name.clone(), column.name.clone()));
            }
        }
    }
    if let Some(manifest) = TargetManifest::read(connection)? {
        let mut plan = match manifest.given_schema {
            true => plan::onto(&manifest.catalog, &manifest.choices, &without_rows(schema.clone())),
            false => plan::plan(&manifest.catalog, &manifest.choices),
        };
        preflight::settle(&mut plan)?;
        for table in &plan.tables {
            let there = schema.tables.iter().find(|there| there.name.eq_ignore_ascii_case(&table.target));
            let Some(there) = there else { continue };
            for column in &table.columns {
                let json = matches!(column.rule, Rule::Json | Rule::JsonArray | Rule::JsonObject);
                let known = there.columns.iter().find(|known| known.name.eq_ignore_ascii_case(&column.target));
                if let Some(known) = known.filter(|_| json) {
                    found.insert((there.name.clone(), known.name.clone()));
                }
            }
        }
    }
    Ok(found)
}

fn look_at(connection: &Connection, table: String, column: String) -> Result<JsonColumn> {
    let failed = |error: rusqlite::Error| told("check the JSON of", format!("`{table}.{column}`"), &error);
    let (name, from) = (quote(&column), quote(&table));
    let mut statement = connection
        .prepare(&format!(
            "SELECT substr(quote({name}), 1, {VALUE_CHARS_MAX}) FROM {from} WHERE NOT json_valid({name})"
        ))
        .map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let (mut invalid, mut examples) = (0, Vec::new());
    while let Some(row) = rows.next().map_err(failed)? {
        invalid += 1;
        if examples.len() < SHOWN_MAX {
            examples.push(row.get(0).map_err(failed)?);
        }
    }
    drop(rows);
    drop(statement);
    Ok(JsonColumn { table, column, invalid, examples })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_damage_is_found_without_a_source() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.db");
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE a (id INTEGER PRIMARY KEY, \"the doc\" TEXT CHECK (json_valid( \"the doc\" )), plain TEXT);
                 CREATE TABLE b (a INTEGER REFERENCES a);
                 INSERT INTO a VALUES (1, '{}', '{'), (2, NULL, NULL);",
            )
            .unwrap();
        drop(connection);
        let sound = check(&path, None, &Cancel::new()).unwrap();
        assert!(sound.is_sound(), "{sound:?}");
        assert_eq!(sound.json.len(), 1, "`plain` need not be JSON");

        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch(
                "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF;
                 UPDATE a SET \"the doc\" = '{' WHERE id = 2; INSERT INTO b VALUES (7);",
            )
            .unwrap();
        drop(connection);
        let found = check(&path, None, &Cancel::new()).unwrap();
        assert_eq!(found.json[0].examples, ["'{'"]);
        assert_eq!(found.foreign_keys.total, 1);
        let told = found.ensure_sound(&path).unwrap_err().to_string();
        assert!(told.contains("JSON: 1 found") && told.contains("foreign keys: 1 found"), "{told}");
    }
}
