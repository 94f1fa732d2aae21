//! One case: a tree in a folder of its own, and what is made of it.

use super::super::case::open;
use super::super::existing_target::ExistingTarget;
use super::subject::Subject;
use crate::cancel::Cancel;
use crate::endpoint::files::source::TreeSource;
use crate::endpoint::sqlite::SqliteSource;
use crate::endpoint::sqlite::read::stop_when;
use crate::error::{Context, Error, Result};
use crate::event::nobody;
use crate::harness::Seed;
use crate::harness::latency::Times;
use crate::harness::scratch::scratch_folder;
use crate::harness::trees::RandomTree;
use crate::plan::choices::Choices;
use crate::to_files;
use crate::to_sqlite::{Outcome, migrate};
use crate::verify::{FileOptions, Level, Verification, verify_file};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A case while it runs.
pub(super) struct Case<'s> {
    pub subject: &'s Subject,
    pub seed: Seed,
    pub cancel: Cancel,
    /// What is in the tree.
    pub made: &'s RandomTree,
    folder: TempDir,
    /// The tree.
    pub tree: PathBuf,
    /// The file, in a folder of its own: its backups are beside it.
    pub target: PathBuf,
    /// What was there before.
    pub old: ExistingTarget,
    /// The tree before anything was read.
    pub before: Picture,
    pub outcome: Option<Outcome>,
    /// Mutations of the finished file and of the tree: name, and whether the checker noticed.
    pub mutations: Vec<(String, bool)>,
    pub latencies: Vec<Times>,
}

/// What a tree looks like from outside: of each entry its permissions, where a link leads, the bytes of a file, and the time of its
/// last change.
pub(super) type Picture = BTreeMap<PathBuf, (u32, Vec<u8>, i64)>;

impl<'s> Case<'s> {
    pub fn open(subject: &'s Subject, seed: Seed, made: &'s RandomTree, cancel: &Cancel) -> Result<Self> {
        let folder = scratch_folder()?;
        let place = folder.path().join("target");
        std::fs::create_dir(&place).could_not("create", format!("`{}`", place.display()))?;
        let (tree, target) = (folder.path().join("tree"), place.join("app.db"));
        made.write(&tree)?;
        let old = ExistingTarget::choose(seed, None)?;
        old.put(&target)?;
        let (cancel, before) = (cancel.clone(), picture(&tree)?);
        let (outcome, mutations, latencies) = (None, Vec::new(), Vec::new());
        Ok(Case { subject, seed, cancel, made, folder, tree, target, old, before, outcome, mutations, latencies })
    }

    /// A path beside the tree.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A tree as a source.
    pub fn source(&self, tree: &Path) -> Result<TreeSource> {
        TreeSource::open(tree, &self.subject.layout, &self.subject.settings.options.run.choices.only, &self.cancel)
    }

    /// Migrates the tree to a file. What verification found is returned where that is anything.
    ///
    /// # Errors
    /// As [`migrate`].
    pub fn migrate(&self, target: &Path, level: Level) -> Result<Outcome> {
        let settings = &self.subject.settings;
        let apply = |path: &Path| settings.apply_schema(path);
        migrate(&mut self.source(&self.tree)?, &settings.job(target, level, &apply), &self.cancel, &nobody)
    }

    /// Migrates the file to a tree.
    ///
    /// # Errors
    /// As [`to_files::migrate`].
    pub fn back(&self, tree: &Path) -> Result<to_files::Outcome> {
        let job = to_files::Job {
            target: tree.to_path_buf(),
            layout: self.subject.layout.clone(),
            level: Level::Full,
            dry_run: false,
            backup_directory: None,
        };
        to_files::migrate(&mut SqliteSource::open(&self.target, &self.cancel)?, &job, &self.cancel, &nobody)
    }

    /// What a verification of a tree against the file finds.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn verify(&self, tree: &Path) -> Result<Verification> {
        let options = FileOptions {
            choices: Choices::default(),
            given_schema: self.subject.settings.schema.is_some(),
            allow_inexact: false,
            level: Level::Full,
            checks: None,
        };
        let checked = verify_file(&mut self.source(tree)?, &self.target, options, &self.cancel, &nobody)?;
        Ok(checked.verification)
    }

    /// What the migration did.
    ///
    /// # Errors
    /// When it has not run.
    pub fn outcome(&self) -> Result<&Outcome> {
        self.outcome.as_ref().ok_or_else(|| Error::could_not("ask", "the migration", "it has not run"))
    }

    /// Opens the target to read it, until somebody asks to stop.
    ///
    /// # Errors
    /// When it is no database.
    pub fn open_target(&self) -> Result<Connection> {
        let connection = open(&self.target)?;
        stop_when(&connection, &self.cancel.flag())?;
        Ok(connection)
    }
}

/// Looks at a tree, without the code that is tested.
///
/// # Errors
/// When it cannot be read.
pub(super) fn picture(root: &Path) -> Result<Picture> {
    fn walk(root: &Path, folder: &Path, found: &mut Picture) -> std::io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let metadata = std::fs::symlink_metadata(&path)?;
            let name = path.strip_prefix(root).unwrap_or(&path).to_path_buf();
            let changed_ns = metadata.mtime() * 1_000_000_000 + metadata.mtime_nsec();
            if metadata.is_symlink() {
                let leads_to = std::fs::read_link(&path)?.into_os_string().into_encoded_bytes();
                found.insert(name, (0, leads_to, changed_ns));
            } else if metadata.is_dir() {
                found.insert(name, (metadata.mode(), Vec::new(), changed_ns));
                walk(root, &path, found)?;
            } else {
                found.insert(name, (metadata.mode(), std::fs::read(&path)?, changed_ns));
            }
        }
        Ok(())
    }
    let mut found = Picture::new();
    walk(root, root, &mut found).could_not("look at", format!("`{}`", root.display()))?;
    Ok(found)
}

/// What differs between two pictures; times only where they belong to the tree.
pub(super) fn differences(before: &Picture, after: &Picture, with_times: bool) -> Vec<String> {
    let seen = |picture: &Picture, path: &PathBuf| {
        picture.get(path).map(|(mode, bytes, changed)| (*mode, bytes.clone(), with_times.then_some(*changed)))
    };
    let paths = before.keys().chain(after.keys().filter(|path| !before.contains_key(*path)));
    paths
        .filter_map(|path| match (seen(before, path), seen(after, path)) {
            (one, other) if one == other => None,
            (Some(_), None) => Some(format!("{path:?} is missing")),
            (None, Some(_)) => Some(format!("{path:?} was not there before")),
            (Some((mode, ..)), Some((other, ..))) if mode != other => {
                Some(format!("{path:?} has permissions {mode:o} before, {other:o} now"))
            }
            (Some((_, one, _)), Some((_, other, _))) if one != other => {
                let at = one.iter().zip(&other).take_while(|(one, other)| one == other).count();
                let around =
                    |bytes: &[u8]| bytes[at.saturating_sub(20)..bytes.len().min(at + 40)].escape_ascii().to_string();
                Some(format!("{path:?} differs from byte {at} on: `{}` before, `{}` now", around(&one), around(&other)))
            }
            _ => Some(format!("{path:?} has another time of its last change")),
        })
        .collect()
}
