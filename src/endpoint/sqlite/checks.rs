//! The user's own checks: a folder of `*.sql` files, one query per file, each returned row a violation.
//!
//! Invariants: a check only reads. It is one SELECT (or WITH … SELECT, or VALUES); SQLite's authorizer refuses
//! everything else at preparation, before a row is touched. A file that is not such a query is an error that names
//! it, never a check that passed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::types::ValueRef;
use rusqlite::{Batch, Connection};

use super::file::quoted;
use super::read::{describe, open};
use crate::endpoint::findings::CheckOutcome;
use crate::error::{Context, Error, Result};

/// Longer values are cut when they are shown, in characters.
const VALUE_CHARS_MAX: usize = 80;

/// Runs every `*.sql` file of `folder`, in the order of their names, on the database at `path`, and keeps the first
/// `shown_max` rows of each.
///
/// # Errors
///
/// When the folder or the database cannot be read, when somebody asks to stop, and when a file is not one query.
pub fn run_folder(path: &Path, folder: &Path, shown_max: usize, cancel: &Arc<AtomicBool>) -> Result<Vec<CheckOutcome>> {
    run_folder_on(&open(path, cancel)?, folder, shown_max)
}

/// The same on a connection that is open already and only reads.
///
/// # Errors
///
/// As [`run_folder`].
pub fn run_folder_on(connection: &Connection, folder: &Path, shown_max: usize) -> Result<Vec<CheckOutcome>> {
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).could_not("list checks in", quoted(folder))? {
        let file = entry.could_not("list checks in", quoted(folder))?.path();
        if file.extension().is_some_and(|extension| extension == "sql") && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    connection.authorizer(Some(authorize)).could_not("run checks of", quoted(folder))?;
    let outcomes = files.iter().map(|file| run_file(connection, file, shown_max)).collect();
    // An authorizer is asked whenever a statement is prepared, so it would refuse what its owner does next.
    connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>).could_not("run checks of", quoted(folder))?;
    outcomes
}

fn run_file(connection: &Connection, file: &Path, shown_max: usize) -> Result<CheckOutcome> {
    let object = quoted(file);
    let sql = fs::read_to_string(file).could_not("read check", &object)?;
    let failed = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::AuthorizationForStatementDenied | rusqlite::ErrorCode::ReadOnly) => {
            refused(&object, "it does something else than read")
        }
        _ => describe("run check", &object, error),
    };
    // What SQLite cannot prepare is a mistake in the file; only what it meets later has to do with the data.
    let mistaken = |error: rusqlite::Error| match &error {
        rusqlite::Error::SqlInputError { msg, offset, .. } => refused(&object, &format!("{msg}, at byte {offset}")),
        rusqlite::Error::SqliteFailure(code, Some(message)) if code.code == rusqlite::ErrorCode::Unknown => {
            refused(&object, message)
        }
        _ => failed(error),
    };
    let mut batch = Batch::new(connection, &sql);
    let Some(mut statement) = batch.next().map_err(mistaken)? else {
        return Err(refused(&object, "it has no statement"));
    };
    // An error in what follows the first statement is one of a second statement, too.
    if !matches!(batch.next(), Ok(None)) {
        return Err(refused(&object, "it has several statements"));
    }
    if statement.column_count() == 0 || !statement.readonly() || statement.is_explain() != 0 {
        return Err(refused(&object, "it is not a query"));
    }
    if statement.parameter_count() > 0 {
        return Err(refused(&object, "it has parameters, and nothing to set them from"));
    }
    let columns: Vec<String> = statement.column_names().into_iter().map(String::from).collect();
    let mut outcome =
        CheckOutcome { file: name_of(file), title: title(&sql, file), violations: 0, columns, rows: Vec::new() };
    let width = outcome.columns.len();
    let mut rows = statement.query([]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        outcome.violations += 1;
        if outcome.rows.len() < shown_max {
            let values = (0..width).map(|column| row.get_ref(column).map(literal)).collect::<Result<_, _>>();
            outcome.rows.push(values.map_err(failed)?);
        }
    }
    Ok(outcome)
}

/// Reading is allowed, and pragmas that are given no value (`pragma_table_info(…)` names its table with one).
fn authorize(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Function { .. } | AuthAction::Recursive => {
            Authorization::Allow
        }
        AuthAction::Pragma { pragma_name, pragma_value } => {
            const TAKE_A_NAME: [&str; 7] = [
                "table_info",
                "table_xinfo",
                "table_list",
                "index_list",
                "index_info",
                "index_xinfo",
                "foreign_key_list",
            ];
            match pragma_value.is_none() || TAKE_A_NAME.contains(&pragma_name) || pragma_name.ends_with("_check") {
                true => Authorization::Allow,
                false => Authorization::Deny,
            }
        }
        _ => Authorization::Deny,
    }
}

fn refused(object: &str, cause: &str) -> Error {
    Error::usage("run check", object, cause)
        .hint("a check is one query that only reads; each row it returns is a violation")
}

fn name_of(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn title(sql: &str, file: &Path) -> String {
    let first = sql.trim_start_matches('\u{feff}').lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("");
    let comment = first.strip_prefix("--").or_else(|| first.strip_prefix("/*")).unwrap_or("");
    match comment.trim_end_matches("*/").trim() {
        "" => name_of(file),
        title => title.to_string(),
    }
}

/// A value as SQL would write it, cut where it is long.
fn literal(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".into(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => format!("{number:?}"),
        ValueRef::Text(bytes) => {
            let text = String::from_utf8_lossy(bytes);
            let cut: String = text.chars().take(VALUE_CHARS_MAX).collect();
            let more = if cut.len() < text.len() { "…" } else { "" };
            format!("'{}{more}'", cut.replace('\'', "''"))
        }
        ValueRef::Blob(bytes) => {
            let cut: String = bytes.iter().take(VALUE_CHARS_MAX / 2).map(|byte| format!("{byte:02x}")).collect();
            let more = if bytes.len() > VALUE_CHARS_MAX / 2 { "…" } else { "" };
            format!("x'{cut}{more}'")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_that_is_not_there_is_a_mistake_and_no_text() {
        let error = run("SELECT \"nowhere\" FROM sqlite_schema").unwrap_err();
        assert!(error.kind() == crate::error::Kind::Usage && error.cause().contains("nowhere"), "{error}");
    }

    fn run(sql: &str) -> Result<CheckOutcome> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.db");
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE t(a, b); INSERT INTO t VALUES (1, 'it''s'), (NULL, x'00ff'), (2.0, printf('%.100c', 'x'));
                 CREATE VIRTUAL TABLE f USING fts5(body); INSERT INTO f VALUES ('one two');",
            )
            .unwrap();
        drop(connection);
        let before = fs::read(&path).unwrap();
        let folder = directory.path().join("checks");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("README.md"), "not a check").unwrap();
        fs::write(folder.join("one.sql"), sql).unwrap();
        let outcome = run_folder(&path, &folder, 2, &Arc::new(AtomicBool::new(false)));
        assert_eq!(fs::read(&path).unwrap(), before, "a check changed the file");
        outcome.map(|mut outcomes| outcomes.remove(0))
    }

    #[test]
    fn each_row_is_a_violation_and_the_first_are_shown() {
        let outcome = run("-- rows of t\nSELECT a, b FROM t ORDER BY rowid; -- the end\n").unwrap();
        assert_eq!((outcome.file.as_str(), outcome.title.as_str()), ("one.sql", "rows of t"));
        assert_eq!((outcome.violations, outcome.columns), (3, vec!["a".to_string(), "b".to_string()]));
        assert_eq!(outcome.rows, [["1", "'it''s'"], ["NULL", "x'00ff'"]]);
        let outcome = run("SELECT a FROM t WHERE a > 5").unwrap();
        assert_eq!((outcome.violations, outcome.title.as_str()), (0, "one.sql"));
    }

    #[test]
    fn full_text_pragmas_and_recursion_are_readable() {
        assert_eq!(run("SELECT * FROM f WHERE f MATCH 'two'").unwrap().violations, 1);
        assert_eq!(run("SELECT * FROM pragma_table_info('t')").unwrap().violations, 2);
        assert_eq!(run("SELECT * FROM pragma_foreign_key_check").unwrap().violations, 0);
        assert_eq!(
            run("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 4) SELECT * FROM n")
                .unwrap()
                .violations,
            4
        );
    }

    #[test]
    fn what_is_not_one_query_is_refused_with_its_name() {
        for (sql, cause) in [
            ("SELECT 1; SELECT 2", "several statements"),
            ("SELECT 1; DROP TABLE t", "several statements"),
            ("SELECT 1; nonsense", "several statements"),
            ("DELETE FROM t RETURNING a", "something else than read"),
            ("INSERT INTO t VALUES (1, 2)", "something else than read"),
            ("DROP TABLE t", "something else than read"),
            ("ATTACH 'x.db' AS x", "something else than read"),
            ("BEGIN", "something else than read"),
            ("VACUUM", "not a query"),
            ("PRAGMA journal_mode=WAL", "something else than read"),
            ("PRAGMA query_only=0", "something else than read"),
            ("CREATE TEMP TABLE x(a)", "something else than read"),
            ("EXPLAIN SELECT 1", "not a query"),
            ("SELECT ?1", "parameters"),
            ("-- nothing\n", "no statement"),
            ("SELEC 1", "syntax error"),
            ("SELECT missing FROM t", "no such column"),
        ] {
            let error = run(sql).expect_err(sql);
            assert!(error.to_string().contains("one.sql"), "{error}");
            assert!(error.cause().contains(cause), "{sql}: {error}");
        }
    }
}
