//! How much of a dump was read, in bytes of its file, and who hears of it.

use crate::endpoint::postgres::WaitListener;
use crate::event::Event;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// It is told after so many bytes each, and at the end.
const STEP_BYTES: u64 = 1 << 20;

/// How much of a file was read.
pub(super) struct Tally {
    read: AtomicU64,
    /// How many bytes there are; `None` for a stream.
    of: Option<u64>,
    listener: Option<WaitListener>,
}

impl Tally {
    /// Of so many bytes.
    pub(super) fn new(of: Option<u64>, listener: Option<WaitListener>) -> Arc<Tally> {
        Arc::new(Tally { read: AtomicU64::new(0), of, listener })
    }

    /// It is read from its beginning again.
    pub(super) fn restart(&self) {
        self.read.store(0, Ordering::Relaxed);
    }

    /// Counts what is read from there.
    pub(super) fn count<R: Read>(self: &Arc<Self>, reader: R) -> Counted<R> {
        Counted { reader, tally: Arc::clone(self) }
    }

    fn add(&self, count: u64) {
        let Some(listener) = &self.listener else { return };
        let before = self.read.fetch_add(count, Ordering::Relaxed);
        let bytes = before + count;
        if bytes / STEP_BYTES > before / STEP_BYTES || (count > 0 && Some(bytes) == self.of) {
            listener(Event::SourceRead { bytes, of: self.of });
        }
    }
}

/// A reader that counts.
pub(super) struct Counted<R> {
    reader: R,
    tally: Arc<Tally>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.tally.add(count as u64);
        Ok(count)
    }
}
