//! The library's face: one migration, told in one sentence and run.
//!
//! The engine is synchronous and works on threads of its own; the asynchronous methods here only wait for it.
//! Dropping such a future asks the engine to stop: it then removes its temporary file, and the target is what it was.

use crate::backup::restore::{RestoreOptions, Restored, Which, restore};
use crate::cancel::Cancel;
use crate::endpoint::dump::DumpSource;
use crate::endpoint::files::source::{LayoutFile, TreeSource};
use crate::endpoint::postgres::{Patience, PostgresSource};
use crate::endpoint::sqlite::file::quoted;
use crate::endpoint::sqlite::target::JournalMode;
use crate::endpoint::sqlite::{Definitions, SqliteSource};
use crate::endpoint::{Endpoint, Source};
use crate::error::{Error, Result};
use crate::event::{Event, Listener, nobody};
use crate::plan::choices::Choices;
use crate::project::{self, Project};
use crate::report;
use crate::to_sqlite::{self, ApplySchema, Attempt, Job, MigrationOptions, Outcome};
pub use crate::transfer::run::Planned;
use crate::verify::{Level, require_database};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One migration: from where, to where, and how. Nothing is opened before it runs.
#[derive(Clone)]
#[must_use = "a migration does nothing until it is run"]
pub struct Migration {
    source: Named,
    target: PathBuf,
    schema: Option<PathBuf>,
    options: MigrationOptions,
    layout: Option<PathBuf>,
    patience: Patience,
}

/// The source as somebody has named it.
#[derive(Clone)]
enum Named {
    Text(String),
    Endpoint(Endpoint),
}

impl Migration {
    /// A migration from a source, for example `postgres://user@host/database` or `app.db`.
    pub fn from(source: impl Into<String>) -> Self {
        Migration::from_named(Named::Text(source.into()))
    }

    /// A migration from a source that is known already.
    pub fn from_endpoint(source: Endpoint) -> Self {
        Migration::from_named(Named::Endpoint(source))
    }

    fn from_named(source: Named) -> Self {
        Migration {
            source,
            target: PathBuf::new(),
            schema: None,
            options: MigrationOptions::default(),
            layout: None,
            patience: Patience::default(),
        }
    }

    /// The SQLite file that is to be.
    pub fn to(mut self, target: impl Into<PathBuf>) -> Self {
        self.target = target.into();
        self
    }

    /// What the project says about choices, target schema, checks, verification and the file. The endpoints stay.
    pub fn with_project(mut self, project: &Project) -> Self {
        self.schema.clone_from(&project.target_schema);
        self.options = project.options.clone();
        self.layout = project.layout();
        self
    }

    /// Every option at once, instead of what was said before.
    pub fn options(mut self, options: MigrationOptions) -> Self {
        self.options = options;
        self
    }

    /// Tables, names, rules, and what is dropped on purpose.
    pub fn choices(mut self, choices: Choices) -> Self {
        self.options.run.choices = choices;
        self
    }

    /// A folder of versioned SQL (`0001_initial.up.sql`) that makes the target's schema, instead of a derived one.
    pub fn target_schema(mut self, folder: impl Into<PathBuf>) -> Self {
        self.schema = Some(folder.into());
        self
    }

    /// A folder of checks, one query per file; each row that one returns is a violation.
    pub fn checks(mut self, folder: impl Into<PathBuf>) -> Self {
        self.options.checks = Some(folder.into());
        self
    }

    /// How much is verified before the file is published; everything, unless somebody says less.
    pub fn verify(mut self, level: Level) -> Self {
        self.options.run.level = level;
        self
    }

    /// Leaves out the metadata tables. That gives up the ledger (a value that its column cannot hold exactly then stops
    /// the run, unless [`Migration::allow_inexact`] is called), the way home to the source's schema, and the memory of
    /// the choices, which a later `verify` has to be told.
    pub fn without_metadata(mut self) -> Self {
        self.options.run.metadata = false;
        self
    }

    /// Publishes a file without metadata also where columns hold less than the source's values: NaN, for example, is
    /// then NULL. The report names the columns, with the number of such values.
    pub fn allow_inexact(mut self) -> Self {
        self.options.run.allow_inexact = true;
        self
    }

    /// Does everything but publish: the file is made, verified and removed, and the target stays what it is.
    pub fn dry_run(mut self) -> Self {
        self.options.run.dry_run = true;
        self
    }

    /// What the files of a tree are: the path of a `layout.toml`.
    pub fn layout(mut self, file: impl Into<PathBuf>) -> Self {
        self.layout = Some(file.into());
        self
    }

    /// Carries what can be carried where a file of a tree is not what its layout says; the outcome names it.
    pub fn quarantine(mut self) -> Self {
        self.options.run.quarantine = true;
        self
    }

    /// The journal mode of the published file.
    pub fn journal_mode(mut self, mode: JournalMode) -> Self {
        self.options.journal_mode = mode;
        self
    }

    /// The page size of the file in bytes, a power of two from 512 to 65536.
    pub fn page_size_bytes(mut self, size_bytes: u32) -> Self {
        self.options.page_size_bytes = size_bytes;
        self
    }

    /// Where the backup of an existing target goes, if not beside it.
    pub fn backups(mut self, directory: impl Into<PathBuf>) -> Self {
        self.options.backups = Some(directory.into());
        self
    }

    /// How many milliseconds to wait for other programs to let go of the target.
    pub fn wait_ms(mut self, wait_ms: u32) -> Self {
        self.options.wait_ms = wait_ms;
        self
    }

    /// How a server that is silent and tables that are locked are waited for. Its listener is that of
    /// [`Migration::on_event`], too.
    pub fn patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// Who hears what happens; called from the threads that work.
    pub fn on_event(mut self, listener: impl Fn(Event) + Send + Sync + 'static) -> Self {
        self.patience.listener = Some(Arc::new(listener));
        self
    }

    /// Runs the migration and returns when the target is published.
    ///
    /// Dropping the future stops the run; the target is then what it was.
    ///
    /// # Errors
    /// As [`Migration::run_blocking`].
    pub async fn run(self) -> Result<Migrated> {
        on_own_thread(move |cancel| self.run_until(cancel)).await
    }

    /// Runs the migration on this thread, which must not be one of an asynchronous runtime.
    ///
    /// # Errors
    /// When the migration cannot be planned or carried out, and when verification finds a difference. In each case
    /// the target is what it was before.
    pub fn run_blocking(self) -> Result<Migrated> {
        self.run_until(&Cancel::new())
    }

    fn run_until(self, cancel: &Cancel) -> Result<Migrated> {
        let listener: &Listener<'_> = match &self.patience.listener {
            Some(listener) => &**listener,
            None => &nobody,
        };
        let outcome = self.attempt(cancel, listener)?.outcome()?;
        outcome.ensure_published()?;
        let context = self.run_context(&outcome);
        Ok(Migrated { outcome, context })
    }

    /// Runs the migration on this thread. Differences that verification finds are in the outcome, and nothing was
    /// published then; a plan that is refused comes back as it is.
    ///
    /// # Errors
    /// When the migration cannot be planned or carried out, or `cancel` is set. The target is what it was before.
    ///
    /// What is waited for ([`Event::Waiting`]) hears whoever [`Migration::on_event`] names.
    pub fn attempt(&self, cancel: &Cancel, listener: &Listener<'_>) -> Result<Attempt> {
        // The target is looked at before anybody waits for a server.
        if self.target.as_os_str().is_empty() {
            return Err(Error::usage("migrate", "", "no target is given").hint("name a file, as in `app.db`"));
        }
        self.with_source(cancel, |source, job| to_sqlite::attempt(source, job, cancel, listener))
    }

    /// Plans the migration on this thread: the source is read, nothing is written.
    ///
    /// # Errors
    /// When the source's schema cannot be read, the target schema cannot be applied to an empty file, or `cancel` is
    /// set. Refusals are in the plan.
    pub fn plan(&self, cancel: &Cancel) -> Result<Planned> {
        self.with_source(cancel, |source, job| {
            let (catalog, plan) = to_sqlite::plan(source, job)?;
            Ok(Planned { source: source.label().to_owned(), catalog, plan })
        })
    }

    /// Opens the source, and does the work with all that there is to say about it.
    fn with_source<T>(&self, cancel: &Cancel, work: impl FnOnce(&mut dyn Source, &Job<'_>) -> Result<T>) -> Result<T> {
        let page_size_bytes = self.options.page_size_bytes;
        project::check_page_size(page_size_bytes).map_err(|cause| Error::usage("read the options", "", cause))?;
        let endpoint = match &self.source {
            Named::Text(text) => Endpoint::parse_word(text.as_ref())?,
            Named::Endpoint(endpoint) => endpoint.clone(),
        };
        if !matches!(endpoint, Endpoint::Files(_)) {
            self.refuse_what_is_of_trees()?;
        }
        match &endpoint {
            Endpoint::Sqlite(path) if self.schema.is_none() => {
                refuse_same_file(path, &self.target)?;
                let mut source = open_file(path, cancel)?;
                let choices = source.choices(&self.options.run.choices);
                let definitions = source.definitions(&choices)?;
                self.with_job(&choices, Some(&definitions), |job| work(&mut source, job))
            }
            Endpoint::Files(path) => self.with_job(&self.options.run.choices, None, |job| {
                let layout = LayoutFile::load(self.layout.as_deref(), path)?;
                let choices = &self.options.run.choices;
                let mut source = TreeSource::open(path, &layout, &choices.only, cancel)?.chosen(choices);
                source.ensure_all_choose()?;
                source.ensure_answered()?;
                work(&mut source, job)
            }),
            Endpoint::Sqlite(_) | Endpoint::Postgres(_) | Endpoint::Dump(_) => {
                self.with_job(&self.options.run.choices, None, |job| {
                    let mut source = open_source(&endpoint, self.patience.clone(), cancel)?;
                    work(source.as_mut(), job)
                })
            }
        }
    }

    /// Refuses what says something of files, where the source has none: it would be passed over in silence.
    fn refuse_what_is_of_trees(&self) -> Result<()> {
        let options = &self.options.run;
        let typed = [("`--quarantine`", options.quarantine), ("`--only`", !options.choices.only.is_empty())];
        match typed.iter().find(|(_, is_typed)| *is_typed) {
            Some((option, _)) => Err(Error::usage("use the option", option, "the source is no tree of files")),
            None => Ok(()),
        }
    }

    fn with_job<T>(
        &self,
        choices: &Choices,
        definitions: Option<&Definitions>,
        work: impl FnOnce(&Job<'_>) -> Result<T>,
    ) -> Result<T> {
        let page_size_bytes = self.options.page_size_bytes;
        let schema = self.schema.as_deref();
        let apply = |file: &Path| match schema {
            Some(folder) => project::apply_schema(folder, file, page_size_bytes),
            None => Ok(()),
        };
        let mut options = self.options.clone();
        options.run.choices.clone_from(choices);
        work(&Job {
            target: self.target.clone(),
            definitions,
            schema: schema.is_some().then_some(&apply as &ApplySchema<'_>),
            options,
        })
    }

    /// What a report on the outcome needs to know besides it.
    pub fn run_context(&self, outcome: &Outcome) -> report::RunContext {
        report::RunContext {
            metadata: self.options.run.metadata,
            backups: self.options.backups.clone(),
            target: outcome
                .published
                .as_ref()
                .map_or_else(|| self.target.clone(), |published| published.target.clone()),
            wait_ms: self.options.wait_ms,
        }
    }
}

/// Connects to a source.
///
/// # Errors
/// When the text is no endpoint, the endpoint cannot be a source, or the server refuses.
pub fn connect(source: &str, cancel: &Cancel) -> Result<Box<dyn Source>> {
    connect_within(source, Patience::default(), cancel)
}

/// Connects to a source, which is waited for with that patience.
///
/// # Errors
/// When the text is no endpoint, the endpoint cannot be a source, or the server refuses.
pub fn connect_within(source: &str, patience: Patience, cancel: &Cancel) -> Result<Box<dyn Source>> {
    open_source(&Endpoint::parse(source)?, patience, cancel)
}

/// Opens a source; a server is waited for with that patience, and whoever listens there hears how much of a dump was read.
///
/// # Errors
/// When the endpoint cannot be a source here, cannot be opened, or the server refuses.
pub fn open_source(endpoint: &Endpoint, patience: Patience, cancel: &Cancel) -> Result<Box<dyn Source>> {
    match endpoint {
        Endpoint::Postgres(url) => Ok(Box::new(PostgresSource::reach(url, patience, cancel)?.snapshot()?)),
        Endpoint::Sqlite(path) => Ok(Box::new(open_file(path, cancel)?)),
        Endpoint::Files(path) => Err(LayoutFile::missing(path)),
        Endpoint::Dump(place) => Ok(Box::new(DumpSource::open_heard(place, patience.listener, cancel)?)),
    }
}

fn open_file(path: &Path, cancel: &Cancel) -> Result<SqliteSource> {
    require_database(path)?;
    SqliteSource::open(path, cancel)
}

/// A file cannot be replaced while it is read.
fn refuse_same_file(source: &Path, target: &Path) -> Result<()> {
    let is_same = match (source.metadata(), target.metadata()) {
        (Ok(source), Ok(target)) => (source.dev(), source.ino()) == (target.dev(), target.ino()),
        _ => false,
    };
    match is_same {
        true => Err(Error::usage("use target", quoted(target), "it is the source itself")
            .hint("name another file; `whimbrel optimize --vacuum` rebuilds one in its place")),
        false => Ok(()),
    }
}

/// A migration that is done: the target is published.
#[derive(Debug, Clone)]
pub struct Migrated {
    outcome: Outcome,
    context: report::RunContext,
}

impl Migrated {
    /// What the run did.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// What was carried, how it was checked, and what was not, as text.
    pub fn report(&self) -> String {
        report::outcome::text(&self.outcome, &self.context).into()
    }

    /// Puts back what was there before. What is replaced is backed up first.
    ///
    /// # Errors
    /// When the backup is damaged, or the target cannot be replaced.
    pub async fn rollback(&self) -> Result<Restored> {
        let this = self.clone();
        on_own_thread(move |cancel| this.roll_back_until(cancel)).await
    }

    /// As [`Migrated::rollback`], on this thread.
    ///
    /// # Errors
    /// As [`Migrated::rollback`].
    pub fn rollback_blocking(&self) -> Result<Restored> {
        self.roll_back_until(&Cancel::new())
    }

    fn roll_back_until(&self, cancel: &Cancel) -> Result<Restored> {
        // This migration's own backup, not the newest one: somebody may have migrated again since.
        let which = match &self.outcome.published {
            Some(published) => Which::Id(published.backup.id.clone()),
            None => return Err(Error::could_not("roll back", "", "nothing was published")),
        };
        let cancel = cancel.flag();
        let options = RestoreOptions {
            directory: self.context.backups.as_deref(),
            wait_ms: self.context.wait_ms,
            cancel: &cancel,
        };
        restore(&self.context.target, &which, options)
    }
}

/// Asks for a stop when nobody waits any more.
struct CancelWhenDropped(Cancel);

impl Drop for CancelWhenDropped {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Runs blocking work on a thread of its own and waits for it without blocking.
async fn on_own_thread<T: Send + 'static>(work: impl FnOnce(&Cancel) -> Result<T> + Send + 'static) -> Result<T> {
    let guard = CancelWhenDropped(Cancel::new());
    let cancel = guard.0.clone();
    let (send, receive) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .name("whimbrel".into())
        .spawn(move || {
            // Nobody receives where the future was dropped, and then nobody wants to know.
            let _ = send.send(work(&cancel));
        })
        .map_err(|error| Error::could_not("start a thread", "", &error).because(error))?;
    receive.await.unwrap_or_else(|_| Err(Error::could_not("run", "", "the thread that works panicked")))
}
