//! Running the scripts of a source schema in a database that is thrown away, without a history.

use super::super::advice;
use super::super::script::{Script, needs_no_transaction};
use super::super::source::SourceScript;
use super::super::tokens::{Dialect, Statement};
use super::apply::run_sql;
use super::bridge::{Bridge, Guard};
use super::leave_out::{self, Tolerance};
use super::read_url;
use crate::cancel::Cancel;
use crate::endpoint::postgres::{Client, Explained, explain_statement, line_of_mistake};
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
    let (connector, _) = read_url("PostgreSQL URL", url)?;
    // What a script does may take its time, and nobody waits for a lock in a database of one's own.
    let guard = Guard::new(connector.lookout(None), None);
    Bridge::new(guard)?.talk(async {
        let (mut connection, _) = connector.connect_beside(&Cancel::new()).await?;
        for script in scripts {
            connection.execute(AS_CONNECTED).await.could_not(OPERATION, format!("`{}`", script.file))?;
            run(&mut connection, script).await?;
        }
        connection.execute(AS_CONNECTED).await.could_not(OPERATION, "")?;
        connection
            .execute(include_str!("empty_tables.sql"))
            .await
            .could_not("empty the tables of", "the source schema")?;
        connection.close().await;
        Ok(())
    })
}

async fn run(connection: &mut Client, source: &SourceScript) -> Result<()> {
    let script = Script::read(&source.file, source.text.as_str(), Dialect::Postgres)?;
    let tolerance = if script.is_dump { Tolerance::Dump } else { Tolerance::Roles };
    let whole = !script.header.no_transaction;
    let shown = format!("`{}`", source.file);
    if whole {
        connection.execute("BEGIN").await.could_not(OPERATION, &shown)?;
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
        connection.execute("COMMIT").await.could_not(OPERATION, shown)?;
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
    let told = explain_statement(OPERATION, format!("`{}`, {place}", source.file), error);
    advice::on_postgres(told, error, statement)
}

/// Where in a statement of a script a mistake is, where the server says so: the line, and its text.
fn place(script: &str, statement: &Statement, error: &sqlx::Error) -> Option<String> {
    const SHOWN_CHARS_MAX: usize = 80;
    let line = statement.line() as usize + line_of_mistake(error, statement.text())?;
    let text: String = script.lines().nth(line - 1)?.trim().chars().take(SHOWN_CHARS_MAX).collect();
    Some(format!("line {line} (`{text}`)"))
}
