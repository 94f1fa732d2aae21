//! Every value is the same, by digest.
//!
//! Steps: take the digests that were made of the source's rows while they were copied; read the published file again
//! and digest its rows; read what the file itself remembers; compare all three, and ask what verification said.
//! Constraints: none. This is the checker's own view; `second opinion` is the one that shares no code with it.

use super::super::case::Case;
use super::{Property, Verdict};
use crate::cancel::Cancel;
use crate::endpoint::sqlite::digest;
use crate::error::{Context, Result};
use crate::event::nobody;
use crate::to_sqlite::Outcome;
use std::collections::BTreeMap;
use std::path::Path;

pub(super) const PROPERTY: Property = Property { name: "digests", says: "every value is the same, by digest", ask };

fn ask(case: &mut Case<'_>) -> Result<Verdict> {
    let remembered = case.remembered_digests().could_not("read the manifest of", "the target")?;
    of(case.outcome()?, &case.target, remembered)
}

/// Compares what a run has copied with what is in its target, and with what that remembers.
pub(in super::super) fn of(
    outcome: &Outcome,
    target: &Path,
    remembered: Option<BTreeMap<String, String>>,
) -> Result<Verdict> {
    let mut findings = Vec::new();
    if let Err(error) = outcome.verification.ensure_sound() {
        findings.push(format!("published, although verification found: {}", error.cause()));
    }
    let read_back = digest::of_tables(target, &outcome.plan.tables, &Cancel::new(), &nobody)?;
    for ((table, copied), found) in outcome.plan.tables.iter().zip(&outcome.copied).zip(&read_back) {
        let source = &table.source;
        if copied.digest != found.digest {
            findings.push(format!("table `{source}`: {} was copied, {} is there", copied.digest, found.digest));
        }
        if found.ledger_surplus > 0 {
            findings.push(format!("table `{source}`: {} entries of the ledger say nothing", found.ledger_surplus));
        }
        if let Some(remembered) = &remembered
            && remembered.get(&source.to_string()) != Some(&copied.digest.to_string())
        {
            findings.push(format!("table `{source}`: the file remembers another digest than {}", copied.digest));
        }
    }
    if read_back.len() != outcome.copied.len() || outcome.copied.len() != outcome.plan.tables.len() {
        findings.push("not every table of the plan was copied and read back".to_owned());
    }
    Ok(Verdict::of(findings))
}
