//! Changes of rows, and of several values at once.

use super::bench::{Bench, FoundRow, changed, describe, is_refused, same};
use super::{Applied, Change, Mutation};
use crate::quote::{quote, quote_all};
use rusqlite::types::Value;
use rusqlite::{ToSql, params_from_iter};

const fn file(
    name: &'static str,
    applies_to: &'static str,
    change: fn(&mut Bench<'_>) -> rusqlite::Result<Option<Applied>>,
) -> Mutation {
    Mutation { name, applies_to, change: Change::File(change) }
}

pub const MUTATIONS: [Mutation; 14] = [
    file("a row deleted", "a table with rows", |bench| deleted(bench, "1")),
    file("the last row deleted", "a table with rows", |bench| extreme_deleted(bench, "DESC")),
    file("the first row deleted", "a table with rows", |bench| extreme_deleted(bench, "ASC")),
    file("every row of a table deleted", "a table with rows", emptied),
    file("every second row deleted", "a table with two rows or more", every_second_deleted),
    file("a row twice", "a table with rows and without a unique key", twice),
    file("a row under another key", "a table with rows and a key", another_key),
    file("a key changed", "a table with rows and a key", key_changed),
    file("two rows swapped in one column", "a column with two values", swapped_in_column),
    file("two rows swapped whole", "a table with a key and two different rows", swapped_whole),
    file("every value moved to the next row", "a column with two values", moved),
    file("two columns swapped in one row", "two columns of one kind", swapped_between_columns),
    file("the boundary of two texts moved", "two text columns", boundary_moved),
    file("a value as another kind", "a column of a table that is not STRICT, or can be made so", another_kind),
];

fn at(table: &str, place: &FoundRow) -> String {
    format!("table `{table}`, row {}", place.describe())
}

/// Runs a statement; `None` where the file refuses it.
fn run(bench: &Bench<'_>, sql: &str, values: &[&dyn ToSql]) -> rusqlite::Result<Option<usize>> {
    match bench.connection.execute(sql, values) {
        Err(error) if is_refused(&error) => Ok(None),
        outcome => outcome.map(Some),
    }
}

fn deleted(bench: &mut Bench<'_>, filter: &str) -> rusqlite::Result<Option<Applied>> {
    for table in bench.tables() {
        let Some((place, _)) = bench.row(&table.target, filter, "1")? else { continue };
        let sql = format!("DELETE FROM {} WHERE {}", quote(&table.target), place.filter);
        if bench.connection.execute(&sql, params_from_iter(&place.values))? > 0 {
            return Ok(changed(at(&table.target, &place), ""));
        }
    }
    Ok(None)
}

fn extreme_deleted(bench: &mut Bench<'_>, order: &str) -> rusqlite::Result<Option<Applied>> {
    for table in bench.tables() {
        let locator = bench.locator(&table.target)?;
        if locator.is_empty() {
            continue;
        }
        let (name, list) = (quote(&table.target), locator.join(", "));
        let ordered: Vec<_> = locator.iter().map(|column| format!("{column} {order}")).collect();
        let sql = format!(
            "DELETE FROM {name} WHERE ({list}) = (SELECT {list} FROM {name} ORDER BY {} LIMIT 1)",
            ordered.join(", ")
        );
        if bench.connection.execute(&sql, [])? > 0 {
            return Ok(changed(format!("table `{}`", table.target), ""));
        }
    }
    Ok(None)
}

fn emptied(bench: &mut Bench<'_>) -> rusqlite::Result<Option<Applied>> {
    for table in bench.tables() {
        let rows = bench.connection.execute(&format!("DELETE FROM {}", quote(&table.target)), [])?;
        if rows > 0 {
            return Ok(changed(format!("table `{}`", table.target), format!("{rows} rows gone")));
        }
    }
    Ok(None)
}

fn every_second_deleted(bench: &mut Bench<'_>) -> rusqlite::Result<Option<Applied>> {
    for table in bench.tables() {
        let locator = bench.locator(&table.target)?;
        if locator.is_empty() {
            continue;
        }
        let (name, list) = (quote(&table.target), locator.join(", "));
        let sql = format!(
            "DELETE FROM {name} WHERE ({list}) IN (SELECT {list} FROM
               (SELECT {list}, row_number() OVER (ORDER BY {list}) AS whimbrel_n FROM {name}) WHERE whimbrel_n % 2 = 0)"
        );
        let rows = bench.connection.execute(&sql, [])?;
        if rows > 0 {
            return Ok(changed(format!("table `{}`", table.target), format!("{rows} rows gone")));
        }
    }
    Ok(None)
}

/// The columns of a table that an INSERT can name.
fn insertable(bench: &Bench<'_>, table: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = bench.connection.prepare("SELECT name FROM pragma_table_xinfo(?1) WHERE hidden = 0")?;
    statement.query_map([table], |row| row.get(0))?.collect()
}

fn twice(bench: &mut Bench<'_>) -> rusqlite::Result<Option<Applied>> {
    for table in bench.tables() {
        let Some((place, _)) = bench.row(&table.target, "1", "1")? else { continue };
        let list = quote_all(insertable(bench, &table.target)?.iter().map(String::as_str));
        let name = quote(&table.target);
        let sql = format!("INSERT INTO {name} ({list}) SELECT {list} FROM {name} WHERE {}", place.filter);
        let values: Vec<&dyn ToSql> = place.values.iter().map(|value| value as &dyn ToSql).collect();
        if run(bench, &sql, &values)?.is_some() {
            return Ok(changed(at(&table.target, &place), ""));
        }
    }
    Ok(None)
}

/// Another value that a key may have and no row of the table does.
fn fresh(bench: &Bench<'_>, table: &str, column: &str, old: &Value) -> rusqlite::Result<Option<Value>> {
    let (table, column) = (quote(table), quote(column));
    Ok(match old {
        Value::Integer(_) => {
            let sql = format!("SELECT max({column}) FROM {table} WHERE typeof({column}) = 'integer'");
            let highest: i64 = bench.connection.query_row(&sql, [], |row| row.get(0))?;
            highest.checked_add(1).map(Value::Integer)
        }
        Value::Text(old) => {
            let used = format!("SELECT EXISTS (SELECT 1 FROM {table} WHERE {column} = ?1)");
            let mut new = format!("{old}x");
            while bench.connection.query_row(&used, [&new], |row| row.get(0))? {
                new.push('x');
            }
            Some(Value::Text(new))
        }
        Value::Blob(old) => {
            let mut new = old.clone();
            new.push(1);
            Some(Value::Blob(new))
        }
        Value::Real(old) => Some(Value::Real(old.next_up())),
        Value::Null => None,
    })
}

fn another_key(bench: &mut Bench<'_>) -> rusqlite::Result<Option<Applied>> {
    for table in bench.tables() {
        let Some(column) = table.key.first().map(|place| table.columns[*place].target.clone()) else { continue };
        let Some((place, values)) = bench.row(&table.target, "1", &quote(&column))? else { continue };
        let Some(key) = fresh(bench, &table.target, &column, &values[0])? else { continue };
        let columns = insertable(bench, &table.target)?;
        let next = place.values.len() + 1;
        // The row id's own column, where the plan does not have it, has to be a new one as well.
        let own = rowid_column(bench, &table.target)?.filter(|own| *own != column);
        let list: Vec<_> = columns.iter().filter(|name| Some(*name) != own.as_ref()).map(|name| quote(name)).collect();
        let key_name = quote(&column);
        let taken: Vec<_> =
            list.iter().map(|name| if *name == key_name { format!("?{next}") } else { name.clone() }).collect();
        let name = quote(&table.target);
        let sql = format!(
            "INSERT INTO {name} ({}) SELECT {} FROM {name} WHERE {}",
            list.join(", "),
            taken.join(", "),
            place.filter
        );
        let values: Vec<&dyn ToSql> =
            place.values.iter().chain(std::iter::once(&key)).map(|value| value as &dyn ToSql).collect();
        if run(bench, &sql, &values)?.is_some() {
            return Ok(changed(at(&table.target, &place), format!("again with `{column}` {}", describe(&key))));
        }
    }
    Ok(None)
}

/// The column that is the row id.
fn rowid_column(bench: &Bench<'_>, table: &str) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT name FROM pragma_table_xinfo(?1) WHERE pk = 1 AND upper(type) = 'INTEGER'";
    let mut statement = bench.connection.prepare(sql)?;
    let mut rows = statement.query([table])?;
    rows.next()?.map(|row| row.get(0)).transpose()
}

fn key_changed(bench: &mut Bench<'_>) -> rusqlite::Result<Option<Applied>> {
    for table in bench.tables() {
        let keys = bench.shuffled(table.key.iter().map(|place| table.columns[*place].target.clone()));
        for column in keys {
            let Some((place, values)) = bench.row(&table.target, "1", &quote(&column))? else { continue };
            let Some(key) = fresh(bench, &table.target, &column, &values[0])? else { continue };
            if bench.set(&table.target, &column, &place, &key)? {
                let change = format!("{} → {}", describe(&values[0]), describe(&key));
                return Ok(changed(format!("{}, column `{column}`", at(&table.target, &place)), change));
            }
        }
    }
    Ok(None)
}

/// Gives one column of two rows the other's value.
fn exchange(
    bench: &mut Bench<'_>,
    table: &str,
    column: &str,
    one: (&FoundRow, &Value),
    other: (&FoundRow, &Value),
) -> rusqlite::Result<bool> {
    if same(one.1, other.1) || !bench.set(table, column, one.0, other.1)? {
        return Ok(false);
    }
    // Where the other row refuses, the first is changed all the same.
    bench.set(table, column, other.0, one.1)?;
    Ok(true)
}

fn swapped_in_column(bench: &mut Bench<'_>) -> rusqlite::Result<Option<Applied>> {
    for (table, column) in bench.columns(|_| true) {
        // In a table without a key and without other columns the same rows would be there.
        if table.columns.len() < 2 {
            continue;
        }
        let name = quote(&column.target);
        let (Some((one, a)), Some((other, b))) =
            (bench.row(&table.target, "1", &name)?, bench.row(&table.target, "1", &name)?)
        else {
            continue;
        };
        let before = bench.contents();
        let done = exchange(bench, &table.target, &column.target, (&one, &a[0]), (&other, &b[0]))?;
        // Two rows that are else alike have only changed their places.
        if done && (!table.key.is_empty() && !is_key(table, &column.target)) && before != bench.contents() {
            let place = format!("{} and {}, column `{}`", at(&table.target, &one), other.describe(), column.target);
            return Ok(changed(place, format!("{} ↔ {}", describe(&a[0]), describe(&b[0]))));
        }
        if done {
            // What may mean nothing is put back.
            exchange(bench, &table.target, &column.target, (&one, &b[0]), (&other, &a[0]))?;
        }
    }
    Ok(None)
}

fn is_key(table: &crate::plan::TablePlan, column: &str) -> bool {
    table.key.iter().any(|place| table.columns[*place].target == column)
}

fn swapped_whole(bench: &mut Bench<'_>) -> rusqlite::Result<Option<Applied>> {
    for table in bench.tables() {
        if table.key.is_empty() {
            continue;
        }
        let columns: Vec<_> =
            table.columns.iter().filter(|column| !column.computed && !is_key(table, &column.target)).collect();
        let list: Vec<_> = columns.iter().map(|column| quote(&column.target)).collect();
        if list.is_empty() {
            continue;
        }
        let list = list.join(", ");
        let (Some((one, a)), Some((other, b))) =
            (bench.row(&table.target, "1", &list)?, bench.row(&table.target, "1", &list)?)
        else {
            continue;
        };
        let mut any = false;
        for (place, column) in columns.iter().enumerate() {
            any |= exchange(bench, &table.target, &column.target, (&one, &a[place]), (&other, &b[place]))?;
        }
        if any {
            return Ok(changed(format!("{} and {}", at(&table.target, &one), other.describe()), ""));
        }
    }
    Ok(None)
}

fn moved(bench: &mut Bench<'_>) -> rusqlite::Result<Option<Applied>> {
    for (table, column) in bench.columns(|_| true) {
        if table.key.is_empty() || is_key(table, &column.target) {
            continue;
        }
        let Some(rowid) = bench.locator(&table.target)?.into_iter().next().filter(|name| !name.starts_with('"')) else {
            continue;
        };
        let (name, column_name) = (quote(&table.target), quote(&column.target));
        let before = bench.contents();
        let sql = format!(
            "WITH old AS MATERIALIZED (SELECT {rowid} AS whimbrel_at, lag({column_name}) OVER (ORDER BY {rowid}) AS v,
               row_number() OVER (ORDER BY {rowid}) AS n FROM {name})
             UPDATE {name} SET {column_name} = old.v FROM old WHERE old.whimbrel_at = {name}.{rowid} AND old.n > 1"
        );
        if run(bench, &sql, &[])?.is_some_and(|rows| rows > 0) && bench.contents() != before {
            return Ok(changed(format!("table `{}`, column `{}`", table.target, column.target), ""));
        }
    }
    Ok(None)
}

fn swapped_between_columns(bench: &mut Bench<'_>) -> rusqlite::Result<Option<Applied>> {
    for table in bench.tables() {
        let columns = bench.shuffled(table.columns.iter().filter(|column| !column.computed));
        for pair in columns.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            if a.representation.declared_type() != b.representation.declared_type() {
                continue;
            }
            let (one, other) = (quote(&a.target), quote(&b.target));
            let filter = format!("{one} IS NOT {other}");
            let Some((place, values)) = bench.row(&table.target, &filter, &format!("{one}, {other}"))? else {
                continue;
            };
            let sql =
                format!("UPDATE {} SET {one} = {other}, {other} = {one} WHERE {}", quote(&table.target), place.filter);
            let parameters: Vec<&dyn ToSql> = place.values.iter().map(|value| value as &dyn ToSql).collect();
            if run(bench, &sql, &parameters)?.is_some_and(|rows| rows > 0) {
                let place = format!("{}, columns `{}` and `{}`", at(&table.target, &place), a.target, b.target);
                return Ok(changed(place, format!("{} ↔ {}", describe(&values[0]), describe(&values[1]))));
            }
        }
    }
    Ok(None)
}

fn boundary_moved(bench: &mut Bench<'_>) -> rusqlite::Result<Option<Applied>> {
    for table in bench.tables() {
        let texts: Vec<_> = table
            .columns
            .iter()
            .filter(|column| !column.computed && column.representation.declared_type() == "TEXT")
            .map(|column| quote(&column.target))
            .collect();
        for pair in texts.windows(2) {
            let (one, other) = (&pair[0], &pair[1]);
            let filter = format!("length({other}) > 0 AND {one} IS NOT NULL AND instr({one} || {other}, char(0)) = 0");
            let Some((place, _)) = bench.row(&table.target, &filter, "1")? else { continue };
            let sql = format!(
                "UPDATE {} SET {one} = {one} || substr({other}, 1, 1), {other} = substr({other}, 2) WHERE {}",
                quote(&table.target),
                place.filter
            );
            let parameters: Vec<&dyn ToSql> = place.values.iter().map(|value| value as &dyn ToSql).collect();
            if run(bench, &sql, &parameters)?.is_some_and(|rows| rows > 0) {
                return Ok(changed(format!("{}, columns {one} and {other}", at(&table.target, &place)), ""));
            }
        }
    }
    Ok(None)
}

/// A number as its digits, a text as its bytes: the definition is another one while it is written.
fn another_kind(bench: &mut Bench<'_>) -> rusqlite::Result<Option<Applied>> {
    let definitions = bench.definitions()?;
    for (table, column) in bench.columns(|column| matches!(column.representation.declared_type(), "INTEGER" | "TEXT")) {
        let Some((_, sql)) = definitions.iter().find(|(name, _)| *name == table.target) else { continue };
        let declared = column.representation.declared_type();
        let name = quote(&column.target);
        // A row id cannot be anything but a number.
        if rowid_column(bench, &table.target)?.is_some_and(|own| own == column.target) {
            continue;
        }
        let widths = 1..24;
        let found = widths
            .flat_map(|blanks| {
                [format!("{name}{:blanks$}{declared}", ""), format!("{}{:blanks$}{declared}", column.target, "")]
            })
            .find(|written| sql.contains(written.as_str()));
        let Some(found) = found else { continue };
        // What keeps every kind of value as it is: elsewhere `ANY` would turn texts of digits back into numbers.
        let strict = sql.rsplit(')').next().is_some_and(|options| options.to_ascii_uppercase().contains("STRICT"));
        let other = sql.replacen(&found, &format!("{name} {}", if strict { "ANY" } else { "BLOB" }), 1);
        let Some((place, _)) = bench.row(&table.target, &format!("{name} IS NOT NULL"), "1")? else { continue };
        if !bench.define(&table.target, &other)? {
            continue;
        }
        let to = if declared == "INTEGER" { "TEXT" } else { "BLOB" };
        let update =
            format!("UPDATE {} SET {name} = CAST({name} AS {to}) WHERE {}", quote(&table.target), place.filter);
        let parameters: Vec<&dyn ToSql> = place.values.iter().map(|value| value as &dyn ToSql).collect();
        let done = run(bench, &update, &parameters)?;
        bench.connection.execute("UPDATE sqlite_schema SET sql = ?2 WHERE name = ?1", [&table.target, sql])?;
        bench.reopen()?;
        if done.is_some_and(|rows| rows > 0) {
            let place = format!("{}, column `{}`", at(&table.target, &place), column.target);
            return Ok(changed(place, format!("{declared} → {to}")));
        }
    }
    Ok(None)
}
