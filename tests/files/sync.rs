//! `whimbrel sync`: a tree and the file that was made of it, both changed since, by the program.

use crate::support::program::{describe as told, whimbrel};
use crate::trees::{Made, content, run, text};
use rusqlite::Connection;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const SESSIONS: &str = "migrations/sessions";
pub const FIRST: &str = "sessions/0123456789abcdef.json";
pub const SECOND: &str = "sessions/fedcba9876543210.json";

/// Replaces a text in a file of the tree.
pub fn edit(made: &Made, path: &str, from: &str, to: &str) {
    let path = made.tree.join(path);
    let old = fs::read_to_string(&path).expect("a file");
    assert!(old.contains(from), "{from} is not in {old}");
    fs::write(&path, old.replacen(from, to, 1)).expect("a file");
}

pub fn one(file: &Path, sql: &str) -> String {
    let connection = Connection::open(file).expect("the file");
    connection.query_row(sql, [], |row| row.get(0)).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

pub fn sync(made: &Made, options: &[&str], code: i32) -> String {
    let words = ["sync", SESSIONS, text(&made.tree), text(&made.file)];
    run(&[&words[..], options].concat(), code)
}

/// Both sides are one: by `verify`, by an export, and by another sync.
pub fn assert_in_step(made: &Made) {
    run(&["verify", text(&made.tree), text(&made.file)], 0);
    run(&["check", text(&made.file), "--checks", "migrations/sessions/checks"], 0);
    assert_eq!(content(&made.export()), content(&made.tree));
    let before = (fs::read(&made.file).expect("the file"), content(&made.tree));
    assert!(sync(made, &[], 0).contains("both sides are equal\n"));
    assert!(before == (fs::read(&made.file).expect("the file"), content(&made.tree)), "nothing was to be done");
}

#[test]
fn what_has_changed_on_one_side_goes_to_the_other() {
    let made = Made::new();
    let odd = fs::read_to_string(made.tree.join(SECOND)).expect("a file");
    edit(&made, FIRST, "a \\\"task\\\"", "another task");
    made.change("UPDATE sessions SET status = 'paused' WHERE id = 's2'; UPDATE workspaces SET path = '/moved' WHERE hash LIKE 'f%'");
    let (tree, file) = (content(&made.tree), fs::read(&made.file).expect("the file"));
    let said = sync(&made, &["--dry-run"], 0);
    for part in
        ["changed in files:", "sessions [\"s1\"]: changed", "changed in rows:", "sessions [\"s2\"]: changed", "dry run"]
    {
        assert!(said.contains(part), "`{part}` is not in {said}");
    }
    assert!(
        content(&made.tree) == tree && fs::read(&made.file).expect("the file") == file,
        "a dry run changes nothing"
    );
    sync(&made, &[], 0);
    assert_eq!(one(&made.file, "SELECT task FROM sessions WHERE id = 's1'"), "another task");
    // One place of one file.
    let now = fs::read_to_string(made.tree.join(SECOND)).expect("a file");
    assert_eq!(now, odd.replace("\"running\"", "\"paused\""));
    assert_in_step(&made);
}

#[test]
fn new_and_deleted_records_go_along_with_what_is_inside_them() {
    let made = Made::new();
    made.change(
        "INSERT INTO workspaces (hash, path) VALUES ('aaaaaaaaaaaaaaaa', '/new');
         INSERT INTO sessions (id, workspace_hash, session_type, task, status, created_at, updated_at)
           VALUES ('s9', 'aaaaaaaaaaaaaaaa', 'debate', 'new', 'running', '2025-12-01T00:00:00Z', '2025-12-01T00:00:00Z');
         INSERT INTO instances (session_id, instance_id, worktree_path, branch, agent_name, status, tmux_session_id)
           VALUES ('s9', 0, '/w', 'b', 'a', 'idle', 't'), ('s2', 4, '/w', 'b', 'a', 'idle', 't');
         PRAGMA foreign_keys = ON; DELETE FROM sessions WHERE id = 's3'",
    );
    let path = made.tree.join(FIRST);
    let old: serde_json::Value = serde_json::from_slice(&fs::read(&path).expect("a file")).expect("JSON");
    let mut new = old[0].clone();
    for (key, value) in [("id", "s8"), ("task", "from a file")] {
        new[key] = value.into();
    }
    new["chatHistory"] =
        serde_json::json!([{"id": "m8", "role": "user", "content": "x", "timestamp": "2025-12-01T00:00:00Z"}]);
    fs::write(&path, serde_json::to_string(&[new]).expect("JSON")).expect("a file");
    let said = sync(&made, &[], 0);
    assert!(said.contains("sessions [\"s1\"]: deleted") && said.contains("sessions [\"s8\"]: created"), "{said}");
    assert_eq!(one(&made.file, "SELECT group_concat(id, ' ' ORDER BY id) FROM sessions"), "s2 s8 s9");
    assert_eq!(one(&made.file, "SELECT group_concat(id, ' ' ORDER BY id) FROM chat_messages"), "m8");
    let new = fs::read_to_string(made.tree.join("sessions/aaaaaaaaaaaaaaaa.json")).expect("a new file");
    assert!(new.starts_with("[\n  {\n    \"id\": \"s9\"") && new.contains("\"worktreePath\": \"/w\""), "{new}");
    let second = fs::read_to_string(made.tree.join(SECOND)).expect("a file");
    assert!(
        !second.contains("s3") && second.contains("\"instanceId\":4") | second.contains("\"instanceId\": 4"),
        "{second}"
    );
    assert_in_step(&made);
}

#[test]
fn a_conflict_is_named_with_both_values_and_left_until_somebody_decides() {
    let made = Made::new();
    edit(&made, FIRST, "a \\\"task\\\"", "of files");
    edit(&made, FIRST, "\"hi \\u00e9\\n\"", "\"edited\"");
    made.change("UPDATE sessions SET task = 'of rows' WHERE id = 's1'");
    for _ in 0..2 {
        let said = sync(&made, &[], 1);
        for part in [
            "in conflict",
            "sessions [\"s1\"]",
            "column `task`: files `of files`, rows `of rows`",
            "1 record is in conflict",
        ] {
            assert!(said.contains(part), "`{part}` is not in {said}");
        }
        assert!(fs::read_to_string(made.tree.join(FIRST)).expect("a file").contains("of files"));
        assert_eq!(one(&made.file, "SELECT task FROM sessions WHERE id = 's1'"), "of rows");
        assert_eq!(one(&made.file, "SELECT content FROM chat_messages WHERE id = 'm1'"), "edited", "all else goes on");
    }
    run(&["check", text(&made.file)], 0);
    let said = sync(&made, &["--prefer", "rows:nothing"], 2);
    assert!(said.contains("`sessions`"), "{said}");
    sync(&made, &["--prefer", "rows:instances"], 1);
    let said = sync(&made, &["--prefer", "rows:sessions", "--prefer", "files"], 0);
    assert!(said.contains("decided for rows"), "{said}");
    assert!(fs::read_to_string(made.tree.join(FIRST)).expect("a file").contains("of rows"));
    assert_in_step(&made);
}

#[test]
fn what_was_deleted_on_one_side_and_changed_on_the_other_is_in_conflict_with_all_that_is_inside() {
    let made = Made::new();
    edit(&made, FIRST, "\"hi \\u00e9\\n\"", "\"edited\"");
    made.change("PRAGMA foreign_keys = ON; DELETE FROM sessions WHERE id = 's1'");
    let (tree, rows) = (content(&made.tree), "SELECT count(*) || '' FROM sessions");
    for _ in 0..2 {
        let said = sync(&made, &[], 1);
        assert!(said.contains("chat_messages [\"m1\"]: changed in files, deleted in rows"), "{said}");
        assert!(said.contains("4 records are in conflict"), "{said}");
        assert_eq!(content(&made.tree), tree);
        assert_eq!(one(&made.file, rows), "2");
    }
    // The other way round, and decided for either side.
    sync(&made, &["--prefer", "files"], 0);
    assert_eq!(one(&made.file, "SELECT content FROM chat_messages WHERE id = 'm1'"), "edited");
    assert_in_step(&made);
    fs::write(made.tree.join(FIRST), "[]").expect("a file");
    made.change("UPDATE chat_messages SET content = 'again' WHERE id = 'm1'");
    sync(&made, &[], 1);
    assert_eq!(fs::read_to_string(made.tree.join(FIRST)).expect("a file"), "[]");
    sync(&made, &[], 1);
    sync(&made, &["--prefer", "rows"], 0);
    assert!(fs::read_to_string(made.tree.join(FIRST)).expect("a file").contains("\"again\""));
    assert_in_step(&made);
}

#[test]
fn a_tree_whose_times_changed_and_bytes_did_not_has_no_changes() {
    let made = Made::new();
    let file = fs::read(&made.file).expect("the file");
    let all = content(&made.tree);
    for path in all.iter().filter(|(_, (kind, ..))| kind == "file").map(|(path, _)| path) {
        let bytes = fs::read(made.tree.join(path)).expect("a file");
        let mode = fs::metadata(made.tree.join(path)).expect("a file").permissions();
        fs::remove_file(made.tree.join(path)).expect("a file");
        fs::write(made.tree.join(path), bytes).expect("a file");
        fs::set_permissions(made.tree.join(path), mode).expect("permissions");
    }
    assert!(sync(&made, &[], 0).contains("both sides are equal\n"));
    assert_eq!(fs::read(&made.file).expect("the file"), file);
}

#[test]
fn what_is_no_record_is_carried_over() {
    let made = Made::new();
    fs::create_dir(made.tree.join("sessions_archive/another")).expect("a folder");
    fs::remove_file(made.tree.join("sessions_archive/newest")).expect("a link");
    std::os::unix::fs::symlink("another", made.tree.join("sessions_archive/link")).expect("a link");
    fs::write(made.tree.join("sessions_archive/old.json"), "other \u{0} bytes").expect("a file");
    fs::set_permissions(made.tree.join(FIRST), fs::Permissions::from_mode(0o600)).expect("permissions");
    let said = sync(&made, &[], 0);
    for part in [
        "`sessions_archive/another`: created",
        "`sessions_archive/newest`: deleted",
        "`sessions_archive/old.json`: changed",
        &format!("`{FIRST}`: changed"),
    ] {
        assert!(said.contains(part), "`{part}` is not in {said}");
    }
    assert_in_step(&made);
}

#[test]
fn what_one_side_does_not_take_leaves_both_as_they_were() {
    let made = Made::new();
    made.change("UPDATE sessions SET task = 'of rows' WHERE id = 's2'");
    let assert_refused = |code: i32, parts: &[&str]| {
        let before = (content(&made.tree), fs::read(&made.file).expect("the file"));
        let said = sync(&made, &[], code);
        for part in parts {
            assert!(said.contains(part), "`{part}` is not in {said}");
        }
        assert!((content(&made.tree), fs::read(&made.file).expect("the file")) == before, "{said}");
    };
    let whole = fs::read_to_string(made.tree.join(FIRST)).expect("a file");
    // A column's CHECK.
    edit(&made, FIRST, "\"completed\"", "\"unheard of\"");
    assert_refused(3, &["sessions", "s1", "CHECK"]);
    fs::write(made.tree.join(FIRST), &whole).expect("a file");
    // A foreign key: a session of a workspace that nobody knows.
    let stray = made.tree.join("sessions/00000000000000aa.json");
    fs::write(&stray, whole.replace("\"s1\"", "\"s5\"").replace("\"m1\"", "\"m5\"").replace("\"m2\"", "\"m6\""))
        .expect("a file");
    assert_refused(3, &["sessions", "workspace_hash", "[\"s5\"]"]);
    fs::remove_file(&stray).expect("a file");
    // A check of the project.
    edit(&made, FIRST, "\"completedAt\": null", "\"completedAt\": \"yesterday\"");
    assert_refused(1, &["check", "yesterday"]);
    fs::write(made.tree.join(FIRST), &whole).expect("a file");
    // A file that is not what its kind says.
    edit(&made, FIRST, "[\n", "\n");
    assert_refused(3, &[FIRST, "line"]);
    fs::write(made.tree.join(FIRST), &whole).expect("a file");
    // Two files with one record.
    fs::write(made.tree.join("sessions/0000000000000000.json"), &whole).expect("a file");
    assert_refused(3, &["sessions/0000000000000000.json", FIRST, "[\"s1\"]", "`sessions`"]);
    fs::write(made.tree.join("sessions/0000000000000000.json"), "[]").expect("a file");
    sync(&made, &[], 0);
    assert_in_step(&made);
}

#[test]
fn a_row_that_no_file_can_have_is_told_and_the_rest_goes_on() {
    let made = Made::new();
    made.change(
        "INSERT INTO workspaces (hash, path) VALUES ('no hash', '/x'); UPDATE sessions SET task = 'of rows' WHERE id = 's2';
         INSERT INTO sessions (id, workspace_hash, session_type, task, status, created_at, updated_at)
           VALUES ('s7', 'no hash', 'debate', 't', 'running', '2025-12-01T00:00:00Z', '2025-12-01T00:00:00Z')",
    );
    for _ in 0..2 {
        let said = sync(&made, &[], 1);
        assert!(said.contains("no file can say 1 changed row") && said.contains("[\"s7\"]"), "{said}");
        assert!(fs::read_to_string(made.tree.join(SECOND)).expect("a file").contains("of rows"));
    }
}

#[test]
fn a_value_that_files_do_not_tell_stays_in_its_row_and_is_told() {
    let folder = crate::support::memory::tempdir().expect("a folder");
    let (tree, file) = (folder.path().join("tree"), folder.path().join("app.db"));
    let task = tree.join("specs/sbi/SBI-1");
    fs::create_dir_all(&task).expect("a folder");
    fs::write(task.join("meta.yaml"), "id: SBI-1\ntitle: A title   # why\npriority: 3\n").expect("a file");
    fs::write(task.join("spec.md"), "# Spec\n").expect("a file");
    let words = ["sync", "migrations/deespec", text(&tree), text(&file)];
    run(&["migrate", "migrations/deespec", text(&tree), text(&file)], 0);
    let change = |sql: &str| Connection::open(&file).expect("the file").execute_batch(sql).expect("a change");
    change("UPDATE sbi SET status = 'WIP', label = 'Another', spec = 'new'");
    fs::write(task.join("plan_1.md"), "a plan").expect("a file");
    for _ in 0..2 {
        let said = run(&words, 1);
        assert!(said.contains("column `status` is `WIP` in rows") && said.contains("no file says 1 value"), "{said}");
    }
    assert_eq!(
        fs::read_to_string(task.join("meta.yaml")).expect("a file"),
        "id: SBI-1\ntitle: Another   # why\npriority: 3\n"
    );
    assert_eq!(fs::read_to_string(task.join("spec.md")).expect("a file"), "new");
    // An edit of the file goes to the row, whose own value stays.
    fs::write(task.join("meta.yaml"), "id: SBI-1\ntitle: Third   # why\npriority: 3\n").expect("a file");
    run(&words, 1);
    assert_eq!(
        one(&file, "SELECT status || label || spec || (SELECT content FROM execution) FROM sbi"),
        "WIPThirdnewa plan"
    );
    change("UPDATE sbi SET status = 'READY'");
    run(&words, 0);
    run(&["verify", text(&tree), text(&file)], 0);
}

#[test]
fn what_cannot_be_merged_is_refused_by_name() {
    let made = Made::new();
    let missing = made.folder.path().join("missing.db");
    let said = run(&["sync", SESSIONS, text(&made.tree), text(&missing)], 2);
    assert!(said.contains("no such file") && !missing.exists(), "{said}");
    let other = made.folder.path().join("other.db");
    Connection::open(&other).expect("a file").execute_batch("CREATE TABLE t (a)").expect("a table");
    assert!(run(&["sync", SESSIONS, text(&made.tree), text(&other)], 2).contains("does not remember a tree"));
    assert!(run(&["sync", "migrations/deespec", text(&made.tree), text(&made.file)], 2).contains("another layout"));
    assert!(run(&["sync", text(&made.file), text(&made.tree)], 2).contains("the tree comes first"));
    // Without a project, the file knows its layout.
    run(&["sync", text(&made.tree), text(&made.file)], 0);
    let output = whimbrel(&["sync", SESSIONS, text(&made.tree), text(&made.file), "--json"]);
    let said = told(&output);
    assert!(said.contains("\"type\":\"synced\"") && output.status.success(), "{said}");
    let journal = made.tree.join(".whimbrel-journal");
    fs::write(&journal, "half way").expect("a journal");
    assert!(run(&["sync", text(&made.tree), text(&made.file), "--dry-run"], 3).contains("again"));
    assert!(run(&["sync", text(&made.tree), text(&made.file)], 3).contains("journal"));
    let _: PathBuf = journal;
}

#[test]
fn what_nobody_has_touched_is_not_read_and_whatever_somebody_has_is_found() {
    let made = Made::new();
    let find = || {
        // What was changed a moment ago is read again.
        std::thread::sleep(std::time::Duration::from_millis(60));
        sync(&made, &[], 0)
    };
    assert!(find().contains("every row"));
    let said = find();
    assert!(said.contains("0 files were read to find changes, and no row"), "{said}");
    assert!(sync(&made, &["--rehash"], 0).contains("5 files were read to find changes, and every row"), "{said}");
    // As many bytes, and the old time.
    let path = made.tree.join(FIRST);
    let time = fs::metadata(&path).expect("a file").modified().expect("a time");
    edit(&made, FIRST, "\"competition\"", "\"integration\"");
    fs::File::options().write(true).open(&path).and_then(|file| file.set_modified(time)).expect("a time");
    let said = find();
    assert!(said.contains("sessions [\"s1\"]: changed") && said.contains("no row"), "{said}");
    assert_eq!(one(&made.file, "SELECT session_type FROM sessions WHERE id = 's1'"), "integration");
    assert!(find().contains("and no row"));
    // A commit that is in the log alone, beside a connection that stays open.
    let writer = Connection::open(&made.file).expect("the file");
    writer
        .execute_batch("PRAGMA wal_autocheckpoint = 0; UPDATE sessions SET task = 'in the log' WHERE id = 's1'")
        .expect("a change");
    let said = find();
    assert!(said.contains("changed in rows") && said.contains("every row"), "{said}");
    writer.execute_batch("UPDATE sessions SET task = 'again' WHERE id = 's1'").expect("a change");
    let said = find();
    assert!(said.contains("changed in rows") && said.contains("every row"), "{said}");
    drop(writer);
    find();
    // A record that is gone from its file goes by its key, though no row is read.
    fs::write(&path, "[]").expect("a file");
    let said = find();
    assert!(said.contains("sessions [\"s1\"]: deleted") && said.contains("no row"), "{said}");
    assert_in_step(&made);
    // What was seen may go at any time, and nobody believes nonsense.
    let seen = made.file.with_file_name(".sessions.db.whimbrel-seen");
    fs::write(&seen, "{}").expect("what was seen");
    assert!(find().contains("every row"));
    fs::remove_file(&seen).expect("what was seen");
    assert!(find().contains("every row"));
}

/// What the application has put into its file must not change rows that the files know nothing of.
#[test]
fn rows_that_a_trigger_changes_beside_those_that_are_written_stop_it() {
    for trigger in [
        "CREATE TRIGGER adds AFTER UPDATE ON sessions BEGIN INSERT INTO chat_messages (id, session_id, role, content, timestamp)
           VALUES ('by trigger', NEW.id, 'user', '', '2025-01-01T00:00:00Z'); END",
        "CREATE TRIGGER takes AFTER UPDATE ON sessions BEGIN DELETE FROM chat_messages WHERE id = 'm1'; END",
        "CREATE TRIGGER turns AFTER UPDATE ON sessions BEGIN UPDATE workspaces SET path = 'x'; END",
    ] {
        let made = Made::new();
        sync(&made, &[], 0);
        made.change(trigger);
        edit(&made, FIRST, "a \\\"task\\\"", "another task");
        let (tree, rows) = (content(&made.tree), one(&made.file, "SELECT group_concat(id) FROM chat_messages"));
        let said = sync(&made, &[], 3);
        assert!(said.contains("nothing was changed"), "{said}");
        assert_eq!(content(&made.tree), tree, "{trigger}");
        assert_eq!(one(&made.file, "SELECT group_concat(id) FROM chat_messages"), rows, "{trigger}");
        made.change("DROP TRIGGER IF EXISTS adds; DROP TRIGGER IF EXISTS takes; DROP TRIGGER IF EXISTS turns");
        sync(&made, &[], 0);
        assert_in_step(&made);
    }
}

#[test]
fn a_side_that_has_lost_everything_is_not_believed() {
    let made = Made::new();
    let moved = made.folder.path().join("moved");
    fs::rename(&made.tree, &moved).expect("a move");
    fs::create_dir(&made.tree).expect("an empty folder");
    for options in [&["--dry-run"][..], &[], &["--prefer", "rows"]] {
        let said = sync(&made, options, 3);
        assert!(said.contains("nothing left") && said.contains("--prefer files"), "{said}");
    }
    fs::remove_dir(&made.tree).expect("the empty folder");
    fs::rename(&moved, &made.tree).expect("a move");
    let tree = content(&made.tree);
    sync(&made, &[], 0);
    made.change("DELETE FROM chat_messages; DELETE FROM instances; DELETE FROM sessions; DELETE FROM workspaces");
    let said = sync(&made, &[], 3);
    assert!(said.contains("nothing left") && said.contains("--prefer rows"), "{said}");
    assert_eq!(content(&made.tree), tree);
}

/// A record inside of one that is in conflict, and that one side does not have, has no place there.
#[test]
fn what_comes_into_a_record_in_conflict_is_in_conflict_with_it() {
    let made = Made::new();
    edit(&made, FIRST, "a \\\"task\\\"", "another task");
    edit(&made, FIRST, "\"id\": \"m1\"", "\"id\": \"m7\"");
    made.change("PRAGMA foreign_keys = ON; DELETE FROM sessions WHERE id = 's1'");
    let tree = content(&made.tree);
    let said = sync(&made, &[], 1);
    assert!(said.contains("m7") && said.contains("conflict"), "{said}");
    assert_eq!(content(&made.tree), tree);
    sync(&made, &["--prefer", "files"], 0);
    assert_in_step(&made);
}
