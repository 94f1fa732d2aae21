//! Bytes that come to the end of a file which stays the same one: whoever has it open, as a program has its log, goes on in it.
//!
//! A journal may be done more than once, from whatever point it was left at, and other programs may have written behind the place at
//! which the file ended. So what is to come there is looked for first.

use super::change::Written;
use rustix::fd::BorrowedFd;
use rustix::fs::{self, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// The file as it was: its device, its number, and its size in bytes.
pub type End = (u64, u64, u64);

/// Appends the bytes of a file that was made. Another file than the one that was, and one with half a line at its end, stay as they are:
/// who reads them later sees that something is missing.
///
/// # Errors
/// When one of the two cannot be read, or the disk does not take it.
pub fn append(directory: BorrowedFd<'_>, name: &str, made: (BorrowedFd<'_>, &str), end: End) -> io::Result<()> {
    let flags = OFlags::RDWR | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = match fs::openat(directory, name, flags, Mode::empty()) {
        Err(Errno::NOENT | Errno::LOOP | Errno::ISDIR) => return Ok(()),
        opened => opened?,
    };
    let status = fs::fstat(&opened)?;
    let (device, inode, size_bytes) = end;
    let is_it = FileType::from_raw_mode(status.st_mode) == FileType::RegularFile
        && (status.st_dev, status.st_ino) == (device, inode)
        && u64::try_from(status.st_size).is_ok_and(|now| now >= size_bytes);
    if !is_it {
        return Ok(());
    }
    let mut bytes = Vec::new();
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    File::from(fs::openat(made.0, made.1, flags, Mode::empty())?).read_to_end(&mut bytes)?;
    let mut file = Written(File::from(opened));
    let mut behind = Vec::new();
    file.0.seek(SeekFrom::Start(size_bytes))?;
    file.0.read_to_end(&mut behind)?;
    match left(&behind, &bytes) {
        Some(left) => file.write_all(left),
        None => Ok(()),
    }
}

/// What of the bytes is not there yet; `None` where they are, or somebody else's line is not at its end.
fn left<'b>(behind: &[u8], bytes: &'b [u8]) -> Option<&'b [u8]> {
    if bytes.is_empty() || behind.windows(bytes.len()).any(|there| there == bytes) {
        return None;
    }
    match bytes.strip_prefix(behind) {
        // A killed run was in the middle of it, or has not begun.
        Some(left) => Some(left),
        None => behind.ends_with(b"\n").then_some(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_not_written_again() {
        assert_eq!(left(b"", b"a\n"), Some(&b"a\n"[..]));
        assert_eq!(left(b"a", b"a\n"), Some(&b"\n"[..]));
        assert_eq!(left(b"a\n", b"a\n"), None);
        assert_eq!(left(b"x\na\ny", b"a\n"), None);
        assert_eq!(left(b"x\n", b"a\n"), Some(&b"a\n"[..]));
        assert_eq!(left(b"x", b"a\n"), None, "half a line of somebody else");
        assert_eq!(left(b"x\n", b""), None);
    }
}
