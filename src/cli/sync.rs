//! `whimbrel sync`

use super::config::is_project;
use super::exit::Exit;
use super::output::{Output, OutputOptions};
use crate::cancel::Cancel;
use crate::endpoint::Endpoint;
use crate::endpoint::sqlite::file::shown;
use crate::error::{Error, Result};
use crate::printable::Lines;
use crate::project::Project;
use crate::report::message::{Message, Synced};
use crate::report::sync::{left, text};
use crate::sync::{self, Options, Preference, Which};
use clap::Args as ClapArgs;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Merge a tree of files and the SQLite file that was made of it, where both have changed since
///
/// The file remembers what each record of the tree was when both sides were equal. What has changed since on one side goes to the
/// other: an edited record changes its one place of its one file, new and deleted ones go along. What has changed on both sides, and not
/// alike, is a conflict: it is named with both values, stays as it is on both sides, and the program ends with 1.
///
/// All of it happens, or nothing: the rows in one transaction, in which foreign keys and the project's checks have to hold; the
/// files by a journal, which the next run does to its end where this one is killed. A file that another program changes meanwhile
/// stops it. The tree is not archived: look at it with `--dry-run` first, and take `whimbrel migrate FILE OTHER_TREE/` for a
/// copy.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  whimbrel sync migrations/sessions ~/.ait42 sessions.db --dry-run
  whimbrel sync migrations/sessions ~/.ait42 sessions.db
  whimbrel sync migrations/sessions ~/.ait42 sessions.db --prefer rows:chat_messages --prefer files")]
pub struct Args {
    /// A project with a `layout.toml`, a tree of files, and the SQLite file; without the project its checks are not asked
    #[arg(value_name = "[PROJECT] TREE FILE", num_args = 2..=3, required = true)]
    sides: Vec<OsString>,
    /// Everything but the changes: tell what would become of each record
    #[arg(long)]
    dry_run: bool,
    /// Decide conflicts for `files` or for `rows`; in one table: `files:TABLE`, `rows:TABLE`
    #[arg(long, value_name = "SIDE[:TABLE]", value_parser = preference)]
    prefer: Vec<Preference>,
    /// Read every file and every row, whatever sizes, times and counters say
    #[arg(long)]
    rehash: bool,
    /// A folder of checks that have to hold afterwards, one query per file
    #[arg(long, value_name = "DIR")]
    checks: Option<PathBuf>,
    #[command(flatten)]
    pub(super) output: OutputOptions,
}

impl Args {
    /// Whether it changes anything.
    pub fn writes(&self) -> bool {
        !self.dry_run
    }
}

fn preference(text: &str) -> std::result::Result<Preference, String> {
    let (side, table) = match text.split_once(':') {
        Some((_, "")) => return Err("a table is missing behind `:`".to_owned()),
        Some((side, table)) => (side, Some(table.to_owned())),
        None => (text, None),
    };
    match side {
        "files" => Ok(Preference { which: Which::Files, table }),
        "rows" => Ok(Preference { which: Which::Rows, table }),
        _ => Err("write it as `files`, `rows`, `files:TABLE` or `rows:TABLE`".to_owned()),
    }
}

/// Runs the verb.
///
/// # Errors
/// When a side cannot be read or written, or something is in conflict.
pub fn run(args: &Args, output: &Output, cancel: &Cancel) -> Result<Exit> {
    let (project, sides) = match args.sides.as_slice() {
        [project, sides @ ..] if sides.len() == 2 && is_project(project) => {
            (Some(Project::load(Path::new(project))?), sides)
        }
        sides => (None, sides),
    };
    let usage = |cause: &str| {
        Error::usage("read the arguments", "", cause)
            .hint("for example `whimbrel sync migrations/sessions ~/.ait42 sessions.db`; a project is a folder with a `project.toml`")
    };
    let [tree, file] = sides else { return Err(usage("three of them are given, and the first is no project")) };
    let (tree, file) = match (Endpoint::parse_word(tree)?, Endpoint::parse_word(file)?) {
        (Endpoint::Files(tree), Endpoint::Sqlite(file)) => (tree, file),
        (Endpoint::Sqlite(_), Endpoint::Files(_)) => {
            return Err(usage("the tree comes first, and then the SQLite file"));
        }
        _ => return Err(usage("a tree of files and a SQLite file are merged")),
    };
    let of_project = || project.as_ref().and_then(|project| project.options.checks.clone());
    let options = Options {
        layout: project.as_ref().and_then(Project::layout),
        checks: args.checks.clone().or_else(of_project),
        tree,
        file,
        prefer: args.prefer.clone(),
        dry_run: args.dry_run,
        rehash: args.rehash,
    };
    let synced = sync::sync(&options, cancel)?;
    let mut told = Lines::of(format_args!("files    {}", shown(&options.tree)));
    told.line(format_args!("rows     {}", shown(&options.file)));
    told.blank();
    told.append(&text(&synced));
    let message = || Message::Synced(Box::new(Synced::new(shown(&options.tree), shown(&options.file), &synced)));
    let merged = synced.ensure_merged(&options.tree, &options.file);
    match &merged {
        Ok(()) => output.result(&told, message),
        Err(_) => output.finding(&told, &left(&synced), message),
    }
    merged.map(|()| Exit::Success)
}
