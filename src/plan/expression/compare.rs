//! Comparisons: both sides are brought into one representation in which SQLite's answer is PostgreSQL's.

use super::decimal::{self, Decimal};
use super::kind::Kind;
use super::order::{enum_order, normal_decimal};
use super::term::{Constant, Term};
use super::translate::{Purpose, Translator, unknown_operator};
use super::{Refusal, literals};
use crate::types::TimeUnit;
use sqlparser::ast::{BinaryOperator, Expr};

impl Translator<'_> {
    /// `left operator right`, where the operator is one of `= <> < <= > >=`.
    pub fn compare(&mut self, left: Term, operator: &str, right: Term) -> Result<Term, Refusal> {
        if left.is_null_literal() || right.is_null_literal() {
            return Ok(Term { kind: Kind::Boolean, ..Term::null() });
        }
        if let Some(term) = self.compare_decimal_text(&left, operator, &right)? {
            return Ok(term);
        }
        if let Some(term) = self.compare_json(&left, operator, &right)? {
            return Ok(term);
        }
        let ordered = !matches!(operator, "=" | "<>");
        let (left, right) = self.comparable(left, right, ordered)?;
        let are_dates = matches!(left.kind, Kind::Date | Kind::IsoTimestamp { .. }) && left.kind == right.kind;
        if ordered && are_dates && self.dates_have_to_be_exact() {
            return self.compare_dates(&left, operator, &right);
        }
        Ok(Term::comparison(&left, operator, &right))
    }

    /// `IS [NOT] DISTINCT FROM`.
    pub fn distinct(&mut self, left: &Expr, right: &Expr, operator: &str) -> Result<Term, Refusal> {
        let left = self.expression(left)?;
        let right = self.expression(right)?;
        self.nan_counts(&left);
        self.nan_counts(&right);
        let (left, right) = if left.is_null_literal() || right.is_null_literal() {
            (left, right)
        } else {
            self.comparable(left, right, false)?
        };
        let sql = format!("({} {operator} {})", left.sql, right.sql);
        Ok(Term { not_null: true, ..Term::new(sql, Kind::Boolean) })
    }

    pub fn between(&mut self, value: &Expr, low: &Expr, high: &Expr, negated: bool) -> Result<Term, Refusal> {
        let value = self.expression(value)?;
        let low = self.expression(low)?;
        let high = self.expression(high)?;
        let low = self.compare(value.clone(), ">=", low)?;
        let high = self.compare(value, "<=", high)?;
        let both = Term::of_conditions(format!("({} AND {})", low.sql, high.sql), &[&low, &high]);
        Ok(if negated { Term::negated(&both) } else { both })
    }

    pub fn in_list(&mut self, left: Term, items: Vec<Term>, negated: bool) -> Result<Term, Refusal> {
        if items.is_empty() {
            let (sql, value) = if negated { ("1", true) } else { ("0", false) };
            return Ok(Term::constant(sql, Kind::Boolean, Constant::Boolean(value)));
        }
        if matches!(left.kind, Kind::DecimalText { .. } | Kind::JsonText) {
            return self.in_chain(&left, items, negated);
        }
        let mut rendered = Vec::with_capacity(items.len());
        let mut parts = Vec::with_capacity(items.len());
        let mut left_sql: Option<String> = None;
        for item in items {
            if item.is_null_literal() {
                rendered.push("NULL".to_owned());
                parts.push(item);
                continue;
            }
            let (value, item) = self.comparable(left.clone(), item, false)?;
            if left_sql.get_or_insert_with(|| value.sql.clone()) != &value.sql {
                return Err(Refusal::new("its list mixes values of several types"));
            }
            rendered.push(item.sql.clone());
            parts.push(item);
        }
        let word = if negated { "NOT IN" } else { "IN" };
        let sql = format!("({} {word} ({}))", left_sql.unwrap_or(left.sql.clone()), rendered.join(", "));
        let mut all: Vec<&Term> = parts.iter().collect();
        all.push(&left);
        let term = Term::from_parts(sql, Kind::Boolean, &all);
        // A NaN is none of the values.
        Ok(Term { nan_fails: term.may_be_nan && !negated, nan_passes: term.may_be_nan && negated, ..term })
    }

    /// A list over a value whose equality is more than one `=`.
    fn in_chain(&mut self, left: &Term, items: Vec<Term>, negated: bool) -> Result<Term, Refusal> {
        let parts =
            items.into_iter().map(|item| self.compare(left.clone(), "=", item)).collect::<Result<Vec<_>, _>>()?;
        let sql: Vec<&str> = parts.iter().map(|part| part.sql.as_str()).collect();
        let not = if negated { "NOT " } else { "" };
        let all: Vec<&Term> = parts.iter().collect();
        Ok(Term::from_parts(format!("({not}({}))", sql.join(" OR ")), Kind::Boolean, &all))
    }

    /// `x operator ANY (…)` and `x operator ALL (…)` over an array that is known.
    pub fn quantified(
        &mut self,
        left: &Expr,
        operator: &BinaryOperator,
        right: &Expr,
        any: bool,
    ) -> Result<Term, Refusal> {
        use BinaryOperator as Op;
        let left = self.expression(left)?;
        let Some(items) = self.array_items(right)? else {
            return Err(Refusal::new("it compares with the elements of an array, which SQLite does not have"));
        };
        let mut parts = Vec::with_capacity(items.len());
        for item in items.iter().cloned() {
            parts.push(match (operator, any) {
                (Op::Eq, true) => return self.in_list(left, items, false),
                (Op::NotEq, false) => return self.in_list(left, items, true),
                (Op::Eq | Op::NotEq | Op::Lt | Op::LtEq | Op::Gt | Op::GtEq, _) => {
                    self.compare(left.clone(), &operator.to_string(), item)?
                }
                (Op::PGLikeMatch | Op::PGILikeMatch | Op::PGNotLikeMatch | Op::PGNotILikeMatch, _) => {
                    let negated = matches!(operator, Op::PGNotLikeMatch | Op::PGNotILikeMatch);
                    let insensitive = matches!(operator, Op::PGILikeMatch | Op::PGNotILikeMatch);
                    self.like_term(left.clone(), &item, negated, insensitive)?
                }
                _ => return Err(unknown_operator(&format!("{operator} {}", if any { "ANY" } else { "ALL" }))),
            });
        }
        if parts.is_empty() {
            let sql = if any { "0" } else { "1" };
            return Ok(Term::constant(sql, Kind::Boolean, Constant::Boolean(!any)));
        }
        let sql: Vec<&str> = parts.iter().map(|part| part.sql.as_str()).collect();
        let all: Vec<&Term> = parts.iter().collect();
        let word = if any { " OR " } else { " AND " };
        Ok(Term::from_parts(format!("({})", sql.join(word)), Kind::Boolean, &all))
    }

    /// Rows compare by their first fields that differ; a NULL before that makes NULL.
    pub fn compare_rows(
        &mut self,
        left: Vec<&Expr>,
        operator: &BinaryOperator,
        right: Vec<&Expr>,
    ) -> Result<Term, Refusal> {
        use BinaryOperator as Op;
        let refusal = || unknown_operator(&format!("{operator} on rows"));
        let strictly = match operator {
            Op::Eq | Op::NotEq => operator,
            Op::Lt | Op::LtEq => &Op::Lt,
            Op::Gt | Op::GtEq => &Op::Gt,
            _ => return Err(refusal()),
        };
        if left.len() != right.len() || left.is_empty() {
            return Err(refusal());
        }
        let mut pairs = left.into_iter().zip(right).rev();
        let (last_left, last_right) = pairs.next().ok_or_else(refusal)?;
        let mut result = self.compare_fields(last_left, operator, last_right)?;
        for (left, right) in pairs {
            let decided = self.compare_fields(left, strictly, right)?;
            let sql = match operator {
                Op::Eq => format!("({} AND {})", decided.sql, result.sql),
                Op::NotEq => format!("({} OR {})", decided.sql, result.sql),
                _ => {
                    let equal = self.compare_fields(left, &Op::Eq, right)?;
                    format!("({} OR ({} AND {}))", decided.sql, equal.sql, result.sql)
                }
            };
            result = Term::from_parts(sql, Kind::Boolean, &[&decided, &result]);
        }
        Ok(result)
    }

    fn compare_fields(&mut self, left: &Expr, operator: &BinaryOperator, right: &Expr) -> Result<Term, Refusal> {
        let left = self.expression(left)?;
        let right = self.expression(right)?;
        self.compare(left, &operator.to_string(), right)
    }

    /// The two sides in one representation; `ordered` asks for one in which order is kept too.
    pub fn comparable(&mut self, left: Term, right: Term, ordered: bool) -> Result<(Term, Term), Refusal> {
        // A row that a check or a key of the source has let pass is not judged anew; a view chooses rows, and so does
        // the condition of an index.
        if matches!(self.purpose, Purpose::View | Purpose::Index | Purpose::UniqueIndex)
            && (left.may_be_nan || right.may_be_nan)
        {
            self.caveat("a NaN, which the target keeps as NULL, compares as NULL");
        }
        if left.inexact || right.inexact {
            self.caveat_in_view(
                "it compares a column whose representation drops a part of the value (which is in the ledger)",
            )?;
        }
        let (left, right) = match (&left.kind, &right.kind) {
            (Kind::Unknown, Kind::Unknown) => (Term { kind: Kind::Text, ..left }, Term { kind: Kind::Text, ..right }),
            (Kind::Unknown | Kind::TimestampLiteral { .. }, kind) => (self.constant_as(&left, &kind.clone())?, right),
            (kind, Kind::Unknown | Kind::TimestampLiteral { .. }) => {
                let right = self.constant_as(&right, &kind.clone())?;
                (left, right)
            }
            _ => (left, right),
        };
        let refusal = || Refusal::new(format!("it compares {} with {}", left.kind.words(), right.kind.words()));
        match (&left.kind, &right.kind) {
            (Kind::Boolean, Kind::Boolean)
            | (Kind::Integer { .. }, Kind::Integer { .. })
            | (Kind::Real | Kind::SingleReal, Kind::Real | Kind::SingleReal)
            | (Kind::Uuid, Kind::Uuid)
            | (Kind::Blob, Kind::Blob) => Ok((left, right)),
            (Kind::Real | Kind::SingleReal, Kind::Integer { digits }) if *digits <= 15 => Ok((left, right)),
            (Kind::Integer { digits }, Kind::Real | Kind::SingleReal) if *digits <= 15 => Ok((left, right)),
            (a, b) if a.is_numeric() && b.is_numeric() => self.comparable_numbers(left, right, ordered),
            (Kind::Text | Kind::PaddedText, Kind::Text | Kind::PaddedText) => {
                self.comparable_texts(&left, &right, ordered)?;
                Ok((left, right))
            }
            (Kind::NocaseText, Kind::NocaseText) => {
                self.comparable_citext(&left, &right, ordered)?;
                Ok((self.nocase(left), right))
            }
            (Kind::Enum { labels }, Kind::Enum { labels: others }) if labels == others => {
                if ordered {
                    let labels = labels.clone();
                    return Ok((enum_order(&left, &labels), enum_order(&right, &labels)));
                }
                Ok((left, right))
            }
            (Kind::Epoch { unit, with_zone }, Kind::Epoch { unit: other_unit, with_zone: other_zone })
                if with_zone == other_zone =>
            {
                if unit != other_unit {
                    return Err(Refusal::new("it compares timestamps that are kept in different units"));
                }
                Ok((left, right))
            }
            (Kind::IsoTimestamp { with_zone }, Kind::IsoTimestamp { with_zone: other }) if with_zone == other => {
                if ordered && !self.dates_have_to_be_exact() {
                    self.date_order();
                }
                Ok((left, right))
            }
            (Kind::Date, Kind::Date) => {
                if ordered && !self.dates_have_to_be_exact() {
                    self.date_order();
                }
                Ok((left, right))
            }
            (Kind::Duration { unit }, Kind::Duration { unit: other }) if unit == other => Ok((left, right)),
            (Kind::Duration { unit }, Kind::Duration { .. }) if left.constant.is_none() && right.constant.is_some() => {
                let right = duration_in(right, *unit)?;
                Ok((left, right))
            }
            (Kind::Duration { .. }, Kind::Duration { unit }) if left.constant.is_some() && right.constant.is_none() => {
                let left = duration_in(left, *unit)?;
                Ok((left, right))
            }
            (Kind::Clock { .. } | Kind::Moved { .. }, kind @ (Kind::Epoch { .. } | Kind::IsoTimestamp { .. })) => {
                let left = self.clock_as(left, &kind.clone())?;
                Ok((left, right))
            }
            (kind @ (Kind::Epoch { .. } | Kind::IsoTimestamp { .. }), Kind::Clock { .. } | Kind::Moved { .. }) => {
                let right = self.clock_as(right, &kind.clone())?;
                Ok((left, right))
            }
            (Kind::JsonText, Kind::Text) | (Kind::Text, Kind::JsonText) => Err(Refusal::new(
                "it compares a text out of a JSON value, which SQLite writes differently for objects and arrays",
            )),
            _ => Err(refusal()),
        }
    }

    /// Numbers as integers of one scale, or as doubles where that is exact.
    fn comparable_numbers(&mut self, left: Term, right: Term, ordered: bool) -> Result<(Term, Term), Refusal> {
        let direct = |term: &Term| match (&term.kind, term.number()) {
            (_, Some(number)) => number.normal().digits() <= decimal::REAL_DIGITS_MAX,
            (Kind::Integer { .. } | Kind::Scaled { scale: 0, .. }, None) => true,
            (Kind::DecimalReal { .. }, None) => true,
            _ => false,
        };
        if direct(&left) && direct(&right) {
            return Ok((left, right));
        }
        if [&left, &right].iter().any(|term| matches!(term.kind, Kind::Approximate | Kind::DecimalText { .. })) {
            if let (Kind::DecimalText { scale: a }, Kind::DecimalText { scale: b }) = (&left.kind, &right.kind)
                && !ordered
            {
                let same = a == b && a.is_some();
                return Ok(if same { (left, right) } else { (normal_decimal(left), normal_decimal(right)) });
            }
            self.caveat_in_view("it compares decimals that SQLite can only compare in floating point")?;
            return Ok((self.approximate(left), self.approximate(right)));
        }
        let (left, left_digits, left_scale) = self.scaled(left)?;
        let (right, right_digits, right_scale) = self.scaled(right)?;
        let scale = left_scale.max(right_scale);
        if left_digits + scale - left_scale > decimal::DIGITS_MAX
            || right_digits + scale - right_scale > decimal::DIGITS_MAX
        {
            return Err(Refusal::new("it compares decimals with more digits than SQLite's integers have"));
        }
        let aligned = |term: Term, from: u32| Term { sql: decimal::rescale_sql(&term.sql, from, scale), ..term };
        Ok((aligned(left, left_scale), aligned(right, right_scale)))
    }

    /// A numeric term as an integer: its SQL, its digits and its scale.
    pub fn scaled(&mut self, term: Term) -> Result<(Term, u32, u32), Refusal> {
        if let Some(number) = term.number() {
            let number = number.normal();
            if number.digits() > decimal::DIGITS_MAX {
                return Err(Refusal::new("it holds a number with more digits than SQLite's integers have"));
            }
            return Ok((Term { sql: number.unscaled.to_string(), ..term }, number.digits(), number.scale));
        }
        match term.kind {
            Kind::Integer { digits } => Ok((term, digits, 0)),
            Kind::Scaled { digits, scale } => Ok((term, digits, scale)),
            Kind::DecimalReal { precision, scale } => {
                let factor = if scale == 0 { String::new() } else { format!(" * {}", decimal::power_of_ten(scale)) };
                let sql = format!("CAST(round({}{factor}) AS INTEGER)", term.sql);
                Ok((Term { sql, is_column: false, ..term }, precision, scale))
            }
            _ => Err(Refusal::new(format!("it computes with {}, which SQLite cannot do exactly", term.kind.words()))),
        }
    }

    /// A numeric term in floating point. Only where a caveat was given.
    pub fn approximate(&mut self, term: Term) -> Term {
        if matches!(term.kind, Kind::DecimalText { .. }) {
            self.caveat("a NaN counts as NULL where it is computed with, compared or sorted");
        }
        let sql = match &term.kind {
            // With a fixed scale it has no infinity.
            Kind::DecimalText { scale: Some(_) } => format!("CAST(nullif({}, 'NaN') AS REAL)", term.sql),
            Kind::DecimalText { scale: None } => {
                let text = &term.sql;
                format!(
                    "(CASE {text} WHEN 'NaN' THEN NULL WHEN 'Infinity' THEN 9e999 WHEN '-Infinity' THEN -9e999 \
                     ELSE CAST({text} AS REAL) END)"
                )
            }
            Kind::Scaled { scale, .. } if *scale > 0 && term.constant.is_none() => {
                format!("({} / {}.0)", term.sql, decimal::power_of_ten(*scale))
            }
            Kind::Integer { .. } | Kind::Scaled { .. } => format!("CAST({} AS REAL)", term.sql),
            _ => term.sql.clone(),
        };
        let may_be_nan = term.may_be_nan || matches!(term.kind, Kind::DecimalText { .. });
        Term { sql, kind: Kind::Approximate, constant: None, is_column: false, may_be_nan, ..term }
    }

    /// A comparison of a `numeric` kept as text with a literal; `None` where the two are something else.
    fn compare_decimal_text(&mut self, left: &Term, operator: &str, right: &Term) -> Result<Option<Term>, Refusal> {
        let (column, operator, number) = match (&left.kind, left.number(), &right.kind, right.number()) {
            (Kind::DecimalText { .. }, None, _, Some(number)) => (left, operator, number),
            (_, Some(number), Kind::DecimalText { .. }, None) => (right, mirrored(operator), number),
            _ => return Ok(None),
        };
        if !column.is_column {
            return Ok(None);
        }
        let Decimal { .. } = number;
        Ok(decimal::compare_text(&column.sql, operator, number)
            .map(|sql| Term::from_parts(sql, Kind::Boolean, &[column])))
    }

    /// The current time in a column's representation.
    fn clock_as(&mut self, term: Term, kind: &Kind) -> Result<Term, Refusal> {
        self.assign(term, &kind.as_column())
    }

    pub fn date_order(&mut self) {
        self.caveat("dates kept as text are ordered correctly in the years 1 to 9999");
    }
}

/// A literal interval in a column's unit.
fn duration_in(term: Term, unit: TimeUnit) -> Result<Term, Refusal> {
    let length = term.sql.parse().ok().and_then(|length| literals::microseconds_in(unit, length));
    let length = length.ok_or_else(|| {
        Refusal::new("it compares with an interval of a part of the unit that the timestamp is kept in")
    })?;
    Ok(Term { sql: length.to_string(), kind: Kind::Duration { unit }, ..term })
}

fn mirrored(operator: &str) -> &str {
    match operator {
        "<" => ">",
        "<=" => ">=",
        ">" => "<",
        ">=" => "<=",
        other => other,
    }
}
