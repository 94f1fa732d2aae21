//! What a dump says that this server cannot take, and that changes neither a row nor an object: rights and owners of
//! roles that it does not have, settings that it does not know, the schema that every database has.
//!
//! `psql` goes on after such a statement has failed. Here each is asked about before it runs, left out, and told. What
//! is asked finds the server's own catalogs whatever search path the script has chosen.

use super::super::rights::{Roles, setting_of};
use super::super::tokens::Statement;
use crate::endpoint::postgres::Client;

/// What may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tolerance {
    /// Nothing: whoever wrote the statement is told that it fails.
    Nothing,
    /// Rights and owners: nobody logs in to a database that is thrown away.
    #[cfg(feature = "scenarios")]
    Roles,
    /// Whatever else depends on the server that a dump came from.
    Dump,
}

/// Why a statement is left out; nothing for one that is to run.
pub(super) async fn reason(
    connection: &mut Client,
    statement: &Statement,
    tolerance: Tolerance,
) -> sqlx::Result<Option<String>> {
    if tolerance == Tolerance::Nothing {
        return Ok(None);
    }
    if let Some(roles) = Roles::of(statement) {
        let sql = include_str!("roles_that_are_there.sql");
        let there: Option<Vec<String>> = sqlx::query_scalar(sql).bind(roles.all()).fetch_one(connection.sqlx()).await?;
        return Ok(roles.missing(&there.unwrap_or_default()).map(|role| format!("there is no role `{role}`")));
    }
    if tolerance != Tolerance::Dump {
        return Ok(None);
    }
    if let Some(name) = setting_of(statement) {
        let sql = "SELECT pg_catalog.current_setting($1, true) IS NULL";
        let unknown: bool = sqlx::query_scalar(sql).bind(&name).fetch_one(connection.sqlx()).await?;
        return Ok(unknown.then(|| format!("this server has no setting `{name}`")));
    }
    let makes_public = statement.starts_with(&["CREATE", "SCHEMA", "PUBLIC"]) && statement.token(3).is_none();
    if makes_public {
        let sql = "SELECT pg_catalog.to_regnamespace('public') IS NOT NULL";
        let there: bool = sqlx::query_scalar(sql).fetch_one(connection.sqlx()).await?;
        return Ok(there.then(|| "the database has it".to_owned()));
    }
    Ok(None)
}
