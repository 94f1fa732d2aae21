//! Eight processes that go up at the same moment: one applies, all succeed, none waits longer than it has to.

use std::process::Stdio;

use whimbrel::schema::To;

use crate::support::runner::{Postgres, Project, child};
use crate::support::turn::busy;

const PROCESSES: usize = 8;

/// How much later than the one that applied the last of the others may end, in milliseconds: some polls of the lock,
/// and eight processes on few cores.
const SLACK_MS: u128 = 750;

fn crowd(project: &Project, endpoint: &str) {
    let _busy = busy();
    let gun = project.path().join("gun");
    let directory = project.migrations_dir();
    let variables = [
        ("CHILD_MIGRATIONS", directory.to_str().unwrap()),
        ("CHILD_ENDPOINT", endpoint),
        ("CHILD_GUN", gun.to_str().unwrap()),
    ];
    let start = || child("up_at_once", &variables).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let children: Vec<_> = (0..PROCESSES).map(|_| start()).collect();
    std::thread::sleep(std::time::Duration::from_millis(300));
    std::fs::write(&gun, "").unwrap();
    let mut ends: Vec<(usize, u128)> = Vec::new();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{stdout}\n{}", String::from_utf8_lossy(&output.stderr));
        let line = stdout.lines().find(|line| line.starts_with("CHILD")).unwrap();
        let field = |name: &str| line.split(name).nth(1).unwrap().split(' ').next().unwrap().to_owned();
        ends.push((field("applied=").parse().unwrap(), field("done=").parse().unwrap()));
    }
    let appliers: Vec<_> = ends.iter().filter(|(applied, _)| *applied > 0).collect();
    assert_eq!(appliers.len(), 1, "more than one process applied: {ends:?}");
    assert_eq!(appliers[0].0, 5, "{ends:?}");
    let last = ends.iter().map(|(_, done)| *done).max().unwrap();
    let late = last.saturating_sub(appliers[0].1);
    println!("the last of {PROCESSES} processes ended {late} ms after the one that applied");
    assert!(late <= SLACK_MS, "a process waited {late} ms longer than it had to: {ends:?}");
}

#[test]
fn eight_processes_on_one_sqlite_file() {
    let slow = "CREATE TABLE busy(n); WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 100000) \
                INSERT INTO busy SELECT n FROM c;";
    let project = Project::new(&[
        ("1_a.up.sql", "CREATE TABLE a(b);"),
        ("2_b.up.sql", slow),
        ("3_c.up.sql", "-- whimbrel: no-transaction\nINSERT INTO a VALUES (1);\nVACUUM;\nINSERT INTO a VALUES (2);"),
        ("4_d.up.sql", "CREATE TABLE d(b);"),
        ("5_e.up.sql", "CREATE TABLE e(b);"),
    ]);
    crowd(&project, &project.database());
    assert_eq!(project.number("SELECT count(*) FROM schema_migrations WHERE state = 'applied'"), 5);
    assert_eq!(project.number("SELECT count(*) FROM a"), 2);
    assert!(!std::path::Path::new(&format!("{}-schema-lock", project.database())).exists());
}

#[test]
fn eight_processes_on_one_postgres_database() {
    let project = Project::new(&[
        ("1_a.up.sql", "CREATE TABLE a(b int);"),
        ("2_b.up.sql", "SELECT pg_sleep(0.3); CREATE TABLE b(b int);"),
        ("3_c.up.sql", "-- whimbrel: no-transaction\nCREATE INDEX CONCURRENTLY a_b ON a(b);"),
        ("4_d.up.sql", "CREATE TABLE d(b int);"),
        ("5_e.up.sql", "CREATE TABLE e(b int);"),
    ]);
    let postgres = Postgres::new();
    crowd(&project, &postgres.url);
    assert_eq!(postgres.number("SELECT count(*) FROM schema_migrations WHERE state = 'applied'"), 5);
    assert!(project.runner_for(&postgres.url).up(To::Newest).unwrap().steps.is_empty());
}
