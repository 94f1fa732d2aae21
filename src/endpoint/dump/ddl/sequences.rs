//! Sequences of their own and of identity columns, with what is not said of them.

use super::definition::SequenceOptions;
use crate::catalog::QualifiedName;
use crate::endpoint::postgres::rows::SequenceRow;

/// A sequence as CREATE SEQUENCE makes it.
pub(super) fn created(name: &QualifiedName, data_type: &str, options: &SequenceOptions) -> SequenceRow {
    let mut row = SequenceRow {
        schema: name.schema.clone(),
        name: name.name.clone(),
        data_type: data_type.to_owned(),
        increment: 1,
        cache: 1,
        selectable: true,
        ..SequenceRow::default()
    };
    row.increment = options.increment.unwrap_or(1);
    (row.min_value, row.max_value) = bounds(data_type, row.increment);
    change(&mut row, options);
    row.start = options.start.unwrap_or(if row.increment > 0 { row.min_value } else { row.max_value });
    row
}

/// What ALTER SEQUENCE says.
pub(super) fn change(row: &mut SequenceRow, options: &SequenceOptions) {
    if let Some(data_type) = &options.data_type {
        row.data_type.clone_from(data_type);
    }
    let (least, greatest) = bounds(&row.data_type, options.increment.unwrap_or(row.increment));
    let set = |place: &mut i64, value: Option<i64>| *place = value.unwrap_or(*place);
    set(&mut row.increment, options.increment);
    set(&mut row.start, options.start);
    set(&mut row.min_value, options.min_value.map(|value| value.unwrap_or(least)));
    set(&mut row.max_value, options.max_value.map(|value| value.unwrap_or(greatest)));
    set(&mut row.cache, options.cache);
    row.cycle = options.cycle.unwrap_or(row.cycle);
}

/// The least and the greatest value where none are given.
fn bounds(data_type: &str, increment: i64) -> (i64, i64) {
    let (least, greatest) = match data_type {
        "smallint" => (i64::from(i16::MIN), i64::from(i16::MAX)),
        "integer" => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    };
    if increment > 0 { (1, greatest) } else { (least, -1) }
}
