//! What the tests of whole runs share: a connection that runs SQL and tells rows as text, and a migration.

use sqlx::postgres::PgConnection;
use sqlx::{Connection, Executor, Row, ValueRef};
use std::path::Path;
use whimbrel::cancel::Cancel;
use whimbrel::endpoint::PostgresUrl;
use whimbrel::endpoint::postgres::PostgresSource;
use whimbrel::endpoint::sqlite::SqliteSource;
use whimbrel::event::nobody;
use whimbrel::plan::Plan;
use whimbrel::to_sqlite::{self, Job, Outcome};
use whimbrel::verify::{self, Level, Verification};

/// One row as the server's text, `None` for NULL.
pub type TextRow = Vec<Option<String>>;

/// A connection of the test's own, apart from everything that is tested.
pub struct Server {
    connection: PgConnection,
    runtime: tokio::runtime::Runtime,
}

impl Server {
    /// Connects.
    pub fn connect(url: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let connection = runtime.block_on(PgConnection::connect(url)).expect("a connection");
        Server { connection, runtime }
    }

    /// Runs statements and fails the test where the server refuses one.
    pub fn run(&mut self, sql: impl Into<String>) {
        let sql = sql.into();
        if let Err(error) = self.try_run(sql.clone()) {
            let shown: String = sql.chars().take(500).collect();
            panic!("{error}: {shown}");
        }
    }

    /// Runs statements.
    pub fn try_run(&mut self, sql: impl Into<String>) -> Result<(), String> {
        let statement = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.into()));
        self.runtime.block_on(self.connection.execute(statement)).map(|_| ()).map_err(|error| error.to_string())
    }

    /// The rows of a query, each value as the server writes it.
    pub fn rows(&mut self, sql: impl Into<String>) -> Vec<TextRow> {
        let sql = sql.into();
        self.try_rows(sql.clone()).unwrap_or_else(|error| {
            let shown: String = sql.chars().take(500).collect();
            panic!("{error}: {shown}")
        })
    }

    /// The rows of a query that may fail.
    pub fn try_rows(&mut self, sql: impl Into<String>) -> Result<Vec<TextRow>, String> {
        let statement = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.into()));
        let rows = self.runtime.block_on(self.connection.fetch_all(statement)).map_err(|error| error.to_string())?;
        let text = |row: &sqlx::postgres::PgRow, place: usize| {
            let value = row.try_get_raw(place).expect("a value");
            (!value.is_null()).then(|| value.as_str().expect("text").to_owned())
        };
        Ok(rows.iter().map(|row| (0..row.len()).map(|place| text(row, place)).collect()).collect())
    }

    /// The first column of a query's rows.
    pub fn column(&mut self, sql: impl Into<String>) -> Vec<String> {
        self.rows(sql).into_iter().map(|mut row| row.swap_remove(0).unwrap_or_default()).collect()
    }

    /// The one value of a query.
    pub fn value(&mut self, sql: impl Into<String>) -> String {
        self.column(sql).swap_remove(0)
    }
}

/// Connects as the engine does.
pub fn source(url: &str) -> whimbrel::Result<PostgresSource> {
    PostgresSource::connect(&PostgresUrl::parse(url)?, &Cancel::new())
}

/// Migrates with everything verified.
pub fn migrate(url: &str, job: &Job<'_>) -> whimbrel::Result<Outcome> {
    let outcome = to_sqlite::migrate(&mut source(url)?, job, &Cancel::new(), &nobody)?;
    if outcome.published.is_some() {
        super::older_sqlite::leave(&job.target);
    }
    Ok(outcome)
}

/// Verifies a file in full against a source, as somebody would who has only the two.
pub fn verify(url: &str, path: &Path, job: &Job<'_>) -> whimbrel::Result<Verification> {
    let mut source = source(url)?;
    let (_, plan) = to_sqlite::plan(&mut source, job)?;
    verify_by(&plan, &mut source, path, job)
}

/// As [`verify`], by a plan and a source that are there already.
pub fn verify_by(
    plan: &Plan,
    source: &mut PostgresSource,
    path: &Path,
    job: &Job<'_>,
) -> whimbrel::Result<Verification> {
    let request = verify::Request {
        path,
        plan,
        level: Level::Full,
        source_digests: None,
        inexact: Vec::new(),
        allow_inexact: job.options.run.allow_inexact,
        checks: None,
        metadata: job.options.run.metadata,
        published: true,
    };
    verify::verify(request, source, &Cancel::new(), &nobody)
}

/// The server and a finished file as two sources, the file by nothing but what it remembers.
pub fn compared(url: &str, path: &Path) -> Verification {
    let mut server = source(url).expect("a source");
    let mut file = SqliteSource::open(path, &Cancel::new()).expect("a source");
    let found = verify::compare_sources(&mut server, &mut file, Level::Digest, &nobody);
    found.unwrap_or_else(|error| panic!("{error}")).verification
}

/// Everything that a verification found, for the message of a failing test.
pub fn findings(verification: &Verification) -> String {
    let mut text = String::new();
    for table in verification.tables.iter().filter(|table| !table.is_sound()) {
        text.push_str(&format!(
            "\n{}: {:?} {:?}, {} surplus in the ledger",
            table.source, table.failure, table.differences, table.ledger_surplus
        ));
    }
    for object in &verification.findings.objects {
        text.push_str(&format!("\n{object}"));
    }
    for difference in &verification.findings.record {
        text.push_str(&format!("\n{difference:?}"));
    }
    if let Some(keys) = verification.findings.foreign_keys.as_ref().filter(|keys| !keys.is_sound()) {
        text.push_str(&format!("\n{keys:?}"));
    }
    if let Some(integrity) = verification.findings.integrity.as_ref().filter(|integrity| !integrity.is_sound()) {
        text.push_str(&format!("\n{integrity:?}"));
    }
    text
}
