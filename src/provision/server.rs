//! A server that runs for as long as somebody holds it, whatever it stands on.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::client::Pool;
use super::dump::DumpProgram;
use super::process::Owner;
use super::run::membership::Membership;
use super::supervisor::Supervisor;
use super::{Footing, address, client, container, discovery, engine, local, sweep};
use crate::error::{Error, Result};

/// How many databases may wait to be dropped before whoever drops the next one waits, too: each takes disk.
const LATER_MAX: usize = 4;

/// For how long a drop lets creations go first.
const CREATIONS_FIRST: Duration = Duration::from_secs(1);

/// The description of a server that another process can use, too.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) footing: Footing,
    /// Password included, so this value is not for printing.
    pub(super) admin_url: String,
    pub(super) version: String,
    pub(super) description: String,
    /// The data directory's parent on the footing of server binaries, else none.
    pub(super) directory: Option<PathBuf>,
    /// The container's name on the footing of a Docker engine, else none.
    pub(super) container: Option<String>,
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Place({})", self.description)
    }
}

/// What the public [`super::Server`] and every [`super::Database`] on it share.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) place: Place,
    pub(super) pool: Arc<Pool>,
    /// On a server of one's own it owns that server; on somebody else's it knows the databases to drop. None where
    /// the whole run shares the server, and where this machine has no program to clean up with after a kill.
    supervisor: Option<Mutex<Supervisor>>,
    /// A container that has no supervisor.
    _container: Option<engine::RemovedAtEnd>,
    /// This process' part in a server that the whole run shares.
    membership: Option<Membership>,
    later: OnceLock<Later>,
    /// How many databases are being created at this moment.
    creating: Arc<AtomicUsize>,
    /// The program that makes dumps of its databases, once somebody has asked.
    pub(super) dump_program: OnceLock<Option<DumpProgram>>,
}

/// A thread that drops databases while everybody else goes on.
#[derive(Debug)]
struct Later {
    names: SyncSender<String>,
    dropped: Mutex<Receiver<String>>,
}

impl Running {
    fn new(place: Place, supervisor: Option<Supervisor>) -> Self {
        let pool = Arc::new(Pool::new(&place.admin_url));
        // Without a supervisor it is for this process to remove the container, at the latest when it exits.
        let orphan = place.container.clone().filter(|_| supervisor.is_none());
        Running {
            place,
            pool,
            supervisor: supervisor.map(Mutex::new),
            _container: orphan.map(engine::RemovedAtEnd::new),
            membership: None,
            later: OnceLock::new(),
            creating: Arc::default(),
            dump_program: OnceLock::new(),
        }
    }

    /// The server that the run of tests shares, which another process looks after.
    pub(super) fn member(place: Place, membership: Membership) -> Self {
        let pool = Arc::new(Pool::new(&place.admin_url));
        let membership = Some(membership);
        Running {
            place,
            pool,
            supervisor: None,
            _container: None,
            membership,
            later: OnceLock::new(),
            creating: Arc::default(),
            dump_program: OnceLock::new(),
        }
    }

    /// The two halves of a server that this process has started, for the run: where it is, and what ends it.
    pub(super) fn split(mut self) -> (Place, Option<Supervisor>) {
        let supervisor = self.supervisor.take();
        let supervisor = supervisor.map(|guard| guard.into_inner().unwrap_or_else(PoisonError::into_inner));
        (self.place.clone(), supervisor)
    }

    /// Whether the process can hand the end of this server to another one.
    pub(super) fn can_be_shared(&self) -> bool {
        self.supervisor.is_some() || self.place.footing == Footing::Url
    }

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
                Some(Supervisor::start(include_str!("guard.sh"), &arguments, &password, None)?)
            }
            None => None,
        };
        let place = Place { footing: Footing::Url, admin_url, version, description, directory: None, container: None };
        let running = Running::new(place, supervisor);
        sweep::databases(&running.pool);
        Ok(running)
    }

    /// Runs `image` on the Docker engine.
    pub(super) fn in_container(image: &str, memory_bytes: Option<u64>) -> Result<Self> {
        engine::remove_orphans();
        let started = container::start(image, memory_bytes)?;
        let place = Place {
            footing: Footing::Container,
            admin_url: started.admin_url,
            version: started.version,
            description: started.description,
            directory: None,
            container: Some(started.name),
        };
        Ok(Running::new(place, started.supervisor))
    }

    /// Runs the server binaries in `directory`; its data is in a new folder in `folder`.
    pub(super) fn from_binaries(directory: &Path, folder: &Path) -> Result<Self> {
        sweep::directories();
        let started = local::start(directory, folder)?;
        let place = Place {
            footing: Footing::Local,
            admin_url: started.admin_url,
            version: started.version,
            description: started.description,
            directory: Some(started.directory),
            container: None,
        };
        Ok(Running::new(place, Some(started.supervisor)))
    }

    pub(super) fn url(&self, database: &str) -> String {
        address::with_database(&self.place.admin_url, database)
    }

    /// What a copy of a database is made with. A copy of the files takes half the time of a copy through the log where
    /// nothing has to be synced, and syncs everything where something has: so not on somebody else's server.
    pub(super) fn copy_strategy(&self) -> &'static str {
        let major = self.place.version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        if self.place.footing != Footing::Url && major.is_some_and(|major| major >= 15) {
            " STRATEGY file_copy"
        } else {
            ""
        }
    }

    /// Who removes a database that lives as long as the server.
    pub(super) fn keeper(&self) -> Option<Owner> {
        self.membership.as_ref().map(|membership| membership.keeper.clone()).or_else(Owner::this)
    }

    /// Has `database`, which is about to be created, dropped after our end; with the server where it is `for_the_run`.
    pub(super) fn guard(&self, database: &str, for_the_run: bool) -> Result<()> {
        self.release_dropped();
        match (&self.membership, self.place.footing) {
            (Some(membership), Footing::Url) => membership.guard(database, for_the_run),
            (None, Footing::Url) => self.tell(&format!("+{database}")),
            _ => Ok(()),
        }
    }

    /// Forgets a database that is gone.
    pub(super) fn release(&self, database: &str) {
        match (&self.membership, self.place.footing) {
            (Some(membership), Footing::Url) => membership.release(database),
            // A guard that ended has nothing left to do; a name too many on its list is dropped with IF EXISTS.
            (None, Footing::Url) => _ = self.tell(&format!("-{database}")),
            _ => {}
        }
    }

    fn tell(&self, line: &str) -> Result<()> {
        match &self.supervisor {
            // A lock poisoned by a panicking test still guards a whole pipe.
            Some(guard) => guard.lock().unwrap_or_else(PoisonError::into_inner).send(line),
            None => Ok(()),
        }
    }

    /// Runs the statements that create a database.
    pub(super) fn create_database(&self, statements: Vec<String>, object: &str) -> Result<()> {
        self.creating.fetch_add(1, Ordering::SeqCst);
        let created = self.pool.run(statements, "create the database", object);
        self.creating.fetch_sub(1, Ordering::SeqCst);
        created.map(|_| ())
    }

    /// Drops a database now.
    pub(super) fn drop_database(&self, name: &str) {
        // On failure the name stays with whoever cleans up after this process.
        if drop_with(&self.pool, name) {
            self.release(name);
        }
    }

    /// Drops a database while the caller goes on.
    pub(super) fn drop_later(&self, name: String) {
        let later = self.later.get_or_init(|| {
            let (names, waiting) = sync_channel::<String>(LATER_MAX);
            let (tell, dropped) = std::sync::mpsc::channel();
            let pool = Arc::clone(&self.pool);
            let creating = Arc::clone(&self.creating);
            std::thread::spawn(move || {
                for name in waiting {
                    let_creations_pass(&creating);
                    if drop_with(&pool, &name) && tell.send(name).is_err() {
                        break;
                    }
                }
            });
            Later { names, dropped: Mutex::new(dropped) }
        });
        if let Err(error) = later.names.send(name) {
            self.drop_database(&error.0);
        }
    }

    fn release_dropped(&self) {
        if let Some(later) = self.later.get() {
            let dropped = later.dropped.lock().unwrap_or_else(PoisonError::into_inner);
            dropped.try_iter().for_each(|name| self.release(&name));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.release_dropped();
    }
}

/// A drop and a creation wait for each other's checkpoints, and as a rule somebody waits for the creation: a case ends,
/// and the next one begins.
fn let_creations_pass(creating: &AtomicUsize) {
    let deadline = Instant::now() + CREATIONS_FIRST;
    std::thread::sleep(Duration::from_millis(10));
    while creating.load(Ordering::SeqCst) > 0 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn drop_with(pool: &Pool, name: &str) -> bool {
    let statement = format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)");
    pool.run(vec![statement], "drop the database", &format!("`{name}`")).is_ok()
}

/// `psql` on PATH, else beside the server binaries.
fn psql(path: Option<&OsStr>) -> Option<PathBuf> {
    discovery::program_on_path("psql", path)
        .or_else(|| Some(discovery::server_binaries(path)?.join("psql")).filter(|file| file.is_file()))
}
