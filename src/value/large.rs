//! A value that is too large to be in memory: it stays where it is, and is read from there piece by piece, as often as somebody
//! wants it. Only a sink that says so is given one.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use xxhash_rust::xxh3::Xxh3;

/// Bytes of a value from here on stay where they are.
pub const LARGE_FROM_BYTES: u64 = 8 << 20;

/// How many of them are in memory at a time.
const PIECE_BYTES: usize = 1 << 20;

/// Where the bytes of a large value are.
pub trait LargeBytes: Sync {
    /// How many there are.
    fn length(&self) -> u64;

    /// Gives all of them, in their order.
    ///
    /// # Errors
    /// When they cannot be read, or `give` fails.
    fn read(&self, give: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()>;

    /// The same bytes for as long as somebody wants them.
    ///
    /// # Errors
    /// When they cannot be read, or there is no room for them.
    fn keep(&self) -> io::Result<KeptBytes>;

    /// Remembers that they could not be read, where that cannot be told at once: whoever has given them tells it then.
    fn failed(&self, error: io::Error);
}

/// A large value.
#[derive(Clone, Copy)]
pub struct Large<'a>(&'a dyn LargeBytes);

impl<'a> Large<'a> {
    /// The value whose bytes those are.
    pub fn new(bytes: &'a dyn LargeBytes) -> Self {
        Large(bytes)
    }

    /// How many bytes it has.
    pub fn length(&self) -> u64 {
        self.0.length()
    }

    /// Gives all of its bytes. What cannot be read is remembered where they are: the row is none, and its source says so.
    pub fn each(&self, mut give: impl FnMut(&[u8])) {
        let read = self.0.read(&mut |bytes| {
            give(bytes);
            Ok(())
        });
        if let Err(error) = read {
            self.0.failed(error);
        }
    }

    /// All of its bytes in memory, for who can take them in no other way.
    pub fn in_memory(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(usize::try_from(self.length()).unwrap_or(0));
        self.each(|bytes| all.extend_from_slice(bytes));
        all
    }

    /// See [`LargeBytes::keep`].
    ///
    /// # Errors
    /// As there.
    pub fn keep(&self) -> io::Result<KeptBytes> {
        self.0.keep()
    }

    fn hash(&self) -> u128 {
        let mut hash = Xxh3::new();
        self.each(|bytes| hash.update(bytes));
        hash.digest128()
    }
}

impl PartialEq for Large<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.length() == other.length() && self.hash() == other.hash()
    }
}

impl fmt::Debug for Large<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.length())
    }
}

/// The bytes of a large value in a file that stays open.
#[derive(Debug, Clone)]
pub struct KeptBytes {
    file: Arc<File>,
    length: u64,
}

impl KeptBytes {
    /// The first bytes of a file.
    pub fn new(file: File, length: u64) -> Self {
        KeptBytes { file: Arc::new(file), length }
    }

    /// A copy, for bytes that are gone when the row is: in a file without a name.
    ///
    /// # Errors
    /// When they cannot be read, or there is no room for them.
    pub fn copy(bytes: &dyn LargeBytes) -> io::Result<Self> {
        let mut file = tempfile::tempfile_in(folder_of_copies())?;
        bytes.read(&mut |piece| file.write_all(piece))?;
        Ok(KeptBytes::new(file, bytes.length()))
    }

    /// How many there are.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Gives all of them, in their order.
    ///
    /// # Errors
    /// When they cannot be read, or `give` fails.
    pub fn read(&self, give: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let (mut buffer, mut at) = (vec![0; PIECE_BYTES], 0);
        while at < self.length {
            let wanted = usize::try_from(self.length - at).unwrap_or(usize::MAX).min(buffer.len());
            match self.file.read_at(&mut buffer[..wanted], at) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    give(&buffer[..read])?;
                    at += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Where SQLite has its own passing files: what is in memory only is no place for what is too large for it.
fn folder_of_copies() -> PathBuf {
    let named = ["SQLITE_TMPDIR", "TMPDIR"].into_iter().filter_map(std::env::var_os).map(PathBuf::from);
    named.chain([PathBuf::from("/var/tmp")]).find(|path| path.is_dir()).unwrap_or_else(std::env::temp_dir)
}

/// Bytes that are read from a file or from something like one, one reader at a time.
pub struct FileBytes {
    kept: KeptBytes,
    failure: Failure,
}

impl FileBytes {
    /// The bytes of a file.
    pub fn new(file: File, length: u64) -> Self {
        FileBytes { kept: KeptBytes::new(file, length), failure: Failure::default() }
    }

    /// Why they could not be read, if so.
    pub fn failure(&self) -> Option<io::Error> {
        self.failure.take()
    }
}

impl LargeBytes for FileBytes {
    fn length(&self) -> u64 {
        self.kept.length
    }

    fn read(&self, give: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        self.kept.read(give)
    }

    fn keep(&self) -> io::Result<KeptBytes> {
        Ok(self.kept.clone())
    }

    fn failed(&self, error: io::Error) {
        self.failure.put(error);
    }
}

/// Why bytes could not be read: the first reason.
#[derive(Debug, Default)]
pub struct Failure(Mutex<Option<io::Error>>);

impl Failure {
    /// Remembers it.
    pub fn put(&self, error: io::Error) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    /// What was remembered.
    pub fn take(&self) -> Option<io::Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Gives what a reader has, piece by piece.
///
/// # Errors
/// When it cannot be read, or `give` fails.
pub fn in_pieces(reader: &mut dyn Read, give: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => give(&buffer[..read])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Cell, RowHasher};
    use std::borrow::Cow;

    fn file_of(bytes: &[u8]) -> FileBytes {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        FileBytes::new(file, bytes.len() as u64)
    }

    #[test]
    fn a_large_value_is_encoded_as_one_in_memory() {
        let bytes = b"a large value ".repeat(200_000);
        let hash = |cell: Cell<'_>| {
            let mut hasher = RowHasher::default();
            [Cell::Int(1), cell, Cell::Null].iter().for_each(|cell| hasher.cell(cell));
            hasher.finish()
        };
        let (one, other) = (file_of(&bytes), file_of(&bytes[1..]));
        let large = Cell::Large(Large::new(&one));
        assert_eq!(hash(large.clone()), hash(Cell::Bytes(Cow::Borrowed(&bytes))));
        assert_eq!(large.clone().into_owned(), Cell::Bytes(Cow::Borrowed(&bytes)));
        assert_eq!(large, Cell::Large(Large::new(&file_of(&bytes))));
        assert_ne!(large, Cell::Large(Large::new(&other)));
        assert_eq!(KeptBytes::copy(&one).unwrap().length(), bytes.len() as u64);
    }

    #[test]
    fn what_is_not_there_any_more_is_told() {
        let file = tempfile::tempfile().unwrap();
        let bytes = FileBytes::new(file, 10);
        assert_eq!(Large::new(&bytes).in_memory(), b"");
        assert!(bytes.failure().is_some() && bytes.failure().is_none());
        assert!(KeptBytes::copy(&bytes).is_err());
    }
}
