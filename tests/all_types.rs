//! One column per type of PostgreSQL, extreme and awkward values: every value arrives exactly or is in the ledger.
//!
//! The judge is the server: what stands in the SQLite file goes back to it as text, is cast to the column's type
//! there, and compared there. That shares no code with the program's own reading and writing of values.

mod whole_run;

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use whimbrel::plan::choices::{Choices, RuleName};
use whimbrel::provision::shared;
use whimbrel::transfer::run::Job;
use whimbrel::types::Rule;
use whole_run::{Server, findings, migrate, verify};

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
    for line in include_str!("../fixtures/all_types/values.txt").lines() {
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
    by_text: bool,
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
        let by_text = section.options.contains_key("text");
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
            filled.push(Filled { name: format!("{} array", section.label), sql_type: array, by_text, values: arrays });
        }
        filled.push(Filled { name: section.label, sql_type: section.sql_type, by_text, values: cast });
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

/// The server's expression for what a rule stored as `v` stands for.
fn back(rule: Rule, sql_type: &str) -> String {
    let micros = |unit: &str, zone: &str| {
        format!(
            "CASE v WHEN '9223372036854775807' THEN 'infinity' WHEN '-9223372036854775808' THEN '-infinity' ELSE
             {zone} '1970-01-01 00:00:00' + make_interval(days => (v::bigint / (86400000000 / {unit}))::integer)
             + (v::bigint % (86400000000 / {unit})) * {unit} * interval '1 microsecond' END"
        )
    };
    let zone = if sql_type.starts_with("timestamptz") { "timestamptz" } else { "timestamp" };
    match rule {
        Rule::Boolean => "(v::integer = 1)".to_owned(),
        Rule::Real | Rule::DecimalReal => format!("v::float8::{sql_type}"),
        Rule::Blob => "decode(v, 'hex')".to_owned(),
        Rule::EpochSeconds => micros("1000000", zone),
        Rule::EpochMillis => micros("1000", zone),
        Rule::EpochMicros => micros("1", zone),
        Rule::JsonArray | Rule::JsonObject => {
            format!("pg_temp.back(v::json, '{}'::regtype)::{sql_type}", sql_type.replace('\'', "''"))
        }
        // The cast from text is a function of its own there, and it does not know `-`; the input function does.
        _ if sql_type == "regclass" => "regclassin(textout(v))".to_owned(),
        _ => format!("v::{sql_type}"),
    }
}

/// A stored value as text that the server's casts understand.
fn as_text(value: ValueRef<'_>) -> Option<String> {
    Some(match value {
        ValueRef::Null => return None,
        ValueRef::Integer(value) => value.to_string(),
        ValueRef::Real(value) if value.is_infinite() => if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
        ValueRef::Real(value) => format!("{value:e}"),
        ValueRef::Text(value) => std::str::from_utf8(value).expect("text is UTF-8").to_owned(),
        ValueRef::Blob(value) => value.iter().map(|byte| format!("{byte:02x}")).collect(),
    })
}

fn literal(value: Option<&str>) -> String {
    value.map_or("NULL".to_owned(), |value| format!("E'{}'", value.replace('\\', "\\\\").replace('\'', "\\'")))
}

#[test]
fn every_value_of_every_type_is_exact_or_in_the_ledger() {
    let server = shared().expect("a PostgreSQL server");
    let database = server.create_database("all_types").expect("a database");
    let mut server = Server::connect(&database.url());
    server.run(include_str!("../fixtures/all_types/setup.sql"));
    // As the program pins them: the ledger's text and the reg* names depend on them.
    server.run(
        "SET search_path = pg_catalog; SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres';
         SET extra_float_digits = 1; SET lc_monetary = 'C'; SET xmloption = content; SET bytea_output = 'hex'",
    );
    let columns = columns_for(&mut server);
    assert_eq!(missing_types(&mut server), Vec::<String>::new(), "types without a section in the fixture");
    let rows = create(&mut server, &columns);

    let directory = tempfile::tempdir().expect("a directory");
    let job = Job::new(directory.path().join("all_types.db"));
    let outcome = migrate(&database.url(), &job).unwrap_or_else(|error| panic!("{error} ({:?})", error.way_out()));
    assert!(outcome.verification.is_sound(), "{}", findings(&outcome.verification));
    assert!(outcome.published.is_some());
    let again = verify(&database.url(), &job.target, &job).expect("a verification");
    assert!(again.is_sound(), "{}", findings(&again));

    // The second opinion.
    let target = Connection::open(&job.target).expect("the target opens");
    let plan = outcome.plan.tables.iter().find(|table| table.source.name == "all_types").expect("the table's plan");
    assert_eq!(plan.columns.len(), columns.len() + 1);
    server.run(include_str!("../fixtures/all_types/back.sql"));
    let (mut exact, mut in_ledger, mut nulls, mut wrong) = (0, 0, 0, Vec::new());
    let mut ledger_columns = BTreeSet::new();
    for (column, planned) in columns.iter().zip(&plan.columns[1..]) {
        assert_eq!(column.name, planned.source);
        let mut ledger = target
            .prepare("SELECT row_key, exact FROM _whimbrel_ledger WHERE table_name = ?1 AND column_name = ?2")
            .expect("the ledger");
        let kept: BTreeMap<String, String> = ledger
            .query_map([&plan.target, &planned.target], |row| Ok((row.get(0)?, row.get(1)?)))
            .expect("the ledger's rows")
            .collect::<Result<_, _>>()
            .expect("the ledger's text");
        if !kept.is_empty() {
            assert!(planned.remainder.is_some(), "`{}` is in the ledger and the plan does not say so", column.name);
            ledger_columns.insert(planned.rule.name());
        }
        let sql = format!("SELECT id, {} FROM {}", quoted(&planned.target), quoted(&plan.target));
        let mut statement = target.prepare(&sql).expect("the column");
        let mut records = statement.query([]).expect("the rows");
        let mut tuples = Vec::new();
        while let Some(record) = records.next().expect("a row") {
            let id: i64 = record.get(0).expect("the id");
            let kept = kept.get(&format!("[{id}]")).map(String::as_str);
            let stored = as_text(record.get_ref(1).expect("a value"));
            let value = if kept.is_some() { kept } else { stored.as_deref() };
            tuples.push(format!("({id}, {}, {})", kept.is_some(), literal(value)));
        }
        assert_eq!(tuples.len(), rows, "`{}`", column.name);
        server.run("CREATE TEMP TABLE back (id integer PRIMARY KEY, kept boolean, v text)");
        server.run(format!("INSERT INTO back VALUES {}", tuples.join(", ")));
        let name = format!("s.{}", quoted(&column.name));
        // format() calls the type's output function; a cast to text would trim char(n) and rewrite inet.
        let text = format!("CASE WHEN num_nulls({name}) = 0 THEN format('%s', {name}) END");
        let told = if column.by_text {
            "v".to_owned()
        } else {
            let value = back(planned.rule, &column.sql_type);
            let value = format!("CASE WHEN v IS NOT NULL THEN CAST(({value}) AS {}) END", column.sql_type);
            format!("CASE WHEN num_nulls({value}) = 0 THEN format('%s', {value}) END")
        };
        let compared = server.rows(format!(
            "SELECT id, kept, v IS NULL, left({text}, 200), left(CASE WHEN kept THEN v ELSE {told} END, 200), left(v, 200)
             FROM kinds.all_types AS s FULL JOIN back USING (id)
             WHERE {text} IS DISTINCT FROM (CASE WHEN kept THEN v ELSE {told} END)"
        ));
        wrong.extend(compared.iter().map(|row| format!("`{}` by `{}`: {row:?}", column.name, planned.rule.name())));
        let count = server.rows(
            "SELECT count(*) FILTER (WHERE NOT kept AND v IS NOT NULL), count(*) FILTER (WHERE kept),
             count(*) FILTER (WHERE NOT kept AND v IS NULL) FROM back",
        );
        let number = |place: usize| count[0][place].as_deref().and_then(|text| text.parse::<usize>().ok()).unwrap_or(0);
        exact += number(0);
        in_ledger += number(1);
        nulls += number(2);
        server.run("DROP TABLE back");
    }
    assert!(wrong.is_empty(), "{} values differ:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(exact + in_ledger + nulls, rows * columns.len());
    assert_eq!(outcome.ledger_entries as usize, in_ledger);
    // The fixture reaches every rule that has a remainder by default.
    for rule in ["real", "decimal-integer", "decimal-real", "json-array", "json-object"] {
        assert!(ledger_columns.contains(rule), "no value of a `{rule}` column is in the ledger");
    }
    let _ = writeln!(
        std::io::stderr(),
        "all_types: {} columns, {rows} rows: {exact} values exact, {in_ledger} in the ledger, 0 otherwise; {nulls} NULLs",
        columns.len()
    );
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
    choices.rules.columns.insert("readings.value".into(), RuleName(Rule::ServerText));
    choices.rules.columns.insert("readings.price".into(), RuleName(Rule::ServerText));
    job.choices = choices;
    let outcome = migrate(&database.url(), &job).expect("text holds NaN");
    assert!(outcome.verification.is_sound(), "{}", findings(&outcome.verification));
    let target = Connection::open(&job.target).expect("the target opens");
    let mut statement = target.prepare("SELECT value || ' ' || price FROM readings ORDER BY id").expect("the rows");
    let rows: Vec<String> =
        statement.query_map([], |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("text");
    assert_eq!(rows, ["1.5 1.00", "NaN 2.00", "Infinity NaN", "-0 0.00"]);
}
