//! A scratch database for one test: created on the test server, filled, dropped again.

use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use whimbrel::cancel::Cancel;
use whimbrel::endpoint::PostgresUrl;
use whimbrel::endpoint::postgres::Session;

/// The URL of a PostgreSQL on which databases may be created.
pub fn server_url() -> String {
    whimbrel::provision::shared().expect("a PostgreSQL for the tests").admin_url().to_owned()
}

/// A database of one test; it is gone when this is dropped.
pub struct Scratch {
    name: String,
    pub url: String,
}

impl Scratch {
    /// Creates a database and runs `sql` in it.
    pub fn new(sql: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("scratch_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
        let server = server_url();
        execute(&server, &format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"));
        let (before, query) = server.split_once('?').map_or((server.as_str(), None), |(url, query)| (url, Some(query)));
        let base = match before.split_once("://").map(|(scheme, rest)| (scheme, rest.split('/').next().unwrap_or(rest)))
        {
            Some((scheme, authority)) => format!("{scheme}://{authority}/{name}"),
            None => panic!("WHIMBREL_POSTGRES is no URL"),
        };
        let url = query.map_or(base.clone(), |query| format!("{base}?{query}"));
        let scratch = Scratch { name, url };
        scratch.execute(sql);
        scratch
    }

    /// Runs statements in the database, outside every session.
    pub fn execute(&self, sql: &str) {
        execute(&self.url, sql);
    }

    /// Begins a session in the database.
    pub fn session(&self) -> Session {
        self.session_with(&Cancel::new())
    }

    /// Begins a session that `cancel` stops.
    pub fn session_with(&self, cancel: &Cancel) -> Session {
        Session::connect(&self.postgres_url(), cancel).unwrap()
    }

    /// The database's URL.
    pub fn postgres_url(&self) -> PostgresUrl {
        PostgresUrl::parse(&self.url).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A failed test is told by its own panic, not by a second one.
        let name = &self.name;
        let _ = std::panic::catch_unwind(|| execute(&server_url(), &format!("DROP DATABASE {name} WITH (FORCE)")));
    }
}

fn execute(url: &str, sql: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = PgConnectOptions::from_str(url).unwrap().disable_statement_logging();
        let mut connection: PgConnection = options.connect().await.unwrap();
        let statement = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()));
        statement.execute(&mut connection).await.unwrap_or_else(|error| panic!("{error}\n{sql}"));
        connection.close().await.unwrap();
    });
}
