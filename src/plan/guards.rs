//! What a column's type refuses in the source, for rows that are written later.
//!
//! The values that a migration stores are what their rule writes. A guard is a CHECK that every one of these passes, in every
//! version of SQLite from 3.37 on, and that refuses what the source's type would: so it is only made where that is exact and
//! costs little. What it cannot say is told once for each table. Guards are no part of the definition that rows are loaded
//! under (`TableDdl::loading_sql`): the integrity check asks them of every row, once.

use super::ColumnPlan;
use super::names::quote;
use crate::catalog::{DataType, Shape};
use crate::types::{Remainder, Representation, TextForm, TimeUnit};
use crate::value::calendar::{DATES, MICROS_1970_TO_2000, MICROS_PER_DAY, MOMENTS};

/// The CHECK condition of a column that its representation does not need for itself.
pub(super) fn condition(plan: &ColumnPlan) -> Option<String> {
    let column = &quote(&plan.target);
    let data_type = base(plan);
    let all_but_nan = plan.representation.remainder(&plan.shape) == Some(Remainder::Nan);
    match (plan.representation, &data_type.shape) {
        (Representation::Integer, Shape::SmallInt) => Some(format!("{column} BETWEEN {} AND {}", i16::MIN, i16::MAX)),
        (Representation::Integer, Shape::Integer) => Some(format!("{column} BETWEEN {} AND {}", i32::MIN, i32::MAX)),
        (Representation::Integer, Shape::Oid) => Some(format!("{column} BETWEEN 0 AND {}", u32::MAX)),
        (Representation::DecimalInteger, Shape::Numeric { precision_and_scale: Some((precision, _)) })
            if all_but_nan =>
        {
            let most = "9".repeat(usize::try_from(*precision).unwrap_or(18));
            Some(format!("{column} BETWEEN -{most} AND {most}"))
        }
        // Of 15 digits at most, a double keeps each; a value is below the power by one of them.
        (Representation::DecimalReal, Shape::Numeric { precision_and_scale: Some((precision, scale)) })
            if all_but_nan =>
        {
            Some(format!("abs({column}) < 1e{}", precision - scale))
        }
        (Representation::Real, Shape::Real) => Some(single(column)),
        (Representation::UuidBlob, _) => Some(format!("length({column}) = 16")),
        (Representation::Epoch(unit), shape) => Some(epoch(column, unit.kept(), shape)),
        (Representation::Text(form), shape) => of_text(column, form, shape, &data_type.name),
        (
            Representation::Integer
            | Representation::Boolean
            | Representation::Real
            | Representation::DecimalInteger
            | Representation::DecimalReal
            | Representation::Blob,
            _,
        ) => None,
    }
}

/// The same of a column that keeps text of that form.
fn of_text(column: &str, form: TextForm, shape: &Shape, type_name: &str) -> Option<String> {
    match (form, shape) {
        (TextForm::Decimal, Shape::Numeric { precision_and_scale }) => Some(decimal_text(column, *precision_and_scale)),
        // Two texts that differ by blanks at their ends are one value of the source.
        (TextForm::Plain, Shape::Char { length: Some(_) }) => Some(format!("{column} NOT GLOB '* '")),
        (TextForm::Nocase | TextForm::Server, Shape::VarChar { length: Some(length) })
        | (TextForm::Nocase, Shape::Char { length: Some(length) }) => Some(format!("length({column}) <= {length}")),
        (TextForm::Uuid, _) => {
            let digits = [8, 4, 4, 4, 12].map(|count| "[0-9a-f]".repeat(count)).join("-");
            Some(format!("{column} GLOB '{digits}'"))
        }
        (TextForm::Iso8601, Shape::Date) => Some(date(column)),
        (TextForm::Iso8601, Shape::Timestamp { .. }) => Some(moment(column, ' ', "")),
        (TextForm::Iso8601, Shape::TimestampTz { .. }) => Some(moment(column, ' ', "+00")),
        (TextForm::Iso8601T, Shape::Timestamp { .. }) => Some(moment(column, 'T', "")),
        (TextForm::Iso8601T, Shape::TimestampTz { .. }) => Some(moment(column, 'T', "Z")),
        (TextForm::JsonArray, _) => Some(format!("json_type({column}) = 'array'")),
        (TextForm::JsonObject, _) => Some(format!("json_type({column}) = 'object'")),
        (TextForm::Server, _) => bits(column, type_name),
        (
            TextForm::Plain
            | TextForm::Nocase
            | TextForm::Decimal
            | TextForm::Iso8601
            | TextForm::Iso8601T
            | TextForm::Json,
            _,
        ) => None,
    }
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

/// A date of the source's calendar, as it is written in the target. In the years 1 to 9999 SQLite knows the days of a month;
/// others have those of the year that is as far from a multiple of 400. A modifier makes every version count on from a day
/// that is none; without one, those before 3.46 let it pass.
fn date(column: &str) -> String {
    let near = format!("{} AND {column} >= '0001'", is_day(column));
    let far = far_day(column, DATE_YEAR_MAX);
    let before = format!("{column} GLOB '* BC' AND {}", day_before_christ(&format!("substr({column}, 1, 10)"), column));
    format!("{near} OR {far} OR {before} AND length({column}) = 13 OR {}", infinite(column))
}

/// A time of the source's calendar, as it is written in the target: a date, and a clock behind it.
fn moment(column: &str, separator: char, zone: &str) -> String {
    let day = format!("substr({column}, 1, 10)");
    let near = format!("{} AND {column} >= '0001'", is_day(&day));
    let near = format!("{near} AND {}", clock(&format!("substr({column}, 11)"), separator, zone));
    // The separator is the first of its kind, or no day stands before it.
    let place = format!("instr({column}, '{separator}')");
    let far = far_day(&format!("substr({column}, 1, {place} - 1)"), MOMENT_YEAR_MAX);
    let far = format!("{far} AND {}", clock(&format!("substr({column}, {place})"), separator, zone));
    let before = format!("{column} GLOB '* BC' AND {}", day_before_christ(&day, column));
    let before =
        format!("{before} AND {}", clock(&format!("substr({column}, 11, length({column}) - 13)"), separator, zone));
    format!("{near} OR {far} OR {before} OR {}", infinite(column))
}

const DATE_YEAR_MAX: i32 = 5_874_897;
const MOMENT_YEAR_MAX: i32 = 294_276;

fn infinite(column: &str) -> String {
    format!("{column} IN ('infinity', '-infinity')")
}

/// Whether a text is a day of the years 0 to 9999.
fn is_day(text: &str) -> String {
    format!("{text} IS date({text}, '+0 days')")
}

/// Whether a text is a day of a year beyond 9999.
fn far_day(text: &str, last_year: i32) -> String {
    let same = format!("(2000 + {text} % 400) || substr({text}, -6)");
    format!(
        "{text} GLOB '[1-9][0-9][0-9][0-9][0-9]*' AND substr({text}, 1, length({text}) - 6) NOT GLOB '*[^0-9]*' \
         AND CAST({text} AS INTEGER) <= {last_year} AND {}",
        is_day(&same)
    )
}

/// Whether a text is a day of a year before Christ; the first one is that of the column.
fn day_before_christ(text: &str, column: &str) -> String {
    let same = format!("(2400 + (1 - {text}) % 400) || substr({text}, 5)");
    format!(
        "{text} GLOB '[0-9][0-9][0-9][0-9]-*' AND {} AND {column} BETWEEN '0001' AND '4715' \
         AND {column} NOT BETWEEN '4714' AND '4714-11-24'",
        is_day(&same)
    )
}

/// Whether a text is a time of the day as PostgreSQL writes it, after the separator and before the zone.
fn clock(text: &str, separator: char, zone: &str) -> String {
    let fraction = format!("substr({text}, 10, length({text}) - {})", 9 + zone.len());
    format!(
        "{text} GLOB '{separator}[0-2][0-9]:[0-5][0-9]:[0-5][0-9]*{zone}' AND {text} < '{separator}24' AND ({fraction} = '' \
         OR {fraction} GLOB '.*[1-9]' AND rtrim({fraction}, '0123456789') = '.' AND length({fraction}) <= 7)"
    )
}

/// A double that rounds to a `real`, which is neither infinite nor zero where the double is not. It is not rounded.
fn single(column: &str) -> String {
    format!(
        "abs({column}) < 3.4028235677973366e38 AND ({column} = 0 OR abs({column}) > 7.006492321624085e-46) \
         OR abs({column}) = 9e999"
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
        if let Some(told) = describe(plan) {
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

/// What the source would not take of a value of the column, or would change, and whether its type says so.
struct Told {
    clause: &'static str,
    names_type: bool,
}

fn describe(plan: &ColumnPlan) -> Option<Told> {
    let base = base(plan);
    let tell = |clause, names_type| Some(Told { clause, names_type });
    match (plan.representation, &base.shape) {
        (Representation::DecimalReal, Shape::Numeric { precision_and_scale: Some(_) }) => {
            tell("numbers are not rounded to the scale of {}", false)
        }
        (Representation::Real, Shape::Real) => {
            tell("numbers keep all digits of a double in {}, where the source rounds to `real`", false)
        }
        (
            Representation::Text(TextForm::Plain | TextForm::Nocase),
            Shape::VarChar { length: Some(_) } | Shape::Char { length: Some(_) },
        ) => tell("blanks beyond the length of {} are refused, where the source cuts them off", false),
        (Representation::Text(TextForm::Json), Shape::Jsonb) => {
            tell("{} takes `\\u0000`, half a surrogate pair and numbers beyond `numeric`", false)
        }
        (Representation::Text(TextForm::JsonArray), _) => tell("elements of {} are not checked", true),
        (Representation::Text(TextForm::JsonObject), _) => tell("fields of {} are not checked", true),
        (
            Representation::Text(TextForm::Server),
            Shape::Text | Shape::VarChar { .. } | Shape::Name | Shape::Char { .. },
        ) => None,
        (Representation::Text(TextForm::Server), _) if bits("", &base.name).is_some() => None,
        (Representation::Text(TextForm::Server), _) => tell("{} takes any text", true),
        (
            Representation::Integer
            | Representation::Boolean
            | Representation::Real
            | Representation::DecimalInteger
            | Representation::DecimalReal
            | Representation::Epoch(_)
            | Representation::Blob
            | Representation::UuidBlob
            | Representation::Text(
                TextForm::Plain
                | TextForm::Nocase
                | TextForm::Decimal
                | TextForm::Uuid
                | TextForm::Iso8601
                | TextForm::Iso8601T
                | TextForm::Json,
            ),
            _,
        ) => None,
    }
}

/// The first few names, and how many there are besides.
fn some_of(names: &[String]) -> String {
    const NAMED_MAX: usize = 6;
    match names.split_at_checked(NAMED_MAX) {
        Some((named, more)) if !more.is_empty() => format!("{} and {} more", named.join(", "), more.len()),
        _ => names.join(", "),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::value::calendar::{date_text, timestamp_text};

    /// Each guard of times with values that PostgreSQL writes, and with others that only look like them.
    fn times() -> Vec<(String, Vec<String>, Vec<String>)> {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let mut days: Vec<i32> = vec![DATES.start, DATES.start + 1, DATES.end - 1, -730_120, -730_119, -730_118, 0];
        days.extend((DATES.start..DATES.end).step_by(9_999_991));
        // Every day from 5 BC to 5 AD, and of the years from 9999 to 10004.
        days.extend((-732_000..-728_300).chain(2_921_500..2_924_000));
        let days: Vec<String> = days.into_iter().map(date_text).chain(own(&["infinity", "-infinity"])).collect();
        let wrong_days = own(&[
            "2021-02-29",
            "2021-02-30",
            "2021-02-31",
            "2021-04-31",
            "2021-13-01",
            "2021-00-01",
            "2021-01-00",
            "2021-01-32",
            "1900-02-29",
            "0000-01-01",
            "2021-2-3",
            "20210203",
            "2021-02-03 ",
            " 2021-02-03",
            "2021-02-03 00:00:00",
            "2459000.5",
            "",
            "BC",
            "x",
            "-2021-01-01",
            "+12345-01-01",
            "10000-19-39",
            "10001-02-29",
            "10000-02-30",
            "99999abc-01-01",
            "999999999999-01-01",
            "5874898-01-01",
            "012345-01-01",
            "12345-1-1",
            "12345-01-01 BC",
            "0004-02-29 BC",
            "0005-02-30 BC",
            "0000-01-01 BC",
            "4714-11-23 BC",
            "4715-01-01 BC",
            "0044-03-15BC",
            "0044-03-15 AD",
            "0044-03-15 BC ",
            "0044-13-15 BC",
            "0044-03-15 BC BC",
            "Infinity",
            "-infinit",
        ]);
        let mut all = vec![(date("v"), days.clone(), wrong_days.clone())];
        for (separator, zone) in [(' ', ""), (' ', "+00"), ('T', ""), ('T', "Z")] {
            let mut moments = vec![MOMENTS.start, MOMENTS.end - 1, 0, 1, -1, 500_000, 59_999_999, MICROS_PER_DAY - 1];
            moments.extend((0..200).map(|step| MOMENTS.start + (MOMENTS.end / 210 + 12_345_678_901) * step));
            let right = moments.into_iter().map(|micros| timestamp_text(micros, separator, zone));
            let mut wrong: Vec<String> = wrong_days
                .iter()
                .filter(|day| !day.contains(' ') && !day.is_empty())
                .map(|day| match day.strip_suffix(" BC") {
                    Some(day) => format!("{day}{separator}10:00:00{zone} BC"),
                    None => format!("{day}{separator}10:00:00{zone}"),
                })
                .collect();
            let clocks = [
                "24:00:00",
                "24:30:00",
                "29:59:59",
                "10:60:00",
                "10:00:60",
                "1:00:00",
                "10:00",
                "10:00:00.",
                "10:00:00.10",
                "10:00:00.1234567",
                "10:00:00.1.2",
                "10:00:00ZZZ",
                "10:00:00.1.2+3ZZ",
                "10:00:00+++",
                "10:00:001",
                "10:00:00.a1",
                "",
            ];
            wrong.extend(clocks.iter().map(|clock| format!("2020-01-01{separator}{clock}{zone}")));
            wrong.extend(own(&[
                "2020-01-01",
                "12345-01-01 99 garbage-01-01 00:00:00",
                "12345-01-01T99 garbage-01-01T00:00:00Z",
            ]));
            let [other, other_zone] = if separator == ' ' { ["T", "Z"] } else { [" ", "+00"] };
            wrong.push(format!("2020-01-01{other}10:00:00{zone}"));
            wrong.push(format!("2020-01-01{separator}10:00:00{zone}{other_zone}"));
            wrong.push(format!("294277-01-01{separator}00:00:00{zone}"));
            wrong.push(format!("0044-03-15{separator}10:00:00 BC{zone}x"));
            all.push((moment("v", separator, zone), right.chain(own(&["infinity", "-infinity"])).collect(), wrong));
        }
        all
    }

    /// A query for each guard that tells 1 for what it lets pass and 0 for what it does not; `scripts/older-sqlite` asks them
    /// of every version.
    pub fn questions() -> Vec<String> {
        let single = single("v");
        let real = ["0.0", "1.5", "-3.4028234663852886e38", "9e999", "-9e999", "1e-45", "1e39", "-1e300", "1e-300"];
        let values = real.map(|value| format!("({value})")).join(", ");
        let mut all = vec![format!("SELECT {single} FROM (SELECT column1 AS v FROM (VALUES {values}))")];
        all.extend(times().into_iter().map(|(guard, right, wrong)| {
            let values: Vec<_> = right.iter().step_by(40).chain(&wrong).map(|text| format!("('{text}')")).collect();
            format!("SELECT {guard} FROM (SELECT column1 AS v FROM (VALUES {}))", values.join(", "))
        }));
        all
    }

    #[test]
    fn every_time_that_is_stored_passes_and_what_only_looks_like_one_does_not() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        for (guard, right, wrong) in times() {
            let mut statement = connection.prepare(&format!("SELECT {guard} FROM (SELECT ?1 AS v)")).unwrap();
            let mut passes = |text: &str| statement.query_row([text], |row| row.get::<_, bool>(0)).unwrap();
            let refused: Vec<_> = right.iter().filter(|text| !passes(text)).take(5).collect();
            let taken: Vec<_> = wrong.iter().filter(|text| passes(text)).collect();
            assert!(refused.is_empty() && taken.is_empty(), "refused {refused:?}, taken {taken:?}: {guard}");
        }
    }

    #[test]
    fn a_real_is_within_its_range() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        let mut statement = connection.prepare(&questions()[0]).unwrap();
        let passes =
            statement.query_map([], |row| row.get::<_, bool>(0)).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
        assert_eq!(passes, [true, true, true, true, true, true, false, false, false]);
    }
}
