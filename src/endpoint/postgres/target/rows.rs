//! Rows on their way to COPY: the bytes of whole rows in its binary or in its text format.

use crate::endpoint::RowBatch;

/// A batch is handed over when its bytes reach this size.
const FULL_AT_BYTES: usize = 512 * 1024;
/// A batch that grew larger than this for one row gives the memory back.
const KEPT_BYTES_MAX: usize = 4 * FULL_AT_BYTES;

/// The bytes of whole rows.
#[derive(Debug, Default)]
pub struct Rows {
    pub(super) bytes: Vec<u8>,
    pub(super) rows: u64,
}

impl Rows {
    /// Forgets the rows and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.rows = 0;
        self.bytes.clear();
        if self.bytes.capacity() > KEPT_BYTES_MAX {
            self.bytes.shrink_to(FULL_AT_BYTES);
        }
    }
}

impl RowBatch for Rows {
    fn rows(&self) -> u64 {
        self.rows
    }

    fn bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.bytes.len() >= FULL_AT_BYTES
    }

    fn is_oversized(&self) -> bool {
        self.bytes.len() > KEPT_BYTES_MAX
    }
}
