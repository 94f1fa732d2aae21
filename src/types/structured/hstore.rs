//! `hstore_out` text: `"key"=>"value", "other"=>NULL`.

use super::json::{self, Cursor};

/// Appends the JSON object for an hstore's text.
pub fn append_json(text: &str, json: &mut String) -> Option<()> {
    let mut rest = text;
    json.push('{');
    while !rest.is_empty() {
        if json.len() > 1 && !json.ends_with('{') {
            rest = rest.strip_prefix(", ")?;
            json.push(',');
        }
        let (key, length) = quoted(rest)?;
        json::push_string(&key, json);
        json.push(':');
        rest = rest[length..].strip_prefix("=>")?;
        if let Some(after) = rest.strip_prefix("NULL") {
            json.push_str("null");
            rest = after;
        } else {
            let (value, length) = quoted(rest)?;
            json::push_string(&value, json);
            rest = &rest[length..];
        }
    }
    json.push('}');
    Some(())
}

/// A quoted string's content and how long it is in the text.
fn quoted(text: &str) -> Option<(String, usize)> {
    let mut characters = text.char_indices();
    if characters.next()?.1 != '"' {
        return None;
    }
    let mut content = String::new();
    while let Some((position, character)) = characters.next() {
        match character {
            '"' => return Some((content, position + 1)),
            '\\' => content.push(characters.next()?.1),
            other => content.push(other),
        }
    }
    None
}

/// Appends an hstore's text for a JSON object of strings and nulls.
pub fn append_text(cursor: &mut Cursor<'_>, text: &mut String) -> Option<()> {
    if !cursor.take('{') {
        return None;
    }
    if cursor.take('}') {
        return Some(());
    }
    loop {
        push_quoted(&cursor.string()?, text);
        text.push_str("=>");
        if !cursor.take(':') {
            return None;
        }
        if cursor.take_null() {
            text.push_str("NULL");
        } else {
            push_quoted(&cursor.string()?, text);
        }
        if cursor.take('}') {
            return Some(());
        }
        if !cursor.take(',') {
            return None;
        }
        text.push_str(", ");
    }
}

fn push_quoted(content: &str, text: &mut String) {
    text.push('"');
    for character in content.chars() {
        if matches!(character, '"' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text.push('"');
}
