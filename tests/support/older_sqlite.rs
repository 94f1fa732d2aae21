//! What `scripts/older-sqlite` asks of the files that tests migrate.

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

static LEFT: AtomicU32 = AtomicU32::new(0);

/// Leaves a copy of a migrated file in the folder that WHIMBREL_OLDER_SQLITE names, and what this version reads in it.
pub fn leave(target: &Path) {
    let Some(folder) = std::env::var_os("WHIMBREL_OLDER_SQLITE") else { return };
    let name = format!("{}-{}.db.file", std::process::id(), LEFT.fetch_add(1, Ordering::Relaxed));
    let copy = Path::new(&folder).join(name);
    std::fs::copy(target, &copy).expect("a copy of the target");
    let read = read(target).unwrap_or_else(|error| panic!("{}: {error}", target.display()));
    std::fs::write(copy.with_extension("json"), read.to_string()).expect("what is read in it");
}

fn read(target: &Path) -> rusqlite::Result<Value> {
    let scratch = tempfile::tempdir().expect("a directory");
    let path = scratch.path().join("copy.db");
    std::fs::copy(target, &path).expect("a copy");
    let connection = Connection::open(&path)?;
    let mut objects = connection.prepare(
        "SELECT type, '\"' || replace(name, '\"', '\"\"') || '\"', sql FROM sqlite_schema
         WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )?;
    let objects: Vec<(String, String, String)> =
        objects.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect::<rusqlite::Result<_>>()?;
    let (mut questions, mut inserts) = (Vec::new(), Vec::new());
    for (kind, name, sql) in &objects {
        // What hangs on the clock is another value at another time.
        if kind == "view" && (sql.contains("'now'") || sql.contains("random()")) {
            continue;
        }
        let columns = connection.prepare(&format!("SELECT * FROM {name}"))?.column_count();
        let order: Vec<String> = (1..=columns).map(|place| place.to_string()).collect();
        let sql = format!("SELECT * FROM {name} ORDER BY {}", order.join(", "));
        questions.push(json!({ "sql": sql, "answer": answer(&connection, &sql)? }));
    }
    for (_, name, _) in objects.iter().filter(|(kind, ..)| kind == "table") {
        let sql = format!("INSERT INTO {name} DEFAULT VALUES");
        let taken = connection.execute(&sql, []).is_ok();
        inserts.push(json!({ "sql": sql, "taken": taken }));
    }
    Ok(json!({ "questions": questions, "inserts": inserts }))
}

fn answer(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<Value>> {
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    let mut values = Vec::new();
    while let Some(row) = rows.next()? {
        for column in 0..columns {
            values.push(match row.get_ref(column)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(value) => json!(["integer", value]),
                ValueRef::Real(value) => json!(["real", format!("{value:?}")]),
                ValueRef::Text(text) => json!(["text", String::from_utf8_lossy(text)]),
                ValueRef::Blob(blob) => json!(["blob", blob]),
            });
        }
    }
    Ok(values)
}
