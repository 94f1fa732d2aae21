//! One file of a tree that stays where it is: made in secret, synced, and put in its place by one rename.
//!
//! Several files at once need a [`super::journal`]. Of one, the rename is the whole step: who is killed before it leaves nothing but the
//! secret, which the next run removes, and the file is the old one or the new one at any time.

use super::change;
use super::draft::DIRECTORY_MODE;
use super::entry::{self, OWN_PREFIX, Stat, split};
use super::journal::{NewFile, cannot_write, hold, open_directory, owner_of};
use super::secret::Secret;
use super::walk::Tree;
use crate::error::{Error, Result};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{self, RenameFlags};
use rustix::io::Errno;
use std::io;

const MADE: &str = "made";

/// Puts a file in its place, with the directories above it; `expected` is what is there now. It is on the disk when this returns.
///
/// # Errors
/// When something else is there, or the disk does not take it: then nothing was changed.
pub fn put(tree: &Tree, path: &str, bytes: &[u8], mode: u32, expected: Option<&Stat>) -> Result<()> {
    checked(tree, path)?;
    let told = |error: io::Error| cannot_write(&tree.quoted(path), error);
    let parent = tree.root().try_clone_to_owned().map_err(told)?;
    let owner = owner_of(&fs::fstat(tree.root()).map_err(io::Error::from).map_err(told)?);
    let secret = Secret::create(&parent, tree.path(), OWN_PREFIX).map_err(told)?;
    NewFile::create(secret.directory(), MADE, tree.quoted(path), mode, None, owner)?.fill_synced(bytes)?;
    let _held = hold(tree.root(), tree.path())?;
    let directory = directory(tree, split(path).0).map_err(told)?;
    ensure_as_it_was(tree, path, expected)?;
    let rename = || -> io::Result<()> {
        change::rename(secret.directory(), MADE, directory.as_fd(), split(path).1, RenameFlags::empty())?;
        Ok(change::sync(directory.as_fd())?)
    };
    rename().map_err(told)
}

/// Removes a file; `expected` is what is there now.
///
/// # Errors
/// When something else is there, or it cannot be removed.
pub fn remove(tree: &Tree, path: &str, expected: &Stat) -> Result<()> {
    checked(tree, path)?;
    let told = |error: io::Error| cannot_write(&tree.quoted(path), error);
    let _held = hold(tree.root(), tree.path())?;
    ensure_as_it_was(tree, path, Some(expected))?;
    let remove = || -> io::Result<()> {
        let (above, name) = split(path);
        let directory = tree.directory(above)?;
        change::remove(directory.as_fd(), name)?;
        Ok(change::sync(directory.as_fd())?)
    };
    remove().map_err(told)
}

fn checked(tree: &Tree, path: &str) -> Result<()> {
    entry::check(path).map_err(|fault| Error::could_not("write", tree.quoted(path), fault))
}

fn ensure_as_it_was(tree: &Tree, path: &str, expected: Option<&Stat>) -> Result<()> {
    match tree.stat(path)?.as_ref() == expected {
        true => Ok(()),
        false => Err(Error::could_not("write", tree.quoted(path), "another program has changed it since it was read")
            .hint("nothing was changed; try again, so that its change is seen")),
    }
}

/// The directory at a path, made where it is not there.
fn directory(tree: &Tree, path: &str) -> io::Result<OwnedFd> {
    let mut directory = tree.root().try_clone_to_owned()?;
    for name in path.split('/').filter(|name| !name.is_empty()) {
        directory = match open_directory(directory.as_fd(), name) {
            Err(Errno::NOENT) => {
                match change::create_directory(directory.as_fd(), name) {
                    Err(Errno::EXIST) => {}
                    made => made?,
                }
                let new = open_directory(directory.as_fd(), name)?;
                change::set_mode(new.as_fd(), DIRECTORY_MODE)?;
                change::sync(directory.as_fd())?;
                new
            }
            opened => opened?,
        };
    }
    Ok(directory)
}
