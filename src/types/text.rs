//! Cells as the source's own text and back: the form in which the ledger keeps a value, and in which a report shows it.

use super::float_text;
use crate::catalog::Shape;
use crate::value::{Cell, Stored, calendar};
use std::borrow::Cow;

/// The zone that PostgreSQL prints behind a timestamp with time zone when `TimeZone` is UTC.
const UTC: &str = "+00";

/// The very text that the source's output function gives for a cell of that type, under the settings that every
/// session pins; `None` for NULL.
pub fn write<'c>(shape: &Shape, cell: &'c Cell<'_>) -> Option<Cow<'c, str>> {
    Some(Cow::Owned(match cell {
        Cell::Null => return None,
        Cell::Bool(value) => return Some(Cow::Borrowed(if *value { "t" } else { "f" })),
        Cell::Int(value) => value.to_string(),
        Cell::Float(value) => match shape.base() {
            // A widened `real` is narrowed to what it was; another number is none.
            Shape::Real if value.is_nan() || f64::from(*value as f32) == *value => float_text::real(*value as f32),
            _ => float_text::double(*value),
        },
        Cell::Decimal(value) => value.to_string(),
        Cell::Text(value) => match shape.base() {
            Shape::Char { length: Some(length) } => padded(value, *length),
            _ => return Some(Cow::Borrowed(value)),
        },
        Cell::Json(value) | Cell::Native(value) => return Some(Cow::Borrowed(value)),
        Cell::Bytes(value) => format!("\\x{}", hex(value)),
        Cell::Large(value) => format!("\\x{}", hex(&value.in_memory())),
        Cell::Uuid(value) => uuid(value),
        Cell::Date(value) => calendar::date_text(*value),
        Cell::Timestamp(value) => calendar::timestamp_text(*value, ' ', ""),
        Cell::TimestampTz(value) => calendar::timestamp_text(*value, ' ', UTC),
        Cell::Foreign(value) => stored(value),
    }))
}

/// A text with the blanks that make it so many characters long.
fn padded(text: &str, length: i32) -> String {
    let length = usize::try_from(length).unwrap_or(0);
    let blanks = length.saturating_sub(text.chars().count());
    format!("{text}{}", " ".repeat(blanks))
}

/// A stored value as SQLite would print it in a literal.
pub fn stored(value: &Stored<'_>) -> String {
    match value {
        Stored::Null => "NULL".to_owned(),
        Stored::Integer(value) => value.to_string(),
        Stored::Real(value) => float_text::double(*value),
        Stored::Text(value) => format!("'{}'", String::from_utf8_lossy(value).replace('\'', "''")),
        Stored::Blob(value) => format!("x'{}'", hex(value)),
    }
}

/// Reads the text of a value of that type, as [`write()`] gave it.
pub fn read<'a>(shape: &Shape, text: &'a str) -> Option<Cell<'a>> {
    Some(match shape {
        Shape::Boolean => Cell::Bool(match text {
            "t" => true,
            "f" => false,
            _ => return None,
        }),
        Shape::SmallInt | Shape::Integer | Shape::BigInt | Shape::Oid => Cell::Int(text.parse().ok()?),
        // Rust reads the words for what is no number, too.
        Shape::Real => Cell::Float(f64::from(text.parse::<f32>().ok()?)),
        Shape::Double => Cell::Float(text.parse().ok()?),
        Shape::Numeric { .. } => Cell::Decimal(text.parse().ok()?),
        Shape::Char { length: Some(_) } => Cell::Text(Cow::Borrowed(text.trim_end_matches(' '))),
        Shape::Text | Shape::VarChar { .. } | Shape::Char { .. } | Shape::Citext | Shape::Name | Shape::Enum(_) => {
            Cell::Text(Cow::Borrowed(text))
        }
        Shape::Bytea => Cell::Bytes(Cow::Owned(parse_hex(text.strip_prefix("\\x")?)?)),
        Shape::Uuid => Cell::Uuid(parse_uuid(text)?),
        Shape::Date => Cell::Date(calendar::parse_date(text)?),
        Shape::Timestamp { .. } => Cell::Timestamp(calendar::parse_timestamp(text, ' ', "")?),
        Shape::TimestampTz { .. } => Cell::TimestampTz(calendar::parse_timestamp(text, ' ', UTC)?),
        Shape::Json | Shape::Jsonb => Cell::Json(Cow::Borrowed(text)),
        Shape::Domain(domain) => return read(&domain.base.shape, text),
        Shape::Array { .. } | Shape::Composite(_) | Shape::Hstore | Shape::Xml | Shape::Other => {
            Cell::Native(Cow::Borrowed(text))
        }
    })
}

/// Bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// What each byte is as a hexadecimal digit in lower case; above 15 for what is none.
const NIBBLES: [u8; 256] = {
    let mut nibbles = [u8::MAX; 256];
    let mut digit = 0;
    while digit < 16 {
        nibbles[b"0123456789abcdef"[digit] as usize] = digit as u8;
        digit += 1;
    }
    nibbles
};

/// The byte that two digits are; `None` where one of them is none.
#[inline]
fn byte_of(high: u8, low: u8) -> Option<u8> {
    let (high, low) = (NIBBLES[usize::from(high)], NIBBLES[usize::from(low)]);
    ((high | low) < 16).then_some(high << 4 | low)
}

fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks_exact(2).map(|pair| byte_of(pair[0], pair[1])).collect()
}

/// A UUID's 36 characters in lower case.
pub fn uuid(bytes: &[u8; 16]) -> String {
    let mut buffer = [0; 36];
    write_uuid(bytes, &mut buffer).to_owned()
}

/// Writes a UUID's 36 characters into a buffer.
pub fn write_uuid<'a>(bytes: &[u8; 16], buffer: &'a mut [u8; 36]) -> &'a str {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut position = 0;
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            buffer[position] = b'-';
            position += 1;
        }
        buffer[position] = DIGITS[usize::from(byte >> 4)];
        buffer[position + 1] = DIGITS[usize::from(byte & 15)];
        position += 2;
    }
    std::str::from_utf8(buffer).unwrap_or_default()
}

/// Reads a UUID of exactly the form that [`uuid`] writes.
pub fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    /// Where the digits of each byte begin.
    const PLACES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
    let text: &[u8; 36] = text.as_bytes().try_into().ok()?;
    if [text[8], text[13], text[18], text[23]] != [b'-'; 4] {
        return None;
    }
    let mut bytes = [0; 16];
    for (byte, place) in bytes.iter_mut().zip(PLACES) {
        *byte = byte_of(text[place], text[place + 1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Shape;

    #[test]
    fn what_is_written_reads_back() {
        let cases = [
            (Shape::Boolean, Cell::Bool(true)),
            (Shape::BigInt, Cell::Int(i64::MIN)),
            (Shape::Double, Cell::Float(-0.0)),
            (Shape::Double, Cell::Float(f64::INFINITY)),
            (Shape::Double, Cell::Float(5e-324)),
            (Shape::Double, Cell::Float(1.7976931348623157e308)),
            (Shape::Real, Cell::Float(f64::from(0.1_f32))),
            (Shape::Char { length: Some(5) }, Cell::Text(Cow::Borrowed("aé"))),
            (Shape::Numeric { precision_and_scale: None }, Cell::Decimal("-1.500".parse().unwrap())),
            (Shape::Bytea, Cell::Bytes(Cow::Borrowed(b"\x00\xff"))),
            (Shape::Uuid, Cell::Uuid(*b"0123456789abcdef")),
            (Shape::Date, Cell::Date(-800_000)),
            (Shape::Timestamp { precision: 6 }, Cell::Timestamp(1)),
            (Shape::TimestampTz { precision: 6 }, Cell::TimestampTz(i64::MAX)),
        ];
        for (shape, cell) in cases {
            let text = write(&shape, &cell).unwrap();
            let mut left = Vec::new();
            let mut right = Vec::new();
            read(&shape, &text).unwrap().encode(&mut left);
            cell.encode(&mut right);
            assert_eq!(left, right, "{text}");
        }
    }

    #[test]
    fn a_type_says_how_its_values_read() {
        let real = Cell::Float(f64::from(0.1_f32));
        assert_eq!(write(&Shape::Real, &real).as_deref(), Some("0.1"));
        assert_eq!(write(&Shape::Double, &real).as_deref(), Some("0.10000000149011612"));
        let no_real = Cell::Float(f64::from(0.1_f32) + 1e-12);
        assert_eq!(write(&Shape::Real, &no_real).as_deref(), Some("0.10000000149111613"));
        let text = Cell::Text(Cow::Borrowed("aé"));
        assert_eq!(write(&Shape::Char { length: Some(4) }, &text).as_deref(), Some("aé  "));
        assert_eq!(write(&Shape::Char { length: None }, &text).as_deref(), Some("aé"));
    }

    #[test]
    fn a_uuid_of_another_form_is_not_taken() {
        let good = "30313233-3435-3637-3839-616263646566";
        assert!(parse_uuid(good).is_some());
        assert!(parse_uuid(&good.to_uppercase().replace('3', "A")).is_none());
        assert!(parse_uuid(&good.replace('-', "")).is_none());
    }
}
