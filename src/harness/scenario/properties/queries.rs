//! Every query of the project runs on the migrated file.
//!
//! Steps: prepare each file of the project's `queries/` once on the published file, with the project's connection
//! options; run it with parameters drawn from the rows, reading every value that it returns: once to warm up, then a few
//! times with the clock on it.
//! Constraints: a project without queries is not asked; a query whose parameters no row has a value for is only
//! prepared. The times are held against the targets at the end of the run, when those of all cases are there: see
//! `scenario::latencies`.

use super::super::case::Case;
use super::{Property, Verdict};
use crate::error::Result;
use crate::harness::latency::{MeasureOptions, time_each};

pub(super) const PROPERTY: Property = Property { name: "queries", says: "every query of the project runs", ask };

/// How often a case times each query: with 64 cases, 320 times in a run.
const RUNS: u32 = 5;

fn ask(case: &mut Case<'_>) -> Result<Verdict> {
    let settings = &case.fixture.settings;
    if settings.queries.is_empty() {
        return Ok(Verdict::NotAsked("the project has no queries"));
    }
    // It would be in the times.
    case.wait_for_second();
    let settings = &case.fixture.settings;
    let connection = case.open_target()?;
    settings.connection.apply(&connection)?;
    let options = MeasureOptions {
        runs: RUNS,
        warm_up: 1,
        seed: case.seed.of("queries"),
        targets: settings.targets,
        // With so few rows no table is.
        large_table_rows: u64::MAX,
        cancel: case.cancel.clone(),
    };
    case.latencies = time_each(&connection, &settings.queries, &options)?;
    match case.latencies.iter().all(|times| times.runs.is_empty()) {
        true => Ok(Verdict::NotAsked("no row has values for the parameters of any query")),
        false => Ok(Verdict::Holds),
    }
}
