//! The objects of a PostgreSQL schema, in the server's own words.

use super::super::history::postgres::HistoryTable;
use super::{OTHER_HISTORIES, Object};
use crate::Result;
use crate::endpoint::postgres::{Client, Explained};
use crate::metadata;

/// Every object but the server's own, those of extensions, and the bookkeeping of this program and of other tools, ordered.
pub(crate) async fn objects(connection: &mut Client, history: &HistoryTable) -> Result<Vec<Object>> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(include_str!("postgres/objects.sql"))
        .bind(&history.schema)
        .bind(&history.table)
        .bind(OTHER_HISTORIES.as_slice())
        .bind(metadata::PREFIX)
        .fetch_all(connection.sqlx())
        .await
        .could_not("read schema", "")?;
    Ok(rows.into_iter().map(|(kind, name, definition)| Object { kind, name, definition }).collect())
}
