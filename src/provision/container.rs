//! The footing "Docker engine": a private server in a container, its port published on 127.0.0.1.
//!
//! The supervisor removes it, which is there, knows the name and is named in the container's label before the container
//! exists.

use std::time::{Duration, Instant};

use super::engine::{self, Request, engine};
use super::process::{Owner, Process};
use super::random::random_hex;
use super::supervisor::Supervisor;
use super::{address, client, discovery};
use crate::error::{Error, Result};

/// The image where `WHIMBREL_POSTGRES_IMAGE` names none.
pub(super) const DEFAULT_IMAGE: &str = "postgres:17-alpine";

const START_LIMIT: Duration = Duration::from_secs(120);

/// Where the data is: in memory, or on a volume of its own. In an image's own layers, copying a database takes ten times
/// as long.
const VOLUME: &str = "/whimbrel";

/// The address of a server that is on this machine.
const PRIVATE: &str = "127.0.0.1";

/// A started container.
pub(super) struct Container {
    /// None where this machine has no program that could remove the container after our end.
    pub(super) supervisor: Option<Supervisor>,
    pub(super) name: String,
    pub(super) admin_url: String,
    pub(super) version: String,
    pub(super) description: String,
}

impl std::fmt::Debug for Container {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URL has the password.
        write!(f, "Container({})", self.description)
    }
}

/// Removes a container through the engine's API when it is dropped: where there is no supervisor, and while it starts.
struct Unfinished<'a>(&'a str, bool);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if self.1 {
            // It may not exist yet; a container that this misses is found by its label in the next run.
            let _ = engine().remove(self.0);
        }
    }
}

/// Starts a container from `image`, which is pulled when the engine does not have it; its data is in memory, of so many
/// bytes at most, or on a disk.
pub(super) fn start(image: &str, memory_bytes: Option<u64>) -> Result<Container> {
    let object = format!("`{image}`");
    if !engine().has_image(image) {
        engine().pull(image).map_err(|cause| {
            let cause = format!("the engine does not have it and could not pull it: {cause}");
            Error::could_not("get the container image", &object, cause)
                .hint("set WHIMBREL_POSTGRES_IMAGE to an image that `docker images` lists, or build one with scripts/postgres-image")
        })?;
    }
    let deadline = Instant::now() + START_LIMIT;
    let password = random_hex(16)?;
    let name = format!("whimbrel-{}", random_hex(6)?);
    let (host, publish) = engine_host(&engine::address());
    let supervisor = supervise(&name)?;
    let mut unfinished = Unfinished(&name, supervisor.is_none());
    let owner = match &supervisor {
        Some(supervisor) => Process::of(supervisor.id()).map(Owner::here),
        None => Owner::this(),
    };
    let failed = |cause: &str| Error::could_not("start a container from", &object, cause);
    let with_log = |cause: &str| failed(&format!("{cause}{}", engine::log_tail(&name)));
    // The memory that was counted is this machine's.
    let memory_bytes = memory_bytes.filter(|_| publish == PRIVATE);
    let request = Request {
        image,
        name: &name,
        owner: owner.map(|owner| owner.to_string()).unwrap_or_default(),
        publish,
        volume: VOLUME,
        memory_bytes,
        shared_memory_bytes: 256 << 20,
        environment: environment(&password),
        arguments: SETTINGS.iter().flat_map(|setting| ["-c", setting]).collect(),
    };
    let port = engine().run(&request).map_err(|cause| with_log(&cause))?;
    let admin_url = address::private(&host, port, &password, "postgres");
    let still_running = || match engine().is_running(&name) {
        Ok(true) => Ok(()),
        Ok(false) => Err(failed("it ended")),
        Err(cause) => Err(failed(&cause)),
    };
    let version =
        client::wait_for_answer(&admin_url, deadline, still_running).map_err(|error| with_log(error.cause()))?;
    let description = format!("PostgreSQL {version} in a container of {image}, private server on {host}:{port}");
    unfinished.1 = false;
    drop(unfinished);
    Ok(Container { supervisor, name, admin_url, version, description })
}

/// The server's settings: nothing of it has to outlive the machine.
const SETTINGS: [&str; 9] = [
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_connections=100",
    "max_locks_per_transaction=256",
    "logging_collector=off",
    // Compiling a query for 200 rows takes ten times as long as running it.
    "jit=off",
];

/// What the image's own script reads; the password is nowhere else.
fn environment(password: &str) -> Vec<(&'static str, String)> {
    vec![
        ("PGDATA", format!("{VOLUME}/data")),
        ("POSTGRES_PASSWORD", password.to_owned()),
        ("POSTGRES_USER", "postgres".to_owned()),
        ("POSTGRES_DB", "postgres".to_owned()),
        ("POSTGRES_INITDB_ARGS", "--encoding=UTF8 --locale=C.UTF-8 --no-sync".to_owned()),
    ]
}

/// The supervisor that removes the container, where this machine has a program for that: `docker`, or `curl` for an
/// engine behind a socket.
fn supervise(name: &str) -> Result<Option<Supervisor>> {
    let path = std::env::var_os("PATH");
    let on_path = |program: &str| discovery::program_on_path(program, path.as_deref());
    let address = engine::address();
    let curl = || on_path("curl").filter(|_| address.starts_with("unix://"));
    let Some(program) = on_path("docker").or_else(curl) else { return Ok(None) };
    let program = program.to_string_lossy().into_owned();
    Supervisor::start(include_str!("container.sh"), &[name, &program, &address], "", None).map(Some)
}

/// Where a published port is reached, and which address it has to be published on. An engine behind a TCP address
/// publishes on its own machine.
fn engine_host(engine: &str) -> (String, &'static str) {
    let remote = ["tcp://", "http://", "https://"]
        .iter()
        .find_map(|scheme| engine.strip_prefix(scheme))
        .and_then(|authority| authority.rsplit_once(':').map(|(host, _)| host).or(Some(authority)))
        .map(|host| host.trim_end_matches('/'))
        .filter(|host| !host.is_empty() && *host != "localhost" && !host.starts_with("127."));
    match remote {
        Some(host) => (host.to_owned(), "0.0.0.0"),
        None => (PRIVATE.to_owned(), PRIVATE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_engine_is_reached_where_it_is_and_a_local_one_stays_private() {
        let private = ("127.0.0.1".to_owned(), "127.0.0.1");
        assert_eq!(engine_host("unix:///run/user/1000/docker.sock"), private);
        assert_eq!(engine_host("tcp://127.0.0.1:2375"), private);
        assert_eq!(engine_host("tcp://docker:2375"), ("docker".to_owned(), "0.0.0.0"));
    }
}
