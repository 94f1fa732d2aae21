//! Digests of a target's tables, read back by several threads.
//!
//! A table's digest does not depend on the order of its rows, so its rowids are cut into ranges and each thread takes
//! the next range until none is left. Whoever proves the structure of the file looks at the rows as they pass.

use super::parallel::{self, locked, ranges};
use super::proof::{Job, Proof};
use super::read::{describe, open};
use super::scan::Scan;
use crate::cancel::Cancel;
use crate::endpoint::{ReadBack, hash_texts};
use crate::error::Result;
use crate::event::{Event, Listener};
use crate::plan::TablePlan;
use crate::value::{RowHasher, TableDigest, TextDigest, TextHasher};
use rusqlite::Connection;
use std::path::Path;
use std::sync::Mutex;

/// Rows are told to the listener in portions of about so many.
const ROWS_PER_EVENT: u64 = 20_000;

/// One piece of work.
enum Piece {
    /// A table's place, and a range of its rowids.
    Rows(usize, Option<(i64, i64)>),
    /// A part of the proof.
    Proof(Job),
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
    of_tables_on(&open(path, &cancel.flag())?, path, tables, Also::default(), cancel, listener)
}

/// What else is made while the rows are read.
#[derive(Clone, Copy, Default)]
pub struct Also<'p> {
    /// The digests of the values' texts.
    pub texts: bool,
    /// A proof of the file's structure, all of whose work is done as well.
    pub proof: Option<&'p Proof>,
}

/// The same where a connection to the file is open already.
///
/// # Errors
/// As [`of_tables`].
pub fn of_tables_on(
    connection: &Connection,
    path: &Path,
    tables: &[TablePlan],
    also: Also<'_>,
    cancel: &Cancel,
    listener: &Listener<'_>,
) -> Result<Vec<ReadBack>> {
    let selected = |table: &TablePlan| also.proof.and_then(|proof| proof.selected(&table.target)).unwrap_or_default();
    let scans = tables.iter().map(|table| Ok(Scan::new(connection, table)?.with(selected(table)).with_large()));
    let scans = scans.collect::<Result<Vec<_>>>()?;
    let mut pieces: Vec<Piece> = Vec::new();
    if let Some(proof) = also.proof {
        let planned: Vec<&str> = tables.iter().map(|table| table.target.as_str()).collect();
        pieces.extend(proof.jobs(connection, &planned)?.into_iter().map(Piece::Proof));
    }
    for (place, scan) in scans.iter().enumerate() {
        match scan.extent(connection)? {
            Some((low, high)) => {
                pieces.extend(ranges(low, high).into_iter().map(|range| Piece::Rows(place, Some(range))));
            }
            None => pieces.push(Piece::Rows(place, None)),
        }
    }
    let digests = Mutex::new(vec![Piecewise::default(); tables.len()]);
    let work = |connection: &Connection, piece: usize| -> Result<()> {
        match (&pieces[piece], also.proof) {
            (Piece::Rows(place, range), _) => {
                let piece = of_piece(&scans[*place], connection, *range, also, listener)?;
                let digest = &mut locked(&digests)[*place];
                digest.values.merge(piece.values);
                digest.texts.merge(piece.texts);
                Ok(())
            }
            (Piece::Proof(job), Some(proof)) => proof.work(connection, job),
            (Piece::Proof(_), None) => Ok(()),
        }
    };
    let shared = also.proof.is_none().then_some(connection);
    parallel::run(shared, path, cancel, pieces.len(), &work)?;
    let digests = digests.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let surplus = |scan: &Scan<'_>| scan.ledger_surplus(connection);
    digests
        .into_iter()
        .zip(&scans)
        .map(|(sum, scan)| {
            let texts = also.texts.then_some(sum.texts);
            Ok(ReadBack { digest: sum.values, texts, ledger_surplus: surplus(scan)? })
        })
        .collect()
}

fn of_piece(
    scan: &Scan<'_>,
    connection: &Connection,
    range: Option<(i64, i64)>,
    also: Also<'_>,
    listener: &Listener<'_>,
) -> Result<Piecewise> {
    let mut hasher = RowHasher::default();
    let mut watch = also.proof.and_then(|proof| proof.watch(scan.target()));
    let Piecewise { values: mut digest, texts: mut text_digest } = Piecewise::default();
    let mut text_hasher = TextHasher::default();
    let mut counted = 0;
    scan.rows(connection, range, &mut |row| {
        row.cells.iter().for_each(|cell| hasher.cell(cell));
        digest.add(hasher.finish());
        if also.texts {
            hash_texts(&mut text_hasher, row.cells, scan.codecs());
            text_digest.add(text_hasher.finish());
        }
        if let Some(watch) = &mut watch {
            let seen = watch.row(&|place| row.selected(place));
            seen.map_err(|error| describe("read back", format!("`{}`", scan.target()), error))?;
        }
        if digest.rows - counted == ROWS_PER_EVENT {
            listener(Event::RowsVerified { rows: ROWS_PER_EVENT });
            counted = digest.rows;
        }
        Ok(())
    })?;
    listener(Event::RowsVerified { rows: digest.rows - counted });
    if let Some(watch) = watch {
        watch.end();
    }
    Ok(Piecewise { values: digest, texts: text_digest })
}
