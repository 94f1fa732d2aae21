//! `whimbrel backups`

use super::config::Place;
use super::exit::Exit;
use super::options::{BackupPlace, FileOrTree, Waiting};
use super::output::{Output, OutputOptions};
use crate::backup::list::{Check, list, others};
use crate::backup::live::take_live;
use crate::backup::manifest::Reason;
use crate::backup::prune::{Rotation, rotate};
use crate::backup::take::TakeOptions;
use crate::backup::tree;
use crate::cancel::Cancel;
use crate::endpoint::sqlite::file::{quoted, shown};
use crate::error::{Error, Result};
use crate::report::backups;
use crate::report::message::{Backups, Message, Taken};
use clap::{Args as ClapArgs, Subcommand};
use std::ffi::{OsStr, OsString};
use std::time::Instant;

/// List the backups of a target, newest first; take one; or compress and remove old ones
#[derive(Debug, ClapArgs)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Examples:
  whimbrel backups app.db
  whimbrel backups app.db --check
  whimbrel backups take app.db
  whimbrel backups prune app.db --keep 3
  whimbrel backups prune migrations/app"
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
    /// Take a backup now, of a file that others may go on using
    ///
    /// Of a file in WAL mode others go on writing; without a write-ahead log they wait. A tree of files must not change
    /// meanwhile.
    #[command(after_help = "\
Examples:
  whimbrel backups take app.db
  whimbrel backups take app.db --backups /var/backups/app")]
    Take(TakeArgs),
    /// Compress and remove old backups; a broken one is neither counted nor removed
    ///
    /// Goes by `[backups]` of the project (compress_after_days, delete_after_days, keep), or removes all but the newest N. Each
    /// backup is read first, and a compressed copy once more before the original goes. How old a backup is says its own
    /// record. While the target is not there, its last copy is not removed; by its age it never is.
    #[command(after_help = "\
Examples:
  whimbrel backups prune migrations/app
  whimbrel backups prune app.db --keep 3
  whimbrel backups prune migrations/app --keep 0")]
    Prune(PruneArgs),
}

#[derive(Debug, ClapArgs)]
struct TakeArgs {
    #[command(flatten)]
    target: FileOrTree,
    #[command(flatten)]
    backups: BackupPlace,
    #[command(flatten)]
    waiting: Waiting,
    #[command(flatten)]
    output: OutputOptions,
}

#[derive(Debug, ClapArgs)]
struct PruneArgs {
    #[command(flatten)]
    target: FileOrTree,
    /// Only the newest N intact backups stay, whatever the project says
    #[arg(long, value_name = "N")]
    keep: Option<usize>,
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
            Some(Command::Take(args)) => args.output,
            Some(Command::Prune(args)) => args.output,
            None => self.output,
        }
    }
}

/// Runs the verb.
///
/// # Errors
/// When the directory cannot be listed, or a file cannot be copied, compressed or removed; with `--check` also when a backup
/// is broken.
pub fn run(args: &Args, output: &Output, cancel: &Cancel) -> Result<Exit> {
    match (&args.command, &args.target) {
        (Some(Command::Take(args)), _) => take(args, output, cancel),
        (Some(Command::Prune(args)), _) => prune(args, output, cancel),
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

fn take(args: &TakeArgs, output: &Output, cancel: &Cancel) -> Result<Exit> {
    let place = Place::new(&args.target.target)?;
    let directory = place.backups(args.backups.backups.clone());
    let (start, flag) = (Instant::now(), cancel.flag());
    let options = TakeOptions {
        directory: directory.as_deref(),
        reason: Reason::OnRequest,
        source: "",
        replacement_digest: None,
        cancel: &flag,
    };
    let backup = match place.is_tree {
        true => tree::keep(&place.target, &[], options)?,
        false => take_live(&place.target, args.waiting.wait_ms, options)?,
    };
    let took = start.elapsed();
    output.result(&backups::taken(&place.target, directory.as_deref(), &backup, took), || {
        Message::Taken(Box::new(Taken {
            target: shown(&place.target),
            backup: backup.clone(),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        }))
    });
    Ok(Exit::Success)
}

fn prune(args: &PruneArgs, output: &Output, cancel: &Cancel) -> Result<Exit> {
    let place = Place::new(&args.target.target)?;
    ensure_there(&args.backups)?;
    let directory = place.backups(args.backups.backups.clone());
    let of_project = place.project.as_ref().and_then(|project| project.rotation);
    let Some(rotation) = args.keep.map(Rotation::newest).or(of_project) else {
        let hint = "give `--keep N`, or write `[backups]` into the project's `project.toml`: compress_after_days, delete_after_days, keep";
        return Err(
            Error::usage("prune backups of", quoted(&place.target), "nothing says which are to stay").hint(hint)
        );
    };
    let done = rotate(&place.target, directory.as_deref(), rotation, &cancel.flag())?;
    output.result(&backups::pruned(&done), || Message::Pruned(done.clone().into()));
    match done.not_compressed.as_slice() {
        [] => Ok(Exit::Success),
        failed => {
            let told: Vec<_> = failed.iter().map(|one| format!("`{}`: {}", one.id, one.why)).collect();
            Err(Error::could_not("compress backups of", quoted(&place.target), told.join("; "))
                .hint("each is whole, as it was or compressed; run again when the cause is gone"))
        }
    }
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
