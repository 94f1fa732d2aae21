//! Every view, check, default, generated column and index that is carried answers as it did in PostgreSQL, or the plan
//! says where it does not: asked of a bank of what people write, over ordinary rows and awkward ones.

mod ask;
mod ask_views;
mod bank;
mod bank_of_queries;
mod bank_of_times;
mod compare;
#[cfg(feature = "harness")]
mod databases;
#[cfg(feature = "harness")]
mod random;
mod rows;
mod told;

use self::ask::{Rows, Search, quote};
use self::bank_of_queries::{DEFAULTS, UNIQUE_INDEXES, VIEWS};
use crate::support::whole_run::{self, Server};
use rusqlite::Connection;
use std::sync::Arc;
use whimbrel::catalog::QualifiedName;
use whimbrel::to_sqlite::Job;
use whimbrel::types::Representation;

/// Runs statements of which the server may refuse some; tells which.
fn run_each(server: &mut Server, statements: &[String]) -> Vec<String> {
    server.run("CREATE TEMP TABLE IF NOT EXISTS refused (statement text, reason text); TRUNCATE refused");
    let list: Vec<_> = statements.iter().map(|statement| format!("$s${statement}$s$")).collect();
    server.run(format!(
        "DO $do$ DECLARE statement text; BEGIN
             FOREACH statement IN ARRAY ARRAY[{}]::text[] LOOP
                 BEGIN EXECUTE statement;
                 EXCEPTION WHEN others THEN INSERT INTO refused VALUES (statement, sqlerrm);
                 END;
             END LOOP;
         END $do$",
        list.join(", ")
    ));
    server.column("SELECT statement || ': ' || reason FROM refused")
}

/// A table with hundreds of them is slow to change.
const EXPRESSIONS_A_TABLE: usize = 50;

/// The objects of some expressions: a view of each, a check and an index's predicate of each condition, a generated
/// column and an index's key.
fn make_expressions(server: &mut Server, expressions: &[String]) -> Vec<String> {
    let view = |(place, expression): (usize, &String)| {
        format!("CREATE VIEW e{place} AS SELECT id, {expression} AS e FROM sample")
    };
    let mut refused = run_each(server, &expressions.iter().enumerate().map(view).collect::<Vec<_>>());
    let types = server.rows(
        "SELECT substr(relname, 2)::int, format_type(atttypid, atttypmod) FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
         WHERE relname ~ '^e[0-9]+$' AND attname = 'e' AND relkind = 'v' ORDER BY 1",
    );
    let mut statements = Vec::new();
    for group in 0..=expressions.len() / EXPRESSIONS_A_TABLE {
        statements.extend([rows::table(&format!("checked{group}")), rows::table(&format!("computed{group}"))]);
    }
    for row in types {
        let place: usize = row[0].as_deref().and_then(|text| text.parse().ok()).expect("a place");
        let data_type = row[1].as_deref().expect("a type");
        let expression = &expressions[place];
        let group = place / EXPRESSIONS_A_TABLE;
        statements.push(format!(
            "ALTER TABLE computed{group} ADD COLUMN g{place} {data_type} GENERATED ALWAYS AS ({expression}) STORED"
        ));
        statements.push(format!("CREATE INDEX i{place} ON checked{group} (({expression}))"));
        if data_type == "boolean" {
            statements.push(format!("ALTER TABLE checked{group} ADD CONSTRAINT k{place} CHECK ({expression})"));
            statements.push(format!("CREATE INDEX p{place} ON checked{group} (id) WHERE {expression}"));
        }
    }
    refused.extend(run_each(server, &statements));
    refused
}

fn job(target: std::path::PathBuf) -> Job<'static> {
    let mut job = Job::new(target);
    for (column, rule) in rows::RULES {
        let rule = Representation::named(rule).expect("a rule");
        job.options.run.choices.rules.columns.insert((*column).to_owned(), rule);
        // The tables that have the same columns.
        let name = column.split('.').next_back().expect("a name");
        job.options.run.choices.rules.columns.insert(format!("*.{name}"), rule);
    }
    job
}

fn of(name: &str) -> Rows {
    let table = QualifiedName::new("public", name);
    Rows { postgres: format!("public.{}", quote(name)), sqlite: quote(name), key: quote("id"), table }
}

/// Migrates the database and opens the file to write.
fn search(server: Server, url: &str, directory: &std::path::Path) -> Search {
    let job = job(directory.join("target.db"));
    let outcome = whole_run::migrate(url, &job).expect("a migration");
    let found = whole_run::findings(&outcome.verification);
    assert!(found.is_empty(), "{found}");
    let (catalog, plan) =
        whimbrel::to_sqlite::plan(&mut whole_run::source(url).expect("a source"), &job).expect("a plan");
    let file = Connection::open(&job.target).expect("the file");
    file.execute_batch("PRAGMA synchronous = off; PRAGMA journal_mode = memory; PRAGMA foreign_keys = off")
        .expect("settings");
    Search::new(server, file, Arc::unwrap_or_clone(catalog), plan)
}

/// Tables with rows, and empty ones for what rows would not pass.
fn make_tables(server: &mut Server) {
    server.run(rows::TYPES);
    for (name, awkward) in [("sample", true), ("plain", false)] {
        server.run(rows::table(name));
        server.run(rows::fill(name, awkward));
    }
}

fn report(search: &Search, least: &[(&str, usize)]) {
    for (kind, count) in &search.counts {
        println!("{kind}: {count:?}");
    }
    assert!(
        search.wrong.is_empty(),
        "{} differ and are not told:\n\n{}",
        search.wrong.len(),
        search.wrong.join("\n\n")
    );
    for (kind, least) in least {
        let carried = search.counts.get(kind).map_or(0, |count| count.equal + count.told);
        assert!(carried >= *least, "only {carried} of the kind {kind} are carried, {least} before");
    }
}

/// How many of something are made: the variable's number, or so many.
#[cfg(feature = "harness")]
fn many(variable: &str, few: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(few)
}

/// WHIMBREL_ANSWERS_SEED and WHIMBREL_ANSWERS_EXPRESSIONS ask for others, and more.
#[cfg(feature = "harness")]
#[test]
fn random_expressions_are_answered_alike_or_told() {
    let seed = many("WHIMBREL_ANSWERS_SEED", 1);
    println!("WHIMBREL_ANSWERS_SEED={seed}");
    let provision = whimbrel::provision::shared().expect("a PostgreSQL for the tests");
    let database = provision.create_database("random_expressions").expect("a database");
    let mut server = Server::connect(&database.url());
    make_tables(&mut server);
    let expressions = random::expressions(seed, many("WHIMBREL_ANSWERS_EXPRESSIONS", 150));
    let refused = make_expressions(&mut server, &expressions);
    let views = refused.iter().filter(|statement| statement.starts_with("CREATE VIEW")).count();
    assert!(views * 10 < expressions.len(), "the server refuses {views}: {refused:?}");
    let directory = tempfile::tempdir().expect("a directory");
    let mut search = search(server, &database.url(), directory.path());
    search.tables(&of("sample"), |name| name.starts_with("checked") || name.starts_with("computed"));
    search.views(&[of("sample")]);
    report(&search, &[("check", 20), ("generated column", 20), ("view", 60)]);
}

#[test]
fn every_expression_of_the_bank_is_answered_alike_or_told() {
    let provision = whimbrel::provision::shared().expect("a PostgreSQL for the tests");
    let database = provision.create_database("answers").expect("a database");
    let mut server = Server::connect(&database.url());
    make_tables(&mut server);
    let expressions: Vec<String> =
        bank::EXPRESSIONS.iter().flat_map(|group| group.iter().map(|one| (*one).to_owned())).collect();
    let refused = make_expressions(&mut server, &expressions);
    for statement in refused.iter().filter(|statement| statement.starts_with("CREATE VIEW")) {
        println!("the server refuses {statement}");
    }
    let directory = tempfile::tempdir().expect("a directory");
    let mut search = search(server, &database.url(), directory.path());
    search.tables(&of("sample"), |name| name.starts_with("checked") || name.starts_with("computed"));
    search.views(&[of("sample")]);
    report(
        &search,
        &[("check", 330), ("generated column", 370), ("index's predicate", 320), ("index's key", 560), ("view", 670)],
    );
}

#[test]
fn every_query_default_and_unique_index_of_the_bank_is_answered_alike_or_told() {
    let provision = whimbrel::provision::shared().expect("a PostgreSQL for the tests");
    let database = provision.create_database("queries").expect("a database");
    let mut server = Server::connect(&database.url());
    make_tables(&mut server);
    let mut statements = Vec::new();
    for (place, view) in VIEWS.iter().enumerate() {
        for table in ["sample", "plain"] {
            statements.push(format!("CREATE VIEW v{place}_{table} AS {}", view.replace("{t}", table)));
        }
    }
    statements.push("CREATE TABLE defaults ()".to_owned());
    for (place, (data_type, default)) in DEFAULTS.iter().enumerate() {
        statements.push(format!("ALTER TABLE defaults ADD COLUMN d{place} {data_type} DEFAULT {default}"));
    }
    for (place, index) in UNIQUE_INDEXES.iter().enumerate() {
        for table in ["sample", "plain"] {
            statements.push(format!("CREATE TABLE u{place}_{table} (LIKE {table})"));
            statements.push(format!("CREATE UNIQUE INDEX u{place}_{table}_key ON u{place}_{table} {index}"));
        }
    }
    let refused = run_each(&mut server, &statements);
    for statement in &refused {
        println!("the server refuses {statement}");
    }
    let directory = tempfile::tempdir().expect("a directory");
    let mut search = search(server, &database.url(), directory.path());
    search.views(&[of("sample"), of("plain")]);
    search.defaults(&QualifiedName::new("public", "defaults"));
    let columns: Vec<&str> = std::iter::once("id").chain(rows::COLUMNS.iter().map(|column| column.name)).collect();
    for place in 0..UNIQUE_INDEXES.len() {
        for table in ["sample", "plain"] {
            search.acceptance(&QualifiedName::new("public", format!("u{place}_{table}")), &of(table), &columns);
        }
    }
    report(&search, &[("default", 100), ("unique index", 150), ("view", 370)]);
}
