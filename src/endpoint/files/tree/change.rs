//! Every call that changes a file, a name or a directory: so that a test can end the process before each of them.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{self, AtFlags, Mode, OFlags, RenameFlags, Timespec, Timestamps};
use rustix::io::Result;
use rustix::path::Arg;
use std::io::{self, Write};

/// Called before each.
#[inline]
fn before() {
    #[cfg(test)]
    super::tests::killed::step();
}

/// Creates a file that nobody else sees until it is complete.
pub fn create(directory: BorrowedFd<'_>, name: impl Arg) -> Result<OwnedFd> {
    before();
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    fs::openat(directory, name, flags, Mode::RUSR | Mode::WUSR)
}

/// Creates a directory that only its owner may enter.
pub fn create_directory(directory: BorrowedFd<'_>, name: impl Arg) -> Result<()> {
    before();
    fs::mkdirat(directory, name, Mode::RWXU)
}

pub fn create_link(directory: BorrowedFd<'_>, name: impl Arg, leads_to: impl Arg) -> Result<()> {
    before();
    fs::symlinkat(leads_to, directory, name)
}

/// Another name of the same file.
pub fn add_name(from: BorrowedFd<'_>, name: impl Arg, to: BorrowedFd<'_>, new_name: impl Arg) -> Result<()> {
    before();
    fs::linkat(from, name, to, new_name, AtFlags::empty())
}

pub fn rename(
    from: BorrowedFd<'_>,
    name: impl Arg,
    to: BorrowedFd<'_>,
    new_name: impl Arg,
    flags: RenameFlags,
) -> Result<()> {
    before();
    fs::renameat_with(from, name, to, new_name, flags)
}

pub fn remove(directory: BorrowedFd<'_>, name: impl Arg) -> Result<()> {
    before();
    fs::unlinkat(directory, name, AtFlags::empty())
}

pub fn remove_directory(directory: BorrowedFd<'_>, name: impl Arg) -> Result<()> {
    before();
    fs::unlinkat(directory, name, AtFlags::REMOVEDIR)
}

pub fn set_mode(file: BorrowedFd<'_>, mode: u32) -> Result<()> {
    before();
    fs::fchmod(file, Mode::from_raw_mode(mode & 0o7777))
}

pub fn set_owner(file: BorrowedFd<'_>, owner: (u32, u32)) -> Result<()> {
    before();
    fs::fchown(file, Some(rustix::fs::Uid::from_raw(owner.0)), Some(rustix::fs::Gid::from_raw(owner.1)))
}

/// Sets the time of the last change, in nanoseconds since 1970.
pub fn set_modified(file: BorrowedFd<'_>, modified_ns: i64) -> Result<()> {
    before();
    let time =
        Timespec { tv_sec: modified_ns.div_euclid(1_000_000_000), tv_nsec: modified_ns.rem_euclid(1_000_000_000) };
    fs::futimens(file, &Timestamps { last_access: time, last_modification: time })
}

/// Everything of the file system that the file is on goes to the disk.
pub fn sync_all(file: BorrowedFd<'_>) -> Result<()> {
    before();
    fs::syncfs(file)
}

/// A file, or the names of a directory, go to the disk.
pub fn sync(file: BorrowedFd<'_>) -> Result<()> {
    before();
    fs::fsync(file)
}

/// A file that is being written.
#[derive(Debug)]
pub struct Written(pub std::fs::File);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        before();
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for Written {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
