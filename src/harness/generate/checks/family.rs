//! What a condition says about a row, as far as that can be told without a database: numbers, equality of texts,
//! plain dates, NULL. Everything else is unknown.

use super::node::{Comparison, Node};
use crate::catalog::{Column, Shape};
use crate::harness::generate::dataset::Row;
use std::cmp::Ordering;

/// How the values of a column are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::harness::generate) enum Family {
    Number,
    /// Equal if the texts are; ordered by bytes in SQLite, by a collation elsewhere.
    Text {
        bytewise: bool,
    },
    /// Text without the blanks at its end: `char(n)`.
    Padded,
    /// Text whatever the case of its letters: `citext`.
    Caseless,
    Moment,
    Boolean,
    /// Nothing is known but whether it is NULL.
    Opaque,
}

impl Family {
    /// The family of a column's values.
    pub(in crate::harness::generate) fn of(column: &Column, sqlite: bool) -> Family {
        match &column.data_type.base().shape {
            Shape::SmallInt | Shape::Integer | Shape::BigInt | Shape::Oid => Family::Number,
            Shape::Real | Shape::Double | Shape::Numeric { .. } => Family::Number,
            Shape::Text | Shape::VarChar { .. } | Shape::Enum(_) | Shape::Name => Family::Text { bytewise: sqlite },
            Shape::Char { .. } => Family::Padded,
            Shape::Citext => Family::Caseless,
            Shape::Date | Shape::Timestamp { .. } => Family::Moment,
            Shape::Boolean => Family::Boolean,
            _ => Family::Opaque,
        }
    }

    /// Whether its values are texts.
    pub(in crate::harness::generate) fn is_text(self) -> bool {
        matches!(self, Family::Text { .. } | Family::Padded | Family::Caseless)
    }

    /// Whether only the server's collation knows what comes first.
    fn is_collated(self) -> bool {
        self.is_text() && self != Family::Text { bytewise: true }
    }
}

/// A value of a part of a condition.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Null,
    Truth(bool),
    Text(String, Family),
    /// A literal takes the family of what it is compared with.
    Literal(String),
    Unknown,
}

/// Whether all of a condition can be decided here.
pub(super) fn decidable(node: &Node, families: &[Family]) -> bool {
    let plain = |node: &Node| decidable_value(node, families);
    match node {
        Node::Truth(_) | Node::Null => true,
        Node::Column(place) => families[*place] == Family::Boolean,
        Node::And(nodes) | Node::Or(nodes) => nodes.iter().all(|node| decidable(node, families)),
        Node::Not(inner) => decidable(inner, families),
        Node::IsNull(inner) => match inner.as_ref() {
            Node::Column(_) => true,
            other => decidable_value(other, families).is_some() || decidable(other, families),
        },
        Node::Compare(comparison, left, right) | Node::Compare(comparison, right, left)
            if matches!(comparison, Comparison::Equal | Comparison::NotEqual)
                && decidable(left, families)
                && decidable(right, families) =>
        {
            true
        }
        Node::Compare(comparison, left, right) => {
            let ordered = !matches!(comparison, Comparison::Equal | Comparison::NotEqual);
            match (plain(left), plain(right)) {
                (Some(family), _) | (_, Some(family)) if ordered && family.is_collated() => false,
                (Some(Family::Opaque), Some(_)) | (Some(_), Some(Family::Opaque)) => {
                    // Two literals, or a literal beside an opaque column.
                    matches!((left.as_ref(), right.as_ref()), (Node::Literal(_), other) | (other, Node::Literal(_))
                        if plain(other).is_some_and(|family| family != Family::Opaque))
                }
                (Some(a), Some(b)) => a == b,
                _ => false,
            }
        }
        Node::Distinct(left, right) => {
            decidable(left, families) && decidable(right, families)
                || decidable(&Node::Compare(Comparison::Equal, left.clone(), right.clone()), families)
        }
        Node::In(value, items) => items
            .iter()
            .all(|item| decidable(&Node::Compare(Comparison::Equal, value.clone(), Box::new(item.clone())), families)),
        Node::Literal(_) | Node::Text(_) | Node::Matches(..) | Node::Call(..) | Node::Other(_) => false,
    }
}

/// The family of a value that can be told here; literals are opaque until they are compared.
fn decidable_value(node: &Node, families: &[Family]) -> Option<Family> {
    match node {
        Node::Column(place) => Some(families[*place]).filter(|family| *family != Family::Opaque),
        Node::Literal(_) | Node::Null => Some(Family::Opaque),
        Node::Call(name, arguments) => match (name.as_str(), arguments.as_slice()) {
            ("length" | "char_length" | "character_length", [Node::Column(place)]) => {
                families[*place].is_text().then_some(Family::Number)
            }
            ("num_nulls" | "num_nonnulls", _) => {
                arguments.iter().all(|node| matches!(node, Node::Column(_))).then_some(Family::Number)
            }
            ("btrim" | "trim", [Node::Column(place)]) => Some(families[*place]).filter(|family| family.is_text()),
            _ => None,
        },
        _ => None,
    }
}

/// The truth of a condition on a row: `None` where it is NULL, an error where it is not known here.
pub(super) fn truth(node: &Node, row: &Row, families: &[Family]) -> Result<Option<bool>, ()> {
    match node {
        Node::Truth(truth) => Ok(Some(*truth)),
        Node::Null => Ok(None),
        Node::Column(place) => match (&row[*place], families[*place]) {
            (None, _) => Ok(None),
            (Some(text), Family::Boolean) => Ok(Some(is_true(text))),
            _ => Err(()),
        },
        Node::And(nodes) => {
            let mut all = Ok(Some(true));
            for node in nodes {
                match truth(node, row, families) {
                    Ok(Some(false)) => return Ok(Some(false)),
                    Ok(Some(true)) => {}
                    Ok(None) if all.is_ok() => all = Ok(None),
                    Ok(None) => {}
                    Err(()) => all = Err(()),
                }
            }
            all
        }
        Node::Or(nodes) => {
            let mut any = Ok(Some(false));
            for node in nodes {
                match truth(node, row, families) {
                    Ok(Some(true)) => return Ok(Some(true)),
                    Ok(Some(false)) => {}
                    Ok(None) if any.is_ok() => any = Ok(None),
                    Ok(None) => {}
                    Err(()) => any = Err(()),
                }
            }
            any
        }
        Node::Not(inner) => Ok(truth(inner, row, families)?.map(|truth| !truth)),
        Node::IsNull(inner) => match value(inner, row, families) {
            Value::Unknown => Err(()),
            Value::Null => Ok(Some(true)),
            _ => Ok(Some(false)),
        },
        Node::Compare(comparison, left, right) => {
            let (left, right) = (value(left, row, families), value(right, row, families));
            if left == Value::Null || right == Value::Null {
                return Ok(None);
            }
            holds(*comparison, &left, &right).map(Some)
        }
        Node::Distinct(left, right) => match (value(left, row, families), value(right, row, families)) {
            (Value::Unknown, _) | (_, Value::Unknown) => Err(()),
            (Value::Null, Value::Null) => Ok(Some(false)),
            (Value::Null, _) | (_, Value::Null) => Ok(Some(true)),
            (left, right) => holds(Comparison::NotEqual, &left, &right).map(Some),
        },
        Node::In(subject, items) => {
            let subject = value(subject, row, families);
            if subject == Value::Null {
                return Ok(None);
            }
            let mut found = Ok(Some(false));
            for item in items {
                match value(item, row, families) {
                    Value::Null => found = found.and(Ok(None)),
                    item => match holds(Comparison::Equal, &subject, &item) {
                        Ok(true) => return Ok(Some(true)),
                        Ok(false) => {}
                        Err(()) => found = Err(()),
                    },
                }
            }
            found
        }
        Node::Literal(_) | Node::Text(_) | Node::Matches(..) | Node::Call(..) | Node::Other(_) => Err(()),
    }
}

fn is_true(text: &str) -> bool {
    matches!(text, "t" | "true" | "1" | "yes" | "on")
}

fn value(node: &Node, row: &Row, families: &[Family]) -> Value {
    match node {
        Node::Column(place) => match &row[*place] {
            None => Value::Null,
            Some(text) if families[*place] == Family::Boolean => Value::Truth(is_true(text)),
            Some(text) => Value::Text(text.clone(), families[*place]),
        },
        Node::Literal(text) => Value::Literal(text.clone()),
        Node::Null => Value::Null,
        Node::Call(name, arguments) => call(name, arguments, row, families),
        other => match truth(other, row, families) {
            Ok(Some(truth)) => Value::Truth(truth),
            Ok(None) => Value::Null,
            Err(()) => Value::Unknown,
        },
    }
}

fn call(name: &str, arguments: &[Node], row: &Row, families: &[Family]) -> Value {
    if decidable_value(&Node::Call(name.to_owned(), arguments.to_vec()), families).is_none() {
        return Value::Unknown;
    }
    let nulls = arguments.iter().filter(|node| matches!(node, Node::Column(place) if row[*place].is_none())).count();
    match (name, arguments) {
        ("num_nulls", _) => Value::Text(nulls.to_string(), Family::Number),
        ("num_nonnulls", _) => Value::Text((arguments.len() - nulls).to_string(), Family::Number),
        (_, [Node::Column(place)]) => match (&row[*place], name) {
            (None, _) => Value::Null,
            (Some(text), "btrim" | "trim") => Value::Text(text.trim_matches(' ').to_owned(), families[*place]),
            (Some(text), _) => {
                let text = if families[*place] == Family::Padded { text.trim_end_matches(' ') } else { text };
                Value::Text(text.chars().count().to_string(), Family::Number)
            }
        },
        _ => Value::Unknown,
    }
}

fn holds(comparison: Comparison, left: &Value, right: &Value) -> Result<bool, ()> {
    let order = match (left, right) {
        (Value::Truth(a), Value::Truth(b)) => a.cmp(b),
        (Value::Truth(a), Value::Literal(b)) => a.cmp(&is_true(b)),
        (Value::Literal(a), Value::Truth(b)) => is_true(a).cmp(b),
        (Value::Text(a, family), Value::Literal(b)) => order(a, b, *family)?,
        (Value::Literal(a), Value::Text(b, family)) => order(a, b, *family)?,
        (Value::Text(a, family), Value::Text(b, other)) if family == other => order(a, b, *family)?,
        _ => return Err(()),
    };
    let by_collation =
        [left, right].iter().any(|value| matches!(value, Value::Text(_, family) if family.is_collated()));
    Ok(match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        _ if by_collation => return Err(()),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    })
}

/// Which of two values of a family comes first.
pub(super) fn order(a: &str, b: &str, family: Family) -> Result<Ordering, ()> {
    match family {
        Family::Text { .. } => Ok(a.cmp(b)),
        Family::Padded => Ok(a.trim_end_matches(' ').cmp(b.trim_end_matches(' '))),
        Family::Caseless if a.is_ascii() && b.is_ascii() => Ok(a.to_ascii_lowercase().cmp(&b.to_ascii_lowercase())),
        Family::Caseless => Err(()),
        Family::Number => match (a.parse::<i128>(), b.parse::<i128>()) {
            (Ok(a), Ok(b)) => Ok(a.cmp(&b)),
            _ => {
                // So do numbers that a double takes for zero.
                let is_long = |text: &str| text.len() > 17 || text.contains(['e', 'E']);
                let is_unclear = a != b && (is_long(a) || is_long(b));
                let (a, b) = (a.parse::<f64>().map_err(|_| ())?, b.parse::<f64>().map_err(|_| ())?);
                // Where two numbers fall together as doubles, more digits would have to decide.
                match a.partial_cmp(&b) {
                    Some(Ordering::Equal) if is_unclear || a.abs() > 1e15 || a.fract() != 0.0 && a.abs() > 1e9 => {
                        Err(())
                    }
                    Some(order) => Ok(order),
                    None => Err(()),
                }
            }
        },
        Family::Moment => {
            if !is_plain_moment(a) || !is_plain_moment(b) {
                return Err(());
            }
            let midnight = |text: &str| match text.len() {
                10 => format!("{text} 00:00:00"),
                _ => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
            };
            Ok(midnight(a).trim_end_matches('0').cmp(midnight(b).trim_end_matches('0')))
        }
        Family::Boolean => Ok(is_true(a).cmp(&is_true(b))),
        Family::Opaque => Err(()),
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
