//! Schema migrations, from outside: what other runners get wrong, crashes, crowds, and what it costs.

#[path = "../support/mod.rs"]
mod support;

mod adopt;
mod child;
mod comparison;
mod cost;
mod crowd;
mod dump;
mod hints;
mod history;
mod hostile;
mod killed;
mod library;
mod postgres;
mod rebuild;
mod scripts;
mod sqlite;
