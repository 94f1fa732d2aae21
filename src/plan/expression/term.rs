//! A translated expression, and what is known of it.

use super::decimal::Decimal;
use super::kind::Kind;
use super::scope::ColumnForm;
use crate::catalog::TextOrder;

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
            ..Term::new(sql, form.kind.clone())
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
