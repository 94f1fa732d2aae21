//! The schemas of the projects hold rows in every version of SQLite that they are said to be for.

use crate::support::older_sqlite::leave;
use crate::support::program::{describe as told, whimbrel};
use rusqlite::Connection;
use std::path::Path;

/// As a version before 3.42 reads a definition: `json_valid(NULL)` is 0 there.
fn as_older(sql: &str) -> String {
    let mut older = String::new();
    let mut rest = sql;
    while let Some(at) = rest.find("json_valid(") {
        let end = at + rest[at..].find(')').expect("a parenthesis that is closed") + 1;
        older.push_str(&format!("{}ifnull({}, 0)", &rest[..at], &rest[at..end]));
        rest = &rest[end..];
    }
    older + rest
}

#[test]
fn rows_of_every_project_are_sound_in_older_versions() {
    for project in std::fs::read_dir("migrations").expect("projects") {
        let target = project.expect("a project").path().join("target");
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("app.db");
        let path = file.to_str().expect("UTF-8");
        for words in [
            &["schema", "up", path, target.to_str().expect("UTF-8")][..],
            &["generate", path, "--rows", "40", "--seed", "5", "--append"],
        ] {
            let output = whimbrel(words);
            assert!(output.status.success(), "{}: {}", target.display(), told(&output));
        }
        leave(&file);
        assert_eq!(integrity(&file), ["ok"], "{}", target.display());
        let connection = Connection::open(&file).expect("the file");
        let mut statement =
            connection.prepare("SELECT name, sql FROM sqlite_schema WHERE sql LIKE '%json_valid(%'").expect("tables");
        let tables: Vec<(String, String)> = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .and_then(Iterator::collect)
            .expect("tables with JSON");
        connection.execute_batch("PRAGMA writable_schema = ON").expect("a schema that can be written");
        for (name, sql) in &tables {
            let changed =
                connection.execute("UPDATE sqlite_schema SET sql = ?2 WHERE name = ?1", [name, &as_older(sql)]);
            assert_eq!(changed.expect("another definition"), 1);
        }
        drop(statement);
        drop(connection);
        assert_eq!(integrity(&file), ["ok"], "{} before SQLite 3.42", target.display());
    }
}

fn integrity(file: &Path) -> Vec<String> {
    let connection = Connection::open(file).expect("the file");
    let mut found = connection.prepare("PRAGMA integrity_check").expect("a check");
    found.query_map([], |row| row.get(0)).and_then(Iterator::collect).expect("what it finds")
}
