//! A case, asked for every property.

use super::case::Case;
use super::client::Connections;
use super::fixture::Fixture;
use super::properties;
use super::property::{Property, Verdict};
use super::steps::Steps;
use crate::cancel::Cancel;
use crate::error::{Error, Kind, Result};
use crate::harness::Seed;
use crate::harness::latency::Times;
use std::thread::Scope;

/// How a case ended in which every property holds.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// How many rows were migrated.
    pub rows: u64,
    /// Each property that was not asked, and why.
    pub not_asked: Vec<(&'static str, &'static str)>,
    pub mutations: Vec<(String, bool)>,
    pub latencies: Vec<Times>,
    pub steps: Steps,
}

/// How a case ended otherwise.
#[derive(Debug)]
pub(super) struct Broken {
    /// The property that does not hold; `None` where it is not known whether one does.
    pub property: Option<&'static Property>,
    /// What was found.
    pub found: String,
    /// What to do, where something is known.
    pub hint: Option<String>,
    /// What it means for the exit code.
    pub kind: Kind,
    /// The source itself did not take the generated rows, so there was no case.
    pub refused: bool,
}

impl Broken {
    /// A case that could not be run.
    pub fn by(error: &Error) -> Broken {
        let hint = error.way_out().map(str::to_owned);
        Broken { property: None, found: error.to_string(), hint, kind: error.kind(), refused: false }
    }
}

/// Asks every property of the database that is connected to, which has its rows already. `steps` has the times so far.
///
/// # Errors
/// The first property that does not hold, or why it is not known.
pub(super) fn run(
    fixture: &Fixture,
    seed: Seed,
    connections: Connections,
    mut steps: Steps,
    cancel: &Cancel,
) -> Result<Held, Broken> {
    std::thread::scope(|scope| {
        let opened = steps.time("open", || Case::open(fixture, seed, connections, cancel));
        run_in(scope, opened.map_err(|error| Broken::by(&error))?, steps)
    })
}

fn run_in<'g>(scope: &'g Scope<'g, '_>, mut case: Case<'g>, mut steps: Steps) -> Result<Held, Broken> {
    let mut not_asked = Vec::new();
    for property in properties::ALL {
        let broken = |found, kind| Broken { property: Some(property), found, hint: None, kind, refused: false };
        match steps.time(property.name, || (property.ask)(&mut case)) {
            Ok(Verdict::Holds) => {}
            Ok(Verdict::NotAsked(why)) => not_asked.push((property.name, why)),
            // What was interrupted says nothing about the property; the same seed shows it again.
            Ok(Verdict::Violated(_)) | Err(_) if case.cancel.is_cancelled() => {
                return Err(Broken::by(&Error::interrupted("test")));
            }
            Ok(Verdict::Violated(found)) => return Err(broken(found, Kind::Differs)),
            // What the engine itself calls a difference is one, whoever asked.
            Err(error) if error.kind() == Kind::Differs => return Err(broken(error.to_string(), Kind::Differs)),
            Err(error) => {
                let broken = Broken::by(&error);
                let found = format!("it could not be asked: {}", broken.found);
                return Err(Broken { property: Some(property), found, ..broken });
            }
        }
        case.migrate_again_in(scope);
    }
    let rows = case.outcome.iter().flat_map(|outcome| &outcome.copied).map(|copied| copied.digest.rows).sum();
    let mutations = std::mem::take(&mut case.mutations);
    let latencies = std::mem::take(&mut case.latencies);
    steps.time("clean up", || drop(case));
    Ok(Held { rows, not_asked, mutations, latencies, steps })
}
