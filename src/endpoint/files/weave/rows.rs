//! Rows of several record sets, in the order of their document.

use crate::value::Cell;

/// Rows, each behind the row that it is inside of. Their cells stand in one list, in the order of their tables' columns; a
/// column that the record set does not fill is NULL.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows<'a> {
    cells: Vec<Cell<'a>>,
    /// The record set, and where its cells begin.
    rows: Vec<(usize, usize)>,
}

/// One of [`Rows`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row<'r, 'a> {
    /// The record set, by its place in [`super::Weaver::sets`].
    pub set: usize,
    /// A cell for each column of its table.
    pub cells: &'r [Cell<'a>],
}

impl<'a> Rows<'a> {
    /// No rows.
    pub fn new() -> Self {
        Rows::default()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The row at a place.
    pub fn row(&self, place: usize) -> Row<'_, 'a> {
        let (set, from) = self.rows[place];
        let to = self.rows.get(place + 1).map_or(self.cells.len(), |(_, from)| *from);
        Row { set, cells: &self.cells[from..to] }
    }

    /// All of them.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Row<'_, 'a>> + ExactSizeIterator {
        (0..self.len()).map(|place| self.row(place))
    }

    /// Adds a row behind the last.
    pub fn push(&mut self, set: usize, cells: impl IntoIterator<Item = Cell<'a>>) {
        self.rows.push((set, self.cells.len()));
        self.cells.extend(cells);
    }

    /// Adds a row behind the last, whose cells somebody puts behind those that are there.
    pub fn push_by<T>(&mut self, set: usize, put: impl FnOnce(&mut Vec<Cell<'a>>) -> T) -> T {
        self.rows.push((set, self.cells.len()));
        put(&mut self.cells)
    }

    /// Adds a row of NULLs; its place.
    pub(super) fn begin(&mut self, set: usize, columns: usize) -> usize {
        self.push(set, std::iter::repeat_n(Cell::Null, columns));
        self.rows.len() - 1
    }

    pub(super) fn cell(&self, row: usize, column: usize) -> &Cell<'a> {
        &self.cells[self.rows[row].1 + column]
    }

    pub(super) fn set_cell(&mut self, row: usize, column: usize, cell: Cell<'a>) {
        let from = self.rows[row].1;
        self.cells[from + column] = cell;
    }

    /// Each cell by its record set and its column.
    pub(super) fn map(mut self, change: impl Fn(usize, usize, Cell<'a>) -> Cell<'a>) -> Self {
        let mut from = self.rows.iter().peekable();
        let mut row = (0, 0);
        for (place, cell) in self.cells.iter_mut().enumerate() {
            while let Some(next) = from.next_if(|(_, from)| *from <= place) {
                row = *next;
            }
            *cell = change(row.0, place - row.1, std::mem::replace(cell, Cell::Null));
        }
        self
    }

    /// No rows any more, with the memory of these.
    pub fn clear(&mut self) {
        self.cells.clear();
        self.rows.clear();
    }

    /// The same rows, owning what they borrowed.
    pub fn into_owned(self) -> Rows<'static> {
        Rows { cells: self.cells.into_iter().map(Cell::into_owned).collect(), rows: self.rows }
    }
}
