//! A whole migration, verified in full as it is by default, beside a bare loop that does not verify, on as many rows as
//! wanted; prints one table.
//!
//! `cargo bench --bench speed -- --rows 5000000 --rounds 3`, or `WHIMBREL_BENCH_ROWS=5000000`; `--tenfold` migrates a tenth
//! of the rows as well, for what ten times as many take; `--only-ours` leaves the bare loops out.
//!
//! Each measurement is a process of its own, so that its peak memory is its own, and the kinds take turns. The bare loops
//! stream their rows from files that were prepared before, as the target stores them; ours reads a server on the same
//! machine. A limit that is missed ends the run with exit code 1.

mod support;

use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;
use support::{Limits, Prepared, line, measure, median, number};
use whimbrel::provision::Server;
use whimbrel::verify::Level;

/// Copy and indexes, ours to the bare loop.
const RATIO_MAX: f64 = 1.15;
/// A whole run, verified, to the bare loop.
const WHOLE_RATIO_MAX: f64 = 1.5;
/// Ten times the rows, by the time that they take.
const TENFOLD_MAX: f64 = 10.5;
/// Peak memory of a whole run, in megabytes of 1,000,000 bytes.
const MEMORY_MAX_MB: f64 = 200.0;
const FIGURES: [&str; 6] = ["rows", "indexes", "together", "verify", "whole", "memory"];

fn main() -> ExitCode {
    if let Some(part) = support::part() {
        match part.as_slice() {
            [kind, folder] => println!("{}", bare(Path::new(folder), kind == KEYS_AFTER)),
            [url] => println!("{}", support::migrate(url, Level::default())),
            _ => return ExitCode::FAILURE,
        }
        return ExitCode::SUCCESS;
    }
    let has = |name: &str| std::env::args().any(|argument| argument == name);
    let (rows, rounds) = (number("rows", 200_000), number("rounds", 3));
    let server = Server::start().expect("a PostgreSQL");
    println!("{}", server.describe());
    let database = support::filled(&server, rows);
    let tenth = has("--tenfold").then(|| support::filled(&server, rows / 10));
    println!("{rows} events, {} MB of COPY data; times in seconds", support::copy_bytes(&database.url()) / 1_000_000);
    println!("{:<17}{}", "", FIGURES.map(|name| format!(" {name:>9}")).concat());
    let folder = tempfile::tempdir().expect("a directory");
    let folder = folder.path().to_str().expect("a path of text");
    if !has("--only-ours") {
        let tables = support::prepare(&mut support::source(&database.url()), Path::new(folder));
        write_definitions(Path::new(folder), &tables);
    }
    let mut figures = Ratios::default();
    for _ in 0..rounds {
        let ours = measured("ours", &[&database.url()]);
        figures.memory.push(ours("memory"));
        if !has("--only-ours") {
            let (keys, after) =
                (measured(KEYS_KEPT, &[KEYS_KEPT, folder]), measured(KEYS_AFTER, &[KEYS_AFTER, folder]));
            figures.together.push(ours("together") / keys("together"));
            figures.together_after.push(ours("together") / after("together"));
            figures.whole.push(ours("whole") / keys("together"));
            figures.whole_after.push(ours("whole") / after("together"));
        }
        if let Some(tenth) = &tenth {
            figures.tenfold.push(ours("whole") / measured("a tenth", &[&tenth.url()])("whole"));
        }
    }
    figures.judge()
}

const KEYS_KEPT: &str = "bare";
const KEYS_AFTER: &str = "bare, keys after";

/// The figures of a part, by name.
fn measured(kind: &str, part: &[&str]) -> impl Fn(&str) -> f64 + use<> {
    let figures = measure(part);
    line(kind, &figures, &FIGURES);
    move |name| figures[name].as_f64().unwrap_or(f64::NAN)
}

/// What each round gave.
#[derive(Default)]
struct Ratios {
    together: Vec<f64>,
    together_after: Vec<f64>,
    whole: Vec<f64>,
    whole_after: Vec<f64>,
    tenfold: Vec<f64>,
    memory: Vec<f64>,
}

impl Ratios {
    fn judge(self) -> ExitCode {
        let mut limits = Limits(true);
        if !self.together.is_empty() {
            limits.judge("copy and indexes, ours to the bare loop", median(self.together), RATIO_MAX);
            limits.judge("a whole run, to the bare loop", median(self.whole), WHOLE_RATIO_MAX);
            let after = (median(self.together_after), median(self.whole_after));
            println!("the same, to a loop that builds its keys after the rows: {:.2} and {:.2}", after.0, after.1);
        }
        if !self.tenfold.is_empty() {
            limits.judge("time of ten times the rows", median(self.tenfold), TENFOLD_MAX);
        }
        limits.judge("highest peak memory in MB", self.memory.into_iter().fold(0.0, f64::max), MEMORY_MAX_MB);
        limits.exit_code()
    }
}

/// Keeps the definitions beside the rows, for the processes that insert them.
fn write_definitions(folder: &Path, tables: &[Prepared]) {
    let tables: Vec<_> = tables
        .iter()
        .map(|table| {
            json!([table.file, table.create, table.insert, table.rows, table.width, table.indexes, table.keyless])
        })
        .collect();
    std::fs::write(folder.join("definitions.json"), json!(tables).to_string()).expect("the definitions");
}

fn definitions(folder: &Path) -> Vec<Prepared> {
    let text = std::fs::read_to_string(folder.join("definitions.json")).expect("the definitions");
    let tables: Vec<_> = serde_json::from_str(&text).expect("the definitions");
    let table = |(file, create, insert, rows, width, indexes, keyless)| Prepared {
        file,
        create,
        insert,
        rows,
        width,
        indexes,
        keyless,
    };
    tables.into_iter().map(table).collect()
}

fn bare(folder: &Path, keys_after: bool) -> Value {
    let tables = definitions(folder);
    let directory = tempfile::tempdir().expect("a directory");
    let start = Instant::now();
    support::bare_loop(&directory.path().join("bare.db"), &tables, keys_after);
    json!({ "together": start.elapsed().as_secs_f64(), "memory": support::usage().peak_memory_mb })
}
