//! The backups of a target, newest first, the broken ones marked.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::backup::manifest::{Kind, Manifest, digest_of_file, directory_of};
use crate::endpoint::sqlite::file::{TargetFile, quoted};
use crate::error::{Context, Result};

/// How closely a backup is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// The manifest and the size of the file.
    Size,
    /// The whole file is read and its digest compared.
    Digest,
}

/// What was found of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
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
    pub file: PathBuf,
    /// What it says about itself.
    pub manifest: Option<Manifest>,
}

/// The backups of `target`, newest first. `directory` is where they are, if not beside it.
///
/// # Errors
///
/// When the directory cannot be listed. A broken backup is an entry, not an error.
pub fn list(target: &Path, directory: Option<&Path>, check: Check) -> Result<Vec<Entry>> {
    let directory = directory_of(&TargetFile::inspect(target)?, directory);
    Ok(ids(&directory)?.into_iter().rev().map(|id| look_at(&directory, id, check)).collect())
}

/// Looks at one backup.
pub(crate) fn look_at(directory: &Path, id: String, check: Check) -> Entry {
    let file = directory.join(format!("{id}.db"));
    let manifest_path = directory.join(format!("{id}.json"));
    if !manifest_path.exists() {
        return Entry { id, state: State::ManifestMissing, file, manifest: None };
    }
    match Manifest::read(&manifest_path) {
        Err(error) => {
            let why = error.cause().to_string();
            Entry { id, state: State::ManifestUnreadable { why }, file, manifest: None }
        }
        Ok(manifest) if manifest.id != id => {
            let why = format!("it belongs to `{}`", manifest.id);
            Entry { id, state: State::ManifestUnreadable { why }, file, manifest: None }
        }
        Ok(manifest) => Entry { id, state: state(&manifest, &file, check), file, manifest: Some(manifest) },
    }
}

fn state(manifest: &Manifest, file: &Path, check: Check) -> State {
    if manifest.kind != Kind::Database {
        return State::Intact;
    }
    let size_bytes = match fs::metadata(file) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == ErrorKind::NotFound => return State::FileMissing,
        Err(error) => return State::Damaged { why: error.to_string() },
    };
    if size_bytes != manifest.size_bytes {
        return State::Damaged { why: format!("it has {size_bytes} bytes, {} were written", manifest.size_bytes) };
    }
    if check == Check::Size {
        return State::NotRead;
    }
    match digest_of_file(file) {
        Ok((digest, _)) if Some(&digest) == manifest.digest.as_ref() => State::Intact,
        Ok((digest, _)) => {
            let written = manifest.digest.as_deref().unwrap_or("not recorded");
            State::Damaged { why: format!("its digest is `{digest}`, the manifest says `{written}`") }
        }
        Err(error) => State::Damaged { why: error.to_string() },
    }
}

/// The ids in a directory, oldest first; none where the directory does not exist.
pub(crate) fn ids(directory: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).could_not("list backups in", quoted(directory)),
    };
    let mut ids = BTreeSet::new();
    for entry in entries {
        let name = entry.could_not("list backups in", quoted(directory))?.file_name();
        let Some(name) = name.to_str() else { continue };
        if let Some(id) = name.strip_suffix(".db").or_else(|| name.strip_suffix(".json"))
            && is_id(id)
        {
            ids.insert(id.to_string());
        }
    }
    Ok(ids.into_iter().collect())
}

/// `20261120T184333.120Z-1a2b3c`: other files in the directory are not ours.
fn is_id(text: &str) -> bool {
    let pattern = "00000000T000000.000Z-xxxxxx";
    text.len() == pattern.len()
        && text.bytes().zip(pattern.bytes()).all(|(byte, wanted)| match wanted {
            b'0' => byte.is_ascii_digit(),
            b'x' => byte.is_ascii_hexdigit(),
            _ => byte == wanted,
        })
}
