//! The one server of a run of tests: the process that needs it first starts it, the others find it.
//!
//! A run is what one command starts: all test binaries of a `cargo test`, one after the other, and all processes of a
//! `cargo nextest`, at the same time. It is known by `NEXTEST_RUN_ID`, else by the process that started this one, and
//! by the user and the choice of the server. Its folder in the directory for temporary files holds:
//!
//! - `lock`: held (`flock`) by who joins, so one process starts the server and the others wait for it;
//! - `state`: where the server is, with its password, for the user only;
//! - `keeper`: the process that ends the server when the run has ended (`keeper.sh` tells when that is);
//! - `leases/<process>`: one for each process that uses the server;
//! - `databases/<name>`: what to drop on a server that is somebody else's;
//! - `closing`: the keeper is about to end; nobody joins any more.
//!
//! The keeper holds the pipe that keeps the server's supervisor waiting. So a kill of the test process, of the keeper,
//! or of the test runner ends the server; only after a kill of both keeper and supervisor is something left for
//! [`super::sweep`] and for [`remove_ended`].

mod folder;
pub(super) mod membership;

use std::num::NonZeroU32;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use super::process::{Owner, Process};
use super::server::Running;
use super::{ServerOptions, sweep, user};
use crate::error::{Context, Error, Result};
use folder::Folder;

/// How long somebody else's start of the server is waited for: two pulls of an image, and then some.
const JOIN_LIMIT: Duration = Duration::from_secs(300);

/// For how many seconds nobody may use the server before the keeper removes it, where the run's own end would come late
/// or cannot be seen: a test binary that somebody started from a shell. `WHIMBREL_POSTGRES_KEEP_SECONDS` says otherwise.
const UNUSED_SECONDS_DEFAULT: u32 = 25;

/// The keeper looks so often a second.
const LOOKS_PER_SECOND: u32 = 2;

const KEEPER: &str = concat!(include_str!("../process.sh"), include_str!("keeper.sh"));

/// Which run this process belongs to.
struct Run {
    key: String,
    /// The process whose end is the run's.
    runner: Option<Process>,
    /// Whether the runner ends when the tests have ended.
    is_brief: bool,
}

impl Run {
    fn of_this_process() -> Run {
        let parent = Process::parent();
        let program = parent.as_ref().map(Process::program).unwrap_or_default();
        match std::env::var("NEXTEST_RUN_ID").ok().filter(|id| !id.is_empty()) {
            // Between nextest and the test may be a wrapper, which ends with the test.
            Some(id) => {
                let is_brief = program.contains("nextest");
                Run { key: format!("nextest {id}"), runner: parent.filter(|_| is_brief), is_brief }
            }
            None => {
                let key = parent.as_ref().map(ToString::to_string).unwrap_or_default();
                Run { key: format!("child of {key}"), runner: parent, is_brief: program.starts_with("cargo") }
            }
        }
    }

    /// The folder of the run's server, as `options` choose one.
    fn folder(&self, options: &ServerOptions) -> PathBuf {
        let user = user::own_id();
        let footing = options.footing.map_or("any", |footing| footing.name());
        let url = options.url.as_deref().unwrap_or_default();
        let version = env!("CARGO_PKG_VERSION");
        let storage = format!("{:?}", options.storage);
        let identity = [version, &user.to_string(), &self.key, footing, url, &options.image, &storage].join("\0");
        let digest = xxhash_rust::xxh3::xxh3_64(identity.as_bytes());
        std::env::temp_dir().join(format!("{}{digest:016x}", folder::PREFIX))
    }
}

/// Joins the run's server, and starts it where nobody has.
pub(super) fn join(options: &ServerOptions) -> Result<Running> {
    let run = Run::of_this_process();
    let path = run.folder(options);
    let object = format!("`{}`", path.display());
    let deadline = Instant::now() + JOIN_LIMIT;
    while Instant::now() < deadline {
        let folder = Folder::open(&path)?;
        let Some(lock) = folder.lock(deadline)? else { continue };
        if let Some((place, keeper)) = folder.state() {
            if keeper.process.is_alive() {
                folder.lease()?;
                if !folder.is_closing() && folder.is_still_there(&lock) {
                    let running = Running::member(place, folder.membership(keeper));
                    sweep::databases(&running.pool);
                    return Ok(running);
                }
                folder.end_lease();
                drop(lock);
                std::thread::sleep(Duration::from_millis(50));
                continue;
            }
            folder.empty();
        }
        // The lock is held until the others can find the server.
        let started = start(options, &run, &folder);
        if started.is_err() {
            folder.remove();
        }
        return started;
    }
    Err(Error::could_not(
        "join the server of this run in",
        object,
        "the process that starts it has not done so in time",
    )
    .hint("end the other processes of this run, and remove that folder"))
}

fn start(options: &ServerOptions, run: &Run, folder: &Folder) -> Result<Running> {
    remove_ended();
    let running = options.start()?;
    if !running.can_be_shared() {
        // No program of this machine could remove the container later: each process has its own.
        folder.remove();
        return Ok(running);
    }
    let (place, supervisor) = running.split();
    folder.lease()?;
    let keeper = keep(options, run, folder, supervisor.and_then(super::supervisor::Supervisor::hand_over))?;
    folder.write(&place, &keeper)?;
    Ok(Running::member(place, folder.membership(keeper)))
}

/// Starts the keeper, and gives it the pipe that the server's supervisor waits at.
fn keep(options: &ServerOptions, run: &Run, folder: &Folder, orders: Option<ChildStdin>) -> Result<Owner> {
    let (parent, since) =
        run.runner.as_ref().map_or_else(Default::default, |process| (process.id.to_string(), process.started.clone()));
    let seconds = options.keep_seconds.map_or(UNUSED_SECONDS_DEFAULT, NonZeroU32::get);
    let looks = if run.is_brief && run.runner.is_some() { 0 } else { seconds * LOOKS_PER_SECOND };
    let mut command = Command::new("sh");
    command.args(["-c", KEEPER, "whimbrel-keeper"]).arg(folder.path()).args([parent, since, looks.to_string()]);
    command.process_group(0).current_dir("/").stdin(Stdio::null()).stderr(Stdio::null());
    command.stdout(orders.map_or_else(Stdio::null, Stdio::from));
    // It ends when it sees no file with its own number, so that comes first.
    folder.announce("starting")?;
    // Never waited for: it outlives this process.
    let child = command.spawn().could_not("start the keeper", "`sh`")?;
    let keeper = Process::of(child.id())
        .map(Owner::here)
        .ok_or_else(|| Error::could_not("start the keeper", "`sh`", "it ended at once"))?;
    folder.announce(&keeper.to_string())?;
    Ok(keeper)
}

/// Removes the folders of runs whose keeper was killed; their servers ended with it.
fn remove_ended() {
    let entries = std::fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(folder::PREFIX)) {
        folder::remove_if_ended(&entry.path());
    }
}
