//! Identifiers in SQL, which both engines quote alike, and paths in a shell.

use std::path::Path;

/// An identifier in double quotes.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Identifiers in double quotes, joined by commas.
pub fn quote_all<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(quote).collect::<Vec<_>>().join(", ")
}

/// A path as a shell takes it.
pub fn shell(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '~' | '+' | '@' | ':');
    if !text.is_empty() && text.chars().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
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
    fn a_path_survives_a_shell() {
        assert_eq!(shell(Path::new("app.db")), "app.db");
        assert_eq!(shell(Path::new("my app's.db")), "'my app'\\''s.db'");
    }
}
