//! Patterns: LIKE as GLOB (SQLite's LIKE ignores case), ILIKE as LIKE, and the regular expressions that are
//! nothing but a run of classes.

use super::kind::Kind;
use super::term::{Constant, Term};
use super::translate::Translator;
use super::{Refusal, render};
use sqlparser::ast::Expr;

impl Translator<'_> {
    pub fn like(&mut self, value: &Expr, pattern: &Expr, negated: bool, insensitive: bool) -> Result<Term, Refusal> {
        let value = self.expression(value)?;
        let pattern = self.expression(pattern)?;
        self.like_term(value, &pattern, negated, insensitive)
    }

    pub fn like_term(
        &mut self,
        value: Term,
        pattern: &Term,
        negated: bool,
        insensitive: bool,
    ) -> Result<Term, Refusal> {
        if !matches!(value.kind, Kind::Text) {
            return Err(Refusal::new(format!("it uses LIKE on {}", value.kind.words())));
        }
        let Some(text) = pattern.text() else {
            return Err(Refusal::new("it uses LIKE with a pattern that is not a literal"));
        };
        let not = if negated { "NOT " } else { "" };
        if let Some(reason) = self.unlike_when_equal(&value) {
            return Err(Refusal::new(format!("it uses LIKE on {reason}")));
        }
        if insensitive {
            if !self.only_ascii_has_case(&value) {
                if !text.is_ascii() {
                    return Err(Refusal::new(
                        "it uses ILIKE with a pattern beyond ASCII, where SQLite keeps case apart",
                    ));
                }
                self.caveat("ILIKE ignores case in SQLite only for ASCII letters");
            }
            let sql = format!("({} {not}LIKE {} ESCAPE '\\')", value.sql, render::text(text));
            checked_escapes(text)?;
            return Ok(Term::from_parts(sql, Kind::Boolean, &[&value]));
        }
        let sql = format!("({} {not}GLOB {})", value.sql, render::text(&glob(text)?));
        Ok(Term::from_parts(sql, Kind::Boolean, &[&value]))
    }

    /// `~` with a pattern that GLOB can say: anchored on both sides, classes and literals with fixed counts.
    pub fn regular_expression(&mut self, value: &Expr, pattern: &Expr, negated: bool) -> Result<Term, Refusal> {
        let value = self.expression(value)?;
        let pattern = self.expression(pattern)?;
        let operator = if negated { "!~" } else { "~" };
        if let Some(reason) = self.unlike_when_equal(&value) {
            return Err(Refusal::new(format!("it uses `{operator}` on {reason}")));
        }
        let refusal = || Refusal::new(format!("it uses `{operator}` (regular expression), which SQLite does not have"));
        let (Kind::Text, Some(Constant::Text(text))) = (&value.kind, &pattern.constant) else { return Err(refusal()) };
        let sql = regular_as_glob(&value.sql, text).ok_or_else(refusal)?;
        let sql = if negated { format!("(NOT {sql})") } else { sql };
        Ok(Term::from_parts(sql, Kind::Boolean, &[&value]))
    }
}

fn checked_escapes(pattern: &str) -> Result<(), Refusal> {
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        // SQLite takes an escape before any character, as PostgreSQL does; only a dangling one is an error.
        if character == '\\' && characters.next().is_none() {
            return Err(Refusal::new("its LIKE pattern ends in an escape"));
        }
    }
    Ok(())
}

/// A LIKE pattern as a GLOB pattern.
fn glob(pattern: &str) -> Result<String, Refusal> {
    checked_escapes(pattern)?;
    let mut glob = String::with_capacity(pattern.len() + 8);
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            '%' => glob.push('*'),
            '_' => glob.push('?'),
            '\\' => glob.push_str(&characters.next().map(glob_literal).unwrap_or_default()),
            other => glob.push_str(&glob_literal(other)),
        }
    }
    Ok(glob)
}

fn glob_literal(character: char) -> String {
    match character {
        '*' | '?' | '[' => format!("[{character}]"),
        other => other.to_string(),
    }
}

/// An anchored regular expression without alternatives: each part a literal or a class, once or a fixed number of
/// times; or one class repeated without bound over the whole text.
fn regular_as_glob(value: &str, pattern: &str) -> Option<String> {
    let body = pattern.strip_prefix('^')?.strip_suffix('$')?;
    let characters: Vec<char> = body.chars().collect();
    let mut at = 0;
    let mut parts: Vec<(String, Repeat)> = Vec::new();
    while at < characters.len() {
        let class = match characters[at] {
            '[' => {
                let end = at + 1 + characters[at + 1..].iter().position(|character| *character == ']')?;
                let inner: String = characters[at + 1..end].iter().collect();
                at = end + 1;
                class_of(&inner)?
            }
            '\\' if characters.get(at + 1) == Some(&'d') => return None,
            '\\' => {
                let escaped = *characters.get(at + 1)?;
                if escaped.is_alphanumeric() {
                    return None;
                }
                at += 2;
                glob_literal(escaped)
            }
            '.' | '(' | ')' | '|' | '*' | '+' | '?' | '{' | '}' | '^' | '$' | ']' => return None,
            literal => {
                at += 1;
                glob_literal(literal)
            }
        };
        let repeat = match characters.get(at) {
            Some('+') => Repeat::Some,
            Some('*') => Repeat::Any,
            Some('?') => return None,
            Some('{') => {
                let end = at + characters[at..].iter().position(|character| *character == '}')?;
                let count: String = characters[at + 1..end].iter().collect();
                at = end;
                Repeat::Times(count.parse().ok().filter(|count| *count <= 64)?)
            }
            _ => {
                parts.push((class, Repeat::Times(1)));
                continue;
            }
        };
        at += 1;
        // A second quantifier would change the meaning of the first.
        if matches!(characters.get(at), Some('+' | '*' | '?' | '{')) {
            return None;
        }
        parts.push((class, repeat));
    }
    if let [(class, repeat @ (Repeat::Some | Repeat::Any))] = parts.as_slice() {
        let class = class.strip_prefix('[')?.strip_suffix(']')?;
        let outside = match class.strip_prefix('^') {
            Some(rest) => format!("*[{rest}]*"),
            None => format!("*[^{class}]*"),
        };
        let none = format!("({value} NOT GLOB {})", render::text(&outside));
        return Some(match repeat {
            Repeat::Some => format!("({none} AND {value} <> '')"),
            _ => none,
        });
    }
    let mut glob = String::new();
    for (class, repeat) in &parts {
        let Repeat::Times(count) = repeat else { return None };
        glob.push_str(&class.repeat(*count));
    }
    Some(format!("({value} GLOB {})", render::text(&glob)))
}

enum Repeat {
    Times(usize),
    Some,
    Any,
}

/// The inside of a bracket expression, where both engines read it alike: ASCII letters, digits, ranges of the two, and
/// a few signs that are special to neither.
fn class_of(inner: &str) -> Option<String> {
    let body = inner.strip_prefix('^').unwrap_or(inner);
    if body.is_empty() {
        return None;
    }
    let characters: Vec<char> = body.chars().collect();
    for (at, character) in characters.iter().enumerate() {
        let plain = character.is_ascii_alphanumeric() || "_.@#%&+=,;/ ".contains(*character);
        let range = *character == '-' && at > 0 && at + 1 < characters.len() && {
            let (low, high) = (characters[at - 1], characters[at + 1]);
            (low.is_ascii_digit() && high.is_ascii_digit()
                || low.is_ascii_lowercase() && high.is_ascii_lowercase()
                || low.is_ascii_uppercase() && high.is_ascii_uppercase())
                && low <= high
        };
        // A hyphen that ends the class stands for itself in both engines.
        let last = *character == '-' && at > 0 && at + 1 == characters.len();
        if !plain && !range && !last {
            return None;
        }
    }
    Some(format!("[{inner}]"))
}
