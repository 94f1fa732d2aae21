//! The kinds of values that columns and translated expressions have.
//!
//! A kind says both what the value means in PostgreSQL and how the SQLite expression holds it.

use crate::catalog::Shape;
use crate::types::{Representation, TextForm, TimeUnit};

/// What a column or an expression yields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A literal without a type, or NULL.
    Unknown,
    /// `boolean` as 0 and 1.
    Boolean,
    /// `smallint`, `integer`, `bigint`, `oid` as INTEGER.
    Integer {
        /// At most so many: up to 5 where it is a `smallint`, up to 10 an `integer`, else a `bigint`.
        digits: u32,
    },
    /// `double precision` as REAL; NaN is NULL and in the ledger.
    Real,
    /// `real` as REAL: each value widened to a double without change.
    SingleReal,
    /// A `numeric` as an integer: the value times `10^scale`. Of a column the scale is 0, and NaN is NULL and in the
    /// ledger.
    Scaled {
        /// Digits in all.
        digits: u32,
        /// Digits after the point.
        scale: u32,
    },
    /// A `numeric(p, s)`, p ≤ 15, as its nearest double; NaN is NULL and in the ledger.
    DecimalReal {
        /// Digits in all.
        precision: u32,
        /// Digits after the point.
        scale: u32,
    },
    /// Any other `numeric` as PostgreSQL's own text, `NaN`, `Infinity` and `-Infinity` among it.
    DecimalText {
        /// Digits after the point, where the type fixes them.
        scale: Option<u32>,
    },
    /// A `numeric` in floating point; in views only.
    Approximate,
    /// `text`, `varchar`, `name` as TEXT.
    Text,
    /// `char(n)` as TEXT without its trailing blanks.
    PaddedText,
    /// `citext` as TEXT COLLATE NOCASE.
    NocaseText,
    /// An enum as its label.
    Enum {
        /// The labels, lowest first.
        labels: Vec<String>,
    },
    /// `uuid` as 36 lower-case characters.
    Uuid,
    /// `bytea` as BLOB.
    Blob,
    /// `timestamp` or `timestamptz` as an integer since 1970-01-01 (UTC); ±infinity as the extreme integers.
    Epoch {
        /// The unit.
        unit: TimeUnit,
        /// Whether it is a `timestamptz`.
        with_zone: bool,
    },
    /// `timestamp` or `timestamptz` as PostgreSQL's ISO text under TimeZone UTC.
    IsoTimestamp {
        /// Whether it is a `timestamptz`; the text then ends in `+00`.
        with_zone: bool,
    },
    /// A timestamp literal, which has no representation until it meets one; its constant is its text.
    TimestampLiteral {
        /// Whether it is a `timestamptz`.
        with_zone: bool,
    },
    /// The current time, which has no representation until it meets one.
    Clock {
        /// Whether it is a `timestamptz`.
        with_zone: bool,
    },
    /// The current time moved by an interval.
    Moved {
        /// The interval's months.
        months: i64,
        /// Its days.
        days: i64,
        /// What is below a day.
        microseconds: i64,
        /// Whether it is a `timestamptz`.
        with_zone: bool,
    },
    /// `date` as PostgreSQL's ISO text.
    Date,
    /// An interval of days and less, as an integer of that unit.
    Duration {
        /// The unit.
        unit: TimeUnit,
    },
    /// `json` or `jsonb` as PostgreSQL's text.
    Json {
        /// Whether it is a `jsonb`.
        binary: bool,
    },
    /// What `->>` takes out of a JSON text.
    JsonText,
    /// An array as JSON text.
    JsonArray,
    /// A composite value as text, whatever its form.
    Composite,
    /// Anything else as the server's own text, or in a form that no expression knows how to read.
    ServerText,
}

impl Kind {
    /// The kind of a column of that type in that representation.
    pub fn of(shape: &Shape, representation: Representation) -> Kind {
        let digits = |number: i32| u32::try_from(number).unwrap_or(0);
        match (representation, shape.base()) {
            (_, Shape::Composite(_)) => Kind::Composite,
            (Representation::Integer, Shape::SmallInt) => Kind::Integer { digits: 5 },
            (Representation::Integer, Shape::Integer) => Kind::Integer { digits: 10 },
            (Representation::Integer, _) => Kind::Integer { digits: 19 },
            (Representation::Boolean, _) => Kind::Boolean,
            (Representation::Real, Shape::Real) => Kind::SingleReal,
            (Representation::Real, _) => Kind::Real,
            (Representation::DecimalInteger, Shape::Numeric { precision_and_scale: Some((precision, 0)) }) => {
                Kind::Scaled { digits: digits(*precision), scale: 0 }
            }
            (Representation::DecimalReal, Shape::Numeric { precision_and_scale: Some((precision @ ..=15, scale)) })
                if *scale >= 0 =>
            {
                Kind::DecimalReal { precision: digits(*precision), scale: digits(*scale) }
            }
            (Representation::Text(TextForm::Decimal), Shape::Numeric { precision_and_scale }) => {
                Kind::DecimalText { scale: precision_and_scale.map(|(_, scale)| digits(scale)) }
            }
            // Blanks at its end are kept, and the source compares without them: nothing of SQLite does that.
            (Representation::Text(TextForm::Plain), Shape::Char { length: None }) => Kind::ServerText,
            (Representation::Text(TextForm::Plain), Shape::Char { .. }) => Kind::PaddedText,
            (Representation::Text(TextForm::Plain), Shape::Enum(enumeration)) => {
                Kind::Enum { labels: enumeration.labels.clone() }
            }
            (Representation::Text(TextForm::Plain), Shape::Text | Shape::VarChar { .. } | Shape::Name) => Kind::Text,
            (Representation::Text(TextForm::Nocase), Shape::Citext) => Kind::NocaseText,
            (Representation::Blob, _) => Kind::Blob,
            (Representation::Text(TextForm::Uuid), _) => Kind::Uuid,
            (Representation::Epoch(unit), Shape::Timestamp { .. }) => {
                Kind::Epoch { unit: unit.kept(), with_zone: false }
            }
            (Representation::Epoch(unit), Shape::TimestampTz { .. }) => {
                Kind::Epoch { unit: unit.kept(), with_zone: true }
            }
            (Representation::Text(TextForm::Iso8601), Shape::Date) => Kind::Date,
            (Representation::Text(TextForm::Iso8601), Shape::Timestamp { .. }) => {
                Kind::IsoTimestamp { with_zone: false }
            }
            (Representation::Text(TextForm::Iso8601), Shape::TimestampTz { .. }) => {
                Kind::IsoTimestamp { with_zone: true }
            }
            (Representation::Text(TextForm::Json), shape) => Kind::Json { binary: matches!(shape, Shape::Jsonb) },
            (Representation::Text(TextForm::JsonArray), _) => Kind::JsonArray,
            (
                Representation::DecimalInteger
                | Representation::DecimalReal
                | Representation::Epoch(_)
                | Representation::UuidBlob
                | Representation::Text(
                    TextForm::Plain
                    | TextForm::Nocase
                    | TextForm::Decimal
                    | TextForm::Iso8601
                    | TextForm::Iso8601T
                    | TextForm::JsonObject
                    | TextForm::Server,
                ),
                _,
            ) => Kind::ServerText,
        }
    }

    /// The kind of a column that keeps an expression of this one: a view's.
    pub(super) fn as_column(&self) -> Kind {
        match self {
            Kind::Unknown | Kind::JsonText => Kind::Text,
            Kind::Integer { digits: 0..=5 } => Kind::Integer { digits: 5 },
            Kind::Integer { digits: 6..=10 } => Kind::Integer { digits: 10 },
            Kind::Integer { .. } => Kind::Integer { digits: 19 },
            Kind::Scaled { digits, .. } => Kind::Scaled { digits: *digits, scale: 0 },
            Kind::Duration { .. } | Kind::TimestampLiteral { .. } | Kind::Clock { .. } | Kind::Moved { .. } => {
                Kind::ServerText
            }
            Kind::Boolean
            | Kind::Real
            | Kind::SingleReal
            | Kind::DecimalReal { .. }
            | Kind::DecimalText { .. }
            | Kind::Approximate
            | Kind::Text
            | Kind::PaddedText
            | Kind::NocaseText
            | Kind::Enum { .. }
            | Kind::Uuid
            | Kind::Blob
            | Kind::Epoch { .. }
            | Kind::IsoTimestamp { .. }
            | Kind::Date
            | Kind::Json { .. }
            | Kind::JsonArray
            | Kind::Composite
            | Kind::ServerText => self.clone(),
        }
    }

    /// What the kind is called in a message.
    pub(super) fn words(&self) -> &'static str {
        match self {
            Kind::Unknown => "a literal",
            Kind::Boolean => "a boolean",
            Kind::Integer { .. } => "an integer",
            Kind::Real => "a double",
            Kind::SingleReal => "a `real`",
            Kind::Scaled { .. } | Kind::DecimalReal { .. } | Kind::Approximate => "a `numeric`",
            Kind::DecimalText { .. } => "a `numeric` kept as text",
            Kind::Text => "a text",
            Kind::PaddedText => "a `char(n)`",
            Kind::NocaseText => "a `citext`",
            Kind::Enum { .. } => "an enum",
            Kind::Uuid => "a `uuid`",
            Kind::Blob => "a `bytea`",
            Kind::Epoch { .. } => "a timestamp kept as an integer",
            Kind::IsoTimestamp { .. } => "a timestamp kept as text",
            Kind::TimestampLiteral { .. } => "a timestamp literal",
            Kind::Clock { .. } | Kind::Moved { .. } => "the current time",
            Kind::Date => "a date",
            Kind::Duration { .. } => "an interval",
            Kind::Json { .. } => "a JSON value",
            Kind::JsonText => "a text out of a JSON value",
            Kind::JsonArray => "an array",
            Kind::Composite => "a composite value",
            Kind::ServerText => "a value kept as the server's text",
        }
    }

    /// Whether its values are texts, which a collation compares.
    pub(super) fn is_text(&self) -> bool {
        matches!(self, Kind::Unknown | Kind::Text | Kind::PaddedText | Kind::NocaseText | Kind::JsonText)
    }

    pub(super) fn is_numeric(&self) -> bool {
        matches!(
            self,
            Kind::Integer { .. }
                | Kind::Scaled { .. }
                | Kind::DecimalReal { .. }
                | Kind::DecimalText { .. }
                | Kind::Approximate
        )
    }
}
