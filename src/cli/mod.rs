//! The command line: one file per verb. The only code that prints.
//!
//! The way of a command: `options` is what was typed; `config` is what it means, checked, with the project file read
//! and nothing opened; the verb calls the library; `report` renders what it returned; `output` prints it.

mod ask;
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
mod quarantine;
mod rollback;
mod schema;
mod signals;
mod store;
mod stream;
mod sync;
mod test;
mod to_database;
mod to_tree;
mod verify;

use crate::cancel::Cancel;
use crate::endpoint::postgres::silence_caught_panics;
use crate::error::{Error, Kind, Result};
use crate::fault;
use crate::printable::{Lines, in_plain_words, one_line};
use crate::redact::{self, redact};
use crate::report::message::{Failure, Message};
use clap::{Parser, Subcommand};
use exit::Exit;
use output::{Output, OutputOptions};
use std::ffi::OsString;
use stream::Leaves;

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
    Sync(sync::Args),
    Store(store::Args),
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
            Verb::Sync(args) => args.output,
            Verb::Store(args) => args.output(),
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

    fn leaves(&self) -> Leaves {
        let writes = match self {
            Verb::Plan(_) | Verb::Verify(_) | Verb::Check(_) | Verb::Latency(_) | Verb::Test(_) | Verb::Demo(_) => {
                false
            }
            Verb::Migrate(args) => args.writes(),
            Verb::Sync(args) => args.writes(),
            Verb::Store(args) => args.writes(),
            Verb::Backups(args) => args.writes(),
            Verb::Schema(args) => args.writes(),
            Verb::Rollback(_) | Verb::Optimize(_) | Verb::Generate(_) => true,
        };
        if writes { Leaves::Something } else { Leaves::Nothing }
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
            Verb::Sync(args) => sync::run(args, output, cancel),
            Verb::Store(args) => store::run(args, output, cancel),
            Verb::Rollback(args) => rollback::run(args, output, cancel),
            Verb::Backups(args) => backups::run(args, output, cancel),
            Verb::Check(args) => check::run(args, output, cancel),
            Verb::Optimize(args) => optimize::run(args, output, cancel),
            Verb::Latency(args) => latency::run(args, output, cancel),
            Verb::Schema(args) => schema::run(args, output, cancel),
            Verb::Generate(args) => generate::run(args, output, cancel),
            Verb::Test(args) => test::run(args, output, cancel),
            Verb::Demo(args) => demo::run(args, cancel, &run_as_typed),
        }
    }
}

/// Runs the command line `words`, the program's name first, and returns how the program ends.
pub fn run(words: &[OsString]) -> Exit {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, |location| format!(" at {location}"));
        stream::complain(&own_fault(&place, panic.payload_as_str().unwrap_or("no message")));
    }));
    silence_caught_panics();
    let (exit, leaves) = match Args::try_parse_from(words) {
        Ok(args) => (run_verb(&args.verb), args.verb.leaves()),
        Err(error) => (not_parsed(words, &error), Leaves::Nothing),
    };
    stream::conclude(exit, leaves)
}

fn run_verb(verb: &Verb) -> Exit {
    let output = Output::new(verb.output());
    let cancel = Cancel::new();
    stream::give_up_when(cancel.flag());
    let begun = fault::injected().map(|injected| {
        if let Some(name) = injected {
            stream::complain(&format!("whimbrel: the fault `{name}` is switched on\n"));
        }
    });
    let done = begun.and_then(|()| signals::listen(&cancel)).and_then(|()| verb.run(&output, &cancel));
    done.unwrap_or_else(|error| output.failure(&verb.explained(error)))
}

/// Runs a verb of the demo as if it had been typed.
fn run_as_typed(words: &[&str], cancel: &Cancel) -> Result<Exit> {
    let args = Args::try_parse_from(["whimbrel"].iter().chain(words))
        .map_err(|error| Error::could_not("parse", "the demo's own command", error.kind()))?;
    let output = Output::new(OutputOptions { no_progress: true, ..args.verb.output() });
    args.verb.run(&output, cancel)
}

/// What is said of a fault of the program itself: as little of others' text as in any error.
fn own_fault(place: &str, cause: &str) -> Lines {
    let mut text = Lines::of(format_args!("whimbrel: a fault of the program itself{place}: {}", redact(cause)));
    let trace = std::backtrace::Backtrace::capture();
    if trace.status() == std::backtrace::BacktraceStatus::Captured {
        trace.to_string().lines().for_each(|frame| text.line(frame));
    }
    text
}

/// Help and version go to standard output; anything else is bad usage, told without a password.
fn not_parsed(words: &[OsString], error: &clap::Error) -> Exit {
    if !error.use_stderr() {
        stream::print(&error.to_string());
        return Exit::Success;
    }
    let text = in_printable_words(words, error);
    if words.iter().any(|word| word == "--json") {
        // The first paragraph: what is wrong, and what is missing where that is a list.
        let lines: Vec<_> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
        let told = lines.join(" ");
        let cause = told.strip_prefix("error: ").unwrap_or(&told);
        let error = Error::usage("read the arguments", "", cause);
        stream::print_json(&Message::Error(Failure::new(&error, Exit::BadUsage.code())).line());
    }
    stream::complain(&text);
    Exit::BadUsage
}

/// What clap says, which repeats what was typed: without passwords, and each word on one line. clap says it of words that
/// were made so before; in its own text they could not be found again.
fn in_printable_words(words: &[OsString], error: &clap::Error) -> String {
    let printable = words.iter().map(|word| {
        let word = word.to_string_lossy();
        if !redact::may_hold_password(&word) {
            return one_line(&word).into_owned();
        }
        let shown = redact::argument(&word);
        // What clap took for an option is one still.
        let dashes = if word.starts_with("--") && !shown.starts_with("--") { "--" } else { "" };
        format!("{dashes}{}", one_line(&shown))
    });
    match Args::try_parse_from(printable) {
        Err(error) if error.use_stderr() => in_plain_words(&redact(&error.to_string())),
        // The words were wrong only as they were typed.
        _ => format!("error: {}\n\nFor more information, try '--help'.\n", error.kind()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printable::is_hidden;

    #[test]
    fn a_panic_repeats_nothing_that_a_terminal_obeys_and_no_password() {
        let said =
            own_fault(" at src/x.rs:1:2", "called `unwrap()` on `Err(\"\u{1b}[2J\nforged postgres://a:secret@h/d\")`");
        assert!(said.lines().all(|line| !line.contains(is_hidden) && !line.starts_with("forged")), "{said}");
        assert!(said.contains(" at src/x.rs:1:2") && !said.contains("secret"), "{said}");
    }
}
