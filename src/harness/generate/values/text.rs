//! Text types: their lengths count characters, those of `name` octets.

use super::digits::push_unsigned;
use super::kind::{Values, nothing_left};
use super::pattern::Language;
use super::text_order::{self, Start};
use super::{Limits, Pattern, near, trouble};
use crate::catalog::{DataType, Shape};
use crate::error::Result;
use crate::harness::Random;
use std::borrow::Cow;
use std::sync::Arc;

/// The alphabet of numbered texts, and of plain ones.
const PLAIN: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
/// More of it where texts are too short to be many.
const MORE: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789!#$&*+-./:;<=>?@[]^_{|}~(),%`ABCDEFGHIJKLMNOPQRSTUVWXYZ";
/// Without the upper case, for types that ignore case.
const MORE_WITHOUT_CASE: usize = 66;
/// Texts this long have enough values over the plain alphabet.
const ENOUGH_CHARACTERS: u32 = 6;
/// How long plain texts are at most, unless they have to be longer.
const PLAIN_CHARACTERS_MAX: u32 = 12;
/// How long ordinary texts are at most, unless they have to be longer.
const USUAL_CHARACTERS_MAX: u32 = 40;
const NAME_OCTETS_MAX: usize = 63;
/// No text has to be longer than this: a few of them are as much as a program should hold at once.
pub(super) const CHARACTERS_MAX: u32 = 1 << 20;

#[derive(Debug)]
pub(super) struct Text {
    length_min: u32,
    length_max: u32,
    octets_max: usize,
    ignore_case: bool,
    ignore_trailing_blanks: bool,
    plain: bool,
    starts: Option<Vec<Start>>,
    language: Option<Language>,
    /// How many characters the language's texts have, where it sees the blanks that fill a text up.
    padded: Option<u32>,
}

impl Text {
    fn clamp(&self, characters: u32) -> u32 {
        characters.clamp(self.length_min, self.length_max)
    }

    fn push_letters(random: &mut Random, alphabet: &[u8], count: u32, text: &mut String) {
        for _ in 0..count {
            text.push(char::from(alphabet[random.below(alphabet.len() as u64) as usize]));
        }
    }

    fn push_words(&self, random: &mut Random, text: &mut String) {
        let start = text.len();
        let characters_max = self.length_max.min(USUAL_CHARACTERS_MAX.max(self.length_min)) as usize;
        if characters_max < 8 {
            let characters = self.clamp(1 + random.below(characters_max.max(1) as u64) as u32);
            return Self::push_letters(random, PLAIN, characters, text);
        }
        for at in 0..=random.below(4) {
            let word = trouble::WORDS[random.below(trouble::WORDS.len() as u64) as usize];
            if text.len() - start + word.len() + 1 > characters_max {
                break;
            }
            if at > 0 {
                text.push(' ');
            }
            text.push_str(word);
        }
        if random.chance(0.5) && text.len() - start + 6 <= characters_max {
            text.push(' ');
            push_unsigned(text, random.below(100_000).into());
        }
        // Words are ASCII: octets are characters here.
        let missing = self.length_min.saturating_sub((text.len() - start) as u32);
        Self::push_letters(random, PLAIN, missing, text);
    }

    fn push_after_start(&self, random: &mut Random, starts: &[Start], text: &mut String) {
        let Some(start) = random.pick(starts) else { return };
        text.push_str(&start.prefix);
        let taken = start.prefix.chars().count() as u32;
        let least = self.length_min.saturating_sub(taken).max(start.more_min);
        let most = self.length_max.saturating_sub(taken).min(PLAIN_CHARACTERS_MAX).max(least);
        if !start.alphabet.is_empty() {
            let count = random.within(least.into(), most.into()) as u32;
            Self::push_letters(random, start.alphabet, count, text);
        }
    }

    /// A text out of the table of trouble, cut or filled to length.
    fn trouble(&self, random: &mut Random) -> String {
        let mut value = match random.below(8) {
            _ if random.chance(trouble::LONG_SHARE) => "x".repeat(trouble::LONG_CHARACTERS),
            0 => "\u{1f600}".repeat(self.clamp(random.below(200) as u32) as usize),
            1 => random_characters(random),
            _ => random.pick(&trouble::TEXTS).map_or(String::new(), |text| (*text).to_owned()),
        };
        let count = value.chars().count() as u32;
        if count < self.length_min {
            let filling = ["\u{e4}", " ", "\u{301}", "\\", "x"][random.below(5) as usize];
            value.push_str(&filling.repeat((self.length_min - count) as usize));
        } else if count > self.length_max {
            let end = value.char_indices().nth(self.length_max as usize).map_or(value.len(), |(at, _)| at);
            value.truncate(end);
        }
        while value.len() > self.octets_max {
            value.pop();
        }
        value
    }

    fn alphabet(&self) -> &'static [u8] {
        match (self.plain || self.length_max >= ENOUGH_CHARACTERS, self.ignore_case) {
            (true, _) => PLAIN,
            (false, true) => &MORE[..MORE_WITHOUT_CASE],
            (false, false) => MORE,
        }
    }

    /// The lengths of what is appended to the only prefix of numbered texts, and that prefix and its alphabet.
    fn numbering(&self) -> (&str, &[u8], u32, u32) {
        let Some(start) = self.numbering_start() else {
            return ("", self.alphabet(), self.length_min, self.length_max);
        };
        let taken = start.prefix.chars().count() as u32;
        let least = self.length_min.saturating_sub(taken).max(start.more_min);
        let most = if start.alphabet.is_empty() { 0 } else { self.length_max.saturating_sub(taken) };
        (&start.prefix, start.alphabet, least, most)
    }

    /// Of several starts the one with the most room.
    fn numbering_start(&self) -> Option<&Start> {
        let starts = self.starts.as_ref()?;
        starts
            .iter()
            .filter(|start| !start.alphabet.is_empty())
            .min_by_key(|start| start.prefix.len())
            .or(starts.first())
    }
}

/// A few characters from all of Unicode, without U+0000.
fn random_characters(random: &mut Random) -> String {
    const PLANES: [(u32, u32); 8] = [
        (0x1, 0x7f),
        (0x80, 0x24f),
        (0x300, 0x36f),
        (0x590, 0x6ff),
        (0x900, 0xdff),
        (0x2000, 0x2fff),
        (0x4e00, 0x9fff),
        (0x1_f300, 0x1_faff),
    ];
    (0..random.below(24))
        .filter_map(|_| {
            let (low, high) = PLANES[random.below(PLANES.len() as u64) as usize];
            char::from_u32(random.within(low.into(), high.into()) as u32)
        })
        .collect()
}

/// How many texts of exactly so many letters there are.
fn count(alphabet: &[u8], letters: u32) -> u64 {
    (alphabet.len() as u64).checked_pow(letters).unwrap_or(u64::MAX)
}

impl Values for Text {
    fn ordinary(&self, random: &mut Random, text: &mut String) {
        match (&self.language, &self.starts) {
            (Some(language), _) => language.draw(random, false, text),
            (None, Some(starts)) => self.push_after_start(random, starts, text),
            (None, None) if self.plain => {
                let most = self.length_max.clamp(1, PLAIN_CHARACTERS_MAX);
                let characters = self.clamp(1 + random.below(most.into()) as u32);
                Self::push_letters(random, PLAIN, characters, text);
            }
            (None, None) => self.push_words(random, text),
        }
    }

    fn awkward(&self, random: &mut Random, text: &mut String) {
        if self.language.is_none() && self.starts.is_none() {
            let value = self.trouble(random);
            return if self.accepts(&value) || self.plain {
                text.push_str(&value)
            } else {
                self.ordinary(random, text)
            };
        }
        // Trouble that happens to satisfy the limits is worth a few attempts.
        for _ in 0..4 {
            let value = self.trouble(random);
            if self.accepts(&value) {
                return text.push_str(&value);
            }
        }
        match &self.language {
            Some(language) => language.draw(random, true, text),
            None => self.ordinary(random, text),
        }
    }

    fn near(&self, words: &[&str], random: &mut Random, text: &mut String) {
        let mut value = String::new();
        near::push_pieces(words, random, &mut value);
        let missing = self.length_min.saturating_sub(value.chars().count() as u32);
        Self::push_letters(random, PLAIN, missing, &mut value);
        if let Some((end, _)) = value.char_indices().nth(self.length_max as usize) {
            value.truncate(end);
        }
        text.push_str(&value);
    }

    fn capacity(&self) -> u64 {
        if let Some(language) = &self.language {
            return language.capacity();
        }
        let (_, alphabet, least, most) = self.numbering();
        let mut sum = 0_u64;
        for letters in least..=most {
            sum = sum.saturating_add(count(alphabet, letters));
            if sum == u64::MAX {
                break;
            }
        }
        sum
    }

    fn nth(&self, index: u64, text: &mut String) {
        if let Some(language) = &self.language {
            return language.nth(index, text);
        }
        let (prefix, alphabet, least, most) = self.numbering();
        text.push_str(prefix);
        let mut rest = index;
        // The empty text comes last, not first: it is rarely what a key has.
        let lengths = (least.max(1)..=most).chain((least == 0).then_some(0));
        for letters in lengths {
            let of_length = count(alphabet, letters);
            if rest >= of_length && of_length != u64::MAX {
                rest -= of_length;
                continue;
            }
            let start = text.len();
            for _ in 0..letters {
                text.insert(start, char::from(alphabet[(rest % alphabet.len() as u64) as usize]));
                rest /= alphabet.len() as u64;
            }
            return;
        }
    }

    fn accepts(&self, value: &str) -> bool {
        // The server does not count the blanks that it fills up itself.
        let counted = if self.ignore_trailing_blanks { value.trim_end_matches(' ') } else { value };
        let characters = counted.chars().count();
        characters >= self.length_min as usize
            && characters <= self.length_max as usize
            && value.len() <= self.octets_max
            && !value.contains('\0')
            && (!self.plain
                || value.bytes().all(|letter| PLAIN.contains(&letter))
                || self.language.is_some()
                || self.starts.is_some())
            && self.starts.as_ref().is_none_or(|starts| starts.iter().any(|start| start.matches(value)))
            && self.language.as_ref().is_none_or(|language| match self.padded {
                None => language.contains(value),
                Some(characters) => language.contains(&format!("{counted:<width$}", width = characters as usize)),
            })
    }

    fn key<'v>(&self, value: &'v str) -> Cow<'v, str> {
        let value = if self.ignore_trailing_blanks { value.trim_end_matches(' ') } else { value };
        if self.ignore_case { Cow::Owned(value.to_lowercase()) } else { Cow::Borrowed(value) }
    }

    fn simplest(&self) -> Vec<String> {
        let filled = |letter: &str| letter.repeat(self.length_min.max(1) as usize);
        let mut found = vec![String::new(), filled("a"), filled("b")];
        if let Some(language) = &self.language {
            found.extend(language.shortest());
        }
        for start in self.starts.iter().flatten() {
            let letter = start.alphabet.first().map_or(String::new(), |letter| char::from(*letter).to_string());
            let missing = self.length_min.saturating_sub(start.prefix.chars().count() as u32).max(start.more_min);
            found.push(format!("{}{}", start.prefix, letter.repeat(missing as usize)));
        }
        found.retain(|value| self.accepts(value));
        found.dedup();
        found
    }

    fn reductions(&self, value: &str) -> Vec<String> {
        let letters: Vec<char> = value.chars().collect();
        let some = |part: &[char]| part.iter().collect::<String>();
        let half = letters.len() / 2;
        let ascii = |letter: &char| if letter.is_ascii_graphic() || *letter == ' ' { *letter } else { 'a' };
        let mut found = vec![
            "a".repeat(letters.len()),
            some(&letters[..letters.len().min(self.length_min as usize)]),
            some(&letters[..half]),
            some(&letters[half..]),
            letters.iter().map(ascii).collect(),
            letters.iter().filter(|letter| letter.is_ascii()).collect(),
        ];
        // One character less at every place, while that is not too many candidates.
        for at in 0..letters.len().min(16) {
            found
                .push(letters.iter().enumerate().filter(|(place, _)| *place != at).map(|(_, letter)| letter).collect());
        }
        if !letters.is_empty() {
            found.push(some(&letters[..letters.len() - 1]));
        }
        found
    }
}

/// A text type within its own length and its limits.
pub(super) fn build(data_type: &DataType, limits: &Limits) -> Result<Arc<dyn Values>> {
    let own_length = match data_type.shape {
        Shape::VarChar { length } | Shape::Char { length } => length.and_then(|length| u32::try_from(length).ok()),
        Shape::Name => Some(NAME_OCTETS_MAX as u32),
        _ => None,
    };
    let length_max = limits.length_max.unwrap_or(u32::MAX).min(own_length.unwrap_or(u32::MAX));
    let length_min = limits.length_min.unwrap_or(0);
    if length_min > length_max {
        return Err(nothing_left(
            data_type,
            format!("its least length {length_min} is above its greatest {length_max}"),
        ));
    }
    let starts = text_order::starts(limits);
    if starts.as_ref().is_some_and(Vec::is_empty) {
        return Err(nothing_left(data_type, "no text is within the range of its limits under every collation"));
    }
    if starts.is_some() && !limits.patterns.is_empty() {
        return Err(nothing_left(data_type, "a range and a pattern cannot be solved together"));
    }
    if length_min > CHARACTERS_MAX {
        let cause = format!("its least length {length_min} is above {CHARACTERS_MAX}, the most that is generated");
        return Err(nothing_left(data_type, cause));
    }
    // Of a `char(n)`, a pattern sees all n characters, the blanks that fill it included.
    let padded = own_length.filter(|_| limits.padded && !limits.patterns.is_empty());
    let language = match padded {
        _ if limits.patterns.is_empty() => None,
        None => Some(Language::new(data_type, &limits.patterns, length_min, length_max)?),
        Some(characters) => {
            let mut patterns = limits.patterns.clone();
            if length_min > 0 || length_max < characters {
                let most = length_max.saturating_sub(1);
                let text = match length_min.checked_sub(1) {
                    Some(least) => format!("^.{{{least},{most}}}[^ ] *$"),
                    None if length_max == 0 => "^ *$".to_owned(),
                    None => format!("^(.{{0,{most}}}[^ ])? *$"),
                };
                patterns.push(Pattern::Regex { text, ignore_case: false, negated: false });
            }
            Some(Language::new(data_type, &patterns, characters, characters)?)
        }
    };
    let text = Text {
        length_min,
        length_max,
        octets_max: if data_type.shape == Shape::Name { NAME_OCTETS_MAX } else { usize::MAX },
        ignore_case: data_type.shape == Shape::Citext,
        ignore_trailing_blanks: matches!(data_type.shape, Shape::Char { .. }),
        plain: limits.plain,
        starts,
        language,
        padded,
    };
    Ok(Arc::new(text))
}
