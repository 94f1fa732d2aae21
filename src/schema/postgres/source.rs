//! Running the scripts of a source schema in a database that is thrown away, without a history.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::super::advice;
use super::super::script::{Script, needs_no_transaction};
use super::super::source::SourceScript;
use super::super::tokens::{Dialect, Statement};
use super::apply::run_sql;
use super::bridge::{Bridge, Guard};
use super::leave_out::{self, Tolerance};
use super::{Explained, failure, read_url};
use crate::endpoint::postgres::{Lookout, connect_beside};
use crate::{Error, Result};

const OPERATION: &str = "create the source schema with";

/// Also what the script before has set, and its search path.
const AS_CONNECTED: &str = "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL";

/// Runs the scripts in their order, each as the runner would run it: as one transaction, or statement by statement where
/// its header says so; by the search path that the database has chosen. Rights and owners of roles that the server does
/// not have are left out; nobody logs in there. Then empties the tables: whoever asks makes rows of his own.
///
/// # Errors
/// When the server cannot be reached, a script is not as it has to be, or a statement fails: file and line are named.
pub(crate) fn create_source(url: &str, scripts: &[SourceScript]) -> Result<()> {
    let (connect, url) = read_url("PostgreSQL URL", url)?;
    // What a script does may take its time, and nobody waits for a lock in a database of one's own.
    let guard = Guard::new(Lookout::new(connect.clone(), None), None);
    Bridge::new(guard)?.talk(async {
        let (mut connection, _) =
            connect_beside(&connect).await.map_err(|error| super::explain_connecting(&url, &error))?;
        for script in scripts {
            execute(&mut connection, AS_CONNECTED).await.could_not(OPERATION, format!("`{}`", script.file))?;
            run(&mut connection, script).await?;
        }
        execute(&mut connection, AS_CONNECTED).await.could_not(OPERATION, "")?;
        execute(&mut connection, EMPTY).await.could_not("empty the tables of", "the source schema")?;
        // Whether the server heard the goodbye changes nothing.
        let _ = connection.close().await;
        Ok(())
    })
}

/// Rows that a script brings are there as its migrations wanted them: in the way of generated ones.
const EMPTY: &str = "DO $$ DECLARE names text; BEGIN
    SELECT pg_catalog.string_agg(c.oid::pg_catalog.regclass::text, ', ') INTO names FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT IN ('pg_catalog', 'information_schema')
      AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp%' AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
          AND d.objid = c.oid AND d.deptype = 'e');
    IF names IS NOT NULL THEN EXECUTE 'TRUNCATE ' || names; END IF; END $$";

async fn execute(connection: &mut PgConnection, sql: &str) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(|_| ())
}

async fn run(connection: &mut PgConnection, source: &SourceScript) -> Result<()> {
    let script = Script::read(&source.file, source.text.as_str(), Dialect::Postgres)?;
    let tolerance = if script.is_dump { Tolerance::Dump } else { Tolerance::Roles };
    let whole = !script.header.no_transaction;
    let shown = format!("`{}`", source.file);
    if whole {
        execute(connection, "BEGIN").await.could_not(OPERATION, &shown)?;
    }
    for statement in &script.statements {
        refuse_beyond_database(&script, statement)?;
        let failed = |error: &sqlx::Error| failed(source, statement, error);
        if leave_out::reason(connection, statement, tolerance).await.map_err(|error| failed(&error))?.is_none() {
            run_sql(connection, statement).await.map_err(|error| failed(&error))?;
        }
    }
    if whole {
        // Without an effect where the script has ended the transaction itself.
        execute(connection, "COMMIT").await.could_not(OPERATION, shown)?;
    }
    Ok(())
}

/// What would change the server, which is not this program's.
fn refuse_beyond_database(script: &Script, statement: &Statement) -> Result<()> {
    const BEYOND: [&str; 4] = ["DATABASE", "TABLESPACE", "SYSTEM", "SUBSCRIPTION"];
    let Some(second) = statement.token(1).filter(|token| BEYOND.iter().any(|word| token.is(word))) else {
        return Ok(());
    };
    if !needs_no_transaction(statement, Dialect::Postgres) || statement.starts_with(&["REINDEX"]) {
        return Ok(());
    }
    let object = format!("`{}` line {}", script.file, statement.line());
    let first = statement.token(0).map_or("", |token| token.text);
    let cause = format!("`{first} {}` changes the server, and not the database", second.text);
    Err(Error::usage(OPERATION, object, cause).hint("take it out: a source schema is what one database has"))
}

/// The error of a statement: its place, what the server says, and what to do.
fn failed(source: &SourceScript, statement: &Statement, error: &sqlx::Error) -> Error {
    let place = place(&source.text, statement, error).unwrap_or_else(|| format!("line {}", statement.line()));
    let told = failure::told(OPERATION, format!("`{}`, {place}", source.file), error);
    advice::on_postgres(told, error, statement)
}

/// Where in a statement of a script a mistake is, where the server says so: the line, and its text.
fn place(script: &str, statement: &Statement, error: &sqlx::Error) -> Option<String> {
    const SHOWN_CHARS_MAX: usize = 80;
    let error = error.as_database_error()?.try_downcast_ref::<sqlx::postgres::PgDatabaseError>()?;
    let sqlx::postgres::PgErrorPosition::Original(character) = error.position()? else { return None };
    let sql = statement.text();
    let before = sql.char_indices().nth(character.saturating_sub(1)).map_or(sql.len(), |(at, _)| at);
    let line = statement.line() as usize + sql[..before].matches('\n').count();
    let text: String = script.lines().nth(line - 1)?.trim().chars().take(SHOWN_CHARS_MAX).collect();
    Some(format!("line {line} (`{text}`)"))
}
