//! What tests migrations: generated rows, scenarios, and the bugs that they have to find.

#[path = "../support/mod.rs"]
mod support;

mod faults;
mod generate;
mod generate_bank;
mod scenarios;
mod values;
