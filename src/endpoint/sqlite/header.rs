//! The bytes of a database that is open and locked, read and written without opening its file a second time.
//!
//! A second descriptor of a locked file must never be closed in the same process: that would drop SQLite's POSIX
//! locks. So the bytes go through the descriptor that SQLite itself holds (`SQLITE_FCNTL_FILE_POINTER`).
//!
//! Why the header matters: the backup API copies every page as it is, but commits the copy as a change of its own.
//! That rewrites 20 bytes of page 1: the file change counter (24..28), the schema cookie (40..44), the number that
//! says for which change counter the size is valid (92..96) and the version of the library (96..100). Put back from
//! the original, the copy is the original, byte for byte.

use std::ffi::c_int;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use rusqlite::{Connection, ffi};

use crate::endpoint::sqlite::path::{quoted, side_path};
use crate::error::{Context, Error, Result};

/// The length of the database header in bytes.
pub const HEADER_BYTES: usize = 100;

/// The ranges of the header that the backup API does not copy.
pub const REWRITTEN: [std::ops::Range<usize>; 3] = [24..28, 40..44, 92..100];

const WAL_HEADER_BYTES: u64 = 32;
const WAL_FRAME_HEADER_BYTES: u64 = 24;

/// The main file of an open database, through SQLite's own descriptor.
pub struct OpenFile<'a> {
    file: *mut ffi::sqlite3_file,
    connection: &'a Connection,
}

impl<'a> OpenFile<'a> {
    /// The main file of `connection`.
    ///
    /// # Errors
    ///
    /// When the connection has no file.
    pub fn of(connection: &'a Connection) -> Result<OpenFile<'a>> {
        let mut file: *mut ffi::sqlite3_file = std::ptr::null_mut();
        // SAFETY: the handle is open for as long as `connection` is borrowed, and the opcode writes one pointer.
        let code = unsafe {
            ffi::sqlite3_file_control(
                connection.handle(),
                c"main".as_ptr(),
                ffi::SQLITE_FCNTL_FILE_POINTER,
                (&raw mut file).cast(),
            )
        };
        // SAFETY: SQLite keeps the file object alive as long as the connection.
        if code != ffi::SQLITE_OK || file.is_null() || unsafe { (*file).pMethods.is_null() } {
            return Err(Error::could_not("read header of", "database", "the connection has no open file"));
        }
        Ok(OpenFile { file, connection })
    }

    /// The size of the main file in bytes.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn size_bytes(&self) -> Result<u64> {
        let mut size: i64 = 0;
        // SAFETY: the file is open (see `of`); every VFS implements xFileSize.
        let code = unsafe { (*(*self.file).pMethods).xFileSize.map(|size_of| size_of(self.file, &raw mut size)) };
        succeeded("measure", code)?;
        Ok(size.unsigned_abs())
    }

    /// Reads `buffer.len()` bytes from `offset`.
    ///
    /// # Errors
    ///
    /// When the file is shorter, or cannot be read.
    pub fn read(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        let length = c_int::try_from(buffer.len()).could_not("read", "database")?;
        let offset = i64::try_from(offset).could_not("read", "database")?;
        // SAFETY: the file is open (see `of`), and the buffer has exactly `length` bytes.
        let code = unsafe {
            (*(*self.file).pMethods).xRead.map(|read| read(self.file, buffer.as_mut_ptr().cast(), length, offset))
        };
        succeeded("read", code)
    }

    /// Writes `bytes` at `offset`, past SQLite's journal: only for a file that no longer has a name.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn write_unjournaled(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let length = c_int::try_from(bytes.len()).could_not("write", "database")?;
        let offset = i64::try_from(offset).could_not("write", "database")?;
        // SAFETY: the file is open (see `of`), and `bytes` has exactly `length` bytes.
        let code = unsafe {
            (*(*self.file).pMethods).xWrite.map(|write| write(self.file, bytes.as_ptr().cast(), length, offset))
        };
        succeeded("write", code)
    }

    /// How many frames the write-ahead log holds, and how many of them are in the main file already; 0 and 0 without
    /// a log. Changes nothing.
    ///
    /// # Errors
    ///
    /// When SQLite refuses.
    pub fn log_frames(&self) -> Result<(u64, u64)> {
        // Only the pragma knows this mode: in SQLite 3.51 sqlite3_wal_checkpoint_v2 refuses it. An older library would
        // take the unknown word for a real checkpoint.
        if rusqlite::version_number() < 3_051_000 {
            return Err(Error::could_not("read write-ahead log of", "database", "this needs SQLite 3.51 or later"));
        }
        let (frames, moved): (i64, i64) = self
            .connection
            .query_row("PRAGMA main.wal_checkpoint(NOOP)", [], |row| Ok((row.get(1)?, row.get(2)?)))
            .could_not("read write-ahead log of", "database")?;
        Ok((u64::try_from(frames).unwrap_or(0), u64::try_from(moved).unwrap_or(0)))
    }

    /// The first 100 bytes of the committed content: from the last frame of page 1 in the write-ahead log, else from
    /// the main file. `path` is the database's path.
    ///
    /// # Errors
    ///
    /// When the file or its log cannot be read.
    pub fn header(&self, path: &Path) -> Result<[u8; HEADER_BYTES]> {
        self.header_behind(path, self.log_frames()?.0)
    }

    /// As [`OpenFile::header`], for the state behind that many frames of the log.
    ///
    /// # Errors
    ///
    /// When the file or its log cannot be read.
    pub fn header_behind(&self, path: &Path, frames: u64) -> Result<[u8; HEADER_BYTES]> {
        let mut header = [0; HEADER_BYTES];
        self.read(&mut header, 0)?;
        if frames == 0 {
            return Ok(header);
        }
        // The log carries no locks, so it may be opened beside SQLite. SQLite has vouched for its first `frames` frames.
        let log_path = side_path(path, "wal");
        let object = quoted(&log_path);
        let mut log = File::open(&log_path).could_not("read", &object)?;
        let mut start = [0; WAL_HEADER_BYTES as usize];
        log.read_exact(&mut start).could_not("read", &object)?;
        let page_bytes = u64::from(u32::from_be_bytes([start[8], start[9], start[10], start[11]]));
        for frame in (0..frames).rev() {
            let offset = WAL_HEADER_BYTES + frame * (WAL_FRAME_HEADER_BYTES + page_bytes);
            log.seek(SeekFrom::Start(offset)).could_not("read", &object)?;
            let mut frame_header = [0; WAL_FRAME_HEADER_BYTES as usize];
            log.read_exact(&mut frame_header).could_not("read", &object)?;
            if frame_header[..4] == 1u32.to_be_bytes() {
                log.read_exact(&mut header).could_not("read", &object)?;
                break;
            }
        }
        Ok(header)
    }
}

fn succeeded(operation: &str, code: Option<c_int>) -> Result<()> {
    match code {
        Some(ffi::SQLITE_OK) => Ok(()),
        Some(code) => Err(Error::could_not(operation, "database", ffi::Error::new(code))),
        None => Err(Error::could_not(operation, "database", "SQLite's file layer cannot do this")),
    }
}
