//! Any two sources compared: the tables of both by name, their columns by name, every value.
//!
//! Nothing is planned here: both sides are read as they are, and two values are the same where their canonical encodings
//! are. What one side lacks and what cannot be compared is a finding; a column that is in doubt is left out of the digests of
//! its table and named. Where digests differ, the rows are looked for ([`rows`]).

mod matching;
mod rows;

use super::verification::{TableCheck, Verification};
use crate::endpoint::findings::Integrity;
use crate::endpoint::{Findings, Level, SHOWN_MAX, Source};
use crate::error::{Error, Result};
use crate::event::{Event, Listener, Phase};
use crate::value::TableDigest;
use matching::{Matched, Pair};
use std::thread;

/// Two sources that were compared.
#[derive(Debug, Clone)]
pub struct ComparedSources {
    /// The first one without a password, and its engine and version.
    pub source: (String, String),
    /// The second one.
    pub target: (String, String),
    /// What was found; the first one is the source in it, the second one the target.
    pub verification: Verification,
}

/// Compares two sources, which are only read.
///
/// # Errors
/// When one of them cannot be read to its end, or somebody asks to stop. What is found is not an error.
pub fn compare_sources(
    source: &mut dyn Source,
    target: &mut dyn Source,
    level: Level,
    listener: &Listener<'_>,
) -> Result<ComparedSources> {
    listener(Event::PhaseStarted { phase: Phase::Introspect });
    let catalogs = [source.catalog()?, target.catalog()?];
    let matched = Matched::of(&catalogs[0], &catalogs[1]);
    let pairs = &matched.pairs;
    source.ensure_readable(&pairs.iter().map(|pair| &pair.tables[0].name).collect::<Vec<_>>())?;
    target.ensure_readable(&pairs.iter().map(|pair| &pair.tables[1].name).collect::<Vec<_>>())?;
    listener(Event::PhaseStarted { phase: Phase::Verify });
    let (source_integrity, integrity) = match level >= Level::Full {
        true => [source.integrity(level)?, target.integrity(level)?]
            .map(|found| found.map(|found| found.shown(SHOWN_MAX)))
            .into(),
        false => (None, None),
    };
    let mut unasked: Vec<String> = source_integrity.iter().flat_map(Integrity::of_source).collect();
    unasked.extend(integrity.iter().flat_map(|found| found.unasked.clone()));
    let [mut first, mut second] = digests(source, target, pairs)?.map(Vec::into_iter);
    let mut tables = Vec::with_capacity(pairs.len());
    for pair in pairs {
        let (Some(first), Some(second)) = (first.next(), second.next()) else {
            return Err(Error::could_not("compare", format!("table `{}`", pair.tables[0].name), "it has no digest"));
        };
        let mut check = checked(pair, first, second, level);
        if check.same_values == Some(false) {
            listener(Event::PhaseStarted { phase: Phase::Compare });
            check.differences = Some(rows::differences(source, target, pair, SHOWN_MAX)?);
        }
        tables.push(check);
    }
    let verification = Verification {
        level: level.min(Level::Digest),
        tables,
        findings: Findings {
            objects: matched.differences.iter().map(ToString::to_string).collect(),
            not_checked: not_checked(level, &matched).into_iter().chain(unasked).collect(),
            source_integrity,
            integrity,
            ..Findings::default()
        },
        inexact: Vec::new(),
        inexact_allowed: false,
    };
    let [first, second] = catalogs;
    Ok(ComparedSources {
        source: (source.label().to_owned(), first.engine.clone()),
        target: (target.label().to_owned(), second.engine.clone()),
        verification,
    })
}

/// The digests of every pair's tables on both sides, which are read at the same time.
fn digests(source: &mut dyn Source, target: &mut dyn Source, pairs: &[Pair<'_>]) -> Result<[Vec<TableDigest>; 2]> {
    let requests = |side: usize| pairs.iter().map(|pair| pair.request(side)).collect::<Vec<_>>();
    thread::scope(|scope| {
        let target = scope.spawn(|| target.digests(&requests(1)));
        let first = source.digests(&requests(0));
        let second = target.join().unwrap_or_else(|_| Err(Error::could_not("compare", "", "a reader panicked")));
        Ok([first?, second?])
    })
}

fn checked(pair: &Pair<'_>, source: TableDigest, target: TableDigest, level: Level) -> TableCheck {
    let compares_values = level > Level::Counts;
    TableCheck {
        source: pair.tables[0].name.clone(),
        target: pair.tables[1].name.to_string(),
        source_rows: source.rows,
        target_rows: Some(target.rows),
        same_values: compares_values.then_some(source == target),
        digests: compares_values.then_some((source, target)),
        own_digests: None,
        ledger_surplus: 0,
        differences: None,
        failure: None,
    }
}

fn not_checked(level: Level, matched: &Matched<'_>) -> Vec<String> {
    let Matched { beside, unfilled, untold, modules, .. } = matched;
    let mut list = Vec::new();
    let unfilled = unfilled.iter().map(|name| format!("materialized view `{name}`: one side has never filled it"));
    list.extend(unfilled);
    if !untold.is_empty() {
        list.push(format!("generated columns, whose values a dump does not have: {}", untold.join(", ")));
    }
    if !modules.is_empty() {
        list.push(format!("what virtual tables hold, which only their modules know: {}", modules.join(", ")));
    }
    if !beside.is_empty() {
        list.push(format!("columns that the layout does not fill: {}", beside.join(", ")));
    }
    if level == Level::Counts {
        list.push("values (`--verify digest` compares them)".to_owned());
    }
    list.push(
        "keys, constraints, indexes, views and everything else that is no table: of two sources the rows are compared"
            .to_owned(),
    );
    if level >= Level::Full {
        list.push(
            "foreign keys and checks, which are asked of a file that is held against the source that it was made from \
             (`whimbrel check FILE` asks them of any file)"
                .to_owned(),
        );
    }
    if level == Level::Paranoid {
        list.push("what the servers compute of their own rows: both sides were read by this program".to_owned());
    }
    list
}
