//! The full property for every project that this repository carries, and for random schemas: many cases each, with
//! awkward rows, and a bound on how long one case takes.

use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use whimbrel::harness::scenario::Passed;
use whimbrel::harness::{Scenario, Seed};
use whimbrel::report::scenario as report;

/// As many as the promise says.
const CASES: u32 = 64;

/// The seed of every run, so that a run today and one tomorrow have the same cases.
const SEED: Seed = Seed(1);

/// What one case with 200 rows takes on a warm server and a quiet machine with two processors is printed; this much
/// more is granted to a machine that does other things beside it.
const MEDIAN_MAX: Duration = Duration::from_millis(1_000);

/// Cases are timed, so only one scenario runs at a time: with a server beside it, one has two processors busy.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn run(scenario: Scenario) -> Passed {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let passed = scenario.run().unwrap_or_else(|failed| panic!("{failed}"));
    // Past the capture of the test runner: a promise that is measured and not shown is none.
    let _ = writeln!(std::io::stderr().lock(), "{passed}");
    println!("{}", report::text(&passed));
    assert!(passed.cases >= CASES && passed.rows > 0, "{passed}");
    assert!(passed.case_time.median <= MEDIAN_MAX, "{passed}");
    for mutation in &passed.mutations {
        assert_eq!(mutation.tried, mutation.noticed, "`{}`", mutation.name);
    }
    for property in &passed.properties {
        let not_asked: u32 = property.not_asked.values().sum();
        assert_eq!(property.held + not_asked, passed.cases, "`{}`", property.name);
    }
    passed
}

fn project(name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(name);
    let passed = run(Scenario::project(folder).unwrap().cases(CASES).seed(SEED));
    // A project has a target schema of its own, checks and queries: nothing is left out.
    for property in passed.properties.iter().filter(|property| property.name != "mutations") {
        assert_eq!(property.held, CASES, "`{}`: {:?}", property.name, property.not_asked);
    }
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
    run(Scenario::random_schemas().cases(CASES).seed(SEED));
}
