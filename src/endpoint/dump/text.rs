//! The text of a dump as a stream: bytes in UTF-8 with the number of their line, read piece by piece.
//!
//! Whoever looks at it sees what was read so far from the place that it has reached, and asks for more. So a statement or a
//! line is held as a whole and once; how long one may be is the business of whoever reads it.

use super::encoding::{Encoding, Transcoder, Undecoded};
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use std::io::Read;

/// How much is read at once.
const PIECE_BYTES: usize = 256 * 1024;

/// A stream of text.
pub(super) struct Text<R> {
    reader: R,
    /// What is read, by its name.
    object: String,
    cancel: Cancel,
    buffer: Vec<u8>,
    /// Where in the buffer the reader is.
    start: usize,
    /// The line of that place, from 1.
    line: u64,
    /// Bytes that are not yet text.
    raw: Vec<u8>,
    encoding: Encoding,
    transcoder: Option<Transcoder>,
    ended: bool,
}

impl<R: Read> Text<R> {
    /// The text that the reader gives; errors name it so.
    pub(super) fn new(reader: R, object: &str, cancel: &Cancel) -> Self {
        Text {
            reader,
            object: object.to_owned(),
            cancel: cancel.clone(),
            buffer: Vec::new(),
            start: 0,
            line: 1,
            raw: Vec::new(),
            encoding: Encoding::AsIs,
            transcoder: None,
            ended: false,
        }
    }

    /// What is read, by its name.
    pub(super) fn object(&self) -> &str {
        &self.object
    }

    /// The line of the place that is reached, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// What was read and is not done with.
    pub(super) fn rest(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// The byte so many places on; `None` behind the end.
    #[inline]
    pub(super) fn at(&mut self, place: usize) -> Result<Option<u8>> {
        if let Some(byte) = self.buffer.get(self.start + place) {
            return Ok(Some(*byte));
        }
        while self.more()? {
            if let Some(byte) = self.buffer.get(self.start + place) {
                return Ok(Some(*byte));
            }
        }
        Ok(None)
    }

    /// Is done with so many bytes of the rest.
    pub(super) fn advance(&mut self, count: usize) {
        let done = &self.buffer[self.start..self.start + count];
        self.line += memchr::memchr_iter(b'\n', done).count() as u64;
        self.start += count;
    }

    /// The same for bytes that end with the line that they are.
    pub(super) fn advance_line(&mut self, count: usize) {
        self.line += 1;
        self.start += count;
    }

    /// From here on the bytes are in that encoding.
    ///
    /// # Errors
    /// When what was read ahead cannot be taken back: the encoding before has several bytes for a character.
    pub(super) fn switch(&mut self, encoding: Encoding) -> Result<()> {
        if encoding == self.encoding {
            return Ok(());
        }
        let ahead = self.buffer.split_off(self.start);
        let ahead = match &self.transcoder {
            None => ahead,
            Some(transcoder) => transcoder.back(&ahead).ok_or_else(|| {
                let object = format!("{}, line {}", self.object, self.line);
                Error::could_not(
                    "read",
                    object,
                    "its encoding changes here, and the one before has characters of several bytes",
                )
                .hint("make the dump again with `--encoding=UTF8`")
            })?,
        };
        drop(self.raw.splice(..0, ahead));
        self.encoding = encoding;
        self.transcoder = encoding.transcoder();
        Ok(())
    }

    /// Reads on; whether there was more.
    pub(super) fn more(&mut self) -> Result<bool> {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        let before = self.buffer.len();
        while self.buffer.len() == before {
            if self.raw.is_empty() && self.ended {
                return Ok(false);
            }
            self.cancel.check("read the dump")?;
            if self.raw.is_empty() {
                self.read_piece()?;
            }
            self.take_raw()?;
        }
        Ok(true)
    }

    fn read_piece(&mut self) -> Result<()> {
        self.raw.resize(PIECE_BYTES, 0);
        let count = loop {
            match self.reader.read(&mut self.raw) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.raw.clear();
                    return Err(unreadable(&self.object, error));
                }
                Ok(count) => break count,
            }
        };
        self.raw.truncate(count);
        self.ended = count == 0;
        Ok(())
    }

    fn take_raw(&mut self) -> Result<()> {
        let raw = std::mem::take(&mut self.raw);
        match &mut self.transcoder {
            None if self.buffer.is_empty() => self.raw = std::mem::replace(&mut self.buffer, raw),
            None => {
                self.buffer.extend_from_slice(&raw);
                self.raw = raw;
                self.raw.clear();
            }
            Some(transcoder) => {
                if let Err(Undecoded { bytes, not_read }) = transcoder.decode(&raw, self.ended, &mut self.buffer) {
                    let lines = memchr::memchr_iter(b'\n', &self.buffer[self.start..]).count() as u64;
                    let shown = bytes.escape_ascii();
                    let cause = match not_read {
                        Some(name) => format!(
                            "of texts in the encoding `{name}` only ASCII is read here, and not the bytes `{shown}`"
                        ),
                        None => {
                            format!(
                                "the bytes `{shown}` are no character of its encoding, which `client_encoding` says"
                            )
                        }
                    };
                    return Err(Error::could_not(
                        "read",
                        format!("{}, line {}", self.object, self.line + lines),
                        cause,
                    )
                    .hint("make the dump again with `pg_dump --encoding=UTF8`"));
                }
                self.raw = raw;
                self.raw.clear();
            }
        }
        Ok(())
    }
}

/// What cannot be read any further: where it is compressed, an end in the middle is told as such.
pub(super) fn unreadable(object: &str, error: std::io::Error) -> Error {
    let told = match error.kind() {
        std::io::ErrorKind::UnexpectedEof => "it is cut off: its last bytes are missing".to_owned(),
        std::io::ErrorKind::InvalidData | std::io::ErrorKind::InvalidInput | std::io::ErrorKind::Other => {
            format!("its compressed bytes are damaged: {error}")
        }
        _ => error.to_string(),
    };
    let error = Error::could_not("read", object, told).because(error);
    error.hint("copy the dump again from where it was made, or make it again")
}
