//! What `whimbrel generate` did.

use super::text::number;
use crate::harness::Seed;
use crate::harness::generate::Filled;
use serde::Serialize;
use std::time::Duration;

/// The summary for people.
pub fn text(filled: &Filled, seed: Seed, took: Duration) -> String {
    let mut told = format!("seed {seed}\n");
    let width = filled.generated.tables.iter().map(|table| table.table.to_string().chars().count()).max();
    let width = width.unwrap_or(0);
    for table in &filled.generated.tables {
        let name = table.table.to_string();
        told.push_str(&format!("  {name:<width$}  {:>12}", number(table.rows)));
        if let Some(why) = &table.why_fewer {
            told.push_str(&format!("  of {}: {why}", number(table.wanted)));
        }
        told.push('\n');
    }
    if !filled.triggers.is_empty() {
        told.push_str(&format!("triggers fired: {}\n", filled.triggers.join(", ")));
    }
    let rows = filled.generated.row_count();
    told.push_str(&format!(
        "{} rows in {:.2} s, {} rows/s\n",
        number(rows),
        took.as_secs_f64(),
        number(rate(rows, took))
    ));
    told
}

fn rate(rows: u64, took: Duration) -> u64 {
    (rows as f64 / took.as_secs_f64().max(0.001)) as u64
}

#[derive(Serialize)]
struct Envelope<'f> {
    r#type: &'static str,
    data: Data<'f>,
}

#[derive(Serialize)]
struct Data<'f> {
    seed: u64,
    rows: u64,
    took_ms: u64,
    rows_per_second: u64,
    tables: Vec<TableData<'f>>,
    triggers: &'f [String],
}

#[derive(Serialize)]
struct TableData<'f> {
    table: String,
    rows: u64,
    rows_wanted: u64,
    why_fewer: Option<&'f str>,
}

/// The same as one line for programs: `{"type": "generated", "data": {"seed", "rows", "took_ms", "rows_per_second",
/// "tables": [{"table", "rows", "rows_wanted", "why_fewer"}], "triggers"}}`.
pub fn json(filled: &Filled, seed: Seed, took: Duration) -> String {
    let rows = filled.generated.row_count();
    let tables = filled.generated.tables.iter().map(|table| TableData {
        table: table.table.to_string(),
        rows: table.rows,
        rows_wanted: table.wanted,
        why_fewer: table.why_fewer.as_deref(),
    });
    let data = Data {
        seed: seed.0,
        rows,
        took_ms: took.as_millis() as u64,
        rows_per_second: rate(rows, took),
        tables: tables.collect(),
        triggers: &filled.triggers,
    };
    serde_json::to_string(&Envelope { r#type: "generated", data }).unwrap_or_default()
}
