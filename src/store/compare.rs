//! Both sides held against one another, record by record, and against what both were when they were equal last.

use super::contract::{Mode, Version};
use super::files::FilesStore;
use super::keeper::Keeper;
use super::open::Modes;
use super::rows::RowsStore;
use super::unit::{Known, Unit, of_parts, versions_of_marks};
use crate::error::Result;
use crate::sync::text_of;
use crate::value::TableDigest;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

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
    /// What files have.
    pub files: Option<Unit>,
    /// What rows have.
    pub rows: Option<Unit>,
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

struct Side {
    version: Version,
    path: Option<String>,
    unit: Unit,
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
    let base = Bases::read(known, rows)?;
    let mut compared = Compared::default();
    for table in known.roots() {
        let mut of_files: BTreeMap<u128, Side> = BTreeMap::new();
        for located in files.located(table, &[])? {
            let path = located.places.first().map(|(_, path)| path.clone());
            let side = Side { version: located.unit.version(known), path, unit: located.unit };
            of_files.insert(side.unit.key(known), side);
        }
        let mut of_rows: BTreeMap<u128, Side> = BTreeMap::new();
        for unit in rows.all(table, &[])? {
            let path = unit.files(known, &[]).ok().and_then(|files| files.into_iter().next()).map(|(_, path, _)| path);
            let side = Side { version: unit.version(known), path, unit };
            of_rows.insert(side.unit.key(known), side);
        }
        let mut sides = TableSides {
            table: known.layout.tables[table].name.clone(),
            files: TableDigest::default(),
            rows: TableDigest::default(),
        };
        let keys: std::collections::BTreeSet<u128> = of_files.keys().chain(of_rows.keys()).copied().collect();
        for key in keys {
            let (file, row) = (of_files.remove(&key), of_rows.remove(&key));
            let path = file.as_ref().and_then(|side| side.path.clone()).or_else(|| row.as_ref()?.path.clone());
            if !path.as_deref().is_none_or(chosen) {
                continue;
            }
            compared.records += 1;
            file.iter().for_each(|side| sides.files.add(side.version.0));
            row.iter().for_each(|side| sides.rows.add(side.version.0));
            let [of_file, of_row] = [&file, &row].map(|side| side.as_ref().map(|side| side.version.0));
            if of_file == of_row {
                compared.equal += 1;
                continue;
            }
            let any = file.as_ref().or(row.as_ref()).map(|side| &side.unit);
            let known_base = any.and_then(|unit| base.version(known, unit, key));
            let found = match (of_file == known_base, of_row == known_base) {
                (true, _) => Found::Rows,
                (_, true) => Found::Files,
                (false, false) => Found::Conflict,
            };
            let mode = path.as_deref().map_or(Mode::Files, |path| modes.of(known, path));
            let mode = modes.only().unwrap_or(mode);
            let (files, rows) = (file.map(|side| side.unit), row.map(|side| side.unit));
            let told = told(known, table, (files.as_ref(), rows.as_ref()), (path, mode, found));
            compared.open.push(Open { told, files, rows });
        }
        compared.tables.push(sides);
    }
    compared.base = (base.whole.len() + base.parts.len()) as u64;
    Ok(compared)
}

fn told(
    known: &Known,
    table: usize,
    (files, rows): (Option<&Unit>, Option<&Unit>),
    (path, mode, found): (Option<String>, Mode, Found),
) -> Difference {
    let of = &known.layout.tables[table];
    let values = match (files, rows) {
        (Some(files), Some(rows)) => of
            .columns
            .iter()
            .enumerate()
            .filter(|(place, _)| files.cells[*place] != rows.cells[*place])
            .map(|(place, column)| ColumnValues {
                column: column.name.clone(),
                files: text_of(&files.cells[place]),
                rows: text_of(&rows.cells[place]),
            })
            .collect(),
        _ => Vec::new(),
    };
    let key = files.or(rows).map_or_else(String::new, |unit| unit.shown_key(known));
    Difference {
        table: of.name.clone(),
        key,
        path,
        mode,
        found,
        in_files: files.is_some(),
        in_rows: rows.is_some(),
        values,
    }
}

/// The versions that the SQLite file remembers, by table and key.
#[derive(Default)]
struct Bases {
    whole: HashMap<(usize, u128), u128>,
    /// Of rows in parts, those of each kind of file.
    parts: HashMap<(usize, u128), Vec<(usize, Version)>>,
}

impl Bases {
    fn read(known: &'static Known, rows: &RowsStore) -> Result<Bases> {
        let mut bases = Bases::default();
        rows.remembered(&mut |path, marks| {
            for (id, version) in versions_of_marks(known, marks) {
                match known.layout.tables[id.0].in_parts {
                    true => bases.parts.entry(id).or_default().push((known.group_of(path).0, Version(version))),
                    false => drop(bases.whole.insert(id, version)),
                }
            }
        })?;
        Ok(bases)
    }

    fn version(&self, known: &Known, unit: &Unit, key: u128) -> Option<u128> {
        let id = (unit.table, key);
        let of_parts = || {
            let nothing = unit.nothing(known);
            let parts = self.parts.get(&id)?.iter().copied().filter(|(_, version)| version.0 != nothing);
            Some(of_parts(parts.collect()).0)
        };
        self.whole.get(&id).copied().or_else(of_parts)
    }
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
