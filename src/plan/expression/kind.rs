//! The kinds of values that a translated expression has, and the translated expression itself.
//!
//! A kind says both what the value means in PostgreSQL and how the SQLite expression holds it.

use super::decimal::Decimal;
use super::scope::{ColumnForm, EpochUnit, Stored};
use crate::catalog::TextOrder;

/// What a translated expression yields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A literal without a type, or NULL.
    Unknown,
    Boolean,
    /// An integer of at most so many digits: up to 5 where it is a `smallint`, up to 10 an `integer`, else a `bigint`.
    Integer {
        digits: u32,
    },
    /// `double precision`.
    Real,
    /// `real`.
    SingleReal,
    /// A `numeric` as an integer: the value times `10^scale`.
    Scaled {
        digits: u32,
        scale: u32,
    },
    /// A `numeric` as its nearest double.
    DecimalReal {
        precision: u32,
        scale: u32,
    },
    /// A `numeric` as PostgreSQL's text.
    DecimalText {
        scale: Option<u32>,
    },
    /// A `numeric` in floating point; in views only.
    Approximate,
    Text,
    PaddedText,
    NocaseText,
    Enum {
        labels: Vec<String>,
    },
    Uuid,
    Blob,
    Epoch {
        unit: EpochUnit,
        with_zone: bool,
    },
    IsoTimestamp {
        with_zone: bool,
    },
    /// A timestamp literal, which has no representation until it meets one; its constant is its text.
    TimestampLiteral {
        with_zone: bool,
    },
    /// The current time, which has no representation until it meets one.
    Clock {
        with_zone: bool,
    },
    /// The current time moved by an interval.
    Moved {
        months: i64,
        days: i64,
        microseconds: i64,
        with_zone: bool,
    },
    Date,
    /// An interval of days and less, as an integer of that unit.
    Duration {
        unit: EpochUnit,
    },
    Json {
        binary: bool,
    },
    /// What `->>` takes out of a JSON text.
    JsonText,
    JsonArray,
    Composite,
    ServerText,
}

impl Kind {
    pub fn of(stored: &Stored) -> Kind {
        match stored {
            Stored::Integer { bytes } => Kind::Integer {
                digits: match bytes {
                    0..=2 => 5,
                    3..=4 => 10,
                    _ => 19,
                },
            },
            Stored::Boolean => Kind::Boolean,
            Stored::Real => Kind::Real,
            Stored::SingleReal => Kind::SingleReal,
            Stored::DecimalInteger { precision } => Kind::Scaled { digits: *precision, scale: 0 },
            Stored::DecimalReal { precision, scale } => Kind::DecimalReal { precision: *precision, scale: *scale },
            Stored::DecimalText { scale } => Kind::DecimalText { scale: *scale },
            Stored::Approximate => Kind::Approximate,
            Stored::Text => Kind::Text,
            Stored::PaddedText => Kind::PaddedText,
            Stored::NocaseText => Kind::NocaseText,
            Stored::Enum { labels } => Kind::Enum { labels: labels.clone() },
            Stored::Uuid => Kind::Uuid,
            Stored::Blob => Kind::Blob,
            Stored::Epoch { unit, with_zone } => Kind::Epoch { unit: *unit, with_zone: *with_zone },
            Stored::IsoTimestamp { with_zone } => Kind::IsoTimestamp { with_zone: *with_zone },
            Stored::Date => Kind::Date,
            Stored::Json { binary } => Kind::Json { binary: *binary },
            Stored::JsonArray => Kind::JsonArray,
            Stored::Composite => Kind::Composite,
            Stored::ServerText => Kind::ServerText,
        }
    }

    /// How a view's column of this kind is kept; `None` where it has to be brought into another kind first.
    pub fn stored(&self) -> Stored {
        match self {
            Kind::Unknown | Kind::Text | Kind::JsonText => Stored::Text,
            Kind::Boolean => Stored::Boolean,
            Kind::Integer { digits } => Stored::Integer {
                bytes: match digits {
                    0..=5 => 2,
                    6..=10 => 4,
                    _ => 8,
                },
            },
            Kind::Real => Stored::Real,
            Kind::Approximate => Stored::Approximate,
            Kind::SingleReal => Stored::SingleReal,
            Kind::Scaled { digits, .. } => Stored::DecimalInteger { precision: *digits },
            Kind::DecimalReal { precision, scale } => Stored::DecimalReal { precision: *precision, scale: *scale },
            Kind::DecimalText { scale } => Stored::DecimalText { scale: *scale },
            Kind::PaddedText => Stored::PaddedText,
            Kind::NocaseText => Stored::NocaseText,
            Kind::Enum { labels } => Stored::Enum { labels: labels.clone() },
            Kind::Uuid => Stored::Uuid,
            Kind::Blob => Stored::Blob,
            Kind::Epoch { unit, with_zone } => Stored::Epoch { unit: *unit, with_zone: *with_zone },
            Kind::IsoTimestamp { with_zone } => Stored::IsoTimestamp { with_zone: *with_zone },
            Kind::Date => Stored::Date,
            Kind::Json { binary } => Stored::Json { binary: *binary },
            Kind::JsonArray => Stored::JsonArray,
            Kind::Composite => Stored::Composite,
            Kind::Duration { .. }
            | Kind::TimestampLiteral { .. }
            | Kind::Clock { .. }
            | Kind::Moved { .. }
            | Kind::ServerText => Stored::ServerText,
        }
    }

    /// What the kind is called in a message.
    pub fn words(&self) -> &'static str {
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
    pub fn is_text(&self) -> bool {
        matches!(self, Kind::Unknown | Kind::Text | Kind::PaddedText | Kind::NocaseText | Kind::JsonText)
    }

    pub fn is_numeric(&self) -> bool {
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

/// The value of an expression that is known when it is translated.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Constant {
    Null,
    Boolean(bool),
    Number(Decimal),
    Double(f64),
    Text(String),
    /// Months, and microseconds for days and less.
    Interval {
        months: i64,
        days: i64,
        microseconds: i64,
    },
}

/// By which collation the source compares a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Collated {
    /// What it makes of texts; `None` for the database's own.
    pub order: Option<TextOrder>,
    /// Whether a COLLATE of the expression itself says so.
    pub explicit: bool,
}

impl Collated {
    /// The collation of two texts together: the explicit one, else the one that is not the database's. Of two different
    /// ones PostgreSQL takes none.
    pub fn with(self, other: Collated) -> Collated {
        match (self.explicit, other.explicit) {
            (true, false) => self,
            (false, true) => other,
            (explicit, _) => Collated { order: self.order.max(other.order), explicit },
        }
    }
}

/// A translated expression. `sql` is atomic: it may stand anywhere without further parentheses.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Term {
    pub sql: String,
    pub kind: Kind,
    pub constant: Option<Constant>,
    /// Whether it can be NULL.
    pub not_null: bool,
    /// Whether it is a bare column.
    pub is_column: bool,
    /// Whether a NaN of the source, kept as NULL, may be in it.
    pub may_be_nan: bool,
    /// Of a condition: whether PostgreSQL may find it false because of such a NaN, where it is NULL here.
    pub nan_fails: bool,
    /// Of a condition: whether PostgreSQL may find it true because of such a NaN, where it is NULL here.
    pub nan_passes: bool,
    /// Whether a representation that drops something is in it.
    pub inexact: bool,
    /// The collation of a text.
    pub collated: Collated,
}

impl Term {
    pub fn new(sql: impl Into<String>, kind: Kind) -> Term {
        Term {
            sql: sql.into(),
            kind,
            constant: None,
            not_null: false,
            is_column: false,
            may_be_nan: false,
            nan_fails: false,
            nan_passes: false,
            inexact: false,
            collated: Collated::default(),
        }
    }

    pub fn null() -> Term {
        Term { constant: Some(Constant::Null), ..Term::new("NULL", Kind::Unknown) }
    }

    pub fn constant(sql: impl Into<String>, kind: Kind, constant: Constant) -> Term {
        Term { constant: Some(constant), not_null: true, ..Term::new(sql, kind) }
    }

    pub fn column(sql: String, form: &ColumnForm) -> Term {
        Term {
            not_null: form.not_null,
            is_column: true,
            may_be_nan: form.may_be_nan,
            nan_fails: form.may_be_nan,
            nan_passes: form.may_be_nan,
            inexact: !form.exact,
            collated: Collated { order: form.collation, explicit: false },
            ..Term::new(sql, Kind::of(&form.stored))
        }
    }

    /// A term made of others: it may be NULL or NaN where one of them may.
    pub fn from_parts(sql: impl Into<String>, kind: Kind, parts: &[&Term]) -> Term {
        let may_be_nan = parts.iter().any(|part| part.may_be_nan);
        let collations = parts.iter().filter(|part| kind.is_text() && part.kind.is_text()).map(|part| part.collated);
        Term {
            collated: collations.fold(Collated::default(), Collated::with),
            not_null: parts.iter().all(|part| part.not_null),
            may_be_nan,
            nan_fails: may_be_nan,
            nan_passes: may_be_nan,
            inexact: parts.iter().any(|part| part.inexact),
            ..Term::new(sql, kind)
        }
    }

    /// A condition made of conditions: NaN makes it what it makes one of them.
    pub fn of_conditions(sql: impl Into<String>, parts: &[&Term]) -> Term {
        Term {
            nan_fails: parts.iter().any(|part| part.nan_fails),
            nan_passes: parts.iter().any(|part| part.nan_passes),
            ..Term::from_parts(sql, Kind::Boolean, parts)
        }
    }

    /// `left operator right`, where a NaN is equal to itself and greater than everything else.
    pub fn comparison(left: &Term, operator: &str, right: &Term) -> Term {
        let sql = format!("({} {operator} {})", left.sql, right.sql);
        let term = Term::from_parts(sql, Kind::Boolean, &[left, right]);
        let passes = match (left.may_be_nan, right.may_be_nan) {
            (true, false) => matches!(operator, ">" | ">=" | "<>"),
            (false, true) => matches!(operator, "<" | "<=" | "<>"),
            _ => return term,
        };
        Term { nan_passes: passes, nan_fails: !passes, ..term }
    }

    /// `NOT term`.
    pub fn negated(term: &Term) -> Term {
        Term {
            nan_fails: term.nan_passes,
            nan_passes: term.nan_fails,
            ..Term::from_parts(format!("(NOT {})", term.sql), Kind::Boolean, &[term])
        }
    }

    pub fn is_null_literal(&self) -> bool {
        self.constant == Some(Constant::Null)
    }

    /// The text of a text literal.
    pub fn text(&self) -> Option<&str> {
        match &self.constant {
            Some(Constant::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The number of a numeric literal.
    pub fn number(&self) -> Option<Decimal> {
        match &self.constant {
            Some(Constant::Number(number)) => Some(*number),
            _ => None,
        }
    }
}
