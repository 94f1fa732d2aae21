//! A scenario of a project with a layout: random trees of files instead of rows in a server, which it does without.
//!
//! ```text
//! seed ─► rows that the target's schema takes ─► the files that have them, oddly spelled ─► migrate ─► each property
//! ```
//!
//! A case that fails is made smaller by its rows; those are kept, and spelled by the seed of the case again. A project without a
//! target schema has rows that nothing limits: its cases are told by their seeds alone.

mod case;
mod properties;
mod subject;

use super::attempt::{Broken, Held};
use super::definition::Scenario;
use super::latencies::Latencies;
use super::outcome::{Failed, Passed, Shrunk};
use super::property::Verdict;
use super::regression::{self, Kept};
use super::run::{SHRINK_TRIES_MAX, case_seed, ensure_bearable, failure_of, summary, too_slow};
use super::steps::Steps;
use crate::cancel::Cancel;
use crate::error::{Error, Kind, Result};
use crate::harness::generate::Dataset;
use crate::harness::shrink::shrink;
use crate::harness::trees::{RandomTree, tree_of_rows};
use crate::harness::{Seed, scratch};
use crate::project::Project;
use case::Case;
use properties::TreeProperty;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use subject::Subject;

/// Runs the kept cases, then the others, until one fails.
pub(super) fn run(
    scenario: &Scenario,
    project: &Project,
    layout: &Path,
    cancel: &Cancel,
) -> Result<Passed, Box<Failed>> {
    let started = Instant::now();
    let failed = |error: Error| Box::new(failure_of(scenario, None, None, &Broken::by(&error)));
    ensure_bearable(scenario).map_err(failed)?;
    let subject = Subject::of(project, layout).map_err(failed)?;
    scratch::remove_what_killed_runs_left();
    let mut kept = regression::all(&scenario.regressions).map_err(failed)?;
    if let Some(earlier) = &scenario.earlier_regressions {
        kept.extend(regression::all(earlier).map_err(failed)?);
    }
    let run = Run { scenario, subject: &subject, cancel };
    for kept in &kept {
        cancel.check("test").map_err(failed)?;
        run.kept(kept)?;
    }
    let (mut held, mut times) = (Vec::new(), Latencies::new(Some(&subject.settings)).map_err(failed)?);
    for place in 0..scenario.cases {
        cancel.check("test").map_err(failed)?;
        let (mut case, time) = run.case(case_seed(scenario.seed, place))?;
        times.add(std::mem::take(&mut case.latencies));
        held.push((case, time));
    }
    let latencies = times.held(scenario.rows).map_err(|missed| Box::new(too_slow(scenario, missed)))?;
    let names = properties::ALL.iter().map(|property| (property.name, property.says));
    Ok(Passed { latencies, ..summary(scenario, names, kept.len() as u32, held, started.elapsed()) })
}

/// What did not hold, and what was found.
type Ended = Result<Held, (Option<&'static TreeProperty>, Broken)>;

struct Run<'r> {
    scenario: &'r Scenario,
    subject: &'r Subject,
    cancel: &'r Cancel,
}

impl Run<'_> {
    fn case(&self, seed: Seed) -> Result<(Held, Duration), Box<Failed>> {
        let start = Instant::now();
        let mut steps = Steps::default();
        let made = steps.time("generate", || self.subject.tree(self.scenario, seed));
        let failed = |error: Error| Box::new(failure_of(self.scenario, Some(seed), None, &Broken::by(&error)));
        let (tree, rows) = made.map_err(failed)?;
        match self.attempt(seed, &tree, steps) {
            Ok(held) => Ok((held, start.elapsed())),
            Err((property, broken)) => Err(Box::new(self.failed(seed, &tree, rows, property, broken))),
        }
    }

    /// Runs a kept case: its rows, as its seed spells them.
    fn kept(&self, kept: &Kept) -> Result<(), Box<Failed>> {
        let again = || -> Result<Ended> {
            let twin = self.subject.twin.as_ref().ok_or_else(|| {
                Error::usage(
                    "run",
                    format!("`{}`", kept.path.display()),
                    "the project has no target schema for its rows",
                )
            })?;
            let rows = twin.of_sql(&kept.rows)?;
            let tree = tree_of_rows(&self.subject.layout.layout, &rows, kept.seed)?;
            Ok(self.attempt(kept.seed, &tree, Steps::default()))
        };
        let (property, broken) = match again() {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(ended)) => ended,
            Err(error) => (None, Broken::by(&error)),
        };
        let mut failed = failure_of(self.scenario, Some(kept.seed), describe(property), &broken);
        failed.regression = (broken.kind != Kind::Interrupted).then(|| kept.path.clone());
        Err(Box::new(failed))
    }

    /// Asks every property of a tree.
    fn attempt(&self, seed: Seed, tree: &RandomTree, mut steps: Steps) -> Ended {
        let broken = |error: &Error| (None, Broken::by(error));
        let opened = steps.time("open", || Case::open(self.subject, seed, tree, self.cancel));
        let mut case = opened.map_err(|error| broken(&error))?;
        let mut not_asked = Vec::new();
        for property in properties::ALL {
            let violated = |found| {
                let broken = Broken { property: None, found, hint: None, kind: Kind::Differs, refused: false };
                Err((Some(property), broken))
            };
            match steps.time(property.name, || (property.ask)(&mut case)) {
                Ok(Verdict::Holds) => {}
                Ok(Verdict::NotAsked(why)) => not_asked.push((property.name, why)),
                // What was interrupted says nothing about the property; the same seed shows it again.
                Ok(Verdict::Violated(_)) | Err(_) if self.cancel.is_cancelled() => {
                    return Err(broken(&Error::interrupted("test")));
                }
                Ok(Verdict::Violated(found)) => return violated(found),
                Err(error) if error.kind() == Kind::Differs => return violated(error.to_string()),
                Err(error) => {
                    let broken = Broken::by(&error);
                    let found = format!("it could not be asked: {}", broken.found);
                    return Err((Some(property), Broken { found, ..broken }));
                }
            }
        }
        let rows = tree.rows.values().sum();
        let (mutations, latencies) = (std::mem::take(&mut case.mutations), std::mem::take(&mut case.latencies));
        steps.time("clean up", || drop(case));
        Ok(Held { rows, not_asked, mutations, latencies, steps })
    }

    /// The failure of a case, shrunk and kept where that is possible.
    fn failed(
        &self,
        seed: Seed,
        tree: &RandomTree,
        rows: Option<Dataset>,
        property: Option<&'static TreeProperty>,
        broken: Broken,
    ) -> Failed {
        let mut failed = failure_of(self.scenario, Some(seed), describe(property), &broken);
        failed.rows = tree.rows.values().sum();
        let (Some(property), Some(rows), Some(twin)) = (property, rows, &self.subject.twin) else {
            failed.notes.push(format!("the case is not shrunk; its tree is\n{}", tree.lines().trim_end()));
            return failed;
        };
        let (mut found, mut smallest) = (broken.found, (rows.clone(), tree.clone()));
        let catalog = Arc::new(twin.catalog_of_rows());
        let mut fails = |candidate: &Dataset| {
            self.cancel.check("shrink the case")?;
            // What the target's own schema does not take is no case.
            let Ok(settled) = twin.settle(candidate) else { return Ok(false) };
            let tree = tree_of_rows(&self.subject.layout.layout, &settled, seed)?;
            match self.attempt(seed, &tree, Steps::default()) {
                Err((Some(other), broken)) if other.name == property.name => {
                    (found, smallest) = (broken.found, (candidate.clone(), tree));
                    Ok(true)
                }
                _ => Ok(false),
            }
        };
        if let Err(error) = shrink(rows, &catalog, &mut fails, SHRINK_TRIES_MAX) {
            failed.notes.push(error.to_string());
        }
        let (rows, tree) = smallest;
        failed.notes.push(format!("as the seed spells it, its tree is\n{}", tree.lines().trim_end()));
        let sql = twin.own_names(&rows).to_sql(twin.catalog());
        let shrunk = Shrunk { rows: tree.rows.values().sum(), schema: None, sql, found };
        match regression::keep(&self.scenario.regressions, &self.scenario.name, property.name, seed, &shrunk) {
            Ok(path) => failed.kept = Some(path),
            Err(error) => failed.notes.push(error.to_string()),
        }
        failed.shrunk = Some(shrunk);
        failed
    }
}

fn describe(property: Option<&'static TreeProperty>) -> Option<(&'static str, &'static str)> {
    property.map(|property| (property.name, property.says))
}
