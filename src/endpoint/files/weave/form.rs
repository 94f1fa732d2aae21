//! The forms of a column's values: what a spelling means, and how we would spell it.

use super::super::document::{Document, NodeId, NodeKind, Syntax, json, yaml};
use super::super::layout::{BooleanSpelling, MomentSpelling, ValueForm};
use super::tree::Tree;
use crate::value::Cell;
use crate::value::calendar::{self, MICROS_1970_TO_2000, MICROS_PER_DAY};
use std::borrow::Cow;

/// Whether two cells are the same value: as `==`, but -0 is not 0, every NaN is one, and JSON is compared without the
/// blanks between its parts.
pub fn same(left: &Cell<'_>, right: &Cell<'_>) -> bool {
    match (left, right) {
        (Cell::Float(left), Cell::Float(right)) => {
            left.to_bits() == right.to_bits() || (left.is_nan() && right.is_nan())
        }
        (Cell::Json(left), Cell::Json(right)) => {
            left == right || json::without_blanks(left) == json::without_blanks(right)
        }
        _ => left == right,
    }
}

/// What a value of a document is.
#[derive(Debug)]
enum Spelled<'t> {
    Null,
    Bool(bool),
    Number(&'t str),
    Text(Cow<'t, str>),
    /// Text whose meaning the form decides.
    Bare(&'t str),
    Container,
}

fn spelled<'t>(document: &Document<'t>, node: NodeId) -> Spelled<'t> {
    match document.kind(node) {
        NodeKind::Null => Spelled::Null,
        NodeKind::True => Spelled::Bool(true),
        NodeKind::False => Spelled::Bool(false),
        NodeKind::Number => Spelled::Number(document.slice(node)),
        NodeKind::Text { .. } | NodeKind::Decoded => Spelled::Text(document.string(node)),
        NodeKind::Bare => Spelled::Bare(document.slice(node)),
        NodeKind::Name(_) => Spelled::Text(Cow::Owned(document.key(node).into_owned())),
        NodeKind::Array | NodeKind::Object => Spelled::Container,
    }
}

/// What a node is, for a message.
pub fn described(document: &Document<'_>, node: NodeId) -> &'static str {
    match document.kind(node) {
        NodeKind::Null => "null",
        NodeKind::True | NodeKind::False => "a truth value",
        NodeKind::Number => "a number",
        NodeKind::Text { .. } | NodeKind::Decoded | NodeKind::Bare | NodeKind::Name(_) => "a text",
        NodeKind::Array => "an array",
        NodeKind::Object => "an object",
    }
}

/// What a node means in a column of a form; none where it is null.
///
/// # Errors
///
/// It is nothing of that form; the reason.
pub fn read<'t>(document: &Document<'t>, node: NodeId, form: &ValueForm) -> Result<Option<Cell<'t>>, String> {
    if let ValueForm::Json = form {
        return match document.kind(node) {
            NodeKind::Null => Ok(None),
            _ if document.syntax == Syntax::Json => Ok(Some(Cell::Json(json::without_blanks(document.slice(node))))),
            _ => Ok(Some(Cell::Json(Cow::Owned(Tree::of_node(document, node)?.compact())))),
        };
    }
    let wrong = |wanted: &str| Err(format!("{} where {wanted} should be", described(document, node)));
    match spelled(document, node) {
        Spelled::Null => Ok(None),
        Spelled::Container => wrong(wanted(form)),
        Spelled::Bare(text) if document.syntax == Syntax::Yaml => match (form, yaml::core(text)) {
            (ValueForm::Boolean(BooleanSpelling::Own), yaml::Core::Bool(value)) => Ok(Some(Cell::Bool(value))),
            (ValueForm::Integer | ValueForm::Real, yaml::Core::Number(Cow::Owned(number))) => {
                read_text(&number, form).map(|cell| Some(cell.into_owned()))
            }
            _ => read_text(text, form).map(Some),
        },
        Spelled::Bare(text) => read_text(text, form).map(Some),
        Spelled::Text(text) => match form {
            ValueForm::Text => Ok(Some(Cell::Text(text))),
            ValueForm::Words(_)
            | ValueForm::Boolean(BooleanSpelling::Words { .. })
            | ValueForm::Moment(MomentSpelling::Rfc3339 | MomentSpelling::Spaced | MomentSpelling::SpacedComma) => {
                read_text(&text, form).map(|cell| Some(cell.into_owned()))
            }
            ValueForm::Integer
            | ValueForm::Real
            | ValueForm::Boolean(BooleanSpelling::Own | BooleanSpelling::Digits)
            | ValueForm::Json
            | ValueForm::Moment(MomentSpelling::EpochSeconds | MomentSpelling::EpochMillis)
            | ValueForm::Bytes => wrong(wanted(form)),
        },
        Spelled::Number(number) => match form {
            ValueForm::Integer
            | ValueForm::Real
            | ValueForm::Boolean(BooleanSpelling::Digits)
            | ValueForm::Moment(MomentSpelling::EpochSeconds | MomentSpelling::EpochMillis) => {
                read_text(number, form).map(Some)
            }
            ValueForm::Text
            | ValueForm::Words(_)
            | ValueForm::Boolean(BooleanSpelling::Own | BooleanSpelling::Words { .. })
            | ValueForm::Json
            | ValueForm::Moment(MomentSpelling::Rfc3339 | MomentSpelling::Spaced | MomentSpelling::SpacedComma)
            | ValueForm::Bytes => wrong(wanted(form)),
        },
        Spelled::Bool(value) => match form {
            ValueForm::Boolean(BooleanSpelling::Own) => Ok(Some(Cell::Bool(value))),
            _ => wrong(wanted(form)),
        },
    }
}

/// What a form wants, for a message.
fn wanted(form: &ValueForm) -> &'static str {
    match form {
        ValueForm::Text => "a text",
        ValueForm::Words(_) => "one of the layout's words",
        ValueForm::Integer => "an integer",
        ValueForm::Real => "a number",
        ValueForm::Boolean(BooleanSpelling::Own) => "`true` or `false`",
        ValueForm::Boolean(BooleanSpelling::Digits) => "1 or 0",
        ValueForm::Boolean(BooleanSpelling::Words { .. }) => "one of two words",
        ValueForm::Json => "a value",
        ValueForm::Moment(MomentSpelling::EpochSeconds) => "a number of seconds",
        ValueForm::Moment(MomentSpelling::EpochMillis) => "a number of milliseconds",
        ValueForm::Moment(MomentSpelling::Rfc3339) => "a moment with its zone, as in `2026-01-31T12:00:00Z`",
        ValueForm::Moment(MomentSpelling::Spaced) => "a moment as in `2026-01-31 12:00:00`",
        ValueForm::Moment(MomentSpelling::SpacedComma) => "a moment as in `2026-01-31 12:00:00,123`",
        ValueForm::Bytes => "the content of a file",
    }
}

/// How a moment has to be spelled, for a message.
fn form_of_moment(spelling: MomentSpelling) -> &'static str {
    match spelling {
        MomentSpelling::Rfc3339 => "of RFC 3339, which has a zone: `2025-01-31T10:00:00Z`",
        MomentSpelling::Spaced => "as `2025-01-31 10:00:00`",
        MomentSpelling::SpacedComma => "as `2025-01-31 10:00:00,123`",
        MomentSpelling::EpochSeconds => "in seconds since 1970",
        MomentSpelling::EpochMillis => "in milliseconds since 1970",
    }
}

/// What a bare text means in a column of a form: a capture of a path or a line, the name of an entry.
///
/// # Errors
///
/// It is nothing of that form; the reason.
pub fn read_text<'t>(text: &'t str, form: &ValueForm) -> Result<Cell<'t>, String> {
    let no =
        || format!("`{}` is no {}", shortened(text), wanted(form).trim_start_matches("a ").trim_start_matches("an "));
    match form {
        ValueForm::Text => Ok(Cell::Text(Cow::Borrowed(text))),
        ValueForm::Words(words) => match words.iter().find(|(file, _)| file == text) {
            Some((_, row)) => Ok(Cell::Text(Cow::Owned(row.clone()))),
            None => Err(format!("`{}` is none of the words that the layout has", shortened(text))),
        },
        ValueForm::Integer => Decimal::of(text).ok_or_else(no)?.integer(0).map(Cell::Int).map_err(|why| match why {
            Inexact::Fraction => no(),
            Inexact::Range => format!("{} is beyond the 64 bits of an integer", shortened(text)),
        }),
        ValueForm::Real => match Decimal::of(text).and_then(|_| text.parse::<f64>().ok()) {
            None => Err(no()),
            Some(value) if value.is_infinite() => Err(format!("{} is beyond the range of a double", shortened(text))),
            Some(value) => Ok(Cell::Float(value)),
        },
        ValueForm::Boolean(spelling) => {
            let (yes, no) = match spelling {
                BooleanSpelling::Own => ("true", "false"),
                BooleanSpelling::Digits => ("1", "0"),
                BooleanSpelling::Words { yes, no } => (yes.as_str(), no.as_str()),
            };
            match text {
                _ if text == yes => Ok(Cell::Bool(true)),
                _ if text == no => Ok(Cell::Bool(false)),
                _ => Err(format!("`{}` where `{yes}` or `{no}` should be", shortened(text))),
            }
        }
        ValueForm::Json => match json::read(text) {
            Ok(_) => Ok(Cell::Json(json::without_blanks(text))),
            Err(flaw) => Err(format!("`{}` is no JSON: {}", shortened(text), flaw.reason)),
        },
        ValueForm::Moment(spelling) => {
            let micros = match spelling {
                MomentSpelling::Rfc3339 => civil_moment(text, ['T', 't'], '.', true),
                MomentSpelling::Spaced => civil_moment(text, [' ', ' '], '.', false),
                MomentSpelling::SpacedComma => civil_moment(text, [' ', ' '], ',', false),
                MomentSpelling::EpochSeconds => epoch_moment(text, 6),
                MomentSpelling::EpochMillis => epoch_moment(text, 3),
            };
            match micros {
                Ok(micros) => Ok(Cell::TimestampTz(micros)),
                Err(NoMoment::Finer) => Err(format!(
                    "`{}` is finer than the microsecond of a moment; a column of type \"text\" keeps it",
                    shortened(text)
                )),
                Err(NoMoment::Other) => Err(format!(
                    "`{}` is no moment {}; `spelled` in the layout says another form, and a column of type \"text\" takes any",
                    shortened(text),
                    form_of_moment(*spelling)
                )),
            }
        }
        ValueForm::Bytes => Err("bytes where no content of a file is".into()),
    }
}

/// The beginning of a text, for a message.
pub fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(60) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// A cell as we would spell it in a document; not for NULL.
///
/// # Errors
///
/// The column cannot have that value; the reason.
pub fn tree<'c>(cell: &'c Cell<'_>, form: &ValueForm) -> Result<Tree<'c>, String> {
    match (form, cell) {
        (ValueForm::Json, Cell::Json(text)) => {
            Tree::of_json(text).map_err(|flaw| format!("its value is no JSON: {}", flaw.reason))
        }
        (ValueForm::Boolean(BooleanSpelling::Own), Cell::Bool(value)) => Ok(Tree::Bool(*value)),
        (
            ValueForm::Integer
            | ValueForm::Real
            | ValueForm::Boolean(BooleanSpelling::Digits)
            | ValueForm::Moment(MomentSpelling::EpochSeconds | MomentSpelling::EpochMillis),
            _,
        ) => Ok(Tree::Number(text(cell, form)?)),
        _ => Ok(Tree::Text(text(cell, form)?)),
    }
}

/// A cell as we would spell it in a path or a line; not for NULL.
///
/// # Errors
///
/// The column cannot have that value; the reason.
pub fn text<'c>(cell: &'c Cell<'_>, form: &ValueForm) -> Result<Cow<'c, str>, String> {
    Ok(match (form, cell) {
        (ValueForm::Text, Cell::Text(text)) => Cow::Borrowed(text.as_ref()),
        (ValueForm::Words(words), Cell::Text(text)) => match words.iter().find(|(_, row)| row == text) {
            Some((file, _)) => Cow::Owned(file.clone()),
            None => return Err(format!("`{}` is none of the words that the layout has", shortened(text))),
        },
        (ValueForm::Integer, Cell::Int(value)) => Cow::Owned(value.to_string()),
        (ValueForm::Real, Cell::Float(value)) if value.is_finite() => Cow::Owned(format!("{value:?}")),
        (ValueForm::Real, Cell::Float(_)) => return Err("its value is no finite number".into()),
        (ValueForm::Boolean(spelling), Cell::Bool(value)) => match spelling {
            BooleanSpelling::Own => Cow::Borrowed(if *value { "true" } else { "false" }),
            BooleanSpelling::Digits => Cow::Borrowed(if *value { "1" } else { "0" }),
            BooleanSpelling::Words { yes, no } => Cow::Owned(if *value { yes } else { no }.clone()),
        },
        (ValueForm::Json, Cell::Json(text)) => json::without_blanks(text),
        (ValueForm::Moment(spelling), Cell::TimestampTz(micros)) => Cow::Owned(moment_text(*micros, *spelling)?),
        (_, cell) => return Err(format!("its value is {cell:?}, where the layout says {}", wanted(form))),
    })
}

/// A decimal number by its digits: 0.`digits` moved by `exponent`.
struct Decimal<'t> {
    negative: bool,
    whole: &'t str,
    fraction: &'t str,
    exponent: i64,
}

enum Inexact {
    Fraction,
    Range,
}

impl<'t> Decimal<'t> {
    /// A number as JSON spells it; leading zeros are allowed.
    fn of(text: &'t str) -> Option<Self> {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let (negative, magnitude) = match text.strip_prefix('-') {
            Some(magnitude) => (true, magnitude),
            None => (false, text),
        };
        let (mantissa, exponent) = match magnitude.split_once(['e', 'E']) {
            None => (magnitude, 0),
            Some((mantissa, exponent)) => {
                let (sign, magnitude) = match exponent.as_bytes().first()? {
                    b'-' => (-1, &exponent[1..]),
                    b'+' => (1, &exponent[1..]),
                    _ => (1, exponent),
                };
                if !digits(magnitude) {
                    return None;
                }
                // Beyond this every number but 0 is too large or too small, whatever its digits.
                (mantissa, sign * magnitude.parse::<i64>().unwrap_or(i64::MAX).min(1 << 40))
            }
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (mantissa, ""),
        };
        let is_number = digits(whole) && (fraction.is_empty() || digits(fraction));
        is_number.then_some(Decimal { negative, whole, fraction, exponent })
    }

    /// The number times ten to the power of `shift`, where that is an integer.
    fn integer(&self, shift: i64) -> Result<i64, Inexact> {
        let exponent = self.exponent + shift;
        if self.fraction.is_empty() && exponent == 0 && self.whole.len() <= 18 {
            let value: i64 = self.whole.parse().map_err(|_| Inexact::Range)?;
            return Ok(if self.negative { -value } else { value });
        }
        let digits = [self.whole, self.fraction].concat();
        let trimmed = digits.trim_start_matches('0').trim_end_matches('0');
        if trimmed.is_empty() {
            return Ok(0);
        }
        let zeros = (digits.len() - digits.trim_end_matches('0').len()) as i64;
        let exponent = exponent - self.fraction.len() as i64 + zeros;
        if exponent < 0 {
            return Err(Inexact::Fraction);
        }
        if exponent + trimmed.len() as i64 > 19 {
            return Err(Inexact::Range);
        }
        let magnitude = trimmed.parse::<i128>().map_err(|_| Inexact::Range)? * 10_i128.pow(exponent as u32);
        i64::try_from(if self.negative { -magnitude } else { magnitude }).map_err(|_| Inexact::Range)
    }
}

enum NoMoment {
    Finer,
    Other,
}

/// Microseconds since 2000 of a number since 1970 with `places` places between it and microseconds.
fn epoch_moment(text: &str, places: i64) -> Result<i64, NoMoment> {
    let micros = Decimal::of(text).ok_or(NoMoment::Other)?.integer(places).map_err(|why| match why {
        Inexact::Fraction => NoMoment::Finer,
        Inexact::Range => NoMoment::Other,
    })?;
    // The greatest and the least stand for infinities.
    let micros = micros.checked_sub(MICROS_1970_TO_2000).ok_or(NoMoment::Other)?;
    if micros == i64::MAX || micros == i64::MIN { Err(NoMoment::Other) } else { Ok(micros) }
}

/// Microseconds since 2000 of `2026-01-31T12:00:00.5`, with `Z` or an offset where the spelling has zones.
fn civil_moment(text: &str, separators: [char; 2], point: char, zoned: bool) -> Result<i64, NoMoment> {
    let other = NoMoment::Other;
    let bytes = text.as_bytes();
    if bytes.len() < 19 || !text.is_ascii() || !separators.contains(&char::from(bytes[10])) {
        return Err(other);
    }
    let two = |at: usize| match (bytes[at], bytes[at + 1]) {
        (tens @ b'0'..=b'9', ones @ b'0'..=b'9') => Ok(i64::from(tens - b'0') * 10 + i64::from(ones - b'0')),
        _ => Err(NoMoment::Other),
    };
    if bytes[13] != b':' || bytes[16] != b':' {
        return Err(other);
    }
    let days = calendar::parse_date(&text[..10]).ok_or(NoMoment::Other)?;
    let (hours, minutes, seconds) = (two(11)?, two(14)?, two(17)?);
    if hours > 23 || minutes > 59 || seconds > 59 || &text[..4] == "0000" {
        return Err(other);
    }
    let mut rest = &text[19..];
    let mut fraction = 0;
    if let Some(behind) = rest.strip_prefix(point) {
        let end = behind.find(|next: char| !next.is_ascii_digit()).unwrap_or(behind.len());
        let digits = &behind[..end];
        if digits.is_empty() {
            return Err(other);
        }
        let (micros, finer) = digits.split_at(digits.len().min(6));
        if finer.bytes().any(|byte| byte != b'0') {
            return Err(NoMoment::Finer);
        }
        fraction = format!("{micros:0<6}").parse::<i64>().map_err(|_| NoMoment::Other)?;
        rest = &behind[end..];
    } else if point == ',' {
        return Err(other);
    }
    let offset_minutes = match rest.as_bytes() {
        [] if !zoned => 0,
        [b'Z' | b'z'] if zoned => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] if zoned => {
            let at = text.len() - 5;
            let (hours, minutes) = (two(at)?, two(at + 3)?);
            if hours > 23 || minutes > 59 {
                return Err(other);
            }
            (hours * 60 + minutes) * if *sign == b'-' { -1 } else { 1 }
        }
        _ => return Err(other),
    };
    let of_day = ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + fraction;
    Ok(i64::from(days) * MICROS_PER_DAY + of_day - offset_minutes * 60_000_000)
}

fn moment_text(micros: i64, spelling: MomentSpelling) -> Result<String, String> {
    let epoch = |places: u32| {
        let micros = i128::from(micros) + i128::from(MICROS_1970_TO_2000);
        let unit = 10_i128.pow(places);
        let sign = if micros < 0 { "-" } else { "" };
        let (whole, fraction) = (micros.abs() / unit, micros.abs() % unit);
        match fraction {
            0 => format!("{sign}{whole}"),
            _ => {
                let digits = format!("{fraction:0width$}", width = places as usize);
                format!("{sign}{whole}.{}", digits.trim_end_matches('0'))
            }
        }
    };
    if micros == i64::MAX || micros == i64::MIN {
        return Err("its value is infinite, which no moment in a file is".into());
    }
    let (separator, zone) = match spelling {
        MomentSpelling::EpochSeconds => return Ok(epoch(6)),
        MomentSpelling::EpochMillis => return Ok(epoch(3)),
        MomentSpelling::Rfc3339 => ('T', "Z"),
        MomentSpelling::Spaced | MomentSpelling::SpacedComma => (' ', ""),
    };
    let year = calendar::civil_from_days(micros.div_euclid(MICROS_PER_DAY)).0;
    if !(1..=9999).contains(&year) {
        return Err("its year has not four digits".into());
    }
    let text = calendar::timestamp_text(micros, separator, zone);
    let fraction = micros.rem_euclid(1_000_000);
    Ok(match spelling {
        MomentSpelling::SpacedComma if fraction % 1_000 != 0 => {
            return Err("its moment is finer than the millisecond that the file has".into());
        }
        MomentSpelling::SpacedComma => format!("{},{:03}", &text[..19], fraction / 1_000),
        // Three digits or six, as most writers have it.
        _ if fraction % 1_000 == 0 && fraction != 0 => format!("{}.{:03}{zone}", &text[..19], fraction / 1_000),
        _ if fraction != 0 => format!("{}.{fraction:06}{zone}", &text[..19]),
        _ => text,
    })
}
