//! `whimbrel rollback`

use super::config::Place;
use super::exit::Exit;
use super::options::{BackupPlace, FileOrTree, Waiting};
use super::output::{Output, OutputOptions};
use crate::backup::restore::{RestoreOptions, Which, restore};
use crate::cancel::Cancel;
use crate::error::Result;
use crate::report::backups;
use crate::report::message::Message;
use clap::Args as ClapArgs;

/// Put a backup in the target's place: the newest, or a named one
///
/// The backup's digest is checked first. What is replaced is backed up before, so that a rollback can itself be
/// rolled back: a second `rollback` without `--to` undoes the first. Where there was no file before the first migrate,
/// that is what comes back: the file is backed up and taken away. Nothing is asked.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  whimbrel rollback app.db
  whimbrel rollback app.db --to 20261120T184333.120Z-1a2b3c
  whimbrel rollback app.db --backups /var/backups/app")]
pub struct Args {
    #[command(flatten)]
    target: FileOrTree,
    /// The backup to go back to, as `whimbrel backups` names it; the start of its name is enough [default: the newest]
    #[arg(long, value_name = "BACKUP")]
    to: Option<String>,
    #[command(flatten)]
    backups: BackupPlace,
    #[command(flatten)]
    waiting: Waiting,
    #[command(flatten)]
    pub(super) output: OutputOptions,
}

/// Runs the verb.
///
/// # Errors
/// When there is no such backup, it is damaged, or the target cannot be replaced; it is then what it was.
pub fn run(args: &Args, output: &Output, cancel: &Cancel) -> Result<Exit> {
    let place = Place::new(&args.target.target)?;
    let directory = place.backups(args.backups.backups.clone());
    let which = args.to.clone().map_or(Which::Newest, Which::Id);
    let flag = cancel.flag();
    let options = RestoreOptions { directory: directory.as_deref(), wait_ms: args.waiting.wait_ms, cancel: &flag };
    let done = restore(&place.target, &which, options)?;
    output.result(&backups::restored(&done, directory.as_deref()), || Message::Restored(Box::new(done.clone().into())));
    Ok(Exit::Success)
}
