//! Patterns of both engines as one regular expression in the automaton builder's syntax.
//!
//! PostgreSQL's advanced expressions differ from it in brackets, escapes and anchors. Classes are taken as their
//! ASCII part: what the server adds to them depends on its locale.

use super::Pattern;
use std::collections::BTreeSet;

/// An expression for the whole text, and the characters that it names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expression {
    pub(super) text: String,
    pub(super) literals: BTreeSet<char>,
}

impl Expression {
    fn literal(&mut self, letter: char) {
        self.literals.insert(letter);
        self.text.push_str(&format!("\\x{{{:x}}}", u32::from(letter)));
    }
}

type Letters<'p> = std::iter::Peekable<std::str::Chars<'p>>;

/// The expression of a pattern; the error says what cannot be translated.
pub(super) fn translate(pattern: &Pattern) -> Result<Expression, String> {
    let mut found = Expression { text: String::new(), literals: BTreeSet::new() };
    match pattern {
        Pattern::Regex { text, .. } => {
            found.text.push_str("\\A.*(?:");
            regex(text, &mut found)?;
            found.text.push_str(").*\\z");
        }
        Pattern::Like { text, escape, .. } => {
            found.text.push_str("\\A");
            like(text, *escape, &mut found)?;
            found.text.push_str("\\z");
        }
        Pattern::Glob { text, .. } => {
            found.text.push_str("\\A");
            glob(text, &mut found)?;
            found.text.push_str("\\z");
        }
    }
    Ok(found)
}

fn like(text: &str, escape: Option<char>, found: &mut Expression) -> Result<(), String> {
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            _ if Some(letter) == escape => {
                found.literal(letters.next().ok_or("the pattern ends with its escape character")?);
            }
            '%' => found.text.push_str(".*"),
            '_' => found.text.push('.'),
            other => found.literal(other),
        }
    }
    Ok(())
}

fn glob(text: &str, found: &mut Expression) -> Result<(), String> {
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '*' => found.text.push_str(".*"),
            '?' => found.text.push('.'),
            '[' => bracket(&mut letters, false, found)?,
            other => found.literal(other),
        }
    }
    Ok(())
}

fn regex(text: &str, found: &mut Expression) -> Result<(), String> {
    if text.starts_with("***") {
        return Err("a director `***` is not translated".to_owned());
    }
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => escape(&mut letters, found)?,
            '[' => bracket(&mut letters, true, found)?,
            '(' => {
                found.text.push('(');
                if letters.peek() == Some(&'?') {
                    letters.next();
                    if letters.next() != Some(':') {
                        return Err("a look-around or an embedded option is not translated".to_owned());
                    }
                    found.text.push_str("?:");
                }
            }
            '.' | '^' | '$' | '|' | ')' | '*' | '+' | '?' => found.text.push(letter),
            '{' if letters.peek().is_some_and(char::is_ascii_digit) => {
                found.text.push('{');
                for inside in letters.by_ref() {
                    found.text.push(inside);
                    if inside == '}' {
                        break;
                    }
                }
            }
            other => found.literal(other),
        }
    }
    Ok(())
}

/// The ASCII part of a class by its letter.
fn class(letter: char) -> Option<&'static str> {
    Some(match letter {
        'd' => "0-9",
        'w' => "0-9A-Za-z_",
        's' => "\\t-\\r ",
        _ => return None,
    })
}

fn control(letter: char) -> Option<char> {
    Some(match letter {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'f' => '\u{c}',
        'v' => '\u{b}',
        'a' => '\u{7}',
        'b' => '\u{8}',
        'e' => '\u{1b}',
        'B' => '\\',
        _ => return None,
    })
}

fn escape(letters: &mut Letters<'_>, found: &mut Expression) -> Result<(), String> {
    let letter = letters.next().ok_or("the pattern ends with a backslash")?;
    match letter {
        'd' | 'w' | 's' => found.text.push_str(&format!("[{}]", class(letter).unwrap_or_default())),
        'D' | 'W' | 'S' => {
            let class = class(letter.to_ascii_lowercase()).unwrap_or_default();
            found.text.push_str(&format!("[\\x00-\\x7f&&[^{class}]]"));
        }
        'A' => found.text.push_str("\\A"),
        'Z' => found.text.push_str("\\z"),
        'y' => found.text.push_str("(?-u:\\b)"),
        '1'..='9' => return Err("a back reference is not translated".to_owned()),
        _ => match control(letter) {
            Some(control) => found.literal(control),
            None if letter.is_alphanumeric() => return Err(format!("the escape `\\{letter}` is not translated")),
            None => found.literal(letter),
        },
    }
    Ok(())
}

/// A bracket expression behind its `[`; only PostgreSQL's has escapes and classes in it.
fn bracket(letters: &mut Letters<'_>, advanced: bool, found: &mut Expression) -> Result<(), String> {
    let unclosed = || "a bracket is not closed".to_owned();
    let negated = letters.next_if_eq(&'^').is_some();
    found.text.push_str(if negated { "[^" } else { "[" });
    let mut first = true;
    loop {
        let letter = letters.next().ok_or_else(unclosed)?;
        let low = match letter {
            ']' if !first => break,
            '[' if advanced && letters.peek() == Some(&':') => {
                let name: String = letters.by_ref().skip(1).take_while(|letter| *letter != ':').collect();
                letters.next_if_eq(&']').ok_or_else(unclosed)?;
                found.text.push_str(&format!("[:{name}:]"));
                first = false;
                continue;
            }
            '[' if advanced && matches!(letters.peek(), Some('.' | '=')) => {
                return Err("a collating element is not translated".to_owned());
            }
            '\\' if advanced => {
                let escaped = letters.next().ok_or_else(unclosed)?;
                if let Some(class) = class(escaped) {
                    found.text.push_str(class);
                    first = false;
                    continue;
                }
                match control(escaped) {
                    Some(control) => control,
                    None if escaped.is_alphanumeric() => {
                        return Err(format!("the escape `\\{escaped}` is not translated"));
                    }
                    None => escaped,
                }
            }
            other => other,
        };
        first = false;
        let mut high = low;
        let mut ahead = letters.clone();
        if ahead.next() == Some('-') && ahead.peek().is_some_and(|next| *next != ']') {
            letters.next();
            high = letters.next().ok_or_else(unclosed)?;
            if high == '\\' && advanced {
                high = letters.next().ok_or_else(unclosed)?;
            }
        }
        if !negated {
            found.literals.extend((low..=high).take(64));
        }
        found.text.push_str(&format!("\\x{{{:x}}}-\\x{{{:x}}}", u32::from(low), u32::from(high)));
    }
    found.text.push(']');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_translated_is_named() {
        for text in ["(a)\\1", "(?=a)", "[[=a=]]", "a\\", "[a"] {
            let pattern = Pattern::Regex { text: text.to_owned(), ignore_case: false, negated: false };
            assert!(translate(&pattern).is_err(), "{text}");
        }
    }
}
