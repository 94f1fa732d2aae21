//! Arithmetic, concatenation and CASE: the operators that compute a value.

use super::decimal::{self, DIGITS_MAX};
use super::kind::Kind;
use super::term::{Constant, Term};
use super::translate::{Translator, ensure_has_form, unknown_operator};
use super::{Refusal, literals, render};
use crate::types::TimeUnit;
use sqlparser::ast::{CaseWhen, Expr};

impl Translator<'_> {
    pub fn arithmetic(&mut self, left: Term, operator: char, right: Term) -> Result<Term, Refusal> {
        if let Some(term) = self.temporal_arithmetic(&left, operator, &right)? {
            return Ok(term);
        }
        let (left, right) = match (&left.kind, &right.kind) {
            (Kind::Unknown, Kind::Unknown) => return Err(unknown_operator(&operator.to_string())),
            (Kind::Unknown, kind) => (self.constant_as(&left, &kind.clone())?, right),
            (kind, Kind::Unknown) => {
                let right = self.constant_as(&right, &kind.clone())?;
                (left, right)
            }
            _ => (left, right),
        };
        if left.inexact || right.inexact {
            self.caveat_in_view("it computes with a column whose representation drops a part of the value")?;
        }
        let sql = format!("({} {operator} {})", left.sql, right.sql);
        match (&left.kind, &right.kind) {
            (Kind::Integer { digits: a }, Kind::Integer { digits: b }) => {
                let digits = match operator {
                    '+' | '-' => a.max(b) + 1,
                    '*' => a + b,
                    _ => *a.max(b),
                };
                let most = type_digits(&left).max(type_digits(&right));
                // The least integer divided by -1 is one more than the greatest.
                let is_minus_one = right.number().is_none_or(|number| number.unscaled == -1);
                if digits > most || operator == '/' && is_minus_one {
                    self.past_the_range();
                }
                if matches!(operator, '/' | '%') {
                    self.divides_by(&right);
                }
                let mut term = Term::from_parts(sql, Kind::Integer { digits: digits.min(most) }, &[&left, &right]);
                term.not_null &= matches!(operator, '+' | '-' | '*');
                Ok(term)
            }
            (Kind::Real, Kind::Real) if operator != '%' => {
                self.double_arithmetic(operator, &right);
                let mut term = Term::from_parts(sql, Kind::Real, &[&left, &right]);
                term.not_null = false;
                term.may_be_nan = true;
                Ok(term)
            }
            (a, b) if a.is_numeric() && b.is_numeric() => self.decimal_arithmetic(left, operator, right),
            (Kind::Real | Kind::SingleReal, _) | (_, Kind::Real | Kind::SingleReal) if operator != '%' => {
                let computes = matches!(left.kind, Kind::Real | Kind::SingleReal) || left.kind.is_numeric();
                if !computes || !(matches!(right.kind, Kind::Real | Kind::SingleReal) || right.kind.is_numeric()) {
                    return Err(unknown_operator(&operator.to_string()));
                }
                self.caveat_in_view("it computes with numbers of several kinds in floating point")?;
                self.double_arithmetic(operator, &right);
                let (left, right) = (self.approximate(left), self.approximate(right));
                let sql = format!("({} {operator} {})", left.sql, right.sql);
                Ok(Term { not_null: false, may_be_nan: true, ..Term::from_parts(sql, Kind::Real, &[&left, &right]) })
            }
            (a, b) => Err(Refusal::new(format!("it computes {} {operator} {}", a.words(), b.words()))),
        }
    }

    /// Where doubles end, and what they are divided by.
    fn double_arithmetic(&mut self, operator: char, right: &Term) {
        self.error_there("a double past its range", "becomes infinite or zero");
        if operator == '/' {
            self.divides_by(right);
        }
    }

    /// Decimals: exact on scaled integers where the digits fit, else in floating point with a caveat.
    fn decimal_arithmetic(&mut self, left: Term, operator: char, right: Term) -> Result<Term, Refusal> {
        if matches!(operator, '+' | '-' | '*')
            && let (Ok((a, a_digits, a_scale)), Ok((b, b_digits, b_scale))) =
                (self.scaled(left.clone()), self.scaled(right.clone()))
        {
            let (sql, digits, scale) = if operator == '*' {
                (format!("({} * {})", a.sql, b.sql), a_digits + b_digits, a_scale + b_scale)
            } else {
                let scale = a_scale.max(b_scale);
                let a_sql = decimal::rescale_sql(&a.sql, a_scale, scale);
                let b_sql = decimal::rescale_sql(&b.sql, b_scale, scale);
                let digits = (a_digits + scale - a_scale).max(b_digits + scale - b_scale) + 1;
                (format!("({a_sql} {operator} {b_sql})"), digits, scale)
            };
            if digits <= DIGITS_MAX {
                return Ok(Term::from_parts(sql, Kind::Scaled { digits, scale }, &[&a, &b]));
            }
        }
        if operator == '%' {
            return Err(unknown_operator("% on decimals"));
        }
        self.caveat_in_view("it computes decimals in floating point, where PostgreSQL is exact")?;
        if operator == '/' {
            self.divides_by(&right);
        }
        let (left, right) = (self.approximate(left), self.approximate(right));
        let sql = format!("({} {operator} {})", left.sql, right.sql);
        Ok(Term { not_null: false, ..Term::from_parts(sql, Kind::Approximate, &[&left, &right]) })
    }

    pub fn bitwise(&mut self, left: Term, operator: char, right: Term) -> Result<Term, Refusal> {
        match (&left.kind, &right.kind) {
            (Kind::Integer { digits: a }, Kind::Integer { digits: b }) => {
                let sql = format!("({} {operator} {})", left.sql, right.sql);
                Ok(Term::from_parts(sql, Kind::Integer { digits: *a.max(b) }, &[&left, &right]))
            }
            _ => Err(unknown_operator(&operator.to_string())),
        }
    }

    /// `#`: what either has and not both; SQLite has no operator for it.
    pub fn exclusive_or(&mut self, left: Term, right: Term) -> Result<Term, Refusal> {
        match (&left.kind, &right.kind) {
            (Kind::Integer { digits: a }, Kind::Integer { digits: b }) => {
                let sql = format!("(({0} | {1}) - ({0} & {1}))", left.sql, right.sql);
                Ok(Term::from_parts(sql, Kind::Integer { digits: *a.max(b) }, &[&left, &right]))
            }
            _ => Err(unknown_operator("#")),
        }
    }

    /// `||` of texts. NULL makes NULL in both engines.
    pub fn concatenate(&mut self, left: Term, right: Term) -> Result<Term, Refusal> {
        let textual = |term: &Term| {
            matches!(term.kind, Kind::Text | Kind::PaddedText | Kind::NocaseText | Kind::Uuid | Kind::Enum { .. })
                || (matches!(term.kind, Kind::Unknown | Kind::Integer { .. }))
        };
        if !textual(&left) || !textual(&right) {
            let kind = if textual(&left) { &right.kind } else { &left.kind };
            return Err(Refusal::new(format!("it uses `||` on {}", kind.words())));
        }
        let sql = format!("({} || {})", left.sql, right.sql);
        Ok(Term::from_parts(sql, Kind::Text, &[&left, &right]))
    }

    pub fn case(
        &mut self,
        operand: Option<&Expr>,
        conditions: &[CaseWhen],
        otherwise: Option<&Expr>,
    ) -> Result<Term, Refusal> {
        let mut tests = Vec::with_capacity(conditions.len());
        let mut results = Vec::with_capacity(conditions.len() + 1);
        let operand = operand.map(|operand| self.expression(operand)).transpose()?;
        for CaseWhen { condition, result } in conditions {
            let test = match &operand {
                None => self.condition(condition)?,
                Some(operand) => {
                    let value = self.expression(condition)?;
                    self.compare(operand.clone(), "=", value)?
                }
            };
            self.nan_counts(&test);
            tests.push(test);
            results.push(self.expression(result)?);
        }
        results.push(match otherwise {
            Some(otherwise) => self.expression(otherwise)?,
            None => Term::null(),
        });
        let results = self.unified(results)?;
        let mut sql = "(CASE".to_owned();
        for (test, result) in tests.iter().zip(&results) {
            sql.push_str(&format!(" WHEN {} THEN {}", test.sql, result.sql));
        }
        if let (Some(_), Some(result)) = (otherwise, results.last()) {
            sql.push_str(&format!(" ELSE {}", result.sql));
        }
        sql.push_str(" END)");
        let parts: Vec<&Term> = results.iter().collect();
        Ok(Term::from_parts(sql, common_kind(&results), &parts))
    }

    /// The terms in one representation, for CASE, COALESCE and UNION.
    pub fn unified(&mut self, terms: Vec<Term>) -> Result<Vec<Term>, Refusal> {
        terms.iter().try_for_each(ensure_has_form)?;
        let typed: Vec<&Term> = terms
            .iter()
            .filter(|term| {
                !term.is_null_literal() && !matches!(term.kind, Kind::Unknown | Kind::TimestampLiteral { .. })
            })
            .collect();
        let Some(first) = typed.first().map(|term| term.kind.clone()) else {
            if terms.iter().any(|term| matches!(term.kind, Kind::TimestampLiteral { .. })) {
                return Err(Refusal::new("it chooses among timestamp literals, whose representation is not known"));
            }
            return Ok(terms);
        };
        let same = |kind: &Kind| match (&first, kind) {
            (Kind::Integer { .. }, Kind::Integer { .. }) => true,
            (Kind::Text | Kind::PaddedText, Kind::Text | Kind::PaddedText) => true,
            (a, b) => a == b,
        };
        if typed.iter().all(|term| same(&term.kind)) {
            return terms
                .into_iter()
                .map(|term| match term.kind {
                    _ if term.is_null_literal() => Ok(term),
                    Kind::Unknown | Kind::TimestampLiteral { .. } => self.constant_as(&term, &first),
                    _ => Ok(term),
                })
                .collect();
        }
        if typed.iter().all(|term| term.kind.is_numeric()) {
            return self.unified_numbers(terms);
        }
        let other = typed.iter().find(|term| !same(&term.kind)).map_or("a value", |term| term.kind.words());
        Err(Refusal::new(format!("it chooses between {} and {other}", first.words())))
    }

    fn unified_numbers(&mut self, terms: Vec<Term>) -> Result<Vec<Term>, Refusal> {
        // A double beside literals of at most 15 digits stays a double: both are the decimal's nearest.
        let mut widest = (0, 0);
        let mut doubles = true;
        for term in &terms {
            match (&term.kind, term.number()) {
                (_, Some(number)) => {
                    let number = number.normal();
                    widest = (widest.0.max(number.digits()), widest.1.max(number.scale));
                }
                (Kind::DecimalReal { precision, scale }, _) => {
                    widest = (widest.0.max(*precision), widest.1.max(*scale))
                }
                _ if term.is_null_literal() => {}
                _ => doubles = false,
            }
        }
        let (precision, scale) = widest;
        if doubles && precision + scale <= decimal::REAL_DIGITS_MAX {
            let kind = Kind::DecimalReal { precision: precision + scale, scale };
            return Ok(terms
                .into_iter()
                .map(|term| match (term.number(), term.is_null_literal()) {
                    (_, true) => term,
                    (Some(number), _) => {
                        let text = number.normal().to_string();
                        let sql = if text.contains('.') { text } else { format!("{text}.0") };
                        Term { sql, kind: kind.clone(), ..term }
                    }
                    _ => Term { kind: kind.clone(), ..term },
                })
                .collect());
        }
        let mut scaled = Vec::with_capacity(terms.len());
        for term in &terms {
            if term.is_null_literal() {
                continue;
            }
            match self.scaled(term.clone()) {
                Ok(parts) => scaled.push(parts),
                Err(refusal) if self.strict() => return Err(refusal),
                Err(_) => {
                    self.caveat("it computes decimals in floating point, where PostgreSQL is exact");
                    return Ok(terms.into_iter().map(|term| self.approximate(term)).collect());
                }
            }
        }
        let scale = scaled.iter().map(|(_, _, scale)| *scale).max().unwrap_or(0);
        let digits = scaled.iter().map(|(_, digits, from)| digits + scale - from).max().unwrap_or(1);
        if digits > DIGITS_MAX && scale > 0 {
            return Err(Refusal::new("it chooses among decimals with more digits than SQLite's integers have"));
        }
        let mut scaled = scaled.into_iter();
        terms
            .into_iter()
            .map(|term| {
                if term.is_null_literal() {
                    return Ok(term);
                }
                let (term, _, from) = scaled.next().ok_or_else(|| Refusal::new("it mixes numbers"))?;
                let sql = decimal::rescale_sql(&term.sql, from, scale);
                Ok(Term { sql, kind: Kind::Scaled { digits, scale }, constant: None, is_column: false, ..term })
            })
            .collect()
    }

    /// Timestamps and intervals; `None` where neither side is one.
    fn temporal_arithmetic(&mut self, left: &Term, operator: char, right: &Term) -> Result<Option<Term>, Refusal> {
        match (&left.kind, operator, &right.kind) {
            (Kind::Epoch { unit, with_zone }, '-', Kind::Epoch { unit: other, with_zone: zone })
                if unit == other && with_zone == zone =>
            {
                if left.inexact || right.inexact {
                    self.caveat_in_view("it subtracts timestamps whose representation drops a part of the value")?;
                }
                self.error_there("the difference of infinite times", "is a number");
                let sql = format!("({} - {})", left.sql, right.sql);
                Ok(Some(Term::from_parts(sql, Kind::Duration { unit: *unit }, &[left, right])))
            }
            (Kind::Epoch { unit, with_zone }, '+' | '-', Kind::Duration { .. }) => {
                self.shifted(left, *unit, *with_zone, operator, right).map(Some)
            }
            (Kind::Duration { .. }, '+', Kind::Epoch { unit, with_zone }) => {
                self.shifted(right, *unit, *with_zone, operator, left).map(Some)
            }
            (Kind::Clock { with_zone }, '+' | '-', Kind::Duration { .. }) => {
                moved(*with_zone, operator, right).map(Some)
            }
            (Kind::Duration { .. }, '+', Kind::Clock { with_zone }) => moved(*with_zone, operator, left).map(Some),
            (Kind::Date, '-', Kind::Date) => {
                self.caveat("dates kept as text are subtracted correctly in the years 1 to 9999");
                let sql = format!("CAST(julianday({}) - julianday({}) AS INTEGER)", left.sql, right.sql);
                Ok(Some(Term {
                    not_null: false,
                    ..Term::from_parts(sql, Kind::Integer { digits: 10 }, &[left, right])
                }))
            }
            (Kind::Date, '+' | '-', Kind::Integer { .. }) => {
                self.caveat_in_view("it moves a date, which SQLite can in the years 1 to 9999 only")?;
                let days = if operator == '-' { render::minus(&right.sql) } else { format!("+{}", right.sql) };
                let sql = format!("date({}, ({days}) || ' days')", left.sql);
                Ok(Some(Term { not_null: false, ..Term::from_parts(sql, Kind::Date, &[left, right]) }))
            }
            (
                Kind::Epoch { .. }
                | Kind::IsoTimestamp { .. }
                | Kind::Clock { .. }
                | Kind::Moved { .. }
                | Kind::Date
                | Kind::Duration { .. },
                _,
                _,
            )
            | (
                _,
                _,
                Kind::Epoch { .. }
                | Kind::IsoTimestamp { .. }
                | Kind::Clock { .. }
                | Kind::Moved { .. }
                | Kind::Date
                | Kind::Duration { .. },
            ) => Err(Refusal::new(format!("it computes {} {operator} {}", left.kind.words(), right.kind.words()))),
            _ => Ok(None),
        }
    }

    fn shifted(
        &mut self,
        instant: &Term,
        unit: TimeUnit,
        with_zone: bool,
        operator: char,
        interval: &Term,
    ) -> Result<Term, Refusal> {
        let Some(Constant::Interval { months, days, microseconds }) = interval.constant else {
            return Err(Refusal::new("it moves a timestamp by an interval that is not a literal"));
        };
        if months != 0 {
            return Err(Refusal::new("it moves a timestamp by months, which SQLite does otherwise"));
        }
        if days != 0 && with_zone {
            self.caveat_in_view("it adds days to a `timestamptz`, which depends on the session's time zone")?;
        }
        let total = days.checked_mul(86_400_000_000).and_then(|total| total.checked_add(microseconds));
        let amount = total
            .and_then(|total| literals::microseconds_in(unit, total))
            .ok_or_else(|| Refusal::new("it moves a timestamp by a part of the unit that it is kept in"))?;
        self.error_there("a time past the range of its type", "is a number beyond it");
        let amount = if amount < 0 { format!("({amount})") } else { amount.to_string() };
        let moved = format!("{} {operator} {amount}", instant.sql);
        Ok(Term::from_parts(unless_infinite(&instant.sql, &moved), Kind::Epoch { unit, with_zone }, &[instant]))
    }
}

/// The digits of the type of an integer: 5 of `smallint`, 10 of `integer`, 19 of `bigint`. A literal is an `integer` where
/// that holds it.
fn type_digits(term: &Term) -> u32 {
    match (term.number(), &term.kind) {
        (Some(number), _) if i32::try_from(number.unscaled).is_ok() => 10,
        (Some(_), _) => 19,
        (None, Kind::Integer { digits: 0..=5 }) => 5,
        (None, Kind::Integer { digits: 6..=10 }) => 10,
        _ => 19,
    }
}

/// What becomes of a time that is kept as an integer; the infinities, its extremes, stay what they are.
pub(super) fn unless_infinite(time: &str, moved: &str) -> String {
    format!("(CASE WHEN {time} IN ({}, {}) THEN {time} ELSE {moved} END)", i64::MIN, i64::MAX)
}

/// The current time, moved by a literal interval.
fn moved(with_zone: bool, operator: char, interval: &Term) -> Result<Term, Refusal> {
    let Some(Constant::Interval { months, days, microseconds }) = interval.constant else {
        return Err(Refusal::new("it moves the current time by an interval that is not a literal"));
    };
    let sign = if operator == '-' { -1 } else { 1 };
    let kind = Kind::Moved { months: sign * months, days: sign * days, microseconds: sign * microseconds, with_zone };
    Ok(Term { not_null: true, ..Term::new("NULL", kind) })
}

/// The kind of unified terms: of the first that has one, with the most digits of all.
pub(super) fn common_kind(terms: &[Term]) -> Kind {
    let mut kind = Kind::Unknown;
    for term in terms {
        kind = match (kind, &term.kind) {
            (Kind::Unknown, other) => other.clone(),
            (Kind::Integer { digits }, Kind::Integer { digits: other }) => Kind::Integer { digits: digits.max(*other) },
            (kind, _) => kind,
        };
    }
    if kind == Kind::Unknown && terms.iter().any(|term| !term.is_null_literal()) { Kind::Text } else { kind }
}
