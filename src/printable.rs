//! Text of others, made fit to be printed: names, values, paths and messages can hold anything, and a terminal obeys
//! what it is sent.
//!
//! Two rules hold for everything that this crate prints or gives out to be printed:
//!
//! - A character that shows nothing of its own is written as its code, `\u{1b}`. So nothing foreign moves the cursor,
//!   sets a title or turns the reading direction, and two texts that differ in such a character look different.
//! - A report is put together line by line ([`Lines`]). Whatever stands inside a line is foreign or a part of our
//!   sentence, and neither has a line end: one that comes all the same is written as `\n`. So no name can add a line
//!   that looks like ours.
//!
//! A backslash stays what it is, or every path and every `bytea` would have two. A text that spells `\u{1b}` by itself
//! therefore looks as one that holds the character; JSON ([`json`]) tells them apart.

use std::borrow::Cow;
use std::fmt;

/// What shows nothing of its own, by Unicode's properties: controls (Cc), format characters (Cf), the separators of
/// lines, paragraphs and words other than the ordinary blank (Zl, Zp, Zs), and whatever else may be left out when it is
/// shown (`Default_Ignorable_Code_Point`: fillers, variation selectors, tags); and the empty Braille pattern.
const HIDDEN: [(u32, u32); 30] = [
    (0x0000, 0x001F),
    (0x007F, 0x00A0),
    (0x00AD, 0x00AD),
    (0x034F, 0x034F),
    (0x0600, 0x0605),
    (0x061C, 0x061C),
    (0x06DD, 0x06DD),
    (0x070F, 0x070F),
    (0x0890, 0x0891),
    (0x08E2, 0x08E2),
    (0x115F, 0x1160),
    (0x1680, 0x1680),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x2000, 0x200F),
    (0x2028, 0x202F),
    (0x205F, 0x206F),
    (0x2800, 0x2800),
    (0x3000, 0x3000),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFFB),
    (0x110BD, 0x110BD),
    (0x110CD, 0x110CD),
    (0x13430, 0x1343F),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
];

/// What Rust's libraries say of a value that somebody has typed, and what it means.
const PLAIN_WORDS: [(&str, &str); 17] = [
    ("invalid digit found in string", "it is no whole number"),
    ("cannot parse integer from empty string", "a number is missing"),
    ("number too large to fit in target type", "the number is too large"),
    ("number too small to fit in target type", "the number is too small"),
    ("invalid float literal", "it is no number"),
    ("string values must be quoted, expected literal string", "a text stands in quotation marks"),
    ("invalid type: ", "there is "),
    ("invalid value: ", "there is "),
    ("there is sequence", "there is a list"),
    ("there is map", "there is a table"),
    ("there is string ", "there is the text "),
    ("there is integer ", "there is the number "),
    ("there is floating point ", "there is the number "),
    ("there is boolean ", "there is "),
    ("expected a sequence", "expected a list"),
    ("expected a map", "expected a table"),
    ("data did not match any variant of untagged enum ", "it has none of the forms that it can have: "),
];

/// A message of a library without the words of Rust: its types, its names for what a file has.
pub fn in_plain_words(message: &str) -> String {
    let mut text = message.to_owned();
    for (theirs, plain) in PLAIN_WORDS {
        text = text.replace(theirs, plain);
    }
    for bits in ["8", "16", "32", "64", "128", "size"] {
        for (sign, plain) in [("u", "a whole number from 0 on"), ("i", "a whole number")] {
            text = text.replace(&format!("expected {sign}{bits}"), &format!("expected {plain}"));
        }
        text = text.replace(&format!("expected f{bits}"), "expected a number");
    }
    // `struct Tables` is a table with known keys.
    while let Some(at) = text.find("expected struct ") {
        let name = at + "expected struct ".len();
        let end = text[name..].find(|c: char| !c.is_alphanumeric()).map_or(text.len(), |length| name + length);
        text.replace_range(at..end, "expected a table");
    }
    text
}

/// Whether a character shows nothing of its own: a control, a mark of the reading direction, an invisible one.
pub fn is_hidden(character: char) -> bool {
    let code = u32::from(character);
    if (0x20..0x7F).contains(&code) {
        return false;
    }
    let place = HIDDEN.partition_point(|(_, last)| *last < code);
    HIDDEN.get(place).is_some_and(|(first, _)| *first <= code)
}

/// A text as a part of one line: everything hidden is written as its code, line ends as `\n`.
pub fn one_line(text: &str) -> Cow<'_, str> {
    escaped(text, |_| false, in_text)
}

/// A text of several lines that are our own: as [`one_line`], but line ends and tabs stay.
pub fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |character| matches!(character, '\n' | '\t'), in_text)
}

/// A JSON text that holds the same values and nothing hidden: such characters stand in strings only, as `\u001b`.
pub fn json(text: &str) -> Cow<'_, str> {
    escaped(
        text,
        |_| false,
        |character, written| {
            for unit in character.encode_utf16(&mut [0; 2]) {
                written.push_str(&format!("\\u{unit:04x}"));
            }
        },
    )
}

fn in_text(character: char, written: &mut String) {
    match character {
        '\n' => written.push_str("\\n"),
        '\r' => written.push_str("\\r"),
        '\t' => written.push_str("\\t"),
        other => written.extend(other.escape_unicode()),
    }
}

fn escaped(text: &str, stays: impl Fn(char) -> bool, write: impl Fn(char, &mut String)) -> Cow<'_, str> {
    let goes = |character: char| is_hidden(character) && !stays(character);
    if !text.contains(goes) {
        return Cow::Borrowed(text);
    }
    let mut written = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match goes(character) {
            true => write(character, &mut written),
            false => written.push(character),
        }
    }
    Cow::Owned(written)
}

/// A report, put together line by line. Each line is made printable as it is added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines(String);

impl Lines {
    /// A report without lines.
    pub fn new() -> Self {
        Self::default()
    }

    /// A report of one line.
    pub fn of(text: impl fmt::Display) -> Self {
        let mut lines = Self::new();
        lines.line(text);
        lines
    }

    /// Adds one line.
    pub fn line(&mut self, text: impl fmt::Display) {
        self.0.push_str(&one_line(&text.to_string()));
        self.0.push('\n');
    }

    /// Adds an empty line.
    pub fn blank(&mut self) {
        self.0.push('\n');
    }

    /// Adds all lines of another report.
    pub fn append(&mut self, other: &Lines) {
        self.0.push_str(&other.0);
    }

    /// Adds SQL on its own lines, each behind `indent`. Where it holds something hidden, or a name or a literal with a
    /// line end in it, a comment says that it cannot be copied from here.
    pub fn sql(&mut self, indent: &str, sql: &str) {
        let shown = with_line_ends_in_quotes_escaped(sql);
        let shown = lines(&shown);
        if shown != sql {
            let remark = "-- not to be copied from here: `\\n`, `\\u{1b}` and the like stand for one character each";
            self.line(format_args!("{indent}{remark}"));
        }
        for line in shown.split('\n') {
            self.0.push_str(indent);
            self.0.push_str(line);
            self.0.push('\n');
        }
    }

    /// The same without empty lines at its start: for a part that is printed alone.
    pub fn alone(&self) -> Lines {
        Lines(self.0.trim_start_matches('\n').to_owned())
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::ops::Deref for Lines {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Lines> for String {
    fn from(lines: Lines) -> String {
        lines.0
    }
}

/// SQL whose quoted names and literals have `\n` for each line end: those between the quotes belong to the name.
fn with_line_ends_in_quotes_escaped(sql: &str) -> Cow<'_, str> {
    if !sql.contains('\n') || !sql.contains(['"', '\'']) {
        return Cow::Borrowed(sql);
    }
    let mut written = String::with_capacity(sql.len());
    let mut open = None;
    for character in sql.chars() {
        match (open, character) {
            // A doubled quote closes and opens again, which comes to the same.
            (Some(quote), character) if quote == character => open = None,
            (None, quote @ ('"' | '\'')) => open = Some(quote),
            _ => {}
        }
        match (open, character) {
            (Some(_), '\n') => written.push_str("\\n"),
            _ => written.push(character),
        }
    }
    Cow::Owned(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_is_what_unicode_says() {
        let property = r"[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Zs}\p{Default_Ignorable_Code_Point}\x{2800}--\x20]";
        let mut parser = regex_syntax::Parser::new();
        let parsed = parser.parse(property).expect("the properties are known");
        let regex_syntax::hir::HirKind::Class(regex_syntax::hir::Class::Unicode(class)) = parsed.kind() else {
            panic!("it is a class of characters");
        };
        let by_unicode = |code: char| class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&code));
        let wrong: Vec<_> = ('\0'..=char::MAX).filter(|code| is_hidden(*code) != by_unicode(*code)).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn a_line_has_nothing_hidden_and_no_end_inside() {
        assert_eq!(one_line("a\u{1b}[2J\r\n\tb\u{202e}\u{9b}"), "a\\u{1b}[2J\\r\\n\\tb\\u{202e}\\u{9b}");
        assert!(matches!(one_line("naïve — “日本” \\x00"), Cow::Borrowed(_)));
        let mut report = Lines::new();
        report.line(format_args!("table `{}`", "a\nwhimbrel: all is well"));
        assert_eq!(&*report, "table `a\\nwhimbrel: all is well`\n");
    }

    #[test]
    fn json_keeps_its_values() {
        let value = serde_json::json!({ "a\u{7f}": "\u{1b}\u{85}\u{202e}\u{e0041}\n" });
        let written = json(&value.to_string()).into_owned();
        assert!(!written.contains(is_hidden), "{written}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), value);
    }

    #[test]
    fn sql_that_cannot_be_copied_says_so() {
        let mut report = Lines::new();
        report.sql("  ", "CREATE TABLE \"a\" (\n    b TEXT DEFAULT 'it''s'\n);");
        assert_eq!(&*report, "  CREATE TABLE \"a\" (\n      b TEXT DEFAULT 'it''s'\n  );\n");
        let mut report = Lines::new();
        report.sql("", "CREATE TABLE \"a\nb\u{1b}\" (\n    c\n);");
        let (remark, statement) = report.split_once('\n').unwrap();
        assert!(remark.starts_with("-- not to be copied"), "{remark}");
        assert_eq!(statement, "CREATE TABLE \"a\\nb\\u{1b}\" (\n    c\n);\n");
    }
}
