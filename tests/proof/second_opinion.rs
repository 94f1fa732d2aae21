//! The second opinion: the server agrees with a finished file whatever rule its columns take, and tells every difference
//! that somebody plants, with table, key and column.

use crate::support::whole_run::{Server, findings, migrate};
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::Instant;
use whimbrel::endpoint::PostgresUrl;
use whimbrel::harness::second_opinion::{Asker, Disagreement, DisagreementKind, second_opinion};
use whimbrel::provision::shared;
use whimbrel::to_sqlite::{Job, Outcome};
use whimbrel::types::{Representation, TextForm, TimeUnit};

const SOURCE: &str = r#"
CREATE TYPE pair AS (a integer, "b c" text);
CREATE TABLE items (
  id integer PRIMARY KEY, flag boolean, ratio double precision, single real, whole numeric(12,0), cents numeric(8,2),
  price numeric, label varchar(40), code char(4), nocase text, data bytea, uuid uuid, raw_uuid uuid,
  seconds timestamp, millis timestamptz, micros timestamptz, born date, day date, iso timestamptz, iso_t timestamptz,
  doc jsonb, tags text[], numbers numeric(10,2)[], made pair, address inet, doubled bigint GENERATED ALWAYS AS (id * 2) STORED
);
INSERT INTO items SELECT n, n % 2 = 0, sqrt(n), sqrt(n)::real, n * 1000, n + 0.25, n::numeric / 4 * 1.0, 'label ' || n, 'ab',
  'Case', decode(md5(n::text), 'hex'), md5(n::text)::uuid, md5(n::text)::uuid,
  '2026-01-01 00:00:00.5'::timestamp + n * interval '1 s', '1969-12-31 23:59:59.9999+00'::timestamptz + n * interval '1.001 s',
  '2026-01-01 00:00:00+00'::timestamptz + n * interval '1.000001 s', '1969-12-01'::date + n, '1969-12-01'::date + n,
  '2026-01-01 00:00:00+00'::timestamptz + n * interval '1 s', '0044-03-15 12:00:00.25+00 BC'::timestamptz + n * interval '1 s',
  '{"a": 1, "b": [1, 2]}', ARRAY['x', NULL, n::text], ARRAY[n, 1.5]::numeric(10,2)[], ROW(n, 'a "b"')::pair, '10.0.0.1/8'
  FROM generate_series(1, 50) AS n;
UPDATE items SET ratio = 'NaN', single = '-0', whole = 'NaN', cents = 'NaN', tags = '[0:1]={a,b}' WHERE id = 3;
UPDATE items SET ratio = 'infinity', micros = 'infinity', seconds = '-infinity', born = 'infinity', code = '' WHERE id = 4;
UPDATE items SET flag = NULL, label = NULL, doc = NULL, tags = NULL, made = NULL, born = NULL, data = NULL WHERE id = 5;
UPDATE items SET made = ROW(NULL, NULL)::pair, tags = '{}', label = '', data = '' WHERE id = 6;
CREATE TABLE pairs (a integer, b text COLLATE "C", v numeric(4,1), PRIMARY KEY (a, b));
INSERT INTO pairs VALUES (1, 'x', 10), (1, 'y"],[', 20), (2, 'x', 'NaN');
CREATE TABLE events (at timestamp, what text, weight real);
INSERT INTO events SELECT '2026-01-01'::timestamp + (n / 2) * interval '1 hour', 'event ' || n / 2, 0.1
  FROM generate_series(0, 19) AS n;
UPDATE events SET weight = 'NaN' WHERE what = 'event 3';
CREATE TABLE nothing (a integer PRIMARY KEY);
CREATE TYPE noted AS (author json, words text); CREATE TYPE notes AS (first noted, others noted[]);
CREATE TABLE noted_down (id integer PRIMARY KEY, one noted, many notes, list json[]);
INSERT INTO noted_down SELECT 1, n, ROW(n, ARRAY[n, n])::notes, ARRAY['{"a": "\\\u0000"}']::json[]
  FROM (SELECT ROW('{"a": "\u0000", "a": "\\u0000", "b": "\\\u0000\u0000"}', '\u0000 "x" \\u0000 ue000 \ue001')::noted AS n) AS made;
"#;

/// The columns that do not take their type's own rule.
const RULES: [(&str, Representation); 8] = [
    ("items.raw_uuid", Representation::UuidBlob),
    ("items.nocase", Representation::Text(TextForm::Nocase)),
    ("items.seconds", Representation::Epoch(TimeUnit::Seconds)),
    ("items.millis", Representation::Epoch(TimeUnit::Millis)),
    ("items.day", Representation::Epoch(TimeUnit::Millis)),
    ("items.iso", Representation::Text(TextForm::Iso8601)),
    ("items.iso_t", Representation::Text(TextForm::Iso8601T)),
    ("items.price", Representation::Text(TextForm::Decimal)),
];

struct Finished {
    _directory: tempfile::TempDir,
    _database: whimbrel::provision::Database,
    url: PostgresUrl,
    job: Job<'static>,
    outcome: Outcome,
}

fn finished(name: &str) -> Finished {
    let database = shared().expect("a PostgreSQL server").create_database(name).expect("a database");
    Server::connect(&database.url()).run(SOURCE);
    let directory = tempfile::tempdir().expect("a directory");
    let mut job = Job::new(directory.path().join("finished.db"));
    for (column, rule) in RULES {
        job.options.run.choices.rules.columns.insert(column.into(), rule);
    }
    let outcome = migrate(&database.url(), &job).unwrap_or_else(|error| panic!("{error}"));
    outcome.ensure_published().unwrap_or_else(|error| panic!("{error}{}", findings(&outcome.verification)));
    let url = PostgresUrl::parse(&database.url()).expect("a URL");
    Finished { _directory: directory, _database: database, url, job, outcome }
}

#[test]
fn the_server_agrees_under_every_rule() {
    let finished = finished("opinion");
    let used: BTreeSet<&str> = finished
        .outcome
        .plan
        .tables
        .iter()
        .flat_map(|table| table.columns.iter().map(|column| column.representation.name()))
        .collect();
    let unused: Vec<_> = Representation::all().filter(|rule| !used.contains(rule.name())).collect();
    assert!(unused.is_empty(), "no column takes {unused:?}");

    let mut asker = Asker::connect(&finished.url).expect("a connection");
    let opinion = asker.ask(&finished.job.target, &finished.outcome.plan).expect("an opinion");
    opinion.ensure_agreement().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((opinion.tables, opinion.rows, opinion.source_rows), (5, 74, 74));
    assert_eq!(opinion.values, 50 * 26 + 3 * 3 + 20 * 3 + 4);
    assert_eq!(opinion.ledger_values, finished.outcome.ledger_entries());
    assert!(opinion.ledger_values > 100, "{opinion}");

    // An open connection can be asked again; nothing of the first question is left.
    let start = Instant::now();
    for _ in 0..10 {
        assert_eq!(asker.ask(&finished.job.target, &finished.outcome.plan).expect("an opinion"), opinion);
    }
    let each = start.elapsed() / 10;
    let start = Instant::now();
    second_opinion(&finished.url, &finished.job.target, &finished.outcome.plan).expect("an opinion");
    let first = start.elapsed();
    let _ = writeln!(
        std::io::stderr(),
        "second opinion: {opinion}; {each:?} on an open connection, {first:?} on a new one"
    );
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table of cases, and what is done with each")]
fn every_planted_difference_is_told_with_table_key_and_column() {
    let finished = finished("planted");
    let mut asker = Asker::connect(&finished.url).expect("a connection");
    let copy = finished.job.target.with_file_name("copy.db");
    let items = |key: &'static str, column: &'static str, statement: &'static str| {
        ("items", key, Some(column), DisagreementKind::Value, statement)
    };
    use DisagreementKind::{Foreign, Ledger, Missing, Surplus, Unreadable};
    let planted = [
        items("[7]", "flag", "UPDATE items SET flag = 1 - flag WHERE id = 7"),
        items("[7]", "flag", "UPDATE items SET flag = 2 WHERE id = 7"),
        items("[7]", "ratio", "UPDATE items SET ratio = ratio + 4.440892098500626e-16 WHERE id = 7"),
        items("[7]", "single", "UPDATE items SET single = single + 1e-12 WHERE id = 7"),
        items("[7]", "single", "UPDATE items SET single = 1e300 WHERE id = 7"),
        items("[7]", "whole", "UPDATE items SET whole = whole + 1 WHERE id = 7"),
        items("[7]", "cents", "UPDATE items SET cents = cents + 1e-9 WHERE id = 7"),
        items("[7]", "price", "UPDATE items SET price = price || '0' WHERE id = 7"),
        items("[7]", "label", "UPDATE items SET label = label || ' ' WHERE id = 7"),
        items("[7]", "label", "UPDATE items SET label = NULL WHERE id = 7"),
        items("[5]", "label", "UPDATE items SET label = '' WHERE id = 5"),
        items("[7]", "code", "UPDATE items SET code = 'ab ' WHERE id = 7"),
        items("[7]", "nocase", "UPDATE items SET nocase = 'case' WHERE id = 7"),
        items("[7]", "data", "UPDATE items SET data = CAST(x'00' || data AS BLOB) WHERE id = 7"),
        items("[7]", "uuid", "UPDATE items SET uuid = upper(uuid) WHERE id = 7"),
        items("[7]", "raw_uuid", "UPDATE items SET raw_uuid = zeroblob(16) WHERE id = 7"),
        items("[7]", "raw_uuid", "UPDATE items SET raw_uuid = x'00' WHERE id = 7"),
        items("[7]", "micros", "UPDATE items SET micros = micros + 1 WHERE id = 7"),
        items("[4]", "micros", "UPDATE items SET micros = micros - 1 WHERE id = 4"),
        items("[7]", "born", "UPDATE items SET born = date(born, '+1 day') WHERE id = 7"),
        items("[7]", "day", "UPDATE items SET day = day + 1 WHERE id = 7"),
        items("[7]", "day", "UPDATE items SET day = day + 86400000 WHERE id = 7"),
        items("[7]", "iso", "UPDATE items SET iso = replace(iso, '+00', '+01') WHERE id = 7"),
        items("[7]", "iso_t", "UPDATE items SET iso_t = replace(iso_t, '.25', '.26') WHERE id = 7"),
        items("[7]", "iso_t", "UPDATE items SET iso_t = 'yesterday morning' WHERE id = 7"),
        items("[7]", "doc", "UPDATE items SET doc = '{\"a\":1,\"b\":[1,2]}' WHERE id = 7"),
        items("[7]", "tags", "UPDATE items SET tags = '[\"x\",\"null\",\"7\"]' WHERE id = 7"),
        items("[7]", "tags", "UPDATE items SET tags = '[\"x\"' WHERE id = 7"),
        items("[7]", "numbers", "UPDATE items SET numbers = '[7.00,1.504]' WHERE id = 7"),
        items("[7]", "made", "UPDATE items SET made = json_set(made, '$.a', 8) WHERE id = 7"),
        items("[5]", "made", "UPDATE items SET made = '{\"a\":null,\"b c\":null}' WHERE id = 5"),
        items("[7]", "address", "UPDATE items SET address = '10.0.0.1' WHERE id = 7"),
        items("[3]", "ratio", "DELETE FROM _whimbrel_ledger WHERE row_key = '[3]' AND column_name = 'ratio'"),
        items(
            "[3]",
            "tags",
            "UPDATE _whimbrel_ledger SET exact = '[2:3]={a,b}' WHERE row_key = '[3]' AND column_name = 'tags'",
        ),
        items(
            "[9]",
            "seconds",
            "UPDATE _whimbrel_ledger SET exact = replace(exact, '.5', '.6') WHERE row_key = '[9]' AND column_name = 'seconds'",
        ),
        items("[3]", "label", "UPDATE items SET label = CAST(x'6c6162656c203300' AS TEXT) WHERE id = 3"),
        (
            "items",
            "[99]",
            Some("cents"),
            Ledger,
            "INSERT INTO _whimbrel_ledger VALUES ('items', '[99]', 'cents', 'NaN')",
        ),
        (
            "pairs",
            r#"[1,"y\"],["]"#,
            Some("v"),
            DisagreementKind::Value,
            "UPDATE pairs SET v = 20.1 WHERE a = 1 AND b <> 'x'",
        ),
        ("pairs", r#"["1","x"]"#, None, Missing, "DELETE FROM pairs WHERE a = 1 AND b = 'x'"),
        ("pairs", r#"[3,"z"]"#, None, Surplus, "INSERT INTO pairs VALUES (3, 'z', 1)"),
        ("pairs", r#"[2,"X"]"#, None, Surplus, "UPDATE pairs SET b = 'X' WHERE a = 2"),
        (
            "pairs",
            r#"[1,"x"]"#,
            Some("v"),
            Foreign,
            "ALTER TABLE pairs RENAME TO old; CREATE TABLE pairs (a, b, v);
             INSERT INTO pairs SELECT a, b, CAST(v AS TEXT) FROM old",
        ),
        ("pairs", "", None, Unreadable, "ALTER TABLE pairs RENAME TO pair"),
        (
            "events",
            "event 4",
            None,
            Missing,
            "DELETE FROM events WHERE rowid = (SELECT max(rowid) FROM events WHERE what = 'event 4')",
        ),
        ("events", "event 5", None, Surplus, "INSERT INTO events SELECT * FROM events WHERE rowid = 9"),
        ("events", "event 5", None, Missing, "UPDATE events SET at = at + 1 WHERE rowid = 9"),
    ];
    let mut wrong = Vec::new();
    for (table, key, column, kind, statement) in planted {
        std::fs::copy(&finished.job.target, &copy).expect("a copy");
        let connection = Connection::open(&copy).expect("the copy opens");
        connection
            .execute_batch("PRAGMA journal_mode = DELETE; PRAGMA ignore_check_constraints = ON")
            .expect("the copy can be changed");
        connection.execute_batch(statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
        connection.close().expect("the copy closes");
        let opinion = asker.ask(&copy, &finished.outcome.plan).unwrap_or_else(|error| panic!("{statement}: {error}"));
        let is_told = |told: &Disagreement| {
            let by_key = if table == "events" { told.key.contains(key) } else { told.key == key };
            told.table.name == table && by_key && told.column.as_deref() == column && told.kind == kind
        };
        let about_others = opinion.disagreements.iter().any(|told| told.table.name != table);
        let told: Vec<_> = opinion.disagreements.iter().map(ToString::to_string).collect();
        if opinion.agrees() || about_others || !opinion.disagreements.iter().any(is_told) {
            wrong.push(format!("{statement}: {told:?}"));
        }
        if kind == DisagreementKind::Value && opinion.disagreements.len() != 1 {
            wrong.push(format!("{statement}: not the one difference: {told:?}"));
        }
        assert!(opinion.ensure_agreement().is_err(), "{statement}");
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), planted.len(), wrong.join("\n"));
}

#[test]
fn a_target_that_was_never_filled_is_no_agreement_and_errors_show_no_password() {
    let finished = finished("unfilled");
    let empty = finished.job.target.with_file_name("empty.db");
    Connection::open(&empty).expect("a file").execute_batch("CREATE TABLE other (a)").expect("a table");
    let opinion = second_opinion(&finished.url, &empty, &finished.outcome.plan).expect("an opinion");
    assert!(!opinion.agrees());
    assert_eq!(opinion.disagreements.len(), 5);
    assert!(opinion.disagreements.iter().all(|told| told.kind == DisagreementKind::Unreadable));

    let url = PostgresUrl::parse("postgres://ann:hush-hush@127.0.0.1:1/none").expect("a URL");
    let error = second_opinion(&url, &empty, &finished.outcome.plan).expect_err("nobody listens there");
    assert!(!format!("{error} {error:?}").contains("hush"), "{error}");
}
