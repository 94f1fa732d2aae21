//! What each level of verification costs beside the copy, on as many rows as wanted; prints one table.
//!
//! `cargo bench --bench verification -- --rows 5000000 --rounds 3`, or `WHIMBREL_BENCH_ROWS=5000000`.
//!
//! Each line is a migration in a process of its own, so that its peak memory and the time of its processor are its own;
//! the last one is `whimbrel check` of a finished file. A limit that is missed ends the run with exit code 1.

mod support;

use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;
use support::{Limits, line, measure, median, number};
use whimbrel::cancel::Cancel;
use whimbrel::event;
use whimbrel::provision::Server;
use whimbrel::to_sqlite::{self, Job};
use whimbrel::verify::{Level, file};

/// Verification by digests, to copy and indexes.
const DIGEST_RATIO_MAX: f64 = 0.25;
/// Full verification, to copy and indexes.
const FULL_RATIO_MAX: f64 = 0.5;
/// What full verification may add to the peak memory of a run that only counts, in megabytes of 1,000,000 bytes.
const ADDED_MEMORY_MAX_MB: f64 = 64.0;
const LEVELS: [(&str, Level); 4] =
    [("counts", Level::Counts), ("digest", Level::Digest), ("full", Level::Full), ("paranoid", Level::Paranoid)];
const FIGURES: [&str; 5] = ["together", "verify", "whole", "processor", "memory"];
/// The part that is no migration.
const CHECK: &str = "check";

fn main() -> ExitCode {
    if let Some(part) = support::part() {
        let [kind, place] = part.as_slice() else { return ExitCode::FAILURE };
        match LEVELS.iter().find(|(name, _)| name == kind) {
            Some((_, level)) => println!("{}", support::migrate(place, *level)),
            None => println!("{}", check(Path::new(place))),
        }
        return ExitCode::SUCCESS;
    }
    let (rows, rounds) = (number("rows", 200_000), number("rounds", 3));
    let server = Server::start().expect("a PostgreSQL");
    println!("{}\n{rows} events; times in seconds, memory in megabytes", server.describe());
    let database = support::filled(&server, rows);
    let directory = tempfile::tempdir().expect("a directory");
    let finished = Job::new(directory.path().join("finished.db")).verified(Level::Counts);
    let made = to_sqlite::migrate(&mut support::source(&database.url()), &finished, &Cancel::new(), &event::nobody);
    made.expect("a migration").ensure_published().expect("a target");
    println!("{:<17}{}", "", FIGURES.map(|name| format!(" {name:>9}")).concat());
    let (mut digest, mut full, mut added) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let results: Vec<Value> = LEVELS.iter().map(|(name, _)| measured(name, &database.url())).collect();
        measured(CHECK, finished.target.to_str().expect("a path of text"));
        let figure = |level: usize, name: &str| results[level][name].as_f64().expect("a number");
        digest.push(figure(1, "verify") / figure(1, "together"));
        full.push(figure(2, "verify") / figure(2, "together"));
        added.push(figure(2, "memory") - figure(0, "memory"));
    }
    let mut limits = Limits(true);
    limits.judge("verification by digests, to copy and indexes", median(digest), DIGEST_RATIO_MAX);
    limits.judge("full verification, to copy and indexes", median(full), FULL_RATIO_MAX);
    limits.judge("memory that full verification adds, in MB", median(added), ADDED_MEMORY_MAX_MB);
    limits.exit_code()
}

fn measured(kind: &str, place: &str) -> Value {
    let figures = measure(&[kind, place]);
    line(kind, &figures, &FIGURES);
    figures
}

fn check(path: &Path) -> Value {
    let start = Instant::now();
    let found = file::check(path, None, &Cancel::new()).expect("a check");
    assert!(found.is_sound(), "{:?}", found.integrity);
    let usage = support::usage();
    json!({
        "verify": start.elapsed().as_secs_f64(),
        "processor": usage.processor_seconds,
        "memory": usage.peak_memory_mb,
    })
}
