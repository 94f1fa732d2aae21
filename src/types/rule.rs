//! The rule table: which representations exist, which types take them, and what each one cannot hold.

use crate::catalog::Shape;
use crate::fault::{self, Fault};
use serde::{Deserialize, Serialize};

/// The unit of an integer that counts from 1970-01-01 00:00:00 (UTC, or of the timestamp's unnamed zone).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
}

impl TimeUnit {
    /// How many microseconds one unit has.
    pub fn micros(self) -> i64 {
        match self {
            TimeUnit::Seconds => 1_000_000,
            TimeUnit::Millis => 1_000,
            TimeUnit::Micros => 1,
        }
    }

    /// The coarsest unit that holds every value of so many digits behind the second.
    pub fn for_precision(precision: u8) -> Self {
        match precision {
            0 => TimeUnit::Seconds,
            1..=3 => TimeUnit::Millis,
            _ => TimeUnit::Micros,
        }
    }
}

/// How the values of a column are represented in a SQLite target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// INTEGER, the same number.
    Integer,
    /// INTEGER, 0 or 1.
    Boolean,
    /// REAL, the same number; NaN and -0.0 go to the ledger.
    Real,
    /// INTEGER for a decimal without fraction; NaN goes to the ledger.
    DecimalInteger,
    /// REAL for a decimal; what 15 significant digits cannot hold goes to the ledger.
    DecimalReal,
    /// TEXT, the decimal's own text.
    DecimalText,
    /// TEXT.
    Text,
    /// TEXT compared without case (ASCII).
    NocaseText,
    /// BLOB.
    Blob,
    /// TEXT, 36 characters, lower case.
    UuidText,
    /// BLOB of 16 bytes.
    UuidBlob,
    /// INTEGER, seconds since 1970-01-01; fractions go to the ledger.
    EpochSeconds,
    /// INTEGER, milliseconds since 1970-01-01; microseconds go to the ledger.
    EpochMillis,
    /// INTEGER, microseconds since 1970-01-01.
    EpochMicros,
    /// TEXT, ISO 8601 with a blank as PostgreSQL prints it: `2026-01-31 12:00:00.5`.
    Iso8601,
    /// TEXT, ISO 8601 with `T`, and `Z` where the column has a time zone.
    Iso8601T,
    /// TEXT, `CHECK (json_valid(c))`.
    Json,
    /// TEXT, a JSON array; lower bounds other than 1 go to the ledger.
    JsonArray,
    /// TEXT, a JSON object.
    JsonObject,
    /// TEXT, the server's own output, which its input function reads back.
    ServerText,
}

impl Rule {
    /// Every rule, in the order in which they are documented.
    pub const ALL: [Rule; 20] = [
        Rule::Integer,
        Rule::Boolean,
        Rule::Real,
        Rule::DecimalInteger,
        Rule::DecimalReal,
        Rule::DecimalText,
        Rule::Text,
        Rule::NocaseText,
        Rule::Blob,
        Rule::UuidText,
        Rule::UuidBlob,
        Rule::EpochSeconds,
        Rule::EpochMillis,
        Rule::EpochMicros,
        Rule::Iso8601,
        Rule::Iso8601T,
        Rule::Json,
        Rule::JsonArray,
        Rule::JsonObject,
        Rule::ServerText,
    ];

    /// The rule that a type takes when nobody says otherwise. No type is without one: what has no rule of its own
    /// travels as the server's text.
    pub fn default_for(shape: &Shape) -> Rule {
        match shape {
            Shape::Boolean => Rule::Boolean,
            Shape::SmallInt | Shape::Integer | Shape::BigInt | Shape::Oid => Rule::Integer,
            Shape::Real | Shape::Double => Rule::Real,
            Shape::Numeric { precision_and_scale } => match precision_and_scale {
                Some((precision, 0)) if *precision <= 18 => Rule::DecimalInteger,
                Some((precision, scale)) if *scale > 0 && (*precision).max(*scale) <= 15 => Rule::DecimalReal,
                _ => Rule::DecimalText,
            },
            Shape::Text | Shape::VarChar { .. } | Shape::Char { .. } | Shape::Name | Shape::Enum(_) => Rule::Text,
            Shape::Citext => Rule::NocaseText,
            Shape::Bytea => Rule::Blob,
            Shape::Uuid => Rule::UuidText,
            Shape::Timestamp { precision } | Shape::TimestampTz { precision } => {
                match TimeUnit::for_precision(*precision) {
                    TimeUnit::Seconds => Rule::EpochSeconds,
                    TimeUnit::Millis => Rule::EpochMillis,
                    TimeUnit::Micros => Rule::EpochMicros,
                }
            }
            Shape::Date => Rule::Iso8601,
            Shape::Json | Shape::Jsonb => Rule::Json,
            Shape::Array { .. } => Rule::JsonArray,
            Shape::Composite(_) | Shape::Hstore => Rule::JsonObject,
            Shape::Domain(domain) => Rule::default_for(&domain.base.shape),
            Shape::Xml | Shape::Other => Rule::ServerText,
        }
    }

    /// The rules that a type may take, its default first.
    pub fn choices_for(shape: &Shape) -> Vec<Rule> {
        let mut choices = vec![Rule::default_for(shape)];
        let more: &[Rule] = match shape {
            Shape::Domain(domain) => return Rule::choices_for(&domain.base.shape),
            Shape::Numeric { .. } => &[Rule::DecimalInteger, Rule::DecimalReal, Rule::DecimalText],
            Shape::Uuid => &[Rule::UuidText, Rule::UuidBlob],
            Shape::Timestamp { .. } | Shape::TimestampTz { .. } => {
                &[Rule::EpochSeconds, Rule::EpochMillis, Rule::EpochMicros, Rule::Iso8601, Rule::Iso8601T]
            }
            Shape::Date => &[Rule::Iso8601, Rule::EpochSeconds, Rule::EpochMillis, Rule::EpochMicros],
            Shape::Citext => &[Rule::NocaseText, Rule::Text],
            Shape::Text | Shape::VarChar { .. } | Shape::Char { .. } | Shape::Name | Shape::Enum(_) => {
                &[Rule::Text, Rule::NocaseText]
            }
            _ => &[],
        };
        for rule in more.iter().copied().chain([Rule::ServerText]) {
            if !choices.contains(&rule) {
                choices.push(rule);
            }
        }
        choices
    }

    /// The rule's name in a project file.
    pub fn name(self) -> &'static str {
        match self {
            Rule::Integer => "integer",
            Rule::Boolean => "boolean",
            Rule::Real => "real",
            Rule::DecimalInteger => "decimal-integer",
            Rule::DecimalReal => "decimal-real",
            Rule::DecimalText => "decimal-text",
            Rule::Text => "text",
            Rule::NocaseText => "nocase-text",
            Rule::Blob => "blob",
            Rule::UuidText => "uuid-text",
            Rule::UuidBlob => "uuid-blob",
            Rule::EpochSeconds => "epoch-seconds",
            Rule::EpochMillis => "epoch-millis",
            Rule::EpochMicros => "epoch-micros",
            Rule::Iso8601 => "iso8601",
            Rule::Iso8601T => "iso8601-t",
            Rule::Json => "json",
            Rule::JsonArray => "json-array",
            Rule::JsonObject => "json-object",
            Rule::ServerText => "server-text",
        }
    }

    /// The rule of that name.
    pub fn named(name: &str) -> Option<Rule> {
        Rule::ALL.into_iter().find(|rule| rule.name() == name)
    }

    /// The declared type of the target's column; one of the words that a STRICT table knows.
    pub fn declared_type(self) -> &'static str {
        match self {
            Rule::Integer
            | Rule::Boolean
            | Rule::DecimalInteger
            | Rule::EpochSeconds
            | Rule::EpochMillis
            | Rule::EpochMicros => "INTEGER",
            Rule::Real | Rule::DecimalReal => "REAL",
            Rule::Blob | Rule::UuidBlob => "BLOB",
            _ => "TEXT",
        }
    }

    /// The unit of a rule that keeps a time as an integer.
    pub fn time_unit(self) -> Option<TimeUnit> {
        match self {
            Rule::EpochSeconds => Some(TimeUnit::Seconds),
            Rule::EpochMillis if fault::active(Fault::SecondsForMilliseconds) => Some(TimeUnit::Seconds),
            Rule::EpochMillis => Some(TimeUnit::Millis),
            Rule::EpochMicros => Some(TimeUnit::Micros),
            _ => None,
        }
    }

    /// What the rule cannot hold of that type and the ledger keeps; `None` where every value is held exactly.
    pub fn remainder(self, shape: &Shape) -> Option<&'static str> {
        let shape = if let Shape::Domain(domain) = shape { &domain.base.base().shape } else { shape };
        match (self, shape) {
            (Rule::Real, _) => Some("NaN and -0.0"),
            (Rule::DecimalInteger, Shape::Numeric { precision_and_scale: Some((p, 0)) }) if *p <= 18 => Some("NaN"),
            (Rule::DecimalInteger, _) => Some("fractions, NaN, infinities and numbers beyond 18 digits"),
            (Rule::DecimalReal, Shape::Numeric { precision_and_scale: Some((p, s)) }) if *s >= 0 && *p.max(s) <= 15 => {
                Some("NaN")
            }
            (Rule::DecimalReal, _) => Some("digits beyond the fifteenth, the scale, NaN"),
            (Rule::EpochSeconds, Shape::Timestamp { precision: 0 } | Shape::TimestampTz { precision: 0 }) => None,
            (Rule::EpochSeconds, Shape::Timestamp { .. } | Shape::TimestampTz { .. }) => Some("fractions of a second"),
            (Rule::EpochMillis, Shape::Timestamp { precision: 4.. } | Shape::TimestampTz { precision: 4.. }) => {
                Some("microseconds")
            }
            (Rule::EpochMicros, Shape::Timestamp { .. } | Shape::TimestampTz { .. }) => {
                Some("times after the year 294246")
            }
            (Rule::EpochMicros, Shape::Date) => Some("dates after the year 294246"),
            (Rule::JsonArray, _) => Some("lower bounds other than 1, and element text that JSON would not give back"),
            (Rule::JsonObject, _) => Some("field text that JSON would not give back"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_a_name_of_its_own() {
        for rule in Rule::ALL {
            assert_eq!(Rule::named(rule.name()), Some(rule));
        }
        assert_eq!(Rule::named("nonsense"), None);
    }

    #[test]
    fn decimals_take_the_narrowest_exact_rule() {
        let rule =
            |precision, scale| Rule::default_for(&Shape::Numeric { precision_and_scale: Some((precision, scale)) });
        assert_eq!(rule(18, 0), Rule::DecimalInteger);
        assert_eq!(rule(19, 0), Rule::DecimalText);
        assert_eq!(rule(15, 2), Rule::DecimalReal);
        assert_eq!(rule(16, 2), Rule::DecimalText);
        assert_eq!(rule(3, 15), Rule::DecimalReal);
        assert_eq!(rule(3, 16), Rule::DecimalText);
        assert_eq!(rule(2, -3), Rule::DecimalText);
        assert_eq!(Rule::default_for(&Shape::Numeric { precision_and_scale: None }), Rule::DecimalText);
    }
}
