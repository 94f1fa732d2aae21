//! The failures that other runners show, each with the behaviour expected here, and beside it what sqlx's own
//! migrator does with the same files. A test of sqlx that begins to fail is good news: the difference is gone.

use std::path::Path;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, SqliteConnection};
use whimbrel::schema::{State, To};

use crate::support::runner::{Postgres, Project, block_on};

async fn sqlx_sqlite(database: &str) -> SqliteConnection {
    SqliteConnectOptions::new().filename(database).create_if_missing(true).connect().await.unwrap()
}

/// `sqlx migrate run` on the project's file.
fn sqlx_up(project: &Project) -> Result<(), MigrateError> {
    block_on(async {
        let migrator = Migrator::new(project.migrations_dir().as_path()).await?;
        migrator.run(&mut sqlx_sqlite(&project.database()).await).await
    })
}

/// `sqlx migrate revert` down to `target`.
fn sqlx_down(project: &Project, target: i64) -> Result<(), MigrateError> {
    block_on(async {
        let migrator = Migrator::new(project.migrations_dir().as_path()).await?;
        migrator.undo(&mut sqlx_sqlite(&project.database()).await, target).await
    })
}

// ── A table is rebuilt, and its children go with the old one ────────────────────────────────────────────────────────

fn rebuild() -> Project {
    Project::new(&[
        (
            "1_base.up.sql",
            "CREATE TABLE parent(id INTEGER PRIMARY KEY, name TEXT);\n\
             CREATE TABLE child(id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL REFERENCES parent(id) ON DELETE CASCADE);\n\
             INSERT INTO parent VALUES (1, 'a'), (2, 'b');\nINSERT INTO child VALUES (10, 1), (11, 1), (12, 2);",
        ),
        ("1_base.down.sql", "-- whimbrel: lossy\nDROP TABLE child;\nDROP TABLE parent;"),
        (
            "2_rebuild.up.sql",
            "CREATE TABLE parent_new(id INTEGER PRIMARY KEY, name TEXT NOT NULL);\n\
             INSERT INTO parent_new SELECT id, name FROM parent;\nDROP TABLE parent;\n\
             ALTER TABLE parent_new RENAME TO parent;",
        ),
        ("2_rebuild.down.sql", "-- whimbrel: lossless\nSELECT 1;"),
    ])
}

#[test]
fn child_rows_survive_the_rebuild_of_their_parent() {
    let project = rebuild();
    project.runner().up(To::Newest).unwrap();
    assert_eq!(project.number("SELECT count(*) FROM parent"), 2);
    assert_eq!(project.number("SELECT count(*) FROM child"), 3);
}

#[test]
fn sqlx_deletes_the_children_of_a_rebuilt_parent_and_reports_success() {
    let project = rebuild();
    sqlx_up(&project).unwrap();
    assert_eq!(project.number("SELECT count(*) FROM parent"), 2);
    assert_eq!(project.number("SELECT count(*) FROM child"), 0, "sqlx kept the children");
}

// ── A run fails, and its lock outlives it ───────────────────────────────────────────────────────────────────────────

fn failing() -> Project {
    Project::new(&[("1_a.up.sql", "CREATE TABLE a(b int);"), ("2_b.up.sql", "INSERT INTO nowhere VALUES (1);")])
}

#[test]
fn a_failed_run_leaves_no_lock() {
    let (project, postgres) = (failing(), Postgres::new());
    let mut failed = project.runner_for(&postgres.url);
    assert!(failed.up(To::Newest).unwrap_err().cause().contains("nowhere"));
    // The failed runner is still there, its connection open, and the next one goes on at once.
    project.write("2_b.up.sql", "CREATE TABLE b(c int);");
    let start = std::time::Instant::now();
    assert_eq!(project.runner_for(&postgres.url).up(To::Newest).unwrap().steps.len(), 1);
    assert!(start.elapsed() < Duration::from_secs(2));
    let locks = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
                 WHERE locktype = 'advisory' AND datname = current_database()";
    // The server takes a moment to notice that a connection was closed.
    while postgres.number(locks) > 0 {
        assert!(start.elapsed() < Duration::from_secs(5), "the lock is still held");
    }
    drop(failed);
}

#[test]
fn sqlx_keeps_its_lock_after_a_failed_run_for_as_long_as_the_connection_lives() {
    let (project, postgres) = (failing(), Postgres::new());
    block_on(async {
        let migrator = Migrator::new(project.migrations_dir().as_path()).await.unwrap();
        let mut first = PgConnection::connect(&postgres.url).await.unwrap();
        assert!(migrator.run(&mut first).await.is_err());
        let mut second = PgConnection::connect(&postgres.url).await.unwrap();
        let next = tokio::time::timeout(Duration::from_secs(1), migrator.run(&mut second)).await;
        assert!(next.is_err(), "sqlx released its lock");
        first.close().await.unwrap();
    });
}

// ── Several runners at once on one SQLite file ──────────────────────────────────────────────────────────────────────

fn several() -> Project {
    Project::new(&[
        ("1_a.up.sql", "CREATE TABLE a(b);"),
        ("2_b.up.sql", "CREATE TABLE b(b);"),
        ("3_c.up.sql", "CREATE TABLE c(b);"),
    ])
}

/// Runs `job` in four threads at the same moment; gives how many failed.
fn at_once(job: impl Fn() -> bool + Send + Sync + 'static) -> usize {
    let (job, barrier) = (Arc::new(job), Arc::new(Barrier::new(4)));
    let start = || {
        let (job, barrier) = (Arc::clone(&job), Arc::clone(&barrier));
        std::thread::spawn(move || {
            barrier.wait();
            job()
        })
    };
    let threads: Vec<_> = (0..4).map(|_| start()).collect();
    threads.into_iter().map(|thread| usize::from(!thread.join().unwrap())).sum()
}

#[test]
fn concurrent_runners_on_one_sqlite_file_all_succeed() {
    for _ in 0..10 {
        let project = Arc::new(several());
        let own = Arc::clone(&project);
        let failed = at_once(move || own.runner().up(To::Newest).map_err(|error| println!("{error}")).is_ok());
        assert_eq!(failed, 0);
        assert_eq!(project.number("SELECT count(*) FROM schema_migrations"), 3);
    }
}

#[test]
fn sqlx_runners_on_one_sqlite_file_run_into_each_other() {
    for _ in 0..50 {
        let project = Arc::new(several());
        let own = Arc::clone(&project);
        if at_once(move || sqlx_up(&own).is_ok()) > 0 {
            return;
        }
    }
    panic!("four runners of sqlx succeeded 50 times");
}

// ── A migration without a transaction fails half-way ────────────────────────────────────────────────────────────────

fn half() -> Project {
    Project::new(&[
        ("1_half.up.sql", "-- no-transaction\nCREATE TABLE a(b);\nINSERT INTO nowhere VALUES (1);\nCREATE TABLE c(d);"),
        ("1_half.down.sql", "-- whimbrel: lossy\nDROP TABLE IF EXISTS c;\nDROP TABLE IF EXISTS a;"),
    ])
}

#[test]
fn a_half_applied_migration_is_known_and_can_be_resumed() {
    let project = half();
    let error = project.runner().up(To::Newest).unwrap_err();
    assert!(error.cause().contains("1 of 3 statements are done and stay"), "{error}");
    let status = project.runner().status().unwrap();
    assert_eq!(status.migrations[0].state, State::Interrupted);
    assert!(project.runner().up(To::Newest).unwrap_err().cause().contains("interrupted"));
    // Corrected behind what is done already.
    project
        .write("1_half.up.sql", "-- no-transaction\nCREATE TABLE a(b);\nINSERT INTO a VALUES (1);\nCREATE TABLE c(d);");
    project.runner().resume().unwrap();
    assert_eq!(project.tables(), ["a", "c"]);
    assert!(project.runner().validate().unwrap().is_clean());
}

#[test]
fn a_half_applied_migration_can_be_undone() {
    let project = half();
    project.runner().up(To::Newest).unwrap_err();
    // What is done may not be rewritten.
    project.write("1_half.up.sql", "-- no-transaction\nCREATE TABLE z(b);\nSELECT 1;");
    assert!(project.runner().resume().unwrap_err().cause().contains("are not those that ran"));
    project.runner().undo().unwrap();
    assert_eq!(project.tables(), Vec::<String>::new());
    assert_eq!(project.number("SELECT count(*) FROM schema_migrations"), 0);
}

#[test]
fn sqlx_forgets_a_half_applied_migration_and_can_neither_repeat_nor_revert_it() {
    let project = half();
    assert!(sqlx_up(&project).is_err());
    assert_eq!(project.number("SELECT count(*) FROM _sqlx_migrations"), 0, "sqlx recorded it");
    project.write("1_half.up.sql", "-- no-transaction\nCREATE TABLE a(b);\nCREATE TABLE c(d);");
    let again = sqlx_up(&project).unwrap_err().to_string();
    assert!(again.contains("already exists"), "{again}");
    sqlx_down(&project, 0).unwrap();
    assert_eq!(project.number("SELECT count(*) FROM sqlite_schema WHERE name = 'a'"), 1, "sqlx reverted it");
}

// ── A down script is missing ────────────────────────────────────────────────────────────────────────────────────────

fn gap() -> Project {
    Project::new(&[
        ("1_a.up.sql", "CREATE TABLE a(b);"),
        ("1_a.down.sql", "-- whimbrel: lossy\nDROP TABLE a;"),
        ("2_b.up.sql", "CREATE TABLE b(a_b);"),
        ("3_c.up.sql", "CREATE TABLE c(b);"),
        ("3_c.down.sql", "-- whimbrel: lossy\nDROP TABLE c;"),
    ])
}

#[test]
fn a_rollback_across_a_missing_down_refuses_before_it_touches_anything() {
    let project = gap();
    project.runner().up(To::Newest).unwrap();
    let error = project.runner().down(To::Version(0)).unwrap_err();
    assert_eq!(error.to_string(), "migrate down `2_b`: it is irreversible: it has no down script");
    assert_eq!(project.tables(), ["a", "b", "c"]);
    let line = &project.runner().status().unwrap().migrations[1];
    assert_eq!((line.reversal.as_str(), line.detail.as_str()), ("irreversible", "it has no down script"));
}

#[test]
fn sqlx_skips_a_missing_down_in_silence() {
    let project = gap();
    sqlx_up(&project).unwrap();
    sqlx_down(&project, 0).unwrap();
    assert_eq!(project.number("SELECT count(*) FROM sqlite_schema WHERE name IN ('a', 'c')"), 0);
    assert_eq!(project.number("SELECT count(*) FROM sqlite_schema WHERE name = 'b'"), 1, "sqlx reverted it");
    assert_eq!(project.number("SELECT count(*) FROM _sqlx_migrations"), 1);
}

// ── Git changes the line endings ────────────────────────────────────────────────────────────────────────────────────

fn change_line_endings(project: &Project) {
    for entry in std::fs::read_dir(project.migrations_dir()).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("\u{feff}{}", text.replace('\n', "\r\n"))).unwrap();
    }
}

#[test]
fn line_endings_do_not_block_a_deployment() {
    let project = rebuild();
    project.runner().up(To::Version(1)).unwrap();
    change_line_endings(&project);
    assert_eq!(project.runner().up(To::Newest).unwrap().steps.len(), 1);
    assert!(project.runner().status().unwrap().is_current());
}

#[test]
fn sqlx_takes_other_line_endings_for_another_migration() {
    let project = rebuild();
    sqlx_up(&project).unwrap();
    change_line_endings(&project);
    assert!(matches!(sqlx_up(&project), Err(MigrateError::VersionMismatch(1))));
}

// ── A migration arrives late ────────────────────────────────────────────────────────────────────────────────────────

fn late() -> Project {
    Project::new(&[("1_a.up.sql", "CREATE TABLE a(b);"), ("3_c.up.sql", "CREATE TABLE c(b);")])
}

const LATE: (&str, &str) = ("2_b.up.sql", "CREATE TABLE b(b);");

#[test]
fn an_out_of_order_migration_is_refused_until_it_is_allowed() {
    let project = late();
    project.runner().up(To::Newest).unwrap();
    project.write(LATE.0, LATE.1);
    let error = project.runner().up(To::Newest).unwrap_err();
    assert_eq!(error.to_string(), "migrate up `2_b`: it is out of order: version 3 was applied before it");
    assert_eq!(project.runner().status().unwrap().count(State::OutOfOrder), 1);
    assert!(!project.runner().validate().unwrap().is_clean());
    let allowed = whimbrel::schema::RunnerOptions { allow_out_of_order: true, ..Default::default() };
    assert_eq!(project.runner_with(allowed).up(To::Newest).unwrap().steps[0].version, 2);
}

#[test]
fn sqlx_applies_an_out_of_order_migration_in_silence() {
    let project = late();
    sqlx_up(&project).unwrap();
    project.write(LATE.0, LATE.1);
    sqlx_up(&project).unwrap();
    assert_eq!(project.number("SELECT count(*) FROM sqlite_schema WHERE name = 'b'"), 1);
}

// ── And the way over ────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn a_history_of_sqlx_is_adopted_without_running_anything() {
    let project = rebuild();
    sqlx_up(&project).unwrap();
    project.write("3_more.sql", "CREATE TABLE more(a);");
    change_line_endings(&project);
    let refused = project.runner().up(To::Newest);
    assert!(refused.is_err(), "the tables are there already");
    assert_eq!(project.runner().adopt_sqlx().unwrap(), [1, 2]);
    let status = project.runner().status().unwrap();
    assert_eq!((status.count(State::Applied), status.count(State::Pending)), (2, 1));
    assert!(status.migrations[0].remarks.contains("adopted from _sqlx_migrations"));
    assert!(status.migrations[0].applied_at.as_ref().unwrap().ends_with('Z'));
    assert_eq!(
        project.runner().validate().unwrap().problems(),
        ["migration `3_more` is pending: it has no down script"]
    );
    assert_eq!(project.runner().up(To::Newest).unwrap().steps.len(), 1);
    assert!(project.runner().adopt_sqlx().unwrap_err().cause().contains("already"));
}

#[test]
fn a_history_of_sqlx_on_postgres_is_adopted_too() {
    let (project, postgres) = (several(), Postgres::new());
    for name in ["1_a", "2_b", "3_c"] {
        project.write(&format!("{name}.up.sql"), &format!("CREATE TABLE {}(b int);", &name[2..]));
    }
    block_on(async {
        let migrator = Migrator::new(Path::new(&project.migrations_dir())).await.unwrap();
        migrator.run(&mut PgConnection::connect(&postgres.url).await.unwrap()).await.unwrap();
    });
    assert_eq!(project.runner_for(&postgres.url).adopt_sqlx().unwrap(), [1, 2, 3]);
    let findings = project.runner_for(&postgres.url).validate().unwrap();
    assert!(findings.is_clean(), "{:?}", findings.problems());
}

#[test]
fn a_file_without_a_history_of_sqlx_is_adopted_by_version() {
    let project = several();
    let error = project.runner().adopt_sqlx().unwrap_err();
    assert!(
        error.cause().contains("there is no such table")
            && error.way_out().unwrap().contains("`schema adopt … --version N`")
    );
}

#[test]
fn a_history_of_sqlx_whose_files_changed_is_not_adopted() {
    let project = several();
    sqlx_up(&project).unwrap();
    project.write("2_b.up.sql", "CREATE TABLE b(b, c);");
    assert!(project.runner().adopt_sqlx().unwrap_err().cause().contains("`2_b.up.sql` changed"));
    assert!(project.runner().history().unwrap().is_empty());
}
