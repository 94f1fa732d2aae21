//! Ten deliberate bugs in the engine, one at a time: each is noticed by a property, and without it the same run is
//! sound. What the three plain commands notice, and what only a property sees that shares no code with the engine, is
//! printed as a table.
//!
//! Everything runs in a process of its own with the bug switched on, as it would with a real one: the engine, its
//! checks and the properties.
#![cfg_attr(not(debug_assertions), allow(dead_code, unused_imports))]

mod whole_run;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicBool;
use whimbrel::backup::restore::{RestoreOptions, Which, restore};
use whimbrel::endpoint::PostgresUrl;
use whimbrel::error::Context;
use whimbrel::harness::inventory;
use whimbrel::harness::second_opinion::second_opinion;
use whimbrel::provision::{Database, shared};
use whimbrel::transfer::run::Job;
use whole_run::Server;

/// Whole seconds, so that seconds for milliseconds lose nothing and the ledger has nothing to say; NULL in text that no
/// key refers to; negative numbers that are no keys; a table without a key; a last table that nobody refers to.
const SOURCE: &str = "
    CREATE TABLE parents (id integer PRIMARY KEY, name text NOT NULL UNIQUE, note text, at timestamptz(3) NOT NULL,
      balance bigint NOT NULL, price numeric(10, 2));
    CREATE TABLE children (id integer PRIMARY KEY, parent integer NOT NULL REFERENCES parents, other integer REFERENCES
      parents, label varchar(20));
    CREATE INDEX children_label ON children (label);
    CREATE TABLE events (parent integer, what text);
    CREATE INDEX events_what ON events (what);
    CREATE TABLE zones (code integer);
    INSERT INTO parents SELECT n, 'name ' || n, CASE WHEN n % 3 = 0 THEN 'note' END,
      timestamptz '2024-02-29 12:00:00+00' + n * interval '1 hour', 500 - n * 100, n - 7.25 FROM generate_series(1, 12) n;
    INSERT INTO children SELECT n, 1 + n % 12, NULL, CASE WHEN n % 4 = 0 THEN 'label' END FROM generate_series(1, 30) n;
    INSERT INTO events SELECT n, 'event ' || n FROM generate_series(1, 9) n;
    INSERT INTO zones VALUES (1), (2)";

/// A target schema that somebody wrote, for one of the tables.
const GIVEN: &str = "CREATE TABLE events (parent INTEGER, what TEXT); CREATE INDEX by_what ON events (what)";

/// A database in WAL mode whose last commit is only in its `-wal`, as a program leaves it that was killed.
fn old_target(path: &Path) {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES ('old')").unwrap();
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    connection.execute_batch("INSERT INTO t VALUES ('in the log')").unwrap();
    drop(connection);
    assert!(path.with_extension("db-wal").metadata().unwrap().len() > 0);
}

/// Whether the file holds what [`old_target`] put there.
fn is_old(path: &Path) -> Result<(), String> {
    let rows = || -> rusqlite::Result<String> {
        let connection = Connection::open(path)?;
        connection.query_row("SELECT group_concat(a) FROM (SELECT a FROM t ORDER BY rowid)", [], |row| row.get(0))
    };
    match rows() {
        Ok(rows) if rows == "old,in the log" => Ok(()),
        other => Err(format!("the file holds {other:?}")),
    }
}

/// Every property, one after the other: which one was broken, and how.
fn properties(url: &str, tables: &[String], given: bool) -> Vec<(&'static str, String)> {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    old_target(&target);
    let apply = |path: &Path| {
        Connection::open(path).and_then(|file| file.execute_batch(GIVEN)).could_not("apply", "the given schema")
    };
    let mut job = Job::new(&target);
    job.choices.tables.include = tables.to_vec();
    job.schema = given.then_some(&apply);
    let outcome = match whole_run::migrate(url, &job) {
        Ok(outcome) => outcome,
        Err(error) => return vec![("the run itself", error.to_string())],
    };
    let mut broken = Vec::new();
    for table in &outcome.verification.tables {
        if table.target_rows != Some(table.source_rows) {
            broken.push(("counts", format!("{}: {:?} of {}", table.source, table.target_rows, table.source_rows)));
        } else if table.same_values == Some(false) {
            broken.push(("digests", table.source.to_string()));
        }
    }
    broken.extend(outcome.verification.objects.iter().map(|object| ("objects", object.clone())));
    if !outcome.verification.is_sound() {
        broken.push(("verification", whole_run::findings(&outcome.verification)));
        return broken;
    }
    let again = whole_run::verify(url, &target, &job).unwrap();
    if !again.is_sound() {
        broken.push(("verification, once more", whole_run::findings(&again)));
    }
    let known = PostgresUrl::parse(url).unwrap();
    let missing = inventory::missing(&known, &target, &outcome.plan).unwrap();
    broken.extend(missing.into_iter().map(|sentence| ("inventory", sentence)));
    let opinion = second_opinion(&known, &target, &outcome.plan).unwrap();
    broken.extend(opinion.ensure_agreement().err().map(|error| ("second opinion", error.to_string())));
    let options = RestoreOptions { directory: None, wait_ms: 2_000, cancel: &AtomicBool::new(false) };
    match restore(&target, &Which::Newest, options) {
        Err(error) => broken.push(("rollback", error.to_string())),
        Ok(_) => broken.extend(is_old(&target).err().map(|told| ("rollback", told))),
    }
    broken
}

/// What a process with that bug finds broken. This is where another way to run the properties goes.
fn judge(fault: &str, url: &str, tables: &str) -> Vec<(String, String)> {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "child"])
        .env("CHILD_URL", url)
        .env("CHILD_TABLES", tables)
        .env("WHIMBREL_FAULT", fault)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{fault}: {told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("JUDGED"), "{told}");
    let lines = told.lines().filter_map(|line| line.strip_prefix("BROKEN "));
    lines.filter_map(|line| line.split_once(": ")).map(|(name, how)| (name.to_owned(), how.to_owned())).collect()
}

#[test]
#[ignore = "a process of the tests of this file"]
fn child() {
    let url = std::env::var("CHILD_URL").expect("set by the parent");
    let tables = std::env::var("CHILD_TABLES").expect("set by the parent");
    let mut tables: Vec<String> = tables.split_whitespace().map(str::to_owned).collect();
    let given = tables.first().is_some_and(|word| word == "given");
    tables.drain(..usize::from(given));
    println!();
    for (property, how) in properties(&url, &tables, given) {
        println!("BROKEN {property}: {}", how.replace('\n', " "));
    }
    println!("JUDGED");
}

/// The exit codes of `migrate`, `verify` and `rollback` with that bug, and whether the old file came back.
fn commands(fault: &str, url: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    old_target(&target);
    let path = target.to_str().unwrap();
    let mut told = String::new();
    for words in [vec!["migrate", url, path], vec!["verify", url, path], vec!["rollback", path]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_whimbrel"));
        let output = command.args(&words).arg("--quiet").env("WHIMBREL_FAULT", fault).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said.contains("is switched on"), !fault.is_empty(), "{said}");
        match output.status.code() {
            Some(0) => {}
            code => return format!("`{}` ends with {}", words[0], code.unwrap_or(-1)),
        }
        let _ = write!(told, "{} 0, ", words[0]);
    }
    match is_old(&target) {
        Ok(()) => "nothing".to_owned(),
        Err(_) => "nothing; the old file is not back".to_owned(),
    }
}

/// A bug, the tables that are migrated (all where none is named; `given`: into a given schema), what the three commands notice, and the properties
/// that are broken.
#[cfg(debug_assertions)]
const EXPECTED: [(&str, &str, &str, &[&str]); 12] = [
    ("table-skipped", "", "nothing", &["inventory"]),
    ("sign-lost", "", "nothing", &["second opinion"]),
    ("seconds-for-milliseconds", "", "nothing", &["second opinion"]),
    ("null-as-empty", "", "nothing", &["second opinion"]),
    ("foreign-key-dropped", "", "nothing", &["inventory"]),
    ("batch-written-twice", "", "`migrate` ends with 3", &["the run itself"]),
    ("batch-written-twice", "events", "", &["counts", "verification"]),
    ("last-row-lost", "", "`migrate` ends with 1", &["counts", "verification"]),
    ("index-missing", "", "nothing", &["inventory"]),
    ("index-missing", "given events", "", &["inventory"]),
    ("collation-changed", "", "nothing", &["inventory"]),
    ("backup-as-file-copy", "", "nothing; the old file is not back", &["rollback"]),
];

#[cfg(debug_assertions)]
fn source() -> Database {
    let database = shared().expect("a PostgreSQL server").create_database("faults").expect("a database");
    Server::connect(&database.url()).run(SOURCE);
    database
}

#[test]
#[cfg(debug_assertions)]
fn each_of_ten_bugs_is_noticed() {
    use std::collections::BTreeSet;
    use whimbrel::fault::Fault;

    let tried: BTreeSet<&str> = EXPECTED.iter().map(|(fault, ..)| *fault).collect();
    assert_eq!(tried, Fault::ALL.iter().map(|fault| fault.name()).collect());
    let database = source();
    let url = database.url();
    for tables in ["", "events", "given events"] {
        assert_eq!(judge("", &url, tables), [], "without a bug nothing is broken");
    }
    assert_eq!(commands("", &url), "nothing");

    let row = |(fault, tables, by_commands, by_properties): &(&str, &str, &str, &[&str])| {
        let broken = judge(fault, &url, tables);
        let mut names: Vec<&str> = broken.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names, *by_properties, "{fault} {tables}: {broken:#?}");
        if tables.is_empty() {
            assert_eq!(commands(fault, &url), *by_commands, "{fault}");
        }
        let how: String = broken[0].1.chars().take(90).collect();
        format!("{fault:<25} {tables:<12} {by_commands:<34} {:<26} {how}", names.join(", "))
    };
    // Half of the rows on each of two threads.
    let (first, second) = EXPECTED.split_at(EXPECTED.len() / 2);
    let table = std::thread::scope(|scope| {
        let first = scope.spawn(|| first.iter().map(row).collect::<Vec<_>>());
        let second: Vec<_> = second.iter().map(row).collect();
        let mut rows = first.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        rows.extend(second);
        rows
    });
    println!(
        "{:<25} {:<12} {:<34} {:<26} how\n{}",
        "bug",
        "tables",
        "migrate, verify, rollback notice",
        "properties",
        table.join("\n")
    );
}

#[test]
#[cfg(debug_assertions)]
fn a_name_that_is_no_bug_is_refused() {
    let output = Command::new(env!("CARGO_BIN_EXE_whimbrel"))
        .args(["backups", "app.db"])
        .env("WHIMBREL_FAULT", "sign-lots")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("`sign-lots` is no fault") && said.contains("sign-lost"), "{said}");
}

#[test]
#[cfg(not(debug_assertions))]
fn a_release_build_knows_no_bugs() {
    let program = std::fs::read(env!("CARGO_BIN_EXE_whimbrel")).unwrap();
    let name = ["WHIMBREL", "FAULT"].join("_");
    assert!(!program.windows(name.len()).any(|window| window == name.as_bytes()), "the program reads {name}");
}
