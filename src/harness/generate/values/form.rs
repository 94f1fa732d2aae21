//! How values that stand in a row are written and read.

use super::clock::{self, MICROS_PER_DAY};
use super::decimal::Plain;
use super::digits::{push_hex, push_integer, push_padded, push_unsigned};

/// How a place in the row is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The place itself.
    Integer,
    /// The place counts units of ten to the power of minus `scale`; the scale may be negative.
    Decimal { scale: i32 },
    /// Days since 2000-01-01.
    Date,
    /// Units of `micros` microseconds since 2000-01-01.
    Timestamp { micros: i64, zone: bool },
    /// Units of `micros` microseconds since midnight.
    Time { micros: i64 },
    /// A position in the write-ahead log.
    LogPosition,
    /// A hardware address of so many octets.
    Hardware { octets: u32 },
}

impl Form {
    pub(super) fn write(self, place: i128, text: &mut String) {
        match self {
            Form::Integer => push_integer(text, place),
            Form::Decimal { scale } => push_decimal(text, place, scale),
            Form::Date => clock::push_date(text, place as i64),
            Form::Timestamp { micros, zone } => clock::push_timestamp(text, place as i64 * micros, zone),
            Form::Time { micros } => clock::push_time(text, place as i64 * micros),
            Form::LogPosition => {
                text.push_str(&format!("{:X}/{:X}", place >> 32, place & 0xffff_ffff));
            }
            Form::Hardware { octets } => {
                for octet in (0..octets).rev() {
                    push_hex(text, (place >> (8 * octet)) as u128 & 0xff, 2);
                    if octet > 0 {
                        text.push(':');
                    }
                }
            }
        }
    }

    /// The place at or below a value, and whether it is the value's own.
    pub(super) fn read(self, text: &str) -> Option<(i128, bool)> {
        match self {
            Form::Integer => Plain::read(text)?.floor(0),
            Form::Decimal { scale } => Plain::read(text)?.floor(scale),
            Form::Date => clock::read_timestamp(text).map(|micros| floor(micros, i128::from(MICROS_PER_DAY))),
            Form::Timestamp { micros, .. } => clock::read_timestamp(text).map(|at| floor(at, i128::from(micros))),
            Form::Time { micros } => clock::read_time(text).map(|at| floor(at, i128::from(micros))),
            Form::LogPosition => {
                let (high, low) = text.split_once('/')?;
                let part = |part| u32::from_str_radix(part, 16).ok().map(i128::from);
                Some((part(high)? << 32 | part(low)?, true))
            }
            Form::Hardware { .. } => {
                let digits: String = text.chars().filter(|letter| !matches!(letter, ':' | '-' | '.')).collect();
                i128::from_str_radix(&digits, 16).ok().map(|place| (place, true))
            }
        }
    }
}

fn floor(value: i128, unit: i128) -> (i128, bool) {
    (value.div_euclid(unit), value.rem_euclid(unit) == 0)
}

fn push_decimal(text: &mut String, place: i128, scale: i32) {
    if scale <= 0 {
        push_integer(text, place);
        if place != 0 {
            text.extend(std::iter::repeat_n('0', scale.unsigned_abs() as usize));
        }
        return;
    }
    if place < 0 {
        text.push('-');
    }
    let magnitude = place.unsigned_abs();
    let scale = scale as usize;
    if let (Ok(magnitude), true) = (u64::try_from(magnitude), scale < 20) {
        let unit = 10_u64.pow(scale as u32);
        push_unsigned(text, u128::from(magnitude / unit));
        text.push('.');
        push_padded(text, magnitude % unit, scale);
        return;
    }
    let digits = magnitude.to_string();
    let (whole, fraction) = digits.split_at(digits.len().saturating_sub(scale));
    text.push_str(if whole.is_empty() { "0" } else { whole });
    text.push_str(&format!(".{fraction:0>scale$}"));
}
