//! A query's parameters, drawn from the rows of the file that is measured.
//!
//! Invariants:
//! - Values drawn from one table come from one row, and each is of its parameter's type.
//! - Every row that qualifies is as likely as any other: one pass over the table keeps a sample of fixed size (Vitter's
//!   algorithm R, "Random sampling with a reservoir", 1985), so that memory does not grow with the table.
//! - The same file, seed and size give the same sample.

use super::query::{Change, Clock, Kind, Parameter, Query, Source};
use crate::endpoint::sqlite::read::describe;
use crate::error::{Context, Error, Result};
use crate::harness::{Random, Seed};
use crate::quote;
use rusqlite::Connection;
use rusqlite::types::Value;
use std::time::SystemTime;

/// A word of this many characters is no word that anybody searches for.
const WORD_CHARS_MAX: usize = 64;

/// Values for a query's parameters.
#[derive(Debug)]
pub(super) enum Drawn {
    /// At least one set; in each, a value for each parameter, in the order of the header.
    Sets(Vec<Vec<Value>>),
    /// Why there is none.
    Nothing(String),
}

/// Draws at most `count` sets of values.
///
/// # Errors
/// When a table, a column or a condition of the header is none; the error names the file and the line.
pub(super) fn draw(connection: &Connection, query: &Query, seed: Seed, count: usize) -> Result<Drawn> {
    let mut random = seed.of(&query.name).random();
    // For each parameter, its values; those of one table are at the same place of their lists.
    let mut lists: Vec<Vec<Value>> = vec![Vec::new(); query.parameters.len()];
    for (table, members) in by_table(&query.parameters) {
        let mut sample = sample(connection, query, &members, count.max(1), &mut random)?;
        if sample.is_empty() {
            let names: Vec<_> = members.iter().map(|place| format!("`:{}`", query.parameters[*place].name)).collect();
            return Ok(Drawn::Nothing(format!("`{table}` has no row to draw {} from", names.join(", "))));
        }
        // The first rows of the table are the first of the sample: two tables would always meet in the same pairs.
        for last in (1..sample.len()).rev() {
            sample.swap(last, random.below(last as u64 + 1) as usize);
        }
        for row in sample {
            for (place, value) in members.iter().zip(row) {
                lists[*place].push(value);
            }
        }
    }
    for (list, parameter) in lists.iter_mut().zip(&query.parameters) {
        match &parameter.source {
            Source::Always(value) => list.push(value.clone()),
            Source::Now { form, offset } => list.push(now(connection, *form, *offset)?),
            Source::Row { .. } => {}
        }
    }
    let sets = lists.iter().map(Vec::len).max().unwrap_or(1);
    let set = |place: usize| lists.iter().map(|list| list[place % list.len()].clone()).collect();
    Ok(Drawn::Sets((0..sets).map(set).collect()))
}

/// The places of the parameters that are drawn from each table.
fn by_table(parameters: &[Parameter]) -> Vec<(&str, Vec<usize>)> {
    let mut tables: Vec<(&str, Vec<usize>)> = Vec::new();
    for (place, parameter) in parameters.iter().enumerate() {
        let Source::Row { table, .. } = &parameter.source else { continue };
        match tables.iter_mut().find(|(other, _)| other.eq_ignore_ascii_case(table)) {
            Some((_, members)) => members.push(place),
            None => tables.push((table, vec![place])),
        }
    }
    tables
}

/// Values of at most `count` rows for the parameters at `members`, which are drawn from one table.
fn sample(
    connection: &Connection,
    query: &Query,
    members: &[usize],
    count: usize,
    random: &mut Random,
) -> Result<Vec<Vec<Value>>> {
    let mut parts = Vec::new();
    let mut from = "";
    for place in members {
        let parameter = &query.parameters[*place];
        let Source::Row { table, column, change, condition } = &parameter.source else { continue };
        check(connection, query, parameter, table, column, condition.as_deref())?;
        from = table;
        parts.push((quote::quote(column), parameter.kind, *change, condition));
    }
    let columns: Vec<_> = parts.iter().map(|(column, ..)| column.as_str()).collect();
    let mut conditions = Vec::new();
    for (column, kind, _, condition) in &parts {
        let types = match kind {
            Kind::Text => "'text'",
            Kind::Integer => "'integer'",
            Kind::Real => "'real', 'integer'",
            Kind::Blob => "'blob'",
        };
        conditions.push(format!("typeof({column}) IN ({types})"));
        conditions.extend(condition.iter().map(|condition| format!("({condition})")));
    }
    let sql = format!("SELECT {} FROM {} WHERE {}", columns.join(", "), quote::quote(from), conditions.join(" AND "));
    let failed = |error: rusqlite::Error| describe("draw parameters for", format!("`{}`", query.file.display()), error);
    let mut statement = connection.prepare(&sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let mut sample: Vec<Vec<Value>> = Vec::new();
    let mut seen = 0_u64;
    while let Some(row) = rows.next().map_err(failed)? {
        let values: Option<Vec<Value>> = parts
            .iter()
            .enumerate()
            .map(|(place, (_, _, change, _))| row.get(place).map(|value| changed(value, *change)))
            .collect::<rusqlite::Result<_>>()
            .map_err(failed)?;
        let Some(values) = values else { continue };
        seen += 1;
        if sample.len() < count {
            sample.push(values);
        } else if let Some(place) = sample.get_mut(random.below(seen) as usize) {
            *place = values;
        }
    }
    Ok(sample)
}

/// A mistake in the header is told as one of the line it stands on. Nothing is read.
fn check(
    connection: &Connection,
    query: &Query,
    parameter: &Parameter,
    table: &str,
    column: &str,
    condition: Option<&str>,
) -> Result<()> {
    // In double quotes, a column that is not there would be a text.
    // Asked for every parameter of every query, in every case of a test: preparing it once is most of what can be saved.
    let known: bool = connection
        .prepare_cached("SELECT count(*) FROM pragma_table_xinfo(?1) WHERE name = ?2 COLLATE NOCASE")
        .and_then(|mut statement| statement.query_row((table, column), |row| row.get(0)))
        .could_not("draw parameters for", format!("`{}`", query.file.display()))?;
    if !known {
        return Err(query
            .refused_at(parameter, &format!("there is no column `{table}.{column}` in the database"))
            .hint("columns have the names of the target"));
    }
    let Some(condition) = condition else { return Ok(()) };
    let sql = format!("SELECT 1 FROM {} WHERE {condition}", quote::quote(table));
    match connection.prepare(&sql) {
        Ok(_) => Ok(()),
        Err(error) => Err(query.refused_at(parameter, &format!("its condition is none: {}", message(&error)))),
    }
}

/// What SQLite says of SQL that it cannot prepare, without the SQL.
pub(super) fn message(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        error => error.to_string(),
    }
}

/// `None` where nothing can be made of the value: that row is not drawn.
fn changed(value: Value, change: Change) -> Option<Value> {
    match (change, value) {
        (Change::None, value) => Some(value),
        (Change::Plus(offset), Value::Integer(number)) => number.checked_add(offset).map(Value::Integer),
        (Change::Plus(offset), Value::Real(number)) => Some(Value::Real(number + offset as f64)),
        (Change::FirstWord, Value::Text(text)) => first_word(&text).map(Value::Text),
        _ => None,
    }
}

/// The first run of letters and digits as a string of an FTS5 query (<https://sqlite.org/fts5.html>, section 3.1).
fn first_word(text: &str) -> Option<String> {
    let word = text.split(|c: char| !c.is_alphanumeric()).find(|word| !word.is_empty())?;
    (word.chars().count() <= WORD_CHARS_MAX).then(|| format!("\"{word}\""))
}

fn now(connection: &Connection, form: Clock, offset: i64) -> Result<Value> {
    let read =
        |sql: &str| -> Result<Value> { connection.query_row(sql, [], |row| row.get(0)).could_not("tell the time", "") };
    let per_second: i128 = match form {
        Clock::Rfc3339 => return read("SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"),
        Clock::DateAndTime => return read("SELECT datetime('now')"),
        Clock::Seconds => 1,
        Clock::Milliseconds => 1_000,
        Clock::Microseconds => 1_000_000,
    };
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).could_not("tell the time", "")?;
    let units = (since.as_micros() as i128) * per_second / 1_000_000 + i128::from(offset);
    i64::try_from(units).map(Value::Integer).map_err(|_| Error::usage("tell the time", "", "it is out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    fn database() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n ANY) STRICT;
                 WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1000)
                 INSERT INTO t SELECT i, CASE WHEN i % 10 = 0 THEN NULL ELSE '-word' || i || ' x' END, i * 2 FROM c;
                 UPDATE t SET n = 'text' WHERE id % 2 = 0",
            )
            .unwrap();
        connection
    }

    fn sets(header: &str, seed: u64, count: usize) -> Vec<Vec<Value>> {
        let names: Vec<_> = header.split(':').skip(1).filter_map(|part| part.split(' ').next()).collect();
        let text = format!("-- title\n{header}\nSELECT :{}", names.join(", :"));
        let query = Query::parse(Path::new("q.sql"), &text).unwrap();
        match draw(&database(), &query, Seed(seed), count).unwrap() {
            Drawn::Sets(sets) => sets,
            Drawn::Nothing(why) => panic!("{why}"),
        }
    }

    #[test]
    fn values_of_one_table_come_from_one_row_and_are_of_their_type() {
        let drawn =
            sets("-- :id integer, from t.id + 1\n-- :n integer, from T.n\n-- :w text, first word of t.name", 1, 50);
        assert_eq!(drawn.len(), 50);
        for set in &drawn {
            let [Value::Integer(id), Value::Integer(n), Value::Text(word)] = set.as_slice() else { panic!("{set:?}") };
            let id = id - 1;
            assert_eq!((id % 2, *n, word), (1, id * 2, &format!("\"word{id}\"")));
        }
        assert_eq!(
            drawn,
            sets("-- :id integer, from t.id + 1\n-- :n integer, from t.n\n-- :w text, first word of t.name", 1, 50)
        );
        assert_ne!(
            drawn,
            sets("-- :id integer, from t.id + 1\n-- :n integer, from t.n\n-- :w text, first word of t.name", 2, 50)
        );
    }

    #[test]
    fn every_row_is_as_likely_as_any_other() {
        let mut ids = BTreeSet::new();
        let mut early = 0;
        for seed in 0..100 {
            for set in sets("-- :id integer, from t.id", seed, 20) {
                let Value::Integer(id) = set[0] else { panic!("{set:?}") };
                ids.insert(id);
                early += i64::from(id <= 500);
            }
        }
        assert!(ids.len() > 800, "{}", ids.len());
        assert!((850..1150).contains(&early), "{early} of 2000 are from the first half");
    }

    #[test]
    fn a_condition_chooses_rows_and_constants_stay() {
        let drawn = sets(
            "-- :id integer, from t.id where id = 7\n-- :c text, always 'it''s'\n-- :now integer, now in seconds",
            1,
            9,
        );
        assert_eq!((drawn.len(), &drawn[0][..2]), (1, &[Value::Integer(7), Value::Text("it's".into())][..]));
        assert!(matches!(drawn[0][2], Value::Integer(seconds) if seconds > 1_700_000_000));
    }

    #[test]
    fn what_cannot_be_drawn_is_told() {
        let draw = |header: &str| {
            let query = Query::parse(Path::new("q.sql"), &format!("-- title\n{header}\nSELECT :a")).unwrap();
            draw(&database(), &query, Seed(1), 5)
        };
        let Ok(Drawn::Nothing(why)) = draw("-- :a text, from t.name where id > 5000") else {
            panic!("rows from nowhere")
        };
        assert_eq!(why, "`t` has no row to draw `:a` from");
        let told = draw("-- :a text, from t.title").unwrap_err().to_string();
        assert!(told.contains("`q.sql`, line 2: there is no column `t.title`"), "{told}");
        let told = draw("-- :a text, from t.name where nobody = 1").unwrap_err().to_string();
        assert!(told.contains("line 2: its condition is none: no such column: nobody"), "{told}");
    }
}
