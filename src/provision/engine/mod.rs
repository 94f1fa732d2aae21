//! The Docker engine: is it there, has it the image, what does a container say, which containers did a killed
//! supervisor leave.
//!
//! It is spoken to in one of two ways: through testcontainers where tests are built (the feature `harness`), and
//! through the `docker` program in whimbrel's own program, which so does without a client's hundred crates.
//!
//! The engine is the one of `DOCKER_HOST`, else behind one of the usual sockets, in either way. A context of the
//! `docker` command is not read.

#[cfg(feature = "harness")]
mod client;
#[cfg(any(not(feature = "harness"), test))]
mod program;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};

use super::process::Owner;

/// The label of our containers: who removes it, as [`Owner`] writes it.
pub(super) const OWNER_LABEL: &str = "whimbrel.owner";

/// The port that PostgreSQL listens on inside a container.
const SERVER_PORT: u16 = 5432;

/// A container to run.
pub(super) struct Request<'a> {
    pub(super) image: &'a str,
    pub(super) name: &'a str,
    /// The value of its label [`OWNER_LABEL`].
    pub(super) owner: String,
    /// The address on which the server's port is published, under a number that the engine chooses.
    pub(super) publish: &'static str,
    /// Where the data's file system is mounted in the container.
    pub(super) volume: &'static str,
    /// Its size where it is in memory; on a disk without one.
    pub(super) memory_bytes: Option<u64>,
    pub(super) shared_memory_bytes: u64,
    /// Values may be secret.
    pub(super) environment: Vec<(&'static str, String)>,
    pub(super) arguments: Vec<&'static str>,
}

/// What is asked of an engine. An error is a few words.
pub(super) trait Engine {
    /// The version of the engine that answers.
    fn version(&self) -> Result<String, String>;
    /// Whether the engine has the image without pulling it.
    fn has_image(&self, image: &str) -> bool;
    fn pull(&self, image: &str) -> Result<(), String>;
    /// Starts a container: the number under which its server's port is published. It may not answer yet.
    fn run(&self, request: &Request<'_>) -> Result<u16, String>;
    fn is_running(&self, name: &str) -> Result<bool, String>;
    /// The last lines that a container wrote, on either stream: local images log to the second only.
    fn log(&self, name: &str) -> String;
    /// Removes a container with its volumes, running or not.
    fn remove(&self, name: &str) -> Result<(), String>;
    /// Every container with the label [`OWNER_LABEL`]: its identity, and the label's value.
    fn labelled(&self) -> Result<Vec<(String, String)>, String>;
}

/// The way to the engine that this build has.
pub(super) fn engine() -> &'static dyn Engine {
    #[cfg(feature = "harness")]
    return &client::Client;
    #[cfg(not(feature = "harness"))]
    return &program::Program;
}

/// The version of the engine that answers, or where it was looked for and why none does.
pub(super) fn version() -> Result<String, String> {
    engine().version().map_err(|cause| {
        let address = address();
        match address.strip_prefix("unix://") {
            Some(socket) if !Path::new(socket).exists() => format!("no socket at {socket}"),
            Some(socket) => format!("the socket {socket}: {cause}"),
            None => format!("{address}: {cause}"),
        }
    })
}

/// Where the engine is; told to every `docker` command, so that all mean the same engine.
pub(super) fn address() -> String {
    if let Some(host) = std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty()) {
        return host;
    }
    let below = |variable: &str, path: &str| std::env::var_os(variable).map(|folder| PathBuf::from(folder).join(path));
    let usual = PathBuf::from("/var/run/docker.sock");
    let candidates = [
        Some(usual.clone()),
        below("XDG_RUNTIME_DIR", ".docker/run/docker.sock"),
        below("HOME", ".docker/run/docker.sock"),
        below("HOME", ".docker/desktop/docker.sock"),
    ];
    let found = candidates.into_iter().flatten().find(|path| path.exists());
    format!("unix://{}", found.unwrap_or(usual).display())
}

/// The end of a container's log, as the end of a sentence.
pub(super) fn log_tail(name: &str) -> String {
    let text = engine().log(name).trim().replace('\n', " / ");
    if text.is_empty() { text } else { format!("; its log ends with: {text}") }
}

/// A container that this process itself removes, when this is dropped or when the process exits without dropping it,
/// because it is in a `static`.
#[derive(Debug)]
pub(super) struct RemovedAtEnd(String);

static REMOVED_AT_EXIT: Mutex<Vec<String>> = Mutex::new(Vec::new());

extern "C" fn remove_at_exit() {
    let names = std::mem::take(&mut *REMOVED_AT_EXIT.lock().unwrap_or_else(PoisonError::into_inner));
    // A container that this misses is found by its label in the next run.
    names.iter().for_each(|name| _ = engine().remove(name));
}

impl RemovedAtEnd {
    pub(super) fn new(name: String) -> Self {
        static REGISTERED: Once = Once::new();
        // SAFETY: the function takes nothing, unwinds never (it panics nowhere), and lives as long as the program.
        REGISTERED.call_once(|| _ = unsafe { libc::atexit(remove_at_exit) });
        REMOVED_AT_EXIT.lock().unwrap_or_else(PoisonError::into_inner).push(name.clone());
        RemovedAtEnd(name)
    }
}

impl Drop for RemovedAtEnd {
    fn drop(&mut self) {
        REMOVED_AT_EXIT.lock().unwrap_or_else(PoisonError::into_inner).retain(|name| *name != self.0);
        let _ = engine().remove(&self.0);
    }
}

/// Removes the containers whose supervisor is gone from this machine.
pub(super) fn remove_orphans() {
    for (id, owner) in engine().labelled().unwrap_or_default() {
        if Owner::parse(&owner).is_some_and(|owner| owner.is_gone()) {
            // Another run may remove it at the same moment.
            let _ = engine().remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_has_an_address_on_every_machine() {
        assert!(address().contains("://"), "{}", address());
    }

    /// Both ways ask one engine, so they tell the same of it: its version, or that it is not there.
    #[cfg(feature = "harness")]
    #[test]
    fn both_ways_to_the_engine_tell_the_same() {
        match (client::Client.version(), program::Program.version()) {
            (Ok(client), Ok(program)) => assert_eq!(client, program),
            (Ok(_), Err(cause)) => assert_eq!(cause, program::NO_PROGRAM),
            (Err(_), program) => assert!(program.is_err(), "{program:?}"),
        }
    }
}
