//! How fast the projects' queries are: every query of every project is measured on generated rows, and what is too
//! slow, reads too much, measures nothing or is no query is told, by the library and by the program.

use crate::support::turn::busy;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use whimbrel::cancel::Cancel;
use whimbrel::error::Kind;
use whimbrel::harness::Seed;
use whimbrel::harness::latency::{self, MeasureOptions, Targets, Warning};
use whimbrel::project::Project;
use whimbrel::report::message::Message;

/// In all tables of a project together.
const ROWS: u64 = 10_000;
/// A table of as many rows counts as large here; projects have four to fourteen tables, and pages up to 100 rows.
const LARGE: u64 = 250;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every query of a project returns rows for drawn parameters, meets its targets and reads no large table whole.
fn every_query_is_fast(name: &str, queries_min: usize) {
    let _busy = busy();
    let project = Project::load(&root().join("migrations").join(name)).unwrap();
    let prepared = latency::prepare(&project, ROWS, Seed(1), &Cancel::new()).unwrap_or_else(|error| panic!("{error}"));
    let options = MeasureOptions { runs: 100, warm_up: 5, large_table_rows: LARGE, ..MeasureOptions::of(&project) };
    let measured = || latency::measure(prepared.path(), &project, &options).unwrap_or_else(|error| panic!("{error}"));
    // Targets of a millisecond are missed where another process has the processor for a moment: a slow query is slow each time.
    let mut latencies = measured();
    for _ in 0..4 {
        if !latencies.is_held() {
            latencies = measured();
        }
    }
    assert!(latencies.queries.len() >= queries_min, "{name} has {} queries", latencies.queries.len());
    assert!(latencies.rows >= ROWS * 9 / 10, "{name}: {} rows of {ROWS}", latencies.rows);
    let text = whimbrel::report::latency::text(&latencies, "generated");
    assert_eq!(latencies.not_measured().len(), 0, "{text}");
    assert_eq!(latencies.warnings().len(), 0, "{text}");
    assert!(latencies.is_held(), "{text}");
    for query in &latencies.queries {
        let measured = query.outcome.as_ref().unwrap();
        assert!(measured.rows_max > 0 && measured.p50 > Duration::ZERO, "{}: {measured:?}", query.name);
        assert!(measured.p50 <= measured.p95 && measured.p95 <= measured.p99 && measured.p99 <= measured.max);
    }
    // What a scenario does in each of its cases.
    let connection = Connection::open(prepared.path()).unwrap();
    let queries = latency::queries(&project).unwrap();
    let few = |seed| MeasureOptions { runs: 3, warm_up: 1, seed, ..options.clone() };
    let times = latency::time_each(&connection, &queries, &few(Seed(2))).unwrap();
    assert_eq!(times.len(), queries.len());
    assert!(times.iter().all(|times| times.runs.len() == 3 && times.longest() > Duration::ZERO), "{times:?}");
    // The seed decides which rows the parameters are drawn from.
    let rows = |seed| {
        let times = latency::time_each(&connection, &queries, &few(seed)).unwrap();
        times.iter().flat_map(|times| &times.runs).map(|run| run.rows).collect::<Vec<_>>()
    };
    assert_eq!(rows(Seed(2)), rows(Seed(2)));
}

#[test]
fn vibing2_is_fast() {
    every_query_is_fast("vibing2", 14);
}

#[test]
fn sessions_is_fast() {
    every_query_is_fast("sessions", 12);
}

#[test]
fn usage_is_fast() {
    every_query_is_fast("usage", 15);
}

#[test]
fn agents_is_fast() {
    every_query_is_fast("agents", 30);
}

#[test]
fn deespec_is_fast() {
    every_query_is_fast("deespec", 10);
}

#[test]
fn every_project_has_queries_and_is_measured_here() {
    let text = std::fs::read_to_string(root().join(file!())).unwrap();
    for entry in std::fs::read_dir(root().join("migrations")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(text.contains(&format!("every_query_is_fast(\"{name}\"")), "{name} is not measured");
    }
}

/// A project of 2,000 orders, of which only the customer has an index.
struct Planted {
    folder: TempDir,
}

impl Planted {
    fn new(settings: &str) -> Planted {
        let folder = tempfile::tempdir().unwrap();
        let planted = Planted { folder };
        planted.write("project.toml", &format!("name = \"planted\"\n[latency]\nruns = 20\nwarm_up = 1\n{settings}"));
        std::fs::create_dir(planted.path("queries")).unwrap();
        let connection = Connection::open(planted.path("app.db")).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT NOT NULL, city TEXT, note TEXT) STRICT;
                 CREATE INDEX orders_customer ON orders (customer);
                 CREATE TABLE cities (name TEXT PRIMARY KEY) STRICT; CREATE TABLE emptiness (a TEXT) STRICT;
                 WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 2000)
                 INSERT INTO orders SELECT i, 'customer ' || (i % 400), 'city ' || (i % 50), NULL FROM c;
                 INSERT INTO cities SELECT DISTINCT city FROM orders; ANALYZE",
            )
            .unwrap();
        connection.close().unwrap();
        planted
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn query(self, name: &str, text: &str) -> Planted {
        self.write(&format!("queries/{name}.sql"), text);
        self
    }

    fn measure(&self) -> whimbrel::Result<latency::Latencies> {
        let project = Project::load(self.folder.path())?;
        latency::measure(&self.path("app.db"), &project, &MeasureOptions::of(&project))
    }

    fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_whimbrel"));
        command.arg("latency").arg(self.folder.path()).args(words).stdin(Stdio::null()).env("COLUMNS", "100");
        command.output().unwrap()
    }

    fn run_on_file(&self, words: &[&str]) -> Output {
        let file = self.path("app.db");
        self.run(&[&["--target", file.to_str().unwrap()], words].concat())
    }
}

const BY_CUSTOMER: &str = "-- the orders of a customer\n-- :customer text, from orders.customer\n\
                           SELECT id, city FROM orders WHERE customer = :customer ORDER BY id";
/// Faster than any computer: a target that every query misses.
const TINY: &str = "-- target: P95 < 0.001 us\n";
const BY_CITY: &str = "-- the orders of a city\n-- :city text, from orders.city\n\
                       SELECT o.id FROM orders AS o WHERE o.city = :city";

fn tiny(query: &str) -> String {
    let (header, statement) = query.rsplit_once('\n').unwrap();
    format!("{header}\n{TINY}{statement}")
}

#[test]
fn a_missed_target_is_a_failed_run_with_the_plan() {
    let _busy = busy();
    let planted = Planted::new("").query("by_customer", BY_CUSTOMER).query("by_city", &tiny(BY_CITY));
    let latencies = planted.measure().unwrap();
    assert_eq!((latencies.rows, latencies.tables), (2_050, 3));
    let missed = latencies.missed();
    assert_eq!(missed.iter().map(|query| query.name.as_str()).collect::<Vec<_>>(), ["by_city"]);
    let measured = missed[0].outcome.as_ref().unwrap();
    assert_eq!(measured.missed.iter().map(|miss| miss.figure).collect::<Vec<_>>(), ["P95"], "{measured:?}");
    assert_eq!((measured.plan.as_slice(), measured.rows_max), (&["SCAN o".to_owned()][..], 40));
    let error = latencies.ensure_held().unwrap_err();
    assert_eq!(error.kind(), Kind::Differs);
    assert!(error.to_string().contains("`by_city` misses its target"), "{error}");
}

#[test]
fn a_full_scan_of_a_large_table_is_warned_about_where_the_target_is_held() {
    let _busy = busy();
    let lenient = "p50_ms = 60000\np95_ms = 60000\np99_ms = 60000\n";
    let planted = Planted::new(&format!("{lenient}large_table_rows = 2000\n"))
        .query("by_customer", BY_CUSTOMER)
        .query("by_city", BY_CITY)
        .query("all_cities", "-- the list of cities, a small table\nSELECT name FROM cities ORDER BY length(name)")
        .query(
            "first_customers",
            "-- along an index, and soon done\nSELECT customer FROM orders ORDER BY customer LIMIT 5",
        )
        .query("customers", "-- along an index, from end to end\nSELECT count(DISTINCT customer) FROM orders");
    let latencies = planted.measure().unwrap();
    assert!(latencies.is_held());
    let warnings: Vec<_> =
        latencies.warnings().into_iter().map(|(query, warning)| (query.name.as_str(), warning)).collect();
    let [("by_city", Warning::FullScan { table, rows: 2_000, step }), ("customers", Warning::LongScan { rows, steps })] =
        warnings.as_slice()
    else {
        panic!("{warnings:?}")
    };
    assert_eq!((table.as_str(), step.as_str()), ("orders", "SCAN o"));
    assert!(*rows == 2_000 && steps[0].contains("orders_customer"), "{rows} {steps:?}");
    // One row more, and the table is not large any more.
    planted.write("project.toml", &format!("[latency]\nruns = 5\n{lenient}large_table_rows = 2001\n"));
    assert_eq!(planted.measure().unwrap().warnings(), []);
}

#[test]
fn a_query_that_measures_nothing_says_so() {
    let _busy = busy();
    let planted = Planted::new("")
        .query("nobody", "-- what is never found\nSELECT id FROM orders WHERE id = -1")
        .query("nowhere", "-- nothing to draw from\n-- :a text, from emptiness.a\nSELECT :a");
    let latencies = planted.measure().unwrap();
    let warnings: Vec<_> =
        latencies.warnings().into_iter().map(|(query, warning)| (query.name.as_str(), warning)).collect();
    assert_eq!(warnings, [("nobody", &Warning::MeasuresNothing)]);
    let not_measured: Vec<_> =
        latencies.not_measured().into_iter().map(|(query, why)| (query.name.as_str(), why)).collect();
    assert_eq!(not_measured, [("nowhere", "`emptiness` has no row to draw `:a` from")]);
    let text = whimbrel::report::latency::text(&latencies, "planted");
    assert!(text.contains("nobody: no run returned a row, so it measures nothing"), "{text}");
}

#[test]
fn a_querys_own_target_comes_before_the_projects() {
    let _busy = busy();
    let planted = Planted::new("p50_ms = 0.000001\np95_ms = 60000\n")
        .query("strict", &BY_CUSTOMER.replace("SELECT", "-- target: P95 < 0.001 us\nSELECT"))
        .query("lenient", &BY_CUSTOMER.replace("SELECT", "-- target: P50 < 60 s\nSELECT"));
    let latencies = planted.measure().unwrap();
    let missed: Vec<Vec<_>> = latencies
        .queries
        .iter()
        .map(|query| query.outcome.as_ref().unwrap().missed.iter().map(|miss| miss.figure).collect())
        .collect();
    assert_eq!(missed, [vec![], vec!["P50", "P95"]], "lenient, strict");
    let targets = Targets { p50: Some(Duration::from_secs(60)), ..latencies.targets };
    assert_eq!(latencies.queries[0].targets, targets);
}

#[test]
fn what_is_no_query_is_named_with_its_file_and_line() {
    let _busy = busy();
    for (text, place, cause) in [
        ("-- title\n-- :a  text\nSELECT :a", "one.sql`, line 2", "where the values of `:a` are drawn from"),
        ("-- title\n-- :a text, from orders.street\nSELECT :a", "one.sql`, line 2", "no column `orders.street`"),
        ("-- title\n-- :a text, from orders.city where 1 +\nSELECT :a", "one.sql`, line 2", "its condition is none"),
        ("-- title\nSELECT :b", "one.sql`, line 2", "the header says nothing of `:b`"),
        ("-- title\n-- target: quick\nSELECT 1", "one.sql`, line 2", "`quick` is no target"),
        ("-- title\nSELECT street FROM orders", "one.sql`", "no such column: street"),
        ("-- title\nDELETE FROM orders RETURNING id", "one.sql`", "it does something else than read rows"),
    ] {
        let planted = Planted::new("").query("one", text);
        let error = planted.measure().unwrap_err();
        let told = error.to_string();
        assert_eq!(error.kind(), Kind::Usage, "{told}");
        assert!(told.contains(place) && told.contains(cause), "{text}: {told}");
    }
    let error = Planted::new("").measure().unwrap_err();
    assert!(error.to_string().contains("it has no queries"), "{error}");
}

#[test]
fn a_stop_is_heeded() {
    let _busy = busy();
    let planted = Planted::new("").query("by_city", BY_CITY);
    let project = Project::load(planted.folder.path()).unwrap();
    let options = MeasureOptions::of(&project);
    options.cancel.cancel();
    let error = latency::measure(&planted.path("app.db"), &project, &options).unwrap_err();
    assert_eq!(error.kind(), Kind::Interrupted, "{error}");
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("the program ends by itself")
}

/// Compares what the program said with the snapshot of that name, without times and paths.
fn assert_told(name: &str, output: &Output, folder: &Path) {
    let text = format!(
        "exit code: {}\n----- stdout -----\n{}----- stderr -----\n{}",
        code(output),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let text = text.replace(&*folder.to_string_lossy(), "[FOLDER]");
    insta::with_settings!({
        snapshot_path => "../../snapshots/latency",
        prepend_module_to_snapshot => false,
        omit_expression => true,
        filters => vec![
            (r" {2,}\d+(\.\d+)? (ns|µs|ms|s)\b", "  [TIME]"),
            (r"is \d+(\.\d+)? (ns|µs|ms|s)\b", "is [TIME]"),
            (r#""(p50|p95|p99|max|measured)_ms":\d+(\.\d+)?(e-\d+)?,"#, r#""${1}_ms":"[TIME]","#),
            (r"\b(P50 +P95 +P99 +max) +", "P50  P95  P99  max  "),
            (r"([^\n ]) {2,}", "$1  "),
        ],
    }, {
        insta::assert_snapshot!(name, text);
    });
}

#[test]
fn the_verb_prints_figures_and_its_exit_code_says_whether_they_are_good() {
    let _busy = busy();
    let lenient = "p50_ms = 60000\np95_ms = 60000\np99_ms = 60000\n";
    let held = Planted::new(lenient).query("by_customer", BY_CUSTOMER);
    let before = std::fs::read(held.path("app.db")).unwrap();
    let output = held.run_on_file(&["--runs", "30", "--seed", "5"]);
    assert_eq!(code(&output), 0);
    assert_told("held", &output, held.folder.path());
    assert_eq!(code(&held.run_on_file(&["--quiet"])), 0);
    assert!(held.run_on_file(&["--quiet"]).stdout.is_empty());
    assert_eq!(before, std::fs::read(held.path("app.db")).unwrap(), "the file is only read");
    assert!(!held.path("app.db-wal").exists() && !held.path("app.db-shm").exists());

    let missed = Planted::new(lenient)
        .query("by_customer", BY_CUSTOMER)
        .query("by_city", &tiny(BY_CITY))
        .query("nobody", "-- what is never found\nSELECT id FROM orders WHERE id = -1")
        .query("nowhere", "-- nothing to draw from\n-- :a text, from emptiness.a\nSELECT :a");
    let output = missed.run_on_file(&[]);
    assert_eq!(code(&output), 1);
    assert_told("missed", &output, missed.folder.path());
    assert_told("missed_quiet", &missed.run_on_file(&["--quiet"]), missed.folder.path());
    let output = missed.run_on_file(&["--json"]);
    assert_eq!(code(&output), 1);
    assert_told("missed_json", &output, missed.folder.path());
    let lines = String::from_utf8(output.stdout).unwrap();
    let messages: Vec<Message> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [Message::Latency(latency), Message::Error(error)] = messages.as_slice() else { panic!("{messages:?}") };
    assert!(!latency.held && latency.queries[0].missed.len() == 1 && error.exit_code == 1);
}

#[test]
fn the_verb_generates_rows_for_a_project_with_a_target_schema() {
    let _busy = busy();
    let planted = Planted::new("p50_ms = 60000\np95_ms = 60000\np99_ms = 60000\n").query("by_customer", BY_CUSTOMER);
    planted.write("project.toml", "[target]\nschema = 'target'\n[latency]\nruns = 10\np50_ms = 60000\n");
    std::fs::create_dir(planted.path("target")).unwrap();
    planted.write(
        "target/0001_initial.up.sql",
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT NOT NULL, city TEXT) STRICT;
         CREATE INDEX orders_customer ON orders (customer);",
    );
    let output = planted.run(&["--rows", "300", "--seed", "9", "--json"]);
    let lines = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(code(&output), 0, "{lines}{}", String::from_utf8_lossy(&output.stderr));
    let message: Message = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    let Message::Latency(latency) = message else { panic!("{message:?}") };
    assert_eq!((latency.rows, latency.tables, latency.seed, latency.target), (300, 1, 9, None));
    assert!(latency.queries[0].rows_max.unwrap() >= 1);
}

#[test]
fn mistakes_are_bad_usage() {
    let _busy = busy();
    let planted = Planted::new("").query("one", "-- title\n-- :a  text\nSELECT :a");
    let output = planted.run_on_file(&[]);
    assert_eq!(code(&output), 2);
    assert_told("bad_header", &output, planted.folder.path());
    let neither = Planted::new("").query("by_customer", BY_CUSTOMER);
    let output = neither.run(&[]);
    assert_eq!(code(&output), 2);
    assert_told("neither_schema", &output, neither.folder.path());
    let output = neither.run_on_file(&["--rows", "5"]);
    assert_eq!(code(&output), 2, "rows are not generated into somebody's file");
    let missing = neither.run(&["--target", "missing.db"]);
    assert_eq!(code(&missing), 3);
}
