//! What it costs: opening a database that is up to date, and a thousand migrations against their bare statements.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use whimbrel::schema::{Event, Migrations, Runner, To};

use super::support::alone;

/// The most that opening an up-to-date database may take.
const OPEN_MAX: Duration = Duration::from_millis(2);

/// The most that a thousand migrations may take, as a multiple of their statements alone.
const RATIO_MAX: f64 = 1.5;

fn thousand() -> Vec<(String, String)> {
    (1..=1000)
        .map(|n| {
            (format!("{n:04}_t{n}.up.sql"), format!("CREATE TABLE t{n}(id INTEGER PRIMARY KEY, name TEXT NOT NULL);\n"))
        })
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

#[test]
fn a_thousand_migrations_cost_less_than_half_more_than_their_statements() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let bare = Connection::open(path("bare.db")).unwrap();
    // One statement in a transaction of its own after each migration: whatever else the disk has to do meanwhile
    // then slows both down alike.
    let spent = Arc::new(AtomicU64::new(0));
    let (files, sum) = (thousand(), Arc::clone(&spent));
    let statements: Vec<String> = files.iter().map(|(_, sql)| sql.clone()).collect();
    let mut next = statements.into_iter();
    let observer = move |event: &Event| {
        if matches!(event, Event::Finished(_)) {
            let sql = next.next().unwrap();
            let start = Instant::now();
            bare.execute_batch("BEGIN IMMEDIATE").unwrap();
            bare.execute_batch(&sql).unwrap();
            bare.execute_batch("COMMIT").unwrap();
            sum.fetch_add(u64::try_from(start.elapsed().as_nanos()).unwrap(), Ordering::Relaxed);
        }
    };
    let start = Instant::now();
    let migrations = Migrations::from_files("embedded", files).unwrap();
    let report = Runner::open(&path("migrated.db"), migrations).unwrap().on_event(observer).up(To::Newest).unwrap();
    let (total, bare) = (start.elapsed(), Duration::from_nanos(spent.load(Ordering::Relaxed)));
    assert_eq!(report.steps.len(), 1000);
    let migrated = total - bare;
    let ratio = migrated.as_secs_f64() / bare.as_secs_f64();
    println!("1000 migrations: {migrated:?}, bare statements: {bare:?}, ratio {ratio:.2}");
    assert!(ratio < RATIO_MAX, "1000 migrations take {ratio:.2} times as long as their statements");
}
