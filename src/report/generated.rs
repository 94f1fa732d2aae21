//! What `whimbrel generate` did.

use super::message::{Generated, GeneratedTable};
use super::text::number;
use crate::harness::Seed;
use crate::harness::generate::Filled;
use crate::printable::{Lines, one_line};
use std::time::Duration;

/// The message for a database that was filled.
pub fn message(filled: &Filled, database: &str, seed: Seed, took: Duration) -> Generated {
    let rows = filled.generated.row_count();
    let tables = filled.generated.tables.iter().map(|table| GeneratedTable {
        table: table.table.to_string(),
        rows: table.rows,
        rows_wanted: table.wanted,
        why_fewer: table.why_fewer.clone(),
    });
    Generated {
        database: database.to_owned(),
        seed: seed.0,
        rows,
        took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        rows_per_second: (rows as f64 / took.as_secs_f64().max(0.001)) as u64,
        tables: tables.collect(),
        triggers: filled.triggers.clone(),
        notes: filled.notes.clone(),
    }
}

/// The same for people.
pub fn text(done: &Generated) -> Lines {
    let mut text = Lines::of(format_args!("filled {} with seed {}", done.database, done.seed));
    text.blank();
    let name = |table: &GeneratedTable| one_line(&table.table).into_owned();
    let width = |length: &dyn Fn(&GeneratedTable) -> usize| done.tables.iter().map(length).max().unwrap_or(0);
    let name_width = width(&|table| name(table).chars().count());
    let rows_width = width(&|table| number(table.rows).len());
    for table in &done.tables {
        let fewer = table.why_fewer.as_ref();
        let fewer = fewer.map_or_else(String::new, |why| format!("  of {}: {why}", number(table.rows_wanted)));
        text.line(format_args!("  {:<name_width$}  {:>rows_width$}{fewer}", name(table), number(table.rows)));
    }
    if !done.tables.is_empty() {
        text.blank();
    }
    if !done.triggers.is_empty() {
        text.line(format_args!("triggers that fired: {}", done.triggers.join(", ")));
    }
    for note in &done.notes {
        text.line(format_args!("note: {note}"));
    }
    let seconds = done.took_ms as f64 / 1000.0;
    text.line(format_args!(
        "{} rows in {seconds:.2} s, {} rows a second",
        number(done.rows),
        number(done.rows_per_second)
    ));
    text
}
