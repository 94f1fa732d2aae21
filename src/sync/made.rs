//! What a SQLite file remembers of how it was made of a tree.

use crate::endpoint::files::source::LayoutFile;
use crate::endpoint::sqlite::file::{quoted, shown};
use crate::endpoint::sqlite::read::describe;
use crate::endpoint::sqlite::remembered::{plan_of, read_manifest};
use crate::error::{Error, Result};
use crate::metadata::tables::read as kept_tables;
use crate::plan::TablePlan;
use crate::plan::choices::Choices;
use crate::value::TableDigest;
use rusqlite::Connection;
use std::collections::HashMap;
use std::path::Path;

const USE: &str = "use the tree of";

/// What the file says of how it was made.
pub struct Made {
    /// The layout.
    pub layout: LayoutFile,
    /// What was chosen.
    pub choices: Choices,
    /// The plan of each of the layout's tables.
    pub plans: Vec<TablePlan>,
    /// The names of all tables that were copied.
    pub copied: Vec<String>,
    /// The digest of everything that it remembers.
    pub digest: Option<String>,
    /// The digest of each table that was copied, by its name in the file.
    pub kept: HashMap<String, TableDigest>,
}

impl Made {
    /// The digest of everything that it remembers; empty where there is none.
    pub fn digest(&self) -> &str {
        self.digest.as_deref().unwrap_or_default()
    }

    /// About how many records both sides had when they were equal last.
    pub fn record_count(&self) -> usize {
        let rows: u64 = self.plans.iter().filter_map(|plan| self.kept.get(&plan.target)).map(|one| one.rows).sum();
        usize::try_from(rows).unwrap_or(usize::MAX)
    }

    /// The choices, with other files set aside.
    pub fn with_aside(&self, set_aside: Vec<String>) -> Choices {
        Choices { set_aside, ..self.choices.clone() }
    }

    /// Reads it; `project` is the layout of a project, which has to be the same one.
    ///
    /// # Errors
    /// When the file was made of no tree, of another layout, or without a part of it.
    pub fn of(connection: &Connection, path: &Path, project: Option<&Path>) -> Result<Made> {
        let object = || quoted(path);
        let no_tree = || {
            Error::usage(USE, object(), "it does not remember a tree that it was made of")
                .hint("make it anew of the tree: `whimbrel migrate PROJECT TREE FILE`")
        };
        let manifest = read_manifest(connection)?.ok_or_else(no_tree)?;
        let layout = LayoutFile::remembered(&manifest.catalog, &shown(path))?.ok_or_else(no_tree)?;
        if let Some(file) = project
            && LayoutFile::load(Some(file), path)?.layout != layout.layout
        {
            return Err(Error::usage(USE, object(), "it was made by another layout than the project has now").hint(
                "bring both sides in step by the old layout first, leaving the project out; then migrate anew by the new one",
            ));
        }
        let plan = plan_of(&manifest, connection)?;
        let choices: Choices = manifest.choices()?;
        let plans = layout.layout.tables.iter().map(|table| {
            let found = plan.tables.iter().find(|plan| plan.source.name == table.name);
            let is_whole = |plan: &&TablePlan| {
                plan.columns.len() == table.columns.len()
                    && plan.columns.iter().zip(&table.columns).all(|(plan, column)| plan.source == column.name)
            };
            found.filter(is_whole).cloned().ok_or_else(|| {
                Error::could_not(USE, object(), format!("it was made without all of table `{}`", table.name))
                    .hint("tables and columns that were left out cannot be merged; migrate anew with them")
            })
        });
        let plans = plans.collect::<Result<Vec<_>>>()?;
        let kept = kept_tables(connection).map_err(|error| describe("read", object(), error))?.unwrap_or_default();
        let kept = kept.into_values().filter_map(|table| Some((table.target, table.digest?))).collect();
        let copied = plan.tables.iter().map(|table| table.target.clone()).collect();
        Ok(Made { layout, choices, plans, copied, digest: manifest.digest, kept })
    }
}
