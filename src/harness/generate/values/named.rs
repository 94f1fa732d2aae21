//! Types that the catalog knows by name only: the server's own and those of its usual extensions.

use super::Limits;
use super::form::Form;
use super::kind::{self, Limit, Values};
use super::ordinal::{self, Ordinal, Row};
use super::phrases::{self, Phrases};
use super::{moments, network, ranges};
use crate::catalog::DataType;
use crate::error::{Error, Result};
use std::sync::Arc;

/// A type's spelling taken apart: `pg_catalog.timestamp(3) without time zone` is `timestamp without time zone`, 3.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Spelling {
    pub(super) name: String,
    pub(super) modifier: Option<u32>,
}

impl Spelling {
    pub(super) fn of(data_type: &DataType) -> Self {
        let text = data_type.name.trim();
        let (text, modifier) = match (text.find('('), text.find(')')) {
            (Some(open), Some(close)) if open < close => (
                format!("{}{}", &text[..open], &text[close + 1..]),
                text[open + 1..close].split(',').next().and_then(|number| number.trim().parse().ok()),
            ),
            _ => (text.to_owned(), None),
        };
        let last = text.rsplit('.').next().unwrap_or_default();
        // `"char"` keeps its quotes: without them it is another type.
        let name = if last == "\"char\"" { last.to_owned() } else { last.trim_matches('"').to_lowercase() };
        Spelling { name: name.trim().to_owned(), modifier }
    }
}

/// `hstore`.
pub(super) fn hstore(data_type: &DataType, limits: &Limits) -> Result<Arc<dyn Values>> {
    kind::only(data_type, limits, &[])?;
    match phrases::find("hstore") {
        Some(table) => Ok(Arc::new(Phrases::new(table))),
        None => Err(unknown(data_type)),
    }
}

/// A type by its name.
///
/// # Errors
///
/// When nothing is known about a type of that name, or a limit cannot be solved for it.
pub(super) fn build(data_type: &DataType, limits: &Limits) -> Result<Arc<dyn Values>> {
    let Spelling { name, modifier } = Spelling::of(data_type);
    let precision = modifier.unwrap_or(6).min(6) as u8;
    let range = [Limit::Range];
    match name.as_str() {
        "time" | "time without time zone" => return moments::times(data_type, precision, limits),
        "timetz" | "time with time zone" => {
            kind::only(data_type, limits, &[])?;
            return Ok(Arc::new(moments::ZonedTimes::new(data_type, precision)?));
        }
        "money" => return ordinal::money(data_type, limits),
        "xid" | "cid" => {
            kind::only(data_type, limits, &range)?;
            return Ok(Arc::new(ordinal::whole_numbers(data_type, 0, u32::MAX.into(), false, limits)?));
        }
        "xid8" => {
            kind::only(data_type, limits, &range)?;
            return Ok(Arc::new(ordinal::whole_numbers(data_type, 0, u64::MAX.into(), true, limits)?));
        }
        "pg_lsn" => return row(data_type, Form::LogPosition, u64::MAX.into(), limits),
        "macaddr" => return row(data_type, Form::Hardware { octets: 6 }, (1 << 48) - 1, limits),
        "macaddr8" => return row(data_type, Form::Hardware { octets: 8 }, u64::MAX.into(), limits),
        _ => {}
    }
    kind::only(data_type, limits, &[])?;
    if let Some(values) = ranges::build(data_type, &name)? {
        return Ok(values);
    }
    if let Some(values) = network::build(data_type, &name, modifier)? {
        return Ok(values);
    }
    match phrases::find(&name) {
        Some(table) => Ok(Arc::new(Phrases::new(table))),
        None => Err(unknown(data_type)),
    }
}

fn row(data_type: &DataType, form: Form, high: i128, limits: &Limits) -> Result<Arc<dyn Values>> {
    kind::only(data_type, limits, &[Limit::Range])?;
    let edges = [0xff, 0xffff, 1 << 32, (1 << 32) - 1];
    let row = Row {
        form,
        low: 0,
        high,
        window: (0, high.min(1 << 46)),
        first: 1,
        edges: &edges,
        specials: &[],
        unique: true,
    };
    Ok(Arc::new(Ordinal::new(data_type, row, limits)?))
}

fn unknown(data_type: &DataType) -> Error {
    Error::could_not("generate values of", format!("`{data_type}`"), "nothing is known about this type's values")
        .hint("give the column's values by hints: `values = [\"…\"]`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Shape;

    #[test]
    fn a_spelling_is_its_name_and_its_first_modifier() {
        let of = |name: &str| {
            let spelling = Spelling::of(&DataType::new(name, Shape::Other));
            (spelling.name, spelling.modifier)
        };
        assert_eq!(of("time(3) without time zone"), ("time without time zone".into(), Some(3)));
        assert_eq!(of("interval day to second(2)"), ("interval day to second".into(), Some(2)));
        assert_eq!(of("public.ltree"), ("ltree".into(), None));
        assert_eq!(of("\"char\""), ("\"char\"".into(), None));
        assert_eq!(of("bit varying(7)"), ("bit varying".into(), Some(7)));
    }

    #[test]
    fn an_unknown_type_is_named_with_the_way_out() {
        let error = build(&DataType::new("geo.footprint", Shape::Other), &Limits::default()).unwrap_err();
        assert!(error.to_string().contains("`geo.footprint`"), "{error}");
        assert!(error.way_out().is_some_and(|hint| hint.contains("values = ")));
    }
}
