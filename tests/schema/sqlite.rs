//! SQLite: what a transaction keeps together, what is counted, what is recorded.

use std::time::Duration;

use whimbrel::schema::{Event, Runner, RunnerOptions, State, To};

use crate::support::runner::Project;

const LOSSY_A: (&str, &str) = ("1_a.down.sql", "-- whimbrel: lossy\nDROP TABLE a;");

fn two() -> Project {
    Project::new(&[
        ("1_a.up.sql", "CREATE TABLE a(b);\nINSERT INTO a VALUES (1), (2), (3);"),
        LOSSY_A,
        ("2_b.up.sql", "CREATE TABLE b(c);\nCREATE INDEX b_c ON b(c);"),
        ("2_b.down.sql", "-- whimbrel: lossless\nDROP TABLE b;"),
    ])
}

#[test]
fn up_down_up_is_the_identity() {
    let project = two();
    let mut runner = project.runner();
    runner.up(To::Newest).unwrap();
    let objects = runner.objects().unwrap();
    assert_eq!(objects.len(), 3);
    runner.down(To::Version(0)).unwrap();
    assert!(runner.objects().unwrap().is_empty());
    runner.up(To::Newest).unwrap();
    assert_eq!(runner.objects().unwrap(), objects);
    assert!(runner.validate().unwrap().is_clean());
}

#[test]
fn sql_and_history_row_commit_together_or_not_at_all() {
    let project =
        Project::new(&[("1_a.up.sql", "CREATE TABLE a(b);"), ("2_b.up.sql", "CREATE TABLE b(c);\nSELECT nonsense();")]);
    let mut runner = project.runner();
    let error = runner.up(To::Newest).unwrap_err();
    assert!(error.to_string().starts_with("run migration `2_b.up.sql` line 2: statement 2 of 2 failed"), "{error}");
    assert_eq!(runner.report().steps.len(), 1, "the partial report");
    assert_eq!(project.tables(), ["a"]);
    assert_eq!(project.number("SELECT max(version) FROM schema_migrations"), 1);
}

#[test]
fn a_first_run_that_fails_leaves_no_history() {
    let project = Project::new(&[("1_a.up.sql", "SELECT nonsense();")]);
    project.runner().up(To::Newest).unwrap_err();
    assert_eq!(project.number("SELECT count(*) FROM sqlite_schema"), 0);
}

#[test]
fn status_and_down_create_nothing() {
    let project = two();
    let status = project.runner().status().unwrap();
    assert_eq!((status.version, status.count(State::Pending)), (0, 2));
    let problems = project.runner().validate().unwrap().problems();
    assert!(problems.len() == 2 && problems[0].starts_with("migration `1_a` is pending"), "{problems:?}");
    let allowed = RunnerOptions { allow_pending: true, ..RunnerOptions::default() };
    assert!(project.runner_with(allowed).validate().unwrap().is_clean());
    project.runner().down(To::Steps(1)).unwrap();
    assert!(!std::path::Path::new(&project.database()).exists());
}

#[test]
fn a_dry_run_executes_and_rolls_back() {
    let project = two();
    let dry = || project.runner_with(RunnerOptions { dry_run: true, ..RunnerOptions::default() });
    let report = dry().up(To::Newest).unwrap();
    assert_eq!((report.steps.len(), report.dry_run), (2, true));
    assert!(!std::path::Path::new(&project.database()).exists(), "a dry run created the file");
    project.runner().up(To::Version(1)).unwrap();
    assert_eq!(dry().up(To::Newest).unwrap().steps[0].version, 2);
    assert_eq!(project.tables(), ["a"]);
    assert_eq!(dry().down(To::Version(0)).unwrap().steps.len(), 1);
    assert_eq!(project.tables(), ["a"]);
    project.write("3_bad.up.sql", "INSERT INTO nowhere VALUES (1);");
    assert!(dry().up(To::Newest).is_err(), "a dry run executes");
    project.write("3_bad.up.sql", "-- whimbrel: no-transaction\nVACUUM;");
    assert_eq!(dry().up(To::Newest).unwrap().not_executed, ["3_bad"]);
}

#[test]
fn redo_runs_the_file_as_it_is_now() {
    let project = two();
    project.runner().up(To::Newest).unwrap();
    project.write("2_b.up.sql", "CREATE TABLE b(c, d);");
    assert_eq!(project.runner().status().unwrap().count(State::Changed), 1);
    assert_eq!(project.runner().redo().unwrap().steps.len(), 2);
    assert_eq!(project.number("SELECT count(*) FROM pragma_table_info('b')"), 2);
    assert!(project.runner().status().unwrap().is_current());
}

#[test]
fn an_older_binary_rolls_a_newer_database_back() {
    let project = two();
    project.runner().up(To::Newest).unwrap();
    let mut older = Runner::open(&project.database(), project.migrations().up_to(1)).unwrap();
    assert_eq!(older.status().unwrap().count(State::Missing), 1);
    assert!(older.up(To::Newest).unwrap_err().cause().contains("newer than these migrations"));
    older.down(To::Version(1)).unwrap();
    assert_eq!(project.tables(), ["a"]);
    assert!(older.validate().unwrap().is_clean());
}

#[test]
fn repair_accepts_a_change_and_says_so() {
    let project = two();
    project.runner().up(To::Newest).unwrap();
    project.write("1_a.up.sql", "-- A comment.\nCREATE TABLE a(b);\nINSERT INTO a VALUES (1), (2), (3);");
    project.write("1_a.down.sql", "-- whimbrel: lossy\nDROP TABLE IF EXISTS a;");
    assert!(project.runner().up(To::Newest).unwrap_err().way_out().unwrap().contains("schema repair 1"));
    assert!(
        project.runner().down(To::Version(0)).unwrap_err().cause().contains("not the down script that was recorded")
    );
    project.runner().repair(1).unwrap();
    let line = project.runner().status().unwrap().migrations.remove(0);
    assert_eq!(line.state, State::Applied);
    assert!(line.remarks.contains("repaired by whimbrel") && line.remarks.contains("xxh3-128:"), "{}", line.remarks);
    assert!(project.runner().repair(1).unwrap_err().cause().contains("nothing"));
    assert!(project.runner().repair(7).is_err());
    project.runner().down(To::Version(0)).unwrap();
}

// ── Rows and keys ───────────────────────────────────────────────────────────────────────────────────────────────────

/// Two migrations, the second of which is `sql`; gives what running it says.
fn second(sql: &str) -> (Project, whimbrel::Result<()>) {
    let project = Project::new(&[
        (
            "1_a.up.sql",
            "CREATE TABLE a(id INTEGER PRIMARY KEY, b);\nINSERT INTO a VALUES (1, 1), (2, 2), (3, 3);\n\
             CREATE TABLE child(a INTEGER REFERENCES a(id) ON DELETE CASCADE);\nINSERT INTO child VALUES (1), (3);",
        ),
        ("2_b.up.sql", sql),
    ]);
    project.runner().up(To::Version(1)).unwrap();
    let result = project.runner().up(To::Newest).map(|_| ());
    (project, result)
}

#[test]
fn rows_that_are_lost_undeclared_roll_the_migration_back() {
    let losses = [
        "DELETE FROM a WHERE id = 2;",
        "CREATE TABLE n(id INTEGER PRIMARY KEY, b);\nINSERT INTO n SELECT * FROM a WHERE id <> 2;\nDROP TABLE a;\nALTER TABLE n RENAME TO a;",
        "ALTER TABLE a RENAME TO old;\nCREATE TABLE a(id INTEGER PRIMARY KEY, b);\nINSERT INTO a SELECT * FROM old WHERE id <> 2;\n\
         UPDATE child SET a = NULL;\nDROP TABLE old;",
        "CREATE TRIGGER t AFTER UPDATE ON child BEGIN DELETE FROM a WHERE id = 2; END;\nUPDATE child SET a = a;",
        "UPDATE OR REPLACE a SET id = 1 WHERE id = 2;",
        "ALTER TABLE a RENAME TO z;\nDELETE FROM z WHERE id = 2;",
    ];
    for sql in losses {
        let (project, result) = second(sql);
        let error = result.expect_err(sql);
        assert!(error.cause().contains("table `a` had 3 rows and has 2"), "{sql}: {error}");
        assert!(error.way_out().unwrap().contains("-- whimbrel: loses a"), "{error:?}");
        assert_eq!(project.number("SELECT count(*) FROM a"), 3, "{sql}");
        assert_eq!(project.number("SELECT count(*) FROM schema_migrations"), 1, "{sql}");
        // The child's key follows the table that is renamed, and goes with it.
        let key = if sql.contains("DROP TABLE old") { ", foreign key child" } else { "" };
        let (project, result) = second(&format!("-- whimbrel: loses a{key}\n{sql}"));
        assert!(result.is_ok(), "{sql}: {result:?}");
        assert_eq!(project.number("SELECT count(*) FROM schema_migrations"), 2);
    }
}

#[test]
fn a_rebuild_in_the_wrong_order_is_explained() {
    let (_, result) = second(
        "ALTER TABLE a RENAME TO old;\nCREATE TABLE a(id INTEGER PRIMARY KEY, b);\nINSERT INTO a SELECT * FROM old;\nDROP TABLE old;",
    );
    let error = result.unwrap_err();
    assert!(error.cause().contains("row 1 of `child` refers to the missing table `old`"), "{error}");
    assert!(error.way_out().unwrap().contains("only then rename"), "{error:?}");
}

#[test]
fn what_loses_nothing_needs_no_declaration() {
    for sql in [
        "ALTER TABLE a RENAME TO z;",
        "ALTER TABLE a RENAME TO y;\nALTER TABLE y RENAME TO z;",
        "CREATE TABLE scratch AS SELECT * FROM a;\nDROP TABLE scratch;",
        "CREATE TEMP TABLE scratch AS SELECT * FROM a;\nDELETE FROM scratch;",
        "ALTER TABLE a RENAME TO archive;\nCREATE TABLE a(id INTEGER PRIMARY KEY, b);\nUPDATE child SET a = NULL;",
        "ALTER TABLE a ADD COLUMN c;\nUPDATE a SET c = b;\nALTER TABLE a DROP COLUMN b;",
        "CREATE VIRTUAL TABLE f USING fts5(b);\nINSERT INTO f SELECT b FROM a;\nDELETE FROM f;\nDROP TABLE f;",
        "CREATE VIEW v AS SELECT * FROM a;\nDROP VIEW v;",
        "",
    ] {
        let (_, result) = second(sql);
        assert!(result.is_ok(), "{sql}: {result:?}");
    }
}

#[test]
fn a_dropped_table_has_to_be_declared_and_an_empty_one_not() {
    let (_, result) = second("DROP TABLE child;");
    assert!(result.unwrap_err().cause().contains("table `child` had 2 rows and is gone"));
    assert!(second("-- whimbrel: loses child\nDROP TABLE child;").1.is_ok());
    assert!(second("-- whimbrel: loses child\nDELETE FROM child;\nDROP TABLE child;").1.is_ok());
    let project = Project::new(&[("1_a.up.sql", "CREATE TABLE a(b);"), ("2_b.up.sql", "DROP TABLE a;")]);
    project.runner().up(To::Newest).unwrap();
}

#[test]
fn a_lossless_down_that_loses_rows_is_refused() {
    let project = two();
    project.runner().up(To::Newest).unwrap();
    project.execute("INSERT INTO b VALUES (1)");
    let error = project.runner().down(To::Steps(1)).unwrap_err();
    assert!(error.cause().contains("table `b` had 1 row and is gone"), "{error}");
    assert_eq!(project.tables(), ["a", "b"]);
}

#[test]
fn a_broken_foreign_key_rolls_back_and_says_whose_fault_it_is() {
    let (project, result) = second("-- whimbrel: loses a\nDELETE FROM a WHERE id = 3;");
    let error = result.unwrap_err();
    assert!(error.cause().contains("row 2 of `child` refers to a row of `a` that does not exist"), "{error}");
    assert!(error.way_out().unwrap().contains("nothing cascades"));
    assert_eq!(project.number("SELECT count(*) FROM a"), 3);
    let connection = rusqlite::Connection::open(project.database()).unwrap();
    connection.execute_batch("PRAGMA foreign_keys = OFF; INSERT INTO child VALUES (99)").unwrap();
    project.write("2_b.up.sql", "UPDATE a SET b = 0;");
    let error = project.runner().up(To::Newest).unwrap_err();
    assert!(error.way_out().unwrap().contains("broken before the migration"), "{error:?}");
}

// ── Validate ────────────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn validate_names_the_objects_that_drifted() {
    let project = two();
    project.runner().up(To::Newest).unwrap();
    project.execute("DROP INDEX b_c; CREATE TABLE stray(a); ALTER TABLE a ADD COLUMN c TEXT;");
    let findings = project.runner().validate().unwrap();
    let problems = findings.problems();
    assert!(problems.iter().any(|p| p == "index `b_c` is missing"), "{problems:?}");
    assert!(problems.iter().any(|p| p == "table `stray` is there, and no migration creates it"), "{problems:?}");
    assert!(problems.iter().any(|p| p.starts_with("table `a` differs")), "{problems:?}");
    assert!(findings.into_result().is_err());
}

#[test]
fn validate_fails_on_every_kind_of_history_problem() {
    let project = two();
    project.runner().up(To::Newest).unwrap();
    let problem = |project: &Project| project.runner().validate().unwrap().problems().join("\n");
    project.write("2_b.up.sql", "CREATE TABLE b(c, d);");
    assert!(problem(&project).contains("migration `2_b` is changed: `2_b.up.sql` changed after it was applied"));
    project.write("1_a.down.sql", "-- whimbrel: lossy\nDROP TABLE IF EXISTS a;");
    assert!(problem(&project).contains("`1_a.down.sql` changed after it was applied"));
    project.remove("1_a.down.sql");
    assert!(problem(&project).contains("`1_a.down.sql` is gone: it was there when it was applied"));
    project.remove("2_b.up.sql");
    project.remove("2_b.down.sql");
    let missing = problem(&project);
    assert!(
        missing.contains("migration `2_b` is missing") && missing.contains("drift could not be looked for"),
        "{missing}"
    );
}

#[test]
fn validate_sees_broken_keys_and_broken_files() {
    let project =
        Project::new(&[("1_a.up.sql", "CREATE TABLE a(id INTEGER PRIMARY KEY);\nCREATE TABLE c(a REFERENCES a);")]);
    project.runner().up(To::Newest).unwrap();
    let connection = rusqlite::Connection::open(project.database()).unwrap();
    connection.execute_batch("PRAGMA foreign_keys = OFF; INSERT INTO c VALUES (99)").unwrap();
    let problems = project.runner().validate().unwrap().problems();
    assert_eq!(problems, ["row 1 of `c` refers to a row of `a` that does not exist"]);
}

// ── Without a transaction ───────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn pragmas_of_the_file_and_vacuum_run_without_a_transaction() {
    let project = Project::new(&[(
        "1_wal.up.sql",
        "-- whimbrel: no-transaction\nCREATE TABLE a(b);\nPRAGMA auto_vacuum = INCREMENTAL;\nVACUUM;\nPRAGMA journal_mode = WAL;",
    )]);
    project.runner().up(To::Newest).unwrap();
    let mode: String = project.connection().pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!((mode.as_str(), project.number("PRAGMA auto_vacuum")), ("wal", 2));
    let entry = project.runner().history().unwrap().remove(0);
    assert_eq!((entry.statements_started, entry.statements_finished), (4, 4));
}

#[test]
fn rows_are_counted_without_a_transaction_too() {
    let (project, result) =
        second("-- whimbrel: no-transaction\nUPDATE a SET b = 0;\nDELETE FROM a WHERE id = 2;\nVACUUM;");
    let error = result.unwrap_err();
    assert!(error.cause().contains("table `a` had 3 rows and has 2; 1 of 3 statements are done and stay"), "{error}");
    assert!(error.way_out().unwrap().contains("-- whimbrel: loses a"), "{error:?}");
    assert_eq!(project.number("SELECT count(*) FROM a WHERE b = 0"), 3);
    project.write(
        "2_b.up.sql",
        "-- whimbrel: no-transaction\n-- whimbrel: loses a\nUPDATE a SET b = 0;\nDELETE FROM a WHERE id = 2;\nVACUUM;",
    );
    project.runner().resume().unwrap();
    assert_eq!(project.number("SELECT count(*) FROM a"), 2);
}

#[test]
fn a_down_without_a_transaction_is_resumed_and_not_undone() {
    let project = Project::new(&[
        ("1_a.up.sql", "CREATE TABLE a(b);\nCREATE TABLE c(d);"),
        ("1_a.down.sql", "-- whimbrel: lossy\n-- whimbrel: no-transaction\nDROP TABLE a;\nDROP TABLE c;\nVACUUM;"),
    ]);
    project.runner().up(To::Newest).unwrap();
    project.execute("DROP TABLE c");
    assert!(project.runner().down(To::Version(0)).is_err());
    assert!(project.runner().undo().unwrap_err().cause().contains("down script was interrupted"));
    project.execute("CREATE TABLE c(d)");
    project.runner().resume().unwrap();
    assert_eq!(project.number("SELECT count(*) FROM schema_migrations"), 0);
    assert_eq!(project.tables(), Vec::<String>::new());
}

#[test]
fn a_runner_that_is_still_at_work_is_waited_for_and_not_taken_for_an_interrupted_one() {
    let project = std::sync::Arc::new(Project::new(&[(
        "1_a.up.sql",
        "-- whimbrel: no-transaction\nCREATE TABLE a(b);\nCREATE TABLE c(d);",
    )]));
    let late = std::sync::Arc::clone(&project);
    let (sender, threads) = std::sync::mpsc::channel();
    let mut runner = project.runner().on_event(move |event| {
        if matches!(event, Event::StatementFinished { statement: 1, .. }) {
            let late = std::sync::Arc::clone(&late);
            sender.send(std::thread::spawn(move || late.runner().up(To::Newest))).unwrap();
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    assert_eq!(runner.up(To::Newest).unwrap().steps.len(), 1);
    let report = threads.recv().unwrap().join().unwrap().unwrap();
    assert!(report.steps.is_empty());
}

// ── Locks ───────────────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn a_writing_application_makes_a_runner_wait_and_then_give_up_with_a_reason() {
    let project = two();
    project.execute("CREATE TABLE app(a)");
    let application = project.connection();
    application.execute_batch("BEGIN IMMEDIATE").unwrap();
    let short = RunnerOptions { lock_timeout: Duration::from_millis(20), lock_retries: 2, ..RunnerOptions::default() };
    let (sender, events) = std::sync::mpsc::channel();
    let mut runner = project.runner_with(short).on_event(move |event| sender.send(event.clone()).unwrap());
    let error = runner.up(To::Newest).unwrap_err();
    assert!(error.way_out().unwrap().contains("another program holds the database"), "{error:?}");
    assert_eq!(events.try_iter().filter(|event| matches!(event, Event::Retrying { .. })).count(), 2);
    application.execute_batch("COMMIT").unwrap();
    runner.up(To::Newest).unwrap();
}

#[test]
fn another_tools_table_is_not_taken_for_the_history() {
    let project = two();
    project.execute("CREATE TABLE schema_migrations(version INTEGER PRIMARY KEY, dirty BOOLEAN)");
    let error = project.runner().up(To::Newest).unwrap_err();
    assert!(error.cause().contains("belongs to another tool"), "{error}");
    let named = RunnerOptions { history_table: "whimbrel_history".to_owned(), ..RunnerOptions::default() };
    project.runner_with(named.clone()).up(To::Newest).unwrap();
    assert!(project.runner_with(named).status().unwrap().is_current());
}

#[test]
fn a_file_that_is_no_database_is_an_error_and_stays_as_it_is() {
    let project = two();
    std::fs::write(project.database(), "this is not a database, and long enough to be seen as none. ".repeat(50))
        .unwrap();
    let before = std::fs::read(project.database()).unwrap();
    let error = project.runner().up(To::Newest).unwrap_err();
    assert!(error.cause().contains("not a database"), "{error}");
    assert_eq!(std::fs::read(project.database()).unwrap(), before);
}

/// What applying `second` after `first` says.
fn refusal_of(first: &str, second: &str) -> String {
    let project = Project::new(&[("1_a.up.sql", first), ("2_b.up.sql", second)]);
    project.runner().up(To::Steps(1)).unwrap();
    let error = project.runner().up(To::Newest).unwrap_err();
    assert_eq!(project.number("SELECT max(version) FROM schema_migrations"), 1);
    error.to_string()
}

#[test]
fn rows_are_counted_whatever_letters_a_table_has() {
    let first = "CREATE TABLE Ärger(b); INSERT INTO Ärger VALUES (1), (2);";
    let error = refusal_of(first, "DELETE FROM Ärger WHERE b = 1;");
    assert!(error.contains("had 2 rows and has 1"), "{error}");
}

#[test]
fn rows_that_only_a_virtual_table_keeps_are_counted() {
    let search = "CREATE VIRTUAL TABLE notes USING fts5(x); INSERT INTO notes VALUES ('a'), ('b');";
    for lost in ["DROP TABLE notes;", "DELETE FROM notes;", "DELETE FROM notes_content;"] {
        let error = refusal_of(search, lost);
        assert!(error.contains("had 2 rows and"), "{lost}: {error}");
    }
    let places = "CREATE VIRTUAL TABLE place USING rtree(id, low, high); INSERT INTO place VALUES (1, 2, 3);";
    assert!(refusal_of(places, "DELETE FROM place;").contains("table `place` had 1 row and has 0"));
    let project = Project::new(&[
        ("1_a.up.sql", search),
        ("2_b.up.sql", "ALTER TABLE notes RENAME TO remarks;"),
        ("3_c.up.sql", "-- whimbrel: loses remarks\nDROP TABLE remarks;"),
    ]);
    project.runner().up(To::Newest).unwrap();
}

#[test]
fn a_search_index_over_another_table_keeps_no_rows_of_its_own() {
    let project = Project::new(&[
        (
            "1_a.up.sql",
            "CREATE TABLE a(b TEXT);\nINSERT INTO a VALUES ('x');\n\
             CREATE VIRTUAL TABLE search USING fts5(b, content=a);\nINSERT INTO search(search) VALUES ('rebuild');",
        ),
        ("2_b.up.sql", "DROP TABLE search;"),
    ]);
    project.runner().up(To::Newest).unwrap();
    assert_eq!(project.tables(), ["a"]);
}

#[test]
fn a_lock_timeout_of_any_length_is_taken() {
    let project = two();
    let options =
        RunnerOptions { lock_timeout: Duration::MAX, runner_timeout: Duration::MAX, ..RunnerOptions::default() };
    project.runner_with(options).up(To::Newest).unwrap();
}

#[test]
fn a_down_script_that_was_edited_in_the_history_is_not_run_until_it_is_repaired() {
    let project = two();
    project.runner().up(To::Newest).unwrap();
    project.number(
        "UPDATE schema_migrations SET down_script = down_script || 'DROP TABLE a;' WHERE version = 2 RETURNING 1",
    );
    let error = project.runner().down(To::Steps(1)).unwrap_err();
    assert!(error.cause().contains("does not have the checksum beside it"), "{error}");
    assert_eq!(project.tables(), ["a", "b"]);
    project.runner().repair(2).unwrap();
    project.runner().down(To::Steps(1)).unwrap();
    assert_eq!(project.tables(), ["a"]);
}
