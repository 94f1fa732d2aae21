//! One prepared query, and its timed runs.
//!
//! Invariant: whoever measures a query measures it here, so that a time means the same wherever it is told.

use super::draw::message;
use super::options::{MeasureOptions, OPERATION};
use super::query::Query;
use crate::endpoint::sqlite::read::describe;
use crate::error::{Context, Error, Result};
use rusqlite::types::Value;
use rusqlite::{Connection, Statement, StatementStatus};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// One run of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedRun {
    /// From the first bound parameter to the last value of the last row.
    pub elapsed: Duration,
    /// How many rows it returned.
    pub rows: u64,
    /// How many rows it read one after the other, not looking anything up.
    pub scan_steps: u64,
}

/// One prepared query.
pub(super) struct Runner<'c> {
    statement: Statement<'c>,
    query: &'c Query,
    /// The place of each parameter of the header in the statement.
    places: Vec<usize>,
    columns: usize,
}

impl<'c> Runner<'c> {
    /// Prepares the query, which has to read rows and nothing else.
    ///
    /// # Errors
    /// When it is none for this database; the error names its file.
    pub(super) fn prepare(connection: &'c Connection, query: &'c Query) -> Result<Runner<'c>> {
        let shown = format!("`{}`", query.file.display());
        let statement = connection
            .prepare(&query.sql)
            .map_err(|error| Error::usage("prepare the query", &shown, message(&error)))?;
        if !statement.readonly() || statement.column_count() == 0 || statement.is_explain() != 0 {
            return Err(Error::usage("prepare the query", &shown, "it does something else than read rows"));
        }
        let mut places = Vec::new();
        for parameter in &query.parameters {
            let place = statement.parameter_index(&format!(":{}", parameter.name)).could_not(OPERATION, &shown)?;
            places.push(place.ok_or_else(|| query.refused_at(parameter, "SQLite sees no such parameter"))?);
        }
        if statement.parameter_count() != places.len() {
            return Err(Error::usage(
                "prepare the query",
                &shown,
                "it has a parameter that the header says nothing of",
            ));
        }
        let columns = statement.column_count();
        Ok(Runner { statement, query, places, columns })
    }

    /// What a failure names.
    pub(super) fn label(&self) -> String {
        format!("`{}`", self.query.file.display())
    }

    /// Runs the query as the options say, with each set of values in turn, and hands on every run that is timed.
    ///
    /// # Errors
    /// When SQLite cannot run it, or somebody asks to stop.
    pub(super) fn run_in_turn(
        &mut self,
        sets: &[Vec<Value>],
        options: &MeasureOptions,
        mut each: impl FnMut(TimedRun),
    ) -> Result<()> {
        let in_turn = || sets.iter().cycle();
        for values in in_turn().take(options.warm_up as usize) {
            options.cancel.check(OPERATION)?;
            self.run(values)?;
        }
        for values in in_turn().take(options.runs.max(1) as usize) {
            options.cancel.check(OPERATION)?;
            each(self.run(values)?);
        }
        Ok(())
    }

    /// Runs the query once, from the first bound parameter to the last value of the last row.
    ///
    /// # Errors
    /// When SQLite cannot run it.
    pub(super) fn run(&mut self, values: &[Value]) -> Result<TimedRun> {
        let (elapsed, rows) = self.timed(values).map_err(|error| describe(OPERATION, self.label(), error))?;
        Ok(TimedRun { elapsed, rows, scan_steps: self.take_scan_steps() })
    }

    fn timed(&mut self, values: &[Value]) -> rusqlite::Result<(Duration, u64)> {
        let started = Instant::now();
        for (place, value) in self.places.iter().zip(values) {
            self.statement.raw_bind_parameter(*place, value)?;
        }
        let mut count = 0;
        let mut rows = self.statement.raw_query();
        while let Some(row) = rows.next()? {
            count += 1;
            // A long value stays on the disk until somebody asks for it.
            for column in 0..self.columns {
                black_box(row.get_ref(column)?);
            }
        }
        let elapsed = started.elapsed();
        Ok((elapsed, count))
    }

    /// SQLite counts them over all runs: those since the last call.
    fn take_scan_steps(&self) -> u64 {
        u64::try_from(self.statement.reset_status(StatementStatus::FullscanStep)).unwrap_or(0)
    }
}
