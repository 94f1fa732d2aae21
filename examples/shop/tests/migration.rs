//! The shop's own tests of its migration: random rows there and back, and what the migration shows.

use whimbrel::harness::{Scenario, Seed};

#[test]
fn nothing_is_lost() {
    Scenario::source("schema").unwrap().cases(32).seed(Seed(1)).regressions("tests/regressions").run().unwrap();
}

#[test]
fn nothing_changes_unseen() {
    let scenario = Scenario::source("schema").unwrap().seed(Seed(1));
    whimbrel::assert_pictures!("tests/snapshots", whimbrel::pictures::of_scenario(&scenario).unwrap());
}
