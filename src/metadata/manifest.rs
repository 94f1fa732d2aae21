//! The manifest: one value per name.

use super::record::{DEFINITIONS, HEADER, NUMBERS, OTHER_TABLES, Record};
use super::{MANIFEST_TABLE, digest_of_rows, is_there, text};
use crate::catalog::Catalog;
use crate::error::{Error, Result};
use rusqlite::{Connection, params};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// The version of the manifest's form that this program writes.
pub const FORM: &str = "2";
/// The form before it, which had no digest and no record; it is read all the same.
pub const FORM_WITHOUT_DIGEST: &str = "1";

/// The manifest's name for the digest of its other values.
pub const DIGEST: &str = "digest";

/// The names of the values of a manifest of form 2.
pub const VALUES: [&str; 14] = [
    "format",
    "tool",
    "source",
    "finished_at",
    "digest_algorithm",
    "given_schema",
    "catalog",
    "choices",
    "needs_sqlite",
    HEADER,
    NUMBERS,
    DEFINITIONS,
    OTHER_TABLES,
    DIGEST,
];

/// What a manifest says about how its file was made.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The program that made the file, and its version.
    pub tool: String,
    /// The source without a password.
    pub source: String,
    /// When the file was finished: UTC, ISO 8601.
    pub finished_at: String,
    /// The file's schema was given and not derived.
    pub given_schema: bool,
    /// The source's schema.
    pub catalog: Catalog,
    /// The choices that the file was made by, as JSON.
    choices: String,
    /// The digest of everything that the target remembers; `None` in a file of form 1.
    pub digest: Option<String>,
}

const READ: &str = "read the manifest of";

impl Manifest {
    /// What these values say.
    ///
    /// # Errors
    /// When they are not complete, not what was written, or of a later form.
    pub fn of(mut values: BTreeMap<String, String>) -> Result<Manifest> {
        let mut value = |name: &str| -> Result<String> {
            let value = values.remove(name);
            value.ok_or_else(|| Error::differs(READ, "the target", format!("it has no value `{name}`")))
        };
        let format = value("format")?;
        if ![FORM, FORM_WITHOUT_DIGEST].contains(&format.as_str()) {
            let cause = format!("it has form {format}, this program reads the forms {FORM_WITHOUT_DIGEST} and {FORM}");
            return Err(Error::could_not(READ, "the target", cause).hint("use a later whimbrel"));
        }
        Ok(Manifest {
            tool: value("tool")?,
            source: value("source")?,
            finished_at: value("finished_at")?,
            given_schema: value("given_schema")? == "true",
            catalog: parsed("catalog", &value("catalog")?)?,
            choices: value("choices")?,
            digest: (format == FORM).then(|| value(DIGEST)).transpose()?,
        })
    }

    /// The choices that the file was made by.
    ///
    /// # Errors
    /// When they are not what was written.
    pub fn choices<C: DeserializeOwned>(&self) -> Result<C> {
        parsed("choices", &self.choices)
    }
}

fn parsed<T: DeserializeOwned>(name: &str, value: &str) -> Result<T> {
    serde_json::from_str(value).map_err(|error| {
        Error::differs(READ, "the target", format!("its value `{name}` is not what was written: {error}"))
            .because(error)
    })
}

/// Every value of the manifest, what is no text as SQL would cast it; `None` for a file without one.
///
/// # Errors
/// When the file cannot be read.
pub fn text_values(connection: &Connection) -> rusqlite::Result<Option<BTreeMap<String, String>>> {
    if !is_there(connection, "table", MANIFEST_TABLE)? {
        return Ok(None);
    }
    let sql = format!("SELECT CAST(name AS TEXT), CAST(value AS TEXT) FROM {MANIFEST_TABLE}");
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map([], |row| Ok((text(row, 0)?, text(row, 1)?)))?;
    rows.collect::<rusqlite::Result<_>>().map(Some)
}

/// The digest of every row of the manifest but its own.
///
/// # Errors
/// When the file cannot be read.
pub fn digest(connection: &Connection) -> rusqlite::Result<String> {
    let but_itself = format!("WHERE name IS NOT '{DIGEST}'");
    digest_of_rows(connection, MANIFEST_TABLE, &but_itself).map(|digest| digest.to_string())
}

/// Where a finished file came from, as it is kept.
pub struct Finished<'a> {
    /// The source without a password.
    pub source: &'a str,
    /// UTC, ISO 8601.
    pub finished_at: &'a str,
    /// The file's schema was given and not derived.
    pub given_schema: bool,
    /// The source's schema.
    pub catalog: &'a Catalog,
    /// The choices that the file was made by, as JSON.
    pub choices: String,
    /// The version of SQLite that the file needs.
    pub needs_sqlite: String,
}

/// Writes the manifest, when everything else of the file is there: the origin, the record, and last the digest of all of it.
///
/// # Errors
/// When the file cannot be written.
pub fn write(connection: &Connection, finished: &Finished<'_>, record: &Record) -> rusqlite::Result<()> {
    let catalog = serde_json::to_string(finished.catalog)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    let values = [
        ("format", FORM.to_owned()),
        ("tool", format!("whimbrel {}", env!("CARGO_PKG_VERSION"))),
        ("source", finished.source.to_owned()),
        ("finished_at", finished.finished_at.to_owned()),
        ("digest_algorithm", "xxh3-128 of canonical rows, summed modulo 2^128".to_owned()),
        ("given_schema", finished.given_schema.to_string()),
        ("catalog", catalog),
        ("choices", finished.choices.clone()),
        ("needs_sqlite", finished.needs_sqlite.clone()),
    ];
    let sql = format!("INSERT INTO {MANIFEST_TABLE} (name, value) VALUES (?1, ?2)");
    let keep = |(name, value): (&str, String)| connection.execute(&sql, params![name, value]).map(drop);
    values.into_iter().chain(record.values()).try_for_each(keep)?;
    keep((DIGEST, digest(connection)?))
}
