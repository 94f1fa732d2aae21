//! A server that runs for as long as somebody holds it, whatever it stands on.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::supervisor::Supervisor;
use super::{Footing, address, client, container, discovery, local};
use crate::error::{Error, Result};

/// What the public [`super::Server`] and every [`super::Database`] on it share.
#[derive(Debug)]
pub(super) struct Running {
    footing: Footing,
    admin_url: String,
    pub(super) description: String,
    /// The data directory's parent on the footing of server binaries, else none.
    pub(super) directory: Option<PathBuf>,
    /// The container's name on the footing of a Docker engine, else none.
    pub(super) container: Option<String>,
    /// On a server of one's own it owns that server; on somebody else's it knows the databases to drop. None only
    /// where the server is somebody else's and there is no `psql` to drop them with after a kill.
    supervisor: Option<Mutex<Supervisor>>,
}

impl Running {
    /// Uses the server that somebody else runs at `url`.
    pub(super) fn at_url(url: &str, path: Option<&OsStr>) -> Result<Self> {
        let operation = "use the server in";
        if !address::is_postgres(url) {
            return Err(Error::usage(operation, "WHIMBREL_POSTGRES", "it is not a `postgres://…` URL")
                .hint("write it as `postgres://user:password@host:5432/database`"));
        }
        let admin_url =
            if address::names_database(url) { url.to_owned() } else { address::with_database(url, "postgres") };
        let version = client::server_version(&admin_url).map_err(|error| {
            error.hint(
                "start that server, correct WHIMBREL_POSTGRES, or unset it to use Docker or local server binaries",
            )
        })?;
        let description = format!("PostgreSQL {version} at {}, the server in WHIMBREL_POSTGRES", client::place(url)?);
        let supervisor = match psql(path) {
            Some(psql) => {
                let (bare_url, password) = address::without_password(&admin_url);
                let arguments = [psql.to_string_lossy().into_owned(), bare_url];
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                let password = password.unwrap_or_default();
                Some(Mutex::new(Supervisor::start(include_str!("guard.sh"), &arguments, &password, None)?))
            }
            None => None,
        };
        Ok(Running { footing: Footing::Url, admin_url, description, directory: None, container: None, supervisor })
    }

    /// Runs `image` on the Docker engine.
    pub(super) fn in_container(image: &str) -> Result<Self> {
        let started = container::start(image)?;
        Ok(Running {
            footing: Footing::Container,
            admin_url: started.admin_url,
            description: started.description,
            directory: None,
            container: Some(started.name),
            supervisor: Some(Mutex::new(started.supervisor)),
        })
    }

    /// Runs the server binaries in `directory`.
    pub(super) fn from_binaries(directory: &Path) -> Result<Self> {
        let started = local::start(directory)?;
        Ok(Running {
            footing: Footing::Local,
            admin_url: started.admin_url,
            description: started.description,
            directory: Some(started.directory),
            container: None,
            supervisor: Some(Mutex::new(started.supervisor)),
        })
    }

    pub(super) fn footing(&self) -> Footing {
        self.footing
    }

    pub(super) fn admin_url(&self) -> &str {
        &self.admin_url
    }

    pub(super) fn url(&self, database: &str) -> String {
        address::with_database(&self.admin_url, database)
    }

    /// Tells the guard of somebody else's server that `database` is about to be created.
    pub(super) fn guard(&self, database: &str) -> Result<()> {
        self.tell(&format!("+{database}"))
    }

    /// Tells the guard that `database` is gone.
    pub(super) fn release(&self, database: &str) {
        // A guard that ended has nothing left to do; a name too many on its list is dropped with IF EXISTS.
        let _ = self.tell(&format!("-{database}"));
    }

    fn tell(&self, line: &str) -> Result<()> {
        match (&self.supervisor, self.footing) {
            // A lock poisoned by a panicking test still guards a whole pipe.
            (Some(guard), Footing::Url) => guard.lock().unwrap_or_else(PoisonError::into_inner).send(line),
            _ => Ok(()),
        }
    }
}

/// `psql` on PATH, else beside the server binaries.
fn psql(path: Option<&OsStr>) -> Option<PathBuf> {
    discovery::program_on_path("psql", path)
        .or_else(|| Some(discovery::server_binaries(path)?.join("psql")).filter(|file| file.is_file()))
}
