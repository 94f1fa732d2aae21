//! Bytes that are no text in UTF-8, named by row and column.
//!
//! A server that has to convert a text and cannot says which bytes it means, and neither the row nor the column. So the table
//! is read once more over a connection of its own, unconverted: from a database in SQL_ASCII the first bytes that are not
//! UTF-8 are the ones, from any other those of the row at which the server stopped.

use super::Session;
use super::copy::{self, Form, Frames};
use super::field::FieldDecoder;
use super::wire::WireError;
use crate::endpoint::ReadTable;
use crate::error::{Error, Result};
use crate::quote::quote;
use crate::types::{Codec, Representation};
use crate::value::{Stored, row_key};
use std::borrow::Cow;

/// The encoding that says nothing about bytes above 127.
const NO_ENCODING: &str = "SQL_ASCII";
const UTF8: &str = "UTF8";
/// Longer values are cut when they are shown.
const SHOWN_BYTES_MAX: usize = 60;

/// Reads the table once more, to name them.
pub(super) fn look(
    mut session: Session,
    request: &ReadTable<'_>,
    rows_read: u64,
    told: &Error,
) -> Result<Option<Error>> {
    const OPERATION: &str = "look for what is not text in";
    let object = format!("table `{}`", request.table);
    let held = session.ensure_held(request.table)?;
    let (statement, form) = copy::statement(request, held);
    let rows = session.query_rows(OPERATION, &object, "SHOW server_encoding")?;
    let encoding = rows.into_iter().flatten().flatten().next().unwrap_or_default();
    // The order of the rows is that in which they were read.
    let as_bytes = "SET LOCAL client_encoding = 'SQL_ASCII'; SET LOCAL synchronize_seqscans = off; \
                    SET LOCAL max_parallel_workers_per_gather = 0";
    session.query_rows(OPERATION, &object, as_bytes)?;
    let statement = if encoding == NO_ENCODING { statement } else { in_ascii(&statement) };
    let bytes = bytes_in(told.cause());
    let decoders = FieldDecoder::of_columns(&request.columns);
    let mut frames = Frames::of(form, request.columns.len());
    let (mut rows, mut found) = (0, None);
    let outcome = session.copy_out(&object, &statement, &mut |message| {
        frames.take(message, &mut |fields| {
            let is_it = |place: &usize| match (fields[*place], encoding.as_str()) {
                (None, _) => false,
                (field, NO_ENCODING) => form.decode(&decoders[*place], field) == Err(WireError::NotUtf8),
                (Some(field), _) => !bytes.is_empty() && field.windows(bytes.len()).any(|part| part == bytes),
            };
            if encoding == NO_ENCODING || rows == rows_read {
                found =
                    (0..fields.len()).find(is_it).map(|place| not_text(request, form, place, fields, rows, &encoding));
            }
            rows += 1;
            // Nothing behind that row is looked at.
            if found.is_some() { Err(Error::interrupted(OPERATION)) } else { Ok(()) }
        })
    });
    if found.is_none() {
        outcome?;
    }
    Ok(found)
}

/// What is told of a field whose bytes are no text.
pub(super) fn not_text(
    request: &ReadTable<'_>,
    form: Form,
    place: usize,
    fields: &[Option<&[u8]>],
    rows_before: u64,
    encoding: &str,
) -> Error {
    let column = quote(request.columns[place].name);
    let row = match request.key {
        [] => format!("{} of the scan", rows_before + 1),
        key => row_key(key.iter().map(|place| part_of_key(request, form, *place, fields[*place]))),
    };
    let object = format!("table `{}`, row {row}, column `{}`", request.table, request.columns[place].name);
    let cause = format!("its bytes are no text in UTF-8: `{}`", escaped(fields[place].unwrap_or_default()));
    let meaning = match encoding {
        NO_ENCODING => format!(
            "the database's encoding, SQL_ASCII, does not say what they mean: if they are Latin-1, `UPDATE {} SET {column} = \
             convert_from(convert(convert_to({column}, 'SQL_ASCII'), 'LATIN1', 'UTF8'), 'SQL_ASCII') WHERE …` converts them in the source",
            copy::quote_name(request.table),
        ),
        UTF8 => "the database's encoding is UTF-8, so the value is damaged there: correct it in the source".to_owned(),
        _ => format!("the character of {encoding} has no counterpart in Unicode: correct the value in the source"),
    };
    Error::could_not("read", object, cause).hint(format!(
        "{meaning}; or leave the column out: `drop.\"{}.{}\" = \"why\"` in a project's `project.toml`",
        request.table.name, request.columns[place].name
    ))
}

/// A part of a row's key as a target keeps it by default; it may itself be no text.
fn part_of_key(request: &ReadTable<'_>, form: Form, place: usize, field: Option<&[u8]>) -> Stored<'static> {
    let shape = request.columns[place].shape;
    match form.decode(&FieldDecoder::of(shape), field) {
        Ok(cell) => Codec::new(shape, Representation::default_for(shape)).place(&cell).stored.into_owned(),
        Err(_) => Stored::Text(Cow::Owned(escaped(field.unwrap_or_default()).into_bytes())),
    }
}

fn escaped(bytes: &[u8]) -> String {
    let shown = bytes[..bytes.len().min(SHOWN_BYTES_MAX)].escape_ascii().to_string();
    if bytes.len() > SHOWN_BYTES_MAX { format!("{shown}…") } else { shown }
}

/// The bytes that a message of the server spells: `0xe9 0x20`, in whatever language the rest of it is.
fn bytes_in(message: &str) -> Vec<u8> {
    let words = message.split_whitespace().map(|word| word.strip_prefix("0x").filter(|digits| digits.len() == 2));
    let digits = words.skip_while(Option::is_none).map_while(|digits| digits);
    digits.filter_map(|digits| u8::from_str_radix(digits, 16).ok()).collect()
}

/// A statement whose only signs beyond ASCII are in quoted names, in ASCII: the server takes its bytes as they come.
fn in_ascii(statement: &str) -> String {
    let mut ascii = String::with_capacity(statement.len());
    let mut rest = statement;
    while let Some(open) = rest.find('"') {
        ascii.push_str(&rest[..open]);
        let inside = &rest[open + 1..];
        let mut end = inside.find('"').unwrap_or(inside.len());
        while inside[end..].starts_with("\"\"") {
            end = inside[end + 2..].find('"').map_or(inside.len(), |next| end + 2 + next);
        }
        let (name, after) = inside.split_at(end);
        match name.is_ascii() {
            true => ascii.push_str(&format!("\"{name}\"")),
            false => {
                let sign = |c: char| match c {
                    '\\' => "\\\\".to_owned(),
                    c if c.is_ascii() => c.to_string(),
                    c => format!("\\+{:06X}", u32::from(c)),
                };
                ascii.push_str(&format!("U&\"{}\"", name.chars().map(sign).collect::<String>()));
            }
        }
        rest = after.strip_prefix('"').unwrap_or(after);
    }
    ascii.push_str(rest);
    ascii
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_ascii_are_written_in_it() {
        assert_eq!(in_ascii(r#"COPY "a"."b" ("c") TO STDOUT"#), r#"COPY "a"."b" ("c") TO STDOUT"#);
        assert_eq!(in_ascii(r#"COPY "é""x\"."b""" ("日")"#), r#"COPY U&"\+0000E9""x\\"."b""" (U&"\+0065E5")"#);
    }

    #[test]
    fn the_bytes_of_a_message_are_read_in_any_language() {
        assert_eq!(bytes_in("invalid byte sequence for encoding \"UTF8\": 0xe9 0x20 (SQLSTATE 22021)"), [0xe9, 0x20]);
        let other = "Zeichen mit Byte-Folge 0x81 in Kodierung »WIN1252« hat keine Entsprechung";
        assert_eq!(bytes_in(other), [0x81]);
        assert!(bytes_in("nothing of 0xabc").is_empty());
    }
}
