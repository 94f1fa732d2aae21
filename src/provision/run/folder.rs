//! The folder of a run: for its user only, with a lock, a state and leases.

use std::fs::{self, DirBuilder, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::super::footing::Footing;
use super::super::process::{Owner, Process};
use super::super::server::Place;
use super::super::user;
use super::membership::{Membership, write_private};
use crate::error::{Context, Error, Result};

/// How the name of a run's folder begins.
pub(super) const PREFIX: &str = "whimbrel-run-";

/// How long a new folder may be without lock or keeper.
const NEW_LIMIT: Duration = Duration::from_secs(60);

/// A run's folder, which may be renamed and removed at any moment by its keeper.
pub(super) struct Folder(PathBuf);

/// The lock of a run; it ends with this value, or with the process.
pub(super) struct Lock(File);

impl Folder {
    /// The folder at `path`, made where there is none.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let object = format!("`{}`", path.display());
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                match fs::symlink_metadata(path) {
                    // Everybody may write to the directory for temporary files; the password goes to nobody.
                    Ok(found) if !found.is_dir() || found.uid() != user::own_id() || found.mode() & 0o077 != 0 => {
                        let cause = "it belongs to another user, or others may read it";
                        return Err(Error::could_not("use the folder of this run", object, cause)
                            .hint("remove it, or set TMPDIR to a directory of your own"));
                    }
                    // Gone again: who locks it will see.
                    _ => {}
                }
            }
            Err(error) => {
                return Err(Error::could_not("make the folder of this run", object, &error)
                    .hint("set TMPDIR to a directory that you may write to")
                    .because(error));
            }
        }
        Ok(Folder(path.to_owned()))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The lock, once everybody before us has let go of it; none where the folder was removed meanwhile.
    pub(super) fn lock(&self, deadline: Instant) -> Result<Option<Lock>> {
        let object = || format!("`{}`", self.file("lock").display());
        let file = match File::options().create(true).truncate(false).write(true).open(self.file("lock")) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::could_not("open", object(), &error).because(error)),
        };
        // Polled, because flock has no limit.
        while !try_lock(&file) {
            if Instant::now() >= deadline {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let lock = Lock(file);
        Ok(self.is_still_there(&lock).then_some(lock))
    }

    /// Whether the folder that was locked is still the one under its name.
    pub(super) fn is_still_there(&self, lock: &Lock) -> bool {
        let locked = lock.0.metadata().map(|metadata| (metadata.dev(), metadata.ino()));
        let named = fs::metadata(self.file("lock")).map(|metadata| (metadata.dev(), metadata.ino()));
        matches!((locked, named), (Ok(locked), Ok(named)) if locked == named)
    }

    /// Where the server is, and who keeps it.
    pub(super) fn state(&self) -> Option<(Place, Owner)> {
        let keeper = Owner::parse(&fs::read_to_string(self.file("keeper")).ok()?)?;
        Some((parse(&fs::read_to_string(self.file("state")).ok()?)?, keeper))
    }

    /// Tells the others where the server is.
    pub(super) fn write(&self, place: &Place, keeper: &Owner) -> Result<()> {
        self.announce(&keeper.to_string())?;
        write_private(&self.file("state"), &text(place))
    }

    /// Tells who keeps the server.
    pub(super) fn announce(&self, keeper: &str) -> Result<()> {
        write_private(&self.file("keeper"), keeper)
    }

    /// Tells the keeper that this process uses the server.
    pub(super) fn lease(&self) -> Result<()> {
        let object = format!("`{}`", self.0.display());
        for name in ["leases", "databases"] {
            fs::create_dir_all(self.file(name)).could_not("write to", &object)?;
        }
        let this = Process::of(std::process::id())
            .ok_or_else(|| Error::could_not("write to", &object, "this process cannot see itself"))?;
        write_private(&self.file("leases").join(this.id.to_string()), &format!("{}\n", this.started))
    }

    /// This process does not use the server after all.
    pub(super) fn end_lease(&self) {
        // The keeper forgets it with the process.
        let _ = fs::remove_file(self.file("leases").join(std::process::id().to_string()));
    }

    pub(super) fn is_closing(&self) -> bool {
        self.file("closing").exists()
    }

    /// Removes what a killed keeper left, but for the lock.
    pub(super) fn empty(&self) {
        for name in ["state", "keeper", "closing"] {
            let _ = fs::remove_file(self.file(name));
        }
        for name in ["leases", "databases"] {
            let _ = fs::remove_dir_all(self.file(name));
        }
    }

    pub(super) fn remove(&self) {
        // Whoever waits for the lock sees that the folder is gone, and makes another.
        let _ = fs::remove_dir_all(&self.0);
    }

    pub(super) fn membership(&self, keeper: Owner) -> Membership {
        Membership { keeper, databases: self.file("databases") }
    }
}

fn try_lock(file: &File) -> bool {
    // SAFETY: flock takes a number and touches no memory; the file is open for as long as the reference is.
    unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) == 0 }
}

/// Removes a run's folder if its keeper is certainly gone, or if it never had one and nobody is about to start one.
pub(super) fn remove_if_ended(path: &Path) {
    let Ok(found) = fs::symlink_metadata(path) else { return };
    if !found.is_dir() || found.uid() != user::own_id() {
        return;
    }
    let lock = File::open(path.join("lock"));
    // Somebody is joining.
    if lock.as_ref().is_ok_and(|file| !try_lock(file)) {
        return;
    }
    let is_ended = match fs::read_to_string(path.join("keeper")).ok().and_then(|text| Owner::parse(&text)) {
        Some(keeper) => keeper.is_gone_from_this_disk(),
        None => found.modified().ok().and_then(|time| time.elapsed().ok()).is_some_and(|age| age > NEW_LIMIT),
    };
    if is_ended {
        let _ = fs::remove_dir_all(path);
    }
}

/// One line each; none of the parts has line breaks.
fn text(place: &Place) -> String {
    let directory = place.directory.as_deref().map(|path| path.display().to_string()).unwrap_or_default();
    let container = place.container.as_deref().unwrap_or_default();
    let parts =
        [place.footing.name(), &place.admin_url, &place.version, &place.description, &directory, container, "end"];
    parts.join("\n")
}

fn parse(text: &str) -> Option<Place> {
    let [footing, admin_url, version, description, directory, container, "end"] =
        text.split('\n').collect::<Vec<_>>()[..]
    else {
        return None;
    };
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Some(Place {
        footing: Footing::ALL.into_iter().find(|known| known.name() == footing)?,
        admin_url: admin_url.to_owned(),
        version: version.to_owned(),
        description: description.to_owned(),
        directory: some(directory).map(PathBuf::from),
        container: some(container),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn later() -> Instant {
        Instant::now() + Duration::from_millis(50)
    }

    #[test]
    fn a_state_reads_back_and_half_of_one_does_not() {
        let place = Place {
            footing: Footing::Local,
            admin_url: "postgres://u:p@h:1/d".to_owned(),
            version: "15.18".to_owned(),
            description: "PostgreSQL 15.18".to_owned(),
            directory: Some(PathBuf::from("/tmp/whimbrel-abcdef")),
            container: None,
        };
        assert_eq!(parse(&text(&place)), Some(place.clone()));
        assert_eq!(parse(&text(&place)[..40]), None);
    }

    #[test]
    fn one_at_a_time_holds_the_lock_and_a_folder_that_was_removed_is_noticed() {
        let base = tempfile::tempdir().expect("a directory");
        let path = base.path().join("whimbrel-run-0");
        let folder = Folder::open(&path).expect("a folder");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o700);
        let lock = folder.lock(later()).expect("no error").expect("the lock");
        assert!(Folder::open(&path).expect("the folder").lock(later()).expect("no error").is_none());
        folder.remove();
        assert!(!folder.is_still_there(&lock));
        Folder::open(&path).expect("a new folder").lock(later()).expect("no error").expect("its lock");
        assert!(!folder.is_still_there(&lock));
    }

    #[test]
    fn a_folder_that_others_may_read_is_refused() {
        let base = tempfile::tempdir().expect("a directory");
        let path = base.path().join("whimbrel-run-0");
        fs::create_dir(&path).expect("a folder");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode");
        let error = Folder::open(&path).map(|_| ()).expect_err("open to others");
        assert!(error.way_out().is_some_and(|hint| hint.contains("TMPDIR")), "{error}");
    }
}
