//! What SQLite does for a query (`EXPLAIN QUERY PLAN`), and which tables it reads from end to end for it.
//!
//! The words are those of SQLite 3.36 and later (<https://sqlite.org/eqp.html>): `SCAN x` reads a table or an index
//! from its beginning, `SEARCH x USING AUTOMATIC … INDEX` reads a table whole to build an index for one run.

use super::draw::message;
use super::query::Query;
use crate::error::{Error, Result};
use crate::metadata::is_not_own;
use crate::quote::quote;
use crate::schema::tokens::{Class, Token};
use rusqlite::Connection;
use rusqlite::types::Value;
use std::collections::BTreeMap;

/// One step of a query plan, as far from the left as it is deep.
pub(super) fn query_plan(connection: &Connection, query: &Query, values: &[Value]) -> Result<Vec<String>> {
    let failed = |error: rusqlite::Error| {
        Error::could_not("explain the query", format!("`{}`", query.file.display()), message(&error))
    };
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", query.sql)).map_err(failed)?;
    for (parameter, value) in query.parameters.iter().zip(values) {
        if let Some(place) = statement.parameter_index(&format!(":{}", parameter.name)).map_err(failed)? {
            statement.raw_bind_parameter(place, value).map_err(failed)?;
        }
    }
    let mut depths: BTreeMap<i64, usize> = BTreeMap::new();
    let mut steps = Vec::new();
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(failed)? {
        let (id, parent, detail): (i64, i64, String) =
            (row.get(0).map_err(failed)?, row.get(1).map_err(failed)?, row.get(3).map_err(failed)?);
        let depth = depths.get(&parent).map_or(0, |depth| depth + 1);
        depths.insert(id, depth);
        steps.push(format!("{}{detail}", "  ".repeat(depth)));
    }
    Ok(steps)
}

/// A table that is read from end to end, or a whole index of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FullScan {
    /// The table, where it is one of the database and not a view, a subquery or a common table expression.
    pub(super) table: Option<String>,
    /// It goes along an index, which a LIMIT may end early; the number of steps tells.
    pub(super) along_index: bool,
    /// The step of the plan.
    pub(super) step: String,
}

/// The steps of a plan that read a whole table or index.
pub(super) fn full_scans(connection: &Connection, query: &Query, plan: &[String]) -> Result<Vec<FullScan>> {
    let mut scans = Vec::new();
    for step in plan.iter().map(|step| step.trim_start()) {
        let Some((name, along_index)) = scanned(step) else { continue };
        let table = table_of(connection, query, name)?;
        scans.push(FullScan { table, along_index, step: step.to_owned() });
    }
    Ok(scans)
}

/// The name of what a step reads whole, and whether it goes along an index.
fn scanned(step: &str) -> Option<(&str, bool)> {
    if let Some(rest) = step.strip_prefix("SCAN ") {
        // A constant is no table, and a virtual table says itself what it looks up.
        if rest == "CONSTANT ROW" || rest.contains(" VIRTUAL TABLE INDEX ") {
            return None;
        }
        let (name, how) = rest.split_once(" USING ").unwrap_or((rest, ""));
        return Some((name.split_once(" LEFT-JOIN").map_or(name, |(name, _)| name), how.contains("INDEX")));
    }
    let (name, how) = step.strip_prefix("SEARCH ")?.split_once(" USING ")?;
    how.starts_with("AUTOMATIC").then_some((name, false))
}

/// A plan calls a table by its alias, where the query gives it one.
fn table_of(connection: &Connection, query: &Query, name: &str) -> Result<Option<String>> {
    let is_table = |name: &str| -> Result<bool> {
        connection
            .query_row(
                "SELECT count(*) FROM pragma_table_list(?1) WHERE schema = 'main' AND type = 'table'",
                [name],
                |row| row.get::<_, i64>(0),
            )
            .map(|count| count > 0)
            .map_err(|error| Error::could_not("look for the table", format!("`{name}`"), &error).because(error))
    };
    for (table, alias) in aliases(&query.statement.tokens().collect::<Vec<_>>()) {
        if alias.eq_ignore_ascii_case(name) && is_table(&table)? {
            return Ok(Some(table));
        }
    }
    Ok(is_table(name)?.then(|| name.to_owned()))
}

/// Every `name alias` and `name AS alias` of a statement; more than there are tables, so the names have to be looked up.
fn aliases(tokens: &[Token<'_>]) -> Vec<(String, String)> {
    let is_name = |token: &&Token<'_>| matches!(token.class, Class::Word | Class::Name);
    let mut found = Vec::new();
    for (place, token) in tokens.iter().enumerate().filter(|(_, token)| is_name(token)) {
        let mut behind = tokens[place + 1..].iter().skip_while(|token| token.is("AS"));
        found.extend(behind.next().filter(is_name).map(|alias| (token.unquoted(), alias.unquoted())));
    }
    found
}

/// How many rows a table has.
pub(super) fn row_count(connection: &Connection, table: &str) -> Result<u64> {
    let count = connection.query_row(&format!("SELECT count(*) FROM {}", quote(table)), [], |row| row.get::<_, i64>(0));
    count
        .map(i64::unsigned_abs)
        .map_err(|error| crate::endpoint::sqlite::read::describe("count the rows of", format!("`{table}`"), error))
}

/// The tables with the user's rows: neither SQLite's own nor those of a virtual table, nor what this program keeps.
pub(super) fn tables(connection: &Connection) -> Result<Vec<String>> {
    let failed = |error: rusqlite::Error| Error::could_not("list the tables", "", &error).because(error);
    let sql = format!(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' \
               AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND {} \
               AND name <> 'schema_migrations' ORDER BY name",
        is_not_own("name")
    );
    let mut statement = connection.prepare(&sql).map_err(failed)?;
    let names = statement.query_map([], |row| row.get(0)).map_err(failed)?;
    names.collect::<rusqlite::Result<_>>().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn found(sql: &str) -> Vec<(Option<String>, bool)> {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE big (a INTEGER, b TEXT); CREATE TABLE \"Small one\" (a INTEGER PRIMARY KEY, b TEXT);
                 CREATE INDEX big_a ON big (a); CREATE VIEW seen AS SELECT b FROM big AS inside;
                 CREATE VIRTUAL TABLE words USING fts5 (t);",
            )
            .unwrap();
        let query = Query::parse(Path::new("q.sql"), &format!("-- title\n{sql}")).unwrap();
        let plan = query_plan(&connection, &query, &[]).unwrap();
        let scans = full_scans(&connection, &query, &plan).unwrap();
        scans.into_iter().map(|scan| (scan.table, scan.along_index)).collect()
    }

    #[test]
    fn whole_tables_are_seen_under_any_name() {
        let table = |name: &str, along_index| (Some(name.to_owned()), along_index);
        assert_eq!(found("SELECT * FROM big WHERE b = 'x'"), [table("big", false)]);
        assert_eq!(found("SELECT * FROM big AS x WHERE b = 'x'"), [table("big", false)]);
        assert_eq!(found("SELECT * FROM \"Small one\" s ORDER BY b"), [table("Small one", false)]);
        assert_eq!(found("SELECT a FROM big ORDER BY a LIMIT 3"), [table("big", true)]);
        assert_eq!(found("SELECT * FROM seen"), [(None, false)], "under a name that only the view knows");
        assert_eq!(
            found("SELECT * FROM \"Small one\" s LEFT JOIN big ON big.b = s.b"),
            [table("Small one", false), table("big", false)],
            "an index that is built for one run"
        );
    }

    #[test]
    fn what_looks_something_up_is_none() {
        for sql in [
            "SELECT * FROM big WHERE a = 5",
            "SELECT * FROM \"Small one\" WHERE a = 5",
            "SELECT * FROM words WHERE words MATCH 'x'",
            "SELECT 1",
        ] {
            assert_eq!(found(sql), [], "{sql}");
        }
    }
}
