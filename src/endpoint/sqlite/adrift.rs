//! Entries of the ledger that may be another row's than the one that they name.
//!
//! An entry names its row by the row's key, and where a table has none by SQLite's number of the row. Where a key was changed since, or
//! VACUUM has numbered the rows anew, the entry finds its row no more, or finds another one. A row that was deleted leaves an entry
//! behind as well, which does no harm. The two look alike only where some row holds what was written beside the exact value and has no
//! entry that says what it is: such entries are told, since nobody can say what those rows mean.

use super::read::describe;
use super::scan::{Scan, ScannedRow};
use crate::catalog::QualifiedName;
use crate::error::Result;
use crate::metadata::ledger;
use crate::plan::TablePlan;
use crate::quote::quote;
use crate::value::{RowHasher, Stored, TableDigest};
use rusqlite::Connection;
use std::collections::HashMap;

/// An entry of the ledger that may be another row's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adrift {
    /// The table in the source.
    pub table: QualifiedName,
    /// The column in the source.
    pub column: String,
    /// The value that the ledger keeps.
    pub exact: String,
    /// The row that it names.
    pub row_key: String,
    /// The first row that may be the one that is meant.
    pub candidate: String,
}

/// An entry, and what a look at every row says of it.
struct Entry {
    row_key: String,
    column: usize,
    exact: String,
    /// Its row is there.
    is_there: bool,
    /// Its row has what was written beside it.
    holds: bool,
}

/// The entries of one table that may be another row's; `kept` is the digest of its rows when the file was made.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn of_table(connection: &Connection, table: &TablePlan, kept: Option<TableDigest>) -> Result<Vec<Adrift>> {
    let failed = |error: rusqlite::Error| describe("read", format!("the ledger of `{}`", table.target), &error);
    if !ledger::has_entries(connection, &table.target).map_err(failed)? {
        return Ok(Vec::new());
    }
    let column_of = |name: &str| table.columns.iter().position(|column| column.target == name);
    let entries = ledger::of_table(connection, &table.target).map_err(failed)?.into_iter();
    let mut entries: Vec<Entry> = entries
        .filter_map(|[row_key, column, exact]| {
            column_of(&column).map(|column| Entry { row_key, column, exact, is_there: false, holds: false })
        })
        .collect();
    let digest = look(connection, table, &mut entries)?;
    let by_number = table.key.is_empty();
    if by_number && kept == Some(digest) {
        return Ok(Vec::new());
    }
    let suspects: Vec<usize> = (0..entries.len()).filter(|place| by_number || !entries[*place].is_there).collect();
    match suspects.is_empty() {
        true => Ok(Vec::new()),
        false => candidates(connection, table, &entries, &suspects),
    }
}

/// Looks at every row, and says how the rows are summed up.
fn look(connection: &Connection, table: &TablePlan, entries: &mut [Entry]) -> Result<TableDigest> {
    let scan = Scan::new(connection, table)?;
    let mut places: HashMap<String, Vec<usize>> = HashMap::new();
    for (place, entry) in entries.iter().enumerate() {
        places.entry(entry.row_key.clone()).or_default().push(place);
    }
    let (mut digest, mut hasher) = (TableDigest::default(), RowHasher::default());
    scan.rows(connection, None, &mut |row: &ScannedRow<'_>| {
        row.cells.iter().for_each(|cell| hasher.cell(cell));
        digest.add(hasher.finish());
        for place in places.get(&row.key()).into_iter().flatten() {
            let entry = &mut entries[*place];
            let text = scan.codecs()[entry.column].text(&row.cells[entry.column]);
            (entry.is_there, entry.holds) = (true, text.as_deref() == Some(entry.exact.as_str()));
        }
        Ok(())
    })?;
    Ok(digest)
}

/// The suspects with a row that may be the one that they mean.
fn candidates(
    connection: &Connection,
    table: &TablePlan,
    entries: &[Entry],
    suspects: &[usize],
) -> Result<Vec<Adrift>> {
    let mut columns: Vec<usize> = suspects.iter().map(|place| entries[*place].column).collect();
    columns.sort_unstable();
    columns.dedup();
    let names: Vec<String> = columns.iter().map(|column| quote(&table.columns[*column].target)).collect();
    let scan = Scan::new(connection, table)?.with(&names);
    let shown = |stored: &Stored<'_>| format!("{stored:?}");
    // What was written beside each, and what says of a row what it is.
    let mut beside: HashMap<(usize, String), Vec<usize>> = HashMap::new();
    for place in suspects {
        let entry = &entries[*place];
        if let Some(stored) = scan.codecs()[entry.column].beside(&entry.exact, shown) {
            beside.entry((entry.column, stored)).or_default().push(*place);
        }
    }
    let said: HashMap<(&str, usize), &str> = (entries.iter().filter(|entry| entry.holds))
        .map(|entry| ((entry.row_key.as_str(), entry.column), entry.exact.as_str()))
        .collect();
    let mut found: HashMap<usize, String> = HashMap::new();
    scan.rows(connection, None, &mut |row: &ScannedRow<'_>| {
        for (place, column) in columns.iter().enumerate() {
            let stored =
                row.selected(place).map_err(|error| describe("read", format!("`{}`", table.target), &error))?;
            let Some(places) = beside.get(&(*column, shown(&Stored::from(stored)))) else { continue };
            let key = row.key();
            let own = said.get(&(key.as_str(), *column));
            for place in places.iter().filter(|place| !found.contains_key(place)).copied().collect::<Vec<_>>() {
                let entry = &entries[place];
                // A row that is numbered anew may have found the entry of another one.
                let is_known = own.is_some_and(|own| !table.key.is_empty() || entry.holds || *own == entry.exact);
                if !is_known && entry.row_key != key {
                    found.insert(place, key.clone());
                }
            }
        }
        Ok(())
    })?;
    let told = suspects.iter().filter_map(|place| found.remove(place).map(|candidate| (&entries[*place], candidate)));
    Ok(told
        .map(|(entry, candidate)| Adrift {
            table: table.source.clone(),
            column: table.columns[entry.column].source.clone(),
            exact: entry.exact.clone(),
            row_key: entry.row_key.clone(),
            candidate,
        })
        .collect())
}
