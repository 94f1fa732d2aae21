//! The digest of a table that a source can compute by itself, from the texts of its values alone.
//!
//! A row's bytes are, for each column, the length of its text in bytes of UTF-8 as decimal digits, `:`, and the text;
//! a NULL is `:` alone; bytes stand there as the MD5 of them in hexadecimal, `char(n)` without the blanks that pad it. The MD5 of the row's bytes is read as two
//! signed 64-bit integers, the most significant byte first, and each half is summed over the table. A sum does not
//! depend on the order of the rows, and equal rows do not cancel.

use md5::{Digest, Md5};
use serde::Serialize;
use std::fmt;

/// The digest of a table from the texts of its values: how many rows, and the sums of the halves of their hashes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TextDigest {
    /// The number of rows.
    pub rows: u64,
    /// The sum of the first halves.
    pub first: i128,
    /// The sum of the second halves.
    pub second: i128,
}

impl TextDigest {
    /// Adds one row by the halves of its hash.
    pub fn add(&mut self, (first, second): (i64, i64)) {
        self.rows += 1;
        self.first += i128::from(first);
        self.second += i128::from(second);
    }

    /// Adds the rows of another part of the same table.
    pub fn merge(&mut self, other: TextDigest) {
        self.rows += other.rows;
        self.first += other.first;
        self.second += other.second;
    }
}

impl fmt::Display for TextDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}{:032x}", self.first, self.second)
    }
}

impl Serialize for TextDigest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.rows, self.to_string()).serialize(serializer)
    }
}

/// Hashes one row after the other.
#[derive(Default)]
pub struct TextHasher(Md5);

impl TextHasher {
    /// Adds a value by its text; `None` is NULL.
    pub fn text(&mut self, text: Option<&str>) {
        let Some(text) = text else { return self.0.update(b":") };
        let mut digits = [0; 20];
        let mut start = digits.len();
        let mut length = text.len();
        loop {
            start -= 1;
            // A remainder of a division by ten is one digit.
            digits[start] = b'0' + (length % 10) as u8;
            length /= 10;
            if length == 0 {
                break;
            }
        }
        self.0.update(&digits[start..]);
        self.0.update(b":");
        self.0.update(text.as_bytes());
    }

    /// Adds a value that is bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let hash: String = Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        self.text(Some(&hash));
    }

    /// Adds a value that no source can have.
    pub fn foreign(&mut self) {
        self.0.update(b"?");
    }

    /// Ends the row and returns the halves of its hash.
    pub fn finish(&mut self) -> (i64, i64) {
        let hash = u128::from_be_bytes(self.0.finalize_reset().into());
        ((hash >> 64) as i64, hash as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(texts: &[Option<&str>]) -> (i64, i64) {
        let mut hasher = TextHasher::default();
        texts.iter().for_each(|text| hasher.text(*text));
        hasher.finish()
    }

    #[test]
    fn a_row_hashes_as_the_design_says() {
        // md5('1:11:a:0:'), the row (1, 'a', NULL, '').
        let halves = hash(&[Some("1"), Some("a"), None, Some("")]);
        assert_eq!(format!("{:016x}{:016x}", halves.0, halves.1), "3793b9793765453e13d3f359def21b41");
    }

    #[test]
    fn neither_null_nor_the_boundary_of_values_is_lost() {
        assert_ne!(hash(&[None]), hash(&[Some("")]));
        assert_ne!(hash(&[None, Some("")]), hash(&[Some(""), None]));
        assert_ne!(hash(&[Some("ab"), Some("c")]), hash(&[Some("a"), Some("bc")]));
        assert_ne!(hash(&[Some("1:"), Some("")]), hash(&[Some(""), Some("1:")]));
    }

    #[test]
    fn equal_rows_do_not_cancel_and_order_is_nothing() {
        let (a, b) = (hash(&[Some("a")]), hash(&[Some("b")]));
        let of = |rows: &[(i64, i64)]| {
            let mut digest = TextDigest::default();
            rows.iter().for_each(|row| digest.add(*row));
            digest
        };
        assert_eq!(of(&[a, b, a]), of(&[a, a, b]));
        assert_ne!(of(&[a, a]), of(&[b, b]));
        let mut parts = of(&[a]);
        parts.merge(of(&[b]));
        assert_eq!(parts, of(&[b, a]));
    }
}
