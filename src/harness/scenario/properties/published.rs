//! Valid rows are migrated: the run ends with the target published.
//!
//! Steps: migrate into the target, over whatever is there, with everything verified.
//! Constraints: the source accepted the rows. Values at which a run stops by design (NaN where there has to be a number,
//! times that share one number of microseconds in a unique key) are not among them, see `rows::without_stops`. A run
//! that stops leaves the old target as it was.

use super::super::case::Case;
use super::{Property, Verdict};
use crate::error::Result;

pub(super) const PROPERTY: Property =
    Property { name: "published", says: "valid rows are migrated, verified and published", ask };

fn ask(case: &mut Case<'_>) -> Result<Verdict> {
    let told = match case.migrate_first() {
        Ok(()) => return Ok(Verdict::Holds),
        Err(error) => match error.way_out() {
            Some(hint) => format!("{error} (hint: {hint})"),
            None => error.to_string(),
        },
    };
    let mut findings = vec![told];
    // All or nothing: whatever stopped the run, the target is what it was before.
    if !case.target_is_old()? {
        findings.push("and the target is not what it was before".to_owned());
    }
    Ok(Verdict::of(findings))
}
