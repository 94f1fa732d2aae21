//! Runs queries, and keeps how long each run took.

use super::draw::{Drawn, draw};
use super::options::{MeasureOptions, OPERATION};
use super::outcome::{Latencies, Measured, QueryLatency, Warning};
use super::query::{Query, Targets, queries};
use super::runner::Runner;
use super::samples::Samples;
use super::scans::{full_scans, query_plan, row_count, tables};
use crate::endpoint::sqlite::read::open;
use crate::error::{Error, Result};
use crate::harness::Seed;
use crate::project::Project;
use rusqlite::Connection;
use rusqlite::types::Value;
use std::path::Path;

/// Measures a project's queries on the file at `path`, which is only read.
///
/// # Errors
/// When the file cannot be read, the project has no queries, or as [`measure_on`]. A missed target is none: see
/// [`Latencies::ensure_held`].
pub fn measure(path: &Path, project: &Project, options: &MeasureOptions) -> Result<Latencies> {
    let queries = queries(project)?;
    if queries.is_empty() {
        return Err(Error::usage("measure the latency of", format!("`{}`", project.name), "it has no queries")
            .hint("put one query per file into its folder `queries`: `queries/NAME.sql`"));
    }
    let connection = open(path, &options.cancel.flag())?;
    project.connection.apply(&connection)?;
    measure_on(&connection, &project.name, &queries, options)
}

/// Measures queries on a connection whose options are already those of the application.
///
/// # Errors
/// When a query is none for this database, does something else than read, or its parameters cannot be drawn: the error
/// names its file. When a query fails while it runs, or somebody asks to stop.
pub fn measure_on(
    connection: &Connection,
    project: &str,
    queries: &[Query],
    options: &MeasureOptions,
) -> Result<Latencies> {
    let tables = tables(connection)?;
    let mut rows = 0;
    for table in &tables {
        rows += row_count(connection, table)?;
    }
    let measured = queries.iter().map(|query| {
        let targets = query.targets.or(options.targets);
        Ok(QueryLatency {
            name: query.name.clone(),
            file: query.file.clone(),
            title: query.title.clone(),
            targets,
            has_own_target: query.targets != Targets::default(),
            outcome: measure_query(connection, query, &targets, options)?,
        })
    });
    Ok(Latencies {
        project: project.to_owned(),
        queries: measured.collect::<Result<_>>()?,
        rows,
        tables: tables.len() as u64,
        runs: options.runs.max(1),
        warm_up: options.warm_up,
        seed: options.seed,
        targets: options.targets,
    })
}

fn measure_query(
    connection: &Connection,
    query: &Query,
    targets: &Targets,
    options: &MeasureOptions,
) -> Result<std::result::Result<Measured, String>> {
    let mut runner = Runner::prepare(connection, query)?;
    let sets = match draw(connection, query, options.seed, options.sets_max())? {
        Drawn::Sets(sets) => sets,
        Drawn::Nothing(why) => return Ok(Err(why)),
    };
    let mut samples = Samples::new()?;
    let (mut rows_max, mut empty_runs, mut steps_max) = (0, 0, 0);
    runner.run_in_turn(&sets, options, |run| {
        samples.add(run.elapsed);
        rows_max = rows_max.max(run.rows);
        empty_runs += u64::from(run.rows == 0);
        steps_max = steps_max.max(run.scan_steps);
    })?;
    let figures = samples.figures();
    let plan = query_plan(connection, query, sets.first().map_or(&[], Vec::as_slice))?;
    let mut measured = Measured {
        parameter_sets: sets.len() as u64,
        rows_max,
        empty_runs,
        p50: figures.p50,
        p95: figures.p95,
        p99: figures.p99,
        max: figures.max,
        missed: figures.missed(targets),
        warnings: scan_warnings(connection, query, &plan, steps_max, options.large_table_rows)?,
        plan,
    };
    if rows_max == 0 {
        measured.warnings.push(Warning::MeasuresNothing);
    }
    Ok(Ok(measured))
}

/// A plan tells which tables are read whole, and SQLite counts the steps of it: a view or a subquery has no name of a
/// table, and an index may be followed for a few rows only.
fn scan_warnings(
    connection: &Connection,
    query: &Query,
    plan: &[String],
    steps_max: u64,
    large_table_rows: u64,
) -> Result<Vec<Warning>> {
    let scans = full_scans(connection, query, plan)?;
    let mut warnings = Vec::new();
    for scan in scans.iter().filter(|scan| !scan.along_index) {
        let Some(table) = &scan.table else { continue };
        let rows = row_count(connection, table)?;
        if rows >= large_table_rows.max(1) {
            warnings.push(Warning::FullScan { table: table.clone(), rows, step: scan.step.clone() });
        }
    }
    // The first row takes no step.
    let rows = steps_max + 1;
    if warnings.is_empty() && !scans.is_empty() && rows >= large_table_rows.max(1) {
        let steps = scans.into_iter().map(|scan| scan.step).collect();
        warnings.push(Warning::LongScan { rows, steps });
    }
    Ok(warnings)
}

/// One query, prepared, with its parameters drawn: for whoever times the runs himself, as criterion does.
pub struct PreparedQuery<'c> {
    runner: Runner<'c>,
    sets: Vec<Vec<Value>>,
    next: usize,
}

impl<'c> PreparedQuery<'c> {
    /// Prepares the query and draws at most `sets_max` sets of parameters.
    ///
    /// # Errors
    /// As [`measure_on`], and where no row has a value for a parameter.
    pub fn new(connection: &'c Connection, query: &'c Query, seed: Seed, sets_max: usize) -> Result<PreparedQuery<'c>> {
        let runner = Runner::prepare(connection, query)?;
        match draw(connection, query, seed, sets_max)? {
            Drawn::Sets(sets) => Ok(PreparedQuery { runner, sets, next: 0 }),
            Drawn::Nothing(why) => Err(Error::could_not(OPERATION, runner.label(), why)),
        }
    }

    /// Runs the query with the next set of parameters, every value read, and returns the number of its rows.
    ///
    /// # Errors
    /// When SQLite cannot run it.
    pub fn run_next(&mut self) -> Result<u64> {
        let values = self.sets.get(self.next).map_or(&[][..], Vec::as_slice);
        self.next = (self.next + 1) % self.sets.len().max(1);
        Ok(self.runner.run(values)?.rows)
    }
}
