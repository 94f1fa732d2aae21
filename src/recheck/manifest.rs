//! What a finished file remembers of where it came from.

use crate::catalog::Catalog;
use crate::endpoint::sqlite::read::told;
use crate::error::{Error, Result};
use crate::plan::choices::Choices;
use crate::verify::record::{DIGEST, FORM, FORM_WITHOUT_DIGEST};
use rusqlite::{Connection, OptionalExtension};

/// The manifest of a target (`_whimbrel_manifest`).
#[derive(Debug, Clone)]
pub struct TargetManifest {
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
    /// The choices that the file was made by.
    pub choices: Choices,
    /// The digest of everything that the target remembers; `None` in a file of form 1.
    pub digest: Option<String>,
}

impl TargetManifest {
    /// Reads the manifest; `None` for a file without metadata.
    ///
    /// # Errors
    /// When the file cannot be read, or its manifest is not complete or of a later form.
    pub fn read(connection: &Connection) -> Result<Option<TargetManifest>> {
        const OPERATION: &str = "read the manifest of";
        let failed = |error: rusqlite::Error| told(OPERATION, "the target", &error);
        let there: i64 = connection
            .query_row(
                "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '_whimbrel_manifest'",
                [],
                |row| row.get(0),
            )
            .map_err(failed)?;
        if there == 0 {
            return Ok(None);
        }
        let value = |name: &str| -> Result<String> {
            connection
                .query_row("SELECT value FROM _whimbrel_manifest WHERE name = ?1", [name], |row| row.get(0))
                .optional()
                .map_err(failed)?
                .ok_or_else(|| Error::differs(OPERATION, "the target", format!("it has no value `{name}`")))
        };
        let format = value("format")?;
        if ![FORM, FORM_WITHOUT_DIGEST].contains(&format.as_str()) {
            let cause = format!("it has form {format}, this program reads the forms {FORM_WITHOUT_DIGEST} and {FORM}");
            return Err(Error::could_not(OPERATION, "the target", cause).hint("use a later whimbrel"));
        }
        let json = |name: &str, error: serde_json::Error| {
            Error::differs(OPERATION, "the target", format!("its value `{name}` is not what was written: {error}"))
        };
        Ok(Some(TargetManifest {
            tool: value("tool")?,
            source: value("source")?,
            finished_at: value("finished_at")?,
            given_schema: value("given_schema")? == "true",
            catalog: serde_json::from_str(&value("catalog")?).map_err(|error| json("catalog", error))?,
            choices: serde_json::from_str(&value("choices")?).map_err(|error| json("choices", error))?,
            digest: (format == FORM).then(|| value(DIGEST)).transpose()?,
        }))
    }
}
