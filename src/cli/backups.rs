//! `whimbrel backups`

use super::config::Place;
use super::exit::Exit;
use super::options::{BackupPlace, FileOrTree};
use super::output::{Output, OutputOptions};
use crate::backup::list::{Check, list, others};
use crate::backup::prune::prune;
use crate::endpoint::sqlite::file::{quoted, shown};
use crate::error::{Error, Result};
use crate::report::backups;
use crate::report::message::{Backups, Message};
use clap::{Args as ClapArgs, Subcommand};
use std::ffi::{OsStr, OsString};

/// List the backups of a target, newest first; or remove old ones
#[derive(Debug, ClapArgs)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Examples:
  whimbrel backups app.db
  whimbrel backups app.db --check
  whimbrel backups prune app.db --keep 3"
)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// The path of a SQLite file or a tree of files, or a PROJECT: a folder with a `project.toml` that names the file
    #[arg(value_name = "TARGET", required = true)]
    target: Option<OsString>,
    /// Read every backup and compare its digest; ends with 1 where one is broken
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    backups: BackupPlace,
    #[command(flatten)]
    output: OutputOptions,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Remove old backups; a broken one is neither counted nor removed
    ///
    /// Each backup is read first. While the target is not there, its last copy is not removed.
    #[command(after_help = "\
Examples:
  whimbrel backups prune app.db --keep 3
  whimbrel backups prune migrations/app --keep 0")]
    Prune(PruneArgs),
}

#[derive(Debug, ClapArgs)]
struct PruneArgs {
    #[command(flatten)]
    target: FileOrTree,
    /// How many intact backups stay, the newest
    #[arg(long, value_name = "N")]
    keep: usize,
    #[command(flatten)]
    backups: BackupPlace,
    #[command(flatten)]
    output: OutputOptions,
}

impl Args {
    /// Whether the verb writes anything but its report.
    pub(super) fn writes(&self) -> bool {
        self.command.is_some()
    }

    /// How the program talks.
    pub(super) fn output(&self) -> OutputOptions {
        match &self.command {
            Some(Command::Prune(args)) => args.output,
            None => self.output,
        }
    }
}

/// Runs the verb.
///
/// # Errors
/// When the directory cannot be listed, or a file cannot be removed; with `--check` also when a backup is broken.
pub fn run(args: &Args, output: &Output) -> Result<Exit> {
    match (&args.command, &args.target) {
        (Some(Command::Prune(args)), _) => remove(args, output),
        (None, Some(target)) => show(args, target, output),
        (None, None) => Err(Error::usage("list backups", "", "no target is given").hint("name it, as in `app.db`")),
    }
}

/// A folder that was typed has to be there: one that is misspelt would look like one without backups.
fn ensure_there(typed: &BackupPlace) -> Result<()> {
    match &typed.backups {
        Some(folder) if !folder.is_dir() => {
            Err(Error::could_not("list backups in", quoted(folder), "there is no such folder"))
        }
        _ => Ok(()),
    }
}

fn remove(args: &PruneArgs, output: &Output) -> Result<Exit> {
    let place = Place::new(&args.target.target)?;
    ensure_there(&args.backups)?;
    let directory = place.backups(args.backups.backups.clone());
    let done = prune(&place.target, directory.as_deref(), args.keep)?;
    output.result(&backups::pruned(&done), || Message::Pruned(done.clone().into()));
    Ok(Exit::Success)
}

fn show(args: &Args, target: &OsStr, output: &Output) -> Result<Exit> {
    let place = Place::new(target)?;
    ensure_there(&args.backups)?;
    let directory = place.backups(args.backups.backups.clone());
    let check = if args.check { Check::Digest } else { Check::Size };
    let entries = list(&place.target, directory.as_deref(), check)?;
    let others = others(&place.target, directory.as_deref())?;
    if entries.is_empty() && others.is_empty() && !place.target.exists() {
        return Err(Error::could_not(
            "list backups of",
            quoted(&place.target),
            "there is no such file, and no backup of it",
        )
        .hint("backups in another directory are found with `--backups DIR`"));
    }
    output.result(&backups::list(&place.target, directory.as_deref(), &entries, &others), || {
        Message::Backups(Backups {
            target: shown(&place.target),
            backups: entries.iter().map(Into::into).collect(),
            others: others.iter().map(Into::into).collect(),
        })
    });
    let broken: Vec<_> = entries
        .iter()
        .filter(|entry| entry.state.is_broken())
        .map(|entry| format!("`{}` is {}", entry.id, backups::described(entry)))
        .collect();
    if args.check && !broken.is_empty() {
        return Err(Error::differs("check backups of", quoted(&place.target), broken.join(", ")));
    }
    Ok(Exit::Success)
}
