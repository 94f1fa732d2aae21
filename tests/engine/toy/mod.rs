//! The contract of an endpoint, kept by the smallest one: rows from a `Vec`, a target that is a `HashMap`. It goes through
//! plan, migrate and verify with every other endpoint, and knows nothing of them.

mod endpoint;

use crate::support::program;
use endpoint::{Row, Store, ToySource, ToyTarget};
use std::borrow::Cow;
use std::sync::Arc;
use whimbrel::cancel::Cancel;
use whimbrel::catalog::{Catalog, QualifiedName};
use whimbrel::endpoint::postgres::PostgresSource;
use whimbrel::endpoint::{PostgresUrl, Source};
use whimbrel::event::{Event, nobody};
use whimbrel::to_sqlite;
use whimbrel::transfer::run::{self, RunOptions};
use whimbrel::value::Cell;
use whimbrel::verify::{self, FileOptions, Level, Question, Verification, verify_file};

/// Where a toy source goes.
fn target(store: &Store, source: &ToySource) -> ToyTarget {
    ToyTarget { store: Arc::clone(store), catalog: Arc::clone(&source.catalog) }
}

fn text(value: &str) -> Cell<'static> {
    Cell::Text(Cow::Owned(value.to_owned()))
}

/// Tables with a key `id`, a text `name` and a number `size`.
fn catalog(names: &[&str]) -> Arc<Catalog> {
    let columns = r#"[{"name": "id", "data_type": {"name": "bigint", "shape": "big_int"}, "not_null": true},
                      {"name": "name", "data_type": {"name": "text", "shape": "text"}, "not_null": false},
                      {"name": "size", "data_type": {"name": "double precision", "shape": "double"}, "not_null": false}]"#;
    let table = |name: &&str| {
        format!(
            r#"{{"name": {{"schema": "public", "name": "{name}"}}, "kind": "ordinary", "inherits": [], "has_heirs": false,
                 "columns": {columns}, "primary_key": {{"name": "{name}_key", "columns": ["id"],
                 "nulls_not_distinct": false, "deferrable": "no", "include": []}}, "unique_keys": [], "foreign_keys": [],
                 "checks": [], "indexes": [], "row_estimate": 2, "size_bytes": 0}}"#
        )
    };
    let tables: Vec<_> = names.iter().map(table).collect();
    let text = format!(
        r#"{{"engine": "Toy 1", "dialect": "sqlite", "database": "toy", "encoding": "UTF8", "tables": [{}],
             "views": [], "sequences": [], "others": []}}"#,
        tables.join(",")
    );
    Arc::new(serde_json::from_str(&text).expect("a catalog"))
}

/// Two tables of people and of notes, whose rows come in turns.
fn toy() -> ToySource {
    let person = |id: i64, name: &str| (0, vec![Cell::Int(id), text(name), Cell::Float(f64::NAN)]);
    let note = |id: i64, body: Cell<'static>| (1, vec![Cell::Int(id), body, Cell::Float(0.5)]);
    let rows = vec![person(1, "Ann"), note(7, text("")), person(2, "Bob"), note(8, Cell::Null), person(3, "Eve")];
    ToySource { catalog: catalog(&["people", "notes"]), rows }
}

/// What is in the store by the name of the target's table, in the order in which it came.
fn rows(store: &Store, table: &str) -> Vec<Row> {
    store.lock().expect("nobody panicked").get(table).cloned().unwrap_or_default()
}

/// Compares a store with its source, as a later verification does.
fn compared(store: &Store, source: &mut ToySource) -> Verification {
    let mut target = target(store, source);
    let (_, plan) = run::plan(source, &mut target, &RunOptions::default()).expect("a plan");
    let plan = Arc::new(plan);
    let mut target = target.opened(&plan);
    let question = Question {
        plan: &plan,
        level: Level::Full,
        metadata: true,
        source_digests: None,
        inexact: Vec::new(),
        allow_inexact: false,
    };
    verify::compare(question, source, &mut target, &Cancel::new(), &nobody).expect("a comparison")
}

#[test]
fn a_toy_becomes_a_toy_and_a_changed_row_is_found() {
    let (store, mut source) = (Store::default(), toy());
    let target = target(&store, &source);
    let outcome = run::migrate(&mut source, target, &RunOptions::default(), &Cancel::new(), &nobody).expect("a run");
    outcome.ensure_published().expect("it is sound");
    assert_eq!(outcome.published, Some(5));
    assert_eq!((rows(&store, "people").len(), rows(&store, "notes").len()), (3, 2));
    assert_eq!(rows(&store, "notes")[1], vec![Cell::Int(8), Cell::Null, Cell::Float(0.5)]);
    assert!(compared(&store, &mut source).is_sound());

    store.lock().expect("nobody panicked").get_mut("people").expect("the table")[1][1] = text("Rob");
    let found = compared(&store, &mut source);
    let differences = found.tables[0].differences.as_ref().expect("they were looked for");
    assert_eq!((differences.changed, differences.total()), (1, 1));
    assert_eq!(differences.rows[0].key, "[2]");
    let column = &differences.rows[0].columns[0];
    let sides = (column.source.as_deref(), column.target.as_deref());
    assert_eq!((column.column.as_str(), sides), ("name", (Some("Bob"), Some("Rob"))));
    assert!(found.tables[1].is_sound());
}

#[test]
fn a_draft_that_is_not_published_never_was() {
    let (store, mut source) = (Store::default(), toy());
    let (target, cancel) = (target(&store, &source), Cancel::new());
    let stop = |event: Event| {
        if matches!(event, Event::RowsCopied { .. }) {
            cancel.cancel();
        }
    };
    let error = run::migrate(&mut source, target, &RunOptions::default(), &cancel, &stop).unwrap_err();
    assert!(error.to_string().starts_with("copy: it was interrupted"), "{error}");
    assert!(store.lock().expect("nobody panicked").is_empty());
}

#[test]
fn a_toy_becomes_a_sqlite_file_that_is_verified_against_it_later() {
    let directory = tempfile::tempdir().expect("a directory");
    let job = to_sqlite::Job::new(directory.path().join("toy.db"));
    let outcome = to_sqlite::migrate(&mut toy(), &job, &Cancel::new(), &nobody).expect("a run");
    outcome.ensure_published().expect("it is sound");
    assert_eq!(outcome.ledger_entries(), 3, "NaN has no place in a file");
    let options = FileOptions { level: Level::Paranoid, ..FileOptions::default() };
    let later = |source: &mut ToySource| {
        verify_file(source, &job.target, options.clone(), &Cancel::new(), &nobody).expect("a verification").verification
    };
    let found = later(&mut toy());
    assert!(found.is_sound());
    assert!(
        found.findings.not_checked.iter().any(|text| text.contains("its engine computes none")),
        "{:?}",
        found.findings
    );
    let mut other = toy();
    other.rows[0].1[1] = text("Anna");
    assert_eq!(later(&mut other).tables[0].differences.as_ref().expect("they were looked for").changed, 1);
}

#[test]
fn a_postgresql_database_becomes_a_toy() {
    let database = program::database(
        "CREATE TABLE people (id integer PRIMARY KEY, name text NOT NULL, born timestamptz, tags text[]);
         INSERT INTO people VALUES (1, 'Ann', '2000-01-01 00:00:01+00', '{a,b}'), (2, 'Bob', 'infinity', NULL)",
    );
    let url = PostgresUrl::parse(&database.url()).expect("a URL");
    let mut source = PostgresSource::connect(&url, &Cancel::new()).expect("a source");
    let store = Store::default();
    let target = ToyTarget { store: Arc::clone(&store), catalog: source.catalog().expect("a catalog") };
    let job = RunOptions { level: Level::Paranoid, ..RunOptions::default() };
    let outcome = run::migrate(&mut source, target, &job, &Cancel::new(), &nobody).expect("a run");
    outcome.ensure_published().expect("it is sound");
    assert_eq!(outcome.plan.tables[0].source, QualifiedName::new("public", "people"));
    let ann = vec![Cell::Int(1), text("Ann"), Cell::TimestampTz(1_000_000), Cell::Native(Cow::Borrowed("{a,b}"))];
    assert_eq!(rows(&store, "people")[0], ann);
    assert_eq!(rows(&store, "people")[1][2..], [Cell::TimestampTz(i64::MAX), Cell::Null]);
}
