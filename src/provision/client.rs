//! The few SQL statements that provisioning needs, callable from blocking and from asynchronous code alike.
//!
//! Each connection lives on a thread and a runtime of its own: `block_on` panics inside a runtime, and a caller's
//! runtime may have no worker to spare while the caller waits here. Connections are kept: a new one costs as much as
//! half a clone of a database.

use std::future::Future;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Row};

use crate::endpoint::PostgresUrl;
use crate::endpoint::postgres::{Access, close, connect as reach, connect_options, fenced_wait};
use crate::error::{Context, Error, Result};
use crate::redact;

/// How long one attempt to connect may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(15);

/// How many connections that nobody uses are kept.
const IDLE_MAX: usize = 3;

/// Drives a future to its end on a thread of its own.
pub(super) fn on_own_thread<T: Send, E: Send>(
    work: impl Future<Output = Result<T, E>> + Send,
    failed: impl Fn(String) -> E + Send + Sync,
) -> Result<T, E> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(work),
            Err(error) => Err(failed(format!("no runtime: {error}"))),
        });
        thread.join().unwrap_or_else(|_| Err(failed("the client panicked".to_owned())))
    })
}

fn talk<T: Send>(work: impl Future<Output = Result<T>> + Send) -> Result<T> {
    on_own_thread(work, |cause| Error::could_not("talk to PostgreSQL", "", cause))
}

/// Where a URL points to, as `host:port` or as a socket's directory, without user and password.
pub(super) fn place(url: &str) -> Result<String> {
    let options = options(url)?;
    Ok(match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None if options.get_host().contains(':') && redact::is_host(options.get_host()) => {
            format!("[{}]:{}", options.get_host(), options.get_port())
        }
        None if redact::is_host(options.get_host()) => format!("{}:{}", options.get_host(), options.get_port()),
        None => format!("***:{}", options.get_port()),
    })
}

fn options(url: &str) -> Result<PgConnectOptions> {
    let options = connect_options(url).map_err(|error| {
        let cause = without_secrets(url, &crate::error::chain(&error));
        Error::usage("read the connection URL of", "PostgreSQL", cause)
    })?;
    Ok(options.disable_statement_logging())
}

/// What is said about connecting to `url`, without what the URL hides.
fn without_secrets(url: &str, said: &str) -> String {
    PostgresUrl::parse(url).map_or_else(|_| "the URL is not valid".to_owned(), |url| url.without_secrets(said))
}

async fn connect(url: &str) -> Result<PgConnection> {
    let place = place(url)?;
    match tokio::time::timeout(CONNECT_LIMIT, reach(&options(url)?, Access::Writes)).await {
        Ok(connection) => connection.map_err(|error| {
            Error::could_not("connect to PostgreSQL at", place, without_secrets(url, &crate::error::chain(&error)))
        }),
        Err(_) => {
            let cause = format!("no answer within {} seconds", CONNECT_LIMIT.as_secs());
            Err(Error::could_not("connect to PostgreSQL at", place, cause))
        }
    }
}

/// The version of the server, such as `15.18`, asked for with a real query.
pub(super) fn server_version(url: &str) -> Result<String> {
    talk(async { ask_version(url).await })
}

async fn ask_version(url: &str) -> Result<String> {
    let mut connection = connect(url).await?;
    let asking = sqlx::query_scalar("SELECT current_setting('server_version')").fetch_one(&mut connection);
    let version: String = fenced_wait(asking).await.could_not("ask for the version of", "PostgreSQL")?;
    close(connection).await;
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
    talk(async {
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

/// Statements for one connection, in order, and who waits for the rows of the last one.
struct Job {
    statements: Vec<String>,
    operation: String,
    object: String,
    reply: Sender<Result<Vec<Vec<String>>>>,
}

/// A connection on its own thread, open from its first job until this is dropped.
pub(super) struct Worker(Sender<Job>);

impl Worker {
    fn start(url: &str) -> Worker {
        let (sender, jobs) = channel();
        let url = url.to_owned();
        std::thread::spawn(move || work(&url, &jobs));
        Worker(sender)
    }

    /// Runs the statements one after the other, and tells the last one's rows, NULL as empty text.
    pub(super) fn run(&self, statements: Vec<String>, operation: &str, object: &str) -> Result<Vec<Vec<String>>> {
        let lost = |_| Error::could_not(operation, object, "the client panicked");
        let (reply, answer) = channel();
        let job = Job { statements, operation: operation.to_owned(), object: object.to_owned(), reply };
        self.0.send(job).map_err(|_| lost(()))?;
        answer.recv().map_err(|_| lost(()))?
    }
}

fn work(url: &str, jobs: &Receiver<Job>) {
    // Without a runtime the channel closes, and who waits is told so.
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    let mut kept: Option<PgConnection> = None;
    for Job { statements, operation, object, reply } in jobs {
        let result = runtime.block_on(async {
            let mut connection = match kept.take() {
                Some(connection) => connection,
                None => connect(url).await?,
            };
            let mut rows: Vec<PgRow> = Vec::new();
            for statement in statements {
                // Audited: the statements are fixed but for names made of safe characters and quoted text.
                match fenced_wait(sqlx::raw_sql(AssertSqlSafe(statement)).fetch_all(&mut connection)).await {
                    Ok(found) => rows = found,
                    Err(error) => {
                        // After a refusal by the server the connection is whole; after anything else it may not be.
                        kept = error.as_database_error().is_some().then_some(connection);
                        return Err(error).could_not(&operation, &object);
                    }
                }
            }
            kept = Some(connection);
            let text = |row: &PgRow, at| row.try_get_unchecked::<Option<String>, _>(at).map(Option::unwrap_or_default);
            rows.iter()
                .map(|row| (0..row.len()).map(|at| text(row, at)).collect::<Result<Vec<_>, _>>())
                .collect::<Result<Vec<_>, _>>()
                .could_not(&operation, &object)
        });
        // Who asked may have stopped waiting only by panicking.
        let _ = reply.send(result);
    }
    if let Some(connection) = kept {
        // The server may be gone already.
        runtime.block_on(close(connection));
    }
}

/// Connections for administration.
pub(super) struct Pool {
    url: String,
    idle: Mutex<Vec<Worker>>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URL has the password.
        f.write_str("Pool")
    }
}

impl Pool {
    pub(super) fn new(url: &str) -> Pool {
        Pool { url: url.to_owned(), idle: Mutex::default() }
    }

    /// Runs statements on any connection, as [`Worker::run`] does.
    pub(super) fn run(&self, statements: Vec<String>, operation: &str, object: &str) -> Result<Vec<Vec<String>>> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = idle().pop();
        let worker = taken.unwrap_or_else(|| Worker::start(&self.url));
        let result = worker.run(statements, operation, object);
        let mut idle = idle();
        if idle.len() < IDLE_MAX {
            idle.push(worker);
        }
        result
    }

    /// A connection that nobody else uses: locks of its session end when it is dropped.
    pub(super) fn connection(&self) -> Worker {
        Worker::start(&self.url)
    }
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
        let url = format!("postgres://u:hush@127.0.0.1:{port}/d");
        let error = server_version(&url).expect_err("nobody listens");
        assert_eq!(error.object(), format!("127.0.0.1:{port}"));
        assert!(!error.to_string().contains("hush"));
        let error = Pool::new(&url).run(vec!["SELECT 1".to_owned()], "ask", "it").expect_err("nobody listens");
        assert_eq!(error.object(), format!("127.0.0.1:{port}"));
    }
}
