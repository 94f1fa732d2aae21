//! PostgreSQL's expressions and views from any text: translated or refused, and what is translated is SQLite's SQL.

use crate::words::text;
use rusqlite::Connection;
use std::sync::LazyLock;
use whimbrel::plan::expression::{self, ColumnForm, DomainScope, Kind, Scope, TableForm};
use whimbrel::types::TimeUnit;

const WORDS: &[&str] = &[
    "CHECK",
    "AND",
    "OR",
    "NOT",
    "IS NULL",
    "IS TRUE",
    "IS DISTINCT FROM",
    "IN (",
    "BETWEEN",
    "LIKE",
    "ILIKE",
    "~",
    "~*",
    "~~",
    "= ANY (ARRAY[",
    "<> ALL (",
    "CASE WHEN",
    "THEN",
    "ELSE",
    "END",
    "(",
    ")",
    "::",
    "::text",
    "::numeric(10,2)",
    "::integer",
    "::timestamp with time zone",
    "::date",
    "::status",
    "::text[]",
    "::jsonb",
    "||",
    "->>",
    "#>>",
    "@>",
    "id",
    "big",
    "active",
    "ratio",
    "price",
    "units",
    "amount",
    "name",
    "code",
    "email",
    "status",
    "token",
    "body",
    "starts",
    "created",
    "coarse",
    "born",
    "data",
    "tags",
    "network",
    "sample",
    "VALUE",
    "'",
    "'new'",
    "'2020-01-01'",
    "1.50",
    "lower(",
    "length(",
    "btrim(",
    "coalesce(",
    "extract(year from",
    "date_trunc('day',",
    "now()",
    "round(",
    "substring(",
    "SELECT",
    "FROM sample",
    "WHERE",
    "GROUP BY",
    "ORDER BY",
    "HAVING",
    "count(*)",
    "sum(",
    "max(",
    "OVER (",
    "WITH x AS (",
    "UNION ALL",
    "LEFT JOIN sample s ON",
    "LIMIT 1",
    "EXISTS (",
    "DISTINCT",
    "9223372036854775808",
    "1e400",
    "'NaN'::numeric",
    "NULL::",
    "INTERVAL '1 day'",
    "POSITION(",
    "COLLATE \"C\"",
    "AT TIME ZONE 'UTC'",
    "jsonb_typeof(",
    "array_length(",
    "char_length(",
    "floor(",
    "abs(",
    "%",
    "nextval('s'::regclass)",
    "gen_random_uuid()",
    "RECURSIVE",
    "nullif(",
    "greatest(",
    "CURRENT_TIMESTAMP",
    "*",
    ",",
    "RIGHT JOIN",
    "USING (id)",
    "string_agg(",
    "FILTER (WHERE",
];

/// One table with a column of every form.
struct Sample;

static FORMS: LazyLock<Vec<ColumnForm>> = LazyLock::new(|| {
    let form = ColumnForm::new;
    let epoch = |unit, with_zone| Kind::Epoch { unit, with_zone };
    vec![
        form("id", Kind::Integer { digits: 10 }).not_null(),
        form("big", Kind::Integer { digits: 19 }),
        form("active", Kind::Boolean),
        form("ratio", Kind::Real),
        form("price", Kind::DecimalReal { precision: 10, scale: 2 }),
        form("units", Kind::Scaled { digits: 6, scale: 0 }),
        form("amount", Kind::DecimalText { scale: None }),
        form("name", Kind::Text),
        form("code", Kind::PaddedText),
        form("email", Kind::NocaseText),
        form("status", Kind::Enum { labels: vec!["new".into(), "open".into()] }),
        form("token", Kind::Uuid),
        form("body", Kind::Blob),
        form("starts", epoch(TimeUnit::Millis, false)),
        form("created", epoch(TimeUnit::Micros, true)),
        form("coarse", epoch(TimeUnit::Seconds, true)).inexact(),
        form("born", Kind::Date),
        form("data", Kind::Json { binary: true }),
        form("tags", Kind::JsonArray),
        form("network", Kind::ServerText),
    ]
});

impl Scope for Sample {
    fn column(&self, table: Option<&str>, name: &str) -> Option<ColumnForm> {
        let there = table.is_none_or(|table| table == "sample");
        FORMS.iter().find(|form| there && form.name == name).cloned()
    }

    fn table(&self, schema: Option<&str>, name: &str) -> Option<TableForm> {
        (schema.is_none_or(|schema| schema == "public") && name == "sample").then(|| TableForm {
            name: "sample".to_owned(),
            views_deep: 0,
            columns: FORMS.iter().map(|form| (form.name.clone(), form.clone())).collect(),
        })
    }

    fn is_table_name(&self, target: &str) -> bool {
        target.eq_ignore_ascii_case("sample")
    }

    fn enumeration(&self, _: Option<&str>, name: &str) -> Option<Vec<String>> {
        (name == "status").then(|| vec!["new".into(), "open".into()])
    }
}

thread_local! {
    static DATABASE: Connection = {
        let database = Connection::open_in_memory().expect("a database");
        let columns: Vec<_> = FORMS.iter().map(|form| format!("\"{}\"", form.name)).collect();
        database.execute_batch(&format!("CREATE TABLE sample ({})", columns.join(", "))).expect("a table");
        database
    };
}

/// Fails where SQLite does not take the text. A tree that is too deep for it is found before a run begins.
fn prepare(sql: &str, source: &str) {
    DATABASE.with(|database| {
        if let Err(error) = database.prepare(sql) {
            let text = error.to_string();
            let is_limit =
                ["too deep", "too large", "overflow", "too many", "too big"].iter().any(|word| text.contains(word));
            assert!(is_limit, "{source:?} became {sql:?}: {text}");
        }
    });
}

/// A check, a default, an index, a generated column.
pub fn expressions(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let source = text(rest, WORDS);
    let form = &FORMS[usize::from(first >> 3) % FORMS.len()];
    let domain = DomainScope { column: form.clone(), types: &Sample };
    let found = match first & 7 {
        0 | 1 => expression::check(&source, &Sample),
        2 => expression::index_predicate(&source, &Sample, first & 8 != 0),
        3 => expression::index_expression(&source, &Sample),
        4 | 5 => expression::generated(&source, &Sample, form),
        6 => {
            if let Ok(defaulted) = expression::default(&source, &Sample, form)
                && let Some(clause) = defaulted.default.clause()
            {
                prepare(&format!("CREATE TABLE other (a DEFAULT {clause})"), &source);
            }
            return;
        }
        _ => expression::check(&source, &domain),
    };
    if let Ok(translated) = found {
        prepare(&format!("SELECT {} FROM sample", translated.sql), &source);
    }
}

/// A view's query.
pub fn views(bytes: &[u8]) {
    let source = format!("SELECT {}", text(bytes, WORDS));
    if let Ok(view) = expression::view(&source, &Sample) {
        prepare(&view.sql, &source);
    }
}

/// Chains that a parser reads in a loop and that are a deep tree all the same: to drop it needs stack for each link.
#[test]
fn chains_of_many_thousand_links_overflow_no_stack() {
    const LINKS: usize = 20_000;
    for (head, link) in [
        ("id", " + 1"),
        ("active", " OR active"),
        ("active", " AND id = 1"),
        ("name", " || 'a'"),
        ("id", "::integer"),
        ("tags", "[1]"),
        ("active", " IS TRUE"),
        ("data", " -> 'a'"),
        ("name", " COLLATE \"C\""),
        ("created", " AT TIME ZONE 'UTC'"),
    ] {
        let source = format!("{head}{}", link.repeat(LINKS));
        let refused = [
            expression::check(&source, &Sample).is_err(),
            expression::index_expression(&source, &Sample).is_err(),
            expression::default(&source, &Sample, &FORMS[0]).is_err(),
            expression::view(&format!("SELECT {source} AS a FROM sample"), &Sample).is_err(),
        ];
        assert_eq!(refused, [true; 4], "{head}{link}…");
    }
    for (open, close) in [("(", ")"), ("NOT ", ""), ("- ", ""), ("CASE WHEN ", " THEN true END"), ("ARRAY[", "]")] {
        let source = format!("{}active{}", open.repeat(LINKS), close.repeat(LINKS));
        assert!(expression::check(&source, &Sample).is_err(), "{open}…{close}");
    }
    for link in [" UNION ALL SELECT 1", " CROSS JOIN sample", ", sample"] {
        let _ = expression::view(&format!("SELECT 1 FROM sample{}", link.repeat(2_000)), &Sample);
    }
}
