//! What takes the time, in a process of its own: how the engine's cost grows, and how fast the projects' queries are.

#[path = "../support/mod.rs"]
mod support;

mod latency;
mod scale;
