//! Cells as COPY takes them, and which of them their column's type does not take.
//!
//! A cell that was read of a file is what the source had, or what somebody has written there since. The latter need not be a
//! value of its type: it is refused here, by table, key, column and value, before the server would round it, cut it or refuse
//! a row by its number. What a type writes in one way only is written so (a scale, the spelling of `jsonb`), and counts as that.

use super::rows::Rows;
use crate::catalog::Shape;
use crate::endpoint::inexact::{key_of, shortened};
use crate::endpoint::postgres::wire::{self, Wire};
use crate::endpoint::postgres::writer::copy_text;
use crate::endpoint::{Encode, Held, Inexact};
use crate::error::{Error, Result};
use crate::plan::{ColumnPlan, Plan};
use crate::types::{Codec, jsonb, text};
use crate::value::calendar::{DATES, MOMENTS};
use crate::value::{Cell, Decimal};
use std::borrow::Cow;
use std::sync::Arc;

/// The digits of a second's fraction that PostgreSQL keeps at most.
const FRACTION_DIGITS: u32 = 6;
/// `name` has so many bytes at most.
const NAME_BYTES_MAX: usize = 63;

/// Whether the columns of a table travel in COPY's text format: those of some types have no binary form here.
pub(super) fn in_text(columns: &[ColumnPlan]) -> bool {
    columns.is_empty() || columns.iter().any(|column| Wire::of(&column.shape) == Wire::ServerText)
}

/// Encodes the rows of one table.
pub struct Encoder {
    plan: Arc<Plan>,
    table: usize,
    shapes: Vec<Shape>,
    wires: Vec<Wire>,
    codecs: Vec<Codec>,
    in_text: bool,
    rows: u64,
}

impl Encoder {
    pub(super) fn new(plan: &Arc<Plan>, table: usize) -> Self {
        let columns = &plan.tables[table].columns;
        Encoder {
            shapes: columns.iter().map(|column| column.shape.base().clone()).collect(),
            wires: columns.iter().map(|column| Wire::of(&column.shape)).collect(),
            codecs: columns.iter().map(ColumnPlan::codec).collect(),
            in_text: in_text(columns),
            plan: Arc::clone(plan),
            table,
            rows: 0,
        }
    }

    /// Why a row is not taken.
    #[cold]
    fn refused(&self, cells: &[Cell<'_>], place: usize, why: &Unfit) -> Error {
        let table = &self.plan.tables[self.table];
        let column = &table.columns[place];
        let key = key_of(table, &self.codecs, cells, self.rows);
        let object = format!("table `{}`, row {key}, column `{}`", table.source, column.source);
        let value = text::write(&self.shapes[place], &cells[place]).unwrap_or(Cow::Borrowed("NULL"));
        let value = shortened(value);
        let cause = match why {
            Unfit::OfNoType => format!("`{value}` is no value of the type `{}`", column.type_name),
            Unfit::Null => "NULL is not allowed there (NOT NULL)".to_owned(),
            Unfit::NulCharacter => format!("`{value}` has a character U+0000, which no text of PostgreSQL has"),
            Unfit::TooPrecise => {
                format!("`{value}` has more digits than the type `{}` keeps, and is not rounded", column.type_name)
            }
            Unfit::TooLong => format!("`{value}` is longer than the type `{}` takes", column.type_name),
        };
        Error::could_not("copy", object, cause)
            .hint("correct the value in the file, or leave the table out with `--exclude-table`")
    }
}

/// Why a cell is no value of its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unfit {
    OfNoType,
    Null,
    NulCharacter,
    TooPrecise,
    TooLong,
}

impl Encode<Rows> for Encoder {
    #[inline]
    fn row(&mut self, cells: &[Cell<'_>], batch: &mut Rows) -> Result<Held> {
        let start = batch.bytes.len();
        let mut held = Held::Whole;
        let mut texts: Vec<Option<String>> = Vec::new();
        if !self.in_text {
            batch.bytes.extend_from_slice(&(cells.len() as i16).to_be_bytes());
        }
        for (place, cell) in cells.iter().enumerate() {
            let (shape, not_null) = (&self.shapes[place], self.plan.tables[self.table].columns[place].not_null);
            let fitting = match fitting(shape, cell, not_null) {
                Ok(fitting) => fitting,
                Err(why) => {
                    batch.bytes.truncate(start);
                    return Err(self.refused(cells, place, &why));
                }
            };
            if matches!(fitting, Cow::Owned(_)) {
                held = Held::Partly;
            }
            if self.in_text {
                texts.push(text::write(shape, &fitting).map(Cow::into_owned));
            } else if !put(self.wires[place], &fitting, &mut batch.bytes) {
                batch.bytes.truncate(start);
                return Err(self.refused(cells, place, &Unfit::OfNoType));
            }
        }
        if self.in_text {
            copy_text(texts.iter().map(Option::as_deref), &mut batch.bytes);
        }
        batch.rows += 1;
        self.rows += 1;
        Ok(held)
    }

    fn held<'c>(&self, column: usize, cell: &'c Cell<'c>) -> Cow<'c, Cell<'c>> {
        fitting(&self.shapes[column], cell, false).unwrap_or(Cow::Borrowed(cell))
    }

    fn inexact(self) -> Inexact {
        Inexact::default()
    }
}

/// The cell as a column of that type has it: the same value, in the only way in which the type writes it.
fn fitting<'c>(shape: &Shape, cell: &'c Cell<'_>, not_null: bool) -> Result<Cow<'c, Cell<'c>>, Unfit> {
    let as_it_is = |fits: bool, why: Unfit| if fits { Ok(Cow::Borrowed(cell)) } else { Err(why) };
    let as_text = |text: &str, length: Option<i32>| {
        let is_long = length.is_some_and(|max| text.chars().nth(usize::try_from(max).unwrap_or(0)).is_some());
        match (text.contains('\0'), is_long) {
            (true, _) => Err(Unfit::NulCharacter),
            (false, true) => Err(Unfit::TooLong),
            (false, false) => Ok(Cow::Borrowed(cell)),
        }
    };
    match (shape, cell) {
        (_, Cell::Null) => as_it_is(!not_null, Unfit::Null),
        (Shape::Boolean, Cell::Bool(_)) | (Shape::BigInt, Cell::Int(_)) | (Shape::Double, Cell::Float(_)) => {
            as_it_is(true, Unfit::OfNoType)
        }
        (Shape::Bytea, Cell::Bytes(_)) | (Shape::Uuid, Cell::Uuid(_)) => as_it_is(true, Unfit::OfNoType),
        (Shape::SmallInt, Cell::Int(value)) => as_it_is(i16::try_from(*value).is_ok(), Unfit::OfNoType),
        (Shape::Integer, Cell::Int(value)) => as_it_is(i32::try_from(*value).is_ok(), Unfit::OfNoType),
        (Shape::Oid, Cell::Int(value)) => as_it_is(u32::try_from(*value).is_ok(), Unfit::OfNoType),
        (Shape::Real, Cell::Float(value)) => {
            as_it_is(value.is_nan() || f64::from(*value as f32) == *value, Unfit::TooPrecise)
        }
        (Shape::Numeric { precision_and_scale }, Cell::Decimal(value)) => decimal(*precision_and_scale, value, cell),
        (Shape::Text | Shape::Citext, Cell::Text(value)) => as_text(value, None),
        (Shape::VarChar { length } | Shape::Char { length }, Cell::Text(value)) => as_text(value, *length),
        (Shape::Name, Cell::Text(value)) if value.len() > NAME_BYTES_MAX => Err(Unfit::TooLong),
        (Shape::Name, Cell::Text(value)) => as_text(value, None),
        (Shape::Enum(one), Cell::Text(value)) => {
            as_it_is(one.labels.iter().any(|label| *label == **value), Unfit::OfNoType)
        }
        (Shape::Date, Cell::Date(days)) => {
            as_it_is(DATES.contains(days) || matches!(*days, i32::MIN | i32::MAX), Unfit::OfNoType)
        }
        (Shape::Timestamp { precision }, Cell::Timestamp(micros))
        | (Shape::TimestampTz { precision }, Cell::TimestampTz(micros)) => match *micros {
            i64::MIN | i64::MAX => Ok(Cow::Borrowed(cell)),
            micros if !MOMENTS.contains(&micros) => Err(Unfit::OfNoType),
            micros => {
                let step = 10_i64.pow(FRACTION_DIGITS.saturating_sub(u32::from(*precision)));
                as_it_is(micros % step == 0, Unfit::TooPrecise)
            }
        },
        (Shape::Json, Cell::Json(value)) => as_text(value, None),
        (Shape::Jsonb, Cell::Json(value)) => match jsonb::normal(value) {
            Some(Cow::Borrowed(_)) => Ok(Cow::Borrowed(cell)),
            Some(Cow::Owned(normal)) => Ok(Cow::Owned(Cell::Json(Cow::Owned(normal)))),
            None => Err(Unfit::OfNoType),
        },
        (
            Shape::Array { .. } | Shape::Composite(_) | Shape::Hstore | Shape::Xml | Shape::Other,
            Cell::Native(value),
        ) => as_text(value, None),
        (Shape::Domain(domain), cell) => fitting(domain.base.shape.base(), cell, not_null),
        (
            Shape::Boolean
            | Shape::SmallInt
            | Shape::Integer
            | Shape::BigInt
            | Shape::Oid
            | Shape::Real
            | Shape::Double
            | Shape::Numeric { .. }
            | Shape::Text
            | Shape::VarChar { .. }
            | Shape::Char { .. }
            | Shape::Citext
            | Shape::Name
            | Shape::Bytea
            | Shape::Uuid
            | Shape::Timestamp { .. }
            | Shape::TimestampTz { .. }
            | Shape::Date
            | Shape::Json
            | Shape::Jsonb
            | Shape::Enum(_)
            | Shape::Composite(_)
            | Shape::Array { .. }
            | Shape::Hstore
            | Shape::Xml
            | Shape::Other,
            _,
        ) => Err(Unfit::OfNoType),
    }
}

/// A number with the digits behind the point that its column has.
fn decimal<'c>(
    precision_and_scale: Option<(i32, i32)>,
    value: &Decimal,
    cell: &'c Cell<'_>,
) -> Result<Cow<'c, Cell<'c>>, Unfit> {
    let Some((precision, scale)) = precision_and_scale else { return Ok(Cow::Borrowed(cell)) };
    if !value.is_finite() {
        // A column with a precision takes NaN, and no infinity.
        let is_nan = value.sign() == crate::value::Sign::NaN;
        return if is_nan { Ok(Cow::Borrowed(cell)) } else { Err(Unfit::OfNoType) };
    }
    let shown = u16::try_from(scale.max(0)).unwrap_or(0);
    // Of a negative scale, so many digits before the point are zero.
    let zeros = usize::try_from(-scale.min(0)).unwrap_or(0);
    let fits = |value: &Decimal| match value.digit_count() > usize::try_from(precision).unwrap_or(0) + zeros {
        true => Err(Unfit::TooLong),
        false if zeros > 0 && value.digits().bytes().rev().take(zeros).any(|digit| digit != b'0') => {
            Err(Unfit::TooPrecise)
        }
        false => Ok(()),
    };
    if value.scale() == shown {
        return fits(value).map(|()| Cow::Borrowed(cell));
    }
    let scaled = value.with_scale(shown).ok_or(Unfit::TooPrecise)?;
    fits(&scaled).map(|()| Cow::Owned(Cell::Decimal(scaled)))
}

/// Appends a field with its length; whether the cell has that form.
#[inline]
fn put(wire: Wire, cell: &Cell<'_>, into: &mut Vec<u8>) -> bool {
    let field = |bytes: &[u8], into: &mut Vec<u8>| {
        into.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
        into.extend_from_slice(bytes);
    };
    match (wire, cell) {
        (_, Cell::Null) => into.extend_from_slice(&(-1_i32).to_be_bytes()),
        (Wire::Boolean, Cell::Bool(value)) => field(&[u8::from(*value)], into),
        (Wire::SmallInt, Cell::Int(value)) => field(&(*value as i16).to_be_bytes(), into),
        (Wire::Integer, Cell::Int(value)) => field(&(*value as i32).to_be_bytes(), into),
        (Wire::BigInt, Cell::Int(value)) => field(&value.to_be_bytes(), into),
        (Wire::Oid, Cell::Int(value)) => field(&(*value as u32).to_be_bytes(), into),
        (Wire::Real, Cell::Float(value)) => field(&(*value as f32).to_be_bytes(), into),
        (Wire::Double, Cell::Float(value)) => field(&value.to_be_bytes(), into),
        (Wire::Numeric, Cell::Decimal(value)) => wire::put_numeric(value, into),
        (Wire::Text | Wire::PaddedText, Cell::Text(value)) | (Wire::Json, Cell::Json(value)) => {
            field(value.as_bytes(), into);
        }
        (Wire::Bytes, Cell::Bytes(value)) => field(value, into),
        (Wire::Uuid, Cell::Uuid(value)) => field(value, into),
        (Wire::Date, Cell::Date(value)) => field(&value.to_be_bytes(), into),
        (Wire::Timestamp, Cell::Timestamp(value)) | (Wire::TimestampTz, Cell::TimestampTz(value)) => {
            field(&value.to_be_bytes(), into);
        }
        (Wire::Jsonb, Cell::Json(value)) => {
            into.extend_from_slice(&(value.len() as i32 + 1).to_be_bytes());
            into.push(1);
            into.extend_from_slice(value.as_bytes());
        }
        (
            Wire::Boolean
            | Wire::SmallInt
            | Wire::Integer
            | Wire::BigInt
            | Wire::Oid
            | Wire::Real
            | Wire::Double
            | Wire::Numeric
            | Wire::Text
            | Wire::PaddedText
            | Wire::Bytes
            | Wire::Uuid
            | Wire::Date
            | Wire::Timestamp
            | Wire::TimestampTz
            | Wire::Json
            | Wire::Jsonb
            | Wire::ServerText,
            _,
        ) => return false,
    }
    true
}
