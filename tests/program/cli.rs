//! The program as people and programs meet it: exit code, standard output, standard error.
//!
//! What it says is kept as snapshots under `snapshots/cli/`, times, paths and ports filtered out. The runs against a
//! real server use the one that all tests share.

use rusqlite::Connection;
use sqlx::{Connection as _, PgConnection};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use whimbrel::provision::{Database, Footing, shared};
use whimbrel::report::message::Message;

const PROGRAM: &str = env!("CARGO_BIN_EXE_whimbrel");

fn command(words: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(words).stdin(Stdio::null()).env_remove("PGPASSWORD").env_remove("DATABASE_URL").env("COLUMNS", "100");
    command
}

fn run(words: &[&str]) -> Output {
    command(words).output().expect("the program starts")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("the program ends by itself")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn describe(output: &Output) -> String {
    format!(
        "exit code: {}\n----- stdout -----\n{}----- stderr -----\n{}",
        code(output),
        stdout(output),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Compares what the program said with the snapshot of that name; `folder` is shown as `[FOLDER]`.
fn assert_told(name: &str, output: &Output, folder: Option<&Path>) {
    let mut text = describe(output);
    if let Some(folder) = folder {
        let real = folder.canonicalize().expect("the folder is there");
        text = text.replace(&*real.to_string_lossy(), "[FOLDER]").replace(&*folder.to_string_lossy(), "[FOLDER]");
    }
    let snapshots = Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots/cli");
    whimbrel::harness::snapshot::settings(&snapshots).bind(|| insta::assert_snapshot!(name, text));
}

/// A small database that every test of this process copies.
fn database() -> Database {
    let server = shared().expect("a server");
    let database = server.create_database("cli").expect("a database");
    execute(
        &database.url(),
        "CREATE TABLE people (id integer PRIMARY KEY, name text NOT NULL, weight real, doc jsonb, born timestamptz);
         INSERT INTO people VALUES (1, 'Ada', 'NaN', '{\"a\": [1, null]}', '2026-01-01 00:00:00.000001Z'),
                                   (2, '', 1.5, NULL, NULL), (3, 'naïve', NULL, '[]', 'infinity');
         CREATE TABLE pets (id bigint PRIMARY KEY, owner integer REFERENCES people, name varchar(5) UNIQUE);
         INSERT INTO pets SELECT n, 1 + n % 3, 'p' || n FROM generate_series(1, 50) AS n;
         CREATE VIEW owners AS SELECT p.name, count(*) AS pets FROM people p JOIN pets q ON q.owner = p.id GROUP BY p.name;
         CREATE SEQUENCE lonely; ANALYZE",
    );
    database
}

#[tokio::main(flavor = "current_thread")]
async fn execute(url: &str, sql: &'static str) {
    let mut connection = PgConnection::connect(url).await.expect("a connection");
    sqlx::raw_sql(sql).execute(&mut connection).await.expect("the statements run");
    connection.close().await.expect("the connection closes");
}

/// The password of the shared server; a server of somebody else may have none.
fn password(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let (user_information, _) = rest.rsplit_once('@')?;
    Some(user_information.split_once(':')?.1.to_owned()).filter(|password| !password.is_empty())
}

#[test]
fn help_of_every_verb() {
    for verb in [
        "", "plan", "migrate", "verify", "sync", "store", "rollback", "backups", "check", "optimize", "latency",
        "schema", "generate", "test", "demo",
    ] {
        let words: Vec<&str> = [verb, "--help"].into_iter().filter(|word| !word.is_empty()).collect();
        let output = run(&words);
        assert!(stdout(&output).contains("Examples:"), "{verb}");
        assert_told(&format!("help_{}", if verb.is_empty() { "whimbrel" } else { verb }), &output, None);
    }
    for action in ["health", "repair", "mode"] {
        assert_told(&format!("help_store_{action}"), &run(&["store", action, "--help"]), None);
    }
    for action in ["take", "prune"] {
        assert_told(&format!("help_backups_{action}"), &run(&["backups", action, "--help"]), None);
    }
    for action in ["up", "down", "redo", "status", "validate", "repair", "adopt", "new"] {
        let output = run(&["schema", action, "--help"]);
        assert!(stdout(&output).contains("Examples:"), "{action}");
        assert_told(&format!("help_schema_{action}"), &output, None);
    }
}

#[test]
fn errors_that_need_no_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let text = path("notes.txt");
    std::fs::write(&text, "not a database, but long enough to be one by its size\n".repeat(20)).unwrap();
    let project = path("project");
    std::fs::create_dir(&project).unwrap();
    std::fs::write(path("project/project.toml"), "name = 'app'\n[target]\npath = 'app.db'\npagesize = 4096\n").unwrap();
    std::fs::create_dir(path("bare")).unwrap();
    std::fs::write(path("bare/project.toml"), "name = 'app'\n").unwrap();
    let schema = path("schema");
    std::fs::create_dir(&schema).unwrap();
    std::fs::write(path("schema/0001_a.up.sql"), "CREATE TABLE a (id INTEGER PRIMARY KEY)").unwrap();
    for (name, sql) in [("syntax", "SELEC 1"), ("column", "SELECT colour FROM old"), ("table", "SELECT 1 FROM no")] {
        std::fs::create_dir(path(&format!("schema/{name}"))).unwrap();
        std::fs::write(path(&format!("schema/{name}/check.sql")), sql).unwrap();
    }
    let sound = path("sound.db");
    Connection::open(&sound).unwrap().execute_batch("CREATE TABLE old (x)").unwrap();
    let nobody = "postgres://ann:secret@127.0.0.1:1/app";
    let here = folder.path().to_string_lossy().into_owned();
    let cases: &[(&str, &[&str])] = &[
        ("unknown_verb", &["migrat", nobody]),
        ("unknown_option", &["migrate", nobody, "app.db", "--frobnicate"]),
        ("no_target", &["migrate", nobody]),
        ("unknown_endpoint", &["migrate", "mysql://root:secret@host/app", "app.db"]),
        ("sqlite_as_source", &["migrate", "app.db", nobody]),
        ("unreachable", &["migrate", nobody, &path("app.db")]),
        ("unknown_key", &["plan", &project]),
        ("folder_without_project", &["plan", &here]),
        ("unknown_rule", &["plan", nobody, "--rule", "uuid=uid"]),
        ("page_size", &["migrate", nobody, &path("app.db"), "--page-size", "1000"]),
        ("check_missing", &["check", &path("missing.db")]),
        ("check_not_sqlite", &["check", &text]),
        ("verify_not_sqlite", &["verify", nobody, &text]),
        ("rollback_without_backup", &["rollback", &path("app.db")]),
        ("backups_without_any", &["backups", &path("app.db")]),
        ("backups_take_missing", &["backups", "take", &path("app.db")]),
        ("backups_prune_without_rotation", &["backups", "prune", &sound]),
        ("mistyped_url", &["migrate", "postgres//ann:secret@host/app", &path("app.db")]),
        ("mistyped_url_schema", &["schema", "up", "postgres:/ann:secret@host/app", &schema]),
        ("port", &["plan", "postgres://ann:secret@host:port/app"]),
        ("side_file", &["check", &path("app.db-wal")]),
        ("project_file", &["migrate", &path("project/project.toml")]),
        ("optimize_not_sqlite", &["optimize", &text]),
        ("plan_over_folder", &["plan", nobody, &here]),
        ("schema_status_missing", &["schema", "status", &path("app.db"), &schema]),
        ("schema_validate_missing", &["schema", "validate", &path("app.db"), &schema]),
        ("schema_down_missing", &["schema", "down", &path("app.db"), &schema]),
        ("check_syntax", &["check", &sound, "--checks", &path("schema/syntax")]),
        ("check_column", &["check", &sound, "--checks", &path("schema/column")]),
        ("check_table", &["check", &sound, "--checks", &path("schema/table")]),
        ("usage_json", &["schema", "up", "--json"]),
        ("test_missing", &["test", &path("nowhere.sql")]),
        ("test_without_schema", &["test", &path("bare")]),
        ("test_seed", &["test", "--random-schemas", "--seed", "seven"]),
        ("generate_unreachable", &["generate", nobody, "--rows", "5"]),
        ("generate_missing", &["generate", &path("missing.db"), "--rows", "5"]),
        ("generate_not_sqlite", &["generate", &text, "--rows", "5"]),
        ("generate_awkward", &["generate", nobody, "--rows", "5", "--awkward", "2"]),
        ("latency_missing", &["latency", &path("nowhere")]),
        ("latency_without_queries", &["latency", &path("bare")]),
    ];
    for (name, words) in cases {
        let output = run(words);
        assert!(!describe(&output).contains("secret"), "{name}: {}", describe(&output));
        assert_told(&format!("error_{name}"), &output, Some(folder.path()));
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 5, "nothing is left behind");
}

#[test]
fn no_usage_error_shows_a_password() {
    let urls = [
        "postgres://ann:secret@host/app",
        "postgres://ann:my secret@host/app",
        "postgresql://ann:se@secret/x@host/app",
        "postgres://host/app?user=ann&password=secret",
        "mysql://ann:secret@host/app",
        "postgres//ann:secret@host/app",
        "postgres:/ann:my secret@host/app",
        "postgres:ann:secret@host/app",
        "ann:secret@host/app",
    ];
    for url in urls {
        let (option, flag) = (format!("--sorce={url}"), format!("--{url}"));
        let invocations: &[&[&str]] = &[
            &[url],
            &["plan", "a.db", "b.db", "c.db", url],
            &["check", "a.db", url],
            &["plan", &option],
            &["plan", &flag],
            &["plan", "x", "--verify", url],
            &["migrate", "x", "y", "--verify", url],
            &["migrate", "x", "y", "--page-size", url],
            &["plan", "x", "--rule", url],
            &["plan", url, url, url],
            &["migrate", "no.db", url],
            &["rollback", url, "--to", "x"],
            &["rollback", url, "--to", "x", "--json"],
        ];
        for words in invocations {
            let output = run(words);
            assert_eq!(code(&output), 2, "{words:?}: {}", describe(&output));
            assert!(!describe(&output).contains("secret"), "{words:?}: {}", describe(&output));
        }
    }
}

#[test]
fn errors_of_a_server() {
    let server = shared().expect("a server");
    let database = server.create_database("cli").expect("a database");
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("app.db").to_string_lossy().into_owned();
    drop(database);
    let output = run(&["migrate", &server.url("whimbrel_cli_000000000000"), &target]);
    assert_told("error_missing_database", &output, Some(folder.path()));

    let output = run(&["migrate", &server.url("postgres"), &folder.path().to_string_lossy()]);
    assert_eq!(code(&output), 2, "{}", describe(&output));

    let url = server.url("postgres");
    if let Some(right) = password(&url) {
        let output = run(&["migrate", &url.replace(&right, "wrong-secret"), &target]);
        assert!(
            !describe(&output).contains("wrong-secret") && !describe(&output).contains(&right),
            "{}",
            describe(&output)
        );
        // A server that somebody else runs may let everybody in.
        if server.footing() != Footing::Url {
            assert_eq!(code(&output), 3, "{}", describe(&output));
            assert!(describe(&output).contains("check the user and the password"), "{}", describe(&output));
        }
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn from_plan_to_rollback() {
    let database = database();
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("app.db");
    let (url, path) = (database.url(), target.to_string_lossy().into_owned());
    let told = |name: &str, output: &Output| assert_told(name, output, Some(folder.path()));
    told("run_plan", &run(&["plan", &url]));
    let dry = run(&["migrate", &url, &path, "--dry-run"]);
    assert!(code(&dry) == 0 && !target.exists());

    Connection::open(&target).unwrap().execute_batch("CREATE TABLE old (x)").unwrap();
    let old = std::fs::read(&target).unwrap();
    told("run_migrate", &run(&["migrate", &url, &path]));
    told("run_verify", &run(&["verify", &url, &path]));
    told("run_check", &run(&["check", &path]));
    assert_eq!(code(&run(&["optimize", &path, "--vacuum"])), 0);
    assert_eq!(code(&run(&["verify", &url, &path, "--quiet"])), 0);

    Connection::open(&target)
        .unwrap()
        .execute_batch("UPDATE people SET name = 'Ida' WHERE id = 1; DELETE FROM pets WHERE id = 7")
        .unwrap();
    told("run_verify_different", &run(&["verify", &url, &path]));
    told("run_verify_quiet", &run(&["verify", &url, &path, "--quiet"]));
    told("run_verify_choices", &run(&["verify", &url, &path, "--table", "people"]));
    assert_eq!(code(&run(&["verify", &url, &path, "--verify", "counts"])), 1);
    execute(&url, "CREATE TABLE newer (id integer)");
    let output = run(&["verify", &url, &path]);
    assert!(stdout(&output).contains("newer"), "a table that is new in the source is a finding: {}", stdout(&output));

    told("run_backups", &run(&["backups", &path, "--check"]));
    told("run_rollback_unknown", &run(&["rollback", &path, "--to", "1999"]));
    told("run_rollback", &run(&["rollback", &path]));
    assert_eq!(std::fs::read(&target).unwrap(), old, "the old file, byte for byte");
    let output = run(&["backups", "prune", &path, "--keep", "1"]);
    assert!(stdout(&output).starts_with("removed 1 backup"), "{}", stdout(&output));

    told("run_backups_take", &run(&["backups", "take", &path]));
    let project = folder.path().join("rotating");
    std::fs::create_dir(&project).unwrap();
    let text = "[target]\npath = '../app.db'\n[backups]\nkeep = 1\ncompress_after_days = 0\n";
    std::fs::write(project.join("project.toml"), text).unwrap();
    told("run_backups_rotated", &run(&["backups", "prune", &project.to_string_lossy()]));
    told("run_backups_compressed", &run(&["backups", &path, "--check"]));
    assert_eq!(code(&run(&["rollback", &path])), 0);
    assert_eq!(std::fs::read(&target).unwrap(), old, "the old file, byte for byte");
}

#[test]
fn the_last_copy_of_a_first_target_stays() {
    let database = database();
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("app.db");
    let (url, path) = (database.url(), target.to_string_lossy().into_owned());
    let told = |name: &str, output: &Output| assert_told(name, output, Some(folder.path()));
    let output = run(&["migrate", &url, &path, "--no-metadata", "--table", "pets"]);
    assert_eq!(code(&output), 0, "{}", describe(&output));
    for object in ["table public.people", "view public.owners"] {
        let told = format!("{object}: not chosen by `--table`");
        assert!(stdout(&output).contains(&told), "{}", stdout(&output));
    }
    assert_eq!(code(&run(&["verify", &url, &path, "--table", "pets"])), 0);
    assert_eq!(code(&run(&["verify", &url, &path, "--quiet"])), 1, "without its choices, a table is missing");
    let first = std::fs::read(&target).unwrap();

    told("run_rollback_to_nothing", &run(&["rollback", &path]));
    assert!(!target.exists());
    told("run_backups_not_read", &run(&["backups", &path]));
    told("run_prune_last_copy", &run(&["backups", "prune", &path, "--keep", "0"]));
    assert_eq!(code(&run(&["rollback", &path])), 0, "a second rollback undoes the first");
    assert_eq!(std::fs::read(&target).unwrap(), first);
}

#[test]
fn what_has_to_be_decided_is_one_line_each_in_the_words_that_were_typed() {
    let database = database();
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("app.db").to_string_lossy().into_owned();
    let url = database.url();
    let words = ["--table", "nonsense", "--rule", "moneys=text", "--rule", "people.nme=text"];
    let invocation: Vec<&str> = ["migrate", &url, &target].into_iter().chain(words).collect();
    assert_told("run_refusals", &run(&invocation), Some(folder.path()));
    let planned: Vec<&str> = ["plan", &url, "--quiet"].into_iter().chain(words).collect();
    assert_eq!(stdout(&run(&planned)).trim(), stdout(&run(&invocation)).trim());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn every_line_of_json_is_a_message_and_no_password_is_anywhere() {
    let database = database();
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("app.db");
    let (url, path) = (database.url(), target.to_string_lossy().into_owned());
    let missing = folder.path().join("missing.db").to_string_lossy().into_owned();
    let empty = shared().expect("a server").create_database("cli").expect("a database");
    execute(&empty.url(), "CREATE TABLE a (id serial PRIMARY KEY, b text)");
    let mut seen = Vec::new();
    let mut all = String::new();
    let invocations: &[(i32, &[&str])] = &[
        (0, &["plan", &url, "--json"]),
        (0, &["migrate", &url, &path, "--json"]),
        (0, &["migrate", &url, &path, "--json", "--no-metadata", "--exclude-table", "people"]),
        (0, &["rollback", &path, "--json"]),
        (0, &["verify", &url, &path, "--json"]),
        (0, &["check", &path, "--json"]),
        (0, &["optimize", &path, "--json"]),
        (0, &["backups", &path, "--json"]),
        (0, &["backups", "take", &path, "--json"]),
        (0, &["backups", "prune", &path, "--keep", "0", "--json"]),
        (0, &["generate", &empty.url(), "--rows", "30", "--json"]),
        (2, &["generate", &empty.url(), "--json"]),
        (3, &["check", &missing, "--json"]),
        (2, &["plan", &url, "--table", "nonsense", "--json"]),
    ];
    for (expected, words) in invocations {
        let output = run(words);
        assert_eq!(code(&output), *expected, "{words:?}: {}", describe(&output));
        for line in stdout(&output).lines() {
            let message: Message = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(serde_json::to_value(&message).unwrap(), value, "nothing is lost on the way");
            seen.push(value["type"].as_str().unwrap().to_owned());
        }
        if *expected == 0 {
            all.push_str(&describe(&output));
        }
        if words[0] == "migrate"
            && let Some(password) = password(&url)
        {
            let file = std::fs::read(&target).unwrap();
            let found = file.windows(password.len()).any(|window| window == password.as_bytes());
            assert!(!found, "the password is in the target");
        }
    }
    for kind in ["plan", "phase", "table_started", "table_finished", "verification", "outcome", "restored", "check"] {
        assert!(seen.iter().any(|one| one == kind), "{kind} is missing in {seen:?}");
    }
    for kind in ["optimized", "backups", "taken", "pruned", "generated", "error"] {
        assert!(seen.iter().any(|one| one == kind), "{kind} is missing in {seen:?}");
    }
    if let Some(password) = password(&url) {
        assert!(!all.contains(&password), "the password is in the output");
    }
}

#[test]
fn a_project_decides_names_rules_and_schema() {
    let database = database();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::create_dir(folder.path().join("target")).unwrap();
    std::fs::create_dir(folder.path().join("checks")).unwrap();
    write(
        "project.toml",
        "[target]\npath = 'app.db'\nschema = 'target'\njournal_mode = 'delete'\npage_size_bytes = 8192\n\
         [names]\npeople = 'humans'\n'people.born' = 'born_at'\n[rules.columns]\n'people.born' = 'epoch-seconds'\n\
         [drop]\n'pets.owner' = 'nobody owns a pet'\n",
    );
    write(
        "target/0001_initial.up.sql",
        "CREATE TABLE humans (id INTEGER PRIMARY KEY, name TEXT NOT NULL, weight REAL, doc TEXT, born_at INTEGER) STRICT;
         CREATE TABLE pets (id INTEGER PRIMARY KEY, name TEXT) STRICT; CREATE INDEX pets_name ON pets (name);",
    );
    write("target/0001_initial.down.sql", "-- whimbrel: lossy\nDROP TABLE pets; DROP TABLE humans;");
    write("checks/names.sql", "-- Everybody has a name\nSELECT id FROM humans WHERE name IS NULL");
    let (project, url) = (folder.path().to_string_lossy().into_owned(), database.url());
    let output = run(&["migrate", &project, &url]);
    assert_eq!(code(&output), 0, "{}", describe(&output));
    assert!(stdout(&output).contains("check names.sql (Everybody has a name): passed"), "{}", describe(&output));
    assert!(stdout(&output).contains("nobody owns a pet"), "{}", describe(&output));
    let connection = Connection::open(folder.path().join("app.db")).unwrap();
    let page_size: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0)).unwrap();
    let born: i64 = connection.query_row("SELECT born_at FROM humans WHERE id = 1", [], |row| row.get(0)).unwrap();
    assert_eq!((page_size, born), (8192, 1_767_225_600));
    drop(connection);
    // The file remembers the choices: the project is not needed to verify it.
    let path = folder.path().join("app.db").to_string_lossy().into_owned();
    let output = run(&["verify", &url, &path]);
    assert_eq!(code(&output), 0, "{}", describe(&output));
    let output = run(&["check", &project]);
    assert_eq!(code(&output), 0, "{}", describe(&output));
}

#[test]
fn an_interrupted_run_leaves_the_target_as_it_was() {
    let database = database();
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("app.db");
    Connection::open(&target).unwrap().execute_batch("CREATE TABLE old (x)").unwrap();
    let old = std::fs::read(&target).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // The lock makes the program wait for the table, for as long as this test wants.
    let mut blocker = runtime.block_on(PgConnection::connect(&database.url())).unwrap();
    runtime.block_on(sqlx::raw_sql("BEGIN; LOCK TABLE pets").execute(&mut blocker)).unwrap();
    let waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'pets'::regclass AND NOT granted";
    let mut count_waiting =
        || -> i64 { runtime.block_on(sqlx::query_scalar(waiting).fetch_one(&mut blocker)).unwrap() };
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // The server may not have noticed yet that the program before this one is gone.
        let before = count_waiting();
        let child = command(&["migrate", &database.url(), &target.to_string_lossy()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let start = Instant::now();
        while count_waiting() <= before {
            assert!(start.elapsed() < Duration::from_secs(30), "the program does not wait for the lock");
            std::thread::sleep(Duration::from_millis(20));
        }
        for _ in 0..2 {
            // SAFETY: the child was started above and has not been waited for, so its id is its own.
            assert_eq!(unsafe { libc::kill(child.id() as libc::pid_t, signal) }, 0);
        }
        let output = child.wait_with_output().unwrap();
        assert_eq!(code(&output), 130, "{}", describe(&output));
        assert!(describe(&output).contains("the target is what it was before"), "{}", describe(&output));
        assert!(describe(&output).contains(": it was interrupted before it was done"), "{}", describe(&output));
        assert_eq!(std::fs::read(&target).unwrap(), old);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
    }
    runtime.block_on(blocker.close()).unwrap();
}

#[test]
fn the_environment_leads_to_a_server_as_it_leads_psql() {
    let database = database();
    let folder = tempfile::tempdir().unwrap();
    let url = database.url();
    // postgres://USER:PASSWORD@HOST:PORT/DATABASE?…
    let (server, name) = url.strip_prefix("postgres://").and_then(|rest| rest.rsplit_once('/')).expect("a URL");
    let name = name.split('?').next().expect("a name");
    let (user, place) = server.rsplit_once('@').unwrap_or(("postgres", server));
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    let (host, port) = place.rsplit_once(':').unwrap_or((place, "5432"));
    let passwords = folder.path().join("pgpass");
    std::fs::write(&passwords, format!("elsewhere:*:*:*:no\n{host}:{port}:{name}:{user}:{password}\n")).unwrap();
    std::fs::set_permissions(&passwords, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let (passwords, target) =
        (passwords.to_string_lossy(), folder.path().join("app.db").to_string_lossy().into_owned());
    let place = [("PGHOST", host), ("PGPORT", port), ("PGUSER", user), ("PGDATABASE", name), ("PGSSLMODE", "prefer")];
    let of_psql = |words: &[&str], more: &[(&str, &str)]| {
        command(words).envs(place).env("PGPASSFILE", &*passwords).envs(more.iter().copied()).output().unwrap()
    };
    let output = of_psql(&["migrate", "postgres://", &target], &[]);
    assert_eq!(code(&output), 0, "{}", describe(&output));
    assert!(stdout(&output).contains("people"), "{}", describe(&output));
    let output = of_psql(&["verify", "postgresql:///?application_name=x", &target], &[("PGCONNECT_TIMEOUT", "20")]);
    assert_eq!(code(&output), 0, "{}", describe(&output));
    // What psql obeys and nothing here does is refused; so is what is misspelt.
    for (variable, value) in [("PGSSLMODE", "verify_full"), ("PGSERVICE", "hush"), ("PGPORT", "hush")] {
        let output = of_psql(&["plan", "postgres:///"], &[(variable, value)]);
        let said = describe(&output);
        assert!(code(&output) == 2 && said.contains(&format!("the environment's {variable}")), "{said}");
        assert!(!said.contains("hush"), "{said}");
    }
    let output = of_psql(&["plan", "postgres:///"], &[("PGCONNECT_TIMEOUT", "soon")]);
    assert_eq!(code(&output), 2, "{}", describe(&output));
    // DATABASE_URL is the source where nothing else names one.
    let with = |words: &[&str], value: &str| command(words).env("DATABASE_URL", value).output().unwrap();
    for words in [&["verify", &target][..], &["plan", &target], &["migrate", &target]] {
        let output = with(words, &url);
        assert_eq!(code(&output), 0, "{}", describe(&output));
        let output = with(words, "mysql://root:hush@host/app");
        let said = describe(&output);
        assert!(code(&output) == 2 && said.contains("DATABASE_URL") && !said.contains("hush"), "{said}");
        // A file alone is a source that can be planned from.
        assert_eq!(code(&with(words, "")), if words[0] == "plan" { 0 } else { 2 });
    }
    assert_eq!(code(&with(&["migrate", &target, &target], &url)), 2, "one file is no source and a target");
    assert_eq!(code(&with(&["plan"], &url)), 0, "a plan needs no target");
    for words in [&["verify", &target][..], &["plan"], &["migrate"]] {
        let output = command(words).env_remove("DATABASE_URL").output().unwrap();
        let said = describe(&output);
        assert!(code(&output) == 2 && said.contains("DATABASE_URL"), "{said}");
    }
    // Nobody is named: it is the operating system's user, whatever USER says, and not the `anonymous` of a library.
    let place =
        [("PGHOST", host), ("PGPORT", port), ("PGDATABASE", name), ("PGPASSWORD", password), ("USER", "somebody")];
    let output = command(&["plan", "postgres://"]).envs(place).env_remove("PGUSER").output().unwrap();
    // SAFETY: geteuid cannot fail.
    let id = unsafe { libc::geteuid() }.to_string();
    let own = String::from_utf8(Command::new("id").args(["-un", &id]).output().unwrap().stdout).unwrap();
    let said = describe(&output);
    let is_asked_for = said.contains(&format!("\"{}\"", own.trim()));
    assert!(code(&output) == 0 || is_asked_for && !said.contains("anonymous") && !said.contains("somebody"), "{said}");
    assert_eq!(code(&with(&["verify", &url, &target], "postgres://127.0.0.1:1/none")), 0, "what is typed counts");
}

#[test]
fn the_database_is_the_one_that_psql_reads_whatever_its_name() {
    let database = database();
    let url = database.url();
    let (before, query) = url.split_once('?').unwrap_or((&url, ""));
    let other = format!("{}#x", database.name());
    let make = format!("CREATE DATABASE \"{other}\"");
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let mut connection = PgConnection::connect(&url).await.expect("a connection");
        sqlx::raw_sql(sqlx::AssertSqlSafe(make)).execute(&mut connection).await.expect("a database");
    });
    let output = run(&["plan", &format!("{before}#x?{query}")]);
    let drop = format!("DROP DATABASE \"{other}\"");
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let mut connection = PgConnection::connect(&url).await.expect("a connection");
        sqlx::raw_sql(sqlx::AssertSqlSafe(drop)).execute(&mut connection).await.expect("it goes");
    });
    let empty = format!("database `{other}`: there is nothing to carry");
    assert!(code(&output) == 2 && describe(&output).contains(&empty), "{}", describe(&output));
}

#[test]
fn a_report_says_no_more_than_what_was_compared() {
    let database = shared().expect("a server").create_database("cli").expect("a database");
    execute(&database.url(), "CREATE TABLE a (id integer PRIMARY KEY, b float8); INSERT INTO a VALUES (1, 'NaN')");
    let folder = tempfile::tempdir().unwrap();
    let (url, target) = (database.url(), folder.path().join("app.db").to_string_lossy().into_owned());
    let whole = "the target holds what its source holds";
    let bare = &["--no-metadata", "--allow-inexact"][..];
    for (words, cause) in [(bare, "more than that"), (&[], whole)] {
        let output = run(&[&["migrate", &url, &target][..], words].concat());
        assert_eq!(code(&output), 0, "{}", describe(&output));
        let output = run(&[&["verify", &url, &target][..], words.get(1..).unwrap_or_default()].concat());
        let said = stdout(&output);
        assert!(code(&output) == 0 && said.contains(cause) && said.contains(whole) == words.is_empty(), "{said}");
    }
    let said = stdout(&run(&["verify", &url, &target, "--verify", "counts"]));
    assert!(said.contains("values were not compared") && !said.contains(whole), "{said}");

    let project = folder.path().join("project");
    std::fs::create_dir_all(project.join("checks")).unwrap();
    let text = format!("[source]\nurl = {}\n[target]\npath = \"app.db\"\n", serde_json::to_string(&url).unwrap());
    std::fs::write(project.join("project.toml"), text).unwrap();
    std::fs::write(project.join("checks/one.sql"), "SELECT id FROM a").unwrap();
    let output = run(&["migrate", &project.to_string_lossy()]);
    assert_eq!(code(&output), 1, "{}", describe(&output));
    assert!(stdout(&output).contains("NOT PUBLISHED: a check of the project found rows;"), "{}", describe(&output));
}

#[test]
fn what_is_misspelt_is_told_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (app, plain) = (path("app.db"), path("notadb.db"));
    Connection::open(&app).unwrap().execute_batch("CREATE TABLE a (b)").unwrap();
    std::fs::write(&plain, "this is no database, and long enough to be asked for one ".repeat(20)).unwrap();
    std::fs::create_dir(path("migrations")).unwrap();
    std::fs::write(path("migrations/0001_a.up.sql"), "CREATE TABLE c (d);").unwrap();
    std::fs::write(path("migrations/0001_a.down.sql"), "-- whimbrel: lossless\nDROP TABLE c;").unwrap();
    let cases: &[(i32, &[&str], &str)] = &[
        (2, &["plan", "postgres://ann@127.0.0.1:1/app?sslmod=require"], "the parameter `sslmod` is not known"),
        (2, &["plan", "postgres://ann@127.0.0.1:1/app?sslmode=foo"], "its values are `disable`, `allow`"),
        (2, &["schema", "status", "postgres://ann@127.0.0.1:1/app?sslmod=require", &path("migrations")], "`sslmod`"),
        (3, &["backups", &app, "--backups", &path("nosuch")], "there is no such folder"),
        (3, &["backups", "prune", &app, "--keep", "1", "--backups", &path("nosuch")], "there is no such folder"),
        (3, &["rollback", &app], "`--backups DIR`"),
        (2, &["check", &app, "--unchanged", "--digest", "zz"], "a digest has 32 digits"),
        (2, &["schema", "up", &app, &path("nofolder")], "there is no folder `"),
        (3, &["schema", "up", &plain, &path("migrations")], "file is not a database"),
    ];
    for (expected, words, cause) in cases {
        let output = run(words);
        let said = describe(&output);
        assert_eq!(code(&output), *expected, "{words:?}: {said}");
        assert!(said.contains(cause) && !said.contains("Error code"), "{words:?}: {said}");
    }
}

#[test]
fn an_ipv6_address_is_connected_to() {
    use std::io::ErrorKind;
    use std::net::{TcpListener, TcpStream};
    let database = database();
    let url = database.url();
    let (before, after) = url.split_once('@').expect("a user");
    let (place, rest) = after.split_once('/').expect("a path");
    let place = place.to_owned();
    let listener = match TcpListener::bind("[::1]:0") {
        Ok(listener) => listener,
        Err(error) if matches!(error.kind(), ErrorKind::AddrNotAvailable | ErrorKind::Unsupported) => {
            eprintln!("this machine has no IPv6: {error}");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let port = listener.local_addr().unwrap().port();
    // Whatever comes goes on to the server, which may listen on another address only.
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(&place).expect("the server");
            for (mut from, mut to) in [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)] {
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(std::net::Shutdown::Write);
                });
            }
        }
    });
    let url = format!("{before}@[::1]:{port}/{rest}");
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("app.db").to_string_lossy().into_owned();
    let output = run(&["migrate", &url, &target]);
    assert_eq!(code(&output), 0, "{}", describe(&output));
    let output = run(&["generate", &url, "--rows", "3", "--append"]);
    assert_eq!(code(&output), 0, "{}", describe(&output));
}

/// The project `vibing2` with the variables of its application, in the forms that it sets; `plan` says what decided.
#[test]
fn a_project_takes_url_and_path_from_the_environment() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let project = root.join("migrations/vibing2");
    let database = shared().expect("a server").create_database("cli").expect("a database");
    execute(&database.url(), include_str!("../../migrations/vibing2/source/0001_initial.up.sql"));
    let url = database.url();
    let password =
        url.split_once("//").and_then(|(_, rest)| rest.split_once('@')?.0.split_once(':')).map(|(_, word)| word);
    let folder = tempfile::tempdir().expect("a folder");
    let run = |words: &[&str], variables: &[(&str, &str)]| {
        let mut command = command(&[&[words[0], project.to_str().expect("UTF-8")], &words[1..]].concat());
        command.current_dir(folder.path()).env_remove("POSTGRES_URL").env_remove("SQLITE_URL");
        let output = command.envs(variables.iter().copied()).output().expect("the program starts");
        let told = describe(&output);
        assert!(password.is_none_or(|password| !told.contains(password)), "{told}");
        (code(&output), told)
    };
    for (form, file) in
        [("sqlite:one.db", "one.db"), ("file:./two.db?connection_limit=1", "two.db"), ("three.db", "three.db")]
    {
        let (ended, told) = run(&["migrate"], &[("POSTGRES_URL", &url), ("SQLITE_URL", form)]);
        assert!(ended == 0 && folder.path().join(file).is_file(), "{told}");
    }
    let (ended, told) = run(&["plan"], &[("POSTGRES_URL", &url)]);
    assert_eq!(ended, 0, "{told}");
    for line in [
        "`source.url` is what the variable `POSTGRES_URL` holds\n",
        "`target.path` is the project's default: the variable `SQLITE_URL` is not set\n",
    ] {
        assert!(told.contains(line), "{told}");
    }
    assert!(told.contains("migrations/vibing2/vibing2.db\n"), "{told}");
    // What is typed comes first, and says nothing of variables.
    let (ended, told) = run(&["plan", &url, "typed.db"], &[("SQLITE_URL", "sqlite:one.db")]);
    assert!(ended == 0 && !told.contains("the variable"), "{told}");
    let (_, told) = run(&["plan", "--json"], &[("POSTGRES_URL", &url), ("SQLITE_URL", "sqlite:one.db")]);
    let line = told.lines().find(|line| line.starts_with("{\"type\":\"plan\"")).expect("a plan");
    let Ok(Message::Plan(plan)) = serde_json::from_str(line) else { panic!("{line}") };
    let from: Vec<_> =
        plan.settings.iter().map(|setting| (&*setting.key, &*setting.variable, &*setting.from)).collect();
    assert_eq!(from, [("source.url", "POSTGRES_URL", "environment"), ("target.path", "SQLITE_URL", "environment")]);
    let (ended, told) = run(&["plan"], &[]);
    assert!(ended == 2 && told.contains("no source is given"), "{told}");
    assert!(told.contains("or set the variable `POSTGRES_URL`, which `source.url` of the project names"), "{told}");
    let (ended, told) = run(&["plan"], &[("POSTGRES_URL", "mysql://ann:secret@host/app")]);
    assert!(
        ended == 2 && told.contains("key `source.url`, variable `POSTGRES_URL`: this scheme is not known"),
        "{told}"
    );
    assert!(!told.contains("secret"), "{told}");
}
