//! The program as people and other programs meet it.

#[path = "../support/mod.rs"]
mod support;

mod cli;
mod demo;
mod dumps;
mod generate_verb;
mod odd_names;
mod output;
mod schema_verb;
