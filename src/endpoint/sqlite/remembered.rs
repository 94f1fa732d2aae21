//! How a finished file was made, by what it remembers: its manifest, and the plan that follows from it.

use super::read::describe;
use super::schema::read_schema;
use crate::error::Result;
use crate::metadata::{self, Manifest};
use crate::plan::choices::Choices;
use crate::plan::given::TargetSchema;
use crate::plan::{self, Plan};
use rusqlite::Connection;

/// What the file says about how it was made; `None` for a file without metadata.
///
/// # Errors
/// When the file cannot be read, or its manifest is not complete or of a later form.
pub fn read_manifest(connection: &Connection) -> Result<Option<Manifest>> {
    let values = metadata::manifest_values(connection);
    let values = values.map_err(|error| describe("read the manifest of", "the target", error))?;
    values.map(Manifest::of).transpose()
}

/// The plan by which the file was made, before SQLite has been asked about its definitions.
///
/// # Errors
/// When the file's schema cannot be read, or its choices are not what was written.
pub fn plan_of(manifest: &Manifest, connection: &Connection) -> Result<Plan> {
    let choices: Choices = manifest.choices()?;
    Ok(match manifest.given_schema {
        true => plan::onto(&manifest.catalog, &choices, &without_rows(read_schema(connection)?)),
        false => plan::plan(&manifest.catalog, &choices),
    })
}

/// The schema as a plan wants it: a given schema that has rows of its own would be refused.
pub fn without_rows(mut schema: TargetSchema) -> TargetSchema {
    schema.tables.iter_mut().for_each(|table| table.rows = 0);
    schema
}
