//! A source as the cases of a scenario have it, to keep and look at: for pictures, and for tests of one's own.

use super::client::Client;
use super::definition::{AWKWARD_SHARE, Scenario, Subject};
use super::environment::{Definition, Environment};
use super::rows;
use crate::endpoint::PostgresUrl;
use crate::error::{Error, Result};
use crate::harness::generate::GenerateOptions;
use crate::project::Project;
use crate::provision::{self, Database};
use std::collections::BTreeMap;

/// A PostgreSQL database with a scenario's schema and the rows of its first case. It is gone when this is dropped.
#[derive(Debug)]
pub struct FilledSource {
    database: Database,
    project: Option<Project>,
}

impl FilledSource {
    /// Its connection URL, password included: not for printing.
    pub fn url(&self) -> String {
        self.database.url()
    }

    /// The project that says how it is migrated; none for a schema alone.
    pub fn project(&self) -> Option<&Project> {
        self.project.as_ref()
    }
}

impl Scenario {
    /// Its name: the project's, or the schema's file name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The source of the first case: the schema, and the rows that the scenario's seed gives it.
    ///
    /// # Errors
    /// When no server is to be had, the schema or the rows cannot be made, or each case has a schema of its own.
    pub fn fill_source(&self) -> Result<FilledSource> {
        let definition = Definition::read(self)?;
        let Environment::Shared(shared) = Environment::prepare(provision::shared()?, &self.name, definition)? else {
            return Err(Error::usage("fill the source of", format!("`{}`", self.name), "each case has its own schema"));
        };
        let database = shared.template.create(&self.name)?;
        let url = PostgresUrl::parse(&database.url())?;
        let options = GenerateOptions {
            rows: self.rows,
            per_table: BTreeMap::new(),
            seed: self.seed,
            awkward: AWKWARD_SHARE,
            hints: shared.hints.clone(),
        };
        let dataset = match &shared.twin {
            Some(twin) => twin.generate(options)?,
            None => rows::generate(&shared.fixture.catalog, options, &url)?,
        };
        rows::load(&mut Client::connect(&url)?, &url, &shared.fixture.catalog, &dataset)?;
        let project = match &self.subject {
            Subject::Project(project) => Some((**project).clone()),
            _ => None,
        };
        Ok(FilledSource { database, project })
    }
}
