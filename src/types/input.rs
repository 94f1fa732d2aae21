//! The texts that a type's input function takes, where nobody has pinned how the source writes them: in a dump.
//!
//! pg_dump pins the style of dates and intervals. What it leaves to the server's settings is read here in every form: times with
//! the offset of any zone, bytes in the form `escape`, floating-point numbers with the digits of servers before 12. Texts with such a value inside,
//! arrays, rows and ranges, are written again as [`text`] writes them, so that a value has one text wherever
//! it comes from.
//!
//! Source: PostgreSQL's documentation, "Data Types", and the input and output functions of arrays and rows.

use super::native::Kind;
use super::{jsonb, text};
use crate::catalog::{DataType, Shape};
use crate::value::{Cell, calendar};
use std::borrow::Cow;

/// Reads the values of a column.
#[derive(Debug, Clone, Copy)]
pub struct Input<'p> {
    shape: &'p Shape,
    /// How values that travel as texts are written again.
    rewriting: Rewriting,
    /// What is known of its texts, where values travel as these.
    kind: Option<Kind>,
}

/// What has to be written again in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rewriting {
    Nothing,
    /// What is in it, which may depend on settings.
    Container,
    /// A document of `jsonb`.
    Document,
    /// A range of times with a zone.
    Range,
}

impl<'p> Input<'p> {
    /// For values of that type, under its spelling in the source.
    pub fn of(shape: &'p Shape, name: &str) -> Self {
        let shape = shape.base();
        let rewriting = match shape {
            Shape::Array { .. } | Shape::Composite(_) => Rewriting::Container,
            Shape::Jsonb => Rewriting::Document,
            _ if is_range_of_times(name) => Rewriting::Range,
            _ => Rewriting::Nothing,
        };
        let kind = if *shape == Shape::Other { Kind::of(name) } else { None };
        Input { shape, rewriting, kind }
    }

    /// The type below all domains.
    pub fn shape(&self) -> &'p Shape {
        self.shape
    }

    /// The cell of a text; `None` where it is none of the type, or is spelled as no server writes it.
    pub fn read<'a>(&self, text: &'a str) -> Option<Cell<'a>> {
        match self.rewriting {
            Rewriting::Nothing if self.kind.is_some_and(|kind| !kind.has(text)) => None,
            Rewriting::Nothing => value(self.shape, text),
            Rewriting::Container => container(self.shape, text).map(|text| Cell::Native(Cow::Owned(text))),
            Rewriting::Document => jsonb::normal(text).map(Cell::Json),
            Rewriting::Range => ranges(text).map(|text| Cell::Native(Cow::Owned(text))),
        }
    }
}

fn is_range_of_times(name: &str) -> bool {
    matches!(name.trim_start_matches("pg_catalog."), "tstzrange" | "tstzmultirange")
}

/// The cell of a text. What the server writes is read first; other spellings are looked at only where that fails.
fn value<'a>(shape: &Shape, given: &'a str) -> Option<Cell<'a>> {
    let trimmed = || given.trim_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']);
    match shape {
        Shape::SmallInt => integer(trimmed(), i16::MIN.into(), i16::MAX.into()),
        Shape::Integer => integer(trimmed(), i32::MIN.into(), i32::MAX.into()),
        Shape::BigInt => integer(trimmed(), i64::MIN, i64::MAX),
        Shape::Oid => integer(trimmed(), 0, u32::MAX.into()),
        Shape::Real | Shape::Double => {
            let cell = text::read(shape, trimmed())?;
            // A number beyond the type's is refused, and the word for what is infinite is not.
            let overflows = matches!(cell, Cell::Float(number) if number.is_infinite()) && !given.contains(['f', 'F']);
            // A number nearer to zero than the type's least is refused, too.
            let vanishes = matches!(cell, Cell::Float(0.0)) && has_digits(given);
            (!(overflows || vanishes)).then_some(cell)
        }
        Shape::Boolean => text::read(shape, given).or_else(|| boolean(&trimmed().to_ascii_lowercase())),
        Shape::Numeric { precision_and_scale } => numeric(trimmed(), *precision_and_scale),
        Shape::Bytea => text::read(shape, given).or_else(|| bytes(given).map(|bytes| Cell::Bytes(Cow::Owned(bytes)))),
        Shape::Uuid => text::read(shape, given).or_else(|| uuid(trimmed())),
        Shape::Date => text::read(shape, trimmed()),
        Shape::Timestamp { precision } => {
            let micros = micros(shape, given).or_else(|| moment(trimmed(), false))?;
            rounded(micros, *precision).map(Cell::Timestamp)
        }
        Shape::TimestampTz { precision } => {
            // In which zone the writer was is its matter: none is tried first.
            let micros = moment(given, true).or_else(|| moment(trimmed(), true))?;
            rounded(micros, *precision).map(Cell::TimestampTz)
        }
        Shape::Domain(domain) => value(&domain.base.shape, given),
        Shape::Text
        | Shape::VarChar { .. }
        | Shape::Char { .. }
        | Shape::Citext
        | Shape::Name
        | Shape::Enum(_)
        | Shape::Json
        | Shape::Jsonb
        | Shape::Array { .. }
        | Shape::Composite(_)
        | Shape::Hstore
        | Shape::Xml
        | Shape::Other => text::read(shape, given),
    }
}

/// Whether a number has a digit other than 0 in front of its exponent.
fn has_digits(text: &str) -> bool {
    text.bytes().take_while(|byte| !matches!(byte, b'e' | b'E')).any(|byte| matches!(byte, b'1'..=b'9'))
}

/// A moment as the server writes it at UTC.
fn micros(shape: &Shape, text: &str) -> Option<i64> {
    match text::read(shape, text)? {
        Cell::Timestamp(micros) | Cell::TimestampTz(micros) => Some(micros),
        _ => None,
    }
}

/// A moment with so many digits of its second, halves away from 2000 as the server rounds; `None` beyond what the server has.
fn rounded(micros: i64, precision: u8) -> Option<i64> {
    if matches!(micros, i64::MAX | i64::MIN) {
        return Some(micros);
    }
    let digits = u32::from(precision).min(MICROS_DIGITS);
    let unit = 10_i64.pow(MICROS_DIGITS - digits);
    let half = unit / 2 * micros.signum();
    let rounded = micros.checked_add(half)? / unit * unit;
    calendar::MOMENTS.contains(&rounded).then_some(rounded)
}

/// The digits of a second that a moment has.
const MICROS_DIGITS: u32 = 6;

fn integer<'a>(text: &str, min: i64, max: i64) -> Option<Cell<'a>> {
    let number: i64 = text.parse().ok()?;
    (min..=max).contains(&number).then_some(Cell::Int(number))
}

fn boolean<'a>(text: &str) -> Option<Cell<'a>> {
    // Any beginning of a word that is no beginning of another.
    let is = |word: &str| !text.is_empty() && word.starts_with(text);
    match text {
        "on" | "1" => Some(Cell::Bool(true)),
        "of" | "off" | "0" => Some(Cell::Bool(false)),
        _ if is("true") || is("yes") => Some(Cell::Bool(true)),
        _ if is("false") || is("no") => Some(Cell::Bool(false)),
        _ => None,
    }
}

/// A number with its exponent written out, rounded to the type's scale.
fn numeric<'a>(given: &str, precision_and_scale: Option<(i32, i32)>) -> Option<Cell<'a>> {
    let lower = || given.trim_start_matches(['+', '-']).to_ascii_lowercase();
    let spelled = match given.as_bytes().iter().any(|byte| !matches!(byte, b'0'..=b'9' | b'.' | b'-')) {
        false => Cow::Borrowed(given),
        true => Cow::Owned(match lower().as_str() {
            "nan" => "NaN".to_owned(),
            "inf" | "infinity" => format!("{}Infinity", if given.starts_with('-') { "-" } else { "" }),
            _ => written_out(given)?,
        }),
    };
    // The server takes a point without digits on one side, and writes none.
    let is_bare = spelled.trim_start_matches('-').starts_with('.') || spelled.ends_with('.');
    let spelled = if is_bare { Cow::Owned(written_out(&spelled)?) } else { spelled };
    let number: crate::value::Decimal = spelled.parse().ok()?;
    let Some((precision, scale)) = precision_and_scale.filter(|_| number.is_finite()) else {
        return Some(Cell::Decimal(number));
    };
    let rounded = match i32::from(number.scale()) == scale {
        true => number,
        false => round(&number.to_string(), scale)?.parse().ok()?,
    };
    let whole = rounded.whole_digits() as i64;
    let fits = whole == 0 || whole <= i64::from(precision) - i64::from(scale);
    fits.then_some(Cell::Decimal(rounded))
}

/// A number in digits without an exponent, as `numeric` reads it; `None` for what is no number.
pub fn written_out(text: &str) -> Option<String> {
    const DIGITS_MAX: i64 = 150_000;
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) || exponent.abs() > DIGITS_MAX {
        return None;
    }
    let point = whole.len() as i64 + exponent;
    let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or(0));
    let padded = format!("{}{all}{}", zeros(1 - point), zeros(point - all.len() as i64));
    let (whole, fraction) = padded.split_at(usize::try_from(point.max(1)).ok()?);
    let point = if fraction.is_empty() { "" } else { "." };
    Some(format!("{sign}{whole}{point}{fraction}"))
}

/// A decimal number rounded to so many digits behind the point, halves away from zero; before it where that is negative.
pub fn round(text: &str, scale: i32) -> Option<String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut all: Vec<u8> = format!("0{whole}{fraction}").into_bytes();
    let keep = 1 + whole.len() as i64 + i64::from(scale);
    let shown = usize::try_from(scale).unwrap_or(0);
    if keep < 1 {
        return Some(written("", "0", shown));
    }
    let keep = usize::try_from(keep).ok()?;
    if keep < all.len() {
        let up = all[keep] >= b'5';
        all[keep..].fill(b'0');
        let mut place = keep;
        while up && place > 0 {
            place -= 1;
            if all[place] != b'9' {
                all[place] += 1;
                break;
            }
            all[place] = b'0';
        }
    }
    let point = 1 + whole.len();
    all.resize(point + shown, b'0');
    let number = String::from_utf8(all).ok()?;
    let (whole, fraction) = number.split_at(point);
    let whole = whole.trim_start_matches('0');
    let sign = if number.bytes().all(|digit| digit == b'0') { "" } else { sign };
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(if shown > 0 { format!("{sign}{whole}.{fraction}") } else { format!("{sign}{whole}") })
}

fn written(sign: &str, whole: &str, zeros: usize) -> String {
    if zeros == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{}", "0".repeat(zeros)) }
}

/// Bytes in hexadecimal of any case, or in the form `escape`.
fn bytes(text: &str) -> Option<Vec<u8>> {
    if let Some(digits) = text.strip_prefix("\\x") {
        let digits: Vec<u8> = digits.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let nibble = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
        let pairs = digits.chunks(2).map(|pair| match pair {
            [high, low] => Some(nibble(*high)? << 4 | nibble(*low)?),
            _ => None,
        });
        return pairs.collect();
    }
    let mut rest = text.as_bytes();
    let mut bytes = Vec::with_capacity(rest.len());
    while let Some(place) = rest.iter().position(|byte| *byte == b'\\') {
        bytes.extend_from_slice(&rest[..place]);
        rest = match &rest[place + 1..] {
            [b'\\', rest @ ..] => {
                bytes.push(b'\\');
                rest
            }
            [high @ b'0'..=b'3', middle @ b'0'..=b'7', low @ b'0'..=b'7', rest @ ..] => {
                bytes.push((high - b'0') << 6 | (middle - b'0') << 3 | (low - b'0'));
                rest
            }
            _ => return None,
        };
    }
    bytes.extend_from_slice(rest);
    Some(bytes)
}

fn uuid<'a>(text: &str) -> Option<Cell<'a>> {
    let inside = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
    let digits: String = inside.chars().filter(|sign| *sign != '-').map(|sign| sign.to_ascii_lowercase()).collect();
    if digits.len() != 32 || !digits.is_ascii() {
        return None;
    }
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    text::parse_uuid(&parts.join("-")).map(Cell::Uuid)
}

/// A time: a date alone, `T` between date and time, and with a zone its offset `+05:30`.
fn moment(given: &str, with_zone: bool) -> Option<i64> {
    if let Some((local, zone)) = calendar::parse_ordinary(given, b' ')
        && with_zone != zone.is_empty()
        && let Some(offset) = offset_micros(zone)
    {
        let utc = local.checked_sub(offset)?;
        return calendar::MOMENTS.contains(&utc).then_some(utc);
    }
    let (body, era) = match given.strip_suffix(" BC") {
        Some(body) => (body, " BC"),
        None => (given, ""),
    };
    let (date, time) = body.split_once([' ', 'T']).unwrap_or((body, "00:00:00"));
    let zone_at = time.find(['+', '-', 'Z']).filter(|_| with_zone);
    let (time, zone) = zone_at.map_or((time, ""), |place| time.split_at(place));
    if with_zone && zone.is_empty() {
        // Without its offset it means whatever zone the reader is in.
        return matches!(body, "infinity" | "-infinity").then(|| calendar::parse_timestamp(body, ' ', "")).flatten();
    }
    let local = calendar::parse_timestamp(&format!("{date} {}{era}", time.trim_end()), ' ', "")?;
    let utc = local.checked_sub(offset_micros(zone)?)?;
    calendar::MOMENTS.contains(&utc).then_some(utc)
}

/// What `+05:30` is in microseconds, east of Greenwich above zero.
fn offset_micros(zone: &str) -> Option<i64> {
    if matches!(zone, "" | "Z") {
        return Some(0);
    }
    if let [sign @ (b'+' | b'-'), tens @ b'0'..=b'1', ones @ b'0'..=b'9'] = *zone.as_bytes() {
        let hours = i64::from(tens - b'0') * 10 + i64::from(ones - b'0');
        return (hours <= 15).then_some(if sign == b'-' { -hours } else { hours } * 3_600_000_000);
    }
    let (sign, clock) = match zone.split_at_checked(1)? {
        ("+", clock) => (1, clock),
        ("-", clock) => (-1, clock),
        _ => return None,
    };
    let mut parts = clock.split(':').map(|part| {
        let is_number = (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| part.parse::<i64>().ok()).flatten()
    });
    let hours = parts.next()??;
    let minutes = parts.next().map_or(Some(0), |part| part)?;
    let seconds = parts.next().map_or(Some(0), |part| part)?;
    // PostgreSQL's own bound.
    let fits = hours <= 15 && minutes < 60 && seconds < 60 && parts.next().is_none();
    fits.then_some(sign * ((hours * 60 + minutes) * 60 + seconds) * 1_000_000)
}

/// The text of a value within another one, as the server of a live source writes it.
fn within(data_type: &DataType, given: &str) -> Option<String> {
    let cell = Input::of(&data_type.shape, &data_type.name).read(given)?;
    text::write(&data_type.shape, &cell).map(Cow::into_owned)
}

/// An array or a row, its values written again.
fn container(shape: &Shape, given: &str) -> Option<String> {
    match shape {
        Shape::Array { element, delimiter } => array(element, *delimiter, given),
        Shape::Composite(composite) => {
            let values = row_values(given)?;
            if values.len() != composite.fields.len() {
                return None;
            }
            let fields = composite.fields.iter().zip(values);
            let texts = fields.map(|(field, value)| match value {
                None => Some(None),
                Some(value) => within(&field.data_type, &value).map(Some),
            });
            Some(row_text(&texts.collect::<Option<Vec<_>>>()?))
        }
        _ => None,
    }
}

fn is_blank(sign: char) -> bool {
    matches!(sign, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
}

/// How deep an array may be; the server's limit is 6.
const DIMENSIONS_MAX: usize = 6;

fn array(element: &DataType, delimiter: char, given: &str) -> Option<String> {
    let given = given.trim_matches(is_blank);
    let mut plain = String::with_capacity(given.len());
    let (mut dimensions, mut told) = (Dimensions::default(), None);
    // Where the first element has another number than 1, it stands in front.
    let body = match given.starts_with('[') {
        true => {
            let (bounds, body) = given.split_once('=')?;
            let bounds: String = bounds.chars().filter(|sign| !is_blank(*sign)).collect();
            told = Some(sizes(&bounds)?);
            let is_usual = bounds
                .trim_matches(['[', ']'])
                .split("][")
                .all(|bound| bound.starts_with("1:") || !bound.contains(':'));
            if !is_usual {
                plain.push_str(&bounds);
                plain.push('=');
            }
            body.trim_start_matches(is_blank)
        }
        false => given,
    };
    let mut signs = body.chars().peekable();
    let (mut depth, mut expects_value) = (0, false);
    loop {
        while signs.next_if(|sign| is_blank(*sign)).is_some() {}
        let Some(sign) = signs.peek().copied() else { break };
        match sign {
            '{' if depth == 0 || expects_value => {
                signs.next();
                depth += 1;
                if depth > DIMENSIONS_MAX {
                    return None;
                }
                dimensions.open();
                expects_value = true;
                plain.push('{');
            }
            '}' if depth > 0 && !plain.ends_with(delimiter) => {
                signs.next();
                depth -= 1;
                dimensions.close()?;
                expects_value = false;
                plain.push('}');
                if depth == 0 {
                    break;
                }
            }
            sign if sign == delimiter && depth > 0 && !expects_value => {
                signs.next();
                expects_value = true;
                plain.push(sign);
            }
            _ if expects_value => {
                dimensions.value()?;
                let (value, was_quoted) = array_value(&mut signs, delimiter)?;
                match !was_quoted && value.eq_ignore_ascii_case("null") {
                    true => plain.push_str("NULL"),
                    false => push_array_value(&mut plain, &within(element, &value)?, delimiter),
                }
                expects_value = false;
            }
            _ => return None,
        }
    }
    let is_as_told = told.is_none_or(|told| told == dimensions.sizes());
    (depth == 0 && !plain.is_empty() && is_as_told && signs.all(is_blank)).then_some(plain)
}

/// How many elements the bounds in front of an array say: `[0:5][1:2]`.
fn sizes(bounds: &str) -> Option<Vec<usize>> {
    let size = |bound: &str| {
        let (from, to) = bound.split_once(':').unwrap_or(("1", bound));
        let (from, to) = (from.parse::<i32>().ok()?, to.parse::<i32>().ok()?);
        usize::try_from(i64::from(to) - i64::from(from) + 1).ok().filter(|size| *size > 0)
    };
    bounds.strip_prefix('[')?.strip_suffix(']')?.split("][").map(size).collect()
}

/// How many elements an array has in each of its dimensions, which have to be the same everywhere.
#[derive(Debug, Default)]
struct Dimensions {
    /// Of what is open, from the outside in.
    open: Vec<usize>,
    /// Of the first that ended at each depth.
    known: Vec<Option<usize>>,
    /// How deep the values are.
    depth: Option<usize>,
}

impl Dimensions {
    fn open(&mut self) {
        if let Some(outer) = self.open.last_mut() {
            *outer += 1;
        }
        self.open.push(0);
        if self.known.len() < self.open.len() {
            self.known.push(None);
        }
    }

    fn value(&mut self) -> Option<()> {
        *self.open.last_mut()? += 1;
        (*self.depth.get_or_insert(self.open.len()) == self.open.len()).then_some(())
    }

    fn close(&mut self) -> Option<()> {
        let depth = self.open.len();
        let count = self.open.pop()?;
        let known = *self.known.get_mut(depth - 1)?.get_or_insert(count);
        // Only the empty array is empty, and what ends has to end where the values are.
        let is_usual = count > 0 && self.depth.is_some_and(|values| depth <= values);
        let is_empty = count == 0 && depth == 1 && self.known.len() == 1;
        (known == count && (is_usual || is_empty)).then_some(())
    }

    fn sizes(self) -> Vec<usize> {
        self.known.into_iter().flatten().collect()
    }
}

/// One element, and whether it had quotes.
fn array_value(signs: &mut std::iter::Peekable<std::str::Chars<'_>>, delimiter: char) -> Option<(String, bool)> {
    let (mut value, mut quoted, mut was_quoted) = (String::new(), false, false);
    loop {
        let sign = *signs.peek()?;
        match sign {
            '"' => (quoted, was_quoted) = (!quoted, true),
            '\\' => {
                signs.next();
                value.push(*signs.peek()?);
                was_quoted = true;
            }
            sign if !quoted && (sign == delimiter || sign == '}') => {
                if !was_quoted {
                    value.truncate(value.trim_end_matches(is_blank).len());
                }
                return (was_quoted || !value.is_empty()).then_some((value, was_quoted));
            }
            '{' if !quoted => return None,
            sign if was_quoted && !quoted && is_blank(sign) => {}
            sign => value.push(sign),
        }
        signs.next();
    }
}

fn push_array_value(plain: &mut String, value: &str, delimiter: char) {
    let needs_quotes = value.is_empty()
        || value.eq_ignore_ascii_case("null")
        || value.contains(|sign| matches!(sign, '"' | '\\' | '{' | '}') || sign == delimiter || is_blank(sign));
    if !needs_quotes {
        return plain.push_str(value);
    }
    plain.push('"');
    for sign in value.chars() {
        if matches!(sign, '"' | '\\') {
            plain.push('\\');
        }
        plain.push(sign);
    }
    plain.push('"');
}

/// An array's text of its elements' texts, which are arrays themselves where it has several dimensions.
pub fn array_text(elements: &[Option<String>], are_arrays: bool, delimiter: char) -> String {
    let mut plain = String::from("{");
    for (place, element) in elements.iter().enumerate() {
        if place > 0 {
            plain.push(delimiter);
        }
        match element {
            None => plain.push_str("NULL"),
            Some(text) if are_arrays => plain.push_str(text),
            Some(text) => push_array_value(&mut plain, text, delimiter),
        }
    }
    plain.push('}');
    plain
}

/// The values of a row's text; `None` within is NULL.
fn row_values(given: &str) -> Option<Vec<Option<String>>> {
    let body = given.trim_matches(is_blank).strip_prefix('(')?.strip_suffix(')')?;
    let mut values = Vec::new();
    let mut signs = body.chars().peekable();
    loop {
        let (mut value, mut quoted, mut is_null) = (String::new(), false, true);
        loop {
            match signs.next() {
                None if quoted => return None,
                None => {
                    values.push((!is_null).then_some(value));
                    return Some(values);
                }
                Some(',') if !quoted => break,
                Some('"') if quoted && signs.next_if_eq(&'"').is_some() => value.push('"'),
                Some('"') => quoted = !quoted,
                Some('\\') => value.push(signs.next()?),
                Some('(' | ')') if !quoted => return None,
                Some(sign) => value.push(sign),
            }
            is_null = false;
        }
        values.push((!is_null).then_some(value));
    }
}

/// A row's text of its values' texts.
pub fn row_text(values: &[Option<String>]) -> String {
    let mut plain = String::from("(");
    for (place, value) in values.iter().enumerate() {
        if place > 0 {
            plain.push(',');
        }
        let Some(value) = value else { continue };
        let needs_quotes =
            value.is_empty() || value.contains(|sign| matches!(sign, '"' | '\\' | '(' | ')' | ',') || is_blank(sign));
        if !needs_quotes {
            plain.push_str(value);
            continue;
        }
        plain.push('"');
        for sign in value.chars() {
            if matches!(sign, '"' | '\\') {
                plain.push(sign);
            }
            plain.push(sign);
        }
        plain.push('"');
    }
    plain.push(')');
    plain
}

/// Ranges of times with a zone, one or several, each time at UTC. The server puts quotes around every time, as each has a blank.
fn ranges(given: &str) -> Option<String> {
    let mut plain = String::with_capacity(given.len());
    let mut rest = given;
    while let Some((before, behind)) = rest.split_once('"') {
        let (time, behind) = behind.split_once('"')?;
        let cell = value(&Shape::TimestampTz { precision: 6 }, time)?;
        plain.push_str(before);
        plain.push('"');
        plain.push_str(&text::write(&Shape::TimestampTz { precision: 6 }, &cell)?);
        plain.push('"');
        rest = behind;
    }
    plain.push_str(rest);
    (plain == "empty" || plain.starts_with(['[', '(', '{'])).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Composite, Field, QualifiedName};

    fn text_of(shape: &Shape, name: &str, given: &str) -> Option<String> {
        let cell = Input::of(shape, name).read(given)?;
        text::write(shape, &cell).map(Cow::into_owned)
    }

    fn array_of(shape: Shape) -> Shape {
        Shape::Array { element: Box::new(DataType::new("e", shape)), delimiter: ',' }
    }

    #[test]
    fn a_value_has_one_text_whatever_was_set() {
        let zoned = Shape::TimestampTz { precision: 6 };
        let numeric = |precision_and_scale| Shape::Numeric { precision_and_scale };
        for (shape, given, expected) in [
            (&zoned, "2020-01-01 13:00:00+01", "2020-01-01 12:00:00+00"),
            (&zoned, "2020-01-01 00:00:00.5+05:30", "2019-12-31 18:30:00.5+00"),
            (&zoned, "1890-01-01 00:53:28+00:53:28", "1890-01-01 00:00:00+00"),
            (&zoned, "0044-03-15 12:00:00-05 BC", "0044-03-15 17:00:00+00 BC"),
            (&zoned, "infinity", "infinity"),
            (&zoned, "12345-01-01 00:00:00-03", "12345-01-01 03:00:00+00"),
            (&Shape::Timestamp { precision: 6 }, "2020-01-01", "2020-01-01 00:00:00"),
            (&Shape::Timestamp { precision: 6 }, "2020-01-01T10:00:00", "2020-01-01 10:00:00"),
            (&Shape::Double, "0.10000000000000001", "0.1"),
            (&Shape::Real, "0.100000001", "0.1"),
            (&Shape::Double, "-Infinity", "-Infinity"),
            (&Shape::Double, "-0", "-0"),
            (&Shape::Bytea, "\\xDEAD", "\\xdead"),
            (&Shape::Bytea, "a\\\\b\\000\\377", "\\x615c6200ff"),
            (&Shape::Boolean, "TRUE", "t"),
            (&Shape::Boolean, "no", "f"),
            (&Shape::Uuid, "{A0EEBC99-9C0B4EF8BB6D6BB9BD380A11}", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
            (&numeric(None), "1.5e-3", "0.0015"),
            (&numeric(None), "1e3", "1000"),
            (&numeric(None), "-.5", "-0.5"),
            (&numeric(None), "nan", "NaN"),
            (&numeric(None), "-inf", "-Infinity"),
            (&numeric(Some((5, 2))), "1.005", "1.01"),
            (&numeric(Some((5, 2))), "-999.994", "-999.99"),
            (&numeric(Some((5, 2))), "1", "1.00"),
            (&numeric(Some((5, -2))), "12350", "12400"),
            (&numeric(Some((2, 4))), "0.00995", "0.0100"),
            (&Shape::Integer, " 42 ", "42"),
            (&array_of(zoned.clone()), "{\"2020-01-01 13:00:00+01\",NULL}", "{\"2020-01-01 12:00:00+00\",NULL}"),
            (&array_of(Shape::Double), "{{0.10000000000000001,1},{2, nan}}", "{{0.1,1},{2,NaN}}"),
            (&array_of(Shape::Bytea), "{\"\\\\xAB\",\"a\\\\\\\\\"}", "{\"\\\\xab\",\"\\\\x615c\"}"),
            (
                &array_of(Shape::Text),
                "{ a b , \"null\",null,\"\",\"x\\\"y\" }",
                "{\"a b\",\"null\",NULL,\"\",\"x\\\"y\"}",
            ),
            (&array_of(Shape::Integer), "[0:1]={1, 2}", "[0:1]={1,2}"),
            (&array_of(Shape::Integer), "{}", "{}"),
        ] {
            assert_eq!(text_of(shape, "x", given).as_deref(), Some(expected), "{shape:?} {given}");
        }
        let milli = Shape::Timestamp { precision: 3 };
        let year_2000 = |text: &str| format!("2000-01-01 00:00:{text}");
        assert_eq!(text_of(&milli, "x", "2020-01-01 00:00:00.9996").as_deref(), Some("2020-01-01 00:00:01"));
        assert_eq!(text_of(&milli, "x", &year_2000("00.0015")).as_deref(), Some(year_2000("00.002").as_str()));
        assert_eq!(text_of(&milli, "x", "1999-12-31 23:59:59.9985").as_deref(), Some("1999-12-31 23:59:59.998"));
        for (shape, given) in [
            (&Shape::Jsonb, "\"\\u0000\""),
            (&Shape::Date, "2020-02-30"),
            (&milli, "2020-01-01 24:00:01"),
            (&zoned, "2021-02-29 00:00:00+00"),
            (&zoned, "2020-01-01 00:00:00+16"),
            (&Shape::Double, "1e-400"),
            (&Shape::Real, "-1e-50"),
            (&array_of(Shape::Date), "{2020-02-30}"),
            (&array_of(Shape::Integer), "{1.5}"),
            (&array_of(Shape::Integer), "{99999999999}"),
            (&array_of(Shape::Integer), "{1,{2}}"),
            (&array_of(Shape::Integer), "{{1},2}"),
            (&array_of(Shape::Integer), "{{1},{2,3}}"),
            (&array_of(Shape::Integer), "{{1}{2}}"),
            (&array_of(Shape::Integer), "[0:5]={1,2}"),
            (&array_of(Shape::Integer), "[0:1][1:1]={1,2}"),
            (&array_of(Shape::Integer), "[1:0]={}"),
            (&zoned, "2020-01-01 13:00:00"),
            (&Shape::Double, "1e400"),
            (&Shape::Real, "1e39"),
            (&Shape::SmallInt, "32768"),
            (&Shape::Boolean, "o"),
            (&Shape::Bytea, "\\xabc"),
            (&Shape::Bytea, "\\9"),
            (&numeric(Some((3, 1))), "100"),
            (&numeric(None), "1e"),
            (&array_of(Shape::Integer), "{1,2"),
            (&array_of(Shape::Integer), "{1}}"),
            (&array_of(Shape::Integer), "{1 2}"),
            (&array_of(Shape::Integer), ""),
        ] {
            assert_eq!(text_of(shape, "x", given), None, "{shape:?} {given}");
        }
    }

    #[test]
    fn rows_and_ranges_are_written_again() {
        let field = |name: &str, shape| Field { name: name.to_owned(), data_type: DataType::new(name, shape) };
        let fields =
            vec![field("a", Shape::TimestampTz { precision: 6 }), field("b", Shape::Text), field("c", Shape::Text)];
        let row = Shape::Composite(Composite { name: QualifiedName::new("public", "r"), fields });
        let given = "(\"2020-01-01 13:00:00+01\",\"a \"\"b\"\" \\\\\",)";
        let expected = "(\"2020-01-01 12:00:00+00\",\"a \"\"b\"\" \\\\\",)";
        assert_eq!(text_of(&row, "public.r", given).as_deref(), Some(expected));
        assert_eq!(text_of(&row, "public.r", "(,\"\")"), None);
        let range = "[\"2020-01-01 13:00:00+01\",)";
        assert_eq!(text_of(&Shape::Other, "tstzrange", range).as_deref(), Some("[\"2020-01-01 12:00:00+00\",)"));
    }
}
