//! One column's representation at work: cell to stored value and back.

use super::structured;
use super::text;
use super::{Representation, TextForm, TimeUnit};
use crate::catalog::Shape;
use crate::value::calendar::{self, MICROS_1970_TO_2000, MICROS_PER_DAY};
use crate::value::{Cell, Decimal, Sign, Stored};
use std::borrow::Cow;

/// A cell as the target holds it.
#[derive(Debug, PartialEq)]
pub struct Placed<'a> {
    /// What the record gets.
    pub stored: Stored<'a>,
    /// Whether reading it back by its representation gives the very cell; if not, the ledger has to keep the source's text.
    pub exact: bool,
}

impl<'a> Placed<'a> {
    fn exactly(stored: Stored<'a>) -> Self {
        Placed { stored, exact: true }
    }

    fn nearly(stored: Stored<'a>) -> Self {
        Placed { stored, exact: false }
    }
}

/// A representation applied to one column.
#[derive(Debug, Clone)]
pub struct Codec {
    representation: Representation,
    shape: Shape,
    /// The digits behind the point of every value of the column, where its type fixes them; else 0.
    scale: u16,
    /// Whether the column keeps a whole REAL as an INTEGER.
    whole_as_integer: bool,
}

impl Codec {
    /// The codec of a column of that type in that representation.
    pub fn new(shape: &Shape, representation: Representation) -> Self {
        let shape = shape.base().clone();
        let scale = match shape {
            Shape::Numeric { precision_and_scale: Some((_, scale)) } => u16::try_from(scale.max(0)).unwrap_or(0),
            _ => 0,
        };
        let representation = match representation {
            Representation::Epoch(unit) => Representation::Epoch(unit.kept()),
            other => other,
        };
        Codec { representation, shape, scale, whole_as_integer: false }
    }

    /// The same for a column that keeps a whole REAL as an INTEGER, as one of NUMERIC affinity does.
    #[must_use]
    pub fn whole_as_integer(mut self, yes: bool) -> Self {
        self.whole_as_integer = yes;
        self
    }

    /// Whether the column has the very bytes of its values.
    pub fn is_blob(&self) -> bool {
        self.representation == Representation::Blob && self.shape == Shape::Bytea
    }

    /// The column's type below all domains.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// What the target's record gets for a cell, and whether that holds all of it.
    pub fn place<'c>(&self, cell: &'c Cell<'_>) -> Placed<'c> {
        match (self.representation, cell) {
            (_, Cell::Null) => Placed::exactly(Stored::Null),
            (Representation::Text(form), _) => self.place_text(form, cell),
            (Representation::Integer, Cell::Int(value)) => Placed::exactly(Stored::Integer(*value)),
            (Representation::Boolean, Cell::Bool(value)) => Placed::exactly(Stored::Integer(i64::from(*value))),
            (Representation::Real, Cell::Float(value)) => self.as_kept(place_float(*value)),
            (Representation::DecimalInteger, Cell::Decimal(value)) => self.place_integer(value),
            (Representation::DecimalReal, Cell::Decimal(value)) => {
                let stored = real_of(value);
                let exact =
                    matches!(stored, Stored::Real(real) if decimal_of(real, self.scale).as_ref() == Some(value));
                self.as_kept(Placed { stored, exact })
            }
            (Representation::Blob, Cell::Bytes(value)) => Placed::exactly(Stored::Blob(Cow::Borrowed(value))),
            (Representation::Blob, Cell::Large(value)) => Placed::exactly(Stored::Blob(Cow::Owned(value.in_memory()))),
            (Representation::UuidBlob, Cell::Uuid(value)) => Placed::exactly(Stored::Blob(Cow::Borrowed(value))),
            (Representation::Epoch(unit), Cell::Timestamp(micros) | Cell::TimestampTz(micros)) => match *micros {
                infinite @ (i64::MIN | i64::MAX) => Placed::exactly(Stored::Integer(infinite)),
                micros => counted(unit, i128::from(micros)),
            },
            (Representation::Epoch(unit), Cell::Date(days)) => match *days {
                i32::MIN => Placed::exactly(Stored::Integer(i64::MIN)),
                i32::MAX => Placed::exactly(Stored::Integer(i64::MAX)),
                days => counted(unit, i128::from(days) * i128::from(MICROS_PER_DAY)),
            },
            (
                Representation::Integer
                | Representation::Boolean
                | Representation::Real
                | Representation::DecimalInteger
                | Representation::DecimalReal
                | Representation::Blob
                | Representation::UuidBlob
                | Representation::Epoch(_),
                _,
            ) => self.of_another_type(cell),
        }
    }

    /// The same of a column that keeps text.
    #[inline]
    fn place_text<'c>(&self, form: TextForm, cell: &'c Cell<'_>) -> Placed<'c> {
        match (form, cell) {
            (TextForm::Plain | TextForm::Nocase, Cell::Text(value)) | (TextForm::Json, Cell::Json(value)) => {
                Placed::exactly(Stored::Text(Cow::Borrowed(value.as_bytes())))
            }
            (TextForm::Uuid, Cell::Uuid(value)) => Placed::exactly(owned_text(text::uuid(value))),
            (TextForm::Iso8601T, Cell::Timestamp(micros)) => {
                Placed::exactly(owned_text(calendar::timestamp_text(*micros, 'T', "")))
            }
            (TextForm::Iso8601T, Cell::TimestampTz(micros)) => {
                Placed::exactly(owned_text(calendar::timestamp_text(*micros, 'T', "Z")))
            }
            (TextForm::JsonArray | TextForm::JsonObject, Cell::Native(value)) => {
                match structured::to_json(&self.shape, value) {
                    Some(made) => Placed { stored: owned_text(made.json), exact: made.exact },
                    // Text that does not have its type's form is kept as it is, in a JSON string.
                    None => Placed::nearly(owned_text(serde_json::Value::from(value.as_ref()).to_string())),
                }
            }
            (TextForm::Decimal, Cell::Decimal(_))
            | (TextForm::Iso8601, Cell::Timestamp(_) | Cell::TimestampTz(_) | Cell::Date(_))
            | (
                TextForm::Server,
                Cell::Bool(_)
                | Cell::Int(_)
                | Cell::Float(_)
                | Cell::Decimal(_)
                | Cell::Text(_)
                | Cell::Bytes(_)
                | Cell::Large(_)
                | Cell::Uuid(_)
                | Cell::Date(_)
                | Cell::Timestamp(_)
                | Cell::TimestampTz(_)
                | Cell::Json(_)
                | Cell::Native(_),
            ) => Placed::exactly(self.printed(cell)),
            (
                TextForm::Plain
                | TextForm::Nocase
                | TextForm::Decimal
                | TextForm::Uuid
                | TextForm::Iso8601
                | TextForm::Iso8601T
                | TextForm::Json
                | TextForm::JsonArray
                | TextForm::JsonObject
                | TextForm::Server,
                _,
            ) => self.of_another_type(cell),
        }
    }

    /// The very text that the source gives for a cell of the column; `None` for NULL.
    pub fn text<'c>(&self, cell: &'c Cell<'_>) -> Option<Cow<'c, str>> {
        text::write(&self.shape, cell)
    }

    /// That text, to be stored.
    fn printed<'c>(&self, cell: &'c Cell<'_>) -> Stored<'c> {
        match self.text(cell) {
            None => Stored::Null,
            Some(Cow::Borrowed(text)) => Stored::Text(Cow::Borrowed(text.as_bytes())),
            Some(Cow::Owned(text)) => owned_text(text),
        }
    }

    /// A cell that values of the column's type never are: not exact, unless it is found again as what nobody here has
    /// written.
    #[cold]
    fn of_another_type<'c>(&self, cell: &'c Cell<'_>) -> Placed<'c> {
        match cell {
            Cell::Foreign(value) => {
                let stored = value.clone().into_owned();
                let exact = self.load(stored.clone()) == *cell;
                Placed { stored, exact }
            }
            other => Placed::nearly(self.printed(other)),
        }
    }

    /// A number as a column keeps it: SQLite makes a whole REAL an INTEGER within these ends.
    fn as_kept<'c>(&self, placed: Placed<'c>) -> Placed<'c> {
        let Placed { stored: Stored::Real(real), exact } = placed else { return placed };
        let whole = real as i64;
        let is_whole = whole as f64 == real && whole != i64::MIN && whole != i64::MAX;
        match self.whole_as_integer && is_whole {
            true => Placed { stored: Stored::Integer(whole), exact },
            false => placed,
        }
    }

    fn place_integer<'c>(&self, value: &Decimal) -> Placed<'c> {
        match value.unscaled() {
            Some(number) if value.scale() == 0 => Placed { stored: Stored::Integer(number), exact: self.scale == 0 },
            _ => Placed::nearly(nearest(value, true)),
        }
    }

    /// The cell that a stored value stands for. Never fails: a value that the representation cannot have written becomes
    /// [`Cell::Foreign`], which equals no cell of a source.
    pub fn load<'v>(&self, stored: Stored<'v>) -> Cell<'v> {
        match (self.representation, stored) {
            (_, Stored::Null) => Cell::Null,
            (Representation::Text(form), Stored::Text(bytes)) => self.load_text(form, bytes),
            (Representation::Integer, Stored::Integer(value)) => Cell::Int(value),
            (Representation::Boolean, Stored::Integer(value @ (0 | 1))) => Cell::Bool(value == 1),
            (Representation::Real, Stored::Real(value)) => Cell::Float(value),
            (Representation::DecimalInteger, Stored::Integer(value)) => {
                Cell::Decimal(Decimal::small(value < 0, value.unsigned_abs(), 0))
            }
            (Representation::DecimalReal, Stored::Real(value)) => {
                decimal_of(value, self.scale).map_or(Cell::Foreign(Stored::Real(value)), Cell::Decimal)
            }
            (Representation::Real | Representation::DecimalReal, Stored::Integer(whole))
                if self.whole_as_integer && whole as f64 as i64 == whole =>
            {
                self.load(Stored::Real(whole as f64))
            }
            (Representation::Blob, Stored::Blob(value)) => Cell::Bytes(value),
            (Representation::UuidBlob, Stored::Blob(value)) => {
                <[u8; 16]>::try_from(value.as_ref()).map_or(Cell::Foreign(Stored::Blob(value)), Cell::Uuid)
            }
            (Representation::Epoch(unit), Stored::Integer(value)) => {
                self.load_epoch(unit, value).unwrap_or(Cell::Foreign(Stored::Integer(value)))
            }
            (
                Representation::Integer
                | Representation::Boolean
                | Representation::Real
                | Representation::DecimalInteger
                | Representation::DecimalReal
                | Representation::Blob
                | Representation::UuidBlob
                | Representation::Epoch(_)
                | Representation::Text(_),
                stored,
            ) => Cell::Foreign(stored),
        }
    }

    fn load_text<'v>(&self, form: TextForm, bytes: Cow<'v, [u8]>) -> Cell<'v> {
        let value: Cow<'v, str> = match bytes {
            Cow::Borrowed(bytes) => match simdutf8::basic::from_utf8(bytes) {
                Ok(value) => Cow::Borrowed(value),
                Err(_) => return Cell::Foreign(Stored::Text(Cow::Borrowed(bytes))),
            },
            Cow::Owned(bytes) => match String::from_utf8(bytes) {
                Ok(value) => Cow::Owned(value),
                Err(error) => return Cell::Foreign(Stored::Text(Cow::Owned(error.into_bytes()))),
            },
        };
        // Text that means the same but is not what the representation writes was not written by it.
        let loaded = match form {
            TextForm::Plain | TextForm::Nocase => return Cell::Text(value),
            TextForm::Json => return Cell::Json(value),
            TextForm::Uuid => text::parse_uuid(&value).map(Cell::Uuid),
            TextForm::JsonArray | TextForm::JsonObject => structured::from_json(&self.shape, &value)
                .filter(|text| structured::to_json(&self.shape, text).is_some_and(|made| made.json == value))
                .map(|text| Cell::Native(Cow::Owned(text))),
            TextForm::Iso8601T => match self.shape {
                Shape::Timestamp { .. } => calendar::parse_timestamp(&value, 'T', "").map(Cell::Timestamp),
                Shape::TimestampTz { .. } => calendar::parse_timestamp(&value, 'T', "Z").map(Cell::TimestampTz),
                _ => None,
            },
            TextForm::Decimal | TextForm::Iso8601 | TextForm::Server => text::read(&self.shape, &value)
                .filter(|cell| matches!(cell, Cell::Native(_)) || self.text(cell).as_deref() == Some(&value))
                .map(Cell::into_owned),
        };
        loaded.unwrap_or_else(|| {
            Cell::Foreign(Stored::Text(match value {
                Cow::Borrowed(value) => Cow::Borrowed(value.as_bytes()),
                Cow::Owned(value) => Cow::Owned(value.into_bytes()),
            }))
        })
    }

    fn load_epoch(&self, unit: TimeUnit, count: i64) -> Option<Cell<'static>> {
        let micros = match count {
            i64::MAX | i64::MIN => i128::from(count),
            _ => i128::from(count) * i128::from(unit.micros()) - i128::from(MICROS_1970_TO_2000),
        };
        match self.shape {
            Shape::Timestamp { .. } => i64::try_from(micros).ok().map(Cell::Timestamp),
            Shape::TimestampTz { .. } => i64::try_from(micros).ok().map(Cell::TimestampTz),
            Shape::Date => match count {
                i64::MAX => Some(Cell::Date(i32::MAX)),
                i64::MIN => Some(Cell::Date(i32::MIN)),
                _ if micros.rem_euclid(i128::from(MICROS_PER_DAY)) != 0 => None,
                _ => i32::try_from(micros.div_euclid(i128::from(MICROS_PER_DAY))).ok().map(Cell::Date),
            },
            _ => None,
        }
    }

    /// The cell that the target gives back without a ledger: the cell itself where its column holds all of it, else
    /// what is left of it.
    pub fn without_ledger<'c>(&self, cell: &'c Cell<'c>) -> Cow<'c, Cell<'c>> {
        let placed = self.place(cell);
        if placed.exact { Cow::Borrowed(cell) } else { Cow::Owned(self.load(placed.stored)) }
    }

    /// Hands over what stands beside a text that the ledger keeps; `None` where that is no text of the type.
    pub fn beside<R>(&self, exact: &str, take: impl FnOnce(&Stored<'_>) -> R) -> Option<R> {
        text::read(&self.shape, exact).map(|cell| take(&self.place(&cell).stored))
    }

    /// The cell that a stored value stands for together with what the ledger keeps for it. A ledger entry counts
    /// only while the record still holds what its column stores for that text: a value that was changed since is
    /// read as it is.
    pub fn load_with_ledger<'v>(&self, stored: Stored<'v>, ledger: Option<&'v str>) -> Cell<'v> {
        if let Some(cell) = ledger.and_then(|text| text::read(&self.shape, text))
            && self.place(&cell).stored == stored
        {
            return cell;
        }
        self.load(stored)
    }
}

/// A time, as microseconds since 2000-01-01, as a count of units since 1970-01-01.
fn counted<'c>(unit: TimeUnit, since_2000: i128) -> Placed<'c> {
    let unit = i128::from(unit.micros());
    let micros = since_2000 + i128::from(MICROS_1970_TO_2000);
    let (count, rest) = (micros.div_euclid(unit), micros.rem_euclid(unit));
    match i64::try_from(count) {
        Ok(count) if count != i64::MAX && count != i64::MIN => {
            Placed { stored: Stored::Integer(count), exact: rest == 0 }
        }
        // The one count next to infinity stands for every time beyond the integers; the ledger has which.
        _ => Placed::nearly(Stored::Integer(if count > 0 { i64::MAX - 1 } else { i64::MIN + 1 })),
    }
}

fn owned_text(text: String) -> Stored<'static> {
    Stored::Text(Cow::Owned(text.into_bytes()))
}

/// SQLite turns NaN into NULL and stores -0.0 as 0.0.
fn place_float<'c>(value: f64) -> Placed<'c> {
    if value.is_nan() {
        Placed::nearly(Stored::Null)
    } else if value == 0.0 && value.is_sign_negative() {
        Placed::nearly(Stored::Real(0.0))
    } else {
        Placed::exactly(Stored::Real(value))
    }
}

/// The nearest integer, where there is one; else the nearest number; NULL for what is no number.
fn nearest<'c>(value: &Decimal, integer: bool) -> Stored<'c> {
    if value.sign() == Sign::NaN {
        return Stored::Null;
    }
    let real: f64 = match value.sign() {
        Sign::Infinity => f64::INFINITY,
        Sign::NegativeInfinity => f64::NEG_INFINITY,
        _ => value.to_string().parse().unwrap_or(0.0),
    };
    // `as` saturates at the ends of the integers, which is the nearest one there.
    if integer { Stored::Integer(real.round() as i64) } else { Stored::Real(real + 0.0) }
}

/// Powers of ten that a double holds exactly.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];
/// Integers up to this are exact as doubles, and so is one division of two exact doubles correctly rounded.
const EXACT_INTEGER_MAX: u64 = 1 << 53;

/// The double nearest to a decimal number.
fn real_of<'c>(value: &Decimal) -> Stored<'c> {
    match (value.unscaled(), EXACT_POWERS.get(usize::from(value.scale()))) {
        (Some(unscaled), Some(power)) if unscaled.unsigned_abs() <= EXACT_INTEGER_MAX => {
            Stored::Real(unscaled as f64 / power)
        }
        _ => nearest(value, false),
    }
}

/// The decimal number with that many digits behind the point that is nearest to a double.
fn decimal_of(real: f64, scale: u16) -> Option<Decimal> {
    if !real.is_finite() {
        return None;
    }
    if let Some(power) = EXACT_POWERS.get(usize::from(scale)) {
        let unscaled = (real * power).round();
        if unscaled.abs() < 1e15 && unscaled / power == real {
            return Some(Decimal::small(unscaled < 0.0, unscaled.abs() as u64, scale));
        }
    }
    let text = format!("{real:.*}", usize::from(scale));
    let text = text.strip_prefix('-').filter(|rest| rest.bytes().all(|b| matches!(b, b'0' | b'.'))).unwrap_or(&text);
    text.parse().ok().filter(|decimal: &Decimal| match real_of(decimal) {
        // A double between two decimals of that scale was not written by us.
        Stored::Real(back) => back == real,
        _ => false,
    })
}
