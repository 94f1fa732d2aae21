//! Which family makes a type's values.

use super::kind::Values;
use super::{Limits, bytes, compound, floats, json, list, moments, named, numeric, ordinal, scalars, text};
use crate::catalog::{DataType, Shape};
use crate::error::Result;
use std::sync::Arc;

/// The family of a type, held to the limits.
///
/// # Errors
///
/// When no value satisfies the limits, or a limit cannot be solved for the type, or nothing is known about the type.
pub(super) fn build(data_type: &DataType, limits: &Limits) -> Result<Arc<dyn Values>> {
    match &data_type.shape {
        Shape::Domain(domain) => {
            // An array's elements, for example: of them nobody but their type says anything.
            let own = crate::harness::generate::checks::domain_limits(data_type, limits);
            build(&domain.base, &own).or_else(|_| build(&domain.base, limits))
        }
        Shape::Enum(enumeration) => list::labels(data_type, &enumeration.labels, limits),
        Shape::Boolean => list::booleans(data_type, limits),
        Shape::SmallInt | Shape::Integer | Shape::BigInt | Shape::Oid => ordinal::integers(data_type, limits),
        Shape::Numeric { precision_and_scale } => numeric::build(data_type, *precision_and_scale, limits),
        Shape::Real | Shape::Double => floats::build(data_type, limits),
        Shape::Date | Shape::Timestamp { .. } | Shape::TimestampTz { .. } => moments::build(data_type, limits),
        Shape::Text | Shape::VarChar { .. } | Shape::Char { .. } | Shape::Citext | Shape::Name => {
            text::build(data_type, limits)
        }
        Shape::Bytea => bytes::build(data_type, limits),
        Shape::Uuid => scalars::uuid(data_type, limits),
        Shape::Json => json::build(data_type, false, limits),
        Shape::Jsonb => json::build(data_type, true, limits),
        Shape::Hstore => named::hstore(data_type, limits),
        Shape::Array { element, delimiter } => compound::array(data_type, element, *delimiter, limits, build),
        Shape::Composite(composite) => compound::composite(data_type, composite, limits, build),
        Shape::Xml | Shape::Other => named::build(data_type, limits),
    }
}
