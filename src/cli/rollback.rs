//! `whimbrel rollback`

use super::config::Place;
use super::exit::Exit;
use super::options::{BackupPlace, FileOrTree, Waiting};
use super::output::{Output, OutputOptions};
use crate::backup::restore::{RestoreOptions, Which, restore};
use crate::cancel::Cancel;
use crate::endpoint::postgres::{Patience, UndoOptions, undo};
use crate::endpoint::{Endpoint, PostgresUrl};
use crate::error::{Error, Result};
use crate::report::message::Message;
use crate::report::{backups, home};
use clap::Args as ClapArgs;

/// Put a backup in the target's place: the newest, or a named one
///
/// The backup's digest is checked first. What is replaced is backed up before, so that a rollback can itself be
/// rolled back: a second `rollback` without `--to` undoes the first. Where there was no file before the first migrate,
/// that is what comes back: the file is backed up and taken away. Nothing is asked.
///
/// Of a PostgreSQL database that `migrate` filled, what the newest run created is removed, in one transaction, where its rows are still
/// those that were loaded; tables with others are named and kept, unless `--force` is given, and then it ends with 1.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  whimbrel rollback app.db
  whimbrel rollback app.db --to 20261120T184333.120Z-1a2b3c
  whimbrel rollback app.db --backups /var/backups/app
  whimbrel rollback postgres://ann@localhost/app_again")]
pub struct Args {
    #[command(flatten)]
    target: FileOrTree,
    /// The backup to go back to, as `whimbrel backups` names it; the start of its name is enough; of a database the number of the run
    /// to take back [default: the newest]
    #[arg(long, value_name = "BACKUP")]
    to: Option<String>,
    /// Of a database, remove tables as well whose rows have changed since they were loaded
    #[arg(long)]
    force: bool,
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
    if let Ok(Endpoint::Postgres(url)) = Endpoint::parse_word(&args.target.target) {
        return of_database(args, &url, output, cancel);
    }
    if args.force {
        return Err(Error::usage("use the option", "`--force`", "the target is no PostgreSQL database"));
    }
    let place = Place::new(&args.target.target)?;
    let directory = place.backups(args.backups.backups.clone());
    let which = args.to.clone().map_or(Which::Newest, Which::Id);
    let flag = cancel.flag();
    let options = RestoreOptions { directory: directory.as_deref(), wait_ms: args.waiting.wait_ms, cancel: &flag };
    let done = restore(&place.target, &which, options)?;
    output.result(&backups::restored(&done, directory.as_deref()), || Message::Restored(Box::new(done.clone().into())));
    Ok(Exit::Success)
}

/// Takes a run back that has filled a database.
fn of_database(args: &Args, url: &PostgresUrl, output: &Output, cancel: &Cancel) -> Result<Exit> {
    if args.backups.backups.is_some() {
        let cause = "a PostgreSQL database has no backups of whimbrel";
        return Err(Error::usage("use the option", "`--backups`", cause));
    }
    let run = args.to.as_deref().map(|to| {
        to.parse().map_err(|_| Error::usage("read the option", "`--to`", "of a database it is the number of a run"))
    });
    let options = UndoOptions { run: run.transpose()?, force: args.force, patience: Patience::default() };
    let undone = undo(url, &options, cancel)?;
    let text = home::undone(&undone);
    let message = || Message::Undone((&undone).into());
    if undone.kept.is_empty() {
        output.result(&text, message);
        return Ok(Exit::Success);
    }
    output.finding(&text, &text, message);
    let cause = format!("{} of run {} were kept", home::objects(undone.kept.len()), undone.run);
    Err(Error::differs("roll back", format!("`{url}`"), cause)
        .hint("look at what has changed; `--force` removes tables with changed rows as well"))
}
