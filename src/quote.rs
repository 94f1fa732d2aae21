//! Identifiers in SQL, which both engines quote alike, literals, and paths in a shell.

use crate::printable::is_hidden;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// An identifier in double quotes.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Identifiers in double quotes, joined by commas.
pub fn quote_all<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(quote).collect::<Vec<_>>().join(", ")
}

/// A text as PostgreSQL takes it. What shows nothing of its own is written as its code, so that the literal can be printed
/// and copied.
pub fn postgres_literal(text: &str) -> String {
    if !text.contains(is_hidden) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut literal = String::from("E'");
    for character in text.chars() {
        match (character, u32::from(character)) {
            ('\'', _) => literal.push_str("''"),
            ('\\', _) => literal.push_str("\\\\"),
            (character, code @ 0..=0xFFFF) if is_hidden(character) => literal.push_str(&format!("\\u{code:04x}")),
            (character, code) if is_hidden(character) => literal.push_str(&format!("\\U{code:08x}")),
            (character, _) => literal.push(character),
        }
    }
    literal.push('\'');
    literal
}

/// A path as a shell takes it; `$'…'` where it has bytes that show nothing of their own, or are no text.
pub fn shell(path: &Path) -> String {
    // Else it would be an option.
    if path.as_os_str().as_bytes().starts_with(b"-") {
        return shell(&Path::new(".").join(path));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '~' | '+' | '@' | ':');
    match path.to_str() {
        Some(text) if !text.is_empty() && text.chars().all(plain) => text.to_owned(),
        Some(text) if !text.contains(is_hidden) => format!("'{}'", text.replace('\'', "'\\''")),
        _ => {
            let octal = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\{byte:03o}")).collect::<String>();
            let mut quoted = String::from("$'");
            for chunk in path.as_os_str().as_bytes().utf8_chunks() {
                for character in chunk.valid().chars() {
                    match character {
                        '\'' | '\\' => quoted.extend(['\\', character]),
                        hidden if is_hidden(hidden) => quoted.push_str(&octal(hidden.to_string().as_bytes())),
                        shown => quoted.push(shown),
                    }
                }
                quoted.push_str(&octal(chunk.invalid()));
            }
            quoted.push('\'');
            quoted
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_can_be_quoted() {
        assert_eq!(quote("a\"b\nc"), "\"a\"\"b\nc\"");
    }

    #[test]
    fn a_literal_can_be_printed() {
        assert_eq!(postgres_literal("it's \\ é"), "'it''s \\ é'");
        assert_eq!(postgres_literal("it's \\\u{1b}\n\u{e0041}"), "E'it''s \\\\\\u001b\\u000a\\U000e0041'");
    }

    #[test]
    fn a_path_survives_a_shell() {
        use std::os::unix::ffi::OsStringExt;
        for bytes in [&b"a b"[..], b"a'b\\\x1b[2J\n", b"a\xff\x9b'", "é\u{202e}7".as_bytes()] {
            let path = std::path::PathBuf::from(std::ffi::OsString::from_vec(bytes.to_vec()));
            let quoted = shell(&path);
            assert!(!quoted.contains(is_hidden), "{quoted}");
            let said =
                std::process::Command::new("bash").args(["-c", &format!("printf %s {quoted}")]).output().unwrap();
            assert_eq!(said.stdout, bytes, "{quoted}");
        }
        assert_eq!(shell(Path::new("app.db")), "app.db");
        assert_eq!(shell(Path::new("-dash.db")), "./-dash.db");
        assert_eq!(shell(Path::new("-a b.db")), "'./-a b.db'");
        assert_eq!(shell(Path::new("my app's.db")), "'my app'\\''s.db'");
    }
}
