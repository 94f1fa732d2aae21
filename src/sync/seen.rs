//! What was seen when both sides were equal: the states of the files and of the SQLite file, by which the next sync knows what nobody
//! has touched, and need not read it.
//!
//! It is kept beside the SQLite file, and nothing rests on it but time: where it is gone, or speaks of another state, all is
//! read. What was changed so shortly before it was seen that a later change could have the same time is not in it.

use crate::endpoint::files::tree::entry::{Entry, Stat};
use crate::endpoint::sqlite::staging::beside;
use crate::error::Result;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const FORMAT: u32 = 1;

/// File systems take the time from a clock that may be so far behind.
const GRAIN_NS: i64 = 20_000_000;
/// Those that keep whole seconds, or every other one.
const COARSE_GRAIN_NS: i64 = 2_000_000_000;

/// Device, number, size, and the times of the last changes, in nanoseconds since 1970.
type State = (u64, u64, u64, i64, i64);

fn state(stat: &Stat) -> State {
    (stat.device, stat.inode, stat.size_bytes, stat.modified_ns, stat.changed_ns)
}

fn state_of(metadata: &Metadata) -> State {
    let ns = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
    (
        metadata.dev(),
        metadata.ino(),
        metadata.len(),
        ns(metadata.mtime(), metadata.mtime_nsec()),
        ns(metadata.ctime(), metadata.ctime_nsec()),
    )
}

/// Whether a change after `now_ns` has another time than this state.
fn is_old(state: &State, now_ns: i64) -> bool {
    let is_coarse = state.3 % 1_000_000_000 == 0 && state.4 % 1_000_000_000 == 0;
    let grain = if is_coarse { COARSE_GRAIN_NS } else { GRAIN_NS };
    state.3.max(state.4).saturating_add(grain) < now_ns
}

/// The time now, in nanoseconds since 1970.
pub fn now_ns() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)
}

/// The SQLite file: its state, its change counter, and the state of its log where that has anything in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseState {
    main: State,
    change_counter: u32,
    log: Option<State>,
}

impl DatabaseState {
    /// The state of the file at a path; `None` where it is half written, or cannot be looked at.
    pub fn of(path: &Path) -> Option<DatabaseState> {
        let side = |suffix: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            match fs::metadata(PathBuf::from(name)) {
                Ok(metadata) => Ok(Some(state_of(&metadata)).filter(|state| state.2 > 0)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        };
        // By its name alone: a second descriptor of it, closed, would drop the locks that SQLite has on it.
        let main = state_of(&fs::metadata(path).ok()?);
        if side("-journal").ok()?.is_some() {
            return None;
        }
        Some(DatabaseState { main, change_counter: 0, log: side("-wal").ok()? })
    }

    fn with_counter(mut self, connection: &Connection) -> Option<DatabaseState> {
        let file = crate::endpoint::sqlite::header::OpenFile::of(connection).ok()?;
        let mut counter = [0; 4];
        file.read(&mut counter, 24).ok()?;
        self.change_counter = u32::from_be_bytes(counter);
        Some(self)
    }

    /// The state of an open file.
    pub fn of_open(connection: &Connection, path: &Path) -> Option<DatabaseState> {
        DatabaseState::of(path)?.with_counter(connection)
    }

    fn is_old(&self, now_ns: i64) -> bool {
        is_old(&self.main, now_ns) && self.log.as_ref().is_none_or(|log| is_old(log, now_ns))
    }

    /// Waits until a later change will have another time; whether that is so now.
    pub fn settle(&self) -> bool {
        if !self.is_old(now_ns()) {
            sleep(Duration::from_nanos(GRAIN_NS.unsigned_abs() + 5_000_000));
        }
        self.is_old(now_ns())
    }
}

/// Everything that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    format: u32,
    /// The digest of what the SQLite file remembers.
    digest: String,
    database: DatabaseState,
    /// The device and the number of the tree's root.
    root: (u64, u64),
    files: HashMap<String, State>,
}

impl Seen {
    /// What was seen of files that were looked at from `since_ns` on.
    pub fn new(
        digest: String,
        database: DatabaseState,
        root: (u64, u64),
        found: &BTreeMap<String, Entry>,
        since_ns: i64,
    ) -> Seen {
        let files = found.iter().map(|(path, entry)| (path.clone(), state(&entry.stat)));
        let files = files.filter(|(_, state)| is_old(state, since_ns)).collect();
        Seen { format: FORMAT, digest, database, root, files }
    }

    /// What was seen last, where it speaks of what the file remembers and of that tree.
    pub fn read(file: &Path, digest: Option<&str>, root: (u64, u64)) -> Option<Seen> {
        let mut text = Vec::new();
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        let mut opened = options.open(beside(file, "seen")).ok()?;
        let metadata = opened.metadata().ok()?;
        // Somebody else's word is no reason to leave a file unread.
        if !metadata.is_file() || metadata.uid() != rustix::process::geteuid().as_raw() {
            return None;
        }
        opened.read_to_end(&mut text).ok()?;
        let seen: Seen = serde_json::from_slice(&text).ok()?;
        (seen.format == FORMAT && Some(seen.digest.as_str()) == digest && seen.root == root).then_some(seen)
    }

    /// Whether nobody has written to the SQLite file since.
    pub fn has_database(&self, now: Option<&DatabaseState>) -> bool {
        now == Some(&self.database)
    }

    /// Whether a file is what it was.
    pub fn has_file(&self, path: &str, stat: &Stat) -> bool {
        self.files.get(path) == Some(&state(stat))
    }

    /// Keeps it. Where that cannot be, the next sync reads more.
    pub fn keep(&self, file: &Path) {
        let (place, passing) = (beside(file, "seen"), beside(file, "seen.tmp"));
        let write = || -> io::Result<()> {
            let _ = fs::remove_file(&passing);
            let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&passing)?;
            new.write_all(&serde_json::to_vec(self)?)?;
            fs::rename(&passing, &place)
        };
        if write().is_err() {
            let _ = fs::remove_file(&passing);
            forget(file);
        }
    }
}

/// Forgets what was seen.
pub fn forget(file: &Path) {
    let _ = fs::remove_file(beside(file, "seen"));
}

/// The device and the number of a directory.
///
/// # Errors
/// When there is none.
pub fn root_of(tree: &Path) -> Result<(u64, u64)> {
    use crate::error::Context;
    let metadata = fs::metadata(tree).could_not("inspect", crate::endpoint::sqlite::file::quoted(tree))?;
    Ok((metadata.dev(), metadata.ino()))
}
