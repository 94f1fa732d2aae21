//! A whole tree: files of every kind, and what stands beside them.

use super::choices::Choices;
use super::document;
use super::records::{Drawing, File};
use super::strategy::TreeChoices;
use super::values::Values;
use crate::endpoint::files::layout::{Layout, Place};
use crate::error::{Context, Result};
use crate::printable::Lines;
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

/// A tree that is nowhere yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RandomTree {
    /// Its entries by their paths; directories that only hold others are not among them.
    pub entries: BTreeMap<String, Entry>,
    /// How many rows of each table are in its files.
    pub rows: BTreeMap<String, u64>,
}

/// An entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its permissions.
    pub mode: u32,
    /// What it is.
    pub made: Made,
}

impl Entry {
    /// Whether it is a file.
    pub fn is_file(&self) -> bool {
        matches!(self.made, Made::File(_))
    }
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made {
    /// A file with these bytes.
    File(Vec<u8>),
    /// A directory.
    Directory,
    /// A link that leads there.
    Link(String),
}

/// A random tree of a layout.
///
/// # Errors
/// When nothing is known to match a pattern of the layout.
pub fn random_tree(layout: &Layout, choices: &TreeChoices) -> Result<RandomTree> {
    let mut drawing = Drawing::new(layout)?;
    let mut tree = RandomTree::default();
    for numbers in &choices.files {
        let mut choices = Choices::given(numbers);
        if let Some(file) = drawing.file(&mut choices)? {
            tree.take(layout, &file, &mut drawing.values, &mut choices)?;
        }
    }
    tree.add_besides(layout, &mut drawing.values, &mut Choices::given(&choices.besides));
    tree.rows = drawing.counts();
    Ok(tree)
}

impl RandomTree {
    /// Spells a file and takes it in.
    pub(super) fn take(
        &mut self,
        layout: &Layout,
        file: &File,
        values: &mut Values,
        choices: &mut Choices<'_>,
    ) -> Result<()> {
        let bytes = document::bytes(layout, file, values, choices)?;
        let mode = *choices.of(&[0o644, 0o644, 0o600, 0o755, 0o444]);
        self.entries.insert(file.path.clone(), Entry { mode, made: Made::File(bytes) });
        Ok(())
    }

    /// What a tree has besides: empty directories, links, and files that are carried as bytes.
    pub(super) fn add_besides(&mut self, layout: &Layout, values: &mut Values, choices: &mut Choices<'_>) {
        for glob in &layout.keep {
            let path = glob.text().replace("**", "kept/deep").replace('*', "kept").replace('?', "k");
            if choices.once_in(2) && layout.place(&path) == Place::Kept && self.is_free(&path) {
                let mut random = choices.random();
                let bytes = match choices.below(3) {
                    0 => values.lines(choices).into_bytes(),
                    1 => Vec::new(),
                    _ => (0..choices.below(3000)).map(|_| random.bits() as u8).collect(),
                };
                self.entries.insert(path, Entry { mode: *choices.of(&[0o640, 0o755]), made: Made::File(bytes) });
            }
        }
        for place in 0..choices.below(3) {
            let path = format!("empty {place}/deeper");
            let mode = *choices.of(&[0o755, 0o700, 0o750]);
            self.entries.insert(path, Entry { mode, made: Made::Directory });
        }
        let targets: Vec<String> = self.entries.keys().cloned().collect();
        for place in 0..choices.below(3).min(targets.len()) {
            let (path, up) = match choices.below(2) {
                0 => (format!("link {place}"), ""),
                _ => (format!("links {place}/one"), "../"),
            };
            let leads_to = format!("{up}{}", choices.of(&targets));
            self.entries.insert(path, Entry { mode: 0, made: Made::Link(leads_to) });
        }
    }

    fn is_free(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        !self
            .entries
            .keys()
            .any(|other| other == path || other.starts_with(&folder) || path.starts_with(&format!("{other}/")))
    }

    /// How many files it has.
    pub fn files(&self) -> usize {
        self.entries.values().filter(|entry| entry.is_file()).count()
    }

    /// Makes the tree at `root`, which is not there yet.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, root: &Path) -> Result<()> {
        const OPERATION: &str = "make the tree at";
        let object = || format!("`{}`", root.display());
        fs::create_dir_all(root).could_not(OPERATION, object())?;
        for (path, entry) in &self.entries {
            let path = root.join(path);
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).could_not(OPERATION, object())?;
            }
            match &entry.made {
                Made::File(bytes) => fs::write(&path, bytes),
                Made::Directory => fs::create_dir_all(&path),
                Made::Link(leads_to) => symlink(leads_to, &path),
            }
            .could_not(OPERATION, object())?;
            if !matches!(entry.made, Made::Link(_)) {
                fs::set_permissions(&path, Permissions::from_mode(entry.mode)).could_not(OPERATION, object())?;
            }
        }
        Ok(())
    }

    /// What is in it, for people.
    pub fn lines(&self) -> Lines {
        let mut text = Lines::new();
        for (path, entry) in &self.entries {
            match &entry.made {
                Made::Directory => text.line(format_args!("{path:?}: a directory, {:o}", entry.mode)),
                Made::Link(leads_to) => text.line(format_args!("{path:?}: a link to {leads_to:?}")),
                Made::File(bytes) => {
                    text.line(format_args!("{path:?}: a file, {:o}", entry.mode));
                    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                        text.line(format_args!("    {}", line.escape_ascii()));
                    }
                }
            }
        }
        text
    }
}
