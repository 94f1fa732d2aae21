//! The messages of `whimbrel test`.

use super::LatencyTarget;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Every property held in every case of a test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestPassed {
    /// The project's name, or what stood in its place.
    pub scenario: String,
    /// The seed of the first case.
    pub seed: u64,
    /// How many cases ran, kept ones not counted.
    pub cases: u32,
    /// How many kept cases ran before them.
    pub regressions: u32,
    /// Cases that there were not, because the source itself refused the generated rows.
    pub discarded: Vec<String>,
    /// How many rows each case asked for.
    pub rows_per_case: u64,
    /// How many rows were migrated in all cases together.
    pub rows: u64,
    /// What was asked of the cases.
    pub properties: Vec<Property>,
    /// What the checker noticed of what was done to finished files.
    pub mutations: Vec<KillRate>,
    /// How fast each query of the project was in all cases together, its targets held.
    pub latencies: Vec<QueryLatency>,
    /// How long one case took.
    pub case_time: Spread,
    /// Where the time went.
    pub steps: Vec<Step>,
}

/// How often a property was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Property {
    /// Its name.
    pub name: String,
    /// What it says.
    pub says: String,
    /// In how many cases it held.
    pub held: u32,
    /// In how many it was not asked, by reason.
    pub not_asked: BTreeMap<String, u32>,
}

/// How often a mutation of a finished file was tried and noticed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KillRate {
    /// Its name.
    pub name: String,
    /// How often a file had something to change like that.
    pub tried: u32,
    /// How often the checker noticed.
    pub noticed: u32,
}

/// How fast a query was in all cases together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryLatency {
    /// Its name.
    pub query: String,
    /// How many runs were timed; none where no case had a row for its parameters.
    pub samples: u64,
    /// The most rows that a run returned.
    pub rows_max: u64,
    /// Half of the runs were at most this slow; `null` where there are none.
    pub p50_ms: Option<f64>,
    /// 95 of 100 were at most this slow.
    pub p95_ms: Option<f64>,
    /// 99 of 100 were at most this slow.
    pub p99_ms: Option<f64>,
    /// The slowest.
    pub max_ms: Option<f64>,
    /// What it had to stay below.
    pub target: LatencyTarget,
    /// The figures (`P50`, `P95`, `P99`, `max`) that are below their targets.
    pub held: Vec<String>,
    /// The figures that have a target, and too few runs to be held against it: P50 needs 2, P95 20, P99 100.
    pub too_few_samples: Vec<String>,
}

/// Times of the same thing in several cases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spread {
    /// Half of them are not longer.
    pub median_ms: f64,
    /// 95 of 100 are not longer.
    pub p95_ms: f64,
    /// The longest.
    pub longest_ms: f64,
}

/// A step of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// How long it took.
    pub time: Spread,
}

/// A property that does not hold, queries that missed their targets, or a case that could not be run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestFailed {
    /// The project's name, or what stands in its place.
    pub scenario: String,
    /// The property; `latencies` where queries missed their targets in all cases together; `null` where the case could
    /// not be run.
    pub property: Option<String>,
    /// What was found.
    pub found: String,
    /// The seed of the case, or of the first one where all together failed; `null` where no case ran.
    pub seed: Option<u64>,
    /// How many rows the case had before it was shrunk.
    pub rows: u64,
    /// How many rows are left; `null` where it was not shrunk.
    pub shrunk_rows: Option<u64>,
    /// The smallest schema, where it belongs to the case.
    pub shrunk_schema: Option<String>,
    /// The smallest rows as SQL.
    pub shrunk_sql: Option<String>,
    /// The kept case that failed again.
    pub regression: Option<String>,
    /// The file that keeps the case from now on.
    pub kept: Option<String>,
    /// The command that runs the case again, or all of them where all together failed.
    pub replay: String,
    /// Where another command tells more: which, and what it tells.
    pub hint: Option<String>,
    /// Why the case could not be shrunk or kept.
    pub notes: Vec<String>,
}
