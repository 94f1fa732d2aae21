//! `whimbrel check`

use super::config::Place;
use super::exit::Exit;
use super::options::Target;
use super::output::{Output, OutputOptions};
use crate::cancel::Cancel;
use crate::endpoint::sqlite::file::shown;
use crate::error::Result;
use crate::recheck::file;
use crate::report::check;
use crate::report::message::{Check, Message};
use clap::Args as ClapArgs;
use std::path::PathBuf;

/// Check a finished file on its own: structure, foreign keys, JSON, the project's checks
///
/// The file is only read. Ends with 1 where anything is found.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  whimbrel check app.db
  whimbrel check app.db --checks migrations/app/checks
  whimbrel check migrations/app --json")]
pub struct Args {
    #[command(flatten)]
    target: Target,
    /// A folder of checks, one query per file; each row that one returns is a violation
    #[arg(long, value_name = "DIR")]
    checks: Option<PathBuf>,
    #[command(flatten)]
    pub(super) output: OutputOptions,
}

/// Runs the verb.
///
/// # Errors
/// When the file or a check cannot be read, or anything is found.
pub fn run(args: &Args, output: &Output, cancel: &Cancel) -> Result<Exit> {
    let place = Place::new(&args.target.target)?;
    let folder = args.checks.clone().or_else(|| place.project.as_ref().and_then(|project| project.checks.clone()));
    let found = file::check(&place.target, folder.as_deref(), cancel)?;
    let text = check::text(&found);
    let message = || Message::Check(Check::new(shown(&place.target), &found));
    match found.is_sound() {
        true => output.result(&text, message),
        false => output.finding(&text, &check::differences(&found), message),
    }
    found.ensure_sound(&place.target)?;
    Ok(Exit::Success)
}
