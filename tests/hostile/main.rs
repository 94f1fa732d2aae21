//! A source that means harm, or is changed while it is read, a wire that cannot be trusted, and what can end a run at any
//! moment, from outside and from below.

#[path = "../support/mod.rs"]
mod support;

mod interruptions;
mod path;
mod snapshot;
mod torture;
mod waiting;
mod wire;
