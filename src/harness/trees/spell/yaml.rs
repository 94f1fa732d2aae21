//! YAML, from the tidy to the odd: blocks and flows, three ways to quote, block scalars, comments, blank lines.

use super::super::choices::Choices;
use super::super::node::Node;
use std::fmt::Write;

/// A mapping or a sequence as lines of YAML. What stands in front matter has no line that could end it.
pub fn yaml(node: &Node, choices: &mut Choices<'_>) -> String {
    let unit = *choices.of(&[2, 2, 4, 1]);
    let mut writing = Writing { unit, choices, text: String::new() };
    match node {
        Node::Object(members) if members.is_empty() => writing.text.push_str("{}\n"),
        Node::Array(elements) if elements.is_empty() => writing.text.push_str("[]\n"),
        Node::Object(_) | Node::Array(_) if !writing.choices.once_in(10) => writing.block(node, 0, false),
        _ => {
            writing.flow(node);
            writing.end();
        }
    }
    writing.text
}

struct Writing<'w, 'c> {
    unit: usize,
    choices: &'w mut Choices<'c>,
    text: String,
}

impl Writing<'_, '_> {
    fn indent(&mut self, depth: usize) {
        self.text.extend(std::iter::repeat_n(' ', self.unit * depth));
    }

    /// The end of a line, and what may stand there besides.
    fn end(&mut self) {
        if self.choices.once_in(12) {
            self.text.push_str("   # why");
        }
        self.text.push('\n');
    }

    fn between(&mut self, depth: usize) {
        match self.choices.below(20) {
            18 => self.text.push('\n'),
            19 => {
                self.indent(depth);
                self.text.push_str("# a comment: with a colon\n");
            }
            _ => {}
        }
    }

    /// Each item on lines of its own; the first behind the dash of an element where that is open.
    fn block(&mut self, node: &Node, depth: usize, mut behind_dash: bool) {
        let mut begin = |writing: &mut Self| {
            if !std::mem::take(&mut behind_dash) {
                writing.between(depth);
                writing.indent(depth);
            }
        };
        match node {
            Node::Object(members) => {
                for (key, value) in members {
                    begin(self);
                    self.scalar(key, true);
                    self.text.push(':');
                    self.value(value, depth);
                }
            }
            Node::Array(elements) => {
                for element in elements {
                    begin(self);
                    self.text.push('-');
                    // The members of a mapping stand below its first one, which is two characters in.
                    match element {
                        Node::Object(members) if !members.is_empty() && self.unit == 2 && self.choices.once_in(2) => {
                            self.text.push(' ');
                            self.block(element, depth + 1, true);
                        }
                        _ => self.value(element, depth),
                    }
                }
            }
            _ => self.value(node, depth),
        }
    }

    /// What stands behind `:` or `-`, and the end of its line.
    fn value(&mut self, node: &Node, depth: usize) {
        let is_block = match node {
            Node::Object(members) => !members.is_empty(),
            Node::Array(elements) => !elements.is_empty(),
            _ => false,
        };
        if is_block && !self.choices.once_in(6) {
            self.end();
            return self.block(node, depth + 1, false);
        }
        if let Node::Text(text) = node
            && can_be_literal(text)
            && self.choices.once_in(2)
        {
            self.text.push_str(if text.ends_with('\n') { " |\n" } else { " |-\n" });
            for line in text.lines() {
                if !line.is_empty() {
                    self.indent(depth + 1);
                    self.text.push_str(line);
                }
                self.text.push('\n');
            }
            return;
        }
        match node {
            Node::Null if self.choices.once_in(2) => {}
            _ => {
                let blank = *self.choices.of(&[" ", " ", " ", "   "]);
                self.text.push_str(blank);
                self.flow(node);
            }
        }
        self.end();
    }

    /// A value on one line.
    fn flow(&mut self, node: &Node) {
        match node {
            Node::Null => self.text.push_str(self.choices.of::<&str>(&["null", "~"])),
            Node::Bool(value) => self.text.push_str(if *value { "true" } else { "false" }),
            Node::Number(number) => self.text.push_str(number),
            Node::Quoted(_) => self.text.push_str("\"A/\""),
            Node::Text(text) => self.scalar(text, false),
            Node::Array(elements) => {
                self.text.push('[');
                for (place, element) in elements.iter().enumerate() {
                    self.separate(place);
                    self.flow(element);
                }
                self.text.push(']');
            }
            Node::Object(members) => {
                self.text.push('{');
                for (place, (key, value)) in members.iter().enumerate() {
                    self.separate(place);
                    self.scalar(key, true);
                    self.text.push_str(": ");
                    self.flow(value);
                }
                self.text.push('}');
            }
        }
    }

    fn separate(&mut self, place: usize) {
        if place > 0 {
            let comma = *self.choices.of(&[", ", ", ", ",  "]);
            self.text.push_str(comma);
        }
    }

    fn scalar(&mut self, text: &str, is_key: bool) {
        let plain = is_plain(text);
        let single = !text.is_empty() && text.chars().all(is_printed);
        match self.choices.below(4) {
            0 | 1 if plain => self.text.push_str(text),
            2 if single && !is_key => {
                let _ = write!(self.text, "'{}'", text.replace('\'', "''"));
            }
            _ => self.double(text),
        }
    }

    fn double(&mut self, text: &str) {
        self.text.push('"');
        for character in text.chars() {
            match character {
                '"' | '\\' => self.text.extend(['\\', character]),
                '\n' => self.text.push_str("\\n"),
                '\t' => self.text.push_str("\\t"),
                '\r' => self.text.push_str("\\r"),
                _ if is_printed(character) => self.text.push(character),
                _ => {
                    let _ = match u32::from(character) {
                        code @ 0..=0xff => write!(self.text, "\\x{code:02x}"),
                        code @ 0..=0xffff => write!(self.text, "\\u{code:04x}"),
                        code => write!(self.text, "\\U{code:08x}"),
                    };
                }
            }
        }
        self.text.push('"');
    }
}

/// Whether a character stands for itself between quotes, on every reader.
fn is_printed(character: char) -> bool {
    matches!(character, ' '..='~' | '\u{a1}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' | '\u{e000}'..='\u{fdcf}')
        || ('\u{1f300}'..='\u{1faff}').contains(&character)
}

/// Whether a text is the same without quotes, on every reader.
fn is_plain(text: &str) -> bool {
    let words = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && !text.ends_with(' ')
        && text.chars().all(|character| character.is_ascii_alphanumeric() || "_-. /".contains(character))
        && !words.contains(&text.to_ascii_lowercase().as_str())
}

/// Whether a text can stand on lines of its own below a `|`.
fn can_be_literal(text: &str) -> bool {
    let one_end = !text.ends_with("\n\n") && text != "\n" && !text.is_empty();
    one_end
        && !text.starts_with([' ', '\n'])
        && text.lines().all(|line| !line.ends_with('\r'))
        && text.chars().all(|character| character == '\n' || is_printed(character))
}
