//! `whimbrel store`

use super::config::is_project;
use super::exit::Exit;
use super::output::{Output, OutputOptions};
use super::stream;
use crate::cancel::Cancel;
use crate::endpoint::Endpoint;
use crate::endpoint::sqlite::file::quoted;
use crate::error::{Error, Result};
use crate::printable::Lines;
use crate::project::Project;
use crate::report::message::Message;
use crate::report::store as report;
use crate::store::health::{Gates, health};
use crate::store::modes;
use crate::store::repair::repair;
use crate::store::{Mode, OpenStore, Place, Selection, Side};
use clap::{Args as ClapArgs, Subcommand};
use std::ffi::OsString;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Look at a store that keeps records in files and in SQLite, bring both in step, and change its mode
///
/// While an application moves from files to SQLite, its records are in files (`files`), in files with a copy in SQLite (`dual`), in SQLite with a copy
/// in files (`sqlite-primary`), or in SQLite (`sqlite`).
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  whimbrel store health migrations/sessions ~/.ait42 sessions.db
  whimbrel store mode migrations/sessions ~/.ait42 sessions.db dual --dry-run
  whimbrel store repair migrations/sessions ~/.ait42 sessions.db --dry-run")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Health(HealthArgs),
    Repair(RepairArgs),
    Mode(ModeArgs),
}

/// Tell how a store is: its sides, what is pending, what differs, how writes have gone, and the gates of its project
///
/// Nothing is changed. A side that cannot be used, damage, or a broken gate of `[store.gates]` ends with 1.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  whimbrel store health migrations/sessions ~/.ait42 sessions.db
  whimbrel store health migrations/app --watch 10 --prometheus")]
struct HealthArgs {
    /// A project with a `layout.toml`; the tree and the SQLite file, unless its `[store]` and `[target]` name them
    #[arg(value_name = "PROJECT [TREE FILE]", num_args = 1..=3, required = true)]
    place: Vec<OsString>,
    /// Again every so many seconds, until it is stopped
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    watch: Option<u64>,
    /// As a monitor reads it: the text format of Prometheus
    #[arg(long, conflicts_with = "json")]
    prometheus: bool,
    #[command(flatten)]
    output: OutputOptions,
}

/// Go on with what was begun, and bring both sides in step
///
/// What only one side has changed goes to the other one. What both have changed is left and named, until somebody decides; then what loses is kept
/// beside the SQLite file, and told by `health`. In modes with one side, the other side follows it.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  whimbrel store repair migrations/sessions ~/.ait42 sessions.db --dry-run
  whimbrel store repair migrations/sessions ~/.ait42 sessions.db
  whimbrel store repair migrations/sessions ~/.ait42 sessions.db --take files")]
struct RepairArgs {
    /// A project with a `layout.toml`; the tree and the SQLite file, unless its `[store]` and `[target]` name them
    #[arg(value_name = "PROJECT [TREE FILE]", num_args = 1..=3, required = true)]
    place: Vec<OsString>,
    /// Decide what is in conflict for `files` or for `rows`
    #[arg(long, value_name = "SIDE", value_parser = side)]
    take: Option<Side>,
    /// Everything but the changes
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: OutputOptions,
}

/// Change the mode of a store, or of some of its records: `files`, `dual`, `sqlite-primary` or `sqlite`
///
/// Both sides are compared first, while nobody writes. Where they differ, nothing is changed, and the differences are told; only a step that lets go of a copy
/// does not need them equal. Open stores follow at once.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  whimbrel store mode migrations/sessions ~/.ait42 sessions.db dual --dry-run
  whimbrel store mode migrations/sessions ~/.ait42 sessions.db dual --percent 10
  whimbrel store mode migrations/app sqlite-primary")]
struct ModeArgs {
    /// A project with a `layout.toml`; the tree and the SQLite file, unless its `[store]` and `[target]` name them; and the mode
    #[arg(value_name = "PROJECT [TREE FILE] MODE", num_args = 2..=4, required = true)]
    place: Vec<OsString>,
    /// Of some records: those whose group, path or kind of file the pattern names; `*` for any characters
    #[arg(long, value_name = "PATTERN", conflicts_with = "percent")]
    only: Option<String>,
    /// Of so many of a hundred groups, the same ones each time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=100))]
    percent: Option<u8>,
    /// Everything but the change
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: OutputOptions,
}

fn side(text: &str) -> std::result::Result<Side, String> {
    match text {
        "files" => Ok(Side::Files),
        "rows" => Ok(Side::Rows),
        _ => Err("write it as `files` or `rows`".to_owned()),
    }
}

impl Args {
    /// How the program talks.
    pub(super) fn output(&self) -> OutputOptions {
        match &self.action {
            Action::Health(args) => args.output,
            Action::Repair(args) => args.output,
            Action::Mode(args) => args.output,
        }
    }

    /// Whether the verb writes anything but its report.
    pub(super) fn writes(&self) -> bool {
        match &self.action {
            Action::Health(_) => false,
            Action::Repair(args) => !args.dry_run,
            Action::Mode(args) => !args.dry_run,
        }
    }
}

/// Runs the verb.
///
/// # Errors
/// When a side cannot be read, something is wrong with the store, or both sides differ where they must not.
pub fn run(args: &Args, output: &Output, cancel: &Cancel) -> Result<Exit> {
    match &args.action {
        Action::Health(args) => look(args, output, cancel),
        Action::Repair(args) => {
            let (place, _) = place(&args.place)?;
            let store = OpenStore::to_look(&place)?;
            let done = repair(&store, args.take, args.dry_run)?;
            let whole = done.ensure_whole(&store.place().file);
            let text = report::repair(&done);
            match &whole {
                Ok(()) => output.result(&text, || Message::StoreRepair(Box::new(done))),
                Err(_) => output.finding(&text, &text, || Message::StoreRepair(Box::new(done))),
            }
            whole.map(|()| Exit::Success)
        }
        Action::Mode(args) => change(args, output),
    }
}

fn change(args: &ModeArgs, output: &Output) -> Result<Exit> {
    let Some((word, place)) = args.place.split_last() else { return Err(usage("a mode is missing")) };
    let mode: Mode = word.to_string_lossy().parse()?;
    let (place, _) = self::place(place)?;
    let store = OpenStore::to_look(&place)?;
    let selection = match (&args.only, args.percent) {
        (Some(pattern), _) => Selection::Only(pattern.clone()),
        (None, Some(percent)) => Selection::Percent(percent),
        (None, None) => Selection::All,
    };
    let change = modes::set(&store, &selection, mode, args.dry_run)?;
    let changed = change.ensure_changed(&store.place().file);
    let text = report::mode(&change, args.dry_run);
    match &changed {
        Ok(()) => output.result(&text, || Message::StoreMode(Box::new(change))),
        Err(_) => output.finding(&text, &text, || Message::StoreMode(Box::new(change))),
    }
    changed.map(|()| Exit::Success)
}

fn look(args: &HealthArgs, output: &Output, cancel: &Cancel) -> Result<Exit> {
    let (place, gates) = place(&args.place)?;
    let store = OpenStore::to_look(&place)?;
    loop {
        let found = health(&store, &gates)?;
        let well = found.ensure_well(&store.place().file);
        match (args.prometheus, &well) {
            (true, _) => stream::print(&report::prometheus(&found)),
            (false, Ok(())) => output.result(&report::health(&found), || Message::StoreHealth(Box::new(found))),
            (false, Err(_)) => {
                let text = report::health(&found);
                output.finding(&text, &Lines::new(), || Message::StoreHealth(Box::new(found)));
            }
        }
        let Some(seconds) = args.watch else { return well.map(|()| Exit::Success) };
        let until = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < until {
            cancel.check("look at the health of a store")?;
            sleep(Duration::from_millis(50));
        }
    }
}

fn usage(cause: &str) -> Error {
    Error::usage("read the arguments", "", cause)
        .hint("for example `whimbrel store health migrations/sessions ~/.ait42 sessions.db`")
}

/// The store that words name, and its gates.
fn place(words: &[OsString]) -> Result<(Place, Gates)> {
    let Some((project, sides)) = words.split_first().filter(|(first, _)| is_project(first)) else {
        return Err(usage("the first word is no project: a folder with a `project.toml`"));
    };
    let project = Project::load(Path::new(project))?;
    let layout = project.layout().ok_or_else(|| {
        Error::usage("open the store", quoted(&project.folder), "the project has no `layout.toml`")
            .hint("a store keeps records of files; docs/layouts.md tells how their layout is written")
    })?;
    let (tree, file) = match sides {
        [] => (project.store.tree.clone(), project.target.clone()),
        [tree, file] => match (Endpoint::parse_word(tree)?, Endpoint::parse_word(file)?) {
            (Endpoint::Files(tree), Endpoint::Sqlite(file)) => (Some(tree), Some(file)),
            // A tree that is not there any more, as in mode `sqlite`.
            (Endpoint::Sqlite(tree), Endpoint::Sqlite(file)) => (Some(tree), Some(file)),
            _ => return Err(usage("the tree comes first, and then the SQLite file")),
        },
        _ => return Err(usage("name both the tree and the SQLite file, or let the project name them")),
    };
    let missing = |key: &str| {
        Error::usage("open the store", quoted(&project.folder), format!("the project has no `{key}`"))
            .hint("name the tree and the SQLite file behind the project, or write both into its `project.toml`")
    };
    let place = Place {
        layout,
        tree: tree.ok_or_else(|| missing("store.tree"))?,
        file: file.ok_or_else(|| missing("target.path"))?,
    };
    Ok((place, project.store.gates))
}
