//! How a store is, what a repair has done, and what a change of mode has found, as text; and the figures of a store for a monitor.

use super::text::{Align, bytes, columns, count, number};
use crate::printable::Lines;
use crate::store::Side;
use crate::store::compare::{Difference, Found};
use crate::store::health::{Health, SideFigures};
use crate::store::modes::ModeChange;
use crate::store::repair::Repair;

/// So many records are told one by one; `--json` has more.
const TOLD_MAX: usize = 20;

/// How a store is.
pub fn health(health: &Health) -> Lines {
    let mut text = Lines::new();
    for rule in &health.modes {
        text.line(format_args!("mode        {} for {}", rule.mode, rule.of));
    }
    let well = |error: &Option<String>| error.clone().unwrap_or_else(|| "can be used".to_owned());
    text.line(format_args!("files       {}", well(&health.files_error)));
    text.line(format_args!("rows        {}", well(&health.rows_error)));
    if let Some(version) = health.schema_version {
        text.line(format_args!("schema      version {version}"));
    }
    if let Some(integrity) = &health.integrity {
        text.line(format_args!("integrity   {integrity}"));
    }
    if let Some(size) = health.size_bytes {
        text.line(format_args!("size        {}", bytes(size)));
    }
    match health.equal_share {
        None => text.line("equal       no record is kept on two sides"),
        Some(share) => text.line(format_args!(
            "equal       {} of {}, {}",
            number(health.equal),
            count(health.records, "record", "records"),
            percent(share)
        )),
    }
    let share = health.success_share.map_or_else(String::new, |share| format!(", {}", percent(share)));
    let (done, all) = (number(health.done), count(health.done + health.failed, "write", "writes"));
    text.line(format_args!(
        "writes      {done} of {all} since the mode was set{share}; {} of them late",
        number(health.late)
    ));
    let waiting = match (health.oldest_pending_ms, &health.pending_reason) {
        (None, _) => String::new(),
        (Some(ms), None) => format!(", the oldest for {ms} ms"),
        (Some(ms), Some(reason)) => format!(", the oldest for {ms} ms: {reason}"),
    };
    text.line(format_args!("pending     {}{waiting}", count(health.pending, "write", "writes")));
    text.line(format_args!("set aside   {}", count(health.aside, "record", "records")));
    text.append(&sides(&health.sides));
    if !health.gates.is_empty() {
        text.blank();
        text.append(&gates(health));
    }
    text.append(&differences(&health.differences));
    for aside in health.asides.iter().take(TOLD_MAX) {
        text.line(format_args!("set aside: {} {} of {}: {}", aside.table, aside.key, aside.side, aside.reason));
        text.line(format_args!("  {}", aside.record));
    }
    text
}

fn sides(sides: &[SideFigures]) -> Lines {
    let ms = |ms: Option<f64>| ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.2}"));
    let titles = ["side", "writes", "P50 ms", "P95 ms", "P99 ms", "reads", "P50 ms", "P95 ms", "P99 ms"];
    let rows = sides.iter().map(|side| {
        let writes = [number(side.writes), ms(side.p50_ms), ms(side.p95_ms), ms(side.p99_ms)];
        let reads = [number(side.reads), ms(side.read_p50_ms), ms(side.read_p95_ms), ms(side.read_p99_ms)];
        [side.side.word().to_owned()].into_iter().chain(writes).chain(reads).collect()
    });
    let titles = titles.map(str::to_owned).to_vec();
    let rows: Vec<Vec<String>> = [titles].into_iter().chain(rows).collect();
    let mut text = Lines::new();
    text.blank();
    let aligned: Vec<Align> = (0..9).map(|place| if place == 0 { Align::Left } else { Align::Right }).collect();
    text.append(&columns("", &aligned, &rows));
    text
}

fn gates(health: &Health) -> Lines {
    let titles = ["gate", "limit", "value", ""].map(str::to_owned).to_vec();
    let rows = health.gates.iter().map(|gate| {
        let value = gate.value.map_or_else(|| "-".to_owned(), |value| value.to_string());
        let word = if gate.is_broken { "BROKEN" } else { "holds" };
        vec![gate.gate.clone(), gate.limit.to_string(), value, word.to_owned()]
    });
    let rows: Vec<Vec<String>> = [titles].into_iter().chain(rows).collect();
    columns("", &[Align::Left, Align::Right, Align::Right, Align::Left], &rows)
}

fn percent(share: f64) -> String {
    // Nothing that is not all is told as all.
    let share = (share * 10_000.0).floor() / 100.0;
    format!("{share:.2} %")
}

fn differences(all: &[Difference]) -> Lines {
    let mut text = Lines::new();
    if all.is_empty() {
        return text;
    }
    text.blank();
    text.line("records that differ:");
    for difference in all.iter().take(TOLD_MAX) {
        text.append(&told(difference, ""));
    }
    more(all.len(), &mut text);
    text
}

fn more(all: usize, text: &mut Lines) {
    if let Some(more) = all.checked_sub(TOLD_MAX).filter(|more| *more > 0) {
        text.line(format_args!("  and {more} more; `--json` tells the first 1,000"));
    }
}

fn told(difference: &Difference, end: &str) -> Lines {
    let what = match (difference.found, difference.in_files, difference.in_rows) {
        (Found::Files, true, true) => "changed in files",
        (Found::Files, true, false) => "created in files",
        (Found::Files, false, _) => "deleted in files",
        (Found::Rows, true, true) => "changed in rows",
        (Found::Rows, false, true) => "created in rows",
        (Found::Rows, _, false) => "deleted in rows",
        (Found::Conflict, _, _) => "in conflict: changed on both sides",
    };
    let path = difference.path.as_ref().map_or_else(String::new, |path| format!(" (`{path}`)"));
    let mut text = Lines::of(format_args!("  {} {}: {what}{path}{end}", difference.table, difference.key));
    for values in &difference.values {
        text.line(format_args!("    column `{}`: files `{}`, rows `{}`", values.column, values.files, values.rows));
    }
    text
}

/// What a repair has done.
pub fn repair(repair: &Repair) -> Lines {
    let mut text = Lines::new();
    if repair.pending_before > 0 {
        let (before, after) = (count(repair.pending_before, "write", "writes"), number(repair.pending_after));
        let done = if repair.dry_run { "would be gone on with" } else { "had begun and were gone on with" };
        text.line(format_args!("{before} {done}; {after} of them are not done still"));
    }
    for repaired in repair.shown.iter().take(TOLD_MAX) {
        let end = match (repaired.gets, &repaired.reason) {
            (Some(Side::Files), _) => "; files get it".to_owned(),
            (Some(Side::Rows), _) => "; rows get it".to_owned(),
            (None, Some(reason)) => format!("; left: {reason}"),
            (None, None) => "; left".to_owned(),
        };
        text.append(&told(&repaired.difference, &end));
    }
    more(repair.shown.len(), &mut text);
    text.line(format_args!("{} of {} were equal", number(repair.equal), count(repair.records, "record", "records")));
    let (repaired, left) = (count(repair.repaired, "record", "records"), number(repair.left));
    text.line(match (repair.dry_run, repair.repaired + repair.left) {
        (_, 0) => "both sides are equal".to_owned(),
        (true, _) => {
            format!("dry run: nothing was changed; {repaired} would be brought in step, {left} left as they are")
        }
        (false, _) => format!("{repaired} brought in step, {left} left as they are"),
    });
    text
}

/// What a change of mode has found and done.
pub fn mode(change: &ModeChange, dry_run: bool) -> Lines {
    let titles = ["table", "files", "digest", "rows", "digest"].map(str::to_owned).to_vec();
    let rows = change.tables.iter().map(|table| {
        let (files, rows) = (table.files, table.rows);
        vec![table.table.clone(), number(files.rows), files.to_string(), number(rows.rows), rows.to_string()]
    });
    let rows: Vec<Vec<String>> = [titles].into_iter().chain(rows).collect();
    let mut text = columns("", &[Align::Left, Align::Right, Align::Left, Align::Right, Align::Left], &rows);
    text.append(&differences(&change.differences));
    let from: Vec<&str> = change.from.iter().map(|mode| mode.word()).collect();
    let from = from.join(" and ");
    let would = change.lets_go() || (change.records == change.equal && change.pending == 0);
    text.line(match (change.is_changed, dry_run, would) {
        (true, ..) => {
            format!("mode `{from}` is mode `{}` now; writers waited for {:.0} ms at most", change.to, change.pause_ms)
        }
        (false, true, true) => format!("dry run: mode `{from}` would be mode `{}`", change.to),
        (false, ..) => format!("mode `{from}` stays: both sides are not equal"),
    });
    text
}

/// The figures of a store as a monitor reads them: the text format of Prometheus.
pub fn prometheus(health: &Health) -> String {
    let mut text = String::new();
    let mut add = |name: &str, kind: &str, help: &str, values: &[(String, f64)]| {
        if values.is_empty() {
            return;
        }
        text.push_str(&format!("# HELP whimbrel_store_{name} {help}\n# TYPE whimbrel_store_{name} {kind}\n"));
        for (labels, value) in values {
            text.push_str(&format!("whimbrel_store_{name}{labels} {value}\n"));
        }
    };
    let one = |value: f64| vec![(String::new(), value)];
    let maybe = |value: Option<f64>| value.map(one).unwrap_or_default();
    add("writes_total", "counter", "Writes since the mode was set.", &one((health.done + health.failed) as f64));
    add("writes_failed_total", "counter", "Writes that failed.", &one(health.failed as f64));
    add("writes_late_total", "counter", "Writes whose copy had to wait.", &one(health.late as f64));
    add("pending", "gauge", "Writes that have begun and are not done.", &one(health.pending as f64));
    add("aside", "gauge", "Records that were set aside.", &one(health.aside as f64));
    add("records", "gauge", "Records that are kept on two sides.", &one(health.records as f64));
    add("equal_share", "gauge", "The share of them that both sides say alike.", &maybe(health.equal_share));
    add("size_bytes", "gauge", "The size of the SQLite file.", &maybe(health.size_bytes.map(|size| size as f64)));
    let of = |quantiles: &dyn Fn(&SideFigures) -> [Option<f64>; 3]| -> Vec<(String, f64)> {
        let sides = health.sides.iter().flat_map(|side| {
            let word = side.side.word();
            let values = ["0.5", "0.95", "0.99"].into_iter().zip(quantiles(side));
            values.filter_map(move |(quantile, ms)| {
                Some((format!("{{side=\"{word}\",quantile=\"{quantile}\"}}"), ms? / 1000.0))
            })
        });
        sides.collect()
    };
    let counted: Vec<(String, f64)> =
        health.sides.iter().map(|side| (format!("{{side=\"{}\"}}", side.side.word()), side.reads as f64)).collect();
    add("reads_total", "counter", "Reads since the mode was set, by the side that decides.", &counted);
    let writes = of(&|side| [side.p50_ms, side.p95_ms, side.p99_ms]);
    add("write_seconds", "gauge", "How long a side takes for a write.", &writes);
    let reads = of(&|side| [side.read_p50_ms, side.read_p95_ms, side.read_p99_ms]);
    add("read_seconds", "gauge", "How long a side takes for a read.", &reads);
    let gates: Vec<(String, f64)> = health
        .gates
        .iter()
        .map(|gate| (format!("{{gate=\"{}\"}}", gate.gate), f64::from(u8::from(gate.is_broken))))
        .collect();
    add("gate_broken", "gauge", "Whether a gate of the project is broken.", &gates);
    text
}
