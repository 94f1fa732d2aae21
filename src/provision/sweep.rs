//! What killed processes and killed supervisors left on this machine, found by the names and owners that everything
//! here is made with, and removed before the next server starts.
//!
//! Invariant: only what carries an owner that certainly runs no more is touched. A failure is nobody's failure: what
//! could not be removed is there for the next run.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::client::Pool;
use super::process::{self, Owner};
use super::storage::MEMORY;
use super::user;

/// How the comment of a scratch database begins; its owner follows.
pub(super) const DATABASE_COMMENT: &str = "whimbrel, owner ";

/// How long a server whose supervisor was killed may take to stop.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// Removes the private servers of supervisors that are gone: the processes, then the directory.
pub(super) fn directories() {
    let mut bases = vec![std::env::temp_dir(), PathBuf::from("/tmp"), PathBuf::from("/var/tmp"), PathBuf::from(MEMORY)];
    bases.dedup();
    for directory in bases.iter().flat_map(|base| fs::read_dir(base).into_iter().flatten().flatten()) {
        let name = directory.file_name();
        let is_ours = name.to_str().and_then(|name| name.strip_prefix("whimbrel-")).is_some_and(|rest| rest.len() == 6);
        if is_ours {
            remove_directory(&directory.path());
        }
    }
}

fn remove_directory(directory: &Path) {
    // Another user's directories cannot be read, and a link is nothing that a supervisor makes.
    let Ok(metadata) = fs::symlink_metadata(directory) else { return };
    let mine = if user::is_root() { user::unprivileged().map(|user| user.id) } else { Some(user::own_id()) };
    // Nothing in a directory of somebody else is opened: it may be a pipe that never ends.
    if !metadata.is_dir() || Some(metadata.uid()) != mine {
        return;
    }
    let owner = directory.join("owner");
    let is_file = fs::symlink_metadata(&owner).is_ok_and(|metadata| metadata.is_file());
    let owner = if is_file { fs::read_to_string(owner).ok().and_then(|text| Owner::parse(&text)) } else { None };
    if owner.is_some_and(|owner| owner.is_gone_from_this_disk()) {
        stop_server(&directory.join("data"), metadata.uid());
        let _ = fs::remove_dir_all(directory);
    }
}

/// Ends the server of a data directory, if the process that its file names is one: of the same user, with the directory
/// among its arguments.
fn stop_server(data: &Path, user: u32) {
    let Some(id) = fs::read_to_string(data.join("postmaster.pid"))
        .ok()
        .and_then(|text| text.lines().next()?.trim().parse::<u32>().ok())
    else {
        return;
    };
    let is_its_server = || {
        let found = process::user_and_command(id);
        found.is_some_and(|(owner, command)| owner == user && command.contains(&*data.to_string_lossy()))
    };
    let Ok(number) = libc::pid_t::try_from(id) else { return };
    let deadline = Instant::now() + STOP_LIMIT;
    // The order for an immediate stop: nobody reads this data again.
    let mut signal = libc::SIGQUIT;
    while is_its_server() {
        // SAFETY: kill touches no memory; the process was just seen to be that directory's server.
        unsafe { libc::kill(number, signal) };
        if Instant::now() >= deadline {
            signal = libc::SIGKILL;
        }
        if Instant::now() >= deadline + STOP_LIMIT {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Drops the scratch databases of processes of this machine that are gone.
pub(super) fn databases(pool: &Pool) {
    let query = format!(
        "SELECT datname, substr(shobj_description(oid, 'pg_database'), {}) FROM pg_database \
         WHERE starts_with(datname, 'whimbrel_') AND starts_with(shobj_description(oid, 'pg_database'), '{DATABASE_COMMENT}')",
        DATABASE_COMMENT.len() + 1
    );
    for row in pool.run(vec![query], "look for databases that a killed run left", "").unwrap_or_default() {
        let [name, owner] = row.as_slice() else { continue };
        let is_safe = name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        if is_safe && Owner::parse(owner).is_some_and(|owner| owner.is_gone()) {
            let statement = format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)");
            let _ = pool.run(vec![statement], "drop a database that a killed run left", name);
        }
    }
}
