//! The fields of one column, decoded: what of a type the wire says is this room's own matter.

use super::wire::{Wire, WireError};
use crate::catalog::Shape;
use crate::endpoint::ReadColumn;
use crate::fault::{self, Fault};
use crate::types::text;
use crate::value::Cell;
use std::borrow::Cow;

/// Decodes the fields of a column.
#[derive(Debug, Clone, Copy)]
pub struct FieldDecoder<'p> {
    wire: Wire,
    /// The type below all domains.
    shape: &'p Shape,
}

impl<'p> FieldDecoder<'p> {
    /// The decoder of a column of that type.
    pub fn of(shape: &'p Shape) -> Self {
        let shape = shape.base();
        FieldDecoder { wire: Wire::of(shape), shape }
    }

    /// Those of the columns of a request.
    pub(super) fn of_columns(columns: &[ReadColumn<'p>]) -> Vec<Self> {
        columns.iter().map(|column| FieldDecoder::of(column.shape)).collect()
    }

    /// Decodes a field in its type's binary form; `None` is NULL.
    ///
    /// # Errors
    /// When the bytes do not have the form of the type.
    #[inline]
    pub fn decode<'a>(&self, field: Option<&'a [u8]>) -> Result<Cell<'a>, WireError> {
        if fault::active(Fault::NullAsEmpty) && field.is_none() && matches!(self.wire, Wire::Text | Wire::PaddedText) {
            return Ok(Cell::Text(Cow::Borrowed("")));
        }
        field.map_or(Ok(Cell::Null), |field| self.wire.decode(field))
    }

    /// Decodes a field that is its type's output function's text; `None` is NULL.
    ///
    /// # Errors
    /// When the text is not one that the type has.
    pub fn decode_text<'a>(&self, field: Option<&'a [u8]>) -> Result<Cell<'a>, WireError> {
        let Some(field) = field else { return Ok(Cell::Null) };
        let text = std::str::from_utf8(field).map_err(|_| WireError::NotUtf8)?;
        text::read(self.shape, text).ok_or(WireError::Malformed)
    }
}
