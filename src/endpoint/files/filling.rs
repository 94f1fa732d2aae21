//! The rows of one file, from all rows of a tree: what is to be woven into it, in the order in which it stands there.

use super::layout::{Layout, RecordSet, Step};
use super::marks::Mark;
use super::pack::unpack;
use super::rows::{PlacedRows, RowStore, StoredRow, shown};
use super::weave::{Rows, Unwoven, Weaver};
use crate::error::{Error, Result};
use crate::value::Cell;
use std::cmp::Ordering;
use std::collections::{HashMap, VecDeque};

/// A row on its way into a file.
pub(super) struct Placed {
    pub(super) set: usize,
    pub(super) row: StoredRow,
    /// Its place among the records that were there; none for a new one.
    pub(super) place: Option<usize>,
}

/// Fills files with rows.
pub struct Filling<'m, 'l, S = RowStore<'l>> {
    /// What the files are.
    pub layout: &'l Layout,
    /// The weaver of each kind.
    pub weavers: &'m [Weaver<'l>],
    /// All rows, each with its file.
    pub store: &'m S,
}

impl<S> Clone for Filling<'_, '_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Filling<'_, '_, S> {}

impl<S: PlacedRows> Filling<'_, '_, S> {
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
        captures(self.layout, kind, path)
    }

    /// Says for people why rows do not go into a file.
    pub fn unwoven(&self, kind: usize, path: &str, rows: &Rows<'_>, why: Unwoven) -> Error {
        unwoven(&self.weavers[kind], path, rows, why)
    }

    /// The rows of each piece of a file: known ones as they stood, new ones in the last piece.
    ///
    /// # Errors
    /// When the temporary database cannot be read.
    pub fn rows(&self, path: &str, kind: usize, marks: &[Vec<Mark>]) -> Result<Vec<Rows<'static>>> {
        marks.iter().map(|marks| self.rows_of(path, kind, marks)).collect()
    }

    /// The rows of a file in one piece: known ones as they stood, new ones where they find their place.
    ///
    /// # Errors
    /// When the temporary database cannot be read.
    pub fn rows_of(&self, path: &str, kind: usize, marks: &[Mark]) -> Result<Rows<'static>> {
        let places = places(marks);
        let place = |row: &StoredRow| place(&places, row);
        let roots = self.store.roots(path, kind)?;
        let placed = roots.into_iter().map(|(set, row)| Placed { set, place: place(&row), row }).collect();
        self.filled(kind, placed, &place)
    }

    /// Rows of the root with those inside them.
    ///
    /// # Errors
    /// When the temporary database cannot be read.
    pub(super) fn filled(
        &self,
        kind: usize,
        roots: Vec<Placed>,
        place: &dyn Fn(&StoredRow) -> Option<usize>,
    ) -> Result<Rows<'static>> {
        let mut rows = Rows::new();
        for Placed { set, row, .. } in self.ordered(kind, roots)? {
            self.add(kind, set, &row, place, &mut rows)?;
        }
        Ok(rows)
    }

    /// Adds a row with those inside it; how many bytes they have.
    ///
    /// # Errors
    /// When the temporary database cannot be read.
    pub(super) fn add(
        &self,
        kind: usize,
        set: usize,
        row: &StoredRow,
        place: &dyn Fn(&StoredRow) -> Option<usize>,
        rows: &mut Rows<'static>,
    ) -> Result<usize> {
        let sets = self.weavers[kind].sets();
        // Of a row in parts, this file has what it fills.
        let records = sets[set].records;
        let is_filled = |column: usize| {
            records.rest == Some(column) || records.columns.iter().any(|filled| filled.column == column)
        };
        let cells = unpack(&row.packed).ok_or_else(damaged)?.into_iter().enumerate();
        rows.push(set, cells.map(|(column, cell)| if is_filled(column) { cell.into_owned() } else { Cell::Null }));
        let mut bytes = row.packed.len();
        for inner in (0..sets.len()).filter(|inner| sets[*inner].parent == Some(set)) {
            let inside = self.store.inside(kind, inner, row.key)?.into_iter();
            let inside = inside.map(|row| Placed { set: inner, place: place(&row), row }).collect();
            for Placed { row, .. } in self.ordered(kind, inside)? {
                bytes += self.add(kind, inner, &row, place, rows)?;
            }
        }
        Ok(bytes)
    }

    /// Rows of one place, set by set: known ones as they stood, new ones by the order that the layout says, else behind them.
    fn ordered(&self, kind: usize, mut rows: Vec<Placed>) -> Result<Vec<Placed>> {
        rows.sort_by_key(|one| (one.set, one.place.is_none(), one.place, one.row.number));
        let sets = self.weavers[kind].sets();
        let needs_order = |one: &Placed| one.place.is_none() && sets[one.set].records.order.is_some();
        if !rows.iter().any(needs_order) {
            return Ok(rows);
        }
        let (mut all, mut rows) = (Vec::with_capacity(rows.len()), VecDeque::from(rows));
        while let Some(set) = rows.front().map(|one| one.set) {
            let end = rows.partition_point(|one| one.set == set);
            let of_set = rows.drain(..end);
            match sets[set].records.order {
                None => all.extend(of_set),
                Some(order) => {
                    let (mut known, mut new) = (Vec::new(), Vec::new());
                    for one in of_set {
                        let value = unpack(&one.row.packed).ok_or_else(damaged)?.swap_remove(order.column).into_owned();
                        if one.place.is_some() { &mut known } else { &mut new }.push((value, one));
                    }
                    all.extend(merged(known, new, order.descending));
                }
            }
        }
        Ok(all)
    }
}

/// What the captures of a file's path are.
///
/// # Errors
/// When files of the kind have no such path.
pub(super) fn captures(layout: &Layout, kind: usize, path: &str) -> Result<Vec<(String, String)>> {
    let pattern = &layout.kinds[kind].path;
    let read = pattern.read(path).ok_or_else(|| {
        let cause = format!("the layout has no such path for files `{}`", layout.kinds[kind].name);
        Error::could_not("write", format!("`{path}`"), cause)
    })?;
    Ok(pattern.captures().iter().cloned().zip(read).collect())
}

/// Says for people why rows do not go into a file.
pub(super) fn unwoven(weaver: &Weaver<'_>, path: &str, rows: &Rows<'_>, why: Unwoven) -> Error {
    match why {
        Unwoven::Flaw(flaw) => Error::could_not("write", format!("`{path}`"), flaw),
        Unwoven::Misfit(misfit) if misfit.row >= rows.len() => {
            Error::could_not("write", format!("`{path}`"), misfit.reason)
        }
        Unwoven::Misfit(misfit) => {
            let row = rows.row(misfit.row);
            let table = weaver.sets()[row.set].table;
            let column =
                misfit.column.map_or_else(String::new, |place| format!(", column `{}`", table.columns[place].name));
            let key: Vec<String> = table.key.iter().map(|place| shown(&row.cells[*place])).collect();
            let object = format!("`{path}`, table `{}`, row [{}]{column}", table.name, key.join(", "));
            Error::could_not("write", object, misfit.reason)
        }
    }
}

/// Each new one behind the last of the known ones that does not come after it; one without a value behind all of them.
fn merged<T>(
    known: Vec<(Cell<'static>, T)>,
    mut new: Vec<(Cell<'static>, T)>,
    descending: bool,
) -> impl Iterator<Item = T> {
    let compared = |one: &Cell<'_>, other: &Cell<'_>| match (one, other) {
        (Cell::Null, Cell::Null) => Ordering::Equal,
        (Cell::Null, _) => Ordering::Greater,
        (_, Cell::Null) => Ordering::Less,
        _ if descending => compared(other, one),
        _ => compared(one, other),
    };
    new.sort_by(|(one, _), (other, _)| compared(one, other));
    let mut backwards = Vec::with_capacity(known.len() + new.len());
    for (value, old) in known.into_iter().rev() {
        while let Some(last) = new.pop_if(|(new, _)| compared(&value, new) != Ordering::Greater) {
            backwards.push(last.1);
        }
        backwards.push(old);
    }
    backwards.extend(new.into_iter().rev().map(|(_, one)| one));
    backwards.into_iter().rev()
}

/// Which of two values of one column comes first.
fn compared(one: &Cell<'_>, other: &Cell<'_>) -> Ordering {
    match (one, other) {
        (Cell::Float(one), Cell::Float(other)) => one.total_cmp(other),
        (Cell::Int(one) | Cell::TimestampTz(one), Cell::Int(other) | Cell::TimestampTz(other)) => one.cmp(other),
        (Cell::Text(one) | Cell::Json(one), Cell::Text(other) | Cell::Json(other)) => one.cmp(other),
        (Cell::Bool(one), Cell::Bool(other)) => one.cmp(other),
        (Cell::Bytes(one), Cell::Bytes(other)) => one.cmp(other),
        // No column has values of two types.
        _ => Ordering::Equal,
    }
}

/// The places of the records of a file.
pub(super) fn places(marks: &[Mark]) -> HashMap<(u16, u128), usize> {
    marks.iter().enumerate().map(|(place, mark)| ((mark.table, mark.key), place)).collect()
}

pub(super) fn place(places: &HashMap<(u16, u128), usize>, row: &StoredRow) -> Option<usize> {
    places.get(&row.identity()).copied()
}

fn damaged() -> Error {
    Error::could_not("read", "a temporary database", "a row is damaged")
}
