//! The table of representations: how a SQLite target can keep a value, which types may be kept so, and what is left over.

use super::Remainder;
use crate::catalog::Shape;
use crate::fault::{self, Fault};
use serde::{Deserialize, Serialize};

/// The unit of an integer that counts from 1970-01-01 00:00:00 (UTC, or of the timestamp's unnamed zone).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

    /// How many of this unit make a second.
    pub fn per_second(self) -> i64 {
        1_000_000 / self.micros()
    }

    /// The unit that is really kept: this one, unless a deliberate bug takes another, in values and guards alike.
    pub(crate) fn kept(self) -> Self {
        match self {
            TimeUnit::Millis if fault::active(Fault::SecondsForMilliseconds) => TimeUnit::Seconds,
            unit => unit,
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

/// What a TEXT column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TextForm {
    /// The value, which is a text.
    Plain,
    /// The same, compared without case (ASCII).
    Nocase,
    /// A decimal as the server prints it.
    Decimal,
    /// A UUID: 36 characters, lower case.
    Uuid,
    /// A time in ISO 8601 with a blank as PostgreSQL prints it: `2026-01-31 12:00:00.5`.
    Iso8601,
    /// A time in ISO 8601 with `T`, and `Z` where the column has a time zone.
    Iso8601T,
    /// JSON as the server prints it; `CHECK (json_valid(c))`.
    Json,
    /// A JSON array.
    JsonArray,
    /// A JSON object.
    JsonObject,
    /// Any value as the server prints it, which its input function reads back.
    Server,
}

/// How the values of a column are kept in a SQLite target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Representation {
    /// INTEGER, the same number.
    Integer,
    /// INTEGER, 0 or 1.
    Boolean,
    /// REAL, the same number.
    Real,
    /// INTEGER for a decimal without fraction.
    DecimalInteger,
    /// REAL for a decimal.
    DecimalReal,
    /// INTEGER, a time as a count of that unit since 1970-01-01.
    Epoch(TimeUnit),
    /// BLOB.
    Blob,
    /// BLOB of 16 bytes.
    UuidBlob,
    /// TEXT of that form.
    Text(TextForm),
}

/// What a representation holds of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// The type cannot be kept so.
    Nothing,
    /// Every value.
    All,
    /// Every value but for what the ledger keeps.
    AllBut(Remainder),
}

/// A representation in the table.
struct Row {
    representation: Representation,
    /// Its name in project files, manifests and messages.
    name: &'static str,
    /// The declared type of the target's column; one of the words that a STRICT table knows.
    declared_type: &'static str,
    /// What it holds of a type that is no domain. What is not listed it does not hold.
    holds: fn(&Shape) -> Holds,
}

const fn row(
    representation: Representation,
    name: &'static str,
    declared_type: &'static str,
    holds: fn(&Shape) -> Holds,
) -> Row {
    Row { representation, name, declared_type, holds }
}

/// All of a type, if it is one that can be kept so.
fn all_if(is_one: bool) -> Holds {
    if is_one { Holds::All } else { Holds::Nothing }
}

/// Every representation, in the order in which they are documented and offered.
static TABLE: [Row; 20] = [
    row(Representation::Integer, "integer", "INTEGER", |shape| {
        all_if(matches!(shape, Shape::SmallInt | Shape::Integer | Shape::BigInt | Shape::Oid))
    }),
    row(Representation::Boolean, "boolean", "INTEGER", |shape| all_if(matches!(shape, Shape::Boolean))),
    row(Representation::Real, "real", "REAL", |shape| match shape {
        Shape::Real | Shape::Double => Holds::AllBut(Remainder::NanAndNegativeZero),
        _ => Holds::Nothing,
    }),
    row(Representation::DecimalInteger, "decimal-integer", "INTEGER", |shape| match shape {
        Shape::Numeric { precision_and_scale: Some((..=18, 0)) } => Holds::AllBut(Remainder::Nan),
        Shape::Numeric { .. } => Holds::AllBut(Remainder::BeyondIntegers),
        _ => Holds::Nothing,
    }),
    row(Representation::DecimalReal, "decimal-real", "REAL", |shape| match shape {
        Shape::Numeric { precision_and_scale: Some((..=15, 0..=15)) } => Holds::AllBut(Remainder::Nan),
        Shape::Numeric { .. } => Holds::AllBut(Remainder::BeyondDoubles),
        _ => Holds::Nothing,
    }),
    row(Representation::Text(TextForm::Decimal), "decimal-text", "TEXT", |shape| {
        all_if(matches!(shape, Shape::Numeric { .. }))
    }),
    row(Representation::Text(TextForm::Plain), "text", "TEXT", |shape| all_if(is_text(shape))),
    row(Representation::Text(TextForm::Nocase), "nocase-text", "TEXT", |shape| all_if(is_text(shape))),
    row(Representation::Blob, "blob", "BLOB", |shape| all_if(matches!(shape, Shape::Bytea))),
    row(Representation::Text(TextForm::Uuid), "uuid-text", "TEXT", |shape| all_if(matches!(shape, Shape::Uuid))),
    row(Representation::UuidBlob, "uuid-blob", "BLOB", |shape| all_if(matches!(shape, Shape::Uuid))),
    row(Representation::Epoch(TimeUnit::Seconds), "epoch-seconds", "INTEGER", |shape| match shape {
        Shape::Timestamp { precision: 0 } | Shape::TimestampTz { precision: 0 } | Shape::Date => Holds::All,
        Shape::Timestamp { .. } | Shape::TimestampTz { .. } => Holds::AllBut(Remainder::FractionsOfASecond),
        _ => Holds::Nothing,
    }),
    row(Representation::Epoch(TimeUnit::Millis), "epoch-millis", "INTEGER", |shape| match shape {
        Shape::Timestamp { precision: ..=3 } | Shape::TimestampTz { precision: ..=3 } | Shape::Date => Holds::All,
        Shape::Timestamp { .. } | Shape::TimestampTz { .. } => Holds::AllBut(Remainder::Microseconds),
        _ => Holds::Nothing,
    }),
    row(Representation::Epoch(TimeUnit::Micros), "epoch-micros", "INTEGER", |shape| match shape {
        Shape::Timestamp { .. } | Shape::TimestampTz { .. } => Holds::AllBut(Remainder::FarTimes),
        Shape::Date => Holds::AllBut(Remainder::FarDates),
        _ => Holds::Nothing,
    }),
    row(Representation::Text(TextForm::Iso8601), "iso8601", "TEXT", |shape| {
        all_if(matches!(shape, Shape::Timestamp { .. } | Shape::TimestampTz { .. } | Shape::Date))
    }),
    row(Representation::Text(TextForm::Iso8601T), "iso8601-t", "TEXT", |shape| {
        all_if(matches!(shape, Shape::Timestamp { .. } | Shape::TimestampTz { .. }))
    }),
    row(Representation::Text(TextForm::Json), "json", "TEXT", |shape| {
        all_if(matches!(shape, Shape::Json | Shape::Jsonb))
    }),
    row(Representation::Text(TextForm::JsonArray), "json-array", "TEXT", |shape| match shape {
        Shape::Array { .. } => Holds::AllBut(Remainder::BoundsAndElements),
        _ => Holds::Nothing,
    }),
    row(Representation::Text(TextForm::JsonObject), "json-object", "TEXT", |shape| match shape {
        Shape::Composite(_) | Shape::Hstore => Holds::AllBut(Remainder::Fields),
        _ => Holds::Nothing,
    }),
    row(Representation::Text(TextForm::Server), "server-text", "TEXT", |_| Holds::All),
];

/// Whether values of the type are texts.
fn is_text(shape: &Shape) -> bool {
    matches!(
        shape,
        Shape::Text | Shape::VarChar { .. } | Shape::Char { .. } | Shape::Citext | Shape::Name | Shape::Enum(_)
    )
}

impl Representation {
    /// Every representation, in the order in which they are documented.
    pub fn all() -> impl Iterator<Item = Representation> {
        TABLE.iter().map(|row| row.representation)
    }

    /// The one that a type takes when nobody says otherwise. No type is without one: what has none of its own travels
    /// as the server's text.
    pub fn default_for(shape: &Shape) -> Representation {
        match shape {
            Shape::Boolean => Representation::Boolean,
            Shape::SmallInt | Shape::Integer | Shape::BigInt | Shape::Oid => Representation::Integer,
            Shape::Real | Shape::Double => Representation::Real,
            Shape::Numeric { .. } => [Representation::DecimalInteger, Representation::DecimalReal]
                .into_iter()
                .find(|number| number.remainder(shape).is_none_or(|remainder| !remainder.drops_digits()))
                .unwrap_or(Representation::Text(TextForm::Decimal)),
            Shape::Text | Shape::VarChar { .. } | Shape::Char { .. } | Shape::Name | Shape::Enum(_) => {
                Representation::Text(TextForm::Plain)
            }
            Shape::Citext => Representation::Text(TextForm::Nocase),
            Shape::Bytea => Representation::Blob,
            Shape::Uuid => Representation::Text(TextForm::Uuid),
            Shape::Timestamp { precision } | Shape::TimestampTz { precision } => {
                Representation::Epoch(TimeUnit::for_precision(*precision))
            }
            Shape::Date => Representation::Text(TextForm::Iso8601),
            Shape::Json | Shape::Jsonb => Representation::Text(TextForm::Json),
            Shape::Array { .. } => Representation::Text(TextForm::JsonArray),
            Shape::Composite(_) | Shape::Hstore => Representation::Text(TextForm::JsonObject),
            Shape::Domain(domain) => Representation::default_for(&domain.base.shape),
            Shape::Xml | Shape::Other => Representation::Text(TextForm::Server),
        }
    }

    /// Those that a type may take, its default first.
    pub fn choices_for(shape: &Shape) -> Vec<Representation> {
        let default = Representation::default_for(shape);
        let others = TABLE.iter().filter(|row| (row.holds)(shape.base()) != Holds::Nothing);
        let others = others.map(|row| row.representation).filter(|other| *other != default);
        std::iter::once(default).chain(others).collect()
    }

    fn row(self) -> &'static Row {
        let row = TABLE.iter().find(|row| row.representation == self);
        // A test lists them all, and does not compile without a new one.
        row.unwrap_or_else(|| unreachable!("every representation has a row"))
    }

    /// Its name in a project file.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Representation> {
        TABLE.iter().find(|row| row.name == name).map(|row| row.representation)
    }

    /// The declared type of the target's column; one of the words that a STRICT table knows.
    pub fn declared_type(self) -> &'static str {
        self.row().declared_type
    }

    /// What it cannot hold of that type and the ledger keeps; `None` where every value is held exactly.
    pub fn remainder(self, shape: &Shape) -> Option<Remainder> {
        match (self.row().holds)(shape.base()) {
            Holds::AllBut(remainder) => Some(remainder),
            Holds::All | Holds::Nothing => None,
        }
    }

    /// The unit of a time that is kept as an integer.
    pub fn time_unit(self) -> Option<TimeUnit> {
        match self {
            Representation::Epoch(unit) => Some(unit),
            _ => None,
        }
    }

    /// Whether its texts are JSON.
    pub fn is_json(self) -> bool {
        matches!(self, Representation::Text(TextForm::Json | TextForm::JsonArray | TextForm::JsonObject))
    }
}

impl Serialize for Representation {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Representation {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Representation::named(&name).ok_or_else(|| {
            let known: Vec<_> = Representation::all().map(|one| format!("`{}`", one.name())).collect();
            serde::de::Error::custom(format!("unknown rule `{name}`, expected one of {}", known.join(", ")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The one behind it in the table.
    fn next(representation: Representation) -> Option<Representation> {
        Some(match representation {
            Representation::Integer => Representation::Boolean,
            Representation::Boolean => Representation::Real,
            Representation::Real => Representation::DecimalInteger,
            Representation::DecimalInteger => Representation::DecimalReal,
            Representation::DecimalReal => Representation::Text(TextForm::Decimal),
            Representation::Blob => Representation::Text(TextForm::Uuid),
            Representation::UuidBlob => Representation::Epoch(TimeUnit::Seconds),
            Representation::Epoch(TimeUnit::Seconds) => Representation::Epoch(TimeUnit::Millis),
            Representation::Epoch(TimeUnit::Millis) => Representation::Epoch(TimeUnit::Micros),
            Representation::Epoch(TimeUnit::Micros) => Representation::Text(TextForm::Iso8601),
            Representation::Text(form) => match form {
                TextForm::Decimal => Representation::Text(TextForm::Plain),
                TextForm::Plain => Representation::Text(TextForm::Nocase),
                TextForm::Nocase => Representation::Blob,
                TextForm::Uuid => Representation::UuidBlob,
                TextForm::Iso8601 => Representation::Text(TextForm::Iso8601T),
                TextForm::Iso8601T => Representation::Text(TextForm::Json),
                TextForm::Json => Representation::Text(TextForm::JsonArray),
                TextForm::JsonArray => Representation::Text(TextForm::JsonObject),
                TextForm::JsonObject => Representation::Text(TextForm::Server),
                TextForm::Server => return None,
            },
        })
    }

    #[test]
    fn every_representation_has_one_row_and_a_name_of_its_own() {
        let all: Vec<_> = Representation::all().collect();
        let listed: Vec<_> = std::iter::successors(Some(all[0]), |one| next(*one)).collect();
        assert_eq!(all, listed);
        for representation in all {
            assert_eq!(Representation::named(representation.name()), Some(representation));
        }
        assert_eq!(Representation::named("nonsense"), None);
    }

    #[test]
    fn decimals_take_the_narrowest_exact_representation() {
        let of = |precision, scale| {
            Representation::default_for(&Shape::Numeric { precision_and_scale: Some((precision, scale)) }).name()
        };
        assert_eq!(of(18, 0), "decimal-integer");
        assert_eq!(of(19, 0), "decimal-text");
        assert_eq!(of(15, 2), "decimal-real");
        assert_eq!(of(16, 2), "decimal-text");
        assert_eq!(of(3, 15), "decimal-real");
        assert_eq!(of(3, 16), "decimal-text");
        assert_eq!(of(2, -3), "decimal-text");
        assert_eq!(
            Representation::default_for(&Shape::Numeric { precision_and_scale: None }),
            Representation::Text(TextForm::Decimal)
        );
    }
}
