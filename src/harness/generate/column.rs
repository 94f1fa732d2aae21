//! One column's values: what its type, its checks and the project's hints together leave.

use super::checks::{Family, is_plain_moment, spelling, tighten};
use super::values::{Bound, Limits, Pattern, ValueSource};
use crate::catalog::{Column, DataType, Shape};
use crate::error::Result;
use crate::harness::{Random, Seed};
use crate::project::{ColumnHint, Form};
use std::borrow::Cow;
use std::cmp::Ordering;

/// How often an awkward time is drawn before an ordinary one has to do.
const AWKWARD_TIMES_MAX: u32 = 8;
/// How many values a pattern suggests.
const SUGGESTED_MAX: usize = 32;
/// How often an ordinary nullable column is NULL.
const NULL_SHARE: f64 = 0.12;

/// Where one column's values come from.
#[derive(Debug)]
pub(super) struct ColumnPlan {
    source: ValueSource,
    form: Option<Form>,
    shape: Shape,
    /// Values that some condition asks for, drawn every other time.
    suggested: Vec<String>,
    /// Whether some condition on it is only decided by somebody else.
    pub(super) judged: bool,
    /// Whether values of the type that are equal are spelled alike, by [`ColumnPlan::key`] or by the server: then distinct
    /// ones can be drawn.
    pub(super) spelled_once: bool,
    /// The texts and numbers in these conditions.
    pub(super) words: Vec<String>,
    pub(super) nullable: bool,
    pub(super) null_share: f64,
    /// Every row has another value.
    pub(super) distinct: bool,
    /// Whether two values are equal exactly if their texts are.
    pub(super) text_tells_apart: bool,
}

impl ColumnPlan {
    /// The values of a column within its limits.
    pub(super) fn new(
        column: &Column,
        mut limits: Limits,
        form: Option<Form>,
        hint: Option<&ColumnHint>,
        suggested: Vec<String>,
    ) -> Result<ColumnPlan> {
        let form = hint.and_then(|hint| hint.form).or(form);
        if let Some(hint) = hint {
            narrow(&mut limits, hint, Family::of(column));
        }
        let data_type = match form {
            Some(Form::Json | Form::JsonArray | Form::JsonObject) => DataType::new("json", Shape::Json),
            Some(Form::Rfc3339 | Form::DateTime) => {
                limits.minimum.get_or_insert(Bound::inclusive("1970-01-01 00:00:00"));
                limits.maximum.get_or_insert(Bound::inclusive("2100-01-01 00:00:00"));
                let precision = if form == Some(Form::DateTime) { 0 } else { 3 };
                DataType::new(format!("timestamp({precision}) without time zone"), Shape::Timestamp { precision })
            }
            Some(Form::Date) => {
                limits.minimum.get_or_insert(Bound::inclusive("1970-01-01"));
                limits.maximum.get_or_insert(Bound::inclusive("2100-01-01"));
                DataType::new("date", Shape::Date)
            }
            Some(Form::Uuid) => DataType::new("uuid", Shape::Uuid),
            None => column.data_type.clone(),
        };
        let nullable = !column.not_null;
        let null_share = match (nullable, hint.and_then(|hint| hint.null_share)) {
            (false, _) => 0.0,
            (true, Some(share)) => share.clamp(0.0, 1.0),
            (true, None) => NULL_SHARE,
        };
        let shape = data_type.base().shape.clone();
        let integer = matches!(shape, Shape::SmallInt | Shape::Integer | Shape::BigInt | Shape::Oid);
        let text = matches!(shape, Shape::Text | Shape::VarChar { .. }) && column.collation.is_none();
        Ok(ColumnPlan {
            text_tells_apart: (integer || text) && form.is_none(),
            source: ValueSource::new(&data_type, limits)?,
            form,
            shape,
            suggested,
            judged: false,
            spelled_once: is_spelled_once(&data_type),
            words: Vec::new(),
            nullable,
            null_share,
            distinct: false,
        })
    }

    /// The same text for values that are equal to the server.
    pub(super) fn key<'v>(&self, value: &'v str) -> Cow<'v, str> {
        if self.text_tells_apart || self.form.is_some() { Cow::Borrowed(value) } else { self.source.key(value) }
    }

    /// How often it is NULL where nothing else decides.
    pub(super) fn null_share(&self) -> f64 {
        self.null_share
    }

    /// How many distinct values there are.
    pub(super) fn capacity(&self) -> u64 {
        self.source.capacity()
    }

    /// The index-th of the distinct values.
    pub(super) fn nth(&self, index: u64) -> Option<String> {
        self.source.nth(index).map(|value| self.formed(value))
    }

    /// Adds values that match a pattern some condition names, as far as they are values of the column.
    pub(super) fn suggest(&mut self, column: &Column, pattern: Pattern, is_cast: bool) {
        if self.form.is_some() {
            return;
        }
        let text = DataType::new("text", Shape::Text);
        let family = Family::of(column);
        let padded = family == Family::Padded && !is_cast;
        let pattern = if family == Family::Caseless && !is_cast { pattern.ignoring_case() } else { pattern };
        let patterns: Vec<Pattern> = std::iter::once(pattern).chain(spelling(&self.shape, &column.data_type)).collect();
        let data_type = if family.is_text() { &column.data_type } else { &text };
        let Ok(source) = ValueSource::new(data_type, Limits { patterns, padded, ..Limits::default() }) else { return };
        let mut random = Seed(0).random();
        for _ in 0..SUGGESTED_MAX {
            let value = source.draw(&mut random, false);
            if self.source.accepts(&value) && !self.suggested.contains(&value) {
                self.suggested.push(value);
            }
        }
    }

    /// A value out of the words of the conditions on it, and of others.
    pub(super) fn near(&self, others: &[&str], random: &mut Random) -> String {
        if self.form.is_some() {
            return self.draw(random, false);
        }
        let words: Vec<&str> = self.words.iter().map(String::as_str).chain(others.iter().copied()).collect();
        self.source.near(&words, random)
    }

    /// Whether awkward values are told apart as well: to the server, the numbers of a JSON document are equal whatever
    /// their digits.
    pub(super) fn awkward_are_spelled_once(&self) -> bool {
        self.spelled_once && self.shape != Shape::Jsonb
    }

    /// Any value.
    pub(super) fn draw(&self, random: &mut Random, awkward: bool) -> String {
        if !self.suggested.is_empty()
            && random.chance(0.7)
            && let Some(value) = random.pick(&self.suggested)
        {
            return value.clone();
        }
        if self.is_written_time() {
            // What a text has to be a time for is another program: it knows neither infinity nor the 24th hour.
            for _ in 0..AWKWARD_TIMES_MAX {
                let value = self.source.draw(random, awkward);
                if is_plain_moment(&value) {
                    return self.formed(value);
                }
            }
            return self.formed(self.source.draw(random, false));
        }
        self.formed(self.source.draw(random, awkward))
    }

    fn is_written_time(&self) -> bool {
        matches!(self.form, Some(Form::Rfc3339 | Form::DateTime | Form::Date))
    }

    fn formed(&self, value: String) -> String {
        match self.form {
            Some(Form::JsonArray) => format!("[{value}]"),
            Some(Form::JsonObject) => format!("{{\"value\": {value}}}"),
            Some(Form::Rfc3339) => format!("{}Z", civil(&value).replacen(' ', "T", 1)),
            Some(Form::DateTime) => civil(&value),
            Some(Form::Json | Form::Date | Form::Uuid) | None => value,
        }
    }

    /// Which of two values comes first, where that can be told from their texts.
    pub(super) fn compare(&self, a: &str, b: &str) -> Option<Ordering> {
        match self.shape {
            Shape::SmallInt | Shape::Integer | Shape::BigInt | Shape::Oid => {
                Some(a.parse::<i128>().ok()?.cmp(&b.parse().ok()?))
            }
            Shape::Real | Shape::Double | Shape::Numeric { .. } => {
                a.parse::<f64>().ok()?.partial_cmp(&b.parse::<f64>().ok()?)
            }
            Shape::Date | Shape::Timestamp { .. } | Shape::TimestampTz { .. } => {
                (is_plain_moment(a) && is_plain_moment(b)).then(|| a.cmp(b))
            }
            _ => None,
        }
    }
}

/// Whether equal values of a type are spelled alike once they are read.
fn is_spelled_once(data_type: &DataType) -> bool {
    match &data_type.base().shape {
        Shape::Numeric { .. } | Shape::Real | Shape::Double | Shape::Jsonb => true,
        Shape::Array { element, .. } => {
            !matches!(
                element.base().shape,
                Shape::Numeric { .. } | Shape::Real | Shape::Double | Shape::Jsonb | Shape::Array { .. }
            ) && is_spelled_once(element)
        }
        Shape::Composite(_) | Shape::Hstore | Shape::Json | Shape::Domain(_) => false,
        Shape::Xml | Shape::Other => {
            let name = data_type.base().name.split('(').next().unwrap_or_default().trim();
            // An interval of a month is one of thirty days.
            let known = ["inet", "cidr", "macaddr", "macaddr8", "bit", "bit varying", "money", "pg_lsn"];
            known.contains(&name) || name.starts_with("time") || name.ends_with("range")
        }
        _ => true,
    }
}

/// Adds what a hint says to what the checks say.
fn narrow(limits: &mut Limits, hint: &ColumnHint, family: Family) {
    if let Some(values) = &hint.values {
        limits.allowed = Some(values.clone());
    }
    if let Some(minimum) = &hint.minimum {
        tighten(&mut limits.minimum, Bound::inclusive(minimum.clone()), family, true);
    }
    if let Some(maximum) = &hint.maximum {
        tighten(&mut limits.maximum, Bound::inclusive(maximum.clone()), family, false);
    }
    if let Some(pattern) = &hint.pattern {
        let text = format!("^(?:{pattern})$");
        if limits.padded {
            // The project means the text itself.
            limits.patterns.clear();
            limits.padded = false;
        }
        limits.patterns.push(Pattern::Regex { text, ignore_case: false, negated: false });
    }
    limits.length_min = hint.length_min.or(limits.length_min);
    limits.length_max = hint.length_max.or(limits.length_max);
    limits.plain |= hint.plain;
}

/// A moment without the leap second and the midnight that ends a day: PostgreSQL reads both and keeps neither, and
/// SQLite's date functions know neither.
fn civil(moment: &str) -> String {
    moment.replace(":60", ":59").replace(" 24:", " 00:")
}
