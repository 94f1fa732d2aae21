//! What `whimbrel generate` did.

use super::message::{Generated, GeneratedTable};
use super::text::number;
use crate::harness::Seed;
use crate::harness::generate::Filled;
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
pub fn text(done: &Generated) -> String {
    let mut told = format!("filled {} with seed {}\n\n", done.database, done.seed);
    let width = |length: &dyn Fn(&GeneratedTable) -> usize| done.tables.iter().map(length).max().unwrap_or(0);
    let name_width = width(&|table| table.table.chars().count());
    let rows_width = width(&|table| number(table.rows).len());
    for table in &done.tables {
        told.push_str(&format!("  {:<name_width$}  {:>rows_width$}", table.table, number(table.rows)));
        if let Some(why) = &table.why_fewer {
            told.push_str(&format!("  of {}: {why}", number(table.rows_wanted)));
        }
        told.push('\n');
    }
    if !done.tables.is_empty() {
        told.push('\n');
    }
    if !done.triggers.is_empty() {
        told.push_str(&format!("triggers that fired: {}\n", done.triggers.join(", ")));
    }
    for note in &done.notes {
        told.push_str(&format!("note: {note}\n"));
    }
    let seconds = done.took_ms as f64 / 1000.0;
    told.push_str(&format!(
        "{} rows in {seconds:.2} s, {} rows a second\n",
        number(done.rows),
        number(done.rows_per_second)
    ));
    told
}
