//! Backups, what a rollback and what a clean-up did, as text.

use super::text::{Align, bytes, columns, count, duration, shell};
use crate::backup::list::{Entry, Others, State};
use crate::backup::manifest::{Kind, Manifest, Reason};
use crate::backup::prune::Pruned;
use crate::backup::restore::Restored;
use crate::endpoint::sqlite::file::shown;
use crate::endpoint::sqlite::optimize::Optimized;
use crate::printable::Lines;
use std::path::Path;
use std::time::Duration;

/// The backups of a target, newest first.
pub fn list(target: &Path, directory: Option<&Path>, entries: &[Entry], others: &[Others]) -> Lines {
    let mut elsewhere = Lines::new();
    for other in others {
        let number = count(other.backups as u64, "backup", "backups");
        let (target, place) = (shell(&other.target), place(directory));
        elsewhere.line(format_args!(
            "of another target in the same folder: {number}; to see: whimbrel backups {target}{place}"
        ));
    }
    if entries.is_empty() {
        let mut text = Lines::of(format_args!("there is no backup of {}", shown(target)));
        if directory.is_none() {
            text.line("backups in another directory, as a project can name it, are found with `--backups DIR`");
        }
        text.append(&elsewhere);
        return text;
    }
    let mut rows = vec![["backup", "taken", "size", "before", "state"].map(str::to_owned).to_vec()];
    for entry in entries {
        let manifest = entry.manifest.as_ref();
        rows.push(vec![
            entry.id.clone(),
            manifest.map_or_else(|| "?".to_owned(), |manifest| manifest.taken_at.clone()),
            manifest.map_or_else(|| "?".to_owned(), size),
            manifest.map_or_else(|| "?".to_owned(), before),
            described(entry),
        ]);
    }
    use Align::{Left, Right};
    let mut text = columns("", &[Left, Left, Right, Left, Left], &rows);
    let place = place(directory);
    if entries.iter().any(|entry| entry.state == State::NotRead) {
        text.blank();
        text.line(format_args!("to read them all: whimbrel backups {} --check{place}", shell(target)));
    } else {
        text.blank();
    }
    text.line(format_args!("to go back to one: whimbrel rollback {} --to BACKUP{place}", shell(target)));
    text.append(&elsewhere);
    text
}

/// The option that names a directory of backups, where it is not the usual one.
fn place(directory: Option<&Path>) -> String {
    directory.map_or_else(String::new, |directory| format!(" --backups {}", shell(directory)))
}

fn size(manifest: &Manifest) -> String {
    match manifest.kind {
        Kind::Database | Kind::Tree => match manifest.compressed_bytes {
            Some(compressed_bytes) => format!("{}, compressed {}", bytes(manifest.size_bytes), bytes(compressed_bytes)),
            None => bytes(manifest.size_bytes),
        },
        Kind::Empty => "empty file".to_owned(),
        Kind::Absent => "no file".to_owned(),
    }
}

fn before(manifest: &Manifest) -> String {
    let what = match manifest.reason {
        Reason::BeforeMigrate => "migrate from",
        Reason::BeforeRollback => "rollback to",
        Reason::BeforeCutover => "cutover to",
        Reason::OnRequest => return "-".to_owned(),
    };
    format!("{what} {}", manifest.source)
}

/// What was found of a backup, in words, and whether its target cannot be told.
pub fn described(entry: &Entry) -> String {
    let unknown = if entry.target_known { "" } else { "; whose backup it is cannot be told" };
    state(&entry.state) + unknown
}

fn state(state: &State) -> String {
    match state {
        State::Intact => "intact".to_owned(),
        State::NotRead => "not read".to_owned(),
        State::Damaged { why } => format!("DAMAGED: {why}"),
        State::FileMissing => "BROKEN: its file is missing".to_owned(),
        State::ManifestMissing => "BROKEN: its manifest is missing".to_owned(),
        State::ManifestUnreadable { why } => format!("BROKEN: its manifest cannot be read: {why}"),
    }
}

/// What a rollback did; `directory` is where the backups are, if not in the usual place.
pub fn restored(restored: &Restored, directory: Option<&Path>) -> Lines {
    let target = shown(&restored.target);
    let mut text = Lines::of(match restored.restored.kind {
        Kind::Database | Kind::Tree => format!(
            "{target} is backup {} again, {}, digest {}",
            restored.restored.id,
            bytes(restored.restored.size_bytes),
            restored.digest.as_deref().unwrap_or("none"),
        ),
        Kind::Empty => format!("{target} is an empty file again, as backup {} says", restored.restored.id),
        Kind::Absent => {
            let what = if restored.replaced.kind == Kind::Tree { "tree" } else { "file" };
            format!("{target} is gone again: there was no {what} before, as backup {} says", restored.restored.id)
        }
    });
    for note in &restored.notes {
        text.line(format_args!("note: {note}"));
    }
    if !restored.durable {
        text.line("note: the directory could not be synced: a power failure now may undo this");
    }
    let id = &restored.replaced.id;
    let kept = match (restored.restored.kind, restored.replaced.kind) {
        (Kind::Absent, kind @ (Kind::Database | Kind::Tree)) => {
            let size = bytes(restored.replaced.size_bytes);
            let what = if kind == Kind::Tree { "tree" } else { "file" };
            format!("the {what} that was there ({size}) was backed up first, as {id}; to get it back")
        }
        _ => format!("backup {id} keeps what it replaced; to undo this"),
    };
    let (target, place) = (shell(&restored.target), place(directory));
    text.line(format_args!("{kept}: whimbrel rollback {target} --to {id}{place}"));
    text
}

/// A backup that was asked for; `directory` is where the backups are, if not in the usual place.
pub fn taken(target: &Path, directory: Option<&Path>, backup: &Manifest, took: Duration) -> Lines {
    let id = &backup.id;
    let digest = backup.digest.as_ref().map_or_else(String::new, |digest| format!(", digest {digest}"));
    let mut text = Lines::of(format_args!(
        "{} is backed up as {id}: {}{digest}, in {}",
        shown(target),
        size(backup),
        duration(took)
    ));
    text.line(format_args!("to go back to it: whimbrel rollback {} --to {id}{}", shell(target), place(directory)));
    text
}

/// What a clean-up of backups did.
pub fn pruned(pruned: &Pruned) -> Lines {
    let mut text = Lines::of(format_args!(
        "removed {} ({}), kept {}",
        count(pruned.removed.len() as u64, "backup", "backups"),
        bytes(pruned.removed_bytes),
        pruned.kept.len()
    ));
    for id in &pruned.removed {
        text.line(format_args!("  removed {id}"));
    }
    if !pruned.compressed.is_empty() {
        let number = count(pruned.compressed.len() as u64, "backup", "backups");
        text.line(format_args!("compressed {number} ({} less)", bytes(pruned.compressed_saved_bytes)));
    }
    for id in &pruned.compressed {
        text.line(format_args!("  compressed {id}"));
    }
    for failed in &pruned.not_compressed {
        text.line(format_args!("  not compressed: {}: {}", failed.id, failed.why));
    }
    for id in &pruned.broken {
        text.line(format_args!("  left alone: {id} is broken"));
    }
    if pruned.of_other_targets > 0 {
        let number = count(pruned.of_other_targets as u64, "backup", "backups");
        text.line(format_args!("  left alone: {number} of other targets in the same folder"));
    }
    text
}

/// What an optimization did.
pub fn optimized(optimized: &Optimized, took: Duration) -> Lines {
    let mut text = Lines::of(format_args!(
        "{}: {} before, {} after, {} of statistics, in {}{}",
        shown(&optimized.path),
        bytes(optimized.size_bytes_before),
        bytes(optimized.size_bytes_after),
        count(optimized.statistics, "row", "rows"),
        duration(took),
        if optimized.vacuumed { ", pages packed again" } else { "" }
    ));
    for index in &optimized.rebuilt {
        text.line(format_args!("  full-text index `{index}` was rebuilt and checked"));
    }
    text
}
