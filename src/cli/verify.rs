//! `whimbrel verify`

use super::config::{Route, is_project};
use super::exit::Exit;
use super::options::{Choosing, Endpoints, ServerWaiting, Verifying};
use super::output::{Output, OutputOptions};
use super::progress::Progress;
use crate::cancel::Cancel;
use crate::catalog::Known;
use crate::endpoint::files::source::{LayoutFile, TreeSource};
use crate::endpoint::sqlite::SqliteSource;
use crate::endpoint::sqlite::file::{quoted, shown};
use crate::endpoint::{Endpoint, Source};
use crate::error::{Error, Result};
use crate::migration::open_source;
use crate::plan::choices::Choices;
use crate::printable::Lines;
use crate::project::Project;
use crate::report::message::{Message, Verification};
use crate::report::{outcome, verification};
use crate::verify;
use clap::Args as ClapArgs;
use std::ffi::OsString;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Compare a finished file with its source, or any two sources, value by value
///
/// The choices come from the file's own manifest; where it has none (`--no-metadata`), from the project and from
/// `--table`, `--exclude-table`, `--rule`, `--only` and `--workspace`, which are refused otherwise. A file that was made of a
/// tree is held against the tree of files in the same way. Two files, two PostgreSQL databases, or a file
/// without a manifest before a database are compared as they are: tables and columns by name, and every value, whatever higher
/// level is typed; what one side lacks or has of another type is a difference. A file that was made by this program is read as its source was,
/// any other one as it is declared. Ends with 1 where anything differs, and names table, key, column and both values.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  whimbrel verify postgres://ann@localhost/app app.db
  whimbrel verify postgres://ann@localhost/app app.db --verify counts
  whimbrel verify migrations/app --json
  whimbrel verify yesterday.db today.db
  whimbrel verify ~/.ait42 sessions.db
  whimbrel verify postgres://ann@localhost/app postgres://ann@standby/app")]
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
    let words = match Sides::of(&args.endpoints.endpoints)? {
        Sides::TwoSources(sides, layout) => return compare(args, &sides, layout.as_deref(), output, cancel),
        Sides::TreeAndFile { project, tree, file } => {
            refuse_choices(args, &file)?;
            let layout = project.as_deref().and_then(Project::layout);
            let mut made = Side::open_file(&file, cancel)?;
            let mut tree = Side::open_tree(&tree, layout.as_deref(), Some(&mut made), cancel)?;
            drop(made);
            let progress = Arc::new(output.progress());
            let (source, choices) = (tree.source.as_mut(), Choices::default());
            let against = Against { project: project.as_deref(), source, target: &file, choices, progress: &progress };
            return hold(against, args, output, cancel);
        }
        Sides::SourceAndFile(words) => words,
    };
    let route = Route::new(&words)?;
    let target = route.require_target()?;
    verify::require_database(target)?;
    refuse_choices(args, target)?;
    let choices = route.choices(&args.choosing)?;
    let progress = Arc::new(output.progress());
    let mut source = open_source(&route.source, args.server.patience(progress.listener()), cancel)?;
    let (project, source) = (route.project.as_ref(), source.as_mut());
    hold(Against { project, source, target, choices, progress: &progress }, args, output, cancel)
}

/// Refuses options that choose what is compared, where the file has them.
fn refuse_choices(args: &Args, target: &Path) -> Result<()> {
    let typed = args.choosing.typed();
    match !typed.is_empty() && verify::remembers_choices(target)? {
        true => Err(Error::usage("verify", typed.join(", "), "the file's own manifest decides what is compared")
            .hint("leave the option out; it is for files made with `--no-metadata`")),
        false => Ok(()),
    }
}

/// A finished file, the source that it is held against, and what says how.
struct Against<'a> {
    project: Option<&'a Project>,
    source: &'a mut dyn Source,
    target: &'a Path,
    /// For a file that does not remember its own.
    choices: Choices,
    progress: &'a Progress,
}

/// Holds a finished file against its source.
fn hold(against: Against<'_>, args: &Args, output: &Output, cancel: &Cancel) -> Result<Exit> {
    let Against { project, source, target, choices, progress } = against;
    let checks = args.checks.clone().or_else(|| project.and_then(|project| project.options.checks.clone()));
    let options = verify::FileOptions {
        choices,
        given_schema: project.is_some_and(|project| project.target_schema.is_some()),
        allow_inexact: args.allow_inexact || project.is_some_and(|project| project.options.run.allow_inexact),
        level: args
            .verifying
            .verify
            .map(Into::into)
            .or(project.map(|project| project.options.run.level))
            .unwrap_or_default(),
        checks: checks.as_deref(),
    };
    let level = options.level;
    let checked = verify::verify_file(source, target, options, cancel, &|event| progress.hear(event));
    progress.finish();
    let checked = checked?;
    let mut text = Lines::of(format_args!("source   {} ({})", checked.source, checked.engine));
    text.line(format_args!("target   {}", shown(target)));
    text.line(format_args!("verify   {}", outcome::level(level)));
    text.blank();
    let conclusion = verification::conclusion(&checked.verification);
    tell(text, &checked.verification, conclusion, quoted(target), output)
}

/// Tells what was found behind the lines that say of what.
fn tell(
    mut text: Lines,
    found: &verify::Verification,
    conclusion: &str,
    object: impl Display,
    output: &Output,
) -> Result<Exit> {
    text.append(&verification::text(found));
    let message = || Message::Verification(Verification::from(found));
    match found.ensure_sound() {
        Ok(()) => {
            text.blank();
            text.line(conclusion);
            output.result(&text, message);
            Ok(Exit::Success)
        }
        Err(error) => {
            output.finding(&text, &verification::differences(found), message);
            let told = Error::differs("verify", object, error.cause());
            Err(match error.way_out() {
                Some(way_out) => told.hint(way_out),
                None => told,
            })
        }
    }
}

/// What the words mean.
enum Sides {
    /// A source and a finished file, in this order, or whatever else a route is.
    SourceAndFile(Vec<OsString>),
    /// A tree of files, and a finished file that was made of such a tree.
    TreeAndFile { project: Option<Box<Project>>, tree: PathBuf, file: PathBuf },
    /// Two sources that are compared as they are, and the layout of those that are trees, where a project has one.
    TwoSources([Endpoint; 2], Option<PathBuf>),
}

impl Sides {
    fn of(words: &[OsString]) -> Result<Sides> {
        let as_route = || Ok(Sides::SourceAndFile(words.to_vec()));
        let (project, words) = match words {
            [project, ends @ ..] if is_project(project) => (Some(Project::load(Path::new(project))?), ends),
            ends => (None, ends),
        };
        let [first, second] = words else { return as_route() };
        match (Endpoint::parse_word(first)?, Endpoint::parse_word(second)?) {
            (Endpoint::Files(tree), Endpoint::Sqlite(file)) | (Endpoint::Sqlite(file), Endpoint::Files(tree))
                if is_of_tree(&file)? =>
            {
                Ok(Sides::TreeAndFile { project: project.map(Box::new), tree, file })
            }
            (first @ Endpoint::Files(_), second) | (first, second @ Endpoint::Files(_)) => {
                Ok(Sides::TwoSources([first, second], project.and_then(|project| project.layout())))
            }
            _ if project.is_some() => as_route(),
            (Endpoint::Postgres(_) | Endpoint::Dump(_), Endpoint::Sqlite(_)) => as_route(),
            // That there is no such file is told as of any source.
            (Endpoint::Sqlite(path), _) if !path.exists() => as_route(),
            // A file that knows its source is held against it, whichever is named first.
            (Endpoint::Sqlite(path), Endpoint::Postgres(_) | Endpoint::Dump(_))
                if verify::remembers_choices(&path)? =>
            {
                Ok(Sides::SourceAndFile(vec![second.clone(), first.clone()]))
            }
            (first, second) => Ok(Sides::TwoSources([first, second], None)),
        }
    }
}

/// Whether a file remembers the tree that it was made of.
fn is_of_tree(file: &Path) -> Result<bool> {
    verify::require_database(file)?;
    verify::remembers_tree(file)
}

/// One side of a comparison.
struct Side {
    source: Box<dyn Source>,
    known: Option<Known>,
    /// The choices that it was made by: of a tree, which files' rows it has.
    made_by: Choices,
}

impl Side {
    /// Opens one that is no tree; `None` for a tree.
    fn open(endpoint: &Endpoint, args: &Args, progress: &Arc<Progress>, cancel: &Cancel) -> Result<Option<Side>> {
        match endpoint {
            Endpoint::Files(_) => Ok(None),
            Endpoint::Postgres(_) | Endpoint::Dump(_) => {
                let source = open_source(endpoint, args.server.patience(progress.listener()), cancel)?;
                Ok(Some(Side { source, known: None, made_by: Choices::default() }))
            }
            Endpoint::Sqlite(path) => Side::open_file(path, cancel).map(Some),
        }
    }

    fn open_file(path: &Path, cancel: &Cancel) -> Result<Side> {
        verify::require_database(path)?;
        let file = SqliteSource::open(path, cancel)?;
        let (known, made_by) = (Some(file.known()), file.made_by().clone());
        Ok(Side { source: Box::new(file), known, made_by })
    }

    /// Opens a tree: by the project's layout, or by the one that the other side remembers.
    fn open_tree(path: &Path, layout: Option<&Path>, other: Option<&mut Side>, cancel: &Cancel) -> Result<Side> {
        let (mut remembered, mut made_by) = (None, Choices::default());
        if let Some(other) = other {
            let catalog = other.source.catalog()?;
            remembered = LayoutFile::remembered(&catalog, other.source.label())?;
            made_by.clone_from(&other.made_by);
        }
        let layout = match (layout, remembered) {
            (None, Some(remembered)) => remembered,
            (file, _) => LayoutFile::load(file, path)?,
        };
        let source = Box::new(TreeSource::open(path, &layout, &made_by.only, cancel)?.chosen(&made_by));
        Ok(Side { source, known: None, made_by })
    }
}

/// Compares two sources as they are.
fn compare(
    args: &Args,
    sides: &[Endpoint; 2],
    layout: Option<&Path>,
    output: &Output,
    cancel: &Cancel,
) -> Result<Exit> {
    let mut typed = args.choosing.typed();
    typed.extend(args.checks.is_some().then_some("`--checks`"));
    typed.extend(args.allow_inexact.then_some("`--allow-inexact`"));
    if !typed.is_empty() {
        return Err(Error::usage("verify", typed.join(", "), "two sources are compared as they are")
            .hint("leave the option out; it is for a file and the source that it was made from"));
    }
    let level = args.verifying.verify.map(Into::into).unwrap_or_default();
    let progress = Arc::new(output.progress());
    let [first, second] = sides;
    let mut source = Side::open(first, args, &progress, cancel)?;
    let mut target = Side::open(second, args, &progress, cancel)?;
    if let Endpoint::Files(path) = first {
        source = Some(Side::open_tree(path, layout, target.as_mut(), cancel)?);
    }
    if let Endpoint::Files(path) = second {
        target = Some(Side::open_tree(path, layout, source.as_mut(), cancel)?);
    }
    let (Some(mut source), Some(mut target)) = (source, target) else {
        return Err(Error::could_not("compare", "the two sides", "one of them was not opened"));
    };
    let (source_types, target_types) = (source.known, target.known);
    let compared = verify::compare_sources(source.source.as_mut(), target.source.as_mut(), level, &|event| {
        progress.hear(event);
    });
    progress.finish();
    let compared = compared?;
    let mut text = Lines::of(format_args!("source   {}", described(&compared.source, source_types)));
    text.line(format_args!("target   {}", described(&compared.target, target_types)));
    text.line(format_args!("verify   {}", outcome::level(compared.verification.level)));
    text.blank();
    let object = format!("`{}` and `{}`", compared.source.0, compared.target.0);
    tell(text, &compared.verification, verification::CONCLUSION_OF_TWO, object, output)
}

/// A side, and where its types are known from.
fn described((label, engine): &(String, String), known: Option<Known>) -> String {
    match known {
        None => format!("{label} ({engine})"),
        Some(Known::Remembered) => format!("{label} (read as its source was: {engine})"),
        Some(Known::Declared | Known::Inferred) => format!("{label} (read as it is declared: {engine})"),
    }
}
