//! A sink and a judge that pass on what they get, tell how far the rows are, and stop when somebody asks for it.

use super::{Cell, Generator, Judge, Row, Ruling, Sink};
use crate::cancel::Cancel;
use crate::catalog::{QualifiedName, Table};
use crate::error::Result;
use crate::event::{Event, Listener};

/// Rows between two events.
const ROWS_PER_EVENT: u64 = 4096;
const OPERATION: &str = "fill";

/// Passes rows on.
pub(super) struct WatchedSink<'s> {
    pub(super) sink: &'s mut dyn Sink,
    pub(super) generator: &'s Generator<'s>,
    pub(super) cancel: &'s Cancel,
    pub(super) listener: &'s Listener<'s>,
    /// The table in hand, its rows, and how many of them were not reported yet.
    pub(super) table: Option<QualifiedName>,
    pub(super) rows: u64,
    pub(super) unreported: u64,
}

impl WatchedSink<'_> {
    fn tell(&mut self) {
        if self.unreported > 0 {
            (self.listener)(Event::RowsCopied { rows: self.unreported, bytes: 0 });
            self.unreported = 0;
        }
    }
}

impl Sink for WatchedSink<'_> {
    fn table(&mut self, table: &Table, columns: &[String], later: &[usize]) -> Result<()> {
        self.cancel.check(OPERATION)?;
        let wanted = self.generator.wanted_rows(&table.name);
        if wanted > 0 {
            let row_estimate = i64::try_from(wanted).unwrap_or(i64::MAX);
            (self.listener)(Event::TableStarted { table: table.name.clone(), row_estimate });
            self.table = Some(table.name.clone());
        }
        self.rows = 0;
        self.sink.table(table, columns, later)
    }

    fn row(&mut self, row: &[Cell]) -> Result<()> {
        self.cancel.check(OPERATION)?;
        self.sink.row(row)?;
        self.rows += 1;
        self.unreported += 1;
        if self.unreported == ROWS_PER_EVENT {
            self.tell();
        }
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        self.cancel.check(OPERATION)?;
        self.sink.end()?;
        self.tell();
        if let Some(table) = self.table.take() {
            (self.listener)(Event::TableFinished { table, rows: self.rows });
        }
        Ok(())
    }
}

/// Asks a judge, unless a stop was asked for.
pub(super) struct WatchedJudge<'j> {
    pub(super) judge: &'j mut dyn Judge,
    pub(super) cancel: &'j Cancel,
}

impl Judge for WatchedJudge<'_> {
    fn rule(&mut self, table: &Table, columns: &[String], rows: &[Row]) -> Result<Vec<Ruling>> {
        self.cancel.check(OPERATION)?;
        self.judge.rule(table, columns, rows)
    }

    fn computed(&mut self, table: &Table) -> Result<Vec<Vec<String>>> {
        self.cancel.check(OPERATION)?;
        self.judge.computed(table)
    }
}
