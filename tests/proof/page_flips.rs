//! Damage on each kind of page of a file: whatever SQLite's full checks notice, the proof notices, too.
//!
//! Each damage (a flipped bit, a page of zeros, another page in its place) is done to a fresh copy, and three ways look at it:
//! `integrity_check` with `foreign_key_check`, the check that proves first, and what a migration asks of a source.

use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::Path;
use whimbrel::cancel::Cancel;
use whimbrel::endpoint::findings::Depth;
use whimbrel::endpoint::sqlite::read::open;
use whimbrel::endpoint::sqlite::{SqliteSource, structure};
use whimbrel::endpoint::{Level, Source};
use whimbrel::harness::{Random, Seed};
use whimbrel::verify::file;

/// Pages of 1,024 bytes, a list of free pages, and trees of several levels; with and without a pointer map.
pub const SCHEMA: &str = "
CREATE TABLE kinds (code TEXT PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE items (
  id INTEGER PRIMARY KEY, label TEXT NOT NULL, kind TEXT NOT NULL REFERENCES kinds, amount REAL, note TEXT, data BLOB,
  parent INTEGER REFERENCES items (id), CHECK (length(label) > 2)
);
CREATE TABLE gone (a, b);
CREATE TABLE more (a TEXT, b INTEGER, c, PRIMARY KEY (b DESC, a)) WITHOUT ROWID;
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
  INSERT INTO kinds SELECT 'kind ' || i, 'Kind ' || i FROM n;
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500)
  INSERT INTO items SELECT i, 'label ' || (i * 7919 % 1500), 'kind ' || (i % 40 + 1), i / 4.0, CASE i % 3 WHEN 0 THEN 'Note ' || i END,
    CASE WHEN i % 100 = 0 THEN randomblob(5000) END, nullif(i / 2, 0) FROM n;
INSERT INTO gone SELECT note, hex(randomblob(100)) FROM items;
INSERT INTO more SELECT label, id, hex(zeroblob(id % 50)) FROM items;
CREATE UNIQUE INDEX items_label ON items (label);
CREATE INDEX items_kind ON items (kind COLLATE NOCASE, amount DESC);
CREATE INDEX items_note ON items (lower(note)) WHERE note IS NOT NULL;
CREATE INDEX more_c ON more (c, a);
CREATE INDEX items_data ON items (data);
DROP TABLE gone;
";

/// So many flips on pages of each kind.
const FLIPS: u64 = 32;
/// So many other changes on pages of each kind but the header.
const OTHERS: u64 = 4;

/// What is done to a file, by the place of a page.
#[derive(Debug)]
pub enum Damage {
    /// A bit of a byte of the page.
    Bit(usize, usize, u64),
    /// Nothing but zeros.
    Zeros(usize),
    /// What another page has.
    Other(usize, usize),
}

impl Damage {
    /// Damage of some page.
    pub fn draw(kinds: &[String], random: &mut Random) -> Damage {
        let page = random.below(kinds.len() as u64) as usize;
        match random.below(3) {
            0 => Damage::Bit(page, random.below(1024) as usize, random.below(8)),
            1 => Damage::Zeros(page),
            _ => Damage::Other(page, random.below(kinds.len() as u64) as usize),
        }
    }

    pub fn apply(&self, bytes: &mut [u8], page_bytes: usize) {
        let range = |page: usize| page * page_bytes..(page + 1) * page_bytes;
        match *self {
            Damage::Bit(page, byte, bit) => bytes[page * page_bytes + byte] ^= 1 << bit,
            Damage::Zeros(page) => bytes[range(page)].fill(0),
            Damage::Other(page, other) => bytes.copy_within(range(other), page * page_bytes),
        }
    }
}

/// What kind of page each is, from the first page on.
pub fn kinds(path: &Path, bytes: &[u8], page_bytes: usize) -> Vec<String> {
    let connection = Connection::open(path).expect("the file opens");
    let mut kinds = vec!["free".to_owned(); bytes.len() / page_bytes];
    let mut statement = connection
        .prepare("SELECT pageno, pagetype, (SELECT type FROM sqlite_schema WHERE name = d.name) FROM dbstat AS d")
        .expect("the list of pages");
    let mut rows = statement.query([]).expect("pages");
    while let Some(row) = rows.next().expect("a page") {
        let (page, kind, object): (i64, String, Option<String>) =
            (row.get(0).expect("a number"), row.get(1).expect("a kind"), row.get(2).expect("an object"));
        kinds[page.unsigned_abs() as usize - 1] =
            format!("{kind} of {}", object.unwrap_or_else(|| "the schema".to_owned()));
    }
    let number = |place: usize| u32::from_be_bytes(bytes[place..place + 4].try_into().expect("four bytes")) as usize;
    // The first trunk of the free list stands at byte 32 of the file, the next at the beginning of each.
    let mut trunk = number(32);
    while trunk > 0 {
        kinds[trunk - 1] = "trunk of the free list".to_owned();
        trunk = number((trunk - 1) * page_bytes);
    }
    // Byte 52 is not zero where there is a pointer map; its first page is the second of the file.
    if number(52) > 0 {
        kinds[1] = "pointer map".to_owned();
    }
    kinds
}

/// Whether SQLite's full checks find the structure and the references of the file sound.
fn is_sound_to_sqlite(path: &Path) -> [bool; 2] {
    let cancel = Cancel::new();
    let structure = structure::integrity(path, Depth::Full, 1, &cancel.flag()).is_ok_and(|found| found.is_sound());
    let keys = || structure::foreign_keys_of(&open(path, &cancel.flag())?, "the file", 1);
    [structure, keys().is_ok_and(|found| found.is_sound())]
}

fn is_sound_to_us(path: &Path) -> bool {
    let found = file::check(path, None, &Cancel::new());
    found.is_ok_and(|found| found.foreign_keys.is_sound() && found.integrity.is_sound())
}

/// Whether a migration takes the file for a sound source.
fn is_sound_as_source(path: &Path) -> bool {
    let look = || SqliteSource::open(path, &Cancel::new())?.integrity(Level::Full);
    look().is_ok_and(|found| found.is_some_and(|found| found.is_sound()))
}

#[derive(Default)]
struct Count {
    made: u64,
    by_sqlite: u64,
    by_us: u64,
    of_source: u64,
}

#[test]
fn whatever_sqlite_notices_is_noticed() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("flipped.db");
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    let mut missed = Vec::new();
    for (round, vacuum) in ["NONE", "INCREMENTAL"].into_iter().enumerate() {
        let _ = std::fs::remove_file(&path);
        let connection = Connection::open(&path).expect("a new file");
        connection
            .execute_batch(&format!("PRAGMA page_size = 1024; PRAGMA auto_vacuum = {vacuum}; {SCHEMA}"))
            .expect("the file");
        drop(connection);
        let bytes = std::fs::read(&path).expect("the file");
        assert!(is_sound_to_sqlite(&path) == [true, true] && is_sound_to_us(&path) && is_sound_as_source(&path));
        let kinds = kinds(&path, &bytes, 1024);
        let mut pages: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (page, kind) in kinds.iter().enumerate() {
            pages.entry(kind).or_default().push(page);
        }
        // The first 100 bytes of the file.
        pages.insert("header", vec![0]);
        for (kind, pages) in pages {
            let mut random = Seed(round as u64).of(kind).random();
            let page = |random: &mut Random| pages[random.below(pages.len() as u64) as usize];
            let others = if kind == "header" { 0 } else { OTHERS };
            for number in 0..FLIPS + others {
                let damage = match number {
                    ..FLIPS => {
                        let (page, within) = (page(&mut random), if kind == "header" { 100 } else { 1024 });
                        Damage::Bit(page, random.below(within) as usize, random.below(8))
                    }
                    odd if odd % 2 == 1 => Damage::Zeros(page(&mut random)),
                    _ => Damage::Other(page(&mut random), random.below(kinds.len() as u64) as usize),
                };
                let mut changed = bytes.clone();
                damage.apply(&mut changed, 1024);
                std::fs::write(&path, &changed).expect("the file");
                let [structure, keys] = is_sound_to_sqlite(&path);
                let (ours, source) = (is_sound_to_us(&path), is_sound_as_source(&path));
                let count = counts.entry(kind.to_owned()).or_default();
                count.made += 1;
                count.by_sqlite += u64::from(!structure || !keys);
                count.by_us += u64::from(!ours);
                count.of_source += u64::from(!source);
                if ours && !(structure && keys) || source && !structure {
                    missed.push(format!(
                        "{kind}, vacuum {vacuum}: {damage:?}, as a target: {}, as a source: {}",
                        !ours, !source
                    ));
                }
            }
        }
    }
    let mut told = format!("{:<30} {:>6} {:>8} {:>8} {:>8}\n", "damage", "made", "SQLite", "proof", "source");
    for (kind, Count { made, by_sqlite, by_us, of_source }) in &counts {
        told.push_str(&format!("{kind:<30} {made:>6} {by_sqlite:>8} {by_us:>8} {of_source:>8}\n"));
    }
    let _ = std::io::Write::write_all(&mut std::io::stderr(), told.as_bytes());
    assert!(missed.is_empty(), "noticed by SQLite, and otherwise not everywhere:\n{}", missed.join("\n"));
    for kind in [
        "header",
        "internal of table",
        "leaf of table",
        "internal of index",
        "leaf of index",
        "overflow of table",
        "overflow of index",
        "leaf of the schema",
        "trunk of the free list",
        "free",
        "pointer map",
    ] {
        let made = counts.get(kind).map_or(0, |count| count.made);
        assert!(made >= FLIPS, "{made} times something was done to pages of the kind {kind}");
    }
    for kind in ["header", "internal of table", "leaf of table", "internal of index", "leaf of index", "pointer map"] {
        assert!(counts[kind].by_us > 0, "nothing on pages of the kind {kind} was noticed");
    }
}
