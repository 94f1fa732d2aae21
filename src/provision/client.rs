//! The few SQL statements that provisioning needs, callable from blocking and from asynchronous code alike.
//!
//! Each call runs on a thread and a runtime of its own: `block_on` panics inside a runtime, and a caller's runtime may
//! have no worker to spare while the caller waits here.

use std::future::Future;
use std::str::FromStr;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};

use crate::error::{Context, Error, Result};

/// How long one attempt to connect may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(15);

/// Drives a future to its end on a thread of its own.
fn on_own_thread<T: Send>(work: impl Future<Output = Result<T>> + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .could_not("start a runtime", "")?
                .block_on(work)
        });
        thread.join().unwrap_or_else(|_| Err(Error::could_not("talk to PostgreSQL", "", "the client panicked")))
    })
}

/// Where a URL points to, as `host:port` or as a socket's directory, without user and password.
pub(super) fn place(url: &str) -> Result<String> {
    let options = options(url)?;
    Ok(match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    })
}

fn options(url: &str) -> Result<PgConnectOptions> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| Error::usage("read the connection URL of", "PostgreSQL", crate::error::chain(&error)))?;
    Ok(options.disable_statement_logging())
}

async fn connect(url: &str) -> Result<PgConnection> {
    let place = place(url)?;
    match tokio::time::timeout(CONNECT_LIMIT, PgConnection::connect_with(&options(url)?)).await {
        Ok(connection) => connection.could_not("connect to PostgreSQL at", place),
        Err(_) => {
            let cause = format!("no answer within {} seconds", CONNECT_LIMIT.as_secs());
            Err(Error::could_not("connect to PostgreSQL at", place, cause))
        }
    }
}

/// The version of the server, such as `15.18`, asked for with a real query.
pub(super) fn server_version(url: &str) -> Result<String> {
    on_own_thread(async { ask_version(url).await })
}

async fn ask_version(url: &str) -> Result<String> {
    let mut connection = connect(url).await?;
    let version: String = sqlx::query_scalar("SELECT current_setting('server_version')")
        .fetch_one(&mut connection)
        .await
        .could_not("ask for the version of", "PostgreSQL")?;
    connection.close().await.could_not("leave", "PostgreSQL")?;
    // `15.18 (Debian 15.18-0+deb12u1)`: the package's name for it tells nothing more.
    Ok(version.split_whitespace().next().unwrap_or_default().to_owned())
}

/// Waits until the server answers a query and returns its version. `still_alive` is asked between attempts and
/// stops the wait with its error; at `deadline` the error of the last attempt is returned.
pub(super) fn wait_for_answer(
    url: &str,
    deadline: Instant,
    still_alive: impl Fn() -> Result<()> + Send + Sync,
) -> Result<String> {
    on_own_thread(async {
        loop {
            match ask_version(url).await {
                Ok(version) => return Ok(version),
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(_) => still_alive()?,
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
}

/// Runs one statement on a connection of its own.
pub(super) fn execute(url: &str, statement: String, operation: &str, object: &str) -> Result<()> {
    on_own_thread(async {
        let mut connection = connect(url).await?;
        // Audited: the statements here are fixed but for names, which are made of safe characters.
        connection.execute(AssertSqlSafe(statement)).await.could_not(operation, object)?;
        connection.close().await.could_not("leave", "PostgreSQL")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_neither_user_nor_password() {
        assert_eq!(place("postgres://ann:secret@db.example:5433/app").expect("a place"), "db.example:5433");
        assert_eq!(place("postgres:///app?host=/run/postgresql").expect("a place"), "/run/postgresql");
    }

    #[tokio::test]
    async fn it_works_inside_a_runtime_and_names_the_server_that_is_not_there() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its number").port();
        drop(listener);
        let error = server_version(&format!("postgres://u:hush@127.0.0.1:{port}/d")).expect_err("nobody listens");
        assert_eq!(error.object(), format!("127.0.0.1:{port}"));
        assert!(!error.to_string().contains("hush"));
    }
}
