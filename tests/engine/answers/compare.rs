//! What two engines answered, side by side.

use rusqlite::types::Value;
use std::collections::BTreeSet;
use std::fmt;

/// How values of a type are printed and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Boolean,
    Number,
    Double,
    Single,
    Moment,
    Bytes,
    Padded,
    /// An address, which a cast writes with its mask.
    Address,
    Array,
    Text,
}

impl Kind {
    /// Of a type's name and category in `pg_type`.
    pub fn of(name: &str, category: &str) -> Kind {
        match name {
            "bool" => Kind::Boolean,
            "int2" | "int4" | "int8" | "oid" | "numeric" => Kind::Number,
            "float8" => Kind::Double,
            "float4" => Kind::Single,
            "timestamp" | "timestamptz" => Kind::Moment,
            "bytea" => Kind::Bytes,
            "bpchar" => Kind::Padded,
            "inet" => Kind::Address,
            // A composite value is JSON in both, too.
            _ if category == "A" || category == "C" => Kind::Array,
            _ => Kind::Text,
        }
    }

    /// PostgreSQL's SQL for the value as text.
    pub fn printed(self, sql: &str) -> String {
        match self {
            // Beside the text, the microseconds since 1970.
            Kind::Moment => format!(
                "(SELECT CASE WHEN isfinite(x) THEN (extract(epoch FROM x) * 1000000)::bigint::text || ' ' ELSE '' END || \
                 x::text FROM (SELECT {sql} AS x) AS one)"
            ),
            Kind::Bytes => format!("encode({sql}, 'hex')"),
            Kind::Single => format!("({sql})::double precision::text"),
            Kind::Address => {
                format!("(SELECT CASE WHEN x IS NOT NULL THEN format('%s', x) END FROM (SELECT {sql} AS x) AS one)")
            }
            Kind::Array => format!("to_json({sql})::text"),
            _ => format!("({sql})::text"),
        }
    }

    /// Whether SQLite's value is PostgreSQL's.
    pub fn same(self, expected: Option<&str>, given: &Value) -> bool {
        let (Some(expected), false) = (expected, *given == Value::Null) else {
            return expected.is_none() && *given == Value::Null;
        };
        match (self, given) {
            (Kind::Boolean, Value::Integer(value)) => *value == i64::from(expected == "true"),
            (Kind::Number, Value::Integer(value)) => {
                let (whole, fraction) = expected.split_once('.').unwrap_or((expected, ""));
                whole == value.to_string() && fraction.bytes().all(|digit| digit == b'0')
            }
            (Kind::Number | Kind::Double | Kind::Single, Value::Real(value)) => expected.parse() == Ok(*value),
            #[allow(clippy::cast_precision_loss, reason = "a whole number that a double holds")]
            (Kind::Double | Kind::Single, Value::Integer(value)) => expected.parse() == Ok(*value as f64),
            (Kind::Moment, Value::Integer(value)) => is_moment(expected, *value),
            (Kind::Moment, Value::Text(text)) => {
                expected == text || expected.split_once(' ').is_some_and(|(_, own)| own == text)
            }
            (Kind::Bytes, Value::Blob(bytes)) => {
                expected == bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
            }
            (Kind::Padded, Value::Text(text)) => expected.trim_end_matches(' ') == text.trim_end_matches(' '),
            (Kind::Array, Value::Text(text)) => same_json(expected, text),
            (Kind::Text | Kind::Address | Kind::Number, Value::Text(text)) => expected == text,
            (Kind::Text, Value::Integer(value)) => expected == value.to_string(),
            _ => false,
        }
    }

    /// What equal values have in common, so that rows are looked for among few.
    pub fn rough(self, expected: Option<&str>) -> String {
        let Some(text) = expected else { return "NULL".to_owned() };
        match self {
            Kind::Number | Kind::Double | Kind::Single => {
                text.parse::<f64>().map_or_else(|_| text.to_owned(), rough_number)
            }
            Kind::Boolean => i64::from(text == "true").to_string(),
            Kind::Text | Kind::Address => text.to_owned(),
            Kind::Padded => text.trim_end_matches(' ').to_owned(),
            Kind::Moment | Kind::Bytes | Kind::Array => String::new(),
        }
    }

    /// As [`Kind::rough`], of SQLite's value.
    pub fn rough_of(self, given: &Value) -> String {
        match given {
            Value::Null => "NULL".to_owned(),
            Value::Integer(value) if self == Kind::Boolean => value.to_string(),
            Value::Integer(value) => self.rough(Some(&value.to_string())),
            Value::Real(value) => rough_number(*value),
            Value::Text(text) => self.rough(Some(text)),
            Value::Blob(_) => String::new(),
        }
    }
}

fn rough_number(value: f64) -> String {
    format!("{:e}", value + 0.0)
}

/// The printed moment in any of the units that a column of it may have.
fn is_moment(expected: &str, value: i64) -> bool {
    match expected {
        "infinity" => value == i64::MAX,
        "-infinity" => value == i64::MIN,
        _ => {
            let micros: Option<i64> = expected.split(' ').next().and_then(|text| text.parse().ok());
            micros.is_some_and(|micros| {
                [1, 1_000, 1_000_000].into_iter().any(|unit| value.checked_mul(unit) == Some(micros))
            })
        }
    }
}

fn same_json(expected: &str, given: &str) -> bool {
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text);
    matches!((read(expected), read(given)), (Ok(a), Ok(b)) if a == b)
}

/// One row's answer of one engine.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer<T> {
    Value(T),
    Error(String),
}

/// What makes a row awkward; a note speaks of one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Oddity {
    /// A NaN.
    NotANumber,
    /// A number without end.
    Infinite,
    /// More than 15 digits.
    Long,
    /// A date before the year 1, after 9999, or without end.
    Far,
    /// A letter beyond ASCII.
    Unicode,
    /// Two equal keys in a JSON object.
    EqualKeys,
    /// A part of a moment that its column drops.
    Dropped,
    /// Equal values with different texts.
    Spelling,
    /// PostgreSQL's -0.
    NegativeZero,
}

/// What is awkward about a value, by its type's name.
pub fn oddities(type_name: &str, text: &str, found: &mut BTreeSet<Oddity>) {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    match type_name {
        "numeric" | "float4" | "float8" => {
            if text == "NaN" {
                found.insert(Oddity::NotANumber);
            } else if text.ends_with("Infinity") {
                found.insert(Oddity::Infinite);
            } else if digits > 15 {
                found.insert(Oddity::Long);
            }
            if text == "-0" {
                found.insert(Oddity::NegativeZero);
            }
            if text.contains('.') && text.ends_with('0') {
                found.insert(Oddity::Spelling);
            }
        }
        "int8" if digits > 15 => {
            found.insert(Oddity::Long);
        }
        "date" | "timestamp" | "timestamptz" => {
            let year = text.split('-').next().unwrap_or_default();
            // A step from the last year leads out of it.
            if text.ends_with("infinity") || text.ends_with("BC") || year.len() > 4 || ["0001", "9999"].contains(&year)
            {
                found.insert(Oddity::Far);
            }
            if text.contains('.') {
                found.insert(Oddity::Dropped);
            }
        }
        "json" if text.matches("\"k\"").count() > 1 => {
            found.insert(Oddity::EqualKeys);
        }
        "jsonb" | "interval" | "bpchar" => {
            found.insert(Oddity::Spelling);
        }
        _ => {}
    }
    if !text.is_ascii() {
        found.insert(Oddity::Unicode);
    }
}

/// A row for which the engines disagree.
#[derive(Debug)]
pub struct Difference {
    /// The row's key, or its place.
    pub row: String,
    pub expected: Answer<Option<String>>,
    pub given: Answer<Value>,
    /// What is awkward about the row.
    pub oddities: BTreeSet<Oddity>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {}: {:?}, not {:?} ({:?})", self.row, self.given, self.expected, self.oddities)
    }
}

impl Difference {
    fn has(&self, oddity: Oddity) -> bool {
        self.oddities.contains(&oddity)
    }

    /// Whether a day is beyond the years 1 to 9999, of the row or of the answer.
    fn is_far(&self) -> bool {
        self.has(Oddity::Far)
            || match &self.expected {
                Answer::Value(Some(text)) => text.ends_with("BC") || text.ends_with("infinity"),
                Answer::Error(error) => error.contains("out of range"),
                Answer::Value(None) => false,
            }
    }

    /// Whether one of the notes speaks of it.
    pub fn is_told(&self, notes: &[String]) -> bool {
        CORNERS.iter().any(|(words, explains)| notes.iter().any(|note| note.contains(words)) && explains(self))
    }

    /// Whether the two are numbers that differ in their last digits.
    fn is_close(&self) -> bool {
        self.distance().is_some_and(|(distance, size)| distance <= 1e-9 * size.max(1.0))
    }

    /// Whether the two are numbers that were rounded to different sides.
    fn is_rounded(&self) -> bool {
        self.distance().is_some_and(|(distance, size)| distance <= 1.0 + 1e-9 * size)
    }

    /// How far two numbers are from each other, and how large they are.
    fn distance(&self) -> Option<(f64, f64)> {
        let expected = match &self.expected {
            Answer::Value(Some(text)) => text.parse::<f64>().ok(),
            _ => None,
        };
        let given = match self.given {
            Answer::Value(Value::Real(value)) => Some(value),
            #[allow(clippy::cast_precision_loss, reason = "it is compared roughly")]
            Answer::Value(Value::Integer(value)) => Some(value as f64),
            _ => None,
        };
        let (expected, given) = (expected?, given?);
        Some(((expected - given).abs(), expected.abs()))
    }

    fn is_not_a_number(&self) -> bool {
        matches!(&self.expected, Answer::Value(Some(text)) if text == "NaN")
    }

    fn is_boolean(&self) -> bool {
        matches!(&self.expected, Answer::Value(Some(text)) if text == "true" || text == "false")
    }
}

/// Words of a note, and the differences that it explains.
type Corner = (&'static str, fn(&Difference) -> bool);

const CORNERS: &[Corner] = &[
    // The difference of two infinities is one.
    ("NaN", |difference| difference.has(Oddity::NotANumber) || difference.has(Oddity::Infinite)),
    ("ASCII", |difference| difference.has(Oddity::Unicode)),
    ("years 1 to 9999", Difference::is_far),
    ("first of two equal keys", |difference| difference.has(Oddity::EqualKeys)),
    ("floating point", |difference| difference.is_close() || difference.has(Oddity::Long)),
    ("floating point", |difference| {
        difference.is_boolean() && !difference.has(Oddity::NotANumber) && !difference.has(Oddity::Infinite)
    }),
    ("remainder: NaN", |difference| difference.is_not_a_number() && difference.given == Answer::Value(Value::Null)),
    ("it rounds a number that SQLite holds in floating point", Difference::is_rounded),
    ("it turns a number into a `numeric`", Difference::is_rounded),
    ("nearest double", |difference| difference.is_close()),
    ("last digits", |difference| difference.is_close()),
    ("remainder: FractionsOfASecond", |difference| difference.has(Oddity::Dropped)),
    // They stand where a collation is at work, and nowhere else.
    ("by the rules of a language", |difference| !matches!(difference.expected, Answer::Error(_))),
    ("takes different texts for equal", |difference| !matches!(difference.expected, Answer::Error(_))),
    ("takes texts for different that the collation", |difference| !matches!(difference.expected, Answer::Error(_))),
    ("drops", |difference| difference.has(Oddity::Dropped)),
    ("seconds of an infinite time", |difference| difference.has(Oddity::Far)),
    ("where a NaN comes out", |difference| difference.has(Oddity::NotANumber) || difference.is_not_a_number()),
    ("can have different texts", |difference| difference.has(Oddity::Spelling)),
    ("a sum past 64 bits", |difference| matches!(difference.given, Answer::Error(_))),
    ("which SQLite sorts by its text", |difference| difference.has(Oddity::Spelling)),
    ("stops with an error", |difference| matches!(difference.expected, Answer::Error(_))),
    ("without blanks", is_json_without_blanks),
];

fn is_json_without_blanks(difference: &Difference) -> bool {
    match (&difference.expected, &difference.given) {
        (Answer::Value(Some(expected)), Answer::Value(Value::Text(given))) => same_json(expected, given),
        _ => false,
    }
}
