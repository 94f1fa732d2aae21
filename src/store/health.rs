//! How a store is: what was written and how fast, what is pending, what both sides say, and whether that is within the gates of its project.

use super::compare::{Compared, Difference, compare};
use super::contract::{Mode, Side};
use super::control::{Aside, Histogram, Selection, bound_us};
use super::open::OpenStore;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::time::{SystemTime, UNIX_EPOCH};

/// When somebody has to step back: `[store.gates]` in `project.toml`. What is not named is not asked.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gates {
    /// The share of records that both sides say alike, from 0 to 1.
    pub equal_share_min: Option<f64>,
    /// The share of writes that were done, from 0 to 1.
    pub success_share_min: Option<f64>,
    /// The share of writes whose copy had to wait, from 0 to 1.
    pub late_share_max: Option<f64>,
    /// How many writes may have begun and not be done.
    pub pending_max: Option<u64>,
    /// How many records may be set aside.
    pub aside_max: Option<u64>,
    /// 95 of 100 writes of each side have to be faster, in milliseconds.
    pub p95_ms_max: Option<f64>,
    /// 95 of 100 reads of each side have to be faster, in milliseconds.
    pub read_p95_ms_max: Option<f64>,
    /// How large the SQLite file may be, in bytes.
    pub size_bytes_max: Option<u64>,
}

impl Gates {
    /// The key that is out of its range, and why.
    pub fn refusal(&self) -> Option<(&'static str, &'static str)> {
        let shares = [
            ("store.gates.equal_share_min", self.equal_share_min),
            ("store.gates.success_share_min", self.success_share_min),
            ("store.gates.late_share_max", self.late_share_max),
        ];
        let wrong = shares.iter().find(|(_, share)| share.is_some_and(|share| !(0.0..=1.0).contains(&share)));
        let times =
            [("store.gates.p95_ms_max", self.p95_ms_max), ("store.gates.read_p95_ms_max", self.read_p95_ms_max)];
        let none = times.iter().find(|(_, time)| time.is_some_and(|ms| !(ms.is_finite() && ms > 0.0)));
        let share = wrong.map(|(key, _)| (*key, "a share is from 0 to 1"));
        share.or_else(|| none.map(|(key, _)| (*key, "a time is above 0")))
    }
}

/// One gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// Its key in `[store.gates]`.
    pub gate: String,
    /// What it allows.
    pub limit: f64,
    /// What was found; `None` where there is nothing to measure yet.
    pub value: Option<f64>,
    /// Whether it is broken.
    pub is_broken: bool,
}

/// The writes of one side, and the reads where it decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SideFigures {
    /// The side.
    pub side: Side,
    /// How many writes it has got.
    pub writes: u64,
    /// Half of them were faster, in milliseconds.
    pub p50_ms: Option<f64>,
    /// 95 of 100 were faster, in milliseconds.
    pub p95_ms: Option<f64>,
    /// 99 of 100 were faster, in milliseconds.
    pub p99_ms: Option<f64>,
    /// How many reads it has answered, of one record or of a list.
    pub reads: u64,
    /// Half of them were faster, in milliseconds.
    pub read_p50_ms: Option<f64>,
    /// 95 of 100 were faster, in milliseconds.
    pub read_p95_ms: Option<f64>,
    /// 99 of 100 were faster, in milliseconds.
    pub read_p99_ms: Option<f64>,
}

/// A mode that was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModeRule {
    /// For which records: `all`, `only PATTERN`, `percent N`.
    pub of: String,
    /// The mode.
    pub mode: Mode,
}

/// How a store is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// The modes, the one first that is asked first.
    pub modes: Vec<ModeRule>,
    /// Why the SQLite file cannot be used, where the modes need it.
    pub rows_error: Option<String>,
    /// Why the tree cannot be used, where the modes need it.
    pub files_error: Option<String>,
    /// The newest migration of the SQLite file.
    pub schema_version: Option<i64>,
    /// What SQLite's check finds; `ok` where that is nothing.
    pub integrity: Option<String>,
    /// How large the SQLite file is, in bytes.
    pub size_bytes: Option<u64>,
    /// Writes that have begun and are not done.
    pub pending: u64,
    /// For how long the oldest of them has been waiting, in milliseconds.
    pub oldest_pending_ms: Option<u64>,
    /// Why the oldest of them is not done, where it was tried.
    pub pending_reason: Option<String>,
    /// How many values lost against others and were kept.
    pub aside: u64,
    /// The newest of them.
    pub asides: Vec<Aside>,
    /// How many records there are that are kept on two sides.
    pub records: u64,
    /// How many of them both sides say alike.
    pub equal: u64,
    /// The share of them, from 0 to 1; `None` where no record is kept on two sides.
    pub equal_share: Option<f64>,
    /// What differs.
    pub differences: Vec<Difference>,
    /// Writes since the mode was set.
    pub done: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those whose copy had to wait.
    pub late: u64,
    /// The share of writes that were done.
    pub success_share: Option<f64>,
    /// Both sides.
    pub sides: Vec<SideFigures>,
    /// The project's gates.
    pub gates: Vec<Gate>,
}

/// Looks at a store; nothing of it is changed.
///
/// # Errors
/// When what it keeps beside its records cannot be read. What is wrong with a side is no error here.
pub fn health(store: &OpenStore, gates: &Gates) -> Result<Health> {
    let modes = store.modes()?;
    let all = modes.all();
    let needs_rows = all.iter().any(|mode| mode.has_copy() || mode.truth() == Side::Rows);
    let needs_files = all.iter().any(|mode| mode.has_copy() || mode.truth() == Side::Files);
    let (rows, files) = (store.rows(), store.files());
    let (mut rows_error, mut files_error) = (None, None);
    let has_both = |path: &str| modes.of(store.layout(), path).has_copy();
    let compared = match (&files, &rows) {
        (Ok(files), Ok(rows)) if all.iter().any(|mode| mode.has_copy()) => {
            let compared = compare(store.layout(), (files, rows), &modes, &has_both);
            compared.map_err(|error| rows_error = Some(error.to_string())).ok()
        }
        _ => None,
    };
    if let (Err(error), true) = (&rows, needs_rows) {
        rows_error = Some(error.to_string());
    }
    if let (Err(error), true) = (&files, needs_files) {
        files_error = Some(error.to_string());
    }
    let of_rows = rows.as_ref().ok().filter(|_| needs_rows);
    let mut schema_version = None;
    let mut integrity = None;
    if let Some(rows) = of_rows {
        match rows.look() {
            Ok((version, found)) => (schema_version, integrity) = (version, Some(found)),
            Err(error) => integrity = Some(error.to_string()),
        }
    }
    let intents = store.control().intents()?;
    let figures = store.control().figures()?;
    let asides = store.control().asides()?;
    let total = figures.done + figures.failed;
    let size_bytes = std::fs::metadata(&store.place().file).ok().map(|metadata| metadata.len()).filter(|_| needs_rows);
    let rules = modes.rules().iter().map(|(selection, mode)| ModeRule { of: word(selection), mode: *mode });
    let mut rules: Vec<ModeRule> = rules.collect();
    if !modes.rules().iter().any(|(selection, _)| *selection == Selection::All) {
        let rest = all.iter().next().copied().unwrap_or(Mode::Files);
        rules.push(ModeRule { of: "all others".to_owned(), mode: modes.only().unwrap_or(rest) });
    }
    let mut health = Health {
        modes: rules,
        rows_error,
        files_error,
        schema_version,
        integrity,
        size_bytes,
        pending: intents.len() as u64,
        oldest_pending_ms: intents.first().map(|intent| now_ms().saturating_sub(intent.at_ms).max(0).unsigned_abs()),
        pending_reason: intents.first().and_then(|intent| intent.reason.clone()),
        aside: asides.len() as u64,
        asides: asides.into_iter().rev().take(20).collect(),
        records: compared.as_ref().map_or(0, |compared| compared.records),
        equal: compared.as_ref().map_or(0, |compared| compared.equal),
        equal_share: compared.as_ref().map(Compared::equal_share),
        differences: compared.as_ref().map(Compared::differences).unwrap_or_default(),
        done: figures.done,
        failed: figures.failed,
        late: figures.late,
        success_share: (total > 0).then(|| figures.done as f64 / total as f64),
        sides: vec![
            of_side(Side::Files, &figures.files, &figures.files_reads),
            of_side(Side::Rows, &figures.rows, &figures.rows_reads),
        ],
        gates: Vec::new(),
    };
    health.gates = held(&health, gates);
    Ok(health)
}

fn word(selection: &Selection) -> String {
    match selection {
        Selection::All => "all".to_owned(),
        Selection::Only(pattern) => format!("only {pattern}"),
        Selection::Percent(percent) => format!("percent {percent}"),
    }
}

fn of_side(side: Side, writes: &Histogram, reads: &Histogram) -> SideFigures {
    let all = |histogram: &Histogram| histogram.iter().map(|(_, of)| of).sum();
    SideFigures {
        side,
        writes: all(writes),
        p50_ms: quantile_ms(writes, 0.5),
        p95_ms: quantile_ms(writes, 0.95),
        p99_ms: quantile_ms(writes, 0.99),
        reads: all(reads),
        read_p50_ms: quantile_ms(reads, 0.5),
        read_p95_ms: quantile_ms(reads, 0.95),
        read_p99_ms: quantile_ms(reads, 0.99),
    }
}

/// The end of the bucket in which a share of all writes is reached.
fn quantile_ms(histogram: &Histogram, share: f64) -> Option<f64> {
    let all: u64 = histogram.iter().map(|(_, writes)| writes).sum();
    let wanted = (all as f64 * share).ceil();
    let mut seen = 0;
    for (bucket, writes) in histogram {
        seen += writes;
        if seen as f64 >= wanted && all > 0 {
            return Some(bound_us(*bucket) as f64 / 1000.0);
        }
    }
    None
}

fn held(health: &Health, gates: &Gates) -> Vec<Gate> {
    let mut all = Vec::new();
    let mut add = |gate: &'static str, limit: Option<f64>, value: Option<f64>, is_least: bool| {
        if let Some(limit) = limit {
            let is_broken = value.is_some_and(|value| if is_least { value < limit } else { value > limit });
            all.push(Gate { gate: gate.to_owned(), limit, value, is_broken });
        }
    };
    let number = |number: Option<u64>| number.map(|number| number as f64);
    let total = health.done + health.failed;
    let late = (total > 0).then(|| health.late as f64 / total as f64);
    let slowest = health.sides.iter().filter_map(|side| side.p95_ms).reduce(f64::max);
    add("equal_share_min", gates.equal_share_min, health.equal_share, true);
    add("success_share_min", gates.success_share_min, health.success_share, true);
    add("late_share_max", gates.late_share_max, late, false);
    add("pending_max", number(gates.pending_max), Some(health.pending as f64), false);
    add("aside_max", number(gates.aside_max), Some(health.aside as f64), false);
    add("p95_ms_max", gates.p95_ms_max, slowest, false);
    let slowest_read = health.sides.iter().filter_map(|side| side.read_p95_ms).reduce(f64::max);
    add("read_p95_ms_max", gates.read_p95_ms_max, slowest_read, false);
    add("size_bytes_max", number(gates.size_bytes_max), number(health.size_bytes), false);
    all
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

impl Health {
    /// An error where something is wrong: a side cannot be used, SQLite's check finds something, or a gate is broken.
    ///
    /// # Errors
    /// All of it.
    pub fn ensure_well(&self, file: &std::path::Path) -> Result<()> {
        let mut wrong = Vec::new();
        wrong.extend(self.rows_error.iter().chain(&self.files_error).cloned());
        wrong.extend(self.integrity.iter().filter(|found| *found != "ok").map(|found| format!("integrity: {found}")));
        let broken = self.gates.iter().filter(|gate| gate.is_broken);
        wrong.extend(broken.map(|gate| {
            let value = gate.value.map_or_else(|| "nothing".to_owned(), |value| value.to_string());
            format!("the gate `{}` is {}, and it is {value}", gate.gate, gate.limit)
        }));
        if wrong.is_empty() {
            return Ok(());
        }
        let object = crate::endpoint::sqlite::file::quoted(file);
        Err(Error::differs("look at the health of", object, wrong.join("; ")).hint(
            "`whimbrel store repair PROJECT --dry-run` shows what brings both sides in step; `whimbrel store mode PROJECT MODE` steps back",
        ))
    }
}
