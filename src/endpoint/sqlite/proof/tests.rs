//! What is proven of files of every shape, and what is not once something is wrong.

use super::*;
use crate::endpoint::sqlite::read::open;
use std::path::PathBuf;

/// Every kind of index and reference that SQLite knows by itself.
const RICH: &str = r#"
CREATE TABLE parents (id INTEGER PRIMARY KEY, code TEXT NOT NULL COLLATE NOCASE UNIQUE, a INT, b TEXT, UNIQUE (b, a));
CREATE TABLE words (word TEXT, lang TEXT, note, PRIMARY KEY (lang DESC, word)) WITHOUT ROWID;
CREATE INDEX words_note ON words (note, lang);
CREATE TABLE "od""d" (
  rowid TEXT, n REAL, x ANY, doc TEXT, flag, parent INTEGER REFERENCES parents, code TEXT REFERENCES parents (code),
  b TEXT, a INT, self INTEGER REFERENCES "od""d" (u), u INTEGER UNIQUE, word TEXT, lang TEXT,
  made TEXT GENERATED ALWAYS AS (doc || '!') VIRTUAL, kept TEXT GENERATED ALWAYS AS (upper(doc)) STORED,
  FOREIGN KEY (a, b) REFERENCES parents (a, b), FOREIGN KEY (word, lang) REFERENCES words (word, lang)
);
CREATE INDEX i_real ON "od""d" (n DESC, x);
CREATE INDEX i_nocase ON "od""d" (doc COLLATE NOCASE, rowid COLLATE RTRIM DESC);
CREATE INDEX i_partial ON "od""d" (flag) WHERE flag IS NOT NULL AND doc <> 'a (';
CREATE INDEX "i expr" ON "od""d" (lower(doc) COLLATE RTRIM DESC, x + 1, json_extract(doc, '$.a')) WHERE json_valid(doc);
CREATE UNIQUE INDEX i_nulls ON "od""d" (flag, x);
CREATE INDEX i_made ON "od""d" (made, kept);
CREATE TABLE hidden (rowid, oid, _rowid_, id INTEGER PRIMARY KEY, other UNIQUE);
INSERT INTO hidden (id, other) VALUES (7, 'x'), (9, 3);
CREATE TABLE strict (id INTEGER PRIMARY KEY, v ANY UNIQUE, r REAL, t TEXT, FOREIGN KEY (id) REFERENCES parents) STRICT;
CREATE INDEX strict_r ON strict (r, t);
CREATE VIEW v AS SELECT * FROM words;
CREATE VIRTUAL TABLE found USING fts5(body);
INSERT INTO found VALUES ('one two'), ('three');
INSERT INTO parents SELECT value, 'Code' || value, value % 50, 'b' || (value / 50) FROM generate WHERE value <= 400;
INSERT INTO words SELECT 'w' || value, 'l' || (value % 7), iif(value % 3, value, NULL) FROM generate WHERE value <= 300;
INSERT INTO "od""d" (rowid, n, x, doc, flag, parent, code, b, a, self, u, word, lang)
  SELECT 'r' || value, value % 9, CASE value % 4 WHEN 0 THEN value WHEN 1 THEN value || '' WHEN 2 THEN value * 0.5 ELSE x'00ff' || value END,
    CASE value % 5 WHEN 0 THEN '{"a": ' || value || '}' WHEN 1 THEN 'A (' WHEN 2 THEN NULL ELSE 'Doc ' || value || ' ' END,
    CASE WHEN value % 6 THEN value END, CASE WHEN value % 10 THEN value % 400 + 1 END, 'cODE' || (value % 400 + 1),
    'b' || (value % 400 / 50), iif(value % 400, value % 50, NULL), CASE WHEN value > 1 THEN value / 2 END, value,
    'w' || (value % 300 + 1), 'l' || ((value % 300 + 1) % 7) FROM generate WHERE value <= 900;
INSERT INTO strict SELECT value, CASE value % 2 WHEN 0 THEN value ELSE 'v' || value END, value / 3, 't' || value FROM generate WHERE value <= 200;
"#;

fn database(sql: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.db");
    change(&path, sql);
    (directory, path)
}

fn change(path: &Path, sql: &str) {
    let connection = Connection::open(path).unwrap();
    let numbers = "CREATE TEMP VIEW generate AS WITH RECURSIVE n (value) AS
                   (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 1000) SELECT value FROM n;";
    connection.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA writable_schema = ON").unwrap();
    connection.execute_batch(numbers).unwrap();
    connection.execute_batch(sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
}

fn proven(path: &Path) -> Verdict {
    prove(&open(path, &Cancel::new().flag()).unwrap(), path, &Cancel::new()).unwrap()
}

fn sound() -> Verdict {
    Verdict::Sound { unproven_references: BTreeSet::new() }
}

#[test]
fn every_kind_of_index_and_reference_is_proven() {
    let (_directory, path) = database(RICH);
    let before = std::fs::read(&path).unwrap();
    assert_eq!(proven(&path), sound());
    assert_eq!(std::fs::read(&path).unwrap(), before, "a proof only reads");
    let connection = open(&path, &Cancel::new().flag()).unwrap();
    let proof = Proof::of(&connection).unwrap();
    assert_eq!(proof.references.parts.len(), 6, "{:?}", proof.references);
    assert!(proof.shape.tables.iter().map(|table| table.indexes.len()).sum::<usize>() >= 12);
}

/// Defines an index otherwise, makes it anew, and lets its definition be what it was.
fn redefined(index: &str, from: &str, to: &str) -> String {
    let define = |from: &str, to: &str| {
        format!(
            "UPDATE sqlite_schema SET sql = replace(sql, '{from}', '{to}') WHERE name = '{index}'; PRAGMA writable_schema = RESET; PRAGMA writable_schema = ON;"
        )
    };
    format!("{} REINDEX \"{index}\"; {}", define(from, to), define(to, from))
}

#[test]
fn each_way_an_index_can_be_wrong_is_seen() {
    let (_directory, path) = database(RICH);
    let whole = std::fs::read(&path).unwrap();
    let entries =
        |index: &str, table: &str| format!("index `{index}` has other entries than the rows of table `{table}` give");
    let order =
        |index: &str, table: &str| format!("the entries of index `{index}` of table `{table}` are out of order");
    for (sql, wrong) in [
        (redefined("i_real", "(n DESC, x)", "(n DESC, x) WHERE u <> 77"), vec![entries("i_real", "od\"d")]),
        (redefined("i_real", "(n DESC, x)", "(x, n DESC)"), vec![entries("i_real", "od\"d"), order("i_real", "od\"d")]),
        (redefined("i_real", "n DESC", "n"), vec![order("i_real", "od\"d")]),
        (redefined("i_nocase", "COLLATE RTRIM DESC", "COLLATE RTRIM"), vec![order("i_nocase", "od\"d")]),
        (redefined("words_note", "note, lang", "lang, note"), vec![entries("words_note", "words")]),
        (redefined("i_made", "made, kept", "kept, made"), vec![entries("i_made", "od\"d")]),
    ] {
        std::fs::write(&path, &whole).unwrap();
        change(&path, &sql);
        match proven(&path) {
            Verdict::Wrong(found) => assert!(wrong.iter().all(|wrong| found.contains(wrong)), "{sql}: {found:?}"),
            // The number of entries is what SQLite's quick check tells.
            Verdict::Unproven => assert!(sql.contains("WHERE u"), "{sql}"),
            verdict @ Verdict::Sound { .. } => panic!("{sql}: {verdict:?}"),
        }
    }
    // What is computed is only a doubt of ours.
    for (index, from, to) in [("i_partial", "IS NOT NULL", "> 3"), ("i expr", "x + 1", "x + 2")] {
        std::fs::write(&path, &whole).unwrap();
        change(&path, &redefined(index, from, to));
        assert_eq!(proven(&path), Verdict::Unproven, "{index}");
    }
    std::fs::write(&path, &whole).unwrap();
    change(&path, "DROP INDEX i_nulls; CREATE INDEX i_nulls ON \"od\"\"d\" (flag, x); UPDATE \"od\"\"d\" SET flag = 7, x = 7 WHERE u IN (5, 8);
                   UPDATE sqlite_schema SET sql = replace(sql, 'CREATE INDEX', 'CREATE UNIQUE INDEX') WHERE name = 'i_nulls'");
    let repeated = "index `i_nulls` of table `od\"d` has entries with the same key, which has to be unique";
    assert_eq!(proven(&path), Verdict::Wrong(vec![repeated.to_owned()]));
}

#[test]
fn a_key_of_a_table_without_rowids_is_in_its_order() {
    let (_directory, path) = database(RICH);
    change(&path, "UPDATE sqlite_schema SET sql = replace(sql, 'lang DESC', 'lang') WHERE name = 'words'");
    let Verdict::Wrong(found) = proven(&path) else { panic!("not noticed") };
    assert_eq!(found[0], "the entries of index `sqlite_autoindex_words_1` of table `words` are out of order");
}

#[test]
fn references_are_proven_or_left_by_the_name_of_their_table() {
    let (_directory, path) = database(RICH);
    let whole = std::fs::read(&path).unwrap();
    for (sql, table) in [
        ("UPDATE \"od\"\"d\" SET parent = 401 WHERE u = 3", "od\"d"),
        ("UPDATE \"od\"\"d\" SET code = 'code402' WHERE u = 3", "od\"d"),
        ("UPDATE \"od\"\"d\" SET a = 49, b = 'b8' WHERE u = 3", "od\"d"),
        ("UPDATE \"od\"\"d\" SET self = 901 WHERE u = 3", "od\"d"),
        ("UPDATE \"od\"\"d\" SET lang = 'l9' WHERE u = 3", "od\"d"),
        ("DELETE FROM parents WHERE id = 200", "strict"),
        ("DELETE FROM words WHERE word = 'w1'", "od\"d"),
        ("CREATE TABLE t (a TEXT REFERENCES parents (id)); INSERT INTO t VALUES ('3')", "t"),
        ("CREATE TABLE t (a REFERENCES nowhere); INSERT INTO t VALUES (3)", "t"),
        ("CREATE TABLE t (a INT REFERENCES parents (a)); INSERT INTO t VALUES (3)", "t"),
        (
            "CREATE TABLE p (a TEXT); CREATE UNIQUE INDEX p_a ON p (a COLLATE NOCASE); CREATE TABLE t (a TEXT REFERENCES p (a))",
            "t",
        ),
        ("CREATE TABLE t (a INT REFERENCES v (word)); INSERT INTO t VALUES (3)", "t"),
    ] {
        std::fs::write(&path, &whole).unwrap();
        change(&path, sql);
        let Verdict::Sound { unproven_references } = proven(&path) else { panic!("{sql}") };
        assert!(unproven_references.contains(table), "{sql}: {unproven_references:?}");
    }
    for sql in [
        "UPDATE \"od\"\"d\" SET a = 49 WHERE b IS NULL; UPDATE \"od\"\"d\" SET b = NULL, a = 4711 WHERE u = 3",
        "CREATE TABLE t (a INTEGER REFERENCES parents); INSERT INTO t VALUES (3.0), ('4'), (NULL)",
        "CREATE TABLE t (a TEXT REFERENCES parents (CODE)); INSERT INTO t VALUES ('CODE7')",
    ] {
        std::fs::write(&path, &whole).unwrap();
        change(&path, sql);
        assert_eq!(proven(&path), sound(), "{sql}");
    }
}

#[test]
fn what_only_sqlite_understands_is_left_to_it() {
    let (directory, _) = database("");
    let path = directory.path().join("wide.db");
    let wide = "PRAGMA encoding = 'UTF-16le'; CREATE TABLE t (a UNIQUE)";
    Connection::open(&path).unwrap().execute_batch(wide).unwrap();
    assert_eq!(proven(&path), Verdict::Unproven);
    let (_directory, path) = database("CREATE TABLE t (rowid, oid, _rowid_); CREATE INDEX i ON t (oid)");
    assert_eq!(proven(&path), Verdict::Unproven);
    let (_directory, path) = database("CREATE TABLE t (a); CREATE INDEX i ON t (a)");
    change(&path, "UPDATE sqlite_schema SET sql = 'CREATE INDEX i ON t (a COLLATE german)' WHERE name = 'i'");
    assert_eq!(proven(&path), Verdict::Unproven);
    let (_directory, path) =
        database("CREATE TABLE t (a CHECK (a > 0)); PRAGMA ignore_check_constraints = ON; INSERT INTO t VALUES (0)");
    assert_eq!(proven(&path), Verdict::Unproven);
}

#[test]
fn whoever_writes_meanwhile_is_no_damage() {
    let (_directory, path) = database("CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (1), (2)");
    let connection = open(&path, &Cancel::new().flag()).unwrap();
    let proof = Proof::of(&connection).unwrap();
    let jobs = proof.jobs(&connection, &[]).unwrap();
    for (place, job) in jobs.iter().enumerate() {
        proof.work(&open(&path, &Cancel::new().flag()).unwrap(), job).unwrap();
        if place == 0 {
            change(&path, "INSERT INTO t VALUES (3)");
        }
    }
    assert_eq!(proof.verdict(&connection).unwrap(), Verdict::Unproven);
    assert_eq!(proven(&path), sound());
}

#[test]
fn large_tables_are_read_in_pieces_by_several_readers() {
    let many = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)";
    let (_directory, path) = database(&format!(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, k TEXT UNIQUE); {many} INSERT INTO p SELECT i, hex(i * 7919) FROM n;
         CREATE TABLE c (p INTEGER NOT NULL REFERENCES p, k TEXT REFERENCES p (k));
         {many} INSERT INTO c SELECT i, hex((i / 2 + 1) * 7919) FROM n; CREATE INDEX c_k ON c (k)"
    ));
    assert!(std::fs::metadata(&path).unwrap().len() > 4 << 20, "large enough for several readers");
    assert_eq!(proven(&path), sound());
    change(&path, "UPDATE c SET p = 0 WHERE rowid = 59999");
    assert_eq!(proven(&path), Verdict::Sound { unproven_references: ["c".to_owned()].into() });
}
