//! Whether a file that rows are read from is sound, which reading its rows alone does not show: an index may lack entries, a page
//! may belong to nothing, a column may hold a NULL that it does not take.
//!
//! Invariant: what is said is said of the state that is read, whoever writes meanwhile. It is proven on other connections, which
//! see what is there by then; where somebody has written, SQLite's own check looks at the state itself.

use super::file::quoted;
use super::proof::{self, Verdict};
use super::read::{describe, open};
use super::structure::integrity_of;
use crate::cancel::Cancel;
use crate::endpoint::Level;
use crate::endpoint::findings::{Depth, Integrity};
use crate::error::Result;
use rusqlite::Connection;
use std::path::{Path, PathBuf};

/// So many findings are told apart, rows that break a constraint from damage.
const TOLD_MAX: usize = 10_000;

/// Knows whether others have written into a file since.
pub(super) struct Watch {
    connection: Connection,
    path: PathBuf,
    cancel: Cancel,
    version: i64,
}

impl Watch {
    /// Begins to watch, before a state is taken.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub(super) fn begin(path: &Path, cancel: &Cancel) -> Result<Self> {
        let connection = open(path, &cancel.flag())?;
        let version = version(&connection, path)?;
        Ok(Watch { connection, path: path.to_owned(), cancel: cancel.clone(), version })
    }

    /// The structure of the state that `reader` has taken.
    ///
    /// # Errors
    /// When the file cannot be read, or somebody asks to stop. What is found is not an error.
    pub(super) fn integrity(&self, reader: &Connection, level: Level) -> Result<Integrity> {
        let mut verdict = proof::prove(&self.connection, &self.path, &self.cancel)?;
        if version(&self.connection, &self.path)? != self.version {
            verdict = Verdict::Unproven;
        }
        let by_sqlite = || integrity_of(reader, quoted(&self.path), Depth::Full, TOLD_MAX);
        match verdict {
            Verdict::Sound { .. } if level < Level::Paranoid => Ok(Integrity::sound()),
            Verdict::Sound { .. } | Verdict::Unproven => by_sqlite(),
            Verdict::Wrong(sentences) => by_sqlite().map(|found| found.or(&sentences, TOLD_MAX)),
        }
    }
}

fn version(connection: &Connection, path: &Path) -> Result<i64> {
    proof::data_version(connection).map_err(|error| describe("read", quoted(path), error))
}
