//! A dump of a case's database, and the file that it becomes.

use super::fixture::Fixture;
use crate::cancel::Cancel;
use crate::catalog::Catalog;
use crate::endpoint::dump::{DumpPlace, DumpSource};
use crate::endpoint::{PostgresUrl, Source};
use crate::error::Result;
use crate::event::nobody;
use crate::harness::Seed;
use crate::provision;
use crate::to_sqlite::{Attempt, attempt};
use crate::verify::Level;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The forms of which a case takes one: a script, and an archive as it is written to a pipe.
const FORMS: [(&str, &[&str]); 2] = [("dump.sql", &["--create"]), ("archive.dump", &["-Fc"])];

/// What became of a dump.
pub(super) struct Dumped {
    /// What it says of its schema.
    pub catalog: Arc<Catalog>,
    /// The migration of it.
    pub attempt: Attempt,
    /// Where that went.
    pub target: PathBuf,
}

/// A dump under way, or already made.
pub(super) enum Making {
    /// There is no program that makes dumps of this server.
    NoProgram,
    /// It was made under that name, which tells its form, and read or not.
    Made(&'static str, Result<Dumped>),
}

/// Makes a dump of the database at that URL in the form that the seed chooses, and migrates it.
///
/// # Errors
/// When there is no server any more, or the dump cannot be made. That it cannot be read is told in what is returned.
pub(super) fn make(fixture: &Fixture, url: &PostgresUrl, seed: Seed, folder: &Path, cancel: &Cancel) -> Result<Making> {
    let Some(program) = provision::shared()?.dump_program() else { return Ok(Making::NoProgram) };
    let (name, options) = FORMS[usize::from(seed.of("form of the dump").random().chance(0.5))];
    let path = folder.join(name);
    program.write(url.secret(), options, &path)?;
    let read = || {
        let mut source = DumpSource::open(&DumpPlace::at(&path), cancel)?;
        let catalog = source.catalog()?;
        let target = folder.join("dump.db");
        let put_schema = |path: &Path| fixture.put_schema(path);
        // What is in it is compared with the first file, which was verified in full.
        let job = fixture.settings.job(&target, Level::Counts, &put_schema);
        let attempt = attempt(&mut source, &job, cancel, &nobody)?;
        Ok(Dumped { catalog, attempt, target: target.clone() })
    };
    Ok(Making::Made(name, read()))
}
