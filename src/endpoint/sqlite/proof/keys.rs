//! Sets of keys of any size in bounded memory: which keys there are, and which are referred to.
//!
//! A key is known by its digest of 128 bits. Digests are collected, sorted, and written to a temporary file when there are
//! too many; two sets are compared by merging what was sorted.

use crate::endpoint::sqlite::parallel::locked;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// All sets together hold so many keys in memory: 8 MiB, and as much again where they grow.
const HELD_MAX: usize = 1 << 19;
/// A set with fewer keys is not written down.
const WRITTEN_FROM: usize = 4096;
/// A run is read back in pieces of so many keys.
const PIECE_KEYS: usize = 4096;
/// So many sets can be kept, so that the pieces which none writes down are few.
pub(super) const SETS_MAX: usize = 256;

/// Sets of keys.
pub(super) struct Sets {
    sets: Vec<Mutex<Set>>,
    held: AtomicUsize,
    held_max: usize,
}

#[derive(Default)]
struct Set {
    held: Vec<u128>,
    file: Option<File>,
    /// First key and end of each sorted run of the file, counted in keys.
    runs: Vec<(u64, u64)>,
}

impl Sets {
    /// So many empty sets.
    pub(super) fn new(count: usize) -> Self {
        let sets = (0..count).map(|_| Mutex::default()).collect();
        Sets { sets, held: AtomicUsize::new(0), held_max: HELD_MAX }
    }

    /// Adds keys to a set, and takes them out of the list.
    ///
    /// # Errors
    /// When the temporary file cannot be written.
    pub(super) fn add(&self, set: usize, keys: &mut Vec<u128>) -> io::Result<()> {
        let added = keys.len();
        let set = &mut *locked(&self.sets[set]);
        set.held.append(keys);
        let held = self.held.fetch_add(added, Ordering::Relaxed) + added;
        if held <= self.held_max || set.held.len() < WRITTEN_FROM {
            return Ok(());
        }
        let before = set.held.len();
        set.sort();
        let held = held - (before - set.held.len());
        if held > self.held_max / 2 && set.held.len() >= WRITTEN_FROM {
            set.write()?;
        }
        self.held.fetch_sub(before - set.held.len(), Ordering::Relaxed);
        Ok(())
    }

    /// Whether every key of one set is in the other.
    ///
    /// # Errors
    /// When the temporary files cannot be read.
    pub(super) fn is_part(&self, part: usize, whole: usize) -> io::Result<bool> {
        if part == whole {
            return Ok(true);
        }
        // Always in this order, so that nobody waits for somebody who waits for him.
        let (first, second) = (part.min(whole), part.max(whole));
        let (mut first, mut second) = (locked(&self.sets[first]), locked(&self.sets[second]));
        first.sort();
        second.sort();
        let (part, whole) = if part < whole { (&*first, &*second) } else { (&*second, &*first) };
        let (mut part, mut whole) = (part.merged()?, whole.merged()?);
        let mut known = whole.next()?;
        while let Some(key) = part.next()? {
            while known.is_some_and(|known| known < key) {
                known = whole.next()?;
            }
            if known != Some(key) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Set {
    fn sort(&mut self) {
        self.held.sort_unstable();
        self.held.dedup();
    }

    /// Writes what is held, and sorted, behind what was written.
    fn write(&mut self) -> io::Result<()> {
        let start = self.runs.last().map_or(0, |(_, end)| *end);
        if self.file.is_none() {
            self.file = Some(tempfile::tempfile()?);
        }
        if let Some(file) = &self.file {
            let mut place = start * KEY_BYTES;
            for keys in self.held.chunks(PIECE_KEYS) {
                let bytes: Vec<u8> = keys.iter().flat_map(|key| key.to_be_bytes()).collect();
                file.write_all_at(&bytes, place)?;
                place += bytes.len() as u64;
            }
        }
        self.runs.push((start, start + self.held.len() as u64));
        self.held.clear();
        Ok(())
    }

    fn merged(&self) -> io::Result<Merged<'_>> {
        let written = self.runs.iter().filter_map(|(start, end)| {
            let file = self.file.as_ref()?;
            Some(Run { file: Some(file), rest: (*start, *end), piece: Vec::new().into(), at: 0 })
        });
        let held = Run { file: None, rest: (0, 0), piece: (&self.held[..]).into(), at: 0 };
        let mut merged = Merged { runs: written.chain([held]).collect(), heads: BinaryHeap::new() };
        for run in 0..merged.runs.len() {
            merged.refill(run)?;
        }
        Ok(merged)
    }
}

/// The bytes of a key in the file.
const KEY_BYTES: u64 = 16;

/// One sorted run, and how far it has been read.
struct Run<'s> {
    file: Option<&'s File>,
    rest: (u64, u64),
    piece: std::borrow::Cow<'s, [u128]>,
    at: usize,
}

impl Run<'_> {
    fn next(&mut self) -> io::Result<Option<u128>> {
        if self.at == self.piece.len() && self.rest.0 < self.rest.1 {
            let Some(file) = self.file else { return Ok(None) };
            let keys = (self.rest.1 - self.rest.0).min(PIECE_KEYS as u64);
            let mut bytes = vec![0; (keys * KEY_BYTES) as usize];
            file.read_exact_at(&mut bytes, self.rest.0 * KEY_BYTES)?;
            let (keys_of, _) = bytes.as_chunks::<{ KEY_BYTES as usize }>();
            self.piece = keys_of.iter().map(|key| u128::from_be_bytes(*key)).collect();
            self.rest.0 += keys;
            self.at = 0;
        }
        let key = self.piece.get(self.at).copied();
        self.at += 1;
        Ok(key)
    }
}

/// The runs of a set as one sequence, in which a key can stand several times.
struct Merged<'s> {
    runs: Vec<Run<'s>>,
    heads: BinaryHeap<Reverse<(u128, usize)>>,
}

impl Merged<'_> {
    fn next(&mut self) -> io::Result<Option<u128>> {
        let Some(Reverse((key, run))) = self.heads.pop() else { return Ok(None) };
        self.refill(run)?;
        Ok(Some(key))
    }

    fn refill(&mut self, run: usize) -> io::Result<()> {
        self.heads.extend(self.runs[run].next()?.map(|key| Reverse((key, run))));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that are spread over all keys.
    fn keys(numbers: impl Iterator<Item = u128>) -> Vec<u128> {
        numbers.map(|number| number.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)).collect()
    }

    fn filled(held_max: usize, sets: [Vec<u128>; 2]) -> Sets {
        let mut all = Sets::new(2);
        all.held_max = held_max;
        for (place, keys) in sets.into_iter().enumerate() {
            for some in keys.chunks(1000) {
                all.add(place, &mut some.to_vec()).unwrap();
            }
        }
        all
    }

    #[test]
    fn one_key_more_or_less_is_seen_in_memory_and_on_disk() {
        for held_max in [HELD_MAX, 10_000] {
            let some = |numbers: std::ops::Range<u128>| keys(numbers.rev().chain(0..500));
            let sets = filled(held_max, [some(0..40_000), some(0..60_000)]);
            assert_eq!(held_max == 10_000, sets.sets.iter().all(|set| locked(set).runs.len() > 1));
            assert!(sets.is_part(0, 1).unwrap());
            assert!(!sets.is_part(1, 0).unwrap());
            let sets = filled(held_max, [keys(0..40_001), keys((0..40_000).chain(40_002..60_000))]);
            assert!(!sets.is_part(0, 1).unwrap());
        }
        let sets = filled(HELD_MAX, [Vec::new(), keys(0..1)]);
        assert!(sets.is_part(0, 1).unwrap() && !sets.is_part(1, 0).unwrap() && sets.is_part(0, 0).unwrap());
    }

    #[test]
    fn memory_is_bounded_and_repeated_keys_take_none() {
        let sets = filled(20_000, [keys((0..200_000).map(|number| number % 7)), keys(0..200_000)]);
        assert!(sets.held.load(Ordering::Relaxed) <= 20_000 + WRITTEN_FROM + 1000);
        let lengths = sets.sets.iter().map(|set| locked(set).held.len()).sum::<usize>();
        assert_eq!(lengths, sets.held.load(Ordering::Relaxed));
    }
}
