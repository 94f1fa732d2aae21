//! Valid rows for any SQLite schema that is there: a small generator that reads the schema and lets SQLite judge.
//!
//! Each column, or each foreign key, is a slot with candidates. A row is tried; where a constraint fails, SQLite says
//! which, and the slots that it names are turned like an odometer until the row is accepted. Every third row has NULL
//! wherever it may.

use std::collections::BTreeMap;

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

/// How many combinations are tried for one row.
const ATTEMPTS: usize = 4_000;

struct Column {
    name: String,
    data_type: String,
    not_null: bool,
    is_row_id: bool,
    has_default: bool,
}

struct ForeignKey {
    parent: String,
    columns: Vec<(String, String)>,
}

/// Columns that get their values together, and the values that they can have, best first. No values: the columns are
/// left to their defaults.
struct Slot {
    columns: Vec<String>,
    candidates: Vec<Vec<Value>>,
    at: usize,
}

/// The tables that hold rows of their own, parents before children; neither the history nor what belongs to a
/// virtual table.
pub fn tables(connection: &Connection) -> Vec<String> {
    let sql = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' \
               AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> 'schema_migrations' ORDER BY name";
    let mut waiting = strings(connection, sql, &[]);
    let mut ordered: Vec<String> = Vec::new();
    while !waiting.is_empty() {
        let ready = waiting.iter().position(|table| {
            let parents = foreign_keys(connection, table);
            parents.iter().all(|key| key.parent == *table || ordered.contains(&key.parent))
        });
        let ready = ready.unwrap_or_else(|| panic!("the foreign keys of {waiting:?} are a cycle"));
        ordered.push(waiting.remove(ready));
    }
    ordered
}

/// Adds `count` rows to every table.
pub fn add(connection: &Connection, count: usize) {
    for table in tables(connection) {
        for _ in 0..count {
            add_one(connection, &table);
        }
    }
}

fn add_one(connection: &Connection, table: &str) {
    let sql = format!("SELECT count(*) FROM \"{table}\"");
    let number: u32 = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
    let mut slots = slots(connection, table, usize::try_from(number).unwrap());
    for _ in 0..ATTEMPTS {
        let given = slots.iter().filter(|slot| !slot.candidates[slot.at].is_empty());
        let columns: Vec<String> = given.flat_map(|slot| &slot.columns).map(|name| format!("\"{name}\"")).collect();
        let values: Vec<&Value> = slots.iter().flat_map(|slot| &slot.candidates[slot.at]).collect();
        let marks = vec!["?"; values.len()].join(", ");
        let sql = format!("INSERT INTO \"{table}\" ({}) VALUES ({marks})", columns.join(", "));
        match connection.execute(&sql, params_from_iter(values)) {
            Ok(_) => return,
            Err(error) => turn(&mut slots, &error.to_string(), table),
        }
    }
    panic!("no valid row for `{table}` within {ATTEMPTS} attempts");
}

/// Moves the slots that a failed constraint names to their next combination.
fn turn(slots: &mut [Slot], error: &str, table: &str) {
    assert!(error.contains("constraint failed"), "`{table}`: {error}");
    let words: Vec<&str> = error.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let named = |slot: &Slot| slot.columns.iter().any(|column| words.contains(&column.as_str()));
    let mut turned = false;
    for slot in slots.iter_mut().filter(|slot| named(slot)) {
        turned = true;
        slot.at = (slot.at + 1) % slot.candidates.len();
        if slot.at > 0 {
            return;
        }
    }
    assert!(turned, "`{table}`: {error} names no column");
}

fn slots(connection: &Connection, table: &str, number: usize) -> Vec<Slot> {
    let columns = columns(connection, table);
    let definition = strings(connection, "SELECT sql FROM sqlite_schema WHERE name = ?1", &[table]).remove(0);
    let is_minimal = number % 3 == 2;
    let mut slots = Vec::new();
    let mut taken: Vec<String> = Vec::new();
    let mut keys = foreign_keys(connection, table);
    // The widest first: a column of it that another key shares has then a value that satisfies both.
    keys.sort_by_key(|key| std::cmp::Reverse(key.columns.len()));
    for key in keys {
        if key.columns.iter().any(|(column, _)| taken.contains(column)) {
            continue;
        }
        let nullable = |name: &str| columns.iter().any(|column| column.name == name && !column.not_null);
        let parents = parent_rows(connection, &key);
        let rotated = (0..parents.len()).map(|at| parents[(at + number) % parents.len()].clone());
        let mut candidates: Vec<Vec<Value>> = rotated.collect();
        if key.columns.iter().any(|(column, _)| nullable(column)) {
            let mut empty = candidates.first().cloned().unwrap_or_else(|| vec![Value::Null; key.columns.len()]);
            for (value, _) in empty.iter_mut().zip(&key.columns).filter(|(_, (column, _))| nullable(column)) {
                *value = Value::Null;
            }
            candidates.insert(if is_minimal { 0 } else { candidates.len() }, empty);
        }
        assert!(!candidates.is_empty(), "`{table}` has no parent in `{}`", key.parent);
        let names: Vec<String> = key.columns.iter().map(|(column, _)| column.clone()).collect();
        taken.extend(names.iter().cloned());
        slots.push(Slot { columns: names, candidates, at: 0 });
    }
    for column in columns.iter().filter(|column| !column.is_row_id && !taken.contains(&column.name)) {
        let mut candidates = candidates(table, column, &words(&definition, &column.name), number);
        if !column.not_null {
            candidates.insert(if is_minimal { 0 } else { candidates.len() }, Value::Null);
        }
        let mut candidates: Vec<Vec<Value>> = candidates.into_iter().map(|value| vec![value]).collect();
        if column.not_null && column.has_default {
            // A counter that triggers keep is wrong when it is given.
            candidates.insert(0, Vec::new());
        }
        slots.push(Slot { columns: vec![column.name.clone()], candidates, at: 0 });
    }
    slots
}

fn candidates(table: &str, column: &Column, words: &[String], number: usize) -> Vec<Value> {
    let small = i64::try_from(number).unwrap();
    if !words.is_empty() {
        let rotated = (0..words.len()).map(|at| words[(at + number) % words.len()].clone());
        return rotated.map(Value::Text).collect();
    }
    match column.data_type.as_str() {
        "INTEGER" => [small, small % 5 + 1, 1, 0, 1_763_000_000_000 + small].map(Value::Integer).to_vec(),
        "REAL" => [small as f64 + 0.5, 0.25].map(Value::Real).to_vec(),
        "BLOB" => vec![Value::Blob(number.to_be_bytes().to_vec())],
        _ => [
            format!("{table} {} {number} – ü 🐦 'quoted'", column.name),
            format!("2026-11-20T19:39:{:02}.123456789Z", number % 60),
            format!("{{\"number\": {number}}}"),
            format!("[\"{number}\"]"),
            format!("SBI-{number:026}"),
        ]
        .map(Value::Text)
        .to_vec(),
    }
}

/// The texts of `column IN ('a', 'b')` in the definition of a table.
fn words(definition: &str, column: &str) -> Vec<String> {
    let Some((_, list)) = definition.split_once(&format!("({column} IN ('")) else { return Vec::new() };
    let list = list.split(')').next().unwrap_or_default();
    list.split(',').map(|word| word.trim().trim_matches('\'').to_owned()).collect()
}

fn parent_rows(connection: &Connection, key: &ForeignKey) -> Vec<Vec<Value>> {
    let columns: Vec<String> = key.columns.iter().map(|(_, column)| format!("\"{column}\"")).collect();
    let sql = format!("SELECT {} FROM \"{}\" ORDER BY rowid", columns.join(", "), key.parent);
    let mut statement = connection.prepare(&sql).unwrap();
    let rows = statement.query_map([], |row| (0..columns.len()).map(|at| row.get(at)).collect()).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn columns(connection: &Connection, table: &str) -> Vec<Column> {
    let sql = "SELECT name, type, \"notnull\", pk = 1 AND type = 'INTEGER', dflt_value IS NOT NULL \
               FROM pragma_table_xinfo(?1) WHERE hidden = 0 ORDER BY cid";
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.query_map([table], |row| {
        let (name, data_type) = (row.get(0)?, row.get(1)?);
        let (not_null, is_row_id, has_default) = (row.get(2)?, row.get(3)?, row.get(4)?);
        Ok(Column { name, data_type, not_null, is_row_id, has_default })
    });
    columns.unwrap().collect::<Result<_, _>>().unwrap()
}

fn foreign_keys(connection: &Connection, table: &str) -> Vec<ForeignKey> {
    let sql = "SELECT id, \"table\", \"from\", \"to\" FROM pragma_foreign_key_list(?1) ORDER BY id, seq";
    let mut statement = connection.prepare(sql).unwrap();
    let mut keys: BTreeMap<i64, ForeignKey> = BTreeMap::new();
    let mut rows = statement.query([table]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let parent: String = row.get(1).unwrap();
        let key = keys.entry(row.get(0).unwrap()).or_insert(ForeignKey { parent, columns: Vec::new() });
        key.columns.push((row.get(2).unwrap(), row.get(3).unwrap()));
    }
    keys.into_values().collect()
}

pub fn strings(connection: &Connection, sql: &str, parameters: &[&str]) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map(params_from_iter(parameters), |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}
