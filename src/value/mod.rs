//! The neutral cell and its canonical encoding.
//!
//! A [`Cell`] is one value of one row, free of the engine that it came from. Two cells are equal exactly when their
//! canonical encodings are equal byte for byte; the digest of a table is built on that encoding, which DESIGN.md
//! specifies with test vectors so that another program can check a target without this one.

pub mod calendar;
mod decimal;
mod digest;
pub mod large;
mod row_key;
mod text_digest;
#[cfg(test)]
mod vectors;

pub use decimal::{Decimal, Sign};
pub use digest::{RowHasher, TableDigest};
pub use large::Large;
pub use row_key::{row_key, rowid_key};
pub use text_digest::{TextDigest, TextHasher};

use std::borrow::Cow;

/// One value, borrowed from the row it was read from where that is possible.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Cell<'a> {
    /// SQL NULL.
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer of up to 64 bits.
    Int(i64),
    /// A binary floating-point number; a 32-bit one is widened, which is exact. Every NaN is the same NaN.
    Float(f64),
    /// A decimal number with its scale.
    Decimal(Decimal),
    /// Text, without the blanks that `character(n)` pads with.
    Text(Cow<'a, str>),
    /// Bytes.
    Bytes(Cow<'a, [u8]>),
    /// Bytes that are too many to be in memory. Only who asks for them so gets them so.
    Large(Large<'a>),
    /// A UUID.
    Uuid([u8; 16]),
    /// Days since 2000-01-01; the extreme integers are the infinities.
    Date(i32),
    /// Microseconds since 2000-01-01 00:00:00 of an unnamed zone; the extreme integers are the infinities.
    Timestamp(i64),
    /// Microseconds since 2000-01-01 00:00:00 UTC; the extreme integers are the infinities.
    TimestampTz(i64),
    /// JSON text as the source spells it.
    Json(Cow<'a, str>),
    /// A value of any other type, as the source's own text that its input function reads back.
    Native(Cow<'a, str>),
    /// A value in a target that its column's rule cannot have written: the storage class and the bytes found.
    Foreign(Stored<'a>),
}

/// A value as a SQLite record holds it.
#[derive(Debug, Clone, PartialEq)]
pub enum Stored<'a> {
    /// NULL
    Null,
    /// INTEGER
    Integer(i64),
    /// REAL
    Real(f64),
    /// TEXT, as bytes: a file written by others need not hold valid UTF-8.
    Text(Cow<'a, [u8]>),
    /// BLOB
    Blob(Cow<'a, [u8]>),
}

impl Stored<'_> {
    /// How many bytes of text or blob it has.
    pub fn byte_count(&self) -> usize {
        match self {
            Stored::Null | Stored::Integer(_) | Stored::Real(_) => 0,
            Stored::Text(bytes) | Stored::Blob(bytes) => bytes.len(),
        }
    }

    /// The same value, owning its bytes.
    pub fn into_owned(self) -> Stored<'static> {
        match self {
            Stored::Null => Stored::Null,
            Stored::Integer(value) => Stored::Integer(value),
            Stored::Real(value) => Stored::Real(value),
            Stored::Text(bytes) => Stored::Text(Cow::Owned(bytes.into_owned())),
            Stored::Blob(bytes) => Stored::Blob(Cow::Owned(bytes.into_owned())),
        }
    }
}

impl<'v> From<rusqlite::types::ValueRef<'v>> for Stored<'v> {
    fn from(value: rusqlite::types::ValueRef<'v>) -> Self {
        use rusqlite::types::ValueRef;
        match value {
            ValueRef::Null => Stored::Null,
            ValueRef::Integer(value) => Stored::Integer(value),
            ValueRef::Real(value) => Stored::Real(value),
            ValueRef::Text(value) => Stored::Text(Cow::Borrowed(value)),
            ValueRef::Blob(value) => Stored::Blob(Cow::Borrowed(value)),
        }
    }
}

/// An empty vector with the memory of another one, for the cells of the next row. The element types differ in their
/// lifetime only, so the standard library's in-place collection keeps the allocation.
pub fn recycle<'b>(mut cells: Vec<Cell<'_>>) -> Vec<Cell<'b>> {
    cells.clear();
    cells.into_iter().map(|_| Cell::Null).collect()
}

mod tag {
    pub const NULL: u8 = 0x00;
    pub const BOOL: u8 = 0x01;
    pub const INT: u8 = 0x02;
    pub const FLOAT: u8 = 0x03;
    pub const DECIMAL: u8 = 0x04;
    pub const TEXT: u8 = 0x05;
    pub const BYTES: u8 = 0x06;
    pub const UUID: u8 = 0x07;
    pub const DATE: u8 = 0x08;
    pub const TIMESTAMP: u8 = 0x09;
    pub const TIMESTAMP_TZ: u8 = 0x0a;
    pub const JSON: u8 = 0x0b;
    pub const NATIVE: u8 = 0x0c;
    pub const FOREIGN: u8 = 0xff;
}

/// The one bit pattern that stands for every NaN.
const CANONICAL_NAN_BITS: u64 = 0x7ff8_0000_0000_0000;

/// Where an encoding is written: a plain buffer, or a hasher that does not hold large values twice.
pub trait Sink {
    /// Takes the next bytes.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Cell<'_> {
    /// The same cell, owning what it borrowed.
    pub fn into_owned(self) -> Cell<'static> {
        match self {
            Cell::Null => Cell::Null,
            Cell::Bool(value) => Cell::Bool(value),
            Cell::Int(value) => Cell::Int(value),
            Cell::Float(value) => Cell::Float(value),
            Cell::Decimal(value) => Cell::Decimal(value),
            Cell::Text(value) => Cell::Text(Cow::Owned(value.into_owned())),
            Cell::Bytes(value) => Cell::Bytes(Cow::Owned(value.into_owned())),
            Cell::Large(value) => Cell::Bytes(Cow::Owned(value.in_memory())),
            Cell::Uuid(value) => Cell::Uuid(value),
            Cell::Date(value) => Cell::Date(value),
            Cell::Timestamp(value) => Cell::Timestamp(value),
            Cell::TimestampTz(value) => Cell::TimestampTz(value),
            Cell::Json(value) => Cell::Json(Cow::Owned(value.into_owned())),
            Cell::Native(value) => Cell::Native(Cow::Owned(value.into_owned())),
            Cell::Foreign(value) => Cell::Foreign(value.into_owned()),
        }
    }

    /// Writes the canonical encoding: one tag byte, then a payload of fixed width or with its length in front.
    #[inline]
    pub fn encode(&self, sink: &mut impl Sink) {
        match self {
            Cell::Null => sink.put(&[tag::NULL]),
            Cell::Bool(value) => sink.put(&[tag::BOOL, u8::from(*value)]),
            Cell::Int(value) => fixed(sink, tag::INT, value.to_be_bytes()),
            Cell::Float(value) => fixed(sink, tag::FLOAT, float_bits(*value).to_be_bytes()),
            Cell::Decimal(value) => {
                sink.put(&[tag::DECIMAL]);
                value.encode(sink);
            }
            Cell::Text(value) => sized(sink, tag::TEXT, value.as_bytes()),
            Cell::Bytes(value) => sized(sink, tag::BYTES, value),
            Cell::Large(value) => {
                head(sink, tag::BYTES, value.length());
                value.each(|bytes| sink.put(bytes));
            }
            Cell::Uuid(value) => {
                sink.put(&[tag::UUID]);
                sink.put(value);
            }
            Cell::Date(value) => {
                sink.put(&[tag::DATE]);
                sink.put(&value.to_be_bytes());
            }
            Cell::Timestamp(value) => fixed(sink, tag::TIMESTAMP, value.to_be_bytes()),
            Cell::TimestampTz(value) => fixed(sink, tag::TIMESTAMP_TZ, value.to_be_bytes()),
            Cell::Json(value) => sized(sink, tag::JSON, value.as_bytes()),
            Cell::Native(value) => sized(sink, tag::NATIVE, value.as_bytes()),
            Cell::Foreign(value) => encode_foreign(value, sink),
        }
    }
}

#[inline]
fn fixed(sink: &mut impl Sink, tag: u8, payload: [u8; 8]) {
    let mut bytes = [0; 9];
    bytes[0] = tag;
    bytes[1..].copy_from_slice(&payload);
    sink.put(&bytes);
}

#[inline]
fn sized(sink: &mut impl Sink, tag: u8, payload: &[u8]) {
    head(sink, tag, payload.len() as u64);
    sink.put(payload);
}

#[inline]
fn head(sink: &mut impl Sink, tag: u8, length: u64) {
    let mut head = [0; 9];
    head[0] = tag;
    head[1..].copy_from_slice(&length.to_be_bytes());
    sink.put(&head);
}

fn encode_foreign(value: &Stored<'_>, sink: &mut impl Sink) {
    sink.put(&[tag::FOREIGN]);
    match value {
        Stored::Null => sink.put(&[0]),
        Stored::Integer(value) => fixed(sink, 1, value.to_be_bytes()),
        Stored::Real(value) => fixed(sink, 2, float_bits(*value).to_be_bytes()),
        Stored::Text(value) => sized(sink, 3, value),
        Stored::Blob(value) => sized(sink, 4, value),
    }
}

fn float_bits(value: f64) -> u64 {
    if value.is_nan() { CANONICAL_NAN_BITS } else { value.to_bits() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoding(cells: &[Cell<'_>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for cell in cells {
            cell.encode(&mut bytes);
        }
        bytes
    }

    #[test]
    fn what_other_verifiers_confuse_encodes_differently() {
        let text = |value: &'static str| Cell::Text(Cow::Borrowed(value));
        let pairs: &[(Vec<Cell<'_>>, Vec<Cell<'_>>)] = &[
            (vec![Cell::Null], vec![text("")]),
            (vec![Cell::Null], vec![text("<null>")]),
            (vec![text("")], vec![text("<null>")]),
            (vec![text("ab"), text("c")], vec![text("a"), text("bc")]),
            (vec![text("a ")], vec![text("a")]),
            (vec![Cell::Null], vec![Cell::Bool(false)]),
            (vec![Cell::Int(0)], vec![Cell::Bool(false)]),
            (vec![Cell::Float(0.0)], vec![Cell::Float(-0.0)]),
            (vec![Cell::Float(1.0)], vec![Cell::Float(1.0 + f64::EPSILON)]),
            (vec![Cell::Timestamp(1_000_000)], vec![Cell::Timestamp(1_000_001)]),
            (vec![Cell::Timestamp(0)], vec![Cell::TimestampTz(0)]),
            (vec![Cell::Decimal("1.0".parse().unwrap())], vec![Cell::Decimal("1.00".parse().unwrap())]),
            (vec![text("a")], vec![Cell::Bytes(Cow::Borrowed(b"a"))]),
        ];
        for (left, right) in pairs {
            assert_ne!(encoding(left), encoding(right), "{left:?} and {right:?}");
        }
    }

    #[test]
    fn every_nan_is_the_same_nan() {
        let other = f64::from_bits(0x7ff8_0000_0000_0001);
        assert_eq!(encoding(&[Cell::Float(f64::NAN)]), encoding(&[Cell::Float(other)]));
    }
}
