//! A dump is what its database is: the same catalog and the same digests of every table, in each form that pg_dump writes.
//!
//! The dumps are made by the server's own pg_dump, and compared with the server that they were made of.

use crate::support::whole_run::{self, Server, findings};
use std::path::{Path, PathBuf};
use std::process::Command;
use whimbrel::cancel::Cancel;
use whimbrel::catalog::{Catalog, ObjectKind, TableKind};
use whimbrel::endpoint::Source;
use whimbrel::endpoint::dump::{DumpPlace, DumpSource};
use whimbrel::event::nobody;
use whimbrel::provision::shared;
use whimbrel::to_sqlite::{self, Job};
use whimbrel::verify::{self, Level};

/// The forms of a dump, and how pg_dump makes each.
const FORMS: [(&str, &[&str]); 12] = [
    ("copy.sql", &[]),
    ("inserts.sql", &["--inserts"]),
    ("columns.sql", &["--column-inserts"]),
    ("several.sql", &["--rows-per-insert=3", "--on-conflict-do-nothing"]),
    ("clean.sql", &["--clean", "--if-exists", "--create"]),
    ("nobody.sql", &["--no-owner", "--no-privileges", "--quote-all-identifiers"]),
    ("packed.sql.gz", &["--compress=6"]),
    ("custom.dump", &["-Fc"]),
    ("loose.dump", &["-Fc", "-Z0"]),
    ("inserts.dump", &["-Fc", "--inserts"]),
    ("folder", &["-Fd"]),
    ("files.tar", &["-Ft"]),
];

/// The program that makes dumps, of the newest version that is here.
pub(super) fn pg_dump() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions.map(|version| version.path().join("bin/pg_dump")).collect();
    found.retain(|program| program.is_file());
    found.sort();
    found.pop().unwrap_or_else(|| PathBuf::from("pg_dump"))
}

/// Makes a dump at `path`. A file is written by way of a pipe where the form allows it to be read so: then an archive does not know
/// where its blocks are.
fn dump(url: &str, path: &Path, options: &[&str]) {
    let mut command = Command::new(pg_dump());
    command.args(options).arg("--dbname").arg(url).env("PGTZ", "Asia/Kolkata");
    let is_file = options.contains(&"-Z0") || !options.contains(&"-Fc");
    if is_file {
        command.arg("--file").arg(path);
    }
    let output = command.output().expect("pg_dump, which comes with PostgreSQL's client programs");
    assert!(output.status.success(), "pg_dump {options:?}: {}", String::from_utf8_lossy(&output.stderr));
    if !is_file {
        std::fs::write(path, output.stdout).expect("a file");
    }
}

fn open(path: &Path) -> DumpSource {
    DumpSource::open(&DumpPlace::at(path), &Cancel::new()).unwrap_or_else(|error| panic!("{error}"))
}

/// What a dump cannot know, made alike: names that depend on where it is, what was counted, what was stored of what is computed.
fn comparable(catalog: &Catalog) -> Catalog {
    let mut catalog = catalog.clone();
    (catalog.database, catalog.collations.default_name) = (String::new(), String::new());
    // A live source lists those of the server that something refers to.
    catalog.collations.named.retain(|collation| !collation.name.starts_with("pg_catalog."));
    catalog.collations.default = Default::default();
    for extension in catalog.others.iter_mut().filter(|other| other.kind == ObjectKind::Extension) {
        // Which version a server installs is the server's matter.
        extension.name.truncate(extension.name.find(' ').unwrap_or(extension.name.len()));
    }
    for table in &mut catalog.tables {
        (table.row_estimate, table.size_bytes) = (0, 0);
        for generated in table.columns.iter_mut().filter_map(|column| column.generated.as_mut()) {
            generated.untold = false;
        }
        if let TableKind::MaterializedView { populated, .. } = &mut table.kind {
            *populated = false;
        }
    }
    catalog
}

/// Where two catalogs differ, for the message of a failing test.
fn difference(one: &Catalog, other: &Catalog) -> Option<String> {
    let [one, other] = [one, other].map(|catalog| serde_json::to_value(comparable(catalog)).expect("JSON"));
    differs("", &one, &other)
}

fn differs(at: &str, one: &serde_json::Value, other: &serde_json::Value) -> Option<String> {
    use serde_json::Value;
    match (one, other) {
        (Value::Object(left), Value::Object(right)) if left.len() == right.len() => {
            left.iter().find_map(|(key, value)| match right.get(key) {
                Some(other) => differs(&format!("{at}.{key}"), value, other),
                None => Some(format!("{at}.{key} is missing")),
            })
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => left
            .iter()
            .zip(right)
            .enumerate()
            .find_map(|(place, (one, other))| differs(&format!("{at}[{place}]"), one, other)),
        _ if one == other => None,
        _ => Some(format!("{at}: the server has {one}, the dump {other}")),
    }
}

/// Compares every form of a database's dump with the database.
fn ensure_alike(url: &str, what: &str, forms: &[(&str, &[&str])]) {
    let folder = tempfile::tempdir().expect("a directory");
    for (name, options) in forms {
        let path = folder.path().join(name);
        dump(url, &path, options);
        let mut server = whole_run::source(url).expect("a source");
        let mut dump = open(&path);
        let catalogs = [server.catalog(), dump.catalog()]
            .map(|catalog| catalog.unwrap_or_else(|error| panic!("{what}, {name}: {error}")));
        assert_eq!(difference(&catalogs[0], &catalogs[1]), None, "{what}, {name}");
        let compared = verify::compare_sources(&mut server, &mut dump, Level::Digest, &nobody);
        let found = compared.unwrap_or_else(|error| panic!("{what}, {name}: {error}")).verification;
        assert_eq!(findings(&found), "", "{what}, {name}");
    }
}

const ROWS: &str = r#"
CREATE SCHEMA app;
CREATE TYPE app.mood AS ENUM ('sad', 'ok', 'very "happy"');
CREATE TYPE app.pair AS (at timestamptz, note text);
CREATE DOMAIN app.share AS numeric(5, 2) CHECK (VALUE <= 100);
CREATE TABLE app."Odd name" (
  id integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, "Text; with '" text, "tab	and
line" varchar(20), mood app.mood, pair app.pair, pairs app.pair[], share app.share, bits bit(5), many varbit,
  moment timestamptz, moments timestamptz[], during tstzrange, bytes bytea, more bytea[], real real, double double precision,
  doubles float8[], number numeric, padded char(5), flag boolean, payload jsonb, raw json, inet inet, day date, clock timetz
);
INSERT INTO app."Odd name" VALUES
  (1, E'tab\t nl\n cr\r bs\\ q'' uni é 😀 \x08\x0c\x0b', E'\\N', 'very "happy"', ROW('2020-01-01 12:00+00', 'a "b" \c'),
   ARRAY[ROW(NULL, '')::app.pair, NULL, ROW('infinity', NULL)::app.pair], 12.5, B'01010', B'', '2020-06-01 12:00:00.123456+02',
   ARRAY['-infinity', NULL, '0044-03-15 12:00 BC']::timestamptz[], '[2020-01-01 00:00+00, 2020-01-02 00:00+05)', '\x00ff5c27',
   ARRAY['\x', '\xdead']::bytea[], '-1.5', '0.1', ARRAY['NaN', '-Infinity', 1e-300, '-0'], 'NaN', 'ab', true, '{"b": 1, "a": [1, 2]}',
   '{"b" : 1,  "a":[]}', '10.0.0.1/8', '4713-01-01 BC', '23:59:59.5-03:30'),
  (2, '', NULL, NULL, NULL, '{}', NULL, NULL, NULL, '1890-01-01 00:00+00', '{}', 'empty', '', NULL, 'NaN', 1e308, NULL,
   -0.00000000000000000001, '', false, 'null', NULL, NULL, 'infinity', NULL),
  (3, E'\\.', E'\\.', 'ok', NULL, NULL, 0, B'00000', B'1', NULL, NULL, NULL, '\x0a0d09', NULL, 1e-45, 5e-324, NULL,
   12345678901234567890.000100, 'abcde', NULL, '"\u0041\\"', '1e5', '::1', '9999-12-31', '00:00:00+14');
CREATE TABLE app.nothing ();
INSERT INTO app.nothing DEFAULT VALUES; INSERT INTO app.nothing DEFAULT VALUES;
CREATE TABLE app.empty (a integer);
CREATE TABLE app.computed (a integer, b integer, c integer GENERATED ALWAYS AS (a + b) STORED);
INSERT INTO app.computed VALUES (1, 2), (3, 4);
CREATE TABLE app.parts (key integer, value text) PARTITION BY RANGE (key);
CREATE TABLE app.parts_low PARTITION OF app.parts FOR VALUES FROM (0) TO (10);
CREATE TABLE app.parts_high (value text, key integer);
ALTER TABLE app.parts ATTACH PARTITION app.parts_high FOR VALUES FROM (10) TO (20);
INSERT INTO app.parts SELECT n, 'v' || n FROM generate_series(0, 19) AS n;
CREATE TABLE app.base (a integer); CREATE TABLE app.heir (b text) INHERITS (app.base);
INSERT INTO app.base VALUES (1); INSERT INTO app.heir VALUES (2, 'x');
CREATE FUNCTION app.atomic(a integer) RETURNS integer LANGUAGE sql
  BEGIN ATOMIC SELECT CASE WHEN a > 0 THEN 1 ELSE 0 END; SELECT 2; END;
CREATE FUNCTION app.quoted() RETURNS text LANGUAGE plpgsql AS $x$ BEGIN RETURN $$a;b$$; END $x$;
CREATE RULE two AS ON DELETE TO app.empty DO ALSO (DELETE FROM app.base; DELETE FROM app.heir);
COMMENT ON TABLE app.empty IS E'a; -- b\n\\. ''c''';
"#;

#[test]
fn a_dump_in_every_form_is_what_the_database_is() {
    let database = shared().expect("a server").create_database("dumps").expect("a database");
    Server::connect(&database.url()).run(ROWS);
    ensure_alike(&database.url(), "rows", &FORMS);
}

#[test]
fn rows_of_partitions_may_come_by_their_root() {
    let database = shared().expect("a server").create_database("dumps_root").expect("a database");
    Server::connect(&database.url()).run(ROWS);
    let forms: [(&str, &[&str]); 2] =
        [("root.sql", &["--load-via-partition-root"]), ("root.dump", &["-Fc", "--load-via-partition-root"])];
    ensure_alike(&database.url(), "by the root", &forms);
}

#[test]
fn rows_and_definitions_may_be_in_two_files() {
    let database = shared().expect("a server").create_database("dumps_two").expect("a database");
    let url = database.url();
    Server::connect(&url).run(ROWS);
    let folder = tempfile::tempdir().expect("a directory");
    let [schema, rows] = ["schema.sql", "rows.sql"].map(|name| folder.path().join(name));
    dump(&url, &schema, &["--schema-only"]);
    dump(&url, &rows, &["--data-only"]);
    let alone = open(&rows).catalog().expect_err("it has no definitions").to_string();
    assert!(alone.contains("no definition"), "{alone}");
    let place = DumpPlace { schema: Some(schema), ..DumpPlace::at(&rows) };
    let mut both = DumpSource::open(&place, &Cancel::new()).expect("a dump");
    let found =
        verify::compare_sources(&mut whole_run::source(&url).expect("a source"), &mut both, Level::Digest, &nobody);
    assert_eq!(findings(&found.unwrap_or_else(|error| panic!("{error}")).verification), "");
}

#[test]
fn a_migrated_dump_is_the_migrated_database() {
    let database = shared().expect("a server").create_database("dumps_migrated").expect("a database");
    let url = database.url();
    Server::connect(&url).run(ROWS);
    let folder = tempfile::tempdir().expect("a directory");
    let live = Job::new(folder.path().join("live.db"));
    let expected = whole_run::migrate(&url, &live).expect("a migration");
    for (name, options) in [FORMS[0], FORMS[7]] {
        let path = folder.path().join(name);
        dump(&url, &path, options);
        let job = Job::new(folder.path().join(format!("{name}.db")));
        let outcome = to_sqlite::migrate(&mut open(&path), &job, &Cancel::new(), &nobody).expect("a migration");
        assert_eq!(findings(&outcome.verification), "");
        assert!(outcome.published.is_some());
        let [one, other] = [&live.target, &job.target].map(|file| {
            let file = rusqlite::Connection::open(file).expect("a file");
            let sql = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT IN ('app__computed') AND name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY name";
            let mut statement = file.prepare(sql).expect("a statement");
            let rows = statement.query_map([], |row| row.get::<_, String>(0)).expect("rows");
            rows.collect::<Result<Vec<_>, _>>().expect("rows")
        });
        assert_eq!(one, other, "{name}");
        let digests = |outcome: &to_sqlite::Outcome| {
            let tables = outcome.verification.tables.iter().filter(|table| table.source.name != "computed");
            tables.map(|table| format!("{} {:?}", table.source, table.digests)).collect::<Vec<_>>()
        };
        assert_eq!(digests(&expected), digests(&outcome), "{name}");
    }
}

/// Encodings of one byte, and those of several.
const ENCODINGS: [&[&str]; 2] = [
    &[
        "LATIN1",
        "LATIN2",
        "LATIN3",
        "LATIN4",
        "LATIN5",
        "LATIN6",
        "LATIN7",
        "LATIN8",
        "LATIN9",
        "LATIN10",
        "ISO_8859_5",
        "ISO_8859_6",
        "ISO_8859_7",
        "ISO_8859_8",
        "WIN866",
        "WIN874",
        "WIN1250",
        "WIN1251",
        "WIN1252",
        "WIN1253",
        "WIN1254",
        "WIN1255",
        "WIN1256",
        "WIN1257",
        "WIN1258",
        "KOI8R",
    ],
    &["SJIS", "GBK"],
];

/// Characters that an encoding has, as the server knows it: each on a line of its own.
const SIGNS: &str = "
CREATE TABLE signs (code integer PRIMARY KEY, sign text);
CREATE FUNCTION of_byte(n integer, encoding text) RETURNS text LANGUAGE plpgsql AS $$
  BEGIN RETURN convert_from(set_byte('\\x00', 0, n), encoding); EXCEPTION WHEN others THEN RETURN NULL; END $$;
CREATE FUNCTION has_sign(n integer, encoding text) RETURNS boolean LANGUAGE plpgsql AS $$
  BEGIN RETURN convert_from(convert_to(chr(n), encoding), encoding) = chr(n); EXCEPTION WHEN others THEN RETURN false; END $$;
";

#[test]
fn texts_arrive_from_every_encoding() {
    let database = shared().expect("a server").create_database("dumps_encodings").expect("a database");
    let url = database.url();
    let mut server = Server::connect(&url);
    server.run(SIGNS);
    let folder = tempfile::tempdir().expect("a directory");
    let mut wrong = Vec::new();
    for (encodings, several) in ENCODINGS.iter().zip([false, true]) {
        for encoding in encodings.iter().copied() {
            server.run("TRUNCATE signs");
            server.run(match several {
                false => {
                    format!("INSERT INTO signs SELECT n, of_byte(n, '{encoding}') FROM generate_series(1, 255) AS n")
                }
                true => format!(
                    "INSERT INTO signs SELECT n, chr(n) || '\\' || chr(n) FROM generate_series(1, 65533) AS n
                     WHERE n NOT BETWEEN 55296 AND 57343 AND has_sign(n, '{encoding}')"
                ),
            });
            let path = folder.path().join("signs.sql");
            dump(&url, &path, &["--encoding", encoding, "--table", "signs"]);
            let mut dump = open(&path);
            let compared = verify::compare_sources(
                &mut whole_run::source(&url).expect("a source"),
                &mut dump,
                Level::Digest,
                &nobody,
            );
            match compared {
                Err(error) => wrong.push(format!("{encoding}: {error}")),
                Ok(found) => {
                    let found = findings(&found.verification);
                    if !found.is_empty() {
                        wrong.push(format!("{encoding}: {}", found.chars().take(600).collect::<String>()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
