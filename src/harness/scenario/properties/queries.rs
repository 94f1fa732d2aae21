//! Every query of the project runs on the migrated file.
//!
//! Steps: prepare each file of the project's `queries/` on the published file, with its parameters unset, and read
//! every row that it returns.
//! Constraints: a project without queries is not asked. How fast they are is not asked here, with so few rows: that is
//! `whimbrel latency`, which holds them against their targets at a stated number of rows.

use super::super::case::Case;
use super::checks::sql_files;
use super::{Property, Verdict};
use crate::error::{Context, Result};

pub(super) const PROPERTY: Property = Property { name: "queries", says: "every query of the project runs", ask };

fn ask(case: &mut Case<'_>) -> Result<Verdict> {
    let Some(folder) = &case.ground.settings.queries else {
        return Ok(Verdict::NotAsked("the project has no queries"));
    };
    let connection = case.open_target()?;
    let mut findings = Vec::new();
    for file in sql_files(folder)? {
        let object = format!("`{}`", file.display());
        let sql = std::fs::read_to_string(&file).could_not("read query", &object)?;
        let ran = connection.prepare(&sql).and_then(|mut statement| {
            let mut rows = statement.raw_query();
            while rows.next()?.is_some() {}
            Ok(())
        });
        if let Err(error) = ran {
            findings.push(format!("{object}: {error}"));
        }
    }
    Ok(Verdict::of(findings))
}
