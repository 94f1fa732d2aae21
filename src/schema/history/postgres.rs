//! The history in a PostgreSQL database.

use sqlx::{AssertSqlSafe, Row};

use super::other::OtherHistory;
use super::{COLUMNS, Change, Entry, EntryState, KEEPER, expect_row, foreign_table, unfit_table};
use crate::endpoint::postgres::{Client, Explained};
use crate::metadata::OTHER_HISTORY_TABLE;
use crate::quote::quote;
use crate::{Error, Result};

/// Where the history is: schema and table, named in every query, so that a script may change the search path.
#[derive(Debug, Clone)]
pub(crate) struct HistoryTable {
    pub schema: String,
    pub table: String,
}

impl HistoryTable {
    /// Both names, quoted.
    pub(crate) fn quoted(&self) -> String {
        format!("{}.{}", quote(&self.schema), quote(&self.table))
    }

    /// Both names, for people.
    pub(crate) fn label(&self) -> String {
        format!("`{}.{}`", self.schema, self.table)
    }
}

/// How a moment is written: RFC 3339 in UTC, milliseconds.
const RFC_3339: &str = "'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'";

/// What the table is as a whole, beside its rows: another one of its name, or a rewritten one, is not the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity(String);

/// What stands under the history's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing.
    Nothing,
    /// A table that [`create`] has made, with nothing that hangs on it.
    Own(Identity),
    /// Another tool's table: it has no column of this name.
    Foreign(&'static str),
    /// Something else; why it is none of the runner's.
    Unfit(String),
}

/// One row of `table.sql`: identity, kind, persistence, row-level security, columns, what hangs on the table.
type TableRow = (String, String, String, bool, Vec<String>, Vec<String>);

/// The object identifiers of `bigint`, `text` and `timestamptz`, which are the same in every server.
const TYPES: [(&str, u32); 3] = [("version", 20), ("duration_ms", 20), ("applied_at", 1184)];

/// Looks at the table; nothing where there is none. An error where it is not one that [`create`] makes, or where
/// something hangs on it.
pub(crate) async fn look(connection: &mut Client, place: &HistoryTable) -> Result<Option<Identity>> {
    match inspect(connection, place).await? {
        Found::Nothing => Ok(None),
        Found::Own(identity) => Ok(Some(identity)),
        Found::Foreign(missing) => Err(foreign_table(&place.table, missing)),
        Found::Unfit(why) => Err(unfit_table(&place.label(), &why)),
    }
}

/// The same, for who has to tell it in another way.
pub(crate) async fn inspect(connection: &mut Client, place: &HistoryTable) -> Result<Found> {
    let found: Option<TableRow> = sqlx::query_as(include_str!("postgres/table.sql"))
        .persistent(false)
        .bind(&place.schema)
        .bind(&place.table)
        .fetch_optional(connection.sqlx())
        .await
        .could_not("read history", place.label())?;
    let Some((identity, kind, persistence, row_security, columns, hangs_on)) = found else { return Ok(Found::Nothing) };
    let unfit = |why: &str| Ok(Found::Unfit(why.to_owned()));
    match kind.as_str() {
        "r" => {}
        "v" => return unfit("it is a view"),
        "m" => return unfit("it is a materialized view"),
        "p" => return unfit("it is a partitioned table"),
        "f" => return unfit("it is a foreign table"),
        _ => return unfit("it is no table"),
    }
    let name = |column: &String| column.split(' ').next().unwrap_or_default().to_owned();
    if let Some(missing) = COLUMNS.iter().find(|column| !columns.iter().any(|there| name(there) == **column)) {
        return Ok(Found::Foreign(missing));
    }
    if columns != expected_columns() {
        return unfit("its columns are not those that this program makes");
    }
    if persistence != "p" {
        return unfit("it does not survive a crash: it is unlogged or temporary");
    }
    if row_security {
        return unfit("row-level security may hide rows of it");
    }
    match hangs_on.first() {
        Some(thing) => unfit(&format!("it has {thing}")),
        None => Ok(Found::Own(Identity(identity))),
    }
}

/// Each column as `table.sql` prints it: name, type, NOT NULL, and nothing for neither generated nor identity.
fn expected_columns() -> Vec<String> {
    let nullable = ["down_checksum", "down_script", "finished_checksum"];
    let numbers = ["statements_started", "statements_finished"];
    let type_of = |column: &str| match TYPES.iter().find(|(name, _)| *name == column) {
        Some((_, oid)) => *oid,
        None if numbers.contains(&column) => 20,
        None => 25,
    };
    let column =
        |column: &&str| format!("{column} {} {}", type_of(column), if nullable.contains(column) { "f" } else { "t" });
    COLUMNS.iter().map(column).collect()
}

/// How many rows there are beside that of `version`, and a sum over the places and writers of their row versions. The
/// server never changes a row version in place, so the same seal means that nobody wrote any of those rows.
pub(crate) async fn seal_of_others(
    connection: &mut Client,
    place: &HistoryTable,
    version: i64,
) -> Result<(i64, String)> {
    let sql = format!(
        "SELECT pg_catalog.count(*), \
         coalesce(pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat(h.ctid, ' ', h.xmin), 0)), 0)::pg_catalog.text \
         FROM ONLY {} AS h WHERE h.version OPERATOR(pg_catalog.<>) $1",
        place.quoted()
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .persistent(false)
        .bind(version)
        .fetch_one(connection.sqlx())
        .await
        .could_not("read history", place.label())
}

/// Reads the whole history, ascending; nothing where there is no table.
pub(crate) async fn read(connection: &mut Client, place: &HistoryTable) -> Result<Option<Vec<Entry>>> {
    if look(connection, place).await?.is_none() {
        return Ok(None);
    }
    let sql = format!("SELECT {} FROM ONLY {} AS h ORDER BY h.version", columns_as_read(), place.quoted());
    let rows = sqlx::query(AssertSqlSafe(sql))
        .persistent(false)
        .fetch_all(connection.sqlx())
        .await
        .could_not("read history", place.label())?;
    rows.iter().map(|row| entry(row, place)).collect::<Result<Vec<_>>>().map(Some)
}

/// Reads one row.
pub(crate) async fn read_one(connection: &mut Client, place: &HistoryTable, version: i64) -> Result<Option<Entry>> {
    let sql = format!(
        "SELECT {} FROM ONLY {} AS h WHERE h.version OPERATOR(pg_catalog.=) $1",
        columns_as_read(),
        place.quoted()
    );
    let row = sqlx::query(AssertSqlSafe(sql))
        .persistent(false)
        .bind(version)
        .fetch_optional(connection.sqlx())
        .await
        .could_not("read history", place.label())?;
    row.map(|row| entry(&row, place)).transpose()
}

fn columns_as_read() -> String {
    let list: Vec<String> = COLUMNS
        .iter()
        .map(|column| match *column {
            "applied_at" => {
                format!("pg_catalog.to_char(pg_catalog.timezone('UTC', h.applied_at), {RFC_3339})")
            }
            other => format!("h.{other}"),
        })
        .collect();
    list.join(", ")
}

fn entry(row: &sqlx::postgres::PgRow, place: &HistoryTable) -> Result<Entry> {
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
    let (entry, state) = read().could_not("read history", place.label())?;
    Ok(Entry { state: EntryState::read(&state)?, ..entry })
}

/// Another tool's table of the history's name: it has a column `version`, and not all of ours.
pub(crate) async fn other(connection: &mut Client, place: &HistoryTable) -> Result<Option<OtherHistory>> {
    if !matches!(inspect(connection, place).await?, Found::Foreign(_)) {
        return Ok(None);
    }
    let has_versions: bool = sqlx::query_scalar(include_str!("postgres/has_column_version.sql"))
        .bind(&place.schema)
        .bind(&place.table)
        .fetch_one(connection.sqlx())
        .await
        .could_not("look for", place.label())?;
    if !has_versions {
        return Ok(None);
    }
    let sql = format!("SELECT count(*), max(h.version)::text FROM {} AS h", place.quoted());
    let (rows, newest) =
        sqlx::query_as(AssertSqlSafe(sql)).fetch_one(connection.sqlx()).await.could_not("read", place.label())?;
    Ok(Some(OtherHistory { table: place.table.clone(), kept_as: OTHER_HISTORY_TABLE.to_owned(), rows, newest }))
}

/// Calls another tool's table otherwise.
pub(crate) async fn put_aside(connection: &mut Client, place: &HistoryTable, other: &OtherHistory) -> Result<()> {
    let sql = format!("ALTER TABLE {} RENAME TO {}", place.quoted(), quote(&other.kept_as));
    connection.execute(sql).await.could_not("put aside", place.label())
}

/// Creates the table.
pub(crate) async fn create(connection: &mut Client, place: &HistoryTable) -> Result<()> {
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
    connection.execute(sql).await.could_not("create history", place.label())?;
    Ok(())
}

/// Changes the row of one version, which said `before`, and gives what it says now: exactly that row changed, and it
/// reads back as it was written.
pub(crate) async fn change(
    connection: &mut Client,
    place: &HistoryTable,
    version: i64,
    change: &Change<'_>,
    before: Option<Entry>,
) -> Result<Option<Entry>> {
    let written = change.of(before, &place.label(), version)?;
    let changed =
        write(connection, place, version, change, written.as_ref()).await.could_not("write history", place.label())?;
    if changed != 1 {
        let cause = format!("{changed} rows changed where one was expected");
        return Err(Error::differs("keep the history", place.label(), cause).hint(KEEPER));
    }
    let found = read_one(connection, place, version).await?;
    expect_row(&place.label(), version, written.as_ref(), found.as_ref())?;
    Ok(found)
}

async fn write(
    connection: &mut Client,
    place: &HistoryTable,
    version: i64,
    change: &Change<'_>,
    written: Option<&Entry>,
) -> sqlx::Result<u64> {
    let name = place.quoted();
    let Some(entry) = written else {
        let sql = format!("DELETE FROM ONLY {name} AS h WHERE h.version OPERATOR(pg_catalog.=) $1");
        let done = sqlx::query(AssertSqlSafe(sql)).persistent(false).bind(version).execute(connection.sqlx()).await?;
        return Ok(done.rows_affected());
    };
    if let Change::Mark(progress) = change {
        let sql = format!(
            "UPDATE ONLY {name} AS h SET state = $2, statements_started = $3, statements_finished = $4, \
             finished_checksum = $5 WHERE h.version OPERATOR(pg_catalog.=) $1"
        );
        let done = sqlx::query(AssertSqlSafe(sql))
            .persistent(false)
            .bind(version)
            .bind(progress.state.word())
            .bind(progress.started)
            .bind(progress.finished)
            .bind(&progress.finished_checksum)
            .execute(connection.sqlx())
            .await?;
        return Ok(done.rows_affected());
    }
    let moment = "coalesce($3::pg_catalog.timestamptz, pg_catalog.clock_timestamp())";
    let sql = if let Change::Insert(_) = change {
        format!(
            "INSERT INTO {name} ({}) VALUES ($1, $2, {moment}, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
            COLUMNS.join(", ")
        )
    } else {
        let set = (2..).zip(&COLUMNS[1..]).map(|(at, column)| match *column {
            "applied_at" => format!("{column} = {moment}"),
            _ => format!("{column} = ${at}"),
        });
        let set = set.collect::<Vec<_>>().join(", ");
        format!("UPDATE ONLY {name} AS h SET {set} WHERE h.version OPERATOR(pg_catalog.=) $1")
    };
    let applied_at = Some(entry.applied_at.as_str()).filter(|moment| !moment.is_empty());
    let done = sqlx::query(AssertSqlSafe(sql))
        .persistent(false)
        .bind(version)
        .bind(&entry.name)
        .bind(applied_at)
        .bind(&entry.up_checksum)
        .bind(&entry.down_checksum)
        .bind(&entry.down_script)
        .bind(&entry.reversal)
        .bind(entry.duration_ms)
        .bind(&entry.tool_version)
        .bind(entry.state.word())
        .bind(entry.statements_started)
        .bind(entry.statements_finished)
        .bind(&entry.finished_checksum)
        .bind(&entry.remarks)
        .execute(connection.sqlx())
        .await?;
    Ok(done.rows_affected())
}

/// One row of sqlx's history: version, moment, success, checksum, nanoseconds.
pub(crate) type SqlxRow = (i64, String, bool, Vec<u8>, i64);

/// Reads `_sqlx_migrations`, which is found by the path that `enter` sets; nothing where it does not exist.
pub(crate) async fn read_sqlx(connection: &mut Client, enter: &str) -> Result<Option<Vec<SqlxRow>>> {
    const SQLX: &str = "`_sqlx_migrations`";
    connection.execute(enter.to_owned()).await.could_not("read", SQLX)?;
    let oid: Option<i64> =
        sqlx::query_scalar("SELECT pg_catalog.to_regclass('_sqlx_migrations')::pg_catalog.oid::bigint")
            .fetch_one(connection.sqlx())
            .await
            .could_not("read", SQLX)?;
    connection.leave().await.could_not("read", SQLX)?;
    let Some(oid) = oid else { return Ok(None) };
    let name: Option<String> = sqlx::query_scalar(include_str!("postgres/name_of_relation.sql"))
        .bind(oid)
        .fetch_optional(connection.sqlx())
        .await
        .could_not("read", SQLX)?;
    let Some(name) = name else { return Ok(None) };
    let sql = format!(
        "SELECT version, pg_catalog.to_char(installed_on AT TIME ZONE 'UTC', {RFC_3339}), success, checksum, \
         execution_time FROM {name} ORDER BY version"
    );
    sqlx::query_as(AssertSqlSafe(sql)).fetch_all(connection.sqlx()).await.could_not("read", SQLX).map(Some)
}
