//! The full property for every project that this repository carries, and for random schemas: many cases each, with
//! awkward rows, and a bound on how long one case takes.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use whimbrel::error::Kind;
use whimbrel::harness::scenario::Passed;
use whimbrel::harness::{Scenario, Seed};
use whimbrel::report::message::Message;
use whimbrel::report::scenario as report;

/// As many as the promise says.
const CASES: u32 = 64;

/// The seed of every run, so that a run today and one tomorrow have the same cases.
const SEED: Seed = Seed(1);

/// What one case with 200 rows takes on a warm server and a quiet machine with two processors is printed; this much
/// more is granted to a machine that does other things beside it.
const MEDIAN_MAX: Duration = Duration::from_millis(1_000);

/// Cases are timed, so only one scenario runs at a time: with a server beside it, one has two processors busy.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn run(scenario: Scenario) -> Passed {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let passed = scenario.run().unwrap_or_else(|failed| panic!("{failed}"));
    // Past the capture of the test runner: a promise that is measured and not shown is none.
    let _ = writeln!(std::io::stderr().lock(), "{passed}");
    println!("{}", report::text(&passed));
    assert!(passed.cases >= CASES && passed.rows > 0, "{passed}");
    assert!(passed.case_time.median <= MEDIAN_MAX, "{passed}");
    for mutation in &passed.mutations {
        assert_eq!(mutation.tried, mutation.noticed, "`{}`", mutation.name);
    }
    for property in &passed.properties {
        let not_asked: u32 = property.not_asked.values().sum();
        assert_eq!(property.held + not_asked, passed.cases, "`{}`", property.name);
    }
    passed
}

fn project(name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(name);
    // Trees of files are in `tests/files`; they fill some of the tables.
    let passed = run(Scenario::project(folder).unwrap().in_server().cases(CASES).seed(SEED));
    // A project has a target schema of its own, checks and queries: nothing is left out.
    for property in passed.properties.iter().filter(|property| property.name != "mutations") {
        assert_eq!(property.held, CASES, "`{}`: {:?}", property.name, property.not_asked);
    }
    // Every query was run in every case that had a row for it, and is held against each target of the project.
    let queries =
        std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(name).join("queries"));
    assert_eq!(passed.latencies.len(), queries.unwrap().count());
    for latency in &passed.latencies {
        assert!(latency.samples >= 100 && latency.rows_max > 0, "{latency:?}");
        assert_eq!((&latency.held[..], &latency.too_few_samples[..]), (&["P50", "P95", "P99"][..], &[][..]));
    }
}

#[test]
fn vibing2() {
    project("vibing2");
}

#[test]
fn sessions() {
    project("sessions");
}

#[test]
fn usage() {
    project("usage");
}

#[test]
fn agents() {
    project("agents");
}

#[test]
fn deespec() {
    project("deespec");
}

#[test]
fn random_schemas() {
    run(Scenario::random_schemas().cases(CASES).seed(SEED));
}

/// A project of one table, of which only the key has an index.
struct Planted {
    folder: TempDir,
}

impl Planted {
    /// `header` has the target of the query that reads the whole table.
    fn new(header: &str) -> Planted {
        let planted = Planted { folder: tempfile::tempdir().unwrap() };
        for (name, text) in [
            (
                "project.toml",
                "name = 'planted'\n[source]\nschema = 'source'\n[latency]\np50_ms = 60000\np95_ms = 60000\np99_ms = 60000\n",
            ),
            ("source/0001_initial.up.sql", "CREATE TABLE orders (id integer PRIMARY KEY, city text NOT NULL);"),
            (
                "queries/by_id.sql",
                "-- one order\n-- :id integer, from orders.id\nSELECT city FROM orders WHERE id = :id",
            ),
            ("queries/nowhere.sql", "-- nothing to draw\n-- :id integer, from orders.id where 0\nSELECT :id"),
            (
                "queries/by_city.sql",
                &format!(
                    "-- the orders of a city\n-- :city text, from orders.city\n{header}\
                     SELECT id FROM orders WHERE city = :city"
                ),
            ),
        ] {
            let path = planted.path(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        planted
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn scenario(&self) -> Scenario {
        Scenario::project(self.folder.path()).unwrap().cases(5).rows(20).seed(SEED).regressions(self.path("kept"))
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_whimbrel"));
        command.arg("test").arg(self.folder.path()).args(["--cases", "5", "--rows", "20", "--seed", "1"]);
        command.arg("--regressions").arg(self.path("kept")).stdin(Stdio::null());
        command.args(words);
        command
    }

    fn test(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    fn messages(&self) -> (Option<i32>, Vec<Message>) {
        let output = self.test(&["--json"]);
        let lines = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }
}

#[test]
fn a_query_that_misses_its_target_fails_the_run_and_no_case() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    // Faster than any computer.
    let planted = Planted::new("-- target: P50 < 0.001 us\n");
    let failed = planted.scenario().run().unwrap_err();
    assert_eq!((failed.property, failed.kind), (Some("latencies"), Kind::Differs), "{failed}");
    assert!(failed.found.starts_with("`by_city`: P50 is "), "{failed}");
    assert!(failed.found.contains("has to be below 1ns, in 25 runs at 20 rows per case\n"), "{failed}");
    assert!(failed.found.contains("by_city.sql, whose plan in the slowest case is\n    SCAN orders"), "{failed}");
    assert_eq!(failed.found.matches("has to be below").count(), 1, "{failed}");
    let hint = failed.hint.clone().unwrap();
    assert!(hint.contains(&format!("`whimbrel latency {}`", planted.folder.path().display())), "{failed}");
    assert!(failed.replay.contains(" --seed 1 --cases 5 --rows 20 "), "{failed}");
    assert!(failed.shrunk.is_none() && failed.kept.is_none() && !planted.path("kept").exists(), "{failed}");

    let (code, messages) = planted.messages();
    assert_eq!(code, Some(1));
    let [Message::TestFailed(failed), Message::Error(error)] = messages.as_slice() else { panic!("{messages:?}") };
    assert_eq!((failed.property.as_deref(), error.exit_code), (Some("latencies"), 1));
    assert!(error.hint.as_ref().is_some_and(|hint| hint.contains("`whimbrel latency ")), "{error:?}");
    assert!(!planted.path("kept").exists());
}

#[test]
fn latencies_are_reported_and_a_figure_with_too_few_runs_is_not_held() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    // 25 runs are not enough for P99, so nothing is missed.
    let planted = Planted::new("-- target: P99 < 0.001 us\n");
    let passed = planted.scenario().run().unwrap_or_else(|failed| panic!("{failed}"));
    let [by_city, by_id, nowhere] = passed.latencies.as_slice() else { panic!("{:?}", passed.latencies) };
    for (latency, name) in [(by_city, "by_city"), (by_id, "by_id")] {
        let figures = latency.figures.unwrap();
        assert_eq!((latency.query.as_str(), latency.samples), (name, 25));
        assert!(latency.rows_max > 0 && figures.p50 > Duration::ZERO && figures.p50 <= figures.max, "{latency:?}");
        assert_eq!((&latency.held[..], &latency.too_few_samples[..]), (&["P50", "P95"][..], &["P99"][..]));
    }
    assert_eq!((nowhere.samples, nowhere.figures, nowhere.held.len()), (0, None, 0));
    let text = report::text(&passed);
    assert!(text.contains("latencies of the queries, in all cases together\n"), "{text}");
    assert!(text.contains("P50, P95 held, too few runs for P99\n"), "{text}");
    assert!(text.contains("not measured: no case has a row for its parameters\n"), "{text}");

    let (code, messages) = planted.messages();
    let [Message::TestPassed(message)] = messages.as_slice() else { panic!("{messages:?}") };
    assert_eq!((code, message.latencies.len(), message.latencies[0].samples), (Some(0), 3, 25));
    assert!(message.latencies[0].p50_ms.is_some_and(|ms| ms > 0.0) && message.latencies[2].p50_ms.is_none());
    assert_eq!(message.latencies[0].target.p99_ms, Some(1e-6));
}

/// A stop at any moment is a stop, and never a case that has failed.
#[test]
fn a_stop_is_no_failure_of_a_property() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let planted = Planted::new("");
    for place in 0..10 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_whimbrel"));
        command.arg("test").arg(planted.folder.path()).args(["--cases", "5000", "--rows", "300", "--seed", "1"]);
        command.arg("--regressions").arg(planted.path("kept")).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(400 + 97 * place));
        // SAFETY: the child has not been waited for, so the number is its own.
        assert_eq!(unsafe { libc::kill(child.id() as libc::pid_t, libc::SIGINT) }, 0);
        let output = child.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{told}");
        assert!(!planted.path("kept").exists(), "{told}");
    }
}

#[test]
fn a_case_that_does_not_end_can_be_stopped() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let planted = Planted::new("");
    let endless = "-- numbers without end\nWITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE i < 0";
    std::fs::write(planted.path("queries/endless.sql"), endless).unwrap();
    let mut child = planted.command(&[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Far longer than what comes before the query; it never ends by itself.
    std::thread::sleep(Duration::from_secs(3));
    assert!(child.try_wait().unwrap().is_none(), "the query has an end");
    let asked = Instant::now();
    // SAFETY: the child has not been waited for, so the number is its own.
    assert_eq!(unsafe { libc::kill(child.id() as libc::pid_t, libc::SIGINT) }, 0);
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{told}");
    assert!(told.contains("interrupted") && asked.elapsed() < Duration::from_secs(20), "{told}");
    assert!(!planted.path("kept").exists(), "{told}");
}

#[test]
fn a_mistake_in_the_files_is_told_before_there_is_a_server() {
    let planted = Planted::new("");
    std::fs::write(planted.path("queries/untitled.sql"), "SELECT 1").unwrap();
    let output =
        planted.command(&[]).env("WHIMBREL_PROVISION", "url").env_remove("WHIMBREL_POSTGRES").output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("untitled.sql`, line 1: it has no title\n"), "{told}");
    assert!(told.contains("  hint: the first line says what the query is for"), "{told}");
    assert!(output.stdout.is_empty() && !told.contains("run it again"), "no case was run: {told}");

    let planted = Planted::new("");
    let output = Command::new(env!("CARGO_BIN_EXE_whimbrel"))
        .arg("test")
        .arg(planted.folder.path())
        .args(["--rows", "18446744073709551615"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");

    std::fs::write(planted.path("source/0001_initial.up.sql"), "CREATE TABLE a ();\n\nCREATE TABEL b ();\n").unwrap();
    let output = planted.test(&[]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("line 3 (`CREATE TABEL b ();`): syntax error at or near \"TABEL\""), "{told}");
}

/// A schema as pg_dump writes it, with what stood in the way of a case: psql's commands, a view without rows, triggers
/// that write into tables that are filled as well, a table of nothing but computed columns, an integer that refers to
/// a `numeric`, and a table with more columns than the server is asked about.
#[test]
fn a_dump_with_triggers_and_materialized_views_is_a_scenario() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let schema = folder.path().join("schema.sql");
    let wide: Vec<String> = (0..1_550).map(|number| format!("c{number} boolean")).collect();
    let sql = format!(
        "\\restrict a1B2c3\n\
         CREATE TABLE log (id serial PRIMARY KEY, what text, k integer);\n\
         CREATE TABLE orders (id integer PRIMARY KEY, city text);\n\
         CREATE FUNCTION written() RETURNS trigger LANGUAGE plpgsql AS\n\
           'BEGIN INSERT INTO log (what, k) VALUES (tg_op, new.id); RETURN NULL; END';\n\
         CREATE TRIGGER written AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION written();\n\
         CREATE MATERIALIZED VIEW filled AS SELECT id, city FROM orders;\n\
         CREATE MATERIALIZED VIEW empty AS SELECT id FROM orders WITH NO DATA;\n\
         CREATE TABLE computed (a integer GENERATED ALWAYS AS (1) STORED);\n\
         CREATE TABLE prices (n numeric PRIMARY KEY);\n\
         CREATE TABLE priced (n integer REFERENCES prices);\n\
         CREATE TABLE wide (id integer PRIMARY KEY, {});\n\
         \\unrestrict a1B2c3\n",
        wide.join(", ")
    );
    std::fs::write(&schema, sql).unwrap();
    let scenario =
        Scenario::of_path(&schema).unwrap().cases(2).rows(120).seed(SEED).regressions(folder.path().join("kept"));
    let passed = scenario.run().unwrap_or_else(|failed| panic!("{failed}"));
    // The filled view has rows beside those that were generated.
    assert!(passed.rows > 2 * 120, "{passed}");
    let opinion = passed.properties.iter().find(|property| property.name == "second opinion").unwrap();
    assert_eq!((opinion.held, opinion.not_asked.values().sum::<u32>()), (0, 2), "{opinion:?}");
}

/// Numbers that a file has no place for are not drawn, and what checks and domains say of the others holds all the same.
#[test]
fn numbers_within_bounds_are_tested_within_them() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let schema = folder.path().join("schema.sql");
    let sql = "CREATE DOMAIN amount AS numeric(12,2);
        CREATE TABLE places (id integer PRIMARY KEY, lat double precision NOT NULL CHECK (lat BETWEEN -90 AND 90),
            rate numeric(5,3) NOT NULL CHECK (rate >= 0 AND rate <= 0.3), below real NOT NULL CHECK (below < 0), due amount NOT NULL);
        CREATE TABLE asked (a real CHECK (a IS NOT NULL), b float8, c amount, CHECK (num_nonnulls(b, c) = 1));
        CREATE TABLE rates (id integer, of numeric(10,1), UNIQUE (of, id));
        CREATE TABLE rated (of numeric(10,1) NOT NULL, id integer, FOREIGN KEY (of, id) REFERENCES rates (of, id));
        CREATE TABLE late (id timetz PRIMARY KEY, a timestamptz, b timestamptz, CHECK (b > a));";
    std::fs::write(&schema, sql).unwrap();
    let scenario =
        Scenario::of_path(&schema).unwrap().cases(8).rows(150).seed(SEED).regressions(folder.path().join("kept"));
    let passed = scenario.run().unwrap_or_else(|failed| panic!("{failed}"));
    assert_eq!(passed.rows, 8 * 150, "{passed}");
}

/// What a failing check found is in the failure, row by row, and the case is kept.
#[test]
fn a_check_that_finds_a_row_says_which() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let planted = Planted::new("");
    std::fs::create_dir(planted.path("checks")).unwrap();
    std::fs::write(planted.path("checks/none.sql"), "-- no orders\nSELECT 'an order', id FROM orders").unwrap();
    let failed = planted.scenario().run().unwrap_err();
    assert_eq!((failed.property, failed.kind), (Some("published"), Kind::Differs), "{failed}");
    assert!(failed.found.starts_with("check `none.sql` found 20 rows, the first: 'an order', "), "{failed}");
    let shrunk = failed.shrunk.as_ref().unwrap();
    assert_eq!(shrunk.rows, 1, "{failed}");
    assert!(shrunk.found.starts_with("check `none.sql` found 1 row, the first: 'an order', "), "{failed}");
    let kept = failed.kept.clone().unwrap();
    assert_eq!(planted.scenario().run().unwrap_err().regression, Some(kept));
    std::fs::write(planted.path("checks/none.sql"), "-- nothing\nSELECT 1 WHERE 0").unwrap();
    let passed = planted.scenario().run().unwrap_or_else(|failed| panic!("{failed}"));
    assert_eq!(passed.regressions, 1);
}

/// Cases that an earlier version kept under the project's name alone run as those do that are kept by its path now.
#[test]
fn kept_cases_are_found_under_the_name_and_under_the_path() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let planted = Planted::new("");
    let directory = tempfile::tempdir().unwrap();
    let run = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_whimbrel"));
        command.arg("test").arg(planted.folder.path()).args(["--cases", "1", "--rows", "20", "--seed", "1", "--json"]);
        let output = command.current_dir(directory.path()).stdin(Stdio::null()).output().unwrap();
        let lines = String::from_utf8(output.stdout).unwrap();
        let last: Message = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
        match last {
            Message::TestPassed(passed) => passed.regressions,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(run(), 0);
    let case = "-- A shrunk case of `planted`: it runs before all others.\n-- property: counts\n-- seed: 7\n-- part: rows\n\
                INSERT INTO orders VALUES (1, 'a');\n";
    let folder = directory.path().join("fixtures/regressions/planted");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("counts-7.sql"), case).unwrap();
    assert_eq!(run(), 1);
    let whole = planted.folder.path().canonicalize().unwrap();
    let digest = format!("{:016x}", xxhash_rust::xxh3::xxh3_64(whole.as_os_str().as_encoded_bytes()));
    let own = directory.path().join(format!("fixtures/regressions/planted-{}", &digest[..8]));
    std::fs::create_dir_all(&own).unwrap();
    std::fs::write(own.join("counts-8.sql"), case.replace("seed: 7", "seed: 8")).unwrap();
    assert_eq!(run(), 2);
}
