//! Row hashes and the order-independent digest of a table.
//!
//! A row's hash is xxh3-128 (seed 0) over its concatenated cells. A table's digest is the number of rows and the sum
//! of the row hashes modulo 2^128: a sum, because under XOR a pair of equal rows would cancel.

use super::{Cell, Sink};
use serde::{Deserialize, Serialize};
use std::fmt;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// Rows longer than this are hashed as they stream, so that a large value is not held a second time.
const STREAMED_FROM_BYTES: usize = 64 * 1024;

/// Hashes one row after the other, keeping its buffer.
#[derive(Default)]
pub struct RowHasher {
    buffer: Vec<u8>,
    stream: Option<Box<Xxh3>>,
}

impl RowHasher {
    /// Adds the next cell of the row.
    #[inline]
    pub fn cell(&mut self, cell: &Cell<'_>) {
        cell.encode(self);
    }

    /// Ends the row and returns its hash.
    #[inline]
    pub fn finish(&mut self) -> u128 {
        match self.stream.take() {
            None => {
                let hash = xxh3_128(&self.buffer);
                self.buffer.clear();
                hash
            }
            Some(mut stream) => {
                stream.update(&self.buffer);
                self.buffer.clear();
                stream.digest128()
            }
        }
    }
}

impl Sink for RowHasher {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        if self.buffer.len() + bytes.len() <= STREAMED_FROM_BYTES {
            self.buffer.extend_from_slice(bytes);
            return;
        }
        let stream = self.stream.get_or_insert_with(|| Box::new(Xxh3::new()));
        stream.update(&self.buffer);
        self.buffer.clear();
        stream.update(bytes);
    }
}

/// The digest of a table: how many rows, and the sum of their hashes modulo 2^128.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TableDigest {
    /// The number of rows.
    pub rows: u64,
    /// The sum of the rows' hashes modulo 2^128.
    pub sum: u128,
}

impl TableDigest {
    /// Adds one row.
    #[inline]
    pub fn add(&mut self, row_hash: u128) {
        self.rows += 1;
        self.sum = self.sum.wrapping_add(row_hash);
    }

    /// Takes one row out that was added.
    pub fn remove(&mut self, row_hash: u128) {
        self.rows = self.rows.saturating_sub(1);
        self.sum = self.sum.wrapping_sub(row_hash);
    }

    /// Adds the rows of another part of the same table.
    pub fn merge(&mut self, other: TableDigest) {
        self.rows += other.rows;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

impl fmt::Display for TableDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.sum)
    }
}

impl Serialize for TableDigest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.rows, self.to_string()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TableDigest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (rows, sum) = <(u64, String)>::deserialize(deserializer)?;
        let sum = u128::from_str_radix(&sum, 16).map_err(serde::de::Error::custom)?;
        Ok(TableDigest { rows, sum })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    fn hash(cells: &[Cell<'_>]) -> u128 {
        let mut hasher = RowHasher::default();
        cells.iter().for_each(|cell| hasher.cell(cell));
        hasher.finish()
    }

    #[test]
    fn two_equal_rows_do_not_cancel() {
        let row = hash(&[Cell::Int(1)]);
        let mut twice = TableDigest::default();
        twice.add(row);
        twice.add(row);
        assert_ne!(twice.sum, 0);
        assert_eq!(twice.rows, 2);
    }

    #[test]
    fn a_long_row_hashes_like_its_encoding_in_one_piece() {
        let long = "x".repeat(3 * STREAMED_FROM_BYTES);
        let cells = [Cell::Int(7), Cell::Text(Cow::Borrowed(&long)), Cell::Null];
        let mut encoded = Vec::new();
        cells.iter().for_each(|cell| cell.encode(&mut encoded));
        assert_eq!(hash(&cells), xxh3_128(&encoded));
    }

    #[test]
    fn a_hasher_starts_every_row_afresh() {
        let mut hasher = RowHasher::default();
        hasher.cell(&Cell::Int(1));
        let first = hasher.finish();
        hasher.cell(&Cell::Int(1));
        assert_eq!(hasher.finish(), first);
    }
}
