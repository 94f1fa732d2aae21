//! PostgreSQL's binary COPY fields to cells.
//!
//! Source: PostgreSQL's documentation, "COPY: Binary Format", and the types' send functions in src/backend/utils/adt.
//! Types without a binary form of their own here are selected as the server's text, which is UTF-8.

use crate::catalog::Shape;
use crate::fault::{self, Fault};
use crate::value::calendar::{DATES, MOMENTS};
use crate::value::{Cell, Decimal, Sign};
use std::borrow::Cow;
use std::fmt;

/// The form in which a column's values arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    /// One byte.
    Boolean,
    /// Two bytes.
    SmallInt,
    /// Four bytes.
    Integer,
    /// Eight bytes.
    BigInt,
    /// Four bytes without sign.
    Oid,
    /// Four bytes.
    Real,
    /// Eight bytes.
    Double,
    /// Digits to the base 10,000.
    Numeric,
    /// UTF-8.
    Text,
    /// UTF-8, padded with blanks.
    PaddedText,
    /// Bytes.
    Bytes,
    /// Sixteen bytes.
    Uuid,
    /// Days since 2000-01-01 in four bytes.
    Date,
    /// Microseconds since 2000-01-01 in eight bytes.
    Timestamp,
    /// The same, at UTC.
    TimestampTz,
    /// UTF-8.
    Json,
    /// A version byte, then UTF-8.
    Jsonb,
    /// The output function's text, asked for in the query.
    ServerText,
}

/// A field that does not have the form that its type has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WireError {
    /// The text is not UTF-8; the server did not convert it (a database in SQL_ASCII).
    NotUtf8,
    /// The field is shorter or longer than its type's, or holds an impossible value.
    Malformed,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WireError::NotUtf8 => f.write_str("the text is not valid UTF-8"),
            WireError::Malformed => f.write_str("the field does not have the form of its type"),
        }
    }
}

impl Wire {
    /// The form in which values of that type arrive.
    pub fn of(shape: &Shape) -> Wire {
        match shape {
            Shape::Boolean => Wire::Boolean,
            Shape::SmallInt => Wire::SmallInt,
            Shape::Integer => Wire::Integer,
            Shape::BigInt => Wire::BigInt,
            Shape::Oid => Wire::Oid,
            Shape::Real => Wire::Real,
            Shape::Double => Wire::Double,
            Shape::Numeric { .. } => Wire::Numeric,
            Shape::Text | Shape::VarChar { .. } | Shape::Citext | Shape::Name | Shape::Enum(_) => Wire::Text,
            // Without a length nothing pads it again on the way back: its blanks are its own.
            Shape::Char { length: None } => Wire::Text,
            Shape::Char { .. } => Wire::PaddedText,
            Shape::Bytea => Wire::Bytes,
            Shape::Uuid => Wire::Uuid,
            Shape::Date => Wire::Date,
            Shape::Timestamp { .. } => Wire::Timestamp,
            Shape::TimestampTz { .. } => Wire::TimestampTz,
            Shape::Json => Wire::Json,
            Shape::Jsonb => Wire::Jsonb,
            Shape::Domain(domain) => Wire::of(&domain.base.shape),
            Shape::Array { .. } | Shape::Composite(_) | Shape::Hstore | Shape::Xml | Shape::Other => Wire::ServerText,
        }
    }

    /// Decodes one field that is not NULL.
    ///
    /// # Errors
    /// When the bytes do not have the form of the type.
    #[inline]
    pub fn decode<'a>(self, field: &'a [u8]) -> Result<Cell<'a>, WireError> {
        Ok(match self {
            Wire::Boolean => match field {
                [0] => Cell::Bool(false),
                [1] => Cell::Bool(true),
                _ => return Err(WireError::Malformed),
            },
            Wire::SmallInt => integer(i64::from(i16::from_be_bytes(fixed(field)?))),
            Wire::Integer => integer(i64::from(i32::from_be_bytes(fixed(field)?))),
            Wire::BigInt => integer(i64::from_be_bytes(fixed(field)?)),
            Wire::Oid => Cell::Int(i64::from(u32::from_be_bytes(fixed(field)?))),
            Wire::Real => Cell::Float(f64::from(f32::from_be_bytes(fixed(field)?))),
            Wire::Double => Cell::Float(f64::from_be_bytes(fixed(field)?)),
            Wire::Numeric => Cell::Decimal(numeric(field)?),
            Wire::Text => Cell::Text(Cow::Borrowed(utf8(field)?)),
            Wire::PaddedText => Cell::Text(Cow::Borrowed(utf8(field)?.trim_end_matches(' '))),
            Wire::Bytes => Cell::Bytes(Cow::Borrowed(field)),
            Wire::Uuid => Cell::Uuid(fixed(field)?),
            Wire::Date => Cell::Date(date(i32::from_be_bytes(fixed(field)?))?),
            Wire::Timestamp => Cell::Timestamp(moment(i64::from_be_bytes(fixed(field)?))?),
            Wire::TimestampTz => Cell::TimestampTz(moment(i64::from_be_bytes(fixed(field)?))?),
            Wire::Json => Cell::Json(Cow::Borrowed(utf8(field)?)),
            Wire::Jsonb => match field.split_first() {
                Some((1, text)) => Cell::Json(Cow::Borrowed(utf8(text)?)),
                _ => return Err(WireError::Malformed),
            },
            Wire::ServerText => Cell::Native(Cow::Borrowed(utf8(field)?)),
        })
    }
}

#[inline]
fn integer<'a>(value: i64) -> Cell<'a> {
    Cell::Int(if fault::active(Fault::SignLost) { value.saturating_abs() } else { value })
}

#[inline]
fn fixed<const N: usize>(field: &[u8]) -> Result<[u8; N], WireError> {
    field.try_into().map_err(|_| WireError::Malformed)
}

#[inline]
fn utf8(field: &[u8]) -> Result<&str, WireError> {
    std::str::from_utf8(field).map_err(|_| WireError::NotUtf8)
}

/// A date that a server can hold; the extremes are the infinities.
#[inline]
fn date(days: i32) -> Result<i32, WireError> {
    let known = DATES.contains(&days) || matches!(days, i32::MIN | i32::MAX);
    known.then_some(days).ok_or(WireError::Malformed)
}

/// A timestamp that a server can hold; the extremes are the infinities.
#[inline]
fn moment(micros: i64) -> Result<i64, WireError> {
    let known = MOMENTS.contains(&micros) || matches!(micros, i64::MIN | i64::MAX);
    known.then_some(micros).ok_or(WireError::Malformed)
}

/// The most digits behind the point that a server shows.
const NUMERIC_SCALE_MAX: u16 = 0x3fff;
/// A digit of a numeric is below this.
const NUMERIC_BASE: u16 = 10_000;
const NUMERIC_NEGATIVE: u16 = 0x4000;
const NUMERIC_NAN: u16 = 0xc000;
const NUMERIC_INFINITY: u16 = 0xd000;
const NUMERIC_NEGATIVE_INFINITY: u16 = 0xf000;
/// Numbers of up to so many digits, fraction included, are put together as one integer.
const SMALL_DIGITS_MAX: i32 = 18;

/// Digits to the base 10,000, the first of weight `weight`, with `scale` decimal digits to show behind the point.
fn numeric(field: &[u8]) -> Result<Decimal, WireError> {
    let word = |index: usize| -> Result<u16, WireError> {
        let bytes = field.get(2 * index..2 * index + 2).ok_or(WireError::Malformed)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    };
    let (count, weight, sign, scale) = (usize::from(word(0)?), i32::from(word(1)? as i16), word(2)?, word(3)?);
    match sign {
        NUMERIC_NAN => return Ok(Decimal::special(Sign::NaN)),
        NUMERIC_INFINITY => return Ok(Decimal::special(Sign::Infinity)),
        NUMERIC_NEGATIVE_INFINITY => return Ok(Decimal::special(Sign::NegativeInfinity)),
        0 | NUMERIC_NEGATIVE => {}
        _ => return Err(WireError::Malformed),
    }
    if field.len() != 8 + 2 * count || scale > NUMERIC_SCALE_MAX {
        return Err(WireError::Malformed);
    }
    if field[8..].chunks_exact(2).any(|digit| u16::from_be_bytes([digit[0], digit[1]]) >= NUMERIC_BASE) {
        return Err(WireError::Malformed);
    }
    let negative = sign == NUMERIC_NEGATIVE && !fault::active(Fault::SignLost);
    let group = |position: i32| -> u64 {
        let index = weight - position;
        if (0..count as i32).contains(&index) { u64::from(word(4 + index as usize).unwrap_or(0)) } else { 0 }
    };
    let fraction_groups = i32::from(scale).div_euclid(4) + i32::from(scale % 4 != 0);
    let surplus = (fraction_groups * 4 - i32::from(scale)) as u32;
    let highest = weight.max(-1);
    if (highest + 1) * 4 + i32::from(scale) <= SMALL_DIGITS_MAX {
        // At most 21 digits stand before the surplus zeros are cut: split so that nothing overflows.
        let mut unscaled: u64 = 0;
        for position in (-fraction_groups..=highest).rev() {
            let digits = group(position);
            unscaled = if position == -fraction_groups {
                unscaled * 10_u64.pow(4 - surplus) + digits / 10_u64.pow(surplus)
            } else {
                unscaled * 10_000 + digits
            };
        }
        return Ok(Decimal::small(negative, unscaled, scale));
    }
    let mut digits = String::with_capacity(((highest + 1 + fraction_groups) * 4) as usize);
    for position in (-fraction_groups..=highest).rev() {
        let group = group(position);
        for divisor in [1_000, 100, 10, 1] {
            digits.push(char::from(b'0' + (group / divisor % 10) as u8));
        }
    }
    digits.truncate(digits.len() - surplus as usize);
    Ok(Decimal::from_digits(negative, &digits, scale))
}

/// Appends a number with its length, as [`numeric`] reads it.
pub(super) fn put_numeric(value: &Decimal, into: &mut Vec<u8>) {
    let sign = match value.sign() {
        Sign::Positive => 0,
        Sign::Negative => NUMERIC_NEGATIVE,
        Sign::NaN => NUMERIC_NAN,
        Sign::Infinity => NUMERIC_INFINITY,
        Sign::NegativeInfinity => NUMERIC_NEGATIVE_INFINITY,
    };
    let (groups, weight) = if value.is_finite() { groups(value) } else { (Vec::new(), 0) };
    let scale = if value.is_finite() { value.scale() } else { 0 };
    into.extend_from_slice(&(8 + 2 * groups.len() as i32).to_be_bytes());
    for word in [groups.len() as u16, weight as u16, sign, scale] {
        into.extend_from_slice(&word.to_be_bytes());
    }
    groups.iter().for_each(|group| into.extend_from_slice(&group.to_be_bytes()));
}

/// The digits to the base 10,000 without zeros at either end, and the weight of the first.
fn groups(value: &Decimal) -> (Vec<u16>, i16) {
    let (digits, scale) = (value.digits(), usize::from(value.scale()));
    // Zeros in front and behind, so that the point stands between two groups.
    let whole = digits.len().saturating_sub(scale);
    let before = (4 - whole % 4) % 4 + scale.saturating_sub(digits.len());
    let behind = (4 - scale % 4) % 4;
    let zeros = |count: usize| std::iter::repeat_n(b'0', count);
    let padded: Vec<u8> = zeros(before).chain(digits.bytes()).chain(zeros(behind)).collect();
    let mut groups: Vec<u16> =
        (padded.chunks(4)).map(|four| four.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'))).collect();
    let fraction = scale.div_ceil(4);
    let mut weight = groups.len() as i64 - fraction as i64 - 1;
    while groups.last() == Some(&0) {
        groups.pop();
    }
    let leading = groups.iter().take_while(|group| **group == 0).count();
    groups.drain(..leading);
    weight -= leading as i64;
    if groups.is_empty() {
        weight = 0;
    }
    (groups, i16::try_from(weight).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numeric_field(weight: i16, sign: u16, scale: u16, digits: &[u16]) -> Vec<u8> {
        let mut words = vec![digits.len() as u16, weight as u16, sign, scale];
        words.extend_from_slice(digits);
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn numerics_decode_to_their_text() {
        let cases: &[(i16, u16, u16, &[u16], &str)] = &[
            (0, 0, 0, &[], "0"),
            (0, 0, 2, &[], "0.00"),
            (0, 0, 2, &[1, 5000], "1.50"),
            (0, NUMERIC_NEGATIVE, 1, &[12, 5000], "-12.5"),
            (-1, 0, 4, &[1], "0.0001"),
            (-2, 0, 6, &[100], "0.000001"),
            (1, 0, 0, &[1, 0], "10000"),
            (1, 0, 0, &[1], "10000"),
            (3, 0, 6, &[99, 9999, 9999, 9999, 9999, 9900], "99999999999999.999999"),
            (4, 0, 0, &[1], "10000000000000000"),
            (7, 0, 3, &[1, 2, 3, 4, 5, 6, 7, 8, 1230], "10002000300040005000600070008.123"),
            (0, NUMERIC_NAN, 0, &[], "NaN"),
            (0, NUMERIC_NEGATIVE_INFINITY, 0, &[], "-Infinity"),
        ];
        for (weight, sign, scale, digits, text) in cases {
            assert_eq!(numeric(&numeric_field(*weight, *sign, *scale, digits)).unwrap().to_string(), *text);
        }
    }

    #[test]
    fn a_number_that_is_written_is_read_as_it_was() {
        for text in [
            "0",
            "0.00",
            "1",
            "-1.50",
            "0.0001",
            "0.00010",
            "10000",
            "100000000",
            "9999.9999",
            "-0.000000000001",
            "NaN",
            "Infinity",
            "-Infinity",
            "123456789012345678901234567890.5",
            "99999999999999.999999",
            "0.1000",
            "12345",
        ] {
            let mut written = Vec::new();
            put_numeric(&text.parse().unwrap(), &mut written);
            let length = i32::from_be_bytes(written[..4].try_into().unwrap());
            assert_eq!(length as usize, written.len() - 4, "{text}");
            assert_eq!(numeric(&written[4..]).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_field_of_the_wrong_form_is_an_error() {
        assert_eq!(Wire::Integer.decode(&[0, 0]), Err(WireError::Malformed));
        assert_eq!(Wire::Text.decode(&[0xff]), Err(WireError::NotUtf8));
        assert_eq!(Wire::Jsonb.decode(&[2, b'1']), Err(WireError::Malformed));
        assert_eq!(numeric(&[0, 1, 0, 0, 0, 0, 0, 0]), Err(WireError::Malformed));
        // What no server sends, but a damaged wire can.
        assert_eq!(numeric(&numeric_field(0, 0, 0, &[10_000])), Err(WireError::Malformed));
        assert_eq!(numeric(&numeric_field(0, 0, 0x4000, &[1])), Err(WireError::Malformed));
        assert_eq!(Wire::Boolean.decode(&[2]), Err(WireError::Malformed));
        for days in [DATES.start - 1, DATES.end] {
            assert_eq!(Wire::Date.decode(&days.to_be_bytes()), Err(WireError::Malformed));
        }
        for micros in [MOMENTS.start - 1, MOMENTS.end] {
            assert_eq!(Wire::Timestamp.decode(&micros.to_be_bytes()), Err(WireError::Malformed));
            assert_eq!(Wire::TimestampTz.decode(&micros.to_be_bytes()), Err(WireError::Malformed));
        }
        for micros in [MOMENTS.start, MOMENTS.end - 1, i64::MIN, i64::MAX] {
            assert_eq!(Wire::Timestamp.decode(&micros.to_be_bytes()), Ok(Cell::Timestamp(micros)));
        }
    }
}
