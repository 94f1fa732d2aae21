//! What the cases of a run share, and the tree of each.

use super::super::definition::{AWKWARD_SHARE, Scenario};
use super::super::fixture::Settings;
use super::super::rows::Twin;
use crate::catalog::QualifiedName;
use crate::endpoint::files::source::LayoutFile;
use crate::error::Result;
use crate::harness::Seed;
use crate::harness::generate::{Dataset, GenerateOptions, Hints};
use crate::harness::trees::{RandomTree, TreeChoices, fitting, random_tree, tree_of_rows};
use crate::project::Project;
use std::path::Path;

/// How many files a tree has whose rows nothing limits, for each of so many rows.
const ROWS_PER_FILE: u64 = 12;

/// What the cases of a run share.
pub(super) struct Subject {
    pub settings: Settings,
    pub layout: LayoutFile,
    /// What makes valid rows, where there is a target schema.
    pub twin: Option<Twin>,
    hints: Hints,
    /// Tables of the target that no file fills.
    unfilled: Vec<QualifiedName>,
}

impl Subject {
    /// What a project says.
    ///
    /// # Errors
    /// When one of its files cannot be read, or is not as it has to be.
    pub fn of(project: &Project, layout: &Path) -> Result<Subject> {
        let settings = Settings::of(project)?;
        let layout = LayoutFile::load(Some(layout), &project.folder)?;
        let twin = project.target_schema.is_some().then(|| Twin::new(&settings)).transpose()?;
        let (mut hints, mut unfilled) = (project.generate.clone(), Vec::new());
        if let Some(twin) = &twin {
            fitting(&mut hints, &layout.layout, twin.catalog());
            let is_filled = |name: &str| layout.layout.tables.iter().any(|table| table.name == name);
            let names = twin.catalog().tables.iter().map(|table| &table.name);
            unfilled.extend(names.filter(|name| !is_filled(&name.name)).cloned());
        }
        Ok(Subject { settings, layout, twin, hints, unfilled })
    }

    /// The tree of a case, and the rows that it has where they were generated.
    ///
    /// # Errors
    /// When no rows are found that the target takes, or nothing is known to match a pattern of the layout.
    pub fn tree(&self, scenario: &Scenario, seed: Seed) -> Result<(RandomTree, Option<Dataset>)> {
        let layout = &self.layout.layout;
        let Some(twin) = &self.twin else {
            let files = (0..=scenario.rows / ROWS_PER_FILE).map(|file| numbers(seed.of("file").nth(file), 400));
            let choices = TreeChoices { besides: numbers(seed.of("besides"), 100), files: files.collect() };
            return Ok((random_tree(layout, &choices)?, None));
        };
        let options = GenerateOptions {
            rows: scenario.rows,
            per_table: self.unfilled.iter().map(|table| (table.clone(), 0)).collect(),
            seed,
            awkward: AWKWARD_SHARE,
            hints: self.hints.clone(),
        };
        let rows = twin.generate(options)?;
        Ok((tree_of_rows(layout, &rows, seed)?, Some(rows)))
    }
}

fn numbers(seed: Seed, count: usize) -> Vec<u32> {
    let mut random = seed.random();
    (0..count).map(|_| (random.bits() >> 32) as u32).collect()
}
