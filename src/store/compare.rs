//! Both sides held against one another, record by record, and against what both were when they were equal last.
//!
//! Only versions are compared, in the order of the hashes of keys (`versions`); what differs is read again where it is told or
//! brought in step.

use super::contract::{Mode, Version};
use super::files::FilesStore;
use super::keeper::Keeper;
use super::open::Modes;
use super::rows::RowsStore;
use super::unit::{Known, Unit};
use super::versions::Versions;
use crate::error::Result;
use crate::sync::{key_of, text_of};
use crate::value::{Cell, TableDigest};
use serde::{Deserialize, Serialize};

/// So many differences are told one by one.
pub const SHOWN_MAX: usize = 1_000;

/// What has become of a record on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Found {
    /// Files have changed it, and rows have not.
    Files,
    /// Rows have changed it, and files have not.
    Rows,
    /// Both have, and not alike; or nobody knows what it was.
    Conflict,
}

/// A value that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnValues {
    /// The column.
    pub column: String,
    /// What it is in files.
    pub files: String,
    /// What it is in rows.
    pub rows: String,
}

/// A record that is not the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// Its table.
    pub table: String,
    /// Its key.
    pub key: String,
    /// Its file, where one has it or would have it.
    pub path: Option<String>,
    /// Its mode.
    pub mode: Mode,
    /// What has become of it.
    pub found: Found,
    /// Whether files have it.
    pub in_files: bool,
    /// Whether rows have it.
    pub in_rows: bool,
    /// The columns of the record itself that differ, where both sides have it; what is inside it is not told.
    pub values: Vec<ColumnValues>,
}

/// A difference with what is needed to remove it.
pub struct Open {
    /// What is told of it.
    pub told: Difference,
    /// The place of its table.
    pub table: usize,
    /// A row with the cells of its key.
    pub key: Vec<Cell<'static>>,
    /// The version that files have.
    pub files: Option<Version>,
    /// The version that rows have.
    pub rows: Option<Version>,
}

impl Open {
    /// What both sides have of it: files first.
    ///
    /// # Errors
    /// When a side cannot be read.
    pub fn units(&self, files: &FilesStore, rows: &RowsStore) -> Result<(Option<Unit>, Option<Unit>)> {
        Ok((files.find(self.table, &self.key)?, rows.find(self.table, &self.key)?))
    }
}

/// One table on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSides {
    /// The table.
    pub table: String,
    /// How many records files have, and the digest of their versions.
    pub files: TableDigest,
    /// The same of rows.
    pub rows: TableDigest,
}

/// A comparison.
#[derive(Default)]
pub struct Compared {
    /// How many records there are on any side.
    pub records: u64,
    /// How many of them both sides say alike.
    pub equal: u64,
    /// How many records the base has.
    pub base: u64,
    /// Each table.
    pub tables: Vec<TableSides>,
    /// What differs.
    pub open: Vec<Open>,
}

/// Compares the records whose files are chosen.
///
/// # Errors
/// When a side cannot be read.
pub fn compare(
    known: &'static Known,
    (files, rows): (&FilesStore, &RowsStore),
    modes: &Modes,
    chosen: &dyn Fn(&str) -> bool,
) -> Result<Compared> {
    let versions = Versions::read(known, files, rows)?;
    let mut compared = Compared { base: versions.bases()?, ..Compared::default() };
    for table in known.roots() {
        let name = known.layout.tables[table].name.clone();
        let (files, rows) = (TableDigest::default(), TableDigest::default());
        compared.tables.push(TableSides { table: name, files, rows });
    }
    let places: Vec<usize> = known.roots().collect();
    versions.each(&mut |found| {
        let path = found.path();
        if !path.as_deref().is_none_or(chosen) {
            return Ok(());
        }
        let [of_file, of_row] = [found.files_version()?, found.rows.as_ref().map(|side| side.version)];
        if of_file.is_none() && of_row.is_none() {
            return Ok(());
        }
        compared.records += 1;
        if let Some(sides) = places.iter().position(|place| *place == found.table) {
            of_file.iter().for_each(|version| compared.tables[sides].files.add(version.0));
            of_row.iter().for_each(|version| compared.tables[sides].rows.add(version.0));
        }
        if of_file == of_row {
            compared.equal += 1;
            return Ok(());
        }
        let base = found.base_version();
        let became = match (of_file == base, of_row == base) {
            (true, _) => Found::Rows,
            (_, true) => Found::Files,
            (false, false) => Found::Conflict,
        };
        let mode = path.as_deref().map_or(Mode::Files, |path| modes.of(known, path));
        let mode = modes.only().unwrap_or(mode);
        let key = found.key_row()?;
        let told = Difference {
            table: known.layout.tables[found.table].name.clone(),
            key: key_of(known.layout, found.table, &key),
            path,
            mode,
            found: became,
            in_files: of_file.is_some(),
            in_rows: of_row.is_some(),
            values: Vec::new(),
        };
        compared.open.push(Open { told, table: found.table, key, files: of_file, rows: of_row });
        Ok(())
    })?;
    for open in compared.open.iter_mut().take(SHOWN_MAX).filter(|open| open.told.in_files && open.told.in_rows) {
        if let (Some(of_files), Some(of_rows)) = open.units(files, rows)? {
            open.told.values = values(known, &of_files, &of_rows);
        }
    }
    Ok(compared)
}

/// The columns that differ.
fn values(known: &Known, files: &Unit, rows: &Unit) -> Vec<ColumnValues> {
    let columns = known.layout.tables[files.table].columns.iter().enumerate();
    let differs = columns.filter(|(place, _)| files.cells[*place] != rows.cells[*place]);
    differs
        .map(|(place, column)| ColumnValues {
            column: column.name.clone(),
            files: text_of(&files.cells[place]),
            rows: text_of(&rows.cells[place]),
        })
        .collect()
}

impl Compared {
    /// What is told of the differences.
    pub fn differences(&self) -> Vec<Difference> {
        self.open.iter().take(SHOWN_MAX).map(|open| open.told.clone()).collect()
    }

    /// The share of records that both sides say alike, from 0 to 1.
    pub fn equal_share(&self) -> f64 {
        if self.records == 0 { 1.0 } else { self.equal as f64 / self.records as f64 }
    }
}
