//! What the cases of a run share: the fixture that they start from, and a pool of databases.

use super::client::Connections;
use super::definition::{Scenario, Subject};
use super::fixture::{Fixture, Settings, catalog, template};
use super::rows::{Twin, without_stops};
use crate::cancel::Cancel;
use crate::endpoint::PostgresUrl;
use crate::endpoint::postgres::PostgresSource;
use crate::error::{Context, Error, Result};
use crate::event::nobody;
use crate::harness::generate::Hints;
use crate::harness::scratch::scratch_folder;
use crate::plan::Plan;
use crate::provision::{Database, Server, Template};
use crate::schema::{SourceScript, source_scripts};
use crate::to_sqlite::migrate;
use crate::verify::Level;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};

/// Where cases come from.
pub(super) enum Environment {
    /// One schema for all cases: clones of a template.
    Shared(Box<Shared>),
    /// A schema for each case, in a database that is empty at first.
    Random,
}

/// One schema for all cases.
pub(super) struct Shared {
    pub fixture: Fixture,
    pub hints: Hints,
    /// Makes the rows where the source is a twin of the target.
    pub twin: Option<Twin>,
    pub template: Template,
}

/// What the files of a scenario say, read before there is a server.
pub(super) enum Definition {
    Random,
    Shared(Box<SharedDefinition>),
}

/// What the files say of a schema that all cases share.
pub(super) struct SharedDefinition {
    settings: Settings,
    hints: Hints,
    twin: Option<Twin>,
    /// The source's schema.
    scripts: Vec<SourceScript>,
}

impl Definition {
    /// Reads the scenario's files.
    ///
    /// # Errors
    /// When one cannot be read, or is not as it has to be.
    pub fn read(scenario: &Scenario) -> Result<Definition> {
        let (settings, hints, twin, scripts) = match &scenario.subject {
            Subject::RandomSchemas => return Ok(Definition::Random),
            Subject::Source(path) => (Settings::default(), Hints::default(), None, source_scripts(path)?),
            Subject::Project(project) => {
                let settings = Settings::of(project)?;
                let (twin, scripts) = match &project.source_schema {
                    Some(folder) => (None, source_scripts(folder)?),
                    None => {
                        let twin = Twin::new(&settings)?;
                        let scripts = vec![SourceScript::new("the twin of the target", twin.schema_sql())];
                        (Some(twin), scripts)
                    }
                };
                (settings, project.generate.clone(), twin, scripts)
            }
        };
        Ok(Definition::Shared(Box::new(SharedDefinition { settings, hints, twin, scripts })))
    }
}

impl Environment {
    /// Makes the template of a scenario's schema.
    ///
    /// # Errors
    /// When the schema cannot be created, or cannot be migrated without rows.
    pub fn prepare(server: &Server, name: &str, definition: Definition) -> Result<Environment> {
        let Definition::Shared(definition) = definition else { return Ok(Environment::Random) };
        let SharedDefinition { settings, mut hints, twin, scripts } = *definition;
        let (template, catalog) = template(server, name, &scripts)?;
        let empty = template.create(name)?;
        let (earlier, plan) = earlier_target(&settings, &PostgresUrl::parse(&empty.url())?)?;
        without_stops(&mut hints, &plan, &catalog);
        let earlier = Some(Arc::new(earlier));
        let schema_file = settings.schema_file()?;
        let fixture = Fixture { name: name.to_owned(), settings, catalog, schema_file, earlier };
        Ok(Environment::Shared(Box::new(Shared { fixture, hints, twin, template })))
    }

    /// What the project says; nothing where each case has a schema of its own.
    pub fn settings(&self) -> Option<&Settings> {
        match self {
            Environment::Shared(shared) => Some(&shared.fixture.settings),
            Environment::Random => None,
        }
    }

    /// A database for one case.
    fn database(&self, server: &Server) -> Result<Database> {
        match self {
            Environment::Shared(shared) => shared.template.create(&shared.fixture.name),
            Environment::Random => server.create_database("random"),
        }
    }
}

impl Fixture {
    /// The fixture of a case with a schema of its own, which is in the database already.
    ///
    /// # Errors
    /// When the schema cannot be read.
    pub fn of_database(name: &str, url: &PostgresUrl) -> Result<Fixture> {
        let settings = Settings::default();
        Ok(Fixture { name: name.to_owned(), settings, catalog: catalog(url)?, schema_file: None, earlier: None })
    }
}

/// The file that a source without rows is migrated to, and the plan of that.
fn earlier_target(settings: &Settings, url: &PostgresUrl) -> Result<(Vec<u8>, Plan)> {
    let folder = scratch_folder()?;
    let target = folder.path().join("earlier.db");
    let apply = |path: &std::path::Path| settings.apply_schema(path);
    let mut source = PostgresSource::connect(url, &Cancel::new())?;
    let outcome = migrate(&mut source, &settings.job(&target, Level::Full, &apply), &Cancel::new(), &nobody)?;
    outcome.ensure_published()?;
    Ok((std::fs::read(&target).could_not("read", "the earlier target")?, outcome.plan))
}

/// A database for one case.
pub(super) struct PooledDatabase {
    // They are closed before the database is dropped.
    pub connections: Connections,
    pub url: PostgresUrl,
    pub database: Database,
}

impl PooledDatabase {
    fn make(environment: &Environment, server: &Server) -> Result<PooledDatabase> {
        let database = environment.database(server)?;
        let url = PostgresUrl::parse(&database.url())?;
        Ok(PooledDatabase { connections: Connections::open(&url)?, url, database })
    }
}

/// Databases, one ahead: while a case runs, the next one's is cloned and connected to, and the last one's is dropped.
pub(super) struct DatabasePool {
    ready: Receiver<Result<PooledDatabase>>,
    used: Sender<Database>,
}

impl DatabasePool {
    /// Does some work with a pool of an environment's databases; all of them are gone afterwards.
    pub fn with<T>(environment: &Environment, server: &Server, work: impl FnOnce(&DatabasePool) -> T) -> T {
        std::thread::scope(|scope| {
            // Without room for a database, so that exactly one is ready.
            let (send, ready) = sync_channel(0);
            let (used, returned) = channel::<Database>();
            scope.spawn(move || {
                // A failure is told once; whoever takes it gives up.
                while send.send(PooledDatabase::make(environment, server)).is_ok() {}
            });
            scope.spawn(move || returned.into_iter().for_each(drop));
            work(&DatabasePool { ready, used })
        })
    }

    /// A database for one case.
    ///
    /// # Errors
    /// When it could not be cloned.
    pub fn take(&self) -> Result<PooledDatabase> {
        self.ready.recv().unwrap_or_else(|_| Err(Error::could_not("take", "a database", "its maker has ended")))
    }

    /// Has a database dropped that is not needed any more.
    pub fn give_back(&self, database: Database) {
        if let Err(unsent) = self.used.send(database) {
            drop(unsent.0);
        }
    }
}
