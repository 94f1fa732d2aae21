//! A few timed runs of each query: cheap enough for every case of a test, whose times together give the figures.

use super::draw::{Drawn, draw};
use super::options::MeasureOptions;
use super::query::Query;
use super::runner::{Runner, TimedRun};
use super::scans::query_plan;
use crate::error::Result;
use rusqlite::Connection;
use std::time::Duration;

/// The runs of one query on one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Times {
    /// The file's name without its ending.
    pub name: String,
    /// Each timed run; none where no row has a value for its parameters, and it was only prepared.
    pub runs: Vec<TimedRun>,
    /// The steps of SQLite's query plan, indented, where a run was not below the lowest of the query's targets: only
    /// then somebody may ask for it.
    pub slow_plan: Option<Vec<String>>,
}

impl Times {
    /// The slowest run.
    pub fn longest(&self) -> Duration {
        self.runs.iter().map(|run| run.elapsed).max().unwrap_or_default()
    }
}

/// Times each query on a connection whose options are already those of the application. Nothing is held against the
/// targets: so few runs say too little.
///
/// # Errors
/// As [`measure_on`](super::measure_on).
pub fn time_each(connection: &Connection, queries: &[Query], options: &MeasureOptions) -> Result<Vec<Times>> {
    queries.iter().map(|query| time(connection, query, options)).collect()
}

fn time(connection: &Connection, query: &Query, options: &MeasureOptions) -> Result<Times> {
    let mut runner = Runner::prepare(connection, query)?;
    let mut times = Times { name: query.name.clone(), runs: Vec::new(), slow_plan: None };
    let Drawn::Sets(sets) = draw(connection, query, options.seed, options.sets_max())? else { return Ok(times) };
    runner.run_in_turn(&sets, options, |run| times.runs.push(run))?;
    let lowest = query.targets.or(options.targets).lowest();
    if lowest.is_some_and(|lowest| times.longest() >= lowest) {
        times.slow_plan = Some(query_plan(connection, query, sets.first().map_or(&[], Vec::as_slice))?);
    }
    Ok(times)
}
