//! A tree that is being made: a directory of its own, which takes the old tree's place by one exchange of two names.
//!
//! What a crash leaves after each step of [`Draft::publish`]:
//!
//! 1. The draft is complete and synced under a secret name: the old tree is untouched; the next run removes the draft.
//! 2. The old root is locked, and is what it was when the draft was begun and when it was archived: nothing was changed.
//! 3. The two names are exchanged: the new tree is in place, the old one has the secret name. A crash leaves the new tree, and the
//!    next run removes the old one, which its backup has.
//! 4. The old tree is looked at once more. Where somebody has changed it meanwhile, the names are exchanged back.
//! 5. The directory with both names is synced: until then a power failure may bring back the old tree.
//! 6. The old tree is removed.
//!
//! Where the root cannot be renamed (it is a mount point, the directory above may not be written, the file system knows no
//! exchange), the draft is made in the root itself, and a [`super::journal`] does the rest.
//!
//! What is ignored stays: its files have a second name in the draft, so that whoever has one open or locked goes on with it.

use super::change;
use super::entry::{self, OWN_PREFIX, split};
use super::journal::{self, NewFile, NotPublished, Step, cannot_write, hold, open_directory, owner_of};
use super::secret::{Secret, as_tree, names, remove_left_overs};
use super::walk::{Seen, Tree};
use crate::endpoint::sqlite::file::quoted;
use crate::error::{Context, Error, Result};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::ffi::{CStr, CString, OsString};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const PUBLISH: &str = "publish the tree";

/// The permissions of a directory that nobody has said any for.
pub const DIRECTORY_MODE: u32 = 0o755;

/// Which paths stay as they are.
pub type Ignored = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// A tree that is being made. Dropped, it never was.
pub struct Draft {
    target: PathBuf,
    old: Option<Tree>,
    place: Place,
    made: Tree,
    directories: BTreeMap<String, Directory>,
    ignored: Ignored,
    owner: Option<(u32, u32)>,
    is_sealed: bool,
    is_synced: AtomicBool,
}

/// Where it is made.
enum Place {
    /// Beside the target.
    Beside(Secret),
    /// In the target, whose name cannot be given away.
    Inside(Secret),
}

#[derive(Debug, Clone, Copy)]
struct Directory {
    mode: u32,
    modified_ns: Option<i64>,
}

/// What has become of a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// It is known to survive a power failure.
    pub durable: bool,
    /// What people should know.
    pub notes: Vec<String>,
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft").field("target", &self.target).field("made", &self.made.path()).finish_non_exhaustive()
    }
}

impl Draft {
    /// Begins a tree that is to be at `target`, where a directory or nothing is. What killed runs left is cleared up first.
    ///
    /// # Errors
    /// When something else is there, or neither the directory above nor the target can be written.
    pub fn begin(target: &Path, ignored: Ignored) -> Result<Draft> {
        Draft::begin_in(target, ignored, true)
    }

    /// As [`Draft::begin`]; whether the directory above may be used is the caller's word.
    pub(super) fn begin_in(target: &Path, ignored: Ignored, beside_allowed: bool) -> Result<Draft> {
        let target = resolved(target)?;
        let (parent_path, prefix) = beside(&target)?;
        let parent =
            fs::openat(fs::CWD, &parent_path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
                .map_err(io::Error::from)
                .could_not("open", quoted(&parent_path))?;
        let old = match fs::statat(fs::CWD, &target, AtFlags::empty()) {
            Err(Errno::NOENT) => None,
            Ok(status) if FileType::from_raw_mode(status.st_mode) != FileType::Directory => {
                return Err(Error::could_not(PUBLISH, quoted(&target), "there is something that is no directory")
                    .hint("name another directory, or move that away"));
            }
            Ok(_) | Err(_) => {
                journal::recover(&target)?;
                Some(Tree::open(&target)?)
            }
        };
        // Where that may not be written, nothing of ours is there.
        let _ = remove_left_overs(&parent, &parent_path, &prefix);
        let told = |error: io::Error| cannot_write(&quoted(&parent_path), error);
        let place = match old.as_ref().map(|old| is_movable(&parent, old)) {
            Some(false) => None,
            Some(true) if !beside_allowed => None,
            Some(true) | None => match Secret::create(&parent, &parent_path, &prefix) {
                Ok(secret) => Some(Place::Beside(secret)),
                Err(error) if old.is_some() && is_refusal(&error) => None,
                Err(error) => return Err(told(error)),
            },
        };
        let place = match (place, &old) {
            (Some(place), _) => place,
            (None, Some(old)) => {
                let root = old.root().try_clone_to_owned().map_err(told)?;
                let secret = Secret::create(&root, &target, OWN_PREFIX)
                    .map_err(|error| cannot_write(&quoted(&target), error))?;
                Place::Inside(secret)
            }
            (None, None) => return Err(told(io::Error::from(Errno::ACCESS))),
        };
        let made = match &place {
            Place::Beside(secret) => as_tree(secret.directory(), secret.path()),
            Place::Inside(secret) => inner(secret),
        };
        let made = made.map_err(told)?;
        let status = match &old {
            Some(old) => fs::fstat(old.root()),
            None => fs::fstat(&parent),
        };
        let owner = owner_of(&status.map_err(io::Error::from).map_err(told)?);
        let (directories, is_synced) = (BTreeMap::new(), AtomicBool::new(false));
        Ok(Draft { target, old, place, made, directories, ignored, owner, is_sealed: false, is_synced })
    }

    /// Where it is to be, links followed.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// The tree that it replaces.
    pub fn old(&self) -> Option<&Tree> {
        self.old.as_ref()
    }

    /// What was made so far, to be read back.
    pub fn made(&self) -> &Tree {
        &self.made
    }

    /// One number for everything that is known of the old tree; see [`Tree::state`].
    ///
    /// # Errors
    /// As [`Tree::walk`].
    pub fn state_of_old(&self) -> Result<Option<u128>> {
        self.old.as_ref().map(|old| old.state(&*self.ignored)).transpose()
    }

    /// Whether a path of the old tree stays as it is.
    pub fn is_ignored(&self, path: &str) -> bool {
        (self.ignored)(path)
    }

    fn quoted(&self, path: &str) -> String {
        quoted(&self.target.join(path))
    }

    fn checked(&self, path: &str) -> Result<()> {
        entry::check(path).map_err(|fault| Error::could_not("write", self.quoted(path), fault))?;
        match (self.ignored)(path) {
            true => {
                Err(Error::could_not("write", self.quoted(path), "the layout ignores it, so nobody would read it back"))
            }
            false => Ok(()),
        }
    }

    /// A directory; those above it are made as well.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn directory(&mut self, path: &str, mode: u32, modified_ns: Option<i64>) -> Result<()> {
        self.checked(path)?;
        self.make_directory(path)?;
        self.directories.insert(path.to_owned(), Directory { mode, modified_ns });
        Ok(())
    }

    /// The directory at `path`, open, made if need be, with those above it.
    fn make_directory(&mut self, path: &str) -> Result<()> {
        if path.is_empty() || self.directories.contains_key(path) {
            return Ok(());
        }
        let (above, name) = split(path);
        self.make_directory(above)?;
        let shown = self.quoted(path);
        let make = || -> io::Result<()> { Ok(change::create_directory(self.made.directory(above)?.as_fd(), name)?) };
        make().map_err(|error| cannot_write(&shown, error))?;
        let old = self.old.as_ref().and_then(|old| {
            let directory = old.directory(path).ok()?;
            fs::fstat(&directory).ok()
        });
        let mode = old.map_or(DIRECTORY_MODE, |status| status.st_mode & 0o7777);
        self.directories.insert(path.to_owned(), Directory { mode, modified_ns: None });
        Ok(())
    }

    /// The directory that a path is in, open.
    fn parent(&mut self, path: &str) -> Result<Arc<OwnedFd>> {
        self.checked(path)?;
        let above = split(path).0;
        self.make_directory(above)?;
        self.made.directory(above).map_err(|error| cannot_write(&self.quoted(above), error))
    }

    /// A file, to be written and finished.
    ///
    /// # Errors
    /// When it cannot be made: something has its name, the path is none, the disk is full.
    pub fn file(&mut self, path: &str, mode: u32, modified_ns: Option<i64>) -> Result<NewFile> {
        let directory = self.parent(path)?;
        NewFile::create(directory.as_fd(), split(path).1, self.quoted(path), mode, modified_ns, self.owner)
    }

    /// A file that was made is none.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(&mut self, path: &str) -> Result<()> {
        let directory = self.parent(path)?;
        change::remove(directory.as_fd(), split(path).1).map_err(|error| cannot_write(&self.quoted(path), error.into()))
    }

    /// A link.
    ///
    /// # Errors
    /// When it cannot be made, or leads out of the tree.
    pub fn link(&mut self, path: &str, leads_to: &str) -> Result<()> {
        let directory = self.parent(path)?;
        if !entry::leads_inside(path, leads_to) || leads_to.is_empty() || leads_to.contains('\0') {
            let cause = format!("the symbolic link would lead out of the tree, to `{leads_to}`");
            return Err(Error::could_not("write", self.quoted(path), cause));
        }
        change::create_link(directory.as_fd(), split(path).1, leads_to)
            .map_err(|error| cannot_write(&self.quoted(path), error.into()))
    }

    /// Nothing more comes: takes over what is ignored, sets the permissions of directories, looks at everything once more as a
    /// reader would, and syncs it.
    ///
    /// # Errors
    /// When what was made is no tree that could be read, or the disk does not take it.
    pub fn finish(&mut self) -> Result<()> {
        self.seal()?;
        self.sync()
    }

    /// As [`Draft::finish`], but for what the disk has to do: [`Draft::sync`] is to follow.
    ///
    /// # Errors
    /// When what was made is no tree that could be read.
    pub fn seal(&mut self) -> Result<()> {
        self.keep_ignored()?;
        // Before permissions are set: some take reading away from whoever made it.
        if let Err(error) = self.made.walk(&*self.ignored, &mut |_| Ok(())) {
            return Err(error.while_doing(PUBLISH));
        }
        let mut root_mode = DIRECTORY_MODE;
        if let Some(old) = &self.old {
            root_mode =
                fs::fstat(old.root()).map_err(io::Error::from).could_not("inspect", quoted(&self.target))?.st_mode;
        }
        // From below upwards: a directory that may not be written any more gets nothing new.
        for (path, directory) in self.directories.iter().rev() {
            let set = || -> io::Result<()> {
                let opened = self.made.directory(path)?;
                if let Some(owner) = self.owner {
                    change::set_owner(opened.as_fd(), owner)?;
                }
                if let Some(modified_ns) = directory.modified_ns {
                    change::set_modified(opened.as_fd(), modified_ns)?;
                }
                Ok(change::set_mode(opened.as_fd(), directory.mode)?)
            };
            set().map_err(|error| cannot_write(&self.quoted(path), error))?;
        }
        let seal = || -> rustix::io::Result<()> {
            if let Some(owner) = self.owner {
                change::set_owner(self.made.root(), owner)?;
            }
            if matches!(self.place, Place::Beside(_)) {
                change::set_mode(self.made.root(), root_mode)?;
            }
            Ok(())
        };
        seal().map_err(|error| cannot_write(&quoted(&self.target), error.into()))?;
        self.is_sealed = true;
        Ok(())
    }

    /// Waits until the disk has all of what was sealed. It may be read meanwhile.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn sync(&self) -> Result<()> {
        let synced = change::sync_all(self.made.root());
        synced.map_err(|error| cannot_write(&quoted(&self.target), error.into()))?;
        self.is_synced.store(true, Ordering::Release);
        Ok(())
    }

    fn keep_ignored(&mut self) -> Result<()> {
        let mut paths = Vec::new();
        if let Some(old) = &self.old {
            old.walk(&*self.ignored, &mut |seen| {
                if let Seen::Ignored(path) = seen {
                    paths.push(path.to_owned());
                }
                Ok(())
            })?;
        }
        for path in paths {
            let (above, name) = split(&path);
            self.make_directory(above)?;
            let Some(old) = &self.old else { continue };
            let keep = || -> io::Result<()> {
                let (from, to) = (old.directory(above)?, self.made.directory(above)?);
                let name = CString::new(name)?;
                Ok(second_name(from.as_fd(), to.as_fd(), &name, 0)?)
            };
            keep().could_not("keep what is ignored,", self.quoted(&path))?;
        }
        Ok(())
    }

    /// Takes the old tree's place. `state` is what [`Draft::state_of_old`] said when the old tree was read or archived: where it is
    /// another one by now, somebody's change would be lost.
    ///
    /// # Errors
    /// When the old tree has changed, or the names cannot be exchanged: the old tree is then in its place.
    pub fn publish(self, state: Option<u128>) -> Result<Published, NotPublished> {
        if !self.is_sealed || !self.is_synced.load(Ordering::Acquire) {
            let error = Error::could_not(PUBLISH, quoted(&self.target), "it is not finished");
            return Err(NotPublished::before(error));
        }
        match self.old {
            None => self.publish_new().map_err(NotPublished::before),
            Some(_) => self.replace(state),
        }
    }

    fn publish_new(self) -> Result<Published> {
        let object = quoted(&self.target);
        let Place::Beside(secret) = self.place else {
            return Err(Error::could_not(PUBLISH, object, "there is no tree that it could be made in"));
        };
        let name = file_name(&self.target)?;
        change::rename(
            secret.parent().as_fd(),
            secret.name(),
            secret.parent().as_fd(),
            name.as_os_str(),
            RenameFlags::NOREPLACE,
        )
        .map_err(|error| match error {
            Errno::EXIST => Error::could_not(PUBLISH, &object, "another program has made something there meanwhile")
                .hint("run again, so that it is backed up first"),
            error => Error::could_not(PUBLISH, &object, io::Error::from(error)),
        })?;
        let synced = change::sync(secret.parent().as_fd());
        secret.keep();
        Ok(published(synced))
    }

    fn replace(self, state: Option<u128>) -> Result<Published, NotPublished> {
        let Draft { target, old, place, made, directories: _, ignored, .. } = self;
        let object = quoted(&target);
        let before = NotPublished::before;
        let Some(old) = old else {
            return Err(before(Error::could_not(PUBLISH, object, "there is no old tree")));
        };
        let _held = hold(old.root(), &target).map_err(before)?;
        let is_old = || state.is_none_or(|state| old.state(&*ignored).is_ok_and(|now| now == state));
        if !is_in_place(&target, &old).could_not(PUBLISH, &object).map_err(before)? || !is_old() {
            return Err(before(changed(&object)));
        }
        let secret = match place {
            Place::Inside(secret) => return replace_inside(&target, &old, secret, &made, &*ignored),
            Place::Beside(secret) => secret,
        };
        let name = file_name(&target).map_err(before)?;
        let exchange = |secret: &Secret| {
            let parent = secret.parent().as_fd();
            change::rename(parent, secret.name(), parent, name.as_os_str(), RenameFlags::EXCHANGE)
        };
        match exchange(&secret) {
            Ok(()) => {}
            Err(Errno::INVAL | Errno::NOSYS | Errno::BUSY) => {
                let moved = move_inside(&target, &old, secret).map_err(|error| before(cannot_write(&object, error)))?;
                let made = inner_of(&moved).could_not(PUBLISH, &object).map_err(before)?;
                return replace_inside(&target, &old, moved, &made, &*ignored);
            }
            Err(error) => return Err(before(Error::could_not(PUBLISH, &object, io::Error::from(error)))),
        }
        if !is_old() {
            // Whatever of this fails is told, and nothing is removed.
            return Err(match exchange(&secret) {
                Ok(()) => before(changed(&object)),
                Err(error) => {
                    let left = secret.path().to_path_buf();
                    secret.keep();
                    let cause = format!("another program has changed it meanwhile: {}", io::Error::from(error));
                    let hint =
                        format!("the new tree is in place, and the old one with that change is {}", quoted(&left));
                    NotPublished { error: Error::could_not(PUBLISH, &object, cause).hint(hint), is_begun: true }
                }
            });
        }
        Ok(retire(secret))
    }
}

/// Takes a tree away, where there was none before; `state` as in [`Draft::publish`].
///
/// # Errors
/// When it has changed, has something that is ignored, or cannot be given another name: it is then in its place.
pub fn remove(target: &Path, ignored: &Ignored, state: Option<u128>) -> Result<Published, NotPublished> {
    let gone = Draft::begin(target, Arc::clone(ignored)).map_err(NotPublished::before)?;
    let object = quoted(&gone.target);
    let (Place::Beside(secret), Some(old)) = (&gone.place, &gone.old) else {
        let cause = "it can be emptied and not removed: it is a mount point, or the directory above may not be written";
        return Err(NotPublished::before(Error::could_not("remove the tree", object, cause)));
    };
    let _held = hold(old.root(), &gone.target).map_err(NotPublished::before)?;
    let is_old = state.is_none_or(|state| old.state(&**ignored).is_ok_and(|now| now == state));
    if !is_in_place(&gone.target, old).could_not(PUBLISH, &object).map_err(NotPublished::before)? || !is_old {
        return Err(NotPublished::before(changed(&object)));
    }
    let name = file_name(&gone.target).map_err(NotPublished::before)?;
    // Over the empty draft: one name less, and no moment with none of the two.
    change::rename(
        secret.parent().as_fd(),
        name.as_os_str(),
        secret.parent().as_fd(),
        secret.name(),
        RenameFlags::empty(),
    )
    .map_err(|error| NotPublished::before(Error::could_not("remove the tree", &object, io::Error::from(error))))?;
    let Draft { place: Place::Beside(secret), .. } = gone else {
        return Ok(Published { durable: false, notes: Vec::new() });
    };
    Ok(retire(secret))
}

/// Whether the tree that was begun with is still the one in place.
fn is_in_place(target: &Path, old: &Tree) -> io::Result<bool> {
    let (now, begun) = (fs::statat(fs::CWD, target, AtFlags::SYMLINK_NOFOLLOW)?, fs::fstat(old.root())?);
    Ok((now.st_dev, now.st_ino) == (begun.st_dev, begun.st_ino))
}

/// The old tree has the secret name: once that is on the disk, it is removed.
fn retire(secret: Secret) -> Published {
    let mut published = published(change::sync(secret.parent().as_fd()));
    let left = quoted(secret.path());
    if published.durable {
        if let Err(error) = secret.remove() {
            published.notes.push(format!("the old tree could not be removed whole, and is still {left}: {error}"));
        }
    } else {
        published.notes.push(format!("the old tree is still {left}"));
        secret.keep();
    }
    published
}

fn changed(object: &str) -> Error {
    Error::could_not(PUBLISH, object, "another program has changed the old tree since it was read")
        .hint("the old tree is in its place; run again when nobody writes to it")
}

fn published(synced: rustix::io::Result<()>) -> Published {
    let note = |error: Errno| {
        let error = io::Error::from(error);
        format!("the new tree is in place, but a power failure now could bring back the old one: {error}")
    };
    Published { durable: synced.is_ok(), notes: synced.err().map(note).into_iter().collect() }
}

/// Every name in the root goes, and every name of the draft takes its place.
fn replace_inside(
    target: &Path,
    old: &Tree,
    secret: Secret,
    made: &Tree,
    ignored: &dyn Fn(&str) -> bool,
) -> Result<Published, NotPublished> {
    let steps = steps_inside(old, made, ignored).could_not(PUBLISH, quoted(target)).map_err(NotPublished::before)?;
    journal::commit(old, secret, steps)?;
    Ok(Published { durable: true, notes: Vec::new() })
}

fn steps_inside(old: &Tree, made: &Tree, ignored: &dyn Fn(&str) -> bool) -> io::Result<Vec<Step>> {
    let list = |root: BorrowedFd<'_>| -> io::Result<Vec<String>> {
        let all = names(&open_directory(root, ".")?)?;
        let mut texts =
            all.into_iter().map(CString::into_string).collect::<Result<Vec<_>, _>>().map_err(io::Error::other)?;
        texts.retain(|text| !text.starts_with(OWN_PREFIX));
        texts.sort_unstable();
        Ok(texts)
    };
    let (old_names, new_names) = (list(old.root())?, list(made.root())?);
    let mut steps = Vec::new();
    // What is ignored and not there came after the last look.
    for name in old_names.into_iter().filter(|name| new_names.binary_search(name).is_err() && !ignored(name)) {
        steps.push(Step::Remove { path: name, was: None });
    }
    steps.extend(new_names.into_iter().map(|name| Step::Put { made: name.clone(), path: name, was: None }));
    steps.push(Step::Root { mode: fs::fstat(old.root())?.st_mode & 0o7777 });
    Ok(steps)
}

/// The part of a secret in the root where the new tree is.
fn inner(secret: &Secret) -> io::Result<Tree> {
    change::create_directory(secret.directory(), "new")?;
    change::create_directory(secret.directory(), "old")?;
    inner_of(secret)
}

fn inner_of(secret: &Secret) -> io::Result<Tree> {
    Ok(Tree::of(open_directory(secret.directory(), "new")?, &secret.path().join("new")))
}

/// A draft beside the target goes into it, where it cannot be exchanged with it.
fn move_inside(target: &Path, old: &Tree, beside: Secret) -> io::Result<Secret> {
    let root = old.root().try_clone_to_owned()?;
    let secret = Secret::create(&root, target, OWN_PREFIX)?;
    change::create_directory(secret.directory(), "old")?;
    change::rename(beside.parent().as_fd(), beside.name(), secret.directory(), "new", RenameFlags::empty())?;
    beside.keep();
    change::sync_all(secret.directory())?;
    Ok(secret)
}

/// Whether the root of a tree can get another name: it is no mount point.
fn is_movable(parent: &OwnedFd, old: &Tree) -> bool {
    let mount = |directory: BorrowedFd<'_>| {
        let found = fs::statx(directory, "", AtFlags::EMPTY_PATH, fs::StatxFlags::MNT_ID).ok()?;
        (found.stx_mask & fs::StatxFlags::MNT_ID.bits() != 0).then_some(found.stx_mnt_id)
    };
    let device = |directory: BorrowedFd<'_>| fs::fstat(directory).map(|status| status.st_dev).ok();
    mount(parent.as_fd()) == mount(old.root()) && device(parent.as_fd()) == device(old.root())
}

/// Whether a directory may not be written, while another one may.
fn is_refusal(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::ACCESS | Errno::PERM | Errno::ROFS))
}

/// A second name for a file; a directory is made, and everything in it gets one.
fn second_name(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &CStr, depth: usize) -> rustix::io::Result<()> {
    if depth > entry::DEPTH_MAX {
        return Err(Errno::NAMETOOLONG);
    }
    let status = fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(status.st_mode) != FileType::Directory {
        return change::add_name(from, name, to, name);
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let inside = fs::openat(from, name, flags, Mode::empty())?;
    change::create_directory(to, name)?;
    let made = fs::openat(to, name, flags, Mode::empty())?;
    for inner in names(&inside)? {
        second_name(inside.as_fd(), made.as_fd(), &inner, depth + 1)?;
    }
    if rustix::process::geteuid().is_root() {
        change::set_owner(made.as_fd(), (status.st_uid, status.st_gid))?;
    }
    change::set_mode(made.as_fd(), status.st_mode)
}

/// The target, links followed as far as it is there.
fn resolved(target: &Path) -> Result<PathBuf> {
    let absolute = std::path::absolute(target).could_not(PUBLISH, quoted(target))?;
    if let Ok(found) = std::fs::canonicalize(&absolute) {
        return Ok(found);
    }
    let name = file_name(&absolute)?;
    let above = absolute.parent().unwrap_or(Path::new("/"));
    let above = std::fs::canonicalize(above).map_err(|error| {
        Error::could_not(PUBLISH, quoted(target), format!("the directory above it: {error}"))
            .hint("make that directory first")
    })?;
    Ok(above.join(name))
}

fn file_name(target: &Path) -> Result<OsString> {
    target.file_name().map(OsString::from).ok_or_else(|| {
        Error::could_not(PUBLISH, quoted(target), "it has no name that could be given away")
            .hint("name another directory")
    })
}

/// The directory above a target, and what the names of its secrets begin with.
fn beside(target: &Path) -> Result<(PathBuf, String)> {
    let name = file_name(target)?.to_string_lossy().into_owned();
    let parent = target.parent().unwrap_or(Path::new("/")).to_path_buf();
    // 255 bytes, less dots, mark, two numbers and the ending.
    let hash = format!("~{:016x}", xxhash_rust::xxh3::xxh3_64(name.as_bytes()));
    let name = match name.char_indices().find(|(at, _)| *at > 180) {
        Some((at, _)) => format!("{}{hash}", &name[..at]),
        None => name,
    };
    Ok((parent, format!(".{name}{OWN_PREFIX}")))
}
