//! Defaults, and the last step of every computed value: into the representation of its column.

use super::kind::Kind;
use super::literals;
use super::scope::{ColumnForm, Scope};
use super::syntax::{array_syntax, object_name, plain_arguments, strip};
use super::term::{Constant, Term};
use super::translate::{Purpose, Translator};
use super::{Refusal, decimal, render, temporal};
use crate::types::TimeUnit;
use sqlparser::ast::Expr;

/// A default in SQLite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Default {
    /// A literal: `DEFAULT 0`.
    Literal(String),
    /// An expression; it stands in parentheses: `DEFAULT (date('now'))`.
    Expression(String),
    /// The next value of a sequence. SQLite has none; an INTEGER PRIMARY KEY counts by itself.
    Sequence,
    /// NULL, which is also what no default means.
    Null,
}

impl Default {
    /// The DEFAULT clause's value with its parentheses where it needs them; `None` for a sequence.
    pub fn clause(&self) -> Option<String> {
        match self {
            Default::Literal(sql) => Some(sql.clone()),
            Default::Expression(sql) => Some(format!("({sql})")),
            Default::Sequence => None,
            Default::Null => Some("NULL".to_owned()),
        }
    }
}

/// A translated default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defaulted {
    /// The default.
    pub default: Default,
    /// Where it differs, one clause each.
    pub caveats: Vec<String>,
}

pub(super) fn default(expression: &Expr, scope: &dyn Scope, target: &ColumnForm) -> Result<Defaulted, Refusal> {
    let inner = without_casts(expression);
    if let Expr::Function(function) = inner {
        let (_, name) = object_name(&function.name)?;
        if name == "nextval" {
            return Ok(Defaulted { default: Default::Sequence, caveats: Vec::new() });
        }
    }
    let mut translator = Translator::new(scope, Purpose::Default);
    let term = match (inner, &target.kind) {
        // The text is the server's own, and what type it has does not matter.
        (Expr::Value(value), Kind::ServerText | Kind::Composite) => server_text(&value.value, expression)?,
        (other, Kind::JsonArray) if array_syntax(other).is_some() && strip(expression) == strip(other) => {
            translator.array_constructor(array_syntax(other).unwrap_or_default(), None)?
        }
        _ => translator.expression(expression)?,
    };
    if term.is_null_literal() {
        return Ok(Defaulted { default: Default::Null, caveats: translator.caveats });
    }
    let literal = term.constant.is_some() && !matches!(term.constant, Some(Constant::Interval { .. }));
    let term = translator.assign(term, &target.kind)?;
    translator.within_version(&term.sql)?;
    let default = if literal { Default::Literal(term.sql) } else { Default::Expression(term.sql) };
    Ok(Defaulted { default, caveats: translator.caveats })
}

/// A literal for a column that keeps the server's text: only a type whose input is its output.
fn server_text(value: &sqlparser::ast::Value, expression: &Expr) -> Result<Term, Refusal> {
    let refusal =
        || Refusal::new("it is a literal of a type that is kept as the server's text, which may spell it otherwise");
    let sqlparser::ast::Value::SingleQuotedString(text) = value else {
        return if matches!(value, sqlparser::ast::Value::Null) { Ok(Term::null()) } else { Err(refusal()) };
    };
    // `pg_get_expr` prints a literal by its type's output function: it is the server's text already.
    match strip(expression) {
        Expr::Cast { expr, .. } if matches!(strip(expr), Expr::Value(_)) => {
            Ok(Term::constant(render::text(text), Kind::ServerText, Constant::Text(text.clone())))
        }
        _ => Err(refusal()),
    }
}

/// The text inside `'…'::type`.
pub(super) fn typed_literal(expression: &Expr) -> Option<String> {
    let Expr::Cast { expr, .. } = strip(expression) else { return None };
    match strip(expr) {
        Expr::Value(value) => match &value.value {
            sqlparser::ast::Value::SingleQuotedString(text) => Some(text.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// The name in `nextval('…'::regclass)`, or in a text, as `regclass` reads it.
pub(super) fn sequence_of(expression: &Expr) -> Option<(Option<String>, String)> {
    let Expr::Function(function) = without_casts(expression) else { return None };
    let (_, name) = object_name(&function.name).ok()?;
    let arguments = plain_arguments(&name, &function.args).ok()?;
    let ("nextval", [argument]) = (name.as_str(), arguments.as_slice()) else { return None };
    let Expr::Value(value) = without_casts(argument) else { return None };
    let sqlparser::ast::Value::SingleQuotedString(text) = &value.value else { return None };
    let mut parts = identifiers(text)?;
    let name = parts.pop()?;
    let schema = parts.pop();
    parts.is_empty().then_some((schema, name))
}

/// The identifiers of a dotted name: folded where they are not quoted.
fn identifiers(text: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let mut part = String::new();
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut characters = quoted.char_indices().peekable();
            let end = loop {
                match characters.next()? {
                    (_, '"') if characters.next_if(|(_, next)| *next == '"').is_some() => part.push('"'),
                    (at, '"') => break at + 1,
                    (_, character) => part.push(character),
                }
            };
            rest = &quoted[end..];
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            part = rest[..end].to_lowercase();
            rest = &rest[end..];
        }
        parts.push(part);
        match rest.strip_prefix('.') {
            Some(after) => rest = after,
            None => return rest.is_empty().then_some(parts),
        }
    }
}

/// The expression inside all casts and parentheses.
fn without_casts(expression: &Expr) -> &Expr {
    match expression {
        Expr::Nested(inner) => without_casts(inner),
        Expr::Cast { expr, .. } => without_casts(expr),
        other => other,
    }
}

impl Translator<'_> {
    /// The term in a column's representation.
    pub fn assign(&mut self, term: Term, kind: &Kind) -> Result<Term, Refusal> {
        if term.is_null_literal() {
            return Ok(term);
        }
        if term.inexact {
            self.caveat_in_view("it is computed from a column whose representation drops a part of the value")?;
        }
        let refusal = |term: &Term| {
            Refusal::new(format!("it computes {}, and its column keeps {}", term.kind.words(), kind.words()))
        };
        match (&term.kind, kind) {
            (Kind::Clock { with_zone }, Kind::Epoch { unit, with_zone: other }) => {
                if with_zone != other {
                    self.caveat("the current time is that of UTC, not of the session's time zone");
                }
                Ok(Term { kind: kind.clone(), ..Term::new(self.clock(*unit), kind.clone()) })
            }
            (Kind::Clock { .. }, Kind::IsoTimestamp { with_zone }) => {
                let sql = self.clock_text(*with_zone);
                Ok(Term::new(sql, kind.clone()))
            }
            (Kind::Clock { .. }, Kind::Date) => {
                self.caveat("the current date is that of UTC, not of the session's time zone");
                Ok(Term::new("date('now')", kind.clone()))
            }
            (Kind::Moved { months, days, microseconds, with_zone }, Kind::Epoch { unit, with_zone: other }) => {
                if *days != 0 || *months != 0 || with_zone != other {
                    self.caveat("the current time is moved in UTC, not in the session's time zone");
                }
                let sql = self.moved_clock(*unit, *months, *days, *microseconds)?;
                Ok(Term::new(sql, kind.clone()))
            }
            (Kind::Unknown | Kind::TimestampLiteral { .. }, Kind::ServerText | Kind::Composite | Kind::JsonArray) => {
                Err(refusal(&term))
            }
            (Kind::Date, Kind::Epoch { with_zone: false, .. }) if term.text().is_some() => {
                let text = term.text().unwrap_or_default().to_owned();
                self.constant_as(&Term { kind: Kind::Unknown, ..term.clone() }, kind).map_err(|_| {
                    Refusal::new(format!(
                        "it gives the date {}, which a timestamp of its column cannot be",
                        render::text(&text)
                    ))
                })
            }
            (
                Kind::TimestampLiteral { with_zone },
                Kind::Epoch { with_zone: other, .. } | Kind::IsoTimestamp { with_zone: other },
            ) if with_zone != other => self.literal_in_utc(&term, kind).ok_or_else(|| refusal(&term)),
            (Kind::Unknown | Kind::TimestampLiteral { .. }, _) => {
                let constant = self.constant_as(&term, kind)?;
                if constant.kind == *kind || constant.number().is_none() {
                    return Ok(constant);
                }
                self.assign_number(constant, kind)
            }
            (Kind::Integer { .. }, Kind::Boolean) => Err(refusal(&term)),
            (Kind::SingleReal | Kind::Real, Kind::Real | Kind::SingleReal) if term.constant.is_some() => {
                match (&term.constant, kind) {
                    (Some(Constant::Double(value)), Kind::SingleReal) => {
                        #[allow(clippy::cast_possible_truncation, reason = "PostgreSQL rounds to `real` here too")]
                        let single = f64::from(*value as f32);
                        Ok(Term { sql: render::real(single).ok_or_else(|| refusal(&term))?, ..term })
                    }
                    _ => Ok(term),
                }
            }
            (Kind::Real, Kind::Real) | (Kind::SingleReal, Kind::SingleReal | Kind::Real) => Ok(term),
            (a, _) if a.is_numeric() => self.assign_number(term, kind),
            (Kind::Text | Kind::PaddedText | Kind::NocaseText, Kind::Text | Kind::NocaseText) => Ok(term),
            (Kind::Text | Kind::NocaseText, Kind::PaddedText) => {
                let sql = match term.text() {
                    Some(text) => render::text(text.trim_end_matches(' ')),
                    None => format!("rtrim({}, ' ')", term.sql),
                };
                Ok(Term { sql, ..term })
            }
            (Kind::Uuid | Kind::Enum { .. } | Kind::JsonText, Kind::Text) if term.kind != Kind::JsonText => Ok(term),
            (Kind::JsonText, _) => Err(Refusal::new(
                "it takes a text out of a JSON value by `->>`, where SQLite writes objects and arrays without blanks",
            )),
            (Kind::Json { .. }, Kind::Json { .. }) => Ok(term),
            (a, b) if a == b => Ok(term),
            _ => Err(refusal(&term)),
        }
    }

    /// A timestamp literal for a column that differs from it in having a zone.
    fn literal_in_utc(&mut self, term: &Term, kind: &Kind) -> Option<Term> {
        let Kind::TimestampLiteral { with_zone } = term.kind else { return None };
        let microseconds = literals::timestamp_microseconds(term.text()?, with_zone)?;
        let sql = match kind {
            Kind::Epoch { unit, .. } => literals::microseconds_in(*unit, microseconds)?.to_string(),
            Kind::IsoTimestamp { with_zone } => render::text(&literals::timestamp_text(microseconds, *with_zone)?),
            _ => return None,
        };
        self.caveat("a timestamp is taken as that of UTC, not of the session's time zone");
        Some(Term { sql, kind: kind.clone(), ..term.clone() })
    }

    /// A number in the representation of a numeric column.
    fn assign_number(&mut self, term: Term, kind: &Kind) -> Result<Term, Refusal> {
        let refusal =
            || Refusal::new(format!("it computes {}, and its column keeps {}", term.kind.words(), kind.words()));
        if let Some(number) = term.number() {
            let sql = match kind {
                Kind::Integer { .. } => number.rescale(0).map(|number| number.to_string()),
                Kind::Scaled { scale, .. } => number.rescale(*scale).map(|number| number.to_string()),
                Kind::DecimalReal { precision, scale } => {
                    let number = number.rescale(*scale).filter(|number| number.digits() <= *precision);
                    number.map(|number| {
                        let text = number.normal().to_string();
                        if text.contains('.') { text } else { format!("{text}.0") }
                    })
                }
                Kind::DecimalText { scale: Some(scale) } => {
                    number.rescale(*scale).map(|number| render::text(&number.to_string()))
                }
                Kind::DecimalText { scale: None } => Some(render::text(&number.to_string())),
                Kind::Real => number.to_string().parse::<f64>().ok().and_then(render::real),
                Kind::SingleReal => {
                    number.to_string().parse::<f32>().ok().and_then(|value| render::real(f64::from(value)))
                }
                _ => None,
            };
            let sql = sql.ok_or_else(refusal)?;
            return Ok(Term { sql, kind: kind.clone(), ..term });
        }
        match (&term.kind, kind) {
            (Kind::Integer { .. }, Kind::Integer { .. }) => Ok(term),
            (a, b) if a == b => Ok(term),
            (
                Kind::Integer { .. } | Kind::Scaled { .. } | Kind::DecimalReal { .. },
                Kind::Integer { .. } | Kind::Scaled { .. },
            ) => {
                let scale = if let Kind::Scaled { scale, .. } = kind { *scale } else { 0 };
                self.rescale(term, scale)
            }
            (
                Kind::Integer { .. } | Kind::Scaled { .. } | Kind::DecimalReal { .. },
                Kind::DecimalReal { scale, .. },
            ) => {
                let scale = *scale;
                let term = self.rescale(term, scale)?;
                let sql = format!("({} / {}.0)", term.sql, decimal::power_of_ten(scale));
                Ok(Term { sql, kind: kind.clone(), ..term })
            }
            (Kind::Integer { .. }, Kind::DecimalText { scale: None | Some(0) }) => {
                Ok(Term { sql: format!("CAST({} AS TEXT)", term.sql), kind: kind.clone(), ..term })
            }
            _ => Err(refusal()),
        }
    }

    /// The clock, moved by an interval, in a unit.
    fn moved_clock(&mut self, unit: TimeUnit, months: i64, days: i64, microseconds: i64) -> Result<String, Refusal> {
        let total = days.checked_mul(86_400_000_000).and_then(|total| total.checked_add(microseconds));
        let amount = total
            .and_then(|total| literals::microseconds_in(unit, total))
            .ok_or_else(|| Refusal::new("it moves a timestamp by a part of the unit that it is kept in"))?;
        let sql = if months == 0 {
            self.clock(unit)
        } else {
            let factor = if unit == TimeUnit::Seconds { String::new() } else { format!(" * {}", unit.per_second()) };
            if !factor.is_empty() {
                self.caveat("the clock is taken in whole seconds");
            }
            format!("{}{factor}", temporal::months_from_now(months))
        };
        Ok(if amount == 0 { sql } else { format!("{sql} + ({amount})") })
    }
}
