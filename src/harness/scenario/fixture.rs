//! Where the cases of a scenario start: the source's schema as a template database, its catalog, and what the project
//! says about the migration.
//!
//! Invariant: nothing here depends on a case. Whatever a case writes to, it has of its own: a clone of the template and
//! a folder.

use super::client::Client;
use crate::catalog::Catalog;
use crate::endpoint::PostgresUrl;
use crate::endpoint::Source;
use crate::endpoint::postgres::PostgresSource;
use crate::error::{Context, Result};
use crate::harness::latency::{Query, Targets, queries};
use crate::harness::scratch::scratch_folder;
use crate::project::{self, ConnectionOptions, Project};
use crate::provision::{Server, Template, TemplateKey};
use crate::schema::{SourceScript, create_source};
use crate::to_sqlite::{ApplySchema, Job, MigrationOptions};
use crate::verify::Level;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a project says about a migration, or the defaults where there is none.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    pub options: MigrationOptions,
    /// The folder of the versioned target schema.
    pub schema: Option<PathBuf>,
    pub queries: Vec<Query>,
    /// What a query has to stay below that names no target itself.
    pub targets: Targets,
    /// The options of a connection that runs queries.
    pub connection: ConnectionOptions,
}

impl Settings {
    /// What `project` says. The level of verification is not its own.
    ///
    /// # Errors
    /// When one of its queries is not as it has to be.
    pub fn of(project: &Project) -> Result<Settings> {
        Ok(Settings {
            options: project.options.clone(),
            schema: project.target_schema.clone(),
            queries: queries(project)?,
            targets: Targets::of(&project.latency),
            connection: project.connection.clone(),
        })
    }

    /// Applies the target's schema to a new file, as the program does; nothing where the schema is derived.
    ///
    /// # Errors
    /// As [`project::apply_schema`].
    pub fn apply_schema(&self, path: &Path) -> Result<()> {
        match &self.schema {
            Some(folder) => project::apply_schema(folder, path, self.options.page_size_bytes),
            None => Ok(()),
        }
    }

    /// The bytes of a file with the target's schema and nothing else; `None` where the schema is derived.
    ///
    /// # Errors
    /// As [`project::apply_schema`].
    pub fn schema_file(&self) -> Result<Option<Vec<u8>>> {
        if self.schema.is_none() {
            return Ok(None);
        }
        let folder = scratch_folder()?;
        let path = folder.path().join("schema.db");
        self.apply_schema(&path)?;
        std::fs::read(&path).could_not("read", "the target schema").map(Some)
    }

    /// The job of a migration to `target`, verified at that level; `apply` is [`Settings::apply_schema`] of these settings.
    pub fn job<'j>(&self, target: &Path, level: Level, apply: &'j ApplySchema<'j>) -> Job<'j> {
        let mut options = self.options.clone();
        // A column that holds less than the source's values is a finding of a scenario, whatever the project allows.
        (options.run.allow_inexact, options.backups, options.wait_ms) = (false, None, 0);
        let schema = self.schema.is_some().then_some(apply);
        Job { target: target.to_owned(), schema, definitions: None, options }.verified(level)
    }
}

/// Where the cases of a scenario start.
pub(super) struct Fixture {
    /// What failures call it.
    pub name: String,
    /// What the project says.
    pub settings: Settings,
    /// The source's schema, as it is read from the template.
    pub catalog: Catalog,
    /// A file with the target's schema and nothing else, where the schema is given.
    pub schema_file: Option<Vec<u8>>,
    /// An earlier target, where one could be made: what the template, which has no rows, is migrated to.
    pub earlier: Option<Arc<Vec<u8>>>,
}

impl Fixture {
    /// Puts the target's schema into a new file: not statement by statement, but as a copy of a file where it has been applied,
    /// which takes half of the time. Nothing where the schema is derived.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn put_schema(&self, path: &Path) -> Result<()> {
        match &self.schema_file {
            Some(bytes) => std::fs::write(path, bytes).could_not("copy the target schema to", path.display()),
            None => Ok(()),
        }
    }
}

/// Rows are generated as they are to stand there in the end; a trigger that fires for them changes them or adds others,
/// which then clash with the next ones. Those that are the server's own (foreign keys) stay on.
const NO_TRIGGERS: &str = "DO $$ DECLARE t regclass; BEGIN
    FOR t IN SELECT DISTINCT g.tgrelid FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid
             WHERE NOT g.tgisinternal AND g.tgparentid = 0 AND c.relkind IN ('r', 'p') LOOP
      EXECUTE pg_catalog.format('ALTER TABLE %s DISABLE TRIGGER USER', t);
    END LOOP; END $$";

/// The template database of a schema's scripts, built where no other test has built it yet, and its catalog. The catalog is
/// read from a copy: nobody connects to a template.
///
/// # Errors
/// When the server refuses a statement.
pub(super) fn template(server: &Server, name: &str, scripts: &[SourceScript]) -> Result<(Template, Catalog)> {
    let key = TemplateKey::new().and("the source schema of a scenario").and(NO_TRIGGERS);
    let key = scripts.iter().fold(key, |key, script| key.and(&script.text));
    let template = server.template(&key, |url| {
        let mut client = Client::connect(&PostgresUrl::parse(url)?)?;
        create_source(url, scripts)?;
        client.execute(NO_TRIGGERS, "switch off the triggers of", format!("`{name}`"))
    })?;
    let copy = template.create(name)?;
    let catalog = catalog(&PostgresUrl::parse(&copy.url())?)?;
    Ok((template, catalog))
}

/// The catalog of a database.
///
/// # Errors
/// As [`PostgresSource::connect`].
pub(super) fn catalog(url: &PostgresUrl) -> Result<Catalog> {
    PostgresSource::connect(url, &crate::cancel::Cancel::new())?.catalog().map(Arc::unwrap_or_clone)
}
