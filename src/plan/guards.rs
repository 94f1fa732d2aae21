//! What a column's type refuses in the source, for rows that are written later.
//!
//! The values that a migration stores are what their rule writes. A guard is a CHECK that every one of these passes, in every
//! version of SQLite from 3.37 on, and that refuses what the source's type would: so it is only made where that is exact and
//! costs little. What it cannot say is told once for each table. Guards are no part of the definition that rows are loaded
//! under (`TableDdl::loading_sql`): the integrity check asks them of every row, once.

use super::ColumnPlan;
use super::names::quote;
use crate::catalog::{DataType, Shape};
use crate::types::{DATES, MOMENTS, Rule, TimeUnit};
use crate::value::calendar::{MICROS_1970_TO_2000, MICROS_PER_DAY};

/// The CHECK conditions of a column that its rule does not need for itself.
pub(super) fn conditions(plan: &ColumnPlan) -> Vec<String> {
    let column = &quote(&plan.target);
    let data_type = base(plan);
    let mut conditions = Vec::new();
    match (plan.rule, &data_type.shape) {
        (Rule::Integer, Shape::SmallInt) => conditions.push(format!("{column} BETWEEN {} AND {}", i16::MIN, i16::MAX)),
        (Rule::Integer, Shape::Integer) => conditions.push(format!("{column} BETWEEN {} AND {}", i32::MIN, i32::MAX)),
        (Rule::Integer, Shape::Oid) => conditions.push(format!("{column} BETWEEN 0 AND {}", u32::MAX)),
        (Rule::DecimalInteger, Shape::Numeric { precision_and_scale: Some((precision, 0)) }) if *precision <= 18 => {
            let most = "9".repeat(usize::try_from(*precision).unwrap_or(18));
            conditions.push(format!("{column} BETWEEN -{most} AND {most}"));
        }
        // Of 15 digits at most, a double keeps each; a value is below the power by one of them.
        (Rule::DecimalReal, Shape::Numeric { precision_and_scale: Some((precision, scale)) })
            if *scale >= 0 && *precision.max(scale) <= 15 =>
        {
            conditions.push(format!("abs({column}) < 1e{}", precision - scale));
        }
        (Rule::DecimalText, Shape::Numeric { precision_and_scale }) => {
            conditions.push(decimal_text(column, *precision_and_scale));
        }
        // Two texts that differ by blanks at their ends are one value of the source.
        (Rule::Text, Shape::Char { length: Some(_) }) => conditions.push(format!("{column} NOT GLOB '* '")),
        (Rule::NocaseText | Rule::ServerText, Shape::VarChar { length: Some(length) })
        | (Rule::NocaseText, Shape::Char { length: Some(length) }) => {
            conditions.push(format!("length({column}) <= {length}"));
        }
        (Rule::UuidText, _) => {
            let digits = [8, 4, 4, 4, 12].map(|count| "[0-9a-f]".repeat(count)).join("-");
            conditions.push(format!("{column} GLOB '{digits}'"));
        }
        (Rule::UuidBlob, _) => conditions.push(format!("length({column}) = 16")),
        (Rule::EpochSeconds | Rule::EpochMillis | Rule::EpochMicros, shape) => {
            conditions.extend(plan.rule.time_unit().map(|unit| epoch(column, unit, shape)));
        }
        (Rule::Iso8601, Shape::Date) => conditions.push(iso8601(column, "", "")),
        (Rule::Iso8601, Shape::Timestamp { .. }) => conditions.push(iso8601(column, " ", "")),
        (Rule::Iso8601, Shape::TimestampTz { .. }) => conditions.push(iso8601(column, " ", "+00")),
        (Rule::Iso8601T, Shape::Timestamp { .. }) => conditions.push(iso8601(column, "T", "")),
        (Rule::Iso8601T, Shape::TimestampTz { .. }) => conditions.push(iso8601(column, "T", "Z")),
        (Rule::JsonArray, _) => conditions.push(format!("json_type({column}) = 'array'")),
        (Rule::JsonObject, _) => conditions.push(format!("json_type({column}) = 'object'")),
        (Rule::ServerText, _) => conditions.extend(bits(column, &data_type.name)),
        _ => {}
    }
    conditions
}

/// The type below all domains.
fn base(plan: &ColumnPlan) -> DataType {
    DataType::new(plan.type_name.clone(), plan.shape.clone()).base().clone()
}

/// A decimal's text: a sign or none, digits, and as many behind the point as its type has.
fn decimal_text(column: &str, precision_and_scale: Option<(i32, i32)>) -> String {
    let digits = format!(
        "({column} GLOB '[0-9]*' OR {column} GLOB '-[0-9]*') AND substr({column}, 2) NOT GLOB '*[^0-9.]*' \
         AND {column} NOT GLOB '*.*.*'"
    );
    match precision_and_scale {
        None => format!("{digits} AND {column} NOT GLOB '*.' OR {column} IN ('NaN', 'Infinity', '-Infinity')"),
        Some((precision, scale)) => {
            let whole = (precision - scale).max(1);
            let (point, most) = match scale {
                1.. => (format!("length({column}) - {scale}"), whole + 1 + scale),
                _ => ("0".to_owned(), whole),
            };
            format!(
                "{digits} AND instr({column}, '.') = {point} AND length(ltrim({column}, '-')) <= {most} OR {column} = 'NaN'"
            )
        }
    }
}

/// The source's calendar in a unit, and both infinities.
fn epoch(column: &str, unit: TimeUnit, shape: &Shape) -> String {
    let (first, last) = match shape {
        Shape::Date => {
            let micros = |days: i32| i128::from(days) * i128::from(MICROS_PER_DAY);
            (micros(DATES.start), micros(DATES.end - 1))
        }
        _ => (i128::from(MOMENTS.start), i128::from(MOMENTS.end - 1)),
    };
    let count = |micros: i128| (micros + i128::from(MICROS_1970_TO_2000)).div_euclid(i128::from(unit.micros()));
    let (first, last) = (count(first), count(last));
    match i64::try_from(last) {
        Ok(last) => format!("{column} BETWEEN {first} AND {last} OR {column} IN ({}, {})", i64::MIN, i64::MAX),
        Err(_) => format!("{column} >= {first} OR {column} = {}", i64::MIN),
    }
}

/// A date, or a time behind it. In the years 1 to 9999 SQLite knows the days of a month; further ones have only their form.
fn iso8601(column: &str, separator: &str, zone: &str) -> String {
    let (day, clock, rest) = match separator {
        "" => (column.to_owned(), String::new(), String::new()),
        _ => {
            let clock = format!("{separator}[0-2][0-9]:[0-5][0-9]:[0-5][0-9]*{zone}");
            let of_day =
                format!(" AND substr({column}, 11) GLOB '{clock}' AND substr({column}, 20) NOT GLOB '*[^0-9.+Z]*'");
            (format!("substr({column}, 1, 10)"), clock, of_day)
        }
    };
    let year = "[0-9][0-9][0-9][0-9]";
    format!(
        "{day} IS date({day}) AND {column} NOT GLOB '0000*'{rest} OR {column} GLOB '[1-9]{year}*-[01][0-9]-[0-3][0-9]{clock}' \
         OR {column} GLOB '{year}*-[01][0-9]-[0-3][0-9]{clock} BC' OR {column} IN ('infinity', '-infinity')"
    )
}

/// `bit(n)` and `bit varying(n)`, by their spelling; `None` where the type is another.
fn bits(column: &str, name: &str) -> Option<String> {
    let (comparison, rest) = match name.strip_prefix("bit varying") {
        Some(rest) => ("<=", rest),
        None => ("=", name.strip_prefix("bit")?),
    };
    let digits = format!("{column} NOT GLOB '*[^01]*'");
    match rest.strip_prefix('(') {
        Some(rest) => {
            let length: u32 = rest.strip_suffix(')')?.parse().ok()?;
            Some(format!("length({column}) {comparison} {length} AND {digits}"))
        }
        None if rest.is_empty() => Some(digits),
        None => None,
    }
}

/// What the columns of a table do with rows that are written later, where it is not what the source does: one clause for
/// each kind, or nothing.
pub(super) fn unguarded(columns: &[ColumnPlan]) -> Option<String> {
    let mut clauses: Vec<(&str, Vec<String>)> = Vec::new();
    for plan in columns.iter().filter(|plan| !plan.computed) {
        for told in told(plan) {
            let (name, type_name) = (&plan.source, &plan.type_name);
            let shown = if told.names_type { format!("`{name}` ({type_name})") } else { format!("`{name}`") };
            match clauses.iter_mut().find(|(clause, _)| *clause == told.clause) {
                Some((_, names)) => names.push(shown),
                None => clauses.push((told.clause, vec![shown])),
            }
        }
    }
    let clauses: Vec<_> =
        clauses.into_iter().map(|(clause, names)| clause.replacen("{}", &some_of(&names), 1)).collect();
    (!clauses.is_empty()).then(|| format!("in rows written later, {}", clauses.join("; ")))
}

struct Told {
    clause: &'static str,
    names_type: bool,
}

fn told(plan: &ColumnPlan) -> Vec<Told> {
    let base = base(plan);
    let mut all = Vec::new();
    let mut tell = |clause, names_type| all.push(Told { clause, names_type });
    match (plan.rule, &base.shape) {
        (Rule::DecimalReal, Shape::Numeric { precision_and_scale: Some(_) }) => {
            tell("numbers are not rounded to the scale of {}", false);
        }
        (Rule::Real, Shape::Real) => {
            tell("numbers keep all digits of a double in {}, where the source rounds to `real`", false)
        }
        (Rule::Text | Rule::NocaseText, Shape::VarChar { length: Some(_) } | Shape::Char { length: Some(_) }) => {
            tell("blanks beyond the length of {} are refused, where the source cuts them off", false);
        }
        (Rule::JsonArray, _) => tell("elements of {} are not checked", true),
        (Rule::JsonObject, _) => tell("fields of {} are not checked", true),
        (Rule::ServerText, Shape::Text | Shape::VarChar { .. } | Shape::Name | Shape::Char { .. }) => {}
        (Rule::ServerText, _) if bits("", &base.name).is_some() => {}
        (Rule::ServerText, _) => tell("{} takes any text", true),
        _ => {}
    }
    all
}

/// The first few names, and how many there are besides.
fn some_of(names: &[String]) -> String {
    const NAMED_MAX: usize = 6;
    match names.split_at_checked(NAMED_MAX) {
        Some((named, more)) if !more.is_empty() => format!("{} and {} more", named.join(", "), more.len()),
        _ => names.join(", "),
    }
}
