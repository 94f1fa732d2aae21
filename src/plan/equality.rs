//! Whether equal values have equal texts: what is kept as text is compared as text.

use crate::catalog::{DataType, Shape};
use crate::types::Rule;

/// Whether a rule keeps a text for which two values that are equal in the source may differ: `24:00:00` and `1 day`,
/// 1.0 and 1.00 in JSON, -0 and 0 in an array.
pub(super) fn may_differ_when_equal(data_type: &DataType, rule: Rule) -> bool {
    let base = data_type.base();
    match rule {
        Rule::Json | Rule::JsonArray | Rule::JsonObject | Rule::ServerText => !has_one_text(base),
        // Blanks at its end say nothing there, and are kept.
        Rule::Text => matches!(base.shape, Shape::Char { length: None }),
        Rule::DecimalText => !matches!(base.shape, Shape::Numeric { precision_and_scale: Some(_) }),
        _ => false,
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
        Shape::Other => !["interval", "numrange", "nummultirange"].iter().any(|name| base.name.starts_with(name)),
        _ => true,
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
        assert!(may_differ_when_equal(&other("interval"), Rule::ServerText));
        assert!(may_differ_when_equal(&other("interval(3)"), Rule::ServerText));
        assert!(may_differ_when_equal(&array(other("interval")), Rule::JsonArray));
        assert!(may_differ_when_equal(&DataType::new("jsonb", Shape::Jsonb), Rule::Json));
        assert!(may_differ_when_equal(&numeric(None), Rule::DecimalText));
        assert!(may_differ_when_equal(&array(numeric(None)), Rule::JsonArray));
        assert!(!may_differ_when_equal(&array(numeric(Some((5, 2)))), Rule::JsonArray));
        assert!(!may_differ_when_equal(&DataType::new("double precision", Shape::Double), Rule::Real));
        assert!(!may_differ_when_equal(&other("inet"), Rule::ServerText));
        assert!(!may_differ_when_equal(&DataType::new("text", Shape::Text), Rule::Text));
    }
}
