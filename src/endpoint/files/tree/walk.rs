//! Reading a tree: what is in it, and the bytes of its files.
//!
//! - Every directory is opened by its name from its parent, never by a path, and no link is followed: what was a directory when
//!   it was listed and is a link when it is opened is an error.
//! - Entries come in the order of their paths, by bytes and directory by directory: a directory before what is in it.
//! - What no reader of a tree could carry is an error that names it: FIFOs, sockets, devices, names that are no UTF-8, links
//!   that lead out, two names that are one where case is folded or names are normalised. What is ignored may be anything.
//! - A file is handed on only as it was at one moment: its state is looked at before and after, and where that differs it is read
//!   again, three times at most. Of one that only grows, the first length is read.

use super::entry::{DEPTH_MAX, Entry, EntryKind, OWN_PREFIX, Stat, folded, foreign, leads_inside, split};
use crate::endpoint::sqlite::file::{quoted, shown};
use crate::error::{Context, Error, Result};
use crate::value::large::FileBytes;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::collections::HashMap;
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use xxhash_rust::xxh3::Xxh3;

/// Up to how many bytes a file is read whole, so that it can be read again.
pub const WHOLE_BYTES_MAX: u64 = 64 << 20;

/// How often something that changes is looked at.
const ATTEMPTS_MAX: u32 = 3;

const READ: &str = "read";

/// Whether a file may grow while it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// A change ends the reading.
    Refused,
    /// It is a log: what is behind its first length belongs to the next run.
    Allowed,
}

/// What a walk comes to.
#[derive(Debug)]
pub enum Seen<'w> {
    /// An entry of the tree.
    Entry(&'w Entry),
    /// Something that is ignored: its path. Of a directory nothing inside is seen.
    Ignored(&'w str),
}

/// What a file holds.
#[derive(Debug)]
pub enum Content {
    /// All of it.
    Whole(Vec<u8>, Stat),
    /// More than [`WHOLE_BYTES_MAX`] bytes, or than whoever reads it wants in memory.
    Large(LargeFile),
}

impl Content {
    /// What the file was when it was opened.
    pub fn stat(&self) -> &Stat {
        match self {
            Content::Whole(_, stat) => stat,
            Content::Large(file) => file.stat(),
        }
    }

    /// Begins again.
    ///
    /// # Errors
    /// When the file takes no other position.
    pub fn rewind(&mut self) -> io::Result<()> {
        match self {
            Content::Whole(..) => Ok(()),
            Content::Large(file) => {
                file.left = file.before.size_bytes;
                file.file.rewind()
            }
        }
    }
}

/// An open tree.
#[derive(Debug)]
pub struct Tree {
    root: Arc<OwnedFd>,
    path: PathBuf,
    /// The directory of the file that was opened last.
    near: Mutex<(String, Arc<OwnedFd>)>,
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Tree {
    /// Opens the directory at `path`; a link that leads to it is followed, as somebody has named it.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn open(path: &Path) -> Result<Tree> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = fs::openat(fs::CWD, path, flags, Mode::empty()).map_err(|error| {
            let told = Error::could_not("open the tree", quoted(path), io::Error::from(error));
            match error {
                Errno::NOENT => told.hint("name the directory that the files are in"),
                Errno::NOTDIR => told.hint("a tree is a directory"),
                Errno::ACCESS => told.hint("this user needs permission to read the directory"),
                _ => told,
            }
        })?;
        Ok(Tree::of(root, path))
    }

    /// A directory that is open already.
    pub(super) fn of(root: OwnedFd, path: &Path) -> Tree {
        let root = Arc::new(root);
        Tree { near: Mutex::new((String::new(), Arc::clone(&root))), root, path: path.to_path_buf() }
    }

    /// Where its root is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// Hands over everything in the tree. What `ignored` says of a path is asked before anything is known of it.
    ///
    /// # Errors
    /// When something is in the tree that cannot be carried, cannot be read, goes on changing, or `seen` fails.
    pub fn walk(&self, ignored: &dyn Fn(&str) -> bool, seen: &mut dyn FnMut(Seen<'_>) -> Result<()>) -> Result<()> {
        self.walk_all(ignored, &mut |_, found| seen(found?))
    }

    /// As [`Tree::walk`], with a word on what cannot be carried or read: its path, and why. The walk goes on behind it.
    ///
    /// # Errors
    /// When `seen` fails.
    pub fn walk_all(
        &self,
        ignored: &dyn Fn(&str) -> bool,
        seen: &mut dyn FnMut(&str, Result<Seen<'_>>) -> Result<()>,
    ) -> Result<()> {
        Walk { tree: self, ignored, seen }.directory(&self.root, "", 1)
    }

    /// All entries of a tree of which nothing is ignored.
    ///
    /// # Errors
    /// As [`Tree::walk`].
    pub fn entries(&self) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        self.walk(&|_| false, &mut |seen| {
            if let Seen::Entry(entry) = seen {
                entries.push(entry.clone());
            }
            Ok(())
        })?;
        Ok(entries)
    }

    /// One number for everything that is known of a tree without reading its files: equal ones were left alone in between.
    ///
    /// # Errors
    /// As [`Tree::walk`].
    pub fn state(&self, ignored: &dyn Fn(&str) -> bool) -> Result<u128> {
        let mut hash = Xxh3::new();
        self.walk(ignored, &mut |seen| {
            if let Seen::Entry(entry) = seen {
                hash.update(entry.path.as_bytes());
                hash.update(&[0]);
                hash.update(&entry.mode.to_be_bytes());
                hash.update(&entry.stat.to_bytes());
            }
            Ok(())
        })?;
        Ok(hash.digest128())
    }

    /// The state of what is at `path` now; `None` where nothing is.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn stat(&self, path: &str) -> Result<Option<Stat>> {
        let (directory, name) = split(path);
        let found = self.directory(directory).and_then(|directory| Ok(status_of(directory.as_fd(), name)?));
        match found {
            Ok(status) => Ok(Some(Stat::of(&status))),
            Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::NOENT | Errno::NOTDIR)) => Ok(None),
            Err(error) => Err(error).could_not("inspect", self.quoted(path)),
        }
    }

    /// The file or the directory at `path` now; `None` where neither is.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn entry(&self, path: &str) -> Result<Option<Entry>> {
        let (directory, name) = split(path);
        let found = self.directory(directory).and_then(|directory| Ok(status_of(directory.as_fd(), name)?));
        let status = match found {
            Ok(status) => status,
            Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::NOENT | Errno::NOTDIR)) => {
                return Ok(None);
            }
            Err(error) => return Err(error).could_not("inspect", self.quoted(path)),
        };
        let kind = match FileType::from_raw_mode(status.st_mode) {
            FileType::Directory => EntryKind::Directory,
            FileType::RegularFile => EntryKind::File,
            _ => return Ok(None),
        };
        Ok(Some(Entry {
            path: path.to_owned(),
            kind,
            mode: status.st_mode & 0o7777,
            owner: (status.st_uid, status.st_gid),
            stat: Stat::of(&status),
        }))
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// When it cannot be read, is no file any more, or goes on changing.
    pub fn read(&self, path: &str, growth: Growth) -> Result<Content> {
        self.read_whole_to(path, growth, WHOLE_BYTES_MAX)
    }

    /// As [`Tree::read`], but a file of more than so many bytes is not read whole.
    ///
    /// # Errors
    /// As [`Tree::read`].
    pub fn read_whole_to(&self, path: &str, growth: Growth, bytes_max: u64) -> Result<Content> {
        for _ in 0..ATTEMPTS_MAX {
            let (mut file, before) = self.open_file(path)?;
            if before.size_bytes > bytes_max {
                let left = before.size_bytes;
                return Ok(Content::Large(LargeFile { file, path: self.quoted(path), before, growth, left }));
            }
            let mut bytes = Vec::with_capacity(before.size_bytes as usize);
            let read =
                (&mut file).take(before.size_bytes).read_to_end(&mut bytes).could_not(READ, self.quoted(path))?;
            let is_whole = read as u64 == before.size_bytes;
            // By its name as well: it may have been replaced.
            if is_whole && is_unchanged(&file, &before, growth)? && self.is_still(path, &before, growth)? {
                return Ok(Content::Whole(bytes, before));
            }
        }
        Err(changing(&self.quoted(path)))
    }

    fn is_still(&self, path: &str, before: &Stat, growth: Growth) -> Result<bool> {
        Ok(self.stat(path)?.is_some_and(|now| match growth {
            Growth::Refused => now == *before,
            Growth::Allowed => (now.device, now.inode) == (before.device, before.inode),
        }))
    }

    /// Opens a file for reading.
    ///
    /// # Errors
    /// When it cannot be opened, or is no file.
    pub fn open_file(&self, path: &str) -> Result<(File, Stat)> {
        let (directory, name) = split(path);
        // NONBLOCK: a FIFO that took the file's place would wait for a writer.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = self
            .directory(directory)
            .and_then(|directory| Ok(fs::openat(&directory, name, flags, Mode::empty())?))
            .map_err(|error| self.unreadable(path, error))?;
        let status = fs::fstat(&opened).map_err(io::Error::from).could_not(READ, self.quoted(path))?;
        match FileType::from_raw_mode(status.st_mode) {
            FileType::RegularFile => Ok((File::from(opened), Stat::of(&status))),
            other => Err(Error::could_not(READ, self.quoted(path), foreign(other))),
        }
    }

    /// Opens a directory name by name.
    pub(super) fn directory(&self, path: &str) -> io::Result<Arc<OwnedFd>> {
        let mut near = self.near.lock().unwrap_or_else(PoisonError::into_inner);
        if near.0 == path {
            return Ok(Arc::clone(&near.1));
        }
        let mut directory = Arc::clone(&self.root);
        for name in path.split('/').filter(|name| !name.is_empty()) {
            directory = Arc::new(fs::openat(&directory, name, DIRECTORY, Mode::empty())?);
        }
        *near = (path.to_owned(), Arc::clone(&directory));
        Ok(directory)
    }

    /// Whoever reads a file of that directory next finds it open.
    fn remember(&self, path: &str, directory: &Arc<OwnedFd>) {
        let mut near = self.near.lock().unwrap_or_else(PoisonError::into_inner);
        if near.0 != path {
            *near = (path.to_owned(), Arc::clone(directory));
        }
    }

    pub(super) fn quoted(&self, path: &str) -> String {
        quoted(&self.path.join(path))
    }

    fn unreadable(&self, path: &str, error: io::Error) -> Error {
        let told = Error::could_not(READ, self.quoted(path), &error);
        match Errno::from_io_error(&error) {
            Some(Errno::ACCESS | Errno::PERM) => told.hint(
                "this user needs permission to read it; what does not belong to the data can be named under `ignore`",
            ),
            Some(Errno::LOOP) => {
                told.hint("it has become a symbolic link meanwhile; run again when nobody changes the tree")
            }
            _ => told,
        }
    }
}

struct Walk<'w, 's> {
    tree: &'w Tree,
    ignored: &'w dyn Fn(&str) -> bool,
    seen: &'w mut (dyn FnMut(&str, Result<Seen<'_>>) -> Result<()> + 's),
}

impl Walk<'_, '_> {
    fn directory(&mut self, directory: &Arc<OwnedFd>, path: &str, depth: usize) -> Result<()> {
        let names = match self.names(directory, path, depth) {
            Ok(names) => names,
            Err((at, error)) => return (self.seen)(&at, Err(error)),
        };
        let mut folded_names: HashMap<String, usize> = HashMap::new();
        for (place, name) in names.iter().enumerate() {
            let at = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            if (self.ignored)(&at) {
                (self.seen)(&at, Ok(Seen::Ignored(&at)))?;
                continue;
            }
            let other = folded_names.insert(folded(name), place).map(|other| names[other].as_str());
            let entry = match self.entry(directory, name, &at, other) {
                Ok(entry) => entry,
                Err(error) => {
                    (self.seen)(&at, Err(error))?;
                    continue;
                }
            };
            self.tree.remember(path, directory);
            (self.seen)(&at, Ok(Seen::Entry(&entry)))?;
            if entry.kind == EntryKind::Directory {
                match self.open(directory, name, &entry) {
                    Ok(opened) => self.directory(&Arc::new(opened), &at, depth + 1)?,
                    Err(error) => (self.seen)(&at, Err(error))?,
                }
            }
        }
        Ok(())
    }

    /// What is at a name; `other` is one beside it that some file systems take for the same.
    fn entry(&self, directory: &OwnedFd, name: &str, at: &str, other: Option<&str>) -> Result<Entry> {
        if let Some(other) = other {
            let cause = format!("`{other}` beside it is the same name where case is folded or names are normalised");
            return Err(Error::could_not(READ, self.tree.quoted(at), cause)
                .hint("rename one of the two, or name one under `ignore`"));
        }
        let status = status_of(directory.as_fd(), name).map_err(|error| match error {
            Errno::NOENT => changing(&self.tree.quoted(at)),
            other => self.tree.unreadable(at, other.into()),
        })?;
        let kind = match FileType::from_raw_mode(status.st_mode) {
            FileType::Directory => EntryKind::Directory,
            FileType::RegularFile => EntryKind::File,
            FileType::Symlink => EntryKind::Link { leads_to: self.link(directory, name, at)? },
            other => {
                return Err(Error::could_not(READ, self.tree.quoted(at), foreign(other))
                    .hint("a tree has files, directories and links; name it under `ignore`, or remove it"));
            }
        };
        Ok(Entry {
            path: at.to_owned(),
            kind,
            mode: status.st_mode & 0o7777,
            owner: (status.st_uid, status.st_gid),
            stat: Stat::of(&status),
        })
    }

    /// A directory that was found, and no other one.
    fn open(&self, directory: &OwnedFd, name: &str, entry: &Entry) -> Result<OwnedFd> {
        let opened = fs::openat(directory, name, DIRECTORY, Mode::empty())
            .map_err(|error| self.tree.unreadable(&entry.path, error.into()))?;
        let now = fs::fstat(&opened).map_err(io::Error::from).could_not(READ, self.tree.quoted(&entry.path))?;
        match (now.st_dev, now.st_ino) == (entry.stat.device, entry.stat.inode) {
            true => Ok(opened),
            false => Err(changing(&self.tree.quoted(&entry.path))),
        }
    }

    /// The names in a directory, in order; listed again where the directory changed meanwhile.
    fn names(
        &self,
        directory: &OwnedFd,
        path: &str,
        depth: usize,
    ) -> std::result::Result<Vec<String>, (String, Error)> {
        let failed = |error: Error| (path.to_owned(), error);
        if depth > DEPTH_MAX {
            let cause = format!("directories are nested more than {DEPTH_MAX} deep");
            return Err(failed(Error::could_not(READ, self.tree.quoted(path), cause)));
        }
        let told = |error: Errno| failed(self.tree.unreadable(path, error.into()));
        for _ in 0..ATTEMPTS_MAX {
            let before = Stat::of(&fs::fstat(directory).map_err(told)?);
            let mut names = Vec::new();
            for found in Dir::read_from(directory).map_err(told)? {
                let found = found.map_err(told)?;
                let name = found.file_name().to_bytes();
                if name == b"." || name == b".." || (path.is_empty() && name.starts_with(OWN_PREFIX.as_bytes())) {
                    continue;
                }
                let Ok(text) = std::str::from_utf8(name) else {
                    let at = Path::new(path).join(OsStr::from_bytes(name));
                    let cause = "its name is not UTF-8, and no row could hold it";
                    let error = Error::could_not(READ, format!("`{}`", shown(&self.tree.path.join(&at))), cause)
                        .hint("rename it, or move it out of the tree");
                    return Err((shown(&at), error));
                };
                names.push(text.to_owned());
            }
            if Stat::of(&fs::fstat(directory).map_err(told)?) == before {
                names.sort_unstable();
                return Ok(names);
            }
        }
        Err(failed(changing(&self.tree.quoted(path))))
    }

    fn link(&self, directory: &OwnedFd, name: &str, path: &str) -> Result<String> {
        let told = |error: Errno| self.tree.unreadable(path, error.into());
        let leads_to: CString = fs::readlinkat(directory, name, Vec::new()).map_err(told)?;
        let refused = |cause: String| {
            Error::could_not(READ, self.tree.quoted(path), cause).hint(
                "a link of a tree leads to a place in it; name it under `ignore`, or replace it by what it leads to",
            )
        };
        let Ok(leads_to) = leads_to.into_string() else {
            return Err(refused("what the symbolic link says is not UTF-8".to_owned()));
        };
        if !leads_inside(path, &leads_to) {
            return Err(refused(format!("the symbolic link leads out of the tree, to `{leads_to}`")));
        }
        // Links on the way may lead elsewhere than the text says: the kernel goes that way, and does not leave the root.
        let flags = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        match fs::openat2(&self.tree.root, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), flags) {
            Err(Errno::XDEV) => {
                Err(refused(format!("the symbolic link leads out of the tree, by way of `{leads_to}`")))
            }
            Err(Errno::LOOP) => Err(refused(format!("the symbolic link to `{leads_to}` leads in a circle"))),
            // One that leads to nothing is an entry as well, and whether somebody may go there is not asked here.
            _ => Ok(leads_to),
        }
    }
}

fn status_of(directory: BorrowedFd<'_>, name: &str) -> rustix::io::Result<fs::Stat> {
    match name {
        "" => fs::fstat(directory),
        name => fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW),
    }
}

fn is_unchanged(file: &File, before: &Stat, growth: Growth) -> Result<bool> {
    let now = Stat::of(&fs::fstat(file).map_err(io::Error::from).could_not("inspect", "a file that is open")?);
    Ok(match growth {
        Growth::Refused => now == *before,
        Growth::Allowed => now.size_bytes >= before.size_bytes,
    })
}

fn changing(object: &str) -> Error {
    let cause = format!("it was changed while it was read, {ATTEMPTS_MAX} times");
    Error::could_not(READ, object, cause).hint("run again when nobody writes to the tree")
}

/// A file that is read as a stream, to the length that it had when it was opened.
#[derive(Debug)]
pub struct LargeFile {
    file: File,
    path: String,
    before: Stat,
    growth: Growth,
    left: u64,
}

impl LargeFile {
    /// What it was when it was opened.
    pub fn stat(&self) -> &Stat {
        &self.before
    }

    /// The same bytes for others, whatever of them was read here.
    ///
    /// # Errors
    /// When there are too many open files.
    pub fn bytes(&self) -> io::Result<FileBytes> {
        Ok(FileBytes::new(self.file.try_clone()?, self.before.size_bytes))
    }

    /// Everything was read: whether it is what it was when it was opened.
    ///
    /// # Errors
    /// When it is not; what was read may be nothing that the file ever was.
    pub fn finish(&self) -> Result<()> {
        if self.left == 0 && is_unchanged(&self.file, &self.before, self.growth)? {
            return Ok(());
        }
        let cause = "it was changed while it was read, and it is too large to be read again";
        Err(Error::could_not(READ, &self.path, cause).hint("run again when nobody writes to it"))
    }
}

impl Read for LargeFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self.file.read(&mut buffer[..room])?;
        self.left -= read as u64;
        Ok(read)
    }
}
