//! The engine through the `docker` program.

use std::process::Command;
use std::time::Duration;

use super::super::discovery::{output_within, outputs_within, program_on_path};
use super::interface::{Engine, OWNER_LABEL, Request, SERVER_PORT, address};

pub(super) const NO_PROGRAM: &str = "there is no `docker` program on PATH";

const ANSWER_LIMIT: Duration = Duration::from_secs(10);
const REMOVE_LIMIT: Duration = Duration::from_secs(30);
/// Images are large, and so are the first steps of a container on a loaded machine.
const WORK_LIMIT: Duration = Duration::from_secs(120);

pub(super) struct Program;

/// The program with its arguments, for the engine that everything else means too.
fn docker(arguments: &[&str]) -> Result<Command, String> {
    let program = program_on_path("docker", std::env::var_os("PATH").as_deref()).ok_or(NO_PROGRAM)?;
    let mut command = Command::new(program);
    command.args(arguments).env("DOCKER_HOST", address()).env_remove("DOCKER_CONTEXT");
    Ok(command)
}

fn ask(limit: Duration, arguments: &[&str]) -> Result<String, String> {
    output_within(&mut docker(arguments)?, limit).map(|output| output.trim().to_owned())
}

impl Engine for Program {
    fn version(&self) -> Result<String, String> {
        ask(ANSWER_LIMIT, &["version", "--format", "{{.Server.Version}}"])
    }

    fn has_image(&self, image: &str) -> bool {
        ask(ANSWER_LIMIT, &["image", "inspect", "--format", "{{.Id}}", image]).is_ok()
    }

    fn pull(&self, image: &str) -> Result<(), String> {
        ask(WORK_LIMIT, &["pull", "--quiet", image]).map(|_| ())
    }

    fn run(&self, request: &Request<'_>) -> Result<u16, String> {
        let Request { image, name, owner, publish, volume, memory_bytes, shared_memory_bytes, .. } = request;
        // A volume without a name goes with the container, as memory does.
        let mount = match memory_bytes {
            Some(bytes) => format!("type=tmpfs,destination={volume},tmpfs-size={bytes}"),
            None => format!("type=volume,destination={volume}"),
        };
        let (label, port) = (format!("{OWNER_LABEL}={owner}"), format!("{publish}::{SERVER_PORT}"));
        let shared_memory = format!("{shared_memory_bytes}b");
        let mut command = docker(&["run", "--detach", "--name", name, "--label", &label, "--publish", &port])?;
        command.args(["--mount", &mount, "--shm-size", &shared_memory]);
        for (variable, value) in &request.environment {
            // Only the variable's name is an argument, which other users of the machine can read.
            command.args(["--env", variable]).env(variable, value);
        }
        output_within(command.arg(image).args(&request.arguments), WORK_LIMIT)?;
        let published = ask(ANSWER_LIMIT, &["port", name, &format!("{SERVER_PORT}/tcp")])?;
        let number = published.lines().next().and_then(|first| first.rsplit_once(':')?.1.parse().ok());
        number.ok_or_else(|| format!("`docker port` told no number: {published}"))
    }

    fn is_running(&self, name: &str) -> Result<bool, String> {
        ask(ANSWER_LIMIT, &["container", "inspect", "--format", "{{.State.Running}}", name]).map(|told| told == "true")
    }

    fn log(&self, name: &str) -> String {
        let command = docker(&["logs", "--tail", "12", name]);
        let outputs = command.and_then(|mut command| outputs_within(&mut command, ANSWER_LIMIT));
        outputs.map(|(_, output, errors)| format!("{output}{errors}")).unwrap_or_default()
    }

    fn remove(&self, name: &str) -> Result<(), String> {
        ask(REMOVE_LIMIT, &["rm", "--force", "--volumes", name]).map(|_| ())
    }

    fn labelled(&self) -> Result<Vec<(String, String)>, String> {
        let filter = format!("label={OWNER_LABEL}");
        let format = format!("{{{{.ID}}}} {{{{.Label \"{OWNER_LABEL}\"}}}}");
        let told = ask(ANSWER_LIMIT, &["ps", "--all", "--no-trunc", "--filter", &filter, "--format", &format])?;
        let pair = |line: &str| line.split_once(' ').map(|(id, owner)| (id.to_owned(), owner.to_owned()));
        Ok(told.lines().filter_map(pair).collect())
    }
}
