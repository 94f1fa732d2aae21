//! The keys that other rows refer to, kept compactly: numbers as numbers, everything else as text in one buffer.
//!
//! Invariants: a stored key has no NULL; keys are numbered in the order in which their rows were made.

use std::borrow::Cow;
use std::collections::HashMap;
use xxhash_rust::xxh3::xxh3_64;

/// The referenced columns of one table under one foreign key or several alike.
#[derive(Debug, Default)]
pub(super) struct KeyStore {
    columns: Vec<KeyColumn>,
    len: usize,
    /// For a choice of columns the keys by the hash of their values there. Only looked up, never walked through.
    found_by: HashMap<Vec<usize>, HashMap<u64, Vec<u32>>>,
}

#[derive(Debug)]
enum KeyColumn {
    Integers(Vec<i64>),
    Texts { bytes: String, ends: Vec<usize> },
}

impl KeyColumn {
    fn push(&mut self, value: &str) {
        if let KeyColumn::Integers(integers) = self {
            if let Some(integer) = canonical_integer(value) {
                return integers.push(integer);
            }
            let mut texts = KeyColumn::Texts { bytes: String::new(), ends: Vec::new() };
            for integer in integers {
                texts.push(&integer.to_string());
            }
            *self = texts;
        }
        if let KeyColumn::Texts { bytes, ends } = self {
            bytes.push_str(value);
            ends.push(bytes.len());
        }
    }

    fn get(&self, place: usize) -> Cow<'_, str> {
        match self {
            KeyColumn::Integers(integers) => Cow::Owned(integers[place].to_string()),
            KeyColumn::Texts { bytes, ends } => {
                let start = if place == 0 { 0 } else { ends[place - 1] };
                Cow::Borrowed(&bytes[start..ends[place]])
            }
        }
    }
}

/// The number, if writing it gives the same text again.
fn canonical_integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let canonical = match digits.as_bytes() {
        [b'0'] => text == "0",
        [b'1'..=b'9', rest @ ..] => rest.len() < 19 && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if canonical { text.parse().ok() } else { None }
}

/// The hash of several values, told apart by their lengths.
pub(super) fn hash_of<'v>(values: impl IntoIterator<Item = &'v str>) -> u64 {
    let mut bytes = Vec::with_capacity(64);
    for value in values {
        bytes.extend_from_slice(&(value.len() as u64).to_be_bytes());
        bytes.extend_from_slice(value.as_bytes());
    }
    xxh3_64(&bytes)
}

impl KeyStore {
    /// An empty store of keys with that many columns.
    pub(super) fn new(width: usize) -> Self {
        let columns = (0..width).map(|_| KeyColumn::Integers(Vec::new())).collect();
        KeyStore { columns, len: 0, found_by: HashMap::new() }
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds a key.
    pub(super) fn push(&mut self, values: &[&str]) {
        for (column, value) in self.columns.iter_mut().zip(values) {
            column.push(value);
        }
        let number = u32::try_from(self.len).unwrap_or(u32::MAX);
        for (columns, found) in &mut self.found_by {
            found.entry(hash_of(columns.iter().map(|column| values[*column]))).or_default().push(number);
        }
        self.len += 1;
    }

    /// A key's value in one of its columns.
    pub(super) fn get(&self, key: usize, column: usize) -> Cow<'_, str> {
        self.columns[column].get(key)
    }

    /// The keys below `visible` that have these values in these columns, in order.
    pub(super) fn matching(&mut self, wanted: &[(usize, &str)], visible: usize) -> Vec<usize> {
        let columns: Vec<usize> = wanted.iter().map(|(column, _)| *column).collect();
        if !self.found_by.contains_key(&columns) {
            let mut found: HashMap<u64, Vec<u32>> = HashMap::new();
            for key in 0..self.len {
                let values: Vec<_> = columns.iter().map(|column| self.get(key, *column)).collect();
                let number = u32::try_from(key).unwrap_or(u32::MAX);
                found.entry(hash_of(values.iter().map(Cow::as_ref))).or_default().push(number);
            }
            self.found_by.insert(columns.clone(), found);
        }
        let hash = hash_of(wanted.iter().map(|(_, value)| *value));
        let candidates = self.found_by.get(&columns).and_then(|found| found.get(&hash));
        let same = |key: &usize| wanted.iter().all(|(column, value)| self.get(*key, *column) == *value);
        let below = candidates.into_iter().flatten().map(|number| *number as usize).take_while(|key| *key < visible);
        below.filter(same).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_as_they_were_written() {
        let mut store = KeyStore::new(2);
        for values in [["1", "a"], ["-5", "b"], ["007", "a"], ["9223372036854775807", ""]] {
            store.push(&values);
        }
        let all: Vec<_> =
            (0..store.len()).map(|key| (store.get(key, 0).into_owned(), store.get(key, 1).into_owned())).collect();
        assert_eq!(all[2], ("007".to_owned(), "a".to_owned()));
        assert_eq!(all[3], ("9223372036854775807".to_owned(), String::new()));
        assert_eq!(store.matching(&[(1, "a")], 4), [0, 2]);
        assert_eq!(store.matching(&[(1, "a")], 2), [0]);
        store.push(&["8", "a"]);
        assert_eq!(store.matching(&[(1, "a")], 5), [0, 2, 4]);
        assert_eq!(store.matching(&[(0, "8"), (1, "b")], 5), [] as [usize; 0]);
    }

    #[test]
    fn only_a_number_that_is_written_alike_is_kept_as_one() {
        assert_eq!(canonical_integer("-9223372036854775808"), Some(i64::MIN));
        for text in ["", "-", "-0", "01", "+1", "1.0", " 1", "9223372036854775808", "99999999999999999999"] {
            assert_eq!(canonical_integer(text), None, "{text}");
        }
    }
}
