//! What it costs: opening a database that is up to date, and a thousand migrations against their bare statements.

use std::time::{Duration, Instant};

use rusqlite::Connection;
use whimbrel::schema::{Migrations, Runner, To};

use super::support::alone;

/// The most that opening an up-to-date database may take.
const OPEN_MAX: Duration = Duration::from_millis(2);

/// The most that a thousand migrations may take, as a multiple of their statements alone.
const RATIO_MAX: f64 = 1.5;

fn thousand() -> Vec<(String, String)> {
    (1..=1000)
        .map(|n| (format!("{n:04}_t{n}.up.sql"), format!("CREATE TABLE t{n}(id INTEGER PRIMARY KEY, name TEXT NOT NULL);\n")))
        .collect()
}

#[test]
fn opening_an_up_to_date_database_takes_less_than_two_milliseconds() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let files: Vec<_> = thousand().into_iter().take(30).collect();
    let migrations = Migrations::from_files("embedded", files).unwrap();
    Runner::open(path.to_str().unwrap(), migrations.clone()).unwrap().up(To::Newest).unwrap();
    let mut times: Vec<Duration> = (0..101)
        .map(|_| {
            let start = Instant::now();
            let report = Runner::open(path.to_str().unwrap(), migrations.clone()).unwrap().up(To::Newest).unwrap();
            assert!(report.steps.is_empty());
            start.elapsed()
        })
        .collect();
    times.sort();
    println!("opening an up-to-date database: median {:?}, slowest {:?}", times[50], times[100]);
    assert!(times[50] < OPEN_MAX, "the median of 101 is {:?}", times[50]);
}

/// Each statement in a transaction of its own.
fn bare(path: &str) -> Duration {
    let connection = Connection::open(path).unwrap();
    let statements = thousand();
    let start = Instant::now();
    for (_, sql) in &statements {
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        connection.execute_batch(sql).unwrap();
        connection.execute_batch("COMMIT").unwrap();
    }
    start.elapsed()
}

fn migrated(path: &str) -> Duration {
    let files = thousand();
    let start = Instant::now();
    let migrations = Migrations::from_files("embedded", files).unwrap();
    let report = Runner::open(path, migrations).unwrap().up(To::Newest).unwrap();
    assert_eq!(report.steps.len(), 1000);
    start.elapsed()
}

#[test]
fn a_thousand_migrations_cost_less_than_half_more_than_their_statements() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    // The best of three rounds each: the two take turns, and other work on the machine only ever adds.
    let mut best = (Duration::MAX, Duration::MAX);
    for round in 0..3 {
        best.0 = best.0.min(bare(&path(&format!("bare{round}.db"))));
        best.1 = best.1.min(migrated(&path(&format!("migrated{round}.db"))));
    }
    let ratio = best.1.as_secs_f64() / best.0.as_secs_f64();
    println!("1000 migrations: {:?}, bare statements: {:?}, ratio {ratio:.2}", best.1, best.0);
    assert!(ratio < RATIO_MAX, "1000 migrations take {ratio:.2} times as long as their statements");
}
