//! `uuid` and other types of one small value each.

use super::Limits;
use super::digits::push_hex;
use super::kind::{self, Values};
use crate::catalog::DataType;
use crate::error::Result;
use crate::harness::{Random, Seed};
use std::borrow::Cow;
use std::sync::Arc;

const AWKWARD_UUIDS: [&str; 6] = [
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
    "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
    "80000000-0000-0000-0000-000000000000",
    "00000000-0000-0000-0000-000000000001",
];

#[derive(Debug)]
struct Uuids;

fn push_uuid(text: &mut String, high: u64, low: u64) {
    // Version 4, variant 1: what `gen_random_uuid()` makes.
    let high = high & !0xf000 | 0x4000;
    let low = low & !(0b11 << 62) | 0b10 << 62;
    push_hex(text, (high >> 32).into(), 8);
    text.push('-');
    push_hex(text, (high >> 16).into(), 4);
    text.push('-');
    push_hex(text, high.into(), 4);
    text.push('-');
    push_hex(text, (low >> 48).into(), 4);
    text.push('-');
    push_hex(text, low.into(), 12);
}

impl Values for Uuids {
    fn ordinary(&self, random: &mut Random, text: &mut String) {
        push_uuid(text, random.bits(), random.bits());
    }

    fn awkward(&self, random: &mut Random, text: &mut String) {
        text.push_str(AWKWARD_UUIDS[random.below(AWKWARD_UUIDS.len() as u64) as usize]);
    }

    fn capacity(&self) -> u64 {
        1 << 62
    }

    fn nth(&self, index: u64, text: &mut String) {
        // The low half without its variant is the number itself; the rest is only for looks.
        push_uuid(text, Seed(index).random().bits(), index);
    }

    fn accepts(&self, value: &str) -> bool {
        let digits = self.key(value);
        digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    }

    fn key<'v>(&self, value: &'v str) -> Cow<'v, str> {
        Cow::Owned(value.chars().filter(|letter| !"-{}".contains(*letter)).collect::<String>().to_ascii_lowercase())
    }

    fn simplest(&self) -> Vec<String> {
        vec![AWKWARD_UUIDS[0].to_owned(), AWKWARD_UUIDS[5].to_owned()]
    }

    fn reductions(&self, _value: &str) -> Vec<String> {
        Vec::new()
    }
}

/// `uuid`.
pub(super) fn uuid(data_type: &DataType, limits: &Limits) -> Result<Arc<dyn Values>> {
    kind::only(data_type, limits, &[])?;
    Ok(Arc::new(Uuids))
}
