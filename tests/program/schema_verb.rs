//! `whimbrel schema` as people and programs start it: exit code, standard output, standard error, and the database.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::Value;
use sha2::{Digest, Sha384};
use sqlx::Connection as _;
use whimbrel::provision::{Database, shared};

/// A project with its migrations, and the database beside them.
struct Place(tempfile::TempDir);

impl Place {
    fn new(files: &[(&str, &str)]) -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        std::fs::create_dir_all(place.path("app/target")).unwrap();
        place.write("app/project.toml", "name = \"app\"\n\n[target]\nschema = \"target\"\npath = \"own.db\"\n");
        files.iter().for_each(|(name, text)| place.migration(name, text));
        place
    }

    fn three() -> Place {
        Place::new(&[
            ("0001_a.up.sql", "CREATE TABLE a(b INTEGER PRIMARY KEY);"),
            ("0001_a.down.sql", "-- whimbrel: lossy\nDROP TABLE a;"),
            ("0002_c.up.sql", "CREATE TABLE c(d INTEGER);"),
            ("0002_c.down.sql", "-- whimbrel: lossy\nDROP TABLE c;"),
            ("0003_i.up.sql", "CREATE INDEX c_d ON c(d);"),
            ("0003_i.down.sql", "-- whimbrel: lossless\nDROP INDEX c_d;"),
        ])
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn migration(&self, name: &str, text: &str) {
        self.write(&format!("app/target/{name}"), text);
    }

    /// The program, started in the place's folder.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_whimbrel"));
        command.arg("schema").args(words).current_dir(self.0.path()).stdin(Stdio::null()).env_remove("PGPASSWORD");
        command
    }

    /// Runs the program; fails unless it ends with that code. Gives standard output and standard error.
    fn run(&self, code: i32, words: &[&str]) -> (String, String) {
        let output = self.command(words).output().unwrap();
        let told = texts(&output);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {told:?}");
        told
    }

    /// The same with `--json`: every line is an envelope; the data of those of `kind`.
    fn json(&self, code: i32, words: &[&str], kind: &str) -> Vec<Value> {
        let (out, _) = self.run(code, &[words, &["--json"]].concat());
        let lines = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("{line}")));
        let lines: Vec<Value> = lines.collect();
        for line in &lines {
            let envelope = line.as_object().unwrap();
            assert!(envelope.len() == 2 && envelope["type"].is_string() && envelope.contains_key("data"), "{line}");
        }
        let found: Vec<Value> = lines.iter().filter(|line| line["type"] == kind).map(|l| l["data"].clone()).collect();
        assert!(!found.is_empty(), "no `{kind}` in {out}");
        found
    }

    /// The state of each migration, in their order.
    fn states(&self, database: &str) -> Vec<String> {
        let status = self.json(0, &["status", database, "app"], "schema_status").remove(0);
        let lines = status["migrations"].as_array().unwrap();
        lines.iter().map(|line| line["state"].as_str().unwrap().to_owned()).collect()
    }

    fn problems(&self, database: &str) -> Vec<String> {
        let found = self.json(1, &["validate", database, "app"], "schema_findings").remove(0);
        found["problems"].as_array().unwrap().iter().map(|problem| problem.as_str().unwrap().to_owned()).collect()
    }

    fn execute(&self, sql: &str) {
        Connection::open(self.path("app.db")).unwrap().execute_batch(sql).unwrap();
    }

    fn number(&self, sql: &str) -> i64 {
        Connection::open(self.path("app.db")).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

const STATES: [&[&str]; 4] = [
    &["pending", "pending", "pending"],
    &["applied", "pending", "pending"],
    &["applied", "applied", "pending"],
    &["applied", "applied", "applied"],
];

#[test]
fn new_up_status_down_and_up_again() {
    let place = Place::three();
    let (out, _) = place.run(0, &["new", "more", "app"]);
    assert!(out.contains("0004_more.up.sql") && out.contains("0004_more.down.sql"), "{out}");
    // Its way back is to be chosen by whoever writes it.
    let (_, told) = place.run(2, &["up", "app.db", "app"]);
    assert!(told.contains("no label") && !place.path("app.db").exists(), "{told}");
    place.migration("0004_more.up.sql", "CREATE TABLE more(a);");
    place.migration("0004_more.down.sql", "-- whimbrel: lossy\nDROP TABLE more;");
    let report = place.json(0, &["up", "app.db", "app"], "schema_report").remove(0);
    assert_eq!(report["steps"].as_array().unwrap().len(), 4);
    assert_eq!(place.states("app.db"), ["applied"; 4]);

    let before = std::fs::read(place.path("app.db")).unwrap();
    let (out, _) = place.run(0, &["down", "app.db", "app", "--steps", "2", "--dry-run"]);
    assert!(out.contains("dry run of 2 migrations, rolled back"), "{out}");
    assert!(std::fs::read(place.path("app.db")).unwrap() == before, "a dry run has changed the file");

    place.run(0, &["down", "app.db", "app", "--steps", "4"]);
    assert_eq!(place.states("app.db"), ["pending"; 4]);
    let (out, _) = place.run(0, &["up", "app.db", "app", "--to", "2"]);
    assert!(out.ends_with("2 migrations run\n"), "{out}");
    assert_eq!(place.states("app.db"), ["applied", "applied", "pending", "pending"]);
    place.run(0, &["redo", "app.db", "app"]);
    place.run(0, &["up", "app.db", "app"]);
    let (out, _) = place.run(0, &["up", "app.db", "app"]);
    assert!(out.ends_with("nothing to do\n"), "{out}");
    assert!(!place.path("app.db-schema-lock").exists());
}

#[test]
fn validate_is_clean_or_names_what_is_pending_or_differs() {
    let place = Place::three();
    place.run(0, &["up", "app.db", "app", "--to", "2"]);
    let (out, _) = place.run(1, &["validate", "app.db", "app"]);
    assert!(out.contains("migration `3_i` is pending"), "{out}");
    place.run(0, &["validate", "app.db", "app", "--allow-pending"]);
    place.run(0, &["up", "app.db", "app"]);
    let (out, _) = place.run(0, &["validate", "app.db", "app"]);
    assert!(out.contains("as they should be"), "{out}");
    place.execute("DROP INDEX c_d; CREATE TABLE stray(a)");
    assert_eq!(
        place.problems("app.db"),
        ["index `c_d` is missing", "table `stray` is there, and no migration creates it"]
    );
    let (out, _) = place.run(1, &["validate", "app.db", "app", "--quiet"]);
    assert!(out.contains("`c_d`") && out.contains("`stray`"), "{out}");
}

#[test]
fn a_changed_file_is_told_refused_and_accepted_by_repair() {
    let place = Place::three();
    place.run(0, &["up", "app.db", "app"]);
    place.migration("0002_c.up.sql", "-- why\nCREATE TABLE c(d INTEGER);");
    assert_eq!(place.states("app.db"), ["applied", "changed", "applied"]);
    let problems = place.problems("app.db");
    assert!(problems.len() == 1 && problems[0].contains("`2_c` is changed"), "{problems:?}");
    place.migration("0004_e.sql", "CREATE TABLE e(f);");
    let (_, told) = place.run(3, &["up", "app.db", "app"]);
    assert!(told.contains("`0002_c.up.sql` changed after it was applied"), "{told}");
    std::fs::remove_file(place.path("app/target/0004_e.sql")).unwrap();
    let repaired = place.json(0, &["repair", "2", "app.db", "app"], "schema_repaired").remove(0);
    assert_eq!(repaired["versions"], serde_json::json!([2]));
    place.run(0, &["validate", "app.db", "app"]);
    let (_, told) = place.run(2, &["repair", "2", "app.db", "app"]);
    assert!(told.contains("nothing of it has changed"), "{told}");
}

#[test]
fn a_history_of_sqlx_is_adopted() {
    let place = Place::three();
    place.execute(
        "CREATE TABLE _sqlx_migrations(version BIGINT PRIMARY KEY, description TEXT NOT NULL, installed_on TIMESTAMP
             NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, checksum BLOB NOT NULL,
             execution_time BIGINT NOT NULL);
         CREATE TABLE a(b INTEGER PRIMARY KEY); CREATE TABLE c(d INTEGER)",
    );
    let connection = Connection::open(place.path("app.db")).unwrap();
    for (version, name) in [(1, "0001_a"), (2, "0002_c")] {
        let text = std::fs::read(place.path(&format!("app/target/{name}.up.sql"))).unwrap();
        let sql = "INSERT INTO _sqlx_migrations VALUES (?1, 'x', CURRENT_TIMESTAMP, true, ?2, 1000000)";
        connection.execute(sql, rusqlite::params![version, Sha384::digest(&text).as_slice()]).unwrap();
    }
    drop(connection);
    let (out, _) = place.run(0, &["adopt", "app.db", "app"]);
    assert!(out.starts_with("adopted 2 migrations from `_sqlx_migrations`"), "{out}");
    assert_eq!(place.states("app.db"), STATES[2]);
    place.run(0, &["up", "app.db", "app"]);
    place.run(0, &["validate", "app.db", "app"]);
}

#[test]
fn a_database_that_an_application_made_is_adopted_at_a_version_or_its_differences_are_listed() {
    let place = Place::three();
    place.execute("CREATE TABLE a(b INTEGER PRIMARY KEY); CREATE TABLE c(d TEXT)");
    place.execute("CREATE TABLE schema_migrations(version INTEGER PRIMARY KEY, name TEXT, applied_at INTEGER)");
    let (_, told) = place.run(3, &["up", "app.db", "app"]);
    assert!(told.contains("belongs to another tool") && told.contains("`schema adopt --version N`"), "{told}");
    let (out, told) = place.run(1, &["adopt", "app.db", "app", "--version", "2"]);
    assert_eq!(
        out,
        "app.db: not what version 2 makes; nothing was written\n  table `c` differs: `d TEXT` should be `d INTEGER`\n\
         another tool's table `schema_migrations` (0 rows) stays as it is\n"
    );
    assert!(told.contains("adopt `app.db`: it is not what version 2 makes: 1 difference, listed above"), "{told}");
    let found = place.json(1, &["adopt", "app.db", "app", "--version", "2"], "schema_mismatch").remove(0);
    assert_eq!(found["problems"], serde_json::json!(["table `c` differs: `d TEXT` should be `d INTEGER`"]));
    assert_eq!(found["differences"][0]["expected"]["name"], "c");
    let (_, told) = place.run(2, &["adopt", "app.db", "app", "--version", "9"]);
    assert!(told.contains("known are 1, 2, 3"), "{told}");
    place.run(2, &["adopt", "app.db", "app", "--accept-differences"]);
    let (out, _) = place.run(0, &["adopt", "app.db", "app", "--version", "2", "--accept-differences"]);
    assert!(out.contains("adopted 2 migrations, version 2; nothing was run\n  accepted: table `c` differs"), "{out}");
    assert!(out.contains("`schema_migrations` (0 rows) stays as `_whimbrel_other_history`"), "{out}");
    assert_eq!(place.states("app.db"), STATES[2]);

    let place = Place::three();
    place.execute("CREATE TABLE a(b INTEGER PRIMARY KEY); CREATE TABLE c(d INTEGER)");
    let (_, told) = place.run(3, &["up", "app.db", "app"]);
    assert!(told.contains("table `a` already exists") || told.contains("table a already exists"), "{told}");
    assert!(told.contains("has objects and no history of these migrations: `schema adopt --version N`"), "{told}");
    let done = place.json(0, &["adopt", "app.db", "app", "--version", "2"], "schema_adopted").remove(0);
    let expected = serde_json::json!({
        "endpoint": "app.db", "version": 2, "versions": [1, 2], "differences": [], "other_history": null
    });
    assert_eq!(done, expected);
    place.run(0, &["up", "app.db", "app"]);
    place.run(0, &["validate", "app.db", "app"]);
    let (help, _) = place.run(0, &["adopt", "--help"]);
    assert!(help.contains("schema adopt app.db migrations/app/target --version 2"), "{help}");
}

#[test]
fn damage_from_before_stops_up_and_down_and_no_integrity_goes_on() {
    let place = Place::new(&[(
        "1_a.up.sql",
        "CREATE TABLE a(b TEXT);\nCREATE INDEX a_b ON a(b);\nINSERT INTO a VALUES ('x');",
    )]);
    place.run(0, &["up", "app.db", "app"]);
    place.migration("2_b.up.sql", "CREATE TABLE c(d);");
    let index = place.number("SELECT rootpage FROM sqlite_schema WHERE name = 'a_b'");
    let page = place.number("PRAGMA page_size");
    let file = std::fs::OpenOptions::new().write(true).open(place.path("app.db")).unwrap();
    // The page's own number of entries becomes none.
    std::os::unix::fs::FileExt::write_all_at(&file, &[0, 0], u64::try_from((index - 1) * page + 3).unwrap()).unwrap();
    let (_, told) = place.run(1, &["up", "app.db", "app"]);
    assert!(told.contains("it was damaged before migration `2_b` began, and nothing was run"), "{told}");
    assert!(told.contains("--no-integrity"), "{told}");
    place.run(0, &["up", "app.db", "app", "--no-integrity"]);
}

#[test]
fn a_failure_in_the_middle_keeps_what_was_committed_before() {
    let place = Place::three();
    place.migration("0002_c.up.sql", "CREATE TABLE c(d INTEGER);\nINSERT INTO nowhere VALUES (1);");
    let (out, told) = place.run(3, &["up", "app.db", "app"]);
    assert!(out.contains("up   1_a") && out.ends_with("1 migration run\n"), "{out}");
    assert!(told.contains("`0002_c.up.sql` line 2: statement 2 of 2 failed: no such table"), "{told}");
    let report = place.json(3, &["up", "app.db", "app"], "error").remove(0);
    assert_eq!(report["exit_code"], 3, "{report}");
    assert_eq!(place.states("app.db"), STATES[1]);
    assert_eq!(place.number("SELECT count(*) FROM sqlite_schema WHERE name = 'c'"), 0);
}

#[test]
fn a_project_whose_folder_of_migrations_is_missing_is_told_how_to_make_it() {
    let place = Place::three();
    std::fs::remove_dir_all(place.path("app/target")).unwrap();
    let (_, told) = place.run(2, &["new", "first", "app"]);
    assert!(
        told.contains("there is no folder `app/target`") && told.contains("`whimbrel schema new NAME app/target`"),
        "{told}"
    );
    place.run(0, &["new", "first", "app/target"]);
    place.run(0, &["new", "second", "app"]);
}

#[test]
fn a_down_script_that_came_later_is_new_and_not_changed() {
    let place = Place::new(&[("1_a.up.sql", "CREATE TABLE a(b TEXT);")]);
    place.run(0, &["up", "app.db", "app"]);
    place.migration("1_a.down.sql", "-- whimbrel: lossy\nDROP TABLE a;");
    let problems = place.problems("app.db");
    assert!(problems[0].contains("`1_a.down.sql` is new: there was none when it was applied"), "{problems:?}");
    place.run(0, &["repair", "1", "app.db", "app"]);
    place.run(0, &["validate", "app.db", "app"]);
}

#[test]
fn database_and_folder_come_in_either_order() {
    for words in [["app.db", "app/target"], ["app/target", "app.db"], ["app.db", "app"], ["app", "app.db"]] {
        let place = Place::three();
        place.run(0, &["up", words[0], words[1]]);
        assert_eq!(place.number("SELECT count(*) FROM schema_migrations"), 3, "{words:?}");
        place.run(0, &["validate", words[1], words[0]]);
    }
    let place = Place::three();
    place.run(0, &["up", "app"]);
    assert!(place.path("app/own.db").exists() && !place.path("app.db").exists());
    place.run(0, &["validate", "app"]);
    let (_, told) = place.run(2, &["up", "app/target"]);
    assert!(told.contains("no database is given"), "{told}");
    let (_, told) = place.run(2, &["up", "app.db", "other.db"]);
    assert!(told.contains("there is no folder `other.db`"), "{told}");
}

#[test]
fn damage_is_a_finding_and_hides_nothing_else() {
    let place = Place::new(&[(
        "1_all.sql",
        "CREATE TABLE p(x INTEGER PRIMARY KEY, y);\nCREATE TABLE bad(y REFERENCES p(y));\n\
         CREATE TABLE child(x REFERENCES p(x));\nCREATE TABLE t(a TEXT);\nCREATE INDEX t_a ON t(a);",
    )]);
    place.run(0, &["up", "app.db", "app"]);
    place.execute(
        "PRAGMA foreign_keys = OFF; INSERT INTO bad VALUES (1); INSERT INTO child VALUES (99);
         WITH RECURSIVE n(v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM n WHERE v < 20)
         INSERT INTO t SELECT 'needle' || v FROM n",
    );
    let keys = |problems: &[String]| {
        assert!(problems.iter().any(|p| p.starts_with("row 1 of `child` refers to a row of `p`")), "{problems:?}");
        assert!(problems.iter().any(|p| p.contains("table `bad`: foreign key mismatch")), "{problems:?}");
    };
    let problems = place.problems("app.db");
    assert_eq!(problems.len(), 2, "{problems:?}");
    keys(&problems);

    let index = place.number("SELECT rootpage FROM sqlite_schema WHERE name = 't_a'");
    let page = place.number("PRAGMA page_size");
    let file = std::fs::OpenOptions::new().write(true).open(place.path("app.db")).unwrap();
    let at = u64::try_from((index - 1) * page).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[0xff; 64], at).unwrap();
    let problems = place.problems("app.db");
    keys(&problems);
    assert!(problems.len() > 2, "{problems:?}");

    // Not even the list of tables can be read any more.
    std::os::unix::fs::FileExt::write_all_at(&file, &[0xff; 1000], 100).unwrap();
    let (_, told) = place.run(1, &["validate", "app.db", "app"]);
    assert!(told.contains("malformed"), "{told}");
}

// ── Interrupted ─────────────────────────────────────────────────────────────────────────────────────────────────────

/// Starts `up`, sends SIGINT when migration 1 is done and the next one has begun its long statement.
fn interrupt(place: &Place, database: &str) -> String {
    let mut command = place.command(&["up", database, "app", "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next().expect("migration 1 is told").unwrap();
    assert!(first.contains("\"finished\"") && first.contains("\"version\":1"), "{first}");
    std::thread::sleep(Duration::from_millis(700));
    assert!(child.try_wait().unwrap().is_none(), "the long statement is not long");
    // SAFETY: the child was started here and has not been waited for, so the number is its own.
    assert_eq!(unsafe { libc::kill(libc::pid_t::try_from(child.id()).unwrap(), libc::SIGINT) }, 0);
    let start = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert!(start.elapsed() < Duration::from_secs(10));
    texts(&output).1
}

const LONG: &str =
    "WITH RECURSIVE n(v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM n WHERE v < 100000000000) SELECT max(v) FROM n;";

#[test]
fn an_interrupted_run_stands_after_one_of_its_migrations() {
    let place = Place::three();
    place.migration("0002_c.up.sql", &format!("CREATE TABLE c(d INTEGER);\n{LONG}"));
    let told = interrupt(&place, "app.db");
    assert!(told.contains("interrupted; what was not committed is rolled back, `schema status` says"), "{told}");
    assert_eq!(place.states("app.db"), STATES[1]);
    assert_eq!(place.number("SELECT count(*) FROM sqlite_schema WHERE name = 'c'"), 0);
    place.migration("0002_c.up.sql", "CREATE TABLE c(d INTEGER);");
    // The lock file that may be left is no obstacle, and does not stay.
    place.run(0, &["up", "app.db", "app"]);
    place.run(0, &["validate", "app.db", "app"]);
    assert!(!place.path("app.db-schema-lock").exists());
}

#[test]
fn an_interrupted_migration_without_a_transaction_says_where_it_stands() {
    let place = Place::three();
    let header = "-- whimbrel: no-transaction\nCREATE TABLE c(d INTEGER);\n";
    place.migration("0002_c.up.sql", &format!("{header}{LONG}"));
    interrupt(&place, "app.db");
    let status = place.json(0, &["status", "app.db", "app"], "schema_status").remove(0);
    assert_eq!(status["migrations"][1]["state"], "interrupted");
    assert_eq!(status["migrations"][1]["detail"], "applying, 1 statement finished");
    place.migration("0002_c.up.sql", header);
    place.run(0, &["up", "app.db", "app", "--resume"]);
    place.run(0, &["up", "app.db", "app"]);
    place.run(0, &["validate", "app.db", "app"]);
}

#[test]
fn each_try_for_a_lock_is_told_as_the_programs_own_and_help_says_how_many_there_are() {
    let place = Place::three();
    place.execute("PRAGMA journal_mode = WAL");
    let application = Connection::open(place.path("app.db")).unwrap();
    application.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (_, told) = place.run(3, &["up", "app.db", "app", "--lock-timeout", "0"]);
    let tries: Vec<&str> = told.lines().filter(|line| line.contains("trying again")).collect();
    assert_eq!(tries.len(), 5, "{told}");
    assert!(tries.iter().all(|line| line.starts_with("whimbrel: attempt ")), "{told}");
    let (help, _) = place.run(0, &["up", "--help"]);
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains("what waited in vain is rolled back and tried again, five times"), "{help}");
}

// ── PostgreSQL ──────────────────────────────────────────────────────────────────────────────────────────────────────

fn postgres() -> Database {
    shared().expect("a PostgreSQL for the tests").create_database("verb").unwrap()
}

/// One number that the last of the statements gives.
#[tokio::main(flavor = "current_thread")]
async fn number(url: &str, sql: &'static str) -> i64 {
    let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
    let number = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    number
}

/// The password in a URL, where it has one.
fn password(url: &str) -> Option<&str> {
    let (user, _) = url.split_once("://")?.1.rsplit_once('@')?;
    Some(user.split_once(':')?.1).filter(|password| !password.is_empty())
}

#[test]
fn postgres_goes_up_and_down_and_no_password_is_told() {
    let (place, database) = (Place::three(), postgres());
    let url = database.url();
    let mut told = String::new();
    for (code, words) in [
        (0, ["up", &url, "app"]),
        (0, ["status", &url, "app"]),
        (0, ["validate", "app", &url]),
        (0, ["down", &url, "app"]),
        (1, ["validate", &url, "app/target"]),
        (0, ["up", "app/target", &url]),
    ] {
        let (out, error) = place.run(code, &words);
        told.extend([out, error]);
    }
    assert!(told.contains("version 3, 3 applied"), "{told}");
    assert_eq!(place.states(&url), STATES[3]);
    if let Some(password) = password(&url) {
        assert!(!told.contains(password));
    }
}

#[test]
fn a_connection_that_cannot_be_had_is_explained() {
    let (place, database) = (Place::three(), postgres());
    let url = database.url();
    let refused = |url: &str| {
        let (out, told) = place.run(3, &["up", url, "app"]);
        assert!(out.is_empty() && told.contains("  hint: ") && !told.contains("at line"), "{out}{told}");
        assert!(!told.contains("hunter2") && password(url).is_none_or(|password| !told.contains(password)), "{told}");
        told
    };
    let missing = refused(&url.replace(database.name(), "no_such_database"));
    assert!(missing.contains("\"no_such_database\" does not exist (SQLSTATE 3D000)"), "{missing}");
    assert!(missing.contains("psql -l"), "{missing}");
    let nobody = refused("postgres://ann:hunter2@127.0.0.1:1/app");
    assert!(nobody.contains("connect to `postgres://ann:***@127.0.0.1:1/app`: nothing listens there"), "{nobody}");
    // A private server asks for its password; somebody else's may not.
    if let Some(password) = password(&url) {
        let wrong = refused(&url.replacen(password, "hunter2", 1));
        assert!(wrong.contains("password authentication failed") && wrong.contains("PGPASSWORD"), "{wrong}");
    }
}

#[test]
fn an_interrupted_run_on_postgres_stands_after_one_of_its_migrations() {
    let (place, database) = (Place::three(), postgres());
    let url = database.url();
    place.migration("0002_c.up.sql", "CREATE TABLE c(d int);\nSELECT pg_sleep(100);");
    interrupt(&place, &url);
    assert_eq!(place.states(&url), STATES[1]);
    place.migration("0002_c.up.sql", "CREATE TABLE c(d int);");
    place.run(0, &["up", &url, "app"]);
    place.run(0, &["validate", &url, "app"]);
}

#[test]
fn databases_that_a_dead_run_left_are_dropped_and_those_in_use_are_not() {
    let (place, database) = (Place::three(), postgres());
    let url = database.url();
    // No process has such a number, and the other tests' are smaller.
    let (left, used) = (format!("whimbrel_drift_{}_1", u32::MAX), format!("whimbrel_drift_{}_2", u32::MAX));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut holder = runtime.block_on(async {
        let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
        for name in [&left, &used] {
            let sql = format!("CREATE DATABASE {name} TEMPLATE template0");
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
            // Until the last one is there, this connection is named as the run would name it.
            let sql = format!("SET application_name = '{used}'");
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        }
        connection
    });
    place.run(0, &["up", &url, "app"]);
    place.run(0, &["validate", &url, "app"]);
    const LEFT: &str = "SELECT count(*) FROM pg_database WHERE datname = 'whimbrel_drift_4294967295_1'";
    const USED: &str = "SELECT count(*) FROM pg_database WHERE datname = 'whimbrel_drift_4294967295_2'";
    assert_eq!((number(&url, LEFT), number(&url, USED)), (0, 1));
    runtime.block_on(async {
        sqlx::raw_sql("SET application_name = 'done'").execute(&mut holder).await.unwrap();
        holder.close().await.unwrap();
    });
    place.run(0, &["validate", &url, "app"]);
    assert_eq!(number(&url, USED), 0);
}

#[test]
fn new_with_swapped_arguments_says_so_and_makes_nothing() {
    let place = Place::three();
    for folder in ["app/target", "app"] {
        let (_, told) = place.run(2, &["new", folder, "add_orders"]);
        assert!(told.contains("the name comes first") && !place.path("add_orders").exists(), "{told}");
        assert!(told.contains(&format!("`whimbrel schema new add_orders {folder}`")), "{told}");
    }
    let (out, _) = place.run(0, &["new", "add_orders", "app"]);
    assert!(out.contains("0004_add_orders.up.sql"), "{out}");
}
