//! The records of the base, in as little memory as can be: there may be millions.

use super::record::Id;
use std::collections::HashMap;

/// A record of the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The hash of its cells; [`super::base::NO_BASE`] for one that is in the file and has no base.
    pub hash: u128,
    /// The place of its file's path.
    pub path: u32,
    /// Which of the records it is; smaller than [`Records::numbers`].
    pub number: u32,
}

/// Records, each with what is known of it.
#[derive(Debug, Default)]
pub struct Records {
    /// Bytes and not numbers, which would stand at multiples of 16.
    kept: HashMap<[u8; 20], Kept>,
    numbers: u32,
}

#[derive(Debug, Clone, Copy)]
struct Kept {
    hash: [u8; 16],
    path: u32,
    number: u32,
}

impl Kept {
    fn known(&self) -> Known {
        Known { hash: u128::from_be_bytes(self.hash), path: self.path, number: self.number }
    }
}

fn packed(id: &Id) -> [u8; 20] {
    let mut bytes = [0; 20];
    bytes[..2].copy_from_slice(&id.table.to_be_bytes());
    bytes[2..4].copy_from_slice(&id.kind.to_be_bytes());
    bytes[4..].copy_from_slice(&id.key.to_be_bytes());
    bytes
}

fn unpacked(bytes: &[u8; 20]) -> Id {
    let mut key = [0; 16];
    key.copy_from_slice(&bytes[4..]);
    let number = |place: usize| u16::from_be_bytes([bytes[place], bytes[place + 1]]);
    Id { table: number(0), kind: number(2), key: u128::from_be_bytes(key) }
}

impl Records {
    /// None, with room for so many.
    pub fn with_capacity(records: usize) -> Self {
        Records { kept: HashMap::with_capacity(records), numbers: 0 }
    }

    /// Adds a record, or knows something else of it.
    pub fn insert(&mut self, id: Id, hash: u128, path: u32) {
        let kept = Kept { hash: hash.to_be_bytes(), path, number: self.numbers };
        self.numbers += 1;
        self.kept.insert(packed(&id), kept);
    }

    /// Forgets a record.
    pub fn remove(&mut self, id: &Id) {
        self.kept.remove(&packed(id));
    }

    /// What is known of a record.
    pub fn get(&self, id: &Id) -> Option<Known> {
        self.kept.get(&packed(id)).map(Kept::known)
    }

    /// Whether there is such a record.
    pub fn contains(&self, id: &Id) -> bool {
        self.kept.contains_key(&packed(id))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// How many numbers they have.
    pub fn numbers(&self) -> usize {
        self.numbers as usize
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (Id, Known)> {
        self.kept.iter().map(|(id, kept)| (unpacked(id), kept.known()))
    }
}

/// Some of the records, by their numbers.
#[derive(Debug, Default)]
pub struct Numbers(Vec<u64>);

impl Numbers {
    /// None of so many.
    pub fn of(count: usize) -> Self {
        Numbers(vec![0; count.div_ceil(64)])
    }

    /// Adds one.
    pub fn insert(&mut self, number: u32) {
        if let Some(word) = self.0.get_mut(number as usize / 64) {
            *word |= 1 << (number % 64);
        }
    }

    /// Whether it is among them.
    pub fn contains(&self, number: u32) -> bool {
        self.0.get(number as usize / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_known_as_they_were_told() {
        let id = |key: u128| Id { table: 513, kind: u16::MAX, key };
        let mut records = Records::with_capacity(2);
        records.insert(id(u128::MAX - 1), 7, 3);
        records.insert(id(1), u128::MAX, 4);
        assert_eq!(records.get(&id(u128::MAX - 1)), Some(Known { hash: 7, path: 3, number: 0 }));
        let mut all: Vec<(Id, Known)> = records.iter().collect();
        all.sort_by_key(|(id, _)| *id);
        assert_eq!(all[0], (id(1), Known { hash: u128::MAX, path: 4, number: 1 }));
        records.remove(&id(1));
        assert!((records.len(), records.numbers(), records.contains(&id(1))) == (1, 2, false));
    }

    #[test]
    fn numbers_are_kept() {
        let mut numbers = Numbers::of(65);
        for number in [0, 63, 64, 1000] {
            numbers.insert(number);
        }
        let kept = (0..1001).filter(|number| numbers.contains(*number)).collect::<Vec<_>>();
        assert_eq!(kept, [0, 63, 64]);
    }
}
