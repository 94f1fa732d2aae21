//! What a sync is about to write into files, kept beside the SQLite file until its commit.
//!
//! The files take their places before the base is committed. A run that ends in between leaves files that say something else than
//! the base does, and no user has changed them. From here the next run knows what it may find: a record that files have as they were
//! to get it was the same on both sides at that moment, so that is its base, and whatever its row says by now is a later change.
//!
//! Where files have neither that nor what the base says, somebody has changed them since, and nobody knows from which of the
//! two: such a record gets a base that neither side has, so that it is the same on both sides or in conflict, and never undone.

use super::base::{Base, Paths};
use super::files::Files;
use super::record::{Id, Side};
use crate::endpoint::sqlite::file::quoted;
use crate::endpoint::sqlite::staging::{beside, sync_directory};
use crate::error::{Context, Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

const FORMAT: u32 = 1;

/// The hash of a base that neither side has.
const UNKNOWN: u128 = 1;

/// What ended runs have written, or not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pending {
    /// What each record was to be in files; `None` where it was to go. More than one where several runs have ended.
    records: BTreeMap<Id, Vec<Option<u128>>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    format: u32,
    /// The digest of what the SQLite file remembered: with another one, the commit has been.
    digest: String,
    /// Table, kind and key of each record, and the hashes of what it was to be.
    records: Vec<(u16, u16, String, Vec<Option<String>>)>,
}

fn number(text: &str) -> Option<u128> {
    u128::from_str_radix(text, 16).ok()
}

impl Pending {
    /// What runs have left whose base is still the one of the SQLite file.
    ///
    /// # Errors
    /// When there is something that cannot be read, or that this program and user have not written.
    pub fn read(file: &Path, digest: &str) -> Result<Pending> {
        let place = beside(file, "pending");
        let refused = |cause: &str| {
            Error::could_not("read what an ended sync has left in", quoted(&place), cause)
                .hint("nothing was changed; look who has written it, and remove it if no sync has")
        };
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        let mut opened = match options.open(&place) {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Pending::default()),
            Err(error) => return Err(refused(&error.to_string())),
        };
        let metadata = opened.metadata().could_not("inspect", quoted(&place))?;
        if !metadata.is_file() || metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(refused("it is no file of this user"));
        }
        let mut text = Vec::new();
        opened.read_to_end(&mut text).could_not("read", quoted(&place))?;
        let kept: Kept = serde_json::from_slice(&text).map_err(|error| refused(&error.to_string()))?;
        if kept.format != FORMAT {
            return Err(refused(&format!("it has form {}, this program knows form {FORMAT}", kept.format)));
        }
        let mut pending = Pending::default();
        if kept.digest != digest {
            return Ok(pending);
        }
        for (table, kind, key, hashes) in kept.records {
            let key = number(&key).ok_or_else(|| refused("a key in it is none"))?;
            let hashes = hashes.iter().map(|hash| match hash {
                None => Some(None),
                Some(hash) => number(hash).map(Some),
            });
            let hashes: Option<Vec<_>> = hashes.collect();
            pending.records.insert(Id { table, kind, key }, hashes.ok_or_else(|| refused("a hash in it is none"))?);
        }
        Ok(pending)
    }

    /// Whether no run has left anything.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The same, and what is to be written now.
    #[must_use]
    pub fn with(mut self, records: impl Iterator<Item = (Id, Option<u128>)>) -> Pending {
        for (id, hash) in records {
            let known = self.records.entry(id).or_default();
            if !known.contains(&hash) {
                known.push(hash);
            }
        }
        self
    }

    /// Keeps it, on the disk.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self, file: &Path, digest: &str) -> Result<()> {
        let (place, passing) = (beside(file, "pending"), beside(file, "pending.tmp"));
        let hex = |hash: &u128| format!("{hash:032x}");
        let records = self.records.iter().map(|(id, hashes)| {
            (id.table, id.kind, hex(&id.key), hashes.iter().map(|hash| hash.as_ref().map(hex)).collect())
        });
        let kept = Kept { format: FORMAT, digest: digest.to_owned(), records: records.collect() };
        let write = || -> io::Result<()> {
            match fs::remove_file(&passing) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
            let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&passing)?;
            new.write_all(&serde_json::to_vec(&kept)?)?;
            new.sync_all()?;
            fs::rename(&passing, &place)
        };
        write().map_err(|error| {
            let _ = fs::remove_file(&passing);
            Error::could_not("write", quoted(&place), error)
                .hint("nothing was changed; free space on that disk, and run again")
        })?;
        sync_directory(place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))
    }

    /// Gives the records that ended runs have written the base that they have since.
    pub fn settle(&self, base: &mut Base, files: &Files, paths: &Paths) {
        for (id, written) in &self.records {
            let before = base.hash(*id);
            let now = match files.side(*id, base, paths) {
                Side::Same => before,
                Side::Gone => None,
                Side::Is(hash) => Some(hash),
            };
            let hash = match now {
                _ if written.contains(&now) => now,
                _ if now == before => continue,
                _ => Some(UNKNOWN),
            };
            match hash.zip(files.path_of(*id, base)) {
                Some((hash, path)) => base.records.insert(*id, hash, path),
                None => base.records.remove(id),
            }
        }
    }
}

/// Forgets it: the commit has been.
pub fn forget(file: &Path) {
    // One that stays has the digest of an older base, and is not believed.
    for ending in ["pending", "pending.tmp"] {
        let _ = fs::remove_file(beside(file, ending));
    }
}
