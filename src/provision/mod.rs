//! Finds a PostgreSQL server or starts a private one, and leaves nothing behind.
//!
//! Three footings, in this order: the server whose URL is in `WHIMBREL_POSTGRES`; a container on a Docker engine that
//! answers; server binaries of this machine. `WHIMBREL_PROVISION=url|container|local` forces one of them, and
//! `WHIMBREL_POSTGRES_IMAGE` names the container's image. With `CI` set, tests are an error until one is chosen.
//!
//! [`shared`] is the server of a run of tests: one for all tests of a `cargo test` or a `cargo nextest`, in however many
//! processes. [`Server::start`] is a server of one's own. [`template`] is a database that is built once and copied.
//!
//! Invariants:
//! - A server counts as started when it has answered a query.
//! - What was started or created is removed when its value is dropped, or when the run ends, and also when a process
//!   panics, is interrupted or is killed: another process, which waits for that, does it then. (On a server in
//!   `WHIMBREL_POSTGRES` that takes a `psql` on this machine, for a container `docker`, or `curl` for an engine behind
//!   a socket. Without them, this process does it when it ends by itself.)
//! - What is left where that other process was killed too is found and removed before the next server starts.
//! - A private server listens on 127.0.0.1 only, with a random password that is in no argument list and no output.
//! - On a server that belongs to somebody else, only databases named `whimbrel_<prefix>_<random>` are touched.
//!
//! Everything here blocks, and works inside an asynchronous runtime too: the few queries run on their own threads.
//!
//! ```no_run
//! let server = whimbrel::provision::shared()?;
//! let database = server.create_database("app")?;
//! println!("{}: {}", server.describe(), database.name());
//! # Ok::<(), whimbrel::Error>(())
//! ```

mod address;
mod client;
mod container;
mod database;
mod discovery;
mod dump;
mod engine;
mod footing;
mod install_hint;
mod local;
mod options;
mod process;
mod random;
mod run;
mod server;
pub(crate) mod storage;
mod supervisor;
mod sweep;
mod template;
mod user;

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, OnceLock};

pub use database::Database;
pub use dump::DumpProgram;
pub use footing::Footing;
pub use options::ServerOptions;
pub use storage::Storage;
pub use template::{Template, TemplateKey};

use crate::error::{Error, Kind, Result};
use crate::printable::one_line;
use server::Running;

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
        Self::start_with(&ServerOptions::from_environment()?)
    }

    /// As [`Server::start`]; `None` where there is no server to be had, and none is asked for.
    ///
    /// # Errors
    ///
    /// As [`Server::start`], but for a machine with none of the three footings.
    pub fn find() -> Result<Option<Self>> {
        let found = ServerOptions::from_environment()?.find()?;
        Ok(found.map(|running| Server(Arc::new(running))))
    }

    /// As [`Server::start`], on one footing only.
    ///
    /// # Errors
    ///
    /// As [`Server::start`], also when that footing is not there.
    pub fn start_on(footing: Footing) -> Result<Self> {
        Self::start_with(&ServerOptions { footing: Some(footing), ..ServerOptions::from_environment()? })
    }

    /// As [`Server::start`], with options from elsewhere than the environment.
    ///
    /// # Errors
    ///
    /// As [`Server::start`].
    pub fn start_with(options: &ServerOptions) -> Result<Self> {
        options.start().map(|running| Server(Arc::new(running)))
    }

    /// What the server stands on.
    pub fn footing(&self) -> Footing {
        self.0.place.footing
    }

    /// One line for people: version, footing, place. It has no password.
    pub fn describe(&self) -> &str {
        &self.0.place.description
    }

    /// The connection URL of `database` on this server, password included: not for printing.
    pub fn url(&self, database: &str) -> String {
        self.0.url(database)
    }

    /// The connection URL for administration; on a private server its user is a superuser. Not for printing.
    pub fn admin_url(&self) -> &str {
        &self.0.place.admin_url
    }

    /// The private directory of a server that was started from local binaries.
    pub fn directory(&self) -> Option<&Path> {
        self.0.place.directory.as_deref()
    }

    /// The name of the container that the server runs in.
    pub fn container(&self) -> Option<&str> {
        self.0.place.container.as_deref()
    }

    /// The program that makes dumps of its databases; `None` where none of its version or later is to be had.
    pub fn dump_program(&self) -> Option<&DumpProgram> {
        let place = &self.0.place;
        self.0.dump_program.get_or_init(|| DumpProgram::of(&place.version, place.container.as_deref())).as_ref()
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
        Database::create(&self.0, name_prefix, Some(template.name()))
    }

    /// The template of that key: found where somebody who uses this server has built it, else built by `build`, which
    /// gets the connection URL of an empty database and leaves no connection open.
    ///
    /// # Errors
    ///
    /// That of `build`, which then leaves nothing; when the server refuses.
    pub fn template(&self, key: &TemplateKey, build: impl FnOnce(&str) -> Result<()>) -> Result<Template> {
        Template::find_or_build(&self.0, key, build)
    }
}

/// The server that all tests of one run share, in all its processes, started by the first call, and gone shortly after
/// the run. Each process writes its description to standard error, past the capture of the test runner: a test run
/// always says which footing it used.
///
/// A test binary that is started by hand is a run, too; its server is gone half a minute later.
///
/// # Errors
///
/// As [`Server::start`], the same error at every call. When `CI` is set and nothing chooses a footing.
pub fn shared() -> Result<&'static Server> {
    static SHARED: OnceLock<Result<Server>> = OnceLock::new();
    let started = SHARED.get_or_init(|| {
        let options = ServerOptions::from_environment()?.chosen_in_ci(std::env::var("CI").ok().as_deref())?;
        let server = Server(Arc::new(run::join(&options)?));
        // Not eprintln!, which a test runner captures. Nobody reading it is no reason to fail.
        let _ = writeln!(std::io::stderr().lock(), "whimbrel: {}", one_line(server.describe()));
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

/// [`Server::template`] on the [`shared`] server.
///
/// # Errors
///
/// As [`shared`] and [`Server::template`].
pub fn template(key: &TemplateKey, build: impl FnOnce(&str) -> Result<()>) -> Result<Template> {
    shared()?.template(key, build)
}
