//! Rows on their way through a temporary database: the cells that files can have, as bytes and back.

use crate::endpoint::RowBatch;
use crate::value::Cell;
use crate::value::large::KeptBytes;
use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

/// Adds cells to the bytes. A cell that no file has is told by its place.
///
/// # Errors
/// The place of such a cell.
pub fn pack(cells: &[Cell<'_>], bytes: &mut Vec<u8>) -> Result<(), usize> {
    for (place, cell) in cells.iter().enumerate() {
        match cell {
            Cell::Null => bytes.push(0),
            Cell::Bool(value) => bytes.extend([1, u8::from(*value)]),
            Cell::Int(value) => fixed(2, value.to_be_bytes(), bytes),
            Cell::Float(value) => fixed(3, value.to_bits().to_be_bytes(), bytes),
            Cell::Text(text) => sized(4, text.as_bytes(), bytes),
            Cell::Bytes(value) => sized(5, value, bytes),
            Cell::Json(text) => sized(6, text.as_bytes(), bytes),
            Cell::TimestampTz(micros) => fixed(7, micros.to_be_bytes(), bytes),
            Cell::Large(_)
            | Cell::Decimal(_)
            | Cell::Uuid(_)
            | Cell::Date(_)
            | Cell::Timestamp(_)
            | Cell::Native(_)
            | Cell::Foreign(_) => return Err(place),
        }
    }
    Ok(())
}

fn fixed(tag: u8, value: [u8; 8], bytes: &mut Vec<u8>) {
    bytes.push(tag);
    bytes.extend(value);
}

fn sized(tag: u8, value: &[u8], bytes: &mut Vec<u8>) {
    fixed(tag, (value.len() as u64).to_be_bytes(), bytes);
    bytes.extend_from_slice(value);
}

/// The cells that [`pack`] has put into these bytes; `None` where it has not.
pub fn unpack(bytes: &[u8]) -> Option<Vec<Cell<'_>>> {
    let mut cells = Vec::new();
    unpack_into(bytes, &mut cells)?;
    Some(cells)
}

/// Adds the cells that [`pack`] has put into these bytes; `None` where it has not.
pub(super) fn unpack_into<'b>(mut bytes: &'b [u8], cells: &mut Vec<Cell<'b>>) -> Option<()> {
    while !bytes.is_empty() {
        cells.push(next(&mut bytes, true)?);
    }
    Some(())
}

/// Adds those of the first cells in these bytes that are wanted, and NULL for each of the others; `None` where there are not so many.
pub(super) fn unpack_some<'b>(mut bytes: &'b [u8], wanted: &[bool], cells: &mut Vec<Cell<'b>>) -> Option<()> {
    for is_wanted in wanted {
        cells.push(next(&mut bytes, *is_wanted)?);
    }
    Some(())
}

/// The cell that the bytes begin with, taken from them. Of a text that nobody wants nothing is looked at, and NULL is given.
#[inline]
fn next<'b>(bytes: &mut &'b [u8], is_wanted: bool) -> Option<Cell<'b>> {
    let mut take = |length: usize| {
        let all: &'b [u8] = bytes;
        let (head, rest) = all.split_at_checked(length)?;
        *bytes = rest;
        Some(head)
    };
    let tag = take(1)?[0];
    let mut number = || Some(u64::from_be_bytes(take(8)?.try_into().ok()?));
    Some(match tag {
        0 => Cell::Null,
        1 => Cell::Bool(take(1)? == [1]),
        2 => Cell::Int(number()? as i64),
        3 => Cell::Float(f64::from_bits(number()?)),
        7 => Cell::TimestampTz(number()? as i64),
        4..=6 => {
            let length = usize::try_from(number()?).ok()?;
            let value = take(length)?;
            match tag {
                _ if !is_wanted => Cell::Null,
                5 => Cell::Bytes(Cow::Borrowed(value)),
                4 => Cell::Text(Cow::Borrowed(simdutf8::basic::from_utf8(value).ok()?)),
                _ => Cell::Json(Cow::Borrowed(simdutf8::basic::from_utf8(value).ok()?)),
            }
        }
        _ => return None,
    })
}

/// Rows under way to a tree: their cells as bytes.
#[derive(Default)]
pub struct Packed {
    pub(super) bytes: Vec<u8>,
    pub(super) ends: Vec<usize>,
    /// The value that is not in memory of a row, by the row's place, and the place of its column; NULL is packed for it.
    pub(super) large: Vec<(usize, usize, KeptBytes)>,
}

const BATCH_ROWS_MAX: usize = 1000;
pub(super) const BATCH_BYTES_MAX: usize = 1 << 20;

/// Batches that nobody needs any more, for the rows that are to come: else the memory of each would be asked of the system anew.
#[derive(Clone, Default)]
pub(super) struct Spare(Arc<Mutex<Vec<Packed>>>);

const SPARE_MAX: usize = 8;

impl Spare {
    /// One without rows.
    pub(super) fn take(&self) -> Packed {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn put(&self, mut packed: Packed) {
        packed.bytes.clear();
        packed.ends.clear();
        packed.large.clear();
        let mut spare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE_MAX && packed.bytes.capacity() <= 2 * BATCH_BYTES_MAX {
            spare.push(packed);
        }
    }
}

/// A batch with whoever gets its memory.
pub(super) struct Batch {
    packed: Packed,
    spare: Spare,
}

impl Batch {
    pub(super) fn new(packed: Packed, spare: Spare) -> Batch {
        Batch { packed, spare }
    }

    /// How many rows it has.
    pub(super) fn len(&self) -> usize {
        self.packed.ends.len()
    }

    /// The cells of the row at a place, packed; nothing where there is none.
    pub(super) fn row(&self, place: usize) -> &[u8] {
        let ends = &self.packed.ends;
        let start = place.checked_sub(1).and_then(|before| ends.get(before)).map_or(0, |end| *end);
        ends.get(place).map_or(&[], |end| &self.packed.bytes[start..*end])
    }

    /// The value of a row that is not in memory, behind the place of its column.
    pub(super) fn large(&self, place: usize) -> Option<(usize, &KeptBytes)> {
        let mut large = self.packed.large.iter();
        large.find(|(row, ..)| *row == place).map(|(_, column, bytes)| (*column, bytes))
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.spare.put(std::mem::take(&mut self.packed));
    }
}

impl RowBatch for Packed {
    fn rows(&self) -> u64 {
        self.ends.len() as u64
    }

    fn bytes(&self) -> u64 {
        self.bytes.len() as u64 + self.large.iter().map(|(.., bytes)| bytes.length()).sum::<u64>()
    }

    fn is_full(&self) -> bool {
        !self.large.is_empty() || self.ends.len() >= BATCH_ROWS_MAX || self.bytes.len() >= BATCH_BYTES_MAX
    }

    fn is_oversized(&self) -> bool {
        !self.large.is_empty() || self.bytes.len() >= 32 * BATCH_BYTES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_come_back_as_they_were() {
        let cells = vec![
            Cell::Null,
            Cell::Bool(true),
            Cell::Bool(false),
            Cell::Int(i64::MIN),
            Cell::Float(-0.0),
            Cell::Text("naïve\0".into()),
            Cell::Bytes(Cow::Borrowed(b"\xff")),
            Cell::Json("{}".into()),
            Cell::TimestampTz(-1),
            Cell::Text("".into()),
        ];
        let mut bytes = Vec::new();
        pack(&cells, &mut bytes).unwrap();
        assert_eq!(unpack(&bytes), Some(cells.clone()));
        assert_eq!(unpack(&bytes[..bytes.len() - 1]), None);
        let wanted = [false, true, false, false, false, true, false];
        let mut some = Vec::new();
        assert_eq!(unpack_some(&bytes, &wanted, &mut some), Some(()));
        assert_eq!((some.len(), &some[1], &some[5], &some[6]), (7, &cells[1], &cells[5], &Cell::Null));
        assert_eq!(unpack_some(&bytes, &[true; 11], &mut some), None);
        assert_eq!(pack(&[Cell::Null, Cell::Date(1)], &mut bytes), Err(1));
    }
}
