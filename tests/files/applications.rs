//! The trees of two applications, as their programs and their people leave them, by the layouts of their projects.

use crate::trees::{content, run, text};
use rusqlite::Connection;
use std::fs;
use std::path::Path;

const TASK: &str = "specs/sbi/SBI-01K6FRP24VXAE1C24TYMZ95G6S";

fn write(root: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
}

/// Goes to a file and back, and is the same; returns the file's path.
fn there_and_back(project: &str, tree: &Path) -> std::path::PathBuf {
    let file = tree.with_extension("db");
    let out = tree.with_extension("out");
    run(&["check", project, text(tree)], 0);
    run(&["migrate", project, text(tree), text(&file)], 0);
    run(&["verify", text(tree), text(&file)], 0);
    run(&["migrate", text(&file), &format!("{}/", text(&out))], 0);
    let mut expected = content(tree);
    // What the layouts ignore stays where it is.
    expected.retain(|path, _| !path.ends_with("var/runlock"));
    assert_eq!(content(&out), expected);
    file
}

fn one(file: &Path, sql: &str) -> String {
    let connection = Connection::open(file).expect("the file");
    connection.query_row(sql, [], |row| row.get(0)).expect("a row")
}

#[test]
fn specifications_turns_and_a_journal() {
    let folder = crate::support::memory::tempdir().expect("a folder");
    let tree = folder.path().join("deespec");
    let meta = "id: SBI-01K6FRP24VXAE1C24TYMZ95G6S\ntitle: \"A title\"   # why\nlabels: [a, b]\npriority: 3\n\
                created_at: 2025-10-03T10:00:00Z\nupdated_at: 2025-10-03T10:00:00Z\n";
    let journal = "{\"ts\":\"2025-10-03T10:00:00.123456789Z\",\"turn\":3,\"step\":\"implement\",\"decision\":\"OK\",\"artifacts\":[\"a/b.md\"]}\n\
                   {\"ts\":\"2025-10-03T10:00:01Z\",\"turn\":3,\"step\":\"review\",\"decision\":\"\",\"artifacts\":[]}\n\
                   {\"timestamp\":\"2025-10-03T10:00:02Z\",\"sbi_id\":\"SBI-TX-001\",\"turn\":4,\"step\":\"done\",\"status\":\"DONE\"}\n";
    write(
        &tree,
        &[
            (&format!("{TASK}/spec.md"), "# A title\n\nbody\n"),
            (&format!("{TASK}/meta.yaml"), meta),
            (&format!("{TASK}/implement_3.md"), "did it\n"),
            (&format!("{TASK}/review_3.md"), "seen it"),
            (&format!("{TASK}/implement_attempt2_7.md"), "did it again"),
            ("specs/sbi/SBI-TX-001/spec.md", "# Older than its kind of id\n"),
            ("specs/sbi/SBI-TX-001/meta.yaml", "id: SBI-TX-001\ntitle: older\nstatus: registered\n"),
            ("var/health.json", "{\"ok\": true}"),
            ("var/metrics.json", "{}"),
            ("var/txn/txn_1/manifest.json", "{\"id\": \"txn_1\"}"),
            ("var/runlock", "{\"pid\": 1}"),
            ("var/state.json", "{\"version\": 4, \"current\": \"plan\", \"turn\": 3}"),
            ("setting.json", "{\"home\": \".deespec\", \"max_turns\": 8}\n"),
            ("var/journal.ndjson", journal),
            ("etc/workflow.yaml", "steps: []\n"),
        ],
    );
    let file = there_and_back("migrations/deespec", &tree);
    assert_eq!(
        one(&file, "SELECT label || ' ' || priority || ' ' || spec FROM sbi WHERE id LIKE 'SBI-01%'"),
        "A title 3 # A title\n\nbody\n"
    );
    let runs = "SELECT group_concat(step || turn || '.' || attempt, ' ' ORDER BY turn, step) FROM execution";
    assert_eq!(one(&file, runs), "implement3.1 review3.1 implement7.2");
    assert_eq!(one(&file, "SELECT metadata FROM sbi WHERE id = 'SBI-TX-001'"), "{\"status\":\"registered\"}");
    assert_eq!(one(&file, "SELECT group_concat(action, ' ' ORDER BY id) FROM audit_log"), "implement review done");
    // Later versions say `timestamp` where the first one said `ts`; a new line has what readers of both take.
    assert_eq!(one(&file, "SELECT timestamp FROM audit_log WHERE action = 'done'"), "2025-10-03T10:00:02Z");
    let connection = Connection::open(&file).expect("the file");
    let sql = "UPDATE audit_log SET timestamp = '2025-10-03T10:00:05Z' WHERE action = 'done';
               INSERT INTO audit_log (id, timestamp, entity_type, entity_id, action)
               VALUES (3, '2025-10-03T10:00:06Z', 'journal', 'line-3', 'plan')";
    connection.execute_batch(sql).expect("two lines");
    drop(connection);
    let edited = folder.path().join("edited");
    run(&["migrate", text(&file), &format!("{}/", text(&edited))], 0);
    let said = fs::read_to_string(edited.join("var/journal.ndjson")).expect("a journal");
    assert_eq!(
        said,
        journal.replace("10:00:02Z", "10:00:05Z") + "{\"ts\":\"2025-10-03T10:00:06Z\",\"step\":\"plan\"}\n"
    );
}

#[test]
fn configuration_contexts_snapshots_and_logs() {
    let folder = crate::support::memory::tempdir().expect("a folder");
    let tree = folder.path().join("agents");
    let configuration = "# the hive\nsystem:\n  log_level: INFO   # loud\n  debug: false\nagents:\n  pm-agent:\n    capabilities: \
                         [plan, review]\n    max: 3\ntask_queue:\n  size: 10\n  limit:   # none yet\n  owner: ~\n  rules: []\nquality_gates:\n";
    let error = "{\"timestamp\": \"2025-07-15T10:10:10Z\", \"level\": \"ERROR\", \"message\": \"b\\u00e4d\", \"agent_id\": null, \
                 \"line\": 3, \"logger\": \"x\", \"correlation_id\": null}\n";
    let log =
        "2025-07-15 10:10:10 INFO hive started\n2025-07-15 10:10:11 ERROR hive failed\nTraceback:\n  File \"x\"\n";
    write(
        &tree,
        &[
            ("config/config.yaml", configuration),
            (
                "context/ctx_pm-agent_20250715_101010.json",
                "{\"agent_id\": \"pm-agent\", \"context_data\": {\"a\": [1, 2.50]}, \"usage_percent\": 1.5}",
            ),
            ("memory_snapshots/snap_ctx_pm-agent_20250715_101010_20250715_101011_000001.json", "{\"z\": 1}"),
            ("logs/errors.log", error),
            ("logs/leanvibe.log", log),
            ("logs/cli.log", "2025-07-15 10:10:10,123 - cli - INFO - hello - there\n"),
            (
                "agent_completions.jsonl",
                "{\"agent_id\": \"pm-agent\", \"completion_time\": \"2025-07-15T10:10:10Z\", \"overall_status\": \"ok\"}\n",
            ),
            ("config/settings.json", "{\n  \"model\": \"x\", \"limit\": 1.10\n}"),
        ],
    );
    state_db(&tree.join("state.db"));
    let file = there_and_back("migrations/agents", &tree);
    assert_eq!(one(&file, "SELECT message FROM events WHERE event_id = 'errors-0'"), "b\u{e4}d");
    assert_eq!(one(&file, "SELECT severity || message FROM events WHERE event_id = 'log-1'"), "errorfailed");
    assert_eq!(one(&file, "SELECT message FROM events WHERE event_id = 'cli-0'"), "hello - there");
    assert_eq!(
        one(&file, "SELECT group_concat(key, ' ' ORDER BY key) FROM configurations"),
        "debug limit log_level owner rules settings size"
    );
    // What is there and empty is a row all the same.
    let empty = "SELECT group_concat(key, ' ' ORDER BY key) FROM configurations WHERE value IS NULL";
    assert_eq!(one(&file, empty), "limit owner");

    assert_eq!(
        one(&file, "SELECT git_tag || metrics || created_at FROM checkpoints"),
        "v1{\"a\":[1,2.50]}2025-07-15 10:10:10.123457+00"
    );
    assert_eq!(
        one(&file, "SELECT group_concat(task_id || status, ' ' ORDER BY task_id) FROM tasks"),
        "t1pending t2completed"
    );
    let metrics = "SELECT group_concat(metric_id || value || context, ' ' ORDER BY metric_id) FROM performance_metrics";
    assert_eq!(one(&file, metrics), "performance-01.5{\"success\":1} performance-10.25{\"success\":0}");

    // A snapshot that is not what its row says is named, and not taken for an empty one; so is one that is gone.
    let snapshot = tree.join("memory_snapshots/snap_ctx_pm-agent_20250715_101010_20250715_101011_000001.json");
    fs::write(&snapshot, "{\"z\": 2}").expect("another snapshot");
    let said = run(&["verify", text(&tree), text(&file)], 1);
    assert!(said.contains("memory_snapshots") && said.contains("content_hash"), "{said}");
    fs::remove_file(&snapshot).expect("no snapshot");
    let said = run(&["verify", text(&tree), text(&file)], 1);
    assert!(said.contains("memory_snapshots") && said.contains("snap_ctx_pm-agent"), "{said}");
}

/// The agents' own database, as their program leaves it.
fn state_db(path: &Path) {
    let file = Connection::open(path).expect("a database");
    file.execute_batch(
        "CREATE TABLE checkpoints (id TEXT PRIMARY KEY, git_tag TEXT, metrics JSON, timestamp REAL);
         CREATE TABLE tasks (id TEXT PRIMARY KEY, agent TEXT, status TEXT, confidence REAL);
         CREATE TABLE performance (agent TEXT, task_id TEXT, duration REAL, success BOOL);
         INSERT INTO checkpoints VALUES ('c1', 'v1', '{\"a\": [1, 2.50]}', 1752574210.1234567);
         INSERT INTO tasks VALUES ('t1', 'pm-agent', 'pending', 0.5), ('t2', 'pm-agent', 'completed', NULL);
         INSERT INTO performance VALUES ('pm-agent', 't1', 1.5, 1), ('pm-agent', 't2', 0.25, 0);
         CREATE TABLE other (x BLOB); INSERT INTO other VALUES (x'00ff')",
    )
    .expect("tables");
}

#[test]
fn a_database_in_the_tree_is_changed_where_its_rows_were() {
    let folder = crate::support::memory::tempdir().expect("a folder");
    let (tree, file, out) = (folder.path().join("tree"), folder.path().join("a.db"), folder.path().join("out"));
    write(&tree, &[("config/config.yaml", "agents:\n  pm-agent:\n    max: 3\n")]);
    state_db(&tree.join("state.db"));
    run(&["migrate", "migrations/agents", text(&tree), text(&file)], 0);
    Connection::open(&file)
        .expect("the file")
        .execute_batch(
            "DELETE FROM performance_metrics WHERE task_id = 't1'; DELETE FROM tasks WHERE task_id = 't1';
             UPDATE tasks SET status = 'failed', confidence_score = 0.1 WHERE task_id = 't2';
             UPDATE performance_metrics SET metric_id = 'performance-0' WHERE task_id = 't2';
             UPDATE checkpoints SET metrics = '{\"b\":1}';
             INSERT INTO tasks (task_id, agent_id, title, status, priority) VALUES ('t3', 'pm-agent', 'task', 'pending', 'medium')",
        )
        .expect("changes");
    run(&["migrate", text(&file), &format!("{}/", text(&out))], 0);
    let said = |sql: &str| one(&out.join("state.db"), sql);
    assert_eq!(
        said("SELECT group_concat(id || agent || status || ifnull(confidence, '-'), ' ' ORDER BY id) FROM tasks"),
        "t2pm-agentfailed0.1 t3pm-agentpending-"
    );
    assert_eq!(said("SELECT group_concat(task_id || duration || success) FROM performance"), "t20.250");
    // What no row said stays: the clock's own digits, and a table of which the layout knows nothing.
    assert_eq!(said("SELECT metrics || (timestamp = 1752574210.1234567) FROM checkpoints"), "{\"b\":1}1");
    assert_eq!(said("SELECT hex(x) FROM other"), "00FF");
    assert_eq!(said("PRAGMA integrity_check"), "ok");
    // A value that a row says the layout does not write, and a row without its table, are named.
    Connection::open(&file).expect("the file").execute_batch("UPDATE tasks SET priority = 'high'").expect("a change");
    let tree_again = format!("{}/", text(&folder.path().join("again")));
    let said = run(&["migrate", text(&file), &tree_again], 1);
    assert!(said.contains("`priority` of `tasks` is `unsaid` in the layout") && said.contains("`medium`"), "{said}");
}

#[test]
fn a_database_in_the_tree_is_read_with_its_log_in_one_state() {
    let folder = crate::support::memory::tempdir().expect("a folder");
    let (tree, file, out) = (folder.path().join("tree"), folder.path().join("a.db"), folder.path().join("out"));
    write(&tree, &[("config/config.yaml", "agents:\n  pm-agent:\n    max: 3\n")]);
    let state = tree.join("state.db");
    state_db(&state);
    let writer = Connection::open(&state).expect("a writer");
    writer
        .execute_batch("PRAGMA journal_mode = WAL; UPDATE tasks SET status = 'failed' WHERE id = 't1'; BEGIN; UPDATE tasks SET status = 'pending'")
        .expect("a commit, and a transaction");
    assert!(fs::metadata(tree.join("state.db-wal")).expect("a log").len() > 0);
    let names = || -> Vec<_> {
        let mut all: Vec<_> =
            fs::read_dir(&tree).expect("the tree").map(|entry| entry.expect("one").file_name()).collect();
        all.sort();
        all
    };
    let before = names();
    run(&["migrate", "migrations/agents", text(&tree), text(&file)], 0);
    let statuses = "SELECT group_concat(status, ' ' ORDER BY task_id) FROM tasks";
    assert_eq!(one(&file, statuses), "failed completed");
    assert_eq!(names(), before);
    run(&["verify", text(&tree), text(&file)], 0);
    writer.execute_batch("ROLLBACK").expect("nothing");
    // The tree cannot be exchanged under a log that stays.
    let said = run(&["migrate", text(&file), text(&tree)], 3);
    assert!(said.contains("state.db-wal") && said.contains("close the application"), "{said}");
    // A log that nobody has open: of a program that was killed.
    let killed = folder.path().join("killed");
    fs::create_dir_all(&killed).expect("a folder");
    for name in ["state.db", "state.db-wal"] {
        fs::copy(tree.join(name), killed.join(name)).expect("a copy");
    }
    fs::create_dir_all(killed.join("config")).expect("a folder");
    fs::copy(tree.join("config/config.yaml"), killed.join("config/config.yaml")).expect("a copy");
    run(&["verify", text(&killed), text(&file)], 0);
    assert_eq!(fs::read_dir(&killed).expect("the tree").count(), 3, "no other file came there");
    // The log moved into the file: the same bytes.
    drop(writer);
    assert!(!tree.join("state.db-wal").exists());
    run(&["verify", text(&tree), text(&file)], 0);
    run(&["migrate", text(&file), &format!("{}/", text(&out))], 0);
    assert_eq!(content(&out), content(&tree));

    // Neither is what is no database, nor one whose transaction was not finished.
    let whole = fs::read(&state).expect("a database");
    fs::write(tree.join("state.db-journal"), "half").expect("a journal");
    fs::write(&state, &whole).expect("a database");
    let said = run(&["check", "migrations/agents", text(&tree)], 1);
    assert!(said.contains("a journal is beside it") && said.contains("takes the transaction back"), "{said}");
    fs::remove_file(tree.join("state.db-journal")).expect("no journal");
    fs::write(
        &state,
        "no database at all, but long enough for a header of one hundred bytes or more. Really, it is long enough.",
    )
    .expect("a file");
    let said = run(&["check", "migrations/agents", text(&tree)], 1);
    assert!(said.contains("state.db") && said.contains("SQLite cannot read it"), "{said}");
}

#[test]
fn the_form_that_the_document_describes() {
    let folder = crate::support::memory::tempdir().expect("a folder");
    let tree = folder.path().join("document");
    let state = |id: &str, status: &str| {
        format!(
            "{{\n  \"id\": \"{id}\",\n  \"task_id\": \"{id}\",\n  \"label\": \"a label\",\n  \"priority\": 2,\n  \"status\": \"{status}\",\n  \
             \"created_at\": \"2025-10-08T10:00:00Z\",\n  \"updated_at\": \"2025-10-08T11:00:00Z\",\n  \"pbi_id\": \"PBI-1\"\n}}"
        )
    };
    let change = "{\"timestamp\": \"2025-10-08T10:00:00Z\", \"entity_type\": \"sbi\", \"entity_id\": \"x\", \"action\": \"update\", \
                  \"old_value\": {\"turn\": 1}, \"new_value\": {\"turn\": 2}, \"user\": null}";
    write(
        &tree,
        &[
            (&format!("{TASK}/spec.md"), "# A title\n\nbody\n"),
            (&format!("{TASK}/state.json"), &state("SBI-01K6FRP24VXAE1C24TYMZ95G6S", "DONE")),
            (&format!("{TASK}/implement_1.md"), "did it\n"),
            (&format!("{TASK}/test_1.md"), "tried it\n"),
            (&format!("{TASK}/review_2.md"), "seen it"),
            (&format!("{TASK}/done_2.md"), "done"),
            ("workflow.json", "{\"steps\": [\"implement\", \"review\"], \"limit\": 1.0}\n"),
            ("setting.json", "{\"home\": \".deespec\", \"max_turns\": 8}\n"),
            ("journal/2025-10-08/txn_1/0001.json", change),
            ("journal/2025-10-08/txn_1/0002.json", change),
        ],
    );
    const PROJECT: &str = "migrations/deespec/document";
    let file = there_and_back(PROJECT, &tree);
    assert_eq!(one(&file, "SELECT status || metadata FROM sbi"), "DONE{\"pbi_id\":\"PBI-1\"}");
    assert_eq!(
        one(&file, "SELECT group_concat(step || turn, ' ' ORDER BY turn, step) FROM execution"),
        "implement1 test1 done2 review2"
    );
    assert_eq!(
        one(&file, "SELECT group_concat(session_id, ' ' ORDER BY session_id) FROM audit_log"),
        "2025-10-08/txn_1/0001 2025-10-08/txn_1/0002"
    );
    run(&["check", text(&file), "--checks", "migrations/deespec/document/checks"], 0);
    run(&["plan", PROJECT, text(&tree), text(&file)], 0);
    run(&["verify", PROJECT, text(&tree), text(&file)], 0);

    // The rules of the document, each with a tree that breaks it: nothing is published.
    let other = folder.path().join("other.db");
    let broken = |path: &str, text_of: Option<&str>, said: &str| {
        let path = tree.join(path);
        let before = fs::read(&path).ok();
        match text_of {
            Some(text) => fs::write(&path, text).expect("a file"),
            None => fs::remove_file(&path).expect("no file"),
        }
        let told = run(&["migrate", PROJECT, text(&tree), text(&other)], 1);
        assert!(told.contains(said), "`{said}` is not in {told}");
        assert!(!other.exists());
        match before {
            Some(bytes) => fs::write(&path, bytes).expect("the file"),
            None => fs::remove_file(&path).expect("no file"),
        }
    };
    broken(&format!("{TASK}/implement_7.md"), Some("later"), "turn_sequence");
    broken(&format!("{TASK}/done_2.md"), None, "done_without_success");
    // Ids and runs are held by paths and references before any check; rows that were edited are held by the checks.
    let edited = |sql: &str, said: &str| {
        let copy = folder.path().join("edited.db");
        fs::copy(&file, &copy).expect("a copy");
        let connection = Connection::open(&copy).expect("the copy");
        connection
            .execute_batch(&format!("PRAGMA foreign_keys = off; PRAGMA ignore_check_constraints = on; {sql}"))
            .expect("an edit");
        drop(connection);
        let told = run(&["check", text(&copy), "--checks", "migrations/deespec/document/checks"], 1);
        assert!(told.contains(said), "`{said}` is not in {told}");
    };
    edited("UPDATE sbi SET id = 'SBI-TX-001'", "task_ids");
    edited("DELETE FROM sbi", "orphaned_executions");
    edited(
        "DROP VIEW recent_executions; CREATE TABLE copy AS SELECT * FROM execution; DROP TABLE execution;
         ALTER TABLE copy RENAME TO execution; INSERT INTO execution SELECT * FROM execution",
        "duplicate_turns",
    );
}

#[test]
fn a_run_that_was_killed_is_done_again_without_doubles() {
    let folder = crate::support::memory::tempdir().expect("a folder");
    let (tree, file) = (folder.path().join("tree"), folder.path().join("a.db"));
    let line = |number: usize| {
        format!(
            "{{\"timestamp\": \"2025-07-15T10:10:10Z\", \"level\": \"ERROR\", \"message\": \"{number}\", \"agent_id\": null, \
             \"logger\": \"x\", \"correlation_id\": null}}\n"
        )
    };
    const LINES: usize = 4_000;
    write(&tree, &[("logs/errors.log", &(0..LINES).map(line).collect::<String>())]);
    state_db(&tree.join("state.db"));
    write(&tree, &[("config/config.yaml", "agents:\n  pm-agent:\n    max: 3\n")]);
    let words = ["migrate", "migrations/agents", text(&tree), text(&file), "--quiet"];
    let started = std::time::Instant::now();
    run(&words, 0);
    let whole = started.elapsed();
    fs::remove_file(&file).expect("begin anew");
    let _ = fs::remove_dir_all(folder.path().join("a.db.whimbrel-backups"));
    let mut killed = 0;
    for part in 1..8 {
        let mut child =
            std::process::Command::new(env!("CARGO_BIN_EXE_whimbrel")).args(words).spawn().expect("it starts");
        std::thread::sleep(whole * part / 8);
        child.kill().expect("killed");
        killed += u32::from(!child.wait().expect("it ends").success());
        // Whatever was there is whole: nothing, or all of it.
        if file.exists() {
            assert_eq!(one(&file, "SELECT CAST(count(*) AS TEXT) FROM events"), LINES.to_string());
        }
    }
    assert!(killed > 0, "one of the runs was killed");
    run(&words, 0);
    assert_eq!(
        one(&file, "SELECT count(*) || ' ' || count(DISTINCT event_id) FROM events"),
        format!("{LINES} {LINES}")
    );
    assert_eq!(one(&file, "SELECT count(*) || '' FROM performance_metrics"), "2");
    run(&["verify", text(&tree), text(&file)], 0);
    let left: Vec<_> =
        fs::read_dir(folder.path()).expect("the folder").map(|entry| entry.expect("one").file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with('.')), "{left:?}");
}
