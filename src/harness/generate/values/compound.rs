//! Arrays and composites: what they hold comes from the sources of their parts, quoted as their input functions read.

use super::Limits;
use super::digits::push_integer;
use super::kind::{self, Values};
use crate::catalog::{Composite, DataType, Shape};
use crate::error::Result;
use crate::harness::Random;
use std::sync::Arc;

const ELEMENTS_MAX: u64 = 4;
/// The most elements that a number in a condition may ask for.
const NEAR_ELEMENTS_MAX: u64 = 64;

#[derive(Debug)]
struct Array {
    element: Arc<dyn Values>,
    element_may_be_null: bool,
    delimiter: char,
}

/// Whether a value below a domain may be NULL.
fn may_be_null(data_type: &DataType) -> bool {
    match &data_type.shape {
        Shape::Domain(domain) => !domain.not_null && may_be_null(&domain.base),
        _ => true,
    }
}

/// Puts quotes around what was appended since `start`, with backslashes before quotes and backslashes.
fn quote_since(text: &mut String, start: usize, needs_quotes: impl Fn(&str) -> bool) {
    if !needs_quotes(&text[start..]) {
        return;
    }
    let value = text.split_off(start);
    text.reserve(value.len() + 2);
    text.push('"');
    for letter in value.chars() {
        if matches!(letter, '"' | '\\') {
            text.push('\\');
        }
        text.push(letter);
    }
    text.push('"');
}

impl Array {
    fn quote(&self, text: &mut String, start: usize) {
        let special =
            |letter: char| matches!(letter, '{' | '}' | '"' | '\\') || letter == self.delimiter || is_blank(letter);
        quote_since(text, start, |value| {
            value.is_empty() || value.eq_ignore_ascii_case("null") || value.contains(special)
        });
    }

    fn push_element(&self, random: &mut Random, awkward: bool, text: &mut String) {
        if awkward && self.element_may_be_null && random.chance(0.2) {
            return text.push_str("NULL");
        }
        let start = text.len();
        if awkward && random.chance(0.5) {
            self.element.awkward(random, text);
        } else {
            self.element.ordinary(random, text);
        }
        self.quote(text, start);
    }

    fn push_level(&self, random: &mut Random, lengths: &[u64], text: &mut String) {
        let Some((length, inner)) = lengths.split_first() else { return self.push_element(random, true, text) };
        text.push('{');
        for at in 0..*length {
            if at > 0 {
                text.push(self.delimiter);
            }
            self.push_level(random, inner, text);
        }
        text.push('}');
    }

    /// The elements of an array of one dimension as they are written; `None` for every other array.
    fn elements<'v>(&self, value: &'v str) -> Option<Vec<&'v str>> {
        let inside = value.strip_prefix('{')?.strip_suffix('}')?;
        if inside.is_empty() {
            return Some(Vec::new());
        }
        let (mut quoted, mut escaped, mut start) = (false, false, 0);
        let mut found = Vec::new();
        for (at, letter) in inside.char_indices() {
            match letter {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => quoted = !quoted,
                '{' | '}' if !quoted => return None,
                other if other == self.delimiter && !quoted => {
                    found.push(&inside[start..at]);
                    start = at + other.len_utf8();
                }
                _ => {}
            }
        }
        found.push(&inside[start..]);
        Some(found)
    }

    fn joined<'v>(&self, elements: impl Iterator<Item = &'v str>) -> String {
        let elements: Vec<&str> = elements.collect();
        format!("{{{}}}", elements.join(self.delimiter.encode_utf8(&mut [0; 4])))
    }
}

/// What the server's `isspace` takes away around an element, in any encoding of one byte.
fn is_blank(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
}

/// Takes quotes and backslashes away, those of arrays and those of composites.
fn unquoted(part: &str) -> String {
    let Some(inside) = part.strip_prefix('"').and_then(|part| part.strip_suffix('"')) else { return part.to_owned() };
    let mut value = String::with_capacity(inside.len());
    let mut escaped = false;
    for letter in inside.chars() {
        if !escaped && letter == '\\' {
            escaped = true;
        } else {
            value.push(letter);
            escaped = false;
        }
    }
    value
}

impl Values for Array {
    fn ordinary(&self, random: &mut Random, text: &mut String) {
        text.push('{');
        for at in 0..random.below(ELEMENTS_MAX) {
            if at > 0 {
                text.push(self.delimiter);
            }
            self.push_element(random, false, text);
        }
        text.push('}');
    }

    fn awkward(&self, random: &mut Random, text: &mut String) {
        let length = 1 + random.below(3);
        match random.below(8) {
            0 => text.push_str("{}"),
            1 if self.element_may_be_null => text.push_str("{NULL}"),
            2 => self.push_level(random, &[length, 2], text),
            3 => self.push_level(random, &[2, 1, length], text),
            4 | 5 => {
                let low = [0, -5, 2, 7][random.below(4) as usize];
                text.push('[');
                push_integer(text, low);
                text.push(':');
                push_integer(text, low + i128::from(length) - 1);
                let two_dimensions = random.chance(0.3);
                text.push_str(if two_dimensions { "][7:8]=" } else { "]=" });
                let lengths: &[u64] = if two_dimensions { &[length, 2] } else { &[length] };
                self.push_level(random, lengths, text);
            }
            6 if random.chance(0.1) => self.push_level(random, &[1, 1, 1, 1, 1, 1], text),
            _ => self.push_level(random, &[length], text),
        }
    }

    fn near(&self, words: &[&str], random: &mut Random, text: &mut String) {
        let named = random.pick(words).and_then(|word| word.parse().ok()).filter(|count| *count <= NEAR_ELEMENTS_MAX);
        let count = match named.filter(|_| random.chance(0.5)) {
            Some(count) => count,
            None => 1 + random.below(ELEMENTS_MAX),
        };
        text.push('{');
        for at in 0..count {
            if at > 0 {
                text.push(self.delimiter);
            }
            let start = text.len();
            // By the element itself, which knows whether a word is a value of its type.
            match random.chance(0.5) {
                true => self.element.near(words, random, text),
                false => self.element.ordinary(random, text),
            }
            self.quote(text, start);
        }
        text.push('}');
    }

    /// Arrays of one, then of two elements and so on: as many as anybody wants, where the element has two values.
    fn capacity(&self) -> u64 {
        match self.element.capacity() {
            0 => 0,
            1 => 64,
            _ => u64::MAX,
        }
    }

    fn nth(&self, index: u64, text: &mut String) {
        let base = self.element.capacity();
        let mut digits = Vec::new();
        let mut rest = index;
        // Numbers in a base without a zero: each sequence of digits has one number and the other way round.
        loop {
            digits.push(if base == 1 { 0 } else { rest % base });
            if base == 1 {
                if rest == 0 {
                    break;
                }
                rest -= 1;
                continue;
            }
            rest /= base;
            if rest == 0 {
                break;
            }
            rest -= 1;
        }
        text.push('{');
        for (at, digit) in digits.iter().rev().enumerate() {
            if at > 0 {
                text.push(self.delimiter);
            }
            let start = text.len();
            self.element.nth(*digit, text);
            self.quote(text, start);
        }
        text.push('}');
    }

    fn accepts(&self, value: &str) -> bool {
        match self.elements(value) {
            None => value.starts_with('[') || value.starts_with('{'),
            Some(elements) => elements.iter().all(|element| match element.eq_ignore_ascii_case("null") {
                true => self.element_may_be_null,
                false => self.element.accepts(&unquoted(element)),
            }),
        }
    }

    fn simplest(&self) -> Vec<String> {
        let mut found = vec!["{}".to_owned()];
        if let Some(element) = self.element.simplest().first() {
            let mut text = element.clone();
            self.quote(&mut text, 0);
            found.push(format!("{{{text}}}"));
        }
        found
    }

    fn reductions(&self, value: &str) -> Vec<String> {
        let mut found = Vec::new();
        // Without its bounds.
        if let Some((bounds, rest)) = value.split_once('=')
            && bounds.starts_with('[')
        {
            found.push(rest.to_owned());
        }
        let Some(elements) = self.elements(value) else { return found };
        for left_out in 0..elements.len().min(16) {
            found.push(
                self.joined(elements.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, element)| *element)),
            );
        }
        for (place, element) in elements.iter().enumerate().take(8) {
            let plain = unquoted(element);
            for simpler in self.element.simplest().into_iter().chain(self.element.reductions(&plain)).take(6) {
                if !self.element.accepts(&simpler) {
                    continue;
                }
                let mut quoted = simpler;
                self.quote(&mut quoted, 0);
                let changed =
                    elements.iter().enumerate().map(|(at, old)| if at == place { quoted.as_str() } else { old });
                found.push(self.joined(changed));
            }
        }
        found
    }
}

/// What makes the values of a part.
type Build = fn(&DataType, &Limits) -> Result<Arc<dyn Values>>;

/// An array; limits of its elements are not known here, so it takes none.
pub(super) fn array(
    data_type: &DataType,
    element: &DataType,
    delimiter: char,
    limits: &Limits,
    build: Build,
) -> Result<Arc<dyn Values>> {
    kind::only(data_type, limits, &[])?;
    let values = build(element, &Limits { plain: limits.plain, ..Limits::default() })?;
    Ok(Arc::new(Array { element: values, element_may_be_null: may_be_null(element), delimiter }))
}

#[derive(Debug)]
struct Record {
    fields: Vec<(Arc<dyn Values>, bool)>,
}

impl Record {
    fn quote(text: &mut String, start: usize) {
        quote_since(text, start, |value| {
            value.is_empty()
                || value.contains(|letter| matches!(letter, '(' | ')' | ',' | '"' | '\\') || is_blank(letter))
        });
    }

    /// The fields as they are written.
    fn parts<'v>(&self, value: &'v str) -> Option<Vec<&'v str>> {
        let inside = value.strip_prefix('(')?.strip_suffix(')')?;
        let (mut quoted, mut escaped, mut start) = (false, false, 0);
        let mut found = Vec::new();
        for (at, letter) in inside.char_indices() {
            match letter {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => quoted = !quoted,
                ',' if !quoted => {
                    found.push(&inside[start..at]);
                    start = at + 1;
                }
                _ => {}
            }
        }
        found.push(&inside[start..]);
        (found.len() == self.fields.len()).then_some(found)
    }
}

impl Values for Record {
    fn ordinary(&self, random: &mut Random, text: &mut String) {
        text.push('(');
        for (at, (field, _)) in self.fields.iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            let start = text.len();
            field.ordinary(random, text);
            Self::quote(text, start);
        }
        text.push(')');
    }

    fn awkward(&self, random: &mut Random, text: &mut String) {
        let all_null = random.chance(0.1);
        text.push('(');
        for (at, (field, may_be_null)) in self.fields.iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            if *may_be_null && (all_null || random.chance(0.25)) {
                continue;
            }
            let start = text.len();
            if random.chance(0.5) {
                field.awkward(random, text);
            } else {
                field.ordinary(random, text);
            }
            Self::quote(text, start);
        }
        text.push(')');
    }

    fn capacity(&self) -> u64 {
        self.fields.iter().map(|(field, _)| field.capacity()).fold(1, u64::saturating_mul)
    }

    fn nth(&self, index: u64, text: &mut String) {
        let mut rest = index;
        text.push('(');
        for (at, (field, _)) in self.fields.iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            let start = text.len();
            let capacity = field.capacity().max(1);
            field.nth(rest % capacity, text);
            rest /= capacity;
            Self::quote(text, start);
        }
        text.push(')');
    }

    fn accepts(&self, value: &str) -> bool {
        self.parts(value).is_some_and(|parts| {
            parts.iter().zip(&self.fields).all(|(part, (field, may_be_null))| match part.is_empty() {
                true => *may_be_null,
                false => field.accepts(&unquoted(part)),
            })
        })
    }

    fn simplest(&self) -> Vec<String> {
        let mut text = String::from("(");
        for (at, (field, may_be_null)) in self.fields.iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            if !may_be_null && let Some(value) = field.simplest().first() {
                let start = text.len();
                text.push_str(value);
                Self::quote(&mut text, start);
            }
        }
        text.push(')');
        vec![text]
    }

    fn reductions(&self, value: &str) -> Vec<String> {
        let Some(parts) = self.parts(value) else { return Vec::new() };
        let with = |place: usize, part: &str| {
            let parts: Vec<&str> =
                parts.iter().enumerate().map(|(at, old)| if at == place { part } else { old }).collect();
            format!("({})", parts.join(","))
        };
        let mut found = Vec::new();
        for (place, (part, (field, _))) in parts.iter().zip(&self.fields).enumerate() {
            found.push(with(place, ""));
            for simpler in field.simplest().into_iter().chain(field.reductions(&unquoted(part))).take(6) {
                let mut quoted = simpler;
                Self::quote(&mut quoted, 0);
                found.push(with(place, &quoted));
            }
        }
        found
    }
}

/// A composite out of its fields.
pub(super) fn composite(
    data_type: &DataType,
    composite: &Composite,
    limits: &Limits,
    build: Build,
) -> Result<Arc<dyn Values>> {
    kind::only(data_type, limits, &[])?;
    let parts = Limits { plain: limits.plain, ..Limits::default() };
    let fields = composite.fields.iter();
    let fields = fields.map(|field| Ok((build(&field.data_type, &parts)?, may_be_null(&field.data_type))));
    Ok(Arc::new(Record { fields: fields.collect::<Result<Vec<_>>>()? }))
}
