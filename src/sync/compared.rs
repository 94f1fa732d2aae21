//! What was found, and how it is told to people.

use super::apply::RowChange;
use super::base::{Base, Paths, kind_of};
use super::files::Files;
use super::merge::{Decision, Decisions};
use super::record::{
    Change, Id, Outcome, SHOWN_MAX, Side, Synced, SyncedEntry, SyncedRecord, TableCounts, Unsaid, Which,
};
use super::rows::Rows;
use super::store::Store;
use super::values::{differing, key_of_packed};
use super::writing::FileChange;
use crate::endpoint::files::layout::Layout;
use crate::endpoint::sqlite::file::quoted;
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::path::Path;

/// What was found.
pub struct Compared {
    /// The paths of both sides and of the base.
    pub paths: Paths,
    /// The records that were looked at.
    pub store: Store,
    /// What both sides had when they were equal last.
    pub base: Base,
    /// The tree.
    pub files: Files,
    /// The rows.
    pub rows: Rows,
    /// What becomes of each record that is not the same everywhere.
    pub decisions: Decisions,
    /// The files that rows have changed, as they are to be.
    pub changes: Vec<FileChange>,
    /// The rows that files have changed, as they are to be.
    pub row_changes: Vec<RowChange>,
    /// What is remembered of paths that are in the base no more, or are not as they were.
    pub removed: Vec<String>,
    /// Whether files that a run has set aside are what their kinds say by now, or are gone.
    pub has_fewer_aside: bool,
    /// Whether keys of rows count on from other numbers than is remembered: rows that came and went have moved them.
    pub has_other_numbers: bool,
}

impl Compared {
    /// Whether there is nothing to do: no record, no entry, no spelling is another one.
    pub fn is_done(&self) -> bool {
        let entries_differ = self.files.entries.iter().any(|(path, entry)| self.base.entries.get(path) != Some(entry));
        let has_work =
            self.decisions.values().any(|one| !matches!(one.outcome, Outcome::Conflict | Outcome::Unwritable));
        !has_work
            && !entries_differ
            && !self.has_fewer_aside
            && !self.has_other_numbers
            && self.removed.is_empty()
            && self.row_changes.is_empty()
    }

    /// What was found, for people.
    ///
    /// # Errors
    /// When the temporary database cannot be read.
    pub fn told(&self, layout: &Layout, dry_run: bool) -> Result<Synced> {
        let goes = |id: &Id| {
            let decision = self.decisions.get(id);
            decision.is_some_and(|one| one.outcome == Outcome::Files && one.files == Side::Gone)
        };
        let mut synced = Synced {
            dry_run,
            unsaid: self.rows.unsaid.iter().map(|(id, unsaid)| Unsaid { goes: goes(id), ..unsaid.clone() }).collect(),
            unsaid_count: self.rows.unsaid_count,
            set_aside: self.files.set_aside.clone(),
            files_read: self.files.files_read,
            rows_read: self.rows.are_read,
            rows_written: self.row_changes.len() as u64,
            ..Synced::default()
        };
        let mut counts: Vec<TableCounts> = layout
            .tables
            .iter()
            .map(|table| TableCounts { table: table.name.clone(), ..TableCounts::default() })
            .collect();
        let mut shown: HashMap<Outcome, usize> = HashMap::new();
        for (id, decision) in &self.decisions {
            let table = usize::from(id.table);
            counts[table].count(decision.outcome);
            let shown = shown.entry(decision.outcome).or_default();
            if *shown < SHOWN_MAX {
                *shown += 1;
                synced.records.push(self.record(*id, decision, layout)?);
            }
        }
        synced.tables = counts
            .into_iter()
            .filter(|counts| *counts != TableCounts { table: counts.table.clone(), ..TableCounts::default() })
            .collect();
        for change in &self.changes {
            match change {
                FileChange::Write { .. } => synced.files_written += 1,
                FileChange::Remove { .. } => synced.files_removed += 1,
            }
        }
        let is_entry = |path: &str| kind_of(layout, path).is_none();
        for (path, entry) in &self.files.entries {
            let known = self.base.entries.get(path);
            let is_same = known.is_some_and(|known| {
                known.mode == entry.mode && (!is_entry(path) || known == entry) && known.entry == entry.entry
            });
            if !is_same && (is_entry(path) || known.is_some()) {
                let change = if known.is_some() { Change::Changed } else { Change::Created };
                synced.entries.push(SyncedEntry { path: path.clone(), change });
            }
        }
        let gone = self.removed.iter().filter(|path| is_entry(path));
        synced.entries.extend(gone.map(|path| SyncedEntry { path: path.clone(), change: Change::Deleted }));
        Ok(synced)
    }

    fn record(&self, id: Id, decision: &Decision, layout: &Layout) -> Result<SyncedRecord> {
        let [files, rows] = [Which::Files, Which::Rows].map(|which| self.store.get(which, id));
        let (files, rows) = (files?, rows?);
        let key = files.as_ref().or(rows.as_ref()).map(|stored| key_of_packed(layout, id, &stored.packed));
        let has_base = self.base.hash(id).is_some();
        let values = match decision.outcome {
            Outcome::Conflict | Outcome::Unwritable => differing(
                layout,
                usize::from(id.table),
                files.as_ref().map(|stored| stored.packed.as_slice()),
                rows.as_ref().map(|stored| stored.packed.as_slice()),
            ),
            Outcome::Files | Outcome::Rows | Outcome::Alike => Vec::new(),
        };
        Ok(SyncedRecord {
            table: layout.tables[usize::from(id.table)].name.clone(),
            key: key.unwrap_or_else(|| format!("{:032x}", id.key)),
            path: self.files.path_of(id, &self.base).map(|place| self.paths.path(place).to_owned()),
            outcome: decision.outcome,
            files: Change::of(decision.files, has_base),
            rows: Change::of(decision.rows, has_base),
            preferred: decision.preferred,
            reason: decision.reason.clone(),
            values,
        })
    }
}

impl Synced {
    /// An error where records were left as they are.
    ///
    /// # Errors
    /// When some were.
    pub fn ensure_merged(&self, tree: &Path, file: &Path) -> Result<()> {
        let object = || format!("{} and {}", quoted(tree), quoted(file));
        let conflicts: u64 = self.tables.iter().map(|table| table.conflicts).sum();
        let mut causes = Vec::new();
        if conflicts > 0 {
            causes.push(format!("{conflicts} record{} in conflict", if conflicts == 1 { " is" } else { "s are" }));
        }
        let unwritable: u64 = self.tables.iter().map(|table| table.unwritable).sum();
        if unwritable > 0 {
            causes.push(format!("no file can say {unwritable} changed row{}", if unwritable == 1 { "" } else { "s" }));
        }
        if self.unsaid_count > 0 {
            let is_one = self.unsaid_count == 1;
            causes.push(format!("no file says {} value{}", self.unsaid_count, if is_one { "" } else { "s" }));
        }
        match causes.is_empty() {
            true => Ok(()),
            false => {
                let error = Error::differs("sync", object(), causes.join(", "));
                Err(match conflicts {
                    0 => error,
                    _ => error.hint(
                        "make both sides say the same, or decide: `--prefer files:TABLE` or `--prefer rows:TABLE`, which are for conflicts alone",
                    ),
                })
            }
        }
    }
}
