//! A database of one test, statements for it, and the program.

use sqlx::{Connection as _, PgConnection, Row as _, ValueRef as _};
use std::process::{Command, Output, Stdio};
use whimbrel::provision::{Database, shared};

pub fn database(sql: &str) -> Database {
    let database = shared().expect("a server").create_database("hostile").expect("a database");
    execute(&database.url(), sql);
    database
}

pub fn execute(url: &str, sql: &str) {
    ask(url, sql);
}

/// Runs statements by the simple protocol; the first cell of each row as text.
pub fn ask(url: &str, sql: &str) -> Vec<String> {
    try_ask(url, sql).unwrap_or_else(|error| panic!("{error}\n{sql}"))
}

pub fn try_ask(url: &str, sql: &str) -> Result<Vec<String>, sqlx::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = PgConnection::connect(url).await?;
        let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).fetch_all(&mut connection).await?;
        connection.close().await?;
        let first = |row: &sqlx::postgres::PgRow| {
            let value = row.try_get_raw(0).ok()?;
            if value.is_null() { None } else { value.as_str().ok().map(str::to_owned) }
        };
        Ok(rows.iter().filter_map(first).collect())
    })
}

pub fn whimbrel(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_whimbrel"));
    command.args(words).stdin(Stdio::null()).env_remove("PGPASSWORD").output().expect("the program starts")
}

/// What a run printed, and how it ended.
pub fn describe(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("exit {:?}\n{}{}", output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// A URL with one more parameter.
pub fn with(url: &str, parameter: &str) -> String {
    format!("{url}{}{parameter}", if url.contains('?') { '&' } else { '?' })
}
