//! Finds a PostgreSQL server or starts a private one, and leaves nothing behind.
//!
//! Three footings, in this order: the server whose URL is in `WHIMBREL_POSTGRES`; a container on a Docker engine that
//! answers; server binaries of this machine. `WHIMBREL_PROVISION=url|container|local` forces one of them, and
//! `WHIMBREL_POSTGRES_IMAGE` names the container's image.
//!
//! Invariants:
//! - A server counts as started when it has answered a query.
//! - What was started or created is removed when its value is dropped, and also when this process panics, is
//!   interrupted or is killed: another process, which waits for the end of this one, does it then. (On a server in
//!   `WHIMBREL_POSTGRES`, that takes a `psql` on this machine.)
//! - A private server listens on 127.0.0.1 only, with a random password that is in no argument list and no output.
//! - On a server that belongs to somebody else, only databases named `whimbrel_<prefix>_<random>` are touched.
//!
//! Everything here blocks, and works inside an asynchronous runtime too: the few queries run on their own thread.
//!
//! ```no_run
//! let server = whimbrel::provision::Server::start()?;
//! let template = server.create_database("app")?;
//! // … fill `template.url()` …
//! let copy = template.create_copy("app")?;
//! println!("{}: {}", server.describe(), copy.name());
//! # Ok::<(), whimbrel::Error>(())
//! ```

mod address;
mod client;
mod container;
mod database;
mod discovery;
mod install_hint;
mod local;
mod server;
mod supervisor;
mod user;

use std::ffi::OsString;
use std::fmt;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, OnceLock};

pub use database::Database;

use crate::error::{Error, Kind, Result};
use server::Running;

/// What a provisioned server stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Footing {
    /// The server whose URL is in `WHIMBREL_POSTGRES`; somebody else runs it.
    Url,
    /// A container on a Docker engine.
    Container,
    /// Server binaries of this machine.
    Local,
}

impl Footing {
    /// Every footing, in the order in which they are tried.
    pub const ALL: [Footing; 3] = [Footing::Url, Footing::Container, Footing::Local];

    /// The word for it in `WHIMBREL_PROVISION`.
    pub fn name(self) -> &'static str {
        match self {
            Footing::Url => "url",
            Footing::Container => "container",
            Footing::Local => "local",
        }
    }
}

impl fmt::Display for Footing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What decides which server is used. [`Options::from_environment`] is what everybody but a test of this module wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The URL of a server that somebody else runs (`WHIMBREL_POSTGRES`).
    pub url: Option<String>,
    /// The only footing to try (`WHIMBREL_PROVISION`).
    pub footing: Option<Footing>,
    /// The container image (`WHIMBREL_POSTGRES_IMAGE`).
    pub image: String,
    /// Where programs are looked for (`PATH`).
    pub path: Option<OsString>,
}

impl Options {
    /// Reads the four variables; an empty one counts as missing.
    ///
    /// # Errors
    ///
    /// When `WHIMBREL_PROVISION` is none of the three words.
    pub fn from_environment() -> Result<Self> {
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let footing = match text("WHIMBREL_PROVISION") {
            None => None,
            Some(word) => Some(Footing::ALL.into_iter().find(|footing| footing.name() == word).ok_or_else(|| {
                Error::usage("read", "WHIMBREL_PROVISION", format!("`{word}` is not a footing"))
                    .hint("set it to `url`, `container` or `local`, or unset it")
            })?),
        };
        Ok(Options {
            url: text("WHIMBREL_POSTGRES"),
            footing,
            image: text("WHIMBREL_POSTGRES_IMAGE").unwrap_or_else(|| container::DEFAULT_IMAGE.to_owned()),
            path: std::env::var_os("PATH"),
        })
    }

    fn start_url(&self) -> Result<Running> {
        let url = self.url.as_deref().ok_or_else(|| {
            Error::usage("use the footing", "`url`", "WHIMBREL_POSTGRES is not set")
                .hint("set it to `postgres://user:password@host:5432/database`")
        })?;
        Running::at_url(url, self.path.as_deref())
    }

    fn start_container(&self) -> Result<Running> {
        container::engine().map_err(|cause| {
            Error::could_not("reach", "a Docker engine", cause)
                .hint("start one (`systemctl start docker`, or Docker Desktop) and check that `docker version` answers")
        })?;
        Running::in_container(&self.image)
    }

    fn start_local(&self) -> Result<Running> {
        let binaries = discovery::server_binaries(self.path.as_deref()).ok_or_else(|| {
            let cause = format!("no directory with initdb, pg_ctl and postgres {}", discovery::SEARCHED);
            Error::could_not("find", "PostgreSQL's server binaries", cause).hint(install_hint::for_this_system())
        })?;
        Running::from_binaries(&binaries)
    }

    /// Tries the footings in their order. A URL is somebody's explicit wish, so its failure is final; an engine
    /// that cannot run the image is told in the description, and the local binaries are used instead.
    fn start_any(&self) -> Result<Running> {
        if self.url.is_some() {
            return self.start_url();
        }
        let (no_container, note) = match container::engine() {
            Ok(_) => match Running::in_container(&self.image) {
                Ok(running) => return Ok(running),
                Err(error) => (
                    format!("a Docker engine answers but could not {error}"),
                    format!(" (a Docker engine answers but could not {} {})", error.operation(), error.object()),
                ),
            },
            Err(cause) => (format!("no Docker engine answers ({cause})"), String::new()),
        };
        let Some(binaries) = discovery::server_binaries(self.path.as_deref()) else {
            return Err(nothing_found(&no_container));
        };
        let mut running = Running::from_binaries(&binaries)?;
        running.description.push_str(&note);
        Ok(running)
    }
}

/// The error of a machine with none of the three footings.
fn nothing_found(no_container: &str) -> Error {
    let searched = discovery::SEARCHED;
    let cause = format!("WHIMBREL_POSTGRES is not set, {no_container}, and there are no server binaries {searched}");
    Error::could_not("find a PostgreSQL server", "", cause).hint(install_hint::for_this_system())
}

/// A PostgreSQL server to create databases on. A private one stops, and everything it wrote is removed, when this
/// value and all its [`Database`]s are dropped, or when the process ends in any way.
#[derive(Debug)]
pub struct Server(Arc<Running>);

impl Server {
    /// Finds or starts a server as the environment says.
    ///
    /// # Errors
    ///
    /// When there is none of the three footings; the hint has the install command for this system. When the server
    /// in `WHIMBREL_POSTGRES` does not answer. When a private server does not start; the cause then ends with the
    /// last lines of its log.
    pub fn start() -> Result<Self> {
        Self::start_with(&Options::from_environment()?)
    }

    /// As [`Server::start`], on one footing only.
    ///
    /// # Errors
    ///
    /// As [`Server::start`], also when that footing is not there.
    pub fn start_on(footing: Footing) -> Result<Self> {
        Self::start_with(&Options { footing: Some(footing), ..Options::from_environment()? })
    }

    /// As [`Server::start`], with options from elsewhere than the environment.
    ///
    /// # Errors
    ///
    /// As [`Server::start`].
    pub fn start_with(options: &Options) -> Result<Self> {
        let running = match options.footing {
            None => options.start_any(),
            Some(Footing::Url) => options.start_url(),
            Some(Footing::Container) => options.start_container(),
            Some(Footing::Local) => options.start_local(),
        };
        running.map(|running| Server(Arc::new(running)))
    }

    /// What the server stands on.
    pub fn footing(&self) -> Footing {
        self.0.footing()
    }

    /// One line for people: version, footing, place. It has no password.
    pub fn describe(&self) -> &str {
        &self.0.description
    }

    /// The connection URL of `database` on this server, password included: not for printing.
    pub fn url(&self, database: &str) -> String {
        self.0.url(database)
    }

    /// The connection URL for administration; on a private server its user is a superuser. Not for printing.
    pub fn admin_url(&self) -> &str {
        self.0.admin_url()
    }

    /// The private directory of a server that was started from local binaries.
    pub fn directory(&self) -> Option<&Path> {
        self.0.directory.as_deref()
    }

    /// The name of the container that the server runs in.
    pub fn container(&self) -> Option<&str> {
        self.0.container.as_deref()
    }

    /// Creates an empty database named `whimbrel_<name_prefix>_<random>`.
    ///
    /// # Errors
    ///
    /// When the server refuses, for want of CREATEDB for example.
    pub fn create_database(&self, name_prefix: &str) -> Result<Database> {
        Database::create(&self.0, name_prefix, None)
    }

    /// Creates a copy of `template`, as [`Database::create_copy`] does.
    ///
    /// # Errors
    ///
    /// When somebody stays connected to the template for more than five seconds, or the server refuses.
    pub fn create_from_template(&self, name_prefix: &str, template: &Database) -> Result<Database> {
        Database::create(&self.0, name_prefix, Some(template))
    }
}

/// The server that all tests of one process share, started at the first call, which also writes its description to
/// standard error, past the capture of the test runner: a test run always says which footing it used.
///
/// # Errors
///
/// As [`Server::start`], the same error at every call.
pub fn shared() -> Result<&'static Server> {
    static SHARED: OnceLock<Result<Server>> = OnceLock::new();
    let started = SHARED.get_or_init(|| {
        let server = Server::start()?;
        // Not eprintln!, which a test runner captures. Nobody reading it is no reason to fail.
        let _ = writeln!(std::io::stderr().lock(), "whimbrel: {}", server.describe());
        Ok(server)
    });
    started.as_ref().map_err(|error| {
        let make = if error.kind() == Kind::Usage { Error::usage } else { Error::could_not };
        let told = make(error.operation(), error.object(), error.cause());
        match error.way_out() {
            Some(hint) => told.hint(hint),
            None => told,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_any_footing_is_told_what_is_missing_and_what_to_do() {
        let error = nothing_found("no Docker engine answers (`docker` is not on PATH)");
        let told = error.to_string();
        assert!(told.starts_with("find a PostgreSQL server: WHIMBREL_POSTGRES is not set, no Docker engine"), "{told}");
        assert!(told.contains("/usr/lib/postgresql"), "{told}");
        assert!(error.way_out().is_some_and(|hint| hint.contains("install") && hint.contains("Docker")), "{error:?}");
    }
}
