//! Changes of what a file records of itself, and of what that record is about: metadata, header, numbers of keys, rows of
//! tables that were not copied.

use super::bench::{Bench, changed, io_error};
use super::pages::writable;
use super::{Applied, Change, Mutation};
use crate::metadata::{LEDGER_KEY, LEDGER_TABLE, MANIFEST_TABLE, TABLES_TABLE, is_not_own};
use crate::quote::quote;
use rusqlite::params_from_iter;
use rusqlite::types::Value;
use std::os::unix::fs::FileExt;

const fn file(
    name: &'static str,
    applies_to: &'static str,
    change: fn(&mut Bench<'_>) -> rusqlite::Result<Option<Applied>>,
) -> Mutation {
    Mutation { name, applies_to, change: Change::File(change) }
}

/// What is in the record is noticed only where there is one.
const METADATA: &str = "a file with metadata";

pub const MUTATIONS: [Mutation; 32] = [
    file("a value of the manifest changed", METADATA, |bench| {
        metadata_row(bench, MANIFEST_TABLE, |place| format!("UPDATE {MANIFEST_TABLE} SET value = value || ' ' {place}"))
    }),
    file("a value of the manifest removed", METADATA, |bench| {
        metadata_row(bench, MANIFEST_TABLE, |place| format!("DELETE FROM {MANIFEST_TABLE} {place}"))
    }),
    file("a value of the manifest added", METADATA, |bench| {
        metadata(bench, &format!("INSERT INTO {MANIFEST_TABLE} VALUES ('whimbrel_mutation', '')"))
    }),
    file("the source's catalog changed", METADATA, |bench| {
        metadata(bench, &format!("UPDATE {MANIFEST_TABLE} SET value = replace(value, 'e', 'a') WHERE name = 'catalog'"))
    }),
    file("the definitions emptied", METADATA, |bench| {
        metadata(bench, &format!("UPDATE {MANIFEST_TABLE} SET value = '{{}}' WHERE name = 'definitions'"))
    }),
    file("a table's digest changed", METADATA, |bench| {
        metadata_row(bench, TABLES_TABLE, |place| {
            format!("UPDATE {TABLES_TABLE} SET digest = substr(digest, 2) || substr(digest, 1, 1) || '0' {place}")
        })
    }),
    file("a table's number of rows changed", METADATA, |bench| {
        metadata_row(bench, TABLES_TABLE, |place| format!("UPDATE {TABLES_TABLE} SET rows = rows + 1 {place}"))
    }),
    file("a table forgotten", METADATA, |bench| {
        metadata_row(bench, TABLES_TABLE, |place| format!("DELETE FROM {TABLES_TABLE} {place}"))
    }),
    file("a table remembered that is none", METADATA, |bench| {
        metadata(bench, &format!("INSERT INTO {TABLES_TABLE} VALUES ('public.none', 'none', 0, '{:032x}')", 0))
    }),
    file("a ledger entry for no table", METADATA, |bench| {
        metadata(bench, &format!("INSERT INTO {LEDGER_TABLE} VALUES ('whimbrel_mutation', '[1]', 'a', 'NaN')"))
    }),
    file("the ledger's index dropped", METADATA, |bench| metadata(bench, &format!("DROP INDEX {LEDGER_KEY}"))),
    file("the ledger's index over another column", METADATA, |bench| {
        let other = format!("DROP INDEX {LEDGER_KEY}; CREATE INDEX {LEDGER_KEY} ON {LEDGER_TABLE} (exact)");
        metadata(bench, &other)
    }),
    file("the next number of a key raised", "a table whose key counts up", |bench| {
        number(bench, "UPDATE sqlite_sequence SET seq = seq + 1 WHERE rowid = ?1")
    }),
    file("the next number of a key forgotten", "a table whose key counts up", |bench| {
        number(bench, "DELETE FROM sqlite_sequence WHERE rowid = ?1")
    }),
    file("a number of a key that is none", "a table whose key counts up", |bench| {
        number(bench, "INSERT INTO sqlite_sequence SELECT name || 'x', seq FROM sqlite_sequence WHERE rowid = ?1")
    }),
    file("a row of a table that was not copied deleted", "such a table with rows", |bench| {
        other_row(bench, |table, _| format!("DELETE FROM {table}"))
    }),
    file("a row of a table that was not copied changed", "such a table with rows", |bench| {
        other_row(bench, |table, column| format!("UPDATE {table} SET {column} = coalesce({column}, 0) || '1'"))
    }),
    file("a row in a table that was not copied", "such a table", other_row_added),
    file("another user_version", METADATA, |bench| pragma(bench, "user_version")),
    file("another application_id", METADATA, |bench| pragma(bench, "application_id")),
    file("another journal mode", METADATA, |bench| {
        if !bench.has(MANIFEST_TABLE)? {
            return Ok(None);
        }
        bench.wal = !bench.wal;
        Ok(changed("the file's header", if bench.wal { "WAL" } else { "a rollback journal" }))
    }),
    file("another schema format", METADATA, |bench| header(bench, true, 47)),
    file("a default size of the cache", METADATA, |bench| header(bench, true, 51)),
    file("reserved bytes on each page", "a file", |bench| header(bench, false, 20)),
    file("the number of pages in the header", "a file", |bench| header(bench, false, 31)),
    file("the number of free pages in the header", "a file", |bench| header(bench, false, 39)),
    file("auto-vacuum in the header", "a file", |bench| header(bench, false, 55)),
    file("another text encoding in the header", "a file", |bench| header(bench, false, 59)),
    file("incremental vacuum in the header", "a file", incremental),
    file("a byte of the header that has to be zero", "a file", |bench| {
        let place = 72 + bench.random.below(20);
        header(bench, false, place)
    }),
    file("the change for which the header's size is valid", "a file", |bench| {
        let place = 92 + bench.random.below(4);
        header(bench, false, place)
    }),
    file("bytes behind the last page", "a file", |bench| {
        let length = 1 + bench.random.below(9_000);
        let byte = bench.random.below(256) as u8;
        let file = writable(bench)?;
        let end = file.metadata().map_err(io_error)?.len();
        file.write_all_at(&vec![byte; length as usize], end).map_err(io_error)?;
        Ok(changed("the file", format!("{length} more bytes, each {byte}")))
    }),
];

/// Runs statements on a file that has metadata.
fn metadata(bench: &mut Bench<'_>, sql: &str) -> rusqlite::Result<Option<Applied>> {
    if !bench.has(MANIFEST_TABLE)? {
        return Ok(None);
    }
    bench.connection.execute_batch(sql)?;
    Ok(changed("the metadata", sql))
}

/// Runs a statement on a random row of a metadata table.
fn metadata_row(bench: &mut Bench<'_>, table: &str, sql: impl Fn(&str) -> String) -> rusqlite::Result<Option<Applied>> {
    if !bench.has(table)? {
        return Ok(None);
    }
    let Some((place, values)) = bench.row(table, "1", "rowid")? else { return Ok(None) };
    bench.connection.execute(&sql(&format!("WHERE {}", place.filter)), params_from_iter(&place.values))?;
    Ok(changed(format!("`{table}`, row {:?}", values.first()), sql("")))
}

/// Runs a statement on a random row of SQLite's table of numbers.
fn number(bench: &mut Bench<'_>, sql: &str) -> rusqlite::Result<Option<Applied>> {
    if !bench.has(MANIFEST_TABLE)? || !bench.has("sqlite_sequence")? {
        return Ok(None);
    }
    let Some((_, values)) = bench.row("sqlite_sequence", "1", "rowid")? else { return Ok(None) };
    bench.connection.execute(sql, params_from_iter(&values))?;
    Ok(changed("`sqlite_sequence`", sql))
}

/// The tables of a file with metadata that the plan does not fill, in a random order.
fn other_tables(bench: &mut Bench<'_>) -> rusqlite::Result<Vec<String>> {
    if !bench.has(MANIFEST_TABLE)? {
        return Ok(Vec::new());
    }
    let mut statement =
        bench.connection.prepare(&include_str!("tables.sql").replace("{not_own}", &is_not_own("name")))?;
    let names: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    drop(statement);
    let planned = |name: &String| bench.plan.tables.iter().any(|table| table.target.eq_ignore_ascii_case(name));
    let others: Vec<_> = names.into_iter().filter(|name| !planned(name)).collect();
    Ok(bench.shuffled(others))
}

/// The columns of a table that are no key and not computed.
fn plain_columns(bench: &Bench<'_>, table: &str) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT name FROM pragma_table_xinfo(?1) WHERE pk = 0 AND hidden = 0 ORDER BY type LIKE 'TEXT' DESC, cid";
    let mut statement = bench.connection.prepare(sql)?;
    statement.query_map([table], |row| row.get(0))?.collect()
}

fn other_row(bench: &mut Bench<'_>, sql: impl Fn(&str, &str) -> String) -> rusqlite::Result<Option<Applied>> {
    for table in other_tables(bench)? {
        let Some(column) = plain_columns(bench, &table)?.into_iter().next() else { continue };
        let Some((place, _)) = bench.row(&table, "1", "1")? else { continue };
        let sql = format!("{} WHERE {}", sql(&quote(&table), &quote(&column)), place.filter);
        if bench.connection.execute(&sql, params_from_iter(&place.values)).is_ok_and(|rows| rows > 0) {
            return Ok(changed(format!("table `{table}`, row {}", place.describe()), sql));
        }
    }
    Ok(None)
}

fn other_row_added(bench: &mut Bench<'_>) -> rusqlite::Result<Option<Applied>> {
    for table in other_tables(bench)? {
        let sql = "SELECT name, type, \"notnull\" OR pk FROM pragma_table_xinfo(?1) WHERE hidden = 0";
        let mut statement = bench.connection.prepare(sql)?;
        let columns: Vec<(String, String, bool)> = statement
            .query_map([&table], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<Result<_, _>>()?;
        drop(statement);
        let names: Vec<_> = columns.iter().map(|(name, ..)| quote(name)).collect();
        let values = columns.iter().map(|(_, declared, needed)| match (needed, declared.as_str()) {
            (false, _) => Value::Null,
            (true, "TEXT") => Value::Text("whimbrel_mutation".into()),
            (true, _) => Value::Integer(987_654_321),
        });
        let places = vec!["?"; names.len()].join(", ");
        let sql = format!("INSERT INTO {} ({}) VALUES ({places})", quote(&table), names.join(", "));
        if bench.connection.execute(&sql, params_from_iter(values)).is_ok() {
            return Ok(changed(format!("table `{table}`"), "one row more"));
        }
    }
    Ok(None)
}

fn pragma(bench: &mut Bench<'_>, name: &str) -> rusqlite::Result<Option<Applied>> {
    if !bench.has(MANIFEST_TABLE)? {
        return Ok(None);
    }
    let before: i32 = bench.connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))?;
    let after = before ^ (1 << bench.random.below(31));
    bench.connection.execute_batch(&format!("PRAGMA {name} = {after}"))?;
    Ok(changed(format!("`{name}`"), format!("{before} → {after}")))
}

/// Changes a byte of the header: the lowest bits of a number of four bytes, where it is the last of them.
fn header(bench: &mut Bench<'_>, recorded: bool, place: u64) -> rusqlite::Result<Option<Applied>> {
    if recorded && !bench.has(MANIFEST_TABLE)? {
        return Ok(None);
    }
    let file = writable(bench)?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, place).map_err(io_error)?;
    let other = byte[0] ^ (1 + bench.random.below(3) as u8);
    file.write_all_at(&[other], place).map_err(io_error)?;
    Ok(changed(format!("byte {place} of the header"), format!("{} → {other}", byte[0])))
}

/// Turns incremental vacuum on or off: whatever number is not 0 means the same.
fn incremental(bench: &mut Bench<'_>) -> rusqlite::Result<Option<Applied>> {
    const PLACE: u64 = 67;
    let file = writable(bench)?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, PLACE).map_err(io_error)?;
    let other = match byte {
        [0] => 1 + bench.random.below(3) as u8,
        // That it was on only the manifest says.
        _ if !bench.has(MANIFEST_TABLE)? => return Ok(None),
        _ => 0,
    };
    file.write_all_at(&[other], PLACE).map_err(io_error)?;
    Ok(changed("incremental vacuum", format!("{} → {other}", byte[0])))
}
