//! Flipped bits on each kind of page of a file: whatever SQLite's full checks notice, the proof notices, too.
//!
//! Each flip is made on a fresh copy, and both ways look at it: `integrity_check` with `foreign_key_check`, and the check
//! that proves first.

use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::Path;
use whimbrel::cancel::Cancel;
use whimbrel::endpoint::findings::Depth;
use whimbrel::endpoint::sqlite::read::open;
use whimbrel::endpoint::sqlite::structure;
use whimbrel::harness::Seed;
use whimbrel::verify::file;

/// Pages of 1,024 bytes, a list of free pages, and trees of several levels; with and without a pointer map.
const SCHEMA: &str = "
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
const FLIPS: u64 = 40;

/// What kind of page each is, from the first page on.
fn kinds(path: &Path, bytes: &[u8], page_bytes: usize) -> Vec<String> {
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

/// Whether SQLite's full checks find the file sound.
fn is_sound_to_sqlite(path: &Path) -> bool {
    let cancel = Cancel::new();
    let look = || -> whimbrel::Result<bool> {
        let found = structure::integrity(path, Depth::Full, 1, &cancel.flag())?;
        let keys = structure::foreign_keys_of(&open(path, &cancel.flag())?, "the file", 1)?;
        Ok(found.is_sound() && keys.is_sound())
    };
    look().unwrap_or(false)
}

fn is_sound_to_us(path: &Path) -> bool {
    let found = file::check(path, None, &Cancel::new());
    found.is_ok_and(|found| found.foreign_keys.is_sound() && found.integrity.is_sound())
}

#[derive(Default)]
struct Count {
    flips: u64,
    by_sqlite: u64,
    by_us: u64,
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
        assert!(is_sound_to_sqlite(&path) && is_sound_to_us(&path));
        let kinds = kinds(&path, &bytes, 1024);
        let mut pages: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (page, kind) in kinds.iter().enumerate() {
            pages.entry(kind).or_default().push(page);
        }
        // The first 100 bytes of the file.
        pages.insert("header", vec![0]);
        for (kind, pages) in pages {
            let mut random = Seed(round as u64).of(kind).random();
            for _ in 0..FLIPS {
                let page = pages[random.below(pages.len() as u64) as usize];
                let within = if kind == "header" { 100 } else { 1024 };
                let (place, bit) = (page * 1024 + random.below(within) as usize, random.below(8));
                let mut flipped = bytes.clone();
                flipped[place] ^= 1 << bit;
                std::fs::write(&path, &flipped).expect("the file");
                let (sqlite, ours) = (is_sound_to_sqlite(&path), is_sound_to_us(&path));
                let count = counts.entry(kind.to_owned()).or_default();
                count.flips += 1;
                count.by_sqlite += u64::from(!sqlite);
                count.by_us += u64::from(!ours);
                if ours && !sqlite {
                    missed.push(format!("{kind}, byte {} of page {}, bit {bit}", place % 1024, page + 1));
                }
            }
        }
    }
    let mut told = format!("{:<30} {:>6} {:>8} {:>8}\n", "flips", "made", "SQLite", "proof");
    for (kind, Count { flips, by_sqlite, by_us }) in &counts {
        told.push_str(&format!("{kind:<30} {flips:>6} {by_sqlite:>8} {by_us:>8}\n"));
    }
    let _ = std::io::Write::write_all(&mut std::io::stderr(), told.as_bytes());
    assert!(missed.is_empty(), "noticed by SQLite alone:\n{}", missed.join("\n"));
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
        let made = counts.get(kind).map_or(0, |count| count.flips);
        assert!(made >= FLIPS, "{made} flips on pages of the kind {kind}");
    }
    for kind in ["header", "internal of table", "leaf of table", "internal of index", "leaf of index", "pointer map"] {
        assert!(counts[kind].by_us > 0, "nothing on pages of the kind {kind} was noticed");
    }
}
