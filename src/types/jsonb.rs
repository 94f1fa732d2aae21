//! The one spelling that `jsonb` has for a document: keys by length and bytes, the last of equal ones, numbers as `numeric`
//! writes them, a blank behind each `:` and `,`.
//!
//! Source: PostgreSQL's documentation, "JSON Types", and src/backend/utils/adt/jsonb.c, jsonb_util.c, numeric.c.

use std::borrow::Cow;

/// Deeper documents are left as they are: only the server knows how deep it reads.
const DEPTH_MAX: usize = 1_200;
/// More digits before the point, or behind it, no `numeric` has.
const WHOLE_DIGITS_MAX: i64 = 131_072;
const FRACTION_DIGITS_MAX: i64 = 16_383;

/// The document as `jsonb` spells it; `None` where the type does not take it.
pub fn normal(text: &str) -> Option<Cow<'_, str>> {
    let mut reader = Reader { bytes: text.as_bytes(), text, at: 0 };
    let mut written = String::with_capacity(text.len());
    match reader.value(&mut written, 0) {
        Ok(()) => {}
        Err(Stop::TooDeep) => return Some(Cow::Borrowed(text)),
        Err(Stop::NotTaken) => return None,
    }
    reader.blanks();
    if reader.at < reader.bytes.len() {
        return None;
    }
    Some(if written == text { Cow::Borrowed(text) } else { Cow::Owned(written) })
}

enum Stop {
    NotTaken,
    TooDeep,
}

type Outcome<T> = Result<T, Stop>;

struct Reader<'t> {
    bytes: &'t [u8],
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn blanks(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn next(&mut self) -> Option<u8> {
        self.blanks();
        self.bytes.get(self.at).copied()
    }

    /// Whether that byte is next; then it is passed.
    fn takes(&mut self, byte: u8) -> bool {
        let is_next = self.next() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn value(&mut self, into: &mut String, depth: usize) -> Outcome<()> {
        if depth > DEPTH_MAX {
            return Err(Stop::TooDeep);
        }
        match self.next() {
            Some(b'{') => self.object(into, depth),
            Some(b'[') => self.array(into, depth),
            Some(b'"') => {
                let string = self.string()?;
                push_string(&string, into);
                Ok(())
            }
            Some(b'-' | b'0'..=b'9') => self.number(into),
            _ => {
                let rest = &self.text[self.at..];
                let word = ["true", "false", "null"].into_iter().find(|word| rest.starts_with(word));
                let word = word.ok_or(Stop::NotTaken)?;
                self.at += word.len();
                into.push_str(word);
                Ok(())
            }
        }
    }

    fn array(&mut self, into: &mut String, depth: usize) -> Outcome<()> {
        self.at += 1;
        into.push('[');
        if !self.takes(b']') {
            loop {
                self.value(into, depth + 1)?;
                if self.takes(b']') {
                    break;
                }
                if !self.takes(b',') {
                    return Err(Stop::NotTaken);
                }
                into.push_str(", ");
            }
        }
        into.push(']');
        Ok(())
    }

    fn object(&mut self, into: &mut String, depth: usize) -> Outcome<()> {
        self.at += 1;
        let mut members: Vec<(Cow<'t, str>, String)> = Vec::new();
        if !self.takes(b'}') {
            loop {
                if self.next() != Some(b'"') {
                    return Err(Stop::NotTaken);
                }
                let key = self.string()?;
                if !self.takes(b':') {
                    return Err(Stop::NotTaken);
                }
                let mut value = String::new();
                self.value(&mut value, depth + 1)?;
                members.push((key, value));
                if self.takes(b'}') {
                    break;
                }
                if !self.takes(b',') {
                    return Err(Stop::NotTaken);
                }
            }
        }
        // A stable sort: of equal keys the last one stays last.
        members.sort_by(|(one, _), (other, _)| (one.len(), one.as_bytes()).cmp(&(other.len(), other.as_bytes())));
        into.push('{');
        let mut is_first = true;
        for (place, (key, value)) in members.iter().enumerate() {
            if members.get(place + 1).is_some_and(|(next, _)| next == key) {
                continue;
            }
            if !std::mem::take(&mut is_first) {
                into.push_str(", ");
            }
            push_string(key, into);
            into.push_str(": ");
            into.push_str(value);
        }
        into.push('}');
        Ok(())
    }

    /// A string without its quotes and escapes.
    fn string(&mut self) -> Outcome<Cow<'t, str>> {
        self.at += 1;
        let start = self.at;
        let mut decoded: Option<String> = None;
        loop {
            let byte = *self.bytes.get(self.at).ok_or(Stop::NotTaken)?;
            match byte {
                b'"' => {
                    let plain = &self.text[start..self.at];
                    self.at += 1;
                    return Ok(decoded.map_or(Cow::Borrowed(plain), Cow::Owned));
                }
                0..=0x1f => return Err(Stop::NotTaken),
                b'\\' => {
                    let mut so_far = decoded.take().unwrap_or_else(|| self.text[start..self.at].to_owned());
                    self.at += 1;
                    so_far.push(self.escape()?);
                    decoded = Some(so_far);
                }
                _ => {
                    let length = self.text[self.at..].chars().next().map_or(1, char::len_utf8);
                    if let Some(so_far) = &mut decoded {
                        so_far.push_str(&self.text[self.at..self.at + length]);
                    }
                    self.at += length;
                }
            }
        }
    }

    /// What stands behind a backslash.
    fn escape(&mut self) -> Outcome<char> {
        let byte = *self.bytes.get(self.at).ok_or(Stop::NotTaken)?;
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.code()?;
                let code = match first {
                    0xd800..=0xdbff => {
                        if self.bytes.get(self.at..self.at + 2) != Some(b"\\u") {
                            return Err(Stop::NotTaken);
                        }
                        self.at += 2;
                        let second = self.code()?;
                        if !(0xdc00..=0xdfff).contains(&second) {
                            return Err(Stop::NotTaken);
                        }
                        0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
                    }
                    code => code,
                };
                // Neither half a pair nor U+0000 is a character of a text.
                char::from_u32(code).filter(|c| *c != '\0').ok_or(Stop::NotTaken)?
            }
            _ => return Err(Stop::NotTaken),
        })
    }

    fn code(&mut self) -> Outcome<u32> {
        let digits = self.text.get(self.at..self.at + 4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        self.at += 4;
        digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()).ok_or(Stop::NotTaken)
    }

    fn digits(&mut self) -> &'t str {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        &self.text[start..self.at]
    }

    fn number(&mut self, into: &mut String) -> Outcome<()> {
        let negative = self.bytes.get(self.at) == Some(&b'-');
        self.at += usize::from(negative);
        let whole = self.digits();
        if whole.is_empty() || (whole.len() > 1 && whole.starts_with('0')) {
            return Err(Stop::NotTaken);
        }
        let mut fraction = "";
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            fraction = self.digits();
            if fraction.is_empty() {
                return Err(Stop::NotTaken);
            }
        }
        let mut exponent = 0_i64;
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            let minus = self.bytes.get(self.at) == Some(&b'-');
            self.at += usize::from(matches!(self.bytes.get(self.at), Some(b'-' | b'+')));
            let digits = self.digits();
            if digits.is_empty() {
                return Err(Stop::NotTaken);
            }
            let size = digits.trim_start_matches('0').parse().unwrap_or(if digits.bytes().all(|b| b == b'0') {
                0
            } else {
                i64::MAX
            });
            exponent = if minus { -size } else { size };
        }
        plain_number(negative, whole, fraction, exponent, into)
    }
}

/// A number without an exponent, as `numeric` keeps and writes it.
fn plain_number(negative: bool, whole: &str, fraction: &str, exponent: i64, into: &mut String) -> Outcome<()> {
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0');
    let scale = (fraction.len() as i64).saturating_sub(exponent).max(0);
    if scale > FRACTION_DIGITS_MAX {
        return Err(Stop::NotTaken);
    }
    let is_zero = significant.is_empty();
    // Where the point stands, counted from the first digit that is not zero.
    let point = (whole.len() as i64 - (digits.len() - significant.len()) as i64).saturating_add(exponent);
    if !is_zero && point > WHOLE_DIGITS_MAX {
        return Err(Stop::NotTaken);
    }
    if negative && !is_zero {
        into.push('-');
    }
    let scale = scale as usize;
    if is_zero {
        into.push('0');
        if scale > 0 {
            into.push('.');
            into.extend(std::iter::repeat_n('0', scale));
        }
        return Ok(());
    }
    let at = |place: i64| usize::try_from(place).ok().and_then(|place| significant.as_bytes().get(place));
    let digit = |place: i64| char::from(at(place).copied().unwrap_or(b'0'));
    match point {
        ..=0 => into.push('0'),
        point => into.extend((0..point).map(digit)),
    }
    if scale > 0 {
        into.push('.');
        into.extend((point..point + scale as i64).map(digit));
    }
    Ok(())
}

fn push_string(string: &str, into: &mut String) {
    into.push('"');
    for character in string.chars() {
        match character {
            '"' => into.push_str("\\\""),
            '\\' => into.push_str("\\\\"),
            '\u{8}' => into.push_str("\\b"),
            '\u{c}' => into.push_str("\\f"),
            '\n' => into.push_str("\\n"),
            '\r' => into.push_str("\\r"),
            '\t' => into.push_str("\\t"),
            control if control < ' ' => into.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => into.push(other),
        }
    }
    into.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What PostgreSQL 15 gives for `text::jsonb::text`.
    #[test]
    fn a_document_is_spelled_as_the_server_does() {
        for (text, expected) in [
            ("1", "1"),
            ("-0", "0"),
            ("-0.0", "0.0"),
            ("1e3", "1000"),
            ("1.50e1", "15.0"),
            ("1.5E-3", "0.0015"),
            ("0e5", "0"),
            ("0.10", "0.10"),
            ("12.5e0", "12.5"),
            (" { \"spaces\" :  [ 1 , 2 ] } ", "{\"spaces\": [1, 2]}"),
            ("{\"b\":1,\"a\":2,\"aa\":3}", "{\"a\": 2, \"b\": 1, \"aa\": 3}"),
            ("{\"a\":1,\"a\":2}", "{\"a\": 2}"),
            ("\"\\u00e9\\n\\t\\/\\b\\f\\u0001\"", "\"é\\n\\t/\\b\\f\\u0001\""),
            ("\"\\ud83d\\ude00 \\\\ \\\"\"", "\"😀 \\\\ \\\"\""),
            ("[[], {}, [[]]]", "[[], {}, [[]]]"),
        ] {
            assert_eq!(normal(text).as_deref(), Some(expected), "{text}");
            assert!(matches!(normal(expected), Some(Cow::Borrowed(_))), "{expected}");
        }
        for text in
            ["", "01", "1.", ".5", "\"\\u0000\"", "\"\\ud800\"", "1e200000", "{a:1}", "[1,]", "nul", "1 2", "\"\n\""]
        {
            assert_eq!(normal(text), None, "{text}");
        }
    }

    #[test]
    fn a_deep_document_is_left_alone() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(matches!(normal(&deep), Some(Cow::Borrowed(_))));
    }
}
