//! Facts about the path of a SQLite target, read before anything is locked or written.
//!
//! Invariants: inspecting changes nothing. `path` is where the file really is (a symbolic link is followed, so that
//! publishing replaces the file and keeps the link). The header is read through SQLite, because a connection of this
//! process may have the same file open: closing a descriptor of our own would silently drop its locks (POSIX advisory
//! locks belong to the process and not to the descriptor), and SQLite keeps a descriptor until they are gone.

use std::ffi::{CStr, OsStr};
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, ffi};
use serde::Serialize;

use crate::endpoint::sqlite::header::{HEADER_BYTES, OpenFile};
pub use crate::endpoint::sqlite::path::{quoted, shown, side_path};
use crate::error::{Context, Error, Result};

/// The first 16 bytes of every SQLite database that is not empty (<https://sqlite.org/fileformat2.html>, 1.3.1).
pub const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// The longest file name, in bytes, that the usual file systems take.
pub const NAME_BYTES_MAX: usize = 255;

/// The longest suffix that is appended to a database's name, in bytes: SQLite's is `-journal`, ours `-schema-lock`.
pub const SIDE_SUFFIX_BYTES: usize = 12;

/// What the content of a file is, as far as its first bytes tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "content")]
pub enum Content {
    /// There is no file.
    Missing,
    /// A file of zero bytes, which SQLite takes for an empty database.
    Empty,
    /// A SQLite database; `wal` tells whether its header asks for a write-ahead log.
    Database {
        /// The header's format version is 2: readers use a write-ahead log.
        wal: bool,
    },
    /// Something else: another format, or an encrypted database.
    Foreign,
}

/// What has to be kept of a file that is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub user_id: u32,
    /// Group.
    pub group_id: u32,
    /// How many names the file has.
    pub links: u64,
    /// Device and inode: which file it is.
    pub identity: (u64, u64),
}

impl Attributes {
    /// Those of a file.
    pub fn of(metadata: &fs::Metadata) -> Attributes {
        Attributes {
            mode: metadata.mode() & 0o7777,
            user_id: metadata.uid(),
            group_id: metadata.gid(),
            links: metadata.nlink(),
            identity: (metadata.dev(), metadata.ino()),
        }
    }
}

/// Sizes in bytes of the files that SQLite keeps beside a database; `None` where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SideFiles {
    /// `-wal`: the write-ahead log, may hold committed content.
    pub wal_bytes: Option<u64>,
    /// `-shm`: the index of the write-ahead log; holds nothing of its own.
    pub shm_bytes: Option<u64>,
    /// `-journal`: the rollback journal, may be needed to undo half a transaction.
    pub journal_bytes: Option<u64>,
}

/// A target path and what is there.
#[derive(Debug, Clone)]
pub struct TargetFile {
    /// The path as it was given.
    pub named: PathBuf,
    /// The path with symbolic links followed.
    pub path: PathBuf,
    /// What the file is.
    pub content: Content,
    /// What lies beside it.
    pub side_files: SideFiles,
    /// Permissions, owner and identity of the file, where there is one.
    pub attributes: Option<Attributes>,
}

/// What is done to a target most of the time, for errors.
pub const REPLACE: &str = "replace target";

impl TargetFile {
    /// Looks at `path` and changes nothing.
    ///
    /// # Errors
    ///
    /// When the path is a directory or a device, has no file name or no parent directory, is too long, leads through
    /// a circle of symbolic links, or cannot be read.
    pub fn inspect(path: &Path) -> Result<TargetFile> {
        let named = path.to_path_buf();
        if path.file_name().is_none() {
            return Err(Error::usage("use target", quoted(path), "this is not the name of a file"));
        }
        let path = resolve(path)?;
        let name = path.file_name().unwrap_or_default();
        if name.len() + SIDE_SUFFIX_BYTES > NAME_BYTES_MAX {
            let cause = format!(
                "the name has {} bytes; files beside it have {SIDE_SUFFIX_BYTES} more, and a file name holds {NAME_BYTES_MAX}",
                name.len()
            );
            return Err(Error::usage("use target", quoted(&path), cause).hint("choose a shorter name"));
        }
        let side_files = side_files(&path)?;
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(TargetFile { named, path, content: Content::Missing, side_files, attributes: None });
            }
            Err(error) => return Err(error).could_not("inspect target", quoted(&path)),
        };
        if !metadata.is_file() {
            return Err(Error::usage("use target", quoted(&path), format!("it is {}", kind_of(&metadata)))
                .hint("name a file, as in `app.db`"));
        }
        let attributes = Attributes::of(&metadata);
        let content = content(&path)?;
        Ok(TargetFile { named, path, content, side_files, attributes: Some(attributes) })
    }

    /// The directory that the file is in.
    pub fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    /// The file's own name.
    pub fn name(&self) -> &OsStr {
        self.path.file_name().unwrap_or_default()
    }

    /// Refuses a target that must not be replaced: one that is not a SQLite database, or that has files beside it
    /// which SQLite would apply to the new database, or which may hold data of another one.
    ///
    /// # Errors
    ///
    /// Names what is in the way and how to get it out of there.
    pub fn refuse_unusable(&self) -> Result<()> {
        self.refuse_unusable_to(REPLACE)
    }

    /// As [`TargetFile::refuse_unusable`], for errors that speak of that operation.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn refuse_unusable_to(&self, operation: &str) -> Result<()> {
        let refused = |cause: String| Error::could_not(operation, quoted(&self.path), cause);
        match self.content {
            Content::Foreign => Err(refused("it is not a SQLite database, or it is encrypted".into())
                .hint("choose another name, or move that file away; it was not touched")),
            Content::Database { wal: false } if self.side_files.wal_bytes.is_some_and(|bytes| bytes > 0) => Err(self
                .stray(
                    operation,
                    "wal",
                    "the database does not use a write-ahead log, so this one belongs to another file",
                )),
            Content::Missing | Content::Empty => {
                let cause = "the database that it belongs to is not here";
                if self.side_files.wal_bytes.is_some_and(|bytes| bytes > 0) {
                    return Err(self.stray(operation, "wal", cause));
                }
                if self.content == Content::Missing && journal_is_hot(&self.path)? {
                    return Err(self.stray(operation, "journal", cause));
                }
                Ok(())
            }
            Content::Database { .. } => Ok(()),
        }?;
        self.refuse_sticky(operation)
    }

    /// In a sticky directory, like `/tmp`, only the owner may rename over a file. Told now and not by the rename, so
    /// that nothing is done in vain.
    fn refuse_sticky(&self, operation: &str) -> Result<()> {
        const STICKY: u32 = 0o1000;
        let directory = fs::metadata(self.directory()).could_not("inspect directory", quoted(self.directory()))?;
        // SAFETY: geteuid has no preconditions and cannot fail.
        let user_id = unsafe { libc::geteuid() };
        match self.attributes {
            Some(file) if directory.mode() & STICKY != 0 && ![0, directory.uid(), file.user_id].contains(&user_id) => {
                let cause = "it belongs to another user, in a directory where only owners may replace their files";
                Err(Error::could_not(operation, quoted(&self.path), cause)
                    .hint("run as its owner, or choose another directory"))
            }
            _ => Ok(()),
        }
    }

    fn stray(&self, operation: &str, suffix: &str, cause: &str) -> Error {
        let stray = side_path(&self.path, suffix);
        let cause = format!("{} is beside it, and {cause}; SQLite would apply it to the new file", quoted(&stray));
        Error::could_not(operation, quoted(&self.path), cause)
            .hint("put it back beside its database if its content matters, otherwise move it away")
    }
}

/// The sizes of what lies beside a database.
///
/// # Errors
///
/// When it cannot be told whether there is something.
pub fn side_files(path: &Path) -> Result<SideFiles> {
    let bytes = |suffix| {
        let beside = side_path(path, suffix);
        match fs::symlink_metadata(&beside) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).could_not("inspect", quoted(&beside)),
        }
    };
    Ok(SideFiles { wal_bytes: bytes("wal")?, shm_bytes: bytes("shm")?, journal_bytes: bytes("journal")? })
}

/// What the first bytes of an existing file say. No lock is asked for, and none of another connection is lost.
///
/// # Errors
///
/// When the file cannot be read.
pub fn content(path: &Path) -> Result<Content> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| {
        // The operating system says more, and is asked without opening the file.
        let cause = refused_by_the_system(path).map_or_else(|| error.to_string(), |refused| refused.to_string());
        Error::could_not("read", quoted(path), cause).hint("this user needs permission to read and write the file")
    })?;
    let file = OpenFile::of(&connection)?;
    match file.size_bytes()? {
        0 => return Ok(Content::Empty),
        bytes if bytes < HEADER_BYTES as u64 => return Ok(Content::Foreign),
        _ => {}
    }
    let mut first = [0; HEADER_BYTES];
    file.read(&mut first, 0)?;
    Ok(match first.starts_with(MAGIC) {
        true => Content::Database { wal: first[18] == 2 || first[19] == 2 },
        false => Content::Foreign,
    })
}

/// Why this user may not read the file, where the operating system knows.
fn refused_by_the_system(path: &Path) -> Option<std::io::Error> {
    let terminated = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).ok()?;
    // SAFETY: the path is a terminated string that outlives the call.
    let code = unsafe { libc::access(terminated.as_ptr(), libc::R_OK) };
    (code != 0).then(std::io::Error::last_os_error)
}

/// The path of a connection's file, whatever bytes it has; none for a database in memory.
pub fn path_of(connection: &Connection) -> Option<PathBuf> {
    // SAFETY: the handle is open, and the text that SQLite returns lives as long as it is.
    let name = unsafe {
        let name = ffi::sqlite3_db_filename(connection.handle(), c"main".as_ptr());
        if name.is_null() {
            return None;
        }
        CStr::from_ptr(name)
    };
    (!name.is_empty()).then(|| PathBuf::from(OsStr::from_bytes(name.to_bytes())))
}

/// A path as data: as it is [`shown`].
pub(crate) fn serialize_shown<S: serde::Serializer>(
    path: &Path,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(&shown(path))
}

/// A rollback journal that SQLite would play back: not empty, and its header not zeroed.
///
/// # Errors
///
/// When there is one that cannot be read.
pub(crate) fn journal_is_hot(path: &Path) -> Result<bool> {
    let mut first = [0; 8];
    let journal = side_path(path, "journal");
    match File::open(&journal).and_then(|mut file| file.read_exact(&mut first)) {
        Ok(()) => Ok(first != [0; 8]),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof) => Ok(false),
        Err(error) => Err(error).could_not("read", quoted(&journal)),
    }
}

/// Follows symbolic links to the file itself; the file need not exist, its directory must.
pub(crate) fn resolve(path: &Path) -> Result<PathBuf> {
    const LINKS_MAX: usize = 40;
    let mut path = path.to_path_buf();
    for _ in 0..LINKS_MAX {
        if path.file_name().is_none() && path.is_dir() {
            // `.` and `..` have a name elsewhere.
            path = fs::canonicalize(&path).could_not("find directory", quoted(&path))?;
        }
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let directory = fs::canonicalize(parent).map_err(|error| {
            let hint = match parent == Path::new(".") {
                true => "the working directory is gone, or another has taken its place: change into it anew",
                false => "create the directory first",
            };
            Error::could_not("find directory", quoted(parent), &error).hint(hint).because(error)
        })?;
        let Some(name) = path.file_name() else {
            return Err(Error::usage("use target", quoted(&path), "this is not the name of a file"));
        };
        let here = directory.join(name);
        match fs::symlink_metadata(&here) {
            Ok(metadata) if metadata.is_symlink() => {
                path = directory.join(fs::read_link(&here).could_not("follow link", quoted(&here))?);
            }
            Ok(_) => return Ok(here),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(here),
            Err(error) => return Err(error).could_not("inspect target", quoted(&here)),
        }
    }
    Err(Error::usage("use target", quoted(&path), "its symbolic links lead in a circle"))
}

fn kind_of(metadata: &fs::Metadata) -> &'static str {
    let kind = metadata.file_type();
    if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn directory() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary directory")
    }

    /// Whether any process has a lock on the bytes that SQLite locks in the main file
    /// (<https://sqlite.org/fileformat2.html>, 1.3.2: the page at 1 GiB).
    #[cfg(target_os = "linux")]
    fn is_locked(file: &File) -> bool {
        use std::os::fd::AsRawFd;
        // SAFETY: all-zero is a valid `flock`; the descriptor is open, and the structure outlives the call.
        let mut lock: libc::flock = unsafe { std::mem::zeroed() };
        lock.l_type = libc::F_WRLCK as libc::c_short;
        (lock.l_start, lock.l_len) = (0x4000_0000, 512);
        let code = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) };
        assert_eq!(code, 0, "{}", std::io::Error::last_os_error());
        lock.l_type != libc::F_UNLCK as libc::c_short
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_connection_of_this_process_keeps_its_locks() {
        let directory = directory();
        let path = directory.path().join("app.db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1)").unwrap();
        // Closed after the connection, because closing it is what must not happen before.
        let watching = File::open(&path).unwrap();
        connection.execute_batch("BEGIN; SELECT a FROM t").unwrap();
        assert!(is_locked(&watching), "there is nothing to lose");
        assert_eq!(TargetFile::inspect(&path).unwrap().content, Content::Database { wal: false });
        assert!(is_locked(&watching), "the locks are gone");
        drop(connection);
        assert!(!is_locked(&watching));
    }

    #[test]
    fn content_is_told_by_the_header() {
        let directory = directory();
        let path = directory.path().join(OsStr::from_bytes(b"na\xffme.db"));
        assert_eq!(TargetFile::inspect(&path).unwrap().content, Content::Missing);
        fs::write(&path, "").unwrap();
        assert_eq!(TargetFile::inspect(&path).unwrap().content, Content::Empty);
        fs::write(&path, "hello").unwrap();
        let target = TargetFile::inspect(&path).unwrap();
        assert_eq!(target.content, Content::Foreign);
        assert!(target.refuse_unusable().unwrap_err().cause().contains("not a SQLite database"));
        fs::remove_file(&path).unwrap();
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.execute_batch("CREATE TABLE t(a); PRAGMA journal_mode=WAL").unwrap();
        drop(connection);
        assert_eq!(TargetFile::inspect(&path).unwrap().content, Content::Database { wal: true });
    }

    #[test]
    fn no_two_paths_are_shown_alike() {
        let names: [&[u8]; 8] =
            [b"a\\b", b"a\xff", b"a\\xff", b"a\\\xff", b"a\\\\xff", b"a\xfe", b"a\xc3", "a\u{fffd}".as_bytes()];
        let texts: Vec<_> = names.iter().map(|name| shown(Path::new(OsStr::from_bytes(name)))).collect();
        assert_eq!(texts[..3], ["a\\b", "a\\xff", "a\\\\xff"]);
        assert_eq!(texts.iter().collect::<std::collections::BTreeSet<_>>().len(), names.len(), "{texts:?}");
    }

    #[test]
    fn links_are_followed_and_circles_refused() {
        let directory = directory();
        let link = directory.path().join("link.db");
        symlink("there.db", &link).unwrap();
        let target = TargetFile::inspect(&link).unwrap();
        assert_eq!(target.name(), "there.db");
        symlink("circle", directory.path().join("circle")).unwrap();
        assert!(TargetFile::inspect(&directory.path().join("circle")).unwrap_err().cause().contains("circle"));
    }

    #[test]
    fn a_directory_a_missing_parent_and_a_long_name_are_refused() {
        let directory = directory();
        assert!(TargetFile::inspect(directory.path()).unwrap_err().cause().contains("a directory"));
        let orphan = TargetFile::inspect(&directory.path().join("no/app.db")).unwrap_err();
        assert_eq!(orphan.operation(), "find directory");
        assert!(
            TargetFile::inspect(&directory.path().join("x".repeat(250))).unwrap_err().cause().contains("250 bytes")
        );
        assert!(TargetFile::inspect(Path::new("/")).is_err());
    }

    #[test]
    fn files_of_another_database_beside_the_target_are_refused() {
        let directory = directory();
        let path = directory.path().join("app.db");
        fs::write(side_path(&path, "wal"), [1; 40]).unwrap();
        assert!(TargetFile::inspect(&path).unwrap().refuse_unusable().unwrap_err().cause().contains("app.db-wal"));
        fs::write(side_path(&path, "wal"), "").unwrap();
        assert!(TargetFile::inspect(&path).unwrap().refuse_unusable().is_ok());
        fs::write(side_path(&path, "journal"), [7; 40]).unwrap();
        assert!(TargetFile::inspect(&path).unwrap().refuse_unusable().unwrap_err().cause().contains("app.db-journal"));
    }
}
