//! Files that are too large to be in memory, attachments, and where new records go.

use crate::trees::{content, run, text};
use rusqlite::Connection;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// One kind of file for each format that comes in pieces, one for attachments and one for files that stay.
const LAYOUT: &str = r#"
[[file]]
path = "all.json"
format = "json"
style = { indent = 2, final_newline = false }

[[file.records]]
at = "[]"
table = "sessions"
key = ["id"]
rest = "extra"
columns.id = "id"
columns.task = "task"

[[file.records.children]]
at = "steps[]"
table = "steps"
key = ["session_id", "number"]
order = "at"
columns.session_id = "@parent.id"
columns.number = { from = "number", type = "integer" }
columns.at = "at"

[[file]]
path = "events.jsonl"
format = "json-lines"

[[file.records]]
table = "events"
key = ["id"]
rest = "extra"
columns.id = { from = "id", type = "integer" }
columns.what = "what"

[[file]]
path = "app.log"
format = "lines"
line = '{time:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d} {message:.*}'
continued = true

[[file.records]]
table = "lines"
key = ["id"]
columns.id = { from = "@position", type = "integer" }
columns.time = "time"
columns.message = "message"
columns.more = "@more"

[[file]]
path = "attached/{name}"
format = "bytes"

[[file.records]]
table = "attachments"
key = ["name"]
columns.name = "@path.name"
columns.content = { from = "@content", type = "bytes" }
columns.hash = "@sha256"

[[file]]
path = "models/{name}.bin"
format = "bytes"

[[file.records]]
table = "models"
key = ["name"]
columns.name = "@path.name"
columns.hash = "@sha256"
"#;

/// A tree, the project that tells what it is, and the file that is made of it.
pub struct Place {
    pub folder: tempfile::TempDir,
    pub project: PathBuf,
    pub tree: PathBuf,
    pub file: PathBuf,
}

impl Place {
    fn new() -> Place {
        Place::of(LAYOUT)
    }

    pub fn of(layout: &str) -> Place {
        let folder = crate::support::memory::tempdir().expect("a folder");
        let of = |name: &str| folder.path().join(name);
        let (project, tree, file) = (of("project"), of("tree"), of("made.db"));
        fs::create_dir_all(&project).expect("a folder");
        fs::create_dir_all(&tree).expect("a folder");
        fs::write(project.join("project.toml"), "name = \"large\"\n").expect("a project");
        fs::write(project.join("layout.toml"), layout).expect("a layout");
        Place { folder, project, tree, file }
    }

    pub fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.tree.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }

    pub fn migrate(&self, more: &[&str], code: i32) -> String {
        let words = ["migrate", text(&self.project), text(&self.tree), text(&self.file)];
        run(&[&words[..], more].concat(), code)
    }

    pub fn change(&self, sql: &str) {
        Connection::open(&self.file).expect("the file").execute_batch(sql).expect("a change");
    }

    pub fn one(&self, sql: &str) -> String {
        let file = Connection::open(&self.file).expect("the file");
        file.query_row(sql, [], |row| row.get(0)).expect("a row")
    }

    pub fn export(&self) -> PathBuf {
        let out = self.folder.path().join("out");
        let _ = fs::remove_dir_all(&out);
        run(&["migrate", text(&self.file), &format!("{}/", text(&out))], 0);
        out
    }
}

/// Records of each kind, so many that they are several pieces.
const RECORDS: usize = 12_000;

fn task() -> String {
    "a task ".repeat(70)
}

/// Several pieces of each kind: as the application writes them, and in the middle as somebody else left them.
fn large(place: &Place) {
    let (mut array, mut lines, mut log) = (String::from("["), String::new(), String::new());
    for id in 0..RECORDS {
        let comma = if id == 0 { "" } else { "," };
        let (blank, steps) = match id % 5_000 {
            4_711 => ("\t", "[ {\"number\": 1, \"at\": \"10\" } ]"),
            _ => ("\n  ", "[]"),
        };
        let task = task();
        write!(
            array,
            "{comma}{blank}{{\n    \"id\": \"s{id}\",\n    \"task\": \"{task}\",\n    \"steps\": {steps}\n  }}"
        )
        .expect("text");
        writeln!(lines, "{{\"id\":{id},\"what\":\"{task}\"{}}}", if id % 7 == 0 { ", \"more\": 1.50" } else { "" })
            .expect("text");
        writeln!(log, "2025-07-16 13:39:00 {task}{}", if id % 3 == 0 { "\nTraceback:\n\n  ask" } else { "" })
            .expect("text");
    }
    array.push_str("\n]");
    place.write("all.json", array);
    place.write("events.jsonl", lines);
    place.write("app.log", log);
}

fn pieces(place: &Place, path: &str) -> i64 {
    place
        .one(&format!("SELECT CAST(count(*) AS TEXT) FROM _whimbrel_pieces WHERE path = '{path}'"))
        .parse()
        .expect("a number")
}

#[test]
fn files_in_pieces_come_back_and_change_in_one_place() {
    let place = Place::new();
    large(&place);
    place.write("attached/a.bin", b"\0\xff".repeat(3_000_000));
    place.migrate(&[], 0);
    for path in ["all.json", "events.jsonl", "app.log"] {
        assert!(pieces(&place, path) > 1, "{path} is in one piece");
    }
    assert_eq!(pieces(&place, "attached/a.bin"), 1);
    let before = content(&place.tree);
    assert!(content(&place.export()) == before, "the same bytes");
    run(&["verify", text(&place.tree), text(&place.file)], 0);

    // Beyond the first piece, and in the last one.
    place.change(
        "UPDATE sessions SET task = 'another' WHERE id = 's9000';
         DELETE FROM sessions WHERE id = 's0'; DELETE FROM sessions WHERE id = 's11999';
         INSERT INTO sessions (id, task) VALUES ('new', 'n');
         INSERT INTO steps (session_id, number, at) VALUES ('s4711', 0, '05'), ('s4711', 2, '11');
         UPDATE events SET what = 'changed' WHERE id = 9000; DELETE FROM events WHERE id = 9001;
         INSERT INTO events (id, what) VALUES (50000, 'the last');
         UPDATE lines SET message = 'other' WHERE id = 8500;",
    );
    let out = content(&place.export());
    let task = task();
    let was = |path: &str| String::from_utf8(before[Path::new(path)].2.clone()).expect("UTF-8");
    let is = |path: &str| String::from_utf8(out[Path::new(path)].2.clone()).expect("UTF-8");
    let first = format!("\n  {{\n    \"id\": \"s0\",\n    \"task\": \"{task}\",\n    \"steps\": []\n  }},");
    let last = format!("{{\n    \"id\": \"s11999\",\n    \"task\": \"{task}\",\n    \"steps\": []\n  }}");
    let expected = was("all.json")
        .replacen(&first, "", 1)
        .replacen(&last, "{\n    \"id\": \"new\",\n    \"task\": \"n\",\n    \"steps\": []\n  }", 1)
        .replacen(&format!("\"s9000\",\n    \"task\": \"{task}\""), "\"s9000\",\n    \"task\": \"another\"", 1)
        .replacen(
            "[ {\"number\": 1, \"at\": \"10\" } ]",
            "[ {\"number\": 0, \"at\": \"05\"}, {\"number\": 1, \"at\": \"10\" }, {\"number\": 2, \"at\": \"11\"} ]",
            1,
        );
    assert!(is("all.json") == expected, "the array: {}", difference(&is("all.json"), &expected));
    let expected = was("events.jsonl")
        .replacen(&format!("{{\"id\":9000,\"what\":\"{task}\""), "{\"id\":9000,\"what\":\"changed\"", 1)
        .lines()
        .filter(|line| !line.starts_with("{\"id\":9001,"))
        .chain(["{\"id\":50000,\"what\":\"the last\"}"])
        .fold(String::new(), |all, line| all + line + "\n");
    assert!(is("events.jsonl") == expected, "the lines: {}", difference(&is("events.jsonl"), &expected));
    let changed = is("app.log");
    assert!(changed.contains("2025-07-16 13:39:00 other\n") && changed.len() == was("app.log").len() - task.len() + 5);
}

/// Where two texts part.
fn difference(one: &str, other: &str) -> String {
    let at = one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    let shown = |text: &str| {
        String::from_utf8_lossy(&text.as_bytes()[at.saturating_sub(80)..text.len().min(at + 200)]).into_owned()
    };
    format!("at {at}: {:?} and {:?}", shown(one), shown(other))
}

#[test]
fn a_large_new_file_is_written_part_by_part() {
    let place = Place::new();
    place.write("events.jsonl", "{\"id\":0,\"what\":\"x\"}\n");
    place.migrate(&[], 0);
    place.change(
        "WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 60000)
         INSERT INTO sessions (id, task) SELECT 's' || id, printf('%0200d', id) FROM n",
    );
    let out = place.export();
    let made = fs::read_to_string(out.join("all.json")).expect("the array");
    let expected: Vec<String> = (1..=60_000)
        .map(|id| format!("\n  {{\n    \"id\": \"s{id}\",\n    \"task\": \"{id:0200}\",\n    \"steps\": []\n  }}"))
        .collect();
    assert!(made == format!("[{}\n]", expected.join(",")), "as the application writes it");
}

#[test]
fn a_large_file_is_set_aside_as_a_whole() {
    let place = Place::new();
    large(&place);
    let lines = fs::read_to_string(place.tree.join("events.jsonl")).expect("lines");
    let broken = lines.replace("{\"id\":11000,", "{\"id\":x,");
    place.write("events.jsonl", &broken);
    let said = place.migrate(&[], 3);
    assert!(said.contains("events.jsonl`, line 11001, column 7") && !place.file.exists(), "{said}");
    let said = run(&["check", text(&place.project), text(&place.tree)], 1);
    assert!(said.contains("line 11001"), "{said}");
    let aside = place.folder.path().join("aside");
    let said = place.migrate(&["--quarantine", text(&aside)], 1);
    assert!(said.contains("1 file was set aside"), "{said}");
    assert!(fs::read_to_string(aside.join("events.jsonl")).expect("it is kept") == broken);
    assert_eq!(place.one("SELECT count(*) || ' ' || (SELECT count(*) FROM events) FROM lines"), "12000 0");
}

#[test]
fn a_record_that_is_too_large_is_named() {
    let place = Place::new();
    let line = format!("{{\"id\":7,\"what\":\"{}\"}}\n", "x".repeat(67 << 20));
    place.write("events.jsonl", ["{\"id\":1,\"what\":\"\"}\n", &line, "{\"id\":2,\"what\":\"\"}\n"].concat());
    let said = place.migrate(&[], 3);
    assert!(said.contains("events.jsonl`, record 2, line 2: it has more than 67108864 bytes"), "{said}");
    assert!(!place.file.exists());
}

#[test]
fn what_stays_in_the_tree_is_known_by_its_hash() {
    let place = Place::new();
    place.write("events.jsonl", "{\"id\":0,\"what\":\"x\"}\n");
    place.write("models/a.bin", b"\x01".repeat(70 << 20));
    place.write("models/b.bin", "small");
    place.migrate(&[], 0);
    let before = content(&place.tree);
    assert!(fs::metadata(&place.file).expect("the file").len() < 1 << 20, "its bytes are not in it");
    let (tree, file) = (text(&place.tree), text(&place.file));
    run(&["verify", tree, file], 0);

    // Another tree has not got it.
    let out = format!("{}/", text(&place.folder.path().join("out")));
    let said = run(&["migrate", file, &out], 3);
    assert!(said.contains("models/a.bin") && said.contains("stays in the tree"), "{said}");
    assert!(!Path::new(&out).exists());

    // The tree that has it keeps it, and what has changed beside it changes.
    place.change("UPDATE events SET what = 'y'; DELETE FROM models WHERE name = 'b'");
    run(&["migrate", file, &format!("{tree}/")], 0);
    let after = content(&place.tree);
    assert!(after[Path::new("models/a.bin")] == before[Path::new("models/a.bin")]);
    assert_eq!(after[Path::new("events.jsonl")].2, b"{\"id\":0,\"what\":\"y\"}\n");
    assert!(!after.contains_key(Path::new("models/b.bin")));
    place.migrate(&[], 0);
    run(&["verify", tree, file], 0);

    // One that is another, or gone, is told.
    place.write("models/a.bin", "other");
    let said = run(&["verify", tree, file], 1);
    assert!(said.contains("models") && said.contains("hash"), "{said}");
    let said = run(&["migrate", file, &format!("{tree}/")], 3);
    assert!(said.contains("models/a.bin") && said.contains("not what its row says"), "{said}");
    fs::remove_file(place.tree.join("models/a.bin")).expect("it is there");
    let said = run(&["verify", tree, file], 1);
    assert!(said.contains("models"), "{said}");
}

#[test]
fn a_new_record_finds_its_place() {
    let place = Place::new();
    let array = "[\n  {\n    \"id\": \"s\",\n    \"task\": \"t\",\n    \"steps\": [\n      {\n        \"number\": 1,\n        \"at\": \"10\"\n      },\n      \
                 {\n        \"number\": 2,\n        \"at\": \"30\"\n      },\n      {\n        \"number\": 3,\n        \"at\": \"20\"\n      }\n    ]\n  }\n]";
    place.write("all.json", array);
    place.migrate(&[], 0);
    place.change(
        "INSERT INTO steps (session_id, number, at) VALUES
         ('s', 10, '40'), ('s', 11, '05'), ('s', 12, '10'), ('s', 13, '25'), ('s', 14, NULL)",
    );
    let made = fs::read_to_string(place.export().join("all.json")).expect("the array");
    let numbers: Vec<&str> =
        made.split("\"number\": ").skip(1).map(|rest| rest.split([',', '\n']).next().unwrap_or("")).collect();
    assert_eq!(numbers, ["11", "1", "12", "2", "3", "13", "10", "14"], "{made}");
}

#[test]
fn what_the_record_around_says_has_one_type() {
    let place = Place::new();
    place.write("all.json", "[]");
    let other = LAYOUT.replace("\"@parent.id\"", "{ from = \"@parent.id\", type = \"integer\" }");
    fs::write(place.project.join("layout.toml"), other).expect("a layout");
    let said = place.migrate(&[], 2);
    assert!(said.contains("`session_id` is bigint, and `id` of the record around is text"), "{said}");
}
