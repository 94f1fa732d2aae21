//! A SQLite file as the source of a migration: definitions as they stand, every value, what cannot go is listed.

use crate::support::program::{ask, database, describe as told, whimbrel};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::process::Output;

/// One of everything that a file can have, with values that their columns are not for.
const AWKWARD: &str = "
    CREATE TABLE owners (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL COLLATE NOCASE UNIQUE, -- a comment
      weight DECIMAL(10, 2), born DATETIME DEFAULT CURRENT_TIMESTAMP, photo BLOB, best INTEGER REFERENCES notes (id),
      CHECK (length(name) < 100));
    CREATE TABLE notes (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL REFERENCES owners ON DELETE CASCADE, line, n INT,
      twice INTEGER GENERATED ALWAYS AS (n * 2) STORED);
    CREATE TABLE \"odd name\" (\"a b\" ANY, \"c\"\"d\" TEXT, PRIMARY KEY (\"a b\", \"c\"\"d\")) STRICT, WITHOUT ROWID;
    CREATE TABLE keyless (x REAL, y);
    CREATE TABLE nulls (k TEXT PRIMARY KEY);
    CREATE VIRTUAL TABLE found USING fts5(line, content='notes', content_rowid='id');
    CREATE VIRTUAL TABLE own_text USING fts5(body);
    CREATE INDEX by_line ON notes (lower(line), n DESC) WHERE n > 3;
    CREATE UNIQUE INDEX by_owner ON notes (owner, id);
    CREATE VIEW totals AS SELECT owner, sum(n) AS total FROM notes GROUP BY owner;
    CREATE VIEW grand AS SELECT sum(total) AS total FROM totals;
    CREATE TRIGGER on_note AFTER INSERT ON notes BEGIN UPDATE owners SET weight = weight + 1 WHERE id = new.owner; END;
    CREATE TRIGGER on_body AFTER INSERT ON keyless BEGIN INSERT INTO own_text VALUES (new.y); END;
    CREATE TRIGGER on_total INSTEAD OF INSERT ON totals BEGIN INSERT INTO notes (owner, n) VALUES (new.owner, new.total); END;
    INSERT INTO owners (id, name, weight, born, photo) VALUES (1, 'Ada', 1.5, '2026-01-01', x'00ff'),
      (2, 'naïve', 'many', 1735689600, 'text in a blob'), (7, '', 3, NULL, NULL), (9, 'z' || char(0) || 'z', x'01', 9e99, 5);
    DELETE FROM owners WHERE id = 9;
    UPDATE sqlite_sequence SET seq = 4711 WHERE name = 'owners';
    INSERT INTO notes (id, owner, line, n) SELECT value, 1 + value % 2, 'line ' || value, value FROM generate(60);
    INSERT INTO notes (id, owner, line, n) VALUES (9223372036854775807, 7, x'c3', 'word'), (-5, 7, 7.0, 1.5);
    UPDATE owners SET best = 3 WHERE id = 1;
    INSERT INTO \"odd name\" VALUES (1, 'a'), ('1', 'a'), (1.5, ''), (x'31', 'a');
    INSERT INTO keyless VALUES (1, 1), (1, 1), (-0.0, 'x'), (NULL, NULL), (1e300, 0);
    INSERT INTO nulls VALUES (NULL), (NULL), ('a');
    INSERT INTO found (found) VALUES ('rebuild');
    PRAGMA user_version = 42; PRAGMA application_id = 77;";

fn file(path: PathBuf, pragmas: &str, sql: &str) -> PathBuf {
    let connection = Connection::open(&path).expect("a file");
    let numbers = "(WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 60) SELECT value FROM n)";
    connection.execute_batch(&format!("{pragmas};{}", sql.replace("generate(60)", numbers))).expect("a schema");
    path
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn run(words: &[&str], code: i32) -> String {
    let output: Output = whimbrel(words);
    let said = told(&output);
    assert_eq!(output.status.code(), Some(code), "{words:?}\n{said}");
    said
}

pub fn column(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).expect("rows");
    rows.map(|row| row.expect("a row")).collect()
}

/// Every definition but what is whimbrel's own.
fn definitions(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).expect("a file");
    column(
        &connection,
        "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND tbl_name NOT LIKE '\\_whimbrel%' ESCAPE '\\'
           AND name NOT LIKE 'sqlite%' ORDER BY name",
    )
}

/// Every value of every table as SQLite itself writes it, with its class.
pub fn values(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).expect("a file");
    let tables = column(
        &connection,
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE '\\_whimbrel%' ESCAPE '\\'
           AND name NOT LIKE 'sqlite\\_s%' ESCAPE '\\' ORDER BY name",
    );
    let mut all = Vec::new();
    for table in tables {
        // Of a text its bytes, which need be no UTF-8.
        let list = format!(
            "SELECT group_concat(replace('typeof(#) || quote(iif(typeof(#) = ''text'', CAST(# AS BLOB), #))', '#',
               '\"' || replace(name, '\"', '\"\"') || '\"'), ' || '','' || ')
             FROM pragma_table_xinfo('{table}')"
        );
        let cells = column(&connection, &list).remove(0);
        let mut rows = column(&connection, &format!("SELECT {cells} FROM \"{table}\""));
        rows.sort();
        all.push(format!("{table}: {}", rows.join("\n")));
    }
    all.extend(column(&connection, "SELECT name || ' ' || seq FROM sqlite_sequence ORDER BY name"));
    for pragma in ["user_version", "application_id", "encoding", "auto_vacuum"] {
        all.extend(column(&connection, &format!("SELECT '{pragma} ' || {pragma} FROM pragma_{pragma}")));
    }
    all
}

#[test]
fn a_file_becomes_the_same_file_with_proof_and_can_be_taken_back() {
    for pragmas in ["", "PRAGMA encoding = 'UTF-16le'; PRAGMA auto_vacuum = FULL"] {
        let folder = crate::support::memory::tempdir().expect("a folder");
        let source = file(folder.path().join("a.db"), pragmas, AWKWARD);
        let target = file(folder.path().join("b.db"), "", "CREATE TABLE old (x)");
        let (a, b) = (text(&source), text(&target));
        let (before, old) =
            (std::fs::read(&source).expect("the source"), std::fs::read(&target).expect("the old file"));

        let plan = run(&["plan", a, b], 0);
        assert!(plan.contains("own_text: only its module knows what it holds"), "{plan}");
        assert!(plan.contains("on_body on keyless: it needs what is left out"), "{plan}");
        assert!(!plan.contains("new rowids"), "every table counts from 1: {plan}");
        let dry = run(&["migrate", a, b, "--dry-run"], 0);
        assert!(dry.contains("dry run: everything was done but publish"), "{dry}");
        assert_eq!(std::fs::read(&target).expect("the old file"), old);
        assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 2, "nothing is left beside it");

        run(&["migrate", a, b], 0);
        assert_eq!(std::fs::read(&source).expect("the source"), before, "the source is only read");
        let mut expected = definitions(&source);
        expected.retain(|sql| !sql.contains("own_text"));
        assert_eq!(definitions(&target), expected);
        let expected: Vec<String> =
            values(&source).into_iter().filter(|table| !table.starts_with("own_text")).collect();
        assert_eq!(values(&target), expected);
        let found: i64 = Connection::open(&target)
            .and_then(|file| {
                file.query_row("SELECT count(*) FROM found WHERE found MATCH 'line'", [], |row| row.get(0))
            })
            .expect("full text");
        assert_eq!(found, 60);
        for (words, lacks) in
            [(["verify", a, b], "is missing in the target"), (["verify", b, a], "of the target is not in the source")]
        {
            let said = run(&words, 1);
            assert!(
                said.contains("the schema differs (1):") && said.contains(&format!("virtual table `own_text` {lacks}")),
                "{said}"
            );
            assert!(
                said.contains("what virtual tables hold, which only their modules know: `found`, `own_text`"),
                "{said}"
            );
        }
        run(&["check", b, "--unchanged"], 0);

        // And once more, from the file that knows where it came from.
        let third = folder.path().join("c.db");
        run(&["migrate", b, text(&third), "--verify", "paranoid"], 0);
        assert_eq!(values(&third), expected);
        run(&["verify", a, text(&third)], 1);
        run(&["verify", b, text(&third)], 0);
        let count =
            |path: &Path| Connection::open(path).expect("a file").execute("DELETE FROM keyless WHERE y = 0", []);
        assert_eq!(count(&third), Ok(1));
        let said = run(&["verify", b, text(&third)], 1);
        assert!(said.contains("keyless"), "{said}");

        run(&["rollback", b], 0);
        assert_eq!(std::fs::read(&target).expect("the old file"), old, "the old file, byte for byte");
    }
}

#[test]
fn what_is_left_out_takes_along_what_needs_it_and_is_told() {
    let folder = crate::support::memory::tempdir().expect("a folder");
    let source = file(folder.path().join("a.db"), "", AWKWARD);
    let (a, target) = (text(&source), folder.path().join("b.db"));
    let b = text(&target);
    let said = run(&["migrate", a, b, "--exclude-table", "notes"], 2);
    assert!(said.contains("main.owners: it refers to `main.notes`, which is left out"), "{said}");
    let said =
        run(&["migrate", a, b, "--table", "keyless", "--table", "nulls", "--table", "grand", "--table", "totals"], 0);
    for told in [
        "index by_line on notes: its table is not carried",
        "trigger on_note on notes: its table is not carried",
        "view totals: it needs what is left out",
        "view grand: it needs what is left out",
        "trigger on_body on keyless: it needs what is left out",
        "virtual table found: its table is not carried",
        "table main.owners: not chosen by `--table`",
    ] {
        assert!(said.contains(told), "`{told}` is not in {said}");
    }
    let connection = Connection::open(&target).expect("a file");
    let names = column(
        &connection,
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY 1",
    );
    assert_eq!(names.iter().filter(|name| !name.starts_with("sqlite")).collect::<Vec<_>>(), ["keyless", "nulls"]);
    drop(connection);
    let said = run(&["migrate", a, b, "--exclude-table", "nobody"], 2);
    assert!(said.contains("`--exclude-table` `nobody`: it matches nothing in the source"), "{said}");
    let project = folder.path().join("project");
    std::fs::create_dir(&project).expect("a folder");
    std::fs::write(
        project.join("project.toml"),
        "[source]\nurl = '../a.db'\n[tables]\nexclude_objects = ['by_line', 'grand']\n",
    )
    .expect("a project");
    let said = run(&["migrate", text(&project), b], 0);
    assert!(
        said.contains("by_line on notes: excluded by name") && said.contains("view grand: excluded by name"),
        "{said}"
    );
}

#[test]
fn a_file_that_was_made_keeps_the_types_of_its_first_source() {
    let database = database(
        "CREATE SCHEMA other; CREATE TYPE mood AS ENUM ('good', 'bad');
         CREATE TABLE \"Kept\" (id serial PRIMARY KEY, at timestamptz, price numeric(30, 4), ok boolean, doc jsonb, x float8, m mood);
         CREATE TABLE other.gone (id integer); CREATE TABLE other.stays (\"Id\" integer PRIMARY KEY, \"id\" text);
         CREATE VIEW good AS SELECT id FROM \"Kept\" WHERE ok;
         INSERT INTO \"Kept\" (at, price, ok, doc, x, m) SELECT '2020-01-01 00:00:00.123456+00'::timestamptz + n * interval '1 day',
           n / 3.0, n % 2 = 0, '{\"a\": [1.10, 2]}', CASE WHEN n % 10 = 0 THEN 'NaN' ELSE -0.0 END, 'bad' FROM generate_series(1, 40) AS n;
         INSERT INTO other.stays VALUES (1, 'a'), (2, NULL)",
    );
    let url = database.url();
    let folder = crate::support::memory::tempdir().expect("a folder");
    let [first, second, third] = ["a.db", "b.db", "c.db"].map(|name| folder.path().join(name));
    let rules = ["--rule", "numeric=decimal-text", "--rule", "Kept.at=epoch-micros", "--exclude-table", "other.gone"];
    run(&[&["migrate", &url, text(&first)], &rules[..]].concat(), 0);
    run(&["migrate", text(&first), text(&second)], 0);
    assert_eq!((definitions(&first), values(&first)), (definitions(&second), values(&second)));
    for side in [&first, &second] {
        run(&["verify", &url, text(side)], 0);
    }
    run(&["verify", text(&first), text(&second)], 0);
    run(&["check", text(&second), "--unchanged"], 0);

    // What has come into the file since goes along, and what the server has else is found.
    let change = "CREATE TABLE added (a TEXT, b DATE); INSERT INTO added VALUES ('x', '2026-01-01'), (NULL, 7);
                  ALTER TABLE \"Kept\" ADD COLUMN later TEXT DEFAULT 'none'; CREATE INDEX by_later ON \"Kept\" (later)";
    Connection::open(&second).expect("a file").execute_batch(change).expect("a change");
    run(&["migrate", text(&second), text(&third)], 0);
    assert_eq!((definitions(&second), values(&second)), (definitions(&third), values(&third)));
    run(&["verify", text(&second), text(&third)], 0);
    ask(&url, "UPDATE other.stays SET id = 'b' WHERE \"Id\" = 1");
    let said = run(&["verify", &url, text(&first)], 1);
    assert!(said.contains("other.stays"), "{said}");
}

#[test]
fn what_cannot_be_an_endpoint_says_what_can() {
    let folder = crate::support::memory::tempdir().expect("a folder");
    let source = file(folder.path().join("a.db"), "", "CREATE TABLE t (x)");
    let notes = folder.path().join("notes.txt");
    std::fs::write(&notes, "CREATE TABLE t (x);\n".repeat(50)).expect("a text");
    let (a, b) = (text(&source), folder.path().join("b.db"));
    for (words, code, part) in [
        (&["migrate", a, a][..], 2, "it is the source itself"),
        (&["plan", "dump:nowhere.sql"], 2, "there is no such file or folder"),
        (&["migrate", a, "dump:app.sql"], 2, "no dump is written"),
        (&["migrate", text(&notes), text(&b)], 3, "it is not a SQLite database"),
        (&["migrate", text(folder.path()), text(&b)], 2, "no project says what they mean"),
        (&["migrate", "nowhere.db", text(&b)], 2, "there is no such file or folder"),
        (&["migrate", a], 2, "no target is given"),
        (&["migrate", a, text(&b), "c.db"], 2, "the first is no project"),
        (&["migrate", a, "postgres://localhost/x"], 2, "the source was not made from a PostgreSQL database"),
    ] {
        let said = run(words, code);
        assert!(said.contains(part), "{words:?}: {said}");
    }
    assert!(!b.exists());
    run(&["migrate", a, &format!("sqlite:{}", text(&b))], 0);
    assert!(b.is_file());
}

#[test]
fn rowids_that_a_new_file_does_not_keep_are_told() {
    let folder = crate::support::memory::tempdir().expect("a folder");
    let source = file(
        folder.path().join("a.db"),
        "",
        "CREATE TABLE gaps (v TEXT); CREATE TABLE none (v TEXT); CREATE TABLE own (id INTEGER PRIMARY KEY, v TEXT);
         CREATE TABLE downwards (id INTEGER PRIMARY KEY DESC, v TEXT); CREATE TABLE key (k TEXT PRIMARY KEY, v) WITHOUT ROWID;
         CREATE TABLE hidden (rowid, oid, _rowid_); CREATE TABLE empty (v);
         CREATE VIEW numbered AS SELECT RowId AS n, v FROM gaps; CREATE VIEW plain AS SELECT v FROM gaps;
         CREATE TRIGGER log AFTER DELETE ON gaps BEGIN INSERT INTO none VALUES (old._rowid_); END;
         INSERT INTO gaps VALUES ('a'), ('b'), ('c'); INSERT INTO none VALUES ('a'), ('b'); INSERT INTO own VALUES (5, 'a'), (9, 'b');
         INSERT INTO downwards (rowid, id) VALUES (7, 1); INSERT INTO key VALUES ('a', 1); INSERT INTO hidden VALUES (1, 2, 3);
         DELETE FROM gaps WHERE v = 'b'; DELETE FROM none WHERE v = 'a'; INSERT INTO none (rowid, v) VALUES (1, 'z');",
    );
    let plan = run(&["plan", text(&source), "new.db"], 0);
    assert!(plan.contains("to know (2):"), "{plan}");
    let told = |object: &str, end: &str| {
        let wanted = format!(
            "  {object}: its rows get new rowids, from 1 on, because no INTEGER PRIMARY KEY keeps them: a rowid that is \
                              noted elsewhere means another row then{end}\n"
        );
        assert!(plan.contains(&wanted), "{wanted}{plan}");
    };
    told("main.gaps", "; view `numbered`, trigger `log` read rowids");
    told("main.downwards", "");
    let target = folder.path().join("b.db");
    run(&["migrate", text(&source), text(&target)], 0);
    let numbered = column(&Connection::open(&target).expect("a file"), "SELECT n || v FROM numbered ORDER BY n");
    assert_eq!(numbered, ["1a", "2c"]);
}
