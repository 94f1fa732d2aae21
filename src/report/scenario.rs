//! What the cases of a scenario showed, as text and as messages.

use super::latency::span;
use super::message::{KillRate, Property, QueryLatency, Spread, Step, TestFailed, TestPassed};
use super::text::{Align, columns, count, duration, number};
use crate::harness::latency::Figures;
use crate::harness::scenario::{self, Failed, Passed};
use crate::printable::Lines;
use std::fmt::Write;
use std::time::Duration;

/// Every property with the cases that it held in, the kill rate, how fast queries are, and where the time went.
pub fn text(passed: &Passed) -> Lines {
    let mut text = Lines::of(format_args!(
        "{}: {} passed, {} in all, seed {}",
        passed.scenario,
        count(u64::from(passed.cases), "case", "cases"),
        count(passed.rows, "row", "rows"),
        passed.seed
    ));
    if passed.regressions > 0 {
        text.line(format_args!(
            "before them, {} passed",
            count(u64::from(passed.regressions), "kept case", "kept cases")
        ));
    }
    for discarded in &passed.discarded {
        text.line(format_args!("not a case: {discarded}"));
    }
    let mut rows = vec![["property", "held", "says"].map(str::to_owned).to_vec()];
    for property in &passed.properties {
        let mut says = property.says.to_owned();
        for (why, cases) in &property.not_asked {
            let _ = write!(says, " (not asked in {}: {why})", number(u64::from(*cases)));
        }
        rows.push(vec![property.name.to_owned(), number(u64::from(property.held)), says]);
    }
    text.blank();
    text.append(&columns("  ", &[Align::Left, Align::Right, Align::Left], &rows));
    if !passed.mutations.is_empty() {
        let (tried, noticed) = passed.mutations.iter().fold((0, 0), |(tried, noticed), mutation| {
            (tried + u64::from(mutation.tried), noticed + u64::from(mutation.noticed))
        });
        text.blank();
        text.line(format_args!(
            "kill rate: the checker noticed {} of {} in finished files",
            number(noticed),
            count(tried, "mutation", "mutations")
        ));
        let mut rows = vec![["mutation", "tried", "noticed"].map(str::to_owned).to_vec()];
        for mutation in &passed.mutations {
            let figures = [mutation.tried, mutation.noticed].map(|figure| number(u64::from(figure)));
            rows.push([vec![mutation.name.clone()], figures.to_vec()].concat());
        }
        text.append(&columns("  ", &[Align::Left, Align::Right, Align::Right], &rows));
    }
    text.append(&latencies(&passed.latencies));
    let mut rows = vec![["step", "median", "P95", "longest"].map(str::to_owned).to_vec()];
    let spread = |name: &str, spread: &scenario::Spread| {
        let times = [spread.median, spread.p95, spread.longest].map(|time| format!("{:.1} ms", ms(time)));
        [vec![name.to_owned()], times.to_vec()].concat()
    };
    rows.extend(passed.steps.iter().map(|step| spread(&step.step, &step.time)));
    rows.push(spread("one case", &passed.case_time));
    text.blank();
    text.append(&columns("  ", &[Align::Left, Align::Right, Align::Right, Align::Right], &rows));
    text.blank();
    text.line(format_args!("it took {}", duration(passed.duration)));
    text
}

/// How fast each query was in all cases together; empty where there are no queries.
fn latencies(latencies: &[scenario::QueryLatency]) -> Lines {
    let mut text = Lines::new();
    if latencies.is_empty() {
        return text;
    }
    let mut rows = vec![["query", "rows", "runs", "P50", "P95", "P99", "max", "target"].map(str::to_owned).to_vec()];
    for latency in latencies {
        let mut line = vec![latency.query.clone(), number(latency.rows_max), number(latency.samples)];
        match latency.figures {
            Some(figures) => line.extend([figures.p50, figures.p95, figures.p99, figures.max].map(span)),
            None => line.extend(["", "", "", ""].map(str::to_owned)),
        }
        line.push(state(latency));
        rows.push(line);
    }
    let right = Align::Right;
    let aligned = [Align::Left, right, right, right, right, right, right, Align::Left];
    text.blank();
    text.line("latencies of the queries, in all cases together");
    text.append(&columns("  ", &aligned, &rows));
    text
}

fn state(latency: &scenario::QueryLatency) -> String {
    match (latency.held.as_slice(), latency.too_few_samples.as_slice()) {
        ([], []) => "none".to_owned(),
        (_, _) if latency.samples == 0 => "not measured: no case has a row for its parameters".to_owned(),
        (_, []) => "held".to_owned(),
        ([], few) => format!("too few runs for {}", few.join(", ")),
        (held, few) => format!("{} held, too few runs for {}", held.join(", "), few.join(", ")),
    }
}

/// What failed, with everything that is needed to see it again.
pub fn failure(failed: &Failed) -> Lines {
    failed.lines()
}

fn ms(span: Duration) -> f64 {
    span.as_nanos() as f64 / 1e6
}

impl From<&scenario::Spread> for Spread {
    fn from(spread: &scenario::Spread) -> Self {
        Spread { median_ms: ms(spread.median), p95_ms: ms(spread.p95), longest_ms: ms(spread.longest) }
    }
}

impl From<&scenario::QueryLatency> for QueryLatency {
    fn from(latency: &scenario::QueryLatency) -> Self {
        let figure = |of: fn(&Figures) -> Duration| latency.figures.as_ref().map(|figures| ms(of(figures)));
        let names = |figures: &[&str]| figures.iter().map(|figure| (*figure).to_owned()).collect();
        QueryLatency {
            query: latency.query.clone(),
            samples: latency.samples,
            rows_max: latency.rows_max,
            p50_ms: figure(|figures| figures.p50),
            p95_ms: figure(|figures| figures.p95),
            p99_ms: figure(|figures| figures.p99),
            max_ms: figure(|figures| figures.max),
            target: (&latency.targets).into(),
            held: names(&latency.held),
            too_few_samples: names(&latency.too_few_samples),
        }
    }
}

impl From<&Passed> for TestPassed {
    fn from(passed: &Passed) -> Self {
        TestPassed {
            scenario: passed.scenario.clone(),
            seed: passed.seed.0,
            cases: passed.cases,
            regressions: passed.regressions,
            discarded: passed.discarded.clone(),
            rows_per_case: passed.rows_per_case,
            rows: passed.rows,
            properties: passed
                .properties
                .iter()
                .map(|property| Property {
                    name: property.name.to_owned(),
                    says: property.says.to_owned(),
                    held: property.held,
                    not_asked: property.not_asked.clone(),
                })
                .collect(),
            mutations: passed
                .mutations
                .iter()
                .map(|mutation| KillRate {
                    name: mutation.name.clone(),
                    tried: mutation.tried,
                    noticed: mutation.noticed,
                })
                .collect(),
            latencies: passed.latencies.iter().map(QueryLatency::from).collect(),
            case_time: (&passed.case_time).into(),
            steps: passed
                .steps
                .iter()
                .map(|step| Step { name: step.step.clone(), time: (&step.time).into() })
                .collect(),
        }
    }
}

impl From<&Failed> for TestFailed {
    fn from(failed: &Failed) -> Self {
        let shown = |path: &std::path::PathBuf| path.display().to_string();
        TestFailed {
            scenario: failed.scenario.clone(),
            property: failed.property.map(str::to_owned),
            found: failed.found.clone(),
            seed: failed.seed.map(|seed| seed.0),
            rows: failed.rows,
            shrunk_rows: failed.shrunk.as_ref().map(|shrunk| shrunk.rows),
            shrunk_schema: failed.shrunk.as_ref().and_then(|shrunk| shrunk.schema.clone()),
            shrunk_sql: failed.shrunk.as_ref().map(|shrunk| shrunk.sql.clone()),
            regression: failed.regression.as_ref().map(shown),
            kept: failed.kept.as_ref().map(shown),
            replay: failed.replay.clone(),
            hint: failed.hint.clone(),
            notes: failed.notes.clone(),
        }
    }
}
