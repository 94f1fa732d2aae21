//! JSON, from the tidy to the odd.

use super::super::choices::Choices;
use super::super::node::Node;
use std::fmt::Write;

/// How a document is laid out.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Look {
    /// As programs write it: so many blanks a level.
    Tidy(usize),
    /// On one line; whether blanks stand behind `:` and `,`.
    Line(bool),
    /// Blanks anywhere, in one line or in several.
    Odd { lines: bool },
}

/// A value as JSON; without line ends where it has to stay on one line.
pub fn json(node: &Node, on_one_line: bool, choices: &mut Choices<'_>) -> String {
    let looks: &[Look] = match on_one_line {
        true => &[Look::Line(false), Look::Line(true), Look::Odd { lines: false }],
        false => &[Look::Tidy(2), Look::Tidy(4), Look::Line(false), Look::Line(true), Look::Odd { lines: true }],
    };
    let look = *choices.of(looks);
    let escapes = *choices.of(&[0, 0, 12, 3]);
    let mut writing = Writing { look, escapes, choices, text: String::new() };
    writing.blank();
    writing.node(node, 0);
    writing.blank();
    writing.text
}

struct Writing<'w, 'c> {
    look: Look,
    /// One in so many characters is escaped without need; none at 0.
    escapes: usize,
    choices: &'w mut Choices<'c>,
    text: String,
}

impl Writing<'_, '_> {
    fn blank(&mut self) {
        if let Look::Odd { lines } = self.look {
            let blanks: &[&str] = if lines { &["", "", " ", "\n", "\r\n\t", "  "] } else { &["", "", " ", "\t"] };
            let blank = *self.choices.of(blanks);
            self.text.push_str(blank);
        }
    }

    fn line(&mut self, depth: usize) {
        match self.look {
            Look::Tidy(indent) => {
                self.text.push('\n');
                self.text.extend(std::iter::repeat_n(' ', indent * depth));
            }
            Look::Line(_) => {}
            Look::Odd { .. } => self.blank(),
        }
    }

    fn node(&mut self, node: &Node, depth: usize) {
        match node {
            Node::Null => self.text.push_str("null"),
            Node::Bool(value) => self.text.push_str(if *value { "true" } else { "false" }),
            Node::Number(number) => self.text.push_str(number),
            Node::Quoted(text) => self.text.push_str(text),
            Node::Text(text) => self.quoted(text),
            Node::Array(elements) => self.container('[', elements, ']', depth, |writing, element, depth| {
                writing.node(element, depth);
            }),
            Node::Object(members) => self.container('{', members, '}', depth, |writing, (key, value), depth| {
                writing.quoted(key);
                writing.blank();
                writing.text.push_str(if matches!(writing.look, Look::Tidy(_) | Look::Line(true)) {
                    ": "
                } else {
                    ":"
                });
                writing.blank();
                writing.node(value, depth);
            }),
        }
    }

    fn container<T>(
        &mut self,
        open: char,
        items: &[T],
        close: char,
        depth: usize,
        mut item: impl FnMut(&mut Self, &T, usize),
    ) {
        self.text.push(open);
        for (place, one) in items.iter().enumerate() {
            if place > 0 {
                self.text.push_str(if self.look == Look::Line(true) { ", " } else { "," });
            }
            self.line(depth + 1);
            item(self, one, depth + 1);
            self.blank();
        }
        if !items.is_empty() {
            self.line(depth);
        }
        self.text.push(close);
    }

    fn quoted(&mut self, text: &str) {
        self.text.push('"');
        for character in text.chars() {
            let needless = self.escapes > 0 && self.choices.once_in(self.escapes);
            match character {
                '"' | '\\' => self.text.extend(['\\', character]),
                '/' if needless => self.text.push_str("\\/"),
                '\n' if !needless => self.text.push_str("\\n"),
                '\t' if !needless => self.text.push_str("\\t"),
                _ if needless || character < ' ' => {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        let _ = match needless {
                            true => write!(self.text, "\\u{unit:04X}"),
                            false => write!(self.text, "\\u{unit:04x}"),
                        };
                    }
                }
                _ => self.text.push(character),
            }
        }
        self.text.push('"');
    }
}
