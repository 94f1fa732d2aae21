//! Times with a zone in a dump's definitions, as a server tells them whose zone is UTC.
//!
//! A server writes such a constant in the zone of the session that asks, and pg_dump pins none. A live source is asked in UTC.

use super::name::{rewritten, token_length};
use crate::catalog::{DataType, Known, Shape};
use crate::types::input::Input;
use crate::types::text;

/// A statement or an expression whose constants of such a type are in UTC: `'2020-01-01 05:30:00+05:30'::timestamp with time zone`, arrays
/// and ranges of them. `None` where a constant has no end.
pub(super) fn in_utc(sql: &str) -> Option<String> {
    rewritten(sql, &|rest, before| {
        let length = token_length(rest, before)?;
        let is_constant = rest.starts_with('\'') && !matches!(before, Some('E' | 'e' | 'B' | 'b' | 'X' | 'x'));
        let cast = rest[length..].strip_prefix("::").filter(|_| is_constant);
        let other = cast.and_then(|cast| constant(&rest[1..length - 1], cast));
        Some((length, other.map(|constant| format!("'{constant}'"))))
    })
}

/// Whether there may be something to do.
pub(super) fn may_be_in(sql: &str) -> bool {
    sql.contains("'::timestamp") || sql.contains("'::tstz")
}

/// A constant of the type that a text begins with; `None` where it stays as it is.
fn constant(inside: &str, cast: &str) -> Option<String> {
    let moment = || Shape::TimestampTz { precision: 6 };
    let behind = |rest: &str| rest.trim_start().starts_with("[]");
    let (shape, name) = if let Some(rest) = cast.strip_prefix("timestamp") {
        let rest = match rest.strip_prefix('(') {
            Some(rest) => rest.split_once(')')?.1,
            None => rest,
        };
        let rest = rest.strip_prefix(" with time zone")?;
        match behind(rest) {
            false => (moment(), "timestamp with time zone"),
            true => (array_of(moment(), "timestamp with time zone"), ""),
        }
    } else {
        let name = ["tstzrange", "tstzmultirange"].into_iter().find(|name| cast.starts_with(name))?;
        match behind(&cast[name.len()..]) {
            false => (Shape::Other, name),
            true => (array_of(Shape::Other, name), ""),
        }
    };
    let cell = Input::of(&shape, name).read(inside)?;
    text::write(&shape, &cell).map(|text| text.into_owned())
}

fn array_of(shape: Shape, name: &str) -> Shape {
    let element = DataType { name: name.to_owned(), known: Known::default(), shape };
    Shape::Array { element: Box::new(element), delimiter: ',' }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_utc_wherever_it_stands() {
        for (dumped, told) in [
            (
                "'1970-01-01 05:30:00+05:30'::timestamp with time zone",
                "'1970-01-01 00:00:00+00'::timestamp with time zone",
            ),
            (
                "(at > '2020-06-01 02:00:00.5+02'::timestamp(3) with time zone)",
                "(at > '2020-06-01 00:00:00.5+00'::timestamp(3) with time zone)",
            ),
            ("'infinity'::timestamp with time zone", "'infinity'::timestamp with time zone"),
            (
                "'2020-06-01 02:00:00'::timestamp without time zone",
                "'2020-06-01 02:00:00'::timestamp without time zone",
            ),
            (
                "'{\"2020-06-01 02:00:00+02\",NULL}'::timestamp with time zone[]",
                "'{\"2020-06-01 00:00:00+00\",NULL}'::timestamp with time zone[]",
            ),
            ("'[\"2020-06-01 02:00:00+02\",)'::tstzrange", "'[\"2020-06-01 00:00:00+00\",)'::tstzrange"),
            ("'02:00:00+02'::time with time zone", "'02:00:00+02'::time with time zone"),
            (
                "COMMENT ON TABLE t IS 'a ''2020-06-01 02:00:00+02''::timestamp with time zone'",
                "COMMENT ON TABLE t IS 'a ''2020-06-01 02:00:00+02''::timestamp with time zone'",
            ),
            ("'tomorrow'::timestamp with time zone", "'tomorrow'::timestamp with time zone"),
        ] {
            assert_eq!(in_utc(dumped).as_deref(), Some(told));
        }
    }
}
