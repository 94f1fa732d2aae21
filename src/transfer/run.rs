//! The run as a whole: from the source's schema to the published target, whatever either is.
//!
//! Nothing touches the target before it is published: until then there is a draft, which goes away with this function
//! whatever happens.

use super::copy::{self, Copied};
use crate::cancel::Cancel;
use crate::catalog::{Catalog, Dialect};
use crate::endpoint::findings::Integrity;
use crate::endpoint::{Draft, Origin, Rejected, SHOWN_MAX, Source, Target};
use crate::error::{Error, Result};
use crate::event::{Event, Listener, Phase};
use crate::fault;
use crate::plan::choices::Choices;
use crate::plan::{self, Caveat, Plan};
use crate::verify::{self, Finished, Level, Verification};
use serde::Serialize;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is carried, and how much is proven: the options of a run, whatever its target is.
#[derive(Debug, Clone, PartialEq)]
pub struct RunOptions {
    /// The user's choices.
    pub choices: Choices,
    /// How much is verified before the target is published.
    pub level: Level,
    /// Whether the target keeps the source's catalog, the manifest and the ledger.
    pub metadata: bool,
    /// Whether a target without metadata is published although columns hold less than the source's values.
    pub allow_inexact: bool,
    /// Everything but publish: the draft is made, verified and dropped.
    pub dry_run: bool,
    /// Whether a part of the source that is not what its form says is set aside, and the rest carried.
    pub quarantine: bool,
}

impl Default for RunOptions {
    /// Everything carried, remembered, and verified in full.
    fn default() -> Self {
        RunOptions {
            choices: Choices::default(),
            level: Level::default(),
            metadata: true,
            allow_inexact: false,
            dry_run: false,
            quarantine: false,
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
pub struct Outcome<P> {
    /// The source without a password.
    pub source: String,
    /// The source's engine and version.
    pub engine: String,
    /// The target as it was named.
    pub target: String,
    /// What was planned.
    pub plan: Plan,
    /// What was read of each table, in the order of the plan's tables.
    #[serde(skip)]
    pub copied: Vec<Copied>,
    /// What verification found.
    pub verification: Verification,
    /// What was published; `None` where verification found differences or nothing was to be published, and the target is
    /// what it was before.
    pub published: Option<P>,
    /// Nothing was to be published.
    pub dry_run: bool,
    /// What of the source was set aside.
    pub rejected: Vec<Rejected>,
    /// How many values their columns do not hold whole; the ledger keeps them, where there is one.
    pub inexact_values: u64,
    /// Whether the target has a ledger.
    pub ledger: bool,
    /// How long each part took.
    pub durations: Durations,
}

/// A plan, and what it was made from.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The source without a password.
    pub source: String,
    /// The source's schema.
    pub catalog: Arc<Catalog>,
    /// The plan; it may have refusals.
    pub plan: Plan,
}

/// What became of a run that could be asked for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Attempt<P> {
    /// Somebody has to decide first: this is the plan, with its refusals. The target is what it was before.
    Refused(Box<Planned>),
    /// It was carried out; see [`Outcome::published`].
    Done(Box<Outcome<P>>),
}

impl<P> Attempt<P> {
    /// The outcome of a run that was carried out.
    ///
    /// # Errors
    /// A usage error that tells the refusals of the plan, where it has any.
    pub fn outcome(self) -> Result<Outcome<P>> {
        match self {
            Attempt::Done(outcome) => Ok(*outcome),
            Attempt::Refused(planned) => Err(planned.plan.refused()),
        }
    }
}

/// The plan: the source's catalog, the choices, the target's schema if it has been given one, and the target's own
/// opinion.
///
/// # Errors
/// When the source's schema, or a table of the plan, may not be read, or the target's schema cannot be read or tried. What
/// the plan refuses comes first.
pub fn plan(source: &mut dyn Source, target: &mut impl Target, options: &RunOptions) -> Result<(Arc<Catalog>, Plan)> {
    ensure_apart(source, target)?;
    let catalog = source.catalog()?;
    ensure_way_back(&catalog, options)?;
    let plan = settled(&catalog, target, options)?;
    if plan.refusals.is_empty() {
        ensure_readable(source, &plan)?;
    }
    Ok((catalog, plan))
}

fn ensure_apart(source: &dyn Source, target: &impl Target) -> Result<()> {
    target.path().map_or(Ok(()), |path| source.ensure_apart(path))
}

/// What the rows of files do not tell is in the metadata: without it no tree can be made of them again, nor compared with.
fn ensure_way_back(catalog: &Catalog, options: &RunOptions) -> Result<()> {
    match (&catalog.layout, options.metadata) {
        (Some(_), false) => {
            let cause =
                "the rows are those of a tree of files, and the metadata is what the same tree is made of again";
            Err(Error::usage("leave out", "the metadata", cause)
                .hint("leave `--no-metadata` out (`target.metadata` of a project)"))
        }
        (Some(_), true) | (None, _) => Ok(()),
    }
}

fn ensure_readable(source: &mut dyn Source, plan: &Plan) -> Result<()> {
    source.ensure_readable(&plan.tables.iter().map(|table| &table.source).collect::<Vec<_>>())
}

fn settled(catalog: &Catalog, target: &mut impl Target, options: &RunOptions) -> Result<Plan> {
    let mut plan = match target.dialect() {
        None => plan::as_is::as_is(catalog, &options.choices, &target.wants()),
        Some(Dialect::Sqlite) => match target.given()? {
            Some(schema) => plan::onto(catalog, &options.choices, &schema),
            None => plan::plan(catalog, &options.choices),
        },
        Some(Dialect::Postgres) => match catalog.dialect {
            Dialect::Postgres => plan::home::plan(catalog, &options.choices, &target.wishes()),
            Dialect::Sqlite => {
                let cause = "the source was not made from a PostgreSQL database, and remembers no types of one";
                return Err(Error::usage("plan for", target.label(), cause).hint(
                    "only a file that whimbrel made of a PostgreSQL database, or of a dump of one, goes home so far",
                ));
            }
        },
    };
    target.settle(&mut plan)?;
    Ok(plan)
}

/// What the source says of rows that its target has taken although they are not as their own table is defined.
fn of_broken_rows(label: &str, mut told: Vec<String>) -> impl Iterator<Item = Caveat> {
    told.dedup();
    told.into_iter().take(SHOWN_MAX).map(move |told| Caveat {
        object: label.to_owned(),
        text: format!("has rows that are not as their table is defined: {told}"),
    })
}

/// Migrates, as [`attempt`] does, where nothing has to be decided first.
///
/// # Errors
/// As [`attempt`], and when the plan has refusals.
pub fn migrate<T: Target>(
    source: &mut dyn Source,
    target: T,
    options: &RunOptions,
    cancel: &Cancel,
    listener: &Listener<'_>,
) -> Result<Outcome<<T::Draft as Draft>::Published>>
where
    T::Draft: Finished,
{
    attempt(source, target, options, cancel, listener)?.outcome()
}

/// Plans, copies, finishes, verifies, publishes; a plan that has refusals is given back.
///
/// # Errors
/// When the source cannot be read to its end, the target cannot be written, or somebody asks to stop. The target is then
/// what it was before. Differences that verification finds are not an error here: the outcome has them, and nothing was
/// published.
pub fn attempt<T: Target>(
    source: &mut dyn Source,
    mut target: T,
    options: &RunOptions,
    cancel: &Cancel,
    listener: &Listener<'_>,
) -> Result<Attempt<<T::Draft as Draft>::Published>>
where
    T::Draft: Finished,
{
    fault::injected()?;
    let mut durations = Durations::default();
    let mut clock = Instant::now();
    let mut lap = || std::mem::replace(&mut clock, Instant::now()).elapsed();
    ensure_apart(source, &target)?;
    target.inspect()?;
    listener(Event::PhaseStarted { phase: Phase::Introspect });
    // A plan that is refused is told before a target that cannot be written.
    let catalog = source.catalog()?;
    ensure_way_back(&catalog, options)?;
    let plan = settled(&catalog, &mut target, options)?;
    if !plan.refusals.is_empty() {
        let source = source.label().to_owned();
        return Ok(Attempt::Refused(Box::new(Planned { source, catalog, plan })));
    }
    ensure_readable(source, &plan)?;
    let mut source_integrity = if options.level >= Level::Full { source.integrity(options.level)? } else { None };
    let broken_rows = source_integrity.as_mut().map(Integrity::take_broken_rows).unwrap_or_default();
    source_integrity.iter().try_for_each(|found| found.ensure_sound(source.label()))?;
    let (name, plan) = (target.label(), Arc::new(plan));
    let mut draft = target.begin(&plan, options.metadata, cancel)?;
    listener(Event::PlanReady {
        tables: plan.tables.len() as u64,
        row_estimate: plan.tables.iter().map(|table| table.row_estimate.max(0).unsigned_abs()).sum(),
    });
    durations.plan = lap();

    listener(Event::PhaseStarted { phase: Phase::Copy });
    let copied = copy::copy(source, &plan, &mut draft, options.quarantine, cancel, listener);
    let (mut copied, rejected) = copied.map_err(|error| source.explain(error))?;
    durations.copy = lap();

    listener(Event::PhaseStarted { phase: Phase::Finish });
    let digests: Vec<_> = copied.iter().map(|one| one.digest).collect();
    let mut choices = options.choices.clone();
    choices.set_aside.extend(rejected.iter().map(|rejected| rejected.path.clone()));
    let origin = Origin { source: source.label(), catalog: &catalog, choices: &choices, digests: &digests };
    let finished = draft.finish(&origin, listener);
    cancel.check("finish")?;
    let caveats = finished.map_err(|error| source.explain(error))?;
    durations.finish = lap();

    let question = verify::Question {
        plan: &plan,
        level: options.level,
        metadata: options.metadata,
        source_digests: Some(digests),
        inexact: copied.iter_mut().flat_map(|one| std::mem::take(&mut one.inexact)).collect(),
        allow_inexact: options.allow_inexact,
    };
    let mut verification = verify::compare(question, source, &mut draft, cancel, listener)?;
    verification.findings.objects.extend(verify::schema_read_twice(options.level, &catalog, source)?);
    verification.findings.not_checked.extend(source_integrity.iter().flat_map(|found| found.of_source()));
    verification.findings.source_integrity = source_integrity;
    verify::orphans::explain(&mut verification, &catalog, &plan, &options.choices)?;
    durations.verify = lap();
    cancel.check("publish")?;

    let mut published = None;
    if verification.is_sound() && !options.dry_run {
        listener(Event::PhaseStarted { phase: Phase::Publish });
        published = Some(draft.publish(verification.findings.manifest_digest.as_deref())?);
        durations.publish = lap();
    } else {
        drop(draft);
    }
    let mut plan = Arc::unwrap_or_clone(plan);
    plan.caveats.extend(caveats);
    plan.caveats.extend(of_broken_rows(source.label(), broken_rows));
    Ok(Attempt::Done(Box::new(Outcome {
        source: source.label().to_owned(),
        engine: catalog.engine.clone(),
        target: name,
        inexact_values: copied.iter().map(|one| one.inexact_values).sum(),
        ledger: options.metadata,
        plan,
        copied,
        verification,
        published,
        dry_run: options.dry_run,
        rejected,
        durations,
    })))
}

impl<P> Outcome<P> {
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
            let object = format!("{} to {}", self.source, self.target);
            Error::differs("migrate", object, error.cause()).hint(match error.way_out() {
                Some(way_out) => format!("the target is what it was before; {way_out}"),
                None => "the target is what it was before; the report above names the rows".to_owned(),
            })
        })
    }
}
