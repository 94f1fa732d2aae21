//! What is said of files and trees is what was done, and what it names helps.

use crate::trees::{Made, run, text};
use rusqlite::Connection;
use std::fs;
use std::path::{Path, PathBuf};

const SESSIONS: &str = "migrations/sessions";

fn file(path: PathBuf, sql: &str) -> PathBuf {
    Connection::open(&path).expect("a file").execute_batch(sql).expect("its content");
    path
}

fn assert_parts(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "`{part}` is not in {said}");
    }
}

#[test]
fn a_level_is_asked_or_what_it_leaves_out_is_told() {
    let made = Made::new();
    let (tree, db) = (text(&made.tree), text(&made.file));
    let full = ["foreign keys: every row has its parent", "integrity: every page"];
    for (level, asked) in [
        (None, &full[..]),
        (Some("counts"), &["not checked: values", "not checked: foreign keys"]),
        (Some("digest"), &["not checked: foreign keys"]),
        (Some("full"), &full),
        (Some("paranoid"), &full),
    ] {
        for sides in [[tree, db], [db, tree]] {
            let options = level.map_or(Vec::new(), |level| vec!["--verify", level]);
            let said = run(&[&["verify"][..], &sides, &options].concat(), 0);
            assert_parts(&said, &[&format!("verify   {}:", level.unwrap_or("full"))]);
            assert_parts(&said, asked);
        }
    }
    let said = run(&["verify", SESSIONS, tree, db], 0);
    for check in fs::read_dir(Path::new(SESSIONS).join("checks")).expect("checks") {
        let name = check.expect("a check").file_name();
        assert_parts(&said, &[&format!("check {}", name.to_string_lossy())]);
    }
    // What no file of the tree has is not compared, and named.
    assert_parts(&said, &["columns that nothing of the source fills: ", "`sessions.instance_count`"]);
    let said = run(&["verify", tree, db, "--only", "sessions"], 2);
    assert_parts(&said, &["`--only`", "the file's own manifest decides"]);

    let [one, other] = ["a.db", "b.db"].map(|name| file(made.folder.path().join(name), "CREATE TABLE t (x)"));
    for level in ["full", "paranoid"] {
        let said = run(&["verify", text(&one), text(&other), "--verify", level], 0);
        assert_parts(
            &said,
            &["verify   digest:", "integrity of the source: every page", "not checked: foreign keys and checks"],
        );
    }
}

#[test]
fn the_rows_of_files_keep_their_way_back() {
    let made = Made::new();
    let other = made.folder.path().join("other.db");
    for source in [&[SESSIONS, text(&made.tree)][..], &[text(&made.file)]] {
        let said = run(&[&["migrate"][..], source, &[text(&other), "--no-metadata"]].concat(), 2);
        assert_parts(&said, &["tree of files", "leave `--no-metadata` out"]);
        assert!(!other.exists());
    }
}

#[test]
fn a_file_is_checked_by_the_checks_of_a_project() {
    let made = Made::new();
    let said = run(&["check", SESSIONS, text(&made.file)], 0);
    assert_parts(&said, &["integrity: every page", "check "]);
    for nothing in ["no-such.db", "no-such/", "no-such"] {
        let said = run(&["check", SESSIONS, nothing], 2);
        assert_parts(&said, &["no-such", "there is no such file or folder"]);
    }
    let said = run(&["migrate", SESSIONS, "no-such.db"], 2);
    assert_parts(&said, &["no source is given", "name the tree of files"]);
}

#[test]
fn a_parent_that_was_left_out_is_no_fault_of_the_source() {
    let made = Made::new();
    let (tree, other) = (text(&made.tree), made.folder.path().join("other.db"));
    let said = run(&["migrate", SESSIONS, tree, text(&other), "--only", "sessions"], 1);
    assert_parts(&said, &["their parents are left out", "`workspaces`", "add `--only workspaces`"]);
    let said = run(&["migrate", SESSIONS, tree, text(&other), "--table", "sessions"], 1);
    assert_parts(&said, &["their parents are left out", "add `--table public.workspaces`"]);
    assert!(!other.exists());
    run(&["migrate", SESSIONS, tree, text(&other), "--only", "sessions", "--only", "workspaces"], 0);
    // What no file has is missing in the tree itself.
    let path = made.tree.join("sessions/0123456789abcdef.json");
    let written = fs::read_to_string(&path).expect("a file");
    let (before, behind) = written.rsplit_once("\"instanceId\": 0").expect("a message of an instance");
    fs::write(&path, format!("{before}\"instanceId\": 7{behind}")).expect("a file");
    let said = run(&["migrate", SESSIONS, tree, text(&other)], 1);
    assert_parts(&said, &["the source has the same rows: no file has what they refer to"]);
}

#[test]
fn the_reasons_of_a_file_are_those_of_sqlite() {
    let folder = crate::support::memory::tempdir().expect("a folder");
    let own = file(
        folder.path().join("own.db"),
        "PRAGMA foreign_keys = OFF; CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p INTEGER REFERENCES p);
         INSERT INTO c VALUES (7)",
    );
    let said = run(&["migrate", text(&own), text(&folder.path().join("copy.db"))], 1);
    assert_parts(&said, &["the source has the same rows", "`PRAGMA foreign_keys`", "foreign_key_check"]);
    assert!(!said.contains("NOT VALID") && !said.contains("target schema"), "{said}");
}

#[test]
fn options_of_trees_are_refused_elsewhere() {
    let folder = crate::support::memory::tempdir().expect("a folder");
    let own = file(folder.path().join("own.db"), "CREATE TABLE t (x)");
    let copy = folder.path().join("copy.db");
    for option in ["--quarantine", "--only"] {
        let said = run(&["migrate", text(&own), text(&copy), option, "q"], 2);
        assert_parts(&said, &[option, "the source is no tree of files"]);
        assert!(!copy.exists());
    }
}

#[test]
fn a_plan_tells_computed_columns_and_checks_that_older_versions_fail() {
    let made = Made::new();
    let other = made.folder.path().join("other.db");
    let said = run(&["plan", SESSIONS, text(&made.tree), text(&other)], 0);
    for column in ["instance_count", "message_count"] {
        assert_parts(&said, &[&format!("`sessions.{column}`: has no source and is computed by `derived.sql`")]);
    }
    assert_parts(&said, &["the file needs SQLite 3.37 or later"]);

    let own = file(
        made.folder.path().join("own.db"),
        "CREATE TABLE t (id INTEGER PRIMARY KEY, \"a b\" TEXT CHECK (JSON_VALID( \"a b\" )), b TEXT NOT NULL CHECK (json_valid(b)),
           c TEXT CHECK (c IS NULL OR json_valid(c)), d TEXT CHECK (ifnull(json_valid(d), 1)), e TEXT,
           CHECK (json_valid([E]) AND json_type(e) = 'array'))",
    );
    let said = run(&["plan", text(&own), text(&other)], 0);
    assert_parts(
        &said,
        &["the file needs SQLite 3.42 or later", "`t.a b`: before SQLite 3.42", "`t.e`: before SQLite 3.42"],
    );
    assert_eq!(said.matches("before SQLite 3.42").count(), 2, "{said}");
}

/// Words of a library's language, which nobody who uses the program has to know.
const OF_RUST: [&str; 10] =
    ["u16", "u32", "u64", "usize", "f64", "struct", "invalid digit", "target type", "literal string", "sequence"];

#[test]
fn what_was_typed_wrongly_is_told_without_words_of_rust() {
    let folder = crate::support::memory::tempdir().expect("a folder");
    let (project, db) = (folder.path().join("project"), folder.path().join("app.db"));
    fs::create_dir(&project).expect("a folder");
    let (project_path, db) = (text(&project).to_owned(), text(&db).to_owned());
    let assert_plain = |words: &[&str], code: i32| {
        let said = run(words, code).replace(&project_path, "PROJECT");
        let found: Vec<_> = OF_RUST.iter().filter(|word| said.contains(**word)).collect();
        assert!(found.is_empty(), "{found:?} in {said}");
    };
    for wrong in ["\"x\"", "x", "-1", "1.5", "99999999999999999999", "[1]", "{ a = 1 }", "true"] {
        for key in [
            "tables",
            "tables.include",
            "names",
            "drop",
            "verify",
            "generate.rows",
            "generate.columns",
            "generate.tables",
            "latency.runs",
            "latency.p50_ms",
            "latency.large_table_rows",
            "target.page_size_bytes",
            "target.metadata",
            "source.url",
            "connection",
            "connection.cache_size_kib",
            "rules.types",
        ] {
            fs::write(project.join("project.toml"), format!("{key} = {wrong}\n")).expect("a project");
            let output = crate::support::program::whimbrel(&["plan", &project_path, &db]);
            let said = crate::support::program::describe(&output).replace(&project_path, "PROJECT");
            let found: Vec<_> = OF_RUST.iter().filter(|word| said.contains(**word)).collect();
            assert!(found.is_empty(), "{key} = {wrong}: {found:?} in {said}");
        }
    }
    for number in ["x", "-1", "1.5", "", "99999999999999999999999"] {
        let rows = format!("--rows={number}");
        for words in [
            &["generate", &db, &rows][..],
            &["latency", &project_path, &rows],
            &["test", &project_path, &rows],
            &["migrate", &db, "x.db", &format!("--wait-ms={number}")],
            &["migrate", &db, "x.db", &format!("--page-size={number}")],
            &["backups", "prune", &db, &format!("--keep={number}")],
        ] {
            assert_plain(words, 2);
        }
    }
    for url in ["postgres://a:b/c@h/d", "postgres://a:12x/c@h/d", "postgres://a@h:99999/d"] {
        let output = crate::support::program::whimbrel(&["plan", url]);
        let said = crate::support::program::describe(&output);
        assert!(!output.status.success() && !OF_RUST.iter().any(|word| said.contains(word)), "{url}: {said}");
    }
}

#[test]
fn rows_are_generated_for_a_reference_without_a_type() {
    let folder = crate::support::memory::tempdir().expect("a folder");
    let own = file(
        folder.path().join("own.db"),
        "CREATE TABLE t (id INTEGER PRIMARY KEY); CREATE TABLE s (name TEXT PRIMARY KEY);
         CREATE TABLE u (y REFERENCES t (id), z REFERENCES s (name)); CREATE TABLE k (id PRIMARY KEY REFERENCES t (id));
         CREATE TABLE v (w REFERENCES k (id))",
    );
    run(&["generate", text(&own), "--rows", "60", "--seed", "3"], 0);
    let orphans: i64 = Connection::open(&own)
        .and_then(|file| file.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)))
        .expect("a check");
    assert_eq!(orphans, 0);
}

#[test]
fn a_moment_that_is_none_says_what_is_one() {
    let made = Made::new();
    let layout = fs::read_to_string(Path::new(SESSIONS).join("layout.toml")).expect("the layout");
    assert!(layout.contains("created_at = \"createdAt\""), "the layout has another form: {layout}");
    let project = made.folder.path().join("project");
    fs::create_dir(&project).expect("a folder");
    let layout =
        layout.replace("created_at = \"createdAt\"", "created_at = { from = \"createdAt\", type = \"moment\" }");
    fs::write(project.join("layout.toml"), layout).expect("a layout");
    fs::write(project.join("project.toml"), "").expect("a project");
    let path = made.tree.join("sessions/0123456789abcdef.json");
    let written = fs::read_to_string(&path).expect("a file");
    let (before, rest) = written.split_once("\"createdAt\"").expect("a moment");
    let (_, behind) = rest.split_once(',').expect("another key");
    fs::write(&path, format!("{before}\"createdAt\": \"2025-01-01T10:10:10\",{behind}")).expect("a file");
    let said = run(&["migrate", text(&project), text(&made.tree), text(&made.folder.path().join("x.db"))], 3);
    assert_parts(&said, &["`2025-01-01T10:10:10` is no moment", "RFC 3339", "zone", "`spelled` in the layout"]);
}

#[test]
fn the_values_of_a_file_go_as_they_stand() {
    let folder = crate::support::memory::tempdir().expect("a folder");
    let own = file(folder.path().join("own.db"), "CREATE TABLE t (a datetime, b numeric(10, 2), c boolean)");
    let said = run(&["plan", text(&own), text(&folder.path().join("copy.db"))], 0);
    assert_eq!(said.matches("as it stands  yes").count(), 3, "{said}");
    assert!(!said.contains("integer"), "{said}");
}

#[test]
fn a_file_in_the_place_of_a_script_is_told_as_one() {
    let folder = crate::support::memory::tempdir().expect("a folder");
    let own = file(folder.path().join("own.db"), "CREATE TABLE t (a)");
    let said = run(&["test", text(&own)], 2);
    assert_parts(&said, &["it is a SQLite file"]);
    let said = run(&["backups", text(&own)], 0);
    assert_parts(&said, &["there is no backup", "`--backups DIR`"]);
    let said = run(&["check", text(&own)], 0);
    assert_parts(&said, &["it was not made by whimbrel, or with `--no-metadata`"]);
    let made = Made::new();
    let out = made.folder.path().join("out");
    run(&["migrate", text(&made.file), &format!("{}/", text(&out))], 0);
    let said = run(&["rollback", text(&out)], 0);
    assert_parts(&said, &["there was no tree before"]);
}

#[test]
fn who_holds_a_file_is_named() {
    let folder = crate::support::memory::tempdir().expect("a folder");
    let own = file(folder.path().join("own.db"), "CREATE TABLE t (id INTEGER PRIMARY KEY)");
    let held = Connection::open(&own).expect("the file");
    held.execute_batch("BEGIN EXCLUSIVE").expect("a lock");
    let this = format!("it is locked by process {} (", std::process::id());
    let said = run(&["migrate", text(&own), text(&folder.path().join("copy.db"))], 3);
    assert_parts(&said, &[&this]);
    held.execute_batch("ROLLBACK; BEGIN IMMEDIATE").expect("a lock");
    let said = run(&["generate", text(&own), "--rows", "3"], 3);
    assert_parts(&said, &[&this]);
}
