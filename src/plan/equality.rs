//! Where values that are equal in the source are kept as different texts, which SQLite does not take for equal.

use super::ColumnPlan;
use super::forms::collation_of;
use crate::catalog::{Collations, Column, DataType, Shape, TextOrder};
use crate::types::{Representation, TextForm};

/// Why equal values of a column can differ in the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unlike {
    /// The type writes equal values in different texts: `24:00:00` and `1 day`.
    Texts,
    /// The column's collation takes different texts for equal.
    Collation,
    /// `citext`, for letters whose case SQLite does not know.
    Case,
}

impl Unlike {
    /// What that means for values of a column of that type and collation, as a clause.
    pub(super) fn words(self, type_name: &str, collation: Option<&str>) -> String {
        match self {
            Unlike::Texts => format!("equal values of `{type_name}` can have different texts"),
            Unlike::Collation => {
                let collation = collation.unwrap_or_default();
                format!("the collation `{collation}` takes different texts for equal")
            }
            Unlike::Case => {
                "`citext` ignores the case of all letters, and SQLite that of ASCII letters at most".to_owned()
            }
        }
    }
}

/// Why values of a planned column that are equal in the source may differ in the target; `None` where they do not.
pub(super) fn unlike(column: &Column, plan: &ColumnPlan, collations: &Collations) -> Option<Unlike> {
    let own = collation_of(column, collations).unwrap_or(collations.default);
    let is_text = holds_text(&column.data_type);
    if is_text && own == TextOrder::Nondeterministic {
        return Some(Unlike::Collation);
    }
    if matches!(column.data_type.base().shape, Shape::Citext) {
        // In `C`, the source knows no other letters that have a case either.
        let same = plan.representation == Representation::Text(TextForm::Nocase) && collations.default == TextOrder::C;
        return (!same).then_some(Unlike::Case);
    }
    may_differ_when_equal(&column.data_type, plan.representation).then_some(Unlike::Texts)
}

/// Whether texts are in its values, which the column's collation compares. The fields of a composite have their own.
fn holds_text(data_type: &DataType) -> bool {
    match &data_type.base().shape {
        Shape::Text | Shape::VarChar { .. } | Shape::Char { .. } => true,
        Shape::Array { element, .. } => holds_text(element),
        _ => false,
    }
}

/// Whether a rule keeps a text for which two values that are equal in the source may differ: `24:00:00` and `1 day`,
/// 1.0 and 1.00 in JSON, -0 and 0 in an array.
fn may_differ_when_equal(data_type: &DataType, representation: Representation) -> bool {
    let base = data_type.base();
    match representation {
        Representation::Text(form) => match form {
            TextForm::Json | TextForm::JsonArray | TextForm::JsonObject | TextForm::Server => !has_one_text(base),
            // Blanks at its end say nothing there, and are kept.
            TextForm::Plain => matches!(base.shape, Shape::Char { length: None }),
            TextForm::Decimal => !matches!(base.shape, Shape::Numeric { precision_and_scale: Some(_) }),
            TextForm::Nocase | TextForm::Uuid | TextForm::Iso8601 | TextForm::Iso8601T => false,
        },
        Representation::Integer
        | Representation::Boolean
        | Representation::Real
        | Representation::DecimalInteger
        | Representation::DecimalReal
        | Representation::Epoch(_)
        | Representation::Blob
        | Representation::UuidBlob => false,
    }
}

/// Whether PostgreSQL writes equal values of the type alike.
fn has_one_text(data_type: &DataType) -> bool {
    let base = data_type.base();
    match &base.shape {
        Shape::Jsonb | Shape::Real | Shape::Double | Shape::Citext | Shape::Char { length: None } => false,
        Shape::Numeric { precision_and_scale } => precision_and_scale.is_some(),
        Shape::Array { element, .. } => has_one_text(element),
        Shape::Composite(composite) => composite.fields.iter().all(|field| has_one_text(&field.data_type)),
        // Of the types of users and extensions, which have a schema before their name, nobody knows; but one of them.
        Shape::Other if base.name.contains('.') => base.name.ends_with(".ltree"),
        Shape::Xml | Shape::Other => {
            !["interval", "numrange", "nummultirange"].iter().any(|name| base.name.starts_with(name))
        }
        Shape::Domain(domain) => has_one_text(&domain.base),
        Shape::Boolean
        | Shape::SmallInt
        | Shape::Integer
        | Shape::BigInt
        | Shape::Oid
        | Shape::Text
        | Shape::VarChar { .. }
        | Shape::Char { length: Some(_) }
        | Shape::Name
        | Shape::Bytea
        | Shape::Uuid
        | Shape::Timestamp { .. }
        | Shape::TimestampTz { .. }
        | Shape::Date
        | Shape::Json
        | Shape::Enum(_)
        | Shape::Hstore => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_several_texts_for_one_value() {
        let other = |name: &str| DataType::new(name, Shape::Other);
        let array = |element: DataType| {
            DataType::new(format!("{}[]", element.name), Shape::Array { element: Box::new(element), delimiter: ',' })
        };
        let numeric = |precision_and_scale| DataType::new("numeric", Shape::Numeric { precision_and_scale });
        assert!(may_differ_when_equal(&other("interval"), Representation::Text(TextForm::Server)));
        assert!(may_differ_when_equal(&other("interval(3)"), Representation::Text(TextForm::Server)));
        assert!(may_differ_when_equal(&array(other("interval")), Representation::Text(TextForm::JsonArray)));
        assert!(may_differ_when_equal(&DataType::new("jsonb", Shape::Jsonb), Representation::Text(TextForm::Json)));
        assert!(may_differ_when_equal(&numeric(None), Representation::Text(TextForm::Decimal)));
        assert!(may_differ_when_equal(&array(numeric(None)), Representation::Text(TextForm::JsonArray)));
        assert!(!may_differ_when_equal(&array(numeric(Some((5, 2)))), Representation::Text(TextForm::JsonArray)));
        assert!(!may_differ_when_equal(&DataType::new("double precision", Shape::Double), Representation::Real));
        assert!(!may_differ_when_equal(&other("inet"), Representation::Text(TextForm::Server)));
        assert!(!may_differ_when_equal(&other("public.ltree"), Representation::Text(TextForm::Server)));
        assert!(may_differ_when_equal(&other("public.floatrange"), Representation::Text(TextForm::Server)));
        assert!(!may_differ_when_equal(&DataType::new("text", Shape::Text), Representation::Text(TextForm::Plain)));
    }
}
