//! The run of a scenario: kept cases, then new ones, until one fails; then the smallest case that fails like that.

use super::attempt::{self, Broken, Held};
use super::client::{Client, Connections};
use super::definition::{AWKWARD_SHARE, ROWS_MAX, Scenario};
use super::environment::{DatabasePool, Definition, Environment, PooledDatabase};
use super::fixture::Fixture;
use super::latencies::{self, Latencies};
use super::outcome::{Failed, MutationCount, Passed, PropertyCount, Shrunk, Spread};
use super::properties;
use super::regression::{self, Kept};
use super::rows;
use super::steps::{self, Steps};
use crate::cancel::Cancel;
use crate::catalog::Catalog;
use crate::endpoint::PostgresUrl;
use crate::error::{Error, Kind, Result};
use crate::harness::Seed;
use crate::harness::generate::{Cell, Dataset, GenerateOptions};
use crate::harness::scratch;
use crate::harness::shrink::shrink;
use crate::plan::plan;
use crate::provision;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a failing case is tried again with less, at most: each try is a whole case.
pub(super) const SHRINK_TRIES_MAX: usize = 300;

/// The cases of a run in which every property holds.
struct Cases {
    /// Each with its time.
    held: Vec<(Held, Duration)>,
    /// Those that there were not, with the reason.
    discarded: Vec<String>,
    latencies: Latencies,
}

/// A run while it lasts.
struct Run<'r> {
    scenario: &'r Scenario,
    environment: &'r Environment,
    pool: &'r DatabasePool,
    cancel: &'r Cancel,
}

/// What a case consists of.
#[derive(Clone, Copy)]
struct Sample<'s> {
    /// The schema, where it belongs to the case.
    schema: Option<&'s str>,
    rows: RowsOf<'s>,
}

#[derive(Clone, Copy)]
enum RowsOf<'s> {
    /// Generated from the case's seed.
    Seed,
    /// These.
    Dataset(&'s Dataset),
    /// Those of a kept case.
    Kept(&'s Kept),
}

/// What became of a case.
struct Attempt {
    ended: Result<Held, Broken>,
    /// The rows, where they were generated and could be loaded.
    dataset: Option<Dataset>,
    /// The source's schema, as far as it came to that.
    catalog: Option<Catalog>,
    time: Duration,
}

pub(super) fn run(scenario: &Scenario, cancel: &Cancel) -> Result<Passed, Box<Failed>> {
    let started = Instant::now();
    let failed = |error: Error| Box::new(failure(scenario, None, &Broken::by(&error)));
    ensure_bearable(scenario).map_err(failed)?;
    let definition = Definition::read(scenario).map_err(failed)?;
    scratch::remove_what_killed_runs_left();
    let server = provision::shared().map_err(failed)?;
    let mut kept = regression::all(&scenario.regressions).map_err(failed)?;
    if let Some(earlier) = &scenario.earlier_regressions {
        kept.extend(regression::all(earlier).map_err(failed)?);
    }
    let environment = Environment::prepare(server, &scenario.name, definition).map_err(failed)?;
    let cases = DatabasePool::with(&environment, server, |pool| {
        Run { scenario, environment: &environment, pool, cancel }.all(&kept)
    })?;
    let latencies = match cases.latencies.held(scenario.rows) {
        Ok(latencies) => latencies,
        Err(missed) => return Err(Box::new(too_slow(scenario, missed))),
    };
    let (held, discarded) = (cases.held, cases.discarded);
    let names = properties::ALL.iter().map(|property| (property.name, property.says));
    Ok(Passed { latencies, discarded, ..summary(scenario, names, kept.len() as u32, held, started.elapsed()) })
}

/// The rows of a case are in memory, and each case is made anew.
pub(super) fn ensure_bearable(scenario: &Scenario) -> Result<()> {
    if scenario.rows > ROWS_MAX {
        let cause = format!("a case of {} rows is too large: at most {ROWS_MAX}", scenario.rows);
        return Err(Error::usage("test", format!("`{}`", scenario.name), cause)
            .hint("`whimbrel generate` fills a database with as many rows as you like, `whimbrel migrate` moves it"));
    }
    Ok(())
}

/// The seed of the `place`-th case: the first has the scenario's own, so that one number runs any case again.
pub(super) fn case_seed(seed: Seed, place: u32) -> Seed {
    if place == 0 { seed } else { seed.nth(u64::from(place)) }
}

impl Run<'_> {
    fn all(&self, kept: &[Kept]) -> Result<Cases, Box<Failed>> {
        let stopped = |error: Error| Box::new(failure(self.scenario, None, &Broken::by(&error)));
        for kept in kept {
            self.cancel.check("test").map_err(stopped)?;
            let sample = Sample { schema: kept.schema.as_deref(), rows: RowsOf::Kept(kept) };
            if let Err(broken) = self.attempt(kept.seed, sample).ended {
                let mut failed = failure(self.scenario, Some(kept.seed), &broken);
                failed.regression = (broken.kind != Kind::Interrupted).then(|| kept.path.clone());
                return Err(Box::new(failed));
            }
        }
        let mut latencies = Latencies::new(self.environment.settings()).map_err(stopped)?;
        let mut held = Vec::new();
        let mut place = 0;
        let mut discarded = Vec::new();
        while held.len() < self.scenario.cases as usize {
            self.cancel.check("test").map_err(stopped)?;
            let seed = case_seed(self.scenario.seed, place);
            place += 1;
            let schema = self.schema_of(seed);
            let sample = Sample { schema: schema.as_ref().map(rows::OwnSchema::sql), rows: RowsOf::Seed };
            let attempt = self.attempt(seed, sample);
            match attempt.ended {
                Ok(mut case) => {
                    latencies.add(std::mem::take(&mut case.latencies));
                    held.push((case, attempt.time));
                }
                // One of four, at most, and each is told: more would be a generator that knows too little.
                Err(broken) if broken.refused && discarded.len() < self.scenario.cases as usize / 4 => {
                    discarded.push(format!("seed {seed}: {}", broken.found));
                }
                Err(broken) if broken.kind == Kind::Interrupted => {
                    return Err(Box::new(failure(self.scenario, Some(seed), &broken)));
                }
                Err(broken) => {
                    return Err(Box::new(self.failed(seed, schema, attempt.dataset, attempt.catalog, broken)));
                }
            }
        }
        Ok(Cases { held, discarded, latencies })
    }

    fn schema_of(&self, seed: Seed) -> Option<rows::OwnSchema> {
        matches!(self.environment, Environment::Random).then(|| rows::OwnSchema::of(seed))
    }

    /// Runs a case.
    fn attempt(&self, seed: Seed, sample: Sample<'_>) -> Attempt {
        let start = Instant::now();
        let mut attempt = Attempt { ended: Ok(Held::default()), dataset: None, catalog: None, time: Duration::ZERO };
        let mut steps = Steps::default();
        attempt.ended = match steps.time("clone", || self.pool.take()) {
            Err(error) => Err(Broken::by(&error)),
            Ok(PooledDatabase { connections, url, database }) => {
                let ended = self.attempt_in(&url, connections, seed, sample, steps, &mut attempt);
                self.pool.give_back(database);
                ended
            }
        };
        attempt.time = start.elapsed();
        attempt
    }

    fn attempt_in(
        &self,
        url: &PostgresUrl,
        mut connections: Connections,
        seed: Seed,
        sample: Sample<'_>,
        mut steps: Steps,
        attempt: &mut Attempt,
    ) -> Result<Held, Broken> {
        let broken = |error: Error| Broken::by(&error);
        let client = &mut connections.client;
        let own;
        let (fixture, twin, hints) = match self.environment {
            Environment::Shared(shared) => (&shared.fixture, shared.twin.as_ref(), Some(&shared.hints)),
            Environment::Random => {
                let schema = sample.schema.unwrap_or_default();
                let created = steps.time("schema", || client.execute(schema, "create", "the random schema"));
                created.map_err(broken)?;
                own = steps.time("schema", || Fixture::of_database(&self.scenario.name, url)).map_err(broken)?;
                (&own, None, None)
            }
        };
        attempt.catalog = Some(fixture.catalog.clone());
        let mut hints = hints.cloned().unwrap_or_default();
        if matches!(self.environment, Environment::Random) {
            let plan = steps.time("plan", || plan(&fixture.catalog, &fixture.settings.options.run.choices));
            rows::without_stops(&mut hints, &plan, &fixture.catalog);
        }
        let options = GenerateOptions {
            rows: self.scenario.rows,
            per_table: BTreeMap::new(),
            seed,
            awkward: AWKWARD_SHARE,
            hints,
        };
        let load = |dataset: &Dataset, steps: &mut Steps, client: &mut Client| {
            steps.time("load", || rows::load(client, url, &fixture.catalog, dataset)).map_err(broken)
        };
        match sample.rows {
            RowsOf::Kept(kept) => {
                steps.time("load", || client.execute(&*kept.rows, "insert", "the kept rows")).map_err(|error| {
                    let file = kept.path.display();
                    broken(error.hint(format!(
                        "if the source's schema has changed since they were kept, or they are another project's of this \
                         name: correct `{file}`, move it to where that project's are, or delete it"
                    )))
                })?;
            }
            RowsOf::Dataset(dataset) => match twin {
                Some(twin) => load(&twin.settle(dataset).map_err(broken)?, &mut steps, client)?,
                None => load(dataset, &mut steps, client)?,
            },
            RowsOf::Seed => {
                let generated = steps.time("generate", || match twin {
                    Some(twin) => twin.generate(options),
                    None => rows::generate(&fixture.catalog, options, url),
                });
                // A random schema may ask for rows that the generator cannot find; a user's schema has to be told so.
                let is_random = matches!(self.environment, Environment::Random);
                let dataset = generated.map_err(|error| {
                    let refused = is_random && error.kind() == Kind::CouldNotRun;
                    Broken { refused, ..broken(error) }
                })?;
                let refused = |broken: Broken| Broken { refused: broken.kind != Kind::Interrupted, ..broken };
                load(&dataset, &mut steps, client).map_err(refused)?;
                attempt.dataset = Some(dataset);
            }
        }
        steps.time("load", || rows::refresh(client, &fixture.catalog)).map_err(broken)?;
        attempt::run(fixture, seed, connections, steps, self.cancel)
    }

    /// Whether a smaller dataset has a value that the whole one did not have, in a column that a hint speaks about: no
    /// constraint knows what the project wants there, so such a case could fail for a reason of its own.
    fn defies_a_hint(&self, whole: &Dataset, candidate: &Dataset) -> bool {
        let Environment::Shared(shared) = self.environment else { return false };
        candidate.tables.iter().zip(&whole.tables).any(|(table, whole)| {
            let name = &table.table;
            table.columns.iter().enumerate().any(|(at, column)| {
                if shared.hints.column(&name.schema, &name.name, column).is_none() {
                    return false;
                }
                let known: BTreeSet<&Cell> = whole.rows.iter().map(|row| &row[at]).collect();
                table.rows.iter().any(|row| !known.contains(&row[at]))
            })
        })
    }

    /// The failure of a case, shrunk and kept where that is possible.
    fn failed(
        &self,
        seed: Seed,
        schema: Option<rows::OwnSchema>,
        dataset: Option<Dataset>,
        catalog: Option<Catalog>,
        broken: Broken,
    ) -> Failed {
        let mut failed = failure(self.scenario, Some(seed), &broken);
        let (Some(property), Some(dataset), Some(catalog)) = (broken.property, dataset, catalog) else {
            failed.notes.push("the case is not shrunk: it did not come to a property".to_owned());
            failed.notes.extend(schema.map(|schema| format!("its schema is\n{}", schema.sql())));
            return failed;
        };
        failed.rows = dataset.row_count() as u64;
        let mut found = broken.found;
        let fails_alike = |attempt: &Attempt| match &attempt.ended {
            Err(broken) if broken.property.is_some_and(|other| other.name == property.name) => {
                Some(broken.found.clone())
            }
            _ => None,
        };
        // First a smaller schema, with the rows that the same seed gives it; then fewer and simpler rows.
        let (mut schema, mut dataset, mut catalog) = (schema, dataset, catalog);
        if let Some(whole) = schema.take() {
            let mut best = (dataset, catalog);
            let smaller = whole.shrink(SHRINK_TRIES_MAX, &mut |candidate| {
                if self.cancel.is_cancelled() {
                    return false;
                }
                let sample = Sample { schema: Some(candidate.sql()), rows: RowsOf::Seed };
                let attempt = self.attempt(seed, sample);
                let Some(failure) = fails_alike(&attempt) else { return false };
                let (Some(rows), Some(catalog)) = (attempt.dataset, attempt.catalog) else { return false };
                (best, found) = ((rows, catalog), failure);
                true
            });
            (dataset, catalog) = best;
            schema = Some(smaller);
        }
        let sql = schema.as_ref().map(|schema| schema.sql().to_owned());
        let catalog = Arc::new(catalog);
        let whole = dataset.clone();
        let mut smallest = dataset.clone();
        let mut fails = |candidate: &Dataset| {
            self.cancel.check("shrink the case")?;
            if self.defies_a_hint(&whole, candidate) {
                return Ok(false);
            }
            let sample = Sample { schema: sql.as_deref(), rows: RowsOf::Dataset(candidate) };
            let failure = fails_alike(&self.attempt(seed, sample));
            let fails = failure.is_some();
            found = failure.unwrap_or_else(|| std::mem::take(&mut found));
            if fails {
                smallest = candidate.clone();
            }
            Ok(fails)
        };
        if let Err(error) = shrink(dataset, &catalog, &mut fails, SHRINK_TRIES_MAX) {
            failed.notes.push(error.to_string());
        }
        let shrunk = smallest;
        let shrunk = Shrunk { rows: shrunk.row_count() as u64, schema: sql, sql: shrunk.to_sql(&catalog), found };
        match regression::keep(&self.scenario.regressions, &self.scenario.name, property.name, seed, &shrunk) {
            Ok(path) => failed.kept = Some(path),
            Err(error) => failed.notes.push(error.to_string()),
        }
        failed.shrunk = Some(shrunk);
        failed
    }
}

fn failure(scenario: &Scenario, seed: Option<Seed>, broken: &Broken) -> Failed {
    failure_of(scenario, seed, broken.property.map(|property| (property.name, property.says)), broken)
}

/// A failure, and the name and the words of the property that does not hold.
pub(super) fn failure_of(
    scenario: &Scenario,
    seed: Option<Seed>,
    property: Option<(&'static str, &'static str)>,
    broken: &Broken,
) -> Failed {
    Failed {
        scenario: scenario.name.clone(),
        property: property.map(|(name, _)| name),
        says: property.map(|(_, says)| says),
        found: broken.found.clone(),
        seed,
        rows: scenario.rows,
        shrunk: None,
        regression: None,
        replay: scenario.replay_command(seed.unwrap_or(scenario.seed), 1),
        hint: broken.hint.clone(),
        kept: None,
        notes: Vec::new(),
        // A property that does not hold is data that differs, whatever error told of it.
        kind: if property.is_some() { Kind::Differs } else { broken.kind },
    }
}

/// The failure of a run whose queries miss their targets. It belongs to no case, so there is none to shrink or to keep.
pub(super) fn too_slow(scenario: &Scenario, missed: String) -> Failed {
    let broken = Broken { property: None, found: missed, hint: None, kind: Kind::Differs, refused: false };
    Failed {
        property: Some(latencies::NAME),
        says: Some(latencies::SAYS),
        replay: scenario.replay_command(scenario.seed, scenario.cases),
        hint: Some(format!(
            "`whimbrel latency {}` measures them alone and on more rows; a `SCAN` of a large table asks for an index",
            scenario.argument
        )),
        ..failure(scenario, Some(scenario.seed), &broken)
    }
}

/// What the cases say that held, without what was collected beside them.
pub(super) fn summary(
    scenario: &Scenario,
    names: impl Iterator<Item = (&'static str, &'static str)>,
    regressions: u32,
    cases: Vec<(Held, Duration)>,
    duration: Duration,
) -> Passed {
    let mut properties: Vec<PropertyCount> =
        names.map(|(name, says)| PropertyCount { name, says, held: 0, not_asked: BTreeMap::new() }).collect();
    let mut mutations: BTreeMap<String, MutationCount> = BTreeMap::new();
    for (case, _) in &cases {
        for property in &mut properties {
            match case.not_asked.iter().find(|(name, _)| *name == property.name) {
                Some((_, why)) => *property.not_asked.entry((*why).to_owned()).or_default() += 1,
                None => property.held += 1,
            }
        }
        for (name, noticed) in &case.mutations {
            let count =
                mutations.entry(name.clone()).or_insert(MutationCount { name: name.clone(), tried: 0, noticed: 0 });
            count.tried += 1;
            count.noticed += u32::from(*noticed);
        }
    }
    let rows = cases.iter().map(|(case, _)| case.rows).sum();
    let (steps, times): (Vec<Steps>, Vec<Duration>) = cases.into_iter().map(|(case, time)| (case.steps, time)).unzip();
    Passed {
        scenario: scenario.name.clone(),
        seed: scenario.seed,
        cases: times.len() as u32,
        rows_per_case: scenario.rows,
        rows,
        regressions,
        discarded: Vec::new(),
        properties,
        mutations: mutations.into_values().collect(),
        latencies: Vec::new(),
        case_time: Spread::of(times),
        steps: steps::spread(&steps),
        duration,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_case_is_the_first_one_of_its_own_seed() {
        let third = case_seed(Seed(5), 3);
        assert_ne!(third, Seed(5));
        assert_eq!(case_seed(third, 0), third);
    }
}
