//! Changes of the ledger and of the numbers that keys count on from.

use super::bench::{Bench, changed};
use super::{Applied, Change, Mutation};
use crate::metadata::{LEDGER_TABLE, MANIFEST_TABLE, TABLES_TABLE};
use crate::quote::quote;
use crate::value::{Stored, row_key};
use rusqlite::params;
use rusqlite::types::Value;
use std::borrow::Cow;

const fn file(
    name: &'static str,
    applies_to: &'static str,
    change: fn(&mut Bench<'_>) -> rusqlite::Result<Option<Applied>>,
) -> Mutation {
    Mutation { name, applies_to, change: Change::File(change) }
}

pub const MUTATIONS: [Mutation; 11] = [
    file("a ledger entry removed", "a ledger with entries", |bench| {
        entry_changed(bench, &format!("DELETE FROM {LEDGER_TABLE} WHERE rowid = ?1"))
    }),
    file("a ledger entry's text changed", "a ledger with entries", |bench| {
        entry_changed(bench, &format!("UPDATE {LEDGER_TABLE} SET exact = exact || '1' WHERE rowid = ?1"))
    }),
    file("a ledger entry's text emptied", "a ledger with entries", |bench| {
        entry_changed(bench, &format!("UPDATE {LEDGER_TABLE} SET exact = '' WHERE rowid = ?1"))
    }),
    file("a ledger entry for another row", "a ledger with entries", |bench| {
        entry_changed(bench, &format!("UPDATE {LEDGER_TABLE} SET row_key = row_key || 'x' WHERE rowid = ?1"))
    }),
    file("a ledger entry for another column", "a ledger with entries", |bench| {
        entry_changed(bench, &format!("UPDATE {LEDGER_TABLE} SET column_name = column_name || 'x' WHERE rowid = ?1"))
    }),
    file("a ledger entry for another table", "a ledger with entries", other_table),
    file("a ledger entry added", "a ledger and a table with rows and a key", entry_added),
    file("every ledger entry removed", "a ledger with entries", |bench| {
        let sql = &format!("DELETE FROM {LEDGER_TABLE}");
        let entries = if bench.has(LEDGER_TABLE)? { bench.connection.execute(sql, [])? } else { 0 };
        Ok((entries > 0).then(|| Applied { place: "the ledger".into(), change: format!("{entries} entries gone") }))
    }),
    file("the ledger dropped", "a ledger", |bench| {
        if !bench.has(LEDGER_TABLE)? {
            return Ok(None);
        }
        bench.connection.execute_batch(&format!("DROP TABLE {LEDGER_TABLE}"))?;
        Ok(changed("the ledger", "gone"))
    }),
    file("a metadata table dropped", "a file with metadata", |bench| {
        let tables = bench.shuffled([MANIFEST_TABLE, TABLES_TABLE]);
        let Some(table) = tables.into_iter().find(|table| bench.has(table).unwrap_or(false)) else { return Ok(None) };
        bench.connection.execute_batch(&format!("DROP TABLE {table}"))?;
        Ok(changed(format!("table `{table}`"), "gone"))
    }),
    file("the next number of a key set back", "a table whose key counts up", number_set_back),
];

fn entry_changed(bench: &mut Bench<'_>, sql: &str) -> rusqlite::Result<Option<Applied>> {
    let Some((entry, told)) = entry(bench)? else { return Ok(None) };
    bench.connection.execute(sql, [entry])?;
    Ok(changed(told, ""))
}

/// A random entry.
fn entry(bench: &mut Bench<'_>) -> rusqlite::Result<Option<(i64, String)>> {
    if !bench.has(LEDGER_TABLE)? {
        return Ok(None);
    }
    let wanted = "rowid, table_name || ' ' || row_key || ' ' || column_name || ': ' || exact";
    let Some((_, values)) = bench.row(LEDGER_TABLE, "1", wanted)? else { return Ok(None) };
    match values.as_slice() {
        [Value::Integer(rowid), Value::Text(told)] => Ok(Some((*rowid, format!("the ledger's entry {told:.120}")))),
        _ => Ok(None),
    }
}

fn other_table(bench: &mut Bench<'_>) -> rusqlite::Result<Option<Applied>> {
    let Some((entry, told)) = entry(bench)? else { return Ok(None) };
    let sql = &format!("SELECT table_name FROM {LEDGER_TABLE} WHERE rowid = ?1");
    let own: String = bench.connection.query_row(sql, [entry], |row| row.get(0))?;
    for other in bench.tables().into_iter().filter(|table| table.target != own) {
        // The other table may have an entry of the same key and column.
        let sql = &format!("UPDATE OR IGNORE {LEDGER_TABLE} SET table_name = ?2 WHERE rowid = ?1");
        if bench.connection.execute(sql, params![entry, other.target])? > 0 {
            return Ok(changed(told, format!("now of table `{}`", other.target)));
        }
    }
    Ok(None)
}

/// An entry for a value that needs none.
fn entry_added(bench: &mut Bench<'_>) -> rusqlite::Result<Option<Applied>> {
    if !bench.has(LEDGER_TABLE)? {
        return Ok(None);
    }
    for (table, column) in bench.columns(|_| true) {
        if table.key.is_empty() {
            continue;
        }
        let key: Vec<_> = table.key.iter().map(|place| quote(&table.columns[*place].target)).collect();
        let Some((_, values)) = bench.row(&table.target, "1", &key.join(", "))? else { continue };
        let key = row_key(values.iter().map(stored));
        let there = &format!(
            "SELECT EXISTS (SELECT 1 FROM {LEDGER_TABLE} WHERE table_name = ?1 AND row_key = ?2 AND column_name = ?3)"
        );
        if bench.connection.query_row(there, [&table.target, &key, &column.target], |row| row.get(0))? {
            continue;
        }
        bench.connection.execute(
            &format!("INSERT INTO {LEDGER_TABLE} (table_name, row_key, column_name, exact) VALUES (?1, ?2, ?3, 'no such value')"),
            [&table.target, &key, &column.target],
        )?;
        return Ok(changed(
            format!("table `{}`, row {key}, column `{}`", table.target, column.target),
            "no such value",
        ));
    }
    Ok(None)
}

fn stored(value: &Value) -> Stored<'_> {
    match value {
        Value::Null => Stored::Null,
        Value::Integer(value) => Stored::Integer(*value),
        Value::Real(value) => Stored::Real(*value),
        Value::Text(value) => Stored::Text(Cow::Borrowed(value.as_bytes())),
        Value::Blob(value) => Stored::Blob(Cow::Borrowed(value)),
    }
}

fn number_set_back(bench: &mut Bench<'_>) -> rusqlite::Result<Option<Applied>> {
    for table in bench.tables() {
        let Some(last) = table.last_number else { continue };
        if !bench.has("sqlite_sequence")? {
            return Ok(None);
        }
        let sql = "UPDATE sqlite_sequence SET seq = ?2 WHERE name = ?1 AND seq >= ?3";
        let Some(before) = last.checked_sub(1) else { continue };
        if bench.connection.execute(sql, params![table.target, before, last])? > 0 {
            return Ok(changed(format!("table `{}`", table.target), format!("counts on from {before}")));
        }
    }
    Ok(None)
}
