//! Ranges of text, solved so that every collation agrees: C and SQLite's BINARY as well as a linguistic one.
//!
//! Only two things are used. A text followed by more is above it. Two texts whose first difference is between two
//! lower-case letters, two upper-case letters or two digits of ASCII are in the order of those, as long as all that
//! comes before and behind is of the same kind.

use super::{Bound, Limits};

/// What a text in the range looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Start {
    /// The text begins so.
    pub(super) prefix: String,
    /// What follows is of letters and digits out of this; nothing may follow where it is empty.
    pub(super) alphabet: &'static [u8],
    /// How many characters follow at least.
    pub(super) more_min: u32,
}

const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &[u8] = b"0123456789";

fn kind(letter: char) -> Option<&'static [u8]> {
    [LOWER, UPPER, DIGITS].into_iter().find(|kind| letter.is_ascii() && kind.contains(&(letter as u8)))
}

impl Start {
    pub(super) fn matches(&self, value: &str) -> bool {
        value.strip_prefix(self.prefix.as_str()).is_some_and(|rest| {
            rest.len() as u32 >= self.more_min && rest.bytes().all(|letter| self.alphabet.contains(&letter))
        })
    }
}

/// The starts of texts within the range; `None` where there is no range, empty where none is certain.
pub(super) fn starts(limits: &Limits) -> Option<Vec<Start>> {
    match (&limits.minimum, &limits.maximum) {
        (None, None) => None,
        (Some(low), None) => Some(vec![above(low)]),
        (None, Some(high)) => Some(below(high)),
        (Some(low), Some(high)) => Some(between(low, high)),
    }
}

fn above(low: &Bound) -> Start {
    // What follows is of the kind that the bound ends with, so that no collation takes it for another word.
    let alphabet = low.value.chars().last().and_then(kind).unwrap_or(LOWER);
    Start { prefix: low.value.clone(), alphabet, more_min: u32::from(!low.inclusive) }
}

fn itself(bound: &Bound) -> Option<Start> {
    bound.inclusive.then(|| Start { prefix: bound.value.clone(), alphabet: &[], more_min: 0 })
}

fn below(high: &Bound) -> Vec<Start> {
    let mut found: Vec<Start> = itself(high).into_iter().collect();
    let first = high.value.chars().next();
    if let Some((first, kind)) = first.and_then(|first| kind(first).map(|kind| (first, kind)))
        && high.value.chars().all(|letter| kind.contains(&(letter as u8)) && letter.is_ascii())
    {
        let lower = kind.iter().take_while(|letter| char::from(**letter) < first);
        found.extend(lower.map(|letter| Start {
            prefix: char::from(*letter).to_string(),
            alphabet: kind,
            more_min: 0,
        }));
    }
    for (at, _) in high.value.char_indices() {
        found.push(Start { prefix: high.value[..at].to_owned(), alphabet: &[], more_min: 0 });
    }
    found
}

fn between(low: &Bound, high: &Bound) -> Vec<Start> {
    if low.value == high.value {
        return if low.inclusive { itself(high).into_iter().collect() } else { Vec::new() };
    }
    let mut found: Vec<Start> = itself(low).into_iter().chain(itself(high)).collect();
    let common: String =
        low.value.chars().zip(high.value.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect();
    let (low_rest, high_rest) = (&low.value[common.len()..], &high.value[common.len()..]);
    let all_of = |text: &str, kind: &[u8]| text.bytes().all(|letter| kind.contains(&letter));
    let Some(b) = high_rest.chars().next() else { return Vec::new() };
    let Some(kind) = kind(b).filter(|kind| all_of(high_rest, kind) && all_of(low_rest, kind)) else { return found };
    let letters = |from: Option<char>| {
        kind.iter()
            .map(|letter| char::from(*letter))
            .filter(move |letter| from.is_none_or(|from| *letter > from) && *letter < b)
    };
    match low_rest.chars().next() {
        // The minimum is the beginning of the maximum: what lies between continues it with something lower.
        None => found.extend(letters(None).map(|letter| start(&common, letter, kind))),
        Some(a) if a < b => {
            found.push(Start { prefix: low.value.clone(), alphabet: kind, more_min: 1 });
            found.extend(letters(Some(a)).map(|letter| start(&common, letter, kind)));
        }
        Some(_) => return Vec::new(),
    }
    found
}

fn start(common: &str, letter: char, kind: &'static [u8]) -> Start {
    Start { prefix: format!("{common}{letter}"), alphabet: kind, more_min: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_certain_is_within_the_range() {
        let between = |low: &str, high: &str| {
            starts(&Limits {
                minimum: Some(Bound::inclusive(low)),
                maximum: Some(Bound::exclusive(high)),
                ..Limits::default()
            })
            .unwrap()
        };
        for (low, high) in [("A", "M"), ("a", "ac"), ("b", "bf"), ("10", "20"), ("ca", "ce")] {
            let found = between(low, high);
            assert!(!found.is_empty(), "{low} {high}");
            for start in found {
                let last = format!(
                    "{}{}",
                    start.prefix,
                    start.alphabet.last().map_or(String::new(), |last| char::from(*last).into())
                );
                assert!(start.prefix.as_str() >= low && last.as_str() < high, "{start:?}");
            }
        }
        assert!(
            between("b", "a").iter().all(|start| start.prefix == "b" && start.alphabet.is_empty())
                || between("b", "a").is_empty()
        );
    }
}
