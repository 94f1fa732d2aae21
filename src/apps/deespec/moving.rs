//! The cutover to SQLite and the way back, as the two scripts of the migration document do them: each is one call, which can be made again
//! after a kill and goes on where the killed one was.
//!
//! 1. The application's own locks are held, `var/runlock` and `var/state.lock`; a process that lives and has one of them is named.
//! 2. The tree is archived, and the archive read back; on the way back the SQLite file is backed up as well.
//! 3. Where there is no SQLite file yet, it is made of the tree, and proven.
//! 4. The mode goes step by step; each step proves that both sides are equal, and can be taken back.
//! 5. `storage_mode` is set in `setting.json` while files are still kept, all other keys of it stay; then the last step is taken.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use rusqlite::Connection;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::DeespecStore;
use crate::apps::field::{now_ms, parse_rfc_3339, rfc_3339};
use crate::backup::live::take_live;
use crate::backup::manifest::Reason;
use crate::backup::take::TakeOptions;
use crate::backup::tree::keep;
use crate::cancel::Cancel;
use crate::endpoint::files::source::TreeSource;
use crate::endpoint::sqlite::lock_file::LockFile;
use crate::endpoint::sqlite::pragma;
use crate::endpoint::sqlite::staging::beside;
use crate::error::Context;
use crate::event::nobody;
use crate::schema::{Runner, RunnerOptions, To};
use crate::store::unit::Known;
use crate::store::{Mode, OpenStore, Place, Selection, modes, repair};
use crate::to_sqlite::{self, ApplySchema, Job, MigrationOptions, WAIT_MS_DEFAULT};
use crate::{Error, Result};

const MOVING: &str = "move the store of";

/// The application's locks, from the root of its tree.
const LOCKS: [&str; 2] = ["var/runlock", "var/state.lock"];

/// How long a lock says that it lasts, in milliseconds. A process of this machine has it as long as it lives.
const LOCKED_MS: i64 = 60 * 60 * 1000;

/// Who makes a lock writes into it a moment later; so often it is looked at again, and that long is waited between.
const LOOKS_MAX: u32 = 40;
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// The archive of the tree; none where there was nothing to do.
    pub archive_id: Option<String>,
    /// The backup of the SQLite file, on the way back.
    pub backup_id: Option<String>,
    /// Whether the SQLite file was made of the tree.
    pub is_file_made: bool,
    /// How many records one side has got of the other on the way.
    pub repaired: u64,
    /// The modes through which it went.
    pub steps: Vec<Mode>,
}

/// Moves the application to SQLite alone.
///
/// # Errors
/// When a process that lives holds one of the application's locks; when the tree cannot be archived; when a step cannot be proven. The
/// application works on as `setting.json` says, and the call can be made again.
pub fn cut_over(place: &Place) -> Result<Moved> {
    let known = Known::load(&place.layout)?;
    let _locks = Locks::take(&place.tree, known)?;
    let mut moved = Moved::default();
    if OpenStore::to_look(place)?.modes()?.only() == Some(Mode::Sqlite) {
        return Ok(moved);
    }
    moved.archive_id = Some(archive(place, known)?);
    if !place.file.exists() {
        make_file(place, known)?;
        moved.is_file_made = true;
    }
    let store = DeespecStore::open(place.clone())?;
    store.go(Mode::SqlitePrimary, &mut moved)?;
    store.set_setting("storage_mode", Value::from("sqlite"))?;
    store.go(Mode::Sqlite, &mut moved)?;
    Ok(moved)
}

/// Moves the application back to its files.
///
/// # Errors
/// As [`cut_over`].
pub fn step_back(place: &Place) -> Result<Moved> {
    let known = Known::load(&place.layout)?;
    let mut moved = Moved::default();
    if !place.tree.is_dir() {
        // Somebody has removed the copy.
        DeespecStore::open(place.clone())?.export(&place.tree)?;
    }
    let _locks = Locks::take(&place.tree, known)?;
    if OpenStore::to_look(place)?.modes()?.only() == Some(Mode::Files) {
        return Ok(moved);
    }
    moved.archive_id = Some(archive(place, known)?);
    let flag = Cancel::new().flag();
    moved.backup_id = Some(take_live(&place.file, WAIT_MS_DEFAULT, before_cutover(&flag))?.id);
    let store = DeespecStore::open(place.clone())?;
    store.go(Mode::Dual, &mut moved)?;
    store.set_setting("storage_mode", Value::from("file"))?;
    store.go(Mode::Files, &mut moved)?;
    Ok(moved)
}

impl DeespecStore {
    /// Goes to a mode step by step; before each of them, both sides are brought in step.
    fn go(&self, to: Mode, moved: &mut Moved) -> Result<()> {
        let place = |mode: Mode| Mode::ALL.iter().position(|one| *one == mode).unwrap_or_default();
        loop {
            let now = self.store.modes()?.only().ok_or_else(|| {
                Error::could_not(MOVING, self.object(), "some of its records have another mode than others")
                    .hint("set one for all first: `whimbrel store mode PROJECT MODE`")
            })?;
            let next = match place(now).cmp(&place(to)) {
                std::cmp::Ordering::Equal => return Ok(()),
                std::cmp::Ordering::Less => Mode::ALL[place(now) + 1],
                std::cmp::Ordering::Greater => Mode::ALL[place(now) - 1],
            };
            let repaired = repair::repair(&self.store, None, false)?;
            repaired.ensure_whole(&self.place.file)?;
            moved.repaired += repaired.repaired;
            modes::set(&self.store, &Selection::All, next, false)?.ensure_changed(&self.place.file)?;
            moved.steps.push(next);
        }
    }
}

fn before_cutover(flag: &std::sync::atomic::AtomicBool) -> TakeOptions<'_> {
    let source = "the application's move";
    TakeOptions { directory: None, reason: Reason::BeforeCutover, source, replacement_digest: None, cancel: flag }
}

fn archive(place: &Place, known: &Known) -> Result<String> {
    let ignored: Vec<String> = known.layout.ignore.iter().map(|glob| glob.text().to_owned()).collect();
    Ok(keep(&place.tree, &ignored, before_cutover(&Cancel::new().flag()))?.id)
}

/// The SQLite file of a tree, with the schema of this program.
fn make_file(place: &Place, known: &Known) -> Result<()> {
    let migrations = DeespecStore::migrations()?;
    let apply = |file: &Path| -> Result<()> {
        let shown = format!("`{}`", file.display());
        let connection = Connection::open(file).could_not(MOVING, &shown)?;
        let settings = [("foreign_keys", 1), ("synchronous", 0)];
        let set = settings.into_iter().try_for_each(|(name, value)| pragma::set(&connection, name, value));
        set.and_then(|()| pragma::set(&connection, "journal_mode", "memory")).could_not(MOVING, &shown)?;
        let mut runner = Runner::on_connection(connection, migrations.clone(), RunnerOptions::default());
        runner.up(To::Newest)?;
        match runner.into_connection() {
            Some(connection) => connection.close().map_err(|(_, error)| error).could_not(MOVING, &shown),
            None => Ok(()),
        }
    };
    let cancel = Cancel::new();
    let mut source = TreeSource::open(&place.tree, &known.file, &[], &cancel)?;
    source.ensure_answered()?;
    let job = Job {
        target: place.file.clone(),
        schema: Some(&apply as &ApplySchema<'_>),
        definitions: None,
        options: MigrationOptions::default(),
    };
    to_sqlite::migrate(&mut source, &job, &cancel, &nobody)?.ensure_published()
}

/// What the application writes into its locks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    pid: i32,
    #[serde(default)]
    acquired_at: String,
    #[serde(default)]
    expires_at: String,
    #[serde(default)]
    hostname: String,
}

/// The application's locks, held. They go with this, as long as they are still what was written.
struct Locks {
    held: Vec<(PathBuf, Vec<u8>)>,
    _alone: LockFile,
}

impl Drop for Locks {
    fn drop(&mut self) {
        for (path, bytes) in &self.held {
            if fs::read(path).is_ok_and(|now| now == *bytes) {
                let _ = fs::remove_file(path);
            }
        }
    }
}

impl Locks {
    fn take(tree: &Path, known: &Known) -> Result<Locks> {
        let object = format!("`{}`", tree.display());
        let alone = LockFile::take(&beside(tree, "cutover-lock"), Duration::ZERO, &mut |_| false)?;
        let alone = alone.ok_or_else(|| Error::could_not(MOVING, &object, "another process is moving it already"))?;
        let mut locks = Locks { held: Vec::new(), _alone: alone };
        // The document's form of the tree has none.
        for name in LOCKS.iter().filter(|name| known.layout.is_ignored(name)) {
            let path = tree.join(name);
            if let Some(above) = path.parent() {
                fs::create_dir_all(above).could_not(MOVING, &object)?;
            }
            locks.hold(&path)?;
        }
        Ok(locks)
    }

    fn hold(&mut self, path: &Path) -> Result<()> {
        let object = format!("`{}`", path.display());
        let now = now_ms();
        let own = Holder {
            pid: i32::try_from(std::process::id()).unwrap_or(i32::MAX),
            acquired_at: rfc_3339(now),
            expires_at: rfc_3339(now + LOCKED_MS),
            hostname: hostname(),
        };
        let bytes = serde_json::to_vec(&own).could_not("lock", &object)?;
        for look in 1.. {
            let new = fs::OpenOptions::new().write(true).create_new(true).custom_flags(libc::O_NOFOLLOW).open(path);
            match new {
                Ok(mut file) => {
                    self.held.push((path.to_owned(), bytes.clone()));
                    return file.write_all(&bytes).and_then(|()| file.sync_all()).could_not("lock", object);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).could_not("lock", object),
            }
            let Ok(there) = fs::read(path) else { continue };
            let holder = holder(&there);
            if holder.is_none() && look < LOOKS_MAX {
                sleep(LOOK_AGAIN);
                continue;
            }
            if let Some(holder) = holder.filter(Holder::lives) {
                let (pid, host) =
                    (holder.pid, if holder.hostname.is_empty() { "this machine" } else { &holder.hostname });
                let cause = format!("the process {pid} of {host} works on it since {}", holder.acquired_at);
                return Err(Error::could_not(MOVING, object, cause)
                    .hint("stop it and call again; where that process is another program, remove the file"));
            }
            // Whoever had it is gone. It is taken away only while it is still what was looked at.
            if fs::read(path).is_ok_and(|now| now == there) {
                fs::remove_file(path).could_not("lock", &object)?;
            }
        }
        Ok(())
    }
}

/// Who has a lock: JSON, or the number of a process alone.
fn holder(bytes: &[u8]) -> Option<Holder> {
    let alone = || {
        let pid = std::str::from_utf8(bytes).ok()?.trim().parse().ok()?;
        Some(Holder { pid, acquired_at: String::new(), expires_at: String::new(), hostname: String::new() })
    };
    serde_json::from_slice(bytes).ok().or_else(alone)
}

impl Holder {
    /// Whether it works still. Of another machine, only the time that it gave itself is known.
    fn lives(&self) -> bool {
        if !self.hostname.is_empty() && self.hostname != hostname() {
            return parse_rfc_3339(&self.expires_at).is_none_or(|until_ms| until_ms > now_ms());
        }
        // One with the number of this process is of an earlier one with the same number.
        let is_own = u32::try_from(self.pid) == Ok(std::process::id());
        !is_own && Pid::from_raw(self.pid).is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
    }
}

fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_of_whoever_lives() {
        let of = |text: &str| holder(text.as_bytes());
        let own = std::process::id();
        // SAFETY: asking for the number of the parent changes nothing.
        let parent = unsafe { libc::getppid() };
        assert_eq!(of("").map(|holder| holder.lives()), None);
        assert_eq!(of("{").map(|holder| holder.lives()), None);
        assert_eq!(of(&format!("{parent}\n")).map(|holder| holder.lives()), Some(true));
        assert_eq!(of(&format!("{{\"pid\": {own}}}")).map(|holder| holder.lives()), Some(false));
        assert_eq!(of("{\"pid\": 0}").map(|holder| holder.lives()), Some(false));
        let elsewhere = |until: &str| {
            of(&format!("{{\"pid\": {own}, \"hostname\": \"elsewhere.invalid\", \"expires_at\": \"{until}\"}}"))
        };
        assert_eq!(elsewhere("2020-01-01T00:00:00Z").map(|holder| holder.lives()), Some(false));
        assert_eq!(elsewhere(&rfc_3339(now_ms() + 60_000)).map(|holder| holder.lives()), Some(true));
        assert_eq!(elsewhere("").map(|holder| holder.lives()), Some(true));
    }
}
