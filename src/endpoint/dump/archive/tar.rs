//! A tar as pg_dump writes it, read from its beginning to its end.
//!
//! The files come one behind the other, each with a head of 512 bytes: a short name, a size in octal digits (or above 8 GB in binary
//! ones), a sum. That is all that pg_dump writes, and being no more it can wait between two files, which
//! the reader of a pipe needs.

use crate::endpoint::dump::text::unreadable;
use crate::error::{Error, Result};
use std::io::Read;

const BLOCK_BYTES: usize = 512;

/// Whether bytes are the head of such a tar: its first file is the table of contents.
pub(in crate::endpoint::dump) fn begins(first: &[u8]) -> bool {
    first.len() >= BLOCK_BYTES && first.starts_with(b"toc.dat\0") && &first[257..262] == b"ustar"
}

/// A tar under way. It reads as the file that it is at.
pub(in crate::endpoint::dump) struct Tar<R> {
    reader: R,
    object: String,
    /// What is left of the file, and of the blanks behind it.
    left: u64,
    padding: u64,
}

impl<R: Read> Tar<R> {
    pub(in crate::endpoint::dump) fn new(reader: R, object: &str) -> Self {
        Tar { reader, object: object.to_owned(), left: 0, padding: 0 }
    }

    /// The name of the next file; `None` at the end.
    ///
    /// # Errors
    /// When the tar is cut off or damaged.
    pub(in crate::endpoint::dump) fn next(&mut self) -> Result<Option<String>> {
        let rest = self.left + self.padding;
        let skipped = std::io::copy(&mut (&mut self.reader).take(rest), &mut std::io::sink());
        if skipped.map_err(|error| unreadable(&self.object, error))? < rest {
            return Err(unreadable(&self.object, std::io::ErrorKind::UnexpectedEof.into()));
        }
        (self.left, self.padding) = (0, 0);
        let mut head = [0; BLOCK_BYTES];
        self.reader.read_exact(&mut head).map_err(|error| unreadable(&self.object, error))?;
        if head.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let sum: u64 = head
            .iter()
            .enumerate()
            .map(|(place, byte)| if (148..156).contains(&place) { 32 } else { u64::from(*byte) })
            .sum();
        if octal(&head[148..156]) != Some(sum) {
            return Err(self.damaged());
        }
        self.left = size(&head[124..136]).ok_or_else(|| self.damaged())?;
        self.padding = self.left.next_multiple_of(BLOCK_BYTES as u64) - self.left;
        let name = &head[..100];
        let name = &name[..name.iter().position(|byte| *byte == 0).unwrap_or(name.len())];
        Ok(Some(String::from_utf8_lossy(name).into_owned()))
    }

    fn damaged(&self) -> Error {
        Error::could_not("read", &self.object, "the tar is damaged: the head of a file in it is none")
            .hint("copy the dump again from where it was made, or make it again")
    }
}

impl<R: Read> Read for Tar<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self.reader.read(&mut buffer[..count])?;
        if read == 0 && count > 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= read as u64;
        Ok(read)
    }
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?.trim_matches([' ', '\0']);
    u64::from_str_radix(text, 8).ok()
}

fn size(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 == 0 {
        return octal(field);
    }
    // Binary, the highest byte first; the first bit is the mark.
    if field[0] != 0x80 || field[1..4] != [0; 3] {
        return None;
    }
    let size = field[4..].iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    (size < 1 << 62).then_some(size)
}
