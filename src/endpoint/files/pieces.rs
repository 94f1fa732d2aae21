//! A file of records, piece by piece: no more of it is in memory than a piece, or a record that is larger than one.

use super::tree::walk::Content;
use super::weave::{Part, Piece, Weaver};
use crate::error::{Context, Error, Result};
use std::io::Read;

/// How many bytes a piece has at most, unless one record has more.
const PIECE_BYTES_MAX: usize = 4 << 20;

/// How many bytes a record may have, or a file that is one record: what is read of it takes a few times as many.
pub(super) const RECORD_BYTES_MAX: usize = 64 << 20;

/// What becomes of a piece.
pub(super) enum Then {
    /// It has so many records, and the next piece is wanted.
    Next(u64),
    /// Nothing more is wanted.
    Stop,
}

/// Gives each piece of a file, which `object` names; of one of [`Weaver::has_pieces`] no piece has many more bytes than
/// [`PIECE_BYTES_MAX`].
///
/// # Errors
/// When the file cannot be read, has a record of more than [`RECORD_BYTES_MAX`] bytes, or `give` fails.
pub(super) fn each(
    weaver: &Weaver<'_>,
    content: &mut Content,
    object: &dyn Fn() -> String,
    give: &mut dyn FnMut(&Piece<'_>) -> Result<Then>,
) -> Result<()> {
    let is_cut = are_many(weaver, content);
    match content {
        Content::Whole(bytes, _) if is_cut => Cutting::new(weaver, bytes.as_slice()).each(object, give),
        Content::Whole(bytes, _) => give(&Piece::whole(bytes)).map(drop),
        Content::Large(file) if is_cut => Cutting::new(weaver, file).each(object, give),
        Content::Large(file) => {
            let cause = format!(
                "it has {} bytes, and a file that is one record may have {RECORD_BYTES_MAX}",
                file.stat().size_bytes
            );
            Err(Error::could_not("read", object(), cause)
                .hint("name it under `keep`, so that it is carried as bytes, or divide it"))
        }
    }
}

/// Whether a file comes in several pieces.
pub(super) fn are_many(weaver: &Weaver<'_>, content: &Content) -> bool {
    are_many_of(weaver, content.stat().size_bytes)
}

/// The same of a file of that size.
pub(super) fn are_many_of(weaver: &Weaver<'_>, size_bytes: u64) -> bool {
    weaver.has_pieces() && size_bytes > PIECE_BYTES_MAX as u64
}

struct Cutting<'c, 'l, R> {
    weaver: &'c Weaver<'l>,
    input: R,
    buffer: Vec<u8>,
    is_at_end: bool,
}

impl<'c, 'l, R: Read> Cutting<'c, 'l, R> {
    fn new(weaver: &'c Weaver<'l>, input: R) -> Self {
        Cutting { weaver, input, buffer: Vec::new(), is_at_end: false }
    }

    /// Reads on until that many bytes are there, or the file ends.
    fn fill(&mut self, bytes: usize) -> std::io::Result<()> {
        let missing = bytes.saturating_sub(self.buffer.len());
        if missing > 0 && !self.is_at_end {
            self.buffer.reserve_exact(missing);
            self.is_at_end = (&mut self.input).take(missing as u64).read_to_end(&mut self.buffer)? < missing;
        }
        Ok(())
    }

    fn each(mut self, object: &dyn Fn() -> String, give: &mut dyn FnMut(&Piece<'_>) -> Result<Then>) -> Result<()> {
        let (mut first, mut position, mut line) = (true, 0, 1);
        loop {
            // One byte more than a piece has: so the last one is known.
            let mut wanted = PIECE_BYTES_MAX + 1;
            let end = loop {
                self.fill(wanted).could_not("read", object())?;
                if self.is_at_end {
                    break self.buffer.len();
                }
                match self.weaver.cut(&self.buffer[..wanted - 1], first) {
                    Some(end) => break end,
                    None if wanted > RECORD_BYTES_MAX => {
                        let at = format!("{}, record {}, line {line}", object(), position + 1);
                        let cause = format!("it has more than {RECORD_BYTES_MAX} bytes");
                        return Err(Error::could_not("read", at, cause)
                            .hint("divide it, or name the file under `keep`, so that it is carried as bytes"));
                    }
                    None => wanted = (wanted * 2).min(RECORD_BYTES_MAX + 1),
                }
            };
            let last = self.is_at_end && end == self.buffer.len();
            let text = &self.buffer[..end];
            match give(&Piece { text, large: None, part: Part { first, last, position }, line })? {
                Then::Next(records) if !last => position += records,
                Then::Next(_) | Then::Stop => return Ok(()),
            }
            line += text.iter().filter(|byte| **byte == b'\n').count() as u64;
            self.buffer.drain(..end);
            self.buffer.shrink_to(PIECE_BYTES_MAX + 1);
            first = false;
        }
    }
}
