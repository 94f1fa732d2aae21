//! What is asked of an engine, whichever way, and where it is.

use std::path::PathBuf;

/// The label of our containers: who removes it, as [`Owner`](super::super::process::Owner) writes it.
pub(in crate::provision) const OWNER_LABEL: &str = "whimbrel.owner";

/// The port that PostgreSQL listens on inside a container.
pub(in crate::provision) const SERVER_PORT: u16 = 5432;

/// A container to run.
pub(in crate::provision) struct Request<'a> {
    pub(in crate::provision) image: &'a str,
    pub(in crate::provision) name: &'a str,
    /// The value of its label [`OWNER_LABEL`].
    pub(in crate::provision) owner: String,
    /// The address on which the server's port is published, under a number that the engine chooses.
    pub(in crate::provision) publish: &'static str,
    /// Where the data's file system is mounted in the container.
    pub(in crate::provision) volume: &'static str,
    /// Its size where it is in memory; on a disk without one.
    pub(in crate::provision) memory_bytes: Option<u64>,
    pub(in crate::provision) shared_memory_bytes: u64,
    /// Values may be secret.
    pub(in crate::provision) environment: Vec<(&'static str, String)>,
    pub(in crate::provision) arguments: Vec<&'static str>,
}

/// What is asked of an engine. An error is a few words.
pub(in crate::provision) trait Engine {
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

/// Where the engine is; told to every `docker` command, so that all mean the same engine.
pub(in crate::provision) fn address() -> String {
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
