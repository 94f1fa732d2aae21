//! Rows on their way to a SQLite statement: values packed side by side, their bytes in one buffer.
//!
//! A batch goes from the thread that reads to the thread that writes and comes back empty, with its memory.

use crate::endpoint::RowBatch;
use crate::value::Stored;
use crate::value::large::KeptBytes;
use std::borrow::Cow;

/// A batch is handed over when its bytes reach this size.
const FULL_AT_BYTES: usize = 512 * 1024;
/// A batch is handed over when it has that many values, however small.
const FULL_AT_VALUES: usize = 32 * 1024;
/// A batch that grew larger than this for one value gives the memory back.
const KEPT_BYTES_MAX: usize = 4 * FULL_AT_BYTES;

/// A value; texts and blobs are places in the batch's buffer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Packed {
    Null,
    Integer(i64),
    Real(f64),
    Text {
        start: u32,
        length: u32,
    },
    Blob {
        start: u32,
        length: u32,
    },
    /// A blob that is not in memory, by its number.
    Large(u32),
}

/// Values of whole rows, one after the other.
#[derive(Debug, Default)]
pub struct Batch {
    pub(super) values: Vec<Packed>,
    pub(super) bytes: Vec<u8>,
    /// How many rows the values make; kept apart because a row may have no values.
    pub(super) rows: usize,
    /// The blobs that are not in memory.
    pub(super) large: Vec<KeptBytes>,
    /// What the ledger keeps of these rows.
    pub ledger: Vec<LedgerEntry>,
}

/// What the ledger keeps of one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    /// The row, as [`crate::value::row_key`] names it.
    pub row_key: String,
    /// The column's name in the target.
    pub column: String,
    /// The source's exact text.
    pub exact: String,
}

impl Batch {
    /// Adds the next value of the row.
    #[inline]
    pub fn push(&mut self, value: &Stored<'_>) {
        let packed = match value {
            Stored::Null => Packed::Null,
            Stored::Integer(value) => Packed::Integer(*value),
            Stored::Real(value) => Packed::Real(*value),
            Stored::Text(bytes) => {
                let (start, length) = self.append(bytes);
                Packed::Text { start, length }
            }
            Stored::Blob(bytes) => {
                let (start, length) = self.append(bytes);
                Packed::Blob { start, length }
            }
        };
        self.values.push(packed);
    }

    /// Adds a value that is not in memory.
    pub fn push_large(&mut self, value: KeptBytes) {
        // A batch is handed over behind the row that has one, and a row has far fewer columns.
        self.values.push(Packed::Large(u32::try_from(self.large.len()).unwrap_or(u32::MAX)));
        self.large.push(value);
    }

    fn append(&mut self, bytes: &[u8]) -> (u32, u32) {
        // A row of PostgreSQL is below 1 GiB and a batch is handed over after the row that fills it.
        let start = u32::try_from(self.bytes.len()).expect("a batch starts below its limit");
        let length = u32::try_from(bytes.len()).expect("a value is below 1 GiB");
        self.bytes.extend_from_slice(bytes);
        (start, length)
    }

    /// Ends the row.
    #[inline]
    pub fn end_row(&mut self) {
        self.rows += 1;
    }

    /// Adds a ledger entry of one of these rows.
    pub fn push_ledger(&mut self, entry: LedgerEntry) {
        self.ledger.push(entry);
    }

    /// The value at a place of a row, where rows have that many values.
    pub fn value(&self, row: usize, place: usize, width: usize) -> Stored<'_> {
        let bytes = |start: u32, length: u32| Cow::Borrowed(&self.bytes[start as usize..][..length as usize]);
        match self.values[row * width + place] {
            Packed::Null => Stored::Null,
            Packed::Integer(value) => Stored::Integer(value),
            Packed::Real(value) => Stored::Real(value),
            Packed::Text { start, length } => Stored::Text(bytes(start, length)),
            Packed::Blob { start, length } => Stored::Blob(bytes(start, length)),
            // Not to be told to people.
            Packed::Large(_) => Stored::Blob(Cow::Borrowed(&[])),
        }
    }

    /// Forgets the rows and keeps the memory.
    pub fn clear(&mut self) {
        self.values.clear();
        self.ledger.clear();
        self.large.clear();
        self.rows = 0;
        self.bytes.clear();
        if self.bytes.capacity() > KEPT_BYTES_MAX {
            self.bytes.shrink_to(FULL_AT_BYTES);
        }
    }
}

impl RowBatch for Batch {
    #[inline]
    fn rows(&self) -> u64 {
        self.rows as u64
    }

    fn bytes(&self) -> u64 {
        self.bytes.len() as u64 + self.large.iter().map(KeptBytes::length).sum::<u64>()
    }

    #[inline]
    fn is_full(&self) -> bool {
        !self.large.is_empty()
            || self.bytes.len() >= FULL_AT_BYTES
            || self.values.len() >= FULL_AT_VALUES
            || self.rows >= FULL_AT_VALUES
    }

    fn is_oversized(&self) -> bool {
        !self.large.is_empty() || self.bytes.len() > KEPT_BYTES_MAX
    }
}
