//! The order of values in an index, and their digests, both as SQLite has them.
//!
//! Numbers are compared and digested by what they are worth, because SQLite keeps 1.0 of a REAL column as 1. Everything
//! else is digested as it stands, even where a collation takes it for another value's equal.

use crate::value::{RowHasher, Sink};
use rusqlite::types::ValueRef;
use std::cmp::Ordering;

/// One of SQLite's own collations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Collation {
    /// Byte by byte.
    Binary,
    /// Without the case of ASCII letters.
    NoCase,
    /// Without blanks at the end.
    RightTrim,
}

impl Collation {
    /// The collation of that name; `None` for one that some application has defined.
    pub(super) fn named(name: &str) -> Option<Self> {
        [("BINARY", Self::Binary), ("NOCASE", Self::NoCase), ("RTRIM", Self::RightTrim)]
            .into_iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, collation)| collation)
    }

    fn compare(self, one: &[u8], other: &[u8]) -> Ordering {
        match self {
            Self::Binary => one.cmp(other),
            Self::RightTrim => trimmed(one).cmp(trimmed(other)),
            // SQLite compares up to the shorter one's end or a zero byte in both, then by length.
            Self::NoCase => one
                .iter()
                .zip(other)
                .take_while(|(one, other)| **one != 0 || **other != 0)
                .map(|(one, other)| one.to_ascii_lowercase().cmp(&other.to_ascii_lowercase()))
                .find(|order| order.is_ne())
                .unwrap_or_else(|| one.len().cmp(&other.len())),
        }
    }

    /// Adds what all texts have in common that the collation takes for equal, and no others.
    fn put_equal(self, text: &[u8], hasher: &mut RowHasher) {
        match self {
            Self::Binary => put_sized(text, hasher),
            Self::RightTrim => put_sized(trimmed(text), hasher),
            Self::NoCase => {
                let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
                hasher.put(&(text.len() as u64).to_be_bytes());
                put_sized(&text[..end].to_ascii_lowercase(), hasher);
            }
        }
    }
}

fn trimmed(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
    &text[..end]
}

fn put_sized(bytes: &[u8], hasher: &mut RowHasher) {
    hasher.put(&(bytes.len() as u64).to_be_bytes());
    hasher.put(bytes);
}

/// The whole number that a real one is, if it is one that an integer can be.
fn whole(real: f64) -> Option<i64> {
    // 2^63 is the first that no integer is.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    (real.trunc() == real && (-LIMIT..LIMIT).contains(&real)).then_some(real as i64)
}

/// Adds a value to a digest; texts as they stand, or under a collation by what is equal to them.
pub(super) fn put(value: ValueRef<'_>, collation: Option<Collation>, hasher: &mut RowHasher) {
    match value {
        ValueRef::Null => hasher.put(&[0]),
        ValueRef::Integer(number) => put_integer(number, hasher),
        ValueRef::Real(number) => match whole(number) {
            Some(number) => put_integer(number, hasher),
            None => {
                hasher.put(&[2]);
                hasher.put(&number.to_bits().to_be_bytes());
            }
        },
        ValueRef::Text(text) => {
            hasher.put(&[3]);
            collation.unwrap_or(Collation::Binary).put_equal(text, hasher);
        }
        ValueRef::Blob(bytes) => {
            hasher.put(&[4]);
            put_sized(bytes, hasher);
        }
    }
}

fn put_integer(number: i64, hasher: &mut RowHasher) {
    hasher.put(&[1]);
    hasher.put(&number.to_be_bytes());
}

/// How one column of an index is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) collation: Collation,
    pub(super) descending: bool,
}

impl Term {
    fn compare(self, one: ValueRef<'_>, other: ValueRef<'_>) -> Ordering {
        let order = compare(one, other, self.collation);
        if self.descending { order.reverse() } else { order }
    }
}

/// NULL, numbers, texts, blobs.
fn class(value: ValueRef<'_>) -> u8 {
    match value {
        ValueRef::Null => 0,
        ValueRef::Integer(_) | ValueRef::Real(_) => 1,
        ValueRef::Text(_) => 2,
        ValueRef::Blob(_) => 3,
    }
}

fn compare(one: ValueRef<'_>, other: ValueRef<'_>, collation: Collation) -> Ordering {
    match (one, other) {
        (ValueRef::Integer(one), ValueRef::Integer(other)) => one.cmp(&other),
        (ValueRef::Real(one), ValueRef::Real(other)) => one.partial_cmp(&other).unwrap_or(Ordering::Equal),
        (ValueRef::Integer(one), ValueRef::Real(other)) => compare_mixed(one, other),
        (ValueRef::Real(one), ValueRef::Integer(other)) => compare_mixed(other, one).reverse(),
        (ValueRef::Text(one), ValueRef::Text(other)) => collation.compare(one, other),
        (ValueRef::Blob(one), ValueRef::Blob(other)) => one.cmp(other),
        (one, other) => class(one).cmp(&class(other)),
    }
}

fn compare_mixed(integer: i64, real: f64) -> Ordering {
    // The part before the point decides unless it is the same; beyond the integers it is pinned to their ends.
    let floor = real.floor();
    match whole(floor) {
        Some(floor_of) => integer.cmp(&floor_of).then(if real > floor { Ordering::Less } else { Ordering::Equal }),
        None if real > 0.0 => Ordering::Less,
        None => Ordering::Greater,
    }
}

/// The entry before, kept to be compared with the next.
#[derive(Debug, Default)]
pub(super) struct Previous {
    values: Vec<Kept>,
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum Kept {
    Null,
    Integer(i64),
    Real(f64),
    Text(usize, usize),
    Blob(usize, usize),
}

/// How an entry follows the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// As it should.
    Up,
    /// It is not behind it.
    OutOfOrder,
    /// It has the key that no other entry may have.
    Repeated,
}

impl Previous {
    /// Compares an entry with the one before, and keeps it; the first `unique` values are a key, without NULL.
    pub(super) fn step<'v>(&mut self, order: &[Term], unique: usize, values: &[ValueRef<'v>]) -> Step {
        let mut step = if self.values.is_empty() { Step::Up } else { Step::OutOfOrder };
        if step == Step::OutOfOrder {
            let places = order.iter().zip(values).zip(&self.values);
            let differing = places.map(|((term, value), kept)| term.compare(self.value(*kept), *value)).enumerate();
            if let Some((place, direction)) = differing.into_iter().find(|(_, direction)| direction.is_ne()) {
                let same_key = unique > 0 && place >= unique;
                let has_null = || values[..unique].iter().any(|value| matches!(value, ValueRef::Null));
                step = match direction {
                    Ordering::Less if same_key && !has_null() => Step::Repeated,
                    Ordering::Less => Step::Up,
                    Ordering::Equal | Ordering::Greater => Step::OutOfOrder,
                };
            }
        }
        self.keep(values);
        step
    }

    fn value(&self, kept: Kept) -> ValueRef<'_> {
        match kept {
            Kept::Null => ValueRef::Null,
            Kept::Integer(number) => ValueRef::Integer(number),
            Kept::Real(number) => ValueRef::Real(number),
            Kept::Text(start, end) => ValueRef::Text(&self.bytes[start..end]),
            Kept::Blob(start, end) => ValueRef::Blob(&self.bytes[start..end]),
        }
    }

    fn keep(&mut self, values: &[ValueRef<'_>]) {
        self.values.clear();
        self.bytes.clear();
        for value in values {
            let start = self.bytes.len();
            self.values.push(match *value {
                ValueRef::Null => Kept::Null,
                ValueRef::Integer(number) => Kept::Integer(number),
                ValueRef::Real(number) => Kept::Real(number),
                ValueRef::Text(text) => {
                    self.bytes.extend_from_slice(text);
                    Kept::Text(start, self.bytes.len())
                }
                ValueRef::Blob(bytes) => {
                    self.bytes.extend_from_slice(bytes);
                    Kept::Blob(start, self.bytes.len())
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;
    use rusqlite::types::Value;

    fn values() -> Vec<Value> {
        let mut values = vec![Value::Null];
        values.extend([i64::MIN, -1, 0, 1, 9_007_199_254_740_993, i64::MAX].map(Value::Integer));
        values.extend(
            [-1e300, -9.223_372_036_854_776e18, -1.5, -1.0, 0.0, 0.5, 1.0, 9_007_199_254_740_992.0, 9.3e18, 1e300]
                .map(Value::Real),
        );
        values.extend(
            ["", " ", "a", "A", "a ", "A  ", "b", "a\0x", "A\0Y", "a\0", "é", "É"].map(|t| Value::Text(t.into())),
        );
        values.extend([&b""[..], b"a", b"A", b"a\0"].map(|bytes| Value::Blob(bytes.to_vec())));
        values
    }

    #[test]
    fn values_are_ordered_and_equal_as_sqlite_has_it() {
        let connection = Connection::open_in_memory().unwrap();
        let values = values();
        for name in ["BINARY", "NOCASE", "RTRIM"] {
            let collation = Collation::named(name).unwrap();
            let sql = format!("SELECT ?1 IS ?2 COLLATE {name}, typeof(?1) = typeof(?2), ?1 < ?2 COLLATE {name}");
            let mut statement = connection.prepare(&sql).unwrap();
            for (one, other) in values.iter().flat_map(|one| values.iter().map(move |other| (one, other))) {
                let ask = |row: &rusqlite::Row<'_>| Ok((row.get::<_, bool>(0)?, row.get::<_, Option<bool>>(2)?));
                let (equal, less) = statement.query_row((one, other), ask).unwrap();
                let ours = compare(one.into(), other.into(), collation);
                assert_eq!(ours.is_eq(), equal, "{name}: {one:?} {other:?}");
                if let Some(less) = less {
                    assert_eq!(ours.is_lt(), less, "{name}: {one:?} {other:?}");
                }
                let hash = |value: &Value| {
                    let mut hasher = RowHasher::default();
                    put(value.into(), Some(collation), &mut hasher);
                    hasher.finish()
                };
                assert_eq!(hash(one) == hash(other), equal, "{name}: the digests of {one:?} and {other:?}");
            }
        }
    }

    #[test]
    fn order_and_uniqueness_are_seen_between_neighbours() {
        let up = Term { collation: Collation::NoCase, descending: false };
        let down = Term { collation: Collation::Binary, descending: true };
        let text = |text: &'static str| ValueRef::Text(text.as_bytes());
        let mut previous = Previous::default();
        let mut step = |key: ValueRef<'static>, second: i64, rowid: i64| {
            previous.step(&[up, down, up], 2, &[key, ValueRef::Integer(second), ValueRef::Integer(rowid)])
        };
        assert_eq!(step(ValueRef::Null, 7, 1), Step::Up);
        assert_eq!(step(ValueRef::Null, 7, 2), Step::Up, "NULL is never repeated");
        assert_eq!(step(text("a"), 2, 3), Step::Up);
        assert_eq!(step(text("A"), 1, 1), Step::Up);
        assert_eq!(step(text("a"), 2, 9), Step::OutOfOrder);
        assert_eq!(step(text("A"), 2, 10), Step::Repeated);
        assert_eq!(step(text("A"), 2, 10), Step::OutOfOrder, "the same entry twice");
        assert_eq!(step(text("a"), 1, 10), Step::Up);
    }
}
