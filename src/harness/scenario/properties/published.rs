//! Valid rows are migrated: the run ends with the target published.
//!
//! Steps: migrate into the target, over whatever is there, with everything verified.
//! Constraints: the source accepted the rows. Values at which a run stops by design (NaN where there has to be a number,
//! times that share one number of microseconds in a unique key) are not among them, see `rows::without_stops`. A run
//! that stops leaves the old target as it was.

use super::super::case::Case;
use super::{Property, Verdict};
use crate::catalog::QualifiedName;
use crate::error::Result;
use crate::verify::Verification;
use crate::verify::diff::{RowDifference, RowDifferenceKind};

pub(super) const PROPERTY: Property =
    Property { name: "published", says: "valid rows are migrated, verified and published", ask };

/// So many rows and objects of each kind are listed.
const LISTED_MAX: usize = 3;

fn ask(case: &mut Case<'_>) -> Result<Verdict> {
    let mut findings = match case.migrate_first() {
        Ok(None) => return Ok(Verdict::Holds),
        Ok(Some(verification)) => differences(&verification),
        Err(error) => vec![match error.way_out() {
            Some(hint) => format!("{error} (hint: {hint})"),
            None => error.to_string(),
        }],
    };
    // All or nothing: whatever stopped the run, the target is what it was before.
    if !case.target_is_old()? {
        findings.push("and the target is not what it was before".to_owned());
    }
    Ok(Verdict::of(findings))
}

/// What verification found, the first of each kind.
pub(in super::super) fn differences(verification: &Verification) -> Vec<String> {
    let mut findings = Vec::new();
    for table in verification.tables.iter().filter(|table| !table.is_sound()) {
        let rows = table.differences.as_ref().map_or(&[][..], |differences| &differences.rows);
        findings.extend(rows.iter().take(LISTED_MAX).map(|row| row_difference(&table.source, row)));
        if let Some(failure) = &table.failure {
            findings.push(format!("table `{}` cannot be read back: {failure}", table.source));
        } else if rows.is_empty() {
            findings.push(format!("table `{}` differs", table.source));
        }
    }
    findings.extend(verification.findings.objects.iter().take(LISTED_MAX).cloned());
    for check in verification.findings.checks.iter().filter(|check| check.violations > 0) {
        let first = check.rows.first().map(|row| row.join(", ")).unwrap_or_default();
        let rows = if check.violations == 1 { "row" } else { "rows" };
        findings.push(format!("check `{}` found {} {rows}, the first: {first}", check.file, check.violations));
    }
    // Foreign keys and structure, which have no rows of their own to show.
    if findings.is_empty()
        && let Err(error) = verification.ensure_sound()
    {
        findings.push(error.to_string());
    }
    findings
}

fn row_difference(table: &QualifiedName, row: &RowDifference) -> String {
    let value = |text: &Option<String>| text.as_ref().map_or("NULL".to_owned(), |text| format!("`{text}`"));
    let columns: Vec<String> = (row.columns.iter())
        .map(|one| {
            format!("column `{}`: the source has {}, the target {}", one.column, value(&one.source), value(&one.target))
        })
        .collect();
    let matter = match row.kind {
        RowDifferenceKind::Missing => "the target lacks it".to_owned(),
        RowDifferenceKind::Surplus => "the source does not have it".to_owned(),
        RowDifferenceKind::Changed => columns.join("; "),
    };
    format!("table `{table}`, row {}: {matter}", row.key)
}
