//! The folder of backups, and which of those in it are of the target that was asked for.
//!
//! Several targets may share a folder, so whose a backup is says its manifest and not the place where it lies. It is of
//! a target
//!
//! - whose path (links followed) is the one that was backed up;
//! - or that lies where the other lay, seen from the folder: target and folder were moved or copied together;
//! - or whose own folder this is (`<name>.whimbrel-backups` beside it), if it was taken into its target's own folder: both
//!   were renamed.
//!
//! Manifests of earlier versions have the path alone; for those the third rule asks for the same file name. A backup whose
//! manifest tells nothing may be anybody's: it is listed and told, and never restored, counted or removed.
//!
//! A backup counts when its `<id>.json` is there, and that name is given and taken by one rename. While it is made or
//! removed, its manifest is called `<id>.pending`, and neither a list nor a rollback sees it. Whoever makes it holds a lock
//! on that file; a pending manifest without one was left by a killed run, and the next run that changes anything in the
//! folder removes it together with its `<id>.db` or `<id>.tar`. So neither is ever there without one of the two manifests.
//!
//! The file of an old backup may be compressed, `<id>.db.zst` or `<id>.tar.zst`: the manifest says so (see `compress`).

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::backup::manifest::{Kind, Manifest, Provenance};
use crate::endpoint::sqlite::file::{quoted, resolve};
use crate::endpoint::sqlite::staging::abandoned;
use crate::error::{Context, Error, Result};

/// What the name of a target's own folder ends in.
const OWN_SUFFIX: &str = ".whimbrel-backups";

/// What the name of a compressed file ends in.
const COMPRESSED_SUFFIX: &str = ".zst";

/// How long a run waits for another one to publish or to remove backups, which takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// A folder of backups, seen from one target.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    /// Where it is.
    pub path: PathBuf,
    /// The target's path, links followed.
    pub target: PathBuf,
}

/// Whose a backup is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The target that was asked for.
    Asked,
    /// Another target; its path.
    Other(PathBuf),
    /// It cannot be told.
    Unknown,
}

impl Folder {
    /// The folder of `target`: the one that was `chosen`, else its own.
    ///
    /// # Errors
    ///
    /// When the target's own folder is a link, which somebody else may have planted.
    pub fn of(target: &Path, chosen: Option<&Path>) -> Result<Folder> {
        let target = resolve(target)?;
        if let Some(chosen) = chosen {
            return Ok(Folder { path: chosen.to_path_buf(), target });
        }
        let path = own_folder(&target);
        if fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_symlink()) {
            let cause = "it is a symbolic link, and backups follow none that nobody has named";
            return Err(Error::could_not("use backup folder", quoted(&path), cause)
                .hint("if it is yours, name the folder that it leads to with `--backups`; else remove it"));
        }
        Ok(Folder { path, target })
    }

    /// The file of a backup, in the form that its manifest says.
    pub fn file(&self, manifest: &Manifest) -> PathBuf {
        match manifest.compressed_bytes {
            Some(_) => self.compressed(&manifest.id, manifest.kind),
            None => self.data(&manifest.id, manifest.kind),
        }
    }

    /// The file of a backup, compressed.
    pub fn compressed(&self, id: &str, kind: Kind) -> PathBuf {
        let mut name = self.data(id, kind).into_os_string();
        name.push(COMPRESSED_SUFFIX);
        PathBuf::from(name)
    }

    /// The file of a backup as it was taken: a database, or the archive of a tree.
    pub fn data(&self, id: &str, kind: Kind) -> PathBuf {
        let ending = match kind {
            Kind::Tree => "tar",
            Kind::Database | Kind::Empty | Kind::Absent => "db",
        };
        self.path.join(format!("{id}.{ending}"))
    }

    /// Every file that a backup may have.
    fn all_data(&self, id: &str) -> [PathBuf; 4] {
        let [file, tree] = [Kind::Database, Kind::Tree];
        [self.data(id, file), self.data(id, tree), self.compressed(id, file), self.compressed(id, tree)]
    }

    /// The file of a backup that nothing is known of.
    pub fn any_data(&self, id: &str) -> PathBuf {
        let [first, rest @ ..] = self.all_data(id);
        if is_there(&first) { first } else { rest.into_iter().find(|path| is_there(path)).unwrap_or(first) }
    }

    /// Removes the file of a backup, whatever it is.
    fn remove_data(&self, id: &str) -> Result<()> {
        self.all_data(id).iter().try_for_each(|path| remove_if_there(path))
    }

    pub fn manifest(&self, id: &str) -> PathBuf {
        self.path.join(format!("{id}.json"))
    }

    pub fn pending(&self, id: &str) -> PathBuf {
        self.path.join(format!("{id}.pending"))
    }

    /// What a manifest says about the target of a backup that is taken now.
    pub fn provenance(&self) -> Provenance {
        Provenance::new(&self.target, &self.way_to_target(), self.is_own())
    }

    /// Whose backup that is.
    pub fn owner(&self, provenance: &Provenance) -> Owner {
        let target = provenance.target();
        let moved_together = provenance.target_from_folder().is_some_and(|way| way == self.way_to_target());
        let from_own_folder = provenance.own_folder.unwrap_or(target.file_name() == self.target.file_name());
        match target == self.target || moved_together || (from_own_folder && self.is_own()) {
            true => Owner::Asked,
            false => Owner::Other(target),
        }
    }

    /// The ids of the backups that count, whosever they are, and of files without a manifest, oldest first; none where
    /// the folder does not exist.
    ///
    /// # Errors
    ///
    /// When the folder cannot be listed.
    pub fn ids(&self) -> Result<Vec<String>> {
        Ok(self.names()?.0.into_iter().filter(|id| self.counts(id)).collect())
    }

    /// Whether a backup counts, or is a file that nobody makes or removes at this moment. The folder may change while it is
    /// listed and looked at, so the questions are in the order of the names that a backup goes through.
    fn counts(&self, id: &str) -> bool {
        let has_manifest = || is_there(&self.manifest(id));
        has_manifest() || !is_there(&self.pending(id)) && (has_manifest() || is_there(&self.any_data(id)))
    }

    /// The newest id of all, pending ones included: a new one has to sort behind it.
    pub fn newest_id(&self) -> Result<Option<String>> {
        let (mut ids, mut pending) = self.names()?;
        ids.append(&mut pending);
        Ok(ids.pop_last())
    }

    /// The ids of files and of manifests, and those of pending manifests.
    fn names(&self) -> Result<(BTreeSet<String>, BTreeSet<String>)> {
        let (mut ids, mut pending) = (BTreeSet::new(), BTreeSet::new());
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok((ids, pending)),
            Err(error) => return Err(error).could_not("list backups in", quoted(&self.path)),
        };
        for entry in entries {
            let name = entry.could_not("list backups in", quoted(&self.path))?.file_name();
            let Some((id, suffix)) = name.to_str().and_then(id_and_suffix) else { continue };
            match suffix {
                "db" | "tar" | "db.zst" | "tar.zst" | "json" => ids.insert(id.to_owned()),
                "pending" => pending.insert(id.to_owned()),
                _ => continue,
            };
        }
        Ok((ids, pending))
    }

    /// Removes what killed runs left half made or half removed. What cannot be removed stays: nobody sees it.
    ///
    /// # Errors
    ///
    /// When the folder cannot be listed.
    pub fn remove_left_overs(&self) -> Result<()> {
        for id in self.names()?.1 {
            let Some(_held) = abandoned(&self.pending(&id)) else { continue };
            // Somebody copied a backup back under its name: that one is not ours to remove.
            if !is_there(&self.manifest(&id)) && self.remove_data(&id).is_err() {
                continue;
            }
            let _ = fs::remove_file(self.pending(&id));
        }
        Ok(())
    }

    /// Removes a backup, which ceases to count first.
    ///
    /// # Errors
    ///
    /// When it cannot be removed. If it does not count any more, the next run removes the rest.
    pub fn remove(&self, id: &str) -> Result<()> {
        let (manifest, pending) = (self.manifest(id), self.pending(id));
        fs::rename(&manifest, &pending).could_not("remove backup", quoted(&manifest))?;
        self.remove_data(id)?;
        remove_if_there(&pending)
    }

    /// Keeps others from counting backups while one is published, and from publishing while some are counted and removed.
    ///
    /// # Errors
    ///
    /// When another process has it for longer than [`PATIENCE`].
    pub fn hold(&self) -> Result<FolderLock> {
        let folder = File::open(&self.path).could_not("open", quoted(&self.path))?;
        let start = Instant::now();
        loop {
            match folder.try_lock() {
                Err(TryLockError::WouldBlock) if start.elapsed() < PATIENCE => sleep(Duration::from_millis(2)),
                Err(TryLockError::WouldBlock) => {
                    let cause = format!("another process has locked it for {} s", PATIENCE.as_secs());
                    return Err(Error::could_not("change backups in", quoted(&self.path), cause).hint("run again"));
                }
                // Some network file systems lock no folders: then only the order of the renames protects.
                Ok(()) | Err(TryLockError::Error(_)) => return Ok(FolderLock { _folder: folder }),
            }
        }
    }

    /// Whether this is the folder that the target's name gives.
    fn is_own(&self) -> bool {
        real(&self.path) == real(&own_folder(&self.target))
    }

    /// The way from the folder to the target.
    fn way_to_target(&self) -> PathBuf {
        let (folder, target) = (real(&self.path), &self.target);
        let common = folder.components().zip(target.components()).take_while(|(one, other)| one == other).count();
        let up = folder.components().skip(common).map(|_| Component::ParentDir);
        up.chain(target.components().skip(common)).collect()
    }
}

/// Held while backups are published or removed.
#[derive(Debug)]
pub(crate) struct FolderLock {
    _folder: File,
}

/// The path without links; of what does not exist yet, as far as it does.
fn real(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    for existing in absolute.ancestors() {
        if let Ok(found) = fs::canonicalize(existing) {
            let rest = absolute.strip_prefix(existing).unwrap_or(Path::new(""));
            return found.join(rest).components().collect();
        }
    }
    absolute
}

/// Whether a file is there, or it cannot be told: then whoever reads it says why.
pub(crate) fn is_there(path: &Path) -> bool {
    fs::exists(path).unwrap_or(true)
}

fn own_folder(target: &Path) -> PathBuf {
    let mut name = OsString::from(target.file_name().unwrap_or_default());
    name.push(OWN_SUFFIX);
    target.with_file_name(name)
}

pub(super) fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error).could_not("remove backup", quoted(path)),
        _ => Ok(()),
    }
}

const ID_PATTERN: &str = "00000000T000000.000Z-xxxxxx";

/// The id of a backup and what comes behind it in the name of a file.
fn id_and_suffix(name: &str) -> Option<(&str, &str)> {
    let (id, suffix) = name.split_at_checked(ID_PATTERN.len())?;
    Some((id, suffix.strip_prefix('.')?)).filter(|(id, _)| is_id(id))
}

/// `20261120T184333.120Z-1a2b3c`: other files in the directory are not ours.
fn is_id(text: &str) -> bool {
    let pattern = ID_PATTERN;
    text.len() == pattern.len()
        && text.bytes().zip(pattern.bytes()).all(|(byte, wanted)| match wanted {
            b'0' => byte.is_ascii_digit(),
            b'x' => byte.is_ascii_hexdigit(),
            _ => byte == wanted,
        })
}
