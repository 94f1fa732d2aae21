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
    assert_eq!(content(&out), content(tree));
    file
}

fn one(file: &Path, sql: &str) -> String {
    let connection = Connection::open(file).expect("the file");
    connection.query_row(sql, [], |row| row.get(0)).expect("a row")
}

#[test]
fn specifications_turns_and_a_journal() {
    let folder = tempfile::tempdir().expect("a folder");
    let tree = folder.path().join("deespec");
    let meta = "id: SBI-01K6FRP24VXAE1C24TYMZ95G6S\ntitle: \"A title\"   # why\nlabels: [a, b]\npriority: 3\n\
                created_at: 2025-10-03T10:00:00Z\nupdated_at: 2025-10-03T10:00:00Z\n";
    let journal = "{\"ts\":\"2025-10-03T10:00:00.123456789Z\",\"turn\":3,\"step\":\"implement\",\"decision\":\"OK\",\"artifacts\":[\"a/b.md\"]}\n\
                   {\"ts\":\"2025-10-03T10:00:01Z\",\"turn\":3,\"step\":\"review\",\"decision\":\"\",\"artifacts\":[]}\n";
    write(
        &tree,
        &[
            (&format!("{TASK}/spec.md"), "# A title\n\nbody\n"),
            (&format!("{TASK}/meta.yaml"), meta),
            (&format!("{TASK}/implement_3.md"), "did it\n"),
            (&format!("{TASK}/review_3.md"), "seen it"),
            ("var/state.json", "{\"version\": 4, \"current\": \"plan\", \"turn\": 3}"),
            ("setting.json", "{\"home\": \".deespec\", \"max_turns\": 8}\n"),
            ("var/journal.ndjson", journal),
            ("etc/workflow.yaml", "steps: []\n"),
        ],
    );
    let file = there_and_back("migrations/deespec", &tree);
    assert_eq!(one(&file, "SELECT label || ' ' || priority || ' ' || spec FROM sbi"), "A title 3 # A title\n\nbody\n");
    assert_eq!(one(&file, "SELECT group_concat(step || turn, ' ' ORDER BY step) FROM execution"), "implement3 review3");
    assert_eq!(one(&file, "SELECT group_concat(action, ' ' ORDER BY id) FROM audit_log"), "implement review");
}

#[test]
fn configuration_contexts_snapshots_and_logs() {
    let folder = tempfile::tempdir().expect("a folder");
    let tree = folder.path().join("agents");
    let configuration = "# the hive\nsystem:\n  log_level: INFO   # loud\n  debug: false\nagents:\n  pm-agent:\n    capabilities: \
                         [plan, review]\n    max: 3\ntask_queue:\n  size: 10\n";
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
            ("state.db", "any bytes \u{0} of a database"),
        ],
    );
    let file = there_and_back("migrations/agents", &tree);
    assert_eq!(one(&file, "SELECT message FROM events WHERE event_id = 'errors-0'"), "b\u{e4}d");
    assert_eq!(one(&file, "SELECT severity || message FROM events WHERE event_id = 'log-1'"), "errorfailed");
    assert_eq!(one(&file, "SELECT message FROM events WHERE event_id = 'cli-0'"), "hello - there");
    assert_eq!(one(&file, "SELECT group_concat(key, ' ' ORDER BY key) FROM configurations"), "debug log_level size");

    // A snapshot that is not what its row says is named, and not taken for an empty one.
    let snapshot = tree.join("memory_snapshots/snap_ctx_pm-agent_20250715_101010_20250715_101011_000001.json");
    fs::write(snapshot, "{\"z\": 2}").expect("another snapshot");
    let said = run(&["verify", text(&tree), text(&file)], 1);
    assert!(said.contains("memory_snapshots") && said.contains("content_hash"), "{said}");
}
