//! Texts in double quotes, as JSON spells them.

use std::fmt::Write;

/// Four hexadecimal digits.
pub(super) fn hex4(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.iter().try_fold(0, |value, byte| Some(value * 16 + char::from(*byte).to_digit(16)?))
}

/// What a quoted text says that was read before.
pub fn unescape(quoted: &str) -> String {
    let inner = &quoted[1..quoted.len() - 1];
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let bytes = rest.as_bytes();
        let (character, length) = match bytes[at + 1] {
            b'b' => ('\u{8}', 2),
            b'f' => ('\u{c}', 2),
            b'n' => ('\n', 2),
            b'r' => ('\r', 2),
            b't' => ('\t', 2),
            b'u' => {
                let unit = hex4(bytes, at + 2).unwrap_or(0xfffd);
                match unit {
                    0xd800..=0xdbff => {
                        let low = hex4(bytes, at + 8).unwrap_or(0xdc00);
                        let point = 0x10000 + ((unit - 0xd800) << 10) + (low.wrapping_sub(0xdc00) & 0x3ff);
                        (char::from_u32(point).unwrap_or('\u{fffd}'), 12)
                    }
                    _ => (char::from_u32(unit).unwrap_or('\u{fffd}'), 6),
                }
            }
            other => (char::from(other), 2),
        };
        text.push(character);
        rest = &rest[at + length..];
    }
    text.push_str(rest);
    text
}

/// Writes a text in quotes, as most writers do: what has to be escaped and no more, `ascii` for everything beyond it.
pub fn quote(text: &str, ascii: bool, out: &mut String) {
    out.push('"');
    let is_plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\' && (byte < 0x80 || !ascii);
    let mut rest = text;
    // Nearly everything is as it is: it goes in runs.
    while let Some(end) = rest.bytes().position(|byte| !is_plain(byte)) {
        out.push_str(&rest[..end]);
        let Some(character) = rest[end..].chars().next() else { break };
        escape(character, out);
        rest = &rest[end + character.len_utf8()..];
    }
    out.push_str(rest);
    out.push('"');
}

fn escape(character: char, out: &mut String) {
    match character {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        other => {
            for unit in other.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
}
