//! Promises of the program that need a run of their own to be seen: flat memory, what a level leaves out, a file
//! without metadata, choices of what is carried, a plan that writes nothing, cycles of keys, long lists of differences.

use crate::support::whole_run::Server;
use rusqlite::Connection;
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use whimbrel::provision::{Database, shared};

fn database(name: &str, sql: &str) -> Database {
    let database = shared().expect("a PostgreSQL server").create_database(name).expect("a database");
    Server::connect(&database.url()).run(sql);
    database
}

fn program(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_whimbrel"));
    command.args(words).stdin(Stdio::null()).env("COLUMNS", "100");
    command
}

/// Runs the program, insists on its exit code, and returns standard output.
fn run(code: i32, words: &[&str]) -> String {
    let Output { status, stdout, stderr } = program(words).output().expect("the program starts");
    let (out, err) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert_eq!(status.code(), Some(code), "whimbrel {}:\n{out}{err}", words[0]);
    out.into_owned()
}

/// The data of the one message of that type.
fn message(output: &str, kind: &str) -> Value {
    let mut found = output
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .filter(|message| message["type"] == kind);
    let data = found.next().unwrap_or_else(|| panic!("no message `{kind}` in {output}"))["data"].take();
    assert!(found.next().is_none(), "more than one message `{kind}`");
    data
}

fn list<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value[field].as_array().unwrap_or_else(|| panic!("`{field}` is no list in {value}"))
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_else(|| panic!("`{field}` is no text in {value}"))
}

fn path_in(folder: &tempfile::TempDir, name: &str) -> String {
    folder.path().join(name).to_str().expect("a path in UTF-8").to_owned()
}

fn names(path: &str, kind: &str) -> Vec<String> {
    let connection = Connection::open(path).expect("the target");
    let sql = "SELECT name FROM sqlite_schema WHERE type = ?1 AND sql IS NOT NULL
               AND substr(name, 1, 7) <> 'sqlite_' AND substr(name, 1, 10) <> '_whimbrel_' ORDER BY name";
    let mut statement = connection.prepare(sql).expect("the schema");
    statement.query_map([kind], |row| row.get(0)).expect("names").collect::<Result<_, _>>().expect("names")
}

fn ddl(path: &str, table: &str) -> String {
    let connection = Connection::open(path).expect("the target");
    connection
        .query_row("SELECT sql FROM sqlite_schema WHERE name = ?1", [table], |row| row.get(0))
        .unwrap_or_else(|error| panic!("{table}: {error}"))
}

/// Runs a migration and returns the most memory that it had at one time, in bytes. What `wait4` tells would include that of
/// this process, which had much more before it started the other.
fn peak_memory_bytes(url: &str, target: &str) -> u64 {
    let log = std::fs::File::create(format!("{target}.log")).expect("a log");
    let mut child = program(&["migrate", url, target, "--no-progress"])
        .stdout(log.try_clone().expect("a handle"))
        .stderr(log)
        .spawn()
        .expect("the program starts");
    let path = format!("/proc/{}/status", child.id());
    let mut peak_kib = 0;
    let status = loop {
        let status = std::fs::read_to_string(&path).expect("Linux tells what a process has");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).and_then(|kib| kib.parse::<u64>().ok());
        peak_kib = peak_kib.max(kib.unwrap_or(0));
        if let Some(status) = child.try_wait().expect("it can be waited for") {
            break status;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let told = std::fs::read_to_string(format!("{target}.log")).expect("the log");
    assert!(status.success() && peak_kib > 0, "{told}");
    peak_kib * 1024
}

#[test]
fn memory_does_not_grow_with_the_rows() {
    const MIB: u64 = 1024 * 1024;
    let peak = |rows: u64| {
        let database = database(
            "memory",
            &format!(
                "CREATE TABLE events (id text PRIMARY KEY, kind text NOT NULL, doc jsonb, marks integer[], price numeric(12,4));
                 INSERT INTO events SELECT 'event-' || n, 'kind ' || n % 50, jsonb_build_object('n', n, 'on', n % 2 = 0),
                   ARRAY[n, n % 7, NULL], n / 8.0 FROM generate_series(1, {rows}) AS n;
                 CREATE INDEX events_kind ON events (kind)"
            ),
        );
        let folder = tempfile::tempdir().expect("a directory");
        let target = path_in(&folder, "events.db");
        let started = Instant::now();
        let bytes = peak_memory_bytes(&database.url(), &target);
        let seconds = started.elapsed().as_secs_f64();
        let _ = writeln!(std::io::stderr(), "promises: {rows} rows in {seconds:.1} s, {} MiB at most", bytes / MIB);
        let connection = Connection::open(&target).expect("the target");
        let counted: i64 = connection.query_row("SELECT count(*) FROM events", [], |row| row.get(0)).expect("a count");
        assert_eq!(counted.unsigned_abs(), rows);
        bytes
    };
    // Caches and the sorter of the index are bounded, and are full at the smaller number.
    let (few, many) = (peak(200_000), peak(600_000));
    assert!(many < 200 * MIB, "{} MiB", many / MIB);
    assert!(many < few + 32 * MIB, "{} MiB became {} MiB", few / MIB, many / MIB);
}

#[test]
fn each_level_says_what_it_did_not_check() {
    let database = database(
        "levels",
        "CREATE TABLE parents (id integer PRIMARY KEY, name text); INSERT INTO parents VALUES (1, 'a'), (2, 'b');
         CREATE TABLE children (id integer PRIMARY KEY, parent integer REFERENCES parents);
         INSERT INTO children VALUES (1, 1), (2, 2)",
    );
    let url = database.url();
    let structure = "foreign keys, structural integrity and the project's checks";
    let levels: [(&str, &[&str]); 3] = [("counts", &["values", structure]), ("digest", &[structure]), ("full", &[])];
    for (level, left_out) in levels {
        let folder = tempfile::tempdir().expect("a directory");
        let target = path_in(&folder, "app.db");
        for verb in ["migrate", "verify"] {
            let told = run(0, &[verb, &url, &target, "--verify", level]);
            assert!(told.contains(&format!("verify   {level}: ")), "{told}");
            let lines: Vec<_> = told.lines().filter_map(|line| line.strip_prefix("not checked: ")).collect();
            assert_eq!(lines.len(), left_out.len(), "{verb} {level}: {told}");
            assert!(lines.iter().zip(left_out).all(|(line, part)| line.starts_with(part)), "{verb} {level}: {told}");
            assert_eq!(told.contains("\nforeign keys: every row has its parent"), level == "full", "{told}");
            assert_eq!(told.contains("\nintegrity: "), level == "full", "{told}");
            assert_eq!(told.contains("counted only"), level == "counts", "{told}");

            let found = message(&run(0, &[verb, &url, &target, "--verify", level, "--json"]), "verification");
            assert_eq!(found["level"], level);
            let told: Vec<_> = list(&found, "not_checked").iter().map(|one| one.as_str().expect("text")).collect();
            assert_eq!(told, lines, "{verb} {level}: the JSON says what the text says");
            assert_eq!(found["foreign_keys"].is_null(), level != "full", "{found}");
            assert_eq!(found["integrity"].is_null(), level != "full", "{found}");
            for table in list(&found, "tables") {
                assert_eq!(table["target_digest"].is_null(), level == "counts", "{table}");
            }
        }
        // What is said to be unchecked is: a changed value for `counts`, and for `digest` still the value alone.
        Connection::open(&target)
            .expect("the target")
            .execute("UPDATE parents SET name = 'c' WHERE id = 1", [])
            .expect("a change");
        run(if level == "counts" { 0 } else { 1 }, &["verify", &url, &target, "--verify", level]);
    }
}

#[test]
fn without_metadata_the_report_counts_what_is_not_exact() {
    let database = database(
        "bare",
        "CREATE TABLE numbers (id integer PRIMARY KEY, a double precision, b real);
         INSERT INTO numbers VALUES (1, 'NaN', 1.5), (2, '-0', 'NaN'), (3, 0, '-0'), (4, NULL, 2), (5, 1e300, NULL);
         CREATE TABLE plain (id integer PRIMARY KEY); INSERT INTO plain VALUES (1)",
    );
    let (url, folder) = (database.url(), tempfile::tempdir().expect("a directory"));
    let target = path_in(&folder, "bare.db");
    // Nobody has said that values may be lost.
    let columns = ["column `public.numbers.a`: 2 values, the first in row [1]: `NaN`", "`public.numbers.b`: 2 values"];
    for quiet in [&[][..], &["--quiet"]] {
        let told = run(1, &[&["migrate", &url, &target, "--no-metadata"], quiet].concat());
        for part in ["NOT EXACT: 4 values hold less than the source"].iter().chain(&columns) {
            assert!(told.contains(part), "`{part}` is not in {told}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 0, "nothing is published");
    }
    let told = program(&["migrate", &url, &target, "--no-metadata"]).output().expect("the program starts").stderr;
    assert!(String::from_utf8_lossy(&told).contains("or accept it with `--allow-inexact`"));
    let told = run(0, &["migrate", &url, &target, "--no-metadata", "--allow-inexact"]);
    for part in ["no metadata: no ledger", "NOT EXACT: 4 values hold less than the source", "  NO  "] {
        assert!(told.contains(part), "`{part}` is not in {told}");
    }
    let connection = Connection::open(&target).expect("the target");
    let all: Vec<String> = connection
        .prepare("SELECT name FROM sqlite_schema ORDER BY name")
        .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
        .expect("the schema");
    assert!(!all.is_empty() && all.iter().all(|name| !name.starts_with("_whimbrel_")), "{all:?}");
    let kept: String = connection
        .query_row(
            "SELECT group_concat(coalesce(a, 'NULL') || ' ' || coalesce(b, 'NULL'), '; ') FROM numbers",
            [],
            |row| row.get(0),
        )
        .expect("the rows");
    assert_eq!(kept, "NULL 1.5; 0.0 NULL; 0.0 0.0; NULL 2.0; 1.0e+300 NULL");

    let outcome = ["migrate", &url, &path_in(&folder, "data.db"), "--no-metadata", "--allow-inexact", "--json"];
    let outcome = message(&run(0, &outcome), "outcome");
    assert_eq!((&outcome["metadata"], &outcome["ledger_entries"]), (&Value::from(false), &Value::from(0)));
    let tables: Vec<_> = list(&outcome, "tables")
        .iter()
        .map(|table| (text(table, "source"), &table["inexact_values"], &table["exact"]))
        .collect();
    assert!(tables.contains(&("public.numbers", &Value::from(4), &Value::from(false))), "{tables:?}");
    assert!(tables.contains(&("public.plain", &Value::from(0), &Value::from(true))), "{tables:?}");

    // What the columns can hold is compared later too; the rest is said to be unchecked, and a fault unless it is allowed.
    let told = run(1, &["verify", &url, &target]);
    assert!(columns.iter().all(|part| told.contains(part)), "{told}");
    let verify = ["verify", &url, &target, "--allow-inexact"];
    let told = run(0, &verify);
    assert!(told.contains("the values above are more than that") && !told.contains("holds what its source"), "{told}");
    for part in ["what columns cannot hold and the ledger would keep", "whether the choices are those"] {
        assert!(told.contains(&format!("not checked: {part}")), "`{part}` is not in {told}");
    }
    for (change, back) in [
        ("UPDATE numbers SET a = 5 WHERE id = 1", "UPDATE numbers SET a = NULL WHERE id = 1"),
        ("UPDATE numbers SET b = 2.5 WHERE id = 4", "UPDATE numbers SET b = 2 WHERE id = 4"),
    ] {
        connection.execute(change, []).expect("a change");
        assert!(run(1, &verify).contains("table `public.numbers` differs"), "{change}");
        connection.execute(back, []).expect("as it was");
    }
    run(0, &verify);

    // A project says it once.
    let settings = |allow: &str| {
        let url = serde_json::to_string(&url).expect("a text");
        format!("[source]\nurl = {url}\n[target]\npath = \"own.db\"\nmetadata = false\n{allow}")
    };
    let project = folder.path().join("project");
    std::fs::create_dir(&project).expect("a folder");
    for (allow, code) in [("", 1), ("allow_inexact = true\n", 0)] {
        std::fs::write(project.join("project.toml"), settings(allow)).expect("a project");
        run(code, &["migrate", &project.to_string_lossy()]);
        assert_eq!(project.join("own.db").exists(), code == 0);
    }
    run(0, &["verify", &project.to_string_lossy()]);
    std::fs::write(project.join("project.toml"), settings("")).expect("a project");
    run(1, &["verify", &project.to_string_lossy()]);

    // The same rows with metadata: the ledger keeps each, and nothing is called inexact.
    let told = run(0, &["migrate", &url, &path_in(&folder, "whole.db")]);
    assert!(told.contains("ledger: 4 values") && !told.contains("NOT EXACT"), "{told}");
}

/// The kinds of what an outcome says was not carried because it was excluded, with what it names.
fn excluded(outcome: &Value) -> Vec<(String, String)> {
    let by_choice = |reason: &str| reason.contains("excluded by name") || reason == "not chosen by `--table`";
    let losses = list(outcome, "not_carried").iter().filter(|loss| by_choice(text(loss, "reason")));
    let mut names: Vec<_> =
        losses.map(|loss| (text(loss, "kind").to_owned(), text(loss, "object").to_owned())).collect();
    names.sort();
    names
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(kind, object)| ((*kind).to_owned(), (*object).to_owned())).collect()
}

#[test]
fn what_is_excluded_is_not_carried_and_named() {
    let database = database(
        "chosen",
        "CREATE SCHEMA other; CREATE TABLE other.far (id integer);
         CREATE TABLE audit_log (id integer); CREATE TABLE audit_old (id integer);
         CREATE TABLE people (id integer PRIMARY KEY, name text CONSTRAINT one_name UNIQUE);
         CREATE TABLE pets (id integer PRIMARY KEY, owner integer CONSTRAINT owned REFERENCES people,
           age integer CONSTRAINT born CHECK (age >= 0), legs integer CONSTRAINT walks CHECK (legs > 0));
         CREATE INDEX pets_by_age ON pets (age); CREATE INDEX pets_by_legs ON pets (legs);
         CREATE VIEW owners AS SELECT owner FROM pets; CREATE VIEW ages AS SELECT age FROM pets",
    );
    let (url, folder) = (database.url(), tempfile::tempdir().expect("a directory"));
    let target = path_in(&folder, "tables.db");
    let words = ["migrate", &url, &target, "--table", "public.*", "--exclude-table", "audit_*", "--json"];
    let outcome = message(&run(0, &words), "outcome");
    assert_eq!(names(&target, "table"), ["people", "pets"]);
    let tables = [("table", "other.far"), ("table", "public.audit_log"), ("table", "public.audit_old")];
    assert_eq!(excluded(&outcome), pairs(&tables));

    // Without its parent a table is carried and its key is named.
    let outcome = message(&run(0, &["migrate", &url, &target, "--table", "pets", "--json"]), "outcome");
    assert_eq!(names(&target, "table"), ["pets"]);
    assert!(!ddl(&target, "pets").contains("REFERENCES"), "{}", ddl(&target, "pets"));
    let losses = list(&outcome, "not_carried");
    assert!(
        losses.iter().any(|loss| loss["kind"] == "foreign key" && text(loss, "object").contains("owned")),
        "{losses:?}"
    );

    let project = folder.path().join("project");
    std::fs::create_dir(&project).expect("a folder");
    // What is misspelt excludes nothing.
    let misspelt = format!("[source]\nurl = '{url}'\n[tables]\nexclude_objects = ['pets.bron', 'ages']\n");
    std::fs::write(project.join("project.toml"), misspelt).expect("a project");
    let plan = message(&run(2, &["plan", project.to_str().expect("a path"), "--json"]), "plan");
    let refused: Vec<&str> = list(&plan, "refusals").iter().map(|refusal| text(refusal, "object")).collect();
    assert_eq!(refused, ["`tables.exclude_objects` `pets.bron`"]);

    let target = path_in(&folder, "objects.db");
    std::fs::write(
        project.join("project.toml"),
        format!(
            "[source]\nurl = '{url}'\n[target]\npath = '{target}'\n[tables]\nexclude = ['audit_*', 'other.*']\n\
             exclude_objects = ['owned', 'pets.born', 'one_name', 'pets_by_age', 'ages']\n"
        ),
    )
    .expect("a project");
    let outcome = message(&run(0, &["migrate", project.to_str().expect("a path"), "--json"]), "outcome");
    let objects = [
        ("check", "public.pets.born"),
        ("foreign key", "public.pets.owned"),
        ("index", "pets_by_age on public.pets"),
        ("table", "other.far"),
        ("table", "public.audit_log"),
        ("table", "public.audit_old"),
        ("unique key", "public.people.one_name"),
        ("view", "public.ages"),
    ];
    assert_eq!(excluded(&outcome), pairs(&objects));
    assert_eq!(names(&target, "table"), ["people", "pets"]);
    assert_eq!((names(&target, "index"), names(&target, "view")), (vec!["pets_by_legs".into()], vec!["owners".into()]));
    let (people, pets) = (ddl(&target, "people"), ddl(&target, "pets"));
    assert!(pets.contains("\"walks\" CHECK") && !pets.contains("born") && !pets.contains("REFERENCES"), "{pets}");
    assert!(people.contains("PRIMARY KEY") && !people.contains("UNIQUE"), "{people}");
}

/// Everything that this database has, as its catalogs and tables tell it, the transactions that wrote it included. Of the
/// catalogs themselves only that they are there: autovacuum looks after them whenever it likes.
fn fingerprint(server: &mut Server) -> Vec<String> {
    let mut parts = server.column(
        "SELECT concat_ws(' ', oid, relname, relfilenode,
           CASE WHEN oid >= 16384 THEN concat_ws(' ', relpages, reltuples, xmin) END) FROM pg_class ORDER BY oid",
    );
    for table in ["people", "pets", "odd"] {
        parts.extend(
            server.column(format!("SELECT concat_ws(' ', ctid, xmin, xmax, t) FROM {table} AS t ORDER BY ctid")),
        );
    }
    parts
}

/// One blank for every run of white space, so that indentation does not matter.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_plan_writes_nothing_and_says_the_same_as_text_and_as_data() {
    let database = database(
        "planned",
        "CREATE TABLE people (id integer PRIMARY KEY, name varchar(9) NOT NULL, weight real, doc jsonb, born timestamptz,
           price numeric, CONSTRAINT named CHECK (name <> ''), CONSTRAINT shaped CHECK (name = reverse(name)));
         CREATE TABLE pets (id bigserial PRIMARY KEY, owner integer REFERENCES people ON DELETE CASCADE, name text UNIQUE);
         CREATE TABLE odd (at tsrange, EXCLUDE USING gist (at WITH &&)); CREATE SEQUENCE lonely;
         CREATE INDEX pets_by_name ON pets (lower(name) DESC); CREATE INDEX people_docs ON people USING gin (doc);
         CREATE VIEW owners AS SELECT p.name, count(*) AS pets FROM people p JOIN pets q ON q.owner = p.id GROUP BY p.name;
         CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
         CREATE TRIGGER touched BEFORE UPDATE ON pets FOR EACH ROW EXECUTE FUNCTION touch();
         INSERT INTO people VALUES (1, 'ada', 'NaN', '{}', now(), 1); INSERT INTO pets (owner, name) VALUES (1, 'rex');
         INSERT INTO odd VALUES ('[2026-01-01,2026-01-02)'); ANALYZE;
         ALTER TABLE people SET (autovacuum_enabled = false); ALTER TABLE pets SET (autovacuum_enabled = false)",
    );
    let url = database.url();
    let mut server = Server::connect(&url);
    let folder = tempfile::tempdir().expect("a directory");
    let target = path_in(&folder, "app.db");
    Connection::open(&target).expect("a file").execute_batch("CREATE TABLE old (a)").expect("an old target");
    let files = |folder: &Path| {
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .expect("the directory")
            .map(|entry| entry.expect("an entry").path())
            .map(|path| (std::fs::read(&path).expect("a file"), path))
            .collect();
        files.sort();
        files
    };
    let before = (fingerprint(&mut server), files(folder.path()));
    let plan = |words: &[&str], code: i32| {
        let output =
            program(words).current_dir(folder.path()).env("TMPDIR", folder.path()).output().expect("it starts");
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let told = plan(&["plan", &url, "app.db"], 0);
    let data = message(&plan(&["plan", &url, "app.db", "--json"], 0), "plan");
    plan(&["migrate", &url, "app.db", "--dry-run"], 0);
    assert_eq!(before.0, fingerprint(&mut server), "a plan has written something");
    assert!(before.1 == files(folder.path()), "a plan has written a file");

    let told = flat(&told);
    let says = |part: String| assert!(told.contains(&flat(&part)), "`{part}` is not in {told}");
    let tables = list(&data, "tables");
    assert_eq!(tables.len(), 3);
    for table in tables {
        says(format!("{} to `{}`", text(table, "source"), text(table, "target")));
        says(format!("{};", text(table, "ddl")));
        for column in list(table, "columns") {
            let exact =
                column["ledger"].as_str().map_or_else(|| "yes".to_owned(), |rest| format!("with ledger: {rest}"));
            assert_eq!(column["exact"], column["ledger"].is_null(), "{column}");
            says(format!("{} {} {} {exact}", text(column, "source"), text(column, "type"), text(column, "rule")));
        }
        for index in list(table, "indexes") {
            says(format!("{};", text(index, "sql")));
        }
    }
    list(&data, "views").iter().for_each(|view| says(format!("{};", text(view, "sql"))));
    let losses = list(&data, "not_carried");
    for kind in ["trigger", "function", "exclusion constraint", "index", "check", "sequence"] {
        assert!(losses.iter().any(|loss| loss["kind"] == kind), "no {kind} in {losses:?}");
    }
    says(format!("not carried ({}):", losses.len()));
    for loss in losses {
        says(format!("{} {}: {}", text(loss, "kind"), text(loss, "object"), text(loss, "reason")));
    }
    let caveats = list(&data, "caveats");
    assert!(!caveats.is_empty(), "this test would show nothing");
    says(format!("to know ({}):", caveats.len()));
    caveats.iter().for_each(|caveat| says(format!("{}: {}", text(caveat, "object"), text(caveat, "text"))));

    // What has to be decided first is in both as well.
    let told = plan(&["plan", &url, "--exclude-table", "peeple"], 2);
    let data = message(&plan(&["plan", &url, "--exclude-table", "peeple", "--json"], 2), "plan");
    let refusals = list(&data, "refusals");
    assert_eq!(refusals.len(), 1, "{data}");
    for field in ["object", "reason", "way_out"] {
        assert!(told.contains(text(&refusals[0], field)), "{field}: {told}");
    }
}

#[test]
fn keys_that_form_a_cycle_are_carried_and_enforced() {
    let database = database(
        "cycle",
        "CREATE TABLE teams (id integer PRIMARY KEY, leader integer NOT NULL, name text);
         CREATE TABLE members (id integer PRIMARY KEY, team integer NOT NULL
           CONSTRAINT in_team REFERENCES teams DEFERRABLE INITIALLY DEFERRED);
         ALTER TABLE teams ADD CONSTRAINT led_by FOREIGN KEY (leader) REFERENCES members DEFERRABLE INITIALLY DEFERRED;
         BEGIN; INSERT INTO teams SELECT n, n + 1000, 'team ' || n FROM generate_series(1, 300) AS n;
         INSERT INTO members SELECT n + 1000, n FROM generate_series(1, 300) AS n; COMMIT",
    );
    let (url, folder) = (database.url(), tempfile::tempdir().expect("a directory"));
    let target = path_in(&folder, "cycle.db");
    let found = message(&run(0, &["migrate", &url, &target, "--json"]), "verification");
    assert_eq!((&found["sound"], &found["foreign_keys"]["total"]), (&Value::from(true), &Value::from(0)));
    assert!(list(&found["foreign_keys"], "unusable").is_empty(), "{found}");

    let connection = Connection::open(&target).expect("the target");
    let rows: String = connection
        .query_row(
            "SELECT count(*) || ' ' || (SELECT count(*) FROM pragma_foreign_key_list('teams')) || ' '
                 || (SELECT count(*) FROM pragma_foreign_key_list('members'))
             FROM teams AS t JOIN members AS m ON m.id = t.leader AND m.team = t.id",
            [],
            |row| row.get(0),
        )
        .expect("the rows");
    assert_eq!(rows, "300 1 1");
    connection.execute_batch("PRAGMA foreign_keys = ON").expect("foreign keys");
    let refused = |sql: &str, part: &str| {
        let error = connection.execute_batch(sql).expect_err(sql).to_string();
        assert!(error.contains(part), "{sql}: {error}");
        if !connection.is_autocommit() {
            connection.execute_batch("ROLLBACK").expect("back");
        }
    };
    refused("INSERT INTO teams VALUES (500, 1500, 'no leader')", "FOREIGN KEY");
    refused("INSERT INTO members VALUES (1500, 500)", "FOREIGN KEY");
    refused("DELETE FROM members WHERE id = 1001", "FOREIGN KEY");
    refused("BEGIN; INSERT INTO teams VALUES (500, 1500, 'half'); COMMIT", "FOREIGN KEY");
    refused("INSERT INTO teams VALUES (500, NULL, 'nobody')", "NOT NULL");
    let both = "BEGIN; INSERT INTO teams VALUES (500, 1500, 'both'); INSERT INTO members VALUES (1500, 500); COMMIT";
    connection.execute_batch(both).expect("the keys are deferred, as in the source");
}

#[test]
fn a_long_list_of_differences_is_bounded_and_its_total_exact() {
    let database = database(
        "bounded",
        "CREATE TABLE notes (id integer PRIMARY KEY, body text NOT NULL);
         INSERT INTO notes SELECT n, 'note ' || n FROM generate_series(1, 1000) AS n",
    );
    let (url, folder) = (database.url(), tempfile::tempdir().expect("a directory"));
    let target = path_in(&folder, "notes.db");
    run(0, &["migrate", &url, &target]);
    let change = |sql: &str| Connection::open(&target).expect("the target").execute_batch(sql).expect("a change");
    let judge = |totals: &str, more: &str, figures: [u64; 3]| {
        let told = run(1, &["verify", &url, &target]);
        assert!(told.contains(totals), "`{totals}` is not in {told}");
        assert!(told.contains(&format!("  … and {more} more\n")), "{told}");
        assert_eq!(told.lines().filter(|line| line.starts_with("  row [")).count(), 20, "{told}");
        let found = message(&run(1, &["verify", &url, &target, "--json"]), "verification");
        let table = &list(&found, "tables")[0];
        assert_eq!(["changed", "missing", "surplus"].map(|field| table[field].as_u64().expect("a number")), figures);
        assert_eq!(list(table, "rows").len(), 20);
    };
    change("UPDATE notes SET body = body || '!' WHERE id % 20 = 0");
    judge("50 changed, 0 missing from the target, 0 in the target only", "30", [50, 0, 0]);
    change("DELETE FROM notes WHERE id % 100 = 7; INSERT INTO notes VALUES (2001, 'a'), (2002, 'b'), (2003, 'c')");
    judge("50 changed, 10 missing from the target, 3 in the target only", "43", [50, 10, 3]);
}

#[test]
fn a_default_that_an_integer_key_cannot_have_is_named() {
    let database = database(
        "key_default",
        "CREATE TABLE only_row (id integer PRIMARY KEY DEFAULT 0, version integer DEFAULT 1); INSERT INTO only_row VALUES (0);
         CREATE TABLE counted (id serial PRIMARY KEY)",
    );
    let data = message(&run(0, &["plan", &database.url(), "--json"]), "plan");
    let losses = list(&data, "not_carried");
    assert_eq!(losses.len(), 1, "{losses:?}");
    assert_eq!((text(&losses[0], "kind"), text(&losses[0], "object")), ("default", "public.only_row.id"));
    assert!(text(&losses[0], "reason").starts_with("`0`: "), "{losses:?}");
}
