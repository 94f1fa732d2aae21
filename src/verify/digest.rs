//! Digests of a target's tables, read back by several threads.
//!
//! A table's digest does not depend on the order of its rows, so its rowids are cut into ranges and each thread takes
//! the next range until none is left.

use crate::cancel::Cancel;
use crate::endpoint::sqlite::read::open;
use crate::endpoint::sqlite::scan::Scan;
use crate::error::{Error, Result};
use crate::event::{Event, Listener};
use crate::plan::TablePlan;
use crate::types::Codec;
use crate::value::{Cell, RowHasher, TableDigest, TextDigest, TextHasher};
use rusqlite::Connection;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Rows are told to the listener in portions of about so many.
const ROWS_PER_EVENT: u64 = 20_000;
/// A table is cut into about so many ranges of rowids.
const RANGES: i64 = 64;
/// A table with fewer rowids than this is read by one thread.
const DIVIDED_FROM_ROWIDS: i64 = 20_000;
/// More threads than this read no faster than the disk.
const THREADS_MAX: usize = 8;
/// A smaller file is read before a second thread would have opened it.
const SHARED_FROM_BYTES: u64 = 4 << 20;

/// One piece of work: a table's place and a range of its rowids.
type Piece = (usize, Option<(i64, i64)>);

/// What reading one table back gave.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadBack {
    /// The digest of its rows.
    pub digest: TableDigest,
    /// The digest of its values' texts, where it was asked for.
    pub texts: Option<TextDigest>,
    /// Entries of the ledger for it that said nothing about any value.
    pub ledger_surplus: u64,
}

/// The digests of some of a table's rows.
#[derive(Debug, Clone, Copy, Default)]
struct Piecewise {
    values: TableDigest,
    texts: TextDigest,
}

/// The digest of each table of the file, in the order of the tables.
///
/// # Errors
/// When the file cannot be read, or somebody asks to stop.
pub fn of_tables(path: &Path, tables: &[TablePlan], cancel: &Cancel, listener: &Listener<'_>) -> Result<Vec<ReadBack>> {
    of_tables_on(&open(path, &cancel.flag())?, path, tables, false, cancel, listener)
}

/// The same where a connection to the file is open already; on demand also the digest of the values' texts.
///
/// # Errors
/// As [`of_tables`].
pub fn of_tables_on(
    connection: &Connection,
    path: &Path,
    tables: &[TablePlan],
    texts: bool,
    cancel: &Cancel,
    listener: &Listener<'_>,
) -> Result<Vec<ReadBack>> {
    let scans = tables.iter().map(|table| Scan::new(connection, table)).collect::<Result<Vec<_>>>()?;
    let mut pieces: Vec<Piece> = Vec::new();
    for (place, scan) in scans.iter().enumerate() {
        match scan.extent(connection)? {
            Some((low, high)) => pieces.extend(ranges(low, high).into_iter().map(|range| (place, Some(range)))),
            None => pieces.push((place, None)),
        }
    }
    let digests = Mutex::new(vec![Piecewise::default(); tables.len()]);
    let next = AtomicUsize::new(0);
    let work = |connection: &Connection| -> Result<()> {
        let mut hasher = RowHasher::default();
        while let Some((place, range)) = pieces.get(next.fetch_add(1, Ordering::Relaxed)) {
            let piece = of_piece(&scans[*place], connection, *range, &mut hasher, texts, listener)?;
            let mut digests = digests.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            digests[*place].values.merge(piece.values);
            digests[*place].texts.merge(piece.texts);
        }
        Ok(())
    };
    let is_small = std::fs::metadata(path).is_ok_and(|file| file.len() < SHARED_FROM_BYTES);
    let threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX).min(pieces.len());
    if is_small || threads < 2 {
        work(connection)?;
    } else {
        let work = || work(&open(path, &cancel.flag())?);
        thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            workers.into_iter().try_for_each(|worker| {
                worker.join().unwrap_or_else(|_| Err(Error::could_not("read back", "", "a reader panicked")))
            })
        })?;
    }
    let digests = digests.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let surplus = |scan: &Scan<'_>| scan.ledger_surplus(connection);
    digests
        .into_iter()
        .zip(&scans)
        .map(|(sum, scan)| {
            let texts = texts.then_some(sum.texts);
            Ok(ReadBack { digest: sum.values, texts, ledger_surplus: surplus(scan)? })
        })
        .collect()
}

fn of_piece(
    scan: &Scan<'_>,
    connection: &Connection,
    range: Option<(i64, i64)>,
    hasher: &mut RowHasher,
    texts: bool,
    listener: &Listener<'_>,
) -> Result<Piecewise> {
    let Piecewise { values: mut digest, texts: mut text_digest } = Piecewise::default();
    let mut text_hasher = TextHasher::default();
    let mut told = 0;
    scan.rows(connection, range, &mut |row| {
        row.cells.iter().for_each(|cell| hasher.cell(cell));
        digest.add(hasher.finish());
        if texts {
            hash_texts(&mut text_hasher, row.cells, scan.codecs());
            text_digest.add(text_hasher.finish());
        }
        if digest.rows - told == ROWS_PER_EVENT {
            listener(Event::RowsVerified { rows: ROWS_PER_EVENT });
            told = digest.rows;
        }
        Ok(())
    })?;
    listener(Event::RowsVerified { rows: digest.rows - told });
    Ok(Piecewise { values: digest, texts: text_digest })
}

/// Adds the texts of a row's cells, as the source would print them.
pub(super) fn hash_texts<'c>(
    hasher: &mut TextHasher,
    cells: impl IntoIterator<Item = &'c Cell<'c>>,
    codecs: impl IntoIterator<Item = &'c Codec>,
) {
    for (cell, codec) in cells.into_iter().zip(codecs) {
        match cell {
            Cell::Bytes(bytes) => hasher.bytes(bytes),
            // The blanks that pad a `char(n)` are counted in bytes where a database has no encoding.
            Cell::Text(text) => hasher.text(Some(text)),
            Cell::Foreign(_) => hasher.foreign(),
            _ => hasher.text(codec.text(cell).as_deref()),
        }
    }
}

/// Ranges that together hold every rowid from `low` to `high` once.
fn ranges(low: i64, high: i64) -> Vec<(i64, i64)> {
    let count = i128::from(high) - i128::from(low) + 1;
    if count < i128::from(DIVIDED_FROM_ROWIDS) {
        return vec![(low, high)];
    }
    let step = (count + i128::from(RANGES) - 1) / i128::from(RANGES);
    let mut ranges = Vec::new();
    let mut start = i128::from(low);
    while start <= i128::from(high) {
        let end = (start + step - 1).min(i128::from(high));
        // Both lie between two 64-bit numbers.
        ranges.push((start as i64, end as i64));
        start = end + 1;
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_every_rowid_once() {
        for (low, high) in [(1, 1), (1, 20_000), (-5, 1_000_000), (i64::MIN, i64::MAX), (0, 63), (7, 20_070)] {
            let ranges = ranges(low, high);
            assert_eq!(ranges[0].0, low);
            assert_eq!(ranges[ranges.len() - 1].1, high);
            assert!(ranges.windows(2).all(|pair| pair[0].1.checked_add(1) == Some(pair[1].0)));
        }
    }
}
