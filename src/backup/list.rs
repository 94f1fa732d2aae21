//! The backups of a target, newest first, the broken ones marked.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::backup::content;
use crate::backup::folder::{Folder, Owner, is_there};
use crate::backup::manifest::{Manifest, Provenance, digest};
use crate::endpoint::sqlite::file::{quoted, serialize_shown};
use crate::error::{Context, Result};

/// How closely a backup is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Check {
    /// The manifest and the size of the file.
    Size,
    /// The whole file is read and its digest compared.
    Digest,
}

/// What was found of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
#[non_exhaustive]
pub enum State {
    /// All of it was read and is what was written.
    Intact,
    /// Manifest and file are there, and the size is right; the file was not read.
    NotRead,
    /// Its file is not what was written.
    Damaged {
        /// What differs.
        why: String,
    },
    /// The manifest is there, the file is not.
    FileMissing,
    /// The file is there, the manifest is not.
    ManifestMissing,
    /// The manifest cannot be read.
    ManifestUnreadable {
        /// Why not.
        why: String,
    },
}

impl State {
    /// Something is wrong with it.
    pub fn is_broken(&self) -> bool {
        !matches!(self, State::Intact | State::NotRead)
    }
}

/// One backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its id.
    pub id: String,
    /// What was found of it.
    #[serde(flatten)]
    pub state: State,
    /// Where its file is, or would be.
    #[serde(serialize_with = "serialize_shown")]
    pub file: PathBuf,
    /// What it says about itself.
    pub manifest: Option<Manifest>,
    /// It is known to be of the target that was asked for. False where its manifest does not tell whose it is.
    pub target_known: bool,
}

/// Backups of another target in the same folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Others {
    /// The path of that target, links followed, as its manifests say.
    #[serde(serialize_with = "serialize_shown")]
    pub target: PathBuf,
    /// How many there are.
    pub backups: usize,
}

/// The backups of `target`, newest first, and those whose target cannot be told. `directory` is where they are, if not
/// beside it; backups of other targets there are left out.
///
/// # Errors
///
/// When the directory cannot be listed. A broken backup is an entry, not an error.
pub fn list(target: &Path, directory: Option<&Path>, check: Check) -> Result<Vec<Entry>> {
    let folder = Folder::of(target, directory)?;
    let ids = folder.ids()?;
    Ok(ids.into_iter().rev().filter(|id| !is_of_another(&folder, id)).map(|id| look_at(&folder, id, check)).collect())
}

/// The backups of other targets in the folder that `target`'s are in.
///
/// # Errors
///
/// When the directory cannot be listed.
pub fn others(target: &Path, directory: Option<&Path>) -> Result<Vec<Others>> {
    let folder = Folder::of(target, directory)?;
    let mut counts: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for id in folder.ids()? {
        if let Owner::Other(target) = owner_of(&folder, &id) {
            *counts.entry(target).or_default() += 1;
        }
    }
    Ok(counts.into_iter().map(|(target, backups)| Others { target, backups }).collect())
}

/// Whose a backup is, as far as its manifest can be read.
pub(crate) fn owner_of(folder: &Folder, id: &str) -> Owner {
    Provenance::read(&folder.manifest(id)).map_or(Owner::Unknown, |provenance| folder.owner(&provenance))
}

pub(crate) fn is_of_another(folder: &Folder, id: &str) -> bool {
    matches!(owner_of(folder, id), Owner::Other(_))
}

/// Looks at one backup that is not another target's.
pub(crate) fn look_at(folder: &Folder, id: String, check: Check) -> Entry {
    let entry = look_once(folder, id, check);
    // Another run may have put its compressed form in its place meanwhile.
    let is_changed = |entry: &Entry| Manifest::read(&folder.manifest(&entry.id)).ok() != entry.manifest;
    match entry.state {
        State::FileMissing if is_changed(&entry) => look_once(folder, entry.id, check),
        _ => entry,
    }
}

fn look_once(folder: &Folder, id: String, check: Check) -> Entry {
    let (mut file, manifest_path) = (folder.any_data(&id), folder.manifest(&id));
    let target_known = owner_of(folder, &id) == Owner::Asked;
    let manifest = Manifest::read(&manifest_path);
    if let Ok(manifest) = &manifest
        && manifest.id == id
    {
        file = folder.file(manifest);
    }
    let entry = |state, file, manifest| Entry { id: id.clone(), state, file, manifest, target_known };
    if !is_there(&manifest_path) {
        return entry(State::ManifestMissing, file, None);
    }
    match manifest {
        Err(error) => entry(State::ManifestUnreadable { why: error.cause().to_string() }, file, None),
        Ok(manifest) if manifest.id != id => {
            let why = format!("it belongs to `{}`", manifest.id);
            entry(State::ManifestUnreadable { why }, file, None)
        }
        Ok(manifest) => entry(state(&manifest, &file, check), file, Some(manifest)),
    }
}

fn state(manifest: &Manifest, file: &Path, check: Check) -> State {
    if !manifest.kind.has_file() {
        return State::Intact;
    }
    let size_bytes = match fs::metadata(file) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == ErrorKind::NotFound => return State::FileMissing,
        Err(error) => return State::Damaged { why: error.to_string() },
    };
    let written_bytes = manifest.stored_bytes();
    if size_bytes != written_bytes {
        return State::Damaged { why: format!("it has {size_bytes} bytes, {written_bytes} were written") };
    }
    if check == Check::Size {
        return State::NotRead;
    }
    match content::open(file, manifest).and_then(|content| digest(content).could_not("read", quoted(file))) {
        Ok((digest, _)) if Some(&digest) == manifest.digest.as_ref() => State::Intact,
        Ok((digest, _)) => {
            let written = manifest.digest.as_deref().unwrap_or("not recorded");
            State::Damaged { why: format!("its digest is `{digest}`, the manifest says `{written}`") }
        }
        Err(_) if !is_there(file) => State::FileMissing,
        Err(error) => State::Damaged { why: error.cause().to_owned() },
    }
}
