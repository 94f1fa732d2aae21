//! A value that the program itself misreads each time, as `tests/harness/faults.rs` plants it: `full` believes it on both sides.

use crate::support::whole_run::Server;
use std::process::Command;
use whimbrel::provision::shared;

#[test]
fn what_is_misread_each_time_is_seen_by_paranoid_alone() {
    let database = shared().expect("a PostgreSQL server").create_database("misread").expect("a database");
    Server::connect(&database.url()).run(
        "CREATE TABLE numbers (id integer PRIMARY KEY, n bigint NOT NULL); INSERT INTO numbers VALUES (1, 5), (2, -7), (3, 9);
         CREATE TABLE texts (id integer PRIMARY KEY, body text); INSERT INTO texts VALUES (1, 'a'), (2, NULL), (3, 'c')",
    );
    let directory = tempfile::tempdir().expect("a directory");
    for (fault, table) in [("sign-lost", "public.numbers"), ("null-as-empty", "public.texts")] {
        for (level, code) in [("full", 0), ("paranoid", 1)] {
            let target = directory.path().join(format!("{fault} {level}.db"));
            let mut command = Command::new(env!("CARGO_BIN_EXE_whimbrel"));
            command.args(["migrate", &database.url()]).arg(&target).args(["--verify", level]);
            let output = command.env("WHIMBREL_FAULT", fault).output().expect("the program runs");
            let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert_eq!(output.status.code(), Some(code), "{fault}, {level}: {said}");
            assert_eq!(target.exists(), code == 0, "{fault}, {level}");
            if code == 1 {
                assert!(said.contains(&format!("table `{table}` differs")), "{said}");
                assert!(said.contains("the digest that the source computed by itself is another one"), "{said}");
                assert!(said.contains("misreads it each time"), "{said}");
                assert!(said.contains("1 missing from the target, 1 in the target only"), "{said}");
                assert!(said.contains("row [2]: in the target only"), "{said}");
            }
        }
    }
}
