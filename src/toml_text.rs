//! Files in TOML that people write: where a mistake is in them, and what its author may have meant.
//!
//! A key that is not known is an error that names the file, the line and the known keys, the one that is spelled most alike first: a
//! typing error must not decide over data in silence.

use crate::error::{Error, Result};
use crate::printable::in_plain_words;
use crate::redact::redact;
use serde::de::DeserializeOwned;

/// Reads a file's text; `shown` is its name for messages.
///
/// # Errors
/// When it is no TOML, or says what its form has no place for.
pub fn parse<T: DeserializeOwned>(operation: &str, shown: &str, text: &str) -> Result<T> {
    toml::from_str(text).map_err(|error| {
        let place = match error.span() {
            Some(span) => format!("{shown}, line {}", line(text, span.start)),
            None => shown.to_owned(),
        };
        Error::usage(
            operation,
            place,
            nearest_first(&in_plain_words(&redact(error.message().trim())).replace('\n', " ")),
        )
    })
}

/// The line, from 1, that a place of a text is in.
pub fn line(text: &str, place: usize) -> usize {
    text.as_bytes()[..place.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// The known words, those spelled most alike first.
pub fn by_likeness<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Vec<&'w str> {
    let mut known: Vec<&str> = known.into_iter().collect();
    known.sort_by_key(|other| distance(word, other));
    known
}

/// Words for a message, each in backticks.
pub fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// The reader of TOML lists what it knows in the order of its own; whoever reads the message wants to know what was meant.
fn nearest_first(message: &str) -> String {
    const BETWEEN: &str = "`, expected one of ";
    let sorted = message.split_once(BETWEEN).and_then(|(before, known)| {
        let word = before.rsplit_once('`')?.1;
        let known: Vec<&str> = known.split(", ").map(|known| known.trim_matches('`')).collect();
        Some(format!("{before}{BETWEEN}{}", listed(&by_likeness(word, known))))
    });
    sorted.unwrap_or_else(|| message.to_owned())
}

/// How many characters have to be put in, taken out or replaced.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (place, character) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], place + 1);
        for (column, known) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(character != *known);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Form {
        path: Option<String>,
        columns: Option<String>,
        table: Option<String>,
    }

    #[test]
    fn what_was_meant_comes_first() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(by_likeness("tabel", ["path", "columns", "table"]), ["table", "path", "columns"]);
        let error = parse::<Form>("read", "`x.toml`", "path = 'a'\n\ntabel = 'b'\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "read `x.toml`, line 3: unknown field `tabel`, expected one of `table`, `path`, `columns`"
        );
        assert!(parse::<Form>("read", "`x.toml`", "path = 'a").unwrap_err().to_string().contains("line 1"));
        assert_eq!(line("a\nb\nc", 99), 3);
    }
}
