//! Dumps of a server's databases, made by PostgreSQL's own pg_dump.

use super::{address, discovery, engine};
use crate::error::{Context, Error, Result};
use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The variable that names the program; set and empty, there is none.
const VARIABLE: &str = "WHIMBREL_PG_DUMP";

const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Times are written in a zone that is no whole number of hours from UTC, so that whoever reads them has to mind the offset.
const TIME_ZONE: &str = "Asia/Kolkata";

/// The program that makes dumps of one server's databases: pg_dump of the server's own version, or else the next newer one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DumpProgram {
    program: PathBuf,
    /// The container of the server, where the program is in there.
    container: Option<String>,
}

impl DumpProgram {
    /// The one for a server of that version: by `WHIMBREL_PG_DUMP`, of this machine, or in the server's container.
    pub(super) fn of(version: &str, container: Option<&str>) -> Option<DumpProgram> {
        if let Some(named) = std::env::var_os(VARIABLE) {
            return (!named.is_empty()).then(|| DumpProgram { program: named.into(), container: None });
        }
        let path = std::env::var_os("PATH");
        let server = major(version)?;
        let known = discovery::programs("pg_dump", path.as_deref()).into_iter().filter_map(|program| {
            let told = discovery::output_within(Command::new(&program).arg("--version"), ANSWER_LIMIT).ok()?;
            Some((version_of(&told)?, program))
        });
        if let Some(program) = fitting(known.collect(), server) {
            return Some(DumpProgram { program, container: None });
        }
        let container = container?.to_owned();
        let program = discovery::program_on_path("docker", path.as_deref())?;
        let mut asked = docker(&program);
        asked.args(["exec", &container, "pg_dump", "--version"]);
        discovery::output_within(&mut asked, ANSWER_LIMIT).ok()?;
        Some(DumpProgram { program, container: Some(container) })
    }

    /// Writes a dump of the database at that URL into a new file. An archive is written as to a pipe: it does not say where its
    /// blocks are.
    ///
    /// # Errors
    /// When the file cannot be made, or the program fails; with its last line.
    pub fn write(&self, url: &str, options: &[&str], path: &Path) -> Result<()> {
        let object = format!("`{}`", path.display());
        let file = File::create(path).could_not("create", &object)?;
        self.run(url, &options.iter().map(OsStr::new).collect::<Vec<_>>(), file.into())
    }

    /// Writes a dump to a path by itself: a directory, or an archive that says where its blocks are.
    ///
    /// # Errors
    /// As [`DumpProgram::write`]; also where it is in a container, which does not have that path.
    pub fn write_itself(&self, url: &str, options: &[&str], path: &Path) -> Result<()> {
        if self.container.is_some() {
            let cause = "pg_dump is only in the server's container, which cannot write here";
            return Err(Error::could_not("make a dump at", format!("`{}`", path.display()), cause)
                .hint("install PostgreSQL's client programs of the server's version or later"));
        }
        let options: Vec<&OsStr> =
            options.iter().map(OsStr::new).chain([OsStr::new("--file"), path.as_os_str()]).collect();
        self.run(url, &options, Stdio::null())
    }

    fn run(&self, url: &str, options: &[&OsStr], output: Stdio) -> Result<()> {
        let (bare, password) = address::without_password(url);
        // Only the names of variables are arguments, which other users of the machine can read.
        let (mut command, bare) = match &self.container {
            None => (Command::new(&self.program), bare),
            Some(container) => {
                let mut command = docker(&self.program);
                command.args(["exec", "--env", "PGPASSWORD", "--env", "PGTZ", container, "pg_dump"]);
                (command, address::within_container(&bare))
            }
        };
        command.args(options).args(["--no-password", "--lock-wait-timeout=60000", "--dbname"]).arg(&bare);
        command.env("PGPASSWORD", password.unwrap_or_default()).env("PGTZ", TIME_ZONE);
        let ended = command.stdin(Stdio::null()).stdout(output).stderr(Stdio::piped()).output();
        let ended = ended.could_not("run", "pg_dump")?;
        if ended.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&ended.stderr);
        let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it says nothing");
        Err(Error::could_not("make a dump of", format!("`{}`", crate::redact::url(&bare)), last))
    }
}

/// The `docker` program, for the engine that everything else means too.
fn docker(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("DOCKER_HOST", engine::address()).env_remove("DOCKER_CONTEXT");
    command
}

/// What can dump a server: the same version, or else the next newer one; older ones refuse to.
fn fitting(mut known: Vec<(u32, PathBuf)>, server: u32) -> Option<PathBuf> {
    known.retain(|(version, _)| *version >= server);
    known.into_iter().min_by_key(|(version, _)| *version).map(|(_, program)| program)
}

/// The major version in `pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn version_of(told: &str) -> Option<u32> {
    told.split_once("(PostgreSQL)").and_then(|(_, version)| major(version))
}

fn major(version: &str) -> Option<u32> {
    let version = version.trim_start();
    version[..version.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(version.len())].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_own_version_is_taken_or_the_next_newer_one() {
        assert_eq!(version_of("pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!((version_of("pg_dump (PostgreSQL) 18beta1"), version_of("pg_dump 15")), (Some(18), None));
        let known = [14, 17, 15, 18, 15].iter().zip(["a", "b", "c", "d", "e"]);
        let known: Vec<_> = known.map(|(version, path)| (*version, PathBuf::from(path))).collect();
        let of = |server| fitting(known.clone(), server).map(|program| program.display().to_string());
        assert_eq!((of(15).as_deref(), of(16).as_deref(), of(19)), (Some("c"), Some("b"), None));
    }
}
