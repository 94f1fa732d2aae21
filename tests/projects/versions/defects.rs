//! What the applications' documents got wrong, one case each: the rows that failed, the index that clashed, the text
//! that was still found. Every case would fail on the schema as its document has it.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::types::Value;
use whimbrel::schema::To;

use super::{Database, projects};

/// One step of a case.
enum Step {
    /// The statements run.
    Runs(&'static str),
    /// The statements fail, and SQLite says this.
    Fails(&'static str, &'static str),
    /// The query gives one row of one value, which reads like this.
    Gives(&'static str, &'static str),
}

use Step::{Fails, Gives, Runs};

/// What a case is about, and its steps on the newest version with foreign keys on.
type Case = (&'static str, &'static [Step]);

const WORKSPACE: &str = "INSERT INTO workspaces (hash, path) VALUES ('0123456789abcdef', '/srv/app');
    INSERT INTO sessions (id, workspace_hash, session_type, task, status, created_at, updated_at) VALUES
        ('s1', '0123456789abcdef', 'debate', 'choose a parser', 'running', '2025-01-13T10:00:00Z', '2025-01-13T10:00:00Z'),
        ('s2', '0123456789abcdef', 'ensemble', 'write tests', 'paused', '2025-01-13T10:00:00Z', '2025-01-13T10:00:00Z');
    INSERT INTO instances (session_id, instance_id, worktree_path, branch, agent_name, status, tmux_session_id)
        SELECT column1, column2, 'w', 'b', 'a', column3, 't' FROM (VALUES
        ('s1', 0, 'idle'), ('s1', 1, 'paused'), ('s1', 2, 'archived'), ('s2', 1, 'running'));
    INSERT INTO chat_messages (id, session_id, instance_id, role, content, timestamp) VALUES
        ('m1', 's1', 0, 'user', 'hello', '2025-01-13T10:00:01Z'),
        ('m2', 's1', 2, 'assistant', 'hello', '2025-01-13T10:00:02Z'),
        ('m3', 's1', NULL, 'system', 'hello', '2025-01-13T10:00:03Z');";

/// The sessions that full-text search finds.
macro_rules! found {
    ($word:literal) => {
        concat!(
            "SELECT ifnull(group_concat(sessions.id), 'none') FROM sessions_fts ",
            "JOIN sessions ON search_id = sessions_fts.rowid WHERE sessions_fts MATCH '",
            $word,
            "'"
        )
    };
}

const SESSIONS: &[Case] = &[
    ("the statuses of instances that occur are taken, others are not", &[
        Runs(WORKSPACE),
        Fails("UPDATE instances SET status = 'timeout'", "CHECK constraint failed"),
    ]),
    ("a message names its instance by the number within the session", &[
        Runs(WORKSPACE),
        Gives("SELECT count(*) FROM pragma_foreign_key_check", "0"),
        Fails("UPDATE chat_messages SET instance_id = 7 WHERE id = 'm1'", "FOREIGN KEY constraint failed"),
        Gives("SELECT instance_id FROM chat_messages WHERE id = 'm1'", "0"),
    ]),
    ("a session is written again in one transaction, messages first", &[
        Runs(WORKSPACE),
        Runs("BEGIN; DELETE FROM chat_messages WHERE session_id = 's1'; DELETE FROM instances WHERE session_id = 's1';
              INSERT INTO chat_messages (id, session_id, instance_id, role, content, timestamp)
                  VALUES ('m4', 's1', 5, 'user', 'again', '2025-01-13T10:00:04Z');
              INSERT INTO instances (session_id, instance_id, worktree_path, branch, agent_name, status, tmux_session_id)
                  VALUES ('s1', 5, 'w', 'b', 'a', 'idle', 't');
              COMMIT"),
        Gives("SELECT instance_id FROM chat_messages WHERE id = 'm4'", "5"),
    ]),
    ("a deleted instance leaves its messages, without a name", &[
        Runs(WORKSPACE),
        Runs("DELETE FROM instances WHERE session_id = 's1' AND instance_id = 0"),
        Gives("SELECT instance_id IS NULL AND session_id = 's1' FROM chat_messages WHERE id = 'm1'", "1"),
        Gives("SELECT instance_id FROM chat_messages WHERE id = 'm2'", "2"),
    ]),
    ("a long message and a timeout of 0 are taken as the JSON has them", &[
        Runs(WORKSPACE),
        Runs("UPDATE chat_messages SET content = hex(zeroblob(10000)); UPDATE sessions SET timeout_seconds = 0"),
        Fails("UPDATE sessions SET timeout_seconds = -1", "CHECK constraint failed"),
    ]),
    ("full-text search finds sessions, and only by what they say now", &[
        Runs(WORKSPACE),
        Gives(found!("parser"), "s1"),
        Runs("UPDATE sessions SET task = 'choose a lexer' WHERE id = 's1'"),
        Gives(found!("parser"), "none"),
        Gives(found!("lexer"), "s1"),
        Runs("DELETE FROM sessions WHERE id = 's1'"),
        Gives("SELECT count(*) FROM sessions_fts WHERE sessions_fts MATCH 'lexer'", "0"),
        Runs("INSERT INTO sessions_fts (sessions_fts, rank) VALUES ('integrity-check', 1)"),
    ]),
    ("full-text search finds the same sessions after VACUUM", &[
        Runs(WORKSPACE),
        Runs("DELETE FROM sessions WHERE id = 's1'; VACUUM"),
        Gives(found!("tests"), "s2"),
        Runs("INSERT INTO sessions_fts (sessions_fts, rank) VALUES ('integrity-check', 1)"),
    ]),
    ("times that the database writes have the form of all others", &[
        Runs(WORKSPACE),
        Gives("SELECT last_accessed LIKE '____-__-__T__:__:__.___Z' FROM workspaces", "1"),
    ]),
    ("counters follow rows that move, and a session that gets another id", &[
        Runs(WORKSPACE),
        Gives("SELECT instance_count || message_count FROM sessions WHERE id = 's1'", "33"),
        Runs("UPDATE chat_messages SET session_id = 's2', instance_id = NULL WHERE id = 'm3'"),
        Gives("SELECT group_concat(instance_count || message_count) FROM sessions", "32,11"),
        Runs("UPDATE sessions SET id = 's9' WHERE id = 's1'"),
        Gives("SELECT group_concat(instance_count || message_count) FROM sessions", "32,11"),
        Gives("SELECT group_concat(session_id || instance_id) FROM chat_messages WHERE instance_id >= 0", "s90,s92"),
        Runs("DELETE FROM workspaces"),
        Gives("SELECT (SELECT count(*) FROM sessions) + (SELECT count(*) FROM instances) \
               + (SELECT count(*) FROM chat_messages)", "0"),
    ]),
    ("there are the fifteen indexes of the document", &[
        Gives("SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND name LIKE 'idx\\_%' ESCAPE '\\'", "15"),
    ]),
];

const USAGE: &[Case] = &[
    (
        "snapshots work beside events that share a session, and go with the last of them",
        &[
            Runs(
                "INSERT INTO events (source_app, session_id, hook_event_type, payload, timestamp) VALUES
                  ('a', 's1', 'Stop', '{}', 1754500000000), ('a', 's1', 'Stop', '{}', 1754500000001),
                  ('a', 's2', 'Stop', '{}', 1754500000002);
              INSERT INTO usage_snapshots (session_id, snapshot_data) VALUES ('s1', '{}'), ('s2', '{}'), ('s3', '{}')",
            ),
            Gives("SELECT count(*) FROM pragma_foreign_key_check", "0"),
            Runs("DELETE FROM events WHERE id = 1"),
            Gives("SELECT group_concat(session_id) FROM (SELECT * FROM usage_snapshots ORDER BY id)", "s1,s2,s3"),
            Runs("UPDATE events SET session_id = 's4' WHERE id = 2"),
            Gives("SELECT group_concat(session_id) FROM (SELECT * FROM usage_snapshots ORDER BY id)", "s4,s2,s3"),
            Runs("DELETE FROM events"),
            Gives("SELECT group_concat(session_id) FROM (SELECT * FROM usage_snapshots ORDER BY id)", "s3"),
        ],
    ),
    (
        "every time is in milliseconds, and one in seconds is refused",
        &[
            Runs("INSERT INTO usage_snapshots (session_id, snapshot_data) VALUES ('s1', '{}')"),
            Gives("SELECT abs(timestamp - unixepoch('subsec') * 1000) < 60000 FROM usage_snapshots", "1"),
            Gives("SELECT abs(created_at - unixepoch('subsec') * 1000) < 60000 FROM usage_config", "1"),
            Fails("UPDATE usage_snapshots SET timestamp = unixepoch()", "CHECK constraint failed"),
            Fails("UPDATE usage_config SET created_at = unixepoch()", "CHECK constraint failed"),
        ],
    ),
    (
        "updated_at is kept by the database, whatever the statement says",
        &[
            Runs("UPDATE usage_config SET updated_at = 1000000000000"),
            Gives("SELECT updated_at FROM usage_config", "1000000000000"),
            Runs("PRAGMA recursive_triggers = on; UPDATE usage_config SET theme = 'dark', updated_at = 1000000000001"),
            Gives("SELECT abs(updated_at - unixepoch('subsec') * 1000) < 60000 FROM usage_config", "1"),
        ],
    ),
    (
        "one configuration is active from the beginning, and never two",
        &[
            Gives(
                "SELECT plan || view || timezone || time_format || theme || refresh_rate || refresh_per_second
               FROM usage_config WHERE is_active",
                "customrealtimeautoautoauto100.75",
            ),
            Fails("INSERT INTO usage_config DEFAULT VALUES", "UNIQUE constraint failed"),
            Runs("INSERT INTO usage_config (is_active) VALUES (0), (0)"),
        ],
    ),
    (
        "what is no JSON is refused",
        &[Fails(
            "INSERT INTO usage_snapshots (session_id, snapshot_data) VALUES ('s1', '{')",
            "CHECK constraint failed",
        )],
    ),
];

const AGENTS: &[Case] = &[
    ("all fourteen tables are there, and fifteen indexes of foreign keys", &[
        Gives("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name <> 'schema_migrations'", "14"),
        Gives("SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND name IN ('idx_tasks_agent_id',
               'idx_tasks_parent_task_id', 'idx_agent_messages_from_agent', 'idx_agent_messages_to_agent',
               'idx_memory_snapshots_session_id', 'idx_context_sessions_agent_id', 'idx_performance_metrics_agent_id',
               'idx_performance_metrics_task_id', 'idx_git_state_agent_id', 'idx_pull_requests_author_agent',
               'idx_configurations_agent_id', 'idx_events_agent_id', 'idx_project_tasks_project_id',
               'idx_project_tasks_task_id', 'idx_checkpoints_project_id')", "15"),
    ]),
    ("both tables with events have their index by type", &[
        Gives("SELECT group_concat(tbl_name || ' ' || name) FROM (SELECT * FROM sqlite_schema
               WHERE name LIKE 'idx\\_%events\\_type' ESCAPE '\\' ORDER BY name)",
              "context_events idx_context_events_type,events idx_events_type"),
    ]),
    ("a global configuration has one value", &[
        Runs("INSERT INTO configurations (config_id, category, key, value) VALUES ('c1', 'system', 'k', '1')"),
        Fails("INSERT INTO configurations (config_id, category, key, value) VALUES ('c2', 'system', 'k', '2')",
              "UNIQUE constraint failed"),
        Runs("INSERT INTO agents (agent_id, agent_type, status) VALUES ('a1', 'reviewer', 'idle');
              INSERT INTO configurations (config_id, agent_id, category, key, value)
                  VALUES ('c3', 'a1', 'system', 'k', '3')"),
        Fails("INSERT INTO configurations (config_id, agent_id, category, key, value)
                  VALUES ('c4', 'a1', 'system', 'k', '4')", "UNIQUE constraint failed"),
    ]),
    ("text stays the text that it was", &[
        Runs("INSERT INTO configurations (config_id, category, key, value) VALUES ('c1', 'system', 'k', '1.50');
              INSERT INTO agents (agent_id, agent_type, status, created_at) VALUES ('007', 'x', 'idle', '20250716')"),
        Gives("SELECT value || typeof(value) FROM configurations", "1.50text"),
        Gives("SELECT agent_id || typeof(created_at) FROM agents", "007text"),
    ]),
    ("a snapshot is in its row or in a file", &[
        Runs("INSERT INTO agents (agent_id, agent_type, status) VALUES ('a1', 'reviewer', 'idle');
              INSERT INTO context_sessions (session_id, agent_id) VALUES ('x1', 'a1');
              INSERT INTO memory_snapshots (snapshot_id, session_id, memory_type, content) VALUES ('1', 'x1', 'working', '{}');
              INSERT INTO memory_snapshots (snapshot_id, session_id, memory_type, content_path)
                  VALUES ('2', 'x1', 'working', 'memory_snapshots/2.json')"),
        Fails("UPDATE memory_snapshots SET content = '{}'", "CHECK constraint failed"),
        Fails("UPDATE memory_snapshots SET content = NULL", "CHECK constraint failed"),
    ]),
    ("a primary key is never NULL", &[
        Fails("INSERT INTO agents (agent_id, agent_type, status) VALUES (NULL, 'x', 'idle')", "NOT NULL constraint"),
    ]),
];

const TASK: &str = "INSERT INTO sbi (id, task_id, status, created_at, updated_at, spec) VALUES
        ('SBI-01K6FRP24VXAE1C24TYMZ95G6S', 't1', 'WIP', '2025-10-03T01:02:03.123456789Z', '2025-10-03T01:02:03Z', '# One'),
        ('SBI-TX-001', 't2', 'REVIEW&WIP', '2025-10-03T01:02:03Z', '2025-10-03T10:02:03+09:00', '# Two');
    INSERT INTO execution (sbi_id, turn, step, status, decision, started_at, content) VALUES
        ('SBI-TX-001', 4, 'implement', 'WIP', NULL, '2025-10-03T01:02:03Z', 'a'),
        ('SBI-TX-001', 4, 'review', 'REVIEW', 'NEEDS_CHANGES', '2025-10-03T01:02:03Z', 'b'),
        ('SBI-TX-001', 9, 'done', 'DONE', 'SUCCEEDED', '2025-10-03T01:02:03Z', 'c');";

const DEESPEC: &[Case] = &[
    (
        "one turn can have two steps, a task's turns can have gaps, and the step `done` exists",
        &[
            Runs(TASK),
            Fails(
                "INSERT INTO execution (sbi_id, turn, step, status, started_at)
                   VALUES ('SBI-TX-001', 4, 'review', 'REVIEW', '2025-10-03T01:02:03Z')",
                "UNIQUE constraint failed",
            ),
            Runs(
                "INSERT INTO execution (sbi_id, turn, step, status, started_at, attempt)
                   VALUES ('SBI-TX-001', 4, 'review', 'REVIEW', '2025-10-03T01:02:03Z', 2)",
            ),
        ],
    ),
    ("spec.md has a place", &[Runs(TASK), Gives("SELECT spec FROM sbi WHERE id = 'SBI-TX-001'", "# Two")]),
    (
        "the runs of a task go with it, and take its new id",
        &[
            Runs(TASK),
            Runs("UPDATE sbi SET id = 'SBI-TX-002' WHERE id = 'SBI-TX-001'"),
            Gives("SELECT count(*) FROM execution WHERE sbi_id = 'SBI-TX-002'", "3"),
            Runs("DELETE FROM sbi WHERE id = 'SBI-TX-002'"),
            Gives("SELECT count(*) FROM execution", "0"),
        ],
    ),
    (
        "recent runs are recent whatever the form of their time",
        &[
            Runs(
                "INSERT INTO sbi (id, task_id, status, created_at, updated_at) VALUES
                  ('SBI-1', 't', 'WIP', '2025-10-03', '2025-10-03');
              INSERT INTO execution (sbi_id, turn, step, status, started_at) VALUES
                  ('SBI-1', 1, 'plan', 'WIP', strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-30 days', '-1 minutes')),
                  ('SBI-1', 2, 'plan', 'WIP', strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-30 days', '+1 minutes')),
                  ('SBI-1', 3, 'plan', 'WIP', strftime('%Y-%m-%d %H:%M:%S', 'now'))",
            ),
            Gives("SELECT group_concat(turn) FROM recent_executions", "2,3"),
        ],
    ),
    (
        "the version that a health check asks for is the version",
        &[Gives(
            "SELECT CAST(value AS INTEGER) = (SELECT max(version) FROM schema_migrations)
               FROM schema_info WHERE key = 'version'",
            "1",
        )],
    ),
    (
        "a time that is none is refused",
        &[Fails("INSERT INTO config (key, value, updated_at) VALUES ('k', '1', 'soon')", "CHECK constraint failed")],
    ),
];

/// The newest version of a project, which exists.
fn newest(project: &str) -> Database {
    let mut database = Database::new(&folder(project));
    database.up(To::Newest);
    database
}

fn folder(project: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(project)
}

fn value(connection: &Connection, sql: &str) -> String {
    match connection.query_row(sql, [], |row| row.get::<_, Value>(0)) {
        Ok(Value::Integer(value)) => value.to_string(),
        Ok(Value::Text(value)) => value,
        other => panic!("{sql}: {other:?}"),
    }
}

fn run(project: &str, cases: &[Case]) {
    for (told, steps) in cases {
        let database = newest(project);
        let connection = database.connection();
        for step in *steps {
            match step {
                Runs(sql) => connection.execute_batch(sql).unwrap_or_else(|error| panic!("{told}: {sql}: {error}")),
                Fails(sql, expected) => {
                    let failed = connection.execute_batch(sql);
                    let error = failed.expect_err(&format!("{told}: {sql} should fail")).to_string();
                    assert!(error.contains(expected), "{told}: {sql}: {error}");
                }
                Gives(sql, expected) => assert_eq!(&value(&connection, sql), expected, "{told}: {sql}"),
            }
        }
    }
}

#[test]
fn sessions_has_none_of_the_defects_of_its_document() {
    run("sessions", SESSIONS);
}

#[test]
fn usage_has_none_of_the_defects_of_its_document() {
    run("usage", USAGE);
}

#[test]
fn agents_has_none_of_the_defects_of_its_document() {
    run("agents", AGENTS);
}

#[test]
fn deespec_has_none_of_the_defects_of_its_document() {
    run("deespec", DEESPEC);
}

#[test]
fn counters_and_search_know_the_sessions_that_were_there_before_them() {
    let mut database = Database::new(&folder("sessions"));
    database.up(To::Version(1));
    database.connection().execute_batch(WORKSPACE).unwrap();
    database.up(To::Newest);
    let connection = database.connection();
    let counts = "SELECT group_concat(instance_count || message_count) FROM sessions";
    assert_eq!(value(&connection, counts), "33,10");
    assert_eq!(value(&connection, found!("parser")), "s1");
}

#[test]
fn the_list_of_tasks_is_read_from_an_index_alone() {
    let database = newest("deespec");
    let connection = database.connection();
    let sql = "EXPLAIN QUERY PLAN SELECT id, task_id, label FROM sbi WHERE status = 'WIP' ORDER BY created_at";
    let plan: String = connection.query_row(sql, [], |row| row.get(3)).unwrap();
    assert!(plan.contains("USING COVERING INDEX idx_sbi_list"), "{plan}");
}

#[test]
fn every_foreign_key_has_an_index_that_begins_with_its_columns() {
    for project in ["sessions", "usage", "agents", "deespec"] {
        let database = newest(project);
        let connection = database.connection();
        let sql = "WITH key AS (
                SELECT t.name AS child, f.id, group_concat(f.\"from\", ',' ORDER BY f.\"from\") AS columns, count(*) AS n
                FROM pragma_table_list t, pragma_foreign_key_list(t.name) f GROUP BY t.name, f.id)
            SELECT child || ' (' || columns || ')' FROM key WHERE NOT EXISTS (
                SELECT 1 FROM pragma_index_list(key.child) i WHERE i.partial = 0 AND columns = (
                    SELECT group_concat(name, ',' ORDER BY name) FROM pragma_index_info(i.name) WHERE seqno < key.n))";
        assert_eq!(super::rows::strings(&connection, sql, &[]), [""; 0], "{project}");
    }
}

/// For each check, rows that it has to find. Written without foreign keys and CHECKs, as a stray program might.
const VIOLATIONS: &[(&str, &str, &str)] = &[
    ("sessions", "orphaned_instances", "DELETE FROM sessions WHERE id = 's1'"),
    ("sessions", "orphaned_messages", "UPDATE chat_messages SET instance_id = 7 WHERE id = 'm1'"),
    ("sessions", "invalid_statuses", "UPDATE instances SET status = 'timeout' WHERE instance_id = 2"),
    ("sessions", "invalid_timestamps", "UPDATE sessions SET updated_at = datetime('now') WHERE id = 's1'"),
    ("sessions", "counters", "UPDATE sessions SET message_count = 9 WHERE id = 's1'"),
    ("sessions", "missing_winners", "UPDATE sessions SET winner_id = 7 WHERE id = 's1'"),
    ("usage", "one_active_configuration", "UPDATE usage_config SET is_active = 0"),
    ("usage", "times_in_milliseconds", "INSERT INTO events (source_app, session_id, hook_event_type, payload, timestamp)
         VALUES ('a', 's', 'Stop', '{}', 1754500000)"),
    ("agents", "orphaned_rows", "INSERT INTO project_tasks VALUES ('p', 't')"),
    ("agents", "global_configurations_unique", "DROP INDEX idx_configurations_global;
         INSERT INTO configurations (config_id, category, key, value) VALUES ('1', 'x', 'k', '1'), ('2', 'x', 'k', '1')"),
    ("agents", "task_cycles", "INSERT INTO tasks (task_id, title, status, priority, parent_task_id)
         VALUES ('1', 't', 'pending', 'low', '2'), ('2', 't', 'pending', 'low', '1')"),
    ("deespec", "orphaned_executions", "DELETE FROM sbi WHERE id = 'SBI-TX-001'"),
    ("deespec", "duplicate_turns", "DROP VIEW recent_executions; CREATE TABLE copy AS SELECT * FROM execution; DROP TABLE execution;
         ALTER TABLE copy RENAME TO execution; INSERT INTO execution SELECT * FROM execution"),
    ("deespec", "task_ids", "UPDATE sbi SET id = 'SBI-a b' WHERE id = 'SBI-TX-001'"),
    ("deespec", "done_without_success", "UPDATE sbi SET status = 'DONE' WHERE id LIKE 'SBI-01%'"),
];

#[test]
fn every_check_finds_what_it_is_for_and_nothing_in_good_rows() {
    for (project, check, violation) in VIOLATIONS {
        let database = newest(project);
        let connection = database.connection();
        let good = match *project {
            "sessions" => WORKSPACE.to_owned() + "UPDATE sessions SET winner_id = 1;",
            "deespec" => {
                TASK.to_owned()
                    + "UPDATE sbi SET status = 'DONE' WHERE id = 'SBI-TX-001';
                       INSERT INTO sbi (id, task_id, status, created_at, updated_at)
                           VALUES ('SBI-F', 't', 'DONE', '2025-10-03', '2025-10-03');
                       INSERT INTO execution (sbi_id, turn, step, status, decision, started_at)
                           VALUES ('SBI-F', 9, 'review', 'REVIEW&WIP', 'FAILED', '2025-10-03');"
            }
            _ => String::new(),
        };
        connection.execute_batch(&good).unwrap();
        let sql = std::fs::read_to_string(folder(project).join(format!("checks/{check}.sql"))).unwrap();
        let rows = || {
            let mut statement = connection.prepare(&sql).unwrap();
            let mut rows = statement.query([]).unwrap();
            std::iter::from_fn(|| rows.next().unwrap().map(|_| ())).count()
        };
        assert_eq!(rows(), 0, "{project} {check}: good rows");
        connection.execute_batch("PRAGMA foreign_keys = off; PRAGMA ignore_check_constraints = on").unwrap();
        connection.execute_batch(violation).unwrap();
        assert!(rows() > 0, "{project} {check} does not see `{violation}`");
    }
    let named = |project: &Path, check: &Path| {
        let project = project.file_name().unwrap();
        VIOLATIONS.iter().any(|(of, name, _)| project == *of && check.file_stem().unwrap() == *name)
    };
    for project in ["sessions", "usage", "agents", "deespec"].map(folder) {
        for check in std::fs::read_dir(project.join("checks")).unwrap() {
            let check = check.unwrap().path();
            assert!(named(&project, &check), "{} has no violation here", check.display());
        }
    }
}

#[test]
fn every_check_and_query_of_every_project_is_sql_that_its_newest_schema_knows() {
    for project in projects() {
        let mut database = Database::new(&project);
        database.up(To::Newest);
        let connection = database.connection();
        for folder in ["checks", "queries"].map(|name| project.join(name)) {
            for file in std::fs::read_dir(&folder).into_iter().flatten() {
                let path = file.unwrap().path();
                if path.extension().is_some_and(|extension| extension == "sql") {
                    let sql = std::fs::read_to_string(&path).unwrap();
                    connection.prepare(&sql).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                }
            }
        }
    }
}
