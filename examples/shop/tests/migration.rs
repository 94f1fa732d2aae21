//! The shop's own tests of its migration: random rows there and back, and what the migration shows.

use whimbrel::harness::Scenario;

#[test]
fn nothing_is_lost() {
    Scenario::source("schema").unwrap().cases(32).regressions("tests/regressions").run().unwrap();
}
