//! The small part of JSON that the type-led conversions need, without building a tree: numbers and nested JSON keep
//! the very text that they were written with.

use std::borrow::Cow;

/// Whether a text is a number by JSON's grammar.
pub fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
}

/// Appends a JSON string.
pub fn push_string(text: &str, json: &mut String) {
    json.push('"');
    let mut plain_from = 0;
    for (index, byte) in text.bytes().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        json.push_str(&text[plain_from..index]);
        plain_from = index + 1;
        match byte {
            b'"' => json.push_str("\\\""),
            b'\\' => json.push_str("\\\\"),
            b'\n' => json.push_str("\\n"),
            b'\r' => json.push_str("\\r"),
            b'\t' => json.push_str("\\t"),
            other => json.push_str(&format!("\\u{other:04x}")),
        }
    }
    json.push_str(&text[plain_from..]);
    json.push('"');
}

/// A place in a JSON text.
pub struct Cursor<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Cursor<'a> {
    /// At the start.
    pub fn new(text: &'a str) -> Self {
        Cursor { text, position: 0 }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.position).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.position += 1;
        }
    }

    /// Whether only white space is left.
    pub fn at_end(&mut self) -> bool {
        self.skip_space();
        self.position == self.text.len()
    }

    /// Whether the next character, white space apart, is that one.
    pub fn next_is(&mut self, character: char) -> bool {
        self.skip_space();
        self.text[self.position..].starts_with(character)
    }

    /// Takes that character if it is the next one.
    pub fn take(&mut self, character: char) -> bool {
        let there = self.next_is(character);
        if there {
            self.position += character.len_utf8();
        }
        there
    }

    /// Takes `null` if it is next.
    pub fn take_null(&mut self) -> bool {
        self.skip_space();
        let there = self.text[self.position..].starts_with("null");
        if there {
            self.position += "null".len();
        }
        there
    }

    /// A number or a literal, as it is written.
    pub fn word(&mut self) -> Option<&'a str> {
        self.skip_space();
        let start = self.position;
        while matches!(self.peek(), Some(b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'+' | b'-' | b'.')) {
            self.position += 1;
        }
        (self.position > start).then(|| &self.text[start..self.position])
    }

    /// A string's content.
    pub fn string(&mut self) -> Option<Cow<'a, str>> {
        if !self.take('"') {
            return None;
        }
        let start = self.position;
        loop {
            match self.peek()? {
                b'"' => {
                    let content = &self.text[start..self.position];
                    self.position += 1;
                    return Some(Cow::Borrowed(content));
                }
                b'\\' => break,
                _ => self.position += 1,
            }
        }
        let mut content = self.text[start..self.position].to_owned();
        let mut plain_from = self.position;
        loop {
            match self.peek()? {
                b'"' => {
                    content.push_str(&self.text[plain_from..self.position]);
                    self.position += 1;
                    return Some(Cow::Owned(content));
                }
                b'\\' => {
                    content.push_str(&self.text[plain_from..self.position]);
                    self.position += 1;
                    content.push(self.escaped()?);
                    plain_from = self.position;
                }
                _ => self.position += 1,
            }
        }
    }

    fn escaped(&mut self) -> Option<char> {
        let kind = self.peek()?;
        self.position += 1;
        Some(match kind {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let high = self.four_digits()?;
                if !(0xd800..0xdc00).contains(&high) {
                    return char::from_u32(high);
                }
                if !self.text[self.position..].starts_with("\\u") {
                    return None;
                }
                self.position += 2;
                let low = self.four_digits()?;
                if !(0xdc00..0xe000).contains(&low) {
                    return None;
                }
                return char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
            }
            _ => return None,
        })
    }

    fn four_digits(&mut self) -> Option<u32> {
        let digits = self.text.get(self.position..self.position + 4)?;
        self.position += 4;
        u32::from_str_radix(digits, 16).ok()
    }

    /// Any JSON value, as it is written.
    pub fn raw_value(&mut self) -> Option<&'a str> {
        self.skip_space();
        let start = self.position;
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                }
                b'[' | b'{' => {
                    depth += 1;
                    self.position += 1;
                }
                b']' | b'}' => {
                    depth = depth.checked_sub(1)?;
                    self.position += 1;
                }
                b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' if depth > 0 => {
                    self.position += 1;
                    continue;
                }
                _ => {
                    self.word()?;
                }
            }
            if depth == 0 {
                return Some(&self.text[start..self.position]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_by_the_grammar() {
        for text in ["0", "-0", "1.50", "1e+20", "-1.5E-3", "10"] {
            assert!(is_number(text), "{text}");
        }
        for text in ["", "-", "01", "1.", ".5", "NaN", "1e", "+1", "1 "] {
            assert!(!is_number(text), "{text}");
        }
    }

    #[test]
    fn strings_survive() {
        let text = "a\"b\\c\n\u{1}é😀/";
        let mut json = String::new();
        push_string(text, &mut json);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        assert_eq!(Cursor::new(&json).string().unwrap(), text);
        assert_eq!(Cursor::new(r#""\ud83d\ude00\b""#).string().unwrap(), "😀\u{8}");
        assert_eq!(Cursor::new(r#""\ud83d""#).string(), None);
    }

    #[test]
    fn nested_values_keep_their_text() {
        let mut cursor = Cursor::new(r#" {"a": [1, "]"]} , 2"#);
        assert_eq!(cursor.raw_value(), Some(r#"{"a": [1, "]"]}"#));
        assert!(cursor.take(','));
        assert_eq!(cursor.raw_value(), Some("2"));
        assert!(cursor.at_end());
    }
}
