//! Changes to a tree that stays where it is: complete on paper first, then done, and done to the end by whoever comes next.
//!
//! 1. New files and directories are made in a secret folder inside the root, where nobody looks, and synced.
//! 2. What is to be done is written down beside them, synced, and gets its name, `.whimbrel-journal`, by one rename. Until then
//!    the tree is what it was, and a killed run leaves nothing but the secret; from then on the tree is the new one, and a killed
//!    run leaves the journal.
//! 3. Step by step: each can be done again, from whatever point it was left at.
//! 4. All of it is synced, and the journal is removed.
//!
//! What is to be changed has to be what it was when it was read: that is looked at last before the journal gets its name. The
//! root is locked from there to the end, so that one run at a time reads, writes or does a journal.
//!
//! A journal that is done later finds what it was written for, or leaves it: what another program has put in its place meanwhile stays.
//!
//! Invariant: a journal is obeyed only where this user has written it, and every path in it is one of the tree.

use super::append::{End, append};
use super::change::{self, Written};
use super::entry::{self, OWN_PREFIX, Stat, split};
use super::secret::{Secret, as_tree, is_secret, names, remove_left_overs, remove_tree};
use super::walk::Tree;
use crate::endpoint::sqlite::file::quoted;
use crate::error::{Context, Error, Result};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{self, Access, AtFlags, FileType, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

const JOURNAL: &str = ".whimbrel-journal";
const FORMAT: u32 = 1;
/// Where new things are in the secret, and where old ones go.
const NEW: &str = "new";
const OLD: &str = "old";
/// How long a run waits for another one that does its journal.
const PATIENCE: Duration = Duration::from_secs(30);
/// A journal that is longer was not written by this program.
const JOURNAL_BYTES_MAX: u64 = 1 << 30;

const CHANGE: &str = "change the tree";

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Step {
    /// What was made takes its place, and whatever was there goes.
    Put {
        path: String,
        made: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        was: Option<Was>,
    },
    /// What was made comes to the end of a file, which stays the same one.
    Append { path: String, made: String, end: End },
    /// What is there goes.
    Remove {
        path: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        was: Option<Was>,
    },
    /// A directory is there, with these permissions.
    Directory { path: String, mode: u32 },
    /// A directory goes if it is empty.
    RemoveEmpty { path: String },
    /// The root has these permissions.
    Root { mode: u32 },
}

/// What was at a path when the journal was written. Where something else is there when the journal is done, another program has put it
/// there, and it stays: who reads both later sees that it was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Was {
    /// Nothing.
    Nothing,
    /// Something of this state, in hexadecimal.
    State(String),
}

impl Was {
    fn of(expected: Option<&Stat>) -> Was {
        expected.map_or(Was::Nothing, |stat| {
            Was::State(
                stat.to_bytes().iter().fold(String::with_capacity(80), |text, byte| text + &format!("{byte:02x}")),
            )
        })
    }

    /// Whether the same is at a name now.
    fn is_still(&self, directory: BorrowedFd<'_>, name: &str) -> io::Result<bool> {
        let now = match fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            // A directory has another state when something in it has changed, as by an earlier step.
            Ok(status) if FileType::from_raw_mode(status.st_mode) == FileType::Directory => return Ok(true),
            Ok(status) => Some(Stat::of(&status)),
            Err(Errno::NOENT) => None,
            Err(error) => return Err(error.into()),
        };
        Ok(*self == Was::of(now.as_ref()))
    }
}

impl Step {
    fn path(&self) -> Option<&str> {
        match self {
            Step::Put { path, .. }
            | Step::Append { path, .. }
            | Step::Remove { path, .. }
            | Step::Directory { path, .. }
            | Step::RemoveEmpty { path } => Some(path),
            Step::Root { .. } => None,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Journal {
    format: u32,
    secret: String,
    steps: Vec<Step>,
}

/// A new file while its bytes come.
#[derive(Debug)]
pub struct NewFile {
    file: Written,
    shown: String,
    mode: u32,
    modified_ns: Option<i64>,
    owner: Option<(u32, u32)>,
}

impl NewFile {
    pub(super) fn create(
        directory: BorrowedFd<'_>,
        name: &str,
        shown: String,
        mode: u32,
        modified_ns: Option<i64>,
        owner: Option<(u32, u32)>,
    ) -> Result<NewFile> {
        let file = change::create(directory, name).map_err(|error| cannot_write(&shown, error.into()))?;
        Ok(NewFile { file: Written(File::from(file)), shown, mode, modified_ns, owner })
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn fill(mut self, bytes: &[u8]) -> Result<()> {
        self.write_all(bytes).map_err(|error| cannot_write(&self.shown, error))?;
        self.finish()
    }

    /// Writes all of it; it is on the disk when this returns.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn fill_synced(mut self, bytes: &[u8]) -> Result<()> {
        self.write_all(bytes).map_err(|error| cannot_write(&self.shown, error))?;
        self.give_attributes()?;
        change::sync(self.file.as_fd()).map_err(|error| cannot_write(&self.shown, error.into()))
    }

    /// The last byte was written: gives it permissions and time.
    ///
    /// # Errors
    /// When they cannot be set.
    pub fn finish(self) -> Result<()> {
        self.give_attributes()
    }

    fn give_attributes(&self) -> Result<()> {
        let file = self.file.as_fd();
        let mut done = self.owner.map_or(Ok(()), |owner| change::set_owner(file, owner));
        done = done.and_then(|()| change::set_mode(file, self.mode));
        done = done.and_then(|()| self.modified_ns.map_or(Ok(()), |time| change::set_modified(file, time)));
        done.map_err(|error| cannot_write(&self.shown, error.into()))
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Says for people why something cannot be written.
pub(in super::super) fn cannot_write(object: &str, error: io::Error) -> Error {
    let told = Error::could_not("write", object, &error);
    match Errno::from_io_error(&error) {
        Some(Errno::NOSPC | Errno::DQUOT) => told.hint("free space on that disk; the tree is what it was"),
        Some(Errno::ROFS) => told.hint("that file system is mounted read-only; choose another directory"),
        Some(Errno::ACCESS | Errno::PERM) => told.hint("this user needs permission to write that directory"),
        Some(Errno::EXIST) => {
            told.hint("two names are one on this file system; choose one that keeps case, or rename one of the two")
        }
        Some(Errno::NAMETOOLONG) => told.hint("a name has at most 255 bytes"),
        _ => told,
    }
}

/// Changes to be made in one step.
#[derive(Debug)]
pub struct Changes {
    tree: Tree,
    secret: Secret,
    made: OwnedFd,
    steps: Vec<Step>,
    expected: Vec<(String, Option<Stat>)>,
    owner: Option<(u32, u32)>,
}

impl Changes {
    /// Begins with none. An older journal is done to its end, and what killed runs left is removed.
    ///
    /// # Errors
    /// When the root cannot be written.
    pub fn begin(root: &Path) -> Result<Changes> {
        recover(root)?;
        let tree = Tree::open(root)?;
        let told = |error: io::Error| cannot_write(&quoted(root), error);
        let parent = tree.root().try_clone_to_owned().map_err(told)?;
        let secret = Secret::create(&parent, root, OWN_PREFIX).map_err(told)?;
        let make = || -> io::Result<OwnedFd> {
            change::create_directory(secret.directory(), NEW)?;
            change::create_directory(secret.directory(), OLD)?;
            Ok(open_directory(secret.directory(), NEW)?)
        };
        let made = make().map_err(told)?;
        let owner = owner_of(&fs::fstat(tree.root()).map_err(io::Error::from).map_err(told)?);
        Ok(Changes { tree, secret, made, steps: Vec::new(), expected: Vec::new(), owner })
    }

    /// A file that is to be at `path`; `expected` is what is there now.
    ///
    /// # Errors
    /// When it cannot be made, or the path is none.
    pub fn file(&mut self, path: &str, mode: u32, modified_ns: Option<i64>, expected: Option<Stat>) -> Result<NewFile> {
        let made = self.put(path, expected)?;
        NewFile::create(self.made.as_fd(), &made, self.tree.quoted(path), mode, modified_ns, self.owner)
    }

    /// Bytes that are to come to the end of the file at `path`, which stays the same one; `expected` is what it is now.
    ///
    /// # Errors
    /// When they cannot be made, or the file cannot be written to.
    pub fn append(&mut self, path: &str, bytes: &[u8], expected: Stat) -> Result<()> {
        checked(&self.tree, path)?;
        let (above, name) = split(path);
        // Once the journal has its name, it has to be possible.
        let may = self.tree.directory(above).and_then(|directory| {
            Ok(fs::accessat(&directory, name, Access::WRITE_OK, AtFlags::EACCESS | AtFlags::SYMLINK_NOFOLLOW)?)
        });
        may.map_err(|error| cannot_write(&self.tree.quoted(path), error))?;
        let made = self.steps.len().to_string();
        let end = (expected.device, expected.inode, expected.size_bytes);
        self.steps.push(Step::Append { path: path.to_owned(), made: made.clone(), end });
        self.expected.push((path.to_owned(), Some(expected)));
        NewFile::create(self.made.as_fd(), &made, self.tree.quoted(path), 0o600, None, None)?.fill(bytes)
    }

    /// A link that is to be at `path`.
    ///
    /// # Errors
    /// When it cannot be made, or the path is none.
    pub fn link(&mut self, path: &str, leads_to: &str, expected: Option<Stat>) -> Result<()> {
        let made = self.put(path, expected)?;
        change::create_link(self.made.as_fd(), made.as_str(), leads_to)
            .map_err(|error| cannot_write(&self.tree.quoted(path), error.into()))
    }

    fn put(&mut self, path: &str, expected: Option<Stat>) -> Result<String> {
        checked(&self.tree, path)?;
        let made = self.steps.len().to_string();
        let was = Some(Was::of(expected.as_ref()));
        self.steps.push(Step::Put { path: path.to_owned(), made: made.clone(), was });
        self.expected.push((path.to_owned(), expected));
        Ok(made)
    }

    /// A directory that is to be at `path`, above what is put into it.
    ///
    /// # Errors
    /// When the path is none.
    pub fn directory(&mut self, path: &str, mode: u32) -> Result<()> {
        checked(&self.tree, path)?;
        self.steps.push(Step::Directory { path: path.to_owned(), mode });
        Ok(())
    }

    /// What is at `path` goes; `expected` is what it is now.
    ///
    /// # Errors
    /// When the path is none.
    pub fn remove(&mut self, path: &str, expected: Stat) -> Result<()> {
        checked(&self.tree, path)?;
        self.steps.push(Step::Remove { path: path.to_owned(), was: Some(Was::of(Some(&expected))) });
        self.expected.push((path.to_owned(), Some(expected)));
        Ok(())
    }

    /// The directory at `path` goes where nothing is left in it.
    ///
    /// # Errors
    /// When the path is none.
    pub fn remove_if_empty(&mut self, path: &str) -> Result<()> {
        checked(&self.tree, path)?;
        self.steps.push(Step::RemoveEmpty { path: path.to_owned() });
        Ok(())
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Makes the changes, all of them or none.
    ///
    /// # Errors
    /// When something is not what it was expected to be, or the disk does not take it: then nothing was changed. Where a step
    /// fails once the journal has its name, the error says so; the next run goes on.
    pub fn commit(self) -> Result<(), NotPublished> {
        if self.steps.is_empty() {
            return Ok(());
        }
        let _held = hold(self.tree.root(), self.tree.path()).map_err(NotPublished::before)?;
        self.seal().map_err(NotPublished::before)?;
        let Changes { tree, secret, steps, .. } = self;
        commit(&tree, secret, steps)
    }
}

impl Changes {
    /// What was made is on the disk, and what is to go is what it was.
    fn seal(&self) -> Result<()> {
        change::sync_all(self.made.as_fd()).map_err(|error| cannot_write(&quoted(self.tree.path()), error.into()))?;
        // Once the journal has its name, every step of it has to be possible.
        let mut made: HashSet<&str> = HashSet::new();
        for step in &self.steps {
            let Some(path) = step.path() else { continue };
            if !made.contains(split(path).0) {
                self.ensure_writable(path)?;
            }
            if let Step::Directory { path, .. } = step {
                let is_other =
                    |directory: Arc<OwnedFd>| Ok(kind(directory.as_fd(), split(path).1)? != Some(FileType::Directory));
                let there = self.tree.stat(path)?.is_some();
                if there
                    && self
                        .tree
                        .directory(split(path).0)
                        .and_then(is_other)
                        .could_not(CHANGE, self.tree.quoted(path))?
                {
                    return Err(Error::could_not(
                        CHANGE,
                        self.tree.quoted(path),
                        "it is no directory, and one has to be there",
                    ));
                }
                made.insert(path);
            }
        }
        for (path, expected) in &self.expected {
            if self.tree.stat(path)? != *expected {
                let cause = "another program has changed it since it was read";
                return Err(Error::could_not(CHANGE, self.tree.quoted(path), cause)
                    .hint("nothing was changed; run again, so that its change is seen"));
            }
        }
        Ok(())
    }
}

impl Changes {
    /// The directory that a path is in is there, and may be changed.
    fn ensure_writable(&self, path: &str) -> Result<()> {
        let above = split(path).0;
        let may = self.tree.directory(above).and_then(|directory| {
            let access = Access::WRITE_OK | Access::EXEC_OK;
            Ok(fs::accessat(&directory, ".", access, AtFlags::EACCESS)?)
        });
        may.map_err(|error| cannot_write(&self.tree.quoted(above), error))
    }
}

fn checked(tree: &Tree, path: &str) -> Result<()> {
    entry::check(path).map_err(|fault| Error::could_not("write", tree.quoted(path), fault))
}

/// Why changes, or a whole tree, have not taken their place.
#[derive(Debug)]
pub struct NotPublished {
    /// What happened.
    pub error: Error,
    /// Whether the old tree is no longer whole in its place: the next run goes on, or somebody has to look. Its backup is needed.
    pub is_begun: bool,
}

impl NotPublished {
    /// Nothing was changed.
    pub(super) fn before(error: Error) -> Self {
        NotPublished { error, is_begun: false }
    }
}

/// Writes the journal of a secret whose things are made and synced, and does it. The root is locked.
pub(super) fn commit(tree: &Tree, secret: Secret, steps: Vec<Step>) -> Result<(), NotPublished> {
    let journal = Journal { format: FORMAT, secret: secret.name().to_owned(), steps };
    let write = || -> io::Result<OwnedFd> {
        let directory = fs::openat(secret.directory(), ".", DIRECTORY, Mode::empty())?;
        let mut file = Written(File::from(change::create(secret.directory(), JOURNAL)?));
        file.write_all(&serde_json::to_vec(&journal)?)?;
        change::sync(file.as_fd())?;
        change::sync(secret.directory())?;
        change::rename(secret.directory(), JOURNAL, tree.root(), JOURNAL, RenameFlags::NOREPLACE)?;
        Ok(directory)
    };
    let directory = write().map_err(|error| NotPublished::before(cannot_write(&quoted(tree.path()), error)))?;
    // From here on it is not taken back: the next run would do it.
    let done = change::sync(tree.root())
        .map_err(io::Error::from)
        .could_not(CHANGE, quoted(tree.path()))
        .and_then(|()| obey(tree, &directory, &journal));
    // Locked until now: nobody has taken it for something that was left behind.
    secret.keep();
    done.map_err(|error| {
        let hint = "what is to be done is written down; the next run on this tree goes on from here";
        NotPublished { error: error.hint(hint), is_begun: true }
    })
}

/// Does what a killed run has written down, and removes what killed runs have left.
///
/// # Errors
/// When the root cannot be written, or the journal is not to be trusted. A tree in which nothing was left is not touched.
pub fn recover(root: &Path) -> Result<()> {
    let tree = Tree::open(root)?;
    let told = |error: io::Error| Error::could_not("open", quoted(root), error);
    let parent = tree.root().try_clone_to_owned().map_err(told)?;
    let left = names(&parent).map_err(|error| told(error.into()))?;
    if !left.iter().any(|name| name.to_bytes().starts_with(OWN_PREFIX.as_bytes())) {
        return Ok(());
    }
    // Who holds the root writes no journal meanwhile, whose new files would be taken for something that was left behind.
    let _held = hold(tree.root(), root)?;
    if exists(tree.root(), JOURNAL)? {
        let journal = read(&tree)?;
        let directory = open_directory(tree.root(), &journal.secret)
            .map_err(io::Error::from)
            .could_not("finish the change of", quoted(root))?;
        obey(&tree, &directory, &journal)?;
    }
    remove_left_overs(&parent, root, OWN_PREFIX)
}

/// Whether a killed run has left a journal that is not done: what is in the tree is neither the old one nor the new one.
///
/// # Errors
/// When the root cannot be looked at.
pub fn is_pending(tree: &Tree) -> Result<bool> {
    exists(tree.root(), JOURNAL)
}

fn read(tree: &Tree) -> Result<Journal> {
    let object = tree.quoted(JOURNAL);
    let refused = |cause: &str| {
        Error::could_not("obey the journal", &object, cause)
            .hint("it was not written by this program and user; look where the tree comes from, and remove the file")
    };
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = fs::openat(tree.root(), JOURNAL, flags, Mode::empty()).map_err(io::Error::from);
    let file = opened.could_not("read", &object)?;
    let status = fs::fstat(&file).map_err(io::Error::from).could_not("read", &object)?;
    if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile {
        return Err(refused("it is no file"));
    }
    // Whoever is somebody else can put a file into a tree, and not into this user's name.
    if status.st_uid != rustix::process::geteuid().as_raw() {
        return Err(refused("it belongs to another user"));
    }
    let mut text = Vec::new();
    File::from(file).take(JOURNAL_BYTES_MAX).read_to_end(&mut text).could_not("read", &object)?;
    let journal: Journal = serde_json::from_slice(&text).map_err(|error| refused(&error.to_string()))?;
    let is_name = |name: &str| entry::check(name).is_ok() && !name.contains('/');
    let sound = |step: &Step| {
        step.path().is_none_or(|path| entry::check(path).is_ok())
            && !matches!(step, Step::Put { made, .. } | Step::Append { made, .. } if !is_name(made))
    };
    if journal.format != FORMAT {
        return Err(refused(&format!("it has form {}, this program knows form {FORMAT}", journal.format)));
    }
    if !is_secret(&journal.secret, OWN_PREFIX) || !journal.steps.iter().all(sound) {
        return Err(refused("what it says leads out of the tree"));
    }
    Ok(journal)
}

/// Does every step that is not done, and forgets the journal.
fn obey(tree: &Tree, secret: &OwnedFd, journal: &Journal) -> Result<()> {
    let made = open_directory(secret.as_fd(), NEW).map_err(io::Error::from).could_not(CHANGE, quoted(tree.path()))?;
    let old = open_directory(secret.as_fd(), OLD).map_err(io::Error::from).could_not(CHANGE, quoted(tree.path()))?;
    // Names of directories are not to lead to what they led to before.
    let fresh = as_tree(tree.root(), tree.path()).could_not(CHANGE, quoted(tree.path()))?;
    for (number, step) in journal.steps.iter().enumerate() {
        let object = step.path().map_or_else(|| quoted(tree.path()), |path| tree.quoted(path));
        obey_step(&fresh, made.as_fd(), old.as_fd(), number, step).could_not(CHANGE, object)?;
    }
    let finish = || -> io::Result<()> {
        change::sync_all(tree.root())?;
        change::remove(tree.root(), JOURNAL)?;
        change::sync(tree.root())?;
        Ok(())
    };
    finish().could_not(CHANGE, quoted(tree.path()))?;
    // What cannot be removed is removed by the next run.
    let _ = remove_tree(tree.root(), journal.secret.as_str());
    Ok(())
}

fn obey_step(tree: &Tree, made: BorrowedFd<'_>, old: BorrowedFd<'_>, number: usize, step: &Step) -> io::Result<()> {
    let aside = number.to_string();
    let in_place = |path: &str| {
        let (directory, name) = split(path);
        Ok::<_, io::Error>((as_tree(tree.root(), tree.path())?.directory(directory)?, name.to_owned()))
    };
    match step {
        Step::Put { path, made: new, was } => {
            let Some(new_kind) = kind(made, new)? else { return Ok(()) };
            let (directory, name) = in_place(path)?;
            if let Some(was) = was
                && !was.is_still(directory.as_fd(), &name)?
            {
                return Ok(());
            }
            match kind(directory.as_fd(), &name)? {
                // A directory makes room first; of two files one takes the other's name.
                Some(old_kind) if new_kind == FileType::Directory || old_kind == FileType::Directory => {
                    change::rename(directory.as_fd(), name.as_str(), old, aside.as_str(), RenameFlags::empty())?;
                }
                _ => {}
            }
            change::rename(made, new.as_str(), directory.as_fd(), name.as_str(), RenameFlags::empty())?;
        }
        Step::Append { path, made: new, end } => {
            if kind(made, new)?.is_some() {
                let (directory, name) = in_place(path)?;
                append(directory.as_fd(), &name, (made, new), *end)?;
                change::remove(made, new.as_str())?;
            }
        }
        Step::Remove { path, was } => {
            let (directory, name) = match in_place(path) {
                Ok(found) => found,
                // The directory went in a later step.
                Err(error) if is_gone(&error) => return Ok(()),
                Err(error) => return Err(error),
            };
            if let Some(was) = was
                && !was.is_still(directory.as_fd(), &name)?
            {
                return Ok(());
            }
            match kind(directory.as_fd(), &name)? {
                Some(FileType::Directory) if kind(old, &aside)?.is_none() => {
                    change::rename(directory.as_fd(), name.as_str(), old, aside.as_str(), RenameFlags::empty())?;
                }
                Some(FileType::Directory) | None => {}
                Some(_) => change::remove(directory.as_fd(), name.as_str())?,
            }
        }
        Step::Directory { path, mode } => {
            let (directory, name) = in_place(path)?;
            match change::create_directory(directory.as_fd(), name.as_str()) {
                Err(Errno::EXIST) => {}
                done => done?,
            }
            change::set_mode(open_directory(directory.as_fd(), &name)?.as_fd(), *mode)?;
        }
        Step::RemoveEmpty { path } => {
            let directory = in_place(path);
            match directory
                .and_then(|(directory, name)| Ok(change::remove_directory(directory.as_fd(), name.as_str())?))
            {
                Err(error) if is_gone(&error) => {}
                Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::NOTEMPTY | Errno::EXIST)) => {}
                done => done?,
            }
        }
        Step::Root { mode } => change::set_mode(tree.root(), *mode)?,
    }
    Ok(())
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

pub(super) fn open_directory(parent: BorrowedFd<'_>, name: &str) -> rustix::io::Result<OwnedFd> {
    fs::openat(parent, name, DIRECTORY, Mode::empty())
}

fn is_gone(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::NOENT | Errno::NOTDIR))
}

/// What has a name; `None` where nothing has.
fn kind(directory: BorrowedFd<'_>, name: &str) -> rustix::io::Result<Option<FileType>> {
    match fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(status) => Ok(Some(FileType::from_raw_mode(status.st_mode))),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

fn exists(root: BorrowedFd<'_>, name: &str) -> Result<bool> {
    Ok(kind(root, name).map_err(io::Error::from).could_not("inspect", name)?.is_some())
}

/// Whose new files are to be, where this process may say so: root works for the owner of the tree.
pub(super) fn owner_of(root: &fs::Stat) -> Option<(u32, u32)> {
    let is_root = rustix::process::geteuid().is_root();
    (is_root && (root.st_uid, root.st_gid) != (0, 0)).then_some((root.st_uid, root.st_gid))
}

/// Holds the root: one run at a time changes a tree.
///
/// # Errors
/// When another run has it for longer than [`PATIENCE`].
pub(super) fn hold(root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd> {
    let held =
        fs::openat(root, ".", DIRECTORY, Mode::empty()).map_err(io::Error::from).could_not("lock", quoted(path))?;
    let start = Instant::now();
    loop {
        match fs::flock(&held, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) if start.elapsed() < PATIENCE => sleep(Duration::from_millis(5)),
            Err(Errno::WOULDBLOCK) => {
                let cause = format!("another run has been changing it for {} s", PATIENCE.as_secs());
                return Err(Error::could_not(CHANGE, quoted(path), cause).hint("run again when it has ended"));
            }
            // Some network file systems lock no directories.
            Ok(()) | Err(_) => return Ok(held),
        }
    }
}
