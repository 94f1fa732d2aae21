//! Paths: for people, as data, and of what SQLite keeps beside a database.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The path of a file that SQLite keeps beside a database: `suffix` is `wal`, `shm` or `journal`.
pub fn side_path(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path.as_os_str());
    name.push("-");
    name.push(suffix);
    PathBuf::from(name)
}

/// A path for people, in backticks.
pub fn quoted(path: &Path) -> String {
    format!("`{}`", shown(path))
}

/// A path as text that no other path has. It is the path itself where that is UTF-8; otherwise each byte that is no part of
/// UTF-8 is written as `\xff`, and a backslash twice, as it is in a path that spells `\x` itself.
pub fn shown(path: &Path) -> String {
    if let Some(text) = path.to_str().filter(|text| !text.contains("\\x")) {
        return text.to_owned();
    }
    let mut text = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        text.push_str(&chunk.valid().replace('\\', "\\\\"));
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}
