//! A line of COPY's text form, taken apart into its fields.
//!
//! Source: PostgreSQL's documentation, "COPY", "Text Format". The server takes more than it writes, and so does this: octal and
//! hexadecimal escapes, and any other escaped sign for itself.

use crate::fault::{self, Fault};
use std::str::Utf8Error;

/// The fields of a line: a buffer that goes from line to line.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// What had escapes, without them.
    plain: Vec<u8>,
    /// Where each field is; `None` is NULL.
    places: Vec<Option<Place>>,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    /// In the line itself, from and to.
    Line(usize, usize),
    /// Among what had escapes.
    Plain(usize, usize),
}

impl Fields {
    /// Takes a line of so many fields apart. A line without columns is empty.
    ///
    /// # Errors
    /// Why it is no such line.
    pub(super) fn read(&mut self, line: &[u8], width: usize) -> Result<(), &'static str> {
        self.plain.clear();
        self.places.clear();
        if memchr::memchr(0, line).is_some() {
            return Err("a byte 0 stands in it");
        }
        if width == 0 {
            return if line.is_empty() { Ok(()) } else { Err("it has values, and the table no columns") };
        }
        let mut start = 0;
        loop {
            match memchr::memchr2(b'\t', b'\\', &line[start..]) {
                Some(length) if line[start + length] == b'\t' => {
                    self.places.push(Some(Place::Line(start, start + length)));
                    start += length + 1;
                }
                None => {
                    self.places.push(Some(Place::Line(start, line.len())));
                    break;
                }
                Some(_) => match self.escaped(line, start)? {
                    Some(next) => start = next,
                    None => break,
                },
            }
        }
        match self.places.len() == width {
            true => Ok(()),
            false if self.places.len() < width => Err("it has fewer values than there are columns"),
            false => Err("it has more values than there are columns"),
        }
    }

    /// The field at that place of a line that is text as a whole; `None` is NULL. What had escapes may be no text: then
    /// its bytes, and from where on.
    #[inline]
    pub(super) fn text<'f>(&'f self, line: &'f str, place: usize) -> Option<Result<&'f str, (&'f [u8], Utf8Error)>> {
        match self.places[place]? {
            Place::Line(start, end) => Some(Ok(&line[start..end])),
            Place::Plain(start, end) => {
                let bytes = &self.plain[start..end];
                Some(std::str::from_utf8(bytes).map_err(|error| (bytes, error)))
            }
        }
    }

    /// The field at that place; `None` is NULL.
    pub(super) fn get<'f>(&'f self, line: &'f [u8], place: usize) -> Option<&'f [u8]> {
        match self.places[place]? {
            Place::Line(start, end) => Some(&line[start..end]),
            Place::Plain(start, end) => Some(&self.plain[start..end]),
        }
    }

    /// A field with escapes; where the next begins, if one follows.
    fn escaped(&mut self, line: &[u8], start: usize) -> Result<Option<usize>, &'static str> {
        let from = self.plain.len();
        let mut place = start;
        let end = loop {
            match memchr::memchr2(b'\t', b'\\', &line[place..]) {
                None => {
                    self.plain.extend_from_slice(&line[place..]);
                    break line.len();
                }
                Some(length) => {
                    self.plain.extend_from_slice(&line[place..place + length]);
                    place += length;
                    if line[place] == b'\t' {
                        break place;
                    }
                    place = self.escape(line, place)?;
                }
            }
        };
        if &line[start..end] == b"\\N" {
            self.plain.truncate(from);
            self.places.push(None);
        } else {
            self.places.push(Some(Place::Plain(from, self.plain.len())));
        }
        Ok((end < line.len()).then_some(end + 1))
    }

    /// Undoes the escape at that place; where the text goes on.
    fn escape(&mut self, line: &[u8], place: usize) -> Result<usize, &'static str> {
        let digits = |from: usize, base: u32, max: usize| {
            line[from..].iter().take(max).take_while(|byte| char::from(**byte).is_digit(base)).count()
        };
        let value = |from: usize, count: usize, base: u32| {
            line[from..from + count]
                .iter()
                .fold(0, |sum, byte| sum * base + char::from(*byte).to_digit(base).unwrap_or(0))
        };
        let (byte, next) = match *line.get(place + 1).ok_or("it ends with half an escape")? {
            b'b' => (8, place + 2),
            b'f' => (12, place + 2),
            b'n' if !fault::active(Fault::EscapeLost) => (b'\n', place + 2),
            b'r' => (b'\r', place + 2),
            b't' => (b'\t', place + 2),
            b'v' => (11, place + 2),
            b'0'..=b'7' => {
                let count = digits(place + 1, 8, 3);
                // The server keeps the lowest eight bits.
                ((value(place + 1, count, 8) & 255) as u8, place + 1 + count)
            }
            b'x' if digits(place + 2, 16, 2) > 0 => {
                let count = digits(place + 2, 16, 2);
                (value(place + 2, count, 16) as u8, place + 2 + count)
            }
            other => (other, place + 2),
        };
        if byte == 0 {
            return Err("an escape stands for a byte 0");
        }
        self.plain.push(byte);
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Read = Result<Vec<Option<Vec<u8>>>, &'static str>;

    fn fields(line: &[u8], width: usize) -> Read {
        let mut fields = Fields::default();
        fields.read(line, width)?;
        Ok((0..width).map(|place| fields.get(line, place).map(<[u8]>::to_vec)).collect())
    }

    fn text(text: &[u8]) -> Option<Vec<u8>> {
        Some(text.to_vec())
    }

    #[test]
    fn fields_are_what_the_server_stores() {
        assert_eq!(fields(b"a\t\\N\t", 3), Ok(vec![text(b"a"), None, text(b"")]));
        assert_eq!(fields(b"\\\\N\t\\N\\N", 2), Ok(vec![text(b"\\N"), text(b"NN")]));
        assert_eq!(fields(b"\\n\\r\\t\\b\\f\\v\\\\", 1), Ok(vec![text(b"\n\r\t\x08\x0c\x0b\\")]));
        assert_eq!(fields(b"\\101\\x41\\x4g\\x\\q\\7", 1), Ok(vec![text(b"AA\x04gxq\x07")]));
        assert_eq!(fields(b"\\351\\xC3", 1), Ok(vec![text(b"\xe9\xc3")]));
        assert_eq!(fields(b"", 1), Ok(vec![text(b"")]));
        assert_eq!(fields(b"", 0), Ok(vec![]));
        assert_eq!(fields(b"\\\t", 1), Ok(vec![text(b"\t")]));
        for (line, width) in [(&b"a"[..], 2), (b"a\tb", 1), (b"a\\", 1), (b"\\0", 1), (b"a\0", 1), (b"x", 0)] {
            assert!(fields(line, width).is_err(), "{}", line.escape_ascii());
        }
    }
}
