//! The run as a whole: from the source's schema to the published file.
//!
//! Nothing touches the target before it is published. Everything until then happens in a temporary file beside it,
//! which goes away with this function whatever happens.

use super::copy::{self, Copied};
use super::finish::{self, Origin, SetAside};
use super::publish::{JournalMode, PublishOptions, Published, publish};
use crate::cancel::Cancel;
use crate::catalog::Catalog;
use crate::endpoint::Source;
use crate::endpoint::sqlite::file::{TargetFile, quoted, serialize_shown};
use crate::endpoint::sqlite::loader::Loader;
use crate::endpoint::sqlite::pragma;
use crate::endpoint::sqlite::schema::read_schema;
use crate::endpoint::sqlite::settle::settle;
use crate::endpoint::sqlite::staging::Staging;
use crate::error::{Context, Error, Result};
use crate::event::{Event, Listener, Phase};
use crate::fault;
use crate::plan::choices::Choices;
use crate::plan::given::TargetSchema;
use crate::plan::{self, Caveat, Plan};
use crate::verify::{self, Level, Verification};
use rusqlite::Connection;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Applies a given target schema to a new, empty file.
pub type ApplySchema<'s> = dyn Fn(&Path) -> Result<()> + Sync + 's;

/// What to migrate, and how.
pub struct Job<'j> {
    /// The file that is to be.
    pub target: PathBuf,
    /// The user's choices.
    pub choices: Choices,
    /// A target schema that somebody wrote; without one it is derived.
    pub schema: Option<&'j ApplySchema<'j>>,
    /// A folder of checks to run on the finished file.
    pub checks: Option<PathBuf>,
    /// How much is verified before the file is published.
    pub level: Level,
    /// Whether the target keeps the source's catalog, the manifest and the ledger.
    pub metadata: bool,
    /// Whether a file without metadata is published although columns hold less than the source's values.
    pub allow_inexact: bool,
    /// The journal mode of the published file.
    pub journal_mode: JournalMode,
    /// The page size of the file in bytes, a power of two from 512 to 65536.
    pub page_size_bytes: u32,
    /// Where the backup of an existing target goes, if not beside it.
    pub backup_directory: Option<PathBuf>,
    /// How many milliseconds to wait for other programs to let go of the target.
    pub wait_ms: u32,
}

impl Job<'_> {
    /// A job with the defaults: everything carried, verified in full, published in WAL mode.
    pub fn new(target: impl Into<PathBuf>) -> Self {
        Job {
            target: target.into(),
            choices: Choices::default(),
            schema: None,
            checks: None,
            level: Level::default(),
            metadata: true,
            allow_inexact: false,
            journal_mode: JournalMode::default(),
            page_size_bytes: 4096,
            backup_directory: None,
            wait_ms: 2_000,
        }
    }
}

/// How long each part of a run took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Durations {
    /// Reading the source's schema and planning.
    pub plan: Duration,
    /// Copying rows.
    pub copy: Duration,
    /// Building indexes and views, statistics, metadata.
    pub finish: Duration,
    /// Reading back and comparing.
    pub verify: Duration,
    /// Backing up the old file and publishing the new one.
    pub publish: Duration,
}

/// What a run did.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// The source without a password.
    pub source: String,
    /// The source's engine and version.
    pub engine: String,
    /// The target's path as it was given.
    #[serde(serialize_with = "serialize_shown")]
    pub target: PathBuf,
    /// What was planned.
    pub plan: Plan,
    /// What was read of each table, in the order of the plan's tables.
    #[serde(skip)]
    pub copied: Vec<Copied>,
    /// What verification found.
    pub verification: Verification,
    /// What was published; `None` where verification found differences, and the target is what it was before.
    pub published: Option<Published>,
    /// How many values their columns do not hold whole; the ledger keeps them, where there is one.
    pub inexact_values: u64,
    /// Whether the target has a ledger.
    pub ledger: bool,
    /// How long each part took.
    pub durations: Durations,
}

/// The plan for a job: the source's catalog, the choices, the given schema if there is one, and SQLite's own opinion.
///
/// # Errors
/// When the source's schema, or a table of the plan, may not be read, or the given target schema cannot be applied to an
/// empty file. What the plan refuses comes first.
pub fn plan(source: &mut dyn Source, job: &Job<'_>) -> Result<(Arc<Catalog>, Plan)> {
    let catalog = source.catalog()?;
    let given = job.schema.map(|apply| {
        let directory = tempfile::tempdir().could_not("try the target schema", "")?;
        applied(apply, &directory.path().join("schema.db"))
    });
    let plan = settled(&catalog, job, given.transpose()?.as_ref())?;
    if plan.refusals.is_empty() {
        ensure_readable(source, &plan)?;
    }
    Ok((catalog, plan))
}

fn ensure_readable(source: &mut dyn Source, plan: &Plan) -> Result<()> {
    source.ensure_readable(&plan.tables.iter().map(|table| &table.source).collect::<Vec<_>>())
}

/// What the given schema is once it has been applied to the empty file at that path.
fn applied(apply: &ApplySchema<'_>, empty: &Path) -> Result<TargetSchema> {
    apply(empty)?;
    read_schema(&Connection::open(empty).could_not("read the target schema", "")?)
}

fn settled(catalog: &Catalog, job: &Job<'_>, given: Option<&TargetSchema>) -> Result<Plan> {
    let mut plan = match given {
        Some(schema) => plan::onto(catalog, &job.choices, schema),
        None => plan::plan(catalog, &job.choices),
    };
    settle(&mut plan)?;
    Ok(plan)
}

/// Migrates: plans, copies, finishes, verifies, publishes.
///
/// # Errors
/// When the plan has refusals, the source cannot be read to its end, the file cannot be written, or somebody asks to
/// stop. The target is then what it was before. Differences that verification finds are not an error here: the
/// outcome has them, and nothing was published.
pub fn migrate(source: &mut dyn Source, job: &Job<'_>, cancel: &Cancel, listener: &Listener<'_>) -> Result<Outcome> {
    fault::injected()?;
    let mut durations = Durations::default();
    let start = Instant::now();
    let target = TargetFile::inspect(&job.target)?;
    target.refuse_unusable()?;
    listener(Event::PhaseStarted { phase: Phase::Introspect });
    let catalog = source.catalog()?;
    // A plan that is refused is told before a directory that cannot be written. A given schema needs the file first.
    let (mut plan, staging) = match job.schema {
        Some(apply) => {
            let staging = Staging::create(&job.target)?;
            let given = applied(apply, staging.path())?;
            (settled(&catalog, job, Some(&given))?, Some(staging))
        }
        None => (settled(&catalog, job, None)?, None),
    };
    plan.ensure_runnable()?;
    ensure_readable(source, &plan)?;
    let staging = staging.map_or_else(|| Staging::create(&job.target), Ok)?;
    listener(Event::PlanReady {
        tables: plan.tables.len() as u64,
        row_estimate: plan.tables.iter().map(|table| table.row_estimate.max(0).unsigned_abs()).sum(),
    });
    durations.plan = start.elapsed();

    listener(Event::PhaseStarted { phase: Phase::Copy });
    let start = Instant::now();
    let loader = Loader::create(staging.path(), job.page_size_bytes)?;
    // The definitions of a given schema are its owner's.
    if job.schema.is_none() {
        pragma::names_only(loader.connection()).could_not("prepare the target", loader.shown())?;
    }
    loader.begin()?;
    let aside = if job.schema.is_some() { finish::set_aside(&loader)? } else { SetAside::default() };
    finish::create_tables(&loader, &plan, job.metadata)?;
    let (loader, copied) = copy::copy(source, &plan, loader, job.metadata, cancel, listener)?;
    durations.copy = start.elapsed();

    listener(Event::PhaseStarted { phase: Phase::Finish });
    let start = Instant::now();
    let interrupt = loader.connection().get_interrupt_handle();
    let registration = cancel.on_cancel(move || interrupt.interrupt());
    let finished = finish_file(&loader, &plan, &aside, &catalog, source, job, &copied, listener);
    drop(registration);
    cancel.check("finish")?;
    plan.caveats.extend(finished?);
    loader.close()?;
    durations.finish = start.elapsed();

    let start = Instant::now();
    let request = verify::Request {
        path: staging.path(),
        plan: &plan,
        level: job.level,
        source_digests: Some(copied.iter().map(|one| one.digest).collect()),
        inexact: copied.iter().flat_map(|one| one.inexact.clone()).collect(),
        allow_inexact: job.allow_inexact,
        checks: job.checks.as_deref(),
        metadata: job.metadata,
        published: false,
    };
    let mut verification = verify::verify(request, source, cancel, listener)?;
    verification.objects.extend(verify::schema_read_twice(job.level, &catalog, source)?);
    durations.verify = start.elapsed();
    cancel.check("publish")?;

    let mut published = None;
    if verification.is_sound() {
        listener(Event::PhaseStarted { phase: Phase::Publish });
        let start = Instant::now();
        let options = PublishOptions {
            journal_mode: job.journal_mode,
            backup_directory: job.backup_directory.as_deref(),
            source: source.label(),
            manifest_digest: verification.manifest_digest.as_deref(),
            wait_ms: job.wait_ms,
            cancel: &cancel.flag(),
        };
        published = Some(publish(staging, &job.target, options)?);
        durations.publish = start.elapsed();
    }
    Ok(Outcome {
        source: source.label().to_owned(),
        engine: catalog.engine.clone(),
        target: job.target.clone(),
        inexact_values: copied.iter().map(|one| one.inexact_values).sum(),
        ledger: job.metadata,
        plan,
        copied,
        verification,
        published,
        durations,
    })
}

#[allow(clippy::too_many_arguments)]
fn finish_file(
    loader: &Loader,
    plan: &Plan,
    aside: &SetAside,
    catalog: &Catalog,
    source: &dyn Source,
    job: &Job<'_>,
    copied: &[Copied],
    listener: &Listener<'_>,
) -> Result<Vec<Caveat>> {
    let caveats = finish::finish(loader, plan, aside, listener)?;
    loader.commit()?;
    if job.metadata {
        let origin = Origin {
            source: source.label(),
            catalog,
            choices: &job.choices,
            given_schema: plan.given_schema,
            finished_at: now_utc(loader)?,
            journal_mode: job.journal_mode,
        };
        finish::write_metadata(loader, plan, copied, &origin)?;
    }
    Ok(caveats)
}

/// The time by SQLite's clock: UTC, ISO 8601, milliseconds.
fn now_utc(loader: &Loader) -> Result<String> {
    loader
        .connection()
        .query_row("SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')", [], |row| row.get(0))
        .could_not("tell the time", "")
}

impl Outcome {
    /// How many values the ledger keeps.
    pub fn ledger_entries(&self) -> u64 {
        if self.ledger { self.inexact_values } else { 0 }
    }

    /// An error that tells what verification found, where it found anything.
    ///
    /// # Errors
    /// When the target was not published because it differs from its source.
    pub fn ensure_published(&self) -> Result<()> {
        self.verification.ensure_sound().map_err(|error| {
            let object = format!("{} to {}", self.source, quoted(&self.target));
            Error::differs("migrate", object, error.cause()).hint(match error.way_out() {
                Some(way_out) => format!("the target is what it was before; {way_out}"),
                None => "the target is what it was before; the report above names the rows".to_owned(),
            })
        })
    }
}
