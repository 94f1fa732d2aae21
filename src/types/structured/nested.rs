//! What arrays and composite values share: the reading of their parts, which is handed to them, and what is quoted.

use super::json::Cursor;
use crate::catalog::{DataType, Shape};

/// Appends the JSON form of a part.
pub(super) type AppendJson = fn(&Shape, &str, &mut String) -> Option<()>;
/// Appends the server's text of a part.
pub(super) type AppendText = fn(&Shape, &mut Cursor<'_>, &mut String) -> Option<()>;

/// Whether a value of that type inside an array stands as a JSON string, so that `[` always opens a dimension.
pub(super) fn is_plain_text(data_type: &DataType) -> bool {
    matches!(data_type.base().shape, Shape::Array { .. })
}

/// The characters that make PostgreSQL quote an element or a field.
pub(super) fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
}
