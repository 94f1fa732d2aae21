//! The target's schema, taken down and up again, is what it was, and rows that have a place on the way survive.
//!
//! Steps: copy the migrated file; take its schema down to a version that the seed chooses, by the project's own `down`
//! scripts, and look at the rows there; take it up to the newest again; compare every definition with what it was
//! before, and every row that survived the way down.
//! Constraints: a project without versioned target schema is not asked. Down to nothing no row survives; down `lossless`
//! scripts every row does, as far as the older version has its columns, and after the way up it has every value again;
//! down a `lossy` one, what the older version had a place for is there again. Tables without a source are left out:
//! their rows (the schema's own version) belong to the version.

use super::super::case::{Case, open};
use super::super::content::{Rows, rows};
use super::{Property, Verdict};
use crate::error::{Context, Result};
use crate::schema::{Dialect, Migrations, Object, Reversal, Runner, RunnerOptions, To, compare};
use std::path::Path;

pub(super) const PROPERTY: Property =
    Property { name: "schema round trip", says: "schema up, down, up is the identity", ask };

fn ask(case: &mut Case<'_>) -> Result<Verdict> {
    let Some(folder) = &case.fixture.settings.schema else {
        return Ok(Verdict::NotAsked("the target's schema is derived"));
    };
    let migrations = Migrations::from_dir(folder)?;
    let versions: Vec<i64> = migrations.iter().map(|migration| migration.version).collect();
    let floor = versions.len() - 1 - case.seed.of("schema version").random().below(versions.len() as u64) as usize;
    let lossless = migrations
        .iter()
        .skip(floor)
        .map(|migration| migration.reversal().map(|reversal| reversal == Reversal::Lossless))
        .collect::<Result<Vec<_>>>()?
        .iter()
        .all(|lossless| *lossless);
    let copy = case.folder.path().join("round-trip.db");
    std::fs::copy(&case.target, &copy).could_not("copy", "the target")?;
    let down_to = if floor == 0 { 0 } else { versions[floor - 1] };
    let planned: Vec<&str> = case.outcome()?.plan.tables.iter().map(|table| table.target.as_str()).collect();
    round_trip(&copy, migrations, down_to, lossless && down_to > 0, &planned)
}

fn round_trip(path: &Path, migrations: Migrations, down_to: i64, lossless: bool, planned: &[&str]) -> Result<Verdict> {
    let options = RunnerOptions { allow_pending: true, ..RunnerOptions::default() };
    let mut runner = Runner::open_file(path, migrations, options)?;
    let rows = || Ok::<_, crate::Error>(rows(&open(path)?)?.of_tables(planned));
    let before = (runner.objects()?, rows()?);
    runner.down(To::Version(down_to))?;
    let below = rows()?;
    let mut findings = below.differences(&before.1, false, &format!("down to version {down_to}"));
    runner.up(To::Newest)?;
    let after = (runner.objects()?, rows()?);
    findings.extend(differences(&before.0, &after.0));
    // What the older version had a place for, the newest has again; after lossless scripts that is everything.
    let kept: &Rows = if lossless { &before.1 } else { &below };
    findings.extend(after.1.differences(kept, lossless, &format!("up again from version {down_to}")));
    Ok(Verdict::of(findings))
}

fn differences(before: &[Object], after: &[Object]) -> Vec<String> {
    compare(before, after, Dialect::Sqlite).iter().map(|difference| format!("up again: {difference}")).collect()
}
