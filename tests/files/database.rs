//! A SQLite file in a tree, edited through its rows: whatever the edits, its tables then say what the rows say, and everything else of
//! it is what it was.

use crate::trees::{content, run, text};
use rusqlite::Connection;
use rusqlite::types::Value;
use std::fs;
use std::path::Path;

const LAYOUT: &str = r#"
[[file]]
path = "state.db"
format = "sqlite"

[[file.records]]
at = "pairs[]"
table = "pairs"
key = ["a", "b"]
rest = "rest"
columns.a = { from = "a", type = "integer" }
columns.b = "b"

[[file.records]]
at = "numbered[]"
table = "numbered"
key = ["id"]
columns.id = { from = "id", type = "integer" }
columns.name = "name"
columns.score = { from = "score", type = "real" }
columns.at = { from = "at", type = "moment", spelled = "epoch-millis" }

[[file.records]]
at = "log[]"
table = "log"
key = ["place"]
columns.place = "@position"
columns.line = "line"
"#;

const FILE: &str = "
    CREATE TABLE pairs (a INTEGER, b TEXT, c REAL, d TEXT, PRIMARY KEY (b, a)) WITHOUT ROWID;
    CREATE TABLE numbered (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, score REAL, at INTEGER, blob BLOB DEFAULT x'01');
    CREATE TABLE log (line TEXT);
    CREATE TABLE unknown (x);
    CREATE TABLE watched (n INTEGER);
    CREATE TRIGGER watch AFTER UPDATE ON numbered BEGIN INSERT INTO watched VALUES (new.id); END;
    CREATE VIEW names AS SELECT name FROM numbered;
    INSERT INTO unknown VALUES (x'00'), (1.5), ('é');
    WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 9)
    INSERT INTO pairs SELECT n, 'b' || n % 3, n / 2.0, NULL FROM n;
    INSERT INTO numbered (id, name, score, at) VALUES (1, 'one', 0.1, 1752574210123), (2, 'two', NULL, NULL), (7, 'a \"quoted\" ä', -0.0, 0);
    UPDATE numbered SET blob = CAST('b' || id AS BLOB); DELETE FROM watched;
    INSERT INTO log VALUES ('same'), ('same'), (NULL), ('other');";

/// Edits of rows, as a program makes them; each is written so that the layout can tell it.
const EDITS: [&str; 16] = [
    // Two rows exchange what no two have the same of, alone and with a third.
    "UPDATE numbered SET name = CASE id WHEN 1 THEN 'two' WHEN 2 THEN 'one' ELSE name END WHERE id < 7",
    "UPDATE numbered SET name = CASE id WHEN 1 THEN 'two' WHEN 2 THEN 'third' ELSE 'one' END WHERE id < 8",
    "UPDATE numbered SET name = name || '!' WHERE id = 1",
    "UPDATE numbered SET score = 3 WHERE id = 2",
    "UPDATE numbered SET score = NULL, at = NULL WHERE id = 7",
    // What one row gives up another takes: a column that no two have the same of.
    "UPDATE numbered SET name = 'taken' WHERE id = 1; DELETE FROM numbered WHERE id = 2",
    "INSERT INTO numbered (id, name, score) VALUES (40, 'forty', 4e10)",
    "DELETE FROM numbered",
    "UPDATE pairs SET rest = json_set(rest, '$.c', 9.25) WHERE a > 4",
    "UPDATE pairs SET a = a + 100 WHERE a % 2 = 1",
    "DELETE FROM pairs WHERE a < 5",
    "INSERT INTO pairs (a, b, rest) VALUES (1000, 'new', '{\"c\":1.5,\"d\":\"x\"}')",
    "UPDATE log SET line = 'edited' WHERE place = 1",
    // Rows without a key are known by their order: what stands elsewhere, too, must not change it.
    "UPDATE log SET line = 'other' WHERE place = 0",
    "DELETE FROM log WHERE place = (SELECT max(place) FROM log); UPDATE log SET line = 'last' WHERE place = 0",
    "INSERT INTO log (place, line) SELECT count(*), 'behind' FROM log",
];

fn rows(file: &Path, sql: &str) -> Vec<Vec<Value>> {
    let file = Connection::open(file).expect("a file");
    let mut all = file.prepare(sql).expect("a query");
    let width = all.column_count();
    let all = all.query_map([], |row| (0..width).map(|place| row.get(place)).collect()).expect("rows");
    all.collect::<Result<_, _>>().expect("rows")
}

#[test]
fn edited_rows_are_the_rows_of_the_file() {
    let folder = crate::support::memory::tempdir().expect("a folder");
    let [project, tree, made] = ["project", "tree", "made.db"].map(|name| folder.path().join(name));
    fs::create_dir(&project).expect("a project");
    fs::create_dir(&tree).expect("a tree");
    fs::write(project.join("project.toml"), "name = 'database'\n").expect("a project");
    fs::write(project.join("layout.toml"), LAYOUT).expect("a layout");
    let state = tree.join("state.db");
    Connection::open(&state).expect("a database").execute_batch(FILE).expect("tables");
    run(&["migrate", text(&project), text(&tree), text(&made)], 0);
    let mut state_of = 7_u64;
    let mut next = |below: usize| {
        state_of = state_of.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state_of >> 33).expect("a number") % below
    };
    for case in 0..24 {
        let [edited, out] = [format!("edited{case}.db"), format!("out{case}")].map(|name| folder.path().join(name));
        fs::copy(&made, &edited).expect("a copy");
        // Each alone, then several.
        let edits: Vec<&str> = match EDITS.get(case) {
            Some(edit) => vec![edit],
            None => (0..2 + next(3)).map(|_| EDITS[next(EDITS.len())]).collect(),
        };
        let connection = Connection::open(&edited).expect("the copy");
        for edit in &edits {
            // The same row twice is nobody's edit.
            let _ = connection
                .execute_batch(&format!("SAVEPOINT s; {edit}; RELEASE s"))
                .or_else(|_| connection.execute_batch("ROLLBACK TO s; RELEASE s"));
        }
        drop(connection);
        run(&["migrate", text(&edited), &format!("{}/", text(&out))], 0);
        let (state, edited) = (out.join("state.db"), edited.as_path());
        let same = |of_file: &str, of_rows: &str| assert_eq!(rows(&state, of_file), rows(edited, of_rows), "{edits:?}");
        same(
            "SELECT a, b, c, d FROM pairs ORDER BY a, b",
            "SELECT a, b, rest ->> 'c', rest ->> 'd' FROM pairs ORDER BY a, b",
        );
        same("SELECT id, name, score FROM numbered ORDER BY id", "SELECT id, name, score FROM numbered ORDER BY id");
        same("SELECT line FROM log ORDER BY rowid", "SELECT line FROM log ORDER BY place");
        assert_eq!(rows(&state, "PRAGMA integrity_check"), [[Value::Text("ok".into())]]);
        let blobs = "SELECT id, blob FROM numbered WHERE id < 8 ORDER BY id";
        for row in rows(&state, blobs) {
            assert!(rows(&tree.join("state.db"), blobs).contains(&row), "{edits:?}: {row:?}");
        }
        // No trigger ran, and nothing that the layout does not take was touched.
        assert_eq!(rows(&state, "SELECT count(*) FROM watched"), [[Value::Integer(0)]], "{edits:?}");
        for untouched in ["SELECT * FROM unknown", "SELECT type, name, tbl_name, sql FROM sqlite_schema"] {
            assert_eq!(rows(&state, untouched), rows(&tree.join("state.db"), untouched), "{edits:?}");
        }
        let again = folder.path().join(format!("again{case}.db"));
        run(&["migrate", text(&project), text(&out), text(&again)], 0);
        for table in ["pairs", "numbered", "log"] {
            let sql = format!("SELECT * FROM {table} ORDER BY 1, 2");
            assert_eq!(rows(&again, &sql), rows(edited, &sql), "{edits:?}");
        }
    }
    // Nothing was edited: the same bytes.
    let out = folder.path().join("same");
    run(&["migrate", text(&made), &format!("{}/", text(&out))], 0);
    assert_eq!(content(&out), content(&tree));
}

#[test]
fn rows_that_the_file_refuses_are_named() {
    let folder = crate::support::memory::tempdir().expect("a folder");
    let [project, tree, made] = ["project", "tree", "made.db"].map(|name| folder.path().join(name));
    fs::create_dir(&project).expect("a project");
    fs::create_dir(&tree).expect("a tree");
    fs::write(project.join("project.toml"), "name = 'database'\n").expect("a project");
    fs::write(project.join("layout.toml"), LAYOUT).expect("a layout");
    Connection::open(tree.join("state.db")).expect("a database").execute_batch(FILE).expect("tables");
    run(&["migrate", text(&project), text(&tree), text(&made)], 0);
    let out = folder.path().join("out");
    for (edit, said) in [
        ("UPDATE numbered SET name = 'one'", "UNIQUE constraint failed: numbered.name"),
        ("INSERT INTO pairs (a, b, rest) VALUES (1, 'x', '{\"nowhere\":1}')", "no column `nowhere`"),
        ("DELETE FROM log WHERE place = 0", "place"),
    ] {
        let edited = folder.path().join("edited.db");
        fs::copy(&made, &edited).expect("a copy");
        Connection::open(&edited).expect("the copy").execute_batch(edit).expect("an edit");
        let said_as = run(&["migrate", text(&edited), &format!("{}/", text(&out))], 3);
        assert!(said_as.contains("state.db") && said_as.contains(said), "`{said}` is not in {said_as}");
        assert!(!out.exists());
    }
    // Tables that the file has not: a layout may tell of more than there is.
    fs::remove_file(tree.join("state.db")).expect("no file");
    Connection::open(tree.join("state.db"))
        .expect("a database")
        .execute_batch("CREATE TABLE other (x)")
        .expect("a table");
    run(&["migrate", text(&project), text(&tree), text(&made)], 0);
    Connection::open(&made).expect("the file").execute_batch("INSERT INTO log VALUES (0, 'x')").expect("a row");
    let said = run(&["migrate", text(&made), &format!("{}/", text(&out))], 3);
    assert!(said.contains("the file has no table `log`"), "{said}");
}
