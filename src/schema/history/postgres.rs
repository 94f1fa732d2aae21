//! The history in a PostgreSQL database.

use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::super::postgres::Explained;
use super::{COLUMNS, Entry, EntryState, NewEntry, TOOL_VERSION, foreign_table};
use crate::endpoint::postgres::leave;
use crate::quote::quote;
use crate::{Error, Result};

/// Where the history is: schema and table, named in every query, so that a script may change the search path.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub schema: String,
    pub table: String,
}

impl Place {
    /// Both names, quoted.
    pub(crate) fn quoted(&self) -> String {
        format!("{}.{}", quote(&self.schema), quote(&self.table))
    }

    fn told(&self) -> String {
        format!("`{}.{}`", self.schema, self.table)
    }
}

/// How a moment is written: RFC 3339 in UTC, milliseconds.
const RFC_3339: &str = "'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'";

/// Reads the whole history, ascending; nothing where there is no table.
pub(crate) async fn read(connection: &mut PgConnection, place: &Place) -> Result<Option<Vec<Entry>>> {
    let columns: Vec<String> = sqlx::query_scalar(
        "SELECT a.attname::text FROM pg_catalog.pg_attribute a \
         JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped",
    )
    .bind(&place.schema)
    .bind(&place.table)
    .fetch_all(&mut *connection)
    .await
    .could_not("read history", place.told())?;
    if columns.is_empty() {
        return Ok(None);
    }
    if let Some(missing) = COLUMNS.iter().find(|column| !columns.iter().any(|there| there == *column)) {
        return Err(foreign_table(&place.table, missing));
    }
    let list: Vec<String> = COLUMNS
        .iter()
        .map(|column| match *column {
            "applied_at" => format!("pg_catalog.to_char(applied_at AT TIME ZONE 'UTC', {RFC_3339})"),
            other => other.to_owned(),
        })
        .collect();
    let sql = format!("SELECT {} FROM {} ORDER BY version", list.join(", "), place.quoted());
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(connection).await.could_not("read history", place.told())?;
    rows.iter().map(|row| entry(row, place)).collect::<Result<Vec<_>>>().map(Some)
}

fn entry(row: &sqlx::postgres::PgRow, place: &Place) -> Result<Entry> {
    let read = || -> sqlx::Result<(Entry, String)> {
        let entry = Entry {
            version: row.try_get(0)?,
            name: row.try_get(1)?,
            applied_at: row.try_get(2)?,
            up_checksum: row.try_get(3)?,
            down_checksum: row.try_get(4)?,
            down_script: row.try_get(5)?,
            reversal: row.try_get(6)?,
            duration_ms: row.try_get(7)?,
            tool_version: row.try_get(8)?,
            state: EntryState::Applied,
            statements_started: row.try_get(10)?,
            statements_finished: row.try_get(11)?,
            finished_checksum: row.try_get(12)?,
            remarks: row.try_get(13)?,
        };
        Ok((entry, row.try_get(9)?))
    };
    let (entry, state) = read().could_not("read history", place.told())?;
    Ok(Entry { state: EntryState::read(&state)?, ..entry })
}

/// Creates the table.
pub(crate) async fn create(connection: &mut PgConnection, place: &Place) -> Result<()> {
    let sql = format!(
        "CREATE TABLE {} (\n  version bigint PRIMARY KEY,\n  name text NOT NULL,\n  \
         applied_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),\n  up_checksum text NOT NULL,\n  \
         down_checksum text,\n  down_script text,\n  \
         reversal text NOT NULL CHECK (reversal IN ('lossless', 'lossy', 'irreversible', 'unlabelled')),\n  \
         duration_ms bigint NOT NULL,\n  tool_version text NOT NULL,\n  \
         state text NOT NULL CHECK (state IN ('applied', 'applying', 'reverting')),\n  \
         statements_started bigint NOT NULL,\n  statements_finished bigint NOT NULL,\n  finished_checksum text,\n  \
         remarks text NOT NULL\n)",
        place.quoted()
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.could_not("create history", place.told())?;
    Ok(())
}

/// Adds a row.
pub(crate) async fn insert(connection: &mut PgConnection, place: &Place, new: &NewEntry<'_>) -> Result<()> {
    let sql = format!(
        "INSERT INTO {} ({}) VALUES ($1, $2, coalesce($3::timestamptz, pg_catalog.clock_timestamp()), $4, $5, $6, $7, $8, \
         $9, $10, $11, $11, NULL, $12)",
        place.quoted(),
        COLUMNS.join(", ")
    );
    sqlx::query(AssertSqlSafe(sql))
        .bind(new.version)
        .bind(new.name)
        .bind(new.applied_at)
        .bind(new.up_checksum)
        .bind(new.down_checksum)
        .bind(new.down_script)
        .bind(new.reversal.word())
        .bind(new.duration_ms)
        .bind(TOOL_VERSION)
        .bind(new.state.word())
        .bind(new.statements_finished)
        .bind(new.remarks)
        .execute(connection)
        .await
        .could_not("write history", place.told())?;
    Ok(())
}

/// Takes a row out.
pub(crate) async fn delete(connection: &mut PgConnection, place: &Place, version: i64) -> Result<()> {
    let sql = format!("DELETE FROM {} WHERE version = $1", place.quoted());
    let done = sqlx::query(AssertSqlSafe(sql)).bind(version).execute(connection).await;
    one(done.could_not("write history", place.told())?.rows_affected(), place)
}

/// How far the script of a row came.
pub(crate) struct Progress {
    pub state: EntryState,
    pub started: i64,
    pub finished: i64,
    pub finished_checksum: Option<String>,
}

/// Marks a row with a state and how far the script of that state came.
pub(crate) async fn mark(
    connection: &mut PgConnection,
    place: &Place,
    version: i64,
    progress: &Progress,
) -> Result<()> {
    let sql = format!(
        "UPDATE {} SET state = $2, statements_started = $3, statements_finished = $4, finished_checksum = $5 \
         WHERE version = $1",
        place.quoted()
    );
    let done = sqlx::query(AssertSqlSafe(sql))
        .bind(version)
        .bind(progress.state.word())
        .bind(progress.started)
        .bind(progress.finished)
        .bind(progress.finished_checksum.as_deref())
        .execute(connection)
        .await;
    one(done.could_not("write history", place.told())?.rows_affected(), place)
}

/// Records what was run in the end: the checksums and the down script of the files, and the time it took.
pub(crate) async fn settle(connection: &mut PgConnection, place: &Place, new: &NewEntry<'_>) -> Result<()> {
    let sql = format!(
        "UPDATE {} SET name = $2, up_checksum = $3, down_checksum = $4, down_script = $5, reversal = $6, \
         duration_ms = duration_ms + $7, remarks = remarks || $8 WHERE version = $1",
        place.quoted()
    );
    let done = sqlx::query(AssertSqlSafe(sql))
        .bind(new.version)
        .bind(new.name)
        .bind(new.up_checksum)
        .bind(new.down_checksum)
        .bind(new.down_script)
        .bind(new.reversal.word())
        .bind(new.duration_ms)
        .bind(new.remarks)
        .execute(connection)
        .await;
    one(done.could_not("write history", place.told())?.rows_affected(), place)
}

fn one(changed: u64, place: &Place) -> Result<()> {
    if changed == 1 {
        return Ok(());
    }
    Err(Error::could_not("write history", place.told(), format!("{changed} rows changed where one was expected")))
}

/// The state of one row; nothing where there is none.
pub(crate) async fn state(connection: &mut PgConnection, place: &Place, version: i64) -> Result<Option<EntryState>> {
    let sql = format!("SELECT state FROM {} WHERE version = $1", place.quoted());
    let word: Option<String> = sqlx::query_scalar(AssertSqlSafe(sql))
        .bind(version)
        .fetch_optional(connection)
        .await
        .could_not("read history", place.told())?;
    word.map(|word| EntryState::read(&word)).transpose()
}

/// One row of sqlx's history: version, moment, success, checksum, nanoseconds.
pub(crate) type SqlxRow = (i64, String, bool, Vec<u8>, i64);

/// Reads `_sqlx_migrations`, which is found by the path that `enter` sets; nothing where it does not exist.
pub(crate) async fn read_sqlx(connection: &mut PgConnection, enter: &str) -> Result<Option<Vec<SqlxRow>>> {
    const SQLX: &str = "`_sqlx_migrations`";
    sqlx::raw_sql(AssertSqlSafe(enter.to_owned())).execute(&mut *connection).await.could_not("read", SQLX)?;
    let oid: Option<i64> =
        sqlx::query_scalar("SELECT pg_catalog.to_regclass('_sqlx_migrations')::pg_catalog.oid::bigint")
            .fetch_one(&mut *connection)
            .await
            .could_not("read", SQLX)?;
    leave(connection).await.could_not("read", SQLX)?;
    let Some(oid) = oid else { return Ok(None) };
    let name: Option<String> = sqlx::query_scalar(
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.oid::bigint = $1",
    )
    .bind(oid)
    .fetch_optional(&mut *connection)
    .await
    .could_not("read", SQLX)?;
    let Some(name) = name else { return Ok(None) };
    let sql = format!(
        "SELECT version, pg_catalog.to_char(installed_on AT TIME ZONE 'UTC', {RFC_3339}), success, checksum, \
         execution_time FROM {name} ORDER BY version"
    );
    sqlx::query_as(AssertSqlSafe(sql)).fetch_all(connection).await.could_not("read", SQLX).map(Some)
}
