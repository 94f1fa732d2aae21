//! Large values of a file, read and written where they are.
//!
//! SQLite hands over a value as a whole, in memory of its own. A BLOB of a table with row numbers it reads and writes piece by piece as
//! well, as long as nobody changes the row.

use crate::value::large::{Failure, KeptBytes, LargeBytes, in_pieces};
use rusqlite::Connection;
use rusqlite::blob::Blob;
use std::cell::RefCell;
use std::io::{self, Seek, SeekFrom, Write};
use std::thread::{self, ThreadId};

/// Whose database the tables are in.
const MAIN: &str = "main";

/// A BLOB that is open.
pub struct BlobBytes<'c> {
    blob: OwnThread<RefCell<Blob<'c>>>,
    length: u64,
    failure: Failure,
}

impl<'c> BlobBytes<'c> {
    /// The value of a column in the row with that number.
    ///
    /// # Errors
    /// When it is no BLOB or text, or the file cannot be read.
    pub fn open(connection: &'c Connection, table: &str, column: &str, rowid: i64) -> rusqlite::Result<Self> {
        let blob = connection.blob_open(MAIN, table, column, rowid, true)?;
        let length = blob.len() as u64;
        Ok(BlobBytes { blob: OwnThread::new(RefCell::new(blob)), length, failure: Failure::default() })
    }

    /// Why it could not be read, if so.
    pub fn failure(&self) -> Option<io::Error> {
        self.failure.take()
    }
}

impl LargeBytes for BlobBytes<'_> {
    fn length(&self) -> u64 {
        self.length
    }

    fn read(&self, give: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let blob = self.blob.get().ok_or_else(|| io::Error::other("it is read by another thread than its row"))?;
        let mut blob = blob.try_borrow_mut().map_err(io::Error::other)?;
        blob.seek(SeekFrom::Start(0))?;
        in_pieces(&mut *blob, give)
    }

    fn keep(&self) -> io::Result<KeptBytes> {
        KeptBytes::copy(self)
    }

    fn failed(&self, error: io::Error) {
        self.failure.put(error);
    }
}

/// Writes a value into the place that a row has for it: zeros, as many as it has bytes.
///
/// # Errors
/// When the file cannot be written, or the bytes cannot be read.
pub fn write(connection: &Connection, table: &str, column: &str, rowid: i64, bytes: &KeptBytes) -> io::Result<()> {
    let mut blob = connection.blob_open(MAIN, table, column, rowid, false).map_err(io::Error::other)?;
    bytes.read(&mut |piece| blob.write_all(piece))?;
    blob.close().map_err(io::Error::other)
}

/// What only one thread may use, behind references that all may have.
struct OwnThread<T> {
    value: T,
    owner: ThreadId,
}

// SAFETY: a reference to the value is given to the thread that has made it and to no other, and numbers of threads are never used
// twice.
unsafe impl<T> Sync for OwnThread<T> {}

impl<T> OwnThread<T> {
    fn new(value: T) -> Self {
        OwnThread { value, owner: thread::current().id() }
    }

    fn get(&self) -> Option<&T> {
        (thread::current().id() == self.owner).then_some(&self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Large;

    #[test]
    fn a_blob_is_written_and_read_where_it_is() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE t (a, b BLOB); INSERT INTO t VALUES (1, zeroblob(3000000))").unwrap();
        let bytes = b"abc".repeat(1_000_000);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        write(&connection, "t", "b", 1, &KeptBytes::new(file, 3_000_000)).unwrap();
        let blob = BlobBytes::open(&connection, "t", "b", 1).unwrap();
        assert_eq!(Large::new(&blob).in_memory(), bytes);
        assert_eq!(Large::new(&blob).keep().unwrap().length(), 3_000_000);
        let elsewhere = thread::scope(|scope| scope.spawn(|| Large::new(&blob).in_memory()).join().unwrap());
        assert_eq!(elsewhere, b"");
        assert!(blob.failure().is_some());
        connection.execute_batch("UPDATE t SET a = 2").unwrap();
        assert_eq!(Large::new(&blob).in_memory(), b"");
        assert!(blob.failure().is_some(), "the row is another one");
    }
}
