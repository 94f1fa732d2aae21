//! The blocks of an archive that is one file, in the order in which they stand there.
//!
//! An archive that was written to a pipe does not know where its blocks are; one that does is read in the same way, block
//! by block, because all of it is wanted. A block is a kind, the number of its entry, and pieces with their length in front, the last of
//! which is empty.

use super::{Head, Items};
use crate::endpoint::dump::text::unreadable;
use crate::error::{Error, Result};
use std::io::{BufRead, Read};

const ROWS: u8 = 1;
const LARGE_OBJECTS: u8 = 3;

/// The blocks behind the table of contents.
pub(in crate::endpoint::dump) struct Blocks<R> {
    reader: R,
    int_bytes: usize,
    object: String,
}

impl<R: BufRead> Blocks<R> {
    pub(in crate::endpoint::dump) fn new(reader: R, head: &Head, object: &str) -> Self {
        Blocks { reader, int_bytes: head.int_bytes, object: object.to_owned() }
    }

    /// The entry whose rows come next; `None` at the end. Large objects are passed over.
    ///
    /// # Errors
    /// When the archive is cut off or damaged.
    pub(in crate::endpoint::dump) fn next(&mut self) -> Result<Option<i32>> {
        loop {
            if self.reader.fill_buf().map_err(|error| unreadable(&self.object, error))?.is_empty() {
                return Ok(None);
            }
            let kind = self.items().byte()?;
            let id = self.items().int()?;
            match kind {
                ROWS => {
                    return i32::try_from(id).map(Some).map_err(|_| damaged(&self.object));
                }
                LARGE_OBJECTS => {
                    while self.items().int()? != 0 {
                        self.pieces().skip()?;
                    }
                }
                _ => return Err(damaged(&self.object)),
            }
        }
    }

    /// The bytes of the block, as they are packed.
    pub(in crate::endpoint::dump) fn pieces(&mut self) -> Pieces<'_, R> {
        Pieces { blocks: self, left: 0, ended: false }
    }

    fn items(&mut self) -> Items<'_, R> {
        Items { reader: &mut self.reader, int_bytes: self.int_bytes, object: &self.object }
    }
}

fn damaged(object: &str) -> Error {
    Error::could_not(
        "read",
        object,
        "the archive is damaged: where a block of rows should begin, there is something else",
    )
    .hint("copy the dump again from where it was made, or make it again")
}

/// The bytes of one block.
pub(in crate::endpoint::dump) struct Pieces<'b, R> {
    blocks: &'b mut Blocks<R>,
    left: usize,
    ended: bool,
}

impl<R: BufRead> Pieces<'_, R> {
    /// Reads what is left of the block, and throws it away.
    ///
    /// # Errors
    /// When the archive ends before the block.
    pub(in crate::endpoint::dump) fn skip(&mut self) -> Result<()> {
        loop {
            let count = match self.fill_buf() {
                Ok(bytes) => bytes.len(),
                Err(error) => return Err(unreadable(&self.blocks.object, error)),
            };
            if count == 0 {
                return Ok(());
            }
            self.consume(count);
        }
    }
}

impl<R: BufRead> BufRead for Pieces<'_, R> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        while self.left == 0 && !self.ended {
            let length = self.blocks.items().int().map_err(|error| {
                // The error is made again where the bytes are asked for.
                std::io::Error::new(std::io::ErrorKind::UnexpectedEof, error.cause().to_owned())
            })?;
            match usize::try_from(length) {
                Ok(0) => self.ended = true,
                Ok(length) => self.left = length,
                Err(_) => return Err(std::io::ErrorKind::InvalidData.into()),
            }
        }
        if self.ended {
            return Ok(&[]);
        }
        let left = self.left;
        let bytes = self.blocks.reader.fill_buf()?;
        if bytes.is_empty() {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(&bytes[..bytes.len().min(left)])
    }

    fn consume(&mut self, count: usize) {
        self.left -= count;
        self.blocks.reader.consume(count);
    }
}

impl<R: BufRead> Read for Pieces<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let bytes = self.fill_buf()?;
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        self.consume(count);
        Ok(count)
    }
}
