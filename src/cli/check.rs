//! `whimbrel check`

use super::ask;
use super::config::{Place, Route};
use super::exit::Exit;
use super::options::{Answering, Choosing, Writing};
use super::output::{Output, OutputOptions};
use crate::cancel::Cancel;
use crate::endpoint::Endpoint;
use crate::endpoint::files::source::{LayoutFile, TreeSource};
use crate::endpoint::sqlite::file::{quoted, shown};
use crate::error::{Context, Error, Kind, Result};
use crate::printable::Lines;
use crate::report::message::{Check, Message, TreeCheck};
use crate::report::{check, verification};
use crate::to_sqlite::Attempt;
use crate::verify::file;
use clap::Args as ClapArgs;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Check a finished file on its own: structure, foreign keys, JSON, the project's checks, what has changed
///
/// The file is only read. In rollback-journal mode no program can commit to it meanwhile, as under any reader: one with a
/// short busy timeout is told that the file is locked. In WAL mode nobody has to wait. The file remembers the digest of each table, its schema and its settings, so that it can tell what
/// has changed since it was made. What its users may change is told and is no fault: rows, the numbers that keys count on
/// from, settings such as user_version and the journal mode, tables, indexes, views, triggers and columns that were added,
/// other definitions once `schema` migrations ran. Anything else is damage: metadata that is not what was written,
/// objects that are gone or defined otherwise, bytes that no SQLite leaves. Ends with 1 where damage, a row without
/// its parent, invalid JSON or a violation of a check is found, with `--unchanged` also where anything has changed, and
/// with 3 where the file cannot tell.
///
/// Of a tree of files each file is read and written again: per kind it tells files, records, how many have the very bytes that
/// their records alone would give, and how many bytes are kept of the others besides. Every file that cannot be read, is of no kind, or
/// is not what the layout says is named with line and column, and ends it with 1. Where there is none, the rows are tried on the
/// target's schema, foreign keys and checks, as `migrate --dry-run` does.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  whimbrel check app.db
  whimbrel check app.db --checks migrations/app/checks
  whimbrel check app.db --unchanged --digest 9b1a6b0f6b8a0c5d2e7f3a4b5c6d7e8f
  whimbrel check migrations/app --json
  whimbrel check migrations/sessions ~/.ait42")]
pub struct Args {
    /// The path of a SQLite file; before it a PROJECT whose checks are asked, which can also name the file; or a PROJECT with a
    /// `layout.toml`, and a tree of files
    #[arg(value_name = "[PROJECT] TARGET", num_args = 1..=2, required = true)]
    target: Vec<OsString>,
    /// A folder of checks, one query per file; each row that one returns is a violation
    #[arg(long, value_name = "DIR")]
    checks: Option<PathBuf>,
    /// Anything that has changed since the file was made is a fault, too
    #[arg(long)]
    unchanged: bool,
    /// The digest of what the file remembers, as it was printed when it was made; for `--unchanged`
    #[arg(long, value_name = "HEX", requires = "unchanged", value_parser = digest)]
    digest: Option<String>,
    #[command(flatten)]
    answering: Answering,
    #[command(flatten)]
    pub(super) output: OutputOptions,
}

/// A digest as it is printed.
fn digest(text: &str) -> std::result::Result<String, String> {
    match text.len() == DIGEST_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => Ok(text.to_owned()),
        false => Err(format!("a digest has {DIGEST_DIGITS} digits, 0 to 9 and a to f")),
    }
}

const DIGEST_DIGITS: usize = 32;

/// Runs the verb.
///
/// # Errors
/// When the file or a check cannot be read, or anything is found.
pub fn run(args: &Args, output: &Output, cancel: &Cancel) -> Result<Exit> {
    let place = match args.target.as_slice() {
        [_] if !args.answering.workspace.is_empty() => {
            return Err(Error::usage("use the option", "`--workspace`", "it is for a tree of files"));
        }
        [target] => Place::file(target)?,
        words => match Place::of_project(words)? {
            Some(place) => place,
            None => return of_tree(args, words, output, cancel),
        },
    };
    let folder =
        args.checks.clone().or_else(|| place.project.as_ref().and_then(|project| project.options.checks.clone()));
    let found = file::check(&place.target, folder.as_deref(), cancel)?;
    let text = check::text(&found);
    let message = || Message::Check(Check::new(shown(&place.target), &found));
    let outcome = match args.unchanged {
        true => found.ensure_unchanged(&place.target, args.digest.as_deref()),
        false => found.ensure_sound(&place.target),
    };
    match outcome {
        Ok(()) => output.result(&text, message),
        Err(_) => output.finding(&text, &check::differences(&found), message),
    }
    outcome.map(|()| Exit::Success)
}

/// Checks a tree by the layout of a project.
fn of_tree(args: &Args, words: &[OsString], output: &Output, cancel: &Cancel) -> Result<Exit> {
    let route = Route::new(words)?;
    let (Some(project), Endpoint::Files(path)) = (&route.project, &route.source) else {
        return Err(Error::usage("check", "", "of two words the first has to be a project")
            .hint("a project is a folder with a `project.toml`; behind it stands a SQLite file or a tree of files"));
    };
    if args.checks.is_some() || args.unchanged {
        return Err(Error::usage("check", quoted(path), "`--checks` and `--unchanged` are for SQLite files"));
    }
    let choosing = Choosing { answering: args.answering.clone(), ..Choosing::default() };
    ask::complete(&route, &choosing, output, cancel)?;
    let layout = LayoutFile::load(project.layout().as_deref(), path)?;
    let found = TreeSource::open(path, &layout, &[], cancel)?.check()?;
    let mut text = check::tree(&found);
    let message = || Message::TreeCheck(TreeCheck::new(shown(path), &found));
    let more = match found.rejected.len() {
        0 => {
            let refused = rows_refused(&route, &choosing, path, cancel)?;
            let Some((error, differences)) = refused else {
                text.line("rows: the target takes every one, and each has its parent");
                output.result(&text, message);
                return Ok(Exit::Success);
            };
            text.append(&differences);
            output.finding(&text, &differences, message);
            return Err(error);
        }
        1 => "1 file is not what the layout says".to_owned(),
        more => format!("{more} files are not what the layout says"),
    };
    output.finding(&text, &check::rejected(&found.rejected), message);
    Err(Error::differs("check", quoted(path), more))
}

/// Tries the rows of a tree on what they would be migrated into, and throws that away. What is wrong with them, if anything is.
fn rows_refused(route: &Route, choosing: &Choosing, tree: &Path, cancel: &Cancel) -> Result<Option<(Error, Lines)>> {
    let folder = tempfile::tempdir().could_not("try the rows in", "a temporary directory")?;
    let migration = route.migration(choosing, &Writing::default())?.to(folder.path().join("trial.db"));
    let differs = |object: String, error: &Error| {
        let differs = Error::differs("check", object, error.cause());
        match error.way_out() {
            Some(hint) => differs.hint(hint),
            None => differs,
        }
    };
    match migration.dry_run().attempt(cancel, &|_| {}) {
        Ok(Attempt::Refused(planned)) => Err(planned.plan.refused()),
        Ok(Attempt::Done(done)) => Ok(done.verification.ensure_sound().err().map(|error| {
            let error = Error::differs("check", quoted(tree), error.cause());
            (error, verification::differences(&done.verification))
        })),
        // A row that is refused is named; all else is no fault of the rows.
        Err(error) if error.kind() != Kind::Interrupted && error.object().contains("row [") => {
            Ok(Some((differs(format!("{}, {}", quoted(tree), error.object()), &error), Lines::new())))
        }
        Err(error) => Err(error),
    }
}
