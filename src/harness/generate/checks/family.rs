//! Which values of a column come before others, as far as bounds of a range need it.

use crate::catalog::{Column, Shape};
use crate::harness::generate::values::Bound;
use std::cmp::Ordering;

/// How the values of a column are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::harness::generate) enum Family {
    Number,
    /// Equal if the texts are; ordered by a collation.
    Text,
    /// Text without the blanks at its end: `char(n)`.
    Padded,
    /// Text whatever the case of its letters: `citext`.
    Caseless,
    Moment,
    /// Anything else.
    Opaque,
}

impl Family {
    /// The family of a column's values.
    pub(in crate::harness::generate) fn of(column: &Column) -> Family {
        match &column.data_type.base().shape {
            Shape::SmallInt | Shape::Integer | Shape::BigInt | Shape::Oid => Family::Number,
            Shape::Real | Shape::Double | Shape::Numeric { .. } => Family::Number,
            Shape::Text | Shape::VarChar { .. } | Shape::Enum(_) | Shape::Name => Family::Text,
            Shape::Char { .. } => Family::Padded,
            Shape::Citext => Family::Caseless,
            Shape::Date | Shape::Timestamp { .. } => Family::Moment,
            _ => Family::Opaque,
        }
    }

    /// Whether its values are texts.
    pub(in crate::harness::generate) fn is_text(self) -> bool {
        matches!(self, Family::Text | Family::Padded | Family::Caseless)
    }
}

/// Which of two bounds comes first.
fn order(a: &str, b: &str, family: Family) -> Ordering {
    let ordered = match family {
        Family::Number => match (a.parse::<i128>(), b.parse::<i128>()) {
            (Ok(a), Ok(b)) => Some(a.cmp(&b)),
            // Where two numbers fall together as doubles, the digits decide.
            _ => a.parse::<f64>().ok().zip(b.parse().ok()).and_then(|(a, b)| match a.partial_cmp(&b) {
                Some(Ordering::Equal) => None,
                order => order,
            }),
        },
        Family::Moment => {
            let midnight = |text: &str| match text.len() {
                10 => text.to_owned(),
                _ => text.trim_end_matches(['0', '.', ':']).trim_end().to_owned(),
            };
            Some(midnight(a).cmp(&midnight(b)))
        }
        Family::Text | Family::Padded | Family::Caseless | Family::Opaque => None,
    };
    ordered.unwrap_or_else(|| a.cmp(b))
}

/// Keeps the narrower of two bounds.
pub(in crate::harness::generate) fn tighten(bound: &mut Option<Bound>, other: Bound, family: Family, is_minimum: bool) {
    let narrower = match bound {
        None => true,
        Some(bound) => match order(&other.value, &bound.value, family) {
            Ordering::Equal => !other.inclusive,
            order => order.is_gt() == is_minimum,
        },
    };
    if narrower {
        *bound = Some(other);
    }
}

/// Whether a date or timestamp has four digits of a year, and a time that every clock shows:
/// neither infinite, nor at the 60th second or the 24th hour.
pub(in crate::harness::generate) fn is_plain_moment(text: &str) -> bool {
    let bytes = text.as_bytes();
    let date = bytes.len() >= 10
        && bytes[..10].iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    let below = |range: std::ops::Range<usize>, end: u32| {
        text.get(range).and_then(|digits| digits.parse::<u32>().ok()).is_some_and(|number| number < end)
    };
    let ends_well = bytes.last().is_some_and(u8::is_ascii_digit);
    date && ends_well && (bytes.len() == 10 || below(11..13, 24) && below(14..16, 60) && below(17..19, 60))
}
