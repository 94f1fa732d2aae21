//! Patterns of both engines as one regular expression in the automaton builder's syntax.
//!
//! PostgreSQL's advanced expressions differ from it in brackets, escapes and anchors. Classes are taken as their
//! ASCII part: what the server adds to them depends on its locale.

use std::collections::BTreeSet;

/// More characters than this are no pattern that somebody wrote, nor is what it refers back to.
const CHARACTERS_MAX: usize = 1 << 16;

/// A pattern of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// PostgreSQL's `~`, `~*`, `!~`, `!~*`. SIMILAR TO arrives in this form, too, once it is rewritten.
    Regex {
        /// The expression.
        text: String,
        /// `~*`
        ignore_case: bool,
        /// `!~`
        negated: bool,
    },
    /// LIKE and ILIKE.
    Like {
        /// The pattern.
        text: String,
        /// The escape character; `None` for no escape at all (SQLite's default; PostgreSQL's is a backslash).
        escape: Option<char>,
        /// ILIKE, or SQLite's LIKE.
        ignore_case: bool,
        /// NOT LIKE
        negated: bool,
    },
    /// SQLite's GLOB.
    Glob {
        /// The pattern.
        text: String,
        /// NOT GLOB
        negated: bool,
    },
}

impl Pattern {
    /// The pattern as it was written, and whether it is not to match.
    pub(in crate::harness::generate) fn text(&self) -> (&str, bool) {
        match self {
            Pattern::Regex { text, negated, .. }
            | Pattern::Like { text, negated, .. }
            | Pattern::Glob { text, negated } => (text, *negated),
        }
    }

    /// Whether letters of either case are the same to it.
    pub(super) fn ignores_case(&self) -> bool {
        match self {
            Pattern::Regex { ignore_case, .. } | Pattern::Like { ignore_case, .. } => *ignore_case,
            Pattern::Glob { .. } => false,
        }
    }

    /// What does not match it.
    pub(in crate::harness::generate) fn opposite(mut self) -> Pattern {
        match &mut self {
            Pattern::Regex { negated, .. } | Pattern::Like { negated, .. } | Pattern::Glob { negated, .. } => {
                *negated = !*negated;
            }
        }
        self
    }

    /// The same, whatever the case of letters.
    pub(in crate::harness::generate) fn ignoring_case(mut self) -> Pattern {
        match &mut self {
            Pattern::Regex { ignore_case, .. } | Pattern::Like { ignore_case, .. } => *ignore_case = true,
            Pattern::Glob { .. } => {}
        }
        self
    }

    /// Whether texts can be drawn of which some match it.
    pub(in crate::harness::generate) fn is_translated(&self) -> bool {
        translate(self).is_ok()
    }

    /// Whether texts can be drawn that match it and nothing else has to be asked.
    pub(in crate::harness::generate) fn is_solved(&self) -> bool {
        translate(self).is_ok_and(|expression| expression.exact)
    }
}

/// An expression for the whole text, and the characters that it names.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::harness::generate) struct Expression {
    pub(super) text: String,
    pub(super) literals: BTreeSet<char>,
    /// What a matching text has to match besides, or must not match: look-aheads at the very beginning.
    pub(super) ahead: Vec<(String, bool)>,
    /// Whether it matches only what the pattern matches. It never matches less.
    pub(in crate::harness::generate) exact: bool,
    /// By number: the expression of a group that is closed.
    groups: Vec<Option<String>>,
}

impl Expression {
    fn empty() -> Self {
        Expression {
            text: String::new(),
            literals: BTreeSet::new(),
            ahead: Vec::new(),
            exact: true,
            groups: Vec::new(),
        }
    }

    fn literal(&mut self, letter: char) {
        self.literals.insert(letter);
        self.text.push_str(&format!("\\x{{{:x}}}", u32::from(letter)));
    }
}

/// What stands around a pattern that need not match the whole text.
const BEGIN: &str = "\\A.*(?:";
const END: &str = ").*\\z";

type Letters<'p> = std::iter::Peekable<std::str::Chars<'p>>;

/// The expression of a pattern; the error says what cannot be translated.
pub(in crate::harness::generate) fn translate(pattern: &Pattern) -> Result<Expression, String> {
    let (text, negated) = pattern.text();
    if text.len() > CHARACTERS_MAX {
        return Err(format!("it has {} characters, and {CHARACTERS_MAX} are the most", text.len()));
    }
    let mut found = Expression::empty();
    match pattern {
        Pattern::Regex { text, .. } => {
            found.text.push_str(BEGIN);
            regex(text, &mut found)?;
            found.text.push_str(END);
            if negated && !found.ahead.is_empty() {
                return Err("what does not match look-aheads is not solved".to_owned());
            }
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
    // Of the groups that are open: the number of one that can be referred to, and where its expression begins.
    let mut open: Vec<Option<(usize, usize)>> = Vec::new();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => escape(&mut letters, found)?,
            '[' => bracket(&mut letters, true, found)?,
            '(' if letters.next_if_eq(&'?').is_some() => {
                if letters.next_if_eq(&':').is_some() {
                    found.text.push_str("(?:");
                    open.push(None);
                    continue;
                }
                let kind: String = letters.by_ref().take(1).collect();
                if !matches!(kind.as_str(), "=" | "!" | "<") {
                    return Err("an embedded option is not translated".to_owned());
                }
                let inside = group(&mut letters).ok_or("a look-around is not closed")?;
                let leads = open.is_empty() && found.text.strip_prefix(BEGIN) == Some("^") && !has_alternatives(text);
                if !leads || kind == "<" || !look_ahead(&inside, kind == "!", found) {
                    // Without it, more matches.
                    found.exact = false;
                }
            }
            '(' => {
                found.groups.push(None);
                open.push(Some((found.groups.len() - 1, found.text.len())));
                found.text.push('(');
            }
            ')' => {
                found.text.push(')');
                if let Some((number, begin)) = open.pop().flatten() {
                    found.groups[number] = Some(found.text[begin..].to_owned());
                }
            }
            '.' | '^' | '$' | '|' | '*' | '+' | '?' => found.text.push(letter),
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

/// Takes what a look-ahead at the beginning asks for, as an expression beside the pattern's own; whether that is exact.
fn look_ahead(inside: &str, negated: bool, found: &mut Expression) -> bool {
    let mut own = Expression::empty();
    own.text.push_str(BEGIN);
    let translated = regex(&format!("^(?:{inside})"), &mut own);
    if translated.is_err() || !own.ahead.is_empty() || negated && !own.exact {
        return false;
    }
    own.text.push_str(END);
    if !negated {
        found.literals.extend(&own.literals);
    }
    found.ahead.push((own.text, negated));
    own.exact
}

/// What is left of a group, its closing parenthesis taken away.
fn group(letters: &mut Letters<'_>) -> Option<String> {
    let mut inside = String::new();
    let (mut depth, mut in_bracket) = (0, false);
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => {
                inside.push(letter);
                inside.push(letters.next()?);
                continue;
            }
            '[' => in_bracket = true,
            ']' => in_bracket = false,
            '(' if !in_bracket => depth += 1,
            ')' if !in_bracket && depth == 0 => return Some(inside),
            ')' if !in_bracket => depth -= 1,
            _ => {}
        }
        inside.push(letter);
    }
    None
}

/// Whether an alternative stands outside of all groups.
fn has_alternatives(text: &str) -> bool {
    let mut letters = text.chars().peekable();
    let mut in_bracket = false;
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => _ = letters.next(),
            '[' => in_bracket = true,
            ']' => in_bracket = false,
            '(' if !in_bracket => _ = group(&mut letters),
            '|' if !in_bracket => return true,
            _ => {}
        }
    }
    false
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
        'Y' => found.text.push_str("(?-u:\\B)"),
        'm' => found.text.push_str("(?-u:\\b{start})"),
        'M' => found.text.push_str("(?-u:\\b{end})"),
        '1'..='9' => {
            let number = letter as usize - '1' as usize;
            let group = found.groups.get(number).cloned().flatten().ok_or("a back reference is not translated")?;
            if found.text.len() + group.len() > CHARACTERS_MAX {
                return Err("its back references are too long".to_owned());
            }
            // Another match of the group, not the same.
            found.text.push_str(&group);
            found.exact = false;
        }
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
        for text in ["\\1(a)", "(?i)a", "[[=a=]]", "a\\", "[a"] {
            let pattern = Pattern::Regex { text: text.to_owned(), ignore_case: false, negated: false };
            assert!(translate(&pattern).is_err(), "{text}");
        }
    }

    #[test]
    fn what_looks_ahead_or_back_is_exact_only_where_it_can_be() {
        let exact = |text: &str| {
            let found =
                translate(&Pattern::Regex { text: text.to_owned(), ignore_case: false, negated: false }).unwrap();
            (found.exact, found.ahead.len())
        };
        assert_eq!(exact("^(?=.*[0-9])(?!ad[)]min)[a-z0-9]{8,}$"), (true, 2));
        assert_eq!(exact("^(?=a)a|b"), (false, 0));
        assert_eq!(exact("^a(?=b)b"), (false, 0));
        assert_eq!(exact("^(?<=a)b"), (false, 0));
        assert_eq!(exact("^([a-z])\\1$"), (false, 0));
    }
}
