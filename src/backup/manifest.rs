//! What is written beside a backup, and the digest that proves it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::endpoint::sqlite::file::{quoted, shown};
use crate::endpoint::sqlite::staging::random;
use crate::error::{Context, Error, Result};
use crate::value::calendar;

/// The version of the manifest's form that this program writes for a backup whose file is as it was.
pub const FORMAT: u32 = 1;

/// The version for a backup whose file is compressed: a program that knows the first form alone would look for another file.
pub const FORMAT_COMPRESSED: u32 = 2;

/// The name of the digest: XXH3 with 128 bits, seed 0, in 32 lower-case hexadecimal digits
/// (<https://github.com/Cyan4973/xxHash>).
pub const ALGORITHM: &str = "xxh3-128";

/// What the target was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// A database; the backup has a file.
    Database,
    /// A file of zero bytes; restoring creates one.
    Empty,
    /// There was no file; restoring removes the target.
    Absent,
    /// A tree of files; the backup is its archive.
    Tree,
}

impl Kind {
    /// Whether the backup has a file of its own.
    pub fn has_file(self) -> bool {
        match self {
            Kind::Database | Kind::Tree => true,
            Kind::Empty | Kind::Absent => false,
        }
    }
}

/// Why a backup was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// A migrate was about to replace the target.
    BeforeMigrate,
    /// A rollback was about to replace the target.
    BeforeRollback,
    /// The target stays, and its readers and writers are about to leave it for another store.
    BeforeCutover,
    /// Somebody asked for one; the target stays in use.
    OnRequest,
}

/// What is known about a backup; stored as JSON beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this form.
    pub format: u32,
    /// Time and random number; also the name of the files.
    pub id: String,
    /// What the target was.
    pub kind: Kind,
    /// The name of the digest's algorithm.
    pub algorithm: String,
    /// The digest of the backup's file, before it is compressed; none where there is no file.
    pub digest: Option<String>,
    /// The size of the backup's file in bytes, before it is compressed.
    pub size_bytes: u64,
    /// Where the file is compressed with Zstandard (RFC 8878): its size in bytes as it lies there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compressed_bytes: Option<u64>,
    /// The file that was backed up had the same bytes. False where it kept content in a write-ahead log, or spare
    /// room behind its last page, or where others went on using it, so that it could not be compared; the content is the
    /// same in any case.
    pub identical: bool,
    /// UTC, RFC 3339 with milliseconds.
    pub taken_at: String,
    /// The program and its version.
    pub tool: String,
    /// Where the rows that replaced the target came from, without a password; empty where nothing replaced it.
    pub source: String,
    /// The digest of everything that the file which replaced the target remembers; a copy of it for later, apart from
    /// that file. None where it remembers nothing; manifests of earlier versions do not have it.
    #[serde(default)]
    pub replacement_digest: Option<String>,
    /// Why it was taken.
    pub reason: Reason,
    /// Whose backup it is.
    #[serde(flatten)]
    pub provenance: Provenance,
    /// Permission bits of the target.
    pub mode: Option<u32>,
    /// Patterns of what is not in the archive of a tree, and stays when it is restored. Manifests of earlier versions have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
}

/// Which target a backup was taken of, and how to know it again where it or the folder was moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The path of the target, links followed; as it is shown where it is not UTF-8.
    pub target: String,
    /// The bytes of that path in hexadecimal, where it is not UTF-8.
    pub target_bytes: Option<String>,
    /// The path of the target seen from the folder of the backups. Manifests of earlier versions do not have it.
    pub target_from_folder: Option<String>,
    /// The bytes of that path in hexadecimal, where it is not UTF-8.
    pub target_from_folder_bytes: Option<String>,
    /// The folder was the target's own, `<name>.whimbrel-backups` beside it. Manifests of earlier versions do not say.
    pub own_folder: Option<bool>,
}

impl Provenance {
    /// What is remembered of a target, the way to it from the folder, and whether that is its own folder.
    pub(crate) fn new(target: &Path, from_folder: &Path, own_folder: bool) -> Provenance {
        Provenance {
            target: shown(target),
            target_bytes: bytes_of(target),
            target_from_folder: Some(shown(from_folder)),
            target_from_folder_bytes: bytes_of(from_folder),
            own_folder: Some(own_folder),
        }
    }

    /// What a manifest says of its target, also one of a later form or with other damage; nothing where it says nothing.
    pub(crate) fn read(path: &Path) -> Option<Provenance> {
        serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
    }

    /// The path of the target.
    pub fn target(&self) -> PathBuf {
        exact(&self.target, self.target_bytes.as_deref())
    }

    /// The path of the target seen from the folder of the backups, where it is remembered.
    pub fn target_from_folder(&self) -> Option<PathBuf> {
        self.target_from_folder.as_ref().map(|shown| exact(shown, self.target_from_folder_bytes.as_deref()))
    }
}

/// The bytes of a path in hexadecimal, where text cannot say them.
fn bytes_of(path: &Path) -> Option<String> {
    let bytes = path.as_os_str().as_bytes();
    path.to_str().is_none().then(|| bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The path that was remembered.
fn exact(text: &str, bytes: Option<&str>) -> PathBuf {
    let pairs = bytes.map(|digits| digits.as_bytes().chunks(2));
    let byte = |pair: &[u8]| {
        let is_byte = pair.len() == 2 && pair.iter().all(u8::is_ascii_hexdigit);
        is_byte.then(|| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())?
    };
    let bytes = pairs.and_then(|mut pairs| {
        pairs.try_fold(Vec::new(), |mut bytes, pair| {
            bytes.push(byte(pair)?);
            Some(bytes)
        })
    });
    bytes.map_or_else(|| PathBuf::from(text), |bytes| PathBuf::from(OsString::from_vec(bytes)))
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is not a manifest, or is of a later form.
    pub fn read(path: &Path) -> Result<Manifest> {
        let text = fs::read_to_string(path).could_not("read manifest", quoted(path))?;
        Manifest::parse(path, &text)
    }

    /// A manifest from the text of its file.
    ///
    /// # Errors
    ///
    /// As [`Manifest::read`].
    pub fn parse(path: &Path, text: &str) -> Result<Manifest> {
        let manifest: Manifest = serde_json::from_str(text).could_not("read manifest", quoted(path))?;
        if !(FORMAT..=FORMAT_COMPRESSED).contains(&manifest.format) {
            let cause =
                format!("it has form {}, this program reads forms {FORMAT} and {FORMAT_COMPRESSED}", manifest.format);
            return Err(Error::could_not("read manifest", quoted(path), cause).hint("use a later whimbrel"));
        }
        if manifest.algorithm != ALGORITHM {
            let cause = format!("its digest is `{}`, this program knows `{ALGORITHM}`", manifest.algorithm);
            return Err(Error::could_not("read manifest", quoted(path), cause));
        }
        Ok(manifest)
    }

    /// How old it is by its own record, in milliseconds; negative where the clock has been set back since. None where its
    /// record tells no time.
    pub(crate) fn age_ms(&self) -> Option<i64> {
        let since_2000 = calendar::parse_timestamp(&self.taken_at, 'T', "Z")?;
        let taken_ms = since_2000.checked_add(calendar::MICROS_1970_TO_2000)?.div_euclid(1_000);
        Some(now_ms().saturating_sub(taken_ms))
    }

    /// The size of the file as it lies there, in bytes.
    pub(crate) fn stored_bytes(&self) -> u64 {
        self.compressed_bytes.unwrap_or(self.size_bytes)
    }

    /// The manifest as text, as it is written beside the file.
    ///
    /// # Errors
    ///
    /// Never for one that this program has made.
    pub(super) fn text(&self) -> Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n").could_not("write manifest", &self.id)
    }
}

/// The digest of everything that `reader` gives, and its length in bytes.
///
/// # Errors
///
/// When reading fails.
pub fn digest(reader: impl Read) -> std::io::Result<(String, u64)> {
    let mut hashing = Hashing::of(reader);
    let mut buffer = vec![0; 1 << 18];
    while hashing.read(&mut buffer)? > 0 {}
    Ok(hashing.finish())
}

/// Makes the digest of what somebody else reads.
pub(crate) struct Hashing<R> {
    inner: R,
    hash: Xxh3,
    size_bytes: u64,
}

impl<R: Read> Hashing<R> {
    pub fn of(inner: R) -> Self {
        Hashing { inner, hash: Xxh3::new(), size_bytes: 0 }
    }

    /// The digest of what was read, and its length in bytes.
    pub fn finish(self) -> (String, u64) {
        (format!("{:032x}", self.hash.digest128()), self.size_bytes)
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.hash.update(&buffer[..length]);
        self.size_bytes += length as u64;
        Ok(length)
    }
}

/// The digest of a file and its length in bytes. Opens and closes the file: never call this on a locked database.
///
/// # Errors
///
/// When the file cannot be read.
pub fn digest_of_file(path: &Path) -> Result<(String, u64)> {
    File::open(path).and_then(digest).could_not("read", quoted(path))
}

/// A new id, and its time as RFC 3339. It sorts behind `newest`, even where the clock was set back.
pub(crate) fn new_id(newest: Option<&str>) -> (String, String) {
    let now = now_ms();
    let mut millis = now;
    let mut id = id_time(millis);
    while newest.is_some_and(|newest| newest.get(..id.len()).is_some_and(|time| time >= id.as_str())) {
        // A clock that is far behind is followed by the clock of the newest backup, one second at a time.
        millis += if millis - now > 1000 { 86_400_000 } else { 1 };
        id = id_time(millis);
    }
    (format!("{id}-{:06x}", random() & 0xff_ffff), rfc3339(now))
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn id_time(millis: i64) -> String {
    rfc3339(millis).replace(['-', ':'], "")
}

/// UTC with milliseconds, as in `2026-11-20T18:43:33.120Z`.
fn rfc3339(millis: i64) -> String {
    let (days, of_day) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    // The civil calendar counts from 1 March of year 0, in eras of 400 years.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (second, milli) = (of_day / 1_000 % 60, of_day % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_agree_with_sqlite() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        for millis in [0, 951_782_399_999, 951_782_400_000, 1_709_164_800_001, 4_107_542_400_000, 1_795_200_213_123] {
            let expected: String = connection
                .query_row("SELECT strftime('%Y-%m-%dT%H:%M:%fZ', ?1 / 1000.0, 'unixepoch')", [millis], |row| {
                    row.get(0)
                })
                .unwrap();
            assert_eq!(rfc3339(millis), expected);
            let read = calendar::parse_timestamp(&expected, 'T', "Z");
            assert_eq!(read, Some(millis * 1_000 - calendar::MICROS_1970_TO_2000));
        }
    }

    #[test]
    fn a_new_id_sorts_behind_the_newest() {
        let (first, _) = new_id(None);
        let (second, _) = new_id(Some(&first));
        assert!(second > first, "{second} > {first}");
        let (third, _) = new_id(Some("20991231T235959.999Z-ffffff"));
        assert!(third.as_str() > "20991231T235959.999Z-ffffff", "{third}");
    }

    #[test]
    fn the_digest_is_that_of_the_specification() {
        assert_eq!(digest(&b""[..]).unwrap(), ("99aa06d3014798d86001c324468d497f".into(), 0));
    }
}
