//! The full property for every project that this repository carries, and for random schemas: many cases each, with
//! awkward rows, and a bound on how long one case takes.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use whimbrel::harness::scenario::Passed;
use whimbrel::harness::{Scenario, Seed};

/// As many as the promise says.
const CASES: u32 = 64;

/// Cases are timed, so only one scenario runs at a time: with a server beside it, one has two processors busy.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn run(scenario: Scenario) -> Passed {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let passed = scenario.run().unwrap_or_else(|failed| panic!("{failed}"));
    println!("{passed}");
    for step in &passed.steps {
        println!("  {:20} {:8.2} ms", step.step, step.time.median.as_secs_f64() * 1e3);
    }
    passed
}

fn project(name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(name);
    run(Scenario::project(folder).unwrap().cases(CASES).seed(Seed(1)));
}

#[test]
fn vibing2() {
    project("vibing2");
}

#[test]
fn sessions() {
    project("sessions");
}

#[test]
fn usage() {
    project("usage");
}

#[test]
fn agents() {
    project("agents");
}

#[test]
fn deespec() {
    project("deespec");
}

#[test]
fn random_schemas() {
    run(Scenario::random_schemas().cases(CASES).seed(Seed(1)));
}
