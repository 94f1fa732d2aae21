//! Taking over a database that somebody else has brought to its schema: the history is written, no script is run.
//!
//! What another tool's history says is believed only where it has checksums, as sqlx's. Otherwise the objects speak: what
//! the first migrations make in an empty database has to be what is there, object by object. Rows are not compared, those
//! that migrations insert included.

use std::time::SystemTime;

use serde::Serialize;

use super::checksum::is_sqlx_checksum;
use super::clock::rfc_3339;
use super::drift::{Difference, compare};
use super::history::{ForeignEntry, OtherHistory, TOOL_VERSION};
use super::plan::Step;
use super::runner::Runner;
use super::step::{counted, recorded};
use crate::{Error, Result};

/// What became of taking over a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Adoption {
    /// The database, without a password.
    pub endpoint: String,
    /// The version that it was taken for.
    pub version: i64,
    /// The migrations that the history has now; none where nothing was written.
    pub versions: Vec<i64>,
    /// The objects that are not what these migrations make.
    pub differences: Vec<Difference>,
    /// The table that had the history's name.
    pub other_history: Option<OtherHistory>,
}

impl Adoption {
    /// Whether the history was written.
    pub fn is_done(&self) -> bool {
        !self.versions.is_empty()
    }

    /// An error where it was not.
    ///
    /// # Errors
    /// When the database is not what the migrations make.
    pub fn into_result(self) -> Result<Adoption> {
        if self.is_done() {
            return Ok(self);
        }
        let told: Vec<String> = self.differences.iter().map(ToString::to_string).collect();
        let cause = format!("it is not what version {} makes: {}", self.version, told.join("; "));
        Err(Error::differs(ADOPTING, format!("`{}`", self.endpoint), cause).hint(MISMATCH))
    }
}

const ADOPTING: &str = "adopt";

/// What to do about a database that is not what a version makes.
pub(crate) const MISMATCH: &str = "bring the database to what that version makes, or write first migrations that make what it \
     has; `--accept-differences` takes it over as it is, and `validate` goes on to tell the differences";

impl Runner {
    /// Takes over a database at `version`: its objects have to be those that the migrations up to there make in an empty
    /// database, and then the history says that they were applied. None of their SQL runs on it. Another tool's table of
    /// the history's name stays under another one. With `accept_differences` the objects may be others; the remarks then
    /// say how many.
    ///
    /// # Errors
    /// When there is no such version, the database has a history already, or cannot be compared. Where it differs,
    /// nothing is written, and [`Adoption::into_result`] is an error.
    pub fn adopt(&mut self, version: i64, accept_differences: bool) -> Result<Adoption> {
        if self.migrations.get(version).is_none() {
            let known: Vec<String> = self.migrations.iter().map(|migration| migration.version.to_string()).collect();
            return Err(Error::usage(ADOPTING, format!("version `{version}`"), "there is no such migration")
                .hint(format!("known are {}", known.join(", "))));
        }
        self.locked(|runner| {
            let object = format!("`{}`", runner.database.endpoint());
            let other_history = runner.database.other_history()?;
            if other_history.is_none() && !runner.database.history()?.is_empty() {
                return Err(Error::could_not(ADOPTING, object, "the database has a history here already")
                    .hint("`schema status` shows it; `schema up` goes on from it"));
            }
            let migrations = runner.migrations.up_to(version);
            let dialect = runner.database.dialect();
            let expected = runner.database.objects_from_nothing(&migrations)??;
            let found = runner.database.objects()?;
            let differences = compare(&expected, &found, dialect);
            let mut adoption = Adoption {
                endpoint: runner.database.endpoint().to_owned(),
                version,
                versions: Vec::new(),
                differences,
                other_history,
            };
            if !adoption.differences.is_empty() && !accept_differences {
                return Ok(adoption);
            }
            let now = rfc_3339(SystemTime::now());
            let found = match adoption.differences.len() as u64 {
                0 => "its objects are those that the migrations make".to_owned(),
                differences => format!("{} accepted", counted(differences, "difference", "differences")),
            };
            let remark = format!("{now} adopted at version {version} by {TOOL_VERSION}: {found}\n");
            let rows = migrations.iter().map(|migration| {
                let row = ForeignEntry {
                    version: migration.version,
                    applied_at: now.clone(),
                    success: true,
                    checksum: Vec::new(),
                    duration_ms: 0,
                };
                Ok((recorded(migration, dialect)?, row))
            });
            let rows = rows.collect::<Result<Vec<_>>>()?;
            runner.database.record_adopted(&rows, &remark, adoption.other_history.as_ref())?;
            runner.confirm()?;
            adoption.versions = migrations.iter().map(|migration| migration.version).collect();
            Ok(adoption)
        })
    }

    /// Whether the database has objects, and no history that a runner has written: somebody else has made it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn needs_adoption(&mut self) -> Result<bool> {
        Ok(self.database.other_history()?.is_some()
            || (self.database.history()?.is_empty() && !self.database.objects()?.is_empty()))
    }

    /// Takes over the history of sqlx: each row of `_sqlx_migrations` whose file has the same checksum becomes a row
    /// here, and nothing is run. Gives the versions. The old table is left as it is.
    ///
    /// # Errors
    /// When the database has no such table, a row has no file or one with another checksum, or it is in use.
    pub fn adopt_sqlx(&mut self) -> Result<Vec<i64>> {
        self.locked(|runner| {
            let adopting = format!("`{}`", runner.database.endpoint());
            let refusal = |cause: String| Error::could_not("adopt `_sqlx_migrations` of", adopting.clone(), cause);
            if !runner.database.history()?.is_empty() {
                return Err(refusal("the database has a history here already".to_owned()));
            }
            let Some(rows) = runner.database.sqlx_history()? else {
                return Err(refusal("there is no such table".to_owned())
                    .hint("name the version whose objects the database has: `schema adopt … --version N`"));
            };
            let mut adopted: Vec<(Step, ForeignEntry)> = Vec::new();
            for row in rows {
                let Some(migration) = runner.migrations.get(row.version) else {
                    return Err(refusal(format!("version {} was applied, and its file is missing", row.version)));
                };
                if !row.success {
                    return Err(refusal(format!("version {} did not succeed", row.version))
                        .hint("repair the database by hand and correct that row first"));
                }
                if !is_sqlx_checksum(&migration.up, &row.checksum) {
                    return Err(refusal(format!("`{}` changed after it was applied", migration.file))
                        .hint("put the file back as it was"));
                }
                adopted.push((recorded(migration, runner.database.dialect())?, row));
            }
            let remark = format!("{} adopted from _sqlx_migrations by {}\n", rfc_3339(SystemTime::now()), TOOL_VERSION);
            runner.database.record_adopted(&adopted, &remark, None)?;
            runner.confirm()?;
            Ok(adopted.iter().map(|(step, _)| step.version).collect())
        })
    }
}
