//! Texts in double quotes, as JSON spells them.

use std::fmt::Write;

/// Four hexadecimal digits.
pub(super) fn hex4(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.iter().try_fold(0, |value, byte| Some(value * 16 + char::from(*byte).to_digit(16)?))
}

/// The first byte from `at` on that ends plain text: a quote, a backslash, a control character.
#[inline]
pub(super) fn plain_until(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*chunk);
        let zero_in = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let stop = zero_in(word ^ (ONES * 0x22)) | zero_in(word ^ (ONES * 0x5c)) | control;
        if stop != 0 {
            return at + (stop.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while at < bytes.len() && !matches!(bytes[at], b'"' | b'\\' | 0..0x20) {
        at += 1;
    }
    at
}

/// What a quoted text says that was read before.
pub fn unescape(quoted: &str) -> String {
    let inner = &quoted[1..quoted.len() - 1];
    let bytes = inner.as_bytes();
    let mut text = String::with_capacity(inner.len());
    let mut from = 0;
    loop {
        let at = plain_until(bytes, from);
        text.push_str(&inner[from..at]);
        let Some(stop) = bytes.get(at) else { break };
        if *stop != b'\\' {
            text.push(char::from(*stop));
            from = at + 1;
            continue;
        }
        let (character, length) = match bytes.get(at + 1).copied().unwrap_or(*stop) {
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
        from = bytes.len().min(at + length);
    }
    text
}

/// Writes a text in quotes, as most writers do: what has to be escaped and no more, `ascii` for everything beyond it.
pub fn quote(text: &str, ascii: bool, out: &mut String) {
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push('"');
    let mut from = 0;
    // Nearly everything is as it is: it goes in runs.
    loop {
        let mut end = plain_until(bytes, from);
        if ascii {
            end = from + bytes[from..end].iter().position(|byte| !byte.is_ascii()).unwrap_or(end - from);
        }
        out.push_str(&text[from..end]);
        let Some(byte) = bytes.get(end) else { break };
        from = end + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x08 => out.push_str("\\b"),
            0x0c => out.push_str("\\f"),
            _ => {
                let Some(character) = text[end..].chars().next() else { break };
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
                from = end + character.len_utf8();
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As `serde_json` reads them; what it never writes is looked at, too.
    fn there_and_back(text: &str) {
        for ascii in [false, true] {
            let mut quoted = String::new();
            quote(text, ascii, &mut quoted);
            assert_eq!(serde_json::from_str::<String>(&quoted).as_deref().ok(), Some(text), "{quoted}");
            assert_eq!(unescape(&quoted), text);
            assert!(!ascii || quoted.is_ascii());
        }
    }

    #[test]
    fn every_character_that_ends_a_run_is_found_at_every_place() {
        for stop in ['"', '\\', '\n', '\r', '\t', '\u{8}', '\u{c}', '\0', '\u{1f}', '\u{7f}', 'ï', '😀'] {
            for before in 0..20 {
                for behind in [0, 1, 7, 8, 9] {
                    there_and_back(&format!("{}{stop}{}", "a".repeat(before), "ï".repeat(behind)));
                    there_and_back(&format!("{}{stop}{stop}", "ï".repeat(before)));
                }
            }
        }
        assert_eq!(unescape("\"a\\/\ttab\t\""), "a/\ttab\t");
    }

    proptest! {
        #[test]
        fn texts_come_back(text in any::<String>()) {
            there_and_back(&text);
        }
    }
}
