//! One column's rule at work: cell to stored value and back.

use super::structured;
use super::text;
use super::{Rule, TimeUnit};
use crate::catalog::Shape;
use crate::value::calendar::{self, MICROS_1970_TO_2000, MICROS_PER_DAY};
use crate::value::{Cell, Decimal, Sign, Stored};
use std::borrow::Cow;

/// A cell as the target holds it.
#[derive(Debug, PartialEq)]
pub struct Placed<'a> {
    /// What the record gets.
    pub stored: Stored<'a>,
    /// Whether reading it back by the rule gives the very cell; if not, the ledger has to keep the source's text.
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

/// A rule applied to one column.
#[derive(Debug, Clone)]
pub struct Codec {
    rule: Rule,
    shape: Shape,
    /// The digits behind the point of every value of the column, where its type fixes them.
    scale: Option<u16>,
    /// Whether the column keeps a whole REAL as an INTEGER.
    whole_as_integer: bool,
}

impl Codec {
    /// The codec of a column of that type under that rule.
    pub fn new(shape: &Shape, rule: Rule) -> Self {
        let mut shape = shape;
        while let Shape::Domain(domain) = shape {
            shape = &domain.base.shape;
        }
        let scale = match shape {
            Shape::Numeric { precision_and_scale: Some((_, scale)) } => u16::try_from((*scale).max(0)).ok(),
            _ => None,
        };
        Codec { rule, shape: shape.clone(), scale, whole_as_integer: false }
    }

    /// The same for a column that keeps a whole REAL as an INTEGER, as one of NUMERIC affinity does.
    #[must_use]
    pub fn whole_as_integer(mut self, yes: bool) -> Self {
        self.whole_as_integer = yes;
        self
    }

    /// The column's rule.
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// The column's type below all domains.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// What the target's record gets for a cell, and whether that holds all of it.
    pub fn place<'c>(&self, cell: &'c Cell<'_>) -> Placed<'c> {
        match (self.rule, cell) {
            (_, Cell::Null) => Placed::exactly(Stored::Null),
            (Rule::Text | Rule::NocaseText, Cell::Text(value)) | (Rule::Json, Cell::Json(value)) => {
                Placed::exactly(Stored::Text(Cow::Borrowed(value.as_bytes())))
            }
            (Rule::Integer, Cell::Int(value)) => Placed::exactly(Stored::Integer(*value)),
            (Rule::Boolean, Cell::Bool(value)) => Placed::exactly(Stored::Integer(i64::from(*value))),
            (Rule::Real, Cell::Float(value)) => self.as_kept(place_float(*value)),
            (Rule::DecimalInteger | Rule::DecimalReal | Rule::DecimalText, Cell::Decimal(value)) => {
                self.place_decimal(value)
            }
            (Rule::Blob, Cell::Bytes(value)) => Placed::exactly(Stored::Blob(Cow::Borrowed(value))),
            (Rule::UuidText, Cell::Uuid(value)) => Placed::exactly(owned_text(text::uuid(value))),
            (Rule::UuidBlob, Cell::Uuid(value)) => Placed::exactly(Stored::Blob(Cow::Borrowed(value))),
            (Rule::EpochSeconds | Rule::EpochMillis | Rule::EpochMicros, _) => self.place_epoch(cell),
            (Rule::Iso8601, Cell::Timestamp(_) | Cell::TimestampTz(_) | Cell::Date(_)) => self.as_text(cell),
            (Rule::Iso8601T, Cell::Timestamp(micros)) => {
                Placed::exactly(owned_text(calendar::timestamp_text(*micros, 'T', "")))
            }
            (Rule::Iso8601T, Cell::TimestampTz(micros)) => {
                Placed::exactly(owned_text(calendar::timestamp_text(*micros, 'T', "Z")))
            }
            (Rule::JsonArray | Rule::JsonObject, Cell::Native(value)) => {
                match structured::to_json(&self.shape, value) {
                    Some(made) => Placed { stored: owned_text(made.json), exact: made.exact },
                    // Text that does not have its type's form is kept as it is, in a JSON string.
                    None => Placed::nearly(owned_text(serde_json::Value::from(value.as_ref()).to_string())),
                }
            }
            _ => self.as_text(cell),
        }
    }

    /// The very text that the source gives for a cell of the column; `None` for NULL.
    pub fn text<'c>(&self, cell: &'c Cell<'_>) -> Option<Cow<'c, str>> {
        text::write(&self.shape, cell)
    }

    /// Any cell under a rule that keeps text: the source's own text of it.
    fn as_text<'c>(&self, cell: &'c Cell<'_>) -> Placed<'c> {
        match (cell, self.text(cell)) {
            (Cell::Foreign(value), _) => Placed::nearly(value.clone().into_owned()),
            (_, None) => Placed::exactly(Stored::Null),
            (_, Some(Cow::Borrowed(text))) => Placed::exactly(Stored::Text(Cow::Borrowed(text.as_bytes()))),
            (_, Some(Cow::Owned(text))) => Placed::exactly(owned_text(text)),
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

    fn place_decimal<'c>(&self, value: &Decimal) -> Placed<'c> {
        let whole = || -> Option<i64> { if value.scale() == 0 { value.unscaled() } else { None } };
        match self.rule {
            Rule::DecimalInteger => match whole() {
                Some(number) => Placed { stored: Stored::Integer(number), exact: self.scale.unwrap_or(0) == 0 },
                None => Placed::nearly(nearest(value, true)),
            },
            Rule::DecimalReal => {
                let stored = real_of(value);
                let exact = matches!(stored, Stored::Real(real)
                    if decimal_of(real, self.scale.unwrap_or(0)).as_ref() == Some(value));
                self.as_kept(Placed { stored, exact })
            }
            _ => Placed::exactly(owned_text(value.to_string())),
        }
    }

    fn place_epoch<'c>(&self, cell: &Cell<'_>) -> Placed<'c> {
        let unit = self.rule.time_unit().unwrap_or(TimeUnit::Micros).micros();
        let since_2000 = match cell {
            Cell::Timestamp(i64::MAX) | Cell::TimestampTz(i64::MAX) | Cell::Date(i32::MAX) => {
                return Placed::exactly(Stored::Integer(i64::MAX));
            }
            Cell::Timestamp(i64::MIN) | Cell::TimestampTz(i64::MIN) | Cell::Date(i32::MIN) => {
                return Placed::exactly(Stored::Integer(i64::MIN));
            }
            Cell::Timestamp(micros) | Cell::TimestampTz(micros) => i128::from(*micros),
            Cell::Date(days) => i128::from(*days) * i128::from(MICROS_PER_DAY),
            _ => return self.as_text(cell).into_owned(),
        };
        let micros = since_2000 + i128::from(MICROS_1970_TO_2000);
        let (count, rest) = (micros.div_euclid(i128::from(unit)), micros.rem_euclid(i128::from(unit)));
        match i64::try_from(count) {
            Ok(count) if count != i64::MAX && count != i64::MIN => {
                Placed { stored: Stored::Integer(count), exact: rest == 0 }
            }
            // The one count next to infinity stands for every time beyond the integers; the ledger has which.
            _ => Placed::nearly(Stored::Integer(if count > 0 { i64::MAX - 1 } else { i64::MIN + 1 })),
        }
    }

    /// The cell that a stored value stands for. Never fails: a value that the rule cannot have written becomes
    /// [`Cell::Foreign`], which equals no cell of a source.
    pub fn load<'v>(&self, stored: Stored<'v>) -> Cell<'v> {
        let stored = match (self.rule, stored) {
            (Rule::Real | Rule::DecimalReal, Stored::Integer(whole))
                if self.whole_as_integer && whole as f64 as i64 == whole =>
            {
                Stored::Real(whole as f64)
            }
            (_, stored) => stored,
        };
        let loaded = match (self.rule, &stored) {
            (_, Stored::Null) => Some(Cell::Null),
            (Rule::Integer, Stored::Integer(value)) => Some(Cell::Int(*value)),
            (Rule::Boolean, Stored::Integer(value @ (0 | 1))) => Some(Cell::Bool(*value == 1)),
            (Rule::Real, Stored::Real(value)) => Some(Cell::Float(*value)),
            (Rule::DecimalInteger, Stored::Integer(value)) => {
                Some(Cell::Decimal(Decimal::small(*value < 0, value.unsigned_abs(), 0)))
            }
            (Rule::DecimalReal, Stored::Real(value)) => decimal_of(*value, self.scale.unwrap_or(0)).map(Cell::Decimal),
            (Rule::Blob, Stored::Blob(_)) => {
                let Stored::Blob(value) = stored else { unreachable!("matched as a blob") };
                return Cell::Bytes(value);
            }
            (Rule::UuidBlob, Stored::Blob(value)) => <[u8; 16]>::try_from(value.as_ref()).ok().map(Cell::Uuid),
            (Rule::EpochSeconds | Rule::EpochMillis | Rule::EpochMicros, Stored::Integer(value)) => {
                self.load_epoch(*value)
            }
            (_, Stored::Text(_)) => {
                let Stored::Text(bytes) = stored else { unreachable!("matched as a text") };
                return self.load_text(bytes);
            }
            _ => None,
        };
        loaded.unwrap_or(Cell::Foreign(stored))
    }

    fn load_text<'v>(&self, bytes: Cow<'v, [u8]>) -> Cell<'v> {
        let owned;
        let value: &str = match &bytes {
            Cow::Borrowed(bytes) => match std::str::from_utf8(bytes) {
                Ok(value) => {
                    // The common types borrow straight from the record.
                    match (self.rule, &self.shape) {
                        (Rule::Text | Rule::NocaseText, _) => return Cell::Text(Cow::Borrowed(value)),
                        (Rule::Json, _) => return Cell::Json(Cow::Borrowed(value)),
                        _ => value,
                    }
                }
                Err(_) => return Cell::Foreign(Stored::Text(Cow::Borrowed(bytes))),
            },
            Cow::Owned(bytes) => match std::str::from_utf8(bytes) {
                Ok(value) => {
                    owned = value.to_owned();
                    &owned
                }
                Err(_) => return Cell::Foreign(Stored::Text(Cow::Owned(bytes.clone()))),
            },
        };
        let loaded = match (self.rule, &self.shape) {
            (Rule::Text | Rule::NocaseText, _) => Some(Cell::Text(Cow::Owned(value.to_owned()))),
            (Rule::Json, _) => Some(Cell::Json(Cow::Owned(value.to_owned()))),
            (Rule::UuidText, _) => text::parse_uuid(value).map(Cell::Uuid),
            // JSON that means the same and is not what the rule writes was not written by it, either.
            (Rule::JsonArray | Rule::JsonObject, _) => structured::from_json(&self.shape, value)
                .filter(|text| structured::to_json(&self.shape, text).is_some_and(|made| made.json == value))
                .map(|text| Cell::Native(Cow::Owned(text))),
            (Rule::Iso8601T, Shape::Timestamp { .. }) => calendar::parse_timestamp(value, 'T', "").map(Cell::Timestamp),
            (Rule::Iso8601T, Shape::TimestampTz { .. }) => {
                calendar::parse_timestamp(value, 'T', "Z").map(Cell::TimestampTz)
            }
            // Text that means the same but is not what the rule writes was not written by it.
            (Rule::DecimalText | Rule::Iso8601 | Rule::ServerText, _) => text::read(&self.shape, value)
                .filter(|cell| matches!(cell, Cell::Native(_)) || self.text(cell).as_deref() == Some(value))
                .map(Cell::into_owned),
            _ => None,
        };
        loaded.unwrap_or(Cell::Foreign(Stored::Text(bytes)))
    }

    fn load_epoch(&self, count: i64) -> Option<Cell<'static>> {
        let unit = self.rule.time_unit().unwrap_or(TimeUnit::Micros).micros();
        let micros = match count {
            i64::MAX | i64::MIN => i128::from(count),
            _ => i128::from(count) * i128::from(unit) - i128::from(MICROS_1970_TO_2000),
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

    /// The cell that a stored value stands for together with what the ledger keeps for it. A ledger entry counts
    /// only while the record still holds what the rule stores for that text: a value that was changed since is
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

impl<'a> Placed<'a> {
    fn into_owned<'b>(self) -> Placed<'b> {
        Placed { stored: self.stored.into_owned(), exact: self.exact }
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
        // A double between two decimals of that scale was not written by the rule.
        Stored::Real(back) => back == real,
        _ => false,
    })
}
