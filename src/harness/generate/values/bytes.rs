//! `bytea`: limits of length count octets.

use super::Limits;
use super::digits::push_hex;
use super::kind::{self, Limit, Values, nothing_left};
use super::text::CHARACTERS_MAX;
use crate::catalog::DataType;
use crate::error::Result;
use crate::harness::Random;
use std::borrow::Cow;
use std::sync::Arc;

/// How long ordinary values are.
const USUAL_OCTETS_MAX: u64 = 24;
/// The long awkward value, drawn rarely: a megabyte.
const LONG_OCTETS: u64 = 1 << 20;
const LONG_SHARE: f64 = 0.002;

#[derive(Debug)]
struct Bytes {
    octets_min: u64,
    octets_max: u64,
}

impl Bytes {
    fn push(text: &mut String, octets: impl Iterator<Item = u8>) {
        text.push_str("\\x");
        for octet in octets {
            push_hex(text, octet.into(), 2);
        }
    }

    fn clamp(&self, octets: u64) -> u64 {
        octets.clamp(self.octets_min, self.octets_max)
    }
}

impl Values for Bytes {
    fn ordinary(&self, random: &mut Random, text: &mut String) {
        let octets = self.clamp(random.below(USUAL_OCTETS_MAX + 1));
        text.push_str("\\x");
        for at in 0..octets.div_ceil(8) {
            push_hex(text, random.bits().into(), 2 * (octets - 8 * at).min(8) as u32);
        }
    }

    fn awkward(&self, random: &mut Random, text: &mut String) {
        if random.chance(LONG_SHARE) {
            return Self::push(text, (0..self.clamp(LONG_OCTETS)).map(|at| at as u8));
        }
        let octets = match random.below(4) {
            0 => self.octets_min,
            1 => self.clamp(1),
            _ => self.clamp(random.below(300)),
        };
        match random.below(5) {
            0 => Self::push(text, std::iter::repeat_n(0, octets as usize)),
            1 => Self::push(text, std::iter::repeat_n(0xff, octets as usize)),
            2 => Self::push(text, (0..octets).map(|at| at as u8)),
            // A backslash, a quote, half a character, the magic number of SQLite's files.
            3 => Self::push(text, b"\\'\xc3\x00SQLite format 3\x00".iter().cycle().copied().take(octets as usize)),
            _ => Self::push(text, (0..octets).map(|_| random.bits() as u8)),
        }
    }

    fn capacity(&self) -> u64 {
        let octets = self.octets_max.max(self.octets_min).min(8);
        if octets == 8 { u64::MAX } else { 1 << (8 * octets) }
    }

    fn nth(&self, index: u64, text: &mut String) {
        // All of one length: the numbers from 0 on, big-endian.
        let octets = self.clamp(if self.octets_max >= 8 { 8.min(self.octets_max) } else { self.octets_max });
        text.push_str("\\x");
        text.extend(std::iter::repeat_n('0', 2 * octets.saturating_sub(8) as usize));
        push_hex(text, index.into(), 2 * octets.min(8) as u32);
    }

    fn accepts(&self, value: &str) -> bool {
        value.strip_prefix("\\x").is_some_and(|digits| {
            digits.bytes().all(|digit| digit.is_ascii_hexdigit())
                && digits.len() % 2 == 0
                && (self.octets_min..=self.octets_max).contains(&(digits.len() as u64 / 2))
        })
    }

    fn key<'v>(&self, value: &'v str) -> Cow<'v, str> {
        Cow::Owned(value.to_ascii_lowercase())
    }

    fn simplest(&self) -> Vec<String> {
        let mut text = String::new();
        Self::push(&mut text, std::iter::repeat_n(0, self.octets_min as usize));
        vec![text]
    }

    fn reductions(&self, value: &str) -> Vec<String> {
        let Some(digits) = value.strip_prefix("\\x").filter(|digits| digits.is_ascii()) else { return Vec::new() };
        let cut = |octets: usize| format!("\\x{}", &digits[..(2 * octets).min(digits.len())]);
        let octets = digits.len() / 2;
        vec![cut(1), cut(octets / 2), cut(octets.saturating_sub(1)), format!("\\x{}", "0".repeat(digits.len()))]
    }
}

/// `bytea`.
pub(super) fn build(data_type: &DataType, limits: &Limits) -> Result<Arc<dyn Values>> {
    kind::only(data_type, limits, &[Limit::Length])?;
    let octets_min = limits.length_min.unwrap_or(0).into();
    let octets_max = limits.length_max.map_or(u64::from(u32::MAX), u64::from);
    if octets_min > octets_max {
        return Err(nothing_left(data_type, "its least length is above its greatest"));
    }
    if octets_min > u64::from(CHARACTERS_MAX) {
        let cause = format!("its least length {octets_min} is above {CHARACTERS_MAX}, the most that is generated");
        return Err(nothing_left(data_type, cause));
    }
    Ok(Arc::new(Bytes { octets_min, octets_max }))
}
