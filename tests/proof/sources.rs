//! Any two sources compared: whatever is changed in one of them is found and named, for each pair of kinds of sources;
//! and a file that nobody can trust is told by name.

use crate::support::program::{describe as told, whimbrel};
use crate::support::whole_run::{Server, findings, migrate, source};
use rusqlite::Connection;
use std::fs;
use std::path::{Path, PathBuf};
use whimbrel::cancel::Cancel;
use whimbrel::catalog::Known;
use whimbrel::endpoint::sqlite::SqliteSource;
use whimbrel::endpoint::{ReadTable, Source};
use whimbrel::error::Kind;
use whimbrel::event::nobody;
use whimbrel::provision::{Database, shared};
use whimbrel::to_sqlite::Job;
use whimbrel::value::Cell;
use whimbrel::verify::diff::RowDifferenceKind;
use whimbrel::verify::{Level, Verification, compare_sources};

const ROWS: i64 = 60;

/// Rows that every kind of source has: what differs is the words for the types, and how bytes are written.
fn statements(bytes_type: &str, bytes: &str) -> String {
    let mut sql = format!(
        "CREATE TABLE owners (id bigint PRIMARY KEY, name text NOT NULL, weight double precision, photo {bytes_type});
         CREATE TABLE notes (line text, n integer);"
    );
    for row in 1..=ROWS {
        let weight = if row % 7 == 0 { "NULL".to_owned() } else { format!("{row}.25") };
        sql.push_str(&format!("INSERT INTO owners VALUES ({row}, 'owner {row}', {weight}, {bytes});"));
        sql.push_str(&format!("INSERT INTO notes VALUES ('line {}', {row});", row % 5));
    }
    sql
}

fn of_postgres() -> String {
    statements("bytea", "'\\x00ff'")
}

/// Types that a file keeps in other forms, and values that its columns do not hold.
const REPRESENTED: &str = "
    CREATE TABLE kept (id integer, part text, at timestamptz, price numeric(30, 4), ok boolean, doc jsonb, x double precision,
      days date[], PRIMARY KEY (id, part));
    INSERT INTO kept SELECT n, 'p' || n % 3, '2020-01-01 00:00:00.123456+00'::timestamptz + n * interval '1 day', n / 3.0,
      n % 2 = 0, '{\"a\": [1, 2]}', CASE WHEN n % 10 = 0 THEN 'NaN'::float8 ELSE -0.0 END, ARRAY['2020-02-29'::date]
      FROM generate_series(1, 40) AS n;";

fn database(sql: &str) -> Database {
    let database = shared().expect("a PostgreSQL server").create_database("sources").expect("a database");
    Server::connect(&database.url()).run(sql);
    database
}

fn file(path: PathBuf, sql: &str) -> PathBuf {
    let connection = Connection::open(&path).expect("a file");
    connection.execute_batch(sql).unwrap_or_else(|error| panic!("{error}"));
    path
}

fn made(path: PathBuf, database: &Database) -> PathBuf {
    let outcome = migrate(&database.url(), &Job::new(&path)).unwrap_or_else(|error| panic!("{error}"));
    outcome.ensure_published().unwrap_or_else(|error| panic!("{error}{}", findings(&outcome.verification)));
    path
}

/// One side, opened anew for each comparison.
#[derive(Clone)]
enum Place {
    Server(String),
    File(PathBuf),
}

impl Place {
    fn open(&self) -> Box<dyn Source> {
        match self {
            Place::Server(url) => Box::new(source(url).expect("a source")),
            Place::File(path) => Box::new(SqliteSource::open(path, &Cancel::new()).expect("a source")),
        }
    }
}

fn compare(source: &Place, target: &Place) -> Verification {
    let found = compare_sources(source.open().as_mut(), target.open().as_mut(), Level::Full, &nobody);
    found.unwrap_or_else(|error| panic!("{error}")).verification
}

#[derive(Debug, Clone, Copy)]
enum Change {
    Value,
    Added,
    Removed,
    Type,
    Renamed,
}

const CHANGES: [Change; 5] = [Change::Value, Change::Added, Change::Removed, Change::Type, Change::Renamed];

/// The statement of a change to the row with that id. The type is changed as each engine can.
fn statement(change: Change, id: i64, change_type: &str) -> String {
    match change {
        Change::Value => format!("UPDATE owners SET name = name || ' ' WHERE id = {id}"),
        Change::Added => format!("INSERT INTO owners (id, name) VALUES ({}, 'new')", id + 1000),
        Change::Removed => format!("DELETE FROM owners WHERE id = {id}"),
        Change::Type => change_type.to_owned(),
        Change::Renamed => "ALTER TABLE owners RENAME COLUMN weight TO mass".to_owned(),
    }
}

/// What the comparison has to say of a change, beside that the sides are not the same.
fn assert_named(change: Change, id: i64, found: &Verification) {
    let all = format!("{change:?} of {id}: {}", findings(found));
    assert!(!found.is_sound() && found.ensure_sound().is_err_and(|error| error.kind() == Kind::Differs), "{all}");
    let owners = found.tables.iter().find(|table| table.source.name == "owners").expect("the table is compared");
    let row = |kind: RowDifferenceKind, id: i64, column: &[&str]| {
        let differences = owners.differences.as_ref().unwrap_or_else(|| panic!("{all}"));
        assert_eq!((differences.total(), differences.rows.len()), (1, 1), "{all}");
        let row = &differences.rows[0];
        let columns: Vec<&str> = row.columns.iter().map(|column| column.column.as_str()).collect();
        assert_eq!(
            (row.kind, row.key.as_str(), columns.as_slice()),
            (kind, format!("[{id}]").as_str(), column),
            "{all}"
        );
    };
    match change {
        Change::Value => row(RowDifferenceKind::Changed, id, &["name"]),
        Change::Added => row(RowDifferenceKind::Surplus, id + 1000, &[]),
        Change::Removed => row(RowDifferenceKind::Missing, id, &[]),
        Change::Type => {
            let notes = found.tables.iter().find(|table| table.source.name == "notes").expect("the table is compared");
            let told = found
                .findings
                .objects
                .iter()
                .any(|object| object.contains("column `n` of table") && object.contains("type"));
            // A file that remembers its types has values that are none of them.
            assert!(told || notes.differences.as_ref().is_some_and(|found| found.total() > 0), "{all}");
        }
        Change::Renamed => {
            let has = |words: &str| found.findings.objects.iter().any(|object| object.contains(words));
            assert!(has("column `weight`") && has("missing in the target") && has("column `mass`"), "{all}");
        }
    }
    let others = found.tables.iter().filter(|table| table.source.name != "owners");
    if !matches!(change, Change::Type) {
        assert!(others.clone().all(whimbrel::verify::TableCheck::is_sound), "{all}");
    }
}

const POSTGRES_TYPE: &str = "ALTER TABLE notes ALTER COLUMN n TYPE bigint";
const SQLITE_TYPE: &str = "ALTER TABLE notes RENAME TO old; CREATE TABLE notes (line TEXT, n TEXT); \
                           INSERT INTO notes SELECT line, 'x' || n FROM old; DROP TABLE old";

/// Every change in the second of two alike sides is found, and nothing where nothing is changed.
fn every_change_is_found(first: &Place, second: &dyn Fn(Option<(Change, i64)>) -> Place, seed: u64) {
    let same = compare(first, &second(None));
    assert!(same.is_sound(), "{}", findings(&same));
    assert!(same.tables.iter().all(|table| table.source_rows > 0 && table.same_values == Some(true)));
    let mut random = whimbrel::harness::Seed(seed).random();
    for change in CHANGES {
        let id = 1 + random.below(ROWS as u64) as i64;
        assert_named(change, id, &compare(first, &second(Some((change, id)))));
    }
}

/// A file with a change, of a whole one.
fn changed_file(whole: &Path, copy: &Path, change: Option<(Change, i64)>) -> Place {
    fs::copy(whole, copy).expect("a copy");
    if let Some((change, id)) = change {
        let connection = Connection::open(copy).expect("the copy opens");
        connection
            .execute_batch(&statement(change, id, SQLITE_TYPE))
            .unwrap_or_else(|error| panic!("{change:?}: {error}"));
    }
    Place::File(copy.to_owned())
}

#[test]
fn two_servers() {
    let (first, second) = (database(&of_postgres()), database(""));
    let changed = |change: Option<(Change, i64)>| {
        let mut server = Server::connect(&second.url());
        server.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
        server.run(of_postgres());
        if let Some((change, id)) = change {
            server.run(statement(change, id, POSTGRES_TYPE));
        }
        Place::Server(second.url())
    };
    every_change_is_found(&Place::Server(first.url()), &changed, 1);
}

#[test]
fn two_files_of_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = file(folder.path().join("whole.db"), &statements("blob", "x'00ff'"));
    let copy = folder.path().join("copy.db");
    every_change_is_found(&Place::File(whole.clone()), &|change| changed_file(&whole, &copy, change), 2);
}

#[test]
fn two_finished_files_and_a_finished_file_with_its_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = database(&(of_postgres() + REPRESENTED));
    let whole = made(folder.path().join("whole.db"), &database);
    let copy = folder.path().join("copy.db");
    let changed = |change| changed_file(&whole, &copy, change);
    every_change_is_found(&Place::File(whole.clone()), &changed, 3);
    every_change_is_found(&Place::Server(database.url()), &changed, 4);
}

/// Property: whatever one value of a finished file is replaced by, the comparison with the whole file names its row and column.
/// Steps: a random row, column and value; what the file's own constraints do not take is drawn again.
#[test]
fn a_random_value_of_a_random_row_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = database(&(of_postgres() + REPRESENTED));
    let whole = made(folder.path().join("whole.db"), &database);
    let copy = folder.path().join("copy.db");
    let columns = [("owners", "name"), ("owners", "weight"), ("owners", "photo"), ("notes", "n"), ("notes", "line")];
    let kept = ["part", "at", "price", "ok", "doc", "x", "days"].map(|column| ("kept", column));
    let columns: Vec<_> = columns.into_iter().chain(kept).collect();
    let values = ["NULL", "''", "'zz'", "7", "-1.5", "1e300", "x'c3'", "'[]'", "'2024-02-30'", "9223372036854775807"];
    let mut random = whimbrel::harness::Seed(7).random();
    let mut changed = 0;
    for _ in 0..150 {
        let (table, column) = *random.pick(&columns).expect("a column");
        let value = *random.pick(&values).expect("a value");
        let row = 1 + random.below(40);
        fs::copy(&whole, &copy).expect("a copy");
        let file = Connection::open(&copy).expect("the copy opens");
        let sql =
            format!("UPDATE {table} SET \"{column}\" = {value} WHERE rowid = {row} AND \"{column}\" IS NOT {value}");
        file.execute_batch("PRAGMA ignore_check_constraints = ON").expect("a setting");
        if !file.execute(&sql, []).is_ok_and(|rows| rows == 1) {
            continue;
        }
        drop(file);
        changed += 1;
        let found = compare(&Place::File(whole.clone()), &Place::File(copy.clone()));
        let all = format!("{sql}: {}", findings(&found));
        let different: Vec<_> = found.tables.iter().filter(|table| !table.is_sound()).collect();
        assert!(
            found.findings.objects.is_empty() && different.len() == 1 && different[0].source.name == table,
            "{all}"
        );
        let differences = different[0].differences.as_ref().expect("differences");
        let named: Vec<_> =
            differences.rows.iter().flat_map(|row| &row.columns).map(|one| one.column.as_str()).collect();
        match (table, column) {
            // No key tells that the two are one row.
            ("notes", _) | ("kept", "part") => {
                assert_eq!((differences.missing, differences.surplus, differences.changed), (1, 1, 0), "{all}");
            }
            _ => assert_eq!((differences.total(), differences.changed, named), (1, 1, vec![column]), "{all}"),
        }
    }
    assert!(changed >= 50, "{changed} of 150 changes were taken");
}

#[test]
fn a_server_and_a_file_of_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = database(&of_postgres());
    let whole = file(folder.path().join("whole.db"), &statements("blob", "x'00ff'"));
    let copy = folder.path().join("copy.db");
    every_change_is_found(&Place::Server(database.url()), &|change| changed_file(&whole, &copy, change), 5);
    // Types whose values have nothing in common are no pass.
    Server::connect(&database.url()).run("ALTER TABLE notes ALTER COLUMN n TYPE numeric(10, 2)");
    let found = compare(&Place::Server(database.url()), &Place::File(whole));
    assert_eq!(
        found.findings.objects,
        [
            "column `n` of table `public.notes` has type numeric(10,2) in the source and type INTEGER in the target; values of \
          these cannot be compared"
        ]
    );
}

#[test]
fn a_finished_file_is_read_as_its_source_was_and_what_came_into_it_as_it_is_declared() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = database(&(of_postgres() + REPRESENTED));
    let path = made(folder.path().join("made.db"), &database);
    let mut server = source(&database.url()).expect("a source");
    let mut own = SqliteSource::open(&path, &Cancel::new()).expect("a source");
    assert_eq!(own.known(), Known::Remembered);
    let (theirs, ours) = (server.catalog().expect("a catalog"), own.catalog().expect("a catalog"));
    assert_eq!(theirs.tables.len(), ours.tables.len());
    for (table, own_table) in theirs.tables.iter().zip(&ours.tables) {
        let columns = |table: &whimbrel::catalog::Table| {
            (table.columns.iter())
                .map(|column| (column.name.clone(), column.data_type.name.clone(), column.data_type.shape.clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!((&table.name, columns(table)), (&own_table.name, columns(own_table)));
        assert!(table.columns.iter().all(|column| column.data_type.known == Known::Declared));
        assert!(own_table.columns.iter().all(|column| column.data_type.known == Known::Remembered));
    }
    Connection::open(&path)
        .and_then(|file| file.execute_batch("ALTER TABLE kept ADD COLUMN seen TEXT; CREATE TABLE added (a INTEGER, b)"))
        .expect("the file can be changed");
    // The state is that of the moment at which it was opened.
    assert!(
        own.catalog().expect("a catalog").table(&whimbrel::catalog::QualifiedName::new("public", "added")).is_none()
    );
    drop(own);
    let found = compare(&Place::Server(database.url()), &Place::File(path.clone()));
    assert_eq!(
        found.findings.objects,
        [
            "column `seen` of table `public.kept` in the target is not in the source",
            "table `public.added` of the target is not in the source"
        ]
    );
    assert!(found.tables.iter().all(whimbrel::verify::TableCheck::is_sound), "{}", findings(&found));
}

#[test]
fn values_that_are_none_of_their_column_are_told_as_they_are_stored() {
    let folder = tempfile::tempdir().expect("a folder");
    let sql = "CREATE TABLE t (a INTEGER, b TEXT); INSERT INTO t VALUES ('word', CAST(x'ff' AS TEXT)), (1.5, x'00')";
    let one = file(folder.path().join("one.db"), sql);
    let other = file(folder.path().join("other.db"), &sql.replace("'word'", "'worD'"));
    let (one, other) = (Place::File(one), Place::File(other));
    assert!(compare(&one, &one).is_sound());
    let found = compare(&one, &other);
    let differences = found.tables[0].differences.as_ref().expect("differences");
    // There is no key, so that each side has a row that the other one lacks.
    assert_eq!((differences.missing, differences.surplus, differences.changed), (1, 1, 0), "{}", findings(&found));
    assert!(differences.rows.iter().any(|row| row.key.contains("worD")), "{}", findings(&found));
}

#[test]
fn more_rows_than_are_shown_are_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = |expression: &str| {
        format!(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
             WHERE i < 20000) INSERT INTO t SELECT i, {expression} FROM n"
        )
    };
    let one = Place::File(file(folder.path().join("one.db"), &rows("i")));
    let other =
        Place::File(file(folder.path().join("other.db"), &rows("CASE WHEN i % 4 = 0 THEN i || 'x' ELSE i END")));
    let found = compare(&one, &other);
    let differences = found.tables[0].differences.as_ref().expect("differences");
    assert_eq!((differences.changed, differences.total(), differences.rows.len()), (5000, 5000, 20));
    assert!(differences.rows.iter().all(|row| row.columns.len() == 1), "{differences:?}");
}

#[test]
fn the_program_ends_with_0_or_1_and_names_the_row() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let sql = statements("blob", "x'00ff'");
    file(folder.path().join("a.db"), &sql);
    file(folder.path().join("b.db"), &(sql.clone() + "UPDATE owners SET name = 'other' WHERE id = 7"));
    let same = whimbrel(&["verify", &path("a.db"), &path("a.db")]);
    assert!(same.status.code() == Some(0) && told(&same).contains("read as it is declared"), "{}", told(&same));
    let differs = whimbrel(&["verify", &path("a.db"), &path("b.db"), "--json"]);
    assert!(differs.status.code() == Some(1) && told(&differs).contains("\"key\":\"[7]\""), "{}", told(&differs));
    let refused = whimbrel(&["verify", &path("a.db"), &path("b.db"), "--table", "owners"]);
    assert!(refused.status.code() == Some(2) && told(&refused).contains("compared as they are"), "{}", told(&refused));
    let missing = whimbrel(&["verify", &path("a.db"), &path("none.db")]);
    assert!(missing.status.code() == Some(3) && told(&missing).contains("there is no such file"), "{}", told(&missing));
    // A file that knows its source is held against it, whichever is named first.
    let database = database(&of_postgres());
    made(folder.path().join("made.db"), &database);
    let url = database.url();
    for words in [[url.as_str(), &path("made.db")], [&path("made.db"), url.as_str()]] {
        let found = whimbrel(&["verify", words[0], words[1]]);
        assert!(found.status.code() == Some(0) && told(&found).contains("remembers: digest"), "{}", told(&found));
    }
}

/// Reads everything of a file; what cannot be read is an error with a name.
fn read_all(path: &Path) -> whimbrel::Result<u64> {
    let mut source = SqliteSource::open(path, &Cancel::new())?;
    let catalog = source.catalog()?;
    let mut rows = 0;
    for table in &catalog.tables {
        let columns = table
            .columns
            .iter()
            .map(|column| whimbrel::endpoint::ReadColumn { name: &column.name, shape: &column.data_type.shape });
        let request = ReadTable { table: &table.name, only: true, columns: columns.collect(), key: &[] };
        source.read(&[request], &mut |_: usize, _: &[Cell<'_>]| {
            rows += 1;
            Ok(())
        })?;
    }
    Ok(rows)
}

#[test]
fn a_file_that_nobody_can_trust_is_told_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = database(&of_postgres());
    let whole = made(folder.path().join("whole.db"), &database);
    let rows = read_all(&whole).expect("rows");
    assert_eq!(rows, 2 * ROWS as u64);
    let copy = folder.path().join("copy.db");
    let changed = |sql: &str| {
        fs::copy(&whole, &copy).expect("a copy");
        Connection::open(&copy)
            .and_then(|file| file.execute_batch(sql))
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        read_all(&copy)
    };
    let manifest = "_whimbrel_manifest";
    for (sql, words) in [
        (
            format!("UPDATE {manifest} SET value = '{{' WHERE name = 'catalog'"),
            "value `catalog` is not what was written",
        ),
        (
            format!("UPDATE {manifest} SET value = '{{' WHERE name = 'choices'"),
            "value `choices` is not what was written",
        ),
        (format!("UPDATE {manifest} SET value = '99' WHERE name = 'format'"), "form 99"),
        (format!("DELETE FROM {manifest} WHERE name = 'source'"), "no value `source`"),
    ] {
        let error = changed(&sql).expect_err(&sql).to_string();
        assert!(error.contains(words), "{error}");
    }
    assert_eq!(changed("DROP TABLE notes").expect("what is left"), ROWS as u64);
    // Whatever bytes stand there, the answer is rows or an error with an operation.
    let bytes = fs::read(&whole).expect("bytes");
    let mut random = whimbrel::harness::Seed(6).random();
    let mut failed = 0;
    for _ in 0..300 {
        let mut bytes = bytes.clone();
        for _ in 0..8 {
            let place = random.below(bytes.len() as u64) as usize;
            bytes[place] = random.below(256) as u8;
        }
        fs::write(&copy, &bytes).expect("a copy");
        if let Err(error) = read_all(&copy) {
            assert!(!error.operation().is_empty() && !error.cause().is_empty(), "{error}");
            failed += 1;
        }
    }
    assert!(failed > 0, "some of these bytes are pages that cannot be read");
}

/// Runs the program and gives what it says.
fn run(words: &[&str], code: i32) -> String {
    let output = whimbrel(words);
    let said = told(&output);
    assert_eq!(output.status.code(), Some(code), "{words:?}\n{said}");
    said
}

#[test]
fn what_came_into_the_source_later_is_named_and_the_rest_compared() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = database("CREATE TABLE t (id integer PRIMARY KEY, n text); INSERT INTO t VALUES (1, 'one'), (2, 'two')");
    let file = folder.path().join("t.db");
    let path = file.to_str().expect("UTF-8");
    run(&["migrate", &url.url(), path], 0);
    Server::connect(&url.url()).run("ALTER TABLE t ADD COLUMN q2 integer; UPDATE t SET n = 'changed' WHERE id = 1");
    let said = run(&["verify", &url.url(), path], 1);
    for part in
        ["column `q2` of table `public.t` is missing in the target", "row [1]:", "source `changed`, target `one`"]
    {
        assert!(said.contains(part), "`{part}` is not in {said}");
    }
    assert!(!said.contains("CREATE TABLE") && !said.contains("read back"), "{said}");
    // In a constraint that is another one, the constraint is told, and not the whole table.
    Server::connect(&url.url()).run("ALTER TABLE t DROP COLUMN q2, ADD CONSTRAINT short CHECK (length(n) < 20)");
    let said = run(&["verify", &url.url(), path], 1);
    assert!(said.contains("table `t` is not defined as planned: it has no `CONSTRAINT \"short\" CHECK"), "{said}");
}

#[test]
fn what_nobody_has_filled_is_not_checked() {
    let [one, other] = ["WITH DATA", "WITH NO DATA"].map(|filled| {
        database(&format!(
            "CREATE TABLE t (id integer PRIMARY KEY); CREATE MATERIALIZED VIEW m AS SELECT 1 AS x {filled}"
        ))
    });
    for sides in [[&other, &other], [&one, &other], [&other, &one]] {
        let [first, second] = sides.map(Database::url);
        let said = run(&["verify", &first, &second], 0);
        assert!(said.contains("not checked: materialized view `public.m`"), "{said}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = file(folder.path().join("other.db"), "CREATE TABLE t (id INTEGER PRIMARY KEY)");
    let said = run(&["verify", &other.url(), file.to_str().expect("UTF-8")], 1);
    assert!(!said.contains("table `public.m`"), "{said}");
}

#[test]
fn tables_that_the_source_lacks_are_listed() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = database("CREATE TABLE t (id integer PRIMARY KEY); INSERT INTO t VALUES (1)");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let (made, copy) = (path("t.db"), path("copy.db"));
    run(&["migrate", &url.url(), &made], 0);
    Connection::open(&made)
        .and_then(|file| file.execute_batch("CREATE TABLE extra (x); ALTER TABLE t ADD COLUMN more TEXT"))
        .expect("more");
    run(&["migrate", &made, &copy], 0);
    let said = run(&["verify", &url.url(), &copy], 0);
    for part in [
        "not checked: tables that nothing of the source fills: `extra`",
        "columns that nothing of the source fills: `t.more`",
    ] {
        assert!(said.contains(part), "`{part}` is not in {said}");
    }
}
