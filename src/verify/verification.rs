//! What comparing two sides has found.

use super::diff::Differences;
use crate::catalog::QualifiedName;
use crate::endpoint::findings::{ForeignKeys, Integrity, OrphanCause};
use crate::endpoint::inexact::{self, InexactColumn};
use crate::endpoint::{Findings, Level, TableProof};
use crate::error::{Error, Result};
use crate::plan::TablePlan;
use crate::value::{TableDigest, TextDigest};
use serde::Serialize;

/// How many tables an error names.
const NAMED_MAX: usize = 5;

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Verification {
    /// How much was checked.
    pub level: Level,
    /// Each table.
    pub tables: Vec<TableCheck>,
    /// What the target shows of itself besides its rows.
    #[serde(flatten)]
    pub findings: Findings,
    /// Columns that do not hold every value of their source, where no ledger keeps the rest: their values were compared
    /// only as far as that goes.
    pub inexact: Vec<InexactColumn>,
    /// Somebody has allowed that there are such columns.
    pub inexact_allowed: bool,
}

/// One table's part of a verification.
#[derive(Debug, Clone, Serialize)]
pub struct TableCheck {
    /// The table in the source.
    pub source: QualifiedName,
    /// Its name in the target.
    pub target: String,
    /// Rows in the source.
    pub source_rows: u64,
    /// Rows read back from the target; `None` where the table cannot be read.
    pub target_rows: Option<u64>,
    /// Whether every value is the same; `None` where the level leaves values out.
    pub same_values: Option<bool>,
    /// The digest of the source's rows, and of the target's.
    pub digests: Option<(TableDigest, TableDigest)>,
    /// The digest that the source computed by itself, and the same of the target's values; `None` where the level leaves
    /// it out or the source computes none.
    pub own_digests: Option<(TextDigest, TextDigest)>,
    /// Entries of the ledger for the table that say nothing about any of its values; none should.
    pub ledger_surplus: u64,
    /// The rows that differ, where they were looked for.
    pub differences: Option<Differences>,
    /// Why the table could not be read back.
    pub failure: Option<String>,
}

impl TableCheck {
    /// Nothing was found.
    pub fn is_sound(&self) -> bool {
        self.failure.is_none()
            && self.target_rows == Some(self.source_rows)
            && self.same_values != Some(false)
            && self.source_agrees() != Some(false)
            && self.ledger_surplus == 0
    }

    /// Whether the digest that the source computed by itself is the target's; `None` where there is none.
    pub fn source_agrees(&self) -> Option<bool> {
        self.own_digests.map(|(own, target)| own == target)
    }
}

impl Verification {
    /// Nothing was found.
    pub fn is_sound(&self) -> bool {
        self.is_sound_but_for_checks() && self.findings.checks.iter().all(|check| check.violations == 0)
    }

    /// Nothing was found but values that their columns do not hold whole, and that.
    pub fn only_lacks_a_ledger(&self) -> bool {
        !self.is_sound() && Verification { inexact_allowed: true, ..self.clone() }.is_sound()
    }

    /// What there is to do where nothing was found but rows without their parent, which the source has as well.
    pub fn only_repeats_orphans(&self) -> Option<String> {
        let keys = self.findings.foreign_keys.as_ref().filter(|keys| !keys.is_sound())?;
        let findings = Findings { foreign_keys: None, ..self.findings.clone() };
        let is_all = Verification { findings, ..self.clone() }.is_sound() && keys.unusable.is_empty();
        keys.way_out().filter(|_| is_all)
    }

    /// Nothing but rows of the project's checks was found, if that.
    pub fn is_sound_but_for_checks(&self) -> bool {
        self.is_sound_but_for_inexact_values() && (self.inexact_allowed || self.inexact.is_empty())
    }

    fn is_sound_but_for_inexact_values(&self) -> bool {
        let Findings { objects, record, foreign_keys, integrity, source_integrity, .. } = &self.findings;
        self.tables.iter().all(TableCheck::is_sound)
            && objects.is_empty()
            && record.is_empty()
            && foreign_keys.as_ref().is_none_or(ForeignKeys::is_sound)
            && [integrity, source_integrity].iter().all(|found| found.as_ref().is_none_or(Integrity::is_sound))
    }

    /// An error that tells what was found, in one sentence.
    ///
    /// # Errors
    /// When anything was found.
    pub fn ensure_sound(&self) -> Result<()> {
        if self.is_sound() {
            return Ok(());
        }
        let Findings { objects, record, foreign_keys, integrity, source_integrity, checks, .. } = &self.findings;
        let mut found = Vec::new();
        let different: Vec<_> = self.tables.iter().filter(|table| !table.is_sound()).collect();
        found.extend(different.iter().take(NAMED_MAX).map(|table| format!("table `{}` differs", table.source)));
        if different.len() > NAMED_MAX {
            found.push(format!("{} more tables differ", different.len() - NAMED_MAX));
        }
        let count = |number: u64, one: &str, many: &str| format!("{number} {}", if number == 1 { one } else { many });
        if !objects.is_empty() {
            found.push(count(objects.len() as u64, "object differs", "objects differ"));
        }
        if !record.is_empty() {
            let many = "things are not what they were when the file was finished";
            found.push(count(record.len() as u64, "thing is not what it was when the file was finished", many));
        }
        if !self.inexact_allowed && !self.inexact.is_empty() {
            let lost = inexact::total(&self.inexact);
            found.push(count(lost, "value is more than its column holds", "values are more than their columns hold"));
        }
        if let Some(keys) = foreign_keys.as_ref().filter(|keys| !keys.is_sound()) {
            let has = if keys.total == 1 { "has" } else { "have" };
            let rows = count(keys.total, "row", "rows");
            found.push(match keys.cause.as_ref().filter(|_| keys.unusable.is_empty()) {
                Some(OrphanCause::InSource(_)) => {
                    format!("{rows} of the source itself {has} no parent{}", keys.first())
                }
                Some(OrphanCause::LeftOut { .. }) => {
                    format!("{rows} {has} no parent, which is left out{}", keys.first())
                }
                None => count(keys.total + keys.unusable.len() as u64, "foreign key finding", "foreign key findings"),
            });
        }
        if let Some(integrity) = integrity.as_ref().filter(|integrity| !integrity.is_sound()) {
            found.push(count(integrity.total, "integrity finding", "integrity findings"));
        }
        if let Some(integrity) = source_integrity.as_ref().filter(|integrity| !integrity.is_sound()) {
            let [one, many] = ["integrity finding in the source", "integrity findings in the source"];
            found.push(count(integrity.total, one, many));
        }
        for check in checks.iter().filter(|check| check.violations > 0) {
            found.push(format!("check `{}` found {}", check.file, count(check.violations, "row", "rows")));
        }
        let error = Error::differs("verify", "", found.join(", "));
        Err(match (self.only_lacks_a_ledger(), self.only_repeats_orphans()) {
            (true, _) => error.hint(inexact::WAY_OUT),
            (_, Some(way_out)) => error.hint(way_out),
            _ if foreign_keys.as_ref().is_some_and(|keys| keys.total == 0 && !keys.unusable.is_empty()) => {
                error.hint("let the references named above lead to a PRIMARY KEY or to UNIQUE columns of their parents, or to none")
            }
            _ => error,
        })
    }
}

impl TableCheck {
    /// A table's rows in the source, and what the target shows of them.
    pub(super) fn of(table: &TablePlan, source: &TableDigest, proof: TableProof) -> Self {
        let digest = proof.read.map(|read| read.digest);
        TableCheck {
            source: table.source.clone(),
            target: table.target.clone(),
            source_rows: source.rows,
            target_rows: proof.rows,
            same_values: digest.map(|target| target == *source),
            digests: digest.map(|target| (*source, target)),
            own_digests: None,
            ledger_surplus: proof.read.map_or(0, |read| read.ledger_surplus),
            differences: None,
            failure: proof.failure,
        }
    }
}
