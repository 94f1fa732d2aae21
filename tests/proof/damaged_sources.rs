//! A SQLite file that is damaged is no source: no migration publishes what it has read of it, and no comparison calls it the same.

use crate::page_flips::{Damage, SCHEMA, kinds};
use crate::support::program::{describe as told, whimbrel};
use rusqlite::Connection;
use std::fs;
use std::path::{Path, PathBuf};
use whimbrel::harness::Seed;

fn run(words: &[&str], code: i32) -> String {
    let output = whimbrel(words);
    let said = told(&output);
    assert_eq!(output.status.code(), Some(code), "{words:?}\n{said}");
    said
}

/// A folder with a sound file and a copy of it.
struct Files(tempfile::TempDir);

impl Files {
    fn of(sql: &str) -> Files {
        let files = Files(tempfile::tempdir().expect("a folder"));
        Connection::open(files.path("sound.db")).and_then(|file| file.execute_batch(sql)).expect("the file");
        fs::copy(files.path("sound.db"), files.path("damaged.db")).expect("a copy");
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn word(&self, name: &str) -> String {
        self.path(name).to_str().expect("UTF-8").to_owned()
    }

    /// Runs statements on the damaged file, its definitions writable.
    fn damage(&self, statements: &[&str]) {
        for sql in statements {
            let file = Connection::open(self.path("damaged.db")).expect("the file");
            file.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false).expect("a setting");
            file.execute_batch(&format!("PRAGMA writable_schema = ON; PRAGMA ignore_check_constraints = ON; {sql}"))
                .unwrap_or_else(|error| panic!("{error}: {sql}"));
        }
    }
}

const TABLES: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT NOT NULL, n INTEGER UNIQUE);
    CREATE TABLE u (k TEXT PRIMARY KEY, t INTEGER REFERENCES t) WITHOUT ROWID;
    CREATE INDEX by_v ON t (v); CREATE INDEX by_t ON u (t DESC);
    WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 500) INSERT INTO t SELECT i, 'value ' || i, i FROM c;
    INSERT INTO u SELECT v, id FROM t;";

/// What reading the rows in their order does not show.
#[test]
fn what_the_rows_alone_do_not_tell_is_told() {
    let define = |sql: &str, name: &str| format!("UPDATE sqlite_schema SET sql = '{sql}' WHERE name = '{name}'");
    let cases: [(&str, Vec<String>, &str); 4] = [
        (
            "an index lacks a row",
            vec![
                define("CREATE INDEX by_v ON t (v) WHERE id <> 77", "by_v"),
                "REINDEX by_v".to_owned(),
                define("CREATE INDEX by_v ON t (v)", "by_v"),
            ],
            "row 77 missing from index by_v",
        ),
        (
            "an index of a table that is itself a tree",
            vec![
                define("CREATE INDEX by_t ON u (t DESC) WHERE t <> 5", "by_t"),
                "REINDEX by_t".to_owned(),
                define("CREATE INDEX by_t ON u (t DESC)", "by_t"),
            ],
            "by_t",
        ),
        (
            "a NULL where none may be",
            vec![
                "UPDATE sqlite_schema SET sql = replace(sql, 'TEXT NOT NULL', 'TEXT') WHERE name = 't'".to_owned(),
                "UPDATE t SET v = NULL WHERE id = 5".to_owned(),
                "UPDATE sqlite_schema SET sql = replace(sql, 'v TEXT', 'v TEXT NOT NULL') WHERE name = 't'".to_owned(),
            ],
            "NULL value in t.v",
        ),
        (
            "two rows with one key",
            vec![
                "UPDATE sqlite_schema SET sql = replace(sql, 'n INTEGER UNIQUE', 'n INTEGER') WHERE name = 't';
                 UPDATE sqlite_schema SET sql = 'CREATE INDEX was_unique ON t (n)', name = 'was_unique' WHERE name LIKE 'sqlite_autoindex_t%'"
                    .to_owned(),
                "UPDATE t SET n = 6 WHERE id = 5".to_owned(),
                "UPDATE sqlite_schema SET sql = replace(sql, 'n INTEGER', 'n INTEGER UNIQUE') WHERE name = 't';
                 UPDATE sqlite_schema SET sql = NULL, name = 'sqlite_autoindex_t_1' WHERE name = 'was_unique'"
                    .to_owned(),
            ],
            "non-unique entry in index sqlite_autoindex_t_1",
        ),
    ];
    for (name, statements, finding) in cases {
        let files = Files::of(TABLES);
        files.damage(&statements.iter().map(String::as_str).collect::<Vec<_>>());
        let [sound, damaged, target] = ["sound.db", "damaged.db", "target.db"].map(|name| files.word(name));
        for words in [vec!["migrate", &damaged, &target], vec!["migrate", &damaged, &target, "--verify", "paranoid"]] {
            if finding.starts_with("NULL") {
                // Rows that break a constraint are named by whoever is to take them.
                let said = run(&words, 3);
                assert!(said.contains("table `main.t`, row [5]: NOT NULL constraint failed: t.v"), "{name}: {said}");
                assert!(said.contains("the source's own definition says so"), "{name}: {said}");
                continue;
            }
            let said = run(&words, 1);
            assert!(said.contains("the file is damaged: ") && said.contains(finding), "{name}: {said}");
            assert!(said.contains(&format!("hint: `whimbrel check {damaged}` lists everything")), "{name}: {said}");
        }
        assert!(!files.path("target.db").exists(), "{name}");
        for (first, second, side) in
            [(&damaged, &sound, "integrity of the source: "), (&sound, &damaged, "\nintegrity: ")]
        {
            let said = run(&["verify", first, second], 1);
            assert!(said.contains(side) && said.contains(finding), "{name}: {said}");
        }
        // Who asks for less is told so.
        let said = run(&["verify", &damaged, &damaged, "--verify", "digest"], 0);
        assert!(said.contains("not checked: keys, constraints, indexes"), "{name}: {said}");
    }
    let files = Files::of(TABLES);
    let [sound, damaged, target] = ["sound.db", "damaged.db", "target.db"].map(|name| files.word(name));
    let said = run(&["migrate", &sound, &target], 0);
    assert!(said.contains("\nintegrity of the source: every page, row and index entry is in order\n"), "{said}");
    let said = run(&["verify", &sound, &damaged], 0);
    let looked = ["\nintegrity: every page", "\nintegrity of the source: every page"];
    assert!(looked.iter().all(|line| said.contains(line)), "{said}");
}

/// Damage of pages: a run ends with 1 or 3, or with what SQLite itself finds sound.
#[test]
fn no_damaged_page_is_published() {
    let files = Files::of(&format!("PRAGMA page_size = 1024; {SCHEMA}"));
    let bytes = fs::read(files.path("sound.db")).expect("the file");
    let kinds = kinds(&files.path("sound.db"), &bytes, 1024);
    let [sound, damaged, target] = ["sound.db", "damaged.db", "target.db"].map(|name| files.word(name));
    let mut refused = 0;
    let cases: u64 = std::env::var("WHIMBREL_CASES").map_or(24, |cases| cases.parse().expect("a number"));
    for case in 0..cases {
        let mut random = Seed(1).nth(case).random();
        let damage = Damage::draw(&kinds, &mut random);
        let mut changed = bytes.clone();
        damage.apply(&mut changed, 1024);
        if case % 8 == 7 {
            changed.truncate(1024 * (1 + random.below(kinds.len() as u64 - 1) as usize));
        }
        fs::write(&damaged, &changed).expect("the file");
        let is_sound = is_sound_to_sqlite(Path::new(&damaged));
        let migrated = whimbrel(&["migrate", &damaged, &target]);
        let compared = whimbrel(&["verify", &sound, &damaged]);
        let about = format!("case {case}, {damage:?}:\n{}\n{}", told(&migrated), told(&compared));
        let codes = [migrated, compared].map(|output| output.status.code().expect("a code"));
        assert!(codes.iter().all(|code| [0, 1, 3].contains(code)), "{about}");
        if !is_sound {
            assert!(!codes.contains(&0) && !Path::new(&target).exists(), "{about}");
            refused += 1;
        }
        // Of the next file nothing is there yet, whatever this one's header said of a log.
        for file in [&target, &damaged] {
            ["", "-wal", "-shm", "-journal"].iter().for_each(|end| drop(fs::remove_file(format!("{file}{end}"))));
        }
        let _ = fs::remove_dir_all(format!("{target}.whimbrel-backups"));
    }
    assert!(refused * 2 > cases, "{refused} of {cases} were damaged for SQLite");
}

fn is_sound_to_sqlite(path: &Path) -> bool {
    let ask = || -> rusqlite::Result<String> {
        let file = Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        file.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
    };
    ask().is_ok_and(|answer| answer == "ok")
}

/// Virtual tables are not rows that anybody but their module can read.
#[test]
fn virtual_tables_are_told() {
    const VIRTUAL: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'a');
        CREATE VIRTUAL TABLE words USING fts5 (body); INSERT INTO words VALUES ('one two');
        CREATE VIRTUAL TABLE places USING rtree (id, a, b); INSERT INTO places VALUES (1, 2, 3);";
    let files = Files::of(VIRTUAL);
    let [sound, damaged] = ["sound.db", "damaged.db"].map(|name| files.word(name));
    let told = "not checked: what virtual tables hold, which only their modules know: `words`, `places`";
    files.damage(&["DELETE FROM words"]);
    let said = run(&["verify", &sound, &damaged], 0);
    assert!(said.contains(told), "{said}");
    files.damage(&["DROP TABLE places; CREATE VIRTUAL TABLE places USING rtree (id, a, b, c, d)"]);
    let said = run(&["verify", &sound, &damaged], 1);
    assert!(said.contains("virtual table `places` is not defined in the target as it is in the source"), "{said}");
    files.damage(&["DROP TABLE places; DROP TABLE words"]);
    let said = run(&["verify", &sound, &damaged], 1);
    assert!(said.contains("virtual table `words` is missing in the target") && said.contains(told), "{said}");
    let said = run(&["verify", &damaged, &sound], 1);
    assert!(
        said.contains("virtual table `places` of the target is not in the source") && said.contains(told),
        "{said}"
    );
}

/// What only some application can compute is no damage: it is not looked at, and told.
#[test]
fn what_needs_an_application_is_no_damage() {
    let files = Files::of(
        "CREATE TABLE odd (id INTEGER PRIMARY KEY, v TEXT); CREATE TABLE other (id INTEGER PRIMARY KEY, w TEXT);
         CREATE INDEX by_w ON other (lower(w)); INSERT INTO odd VALUES (1, 'a'); INSERT INTO other VALUES (1, 'a')",
    );
    files.damage(&["UPDATE sqlite_schema SET sql = replace(sql, 'TEXT', 'TEXT COLLATE nobodys') WHERE name = 'odd';
         UPDATE sqlite_schema SET sql = replace(sql, 'lower', 'nobodys') WHERE name = 'by_w'"]);
    let [damaged, target] = ["damaged.db", "target.db"].map(|name| files.word(name));
    let said = run(&["migrate", &damaged, &target, "--exclude-table", "odd"], 0);
    assert!(said.contains("not checked: of the source, the structure of table `other`: "), "{said}");
    assert!(said.contains("index by_w on other: SQLite does not take it in a new file"), "{said}");
    let said = run(&["check", &damaged], 0);
    assert!(said.contains("not checked: the structure of table `other`: "), "{said}");
}
