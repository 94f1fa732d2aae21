//! Every query of the project runs on the migrated file.
//!
//! Steps: prepare each file of the project's `queries/` once on the published file, with the project's connection
//! options; run it with parameters drawn from the rows, reading every value that it returns: once to warm up, then a few
//! times with the clock on it.
//! Constraints: a project without queries is not asked; a query whose parameters no row has a value for is only
//! prepared. The times are held against the targets at the end of the run, when those of all cases are there: see
//! `scenario::latencies`.

use super::super::case::Case;
use super::super::fixture::Settings;
use super::{Property, Verdict};
use crate::cancel::Cancel;
use crate::error::Result;
use crate::harness::Seed;
use crate::harness::latency::{MeasureOptions, Times, time_each};
use rusqlite::Connection;

pub(super) const PROPERTY: Property = Property { name: "queries", says: "every query of the project runs", ask };

/// How often a case times each query: with 64 cases, 320 times in a run.
const RUNS: u32 = 5;

fn ask(case: &mut Case<'_>) -> Result<Verdict> {
    // It would be in the times.
    case.wait_for_second();
    let (verdict, times) = of(&case.fixture.settings, &case.open_target()?, case.seed, &case.cancel)?;
    case.latencies = times;
    Ok(verdict)
}

/// Runs the queries on an open file, and times them.
pub(in super::super) fn of(
    settings: &Settings,
    connection: &Connection,
    seed: Seed,
    cancel: &Cancel,
) -> Result<(Verdict, Vec<Times>)> {
    if settings.queries.is_empty() {
        return Ok((Verdict::NotAsked("the project has no queries"), Vec::new()));
    }
    settings.connection.apply(connection)?;
    let options = MeasureOptions {
        runs: RUNS,
        warm_up: 1,
        seed: seed.of("queries"),
        targets: settings.targets,
        // With so few rows no table is.
        large_table_rows: u64::MAX,
        cancel: cancel.clone(),
    };
    let times = time_each(connection, &settings.queries, &options)?;
    let verdict = match times.iter().all(|times| times.runs.is_empty()) {
        true => Verdict::NotAsked("no row has values for the parameters of any query"),
        false => Verdict::Holds,
    };
    Ok((verdict, times))
}
