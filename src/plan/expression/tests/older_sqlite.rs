//! What a file needs no newer SQLite for: everything emitted keeps to the version that was allowed, and has, where this
//! program's own SQLite knows a shorter form, the same answers as that. `scripts/older-sqlite` asks versions of old.

use super::bank::{DOCUMENTS, MORE_VIEWS, varying_defaults};
use super::*;
use crate::plan::version::{CONSTRUCTS, constructs};
use serde_json::{Value, json};

/// The sample and two more tables, in a file for that version.
struct FileFor(SqliteVersion);

impl Scope for FileFor {
    fn column(&self, table: Option<&str>, name: &str) -> Option<ColumnForm> {
        Sample.column(table, name)
    }

    fn table(&self, schema: Option<&str>, name: &str) -> Option<TableForm> {
        let columns = match name {
            "days" => vec![ColumnForm::new("day", Kind::Date)],
            "docs" => vec![
                ColumnForm::new("id", Kind::Integer { digits: 10 }).not_null(),
                ColumnForm::new("doc", Kind::Json { binary: true }),
            ],
            _ => return Sample.table(schema, name),
        };
        let columns = columns.into_iter().map(|form| (form.name.clone(), form)).collect();
        Some(TableForm { name: name.to_owned(), columns, views_deep: 0 })
    }

    fn enumeration(&self, schema: Option<&str>, name: &str) -> Option<Vec<String>> {
        Sample.enumeration(schema, name)
    }

    fn text_order(&self) -> TextOrder {
        Sample.text_order()
    }

    fn is_table_name(&self, target: &str) -> bool {
        self.table(None, target).is_some()
    }

    fn sqlite_version(&self) -> SqliteVersion {
        self.0
    }
}

/// The tables: those of the other tests, and every day around changes of the year, and the documents.
fn setup() -> Vec<String> {
    let days = "WITH RECURSIVE d(day) AS (SELECT '1999-12-01' UNION ALL SELECT date(day, '+1 day') FROM d WHERE day < \
                '2012-02-01') INSERT INTO days SELECT day FROM d";
    let edges = "INSERT INTO days VALUES ('0001-01-01'), ('0001-01-07'), ('1899-12-31'), ('9999-12-31'), (NULL)";
    let mut all = sqlite_statements();
    all.extend(["CREATE TABLE days (day TEXT) STRICT", days, edges].map(str::to_owned));
    all.push("CREATE TABLE docs (id INTEGER PRIMARY KEY NOT NULL, doc TEXT) STRICT".to_owned());
    all.extend(DOCUMENTS.iter().map(|doc| format!("INSERT INTO docs (doc) VALUES ({})", render::text(doc))));
    all.push("INSERT INTO docs (doc) VALUES (NULL)".to_owned());
    all
}

/// Everything of the bank, translated for a file: what it was, and a query that asks it.
fn emitted(version: SqliteVersion) -> Vec<(String, Result<String, Refusal>)> {
    let scope = FileFor(version);
    let over_sample = |sql: String| format!("SELECT {sql} FROM sample ORDER BY id");
    let conditions = CONDITIONS.iter().map(|(condition, _)| {
        ((*condition).to_owned(), check(condition, &scope).map(|translated| over_sample(translated.sql)))
    });
    let values = computed().into_iter().map(|(expression, _, stored)| {
        let translated = generated(expression, &scope, &ColumnForm::new("g", stored));
        (expression.to_owned(), translated.map(|translated| over_sample(translated.sql)))
    });
    let defaults = varying_defaults().into_iter().map(|(expression, stored, sound)| {
        let translated = default(expression, &scope, &ColumnForm::new("c", stored.clone()));
        let clause = translated.map(|translated| translated.default.clause().unwrap_or_default());
        (
            format!("{expression} as {stored:?}"),
            clause.map(|clause| format!("SELECT {sound} FROM (SELECT {clause} AS c)")),
        )
    });
    let views = VIEWS
        .iter()
        .chain(MORE_VIEWS)
        .map(|definition| ((*definition).to_owned(), view(definition, &scope).map(|translated| translated.sql)));
    conditions.chain(values).chain(defaults).chain(views).collect()
}

fn versions() -> Vec<SqliteVersion> {
    let mut all: Vec<_> = CONSTRUCTS.iter().map(|construct| construct.since).collect();
    all.extend([SqliteVersion::OLDEST, SqliteVersion::bundled()]);
    all.sort();
    all.dedup();
    all
}

#[test]
fn what_is_emitted_needs_no_more_than_was_allowed() {
    let mut refused = Vec::new();
    for version in versions() {
        let all = emitted(version);
        assert!(all.len() > 200, "the bank is not whole: {}", all.len());
        for (name, sql) in all {
            match sql {
                Ok(sql) => {
                    let found = constructs(&sql).unwrap_or_else(|| panic!("{sql}: cannot be read"));
                    let later: Vec<_> = found.iter().filter(|construct| construct.since > version).collect();
                    assert!(later.is_empty(), "{name} for SQLite {version}: {sql}: {later:?}");
                }
                // What one version refuses, a later one allows, and the reason names it.
                Err(refusal) => {
                    let named =
                        refusal.reason.split("`--sqlite-version ").nth(1).and_then(|rest| rest.split('`').next());
                    let named: SqliteVersion = named.unwrap_or_else(|| panic!("{name}: {refusal}")).parse().unwrap();
                    assert!(named > version, "{name} for SQLite {version}: {refusal}");
                    refused.push((version, refusal.reason));
                }
            }
        }
    }
    let at = |version: &str| refused.iter().filter(|(for_version, _)| for_version.to_string() == version).count();
    // Ordered aggregates and FULL JOIN; then the first of them; then nothing.
    assert_eq!((at("3.37"), at("3.39"), at("3.44")), (4, 2, 0), "{refused:?}");
}

fn connection() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(&setup().join(";\n")).unwrap();
    connection
}

/// The answers with their types, as `scripts/older-sqlite` compares them.
fn typed_answers(connection: &Connection, sql: &str) -> Value {
    use rusqlite::types::ValueRef;
    let mut statement = connection.prepare(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let columns = statement.column_count();
    let mut rows = statement.query([]).unwrap();
    let mut values = Vec::new();
    while let Some(row) = rows.next().unwrap_or_else(|error| panic!("{sql}: {error}")) {
        values.extend((0..columns).map(|column| match row.get_ref(column).unwrap() {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(value) => json!(["integer", value]),
            ValueRef::Real(value) => json!(["real", format!("{value:?}")]),
            ValueRef::Text(text) => json!(["text", String::from_utf8(text.to_vec()).unwrap()]),
            ValueRef::Blob(blob) => json!(["blob", blob]),
        }));
    }
    Value::Array(values)
}

/// With WHIMBREL_OLDER_SQLITE set, the bank is written into that folder with this version's answers.
#[test]
fn every_question_for_the_oldest_version_has_an_answer() {
    let connection = connection();
    let mut questions = Vec::new();
    for (name, sql) in emitted(SqliteVersion::OLDEST) {
        let Ok(sql) = sql else { continue };
        let answer = typed_answers(&connection, &sql);
        assert_ne!(answer, json!([]), "{name}: {sql}");
        questions.push(json!({ "name": name, "sql": sql, "answer": answer }));
    }
    for (expression, stored, _) in varying_defaults() {
        let named = format!("{expression} as {stored:?}");
        let question = questions.iter().find(|question| question["name"] == named.as_str()).unwrap();
        assert_eq!(question["answer"], json!([["integer", 1]]), "{question}");
    }
    for sql in crate::plan::guards::tests::questions() {
        let answer = typed_answers(&connection, &sql);
        assert_ne!(answer, json!([]), "{sql}");
        questions.push(json!({ "name": "a guard", "sql": sql, "answer": answer }));
    }
    let later: Vec<_> = CONSTRUCTS
        .iter()
        .map(|one| {
            let answer = typed_answers(&connection, one.sample);
            json!({ "name": one.words, "since": one.since, "sql": one.sample, "answer": answer })
        })
        .collect();
    if let Some(folder) = std::env::var_os("WHIMBREL_OLDER_SQLITE") {
        let bank = json!({ "setup": setup(), "questions": questions, "later": later });
        std::fs::write(std::path::Path::new(&folder).join("bank.json"), bank.to_string()).unwrap();
    }
}

#[test]
fn weeks_and_their_years_are_those_of_iso_8601_on_every_day() {
    let connection = connection();
    let sql = view(MORE_VIEWS[4], &FileFor(SqliteVersion::OLDEST)).unwrap().sql;
    for (first, last) in [("0001-01-01", "0030-12-31"), ("1890-01-01", "2110-12-31"), ("9970-01-01", "9999-12-30")] {
        let fill = format!(
            "DELETE FROM days; WITH RECURSIVE d(day) AS (SELECT '{first}' UNION ALL SELECT date(day, '+1 day') FROM d WHERE \
             day < '{last}') INSERT INTO days SELECT day FROM d"
        );
        connection.execute_batch(&fill).unwrap();
        let differing = format!(
            "SELECT count(*), sum(week <> CAST(strftime('%V', day) AS INTEGER) OR year <> CAST(strftime('%G', day) AS INTEGER) \
             OR dow <> CAST(strftime('%u', day) AS INTEGER)) FROM ({sql})"
        );
        let found: (i64, i64) = connection.query_row(&differing, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert!(found.0 > 10_000 && found.1 == 0, "{first}: {found:?}");
    }
}

#[test]
fn the_clock_is_exact_to_the_millisecond_and_months_stop_at_their_last_day() {
    let connection = Connection::open_in_memory().unwrap();
    let milliseconds = Translator::new(&Sample, Purpose::Default).clock(TimeUnit::Millis);
    let at = milliseconds.replace("'now'", "ms / 1000.0, 'unixepoch'");
    let moments = "WITH RECURSIVE m(ms, n) AS (SELECT 0, 0 UNION ALL SELECT abs(ms * 48271 + 1234567891 + n * 7919) % \
                   4102444800000, n + 1 FROM m WHERE n < 100000) SELECT ms FROM m UNION ALL SELECT 1700000000000 + n FROM m";
    let sql = format!("SELECT count(*), sum({at} <> ms) FROM ({moments})");
    let found: (i64, i64) = connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(found, (200_002, 0));

    for months in [-25, -13, -12, -1, 1, 2, 3, 12, 13, 25] {
        let moved = temporal::months_from_now(months).replace("'now'", "d.moment");
        let sql = format!(
            "WITH RECURSIVE d(moment) AS (SELECT '2019-12-01 13:14:15' UNION ALL SELECT datetime(moment, '+1 day') FROM d \
             WHERE moment < '2025-01-01') \
             SELECT count(*), sum({moved} <> unixepoch(d.moment, '{months:+} months', 'floor')) FROM d"
        );
        let found: (i64, i64) = connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert!(found.0 > 1_800 && found.1 == 0, "{months}: {found:?}");
    }
}

#[test]
fn members_of_json_are_those_that_the_arrow_gives() {
    let connection = connection();
    let sql = view(MORE_VIEWS[5], &FileFor(SqliteVersion::OLDEST)).unwrap().sql;
    let of_zero = "CASE WHEN json_type(doc) IN ('array', 'object') THEN doc -> '$[0]' ELSE doc END";
    let differing = format!(
        "SELECT count(*), sum(m.a IS NOT (d.doc -> '$.a') OR (json_type(d.doc, '$.a') IN ('text', 'array', 'object') AND m.text \
         IS NOT (d.doc ->> '$.a')) OR (json_type(d.doc, '$.a') IN ('integer', 'real', 'true', 'false') AND m.text IS NOT \
         (d.doc -> '$.a')) OR (json_type(d.doc, '$.a') = 'null' AND m.text IS NOT NULL) OR m.third_value IS NOT (d.doc -> \
         '$[2]') OR json(m.first) IS NOT json({of_zero})) FROM ({sql}) m JOIN docs d USING (id)"
    );
    let found: (i64, i64) = connection.query_row(&differing, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(found, (i64::try_from(DOCUMENTS.len()).unwrap() + 1, 0));
}
