//! Simpler values of a type, from the simplest on.

use crate::catalog::{DataType, Shape};

/// How many simpler values a value has at most.
pub(super) const COUNT_MAX: usize = 6;

/// The simpler value of that number, where there is one and it is another than this one. It does not depend on
/// anything but the value, and is shorter or simpler than it, so that simplifying ends.
pub(super) fn nth(data_type: &DataType, text: &str, nth: usize) -> Option<String> {
    let fixed: &[&str] = match &data_type.shape {
        Shape::Boolean => &["f"],
        Shape::SmallInt | Shape::Integer | Shape::BigInt | Shape::Oid => &["0", "1"],
        Shape::Real | Shape::Double | Shape::Numeric { .. } => &["0"],
        Shape::Text | Shape::VarChar { .. } | Shape::Char { .. } | Shape::Citext | Shape::Name => {
            return shorter_text(text, nth);
        }
        Shape::Bytea => return shorter_bytes(text, nth),
        Shape::Uuid => &["00000000-0000-0000-0000-000000000000"],
        Shape::Timestamp { .. } => &["2000-01-01 00:00:00"],
        Shape::TimestampTz { .. } => &["2000-01-01 00:00:00+00"],
        Shape::Date => &["2000-01-01"],
        Shape::Json | Shape::Jsonb => &["{}"],
        Shape::Array { .. } => &["{}"],
        Shape::Enum(enumeration) => {
            let first = enumeration.labels.first().filter(|label| *label != text && nth == 0);
            return first.cloned();
        }
        Shape::Domain(_) | Shape::Composite(_) | Shape::Hstore | Shape::Xml | Shape::Other => &[],
    };
    // One that is simple already is not made another simple one.
    let known = fixed.iter().position(|simple| *simple == text).unwrap_or(fixed.len());
    fixed.get(nth).filter(|_| nth < known).map(|simple| (*simple).to_owned())
}

/// Nothing, `a`, the first half, the second half, all but the first character, all but the last.
fn shorter_text(text: &str, nth: usize) -> Option<String> {
    let length = text.chars().count();
    let part = |skip: usize, take: usize| Some(text.chars().skip(skip).take(take).collect::<String>());
    match nth {
        _ if length == 0 => None,
        0 => Some(String::new()),
        1 if text != "a" => Some("a".to_owned()),
        _ if length == 1 => None,
        2 => part(0, length / 2),
        3 => part(length / 2, length),
        4 => part(1, length),
        5 => part(0, length - 1),
        _ => None,
    }
}

/// No bytes, the first half, the second half; of the server's `\x…`.
fn shorter_bytes(text: &str, nth: usize) -> Option<String> {
    let digits = text.strip_prefix("\\x").filter(|digits| digits.is_ascii())?;
    let half = digits.len() / 4 * 2;
    match nth {
        _ if digits.is_empty() => None,
        0 => Some("\\x".to_owned()),
        1 if half > 0 => Some(format!("\\x{}", &digits[..half])),
        2 if half > 0 => Some(format!("\\x{}", &digits[half..])),
        _ => None,
    }
}
