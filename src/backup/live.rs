//! Taking a backup of a database that others go on using.
//!
//! One committed state is held while it is copied, by a transaction that only reads (`endpoint::sqlite::snapshot`), so that
//! the backup API never has to begin anew. With a write-ahead log others go on committing meanwhile, and the log grows by what
//! they write; without one they wait, as they do for every reader.
//!
//! What a run that is killed leaves is what `take` leaves: files that do not count, which the next run removes.

use std::path::Path;
use std::sync::Arc;

use crate::backup::manifest::{Kind, Manifest, digest_of_file};
use crate::backup::take::{TakeOptions, begin, copy, seal};
use crate::endpoint::sqlite::file::{Content, TargetFile, quoted};
use crate::endpoint::sqlite::read::open;
use crate::endpoint::sqlite::snapshot::Snapshot;
use crate::endpoint::sqlite::target_lock::TargetLock;
use crate::error::{Error, Result};

const BACK_UP: &str = "back up";

/// Takes a backup of the database at `target` that counts at once. `wait_ms` is how long to wait for a run of this program
/// that is about to replace it, in milliseconds.
///
/// # Errors
///
/// When there is no database, it cannot be read, the disk does not take the copy, or somebody asks to stop. Then nothing is
/// left of it.
pub fn take_live(target: &Path, wait_ms: u32, options: TakeOptions<'_>) -> Result<Manifest> {
    let lock = TargetLock::take_to(BACK_UP, target, wait_ms, options.cancel)?;
    let file = TargetFile::inspect(lock.target())?;
    let refused = |cause: &str| Err(Error::could_not(BACK_UP, quoted(&file.path), cause));
    let kind = match file.content {
        Content::Missing => {
            return refused("there is no such file")
                .map_err(|error| error.hint("name the SQLite file, or the tree of files, that is to be backed up"));
        }
        Content::Foreign => return refused("it is not a SQLite database, or it is encrypted"),
        Content::Empty => Kind::Empty,
        Content::Database { .. } => Kind::Database,
    };
    let mode = file.attributes.map(|attributes| attributes.mode);
    let mut pending = begin(&file.path, kind, mode, &[], options)?;
    pending.like = file.attributes;
    let mut copied = None;
    if kind == Kind::Database {
        // Nobody else may read what is not in the folder yet; and the copy looks at the flag between its steps.
        let staging = pending.staging()?;
        let connection = open(&file.path, &Arc::default()).map_err(|error| error.while_doing(BACK_UP))?;
        let snapshot = Snapshot::begin(&connection).map_err(|error| error.while_doing(BACK_UP))?;
        copy(snapshot.connection(), &file.path, snapshot.header(), staging.path(), options.cancel)?;
        drop(snapshot);
        drop(connection);
        let found = digest_of_file(staging.path())?;
        pending.manifest.identical = false;
        copied = Some((staging, found));
    }
    let (staging, found) = copied.unzip();
    seal(&mut pending, staging, found)?;
    Ok(pending.publish()?.keep())
}
