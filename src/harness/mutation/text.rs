//! Texts that look like another text and are not it.

use crate::harness::Random;
use serde_json::Value;

/// Letters of Latin script with their decomposition, as Unicode has them: a letter and a combining mark.
const COMPOSED: [(char, &str); 14] = [
    ('é', "e\u{301}"),
    ('è', "e\u{300}"),
    ('ê', "e\u{302}"),
    ('á', "a\u{301}"),
    ('à', "a\u{300}"),
    ('ä', "a\u{308}"),
    ('ö', "o\u{308}"),
    ('ü', "u\u{308}"),
    ('Ä', "A\u{308}"),
    ('Ö', "O\u{308}"),
    ('Ü', "U\u{308}"),
    ('ñ', "n\u{303}"),
    ('ç', "c\u{327}"),
    ('å', "a\u{30a}"),
];

/// The first composed letter taken apart, or the first pair put together.
pub fn other_normalisation(text: &str) -> Option<String> {
    let apart = COMPOSED.iter().find(|(letter, _)| text.contains(*letter));
    if let Some((letter, pair)) = apart {
        return Some(text.replacen(*letter, pair, 1));
    }
    let (letter, pair) = COMPOSED.iter().find(|(_, pair)| text.contains(pair))?;
    Some(text.replacen(pair, &letter.to_string(), 1))
}

/// One of the letters in its other case.
pub fn other_case(text: &str, random: &mut Random) -> Option<String> {
    replaced(text, random, |c| c.is_ascii_alphabetic(), |c, _| char::from(c as u8 ^ 0x20))
}

/// One of the digits another one.
pub fn other_digit(text: &str, random: &mut Random) -> Option<String> {
    replaced(
        text,
        random,
        |c| c.is_ascii_digit(),
        |c, random| char::from(b'0' + (c as u8 - b'0' + 1 + random.below(9) as u8) % 10),
    )
}

fn replaced(
    text: &str,
    random: &mut Random,
    wanted: impl Fn(char) -> bool,
    other: impl Fn(char, &mut Random) -> char,
) -> Option<String> {
    let places: Vec<_> = text.char_indices().filter(|(_, c)| wanted(*c)).collect();
    let (place, old) = *random.pick(&places)?;
    let mut new = String::with_capacity(text.len());
    new.push_str(&text[..place]);
    new.push(other(old, random));
    new.push_str(&text[place + old.len_utf8()..]);
    Some(new)
}

/// The text without its last character.
pub fn without_last(text: &str) -> Option<String> {
    let (end, _) = text.char_indices().next_back()?;
    Some(text[..end].to_owned())
}

/// The first half of the text, in characters.
pub fn half(text: &str) -> Option<String> {
    let count = text.chars().count();
    (count >= 2).then(|| text.chars().take(count / 2).collect())
}

/// A JSON object with its keys turned round.
pub fn other_key_order(text: &str) -> Option<String> {
    let Value::Object(object) = serde_json::from_str(text).ok()? else { return None };
    let turned: serde_json::Map<String, Value> = object.into_iter().rev().collect();
    (turned.len() >= 2).then(|| Value::Object(turned).to_string())
}

/// The same JSON with a blank that means nothing.
pub fn other_whitespace(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    match (value, text.strip_prefix(['[', '{'])) {
        (Value::Array(_) | Value::Object(_), Some(rest)) => Some(format!("{} {rest}", &text[..1])),
        _ => Some(format!("{text} ")),
    }
}

/// A number in JSON with an exponent that changes nothing.
pub fn other_number(text: &str) -> Option<String> {
    let mut within = false;
    let mut escaped = false;
    let mut number = false;
    for (place, byte) in text.bytes().enumerate().chain(std::iter::once((text.len(), b' '))) {
        match byte {
            _ if within && escaped => escaped = false,
            b'\\' if within => escaped = true,
            b'"' => within = !within,
            _ if within => {}
            b'0'..=b'9' => number = true,
            b'.' | b'e' | b'E' | b'+' | b'-' => number = number && !matches!(byte, b'e' | b'E'),
            _ if number => {
                let new = format!("{}e0{}", &text[..place], &text[place..]);
                return serde_json::from_str::<Value>(&new).is_ok().then_some(new);
            }
            _ => {}
        }
    }
    None
}

/// A JSON array without its last element.
pub fn without_element(text: &str) -> Option<String> {
    let Value::Array(mut elements) = serde_json::from_str(text).ok()? else { return None };
    elements.pop()?;
    Some(Value::Array(elements).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::Seed;

    #[test]
    fn every_text_is_another_one() {
        let mut random = Seed(1).random();
        assert_eq!(other_normalisation("café").as_deref(), Some("cafe\u{301}"));
        assert_eq!(other_normalisation("cafe\u{301}").as_deref(), Some("café"));
        assert_eq!(other_normalisation("cafe"), None);
        assert_eq!(other_case("é1b", &mut random).as_deref(), Some("é1B"));
        assert_ne!(other_digit("a7", &mut random).as_deref(), Some("a7"));
        assert_eq!(other_digit("a", &mut random), None);
        assert_eq!(without_last("a😀").as_deref(), Some("a"));
        assert_eq!(half("äöü").as_deref(), Some("ä"));
        assert_eq!(other_key_order(r#"{"a":1,"b":2}"#).as_deref(), Some(r#"{"b":2,"a":1}"#));
        assert_eq!(other_whitespace("[1]").as_deref(), Some("[ 1]"));
        assert_eq!(other_number(r#"{"a1": 10}"#).as_deref(), Some(r#"{"a1": 10e0}"#));
        assert_eq!(other_number("1.5").as_deref(), Some("1.5e0"));
        assert_eq!(other_number(r#"["1"]"#), None);
        assert_eq!(without_element("[1,2]").as_deref(), Some("[1]"));
    }
}
