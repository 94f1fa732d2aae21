//! Casts: what `::type` means for each kind of value, for literals and for expressions.

use super::decimal::Decimal;
use super::kind::Kind;
use super::literals::{self, ElementForm};
use super::syntax::{array_syntax, object_name, strip};
use super::term::{Constant, Term};
use super::translate::{Translator, number_term};
use super::{Refusal, decimal, render};
use sqlparser::ast::{ArrayElemTypeDef, CharacterLength, DataType, ExactNumberInfo, Expr, TimezoneInfo};

/// A type that a cast names.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Wanted {
    Boolean,
    Integer {
        bytes: u8,
    },
    /// A negative number becomes another one.
    Oid,
    Real,
    SingleReal,
    Numeric(Option<(u32, u32)>),
    Text,
    VarChar(Option<u64>),
    /// With its length in characters; without one it keeps all of them.
    Char(Option<u64>),
    Citext,
    Uuid,
    Blob,
    Timestamp {
        with_zone: bool,
    },
    Date,
    Interval,
    Json {
        binary: bool,
    },
    Array(Box<DataType>),
    Enum(Vec<String>),
    Other,
}

impl Translator<'_> {
    pub fn cast_expression(&mut self, inner: &Expr, data_type: &DataType) -> Result<Term, Refusal> {
        if let (Wanted::Array(element), Some(elements)) = (self.wanted(data_type)?, array_syntax(inner)) {
            return self.array_constructor(elements, Some(&element));
        }
        let term = self.expression(inner)?;
        self.cast(term, data_type)
    }

    /// What a type's name asks for.
    pub fn wanted(&self, data_type: &DataType) -> Result<Wanted, Refusal> {
        let length = |length: &Option<CharacterLength>| match length {
            Some(CharacterLength::IntegerLength { length, .. }) => Some(*length),
            _ => None,
        };
        Ok(match data_type {
            DataType::Bool | DataType::Boolean => Wanted::Boolean,
            DataType::SmallInt(_) | DataType::Int2(_) => Wanted::Integer { bytes: 2 },
            DataType::Int(_) | DataType::Integer(_) | DataType::Int4(_) => Wanted::Integer { bytes: 4 },
            DataType::BigInt(_) | DataType::Int8(_) => Wanted::Integer { bytes: 8 },
            DataType::Real | DataType::Float4 => Wanted::SingleReal,
            DataType::DoublePrecision | DataType::Double(_) | DataType::Float8 => Wanted::Real,
            DataType::Numeric(info) | DataType::Decimal(info) => match info {
                ExactNumberInfo::None => Wanted::Numeric(None),
                ExactNumberInfo::Precision(precision) => Wanted::Numeric(Some((small(*precision)?, 0))),
                ExactNumberInfo::PrecisionAndScale(precision, scale) => Wanted::Numeric(Some((
                    small(*precision)?,
                    u32::try_from(*scale).map_err(|_| Refusal::new("it uses a `numeric` of negative scale"))?,
                ))),
            },
            DataType::Text => Wanted::Text,
            DataType::Varchar(n) | DataType::CharacterVarying(n) | DataType::CharVarying(n) => {
                Wanted::VarChar(length(n))
            }
            // Without a length it is of one character.
            DataType::Char(n) | DataType::Character(n) => Wanted::Char(Some(length(n).unwrap_or(1))),
            DataType::Uuid => Wanted::Uuid,
            DataType::Bytea => Wanted::Blob,
            DataType::Timestamp(None, zone) => {
                Wanted::Timestamp { with_zone: matches!(zone, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz) }
            }
            DataType::Date => Wanted::Date,
            DataType::Interval { .. } => Wanted::Interval,
            DataType::JSON => Wanted::Json { binary: false },
            DataType::JSONB => Wanted::Json { binary: true },
            DataType::Array(
                ArrayElemTypeDef::SquareBracket(element, _)
                | ArrayElemTypeDef::AngleBracket(element)
                | ArrayElemTypeDef::Parenthesis(element),
            ) => Wanted::Array(element.clone()),
            DataType::Custom(name, modifiers) => {
                let (schema, name) = object_name(name)?;
                let of_system = schema.as_deref().is_none_or(|schema| schema == "pg_catalog");
                match (name.as_str(), modifiers.is_empty() && (of_system || name == "citext")) {
                    ("citext", true) => Wanted::Citext,
                    ("bpchar", true) => Wanted::Char(None),
                    ("name", true) => Wanted::Text,
                    ("oid", true) => Wanted::Oid,
                    _ => match self.scope.enumeration(schema.as_deref(), &name) {
                        Some(labels) => Wanted::Enum(labels),
                        None => match self.scope.domain(schema.as_deref(), &name) {
                            Some(kind) => of_kind(&kind),
                            None => Wanted::Other,
                        },
                    },
                }
            }
            _ => Wanted::Other,
        })
    }

    pub fn cast(&mut self, term: Term, data_type: &DataType) -> Result<Term, Refusal> {
        let wanted = self.wanted(data_type)?;
        if wanted == Wanted::Other {
            return Err(Refusal::new(format!("it uses the type `{data_type}`, which SQLite does not have")));
        }
        if term.is_null_literal() {
            return Ok(Term { kind: self.kind_wanted(&wanted), ..Term::null() });
        }
        if let Some(constant) = self.cast_constant(&term, &wanted, data_type)? {
            return Ok(Term { collated: term.collated, ..constant });
        }
        self.cast_value(term, &wanted, data_type)
    }

    fn kind_wanted(&self, wanted: &Wanted) -> Kind {
        match wanted {
            Wanted::Boolean => Kind::Boolean,
            Wanted::Integer { .. } | Wanted::Oid => Kind::Integer { digits: 1 },
            Wanted::Real => Kind::Real,
            Wanted::SingleReal => Kind::SingleReal,
            Wanted::Numeric(_) => Kind::Scaled { digits: 1, scale: 0 },
            Wanted::Text | Wanted::VarChar(_) => Kind::Text,
            Wanted::Char(_) => Kind::PaddedText,
            Wanted::Citext => Kind::NocaseText,
            Wanted::Enum(labels) => Kind::Enum { labels: labels.clone() },
            Wanted::Uuid => Kind::Uuid,
            Wanted::Blob => Kind::Blob,
            _ => Kind::Unknown,
        }
    }

    /// A literal of a type; `None` where the term is no literal that can be converted now.
    fn cast_constant(&mut self, term: &Term, wanted: &Wanted, name: &DataType) -> Result<Option<Term>, Refusal> {
        let invalid =
            |text: &str| Refusal::new(format!("it holds {} as `{name}`, which SQLite cannot hold", render::text(text)));
        if let Some(number) = term.number() {
            return Ok(match wanted {
                Wanted::Integer { .. } => number.rescale(0).and_then(|number| number_term(number, true)),
                Wanted::Oid if (0..1 << 32).contains(&number.unscaled) && number.scale == 0 => {
                    number_term(number, true)
                }
                Wanted::Numeric(None) => number_term(number, false),
                Wanted::Numeric(Some((_, scale))) => {
                    number.rescale(*scale).and_then(|number| number_term(number, false))
                }
                Wanted::Real => number.to_string().parse::<f64>().ok().and_then(real_constant),
                Wanted::SingleReal => number.to_string().parse::<f32>().ok().and_then(single_constant),
                _ => None,
            });
        }
        let Some(text) = term.text() else { return Ok(None) };
        if term.kind != Kind::Unknown
            && !matches!(
                wanted,
                Wanted::Text | Wanted::VarChar(_) | Wanted::Char(_) | Wanted::Citext | Wanted::Enum(_) | Wanted::Date
            )
        {
            return Ok(None);
        }
        let typed = |text: String, kind: Kind| Some(Term::constant(render::text(&text), kind, Constant::Text(text)));
        let term = match wanted {
            Wanted::Boolean => match text.trim().to_ascii_lowercase().as_str() {
                "t" | "true" | "yes" | "on" | "1" => Some(Term::constant("1", Kind::Boolean, Constant::Boolean(true))),
                "f" | "false" | "no" | "off" | "0" => {
                    Some(Term::constant("0", Kind::Boolean, Constant::Boolean(false)))
                }
                _ => None,
            },
            Wanted::Integer { .. } | Wanted::Oid => {
                Decimal::parse(text).filter(|n| n.scale == 0).and_then(|n| number_term(n, true))
            }
            Wanted::Numeric(scale) => Decimal::parse(text)
                .and_then(|number| match scale {
                    Some((_, scale)) => number.rescale(*scale),
                    None => Some(number),
                })
                .and_then(|number| number_term(number, false)),
            Wanted::Real => text.parse::<f64>().ok().and_then(real_constant),
            Wanted::SingleReal => text.parse::<f32>().ok().and_then(single_constant),
            Wanted::Text | Wanted::VarChar(None) => typed(text.to_owned(), Kind::Text),
            Wanted::VarChar(Some(length)) => {
                typed(text.chars().take(usize::try_from(*length).unwrap_or(usize::MAX)).collect(), Kind::Text)
            }
            Wanted::Char(length) => {
                let length = length.and_then(|length| usize::try_from(length).ok()).unwrap_or(usize::MAX);
                let text: String = text.chars().take(length).collect();
                typed(text.trim_end_matches(' ').to_owned(), Kind::PaddedText)
            }
            Wanted::Citext => typed(text.to_owned(), Kind::NocaseText),
            Wanted::Enum(labels) => labels
                .iter()
                .any(|label| label == text)
                .then(|| typed(text.to_owned(), Kind::Enum { labels: labels.clone() }))
                .flatten(),
            Wanted::Uuid => literals::uuid(text).and_then(|text| typed(text, Kind::Uuid)),
            Wanted::Blob => literals::bytes(text)
                .map(|bytes| Term::constant(render::blob(&bytes), Kind::Blob, Constant::Text(text.to_owned()))),
            Wanted::Timestamp { with_zone } if text == "now" => {
                return self.niladic(if *with_zone { "now" } else { "localtimestamp" });
            }
            Wanted::Date if text == "now" => return self.niladic("current_date"),
            // Its unit is that of what it is compared with: see `constant_as`.
            Wanted::Timestamp { with_zone } => literals::timestamp_microseconds(text, *with_zone).map(|_| {
                Term::constant(
                    render::text(text),
                    Kind::TimestampLiteral { with_zone: *with_zone },
                    Constant::Text(text.to_owned()),
                )
            }),
            Wanted::Date => (literals::date_days(text).is_some() || text.ends_with("infinity"))
                .then(|| typed(text.to_owned(), Kind::Date))
                .flatten(),
            Wanted::Interval => return self.interval(term).map(Some),
            Wanted::Json { binary } => serde_json::from_str::<serde::de::IgnoredAny>(text)
                .ok()
                .and_then(|_| typed(text.to_owned(), Kind::Json { binary: *binary })),
            Wanted::Array(element) => literals::array(text)
                .and_then(|elements| literals::array_json(&elements, element_form(&self.wanted(element).ok()?)))
                .and_then(|json| typed(json, Kind::JsonArray)),
            Wanted::Other => None,
        };
        term.map(Some).ok_or_else(|| invalid(text))
    }

    fn cast_value(&mut self, term: Term, wanted: &Wanted, name: &DataType) -> Result<Term, Refusal> {
        let refusal = |term: &Term| {
            Refusal::new(format!("it casts {} to `{name}`, which SQLite does otherwise", term.kind.words()))
        };
        match (wanted, &term.kind) {
            (Wanted::Text | Wanted::VarChar(_) | Wanted::Char(_) | Wanted::Citext, _) => {
                self.cast_to_text(&term, wanted).ok_or_else(|| refusal(&term))
            }
            (
                Wanted::Integer { .. } | Wanted::Numeric(_) | Wanted::Real,
                Kind::Integer { .. }
                | Kind::Boolean
                | Kind::Real
                | Kind::SingleReal
                | Kind::Scaled { .. }
                | Kind::DecimalReal { .. }
                | Kind::DecimalText { .. }
                | Kind::Approximate,
            ) => self.cast_to_number(&term, wanted)?.ok_or_else(|| refusal(&term)),
            (Wanted::Boolean, Kind::Boolean)
            | (Wanted::SingleReal, Kind::SingleReal)
            | (Wanted::Uuid, Kind::Uuid)
            | (Wanted::Blob, Kind::Blob)
            | (Wanted::Date, Kind::Date)
            | (Wanted::Interval, Kind::Duration { .. }) => Ok(term),
            (Wanted::Enum(labels), Kind::Enum { labels: others }) if labels == others => Ok(term),
            (Wanted::Json { binary }, Kind::Json { binary: other }) if binary == other => Ok(term),
            (Wanted::Json { binary: false }, Kind::Json { binary: true }) => {
                Ok(Term { kind: Kind::Json { binary: false }, ..term })
            }
            (Wanted::Boolean, Kind::Integer { .. }) => {
                Ok(Term::from_parts(format!("({} <> 0)", term.sql), Kind::Boolean, &[&term]))
            }
            (Wanted::Date, Kind::Epoch { .. }) => self.date_of(term),
            (Wanted::Date, Kind::Clock { .. }) => self.niladic("current_date")?.ok_or_else(|| refusal(&term)),
            (Wanted::Timestamp { with_zone }, Kind::Clock { with_zone: other }) => {
                if with_zone != other {
                    self.caveat("the current time is that of UTC, not of the session's time zone");
                }
                Ok(Term { kind: Kind::Clock { with_zone: *with_zone }, ..term })
            }
            (
                Wanted::Timestamp { with_zone },
                Kind::Epoch { with_zone: other, .. } | Kind::IsoTimestamp { with_zone: other },
            ) if with_zone == other => Ok(term),
            _ => Err(refusal(&term)),
        }
    }

    /// A cast to a type of texts; `None` where SQLite's is another.
    fn cast_to_text(&mut self, term: &Term, wanted: &Wanted) -> Option<Term> {
        let with = |sql: String, kind: Kind| Some(Term::from_parts(sql, kind, &[term]));
        let read_as = |kind: Kind| Some(Term { kind, ..term.clone() });
        match (wanted, &term.kind) {
            (Wanted::Text | Wanted::VarChar(None), Kind::Text)
            | (Wanted::Char(None), Kind::PaddedText)
            | (Wanted::Citext, Kind::NocaseText) => Some(term.clone()),
            (Wanted::Text | Wanted::VarChar(None), Kind::JsonText) => read_as(Kind::JsonText),
            (
                Wanted::Text | Wanted::VarChar(None),
                Kind::PaddedText | Kind::Uuid | Kind::Enum { .. } | Kind::DecimalText { .. },
            )
            | (Wanted::Text, Kind::Json { .. }) => read_as(Kind::Text),
            (Wanted::Text | Wanted::VarChar(None), Kind::NocaseText) => {
                with(format!("({} COLLATE BINARY)", term.sql), Kind::Text)
            }
            (Wanted::VarChar(Some(length)), Kind::Text | Kind::PaddedText) => {
                with(format!("substr({}, 1, {length})", term.sql), Kind::Text)
            }
            (Wanted::Citext, Kind::Text) => Some(Term { kind: Kind::NocaseText, is_column: false, ..term.clone() }),
            (Wanted::Char(None), Kind::Text) => with(format!("rtrim({}, ' ')", term.sql), Kind::PaddedText),
            (Wanted::Char(Some(length)), Kind::Text | Kind::PaddedText) => {
                with(format!("rtrim(substr({}, 1, {length}), ' ')", term.sql), Kind::PaddedText)
            }
            (Wanted::Text | Wanted::VarChar(None), Kind::Integer { .. }) => {
                with(format!("CAST({} AS TEXT)", term.sql), Kind::Text)
            }
            (Wanted::Text | Wanted::VarChar(None), Kind::Boolean) => {
                with(format!("(CASE {} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END)", term.sql), Kind::Text)
            }
            (Wanted::Text | Wanted::VarChar(None), Kind::Date) => {
                self.caveat("dates are written as ISO 8601 whatever the session's DateStyle");
                read_as(Kind::Text)
            }
            _ => None,
        }
    }

    /// A cast of a number or a truth value to a number; `None` where SQLite's is another.
    fn cast_to_number(&mut self, term: &Term, wanted: &Wanted) -> Result<Option<Term>, Refusal> {
        let number = match (wanted, &term.kind) {
            (Wanted::Integer { bytes }, Kind::Integer { digits }) => {
                let (least, most) = digits_of(*bytes);
                if *digits > most {
                    self.past_the_range();
                }
                Term { kind: Kind::Integer { digits: (*digits).clamp(least, most) }, ..term.clone() }
            }
            (Wanted::Integer { .. }, Kind::Boolean) => {
                Term { kind: Kind::Integer { digits: 6 }, is_column: false, ..term.clone() }
            }
            (Wanted::Integer { bytes }, Kind::Scaled { .. } | Kind::DecimalReal { .. }) => {
                let (term, digits, scale) = self.scaled(term.clone())?;
                let sql = decimal::rescale_sql(&term.sql, scale, 0);
                let whole = digits.saturating_sub(scale) + u32::from(scale > 0);
                let (least, most) = digits_of(*bytes);
                if whole >= most {
                    self.past_the_range();
                }
                Term { sql, kind: Kind::Integer { digits: whole.clamp(least, most) }, is_column: false, ..term }
            }
            (Wanted::Real, Kind::Real)
            | (
                Wanted::Numeric(None),
                Kind::Scaled { .. } | Kind::DecimalReal { .. } | Kind::DecimalText { .. } | Kind::Approximate,
            ) => term.clone(),
            (Wanted::Numeric(None), Kind::Integer { digits }) => {
                let kind = Kind::Scaled { digits: *digits, scale: 0 };
                Term { kind, ..term.clone() }
            }
            (
                Wanted::Numeric(Some((precision, scale))),
                Kind::Integer { .. } | Kind::Scaled { .. } | Kind::DecimalReal { .. },
            ) => {
                let (_, digits, from) = self.scaled(term.clone())?;
                if digits.saturating_sub(from) + u32::from(from > *scale) > precision.saturating_sub(*scale) {
                    self.past_the_range();
                }
                self.rescale(term.clone(), *scale)?
            }
            (Wanted::Real, Kind::Integer { .. } | Kind::Scaled { .. }) => {
                let term = self.approximate(term.clone());
                Term { kind: Kind::Real, ..term }
            }
            (Wanted::Real, Kind::DecimalReal { .. } | Kind::SingleReal | Kind::Approximate) => {
                Term { kind: Kind::Real, is_column: false, ..term.clone() }
            }
            (Wanted::Numeric(scale), Kind::Real | Kind::SingleReal | Kind::Approximate | Kind::DecimalText { .. }) => {
                self.caveat_in_view("it turns a number into a `numeric`, which SQLite keeps in floating point")?;
                if scale.is_some() {
                    self.past_the_range();
                }
                let term = self.approximate(term.clone());
                let sql = match scale {
                    Some((_, scale)) => format!("round({}, {scale})", term.sql),
                    None => term.sql.clone(),
                };
                Term { sql, ..term }
            }
            _ => return Ok(None),
        };
        Ok(Some(number))
    }

    /// A numeric term at a scale, rounded as PostgreSQL does.
    pub fn rescale(&mut self, term: Term, scale: u32) -> Result<Term, Refusal> {
        let (term, digits, from) = self.scaled(term)?;
        let digits = (digits + scale).saturating_sub(from) + 1;
        if digits > decimal::DIGITS_MAX {
            return Err(Refusal::new("it computes decimals with more digits than SQLite's integers have"));
        }
        let sql = decimal::rescale_sql(&term.sql, from, scale);
        Ok(Term { sql, kind: Kind::Scaled { digits, scale }, is_column: false, constant: None, ..term })
    }

    /// A literal in the representation of a kind: what it is compared with, or the column it goes into.
    pub fn constant_as(&mut self, term: &Term, kind: &Kind) -> Result<Term, Refusal> {
        let refusal =
            |text: &str| Refusal::new(format!("it holds {} where {} is wanted", render::text(text), kind.words()));
        let Some(text) = term.text() else {
            return Err(Refusal::new(format!("it holds a literal where {} is wanted", kind.words())));
        };
        let wanted = of_kind(kind);
        if let Kind::TimestampLiteral { with_zone } = term.kind
            && !matches!(kind, Kind::Epoch { with_zone: other, .. } | Kind::IsoTimestamp { with_zone: other } if *other == with_zone)
        {
            return Err(Refusal::new(format!("it uses a timestamp where {} is wanted", kind.words())));
        }
        match kind {
            Kind::Epoch { unit, with_zone } => literals::timestamp_microseconds(text, *with_zone)
                .and_then(|microseconds| literals::microseconds_in(*unit, microseconds))
                .map(|value| Term { sql: value.to_string(), kind: kind.clone(), ..term.clone() })
                .ok_or_else(|| refusal(text)),
            Kind::IsoTimestamp { with_zone } => literals::timestamp_microseconds(text, *with_zone)
                .and_then(|microseconds| literals::timestamp_text(microseconds, *with_zone))
                .map(|text| Term { sql: render::text(&text), kind: kind.clone(), ..term.clone() })
                .ok_or_else(|| refusal(text)),
            Kind::Unknown => Ok(term.clone()),
            _ => {
                let unknown = Term { kind: Kind::Unknown, ..term.clone() };
                self.cast_constant(&unknown, &wanted, &DataType::Unspecified)
                    .ok()
                    .flatten()
                    .map(|constant| Term { collated: term.collated, ..constant })
                    .ok_or_else(|| refusal(text))
            }
        }
    }

    /// The elements of an array that is known: `ARRAY[…]`, `'{…}'::type[]`, or a cast of one.
    pub fn array_items(&mut self, expression: &Expr) -> Result<Option<Vec<Term>>, Refusal> {
        match expression {
            Expr::Nested(inner) => self.array_items(inner),
            Expr::Array(array) => {
                array.elem.iter().map(|element| self.expression(element)).collect::<Result<Vec<_>, _>>().map(Some)
            }
            Expr::Cast { expr, data_type, .. } => {
                let Wanted::Array(element) = self.wanted(data_type)? else { return Ok(None) };
                if let Some(items) = self.array_items(expr)? {
                    return items.into_iter().map(|item| self.cast(item, &element)).collect::<Result<_, _>>().map(Some);
                }
                let Expr::Value(value) = strip(expr) else { return Ok(None) };
                let sqlparser::ast::Value::SingleQuotedString(text) = &value.value else { return Ok(None) };
                let Some(elements) = literals::array(text) else { return Ok(None) };
                let mut items = Vec::with_capacity(elements.len());
                for element_value in elements {
                    items.push(match element_value {
                        literals::Element::Null => Term::null(),
                        literals::Element::Array(_) => return Ok(None),
                        literals::Element::Text(text) => {
                            let unknown =
                                Term::constant(render::text(&text), Kind::Unknown, Constant::Text(text.clone()));
                            self.cast(unknown, &element)?
                        }
                    });
                }
                Ok(Some(items))
            }
            _ => Ok(None),
        }
    }

    /// `ARRAY[…]` as JSON text; its elements must be literals.
    pub fn array_constructor(&mut self, elements: &[Expr], element: Option<&DataType>) -> Result<Term, Refusal> {
        let mut values = Vec::with_capacity(elements.len());
        let mut form = match element {
            Some(element) => element_form(&self.wanted(element)?),
            None => ElementForm::Other,
        };
        for expression in elements {
            let term = self.expression(expression)?;
            if element.is_none() {
                form = match term.kind {
                    Kind::Unknown | Kind::Text | Kind::Uuid | Kind::Enum { .. } => ElementForm::Text,
                    Kind::Integer { .. } => ElementForm::Integer,
                    Kind::Boolean => ElementForm::Boolean,
                    _ => ElementForm::Other,
                };
            }
            values.push(match term.constant {
                Some(Constant::Null) => literals::Element::Null,
                Some(Constant::Text(text)) => literals::Element::Text(text),
                Some(Constant::Number(number)) => literals::Element::Text(number.to_string()),
                Some(Constant::Boolean(value)) => literals::Element::Text(value.to_string()),
                _ => return Err(Refusal::new("it builds an array, which SQLite does not have")),
            });
        }
        let json = literals::array_json(&values, form)
            .ok_or_else(|| Refusal::new("it builds an array of a type whose JSON form is not known"))?;
        Ok(Term::constant(render::text(&json), Kind::JsonArray, Constant::Text(json)))
    }
}

/// The digits by which an integer of so many bytes is told from others: the fewest and the most.
fn digits_of(bytes: u8) -> (u32, u32) {
    match bytes {
        2 => (1, 5),
        4 => (6, 10),
        _ => (11, 19),
    }
}

fn small(value: u64) -> Result<u32, Refusal> {
    u32::try_from(value).map_err(|_| Refusal::new("it uses a `numeric` beyond what can be kept exactly"))
}

fn element_form(wanted: &Wanted) -> ElementForm {
    match wanted {
        Wanted::Text | Wanted::VarChar(_) | Wanted::Citext | Wanted::Uuid | Wanted::Enum(_) => ElementForm::Text,
        Wanted::Integer { .. } => ElementForm::Integer,
        Wanted::Boolean => ElementForm::Boolean,
        _ => ElementForm::Other,
    }
}

fn of_kind(kind: &Kind) -> Wanted {
    match kind {
        Kind::Boolean => Wanted::Boolean,
        Kind::Integer { .. } => Wanted::Integer { bytes: 8 },
        Kind::Real => Wanted::Real,
        Kind::SingleReal => Wanted::SingleReal,
        Kind::Scaled { .. } | Kind::DecimalReal { .. } | Kind::DecimalText { .. } | Kind::Approximate => {
            Wanted::Numeric(None)
        }
        Kind::Unknown | Kind::Text | Kind::JsonText => Wanted::Text,
        Kind::PaddedText => Wanted::Char(None),
        Kind::NocaseText => Wanted::Citext,
        Kind::Enum { labels } => Wanted::Enum(labels.clone()),
        Kind::Uuid => Wanted::Uuid,
        Kind::Blob => Wanted::Blob,
        Kind::Epoch { with_zone, .. } | Kind::IsoTimestamp { with_zone } | Kind::TimestampLiteral { with_zone } => {
            Wanted::Timestamp { with_zone: *with_zone }
        }
        Kind::Date => Wanted::Date,
        Kind::Duration { .. } => Wanted::Interval,
        Kind::Json { binary } => Wanted::Json { binary: *binary },
        Kind::JsonArray | Kind::Composite | Kind::ServerText | Kind::Clock { .. } | Kind::Moved { .. } => Wanted::Other,
    }
}

fn real_constant(value: f64) -> Option<Term> {
    render::real(value).map(|sql| Term::constant(sql, Kind::Real, Constant::Double(value)))
}

fn single_constant(value: f32) -> Option<Term> {
    render::real(f64::from(value)).map(|sql| Term::constant(sql, Kind::SingleReal, Constant::Double(f64::from(value))))
}
