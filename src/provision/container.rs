//! The footing "Docker engine": a private server in a container, its port published on 127.0.0.1.
//!
//! The container is run and removed by the supervisor's script, `container.sh`.

use std::process::Command;
use std::time::{Duration, Instant};

use super::discovery::output_within;
use super::supervisor::Supervisor;
use super::{address, client, database};
use crate::error::{Context, Error, Result};

/// The image where `WHIMBREL_POSTGRES_IMAGE` names none.
pub(super) const DEFAULT_IMAGE: &str = "postgres:17-alpine";

const ENGINE_LIMIT: Duration = Duration::from_secs(10);
const PULL_LIMIT: Duration = Duration::from_secs(120);
const START_LIMIT: Duration = Duration::from_secs(120);

/// A started container.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) supervisor: Supervisor,
    pub(super) name: String,
    pub(super) admin_url: String,
    pub(super) description: String,
}

/// The version of the engine that answers, or why none does, in a few words.
pub(super) fn engine() -> Result<String, String> {
    docker(&["version", "--format", "{{.Server.Version}}"], ENGINE_LIMIT).map(|version| version.trim().to_owned())
}

fn docker(arguments: &[&str], limit: Duration) -> Result<String, String> {
    output_within(Command::new("docker").args(arguments), limit).map_err(|cause| match cause {
        cause if cause.contains("No such file or directory") => "`docker` is not on PATH".to_owned(),
        cause => cause,
    })
}

/// Starts a container from `image`, which is pulled when the engine does not have it.
pub(super) fn start(image: &str) -> Result<Container> {
    let object = format!("`{image}`");
    if docker(&["image", "inspect", "--format", "{{.Id}}", image], ENGINE_LIMIT).is_err() {
        docker(&["pull", "--quiet", image], PULL_LIMIT).map_err(|cause| {
            let cause = format!("the engine does not have it and could not pull it: {cause}");
            Error::could_not("get the container image", &object, cause)
                .hint("set WHIMBREL_POSTGRES_IMAGE to an image that `docker images` lists, or build one with scripts/postgres-image")
        })?;
    }
    let deadline = Instant::now() + START_LIMIT;
    let password = database::random_hex(16)?;
    let name = format!("whimbrel-{}", database::random_hex(6)?);
    let (host, publish) = engine_host(std::env::var("DOCKER_HOST").ok().as_deref());
    let supervisor = Supervisor::start(include_str!("container.sh"), &[&name, image, &publish], &password, None)?;
    let failed = |cause: &str| Error::could_not("start a container from", &object, cause);
    let answer = supervisor.answer(deadline).map_err(|error| failed(error.cause()))?;
    let port = match answer.split_once(' ').unwrap_or((&answer, "")) {
        ("port", port) => port.parse::<u16>().could_not("read the port of", &object)?,
        (_, cause) => return Err(failed(cause.trim())),
    };
    let admin_url = address::private(&host, port, &password, "postgres");
    let still_running = || match docker(&["inspect", "--format", "{{.State.Running}}", &name], ENGINE_LIMIT) {
        Ok(answer) if answer.trim() == "true" => Ok(()),
        Ok(_) => Err(failed("it ended")),
        Err(cause) => Err(failed(&cause)),
    };
    let version = client::wait_for_answer(&admin_url, deadline, still_running)
        .map_err(|error| failed(&format!("{}{}", error.cause(), log_tail(&name))))?;
    let description = format!("PostgreSQL {version} in a container of {image}, private server on {host}:{port}");
    Ok(Container { supervisor, name, admin_url, description })
}

/// Where a published port is reached, and which address it has to be published on. An engine behind a TCP address
/// publishes on its own machine.
fn engine_host(docker_host: Option<&str>) -> (String, String) {
    let remote = docker_host
        .and_then(|url| url.strip_prefix("tcp://"))
        .and_then(|authority| authority.rsplit_once(':').map(|(host, _)| host).or(Some(authority)))
        .map(|host| host.trim_end_matches('/'))
        .filter(|host| !host.is_empty() && *host != "localhost" && !host.starts_with("127."));
    match remote {
        Some(host) => (host.to_owned(), "0.0.0.0".to_owned()),
        None => ("127.0.0.1".to_owned(), "127.0.0.1".to_owned()),
    }
}

/// The last lines that the container wrote, on either stream: local images log to the second only.
fn log_tail(name: &str) -> String {
    let Ok(output) = Command::new("docker").args(["logs", "--tail", "12", name]).output() else { return String::new() };
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).trim().replace('\n', "\n  ");
    if text.is_empty() { text } else { format!("; its log ends with:\n  {text}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_engine_is_reached_where_it_is_and_a_local_one_stays_private() {
        let private = ("127.0.0.1".to_owned(), "127.0.0.1".to_owned());
        assert_eq!(engine_host(None), private);
        assert_eq!(engine_host(Some("unix:///run/user/1000/docker.sock")), private);
        assert_eq!(engine_host(Some("tcp://127.0.0.1:2375")), private);
        assert_eq!(engine_host(Some("tcp://docker:2375")), ("docker".to_owned(), "0.0.0.0".to_owned()));
    }
}
