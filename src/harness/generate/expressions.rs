//! What unique indexes on expressions and exclusion constraints ask of the columns that they are about.
//!
//! Neither is evaluated here. Instead the columns get values with which no two rows can meet: plain texts of one
//! length for what is written together, days far enough apart for what rounds them, ranges that do not touch.

use super::checks;
use super::table_plan::LEAVE_OUT;
use super::values::Limits;
use crate::catalog::{Catalog, Column, DataType, IndexKey, ObjectKind, Shape, Table};
use crate::error::{Error, Result};
use crate::value::calendar::civil_from_days;
use std::collections::BTreeSet;

/// How many values are listed at most where the distance between them is what counts.
const LISTED_MAX: u64 = 10_000;
/// How long texts are that are unique when they are written together.
const CHARACTERS: u32 = 8;
/// 2000-01-01 is day 0; days before it make room for long distances.
const FIRST_DAY: i64 = -700_000;
/// The last day with a year of four digits is day 2921939.
const LAST_DAY: i64 = 2_900_000;

/// Narrows the limits of columns that unique indexes on expressions are made of.
pub(super) fn of_indexes(table: &Table, inserted: &[&Column], sqlite: bool, rows: u64, limits: &mut [Limits]) {
    for part in table.indexes.iter().filter(|index| index.unique).flat_map(|index| &index.parts) {
        let IndexKey::Expression(expression) = &part.key else { continue };
        let columns = checks::columns_of(expression, inserted, sqlite);
        let days = rounding_days(expression);
        keep_sums_apart(expression, &columns, inserted, limits);
        for column in &columns {
            let limits = &mut limits[*column];
            limits.plain = true;
            let shape = &inserted[*column].data_type.base().shape;
            let free = limits.allowed.is_none() && limits.minimum.is_none() && limits.maximum.is_none();
            match (shape, days) {
                (Shape::Date | Shape::Timestamp { .. } | Shape::TimestampTz { .. }, Some(days)) if free => {
                    limits.allowed = Some(spaced_days(days, rows).map(date).collect());
                }
                (Shape::Text | Shape::VarChar { .. }, _)
                    if columns.len() > 1 && limits.patterns.is_empty() && limits.allowed.is_none() =>
                {
                    let own = match shape {
                        Shape::VarChar { length: Some(length) } => u32::try_from(*length).unwrap_or(CHARACTERS),
                        _ => CHARACTERS,
                    };
                    let length = CHARACTERS.min(own).min(limits.length_max.unwrap_or(CHARACTERS));
                    let length = length.max(limits.length_min.unwrap_or(0));
                    (limits.length_min, limits.length_max) = (Some(length), Some(length));
                }
                _ => {}
            }
        }
    }
}

/// Of numbers that are added, all but one get one value.
fn keep_sums_apart(expression: &str, columns: &[usize], inserted: &[&Column], limits: &mut [Limits]) {
    let integer = |column: &usize| {
        matches!(inserted[*column].data_type.base().shape, Shape::SmallInt | Shape::Integer | Shape::BigInt)
    };
    if columns.len() < 2 || !expression.contains(['+', '-', '*']) || !columns.iter().all(integer) {
        return;
    }
    let free = |column: &usize| {
        let limits = &limits[*column];
        limits.allowed.is_none() && limits.minimum.is_none() && limits.maximum.is_none()
    };
    let mut fixed: Vec<usize> = columns.iter().copied().filter(free).collect();
    if fixed.len() == columns.len() {
        fixed.remove(0);
    }
    fixed.into_iter().for_each(|column| limits[column].allowed = Some(vec!["1".to_owned()]));
}

/// How many days apart dates have to be to stay apart when an expression has rounded them.
fn rounding_days(expression: &str) -> Option<i64> {
    let lower = expression.to_lowercase();
    if let Some(at) = lower.find("date_trunc(") {
        let unit = lower[at + "date_trunc(".len()..].trim_start().trim_start_matches('\'');
        let unit = unit.split('\'').next().unwrap_or_default();
        return Some(match unit {
            "week" => 7,
            "month" => 31,
            "quarter" => 92,
            "year" => 366,
            "decade" => 3_660,
            "century" => 36_600,
            "millennium" => 366_000,
            _ => 1,
        });
    }
    let to_date = lower.contains("::date") || lower.contains("date(") || lower.contains("as date)");
    to_date.then_some(1)
}

fn spaced_days(distance: i64, rows: u64) -> impl Iterator<Item = i64> {
    let room = (LAST_DAY / distance).unsigned_abs();
    let first = if distance > 1 { FIRST_DAY } else { 0 };
    let count = rows.clamp(1, LISTED_MAX).min(room);
    (0..i64::try_from(count).unwrap_or(1)).map(move |number| first + number * distance)
}

fn date(day: i64) -> String {
    let (year, month, day) = civil_from_days(day);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The columns that have to differ from row to row for an exclusion constraint to hold, with the constraint's name;
/// columns of ranges get ranges that do not touch.
///
/// # Errors
/// When no column of a constraint can be made so.
pub(super) fn of_exclusions(
    catalog: &Catalog,
    table: &Table,
    inserted: &[&Column],
    is_foreign: &dyn Fn(usize) -> bool,
    rows: u64,
    limits: &mut [Limits],
) -> Result<Vec<(String, usize)>> {
    let mut distinct = Vec::new();
    let on_table = format!(" on {}", table.name);
    for other in catalog.others.iter().filter(|other| other.kind == ObjectKind::ExclusionConstraint) {
        let Some(name) = other.name.strip_suffix(&on_table) else { continue };
        let definition = other.definition.as_deref().unwrap_or_default();
        let elements = elements(definition, inserted);
        let range = elements.iter().find_map(|(column, operator)| {
            let values = ranges(&inserted[*column].data_type, rows)?;
            (operator == "&&" && limits[*column].allowed.is_none() && !is_foreign(*column)).then_some((*column, values))
        });
        if let Some((column, values)) = range {
            limits[column].allowed = Some(values);
            distinct.push((name.to_owned(), column));
            continue;
        }
        let equal: BTreeSet<(bool, usize)> = (elements.iter().filter(|(_, operator)| operator == "="))
            .map(|(column, _)| (is_foreign(*column), *column))
            .collect();
        let Some((_, column)) = equal.first() else {
            return Err(Error::could_not(
                "generate rows of",
                format!("`{}`", table.name),
                format!("its exclusion constraint `{name}` ({definition}) was not solved"),
            )
            .hint(LEAVE_OUT));
        };
        distinct.push((name.to_owned(), *column));
    }
    Ok(distinct)
}

/// The elements of `EXCLUDE USING gist (room WITH =, during WITH &&)` that are columns, with their operators.
fn elements(definition: &str, inserted: &[&Column]) -> Vec<(usize, String)> {
    let Some((_, behind)) = definition.split_once('(') else { return Vec::new() };
    let mut parts = vec![String::new()];
    let mut depth = 0;
    for character in behind.chars() {
        match character {
            '(' => depth += 1,
            ')' if depth == 0 => break,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(character);
        }
    }
    let element = |part: &String| {
        let (what, operator) = part.rsplit_once(" WITH ")?;
        let what = what.trim();
        let named = |column: &&Column| {
            let quoted = crate::quote::quote(&column.name);
            let own = |name: &str| what == name || what.strip_prefix(name).is_some_and(|rest| rest.starts_with(' '));
            own(&column.name) || own(&quoted)
        };
        Some((inserted.iter().position(named)?, operator.trim().to_owned()))
    };
    parts.iter().filter_map(element).collect()
}

/// Ranges of a type that do not touch.
fn ranges(data_type: &DataType, rows: u64) -> Option<Vec<String>> {
    let name = data_type.base().name.as_str();
    let count = rows.clamp(1, LISTED_MAX);
    let days = |from: &str, to: &str| {
        Some(spaced_days(2, rows).map(|day| format!("[\"{}{from}\",\"{}{to}\")", date(day), date(day + 1))).collect())
    };
    match name.rsplit('.').next().unwrap_or(name) {
        "int4range" | "int8range" | "numrange" => {
            Some((0..count).map(|number| format!("[{},{})", number * 10, number * 10 + 7)).collect())
        }
        "daterange" => Some(spaced_days(2, rows).map(|day| format!("[{},{})", date(day), date(day + 1))).collect()),
        "tsrange" => days(" 08:00:00", " 07:30:00"),
        "tstzrange" => days(" 08:00:00+00", " 07:30:00+00"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_follows_the_rounding() {
        assert_eq!(rounding_days("date_trunc('month'::text, at)"), Some(31));
        assert_eq!(rounding_days("(at)::date"), Some(1));
        assert_eq!(rounding_days("lower(name)"), None);
        let days: Vec<String> = spaced_days(366, 3).map(date).collect();
        assert_eq!(days.len(), 3);
        assert_ne!(days[0][..4], days[1][..4]);
    }
}
