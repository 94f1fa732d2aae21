//! Checking a finished file on its own: structure, foreign keys, JSON, the project's checks, and what is not as it was
//! when the file was finished.
//!
//! The file's own manifest says how its values are represented, so that the digests of its tables can be made anew. What
//! its users do to it is a change and no fault; what no use explains is damage.

use super::finished::{has_metadata, require_database};
use super::since::{self, TableSince};
use crate::cancel::Cancel;
use crate::endpoint::SHOWN_MAX;
use crate::endpoint::findings::{CheckOutcome, Difference, DifferenceKind, ForeignKeys, Integrity};
use crate::endpoint::sqlite::checks::run_folder;
use crate::endpoint::sqlite::file::quoted;
use crate::endpoint::sqlite::json::{self, JsonColumn};
use crate::endpoint::sqlite::proof::{self, Proof};
use crate::endpoint::sqlite::read::{describe, open};
use crate::endpoint::sqlite::record::{self, Definitions, Scope};
use crate::endpoint::sqlite::remembered::{plan_of, read_manifest};
use crate::endpoint::sqlite::schema::read_schema;
use crate::endpoint::sqlite::settle::settle;
use crate::endpoint::sqlite::snapshot::Snapshot;
use crate::endpoint::sqlite::structure;
use crate::error::{Error, Kind, Result};
use crate::metadata::{Manifest, is_not_own};
use crate::plan::Plan;
use rusqlite::Connection;
use serde::Serialize;
use std::path::Path;

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
    /// The indexes that there are.
    pub indexes: Vec<Index>,
    /// How the file was made; `None` where it does not remember.
    pub made: Option<Made>,
    /// Each table that was copied, then and now.
    pub tables: Vec<TableSince>,
    /// What else is not as it was when the file was finished, and what contradicts itself.
    pub record: Vec<Difference>,
    /// What was not checked, and why.
    pub not_checked: Vec<String>,
}

/// An index of a file, keys left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// Its table.
    pub table: String,
    /// Whether it keeps rows apart.
    pub unique: bool,
}

/// How a file was made, by its own manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Made {
    /// The program and its version.
    pub tool: String,
    /// The source without a password.
    pub source: String,
    /// When it was finished: UTC, ISO 8601.
    pub finished_at: String,
    /// The digest of everything that the file remembers; `None` in a file of form 1.
    pub digest: Option<String>,
}

impl FileCheck {
    /// No damage was found.
    pub fn is_sound(&self) -> bool {
        self.integrity.is_sound()
            && self.foreign_keys.is_sound()
            && self.json.iter().all(|column| column.invalid == 0)
            && self.checks.iter().all(|check| check.violations == 0)
            && self.damages() == 0
    }

    /// Whether everything is as it was when the file was finished; `None` where the file cannot tell.
    pub fn is_unchanged(&self) -> Option<bool> {
        // It was sound when it was finished.
        match self.changes() + self.damages() + self.integrity.total {
            0 => self.made.as_ref()?.digest.as_ref().map(|_| true),
            _ => Some(false),
        }
    }

    /// How many things no use of the file explains.
    pub fn damages(&self) -> u64 {
        let unread = self.tables.iter().filter(|table| table.is_damaged()).count();
        (unread + self.record.iter().filter(|difference| difference.damage).count()) as u64
    }

    /// How many things its users may have changed.
    pub fn changes(&self) -> u64 {
        let tables = self.tables.iter().filter(|table| table.is_changed()).count();
        (tables + self.record.iter().filter(|difference| !difference.damage).count()) as u64
    }

    /// An error that tells what was found, in one sentence.
    ///
    /// # Errors
    /// When anything but a change was found.
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
            ("damage", self.damages()),
        ];
        let found: Vec<_> = counts
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(what, count)| format!("{what}: {count} found"))
            .collect();
        Err(Error::differs("check", quoted(target), found.join(", ")))
    }

    /// The same, and a change is none either; `digest` is the one that somebody kept elsewhere, where there is one.
    ///
    /// # Errors
    /// When anything was found or has changed, when the file remembers another digest, or when it cannot tell.
    pub fn ensure_unchanged(&self, target: &Path, digest: Option<&str>) -> Result<()> {
        self.ensure_sound(target)?;
        let kept = self.made.as_ref().and_then(|made| made.digest.as_deref());
        if let (Some(wanted), Some(kept)) = (digest, kept)
            && !wanted.eq_ignore_ascii_case(kept)
        {
            return Err(Error::differs("check", quoted(target), format!("its digest is {kept}, not {wanted}"))
                .hint("this is not the file from which that digest was taken"));
        }
        match self.is_unchanged() {
            Some(true) => Ok(()),
            Some(false) => {
                let cause = format!("changed since it was made: {} found", self.changes());
                Err(Error::differs("check", quoted(target), cause))
            }
            None => Err(Error::could_not("check", quoted(target), "it does not remember what it was")
                .hint("only a file that was made with metadata, by this version or a later one, can tell")),
        }
    }
}

/// Checks the file at `path`, and runs the checks in `folder` where one is given.
///
/// # Errors
/// When the file or a check cannot be read, or somebody asks to stop. What is found is not an error.
pub fn check(path: &Path, folder: Option<&Path>, cancel: &Cancel) -> Result<FileCheck> {
    require_database(path)?;
    let mut found = FileCheck {
        integrity: Integrity::sound(),
        foreign_keys: ForeignKeys::default(),
        json: Vec::new(),
        checks: Vec::new(),
        indexes: Vec::new(),
        made: None,
        tables: Vec::new(),
        record: Vec::new(),
        not_checked: Vec::new(),
    };
    // Damage that nobody can read past ends a look, and what was found until then is told all the same.
    let looked = look(path, cancel, &mut found);
    found.bear(looked)?;
    if let Some(folder) = folder {
        let ran = run_folder(path, folder, SHOWN_MAX, &cancel.flag()).map(|checks| found.checks = checks);
        found.bear(ran)?;
    }
    Ok(found)
}

impl FileCheck {
    /// Turns a failure that damage of the file has caused into a finding.
    fn bear(&mut self, outcome: Result<()>) -> Result<()> {
        match outcome {
            Err(error) if error.kind() == Kind::Differs => self.damage(error.to_string()),
            outcome => outcome?,
        }
        Ok(())
    }

    fn damage(&mut self, text: String) {
        self.record.push(Difference { kind: DifferenceKind::Metadata, text, damage: true });
    }
}

fn look(path: &Path, cancel: &Cancel, found: &mut FileCheck) -> Result<()> {
    let connection = match open(path, &cancel.flag()) {
        Err(error) if error.kind() == Kind::Differs => {
            (found.foreign_keys, found.integrity) = structure::unreadable(&error);
            return Err(error);
        }
        opened => opened?,
    };
    let proof = Proof::of(&connection);
    let looked = look_at_state(&connection, path, proof.as_ref(), cancel, found);
    cancel.check("check")?;
    // Where not every row came by, the structure is looked at by itself.
    let verdict = match proof {
        Some(proof) if matches!(looked, Ok(true)) => proof.verdict(&connection)?,
        _ => proof::prove(&connection, path, cancel)?,
    };
    (found.foreign_keys, found.integrity) = structure::judge(&connection, &quoted(path), &verdict, false, SHOWN_MAX)?;
    found.not_checked.extend_from_slice(&found.integrity.unasked);
    looked.map(drop)
}

/// Looks at one state of the file, and says whether every row of it was handed over to the `proof` of its structure.
fn look_at_state(
    connection: &Connection,
    path: &Path,
    proof: Option<&Proof>,
    cancel: &Cancel,
    found: &mut FileCheck,
) -> Result<bool> {
    // Its parts are held against each other, so all of them are of one state, whoever writes meanwhile.
    let snapshot = Snapshot::begin(connection)?;
    found.indexes = indexes(connection).map_err(|error| describe("read the schema of", quoted(path), error))?;
    let manifest = match read_manifest(connection) {
        Err(error) if error.kind() == Kind::Differs => {
            found.damage(error.to_string());
            None
        }
        manifest => manifest?,
    };
    let schema = read_schema(connection)?;
    let plan = manifest.as_ref().map(|manifest| settled_plan(manifest, connection)).transpose()?;
    found.json = json::columns(connection, &schema, plan.as_ref())?;
    let scope = Scope {
        planned: plan.as_ref().map_or(&[], |plan| &plan.tables),
        definitions: Definitions::All,
        metadata: has_metadata(connection)?,
        published: true,
    };
    let recorded = record::compare_state(&snapshot, scope)?;
    found.record.extend(recorded.differences);
    found.not_checked.extend(recorded.not_checked);
    if let (Some(manifest), Some(plan)) = (manifest, plan) {
        let since = since::tables(connection, path, &plan, &recorded.redefined, proof, cancel)?;
        found.tables = since.tables;
        since.damage.into_iter().for_each(|text| found.damage(text));
        let Manifest { tool, source, finished_at, digest, .. } = manifest;
        found.made = Some(Made { tool, source, finished_at, digest });
        Ok(since.handed_over)
    } else {
        found.not_checked.push("whether rows have changed since it was made".into());
        Ok(false)
    }
}

fn settled_plan(manifest: &Manifest, connection: &Connection) -> Result<Plan> {
    let mut plan = plan_of(manifest, connection)?;
    settle(&mut plan)?;
    Ok(plan)
}

fn indexes(connection: &Connection) -> rusqlite::Result<Vec<Index>> {
    let sql = include_str!("indexes.sql").replace("{not_own}", &is_not_own("owner.name"));
    let mut statement = connection.prepare(&sql)?;
    let rows =
        statement.query_map([], |row| Ok(Index { name: row.get(0)?, table: row.get(1)?, unique: row.get(2)? }))?;
    rows.collect()
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
