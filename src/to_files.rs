//! A migration into a tree of files: every option in one struct, and how it goes to the target and to the run.

use crate::backup::manifest::Reason;
use crate::backup::swap::Swapped;
use crate::backup::take::TakeOptions;
use crate::backup::tree::publish;
use crate::cancel::Cancel;
use crate::catalog::Catalog;
use crate::endpoint::files::source::LayoutFile;
use crate::endpoint::files::target::{Base, Exchange, TreeTarget};
use crate::endpoint::{Source, Target};
use crate::error::Result;
use crate::event::Listener;
use crate::plan::Plan;
use crate::transfer::run::{self, RunOptions};
use crate::verify::Level;
use std::path::PathBuf;
use std::sync::Arc;

/// What a run into a tree did.
pub type Outcome = run::Outcome<Swapped>;

/// What to migrate, and how.
#[derive(Debug, Clone)]
pub struct Job {
    /// The tree that is to be.
    pub target: PathBuf,
    /// What its files are.
    pub layout: LayoutFile,
    /// How much is verified before the tree is published.
    pub level: Level,
    /// Everything but publish.
    pub dry_run: bool,
    /// Where the archive of an existing tree goes, if not beside it.
    pub backup_directory: Option<PathBuf>,
}

impl Job {
    fn run(&self) -> RunOptions {
        RunOptions { level: self.level, dry_run: self.dry_run, ..RunOptions::default() }
    }
}

/// The plan for a job; nothing is written beside the target.
///
/// # Errors
/// As [`run::plan`].
pub fn plan(source: &mut dyn Source, job: &Job) -> Result<(Arc<Catalog>, Plan)> {
    let base = Base::of(source)?;
    let mut target = TreeTarget::<Swapped>::new(job.target.clone(), job.layout.clone(), base, None);
    source.ensure_apart(&job.target)?;
    target.inspect()?;
    run::plan(source, &mut target, &job.run())
}

/// Migrates into the tree.
///
/// # Errors
/// As [`run::migrate`].
pub fn migrate(source: &mut dyn Source, job: &Job, cancel: &Cancel, listener: &Listener<'_>) -> Result<Outcome> {
    let base = Base::of(source)?;
    let (directory, flag) = (job.backup_directory.clone(), cancel.flag());
    let ignored: Vec<String> = job.layout.layout.ignore.iter().map(|glob| glob.text().to_owned()).collect();
    let exchange: Exchange<Swapped> = Box::new(move |draft, source| {
        let options = TakeOptions {
            directory: directory.as_deref(),
            reason: Reason::BeforeMigrate,
            source,
            replacement_digest: None,
            cancel: &flag,
        };
        publish(draft, &ignored, options)
    });
    let target = TreeTarget::new(job.target.clone(), job.layout.clone(), base, Some(exchange));
    run::migrate(source, target, &job.run(), cancel, listener)
}
