//! Keys and values: for people, and for statements.

use super::record::{Id, Values};
use crate::endpoint::files::layout::Layout;
use crate::endpoint::files::pack::unpack;
use crate::value::calendar::timestamp_text;
use crate::value::{Cell, Stored, row_key};
use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};
use std::borrow::Cow;

/// Longer values are cut, in characters.
const CHARS_MAX: usize = 200;

/// The key of a record among its cells.
pub fn key_of(layout: &Layout, table: usize, cells: &[Cell<'_>]) -> String {
    let key = layout.tables.get(table).map_or(&[][..], |table| &table.key);
    row_key(key.iter().filter_map(|place| cells.get(*place)).map(stored))
}

/// The key of a record among its packed cells.
pub fn key_of_packed(layout: &Layout, id: Id, packed: &[u8]) -> String {
    key_of(layout, usize::from(id.table), &unpack(packed).unwrap_or_default())
}

fn stored<'c>(cell: &'c Cell<'_>) -> Stored<'c> {
    match cell {
        Cell::Null => Stored::Null,
        Cell::Int(number) => Stored::Integer(*number),
        Cell::Float(number) => Stored::Real(*number),
        Cell::Bytes(bytes) => Stored::Blob(Cow::Borrowed(bytes)),
        Cell::Text(text) | Cell::Json(text) => Stored::Text(Cow::Borrowed(text.as_bytes())),
        other => Stored::Text(Cow::Owned(text_of(other).into_bytes())),
    }
}

/// A value for people.
pub fn text_of(cell: &Cell<'_>) -> String {
    let text = match cell {
        Cell::Null => "NULL".to_owned(),
        Cell::Bool(value) => value.to_string(),
        Cell::Int(number) => number.to_string(),
        Cell::Float(number) => format!("{number:?}"),
        Cell::Text(text) | Cell::Json(text) => text.clone().into_owned(),
        Cell::Bytes(bytes) => format!("{} bytes", bytes.len()),
        Cell::TimestampTz(micros) => timestamp_text(*micros, 'T', "Z"),
        other => format!("{other:?}"),
    };
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The values of a record that differ, or all of those that only one side has.
pub fn differing(layout: &Layout, table: usize, files: Option<&[u8]>, rows: Option<&[u8]>) -> Vec<Values> {
    let [files, rows] = [files, rows].map(|packed| packed.and_then(unpack));
    let columns = layout.tables.get(table).map_or(&[][..], |table| &table.columns);
    let value =
        |cells: &Option<Vec<Cell<'_>>>, place: usize| cells.as_ref().and_then(|cells| cells.get(place).map(text_of));
    let differs = |place: &usize| match (&files, &rows) {
        (Some(files), Some(rows)) => files.get(*place) != rows.get(*place),
        (Some(only), None) | (None, Some(only)) => only.get(*place).is_some_and(|cell| *cell != Cell::Null),
        (None, None) => false,
    };
    (0..columns.len())
        .filter(differs)
        .map(|place| Values {
            column: columns[place].name.clone(),
            files: value(&files, place),
            rows: value(&rows, place),
        })
        .collect()
}

/// A stored value as a parameter of a statement.
pub struct Bound<'a>(pub &'a Stored<'a>);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Stored::Null => ValueRef::Null,
            Stored::Integer(value) => ValueRef::Integer(*value),
            Stored::Real(value) => ValueRef::Real(*value),
            Stored::Text(bytes) => ValueRef::Text(bytes),
            Stored::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}
