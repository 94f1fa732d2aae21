//! What is wrong with a file, and where.

use std::fmt;

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// Bytes from the beginning of the text that was read.
    pub offset: usize,
    /// The line in the file, from 1.
    pub line: u64,
    /// The character in the line, from 1.
    pub column: u64,
    /// Why, a sentence in lower case without a full stop.
    pub reason: String,
}

impl Flaw {
    /// A flaw at a byte of the text; [`Flaw::placed`] says in which line that is.
    pub fn at(offset: usize, reason: impl Into<String>) -> Self {
        Flaw { offset, line: 0, column: 0, reason: reason.into() }
    }

    /// The same flaw with line and column, for a text whose first line is `first_line` of the file.
    #[must_use]
    pub fn placed(mut self, text: &[u8], first_line: u64) -> Self {
        self.offset = self.offset.min(text.len());
        let (line, column) = line_and_column(text, self.offset);
        (self.line, self.column) = (line + first_line - 1, column);
        self
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.reason)
    }
}

/// Line and character of a byte, each from 1. Bytes inside a character count as it; what is no UTF-8 counts by bytes.
pub fn line_and_column(text: &[u8], offset: usize) -> (u64, u64) {
    let before = &text[..offset.min(text.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let characters = before[start..].iter().filter(|byte| **byte & 0xc0 != 0x80).count() as u64;
    (line, characters + 1)
}

/// The bytes of a file of text.
///
/// # Errors
///
/// They begin with a byte order mark, are UTF-16 or are no UTF-8.
pub fn text_of(bytes: &[u8]) -> Result<&str, Flaw> {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(Flaw::at(0, "the file begins with a byte order mark; save it as UTF-8 without one"));
    }
    let utf16 = bytes.starts_with(b"\xff\xfe")
        || bytes.starts_with(b"\xfe\xff")
        || matches!(bytes, [0, b, ..] | [b, 0, ..] if b.is_ascii() && *b != 0);
    if utf16 {
        return Err(Flaw::at(0, "the file is UTF-16; save it as UTF-8"));
    }
    if let Ok(text) = simdutf8::basic::from_utf8(bytes) {
        return Ok(text);
    }
    // Where it is not.
    std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        match error.error_len() {
            Some(_) => Flaw::at(at, format!("the byte 0x{:02x} is not UTF-8 here", bytes[at])),
            None => Flaw::at(at, "the file ends inside a character of UTF-8"),
        }
    })
}
