//! What the text of a condition names: its literals, for values out of them, and how the values of a type are spelled.

use crate::catalog::{DataType, Shape};
use crate::harness::generate::values::Pattern;

/// More words than this make no condition easier.
const WORDS_MAX: usize = 64;
const WORD_OCTETS_MAX: usize = 256;

/// The literals of a condition, texts and numbers.
pub(in crate::harness::generate) fn words_of(condition: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut rest = condition;
    while let Some(first) = rest.chars().next()
        && words.len() < WORDS_MAX
    {
        let (word, end) = if first == '\'' {
            text_literal(rest)
        } else if first.is_ascii_digit() {
            let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(rest.len());
            (rest[..end].trim_end_matches('.').to_owned(), end)
        } else if first.is_alphabetic() || matches!(first, '_' | '"') {
            // Digits in a name are no number.
            let quoted = if first == '"' { rest[1..].find('"').map(|at| at + 2) } else { None };
            let end = quoted
                .or_else(|| rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != '"'));
            rest = &rest[end.unwrap_or(rest.len())..];
            continue;
        } else {
            rest = &rest[first.len_utf8()..];
            continue;
        };
        rest = &rest[end..];
        if word.len() <= WORD_OCTETS_MAX && !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

/// The text of a literal at the beginning, and where it ends.
fn text_literal(condition: &str) -> (String, usize) {
    let mut word = String::new();
    let mut letters = condition.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        // A doubled quote stands for one.
        if letter == '\'' && letters.next_if(|(_, next)| *next == '\'').is_none() {
            return (word, at + 1);
        }
        word.push(letter);
    }
    (word, condition.len())
}

/// How the server spells the values of a type that is no text, where one pattern says it.
pub(in crate::harness::generate) fn spelling(shape: &Shape, data_type: &DataType) -> Option<Pattern> {
    let text = match shape {
        Shape::SmallInt => "^-?[1-9][0-9]{0,4}$",
        Shape::Integer | Shape::Oid => "^-?[1-9][0-9]{0,9}$",
        Shape::BigInt | Shape::Double | Shape::Real => "^-?[1-9][0-9]{0,17}$",
        Shape::Numeric { precision_and_scale } => {
            let (precision, scale) = precision_and_scale.unwrap_or((18, 0));
            let whole = (precision - scale).clamp(1, 30) - 1;
            return Some(regex(match scale {
                ..=0 => format!("^-?[1-9][0-9]{{0,{whole}}}$"),
                _ => format!("^-?[1-9][0-9]{{0,{whole}}}\\.[0-9]{{{}}}$", scale.min(30)),
            }));
        }
        Shape::Date => "^(19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])$",
        Shape::Timestamp { .. } => {
            "^(19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8]) ([01][0-9]|2[0-3])(:[0-5][0-9]){2}$"
        }
        Shape::Uuid => "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
        Shape::Boolean => "^(true|false)$",
        Shape::Xml | Shape::Other => match data_type.base().name.as_str() {
            "inet" => {
                "^(([1-9]?[0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])\\.){3}([1-9]?[0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])/32$"
            }
            "cidr" => {
                "^(([1-9]?[0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])\\.){3}([1-9]?[0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])/32$"
            }
            "macaddr" => "^([0-9a-f]{2}:){5}[0-9a-f]{2}$",
            _ => return None,
        },
        _ => return None,
    };
    Some(regex(text.to_owned()))
}

fn regex(text: String) -> Pattern {
    Pattern::Regex { text, ignore_case: false, negated: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_words_and_digits_of_names_are_not() {
        assert_eq!(
            words_of("((c1 > 10.5) AND (\"x 7\" <> 'it''s'::text) OR a_2 IN ('', '7'))"),
            ["10.5", "it's", "", "7"]
        );
        assert_eq!(words_of("'open"), ["open"]);
    }
}
