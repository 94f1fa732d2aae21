//! The Docker engine, spoken to through the client of testcontainers: is it there, has it the image, what does a
//! container say, which containers did a killed supervisor leave.
//!
//! The engine is the one that testcontainers finds: `DOCKER_HOST`, else the usual sockets. A context of the `docker`
//! command is not read.

use std::collections::HashMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use testcontainers::bollard::Docker;
use testcontainers::bollard::query_parameters::{
    InspectContainerOptions, ListContainersOptionsBuilder, LogsOptionsBuilder, RemoveContainerOptionsBuilder,
};
use testcontainers::core::client::docker_client_instance;

use super::client::on_own_thread;
use super::process::Owner;
use crate::error::chain;

/// The label of our containers: who removes it, as [`Owner`] writes it.
pub(super) const OWNER_LABEL: &str = "whimbrel.owner";

const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Asks the engine something, for as long as `limit`; an error is a few words.
pub(super) fn ask<T, F>(limit: Duration, question: impl FnOnce(Docker) -> F + Send) -> Result<T, String>
where
    T: Send,
    F: Future<Output = Result<T, String>> + Send,
{
    let work = async {
        let client = docker_client_instance().await.map_err(|error| chain(&error))?;
        within(limit, question(client)).await
    };
    on_own_thread(work, |cause| cause)
}

/// The answer, unless it takes longer than `limit`.
async fn within<T>(limit: Duration, answer: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("no answer within {} seconds", limit.as_secs())),
    }
}

/// The version of the engine that answers, or where it was looked for and why none does.
pub(super) fn version() -> Result<String, String> {
    let answer = ask(ANSWER_LIMIT, |client| async move { client.version().await.map_err(|error| chain(&error)) });
    answer.map(|version| version.version.unwrap_or_default()).map_err(|cause| {
        let address = address();
        match address.strip_prefix("unix://").filter(|socket| !std::path::Path::new(socket).exists()) {
            Some(socket) => format!("no socket at {socket}"),
            None => format!("{address}: {cause}"),
        }
    })
}

/// Where the engine is: what testcontainers uses, told to the `docker` command of a supervisor, so that both mean the
/// same engine.
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

/// Whether the engine has the image without pulling it.
pub(super) fn has_image(image: &str) -> bool {
    ask(ANSWER_LIMIT, |client| async move { client.inspect_image(image).await.map_err(|error| chain(&error)) }).is_ok()
}

/// Whether a container runs, or why that cannot be told.
pub(super) fn runs(name: &str) -> Result<bool, String> {
    let answer = ask(ANSWER_LIMIT, |client| async move {
        client.inspect_container(name, None::<InspectContainerOptions>).await.map_err(|error| chain(&error))
    });
    answer.map(|container| container.state.and_then(|state| state.running).unwrap_or(false))
}

/// The last lines that a container wrote, on either stream: local images log to the second only.
pub(super) fn log_tail(name: &str) -> String {
    let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail("12").build();
    let answer = ask(ANSWER_LIMIT, |client| async move {
        let lines: Vec<_> = client.logs(name, Some(options)).collect().await;
        Ok(lines.into_iter().flatten().map(|line| line.to_string()).collect::<String>())
    });
    let text = answer.unwrap_or_default().trim().replace('\n', " / ");
    if text.is_empty() { text } else { format!("; its log ends with: {text}") }
}

/// Removes a container with its volumes, running or not.
pub(super) fn remove(name: &str) -> Result<(), String> {
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    ask(Duration::from_secs(30), |client| async move {
        client.remove_container(name, Some(options)).await.map_err(|error| chain(&error))
    })
}

/// A container that this process itself removes, when this is dropped or when the process exits without dropping it,
/// because it is in a `static`.
#[derive(Debug)]
pub(super) struct RemovedAtEnd(String);

static REMOVED_AT_EXIT: Mutex<Vec<String>> = Mutex::new(Vec::new());

extern "C" fn remove_at_exit() {
    let names = std::mem::take(&mut *REMOVED_AT_EXIT.lock().unwrap_or_else(PoisonError::into_inner));
    // A container that this misses is found by its label in the next run.
    names.iter().for_each(|name| _ = remove(name));
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
        let _ = remove(&self.0);
    }
}

/// Removes the containers whose supervisor is gone from this machine.
pub(super) fn remove_orphans() {
    let filters = HashMap::from([("label".to_owned(), vec![OWNER_LABEL.to_owned()])]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    let containers = ask(ANSWER_LIMIT, |client| async move {
        client.list_containers(Some(options)).await.map_err(|error| chain(&error))
    });
    for container in containers.unwrap_or_default() {
        let owner = container.labels.as_ref().and_then(|labels| Owner::parse(labels.get(OWNER_LABEL)?));
        if let (Some(id), Some(true)) = (container.id, owner.map(|owner| owner.is_gone())) {
            // Another run may remove it at the same moment.
            let _ = remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever this machine has: an engine, one that does not answer, or no socket at all.
    #[test]
    fn an_engine_that_does_not_answer_is_told_in_a_few_words() {
        let silent = std::future::pending::<Result<(), String>>();
        let told = on_own_thread(within(Duration::from_millis(20), silent), |cause| cause);
        assert_eq!(told, Err("no answer within 0 seconds".to_owned()));
        assert!(address().contains("://"), "{}", address());
    }
}
