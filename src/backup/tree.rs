//! Backups of trees of files: an archive in the place of a copy; taken, restored and published as a file's are.
//!
//! The order is the one of `swap`, and so is what a crash leaves: the new tree is complete and synced; the archive of the old one is
//! complete, synced and read back, and pending; it counts; the trees are exchanged. The old tree has to be what was archived, before and
//! after the exchange: what another program has changed meanwhile is in no archive.
//!
//! What is ignored is in no archive and stays where it is, also when an archive is restored: the manifest has its patterns.

use std::fs::{self, OpenOptions};
use std::io::{self, BufReader, BufWriter};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::backup::content::{self, Stoppable};
use crate::backup::manifest::{Hashing, Kind, Manifest};
use crate::backup::swap::Swapped;
use crate::backup::take::{PendingBackup, TakeOptions, begin, seal};
use crate::endpoint::files::layout::path::PathPattern;
use crate::endpoint::files::tree::archive;
use crate::endpoint::files::tree::draft::{self, Draft, Ignored};
use crate::endpoint::files::tree::journal;
use crate::endpoint::files::tree::walk::Tree;
use crate::endpoint::sqlite::file::quoted;
use crate::error::{Context, Error, Result};

/// What is ignored, from the patterns that a layout or a manifest has.
///
/// # Errors
/// When a pattern is none.
pub fn ignored(patterns: &[String]) -> Result<Ignored> {
    let patterns = patterns
        .iter()
        .map(|text| PathPattern::glob(text).map_err(|fault| Error::could_not("ignore", format!("`{text}`"), fault)));
    let patterns = patterns.collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(move |path: &str| patterns.iter().any(|pattern| pattern.matches(path))))
}

/// Archives a tree that is to stay, as before a cutover; `patterns` tell what of it is ignored.
///
/// # Errors
/// When it cannot be read or archived; then nothing is left of the archive.
pub fn keep(root: &Path, patterns: &[String], options: TakeOptions<'_>) -> Result<Manifest> {
    journal::recover(root)?;
    let (backup, _) = take(&Tree::open(root)?, &ignored(patterns)?, patterns, options)?;
    Ok(backup.publish()?.keep())
}

/// Puts a finished draft in its target's place, and keeps what was there; `patterns` tell what the draft ignores.
///
/// # Errors
/// When the old tree cannot be archived or replaced. It is then what it was, and there is no backup; or the error says that the
/// exchange was begun, and the backup is there.
pub fn publish(draft: Draft, patterns: &[String], options: TakeOptions<'_>) -> Result<Swapped> {
    let target = draft.target().to_path_buf();
    let (backup, state) = match draft.old() {
        Some(old) => take(old, &ignored(patterns)?, patterns, options)?,
        None => (absent(&target, options)?, None),
    };
    exchange(&target, backup, options.cancel, || draft.publish(state))
}

fn exchange(
    target: &Path,
    backup: PendingBackup,
    cancel: &AtomicBool,
    publish: impl FnOnce() -> Result<draft::Published, journal::NotPublished>,
) -> Result<Swapped> {
    if cancel.load(Ordering::Relaxed) {
        return Err(Error::interrupted("publish"));
    }
    let backup = backup.publish()?;
    match publish() {
        Ok(draft::Published { durable, notes }) => {
            Ok(Swapped { target: target.to_path_buf(), backup: backup.keep(), durable, notes })
        }
        Err(failure) if failure.is_begun => {
            // Nothing else has the old tree whole.
            backup.keep();
            Err(failure.error)
        }
        Err(failure) => Err(failure.error),
    }
}

/// Puts the tree of a backup in the target's place, or takes the tree away where there was none. Returns what happened, and whether
/// what is there now is what the backup has.
///
/// # Errors
/// When the archive is not what was written, and whenever the tree cannot be replaced; it is then what it was.
pub(super) fn restore(
    target: &Path,
    file: &Path,
    manifest: &Manifest,
    options: TakeOptions<'_>,
) -> Result<(Swapped, bool)> {
    if manifest.kind == Kind::Absent {
        return Ok((remove(target, options)?, true));
    }
    let ignored = ignored(&manifest.ignored)?;
    let mut draft = Draft::begin(target, Arc::clone(&ignored))?;
    let object = format!("`{}`", manifest.id);
    let source = Stoppable { inner: content::open(file, manifest)?, cancel: options.cancel };
    let archived = archive::unpack(BufReader::with_capacity(1 << 18, source), &object, &mut draft)
        .map_err(|error| stopped(options.cancel, "roll back", error))?;
    draft.finish()?;
    let mut swapped = publish(draft, &manifest.ignored, options)?;
    // Its bytes were proven when they were unpacked; read back, they are what the disk has.
    match Tree::open(&swapped.target).and_then(|tree| archive::write(&tree, &*ignored, io::sink())) {
        Ok(now) => Ok((swapped, now.digest == archived.digest)),
        Err(error) => {
            swapped.notes.push(format!("the tree is in place, and could not be read back: {}", error.cause()));
            Ok((swapped, true))
        }
    }
}

fn remove(target: &Path, options: TakeOptions<'_>) -> Result<Swapped> {
    let tree = Tree::open(target)?;
    let nothing = ignored(&[])?;
    let (backup, state) = take(&tree, &nothing, &[], options)?;
    exchange(target, backup, options.cancel, || draft::remove(target, &nothing, state))
}

/// That there was no tree.
fn absent(target: &Path, options: TakeOptions<'_>) -> Result<PendingBackup> {
    let mut pending = begin(target, Kind::Absent, None, &[], options)?;
    seal(&mut pending, None, None)?;
    Ok(pending)
}

/// Archives a tree, reads the archive back, and writes its manifest. Also returns the state of the tree that was archived.
fn take(
    tree: &Tree,
    ignored: &Ignored,
    patterns: &[String],
    options: TakeOptions<'_>,
) -> Result<(PendingBackup, Option<u128>)> {
    let mode = fs::metadata(tree.path()).could_not("inspect", quoted(tree.path()))?.permissions().mode() & 0o7777;
    let mut pending = begin(tree.path(), Kind::Tree, Some(mode), patterns, options)?;
    let staging = pending.staging()?;
    let open = |options: &mut OpenOptions| options.custom_flags(libc::O_NOFOLLOW).open(staging.path());
    let file = open(OpenOptions::new().write(true)).could_not("write", quoted(staging.path()))?;
    let out = BufWriter::with_capacity(1 << 18, Stoppable { inner: file, cancel: options.cancel });
    let archived = archive::write(tree, &**ignored, out).map_err(|error| stopped(options.cancel, "back up", error))?;
    let mut hashing = Hashing::of(open(OpenOptions::new().read(true)).could_not("read", quoted(staging.path()))?);
    let object = quoted(staging.path());
    let read = archive::verify(BufReader::with_capacity(1 << 18, &mut hashing), &object)?;
    io::copy(&mut hashing, &mut io::sink()).could_not("read", &object)?;
    let (digest, size_bytes) = hashing.finish();
    if read.digest != archived.digest {
        return Err(Error::differs("back up", quoted(tree.path()), "its archive, read back, is not the tree")
            .hint("the tree was not touched; check the disk"));
    }
    seal(&mut pending, Some(staging), Some((digest, size_bytes)))?;
    Ok((pending, archived.state))
}

fn stopped(cancel: &AtomicBool, operation: &str, error: Error) -> Error {
    match cancel.load(Ordering::Relaxed) {
        true => Error::interrupted(operation),
        false => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::list::{Check, State, list};
    use crate::backup::manifest::Reason;
    use crate::backup::prune::prune;
    use crate::backup::restore::{RestoreOptions, Which, restore as roll_back};
    use std::path::PathBuf;

    static NEVER: AtomicBool = AtomicBool::new(false);

    fn options(reason: Reason) -> TakeOptions<'static> {
        TakeOptions { directory: None, reason, source: "app.db", replacement_digest: None, cancel: &NEVER }
    }

    fn back(target: &Path, which: &Which) -> Result<crate::backup::restore::Restored> {
        roll_back(target, which, RestoreOptions { directory: None, wait_ms: 0, cancel: &NEVER })
    }

    fn scratch() -> (tempfile::TempDir, PathBuf, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("out");
        fs::create_dir_all(root.join("d")).unwrap();
        fs::write(root.join("a.json"), "old a").unwrap();
        fs::write(root.join("d/b.json"), "old b").unwrap();
        fs::write(root.join("x.lock"), "locked").unwrap();
        (folder, root, vec!["*.lock".to_owned()])
    }

    fn replace(root: &Path, patterns: &[String]) -> Result<Swapped> {
        let mut draft = Draft::begin(root, ignored(patterns)?)?;
        draft.file("a.json", 0o600, None)?.fill(b"new a")?;
        draft.finish()?;
        publish(draft, patterns, options(Reason::BeforeMigrate))
    }

    fn texts(root: &Path) -> Vec<String> {
        let tree = Tree::open(root).unwrap();
        let entries = tree.entries().unwrap();
        entries.into_iter().map(|entry| format!("{} {:o}", entry.path, entry.mode)).collect()
    }

    #[test]
    fn a_tree_is_backed_up_listed_restored_and_pruned_as_a_file_is() {
        let (_folder, root, patterns) = scratch();
        let old = texts(&root);
        let swapped = replace(&root, &patterns).unwrap();
        assert_eq!((swapped.durable, swapped.backup.kind), (true, Kind::Tree));
        assert_eq!(swapped.backup.ignored, patterns);
        assert_eq!(texts(&root), ["a.json 600", "x.lock 644"]);
        fs::write(root.join("x.lock"), "locked since").unwrap();

        let entries = list(&root, None, Check::Digest).unwrap();
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].state, State::Intact);
        assert!(entries[0].file.extension().is_some_and(|ending| ending == "tar"));

        let restored = back(&root, &Which::Newest).unwrap();
        assert_eq!(restored.restored.id, swapped.backup.id);
        assert_eq!(restored.digest, swapped.backup.digest);
        assert_eq!(restored.replaced.kind, Kind::Tree);
        assert_eq!(texts(&root), old);
        assert_eq!(fs::read_to_string(root.join("d/b.json")).unwrap(), "old b");
        assert_eq!(fs::read_to_string(root.join("x.lock")).unwrap(), "locked since", "what is ignored stays");
        // And there again.
        back(&root, &Which::Newest).unwrap();
        assert_eq!(fs::read_to_string(root.join("a.json")).unwrap(), "new a");

        let pruned = prune(&root, None, 1).unwrap();
        assert_eq!((pruned.removed.len(), pruned.kept.len()), (2, 1));
        fs::remove_dir_all(&root).unwrap();
        let error = prune(&root, None, 0).unwrap_err();
        assert!(error.cause().contains("every copy"), "{error}");
        // A tree that is gone comes back.
        back(&root, &Which::Newest).unwrap();
        assert_eq!(fs::read_to_string(root.join("a.json")).unwrap(), "old a");
    }

    #[test]
    fn where_there_was_no_tree_it_is_taken_away_again() {
        let (folder, _, _) = scratch();
        let root = folder.path().join("new");
        let swapped = replace(&root, &[]).unwrap();
        assert_eq!(swapped.backup.kind, Kind::Absent);
        let restored = back(&root, &Which::Newest).unwrap();
        assert!(!root.exists());
        assert_eq!(restored.replaced.kind, Kind::Tree);
        back(&root, &Which::Newest).unwrap();
        assert_eq!(fs::read_to_string(root.join("a.json")).unwrap(), "new a");
    }

    #[test]
    fn a_tree_is_archived_before_a_cutover_and_stays() {
        let (_folder, root, patterns) = scratch();
        let old = texts(&root);
        let manifest = keep(&root, &patterns, options(Reason::BeforeCutover)).unwrap();
        assert_eq!((manifest.kind, manifest.reason), (Kind::Tree, Reason::BeforeCutover));
        assert_eq!(texts(&root), old);
        fs::write(root.join("a.json"), "changed").unwrap();
        back(&root, &Which::Id(manifest.id)).unwrap();
        assert_eq!(fs::read_to_string(root.join("a.json")).unwrap(), "old a");
    }

    #[test]
    fn a_damaged_archive_is_refused_and_a_file_is_no_tree() {
        let (_folder, root, patterns) = scratch();
        let swapped = replace(&root, &patterns).unwrap();
        let file = list(&root, None, Check::Size).unwrap().remove(0).file;
        let whole = fs::read(&file).unwrap();
        let mut damaged = whole.clone();
        damaged[700] ^= 1;
        fs::write(&file, &damaged).unwrap();
        let error = back(&root, &Which::Newest).unwrap_err();
        assert!(error.cause().contains("damaged"), "{error}");
        assert_eq!(fs::read_to_string(root.join("a.json")).unwrap(), "new a");
        fs::write(&file, &whole).unwrap();

        fs::rename(&root, root.with_file_name("aside")).unwrap();
        rusqlite::Connection::open(&root).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
        let error = back(&root, &Which::Id(swapped.backup.id)).unwrap_err();
        assert!(error.cause().contains("is a tree, and a file is there now"), "{error}");
    }

    #[test]
    fn what_fails_or_is_stopped_leaves_no_backup() {
        let (folder, root, patterns) = scratch();
        let old = texts(&root);
        let mut draft = Draft::begin(&root, ignored(&patterns).unwrap()).unwrap();
        draft.finish().unwrap();
        // Another run was faster.
        replace(&root, &patterns).unwrap();
        assert!(publish(draft, &patterns, options(Reason::BeforeMigrate)).is_err());
        assert_eq!(list(&root, None, Check::Digest).unwrap().len(), 1);
        back(&root, &Which::Newest).unwrap();
        assert_eq!(texts(&root), old);

        let stop = AtomicBool::new(true);
        let mut draft = Draft::begin(&root, ignored(&patterns).unwrap()).unwrap();
        draft.finish().unwrap();
        let stopping = TakeOptions { cancel: &stop, ..options(Reason::BeforeMigrate) };
        let error = publish(draft, &patterns, stopping).unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Interrupted);
        assert_eq!(list(&root, None, Check::Digest).unwrap().len(), 2);
        assert_eq!(texts(&root), old);
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "{names:?}");
    }
}
