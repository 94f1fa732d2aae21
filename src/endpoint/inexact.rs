//! Values that their columns do not hold whole, where no ledger keeps the rest: NaN in a column of numbers, a time with
//! more digits than its unit has. Nothing of the file tells them; only who reads the source knows.

use crate::catalog::QualifiedName;
use crate::plan::{ColumnPlan, TablePlan};
use crate::types::Codec;
use crate::value::{Cell, Stored, row_key, rowid_key};
use serde::Serialize;
use std::borrow::Cow;

/// Longer values are cut when they are shown, in characters.
const VALUE_CHARS_MAX: usize = 120;

/// What there is to do about such values.
pub const WAY_OUT: &str = "keep the metadata, whose ledger has room for them; or give their columns a rule that holds \
                                  them (`--rule TABLE.COLUMN=server-text`); or accept it with `--allow-inexact`";

/// A column with such values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InexactColumn {
    /// The table in the source.
    pub table: QualifiedName,
    /// The column in the source.
    pub column: String,
    /// How many of its values it does not hold whole.
    pub values: u64,
    /// The first row with one, by its key.
    pub row: String,
    /// That value as the source spells it.
    pub value: String,
}

/// Counts one such value.
pub fn note(list: &mut Vec<InexactColumn>, table: &TablePlan, column: &ColumnPlan, row: &str, value: Cow<'_, str>) {
    let is_it = |known: &&mut InexactColumn| known.column == column.source && known.table == table.source;
    match list.iter_mut().rev().find(is_it) {
        Some(known) => known.values += 1,
        None => list.push(InexactColumn {
            table: table.source.clone(),
            column: column.source.clone(),
            values: 1,
            row: row.to_owned(),
            value: shortened(value),
        }),
    }
}

/// Counts those of one row, the one behind `rows_before` others.
pub fn note_row(
    list: &mut Vec<InexactColumn>,
    table: &TablePlan,
    codecs: &[Codec],
    cells: &[Cell<'_>],
    rows_before: u64,
) {
    for ((cell, codec), column) in cells.iter().zip(codecs).zip(&table.columns) {
        if codec.place(cell).exact {
            continue;
        }
        let row = key_of(table, codecs, cells, rows_before);
        note(list, table, column, &row, codec.text(cell).unwrap_or_default());
    }
}

/// The row's name: its key as stored, or its place, which is the rowid that a new table gives it.
pub fn key_of(table: &TablePlan, codecs: &[Codec], cells: &[Cell<'_>], rows_before: u64) -> String {
    let stored = |place: usize| codecs[place].place(&cells[place]).stored;
    if table.is_named_by_rowid(|place| stored(place) == Stored::Null) {
        return rowid_key(i64::try_from(rows_before).unwrap_or(i64::MAX).saturating_add(1));
    }
    row_key(table.key.iter().map(|place| stored(*place)))
}

/// How many values all of them have together.
pub fn total(columns: &[InexactColumn]) -> u64 {
    columns.iter().map(|column| column.values).sum()
}

/// Two different values as they are shown beside each other: of long ones what is alike in front is left away, so that the place
/// is seen in which they differ.
pub fn apart(source: Option<&str>, target: Option<&str>) -> [Option<String>; 2] {
    let both = [source, target];
    let is_long = |text: &str| text.chars().nth(VALUE_CHARS_MAX).is_some();
    let alike = match both {
        [Some(source), Some(target)] if is_long(source) || is_long(target) => {
            source.chars().zip(target.chars()).take_while(|(one, other)| one == other).count()
        }
        _ => 0,
    };
    let left_away = alike.saturating_sub(VALUE_CHARS_MAX / 4);
    both.map(|text| {
        let text = text?;
        let start = text.char_indices().nth(left_away).map_or(text.len(), |(start, _)| start);
        Some(match start {
            0 => shortened(text.into()),
            _ => format!("…{} (from byte {start})", shortened(text[start..].into())),
        })
    })
}

/// A value as it is shown: cut where it is long.
pub fn shortened(value: Cow<'_, str>) -> String {
    match value.char_indices().nth(VALUE_CHARS_MAX) {
        Some((end, _)) => format!("{}… ({} bytes)", &value[..end], value.len()),
        None => value.into_owned(),
    }
}
