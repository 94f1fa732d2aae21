//! Decisions: all that is random about a tree.
//!
//! They are numbers that somebody gives (proptest, which then makes them fewer and smaller) or that follow from a seed. The number
//! 0 is the first of the alternatives, and so is every number behind the last: so the first alternative is always the simplest.

use crate::harness::{Random, Seed};

/// A stream of decisions.
#[derive(Debug)]
pub struct Choices<'c>(Numbers<'c>);

#[derive(Debug)]
enum Numbers<'c> {
    Given(std::slice::Iter<'c, u32>),
    Drawn(Random),
}

impl<'c> Choices<'c> {
    /// The decisions that these numbers are.
    pub fn given(numbers: &'c [u32]) -> Self {
        Choices(Numbers::Given(numbers.iter()))
    }

    /// Decisions without an end.
    pub fn drawn(seed: Seed) -> Self {
        Choices(Numbers::Drawn(seed.random()))
    }

    fn number(&mut self) -> u32 {
        match &mut self.0 {
            Numbers::Given(numbers) => numbers.next().copied().unwrap_or(0),
            Numbers::Drawn(random) => (random.bits() >> 32) as u32,
        }
    }

    /// A number below `end`; 0 where `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        ((u64::from(self.number()) * end as u64) >> 32) as usize
    }

    /// Whether something happens that happens once in so many times, which the simplest case does not have.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) + 1 == times
    }

    /// One of the items.
    pub fn of<'i, T>(&mut self, items: &'i [T]) -> &'i T {
        &items[self.below(items.len())]
    }

    /// Brings items into another order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for place in 1..items.len() {
            let other = place - self.below(place + 1);
            items.swap(place, other);
        }
    }

    /// A generator for what draws by itself. The simplest case always has the same one.
    pub fn random(&mut self) -> Random {
        Seed(u64::from(self.number())).random()
    }
}
