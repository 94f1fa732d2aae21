//! Speed and memory of a whole migration beside a bare loop, on as many rows as wanted; prints one table.
//!
//! `cargo bench --bench speed -- --rows 5000000 --rounds 3`
//!
//! Each measurement is a process of its own, so that its peak memory is its own, and the kinds take turns. The bare
//! loops have their rows decoded in memory before their clock starts; ours starts with a connected source. A limit
//! that is missed ends the run with exit code 1.

mod support;

use serde_json::{Value, json};
use std::process::{Command, ExitCode};
use std::time::Instant;
use whimbrel::cancel::Cancel;
use whimbrel::event;
use whimbrel::provision::Server;
use whimbrel::transfer::run::{self, Job};
use whimbrel::verify::Level;

const PART: &str = "WHIMBREL_SPEED_PART";
/// Copy and indexes, ours to the bare loop.
const RATIO_MAX: f64 = 1.15;
/// Digest verification to our copy and indexes.
const DIGEST_RATIO_MAX: f64 = 0.25;
/// Peak memory of a whole run, in megabytes of 1,000,000 bytes.
const MEMORY_MAX_MB: f64 = 200.0;

fn main() -> ExitCode {
    if let Ok(part) = std::env::var(PART) {
        let (kind, url) = part.rsplit_once(' ').expect("a part and a URL");
        let result = match kind {
            "bare" => bare(url, false),
            "bare, keys after" => bare(url, true),
            _ => ours(url),
        };
        println!("{result}");
        return ExitCode::SUCCESS;
    }
    let arguments: Vec<String> = std::env::args().collect();
    let number = |name: &str, default: u64| {
        let place = arguments.iter().position(|argument| argument == name);
        place.and_then(|place| arguments.get(place + 1)).map_or(default, |text| text.parse().expect("a number"))
    };
    let only_ours = arguments.iter().any(|argument| argument == "--only-ours");
    let (rows, rounds) = (number("--rows", 200_000), number("--rounds", 3));
    let server = Server::start().expect("a PostgreSQL");
    println!("{}", server.describe());
    let database = support::filled(&server, rows);
    println!("{rows} events, {} MB of COPY data; times in seconds", support::copy_bytes(&database.url()) / 1_000_000);
    println!("{:<17} {:>8} {:>8} {:>8} {:>8} {:>10}", "", "rows in", "indexes", "together", "digest", "memory MB");
    let (mut ratios, mut others, mut digests, mut memory) = (Vec::new(), Vec::new(), Vec::new(), 0.0_f64);
    for _ in 0..rounds {
        let kinds: &[&str] = if only_ours { &["ours"] } else { &["bare", "ours", "bare, keys after"] };
        let results: Vec<Value> = kinds.iter().map(|kind| measure(kind, &database.url())).collect();
        let figure = |kind: &str, name: &str| {
            let place = kinds.iter().position(|one| *one == kind);
            place.and_then(|place| results[place][name].as_f64()).unwrap_or(f64::NAN)
        };
        let together = figure("ours", "together");
        ratios.push(together / figure("bare", "together"));
        others.push(together / figure("bare, keys after", "together"));
        digests.push(figure("ours", "digest") / together);
        memory = memory.max(figure("ours", "memory"));
    }
    let mut kept = true;
    let mut limit = |what: &str, value: f64, max: f64| {
        let held = value <= max;
        kept &= held;
        println!("{what}: {value:.2}, limit {max}: {}", if held { "held" } else { "MISSED" });
    };
    if !only_ours {
        limit("copy and indexes, ours to the bare loop", median(ratios), RATIO_MAX);
        println!("copy and indexes, ours to a loop that builds its keys after the rows: {:.2}", median(others));
    }
    limit("digest verification, to our copy and indexes", median(digests), DIGEST_RATIO_MAX);
    limit("highest peak memory in MB", memory, MEMORY_MAX_MB);
    if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn median(mut list: Vec<f64>) -> f64 {
    list.sort_by(f64::total_cmp);
    list[list.len() / 2]
}

fn measure(kind: &str, url: &str) -> Value {
    let program = std::env::current_exe().expect("this program's path");
    let output = Command::new(program).env(PART, format!("{kind} {url}")).output().expect("a child process");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let result: Value = serde_json::from_slice(&output.stdout).expect("a result");
    let cell = |name: &str| result[name].as_f64().map_or(String::new(), |number| format!("{number:.2}"));
    let memory = result["memory"].as_f64().map_or(String::new(), |number| format!("{number:.0}"));
    println!(
        "{kind:<17} {:>8} {:>8} {:>8} {:>8} {memory:>10}",
        cell("rows"),
        cell("indexes"),
        cell("together"),
        cell("digest")
    );
    result
}

fn bare(url: &str, keys_after: bool) -> Value {
    let tables = support::decoded(&mut support::source(url));
    let directory = tempfile::tempdir().expect("a directory");
    let start = Instant::now();
    support::bare_loop(&directory.path().join("bare.db"), &tables, keys_after);
    json!({ "together": start.elapsed().as_secs_f64() })
}

fn ours(url: &str) -> Value {
    let directory = tempfile::tempdir().expect("a directory");
    let mut source = support::source(url);
    let mut job = Job::new(directory.path().join("ours.db"));
    job.level = Level::Digest;
    let outcome = run::migrate(&mut source, &job, &Cancel::new(), &event::nobody).expect("a migration");
    outcome.ensure_published().expect("a verified target");
    let (rows, indexes) = (outcome.durations.copy.as_secs_f64(), outcome.durations.finish.as_secs_f64());
    json!({
        "rows": rows,
        "indexes": indexes,
        "together": rows + indexes,
        "digest": outcome.durations.verify.as_secs_f64(),
        "memory": support::usage().peak_memory_mb,
    })
}
