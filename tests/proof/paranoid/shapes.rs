//! Every kind of relation, every encoding, every way to leave something out: both digests agree, and what cannot be
//! asked is said by name.

use crate::support::whole_run::{Server, findings, migrate, source};
use whimbrel::cancel::Cancel;
use whimbrel::event::nobody;
use whimbrel::provision::shared;
use whimbrel::to_sqlite::{Job, Outcome};
use whimbrel::types::{Representation, TextForm};
use whimbrel::verify::{FileOptions, Level, verify_file};

const RELATIONS: &str = r#"
CREATE TABLE parted (id integer NOT NULL, region text NOT NULL, label char(6), twice bigint GENERATED ALWAYS AS (id * 2) STORED)
  PARTITION BY LIST (region);
CREATE TABLE parted_north PARTITION OF parted FOR VALUES IN ('north');
CREATE TABLE parted_rest PARTITION OF parted DEFAULT PARTITION BY RANGE (id);
CREATE TABLE parted_rest_low PARTITION OF parted_rest FOR VALUES FROM (0) TO (50);
CREATE TABLE parted_rest_high PARTITION OF parted_rest DEFAULT;
INSERT INTO parted SELECT n, CASE WHEN n % 3 = 0 THEN 'north' ELSE 'south ' || n % 5 END, n::text FROM generate_series(1, 100) n;
CREATE TABLE parent (id integer PRIMARY KEY, body text);
CREATE TABLE child (extra numeric) INHERITS (parent);
INSERT INTO parent SELECT n, 'parent ' || n FROM generate_series(1, 10) n;
INSERT INTO child SELECT n, 'child ' || n, n / 7.0 FROM generate_series(1, 5) n;
CREATE MATERIALIZED VIEW totals AS SELECT region, count(*) AS rows, sum(id) AS ids, avg(id) AS mean FROM parted GROUP BY region;
CREATE TABLE gone (id integer PRIMARY KEY, removed text, secret text, kept text);
INSERT INTO gone SELECT n, 'removed', 'secret', 'kept ' || n FROM generate_series(1, 8) n;
ALTER TABLE gone DROP COLUMN removed;
CREATE TABLE empty (a integer, b text);
CREATE TABLE equal (a integer, b text);
INSERT INTO equal SELECT 1, NULL FROM generate_series(1, 7);
CREATE TABLE "odd ""names"" '' %s" ("t0" text, "hash" text, "a ""b""" text, "OFFSET 0" text);
INSERT INTO "odd ""names"" '' %s" VALUES ('x', NULL, '', ':'), ('1:', '', NULL, E'\n');
CREATE SCHEMA "Other"; CREATE TABLE "Other".parent (id integer, doc json, at timestamptz);
INSERT INTO "Other".parent VALUES (1, '{ "a" : 1 }', '0044-03-15 12:00:00.25+00 BC'), (2, '[]', 'infinity');
"#;

/// Migrates at that level and asserts that the source's own digest of every table is the file's.
fn agreed(url: &str, job: &Job<'_>) -> Outcome {
    let outcome = migrate(url, job).unwrap_or_else(|error| panic!("{error} ({:?})", error.way_out()));
    outcome.ensure_published().unwrap_or_else(|error| panic!("{error}{}", findings(&outcome.verification)));
    for check in &outcome.verification.tables {
        assert_eq!(check.source_agrees(), Some(true), "{}", check.source);
        let (own, _) = check.own_digests.expect("a digest");
        assert_eq!((own.rows, own.first == 0), (check.source_rows, check.source_rows == 0), "{}", check.source);
    }
    outcome
}

fn paranoid(target: impl Into<std::path::PathBuf>) -> Job<'static> {
    Job::new(target).verified(Level::Paranoid)
}

#[test]
fn every_kind_of_relation_is_digested_by_the_server_as_it_is_copied() {
    let database = shared().expect("a PostgreSQL server").create_database("relations").expect("a database");
    let mut server = Server::connect(&database.url());
    server.run(RELATIONS);
    let columns: Vec<_> = (0..1_500).map(|n| format!("c{n} smallint")).collect();
    server.run(format!("CREATE TABLE wide ({})", columns.join(", ")));
    server.run("INSERT INTO wide (c0, c1499) VALUES (1, 2), (NULL, 3)");
    let directory = tempfile::tempdir().expect("a directory");
    let mut job = paranoid(directory.path().join("app.db"));
    job.options.run.choices.drop.insert("gone.secret".into(), "nobody reads it".into());
    let outcome = agreed(&database.url(), &job);
    assert_eq!(outcome.verification.findings.not_checked, Vec::<String>::new());
    let rows = |name: &str| {
        let is_it = |check: &&whimbrel::verify::TableCheck| check.source.to_string() == name;
        outcome.verification.tables.iter().find(is_it).expect("the table").source_rows
    };
    assert_eq!((rows("public.parted"), rows("public.parent"), rows("public.child")), (100, 10, 5));
    assert_eq!((rows("public.equal"), rows("public.totals"), rows("public.wide")), (7, 6, 2));
}

#[test]
fn a_finished_file_is_verified_later_and_a_change_of_it_is_noticed_by_the_servers_digest_alone() {
    let database = shared().expect("a PostgreSQL server").create_database("later").expect("a database");
    let mut server = Server::connect(&database.url());
    server.run("CREATE TABLE t (id integer PRIMARY KEY, body text); INSERT INTO t VALUES (1, 'a'), (2, 'b')");
    let directory = tempfile::tempdir().expect("a directory");
    let job = Job::new(directory.path().join("app.db"));
    migrate(&database.url(), &job).and_then(|outcome| outcome.ensure_published()).expect("a migration");
    let verify = |level| {
        let mut source = source(&database.url()).expect("a source");
        let options = FileOptions { level, ..FileOptions::default() };
        verify_file(&mut source, &job.target, options, &Cancel::new(), &nobody).expect("an answer").verification
    };
    let found = verify(Level::Paranoid);
    assert!(found.is_sound(), "{}", findings(&found));
    assert_eq!(found.tables[0].source_agrees(), Some(true));
    assert_eq!(verify(Level::Full).tables[0].source_agrees(), None);
    server.run("UPDATE t SET body = 'c' WHERE id = 2");
    let found = verify(Level::Paranoid);
    assert_eq!(found.tables[0].source_agrees(), Some(false));
    assert!(!found.is_sound());
}

#[test]
fn the_database_may_have_another_encoding() {
    let postgres = shared().expect("a PostgreSQL server");
    let mut admin = Server::connect(postgres.admin_url());
    for (encoding, texts) in [
        ("LATIN1", "'Grüße', 'ÿ', ''"),
        ("WIN1252", "'€ 5', '„Œuvre“', NULL"),
        ("EUC_JP", "'日本語', 'ｱ', 'a'"),
        ("SQL_ASCII", "'plain', 'Grüße', '日本'"),
    ] {
        let name = format!("whimbrel_encoding_{}_{}", encoding.to_lowercase(), std::process::id());
        admin.run(format!(
            "CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        ));
        let outcome = std::panic::catch_unwind(|| {
            let url = postgres.url(&name);
            let mut server = Server::connect(&url);
            server.run(format!(
                "SET client_encoding = 'UTF8'; CREATE TABLE t (id integer PRIMARY KEY, a text, b varchar(20), c char(9), d text[]);
                 INSERT INTO t SELECT place, word, word, word, ARRAY[word, word || ' x']
                   FROM unnest(ARRAY[{texts}]) WITH ORDINALITY AS u (word, place)"
            ));
            let directory = tempfile::tempdir().expect("a directory");
            agreed(&url, &paranoid(directory.path().join("app.db")));
        });
        admin.run(format!("DROP DATABASE {name} WITH (FORCE)"));
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    }
}

#[test]
fn without_a_ledger_what_is_not_held_is_left_out_by_name_and_nothing_else() {
    let database = shared().expect("a PostgreSQL server").create_database("ledger").expect("a database");
    let mut server = Server::connect(&database.url());
    server.run(
        "CREATE TABLE readings (id integer PRIMARY KEY, ratio double precision, calm double precision, at timestamp(6), note text);
         INSERT INTO readings SELECT n, n / 3.0, n / 7.0, '2026-01-01'::timestamp + n * interval '1.5 s', 'note ' || n
           FROM generate_series(1, 40) n;
         UPDATE readings SET ratio = 'NaN' WHERE id = 7; UPDATE readings SET at = '294276-12-31 23:59:59' WHERE id = 8;
         CREATE TABLE calm AS SELECT id, calm, note FROM readings",
    );
    let directory = tempfile::tempdir().expect("a directory");
    let mut job = paranoid(directory.path().join("app.db"));
    (job.options.run.metadata, job.options.run.allow_inexact) = (false, true);
    let outcome = agreed(&database.url(), &job);
    let named: Vec<_> = outcome
        .verification
        .findings
        .not_checked
        .iter()
        .filter(|line| line.starts_with("the source's own digest"))
        .collect();
    assert_eq!(
        named,
        [
            "the source's own digest of column `ratio` of `public.readings` (it does not hold every value, and there is no ledger)",
            "the source's own digest of column `at` of `public.readings` (it does not hold every value, and there is no ledger)",
        ]
    );
    // Text holds them, and then nothing is left out, nor has anything to be allowed.
    job.options.run.allow_inexact = false;
    for column in ["readings.ratio", "readings.at"] {
        job.options.run.choices.rules.columns.insert(column.into(), Representation::Text(TextForm::Server));
    }
    let outcome = agreed(&database.url(), &job);
    assert!(!outcome.verification.findings.not_checked.iter().any(|line| line.contains("own digest")));
}
