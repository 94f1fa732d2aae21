//! Schema migrations, from outside: what other runners get wrong, crashes, crowds, and what it costs.

mod child;
mod comparison;
mod cost;
mod crowd;
mod history;
mod hostile;
mod killed;
mod library;
mod postgres;
mod sqlite;
mod support;
