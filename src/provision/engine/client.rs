//! The engine through the client of testcontainers.
//!
//! testcontainers starts the container. Its own way to remove one does not do: it is the drop of a value in the process
//! that started it, so a kill or a `static` leaves the container.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use futures_util::StreamExt;
use testcontainers::bollard::Docker;
use testcontainers::bollard::models::{Mount, MountTmpfsOptions, MountType};
use testcontainers::bollard::query_parameters::{
    InspectContainerOptions, ListContainersOptionsBuilder, LogsOptionsBuilder, RemoveContainerOptionsBuilder,
};
use testcontainers::core::client::docker_client_instance;
use testcontainers::core::{IntoContainerPort, WaitFor};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, ContainerRequest, GenericImage, ImageExt, ReuseDirective};

use super::super::client::on_own_thread;
use super::interface::{Engine, OWNER_LABEL, Request, SERVER_PORT};
use crate::error::chain;

const ANSWER_LIMIT: Duration = Duration::from_secs(10);
const PULL_LIMIT: Duration = Duration::from_secs(120);
const START_LIMIT: Duration = Duration::from_secs(120);

/// What the server writes when it is ready; the official image says it twice, and means it only the second time, so
/// whoever starts a container asks a query then.
const READY: &str = "database system is ready to accept connections";

pub(super) struct Client;

/// Asks the engine something, for as long as `limit`; an error is a few words.
fn ask<T, F>(limit: Duration, question: impl FnOnce(Docker) -> F + Send) -> Result<T, String>
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

impl Engine for Client {
    fn version(&self) -> Result<String, String> {
        let answer = ask(ANSWER_LIMIT, |client| async move { client.version().await.map_err(|error| chain(&error)) });
        answer.map(|version| version.version.unwrap_or_default())
    }

    fn has_image(&self, image: &str) -> bool {
        ask(ANSWER_LIMIT, |client| async move { client.inspect_image(image).await.map_err(|error| chain(&error)) })
            .is_ok()
    }

    fn pull(&self, image: &str) -> Result<(), String> {
        let (repository, tag) = repository_and_tag(image);
        let pulling = async {
            let pulled = GenericImage::new(repository, tag).pull_image().await;
            pulled.map(|_| ()).map_err(|error| chain(&error))
        };
        on_own_thread(within(PULL_LIMIT, pulling), |cause| cause)
    }

    fn run(&self, request: &Request<'_>) -> Result<u16, String> {
        let request = container_request(request);
        let work = async {
            let container: ContainerAsync<GenericImage> = request.start().await.map_err(|error| chain(&error))?;
            container.get_host_port_ipv4(SERVER_PORT.tcp()).await.map_err(|error| chain(&error))
        };
        on_own_thread(work, |cause| cause)
    }

    fn is_running(&self, name: &str) -> Result<bool, String> {
        let answer = ask(ANSWER_LIMIT, |client| async move {
            client.inspect_container(name, None::<InspectContainerOptions>).await.map_err(|error| chain(&error))
        });
        answer.map(|container| container.state.and_then(|state| state.running).unwrap_or(false))
    }

    fn log(&self, name: &str) -> String {
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail("12").build();
        let answer = ask(ANSWER_LIMIT, |client| async move {
            let lines: Vec<_> = client.logs(name, Some(options)).collect().await;
            Ok(lines.into_iter().flatten().map(|line| line.to_string()).collect::<String>())
        });
        answer.unwrap_or_default()
    }

    fn remove(&self, name: &str) -> Result<(), String> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        ask(Duration::from_secs(30), |client| async move {
            client.remove_container(name, Some(options)).await.map_err(|error| chain(&error))
        })
    }

    fn labelled(&self) -> Result<Vec<(String, String)>, String> {
        let filters = HashMap::from([("label".to_owned(), vec![OWNER_LABEL.to_owned()])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let containers = ask(ANSWER_LIMIT, |client| async move {
            client.list_containers(Some(options)).await.map_err(|error| chain(&error))
        });
        let labelled = |labels: HashMap<String, String>| labels.get(OWNER_LABEL).cloned();
        Ok(containers?
            .into_iter()
            .filter_map(|container| Some((container.id?, labelled(container.labels?)?)))
            .collect())
    }
}

fn container_request(request: &Request<'_>) -> ContainerRequest<GenericImage> {
    let (repository, tag) = repository_and_tag(request.image);
    let (publish, volume, memory_bytes) = (request.publish, request.volume, request.memory_bytes);
    let mut made = GenericImage::new(repository, tag)
        .with_wait_for(WaitFor::message_on_either_std(READY))
        .with_container_name(request.name)
        .with_label(OWNER_LABEL, &request.owner)
        .with_mapped_port(0, SERVER_PORT.tcp())
        .with_host_config_modifier(move |host| {
            // testcontainers publishes on every address; the server of a test is nobody else's business.
            let bindings = host.port_bindings.iter_mut().flat_map(|ports| ports.values_mut());
            bindings.flatten().flatten().for_each(|binding| binding.host_ip = Some(publish.to_owned()));
            // A volume without a name goes with the container, as memory does.
            let tmpfs_options = memory_bytes.map(|bytes| MountTmpfsOptions {
                size_bytes: i64::try_from(bytes).ok(),
                ..MountTmpfsOptions::default()
            });
            host.mounts.get_or_insert_default().push(Mount {
                target: Some(volume.to_owned()),
                typ: Some(if tmpfs_options.is_some() { MountType::TMPFS } else { MountType::VOLUME }),
                tmpfs_options,
                ..Mount::default()
            });
        })
        .with_shm_size(request.shared_memory_bytes)
        .with_cmd(request.arguments.iter().copied())
        .with_startup_timeout(START_LIMIT)
        // The name is new, so nothing is used again: this only keeps the drop of testcontainers' value from removing
        // the container, and with it the log that tells why it did not start.
        .with_reuse(ReuseDirective::Always);
    for (variable, value) in &request.environment {
        made = made.with_env_var(*variable, value);
    }
    made
}

/// `postgres:17-alpine` in its two parts; a colon before a slash belongs to the registry.
fn repository_and_tag(image: &str) -> (&str, &str) {
    image.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).unwrap_or((image, "latest"))
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
    }

    #[test]
    fn an_image_has_a_repository_and_a_tag() {
        assert_eq!(repository_and_tag("postgres:17-alpine"), ("postgres", "17-alpine"));
        assert_eq!(repository_and_tag("localhost:5000/pg"), ("localhost:5000/pg", "latest"));
        assert_eq!(repository_and_tag("localhost:5000/pg:15"), ("localhost:5000/pg", "15"));
    }
}
