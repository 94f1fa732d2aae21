//! The footing "server binaries": a private server in a temporary directory, on 127.0.0.1 and a free port.
//!
//! Everything that exists outside this process is made and removed by the supervisor's script, `local.sh`.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::random::random_hex;
use super::supervisor::Supervisor;
use super::{address, client, process, user};
use crate::error::{Context, Error, Result};

/// How long initdb and the start together may take; a loaded machine needs a multiple of the usual two seconds.
const START_LIMIT: Duration = Duration::from_secs(120);

/// How many ports are tried: one is free when it is chosen and may be taken when the server wants it.
const PORTS_TRIED: usize = 5;

const SCRIPT: &str = concat!(include_str!("process.sh"), include_str!("local.sh"));

/// A started private server.
pub(super) struct Local {
    pub(super) supervisor: Supervisor,
    pub(super) directory: PathBuf,
    pub(super) admin_url: String,
    pub(super) version: String,
    pub(super) description: String,
}

impl std::fmt::Debug for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URL has the password.
        write!(f, "Local({})", self.description)
    }
}

/// Starts a server from the binaries in `binaries`; its data is in a new folder in `folder`.
pub(super) fn start(binaries: &Path, folder: &Path) -> Result<Local> {
    let deadline = Instant::now() + START_LIMIT;
    let password = random_hex(16)?;
    let user = match user::is_root() {
        true => Some(user::unprivileged().ok_or_else(|| {
            Error::could_not(
                "start a private PostgreSQL server",
                "",
                "it refuses to run as root, and there is no other user",
            )
            .hint("add one with `useradd --system postgres`")
        })?),
        false => None,
    };
    let binaries_text = binaries.to_string_lossy();
    let folder_text = folder.to_string_lossy();
    let ports = free_ports()?;
    let machine = process::machine();
    let mut arguments: Vec<&str> = vec![&binaries_text, &folder_text, &machine];
    arguments.extend(ports.iter().map(String::as_str));
    let supervisor = Supervisor::start(SCRIPT, &arguments, &password, user)?;

    let mut directory = None;
    let failed = |cause: String, directory: Option<&PathBuf>| {
        Error::could_not(
            "start a private PostgreSQL server from",
            format!("`{}`", binaries.display()),
            with_log(cause, directory),
        )
    };
    let port = loop {
        let answer = supervisor.answer(deadline).map_err(|error| match directory {
            None => failed("no temporary directory could be made".to_owned(), None)
                .hint("set TMPDIR to a directory that every user may write to"),
            Some(_) => failed(error.cause().to_owned(), directory.as_ref()),
        })?;
        match answer.split_once(' ').unwrap_or((&answer, "")) {
            ("directory", path) => directory = Some(PathBuf::from(path)),
            ("port", port) => break port.parse::<u16>().could_not("read the port of", "the private server")?,
            _ => return Err(failed("it did not start".to_owned(), directory.as_ref())),
        }
    };
    let admin_url = address::private("127.0.0.1", port, &password, "postgres");
    let version = client::wait_for_answer(&admin_url, deadline, || Ok(()))
        .map_err(|error| failed(error.to_string(), directory.as_ref()))?;
    let description = format!("PostgreSQL {version} from {}, private server on 127.0.0.1:{port}", binaries.display());
    Ok(Local { supervisor, directory: directory.unwrap_or_default(), admin_url, version, description })
}

/// Ports that nobody listens on now, all different because they are held together.
fn free_ports() -> Result<Vec<String>> {
    let listeners: std::io::Result<Vec<TcpListener>> =
        (0..PORTS_TRIED).map(|_| TcpListener::bind("127.0.0.1:0")).collect();
    let numbers: std::io::Result<Vec<String>> = listeners
        .could_not("find a free port on", "127.0.0.1")?
        .iter()
        .map(|listener| listener.local_addr().map(|address| address.port().to_string()))
        .collect();
    numbers.could_not("find a free port on", "127.0.0.1")
}

/// A cause, followed by the last lines of the server's own log.
fn with_log(cause: String, directory: Option<&PathBuf>) -> String {
    const LINES: usize = 12;
    let log = directory.and_then(|directory| std::fs::read(directory.join("log")).ok()).unwrap_or_default();
    let text = String::from_utf8_lossy(&log);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    match lines.len() {
        0 => cause,
        count => {
            format!("{cause}; the server's log ends with: {}", lines[count.saturating_sub(LINES)..].join(" / "))
        }
    }
}
