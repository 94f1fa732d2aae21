//! How fast a project's queries are, as text and as a message.

use super::message::{Latency, LatencyTarget, MeasuredQuery, MissedTarget};
use super::text::{Align, columns, count, number};
use crate::endpoint::sqlite::file::shown;
use crate::harness::latency::{Latencies, Measured, QueryLatency, Targets, Warning};
use crate::printable::Lines;
use std::time::Duration;

/// Every figure, what was missed, and what to look at. `measured_on` says what the rows are.
pub fn text(latencies: &Latencies, measured_on: &str) -> Lines {
    let mut text = Lines::of(format_args!("project  {}", latencies.project));
    let tables = count(latencies.tables, "table", "tables");
    text.line(format_args!("rows     {} in {tables}: {measured_on}", number(latencies.rows)));
    text.line(format_args!(
        "runs     {} of each query after {} to warm up; parameters drawn with seed {}",
        number(u64::from(latencies.runs)),
        number(u64::from(latencies.warm_up)),
        latencies.seed,
    ));
    text.line(format_args!("target   {}, where a query names none itself", targets_text(&latencies.targets)));
    text.blank();
    let mut table = vec![["query", "rows", "P50", "P95", "P99", "max", "target"].map(str::to_owned).to_vec()];
    for query in &latencies.queries {
        let mut line = vec![query.name.clone()];
        match &query.outcome {
            Ok(measured) => {
                line.push(number(measured.rows_max));
                line.extend([measured.p50, measured.p95, measured.p99, measured.max].map(span));
                line.push(state(query, measured));
            }
            Err(_) => {
                line.extend(["", "", "", "", ""].map(str::to_owned));
                line.push("not measured".to_owned());
            }
        }
        table.push(line);
    }
    let right = Align::Right;
    text.append(&columns("", &[Align::Left, right, right, right, right, right, Align::Left], &table));
    text.append(&differences(latencies));
    let missed = latencies.missed().len() as u64;
    let measured = (latencies.queries.len() - latencies.not_measured().len()) as u64;
    text.blank();
    let measured = count(measured, "query", "queries");
    match missed {
        0 => text.line(format_args!("{measured} measured, every target held")),
        _ => text.line(format_args!("{measured} measured, {}", missed_text(missed))),
    }
    text
}

/// What was missed, with the plans, and what to look at; empty where there is nothing.
pub fn differences(latencies: &Latencies) -> Lines {
    let mut text = Lines::new();
    let missed = latencies.missed();
    if !missed.is_empty() {
        text.blank();
        text.line(format_args!("missed ({}):", missed.len()));
    }
    for query in missed {
        let Ok(measured) = &query.outcome else { continue };
        for miss in &measured.missed {
            text.line(format_args!(
                "  {}: {} is {}, and has to be below {}",
                query.name,
                miss.figure,
                span(miss.measured),
                span(miss.target)
            ));
        }
        text.line(format_args!("    {}, whose plan is", shown(&query.file)));
        for step in &measured.plan {
            text.line(format_args!("      {step}"));
        }
    }
    let warnings = latencies.warnings();
    if !warnings.is_empty() {
        text.blank();
        text.line(format_args!("warnings ({}):", warnings.len()));
    }
    for (query, warning) in warnings {
        text.line(format_args!("  {}: {}", query.name, warning_text(warning)));
    }
    let not_measured = latencies.not_measured();
    if !not_measured.is_empty() {
        text.blank();
        text.line(format_args!("not measured ({}):", not_measured.len()));
    }
    for (query, why) in not_measured {
        text.line(format_args!("  {}: {why}", query.name));
    }
    text
}

fn missed_text(missed: u64) -> String {
    match missed {
        1 => "1 MISSES its target".to_owned(),
        many => format!("{} MISS their targets", number(many)),
    }
}

fn state(query: &QueryLatency, measured: &Measured) -> String {
    let own = if query.has_own_target { format!(" ({})", targets_text(&query.targets)) } else { String::new() };
    let figures: Vec<_> = measured.missed.iter().map(|miss| miss.figure).collect();
    match figures.is_empty() {
        true => format!("held{own}"),
        false => format!("MISSED: {}{own}", figures.join(", ")),
    }
}

/// One warning as a sentence.
pub fn warning_text(warning: &Warning) -> String {
    match warning {
        Warning::FullScan { table, rows, step } => {
            format!("reads all {} of `{table}`: {step}", count(*rows, "row", "rows"))
        }
        Warning::LongScan { rows, steps } => {
            format!("reads {} one after the other in a run: {}", count(*rows, "row", "rows"), steps.join("; "))
        }
        Warning::MeasuresNothing => "no run returned a row, so it measures nothing".to_owned(),
    }
}

fn targets_text(targets: &Targets) -> String {
    let figures = [("P50", targets.p50), ("P95", targets.p95), ("P99", targets.p99), ("max", targets.max)];
    let told = figures.iter().filter_map(|(figure, limit)| limit.map(|limit| format!("{figure} < {}", span(limit))));
    told.collect::<Vec<_>>().join(", ")
}

/// A time of three digits, in the largest unit of which it has one; round ones are short.
pub(super) fn span(value: Duration) -> String {
    let (number, unit) = match value.as_nanos() {
        0..1_000 => (value.as_secs_f64() * 1e9, "ns"),
        1_000..1_000_000 => (value.as_secs_f64() * 1e6, "µs"),
        1_000_000..1_000_000_000 => (value.as_secs_f64() * 1e3, "ms"),
        _ => (value.as_secs_f64(), "s"),
    };
    let digits = match number {
        number if number.fract() < 1e-9 || number >= 100.0 => 0,
        number if number >= 10.0 => 1,
        _ => 2,
    };
    format!("{number:.digits$} {unit}")
}

impl Latency {
    /// The message for what was measured; `target` is the file where the user gave one.
    pub fn new(latencies: &Latencies, target: Option<String>) -> Self {
        Latency {
            project: latencies.project.clone(),
            target,
            rows: latencies.rows,
            tables: latencies.tables,
            runs: latencies.runs,
            warm_up: latencies.warm_up,
            seed: latencies.seed.0,
            held: latencies.is_held(),
            queries: latencies.queries.iter().map(MeasuredQuery::from).collect(),
        }
    }
}

fn ms(span: Duration) -> f64 {
    span.as_nanos() as f64 / 1e6
}

impl From<&Targets> for LatencyTarget {
    fn from(targets: &Targets) -> Self {
        LatencyTarget {
            p50_ms: targets.p50.map(ms),
            p95_ms: targets.p95.map(ms),
            p99_ms: targets.p99.map(ms),
            max_ms: targets.max.map(ms),
        }
    }
}

impl From<&QueryLatency> for MeasuredQuery {
    fn from(query: &QueryLatency) -> Self {
        let measured = query.outcome.as_ref().ok();
        let figure = |of: fn(&Measured) -> Duration| measured.map(|measured| ms(of(measured)));
        MeasuredQuery {
            name: query.name.clone(),
            file: shown(&query.file),
            title: query.title.clone(),
            not_measured: query.outcome.as_ref().err().cloned(),
            parameter_sets: measured.map(|measured| measured.parameter_sets),
            rows_max: measured.map(|measured| measured.rows_max),
            empty_runs: measured.map(|measured| measured.empty_runs),
            p50_ms: figure(|measured| measured.p50),
            p95_ms: figure(|measured| measured.p95),
            p99_ms: figure(|measured| measured.p99),
            max_ms: figure(|measured| measured.max),
            target: (&query.targets).into(),
            missed: measured.map_or_else(Vec::new, |measured| {
                let missed = measured.missed.iter();
                missed
                    .map(|miss| MissedTarget {
                        figure: miss.figure.to_owned(),
                        measured_ms: ms(miss.measured),
                        target_ms: ms(miss.target),
                    })
                    .collect()
            }),
            warnings: measured.map_or_else(Vec::new, |measured| measured.warnings.iter().map(warning_text).collect()),
            plan: measured.map_or_else(Vec::new, |measured| measured.plan.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_and_round_ones_are_short() {
        let told = |nanoseconds: u64| span(Duration::from_nanos(nanoseconds));
        assert_eq!(told(812), "812 ns");
        assert_eq!(told(4_120), "4.12 µs");
        assert_eq!(told(412_345), "412 µs");
        assert_eq!(told(1_234_567), "1.23 ms");
        assert_eq!(told(10_000_000), "10 ms");
        assert_eq!(told(12_345_678_000), "12.3 s");
    }
}
