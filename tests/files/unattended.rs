//! What a sync must not do while nobody looks: take its own files for a user's, a link for a deletion, a cascade for a decision; lose
//! what a program goes on to write.

use crate::sync::{FIRST, SECOND, assert_in_step, edit, one, sync};
use crate::trees::{Made, SESSIONS, content, run, sessions, text};
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

const DEESPEC: &str = "migrations/deespec";
const AGENTS: &str = "migrations/agents";

/// A tree of these files, and the file that was made of it.
fn made(project: &str, files: &[(&str, &str)]) -> Made {
    let folder = tempfile::tempdir().expect("a folder");
    let (tree, file) = (folder.path().join("tree"), folder.path().join("app.db"));
    for (path, text) in files {
        let path = tree.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    run(&["migrate", project, text(&tree), text(&file)], 0);
    Made { folder, tree, file }
}

fn merge(project: &str, made: &Made, options: &[&str], code: i32) -> String {
    let words = ["sync", project, text(&made.tree), text(&made.file)];
    run(&[&words[..], options].concat(), code)
}

/// A sync that ends with an error once the files have taken their places.
fn dead_run(made: &Made) {
    made.change("CREATE TRIGGER full BEFORE INSERT ON _whimbrel_tree BEGIN SELECT RAISE(ABORT, 'no room'); END");
    assert!(sync(made, &[], 3).contains("no room"));
    made.change("DROP TRIGGER full");
    assert!(pending(made).exists());
}

fn pending(made: &Made) -> PathBuf {
    made.file.with_file_name(".sessions.db.whimbrel-pending")
}

fn status(made: &Made) -> (bool, String) {
    let file = fs::read_to_string(made.tree.join(SECOND)).expect("a file");
    (file.contains("\"paused\""), one(&made.file, "SELECT status FROM sessions WHERE id = 's2'"))
}

#[test]
fn a_row_that_was_edited_after_a_run_that_ended_before_its_commit_is_not_undone() {
    let pause = "UPDATE sessions SET status = 'paused' WHERE id = 's2'";
    // Back to what it was; to something else; nothing at all; gone.
    for (then, is) in [
        ("UPDATE sessions SET status = 'running' WHERE id = 's2'", (false, "running")),
        ("UPDATE sessions SET status = 'failed' WHERE id = 's2'", (false, "failed")),
        ("UPDATE sessions SET task = 'odd' WHERE id = 's2'", (true, "paused")),
    ] {
        let made = Made::new();
        made.change(pause);
        dead_run(&made);
        assert_eq!(status(&made), (true, "paused".to_owned()));
        made.change(then);
        let said = sync(&made, &[], 0);
        assert_eq!(status(&made), (is.0, is.1.to_owned()), "{then}: {said}");
        assert!(!pending(&made).exists());
        assert_in_step(&made);
    }
    let made = Made::new();
    made.change(pause);
    dead_run(&made);
    made.change("DELETE FROM sessions WHERE id = 's2'");
    sync(&made, &[], 0);
    assert!(!fs::read_to_string(made.tree.join(SECOND)).expect("a file").contains("s2"));
    assert_in_step(&made);
}

#[test]
fn what_such_a_run_has_made_and_removed_is_told_from_what_a_user_has() {
    let new = "INSERT INTO sessions (id, workspace_hash, session_type, task, status, created_at, updated_at)
               VALUES ('s9', 'fedcba9876543210', 'debate', 'new', 'running', '2025-12-01T00:00:00Z', '2025-12-01T00:00:00Z')";
    let made = Made::new();
    made.change(&format!(
        "CREATE TABLE kept AS SELECT * FROM sessions WHERE id = 's3'; DELETE FROM sessions WHERE id = 's3'; {new}"
    ));
    dead_run(&made);
    // Two of them, one after the other.
    made.change("UPDATE sessions SET task = 'newer' WHERE id = 's9'");
    dead_run(&made);
    made.change(
        "DELETE FROM sessions WHERE id = 's9';
         INSERT INTO sessions (id, workspace_hash, session_type, task, status, created_at, updated_at)
           SELECT id, workspace_hash, session_type, task, status, created_at, updated_at FROM kept; DROP TABLE kept",
    );
    sync(&made, &[], 0);
    let file = fs::read_to_string(made.tree.join(SECOND)).expect("a file");
    assert!(file.contains("\"s3\"") && !file.contains("s9"), "{file}");
    assert_eq!(one(&made.file, "SELECT group_concat(id, ' ' ORDER BY id) FROM sessions"), "s1 s2 s3");
    assert_in_step(&made);
}

#[test]
fn a_file_that_was_edited_after_such_a_run_is_merged_or_in_conflict() {
    let made = Made::new();
    made.change("UPDATE sessions SET status = 'paused' WHERE id = 's2'");
    dead_run(&made);
    // Another record of the same file, and a row that goes back.
    edit(&made, SECOND, "\"failed\"", "\"completed\"");
    made.change("UPDATE sessions SET status = 'running' WHERE id = 's2'");
    sync(&made, &[], 0);
    assert_eq!(status(&made), (false, "running".to_owned()));
    assert_eq!(one(&made.file, "SELECT status FROM sessions WHERE id = 's3'"), "completed");
    assert_in_step(&made);
    // The same record, from whatever it was.
    made.change("UPDATE sessions SET status = 'paused' WHERE id = 's2'");
    dead_run(&made);
    edit(&made, SECOND, "\"paused\"", "\"completed\"");
    made.change("UPDATE sessions SET status = 'running' WHERE id = 's2'");
    for _ in 0..2 {
        let said = sync(&made, &[], 1);
        assert!(said.contains("column `status`: files `completed`, rows `running`"), "{said}");
    }
    sync(&made, &["--prefer", "rows"], 0);
    assert_eq!(status(&made), (false, "running".to_owned()));
    assert_in_step(&made);
    // A list that nobody has written stops it, where it might be believed.
    fs::write(pending(&made), "{}").expect("a file");
    assert!(sync(&made, &[], 3).contains("ended sync"));
}

#[test]
fn a_link_in_the_place_of_records_is_no_deletion() {
    let made = Made::new();
    let archive = made.tree.join("sessions_archive");
    let assert_refused = |link: &str| {
        let before = (content(&made.tree), fs::read(&made.file).expect("the file"));
        for options in [&["--dry-run"][..], &[]] {
            let said = sync(&made, options, 3);
            assert!(said.contains("a link has taken its place") && said.contains(link), "{said}");
        }
        assert!((content(&made.tree), fs::read(&made.file).expect("the file")) == before);
    };
    fs::rename(made.tree.join(FIRST), archive.join("first.json")).expect("a move");
    symlink("../sessions_archive/first.json", made.tree.join(FIRST)).expect("a link");
    assert_refused(FIRST);
    fs::remove_file(made.tree.join(FIRST)).expect("a link");
    fs::rename(archive.join("first.json"), made.tree.join(FIRST)).expect("a move");
    fs::rename(made.tree.join("sessions"), archive.join("all")).expect("a move");
    symlink("sessions_archive/all", made.tree.join("sessions")).expect("a link");
    assert_refused("`sessions`");
    fs::remove_file(made.tree.join("sessions")).expect("a link");
    fs::rename(archive.join("all"), made.tree.join("sessions")).expect("a move");
    assert_in_step(&made);
}

#[test]
fn a_log_that_a_program_has_open_is_not_replaced() {
    let log = "logs/leanvibe.log";
    let lines = "2025-07-15 10:10:10 INFO hive started\n2025-07-15 10:10:11 ERROR hive failed\n";
    let made = made(AGENTS, &[(log, lines), ("logs/errors.log", "")]);
    made.change("UPDATE events SET message = 'said' WHERE event_id = 'log-0'");
    let path = made.tree.join(log);
    let number = fs::metadata(&path).expect("a file").ino();
    let mut writer = fs::File::options().append(true).open(&path).expect("a log");
    for code in [1, 1] {
        let said = merge(AGENTS, &made, &[], code);
        assert!(said.contains("open for writing") && said.contains("log-0"), "{said}");
    }
    writer.write_all(b"2025-07-15 10:10:12 INFO hive goes on\n").expect("a line");
    assert!(merge(AGENTS, &made, &[], 1).contains("open for writing"));
    assert_eq!(one(&made.file, "SELECT message FROM events WHERE event_id = 'log-2'"), "goes on");
    assert_eq!(fs::metadata(&path).expect("a file").ino(), number);
    drop(writer);
    // Who only reads it is in nobody's way.
    let _reader = fs::File::open(&path).expect("a log");
    merge(AGENTS, &made, &[], 0);
    let now = fs::read_to_string(&path).expect("a log");
    assert_eq!(now, format!("{}2025-07-15 10:10:12 INFO hive goes on\n", lines.replace("started", "said")));
    run(&["verify", text(&made.tree), text(&made.file)], 0);
}

#[test]
fn new_lines_come_to_the_end_of_a_log_whoever_has_it_open() {
    let line = |step: &str| format!("{{\"ts\":\"2025-10-03T10:00:00Z\",\"turn\":3,\"step\":\"{step}\"}}\n");
    let first = line("plan");
    let made = made(DEESPEC, &[("var/journal.ndjson", &first)]);
    let path = made.tree.join("var/journal.ndjson");
    let number = fs::metadata(&path).expect("a file").ino();
    let mut writer = fs::File::options().append(true).open(&path).expect("a log");
    made.change(
        "INSERT INTO audit_log (id, timestamp, entity_type, entity_id, action, new_value)
         SELECT id + 1, timestamp, entity_type, 'line-' || (id + 1), 'of rows', new_value FROM audit_log",
    );
    merge(DEESPEC, &made, &[], 0);
    let now = fs::read_to_string(&path).expect("a log");
    assert!(now.starts_with(&first) && now.lines().count() == 2 && now.contains("of rows"), "{now}");
    writer.write_all(line("review").as_bytes()).expect("a line");
    merge(DEESPEC, &made, &[], 0);
    assert_eq!(fs::read_to_string(&path).expect("a log"), format!("{now}{}", line("review")));
    assert_eq!(fs::metadata(&path).expect("a file").ino(), number);
    assert_eq!(one(&made.file, "SELECT group_concat(action, ' ' ORDER BY id) FROM audit_log"), "plan of rows review");
    run(&["verify", text(&made.tree), text(&made.file)], 0);
}

#[test]
fn a_file_that_was_set_aside_is_taken_in_when_it_was_repaired() {
    let folder = tempfile::tempdir().expect("a folder");
    let (tree, file) = (folder.path().join("tree"), folder.path().join("sessions.db"));
    sessions(&tree);
    let whole = fs::read_to_string(tree.join(FIRST)).expect("a file");
    fs::write(tree.join(FIRST), &whole[1..]).expect("a file");
    let other = "sessions/0000000000000000.json";
    fs::write(tree.join(other), "[").expect("a file");
    let aside = folder.path().join("aside");
    run(&["migrate", SESSIONS, text(&tree), text(&file), "--quarantine", text(&aside)], 1);
    let made = Made { folder, tree, file };
    let before = fs::read(&made.file).expect("the file");
    for options in [&["--dry-run"][..], &[], &["--json"]] {
        let said = sync(&made, options, 0);
        assert!(said.contains("set aside still") || said.contains("\"set_aside\":[{"), "{said}");
        assert!(said.contains(FIRST) && said.contains(other), "{said}");
    }
    assert!(fs::read(&made.file).expect("the file") == before, "nothing was to be done");
    fs::write(made.tree.join(FIRST), &whole).expect("a file");
    let said = sync(&made, &[], 0);
    assert!(said.contains("sessions [\"s1\"]: created") && said.contains(other), "{said}");
    assert_eq!(one(&made.file, "SELECT group_concat(id, ' ' ORDER BY id) FROM chat_messages"), "m1 m2");
    run(&["verify", text(&made.tree), text(&made.file)], 0);
    // One that is gone is no longer passed over when it comes back.
    fs::remove_file(made.tree.join(other)).expect("a file");
    sync(&made, &[], 0);
    assert_in_step(&made);
    fs::write(made.tree.join(other), "[").expect("a file");
    assert!(sync(&made, &[], 3).contains(other));
}

fn task() -> Made {
    made(
        DEESPEC,
        &[
            ("specs/sbi/SBI-1/meta.yaml", "id: SBI-1\ntitle: A title   # why\npriority: 3\n"),
            ("specs/sbi/SBI-1/spec.md", "# Spec\n"),
            ("specs/sbi/SBI-1/plan_1.md", "a plan"),
            ("specs/sbi/SBI-2/meta.yaml", "id: SBI-2\ntitle: Another\npriority: 1\n"),
            ("specs/sbi/SBI-2/spec.md", "# Spec\n"),
        ],
    )
}

fn rename(made: &Made) {
    edit(made, "specs/sbi/SBI-1/meta.yaml", "A title", "Renamed");
}

const COUNTS: &str = "SELECT (SELECT count(*) FROM sbi) || ' ' || (SELECT count(*) FROM execution)";

#[test]
fn what_a_cascade_has_taken_is_in_conflict_with_the_row_that_it_led_to() {
    let task = || {
        let made = task();
        rename(&made);
        made.change("PRAGMA foreign_keys = ON; DELETE FROM sbi WHERE id = 'SBI-1'");
        let before = content(&made.tree);
        for _ in 0..2 {
            let said = merge(DEESPEC, &made, &[], 1);
            for part in [
                "sbi [\"SBI-1\"]: changed in files, deleted in rows",
                "another part of its row is in conflict",
                "execution [\"SBI-1\",1,\"plan\",1]",
                "what it leads to is in conflict",
                "3 records are in conflict",
            ] {
                assert!(said.contains(part), "`{part}` is not in {said}");
            }
            assert_eq!(content(&made.tree), before);
            assert_eq!(one(&made.file, COUNTS), "1 0");
        }
        made
    };
    let made = task();
    merge(DEESPEC, &made, &["--prefer", "files:sbi"], 0);
    assert_eq!(
        one(&made.file, "SELECT label || spec || content FROM sbi JOIN execution ON sbi_id = sbi.id"),
        "Renamed# Spec\na plan"
    );
    run(&["verify", text(&made.tree), text(&made.file)], 0);
    let made = task();
    merge(DEESPEC, &made, &["--prefer", "rows:sbi"], 0);
    let left: Vec<PathBuf> =
        content(&made.tree).into_keys().filter(|path| path.starts_with("specs/sbi/SBI-1")).collect();
    assert!(left.iter().all(|path| made.tree.join(path).is_dir()), "{left:?}");
    run(&["verify", text(&made.tree), text(&made.file)], 0);
}

#[test]
fn a_row_that_something_leads_to_is_not_deleted_alone() {
    // A turn comes into the files of a task that rows delete.
    let made = task();
    fs::write(made.tree.join("specs/sbi/SBI-1/implement_2.md"), "a turn").expect("a file");
    made.change("PRAGMA foreign_keys = ON; DELETE FROM sbi WHERE id = 'SBI-1'; UPDATE sbi SET label = 'Third'");
    let said = merge(DEESPEC, &made, &[], 1);
    assert!(said.contains("something that leads to it stays") && said.contains("4 records are in conflict"), "{said}");
    assert!(made.tree.join("specs/sbi/SBI-1/spec.md").exists() && made.tree.join("specs/sbi/SBI-1/plan_1.md").exists());
    // All else goes on.
    assert!(fs::read_to_string(made.tree.join("specs/sbi/SBI-2/meta.yaml")).expect("a file").contains("Third"));
    merge(DEESPEC, &made, &["--prefer", "files"], 0);
    assert_eq!(one(&made.file, COUNTS), "2 2");
    run(&["verify", text(&made.tree), text(&made.file)], 0);
    // The files of a task go, and one of its turns stays on both sides.
    for part in ["meta.yaml", "spec.md", "implement_2.md"] {
        fs::remove_file(made.tree.join("specs/sbi/SBI-1").join(part)).expect("a file");
    }
    let said = merge(DEESPEC, &made, &[], 1);
    assert!(said.contains("something that leads to it stays"), "{said}");
    assert_eq!(one(&made.file, COUNTS), "2 2");
    let said = merge(DEESPEC, &made, &["--prefer", "files"], 3);
    assert!(said.contains("nothing was changed"), "{said}");
    fs::remove_file(made.tree.join("specs/sbi/SBI-1/plan_1.md")).expect("a file");
    merge(DEESPEC, &made, &[], 0);
    assert_eq!(one(&made.file, COUNTS), "1 0");
    run(&["verify", text(&made.tree), text(&made.file)], 0);
}

/// So is one whose row a table of somebody else leads to.
#[test]
fn a_row_that_a_table_of_no_file_leads_to_is_not_deleted_alone() {
    let made = Made::new();
    made.change(
        "CREATE TABLE notes (workspace TEXT REFERENCES workspaces (hash)); INSERT INTO notes VALUES ('0000000000000000')",
    );
    fs::remove_file(made.tree.join("sessions/0000000000000000.json")).expect("a file");
    edit(&made, "workspace_mapping.json", ",\n  \"0000000000000000\": \"/gone\"", "");
    let said = sync(&made, &[], 1);
    assert!(
        said.contains("workspaces [\"0000000000000000\"]") && said.contains("something that leads to it"),
        "{said}"
    );
    made.change("DROP TABLE notes");
    sync(&made, &[], 0);
    run(&["verify", text(&made.tree), text(&made.file)], 0);
}

/// Rows that came and went leave the numbers of keys behind them, of which `verify` asks.
#[test]
fn numbers_of_keys_that_have_moved_are_remembered() {
    let made = task();
    made.change(
        "INSERT INTO execution SELECT 99, sbi_id, 9, step, status, decision, attempt, started_at, completed_at,
        lease_expires_at, content FROM execution; DELETE FROM execution WHERE id = 99",
    );
    assert!(run(&["verify", text(&made.tree), text(&made.file)], 1).contains("counts on from 99"));
    assert!(merge(DEESPEC, &made, &[], 0).contains("both sides are equal"));
    run(&["verify", text(&made.tree), text(&made.file)], 0);
}

#[test]
fn nothing_of_a_sync_is_left_beside_the_file() {
    let made = Made::new();
    edit(&made, FIRST, "a \\\"task\\\"", "another task");
    made.change("UPDATE sessions SET status = 'paused' WHERE id = 's2'");
    sync(&made, &[], 0);
    let names = |folder: &Path| -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    };
    let mut left = names(made.folder.path());
    left.retain(|name| {
        !["tree", "sessions.db", "sessions.db.whimbrel-backups", ".sessions.db.whimbrel-seen"].contains(&name.as_str())
    });
    assert!(left.iter().all(|name| name.starts_with("sessions.db-")), "{left:?}");
    let connection = Connection::open(&made.file).expect("the file");
    let triggers: i64 =
        connection.query_row("SELECT count(*) FROM temp.sqlite_schema", [], |row| row.get(0)).expect("a count");
    assert_eq!(triggers, 0);
}

/// Attachments: one whose bytes are in its row, and one that stays in its tree.
#[test]
fn attachments_are_merged_as_far_as_rows_have_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let project = folder.path().join("project");
    fs::create_dir(&project).expect("a folder");
    fs::write(project.join("project.toml"), "name = \"attached\"\n").expect("a project");
    let layout = r#"
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
    fs::write(project.join("layout.toml"), layout).expect("a layout");
    let project = text(&project);
    let made = made(
        project,
        &[("attached/a", "first"), ("attached/b", "second"), ("models/m.bin", "large"), ("models/n.bin", "n")],
    );
    fs::write(made.tree.join("attached/a"), b"changed \xff").expect("a file");
    fs::write(made.tree.join("models/m.bin"), "larger").expect("a file");
    made.change("DELETE FROM attachments WHERE name = 'b'");
    merge(project, &made, &[], 0);
    assert!(!made.tree.join("attached/b").exists());
    assert_eq!(one(&made.file, "SELECT hex(content) FROM attachments"), "6368616E67656420FF");
    run(&["verify", text(&made.tree), text(&made.file)], 0);
    // Bytes come from rows only with their hash.
    made.change("UPDATE attachments SET content = CAST('of rows' AS BLOB)");
    let said = merge(project, &made, &[], 1);
    assert!(said.contains("no file can say 1 changed row"), "{said}");
    assert_eq!(fs::read(made.tree.join("attached/a")).expect("a file"), b"changed \xff");
    let hash: String = Sha256::digest(b"of rows").iter().map(|byte| format!("{byte:02x}")).collect();
    made.change(&format!("UPDATE attachments SET hash = '{hash}'"));
    merge(project, &made, &[], 0);
    assert_eq!(fs::read(made.tree.join("attached/a")).expect("a file"), b"of rows");
    // What is in no row is not removed with its row.
    made.change("DELETE FROM models WHERE name = 'm'");
    let said = merge(project, &made, &[], 1);
    assert!(said.contains("what is in the file is in no row: remove the file by hand"), "{said}");
    assert!(made.tree.join("models/m.bin").exists());
    fs::remove_file(made.tree.join("models/m.bin")).expect("a file");
    merge(project, &made, &[], 0);
    run(&["verify", text(&made.tree), text(&made.file)], 0);
}

/// A file that says what it said, in other bytes, is not removed with its last row.
#[test]
fn a_file_that_was_changed_otherwise_stays_when_its_row_goes() {
    let made = task();
    edit(&made, "specs/sbi/SBI-2/meta.yaml", "priority: 1", "priority: 1   # for now");
    made.change("PRAGMA foreign_keys = ON; DELETE FROM sbi WHERE id = 'SBI-2'");
    let meta = made.tree.join("specs/sbi/SBI-2/meta.yaml");
    for _ in 0..2 {
        let said = merge(DEESPEC, &made, &[], 1);
        assert!(said.contains("the file was changed otherwise since") && said.contains("SBI-2"), "{said}");
        assert!(fs::read_to_string(&meta).expect("a file").contains("# for now"));
    }
    fs::remove_file(&meta).expect("a file");
    merge(DEESPEC, &made, &[], 0);
    run(&["verify", text(&made.tree), text(&made.file)], 0);
}

#[test]
fn what_no_file_says_stays_where_the_key_is_the_same_and_is_told_where_it_goes() {
    let made = task();
    made.change(
        "UPDATE execution SET status = 'FAILED', started_at = '2025-01-01T00:00:00Z'; UPDATE sbi SET status = 'WIP'",
    );
    // A task is written anew, and a turn gets another number, which is its key.
    fs::write(made.tree.join("specs/sbi/SBI-1/meta.yaml"), "priority: 4\nid: SBI-1\ntitle: New\n").expect("a file");
    let turn = |number: u32| made.tree.join(format!("specs/sbi/SBI-1/plan_{number}.md"));
    fs::rename(turn(1), turn(2)).expect("another name");
    let said = merge(DEESPEC, &made, &["--json"], 1);
    assert!(
        said.contains("\"value\":\"FAILED\",\"goes\":true") && said.contains("\"value\":\"WIP\",\"goes\":false"),
        "{said}"
    );
    assert_eq!(one(&made.file, "SELECT status || label || priority FROM sbi WHERE id = 'SBI-1'"), "WIPNew4");
    assert_eq!(one(&made.file, "SELECT turn || status FROM execution"), "2COMPLETED");
    let said = merge(DEESPEC, &made, &[], 1);
    assert!(said.contains("column `status` is `WIP` in rows\n") && !said.contains("FAILED"), "{said}");
}
