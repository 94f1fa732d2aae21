//! What the 100 bytes at the start of a database say of the file, and what SQLite itself does not look at.
//!
//! The places are those of "Database File Format", 1.3 (<https://sqlite.org/fileformat2.html>). Left out on purpose,
//! because any program that writes changes them: the change counter (24), the size in pages (28, compared with the
//! file's length instead), the list of free pages (32, 36, which the integrity check follows from its first page on), the
//! schema cookie (40) and the version of the library that wrote last (96).

use super::header::{HEADER_BYTES, OpenFile};
use super::snapshot::Snapshot;
use crate::error::Result;
use std::collections::BTreeMap;

type Header = [u8; HEADER_BYTES];

/// A setting that lasts in the header.
pub struct Setting {
    /// Its name in the manifest.
    pub name: &'static str,
    read: fn(&Header) -> i64,
    words: &'static [(i64, &'static str)],
    /// SQLite cannot change it in a file that has tables.
    pub fixed: bool,
}

impl Setting {
    /// A value of it for people.
    pub fn word(&self, value: i64) -> String {
        let word = self.words.iter().find(|(known, _)| *known == value);
        word.map_or_else(|| value.to_string(), |(_, word)| (*word).to_owned())
    }
}

const JOURNAL_MODE: &str = "journal_mode";
const ENCODINGS: [(i64, &str); 3] = [(1, "UTF-8"), (2, "UTF-16le"), (3, "UTF-16be")];
const JOURNAL_MODES: [(i64, &str); 2] = [(1, "delete"), (2, "wal")];
const AUTO_VACUUMS: [(i64, &str); 3] = [(0, "none"), (1, "full"), (2, "incremental")];

/// Every setting that a finished file remembers.
pub const SETTINGS: [Setting; 9] = [
    Setting { name: "application_id", read: |h| signed(h, 68), words: &[], fixed: false },
    Setting { name: "auto_vacuum", read: auto_vacuum, words: &AUTO_VACUUMS, fixed: false },
    Setting { name: "default_cache_size", read: |h| signed(h, 48), words: &[], fixed: false },
    Setting { name: JOURNAL_MODE, read: |h| i64::from(h[19]), words: &JOURNAL_MODES, fixed: false },
    Setting { name: "page_size", read: page_size_bytes, words: &[], fixed: false },
    Setting { name: "reserved_bytes", read: |h| i64::from(h[20]), words: &[], fixed: false },
    Setting { name: "schema_format", read: |h| number(h, 44), words: &[], fixed: false },
    Setting { name: "text_encoding", read: |h| number(h, 56), words: &ENCODINGS, fixed: true },
    Setting { name: "user_version", read: |h| signed(h, 60), words: &[], fixed: false },
];

fn bytes(header: &Header, at: usize) -> [u8; 4] {
    [header[at], header[at + 1], header[at + 2], header[at + 3]]
}

fn number(header: &Header, at: usize) -> i64 {
    i64::from(u32::from_be_bytes(bytes(header, at)))
}

fn signed(header: &Header, at: usize) -> i64 {
    i64::from(i32::from_be_bytes(bytes(header, at)))
}

fn page_size_bytes(header: &Header) -> i64 {
    match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        size => i64::from(size),
    }
}

/// The largest root page says whether there is any; the flag behind it, of which kind.
fn auto_vacuum(header: &Header) -> i64 {
    match (number(header, 52), number(header, 64)) {
        (0, _) => 0,
        (_, 0) => 1,
        _ => 2,
    }
}

/// What the header of a file says, and what is wrong with the file around SQLite's own pages.
pub struct Facts {
    /// Each setting by its name.
    pub settings: BTreeMap<String, i64>,
    /// What no SQLite leaves behind, one sentence each.
    pub damage: Vec<String>,
    /// Zeros behind the last page: room that a program has asked for in advance, in bytes.
    pub spare_bytes: u64,
}

/// Reads the header of a state, whether it is in the file or in its log, and looks behind the last page.
///
/// # Errors
/// When the file cannot be read.
pub fn facts(snapshot: &Snapshot<'_>) -> Result<Facts> {
    let file = OpenFile::of(snapshot.connection())?;
    let header = *snapshot.header();
    let settings = SETTINGS.iter().map(|setting| (setting.name.to_owned(), (setting.read)(&header))).collect();
    let mut damage = oddities(&header);
    let pages_bytes = (number(&header, 28) * page_size_bytes(&header)).unsigned_abs();
    let size_bytes = file.size_bytes()?;
    let mut spare_bytes = 0;
    // With content in the log, the file has the size that it had before. A wrong size is not to be believed either.
    if !snapshot.has_log() && number(&header, 92) == number(&header, 24) && size_bytes > pages_bytes {
        match is_zero(&file, pages_bytes, size_bytes)? {
            true => spare_bytes = size_bytes - pages_bytes,
            false => damage.push(format!("{} bytes stand behind the last page", size_bytes - pages_bytes)),
        }
    }
    Ok(Facts { settings, damage, spare_bytes })
}

/// The settings as they are once the file has been published in that journal mode.
pub fn published(mut settings: BTreeMap<String, i64>, wal: bool) -> BTreeMap<String, i64> {
    settings.insert(JOURNAL_MODE.to_owned(), if wal { 2 } else { 1 });
    settings
}

fn oddities(header: &Header) -> Vec<String> {
    let mut found = Vec::new();
    if header[18] != header[19] {
        found.push(format!("the format versions for writing and for reading are {} and {}", header[18], header[19]));
    }
    if number(header, 52) == 0 && number(header, 64) != 0 {
        found.push("incremental vacuum is on in a file without auto-vacuum".to_owned());
    }
    if number(header, 36) == 0 && number(header, 32) != 0 {
        found.push(format!("page {} is named as the first free one, and no page is free", number(header, 32)));
    }
    if header[72..92].iter().any(|byte| *byte != 0) {
        found.push("the bytes 72 to 91 of the header are not zero, as SQLite keeps them".to_owned());
    }
    let (counter, valid_for) = (number(header, 24), number(header, 92));
    if counter != valid_for {
        found
            .push(format!("the size in the header is valid for change {valid_for}, and the last change was {counter}"));
    }
    found
}

fn is_zero(file: &OpenFile<'_>, start: u64, end: u64) -> Result<bool> {
    let mut buffer = vec![0; 1 << 16];
    let mut at = start;
    while at < end {
        let length = (end - at).min(buffer.len() as u64) as usize;
        file.read(&mut buffer[..length], at)?;
        if buffer[..length].iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        at += length as u64;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    /// Every setting is what SQLite's own pragma of that name says.
    #[test]
    fn the_header_says_what_sqlite_says() {
        let directory = tempfile::tempdir().unwrap();
        for (at, prepare) in [
            "PRAGMA page_size = 65536; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA encoding = 'UTF-16le'",
            "PRAGMA page_size = 512; PRAGMA auto_vacuum = FULL; PRAGMA user_version = -7; PRAGMA application_id = 305419896",
            "PRAGMA journal_mode = WAL; PRAGMA default_cache_size = 99",
        ]
        .into_iter()
        .enumerate()
        {
            let path = directory.path().join(format!("{at}.db"));
            let connection = Connection::open(&path).unwrap();
            connection.execute_batch(&format!("{prepare}; CREATE TABLE t (a); INSERT INTO t VALUES (1)")).unwrap();
            let found = facts(&Snapshot::begin(&connection).unwrap()).unwrap();
            assert!(found.damage.is_empty() && found.spare_bytes == 0, "{prepare}: {:?}", found.damage);
            for setting in &SETTINGS {
                let value = found.settings[setting.name];
                let pragma = match setting.name {
                    "text_encoding" => "encoding",
                    "reserved_bytes" | "schema_format" => continue,
                    "auto_vacuum" | "default_cache_size" => {
                        let own: i64 = connection
                            .query_row(&format!("PRAGMA {}", setting.name), [], |row| row.get(0))
                            .unwrap();
                        // SQLite's own default stands for 0.
                        assert!(own == value || value == 0 && own == -2000, "{prepare}: {}", setting.name);
                        continue;
                    }
                    name => name,
                };
                let own: rusqlite::types::Value =
                    connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0)).unwrap();
                let own = match own {
                    rusqlite::types::Value::Text(text) => text,
                    rusqlite::types::Value::Integer(number) => number.to_string(),
                    other => panic!("{other:?}"),
                };
                assert_eq!(setting.word(value), own, "{prepare}: {}", setting.name);
            }
        }
    }
}
