//! Expressions that PostgreSQL prints otherwise than they were written: each is written as people write it, printed by the
//! server, translated from that, and answered by both engines over the same rows; or it is refused with that reason.

use super::*;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

/// As people write them; the answer has to be the same.
const CARRIED: &[&str] = &[
    "trim(name) = 'pad'",
    "trim(both from name) <> ''",
    "trim(leading from name) = 'pad '",
    "trim(trailing from name) <> name",
    "trim(leading 'a ' from name) = 'pad'",
    "trim(both 'a' from name) = name",
    "trim(trim(name)) = trim(both from trim(leading from name))",
    "trim(code) = 'ab'",
    "trim(both 'a' from code) = 'b'",
    "trim(E'\\n' from name) = name",
    "length(trim(name)) > 0",
    "btrim(name) = ltrim(rtrim(name))",
    "substring(name from 2 for 1) = 'a'",
    "substring(name from 2) = 'bc'",
    "substring(code from 1 for 1) = 'a'",
    "overlay(name placing 'xy' from 2 for 1) = 'axyc'",
    "overlay(name placing 'xy' from 2) = 'axy'",
    "overlay(name placing '' from 1 for 2) = 'c'",
    "overlay(name placing \"Title\" from 5 for 0) = name || \"Title\"",
    "position('b' in name) = 2",
    "position(code in name) = 1",
    "extract(year from born) is distinct from 2000",
    "(date_part('year', born) = 2000) is true",
    "date_part('epoch', starts) = -0.5",
    "date_part('epoch', starts) > 1500000000",
    "name = any (array['abc', 'ABC'])",
    "name < any (array['abc', 'b'])",
    "name >= all (array['ABC', 'a'])",
    "n > any (array[5, null])",
    "n <= all (array[100, 5, null])",
    "n = all (array[5, 5])",
    "n <> any (array[5, 5])",
    "n = any ('{5,100}'::int[])",
    "n > all ('{}'::int[])",
    "n > any ('{}'::int[])",
    "name like any (array['a%', '%c'])",
    "name not like any (array['a%', '%c'])",
    "name not like all (array['a%', 'A%'])",
    "name like all (array['%b%', 'a%'])",
    "name like 'a#_%' escape '#'",
    "name like 'a\\_%' escape ''",
    "name not like 'a%%' escape '%'",
    "name ^@ 'a'",
    "(n, m) = (5, 3)",
    "(n, m) <> (5, 3)",
    "(n, m) < (5, 3)",
    "(n, m) <= (5, 3)",
    "(n, m, name) > (0, -2, 'abc')",
    "row(n, big) >= row(5, -1)",
    "(n, m) in ((5, 3), (100, null))",
    "row(n, m) is null",
    "row(n, m) is not null",
    "not (row(n, m) is null)",
    "row(n, m) is distinct from row(5, 3)",
    "n between symmetric 100 and 1",
    "n not between symmetric m and 5",
    "active is not unknown",
    "(n > 1) is not false",
    "left(name, -1) = 'ab'",
    "left(name, -100) = ''",
    "right(name, -1) = 'bc'",
    "right(name, 0) = ''",
    "bit_length(name) = 24",
    "@ n = 7",
    "n # m = 6",
    "n # -1 < 0",
    "name collate \"C\" = 'abc'",
    "name::varchar(2) = 'ab'",
    "price::numeric(10,1) = 0.3",
    "n::numeric(6,2) = 5",
    "created at time zone 'UTC' > '1970-01-01'",
];

/// As people write them, and the reason.
const TOLD: &[(&str, &str)] = &[
    ("substring(name similar '%#\"b#\"%' escape '#') = 'b'", "it uses SUBSTRING … SIMILAR (regular expression)"),
    ("name similar to '[a-z]+'", "it uses SIMILAR TO (regular expression)"),
    ("name is normalized", "it asks whether a text is normalized Unicode"),
    ("name is not nfd normalized", "it asks whether a text is normalized Unicode"),
    ("(born, born) overlaps (born, born)", "it uses OVERLAPS"),
    ("left(name, n) = 'a'", "it calls left()"),
    ("overlay(name placing 'x' from n) = 'a'", "it calls overlay()"),
    ("(created at time zone 'Europe/Berlin') > '1970-01-01'", "it uses AT TIME ZONE with another zone than UTC"),
];

#[tokio::test]
async fn what_the_server_prints_is_understood_however_it_was_written() {
    let server = crate::provision::shared().unwrap();
    let mut connection = sqlx::PgConnection::connect(server.admin_url()).await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    let mut script =
        "SET TIME ZONE 'UTC'; CREATE SCHEMA whimbrel_spellings; SET LOCAL search_path = whimbrel_spellings; "
            .to_owned();
    script.push_str(&POSTGRES_TABLE.replace("citext", "text"));
    for (id, row) in rows().iter().enumerate() {
        let values: Vec<&str> = row.iter().map(|(postgres, _)| *postgres).collect();
        script.push_str(&format!("; INSERT INTO sample VALUES ({id}, {})", values.join(", ")));
    }
    // As a check of another table: the rows of the first need not satisfy it.
    script.push_str("; CREATE TABLE printed (LIKE sample)");
    for (at, condition) in CARRIED.iter().chain(TOLD.iter().map(|(condition, _)| condition)).enumerate() {
        script.push_str(&format!("; ALTER TABLE printed ADD CONSTRAINT c{at:03} CHECK ({condition})"));
    }
    sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut *transaction).await.unwrap();
    let printed =
        "SELECT pg_get_expr(conbin, conrelid) FROM pg_constraint WHERE conrelid = 'printed'::regclass ORDER BY conname";
    let printed = sqlx::raw_sql(printed).fetch_all(&mut *transaction).await.unwrap();
    let printed: Vec<String> = printed.iter().map(|row| row.get(0)).collect();
    assert_eq!(printed.len(), CARRIED.len() + TOLD.len());

    let sqlite = sqlite();
    let mut wrong = Vec::new();
    for (written, printed) in CARRIED.iter().zip(&printed) {
        let translated = match check(printed, &Sample) {
            Ok(translated) => translated.sql,
            Err(refusal) => {
                wrong.push(format!("{written}: {printed}: {refusal}"));
                continue;
            }
        };
        let question = format!("SELECT ({printed})::text FROM sample ORDER BY id");
        let answers = sqlx::raw_sql(AssertSqlSafe(question)).fetch_all(&mut *transaction).await.unwrap();
        let answers: Vec<Option<String>> = answers.iter().map(|row| row.get(0)).collect();
        let given = sqlite_values(&sqlite, &format!("SELECT {translated} FROM sample ORDER BY id"));
        assert_eq!(answers.len(), given.len());
        if let Some(at) = (0..given.len()).find(|at| !same(&answers[*at], &given[*at])) {
            wrong.push(format!("{written}: row {at} gives {:?}, not {:?}\n    {translated}", given[at], answers[at]));
        }
    }
    for ((written, reason), printed) in TOLD.iter().zip(&printed[CARRIED.len()..]) {
        match check(printed, &Sample) {
            Err(refusal) if refusal.reason.contains(reason) => {}
            other => wrong.push(format!("{written}: {printed}: {other:?}")),
        }
    }
    transaction.rollback().await.unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
