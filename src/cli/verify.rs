//! `whimbrel verify`

use super::config::Route;
use super::exit::Exit;
use super::options::{Choosing, Endpoints, ServerWaiting, Verifying};
use super::output::{Output, OutputOptions};
use crate::cancel::Cancel;
use crate::endpoint::sqlite::file::{quoted, shown};
use crate::error::{Error, Result};
use crate::migration::connect_within;
use crate::printable::Lines;
use crate::report::message::{Message, Verification};
use crate::report::{outcome, verification};
use crate::verify;
use clap::Args as ClapArgs;
use std::path::PathBuf;
use std::sync::Arc;

/// Compare a finished file with its source, value by value
///
/// The choices come from the file's own manifest; where it has none (`--no-metadata`), from the project and from
/// `--table`, `--exclude-table` and `--rule`, which are refused otherwise. Ends with 1
/// where anything differs, and names table, key, column and both values.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  whimbrel verify postgres://ann@localhost/app app.db
  whimbrel verify postgres://ann@localhost/app app.db --verify counts
  whimbrel verify migrations/app --json")]
pub struct Args {
    #[command(flatten)]
    endpoints: Endpoints,
    #[command(flatten)]
    verifying: Verifying,
    /// A folder of checks, one query per file; each row that one returns is a violation
    #[arg(long, value_name = "DIR")]
    checks: Option<PathBuf>,
    /// Of a file made with `--no-metadata`, accept that columns hold less than the source's values (NaN is NULL there)
    #[arg(long)]
    allow_inexact: bool,
    #[command(flatten)]
    choosing: Choosing,
    #[command(flatten)]
    server: ServerWaiting,
    #[command(flatten)]
    pub(super) output: OutputOptions,
}

/// Runs the verb.
///
/// # Errors
/// When one of the sides cannot be read, or they differ.
pub fn run(args: &Args, output: &Output, cancel: &Cancel) -> Result<Exit> {
    let route = Route::new(&args.endpoints.endpoints)?;
    let target = route.require_target()?;
    verify::require_database(target)?;
    let typed = args.choosing.typed();
    if !typed.is_empty() && verify::remembers_choices(target)? {
        return Err(Error::usage("verify", typed.join(", "), "the file's own manifest decides what is compared")
            .hint("leave the option out; it is for files made with `--no-metadata`"));
    }
    let project = route.project.as_ref();
    let checks = args.checks.clone().or_else(|| project.and_then(|project| project.checks.clone()));
    let options = verify::FileOptions {
        choices: route.choices(&args.choosing)?,
        given_schema: project.is_some_and(|project| project.target_schema.is_some()),
        allow_inexact: args.allow_inexact || project.is_some_and(|project| project.allow_inexact),
        level: args.verifying.verify.map(Into::into).or(project.map(|project| project.level)).unwrap_or_default(),
        checks: checks.as_deref(),
    };
    let level = options.level;
    let progress = Arc::new(output.progress());
    let mut source = connect_within(route.secret_source(), args.server.patience(progress.listener()), cancel)?;
    let checked = verify::verify_file(source.as_mut(), target, options, cancel, &|event| progress.hear(event));
    progress.finish();
    let checked = checked?;
    let mut text = Lines::of(format_args!("source   {} ({})", checked.source, checked.engine));
    text.line(format_args!("target   {}", shown(target)));
    text.line(format_args!("verify   {}", outcome::level(level)));
    text.blank();
    text.append(&verification::text(&checked.verification));
    let message = || Message::Verification(Verification::from(&checked.verification));
    match checked.verification.ensure_sound() {
        Ok(()) => {
            text.blank();
            text.line(verification::conclusion(&checked.verification));
            output.result(&text, message);
            Ok(Exit::Success)
        }
        Err(error) => {
            output.finding(&text, &verification::differences(&checked.verification), message);
            let told = Error::differs("verify", quoted(target), error.cause());
            Err(match error.way_out() {
                Some(way_out) => told.hint(way_out),
                None => told,
            })
        }
    }
}
