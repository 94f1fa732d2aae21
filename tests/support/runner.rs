//! Folders of migrations, databases that go away by themselves, and runtimes for the async side.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;
use sqlx::Connection as _;
use whimbrel::provision::Database;
use whimbrel::schema::{Migrations, Runner, RunnerOptions};

/// A folder with migrations and a place for a database.
pub struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    /// Writes the files, `(name, text)`.
    pub fn new(files: &[(&str, &str)]) -> Project {
        let project = Project { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(project.migrations_dir()).unwrap();
        files.iter().for_each(|(name, text)| project.write(name, text));
        project
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.migrations_dir().join(name), text).unwrap();
    }

    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.migrations_dir().join(name)).unwrap();
    }

    pub fn migrations_dir(&self) -> PathBuf {
        self.folder.path().join("migrations")
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn database(&self) -> String {
        self.folder.path().join("app.db").to_str().unwrap().to_owned()
    }

    pub fn migrations(&self) -> Migrations {
        Migrations::from_dir(self.migrations_dir()).unwrap()
    }

    /// A runner over the folder as it is now and the project's SQLite file.
    pub fn runner(&self) -> Runner {
        self.runner_with(RunnerOptions::default())
    }

    pub fn runner_with(&self, options: RunnerOptions) -> Runner {
        Runner::open_with(&self.database(), self.migrations(), options).unwrap()
    }

    pub fn runner_for(&self, endpoint: &str) -> Runner {
        Runner::open(endpoint, self.migrations()).unwrap()
    }

    /// A connection of the application's, foreign keys on.
    pub fn connection(&self) -> Connection {
        let connection = Connection::open(self.database()).unwrap();
        connection.pragma_update(None, "foreign_keys", true).unwrap();
        connection
    }

    pub fn execute(&self, sql: &str) {
        self.connection().execute_batch(sql).unwrap();
    }

    /// One number that a query gives.
    pub fn number(&self, sql: &str) -> i64 {
        self.connection().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// The names of all ordinary tables but the history.
    pub fn tables(&self) -> Vec<String> {
        let connection = self.connection();
        let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'schema_migrations' ORDER BY name";
        let mut statement = connection.prepare(sql).unwrap();
        let names = statement.query_map([], |row| row.get(0)).unwrap();
        names.collect::<Result<_, _>>().unwrap()
    }
}

/// An empty PostgreSQL database on the server that all tests share, dropped at the end.
pub struct Postgres {
    pub url: String,
    _database: Database,
}

impl Postgres {
    pub fn new() -> Postgres {
        let server = whimbrel::provision::shared().expect("a PostgreSQL for the tests");
        let database = server.create_database("schema").unwrap();
        Postgres { url: database.url(), _database: database }
    }

    pub fn execute(&self, sql: &str) {
        run_sql(&self.url, sql);
    }

    /// One number that a query gives.
    pub fn number(&self, sql: &str) -> i64 {
        block_on(async {
            let mut connection = sqlx::PgConnection::connect(&self.url).await.unwrap();
            let number =
                sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).fetch_one(&mut connection).await.unwrap();
            connection.close().await.unwrap();
            number
        })
    }

    /// One text that a query gives.
    pub fn text(&self, sql: &str) -> String {
        block_on(async {
            let mut connection = sqlx::PgConnection::connect(&self.url).await.unwrap();
            let text =
                sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).fetch_one(&mut connection).await.unwrap();
            connection.close().await.unwrap();
            text
        })
    }
}

fn run_sql(url: &str, sql: &str) {
    block_on(async {
        let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
}

pub fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// This test binary again, to run the one test of `child.rs` that is named, as another process.
pub fn child(test: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = super::child(&format!("child::{test}"));
    command.envs(variables.iter().copied());
    command
}
