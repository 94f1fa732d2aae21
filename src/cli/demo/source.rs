//! Filling the demo's database. The files are part of the program, so that it works anywhere.

use crate::cancel::Cancel;
use crate::error::{Context, Error, Result};
use sqlx::{Connection, PgConnection};

/// The same database as pg_dump has written it, for machines without a server.
pub(super) const DUMP: &[u8] = include_bytes!("../../../fixtures/demo/dump.sql.gz");

const SCHEMA: &str = include_str!("../../../fixtures/demo/schema.sql");
const ROWS: &str = include_str!("../../../fixtures/demo/rows.sql");
const AWKWARD: &str = include_str!("../../../fixtures/demo/awkward.sql");

/// Creates schema and rows, and returns how many rows there are.
///
/// # Errors
/// When the server refuses, or somebody asks to stop.
pub fn fill(url: &str, cancel: &Cancel) -> Result<u64> {
    const OPERATION: &str = "fill the demo's database";
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().could_not(OPERATION, "")?;
    let filling = async {
        let mut connection = PgConnection::connect(url).await?;
        for sql in [SCHEMA, ROWS, AWKWARD, "ANALYZE"] {
            sqlx::raw_sql(sql).execute(&mut connection).await?;
        }
        let rows: i64 = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM projects) + (SELECT count(*) FROM members)
                  + (SELECT count(*) FROM files) + (SELECT count(*) FROM messages) + (SELECT count(*) FROM orders)",
        )
        .fetch_one(&mut connection)
        .await?;
        connection.close().await?;
        Ok::<_, sqlx::Error>(rows.unsigned_abs())
    };
    runtime.block_on(async {
        tokio::select! {
            filled = filling => filled.could_not(OPERATION, ""),
            () = cancel.cancelled() => Err(Error::interrupted(OPERATION)),
        }
    })
}
