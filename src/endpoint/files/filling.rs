//! The rows of one file, from all rows of a tree: what is to be woven into it, in the order in which it stands there.

use super::layout::{Layout, RecordSet, Step};
use super::marks::Mark;
use super::pack::unpack;
use super::rows::{RowStore, StoredRow, shown};
use super::weave::{Rows, Unwoven, Weaver};
use crate::error::{Error, Result};
use crate::value::Cell;
use std::collections::HashMap;

/// Fills files with rows.
#[derive(Clone, Copy)]
pub struct Filling<'m, 'l> {
    /// What the files are.
    pub layout: &'l Layout,
    /// The weaver of each kind.
    pub weavers: &'m [Weaver<'l>],
    /// All rows, each with its file.
    pub store: &'m RowStore<'l>,
}

impl Filling<'_, '_> {
    /// Whether a file of the kind is nothing but the one record in it.
    pub fn is_its_records(&self, kind: usize) -> bool {
        let whole = |records: &RecordSet| records.at.iter().all(|step| matches!(step, Step::Member(_)));
        self.layout.kinds[kind].records.iter().any(whole)
    }

    /// What the captures of a file's path are.
    ///
    /// # Errors
    /// When files of the kind have no such path.
    pub fn captures(&self, kind: usize, path: &str) -> Result<Vec<(String, String)>> {
        let pattern = &self.layout.kinds[kind].path;
        let read = pattern.read(path).ok_or_else(|| {
            let cause = format!("the layout has no such path for files `{}`", self.layout.kinds[kind].name);
            Error::could_not("write", format!("`{path}`"), cause)
        })?;
        Ok(pattern.captures().iter().cloned().zip(read).collect())
    }

    /// Says for people why rows do not go into a file.
    pub fn unwoven(&self, kind: usize, path: &str, rows: &Rows<'_>, why: Unwoven) -> Error {
        match why {
            Unwoven::Flaw(flaw) => Error::could_not("write", format!("`{path}`"), flaw),
            Unwoven::Misfit(misfit) => {
                let row = rows.row(misfit.row);
                let table = self.weavers[kind].sets()[row.set].table;
                let column =
                    misfit.column.map_or_else(String::new, |place| format!(", column `{}`", table.columns[place].name));
                let key: Vec<String> = table.key.iter().map(|place| shown(&row.cells[*place])).collect();
                let object = format!("`{path}`, table `{}`, row [{}]{column}", table.name, key.join(", "));
                Error::could_not("write", object, misfit.reason)
            }
        }
    }

    /// The rows of each piece of a file: known ones as they stood, new ones behind them in the last piece.
    ///
    /// # Errors
    /// When the temporary database cannot be read.
    pub fn rows(&self, path: &str, kind: usize, marks: &[Vec<Mark>]) -> Result<Vec<Rows<'static>>> {
        let places: HashMap<(u16, u128), usize> =
            marks.iter().flatten().enumerate().map(|(place, mark)| ((mark.table, mark.key), place)).collect();
        let place = |row: &StoredRow| {
            let table = u16::try_from(row.table).unwrap_or(u16::MAX);
            places.get(&(table, row.key)).copied().unwrap_or(usize::MAX)
        };
        let mut ends: Vec<usize> = Vec::new();
        for marks in marks {
            ends.push(ends.last().copied().unwrap_or(0) + marks.len());
        }
        let mut of_pieces: Vec<Rows<'static>> = marks.iter().map(|_| Rows::new()).collect();
        let mut roots = self.store.roots(path, kind)?;
        roots.sort_by_key(|(set, row)| (place(row), *set, row.number));
        for (set, row) in roots {
            let at = place(&row);
            let piece = ends.iter().position(|end| at < *end).unwrap_or(of_pieces.len().saturating_sub(1));
            if let Some(rows) = of_pieces.get_mut(piece) {
                self.add(kind, set, &row, &place, rows)?;
            }
        }
        Ok(of_pieces)
    }

    fn add(
        &self,
        kind: usize,
        set: usize,
        row: &StoredRow,
        place: &dyn Fn(&StoredRow) -> usize,
        rows: &mut Rows<'static>,
    ) -> Result<()> {
        let damaged = || Error::could_not("read", "a temporary database", "a row is damaged");
        let sets = self.weavers[kind].sets();
        // Of a row in parts, this file has what it fills.
        let records = sets[set].records;
        let is_filled = |column: usize| {
            records.rest == Some(column) || records.columns.iter().any(|filled| filled.column == column)
        };
        let cells = unpack(&row.packed).ok_or_else(damaged)?;
        let cells = cells.into_iter().enumerate();
        rows.push(set, cells.map(|(column, cell)| if is_filled(column) { cell.into_owned() } else { Cell::Null }));
        for inner in (0..sets.len()).filter(|inner| sets[*inner].parent == Some(set)) {
            let mut inside = self.store.inside(kind, inner, row.key)?;
            inside.sort_by_key(|row| (place(row), row.number));
            inside.iter().try_for_each(|row| self.add(kind, inner, row, place, rows))?;
        }
        Ok(())
    }
}
