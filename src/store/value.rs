//! Records as JSON, both ways: columns by their names, and lists of what is inside by the names of their tables.

use super::contract::Record;
use super::unit::{Known, Unit, unnamed};
use crate::endpoint::files::layout::{Filled, MomentSpelling, Origin, ValueForm};
use crate::endpoint::files::rows::{Home, agrees};
use crate::endpoint::files::weave::read_text;
use crate::error::{Error, Result};
use crate::types::text::hex;
use crate::value::Cell;
use crate::value::calendar::timestamp_text;
use serde_json::{Map, Value};
use std::borrow::Cow;

const WRITE: &str = "write a record";

/// A record as others see it.
pub fn record(known: &Known, unit: &Unit) -> Record {
    Record {
        table: known.layout.tables[unit.table].name.clone(),
        value: object(known, unit, None),
        version: unit.version(known),
    }
}

fn object(known: &Known, unit: &Unit, around: Option<usize>) -> Map<String, Value> {
    let of = &known.layout.tables[unit.table];
    let mut map = Map::new();
    for (place, column) in of.columns.iter().enumerate() {
        if around.is_none() || !is_of_parent(filled(known, unit.table, around, &unit.cells, place)) {
            map.insert(column.name.clone(), value(&unit.cells[place]));
        }
    }
    for (child, _) in known.inside(unit.table) {
        let inside = unit.inside.iter().filter(|inner| inner.table == child);
        let list = inside.map(|inner| Value::Object(object(known, inner, Some(unit.table)))).collect();
        map.insert(known.layout.tables[child].name.clone(), Value::Array(list));
    }
    map
}

/// A cell as JSON.
pub fn value(cell: &Cell<'_>) -> Value {
    match cell {
        Cell::Bool(value) => Value::Bool(*value),
        Cell::Int(number) => Value::from(*number),
        Cell::Float(number) => Value::from(*number),
        Cell::Text(text) => Value::String(text.clone().into_owned()),
        Cell::Bytes(bytes) => Value::String(hex(bytes)),
        Cell::TimestampTz(micros) => Value::String(timestamp_text(*micros, 'T', "Z")),
        // A text that JSON spells and this program does not read, as half a surrogate pair, is told as its spelling.
        Cell::Json(text) => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone().into_owned())),
        // No file has others; a row that somebody else has written may.
        _ => Value::Null,
    }
}

/// What fills a column of a record, in the record set that takes it.
fn filled<'k>(
    known: &'k Known,
    table: usize,
    around: Option<usize>,
    cells: &[Cell<'_>],
    column: usize,
) -> Option<&'k Filled> {
    let is_there = |home: &&Home<'_>| match (home, around) {
        (Home::Root { .. }, None) => true,
        (Home::Inside { around, .. }, Some(parent)) => *around == parent,
        (Home::Root { .. }, Some(_)) | (Home::Inside { .. }, None) => false,
    };
    let find = |home: &Home<'k>| home.set().2.columns.iter().find(|filled| filled.column == column);
    let homes = || known.forms.homes[table].iter().filter(is_there);
    homes().filter(|home| agrees(home.set().2, cells)).find_map(find).or_else(|| homes().find_map(find))
}

fn is_of_parent(filled: Option<&Filled>) -> bool {
    filled.is_some_and(|filled| filled.from.iter().any(|origin| matches!(origin, Origin::Parent(_))))
}

/// The record that a value is.
///
/// # Errors
/// When it has a name that the layout has not, a value of another type than its column, or no key.
pub fn unit(known: &Known, table: usize, value: &Map<String, Value>) -> Result<Unit> {
    made(known, table, value, None, 0)
}

fn made(
    known: &Known,
    table: usize,
    given: &Map<String, Value>,
    around: Option<&Unit>,
    position: usize,
) -> Result<Unit> {
    let of = &known.layout.tables[table];
    let inside = known.inside(table);
    let is_list = |name: &str| inside.iter().any(|(child, _)| known.layout.tables[*child].name == name);
    if let Some(name) =
        given.keys().find(|name| !is_list(name) && !of.columns.iter().any(|column| column.name == **name))
    {
        let columns = of.columns.iter().map(|column| column.name.as_str());
        let lists = inside.iter().map(|(child, _)| known.layout.tables[*child].name.as_str());
        let all: Vec<String> = columns.chain(lists).map(|name| format!("`{name}`")).collect();
        return Err(Error::usage(WRITE, format!("table `{}`, `{name}`", of.name), "it has no such column")
            .hint(format!("it has {}", all.join(", "))));
    }
    let mut cells = Vec::with_capacity(of.columns.len());
    for column in &of.columns {
        let cell = match given.get(&column.name) {
            None | Some(Value::Null) => Cell::Null,
            Some(value) => cell(value, &column.form).ok_or_else(|| {
                let object = format!("table `{}`, column `{}`", of.name, column.name);
                Error::usage(WRITE, object, format!("`{}` is not {}", shortened(value), wanted(&column.form)))
            })?,
        };
        cells.push(cell);
    }
    let parent = around.map(|around| around.table);
    for (place, column) in of.columns.iter().enumerate() {
        let filled = filled(known, table, parent, &cells, place);
        let own = filled.into_iter().flat_map(|filled| &filled.from).find_map(|origin| match origin {
            Origin::Parent(column) => around.map(|around| around.cells[*column].clone()),
            _ => None,
        });
        match own {
            Some(own) if cells[place] != Cell::Null && cells[place] != own => {
                let object = format!("table `{}`, column `{}`", of.name, column.name);
                return Err(Error::usage(WRITE, object, "it is not that of the record around")
                    .hint("leave it away: it follows from what the record is inside of"));
            }
            Some(own) => cells[place] = own,
            None if given.contains_key(&column.name) => {}
            None => cells[place] = unnamed(filled, position),
        }
    }
    if let Some(place) = of.key.iter().find(|place| cells[**place] == Cell::Null) {
        let object = format!("table `{}`, column `{}`", of.name, of.columns[*place].name);
        return Err(Error::usage(WRITE, object, "it is of the key, and has no value"));
    }
    let mut unit = Unit { table, cells, inside: Vec::new() };
    for (child, _) in inside {
        let name = &known.layout.tables[child].name;
        let list = match given.get(name) {
            None | Some(Value::Null) => continue,
            Some(Value::Array(list)) => list,
            Some(_) => return Err(Error::usage(WRITE, format!("table `{}`, `{name}`", of.name), "it is no list")),
        };
        for (position, inner) in list.iter().enumerate() {
            let Value::Object(inner) = inner else {
                let object = format!("table `{}`, `{name}`", of.name);
                return Err(Error::usage(WRITE, object, format!("what is at place {position} is no object")));
            };
            let inner = made(known, child, inner, Some(&unit), position)?;
            unit.inside.push(inner);
        }
    }
    Ok(known.normal(unit))
}

/// The cells of a key; the others of the row are NULL.
///
/// # Errors
/// When it has too few values or too many, or one of another type.
pub fn key(known: &Known, table: usize, given: &[Value]) -> Result<Vec<Cell<'static>>> {
    let of = &known.layout.tables[table];
    let names: Vec<String> = of.key.iter().map(|place| format!("`{}`", of.columns[*place].name)).collect();
    let object = || format!("table `{}`", of.name);
    if given.len() != of.key.len() {
        let cause = format!("its key is {}, and {} values are given", names.join(", "), given.len());
        return Err(Error::usage("find a record", object(), cause));
    }
    let mut cells = vec![Cell::Null; of.columns.len()];
    for (place, value) in of.key.iter().zip(given) {
        let form = &of.columns[*place].form;
        cells[*place] = cell(value, form).ok_or_else(|| {
            let cause = format!("`{}` is not {}", shortened(value), wanted(form));
            Error::usage("find a record", format!("{}, column `{}`", object(), of.columns[*place].name), cause)
        })?;
    }
    Ok(cells)
}

/// The columns that are to have a value, by their places.
///
/// # Errors
/// When there is no such column, or the value is of another type.
pub fn matching(known: &Known, table: usize, given: &[(&str, Value)]) -> Result<Vec<(usize, Cell<'static>)>> {
    let of = &known.layout.tables[table];
    given
        .iter()
        .map(|(name, value)| {
            let object = || format!("table `{}`, column `{name}`", of.name);
            let refused = |cause: String| Error::usage("list records", object(), cause);
            let place = of.columns.iter().position(|column| column.name == *name);
            let place = place.ok_or_else(|| refused("the layout has no such column".to_owned()))?;
            let form = &of.columns[place].form;
            match value {
                Value::Null => Ok((place, Cell::Null)),
                value => match cell(value, form) {
                    Some(cell) => Ok((place, cell)),
                    None => Err(refused(format!("`{}` is not {}", shortened(value), wanted(form)))),
                },
            }
        })
        .collect()
}

fn cell(value: &Value, form: &ValueForm) -> Option<Cell<'static>> {
    Some(match (form, value) {
        (ValueForm::Text | ValueForm::Words(_), Value::String(text)) => Cell::Text(Cow::Owned(text.clone())),
        (ValueForm::Integer, Value::Number(number)) => Cell::Int(number.as_i64()?),
        (ValueForm::Real, Value::Number(number)) => Cell::Float(number.as_f64()?),
        (ValueForm::Boolean(_), Value::Bool(value)) => Cell::Bool(*value),
        (ValueForm::Json, value) => Cell::Json(Cow::Owned(value.to_string())),
        (ValueForm::Moment(_), Value::String(text)) => {
            read_text(text, &ValueForm::Moment(MomentSpelling::Rfc3339)).ok()?.into_owned()
        }
        (ValueForm::Bytes, Value::String(text)) => Cell::Bytes(Cow::Owned(of_hex(text)?)),
        _ => return None,
    })
}

fn of_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    (digits.len().is_multiple_of(2) && digits.iter().all(u8::is_ascii_hexdigit))
        .then(|| digits.chunks_exact(2).map(pair).collect())?
}

fn wanted(form: &ValueForm) -> &'static str {
    match form {
        ValueForm::Text | ValueForm::Words(_) => "a text",
        ValueForm::Integer => "an integer of 64 bits",
        ValueForm::Real => "a number",
        ValueForm::Boolean(_) => "`true` or `false`",
        ValueForm::Json => "a value",
        ValueForm::Moment(_) => "a moment as in `2026-01-31T12:00:00Z`",
        ValueForm::Bytes => "bytes in hexadecimal",
    }
}

fn shortened(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

impl Known {
    /// A record as files would give it: JSON without blanks, and of what takes the rest the members by their names.
    pub fn normal(&self, mut unit: Unit) -> Unit {
        if unit.cells.iter().any(|cell| matches!(cell, Cell::Json(_))) {
            for home in &self.forms.homes[unit.table] {
                let (kind, set, records) = home.set();
                if agrees(records, &unit.cells) {
                    let mut row = crate::endpoint::files::weave::Rows::new();
                    row.push(set, std::mem::take(&mut unit.cells));
                    let row = self.forms.weavers[kind].normal(row);
                    unit.cells = row.row(0).cells.iter().map(|cell| cell.clone().into_owned()).collect();
                }
            }
        }
        unit.inside = unit.inside.into_iter().map(|inner| self.normal(inner)).collect();
        unit
    }
}

impl Unit {
    /// Takes over how another state of the record spells JSON that is the same value.
    pub fn keep_spelling(&mut self, old: &Unit, known: &Known) {
        for (cell, old) in self.cells.iter_mut().zip(&old.cells) {
            if let (Cell::Json(_), Cell::Json(_)) = (&*cell, old)
                && value(cell) == value(old)
            {
                *cell = old.clone();
            }
        }
        for inner in &mut self.inside {
            let (table, key) = (inner.table, inner.key(known));
            if let Some(old) = old.inside.iter().find(|old| old.table == table && old.key(known) == key) {
                inner.keep_spelling(old, known);
            }
        }
    }
}
