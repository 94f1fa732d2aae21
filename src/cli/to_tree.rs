//! `whimbrel migrate` and `whimbrel plan` into a tree of files.

use super::config::Route;
use super::exit::Exit;
use super::options::Choosing;
use super::output::Output;
use crate::cancel::Cancel;
use crate::endpoint::files::layout::Layout;
use crate::endpoint::files::source::{LayoutFile, TreeSource};
use crate::endpoint::sqlite::file::{quoted, shown};
use crate::endpoint::{Endpoint, Source};
use crate::error::{Error, Result};
use crate::migration::open_source;
use crate::report::message::{self, Message};
use crate::report::{outcome, plan, verification};
use crate::to_files::{self, Job};
use crate::verify::{Level, Verification};
use std::path::Path;
use std::sync::Arc;

/// What the command line says of a run into a tree.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// What is carried.
    pub choosing: &'a Choosing,
    /// Options that have no meaning for a tree.
    pub unused: Vec<&'static str>,
    /// Everything but publish.
    pub dry_run: bool,
    /// Where the archive of an existing tree goes.
    pub backups: Option<&'a Path>,
    /// How much is verified.
    pub level: Option<Level>,
}

/// Migrates into the tree.
///
/// # Errors
/// When the migration cannot be carried out, or the tree differs from its source; it is then what it was before.
pub fn run(wanted: &Wanted<'_>, route: &Route, tree: &Path, output: &Output, cancel: &Cancel) -> Result<Exit> {
    let unused = [unused(wanted.choosing, route), wanted.unused.clone()].concat();
    if !unused.is_empty() {
        let cause = format!("{} has no meaning for a tree", unused.join(", "));
        return Err(Error::usage("migrate to", quoted(tree), cause));
    }
    let progress = Arc::new(output.progress());
    let (mut source, mut job) = prepared(wanted.choosing, route, tree, cancel)?;
    job.dry_run = wanted.dry_run;
    job.backup_directory = wanted.backups.map(Path::to_path_buf).or(job.backup_directory);
    job.level = wanted.level.unwrap_or(job.level);
    let done = to_files::migrate(source.as_mut(), &job, cancel, &|event| progress.hear(event));
    progress.finish();
    let done = done?;
    let text = outcome::tree(&done, wanted.backups);
    output.message(|| Message::Verification(message::Verification::from(&done.verification)));
    let told = || Message::TreeOutcome(Box::new(message::TreeOutcome::new(&done)));
    match done.verification.is_sound() {
        true => output.result(&text, told),
        false => output.finding(&text, &verification::differences(&done.verification), told),
    }
    done.ensure_published().map_err(|error| match in_no_file(&job.layout.layout, &done.verification) {
        Some(why) => error.hint(format!("the target is what it was before; {why}")),
        None => error,
    })?;
    Ok(Exit::Success)
}

/// Plans for the tree.
///
/// # Errors
/// When the source cannot be read, or the plan has refusals.
pub fn show(choosing: &Choosing, route: &Route, tree: &Path, output: &Output, cancel: &Cancel) -> Result<Exit> {
    let (mut source, job) = prepared(choosing, route, tree, cancel)?;
    let (catalog, planned) = to_files::plan(source.as_mut(), &job)?;
    let text = plan::text(source.label(), &catalog.engine, &shown(tree), &planned);
    let message = || Message::Plan(message::Plan::new(source.label(), &catalog.engine, Some(shown(tree)), &planned));
    match planned.refusals.is_empty() {
        true => output.result(&text, message),
        false => output.finding(&text, &plan::refusals(&planned.refusals), message),
    }
    planned.ensure_runnable().map_err(|error| plan::undecided(error, &planned.refusals))?;
    Ok(Exit::Success)
}

/// Why an edited row does not come back, where that is because no file tells what was edited.
fn in_no_file(layout: &Layout, found: &Verification) -> Option<String> {
    for table in &found.tables {
        let rows = table.differences.iter().flat_map(|differences| &differences.rows);
        for one in rows.flat_map(|row| &row.columns) {
            let (name, column) = (&table.target, &one.column);
            if let Some(read_as) = layout.unsaid(name, column) {
                return Some(format!(
                    "`{column}` of `{name}` is `unsaid` in the layout: no file tells it, and it is read as `{read_as}`; let \
                     the layout say where it stands, or set it back"
                ));
            }
            if layout.is_rest(name, column) && one.source.as_deref() == Some("{}") && one.target.is_none() {
                return Some(format!("`{column}` of `{name}` takes the rest, and no rest is NULL there, not `{{}}`"));
            }
        }
    }
    None
}

/// What was typed of what is carried, and says nothing here: rows go as they are, and of a tree some files can be chosen.
fn unused(choosing: &Choosing, route: &Route) -> Vec<&'static str> {
    let is_of_trees = |name: &&str| matches!(*name, "`--only`" | "`--workspace`");
    let from_tree = matches!(route.source, Endpoint::Files(_));
    choosing.typed().into_iter().filter(|name| !(from_tree && is_of_trees(name))).collect()
}

/// The source, open, and what is to be made of it.
fn prepared(choosing: &Choosing, route: &Route, tree: &Path, cancel: &Cancel) -> Result<(Box<dyn Source>, Job)> {
    let project = route.project.as_ref();
    let file = project.and_then(crate::project::Project::layout);
    let mut source: Box<dyn Source> = match &route.source {
        Endpoint::Files(path) => {
            let layout = LayoutFile::load(file.as_deref(), path)?;
            let choices = route.choices(choosing)?;
            let source = TreeSource::open(path, &layout, &choices.only, cancel)?.chosen(&choices);
            source.ensure_all_choose()?;
            source.ensure_answered()?;
            Box::new(source)
        }
        endpoint @ (Endpoint::Sqlite(_) | Endpoint::Postgres(_) | Endpoint::Dump(_)) => {
            open_source(endpoint, Default::default(), cancel)?
        }
    };
    let layout = match &file {
        Some(file) => LayoutFile::load(Some(file), tree)?,
        None => {
            let catalog = source.catalog()?;
            LayoutFile::remembered(&catalog, source.label())?.ok_or_else(|| LayoutFile::missing(tree))?
        }
    };
    let job = Job {
        target: tree.to_path_buf(),
        layout,
        level: project.map(|project| project.options.run.level).unwrap_or_default(),
        dry_run: false,
        backup_directory: project.and_then(|project| project.options.backups.clone()),
    };
    Ok((source, job))
}
