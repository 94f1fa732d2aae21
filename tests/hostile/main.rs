//! A source that means harm, or is changed while it is read, and a wire that cannot be trusted.

mod path;
mod snapshot;
mod support;
mod waiting;
mod wire;
