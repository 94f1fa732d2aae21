//! One mutation tried: copy, change, verify. And how many of them were noticed.

use super::{Applied, Mutation};
use crate::cancel::Cancel;
use crate::endpoint::Source;
use crate::error::{Context, Kind, Result};
use crate::event::nobody;
use crate::harness::Random;
use crate::harness::scratch::scratch_folder;
use crate::plan::Plan;
use crate::value::TableDigest;
use crate::verify::{self, Level, Verification};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// The finished file that mutations are tried on. It is only copied.
#[derive(Clone, Copy)]
pub struct Subject<'s> {
    /// The closed file.
    pub target: &'s Path,
    /// The plan that it was made by.
    pub plan: &'s Plan,
    /// The digests of the source's rows in the order of the plan's tables, where the migration has told them; without
    /// them the source is read again each time.
    pub source_digests: Option<&'s [TableDigest]>,
    /// Whether the file keeps a ledger.
    pub metadata: bool,
    /// The project's folder of checks.
    pub checks: Option<&'s Path>,
}

/// A mutation that was made, and what verification said.
#[derive(Debug, Clone)]
pub struct Kill {
    /// The mutation's name.
    pub mutation: &'static str,
    /// What was changed.
    pub applied: Applied,
    /// Verification noticed.
    pub noticed: bool,
    /// What it said.
    pub told: String,
}

/// Tries a mutation on a copy of a finished file; `None` where the file has nothing of the kind.
///
/// # Errors
/// When the copy cannot be made or changed, the source cannot be read, or the file that was finished is itself
/// not sound.
pub fn kill(
    mutation: &Mutation,
    subject: Subject<'_>,
    source: &mut dyn Source,
    random: &mut Random,
) -> Result<Option<Kill>> {
    let directory = scratch_folder()?;
    let copy = directory.path().join("mutated.db");
    std::fs::copy(subject.target, &copy).could_not("copy", format!("`{}`", subject.target.display()))?;
    let Some(applied) = mutation.apply(&copy, subject.plan, random)? else { return Ok(None) };
    let kill = |noticed, told| Ok(Some(Kill { mutation: mutation.name, applied: applied.clone(), noticed, told }));
    match verify_copy(subject, source, &copy) {
        Ok(found) => match found.ensure_sound() {
            Ok(()) => kill(false, String::new()),
            Err(error) => kill(true, error.to_string()),
        },
        Err(error) if error.kind() == Kind::Differs => kill(true, error.to_string()),
        // The file cannot be read at all; that counts only where the file without the change can be.
        Err(error) => {
            verify_copy(subject, source, subject.target)?.ensure_sound()?;
            kill(true, error.to_string())
        }
    }
}

fn verify_copy(subject: Subject<'_>, source: &mut dyn Source, path: &Path) -> Result<Verification> {
    let request = verify::Request {
        path,
        plan: subject.plan,
        level: Level::Full,
        source_digests: subject.source_digests.map(<[TableDigest]>::to_vec),
        inexact: Vec::new(),
        allow_inexact: true,
        checks: subject.checks,
        metadata: subject.metadata,
        published: true,
    };
    verify::verify(request, source, &Cancel::new(), &nobody)
}

/// How often a mutation was made, and how often that was noticed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// How often it was made.
    pub tried: u64,
    /// How often verification noticed.
    pub noticed: u64,
}

/// The kill rate of the checker: per mutation, tried and noticed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct KillRate {
    /// By the mutation's name.
    pub mutations: BTreeMap<&'static str, Tally>,
    /// What was not noticed, one sentence each.
    pub survivors: Vec<String>,
}

impl KillRate {
    /// Counts one.
    pub fn add(&mut self, kill: &Kill) {
        let tally = self.mutations.entry(kill.mutation).or_default();
        tally.tried += 1;
        tally.noticed += u64::from(kill.noticed);
        if !kill.noticed {
            self.survivors.push(format!("{}: {}", kill.mutation, kill.applied));
        }
    }

    /// Counts everything of another one as well.
    pub fn merge(&mut self, other: &KillRate) {
        for (name, tally) in &other.mutations {
            let own = self.mutations.entry(name).or_default();
            own.tried += tally.tried;
            own.noticed += tally.noticed;
        }
        self.survivors.extend_from_slice(&other.survivors);
    }

    /// All of them together.
    pub fn total(&self) -> Tally {
        let mut total = Tally::default();
        for tally in self.mutations.values() {
            total.tried += tally.tried;
            total.noticed += tally.noticed;
        }
        total
    }

    /// The share that was noticed, from 0 to 1; `None` where nothing was tried.
    pub fn rate(&self) -> Option<f64> {
        let total = self.total();
        (total.tried > 0).then(|| total.noticed as f64 / total.tried as f64)
    }
}

impl fmt::Display for KillRate {
    /// A table in the order of the catalogue, and a line for all.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.mutations.keys().map(|name| name.chars().count()).max().unwrap_or(0).max("mutation".len());
        writeln!(f, "{:width$}  tried  noticed", "mutation")?;
        for mutation in super::catalogue() {
            if let Some(tally) = self.mutations.get(mutation.name) {
                writeln!(f, "{:width$}  {:>5}  {:>7}", mutation.name, tally.tried, tally.noticed)?;
            }
        }
        let total = self.total();
        write!(f, "{:width$}  {:>5}  {:>7}", "all", total.tried, total.noticed)?;
        if let Some(rate) = self.rate() {
            write!(f, "  kill rate {:.1} %", rate * 100.0)?;
        }
        self.survivors.iter().try_for_each(|survivor| write!(f, "\nnot noticed: {survivor}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kill(mutation: &'static str, noticed: bool) -> Kill {
        let applied = Applied { place: "table `a`".into(), change: "1 → 2".into() };
        Kill { mutation, applied, noticed, told: String::new() }
    }

    #[test]
    fn the_table_counts_and_names_what_was_not_noticed() {
        let mut rate = KillRate::default();
        assert_eq!(rate.rate(), None);
        rate.add(&kill("one more", true));
        rate.add(&kill("one more", false));
        let mut both = rate.clone();
        rate.add(&kill("a row deleted", true));
        both.merge(&rate);
        assert_eq!(both.total(), Tally { tried: 5, noticed: 3 });
        let lines = rate.to_string();
        assert_eq!(
            lines.lines().collect::<Vec<_>>(),
            [
                "mutation       tried  noticed",
                "one more           2        1",
                "a row deleted      1        1",
                "all                3        2  kill rate 66.7 %",
                "not noticed: one more: table `a`: 1 → 2",
            ]
        );
    }
}
