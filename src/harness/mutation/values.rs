//! Changes of one value.

use super::text as texts;
use super::{Change, Mutation, Rewrite};
use crate::harness::Random;
use crate::plan::ColumnPlan;
use crate::types::Representation;
use rusqlite::types::Value;

const fn value(
    name: &'static str,
    applies_to: &'static str,
    columns: fn(&ColumnPlan) -> bool,
    filter: &'static str,
    value: fn(&Value, &ColumnPlan, &mut Random) -> Option<Value>,
) -> Mutation {
    Mutation { name, applies_to, change: Change::Value(Rewrite { columns, filter, value }) }
}

fn any(_: &ColumnPlan) -> bool {
    true
}

fn declared(column: &ColumnPlan, name: &str) -> bool {
    column.representation.declared_type() == name
}

fn is_text(column: &ColumnPlan) -> bool {
    declared(column, "TEXT")
}

fn is_time(column: &ColumnPlan) -> bool {
    column.representation.time_unit().is_some()
}

fn is_boolean(column: &ColumnPlan) -> bool {
    column.representation == Representation::Boolean
}

fn integer(old: &Value, change: impl FnOnce(i64) -> Option<i64>) -> Option<Value> {
    let Value::Integer(old) = old else { return None };
    change(*old).filter(|new| new != old).map(Value::Integer)
}

fn real(old: &Value, change: impl FnOnce(f64) -> f64) -> Option<Value> {
    let Value::Real(old) = old else { return None };
    let new = change(*old);
    // SQLite stores NaN as NULL and -0.0 as 0.0.
    (new != *old && !new.is_nan()).then_some(Value::Real(new))
}

fn text(old: &Value, change: impl FnOnce(&str) -> Option<String>) -> Option<Value> {
    let Value::Text(old) = old else { return None };
    change(old).filter(|new| new != old).map(Value::Text)
}

fn blob(old: &Value, change: impl FnOnce(&mut Vec<u8>)) -> Option<Value> {
    let Value::Blob(old) = old else { return None };
    let mut new = old.clone();
    change(&mut new);
    (new != *old).then_some(Value::Blob(new))
}

fn per_second(column: &ColumnPlan) -> i64 {
    column.representation.time_unit().map_or(1, |unit| 1_000_000 / unit.micros())
}

const INTEGER: &str = "typeof({}) = 'integer'";
const FINITE_TIME: &str = "typeof({}) = 'integer' AND {} NOT IN (9223372036854775807, -9223372036854775807 - 1)";
const REAL: &str = "typeof({}) = 'real'";
const TEXT: &str = "typeof({}) = 'text' AND {} <> ''";
const BLOB: &str = "typeof({}) = 'blob' AND length({}) > 0";
const NULL: &str = "{} IS NULL";
const BEYOND_32_BITS: &str = "typeof({}) = 'integer' AND {} NOT BETWEEN -2147483648 AND 2147483647";
const BEYOND_53_BITS: &str = "typeof({}) = 'integer' AND {} NOT BETWEEN -9007199254740992 AND 9007199254740992";
const BEYOND_ASCII: &str = "typeof({}) = 'text' AND length({}) < length(CAST({} AS BLOB))";
const LONG: &str = "typeof({}) = 'text' AND length({}) > 255";
const OF_LINES: &str = "typeof({}) = 'text' AND instr({}, char(10)) > 0";
const QUOTED: &str = "typeof({}) = 'text' AND (instr({}, char(39)) > 0 OR instr({}, char(34)) > 0)";

pub const MUTATIONS: [Mutation; 54] = [
    value("the last digit of a number", "an integer", any, INTEGER, |old, _, _| {
        integer(old, |n| (n / 10 * 10).checked_add((n % 10 + n.signum().max(0) * 2 - 1) % 10))
    }),
    value("the sign of an integer", "an integer other than 0", any, INTEGER, |old, _, _| {
        integer(old, i64::checked_neg)
    }),
    value("one more", "an integer", any, INTEGER, |old, _, _| integer(old, |n| n.checked_add(1))),
    value("one less", "an integer", any, INTEGER, |old, _, _| integer(old, |n| n.checked_sub(1))),
    value("the lowest bit", "an integer", any, INTEGER, |old, _, _| integer(old, |n| Some(n ^ 1))),
    value("any bit of an integer", "an integer", any, INTEGER, |old, _, random| {
        integer(old, |n| Some(n ^ (1 << random.below(63))))
    }),
    value("a thousandfold", "an integer other than 0", any, INTEGER, |old, _, _| integer(old, |n| n.checked_mul(1000))),
    value("a thousandth", "an integer other than 0", any, INTEGER, |old, _, _| integer(old, |n| Some(n / 1000))),
    value("cut to 32 bits", "an integer beyond 32 bits", any, BEYOND_32_BITS, |old, _, _| {
        integer(old, |n| Some(i64::from(n as i32)))
    }),
    value("cut to 53 bits", "an integer beyond 53 bits", any, BEYOND_53_BITS, |old, _, _| {
        integer(old, |n| Some(n as f64 as i64))
    }),
    value("a truth value turned round", "a boolean", is_boolean, INTEGER, |old, _, _| {
        integer(old, |n| 1_i64.checked_sub(n))
    }),
    value("2 for a truth value", "a boolean", is_boolean, INTEGER, |old, _, _| integer(old, |_| Some(2))),
    value("a time later by one unit", "a time as an integer", is_time, FINITE_TIME, |old, _, _| {
        integer(old, |n| n.checked_add(1))
    }),
    value("a time earlier by one unit", "a time as an integer", is_time, FINITE_TIME, |old, _, _| {
        integer(old, |n| n.checked_sub(1))
    }),
    value("a time cut to the second", "a time with a fraction", is_time, FINITE_TIME, |old, column, _| {
        let second = per_second(column);
        integer(old, |n| Some(n.div_euclid(second) * second))
    }),
    value("a time cut to the minute", "a time within a minute", is_time, FINITE_TIME, |old, column, _| {
        let minute = 60 * per_second(column);
        integer(old, |n| n.div_euclid(minute).checked_mul(minute))
    }),
    value("a time in the unit above", "a time as an integer", is_time, FINITE_TIME, |old, _, _| {
        integer(old, |n| Some(n / 1000))
    }),
    value("a time in the unit below", "a time as an integer", is_time, FINITE_TIME, |old, _, _| {
        integer(old, |n| n.checked_mul(1000))
    }),
    value("a time in another zone", "a time as an integer", is_time, FINITE_TIME, |old, column, _| {
        integer(old, |n| n.checked_add(3600 * per_second(column)))
    }),
    value("a time from another year zero", "a time as an integer", is_time, FINITE_TIME, |old, column, _| {
        // PostgreSQL counts from 2000, Unix from 1970.
        integer(old, |n| n.checked_sub(946_684_800 * per_second(column)))
    }),
    value("infinity for a time", "a time as an integer", is_time, FINITE_TIME, |old, _, _| {
        integer(old, |_| Some(i64::MAX))
    }),
    value("one unit in the last place", "a real", any, REAL, |old, _, _| real(old, f64::next_up)),
    value("one unit less in the last place", "a real", any, REAL, |old, _, _| real(old, f64::next_down)),
    value("the sign of a real", "a real other than 0", any, REAL, |old, _, _| real(old, |n| -n)),
    value("a real a thousandfold", "a real other than 0", any, REAL, |old, _, _| real(old, |n| n * 1000.0)),
    value("a real cut to 32 bits", "a real with more digits", any, REAL, |old, _, _| {
        real(old, |n| f64::from(n as f32))
    }),
    value("a real without its fraction", "a real with a fraction", any, REAL, |old, _, _| real(old, f64::trunc)),
    value("a trailing blank", "a text", is_text, TEXT, |old, _, _| text(old, |t| Some(format!("{t} ")))),
    value("a leading blank", "a text", is_text, TEXT, |old, _, _| text(old, |t| Some(format!(" {t}")))),
    value("the last character missing", "a text", is_text, TEXT, |old, _, _| text(old, texts::without_last)),
    value("a text cut in half", "a text of two characters or more", is_text, TEXT, |old, _, _| text(old, texts::half)),
    value("a text cut to 255 characters", "a longer text", is_text, LONG, |old, _, _| {
        text(old, |t| Some(t.chars().take(255).collect()))
    }),
    value("the case of a letter", "a text with a letter", is_text, TEXT, |old, _, random| {
        text(old, |t| texts::other_case(t, random))
    }),
    value("another Unicode normalisation", "a text with a composed letter", is_text, BEYOND_ASCII, |old, _, _| {
        text(old, texts::other_normalisation)
    }),
    value("another line end", "a text with a line end", is_text, OF_LINES, |old, _, _| {
        text(old, |t| Some(if t.contains("\r\n") { t.replace("\r\n", "\n") } else { t.replace('\n', "\r\n") }))
    }),
    value("a digit of a text", "a text with a digit", is_text, TEXT, |old, _, random| {
        text(old, |t| texts::other_digit(t, random))
    }),
    value("U+0000 behind a text", "a text", is_text, TEXT, |old, _, _| text(old, |t| Some(format!("{t}\0")))),
    value("U+FFFD for a character", "a text beyond ASCII", is_text, BEYOND_ASCII, |old, _, _| {
        text(old, |t| Some(t.chars().map(|c| if c.is_ascii() { c } else { '\u{fffd}' }).collect()))
    }),
    value("UTF-8 read as Latin-1", "a text beyond ASCII", is_text, BEYOND_ASCII, |old, _, _| {
        text(old, |t| Some(t.bytes().map(char::from).collect()))
    }),
    value("a quote doubled", "a text with a quote", is_text, QUOTED, |old, _, _| {
        text(old, |t| Some(t.replace('\'', "''").replace('"', "\"\"")))
    }),
    value("another order of JSON keys", "a JSON object of two keys or more", is_text, TEXT, |old, _, _| {
        text(old, texts::other_key_order)
    }),
    value("JSON whitespace", "a JSON text", is_json, TEXT, |old, _, _| text(old, texts::other_whitespace)),
    value("a JSON number's spelling", "a JSON text with a number", is_json, TEXT, |old, _, _| {
        text(old, texts::other_number)
    }),
    value("an element of an array missing", "a JSON array", is_json, TEXT, |old, _, _| {
        text(old, texts::without_element)
    }),
    value("one bit of a blob", "a blob", any, BLOB, |old, _, random| {
        blob(old, |bytes| {
            let place = random.below(bytes.len() as u64) as usize;
            bytes[place] ^= 1 << random.below(8);
        })
    }),
    value("the last byte of a blob missing", "a blob", any, BLOB, |old, _, _| {
        blob(old, |bytes| {
            bytes.pop();
        })
    }),
    value("a byte behind a blob", "a blob", any, BLOB, |old, _, _| blob(old, |bytes| bytes.push(0))),
    value("NULL for a value", "a value that may be NULL", any, "{} IS NOT NULL", |_, _, _| Some(Value::Null)),
    value("NULL for ''", "an empty text", is_text, "{} = ''", |_, _, _| Some(Value::Null)),
    value("'' for NULL", "NULL in a text column", is_text, NULL, |_, _, _| Some(Value::Text(String::new()))),
    value("'NULL' for NULL", "NULL in a text column", is_text, NULL, |_, _, _| Some(Value::Text("NULL".into()))),
    value("'' for a text", "a text", is_text, TEXT, |_, _, _| Some(Value::Text(String::new()))),
    value(
        "0 for NULL",
        "NULL in a column of numbers",
        |column| !is_text(column),
        NULL,
        |_, column, _| match column.representation.declared_type() {
            "INTEGER" => Some(Value::Integer(0)),
            "REAL" => Some(Value::Real(0.0)),
            _ => None,
        },
    ),
    value(
        "an empty blob for NULL",
        "NULL in a column of bytes",
        |column| declared(column, "BLOB"),
        NULL,
        |_, _, _| Some(Value::Blob(Vec::new())),
    ),
];

fn is_json(column: &ColumnPlan) -> bool {
    column.representation.is_json()
}
