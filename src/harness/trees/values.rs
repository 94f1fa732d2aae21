//! Values of the columns of a layout, ordinary and awkward ones.

use super::choices::Choices;
use super::node::Node;
use crate::catalog::{DataType, Shape};
use crate::endpoint::files::layout::{BooleanSpelling, MomentSpelling, ValueForm};
use crate::endpoint::files::weave::{read_text, spelled};
use crate::error::Result;
use crate::harness::generate::values::{Limits, Pattern, ValueSource};
use crate::value::Cell;
use crate::value::calendar::MICROS_1970_TO_2000;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// How often a text for a pattern is drawn until it is also a value of its form.
const TRIES_MAX: usize = 20;

/// How long the name of an entry is.
pub const NAME_CHARACTERS_MAX: usize = 60;

/// A value of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Of a column that is no JSON.
    Cell(Cell<'static>),
    /// Of one that is.
    Json(Node),
}

impl Value {
    /// The value as a path would spell it, which tells it from others.
    pub fn text(&self, form: &ValueForm) -> Option<String> {
        match self {
            Value::Cell(cell) => spelled(cell, form).ok().map(Cow::into_owned),
            Value::Json(node) => Some(format!("{node:?}")),
        }
    }

    /// The value that a text is in the words of a database.
    pub fn of_text(text: &str, form: &ValueForm) -> Option<Value> {
        let cell = match form {
            ValueForm::Text => Cell::Text(Cow::Owned(text.to_owned())),
            ValueForm::Words(words) => {
                let known = words.iter().any(|(_, row)| row == text);
                Cell::Text(Cow::Owned(known.then(|| text.to_owned())?))
            }
            ValueForm::Integer => Cell::Int(text.parse().ok()?),
            ValueForm::Real => Cell::Float(text.parse().ok().filter(|number: &f64| number.is_finite())?),
            ValueForm::Boolean(_) => match text {
                "1" | "t" | "true" => Cell::Bool(true),
                "0" | "f" | "false" => Cell::Bool(false),
                _ => return None,
            },
            // `null` in a file is NULL in the row.
            ValueForm::Json => return Node::of_json(text).filter(|node| *node != Node::Null).map(Value::Json),
            ValueForm::Moment(_) | ValueForm::Bytes => return None,
        };
        Some(Value::Cell(cell))
    }
}

/// Draws values.
#[derive(Debug)]
pub struct Values {
    texts: ValueSource,
    /// Of each regular expression.
    patterns: BTreeMap<String, ValueSource>,
}

impl Values {
    /// What draws.
    ///
    /// # Errors
    /// As [`ValueSource::new`].
    pub fn new() -> Result<Values> {
        Ok(Values { texts: ValueSource::new(&text_type(), Limits::default())?, patterns: BTreeMap::new() })
    }

    /// A text that a regular expression takes as a whole.
    ///
    /// # Errors
    /// When it is one that nothing is known to match.
    pub fn like(&mut self, expression: &str, choices: &mut Choices<'_>) -> Result<String> {
        if !self.patterns.contains_key(expression) {
            let text = format!("^(?:{expression})$");
            let patterns = vec![Pattern::Regex { text, ignore_case: false, negated: false }];
            let limits = Limits { patterns, length_max: Some(60), ..Limits::default() };
            self.patterns.insert(expression.to_owned(), ValueSource::new(&text_type(), limits)?);
        }
        let source = &self.patterns[expression];
        let awkward = choices.once_in(3);
        match choices.below(200) {
            0 => Ok(source.nth(choices.below(4) as u64).unwrap_or_default()),
            _ => Ok(source.draw(&mut choices.random(), awkward)),
        }
    }

    /// Any text.
    pub fn text(&mut self, choices: &mut Choices<'_>) -> String {
        match choices.below(12) {
            0..=5 => (*choices.of(&["a", "b", "one two", "x-1", "naïve", "Zoë 7"])).to_owned(),
            6 => choices.of(&AWKWARD).to_string(),
            7 => "long ".repeat(1 + choices.below(300)),
            8..=9 => self.texts.draw(&mut choices.random(), false),
            _ => self.texts.draw(&mut choices.random(), true),
        }
    }

    /// Text of several lines.
    pub fn lines(&mut self, choices: &mut Choices<'_>) -> String {
        let mut text = String::new();
        for _ in 0..choices.below(6) {
            text.push_str(&self.text(choices));
            text.push_str(choices.of::<&str>(&["\n", "\n", "\n\n", "\r\n", "  \n"]));
        }
        if choices.once_in(3) {
            text.push_str(&self.text(choices));
        }
        text
    }

    /// A value of a form.
    ///
    /// # Errors
    /// As [`Values::like`].
    pub fn of_form(&mut self, form: &ValueForm, choices: &mut Choices<'_>) -> Value {
        let cell = match form {
            ValueForm::Text => Cell::Text(Cow::Owned(self.text(choices))),
            ValueForm::Words(words) => Cell::Text(Cow::Owned(choices.of(words).1.clone())),
            ValueForm::Integer => Cell::Int(integer(choices)),
            ValueForm::Real => Cell::Float(*choices.of(&REALS)),
            ValueForm::Boolean(_) => Cell::Bool(choices.once_in(2)),
            ValueForm::Moment(spelling) => Cell::TimestampTz(moment(*spelling, choices)),
            ValueForm::Json => return Value::Json(self.json(1, choices)),
            ValueForm::Bytes => {
                let mut random = choices.random();
                Cell::Bytes(Cow::Owned((0..choices.below(60)).map(|_| random.bits() as u8).collect()))
            }
        };
        Value::Cell(cell)
    }

    /// A value of a form whose own spelling a regular expression takes, and that spelling.
    ///
    /// # Errors
    /// As [`Values::like`].
    pub fn of_form_like(
        &mut self,
        form: &ValueForm,
        expression: &str,
        choices: &mut Choices<'_>,
    ) -> Result<Option<(Value, String)>> {
        for attempt in 0..=TRIES_MAX {
            let text = match form {
                // The most usual one, where none of the odd ones is taken: a line has to have one.
                ValueForm::Moment(_) if attempt == TRIES_MAX => {
                    Value::Cell(Cell::TimestampTz(0)).text(form).unwrap_or_default()
                }
                ValueForm::Moment(_) | ValueForm::Integer => self.of_form(form, choices).text(form).unwrap_or_default(),
                _ => self.like(expression, choices)?,
            };
            // What has another spelling than its own would come back under another name.
            if let Ok(cell) = read_text(&text, form)
                && spelled(&cell, form).is_ok_and(|own| own == text)
                && self.takes(expression, &text)?
            {
                let value = Value::Cell(cell.into_owned());
                return Ok(Some((value, text)));
            }
        }
        Ok(None)
    }

    /// Whether a regular expression takes a text as a whole.
    ///
    /// # Errors
    /// When it is none.
    pub fn takes(&self, expression: &str, text: &str) -> Result<bool> {
        let regex = regex_automata::meta::Regex::new(&format!(r"\A(?:{expression})\z"));
        let failed = |error| crate::error::Error::could_not("read the pattern", format!("`{expression}`"), error);
        Ok(regex.map_err(failed)?.is_match(text))
    }

    /// Any JSON but `null`, which is no value of its own.
    pub fn json(&mut self, depth: usize, choices: &mut Choices<'_>) -> Node {
        match choices.below(if depth > 3 { 5 } else { 7 }) {
            0 => Node::Bool(true),
            1 => Node::Number((*choices.of(&NUMBERS)).to_owned()),
            2 | 3 => Node::Text(self.text(choices)),
            4 if choices.once_in(8) => Node::Quoted(choices.of::<&str>(&["\"\\ud83d\\uDE00\"", "\"\\u0041\\/\""])),
            4 => Node::Bool(false),
            5 => Node::Array((0..choices.below(4)).map(|_| self.inner(depth, choices)).collect()),
            _ => Node::Object(self.members(depth, choices)),
        }
    }

    fn inner(&mut self, depth: usize, choices: &mut Choices<'_>) -> Node {
        if choices.once_in(5) { Node::Null } else { self.json(depth + 1, choices) }
    }

    /// Members of names that no layout has.
    pub fn members(&mut self, depth: usize, choices: &mut Choices<'_>) -> Vec<(String, Node)> {
        let mut members: Vec<(String, Node)> = Vec::new();
        for place in 0..choices.below(4) {
            let name = match choices.below(4) {
                0 | 1 => format!("extra{place}"),
                2 => (*choices.of(&["extra é", "extra.x", "extra\"q\"", "extra key", "extra:", "extra\\n"])).to_owned(),
                _ => format!("extra{}", self.texts.draw(&mut choices.random(), true)),
            };
            let name: String = name.chars().take(NAME_CHARACTERS_MAX).collect();
            if !members.iter().any(|(other, _)| *other == name) {
                members.push((name, self.inner(depth, choices)));
            }
        }
        members
    }
}

fn text_type() -> DataType {
    DataType::new("text", Shape::Text)
}

const AWKWARD: [&str; 22] = [
    "",
    " ",
    "null",
    "true",
    "no",
    "~",
    "1_000",
    "0o14",
    "1.10",
    "2026-01-31",
    "- x",
    "# not a comment",
    "key: value",
    "a\tb",
    "line\nline",
    "line\r\n",
    "\u{feff}",
    "\u{85}\u{2028}",
    "\u{7f}\u{1}",
    "\u{1f600} e\u{301}",
    "{}",
    "'it''s' \"quoted\" \\",
];
const NUMBERS: [&str; 10] =
    ["0", "7", "-0", "1.10", "1e400", "123456789012345678901234567890", "-1e-7", "1E+2", "9223372036854775808", "0.1"];
const REALS: [f64; 10] = [0.0, 1.5, -2.25, 0.1, 1e300, -1e-300, 3.0, f64::MAX, f64::MIN_POSITIVE, -0.0];

fn integer(choices: &mut Choices<'_>) -> i64 {
    match choices.below(8) {
        0..=4 => choices.below(100) as i64,
        5 => -(choices.below(1000) as i64),
        _ => *choices.of(&[i64::MAX, i64::MIN, 1 << 53, (1 << 53) + 1, -1]),
    }
}

/// Microseconds since 2000 of a moment that a file can spell so.
fn moment(spelling: MomentSpelling, choices: &mut Choices<'_>) -> i64 {
    let seconds = match choices.below(5) {
        0..=2 => 700_000_000 + choices.below(100_000_000) as i64,
        3 => -(choices.below(2_000_000_000) as i64),
        _ => *choices.of(&[0, -MICROS_1970_TO_2000 / 1_000_000, 252_455_615_999, -63_082_281_600]),
    };
    let fraction = match spelling {
        MomentSpelling::SpacedComma => choices.below(1000) as i64 * 1000,
        _ => *choices.of(&[0, 0, 500_000, 123_000, 123_456, 1, 999_999]),
    };
    seconds * 1_000_000 + fraction
}

/// A value in a document, in one of the spellings that mean it.
pub fn spell(value: &Value, form: &ValueForm, choices: &mut Choices<'_>) -> Node {
    let cell = match value {
        Value::Json(node) => return node.clone(),
        Value::Cell(cell) => cell,
    };
    let Some(text) = value.text(form) else { return Node::Null };
    match (form, cell) {
        (ValueForm::Boolean(BooleanSpelling::Own), Cell::Bool(value)) => Node::Bool(*value),
        (ValueForm::Boolean(BooleanSpelling::Digits), _) => Node::Number(text),
        (ValueForm::Integer, _) => Node::Number(match choices.below(12) {
            9 => format!("{text}.0"),
            10 => format!("{text}e0"),
            11 => format!("{text}.00E+0"),
            _ => text,
        }),
        (ValueForm::Real, _) => Node::Number(match choices.below(8) {
            6 if !text.contains('e') => format!("{text}0"),
            7 if !text.contains('e') => format!("{text}e0"),
            _ => text,
        }),
        (ValueForm::Moment(MomentSpelling::EpochSeconds | MomentSpelling::EpochMillis), _) => Node::Number(text),
        (ValueForm::Moment(MomentSpelling::Rfc3339), _) => Node::Text(match choices.below(6) {
            4 => text.replace('Z', "+00:00"),
            5 => text.to_lowercase(),
            _ => text,
        }),
        _ => Node::Text(text),
    }
}
