//! The proof is itself proven: whatever is changed, misread or damaged is noticed.

#[path = "../support/mod.rs"]
mod support;

mod attacked;
mod corruption;
mod damaged_sources;
mod mutation;
mod page_flips;
mod paranoid;
mod record;
mod second_opinion;
mod sources;
