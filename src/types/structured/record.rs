//! `record_out` text: `(1,"a b",)`, where an empty field is NULL.

use super::json::{self, Cursor};
use super::nested::{AppendJson, AppendText, is_space};
use crate::catalog::Composite;

/// Appends the JSON object for a composite value's text.
pub fn append_json(composite: &Composite, text: &str, json: &mut String, part: AppendJson) -> Option<()> {
    let mut rest = text.strip_prefix('(')?;
    json.push('{');
    for (index, field) in composite.fields.iter().enumerate() {
        if index > 0 {
            rest = rest.strip_prefix(',')?;
            json.push(',');
        }
        json::push_string(&field.name, json);
        json.push(':');
        let (value, length) = read_field(rest)?;
        match value {
            Some(value) => part(&field.data_type.shape, &value, json)?,
            None => json.push_str("null"),
        }
        rest = &rest[length..];
    }
    json.push('}');
    (rest == ")").then_some(())
}

/// One field's value, `None` for NULL, and how long it is in the text.
fn read_field(text: &str) -> Option<(Option<String>, usize)> {
    if text.starts_with([',', ')']) {
        return Some((None, 0));
    }
    let mut value = String::new();
    let mut quoted = false;
    let mut characters = text.char_indices().peekable();
    while let Some((position, character)) = characters.next() {
        match character {
            '"' if quoted && characters.peek().is_some_and(|(_, next)| *next == '"') => {
                characters.next();
                value.push('"');
            }
            '"' => quoted = !quoted,
            '\\' => value.push(characters.next()?.1),
            ',' | ')' if !quoted => return Some((Some(value), position)),
            other => value.push(other),
        }
    }
    None
}

/// Appends a composite value's text for a JSON object with the fields in their order.
pub fn append_text(composite: &Composite, cursor: &mut Cursor<'_>, text: &mut String, part: AppendText) -> Option<()> {
    if !cursor.take('{') {
        return None;
    }
    text.push('(');
    let mut value = String::new();
    for (index, field) in composite.fields.iter().enumerate() {
        if index > 0 {
            if !cursor.take(',') {
                return None;
            }
            text.push(',');
        }
        if cursor.string()? != field.name || !cursor.take(':') {
            return None;
        }
        if cursor.take_null() {
            continue;
        }
        value.clear();
        part(&field.data_type.shape, cursor, &mut value)?;
        push_quoted(&value, text);
    }
    text.push(')');
    cursor.take('}').then_some(())
}

/// Quotes a field where `record_out` does.
fn push_quoted(value: &str, text: &mut String) {
    let special = |c: char| matches!(c, '"' | '\\' | '(' | ')' | ',') || is_space(c);
    if !value.is_empty() && !value.contains(special) {
        text.push_str(value);
        return;
    }
    text.push('"');
    for character in value.chars() {
        if matches!(character, '"' | '\\') {
            text.push(character);
        }
        text.push(character);
    }
    text.push('"');
}
