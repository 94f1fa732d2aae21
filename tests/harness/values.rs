//! Generated values in front of a server: its input functions take them, its unique indexes hold the distinct ones,
//! its checks agree with the limits.
#![cfg(feature = "harness")]

use crate::support::whole_run::Server;
use std::io::Write as _;
use whimbrel::cancel::Cancel;
use whimbrel::catalog::{DataType, Shape};
use whimbrel::endpoint::PostgresUrl;
use whimbrel::endpoint::postgres::{Session, introspect};
use whimbrel::harness::Seed;
use whimbrel::harness::generate::values::{Bound, Limits, Pattern, ValueSource};
use whimbrel::provision::shared;

const DRAWN: usize = 300;
const DISTINCT: u64 = 500;

/// Types beyond those of the fixture: other modifiers, extensions, arrays of what is awkward in arrays.
const MORE_TYPES: [&str; 12] = [
    "numeric(38,10)",
    "numeric(40,0)",
    "numeric(1,0)",
    "varchar(1)",
    "text[]",
    "kinds.outer_pair[]",
    "numeric(7,2)[]",
    "box[]",
    "bit(70)",
    "timestamp(2)[]",
    "jsonb[]",
    "kinds.mood[]",
];
/// What the server makes itself and reads from nobody.
const WITHOUT_INPUT: [&str; 7] = [
    "gtsvector",
    "pg_node_tree",
    "pg_ndistinct",
    "pg_dependencies",
    "pg_mcv_list",
    "pg_brin_bloom_summary",
    "pg_brin_minmax_multi_summary",
];

fn literal(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// The types of the fixture that this server has, as the catalog tells them, with their spelling.
fn types(server: &mut Server, url: &str) -> Vec<(String, DataType)> {
    server.run(include_str!("../../fixtures/all_types/setup.sql"));
    let mut spellings: Vec<String> = MORE_TYPES.map(str::to_owned).to_vec();
    let mut told = Vec::new();
    for line in include_str!("../../fixtures/all_types/values.txt").lines() {
        let Some((label, options)) = line.strip_prefix('[').and_then(|line| line.rsplit_once(']')) else { continue };
        let mut spelling = label.trim().to_owned();
        if line.starts_with("['") || WITHOUT_INPUT.contains(&label) {
            continue;
        }
        if let Some(extension) = options.split_whitespace().find_map(|option| option.strip_prefix("extension=")) {
            if let Err(error) = server.try_run(format!("CREATE EXTENSION IF NOT EXISTS {extension} SCHEMA kinds")) {
                told.push(format!("no extension {extension} ({error})"));
                continue;
            }
            spelling = format!("kinds.{spelling}");
        }
        spellings.push(spelling);
    }
    spellings.sort();
    spellings.dedup();
    let mut made = Vec::new();
    for (at, spelling) in spellings.into_iter().enumerate() {
        match server.try_run(format!("CREATE TABLE kinds.t_{at} (v {spelling})")) {
            Ok(()) => made.push((at, spelling)),
            Err(error) => told.push(format!("no `{spelling}` ({error})")),
        }
    }
    let _ = writeln!(std::io::stderr(), "values: {} types; {}", made.len(), told.join("; "));
    let mut session =
        Session::connect(&PostgresUrl::parse(url).expect("a URL"), &Cancel::default()).expect("a session");
    let catalog = introspect(&mut session).expect("a catalog");
    let type_of = |at: usize| {
        let name = format!("t_{at}");
        let table = catalog.tables.iter().find(|table| table.name.name == name).expect("the table");
        table.columns[0].data_type.clone()
    };
    made.into_iter().map(|(at, spelling)| (format!("{at} {spelling}"), type_of(at))).collect()
}

/// What the server says to values that it refuses.
fn refused(server: &mut Server, table: &str, values: &[String]) -> Vec<String> {
    let rows: Vec<String> = values.iter().map(|value| format!("({})", literal(value))).collect();
    if server.try_run(format!("INSERT INTO {table} VALUES {}", rows.join(", "))).is_ok() {
        return Vec::new();
    }
    let tell = |value: &String| {
        let error = server.try_run(format!("INSERT INTO {table} VALUES ({})", literal(value))).err()?;
        let shown: String = value.chars().take(80).collect();
        Some(format!("{table} {shown:?}: {error}"))
    };
    values.iter().filter_map(tell).take(4).collect()
}

#[test]
fn the_server_takes_every_value_and_keeps_distinct_ones_apart() {
    let database = shared().expect("a server").create_database("values").expect("a database");
    let url = database.url();
    let mut server = Server::connect(&url);
    let mut wrong = Vec::new();
    for (label, data_type) in types(&mut server, &url) {
        let table = format!("kinds.t_{}", label.split(' ').next().expect("a number"));
        // The checks of domains arrive as limits; how many dimensions an array has is no limit, but for the judge.
        let limits = match data_type.name.as_str() {
            "kinds.positive" | "kinds.small_positive" => range("1", "1000"),
            "kinds.grid" => continue,
            _ => Limits::default(),
        };
        let source = match ValueSource::new(&data_type, limits) {
            Ok(source) => source,
            Err(error) => {
                wrong.push(format!("{label}: {error}"));
                continue;
            }
        };
        let mut random = Seed(4).of(&label).random();
        let values: Vec<String> = (0..DRAWN).map(|at| source.draw(&mut random, at % 3 > 0)).collect();
        wrong.extend(refused(&mut server, &table, &values).into_iter().map(|error| format!("{label}: {error}")));
        for value in values.iter().take(50) {
            let simpler: Vec<String> = source.simpler(value).into_iter().take(6).collect();
            wrong.extend(
                refused(&mut server, &table, &simpler).into_iter().map(|error| format!("{label} simpler: {error}")),
            );
        }
        let distinct: Vec<String> = (0..DISTINCT).map_while(|index| source.nth(index)).collect();
        if source.capacity() <= DISTINCT {
            assert_eq!(distinct.len() as u64, source.capacity(), "{label}");
        }
        if distinct.is_empty() {
            continue;
        }
        server.run(format!("TRUNCATE {table}"));
        match server.try_run(format!("CREATE UNIQUE INDEX ON {table} (v)")) {
            Err(error) => wrong.push(format!("{label}: has a capacity and no index: {error}")),
            Ok(()) => wrong.extend(
                refused(&mut server, &table, &distinct).into_iter().map(|error| format!("{label} distinct: {error}")),
            ),
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn range(low: &str, high: &str) -> Limits {
    Limits { minimum: Some(Bound::inclusive(low)), maximum: Some(Bound::exclusive(high)), ..Limits::default() }
}

fn matching(text: &str, ignore_case: bool, negated: bool) -> Limits {
    let pattern = Pattern::Regex { text: text.to_owned(), ignore_case, negated };
    Limits { patterns: vec![pattern], ..Limits::default() }
}

fn like(text: &str, ignore_case: bool, negated: bool) -> Limits {
    let pattern = Pattern::Like { text: text.to_owned(), escape: Some('\\'), ignore_case, negated };
    Limits { patterns: vec![pattern], ..Limits::default() }
}

#[test]
fn limits_hold_as_the_server_checks_them() {
    let text = || DataType::new("text", Shape::Text);
    let of = |name: &str, shape: Shape| DataType::new(name, shape);
    let numeric = |name: &str, modifier| of(name, Shape::Numeric { precision_and_scale: modifier });
    let length = |low, high| Limits { length_min: Some(low), length_max: Some(high), ..Limits::default() };
    let excluded = Limits { excluded: vec!["1".into(), "2".into(), "500".into()], ..Limits::default() };
    let cases: Vec<(DataType, Limits, &str)> = vec![
        (of("integer", Shape::Integer), range("18", "120"), "v >= 18 AND v < 120"),
        (of("smallint", Shape::SmallInt), range("-5", "6"), "v >= -5 AND v < 6"),
        (of("bigint", Shape::BigInt), excluded, "v NOT IN (1, 2, 500)"),
        (numeric("numeric(5,2)", Some((5, 2))), range("0.005", "1.5"), "v >= 0.005 AND v < 1.5"),
        (numeric("numeric", None), range("0", "1"), "v >= 0 AND v < 1"),
        (of("double precision", Shape::Double), range("0", "1"), "v >= 0 AND v < 1"),
        (of("real", Shape::Real), range("0.1", "0.7"), "v >= 0.1 AND v < 0.7"),
        (of("date", Shape::Date), range("2020-01-01", "2021-01-01"), "v >= '2020-01-01' AND v < '2021-01-01'"),
        (
            of("timestamptz", Shape::TimestampTz { precision: 6 }),
            range("2020-01-01 00:00:00+00", "infinity"),
            "v >= '2020-01-01 00:00:00+00' AND v < 'infinity'",
        ),
        (text(), length(3, 8), "length(v) BETWEEN 3 AND 8"),
        (of("bytea", Shape::Bytea), length(4, 4), "octet_length(v) = 4"),
        (text(), range("A", "M"), "v >= 'A' AND v < 'M' AND v COLLATE \"C\" >= 'A' AND v COLLATE \"C\" < 'M'"),
        (text(), matching("^[^@]+@[^@]+\\.[a-z]{2,}$", false, false), "v ~ '^[^@]+@[^@]+\\.[a-z]{2,}$'"),
        (text(), matching("^\\+?\\d{3}-\\w+$", false, false), "v ~ '^\\+?\\d{3}-\\w+$'"),
        (text(), matching("^[[:alpha:]_][]a-c\\s]*x$", true, false), "v ~* '^[[:alpha:]_][]a-c\\s]*x$'"),
        (text(), matching("\\s", false, true), "v !~ '\\s'"),
        (
            of("varchar(10)", Shape::VarChar { length: Some(10) }),
            matching("^[A-Z]{2}[0-9]+$", false, false),
            "v ~ '^[A-Z]{2}[0-9]+$'",
        ),
        (text(), like("a\\_b%_c", false, false), "v LIKE 'a\\_b%_c'"),
        (text(), like("%AB%", true, false), "v ILIKE '%ab%'"),
        (text(), like("%a%", false, true), "v NOT LIKE '%a%'"),
        (
            text(),
            Limits { excluded: vec!["aab".into()], length_max: Some(3), ..matching("^a+b+$", false, false) },
            "v ~ '^a+b+$' AND length(v) <= 3 AND v <> 'aab'",
        ),
        (
            text(),
            Limits {
                allowed: Some(vec!["red".into(), "green".into(), "blue".into()]),
                length_min: Some(4),
                ..Limits::default()
            },
            "v IN ('green', 'blue')",
        ),
    ];
    let database = shared().expect("a server").create_database("limits").expect("a database");
    let mut server = Server::connect(&database.url());
    let mut wrong = Vec::new();
    for (at, (data_type, limits, check)) in cases.into_iter().enumerate() {
        server.run(format!("CREATE TABLE t_{at} (v {data_type} CHECK ({check}))"));
        let source = match ValueSource::new(&data_type, limits) {
            Ok(source) => source,
            Err(error) => {
                wrong.push(format!("{check}: {error}"));
                continue;
            }
        };
        let mut random = Seed(5).nth(at as u64).random();
        let mut values: Vec<String> = (0..DRAWN).map(|at| source.draw(&mut random, at % 2 == 0)).collect();
        let simpler: Vec<String> = values.iter().take(40).flat_map(|value| source.simpler(value)).collect();
        values.extend(simpler);
        wrong.extend(refused(&mut server, &format!("t_{at}"), &values));
        server.run(format!("TRUNCATE t_{at}; CREATE UNIQUE INDEX ON t_{at} (v)"));
        let distinct: Vec<String> = (0..DISTINCT).map_while(|index| source.nth(index)).collect();
        assert!(!distinct.is_empty(), "{check}");
        wrong.extend(refused(&mut server, &format!("t_{at}"), &distinct));
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
