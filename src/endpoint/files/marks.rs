//! What is remembered of the records of a file: which they were, in their order, and what each of them said.

use super::layout::TableLayout;
use crate::value::{Cell, RowHasher};

/// One record of a file at the moment at which file and rows were equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The place of its table in the layout.
    pub table: u16,
    /// The hash of the cells of its key.
    pub key: u128,
    /// The hash of all of its cells.
    pub row: u128,
}

const MARK_BYTES: usize = 34;

impl Mark {
    /// What is remembered of a row.
    pub fn of(table: usize, layout: &TableLayout, cells: &[Cell<'_>], hasher: &mut RowHasher) -> Mark {
        let key = key(layout, cells, hasher);
        cells.iter().for_each(|cell| hasher.cell(cell));
        // A layout has far fewer tables.
        Mark { table: u16::try_from(table).unwrap_or(u16::MAX), key, row: hasher.finish() }
    }
}

/// The hash of a row's key.
pub fn key(layout: &TableLayout, cells: &[Cell<'_>], hasher: &mut RowHasher) -> u128 {
    layout.key.iter().for_each(|column| hasher.cell(&cells[*column]));
    hasher.finish()
}

/// Marks as a target keeps them.
pub fn to_bytes(marks: &[Mark]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(marks.len() * MARK_BYTES);
    for mark in marks {
        bytes.extend_from_slice(&mark.table.to_be_bytes());
        bytes.extend_from_slice(&mark.key.to_be_bytes());
        bytes.extend_from_slice(&mark.row.to_be_bytes());
    }
    bytes
}

/// The marks that [`to_bytes`] wrote; `None` for anything else.
pub fn of_bytes(bytes: &[u8]) -> Option<Vec<Mark>> {
    let mark = |bytes: &[u8; MARK_BYTES]| {
        let (table, hashes) = bytes.split_first_chunk()?;
        let (key, row) = hashes.split_first_chunk()?;
        let row = row.first_chunk()?;
        Some(Mark { table: u16::from_be_bytes(*table), key: u128::from_be_bytes(*key), row: u128::from_be_bytes(*row) })
    };
    let (marks, rest) = bytes.as_chunks();
    if rest.is_empty() { marks.iter().map(mark).collect() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_come_back_as_they_were_kept() {
        let marks = [Mark { table: 0, key: 0, row: u128::MAX }, Mark { table: 513, key: 1 << 127, row: 7 }];
        assert_eq!(of_bytes(&to_bytes(&marks)).as_deref(), Some(&marks[..]));
        assert_eq!(of_bytes(&[]), Some(Vec::new()));
        assert_eq!(of_bytes(&[0; 33]), None);
    }
}
