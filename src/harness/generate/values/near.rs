//! Values out of what a condition names: its texts, its numbers, and the values beside it in the row.
//!
//! A check that was not solved says by its literals what it is about: `left(code, 2) IN ('DE', 'FR')` holds for a text
//! that begins with one of them, and for hardly any other. So pieces of texts, neighbours of numbers and round moments
//! are put together from the words; whether they satisfy the check, who decides it is asked.

use super::clock::MICROS_PER_DAY;
use super::digits::push_unsigned;
use super::form::Form;
use crate::harness::Random;
use crate::value::calendar::{civil_from_days, parse_date};

/// How much of a word is taken.
const WORD_CHARACTERS_MAX: usize = 64;

pub(super) fn word<'w>(words: &[&'w str], random: &mut Random) -> Option<&'w str> {
    let word = random.pick(words).copied()?;
    Some(word.char_indices().nth(WORD_CHARACTERS_MAX).map_or(word, |(end, _)| &word[..end]))
}

/// Appends a few pieces: words, letters of either case, digits, what stands between them.
pub(super) fn push_pieces(words: &[&str], random: &mut Random, text: &mut String) {
    let alphabets: [&[u8]; 3] = [b"abcdefghijklmnopqrstuvwxyz", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"0123456789"];
    for _ in 0..=random.below(4) {
        match (random.below(8), word(words, random)) {
            (0..=3, Some(word)) => text.push_str(word),
            (7, _) => text.push(char::from(b"-_.,:/@ "[random.below(8) as usize])),
            (kind, _) => {
                let alphabet = alphabets[kind as usize % 3];
                for _ in 0..=random.below(5) {
                    text.push(char::from(alphabet[random.below(alphabet.len() as u64) as usize]));
                }
            }
        }
    }
}

/// A place of a row: of a word or a neighbour of it, or `usual` rounded as people round.
pub(super) fn place(form: Form, words: &[&str], usual: i128, random: &mut Random) -> i128 {
    let read = random.pick(words).and_then(|word| Some((*word, form.read(word)?.0)));
    match (random.below(6), read) {
        (0, Some((_, place))) => place,
        (1, Some((_, place))) => place.saturating_add(random.within(-2, 2)),
        (2, Some((_, place))) => random.within(0, place),
        (3, Some((_, place))) => place.saturating_mul(random.within(-1, 3)),
        (4, _) => {
            let high = [12, 100, 1_000][random.below(3) as usize];
            random.within(-3, high)
        }
        _ => rounded(form, words, usual, random),
    }
}

fn rounded(form: Form, words: &[&str], usual: i128, random: &mut Random) -> i128 {
    let to = |unit: i128| usual.div_euclid(unit) * unit;
    let micros = match form {
        Form::Integer | Form::LogPosition | Form::Hardware { .. } => {
            return to([2, 5, 10, 100][random.below(4) as usize]);
        }
        Form::Decimal { scale } => return to(super::digits::power_of_ten(scale.max(0) as u32)),
        Form::Date => MICROS_PER_DAY,
        Form::Timestamp { micros, .. } | Form::Time { micros } => micros,
    };
    // A second, a minute, a quarter of an hour, an hour, a day; then a day of the year, or of a year that is named.
    let day = MICROS_PER_DAY;
    let choice = random.below(8) as usize;
    if choice < 5 || matches!(form, Form::Time { .. }) {
        let unit = [1_000_000, 60_000_000, 900_000_000, 3_600_000_000, day][choice.min(4)];
        return to(i128::from((unit / micros).max(1)));
    }
    let (year, month, _) = civil_from_days((usual * i128::from(micros)).div_euclid(i128::from(day)) as i64);
    let named = random.pick(words).and_then(|word| word.parse().ok()).filter(|year| (1_i64..=9_999).contains(year));
    let mut date = String::new();
    super::digits::push_padded(&mut date, named.unwrap_or(year.clamp(1, 9_999)) as u64, 4);
    date.push_str(&format!("-{month:02}-01"));
    let days = parse_date(&date).map_or(0, i128::from) + i128::from(named.is_some()) * random.within(0, 27);
    days * i128::from(day) / i128::from(micros)
}

/// A JSON document whose members and strings are the words.
pub(super) fn push_json(words: &[&str], random: &mut Random, text: &mut String) {
    use serde_json::Value;
    let whole = word(words, random).filter(|_| random.chance(0.3)).and_then(|word| {
        serde_json::from_str::<Value>(word).ok().filter(|value| value.is_object() || value.is_array())
    });
    let scalar = |random: &mut Random| match (random.below(6), word(words, random)) {
        (0..=2, Some(word)) => serde_json::from_str(word).unwrap_or_else(|_| Value::from(word)),
        (3, Some(word)) => Value::from(word),
        (4, _) => {
            let mut pieces = String::new();
            push_pieces(words, random, &mut pieces);
            Value::from(pieces)
        }
        _ => Value::from(random.below(100)),
    };
    let value = match (whole, random.below(6)) {
        (Some(whole), _) => whole,
        (None, 0) => scalar(random),
        (None, 1) => (0..=random.below(3)).map(|_| scalar(random)).collect(),
        (None, _) => {
            let mut members = serde_json::Map::new();
            for name in words.iter().copied().chain(["id", "name"]).filter(|name| name.len() <= WORD_CHARACTERS_MAX) {
                if random.chance(0.6) {
                    let member = match random.below(4) {
                        0 => (0..random.below(3)).map(|_| scalar(random)).collect(),
                        1 => Value::Object(std::iter::once((name.to_owned(), scalar(random))).collect()),
                        _ => scalar(random),
                    };
                    members.insert(name.to_owned(), member);
                }
            }
            Value::Object(members)
        }
    };
    text.push_str(&value.to_string());
}

/// An address in a network that is a word, with or without the length of a network.
pub(super) fn push_address(words: &[&str], random: &mut Random, text: &mut String) {
    let networks: Vec<(std::net::Ipv4Addr, u32)> = (words.iter())
        .filter_map(|word| {
            let (address, length) = word.split_once('/').unwrap_or((word, "32"));
            Some((address.parse().ok()?, length.parse().ok().filter(|length| *length <= 32)?))
        })
        .collect();
    let (network, length) = random.pick(&networks).copied().unwrap_or((std::net::Ipv4Addr::new(192, 168, 0, 0), 16));
    let inside = random.bits() as u32 & u32::MAX.checked_shr(length).unwrap_or(0);
    let address =
        std::net::Ipv4Addr::from_bits(network.to_bits() & !u32::MAX.checked_shr(length).unwrap_or(0) | inside);
    text.push_str(&address.to_string());
    if random.chance(0.3) {
        text.push('/');
        push_unsigned(text, random.pick(&[32, 24]).copied().unwrap_or(32));
    }
}
