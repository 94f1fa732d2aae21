//! Checksums of migration files: the same for the same SQL, whatever an editor or Git did to its line endings.
//!
//! Invariant: a checksum names its algorithm (`xxh3-128:…`), so that another one can follow without guessing. SHA-384
//! is here only to recognise what sqlx recorded in `_sqlx_migrations`.

use std::borrow::Cow;

use sha2::{Digest, Sha384};
use xxhash_rust::xxh3::xxh3_128;

/// The byte order mark that some editors put in front of UTF-8 text.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The text as it is run and kept: without a byte order mark, and otherwise byte for byte, for a line end may be part
/// of a literal.
pub(crate) fn without_mark(text: &str) -> &str {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

/// The text as it is hashed: without a byte order mark, each line ended by LF alone.
pub fn canonical(text: &str) -> Cow<'_, str> {
    let text = without_mark(text);
    if text.contains("\r\n") { Cow::Owned(text.replace("\r\n", "\n")) } else { Cow::Borrowed(text) }
}

/// The checksum of a file's text, as `xxh3-128:` and 32 hexadecimal digits of its canonical form.
pub fn checksum(text: &str) -> String {
    named(xxh3_128(canonical(text).as_bytes()))
}

/// A digest with the name of its algorithm.
pub(crate) fn named(digest: u128) -> String {
    format!("xxh3-128:{digest:032x}")
}

/// Whether `recorded` is the SHA-384 that sqlx takes over the whole file, with any line ending that Git may have given
/// the file since, and with or without a byte order mark.
pub fn is_sqlx_checksum(raw: &str, recorded: &[u8]) -> bool {
    let unix = canonical(raw);
    let windows = unix.replace('\n', "\r\n");
    let forms = [raw, unix.as_ref(), windows.as_str()];
    forms.iter().any(|text| {
        Sha384::digest(text.as_bytes()).as_slice() == recorded
            || Sha384::digest(format!("{BYTE_ORDER_MARK}{text}").as_bytes()).as_slice() == recorded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_endings_and_a_byte_order_mark_do_not_change_a_checksum() {
        let unix = checksum("CREATE TABLE a(b);\nSELECT 1;\n");
        assert_eq!(unix, checksum("CREATE TABLE a(b);\r\nSELECT 1;\r\n"));
        assert_eq!(unix, checksum("\u{feff}CREATE TABLE a(b);\nSELECT 1;\n"));
        assert_ne!(unix, checksum("CREATE TABLE a(b);\nSELECT 2;\n"));
        assert!(unix.starts_with("xxh3-128:") && unix.len() == 9 + 32);
    }

    #[test]
    fn a_lone_carriage_return_is_content() {
        assert_ne!(checksum("SELECT 'a\rb'"), checksum("SELECT 'a\nb'"));
    }

    #[test]
    fn the_checksum_of_sqlx_is_recognised_under_either_line_ending() {
        let recorded = Sha384::digest(b"SELECT 1;\r\nSELECT 2;\r\n");
        assert!(is_sqlx_checksum("SELECT 1;\nSELECT 2;\n", &recorded));
        assert!(is_sqlx_checksum("SELECT 1;\r\nSELECT 2;\r\n", &recorded));
        assert!(!is_sqlx_checksum("SELECT 1;\n", &recorded));
    }
}
