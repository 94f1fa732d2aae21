//! The source is only read.
//!
//! Steps: before the first migration and after everything else, ask the server for a fingerprint: of each table the
//! number of rows and a sum over each row's place, its writing and locking transactions and its text; of each sequence
//! where it stands; and how many relations, functions and types there are. Compare.
//! Constraints: the database is the case's own. A row that was rewritten with the same values has another place, and
//! one that was only locked has another `xmax`, so both are seen.

use super::super::case::Case;
use super::{Property, Verdict};
use crate::error::Result;

pub(super) const PROPERTY: Property = Property { name: "source untouched", says: "the source is only read", ask };

fn ask(case: &mut Case<'_>) -> Result<Verdict> {
    let after = case.fingerprint()?;
    let before = &case.before;
    let mut findings = Vec::new();
    for (object, facts) in before {
        match after.get(object) {
            Some(now) if now == facts => {}
            Some(now) => findings.push(format!("{object}: {facts} before, {now} now")),
            None => findings.push(format!("{object} is gone")),
        }
    }
    findings.extend(after.keys().filter(|object| !before.contains_key(*object)).map(|new| format!("{new} is new")));
    Ok(Verdict::of(findings))
}
