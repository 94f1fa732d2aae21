//! What a reader with bad intentions has tried: files that say what is not so, and rows that look like one another.

use crate::support::program::{database, describe as told, whimbrel};
use rusqlite::Connection;
use std::fs;
use std::path::{Path, PathBuf};

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file with that content, and its path as a word.
    fn file(&self, name: &str, sql: &str) -> String {
        let path = self.path(name);
        Connection::open(&path).expect("a file").execute_batch(sql).unwrap_or_else(|error| panic!("{error}\n{sql}"));
        word(&path)
    }

    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.0.path()).expect("the folder").map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

fn word(path: &Path) -> String {
    path.to_str().expect("UTF-8").to_owned()
}

fn run(words: &[&str], code: i32) -> String {
    let output = whimbrel(words);
    let said = told(&output);
    assert_eq!(output.status.code(), Some(code), "{words:?}\n{said}");
    said
}

/// SQLite drops CHECKs from a schema that it reads over a connection which may not write.
#[test]
fn checks_are_asked_in_every_journal_mode_and_while_others_have_the_file_open() {
    let place = Place::new();
    let many = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 90000)";
    for mode in ["delete", "truncate", "persist", "wal"] {
        for (size, rows) in [("small", ""), ("large", many)] {
            for is_open in [false, true] {
                let name = format!("{mode}-{size}-{is_open}.db");
                let fill = match rows {
                    "" => String::new(),
                    many => format!("{many} INSERT INTO t SELECT 1, hex(randomblob(40)) FROM n;"),
                };
                let file = place.file(
                    &name,
                    &format!(
                        "PRAGMA journal_mode = {mode}; CREATE TABLE t (n INTEGER CHECK (n < 5), x TEXT); {fill}
                         PRAGMA ignore_check_constraints = ON; INSERT INTO t VALUES (99, '')"
                    ),
                );
                let holder = is_open.then(|| {
                    let holder = Connection::open(&file).expect("the file");
                    holder.execute_batch("UPDATE t SET n = 98 WHERE n = 99").expect_err("it is checked here");
                    holder.execute_batch("CREATE TABLE u (a)").expect("a change");
                    holder
                });
                let before = place.names();
                let said = run(&["check", &file], 1);
                assert!(said.contains("CHECK constraint failed in t"), "{name}\n{said}");
                assert_eq!(place.names(), before, "reading leaves nothing and takes nothing away");
                drop(holder);
            }
        }
    }
}

#[test]
fn an_expression_that_fails_is_a_finding_with_its_table() {
    let place = Place::new();
    let file = place.file(
        "app.db",
        "CREATE TABLE fine (a); CREATE TABLE bad (a TEXT CHECK (json_type(a) = 'array')); CREATE TABLE other (n CHECK (n < 5));
         PRAGMA ignore_check_constraints = ON; INSERT INTO bad VALUES ('{'); INSERT INTO other VALUES (9)",
    );
    let said = run(&["check", &file], 1);
    assert!(said.contains("table `bad`") && said.contains("malformed JSON"), "{said}");
    assert!(said.contains("CHECK constraint failed in other"), "the rest is told as well\n{said}");
}

#[test]
fn a_file_whose_metadata_was_changed_is_no_source() {
    let place = Place::new();
    let database = database(
        "CREATE TABLE t (id int PRIMARY KEY, ts timestamp(0), f float8); INSERT INTO t VALUES (1, '2020-01-01', 'NaN')",
    );
    let (file, copy) = (word(&place.path("a.db")), word(&place.path("b.db")));
    run(&["migrate", &database.url(), &file], 0);
    run(&["migrate", &file, &copy], 0);
    let whole = fs::read(&file).expect("the file");
    for sql in [
        "UPDATE _whimbrel_manifest SET value = replace(value, 'timestamp(0)', 'timestamp(3)') WHERE name = 'catalog'",
        "DELETE FROM _whimbrel_ledger",
        "UPDATE _whimbrel_ledger SET exact = '5'",
        "UPDATE _whimbrel_tables SET rows = 7",
        "DROP TABLE _whimbrel_ledger",
    ] {
        fs::write(&file, &whole).expect("the file");
        Connection::open(&file).expect("the file").execute_batch(sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
        let target = word(&place.path("never.db"));
        let said = run(&["migrate", &file, &target], 1);
        assert!(
            said.contains("its own record does not fit it") && said.contains("hint: `whimbrel check"),
            "{sql}\n{said}"
        );
        assert!(!place.path("never.db").exists(), "{sql}");
        run(&["verify", &file, &copy], 1);
    }
    // What users do is no damage.
    fs::write(&file, &whole).expect("the file");
    Connection::open(&file)
        .expect("the file")
        .execute_batch("INSERT INTO t VALUES (2, NULL, 1); CREATE TABLE u (a)")
        .expect("rows");
    run(&["migrate", &file, &word(&place.path("c.db"))], 0);
}

#[test]
fn a_file_that_was_made_of_a_file_by_short_names_is_verified_by_the_server() {
    let place = Place::new();
    let database = database(
        "CREATE TABLE t (id int PRIMARY KEY, n numeric(20,2), x int); INSERT INTO t VALUES (1, 2.50, 3); CREATE TABLE u (a int)",
    );
    fs::write(
        place.path("project.toml"),
        format!("[source]\nurl = \"{}\"\n[names]\n\"t.x\" = \"y\"\n\"t\" = \"things\"\n", database.url()),
    )
    .expect("a project");
    for (number, choices) in
        [vec!["--rule", "t.n=decimal-real"], vec!["--rule", "t.n=decimal-real", "--exclude-table", "u"]]
            .iter()
            .enumerate()
    {
        let [first, second] = ["a", "b"].map(|name| word(&place.path(&format!("{name}{number}.db"))));
        let url = database.url();
        let words: Vec<&str> = [&["migrate", &url, &first], choices.as_slice()].concat();
        run(&words, 0);
        run(&["migrate", &first, &second], 0);
        run(&["verify", &database.url(), &second], 0);
        run(&["verify", &first, &second], 0);
    }
    let [project, first, second] = ["", "named.db", "again.db"].map(|name| word(&place.path(name)));
    run(&["migrate", &project, &database.url(), &first], 0);
    run(&["migrate", &first, &second], 0);
    run(&["verify", &database.url(), &second], 0);
}

/// Rows whose keys look alike when they are cut, have NULLs, or are not unique: each is counted, and shown with its own values.
#[test]
fn rows_are_known_by_the_whole_of_their_key() {
    let place = Place::new();
    let cases: &[(&str, &str, &str, [u64; 3])] = &[
        (
            "CREATE TABLE t (x TEXT PRIMARY KEY, y INT); INSERT INTO t SELECT printf('%.300c', 'a') || value, value FROM json_each('[1,2,3]')",
            "UPDATE t SET y = 99 WHERE y = 1; DELETE FROM t WHERE y = 2; INSERT INTO t VALUES (printf('%.300c', 'a') || 7, 7)",
            "`y`: source `1`, target `99`",
            [1, 1, 1],
        ),
        (
            "CREATE TABLE t (x TEXT PRIMARY KEY, y INT); INSERT INTO t VALUES (NULL, 1), (NULL, 2), (NULL, 3)",
            "DELETE FROM t WHERE y = 3; INSERT INTO t VALUES (NULL, 4), (NULL, 5)",
            "[null]",
            [0, 1, 2],
        ),
        (
            "CREATE TABLE t (x TEXT); INSERT INTO t SELECT printf('%.300c', 'a') || value FROM json_each('[1,2,3]')",
            "UPDATE t SET x = x || '!' WHERE x LIKE '%1'",
            "missing",
            [0, 1, 1],
        ),
        (
            "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT, v); INSERT INTO t VALUES (1, printf('%.400c', 'a') || 'left', 1), (2, 'b', 1)",
            "UPDATE t SET x = printf('%.400c', 'a') || 'right' WHERE id = 1; UPDATE t SET v = 1.0 WHERE id = 2",
            "left",
            [2, 0, 0],
        ),
    ];
    for (sql, change, shown, counts) in cases {
        let first = place.file("first.db", sql);
        let second = place.file("second.db", &format!("{sql}; {change}"));
        let said = run(&["verify", &first, &second], 1);
        assert!(said.contains(shown), "{sql}\n{said}");
        let json = run(&["verify", &first, &second, "--json"], 1);
        for (name, count) in ["changed", "missing", "surplus"].iter().zip(counts) {
            assert!(json.contains(&format!("\"{name}\":{count}")), "{name} {count}: {sql}\n{json}");
        }
        if said.contains("`v`") {
            assert!(said.contains("1 (INTEGER)") && said.contains("1.0 (REAL)"), "{said}");
            assert!(said.contains("right"), "{said}");
        }
        fs::remove_file(first).expect("the file");
        fs::remove_file(second).expect("the file");
    }
}

#[test]
fn a_key_over_fewer_columns_is_another_key() {
    let place = Place::new();
    let first =
        place.file("first.db", "CREATE TABLE t (x INT PRIMARY KEY, y INT); INSERT INTO t VALUES (1, 1), (2, 2)");
    let second = place.file(
        "second.db",
        "CREATE TABLE t (x INT, y INT, PRIMARY KEY (x, y)); INSERT INTO t VALUES (1, 1), (1, 5), (2, 3)",
    );
    let said = run(&["verify", &first, &second], 1);
    assert!(said.contains("1 missing") && said.contains("2 in the target only"), "{said}");
}

#[test]
fn a_table_of_somebody_elses_with_our_prefix_is_listed() {
    let place = Place::new();
    let first = place.file(
        "first.db",
        "CREATE TABLE _whimbrel_notes (a); INSERT INTO _whimbrel_notes VALUES (1); CREATE TABLE t (a); CREATE INDEX _whimbrel_i ON t (a)",
    );
    let said = run(&["migrate", &first, &word(&place.path("second.db"))], 0);
    assert!(said.contains("_whimbrel_notes") && said.contains("_whimbrel_i"), "{said}");
}
