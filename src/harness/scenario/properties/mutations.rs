//! The checker notices what is done to a finished file.
//!
//! Steps: make a change of the fixed catalogue (`harness::mutation`) at a random place of a copy of the published file;
//! verify the copy in full; the verification must find something. Which changes a case makes follows from its seed, so
//! the cases of a run go through the catalogue together; the kill rate is printed at the end.
//! Constraints: a change counts only where the file has something of the kind.

use super::super::case::Case;
use super::{Property, Verdict};
use crate::error::{Error, Result};
use crate::harness::mutation::{Subject, catalogue, kill};

pub(super) const PROPERTY: Property =
    Property { name: "mutations", says: "the checker notices a change of the finished file", ask };

/// How many changes a case makes.
const CHANGES: usize = 2;
/// How many it looks for a place for, until it has made those.
const TRIES_MAX: usize = 8;

fn ask(case: &mut Case<'_>) -> Result<Verdict> {
    let mut random = case.seed.of("mutations").random();
    let all: Vec<_> = catalogue().collect();
    let mut findings = Vec::new();
    let mut made = Vec::new();
    for _ in 0..TRIES_MAX {
        let Some(mutation) = random.pick(&all) else { break };
        let (outcome, source) = case.parts()?;
        let digests: Vec<_> = outcome.copied.iter().map(|copied| copied.digest).collect();
        let subject = Subject {
            target: &case_target(outcome)?,
            plan: &outcome.plan,
            source_digests: Some(&digests),
            metadata: outcome.ledger,
            checks: None,
        };
        let Some(kill) = kill(mutation, subject, source, &mut random)? else { continue };
        if !kill.noticed {
            findings.push(format!("`{}` was not noticed: {}", kill.mutation, kill.applied));
        }
        made.push((kill.mutation.to_owned(), kill.noticed));
        if made.len() == CHANGES {
            break;
        }
    }
    let none = made.is_empty();
    case.mutations.extend(made);
    Ok(match none {
        true => Verdict::NotAsked("the file has nothing that the chosen mutations change"),
        false => Verdict::of(findings),
    })
}

fn case_target(outcome: &crate::to_sqlite::Outcome) -> Result<std::path::PathBuf> {
    let published = outcome.published.as_ref().map(|published| published.target.clone());
    published.ok_or_else(|| Error::could_not("change", "the target", "nothing was published"))
}
