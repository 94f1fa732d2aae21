//! SIGKILL at every statement boundary of five migrations: the database is after one of them, its history says the
//! same, and the next run completes.

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use whimbrel::schema::{Runner, State, To};

use crate::support::runner::{Postgres, Project, child};
use crate::support::turn::busy;

const FIVE: [(&str, &str); 10] = [
    ("1_a.up.sql", "CREATE TABLE t1(b int);\nINSERT INTO t1 VALUES (1);\nCREATE INDEX t1_b ON t1(b);"),
    ("1_a.down.sql", "-- whimbrel: lossy\nDROP TABLE t1;"),
    ("2_b.up.sql", "CREATE TABLE t2(b int);\nINSERT INTO t2 SELECT b FROM t1;"),
    ("2_b.down.sql", "-- whimbrel: lossy\nDROP TABLE t2;"),
    ("3_c.up.sql", "CREATE TABLE t3(b int);\nALTER TABLE t1 ADD COLUMN c int;\nUPDATE t1 SET c = b;"),
    ("3_c.down.sql", "-- whimbrel: lossy\nALTER TABLE t1 DROP COLUMN c;\nDROP TABLE t3;"),
    ("4_d.up.sql", "CREATE TABLE t4(b int);"),
    ("4_d.down.sql", "-- whimbrel: lossy\nDROP TABLE t4;"),
    ("5_e.up.sql", "CREATE TABLE t5(b int);\nINSERT INTO t5 VALUES (5);"),
    ("5_e.down.sql", "-- whimbrel: lossy\nDROP TABLE t5;"),
];

/// Kills at one boundary after the other until a run is over before its boundary comes; gives the number of kills.
fn kill_everywhere(
    project: &Project,
    validate_every: usize,
    mut fresh: impl FnMut() -> String,
    mut tables: impl FnMut(&str) -> i64,
) -> usize {
    let _busy = busy();
    let directory = project.migrations_dir();
    for boundary in 0.. {
        let endpoint = fresh();
        let number = boundary.to_string();
        let variables = [
            ("CHILD_MIGRATIONS", directory.to_str().unwrap()),
            ("CHILD_ENDPOINT", endpoint.as_str()),
            ("CHILD_BOUNDARY", number.as_str()),
        ];
        let status = child("up_until_killed", &variables).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        let killed = status.signal() == Some(libc::SIGKILL);
        assert!(killed || status.success(), "boundary {boundary}: {status}");
        let mut runner = Runner::open(&endpoint, project.migrations()).unwrap();
        let before = runner.status().unwrap_or_else(|error| panic!("boundary {boundary}: {error}"));
        let applied = before.count(State::Applied);
        assert_eq!(before.count(State::Interrupted), 0, "boundary {boundary}");
        assert_eq!(
            tables(&endpoint),
            i64::try_from(applied).unwrap(),
            "boundary {boundary}: the history says {applied}"
        );
        let report = runner.up(To::Newest).unwrap_or_else(|error| panic!("boundary {boundary}: {error}"));
        assert_eq!(report.steps.len(), 5 - applied, "boundary {boundary}");
        if boundary % validate_every == 0 {
            let findings = runner.validate().unwrap_or_else(|error| panic!("boundary {boundary}: {error}"));
            assert!(findings.is_clean(), "boundary {boundary}: {:?}", findings.problems());
        }
        if !killed {
            return boundary;
        }
    }
    unreachable!("a run of five migrations has an end")
}

/// Start, two events per statement, the commit and the end of each migration.
const BOUNDARIES: usize = 5 * 3 + 2 * (3 + 2 + 3 + 1 + 2);

fn on_sqlite(journal_mode: &str) {
    let project = Project::new(&FIVE);
    let path = project.database();
    let fresh = || {
        for suffix in ["", "-wal", "-shm", "-journal", "-schema-lock"] {
            let _ = std::fs::remove_file(format!("{path}{suffix}"));
        }
        project.execute(&format!("PRAGMA journal_mode = {journal_mode}"));
        path.clone()
    };
    let kills = kill_everywhere(&project, 1, fresh, |_| i64::try_from(project.tables().len()).unwrap());
    assert_eq!(kills, BOUNDARIES);
}

#[test]
fn a_sqlite_run_survives_sigkill_at_every_boundary_with_a_rollback_journal() {
    on_sqlite("DELETE");
}

#[test]
fn a_sqlite_run_survives_sigkill_at_every_boundary_with_a_wal() {
    on_sqlite("WAL");
}

#[test]
fn a_postgres_run_survives_sigkill_at_every_boundary() {
    let project = Project::new(&FIVE);
    let mut current: Option<Postgres> = None;
    let count = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename ~ '^t[0-9]$'";
    let postgres = std::cell::RefCell::new(&mut current);
    let kills = kill_everywhere(
        &project,
        // Building the schema from nothing takes a database of its own.
        6,
        || {
            let mut slot = postgres.borrow_mut();
            slot.insert(Postgres::new()).url.clone()
        },
        |_| postgres.borrow().as_ref().unwrap().number(count),
    );
    assert_eq!(kills, BOUNDARIES);
}

#[test]
fn a_migration_without_a_transaction_is_resumed_after_sigkill_at_every_boundary() {
    let _busy = busy();
    let project = Project::new(&[(
        "1_a.up.sql",
        "-- whimbrel: no-transaction\nCREATE TABLE t1(b int);\nINSERT INTO t1 VALUES (1);\nVACUUM;\n\
         INSERT INTO t1 VALUES (2);\nPRAGMA journal_mode = WAL;",
    )]);
    let (directory, path) = (project.migrations_dir(), project.database());
    let mut resumed = 0;
    for boundary in 0.. {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let _ = std::fs::remove_file(format!("{path}{suffix}"));
        }
        let number = boundary.to_string();
        let variables = [
            ("CHILD_MIGRATIONS", directory.to_str().unwrap()),
            ("CHILD_ENDPOINT", path.as_str()),
            ("CHILD_BOUNDARY", number.as_str()),
        ];
        let status = child("up_until_killed", &variables).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        let mut runner = project.runner();
        if runner.status().unwrap().count(State::Interrupted) == 1 {
            runner.up(To::Newest).unwrap_err();
            runner.resume().unwrap_or_else(|error| panic!("boundary {boundary}: {error}"));
            resumed += 1;
        }
        runner.up(To::Newest).unwrap_or_else(|error| panic!("boundary {boundary}: {error}"));
        assert_eq!(project.number("SELECT sum(b) FROM t1"), 3, "boundary {boundary}: a statement ran twice or never");
        assert!(runner.validate().unwrap().is_clean(), "boundary {boundary}");
        if status.success() {
            break;
        }
    }
    assert_eq!(resumed, 1 + 2 * 5 + 1, "begun, around each of five statements, before the last commit");
}
