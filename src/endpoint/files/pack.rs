//! Rows on their way through a temporary database: the cells that files can have, as bytes and back.

use crate::endpoint::RowBatch;
use crate::value::Cell;
use crate::value::large::KeptBytes;
use std::borrow::Cow;

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
pub fn unpack(mut bytes: &[u8]) -> Option<Vec<Cell<'_>>> {
    let mut cells = Vec::new();
    while let Some((tag, rest)) = bytes.split_first() {
        bytes = rest;
        let mut take = |length: usize| {
            let (head, rest) = bytes.split_at_checked(length)?;
            bytes = rest;
            Some(head)
        };
        let mut number = || Some(u64::from_be_bytes(take(8)?.try_into().ok()?));
        cells.push(match tag {
            0 => Cell::Null,
            1 => Cell::Bool(take(1)? == [1]),
            2 => Cell::Int(number()? as i64),
            3 => Cell::Float(f64::from_bits(number()?)),
            7 => Cell::TimestampTz(number()? as i64),
            4..=6 => {
                let length = usize::try_from(number()?).ok()?;
                let value = take(length)?;
                let text = || std::str::from_utf8(value).ok().map(Cow::Borrowed);
                match tag {
                    4 => Cell::Text(text()?),
                    5 => Cell::Bytes(Cow::Borrowed(value)),
                    _ => Cell::Json(text()?),
                }
            }
            _ => return None,
        });
    }
    Some(cells)
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
const BATCH_BYTES_MAX: usize = 1 << 20;

impl Packed {
    /// The cells of each row.
    pub(super) fn packed(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..*end])
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
        assert_eq!(unpack(&bytes), Some(cells));
        assert_eq!(unpack(&bytes[..bytes.len() - 1]), None);
        assert_eq!(pack(&[Cell::Null, Cell::Date(1)], &mut bytes), Err(1));
    }
}
