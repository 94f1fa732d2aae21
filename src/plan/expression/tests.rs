//! Each translation as a line of a table, and each accepted one run in SQLite.

mod bank;
mod older_sqlite;
mod spellings;

use super::*;
use crate::catalog::TextOrder;
use crate::plan::version::SqliteVersion;
use crate::types::TimeUnit;
use bank::VIEWS;
use rusqlite::Connection;

/// One table with a column of every form.
struct Sample;

fn forms() -> Vec<ColumnForm> {
    let form = ColumnForm::new;
    vec![
        form("id", Kind::Integer { digits: 10 }).not_null(),
        form("n", Kind::Integer { digits: 10 }),
        form("m", Kind::Integer { digits: 10 }),
        form("big", Kind::Integer { digits: 19 }),
        form("active", Kind::Boolean),
        form("ratio", Kind::Real),
        form("price", Kind::DecimalReal { precision: 10, scale: 2 }),
        form("tax", Kind::DecimalReal { precision: 10, scale: 2 }),
        form("units", Kind::Scaled { digits: 6, scale: 0 }),
        form("amount", Kind::DecimalText { scale: None }),
        form("name", Kind::Text),
        form("Title", Kind::Text),
        form("code", Kind::PaddedText),
        form("email", Kind::NocaseText),
        form("status", Kind::Enum { labels: vec!["new".into(), "open".into(), "closed".into()] }),
        form("token", Kind::Uuid),
        form("body", Kind::Blob),
        form("starts", Kind::Epoch { unit: TimeUnit::Millis, with_zone: false }),
        form("ends", Kind::Epoch { unit: TimeUnit::Millis, with_zone: false }),
        form("created", Kind::Epoch { unit: TimeUnit::Micros, with_zone: true }),
        form("coarse", Kind::Epoch { unit: TimeUnit::Seconds, with_zone: true }).inexact(),
        form("born", Kind::Date),
        form("data", Kind::Json { binary: true }),
        form("tags", Kind::JsonArray),
        form("network", Kind::ServerText),
    ]
}

impl Scope for Sample {
    fn column(&self, table: Option<&str>, name: &str) -> Option<ColumnForm> {
        if table.is_some_and(|table| table != "sample") {
            return None;
        }
        forms().into_iter().find(|form| form.name == name)
    }

    fn table(&self, schema: Option<&str>, name: &str) -> Option<TableForm> {
        (schema.is_none_or(|schema| schema == "public") && name == "sample").then(|| TableForm {
            name: "sample".to_owned(),
            columns: forms().into_iter().map(|form| (form.name.clone(), form)).collect(),
            views_deep: 0,
        })
    }

    fn enumeration(&self, _: Option<&str>, name: &str) -> Option<Vec<String>> {
        (name == "status").then(|| vec!["new".into(), "open".into(), "closed".into()])
    }

    /// That of the server whose answers are recorded.
    fn text_order(&self) -> TextOrder {
        TextOrder::CodePoint
    }

    fn is_table_name(&self, target: &str) -> bool {
        target.eq_ignore_ascii_case("sample")
    }

    /// What is carried at all; `older_sqlite` asks for less.
    fn sqlite_version(&self) -> SqliteVersion {
        SqliteVersion::bundled()
    }
}

/// The table in SQLite and in PostgreSQL, and the same rows for both: a row is a list of PostgreSQL literals.
const POSTGRES_TABLE: &str = "CREATE TYPE status AS ENUM ('new', 'open', 'closed'); CREATE TABLE sample (id integer NOT NULL, \
     n integer, m integer, big bigint, active boolean, ratio double precision, price numeric(10,2), tax numeric(10,2), \
     units numeric(6,0), amount numeric, name text, \"Title\" text, code char(4), email text, status status, token uuid, \
     body bytea, starts timestamp(3), ends timestamp(3), created timestamptz, coarse timestamptz, born date, data jsonb, \
     tags text[], network inet)";

/// Name, PostgreSQL's literals, SQLite's literals.
const VALUES: &[(&str, &[(&str, &str)])] = &[
    ("n", &[("0", "0"), ("-7", "-7"), ("5", "5"), ("100", "100"), ("NULL", "NULL")]),
    ("m", &[("3", "3"), ("-2", "-2"), ("NULL", "NULL"), ("5", "5")]),
    ("big", &[("9223372036854775807", "9223372036854775807"), ("NULL", "NULL"), ("-1", "-1")]),
    ("active", &[("true", "1"), ("false", "0"), ("NULL", "NULL")]),
    ("ratio", &[("0.1", "0.1"), ("-2.5", "-2.5"), ("NULL", "NULL"), ("1e300", "1e300")]),
    (
        "price",
        &[
            ("0.30", "0.3"),
            ("0.10", "0.1"),
            ("-12.34", "-12.34"),
            ("99999999.99", "99999999.99"),
            ("NULL", "NULL"),
            ("0.00", "0.0"),
        ],
    ),
    ("tax", &[("0.20", "0.2"), ("0.05", "0.05"), ("NULL", "NULL"), ("1.00", "1.0")]),
    ("units", &[("7", "7"), ("-7", "-7"), ("999999", "999999"), ("NULL", "NULL")]),
    (
        "amount",
        &[
            ("0", "'0'"),
            ("0.000", "'0.000'"),
            ("'NaN'", "'NaN'"),
            ("'Infinity'", "'Infinity'"),
            ("'-Infinity'", "'-Infinity'"),
            ("-0.001", "'-0.001'"),
            ("12.30", "'12.30'"),
            ("12.3", "'12.3'"),
            ("12.31", "'12.31'"),
            ("100", "'100'"),
            ("9", "'9'"),
            ("99", "'99'"),
            ("-12.3", "'-12.3'"),
            ("-12.4", "'-12.4'"),
            ("-5", "'-5'"),
            ("-100", "'-100'"),
            ("12.2999999999999999999", "'12.2999999999999999999'"),
            ("123456789012345678901234567890.5", "'123456789012345678901234567890.5'"),
            ("NULL", "NULL"),
        ],
    ),
    (
        "name",
        &[
            ("''", "''"),
            ("'abc'", "'abc'"),
            ("'ABC'", "'ABC'"),
            ("'a_c'", "'a_c'"),
            ("'a*c?['", "'a*c?['"),
            ("'x%y'", "'x%y'"),
            ("' pad '", "' pad '"),
            ("'äöü'", "'äöü'"),
            ("'it''s'", "'it''s'"),
            ("'12345'", "'12345'"),
            ("'a]b\\c'", "'a]b\\c'"),
            ("NULL", "NULL"),
        ],
    ),
    ("Title", &[("'T'", "'T'"), ("NULL", "NULL"), ("'abc'", "'abc'")]),
    ("code", &[("'ab'", "'ab'"), ("'abcd'", "'abcd'"), ("''", "''"), ("NULL", "NULL")]),
    ("email", &[("NULL", "NULL")]),
    ("status", &[("'new'", "'new'"), ("'closed'", "'closed'"), ("'open'", "'open'"), ("NULL", "NULL")]),
    (
        "token",
        &[("'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"), ("NULL", "NULL")],
    ),
    ("body", &[("'\\x00ff'", "x'00ff'"), ("''", "x''"), ("NULL", "NULL")]),
    (
        "starts",
        &[
            ("'2020-01-01 00:00:00'", "1577836800000"),
            ("'1969-12-31 23:59:59.5'", "-500"),
            ("NULL", "NULL"),
            ("'infinity'", "9223372036854775807"),
            ("'2020-01-01 00:00:00.001'", "1577836800001"),
        ],
    ),
    ("ends", &[("'2020-01-08 00:00:00'", "1578441600000"), ("NULL", "NULL"), ("'-infinity'", "-9223372036854775808")]),
    (
        "created",
        &[("'2024-02-29 12:00:00.000001+00'", "1709208000000001"), ("NULL", "NULL"), ("'1970-01-01 00:00:00+00'", "0")],
    ),
    ("coarse", &[("NULL", "NULL"), ("'1970-01-01 00:00:01+00'", "1")]),
    (
        "born",
        &[
            ("'2000-02-29'", "'2000-02-29'"),
            ("'1899-12-31'", "'1899-12-31'"),
            ("'infinity'", "'infinity'"),
            ("NULL", "NULL"),
        ],
    ),
    (
        "data",
        &[
            ("'{\"k\": \"x\", \"b\": true, \"n\": 1.50}'", "'{\"k\": \"x\", \"b\": true, \"n\": 1.50}'"),
            ("'{\"k\": {\"a\": 1}, \"b\": null}'", "'{\"k\": {\"a\": 1}, \"b\": null}'"),
            ("'[1, 2]'", "'[1, 2]'"),
            ("'\"s\"'", "'\"s\"'"),
            ("'null'", "'null'"),
            ("NULL", "NULL"),
        ],
    ),
    ("tags", &[("'{}'", "'[]'"), ("'{a,b}'", "'[\"a\",\"b\"]'"), ("'{NULL}'", "'[null]'"), ("NULL", "NULL")]),
    ("network", &[("NULL", "NULL")]),
];

/// Rows in which every column takes each of its values, beside different values of its neighbours.
fn rows() -> Vec<Vec<(&'static str, &'static str)>> {
    (0..120)
        .map(|row| {
            VALUES
                .iter()
                .enumerate()
                .map(|(at, (_, values))| values[(row / (1 + at % 3) + row * (at % 4)) % values.len()])
                .collect()
        })
        .collect()
}

/// The table and its rows.
fn sqlite_statements() -> Vec<String> {
    let columns: Vec<String> = forms()
        .iter()
        .map(|form| {
            let (kind, more) = match form.kind {
                Kind::Integer { .. } | Kind::Boolean | Kind::Scaled { .. } | Kind::Epoch { .. } => ("INTEGER", ""),
                Kind::Real | Kind::DecimalReal { .. } => ("REAL", ""),
                Kind::Blob => ("BLOB", ""),
                Kind::NocaseText => ("TEXT", " COLLATE NOCASE"),
                _ => ("TEXT", ""),
            };
            format!("\"{}\" {kind}{more}", form.name)
        })
        .collect();
    let rows = rows();
    let inserts = rows.iter().enumerate().map(|(id, row)| {
        let values: Vec<&str> = row.iter().map(|(_, sqlite)| *sqlite).collect();
        format!("INSERT INTO sample VALUES ({id}, {})", values.join(", "))
    });
    std::iter::once(format!("CREATE TABLE sample ({}) STRICT", columns.join(", "))).chain(inserts).collect()
}

fn sqlite() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(&sqlite_statements().join(";\n")).unwrap();
    connection
}

/// Conditions that are carried, with their SQL where it is worth showing.
const CONDITIONS: &[(&str, &str)] = &[
    ("(n > 0)", "(\"n\" > 0)"),
    ("(n >= '-1'::integer)", "(\"n\" >= -1)"),
    ("active", "\"active\""),
    ("(NOT active)", "(NOT \"active\")"),
    ("(active = true)", "(\"active\" = 1)"),
    ("(active IS TRUE)", "(\"active\" IS TRUE)"),
    ("((active IS NOT TRUE) OR (n IS NOT NULL))", "((\"active\" IS NOT TRUE) OR (\"n\" IS NOT NULL))"),
    ("(name = 'abc'::text)", "(\"name\" = 'abc')"),
    ("((name)::text = ANY (ARRAY['abc'::text, 'it''s'::text]))", "(\"name\" IN ('abc', 'it''s'))"),
    (
        "((name)::text = ANY ((ARRAY['abc'::character varying, 'x%y'::character varying])::text[]))",
        "(\"name\" IN ('abc', 'x%y'))",
    ),
    ("(name <> ALL (ARRAY['abc'::text, NULL::text]))", "(\"name\" NOT IN ('abc', NULL))"),
    ("(name = ANY ('{abc,\"x%y\"}'::text[]))", "(\"name\" IN ('abc', 'x%y'))"),
    ("(\"Title\" = name)", "(\"Title\" = \"name\")"),
    ("(name ~~ 'a\\_c'::text)", "(\"name\" GLOB 'a_c')"),
    ("(name ~~ 'a_c%'::text)", "(\"name\" GLOB 'a?c*')"),
    ("(name ~~ '%*c?[%'::text)", "(\"name\" GLOB '*[*]c[?][[]*')"),
    ("(name !~~ 'a%'::text)", "(\"name\" NOT GLOB 'a*')"),
    ("(name ~~* 'ab%'::text)", "(\"name\" LIKE 'ab%' ESCAPE '\\')"),
    ("(name ~ '^[0-9]{5}$'::text)", "(\"name\" GLOB '[0-9][0-9][0-9][0-9][0-9]')"),
    ("(name ~ '^[a-z]+$'::text)", "((\"name\" NOT GLOB '*[^a-z]*') AND \"name\" <> '')"),
    ("(name !~ '^[A-Za-z]*$'::text)", ""),
    ("(char_length(name) <= 3)", "(length(\"name\") <= 3)"),
    ("(octet_length(name) > 3)", ""),
    ("(octet_length(body) = 2)", "(length(\"body\") = 2)"),
    ("(lower(name) = name)", "(lower(\"name\") = \"name\")"),
    ("(btrim(name) <> ''::text)", "(trim(\"name\", ' ') <> '')"),
    ("(\"substring\"(name, 1, 2) = 'ab'::text)", ""),
    ("(\"left\"(name, 1) = 'a'::text)", ""),
    ("(\"right\"(name, 2) = 'bc'::text)", ""),
    ("(strpos(name, 'c'::text) > 0)", "(instr(\"name\", 'c') > 0)"),
    ("(POSITION(('c'::text) IN (name)) > 0)", ""),
    ("(((name || '-'::text) || \"Title\") = 'abc-T'::text)", ""),
    ("(replace(name, 'a'::text, ''::text) = 'bc'::text)", ""),
    ("(code = 'ab'::bpchar)", "(\"code\" = 'ab')"),
    ("(code = ANY (ARRAY['ab'::bpchar, 'abcd'::bpchar]))", ""),
    ("(length(code) = 2)", ""),
    ("(status = 'new'::status)", "(\"status\" = 'new')"),
    ("(status = ANY (ARRAY['new'::status, 'open'::status]))", ""),
    ("(status > 'new'::status)", ""),
    ("((status)::text = 'closed'::text)", ""),
    ("(token = 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::uuid)", ""),
    ("(body = '\\x00ff'::bytea)", "(\"body\" = x'00ff')"),
    ("((n / 2) = 2)", "((\"n\" / 2) = 2)"),
    ("((n / 2) = '-3'::integer)", ""),
    ("((n % 3) = '-1'::integer)", ""),
    ("((n + m) > 2)", ""),
    ("((- n) = 7)", ""),
    ("(abs(n) = 7)", ""),
    ("(mod(n, 3) = 2)", ""),
    ("((n & 4) = 4)", ""),
    ("(n <> m)", ""),
    ("(n IS DISTINCT FROM m)", "(\"n\" IS NOT \"m\")"),
    ("(NOT (n IS DISTINCT FROM NULL::integer))", ""),
    ("((n >= 0) AND (n <= 5))", ""),
    ("((n IS NULL) = (m IS NULL))", ""),
    ("(num_nonnulls(n, m) = 1)", "(((\"n\" IS NOT NULL) + (\"m\" IS NOT NULL)) = 1)"),
    ("(GREATEST(n, m) = 5)", ""),
    ("(LEAST(n, m, 4) = 3)", ""),
    ("(COALESCE(n, m, 0) > 2)", ""),
    ("(NULLIF(n, 5) IS NULL)", ""),
    ("(COALESCE(name, ''::text) = ''::text)", ""),
    ("CASE WHEN active THEN (n > 0) ELSE (m > 0) END", ""),
    ("(CASE status WHEN 'new'::status THEN 1 WHEN 'open'::status THEN 2 ELSE 0 END > 0)", ""),
    ("(ratio > (0)::double precision)", "(\"ratio\" > 0.0)"),
    ("(ratio = '0.1'::double precision)", ""),
    ("((ratio * (2)::double precision) < (0)::double precision)", ""),
    ("(price >= (0)::numeric)", "(\"price\" >= 0)"),
    ("(price = 0.3)", "(\"price\" = 0.3)"),
    ("(price > tax)", "(\"price\" > \"tax\")"),
    ("((price - tax) = 0.1)", ""),
    ("((price + tax) = 0.15)", ""),
    ("((price * 1.5) > 0.15)", ""),
    ("(round(price, 1) = 0.3)", ""),
    ("(round(price) = '-12'::integer::numeric)", ""),
    ("(floor(price) = ('-13'::integer)::numeric)", ""),
    ("(ceil(price) = (1)::numeric)", ""),
    ("(units = (7)::numeric)", "(\"units\" = 7)"),
    ("(amount > (0)::numeric)", ""),
    ("(amount >= (0)::numeric)", ""),
    ("(amount < (0)::numeric)", ""),
    ("(amount <= (0)::numeric)", ""),
    ("(amount = (0)::numeric)", ""),
    ("(amount <> (0)::numeric)", ""),
    ("(amount > 12.3)", ""),
    ("(amount >= 12.3)", ""),
    ("(amount < 12.30)", ""),
    ("(amount <= 12.3)", ""),
    ("(amount = 12.300)", ""),
    ("(amount <> 12.3)", ""),
    ("(amount > (100)::numeric)", ""),
    ("(amount >= (100)::numeric)", ""),
    ("(amount = (100)::numeric)", ""),
    ("(amount > '-12.3'::numeric)", ""),
    ("(amount >= '-12.3'::numeric)", ""),
    ("(amount < '-12.3'::numeric)", ""),
    ("(amount <= '-12.3'::numeric)", ""),
    ("(amount = '-12.3'::numeric)", ""),
    ("((0)::numeric < amount)", ""),
    ("(amount = ANY (ARRAY[12.3, (100)::numeric]))", ""),
    ("((amount >= (0)::numeric) AND (amount <= (100)::numeric))", ""),
    ("(starts < ends)", "(\"starts\" < \"ends\")"),
    ("(starts >= '2020-01-01 00:00:00'::timestamp without time zone)", "(\"starts\" >= 1577836800000)"),
    ("(created > '1970-01-01 00:00:00+00'::timestamp with time zone)", "(\"created\" > 0)"),
    ("(EXTRACT(epoch FROM starts) = '-0.5'::numeric)", ""),
    ("(born > '1900-01-01'::date)", ""),
    ("((EXTRACT(year FROM born) = (2000)::numeric) IS TRUE)", ""),
    ("((data ->> 'k'::text) = 'x'::text)", ""),
    ("((data ->> 'n'::text) = '1.50'::text)", ""),
    ("((data ->> 'b'::text) = 'true'::text)", ""),
    ("((data ->> 'b'::text) IS NULL)", ""),
    ("(jsonb_typeof(data) = 'object'::text)", ""),
    ("(array_length(tags, 1) > 0)", ""),
    ("(tags <> '{}'::text[])", ""),
    ("(concat(name, \"Title\") = 'abc'::text)", ""),
    ("(starts_with(name, 'a_'::text))", ""),
    ("(((active)::text = 'true'::text) OR ((n)::text = '5'::text))", ""),
    ("(((name)::character varying(2))::text = 'ab'::text)", ""),
    ("((active)::integer = 1)", ""),
    ("(n = ANY (ARRAY[5, 100, NULL::integer]))", ""),
    ("(n <> ALL (ARRAY[5, NULL::integer]))", ""),
    ("(status <> ALL (ARRAY['new'::status, 'open'::status]))", ""),
    ("(COALESCE(price, tax, (0)::numeric) > 0.25)", ""),
    ("(CASE WHEN active THEN price ELSE (1)::numeric END >= (1)::numeric)", ""),
    ("((price >= (0)::numeric) AND (price <= 99999999.99))", ""),
    ("(GREATEST(price, tax) = 0.2)", ""),
    ("(LEAST(price, tax, 0.15) < 0.15)", ""),
    ("(NULLIF(name, ''::text) IS NOT NULL)", ""),
    ("(\"substring\"(name, 2, 0) = ''::text)", ""),
    ("(\"right\"(name, 100) = name)", ""),
    ("(strpos(name, ''::text) = 1)", ""),
    ("(btrim(name, 'a '::text) = 'pad'::text)", ""),
    ("(ltrim(name) = 'pad '::text)", ""),
    ("(replace(name, ''::text, 'x'::text) = name)", ""),
    ("(name ~~ ''::text)", ""),
    ("(name ~~ 'a]b\\\\c'::text)", ""),
    ("(name ~~ '%\\%%'::text)", ""),
    ("(name ~ '^[^0-9]*$'::text)", ""),
    ("(name ~ '^[a-z_-]+$'::text)", ""),
    ("(name ~ '^a[_]c$'::text)", ""),
    ("(name ~ '^[A-Z]{3}$'::text)", ""),
    ("(name ~ '^$'::text)", ""),
    ("(num_nulls(n, name, price) >= 1)", ""),
    ("(concat(n, name) = '5abc'::text)", ""),
    ("(trunc(price) = '-12'::integer::numeric)", ""),
    ("(round(tax, 1) = 0.1)", ""),
    ("((price)::integer = 0)", ""),
    ("((tax)::numeric(10,1) = 0.1)", ""),
    ("(ratio <> (0)::double precision)", ""),
    ("(ratio >= '-Infinity'::double precision)", ""),
    ("((starts + '7 days'::interval) > ends)", ""),
    ("(starts < 'infinity'::timestamp without time zone)", ""),
    ("(starts > '-infinity'::timestamp without time zone)", ""),
    ("((created AT TIME ZONE 'UTC'::text) > '1970-01-01 00:00:00'::timestamp without time zone)", ""),
    ("(tags = '{}'::text[])", ""),
    ("((EXTRACT(dow FROM born) = (2)::numeric) IS TRUE)", ""),
    ("(token > '00000000-0000-0000-0000-000000000000'::uuid)", ""),
    ("((n IS NULL) OR ((m IS NOT NULL) AND (n > m)))", ""),
    ("((price IS NULL) <> (tax IS NULL))", ""),
    ("(abs(price) > (12)::numeric)", ""),
    ("((- price) < (0)::numeric)", ""),
    ("((units + (n)::numeric) > price)", ""),
    ("(NOT (amount > (0)::numeric))", ""),
    ("((amount)::text = '12.30'::text)", ""),
    ("((n)::double precision > ratio)", ""),
    ("((big + 0) = '-1'::integer)", ""),
    ("(n BETWEEN m AND 100)", ""),
    ("(NOT (n = ANY (ARRAY[5, 100])))", ""),
    ("((n > 0) IS NOT TRUE)", ""),
    ("((name = 'abc'::text) IS UNKNOWN)", ""),
    ("(char_length(btrim(name)) > 0)", ""),
    ("(starts_with(name, ''::text))", ""),
    ("(char_length((code)::text) = 4)", ""),
    ("((code)::text ~~ 'ab%'::text)", ""),
    ("((data ->> 'k'::text) = ANY (ARRAY['x'::text, 'y'::text]))", ""),
    ("((data ->> 'missing'::text) IS NULL)", ""),
    ("((data ->> 0) = '1'::text)", ""),
    ("(length(body) > 0)", ""),
    ("((token)::text ~~ 'a0%'::text)", ""),
];

#[test]
fn every_condition_reads_as_it_should_and_sqlite_takes_it_as_a_check() {
    let connection = sqlite();
    let mut wrong = Vec::new();
    for (condition, expected) in CONDITIONS {
        match check(condition, &Sample) {
            Err(refusal) => wrong.push(format!("{condition}: refused: {refusal}")),
            Ok(translated) => {
                if !expected.is_empty() && translated.sql != *expected {
                    wrong.push(format!("{condition}: {}", translated.sql));
                }
                let sql = format!("SELECT count(*) FROM sample WHERE {}", translated.sql);
                if let Err(error) = connection.query_row(&sql, [], |row| row.get::<_, i64>(0)) {
                    wrong.push(format!("{condition}: {} does not run: {error}", translated.sql));
                }
                let columns: Vec<String> = forms().iter().map(|form| format!("\"{}\" ANY", form.name)).collect();
                let create = format!(
                    "CREATE TEMP TABLE t ({}, CHECK ({})) STRICT; DROP TABLE t",
                    columns.join(", "),
                    translated.sql
                );
                if let Err(error) = connection.execute_batch(&create) {
                    wrong.push(format!("{condition}: not a check: {error}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Values that are carried: the expression, PostgreSQL's type of the column it goes into, and that column's form.
fn computed() -> Vec<(&'static str, &'static str, Kind)> {
    let money = Kind::DecimalReal { precision: 12, scale: 2 };
    vec![
        ("((n * 2) + 1)", "integer", Kind::Integer { digits: 10 }),
        ("(price + tax)", "numeric(12,2)", money.clone()),
        ("(price * 1.19)", "numeric(12,2)", money.clone()),
        ("round((price * 0.5), 1)", "numeric(12,2)", money.clone()),
        ("(price)::integer", "integer", Kind::Integer { digits: 10 }),
        ("COALESCE(price, (0)::numeric)", "numeric(12,2)", money.clone()),
        ("(ratio / (3)::double precision)", "double precision", Kind::Real),
        ("((name || ' '::text) || \"Title\")", "text", Kind::Text),
        ("upper(\"substring\"(name, 1, 1))", "text", Kind::Text),
        ("CASE WHEN (n > 0) THEN 'yes'::text ELSE 'no'::text END", "text", Kind::Text),
        ("(created - created) < '7 days'::interval", "boolean", Kind::Boolean),
        ("(status)::text", "text", Kind::Text),
        ("(data ->> 'n'::text) IS NOT NULL", "boolean", Kind::Boolean),
        ("(EXTRACT(month FROM born))::integer", "integer", Kind::Integer { digits: 10 }),
        ("GREATEST(starts, ends) IS NULL", "boolean", Kind::Boolean),
        ("floor((price / (1)::numeric))", "", Kind::Text),
    ]
    .into_iter()
    .filter(|(_, kind, _)| !kind.is_empty())
    .collect()
}

/// What is refused, and a word of the reason.
const REFUSED: &[(&str, &str)] = &[
    ("(amount = (n)::numeric)", "floating point"),
    ("((units / (2)::numeric) > (3)::numeric)", "floating point"),
    ("((units % (2)::numeric) = (1)::numeric)", "operator"),
    ("(((price * tax) - 0.01) > (0)::numeric)", "floating point"),
    ("(name ~ 'a|b'::text)", "regular expression"),
    ("(name ~* '^[a-z]+$'::text)", "regular expression"),
    ("(name ~~* 'ä%'::text)", "ASCII"),
    ("(name ~~ \"Title\")", "not a literal"),
    ("(email ~~ 'a%'::text)", "LIKE on a `citext`"),
    ("(created > now())", "varies"),
    ("(born <= CURRENT_DATE)", "varies"),
    ("(coarse > created)", "drops"),
    ("(created > '2020-01-01 00:00:00'::timestamp without time zone)", "timestamp"),
    ("(starts > '2020-01-01 00:00:00.0001'::timestamp without time zone)", "wanted"),
    ("(born > starts)", "compares"),
    ("(missing > 0)", "does not have"),
    ("(other.n > 0)", "does not have"),
    ("is_valid(name)", "is_valid()"),
    ("(public.lower(name) = name)", "lower()"),
    ("((price / tax) > 0.5)", "floating point"),
    ("((price * (n)::numeric) >= (0)::numeric)", "floating point"),
    ("(amount > (price)::numeric)", "floating point"),
    ("(network = '10.0.0.1'::inet)", "inet"),
    ("('a'::text = ANY (tags))", "array"),
    ("(n ^ 2)", "`^`"),
    ("(data @> '{}'::jsonb)", "`@>`"),
    ("((data ->> 'k'::text) = '{}'::text)", "compares"),
    ("(name COLLATE \"de_DE\" < 'b'::text)", "collation"),
    ("(n = (SELECT 1))", "subquery"),
    ("(sum(n) > 0)", "query"),
    ("(n)", "as a condition"),
    ("(n > 0", "not understood"),
    ("(n > 0) garbage", "not understood"),
    ("((n)::double precision = (big)::double precision) AND (random() < 1)", "varies"),
];

#[test]
fn what_could_differ_is_refused_with_its_reason() {
    for (condition, word) in REFUSED {
        let refusal = check(condition, &Sample).expect_err(condition);
        assert!(refusal.reason.contains(word), "{condition}: {refusal}");
    }
}

#[test]
fn caveats_name_the_corner() {
    for (condition, word) in [
        ("(lower(name) = 'x'::text)", "ASCII"),
        ("(email = 'x'::citext)", "citext"),
        ("(email OPERATOR(public.=) 'x'::public.citext)", "citext"),
        ("((EXTRACT(year FROM born) = (2000)::numeric) IS TRUE)", "9999"),
        ("(price IS NULL)", "NaN"),
    ] {
        let caveats = check(condition, &Sample).unwrap().caveats;
        assert!(caveats.iter().any(|caveat| caveat.contains(word)), "{condition}: {caveats:?}");
    }
    assert!(check("(n > 0)", &Sample).unwrap().caveats.is_empty());
}

#[test]
fn a_domain_check_is_one_over_its_column() {
    let scope = DomainScope { column: ColumnForm::new("release year", Kind::Integer { digits: 10 }), types: &Sample };
    let translated = check("CHECK (((VALUE >= 1901) AND (VALUE <= 2155))) NOT VALID", &scope).unwrap();
    assert_eq!(translated.sql, "((\"release year\" >= 1901) AND (\"release year\" <= 2155))");
}

#[test]
fn defaults_take_the_representation_of_their_column() {
    use Kind::*;
    let seconds = Epoch { unit: TimeUnit::Seconds, with_zone: true };
    let plain = Epoch { unit: TimeUnit::Micros, with_zone: false };
    let real = DecimalReal { precision: 10, scale: 2 };
    let cases: &[(&str, Kind, &str)] = &[
        ("0", Integer { digits: 10 }, "0"),
        ("'-1'::integer", Integer { digits: 10 }, "-1"),
        ("true", Boolean, "1"),
        ("NULL::character varying", Text, "NULL"),
        ("''::character varying", Text, "''"),
        ("'it''s'::text", Text, "'it''s'"),
        ("'G'::status", Text, "refused"),
        ("'new'::status", Enum { labels: vec!["new".into(), "open".into(), "closed".into()] }, "'new'"),
        ("4.99", real.clone(), "4.99"),
        ("0", real.clone(), "0.0"),
        ("(0)::numeric", DecimalText { scale: Some(4) }, "'0.0000'"),
        ("1.50", DecimalText { scale: None }, "'1.50'"),
        ("'1.50'::numeric", DecimalText { scale: None }, "'1.50'"),
        ("0.1", Real, "0.1"),
        ("'0.1'::double precision", Real, "0.1"),
        ("now()", seconds.clone(), "(CAST(strftime('%s', 'now') AS INTEGER))"),
        (
            "CURRENT_TIMESTAMP",
            plain.clone(),
            "((CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000))",
        ),
        ("(now() + '7 days'::interval)", seconds.clone(), "(CAST(strftime('%s', 'now') AS INTEGER) + (604800))"),
        (
            "(now() - '1 mon'::interval)",
            seconds.clone(),
            "(min(CAST(strftime('%s', 'now', '-1 months') AS INTEGER), CAST(strftime('%s', 'now', 'start of month', \
             '+0 months', '-1 days') AS INTEGER) + CAST(strftime('%s', 'now') AS INTEGER) % 86400))",
        ),
        ("'1970-01-01 00:00:01'::timestamp without time zone", plain.clone(), "1000000"),
        ("'1970-01-01 00:00:00+00'::timestamp with time zone", seconds.clone(), "0"),
        ("'infinity'::timestamp without time zone", plain, "9223372036854775807"),
        ("'1970-01-01 00:00:00'::timestamp without time zone", seconds.clone(), "0"),
        (
            "timezone('utc'::text, now())",
            Epoch { unit: TimeUnit::Seconds, with_zone: false },
            "(CAST(strftime('%s', 'now') AS INTEGER))",
        ),
        (
            "(now() AT TIME ZONE 'utc'::text)",
            Epoch { unit: TimeUnit::Seconds, with_zone: false },
            "(CAST(strftime('%s', 'now') AS INTEGER))",
        ),
        ("timezone('Europe/Berlin'::text, now())", Epoch { unit: TimeUnit::Seconds, with_zone: false }, "refused"),
        ("CURRENT_TIMESTAMP(3)", seconds.clone(), "(CAST(strftime('%s', 'now') AS INTEGER))"),
        ("CURRENT_DATE", Date, "(date('now'))"),
        ("('now'::text)::date", Date, "(date('now'))"),
        ("'2020-01-01'::date", Date, "'2020-01-01'"),
        ("'{}'::jsonb", Json { binary: true }, "'{}'"),
        ("'{}'::text[]", JsonArray, "'[]'"),
        ("ARRAY[]::text[]", JsonArray, "'[]'"),
        ("'{a,\"b c\",NULL}'::text[]", JsonArray, "'[\"a\",\"b c\",null]'"),
        ("ARRAY[1, 2]", JsonArray, "'[1,2]'"),
        ("ARRAY['x'::text]", JsonArray, "'[\"x\"]'"),
        ("'\\xdeadbeef'::bytea", Blob, "x'deadbeef'"),
        ("'{1.5}'::numeric[]", JsonArray, "refused"),
        ("random_string(26)", Text, "refused"),
        ("(CURRENT_USER)::text", Text, "refused"),
        ("n", Integer { digits: 10 }, "refused"),
        ("'10.0.0.0/8'::inet", ServerText, "'10.0.0.0/8'"),
    ];
    let connection = sqlite();
    for (expression, stored, expected) in cases {
        let expression = expression.replace("\\\\", "\\");
        match default(&expression, &Sample, &ColumnForm::new("c", stored.clone())) {
            Err(refusal) => assert_eq!(*expected, "refused", "{expression}: {refusal}"),
            Ok(defaulted) => {
                let clause = defaulted.default.clause().unwrap();
                assert_eq!(clause, *expected, "{expression}");
                connection
                    .execute_batch(&format!(
                        "CREATE TABLE d (c ANY DEFAULT {clause}) STRICT; INSERT INTO d DEFAULT VALUES; DROP TABLE d"
                    ))
                    .unwrap();
            }
        }
    }
    let sequence =
        default("nextval('public.s'::regclass)", &Sample, &ColumnForm::new("c", Integer { digits: 10 })).unwrap();
    assert_eq!(sequence.default, Default::Sequence);
}

#[test]
fn the_clock_is_an_integer_near_the_system_clock_in_every_unit() {
    let connection = sqlite();
    for unit in [TimeUnit::Seconds, TimeUnit::Millis, TimeUnit::Micros] {
        let form = ColumnForm::new("c", Kind::Epoch { unit, with_zone: true });
        let clause = default("now()", &Sample, &form).unwrap().default.clause().unwrap();
        let (kind, value): (String, i64) = connection
            .query_row(&format!("SELECT typeof({clause}), {clause}"), [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let seconds = i64::try_from(now.as_secs()).unwrap();
        assert_eq!(kind, "integer");
        assert!((value / unit.per_second() - seconds).abs() <= 2, "{unit:?}: {value}");
    }
}

#[test]
fn a_random_uuid_has_its_version_and_variant() {
    let connection = sqlite();
    let form = ColumnForm::new("c", Kind::Uuid);
    let extension = default("public.uuid_generate_v4()", &Sample, &form).unwrap();
    let clause = default("gen_random_uuid()", &Sample, &form).unwrap().default.clause().unwrap();
    assert_eq!(extension.default.clause().as_deref(), Some(clause.as_str()));
    let mut seen = std::collections::HashSet::new();
    for _ in 0..200 {
        let uuid: String = connection.query_row(&format!("SELECT {clause}"), [], |row| row.get(0)).unwrap();
        assert_eq!(literals::uuid(&uuid).as_deref(), Some(uuid.as_str()));
        assert_eq!(uuid.len(), 36);
        assert_eq!(&uuid[14..15], "4");
        assert!("89ab".contains(&uuid[19..20]), "{uuid}");
        assert!(seen.insert(uuid));
    }
}

fn sqlite_values(connection: &Connection, sql: &str) -> Vec<Option<String>> {
    use rusqlite::types::ValueRef;
    let mut statement = connection.prepare(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let columns = statement.column_count();
    let mut rows = statement.query([]).unwrap();
    let mut values = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        for column in 0..columns {
            values.push(match row.get_ref(column).unwrap() {
                ValueRef::Null => None,
                ValueRef::Integer(value) => Some(value.to_string()),
                ValueRef::Real(value) => Some(format!("{value:?}")),
                ValueRef::Text(text) => Some(String::from_utf8(text.to_vec()).unwrap()),
                ValueRef::Blob(blob) => Some(format!("{blob:?}")),
            });
        }
    }
    values
}

/// PostgreSQL's text beside SQLite's: booleans as 1 and 0, numbers by their value.
fn same(postgres: &Option<String>, sqlite: &Option<String>) -> bool {
    match (postgres.as_deref(), sqlite.as_deref()) {
        (None, None) => true,
        (Some("true" | "t"), Some(value)) if value.parse::<i64>().is_ok() => value == "1",
        (Some("false" | "f"), Some(value)) if value.parse::<i64>().is_ok() => value == "0",
        (Some(a), Some(b)) if a == b => true,
        (Some(a), Some(b)) => matches!((a.parse::<f64>(), b.parse::<f64>()), (Ok(a), Ok(b)) if a == b),
        _ => false,
    }
}

/// Every question to both engines: its name, PostgreSQL's query and SQLite's.
fn questions() -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    for (condition, _) in CONDITIONS {
        let sql = check(condition, &Sample).unwrap().sql;
        all.push((
            (*condition).to_owned(),
            format!("SELECT ({condition})::text FROM sample ORDER BY id"),
            format!("SELECT {sql} FROM sample ORDER BY id"),
        ));
    }
    for (expression, kind, stored) in computed() {
        let sql = generated(expression, &Sample, &ColumnForm::new("g", stored))
            .unwrap_or_else(|e| panic!("{expression}: {e}"))
            .sql;
        all.push((
            format!("{expression} → {kind}"),
            format!("SELECT (({expression})::{kind})::text FROM sample ORDER BY id"),
            format!("SELECT {sql} FROM sample ORDER BY id"),
        ));
    }
    for definition in VIEWS {
        let sql = view(definition, &Sample).unwrap_or_else(|e| panic!("{definition}: {e}")).sql;
        all.push(((*definition).to_owned(), definition.trim_end_matches(';').to_owned(), sql));
    }
    all
}

/// PostgreSQL 15's answers, as recorded by the test below.
const ANSWERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/expressions/answers.json");

type Answers = std::collections::BTreeMap<String, Vec<Option<String>>>;

#[test]
fn sqlite_answers_every_question_as_postgresql_did() {
    let answers: Answers = serde_json::from_str(&std::fs::read_to_string(ANSWERS).unwrap()).unwrap();
    let connection = sqlite();
    let mut wrong = Vec::new();
    for (name, _, sql) in questions() {
        let Some(expected) = answers.get(&name) else {
            wrong.push(format!("{name}: no answer is recorded"));
            continue;
        };
        let given = sqlite_values(&connection, &sql);
        if expected.len() != given.len() {
            wrong.push(format!("{name}: {} values, not {}\n    {sql}", given.len(), expected.len()));
        } else if let Some(at) = (0..given.len()).find(|at| !same(&expected[*at], &given[*at])) {
            wrong.push(format!("{name}: value {at} is {:?}, not {:?}\n    {sql}", given[at], expected[at]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Asks a PostgreSQL every question, in a schema of its own that is rolled back. With WHIMBREL_RECORD set, its answers
/// become the recorded ones.
#[tokio::test]
async fn postgresql_still_answers_as_recorded() {
    use sqlx::{Connection as _, Executor as _, Row as _};
    let mut connection = sqlx::PgConnection::connect(crate::provision::shared().unwrap().admin_url()).await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    let table = POSTGRES_TABLE.replace("citext", "text");
    transaction
        .execute("SET TIME ZONE 'UTC'; CREATE SCHEMA whimbrel_questions; SET LOCAL search_path = whimbrel_questions")
        .await
        .unwrap();
    transaction.execute(sqlx::AssertSqlSafe(table)).await.unwrap();
    for (id, row) in rows().iter().enumerate() {
        let values: Vec<&str> = row.iter().map(|(postgres, _)| *postgres).collect();
        let sql = format!("INSERT INTO sample VALUES ({id}, {})", values.join(", "));
        transaction.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
    }
    let mut answers = Answers::new();
    for (name, sql, _) in questions() {
        // The simple protocol gives every value as text.
        let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.clone())).fetch_all(&mut *transaction).await;
        let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let mut values = Vec::new();
        for row in &rows {
            for column in 0..row.len() {
                let value = row.try_get_raw(column).unwrap();
                values.push(value.as_str().ok().map(str::to_owned));
            }
        }
        answers.insert(name, values);
    }
    transaction.rollback().await.unwrap();
    if std::env::var_os("WHIMBREL_RECORD").is_some() {
        std::fs::create_dir_all(std::path::Path::new(ANSWERS).parent().unwrap()).unwrap();
        std::fs::write(ANSWERS, serde_json::to_string(&answers).unwrap().replace("],\"", "],\n\"") + "\n").unwrap();
    }
    let recorded: Answers = serde_json::from_str(&std::fs::read_to_string(ANSWERS).unwrap()).unwrap();
    assert!(recorded == answers, "PostgreSQL answers otherwise than recorded");
}
