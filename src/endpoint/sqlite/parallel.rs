//! Reading one file on several connections at once.
//!
//! Work is cut into jobs, and each thread takes the next until none is left. A reader's cache is small: whatever is read
//! here is read once, from its beginning to its end.

use super::pragma;
use super::read::{describe, open};
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use rusqlite::Connection;
use std::path::Path;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// A table is cut into about so many ranges of rowids.
const RANGES: i64 = 64;
/// A table with fewer rowids than this is read by one thread.
const DIVIDED_FROM_ROWIDS: i64 = 20_000;
/// More threads than this read no faster than the disk.
const THREADS_MAX: usize = 8;
/// A smaller file is read before a second thread would have opened it.
const SHARED_FROM_BYTES: u64 = 4 << 20;
/// The cache of each reader's connection, in KiB.
const CACHE_KIB: i64 = 2048;

/// Does the jobs from 0 up to `jobs` on connections of their own, which are closed afterwards: with one for all where the
/// file is small, and then on `shared` where it is given.
///
/// # Errors
/// The first failure of a job, or of opening the file.
pub fn run(
    shared: Option<&Connection>,
    path: &Path,
    cancel: &Cancel,
    jobs: usize,
    work: &(dyn Fn(&Connection, usize) -> Result<()> + Sync),
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let take = |connection: &Connection| -> Result<()> {
        loop {
            match next.fetch_add(1, Ordering::Relaxed) {
                job if job < jobs => work(connection, job)?,
                _ => return Ok(()),
            }
        }
    };
    let open = || -> Result<Connection> {
        let connection = open(path, &cancel.flag())?;
        pragma::set(&connection, "cache_size", -CACHE_KIB).map_err(|error| describe("read back", "the file", error))?;
        Ok(connection)
    };
    let is_small = std::fs::metadata(path).is_ok_and(|file| file.len() < SHARED_FROM_BYTES);
    let threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX).min(jobs);
    match shared {
        Some(connection) if is_small || threads < 2 => return take(connection),
        None if is_small || threads < 2 => return take(&open()?),
        _ => {}
    }
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| take(&open()?))).collect();
        workers.into_iter().try_for_each(|worker| {
            worker.join().unwrap_or_else(|_| Err(Error::could_not("read back", "", "a reader panicked")))
        })
    })
}

/// What a lock guards, whoever held it last.
pub fn locked<T>(lock: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ranges that together hold every rowid from `low` to `high` once.
pub fn ranges(low: i64, high: i64) -> Vec<(i64, i64)> {
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
