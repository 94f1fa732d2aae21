//! What it costs: opening a database that is up to date, many migrations against their bare statements, a large script.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use whimbrel::schema::{Event, Migrations, Runner, To};

use crate::support::runner::{Project, child};
use crate::support::turn::alone;

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

/// Ten times as many migrations may take so much more of their bare statements' time, each.
const GROWTH_MAX: f64 = 1.5;

/// The processor time that this thread has used.
fn thread_time() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a value that lives across the call.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// How many times the processor time of its bare statements it takes to apply, and to take back, so many migrations
/// that each create a table and fill it.
fn ratio_of(count: usize) -> f64 {
    let up = |n: usize| {
        format!("CREATE TABLE t{n}(id INTEGER PRIMARY KEY, name TEXT NOT NULL);\nINSERT INTO t{n} VALUES (1, 'a');\n")
    };
    let down = |n: usize| format!("-- whimbrel: lossy\nDROP TABLE t{n};\n");
    let files = (1..=count)
        .flat_map(|n| [(format!("{n:05}_t.up.sql"), up(n)), (format!("{n:05}_t.down.sql"), down(n))])
        .collect::<Vec<_>>();
    let migrations = Migrations::from_files("embedded", files).unwrap();
    let start = thread_time();
    let mut runner = Runner::open(":memory:", migrations).unwrap();
    assert_eq!(runner.up(To::Newest).unwrap().steps.len(), count);
    assert!(runner.status().unwrap().is_current());
    assert_eq!(runner.down(To::Version(0)).unwrap().steps.len(), count);
    let migrated = thread_time() - start;
    let bare = Connection::open_in_memory().unwrap();
    let start = thread_time();
    for sql in (1..=count).map(up).chain((1..=count).rev().map(down)) {
        bare.execute_batch(&format!("BEGIN IMMEDIATE; {sql} COMMIT;")).unwrap();
    }
    migrated / (thread_time() - start)
}

#[test]
fn a_migration_costs_no_more_behind_thousands_of_others() {
    let _alone = alone();
    // SQLite itself reads its whole schema table when a table is created; so its own time is what counts against.
    let (few, many) = (ratio_of(300), ratio_of(3000));
    println!(
        "processor time as a multiple of the bare statements': 300 migrations {few:.2}, 3000 migrations {many:.2}"
    );
    assert!(many < few * GROWTH_MAX, "300 migrations take {few:.2} times their statements, 3000 take {many:.2}");
}

/// The most memory that applying a script may take, as a multiple of its size.
const MEMORY_MAX: f64 = 4.0;

/// The peak memory in bytes of a process that applies this script.
fn peak_of(script: &str) -> f64 {
    let project = Project::new(&[("1_a.up.sql", script)]);
    let directory = project.migrations_dir();
    let database = project.database();
    let variables = [("CHILD_MIGRATIONS", directory.to_str().unwrap()), ("CHILD_ENDPOINT", database.as_str())];
    let output = child("up_and_tell_its_memory", &variables).output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}\n{}", String::from_utf8_lossy(&output.stderr));
    let line = stdout.lines().find(|line| line.starts_with("CHILD")).unwrap();
    line.rsplit('=').next().unwrap().parse::<f64>().unwrap() * 1024.0
}

#[test]
#[cfg(target_os = "linux")]
fn a_large_script_takes_at_most_four_times_its_size_in_memory() {
    let mut script = "CREATE TABLE t(a INTEGER, b TEXT);\n".to_owned();
    for n in 0.. {
        script.push_str(&format!("INSERT INTO t VALUES ({n}, 'a text of some length, for a row {n}');\n"));
        if script.len() > 16_000_000 {
            break;
        }
    }
    let (small, large) = (peak_of("CREATE TABLE t(a INTEGER, b TEXT);"), peak_of(&script));
    let multiple = (large - small) / script.len() as f64;
    println!("a script of {} bytes takes {multiple:.1} times its size in memory", script.len());
    assert!(multiple < MEMORY_MAX, "a script of {} bytes takes {multiple:.1} times its size", script.len());
}
