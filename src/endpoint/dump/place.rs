//! Where a dump is, as somebody names it.

use crate::endpoint::sqlite::file::shown;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// A dump: a file, a directory or standard input, and what has to be said besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DumpPlace {
    /// The file or directory; `None` is standard input.
    pub path: Option<PathBuf>,
    /// Which database of one that has several.
    pub database: Option<String>,
    /// The dump that has the definitions, where this one has rows alone.
    pub schema: Option<PathBuf>,
}

/// What may follow a `?`.
const KEYS: [&str; 2] = ["database=", "schema="];

impl DumpPlace {
    /// A file or a directory.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        DumpPlace { path: Some(path.into()), database: None, schema: None }
    }

    /// Standard input.
    pub fn standard_input() -> Self {
        DumpPlace { path: None, database: None, schema: None }
    }

    /// What follows `dump:`: `PATH`, `-`, and with `?database=NAME&schema=FILE` behind it. `None` for an empty path. A `?` that
    /// neither of the two follows belongs to the path.
    pub fn parse(word: &OsStr) -> Option<Self> {
        let bytes = word.as_bytes();
        let is_key = |place: &usize| KEYS.iter().any(|key| bytes[place + 1..].starts_with(key.as_bytes()));
        let mark = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'?').map(|(place, _)| place).find(is_key);
        let (path, rest) = mark.map_or((bytes, &[][..]), |mark| (&bytes[..mark], &bytes[mark + 1..]));
        let path = match path {
            b"" => return None,
            b"-" => None,
            path => Some(PathBuf::from(OsStr::from_bytes(path))),
        };
        let mut place = DumpPlace { path, database: None, schema: None };
        for part in rest.split(|byte| *byte == b'&').filter(|part| !part.is_empty()) {
            if let Some(name) = part.strip_prefix(b"database=") {
                place.database = Some(String::from_utf8_lossy(name).into_owned());
            } else if let Some(path) = part.strip_prefix(b"schema=") {
                place.schema = Some(PathBuf::from(OsStr::from_bytes(path)));
            } else {
                return None;
            }
        }
        Some(place)
    }
}

impl fmt::Display for DumpPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => f.write_str(&shown(path)),
            None => f.write_str("standard input"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_is_named_with_what_it_needs() {
        let parse = |text: &str| DumpPlace::parse(OsStr::new(text));
        assert_eq!(parse("a.sql"), Some(DumpPlace::at("a.sql")));
        assert_eq!(parse("-"), Some(DumpPlace::standard_input()));
        assert_eq!(parse("a?b.sql"), Some(DumpPlace::at("a?b.sql")));
        let both = DumpPlace { database: Some("app".to_owned()), schema: Some("b.sql".into()), ..DumpPlace::at("a?b") };
        assert_eq!(parse("a?b?database=app&schema=b.sql"), Some(both));
        assert_eq!((parse(""), parse("a?database=b&c=d")), (None, None));
    }
}
