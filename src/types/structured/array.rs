//! `array_out` text: `{1,NULL,"a b"}`, with an optional decoration of bounds `[2:3]=` in front.

use super::json::Cursor;
use super::nested::{AppendJson, AppendText, is_plain_text, is_space};
use crate::catalog::DataType;

/// Arrays have at most six dimensions in PostgreSQL; text beyond that is not an array.
const DIMENSIONS_MAX: usize = 6;

/// Appends the JSON array for an array's text; bounds are left out.
pub fn append_json(element: &DataType, delimiter: char, text: &str, json: &mut String, part: AppendJson) -> Option<()> {
    let body = if text.starts_with('[') { text.split_once('=')?.1 } else { text };
    let mut reader = Reader { text: body, position: 0, delimiter, unescaped: String::new(), part };
    reader.dimension(element, json, 1)?;
    (reader.position == body.len()).then_some(())
}

struct Reader<'a> {
    text: &'a str,
    position: usize,
    delimiter: char,
    unescaped: String,
    /// Appends an element.
    part: AppendJson,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.position..].chars().next()
    }

    fn dimension(&mut self, element: &DataType, json: &mut String, depth: usize) -> Option<()> {
        if self.peek()? != '{' || depth > DIMENSIONS_MAX {
            return None;
        }
        self.position += 1;
        json.push('[');
        if self.peek()? == '}' {
            self.position += 1;
            json.push(']');
            return Some(());
        }
        loop {
            match self.peek()? {
                '{' => self.dimension(element, json, depth + 1)?,
                '"' => {
                    self.quoted()?;
                    push_element(element, &self.unescaped, json, self.part)?;
                }
                _ => {
                    let start = self.position;
                    let stop = |c: char| c == self.delimiter || c == '}' || c == '{' || c == '"';
                    self.position += self.text[start..].find(stop)?;
                    match &self.text[start..self.position] {
                        "" => return None,
                        "NULL" => json.push_str("null"),
                        plain => push_element(element, plain, json, self.part)?,
                    }
                }
            }
            let next = self.peek()?;
            self.position += next.len_utf8();
            if next == '}' {
                json.push(']');
                return Some(());
            }
            if next != self.delimiter {
                return None;
            }
            json.push(',');
        }
    }

    /// Reads a quoted element into `unescaped`.
    fn quoted(&mut self) -> Option<()> {
        self.position += 1;
        self.unescaped.clear();
        loop {
            let rest = &self.text[self.position..];
            let stop = rest.find(['"', '\\'])?;
            self.unescaped.push_str(&rest[..stop]);
            self.position += stop + 1;
            if rest.as_bytes()[stop] == b'"' {
                return Some(());
            }
            let escaped = self.peek()?;
            self.unescaped.push(escaped);
            self.position += escaped.len_utf8();
        }
    }
}

fn push_element(element: &DataType, text: &str, json: &mut String, part: AppendJson) -> Option<()> {
    if is_plain_text(element) {
        super::json::push_string(text, json);
        return Some(());
    }
    part(&element.shape, text, json)
}

/// Appends an array's text for a JSON array.
pub fn append_text(
    element: &DataType,
    delimiter: char,
    cursor: &mut Cursor<'_>,
    text: &mut String,
    part: AppendText,
) -> Option<()> {
    dimension((element, part), delimiter, cursor, text, &mut String::new(), 1)
}

fn dimension(
    (element, part): (&DataType, AppendText),
    delimiter: char,
    cursor: &mut Cursor<'_>,
    text: &mut String,
    scratch: &mut String,
    depth: usize,
) -> Option<()> {
    if !cursor.take('[') || depth > DIMENSIONS_MAX {
        return None;
    }
    text.push('{');
    if cursor.take(']') {
        text.push('}');
        return Some(());
    }
    loop {
        if cursor.next_is('[') {
            dimension((element, part), delimiter, cursor, text, scratch, depth + 1)?;
        } else if cursor.take_null() {
            text.push_str("NULL");
        } else {
            scratch.clear();
            if is_plain_text(element) {
                scratch.push_str(&cursor.string()?);
            } else {
                part(&element.shape, cursor, scratch)?;
            }
            push_quoted(scratch, delimiter, text);
        }
        if cursor.take(']') {
            text.push('}');
            return Some(());
        }
        if !cursor.take(',') {
            return None;
        }
        text.push(delimiter);
    }
}

/// Quotes an element where `array_out` does.
fn push_quoted(element: &str, delimiter: char, text: &mut String) {
    let special = |c: char| matches!(c, '"' | '\\' | '{' | '}') || c == delimiter || is_space(c);
    if !element.is_empty() && !element.eq_ignore_ascii_case("NULL") && !element.contains(special) {
        text.push_str(element);
        return;
    }
    text.push('"');
    for character in element.chars() {
        if matches!(character, '"' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text.push('"');
}
