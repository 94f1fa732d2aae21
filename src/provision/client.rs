//! The few SQL statements that provisioning needs, callable from blocking and from asynchronous code alike.
//!
//! Each connection lives on a thread and a runtime of its own: `block_on` panics inside a runtime, and a caller's
//! runtime may have no worker to spare while the caller waits here. Connections are kept: a new one costs as much as
//! half a clone of a database.

use std::future::Future;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::cancel::Cancel;
use crate::endpoint::PostgresUrl;
use crate::endpoint::postgres::{Access, Client, Connector, Explained};
use crate::error::{Error, Result};
use crate::redact;

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
    connector(url).map(|connector| place_of(&connector))
}

fn place_of(connector: &Connector) -> String {
    let options = connector.options();
    match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None if options.get_host().contains(':') && redact::is_host(options.get_host()) => {
            format!("[{}]:{}", options.get_host(), options.get_port())
        }
        None if redact::is_host(options.get_host()) => format!("{}:{}", options.get_host(), options.get_port()),
        None => format!("***:{}", options.get_port()),
    }
}

fn connector(url: &str) -> Result<Connector> {
    let reading = PostgresUrl::parse(url).and_then(|url| Connector::new(&url, "whimbrel"));
    reading
        .map_err(|error| with_hint_of(&error, Error::usage("read the connection URL of", "PostgreSQL", error.cause())))
}

async fn connect(url: &str) -> Result<Client> {
    let connector = connector(url)?;
    let connecting = connector.connect(Access::Writes, &Cancel::new()).await;
    connecting.map_err(|error| {
        with_hint_of(&error, Error::could_not("connect to PostgreSQL at", place_of(&connector), error.cause()))
    })
}

/// The way out of a failure that is told of the server's place instead of its URL.
fn with_hint_of(error: &Error, told: Error) -> Error {
    match error.way_out() {
        Some(hint) => told.hint(hint),
        None => told,
    }
}

/// The version of the server, such as `15.18`, asked for with a real query.
pub(super) fn server_version(url: &str) -> Result<String> {
    talk(async { ask_version(url).await })
}

async fn ask_version(url: &str) -> Result<String> {
    let mut client = connect(url).await?;
    let rows = client.texts("SHOW server_version").await.could_not("ask for the version of", "PostgreSQL")?;
    client.close().await;
    let version = rows.into_iter().flatten().flatten().next().unwrap_or_default();
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
    let mut kept: Option<Client> = None;
    for Job { statements, operation, object, reply } in jobs {
        let result = runtime.block_on(async {
            let mut client = match kept.take() {
                Some(client) => client,
                None => connect(url).await?,
            };
            let mut rows = Vec::new();
            for statement in statements {
                match client.texts(statement).await {
                    Ok(found) => rows = found,
                    Err(error) => {
                        // After a refusal by the server the connection is whole; after anything else it may not be.
                        kept = error.as_database_error().is_some().then_some(client);
                        return Err(error).could_not(&operation, &object);
                    }
                }
            }
            kept = Some(client);
            let row = |row: Vec<Option<String>>| row.into_iter().map(Option::unwrap_or_default).collect();
            Ok(rows.into_iter().map(row).collect())
        });
        // Who asked may have stopped waiting only by panicking.
        let _ = reply.send(result);
    }
    if let Some(client) = kept {
        // The server may be gone already.
        runtime.block_on(client.close());
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
