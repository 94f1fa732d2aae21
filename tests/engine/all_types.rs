//! One column per type of PostgreSQL, extreme and awkward values: every value arrives exactly or is in the ledger.
//!
//! The judge is the server: `harness::second_opinion` lets it compare what stands in the SQLite file with its own.
//! That shares no code with the program's own reading and writing of values.

use crate::support::whole_run::{self, Server, compared, findings, migrate, source, verify};
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use whimbrel::catalog::Shape;
use whimbrel::endpoint::PostgresUrl;
use whimbrel::harness::Seed;
use whimbrel::harness::mutation::{self, KillRate, Subject};
use whimbrel::harness::second_opinion::second_opinion;
use whimbrel::plan::choices::Choices;
use whimbrel::plan::{ColumnPlan, Plan};
use whimbrel::provision::shared;
use whimbrel::to_sqlite::{Job, Outcome};
use whimbrel::types::{Representation, TextForm};
use whimbrel::verify::Level;

/// One section of `fixtures/all_types/values.txt`.
struct Section {
    /// The column's name: the type as the fixture spells it.
    label: String,
    sql_type: String,
    options: BTreeMap<String, String>,
    values: Vec<String>,
}

fn sections() -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for line in include_str!("../../fixtures/all_types/values.txt").lines() {
        if line.starts_with('[') && !line.starts_with("['") {
            let (label, options) = line[1..].rsplit_once(']').expect("a section's end");
            let options = options.split_whitespace().map(|option| option.split_once('=').unwrap_or((option, "")));
            sections.push(Section {
                label: label.to_owned(),
                sql_type: label.trim().to_owned(),
                options: options.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
                values: Vec::new(),
            });
        } else if !line.is_empty() {
            sections.last_mut().expect("a section before a value").values.push(line.to_owned());
        }
    }
    sections
}

/// A column of the table that is filled.
struct Filled {
    name: String,
    sql_type: String,
    values: Vec<String>,
}

/// What this server can do of the fixture; what it cannot is told on standard error.
fn columns_for(server: &mut Server) -> Vec<Filled> {
    let version: u32 = server.value("SELECT current_setting('server_version_num')").parse().expect("a number");
    let mut told = Vec::new();
    let mut filled = Vec::new();
    for mut section in sections() {
        if section.options.get("since").is_some_and(|since| version / 10_000 < since.parse().expect("a version")) {
            told.push(format!("`{}` needs a newer server", section.label));
            continue;
        }
        if let Some(extension) = section.options.get("extension") {
            if let Err(error) = server.try_run(format!("CREATE EXTENSION IF NOT EXISTS {extension} SCHEMA kinds")) {
                told.push(format!("extension {extension} is not available here ({error})"));
                continue;
            }
            told.push(format!("extension {extension} is tested"));
            section.sql_type = format!("kinds.{}", section.label);
        }
        if section.options.contains_key("xml") && server.try_run("SELECT '<a/>'::xml").is_err() {
            told.push("this server has no xml".to_owned());
            continue;
        }
        let mut cast = Vec::new();
        for value in &section.values {
            let value = format!("CAST(({value}) AS {})", section.sql_type);
            match server.try_run(format!("SELECT {value}")) {
                Ok(()) => cast.push(value),
                // Values that only a superuser can make.
                Err(error) if error.contains("permission denied") => told.push(format!("{value}: {error}")),
                Err(error) => panic!("{value}: {error}"),
            }
        }
        if !section.options.contains_key("no-array") && !cast.is_empty() {
            let (first, second) = (&cast[0], &cast[cast.len() / 2]);
            let array = format!("{}[]", section.sql_type);
            let arrays = vec![
                format!("ARRAY[{}]::{array}", cast.join(", ")),
                format!("'{{}}'::{array}"),
                format!("ARRAY[NULL, {first}, NULL]::{array}"),
                format!(
                    "array_cat(array_fill({first}, ARRAY[1, 2]), array_fill(NULL::{}, ARRAY[1, 2]))",
                    section.sql_type
                ),
                format!("array_fill({second}, ARRAY[2, 1, 2])"),
                format!("array_fill({second}, ARRAY[2], ARRAY[0])"),
                format!("array_fill({first}, ARRAY[1, 2], ARRAY[-5, 7])"),
                format!("array_fill(NULL::{}, ARRAY[2])", section.sql_type),
            ];
            filled.push(Filled { name: format!("{} array", section.label), sql_type: array, values: arrays });
        }
        filled.push(Filled { name: section.label, sql_type: section.sql_type, values: cast });
    }
    // Past the capture of the test runner: a run always says what it could not test.
    let _ = writeln!(std::io::stderr(), "all_types: {}", told.join("; "));
    filled
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn create(server: &mut Server, columns: &[Filled]) -> usize {
    let definitions: String =
        columns.iter().map(|column| format!(", {} {}", quoted(&column.name), column.sql_type)).collect();
    server.run(format!("CREATE TABLE kinds.all_types (id integer PRIMARY KEY{definitions})"));
    let rows = columns.iter().map(|column| column.values.len()).max().unwrap_or(0);
    for row in 0..rows {
        let (mut names, mut values) = ("id".to_owned(), row.to_string());
        for column in columns {
            if let Some(value) = column.values.get(row) {
                write!(names, ", {}", quoted(&column.name)).expect("a string");
                write!(values, ", {value}").expect("a string");
            }
        }
        server.run(format!("INSERT INTO kinds.all_types ({names}) VALUES ({values})"));
    }
    server.run(format!("INSERT INTO kinds.all_types (id) VALUES ({rows})"));
    rows + 1
}

/// Every type that a column can have and the fixture has no section for.
fn missing_types(server: &mut Server) -> Vec<String> {
    let known: BTreeSet<String> = sections()
        .iter()
        .filter_map(|section| {
            let literal = section.sql_type.replace('\'', "''");
            server.try_run(format!("SELECT '{literal}'::regtype")).ok()?;
            Some(server.value(format!("SELECT '{literal}'::regtype::oid")))
        })
        .collect();
    let all = server.rows(
        "SELECT oid, typname FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype <> 'p'
         AND typrelid = 0 AND NOT EXISTS (SELECT FROM pg_type AS e WHERE e.typarray = pg_type.oid) ORDER BY typname",
    );
    let name = |row: &whole_run::TextRow| row[1].clone().unwrap_or_default();
    all.iter().filter(|row| !known.contains(row[0].as_deref().unwrap_or(""))).map(name).collect()
}

/// Some mutations of the catalogue on the finished file; one verification of it takes about a second, and
/// `tests/proof/mutation.rs` makes all of them.
fn every_change_is_noticed(url: &str, job: &Job<'_>, outcome: &Outcome) -> KillRate {
    let mut source = source(url).expect("a source");
    let digests: Vec<_> = outcome.copied.iter().map(|copied| copied.digest).collect();
    let subject = Subject {
        target: &job.target,
        plan: &outcome.plan,
        source_digests: Some(&digests),
        metadata: job.options.run.metadata,
        checks: None,
    };
    let mut rate = KillRate::default();
    for mutation in mutation::catalogue().step_by(20) {
        let kill = mutation::kill(mutation, subject, &mut source, &mut Seed(1).of(mutation.name).random());
        kill.unwrap_or_else(|error| panic!("{}: {error}", mutation.name)).iter().for_each(|kill| rate.add(kill));
    }
    assert_eq!(rate.survivors, Vec::<String>::new());
    assert!(rate.total().tried >= 3, "{rate}");
    rate
}

/// The same values under each rule that their types may take besides their own: the server's own digest is the file's.
fn under_every_other_rule(url: &str, plan: &Plan) {
    let columns =
        || plan.tables.iter().flat_map(|table| table.columns.iter().map(move |column| (&table.source, column)));
    let rules = |column: &ColumnPlan| Representation::choices_for(&column.shape);
    let most = columns().map(|(_, column)| rules(column).len()).max().unwrap_or(0);
    let mut tried = BTreeSet::new();
    for place in 1..most {
        let directory = tempfile::tempdir().expect("a directory");
        let mut job = Job::new(directory.path().join("other.db")).verified(Level::Paranoid);
        for (table, column) in columns() {
            if let Some(rule) = rules(column).get(place) {
                job.options.run.choices.rules.columns.insert(format!("{table}.{}", column.source), *rule);
                tried.insert(rule.name());
            }
        }
        let outcome = migrate(url, &job).unwrap_or_else(|error| panic!("{place}: {error} ({:?})", error.way_out()));
        assert!(outcome.verification.is_sound(), "{place}: {}", findings(&outcome.verification));
        assert!(outcome.verification.tables.iter().all(|table| table.source_agrees() == Some(true)));
        let as_sources = compared(url, &job.target);
        assert!(as_sources.is_sound(), "{place}: {}", findings(&as_sources));
        let url = PostgresUrl::parse(url).expect("a URL");
        let opinion = second_opinion(&url, &job.target, &outcome.plan).expect("an opinion");
        let disagreements: Vec<_> = opinion.disagreements.iter().map(ToString::to_string).collect();
        assert!(opinion.agrees(), "{place}: {}", disagreements.join("\n"));
    }
    let defaults: BTreeSet<_> = columns().map(|(_, column)| column.representation.name()).collect();
    let all: BTreeSet<_> = Representation::all().map(|rule| rule.name()).collect();
    assert_eq!(tried.union(&defaults).copied().collect::<BTreeSet<_>>(), all, "rules that no column takes");
}

/// Makes the table with every type, and fills it; its columns, and how many rows it has.
fn make(server: &mut Server) -> (Vec<Filled>, usize) {
    server.run(include_str!("../../fixtures/all_types/setup.sql"));
    // As the program pins them: the ledger's text and the reg* names depend on them.
    server.run(
        "SET search_path = pg_catalog; SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres';
         SET extra_float_digits = 1; SET lc_monetary = 'C'; SET xmloption = content; SET bytea_output = 'hex'",
    );
    let columns = columns_for(server);
    let rows = create(server, &columns);
    (columns, rows)
}

/// Makes the table with every type in an empty database, and fills it.
pub fn fill(server: &mut Server) {
    make(server);
}

#[test]
fn every_value_of_every_type_is_exact_or_in_the_ledger() {
    let server = shared().expect("a PostgreSQL server");
    let database = server.create_database("all_types").expect("a database");
    let mut server = Server::connect(&database.url());
    let (columns, rows) = make(&mut server);
    assert_eq!(missing_types(&mut server), Vec::<String>::new(), "types without a section in the fixture");
    let directory = tempfile::tempdir().expect("a directory");
    let job = Job::new(directory.path().join("all_types.db")).verified(Level::Paranoid);
    let outcome = migrate(&database.url(), &job).unwrap_or_else(|error| panic!("{error} ({:?})", error.way_out()));
    assert!(outcome.verification.is_sound(), "{}", findings(&outcome.verification));
    assert!(outcome.published.is_some());
    assert!(outcome.verification.tables.iter().all(|table| table.source_agrees() == Some(true)));
    let again = verify(&database.url(), &job.target, &job).expect("a verification");
    assert!(again.is_sound(), "{}", findings(&again));
    let as_sources = compared(&database.url(), &job.target);
    assert!(as_sources.is_sound(), "{}", findings(&as_sources));

    let plan = outcome.plan.tables.iter().find(|table| table.source.name == "all_types").expect("the table's plan");
    assert_eq!(plan.columns.len(), columns.len() + 1);
    assert!(columns.iter().map(|column| &column.name).eq(plan.columns[1..].iter().map(|column| &column.source)));
    let url = PostgresUrl::parse(&database.url()).expect("a URL");
    let opinion = second_opinion(&url, &job.target, &outcome.plan).expect("an opinion");
    let disagreements: Vec<_> = opinion.disagreements.iter().map(ToString::to_string).collect();
    assert!(opinion.agrees(), "{} rows differ:\n{}", opinion.differing_rows, disagreements.join("\n"));
    assert_eq!(opinion.not_asked, Vec::<String>::new());

    // In COPY's text format, which a table with such an index and without xml is read in, every value is the same: the
    // server's own digest says so.
    server.run("CREATE INDEX ON kinds.all_types ((id + 1))");
    let mut second = Job::new(directory.path().join("in_text.db")).verified(Level::Paranoid);
    for column in plan.columns.iter().filter(|column| column.codec().shape() == &Shape::Xml) {
        second.options.run.choices.drop.insert(format!("kinds.all_types.{}", column.source), "it needs a query".into());
    }
    let in_text = migrate(&database.url(), &second).unwrap_or_else(|error| panic!("{error} ({:?})", error.way_out()));
    assert!(in_text.verification.is_sound(), "{}", findings(&in_text.verification));
    assert!(in_text.verification.tables.iter().all(|table| table.source_agrees() == Some(true)));

    // Nothing was left out of the question.
    let measured = 500;
    assert_eq!(opinion.source_rows, (rows + measured) as u64);
    assert_eq!(opinion.rows, opinion.source_rows);
    let values = rows * plan.columns.len() + measured * 3;
    assert_eq!(opinion.values, values as u64);
    assert_eq!(opinion.ledger_values, outcome.ledger_entries());
    let target = Connection::open(&job.target).expect("the target opens");
    let mut statement =
        target.prepare("SELECT DISTINCT column_name FROM _whimbrel_ledger WHERE table_name = ?1").expect("the ledger");
    let kept: BTreeSet<String> = statement
        .query_map([&plan.target], |row| row.get(0))
        .expect("the ledger's rows")
        .collect::<Result<_, _>>()
        .expect("the ledger's columns");
    let mut ledger_columns = BTreeSet::new();
    for planned in plan.columns.iter().filter(|column| kept.contains(&column.target)) {
        assert!(planned.remainder.is_some(), "`{}` is in the ledger and the plan does not say so", planned.source);
        ledger_columns.insert(planned.representation.name());
    }
    // The fixture reaches every rule that has a remainder by default.
    for rule in ["real", "decimal-integer", "decimal-real", "json-array", "json-object"] {
        assert!(ledger_columns.contains(rule), "no value of a `{rule}` column is in the ledger");
    }
    under_every_other_rule(&database.url(), &outcome.plan);
    let killed = every_change_is_noticed(&database.url(), &job, &outcome);
    let _ = writeln!(std::io::stderr(), "all_types: {killed}");
    let _ = writeln!(std::io::stderr(), "all_types: {} columns, {rows} rows; {opinion}", columns.len());
}

#[test]
fn nan_in_a_not_null_column_stops_and_server_text_carries_it() {
    let server = shared().expect("a PostgreSQL server");
    let database = server.create_database("nan").expect("a database");
    let mut server = Server::connect(&database.url());
    server.run(
        "CREATE TABLE readings (id integer PRIMARY KEY, value double precision NOT NULL, price numeric(8,2) NOT NULL);
         INSERT INTO readings VALUES (1, 1.5, 1), (2, 'NaN', 2), (3, 'Infinity', 'NaN'), (4, '-0', 0)",
    );
    let directory = tempfile::tempdir().expect("a directory");
    let mut job = Job::new(directory.path().join("nan.db"));
    let error = migrate(&database.url(), &job).expect_err("NaN has no place in a NOT NULL column");
    assert_eq!(
        error.to_string(),
        "copy table `public.readings`, row [2], column `value`: SQLite has no NaN, and NULL, which would stand for it, \
         is not allowed there (NOT NULL)"
    );
    assert!(error.way_out().is_some_and(|hint| hint.contains(r#"rules.columns."readings.value" = "server-text""#)));
    assert_eq!(std::fs::read_dir(directory.path()).expect("the directory").count(), 0);

    let mut choices = Choices::default();
    choices.rules.columns.insert("readings.value".into(), Representation::Text(TextForm::Server));
    choices.rules.columns.insert("readings.price".into(), Representation::Text(TextForm::Server));
    job.options.run.choices = choices;
    let outcome = migrate(&database.url(), &job).expect("text holds NaN");
    assert!(outcome.verification.is_sound(), "{}", findings(&outcome.verification));
    let target = Connection::open(&job.target).expect("the target opens");
    let mut statement = target.prepare("SELECT value || ' ' || price FROM readings ORDER BY id").expect("the rows");
    let rows: Vec<String> =
        statement.query_map([], |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("text");
    assert_eq!(rows, ["1.5 1.00", "NaN 2.00", "Infinity NaN", "-0 0.00"]);
}
