//! What the plan and the report say beside the answers: what a view does besides, and which version of SQLite is needed.

use crate::support::whole_run::{self, Server};
use rusqlite::Connection;
use std::path::Path;
use std::process::Command;
use whimbrel::provision::{Database, shared};
use whimbrel::to_sqlite::{self, Job};

fn database(sql: &str) -> Database {
    let database = shared().expect("a PostgreSQL for the tests").create_database("told").expect("a database");
    Server::connect(&database.url()).run(sql);
    database
}

#[test]
fn writes_through_a_view_and_row_level_security_behind_it_are_told() {
    let database = database(
        "CREATE TABLE t (id integer PRIMARY KEY, n integer); CREATE TABLE secret (id integer PRIMARY KEY);
         ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
         CREATE VIEW plain AS SELECT id, n FROM t WHERE n > 0;
         CREATE VIEW checked AS SELECT id, n FROM t WHERE n > 0 WITH CHECK OPTION;
         CREATE VIEW counted AS SELECT count(*) AS c FROM t;
         CREATE VIEW secured AS SELECT count(*) AS c FROM secret;
         CREATE VIEW behind AS SELECT c FROM secured LIMIT 1",
    );
    let job = Job::new("unused.db");
    let (_, plan) = to_sqlite::plan(&mut whole_run::source(&database.url()).expect("a source"), &job).expect("a plan");
    assert_eq!(plan.views.len(), 5);
    let told = |name: &str| {
        let object = format!("public.{name}");
        let own = plan.caveats.iter().filter(|caveat| caveat.object == object);
        own.map(|caveat| caveat.text.as_str()).collect::<Vec<_>>()
    };
    let writes = "read only: PostgreSQL passes writes to it on to its table";
    let security = "shows every row: in PostgreSQL the row-level security of `secret` hides some";
    assert_eq!(told("plain"), [writes]);
    assert_eq!(told("checked"), [format!("{writes}, and refuses rows that it would not show")]);
    assert!(told("counted").is_empty());
    assert_eq!(told("secured"), [security]);
    assert_eq!(told("behind"), [security]);
}

/// Migrates by the program and gives what it says.
fn migrate(words: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_whimbrel")).arg("migrate").args(words).output().expect("the program");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    told
}

/// The names that the view gives, where it is there, and the version that the manifest tells.
fn read(path: &Path) -> (Option<String>, String) {
    let file = Connection::open(path).expect("the file");
    let names = file.query_row("SELECT names FROM all_names", [], |row| row.get(0)).ok();
    let needs = "SELECT value FROM _whimbrel_manifest WHERE name = 'needs_sqlite'";
    (names, file.query_row(needs, [], |row| row.get(0)).expect("the manifest"))
}

#[test]
fn a_newer_sqlite_that_is_allowed_lets_more_be_carried_and_is_told() {
    let database = database(
        "CREATE TABLE t (id integer PRIMARY KEY, name text); INSERT INTO t VALUES (2, 'b'), (1, 'a');
         CREATE VIEW all_names AS SELECT string_agg(name, ',' ORDER BY id) AS names FROM t",
    );
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("app.db");
    let file = path.to_string_lossy().into_owned();

    let told = migrate(&[&database.url(), &file]);
    assert!(told.contains("SQLite 3.37 or later") && told.contains("`--sqlite-version 3.44` allows it"), "{told}");
    assert_eq!(read(&path), (None, "3.37".to_owned()));

    let told = migrate(&[&database.url(), &file, "--sqlite-version", "3.44"]);
    assert!(told.contains("SQLite 3.44 or later") && !told.contains("allows it"), "{told}");
    assert_eq!(read(&path), (Some("a,b".to_owned()), "3.44".to_owned()));

    // What is allowed is more than what is needed.
    std::fs::remove_file(&path).expect("no file");
    let project = format!("[source]\nurl = '{}'\n[target]\npath = 'app.db'\nsqlite = '3.46'\n", database.url());
    std::fs::write(folder.path().join("project.toml"), project).expect("a project");
    let told = migrate(&[&folder.path().to_string_lossy()]);
    assert!(told.contains("SQLite 3.44 or later"), "{told}");
    assert_eq!(read(&path), (Some("a,b".to_owned()), "3.44".to_owned()));
}
