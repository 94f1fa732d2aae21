//! What a run of a scenario found: plain structs, rendered elsewhere.

use super::latencies::QueryLatency;
use crate::harness::Seed;
use crate::printable::{Lines, one_line};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Every property held in every case.
#[derive(Debug, Clone, Serialize)]
pub struct Passed {
    /// The project's name, or what stood in its place.
    pub scenario: String,
    /// The seed of the first case.
    pub seed: Seed,
    /// How many cases ran, kept ones not counted.
    pub cases: u32,
    /// How many rows each case asked for.
    pub rows_per_case: u64,
    /// How many rows were migrated in all cases together.
    pub rows: u64,
    /// Kept cases that ran first.
    pub regressions: u32,
    /// Cases that there were not, because the source itself refused the generated rows: the seed and the reason of each.
    pub discarded: Vec<String>,
    /// What was asked of the cases.
    pub properties: Vec<PropertyCount>,
    /// What the checker noticed of what was done to finished files.
    pub mutations: Vec<MutationCount>,
    /// How fast the project's queries were in all cases together.
    pub latencies: Vec<QueryLatency>,
    /// How long one case took.
    pub case_time: Spread,
    /// Where the time went: each step with its share in one case, in the order of their first use.
    pub steps: Vec<StepTime>,
    /// How long everything took, from the first template to the last clean-up.
    pub duration: Duration,
}

/// How often a property was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PropertyCount {
    /// Its name.
    pub name: &'static str,
    /// What it says.
    pub says: &'static str,
    /// In how many cases it held.
    pub held: u32,
    /// Why it was not asked in the others, and in how many.
    pub not_asked: BTreeMap<String, u32>,
}

/// How often a mutation of a finished file was tried and noticed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MutationCount {
    /// Its name.
    pub name: String,
    /// How often a file had something to change like that.
    pub tried: u32,
    /// How often the checker noticed.
    pub noticed: u32,
}

/// How a step's time is spread over the cases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepTime {
    /// The step.
    pub step: String,
    /// Its time.
    pub time: Spread,
}

/// Times of the same thing in several cases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// Half of them are not longer.
    pub median: Duration,
    /// 95 of 100 are not longer.
    pub p95: Duration,
    /// The longest.
    pub longest: Duration,
}

impl Spread {
    /// The spread of these times; zero where there are none.
    pub fn of(mut times: Vec<Duration>) -> Spread {
        times.sort_unstable();
        // The nearest rank: the smallest time that so many of a hundred do not exceed.
        let at = |percent: usize| times.get((times.len() * percent).div_ceil(100).saturating_sub(1)).copied();
        let rank = |percent| at(percent).unwrap_or_default();
        Spread { median: rank(50), p95: rank(95), longest: rank(100) }
    }
}

/// A property that did not hold, queries that missed their targets, or a case that could not be run.
#[derive(Serialize)]
pub struct Failed {
    /// The project's name, or what stands in its place.
    pub scenario: String,
    /// The property that does not hold, `latencies` where queries missed their targets in all cases together; `None`
    /// where the case could not be run.
    pub property: Option<&'static str>,
    /// What the property says.
    pub says: Option<&'static str>,
    /// What was found instead.
    pub found: String,
    /// The seed of the case, or of the first one where all together failed; `None` where no case ran.
    pub seed: Option<Seed>,
    /// How many rows the case had before it was shrunk.
    pub rows: u64,
    /// The smallest case that was found to fail in the same way.
    pub shrunk: Option<Shrunk>,
    /// The kept case that failed again.
    pub regression: Option<PathBuf>,
    /// The command that runs the case again, or all of them where all together failed.
    pub replay: String,
    /// What to do about it, where something is known.
    pub hint: Option<String>,
    /// The file that keeps the case from now on.
    pub kept: Option<PathBuf>,
    /// Why the case could not be shrunk or kept.
    pub notes: Vec<String>,
    /// What the failure means for the exit code.
    #[serde(skip)]
    pub kind: crate::error::Kind,
}

/// A case as small as it could be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shrunk {
    /// How many rows are left.
    pub rows: u64,
    /// The schema, where it belongs to the case.
    pub schema: Option<String>,
    /// The rows.
    pub sql: String,
    /// What is found in it.
    pub found: String,
}

impl Failed {
    /// Whether a case failed; else it did not come to one.
    pub fn is_of_a_case(&self) -> bool {
        self.seed.is_some() || self.regression.is_some()
    }

    /// Everything that is needed to see the failure again.
    pub fn lines(&self) -> Lines {
        let Failed { scenario, .. } = self;
        let mut head = match (&self.regression, self.property) {
            (Some(path), Some(property)) => {
                format!("{scenario}: the kept case `{}` fails again: `{property}`", path.display())
            }
            (Some(path), None) => format!("{scenario}: the kept case `{}` cannot be run", path.display()),
            (None, Some(property)) => format!("{scenario}: the property `{property}` does not hold"),
            (None, None) if self.seed.is_none() => format!("{scenario}: no case was run"),
            (None, None) => format!("{scenario}: a case cannot be run"),
        };
        if let Some(says) = self.says {
            head.push_str(&format!(" ({says})"));
        }
        let mut text = Lines::of(head);
        self.found.trim_end().lines().for_each(|line| text.line(line));
        if let Some(seed) = self.seed {
            text.line(format_args!("seed: {seed}, rows: {}", self.rows));
        }
        if let Some(shrunk) = &self.shrunk {
            let rows = if shrunk.rows == 1 { "row" } else { "rows" };
            text.line(format_args!("the smallest case found, with {} {rows}:", shrunk.rows));
            if let Some(schema) = &shrunk.schema {
                text.sql("", schema.trim_end());
            }
            text.sql("", shrunk.sql.trim_end());
            if shrunk.found != self.found {
                let found = format!("in which: {}", shrunk.found.trim_end());
                found.lines().for_each(|line| text.line(line));
            }
        }
        for note in &self.notes {
            format!("note: {note}").lines().for_each(|line| text.line(line));
        }
        if let Some(hint) = &self.hint {
            text.line(format_args!("hint: {hint}"));
        }
        if let Some(kept) = &self.kept {
            text.line(format_args!("kept as `{}`; it runs first from now on", kept.display()));
        }
        if self.is_of_a_case() {
            text.line(format_args!("run it again: {}", self.replay));
        }
        text
    }
}

impl fmt::Debug for Failed {
    /// As for people: `unwrap()` in a test shows this, and nothing else.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Failed {
    /// What `unwrap()` and an assertion print: everything that is needed to see the failure again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.lines().trim_end())
    }
}

impl std::error::Error for Failed {}

impl fmt::Display for Passed {
    /// One line; `report` renders the rest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = format!(
            "{}: {} cases passed, {} rows, {} properties; a case took {:.1} ms (median), {:.1} ms (P95)",
            self.scenario,
            self.cases + self.regressions,
            self.rows,
            self.properties.len(),
            self.case_time.median.as_secs_f64() * 1e3,
            self.case_time.p95.as_secs_f64() * 1e3,
        );
        f.write_str(&one_line(&line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_takes_the_nearest_rank() {
        let milliseconds = |range: std::ops::RangeInclusive<u64>| range.rev().map(Duration::from_millis).collect();
        let spread = Spread::of(milliseconds(1..=100));
        assert_eq!(spread.median, Duration::from_millis(50));
        assert_eq!(spread.p95, Duration::from_millis(95));
        assert_eq!(spread.longest, Duration::from_millis(100));
        assert_eq!(Spread::of(milliseconds(7..=7)).p95, Duration::from_millis(7));
        assert_eq!(Spread::of(Vec::new()), Spread::default());
    }
}
