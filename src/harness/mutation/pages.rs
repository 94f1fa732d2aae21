//! Changes of the bytes of a file, behind SQLite's back.
//!
//! The places come from SQLite's file format (<https://sqlite.org/fileformat2.html>): the page size at byte 16 of the
//! file; a page's kind in its first byte, 5 and 2 inside the tree of a table and of an index, 13 and 10 at its leaves;
//! the right-most child of an inner page at byte 8; the number of cells at byte 3 and their places from byte 8 of a leaf, from byte
//! 12 of an inner page, whose cells begin with the number of a child; five bytes for each page in the pointer map, from page 3 on.

use super::bench::{Bench, changed, io_error};
use super::{Applied, Change, Mutation};
use crate::plan::TablePlan;
use crate::quote::quote;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;

const fn file(
    name: &'static str,
    applies_to: &'static str,
    change: fn(&mut Bench<'_>) -> rusqlite::Result<Option<Applied>>,
) -> Mutation {
    Mutation { name, applies_to, change: Change::File(change) }
}

pub const MUTATIONS: [Mutation; 16] = [
    file("one bit of a row in its page", "a table with rows", bit_of_row),
    file("one bit of an index entry in its page", "an index with entries", bit_of_index),
    file("an index entry missing", "an index over a table with rows", entry_missing),
    file("a page of rows overwritten with zeros", "a table with rows", |bench| {
        overwritten(bench, "a page of zeros", |page| page.fill(0))
    }),
    file("a page of rows overwritten with another page", "two tables with rows", page_of_another),
    file("the kind of a page", "a table with rows", |bench| {
        overwritten(bench, "another kind of page", |page| page[0] ^= 7)
    }),
    file("a page with fewer rows", "a table with rows", |bench| {
        overwritten(bench, "one cell less", |page| {
            let cells = u16::from_be_bytes([page[3], page[4]]);
            page[3..5].copy_from_slice(&cells.saturating_sub(1).to_be_bytes());
        })
    }),
    file("the child of an inner page", "a tree of several pages", |bench| link(bench, "internal", RIGHT_MOST_CHILD)),
    file("the chain of an overflowing value", "a value longer than a page", |bench| link(bench, "overflow", NEXT)),
    file("the list of free pages", "a file", |bench| {
        let bit = bench.random.below(64);
        flip_bit(bench, FREE_PAGES + bit / 8, bit % 8)?;
        Ok(changed("the file's header", "one bit of the list of free pages"))
    }),
    file("one bit of a key in an inner page", "an index of several pages", bit_of_inner_key),
    file("one bit of an overflowing value", "a value longer than a page", bit_of_overflow),
    file("one bit of the pointer map", "a file with auto-vacuum", bit_of_pointer_map),
    file("one bit of a page that lists free pages", "a file with free pages", bit_of_trunk),
    file("the last page cut off", "a file", cut_off),
    file("the file's first bytes", "a file", |bench| {
        let file = writable(bench)?;
        let done = file.write_all_at(b"SQLite format 2", 0);
        done.map_err(io_error)?;
        Ok(changed("the file's header", "another format"))
    }),
];

/// Where an inner page has its right-most child.
const RIGHT_MOST_CHILD: u64 = 8;
/// Where a page of an overflowing value has the next.
const NEXT: u64 = 0;
/// Where the header has the first free page and their number.
const FREE_PAGES: u64 = 32;
/// Where the header has a number that is 0 in a file without a pointer map.
const LARGEST_ROOT: u64 = 52;

/// The file itself. The connection has written everything by now, and reads nothing from its cache again: whoever
/// looks afterwards reopens it.
pub(super) fn writable(bench: &Bench<'_>) -> rusqlite::Result<File> {
    OpenOptions::new().read(true).write(true).open(&bench.path).map_err(io_error)
}

/// A page of the file.
struct Page {
    start: u64,
    bytes: Vec<u8>,
}

impl Page {
    fn cells(&self) -> usize {
        usize::from(u16::from_be_bytes([self.bytes[3], self.bytes[4]]))
    }

    fn is_inner(&self) -> bool {
        matches!(self.bytes[0], 2 | 5)
    }

    /// Where a cell starts, behind the number of a child.
    fn cell(&self, number: usize) -> usize {
        let (places, child) = if self.is_inner() { (12, 4) } else { (8, 0) };
        let place = places + 2 * number;
        usize::from(u16::from_be_bytes([self.bytes[place], self.bytes[place + 1]])) + child
    }

    /// SQLite's variable-length integer at a place, and the place behind it.
    fn varint(&self, mut place: usize) -> Option<(u64, usize)> {
        let mut number = 0_u64;
        for length in 0..9 {
            let byte = *self.bytes.get(place)?;
            place += 1;
            if length == 8 {
                return Some(((number << 8) | u64::from(byte), place));
            }
            number = (number << 7) | u64::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                return Some((number, place));
            }
        }
        None
    }
}

/// The size of a page in bytes.
fn page_bytes(bench: &Bench<'_>) -> rusqlite::Result<u64> {
    let mut header = [0; 2];
    let file = File::open(&bench.path).map_err(io_error)?;
    file.read_exact_at(&mut header, 16).map_err(io_error)?;
    Ok(match u16::from_be_bytes(header) {
        1 => 65_536,
        size => u64::from(size),
    })
}

/// The number of four bytes somewhere in the file.
fn number(bench: &Bench<'_>, place: u64) -> rusqlite::Result<u64> {
    let mut bytes = [0; 4];
    File::open(&bench.path).and_then(|file| file.read_exact_at(&mut bytes, place)).map_err(io_error)?;
    Ok(u64::from(u32::from_be_bytes(bytes)))
}

/// The right-most leaf of the tree of a table or an index.
fn leaf(bench: &Bench<'_>, name: &str) -> rusqlite::Result<Option<Page>> {
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
    let mut number: u64 = bench.connection.query_row(sql, [name], |row| row.get::<_, i64>(0))?.unsigned_abs();
    let file = File::open(&bench.path).map_err(io_error)?;
    let size = page_bytes(bench)?;
    // A tree of a file is never as deep.
    for _ in 0..40 {
        if number < 2 {
            return Ok(None);
        }
        let mut page = Page { start: (number - 1) * size, bytes: vec![0; size as usize] };
        file.read_exact_at(&mut page.bytes, page.start).map_err(io_error)?;
        match page.bytes[0] {
            10 | 13 => return Ok((page.cells() > 0).then_some(page)),
            2 | 5 => {
                let child = [page.bytes[8], page.bytes[9], page.bytes[10], page.bytes[11]];
                number = u64::from(u32::from_be_bytes(child));
            }
            _ => return Ok(None),
        }
    }
    Ok(None)
}

/// The name of the tree that holds a table's rows.
fn leaf_of_table(bench: &Bench<'_>, table: &TablePlan) -> rusqlite::Result<Option<Page>> {
    leaf(bench, &table.target)
}

/// Flips a bit of what one of a page's cells holds.
fn flip(bench: &mut Bench<'_>, page: &Page) -> rusqlite::Result<bool> {
    let cell = page.cell(bench.random.below(page.cells() as u64) as usize);
    let Some((length, mut start)) = page.varint(cell) else { return Ok(false) };
    if page.bytes[0] == 13 {
        match page.varint(start) {
            Some((_, behind)) => start = behind,
            None => return Ok(false),
        }
    }
    // However long a record is, this much of it stands in its own page.
    let local = ((page.bytes.len() as u64).saturating_sub(12) * 32 / 255).saturating_sub(23);
    let place = start + bench.random.below(length.min(local)) as usize;
    let Some(byte) = page.bytes.get(place) else { return Ok(false) };
    let flipped = byte ^ (1 << bench.random.below(8));
    writable(bench)?.write_all_at(&[flipped], page.start + place as u64).map_err(io_error)?;
    Ok(true)
}

fn bit_of_row(bench: &mut Bench<'_>) -> rusqlite::Result<Option<Applied>> {
    const TRIED_MAX: usize = 8;
    for table in bench.tables() {
        for _ in 0..TRIED_MAX {
            let Some(page) = leaf_of_table(bench, table)? else { break };
            let before = bench.contents();
            if !flip(bench, &page)? {
                continue;
            }
            // A bit of a column that the plan does not carry, or that stands for the row id, is put back.
            bench.reopen()?;
            if bench.contents() != before {
                return Ok(changed(format!("table `{}`, page at byte {}", table.target, page.start), "one bit"));
            }
            writable(bench)?.write_all_at(&page.bytes, page.start).map_err(io_error)?;
            bench.reopen()?;
        }
    }
    Ok(None)
}

/// The indexes over planned tables, SQLite's own for unique keys among them, in a random order.
fn indexes(bench: &mut Bench<'_>) -> rusqlite::Result<Vec<String>> {
    let mut found = Vec::new();
    for table in bench.tables() {
        let sql = "SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = ?1 ORDER BY name";
        let mut statement = bench.connection.prepare(sql)?;
        found.extend(
            statement.query_map([&table.target], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?,
        );
    }
    Ok(bench.shuffled(found))
}

fn bit_of_index(bench: &mut Bench<'_>) -> rusqlite::Result<Option<Applied>> {
    for index in indexes(bench)? {
        let Some(page) = leaf(bench, &index)? else { continue };
        if flip(bench, &page)? {
            return Ok(changed(format!("index `{index}`, page at byte {}", page.start), "one bit"));
        }
    }
    Ok(None)
}

/// Builds an index over all rows but one, and lets its definition say that it is over all.
fn entry_missing(bench: &mut Bench<'_>) -> rusqlite::Result<Option<Applied>> {
    for (index, sql) in bench.objects("index")? {
        let table: String =
            bench
                .connection
                .query_row("SELECT tbl_name FROM sqlite_schema WHERE name = ?1", [&index], |row| row.get(0))?;
        if sql.to_uppercase().contains(" WHERE ") || !bench.plan.tables.iter().any(|planned| planned.target == table) {
            continue;
        }
        let locator = bench.locator(&table)?;
        let [rowid] = locator.as_slice() else { continue };
        let Some((place, values)) = bench.row(&table, "1", rowid)? else { continue };
        let rusqlite::types::Value::Integer(row) = values[0] else { continue };
        // A partial index may not speak of the row id by that name, but of the column that is it.
        let own = "SELECT name FROM pragma_table_xinfo(?1) WHERE pk = 1 AND upper(type) = 'INTEGER'
                   AND (SELECT max(pk) FROM pragma_table_xinfo(?1)) = 1";
        let column: Option<String> =
            bench.connection.prepare(own)?.query([&table])?.next()?.map(|r| r.get(0)).transpose()?;
        let column = column.map_or_else(|| rowid.clone(), |name| quote(&name));
        let partial = format!("{} WHERE {column} <> {row}", sql.trim_end_matches([';', ' ', '\n']));
        if !bench.define(&index, &partial)? {
            continue;
        }
        let built = bench.connection.execute_batch(&format!("REINDEX {}", quote(&index)));
        bench.connection.execute("UPDATE sqlite_schema SET sql = ?2 WHERE name = ?1", [&index, &sql])?;
        bench.reopen()?;
        if built.is_ok() {
            return Ok(changed(format!("index `{index}`"), format!("the entry of row {} is gone", place.describe())));
        }
    }
    Ok(None)
}

fn overwritten(
    bench: &mut Bench<'_>,
    what: &'static str,
    change: impl Fn(&mut [u8]),
) -> rusqlite::Result<Option<Applied>> {
    for table in bench.tables() {
        let Some(mut page) = leaf_of_table(bench, table)? else { continue };
        change(&mut page.bytes);
        writable(bench)?.write_all_at(&page.bytes, page.start).map_err(io_error)?;
        return Ok(changed(format!("table `{}`, page at byte {}", table.target, page.start), what));
    }
    Ok(None)
}

/// Where the pages of a kind begin, and the tree that each belongs to, in a random order.
fn pages(bench: &mut Bench<'_>, kind: &str) -> rusqlite::Result<Vec<(u64, String)>> {
    // The first page begins behind the file's header.
    let sql = "SELECT pgoffset, name FROM dbstat WHERE pagetype = ?1 AND pageno > 1 ORDER BY pageno";
    let mut statement = bench.connection.prepare(sql)?;
    let pages = statement.query_map([kind], |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?)))?;
    let pages: Vec<(u64, String)> = pages.collect::<rusqlite::Result<_>>()?;
    drop(statement);
    Ok(bench.shuffled(pages))
}

fn bit_of_inner_key(bench: &mut Bench<'_>) -> rusqlite::Result<Option<Applied>> {
    let indexes = indexes(bench)?;
    let size = page_bytes(bench)?;
    for (start, index) in pages(bench, "internal")?.into_iter().filter(|(_, name)| indexes.contains(name)) {
        let mut page = Page { start, bytes: vec![0; size as usize] };
        File::open(&bench.path).and_then(|file| file.read_exact_at(&mut page.bytes, start)).map_err(io_error)?;
        if page.cells() > 0 && flip(bench, &page)? {
            return Ok(changed(format!("index `{index}`, inner page at byte {start}"), "one bit"));
        }
    }
    Ok(None)
}

/// Flips a bit of a value behind its own page.
fn bit_of_overflow(bench: &mut Bench<'_>) -> rusqlite::Result<Option<Applied>> {
    let tables: Vec<&str> = bench.tables().into_iter().map(|table| table.target.as_str()).collect();
    let size = page_bytes(bench)?;
    for (start, name) in pages(bench, "overflow")? {
        if !tables.contains(&name.as_str()) {
            continue;
        }
        // The last page of a value is full only as far as the value goes.
        let used = if number(bench, start + NEXT)? == 0 { 1 } else { size - 4 };
        let (place, bit) = (start + 4 + bench.random.below(used), bench.random.below(8));
        let before = bench.contents();
        flip_bit(bench, place, bit)?;
        bench.reopen()?;
        // A column that the plan does not carry is put back.
        if bench.contents() != before {
            return Ok(changed(
                format!("`{name}`, overflow page at byte {start}"),
                format!("bit {bit} of byte {place}"),
            ));
        }
        flip_bit(bench, place, bit)?;
        bench.reopen()?;
    }
    Ok(None)
}

/// Flips a bit of what the pointer map says of a page.
fn bit_of_pointer_map(bench: &mut Bench<'_>) -> rusqlite::Result<Option<Applied>> {
    if number(bench, LARGEST_ROOT)? == 0 {
        return Ok(None);
    }
    let size = page_bytes(bench)?;
    let pages = std::fs::metadata(&bench.path).map_err(io_error)?.len() / size;
    let page = bench.random.below(pages.min(2 + size / 5).saturating_sub(2)) + 3;
    let bit = bench.random.below(5 * 8);
    flip_bit(bench, size + 5 * (page - 3) + bit / 8, bit % 8)?;
    Ok(changed("the pointer map", format!("bit {bit} of the entry of page {page}")))
}

/// Flips a bit of the first page that lists free ones: the number of the next, how many there are, or one of them.
fn bit_of_trunk(bench: &mut Bench<'_>) -> rusqlite::Result<Option<Applied>> {
    let first = number(bench, FREE_PAGES)?;
    if first == 0 {
        return Ok(None);
    }
    let start = (first - 1) * page_bytes(bench)?;
    let listed = number(bench, start + 4)?;
    let bit = bench.random.below((8 + 4 * listed) * 8);
    flip_bit(bench, start + bit / 8, bit % 8)?;
    Ok(changed(format!("the list of free pages, page at byte {start}"), format!("bit {bit}")))
}

/// Flips a bit of the number of a page that a page of some kind leads to.
fn link(bench: &mut Bench<'_>, kind: &str, within: u64) -> rusqlite::Result<Option<Applied>> {
    let Some((start, name)) = pages(bench, kind)?.into_iter().next() else { return Ok(None) };
    let bit = bench.random.below(32);
    flip_bit(bench, start + within + bit / 8, bit % 8)?;
    Ok(changed(format!("`{name}`, {kind} page at byte {start}"), "one bit of the page that follows"))
}

fn flip_bit(bench: &Bench<'_>, place: u64, bit: u64) -> rusqlite::Result<()> {
    let file = writable(bench)?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, place).map_err(io_error)?;
    file.write_all_at(&[byte[0] ^ (1 << bit)], place).map_err(io_error)
}

fn page_of_another(bench: &mut Bench<'_>) -> rusqlite::Result<Option<Applied>> {
    let tables = bench.tables();
    for pair in tables.windows(2) {
        let (Some(one), Some(other)) = (leaf_of_table(bench, pair[0])?, leaf_of_table(bench, pair[1])?) else {
            continue;
        };
        if one.bytes[0] == other.bytes[0] && one.bytes != other.bytes {
            writable(bench)?.write_all_at(&other.bytes, one.start).map_err(io_error)?;
            let place = format!("table `{}`, page at byte {}", pair[0].target, one.start);
            return Ok(changed(place, format!("a page of `{}`", pair[1].target)));
        }
    }
    Ok(None)
}

fn cut_off(bench: &mut Bench<'_>) -> rusqlite::Result<Option<Applied>> {
    let size: i64 = bench.connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    let file = writable(bench)?;
    let length = file.metadata().map_err(io_error)?.len();
    let Some(shorter) = length.checked_sub(size.unsigned_abs()) else { return Ok(None) };
    file.set_len(shorter).map_err(io_error)?;
    Ok(changed("the file", format!("{length} → {shorter} bytes")))
}
