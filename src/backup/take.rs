//! Taking a backup of a target that is held exclusively.
//!
//! Invariants:
//! - The content comes through SQLite's online backup API, never from a file copy: committed pages may still be in
//!   the `-wal`.
//! - The backup is synced to the disk with its manifest before `take` returns. It does not count yet: nobody else sees it
//!   (see `folder`). `publish` makes it count by one rename, and until `keep` is called, a drop takes that back and removes
//!   both files, so a run that fails leaves none, and none that others have counted meanwhile.
//! - The backup is the target byte for byte. The API copies every page, used or free, with its reserved bytes, and
//!   then commits the copy as a change of its own, which rewrites 20 bytes of the header; they are put back (see
//!   `header`). For a target whose log still held content it is the file that a checkpoint would have made. After
//!   that, the file that was copied is read once more and compared; the manifest says whether it was identical. What
//!   remains different: spare room behind the last page, and the page at 1 GiB that SQLite keeps for its locks and
//!   never uses.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use crate::backup::folder::{Folder, FolderLock};
use crate::backup::manifest::{ALGORITHM, FORMAT, Kind, Manifest, Reason, digest, digest_of_file, new_id};
use crate::endpoint::sqlite::access::{Access, PAGES_PER_STEP};
use crate::endpoint::sqlite::file::{Attributes, Content, TargetFile, quoted};
use crate::endpoint::sqlite::header::{HEADER_BYTES, OpenFile, REWRITTEN};
use crate::endpoint::sqlite::pragma;
use crate::endpoint::sqlite::read::describe;
use crate::endpoint::sqlite::staging::{Staging, cannot_write, remove_left_overs, sync_directory};
use crate::error::{Context, Error, Result};
use crate::fault::{self, Fault};

/// Where a backup goes and what its manifest says.
#[derive(Debug, Clone, Copy)]
pub struct TakeOptions<'a> {
    /// Another directory than the one beside the target.
    pub directory: Option<&'a Path>,
    /// Why the backup is taken.
    pub reason: Reason,
    /// Where the new content comes from, without a password.
    pub source: &'a str,
    /// The digest of everything that the new content remembers, where it remembers anything.
    pub replacement_digest: Option<&'a str>,
    /// Set to stop.
    pub cancel: &'a AtomicBool,
}

/// A finished backup that does not count yet, and is removed unless it is published and kept.
#[derive(Debug)]
pub struct PendingBackup {
    pub(super) manifest: Manifest,
    folder: Folder,
    folder_created: bool,
    /// Whose permissions and owner the backup has.
    pub(super) like: Option<Attributes>,
    /// The manifest's file, locked by this process; none before it is written.
    file: Option<Staging>,
    kept: bool,
}

impl PendingBackup {
    /// What is known about it.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn target_name(&self) -> &OsStr {
        self.folder.target.file_name().unwrap_or_default()
    }

    /// A file in the folder that nobody sees.
    pub(super) fn staging(&self) -> Result<Staging> {
        Staging::create_in(&self.folder.path, self.target_name())
    }

    /// Makes it count, durably. While others are kept from counting backups, that can still be taken back: by a drop.
    ///
    /// # Errors
    ///
    /// When the rename or the sync fails, or another process has the folder.
    pub fn publish(mut self) -> Result<PublishedBackup> {
        let held = self.folder.hold()?;
        let name = self.folder.manifest(&self.manifest.id);
        match &mut self.file {
            Some(file) => file.move_to_new(&name)?,
            None => return Err(Error::could_not("keep backup", quoted(&name), "its manifest was not written")),
        }
        let published = PublishedBackup { backup: self, _held: held };
        let folder = &published.backup.folder.path;
        sync_directory(folder)?;
        if let Some(parent) = folder.parent().filter(|parent| published.backup.folder_created && parent.is_dir()) {
            sync_directory(parent)?;
        }
        Ok(published)
    }
}

/// A backup that counts. Dropped, it ceases to and is removed, unless it is kept.
#[derive(Debug)]
pub struct PublishedBackup {
    backup: PendingBackup,
    _held: FolderLock,
}

impl PublishedBackup {
    /// Keeps it: the target has been replaced.
    pub fn keep(mut self) -> Manifest {
        self.backup.kept = true;
        if let Some(file) = self.backup.file.take() {
            file.keep();
        }
        self.backup.manifest.clone()
    }
}

impl Drop for PendingBackup {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let (id, folder) = (&self.manifest.id, &self.folder);
        // Whatever of this fails: what still counts is whole, and what does not is removed by the next run.
        if let Some(mut file) = self.file.take() {
            if file.path() == folder.manifest(id) && file.move_to_new(&folder.pending(id)).is_err() {
                return file.keep();
            }
            let _ = fs::remove_file(folder.data(id, self.manifest.kind));
        }
        if self.folder_created {
            let _ = fs::remove_dir(&folder.path);
        }
    }
}

/// Takes a backup of `target`. `access` holds it; none where there is no file.
///
/// # Errors
///
/// When the directory or the disk does not take it, when the target cannot be read, or when somebody asks to stop.
/// Then nothing is left of it.
pub fn take(target: &TargetFile, access: Option<&Access>, options: TakeOptions<'_>) -> Result<PendingBackup> {
    let kind = match target.content {
        Content::Missing => Kind::Absent,
        Content::Empty => Kind::Empty,
        Content::Database { .. } | Content::Foreign => Kind::Database,
    };
    let mode = target.attributes.map(|attributes| attributes.mode);
    let mut pending = begin(&target.path, kind, mode, &[], options)?;
    let mut copied = None;
    if kind == Kind::Database {
        let Some(access) = access else {
            return Err(Error::could_not("back up", quoted(&target.path), "the database is not held"));
        };
        let staging = pending.staging()?;
        let header = OpenFile::of(access.connection())?.header(access.path())?;
        copy(access.connection(), access.path(), &header, staging.path(), options.cancel)?;
        let found = digest_of_file(staging.path())?;
        pending.manifest.identical = source_digest(access)?.is_some_and(|source| source == found);
        copied = Some((staging, found));
    }
    let (staging, found) = copied.unzip();
    pending.like = target.attributes;
    seal(&mut pending, staging, found)?;
    Ok(pending)
}

/// Begins a backup of what `target` is: its id and what its manifest will say.
///
/// # Errors
///
/// When the folder cannot be used.
pub(super) fn begin(
    target: &Path,
    kind: Kind,
    mode: Option<u32>,
    ignored: &[String],
    options: TakeOptions<'_>,
) -> Result<PendingBackup> {
    let folder = Folder::of(target, options.directory)?;
    let folder_created = create_directory(&folder.path)?;
    folder.remove_left_overs()?;
    let (id, taken_at) = new_id(folder.newest_id()?.as_deref());
    let manifest = Manifest {
        format: FORMAT,
        id,
        kind,
        algorithm: ALGORITHM.into(),
        digest: None,
        size_bytes: 0,
        compressed_bytes: None,
        identical: true,
        taken_at,
        tool: concat!("whimbrel ", env!("CARGO_PKG_VERSION")).into(),
        source: options.source.into(),
        replacement_digest: options.replacement_digest.map(str::to_owned),
        reason: options.reason,
        provenance: folder.provenance(),
        mode,
        ignored: ignored.to_vec(),
    };
    // From here on a failure removes what was made, the directory included.
    let pending = PendingBackup { manifest, folder, folder_created, like: None, file: None, kept: false };
    remove_left_overs(&pending.folder.path.join(pending.target_name()))?;
    Ok(pending)
}

/// Gives a backup its file, where it has one, with its digest and size, and its manifest.
///
/// # Errors
///
/// When the disk does not take them.
pub(super) fn seal(pending: &mut PendingBackup, content: Option<Staging>, found: Option<(String, u64)>) -> Result<()> {
    let place = pending.folder.path.clone();
    // What a tree has is nobody else's business: each file in it has permissions of its own.
    let private = (pending.manifest.kind == Kind::Tree).then_some(0o600);
    if let Some((digest, size_bytes)) = found {
        pending.manifest.digest = Some(digest);
        pending.manifest.size_bytes = size_bytes;
    }
    if let Some(content) = &content {
        content.finish(pending.like.as_ref(), private)?;
    }
    let mut file = pending.staging()?;
    file.write(pending.manifest.text()?.as_bytes()).map_err(|error| cannot_write(&place, &error).because(error))?;
    file.finish(pending.like.as_ref(), private)?;
    file.move_to_new(&pending.folder.pending(&pending.manifest.id))?;
    pending.file = Some(file);
    // Last, so that the file is never there without a manifest that says whose it is.
    if let Some(content) = content {
        content.rename_to_new(&pending.folder.data(&pending.manifest.id, pending.manifest.kind))?;
    }
    Ok(())
}

/// Copies the committed content of the database at `source` to `path`, page by page, and puts its header back. `connection`
/// holds the state that is copied, and `header` is of it.
///
/// # Errors
///
/// When it cannot be read, the disk does not take it, or somebody asks to stop.
pub(super) fn copy(
    connection: &Connection,
    source: &Path,
    header: &[u8; HEADER_BYTES],
    path: &Path,
    cancel: &AtomicBool,
) -> Result<()> {
    let object = quoted(source);
    if fault::active(Fault::BackupAsFileCopy) {
        return fs::copy(source, path).could_not("back up", &object).map(drop);
    }
    let failed = |error: rusqlite::Error| describe("back up", &object, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut copy = Connection::open_with_flags(path, flags).map_err(failed)?;
    // The copy is synced once, at the end, and thrown away if anything fails before.
    for (name, value) in [("journal_mode", "off"), ("synchronous", "0"), ("locking_mode", "exclusive")] {
        pragma::set(&copy, name, value).map_err(failed)?;
    }
    let backup = Backup::new(connection, &mut copy).map_err(failed)?;
    loop {
        if cancel.load(Ordering::Relaxed) {
            return Err(Error::interrupted("back up"));
        }
        match backup.step(PAGES_PER_STEP).map_err(failed)? {
            StepResult::Done => break,
            StepResult::More => {}
            _ => return Err(Error::could_not("back up", &object, "the database is locked by another connection")),
        }
    }
    drop(backup);
    copy.close().map_err(|(_, error)| failed(error))?;
    let file =
        OpenOptions::new().write(true).custom_flags(libc::O_NOFOLLOW).open(path).could_not("back up", &object)?;
    for range in REWRITTEN {
        file.write_all_at(&header[range.clone()], range.start as u64).could_not("back up", &object)?;
    }
    file.sync_all().could_not("sync", quoted(path))
}

/// The digest and size of the held file itself; none while its log holds content that the file does not have.
fn source_digest(access: &Access) -> Result<Option<(String, u64)>> {
    let file = OpenFile::of(access.connection())?;
    let (frames, moved) = file.log_frames()?;
    if frames > moved {
        return Ok(None);
    }
    let size_bytes = file.size_bytes()?;
    digest(Bytes { file, offset: 0, size_bytes }).map(Some).could_not("read", quoted(access.path()))
}

struct Bytes<'a> {
    file: OpenFile<'a>,
    offset: u64,
    size_bytes: u64,
}

impl Read for Bytes<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(usize::try_from(self.size_bytes - self.offset).unwrap_or(usize::MAX));
        if length > 0 {
            self.file.read(&mut buffer[..length], self.offset).map_err(io::Error::other)?;
            self.offset += length as u64;
        }
        Ok(length)
    }
}

/// Returns whether the directory is new.
fn create_directory(directory: &Path) -> Result<bool> {
    match fs::create_dir(directory) {
        Ok(()) => Ok(true),
        Err(_) if directory.is_dir() => Ok(false),
        Err(error) => Err(Error::could_not("create backup directory", quoted(directory), &error)
            .hint("choose another directory for the backups")
            .because(error)),
    }
}
