//! Random numbers that are the same on every machine and in every version of this program: a case can be told by its
//! seed alone.
//!
//! The generator is SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014). It is
//! written out here because a seed in somebody's bug report has to outlive the versions of a library.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What all random choices of a case come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Seed(pub u64);

impl Seed {
    /// A seed of its own for a part of what this seed stands for: a table, a column, a case. Other names give other
    /// numbers, so that a table's rows do not change when another table gets more of them.
    pub fn of(self, part: &str) -> Seed {
        Seed(xxhash_rust::xxh3::xxh3_64_with_seed(part.as_bytes(), self.0))
    }

    /// As [`Seed::of`], for the part of that number.
    pub fn nth(self, part: u64) -> Seed {
        Seed(mix(self.0 ^ mix(part.wrapping_add(GOLDEN))))
    }

    /// The generator that starts here.
    pub fn random(self) -> Random {
        Random { state: self.0 }
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for Seed {
    type Err = Error;

    /// # Errors
    /// When the text is no number from 0 to 18446744073709551615.
    fn from_str(text: &str) -> Result<Self> {
        text.trim().parse().map(Seed).map_err(|_| {
            Error::usage("read the seed", format!("`{text}`"), format!("it is no number from 0 to {}", u64::MAX))
        })
    }
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// A number below `end`; 0 where `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        // The high half of a product: even up to one part in 2^64 / end, and the same everywhere.
        ((u128::from(self.bits()) * u128::from(end)) >> 64) as u64
    }

    /// A number from `low` to `high`, both included; the bounds may come in either order.
    pub fn within(&mut self, low: i128, high: i128) -> i128 {
        let (low, high) = (low.min(high), low.max(high));
        let span = high.wrapping_sub(low) as u128;
        if let Ok(span) = u64::try_from(span)
            && let Some(count) = span.checked_add(1)
        {
            return low + i128::from(self.below(count));
        }
        let drawn = (u128::from(self.bits()) << 64) | u128::from(self.bits());
        let offset = span.checked_add(1).map_or(drawn, |count| drawn % count);
        low.wrapping_add(offset as i128)
    }

    /// True in `share` of all cases; a share is from 0 to 1.
    pub fn chance(&mut self, share: f64) -> bool {
        // 53 bits are what a double holds exactly.
        ((self.bits() >> 11) as f64) < share * (1_u64 << 53) as f64
    }

    /// One of the items; `None` where there is none.
    pub fn pick<'i, T>(&mut self, items: &'i [T]) -> Option<&'i T> {
        items.get(self.below(items.len() as u64) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_published_algorithm() {
        let mut random = Seed(1_234_567).random();
        let first: Vec<u64> = (0..3).map(|_| random.bits()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn every_number_is_within_its_bounds_and_both_bounds_are_met() {
        let mut random = Seed(7).random();
        let mut seen = [false; 6];
        for _ in 0..500 {
            let number = random.within(2, -3);
            assert!((-3..=2).contains(&number));
            seen[(number + 3) as usize] = true;
        }
        assert_eq!(seen, [true; 6]);
        for _ in 0..100 {
            let number = random.within(i128::from(i64::MIN), i128::from(u64::MAX));
            assert!((i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&number));
        }
        assert_eq!((random.below(0), random.below(1)), (0, 0));
        assert!(!random.chance(0.0) && random.chance(1.0));
    }

    #[test]
    fn parts_have_seeds_of_their_own() {
        let seed = Seed(42);
        assert_ne!(seed.of("a"), seed.of("b"));
        assert_ne!(seed.nth(0), seed.nth(1));
        assert_eq!("42".parse::<Seed>().unwrap(), seed);
        assert!("-1".parse::<Seed>().unwrap_err().to_string().contains("`-1`"));
    }
}
