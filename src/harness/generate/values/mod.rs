//! Values of one column: ordinary and awkward ones, distinct ones for keys, simpler ones for shrinking, all of them
//! within what the column's checks say.
//!
//! ```text
//! type + limits ─► build    ─► a family (ordinal, floats, text, json, …) ─► ValueSource: excluded values, size
//! ```
//!
//! Invariants: a drawn value is the input text of the type, which the server takes with the column's modifiers; it
//! satisfies the limits; the same numbers from [`Random`] give the same value. A limit that cannot be solved for a
//! type is an error when the source is made, never a value that violates it.

mod build;
mod bytes;
mod clock;
mod compound;
mod decimal;
mod digits;
mod expression;
mod floats;
mod form;
mod json;
mod kind;
mod limits;
mod list;
mod moments;
mod named;
mod near;
mod network;
mod numeric;
mod ordinal;
mod pattern;
mod phrases;
mod ranges;
mod scalars;
mod text;
mod text_order;
mod trouble;

pub use expression::Pattern;
pub use limits::{Bound, Limits};
pub(super) use pattern::{mistake_in, unsolvable};

use crate::catalog::DataType;
use crate::error::Result;
use crate::harness::Random;
use kind::{Values, nothing_left};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How often a draw is repeated before the source falls back to a value that is known to be good.
const TRIES_MAX: u32 = 64;
/// The same for a value out of the words of a condition.
const NEAR_TRIES_MAX: u32 = 8;
/// How often a source tries to find a first value before it says that there is none.
const FIRST_TRIES_MAX: u32 = 2_000;

/// Where the values of one column come from.
#[derive(Debug, Clone)]
pub struct ValueSource {
    values: Arc<dyn Values>,
    /// Keys of values that the limits exclude, and what [`ValueSource::nth`] has in their place.
    excluded: BTreeMap<String, Option<String>>,
    octets_max: usize,
    plain: bool,
    capacity: u64,
    /// A value that satisfies everything, for draws that found none.
    known_good: String,
}

impl ValueSource {
    /// The values of a type within limits.
    ///
    /// # Errors
    ///
    /// When no value satisfies the limits, when a limit cannot be solved for the type (a minimum of `json`), or when
    /// nothing is known about the type and the limits list no values.
    pub fn new(data_type: &DataType, limits: Limits) -> Result<Self> {
        let values = match &limits.allowed {
            None => build::build(data_type, &limits)?,
            Some(allowed) => allowed_only(data_type, allowed, &limits)?,
        };
        let mut source = ValueSource {
            excluded: limits.excluded.iter().map(|value| (values.key(value).into_owned(), None)).collect(),
            octets_max: limits.octets_max.map_or(usize::MAX, |octets| octets as usize),
            plain: limits.plain,
            capacity: values.capacity(),
            known_good: String::new(),
            values,
        };
        source.known_good = source.first().ok_or_else(|| {
            nothing_left(data_type, "no value was found that satisfies the limits together with what they exclude")
        })?;
        source.make_room_for_excluded();
        Ok(source)
    }

    /// A value within the limits, as the text that the type's input function reads; never NULL.
    pub fn draw(&self, random: &mut Random, awkward: bool) -> String {
        let mut text = String::new();
        self.draw_into(random, awkward, &mut text);
        text
    }

    /// As [`ValueSource::draw`], appended to `text`, which saves an allocation per value.
    pub fn draw_into(&self, random: &mut Random, awkward: bool, text: &mut String) {
        let start = text.len();
        for _ in 0..TRIES_MAX {
            if awkward && !self.plain {
                self.values.awkward(random, text);
            } else {
                self.values.ordinary(random, text);
            }
            if self.excluded.is_empty() && self.octets_max == usize::MAX || self.is_allowed(&text[start..]) {
                return;
            }
            text.truncate(start);
        }
        text.push_str(&self.known_good);
    }

    /// A value within the limits, made of the texts and numbers that a condition names.
    pub fn near(&self, words: &[&str], random: &mut Random) -> String {
        for _ in 0..NEAR_TRIES_MAX {
            let mut text = String::new();
            self.values.near(words, random, &mut text);
            if self.values.accepts(&text) && self.is_allowed(&text) {
                return text;
            }
        }
        self.draw(random, false)
    }

    /// Whether a text is a value within the limits.
    pub(in crate::harness::generate) fn accepts(&self, text: &str) -> bool {
        self.values.accepts(text) && self.is_allowed(text)
    }

    /// The `index`-th of the distinct values: no two are equal under the type's own equality. `None` from
    /// [`ValueSource::capacity`] on.
    pub fn nth(&self, index: u64) -> Option<String> {
        if index >= self.capacity {
            return None;
        }
        let mut text = String::new();
        self.values.nth(index, &mut text);
        if !self.excluded.is_empty()
            && let Some(instead) = self.excluded.get(self.values.key(&text).as_ref())
        {
            return instead.clone();
        }
        Some(text)
    }

    /// How many distinct values [`ValueSource::nth`] has; `u64::MAX` stands for as many as anybody wants, 0 for a type
    /// that cannot be in a unique key.
    pub fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Values to try in place of `value` when a failing case is shrunk, the simplest first, all within the limits.
    /// Following them always ends: each is simpler than `value` in the same order.
    pub fn simpler(&self, value: &str) -> Vec<String> {
        let simplest = self.values.simplest();
        let place = simplest.iter().position(|known| known == value);
        let mut found: Vec<String> = simplest.iter().take(place.unwrap_or(simplest.len())).cloned().collect();
        if place.is_none() {
            let rank = |text: &str| (text.len(), text.bytes().map(u64::from).sum::<u64>());
            for candidate in self.values.reductions(value) {
                if rank(&candidate) < rank(value) && !found.contains(&candidate) {
                    found.push(candidate);
                }
            }
        }
        found.retain(|candidate| self.values.accepts(candidate) && self.is_allowed(candidate));
        found
    }

    /// The same text for values that are equal to the server.
    pub fn key<'v>(&self, value: &'v str) -> std::borrow::Cow<'v, str> {
        self.values.key(value)
    }

    fn is_allowed(&self, value: &str) -> bool {
        value.len() <= self.octets_max
            && (self.excluded.is_empty() || !self.excluded.contains_key(self.values.key(value).as_ref()))
    }

    /// A first value that satisfies everything.
    fn first(&self) -> Option<String> {
        if let Some(simple) = self.values.simplest().into_iter().find(|value| self.is_allowed(value)) {
            return Some(simple);
        }
        let mut random = crate::harness::Seed(0).random();
        let mut text = String::new();
        for attempt in 0..FIRST_TRIES_MAX {
            text.clear();
            if attempt % 4 == 3 && !self.plain {
                self.values.awkward(&mut random, &mut text);
            } else {
                self.values.ordinary(&mut random, &mut text);
            }
            if self.is_allowed(&text) {
                return Some(text);
            }
        }
        (0..self.capacity.min(u64::from(FIRST_TRIES_MAX))).find_map(|index| {
            text.clear();
            self.values.nth(index, &mut text);
            self.is_allowed(&text).then(|| text.clone())
        })
    }

    /// Takes values from the end of the numbering in place of the excluded ones, so that `nth` stays distinct.
    fn make_room_for_excluded(&mut self) {
        if self.excluded.is_empty() || self.capacity == 0 {
            return;
        }
        let mut spares = Vec::new();
        let mut end = self.capacity;
        // Excluded values that are met on the way are simply cut off.
        while spares.len() < self.excluded.len() && end > 0 {
            end -= 1;
            let mut text = String::new();
            self.values.nth(end, &mut text);
            if self.is_allowed(&text) {
                spares.push(text);
            }
        }
        // A small type may have fewer values left than are excluded: then the numbering is written out.
        if end == 0 {
            let mut all: Vec<String> = spares;
            all.reverse();
            self.capacity = all.len() as u64;
            self.values = Arc::new(list::Numbered::new(Arc::clone(&self.values), all));
            return;
        }
        self.capacity = end;
        for (instead, spare) in self.excluded.values_mut().zip(spares) {
            *instead = Some(spare);
        }
    }
}

/// The values that a check or a hint lists, as far as the other limits allow them.
fn allowed_only(data_type: &DataType, allowed: &[String], limits: &Limits) -> Result<Arc<dyn Values>> {
    let others = Limits { allowed: None, ..limits.clone() };
    let family = match build::build(data_type, &others) {
        Ok(family) => Some(family),
        // A type of which nothing is known has the values that somebody gave for it.
        Err(_) if !others.restricts() => None,
        Err(error) => return Err(error),
    };
    let mut keys = std::collections::BTreeSet::new();
    let mut left = Vec::new();
    for value in allowed {
        let accepted = family.as_ref().is_none_or(|family| family.accepts(value));
        let key = family.as_ref().map_or(value.as_str().into(), |family| family.key(value));
        if accepted && keys.insert(key.into_owned()) {
            left.push(value.clone());
        }
    }
    if left.is_empty() {
        return Err(nothing_left(data_type, "none of the listed values satisfies the other limits"));
    }
    let unique = family.as_ref().is_none_or(|family| family.capacity() > 0);
    Ok(match family {
        None => Arc::new(list::List::new(left, unique)),
        Some(family) => Arc::new(list::Listed::new(list::List::new(left, unique), family)),
    })
}

#[cfg(test)]
mod tests;
