//! A directory that belongs to one run: where a tree is made before anybody sees it.
//!
//! Only its owner may enter it. It is locked for as long as the run lives; the kernel drops the lock with the process, so a later
//! run knows what was left behind, and removes it. Dropped, it is removed with everything in it.

use super::change;
use super::walk::Tree;
use crate::endpoint::sqlite::file::quoted;
use crate::endpoint::sqlite::staging::random;
use crate::error::{Error, Result};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{self, AtFlags, Dir, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::path::Arg;
use std::ffi::CString;
use std::io;
use std::path::{Path, PathBuf};

const SUFFIX: &str = ".tmp";

/// The directory.
#[derive(Debug)]
pub struct Secret {
    parent: OwnedFd,
    name: String,
    /// Open and locked.
    directory: OwnedFd,
    path: PathBuf,
    stays: bool,
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Secret {
    /// Makes one in `parent`, whose name begins with `prefix`.
    pub fn create(parent: &OwnedFd, parent_path: &Path, prefix: &str) -> io::Result<Secret> {
        const ATTEMPTS_MAX: usize = 20;
        for _ in 0..ATTEMPTS_MAX {
            let name = format!("{prefix}{}-{:016x}{SUFFIX}", std::process::id(), random());
            match change::create_directory(parent.as_fd(), &name) {
                Err(Errno::EXIST) => continue,
                made => made?,
            }
            // Another run that cleans up may have taken it before it was locked.
            if let Some(directory) = take(parent.as_fd(), &name)? {
                let path = parent_path.join(&name);
                return Ok(Secret { parent: parent.try_clone()?, name, directory, path, stays: false });
            }
        }
        Err(io::Error::other("every attempt was taken by another run"))
    }

    pub fn directory(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    pub fn parent(&self) -> &OwnedFd {
        &self.parent
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// It has another name now, and is no secret any more.
    pub fn keep(mut self) {
        self.stays = true;
    }

    /// Removes what has its name now, which need not be what was made.
    pub fn remove(mut self) -> io::Result<()> {
        self.stays = true;
        Ok(remove_tree(self.parent.as_fd(), &self.name)?)
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        if !self.stays {
            // What cannot be removed is removed by the next run.
            let _ = remove_tree(self.parent.as_fd(), &self.name);
        }
    }
}

/// A directory, open and locked, if nobody else has it and it still has its name.
fn take(parent: BorrowedFd<'_>, name: &str) -> rustix::io::Result<Option<OwnedFd>> {
    let directory = match fs::openat(parent, name, DIRECTORY, Mode::empty()) {
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
        opened => opened?,
    };
    match fs::flock(&directory, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => return Ok(None),
        // Some network file systems lock no directories.
        Err(Errno::NOLCK | Errno::OPNOTSUPP | Errno::BADF) => {}
        locked => locked?,
    }
    let opened = fs::fstat(&directory)?;
    let named = match fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(None),
        named => named?,
    };
    Ok(((opened.st_dev, opened.st_ino) == (named.st_dev, named.st_ino)).then_some(directory))
}

/// Removes what killed runs left in `parent`: directories of that prefix which nobody holds.
///
/// # Errors
/// When the directory cannot be listed.
pub fn remove_left_overs(parent: &OwnedFd, parent_path: &Path, prefix: &str) -> Result<()> {
    let told = |error: Errno| Error::could_not("list", quoted(parent_path), io::Error::from(error));
    for found in names(parent).map_err(told)? {
        let Ok(name) = found.to_str() else { continue };
        if !is_secret(name, prefix) {
            continue;
        }
        if let Ok(Some(_held)) = take(parent.as_fd(), name) {
            let _ = remove_tree(parent.as_fd(), name);
        }
    }
    Ok(())
}

/// Whether that is a name as [`Secret::create`] gives it.
pub fn is_secret(name: &str, prefix: &str) -> bool {
    let Some(numbers) = name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(SUFFIX)) else { return false };
    numbers.split_once('-').is_some_and(|(process, random)| {
        let is_number = !process.is_empty() && process.bytes().all(|byte| byte.is_ascii_digit());
        is_number && random.len() == 16 && random.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// Removes a directory with everything in it, or what else has the name; follows no link.
pub fn remove_tree<P: Arg + Copy>(parent: BorrowedFd<'_>, name: P) -> rustix::io::Result<()> {
    let directory = match fs::openat(parent, name, DIRECTORY, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(()),
        Err(Errno::NOTDIR | Errno::LOOP) => return change::remove(parent, name),
        // One that even its owner may not read: its owner can say otherwise.
        Err(Errno::ACCESS) => {
            fs::chmodat(parent, name, Mode::RWXU, AtFlags::empty())?;
            fs::openat(parent, name, DIRECTORY, Mode::empty())?
        }
        opened => opened?,
    };
    if fs::fstat(&directory)?.st_mode & 0o700 != 0o700 {
        change::set_mode(directory.as_fd(), 0o700)?;
    }
    for inner in names(&directory)? {
        remove_tree(directory.as_fd(), inner.as_c_str())?;
    }
    match change::remove_directory(parent, name) {
        Err(Errno::NOENT) => Ok(()),
        done => done,
    }
}

/// The names in a directory, in no order.
pub fn names(directory: &OwnedFd) -> rustix::io::Result<Vec<CString>> {
    let mut names = Vec::new();
    for found in Dir::read_from(directory)? {
        let found = found?;
        if !matches!(found.file_name().to_bytes(), b"." | b"..") {
            names.push(found.file_name().to_owned());
        }
    }
    Ok(names)
}

/// A second descriptor of a directory, as a tree.
pub fn as_tree(directory: BorrowedFd<'_>, path: &Path) -> io::Result<Tree> {
    Ok(Tree::of(fs::openat(directory, ".", DIRECTORY, Mode::empty())?, path))
}
