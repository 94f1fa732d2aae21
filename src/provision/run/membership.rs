//! A process' part in the server of a run.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::super::process::{Owner, Process};
use crate::error::{Context, Result};

/// This process' part in the run's server.
#[derive(Debug)]
pub(in crate::provision) struct Membership {
    /// The process that removes the server.
    pub(in crate::provision) keeper: Owner,
    pub(super) databases: PathBuf,
}

impl Membership {
    /// Has the keeper drop a database when this process is gone, or when the run is.
    pub(in crate::provision) fn guard(&self, database: &str, for_the_run: bool) -> Result<()> {
        let owner = Process::of(std::process::id()).filter(|_| !for_the_run);
        let text = owner.map_or("run".to_owned(), |process| process.to_string());
        let file = self.databases.join(database);
        std::fs::write(&file, text + "\n").could_not("write", format!("`{}`", file.display()))
    }

    /// The database is gone.
    pub(in crate::provision) fn release(&self, database: &str) {
        // A name too many is dropped with IF EXISTS.
        let _ = std::fs::remove_file(self.databases.join(database));
    }
}

/// Writes a file for this user only, in one step.
pub(super) fn write_private(path: &Path, text: &str) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let object = || format!("`{}`", path.display());
    let unfinished = path.with_extension("new");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)
        .could_not("write", object())?;
    file.write_all(text.as_bytes()).could_not("write", object())?;
    std::fs::rename(&unfinished, path).could_not("write", object())
}
