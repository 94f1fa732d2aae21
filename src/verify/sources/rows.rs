//! The rows of one table that two sources do not have alike.
//!
//! Both sides are read three times at most, and memory does not grow with the rows: the first time for the sums of the rows in
//! each of some thousand buckets, by the hash of their keys; the second time for the keys and hashes of the rows in those buckets
//! whose sums differ, which go into a temporary database on disk; the third time for the values of the rows that are shown.

use super::matching::Pair;
use crate::endpoint::Source;
use crate::endpoint::inexact::{apart, shortened};
use crate::error::Result;
use crate::types::text;
use crate::value::{Cell, RowHasher, Stored, TableDigest};
use crate::verify::diff::{ColumnDifference, Differences, RowDifference, RowDifferenceKind, RowKey, Side, Spill};
use serde_json::Value;
use std::collections::BTreeMap;

/// With one row changed of ten million, the second reading keeps some 2,500 of them.
const BUCKETS: usize = 4096;

/// Finds the rows that differ and shows the first `shown_max` of them.
///
/// # Errors
/// When either side cannot be read, or the temporary database cannot be written.
pub(super) fn differences(
    source: &mut dyn Source,
    target: &mut dyn Source,
    pair: &Pair<'_>,
    shown_max: usize,
) -> Result<Differences> {
    let mut sums = vec![[TableDigest::default(); 2]; BUCKETS];
    each_row(source, target, pair, &mut |side, bucket, hash, _| {
        sums[bucket][side].add(hash);
        Ok(())
    })?;
    let spill = Spill::new(format!("table `{}`", pair.tables[0].name))?;
    let mut takers = [spill.taker(Side::Source)?, spill.taker(Side::Target)?];
    each_row(source, target, pair, &mut |side, bucket, hash, cells| match sums[bucket] {
        [source, target] if source == target => Ok(()),
        _ => takers[side].take(&key_of(pair, side, cells), hash),
    })?;
    drop(takers);
    let mut found = spill.outcome(shown_max)?;
    show_columns(source, target, pair, &mut found.rows)?;
    Ok(found)
}

/// Takes a side, the bucket of the row's key, the row's hash and its cells.
type VisitRow<'v> = dyn FnMut(usize, usize, u128, &[Cell<'_>]) -> Result<()> + 'v;

fn each_row(source: &mut dyn Source, target: &mut dyn Source, pair: &Pair<'_>, visit: &mut VisitRow<'_>) -> Result<()> {
    each_row_of(source, 0, pair, visit)?;
    each_row_of(target, 1, pair, visit)
}

fn each_row_of(reader: &mut dyn Source, side: usize, pair: &Pair<'_>, visit: &mut VisitRow<'_>) -> Result<()> {
    let mut hasher = RowHasher::default();
    reader.read(&[pair.request(side)], &mut |_: usize, cells: &[Cell<'_>]| {
        cells.iter().for_each(|cell| hasher.cell(cell));
        let hash = hasher.finish();
        let of_key = RowKey::identity(&mut hasher, cells, &pair.key);
        // The remainder is below the number of buckets.
        visit(side, (of_key % BUCKETS as u128) as usize, hash, cells)
    })
}

/// The name of a row that both sides can tell: its key's values, or without a common key all of them.
fn key_of(pair: &Pair<'_>, side: usize, cells: &[Cell<'_>]) -> RowKey {
    let all: Vec<usize> = if pair.key.is_empty() { (0..cells.len()).collect() } else { pair.key.clone() };
    let values = all.into_iter().map(|place| match &cells[place] {
        Cell::Null => Value::Null,
        Cell::Int(value) => Value::from(*value),
        cell => Value::from(text_of(pair, side, place, cell).map(|text| shortened(text.into()))),
    });
    let shown = Value::from(values.collect::<Vec<_>>()).to_string();
    RowKey { shown, identity: RowKey::identity(&mut RowHasher::default(), cells, &pair.key) }
}

/// A value as it is shown: blanks that pad a text are left away, so that one too many is seen.
fn text_of(pair: &Pair<'_>, side: usize, place: usize, cell: &Cell<'_>) -> Option<String> {
    match cell {
        Cell::Text(text) => Some(text.to_string()),
        Cell::Foreign(stored) => Some(text::stored(stored)),
        cell => text::write(&pair.columns[place][side].data_type.shape, cell).map(std::borrow::Cow::into_owned),
    }
}

/// Reads the changed rows again on both sides and fills in the columns that differ.
fn show_columns(
    source: &mut dyn Source,
    target: &mut dyn Source,
    pair: &Pair<'_>,
    rows: &mut [RowDifference],
) -> Result<()> {
    let changed = rows.iter().filter(|row| row.kind == RowDifferenceKind::Changed);
    let mut wanted: BTreeMap<u128, [Option<Vec<Shown>>; 2]> = changed.map(|row| (row.identity, [None, None])).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let mut hasher = RowHasher::default();
    each_row(source, target, pair, &mut |side, _, _, cells| {
        if let Some(sides) = wanted.get_mut(&RowKey::identity(&mut hasher, cells, &pair.key)) {
            let shown = cells.iter().enumerate().map(|(place, cell)| Shown {
                encoding: encoded(cell),
                text: text_of(pair, side, place, cell),
                stored: stored_text(cell),
            });
            sides[side] = Some(shown.collect());
        }
        Ok(())
    })?;
    for row in rows {
        let Some([Some(source), Some(target)]) = wanted.get(&row.identity) else { continue };
        let both = pair.columns.iter().zip(source.iter().zip(target));
        row.columns.extend(both.filter(|(_, (source, target))| source.encoding != target.encoding).map(
            |(column, (source, target))| {
                let [source, target] = match source.text == target.text {
                    true => [&source.stored, &target.stored],
                    false => [&source.text, &target.text],
                };
                let [source, target] = apart(source.as_deref(), target.as_deref());
                ColumnDifference { column: column[0].name.clone(), source, target }
            },
        ));
    }
    Ok(())
}

/// One value of a row that is shown.
struct Shown {
    /// What decides whether two of them are the same.
    encoding: u128,
    text: Option<String>,
    /// With what tells values apart that have the same text.
    stored: Option<String>,
}

/// A value with its storage class, or with its bytes where they are no text.
fn stored_text(cell: &Cell<'_>) -> Option<String> {
    Some(match cell {
        Cell::Null => return None,
        Cell::Int(value) | Cell::Foreign(Stored::Integer(value)) => format!("{value} (INTEGER)"),
        Cell::Float(value) | Cell::Foreign(Stored::Real(value)) => format!("{value:?} (REAL)"),
        Cell::Foreign(Stored::Text(bytes)) if std::str::from_utf8(bytes).is_err() => {
            format!("CAST({} AS TEXT)", text::stored(&Stored::Blob(bytes.clone())))
        }
        Cell::Foreign(stored) => text::stored(stored),
        cell => format!("{cell:?}"),
    })
}

fn encoded(cell: &Cell<'_>) -> u128 {
    let mut hasher = RowHasher::default();
    hasher.cell(cell);
    hasher.finish()
}
