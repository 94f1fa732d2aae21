//! Keeping a published file in shape: statistics for the query planner, and on request its pages packed again.
//!
//! Invariants: the file is held exclusively throughout. `VACUUM` may give new row ids to a table without INTEGER
//! PRIMARY KEY; a full-text index over such a table (FTS5 with external content) refers to them, so it is rebuilt
//! right after, under the same lock, and checked. The list of those indexes is made before the first change: one that
//! cannot be rebuilt stops the run. If the program is killed between the two, the index is stale; the next
//! `optimize --vacuum` rebuilds it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rusqlite::Connection;
use serde::Serialize;

use crate::endpoint::sqlite::access::Access;
use crate::endpoint::sqlite::file::{Content, TargetFile, quoted, serialize_shown, side_files};
use crate::endpoint::sqlite::read::{describe, stop_when};
use crate::endpoint::sqlite::target_lock::TargetLock;
use crate::error::{Context, Error, Result};

/// How to optimize.
#[derive(Debug, Clone)]
pub struct OptimizeOptions {
    /// Pack the pages again, too.
    pub vacuum: bool,
    /// How many milliseconds to wait for other programs to let go of the file.
    pub wait_ms: u32,
    /// Set to stop.
    pub cancel: Arc<AtomicBool>,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Optimized {
    /// The path of the file, links followed.
    #[serde(serialize_with = "serialize_shown")]
    pub path: PathBuf,
    /// The size of the file and its log in bytes before, read back.
    pub size_bytes_before: u64,
    /// The size after, read back when everything was closed.
    pub size_bytes_after: u64,
    /// Rows of statistics that the query planner now has.
    pub statistics: u64,
    /// The pages were packed again.
    pub vacuumed: bool,
    /// Full-text indexes that were rebuilt because their content's row ids may have changed.
    pub rebuilt: Vec<String>,
}

const OPERATION: &str = "optimize";

/// Runs `ANALYZE`, `PRAGMA optimize` and, on request, `VACUUM` on the file at `path`.
///
/// # Errors
///
/// When the file is no database, when another program holds it (named where the system can tell), when the disk is
/// full, or when somebody asks to stop. Each statement is complete or has no effect.
pub fn optimize(path: &Path, options: &OptimizeOptions) -> Result<Optimized> {
    let target = TargetFile::inspect(path)?;
    if target.content == Content::Missing {
        return Err(Error::could_not(OPERATION, quoted(&target.path), "there is no such file"));
    }
    target.refuse_unusable_to(OPERATION)?;
    let size_bytes_before = size_with_log(&target.path)?;
    let lock = TargetLock::take_to(OPERATION, &target.path, options.wait_ms, &options.cancel)?;
    let target = TargetFile::inspect(lock.target())?;
    let mut access = Access::take_to(OPERATION, &target, lock.remaining_ms())?;
    stop_when(access.connection(), &options.cancel)?;
    let outcome = work(access.connection(), &target, options);
    // What was committed goes into the file even where a later step failed or was stopped, so that no log is left.
    access.connection().progress_handler(0, None::<fn() -> bool>).could_not("close", quoted(path))?;
    access.settle()?;
    drop(access);
    let done = outcome?;
    let size_bytes_after = size_with_log(&target.path)?;
    Ok(Optimized { path: target.path, size_bytes_before, size_bytes_after, ..done })
}

fn work(connection: &Connection, target: &TargetFile, options: &OptimizeOptions) -> Result<Optimized> {
    let object = quoted(&target.path);
    let failed = |operation: &'static str| move |error: rusqlite::Error| (operation, error);
    let tell = |(operation, error): (&'static str, rusqlite::Error)| describe(operation, &object, error);
    let dependent = if options.vacuum {
        dependent_indexes(connection).map_err(failed("read schema of")).map_err(tell)?
    } else {
        Vec::new()
    };
    if options.vacuum {
        connection.execute_batch("VACUUM").map_err(failed("vacuum")).map_err(tell)?;
        for index in &dependent {
            let name = index.replace('"', "\"\"");
            let sql = format!(
                "INSERT INTO \"{name}\"(\"{name}\") VALUES('rebuild');
                 INSERT INTO \"{name}\"(\"{name}\", rank) VALUES('integrity-check', 1);"
            );
            connection.execute_batch(&sql).map_err(|error| {
                describe("rebuild full-text index", format!("`{index}`"), error)
                    .hint("its rows may have new ids after VACUUM; run optimize with vacuum again")
            })?;
        }
    }
    connection.execute_batch("ANALYZE").map_err(failed("analyze")).map_err(tell)?;
    connection.execute_batch("PRAGMA optimize").map_err(failed("optimize")).map_err(tell)?;
    let statistics = statistics(connection).map_err(failed("count the statistics of")).map_err(tell)?;
    Ok(Optimized {
        path: PathBuf::new(),
        size_bytes_before: 0,
        size_bytes_after: 0,
        statistics,
        vacuumed: options.vacuum,
        rebuilt: dependent,
    })
}

/// Rows of statistics; none where ANALYZE had nothing to look at.
fn statistics(connection: &Connection) -> rusqlite::Result<u64> {
    match connection.table_exists(Some("main"), "sqlite_stat1")? {
        true => connection.query_row("SELECT count(*) FROM sqlite_stat1", [], |row| row.get(0).map(i64::unsigned_abs)),
        false => Ok(0),
    }
}

/// FTS5 tables whose content is a table that has no INTEGER PRIMARY KEY and so no lasting row ids.
fn dependent_indexes(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(include_str!("sql/virtual_tables.sql"))?;
    let mut rows = statement.query([])?;
    let mut dependent = Vec::new();
    while let Some(row) = rows.next()? {
        let (name, sql): (String, String) = (row.get(0)?, row.get(1)?);
        if let Some(content) = external_content(&sql)
            && !has_lasting_rowid(connection, &content)?
        {
            dependent.push(name);
        }
    }
    Ok(dependent)
}

/// The value of the option `content=` of an FTS5 table; none for another module, and for its own or no content.
pub(crate) fn external_content(sql: &str) -> Option<String> {
    let lower = sql.to_ascii_lowercase();
    let module = lower.find(" using ")? + " using ".len();
    if !lower[module..].trim_start().starts_with("fts5") {
        return None;
    }
    let arguments = &sql[module + lower[module..].find('(')? + 1..];
    split_arguments(arguments).into_iter().find_map(|argument| {
        let (name, value) = argument.split_once('=')?;
        if !name.trim().eq_ignore_ascii_case("content") {
            return None;
        }
        let value = value.trim();
        let unquoted = match value.chars().next() {
            Some(quote @ ('\'' | '"' | '`')) => {
                let inner = value.strip_prefix(quote)?.strip_suffix(quote)?;
                inner.replace(&format!("{quote}{quote}"), &quote.to_string())
            }
            Some('[') => value.trim_start_matches('[').trim_end_matches(']').to_string(),
            _ => value.to_string(),
        };
        (!unquoted.is_empty()).then_some(unquoted)
    })
}

/// The module's arguments, up to the closing bracket; a comma inside quotes or brackets does not separate.
fn split_arguments(text: &str) -> Vec<String> {
    let mut arguments = vec![String::new()];
    let (mut quote, mut depth) = (None, 0);
    for character in text.chars() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"' | '`') => quote = Some(character),
            (None, '[') => quote = Some(']'),
            (None, '(') => depth += 1,
            (None, ')') if depth == 0 => break,
            (None, ')') => depth -= 1,
            (None, ',') if depth == 0 => {
                arguments.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = arguments.last_mut() {
            last.push(character);
        }
    }
    arguments
}

/// A table whose INTEGER PRIMARY KEY is its row id. A view has no row ids that VACUUM could change, but the tables
/// below it may, so it counts as not lasting.
pub(super) fn has_lasting_rowid(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    connection.query_row(include_str!("sql/has_lasting_rowid.sql"), [table], |row| row.get(0))
}

fn size_with_log(path: &Path) -> Result<u64> {
    let file = std::fs::metadata(path).could_not("measure", quoted(path))?.len();
    Ok(file + side_files(path)?.wal_bytes.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(vacuum: bool) -> OptimizeOptions {
        OptimizeOptions { vacuum, wait_ms: 0, cancel: Arc::new(AtomicBool::new(false)) }
    }

    #[test]
    fn external_content_is_read_from_the_schema() {
        for (sql, content) in [
            ("CREATE VIRTUAL TABLE f USING fts5(a, b, content='notes', content_rowid='id')", Some("notes")),
            (
                "CREATE VIRTUAL TABLE f USING FTS5 (a, tokenize = \"x ', content=y\", content = \"my \"\"notes\")",
                Some("my \"notes"),
            ),
            ("CREATE VIRTUAL TABLE f USING fts5(a, content=[n, m])", Some("n, m")),
            ("CREATE VIRTUAL TABLE f USING fts5(a, content='')", None),
            ("CREATE VIRTUAL TABLE f USING fts5(content, body)", None),
            ("CREATE VIRTUAL TABLE f USING rtree(id, a, b)", None),
        ] {
            assert_eq!(external_content(sql).as_deref(), content, "{sql}");
        }
    }

    #[test]
    fn vacuum_gives_space_back_and_keeps_full_text_right() {
        for mode in ["DELETE", "WAL"] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("app.db");
            let connection = Connection::open(&path).unwrap();
            connection
                .execute_batch(&format!(
                    "PRAGMA journal_mode={mode};
                     CREATE TABLE notes(body TEXT);
                     CREATE VIRTUAL TABLE search USING fts5(body, content='notes');
                     CREATE TABLE kept(id INTEGER PRIMARY KEY, body TEXT); CREATE INDEX by_body ON kept(body);
                     CREATE VIRTUAL TABLE kept_search USING fts5(body, content='kept', content_rowid='id');
                     INSERT INTO notes SELECT 'word' || value || printf('%.500c', 'x') FROM (WITH RECURSIVE n(value) AS
                       (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 1000) SELECT value FROM n);
                     INSERT INTO kept(body) SELECT body FROM notes LIMIT 10;
                     DELETE FROM notes WHERE rowid < 900;
                     INSERT INTO notes(body) VALUES ('needle');
                     INSERT INTO search(search) VALUES ('rebuild'); INSERT INTO kept_search(kept_search) VALUES ('rebuild');"
                ))
                .unwrap();
            if mode == "WAL" {
                let error = optimize(&path, &options(true)).unwrap_err();
                assert!(error.cause().contains("in use"), "{error}");
            }
            drop(connection);
            let done = optimize(&path, &options(true)).unwrap();
            assert!(done.size_bytes_after < done.size_bytes_before, "{done:?}");
            assert_eq!(done.rebuilt, ["search"]);
            assert!(done.statistics >= 1, "{done:?}");
            assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "{mode}");
            let connection = Connection::open(&path).unwrap();
            let found: String = connection
                .query_row("SELECT body FROM search WHERE search MATCH 'needle'", [], |row| row.get(0))
                .unwrap();
            assert_eq!(found, "needle");
            let mode_after: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
            assert_eq!(mode_after, mode.to_lowercase());
        }
    }
}
