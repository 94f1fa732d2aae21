//! The temporary file beside a target: where a new file grows until it takes the target's place.
//!
//! Invariants:
//! - It is in the target's own directory, so that one rename publishes it; nobody but this user can read it until then.
//! - Its name is `.<target>.whimbrel-<process id>-<random>.tmp`. The owner holds a lock on its first byte for as long
//!   as it lives. The kernel drops that lock with the process, so a later run knows a left-over without guessing
//!   from process ids, which are reused. (The lock is an open-file-description lock, far from the bytes that SQLite
//!   locks; it needs Linux or macOS.)
//! - Dropping removes it with its `-journal`, `-wal`, `-shm` and `-schema-lock`; publishing is the only way out.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::endpoint::sqlite::file::{Attributes, NAME_BYTES_MAX, SIDE_SUFFIX_BYTES, TargetFile, quoted, side_path};
use crate::endpoint::sqlite::lock_file::LockFile;
use crate::error::{Context, Error, Result};

const MARK: &str = ".whimbrel-";
const SUFFIX: &str = ".tmp";
/// Process id (10), dash, random (16) and the fixed parts, in bytes.
const DECORATION_BYTES: usize = 1 + MARK.len() + 10 + 1 + 16 + SUFFIX.len();

/// A temporary file that is removed unless it is published.
#[derive(Debug)]
pub struct Staging {
    path: PathBuf,
    lock: File,
    default_mode: u32,
    published: bool,
}

impl Staging {
    /// Creates an empty temporary file beside `target`, after removing what killed runs left there.
    ///
    /// # Errors
    ///
    /// When the directory cannot be written: read-only, full, or not permitted.
    pub fn create(target: &Path) -> Result<Staging> {
        let target = TargetFile::inspect(target)?;
        remove_left_overs(&target.path)?;
        Self::create_in(target.directory(), target.name())
    }

    /// Creates an empty temporary file in `directory` that is to become `name`; left-overs are not looked for.
    ///
    /// # Errors
    ///
    /// When the directory cannot be written.
    pub fn create_in(directory: &Path, name: &OsStr) -> Result<Staging> {
        const ATTEMPTS_MAX: usize = 20;
        for _ in 0..ATTEMPTS_MAX {
            let path = directory.join(temporary_name(name));
            let lock = match OpenOptions::new().read(true).write(true).create_new(true).mode(0o666).open(&path) {
                Ok(lock) => lock,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(cannot_write(directory, &error).because(error)),
            };
            let metadata = lock.metadata().could_not("create", quoted(&path))?;
            let staging = Staging { path, lock, default_mode: metadata.mode() & 0o7777, published: false };
            staging
                .lock
                .set_permissions(fs::Permissions::from_mode(0o600))
                .could_not("protect", quoted(&staging.path))?;
            // Another run that cleans up may have taken the file between its creation and its lock.
            if lock_first_byte(&staging.lock).could_not("lock", quoted(&staging.path))?
                && staging.lock.metadata().is_ok_and(|metadata| metadata.nlink() > 0)
            {
                return Ok(staging);
            }
        }
        Err(Error::could_not("create temporary file in", quoted(directory), "every attempt was taken by another run"))
    }

    /// Where the file is. Close every connection to it before publishing.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the whole content, through the descriptor that created the file: whatever has its name by now.
    ///
    /// # Errors
    ///
    /// When the disk does not take it.
    pub fn write(&self, content: &[u8]) -> io::Result<()> {
        (&self.lock).write_all(content)
    }

    /// Gives the file the permissions and the owner it is to have, and syncs its content to the disk: those of the
    /// file it replaces, else `mode`, else those that the process gives to new files. Returns what could not be kept.
    ///
    /// # Errors
    ///
    /// When the permissions cannot be set or the content cannot be synced.
    pub fn finish(&self, like: Option<&Attributes>, mode: Option<u32>) -> Result<Vec<String>> {
        let mut notes = Vec::new();
        let wanted = like.map(|like| like.mode).or(mode).unwrap_or(self.default_mode);
        if let Some(like) = like {
            let mine = self.lock.metadata().could_not("inspect", quoted(&self.path))?;
            let kept = (mine.uid(), mine.gid()) == (like.user_id, like.group_id)
                || std::os::unix::fs::fchown(&self.lock, Some(like.user_id), Some(like.group_id)).is_ok()
                || std::os::unix::fs::fchown(&self.lock, None, Some(like.group_id)).is_ok()
                    && mine.uid() == like.user_id;
            if !kept {
                notes.push(format!("the owner could not be kept (was user {}, group {})", like.user_id, like.group_id));
            }
        }
        self.lock.set_permissions(fs::Permissions::from_mode(wanted)).could_not("protect", quoted(&self.path))?;
        self.lock.sync_all().could_not("sync", quoted(&self.path))?;
        Ok(notes)
    }

    /// Renames the file over `target`, whatever is there.
    ///
    /// # Errors
    ///
    /// When the rename fails; then nothing has changed, and the temporary file is removed.
    pub fn rename_over(mut self, target: &Path) -> Result<()> {
        fs::rename(&self.path, target).map_err(|error| {
            let told = Error::could_not("publish to", quoted(target), &error);
            let hint = match error.kind() {
                ErrorKind::ResourceBusy => "the file itself is a mount point; mount its directory instead",
                _ => "the committed content of the old file is unchanged",
            };
            told.hint(hint).because(error)
        })?;
        self.published = true;
        Ok(())
    }

    /// Renames the file to `path`, where nothing may be, and goes on owning it: dropped, it is removed there.
    ///
    /// # Errors
    ///
    /// When something is there, or the rename fails; then nothing has changed.
    pub fn move_to_new(&mut self, path: &Path) -> Result<()> {
        rename_new(&self.path, path).could_not("rename to", quoted(path))?;
        self.path = path.to_path_buf();
        Ok(())
    }

    /// Leaves the file where it is now: nothing of it is temporary any more.
    pub fn keep(mut self) {
        self.published = true;
    }

    /// Renames the file to `target`, where nothing may be.
    ///
    /// # Errors
    ///
    /// When something has appeared there, or the rename fails; then nothing has changed.
    pub fn rename_to_new(mut self, target: &Path) -> Result<()> {
        rename_new(&self.path, target).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => {
                Error::could_not("publish to", quoted(target), "another program has created a file there meanwhile")
                    .hint("run again, so that it is backed up first")
            }
            _ => Error::could_not("publish to", quoted(target), &error).because(error),
        })?;
        self.published = true;
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.published {
            remove_with_side_files(&self.path);
        }
    }
}

/// Removes the temporary files of killed runs beside `target` (links followed), and returns their paths. Files of
/// runs that are still alive stay.
///
/// # Errors
///
/// When the directory cannot be listed.
pub fn remove_left_overs(target: &Path) -> Result<Vec<PathBuf>> {
    let directory = target.parent().unwrap_or(Path::new("/"));
    let prefix = temporary_prefix(target.file_name().unwrap_or_default());
    // What is no lock is left alone, and told by whoever has to take it.
    let _ = LockFile::remove_left_over(&lock_path(target));
    let mut removed = Vec::new();
    for entry in fs::read_dir(directory).could_not("list", quoted(directory))?.flatten() {
        let name = entry.file_name();
        if !name.as_bytes().starts_with(prefix.as_bytes()) || !name.as_bytes().ends_with(SUFFIX.as_bytes()) {
            continue;
        }
        let path = entry.path();
        if let Some(_held) = abandoned(&path) {
            remove_with_side_files(&path);
            removed.push(path);
        }
    }
    Ok(removed)
}

/// Syncs a directory, so that a rename in it survives a power failure.
///
/// # Errors
///
/// When the operating system refuses.
pub fn sync_directory(directory: &Path) -> Result<()> {
    File::open(directory).and_then(|file| file.sync_all()).could_not("sync directory", quoted(directory))
}

/// Says for people why a directory cannot be written.
pub fn cannot_write(directory: &Path, error: &io::Error) -> Error {
    let hint = match error.kind() {
        ErrorKind::PermissionDenied => {
            "this user needs permission to write that directory; the new file grows beside the old one"
        }
        ErrorKind::ReadOnlyFilesystem => "that file system is mounted read-only; choose another directory",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "free space on that disk, or choose another directory",
        _ => "the new file grows beside the old one, so its directory must be writable",
    };
    Error::could_not("create temporary file in", quoted(directory), error).hint(hint)
}

/// The side files go first: a left-over is recognised by its main file.
fn remove_with_side_files(path: &Path) {
    for suffix in ["journal", "wal", "shm", "schema-lock"] {
        let _ = fs::remove_file(side_path(path, suffix));
    }
    let _ = fs::remove_file(path);
}

/// `.<name>.whimbrel-`; a name too long for the decoration is cut and made unique by a hash.
fn temporary_prefix(name: &OsStr) -> OsString {
    let room = NAME_BYTES_MAX - SIDE_SUFFIX_BYTES - DECORATION_BYTES;
    let mut prefix = b".".to_vec();
    if name.len() <= room {
        prefix.extend_from_slice(name.as_bytes());
    } else {
        let hash = format!("~{:016x}", xxhash_rust::xxh3::xxh3_64(name.as_bytes()));
        prefix.extend_from_slice(&name.as_bytes()[..room - hash.len()]);
        prefix.extend_from_slice(hash.as_bytes());
    }
    prefix.extend_from_slice(MARK.as_bytes());
    OsString::from_vec(prefix)
}

/// Where the lock of a target is, by which runs of this program queue (see `target_lock`).
pub(crate) fn lock_path(target: &Path) -> PathBuf {
    beside(target, "lock")
}

/// A file of this program beside a target.
pub(crate) fn beside(target: &Path, ending: &str) -> PathBuf {
    let mut name = temporary_prefix(target.file_name().unwrap_or_default());
    name.push(ending);
    target.with_file_name(name)
}

fn temporary_name(name: &OsStr) -> OsString {
    let mut temporary = temporary_prefix(name);
    temporary.push(format!("{}-{:016x}{SUFFIX}", std::process::id(), random()));
    temporary
}

/// A number that another run does not draw: the seed of the standard library's hash maps.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// The file at `path`, locked, where it is one of ours whose owner is gone; hold it while it is removed. A link is none,
/// and one that got another name while it was looked at is not what it was.
pub(crate) fn abandoned(path: &Path) -> Option<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path).ok()?;
    let opened = file.metadata().ok().filter(fs::Metadata::is_file)?;
    let free = lock_first_byte(&file).unwrap_or(false);
    let named = fs::symlink_metadata(path).ok()?;
    (free && (named.dev(), named.ino()) == (opened.dev(), opened.ino())).then_some(file)
}

/// Takes the lock on the first byte if nobody has it.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn lock_first_byte(file: &File) -> io::Result<bool> {
    // SAFETY: all-zero is a valid `flock`; every field that matters is set below.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as _;
    lock.l_whence = libc::SEEK_SET as _;
    lock.l_len = 1;
    // SAFETY: the descriptor is open, and the structure outlives the call.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) } == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EACCES) => Ok(false),
        _ => Err(error),
    }
}

#[cfg(target_os = "linux")]
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    use std::ffi::CString;
    let (source, target) = (CString::new(from.as_os_str().as_bytes())?, CString::new(to.as_os_str().as_bytes())?);
    // SAFETY: both paths are terminated strings that outlive the call.
    let code = unsafe {
        libc::syscall(
            libc::SYS_renameat2,
            libc::AT_FDCWD,
            source.as_ptr(),
            libc::AT_FDCWD,
            target.as_ptr(),
            libc::RENAME_NOREPLACE,
        )
    };
    if code == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        // The file system does not know the flag.
        Some(libc::EINVAL | libc::ENOSYS) => link_new(from, to),
        _ => Err(error),
    }
}

#[cfg(not(target_os = "linux"))]
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    link_new(from, to)
}

/// A hard link never replaces a file, which a rename does.
fn link_new(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to)?;
    let _ = fs::remove_file(from);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_file_takes_its_side_files_along() {
        let directory = tempfile::tempdir().unwrap();
        let staging = Staging::create(&directory.path().join("app.db")).unwrap();
        fs::write(side_path(staging.path(), "wal"), "x").unwrap();
        assert_eq!(fs::metadata(staging.path()).unwrap().mode() & 0o777, 0o600);
        drop(staging);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn only_files_without_an_owner_are_left_overs() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("app.db");
        let alive = Staging::create(&target).unwrap();
        let dead = directory.path().join(".app.db.whimbrel-1-00.tmp");
        let other = directory.path().join(".app.db.bak.whimbrel-1-00.tmp");
        for path in [&dead, &side_path(&dead, "journal"), &side_path(&dead, "schema-lock"), &other] {
            fs::write(path, "x").unwrap();
        }
        assert_eq!(remove_left_overs(&target).unwrap(), vec![dead.clone()]);
        assert!(alive.path().exists() && other.exists());
        assert!(!dead.exists());
        assert!(!side_path(&dead, "journal").exists() && !side_path(&dead, "schema-lock").exists());
    }

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        let directory = tempfile::tempdir().unwrap();
        let (one, two) = ("x".repeat(243), format!("{}y", "x".repeat(242)));
        assert_ne!(temporary_prefix(OsStr::new(&one)), temporary_prefix(OsStr::new(&two)));
        let staging = Staging::create(&directory.path().join(one)).unwrap();
        assert!(fs::write(side_path(staging.path(), "schema-lock"), "x").is_ok());
    }

    #[test]
    fn a_new_file_never_replaces_one() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("app.db");
        for rename in [rename_new as fn(&Path, &Path) -> io::Result<()>, link_new] {
            let source = directory.path().join("new");
            fs::write(&source, "new").unwrap();
            fs::write(&target, "old").unwrap();
            assert_eq!(rename(&source, &target).unwrap_err().kind(), ErrorKind::AlreadyExists);
            assert_eq!(fs::read(&target).unwrap(), b"old");
            fs::remove_file(&target).unwrap();
            rename(&source, &target).unwrap();
            assert!(!source.exists() && target.exists());
        }
    }
}
