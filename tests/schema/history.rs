//! What the history says of a migration: every column, on both engines, as any other program would read it.

use serde_json::{Value, json};
use whimbrel::schema::{To, checksum};

use crate::support::runner::{Postgres, Project};

const UP: &str = "CREATE TABLE a(b int PRIMARY KEY);\r\nINSERT INTO a VALUES (1);\r\n";
const DOWN: &str = "\u{feff}-- whimbrel: lossy\r\nDROP TABLE a;\r\n";
const SECOND: &str = "CREATE TABLE c(d int);";

fn project() -> Project {
    Project::new(&[("0001_first.up.sql", UP), ("0001_first.down.sql", DOWN), ("0002_second.sql", SECOND)])
}

/// Fails unless the rows are those of the project's two migrations.
fn expect(rows: &[Value]) {
    let tool = format!("whimbrel {}", env!("CARGO_PKG_VERSION"));
    // With the line ends of its file, and without its byte order mark.
    let down = "-- whimbrel: lossy\r\nDROP TABLE a;\r\n";
    let mut first = json!({
        "version": 1, "name": "first", "up_checksum": checksum(UP), "down_checksum": checksum(DOWN),
        "down_script": down, "reversal": "lossy", "tool_version": tool, "state": "applied",
        "statements_started": 2, "statements_finished": 2, "finished_checksum": null, "remarks": "",
    });
    let mut second = json!({
        "version": 2, "name": "second", "up_checksum": checksum(SECOND), "down_checksum": null,
        "down_script": null, "reversal": "irreversible", "tool_version": tool, "state": "applied",
        "statements_started": 1, "statements_finished": 1, "finished_checksum": null, "remarks": "",
    });
    assert_eq!(rows.len(), 2);
    for (row, expected) in rows.iter().zip([&mut first, &mut second]) {
        let applied_at = row["applied_at"].as_str().unwrap();
        assert!(applied_at.starts_with("20") && applied_at[10..].starts_with('T'), "{applied_at}");
        assert!(applied_at.ends_with('Z'), "{applied_at}");
        let duration_ms = row["duration_ms"].as_i64().unwrap();
        assert!((0..60_000).contains(&duration_ms), "{duration_ms} ms");
        expected["applied_at"] = row["applied_at"].clone();
        expected["duration_ms"] = row["duration_ms"].clone();
        assert_eq!(row, &*expected);
    }
    // The algorithm is named, and the form that is hashed has neither a byte order mark nor carriage returns.
    assert_eq!(rows[0]["down_checksum"], checksum("-- whimbrel: lossy\nDROP TABLE a;\n"));
    for column in ["up_checksum", "down_checksum"] {
        let text = rows[0][column].as_str().unwrap();
        let digits = text.strip_prefix("xxh3-128:").unwrap_or_else(|| panic!("{text} names no algorithm"));
        assert!(digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()), "{text}");
    }
}

#[test]
fn every_column_is_as_it_should_be_on_sqlite() {
    let project = project();
    project.runner().up(To::Newest).unwrap();
    let connection = project.connection();
    let mut statement = connection.prepare("SELECT * FROM schema_migrations ORDER BY version").unwrap();
    let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let mut rows = statement.query([]).unwrap();
    let mut found = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let mut object = json!({});
        for (index, name) in names.iter().enumerate() {
            object[name] = match row.get_ref(index).unwrap() {
                rusqlite::types::ValueRef::Null => Value::Null,
                rusqlite::types::ValueRef::Integer(number) => json!(number),
                text => json!(text.as_str().unwrap()),
            };
        }
        found.push(object);
    }
    expect(&found);
}

#[test]
fn every_column_is_as_it_should_be_on_postgres() {
    let (project, postgres) = (project(), Postgres::new());
    project.runner_for(&postgres.url).up(To::Newest).unwrap();
    let text = postgres.text(
        "SELECT json_agg(to_jsonb(h) || jsonb_build_object('applied_at', to_char(h.applied_at AT TIME ZONE 'UTC', \
         'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')) ORDER BY version)::text FROM schema_migrations h",
    );
    expect(serde_json::from_str::<Value>(&text).unwrap().as_array().unwrap());
}
