//! Input that is not what it says it is: each kind of fault in each format that can have it. The run stops, names the place and
//! what to do, and writes nothing; with `--quarantine` the rest is published and the file is set aside; `check` tells all of them.

use crate::support::program::{describe as told, whimbrel};
use crate::trees::{content, run, text};
use rusqlite::Connection;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Each format, and a table with a text, an integer, a double and a JSON value.
const LAYOUT: &str = r#"
[[file]]
name = "json"
path = "json/{file}.json"
format = "json"
[[file.records]]
at = "[]"
table = "in_json"
key = ["file", "id"]
rest = "rest"
columns.file = "@path.file"
columns.id = "id"
columns.n = { from = "n", type = "integer" }
columns.r = { from = "r", type = "real" }
columns.j = { from = "j", type = "json" }

[[file]]
name = "lines of json"
path = "jsonl/{file}.jsonl"
format = "json-lines"
[[file.records]]
table = "in_json_lines"
key = ["file", "id"]
rest = "rest"
columns.file = "@path.file"
columns.id = "id"
columns.n = { from = "n", type = "integer" }

[[file]]
name = "yaml"
path = "yaml/{file}.yaml"
format = "yaml"
[[file.records]]
table = "in_yaml"
key = ["file"]
rest = "rest"
columns.file = "@path.file"
columns.id = { from = "id", absent = "refused" }
columns.n = { from = "n", type = "integer" }

[[file]]
name = "markdown"
path = "md/{file}.md"
format = "markdown"
front_matter = true
[[file.records]]
table = "in_markdown"
key = ["file"]
rest = "rest"
columns.file = "@path.file"
columns.id = { from = "id", absent = "refused" }
columns.n = { from = "n", type = "integer" }
columns.body = "@body"

[[file]]
name = "log"
path = "log/{file}.log"
format = "lines"
line = '{id:\w+} {n:-?\S+} {message:.*}'
[[file.records]]
table = "in_lines"
key = ["file", "at"]
columns.file = "@path.file"
columns.at = "@position"
columns.id = "id"
columns.n = { from = "n", type = "integer" }
columns.message = "message"

[[file]]
name = "text"
path = "text/{file}/it.txt"
format = "bytes"
[[file.records]]
table = "in_text"
key = ["file"]
columns.file = "@path.file"
columns.content = { from = "@content", type = "text" }

[[file]]
name = "database"
path = "db/{file}.db"
format = "sqlite"
[[file.records]]
at = "t[]"
table = "in_database"
key = ["file", "id"]
columns.file = "@path.file"
columns.id = "id"
columns.n = { from = "n", type = "integer" }
columns.j = { from = "j", type = "json" }
"#;

const TABLES: [&str; 7] = ["in_json", "in_json_lines", "in_yaml", "in_markdown", "in_lines", "in_text", "in_database"];

/// A database in bytes, made by these statements.
fn database(sql: &str) -> Vec<u8> {
    let folder = crate::support::memory::tempdir().expect("a folder");
    let path = folder.path().join("x.db");
    Connection::open(&path).expect("a database").execute_batch(sql).expect("statements");
    fs::read(path).expect("its bytes")
}

const DATABASE: &str = "CREATE TABLE t (id TEXT PRIMARY KEY, n INTEGER, j TEXT);
    INSERT INTO t VALUES ('a', 9223372036854775807, '[1.10]'), ('b', NULL, NULL);";

/// Files that are what they say, among them what is odd and allowed.
fn good() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("json/good.json", br#"[{"id": "a", "n": -9223372036854775808, "r": 1.10, "j": 123456789012345678901234567890.10, "x": 1.10}]"#.to_vec()),
        ("jsonl/good.jsonl", b"{\"id\": \"a\"}\n{\"id\":\"b\", \"n\": 7, \"x\": 1e400}".to_vec()),
        ("yaml/good.yaml", b"id: a   # why\nn: 0x10\nx: 1_000\n".to_vec()),
        ("md/good.md", b"---\nid: a\n---\n--- body\n".to_vec()),
        ("log/good.log", b"a 1 first\nb -2 second".to_vec()),
        ("text/good/it.txt", "ä\r\n".as_bytes().to_vec()),
        ("db/good.db", database(DATABASE)),
    ]
}

struct Bank {
    folder: tempfile::TempDir,
    project: PathBuf,
    tree: PathBuf,
    file: PathBuf,
    aside: PathBuf,
}

impl Bank {
    fn new() -> Bank {
        let folder = crate::support::memory::tempdir().expect("a folder");
        let [project, tree, file, aside] = ["project", "tree", "app.db", "aside"].map(|name| folder.path().join(name));
        fs::create_dir(&project).expect("a project");
        fs::write(project.join("project.toml"), "name = 'bank'\n").expect("a project");
        fs::write(project.join("layout.toml"), LAYOUT).expect("a layout");
        let bank = Bank { folder, project, tree, file, aside };
        good().iter().for_each(|(path, bytes)| bank.put(path, bytes));
        bank
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        let path = self.tree.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }

    fn words(&self) -> [&str; 4] {
        ["migrate", text(&self.project), text(&self.tree), text(&self.file)]
    }

    /// Nothing is there that was not there before.
    fn nothing_is_written(&self) {
        let mut names: Vec<_> = fs::read_dir(self.folder.path())
            .expect("the folder")
            .map(|entry| entry.expect("one").file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["project", "tree"]);
    }

    /// How many rows of good files the file has.
    fn good_rows(&self) -> Vec<i64> {
        let file = Connection::open(&self.file).expect("the file");
        let count = |table: &&str| {
            file.query_row(&format!("SELECT count(*) FROM {table} WHERE file = 'good'"), [], |row| row.get(0))
        };
        TABLES.iter().map(|table| count(table).expect("a count")).collect()
    }
}

/// A fault: where, what, and a part of what is said. The place of the fault is where `¦` stands; without one, the line alone is held
/// where it is known.
struct Fault {
    path: &'static str,
    bytes: Vec<u8>,
    line: Option<u64>,
    column: Option<u64>,
    said: &'static str,
}

fn fault(path: &'static str, marked: &[u8], said: &'static str) -> Fault {
    let mark = "¦".as_bytes();
    let at = marked.windows(mark.len()).position(|part| part == mark);
    let (mut bytes, mut line, mut column) = (marked.to_vec(), None, None);
    if let Some(at) = at {
        bytes.drain(at..at + mark.len());
        let before = &bytes[..at];
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        line = Some(before.iter().filter(|byte| **byte == b'\n').count() as u64 + 1);
        column = Some(String::from_utf8_lossy(&before[start..]).chars().count() as u64 + 1);
    }
    Fault { path, bytes, line, column, said }
}

fn utf16(text: &str) -> Vec<u8> {
    let mut bytes = b"\xff\xfe".to_vec();
    text.encode_utf16().for_each(|unit| bytes.extend(unit.to_le_bytes()));
    bytes
}

/// What is wrong with the bytes of any text, behind `head`, which belongs to the format.
fn of_texts(path: &'static str, head: &str, tail: &str, faults: &mut Vec<Fault>) {
    let with = |bytes: &[u8]| [head.as_bytes(), bytes, tail.as_bytes()].concat();
    let whole = with(b"x");
    faults.push(fault(path, &["¦\u{feff}".as_bytes(), &whole].concat(), "byte order mark"));
    faults.push(Fault {
        path,
        bytes: utf16(&String::from_utf8_lossy(&whole)),
        line: Some(1),
        column: Some(1),
        said: "UTF-16",
    });
    faults.push(fault(path, &with(&["é¦".as_bytes(), b"\xff"].concat()), "0xff is not UTF-8"));
}

fn faults() -> Vec<Fault> {
    let mut all = Vec::new();
    let json = "json/bad.json";
    of_texts(json, "[{\"id\": \"", "\"}]", &mut all);
    for (marked, said) in [
        ("[{\"id\": \"a\"},\n {\"id\": \"b\"¦", "it was cut off"),
        ("[{\"id\": \"a\", ¦\"id\": \"b\"}]", "twice"),
        ("[{\"id\": \"a\", \"x\": {\"k\": 1, ¦\"k\": 1}}]", "twice"),
        ("[{\"id\": \"a\"}]\n¦[{\"id\": \"b\"}]", "second"),
        ("[{\"id\": \"a\"}¦{\"id\": \"b\"}]", "where"),
        ("[{\"id\": \"a¦\0\"}]", "escaped"),
        ("[{\"id\": \"a\",\n\"n\": ¦9223372036854775808}]", "64 bits"),
        ("[{\"id\": \"a\", \"n\": ¦1.10}]", "integer"),
        ("[{\"id\": \"a\", \"r\": ¦1e400}]", "double"),
        ("[{\"id\": ¦7}]", "text"),
        ("[¦{\"id\": null}]", "has to be there"),
        ("[¦{\"n\": 1}]", "has to be there"),
        ("[{\"id\": \"¦\\ud800\"}]", "surrogate"),
        ("[{\"id\": \"a\", \"n\": ¦01}]", "number"),
        ("[{\"id\": \"a\"},¦]", "where"),
        ("¦{\"id\": \"a\"}", "array"),
        ("¦", "ends where"),
    ] {
        all.push(fault(json, marked.as_bytes(), said));
    }
    let deep = format!("[{{\"id\": \"a\", \"x\": {}{}}}]", "[".repeat(100_000), "]".repeat(100_000));
    all.push(Fault { line: Some(1), ..fault(json, deep.as_bytes(), "nested deeper than") });

    let lines = "jsonl/bad.jsonl";
    of_texts(lines, "{\"id\": \"", "\"}\n", &mut all);
    for (marked, said) in [
        ("{\"id\": \"a\"}\n{\"id\": \"b\"¦", "the last line ends"),
        ("{\"id\": \"a\"}¦{\"id\": \"b\"}\n", "second record"),
        ("{\"id\": \"a\",¦\n", "it was cut off"),
        ("{\"id\": \"a\", ¦\"id\": \"b\"}\n", "twice"),
        ("{\"id\": \"a\"}\n{\"id\": \"b\", \"n\": ¦18446744073709551616}\n", "64 bits"),
        ("{\"id\": \"a¦\0\"}\n", "escaped"),
        ("{\"id\": \"a\"}\n¦[]\n", "record"),
    ] {
        all.push(fault(lines, marked.as_bytes(), said));
    }
    let deep =
        format!("{{\"id\": \"a\"}}\n{{\"id\": \"b\", \"x\": {}{}}}\n", "{\"k\":".repeat(100_000), "}".repeat(100_000));
    all.push(Fault { line: Some(2), ..fault(lines, deep.as_bytes(), "nested deeper than") });

    for (path, head, tail) in [("yaml/bad.yaml", "", "\n"), ("md/bad.md", "---\n", "\n---\nbody\n")] {
        of_texts(path, &format!("{head}id: "), tail, &mut all);
        let framed = |marked: &str| [head, marked, tail].concat();
        for (marked, said) in [
            ("id: a\n¦id: b", "twice"),
            ("id: a\nn: ¦9223372036854775808", "64 bits"),
            ("id: a\nn: ¦1.10", "integer"),
            ("id: a\nx: {k: 1", ""),
            ("id: a\nx: *nowhere", ""),
            ("id: a\nx: \"\0\"", ""),
            ("n: 1", "has to be there"),
            ("- a", ""),
        ] {
            all.push(fault(path, framed(marked).as_bytes(), said));
        }
        let deep = framed(&format!("id: a\nx: {}{}", "[".repeat(100_000), "]".repeat(100_000)));
        all.push(fault(path, deep.as_bytes(), "deep"));
    }
    all.push(fault("md/bad.md", b"no keys at all\n", "---"));
    all.push(fault("md/bad.md", b"---\nid: a\n", "---"));

    let log = "log/bad.log";
    of_texts(log, "a 1 ", "\n", &mut all);
    for (marked, said) in [
        ("a 1 one\nwhat ¦is this\n", "integer"),
        ("a 1 one\n¦?\n", "line"),
        ("a ¦9223372036854775808 one\n", "64 bits"),
        ("a ¦1.10 one\n", "integer"),
    ] {
        all.push(fault(log, marked.as_bytes(), said));
    }
    all.push(fault("text/bad/it.txt", b"\xff", "UTF-8"));
    let whole = database(DATABASE);
    let db = "db/bad.db";
    all.push(fault(db, &whole[..whole.len() / 2], "SQLite"));
    all.push(fault(db, b"no database", "SQLite"));
    all.push(fault(
        db,
        &whole.iter().enumerate().map(|(at, byte)| if at > 100 { !byte } else { *byte }).collect::<Vec<_>>(),
        "SQLite",
    ));
    for (insert, said) in [
        ("INSERT INTO t VALUES ('c', 'seven', NULL)", "integer"),
        ("INSERT INTO t VALUES ('c', 1.5, NULL)", "integer"),
        ("INSERT INTO t VALUES ('c', 1, '{')", "no JSON"),
        ("INSERT INTO t VALUES (x'00', 1, NULL)", "BLOB"),
        ("INSERT INTO t VALUES (NULL, 1, NULL)", "has to be there"),
        ("INSERT INTO t VALUES ('c', 9e999, NULL)", "infinite"),
    ] {
        all.push(fault(db, &database(&format!("{DATABASE} {insert}")), said));
    }
    all
}

#[test]
fn every_fault_stops_the_run_at_its_place_and_is_set_aside_where_that_is_asked_for() {
    let bank = Bank::new();
    let mut wrong = Vec::new();
    for (number, Fault { path, bytes, line, column, said }) in faults().into_iter().enumerate() {
        bank.put(path, &bytes);
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned();
        let mut note = |what: &str, told: &str| wrong.push(format!("{number} {path} {shown:?}: {what}\n{told}"));
        let output = whimbrel(&bank.words());
        let told_as = told(&output);
        bank.nothing_is_written();
        let place = match (line, column) {
            (Some(line), Some(column)) => format!("line {line}, column {column}:"),
            (Some(line), None) => format!("line {line}, column "),
            _ => "line ".to_owned(),
        };
        if output.status.code() != Some(3) || told_as.contains("a fault of the program") {
            note("it does not end with 3", &told_as);
        } else if !told_as.contains(path) || !told_as.contains(&place) || !told_as.contains(said) {
            note(&format!("`{path}`, `{place}` or `{said}` is not told"), &told_as);
        } else if !told_as.contains("hint: ") || told_as.len() > 1000 {
            note("no hint, or a flood", &told_as);
        }
        let set_aside = [&bank.words()[..], &["--quarantine", text(&bank.aside)]].concat();
        let output = whimbrel(&set_aside);
        let told_as = told(&output);
        if output.status.code() != Some(1) || !bank.file.exists() {
            note("with --quarantine it does not end with 1", &told_as);
        } else {
            if bank.good_rows() != [1, 2, 1, 1, 2, 1, 2] {
                note("with --quarantine the rest is not all there", &told_as);
            }
            if fs::read(bank.aside.join(path)).ok().as_ref() != Some(&bytes) {
                note("it was not set aside as it is", &told_as);
            }
            // The file knows what it has not, and so is verified without it.
            if number % 7 == 0 {
                let verified = whimbrel(&["verify", text(&bank.tree), text(&bank.file)]);
                if verified.status.code() != Some(0) {
                    note("what was set aside is not remembered", &told(&verified));
                }
            }
            let list = fs::read_to_string(bank.aside.join("rejected.jsonl")).unwrap_or_default();
            let entry: serde_json::Value = serde_json::from_str(&list).unwrap_or_default();
            let held = |name: &str, value: Option<u64>| value.is_none_or(|value| entry[name] == value);
            if entry["path"] != path
                || !held("line", line)
                || !held("column", column)
                || !entry["reason"].as_str().is_some_and(|reason| reason.contains(said))
            {
                note("the list says something else", &list);
            }
        }
        for path in [&bank.file, &bank.file.with_extension("db-wal"), &bank.file.with_extension("db-shm")] {
            let _ = fs::remove_file(path);
        }
        for path in [&bank.aside, &bank.folder.path().join("app.db.whimbrel-backups")] {
            let _ = fs::remove_dir_all(path);
        }
        fs::remove_file(bank.tree.join(path)).expect("the fault goes");
    }
    assert!(wrong.is_empty(), "{} faults:\n{}", wrong.len(), wrong.join("\n---\n"));
    run(&bank.words(), 0);
}

#[test]
fn check_tells_every_fault_of_a_tree_at_once() {
    let bank = Bank::new();
    let mut names = Vec::new();
    for (number, Fault { path, bytes, .. }) in faults().into_iter().enumerate() {
        let path = path.replace("bad", &format!("bad{number}"));
        bank.put(&path, &bytes);
        names.push(path);
    }
    let said = run(&["check", text(&bank.project), text(&bank.tree)], 1);
    let missing: Vec<_> = names.iter().filter(|path| !said.contains(path.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}\n{said}");
    assert!(said.contains(&format!("{} files are not what the layout says", names.len())), "{said}");
    let said = run(&[&bank.words()[..], &["--quarantine", text(&bank.aside)]].concat(), 1);
    assert!(said.contains(&format!("{} files were set aside", names.len())), "{said}");
    let list = fs::read_to_string(bank.aside.join("rejected.jsonl")).expect("a list");
    assert_eq!(list.lines().count(), names.len());
    names.iter().for_each(|path| assert!(bank.aside.join(path).is_file(), "{path}"));
    assert_eq!(bank.good_rows(), [1, 2, 1, 1, 2, 1, 2]);
}

#[test]
fn what_is_odd_and_allowed_comes_back_byte_for_byte() {
    let bank = Bank::new();
    run(&bank.words(), 0);
    let out = format!("{}/", text(&bank.folder.path().join("out")));
    run(&["migrate", text(&bank.file), &out], 0);
    assert_eq!(content(Path::new(&out)), content(&bank.tree));
}

/// Runs the program as somebody who may not do everything, with limits that `prepare` sets.
fn as_nobody(bank: &Bank, words: &[&str], prepare: impl Fn() + Send + Sync + 'static) -> Output {
    // Where nobody may go: the program itself may stand in a folder that is closed to others.
    let program = bank.folder.path().join("project/whimbrel");
    if !program.exists() {
        let own = env!("CARGO_BIN_EXE_whimbrel");
        fs::hard_link(own, &program).or_else(|_| fs::copy(own, &program).map(drop)).expect("the program");
    }
    let mut command = Command::new(&program);
    command.args(words).stdin(Stdio::null());
    if unsafe { libc::geteuid() } == 0 {
        command.uid(65534).gid(65534);
    }
    unsafe {
        command.pre_exec(move || {
            prepare();
            Ok(())
        })
    };
    command.output().expect("the program starts")
}

fn open_to_all(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).expect("permissions");
}

#[test]
fn what_may_not_be_read_is_told_and_so_is_a_target_that_may_not_be_written() {
    let bank = Bank::new();
    open_to_all(bank.folder.path());
    let words = bank.words();
    for (path, is_folder) in [("json/good.json", false), ("json", true)] {
        let path = bank.tree.join(path);
        let before = fs::metadata(&path).expect("it is there").permissions();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).expect("permissions");
        let output = as_nobody(&bank, &words, || {});
        let said = told(&output);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains(text(&path)) && said.contains("permission"), "{is_folder}: {said}");
        assert!(!bank.file.exists());
        fs::set_permissions(&path, before).expect("permissions");
    }
    fs::set_permissions(bank.folder.path(), fs::Permissions::from_mode(0o555)).expect("permissions");
    let output = as_nobody(&bank, &words, || {});
    let said = told(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains(text(bank.folder.path())), "{said}");
    bank.nothing_is_written();
    open_to_all(bank.folder.path());
    let output = as_nobody(&bank, &words, || {});
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
}

#[test]
fn a_target_without_room_is_told_and_nothing_of_it_stays() {
    let bank = Bank::new();
    open_to_all(bank.folder.path());
    let long = format!(
        "[{}]",
        (0..4000)
            .map(|id| format!("{{\"id\": \"{id}\", \"x\": \"{}\"}}", "x".repeat(100)))
            .collect::<Vec<_>>()
            .join(",\n")
    );
    bank.put("json/long.json", long.as_bytes());
    let limited = || unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        let limit = libc::rlimit { rlim_cur: 100_000, rlim_max: 100_000 };
        assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &limit), 0);
    };
    let output = as_nobody(&bank, &bank.words(), limited);
    let said = told(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("app.db"), "{said}");
    bank.nothing_is_written();
    let output = as_nobody(&bank, &bank.words(), || {});
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let out = bank.folder.path().join("out");
    let output = as_nobody(&bank, &["migrate", text(&bank.file), &format!("{}/", text(&out))], limited);
    let said = told(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(!out.exists(), "{said}");
    let left: Vec<_> =
        fs::read_dir(bank.folder.path()).expect("the folder").map(|entry| entry.expect("one").file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with('.')), "{left:?}");
}

#[test]
fn a_check_names_every_file_that_is_none_of_the_layout_in_one_run() {
    let bank = Bank::new();
    bank.put("strange.txt", b"x");
    bank.put("json/deep/er/strange.json", b"[]");
    bank.put("json/broken.json", b"[{");
    let fifo = bank.tree.join("json/pipe.json");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo").success());
    symlink("/etc", bank.tree.join("away")).expect("a link");
    let said = run(&["check", text(&bank.project), text(&bank.tree)], 1);
    for path in ["strange.txt", "json/deep/er/strange.json", "json/broken.json", "json/pipe.json", "away"] {
        assert!(said.contains(path), "`{path}` is not in {said}");
    }
    assert!(said.contains("5 files are not what the layout says"), "{said}");
}

#[test]
fn names_links_and_files_that_no_tree_can_have_are_refused_by_name() {
    let bank = Bank::new();
    let refused = |make: &dyn Fn(&Path), parts: &[&str]| {
        make(&bank.tree);
        for (words, code) in [(&bank.words()[..], 3), (&["check", text(&bank.project), text(&bank.tree)], 1)] {
            let said = run(words, code);
            parts.iter().for_each(|part| assert!(said.contains(part), "`{part}` is not in {said}"));
            assert!(code == 1 || said.contains("hint: "), "{said}");
        }
        // To set a file aside does not help against what is no file of a tree.
        let said = run(&[&bank.words()[..], &["--quarantine", text(&bank.aside)]].concat(), 3);
        parts.iter().for_each(|part| assert!(said.contains(part), "`{part}` is not in {said}"));
        bank.nothing_is_written();
        fs::remove_dir_all(&bank.tree).expect("the tree goes");
        good().iter().for_each(|(path, bytes)| bank.put(path, bytes));
    };
    let file = |tree: &Path, path: &str| fs::write(tree.join(path), "[]").expect("a file");
    refused(
        &|tree| symlink("/etc/passwd", tree.join("json/out.json")).expect("a link"),
        &["json/out.json", "out of the tree"],
    );
    refused(&|tree| symlink("../../..", tree.join("json/up")).expect("a link"), &["json/up", "out of the tree"]);
    refused(&|tree| symlink("loop", tree.join("json/loop")).expect("a link"), &["json/loop", "circle"]);
    refused(
        &|tree| {
            symlink("b", tree.join("json/a")).expect("a link");
            symlink("a", tree.join("json/b")).expect("a link");
        },
        &["json/a", "circle"],
    );
    refused(
        &|tree| {
            file(tree, "json/GOOD.json");
        },
        &["json/good.json", "GOOD.json", "case is folded"],
    );
    refused(
        &|tree| {
            file(tree, "json/\u{e9}.json");
            file(tree, "json/e\u{301}.json");
        },
        &["normalised"],
    );
    refused(
        &|tree| {
            use std::os::unix::ffi::OsStrExt;
            fs::write(tree.join(std::ffi::OsStr::from_bytes(b"json/\xff.json")), "[]").expect("a file");
        },
        &["\\xff", "UTF-8"],
    );
    refused(
        &|tree| {
            let path = std::ffi::CString::new(text(&tree.join("json/pipe.json"))).expect("a path");
            assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
        },
        &["json/pipe.json", "FIFO"],
    );
    refused(
        &|tree| {
            std::os::unix::net::UnixListener::bind(tree.join("json/s")).expect("a socket");
        },
        &["json/s", "socket"],
    );
    refused(&|tree| file(tree, "json/none.txt"), &["json/none.txt", "no kind of file"]);
    refused(&|tree| file(tree, "json/\u{1b}[2J.txt"), &["\\u{1b}[2J.txt"]);
}

#[test]
fn values_that_no_path_can_have_are_refused_on_the_way_back() {
    let bank = Bank::new();
    run(&bank.words(), 0);
    let long = "x".repeat(300);
    for value in ["..", ".", "a/b", "../../x", "", "a\0b", &long] {
        let changed = bank.folder.path().join("changed.db");
        fs::copy(&bank.file, &changed).expect("a copy");
        let file = Connection::open(&changed).expect("the copy");
        // As a part of a name two points lead nowhere; as a name they do.
        let tables: &[&str] =
            if matches!(value, "." | "..") { &["in_text"] } else { &["in_json", "in_yaml", "in_text"] };
        for table in tables {
            file.execute(&format!("UPDATE {table} SET file = ?1"), [value]).expect("an edit");
        }
        drop(file);
        let out = bank.folder.path().join("out");
        let said = run(&["migrate", text(&changed), &format!("{}/", text(&out))], 3);
        let is_named = said.contains("in_") || said.contains(&long[..20]);
        assert!(is_named && !out.exists(), "{value:?}: {said}");
    }
    // Two rows whose files would be one on other file systems.
    let file = Connection::open(&bank.file).expect("the file");
    file.execute_batch("INSERT INTO in_text (file, content) VALUES ('GOOD', 'x')").expect("a row");
    drop(file);
    let out = bank.folder.path().join("out");
    let said = run(&["migrate", text(&bank.file), &format!("{}/", text(&out))], 3);
    assert!(said.contains("GOOD") && !out.exists(), "{said}");
}

#[test]
fn a_writer_beside_the_run_leaves_one_state_or_an_error() {
    let bank = Bank::new();
    let states = [1, 2].map(|n| {
        format!("[{}]", (0..2000).map(|id| format!("{{\"id\": \"{id}\", \"n\": {n}}}")).collect::<Vec<_>>().join(","))
    });
    bank.put("json/live.json", states[0].as_bytes());
    let (stop, path) = (Arc::new(AtomicBool::new(false)), bank.tree.join("json/live.json"));
    let stopped = Arc::clone(&stop);
    let writer = std::thread::spawn(move || {
        let mut turn = 0;
        while !stopped.load(Ordering::Relaxed) {
            // In place, as programs do that know no better.
            fs::write(&path, &states[turn % 2]).expect("a file");
            turn += 1;
            std::thread::sleep(std::time::Duration::from_millis((turn % 7) as u64));
        }
        fs::write(&path, &states[0]).expect("a file");
    });
    let mut codes = Vec::new();
    for _ in 0..12 {
        let output = whimbrel(&bank.words());
        let said = told(&output);
        let code = output.status.code();
        // What was read in between is half a file: it ends before it should, or changed too often.
        assert!(matches!(code, Some(0 | 3)), "{said}");
        if code == Some(0) {
            let file = Connection::open(&bank.file).expect("the file");
            let found: (i64, i64) = file
                .query_row("SELECT count(*), count(DISTINCT n) FROM in_json WHERE file = 'live'", [], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .expect("rows");
            assert_eq!(found, (2000, 1), "{said}");
        } else {
            assert!(said.contains("json/live.json"), "{said}");
        }
        codes.push(code);
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().expect("the writer");
    run(&bank.words(), 0);
}

/// What a run took at most, in bytes.
#[allow(clippy::zombie_processes, reason = "`wait4` waits for it")]
fn peak(words: &[&str]) -> (Option<i32>, i64) {
    let child = Command::new(env!("CARGO_BIN_EXE_whimbrel"))
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let (mut status, mut usage) = (0, unsafe { std::mem::zeroed::<libc::rusage>() });
    let pid = i32::try_from(child.id()).expect("a number");
    assert_eq!(unsafe { libc::wait4(pid, &mut status, 0, &mut usage) }, pid);
    (libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)), usage.ru_maxrss * 1024)
}

#[test]
fn hostile_input_takes_no_more_memory_than_its_own_size_allows() {
    let bank = Bank::new();
    const SIZE: usize = 8 << 20;
    let (code, least) = peak(&bank.words());
    assert_eq!(code, Some(0));
    fs::remove_file(&bank.file).expect("begin anew");
    let _ = fs::remove_dir_all(bank.folder.path().join("app.db.whimbrel-backups"));
    for (path, bytes) in [
        ("json/bad.json", "[".repeat(SIZE)),
        ("json/bad.json", format!("[\"{}", "\\u0000".repeat(SIZE / 6))),
        ("jsonl/bad.jsonl", "{\"a\":".repeat(SIZE / 5)),
        ("yaml/bad.yaml", format!("x: {}", "[".repeat(SIZE))),
        ("yaml/bad.yaml", "- ".repeat(SIZE / 2)),
        (
            "yaml/bad.yaml",
            format!("a: &a [x, x]\n{}", (0..26).map(|n| format!("b{n}: &b{n} [*a, *a]\n")).collect::<String>()),
        ),
        ("log/bad.log", "?".repeat(SIZE)),
        ("db/bad.db", "SQLite format 3\0".repeat(SIZE / 16)),
    ] {
        bank.put(path, bytes.as_bytes());
        let (code, most) = peak(&bank.words());
        assert_eq!(code, Some(3), "{path}");
        let more = most - least;
        println!("{path}: {} MiB of input, {} MiB more than without it", bytes.len() >> 20, more >> 20);
        assert!(more < 12 * SIZE as i64, "{path}: {} MiB more", more >> 20);
        bank.nothing_is_written();
        fs::remove_file(bank.tree.join(path)).expect("the fault goes");
    }
}
