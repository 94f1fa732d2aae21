//! Putting the compressed form of a backup's file in its place.
//!
//! The order, and what a kill leaves after each step:
//!
//! 1. the compressed file is complete under a temporary name, synced, read again and compared with the backup's digest: the
//!    next run removes it;
//! 2. it gets its name `<id>.db.zst`, and the folder is synced: the manifest still means `<id>.db`; the next run removes the
//!    compressed file ([`tidy`]);
//! 3. a manifest that means the compressed file takes the place of the other by one rename, and the folder is synced: both
//!    files are there, each whole;
//! 4. the original is removed. Until then the next run removes it, after it has read the compressed file once more.
//!
//! So at every moment the manifest means a file that is whole and on the disk. The steps from the second on are done while the
//! folder is held, after another look at the manifest: two runs may compress the same backup, or one may remove it.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::backup::content::{self, Stoppable, compress_all};
use crate::backup::folder::{Folder, is_there, remove_if_there};
use crate::backup::list::{Entry, State};
use crate::backup::manifest::{FORMAT_COMPRESSED, Hashing, Manifest, digest};
use crate::endpoint::sqlite::file::{Attributes, quoted};
use crate::endpoint::sqlite::staging::{Staging, cannot_write, sync_directory};
use crate::error::{Context, Error, Result};

const COMPRESSING: &str = "compress backup";

/// Compresses the file of a backup that was read and is whole. Returns its new manifest; nothing where somebody else has
/// compressed or removed it meanwhile.
///
/// # Errors
///
/// When the disk does not take it, when what was written is not the backup, or somebody asks to stop. The backup is then what
/// it was, or compressed with the original beside it.
pub(super) fn compress(folder: &Folder, manifest: &Manifest, cancel: &AtomicBool) -> Result<Option<Manifest>> {
    let original = folder.data(&manifest.id, manifest.kind);
    let mut compressed = written(folder, manifest, &original, cancel)?;
    let size_bytes = std::fs::metadata(compressed.path()).could_not(COMPRESSING, quoted(compressed.path()))?.len();
    let changed = Manifest { format: FORMAT_COMPRESSED, compressed_bytes: Some(size_bytes), ..manifest.clone() };

    let _held = folder.hold()?;
    let described = folder.manifest(&manifest.id);
    if !is_there(&described) || Manifest::read(&described)? != *manifest {
        return Ok(None);
    }
    let place = folder.compressed(&manifest.id, manifest.kind);
    remove_if_there(&place)?;
    compressed.move_to_new(&place)?;
    sync_directory(&folder.path)?;
    let beside = std::fs::metadata(&described).could_not(COMPRESSING, quoted(&described))?;
    let text = staging(folder)?;
    text.write(changed.text()?.as_bytes()).map_err(|error| cannot_write(&folder.path, &error).because(error))?;
    text.finish(Some(&Attributes::of(&beside)), None)?;
    text.rename_over(&described)?;
    // From here on the manifest means it.
    compressed.keep();
    sync_directory(&folder.path)?;
    remove_if_there(&original)?;
    sync_directory(&folder.path).map_err(|error| {
        let cause =
            format!("it is compressed, and a power failure now could bring its original back: {}", error.cause());
        Error::could_not(COMPRESSING, format!("`{}`", manifest.id), cause)
    })?;
    Ok(Some(changed))
}

/// The compressed file under a temporary name, on the disk, and proven to be the backup.
fn written(folder: &Folder, manifest: &Manifest, original: &Path, cancel: &AtomicBool) -> Result<Staging> {
    let object = format!("`{}`", manifest.id);
    let staging = staging(folder)?;
    let failed = |error: std::io::Error| match cancel.load(Ordering::Relaxed) {
        true => Error::interrupted_at(COMPRESSING, &object),
        false => Error::could_not(COMPRESSING, &object, &error).because(error),
    };
    let source = File::open(original).map_err(failed)?;
    let like = Attributes::of(&source.metadata().map_err(failed)?);
    let target = OpenOptions::new().write(true).custom_flags(libc::O_NOFOLLOW).open(staging.path()).map_err(failed)?;
    let mut source = Hashing::of(Stoppable { inner: source, cancel });
    compress_all(&mut source, target).map_err(failed)?;
    if Some(&source.finish().0) != manifest.digest.as_ref() {
        let cause = "its file is not what it was when it was read a moment ago";
        return Err(Error::differs(COMPRESSING, object, cause).hint("it was not touched; check the disk"));
    }
    staging.finish(Some(&like), None)?;
    // What is read again is to come from the disk, where the system lets go of what it remembers.
    let written = File::open(staging.path()).map_err(failed)?;
    forget(&written);
    let again = Manifest { compressed_bytes: Some(0), ..manifest.clone() };
    let content = Stoppable { inner: content::open(staging.path(), &again)?, cancel };
    let (found, size_bytes) = digest(content).map_err(failed)?;
    if (Some(&found), size_bytes) != (manifest.digest.as_ref(), manifest.size_bytes) {
        let cause = "its compressed form, read again, is not the backup";
        return Err(Error::differs(COMPRESSING, object, cause).hint("the backup was not touched; check the disk"));
    }
    Ok(staging)
}

/// Lets the system forget what it remembers of a file that is on the disk.
#[cfg(target_os = "linux")]
fn forget(file: &File) {
    // Where it cannot, what is read again comes from memory.
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
}

#[cfg(not(target_os = "linux"))]
fn forget(_: &File) {}

fn staging(folder: &Folder) -> Result<Staging> {
    Staging::create_in(&folder.path, folder.target.file_name().unwrap_or_default())
}

/// Removes the form of a backup's file that its manifest does not mean, which a killed run has left; the original only where
/// the compressed file was read and is whole.
///
/// # Errors
///
/// When it cannot be removed.
pub(super) fn tidy(folder: &Folder, entries: &[Entry]) -> Result<()> {
    for entry in entries.iter().filter(|entry| entry.state == State::Intact && entry.target_known) {
        let Some(manifest) = entry.manifest.as_ref().filter(|manifest| manifest.kind.has_file()) else { continue };
        let superfluous = match manifest.compressed_bytes {
            Some(_) => folder.data(&entry.id, manifest.kind),
            None => folder.compressed(&entry.id, manifest.kind),
        };
        if !is_there(&superfluous) {
            continue;
        }
        let _held = folder.hold()?;
        let described = folder.manifest(&entry.id);
        if is_there(&described) && Manifest::read(&described)? == *manifest {
            remove_if_there(&superfluous)?;
        }
    }
    Ok(())
}
