//! Speed and memory of a whole migration beside a bare loop, on as many rows as wanted; prints one table.
//!
//! `cargo bench --bench speed -- --rows 5000000 --rounds 3`
//!
//! Each measurement is a process of its own, so that its peak memory is its own, and the two kinds take turns. The
//! bare loop has its rows decoded in memory before its clock starts; ours starts with a connected source.

mod support;

use serde_json::{Value, json};
use std::process::Command;
use std::time::Instant;
use whimbrel::cancel::Cancel;
use whimbrel::event;
use whimbrel::provision::Server;
use whimbrel::transfer::run::{self, Job};
use whimbrel::verify::Level;

const PART: &str = "WHIMBREL_SPEED_PART";

fn main() {
    if let Ok(part) = std::env::var(PART) {
        let (kind, url) = part.split_once(' ').expect("a part and a URL");
        return println!("{}", if kind == "bare" { bare(url) } else { ours(url) });
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
    println!("{rows} events; times in seconds, memory in MiB; each line is one process");
    println!("{:<6} {:>8} {:>8} {:>8} {:>8} {:>8}", "", "rows in", "indexes", "together", "digest", "memory");
    let mut ratios = Vec::new();
    for _ in 0..rounds {
        let bare = (!only_ours).then(|| measure("bare", &database.url()));
        let ours = measure("ours", &database.url());
        if let Some(bare) = bare {
            let together = |one: &Value| one["together"].as_f64().unwrap_or(f64::NAN);
            let digest = ours["digest"].as_f64().unwrap_or(f64::NAN);
            ratios.push((together(&ours) / together(&bare), digest / together(&bare)));
        }
    }
    if !ratios.is_empty() {
        let median = |mut list: Vec<f64>| {
            list.sort_by(f64::total_cmp);
            list[list.len() / 2]
        };
        println!(
            "copy and indexes, ours / bare: {:.2} (median of {}); digest verification / bare: {:.2}",
            median(ratios.iter().map(|ratio| ratio.0).collect()),
            ratios.len(),
            median(ratios.iter().map(|ratio| ratio.1).collect()),
        );
    }
}

fn measure(kind: &str, url: &str) -> Value {
    let program = std::env::current_exe().expect("this program's path");
    let output = Command::new(program).env(PART, format!("{kind} {url}")).output().expect("a child process");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let result: Value = serde_json::from_slice(&output.stdout).expect("a result");
    let cell = |name: &str| result[name].as_f64().map_or(String::new(), |number| format!("{number:.2}"));
    let memory = result["memory"].as_f64().map_or(String::new(), |number| format!("{number:.0}"));
    println!(
        "{kind:<6} {:>8} {:>8} {:>8} {:>8} {memory:>8}",
        cell("rows"),
        cell("indexes"),
        cell("together"),
        cell("digest")
    );
    result
}

fn bare(url: &str) -> Value {
    let tables = support::decoded(&mut support::source(url));
    let directory = tempfile::tempdir().expect("a directory");
    let start = Instant::now();
    support::bare_loop(&directory.path().join("bare.db"), &tables);
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
        "memory": peak_memory_mib(),
    })
}

/// The highest resident memory of this process so far.
fn peak_memory_mib() -> f64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is to a rusage of our own, which zeroes are a valid value of.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    // Kibibytes on Linux, bytes on macOS.
    let unit = if cfg!(target_os = "macos") { 1024.0 * 1024.0 } else { 1024.0 };
    usage.ru_maxrss as f64 / unit
}
