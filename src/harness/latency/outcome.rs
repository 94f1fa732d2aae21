//! What was measured, and how it stands against the targets.

use super::query::Targets;
use crate::error::{Error, Result};
use crate::harness::Seed;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

/// The latencies of a project's queries on one file.
#[derive(Debug, Clone, PartialEq)]
pub struct Latencies {
    /// The project's name.
    pub project: String,
    /// The rows of all tables, counted in the file.
    pub rows: u64,
    /// How many tables that is.
    pub tables: u64,
    /// How often each query was run and timed.
    pub runs: u32,
    /// How often it was run before that.
    pub warm_up: u32,
    /// What the parameters were drawn with.
    pub seed: Seed,
    /// The project's targets.
    pub targets: Targets,
    /// Each query, in the order of their names.
    pub queries: Vec<QueryLatency>,
}

/// One query, measured or not.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryLatency {
    /// The file's name without its ending.
    pub name: String,
    /// The file.
    pub file: PathBuf,
    /// What the query is for.
    pub title: String,
    /// Its own targets and the project's.
    pub targets: Targets,
    /// Whether a target of its own comes before the project's.
    pub has_own_target: bool,
    /// The figures, or why there are none.
    pub outcome: std::result::Result<Measured, String>,
}

/// The figures of one query.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// How many different rows its parameters were drawn from; at most the number of runs.
    pub parameter_sets: u64,
    /// The most rows that a run returned.
    pub rows_max: u64,
    /// How many runs returned none.
    pub empty_runs: u64,
    /// Half of the runs were at most this slow. Quantiles are exact to three digits.
    pub p50: Duration,
    /// 95 of 100 runs were at most this slow.
    pub p95: Duration,
    /// 99 of 100 runs were at most this slow.
    pub p99: Duration,
    /// The slowest run.
    pub max: Duration,
    /// The targets that were missed.
    pub missed: Vec<Miss>,
    /// What to look at even where the targets are held.
    pub warnings: Vec<Warning>,
    /// The steps of SQLite's query plan, indented.
    pub plan: Vec<String>,
}

/// A target that was missed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Miss {
    /// `P50`, `P95`, `P99` or `max`.
    pub figure: &'static str,
    /// What it is.
    pub measured: Duration,
    /// What it should have been below.
    pub target: Duration,
}

/// What to look at even where the targets are held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub enum Warning {
    /// A large table is read from end to end.
    FullScan {
        /// The table.
        table: String,
        /// How many rows it has.
        rows: u64,
        /// The step of the plan.
        step: String,
    },
    /// Many rows are read one after the other, through an index, a view or a subquery.
    LongScan {
        /// How many in one run, at most.
        rows: u64,
        /// The steps of the plan.
        steps: Vec<String>,
    },
    /// No run returned a row.
    MeasuresNothing,
}

impl Latencies {
    /// Whether every measured query is faster than its targets ask, and at least one was measured where there are any.
    pub fn is_held(&self) -> bool {
        self.missed().is_empty() && !self.measures_nothing()
    }

    /// There are queries, and none could be measured.
    pub fn measures_nothing(&self) -> bool {
        !self.queries.is_empty() && self.queries.iter().all(|query| query.outcome.is_err())
    }

    /// The queries that miss a target.
    pub fn missed(&self) -> Vec<&QueryLatency> {
        let missed = |query: &&QueryLatency| query.outcome.as_ref().is_ok_and(|measured| !measured.missed.is_empty());
        self.queries.iter().filter(missed).collect()
    }

    /// The queries that were not measured, and why.
    pub fn not_measured(&self) -> Vec<(&QueryLatency, &str)> {
        self.queries.iter().filter_map(|query| query.outcome.as_ref().err().map(|why| (query, why.as_str()))).collect()
    }

    /// Every warning, with its query.
    pub fn warnings(&self) -> Vec<(&QueryLatency, &Warning)> {
        let measured = self.queries.iter().filter_map(|query| Some((query, query.outcome.as_ref().ok()?)));
        measured.flat_map(|(query, measured)| measured.warnings.iter().map(move |warning| (query, warning))).collect()
    }

    /// An error if a target is missed: a missed target is a failed run.
    ///
    /// # Errors
    /// [`Kind::Differs`](crate::error::Kind::Differs), naming the queries that miss theirs.
    pub fn ensure_held(&self) -> Result<()> {
        if self.measures_nothing() {
            let cause = "no query could be measured: there are no rows to draw parameters from";
            return Err(Error::differs("measure the latency of", format!("`{}`", self.project), cause)
                .hint("measure a file with rows, or generate more with `--rows`"));
        }
        let missed = self.missed();
        if missed.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = missed.iter().map(|query| format!("`{}`", query.name)).collect();
        let cause = match names.len() {
            1 => format!("{} misses its target", names[0]),
            many => format!("{many} queries miss their targets: {}", names.join(", ")),
        };
        Err(Error::differs("measure the latency of", format!("`{}`", self.project), cause)
            .hint("the report shows the query plan: a `SCAN` of a large table asks for an index"))
    }
}
