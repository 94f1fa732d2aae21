//! Trees of files: a tree of session files to SQLite, verified in full, beside a bare loop that parses and inserts; the way back
//! beside `cp -r`; and with `--large` files that are far larger than the memory that they are read in.
//!
//! `cargo bench --bench trees -- --files 20000 --rounds 3`, or `WHIMBREL_BENCH_FILES=20000`: a file has 50 KB, so that is one GB.
//! `--large` makes a JSON Lines file of 2 GB and a JSON array of 500 MB; `--large-mb 200` files of 200 and 50 MB. `--at DIR` says where.
//!
//! Each measurement is a process of its own, so that its peak memory is its own. The bare loop has the same tables, one thread,
//! prepared statements and one transaction; it keeps nothing that no column takes, and verifies nothing. A limit that is missed
//! ends the run with exit code 1.

mod support;

use rusqlite::Connection;
use rusqlite::types::Value as Stored;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;
use support::{Limits, line, measure, median, number};
use whimbrel::cancel::Cancel;
use whimbrel::endpoint::files::source::{LayoutFile, TreeSource};
use whimbrel::endpoint::sqlite::SqliteSource;
use whimbrel::endpoint::{ReadTable, Source};
use whimbrel::event;
use whimbrel::migration::Migration;
use whimbrel::sync;
use whimbrel::to_files;
use whimbrel::verify::Level;

/// The copy, ours to the bare loop.
const COPY_RATIO_MAX: f64 = 1.5;
/// A whole run, verified in full, to the bare loop.
const WHOLE_RATIO_MAX: f64 = 2.5;
/// The way back, verified, to `cp -r` and `sync -f`.
const EXPORT_RATIO_MAX: f64 = 3.0;
/// A sync of a tree with ten changed files, where nobody has written to the SQLite file, in seconds.
const SYNC_MAX_S: f64 = 2.0;
/// The same where somebody has, to one full read of both sides.
const SYNC_RATIO_MAX: f64 = 1.3;
/// Peak memory in megabytes of 1,000,000 bytes.
const MEMORY_MAX_MB: f64 = 200.0;

const FIGURES: [&str; 4] = ["copy", "verify", "whole", "memory"];
const LAYOUT: &str = include_str!("../migrations/sessions/layout.toml");
const LARGE_LAYOUT: &str = r#"
[[file]]
path = "events.jsonl"
format = "json-lines"

[[file.records]]
table = "events"
key = ["id"]
rest = "extra"
columns.id = { from = "id", type = "integer" }
columns.kind = "kind"
columns.message = "message"

[[file]]
path = "all.json"
format = "json"
style = { indent = 2, final_newline = false }

[[file.records]]
at = "[]"
table = "sessions"
key = ["id"]
rest = "extra"
columns.id = { from = "id", type = "integer" }
columns.task = "task"

[[file.records.children]]
at = "steps[]"
table = "steps"
key = ["session_id", "number"]
columns.session_id = { from = "@parent.id", type = "integer" }
columns.number = { from = "number", type = "integer" }
columns.text = "text"
"#;

fn main() -> ExitCode {
    if let Some(part) = support::part() {
        let part: Vec<&str> = part.iter().map(String::as_str).collect();
        let figures = match part.as_slice() {
            ["bare", tree, made, file] => bare(Path::new(tree), Path::new(made), Path::new(file)),
            ["import", tree, layout, file] => import(tree, Path::new(layout), Path::new(file)),
            ["export", file, tree] => export(Path::new(file), Path::new(tree)),
            ["copy", tree, to] => copied(Path::new(tree), Path::new(to)),
            ["sync", tree, file] => synced(Path::new(tree), Path::new(file)),
            ["read", tree, file] => read_in_full(Path::new(tree), Path::new(file)),
            _ => return ExitCode::FAILURE,
        };
        println!("{figures}");
        return ExitCode::SUCCESS;
    }
    let arguments: Vec<String> = std::env::args().collect();
    let at = arguments.iter().position(|argument| argument == "--at").and_then(|at| arguments.get(at + 1));
    let folder = at.map_or_else(tempfile::tempdir, tempfile::tempdir_in).expect("a folder");
    let mut limits = Limits(true);
    println!("{:<17}{}", "", FIGURES.map(|name| format!(" {name:>9}")).concat());
    match arguments.iter().any(|argument| argument == "--large" || argument == "--large-mb") {
        true => large(folder.path(), number("large-mb", 2000), &mut limits),
        false => sessions(folder.path(), &mut limits),
    }
    limits.exit_code()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of text")
}

/// The figures of a part, by name.
fn measured(kind: &str, part: &[&str]) -> impl Fn(&str) -> f64 + use<> {
    // What earlier parts wrote is not this one's to wait for.
    assert!(Command::new("sync").status().expect("sync").success());
    let figures = measure(part);
    line(kind, &figures, &FIGURES);
    move |name| figures[name].as_f64().unwrap_or(f64::NAN)
}

fn sessions(folder: &Path, limits: &mut Limits) {
    let (files, rounds) = (number("files", 2000), number("rounds", 3));
    let (tree, layout) = (folder.join("tree"), folder.join("layout.toml"));
    let (made, other, out) = (folder.join("made.db"), folder.join("bare.db"), folder.join("out"));
    fs::write(&layout, LAYOUT).expect("the layout");
    let bytes = write_sessions(&tree, files);
    println!("{files} files of sessions, {} MB; times in seconds", bytes / 1_000_000);
    let (mut copies, mut wholes, mut exports, mut memory) = (Vec::new(), Vec::new(), Vec::new(), 0.0_f64);
    for _ in 0..rounds {
        let _ = (fs::remove_file(&made), fs::remove_file(&other));
        let ours = measured("ours", &["import", text(&tree), text(&layout), text(&made)]);
        let bare = measured("bare loop", &["bare", text(&tree), text(&made), text(&other)]);
        copies.push(ours("copy") / bare("whole"));
        wholes.push(ours("whole") / bare("whole"));
        let back = measured("back", &["export", text(&made), text(&out)]);
        assert_same(&tree, &out);
        fs::remove_dir_all(&out).expect("the tree");
        let copy = measured("cp -r, sync -f", &["copy", text(&tree), text(&out)]);
        fs::remove_dir_all(&out).expect("the tree");
        exports.push(back("whole") / copy("whole"));
        memory = memory.max(ours("memory")).max(back("memory"));
    }
    let _ = fs::remove_file(&other);
    syncs(&tree, &made, limits);
    limits.judge("the copy, to a bare loop", median(copies), COPY_RATIO_MAX);
    limits.judge("a whole run with full proof, to a bare loop", median(wholes), WHOLE_RATIO_MAX);
    limits.judge("the way back, to `cp -r` and `sync -f`", median(exports), EXPORT_RATIO_MAX);
    limits.judge("highest peak memory in MB", memory, MEMORY_MAX_MB);
}

/// Ten files have changed, and then as many and a row.
fn syncs(tree: &Path, made: &Path, limits: &mut Limits) {
    let sync = || measured("sync", &["sync", text(tree), text(made)])("whole");
    sync();
    change_ten(tree, "completed", "failed");
    let quiet = sync();
    change_ten(tree, "failed", "completed");
    let sql = "UPDATE sessions SET task = 'another' WHERE rowid = (SELECT max(rowid) FROM sessions)";
    Connection::open(made).and_then(|file| file.execute(sql, [])).expect("a change");
    let read = measured("one full read", &["read", text(tree), text(made)])("whole");
    let moved = sync();
    limits.judge("a sync of ten changed files, in seconds", quiet, SYNC_MAX_S);
    limits.judge("a sync of ten changed files and a row, to one full read", moved / read, SYNC_RATIO_MAX);
}

fn change_ten(tree: &Path, from: &str, to: &str) {
    let mut left = 10;
    for entry in fs::read_dir(tree.join("sessions")).expect("the sessions") {
        let path = entry.expect("a file").path();
        let text = fs::read_to_string(&path).expect("a file");
        let changed = text.replacen(&format!("\"status\": \"{from}\""), &format!("\"status\": \"{to}\""), 1);
        if changed != text && left > 0 {
            fs::write(&path, changed).expect("a file");
            left -= 1;
        }
        if left == 0 {
            return;
        }
    }
    panic!("no ten files have a session that is {from}");
}

fn synced(tree: &Path, file: &Path) -> Value {
    let start = Instant::now();
    let options = sync::Options {
        tree: tree.to_path_buf(),
        file: file.to_path_buf(),
        layout: None,
        checks: None,
        prefer: Vec::new(),
        dry_run: false,
        rehash: false,
    };
    let done = sync::sync(&options, &Cancel::new()).expect("a sync");
    done.ensure_merged(tree, file).expect("nothing in conflict");
    json!({ "whole": start.elapsed().as_secs_f64(), "memory": support::usage().peak_memory_mb })
}

/// Every row of the file, and every file of the tree: what a sync has to read where it knows nothing.
fn read_in_full(tree: &Path, file: &Path) -> Value {
    let start = Instant::now();
    let cancel = Cancel::new();
    let mut source = SqliteSource::open(file, &cancel).expect("the file");
    let catalog = Source::catalog(&mut source).expect("its catalog");
    let requests: Vec<ReadTable<'_>> = catalog.tables.iter().map(ReadTable::whole).collect();
    source.digests(&requests).expect("its rows");
    let layout = LayoutFile::remembered(&catalog, text(file)).expect("a layout").expect("a layout");
    let read = TreeSource::open(tree, &layout, &[], &cancel).and_then(|mut tree| {
        let catalog = tree.catalog()?;
        tree.digests(&catalog.tables.iter().map(ReadTable::whole).collect::<Vec<_>>())
    });
    read.expect("its files");
    json!({ "whole": start.elapsed().as_secs_f64(), "memory": support::usage().peak_memory_mb })
}

fn large(folder: &Path, megabytes: u64, limits: &mut Limits) {
    let (tree, layout) = (folder.join("tree"), folder.join("layout.toml"));
    let (made, out) = (folder.join("made.db"), folder.join("out"));
    fs::write(&layout, LARGE_LAYOUT).expect("the layout");
    write_large(&tree, megabytes);
    println!("JSON Lines of {megabytes} MB, an array of {} MB; times in seconds", megabytes / 4);
    let there = measured("there", &["import", text(&tree), text(&layout), text(&made)]);
    let back = measured("back", &["export", text(&made), text(&out)]);
    assert_same(&tree, &out);
    limits.judge("highest peak memory in MB", there("memory").max(back("memory")), MEMORY_MAX_MB);
}

fn assert_same(tree: &Path, out: &Path) {
    let output = Command::new("diff").arg("-r").args([tree, out]).output().expect("diff");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// A small generator of numbers, so that every run has the same tree.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }

    fn sentence(&mut self, words: u64) -> String {
        const WORDS: [&str; 16] = [
            "the",
            "test",
            "fails",
            "because",
            "`main.rs`",
            "reads",
            "a \"file\"",
            "that",
            "is",
            "naïve",
            "and",
            "then",
            "writes\nit",
            "again",
            "without",
            "changes;",
        ];
        let count = words / 2 + self.next(words);
        (0..count).map(|_| WORDS[self.next(16) as usize]).collect::<Vec<_>>().join(" ")
    }
}

/// As the editor writes them; every twentieth file is left as somebody else would have written it.
fn write_sessions(tree: &Path, files: u64) -> u64 {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    fs::create_dir_all(tree.join("sessions")).expect("a folder");
    let (mut mapping, mut bytes) = (serde_json::Map::new(), 0);
    for file in 0..files {
        let hash = format!("{:016x}", file.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        mapping.insert(hash.clone(), json!(format!("/home/ann/projects/p{file}")));
        let sessions: Vec<Value> = (0..3).map(|number| session(&mut numbers, file * 3 + number)).collect();
        let sessions = json!(sessions);
        let written = if file % 20 == 0 { format!("{sessions}\n") } else { format!("{sessions:#}") };
        bytes += written.len() as u64;
        fs::write(tree.join("sessions").join(hash + ".json"), written).expect("a file");
    }
    fs::write(tree.join("workspace_mapping.json"), format!("{:#}", json!(mapping))).expect("a file");
    bytes
}

fn session(numbers: &mut Numbers, id: u64) -> Value {
    let moment = |numbers: &mut Numbers| {
        let (day, hour, minute) = (1 + numbers.next(28), numbers.next(24), numbers.next(60));
        json!(format!("2025-11-{day:02}T{hour:02}:{minute:02}:00.123456Z"))
    };
    let instances: Vec<Value> = (0..3)
        .map(|number| {
            json!({
                "instanceId": number, "worktreePath": format!("/home/ann/projects/.worktrees/{id}-{number}"),
                "branch": format!("competition/{id}/{number}"), "agentName": "agent", "status": "completed",
                "tmuxSessionId": format!("ait42-{id}-{number}"), "output": numbers.sentence(80),
                "startTime": moment(numbers), "endTime": moment(numbers), "filesChanged": numbers.next(40),
                "linesAdded": numbers.next(900), "linesDeleted": numbers.next(300), "runtime": "claude",
                "model": "opus", "runtimeLabel": Value::Null
            })
        })
        .collect();
    let messages: Vec<Value> = (0..24)
        .map(|number| {
            json!({
                "id": format!("m-{id}-{number}"), "instanceId": Value::Null,
                "role": if number % 2 == 0 { "user" } else { "assistant" }, "content": numbers.sentence(70),
                "timestamp": moment(numbers)
            })
        })
        .collect();
    json!({
        "id": format!("session-{id:08}"), "type": "competition", "task": numbers.sentence(40), "status": "completed",
        "createdAt": moment(numbers), "updatedAt": moment(numbers), "completedAt": Value::Null,
        "instances": instances, "chatHistory": messages, "model": "opus", "timeoutSeconds": 3600,
        "preserveWorktrees": true, "winnerId": numbers.next(3), "runtimeMix": ["claude", "codex"],
        "totalDuration": numbers.next(9000), "totalFilesChanged": numbers.next(99),
        "totalLinesAdded": numbers.next(999), "totalLinesDeleted": numbers.next(999)
    })
}

fn write_large(tree: &Path, megabytes: u64) {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    fs::create_dir_all(tree).expect("a folder");
    let create = |name: &str| BufWriter::new(File::create(tree.join(name)).expect("a file"));
    let (mut lines, mut written, mut id, mut record) = (create("events.jsonl"), 0, 0_u64, String::new());
    while written < megabytes * 1_000_000 {
        record.clear();
        let (kind, message) = (["info", "warning"][numbers.next(2) as usize], json!(numbers.sentence(40)));
        writeln!(record, "{{\"id\":{id},\"kind\":\"{kind}\",\"message\":{message},\"line\":{}}}", numbers.next(900))
            .expect("text");
        lines.write_all(record.as_bytes()).expect("a line");
        (written, id) = (written + record.len() as u64, id + 1);
    }
    let mut array = create("all.json");
    (written, id) = (1, 0);
    array.write_all(b"[").expect("a record");
    while written < megabytes * 250_000 {
        record.clear();
        record.push_str(if id == 0 { "\n  " } else { ",\n  " });
        let steps: Vec<Value> =
            (0..4).map(|number| json!({ "number": number, "text": numbers.sentence(20) })).collect();
        let session = json!([{ "id": id, "task": numbers.sentence(30), "steps": steps }]);
        let session = format!("{session:#}");
        record.push_str(session[1..session.len() - 2].trim_start());
        array.write_all(record.as_bytes()).expect("a record");
        (written, id) = (written + record.len() as u64, id + 1);
    }
    array.write_all(b"\n]").expect("the end");
    lines.flush().and_then(|()| array.flush()).expect("the disk takes it");
}

fn import(tree: &str, layout: &Path, file: &Path) -> Value {
    let start = Instant::now();
    let migrated =
        Migration::from(tree).to(file).layout(layout).verify(Level::Full).run_blocking().expect("a migration");
    let whole = start.elapsed().as_secs_f64();
    let durations = migrated.outcome().durations;
    json!({
        "copy": (durations.copy + durations.finish).as_secs_f64(),
        "verify": durations.verify.as_secs_f64(),
        "whole": whole,
        "memory": support::usage().peak_memory_mb,
    })
}

fn export(file: &Path, tree: &Path) -> Value {
    let start = Instant::now();
    let cancel = Cancel::new();
    let mut source = SqliteSource::open(file, &cancel).expect("the file");
    let catalog = whimbrel::endpoint::Source::catalog(&mut source).expect("its catalog");
    let layout = LayoutFile::remembered(&catalog, text(file)).expect("a layout").expect("a layout");
    let target = tree.to_path_buf();
    let job = to_files::Job { target, layout, level: Level::Full, dry_run: false, backup_directory: None };
    let outcome = to_files::migrate(&mut source, &job, &cancel, &event::nobody).expect("a migration");
    outcome.ensure_published().expect("a verified tree");
    let durations = outcome.durations;
    json!({
        "copy": (durations.copy + durations.finish).as_secs_f64(),
        "verify": durations.verify.as_secs_f64(),
        "whole": start.elapsed().as_secs_f64(),
        "memory": support::usage().peak_memory_mb,
    })
}

fn copied(tree: &Path, to: &Path) -> Value {
    let start = Instant::now();
    assert!(Command::new("cp").arg("-r").args([tree, to]).status().expect("cp").success());
    assert!(Command::new("sync").arg("-f").arg(to).status().expect("sync").success());
    json!({ "whole": start.elapsed().as_secs_f64() })
}

/// The columns of a table of the layout, with the member that each is of; none is what stands around the record.
type Columns = &'static [(&'static str, &'static str)];

const SESSION: Columns = &[
    ("id", "id"),
    ("workspace_hash", ""),
    ("session_type", "type"),
    ("task", "task"),
    ("status", "status"),
    ("created_at", "createdAt"),
    ("updated_at", "updatedAt"),
    ("completed_at", "completedAt"),
    ("model", "model"),
    ("timeout_seconds", "timeoutSeconds"),
    ("preserve_worktrees", "preserveWorktrees"),
    ("winner_id", "winnerId"),
    ("runtime_mix", "runtimeMix"),
    ("total_duration", "totalDuration"),
    ("total_files_changed", "totalFilesChanged"),
    ("total_lines_added", "totalLinesAdded"),
    ("total_lines_deleted", "totalLinesDeleted"),
];
const INSTANCE: Columns = &[
    ("session_id", ""),
    ("instance_id", "instanceId"),
    ("worktree_path", "worktreePath"),
    ("branch", "branch"),
    ("agent_name", "agentName"),
    ("status", "status"),
    ("tmux_session_id", "tmuxSessionId"),
    ("output", "output"),
    ("start_time", "startTime"),
    ("end_time", "endTime"),
    ("files_changed", "filesChanged"),
    ("lines_added", "linesAdded"),
    ("lines_deleted", "linesDeleted"),
    ("runtime", "runtime"),
    ("model", "model"),
    ("runtime_label", "runtimeLabel"),
];
const MESSAGE: Columns = &[
    ("id", "id"),
    ("session_id", ""),
    ("instance_id", "instanceId"),
    ("role", "role"),
    ("content", "content"),
    ("timestamp", "timestamp"),
];

/// The bare loop, into tables defined as in the file that we have made.
fn bare(tree: &Path, made: &Path, file: &Path) -> Value {
    let sql = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND tbl_name NOT LIKE '\\_whimbrel%' ESCAPE '\\'
               AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY type = 'index'";
    let made = Connection::open(made).expect("the file");
    let definitions: Vec<String> =
        made.prepare(sql).and_then(|mut all| all.query_map([], |row| row.get(0))?.collect()).expect("its definitions");
    let start = Instant::now();
    let connection = Connection::open(file).expect("a new file");
    connection
        .execute_batch(
            "PRAGMA page_size = 4096; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
             PRAGMA locking_mode = EXCLUSIVE; PRAGMA foreign_keys = OFF; PRAGMA cache_size = -49152; BEGIN",
        )
        .expect("pragmas");
    definitions.iter().for_each(|sql| connection.execute_batch(sql).expect("a definition"));
    let statement = |table: &str, columns: Columns| {
        let names: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
        let marks = vec!["?"; names.len()].join(", ");
        connection
            .prepare(&format!("INSERT INTO {table} ({}) VALUES ({marks})", names.join(", ")))
            .expect("a statement")
    };
    let (mut sessions, mut instances, mut messages) =
        (statement("sessions", SESSION), statement("instances", INSTANCE), statement("chat_messages", MESSAGE));
    let read = |path: PathBuf| -> Value { serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON") };
    let mapping = read(tree.join("workspace_mapping.json"));
    for (hash, path) in mapping.as_object().expect("an object") {
        let values = [hash.as_str(), path.as_str().expect("a path")];
        connection.execute("INSERT INTO workspaces (hash, path) VALUES (?1, ?2)", values).expect("a row");
        for session in read(tree.join("sessions").join(format!("{hash}.json"))).as_array().expect("an array") {
            insert(&mut sessions, SESSION, session, hash);
            let id = session["id"].as_str().expect("an id");
            for instance in session["instances"].as_array().expect("an array") {
                insert(&mut instances, INSTANCE, instance, id);
            }
            for message in session["chatHistory"].as_array().expect("an array") {
                insert(&mut messages, MESSAGE, message, id);
            }
        }
    }
    connection.execute_batch("COMMIT").expect("a commit");
    json!({ "whole": start.elapsed().as_secs_f64(), "memory": support::usage().peak_memory_mb })
}

fn insert(statement: &mut rusqlite::Statement<'_>, columns: Columns, record: &Value, around: &str) {
    for (place, (_, member)) in columns.iter().enumerate() {
        let place = place + 1;
        let bound = match member {
            &"" => statement.raw_bind_parameter(place, around),
            member => match &record[*member] {
                Value::Null => statement.raw_bind_parameter(place, Stored::Null),
                Value::Bool(value) => statement.raw_bind_parameter(place, i64::from(*value)),
                Value::Number(number) => statement.raw_bind_parameter(place, number.as_i64()),
                Value::String(text) => statement.raw_bind_parameter(place, text.as_str()),
                other => statement.raw_bind_parameter(place, other.to_string()),
            },
        };
        bound.expect("a value");
    }
    statement.raw_execute().expect("a row");
}
