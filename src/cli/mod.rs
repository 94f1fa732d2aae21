//! The command line: one file per verb. The only code that prints.
//!
//! The way of a command: `options` is what was typed; `config` is what it means, checked, with the project file read
//! and nothing opened; the verb calls the library; `report` renders what it returned; `output` prints it.

mod backups;
mod check;
mod config;
mod demo;
pub mod exit;
mod generate;
mod latency;
mod migrate;
mod optimize;
mod options;
mod output;
mod plan;
mod progress;
mod rollback;
mod schema;
mod signals;
mod test;
mod verify;

use crate::cancel::Cancel;
use crate::error::{Error, Kind, Result};
use crate::fault;
use crate::redact::{self, redact};
use crate::report::message::{Failure, Message};
use clap::{Parser, Subcommand};
use exit::Exit;
use output::{Output, OutputOptions};
use std::ffi::OsString;

/// Move a database from PostgreSQL to SQLite, and prove that nothing was lost
#[derive(Debug, Parser)]
#[command(name = "whimbrel", version, max_term_width = 110, after_help = format!("\
Examples:
  whimbrel plan postgres://ann@localhost/app
  whimbrel migrate postgres://ann@localhost/app app.db
  whimbrel verify postgres://ann@localhost/app app.db
  whimbrel rollback app.db

{}", exit::HELP))]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Plan(plan::Args),
    Migrate(Box<migrate::Args>),
    Verify(verify::Args),
    Rollback(rollback::Args),
    Backups(backups::Args),
    Check(check::Args),
    Optimize(optimize::Args),
    Latency(latency::Args),
    Schema(schema::Args),
    Generate(generate::Args),
    Test(test::Args),
    Demo(demo::Args),
}

impl Verb {
    fn output(&self) -> OutputOptions {
        match self {
            Verb::Plan(args) => args.output,
            Verb::Migrate(args) => args.output,
            Verb::Verify(args) => args.output,
            Verb::Rollback(args) => args.output,
            Verb::Backups(args) => args.output(),
            Verb::Check(args) => args.output,
            Verb::Optimize(args) => args.output,
            Verb::Latency(args) => args.output,
            Verb::Schema(args) => args.output(),
            Verb::Generate(args) => args.output,
            Verb::Test(args) => args.output,
            Verb::Demo(_) => OutputOptions::default(),
        }
    }

    /// A verb that replaces a file says after an interrupt what has become of it.
    fn explained(&self, error: Error) -> Error {
        let replaces = matches!(self, Verb::Migrate(_) | Verb::Rollback(_));
        match replaces && error.kind() == Kind::Interrupted && error.way_out().is_none() {
            true => error.hint("the target is what it was before"),
            false => error,
        }
    }

    fn run(&self, output: &Output, cancel: &Cancel) -> Result<Exit> {
        match self {
            Verb::Plan(args) => plan::run(args, output, cancel),
            Verb::Migrate(args) => migrate::run(args, output, cancel),
            Verb::Verify(args) => verify::run(args, output, cancel),
            Verb::Rollback(args) => rollback::run(args, output, cancel),
            Verb::Backups(args) => backups::run(args, output),
            Verb::Check(args) => check::run(args, output, cancel),
            Verb::Optimize(args) => optimize::run(args, output, cancel),
            Verb::Latency(args) => latency::run(args, output, cancel),
            Verb::Schema(args) => schema::run(args, output, cancel),
            Verb::Generate(args) => generate::run(args, output, cancel),
            Verb::Test(args) => test::run(args, output, cancel),
            Verb::Demo(_) => demo::run(cancel),
        }
    }
}

/// Runs the command line `words`, the program's name first, and returns how the program ends.
pub fn run(words: &[OsString]) -> Exit {
    let args = match Args::try_parse_from(words) {
        Ok(args) => args,
        Err(error) => return not_parsed(words, &error),
    };
    let output = Output::new(args.verb.output());
    let cancel = Cancel::new();
    let begun = fault::injected().map(|injected| {
        if let Some(name) = injected {
            output::complain(&format!("whimbrel: the fault `{name}` is switched on\n"));
        }
    });
    let done = begun.and_then(|()| signals::listen(&cancel)).and_then(|()| args.verb.run(&output, &cancel));
    done.unwrap_or_else(|error| output.failure(&args.verb.explained(error)))
}

/// Help and version go to standard output; anything else is bad usage, told without a password.
fn not_parsed(words: &[OsString], error: &clap::Error) -> Exit {
    if !error.use_stderr() {
        output::print(&error.to_string());
        return Exit::Success;
    }
    let text = without_passwords(words, error.to_string());
    if words.iter().any(|word| word == "--json") {
        // The first paragraph: what is wrong, and what is missing where that is a list.
        let lines: Vec<_> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
        let told = lines.join(" ");
        let cause = told.strip_prefix("error: ").unwrap_or(&told);
        let error = Error::usage("read the arguments", "", cause);
        output::print_message(&Message::Error(Failure::new(&error, Exit::BadUsage.code())));
    }
    output::complain(&text);
    Exit::BadUsage
}

/// What clap says, which repeats what was typed.
fn without_passwords(words: &[OsString], told: String) -> String {
    let mut text = told;
    for word in words.iter().map(|word| word.to_string_lossy()) {
        // clap repeats a word as a whole, or the value behind its `=`.
        let value = word.split_once('=').map_or("", |(_, value)| value);
        for part in [&*word, value].into_iter().filter(|part| redact::may_hold_password(part)) {
            text = text.replace(part, &redact::argument(part));
        }
    }
    redact(&text)
}
