//! Rolling back restores the old file byte for byte, and rolling that back the new one.
//!
//! Steps: keep the bytes of the published file; put back what the run had backed up; compare with the bytes that were
//! there before the run (no file, an empty one, another program's database in either journal mode, an earlier target, and
//! one whose last commit is only in its `-wal`, as a program leaves it that was killed);
//! roll back the rollback; compare with the bytes of the published file.
//! Constraints: nobody has the old file open. What a `-wal` holds is moved into the main file, which is then the same
//! database with other bytes: there, every definition and every row is compared.

use super::super::case::Case;
use super::super::existing_target::ExistingTarget;
use super::{Property, Verdict};
use crate::backup::publish::Published;
use crate::backup::restore::{RestoreOptions, Which, restore};
use crate::cancel::Cancel;
use crate::error::{Context, Error, Result};
use std::path::Path;

pub(super) const PROPERTY: Property =
    Property { name: "rollback", says: "rolling back restores the old file byte for byte", ask };

fn ask(case: &mut Case<'_>) -> Result<Verdict> {
    let Some(published) = &case.outcome()?.published else {
        return Err(Error::could_not("roll back", "", "nothing was published"));
    };
    of(&case.target, &case.old, published)
}

/// Rolls a target back to what was there before it, and forth.
pub(in super::super) fn of(target: &Path, old: &ExistingTarget, published: &Published) -> Result<Verdict> {
    let flag = Cancel::new().flag();
    let options = RestoreOptions { directory: None, wait_ms: 0, cancel: &flag };
    let new = std::fs::read(target).could_not("read", "the target")?;
    let mut findings = Vec::new();
    if old.is_one_file() && !published.backup.identical {
        findings.push("the backup says that it is not identical, and nobody had the file open".to_owned());
    }
    let restored = restore(target, &Which::Id(published.backup.id.clone()), options)?;
    if !old.is_at(target)? {
        findings.push(format!("after a rollback to {}, the target is something else", old.words()));
    }
    restore(target, &Which::Id(restored.replaced.id), options)?;
    if std::fs::read(target).could_not("read", "the target")? != new {
        findings.push("after rolling back the rollback, the target is not the file that was published".to_owned());
    }
    Ok(Verdict::of(findings))
}
