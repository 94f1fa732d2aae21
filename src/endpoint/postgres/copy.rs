//! COPY … TO STDOUT: the statement that asks for a table, and the frames that answer it.
//!
//! An ordinary table is copied without a query where that is possible, so that nothing is planned: a planner computes what it
//! finds in index expressions and statistics, and fails where a function of theirs names another one without its schema.
//! A column that travels as the server's text needs a query in the binary format, and none in the text format, which costs
//! a wide table more (`scripts/text-cost`); so that one is for tables of which a planner would compute something.
//!
//! Source: PostgreSQL's documentation, "COPY: Binary Format". The server sends one message per row, the first with the
//! header in front; the protocol does not promise that, so the reader takes any division into messages.

use super::field::FieldDecoder;
use super::snapshot::Held;
use super::wire::{Wire, WireError};
use crate::catalog::{QualifiedName, Shape};
use crate::endpoint::{ReadColumn, ReadTable};
use crate::error::{Error, Result};
use crate::quote::{quote, quote_all};
use crate::value::Cell;

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// Signature, flags, length of the header's extension.
const HEADER_BYTES: usize = SIGNATURE.len() + 8;

/// The forms in which COPY sends rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Each field as its type's binary form, or as the output function's text where the query asks for that.
    Binary,
    /// Each field as the output function's text, in lines.
    Text,
}

impl Form {
    /// Decodes a field of such a row.
    #[inline]
    pub(super) fn decode<'a>(self, decoder: &FieldDecoder<'_>, field: Option<&'a [u8]>) -> Result<Cell<'a>, WireError> {
        match self {
            Form::Binary => decoder.decode(field),
            Form::Text => decoder.decode_text(field),
        }
    }
}

/// The COPY statement that reads the requested columns of a table, and the form of its answer.
pub(super) fn statement(request: &ReadTable<'_>, held: Held) -> (String, Form) {
    let is_text = |column: &ReadColumn<'_>| Wire::of(column.shape) == Wire::ServerText;
    let (names, table) = (quote_all(request.columns.iter().map(|column| column.name)), quote_name(request.table));
    if held.is_plain && request.only && !request.columns.is_empty() {
        // The text of an xml is not what its output function gives.
        let has_xml = request.columns.iter().any(|column| *column.shape.base() == Shape::Xml);
        match (request.columns.iter().any(is_text), held.has_expressions && !has_xml) {
            (false, _) => return (format!("COPY {table} ({names}) TO STDOUT (FORMAT binary)"), Form::Binary),
            (true, true) => return (format!("COPY {table} ({names}) TO STDOUT"), Form::Text),
            (true, false) => {}
        }
    }
    let columns: Vec<_> = request
        .columns
        .iter()
        .map(|column| {
            let name = quote(column.name);
            if is_text(column) { server_text(column, &name) } else { name }
        })
        .collect();
    let only = if request.only { "ONLY " } else { "" };
    let columns = columns.join(", ");
    (format!("COPY (SELECT {columns} FROM {only}{table}) TO STDOUT (FORMAT binary)"), Form::Binary)
}

/// The text of a column that travels as the server's text.
pub(super) fn server_text(column: &ReadColumn<'_>, name: &str) -> String {
    match column.shape.base() {
        // The output function leaves out the declaration where it says nothing but the version and the encoding.
        Shape::Xml => format!("{name}::pg_catalog.text"),
        // The output function's own text: a cast to text goes through a function of its own for some types (inet, boolean,
        // name). num_nulls tells NULL from a composite value whose fields are all NULL.
        _ => format!(
            "CASE WHEN pg_catalog.num_nulls({name}) OPERATOR(pg_catalog.=) 0 THEN pg_catalog.concat({name}) END"
        ),
    }
}

pub(super) fn quote_name(name: &QualifiedName) -> String {
    format!("{}.{}", quote(&name.schema), quote(&name.name))
}

/// Takes the fields of one row; `None` is NULL.
pub type TakeFields<'t> = dyn FnMut(&[Option<&[u8]>]) -> Result<()> + 't;

/// Takes messages and gives rows of fields.
pub struct Frames {
    form: Form,
    /// The text of a line without its escapes, and where each of its fields ends there.
    line: Vec<u8>,
    ends: Vec<Option<usize>>,
    /// What the last message left unfinished.
    rest: Vec<u8>,
    header_read: bool,
    ended: bool,
    /// How many fields each row has to have.
    width: usize,
}

/// How far a piece of the stream was read.
enum Read {
    /// One row, so many bytes.
    Row(usize),
    /// The end marker.
    End,
    /// More bytes are needed.
    Incomplete,
}

impl Frames {
    /// Before the first message of a COPY in the binary format with rows of that many fields.
    pub fn new(width: usize) -> Self {
        Frames::of(Form::Binary, width)
    }

    /// The same in the text format.
    pub fn in_text(width: usize) -> Self {
        Frames::of(Form::Text, width)
    }

    pub(super) fn of(form: Form, width: usize) -> Self {
        let (line, ends) = (Vec::new(), Vec::with_capacity(width));
        Frames { form, line, ends, rest: Vec::new(), header_read: false, ended: false, width }
    }

    /// Takes the next message and hands over every row that is complete.
    ///
    /// # Errors
    /// What `row` returns, and when the bytes are not COPY's.
    pub fn take(&mut self, message: &[u8], row: &mut TakeFields<'_>) -> Result<()> {
        if self.rest.is_empty() {
            let used = self.take_whole(message, row)?;
            self.rest.extend_from_slice(&message[used..]);
        } else {
            let mut bytes = std::mem::take(&mut self.rest);
            bytes.extend_from_slice(message);
            let used = self.take_whole(&bytes, row)?;
            bytes.drain(..used);
            self.rest = bytes;
        }
        Ok(())
    }

    /// Ends the stream.
    ///
    /// # Errors
    /// When the end marker has not come, which the text format has not, or half a row: rows are missing.
    pub fn finish(&self) -> Result<()> {
        if self.form == Form::Text {
            return if self.rest.is_empty() { Ok(()) } else { Err(malformed("it ends in the middle of a line")) };
        }
        if self.ended && self.rest.is_empty() { Ok(()) } else { Err(malformed("it ends before its end marker")) }
    }

    fn take_whole(&mut self, bytes: &[u8], row: &mut TakeFields<'_>) -> Result<usize> {
        match self.form {
            Form::Binary => self.take_rows(bytes, row),
            Form::Text => self.take_lines(bytes, row),
        }
    }

    fn take_lines(&mut self, bytes: &[u8], row: &mut TakeFields<'_>) -> Result<usize> {
        let mut position = 0;
        // A line end within a value is written as an escape.
        while let Some(length) = bytes[position..].iter().position(|byte| *byte == b'\n') {
            self.read_line(&bytes[position..position + length])?;
            let mut start = 0;
            let fields: Vec<Option<&[u8]>> = self
                .ends
                .iter()
                .map(|end| end.map(|end| &self.line[std::mem::replace(&mut start, end)..end]))
                .collect();
            row(&fields)?;
            position += length + 1;
        }
        Ok(position)
    }

    fn read_line(&mut self, line: &[u8]) -> Result<()> {
        self.line.clear();
        self.ends.clear();
        for field in line.split(|byte| *byte == b'\t') {
            if field == b"\\N" {
                self.ends.push(None);
                continue;
            }
            let mut rest = field;
            while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
                let escaped = rest.get(at + 1).ok_or_else(|| malformed("an escape is cut short"))?;
                self.line.extend_from_slice(&rest[..at]);
                self.line.push(match escaped {
                    b'b' => 8,
                    b'f' => 12,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'v' => 11,
                    b'\\' => b'\\',
                    _ => return Err(malformed("an escape is not COPY's")),
                });
                rest = &rest[at + 2..];
            }
            self.line.extend_from_slice(rest);
            self.ends.push(Some(self.line.len()));
        }
        match self.ends.len() == self.width {
            true => Ok(()),
            false => Err(malformed("a row has another number of fields than was asked for")),
        }
    }

    fn take_rows(&mut self, bytes: &[u8], row: &mut TakeFields<'_>) -> Result<usize> {
        let mut position = 0;
        if !self.header_read {
            if bytes.len() < HEADER_BYTES {
                return Ok(0);
            }
            let extension = length_at(bytes, HEADER_BYTES - 4).unwrap_or(-1);
            let Ok(extension) = usize::try_from(extension) else { return Err(malformed("its header is not COPY's")) };
            if !bytes.starts_with(SIGNATURE) {
                return Err(malformed("its header is not COPY's"));
            }
            if bytes.len() < HEADER_BYTES + extension {
                return Ok(0);
            }
            position = HEADER_BYTES + extension;
            self.header_read = true;
        }
        let mut fields: Vec<Option<&[u8]>> = Vec::with_capacity(self.width);
        while position < bytes.len() {
            if self.ended {
                return Err(malformed("it goes on after its end marker"));
            }
            match self.read_row(&bytes[position..], &mut fields)? {
                Read::Row(length) => {
                    row(&fields)?;
                    position += length;
                }
                Read::End => {
                    self.ended = true;
                    position += 2;
                }
                Read::Incomplete => break,
            }
        }
        Ok(position)
    }

    fn read_row<'b>(&self, bytes: &'b [u8], fields: &mut Vec<Option<&'b [u8]>>) -> Result<Read> {
        let Some(count) = bytes.first_chunk::<2>() else { return Ok(Read::Incomplete) };
        let count = i16::from_be_bytes(*count);
        if count == -1 {
            return Ok(Read::End);
        }
        if usize::try_from(count) != Ok(self.width) {
            return Err(malformed("a row has another number of fields than was asked for"));
        }
        fields.clear();
        let mut position = 2;
        for _ in 0..self.width {
            let Some(length) = length_at(bytes, position) else { return Ok(Read::Incomplete) };
            position += 4;
            match usize::try_from(length) {
                Err(_) if length == -1 => fields.push(None),
                Err(_) => return Err(malformed("a field has a negative length")),
                Ok(length) => {
                    let Some(field) = bytes.get(position..position + length) else { return Ok(Read::Incomplete) };
                    fields.push(Some(field));
                    position += length;
                }
            }
        }
        Ok(Read::Row(position))
    }
}

fn length_at(bytes: &[u8], position: usize) -> Option<i32> {
    bytes.get(position..)?.first_chunk::<4>().map(|bytes| i32::from_be_bytes(*bytes))
}

fn malformed(cause: &str) -> Error {
    Error::could_not("read the COPY stream", "", cause).hint("the server or the connection is at fault; run again")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Rows = Vec<Vec<Option<Vec<u8>>>>;

    fn stream(rows: &Rows) -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend_from_slice(&[0; 8]);
        for row in rows {
            bytes.extend_from_slice(&(row.len() as i16).to_be_bytes());
            for field in row {
                match field {
                    None => bytes.extend_from_slice(&(-1_i32).to_be_bytes()),
                    Some(field) => {
                        bytes.extend_from_slice(&(field.len() as i32).to_be_bytes());
                        bytes.extend_from_slice(field);
                    }
                }
            }
        }
        bytes.extend_from_slice(&(-1_i16).to_be_bytes());
        bytes
    }

    /// As the server writes it.
    fn lines(rows: &Rows) -> Vec<u8> {
        let escape = |byte: &u8| match byte {
            8 => b"\\b".to_vec(),
            12 => b"\\f".to_vec(),
            b'\n' => b"\\n".to_vec(),
            b'\r' => b"\\r".to_vec(),
            b'\t' => b"\\t".to_vec(),
            11 => b"\\v".to_vec(),
            b'\\' => b"\\\\".to_vec(),
            byte => vec![*byte],
        };
        let field = |field: &Option<Vec<u8>>| match field {
            None => b"\\N".to_vec(),
            Some(bytes) => bytes.iter().flat_map(escape).collect(),
        };
        let line = |row: &Vec<Option<Vec<u8>>>| {
            [row.iter().map(field).collect::<Vec<_>>().join(&b'\t'), b"\n".to_vec()].concat()
        };
        rows.iter().flat_map(line).collect()
    }

    fn read(messages: &[&[u8]], width: usize) -> Result<Rows> {
        read_by(Frames::new(width), messages)
    }

    fn read_by(mut frames: Frames, messages: &[&[u8]]) -> Result<Rows> {
        let mut rows = Rows::new();
        for message in messages {
            frames.take(message, &mut |fields| {
                rows.push(fields.iter().map(|field| field.map(<[u8]>::to_vec)).collect());
                Ok(())
            })?;
        }
        frames.finish().map(|()| rows)
    }

    proptest! {
        #[test]
        fn any_division_into_messages_gives_the_same_rows(
            rows in prop::collection::vec(prop::collection::vec(prop::option::of(any::<Vec<u8>>()), 3), 0..6),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let bytes = stream(&rows);
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len())).chain([0, bytes.len()]).collect();
            cuts.sort_unstable();
            let messages: Vec<_> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            prop_assert_eq!(read(&messages, 3).unwrap(), rows);
        }

        #[test]
        fn lines_give_the_rows_that_were_written_in_any_division(
            rows in prop::collection::vec(prop::collection::vec(prop::option::of(any::<Vec<u8>>()), 2), 0..5),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let bytes = lines(&rows);
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len().max(1))).chain([0, bytes.len()]).collect();
            cuts.sort_unstable();
            let messages: Vec<_> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            prop_assert_eq!(read_by(Frames::in_text(2), &messages).unwrap(), rows);
            if let Some((_, short)) = bytes.split_last() {
                prop_assert!(read_by(Frames::in_text(2), &[short]).is_err());
            }
        }

        #[test]
        fn a_stream_that_is_cut_short_is_an_error(
            rows in prop::collection::vec(prop::collection::vec(prop::option::of(any::<Vec<u8>>()), 2), 0..4),
            cut in any::<prop::sample::Index>(),
        ) {
            let bytes = stream(&rows);
            prop_assert!(read(&[&bytes[..cut.index(bytes.len())]], 2).is_err());
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = read(&[&bytes], 1);
            let _ = read_by(Frames::in_text(1), &[&bytes]);
            let mut with_header = stream(&Vec::new());
            with_header.truncate(HEADER_BYTES);
            with_header.extend_from_slice(&bytes);
            let _ = read(&[&with_header], 1);
        }
    }
}
